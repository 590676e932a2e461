//! Pegged orders: they follow the best price of their side.

use mainspring_core::order::{OrderType, Side};
use mainspring_core::{Ticks, TimeNs};

use super::Market;
use crate::order::{Desk, NewOrder};

impl Market {
    /// Where a pegged order belongs: its side's best price among orders that are not pegged
    /// themselves, less its offset, at least one tick from the other side, moved away from the
    /// market to the grid. `None` without such a price.
    pub(super) fn peg_price(&self, order: &NewOrder) -> Option<Ticks> {
        let side = order.terms.side;
        let best = self.unpegged_best(side)?;
        let wanted = side.inward(best, -order.terms.offset.0);
        let bound = self.book.l2().best(side.opposite()).map(|best| side.inward(best, -1));
        let bounded = bound.map_or(wanted, |bound| match side {
            Side::Buy => wanted.min(bound),
            Side::Sell => wanted.max(bound),
        });
        let price = self.rules.away_on_grid(side, bounded);
        (price.0 > 0).then_some(price)
    }

    fn unpegged_best(&self, side: Side) -> Option<Ticks> {
        if self.pegs.is_empty() {
            return self.book.l2().best(side);
        }
        let is_anchor = |price: Ticks| {
            let mut next = self.book.first(side, price);
            while let Some(place) = next {
                if self.resting.get(place).order_type != OrderType::Pegged {
                    return true;
                }
                next = self.book.behind(place);
            }
            false
        };
        self.book.l2().levels(side).map(|(price, _)| price).find(|price| is_anchor(*price))
    }

    /// Moves pegged orders after the market, the oldest first; each move joins the back.
    #[cold]
    pub(super) fn repeg(&mut self, now: TimeNs, desk: &mut impl Desk) {
        for at in 0..self.pegs.len() {
            let Some(before) = self.order(self.pegs[at]) else { continue };
            let mut after = before.order;
            let Some(price) = self.peg_price(&after) else { continue };
            if price == after.terms.price {
                continue;
            }
            after.terms.price = price;
            let Some(place) = self.book.place(after.id.0) else { continue };
            let shown = self.book.at(place).qty;
            if self.book.modify_at(place, price, shown).is_ok() {
                self.say_amended(&before, &after, now, desk);
            }
        }
    }
}
