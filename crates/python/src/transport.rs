//! Recording live feeds, and how long the stages of a session's way take.

use std::path::PathBuf;
use std::time::Duration;

use mainspring_core::{Error, ErrorKind, Instrument, Result};
use mainspring_live::{Latency, Stage};
use mainspring_transport::connect::Route;
use mainspring_transport::driver::Shown;
use mainspring_transport::io::IoConfig;
use mainspring_transport::proxy::Proxy;
use mainspring_transport::record::{
    stream_of, LibraryConfig, RecordConfig, Recorded, Recorder, SocketsConfig, TapeConfig, Wire,
};
use mainspring_transport::relay::Relay;
use mainspring_transport::tls::Tls;
use mainspring_venues::relayed::Abilities;
use mainspring_venues::venue::Network;
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::errors::to_py;
use crate::live::parse;
use crate::relay::PyVenueRelay;

/// From the beginning of an attempt to a connection that can be used.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// What to record, as Python gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordText {
    venue: String,
    symbols: Vec<String>,
    streams: Vec<String>,
    target: PathBuf,
    raw: Option<PathBuf>,
    wire: WireText,
}

/// How the venue is heard.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WireText {
    Sockets(SocketsText),
    Library(LibraryText),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SocketsText {
    test: bool,
    url: Option<String>,
    proxy: Option<String>,
    copies: u8,
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LibraryText {
    can: Abilities,
    instruments: Vec<Instrument>,
    tells_time: bool,
    facts: Vec<(String, String)>,
}

impl RecordText {
    fn config(self, relay: Option<Relay>) -> Result<RecordConfig> {
        let tape = TapeConfig {
            venue: self.venue,
            symbols: self.symbols,
            streams: self.streams.iter().map(|name| stream_of(name)).collect::<Result<_>>()?,
            target: self.target,
            raw: self.raw,
        };
        let wire = match self.wire {
            WireText::Sockets(text) => Wire::Sockets(text.config()?),
            WireText::Library(text) => Wire::Library(LibraryConfig {
                relay: relay.ok_or_else(|| {
                    Error::new(ErrorKind::Config, format!("nobody speaks to {}", tape.venue))
                })?,
                abilities: text.can,
                instruments: text.instruments,
                tells_time: text.tells_time,
                facts: text.facts,
            }),
        };
        Ok(RecordConfig { tape, wire })
    }
}

impl SocketsText {
    fn config(self) -> Result<SocketsConfig> {
        let io = IoConfig {
            route: Route {
                tls: Tls::new(None)?,
                proxy: self.proxy.as_deref().map(Proxy::parse).transpose()?,
                patience: CONNECT_PATIENCE,
            },
            limits: Default::default(),
            pulse: Default::default(),
            back_off: Default::default(),
            calls: Default::default(),
            seed: self.seed,
            busy_poll: false,
        };
        let network = if self.test { Network::Test } else { Network::Main };
        Ok(SocketsConfig { network, url: self.url, copies: self.copies, io })
    }
}

/// A recording of a live feed on a thread of its own.
#[pyclass(frozen, module = "mainspring._core", name = "FeedRecorder")]
pub struct PyFeedRecorder(Recorder);

#[pymethods]
impl PyFeedRecorder {
    /// Of a venue that the relay leads to, where there is one.
    #[new]
    fn new(py: Python<'_>, config: &str, relay: Option<Py<PyVenueRelay>>) -> PyResult<Self> {
        let text: RecordText = parse(config, "what to record").map_err(to_py)?;
        let relay = relay.map(|one| one.get().relay.clone());
        let start = || Recorder::start(text.config(relay)?);
        py.detach(start).map(Self).map_err(to_py)
    }

    /// How it goes, as JSON.
    fn shown(&self) -> String {
        shown_json(&self.0.shown()).to_string()
    }

    /// Whether it ended by itself.
    #[getter]
    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Ends it; what was recorded as JSON, None when that was given before.
    fn stop(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let recorded = py.detach(|| self.0.stop()).map_err(to_py)?;
        Ok(recorded.map(|recorded| recorded_json(&recorded).to_string()))
    }
}

fn shown_json(shown: &Shown) -> Value {
    let notes = shown.notes.iter().map(|(at_ns, note)| {
        let level = format!("{:?}", note.level).to_lowercase();
        json!({"at_ns": at_ns, "level": level, "topic": note.topic, "text": note.text})
    });
    json!({
        "messages": shown.messages,
        "rows": shown.rows,
        "gaps": shown.lost,
        "fresh": shown.fresh,
        "copies_dropped": shown.copies_dropped,
        "clock": shown.clock,
        "closed": shown.closed,
        "last_closed": shown.last_closed,
        "notes": notes.collect::<Vec<_>>(),
    })
}

fn recorded_json(recorded: &Recorded) -> Value {
    let summary = recorded.summary.as_ref();
    json!({
        "rows": summary.map_or(0, |summary| summary.rows),
        "gaps": summary.map_or(0, |summary| summary.gap_rows),
        "bytes": summary.map_or(0, |summary| summary.bytes),
        "raw_lines": recorded.raw_lines,
        "broken": recorded.broken,
    })
}

/// The histograms of all stages that were counted, as JSON.
pub(crate) fn latency_json(latency: &Latency) -> Value {
    let stages = Stage::ALL.into_iter().filter_map(|stage| {
        let histogram = latency.of(stage);
        let (count, [p50, p90, p99, p999]) = histogram.quantiles([0.5, 0.9, 0.99, 0.999]);
        let longest = histogram.longest();
        let value = json!({
            "count": count, "p50_ns": p50, "p90_ns": p90, "p99_ns": p99, "p999_ns": p999,
            "max_ns": longest,
        });
        (count > 0).then(|| (stage.name().to_owned(), value))
    });
    Value::Object(stages.collect())
}
