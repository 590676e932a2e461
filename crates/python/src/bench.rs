//! Micro-benchmarks that have to be timed inside the engine.

use std::path::PathBuf;
use std::time::Duration;

use mainspring_book::bench::{book_update_on, LevelUpdate};
use mainspring_core::{Error, ErrorKind, Result, RowKind};
use mainspring_data::EventFile;
use mainspring_journal::live::bench::{appends, copies, CallTimes};
use mainspring_kernel::session::bench as recovery;
use pyo3::prelude::*;

use crate::errors::to_py;

/// Nanoseconds of one level update with a read of both best prices over the level changes of a
/// market file: `(ours, floor)`, medians of passes in turn. The floor is a flat array over the whole
/// price range with a cursor at each best.
#[pyfunction]
pub fn time_book_updates(py: Python<'_>, path: PathBuf) -> PyResult<(f64, f64)> {
    py.detach(|| level_updates(path).map(|updates| book_update_on(&updates))).map_err(to_py)
}

fn level_updates(path: PathBuf) -> Result<Vec<LevelUpdate>> {
    let file = EventFile::open(path)?;
    let mut updates = Vec::new();
    for number in 0..file.chunks().len() {
        let chunk = file.chunk(number)?;
        let depth = chunk.rows.iter().filter(|row| row.kind == RowKind::Depth as u8);
        updates.extend(depth.map(|row| LevelUpdate {
            qty: row.qty(),
            price: row.price(chunk.price_base),
            side: row.side(),
        }));
    }
    Ok(updates)
}

type Times = (u64, u64, u64, u64);

/// `(ours, floor)` of appending `count` records with a commit each, one every `pace_ns`, to a new
/// journal: p50, p99, the slowest that kept its processor, and the slowest of all, in nanoseconds.
/// The floor copies the bytes to memory.
#[pyfunction]
#[pyo3(signature = (path, options, count, pace_ns))]
pub fn time_journal_appends(
    py: Python<'_>,
    path: PathBuf,
    options: &str,
    count: usize,
    pace_ns: u64,
) -> PyResult<(Times, Times)> {
    let options = serde_json::from_str(options)
        .map_err(|e| to_py(Error::new(ErrorKind::Config, format!("options of a journal: {e}"))))?;
    let pace = Duration::from_nanos(pace_ns);
    let all = |times: CallTimes| (times.p50_ns, times.p99_ns, times.max_ns, times.raw_max_ns);
    py.detach(|| {
        let floor = copies(count, pace);
        let ours = appends(&path, options, count, pace)?;
        Ok((all(ours), all(floor)))
    })
    .map_err(to_py)
}

/// Writes the journal of a session of at least `records` records and returns how many they are.
#[pyfunction]
pub fn write_bench_journal(py: Python<'_>, path: PathBuf, records: u64) -> PyResult<u64> {
    py.detach(|| recovery::write(&path, records)).map_err(to_py)
}

/// Seconds to recover the session of a journal, and to read and check its records alone.
#[pyfunction]
pub fn time_recovery(py: Python<'_>, path: PathBuf) -> PyResult<(f64, f64)> {
    py.detach(|| recovery::time(&path)).map_err(to_py)
}
