//! `mainspring.Table`: columns of the engine for Python.

use std::ptr;
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind};
use mainspring_data::{Column, Strings, Table};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::arrow::{self, ArrowArrayStream, SCHEMA_CAPSULE, STREAM_CAPSULE};
use crate::errors::to_py;

/// Rows shown by `repr`.
const SHOWN_ROWS: usize = 8;

/// Named columns of equal length, immutable.
///
/// polars, pandas, pyarrow and duckdb read it in place through the Arrow PyCapsule interface;
/// `to_numpy` copies into arrays that own their memory.
#[pyclass(name = "Table", module = "mainspring", frozen)]
#[derive(Debug)]
pub struct PyTable {
    table: Arc<Table>,
}

impl From<Table> for PyTable {
    fn from(table: Table) -> Self {
        Self { table: Arc::new(table) }
    }
}

impl PyTable {
    /// The table itself.
    #[must_use]
    pub fn inner(&self) -> &Table {
        &self.table
    }
}

#[pymethods]
impl PyTable {
    /// A table from anything that speaks the Arrow PyCapsule interface (a polars, pandas or
    /// pyarrow table, a duckdb result), or from a mapping of names to numpy arrays or lists.
    #[new]
    #[pyo3(signature = (data, name = "table"))]
    fn new(data: &Bound<'_, PyAny>, name: &str) -> PyResult<Self> {
        if let Ok(table) = data.cast::<PyTable>() {
            return Ok(Self { table: Arc::clone(&table.get().table) });
        }
        if data.hasattr("__arrow_c_stream__")? {
            return from_arrow(data, name);
        }
        if data.hasattr("keys")? && data.hasattr("__getitem__")? {
            return from_mapping(data, name);
        }
        Err(PyTypeError::new_err(format!(
            "a table is made from an Arrow-speaking object or a mapping of arrays, not from {}",
            data.get_type().name()?
        )))
    }

    /// What the table is called.
    #[getter]
    fn name(&self) -> &str {
        self.table.name()
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<&str> {
        self.table.columns().iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The type of each column by name.
    #[getter]
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let types = PyDict::new(py);
        for (name, column) in self.table.columns() {
            types.set_item(name, column.type_name())?;
        }
        Ok(types)
    }

    /// Rows and columns.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.table.rows(), self.table.columns().len())
    }

    fn __len__(&self) -> usize {
        self.table.rows()
    }

    fn __contains__(&self, name: &str) -> bool {
        self.table.column(name).is_some()
    }

    /// A column as a numpy array of its own.
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let column = self.table.column(name).ok_or_else(|| {
            PyKeyError::new_err(format!(
                "table {} has no column '{name}', only {}",
                self.table.name(),
                self.columns().join(", ")
            ))
        })?;
        to_numpy(py, column)
    }

    /// All columns as numpy arrays that own their memory.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let arrays = PyDict::new(py);
        for (name, column) in self.table.columns() {
            arrays.set_item(name, to_numpy(py, column)?)?;
        }
        Ok(arrays)
    }

    /// The first rows.
    #[pyo3(signature = (rows = 5))]
    fn head(&self, rows: usize) -> Self {
        self.table.slice(0, rows).into()
    }

    /// `rows` rows from `start` on.
    fn slice(&self, start: usize, rows: usize) -> Self {
        self.table.slice(start, rows).into()
    }

    /// A polars DataFrame that shares the memory.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        optional(slf.py(), "polars")?.call_method1("DataFrame", (slf,))
    }

    /// A pyarrow Table that shares the memory.
    fn to_pyarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        optional(slf.py(), "pyarrow")?.call_method1("table", (slf,))
    }

    /// A pandas DataFrame.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let pandas = optional(py, "pandas")?;
        let frame = pandas.call_method1("DataFrame", (self.to_numpy(py)?,))?;
        for (name, column) in self.table.columns() {
            if matches!(column, Column::Timestamp(_)) {
                let zoned =
                    frame.get_item(name)?.getattr("dt")?.call_method1("tz_localize", ("UTC",))?;
                frame.set_item(name, zoned)?;
            }
        }
        Ok(frame)
    }

    /// The table as an Arrow stream of one batch, without a copy.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A producer may ignore the schema asked for; the consumer casts then.
        let _ = requested_schema;
        let stream = arrow::export::stream(Arc::clone(&self.table));
        PyCapsule::new_with_value(py, stream, STREAM_CAPSULE)
    }

    /// The columns as an Arrow schema.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        PyCapsule::new_with_value(py, arrow::export::schema(&self.table), SCHEMA_CAPSULE)
    }

    fn __repr__(&self) -> String {
        show(&self.table)
    }

    fn _repr_html_(&self) -> String {
        show_html(&self.table)
    }
}

fn optional<'py>(py: Python<'py>, package: &str) -> PyResult<Bound<'py, PyModule>> {
    py.import(package).map_err(|failed| {
        if failed.is_instance_of::<pyo3::exceptions::PyModuleNotFoundError>(py) {
            to_py(Error::new(
                ErrorKind::Config,
                format!(
                    "{package} is not installed; `pip install {}` brings it",
                    if package == "pandas" { "pandas" } else { "'mainspring[data]'" }
                ),
            ))
        } else {
            failed
        }
    })
}

/// A column as a numpy array that owns its memory.
fn to_numpy<'py>(py: Python<'py>, column: &Column) -> PyResult<Bound<'py, PyAny>> {
    match column {
        Column::I64(v) => filled(py, "int64", v),
        Column::I32(v) => filled(py, "int32", v),
        Column::I8(v) => filled(py, "int8", v),
        Column::U64(v) => filled(py, "uint64", v),
        Column::U32(v) => filled(py, "uint32", v),
        Column::U16(v) => filled(py, "uint16", v),
        Column::U8(v) => filled(py, "uint8", v),
        Column::F64(v) => filled(py, "float64", v),
        Column::Bool(v) => {
            let bytes: Vec<u8> = v.iter().map(|b| u8::from(*b)).collect();
            filled(py, "uint8", &bytes)?.call_method1("view", ("bool",))
        }
        Column::Timestamp(v) => filled(py, "int64", v)?.call_method1("view", ("datetime64[ns]",)),
        Column::Utf8(v) => {
            let texts: Vec<&str> = v.iter().collect();
            py.import("numpy")?.call_method1("array", (texts, "str"))
        }
    }
}

fn filled<'py, T: Element>(
    py: Python<'py>,
    dtype: &str,
    values: &[T],
) -> PyResult<Bound<'py, PyAny>> {
    let array = py.import("numpy")?.call_method1("empty", (values.len(), dtype))?;
    if !values.is_empty() {
        PyBuffer::<T>::get(&array)?.copy_from_slice(py, values)?;
    }
    Ok(array)
}

fn from_arrow(data: &Bound<'_, PyAny>, name: &str) -> PyResult<PyTable> {
    let capsule = data.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(STREAM_CAPSULE))?.cast::<ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a stream (the name was checked just now). Leaving an
    // empty one in its place makes us its only owner, as the interface asks of consumers.
    let stream = unsafe { ptr::replace(pointer.as_ptr(), ArrowArrayStream::empty()) };
    arrow::import::table(name, stream).map(PyTable::from).map_err(to_py)
}

fn from_mapping(data: &Bound<'_, PyAny>, name: &str) -> PyResult<PyTable> {
    let mut table = Table::new(name);
    for key in data.call_method0("keys")?.try_iter()? {
        let key = key?;
        let name: String = key.extract()?;
        let column = from_array(&data.get_item(&key)?, &name)?;
        table.push(name, column).map_err(to_py)?;
    }
    Ok(table.into())
}

fn from_array(data: &Bound<'_, PyAny>, name: &str) -> PyResult<Column> {
    let py = data.py();
    let wrong = |why: String| to_py(Error::new(ErrorKind::Data, format!("column '{name}' {why}")));
    let array = py.import("numpy")?.call_method1("ascontiguousarray", (data,))?;
    if array.getattr("ndim")?.extract::<usize>()? != 1 {
        return Err(wrong("is not one-dimensional".into()));
    }
    let dtype = array.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    let bytes: usize = dtype.getattr("itemsize")?.extract()?;
    match (kind.as_str(), bytes) {
        ("i", 8) => Ok(Column::I64(values(&array, "int64")?)),
        ("i", 2 | 4) => Ok(Column::I32(values(&array, "int32")?)),
        ("i", 1) => Ok(Column::I8(values(&array, "int8")?)),
        ("u", 8) => Ok(Column::U64(values(&array, "uint64")?)),
        ("u", 4) => Ok(Column::U32(values(&array, "uint32")?)),
        ("u", 2) => Ok(Column::U16(values(&array, "uint16")?)),
        ("u", 1) => Ok(Column::U8(values(&array, "uint8")?)),
        ("f", 2 | 4 | 8) => Ok(Column::F64(values(&array, "float64")?)),
        ("b", 1) => {
            Ok(Column::Bool(values::<u8>(&array, "uint8")?.iter().map(|b| *b != 0).collect()))
        }
        ("M", 8) => {
            let times = array.call_method1("astype", ("datetime64[ns]",))?;
            let times: Vec<i64> = values(&times.call_method1("view", ("int64",))?, "int64")?;
            if times.contains(&i64::MIN) {
                return Err(wrong("has a missing time (NaT)".into()));
            }
            Ok(Column::Timestamp(times))
        }
        ("U" | "O" | "T", _) => {
            let texts: Vec<String> = array.call_method0("tolist")?.extract().map_err(|_| {
                wrong("holds objects that are not text; use one type for a column".into())
            })?;
            Ok(Column::Utf8(texts.into_iter().collect::<Strings>()))
        }
        _ => Err(wrong(format!("has numpy type {dtype}, which has no counterpart here"))),
    }
}

/// The values of an array as `dtype`, in the machine's byte order.
fn values<T: Element>(array: &Bound<'_, PyAny>, dtype: &str) -> PyResult<Vec<T>> {
    let array = array.call_method1("astype", (dtype,))?;
    if array.len()? == 0 {
        return Ok(Vec::new());
    }
    PyBuffer::<T>::get(&array)?.to_vec(array.py())
}

/// Numbers of a one-dimensional array or sequence.
pub fn floats(data: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    let array = data.py().import("numpy")?.call_method1("ascontiguousarray", (data, "float64"))?;
    if array.getattr("ndim")?.extract::<usize>()? != 1 {
        let what = "the values are not one-dimensional; pass one array of numbers";
        return Err(to_py(Error::new(ErrorKind::Value, what)));
    }
    values(&array, "float64")
}

/// First rows of a table as aligned text.
fn show(table: &Table) -> String {
    let rows = table.rows().min(SHOWN_ROWS);
    let mut text =
        format!("{}: {} rows, {} columns", table.name(), table.rows(), table.columns().len());
    let cells = shown_cells(table, rows);
    let widths: Vec<usize> = cells
        .iter()
        .map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for line in 0..rows + 2 {
        text.push('\n');
        let parts: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cells, w)| format!("{:>w$}", cells[line], w = *w))
            .collect();
        text.push_str(&parts.join("  "));
    }
    if rows < table.rows() {
        text.push_str(&format!("\n... {} more", table.rows() - rows));
    }
    text
}

/// Name, type and first values of each column.
fn shown_cells(table: &Table, rows: usize) -> Vec<Vec<String>> {
    let cells = |(name, column): &(String, Column)| {
        let head = [name.clone(), column.type_name().to_owned()];
        head.into_iter().chain((0..rows).map(|row| column.show(row).into_owned())).collect()
    };
    table.columns().iter().map(cells).collect()
}

fn show_html(table: &Table) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let rows = table.rows().min(SHOWN_ROWS);
    let cells = shown_cells(table, rows);
    let line = |tag: &str, n: usize| {
        let parts: String =
            cells.iter().map(|column| format!("<{tag}>{}</{tag}>", escape(&column[n]))).collect();
        format!("<tr>{parts}</tr>")
    };
    let body: String = (2..rows + 2).map(|n| line("td", n)).collect();
    format!(
        "<table><caption>{}: {} rows</caption><thead>{}</thead><tbody>{body}</tbody></table>",
        escape(table.name()),
        table.rows(),
        line("th", 0)
    )
}
