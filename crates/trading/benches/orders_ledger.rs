//! What one order and one fill cost: `cargo bench -p mainspring-trading`.

use std::hint::black_box;
use std::time::Instant;

use mainspring_core::instrument::{InstrumentId, InstrumentKind};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Decimal, Instrument, Lots, PriceGrid, Side, Ticks, VenueEvent,
    VenueEventKind,
};
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Order, OrderEvent, OrderTable};

const ROUNDS: u64 = 2_000_000;

/// Median of seven timings of `work`, in nanoseconds a round.
fn median_ns(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64 / ROUNDS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Insert, submit, accept, then fill or cancel, with 40 other orders live.
fn order_life() -> f64 {
    let mut table = OrderTable::new(10_000, 4_096, 4, 2);
    let terms = OrderTerms::limit(InstrumentId(1), Side::Buy, Ticks(618_000), Lots(5));
    let mut next = 0;
    let mut add = |table: &mut OrderTable| {
        let id = ClientOrderId(next);
        next += 1;
        table.insert(Order::new(id, 1, terms, 0)).expect("there is room");
        table.request(id, OrderEvent::Submit, 1).expect("a new order can be sent");
        id
    };
    for _ in 0..40 {
        add(&mut table);
    }
    median_ns(|| {
        for round in 0..ROUNDS {
            let id = add(&mut table);
            let mut says = |kind| {
                let event = VenueEvent { order: id, exch_ns: 2, recv_ns: 3, kind };
                black_box(table.apply(&event, 3)).expect("a legal event");
            };
            says(VenueEventKind::Accepted);
            says(if round % 2 == 0 {
                VenueEventKind::Filled { price: Ticks(618_000), qty: Lots(5), maker: true }
            } else {
                VenueEventKind::Cancelled(CancelReason::Requested)
            });
        }
    })
}

fn instrument(kind: InstrumentKind) -> Instrument {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
    Instrument {
        symbol: "BTC".into(),
        venue: "bench".into(),
        kind,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.1"))],
        lot: decimal(if kind.is_inverse() { "1" } else { "0.001" }),
        multiplier: decimal(if kind.is_inverse() { "100" } else { "1" }),
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: decimal("-0.00005"),
        taker_fee: decimal("0.0004"),
        margin_tiers: vec![],
    }
}

/// Fee and ledger of one fill that opens, closes a part or flips.
fn fill(kind: InstrumentKind) -> f64 {
    let instrument = instrument(kind);
    let mut fees = FeeSchedule::of(&instrument).expect("rates fit");
    let mut ledger = Ledger::new(&[instrument], 2, &[]).expect("it fits exact money");
    let at = InstrumentId(0);
    median_ns(|| {
        for round in 0..ROUNDS {
            let side = if round % 3 == 0 { Side::Buy } else { Side::Sell };
            let (price, qty) = (Ticks(618_000 + (round % 97) as i64), Lots(1 + (round % 7) as i64));
            let notional = ledger.contract(at).expect("known").notional(price, qty);
            let fee = fees.charge(round % 2 == 0, notional.expect("it fits"), qty);
            black_box(ledger.fill(1, at, side, price, qty, fee)).expect("it fits");
        }
    })
}

fn main() {
    println!("order life (insert, submit, accept, fill or cancel): {:.1} ns", order_life());
    println!("linear fill (fee, ledger): {:.1} ns", fill(InstrumentKind::LinearPerpetual));
    println!("spot fill (fee, ledger): {:.1} ns", fill(InstrumentKind::Spot));
    println!("inverse fill (fee, ledger): {:.1} ns", fill(InstrumentKind::InversePerpetual));
}
