//! Orders on their way: gate, requests, answers, fills.

use mainspring_core::order::{OrderFlags, OrderTerms};
#[cfg(feature = "mutants")]
use mainspring_core::Side;
use mainspring_core::{
    ClientOrderId, InstrumentId, Lots, Money, RejectReason, Result, Ticks, TimeNs, VenueEvent,
    VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_journal::FillRecord;
use mainspring_sim::{Leg, RequestKind};
use mainspring_trading::execution::parents::ParentId;
use mainspring_trading::fee::FeeOutcome;
#[cfg(feature = "mutants")]
use mainspring_trading::ledger::{FillEffect, Ledger};
use mainspring_trading::orders::{
    FillChange, Moved, Order, OrderEvent, OrderState, Place, Purpose,
};
use mainspring_trading::risk::{ApprovedOrder, Gate, LimitKind, Situation};

use crate::host::Fill;
use crate::session::foreign::is_known_by_venue_id;
use crate::session::mutant::{is_planted, Mutant};
use crate::session::Event;

use super::calls::Call;
use super::{Kernel, Timer, REFUSAL_NS};

impl Kernel {
    /// An answer reaches us: order, money, strategy.
    pub(crate) fn answer(&mut self, event: &VenueEvent) -> Result<()> {
        self.answer_with(event, None)
    }

    /// As [`Self::answer`], with the fee that the venue reported.
    pub(crate) fn answer_with(&mut self, event: &VenueEvent, fee: Option<Money>) -> Result<()> {
        self.apply_answer(event, fee)?;
        if matches!(event.kind, VenueEventKind::Filled { .. }) {
            self.judge_fill(event.order)?;
        }
        self.see_to_rest(event)?;
        if self.parents.is_some() {
            return self.work_parent_of(event.order);
        }
        Ok(())
    }

    fn apply_answer(&mut self, event: &VenueEvent, fee: Option<Money>) -> Result<()> {
        let Ok(place) = self.orders.place(event.order) else { return self.note_refusal() };
        let open_before = working_lots(self.orders.order(place));
        let Ok(moved) = self.orders.apply_at(place, event, self.now_ns) else {
            return self.note_refusal();
        };
        let order = self.orders.at(moved);
        track_open(&mut self.gate, open_before, order);
        let strategy = order.strategy;
        let instrument = order.terms.instrument;
        let fill = FillChange::of(event);
        if let Some(fill) = &fill {
            self.book_fill(event, moved, fill, fee)?;
        }
        if !moved.is_duplicate() {
            let reason = reason_code(&event.kind);
            self.recorder.order(self.orders.at(moved), reason, self.now_ns)?;
            if is_planted(Mutant::Revives) && moved.to() == OrderState::Cancelled {
                let order = Order { state: OrderState::Open, ..*self.orders.at(moved) };
                self.recorder.order(&order, reason, self.now_ns)?;
            }
            if self.rounds.is_some() {
                self.answer_moved(event.order, &event.kind)?;
            }
        }
        match event.kind {
            VenueEventKind::Rejected(_) => {
                self.recorder.counts.venue_rejects += 1;
                let halt = self.gate.failed(strategy, instrument, self.now_ns);
                self.halt_if(halt)?;
            }
            VenueEventKind::Accepted => {
                let waited_ns = self.now_ns - self.orders.at(moved).created_ns;
                let halt = self.gate.answered(strategy, instrument, waited_ns, self.now_ns);
                self.halt_if(halt)?;
            }
            _ => {}
        }
        if self.parents.is_some() {
            self.child_moved(event.order, Some(&event.kind))?;
        }
        let interest = self.strategies[usize::from(strategy)].interest;
        let order = (interest.fills || interest.orders).then(|| *self.orders.at(moved));
        let Some(order) = order else { return Ok(()) };
        if let Some(fill) = fill.filter(|_| interest.fills) {
            let fill = Fill {
                order,
                price: fill.price,
                qty: fill.qty,
                side: order.terms.side,
                maker: fill.maker,
                exch_ns: event.exch_ns,
            };
            self.call(strategy, instrument, &Call::Fill(&fill))?;
        }
        if interest.orders && !moved.is_duplicate() {
            self.call(strategy, instrument, &Call::Order(&order))?;
        }
        Ok(())
    }

    /// An answer that cannot be: counted in the table, said, and an event in a session's journal.
    #[cold]
    pub(crate) fn note_refusal(&mut self) -> Result<()> {
        let refusal = self.orders.refusal();
        if let Some(ink) = self.recorder.ink() {
            ink.event(self.now_ns, &Event::of_order_error(&refusal))?;
        }
        self.recorder.notice(self.now_ns, &refusal.to_string())
    }

    /// Books a fill in the ledger and the log.
    #[inline]
    fn book_fill(
        &mut self,
        event: &VenueEvent,
        moved: Moved,
        fill: &FillChange,
        reported: Option<Money>,
    ) -> Result<()> {
        let order = self.orders.at(moved);
        let instrument = order.terms.instrument;
        let index = instrument.index();
        let notional = match self.ledger.contract(instrument) {
            Some(contract) => contract.notional(fill.price, fill.qty)?,
            None => 0,
        };
        let fee = match reported {
            Some(fee) => FeeOutcome { fee, residual: 0 },
            None => self.fees[index].charge(fill.maker, notional, fill.qty),
        };
        let side = order.terms.side;
        let (strategy, order_id, first) = (order.strategy, order.id.0, order.filled == fill.qty);
        let effect = self.ledger.fill(strategy, instrument, side, fill.price, fill.qty, fee)?;
        if let Some(parents) = &mut self.parents {
            parents.child_filled(order.id, fill.price, fill.qty, effect.fee);
        }
        self.gate.fill(strategy, instrument, side, fill.qty);
        let halt = self.gate.traded(strategy, instrument, first, effect.realised, self.now_ns);
        #[cfg(feature = "mutants")]
        if is_planted(Mutant::MintsMoney) {
            self.ledger.mint();
        }
        #[cfg(feature = "mutants")]
        let (effect, right) = self.book_again(strategy, instrument, side, fill, fee, effect)?;
        self.recorder.fill(&FillRecord {
            time_ns: self.now_ns,
            exch_ns: event.exch_ns,
            order_id,
            price_ticks: fill.price.0,
            qty_lots: fill.qty.0,
            position_lots: effect.position.0,
            mid2_ticks: self.markets[index].mid2().unwrap_or(i64::MIN),
            fee: effect.fee.into(),
            realised: effect.realised.into(),
            strategy,
            instrument: instrument.0,
            side: side.sign() as i8,
            maker: u8::from(fill.maker),
            reserved: 0,
        })?;
        #[cfg(feature = "mutants")]
        if let Some(right) = right {
            self.ledger = right;
        }
        self.halt_if(halt)
    }

    /// Planted faults that are healed as soon as the fill is told: what it did by them, and the books as
    /// they are without.
    #[cfg(feature = "mutants")]
    fn book_again(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Side,
        fill: &FillChange,
        fee: FeeOutcome,
        effect: FillEffect,
    ) -> Result<(FillEffect, Option<Ledger>)> {
        let moves = is_planted(Mutant::MovesTwice);
        if !moves && !is_planted(Mutant::ChargesTwice) {
            return Ok((effect, None));
        }
        let right = self.ledger.clone();
        let (qty, fee) = if moves { (fill.qty, FeeOutcome::NONE) } else { (Lots::ZERO, fee) };
        let again = self.ledger.fill(strategy, instrument, side, fill.price, qty, fee)?;
        let fee = effect.fee + again.fee;
        Ok((FillEffect { fee, position: again.position, ..effect }, Some(right)))
    }

    #[inline]
    pub(crate) fn net_position(&self, instrument: InstrumentId) -> Lots {
        self.ledger.net(instrument).map_or(Lots::ZERO, |p| p.lots)
    }

    /// Puts an order before the gate and, if it passes, on its way.
    pub(crate) fn place(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        terms: OrderTerms,
        purpose: Purpose,
    ) -> Result<()> {
        let at = self.situation(terms.instrument);
        self.place_at(strategy, id, &terms, purpose, &at)
    }

    /// As [`Self::place`], in a situation.
    #[inline]
    pub(super) fn place_at(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        terms: &OrderTerms,
        purpose: Purpose,
        at: &Situation,
    ) -> Result<()> {
        if self.gate.is_due(self.now_ns) {
            self.wake_gate();
        }
        let now_ns = self.now_ns;
        let order = || Order { purpose, ..Order::new(id, strategy, *terms, now_ns) };
        let closed = self.is_closed_at_end() && !terms.flags.has(OrderFlags::REDUCE_ONLY);
        if closed || self.gate.is_halted() && self.is_stopped_by_halt(terms) {
            return self.refuse(&order(), LimitKind::Halted.bit());
        }
        match self.gate.check(strategy, terms, at) {
            Ok(_) if self.validator.is_some() && !self.is_validated(&order(), at) => {
                self.refuse(&order(), LimitKind::Validator.bit())
            }
            Ok(approved) => self.submit(strategy, id, purpose, &approved),
            #[cfg(feature = "mutants")]
            Err(_)
                if is_planted(Mutant::OneTooMany) && self.is_one_too_many(strategy, terms, at) =>
            {
                let beside = Situation { live_orders: 0, replaces: terms.qty, ..*at };
                if let Ok(approved) = self.gate.check(strategy, terms, &beside) {
                    self.submit(strategy, id, purpose, &approved)?;
                }
                self.cancel(strategy, id)
            }
            Err(veto) => {
                self.tell_refusal(&order(), at)?;
                self.refuse(&order(), veto.mask())
            }
        }
    }

    /// Whether an order is refused because too many are open, and would pass otherwise.
    #[cfg(feature = "mutants")]
    fn is_one_too_many(&self, strategy: u16, terms: &OrderTerms, at: &Situation) -> bool {
        let mut only = true;
        self.gate.explain(strategy, terms, at, &mut |failure| {
            only &= failure.limit == LimitKind::OpenOrders;
        });
        only
    }

    /// Whether the session ends and nothing may stay open.
    #[inline]
    fn is_closed_at_end(&self) -> bool {
        self.cancels_at_end && !is_planted(Mutant::TradesOn)
    }

    /// After a halt nothing new leaves a session but what says itself that it only reduces: closing by
    /// command, stops, and orders that a strategy has flagged. The last door goes by the same flag.
    #[cold]
    fn is_stopped_by_halt(&self, terms: &OrderTerms) -> bool {
        self.outside.is_some() && !terms.flags.has(OrderFlags::REDUCE_ONLY)
    }

    /// An amend of a session that is halted or ends does not leave: the last door cannot see what it does.
    /// A quote or target is cancelled for it, and wished anew.
    #[cold]
    fn amend_while_closed(&mut self, order: &Order) -> Result<()> {
        if order.purpose == Purpose::Explicit {
            let why = if self.gate.is_halted() { "trading is halted" } else { "the session ends" };
            return self.note(&format!("amend of order {}: {why}", order.id.0));
        }
        self.cancel(order.strategy, order.id)
    }

    #[inline]
    fn submit(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        purpose: Purpose,
        approved: &ApprovedOrder<'_>,
    ) -> Result<()> {
        let terms = approved.terms();
        let place = self.make(strategy, id, purpose, terms)?;
        let moved = self.step_at(place, OrderEvent::Submit)?;
        let order = self.orders.at(moved);
        track_open(&mut self.gate, Lots::ZERO, order);
        self.recorder.counts.orders += 1;
        self.recorder.order(order, 0, self.now_ns)?;
        if is_planted(Mutant::SendsTwice) {
            self.send(id, VenueRequestKind::New(*terms), terms.instrument)?;
        }
        self.send(id, VenueRequestKind::New(*terms), terms.instrument)
    }

    #[cold]
    fn refuse(&mut self, order: &Order, mask: u32) -> Result<()> {
        // The lowest failed limit, from 101 on, so that codes of venues and of the gate do not meet.
        self.refuse_for(order, 101 + mask.trailing_zeros() as u8)
    }

    /// Refuses an order here, for a reason as results keep it.
    pub(crate) fn refuse_for(&mut self, order: &Order, reason: u8) -> Result<()> {
        let place = self.make(order.strategy, order.id, order.purpose, &order.terms)?;
        let moved = self.step_at(place, OrderEvent::RiskRefused)?;
        let order = *self.orders.at(moved);
        self.recorder.counts.risk_rejects += 1;
        self.recorder.order(&order, reason, self.now_ns)?;
        self.tell_strategy_refusal(&order, self.is_apart(order.strategy), self.now_ns)
    }

    /// Tells a strategy that its order was refused here: like an answer of the venue soon, but not from
    /// inside its callback; one that decides elsewhere is not inside, and reads it at once.
    pub(crate) fn tell_strategy_refusal(
        &mut self,
        order: &Order,
        elsewhere: bool,
        at_ns: TimeNs,
    ) -> Result<()> {
        if !self.strategies[usize::from(order.strategy)].interest.orders {
            return Ok(());
        }
        if elsewhere {
            return self.call(order.strategy, order.terms.instrument, &Call::Order(order));
        }
        let timer = Timer::Refusal { strategy: order.strategy, order: order.id };
        self.timers.push(at_ns + REFUSAL_NS, timer)
    }

    pub(crate) fn cancel(&mut self, strategy: u16, id: ClientOrderId) -> Result<()> {
        let place = self.orders.place_of(id);
        let place = place.filter(|place| self.orders.order(*place).strategy == strategy);
        let Some(place) = place else { return self.note_strange("cancel", id) };
        let order = self.orders.order(place);
        // Over, or a cancel is on its way: what was asked is done.
        if order.is_terminal() || order.state == OrderState::PendingCancel {
            return Ok(());
        }
        let instrument = order.terms.instrument;
        let moved = self.step_at(place, OrderEvent::CancelRequested)?;
        self.recorder.counts.cancels += 1;
        self.recorder.order(self.orders.at(moved), 0, self.now_ns)?;
        self.send(id, VenueRequestKind::Cancel { instrument }, instrument)
    }

    #[cold]
    fn note_strange(&mut self, what: &str, id: ClientOrderId) -> Result<()> {
        let was_given = id.0 != 0 && id < self.intents.upcoming_id();
        if was_given && self.orders.place_of(id).is_none() {
            // It ended so long ago that it is forgotten: nothing is left to do, as with one that is over.
            return Ok(());
        }
        let text = format!("{what} of order {}: it is not an open order of this strategy", id.0);
        self.recorder.notice(self.now_ns, &text)
    }

    pub(crate) fn cancel_all(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        self.cancel_where(strategy, instrument, |_| true)
    }

    /// Forgets what is wished for in an instrument and cancels the orders there of which this is so.
    pub(super) fn cancel_where(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        goes: impl Fn(&Order) -> bool,
    ) -> Result<()> {
        if let Some(rounds) = &mut self.rounds {
            rounds.forget(strategy, instrument);
        }
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        let live = self.orders.live(strategy, instrument).filter(|order| goes(order));
        ids.extend(live.map(|order| order.id));
        let done = ids.iter().try_for_each(|id| self.cancel(strategy, *id));
        self.ids = ids;
        done
    }

    pub(super) fn amend(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        price: Ticks,
        qty: Lots,
    ) -> Result<()> {
        let Some(order) = self.orders.get(id).filter(|o| o.strategy == strategy).copied() else {
            return self.note_strange("amend", id);
        };
        if !Self::is_amendable(&order) {
            let text = format!(
                "amend of order {}: it was placed elsewhere and has no limit price that could be changed; \
                 cancel it and place a new one",
                id.0
            );
            return self.note(&text);
        }
        if !matches!(
            order.state,
            OrderState::Submitted | OrderState::Open | OrderState::PartiallyFilled
        ) {
            return Ok(());
        }
        if self.gate.is_due(self.now_ns) {
            self.wake_gate();
        }
        if self.is_closed_at_end() || self.gate.is_halted() && self.outside.is_some() {
            return self.amend_while_closed(&order);
        }
        // Down to what is filled already, an amend ends the order as a cancel does: nothing to veto.
        let ends_it = qty.0 > 0 && qty <= order.filled;
        if !ends_it && !self.may_replace(&order, price, qty)? {
            return Ok(());
        }
        let moved = self.step(id, OrderEvent::ReplaceRequested { price, qty })?;
        let changed = self.orders.at(moved);
        track_open(&mut self.gate, working_lots(&order), changed);
        self.recorder.counts.amends += 1;
        self.recorder.order(changed, 0, self.now_ns)?;
        let instrument = order.terms.instrument;
        self.send(id, VenueRequestKind::Amend { instrument, price, qty }, instrument)
    }

    /// Whether the gate and the validator let `price` and `qty` take the place of what is open;
    /// a refusal is counted and told.
    fn may_replace(&mut self, order: &Order, price: Ticks, qty: Lots) -> Result<bool> {
        let mut wanted = *order;
        wanted.terms.price = price;
        wanted.terms.qty = Lots(qty.0.saturating_sub(order.filled.0));
        let mut at = self.situation(order.terms.instrument);
        at.replaces = working_lots(order);
        if self.gate.check(order.strategy, &wanted.terms, &at).is_err() {
            self.recorder.counts.risk_rejects += 1;
            self.tell_refusal(&wanted, &at)?;
            return Ok(false);
        }
        if self.validator.is_some() && !self.is_validated(&wanted, &at) {
            self.recorder.counts.risk_rejects += 1;
            self.note(&format!("amend of order {} refused by the validator", order.id.0))?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Adds a new order to the table.
    #[inline]
    fn make(
        &mut self,
        strategy: u16,
        id: ClientOrderId,
        purpose: Purpose,
        terms: &OrderTerms,
    ) -> Result<Place> {
        let now_ns = self.now_ns;
        let order = || Order { purpose, ..Order::new(id, strategy, *terms, now_ns) };
        if let Some(ink) = self.recorder.ink() {
            ink.new_order(now_ns, &order(), self.making)?;
        }
        let place = self.orders.add(id, strategy, purpose, terms, now_ns)?;
        if self.making != ParentId(0) {
            self.child_made(self.making, &order())?;
        }
        Ok(place)
    }

    /// Does something to an order: what a session's journal can follow.
    #[inline]
    pub(crate) fn step(&mut self, id: ClientOrderId, event: OrderEvent) -> Result<Moved> {
        match self.orders.place(id) {
            Ok(place) => self.step_at(place, event),
            Err(_) => Err(self.orders.refusal().into()),
        }
    }

    /// As [`Self::step`], for the order at a place; inlined where the event is known.
    #[inline(always)]
    pub(super) fn step_at(&mut self, place: Place, event: OrderEvent) -> Result<Moved> {
        let Ok(moved) = self.orders.request_at(place, event, self.now_ns) else {
            return Err(self.orders.refusal().into());
        };
        self.count_step(&moved, event, self.now_ns);
        if let Some(rounds) = &mut self.rounds {
            rounds.requested(self.orders.at(moved).terms.instrument, event, self.now_ns);
        }
        if let Some(ink) = self.recorder.ink() {
            let id = self.orders.at(moved).id;
            ink.step(self.now_ns, id, event)?;
            self.watch_for_answer(id, moved.to())?;
        }
        if self.parents.is_some() {
            self.child_moved(self.orders.at(moved).id, None)?;
        }
        Ok(moved)
    }

    /// Sends a request on its way to the venue.
    // Always inlined, so that the request is made where it waits: put together elsewhere in small pieces
    // and copied at once, it would stall a processor.
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        order: ClientOrderId,
        kind: VenueRequestKind,
        instrument: InstrumentId,
    ) -> Result<()> {
        let sent_ns = self.now_ns + self.decision_ns;
        if let Some(outside) = self.outside.as_mut().filter(|outside| !outside.inside) {
            let request = VenueRequest { order, sent_ns, kind };
            if is_known_by_venue_id(order) {
                return self.send_by_venue_id(&request);
            }
            return outside.send(request);
        }
        if self.is_following() {
            return Ok(());
        }
        let index = instrument.index();
        self.request_sequence += 1;
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
                self.requests.push_with(at, |request| {
                    (request.order, request.sent_ns, request.kind) = (order, sent_ns, kind);
                })
            }
            Leg::Rejected(delay) => self.refuse_overloaded(order, &kind, sent_ns + delay),
        }
    }

    /// The answer to a request that is lost to overload.
    #[cold]
    fn refuse_overloaded(
        &mut self,
        order: ClientOrderId,
        kind: &VenueRequestKind,
        at: TimeNs,
    ) -> Result<()> {
        let reason = RejectReason::Overloaded;
        let kind = match kind {
            VenueRequestKind::New(_) => VenueEventKind::Rejected(reason),
            VenueRequestKind::Cancel { .. } => VenueEventKind::CancelRejected(reason),
            VenueRequestKind::Amend { .. } => VenueEventKind::AmendRejected(reason),
        };
        self.answers.push(at, VenueEvent { order, exch_ns: at, recv_ns: at, kind })
    }
}

/// Keeps the open quantity of each side in step with an order.
#[inline]
pub(crate) fn track_open(gate: &mut Gate, before: Lots, after: &Order) {
    if is_planted(Mutant::ForgetsOpen) {
        return;
    }
    let terms = &after.terms;
    gate.track(after.strategy, terms.instrument, terms.side, before, working_lots(after));
}

/// The quantity that an order may still add to the position.
#[inline]
pub(crate) fn working_lots(order: &Order) -> Lots {
    if order.is_open() {
        order.fillable()
    } else {
        Lots::ZERO
    }
}

/// The code that results keep for the reason of a reject or cancel; 0 for none.
pub(super) fn reason_code(kind: &VenueEventKind) -> u8 {
    match kind {
        VenueEventKind::Rejected(reason)
        | VenueEventKind::CancelRejected(reason)
        | VenueEventKind::AmendRejected(reason) => *reason as u8,
        VenueEventKind::Cancelled(reason) => 50 + *reason as u8,
        _ => 0,
    }
}
