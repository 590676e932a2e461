//! Typed exceptions: the classes live in `mainspring.errors`, so that Python owns their names.

use mainspring_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyType;

/// The Python exception for an engine error.
pub fn to_py(error: Error) -> PyErr {
    Python::attach(|py| match class(py, class_name(error.kind())) {
        Ok(class) => PyErr::from_type(class, error.message().to_owned()),
        Err(import_error) => import_error,
    })
}

/// The Python exception for a failure of a strategy.
pub fn strategy_error(py: Python<'_>, message: String) -> PyErr {
    match class(py, "StrategyError") {
        Ok(class) => PyErr::from_type(class, message),
        Err(import_error) => import_error,
    }
}

/// What is wrong with JSON of our own making, without the place in a text that nobody sees.
pub fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.clone(), |at| text[..at].to_owned())
}

/// The exception for a view that is used outside its callback.
pub fn stale_view(py: Python<'_>) -> PyErr {
    match class(py, "StaleView") {
        Ok(class) => PyErr::from_type(
            class,
            "the market view is only valid inside the callback it was given to; copy the values you need later",
        ),
        Err(import_error) => import_error,
    }
}

fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    Ok(py.import("mainspring.errors")?.getattr(name)?.cast_into::<PyType>()?)
}

const fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Value => "InvalidValue",
        ErrorKind::Data => "DataError",
        ErrorKind::Io => "StorageError",
        ErrorKind::Config => "ConfigError",
        ErrorKind::Strategy => "StrategyError",
        ErrorKind::Risk => "RiskError",
        ErrorKind::Mismatch => "MismatchError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Capacity => "CapacityError",
        ErrorKind::Interrupted => "Interrupted",
        ErrorKind::Internal => "InternalError",
    }
}

/// Turns an engine result into a Python one.
pub trait IntoPyResult<T> {
    /// The value, or the typed exception.
    fn into_py(self) -> PyResult<T>;
}

impl<T> IntoPyResult<T> for mainspring_core::Result<T> {
    fn into_py(self) -> PyResult<T> {
        self.map_err(to_py)
    }
}
