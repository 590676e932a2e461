//! Binary inputs: a window over the bytes of one input after another.

use std::path::PathBuf;

use mainspring_core::{Decimal, Error, ErrorKind, Result};

use super::input::{open, Input, Meter, Place};

const BLOCK_BYTES: usize = 256 << 10;

/// The bytes of one input after another, with the number of the record that is being read.
#[derive(Debug)]
pub struct Bytes {
    waiting: std::vec::IntoIter<PathBuf>,
    members: std::vec::IntoIter<Input>,
    current: Option<Input>,
    meter: Meter,
    buffer: Vec<u8>,
    from: usize,
    filled: usize,
    place: Place,
}

impl Bytes {
    /// The bytes of these files, in this order; records are called `unit` in messages.
    #[must_use]
    pub fn new(paths: &[PathBuf], unit: &'static str) -> Self {
        Self {
            waiting: Vec::from(paths).into_iter(),
            members: Vec::new().into_iter(),
            current: None,
            meter: Meter::default(),
            buffer: vec![0; BLOCK_BYTES],
            from: 0,
            filled: 0,
            place: Place { unit, ..Place::default() },
        }
    }

    /// Where the last record was.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes read from disk so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meter.bytes()
    }

    /// Goes to the next input; false when there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn next_input(&mut self) -> Result<bool> {
        if self.members.len() == 0 {
            let Some(path) = self.waiting.next() else {
                return Ok(false);
            };
            self.members = open(&path, &self.meter)?.into_iter();
        }
        self.current = self.members.next();
        if let Some(input) = &self.current {
            self.place.file.clone_from(&input.name);
        }
        (self.place.line, self.from, self.filled) = (0, 0, 0);
        Ok(true)
    }

    /// Up to `length` bytes from here, fewer only at the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn peek(&mut self, length: usize) -> Result<&[u8]> {
        if self.buffer.len() < length {
            self.buffer.resize(length.next_power_of_two(), 0);
        }
        while self.filled - self.from < length {
            if self.from > 0 {
                self.buffer.copy_within(self.from..self.filled, 0);
                self.filled -= self.from;
                self.from = 0;
            }
            let Some(input) = &mut self.current else {
                break;
            };
            match input.read(&mut self.buffer[self.filled..])? {
                0 => break,
                n => self.filled += n,
            }
        }
        let end = self.filled.min(self.from + length);
        Ok(&self.buffer[self.from..end])
    }

    /// Leaves `length` bytes behind.
    pub fn skip(&mut self, length: usize) {
        self.from = (self.from + length).min(self.filled);
    }

    /// Counts a record.
    pub fn count(&mut self) {
        self.place.line += 1;
    }

    /// Takes exactly `length` bytes, or `None` at the end of the input.
    ///
    /// # Errors
    /// When the input ends within them.
    pub fn take(&mut self, length: usize) -> Result<Option<&[u8]>> {
        let have = self.peek(length)?.len();
        if have == 0 && length > 0 {
            return Ok(None);
        }
        if have < length {
            let what = format!("{}: the file ends within a {}", self.place, self.place.unit);
            return Err(Error::new(ErrorKind::Data, what));
        }
        self.from += length;
        Ok(Some(&self.buffer[self.from - length..self.from]))
    }
}

/// An integer at `at`, little end first. Fields lie within records of a checked length.
#[must_use]
pub fn u32_le(record: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&record[at..at + 4]);
    u32::from_le_bytes(bytes)
}

/// An integer at `at`, little end first. Fields lie within records of a checked length.
#[must_use]
pub fn u64_le(record: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&record[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// A signed integer at `at`, little end first.
#[must_use]
pub fn i64_le(record: &[u8], at: usize) -> i64 {
    u64_le(record, at) as i64
}

/// A float at `at`, little end first.
#[must_use]
pub fn f64_le(record: &[u8], at: usize) -> f64 {
    f64::from_bits(u64_le(record, at))
}

/// The decimal that a float stands for: the one with the fewest digits that reads back as it.
#[must_use]
pub fn decimal_of(value: f64) -> Option<Decimal> {
    use std::io::Write;
    if !value.is_finite() || value.abs() >= 1e17 {
        return None;
    }
    let mut text = [0_u8; 400];
    let mut rest = &mut text[..];
    write!(rest, "{value}").ok()?;
    let left = rest.len();
    let length = text.len() - left;
    Decimal::from_ascii(&text[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_their_shortest_decimal() {
        for (value, text) in [(61_800.3, "61800.3"), (0.000_000_1, "0.0000001"), (-2.5, "-2.5")] {
            assert_eq!(decimal_of(value).unwrap().to_string(), text);
        }
        assert!(decimal_of(f64::NAN).is_none() && decimal_of(f64::INFINITY).is_none());
        assert!(decimal_of(1e300).is_none() && decimal_of(f64::MIN_POSITIVE).is_none());
    }
}
