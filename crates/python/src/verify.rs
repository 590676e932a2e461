//! Looking at finished runs: where two part, and what the mid price did.

use std::path::PathBuf;

use mainspring_core::{Error, ErrorKind, Money};
use mainspring_data::{Column, EventFile, Table};
use mainspring_journal::{first_difference as find, Entry, Wide};
use mainspring_kernel::{mid_changes as follow, Progress, RunConfig};
use pyo3::prelude::*;
use serde_json::{json, Value};

use crate::errors::{json_fault, to_py};
use crate::table::PyTable;

/// Index of the first record that differs, and both sides as text.
type FirstDifference = (u64, Option<String>, Option<String>);

/// The first record that two logs do not share: `(index, left, right)`, or None for equal logs.
///
/// The records are JSON objects with their `kind` and fields, None where a log has ended.
#[pyfunction]
#[pyo3(signature = (left, right, /))]
pub fn first_difference(
    py: Python<'_>,
    left: &[u8],
    right: &[u8],
) -> PyResult<Option<FirstDifference>> {
    let found = py.detach(|| find(left, right)).map_err(to_py)?;
    let text = |entry: Option<Entry>| entry.map(|entry| entry_json(&entry).to_string());
    Ok(found.map(|d| (d.index, text(d.left), text(d.right))))
}

fn entry_json(entry: &Entry) -> Value {
    let money = |amount: Wide| Money::from(amount).0.to_string();
    match entry {
        Entry::Order(r) => json!({
            "kind": "order", "time_ns": r.time_ns, "order_id": r.order_id,
            "strategy": r.strategy, "instrument": r.instrument, "side": r.side,
            "order_type": r.order_type, "state": r.state, "reason": r.reason,
            "price_ticks": r.price_ticks, "qty_lots": r.qty_lots, "filled_lots": r.filled_lots,
        }),
        Entry::Fill(r) => json!({
            "kind": "fill", "time_ns": r.time_ns, "exch_ns": r.exch_ns, "order_id": r.order_id,
            "strategy": r.strategy, "instrument": r.instrument, "side": r.side,
            "maker": r.maker != 0, "price_ticks": r.price_ticks, "qty_lots": r.qty_lots,
            "position_lots": r.position_lots, "mid2_ticks": r.mid2_ticks,
            "fee": money(r.fee), "realised": money(r.realised),
        }),
        Entry::Equity(r) => json!({
            "kind": "equity", "time_ns": r.time_ns, "equity": money(r.equity),
            "realised": money(r.realised), "unrealised": money(r.unrealised),
            "fees": money(r.fees), "funding": money(r.funding),
        }),
        Entry::Position(r) => json!({
            "kind": "position", "time_ns": r.time_ns, "strategy": r.strategy,
            "instrument": r.instrument, "position_lots": r.position_lots,
            "bid_ticks": r.bid_ticks, "ask_ticks": r.ask_ticks,
            "realised": money(r.realised), "unrealised": money(r.unrealised),
            "fees": money(r.fees), "funding": money(r.funding),
        }),
        Entry::Message(r) => json!({"kind": "message", "time_ns": r.time_ns, "text": r.text}),
    }
}

/// Every change of the mid price of each instrument of a run: `(table, spacing_ns)` with columns
/// `time_ns` and `mid`. Beyond `max_changes` only the last change in each `spacing_ns` is kept.
#[pyfunction]
pub fn mid_changes(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    config: &str,
    max_changes: usize,
) -> PyResult<Vec<(PyTable, i64)>> {
    let config: RunConfig = serde_json::from_str(config).map_err(|e| {
        to_py(Error::new(ErrorKind::Config, format!("run configuration: {}", json_fault(&e))))
    })?;
    let mut watch = |_: Progress| {
        let alive = Python::attach(|py| py.check_signals());
        alive.map_err(|e| Error::new(ErrorKind::Interrupted, e.to_string()))
    };
    let tracks = py.detach(|| {
        let files =
            paths.iter().map(EventFile::open).collect::<mainspring_core::Result<Vec<_>>>()?;
        follow(&files, &config, max_changes, &mut watch)
    });
    let tracks = tracks.map_err(to_py)?.into_iter().map(|track| {
        let table = Table::new("mids")
            .with("time_ns", Column::I64(track.time_ns))?
            .with("mid", Column::F64(track.mid))?;
        Ok((PyTable::from(table), track.spacing_ns))
    });
    tracks.collect::<mainspring_core::Result<_>>().map_err(to_py)
}
