//! One instrument on the matching engine: others' orders and ours in one book.

use std::collections::VecDeque;

use mainspring_core::event::{flags, OrderRow};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderTerms, OrderType, RejectReason, SelfTradePrevention,
    TimeInForce, VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_core::{DurationNs, Instrument, InstrumentId, Lots, Result, Ticks, TimeNs};
use mainspring_exchange::recorded::{without_rules, Level, Recorded};
use mainspring_exchange::{AccountId, Market, MarketConfig, NewOrder, OrderId, TriggerBy};
use mainspring_sim::{MarginLimits, OrderRules, RateWindow, SimConfig, TriggerSource};

use super::crowd::Crowd;
use super::tape::{arriving, our_id, taker_id, Published, Tape, OTHERS, OURS, POINTLESS, TAKERS};

/// Who else trades.
#[derive(Clone, Debug)]
pub(super) enum Others {
    /// Those of a recording.
    Recorded(Box<Recorded>),
    /// Generated agents.
    Crowd(Box<Crowd>),
}

/// One instrument on the matching engine.
#[derive(Clone, Debug)]
pub(crate) struct MatchedMarket {
    pub(super) engine: Market,
    pub(super) tape: Tape,
    pub(super) rules: OrderRules,
    pub(super) others: Option<Others>,
    pub(super) halted: bool,
    pub(super) takers: u64,
    self_trade: SelfTradePrevention,
    trigger_by: TriggerBy,
    overload: Option<RateWindow>,
    /// What is on its way to us, oldest first.
    feed: VecDeque<Published>,
    last_recv_ns: TimeNs,
    /// How long the last message took to us.
    latency_ns: DurationNs,
    /// Kept for its capacity.
    ids: Vec<ClientOrderId>,
}

impl MatchedMarket {
    pub(super) fn new(
        id: InstrumentId,
        instrument: &Instrument,
        config: &SimConfig,
        others: Others,
    ) -> Result<Self> {
        Ok(Self {
            engine: Market::new(id, &without_rules(instrument), MarketConfig::default())?,
            tape: Tape::new(id, config.max_orders),
            rules: OrderRules::of(instrument)?,
            others: Some(others),
            halted: false,
            takers: 0,
            self_trade: config.self_trade,
            trigger_by: match config.trigger_source {
                TriggerSource::LastTrade => TriggerBy::LastTrade,
                TriggerSource::Mark => TriggerBy::Mark,
            },
            overload: config.overload.map(RateWindow::new),
            feed: VecDeque::with_capacity(1 << 12),
            last_recv_ns: TimeNs::MIN,
            latency_ns: 0,
            ids: Vec::with_capacity(64),
        })
    }

    pub fn set_margin_limits(&mut self, limits: MarginLimits) {
        self.tape.margin = Some(limits);
    }

    /// A request of ours reaches the venue.
    pub fn on_request(&mut self, request: &VenueRequest, now: TimeNs, out: &mut Vec<VenueEvent>) {
        self.interrupt(now);
        let admitted = self.overload.as_mut().is_none_or(|window| window.admits(now));
        let overloaded = (!admitted).then_some(RejectReason::Overloaded);
        let id = request.order;
        match &request.kind {
            VenueRequestKind::New(terms) => {
                let refused = overloaded.map_or_else(|| self.submit(id, terms, now), Err);
                self.answer(id, refused.map_err(VenueEventKind::Rejected), now);
            }
            VenueRequestKind::Cancel { .. } => {
                let done = overloaded.map_or_else(|| self.cancel(id, now), Err);
                self.answer(id, done.map_err(VenueEventKind::CancelRejected), now);
            }
            VenueRequestKind::Amend { price, qty, .. } => {
                let done = overloaded.map_or_else(|| self.amend(id, *price, *qty, now), Err);
                self.answer(id, done.map_err(VenueEventKind::AmendRejected), now);
            }
        }
        self.end_own_step(now, out);
    }

    fn answer(
        &mut self,
        id: ClientOrderId,
        refused: std::result::Result<(), VenueEventKind>,
        now: TimeNs,
    ) {
        if let Err(kind) = refused {
            self.tape.say(id, now, kind);
        }
    }

    fn submit(&mut self, id: ClientOrderId, terms: &OrderTerms, now: TimeNs) -> Answer {
        if self.halted || terms.instrument != self.engine.id() {
            return Err(RejectReason::Halted);
        }
        self.rules.check(terms)?;
        if !self.tape.own.insert(arriving(id, *terms)) {
            return Err(RejectReason::DuplicateOrder);
        }
        self.engine.submit(self.for_engine(id, *terms), now, &mut self.tape);
        Ok(())
    }

    /// An order of ours as the engine has it.
    pub(super) fn for_engine(&self, id: ClientOrderId, mut terms: OrderTerms) -> NewOrder {
        if terms.oco.0 != 0 {
            terms.oco = ClientOrderId(our_id(terms.oco).0);
        }
        let mut order = NewOrder::new(our_id(id), OURS, terms);
        order.self_trade = Some(self.self_trade);
        order.trigger_by = self.trigger_by;
        order
    }

    fn cancel(&mut self, id: ClientOrderId, now: TimeNs) -> Answer {
        if self.tape.own.get(id).is_none() {
            return Err(RejectReason::UnknownOrder);
        }
        self.engine.cancel(our_id(id), OURS, now, &mut self.tape);
        Ok(())
    }

    fn amend(&mut self, id: ClientOrderId, price: Ticks, qty: Lots, now: TimeNs) -> Answer {
        let own = *self.tape.own.get(id).ok_or(RejectReason::UnknownOrder)?;
        if qty <= own.filled {
            self.engine.remove(our_id(id), CancelReason::Requested, now, &mut self.tape);
            return Ok(());
        }
        if self.halted {
            return Err(RejectReason::Halted);
        }
        let mut terms = own.terms;
        terms.qty = qty;
        match terms.order_type {
            OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg => terms.price = price,
            OrderType::Stop | OrderType::TakeProfit => terms.trigger = price,
            _ => {}
        }
        self.rules.check(&terms)?;
        let mut qty = qty;
        if own.is_reduce_only() {
            let room = (-terms.side.sign() * self.tape.position.0).max(0);
            if room == 0 {
                return Err(RejectReason::ReduceOnlyWouldIncrease);
            }
            qty = qty.min(own.filled + Lots(room));
        }
        self.change(our_id(id), OURS, (terms.side, terms.price, qty), price, now);
        Ok(())
    }

    /// When a good-till-date order of ours leaves next.
    pub fn next_timer_ns(&self) -> Option<TimeNs> {
        self.tape.own.next_expiry()
    }

    pub fn on_timer(&mut self, now: TimeNs, out: &mut Vec<VenueEvent>) {
        self.interrupt(now);
        self.engine.advance(now, &mut self.tape);
        self.end_own_step(now, out);
    }

    /// Cancels every order of ours, the lowest id first.
    pub fn cancel_all(&mut self, reason: CancelReason, now: TimeNs, out: &mut Vec<VenueEvent>) {
        self.interrupt(now);
        self.remove_own(reason, now, |_, _| true);
        self.end_own_step(now, out);
    }

    fn remove_own(
        &mut self,
        reason: CancelReason,
        now: TimeNs,
        chosen: impl Fn(&super::own::OwnOrder, Lots) -> bool,
    ) {
        let position = self.tape.position;
        self.ids.clear();
        self.ids.extend(self.tape.own.iter().filter(|o| chosen(o, position)).map(|o| o.id));
        for at in 0..self.ids.len() {
            self.engine.remove(our_id(self.ids[at]), reason, now, &mut self.tape);
        }
    }

    /// What follows from fills: reduce-only orders with nothing left to reduce leave.
    pub(super) fn complete(&mut self, now: TimeNs) {
        if std::mem::take(&mut self.tape.position_moved) {
            self.remove_own(POINTLESS, now, |order, position| {
                order.is_reduce_only() && order.terms.side.sign() * position.0 >= 0
            });
        }
    }

    /// Agents look up when we act.
    fn interrupt(&mut self, now: TimeNs) {
        if let Some(Others::Crowd(crowd)) = &mut self.others {
            crowd.agents.market().interrupt(now);
        }
    }

    /// The end of a step of ours: everybody sees what it did to the book.
    fn end_own_step(&mut self, now: TimeNs, out: &mut Vec<VenueEvent>) {
        self.complete(now);
        let latency_ns = match &mut self.others {
            Some(Others::Crowd(crowd)) => {
                crowd.mirror(&self.tape.rows, false);
                crowd.latency_ns(&self.tape.rows)
            }
            _ => self.latency_ns,
        };
        self.send(now, now + latency_ns);
        out.append(&mut self.tape.answers);
    }

    /// Sends the rows so far as one message.
    pub(super) fn send(&mut self, exch_ns: TimeNs, recv_ns: TimeNs) {
        let Some(last) = self.tape.rows.last_mut() else { return };
        last.row.market.flags |= flags::END_OF_MESSAGE;
        self.last_recv_ns = self.last_recv_ns.max(recv_ns).max(exch_ns);
        for published in &mut self.tape.rows {
            published.row.market.exch_ns = exch_ns;
            published.row.market.recv_ns = self.last_recv_ns;
        }
        self.feed.extend(self.tape.rows.drain(..));
    }

    /// Notes how long a message of the feed took to us.
    pub(super) fn note_latency(&mut self, latency_ns: DurationNs) {
        self.latency_ns = latency_ns.max(0);
    }

    /// When the next row reaches us; `TimeNs::MAX` for none.
    pub fn next_feed_ns(&self) -> TimeNs {
        self.feed.front().map_or(TimeNs::MAX, |next| next.row.market.recv_ns)
    }

    /// The next row that reaches us, with its price.
    pub fn next_row(&mut self) -> Option<(OrderRow, Ticks)> {
        self.feed.pop_front().map(|next| (next.row, next.price))
    }

    /// An order of somebody else comes.
    pub(super) fn add_other(&mut self, id: OrderId, (side, price, qty): Level, now: TimeNs) {
        let terms = OrderTerms::limit(self.engine.id(), side, price, qty);
        let mut order = NewOrder::new(id, OTHERS, terms);
        order.self_trade = None;
        self.engine.submit(order, now, &mut self.tape);
    }

    /// Somebody else takes what is at a price or better. Returns what found nothing.
    pub(super) fn take_other(&mut self, (side, price, qty): Level, now: TimeNs) -> Lots {
        self.takers += 1;
        let mut terms = OrderTerms::limit(self.engine.id(), side, price, qty);
        terms.time_in_force = TimeInForce::Ioc;
        let mut order = NewOrder::new(taker_id(self.takers), TAKERS, terms);
        order.self_trade = None;
        let before = self.tape.rows.len();
        self.engine.submit(order, now, &mut self.tape);
        let executed = mainspring_core::RowKind::OrderExecute as u8;
        let taken = self.tape.rows[before..].iter().filter(|p| p.row.market.kind == executed);
        Lots(qty.0 - taken.filter(|p| !p.by_us).map(|p| p.row.market.qty_lots).sum::<i64>())
    }

    /// Changes an order to a price and a whole quantity. `level` is where it would rest.
    pub(super) fn change(
        &mut self,
        id: OrderId,
        account: AccountId,
        level: Level,
        price: Ticks,
        now: TimeNs,
    ) {
        let (side, at, qty) = level;
        let best = self.engine.levels().best(side.opposite());
        self.tape.crossing = best.filter(|best| side.at_least(at, *best)).map(|_| id);
        self.engine.amend(id, account, (price, qty), now, &mut self.tape);
        self.tape.crossing = None;
    }

    /// Brings an order of somebody else to what is left of it.
    pub(super) fn set_left(&mut self, id: OrderId, left: i64, now: TimeNs) {
        let Some(open) = self.engine.order(id) else { return };
        if left <= 0 {
            self.engine.cancel(id, OTHERS, now, &mut self.tape);
        } else if open.left().0 != left {
            let terms = (open.order.terms.price, open.filled + Lots(left));
            self.engine.amend(id, OTHERS, terms, now, &mut self.tape);
        }
    }
}

type Answer = std::result::Result<(), RejectReason>;
