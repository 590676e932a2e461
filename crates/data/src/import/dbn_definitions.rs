//! Definitions of Databento: tick, size of a contract and currency of each instrument.

use std::collections::HashMap;

use mainspring_core::Decimal;

use super::binary::{i64_le, u32_le};
use super::instrument::InstrumentSpec;

/// The number of the schema in headers.
pub const SCHEMA: u16 = 9;
/// The type of its records.
pub const RECORD: u8 = 0x13;

const NONE: i64 = i64::MAX;
const TICK_AT: usize = 24;

/// What is read of a definition, by its length, which is another in each version of the format:
/// where the size of a contract and the currency stand.
const fn places(length: usize) -> Option<(usize, usize)> {
    match length {
        360 | 400 => Some((88, 186)),
        520 => Some((80, 224)),
        _ => None,
    }
}

/// The newest definition of each instrument, by the id of the publisher.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    by_id: HashMap<u32, InstrumentSpec>,
}

impl Definitions {
    /// Takes a record; one of a length that no version has is left out.
    pub fn take(&mut self, record: &[u8]) {
        let Some((size_at, currency_at)) = places(record.len()) else { return };
        let spec = InstrumentSpec {
            tick: positive(i64_le(record, TICK_AT)),
            multiplier: positive(i64_le(record, size_at)),
            quote: currency(&record[currency_at..currency_at + 4]),
            lot: Some(Decimal::ONE),
            ..InstrumentSpec::default()
        };
        self.by_id.insert(u32_le(record, 4), spec);
    }

    /// What is defined of an instrument.
    #[must_use]
    pub fn of(&self, id: u32) -> Option<&InstrumentSpec> {
        self.by_id.get(&id)
    }
}

/// A number in units of 10^-9 that is there and means something.
fn positive(wire: i64) -> Option<Decimal> {
    (wire > 0 && wire != NONE).then(|| Decimal::new(wire, 9).ok()).flatten()
}

fn currency(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| text.to_owned())
}
