//! The sockets and requests of one thread.
//!
//! [`Io`] is turned by its driver: each turn reads what is there, sends what waits, and gives events.
//! It sleeps in the system's poll, or, busy, reads its sockets without asking first.

mod attempts;
mod calls;
mod sockets;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{fence, AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_live::WallClock;
use mio::{Events, Poll, Token, Waker};
use tungstenite::Bytes;

use crate::backoff::BackOffConfig;
use crate::connect::Route;
use crate::http::{Request, Response};
use crate::lines::Places;
use crate::pulse::PulseConfig;
use crate::websocket::{Payload, SocketLimits};

use attempts::{Attempts, Made};
use calls::Calls;
use sockets::Sockets;

/// Token of the waker; connections have those from 1 on.
const WAKE: Token = Token(0);

/// Settings of one I/O thread.
#[derive(Clone, Debug)]
pub struct IoConfig {
    /// How connections are made.
    pub route: Route,
    /// Bounds of a WebSocket.
    pub limits: SocketLimits,
    /// When a WebSocket is asked for a sign of life, and when it is given up.
    pub pulse: PulseConfig,
    /// Waits before a host is connected to again.
    pub back_off: BackOffConfig,
    /// Bounds of HTTP.
    pub calls: CallLimits,
    /// Seed of the jitter.
    pub seed: u64,
    /// Never sleep.
    pub busy_poll: bool,
}

/// Bounds of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Connections to one host; each has one request at a time.
    pub connections: Places,
    /// Requests of one urgency that may wait for a connection to a host; more are not sent.
    pub waiting: usize,
    /// From the request to its answer.
    pub patience: Duration,
    /// Longest body of an answer.
    pub body_bytes: usize,
    /// A connection without a request is closed after this, before the venue does it.
    pub idle: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            connections: Places { all: 12, for_orders: 2, for_cancels: 2 },
            waiting: 1_024,
            patience: Duration::from_secs(10),
            body_bytes: 64 << 20,
            idle: Duration::from_secs(20),
        }
    }
}

/// A WebSocket by the driver's number.
pub type SocketKey = u64;

/// A request by the driver's number.
pub type CallKey = u64;

/// Something that happened.
#[derive(Debug)]
pub enum IoEvent {
    /// A WebSocket stands.
    Opened {
        /// Which.
        key: SocketKey,
    },
    /// A WebSocket ended, or could not be made.
    Closed {
        /// Which.
        key: SocketKey,
        /// Why, for people.
        reason: String,
    },
    /// A message came.
    Message {
        /// On which WebSocket.
        key: SocketKey,
        /// All of it.
        bytes: Bytes,
        /// When it was taken from the system.
        recv_ns: TimeNs,
    },
    /// A message of the venue as a library heard it, which is kept and not read: the library tells
    /// apart what it made of it.
    Heard {
        /// A number of the session.
        key: SocketKey,
        /// All of it.
        bytes: Bytes,
        /// When the library handed it on.
        recv_ns: TimeNs,
    },
    /// The answer to a ping came.
    Pong {
        /// On which WebSocket.
        key: SocketKey,
    },
    /// An answer.
    Response {
        /// To which request.
        key: CallKey,
        /// The answer.
        response: Response,
    },
    /// A request has no answer and will not get one.
    Failed {
        /// Which.
        key: CallKey,
        /// Whether some of it may have left.
        perhaps_sent: bool,
        /// Why, for people.
        reason: String,
    },
}

/// What both halves use.
struct Shared {
    poll: Poll,
    attempts: Attempts,
    out: VecDeque<IoEvent>,
    clock: WallClock,
    next_token: usize,
}

impl Shared {
    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    fn emit(&mut self, event: IoEvent) {
        self.out.push_back(event);
    }
}

/// Wakes the thread that turns an [`Io`].
#[derive(Clone, Debug)]
pub struct Bell(Arc<Hammer>);

#[derive(Debug)]
struct Hammer {
    waker: Waker,
    asleep: AtomicBool,
}

impl Bell {
    /// Ends its sleep, or the next one at once.
    pub fn ring(&self) {
        // It fails only when the other side is gone.
        let _ = self.0.waker.wake();
    }

    /// Ends its sleep if it sleeps; called after something was put where it looks.
    pub fn ring_if_asleep(&self) {
        // Pairs with the fence in `fall_asleep`: either the sleeper sees what was put, or this sees
        // that it sleeps.
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed) && self.0.asleep.swap(false, Ordering::Relaxed) {
            self.ring();
        }
    }

    fn fall_asleep(&self) {
        self.0.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn wake_up(&self) {
        self.0.asleep.store(false, Ordering::Relaxed);
    }
}

/// A bell that can be handed out before there is an [`Io`] to wake. Ringing costs a system call only
/// while the other side sleeps.
#[derive(Clone, Debug, Default)]
pub struct DeferredBell(Arc<OnceLock<Bell>>);

impl DeferredBell {
    /// Says what it rings.
    pub fn connect(&self, bell: Bell) {
        // The first one stays.
        let _ = self.0.set(bell);
    }

    /// Ends the sleep of the other side if it sleeps.
    pub fn ring_if_asleep(&self) {
        if let Some(bell) = self.0.get() {
            bell.ring_if_asleep();
        }
    }
}

/// The sockets and requests of one thread.
pub struct Io {
    shared: Shared,
    sockets: Sockets,
    calls: Calls,
    events: Events,
    bell: Bell,
    busy: bool,
    woke_ns: TimeNs,
}

impl Io {
    /// Nothing is open yet.
    ///
    /// # Errors
    /// When the system gives no poll.
    pub fn new(config: IoConfig, clock: WallClock) -> Result<Self> {
        let broken = |error: io::Error| {
            Error::new(ErrorKind::Io, format!("the I/O thread cannot begin: {error}"))
        };
        let poll = Poll::new().map_err(broken)?;
        let bell = Bell(Arc::new(Hammer {
            waker: Waker::new(poll.registry(), WAKE).map_err(broken)?,
            asleep: AtomicBool::new(false),
        }));
        let attempts = Attempts::new(config.route.clone(), bell.clone());
        let shared =
            Shared { poll, attempts, out: VecDeque::with_capacity(256), clock, next_token: 0 };
        Ok(Self {
            shared,
            sockets: Sockets::new(config.limits, config.pulse, config.back_off, config.seed),
            calls: Calls::new(config.calls),
            events: Events::with_capacity(256),
            bell,
            busy: config.busy_poll,
            woke_ns: clock.now_ns(),
        })
    }

    /// What wakes it.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Connects a WebSocket; after a failure to the same host, once the back-off is over.
    pub fn open(&mut self, key: SocketKey, url: &str, headers: Vec<(&'static str, String)>) {
        self.sockets.open(&mut self.shared, key, url, headers);
    }

    /// Closes a WebSocket. `Closed` follows; messages do not.
    pub fn close(&mut self, key: SocketKey) {
        self.sockets.close(&mut self.shared, key);
    }

    /// Sends on a WebSocket that stands; otherwise the message is dropped, and false is returned.
    pub fn send(&mut self, key: SocketKey, payload: Payload) -> bool {
        self.sockets.send(&mut self.shared, key, payload)
    }

    /// Makes a request.
    pub fn call(&mut self, key: CallKey, request: Request) {
        self.calls.begin(&mut self.shared, key, request);
    }

    /// Reads and sends what can be, after sleeping for at most `patience` when there is nothing.
    ///
    /// # Errors
    /// When the system's poll fails.
    pub fn turn(&mut self, patience: Duration) -> Result<()> {
        self.turn_unless(patience, || false)
    }

    /// As [`Self::turn`], but does not sleep when `has_work` says, at the last moment, that there is
    /// something to do: who puts it there rings the bell if it sees a sleeper.
    ///
    /// # Errors
    /// When the system's poll fails.
    pub fn turn_unless(
        &mut self,
        patience: Duration,
        has_work: impl FnOnce() -> bool,
    ) -> Result<()> {
        let now = Instant::now();
        self.settle_attempts();
        self.sockets.keep_time(&mut self.shared, now);
        self.calls.keep_time(&mut self.shared, now);
        if self.busy {
            self.sockets.mark_all();
            self.calls.turn_all(&mut self.shared);
        } else {
            self.sleep(patience, now, has_work)?;
        }
        self.woke_ns = self.shared.clock.now_ns();
        self.sockets.read(&mut self.shared);
        Ok(())
    }

    /// When the last turn began to read.
    #[must_use]
    pub const fn woke_ns(&self) -> TimeNs {
        self.woke_ns
    }

    fn sleep(
        &mut self,
        patience: Duration,
        now: Instant,
        has_work: impl FnOnce() -> bool,
    ) -> Result<()> {
        let idle = self.shared.out.is_empty() && !self.sockets.has_ready();
        let due = self.sockets.next_due(now).min(self.calls.next_due(now));
        self.bell.fall_asleep();
        let wait = if idle && !has_work() { patience.min(due) } else { Duration::ZERO };
        let polled = self.shared.poll.poll(&mut self.events, Some(wait));
        self.bell.wake_up();
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        for event in &self.events {
            match event.token() {
                WAKE => {}
                token if self.sockets.mark(&mut self.shared, token) => {}
                token => self.calls.turn(&mut self.shared, token),
            }
        }
        self.settle_attempts();
        Ok(())
    }

    fn settle_attempts(&mut self) {
        while let Some((made, result)) = self.shared.attempts.next() {
            match made {
                Made::Socket(key) => self.sockets.made(&mut self.shared, key, result),
                Made::Call(origin) => self.calls.made(&mut self.shared, &origin, result),
            }
        }
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<IoEvent> {
        self.shared.out.pop_front()
    }

    /// WebSockets that stand, and those that are to stand.
    #[must_use]
    pub fn open_sockets(&self) -> (usize, usize) {
        self.sockets.count()
    }
}
