//! Venue sessions as links of a live session: one thread for a group of venues.

use std::collections::HashMap;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainspring_core::event::MarketRow;
use mainspring_core::report::Account;
use mainspring_core::{ClientOrderId, InstrumentId, Request, Ticks, TimeNs, VenueRequestKind};
use mainspring_live::{Bell, Desk, Link, Stage};
use mainspring_venues::session::{Session, Told};

use super::{session_of, Carrier, Driver, Ear, VenueState};
use crate::io::{self, Io, IoConfig, IoEvent};
use crate::pin;
use crate::relay::Relay;

/// Longest sleep: timers of sessions and halts are looked at.
const NAP: Duration = Duration::from_millis(2);

/// How long answers are waited for at the end.
const LAST_WORDS_NS: i64 = 300_000_000;

/// Requests that are looked at together.
const MAX_ROUND: usize = 128;

/// Orders whose first word is waited for, for the latency of the acknowledgement.
const MAX_WAITING: usize = 4_096;

/// Between two updates of the counts that people see.
const COUNTS_NS: i64 = 100_000_000;

/// Settings of the thread of a group.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Sockets and requests.
    pub io: IoConfig,
    /// The core that the thread is tied to.
    pub core: Option<usize>,
    /// Connections to each stream of market data of venues whose messages tell copies; the first copy
    /// of a message counts.
    pub copies: u8,
    /// Market data alone: the session's venues are inside its kernel, so that nothing it asks for may
    /// leave here, not even the cancels of a halt.
    pub market_only: bool,
}

/// Venue sessions that share one thread.
pub struct Group {
    /// For a plan, one of each session.
    pub links: Vec<Box<dyn Link>>,
    /// For those who watch, in the same order.
    pub states: Vec<Arc<VenueState>>,
}

/// Makes links of venue sessions that share one thread.
#[must_use]
pub fn group(config: LinkConfig, sessions: Vec<Box<dyn Session>>) -> Group {
    let bell = io::DeferredBell::default();
    let (to_leader, joined) = channel();
    let market_only = config.market_only;
    let leader = Arc::new(Mutex::new(Some(Leader { config, joined, bell: bell.clone() })));
    let mut links: Vec<Box<dyn Link>> = Vec::new();
    let mut states = Vec::new();
    let size = sessions.len();
    for (index, session) in sessions.into_iter().enumerate() {
        let state = Arc::new(VenueState::new(session.venue()));
        states.push(Arc::clone(&state));
        links.push(Box::new(Member {
            venue: session.venue().to_owned(),
            session: Some(session),
            index: index as u8,
            size,
            market_only,
            state,
            leader: Arc::clone(&leader),
            to_leader: to_leader.clone(),
            bell: bell.clone(),
        }));
    }
    Group { links, states }
}

/// A session whose wire is a library of the host process, as a link with a thread of its own.
/// `market_only` is as of [`LinkConfig`].
#[must_use]
pub fn relayed(
    relay: &Relay,
    session: Box<dyn Session>,
    market_only: bool,
) -> (Box<dyn Link>, Arc<VenueState>) {
    let state = Arc::new(VenueState::new(session.venue()));
    let venue = session.venue().to_owned();
    let (relay, kept) = (relay.clone(), Arc::clone(&state));
    (Box::new(Relayed { venue, session, relay, state: kept, market_only }), state)
}

struct Relayed {
    venue: String,
    session: Box<dyn Session>,
    relay: Relay,
    state: Arc<VenueState>,
    market_only: bool,
}

impl Link for Relayed {
    fn venue(&self) -> &str {
        &self.venue
    }

    fn adopt(&mut self, account: &Account) {
        if !self.market_only {
            self.session.adopt(account);
        }
    }

    fn bell(&self) -> Option<Bell> {
        Some(self.relay.bell())
    }

    fn run(self: Box<Self>, desk: Desk) {
        let mut io = self.relay.carrier();
        let (done, _) = channel();
        let (session, state, index) = (self.session, self.state, io.session());
        let seat = Seat { session, desk, index, state, done };
        serve(&mut io, &mut [Serving::new(seat, 1, self.market_only)]);
        self.relay.end();
    }
}

/// What the thread of the group is given: whichever member runs first is it.
struct Leader {
    config: LinkConfig,
    joined: Receiver<Seat>,
    bell: io::DeferredBell,
}

/// One venue of the group.
struct Member {
    venue: String,
    session: Option<Box<dyn Session>>,
    index: u8,
    size: usize,
    market_only: bool,
    state: Arc<VenueState>,
    leader: Arc<Mutex<Option<Leader>>>,
    to_leader: Sender<Seat>,
    bell: io::DeferredBell,
}

impl Link for Member {
    fn venue(&self) -> &str {
        &self.venue
    }

    fn adopt(&mut self, account: &Account) {
        if let (Some(session), false) = (&mut self.session, self.market_only) {
            session.adopt(account);
        }
    }

    fn bell(&self) -> Option<Bell> {
        let bell = self.bell.clone();
        Some(Arc::new(move || bell.ring_if_asleep()))
    }

    fn run(mut self: Box<Self>, desk: Desk) {
        let Some(session) = self.session.take() else { return };
        let leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (done, is_done) = channel();
        let seat = Seat { session, desk, index: self.index, state: Arc::clone(&self.state), done };
        let _ = self.to_leader.send(seat);
        let size = self.size;
        // When a member never runs, the leader sees that nobody is left who could join.
        drop(self);
        match leader {
            Some(leader) => leader.run(size),
            None => {
                // The leader's thread serves this venue; this one waits for its end.
                let _ = is_done.recv();
            }
        }
    }
}

/// A venue that joined the thread.
struct Seat {
    session: Box<dyn Session>,
    desk: Desk,
    index: u8,
    state: Arc<VenueState>,
    done: Sender<()>,
}

impl Leader {
    fn run(self, size: usize) {
        let mut seats: Vec<Serving> = Vec::new();
        let mut waiting = size;
        let mut io = None;
        while waiting > 0 {
            // Every member runs at once; each sends its desk before anything else.
            let Ok(seat) = self.joined.recv() else { break };
            waiting -= 1;
            let clock = seat.desk.clock();
            if io.is_none() {
                match Io::new(self.config.io.clone(), clock) {
                    Ok(made) => io = Some(made),
                    Err(error) => {
                        seat.state.problem(error.message(), seat.desk.now_ns());
                        return;
                    }
                }
            }
            seats.push(Serving::new(seat, self.config.copies, self.config.market_only));
        }
        let Some(mut io) = io else { return };
        self.bell.connect(io.bell());
        if let Some(core) = self.config.core {
            if let Err(error) = pin::to_core(core) {
                let state = &seats[0].ear.state;
                state.problem(error.message(), seats[0].ear.desk.now_ns());
            }
        }
        serve(&mut io, &mut seats);
    }
}

/// Turns until every desk ends.
fn serve(io: &mut impl Carrier, seats: &mut [Serving]) {
    seats.iter_mut().for_each(|seat| seat.begin(io));
    let mut by_index: HashMap<usize, usize> = HashMap::new();
    for (at, seat) in seats.iter().enumerate() {
        by_index.insert(usize::from(seat.index), at);
    }
    while seats.iter().any(|seat| !seat.is_over()) {
        let due_ns = seats.iter().map(Serving::next_due_ns).min().unwrap_or(TimeNs::MAX);
        let left = due_ns.saturating_sub(seats[0].ear.desk.now_ns()).max(0) as u64;
        let patience = NAP.min(Duration::from_nanos(left));
        let has_work = || seats.iter().any(|seat| seat.ear.desk.has_work());
        if let Err(error) = io.turn_unless(patience, has_work) {
            let now_ns = seats[0].ear.desk.now_ns();
            seats.iter().for_each(|seat| seat.ear.state.problem(error.message(), now_ns));
            std::thread::sleep(NAP);
        }
        while let Some(event) = io.next_event() {
            if let Some(seat) = by_index.get(&session_of(&event)).map(|at| &mut seats[*at]) {
                seat.event(io, event);
            }
        }
        seats.iter_mut().for_each(|seat| seat.turn(io));
    }
}

/// A venue being served.
struct Serving {
    driver: Driver,
    ear: DeskEar,
    index: u8,
    ending: Option<TimeNs>,
    counts_due_ns: TimeNs,
    messages: u64,
    round: Vec<Request>,
    /// Told when this is dropped.
    _done: Sender<()>,
}

impl Serving {
    fn new(seat: Seat, copies: u8, market_only: bool) -> Self {
        let Seat { session, desk, index, state, done } = seat;
        let ear = DeskEar {
            desk,
            state,
            sent: HashMap::new(),
            rows: 0,
            lost: 0,
            market_only,
            heard: Vec::new(),
        };
        Self {
            driver: Driver::new(session, index, copies),
            ear,
            index,
            ending: None,
            counts_due_ns: 0,
            messages: 0,
            round: Vec::with_capacity(MAX_ROUND),
            _done: done,
        }
    }

    fn begin(&mut self, io: &mut impl Carrier) {
        let now_ns = self.ear.desk.now_ns();
        self.driver.start(io, &mut self.ear, now_ns);
    }

    fn is_over(&self) -> bool {
        self.ending.is_some_and(|until_ns| self.ear.desk.now_ns() >= until_ns)
    }

    fn next_due_ns(&self) -> TimeNs {
        self.driver.next_due_ns().min(self.ending.unwrap_or(TimeNs::MAX))
    }

    fn event(&mut self, io: &mut impl Carrier, event: IoEvent) {
        let stamps = match &event {
            IoEvent::Message { recv_ns, .. } => Some(*recv_ns),
            // What ends with the session was not lost.
            IoEvent::Closed { reason, .. } if self.ending.is_none() => {
                self.ear.state.change(|shown| {
                    shown.closed += 1;
                    shown.last_closed.clone_from(reason);
                });
                None
            }
            _ => None,
        };
        let now_ns = self.ear.desk.now_ns();
        self.driver.event(io, &mut self.ear, event, now_ns);
        if let Some(recv_ns) = stamps {
            self.messages += 1;
            let decoded_ns = self.ear.desk.now_ns();
            let latency = self.ear.desk.latency();
            latency.record(Stage::Socket, recv_ns - io.woke_ns());
            latency.record(Stage::Decode, decoded_ns - recv_ns);
        }
    }

    /// Requests, timers, the end.
    fn turn(&mut self, io: &mut impl Carrier) {
        if self.ear.market_only {
            while self.ear.desk.next_request().is_some() {}
        } else {
            self.serve_kernel(io);
        }
        let now_ns = self.ear.desk.now_ns();
        if now_ns >= self.driver.next_due_ns() {
            self.driver.due(io, &mut self.ear, now_ns);
        }
        if self.ending.is_none() && self.ear.desk.must_end() {
            self.driver.stop(io, &mut self.ear, now_ns);
            self.ending = Some(now_ns + LAST_WORDS_NS);
        }
        if now_ns >= self.counts_due_ns {
            self.counts_due_ns = now_ns + COUNTS_NS;
            let (messages, copies) = (self.messages, self.driver.copies_dropped());
            let (rows, lost) = (self.ear.rows, self.ear.lost);
            self.ear.state.change(|shown| {
                (shown.messages, shown.rows, shown.lost) = (messages, rows, lost);
                shown.copies_dropped = copies;
            });
        }
    }

    /// Halts and requests of the kernel.
    fn serve_kernel(&mut self, io: &mut impl Carrier) {
        if self.ear.desk.take_halt() {
            let now_ns = self.ear.desk.now_ns();
            self.driver.halted(io, &mut self.ear, now_ns);
        }
        while self.take_round() {
            self.send_round(io);
        }
    }

    /// What waits for this venue, as the kernel asked for it; false when nothing does.
    fn take_round(&mut self) -> bool {
        self.round.clear();
        while self.round.len() < MAX_ROUND {
            let Some(request) = self.ear.desk.next_request() else { break };
            self.round.push(request);
        }
        !self.round.is_empty()
    }

    fn send_round(&mut self, io: &mut impl Carrier) {
        let begun_ns = self.ear.desk.now_ns();
        self.driver.encode(&self.round, begun_ns);
        let encoded_ns = self.ear.desk.now_ns();
        self.driver.settle(io, &mut self.ear, encoded_ns);
        let sent_ns = self.ear.desk.now_ns();
        let latency = self.ear.desk.latency();
        latency.record(Stage::Encode, encoded_ns - begun_ns);
        latency.record(Stage::Send, sent_ns - encoded_ns);
        for request in &self.round {
            let Request::Order(order) = request else { continue };
            latency.record(Stage::TickToTrade, sent_ns - order.sent_ns);
            let is_new = matches!(order.kind, VenueRequestKind::New(_));
            if is_new && self.ear.sent.len() < MAX_WAITING {
                self.ear.sent.insert(order.order, sent_ns);
            }
        }
    }
}

/// Hands what a session tells to the kernel and to those who watch.
struct DeskEar {
    desk: Desk,
    state: Arc<VenueState>,
    sent: HashMap<ClientOrderId, TimeNs>,
    rows: u64,
    lost: u64,
    market_only: bool,
    /// Rows as a venue inside the kernel may have them.
    heard: Vec<MarketRow>,
}

impl Ear for DeskEar {
    fn market(&mut self, instrument: InstrumentId, base: Ticks, rows: &[MarketRow]) -> bool {
        self.rows += rows.len() as u64;
        let taken = if self.market_only {
            let now_ns = self.desk.now_ns();
            self.heard.clear();
            self.heard.extend(rows.iter().map(|row| row.heard_by(now_ns)));
            self.desk.market(instrument, base, &self.heard)
        } else {
            self.desk.market(instrument, base, rows)
        };
        self.lost += u64::from(!taken);
        taken
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Report(report) => {
                if let Some(sent_ns) = self.sent.remove(&report.event.order) {
                    let now_ns = self.desk.now_ns();
                    self.desk.latency().record(Stage::Acknowledge, now_ns - sent_ns);
                }
                self.desk.report(report);
            }
            Told::Foreign(foreign) => self.desk.foreign(foreign),
            Told::Ended(order) => self.desk.note_end(order),
            Told::Named { order, venue_order } => self.desk.name(order, venue_order),
            Told::Answer { order, answer } => self.desk.answer(order, answer),
            Told::Account(account) => self.desk.account(account),
            Told::Market { .. } => {}
            other => {
                if let Told::Link { up } = &other {
                    self.desk.link(*up);
                }
                self.state.take(&other, self.desk.now_ns());
            }
        }
    }
}
