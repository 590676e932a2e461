//! Micro-benchmarks that have to be timed inside the engine.

use std::path::PathBuf;

use mainspring_book::bench::{book_update_on, LevelUpdate};
use mainspring_core::{Result, RowKind};
use mainspring_data::EventFile;
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
