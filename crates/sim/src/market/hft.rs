//! The exchange models of hftbacktest 2.4.4, so that results can be set side by side.
//!
//! Their faults are kept: one trade fills several of our orders with the same lots, taking
//! consumes nothing, and orders of ours do not see each other. What those models do not know
//! (stops, pegs, reduce-only) works as in the `mainspring` model.

use mainspring_core::order::{OrderFlags, OrderTerms, RejectReason, Side, TimeInForce, VenueEvent};
use mainspring_core::units::{Ticks, TimeNs};

use super::arrival::taking_limit;
use super::SimMarket;
use crate::config::FillModel;
use crate::orders::{Slot, NONE};

/// How far a market order of the partial model walks, in ticks from the best.
const MARKET_REACH: i64 = 100;

impl SimMarket {
    fn hft_partial(&self) -> bool {
        self.config.fill_model == FillModel::HftPartial
    }

    /// Whether the feed's best on the other side is within an order's limit.
    fn hft_takes(&self, terms: &OrderTerms) -> bool {
        let theirs = terms.side.opposite();
        self.feed()
            .best(theirs)
            .is_some_and(|best| taking_limit(terms).is_none_or(|l| theirs.at_least(best, l)))
    }

    pub(super) fn hft_refuse_entry(
        &self,
        terms: &OrderTerms,
        qty: i64,
    ) -> Result<(), RejectReason> {
        let takes = self.hft_takes(terms);
        if takes && terms.flags.has(OrderFlags::POST_ONLY) {
            return Err(RejectReason::PostOnlyWouldTake);
        }
        let fok = terms.time_in_force == TimeInForce::Fok;
        if fok && !(takes && (!self.hft_partial() || self.hft_shown(terms) >= qty)) {
            return Err(RejectReason::FokNotFilled);
        }
        Ok(())
    }

    /// What the feed shows within an order's limit.
    fn hft_shown(&self, terms: &OrderTerms) -> i64 {
        let (theirs, reach) = (terms.side.opposite(), self.hft_reach(terms));
        self.feed()
            .levels(theirs)
            .take_while(|(price, _)| reach.is_some_and(|reach| theirs.at_least(*price, reach)))
            .fold(0, |sum: i64, (_, shown)| sum.saturating_add(shown.0))
    }

    /// The last price a taker walks to.
    fn hft_reach(&self, terms: &OrderTerms) -> Option<Ticks> {
        let theirs = terms.side.opposite();
        taking_limit(terms).or_else(|| {
            // The models walk 100 ticks up from the best ask, and 101 down from the best bid.
            let ticks = MARKET_REACH - i64::from(theirs == Side::Sell);
            Some(theirs.inward(self.feed().best(theirs)?, -ticks))
        })
    }

    pub(super) fn hft_take(&mut self, slot: Slot, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        if !self.hft_takes(&self.orders.get(slot).terms) {
            return;
        }
        let terms = self.orders.get(slot).terms;
        let theirs = terms.side.opposite();
        if !self.hft_partial() {
            let (qty, best) = (self.fillable(slot), self.feed().best(theirs));
            if let Some(price) = best.filter(|_| qty > 0) {
                self.fill(slot, price, qty, false, now_ns, out);
            }
            return;
        }
        self.hft_walk(slot, &terms, now_ns, out);
        let rests = matches!(terms.time_in_force, TimeInForce::Gtc | TimeInForce::Gtd);
        let left = self.fillable(slot);
        if let Some(limit) = taking_limit(&terms).filter(|_| rests && left > 0) {
            self.fill(slot, limit, left, false, now_ns, out);
        }
    }

    fn hft_walk(
        &mut self,
        slot: Slot,
        terms: &OrderTerms,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let theirs = terms.side.opposite();
        let Some(reach) = self.hft_reach(terms) else { return };
        // A buy that may rest leaves its last price to the fill of what remains.
        let rests = matches!(terms.time_in_force, TimeInForce::Gtc | TimeInForce::Gtd);
        let short = rests && terms.side == Side::Buy && taking_limit(terms).is_some();
        let mut left = self.fillable(slot);
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        for (price, shown) in self.feed().levels(theirs) {
            let beyond = !theirs.at_least(price, reach) || (short && price == reach);
            if left == 0 || beyond {
                break;
            }
            let qty = shown.0.min(left);
            left -= qty;
            plan.push((price, qty));
        }
        for &(price, qty) in &plan {
            self.fill(slot, price, qty, false, now_ns, out);
        }
        self.plan = plan;
    }

    /// A trade: orders it went through fill whole, those at its price when their queue is gone.
    pub(super) fn hft_trade(
        &mut self,
        taker: Side,
        price: Ticks,
        qty: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        self.hft_each(taker.opposite(), price, |market, slot| {
            let partial = market.hft_partial();
            let fillable = market.fillable(slot);
            let order = market.orders.get_mut(slot);
            let ours = order.terms.price;
            let mut lots = fillable;
            if ours == price {
                order.queue.on_trade(qty as f64);
                let executable = order.queue.take_executable();
                lots = if partial || executable == 0 { executable.min(fillable) } else { fillable };
            }
            if lots > 0 {
                market.fill(slot, ours, lots, true, now_ns, out);
            }
        });
    }

    /// The feed's best on side `theirs` came to `price`: our orders there or beyond fill whole.
    pub(super) fn hft_cross(
        &mut self,
        theirs: Side,
        price: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        self.hft_each(theirs.opposite(), price, |market, slot| {
            let (ours, lots) = (market.orders.get(slot).terms.price, market.fillable(slot));
            if lots > 0 {
                market.fill(slot, ours, lots, true, now_ns, out);
            }
        });
    }

    /// Visits our orders on `side` at `price` or better, best first, oldest first.
    fn hft_each(&mut self, side: Side, price: Ticks, mut visit: impl FnMut(&mut Self, Slot)) {
        for index in (0..self.orders.levels(side).len()).rev() {
            let level = self.orders.levels(side)[index];
            if side.better(price, level.price(side)) {
                break;
            }
            let mut slot = level.head;
            while slot != NONE {
                let order = self.orders.get(slot);
                let next = order.next;
                if order.is_open() {
                    visit(self, slot);
                }
                slot = next;
            }
        }
    }
}
