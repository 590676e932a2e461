//! The WebSockets of one I/O thread.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use mio::{Interest, Token};

use super::attempts::Outcome;
use super::{IoEvent, Shared, SocketKey};
use crate::address::{Origin, Url};
use crate::backoff::{BackOff, BackOffConfig};
use crate::pulse::{Pulse, PulseConfig, Verdict};
use crate::websocket::{Incoming, Payload, Refused, SocketLimits, WebSocket};

/// Messages taken from one WebSocket before the others are looked at.
const BATCH: usize = 64;

/// Nothing is due before something happens.
const NEVER: Duration = Duration::from_secs(3_600);

struct Open {
    socket: WebSocket,
    token: Token,
    pulse: Pulse,
    since: Instant,
    ready: bool,
}

enum State {
    /// Waits for the back-off to be over.
    Waiting {
        from: Instant,
        url: Url,
        headers: Vec<(&'static str, String)>,
    },
    Connecting,
    Open(Box<Open>),
}

struct Entry {
    origin: Origin,
    state: State,
}

/// When a host may be connected to again.
struct Pace {
    back_off: BackOff,
    from: Instant,
}

pub(super) struct Sockets {
    entries: HashMap<SocketKey, Entry>,
    by_token: HashMap<Token, SocketKey>,
    ready: VecDeque<SocketKey>,
    paces: HashMap<Origin, Pace>,
    limits: SocketLimits,
    pulse: PulseConfig,
    back_off: BackOffConfig,
    seed: u64,
    due: Instant,
}

impl Sockets {
    pub(super) fn new(
        limits: SocketLimits,
        pulse: PulseConfig,
        back_off: BackOffConfig,
        seed: u64,
    ) -> Self {
        Self {
            entries: HashMap::new(),
            by_token: HashMap::new(),
            ready: VecDeque::new(),
            paces: HashMap::new(),
            limits,
            pulse,
            back_off,
            seed,
            due: Instant::now(),
        }
    }

    pub(super) fn open(
        &mut self,
        shared: &mut Shared,
        key: SocketKey,
        url: &str,
        headers: Vec<(&'static str, String)>,
    ) {
        let refused = |reason: String| IoEvent::Closed { key, reason };
        let url = match Url::parse(url) {
            Ok(url) if url.origin.scheme.is_websocket() => url,
            Ok(_) => return shared.emit(refused("the address is not that of a WebSocket".into())),
            Err(error) => return shared.emit(refused(error.message().to_owned())),
        };
        if self.entries.contains_key(&key) {
            return shared.emit(refused("the number of the connection is in use".into()));
        }
        let origin = url.origin.clone();
        let now = Instant::now();
        let from = self.paces.get(&origin).map_or(now, |pace| pace.from);
        let state = if from <= now {
            shared.attempts.socket(key, url, headers);
            State::Connecting
        } else {
            self.due = self.due.min(from);
            State::Waiting { from, url, headers }
        };
        self.entries.insert(key, Entry { origin, state });
    }

    /// An attempt ended.
    pub(super) fn made(&mut self, shared: &mut Shared, key: SocketKey, outcome: Outcome) {
        let Some(Entry { state: State::Connecting, origin }) = self.entries.get(&key) else {
            // Closed in the meantime: the connection is dropped.
            return;
        };
        let origin = origin.clone();
        let opened = outcome.and_then(|(stream, rest)| {
            let mut socket = WebSocket::new(stream, rest, self.limits);
            let token = shared.token();
            let both = Interest::READABLE | Interest::WRITABLE;
            shared.poll.registry().register(socket.stream().socket(), token, both)?;
            Ok((socket, token))
        });
        let (socket, token) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.end(shared, key, error.to_string());
                return self.leave_alone(&origin, Refused::of(&error));
            }
        };
        let now = Instant::now();
        let pulse = Pulse::new(self.pulse, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            // What came behind the upgrade is read without a word from the system.
            entry.state =
                State::Open(Box::new(Open { socket, token, pulse, since: now, ready: true }));
        }
        self.by_token.insert(token, key);
        self.ready.push_back(key);
        self.due = now;
        shared.emit(IoEvent::Opened { key });
    }

    pub(super) fn close(&mut self, shared: &mut Shared, key: SocketKey) {
        let Some(mut entry) = self.remove(shared, key) else { return };
        if let State::Open(open) = &mut entry.state {
            open.socket.close();
            // One that is closed here for what came on it, a refused log-in, fails the same again.
            let held = open.since.elapsed();
            self.slow_down(&entry.origin, key, held);
        }
        shared.out.retain(|event| !is_about(event, key));
        let reason = "closed as asked".to_owned();
        shared.emit(IoEvent::Closed { key, reason });
    }

    pub(super) fn send(&mut self, shared: &mut Shared, key: SocketKey, payload: Payload) -> bool {
        let Some(Entry { state: State::Open(open), .. }) = self.entries.get_mut(&key) else {
            return false;
        };
        let sent = open.socket.send(payload);
        if open.socket.has_unsent() {
            let now = Instant::now();
            open.pulse.unsent(true, now);
            self.due = now;
        }
        match sent {
            Ok(()) => true,
            Err(reason) => {
                self.end(shared, key, reason);
                false
            }
        }
    }

    /// The system says that a connection can be read or written. False when it is none of these.
    pub(super) fn mark(&mut self, shared: &mut Shared, token: Token) -> bool {
        let Some(key) = self.by_token.get(&token).copied() else { return false };
        if let Some(Entry { state: State::Open(open), .. }) = self.entries.get_mut(&key) {
            if !open.ready {
                open.ready = true;
                self.ready.push_back(key);
            }
        }
        self.flush(shared, key);
        true
    }

    /// Every connection is to be looked at.
    pub(super) fn mark_all(&mut self) {
        for (key, entry) in &mut self.entries {
            if let State::Open(open) = &mut entry.state {
                if !open.ready {
                    open.ready = true;
                    self.ready.push_back(*key);
                }
            }
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Reads what the connections have, a batch from each.
    pub(super) fn read(&mut self, shared: &mut Shared) {
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { return };
            let Some(Entry { state: State::Open(open), .. }) = self.entries.get_mut(&key) else {
                continue;
            };
            match read_batch(shared, key, open) {
                Ok(true) => self.ready.push_back(key),
                Ok(false) => {
                    open.ready = false;
                    if open.socket.has_unsent() {
                        self.flush(shared, key);
                    }
                }
                Err(reason) => self.end(shared, key, reason),
            }
        }
    }

    fn flush(&mut self, shared: &mut Shared, key: SocketKey) {
        let Some(Entry { state: State::Open(open), .. }) = self.entries.get_mut(&key) else {
            return;
        };
        if !open.socket.has_unsent() {
            return;
        }
        match open.socket.flush() {
            Ok(()) => open.pulse.unsent(open.socket.has_unsent(), Instant::now()),
            Err(reason) => self.end(shared, key, reason),
        }
    }

    /// Connects what waited long enough, and sees who is alive.
    pub(super) fn keep_time(&mut self, shared: &mut Shared, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + NEVER;
        let mut ended = Vec::new();
        for (key, entry) in &mut self.entries {
            let due = match &mut entry.state {
                State::Waiting { from, .. } if *from > now => *from,
                State::Waiting { .. } => {
                    let state = std::mem::replace(&mut entry.state, State::Connecting);
                    if let State::Waiting { url, headers, .. } = state {
                        shared.attempts.socket(*key, url, headers);
                    }
                    continue;
                }
                State::Connecting => continue,
                State::Open(open) => match open.pulse.judge(now) {
                    Verdict::Fine(due) => due,
                    Verdict::Ask => match open.socket.send(Payload::Ping(Vec::new())) {
                        Ok(()) => now + Duration::from_millis(10),
                        Err(reason) => {
                            ended.push((*key, reason));
                            continue;
                        }
                    },
                    Verdict::Dead => {
                        ended.push((*key, "nothing came for too long, not even a pong".to_owned()));
                        continue;
                    }
                    Verdict::Stuck => {
                        ended.push((*key, "the venue takes nothing of what waits".to_owned()));
                        continue;
                    }
                },
            };
            self.due = self.due.min(due);
        }
        for (key, reason) in ended {
            self.end(shared, key, reason);
        }
    }

    pub(super) fn next_due(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    pub(super) fn count(&self) -> (usize, usize) {
        let open = |entry: &&Entry| matches!(entry.state, State::Open(_));
        (self.entries.values().filter(open).count(), self.entries.len())
    }

    /// A connection is gone; its host is left alone for a while.
    fn end(&mut self, shared: &mut Shared, key: SocketKey, reason: String) {
        let Some(entry) = self.remove(shared, key) else { return };
        let held = match &entry.state {
            State::Open(open) => open.since.elapsed(),
            _ => Duration::ZERO,
        };
        self.slow_down(&entry.origin, key, held);
        shared.emit(IoEvent::Closed { key, reason: format!("{}: {reason}", entry.origin) });
    }

    /// A host is connected to again after a while, by how long the connection to it had held.
    fn slow_down(&mut self, origin: &Origin, key: SocketKey, held: Duration) {
        let now = Instant::now();
        let pace = self.pace(origin, key, now);
        // Connections that were lost together count as one failure.
        if pace.from <= now {
            pace.from = now + pace.back_off.wait(held);
        }
    }

    /// A host that said when to come back is not connected to before.
    fn leave_alone(&mut self, origin: &Origin, refused: Option<&Refused>) {
        let Some(wait) = refused.and_then(|refused| refused.wait) else { return };
        let now = Instant::now();
        let pace = self.pace(origin, 0, now);
        pace.from = pace.from.max(now + wait);
    }

    fn pace(&mut self, origin: &Origin, key: SocketKey, now: Instant) -> &mut Pace {
        let (config, seed) = (self.back_off, self.seed ^ key);
        self.paces
            .entry(origin.clone())
            .or_insert_with(|| Pace { back_off: BackOff::new(config, seed), from: now })
    }

    fn remove(&mut self, shared: &mut Shared, key: SocketKey) -> Option<Entry> {
        let mut entry = self.entries.remove(&key)?;
        if let State::Open(open) = &mut entry.state {
            self.by_token.remove(&open.token);
            // A socket that the system gave up is watched no more anyway.
            let _ = shared.poll.registry().deregister(open.socket.stream().socket());
        }
        Some(entry)
    }
}

fn is_about(event: &IoEvent, socket: SocketKey) -> bool {
    match event {
        IoEvent::Opened { key } | IoEvent::Message { key, .. } | IoEvent::Pong { key } => {
            *key == socket
        }
        _ => false,
    }
}

/// Reads at most a batch; whether there may be more.
fn read_batch(shared: &mut Shared, key: SocketKey, open: &mut Open) -> Result<bool, String> {
    for _ in 0..BATCH {
        let Some(incoming) = open.socket.receive()? else { return Ok(false) };
        let recv_ns = shared.clock.now_ns();
        open.pulse.heard(Instant::now());
        match incoming {
            Incoming::Message(bytes) => shared.emit(IoEvent::Message { key, bytes, recv_ns }),
            Incoming::Pong => shared.emit(IoEvent::Pong { key }),
            Incoming::Ping => {}
        }
    }
    Ok(true)
}
