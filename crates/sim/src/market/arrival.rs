//! An order on its way into the book: refused, taking, coming to rest.

use mainspring_core::order::{
    CancelReason, OrderFlags, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side,
    TimeInForce, VenueEvent, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};

use super::{say, SimMarket};
use crate::config::FillModel;
use crate::orders::{Slot, Stage};
use crate::queue::QueuePosition;

/// The worst price an order takes at; [`None`] takes at any.
pub(super) const fn taking_limit(terms: &OrderTerms) -> Option<Ticks> {
    match terms.order_type {
        OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg | OrderType::Pegged => {
            Some(terms.price)
        }
        OrderType::Market | OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop => {
            None
        }
    }
}

/// Whether `price` on `side` is within a taker's limit on the other side.
#[inline]
fn within(limit: Option<Ticks>, side: Side, price: Ticks) -> bool {
    limit.is_none_or(|limit| side.at_least(price, limit))
}

impl SimMarket {
    /// The reason why an order with `qty` lots to go may not enter the book now.
    pub(super) fn refuse_entry(&self, terms: &OrderTerms, qty: i64) -> Result<(), RejectReason> {
        if self.config.fill_model != FillModel::Mainspring {
            return self.hft_refuse_entry(terms, qty);
        }
        if terms.flags.has(OrderFlags::POST_ONLY) {
            self.refuse_taking(terms)?;
        }
        if terms.time_in_force == TimeInForce::Fok && !self.can_fill(terms, qty) {
            return Err(RejectReason::FokNotFilled);
        }
        Ok(())
    }

    fn refuse_taking(&self, terms: &OrderTerms) -> Result<(), RejectReason> {
        let theirs = terms.side.opposite();
        let Some(limit) = taking_limit(terms) else {
            return Err(RejectReason::PostOnlyWouldTake);
        };
        if self.feed().best(theirs).is_some_and(|best| theirs.at_least(best, limit)) {
            return Err(RejectReason::PostOnlyWouldTake);
        }
        if self.orders.best(theirs).is_some_and(|ours| theirs.at_least(ours, limit)) {
            return Err(RejectReason::SelfTrade);
        }
        Ok(())
    }

    /// Whether the levels within the limit, up to an order of our own, hold `qty` lots.
    fn can_fill(&self, terms: &OrderTerms, qty: i64) -> bool {
        let (theirs, limit) = (terms.side.opposite(), taking_limit(terms));
        let wall = self.orders.best(theirs);
        let mut left = qty;
        for (price, shown) in self.feed().levels(theirs) {
            let walled = wall.is_some_and(|ours| theirs.at_least(ours, price));
            if left <= 0 || walled || !within(limit, theirs, price) {
                break;
            }
            left -= (shown.0 - self.taken.at(theirs, price)).max(0);
        }
        left <= 0
    }

    /// Lets an order take what it can and rest with what is left.
    pub(super) fn enter(&mut self, slot: Slot, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        self.orders.get_mut(slot).stage = Stage::Entering;
        if self.config.fill_model == FillModel::Mainspring {
            self.take(slot, now_ns, out);
        } else {
            self.hft_take(slot, now_ns, out);
        }
        let order = self.orders.get(slot);
        if !order.is_open() {
            return;
        }
        if taking_limit(&order.terms).is_none() {
            self.cancel_slot(slot, CancelReason::NoLiquidity, now_ns, out);
            return;
        }
        match order.terms.time_in_force {
            TimeInForce::Gtc | TimeInForce::Gtd => self.rest(slot),
            TimeInForce::Ioc | TimeInForce::Fok => {
                self.cancel_slot(slot, CancelReason::IocRemainder, now_ns, out);
            }
        }
    }

    /// Takes level by level until the order is filled, its limit is reached or self-trade
    /// prevention ends it.
    fn take(&mut self, slot: Slot, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        let terms = self.orders.get(slot).terms;
        let (theirs, limit) = (terms.side.opposite(), taking_limit(&terms));
        loop {
            let wall = self.orders.best(theirs).filter(|ours| within(limit, theirs, *ours));
            self.take_up_to(slot, wall, limit, now_ns, out);
            if wall.is_none() || !self.orders.get(slot).is_open() || self.fillable(slot) == 0 {
                return;
            }
            // A fill above may have cancelled the order of ours that stood there.
            self.orders.sweep();
            if self.orders.best(theirs) == wall && !self.prevent_self_trade(slot, now_ns, out) {
                return;
            }
        }
    }

    /// Takes the levels within the limit that are better than our own order on that side.
    fn take_up_to(
        &mut self,
        slot: Slot,
        wall: Option<Ticks>,
        limit: Option<Ticks>,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let theirs = self.orders.get(slot).terms.side.opposite();
        let mut left = self.fillable(slot);
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        for (price, shown) in self.feed().levels(theirs) {
            let walled = wall.is_some_and(|ours| theirs.at_least(ours, price));
            if left == 0 || walled || !within(limit, theirs, price) {
                break;
            }
            let qty = (shown.0 - self.taken.at(theirs, price)).clamp(0, left);
            if qty > 0 {
                left -= qty;
                plan.push((price, qty));
            }
        }
        for &(price, qty) in &plan {
            self.taken.add(theirs, price, qty);
            self.fill(slot, price, qty, false, now_ns, out);
        }
        self.plan = plan;
    }

    /// The incoming order would meet our own at the best price of the other side. Returns whether
    /// the incoming order goes on.
    fn prevent_self_trade(
        &mut self,
        slot: Slot,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> bool {
        let theirs = self.orders.get(slot).terms.side.opposite();
        let rule = self.config.self_trade;
        if rule != SelfTradePrevention::CancelNewest {
            if let Some(resting) = self.orders.front(theirs) {
                self.cancel_slot(resting, CancelReason::SelfTrade, now_ns, out);
                self.orders.sweep();
            }
        }
        if rule == SelfTradePrevention::CancelOldest {
            return true;
        }
        self.cancel_slot(slot, CancelReason::SelfTrade, now_ns, out);
        false
    }

    /// Puts an order at the back of the queue at its price.
    pub(super) fn rest(&mut self, slot: Slot) {
        let OrderTerms { side, price, .. } = self.orders.get(slot).terms;
        let shown = self.available(side, price);
        let order = self.orders.get_mut(slot);
        order.queue = QueuePosition::at_back(shown.0 as f64);
        order.slice = order.terms.display.0.min(order.remaining());
        self.orders.link(slot);
    }

    /// Where a peg belongs: its side's best feed price less its offset, outside the other side's
    /// best by a tick at least, and outside our own best there.
    pub(super) fn peg_price(&self, terms: &OrderTerms) -> Option<Ticks> {
        let (side, theirs) = (terms.side, terms.side.opposite());
        let mut price = side.inward(self.feed().best(side)?, -terms.offset.0);
        for bound in [self.feed().best(theirs), self.orders.best(theirs)].into_iter().flatten() {
            let last = side.inward(bound, -1);
            if side.better(price, last) {
                price = last;
            }
        }
        Some(self.passive_price(side, price))
    }

    /// Lets every peg follow the market, the lowest id first.
    pub(super) fn move_pegs(&mut self, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        for index in 0..self.pegs.len() {
            let slot = self.pegs[index];
            let order = self.orders.get(slot);
            let (id, terms) = (order.id, order.terms);
            if order.stage != Stage::Resting {
                continue;
            }
            let Some(price) = self.peg_price(&terms).filter(|price| *price != terms.price) else {
                continue;
            };
            self.orders.unlink(slot);
            self.orders.get_mut(slot).terms.price = price;
            self.rest(slot);
            say(out, id, now_ns, VenueEventKind::Amended { price, qty: Lots(terms.qty.0) });
        }
    }
}
