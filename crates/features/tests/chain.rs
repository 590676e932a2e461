//! The chain against the functions over whole arrays, on books that change at random.

use mainspring_book::L2Book;
use mainspring_core::event::flags;
use mainspring_core::{
    Decimal, Instrument, InstrumentKind, Lots, MarketRow, PriceGrid, RowKind, Side, Ticks,
};
use mainspring_features::imbalance::{multi_level_imbalance, LevelWeights};
use mainspring_features::ofi::{multi_level_ofi, ofi_events};
use mainspring_features::toxicity::vpin;
use mainspring_features::volatility::ewma::ewma_variance_irregular;
use mainspring_features::{FeatureChain, FeatureScan, FeatureSpec, MicropriceTable, Quote};
use mainspring_memory::CountingAllocator;
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SECOND: i64 = 1_000_000_000;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        symbol: "TEST".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(decimal("0.5"))],
        lot: decimal("0.25"),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

fn chain(texts: &[&str]) -> FeatureChain {
    let specs: Vec<FeatureSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
    FeatureChain::new(&specs, &instrument()).unwrap()
}

fn row(kind: RowKind, side: Side, price: i32, qty: i64) -> MarketRow {
    let ask = if side == Side::Sell { flags::ASK } else { 0 };
    MarketRow {
        recv_ns: 0,
        exch_ns: 0,
        qty_lots: qty,
        price_offset: price,
        kind: kind as u8,
        flags: ask | flags::END_OF_MESSAGE,
        instrument: 0,
    }
}

/// The best `levels` in price and base.
fn levels_of(book: &L2Book, levels: usize) -> Vec<Quote> {
    let (bids, asks): (Vec<_>, Vec<_>) =
        (book.levels(Side::Buy).collect(), book.levels(Side::Sell).collect());
    let mut quotes = vec![Quote::EMPTY; levels];
    for (quote, (price, qty)) in quotes.iter_mut().zip(bids) {
        (quote.bid, quote.bid_qty) = (price.0 as f64 * 0.5, qty.0 as f64 * 0.25);
    }
    for (quote, (price, qty)) in quotes.iter_mut().zip(asks) {
        (quote.ask, quote.ask_qty) = (price.0 as f64 * 0.5, qty.0 as f64 * 0.25);
    }
    quotes
}

fn assert_near(got: f64, wanted: f64, what: &str) -> Result<(), TestCaseError> {
    let error = (got - wanted).abs();
    let is_near = (got.is_nan() && wanted.is_nan()) || error <= 1e-9 * wanted.abs().max(1.0);
    prop_assert!(is_near, "{}: {} is not {}", what, got, wanted);
    Ok(())
}

/// Sizes of the best `levels` of each side.
fn sizes(quotes: &[Quote]) -> (Vec<f64>, Vec<f64>) {
    quotes.iter().map(|q| (q.bid_qty, q.ask_qty)).unzip()
}

fn changes() -> impl Strategy<Value = Vec<(bool, i32, i64, i64)>> {
    // Bids under 1000 and asks from 1001: never crossed, either side sometimes empty.
    prop::collection::vec((any::<bool>(), 0_i32..6, 0_i64..5, 0_i64..SECOND), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_chain_equals_the_functions_over_arrays(changes in changes()) {
        let texts = [
            "mid", "spread", "spread_bps", "weighted_mid", "queue_up_probability:rho=-0.2",
            "imbalance:levels=1", "imbalance:levels=3", "weighted_imbalance:levels=4,decay=0.7",
            "ofi:window=1d", "multi_level_ofi:levels=3,window=1d",
        ];
        let mut chain = chain(&texts);
        let mut book = L2Book::default();
        let (mut now_ns, mut history) = (0, Vec::new());
        for (is_ask, away, qty, dt) in changes {
            now_ns += dt / 1_000;
            let (side, price) = if is_ask { (Side::Sell, 1_001 + away) } else { (Side::Buy, 1_000 - away) };
            book.apply(&row(RowKind::Depth, side, price, qty), Ticks(0));
            chain.on_message(&book, now_ns);

            let levels = levels_of(&book, 3);
            if history.last() != Some(&levels) {
                history.push(levels);
            }
            let top = history.last().unwrap()[0];
            assert_near(chain.value(0, &book), top.mid(), "mid")?;
            assert_near(chain.value(1, &book), top.spread(), "spread")?;
            assert_near(chain.value(2, &book), top.spread_bps(), "spread_bps")?;
            assert_near(chain.value(3, &book), top.weighted_mid(), "weighted_mid")?;
            assert_near(chain.value(4, &book), top.up_probability(-0.2), "queue_up")?;
            assert_near(chain.value(5, &book), top.queue_imbalance(), "imbalance 1")?;
            let (bids, asks) = sizes(&levels_of(&book, 6));
            let flat = multi_level_imbalance(&bids, &asks, 3, LevelWeights::Flat);
            assert_near(chain.value(6, &book), flat.ratio(), "imbalance 3")?;
            let weights = LevelWeights::Exponential { decay: 0.7 };
            let weighted = multi_level_imbalance(&bids, &asks, 4, weights);
            assert_near(chain.value(7, &book), weighted.ratio(), "weighted_imbalance")?;
        }
        let tops: Vec<Quote> = history.iter().map(|levels| levels[0]).collect();
        if tops.windows(2).any(|pair| pair[0] != pair[1]) {
            assert_near(chain.value(8, &book), ofi_events(&tops).sum(), "ofi")?;
        }
        let flow = multi_level_ofi(&history, 3);
        if flow.mean_depth > 0.0 {
            let mean = flow.normalised().iter().sum::<f64>() / 3.0;
            assert_near(chain.value(9, &book), mean, "multi_level_ofi")?;
        }
    }

    #[test]
    fn volatility_equals_the_array_function(
        moves in prop::collection::vec((-3_i32..=3, 1_i64..20 * SECOND), 2..100),
        quiet in 0_i64..100 * SECOND,
    ) {
        let mut chain = chain(&["ewma_volatility:halflife=30s"]);
        let (mut price, mut now_ns, mut last_ns) = (20_000, 5 * SECOND, 5 * SECOND);
        let (mut returns, mut spans) = (vec![], vec![]);
        let mut book = L2Book::default();
        book.set_best(Side::Buy, Ticks(price), Lots(1));
        book.set_best(Side::Sell, Ticks(price + 2), Lots(1));
        chain.on_message(&book, now_ns);
        for (by, dt) in moves {
            now_ns += dt;
            let before = price as f64 + 1.0;
            price += i64::from(by);
            book.clear();
            book.set_best(Side::Buy, Ticks(price), Lots(1));
            book.set_best(Side::Sell, Ticks(price + 2), Lots(1));
            chain.on_message(&book, now_ns);
            if by != 0 {
                returns.push(((price as f64 + 1.0) / before).ln());
                spans.push((now_ns - last_ns) as f64 / 1e9);
                last_ns = now_ns;
            }
        }
        now_ns += quiet;
        chain.on_message(&book, now_ns);
        let known = (now_ns - 5 * SECOND) as f64 / 1e9;
        let wanted = if returns.is_empty() || known < 3.0 {
            f64::NAN
        } else {
            // From a start of zero: the missing weight of the start is divided out.
            let rates = ewma_variance_irregular(&returns, &spans, 30.0, 0.0).unwrap();
            let half = |seconds: f64| 0.5_f64.powf(seconds / 30.0);
            let decayed = rates[rates.len() - 1] * half((now_ns - last_ns) as f64 / 1e9);
            (decayed / (1.0 - half(known))).sqrt()
        };
        assert_near(chain.value(0, &book) * 1e6, wanted * 1e6, "volatility")?;
    }

    #[test]
    fn trade_features_equal_their_definitions(
        trades in prop::collection::vec((-40_i64..40, 0_i64..5 * SECOND), 1..100),
    ) {
        let mut chain =
            chain(&["trade_flow:halflife=10s", "trade_imbalance:halflife=10s", "vpin:bucket=5,window=3"]);
        let book = L2Book::default();
        let mut now_ns = 0;
        let mut history = vec![];
        for (signed, dt) in trades {
            now_ns += dt;
            let taker = if signed < 0 { Side::Sell } else { Side::Buy };
            chain.on_trade(Ticks(1), Lots(signed.abs()), taker, now_ns);
            history.push((now_ns, signed as f64 * 0.25));
        }
        now_ns += SECOND;
        chain.on_message(&book, now_ns);
        let weight = |then: i64| 0.5_f64.powf((now_ns - then) as f64 / 10e9);
        let net: f64 = history.iter().map(|(then, volume)| weight(*then) * volume).sum();
        let total: f64 = history.iter().map(|(then, volume)| weight(*then) * volume.abs()).sum();
        assert_near(chain.value(0, &book), net, "trade_flow")?;
        assert_near(chain.value(1, &book), net / total, "trade_imbalance")?;
        let volumes: Vec<f64> = history.iter().map(|(_, volume)| *volume).collect();
        let (_, values) = vpin(&volumes, 5.0, 3).unwrap();
        assert_near(chain.value(2, &book), values.last().copied().unwrap_or(f64::NAN), "vpin")?;
    }
}

#[test]
fn an_untrusted_book_gives_nan_and_its_changes_do_not_count() {
    let mut chain = chain(&["imbalance", "ofi:window=1h", "ewma_volatility:halflife=1s"]);
    let mut book = L2Book::default();
    let feed = |book: &mut L2Book, chain: &mut FeatureChain, rows: &[MarketRow], at: i64| {
        rows.iter().for_each(|row| book.apply(row, Ticks(0)));
        chain.on_message(book, at * SECOND);
    };
    let quote = |bid: i32, qty: i64| {
        [row(RowKind::Best, Side::Buy, bid, qty), row(RowKind::Best, Side::Sell, bid + 2, 4)]
    };
    feed(&mut book, &mut chain, &quote(1_000, 4), 1);
    feed(&mut book, &mut chain, &quote(1_000, 8), 2);
    assert!((chain.value(1, &book) - 1.0).abs() < 1e-12, "4 lots of 0.25 were added to the bid");
    feed(&mut book, &mut chain, &[row(RowKind::Gap, Side::Buy, 0, 0)], 3);
    assert!((0..3).all(|index| chain.value(index, &book).is_nan()));
    // The market is elsewhere after the gap: neither flow nor a return.
    feed(&mut book, &mut chain, &quote(2_000, 8), 4);
    assert!((chain.value(0, &book) - 1.0 / 3.0).abs() < 1e-12);
    assert!((chain.value(1, &book) - 1.0).abs() < 1e-12);
    assert!(chain.value(2, &book).is_nan(), "the mid has not moved while it was known");
    feed(&mut book, &mut chain, &quote(2_002, 8), 5);
    assert!(chain.value(2, &book) > 0.0);
    assert!(chain.value(3, &book).is_nan(), "an unknown index");
}

#[test]
fn a_microprice_uses_its_table_within_its_states() {
    let table = MicropriceTable { imbalances: 2, spreads: 1, adjustment_ticks: vec![-0.25, 0.25] };
    let spec = FeatureSpec::Microprice { table: table.clone() };
    let chain = FeatureChain::new(&[spec], &instrument()).unwrap();
    let mut book = L2Book::default();
    book.set(Side::Buy, Ticks(100), Lots(30));
    book.set(Side::Sell, Ticks(101), Lots(10));
    assert!((chain.value(0, &book) - 50.375).abs() < 1e-12);
    book.set(Side::Buy, Ticks(100), Lots(1));
    assert!((chain.value(0, &book) - 50.125).abs() < 1e-12);
    book.set(Side::Buy, Ticks(100), Lots(0));
    assert!(chain.value(0, &book).is_nan());
    book.set(Side::Buy, Ticks(99), Lots(1));
    assert!((chain.value(0, &book) - 50.0).abs() < 1e-12, "a spread outside the table");
    let broken = FeatureSpec::Microprice { table: MicropriceTable { spreads: 2, ..table } };
    assert!(FeatureChain::new(&[broken], &instrument()).is_err());
}

#[test]
fn a_scan_gives_what_the_chain_gives_message_by_message() {
    let texts = ["mid", "imbalance:levels=2", "ofi", "ewma_volatility:halflife=1s", "trade_flow"];
    let specs: Vec<FeatureSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let rows: Vec<MarketRow> = (0..600)
        .map(|n: i32| {
            let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
            let kind = if n % 5 == 4 { RowKind::Trade } else { RowKind::Best };
            let price = 900 + n / 60 + if side == Side::Buy { 0 } else { 2 };
            let mut row = row(kind, side, price, i64::from(1 + n % 7));
            row.recv_ns = i64::from(n) * 30_000_000;
            row.instrument = u16::from(n % 11 == 10);
            row
        })
        .collect();
    let (mut chain, mut book) = (chain(&texts), L2Book::default());
    let mut wanted = vec![];
    for row in rows.iter().filter(|row| row.instrument == 0) {
        if row.kind == RowKind::Trade as u8 {
            chain.on_trade(row.price(Ticks(7)), row.qty(), row.side(), row.recv_ns);
        }
        book.apply(row, Ticks(7));
        chain.on_message(&book, row.recv_ns);
        let mut values = [0.0; 5];
        chain.values(&book, &mut values);
        wanted.push((row.recv_ns, values.map(f64::to_bits)));
    }
    let scanned = |every_ns: i64| {
        let mut scan = FeatureScan::new(&specs, &instrument(), 0, every_ns).unwrap();
        rows.chunks(77).for_each(|chunk| scan.scan(chunk, Ticks(7)));
        let values = scan.values().chunks(5).map(|v| std::array::from_fn(|n| v[n].to_bits()));
        scan.times().iter().copied().zip(values).collect::<Vec<(i64, [u64; 5])>>()
    };
    assert_eq!(scanned(0), wanted);
    let mut last = None;
    wanted.retain(|(at, _)| last.replace(at / SECOND) != Some(at / SECOND));
    assert_eq!(scanned(SECOND), wanted);
    assert!(FeatureScan::new(&specs, &instrument(), 0, -1).is_err());
}

#[test]
fn a_window_forgets() {
    let mut chain = chain(&["ofi:window=256ms", "multi_level_ofi:levels=1,window=256ms"]);
    let mut book = L2Book::default();
    assert!(chain.value(0, &book).is_nan());
    book.set_best(Side::Buy, Ticks(10), Lots(4));
    book.set_best(Side::Sell, Ticks(12), Lots(4));
    chain.on_message(&book, SECOND);
    book.set_best(Side::Buy, Ticks(10), Lots(8));
    chain.on_message(&book, SECOND);
    let last = SECOND + 255 * 1_000_000;
    chain.on_message(&book, last);
    assert!((chain.value(0, &book) - 1.0).abs() < 1e-12);
    // 4 lots against a mean of (4 + 4 + 8 + 4) / 4.
    assert!((chain.value(1, &book) - 0.8).abs() < 1e-12);
    chain.on_message(&book, last + 1_000_000);
    assert!(chain.value(0, &book).abs() < 1e-12 && chain.value(1, &book).abs() < 1e-12);
}

#[test]
fn specs_are_snake_case_in_configuration() {
    let spec: FeatureSpec = serde_json::from_str(r#"{"imbalance": {"levels": 3}}"#).unwrap();
    assert_eq!(spec, "imbalance:levels=3".parse().unwrap());
    assert_eq!(serde_json::to_string(&FeatureSpec::WeightedMid).unwrap(), r#""weighted_mid""#);
}

#[test]
fn nothing_is_allocated_after_construction() {
    let mut chain = chain(&[
        "imbalance:levels=5",
        "weighted_imbalance",
        "weighted_mid",
        "ofi",
        "multi_level_ofi",
        "ewma_volatility",
        "trade_flow",
        "trade_imbalance",
        "vpin:bucket=3",
    ]);
    let mut book = L2Book::default();
    let mut values = [0.0; 9];
    let mut drive = |rounds: i64| {
        for n in 0..rounds {
            let side = if n % 3 == 0 { Side::Sell } else { Side::Buy };
            let price = side.inward(Ticks(500 + n / 40), -1 - n % 7);
            book.set_best(side, price, Lots(1 + n % 5));
            chain.on_trade(price, Lots(1 + n % 900), side, n * 7_000_000);
            chain.on_message(&book, n * 7_000_000);
            chain.values(&book, &mut values);
        }
    };
    drive(2_000);
    let before = CountingAllocator::allocations();
    assert!(before > 0, "the counting allocator is not installed");
    drive(20_000);
    assert_eq!(CountingAllocator::allocations() - before, 0);
    assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
}
