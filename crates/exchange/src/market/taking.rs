//! Matching: an incoming order against the other side of the book.

use mainspring_book::{Place, RestingOrder};
use mainspring_core::order::{CancelReason, OrderFlags, OrderType, SelfTradePrevention, Side};
use mainspring_core::{Lots, Ticks, TimeNs};

use super::resting::Resting;
use super::Market;
use crate::order::{reserve_price, Desk, NewOrder, OrderId, Party, TradeReport};

/// An order on its way through the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    pub order: NewOrder,
    pub left: Lots,
    /// The worst price it takes.
    pub limit: Ticks,
    /// Whether nothing of it may rest because it has no price.
    pub is_market: bool,
    /// Why it must go no further.
    pub stopped: Option<CancelReason>,
}

impl Taker {
    /// What is not filled of an order, at its own price.
    #[inline]
    pub fn of(order: NewOrder, filled: Lots) -> Self {
        let terms = &order.terms;
        let is_market = matches!(
            terms.order_type,
            OrderType::Market | OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop
        );
        let limit = match terms.side {
            _ if !is_market => terms.price,
            Side::Buy => Ticks::MAX,
            Side::Sell => Ticks::MIN,
        };
        Self { order, left: terms.qty - filled, limit, is_market, stopped: None }
    }

    #[inline]
    fn party(&self) -> Party {
        Party {
            order: self.order.id,
            account: self.order.account,
            left: self.left,
            held_at: reserve_price(&self.order.terms),
        }
    }
}

impl Market {
    /// Fills the taker from the best price on, first come first served at each.
    #[inline]
    pub(super) fn take(&mut self, taker: &mut Taker, now: TimeNs, desk: &mut impl Desk) {
        let side = taker.order.terms.side;
        while taker.left.0 > 0 && taker.stopped.is_none() {
            let Some(price) = self.book.l2().best(side.opposite()) else { return };
            if !side.at_least(taker.limit, price) {
                return;
            }
            let Some(maker) = self.book.first(side.opposite(), price) else { return };
            self.meet(taker, maker, price, now, desk);
        }
    }

    /// The taker against one order: a trade, or one of them gives way.
    #[inline]
    fn meet(
        &mut self,
        taker: &mut Taker,
        maker: Place,
        price: Ticks,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let resting = *self.resting.get(maker);
        let mut qty = taker.left.min(self.book.at(maker).qty);
        if resting.account == taker.order.account {
            if let Some(mode) = taker.order.self_trade {
                self.prevent_self_trade(taker, maker, mode, now, desk);
                return;
            }
        }
        if resting.flags.has(OrderFlags::REDUCE_ONLY) {
            let side = taker.order.terms.side.opposite();
            qty = qty.min(desk.reducible(resting.account, self.id, side));
            if qty.0 <= 0 {
                self.drop_resting(maker, CancelReason::ReduceOnly, now, desk);
                return;
            }
        }
        if taker.order.terms.flags.has(OrderFlags::REDUCE_ONLY) {
            qty = qty.min(desk.reducible(taker.order.account, self.id, taker.order.terms.side));
            if qty.0 <= 0 {
                taker.stopped = Some(CancelReason::ReduceOnly);
                return;
            }
        }
        if taker.is_market {
            let terms = &taker.order.terms;
            qty = qty.min(desk.payable(&taker.party(), self.id, terms.side, price));
            if qty.0 <= 0 {
                taker.stopped = Some(CancelReason::NoLiquidity);
                return;
            }
        }
        self.trade(taker, maker, price, qty, now, desk);
    }

    #[inline]
    fn trade(
        &mut self,
        taker: &mut Taker,
        place: Place,
        price: Ticks,
        qty: Lots,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let maker = self.book.at(place);
        self.resting.get_mut(place).filled += qty;
        taker.left -= qty;
        let resting = *self.resting.get(place);
        let legs = [self.resting.oco(&resting), OrderId(taker.order.terms.oco.0)];
        self.shorten(&resting, &maker, place, qty);
        self.trades += 1;
        self.references.last_trade = Some(price);
        let (low, high) = self.references.range.unwrap_or((price, price));
        self.references.range = Some((low.min(price), high.max(price)));
        let (order, account) = (OrderId(maker.id), resting.account);
        desk.trade(&TradeReport {
            instrument: self.id,
            trade: self.trades,
            time_ns: now,
            price,
            qty,
            taker_side: taker.order.terms.side,
            taker: taker.party(),
            maker: Party { order, account, left: resting.left(), held_at: price },
        });
        for (leg, filled) in [(legs[0], order), (legs[1], taker.order.id)] {
            if leg.0 != 0 {
                self.cancel_leg(leg, filled, now, desk);
            }
        }
    }

    /// A fill of one leg cancels the other, if that is still open.
    #[cold]
    fn cancel_leg(&mut self, leg: OrderId, filled: OrderId, now: TimeNs, desk: &mut impl Desk) {
        if self.order(leg).is_some_and(|open| open.order.terms.oco.0 == filled.0) {
            self.withdraw(leg, None, CancelReason::Oco, now, desk);
        }
    }

    /// Takes a fill off a resting order; the next slice of an iceberg joins the back.
    #[inline]
    fn shorten(&mut self, resting: &Resting, maker: &RestingOrder, place: Place, qty: Lots) {
        let left = resting.left();
        let outcome = if qty == maker.qty && left.0 > 0 {
            self.book.requeue(place, self.resting.shown(resting, left))
        } else {
            if left.0 <= 0 {
                self.end(place, resting, maker.id);
            }
            self.book.execute_at(place, qty)
        };
        debug_assert!(outcome.is_ok(), "a fill never exceeds what is shown: {outcome:?}");
    }

    #[cold]
    fn prevent_self_trade(
        &mut self,
        taker: &mut Taker,
        maker: Place,
        mode: SelfTradePrevention,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        if mode != SelfTradePrevention::CancelNewest {
            self.drop_resting(maker, CancelReason::SelfTrade, now, desk);
        }
        if mode != SelfTradePrevention::CancelOldest {
            taker.stopped = Some(CancelReason::SelfTrade);
        }
    }

    /// Whether a taker could be filled whole now. Reserves of icebergs count; what self-trade
    /// prevention would take out, and what lies behind it when that stops the taker, does not.
    pub(super) fn can_fill(&self, taker: &Taker) -> bool {
        let side = taker.order.terms.side;
        let mut missing = taker.left;
        for (price, _) in self.book.l2().levels(side.opposite()) {
            if !side.at_least(taker.limit, price) {
                return false;
            }
            let mut next = self.book.first(side.opposite(), price);
            while let Some(place) = next {
                let resting = self.resting.get(place);
                let is_own = resting.account == taker.order.account;
                match taker.order.self_trade.filter(|_| is_own) {
                    None => missing -= resting.left(),
                    Some(SelfTradePrevention::CancelOldest) => {}
                    Some(_) => return false,
                }
                if missing.0 <= 0 {
                    return true;
                }
                next = self.book.behind(place);
            }
        }
        false
    }

    /// What taking `qty` now costs in the worst case: the sum of ticks x lots over the levels, and
    /// what could not be filled. Reserves of icebergs do not count.
    #[must_use]
    pub fn cost_of_taking(&self, side: Side, mut qty: Lots) -> (i128, Lots) {
        let mut cost = 0_i128;
        for (price, shown) in self.book.l2().levels(side.opposite()) {
            let taken = qty.min(shown);
            cost += i128::from(price.0) * i128::from(taken.0);
            qty -= taken;
            if qty.0 <= 0 {
                break;
            }
        }
        (cost, qty)
    }
}
