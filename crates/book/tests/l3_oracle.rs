//! The L3 book against plain vectors, over any sequence of events.

use mainspring_book::{L3Book, L3Config, L3Fault, LadderConfig, RestingOrder};
use mainspring_core::{Lots, Side, Ticks};
use proptest::prelude::*;

/// All orders in the order of their priority, whatever their price.
#[derive(Default)]
struct Oracle {
    orders: Vec<RestingOrder>,
    /// Anonymous quantity by level, few and searched through.
    anonymous: Vec<(Side, Ticks, Lots)>,
}

const MAX_ORDERS: usize = 60;

impl Oracle {
    fn place(&self, id: u64) -> Option<usize> {
        self.orders.iter().position(|o| o.id == id)
    }

    fn add(&mut self, order: RestingOrder) -> Result<(), L3Fault> {
        if order.qty.0 <= 0 {
            return Err(L3Fault::BadQuantity);
        }
        if self.place(order.id).is_some() {
            return Err(L3Fault::DuplicateOrder);
        }
        if self.orders.len() == MAX_ORDERS {
            return Err(L3Fault::Full);
        }
        self.orders.push(order);
        Ok(())
    }

    fn modify(&mut self, id: u64, price: Ticks, qty: Lots) -> Result<(), L3Fault> {
        let at = self.place(id).ok_or(L3Fault::UnknownOrder)?;
        if qty.0 < 0 {
            return Err(L3Fault::BadQuantity);
        }
        let order = self.orders[at];
        if qty.0 == 0 {
            self.orders.remove(at);
        } else if price != order.price || qty > order.qty {
            self.orders.remove(at);
            self.orders.push(RestingOrder { price, qty, ..order });
        } else {
            self.orders[at].qty = qty;
        }
        Ok(())
    }

    fn execute(&mut self, id: u64, qty: Lots) -> Result<(), L3Fault> {
        let at = self.place(id).ok_or(L3Fault::UnknownOrder)?;
        if qty.0 <= 0 {
            return Err(L3Fault::BadQuantity);
        }
        let left = self.orders[at].qty - qty;
        if left.0 > 0 {
            self.orders[at].qty = left;
            return Ok(());
        }
        self.orders.remove(at);
        if left.0 == 0 {
            Ok(())
        } else {
            Err(L3Fault::BadQuantity)
        }
    }

    fn delete(&mut self, id: u64) -> Result<(), L3Fault> {
        let at = self.place(id).ok_or(L3Fault::UnknownOrder)?;
        self.orders.remove(at);
        Ok(())
    }

    fn set_anonymous(&mut self, side: Side, price: Ticks, qty: Lots) -> Result<(), L3Fault> {
        if qty.0 < 0 {
            return Err(L3Fault::BadQuantity);
        }
        self.anonymous.retain(|(s, p, _)| (*s, *p) != (side, price));
        self.anonymous.push((side, price, qty));
        Ok(())
    }

    fn anonymous(&self, side: Side, price: Ticks) -> Lots {
        let matching = self.anonymous.iter().filter(|(s, p, _)| (*s, *p) == (side, price));
        matching.map(|(_, _, q)| *q).sum()
    }

    fn queue(&self, side: Side, price: Ticks) -> Vec<RestingOrder> {
        self.orders.iter().copied().filter(|o| (o.side, o.price) == (side, price)).collect()
    }

    fn qty(&self, side: Side, price: Ticks) -> Lots {
        self.anonymous(side, price) + self.queue(side, price).iter().map(|o| o.qty).sum()
    }

    fn qty_ahead(&self, id: u64) -> Option<Lots> {
        let order = self.orders[self.place(id)?];
        let ahead = self.queue(order.side, order.price).into_iter().take_while(|o| o.id != id);
        Some(self.anonymous(order.side, order.price) + ahead.map(|o| o.qty).sum())
    }

    fn best(&self, side: Side) -> Option<Ticks> {
        let orders = self.orders.iter().filter(|o| o.side == side).map(|o| o.price);
        let levels = self.anonymous.iter().filter(|(s, _, q)| *s == side && q.0 > 0);
        orders.chain(levels.map(|(_, p, _)| *p)).max_by_key(|p| p.0 * side.sign())
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(u64, Side, i64, i64),
    Modify(u64, i64, i64),
    Resize(u64, i64),
    Delete(u64),
    Execute(u64, i64),
    Anonymous(Side, i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let id = || 0_u64..100;
    let price = || prop_oneof![8 => -3_i64..3, 1 => -5_000_i64..5_000];
    let qty = || -1_i64..12;
    prop_oneof![
        6 => (id(), side(), price(), qty()).prop_map(|(i, s, p, q)| Step::Add(i, s, p, q)),
        1 => (id(), price(), qty()).prop_map(|(i, p, q)| Step::Modify(i, p, q)),
        3 => (id(), qty()).prop_map(|(i, q)| Step::Resize(i, q)),
        2 => id().prop_map(Step::Delete),
        3 => (id(), qty()).prop_map(|(i, q)| Step::Execute(i, q)),
        1 => (side(), price(), qty()).prop_map(|(s, p, q)| Step::Anonymous(s, p, q)),
    ]
}

fn run(book: &mut L3Book, oracle: &mut Oracle, step: Step) -> [Result<(), L3Fault>; 2] {
    match step {
        Step::Add(id, side, price, qty) => {
            let (price, qty) = (Ticks(price), Lots(qty));
            let wanted = oracle.add(RestingOrder { id, side, price, qty });
            [book.add(id, side, price, qty).map(drop), wanted]
        }
        Step::Modify(id, price, qty) => {
            let (price, qty) = (Ticks(price), Lots(qty));
            [book.modify(id, price, qty), oracle.modify(id, price, qty)]
        }
        Step::Resize(id, qty) => {
            let price = book.order(id).map_or(Ticks(0), |o| o.price);
            [book.modify(id, price, Lots(qty)), oracle.modify(id, price, Lots(qty))]
        }
        Step::Delete(id) => [book.delete(id), oracle.delete(id)],
        Step::Execute(id, qty) => [book.execute(id, Lots(qty)), oracle.execute(id, Lots(qty))],
        Step::Anonymous(side, price, qty) => {
            let (price, qty) = (Ticks(price), Lots(qty));
            [book.set_anonymous(side, price, qty), oracle.set_anonymous(side, price, qty)]
        }
    }
}

#[test]
fn quantities_that_do_not_fit_are_refused_and_change_nothing() {
    let mut book = L3Book::default();
    let (side, price) = (Side::Buy, Ticks(5));
    book.add(1, side, price, Lots(i64::MAX - 1)).unwrap();
    assert_eq!(book.add(2, side, price, Lots(2)), Err(L3Fault::BadQuantity));
    assert_eq!(book.set_anonymous(side, price, Lots(2)), Err(L3Fault::BadQuantity));
    book.add(2, side, price, Lots(1)).unwrap();
    assert_eq!(book.modify(2, price, Lots(2)), Err(L3Fault::BadQuantity));
    assert_eq!(book.add(3, side, Ticks::MIN, Lots(2)), Err(L3Fault::BadPrice));
    assert_eq!(book.l2().qty(side, price), Lots::MAX);
    assert_eq!(book.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_gives_the_same_queues(steps in prop::collection::vec(step(), 1..500)) {
        let ladder = LadderConfig { initial_window: 64, max_window: 256 };
        let config = L3Config { reserved_orders: 4, max_orders: MAX_ORDERS, ladder };
        let (mut book, mut oracle) = (L3Book::new(config), Oracle::default());
        for step in steps {
            let [outcome, wanted] = run(&mut book, &mut oracle, step);
            prop_assert_eq!(outcome, wanted, "{:?}", step);
            prop_assert_eq!(book.len(), oracle.orders.len());
            for side in [Side::Buy, Side::Sell] {
                prop_assert_eq!(book.l2().best(side), oracle.best(side));
                for price in (-3..3).map(Ticks) {
                    prop_assert_eq!(book.l2().qty(side, price), oracle.qty(side, price));
                    let queue: Vec<_> = book.queue(side, price).collect();
                    prop_assert_eq!(queue, oracle.queue(side, price));
                }
            }
            for id in 0..100 {
                prop_assert_eq!(book.qty_ahead(id), oracle.qty_ahead(id));
            }
        }
    }
}
