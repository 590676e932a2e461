//! The requests of one I/O thread: connections that are kept, one request at a time on each.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mainspring_venues::outgoing::Urgency;
use mio::{Interest, Token};
use zeroize::Zeroizing;

use super::attempts::Outcome;
use super::{CallKey, CallLimits, IoEvent, Shared};
use crate::address::Origin;
use crate::http::{Reader, Request, Response};
use crate::lines::{Lines, Taken};
use crate::stream::Stream;

const NEVER: Duration = Duration::from_secs(3_600);

/// A request on its way.
struct Call {
    key: CallKey,
    urgency: Urgency,
    bytes: Zeroizing<Vec<u8>>,
    until: Instant,
    /// Asking twice is harmless, and it was not asked twice yet.
    may_repeat: bool,
}

/// A request on a connection.
struct Running {
    call: Call,
    written: usize,
    /// What the system had taken of the connection before.
    sent_before: u64,
    reader: Reader,
}

struct Kept {
    stream: Stream,
    token: Token,
    running: Option<Running>,
    /// Answers that it gave.
    answers: u64,
    idle_since: Instant,
}

#[derive(Default)]
struct Host {
    waiting: Lines<Call>,
    kept: Vec<Kept>,
    connecting: usize,
}

impl Host {
    /// The requests that have a connection.
    fn taken(&self) -> Taken {
        Taken::of(self.kept.iter().filter_map(|kept| Some(kept.running.as_ref()?.call.urgency)))
    }
}

/// How a step on a connection ended.
enum Step {
    /// It waits for the system.
    Later,
    /// The answer is whole.
    Whole(Response),
    /// The connection is of no more use.
    Broken(String),
}

pub(super) struct Calls {
    hosts: HashMap<Origin, Host>,
    by_token: HashMap<Token, Origin>,
    limits: CallLimits,
    due: Instant,
    buffer: Box<[u8]>,
}

impl Calls {
    pub(super) fn new(limits: CallLimits) -> Self {
        Self {
            hosts: HashMap::new(),
            by_token: HashMap::new(),
            limits,
            due: Instant::now(),
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
        }
    }

    pub(super) fn begin(&mut self, shared: &mut Shared, key: CallKey, request: Request) {
        let origin = request.url.origin.clone();
        let unsent = |reason: &str| {
            let reason = format!("{origin}: {reason}");
            IoEvent::Failed { key, perhaps_sent: false, reason }
        };
        if origin.scheme.is_websocket() {
            return shared.emit(unsent("the address of a request begins with http:// or https://"));
        }
        let bytes = match request.bytes() {
            Ok(bytes) => bytes,
            Err(error) => return shared.emit(unsent(&error.to_string())),
        };
        let urgency = request.urgency;
        let host = self.hosts.entry(origin.clone()).or_default();
        if host.waiting.len(urgency) >= self.limits.waiting {
            return shared.emit(unsent("too many requests wait for this host"));
        }
        let until = Instant::now() + self.limits.patience;
        let may_repeat = request.is_repeatable();
        host.waiting.push(urgency, Call { key, urgency, bytes, until, may_repeat });
        self.due = self.due.min(until);
        self.dispatch(shared, &origin);
    }

    /// Gives what waits to connections that are free, the most urgent first, and makes more of them.
    fn dispatch(&mut self, shared: &mut Shared, origin: &Origin) {
        let begun = self.give(shared, origin);
        let Some(host) = self.hosts.get_mut(origin) else { return };
        let all = host.kept.len() + host.connecting;
        let ready = host.waiting.ready(host.taken(), self.limits.connections);
        let wanted = ready.saturating_sub(host.connecting);
        for _ in 0..wanted.min(self.limits.connections.all.saturating_sub(all)) {
            host.connecting += 1;
            shared.attempts.call(origin.clone());
        }
        for token in begun {
            self.turn(shared, token);
        }
    }

    /// Gives what waits to connections that are free; those that got something.
    fn give(&mut self, shared: &mut Shared, origin: &Origin) -> Vec<Token> {
        let mut begun = Vec::new();
        while let Some(host) = self.hosts.get_mut(origin) {
            if host.waiting.ready(host.taken(), self.limits.connections) == 0 {
                break;
            }
            let free = host.kept.iter().position(|kept| kept.running.is_none());
            let Some(at) = free else { break };
            let kept = &mut host.kept[at];
            if !kept.is_left_alone(&mut self.buffer) {
                self.drop_kept(shared, origin, at);
                continue;
            }
            let taken = host.taken();
            let Some(call) = host.waiting.next(taken, self.limits.connections) else { break };
            let kept = &mut host.kept[at];
            let reader = Reader::new(self.limits.body_bytes);
            let sent_before = kept.stream.sent();
            kept.running = Some(Running { call, written: 0, sent_before, reader });
            begun.push(kept.token);
        }
        begun
    }

    /// An attempt ended.
    pub(super) fn made(&mut self, shared: &mut Shared, origin: &Origin, outcome: Outcome) {
        let Some(host) = self.hosts.get_mut(origin) else { return };
        host.connecting = host.connecting.saturating_sub(1);
        let watched = outcome.and_then(|(mut stream, _)| {
            let token = shared.token();
            let both = Interest::READABLE | Interest::WRITABLE;
            shared.poll.registry().register(stream.socket(), token, both)?;
            Ok((stream, token))
        });
        match watched {
            Ok((stream, token)) => {
                let idle_since = Instant::now();
                self.by_token.insert(token, origin.clone());
                host.kept.push(Kept { stream, token, running: None, answers: 0, idle_since });
                self.due = self.due.min(idle_since + self.limits.idle);
                self.dispatch(shared, origin);
            }
            Err(error) if host.kept.is_empty() && host.connecting == 0 => {
                for call in host.waiting.take_if(|_| true) {
                    let reason = format!("{origin}: {error}");
                    shared.emit(IoEvent::Failed { key: call.key, perhaps_sent: false, reason });
                }
            }
            // Others are there: what waits goes by them.
            Err(_) => {}
        }
    }

    /// Goes on with every connection that has a request.
    pub(super) fn turn_all(&mut self, shared: &mut Shared) {
        if self.by_token.is_empty() {
            return;
        }
        let tokens: Vec<Token> = self.by_token.keys().copied().collect();
        for token in tokens {
            self.turn(shared, token);
        }
    }

    /// Goes on with a connection that can be read or written.
    pub(super) fn turn(&mut self, shared: &mut Shared, token: Token) {
        let Some(origin) = self.by_token.get(&token).cloned() else { return };
        let Some(host) = self.hosts.get_mut(&origin) else { return };
        let Some(at) = host.kept.iter().position(|kept| kept.token == token) else { return };
        match host.kept[at].step(&mut self.buffer) {
            Step::Later => {}
            Step::Whole(response) => {
                let kept = &mut host.kept[at];
                kept.answers += 1;
                kept.idle_since = Instant::now();
                self.due = self.due.min(kept.idle_since + self.limits.idle);
                let keeps = response.keeps;
                if let Some(running) = kept.running.take() {
                    shared.emit(IoEvent::Response { key: running.call.key, response });
                }
                if !keeps {
                    self.drop_kept(shared, &origin, at);
                }
                self.dispatch(shared, &origin);
            }
            Step::Broken(reason) => {
                self.lose(shared, &origin, at, &reason);
                self.dispatch(shared, &origin);
            }
        }
    }

    /// A connection broke: its request failed, or goes first on another one.
    fn lose(&mut self, shared: &mut Shared, origin: &Origin, at: usize, reason: &str) {
        let Some(mut kept) = self.drop_kept(shared, origin, at) else { return };
        let Some(mut running) = kept.running.take() else { return };
        let sent = kept.stream.sent() > running.sent_before;
        // A kept connection that the venue closed just now: it read nothing of this request, which
        // is certain for one that may be repeated anyway, and for one of which nothing left.
        let stale = kept.answers > 0 && running.reader.is_untouched();
        if stale && (running.call.may_repeat || !sent) {
            running.call.may_repeat = false;
            if let Some(host) = self.hosts.get_mut(origin) {
                return host.waiting.push_front(running.call.urgency, running.call);
            }
        }
        let reason = format!("{origin}: {reason}");
        shared.emit(IoEvent::Failed { key: running.call.key, perhaps_sent: sent, reason });
    }

    fn drop_kept(&mut self, shared: &mut Shared, origin: &Origin, at: usize) -> Option<Kept> {
        let mut kept = self.hosts.get_mut(origin)?.kept.remove(at);
        self.by_token.remove(&kept.token);
        // A socket that the system gave up is watched no more anyway.
        let _ = shared.poll.registry().deregister(kept.stream.socket());
        Some(kept)
    }

    /// Gives up what waited too long, and closes what nobody used.
    pub(super) fn keep_time(&mut self, shared: &mut Shared, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + NEVER;
        let origins: Vec<Origin> = self.hosts.keys().cloned().collect();
        for origin in origins {
            self.keep_time_of(shared, &origin, now);
            self.dispatch(shared, &origin);
        }
    }

    fn keep_time_of(&mut self, shared: &mut Shared, origin: &Origin, now: Instant) {
        let Some(host) = self.hosts.get_mut(origin) else { return };
        for call in host.waiting.take_if(|call| call.until <= now) {
            let reason = format!("{origin}: no connection in time");
            shared.emit(IoEvent::Failed { key: call.key, perhaps_sent: false, reason });
        }
        let idle = self.limits.idle;
        let mut next = host.waiting.iter().map(|call| call.until).min();
        let mut late = Vec::new();
        for (at, kept) in host.kept.iter().enumerate() {
            let due = match &kept.running {
                Some(running) => running.call.until,
                None => kept.idle_since + idle,
            };
            if due <= now {
                late.push(at);
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        if let Some(next) = next {
            self.due = self.due.min(next);
        }
        for at in late.into_iter().rev() {
            let Some(mut kept) = self.drop_kept(shared, origin, at) else { continue };
            let Some(running) = kept.running.take() else { continue };
            let perhaps_sent = kept.stream.sent() > running.sent_before;
            let reason = format!("{origin}: no answer in time");
            shared.emit(IoEvent::Failed { key: running.call.key, perhaps_sent, reason });
        }
    }

    pub(super) fn next_due(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }
}

impl Kept {
    /// Whether the venue neither ended a connection since its last answer nor said something on it: a
    /// request would be lost on the one, and take what nobody asked for as its answer on the other.
    fn is_left_alone(&mut self, buffer: &mut [u8]) -> bool {
        let nothing = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        self.answers == 0 || self.stream.read(buffer).is_err_and(nothing)
    }

    fn step(&mut self, buffer: &mut [u8]) -> Step {
        let written = match &mut self.running {
            Some(running) => write_rest(&mut self.stream, running),
            None => Ok(()),
        };
        if let Err(error) = written {
            if error.kind() != io::ErrorKind::WouldBlock {
                return broken(&error);
            }
        }
        loop {
            let got = match self.stream.read(buffer) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Later,
                // The end of TLS was not said: what came may be a part of it.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Step::Broken("cut without a goodbye".to_owned());
                }
                Err(error) => return broken(&error),
            };
            let Some(running) = &mut self.running else {
                let what =
                    if got == 0 { "closed while idle" } else { "an answer nobody asked for" };
                return Step::Broken(what.to_owned());
            };
            if got == 0 {
                return match running.reader.end() {
                    Some(response) => Step::Whole(response),
                    None => Step::Broken("closed before the answer was whole".to_owned()),
                };
            }
            match running.reader.take(&buffer[..got]) {
                Ok(Some(response)) => return Step::Whole(response),
                Ok(None) => {}
                Err(error) => return Step::Broken(error.to_string()),
            }
        }
    }
}

fn write_rest(stream: &mut Stream, running: &mut Running) -> io::Result<()> {
    while running.written < running.call.bytes.len() {
        let taken = stream.write(&running.call.bytes[running.written..])?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        running.written += taken;
    }
    if stream.wants_write() {
        stream.flush()?;
    }
    Ok(())
}

fn broken(error: &io::Error) -> Step {
    Step::Broken(format!("the connection failed: {}", error.kind()))
}
