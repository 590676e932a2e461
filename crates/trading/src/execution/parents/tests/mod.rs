//! The vectors, cases by hand, and a market that does anything it may.

mod any_market;
mod by_hand;
mod by_vector;

use mainspring_core::order::OrderTerms;
use mainspring_core::{ClientOrderId, InstrumentId, Lots, Money, Side, Ticks, TimeNs};

use super::*;
use crate::orders::{Order, OrderState};

const SECOND: i64 = 1_000_000_000;

fn terms(qty: i64, schedule: Schedule, duration_ns: i64) -> ParentTerms {
    let kind = Kind::Twap;
    ParentTerms::new(kind, InstrumentId(0), Side::Buy, Lots(qty), schedule, duration_ns)
}

fn twap(qty: i64, slices: usize) -> ParentTerms {
    terms(qty, Schedule::even(Lots(qty), slices).unwrap(), slices as i64 * SECOND)
}

fn parent_of(terms: ParentTerms) -> Parent {
    terms.validate().unwrap();
    Parent::new(ParentId(1), 0, terms, 0)
}

const QUOTE: Quote = Quote { bid: Some(Ticks(99)), ask: Some(Ticks(101)), trading: true };

/// A parent with its orders, driven by hand.
struct Desk {
    table: ParentTable,
    orders: Vec<Order>,
    now_ns: TimeNs,
    quote: Quote,
    wakes: Vec<TimeNs>,
}

impl Desk {
    fn new(terms: ParentTerms) -> Self {
        let mut table = ParentTable::new(false);
        let wake = table.add(ParentId(1), 0, terms, 0).unwrap();
        let wakes = vec![wake.at_ns];
        Self { table, orders: Vec::new(), now_ns: 0, quote: QUOTE, wakes }
    }

    fn parent(&self) -> &Parent {
        self.table.get(ParentId(1)).unwrap()
    }

    fn wake(&mut self, wake: Option<Wake>) {
        self.wakes.extend(wake.map(|wake| wake.at_ns));
    }

    /// Does what the parent says until it says nothing more; what was placed.
    fn work(&mut self) -> Vec<OrderTerms> {
        let mut placed = Vec::new();
        for _ in 0..100 {
            match self.parent().next_step(self.now_ns, &self.quote) {
                None => return placed,
                Some(Next::Place(terms)) => {
                    let id = ClientOrderId(self.orders.len() as u64 + 1);
                    let mut order = Order::new(id, 0, terms, self.now_ns);
                    order.state = OrderState::Submitted;
                    self.orders.push(order);
                    placed.push(terms);
                    let wake = self.table.child_made(ParentId(1), &order);
                    self.wake(wake);
                }
                Some(Next::Cancel(id)) => self.moves(id, OrderState::PendingCancel),
            }
        }
        panic!("it never comes to rest: {:?}", self.parent());
    }

    fn moves(&mut self, id: ClientOrderId, state: OrderState) {
        let order = &mut self.orders[id.0 as usize - 1];
        order.state = state;
        let order = *order;
        let wake = self.table.child_moved(&order, false, self.now_ns);
        self.wake(wake);
    }

    fn fills(&mut self, id: ClientOrderId, qty: i64) {
        let order = &mut self.orders[id.0 as usize - 1];
        order.filled += Lots(qty);
        let price = order.terms.price;
        if order.filled == order.terms.qty {
            order.state = OrderState::Filled;
        } else if order.state == OrderState::Submitted {
            order.state = OrderState::PartiallyFilled;
        }
        let state = order.state;
        self.table.child_filled(id, price, Lots(qty), Money(1));
        self.moves(id, state);
    }

    fn at(&mut self, now_ns: TimeNs) -> Vec<OrderTerms> {
        self.now_ns = now_ns;
        let wake = self.table.advance(ParentId(1), now_ns);
        self.wake(wake);
        self.work()
    }

    /// As [`Self::at`], with whatever is placed filled at once; the quantities.
    fn at_filled(&mut self, now_ns: TimeNs) -> Vec<i64> {
        let placed = self.at(now_ns);
        for i in 0..placed.len() {
            let id = self.orders.len() - placed.len() + i + 1;
            self.fills(ClientOrderId(id as u64), placed[i].qty.0);
        }
        placed.iter().map(|terms| terms.qty.0).collect()
    }
}
