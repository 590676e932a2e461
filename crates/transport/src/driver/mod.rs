//! Turns a venue session: what happened on its sockets goes in, what it asks for is carried out, what
//! it tells goes to an [`Ear`].

mod carrier;
mod copied;
mod link;
mod state;
mod timers;

use std::collections::VecDeque;

use mainspring_core::report::Account;
use mainspring_core::{InstrumentId, MarketRow, Request, Ticks, TimeNs};
use mainspring_venues::session::{
    CallId, Effect, Input, Message, Outbox, Sent, Session, SocketId, Told,
};

use crate::address::Url;
use crate::http::{self, Response};
use crate::io::{CallKey, IoEvent, SocketKey};
use crate::websocket::Payload;

pub use carrier::Carrier;
use copied::{Copied, Heard};
pub use link::{group, relayed, Group, LinkConfig};
pub use state::{Shown, VenueState};
use timers::Timers;

/// Takes what a session tells.
pub trait Ear {
    /// A message came, before the session reads it.
    fn raw(&mut self, socket: SocketId, bytes: &[u8], recv_ns: TimeNs) {
        let _ = (socket, bytes, recv_ns);
    }

    /// Rows of one instrument, whole messages. False when they could not be taken: the session is
    /// told that its book is wanted again.
    fn market(&mut self, instrument: InstrumentId, base: Ticks, rows: &[MarketRow]) -> bool;

    /// Anything else.
    fn told(&mut self, told: Told);
}

/// Numbers of connections and requests begin with that of their session.
const SESSION_BITS: u32 = 56;
/// Then the number of the copy.
const COPY_BITS: u32 = 48;

/// The session that a connection or request belongs to.
pub(crate) const fn session_of(event: &IoEvent) -> usize {
    let key = match event {
        IoEvent::Opened { key }
        | IoEvent::Closed { key, .. }
        | IoEvent::Message { key, .. }
        | IoEvent::Heard { key, .. }
        | IoEvent::Pong { key }
        | IoEvent::Response { key, .. }
        | IoEvent::Failed { key, .. } => *key,
    };
    (key >> SESSION_BITS) as usize
}

/// One session on the sockets of a thread.
pub struct Driver {
    session: Box<dyn Session>,
    index: u64,
    out: Outbox,
    timers: Timers,
    copied: Copied,
    /// Requests that could not even be tried.
    untried: VecDeque<(CallId, String)>,
    lost: Vec<InstrumentId>,
}

impl Driver {
    /// For the session of this number (below 128) among those of the thread, with so many connections
    /// to each stream of market data, where the venue's messages tell copies.
    #[must_use]
    pub fn new(session: Box<dyn Session>, index: u8, copies: u8) -> Self {
        let marks = session.marks();
        Self {
            session,
            index: u64::from(index & 127),
            out: Outbox::new(),
            timers: Timers::default(),
            copied: Copied::new(copies, marks),
            untried: VecDeque::new(),
            lost: Vec::new(),
        }
    }

    /// The venue's name.
    #[must_use]
    pub fn venue(&self) -> &str {
        self.session.venue()
    }

    /// What we have at the venue by our books.
    pub fn adopt(&mut self, account: &Account) {
        self.session.adopt(account);
    }

    /// Begins.
    pub fn start(&mut self, io: &mut impl Carrier, ear: &mut dyn Ear, now_ns: TimeNs) {
        self.session.start(now_ns, &mut self.out);
        self.settle(io, ear, now_ns);
    }

    /// Something happened on a socket or to a request of this session.
    pub fn event(
        &mut self,
        io: &mut impl Carrier,
        ear: &mut dyn Ear,
        event: IoEvent,
        now_ns: TimeNs,
    ) {
        match event {
            IoEvent::Message { key, bytes, recv_ns } => {
                if self.copied.passes(key, &bytes) {
                    let socket = socket_of(key);
                    ear.raw(socket, &bytes, recv_ns);
                    self.tell(Input::Frame { socket, bytes: &bytes, recv_ns }, now_ns);
                }
            }
            IoEvent::Opened { key } => match self.copied.opened(key) {
                Heard::Tell(_) => {
                    self.tell(Input::Opened { socket: socket_of(key) }, now_ns);
                    self.settle(io, ear, now_ns);
                    self.copied.begun(key);
                }
                Heard::Replay(messages) => messages.into_iter().for_each(|message| {
                    io.send(key, payload(message));
                }),
                Heard::Nothing | Heard::Again(..) => {}
            },
            IoEvent::Closed { key, reason } => match self.copied.closed(key) {
                Heard::Tell(rest) => {
                    rest.into_iter().for_each(|key| io.close(key));
                    let reason = reason.as_str();
                    self.tell(Input::Closed { socket: socket_of(key), reason }, now_ns);
                }
                Heard::Again(url, headers) => io.open(key, &url, headers),
                Heard::Nothing | Heard::Replay(_) => {}
            },
            IoEvent::Heard { .. } => {}
            IoEvent::Pong { key } => self.tell(Input::Pong { socket: socket_of(key) }, now_ns),
            IoEvent::Response { key, response } => self.respond(key, &response, now_ns),
            IoEvent::Failed { key, perhaps_sent, reason } => {
                let sent = if perhaps_sent { Sent::Perhaps } else { Sent::No };
                let reason = reason.as_str();
                self.tell(Input::Failed { id: call_of(key), sent, reason }, now_ns);
            }
        }
        self.settle(io, ear, now_ns);
    }

    /// The kernel asks for something.
    pub fn request(
        &mut self,
        io: &mut impl Carrier,
        ear: &mut dyn Ear,
        request: &Request,
        now_ns: TimeNs,
    ) {
        self.encode(std::slice::from_ref(request), now_ns);
        self.settle(io, ear, now_ns);
    }

    /// What the kernel asks for at once is ready to be sent, and nothing of it left: [`Self::settle`]
    /// follows.
    pub(crate) fn encode(&mut self, requests: &[Request], now_ns: TimeNs) {
        self.session.requests(requests, now_ns, &mut self.out);
    }

    /// Trading is halted.
    pub(crate) fn halted(&mut self, io: &mut impl Carrier, ear: &mut dyn Ear, now_ns: TimeNs) {
        self.session.halted(now_ns, &mut self.out);
        self.settle(io, ear, now_ns);
    }

    /// Gives the timers whose time came.
    pub fn due(&mut self, io: &mut impl Carrier, ear: &mut dyn Ear, now_ns: TimeNs) {
        while let Some(timer) = self.timers.take_due(now_ns) {
            self.tell(Input::Due { timer }, now_ns);
            self.settle(io, ear, now_ns);
        }
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_due_ns(&self) -> TimeNs {
        self.timers.next_ns()
    }

    /// Ends; the thread goes on for a little while until answers have come.
    pub fn stop(&mut self, io: &mut impl Carrier, ear: &mut dyn Ear, now_ns: TimeNs) {
        self.session.stop(now_ns, &mut self.out);
        self.settle(io, ear, now_ns);
    }

    /// Messages that other copies had brought before.
    #[must_use]
    pub const fn copies_dropped(&self) -> u64 {
        self.copied.dropped()
    }

    fn tell(&mut self, input: Input<'_>, now_ns: TimeNs) {
        self.session.handle(input, now_ns, &mut self.out);
    }

    fn respond(&mut self, key: CallKey, response: &Response, now_ns: TimeNs) {
        let fields = response.head.fields.iter();
        let headers: Vec<(&str, &str)> =
            fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (status, body) = (response.head.status, response.body.as_slice());
        let id = call_of(key);
        self.tell(Input::Response { id, status, headers: &headers, body }, now_ns);
    }

    /// Carries out what the session asked for and hands on what it told, until it wants no more.
    pub(crate) fn settle(&mut self, io: &mut impl Carrier, ear: &mut dyn Ear, now_ns: TimeNs) {
        loop {
            let mut out = std::mem::take(&mut self.out);
            for effect in out.effects.drain(..) {
                self.carry_out(io, effect);
            }
            for told in std::mem::take(&mut out.told) {
                self.hand_on(ear, told, &out);
            }
            out.clear();
            self.out = out;
            if let Some((id, reason)) = self.untried.pop_front() {
                let reason = reason.as_str();
                self.tell(Input::Failed { id, sent: Sent::No, reason }, now_ns);
            } else if let Some(instrument) = self.lost.pop() {
                self.tell(Input::RowsLost { instrument }, now_ns);
            } else {
                return;
            }
        }
    }

    fn hand_on(&mut self, ear: &mut dyn Ear, told: Told, out: &Outbox) {
        match told {
            Told::Market { instrument, base, rows } => {
                let taken = ear.market(instrument, base, out.rows(&rows));
                if !taken && !self.lost.contains(&instrument) {
                    self.lost.push(instrument);
                }
            }
            other => ear.told(other),
        }
    }

    fn carry_out(&mut self, io: &mut impl Carrier, effect: Effect) {
        match effect {
            Effect::Open { socket, market, url, headers } => {
                let key = self.key(socket);
                for key in self.copied.open(key, market, &url, &headers) {
                    io.open(key, &url, headers.clone());
                }
            }
            Effect::Close { socket } => {
                for key in self.copied.close(self.key(socket)) {
                    io.close(key);
                }
            }
            Effect::Send { socket, message } => {
                let (first, others) = self.copied.send(self.key(socket), &message);
                for key in others {
                    io.send(key, payload(message.clone()));
                }
                // A connection that ended says so itself.
                io.send(first, payload(message));
            }
            Effect::Http { id, urgency, method, url, headers, body } => match Url::parse(&url) {
                Ok(url) => {
                    let key = (self.index << SESSION_BITS) | id.0;
                    io.call(key, http::Request { urgency, method, url, headers, body });
                }
                Err(error) => self.untried.push_back((id, error.message().to_owned())),
            },
            Effect::Timer { timer, at_ns } => self.timers.set(timer, at_ns),
        }
    }

    const fn key(&self, socket: SocketId) -> SocketKey {
        (self.index << SESSION_BITS) | socket.0 as u64
    }
}

const fn socket_of(key: SocketKey) -> SocketId {
    SocketId(key as u32)
}

const fn call_of(key: CallKey) -> CallId {
    CallId(key & ((1 << SESSION_BITS) - 1))
}

fn payload(message: Message) -> Payload {
    match message {
        Message::Text(text) => Payload::Text(text),
        Message::Binary(bytes) => Payload::Binary(bytes),
        Message::Ping => Payload::Ping(Vec::new()),
    }
}
