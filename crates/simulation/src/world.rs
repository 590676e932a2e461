//! The loop: one process after another trades with one venue, and something always goes wrong.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mainspring_core::event::MarketRow;
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, Decimal, Error, ErrorKind, ForeignReport, Instrument, InstrumentId, Lots,
    PriceGrid, RejectReason, Result, Side, Ticks, TimeNs,
};
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{
    disk::Silent, Answer, Command, ForeignOrders, Image, Raw, Report, Request, Session,
    SessionConfig, ACCOUNT,
};
use mainspring_trading::execution::parents::Parent;
use serde::Serialize;

use crate::chance::Chance;
use crate::disk::{Disk, Written};
use crate::faults::{Fault, FaultCounts};
use crate::feed::{gap, Feed};
use crate::venue::{Said, Venue};
use crate::worker::Worker;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// The position limit of the simulated engine.
const MAX_POSITION: i64 = 20;

/// An order may wait for an answer so long before an event must have named it.
const MAX_WAIT_NS: i64 = 300 * SECOND;

/// A parent order may live so long after its end: a minute for taking the rest, and the time that
/// the last answers need.
const MAX_CLOSING_NS: i64 = 90 * SECOND;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed: everything follows from it.
    pub seed: u64,
    /// Market messages with faults; a quiet end follows.
    pub steps: u32,
}

impl Plan {
    /// The usual length.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, steps: 2_000 }
    }
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Inputs and outputs journaled.
    pub events: u64,
    /// Processes started.
    pub lives: u32,
    /// Orders sent.
    pub orders: u64,
    /// Fills at the venue.
    pub fills: u64,
    /// Parent orders begun.
    pub parents: u64,
    /// Faults fired.
    pub faults: FaultCounts,
    /// The first invariant that did not hold, and when.
    pub violation: Option<String>,
}

/// Runs one seed.
///
/// # Errors
/// Only when the simulation itself cannot be set up; what the engine does wrong is in
/// [`Outcome::violation`].
pub fn simulate(plan: Plan) -> Result<Outcome> {
    simulate_journal(plan).map(|(outcome, _)| outcome)
}

/// As [`simulate`], with the records that the session wrote, in order from sequence 1.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_journal(plan: Plan) -> Result<(Outcome, Vec<Written>)> {
    let mut world = World::new(plan)?;
    let ended = world.run();
    let violation = match ended {
        Ok(()) => None,
        Err(error) => Some(format!("step {}: {}", world.step, error.message())),
    };
    let written = world.disk.records();
    let outcome = Outcome {
        seed: plan.seed,
        events: written.len() as u64,
        lives: world.lives,
        orders: world.sent,
        fills: world.venue.fills() as u64,
        parents: u64::from(world.session.image().next_parent.saturating_sub(1)),
        faults: world.faults,
        violation,
    };
    Ok((outcome, written))
}

/// What the simulated session of a seed is made of: its configuration, its instruments, and the
/// names of its strategies.
///
/// # Errors
/// When the simulation cannot be set up.
pub fn session_parts(seed: u64) -> Result<(SessionConfig, Vec<Instrument>, Vec<String>)> {
    let session = new_session(seed)?;
    let names = session.image().strategies.into_iter().map(|strategy| strategy.name).collect();
    Ok((session.config().clone(), session.instruments().to_vec(), names))
}

/// Something on its way.
#[derive(Debug)]
enum Item {
    ToVenue(Request, TimeNs),
    Report(Report),
    Foreign(ForeignReport),
    Answer(ClientOrderId, Answer),
    Account(Account),
    Market(Vec<MarketRow>),
    LinkUp,
}

impl Item {
    /// Whether it is lost with the connection, or with the process.
    const fn is_inbound(&self) -> bool {
        !matches!(self, Self::ToVenue(..) | Self::LinkUp)
    }
}

struct World {
    plan: Plan,
    step: u32,
    now_ns: TimeNs,
    /// How far the process's clock is off.
    clock_off_ns: i64,
    chance: Chance,
    feed: Feed,
    venue: Venue,
    disk: Disk,
    session: Session,
    snapshot: Option<Image>,
    lives: u32,
    sent: u64,
    connected: bool,
    connection: u32,
    feed_broken: bool,
    quiet: bool,
    items: BinaryHeap<Reverse<(TimeNs, u64)>>,
    store: std::collections::BTreeMap<u64, (u32, Item)>,
    next_item: u64,
    requests: Vec<Request>,
    faults: FaultCounts,
}

impl World {
    fn new(plan: Plan) -> Result<Self> {
        let disk = Disk::default();
        let mut session = new_session(plan.seed)?;
        session.lead(Box::new(disk.clone()));
        let now_ns = 1_700_000_000 * SECOND;
        session.start(now_ns, b"{}")?;
        let mut world = Self {
            plan,
            step: 0,
            now_ns,
            clock_off_ns: 0,
            chance: Chance::new(plan.seed),
            feed: Feed::new(),
            venue: Venue::new(&instrument()?)?,
            disk,
            session,
            snapshot: None,
            lives: 1,
            sent: 0,
            connected: false,
            connection: 0,
            feed_broken: false,
            quiet: false,
            items: BinaryHeap::new(),
            store: std::collections::BTreeMap::new(),
            next_item: 0,
            requests: Vec::new(),
            faults: FaultCounts::default(),
        };
        world.push(now_ns + MS, Item::LinkUp);
        Ok(world)
    }

    fn run(&mut self) -> Result<()> {
        while self.step < self.plan.steps {
            self.step += 1;
            self.one_step()?;
        }
        self.end_quietly()
    }

    fn one_step(&mut self) -> Result<()> {
        let pause = if self.chance.one_in(200) {
            self.chance.between(SECOND, 12 * SECOND)
        } else {
            self.chance.between(5 * MS, 60 * MS)
        };
        self.now_ns += pause;
        self.fire_faults()?;
        self.move_market();
        self.deliver()?;
        self.tell(|session, now_ns| session.advance(now_ns))?;
        self.send();
        self.check()
    }

    /// The market moves, and its message goes on its way.
    fn move_market(&mut self) {
        let lost = !self.quiet && self.chance.one_in(150);
        let rows = self.feed.next(self.now_ns, &mut self.chance);
        let reports: Vec<Said> = rows.iter().flat_map(|row| self.venue.on_row(row)).collect();
        self.send_reports(reports);
        if !self.connected {
            self.feed_broken = true;
            return;
        }
        if lost {
            self.faults.fire(Fault::FeedGap);
            self.feed_broken = true;
            return;
        }
        let mut rows = rows;
        if std::mem::take(&mut self.feed_broken) {
            // The session's sync finds the hole, says so, and asks for a snapshot.
            self.feed.ask_snapshot();
            rows = vec![gap(self.now_ns)];
        }
        self.push(self.now_ns + MS, Item::Market(rows));
    }

    /// Puts statements of the venue on their way to us.
    fn send_reports(&mut self, reports: Vec<Said>) {
        for said in reports {
            let item = || match said {
                Said::Ours(report) => Item::Report(report),
                Said::Foreign(foreign) => Item::Foreign(foreign),
            };
            if !self.connected {
                continue;
            }
            let mut delay = self.chance.between(MS, 4 * MS);
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::LostReport);
                continue;
            }
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::LateReport);
                delay += self.chance.between(20 * MS, 4 * SECOND);
            }
            if !self.quiet && self.chance.one_in(60) {
                self.faults.fire(Fault::DoubledReport);
                let again = delay + self.chance.between(MS, 2 * SECOND);
                self.push(self.now_ns + again, item());
            }
            self.push(self.now_ns + delay, item());
        }
    }

    fn push(&mut self, at_ns: TimeNs, item: Item) {
        self.items.push(Reverse((at_ns, self.next_item)));
        self.store.insert(self.next_item, (self.connection, item));
        self.next_item += 1;
    }

    /// Delivers what is due.
    fn deliver(&mut self) -> Result<()> {
        while let Some(Reverse((at_ns, id))) = self.items.peek().copied() {
            if at_ns > self.now_ns {
                break;
            }
            self.items.pop();
            let Some((connection, item)) = self.store.remove(&id) else { continue };
            if item.is_inbound() && (connection != self.connection || !self.connected) {
                continue;
            }
            self.deliver_one(item)?;
            self.send();
        }
        Ok(())
    }

    fn deliver_one(&mut self, item: Item) -> Result<()> {
        match item {
            Item::ToVenue(request, asked_ns) => {
                self.at_venue(request, asked_ns);
                Ok(())
            }
            Item::Report(mut report) => self.tell(|session, now_ns| {
                report.event.recv_ns = now_ns;
                session.report(&report)
            }),
            Item::Foreign(mut foreign) => self.tell(|session, now_ns| {
                foreign.report.event.recv_ns = now_ns;
                session.foreign(0, &foreign)
            }),
            Item::Answer(order, answer) => {
                self.tell(|session, now_ns| session.answer(now_ns, order, answer))
            }
            Item::Account(mut account) => self.tell(|session, now_ns| {
                let foreign = account.foreign.iter_mut().map(|foreign| &mut foreign.report);
                account.fills.iter_mut().chain(foreign).for_each(|f| f.event.recv_ns = now_ns);
                session.account(now_ns, 0, &account)
            }),
            Item::Market(mut rows) => self.tell(|session, now_ns| {
                rows.iter_mut().for_each(|row| row.recv_ns = now_ns);
                session.market(InstrumentId(0), Ticks(0), &rows)
            }),
            Item::LinkUp => {
                self.connected = true;
                self.feed_broken = true;
                self.tell(|session, now_ns| session.link(now_ns, 0, true))
            }
        }
    }

    /// Something of ours reaches the venue.
    fn at_venue(&mut self, request: Request, asked_ns: TimeNs) {
        let back_ns = self.now_ns + self.chance.between(MS, 5 * MS);
        match request {
            Request::Order(request) => {
                let reports = if !self.quiet && self.chance.one_in(50) {
                    self.faults.fire(Fault::RateLimit);
                    self.venue.refuse(&request, RejectReason::Overloaded, self.now_ns)
                } else if !self.quiet && self.chance.one_in(70) {
                    self.faults.fire(Fault::Refusal);
                    self.venue.refuse(&request, RejectReason::Halted, self.now_ns)
                } else {
                    self.venue.on_request(&request, self.now_ns)
                };
                self.send_reports(reports);
            }
            Request::OrderQuery { order, .. } => {
                let answer = self.venue.answer(order);
                self.push(back_ns, Item::Answer(order, answer));
            }
            Request::AccountQuery { since_ns, .. } => {
                self.push(back_ns, Item::Account(self.venue.account(since_ns, asked_ns)));
            }
            Request::ForeignCancel { venue_order, .. } => {
                let reports = self.venue.cancel_by_id(venue_order, self.now_ns);
                self.send_reports(reports);
            }
        }
    }

    /// Sends what the engine has let out.
    fn send(&mut self) {
        let mut requests = std::mem::take(&mut self.requests);
        self.session.take_requests(&mut requests);
        for request in requests.drain(..) {
            self.sent += u64::from(matches!(request, Request::Order(_)));
            let lost = !self.quiet && self.chance.one_in(70);
            if lost || !self.connected {
                self.faults.fire(Fault::LostRequest);
                continue;
            }
            let delay = if !self.quiet && self.chance.one_in(80) {
                self.chance.between(10 * MS, 3 * SECOND)
            } else {
                self.chance.between(MS, 4 * MS)
            };
            let asked_ns = self.session.now_ns();
            self.push(self.now_ns + delay, Item::ToVenue(request, asked_ns));
        }
        self.requests = requests;
    }

    /// Tells the engine something. When its disk is full it stops, and is started again.
    fn tell(&mut self, what: impl FnOnce(&mut Session, TimeNs) -> Result<()>) -> Result<()> {
        let now_ns = self.now_ns + self.clock_off_ns;
        match what(&mut self.session, now_ns) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Io => self.restart(),
            Err(error) => Err(error.at("the engine failed")),
        }
    }

    fn fire_faults(&mut self) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.chance.one_in(300) {
            self.faults.fire(Fault::Kill);
            self.restart()?;
        }
        if self.chance.one_in(800) {
            self.faults.fire(Fault::DiskFull);
            self.disk.set_room(Some(self.chance.between(0, 12) as usize));
        }
        if self.chance.one_in(300) {
            self.faults.fire(Fault::SlowDisk);
            self.now_ns += self.chance.between(10 * MS, SECOND);
        }
        if self.connected && self.chance.one_in(300) {
            self.faults.fire(Fault::Disconnect);
            self.connected = false;
            self.connection += 1;
            self.tell(|session, now_ns| session.link(now_ns, 0, false))?;
            let away = self.chance.between(10 * MS, 20 * SECOND);
            self.push(self.now_ns + away, Item::LinkUp);
        }
        if self.chance.one_in(300) {
            self.faults.fire(Fault::ClockStep);
            self.clock_off_ns = self.chance.between(-2 * SECOND, 2 * SECOND);
        }
        if self.chance.one_in(700) {
            self.faults.fire(Fault::ForeignOrder);
            self.place_by_hand();
        }
        if self.chance.one_in(400) {
            self.snapshot = Some(self.session.image());
        }
        Ok(())
    }

    /// Somebody trades by hand on the account. Where that is not adopted the order is so far away that
    /// it cannot trade: the position would not be ours to know.
    fn place_by_hand(&mut self) {
        let (side, price, qty) = if adopts(self.plan.seed).is_some() {
            let buys = self.chance.one_in(2);
            let side = if buys { Side::Buy } else { Side::Sell };
            let behind = self.chance.between(-2, 6);
            let price = self.feed.bid() - side.sign() * behind;
            (side, price, self.chance.between(1, 6))
        } else {
            (Side::Buy, 700, 1)
        };
        let reports = self.venue.place_by_hand(side, Ticks(price), Lots(qty), self.now_ns);
        self.send_reports(reports);
    }

    /// The process dies and another takes its place.
    fn restart(&mut self) -> Result<()> {
        let keep = self.chance.next() as usize;
        let torn = self.disk.tear(|loose| keep % (loose + 1));
        if torn > 0 {
            self.faults.fire(Fault::TornWrite);
        }
        // Nothing starts on a full disk: somebody makes room first.
        self.disk.set_room(None);
        self.lives += 1;
        self.connection += 1;
        self.connected = false;
        self.requests.clear();
        self.session = self.recovered()?;
        self.session.lead(Box::new(self.disk.clone()));
        let now_ns = self.now_ns + self.clock_off_ns;
        self.session.resume(now_ns, b"{}")?;
        self.push(self.now_ns + 20 * MS, Item::LinkUp);
        Ok(())
    }

    /// A session from what is on the disk, from the last snapshot where there is one.
    fn recovered(&self) -> Result<Session> {
        let records = self.disk.records();
        let mut session = new_session(self.plan.seed)?;
        let mut from = 0;
        let usable = |image: &&Image| image.sequence as usize <= records.len();
        if let Some(image) = self.snapshot.as_ref().filter(usable) {
            session.restore(image)?;
            from = image.sequence as usize;
        }
        for (index, written) in records.iter().enumerate().skip(from) {
            session.follow(&Raw {
                kind: written.kind,
                sequence: index as u64 + 1,
                time_ns: written.time_ns,
                cause: written.cause,
                payload: &written.payload,
            })?;
        }
        Ok(session)
    }

    /// What must hold at every step.
    fn check(&self) -> Result<()> {
        self.session.ledger().check()?;
        let held = self.venue.position().0;
        // What is traded by hand passes no limit of ours.
        if held.abs() > MAX_POSITION + self.venue.traded_by_hand() {
            return broken(format!("the position limit of {MAX_POSITION} lots: {held} are held"));
        }
        let now_ns = self.session.now_ns();
        for order in self.session.orders().all_live() {
            let waits = order.state.is_pending() || order.state.name() == "unknown";
            if waits && now_ns - order.updated_ns > MAX_WAIT_NS {
                return broken(format!(
                    "order {} is {} for {} s and nobody was told",
                    order.id.0,
                    order.state,
                    (now_ns - order.updated_ns) / SECOND
                ));
            }
        }
        Ok(())
    }

    /// No more faults: trading is halted, and after a while everything agrees.
    fn end_quietly(&mut self) -> Result<()> {
        self.quiet = true;
        self.clock_off_ns = 0;
        self.disk.set_room(None);
        if !self.connected {
            self.push(self.now_ns, Item::LinkUp);
        }
        let kill = Command::Kill { cause: "the end".into(), flatten: false };
        self.tell(|session, now_ns| session.command(now_ns, &kill))?;
        for _ in 0..1_200 {
            self.step += 1;
            self.now_ns += 100 * MS;
            self.move_market();
            self.deliver()?;
            self.tell(|session, now_ns| session.advance(now_ns))?;
            self.send();
            self.check()?;
        }
        self.agree()
    }

    fn agree(&self) -> Result<()> {
        let (ours, theirs) = (self.session.orders().live_count(), self.venue.open_orders().len());
        if ours != 0 || theirs != 0 {
            let states: Vec<_> = self
                .session
                .orders()
                .all_live()
                .map(|o| format!("{} {} at {}", o.id.0, o.state, o.updated_ns / SECOND))
                .collect();
            return broken(format!(
                "orders: {ours} open here ({}), {theirs} at the venue",
                states.join(", ")
            ));
        }
        let held = self.session.ledger().net(InstrumentId(0)).map_or(0, |p| p.lots.0);
        if held != self.venue.position().0 {
            return broken(format!(
                "the position: {held} lots by our fills, {} at the venue",
                self.venue.position()
            ));
        }
        let live = self.session.image();
        agree_on_parents(&live)?;
        let mut followed = self.recovered()?.image();
        followed.sequence = live.sequence;
        if followed != live {
            return broken("recovery: the state from the journal is not the state".into());
        }
        Ok(())
    }
}

/// No parent lives long after its end, and none has traded more than it was asked to.
fn agree_on_parents(image: &Image) -> Result<()> {
    let Some(parents) = &image.parents else { return Ok(()) };
    let late = |parent: &&Parent| parent.end_ns.saturating_add(MAX_CLOSING_NS) < image.now_ns;
    if let Some(parent) = parents.live.iter().find(late) {
        return broken(format!(
            "parents: {} is still {} {} s after its end",
            parent.id.0,
            parent.state.name(),
            (image.now_ns - parent.end_ns) / SECOND
        ));
    }
    let over = |parent: &&Parent| parent.filled > parent.terms.qty;
    match parents.ended.iter().find(over) {
        None => Ok(()),
        Some(parent) => broken(format!(
            "parents: {} was to trade {} and traded {}",
            parent.id.0, parent.terms.qty, parent.filled
        )),
    }
}

fn broken(what: String) -> Result<()> {
    Err(Error::new(ErrorKind::Mismatch, format!("an invariant does not hold: {what}")))
}

fn instrument() -> Result<Instrument> {
    Ok(Instrument {
        symbol: "BTCUSDT".into(),
        venue: "simulated".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(Decimal::new(1, 1)?)],
        lot: Decimal::new(1, 3)?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::new(1, 4)?,
        taker_fee: Decimal::new(5, 4)?,
        margin_tiers: vec![],
    })
}

/// Every rule of reconciling that holds something back, and a budget that is often empty.
const RULES: &str = r#"{"price_threshold_bps":0.2,"size_threshold_bps":500,"amend":"always",
    "wait_for_cancel":true,"min_life_ns":40000000,"max_life_ns":3000000000,"replenish":true,
    "max_actions":3,"budgets":{"*":{"requests":{"limit":12,"window_ns":1000000000}}}}"#;

/// The engine of a seed: every third reconciles under rules, every other works parent orders.
fn new_session(seed: u64) -> Result<Session> {
    let mut config: SessionConfig = read(
        r#"{"run":{"deposits":[["USDT","100000"]],"features":["imbalance"],
            "limits":{"max_position":"0.02"}},"foreign":"cancel"}"#,
    )?;
    let owner = adopts(seed);
    if let Some(owner) = owner {
        config.foreign = ForeignOrders::Adopt { owner: owner.to_owned() };
    }
    if seed % 3 == 2 {
        // Every other of these counts requests as a venue does that takes five at once.
        let batch =
            if seed.is_multiple_of(2) { r#""batch":5,"requests""# } else { r#""requests""# };
        config.run.reconcile = Some(read(&RULES.replace(r#""requests""#, batch))?);
    }
    let native: NativeConfig =
        read(r#"{"kind":"touch_maker","size":"0.003","max_position":"0.05"}"#)?;
    let mut hosts = vec![native.build(BookTrigger::Message)?];
    if seed % 2 == 1 {
        hosts.push(Box::new(Worker::default()));
    }
    if owner == Some(ACCOUNT) {
        hosts.push(Box::new(Silent::new(ACCOUNT)));
    }
    Session::new(config, vec![instrument()?], hosts)
}

/// Who owns what is traded by hand, in the seeds that adopt it.
const fn adopts(seed: u64) -> Option<&'static str> {
    match seed % 4 {
        1 => Some(ACCOUNT),
        2 => Some("touch_maker"),
        _ => None,
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}
