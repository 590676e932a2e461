//! The session with any venue of the table: its codec, its wiring, and what is known of our orders.

use std::sync::Arc;

use mainspring_core::report::Account;
use mainspring_core::{Error, ErrorKind, Request, Result, TimeNs};

use super::account::Gather;
use super::book::{Books, MarketCounts};
use super::budget::Budgets;
use super::calls::{Calls, Later};
use super::clock::VenueClock;
use super::connect::WithoutKey;
use super::effect::{Effect, Outbox};
use super::input::{Input, SocketId, TimerId};
use super::ours::Ours;
use super::settings::SessionSettings;
use super::told::{Level, Note, Told};
use super::wires::{Role, Wires};
use super::wiring::{SnapshotBy, UserBy, Wiring};
use super::Session;
use crate::client_id::ClientIds;
use crate::listing::Listings;
use crate::mark::MarkOf;
use crate::outgoing::{Outgoing, Reply};
use crate::venue::Venue;

/// The one timer: deadlines are looked at so often.
pub(super) const TICK: TimerId = TimerId(0);
const TICK_NS: i64 = 50_000_000;

/// After something failed that has to be there, it is tried again so much later.
pub(super) const AGAIN_NS: i64 = 1_000_000_000;

pub(super) const MS: i64 = 1_000_000;

/// A session with one venue.
pub struct VenueSession {
    pub(super) venue: Box<dyn Venue>,
    pub(super) wiring: Wiring,
    pub(super) settings: SessionSettings,
    pub(super) listings: Arc<Listings>,
    /// Whether orders are taken in an instrument, by its place in the listings.
    pub(super) tradable: Vec<bool>,
    pub(super) books: Books,
    pub(super) ours: Ours,
    pub(super) wires: Wires,
    pub(super) calls: Calls,
    pub(super) later: Vec<(TimeNs, Later)>,
    pub(super) clock: VenueClock,
    pub(super) budgets: Budgets,
    pub(super) gather: Option<Gather>,
    pub(super) gathers: u64,
    pub(super) scratch: Outgoing,
    pub(super) listen_key: Option<String>,
    pub(super) without_key: WithoutKey,
    pub(super) instruments_known: bool,
    pub(super) up: bool,
    pub(super) fresh: bool,
    pub(super) ended: bool,
    pub(super) started_ns: TimeNs,
    pub(super) holdings: super::account::Holdings,
    pub(super) round: super::round::Round,
    pub(super) armed_missing: Option<super::armed::Missing>,
}

impl VenueSession {
    /// A session over a codec, with the instruments that are traded.
    ///
    /// # Errors
    /// When there is no instrument, or one is another venue's.
    pub fn new(
        venue: Box<dyn Venue>,
        listings: Listings,
        settings: SessionSettings,
    ) -> Result<Self> {
        if listings.all().is_empty() {
            return Err(Error::new(ErrorKind::Config, "a session needs an instrument"));
        }
        if let Some(other) = listings.all().iter().find(|one| one.instrument.venue != venue.name())
        {
            let what = format!(
                "{} is an instrument of {}, not of {}",
                other.symbol(),
                other.instrument.venue,
                venue.name()
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let wiring = venue.wiring();
        let listings = Arc::new(listings);
        let clients = ClientIds::new(venue.rules().client_ids, settings.tag);
        Ok(Self {
            books: Books::new(&listings, matches!(wiring.snapshot, SnapshotBy::Request(_))),
            ours: Ours::new(&listings, clients),
            budgets: Budgets::new(venue.rules().budgets, settings.reserve_percent),
            tradable: listings.all().iter().map(|listing| listing.trading).collect(),
            wiring,
            settings,
            listings,
            venue,
            wires: Wires::default(),
            calls: Calls::default(),
            later: Vec::new(),
            clock: VenueClock::default(),
            gather: None,
            gathers: 0,
            scratch: Outgoing::new(),
            listen_key: None,
            without_key: WithoutKey::default(),
            instruments_known: false,
            up: false,
            fresh: false,
            ended: false,
            started_ns: 0,
            holdings: super::account::Holdings::default(),
            round: super::round::Round::default(),
            armed_missing: None,
        })
    }

    /// What happened to market data so far.
    #[must_use]
    pub const fn market_counts(&self) -> MarketCounts {
        self.books.counts
    }

    /// What is used of the venue's budgets: name, used, limit.
    pub fn budget_usage(&self) -> impl Iterator<Item = (&'static str, u32, u32)> + '_ {
        self.budgets.usage()
    }

    /// Whether orders can be sent and statements come in.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    pub(super) fn venue_ms(&self, now_ns: TimeNs) -> i64 {
        self.clock.venue_ms(now_ns)
    }

    /// Something is done at this time; what was to be done later than that anyway is done then.
    pub(super) fn later(&mut self, at_ns: TimeNs, what: Later) {
        match self.later.iter_mut().find(|(_, other)| *other == what) {
            Some((due_ns, _)) => *due_ns = at_ns.min(*due_ns),
            None => self.later.push((at_ns, what)),
        }
    }

    /// Whether user events and orders share one connection.
    pub(super) fn user_role(&self) -> Role {
        if self.wiring.user == UserBy::Trade {
            Role::Trade
        } else {
            Role::User
        }
    }

    /// Looks whether orders can be sent and statements come in, and says when that changed.
    pub(super) fn judge_link(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let up = if self.settings.trades {
            self.clock.is_known()
                && self.instruments_known
                && self.wires.ready(self.user_role()).is_some()
        } else {
            self.fresh
        };
        if up == self.up {
            return;
        }
        self.up = up;
        out.tell(Told::Link { up });
        if up {
            self.keep_countdown(now_ns, out);
        } else {
            self.gather = None;
            self.on_loss(now_ns, out);
        }
    }

    /// Looks whether market data can be relied on, and says when that changed.
    pub(super) fn judge_feed(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let mut wires = self.wires.all().iter().filter(|wire| !wire.successor);
        let fresh = wires.all(|wire| !matches!(wire.role, Role::Market(_)) || wire.open)
            && self.wires.of(Role::Market(0)).is_some();
        if fresh != self.fresh {
            self.fresh = fresh;
            out.tell(Told::Feed { fresh });
            if !fresh {
                self.on_loss(now_ns, out);
            }
        }
        self.judge_link(now_ns, out);
    }

    fn tick(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let given_up_ns = now_ns - self.settings.answer_ms as i64 * MS;
        for call in self.calls.overdue(given_up_ns) {
            self.unanswered(call, super::Sent::Perhaps, "no answer came", now_ns, out);
        }
        self.do_what_is_due(now_ns, out);
        self.watch_wires(now_ns, out);
        self.watch_armed(now_ns, out);
        let quiet_ns = self.settings.quiet_ms as i64 * MS;
        self.books.doubt_quiet(now_ns, quiet_ns, out);
        while let Some(instrument) = self.books.due(now_ns) {
            self.ask_snapshot(instrument, now_ns, out);
        }
        out.timer(TICK, now_ns + TICK_NS);
    }

    fn do_what_is_due(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let mut due = Vec::new();
        self.later.retain(|(at_ns, what)| {
            let is_due = *at_ns <= now_ns;
            if is_due {
                due.push(what.clone());
            }
            !is_due
        });
        for what in due {
            match what {
                Later::Time => self.ask_time(now_ns, out),
                Later::Instruments => self.ask_instruments(now_ns, out),
                Later::ListenKey => self.ask_listen_key(now_ns, out),
                Later::KeepAlive => self.keep_alive(now_ns, out),
                Later::OrdersSocket => self.reopen_for_orders(now_ns, out),
                Later::Countdown => self.keep_countdown(now_ns, out),
                Later::Query(query) => self.query_if_wanted(query, now_ns, out),
                Later::Sweep(instrument) => self.sweep_instrument(instrument, now_ns, out),
                Later::Cancel { order, instrument, attempt } => {
                    self.cancel(order, instrument, attempt, now_ns, out);
                }
                Later::ForeignCancel(id, instrument) => {
                    self.cancel_foreign(id, instrument, now_ns, out);
                }
                Later::Account(since_ns) => self.ask_account(since_ns, now_ns, out),
                Later::AmendArmed { order, attempt } => {
                    self.amend_armed_again(order, attempt, now_ns, out);
                }
                Later::ArmedStream => self.reopen_armed(now_ns, out),
            }
        }
    }

    fn frame(&mut self, socket: SocketId, bytes: &[u8], times: (TimeNs, TimeNs), out: &mut Outbox) {
        let (recv_ns, now_ns) = times;
        let Some(wire) = self.wires.get(socket) else { return };
        wire.heard_ns = now_ns;
        let (role, successor) = (wire.role, wire.successor);
        // The answer of OKX to a ping is no JSON.
        if bytes == b"pong" {
            return;
        }
        let counted = self.venue.counted(bytes);
        if let Some(count) = counted {
            let before = wire.counted.replace(count);
            if before.is_some_and(|before| count != before + 1) {
                self.missed(role, now_ns, out);
            }
        }
        if matches!(role, Role::Market(_)) {
            match self.books.frame(self.venue.as_mut(), bytes, (recv_ns, now_ns), out) {
                Ok(true) if successor => self.succeed(socket, now_ns, out),
                Ok(true) => {}
                Ok(false) => self.market_notice(socket, bytes, now_ns, out),
                Err(refusal) => {
                    let text = format!("market data was refused: {refusal}");
                    note(out, Level::Warning, "message", text);
                    // Where messages are counted and books are not, no later one tells of this one.
                    if counted.is_some() && self.books.are_any_in_step() {
                        self.missed(role, now_ns, out);
                    }
                }
            }
            return;
        }
        if let Some(id) = self.venue.answered(bytes) {
            if let Some(call) = self.calls.take(id) {
                self.conclude(call, &Reply::new(200, bytes), now_ns, out);
            }
        } else {
            let ours = &mut self.ours;
            let read = self.venue.user(bytes, &mut |fact| ours.take(&fact, now_ns, out));
            if let Err(what) = read {
                note(out, Level::Error, "message", format!("a user event was refused: {what}"));
                // What it said is asked for instead.
                self.later(now_ns, Later::Account(now_ns - 60 * 1_000 * MS));
            }
        }
        self.follow_signals(socket, now_ns, out);
    }
}

impl Session for VenueSession {
    fn venue(&self) -> &str {
        self.venue.name()
    }

    fn marks(&self) -> Option<MarkOf> {
        self.venue.marks()
    }

    fn adopt(&mut self, account: &Account) {
        self.ours.adopt(account);
        self.holdings.adopt(account);
    }

    fn start(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        self.started_ns = now_ns;
        self.ask_time(now_ns, out);
        self.ask_instruments(now_ns, out);
        self.connect_market(now_ns, out);
        if self.settings.trades {
            self.connect_trade(now_ns, out);
        }
        out.timer(TICK, now_ns + TICK_NS);
    }

    fn handle(&mut self, input: Input<'_>, now_ns: TimeNs, out: &mut Outbox) {
        if self.ended {
            return;
        }
        match input {
            Input::Opened { socket } => self.opened(socket, now_ns, out),
            Input::Closed { socket, reason } => self.closed(socket, reason, now_ns, out),
            Input::Frame { socket, bytes, recv_ns } => {
                self.frame(socket, bytes, (recv_ns, now_ns), out);
            }
            Input::Pong { socket } => {
                if let Some(wire) = self.wires.get(socket) {
                    wire.heard_ns = now_ns;
                }
            }
            Input::Response { id, status, headers, body } => {
                if let Some(call) = self.calls.take(id.0) {
                    self.conclude(call, &Reply { status, headers, body }, now_ns, out);
                }
            }
            Input::Failed { id, sent, reason } => {
                if let Some(call) = self.calls.take(id.0) {
                    self.unanswered(call, sent, reason, now_ns, out);
                }
            }
            Input::Due { timer } => {
                if timer == TICK {
                    self.tick(now_ns, out);
                }
            }
            Input::RowsLost { instrument } => self.lose_book(instrument, now_ns),
        }
    }

    fn request(&mut self, request: &Request, now_ns: TimeNs, out: &mut Outbox) {
        self.serve(request, now_ns, out);
    }

    fn requests(&mut self, requests: &[Request], now_ns: TimeNs, out: &mut Outbox) {
        match requests {
            [one] => self.serve(one, now_ns, out),
            several => self.serve_round(several, now_ns, out),
        }
    }

    fn halted(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        self.sweep(now_ns, out);
    }

    fn stop(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if self.up {
            self.set_countdown(0, now_ns, out);
        }
        for wire in self.wires.all() {
            out.ask(Effect::Close { socket: wire.socket });
        }
        self.ended = true;
    }
}

/// Writes a line for the log.
pub(super) fn note(out: &mut Outbox, level: Level, topic: &'static str, text: String) {
    out.tell(Told::Note(Note { level, topic, text }));
}
