//! The single writer: owns all trading state and is a pure function of what it is given.
//!
//! It is told the time with each item, never asks for it. What it decides goes into the delay
//! queues (towards the venue) and the recorder (towards people).

use mainspring_core::event::{BarRow, MarketRow, OrderRow, RowKind};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, DurationNs, InstrumentId, Lots, Money, RejectReason, Result, Ticks, TimeNs,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_journal::FillRecord;
use mainspring_sim::{LatencyModel, Leg, RequestKind, SimMarket};
use mainspring_trading::execution::{
    reconcile_quotes, reconcile_target, Action, Actions, Desired, LiveOrder,
};
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Change, Order, OrderEvent, OrderState, OrderTable, Purpose};
use mainspring_trading::risk::{ApprovedOrder, Exposure, Gate};

use crate::bars::BarBuilder;
use crate::delay::DelayQueue;
use crate::host::{BookTrigger, Fill, Host, HostResult, Interest};
use crate::intent::{Intent, Intents};
use crate::market::{Changes, Market, Trade};
use crate::recorder::Recorder;
use crate::view::View;

/// Something the kernel does at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Sample the account.
    Sample,
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
    pub(crate) now_ns: TimeNs,
    pub(crate) markets: Vec<Market>,
    pub(crate) venues: Vec<SimMarket>,
    pub(crate) latency: Vec<LatencyModel>,
    pub(crate) fees: Vec<FeeSchedule>,
    pub(crate) decision_ns: DurationNs,
    pub(crate) orders: OrderTable,
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    pub(crate) requests: DelayQueue<VenueRequest>,
    pub(crate) answers: DelayQueue<VenueEvent>,
    pub(crate) timers: DelayQueue<Timer>,
    pub(crate) strategies: Vec<Slot>,
    pub(crate) recorder: Recorder,
    pub(crate) interrupted: bool,
    pub(crate) peak_equity: Option<Money>,
    pub(crate) max_drawdown_bps: u32,
    pub(crate) sample_ns: DurationNs,
    pub(crate) report_currency: String,
    pub(crate) bar_spread_ticks: i64,
    bar_builders: Vec<Vec<BarBuilder>>,
    done_bars: Vec<BarRow>,
    wants_trades: bool,
    venue_timer_ns: TimeNs,
    intents: Intents,
    actions: Actions,
    venue_out: Vec<VenueEvent>,
    request_sequence: u64,
    last_arrival_ns: Vec<TimeNs>,
    last_answer_ns: Vec<TimeNs>,
    open_lots: Vec<[Lots; 2]>,
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
    /// Money.
    pub ledger: Ledger,
    /// Limits.
    pub gate: Gate,
    /// Most orders open at once.
    pub max_open_orders: usize,
    /// Strategies.
    pub strategies: Vec<Slot>,
    /// Results.
    pub recorder: Recorder,
    /// Drawdown at which trading halts.
    pub max_drawdown_bps: u32,
    /// Interval of equity samples.
    pub sample_ns: DurationNs,
    /// Currency of the equity samples.
    pub report_currency: String,
    /// Bars to build, by instrument.
    pub bar_builders: Vec<Vec<BarBuilder>>,
    /// How far bid and ask lie from a bar's prices.
    pub bar_spread_ticks: i64,
}

/// Requests, answers and timers that may wait at once.
const MAX_IN_FLIGHT: usize = 1 << 17;

/// How long after a refusal of the gate its strategy is told.
const REFUSAL_NS: DurationNs = 1_000;

/// Ended orders remembered, so that late fills find them.
const REMEMBERED_ORDERS: usize = 4_096;

/// Which callback of a strategy.
enum Call<'a> {
    Start,
    Book,
    Trade(&'a Trade),
    Bar(&'a BarRow),
    Fill(&'a Fill),
    Order(&'a Order),
    Timer(i64),
    Stop,
}

impl Kernel {
    /// A kernel at the beginning of time.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let instruments = parts.markets.len();
        let orders = OrderTable::new(
            parts.max_open_orders,
            REMEMBERED_ORDERS,
            instruments,
            parts.strategies.len(),
        );
        let wants_trades = parts.strategies.iter().any(|slot| slot.interest.trades)
            || parts.bar_builders.iter().any(|builders| !builders.is_empty());
        Self {
            started_ns: TimeNs::MIN,
            now_ns: TimeNs::MIN,
            markets: parts.markets,
            venues: parts.venues,
            latency: parts.latency,
            fees: parts.fees,
            decision_ns: parts.decision_ns,
            orders,
            ledger: parts.ledger,
            gate: parts.gate,
            requests: DelayQueue::new(MAX_IN_FLIGHT, "requests in flight"),
            answers: DelayQueue::new(MAX_IN_FLIGHT, "answers in flight"),
            timers: DelayQueue::new(MAX_IN_FLIGHT, "timers"),
            strategies: parts.strategies,
            recorder: parts.recorder,
            interrupted: false,
            peak_equity: None,
            max_drawdown_bps: parts.max_drawdown_bps,
            sample_ns: parts.sample_ns,
            report_currency: parts.report_currency,
            bar_spread_ticks: parts.bar_spread_ticks,
            bar_builders: parts.bar_builders,
            done_bars: Vec::with_capacity(16),
            wants_trades,
            venue_timer_ns: TimeNs::MAX,
            intents: Intents::default(),
            actions: Actions::new(),
            venue_out: Vec::with_capacity(64),
            request_sequence: 0,
            last_arrival_ns: vec![TimeNs::MIN; instruments],
            last_answer_ns: vec![TimeNs::MIN; instruments],
            open_lots: vec![[Lots::ZERO; 2]; instruments],
            ids: Vec::with_capacity(64),
            message_trades: Vec::with_capacity(64),
        }
    }

    /// Whether the strategies have been started.
    #[inline]
    pub(crate) const fn is_started(&self) -> bool {
        self.started_ns != TimeNs::MIN
    }

    /// Starts the strategies at `now_ns` and sets their first timers.
    pub(crate) fn start(&mut self, now_ns: TimeNs) -> Result<()> {
        self.started_ns = now_ns;
        self.now_ns = now_ns;
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
        for strategy in 0..self.strategies.len() as u16 {
            let instrument = self.strategies[usize::from(strategy)].instrument;
            self.call(strategy, instrument, &Call::Stop)?;
        }
        self.sample()
    }

    /// Whether any of our orders is at the venue.
    pub(crate) fn has_orders_at(&self, instrument: InstrumentId) -> bool {
        self.venues[instrument.index()].open_orders() > 0
    }

    /// Rows of one instrument at the venue, from the first up to the horizon, to a row of another
    /// instrument, or to one that the venue answers. `clock_ns` is the running maximum of
    /// exchange times. Returns how many rows were applied.
    #[inline]
    pub(crate) fn venue_rows(
        &mut self,
        instrument: InstrumentId,
        rows: &[MarketRow],
        base: Ticks,
        horizon_ns: TimeNs,
        clock_ns: &mut TimeNs,
    ) -> Result<usize> {
        let venue = &mut self.venues[instrument.index()];
        let out = &mut self.venue_out;
        let of = rows.first().map_or(0, |row| row.instrument);
        let mut clock = *clock_ns;
        let mut used = 0;
        for row in rows {
            let at_ns = row.exch_ns.max(clock);
            // The first row is due in any case.
            if used > 0 && (at_ns >= horizon_ns || row.instrument != of) {
                break;
            }
            clock = at_ns;
            used += 1;
            venue.on_row(row, base, at_ns, out);
            if !out.is_empty() {
                break;
            }
        }
        *clock_ns = clock;
        if !self.venue_out.is_empty() {
            self.send_answers(instrument)?;
        }
        Ok(used)
    }

    /// One row of an order-level feed at the venue. True when the venue answered.
    pub(crate) fn venue_order_row(
        &mut self,
        instrument: InstrumentId,
        row: &OrderRow,
        base: Ticks,
        now_ns: TimeNs,
    ) -> Result<bool> {
        self.venues[instrument.index()].on_order_row(row, base, now_ns, &mut self.venue_out);
        let answered = !self.venue_out.is_empty();
        self.send_answers(instrument)?;
        Ok(answered)
    }

    /// A request reaches the venue.
    pub(crate) fn venue_request(&mut self, request: &VenueRequest, now_ns: TimeNs) -> Result<()> {
        let instrument = match request.kind {
            VenueRequestKind::New(terms) => terms.instrument,
            VenueRequestKind::Cancel { instrument }
            | VenueRequestKind::Amend { instrument, .. } => instrument,
        };
        let venue = &mut self.venues[instrument.index()];
        venue.on_request(request, now_ns, &mut self.venue_out);
        if venue.next_timer_ns().is_some() || self.venue_timer_ns != TimeNs::MAX {
            self.look_up_venue_timers();
        }
        self.send_answers(instrument)
    }

    /// The earliest time that a venue itself waits for; `TimeNs::MAX` when there is none.
    #[inline]
    pub(crate) const fn next_venue_timer_ns(&self) -> TimeNs {
        self.venue_timer_ns
    }

    /// A time that a venue itself waits for has come.
    pub(crate) fn venue_timers(&mut self, now_ns: TimeNs) -> Result<()> {
        for index in 0..self.venues.len() {
            if self.venues[index].next_timer_ns().is_some_and(|at| at <= now_ns) {
                self.venues[index].on_timer(now_ns, &mut self.venue_out);
                self.send_answers(InstrumentId(index as u16))?;
            }
        }
        self.look_up_venue_timers();
        Ok(())
    }

    /// Orders with an expiry are few: their times are looked up when one came or may have gone.
    fn look_up_venue_timers(&mut self) {
        let times = self.venues.iter().filter_map(SimMarket::next_timer_ns);
        self.venue_timer_ns = times.min().unwrap_or(TimeNs::MAX);
    }

    /// Sends what the venue said on its way to us.
    fn send_answers(&mut self, instrument: InstrumentId) -> Result<()> {
        let index = instrument.index();
        for i in 0..self.venue_out.len() {
            let mut event = self.venue_out[i];
            self.request_sequence += 1;
            let delay = self.latency[index].response_ns(
                event.exch_ns,
                request_kind(&event.kind),
                self.markets[index].feed_latency_ns,
                self.request_sequence,
            );
            // One connection: an answer never overtakes the one before it.
            let at = (event.exch_ns + delay).max(self.last_answer_ns[index]);
            self.last_answer_ns[index] = at;
            event.recv_ns = at;
            self.answers.push(at, event)?;
        }
        self.venue_out.clear();
        Ok(())
    }

    /// Rows of one message that reach us, up to its end or that of `rows`; returns how many.
    #[inline]
    pub(crate) fn local_rows(
        &mut self,
        instrument: InstrumentId,
        rows: &[MarketRow],
        base: Ticks,
        changes: &mut Changes,
    ) -> usize {
        let mut used = 0;
        while used < rows.len() {
            let market = &mut self.markets[instrument.index()];
            let (depth, ended) = apply_depth(market, &rows[used..], base);
            used += depth;
            changes.book |= depth > 0;
            if ended {
                break;
            }
            let Some(row) = rows.get(used) else { break };
            used += 1;
            market.apply(row, base, changes);
            if row.kind == RowKind::Trade as u8 {
                self.note_trade(instrument);
            } else if row.kind == RowKind::Funding as u8 {
                changes.funding = Some(row.qty_lots);
            }
            if row.ends_message() {
                break;
            }
        }
        self.recorder.counts.rows += used as u64;
        used
    }

    /// One row of an order-level message that reaches us.
    pub(crate) fn local_order_row(
        &mut self,
        instrument: InstrumentId,
        row: &OrderRow,
        base: Ticks,
        changes: &mut Changes,
    ) {
        let market = &mut self.markets[instrument.index()];
        market.apply_order(row, base, changes);
        match RowKind::from_byte(row.market.kind) {
            Some(RowKind::Trade | RowKind::OrderExecute) => self.note_trade(instrument),
            Some(RowKind::Funding) => changes.funding = Some(row.market.qty_lots),
            _ => {}
        }
    }

    /// A trade for strategies and bars.
    #[inline]
    fn note_trade(&mut self, instrument: InstrumentId) {
        self.recorder.counts.trades += 1;
        if !self.wants_trades {
            return;
        }
        let Some(trade) = self.markets[instrument.index()].last_trade else { return };
        self.message_trades.push(trade);
        for builder in &mut self.bar_builders[instrument.index()] {
            builder.on_trade(&trade, self.now_ns, &mut self.done_bars);
        }
    }

    /// The end of a message that reached us.
    #[inline]
    pub(crate) fn local_end(
        &mut self,
        instrument: InstrumentId,
        row: &MarketRow,
        changes: &Changes,
    ) -> Result<()> {
        let mut changes = *changes;
        self.markets[instrument.index()].end_message(row, self.now_ns, &mut changes);
        self.recorder.counts.messages += 1;
        let usable = self.is_usable(instrument);
        if let Some(rate) = changes.funding {
            self.settle_funding(instrument, rate)?;
        }
        for strategy in 0..self.strategies.len() {
            let interest = self.strategies[strategy].interest;
            if interest.trades {
                for i in 0..self.message_trades.len() {
                    let trade = self.message_trades[i];
                    self.call(strategy as u16, instrument, &Call::Trade(&trade))?;
                }
            }
            // A book that cannot be trusted is not shown.
            let wanted = usable
                && match interest.book {
                    BookTrigger::Message => changes.book,
                    BookTrigger::Best => changes.best,
                    BookTrigger::Trade => changes.trade,
                    BookTrigger::Never | BookTrigger::Every(_) => false,
                };
            if wanted {
                self.call(strategy as u16, instrument, &Call::Book)?;
            }
        }
        self.message_trades.clear();
        self.tell_bars(instrument)
    }

    /// Tells strategies of the bars that the last message completed.
    #[inline]
    fn tell_bars(&mut self, instrument: InstrumentId) -> Result<()> {
        let mut told = 0;
        while let Some(bar) = self.done_bars.get(told).copied() {
            told += 1;
            self.tell_bar(instrument, &bar)?;
        }
        self.done_bars.clear();
        Ok(())
    }

    #[inline]
    fn is_usable(&self, instrument: InstrumentId) -> bool {
        self.markets[instrument.index()].is_usable()
    }

    /// Funding is due on what we hold, at the mark price or else the mid.
    #[cold]
    fn settle_funding(&mut self, instrument: InstrumentId, rate: i64) -> Result<()> {
        match self.markets[instrument.index()].mark() {
            Some(mark) => self.ledger.funding(instrument, rate, mark).map(|_| ()),
            None => self.recorder.notice(self.now_ns, "funding without a price was left out"),
        }
    }

    /// A bar of a bar file reaches us.
    pub(crate) fn local_bar(&mut self, instrument: InstrumentId, bar: &BarRow) -> Result<()> {
        let market = &mut self.markets[instrument.index()];
        market.apply_bar(bar, self.bar_spread_ticks, self.now_ns);
        self.tell_bar(instrument, bar)
    }

    /// A bar is complete.
    fn tell_bar(&mut self, instrument: InstrumentId, bar: &BarRow) -> Result<()> {
        self.recorder.counts.bars += 1;
        for strategy in 0..self.strategies.len() {
            if self.strategies[strategy].interest.bars {
                self.call(strategy as u16, instrument, &Call::Bar(bar))?;
            }
        }
        Ok(())
    }

    /// The interval of a time bar has passed.
    fn bar_interval(
        &mut self,
        instrument: InstrumentId,
        builder: u16,
        end_ns: TimeNs,
    ) -> Result<()> {
        let builder_of = &mut self.bar_builders[instrument.index()][usize::from(builder)];
        let Some(interval) = builder_of.interval_ns() else { return Ok(()) };
        let bar = builder_of.on_interval(end_ns, interval);
        self.timers.push(end_ns + interval, Timer::Bar { instrument, builder })?;
        match bar {
            Some(bar) => self.tell_bar(instrument, &bar),
            None => Ok(()),
        }
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
            Timer::Sample => {
                self.timers.push(due_ns + self.sample_ns, timer)?;
                self.sample()
            }
        }
    }

    /// An answer reaches us: order, money, strategy.
    pub(crate) fn answer(&mut self, event: &VenueEvent) -> Result<()> {
        let open_before = self.orders.get(event.order).map_or(Lots::ZERO, working_lots);
        let change = match self.orders.apply(event, self.now_ns) {
            Ok(change) => change,
            Err(error) => return self.recorder.notice(self.now_ns, &error.to_string()),
        };
        self.track_open(open_before, &change.order);
        let fill = self.book_fill(event, &change)?;
        if !change.duplicate {
            self.recorder.order(&change.order, reason_code(&event.kind), self.now_ns)?;
        }
        if matches!(event.kind, VenueEventKind::Rejected(_)) {
            self.recorder.counts.venue_rejects += 1;
        }
        let strategy = change.order.strategy;
        let instrument = change.order.terms.instrument;
        let interest = self.strategies[usize::from(strategy)].interest;
        if let Some(fill) = fill.as_ref().filter(|_| interest.fills) {
            self.call(strategy, instrument, &Call::Fill(fill))?;
        }
        if interest.orders && !change.duplicate {
            self.call(strategy, instrument, &Call::Order(&change.order))?;
        }
        Ok(())
    }

    /// Books a fill in the ledger and the log.
    fn book_fill(&mut self, event: &VenueEvent, change: &Change) -> Result<Option<Fill>> {
        let Some(fill) = change.fill else { return Ok(None) };
        let order = &change.order;
        let instrument = order.terms.instrument;
        let index = instrument.index();
        let notional = match self.ledger.contract(instrument) {
            Some(contract) => contract.notional(fill.price, fill.qty)?,
            None => 0,
        };
        let fee = self.fees[index].charge(fill.maker, notional, fill.qty);
        let effect = self.ledger.fill(
            order.strategy,
            instrument,
            order.terms.side,
            fill.price,
            fill.qty,
            fee,
        )?;
        self.recorder.fill(&FillRecord {
            time_ns: self.now_ns,
            exch_ns: event.exch_ns,
            order_id: order.id.0,
            price_ticks: fill.price.0,
            qty_lots: fill.qty.0,
            position_lots: effect.position.0,
            mid2_ticks: self.markets[index].mid2().unwrap_or(i64::MIN),
            fee: effect.fee.into(),
            realised: effect.realised.into(),
            strategy: order.strategy,
            instrument: instrument.0,
            side: order.terms.side.sign() as i8,
            maker: u8::from(fill.maker),
            reserved: 0,
        })?;
        Ok(Some(Fill {
            order: *order,
            price: fill.price,
            qty: fill.qty,
            side: order.terms.side,
            maker: fill.maker,
            exch_ns: event.exch_ns,
        }))
    }

    #[inline]
    fn net_position(&self, instrument: InstrumentId) -> Lots {
        self.ledger.net(instrument).map_or(Lots::ZERO, |p| p.lots)
    }

    /// Keeps the open quantity of each side in step with an order.
    #[inline]
    fn track_open(&mut self, before: Lots, after: &Order) {
        let open = &mut self.open_lots[after.terms.instrument.index()][after.terms.side as usize];
        *open += working_lots(after) - before;
    }

    /// Calls a strategy and carries out what it asks for.
    #[inline]
    fn call(&mut self, strategy: u16, instrument: InstrumentId, call: &Call<'_>) -> Result<()> {
        let slot = &mut self.strategies[usize::from(strategy)];
        if slot.failure.is_some() || self.started_ns == TimeNs::MIN {
            return Ok(());
        }
        self.recorder.counts.callbacks += 1;
        let mut view = View {
            now_ns: self.now_ns,
            instrument,
            strategy,
            markets: &self.markets,
            orders: &self.orders,
            ledger: &self.ledger,
            intents: &mut self.intents,
        };
        let outcome = dispatch(slot.host.as_mut(), &mut view, call);
        match outcome {
            Ok(()) if self.intents.is_empty() => Ok(()),
            Ok(()) => self.carry_out(strategy),
            Err(failure) => {
                self.intents.clear();
                self.interrupted |= failure.interrupted;
                self.fail(strategy, failure.message)
            }
        }
    }

    /// Stops a strategy that failed and cancels its orders.
    fn fail(&mut self, strategy: u16, message: String) -> Result<()> {
        let name = self.strategies[usize::from(strategy)].host.name().to_owned();
        self.recorder.notice(self.now_ns, &format!("strategy {name} stopped: {message}"))?;
        self.strategies[usize::from(strategy)].failure = Some(message);
        for index in 0..self.markets.len() {
            self.cancel_all(strategy, InstrumentId(index as u16))?;
        }
        Ok(())
    }

    /// Does what a strategy asked for.
    fn carry_out(&mut self, strategy: u16) -> Result<()> {
        let intents = self.intents.take();
        let done = intents
            .as_slice()
            .iter()
            .try_for_each(|intent| self.carry_out_one(strategy, intent, &intents));
        self.intents.give_back(intents);
        done
    }

    fn carry_out_one(&mut self, strategy: u16, intent: &Intent, all: &Intents) -> Result<()> {
        match *intent {
            Intent::Quote { instrument, first, bids, asks, flags } => {
                let (bids, asks) = all.levels(first, bids, asks);
                self.quote(strategy, instrument, &Desired { bids, asks, flags })
            }
            Intent::Target { instrument, position, price } => {
                self.target(strategy, instrument, position, price)
            }
            Intent::Place { id, terms } => self.place(strategy, id, terms, Purpose::Explicit),
            Intent::Cancel(id) => self.cancel(strategy, id),
            Intent::CancelAll(instrument) => self.cancel_all(strategy, instrument),
            Intent::Amend { id, price, qty } => self.amend(strategy, id, price, qty),
            Intent::Timer { at_ns, tag } => {
                self.timers.push(at_ns.max(self.now_ns), Timer::Strategy { strategy, tag })
            }
        }
    }

    fn quote(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        desired: &Desired<'_>,
    ) -> Result<()> {
        self.actions.clear();
        let live = live_orders(&self.orders, strategy, instrument, Purpose::Quote);
        reconcile_quotes(instrument, desired, live, &mut self.actions);
        self.act(strategy, Purpose::Quote)
    }

    fn target(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        target: Lots,
        price: Option<Ticks>,
    ) -> Result<()> {
        self.actions.clear();
        let position = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        let live = live_orders(&self.orders, strategy, instrument, Purpose::Target);
        reconcile_target(instrument, position, target, price, live, &mut self.actions);
        self.act(strategy, Purpose::Target)
    }

    fn act(&mut self, strategy: u16, purpose: Purpose) -> Result<()> {
        let actions = std::mem::take(&mut self.actions);
        let done = actions.as_slice().iter().try_for_each(|action| match action {
            Action::Cancel(id) => self.cancel(strategy, *id),
            Action::Place(terms) => {
                let id = self.intents_id();
                self.place(strategy, id, *terms, purpose)
            }
        });
        self.actions = actions;
        done
    }

    fn intents_id(&mut self) -> ClientOrderId {
        self.intents.next_id()
    }

    /// Puts an order before the gate and, if it passes, on its way.
    fn place(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        terms: OrderTerms,
        purpose: Purpose,
    ) -> Result<()> {
        let index = terms.instrument.index();
        let exposure = Exposure {
            position: self.net_position(terms.instrument),
            open_same_side: self.open_lots[index][terms.side as usize],
            mid2: self.markets[index].mid2().unwrap_or(0),
            open_orders: self.orders.live_count(),
        };
        let mut order = Order::new(id, strategy, terms, self.now_ns);
        order.purpose = purpose;
        match self.gate.check(&terms, &exposure) {
            Ok(approved) => self.submit(order, &approved),
            Err(veto) => self.refuse(order, veto.mask()),
        }
    }

    fn submit(&mut self, order: Order, approved: &ApprovedOrder) -> Result<()> {
        self.orders.insert(order)?;
        let change = self.orders.request(order.id, OrderEvent::Submit, self.now_ns)?;
        self.track_open(Lots::ZERO, &change.order);
        self.recorder.counts.orders += 1;
        self.recorder.order(&change.order, 0, self.now_ns)?;
        self.send(order.id, VenueRequestKind::New(*approved.terms()), approved.terms().instrument)
    }

    fn refuse(&mut self, order: Order, mask: u32) -> Result<()> {
        self.orders.insert(order)?;
        let order = self.orders.request(order.id, OrderEvent::RiskRefused, self.now_ns)?.order;
        self.recorder.counts.risk_rejects += 1;
        // The lowest failed limit, from 101 on, so that codes of venues and of the gate do not meet.
        let reason = 101 + mask.trailing_zeros() as u8;
        self.recorder.order(&order, reason, self.now_ns)?;
        if self.strategies[usize::from(order.strategy)].interest.orders {
            // Told like an answer of the venue: soon, but not from inside the callback.
            let timer = Timer::Refusal { strategy: order.strategy, order: order.id };
            self.timers.push(self.now_ns + REFUSAL_NS, timer)?;
        }
        Ok(())
    }

    fn cancel(&mut self, strategy: u16, id: ClientOrderId) -> Result<()> {
        let Some(order) = self.orders.get(id).filter(|o| o.strategy == strategy).copied() else {
            return self.recorder.notice(
                self.now_ns,
                &format!("cancel of order {}: it is not an open order of this strategy", id.0),
            );
        };
        // Over, or a cancel is on its way: what was asked is done.
        if order.is_terminal() || order.state == OrderState::PendingCancel {
            return Ok(());
        }
        let change = self.orders.request(id, OrderEvent::CancelRequested, self.now_ns)?;
        self.recorder.counts.cancels += 1;
        self.recorder.order(&change.order, 0, self.now_ns)?;
        let instrument = order.terms.instrument;
        self.send(id, VenueRequestKind::Cancel { instrument }, instrument)
    }

    pub(crate) fn cancel_all(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        ids.extend(self.orders.live(strategy, instrument).map(|o| o.id));
        let done = ids.iter().try_for_each(|id| self.cancel(strategy, *id));
        self.ids = ids;
        done
    }

    fn amend(&mut self, strategy: u16, id: ClientOrderId, price: Ticks, qty: Lots) -> Result<()> {
        let Some(order) = self.orders.get(id).filter(|o| o.strategy == strategy).copied() else {
            return self.recorder.notice(
                self.now_ns,
                &format!("amend of order {}: it is not an open order of this strategy", id.0),
            );
        };
        if !matches!(
            order.state,
            OrderState::Submitted | OrderState::Open | OrderState::PartiallyFilled
        ) {
            return Ok(());
        }
        let mut terms = order.terms;
        terms.price = price;
        terms.qty = Lots((qty - order.terms.qty).0.max(1));
        let index = terms.instrument.index();
        let exposure = Exposure {
            position: self.net_position(terms.instrument),
            open_same_side: self.open_lots[index][terms.side as usize],
            mid2: self.markets[index].mid2().unwrap_or(0),
            open_orders: 0,
        };
        if let Err(veto) = self.gate.check(&terms, &exposure) {
            self.recorder.counts.risk_rejects += 1;
            let names: Vec<_> = veto.failures().map(|f| f.limit.name()).collect();
            return self.recorder.notice(
                self.now_ns,
                &format!("amend of order {} refused by risk: {}", id.0, names.join(", ")),
            );
        }
        let change =
            self.orders.request(id, OrderEvent::ReplaceRequested { price, qty }, self.now_ns)?;
        self.track_open(working_lots(&order), &change.order);
        self.recorder.counts.amends += 1;
        self.recorder.order(&change.order, 0, self.now_ns)?;
        let instrument = order.terms.instrument;
        self.send(id, VenueRequestKind::Amend { instrument, price, qty }, instrument)
    }

    /// Sends a request on its way to the venue.
    fn send(
        &mut self,
        order: ClientOrderId,
        kind: VenueRequestKind,
        instrument: InstrumentId,
    ) -> Result<()> {
        let index = instrument.index();
        let sent_ns = self.now_ns + self.decision_ns;
        self.request_sequence += 1;
        let request = VenueRequest { order, sent_ns, kind };
        let leg = self.latency[index].entry_ns(
            sent_ns,
            RequestKind::of(&kind),
            self.markets[index].feed_latency_ns,
            self.request_sequence,
        );
        match leg {
            Leg::Arrives(delay) => {
                // One connection: a request never overtakes the one before it.
                let at = (sent_ns + delay).max(self.last_arrival_ns[index]);
                self.last_arrival_ns[index] = at;
                self.requests.push(at, request)
            }
            Leg::Rejected(delay) => {
                let at = sent_ns + delay;
                let kind = match kind {
                    VenueRequestKind::New(_) => VenueEventKind::Rejected(RejectReason::Overloaded),
                    VenueRequestKind::Cancel { .. } => {
                        VenueEventKind::CancelRejected(RejectReason::Overloaded)
                    }
                    VenueRequestKind::Amend { .. } => {
                        VenueEventKind::AmendRejected(RejectReason::Overloaded)
                    }
                };
                self.answers.push(at, VenueEvent { order, exch_ns: at, recv_ns: at, kind })
            }
        }
    }
}

/// Applies depth rows from the first on: how many, and whether the last of them ended the message.
#[inline]
fn apply_depth(market: &mut Market, rows: &[MarketRow], base: Ticks) -> (usize, bool) {
    let book = &mut market.book;
    for (used, row) in rows.iter().enumerate() {
        if row.kind != RowKind::Depth as u8 {
            return (used, false);
        }
        book.apply(row, base);
        if row.ends_message() {
            return (used + 1, true);
        }
    }
    (rows.len(), false)
}

/// The quantity that an order may still add to the position.
#[inline]
fn working_lots(order: &Order) -> Lots {
    if order.is_open() {
        order.fillable()
    } else {
        Lots::ZERO
    }
}

fn live_orders<'a>(
    orders: &'a OrderTable,
    strategy: u16,
    instrument: InstrumentId,
    purpose: Purpose,
) -> impl Iterator<Item = LiveOrder> + 'a {
    orders.live(strategy, instrument).filter(move |o| o.purpose == purpose).map(|o| LiveOrder {
        id: o.id,
        side: o.terms.side,
        price: o.terms.price,
        qty: o.terms.qty,
        filled: o.filled,
        cancelling: o.state == OrderState::PendingCancel,
    })
}

#[inline]
fn dispatch(host: &mut dyn Host, view: &mut View<'_>, call: &Call<'_>) -> HostResult {
    match call {
        Call::Start => host.on_start(view),
        Call::Book => host.on_book(view),
        Call::Trade(trade) => host.on_trade(view, trade),
        Call::Bar(bar) => host.on_bar(view, bar),
        Call::Fill(fill) => host.on_fill(view, fill),
        Call::Order(order) => host.on_order(view, order),
        Call::Timer(tag) => host.on_timer(view, *tag),
        Call::Stop => host.on_stop(view),
    }
}

/// Which kind of request an answer belongs to.
const fn request_kind(event: &VenueEventKind) -> RequestKind {
    match event {
        VenueEventKind::Cancelled(_) | VenueEventKind::CancelRejected(_) => RequestKind::Cancel,
        VenueEventKind::Amended { .. } | VenueEventKind::AmendRejected(_) => RequestKind::Amend,
        _ => RequestKind::New,
    }
}

/// The code that results keep for the reason of a reject or cancel; 0 for none.
fn reason_code(kind: &VenueEventKind) -> u8 {
    match kind {
        VenueEventKind::Rejected(reason)
        | VenueEventKind::CancelRejected(reason)
        | VenueEventKind::AmendRejected(reason) => *reason as u8,
        VenueEventKind::Cancelled(reason) => 50 + *reason as u8,
        _ => 0,
    }
}
