//! What the simulated venue costs: per row without orders, per row with a market maker's orders,
//! per order sent and cancelled. Prints medians of several rounds in nanoseconds.

use std::hint::black_box;
use std::time::Instant;

use mainspring_book::L2Book;
use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::{Instrument, InstrumentId, InstrumentKind, PriceGrid};
use mainspring_core::order::{
    ClientOrderId, OrderTerms, Side, VenueEvent, VenueRequest, VenueRequestKind,
};
use mainspring_core::units::{Lots, Ticks};
use mainspring_core::Decimal;
use mainspring_sim::latency::mix;
use mainspring_sim::{SimConfig, SimMarket};

const ID: InstrumentId = InstrumentId(0);
const ROWS: usize = 200_000;
const ROUNDS: usize = 9;

fn instrument() -> Instrument {
    Instrument {
        symbol: "BENCH".into(),
        venue: "sim".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(Decimal::ONE)],
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

/// A book that hovers around 100,000 without ever being crossed: nine depth rows to one trade.
fn rows() -> Vec<MarketRow> {
    let mut mid = 100_000_i64;
    let mut rows = Vec::with_capacity(ROWS + 1);
    for n in 0.. {
        let draw = mix(7, n);
        if draw.is_multiple_of(64) {
            let up = draw & 64 == 0;
            // The level that the mid moves into goes first.
            rows.push(row(RowKind::Depth, up, if up { mid + 1 } else { mid }, 0));
            mid += if up { 1 } else { -1 };
        }
        let (ask, qty) = (draw & 128 != 0, (draw >> 40) as i64 % 50);
        let away = ((draw >> 16) % 24) as i64;
        if (draw >> 8).is_multiple_of(10) {
            // A buyer takes asks: a trade's flag is its taker's.
            rows.push(row(RowKind::Trade, !ask, if ask { mid + 1 } else { mid }, qty + 1));
        } else {
            let price = if ask { mid + 1 + away } else { mid - away };
            rows.push(row(RowKind::Depth, ask, price, qty));
        }
        if rows.len() >= ROWS {
            break;
        }
    }
    rows.truncate(ROWS);
    rows
}

fn row(kind: RowKind, ask: bool, price: i64, qty: i64) -> MarketRow {
    MarketRow {
        recv_ns: 0,
        exch_ns: 0,
        qty_lots: qty,
        price_offset: price as i32,
        kind: kind as u8,
        flags: if ask { flags::ASK } else { 0 } | flags::END_OF_MESSAGE,
        instrument: 0,
    }
}

fn median_ns(count: usize, rounds: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn send(market: &mut SimMarket, order: u64, kind: VenueRequestKind, out: &mut Vec<VenueEvent>) {
    let request = VenueRequest { order: ClientOrderId(order), sent_ns: 0, kind };
    market.on_request(&request, 0, out);
}

fn fresh(orders: i64) -> SimMarket {
    let mut market = SimMarket::new(ID, &instrument(), &SimConfig::default()).unwrap();
    let mut out = Vec::new();
    for n in 0..orders {
        // Far enough out never to be hit, near enough to be passed over.
        for (id, side, price) in
            [(2 * n + 1, Side::Buy, 99_900 - n), (2 * n + 2, Side::Sell, 100_100 + n)]
        {
            let terms = OrderTerms::limit(ID, side, Ticks(price), Lots(1));
            send(&mut market, id as u64, VenueRequestKind::New(terms), &mut out);
        }
    }
    market
}

fn main() {
    let rows = rows();
    let mut book = L2Book::default();
    for pairs in [0, 1, 20, 4_000] {
        let mut market = fresh(pairs);
        let mut out = Vec::with_capacity(1024);
        let mut extra: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let floor = median_ns(ROWS, 1, || {
                    for row in &rows {
                        book.apply(row, Ticks(0));
                    }
                    black_box(book.best_bid());
                });
                let cost = median_ns(ROWS, 1, || {
                    for row in &rows {
                        market.on_row(row, Ticks(0), 0, &mut out);
                    }
                    black_box(market.book().best_bid());
                    out.clear();
                });
                cost - floor
            })
            .collect();
        extra.sort_by(f64::total_cmp);
        println!(
            "on_row beside book.apply, {:5} orders {:7.1} ns more per row",
            2 * pairs,
            extra[ROUNDS / 2]
        );
    }
    for pairs in [1, 20, 4_000] {
        let mut market = fresh(pairs);
        let mut out = Vec::with_capacity(1024);
        for row in &rows {
            market.on_row(row, Ticks(0), 0, &mut out);
            out.clear();
        }
        let mut id = 1_000_000;
        let cost = median_ns(ROWS, ROUNDS, || {
            for n in 0..ROWS as i64 {
                id += 1;
                let price = Ticks(99_890 - (n & 15));
                let terms = OrderTerms::limit(ID, Side::Buy, price, Lots(1));
                send(&mut market, id, VenueRequestKind::New(terms), &mut out);
                send(&mut market, id, VenueRequestKind::Cancel { instrument: ID }, &mut out);
                out.clear();
            }
        });
        println!("new + cancel, {:5} orders       {cost:7.1} ns per order", 2 * pairs);
    }
    // A market maker that joins both touches after every fourth row.
    let mut market = fresh(0);
    let mut out = Vec::with_capacity(1024);
    let mut id = 0;
    let cost = median_ns(ROWS, ROUNDS, || {
        for chunk in rows.chunks(4) {
            market.on_rows(chunk, Ticks(0), 0, &mut out);
            let (bid, ask) = (market.book().best_bid(), market.book().best_ask());
            for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
                id += 1;
                let terms = OrderTerms::limit(ID, side, price, Lots(1));
                send(&mut market, id, VenueRequestKind::New(terms), &mut out);
            }
            if id > 4 {
                for old in [id - 3, id - 2] {
                    send(&mut market, old, VenueRequestKind::Cancel { instrument: ID }, &mut out);
                }
            }
            out.clear();
        }
    });
    println!("market maker at both touches     {cost:7.1} ns per row (half an order each)");
}
