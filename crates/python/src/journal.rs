//! Journals of sessions: reading and tailing them, checking, recovering, looking at a moment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Instrument, Result as EngineResult};
use mainspring_journal::live::{
    verify, Control, Cursor, Folder, Gap, Item, Options, Record, Recovery, SourceHashes, Sources,
    Start, Writer,
};
use mainspring_kernel::session::decode::{decode, Fields, Value, MERGED};
use mainspring_kernel::session::disk::{
    parse_instruments, raw, recover, silent_session, state_at, summary, upgraded, SCHEMA,
};
use mainspring_kernel::session::Kind;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::IntoPyObjectExt;

use crate::errors::to_py;

/// How long a waiting reader goes without a look at Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);

/// A reader with its own place in a journal.
#[pyclass(module = "mainspring._core", name = "JournalReader")]
pub struct PyJournalReader {
    cursor: Cursor,
    /// Kinds that are wanted; `None` for all.
    kinds: Option<Vec<u16>>,
    /// The instruments of the segment that is being read.
    instruments: Option<(SourceHashes, Vec<Instrument>)>,
}

#[pymethods]
impl PyJournalReader {
    /// `after` is the sequence behind which reading begins; None for the oldest record that is there,
    /// -1 for only what comes from now on.
    #[new]
    #[pyo3(signature = (path, after = None, types = None))]
    fn new(path: PathBuf, after: Option<i64>, types: Option<Vec<String>>) -> PyResult<Self> {
        let start = match after {
            None => Start::Oldest,
            Some(after) => u64::try_from(after).map_or(Start::Newest, Start::After),
        };
        let kinds = types.map(|names| kinds_of(&names)).transpose().map_err(to_py)?;
        let cursor =
            Folder::open(&path).and_then(|folder| Cursor::open(folder, start)).map_err(to_py)?;
        Ok(Self { cursor, kinds, instruments: None })
    }

    /// The sequence that comes next; 0 while it is not known.
    #[getter]
    fn next_sequence(&self) -> u64 {
        self.cursor.next_sequence()
    }

    /// At most `limit` records as `(name, sequence, time_ns, cause, fields)` and gaps as
    /// `(None, expected, next)`, waiting up to `timeout_s` for the first.
    #[pyo3(signature = (limit = 1024, timeout_s = 0.0))]
    fn read<'py>(
        &mut self,
        py: Python<'py>,
        limit: usize,
        timeout_s: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = PyList::empty(py);
        if timeout_s > 0.0 && !self.wait(py, timeout_s)? {
            return Ok(found);
        }
        while found.len() < limit {
            match self.next(py) {
                Ok(Some(item)) => found.append(item)?,
                Ok(None) => break,
                // What was read before a damaged place still counts; the next call tells.
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl PyJournalReader {
    fn wait(&mut self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
        let until = Instant::now().checked_add(patience);
        loop {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            let cursor = &mut self.cursor;
            if py.detach(|| cursor.wait(left.min(LOOK))).map_err(to_py)? {
                return Ok(true);
            }
            if left <= LOOK {
                return Ok(false);
            }
            py.check_signals()?;
        }
    }

    /// The next record that is wanted, or a gap.
    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        loop {
            self.follow_sources().map_err(to_py)?;
            let record = match self.cursor.read().map_err(to_py)? {
                Item::Record(record) => record,
                Item::Gap(gap) => return gap_tuple(py, gap).map(Some),
                Item::Idle => return Ok(None),
            };
            if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&record.kind)) {
                continue;
            }
            let known = self.instruments.as_ref().map_or(&[][..], |(_, list)| list);
            return record_tuple(py, &record, known).map(Some);
        }
    }

    /// Loads the instruments of the segment that the next record comes from.
    fn follow_sources(&mut self) -> EngineResult<()> {
        let Some(hashes) = self.cursor.head().map(|head| head.sources) else { return Ok(()) };
        if self.instruments.as_ref().is_none_or(|(known, _)| *known != hashes) {
            let sources = Sources::load(self.cursor.folder(), &hashes)?;
            self.instruments = Some((hashes, parse_instruments(&sources)?));
        }
        Ok(())
    }
}

fn kinds_of(names: &[String]) -> EngineResult<Vec<u16>> {
    let find = |name: &String| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(|kind| kind as u16).ok_or_else(|| {
            let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            Error::new(
                ErrorKind::NotFound,
                format!("there are no records of type '{name}'; there are {}", known.join(", ")),
            )
        })
    };
    names.iter().map(find).collect()
}

fn gap_tuple(py: Python<'_>, gap: Gap) -> PyResult<Bound<'_, PyTuple>> {
    (py.None(), gap.expected, gap.next).into_pyobject(py)
}

fn record_tuple<'py>(
    py: Python<'py>,
    record: &Record<'_>,
    instruments: &[Instrument],
) -> PyResult<Bound<'py, PyTuple>> {
    let (kind, payload) = upgraded(record).map_err(to_py)?;
    let mut raw = raw(record);
    (raw.kind, raw.payload) = (kind, &payload);
    let name = Kind::from_code(kind).map_or("unknown", Kind::name);
    let fields = decode(&raw, instruments).map_err(to_py)?;
    let fields = fields_to_py(py, &fields)?;
    (name, record.sequence, record.time_ns, record.cause, fields).into_pyobject(py)
}

fn fields_to_py<'py>(py: Python<'py>, fields: &Fields) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in fields {
        match value {
            Value::Json(serde_json::Value::Object(members)) if *name == MERGED => {
                for (name, value) in members {
                    dict.set_item(name, json_to_py(py, value)?)?;
                }
            }
            value => {
                let name = if *name == MERGED { "content" } else { name };
                dict.set_item(name, value_to_py(py, value)?)?;
            }
        }
    }
    Ok(dict)
}

fn value_to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::None => Ok(py.None().into_bound(py)),
        Value::Flag(flag) => flag.into_bound_py_any(py),
        Value::Int(number) => number.into_bound_py_any(py),
        Value::Id(id) => id.into_bound_py_any(py),
        Value::Text(text) => text.into_bound_py_any(py),
        Value::List(list) => {
            let list =
                list.iter().map(|one| fields_to_py(py, one)).collect::<PyResult<Vec<_>>>()?;
            list.into_bound_py_any(py)
        }
        Value::Json(value) => json_to_py(py, value),
    }
}

fn json_to_py<'py>(py: Python<'py>, value: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    use serde_json::Value as Json;
    match value {
        Json::Null => Ok(py.None().into_bound(py)),
        Json::Bool(flag) => flag.into_bound_py_any(py),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_bound_py_any(py),
            (None, Some(number)) => number.into_bound_py_any(py),
            (None, None) => number.as_f64().into_bound_py_any(py),
        },
        Json::String(text) => text.into_bound_py_any(py),
        Json::Array(list) => {
            let list = list.iter().map(|one| json_to_py(py, one)).collect::<PyResult<Vec<_>>>()?;
            list.into_bound_py_any(py)
        }
        Json::Object(members) => {
            let dict = PyDict::new(py);
            for (name, value) in members {
                dict.set_item(name, json_to_py(py, value)?)?;
            }
            dict.into_bound_py_any(py)
        }
    }
}

/// The kinds of records, in the order of their codes: `(code, name, is_input)`.
#[pyfunction]
pub fn journal_kinds() -> Vec<(u16, &'static str, bool)> {
    Kind::ALL.iter().map(|kind| (*kind as u16, kind.name(), kind.is_input())).collect()
}

/// Configuration, instruments, code and models of the newest segment, or of the oldest that is kept, as
/// they were written.
#[pyfunction]
#[pyo3(signature = (path, oldest = false))]
pub fn journal_sources(path: PathBuf, oldest: bool) -> PyResult<(String, String, String, String)> {
    let load = || {
        let folder = Folder::open(&path)?;
        let start = if oldest { Start::Oldest } else { Start::Newest };
        let cursor = Cursor::open(folder.clone(), start)?;
        match cursor.head() {
            Some(head) => Sources::load(&folder, &head.sources),
            None => Ok(Sources::default()),
        }
    };
    let sources = load().map_err(to_py)?;
    Ok((sources.config, sources.instruments, sources.code, sources.models))
}

/// Checks every byte of a journal and returns what was found as JSON.
#[pyfunction]
pub fn journal_verify(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    let found = py.detach(|| verify(&Folder::open(&path)?)).map_err(to_py)?;
    json_text(&found)
}

/// Recovers a journal: cuts what cannot be read away and seals it. Returns report and state as JSON.
#[pyfunction]
pub fn journal_recover(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    let done = py.detach(|| {
        Folder::open(&path)?;
        let mut make = silent_session;
        let recovered = recover(&path, &mut make)?;
        Ok(serde_json::json!({
            "report": recovered.report(),
            "state": summary(&recovered.session),
        }))
    });
    done.map_err(to_py).map(|found: serde_json::Value| found.to_string())
}

/// The state as of logical time `until_ns`, None for the end, with what was found on the way, as
/// JSON. Changes nothing.
#[pyfunction]
#[pyo3(signature = (path, until_ns = None))]
pub fn journal_state(py: Python<'_>, path: PathBuf, until_ns: Option<i64>) -> PyResult<String> {
    let done = py.detach(|| state(&path, until_ns.unwrap_or(i64::MAX)));
    done.map_err(to_py).map(|found| found.to_string())
}

fn state(path: &Path, until_ns: i64) -> EngineResult<serde_json::Value> {
    let mut make = silent_session;
    let (session, report) = state_at(path, until_ns, &mut make)?;
    Ok(serde_json::json!({ "report": report, "state": summary(&session) }))
}

fn json_text<T: serde::Serialize>(value: &T) -> PyResult<String> {
    serde_json::to_string(value)
        .map_err(|e| to_py(Error::new(ErrorKind::Internal, format!("as JSON: {e}"))))
}

/// Writes a journal: a session does so by itself, this is for records that come from elsewhere.
#[pyclass(module = "mainspring._core", name = "JournalWriter", unsendable)]
pub struct PyJournalWriter {
    writer: Option<Writer>,
    control: Control,
}

#[pymethods]
impl PyJournalWriter {
    /// Recovers what is in the folder and goes on behind it. `options` is JSON; `sources` are the
    /// texts of configuration, instruments, code and models.
    #[new]
    #[pyo3(signature = (path, options = "{}", sources = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        options: &str,
        sources: Option<(String, String, String, String)>,
    ) -> PyResult<Self> {
        let options: Options = serde_json::from_str(options).map_err(|e| {
            to_py(Error::new(ErrorKind::Config, format!("options of a journal: {e}")))
        })?;
        let (config, instruments, code, models) = sources.unwrap_or_default();
        let sources = Sources { config, instruments, code, models };
        let open = || {
            let folder = Folder::create(&path)?;
            let lock = folder.lock()?;
            let recovered = Recovery::begin(folder, None)?.finish(lock)?;
            Writer::open(recovered, options, SCHEMA, &sources)
        };
        let (writer, control) = py.detach(open).map_err(to_py)?;
        Ok(Self { writer: Some(writer), control })
    }

    /// The sequence that the next record will get.
    #[getter]
    fn next_sequence(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::next_sequence)
    }

    /// Appends a record and returns its sequence; `cause` 0 stands for its own.
    fn append(&mut self, kind: u16, time_ns: i64, cause: u64, payload: &[u8]) -> PyResult<u64> {
        self.open()?.append(kind, time_ns, cause, &[payload]).map_err(to_py)
    }

    /// Lets readers see what was appended.
    fn commit(&mut self) -> PyResult<()> {
        self.open()?.commit().map_err(to_py)
    }

    /// Keeps a state as of the last commit; False when the one before is still being written.
    fn snapshot(&self, time_ns: i64, state: Vec<u8>) -> bool {
        self.control.snapshot(time_ns, Box::new(move || Ok(state)))
    }

    /// Waits until the snapshot is on the disk; False when `timeout_s` ended first.
    fn wait_for_snapshot(&self, py: Python<'_>, timeout_s: f64) -> bool {
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
        let control = self.control.clone();
        py.detach(move || control.wait_for_snapshot(patience))
    }

    /// Commits and seals the journal.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.writer.take() {
            Some(writer) => py.detach(|| writer.close()).map_err(to_py),
            None => Ok(()),
        }
    }
}

impl PyJournalWriter {
    fn open(&mut self) -> PyResult<&mut Writer> {
        self.writer.as_mut().ok_or_else(|| {
            to_py(Error::new(ErrorKind::Value, "the journal is closed: open another writer"))
        })
    }
}
