//! The deterministic simulation of a session.

use mainspring_simulation::{simulate as run, Plan};
use pyo3::prelude::*;

use crate::errors::to_py;

/// Runs one seed of the simulation and returns what happened as JSON.
#[pyfunction]
#[pyo3(signature = (seed, steps, /))]
pub fn simulate(py: Python<'_>, seed: u64, steps: u32) -> PyResult<String> {
    let outcome = py.detach(|| run(Plan { seed, steps })).map_err(to_py)?;
    serde_json::to_string(&outcome)
        .map_err(|e| pyo3::exceptions::PyRuntimeError::new_err(e.to_string()))
}
