//! Order-level data: our order in the real queue.

mod vectors;
mod venue;

use std::collections::HashMap;

use mainspring_core::event::{OrderRow, RowKind};
use mainspring_core::order::{ClientOrderId, OrderTerms, OrderType, Side};
use mainspring_core::units::{Lots, Ticks};
use mainspring_sim::{QueueModel, SimConfig};
use proptest::prelude::*;
use venue::{fills, limit, row, Venue};

const OURS: u64 = 1;

fn with_model(queue_model: QueueModel) -> Venue {
    Venue::new(SimConfig { queue_model, ..SimConfig::default() })
}

fn fifo() -> Venue {
    with_model(QueueModel::L3Fifo)
}

/// Sends an order row and returns the fills it caused.
fn order_row(
    v: &mut Venue,
    kind: RowKind,
    id: u64,
    side: Side,
    price: i64,
    qty: i64,
) -> Vec<(u64, i64, i64, bool)> {
    v.now += 1;
    let row = OrderRow { market: row(kind, side, price, qty), order_id: id };
    let mut out = Vec::new();
    v.market.on_order_row(&row, Ticks(0), v.now, &mut out);
    v.events.extend_from_slice(&out);
    fills(&out)
}

fn front(v: &Venue, id: u64) -> Option<f64> {
    v.market.queue_front(ClientOrderId(id))
}

#[test]
fn l3_fifo_vectors() {
    for vector in vectors::of("l3_fifo") {
        let mut v = fifo();
        let mut ids: HashMap<String, u64> = HashMap::new();
        let mut sizes: HashMap<u64, i64> = HashMap::new();
        let mut id_of = |name: &str| {
            let next = 100 + ids.len() as u64;
            *ids.entry(name.to_owned()).or_insert(next)
        };
        for entry in vector["inputs"]["queue"].as_array().unwrap() {
            let (id, qty) = (id_of(entry[0].as_str().unwrap()), entry[1].as_f64().unwrap() as i64);
            sizes.insert(id, qty);
            order_row(&mut v, RowKind::OrderAdd, id, Side::Buy, 100, qty);
        }
        v.limit(OURS, Side::Buy, 100, 1);
        let expected = &vector["expected"];
        let ahead = expected["ahead"].as_array().unwrap();
        for (index, event) in vector["inputs"]["events"].as_array().unwrap().iter().enumerate() {
            let name = event[1].as_str().unwrap_or_default();
            let qty = event[2].as_f64().unwrap_or_default() as i64;
            let kind = match event[0].as_str().unwrap() {
                "add" => RowKind::OrderAdd,
                "cancel" => RowKind::OrderDelete,
                "modify" => RowKind::OrderModify,
                "fill" => RowKind::OrderExecute,
                "opposite_best" => {
                    v.now += 1;
                    order_row(&mut v, RowKind::OrderAdd, 999, Side::Sell, 100, 1);
                    assert_eq!(front(&v, OURS), None, "{} filled", vector["id"]);
                    assert_eq!(expected["filled_at"].as_u64(), Some(index as u64));
                    continue;
                }
                other => panic!("unknown event {other}"),
            };
            order_row(&mut v, kind, id_of(name), Side::Buy, 100, qty);
            if Some(index as u64) == expected["filled_at"].as_u64() {
                assert_eq!(front(&v, OURS), None, "{} event {index} fills", vector["id"]);
                break;
            }
            let found = front(&v, OURS);
            assert_eq!(found, ahead[index].as_f64(), "{} event {index}", vector["id"]);
        }
        assert_eq!(v.position(), 1, "{}", vector["id"]);
    }
}

#[test]
fn an_execution_behind_us_is_ours_up_to_its_size_and_shared() {
    let mut v = fifo();
    order_row(&mut v, RowKind::OrderAdd, 10, Side::Sell, 101, 5);
    v.limit(1, Side::Sell, 101, 3);
    v.limit(2, Side::Sell, 101, 3);
    order_row(&mut v, RowKind::OrderAdd, 11, Side::Sell, 101, 9);
    v.limit(3, Side::Sell, 101, 3);
    assert_eq!(front(&v, 3), Some(14.0));
    assert_eq!(order_row(&mut v, RowKind::OrderExecute, 10, Side::Sell, 101, 5), []);
    assert_eq!((front(&v, 1), front(&v, 3)), (Some(0.0), Some(9.0)));
    let shared = order_row(&mut v, RowKind::OrderExecute, 11, Side::Sell, 101, 4);
    assert_eq!(shared, [(1, 101, 3, true), (2, 101, 1, true)]);
    assert_eq!(front(&v, 3), Some(5.0), "it shortens the queue of those behind it");
}

#[test]
fn an_execution_through_our_price_meets_us_first() {
    let mut v = fifo();
    order_row(&mut v, RowKind::OrderAdd, 10, Side::Buy, 99, 5);
    v.limit(1, Side::Buy, 100, 4);
    v.limit(2, Side::Buy, 99, 4);
    let got = order_row(&mut v, RowKind::OrderExecute, 10, Side::Buy, 99, 5);
    assert_eq!(got, [(1, 100, 4, true)]);
    assert_eq!(front(&v, 2), Some(0.0));
}

#[test]
fn anonymous_quantity_stands_in_front() {
    let mut v = fifo();
    order_row(&mut v, RowKind::Depth, 0, Side::Buy, 100, 8);
    order_row(&mut v, RowKind::OrderAdd, 10, Side::Buy, 100, 2);
    v.limit(OURS, Side::Buy, 100, 1);
    assert_eq!(front(&v, OURS), Some(10.0));
    order_row(&mut v, RowKind::OrderExecute, 77, Side::Buy, 100, 3);
    assert_eq!(front(&v, OURS), Some(7.0));
    order_row(&mut v, RowKind::Depth, 0, Side::Buy, 100, 1);
    assert_eq!(front(&v, OURS), Some(3.0));
    order_row(&mut v, RowKind::OrderDelete, 10, Side::Buy, 100, 2);
    assert_eq!(front(&v, OURS), Some(1.0));
    order_row(&mut v, RowKind::OrderDelete, 555, Side::Buy, 100, 900);
    assert_eq!(front(&v, OURS), Some(1.0), "a row that does not fit changes nothing");
}

#[test]
fn a_stop_fires_on_an_execution() {
    let mut v = fifo();
    order_row(&mut v, RowKind::OrderAdd, 10, Side::Sell, 105, 5);
    let stop =
        OrderTerms { order_type: OrderType::Stop, trigger: Ticks(105), ..limit(Side::Buy, 0, 2) };
    v.send(OURS, stop);
    let got = order_row(&mut v, RowKind::OrderExecute, 10, Side::Sell, 105, 1);
    assert_eq!(got, [(OURS, 105, 2, false)]);
    assert_eq!(v.market.last_trade(), Some(Ticks(105)));
}

#[test]
fn an_iceberg_s_next_slice_joins_the_back_of_the_real_queue() {
    let mut v = fifo();
    let iceberg =
        OrderTerms { order_type: OrderType::Iceberg, display: Lots(2), ..limit(Side::Buy, 100, 5) };
    v.send(OURS, iceberg);
    order_row(&mut v, RowKind::OrderAdd, 10, Side::Buy, 100, 6);
    let first = order_row(&mut v, RowKind::OrderExecute, 10, Side::Buy, 100, 3);
    assert_eq!((first, front(&v, OURS)), (vec![(OURS, 100, 2, true)], Some(3.0)));
    assert_eq!(order_row(&mut v, RowKind::OrderExecute, 10, Side::Buy, 100, 3), []);
    assert_eq!(front(&v, OURS), Some(0.0));
}

/// A book of plain lists: who stands in front of whom, ours among them.
#[derive(Default)]
struct Queue {
    /// Feed orders and ours, first to trade first: (ours, id, lots).
    line: Vec<(bool, u64, i64)>,
}

impl Queue {
    fn ahead(&self, id: u64) -> Option<f64> {
        let at = self.line.iter().position(|entry| entry.0 && entry.1 == id)?;
        Some(self.line[..at].iter().filter(|entry| !entry.0).map(|entry| entry.2 as f64).sum())
    }

    fn change(&mut self, kind: RowKind, id: u64, qty: i64) -> Vec<(u64, i64)> {
        let at = self.line.iter().position(|entry| !entry.0 && entry.1 == id);
        let mut got = vec![];
        match (kind, at) {
            (RowKind::OrderAdd, None) => self.line.push((false, id, qty)),
            (RowKind::OrderDelete, Some(at)) => {
                self.line.remove(at);
            }
            (RowKind::OrderModify, Some(at)) if qty > self.line[at].2 => {
                // Growing loses the place; alone at the back of the feed it has none to lose,
                // but ours were here before the growth.
                self.line.remove(at);
                self.line.push((false, id, qty));
            }
            (RowKind::OrderModify, Some(at)) => self.line[at].2 = qty,
            (RowKind::OrderExecute, Some(at)) => {
                let mut left = qty;
                for entry in self.line[..at].iter_mut().filter(|entry| entry.0) {
                    let fill = left.min(entry.2);
                    left -= fill;
                    entry.2 -= fill;
                    if fill > 0 {
                        got.push((entry.1, fill));
                    }
                }
                self.line[at].2 -= qty;
            }
            _ => {}
        }
        self.line.retain(|entry| entry.2 > 0);
        got
    }
}

proptest! {
    /// One level, feed orders and ours in one line: places and fills are those of the line.
    #[test]
    fn our_place_is_that_of_one_line(
        acts in prop::collection::vec((0_u8..6, 0_u64..8, 1_i64..9), 1..120),
    ) {
        let mut v = fifo();
        let mut queue = Queue::default();
        let mut next_own = 1;
        let mut sizes: HashMap<u64, i64> = HashMap::new();
        for (what, feed, qty) in acts {
            let id = 1_000 + feed;
            let left = sizes.get(&id).copied().unwrap_or(0);
            let (kind, qty) = match what {
                0 => {
                    v.limit(next_own, Side::Buy, 100, qty);
                    queue.line.push((true, next_own, qty));
                    next_own += 1;
                    continue;
                }
                1 | 2 if left == 0 => (RowKind::OrderAdd, qty),
                3 if left > 0 => (RowKind::OrderDelete, left),
                4 if left > 0 => (RowKind::OrderModify, qty),
                5 if left > 0 => (RowKind::OrderExecute, qty.min(left)),
                _ => continue,
            };
            let after = match kind {
                RowKind::OrderDelete => 0,
                RowKind::OrderExecute => left - qty,
                _ => qty,
            };
            sizes.insert(id, after);
            let got = order_row(&mut v, kind, id, Side::Buy, 100, qty);
            let got: Vec<(u64, i64)> = got.iter().map(|fill| (fill.0, fill.2)).collect();
            prop_assert_eq!(got, queue.change(kind, id, qty));
            for own in 1..next_own {
                prop_assert_eq!(front(&v, own), queue.ahead(own), "place of {}", own);
            }
        }
    }

    /// Under any other model order rows are the trades and level changes that they are.
    #[test]
    fn other_models_see_levels_and_trades(
        acts in prop::collection::vec((0_u8..6, 0_u64..6, 98_i64..103, 1_i64..9), 1..120),
        name in prop::sample::select(vec!["risk_averse", "prob_power3", "prob_log"]),
    ) {
        let model: QueueModel = name.parse().unwrap();
        let (mut orders, mut levels) = (with_model(model), with_model(model));
        let mut alive: HashMap<u64, (Side, i64, i64)> = HashMap::new();
        let mut next_own = 1;
        for (what, feed, price, qty) in acts {
            let id = 1_000 + feed;
            let side = if price <= 100 { Side::Buy } else { Side::Sell };
            if what == 0 {
                orders.limit(next_own, side, price, qty);
                levels.limit(next_own, side, price, qty);
                next_own += 1;
                continue;
            }
            let known = alive.get(&id).copied();
            let kind = match (what, known) {
                (1 | 2, None) => RowKind::OrderAdd,
                (3, Some(_)) => RowKind::OrderDelete,
                (4, Some(_)) => RowKind::OrderModify,
                (5, Some(_)) => RowKind::OrderExecute,
                _ => continue,
            };
            let (side, from, left) = known.unwrap_or((side, price, 0));
            // A changed order stays on its side of the book.
            let moves = kind == RowKind::OrderModify && (side == Side::Buy) == (price <= 100);
            let to = if moves || known.is_none() { price } else { from };
            let qty = if kind == RowKind::OrderExecute { qty.min(left) } else { qty };
            let after = match kind {
                RowKind::OrderDelete => 0,
                RowKind::OrderExecute => left - qty,
                _ => qty,
            };
            order_row(&mut orders, kind, id, side, to, qty);
            if kind == RowKind::OrderExecute {
                levels.trade(side.opposite(), from, qty);
            }
            if after > 0 {
                alive.insert(id, (side, to, after));
            } else {
                alive.remove(&id);
            }
            let total = |at: i64| {
                alive.values().filter(|o| o.0 == side && o.1 == at).map(|o| o.2).sum::<i64>()
            };
            levels.depth(side, from, total(from));
            if to != from {
                levels.depth(side, to, total(to));
            }
            prop_assert_eq!(fills(&orders.events), fills(&levels.events));
            for own in 1..next_own {
                prop_assert_eq!(front(&orders, own), front(&levels, own));
            }
        }
    }
}
