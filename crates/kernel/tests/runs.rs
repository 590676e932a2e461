//! Whole runs over small event files: no allocation per event, two clocks, one hash.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mainspring_core::event::{flags, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{Decimal, Instrument, Lots, PriceGrid, Ticks};
use mainspring_data::{ClockState, EventFile, EventWriter, Provenance, Schema};
use mainspring_journal::Sink;
use mainspring_kernel::host::{BookTrigger, Fill, Host, HostResult, Interest};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::{run, Outcome, RunConfig, View};
use mainspring_memory::CountingAllocator;

mod common;
use common::EVERY_LIMIT;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MS: i64 = 1_000_000;
const FEED_NS: i64 = 2 * MS;

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: "0.0001".parse().unwrap(),
        taker_fee: "0.0005".parse().unwrap(),
        margin_tiers: vec![],
    }
}

/// A market that walks up and down a tick and trades at the touch, a message every 10 ms.
fn file(name: &str, messages: i64) -> EventFile {
    let path: PathBuf =
        std::env::temp_dir().join(format!("mainspring-{name}-{}.mse", std::process::id()));
    let provenance = Provenance::new("test", ClockState::Trusted);
    let mut out =
        EventWriter::create(&path, Schema::Market, vec![instrument()], provenance).unwrap();
    let depth = RowKind::Depth;
    for n in 0..messages {
        let at = 1_000 * MS + n * 10 * MS;
        let bid = 1_000_000 + (n / 7) % 2;
        let mut push = |kind, flag, price: i64, qty| {
            out.push_market(at + FEED_NS, at, kind, flag, 0, Ticks(price), qty).unwrap();
        };
        push(depth, flags::ASK, bid, 0);
        push(depth, 0, bid + 1, 0);
        for level in 0..5 {
            push(depth, 0, bid - level, 10 + (n + level) % 5);
            push(depth, flags::ASK, bid + 1 + level, 12 + (n + level) % 3);
        }
        let taker = if n % 2 == 0 { flags::ASK } else { 0 };
        let price = if n % 2 == 0 { bid } else { bid + 1 };
        push(RowKind::Trade, taker | flags::END_OF_MESSAGE, price, 1 + n % 20);
    }
    out.finish().unwrap();
    let file = EventFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

fn config(text: &str) -> RunConfig {
    serde_json::from_str(text).unwrap()
}

const LATENCY: &str = r#"{"latency":{"model":"constant","new":{"entry_ns":1000000,"response_ns":3000000}},
    "deposits":[["USDT","100000"]],"features":["imbalance","ofi","ewma_volatility"]}"#;

fn go(file: &EventFile, host: Box<dyn Host>) -> Outcome {
    go_with(LATENCY, file, host)
}

fn go_with(text: &str, file: &EventFile, host: Box<dyn Host>) -> Outcome {
    let sink = Sink::Memory { limit_bytes: 256 << 20 };
    let files = std::slice::from_ref(file);
    run(files, &config(text), vec![host], sink, &mut |_| Ok(())).unwrap()
}

/// Every limit, margin, position states and a stop; none is reached.
fn risk() -> String {
    format!(
        r#"{{"latency":{{"model":"constant","new":{{"entry_ns":1000000,"response_ns":3000000}}}},
    "deposits":[["USDT","100000000"]],"margin":{{"leverage":20}},"position_states":{{}},
    "stops":[{{"rule":{{"kind":"atr","multiple":"1000","period":14,"bar_ns":1000000000}}}}],
    "limits":{EVERY_LIMIT}}}"#
    )
}

#[test]
fn risk_allocates_nothing_once_warm() {
    let (short, long) = (file("risk-short", 5_000), file("risk-long", 25_000));
    let count = |file: &EventFile| {
        let before = CountingAllocator::allocations();
        let outcome = go_with(&risk(), file, touch());
        (CountingAllocator::allocations() - before, outcome.counts)
    };
    count(&long);
    let (few, _) = count(&short);
    let (more, counts) = count(&long);
    assert!(counts.orders > 5_000 && counts.fills > 1_000, "{counts:?}");
    assert_eq!(counts.risk_rejects, 0);
    assert!(more.saturating_sub(few) < 64, "{few} allocations, then {more}");
}

fn touch() -> Box<dyn Host> {
    let text = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#;
    let native: NativeConfig = serde_json::from_str(text).unwrap();
    native.build(BookTrigger::Message).unwrap()
}

#[test]
fn events_and_orders_allocate_nothing_once_warm() {
    let (short, long) = (file("short", 5_000), file("long", 25_000));
    let count = |file: &EventFile| {
        let before = CountingAllocator::allocations();
        let outcome = go(file, touch());
        (CountingAllocator::allocations() - before, outcome.counts)
    };
    count(&long);
    let (few, _) = count(&short);
    let (more, counts) = count(&long);
    assert!(counts.orders > 5_000 && counts.fills > 1_000, "{counts:?}");
    // The log's block buffers (at most 18 in flight), its first pieces, and a chunk's error text
    // that is never made: nothing that grows with the events.
    assert!(more.saturating_sub(few) < 64, "{few} allocations, then {more}");
}

#[test]
fn the_same_run_has_the_same_hash_and_another_has_another() {
    let short = file("hash", 3_000);
    let (a, b) = (go(&short, touch()), go(&short, touch()));
    assert_eq!(a.log.hash(), b.log.hash());
    assert_ne!(a.log.hash(), go(&file("hash2", 3_001), touch()).log.hash());
}

/// Buys once and notes when it saw what.
struct Buyer {
    seen: Arc<Mutex<Vec<(i64, i64)>>>,
    sent: bool,
}

impl Host for Buyer {
    fn name(&self) -> &str {
        "buyer"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, fills: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if !std::mem::replace(&mut self.sent, true) {
            self.seen.lock().unwrap().push((view.now_ns, 0));
            view.place(OrderTerms::market(view.instrument, Side::Buy, Lots(2)))?;
        }
        Ok(())
    }

    fn on_fill(&mut self, view: &mut View<'_>, fill: &Fill) -> HostResult {
        self.seen.lock().unwrap().push((view.now_ns, fill.exch_ns));
        Ok(())
    }
}

/// A market maker that is called by the clock alone lets rows at the venue be read ahead of those that
/// reach us; a latency that follows the feed, by a factor of nothing, does not.
#[test]
fn reading_rows_ahead_at_the_venue_changes_nothing() {
    let file = file("ahead", 3_000);
    for (interval, entry, response) in
        [(7 * MS, MS, 3 * MS), (10 * MS, 0, 0), (95 * MS, 20 * MS, MS), (3_000 * MS, 1, 50 * MS)]
    {
        let of = |latency: &str| {
            let text = format!(
                r#"{{"latency":{latency},"deposits":[["USDT","100000"]],
                    "features":["imbalance","ofi","ewma_volatility"]}}"#
            );
            let maker = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#;
            let native: NativeConfig = serde_json::from_str(maker).unwrap();
            go_with(&text, &file, native.build(BookTrigger::Every(interval)).unwrap())
        };
        let ahead = of(&format!(
            r#"{{"model":"constant","new":{{"entry_ns":{entry},"response_ns":{response}}}}}"#
        ));
        let woven = of(&format!(
            r#"{{"model":"feed_scaled","entry":{{"factor":0,"offset_ns":{entry}}},
                "response":{{"factor":0,"offset_ns":{response}}}}}"#
        ));
        assert!(ahead.counts.fills > 5, "{:?}", ahead.counts);
        assert_eq!(ahead.counts, woven.counts);
        assert_eq!(ahead.span_ns, woven.span_ns);
        assert_eq!(ahead.log.hash(), woven.log.hash());
    }
}

#[test]
fn rows_orders_and_answers_take_their_time() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let buyer = Buyer { seen: Arc::clone(&seen), sent: false };
    go(&file("clocks", 100), Box::new(buyer));
    let seen = seen.lock().unwrap();
    let first_row = 1_000 * MS;
    let decided = first_row + FEED_NS;
    let matched = decided + MS;
    assert_eq!(*seen, [(decided, 0), (matched + 3 * MS, matched)]);
}
