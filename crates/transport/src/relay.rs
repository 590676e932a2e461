//! A venue's wire through a library of the host process: what a session asks for waits here until the
//! library's own thread takes it, and what it answers waits for the session's thread.
//!
//! Neither ever waits for the other while the session has something to do: a library that is slow, or
//! hangs, makes requests fail in time and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_live::{Bell, WallClock};
use mainspring_venues::outgoing::Urgency;
use tungstenite::Bytes;

use crate::driver::{session_of, Carrier};
use crate::head::Head;
use crate::http::{Request, Response};
use crate::io::{CallKey, IoEvent, SocketKey};
use crate::lines::{Lines, Places, Taken};
use crate::websocket::Payload;

/// Requests of one urgency that may wait for the library; one more has failed before it left.
const MAX_WAITING: usize = 256;

/// Requests that the library works on at a time.
const OPEN: Places = Places { all: 12, for_orders: 2, for_cancels: 2 };

/// Messages on connections that may wait for the library; the connection of one more ends.
const MAX_TEXTS: usize = 4_096;

/// Answers and messages that may wait for the session; the library waits then.
const MAX_SAID: usize = 4_096;

/// Where the number of the session begins in keys.
const SESSION_BITS: u32 = 56;

/// Something for the library to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Begin what an address stands for.
    Open {
        /// Number of the connection.
        key: SocketKey,
        /// What is wanted, the last part of an address: `market` or `user`.
        what: String,
    },
    /// End it.
    Close {
        /// Which.
        key: SocketKey,
    },
    /// A message on it.
    Text {
        /// On which.
        key: SocketKey,
        /// All of it.
        text: String,
    },
    /// Say whether the venue is still there, by [`Relay::pong`].
    Ping {
        /// For which connection.
        key: SocketKey,
    },
    /// A request, to be answered once by [`Relay::answer`] or [`Relay::failed`].
    Call {
        /// Its number.
        key: CallKey,
        /// All of it.
        body: String,
    },
}

impl Asked {
    const fn key(&self) -> u64 {
        match self {
            Self::Open { key, .. }
            | Self::Close { key }
            | Self::Text { key, .. }
            | Self::Ping { key }
            | Self::Call { key, .. } => *key,
        }
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    /// The library has begun with it.
    taken: bool,
    urgency: Urgency,
}

#[derive(Debug, Default)]
struct State {
    session: u8,
    /// What is no request: texts up to a bound, and of each connection one of every other kind.
    wires: VecDeque<Asked>,
    calls: Lines<(CallKey, String)>,
    open: BTreeMap<CallKey, Open>,
    said: VecDeque<IoEvent>,
    over: bool,
}

impl State {
    fn next(&mut self) -> Option<Asked> {
        if let Some(asked) = self.wires.pop_front() {
            return Some(asked);
        }
        let open = self.open.values().filter(|one| one.taken);
        let taken = Taken::of(open.map(|one| one.urgency));
        let (key, body) = self.calls.next(taken, OPEN)?;
        if let Some(open) = self.open.get_mut(&key) {
            open.taken = true;
        }
        Some(Asked::Call { key, body })
    }

    /// A connection is not wanted any more: what waits of it is dropped. The library hears of it only when
    /// it began.
    fn close(&mut self, key: SocketKey) {
        let begun =
            !self.wires.iter().any(|one| matches!(one, Asked::Open { key: of, .. } if *of == key));
        self.wires.retain(|one| one.key() != key);
        if begun {
            self.wires.push_back(Asked::Close { key });
        }
    }

    /// Something to send on a connection; false when too much waits, which ends the connection.
    fn send(&mut self, asked: Asked) -> bool {
        match asked {
            // One that waits says as much as two.
            Asked::Ping { .. } if self.wires.contains(&asked) => return true,
            Asked::Text { key, .. } => {
                let texts = self.wires.iter().filter(|one| matches!(one, Asked::Text { .. }));
                if texts.count() >= MAX_TEXTS {
                    self.close(key);
                    return false;
                }
            }
            _ => {}
        }
        self.wires.push_back(asked);
        true
    }

    /// Whether a key is of the session that runs now.
    fn is_now(&self, key: u64) -> bool {
        key >> SESSION_BITS == u64::from(self.session)
    }

    fn give_up(&mut self, now: Instant) {
        let late: Vec<CallKey> =
            self.open.iter().filter(|(_, one)| one.until <= now).map(|(key, _)| *key).collect();
        for key in late {
            let Some(open) = self.open.remove(&key) else { continue };
            self.calls.take_if(|(one, _)| *one == key);
            let reason = match open.taken {
                true => "no answer came in time",
                false => "the library was busy for too long",
            };
            self.said.push_back(failed(key, open.taken, reason));
        }
    }
}

fn failed(key: CallKey, perhaps_sent: bool, reason: &str) -> IoEvent {
    IoEvent::Failed { key, perhaps_sent, reason: reason.to_owned() }
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Something was asked, or there is room for more requests.
    asked: Condvar,
    /// Something was said.
    said: Condvar,
    /// There is room for what is said.
    room: Condvar,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's end. It can be used from any thread.
#[derive(Clone, Debug)]
pub struct Relay {
    inner: Arc<Inner>,
    patience: Duration,
    clock: WallClock,
}

impl Relay {
    /// With so much patience for an answer.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { inner: Arc::default(), patience, clock: WallClock::new() }
    }

    /// The session's end. Whoever had it before hears nothing any more.
    #[must_use]
    pub fn carrier(&self) -> RelayIo {
        let mut state = self.inner.lock();
        let session = state.session % 126 + 1;
        *state = State { session, ..State::default() };
        RelayIo {
            inner: Arc::clone(&self.inner),
            session,
            patience: self.patience,
            out: VecDeque::new(),
            clock: self.clock,
            woke_ns: self.clock.now_ns(),
        }
    }

    /// Wakes the session's thread.
    #[must_use]
    pub fn bell(&self) -> Bell {
        let inner = Arc::clone(&self.inner);
        Arc::new(move || inner.said.notify_one())
    }

    /// What is to be done next, after waiting for at most so long.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Option<Asked> {
        let mut state = self.inner.lock();
        let until = Instant::now() + patience;
        loop {
            if let Some(asked) = state.next() {
                return Some(asked);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.inner.asked.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A connection stands.
    ///
    /// # Errors
    /// When the session is over.
    pub fn opened(&self, key: SocketKey) -> Result<()> {
        self.say(key, IoEvent::Opened { key })
    }

    /// A connection ended, or could not be made.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn closed(&self, key: SocketKey, reason: &str) -> Result<()> {
        self.say(key, IoEvent::Closed { key, reason: reason.to_owned() })
    }

    /// A message came.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn message(&self, key: SocketKey, text: String) -> Result<()> {
        let recv_ns = self.clock.now_ns();
        self.say(key, IoEvent::Message { key, bytes: Bytes::from(text), recv_ns })
    }

    /// A message of the venue as the library heard it, for a recording that keeps those.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn heard(&self, text: String) -> Result<()> {
        let recv_ns = self.clock.now_ns();
        let key = u64::from(self.inner.lock().session) << SESSION_BITS;
        self.say(key, IoEvent::Heard { key, bytes: Bytes::from(text), recv_ns })
    }

    /// The venue is still there.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn pong(&self, key: SocketKey) -> Result<()> {
        self.say(key, IoEvent::Pong { key })
    }

    /// Whether a request still waits for its answer: one that was given up should not be done any more.
    #[must_use]
    pub fn awaits(&self, key: CallKey) -> bool {
        self.inner.lock().open.contains_key(&key)
    }

    /// The answer to a request, and whether it was done; one that comes too late is dropped.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn answer(&self, key: CallKey, done: bool, body: String) -> Result<()> {
        let head = Head { status: if done { 200 } else { 400 }, ..Head::default() };
        let response = Response { head, body: body.into_bytes(), keeps: true };
        self.conclude(key, IoEvent::Response { key, response })
    }

    /// A request has no answer and will not get one.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn failed(&self, key: CallKey, perhaps_sent: bool, reason: &str) -> Result<()> {
        self.conclude(key, failed(key, perhaps_sent, reason))
    }

    fn conclude(&self, key: CallKey, event: IoEvent) -> Result<()> {
        let known = self.inner.lock().open.remove(&key).is_some();
        self.inner.asked.notify_one();
        match known {
            true => self.say(key, event),
            false => Ok(()),
        }
    }

    fn say(&self, key: u64, event: IoEvent) -> Result<()> {
        let mut state = self.inner.lock();
        loop {
            if state.over {
                return Err(Error::new(ErrorKind::Io, "the session takes nothing more"));
            }
            if !state.is_now(key) {
                return Ok(());
            }
            if state.said.len() < MAX_SAID {
                break;
            }
            state = self.inner.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.said.push_back(event);
        drop(state);
        self.inner.said.notify_one();
        Ok(())
    }

    /// Nobody waits for anything any more.
    pub fn end(&self) {
        self.inner.lock().over = true;
        self.inner.room.notify_all();
        self.inner.asked.notify_all();
        self.inner.said.notify_all();
    }
}

/// The session's end.
#[derive(Debug)]
pub struct RelayIo {
    inner: Arc<Inner>,
    session: u8,
    patience: Duration,
    out: VecDeque<IoEvent>,
    clock: WallClock,
    woke_ns: TimeNs,
}

impl RelayIo {
    /// The number for its [`crate::driver::Driver`].
    #[must_use]
    pub const fn session(&self) -> u8 {
        self.session
    }
}

impl Carrier for RelayIo {
    fn open(&mut self, key: SocketKey, url: &str, _headers: Vec<(&'static str, String)>) {
        let what = url.rsplit('/').next().unwrap_or("").to_owned();
        self.inner.lock().wires.push_back(Asked::Open { key, what });
        self.inner.asked.notify_one();
    }

    fn close(&mut self, key: SocketKey) {
        self.inner.lock().close(key);
        self.inner.asked.notify_one();
    }

    fn send(&mut self, key: SocketKey, payload: Payload) -> bool {
        let asked = match payload {
            Payload::Text(text) => Asked::Text { key, text },
            Payload::Ping(_) => Asked::Ping { key },
            Payload::Binary(_) => return false,
        };
        let waits = self.inner.lock().send(asked);
        self.inner.asked.notify_one();
        if !waits {
            let reason = "too much waits for the library, which takes nothing".to_owned();
            self.out.push_back(IoEvent::Closed { key, reason });
        }
        waits
    }

    fn call(&mut self, key: CallKey, request: Request) {
        let urgency = request.urgency;
        let mut state = self.inner.lock();
        if state.calls.len(urgency) >= MAX_WAITING {
            drop(state);
            self.out.push_back(failed(key, false, "too many requests wait for the library"));
            return;
        }
        let until = Instant::now() + self.patience;
        state.open.insert(key, Open { until, taken: false, urgency });
        state.calls.push(urgency, (key, request.body));
        drop(state);
        self.inner.asked.notify_one();
    }

    fn turn_unless(&mut self, patience: Duration, has_work: impl FnOnce() -> bool) -> Result<()> {
        let mut state = self.inner.lock();
        if state.said.is_empty() && self.out.is_empty() && !has_work() {
            let waited = self.inner.said.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.session == self.session {
            state.give_up(Instant::now());
            self.out.append(&mut state.said);
        }
        drop(state);
        self.inner.room.notify_all();
        self.woke_ns = self.clock.now_ns();
        Ok(())
    }

    fn next_event(&mut self) -> Option<IoEvent> {
        loop {
            let event = self.out.pop_front()?;
            if session_of(&event) == usize::from(self.session) {
                return Some(event);
            }
        }
    }

    fn woke_ns(&self) -> TimeNs {
        self.woke_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Url;
    use mainspring_venues::outgoing::Method;

    const LONG: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::ZERO;

    fn request(urgency: Urgency, body: &str) -> Request {
        let url = Url::parse("http://relayed.invalid/x").unwrap();
        Request { urgency, method: Method::Post, url, headers: Vec::new(), body: body.to_owned() }
    }

    /// Keys as a driver makes them.
    fn key(io: &RelayIo, number: u64) -> u64 {
        u64::from(io.session()) << SESSION_BITS | number
    }

    fn place(io: &mut RelayIo, number: u64) {
        io.call(key(io, number), request(Urgency::Order, &number.to_string()));
    }

    fn taken(relay: &Relay) -> Vec<String> {
        let body = |asked| match asked {
            Asked::Call { body, .. } => body,
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| relay.next(NOW)).map(body).collect()
    }

    fn said(io: &mut RelayIo) -> Vec<IoEvent> {
        io.turn_unless(NOW, || true).unwrap();
        std::iter::from_fn(|| io.next_event()).collect()
    }

    #[test]
    fn a_few_requests_are_worked_on_and_cancels_go_first() {
        let relay = Relay::new(LONG);
        let mut io = relay.carrier();
        (0..20).for_each(|n| io.call(key(&io, 200 + n), request(Urgency::Question, "question")));
        assert_eq!(taken(&relay), ["question"; 8]);
        (0..10).for_each(|n| place(&mut io, n));
        assert_eq!(taken(&relay), ["0", "1"], "questions that are not answered hold up no order");
        (100..110).for_each(|n| io.call(key(&io, n), request(Urgency::Cancel, "cancel")));
        assert_eq!(taken(&relay), ["cancel"; 2], "nor orders a cancel");
        relay.answer(key(&io, 0), true, "{}".to_owned()).unwrap();
        assert_eq!(taken(&relay), ["cancel"], "a place is free, and cancels are first");
        let [IoEvent::Response { response, .. }] = &said(&mut io)[..] else { panic!("no answer") };
        assert_eq!((response.head.status, response.body.as_slice()), (200, b"{}".as_slice()));
    }

    #[test]
    fn what_is_too_much_was_not_sent() {
        let relay = Relay::new(LONG);
        let mut io = relay.carrier();
        (0..=MAX_WAITING as u64).for_each(|n| place(&mut io, n));
        // Cancels wait apart.
        io.call(key(&io, 999), request(Urgency::Cancel, "cancel"));
        let [IoEvent::Failed { perhaps_sent: false, .. }] = &said(&mut io)[..] else {
            panic!("one is too much")
        };
        assert_eq!(taken(&relay)[0], "cancel");
    }

    /// All that the library is asked to do, but for requests.
    fn wires(relay: &Relay) -> Vec<Asked> {
        std::iter::from_fn(|| relay.next(NOW)).collect()
    }

    #[test]
    fn a_library_that_takes_nothing_loses_the_connection_and_its_queue_stays_bounded() {
        let relay = Relay::new(LONG);
        let mut io = relay.carrier();
        let (user, market) = (key(&io, 1), key(&io, 2));
        let text = |n: usize| Payload::Text(n.to_string());
        io.open(user, "ws://relayed.invalid/user", Vec::new());
        io.open(market, "ws://relayed.invalid/market", Vec::new());
        assert_eq!(wires(&relay).len(), 2);
        assert!(io.send(user, text(0)));
        assert!((1..MAX_TEXTS).all(|n| io.send(market, text(n))));
        assert!((0..1_000).all(|_| io.send(market, Payload::Ping(Vec::new()))));
        assert!(said(&mut io).is_empty(), "that much may wait");
        assert!(!io.send(market, text(MAX_TEXTS)));
        let [IoEvent::Closed { key: closed, reason }] = &said(&mut io)[..] else {
            panic!("not told")
        };
        assert_eq!((*closed, reason.contains("too much waits")), (market, true), "{reason}");
        // The session opens others at once, again and again: what the library did not begin is forgotten.
        for n in 3..1_000 {
            io.open(key(&io, n), "ws://relayed.invalid/market", Vec::new());
            io.send(key(&io, n), text(0));
            io.close(key(&io, n));
        }
        let next = Asked::Open { key: key(&io, 1_000), what: "market".to_owned() };
        io.open(key(&io, 1_000), "ws://relayed.invalid/market", Vec::new());
        let all =
            [Asked::Text { key: user, text: "0".to_owned() }, Asked::Close { key: market }, next];
        assert_eq!(wires(&relay), all);
    }

    #[test]
    fn without_an_answer_it_counts_whether_the_library_had_begun() {
        let relay = Relay::new(NOW);
        let mut io = relay.carrier();
        place(&mut io, 1);
        let body = taken(&relay);
        place(&mut io, 2);
        assert!(relay.awaits(key(&io, 1)) && relay.awaits(key(&io, 2)));
        let mut failed: Vec<(u64, bool)> = said(&mut io)
            .iter()
            .map(|event| match event {
                IoEvent::Failed { key, perhaps_sent, .. } => (*key & 0xff, *perhaps_sent),
                other => panic!("{other:?}"),
            })
            .collect();
        failed.sort_unstable();
        assert!(!relay.awaits(key(&io, 1)) && !relay.awaits(key(&io, 2)));
        assert_eq!((body, failed), (vec!["1".to_owned()], vec![(1, true), (2, false)]));
        assert_eq!(taken(&relay), [""; 0], "what was given up is not begun later");
        relay.answer(key(&io, 1), true, "{}".to_owned()).unwrap();
        assert!(said(&mut io).is_empty(), "an answer that comes too late is dropped");
    }

    #[test]
    fn another_session_hears_nothing_of_the_one_before() {
        let relay = Relay::new(LONG);
        let mut before = relay.carrier();
        place(&mut before, 1);
        before.open(key(&before, 2), "ws://relayed.invalid/user", Vec::new());
        let mut io = relay.carrier();
        assert_ne!(io.session(), before.session());
        assert_eq!(relay.next(NOW), None);
        relay.opened(key(&before, 2)).unwrap();
        relay.answer(key(&before, 1), true, "{}".to_owned()).unwrap();
        assert!(said(&mut io).is_empty());
        io.open(key(&io, 2), "ws://relayed.invalid/user", Vec::new());
        let user = Asked::Open { key: key(&io, 2), what: "user".to_owned() };
        assert_eq!(relay.next(NOW), Some(user));
        relay.opened(key(&io, 2)).unwrap();
        assert!(matches!(said(&mut io)[..], [IoEvent::Opened { .. }]));
    }

    #[test]
    fn what_the_library_heard_is_told_as_it_is() {
        let relay = Relay::new(LONG);
        let mut io = relay.carrier();
        relay.heard("as it came".to_owned()).unwrap();
        let [IoEvent::Heard { bytes, recv_ns, .. }] = &said(&mut io)[..] else { panic!("nothing") };
        assert_eq!((bytes.as_ref(), *recv_ns > 0), (b"as it came".as_slice(), true));
    }

    #[test]
    fn the_library_waits_while_the_session_is_behind_and_is_told_of_its_end() {
        let relay = Relay::new(LONG);
        let mut io = relay.carrier();
        let (socket, library) = (key(&io, 1), relay.clone());
        let tells = std::thread::spawn(move || {
            let told = (0..2 * MAX_SAID).map(|n| library.message(socket, n.to_string()));
            told.filter(std::result::Result::is_ok).count()
        });
        let mut heard = 0;
        while heard < MAX_SAID + 1 {
            let some = said(&mut io).len();
            assert!(some <= MAX_SAID, "{some} at once");
            heard += some;
        }
        relay.end();
        let told = tells.join().unwrap();
        assert!((heard..=2 * MAX_SAID).contains(&told), "{told} of {heard}");
        assert!(relay.pong(socket).is_err());
    }
}
