//! Importers: options and report cross as JSON, the work runs without the GIL.

use std::path::PathBuf;

use mainspring_core::{Error, ErrorKind};
use mainspring_data::import::{self, Options, Progress};
use pyo3::prelude::*;

use crate::errors::{json_fault, to_py};

fn fault(kind: ErrorKind, what: &str, error: &serde_json::Error) -> PyErr {
    to_py(Error::new(kind, format!("{what}: {}", json_fault(error))))
}

/// Imports files into an event file and returns the report as JSON.
///
/// `options` is the JSON of the importer's options. `progress(stage, bytes, bytes_total, rows)` is
/// called every few thousand messages; an exception in it, or Ctrl-C, stops the import and leaves no
/// file.
#[pyfunction]
#[pyo3(signature = (inputs, output, format, options, progress=None))]
pub fn import_file(
    py: Python<'_>,
    inputs: Vec<PathBuf>,
    output: PathBuf,
    format: &str,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let options: Options = serde_json::from_str(options)
        .map_err(|error| fault(ErrorKind::Config, "the options of the import", &error))?;
    let mut stopped: Option<PyErr> = None;
    let outcome = py.detach(|| {
        let mut tell = |now: &Progress| {
            Python::attach(|py| tell_python(py, progress.as_ref(), now)).map_err(|error| {
                stopped = Some(error);
                Error::new(ErrorKind::Interrupted, "the import was stopped")
            })
        };
        import::import(format, &inputs, &output, &options, &mut tell)
    });
    match (outcome, stopped) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(to_py(error)),
        (Ok(report), None) => serde_json::to_string(&report)
            .map_err(|error| fault(ErrorKind::Internal, "the report of the import", &error)),
    }
}

fn tell_python(py: Python<'_>, progress: Option<&Py<PyAny>>, now: &Progress) -> PyResult<()> {
    py.check_signals()?;
    if let Some(progress) = progress {
        progress.call1(py, (now.stage, now.bytes, now.bytes_total, now.rows))?;
    }
    Ok(())
}

/// The name of the format of a file, told by its content.
#[pyfunction]
pub fn detect_format(py: Python<'_>, path: PathBuf) -> PyResult<&'static str> {
    py.detach(|| import::detect(&path)).map_err(to_py)
}

/// The names of all formats that can be imported.
#[pyfunction]
pub fn import_formats() -> Vec<&'static str> {
    import::FORMATS.iter().map(|(name, _)| *name).collect()
}

/// Writes one instrument of an event file as an hftbacktest array (`.npz`); returns its rows.
#[pyfunction]
#[pyo3(signature = (path, output, symbol=None))]
pub fn export_hftbacktest(
    py: Python<'_>,
    path: PathBuf,
    output: PathBuf,
    symbol: Option<&str>,
) -> PyResult<u64> {
    py.detach(|| {
        let file = mainspring_data::EventFile::open(&path)?;
        import::hftbacktest_export::export(&file, symbol, &output)
    })
    .map_err(to_py)
}
