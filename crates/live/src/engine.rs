//! The kernel's thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_core::{Error, ErrorKind, InstrumentId, Request, Result, TimeNs, VenueRequest};
use mainspring_journal::live::Control;
use mainspring_kernel::session::{disk, Command, Session};
use mainspring_memory::{Consumer, Producer, SnapshotWriter};

use crate::clock::WallClock;
use crate::egress::{Egress, HaltReason};
use crate::latency::{Latency, Stage};
use crate::link::Bell;
use crate::message::{Inbound, NewHost, Order, Outbound};
use crate::status::Status;
use crate::supervisor::WorkerPulse;
use crate::wake::Waker;

/// Items taken from one link before the others are looked at.
const BATCH: usize = 64;

/// Empty rounds before the thread sleeps.
const SPINS: u32 = 256;

/// Longest sleep: time goes on in the journal's marks and the heartbeat.
const NAP: Duration = Duration::from_millis(1);

/// Whoever halts the last door has told the kernel by then.
const TOLD_WITHIN_NS: i64 = 50_000_000;

/// A link as the kernel sees it.
pub(crate) struct LinkEnd {
    pub(crate) inbound: Consumer<Inbound>,
    pub(crate) requests: Producer<Outbound>,
    /// Requests that did not fit into the ring; they go first.
    pub(crate) backlog: VecDeque<Outbound>,
    pub(crate) bell: Option<Bell>,
}

impl LinkEnd {
    /// Moves what waits into the ring, and wakes the link.
    fn hand_over(&mut self) {
        let mut moved = false;
        while let Some(request) = self.backlog.pop_front() {
            if let Err(request) = self.requests.try_push(request) {
                self.backlog.push_front(request);
                break;
            }
            moved = true;
        }
        if let (true, Some(bell)) = (moved, &self.bell) {
            bell();
        }
    }
}

/// What others see of the kernel's thread.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When the thread last went round.
    pub(crate) beat_ns: AtomicI64,
    /// Items taken from links.
    pub(crate) taken: AtomicU64,
}

/// When to do what besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Never sleep.
    pub(crate) busy_poll: bool,
    /// Between snapshots of the state.
    pub(crate) snapshot_ns: i64,
    /// How long open orders are waited for at the end.
    pub(crate) stop_ns: i64,
}

pub(crate) struct Engine {
    pub(crate) session: Session,
    pub(crate) links: Vec<LinkEnd>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) clock: WallClock,
    pub(crate) status: SnapshotWriter<Status>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) journal: Control,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) latency: Arc<Latency>,
    /// When the kernel began with the rows or the time that it works on.
    pub(crate) took_ns: Option<TimeNs>,
    pub(crate) waker: Waker,
    pub(crate) habits: Habits,
    pub(crate) requests: Vec<Request>,
    pub(crate) venue_of: Vec<u16>,
    pub(crate) snapshot_due_ns: TimeNs,
    pub(crate) ending: Option<TimeNs>,
    /// The worker, where strategies run on one.
    pub(crate) worker: Option<Arc<WorkerPulse>>,
    pub(crate) gate_was_halted: bool,
    /// How many strategies have stopped, and for others to read, why.
    pub(crate) stopped: usize,
    pub(crate) failures: Arc<Mutex<Vec<String>>>,
    /// Since when the last door has been halted and the gate not.
    pub(crate) door_halted_ns: Option<TimeNs>,
}

impl Engine {
    /// Until the end that was ordered, or an error that nothing can go on after.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.waker.adopt();
        self.send()?;
        let mut idle = 0;
        loop {
            // What it told before it ended is taken in the round that follows.
            let worker_ended = self.worker.as_ref().is_none_or(|worker| worker.has_ended());
            let worked = self.round()?;
            if self.has_ended(worker_ended) {
                return Ok(());
            }
            idle = if worked { 0 } else { idle + 1 };
            if idle > SPINS && !self.habits.busy_poll {
                self.sleep();
            }
        }
    }

    /// One look at everything. Returns whether there was something to do.
    fn round(&mut self) -> Result<bool> {
        let mut worked = false;
        for link in 0..self.links.len() {
            worked |= self.take_from(link)?;
        }
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order)?;
            worked = true;
        }
        let now_ns = self.clock.now_ns();
        self.took_ns = Some(now_ns);
        self.session.advance(now_ns)?;
        self.send()?;
        self.follow_gate(now_ns)?;
        self.follow_strategies();
        self.pulse.beat_ns.store(now_ns, Ordering::Release);
        if worked {
            self.status.write(&Status::of(&self.session));
        }
        if now_ns >= self.snapshot_due_ns {
            self.keep_state(now_ns);
        }
        Ok(worked)
    }

    fn take_from(&mut self, link: usize) -> Result<bool> {
        let mut taken = 0;
        while taken < BATCH {
            let Some(item) = self.links[link].inbound.try_pop() else { break };
            self.take(link as u16, item)?;
            self.send()?;
            taken += 1;
        }
        self.pulse.taken.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken > 0)
    }

    fn take(&mut self, venue: u16, item: Inbound) -> Result<()> {
        let session = &mut self.session;
        match item {
            Inbound::Market { instrument, base, count, rows } => {
                let now_ns = self.clock.now_ns();
                self.latency.record(Stage::KernelIn, now_ns - rows[0].recv_ns);
                self.took_ns = Some(now_ns);
                session.market(instrument, base, &rows[..usize::from(count)])
            }
            Inbound::Orders { instrument, base, count, rows } => {
                let now_ns = self.clock.now_ns();
                self.latency.record(Stage::KernelIn, now_ns - rows[0].market.recv_ns);
                self.took_ns = Some(now_ns);
                session.order_rows(instrument, base, &rows[..usize::from(count)])
            }
            Inbound::Report(report) => session.report(&report),
            Inbound::Foreign(foreign) => session.foreign(venue, &foreign),
            Inbound::Named { recv_ns, order, venue_order } => {
                session.name_order(recv_ns, order, venue, venue_order)
            }
            Inbound::Answer { recv_ns, order, answer } => session.answer(recv_ns, order, answer),
            Inbound::Account { recv_ns, account } => session.account(recv_ns, venue, &account),
            Inbound::Link { recv_ns, up } => session.link(recv_ns, venue, up),
        }
    }

    fn obey(&mut self, order: Order) -> Result<()> {
        let now_ns = self.clock.now_ns();
        match order {
            Order::Command(command, reply) => {
                let done = self.session.command(now_ns, &command);
                // A halt and its end may come in one round: the door goes with each.
                self.follow_gate(now_ns)?;
                if let Some(reply) = reply {
                    let answer = done.clone().and_then(|()| self.refusal());
                    // Who asked may be gone.
                    let _ = reply.try_send(answer);
                }
                done
            }
            Order::Replace { strategy, version, command, make, reply } => {
                let done = self.replace(now_ns, strategy, version, &command, make);
                let answer = done.clone().and_then(|refused| refused.map_or(Ok(()), Err));
                let _ = reply.try_send(answer);
                done.map(|_| ())
            }
            Order::Wishes(bytes) => self.session.encoded_wishes(now_ns, &bytes),
            Order::State { strategy, state } => {
                self.session.strategy_state(now_ns, strategy, &state)
            }
            Order::Snapshot => {
                self.keep_state(now_ns);
                Ok(())
            }
            Order::Stop { cancel } => {
                let patience_ns = if cancel { self.habits.stop_ns } else { 0 };
                self.stop(now_ns, cancel, now_ns + patience_ns)
            }
            Order::StopNow => {
                self.stop(now_ns, true, now_ns)?;
                self.ending = Some(now_ns);
                Ok(())
            }
        }
    }

    /// Begins the end, once: open orders are waited for until then.
    fn stop(&mut self, now_ns: TimeNs, cancel: bool, until_ns: TimeNs) -> Result<()> {
        if self.ending.is_some() {
            return Ok(());
        }
        self.session.stop(now_ns, cancel)?;
        self.ending = Some(until_ns);
        Ok(())
    }

    /// Why the last command was not carried out.
    fn refusal(&mut self) -> Result<()> {
        let why = self.session.take_refusal();
        why.map_or(Ok(()), |why| Err(Error::new(ErrorKind::Config, why)))
    }

    /// Puts another version of a strategy in its place; why it could not take over.
    fn replace(
        &mut self,
        now_ns: TimeNs,
        strategy: u16,
        version: u32,
        command: &Command,
        make: NewHost,
    ) -> Result<Option<Error>> {
        let host = match (make.0)() {
            Ok(host) => host,
            Err(error) => return Ok(Some(error)),
        };
        self.session.command(now_ns, command)?;
        let Err(failure) = self.session.replace_host(strategy, host)? else { return Ok(None) };
        let cause = failure.message;
        let told = Command::ReplacementFailed { strategy, version, cause: cause.clone() };
        self.session.command(now_ns, &told)?;
        Ok(Some(Error::new(ErrorKind::Strategy, cause)))
    }

    /// Hands requests to the links, in order.
    fn send(&mut self) -> Result<()> {
        self.session.take_requests(&mut self.requests);
        let took_ns = self.took_ns.take();
        if !self.requests.is_empty() {
            let at_ns = self.clock.now_ns();
            if let Some(took_ns) = took_ns {
                self.latency.record(Stage::Decision, at_ns - took_ns);
            }
            for request in self.requests.drain(..) {
                let link = usize::from(venue_of(&request, &self.venue_of));
                if let Some(link) = self.links.get_mut(link) {
                    link.backlog.push_back(Outbound { request, at_ns });
                }
            }
        }
        self.links.iter_mut().for_each(LinkEnd::hand_over);
        Ok(())
    }

    /// The gate's halt reaches the last door too, and a person's decision opens both.
    pub(crate) fn follow_gate(&mut self, now_ns: TimeNs) -> Result<()> {
        let halted = self.session.is_halted();
        if !halted && !self.gate_was_halted && self.egress.is_halted() {
            return self.follow_door(now_ns);
        }
        self.door_halted_ns = None;
        if halted == self.gate_was_halted {
            return Ok(());
        }
        self.gate_was_halted = halted;
        if halted {
            let text = "the gate halted trading; the journal says why".to_owned();
            self.egress.halt(HaltReason { cause: "gate".into(), text });
        } else {
            self.egress.rearm();
        }
        Ok(())
    }

    /// Says why strategies stopped, each time that one did.
    fn follow_strategies(&mut self) {
        let stopped = self.session.stopped().count();
        if stopped == self.stopped {
            return;
        }
        self.stopped = stopped;
        let stopped = self.session.stopped();
        let reasons = stopped.map(|(name, why)| format!("{name}: {why}")).collect();
        if let Ok(mut told) = self.failures.lock() {
            *told = reasons;
        }
    }

    /// The last door is halted and nobody told the gate: it halts too, so that no order passes one
    /// that the other refuses.
    fn follow_door(&mut self, now_ns: TimeNs) -> Result<()> {
        let since_ns = *self.door_halted_ns.get_or_insert(now_ns);
        if now_ns - since_ns < TOLD_WITHIN_NS {
            return Ok(());
        }
        let cause = self.egress.reason().map_or_else(
            || "the last door is halted".to_owned(),
            |reason| format!("{}: {}", reason.cause, reason.text),
        );
        self.session.command(now_ns, &Command::Kill { cause, flatten: false })
    }

    fn keep_state(&mut self, now_ns: TimeNs) {
        self.snapshot_due_ns = now_ns.saturating_add(self.habits.snapshot_ns);
        disk::keep(&self.session, &self.journal);
    }

    /// At the end strategies have said what they want and every open order has its answer, or the patience
    /// is over.
    fn has_ended(&self, worker_ended: bool) -> bool {
        let Some(until_ns) = self.ending else { return false };
        let is_done = worker_ended && self.session.orders().live_count() == 0;
        is_done || self.clock.now_ns() >= until_ns
    }

    fn sleep(&mut self) {
        let due_ns = self.session.next_due_ns().min(self.snapshot_due_ns);
        let left = due_ns.saturating_sub(self.clock.now_ns()).max(0) as u64;
        let links = &self.links;
        self.waker.sleep(NAP.min(Duration::from_nanos(left)), || {
            links.iter().any(|link| !link.inbound.is_empty())
        });
    }
}

/// Which venue a request goes to.
fn venue_of(request: &Request, venue_of: &[u16]) -> u16 {
    let of = |instrument: InstrumentId| venue_of.get(instrument.index()).copied().unwrap_or(0);
    match request {
        Request::Order(VenueRequest { kind, .. }) => of(kind.instrument()),
        Request::OrderQuery { instrument, .. }
        | Request::ForeignCancel { instrument, .. }
        | Request::ForeignAdopted { instrument, .. } => of(*instrument),
        Request::ForeignAmend { standing, .. } => of(standing.instrument),
        Request::AccountQuery { venue, .. } => *venue,
    }
}
