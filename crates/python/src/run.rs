//! Runs: from Python's arguments to the kernel and back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use mainspring_core::{Error, ErrorKind, Instrument};
use mainspring_data::EventFile;
use mainspring_journal::log::FinishedLog;
use mainspring_journal::Sink;
use mainspring_kernel::host::{BookTrigger, Host};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::{run, run_tables, Outcome, Progress, RunConfig};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::compiled::{CompiledHost, PyCompiledStrategy};
use crate::errors::{json_fault, to_py};
use crate::host::{Causes, PythonHost};
use crate::table::PyTable;

/// Results that are kept in memory before they spill to a temporary file.
const LOG_MEMORY_BYTES: usize = 64 << 20;

/// Runs strategies over event files.
///
/// `strategies` holds `(strategy, trigger)` pairs, where `strategy` is a Python object with callbacks
/// or the JSON of a native one, and `trigger` says when `on_book` is called: `message`, `best`,
/// `trade`, `never` or `every:NANOSECONDS`. `progress(rows, now_ns)` is called now and then.
#[pyfunction]
#[pyo3(signature = (paths, config, strategies, base, log_path = None, progress = None))]
pub fn run_backtest(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    config: &str,
    strategies: Vec<(Bound<'_, PyAny>, String)>,
    base: &Bound<'_, PyAny>,
    log_path: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<PyRunLog> {
    let config: RunConfig = serde_json::from_str(config).map_err(|e| {
        to_py(Error::new(ErrorKind::Config, format!("run configuration: {}", json_fault(&e))))
    })?;
    let causes: Causes = Arc::new(Mutex::new(Vec::new()));
    let sink = match log_path {
        Some(path) => Sink::File(path),
        None => Sink::Memory { limit_bytes: LOG_MEMORY_BYTES },
    };
    let watch_causes = Arc::clone(&causes);
    let mut watch = move |progress_now: Progress| -> mainspring_core::Result<()> {
        Python::attach(|py| {
            py.check_signals()?;
            match &progress {
                Some(call) => call.call1(py, (progress_now.rows, progress_now.now_ns)).map(|_| ()),
                None => Ok(()),
            }
        })
        .map_err(|e: PyErr| {
            let message = e.to_string();
            if let Ok(mut causes) = watch_causes.lock() {
                causes.push(e);
            }
            Error::new(ErrorKind::Interrupted, message)
        })
    };
    let plans = strategies
        .iter()
        .map(|(strategy, trigger)| Plan::read(strategy, base, trigger, &causes))
        .collect::<PyResult<Vec<_>>>()?;
    let free = !plans.iter().any(|plan| matches!(plan, Plan::Python(_)));
    let go = move || {
        let hosts =
            plans.into_iter().map(Plan::build).collect::<mainspring_core::Result<Vec<_>>>()?;
        run(&open_files(&paths)?, &config, hosts, sink, &mut watch)
    };
    // The interpreter is free while a run without Python strategies goes on.
    let outcome = if free { py.detach(go) } else { go() };
    let outcome = outcome.map_err(to_py)?;
    PyRunLog::new(py, outcome, &causes)
}

fn open_files(paths: &[PathBuf]) -> mainspring_core::Result<Vec<EventFile>> {
    paths.iter().map(EventFile::open).collect()
}

/// A strategy to be run, in a form that can change its thread.
enum Plan {
    Native(NativeConfig, BookTrigger),
    Compiled(Box<CompiledHost>),
    Python(Box<PythonHost>),
}

impl Plan {
    /// The JSON text of a native strategy, a compiled one, or a Python object.
    fn read(
        strategy: &Bound<'_, PyAny>,
        base: &Bound<'_, PyAny>,
        trigger: &str,
        causes: &Causes,
    ) -> PyResult<Self> {
        let trigger = read_trigger(trigger).map_err(to_py)?;
        if let Ok(json) = strategy.extract::<String>() {
            let config = serde_json::from_str(&json).map_err(|e| {
                to_py(Error::new(ErrorKind::Config, format!("native strategy: {}", json_fault(&e))))
            })?;
            return Ok(Self::Native(config, trigger));
        }
        let causes = Arc::clone(causes);
        if let Ok(compiled) = strategy.cast::<PyCompiledStrategy>() {
            let host = CompiledHost::new(strategy.py(), compiled.get(), base, trigger, causes)?;
            return Ok(Self::Compiled(Box::new(host)));
        }
        Ok(Self::Python(Box::new(PythonHost::new(strategy, base, trigger, causes)?)))
    }

    fn build(self) -> mainspring_core::Result<Box<dyn Host>> {
        Ok(match self {
            Self::Native(config, trigger) => config.build(trigger)?,
            Self::Compiled(host) => host,
            Self::Python(host) => host,
        })
    }
}

pub(crate) fn read_trigger(text: &str) -> mainspring_core::Result<BookTrigger> {
    Ok(match text {
        "message" => BookTrigger::Message,
        "best" => BookTrigger::Best,
        "trade" => BookTrigger::Trade,
        "never" => BookTrigger::Never,
        other => {
            let interval = other.strip_prefix("every:").and_then(|ns| ns.parse::<i64>().ok());
            match interval.filter(|ns| *ns > 0) {
                Some(ns) => BookTrigger::Every(ns),
                None => {
                    return Err(Error::new(
                        ErrorKind::Config,
                        format!("'{other}' is no trigger of on_book; use message, best, trade, never or every:NANOSECONDS"),
                    ))
                }
            }
        }
    })
}

/// The outputs of a run.
#[pyclass(frozen, module = "mainspring._core", name = "RunLog")]
pub struct PyRunLog {
    log: Mutex<FinishedLog>,
    instruments: Vec<Instrument>,
    /// Hash over every output record in order, hexadecimal.
    #[pyo3(get)]
    hash: String,
    /// Number of output records.
    #[pyo3(get)]
    records: u64,
    /// Facts of the run as JSON.
    #[pyo3(get)]
    facts: String,
    /// For each strategy why it was stopped, or None.
    #[pyo3(get)]
    failures: Vec<Option<String>>,
    /// Exceptions of strategies and of the watch, in order.
    causes: Mutex<Vec<PyErr>>,
    /// Why the run ended before the end of the data, or None.
    #[pyo3(get)]
    ended: Option<String>,
}

impl PyRunLog {
    fn new(_py: Python<'_>, outcome: Outcome, causes: &Causes) -> PyResult<Self> {
        let mut facts = serde_json::json!({
            "counts": outcome.counts,
            "strategies": outcome.strategies,
            "instruments": outcome.instruments,
            "halted": outcome.halted,
            "span_ns": [outcome.span_ns.0, outcome.span_ns.1],
            "sample_ns": outcome.sample_ns,
            "report_currency": outcome.report_currency,
            "order_anomalies": {
                "illegal": outcome.orders.illegal,
                "bad_fills": outcome.orders.bad_fills,
                "unknown": outcome.orders.unknown,
                "late_fills": outcome.orders.late_fills,
                "duplicates": outcome.orders.duplicates,
            },
        });
        if let Some(rounds) = outcome.rounds {
            facts["rounds"] = serde_json::json!(rounds);
        }
        if let Err(error) = &outcome.ended {
            if error.kind() != ErrorKind::Interrupted {
                return Err(to_py(error.clone()));
            }
        }
        let causes = causes.lock().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default();
        Ok(Self {
            hash: hex(&outcome.log.hash()),
            records: outcome.log.records(),
            log: Mutex::new(outcome.log),
            instruments: outcome.instruments,
            facts: facts.to_string(),
            failures: outcome.failures,
            causes: Mutex::new(causes),
            ended: outcome.ended.err().map(|e| e.message().to_owned()),
        })
    }
}

impl PyRunLog {
    fn lock(&self) -> PyResult<MutexGuard<'_, FinishedLog>> {
        self.log.lock().map_err(|_| {
            to_py(Error::new(ErrorKind::Internal, "the results were being read when a thread died"))
        })
    }
}

#[pymethods]
impl PyRunLog {
    /// The log's bytes, as they are stored.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut log = self.lock()?;
        let pieces = log.pieces().map_err(to_py)?;
        let length = pieces.iter().map(Vec::len).sum();
        PyBytes::new_with(py, length, |bytes| {
            let mut at = 0;
            for piece in pieces.iter() {
                bytes[at..at + piece.len()].copy_from_slice(piece);
                at += piece.len();
            }
            Ok(())
        })
    }

    /// The tables fills, orders, equity and positions, and the messages as (time_ns, text).
    fn tables(&self, py: Python<'_>) -> PyResult<Tables> {
        let mut log = self.lock()?;
        let pieces = log.pieces().map_err(to_py)?;
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        read_tables(py, &pieces, &self.instruments)
    }

    /// The exceptions that strategies raised, in order.
    fn exceptions(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let causes = self.causes.lock();
        causes.map_or_else(
            |_| Vec::new(),
            |list| list.iter().map(|e| e.clone_ref(py).into_value(py).into_any()).collect(),
        )
    }
}

type Tables = (Py<PyTable>, Py<PyTable>, Py<PyTable>, Py<PyTable>, Vec<(i64, String)>, String);

fn read_tables(py: Python<'_>, log: &[&[u8]], instruments: &[Instrument]) -> PyResult<Tables> {
    let tables = py.detach(|| run_tables(log.iter().copied(), instruments)).map_err(to_py)?;
    Ok((
        Py::new(py, PyTable::from(tables.fills))?,
        Py::new(py, PyTable::from(tables.orders))?,
        Py::new(py, PyTable::from(tables.equity))?,
        Py::new(py, PyTable::from(tables.positions))?,
        tables.messages.into_iter().map(|m| (m.time_ns, m.text)).collect(),
        hex(&tables.source.hash),
    ))
}

/// Reads the tables of a stored log: fills, orders, equity, positions, messages, and the log's hash.
#[pyfunction]
pub fn read_run_log(py: Python<'_>, log: &[u8], instruments: &str) -> PyResult<Tables> {
    let instruments: Vec<Instrument> = serde_json::from_str(instruments)
        .map_err(|e| to_py(Error::new(ErrorKind::Data, format!("stored instruments: {e}"))))?;
    read_tables(py, &[log], &instruments)
}

/// Definitions of generated markets as a run has them, as JSON.
#[pyfunction]
pub fn flow_instruments(names: Vec<String>) -> PyResult<String> {
    let instruments = names
        .iter()
        .map(|name| mainspring_sim::flow::presets::market(name).map(|shape| shape.instrument))
        .collect::<mainspring_core::Result<Vec<_>>>()
        .map_err(to_py)?;
    Ok(serde_json::json!(instruments).to_string())
}

/// Definitions of a file's instruments, as JSON.
#[pyfunction]
pub fn file_instruments(path: PathBuf) -> PyResult<String> {
    let file = EventFile::open(&path).map_err(to_py)?;
    Ok(serde_json::json!(file.instruments()).to_string())
}

/// What a run notes of an input file, as JSON: source, hash, rows, span, clock.
#[pyfunction]
pub fn file_facts(path: PathBuf) -> PyResult<String> {
    let file = EventFile::open(&path).map_err(to_py)?;
    let span = file.recv_span_ns();
    Ok(serde_json::json!({
        "path": path.display().to_string(),
        "source": file.provenance().source,
        "hash": file.content_hash(),
        "rows": file.rows(),
        "span_ns": [span.0, span.1],
        "clock": file.clock_state().to_string(),
    })
    .to_string())
}

/// Names of the codes that the orders table uses, as JSON.
#[pyfunction]
pub fn order_codes() -> String {
    let states: serde_json::Map<_, _> = mainspring_trading::orders::OrderState::ALL
        .iter()
        .map(|s| ((*s as u8).to_string(), s.name().into()))
        .collect();
    let names = mainspring_kernel::reasons::reasons();
    let mut reasons: serde_json::Map<_, _> =
        names.map(|(code, name)| (code.to_string(), name.into_owned().into())).collect();
    reasons.insert("0".into(), "".into());
    serde_json::json!({
        "state": states,
        "order_type": {"0": "limit", "1": "market", "2": "stop", "3": "stop_limit",
            "4": "take_profit", "5": "trailing_stop", "6": "iceberg", "7": "pegged"},
        "reason": reasons,
    })
    .to_string()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
