//! A recording of levels on the engine beside the simulated venue of a backtest: one order of ours at a
//! time is filled by the same lots, at the same prices, at the same rows.

#[allow(dead_code, reason = "each test uses a part")]
mod recorded;

use std::collections::BTreeMap;

use mainspring_core::event::{MarketRow, RowKind};
use mainspring_core::order::{
    ClientOrderId, OrderTerms, Side, TimeInForce, VenueEvent, VenueEventKind, VenueRequest,
    VenueRequestKind,
};
use mainspring_core::{Lots, Ticks};
use mainspring_exchange::OrderId;
use mainspring_sim::{QueueModel, SimConfig, SimMarket};

use recorded::{row, Row, Served, AT_PACE, MARKET};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % bound
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }
}

const MIDDLE: i64 = 100_000;

/// Levels, best prices and trades of a market whose two sides move through each other's places.
fn recording(numbers: &mut Numbers, count: i64) -> Vec<Row> {
    let mut sides = [BTreeMap::<i64, i64>::new(), BTreeMap::new()];
    let mut rows = Vec::new();
    for at in 0..count {
        let (side, price) = (numbers.side(), MIDDLE + numbers.below(13) - 6);
        let qty = numbers.below(6) * 100;
        let theirs = &sides[side.opposite() as usize];
        let crosses = match side {
            Side::Buy => theirs.first_key_value().is_some_and(|(ask, _)| price >= *ask),
            Side::Sell => theirs.last_key_value().is_some_and(|(bid, _)| price <= *bid),
        };
        let kind = match numbers.below(10) {
            0..3 => RowKind::Trade,
            3 => RowKind::Best,
            _ => RowKind::Depth,
        };
        if kind == RowKind::Trade {
            rows.push(row(at, kind, side, price, qty + 100));
            continue;
        }
        let qty = if crosses { 0 } else { qty };
        let own = &mut sides[side as usize];
        if kind == RowKind::Best {
            own.retain(|level, _| !side.better(Ticks(*level), Ticks(price)));
        }
        own.remove(&price);
        if qty > 0 {
            own.insert(price, qty);
        }
        rows.push(row(at, kind, side, price, qty));
    }
    rows
}

/// Lots by price, and whether as maker.
type Fills = BTreeMap<(i64, bool), i64>;

/// The simulated venue with one order.
struct Model {
    market: SimMarket,
    said: Vec<VenueEvent>,
}

impl Model {
    fn play(&mut self, row: &Row) {
        let market = MarketRow {
            recv_ns: row.time,
            exch_ns: row.time,
            qty_lots: row.qty,
            price_offset: 0,
            kind: row.kind as u8,
            flags: row.bits,
            instrument: 0,
        };
        self.market.on_row(&market, Ticks(row.price), row.time, &mut self.said);
    }

    fn ask(&mut self, order: u64, kind: VenueRequestKind) {
        let request = VenueRequest { order: ClientOrderId(order), sent_ns: 0, kind };
        self.market.on_request(&request, 0, &mut self.said);
    }

    fn fills(&self, order: u64) -> Fills {
        let mut fills = Fills::new();
        for event in self.said.iter().filter(|event| event.order.0 == order) {
            if let VenueEventKind::Filled { price, qty, maker } = event.kind {
                *fills.entry((price.0, maker)).or_default() += qty.0;
            }
        }
        fills
    }
}

fn engine_fills(served: &Served, order: OrderId) -> Fills {
    let mut fills = Fills::new();
    for (price, qty, maker) in served.fills(order) {
        *fills.entry((price, maker)).or_default() += qty;
    }
    fills
}

#[test]
fn one_order_of_ours_is_filled_as_the_simulated_venue_fills_it() {
    let (mut as_maker, mut as_taker, mut orders) = (0, 0, 0);
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let rows = recording(&mut numbers, 300);
        let model = QueueModel::RiskAverse;
        let mut served = Served::with_model(&rows, false, AT_PACE, model);
        let config = SimConfig { queue_model: model, ..SimConfig::default() };
        let market = SimMarket::new(MARKET, &recorded::instrument(), &config).unwrap();
        let mut beside = Model { market, said: Vec::new() };
        let mut open: Option<(OrderId, u64)> = None;
        for (at, row) in rows[..rows.len() - 1].iter().enumerate() {
            assert!(served.step());
            beside.play(row);
            if let Some((ours, number)) = open {
                assert_eq!(
                    engine_fills(&served, ours),
                    beside.fills(number),
                    "{seed} {at} {row:?}"
                );
                let is_open = served.left(ours) > 0;
                assert_eq!(is_open, beside.market.open_orders() == 1, "{seed} {at}");
                if is_open && numbers.below(12) == 0 {
                    served.cancel(ours);
                    beside.ask(number, VenueRequestKind::Cancel { instrument: MARKET });
                }
                if served.left(ours) == 0 {
                    let fills = engine_fills(&served, ours);
                    as_maker += fills.keys().filter(|(_, maker)| *maker).count();
                    as_taker += fills.keys().filter(|(_, maker)| !*maker).count();
                    open = None;
                }
            } else if numbers.below(4) == 0 {
                orders += 1;
                let price = Ticks(MIDDLE + numbers.below(13) - 6);
                let qty = Lots(100 * (1 + numbers.below(5)) + numbers.below(30));
                let mut terms = OrderTerms::limit(MARKET, numbers.side(), price, qty);
                if numbers.below(5) == 0 {
                    terms.time_in_force = TimeInForce::Ioc;
                }
                let ours = served.send(terms);
                beside.ask(orders, VenueRequestKind::New(terms));
                assert_eq!(engine_fills(&served, ours), beside.fills(orders), "{seed} {at}");
                open = Some((ours, orders));
            }
        }
        served.assert_conserved();
    }
    assert!(orders > 3_000 && as_maker > 1_000 && as_taker > 300, "{orders} {as_maker} {as_taker}");
}
