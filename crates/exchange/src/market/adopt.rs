//! Orders that were open before: a market that is built anew takes them up.

use mainspring_core::order::{CancelReason, OrderType};
use mainspring_core::{Lots, TimeNs};

use super::armed::waits;
use super::taking::Taker;
use super::Market;
use crate::order::{Desk, NewOrder, OrderId};

impl Market {
    /// Takes up an order that rested before, behind what rests at its price now: nothing is checked,
    /// traded or told. It shows `shown` lots of what `filled` leaves. Returns whether there was room.
    pub fn adopt(&mut self, order: NewOrder, filled: Lots, shown: Lots) -> bool {
        let terms = &order.terms;
        let Ok(place) = self.book.add(order.id.0, terms.side, terms.price, shown) else {
            return false;
        };
        self.resting.put(place, &order, filled);
        self.watch_expiry(&order);
        if terms.order_type == OrderType::Pegged {
            self.pegs.push(order.id);
        }
        true
    }

    /// Takes up an order that was accepted before and does not rest: it waits for its trigger again
    /// unless it was `triggered`, and otherwise does what it does when it arrives. That it is here is
    /// not told.
    pub fn readmit(
        &mut self,
        mut order: NewOrder,
        filled: Lots,
        triggered: bool,
        now: TimeNs,
        desk: &mut impl Desk,
    ) {
        let left = order.terms.qty - filled;
        // Without a price to follow a peg stays where it was; a trailing stop cannot.
        let placed = self.place_price(&mut order);
        let is_lost = match order.terms.order_type {
            OrderType::Pegged => order.terms.price.0 <= 0,
            OrderType::TrailingStop => placed.is_err() && !triggered,
            _ => false,
        };
        if is_lost {
            self.cancel_taker(&order, left, CancelReason::NoLiquidity, now, desk);
        } else if waits(order.terms.order_type) && !triggered {
            self.arm(order);
        } else if self.check_crossing(&Taker::of(order, filled)).is_err() {
            self.cancel_taker(&order, left, CancelReason::NoLiquidity, now, desk);
        } else {
            self.run(Taker::of(order, filled), now, desk);
        }
        self.settle(now, desk);
    }

    /// Lets the two legs of a pair know each other again, once both were taken up.
    pub fn pair_again(&mut self, id: OrderId) {
        if let Some(open) = self.order(id) {
            self.pair(&open.order);
        }
    }
}
