//! Attempts to connect, each on a thread that lives as long as it.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;

use super::{Bell, SocketKey};
use crate::address::{Origin, Url};
use crate::connect::{Connection, Route};
use crate::stream::Stream;
use crate::websocket::upgrade;

/// Attempts that run at once; further ones wait. A name server that hangs holds its thread until the
/// system gives up.
const MOST: usize = 16;

/// What an attempt is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// A WebSocket.
    Socket(SocketKey),
    /// A connection for requests.
    Call(Origin),
}

/// A connection, and for a WebSocket the bytes that came behind the upgrade.
pub(super) type Outcome = io::Result<(Stream, Vec<u8>)>;

enum Job {
    Socket(SocketKey, Url, Vec<(&'static str, String)>),
    Call(Origin),
}

impl Job {
    fn made(&self) -> Made {
        match self {
            Self::Socket(key, ..) => Made::Socket(*key),
            Self::Call(origin) => Made::Call(origin.clone()),
        }
    }

    fn run(self, route: &Route) -> (Made, Outcome) {
        match self {
            Self::Socket(key, url, headers) => {
                (Made::Socket(key), open_socket(route, &url, &headers))
            }
            Self::Call(origin) => {
                let made = Connection::open(route, &origin).and_then(finish);
                (Made::Call(origin), made.map(|stream| (stream, Vec::new())))
            }
        }
    }
}

fn open_socket(route: &Route, url: &Url, headers: &[(&'static str, String)]) -> Outcome {
    let mut connection = Connection::open(route, &url.origin)?;
    let rest = upgrade(&mut connection, url, headers)?;
    Ok((finish(connection)?, rest))
}

fn finish(connection: Connection) -> io::Result<Stream> {
    let (tcp, tls) = connection.into_parts();
    Stream::new(tcp, tls)
}

/// The attempts of one I/O thread.
pub(super) struct Attempts {
    route: Route,
    bell: Bell,
    running: usize,
    waiting: VecDeque<Job>,
    report: Sender<(Made, Outcome)>,
    reports: Receiver<(Made, Outcome)>,
}

impl Attempts {
    pub(super) fn new(route: Route, bell: Bell) -> Self {
        let (report, reports) = channel();
        Self { route, bell, running: 0, waiting: VecDeque::new(), report, reports }
    }

    pub(super) fn socket(
        &mut self,
        key: SocketKey,
        url: Url,
        headers: Vec<(&'static str, String)>,
    ) {
        self.waiting.push_back(Job::Socket(key, url, headers));
        self.start();
    }

    pub(super) fn call(&mut self, origin: Origin) {
        self.waiting.push_back(Job::Call(origin));
        self.start();
    }

    /// The next attempt that ended.
    pub(super) fn next(&mut self) -> Option<(Made, Outcome)> {
        let ended = self.reports.try_recv().ok()?;
        self.running -= 1;
        self.start();
        Some(ended)
    }

    fn start(&mut self) {
        while self.running < MOST {
            let Some(job) = self.waiting.pop_front() else { return };
            let (route, report, bell) =
                (self.route.clone(), self.report.clone(), self.bell.clone());
            self.running += 1;
            let made = job.made();
            let spawned = thread::Builder::new().name("connect".to_owned()).spawn(move || {
                // Who asked may be gone.
                let _ = report.send(job.run(&route));
                bell.ring();
            });
            if let Err(error) = spawned {
                let _ = self.report.send((made, Err(error)));
                return;
            }
        }
    }
}
