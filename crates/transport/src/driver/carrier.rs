//! What carries out what a session asks for.

use std::time::Duration;

use mainspring_core::{Result, TimeNs};

use crate::http::Request;
use crate::io::{CallKey, Io, IoEvent, SocketKey};
use crate::websocket::Payload;

/// Connections and requests of one thread: sockets of its own, or a library of the host process.
pub trait Carrier {
    /// Connects; [`IoEvent::Opened`] or [`IoEvent::Closed`] follows.
    fn open(&mut self, key: SocketKey, url: &str, headers: Vec<(&'static str, String)>);

    /// Closes a connection.
    fn close(&mut self, key: SocketKey);

    /// Sends on a connection; false where there is none.
    fn send(&mut self, key: SocketKey, payload: Payload) -> bool;

    /// Makes a request, which ends in one [`IoEvent::Response`] or [`IoEvent::Failed`].
    fn call(&mut self, key: CallKey, request: Request);

    /// Turns once; sleeps for at most `patience` unless there is something to do.
    ///
    /// # Errors
    /// When nothing can be carried any more.
    fn turn_unless(&mut self, patience: Duration, has_work: impl FnOnce() -> bool) -> Result<()>;

    /// The next thing that happened.
    fn next_event(&mut self) -> Option<IoEvent>;

    /// When the last turn began to read.
    fn woke_ns(&self) -> TimeNs;
}

impl Carrier for Io {
    fn open(&mut self, key: SocketKey, url: &str, headers: Vec<(&'static str, String)>) {
        Self::open(self, key, url, headers);
    }

    fn close(&mut self, key: SocketKey) {
        Self::close(self, key);
    }

    fn send(&mut self, key: SocketKey, payload: Payload) -> bool {
        Self::send(self, key, payload)
    }

    fn call(&mut self, key: CallKey, request: Request) {
        Self::call(self, key, request);
    }

    fn turn_unless(&mut self, patience: Duration, has_work: impl FnOnce() -> bool) -> Result<()> {
        Self::turn_unless(self, patience, has_work)
    }

    fn next_event(&mut self) -> Option<IoEvent> {
        Self::next_event(self)
    }

    fn woke_ns(&self) -> TimeNs {
        Self::woke_ns(self)
    }
}
