//! The wire of a venue that Python speaks to by a library.

use std::time::Duration;

use mainspring_transport::relay::{Asked, Relay};
use pyo3::prelude::*;

use crate::errors::to_py;

/// What a session asks of a library in Python, and the way back.
#[pyclass(frozen, module = "mainspring._core", name = "VenueRelay")]
pub struct PyVenueRelay {
    pub(crate) relay: Relay,
}

#[pymethods]
impl PyVenueRelay {
    /// With so much patience for the answer to a request.
    #[new]
    fn new(patience_s: f64) -> Self {
        let patience = Duration::try_from_secs_f64(patience_s).unwrap_or(Duration::from_secs(10));
        Self { relay: Relay::new(patience) }
    }

    /// What is to be done next as (kind, number, text), after waiting for at most so long. Kinds are
    /// `open`, `close`, `text`, `ping` and `call`.
    fn next(&self, py: Python<'_>, timeout_s: f64) -> Option<(&'static str, u64, String)> {
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or_default();
        py.detach(|| self.relay.next(patience)).map(|asked| match asked {
            Asked::Open { key, what } => ("open", key, what),
            Asked::Close { key } => ("close", key, String::new()),
            Asked::Text { key, text } => ("text", key, text),
            Asked::Ping { key } => ("ping", key, String::new()),
            Asked::Call { key, body } => ("call", key, body),
        })
    }

    /// A connection stands.
    fn opened(&self, py: Python<'_>, key: u64) -> PyResult<()> {
        py.detach(|| self.relay.opened(key)).map_err(to_py)
    }

    /// A connection ended, or could not be made.
    fn closed(&self, py: Python<'_>, key: u64, reason: &str) -> PyResult<()> {
        py.detach(|| self.relay.closed(key, reason)).map_err(to_py)
    }

    /// A message of a connection, as JSON. Waits while the session is behind.
    fn message(&self, py: Python<'_>, key: u64, text: String) -> PyResult<()> {
        py.detach(|| self.relay.message(key, text)).map_err(to_py)
    }

    /// A message of the venue as the library heard it, for a recording that keeps those.
    fn heard(&self, py: Python<'_>, text: String) -> PyResult<()> {
        py.detach(|| self.relay.heard(text)).map_err(to_py)
    }

    /// The venue of a connection is still there.
    fn pong(&self, py: Python<'_>, key: u64) -> PyResult<()> {
        py.detach(|| self.relay.pong(key)).map_err(to_py)
    }

    /// Whether a request still waits for its answer.
    fn awaits(&self, py: Python<'_>, key: u64) -> bool {
        py.detach(|| self.relay.awaits(key))
    }

    /// The answer to a request, as JSON, and whether it was done; one that comes too late is dropped.
    fn answer(&self, py: Python<'_>, key: u64, done: bool, body: String) -> PyResult<()> {
        py.detach(|| self.relay.answer(key, done, body)).map_err(to_py)
    }

    /// A request has no answer and will not get one.
    fn failed(&self, py: Python<'_>, key: u64, perhaps_sent: bool, reason: &str) -> PyResult<()> {
        py.detach(|| self.relay.failed(key, perhaps_sent, reason)).map_err(to_py)
    }

    /// Nobody waits for anything any more.
    fn end(&self, py: Python<'_>) {
        py.detach(|| self.relay.end());
    }
}
