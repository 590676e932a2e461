//! Changing price and quantity of an open order.

use mainspring_core::order::{CancelReason, OrderType, RejectReason};
use mainspring_core::{Lots, Ticks, TimeNs};

use super::taking::Taker;
use super::{shown_of, Market};
use crate::order::{reserve_price, AccountId, Desk, NewOrder, OpenOrder, OrderId, ReportKind};

impl Market {
    /// Sets price and whole quantity of an open order; for an armed one the price is its trigger.
    ///
    /// The same price with the same or a smaller quantity keeps the place in the queue; anything
    /// else goes to the back, and takes what it crosses. A quantity at or under what is filled ends
    /// the order.
    pub fn amend(
        &mut self,
        id: OrderId,
        account: AccountId,
        (price, qty): (Ticks, Lots),
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        self.advance(now, desk);
        let found = self.order(id).filter(|open| open.order.account == account);
        let Some(before) = found else {
            let kind = ReportKind::AmendRejected(RejectReason::UnknownOrder);
            desk.order(&self.bare_report(id, account, now, kind));
            return;
        };
        if qty.0 > 0 && qty <= before.filled {
            self.withdraw(id, None, CancelReason::Requested, now, desk);
            self.settle(now, desk);
            return;
        }
        let after = with(&before, price, qty);
        if let Err(reason) = self.check_amended(&before, &after, desk) {
            let kind = ReportKind::AmendRejected(reason);
            desk.order(&self.report(&before.order, before.left(), now, kind));
            return;
        }
        self.say_amended(&before, &after, now, desk);
        if before.is_armed {
            self.rearm(after);
        } else if after.terms.price == before.order.terms.price && qty <= before.order.terms.qty {
            self.shrink(&before, &after);
        } else {
            self.move_order(&before, after, now, desk);
        }
        self.settle(now, desk);
    }

    /// Less of an order in its place: an iceberg loses from its reserve first.
    fn shrink(&mut self, before: &OpenOrder, after: &NewOrder) {
        let Some(place) = self.book.place(after.id.0) else { return };
        let left = after.terms.qty - before.filled;
        let shown = self.book.at(place).qty.min(left);
        self.resting.get_mut(place).qty = after.terms.qty;
        let changed = self.book.modify_at(place, after.terms.price, shown);
        debug_assert!(changed.is_ok(), "a smaller quantity always fits: {changed:?}");
    }

    /// The order leaves and arrives again with its new terms. One that takes nothing moves in
    /// place of leaving and coming back.
    fn move_order(
        &mut self,
        before: &OpenOrder,
        after: NewOrder,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let Some(place) = self.book.place(after.id.0) else { return };
        let taker = Taker::of(after, before.filled);
        let best = self.book.l2().best(after.terms.side.opposite());
        if best.is_some_and(|best| after.terms.side.at_least(after.terms.price, best)) {
            let resting = *self.resting.get(place);
            self.book.delete_at(place);
            self.end(place, &resting, after.id.0);
            self.run(taker, now, desk);
            return;
        }
        self.resting.get_mut(place).qty = after.terms.qty;
        let shown = shown_of(&after, taker.left);
        let changed = if after.terms.price == before.order.terms.price {
            self.book.requeue(place, shown)
        } else {
            self.book.modify_at(place, after.terms.price, shown)
        };
        debug_assert!(changed.is_ok(), "the new terms were checked: {changed:?}");
    }

    pub(super) fn say_amended(
        &self,
        before: &OpenOrder,
        after: &NewOrder,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let kind = ReportKind::Amended {
            held_at: reserve_price(&before.order.terms),
            left: before.left(),
        };
        desk.order(&self.report(after, after.terms.qty - before.filled, now, kind));
    }
}

/// The order with a new price, where its type has one to change, and quantity.
fn with(before: &OpenOrder, price: Ticks, qty: Lots) -> NewOrder {
    let mut after = before.order;
    after.terms.qty = qty;
    match after.terms.order_type {
        OrderType::TrailingStop | OrderType::Pegged | OrderType::Market => {}
        _ if before.is_armed => after.terms.trigger = price,
        _ => after.terms.price = price,
    }
    after
}
