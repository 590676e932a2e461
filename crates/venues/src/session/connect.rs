//! Connecting: market data, user events, orders; keeping connections alive and replacing them.

use mainspring_core::{InstrumentId, TimeNs};

use super::calls::{About, Later};
use super::effect::{Effect, Message, Outbox};
use super::input::SocketId;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::ours::Signal;
use super::told::{Level, Told};
use super::wires::{Role, Wire};
use super::wiring::{SnapshotBy, UserBy};
use crate::fact::{Fact, Notice};
use crate::operation::{Operation, UserStream};
use crate::outgoing::Via;
use crate::venue::Stream;

/// So much before the venue ends a connection another one takes its place.
const BEFORE_END_NS: i64 = 600_000 * MS;

/// Longest wait before the key of the user stream is asked for again.
const LONGEST_WITHOUT_KEY_NS: i64 = 60_000 * MS;

/// The key of the user stream was asked for in vain.
#[derive(Debug, Default)]
pub(super) struct WithoutKey {
    /// How often since there was one.
    times: u32,
    /// The code of what was told of it.
    told: String,
}

impl VenueSession {
    /// Connects to each address that has something to subscribe to.
    pub(super) fn connect_market(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let mut wanted: Vec<usize> = self.subscriptions().into_iter().map(|(at, _)| at).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for at in wanted {
            self.open(Role::Market(at), false, now_ns, out);
        }
    }

    /// The frames that subscribe to the market, each with its connection.
    fn subscriptions(&mut self) -> Vec<(usize, String)> {
        let mut frames = Vec::new();
        let listings: Vec<_> = self.listings.all().iter().collect();
        let id = self.calls.next();
        // What a venue does not stream is left out by its codec.
        let _ = self.venue.subscribe(&listings, &self.settings.streams, id, &mut frames);
        if self.settings.addresses.market[0] == self.settings.addresses.market[1] {
            frames.iter_mut().for_each(|(at, _)| *at = 0);
        }
        frames
    }

    /// Connects what orders and user events need.
    pub(super) fn connect_trade(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        match self.wiring.user {
            UserBy::ListenKey { .. } => self.ask_listen_key(now_ns, out),
            UserBy::Trade => {}
            UserBy::LogIn | UserBy::Address => self.open(Role::User, false, now_ns, out),
        }
        let apart = self.settings.addresses.trade != self.settings.addresses.user;
        let needed = self.wiring.user == UserBy::Trade
            || (apart
                && self.settings.orders_by_socket
                && !self.settings.addresses.trade.is_empty());
        if needed {
            self.open(Role::Trade, false, now_ns, out);
        }
        if self.has_armed_stream() {
            self.open(Role::Armed, false, now_ns, out);
        }
    }

    /// Opens the stream of orders that wait for their trigger again.
    pub(super) fn reopen_armed(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if self.wires.of(Role::Armed).is_none() {
            self.open(Role::Armed, false, now_ns, out);
        }
    }

    /// The connection for orders is opened again when it was held back.
    pub(super) fn reopen_for_orders(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if self.wires.of(Role::Trade).is_none() {
            self.open(Role::Trade, false, now_ns, out);
        }
    }

    /// A connection that counts as a request waits while the venue takes none: an attempt would lengthen
    /// a ban.
    fn holds_back(
        &mut self,
        role: Role,
        successor: bool,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> bool {
        let until_ns = self.budgets.blocked_until_ns();
        if role != Role::Trade || !self.wiring.orders_socket_counts || until_ns <= now_ns {
            return false;
        }
        // A successor is wanted again at the next look.
        if !successor {
            let wait_ms = (until_ns - now_ns) / MS;
            let text = format!(
                "{} is made again in {wait_ms} ms: the venue takes no requests",
                name_of(role)
            );
            note(out, Level::Warning, "rate_limit", text);
            self.later(until_ns, Later::OrdersSocket);
        }
        true
    }

    fn open(&mut self, role: Role, successor: bool, now_ns: TimeNs, out: &mut Outbox) {
        if self.holds_back(role, successor, now_ns, out) {
            return;
        }
        let addresses = &self.settings.addresses;
        let url = match role {
            Role::Market(at) => addresses.market[at].clone(),
            Role::Trade => addresses.trade.clone(),
            Role::Armed => {
                let (user, armed) = self.wiring.armed_stream;
                addresses.user.replacen(user, armed, 1)
            }
            Role::User => match (&self.wiring.user, &self.listen_key) {
                (UserBy::ListenKey { .. }, Some(key)) => format!("{}/{key}", addresses.user),
                (UserBy::ListenKey { .. }, None) => return,
                _ => addresses.user.clone(),
            },
        };
        let socket = self.wires.add(role, successor, now_ns);
        let market = matches!(role, Role::Market(_));
        out.ask(Effect::Open { socket, market, url, headers: Vec::new() });
    }

    pub(super) fn opened(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        let Some(wire) = self.wires.get(socket) else { return };
        (wire.open, wire.opened_ns, wire.heard_ns) = (true, now_ns, now_ns);
        let (role, successor) = (wire.role, wire.successor);
        match role {
            Role::Market(at) => {
                for (to, frame) in self.subscriptions() {
                    if to == at {
                        out.text(socket, frame);
                    }
                }
                if let Some(wire) = self.wires.get(socket) {
                    wire.ready = true;
                }
                if at == 0 && !successor && self.settings.streams.contains(&Stream::Book) {
                    self.books.begin(now_ns);
                }
                self.judge_feed(now_ns, out);
            }
            Role::User | Role::Trade | Role::Armed => self.begin_user(socket, role, now_ns, out),
        }
    }

    /// Logs in and subscribes, as far as a connection wants that. What it asks needs the clock: a
    /// connection that is open before that is known waits for it, and is not ready until then.
    fn begin_user(&mut self, socket: SocketId, role: Role, now_ns: TimeNs, out: &mut Outbox) {
        match (role, self.wiring.user) {
            (Role::User, UserBy::Address) if !self.clock.is_known() => {}
            (Role::User, UserBy::ListenKey { .. }) => self.ready(socket, now_ns, out),
            (Role::Trade, UserBy::Trade) => self.stream(socket, UserStream::Subscribe, now_ns, out),
            (Role::User, UserBy::Address) => {
                self.stream(socket, UserStream::Open, now_ns, out);
                self.stream(socket, UserStream::Subscribe, now_ns, out);
                self.ready(socket, now_ns, out);
            }
            (Role::User | Role::Armed, _) => self.stream(socket, UserStream::Open, now_ns, out),
            (Role::Trade, _) if self.wiring.trade_log_in => {
                self.stream(socket, UserStream::Open, now_ns, out);
            }
            _ => self.ready(socket, now_ns, out),
        }
    }

    /// Sends a request of the user stream on a connection, once the clock is known.
    fn stream(&mut self, socket: SocketId, what: UserStream<'_>, now_ns: TimeNs, out: &mut Outbox) {
        if !self.clock.is_known() {
            return;
        }
        let id = self.calls.next();
        let now_ms = self.venue_ms(now_ns);
        let operation = Operation::UserStream(what);
        let via = Via::Socket { id };
        match self.venue.encode(&operation, via, now_ms, &mut self.scratch) {
            Ok(()) => {
                let answered = self.wiring.user == UserBy::Trade;
                out.text(socket, self.scratch.body.clone());
                if answered {
                    self.note_call(id, About::Stream, Some(socket), now_ns);
                }
            }
            Err(error) => note(out, Level::Error, "user_stream", error.message().to_owned()),
        }
    }

    /// The clock is known from now on: connections that waited for it go on.
    pub(super) fn begin_waiting(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let waiting: Vec<(SocketId, Role)> = self
            .wires
            .all()
            .iter()
            .filter(|wire| wire.open && !wire.ready && !matches!(wire.role, Role::Market(_)))
            .map(|wire| (wire.socket, wire.role))
            .collect();
        for (socket, role) in waiting {
            self.begin_user(socket, role, now_ns, out);
        }
    }

    /// A connection does what it is for.
    pub(super) fn ready(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        let Some(wire) = self.wires.get(socket) else { return };
        wire.ready = true;
        if wire.successor {
            self.succeed(socket, now_ns, out);
        }
        self.judge_link(now_ns, out);
    }

    /// A connection takes the place of the one before it.
    pub(super) fn succeed(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        if let Some(old) = self.wires.promote(socket) {
            out.ask(Effect::Close { socket: old.socket });
            for call in self.calls.of_socket(old.socket) {
                self.unanswered(
                    call,
                    super::Sent::Perhaps,
                    "its connection was replaced",
                    now_ns,
                    out,
                );
            }
        }
    }

    pub(super) fn closed(
        &mut self,
        socket: SocketId,
        reason: &str,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let Some(wire) = self.wires.remove(socket) else { return };
        if wire.open {
            let text = format!("{} ended: {reason}", name_of(wire.role));
            note(out, Level::Warning, "connection", text);
        }
        for call in self.calls.of_socket(socket) {
            self.unanswered(call, super::Sent::Perhaps, "its connection ended", now_ns, out);
        }
        if wire.successor {
            return;
        }
        self.lost(&wire, now_ns, out);
        self.reconnect(wire.role, now_ns, out);
    }

    /// What a connection that is no more means.
    fn lost(&mut self, wire: &Wire, now_ns: TimeNs, out: &mut Outbox) {
        match wire.role {
            Role::Market(at) => {
                if at == 0 {
                    self.books.lose_all(now_ns, out);
                }
                self.judge_feed(now_ns, out);
            }
            Role::User | Role::Trade | Role::Armed => self.judge_link(now_ns, out),
        }
    }

    fn reconnect(&mut self, role: Role, now_ns: TimeNs, out: &mut Outbox) {
        let by_key = matches!(self.wiring.user, UserBy::ListenKey { .. });
        if role == Role::User && by_key && self.listen_key.is_none() {
            self.ask_listen_key(now_ns, out);
        } else if role == Role::Armed {
            self.later(now_ns + AGAIN_NS, Later::ArmedStream);
        } else {
            self.open(role, false, now_ns, out);
        }
    }

    /// Ends a connection and begins another one.
    fn restart(&mut self, socket: SocketId, why: &str, now_ns: TimeNs, out: &mut Outbox) {
        out.ask(Effect::Close { socket });
        self.closed(socket, why, now_ns, out);
    }

    /// Pings what is silent, restarts what is dead, replaces what will be ended.
    pub(super) fn watch_wires(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let beat = self.venue.heartbeat();
        let stale_ns = self.settings.stale_ms as i64 * MS;
        let mut dead = Vec::new();
        let mut old = Vec::new();
        for wire in self.wires.all_mut().iter_mut().filter(|wire| wire.open) {
            let silent_ns = now_ns - wire.heard_ns;
            if silent_ns >= stale_ns {
                dead.push(wire.socket);
                continue;
            }
            let quiet = silent_ns >= stale_ns / 2 && now_ns - wire.pinged_ns >= stale_ns / 2;
            let due = beat.every_ms > 0 && now_ns - wire.pinged_ns >= beat.every_ms as i64 * MS;
            if quiet || due {
                wire.pinged_ns = now_ns;
                let message = match beat.ping {
                    "" => Message::Ping,
                    text => Message::Text(text.to_owned()),
                };
                out.ask(Effect::Send { socket: wire.socket, message });
            }
            let life_ns = beat.life_ms as i64 * MS;
            let margin_ns = BEFORE_END_NS.min(life_ns / 10);
            if life_ns > 0 && now_ns - wire.opened_ns > life_ns - margin_ns && !wire.successor {
                old.push(wire.role);
            }
        }
        for socket in dead {
            let why = format!("silent for {} ms", self.settings.stale_ms);
            self.restart(socket, &why, now_ns, out);
        }
        for role in old {
            self.replace(role, now_ns, out);
        }
    }

    /// Opens a connection that takes the place of another one as soon as it serves.
    pub(super) fn replace(&mut self, role: Role, now_ns: TimeNs, out: &mut Outbox) {
        if self.wires.successor_of(role).is_none() {
            self.open(role, true, now_ns, out);
        }
    }

    /// What facts said about the connection that they came on.
    pub(super) fn follow_signals(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        for signal in std::mem::take(&mut self.ours.signals) {
            match signal {
                Signal::LoggedIn => self.logged_in(socket, now_ns, out),
                Signal::Subscribed => self.ready(socket, now_ns, out),
                Signal::LogInFailed(why) | Signal::SubscriptionFailed(why) => {
                    note(out, Level::Error, "user_stream", format!("refused: {why}"));
                    if self.wires.get(socket).is_some_and(|wire| wire.role == Role::Armed) {
                        self.refused_armed(socket, now_ns, out);
                        continue;
                    }
                    self.clock.forget();
                    self.ask_time(now_ns, out);
                    self.restart(socket, "the venue refused it", now_ns, out);
                }
                Signal::StreamExpired => {
                    self.listen_key = None;
                    self.restart(socket, "the user stream expired", now_ns, out);
                }
                Signal::ReconnectSoon => {
                    if let Some(role) = self.wires.get(socket).map(|wire| wire.role) {
                        self.replace(role, now_ns, out);
                    }
                }
                Signal::ListenKey(_) | Signal::ServerTime(_) => {}
            }
        }
    }

    /// A frame of a connection for market data that holds none: the venue may say that it will close,
    /// or that it refused a subscription.
    pub(super) fn market_notice(
        &mut self,
        socket: SocketId,
        bytes: &[u8],
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let mut heard = Vec::new();
        // What is no notice is nobody's business here.
        let _ = self.venue.user(bytes, &mut |fact| match fact {
            Fact::Notice(Notice::ReconnectSoon) => heard.push(None),
            Fact::Notice(Notice::SubscriptionFailed(why)) => heard.push(Some(why.to_owned())),
            _ => {}
        });
        for one in heard {
            match one {
                None => {
                    if let Some(role) = self.wires.get(socket).map(|wire| wire.role) {
                        self.replace(role, now_ns, out);
                    }
                }
                Some(why) => {
                    let text = format!("a subscription to market data was refused: {why}");
                    note(out, Level::Error, "subscription", text);
                }
            }
        }
    }

    /// A frame of a connection was lost, whatever it was about.
    pub(super) fn missed(&mut self, role: Role, now_ns: TimeNs, out: &mut Outbox) {
        let text = format!("{} lost a message", name_of(role));
        note(out, Level::Warning, "gap", text);
        if matches!(role, Role::Market(_)) {
            self.books.gap_all(now_ns, out);
        } else {
            self.later(now_ns, Later::Account(now_ns - 60 * 1_000 * MS));
        }
    }

    fn logged_in(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        match self.wires.get(socket).map(|wire| wire.role) {
            Some(Role::User) if self.wiring.user == UserBy::LogIn => {
                self.stream(socket, UserStream::Subscribe, now_ns, out);
            }
            Some(Role::Armed) => self.stream(socket, UserStream::SubscribeArmed, now_ns, out),
            Some(_) => self.ready(socket, now_ns, out),
            None => {}
        }
    }

    pub(super) fn ask_listen_key(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if self.calls.is_open(&About::ListenKey) {
            return;
        }
        let operation = Operation::UserStream(UserStream::Open);
        if !self.ask(&operation, About::ListenKey, now_ns, out) {
            self.later(now_ns + AGAIN_NS, Later::ListenKey);
        }
    }

    /// No key of the user stream came: it is asked for again with growing waits. That is told once for
    /// each reason.
    pub(super) fn go_without_key(
        &mut self,
        code: &str,
        why: &str,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let without = &mut self.without_key;
        let wait_ns = (AGAIN_NS << without.times.min(6)).min(LONGEST_WITHOUT_KEY_NS);
        if without.times == 0 || without.told != code {
            code.clone_into(&mut without.told);
            let longest_s = LONGEST_WITHOUT_KEY_NS / (1_000 * MS);
            let text = format!(
                "no user events: the venue gives no key for their stream ({why}); it is asked again and \
                 again, after {longest_s} s at most"
            );
            note(out, Level::Warning, "user_stream", text);
        }
        without.times = without.times.saturating_add(1);
        let at_ns = self.budgets.blocked_until_ns().max(now_ns + wait_ns);
        self.later(at_ns, Later::ListenKey);
    }

    /// The key of the user stream is known: its connection can begin. One by another key that is gone
    /// stands and hears nothing.
    pub(super) fn take_listen_key(&mut self, key: String, now_ns: TimeNs, out: &mut Outbox) {
        let UserBy::ListenKey { keep_ms } = self.wiring.user else { return };
        let keep_ns = keep_ms as i64 * MS;
        if std::mem::take(&mut self.without_key).times > 0 {
            let text = "the venue gives a key for the stream of user events again".to_owned();
            note(out, Level::Info, "user_stream", text);
        }
        self.later(now_ns + keep_ns, Later::KeepAlive);
        let gone = self.listen_key.replace(key.clone()).is_some_and(|old| old != key);
        if self.wires.of(Role::User).is_none() {
            self.open(Role::User, false, now_ns, out);
        } else if gone {
            self.replace(Role::User, now_ns, out);
            // The venue may have ceased to tell since the key was kept alive.
            self.later(now_ns, Later::Account(now_ns - 2 * keep_ns));
        }
    }

    pub(super) fn keep_alive(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let Some(key) = self.listen_key.clone() else { return };
        let operation = Operation::UserStream(UserStream::KeepAlive(&key));
        let asked = self.ask(&operation, About::KeepAlive, now_ns, out);
        let UserBy::ListenKey { keep_ms } = self.wiring.user else { return };
        let wait_ns = if asked { keep_ms as i64 * MS } else { AGAIN_NS };
        self.later(now_ns + wait_ns, Later::KeepAlive);
    }

    /// The kernel needs the book of an instrument again.
    pub(super) fn lose_book(&mut self, instrument: InstrumentId, now_ns: TimeNs) {
        self.books.lose(instrument, now_ns);
    }

    /// Takes the subscription of one book back and subscribes again, which brings a snapshot.
    pub(super) fn resubscribe(
        &mut self,
        instrument: InstrumentId,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = std::sync::Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        let Some(socket) = self.wires.ready(Role::Market(0)) else { return };
        let (subscribe, unsubscribe) = self.wiring.unsubscribe;
        let mut frames = Vec::new();
        let id = self.calls.next();
        let streams = [Stream::Book];
        let named = self.venue.subscribe(&[listing], &streams, id, &mut frames).is_ok();
        if !named || subscribe.is_empty() {
            return self.restart(socket, "a book has to begin again", now_ns, out);
        }
        for (_, frame) in frames {
            out.text(socket, frame.replacen(subscribe, unsubscribe, 1));
            out.text(socket, frame);
        }
    }

    pub(super) fn ask_snapshot(
        &mut self,
        instrument: InstrumentId,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        match self.wiring.snapshot {
            SnapshotBy::Stream => self.resubscribe(instrument, now_ns, out),
            SnapshotBy::Request(depth) => {
                let listings = std::sync::Arc::clone(&self.listings);
                let Some(listing) = listings.of_id(instrument) else { return };
                let operation = Operation::Book { listing, depth };
                if !self.ask(&operation, About::Snapshot(instrument), now_ns, out) {
                    self.books.put_off(instrument, now_ns + AGAIN_NS);
                }
            }
        }
    }

    pub(super) fn take_snapshot(
        &mut self,
        instrument: InstrumentId,
        body: &[u8],
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = std::sync::Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        match self.books.snapshot(self.venue.as_mut(), listing, body, now_ns, out) {
            Ok(true) => {}
            Ok(false) => self.books.again(instrument, (now_ns, now_ns), AGAIN_NS / 5),
            Err(refusal) => {
                let text = format!("{}: a snapshot was refused: {refusal}", listing.symbol());
                note(out, Level::Warning, "message", text);
                self.books.again(instrument, (now_ns, now_ns), AGAIN_NS);
            }
        }
    }

    /// Tells the offset of the venue's clock.
    pub(super) fn tell_clock(&self, out: &mut Outbox) {
        let (offset_ns, error_ns) = self.clock.offset();
        out.tell(Told::Clock { offset_ns, error_ns });
    }
}

const fn name_of(role: Role) -> &'static str {
    match role {
        Role::Market(0) => "the connection for books",
        Role::Market(_) => "the connection for trades",
        Role::User => "the connection for user events",
        Role::Trade => "the connection for orders",
        Role::Armed => "the connection for orders that wait for their trigger",
    }
}
