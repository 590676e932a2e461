//! An engine that is built anew after a restart: the book as we saw it last, our orders in their places.

use mainspring_book::RestingOrder;
use mainspring_core::event::RowKind;
use mainspring_core::order::{OrderTerms, OrderType, Side, VenueEvent};
use mainspring_core::{Lots, Ticks, TimeNs};
use mainspring_exchange::{NewOrder, OrderId};
use mainspring_trading::ledger::MarkPrice;
use mainspring_trading::orders::Order;

use super::market::MatchedMarket;
use super::own::OwnOrder;
use super::tape::{arriving, is_ours, our_id, OTHERS};
use crate::market::Market;

impl MatchedMarket {
    /// Takes up the market `before`, as we saw it last, and what we know to be open of ours: what the
    /// venue did and did not tell did not happen. One of ours that does not rest where we know it to
    /// be comes again, behind the others. What the book is now is told, and that it cannot be trusted
    /// before the feed tells all of it.
    pub fn take_up(
        &mut self,
        before: &Market,
        ours: &[Order],
        position: Lots,
        now: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        self.tape.position = position;
        self.tape.quiet = true;
        if let Some(mark) = before.mark_nanoticks {
            self.engine.set_mark(MarkPrice(mark), now, &mut self.tape);
        }
        if let Some(trade) = before.last_trade {
            self.engine.note_trade(trade.price, now, &mut self.tape);
        }
        self.take_up_book(before, ours);
        for order in ours.iter().filter(|order| order.filled < order.terms.qty) {
            self.readmit(order, now);
        }
        for order in ours.iter().filter(|order| order.terms.oco.0 != 0) {
            self.engine.pair_again(our_id(order.id));
        }
        self.complete(now);
        self.tape.quiet = false;
        self.publish_book();
        self.tape.publish(RowKind::Gap, 0, Ticks(0), 0, 0);
        self.send(now, now);
        out.append(&mut self.tape.answers);
    }

    fn take_up_book(&mut self, before: &Market, ours: &[Order]) {
        let Some(book) = &before.orders else { return };
        for side in [Side::Buy, Side::Sell] {
            for (price, _) in book.l2().levels(side) {
                for order in book.queue(side, price) {
                    if is_ours(order.id) {
                        self.take_up_own(&order, ours);
                        continue;
                    }
                    let terms = OrderTerms::limit(self.engine.id(), side, price, order.qty);
                    let mut other = NewOrder::new(OrderId(order.id), OTHERS, terms);
                    other.self_trade = None;
                    self.engine.adopt(other, Lots::ZERO, order.qty);
                }
            }
        }
    }

    /// One of ours stands where it stood, if that is where we know it to be.
    fn take_up_own(&mut self, there: &RestingOrder, ours: &[Order]) {
        let Some(order) = ours.iter().find(|order| our_id(order.id).0 == there.id) else { return };
        let mut terms = order.terms;
        if terms.order_type == OrderType::Pegged {
            terms.price = there.price;
        }
        let left = terms.qty - order.filled;
        if (terms.side, terms.price) != (there.side, there.price) || left.0 <= 0 {
            return;
        }
        let hides = terms.order_type == OrderType::Iceberg;
        let shown = if hides { there.qty.min(left) } else { left };
        let own = OwnOrder { id: order.id, terms, filled: order.filled, shown, resting: true };
        if self.engine.adopt(self.for_engine(order.id, terms), order.filled, shown) {
            self.tape.own.insert(own);
        }
    }

    fn readmit(&mut self, order: &Order, now: TimeNs) {
        let own = OwnOrder { filled: order.filled, ..arriving(order.id, order.terms) };
        if self.tape.own.insert(own) {
            let again = self.for_engine(order.id, order.terms);
            self.engine.readmit(again, order.filled, order.triggered, now, &mut self.tape);
        }
    }
}
