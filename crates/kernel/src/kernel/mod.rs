//! The single writer: owns all trading state and is a pure function of what it is given.
//!
//! It is told the time with each item, never asks for it. What it decides goes into the delay
//! queues (towards the venue) and the recorder (towards people).

mod calls;
mod matched;
mod orders;
mod our_side;
mod parents;
mod risk;
mod rounds;
mod unfinished;
mod venue_side;

use mainspring_core::event::BarRow;
use mainspring_core::{
    ClientOrderId, DurationNs, InstrumentId, Result, TimeNs, VenueEvent, VenueEventKind,
    VenueRequest, VenueRequestKind,
};
use mainspring_sim::{LatencyModel, SimMarket};
use mainspring_trading::execution::parents::{ParentId, ParentTable};
use mainspring_trading::execution::Actions;
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::OrderTable;
use mainspring_trading::risk::{Gate, Validator};
use serde::{Deserialize, Serialize};

pub(crate) use self::calls::{dispatch, Call};
pub(crate) use self::orders::{track_open, working_lots};
pub use self::rounds::RoundCounts;
pub(crate) use self::rounds::Rounds;
use self::unfinished::Closing;
use crate::bars::BarBuilder;
use crate::config::VenueClock;
use crate::delay::DelayQueue;
use crate::host::{BookTrigger, Host, Interest};
use crate::intent::Intents;
use crate::judging::Judging;
use crate::margin::Margins;
use crate::market::{Market, Trade};
use crate::matching::Matching;
use crate::recorder::Recorder;
use crate::routing::{route_groups, RouteGroup};
use crate::session::{Apart, Outside};
use crate::shaping::Shaping;
use crate::stops::Guard;

/// Something the kernel does at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// Call `on_book` of a strategy that asked for an interval.
    Interval {
        /// Which.
        strategy: u16,
    },
    /// Call `on_timer` of a strategy.
    Strategy {
        /// Which.
        strategy: u16,
        /// What it gave.
        tag: i64,
    },
    /// A time bar ends.
    Bar {
        /// Where.
        instrument: InstrumentId,
        /// Which of its builders.
        builder: u16,
    },
    /// Tell a strategy that the gate refused its order.
    Refusal {
        /// Whose order.
        strategy: u16,
        /// Which.
        order: ClientOrderId,
    },
    /// A parent order has something to do: a slice, its end, another attempt.
    Parent {
        /// Which.
        parent: ParentId,
    },
    /// Tell a strategy that its parent order is over.
    ParentEnded {
        /// Which.
        parent: ParentId,
    },
    /// Sample the account.
    Sample,
    /// The answer to a request about an order may be overdue.
    Overdue {
        /// Which.
        order: ClientOrderId,
        /// When the request was made.
        asked_ns: TimeNs,
    },
    /// Ask a connected venue for fills, open orders and positions.
    Reconcile {
        /// Which.
        venue: u16,
        /// Of which connection the timer is.
        connection: u32,
    },
    /// Ask a venue again whose last answer had another position than ours.
    Recheck {
        /// Which.
        venue: u16,
        /// Of which connection the timer is.
        connection: u32,
    },
    /// Carry out what is left of a wish, under rules.
    Round {
        /// Whose.
        strategy: u16,
        /// Where.
        instrument: InstrumentId,
    },
    /// Send cancels that wait for a rate budget.
    HeldCancels,
    /// Send a cancel again that the venue refused.
    CancelAgain {
        /// Of which order.
        order: ClientOrderId,
    },
    /// Close a position again that the venue did not close.
    CloseAgain {
        /// Whose.
        strategy: u16,
        /// Where.
        instrument: InstrumentId,
    },
    /// Ask the venue about an order again.
    Ask {
        /// Which.
        order: ClientOrderId,
        /// How often it has been asked before.
        attempt: u32,
    },
}

/// What is due next in a kernel whose venue is inside. The order of the variants is the order of work
/// at equal times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A request reaches the venue.
    Request,
    /// Something at the venue runs out.
    VenueTimer,
    /// An answer reaches us.
    Answer,
    /// A timer of ours.
    Timer,
}

/// One strategy in the kernel.
pub struct Slot {
    /// The strategy.
    pub host: Box<dyn Host>,
    /// What it wants to hear.
    pub interest: Interest,
    /// The instrument that interval callbacks are about: the first of the run.
    pub instrument: InstrumentId,
    /// Why it was stopped, once it was.
    pub failure: Option<String>,
}

/// Everything that a run changes.
pub struct Kernel {
    pub(crate) started_ns: TimeNs,
    /// Whether versions of a strategy share its size.
    pub(crate) shares_size: bool,
    /// Whether strategies are not called.
    pub(crate) hushed: bool,
    /// Whether strategies were told that it ends.
    is_ending: bool,
    /// Whether what is asked for from now on is cancelled at once.
    pub(crate) cancels_at_end: bool,
    /// Whether positions are closed until there are none: a halt asked for it, and nobody has lifted it.
    pub(crate) closes_all: bool,
    closings: Vec<Closing>,
    pub(crate) now_ns: TimeNs,
    pub(crate) markets: Vec<Market>,
    pub(crate) venues: Vec<SimMarket>,
    /// The matching engine, where it is the venue in place of `venues`.
    pub(crate) matching: Option<Box<Matching>>,
    pub(crate) latency: Vec<LatencyModel>,
    pub(crate) fees: Vec<FeeSchedule>,
    pub(crate) decision_ns: DurationNs,
    /// Whether the venue sees rows when we receive them.
    pub(crate) receive_clock: bool,
    pub(crate) orders: OrderTable,
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    pub(crate) margins: Option<Margins>,
    pub(crate) shaping: Option<Shaping>,
    /// Share of every quantity that a strategy asks for, in basis points.
    pub(crate) size_bps: u32,
    pub(crate) guards: Vec<Guard>,
    pub(crate) validator: Option<Box<dyn Validator>>,
    pub(crate) requests: DelayQueue<VenueRequest>,
    pub(crate) answers: DelayQueue<VenueEvent>,
    pub(crate) timers: DelayQueue<Timer>,
    pub(crate) strategies: Vec<Slot>,
    pub(crate) recorder: Recorder,
    pub(crate) interrupted: bool,
    /// When the account is judged between samples; `None` where only samples are.
    pub(crate) judging: Option<Box<Judging>>,
    pub(crate) sample_ns: DurationNs,
    pub(crate) report_currency: String,
    pub(crate) bar_spread_ticks: i64,
    /// What a session adds, whose venues are outside; `None` in a run over files.
    pub(crate) outside: Option<Box<Outside>>,
    /// Parent orders, once there is one.
    pub(crate) parents: Option<Box<ParentTable>>,
    /// The parent whose child is being placed; zero for none.
    making: ParentId,
    /// Rules of reconciling and rate budgets; `None` where wishes are carried out as they are.
    pub(crate) rounds: Option<Box<Rounds>>,
    /// Instruments of several venues that are the same thing.
    pub(crate) groups: Vec<RouteGroup>,
    bar_builders: Vec<Vec<BarBuilder>>,
    done_bars: Vec<BarRow>,
    wants_trades: bool,
    /// Whether rows of the feed lead to something of ours by themselves, before any timer or answer.
    follows_rows: bool,
    venue_timer_ns: TimeNs,
    /// Strategies whose wishes are kept apart, in a parity run.
    pub(crate) apart: Option<Box<Apart>>,
    pub(crate) intents: Intents,
    actions: Actions,
    venue_out: Vec<VenueEvent>,
    request_sequence: u64,
    pub(crate) last_arrival_ns: Vec<TimeNs>,
    pub(crate) last_answer_ns: Vec<TimeNs>,
    ids: Vec<ClientOrderId>,
    message_trades: Vec<Trade>,
}

/// What a kernel is made of.
pub struct Parts {
    /// Instruments as we see them.
    pub markets: Vec<Market>,
    /// The same instruments at the simulated venue.
    pub venues: Vec<SimMarket>,
    /// Latency to each.
    pub latency: Vec<LatencyModel>,
    /// Fees of each.
    pub fees: Vec<FeeSchedule>,
    /// Time a strategy takes to decide.
    pub decision_ns: DurationNs,
    /// When the venue sees rows.
    pub venue_clock: VenueClock,
    /// Money.
    pub ledger: Ledger,
    /// Limits.
    pub gate: Gate,
    /// Margin, where positions are margined.
    pub margins: Option<Margins>,
    /// What positions leave of wishes.
    pub shaping: Option<Shaping>,
    /// Stops.
    pub guards: Vec<Guard>,
    /// A second opinion on every order.
    pub validator: Option<Box<dyn Validator>>,
    /// Most orders open at once.
    pub max_open_orders: usize,
    /// Ended orders remembered.
    pub remembered_orders: usize,
    /// Strategies.
    pub strategies: Vec<Slot>,
    /// Results.
    pub recorder: Recorder,
    /// Interval of equity samples.
    pub sample_ns: DurationNs,
    /// Currency of the equity samples.
    pub report_currency: String,
    /// Bars to build, by instrument.
    pub bar_builders: Vec<Vec<BarBuilder>>,
    /// How far bid and ask lie from a bar's prices.
    pub bar_spread_ticks: i64,
    /// Rules of reconciling and rate budgets, where there are any.
    pub(crate) rounds: Option<Box<Rounds>>,
}

/// Requests, answers and timers that may wait at once.
const MAX_IN_FLIGHT: usize = 1 << 17;

/// What free places of the queues hold.
const NO_REQUEST: VenueRequest = VenueRequest {
    order: ClientOrderId(0),
    sent_ns: 0,
    kind: VenueRequestKind::Cancel { instrument: InstrumentId(0) },
};
const NO_ANSWER: VenueEvent =
    VenueEvent { order: ClientOrderId(0), exch_ns: 0, recv_ns: 0, kind: VenueEventKind::Accepted };

/// How long after a refusal of the gate its strategy is told.
const REFUSAL_NS: DurationNs = 1_000;

/// Ended orders remembered in a run over files, so that late answers find them.
pub(crate) const REMEMBERED_IN_RUNS: usize = 4_096;

/// Ended orders remembered in a session, so that late fills find them.
pub(crate) const REMEMBERED_IN_SESSIONS: usize = 8_192;

impl Kernel {
    /// A kernel at the beginning of time.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let instruments = parts.markets.len();
        let orders = OrderTable::new(
            parts.max_open_orders,
            parts.remembered_orders,
            instruments,
            parts.strategies.len(),
        );
        let listed: Vec<_> = parts.markets.iter().map(|market| &market.instrument).collect();
        let groups = route_groups(&listed);
        let judges = parts.gate.bounds_losses();
        let mut kernel = Self {
            started_ns: TimeNs::MIN,
            shares_size: false,
            hushed: true,
            is_ending: false,
            cancels_at_end: false,
            closes_all: false,
            closings: Vec::new(),
            now_ns: TimeNs::MIN,
            markets: parts.markets,
            venues: parts.venues,
            matching: None,
            latency: parts.latency,
            fees: parts.fees,
            decision_ns: parts.decision_ns,
            receive_clock: parts.venue_clock == VenueClock::Receive,
            orders,
            ledger: parts.ledger,
            gate: parts.gate,
            margins: parts.margins,
            shaping: parts.shaping,
            size_bps: 10_000,
            guards: parts.guards,
            validator: parts.validator,
            requests: DelayQueue::new(MAX_IN_FLIGHT, "requests in flight", NO_REQUEST),
            answers: DelayQueue::new(MAX_IN_FLIGHT, "answers in flight", NO_ANSWER),
            timers: DelayQueue::new(MAX_IN_FLIGHT, "timers", Timer::Sample),
            strategies: parts.strategies,
            recorder: parts.recorder,
            interrupted: false,
            judging: judges.then(|| Box::new(Judging::new(instruments))),
            sample_ns: parts.sample_ns,
            report_currency: parts.report_currency,
            bar_spread_ticks: parts.bar_spread_ticks,
            outside: None,
            parents: None,
            making: ParentId(0),
            rounds: parts.rounds,
            groups,
            bar_builders: parts.bar_builders,
            done_bars: Vec::with_capacity(16),
            wants_trades: false,
            follows_rows: false,
            venue_timer_ns: TimeNs::MAX,
            apart: None,
            intents: Intents::default(),
            actions: Actions::new(),
            venue_out: Vec::with_capacity(64),
            request_sequence: 0,
            last_arrival_ns: vec![TimeNs::MIN; instruments],
            last_answer_ns: vec![TimeNs::MIN; instruments],
            ids: Vec::with_capacity(64),
            message_trades: Vec::with_capacity(64),
        };
        kernel.hear_feed();
        kernel
    }

    /// What is due next and when; `TimeNs::MAX` for nothing.
    #[inline]
    pub(crate) fn next_due(&self) -> (TimeNs, Due) {
        let mut best = (self.requests.next_ns(), Due::Request);
        for candidate in [
            (self.venue_timer_ns, Due::VenueTimer),
            (self.answers.next_ns(), Due::Answer),
            (self.timers.next_ns(), Due::Timer),
        ] {
            if candidate.0 < best.0 {
                best = candidate;
            }
        }
        best
    }

    /// Strategies are called once they are started, unless a journal is followed and nobody asks what
    /// they would do: recovery runs no strategy.
    pub(crate) fn hush(&mut self) {
        let outside = self.outside.as_ref();
        let silent = outside.is_some_and(|outside| outside.following && !outside.keep_followed);
        self.hushed = silent || !self.is_started();
    }

    /// What anybody wants to hear of the feed, at the beginning and after a strategy became another.
    fn hear_feed(&mut self) {
        self.wants_trades = self.strategies.iter().any(|slot| slot.interest.trades)
            || self.bar_builders.iter().any(|builders| !builders.is_empty());
        self.follows_rows = self.wants_trades
            || self.strategies.iter().any(|slot| slot.interest.follows_rows())
            || self.latency.iter().any(LatencyModel::follows_feed);
    }

    /// Whether the strategies have been started.
    #[inline]
    pub(crate) const fn is_started(&self) -> bool {
        self.started_ns != TimeNs::MIN
    }

    /// Whether nothing of ours happens at rows of the feed, only at timers and answers.
    #[inline]
    pub(crate) const fn is_patient(&self) -> bool {
        !self.follows_rows
            && self.matching.is_none()
            && self.judging.is_none()
            && self.parents.is_none()
            && self.margins.is_none()
            && self.guards.is_empty()
    }

    /// Starts the strategies at `now_ns` and sets their first timers.
    pub(crate) fn start(&mut self, now_ns: TimeNs) -> Result<()> {
        self.started_ns = now_ns;
        (self.is_ending, self.cancels_at_end, self.closes_all) = (false, false, false);
        self.closings.clear();
        self.now_ns = now_ns;
        if let Some(outside) = self.outside.as_mut().filter(|o| o.begun_ns == TimeNs::MIN) {
            outside.begun_ns = now_ns;
        }
        self.hush();
        self.open_account();
        for strategy in 0..self.strategies.len() as u16 {
            let slot = &self.strategies[usize::from(strategy)];
            let (trigger, instrument) = (slot.interest.book, slot.instrument);
            self.call(strategy, instrument, &Call::Start)?;
            if let BookTrigger::Every(interval) = trigger {
                self.timers.push(now_ns + interval, Timer::Interval { strategy })?;
            }
        }
        self.start_time_bars(now_ns)?;
        self.timers.push(now_ns + self.sample_ns, Timer::Sample)
    }

    /// Forgets the bars that are being built.
    pub(crate) fn reset_bars(&mut self) {
        self.bar_builders.iter_mut().flatten().for_each(BarBuilder::reset);
        self.done_bars.clear();
        self.message_trades.clear();
    }

    /// Tells strategies of the end while a journal is followed; parent orders end by it, as orders do by
    /// their records.
    pub(crate) fn stop_following(&mut self, cancel: bool) -> Result<()> {
        (self.is_ending, self.cancels_at_end) = (true, cancel);
        for strategy in 0..self.strategies.len() as u16 {
            let instrument = self.strategies[usize::from(strategy)].instrument;
            self.call(strategy, instrument, &Call::Stop)?;
        }
        if cancel {
            self.cancel_parents(|_| true)?;
        }
        Ok(())
    }

    /// Time bars end on multiples of their interval since the epoch.
    fn start_time_bars(&mut self, now_ns: TimeNs) -> Result<()> {
        for (index, builders) in self.bar_builders.iter().enumerate() {
            for (builder, one) in builders.iter().enumerate() {
                if let Some(interval) = one.interval_ns() {
                    let instrument = InstrumentId(index as u16);
                    let end_ns = (now_ns.div_euclid(interval) + 1) * interval;
                    self.timers.push(end_ns, Timer::Bar { instrument, builder: builder as u16 })?;
                }
            }
        }
        Ok(())
    }

    /// Stops the strategies and takes the last sample.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.is_ending = true;
        for strategy in 0..self.strategies.len() as u16 {
            let instrument = self.strategies[usize::from(strategy)].instrument;
            self.call(strategy, instrument, &Call::Stop)?;
        }
        self.sample()
    }

    /// A timer is due.
    pub(crate) fn timer(&mut self, due_ns: TimeNs, timer: Timer) -> Result<()> {
        match timer {
            Timer::Interval { strategy } => {
                let slot = &self.strategies[usize::from(strategy)];
                let BookTrigger::Every(interval) = slot.interest.book else { return Ok(()) };
                if slot.failure.is_none() {
                    let instrument = slot.instrument;
                    self.timers.push(due_ns + interval, timer)?;
                    if self.is_usable(instrument) {
                        self.call(strategy, instrument, &Call::Book)?;
                    }
                }
                Ok(())
            }
            Timer::Strategy { strategy, tag } => {
                let instrument = self.strategies[usize::from(strategy)].instrument;
                self.call(strategy, instrument, &Call::Timer(tag))
            }
            Timer::Bar { instrument, builder } => self.bar_interval(instrument, builder, due_ns),
            Timer::Refusal { strategy, order } => match self.orders.get(order).copied() {
                Some(order) => self.call(strategy, order.terms.instrument, &Call::Order(&order)),
                None => Ok(()),
            },
            Timer::Parent { parent } => self.parent_due(parent),
            Timer::ParentEnded { parent } => self.tell_parent_ended(parent),
            Timer::Sample => {
                self.timers.push(due_ns + self.sample_ns, timer)?;
                if self.is_following() {
                    return Ok(());
                }
                self.sample()
            }
            Timer::Overdue { order, asked_ns } => self.overdue(order, asked_ns),
            Timer::Reconcile { venue, connection } => self.reconcile(venue, connection),
            Timer::Recheck { venue, connection } => self.recheck(venue, connection),
            Timer::Ask { order, attempt } => self.ask(order, attempt),
            Timer::Round { strategy, instrument } => self.round_due(strategy, instrument),
            Timer::HeldCancels => self.send_held_cancels(),
            Timer::CancelAgain { order } => self.cancel_left_over(order),
            Timer::CloseAgain { strategy, instrument } => self.close_again(strategy, instrument),
        }
    }
}
