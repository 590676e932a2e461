//! The deterministic simulation of a session.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mainspring_core::Result;
use mainspring_journal::live::{Folder, Options, Recovery, SyncPolicy, Writer};
use mainspring_kernel::session::disk::{sources, SCHEMA};
use mainspring_simulation::{
    session_parts, simulate as run, simulate_journal as journal, Plan, Written,
};
use pyo3::prelude::*;
use serde_json::json;

use crate::errors::to_py;

/// Runs one seed of the simulation and returns what happened as JSON.
#[pyfunction]
#[pyo3(signature = (seed, steps, /))]
pub fn simulate(py: Python<'_>, seed: u64, steps: u32) -> PyResult<String> {
    let outcome = py.detach(|| run(Plan { seed, steps })).map_err(to_py)?;
    serde_json::to_string(&outcome)
        .map_err(|e| pyo3::exceptions::PyRuntimeError::new_err(e.to_string()))
}

/// Writes the journal of one seed into the folder `path`, which must hold none, and returns the
/// number of its records. With `pause_us` it is written as a session would, an input at a time.
#[pyfunction]
#[pyo3(signature = (path, seed, steps, pause_us = 0, /))]
pub fn simulate_journal(
    py: Python<'_>,
    path: PathBuf,
    seed: u64,
    steps: u32,
    pause_us: u64,
) -> PyResult<u64> {
    py.detach(|| {
        let (_, written) = journal(Plan { seed, steps })?;
        write(&path, seed, &written, Duration::from_micros(pause_us))
    })
    .map_err(to_py)
}

fn write(path: &Path, seed: u64, written: &[Written], pause: Duration) -> Result<u64> {
    let (config, instruments, strategies) = session_parts(seed)?;
    let names: Vec<&str> = strategies.iter().map(String::as_str).collect();
    let sources = sources(&config, &instruments, &names, &json!({}), &json!({}))?;
    let folder = Folder::create(path)?;
    let lock = folder.lock()?;
    let recovered = Recovery::begin(folder, None)?.finish(lock)?;
    let options = Options {
        segment_bytes: 1 << 20,
        reserve_bytes: 1 << 16,
        sync: SyncPolicy::Process,
        ..Options::default()
    };
    let (mut writer, _control) = Writer::open(recovered, options, SCHEMA, &sources)?;
    for (record, sequence) in written.iter().zip(1_u64..) {
        if record.cause == sequence && sequence > 1 {
            writer.commit()?;
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        writer.append(record.kind, record.time_ns, record.cause, &[&record.payload])?;
    }
    writer.close()?;
    Ok(written.len() as u64)
}
