//! The few wire forms of protocol buffers that the chain needs. In what is written, fields of the default value
//! are left out, as proto3 has it: signatures cover the bytes. What is read is the fields of a message one after
//! the other.

/// Appends a number of variable length.
pub fn push_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// A field of variable length.
    #[must_use]
    pub fn varint(mut self, field: u32, value: u64) -> Self {
        if value != 0 {
            push_varint(&mut self.0, u64::from(field) << 3);
            push_varint(&mut self.0, value);
        }
        self
    }

    /// A field of four bytes.
    #[must_use]
    pub fn fixed32(mut self, field: u32, value: u32) -> Self {
        if value != 0 {
            push_varint(&mut self.0, u64::from(field) << 3 | 5);
            self.0.extend(value.to_le_bytes());
        }
        self
    }

    /// A field of bytes, text or an inner message; left out when empty.
    #[must_use]
    pub fn bytes(self, field: u32, value: &[u8]) -> Self {
        if value.is_empty() {
            return self;
        }
        self.message(field, value)
    }

    /// An inner message, also when it is empty.
    #[must_use]
    pub fn message(mut self, field: u32, value: &[u8]) -> Self {
        push_varint(&mut self.0, u64::from(field) << 3 | 2);
        push_varint(&mut self.0, value.len() as u64);
        self.0.extend(value);
        self
    }

    /// A message wrapped with the name of its type.
    #[must_use]
    pub fn any(type_url: &str, value: &Self) -> Self {
        Self::default().bytes(1, type_url.as_bytes()).bytes(2, &value.0)
    }
}

/// The value of a field, by its wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number.
    Number(u64),
    /// Bytes, text or an inner message.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The bytes, or none of them.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => &[],
        }
    }

    /// The number where it fits; 0 for what is none.
    #[must_use]
    pub fn number<T: TryFrom<u64> + Default>(self) -> T {
        match self {
            Self::Number(number) => T::try_from(number).unwrap_or_default(),
            Self::Bytes(_) => T::default(),
        }
    }

    /// The number of a field that may be negative (`sint32`): zigzag form; 0 for what is none.
    #[must_use]
    pub fn signed(self) -> i64 {
        let number = self.number::<u64>();
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }
}

/// A number of variable length at the start of the bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn split(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    (bytes.len() >= length).then(|| bytes.split_at(length))
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The fields of a message by number; nothing where the bytes are none.
#[must_use]
pub fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = varint(bytes)?;
        let (field, rest) = match key & 7 {
            0 => varint(rest).map(|(value, rest)| (Field::Number(value), rest))?,
            1 => split(rest, 8).map(|(value, rest)| (Field::Number(little(value)), rest))?,
            2 => {
                let (length, rest) = varint(rest)?;
                let (value, rest) = split(rest, usize::try_from(length).ok()?)?;
                (Field::Bytes(value), rest)
            }
            5 => split(rest, 4).map(|(value, rest)| (Field::Number(little(value)), rest))?,
            _ => return None,
        };
        found.push((key >> 3, field));
        bytes = rest;
    }
    Some(found)
}

/// The last field of a number, or an empty one: what is not written has its default.
#[must_use]
pub fn last<'a>(fields: &[(u64, Field<'a>)], number: u64) -> Field<'a> {
    let found = fields.iter().rev().find(|(at, _)| *at == number);
    found.map_or(Field::Bytes(&[]), |(_, field)| *field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inner = Message::default().varint(1, 300);
        let message = Message::default()
            .varint(1, u64::MAX)
            .fixed32(2, 7)
            .message(5, &inner.0)
            .bytes(9, b"x");
        let read = fields(&message.0).unwrap();
        assert_eq!(last(&read, 1).number::<u64>(), u64::MAX);
        assert_eq!(last(&read, 1).number::<u32>(), 0, "what does not fit is not cut");
        assert_eq!(last(&read, 2).number::<u32>(), 7);
        assert_eq!(last(&fields(last(&read, 5).bytes()).unwrap(), 1).number::<u32>(), 300);
        let signed: Vec<i64> = [0, 1, 2, 219].map(|number| Field::Number(number).signed()).into();
        assert_eq!(signed, [0, -1, 1, -110]);
        assert_eq!((last(&read, 9).text(), last(&read, 4).text()), ("x", ""));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [&[0x80][..], &[0x0a, 5, 1], &[0x0d, 1, 2], &[0x0b], &[0xff; 11]] {
            assert_eq!(fields(bytes), None, "{bytes:?}");
        }
    }
}
