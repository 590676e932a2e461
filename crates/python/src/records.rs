//! Records of runs with their fields named as those of journals, for the bus and the store.

use bytemuck::bytes_of;
use mainspring_core::{Error, ErrorKind, Instrument, OrderType, Result};
use mainspring_journal::{read_log, Entry};
use mainspring_kernel::session::decode::{decode, fields_to_json};
use mainspring_kernel::session::{Kind, Raw};
use pyo3::prelude::*;
use serde_json::Value;

use crate::errors::to_py;

/// Name, time and fields as a JSON object.
type NamedRecord = (&'static str, i64, String);

/// At most `limit` records of a run's log behind the first `skip`. The log is verified up to there.
#[pyfunction]
pub fn log_records(
    py: Python<'_>,
    log: &[u8],
    instruments: &str,
    skip: u64,
    limit: usize,
) -> PyResult<Vec<NamedRecord>> {
    let instruments: Vec<Instrument> = serde_json::from_str(instruments)
        .map_err(|e| to_py(Error::new(ErrorKind::Config, format!("instruments: {e}"))))?;
    py.detach(|| read_some(log, &instruments, skip, limit)).map_err(to_py)
}

fn read_some(
    log: &[u8],
    instruments: &[Instrument],
    skip: u64,
    limit: usize,
) -> Result<Vec<NamedRecord>> {
    let mut sequence = 0;
    let mut found = Vec::new();
    let outcome = read_log([log], |entry| {
        if found.len() >= limit {
            return Err(Error::new(ErrorKind::Interrupted, "these are enough"));
        }
        sequence += 1;
        if sequence > skip {
            found.push(named(&entry, sequence, instruments)?);
        }
        Ok(())
    });
    match outcome {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        _ => Ok(found),
    }
}

fn named(entry: &Entry, sequence: u64, instruments: &[Instrument]) -> Result<NamedRecord> {
    let (kind, time_ns, payload) = match entry {
        Entry::Order(r) => (Kind::Order, r.time_ns, bytes_of(r)),
        Entry::Fill(r) => (Kind::Fill, r.time_ns, bytes_of(r)),
        Entry::Equity(r) => (Kind::Equity, r.time_ns, bytes_of(r)),
        Entry::Position(r) => (Kind::Position, r.time_ns, bytes_of(r)),
        Entry::Message(r) => (Kind::Notice, r.time_ns, r.text.as_bytes()),
    };
    let raw = Raw { kind: kind as u16, sequence, time_ns, cause: 0, payload };
    let mut fields = fields_to_json(&decode(&raw, instruments)?);
    if let (Entry::Order(order), Some(members)) = (entry, fields.as_object_mut()) {
        // A run has no record of its own for an order that is made.
        members.insert("order_type".into(), order_type(order.order_type));
    }
    Ok((kind.name(), time_ns, fields.to_string()))
}

fn order_type(code: u8) -> Value {
    use OrderType as T;
    let all = [
        T::Limit,
        T::Market,
        T::Stop,
        T::StopLimit,
        T::TakeProfit,
        T::TrailingStop,
        T::Iceberg,
        T::Pegged,
    ];
    let known = all.into_iter().find(|one| *one as u8 == code);
    known.map_or(Value::Null, |one| serde_json::to_value(one).unwrap_or(Value::Null))
}
