//! Prints what each feature costs as JSON lines: `cargo run --release --example feature_cost`.
//!
//! `read_ns` is one read of the value, `message_ns` what the feature adds to a message that
//! changes the best bid, both medians of several passes.

use std::hint::black_box;
use std::time::Instant;

use mainspring_book::L2Book;
use mainspring_core::{Decimal, Instrument, InstrumentKind, Lots, PriceGrid, Side, Ticks};
use mainspring_features::{FeatureChain, FeatureSpec};

const ROUNDS: i64 = 200_000;
const PASSES: usize = 7;

const FEATURES: [&str; 13] = [
    "mid",
    "spread",
    "spread_bps",
    "weighted_mid",
    "queue_up_probability",
    "imbalance:levels=1",
    "imbalance:levels=5",
    "weighted_imbalance:levels=5",
    "ofi",
    "multi_level_ofi:levels=5",
    "ewma_volatility",
    "trade_flow",
    "vpin:bucket=10",
];

fn instrument() -> Instrument {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "example".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.1"))],
        lot: decimal("0.001"),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

fn full_book() -> L2Book {
    let mut book = L2Book::default();
    for level in 0..200 {
        book.set(Side::Buy, Ticks(600_000 - level), Lots(10 + level));
        book.set(Side::Sell, Ticks(600_001 + level), Lots(12 + level));
    }
    book
}

/// Nanoseconds a round, the median of the passes.
fn median_ns(mut round: impl FnMut(i64)) -> f64 {
    let mut times = [0.0; PASSES];
    for time in &mut times {
        let start = Instant::now();
        (0..ROUNDS).for_each(&mut round);
        *time = start.elapsed().as_nanos() as f64 / ROUNDS as f64;
    }
    times.sort_by(f64::total_cmp);
    times[PASSES / 2]
}

fn message_ns(specs: &[FeatureSpec]) -> f64 {
    let mut chain = FeatureChain::new(specs, &instrument()).expect("sound features");
    let (mut book, mut now_ns) = (full_book(), 0);
    median_ns(|n| {
        now_ns += 100_000;
        book.set(Side::Buy, Ticks(600_000), Lots(5 + n % 7));
        chain.on_message(&book, now_ns);
    })
}

fn read_ns(spec: FeatureSpec) -> f64 {
    let mut chain = FeatureChain::new(&[spec], &instrument()).expect("sound features");
    let book = full_book();
    chain.on_message(&book, 1);
    chain.on_trade(Ticks(600_000), Lots(50_000_000), Side::Buy, 1);
    median_ns(|_| {
        black_box(chain.value(0, black_box(&book)));
    })
}

fn main() {
    let without = message_ns(&[]);
    for text in FEATURES {
        let spec: FeatureSpec = text.parse().expect("a sound feature");
        let message = (message_ns(std::slice::from_ref(&spec)) - without).max(0.0);
        let read = read_ns(spec);
        println!("{{\"feature\":\"{text}\",\"read_ns\":{read:.1},\"message_ns\":{message:.1}}}");
    }
}
