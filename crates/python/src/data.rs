//! Event files for Python. Definitions and reports cross as JSON, rows as tables.

use std::path::PathBuf;
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Instrument, TimeNs};
use mainspring_data::columns::{index_table, rows_table, write_table, OffGrid, Selection};
use mainspring_data::{bench, check, clock, EventFile, Provenance, Schema, Table};
use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::errors::{json_fault, to_py};
use crate::table::PyTable;

/// An event file, open for reading. Holds a map of the file; rows are read on demand.
#[pyclass(name = "EventFile", module = "mainspring._core", frozen)]
#[derive(Debug)]
pub struct PyEventFile {
    file: Arc<EventFile>,
}

impl PyEventFile {
    /// The file.
    pub fn file(&self) -> &EventFile {
        &self.file
    }
}

#[pymethods]
impl PyEventFile {
    /// Opens a file; raises NotFoundError, StorageError or DataError with what is wrong.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let file = py.detach(|| EventFile::open(path)).map_err(to_py)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// What its rows are: `market`, `order` or `bar`.
    #[getter]
    fn schema(&self) -> &'static str {
        self.file.schema().name()
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> u64 {
        self.file.rows()
    }

    /// Size in bytes.
    #[getter]
    fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// BLAKE3 of what the rows say, in hexadecimal.
    #[getter]
    fn hash(&self) -> &str {
        self.file.content_hash()
    }

    /// The instruments as JSON.
    #[getter]
    fn instruments(&self) -> PyResult<String> {
        to_json(&self.file.instruments())
    }

    /// Where the rows come from, as JSON.
    #[getter]
    fn provenance(&self) -> PyResult<String> {
        to_json(self.file.provenance())
    }

    /// First and last receive time.
    #[getter]
    fn recv_span_ns(&self) -> (TimeNs, TimeNs) {
        self.file.recv_span_ns()
    }

    /// First and last exchange time.
    #[getter]
    fn exch_span_ns(&self) -> (TimeNs, TimeNs) {
        self.file.exch_span_ns()
    }

    /// The index of chunks as a table.
    fn index(&self) -> PyResult<PyTable> {
        index_table(&self.file).map(PyTable::from).map_err(to_py)
    }

    /// Rows received in `[start_ns, end_ns)` as a table, after `skip` of them and at most `limit`.
    #[pyo3(signature = (start_ns=None, end_ns=None, instrument=None, kinds=Vec::new(), skip=0, limit=None))]
    #[allow(clippy::too_many_arguments)]
    fn read(
        &self,
        py: Python<'_>,
        start_ns: Option<TimeNs>,
        end_ns: Option<TimeNs>,
        instrument: Option<u16>,
        kinds: Vec<u8>,
        skip: usize,
        limit: Option<usize>,
    ) -> PyResult<PyTable> {
        let selection = Selection {
            start_ns: start_ns.unwrap_or(TimeNs::MIN),
            end_ns: end_ns.unwrap_or(TimeNs::MAX),
            instrument,
            kinds,
            skip,
            limit: limit.unwrap_or(usize::MAX),
        };
        let table = py.detach(|| rows_table(&self.file, &selection)).map_err(to_py)?;
        Ok(table.into())
    }

    /// Verifies every chunk against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.file.verify()).map_err(to_py)
    }
}

/// Writes a table as an event file and returns the summary as JSON.
#[pyfunction]
#[pyo3(signature = (path, schema, instruments, provenance, table, off_grid="refuse"))]
pub fn write_event_file(
    py: Python<'_>,
    path: PathBuf,
    schema: &str,
    instruments: &str,
    provenance: &str,
    table: &Bound<'_, PyTable>,
    off_grid: &str,
) -> PyResult<String> {
    let schema: Schema = from_json("the schema", &format!("{schema:?}"))?;
    let off_grid: OffGrid = from_json("what to do off the grid", &format!("{off_grid:?}"))?;
    let instruments: Vec<Instrument> = from_json("the instruments", instruments)?;
    let provenance: Provenance = from_json("the provenance", provenance)?;
    let table: &Table = table.get().inner();
    let summary = py
        .detach(|| write_table(path, schema, instruments, provenance, table, off_grid))
        .map_err(to_py)?;
    to_json(&summary)
}

/// Checks the definition of an instrument and returns it as JSON with every default filled in.
#[pyfunction]
pub fn instrument_json(definition: &str) -> PyResult<String> {
    let instrument: Instrument = from_json("the instrument", definition)?;
    instrument.validate().map_err(to_py)?;
    to_json(&instrument)
}

/// Checks an event file; returns the report as JSON and as text.
#[pyfunction]
pub fn check_event_file(py: Python<'_>, path: PathBuf) -> PyResult<(String, String)> {
    let report = py.detach(|| check::check_file(path)).map_err(to_py)?;
    Ok((to_json(&report)?, report.to_string()))
}

/// Copies an event file with its receive clock corrected; returns the offset report as JSON.
#[pyfunction]
#[pyo3(signature = (path, output, base_latency_ns=0))]
pub fn correct_clock(
    py: Python<'_>,
    path: PathBuf,
    output: PathBuf,
    base_latency_ns: i64,
) -> PyResult<String> {
    let (report, _) =
        py.detach(|| clock::correct_clock(path, output, base_latency_ns)).map_err(to_py)?;
    to_json(&report)
}

/// Times touching every row of a market file: `(bytes, first_ns, file_ns, floor_ns)`, where the
/// first pass includes opening and checksums and the floor is the same loop over plain memory.
#[pyfunction]
pub fn scan_event_file(py: Python<'_>, path: PathBuf) -> PyResult<(u64, u64, u64, u64)> {
    let scan = py.detach(|| bench::scan(path)).map_err(to_py)?;
    Ok((scan.bytes, scan.first_ns, scan.file_ns, scan.floor_ns))
}

fn to_json<T: Serialize>(value: &T) -> PyResult<String> {
    serde_json::to_string(value)
        .map_err(|error| to_py(Error::new(ErrorKind::Internal, error.to_string())))
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|error| {
        to_py(Error::new(ErrorKind::Value, format!("{what}: {}", json_fault(&error))))
    })
}
