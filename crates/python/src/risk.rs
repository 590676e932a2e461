//! Risk for Python: benchmarks of the gate.

use mainspring_trading::risk::bench;
use pyo3::prelude::*;

use crate::errors::to_py;

/// Nanoseconds of one check of the risk gate with every limit in force, of the least comparison on
/// the same orders, and of the check with counting, opening and closing the order: medians.
#[pyfunction]
pub fn time_gate_checks(py: Python<'_>) -> PyResult<(f64, f64, f64)> {
    py.detach(bench::gate_checks).map_err(to_py)
}
