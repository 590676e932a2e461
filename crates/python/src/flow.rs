//! The order-flow generator, written straight into event files.

use std::path::{Path, PathBuf};

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_data::{ClockState, EventWriter, Provenance, Schema};
use mainspring_sim::flow::{presets, Flow, FlowConfig, FlowRow, Level, VERSION};
use pyo3::prelude::*;

use crate::errors::to_py;

/// How many rows are written between two looks at Ctrl-C.
const ROWS_PER_LOOK: usize = 1 << 16;

/// Generates the named sample markets into an event file and returns its number of rows.
///
/// `l3` writes every order instead of level changes and trades. The file appears only when it is
/// whole; an exception or Ctrl-C leaves nothing behind.
#[pyfunction]
pub fn generate_flow(
    py: Python<'_>,
    path: PathBuf,
    names: Vec<String>,
    hours: f64,
    seed: u64,
    l3: bool,
) -> PyResult<u64> {
    let level = if l3 { Level::Orders } else { Level::Depth };
    let mut stopped: Option<PyErr> = None;
    let outcome = py.detach(|| {
        let mut go_on = || {
            Python::attach(|py| py.check_signals()).map_err(|error| {
                stopped = Some(error);
                Error::new(ErrorKind::Interrupted, "generating the sample was stopped")
            })
        };
        generate(&path, &names, hours, seed, level, &mut go_on)
    });
    match (outcome, stopped) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(to_py(error)),
        (Ok(rows), None) => Ok(rows),
    }
}

fn generate(
    path: &Path,
    names: &[String],
    hours: f64,
    seed: u64,
    level: Level,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<u64> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let config = FlowConfig::of_presets(&names, hours, seed, level)?;
    let schema = match level {
        Level::Depth => Schema::Market,
        Level::Orders => Schema::Order,
    };
    let provenance = Provenance::new("generator", ClockState::Trusted)
        .with_fact("markets", names.join(" "))
        .with_fact("hours", hours.to_string())
        .with_fact("seed", seed.to_string())
        .with_fact("generator_version", VERSION.to_string());
    let mut writer = EventWriter::create(path, schema, config.instruments(), provenance)?;
    for (number, row) in Flow::new(&config)?.enumerate() {
        if number % ROWS_PER_LOOK == 0 {
            go_on()?;
        }
        write(&mut writer, level, &row)?;
    }
    Ok(writer.finish()?.rows)
}

fn write(writer: &mut EventWriter, level: Level, row: &FlowRow) -> Result<()> {
    let FlowRow { recv_ns, exch_ns, kind, flags, instrument, price, qty, order_id } = *row;
    match level {
        Level::Depth => writer.push_market(recv_ns, exch_ns, kind, flags, instrument, price, qty),
        Level::Orders => {
            writer.push_order(recv_ns, exch_ns, kind, flags, instrument, price, qty, order_id)
        }
    }
}

/// The names of the sample markets.
#[pyfunction]
pub fn flow_markets() -> Vec<&'static str> {
    presets::NAMES.to_vec()
}

/// Changes whenever the same parameters would give other rows.
#[pyfunction]
pub fn flow_version() -> u32 {
    VERSION
}
