//! The loop: one process after another trades with one venue, and something always goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use mainspring_core::{ClientOrderId, ErrorKind, InstrumentId, Lots, Result, Side, Ticks, TimeNs};
use mainspring_kernel::session::foreign::is_known_by_venue_id;
use mainspring_kernel::session::{Command, Image, Raw, Request, Session};
use mainspring_trading::orders::OrderState;
use serde::Serialize;

use crate::chance::Chance;
use crate::disk::{Disk, Written};
use crate::engine::{adopts, instrument, new_session};
use crate::faults::{Fault, FaultCounts};
use crate::feed::{gap, Feed};
use crate::invariants::{agree_on_parents, broken};
use crate::network::Item;
use crate::venue::{Said, Venue};
use crate::witness::MAX_POSITION;

pub(crate) const MS: i64 = 1_000_000;
pub(crate) const SECOND: i64 = 1_000 * MS;

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
    outcome(World::new(plan, Judge::EveryEvent)?)
}

/// As [`simulate`], with a look at the engine only when a step is over: what is wrong within a step and
/// right again at its end is not seen.
///
/// # Errors
/// As [`simulate`].
#[cfg(feature = "mutants")]
pub fn simulate_judging_steps(plan: Plan) -> Result<Outcome> {
    outcome(World::new(plan, Judge::EveryStep)?).map(|(outcome, _)| outcome)
}

/// When invariants are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    EveryEvent,
    #[cfg(feature = "mutants")]
    EveryStep,
}

fn outcome(mut world: World) -> Result<(Outcome, Vec<Written>)> {
    let plan = world.plan;
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

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) step: u32,
    pub(crate) now_ns: TimeNs,
    /// How far the process's clock is off.
    pub(crate) clock_off_ns: i64,
    pub(crate) chance: Chance,
    pub(crate) feed: Feed,
    pub(crate) venue: Venue,
    pub(crate) disk: Disk,
    pub(crate) session: Session,
    pub(crate) snapshot: Option<Image>,
    pub(crate) lives: u32,
    pub(crate) sent: u64,
    pub(crate) connected: bool,
    pub(crate) connection: u32,
    pub(crate) feed_broken: bool,
    pub(crate) quiet: bool,
    /// Until when the answers to the last cancels are waited for, once the session ends.
    ending: Option<TimeNs>,
    /// Draws when the session ends: the other faults of a seed do not depend on it.
    ends: Chance,
    pub(crate) items: BinaryHeap<Reverse<(TimeNs, u64)>>,
    pub(crate) store: BTreeMap<u64, (u32, Item)>,
    pub(crate) next_item: u64,
    pub(crate) requests: Vec<Request>,
    pub(crate) faults: FaultCounts,
    judge: Judge,
    /// Until when the venue answers no questions.
    silent_until_ns: TimeNs,
}

impl World {
    fn new(plan: Plan, judge: Judge) -> Result<Self> {
        let disk = Disk::new(judge == Judge::EveryEvent);
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
            ending: None,
            ends: Chance::new(!plan.seed),
            items: BinaryHeap::new(),
            store: BTreeMap::new(),
            next_item: 0,
            requests: Vec::new(),
            faults: FaultCounts::default(),
            judge,
            silent_until_ns: 0,
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
        self.send()?;
        self.check()?;
        self.begin_after_end()
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

    /// Tells the engine something. When its disk is full it stops, and is started again.
    pub(crate) fn tell(
        &mut self,
        what: impl FnOnce(&mut Session, TimeNs) -> Result<()>,
    ) -> Result<()> {
        let now_ns = self.now_ns + self.clock_off_ns;
        let done = what(&mut self.session, now_ns);
        self.disk.found()?;
        match done {
            Ok(()) if self.judge == Judge::EveryEvent => self.compare(),
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
        if self.chance.one_in(8_000) {
            self.faults.fire(Fault::SilentVenue);
            self.silent_until_ns = self.now_ns + self.chance.between(40 * SECOND, 80 * SECOND);
        }
        if self.chance.one_in(2_000) {
            self.faults.fire(Fault::Halt);
            self.halt_by_hand()?;
        }
        if self.ending.is_none() && self.ends.one_in(1_500) {
            self.faults.fire(Fault::End);
            self.ending = Some(self.now_ns + self.ends.between(100 * MS, 8 * SECOND));
            self.tell(|session, now_ns| session.stop(now_ns, true))?;
        }
        if self.chance.one_in(400) {
            self.snapshot = Some(self.session.image());
        }
        Ok(())
    }

    /// A person halts trading, closes positions or not, and lifts it again after a while.
    fn halt_by_hand(&mut self) -> Result<()> {
        let kill = Command::Kill { cause: "a look".into(), flatten: self.chance.one_in(2) };
        let after = self.chance.between(SECOND, 6 * SECOND);
        self.push(self.now_ns + after, Item::Rearm);
        self.tell(|session, now_ns| session.command(now_ns, &kill))
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

    /// A session that has ended is started again: all that it wrote is there.
    fn begin_after_end(&mut self) -> Result<()> {
        let Some(until_ns) = self.ending else { return Ok(()) };
        let is_done = self.session.orders().live_count() == 0 || self.now_ns >= until_ns;
        if self.quiet || !is_done {
            return Ok(());
        }
        self.begin_anew()
    }

    /// The process dies and another takes its place.
    fn restart(&mut self) -> Result<()> {
        let keep = self.chance.next() as usize;
        let torn = self.disk.tear(|loose| keep % (loose + 1));
        if torn > 0 {
            self.faults.fire(Fault::TornWrite);
        }
        self.begin_anew()
    }

    /// A process takes up what is on the disk.
    fn begin_anew(&mut self) -> Result<()> {
        self.ending = None;
        // Nothing starts on a full disk: somebody makes room first.
        self.disk.set_room(None);
        self.lives += 1;
        self.connection += 1;
        self.connected = false;
        self.requests.clear();
        self.session = self.recovered()?;
        self.disk.recovered(&self.session)?;
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

    /// The engine's own state is what its journal says.
    fn compare(&self) -> Result<()> {
        self.disk.ask(|witness| witness.agree(&self.session))
    }

    /// What must hold at every step, beside what must at every event.
    fn check(&self) -> Result<()> {
        self.compare()?;
        let held = self.venue.position().0;
        // What is traded by hand passes no limit of ours.
        if held.abs() > MAX_POSITION + self.venue.traded_by_hand() {
            return broken(format!("the position limit of {MAX_POSITION} lots: {held} are held"));
        }
        Ok(())
    }

    /// The venue has told all that the account was after so many fills: every one of them is booked,
    /// and the position is the venue's but for fills that are on their way since.
    pub(crate) fn reconciled(&self, fills: usize, as_of_ns: TimeNs) -> Result<()> {
        let (mut missing, mut late) = (0, 0);
        for id in 1..=self.venue.fills() {
            let booked = self.disk.ask(|witness| witness.has_booked(id as u64));
            missing += usize::from(!booked && id <= fills);
            late += if booked { 0 } else { self.venue.lots_of(id) };
        }
        if missing > 0 {
            return broken(format!("reconciliation: {missing} fills of the venue are not booked"));
        }
        let (ours, theirs) = (self.disk.ask(|w| w.position()), self.venue.position().0 - late);
        if ours != theirs {
            return broken(format!("reconciliation: {ours} lots here, {theirs} at the venue"));
        }
        self.terms_agree(as_of_ns)
    }

    /// An order that nothing is asked or said of any more has the venue's price and quantity.
    fn terms_agree(&self, as_of_ns: TimeNs) -> Result<()> {
        let resting = self.session.orders().all_live().filter(|order| {
            matches!(order.state, OrderState::Open | OrderState::PartiallyFilled)
                && order.updated_ns < as_of_ns
        });
        for order in resting {
            let Some(venue_order) = self.venue_id_of(order.id) else { continue };
            let Some(theirs) = self.venue.terms_of(venue_order) else { continue };
            let ours = (order.terms.price, order.terms.qty);
            if ours != theirs && !self.is_on_its_way(venue_order) {
                let id = order.id.0;
                return broken(format!(
                    "reconciliation: order {id} is {} at {} here, {} at {} at the venue",
                    ours.1, ours.0, theirs.1, theirs.0
                ));
            }
        }
        Ok(())
    }

    /// The id by which the venue knows an order.
    fn venue_id_of(&self, order: ClientOrderId) -> Option<ClientOrderId> {
        if !is_known_by_venue_id(order) {
            return Some(order);
        }
        self.session.venue_order(order).map(|id| ClientOrderId(id.id))
    }

    /// Whether a request or a statement about an order is on its way.
    fn is_on_its_way(&self, venue_order: ClientOrderId) -> bool {
        self.store.values().any(|(_, item)| item.is_about(venue_order))
    }

    /// Whether the venue answers no questions now.
    pub(crate) const fn is_silent(&self) -> bool {
        !self.quiet && self.now_ns < self.silent_until_ns
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
            self.send()?;
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
