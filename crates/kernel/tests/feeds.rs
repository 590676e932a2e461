//! What strategies see of a feed, and when: sources merged, gaps, windows, halts, failures, bars.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mainspring_core::event::{flags, BarRow, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{Decimal, Instrument, InstrumentId, Lots, PriceGrid, Ticks};
use mainspring_data::{ClockState, EventFile, EventWriter, Provenance, Schema};
use mainspring_journal::Sink;
use mainspring_kernel::host::{BookTrigger, Host, HostFailure, HostResult, Interest};
use mainspring_kernel::market::Trade;
use mainspring_kernel::{run, Outcome, RunConfig, View};
use mainspring_trading::orders::Order;

const MS: i64 = 1_000_000;

fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: symbol.into(),
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
        maker_fee: "0".parse().unwrap(),
        taker_fee: "0".parse().unwrap(),
        margin_tiers: vec![],
    }
}

/// A file under construction: one method a sort of message.
struct Script {
    path: PathBuf,
    out: EventWriter,
    bid: Option<i64>,
}

impl Script {
    fn new(name: &str, symbol: &str, schema: Schema) -> Self {
        let path =
            std::env::temp_dir().join(format!("mainspring-{name}-{}.mse", std::process::id()));
        let provenance = Provenance::new("test", ClockState::Trusted);
        let out = EventWriter::create(&path, schema, vec![instrument(symbol)], provenance).unwrap();
        Self { path, out, bid: None }
    }

    fn row(&mut self, at_ms: i64, kind: RowKind, flag: u8, price: i64, qty: i64) -> &mut Self {
        let at = at_ms * MS;
        self.out.push_market(at + MS, at, kind, flag, 0, Ticks(price), qty).unwrap();
        self
    }

    /// A whole book of one level a side; `flag` marks a snapshot.
    fn book(&mut self, at_ms: i64, bid: i64, flag: u8) -> &mut Self {
        let gone = self.bid.replace(bid).filter(|old| flag == 0 && *old != bid);
        if let Some(old) = gone {
            self.row(at_ms, RowKind::Depth, 0, old, 0);
            self.row(at_ms, RowKind::Depth, flags::ASK, old + 1, 0);
        }
        self.row(at_ms, RowKind::Depth, flag, bid, 10);
        self.row(at_ms, RowKind::Depth, flag | flags::ASK | flags::END_OF_MESSAGE, bid + 1, 10)
    }

    fn done(self) -> EventFile {
        self.out.finish().unwrap();
        let file = EventFile::open(&self.path).unwrap();
        std::fs::remove_file(&self.path).unwrap();
        file
    }
}

/// What a strategy was told: milliseconds and words.
type Diary = Arc<Mutex<Vec<(i64, String)>>>;

/// Writes down what it is told, and does what it is asked to at a call.
struct Witness {
    diary: Diary,
    act: fn(&mut View<'_>, usize) -> HostResult,
    calls: usize,
}

impl Witness {
    fn new(act: fn(&mut View<'_>, usize) -> HostResult) -> (Box<Self>, Diary) {
        let diary = Diary::default();
        (Box::new(Self { diary: diary.clone(), act, calls: 0 }), diary)
    }

    fn note(&self, view: &View<'_>, what: String) {
        self.diary.lock().unwrap().push((view.now_ns / MS, what));
    }
}

impl Host for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn interest(&self) -> Interest {
        Interest {
            book: BookTrigger::Message,
            trades: true,
            bars: true,
            orders: true,
            ..Interest::default()
        }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        let bid = view.market().book.best_bid();
        self.note(view, format!("{} bid {bid}", view.market().instrument.symbol));
        self.calls += 1;
        (self.act)(view, self.calls)
    }

    fn on_trade(&mut self, view: &mut View<'_>, trade: &Trade) -> HostResult {
        self.note(view, format!("trade {}", trade.qty));
        Ok(())
    }

    fn on_bar(&mut self, view: &mut View<'_>, bar: &BarRow) -> HostResult {
        self.note(view, format!("bar {} of {}", bar.close, bar.volume));
        Ok(())
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        self.note(view, format!("order {} {}", order.id.0, order.state));
        Ok(())
    }
}

const SILENT: fn(&mut View<'_>, usize) -> HostResult = |_, _| Ok(());

fn go(files: &[EventFile], config: &str, hosts: Vec<Box<dyn Host>>) -> Outcome {
    let config: RunConfig = serde_json::from_str(config).unwrap();
    run(files, &config, hosts, Sink::Memory { limit_bytes: 1 << 20 }, &mut |_| Ok(())).unwrap()
}

const PLAIN: &str = r#"{"latency":{"model":"constant","new":{"entry_ns":1000000,"response_ns":1000000}},
    "deposits":[["USDT","100000"]]}"#;

fn words(diary: &Diary) -> Vec<(i64, String)> {
    diary.lock().unwrap().clone()
}

fn told(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
}

#[test]
fn sources_merge_by_receive_time_and_then_by_their_order() {
    let mut a = Script::new("merge-a", "A", Schema::Market);
    a.book(10, 100, 0).book(30, 102, 0).book(40, 103, 0);
    let mut b = Script::new("merge-b", "B", Schema::Market);
    b.book(20, 200, 0).book(30, 201, 0).book(50, 202, 0);
    let files = [a.done(), b.done()];
    let (witness, diary) = Witness::new(SILENT);
    go(&files, PLAIN, vec![witness]);
    let expected = told(&[
        (11, "A bid 100"),
        (21, "B bid 200"),
        (31, "A bid 102"),
        (31, "B bid 201"),
        (41, "A bid 103"),
        (51, "B bid 202"),
    ]);
    assert_eq!(words(&diary), expected);
}

#[test]
fn a_book_with_a_gap_is_not_shown_until_its_snapshot() {
    let mut script = Script::new("gap", "A", Schema::Market);
    script.book(10, 100, 0);
    script.row(20, RowKind::Gap, flags::END_OF_MESSAGE, 0, 0);
    script.book(30, 101, 0).book(40, 102, 0);
    script.book(50, 110, flags::SNAPSHOT);
    script.book(60, 111, 0);
    let (witness, diary) = Witness::new(SILENT);
    go(&[script.done()], PLAIN, vec![witness]);
    assert_eq!(words(&diary), told(&[(11, "A bid 100"), (51, "A bid 110"), (61, "A bid 111")]));
}

#[test]
fn strategies_see_only_their_window_on_books_built_before_it() {
    let mut script = Script::new("window", "A", Schema::Market);
    script.row(10, RowKind::Depth, 0, 50, 7);
    script.book(10, 100, 0).book(20, 101, 0).book(30, 102, 0).book(40, 103, 0).book(50, 104, 0);
    let (witness, diary) = Witness::new(|view, _| {
        assert_eq!(view.market().book.qty(Side::Buy, Ticks(50)), Lots(7), "built before");
        Ok(())
    });
    let config = PLAIN.replacen('{', r#"{"start_ns":25000000,"end_ns":41000000,"#, 1);
    let outcome = go(&[script.done()], &config, vec![witness]);
    assert_eq!(words(&diary), told(&[(31, "A bid 102"), (41, "A bid 103")]));
    assert_eq!(outcome.span_ns.0, 25 * MS);
}

#[test]
fn a_window_beside_the_data_is_refused_with_both_spans() {
    for (window, says) in [
        (r#"{"start_ns":60000000,"#, "would start at 1970-01-01T00:00:00.06"),
        (r#"{"end_ns":5000000,"#, "would end at 1970-01-01T00:00:00.005"),
    ] {
        let mut script = Script::new("beside", "A", Schema::Market);
        script.book(10, 100, 0).book(50, 104, 0);
        let (witness, diary) = Witness::new(|_, _| Ok(()));
        let config: RunConfig = serde_json::from_str(&PLAIN.replacen('{', window, 1)).unwrap();
        let files = [script.done()];
        let sink = Sink::Memory { limit_bytes: 1 << 20 };
        let refused = run(&files, &config, vec![witness], sink, &mut |_| Ok(())).err().unwrap();
        assert!(refused.message().contains(says), "{refused}");
        assert!(refused.message().contains("the data is from 1970-01-01T00:00:00.01"), "{refused}");
        assert!(words(&diary).is_empty());
    }
}

#[test]
fn a_halted_venue_refuses_and_trades_again() {
    let mut script = Script::new("halt", "A", Schema::Market);
    script.book(10, 100, 0);
    script.row(20, RowKind::Status, flags::END_OF_MESSAGE, 0, 0);
    script.book(30, 100, 0);
    script.row(40, RowKind::Status, flags::END_OF_MESSAGE, 0, 1);
    script.book(50, 100, 0).book(60, 100, 0);
    let (witness, diary) = Witness::new(|view, call| {
        if call == 2 || call == 3 {
            view.place(OrderTerms::market(InstrumentId(0), Side::Buy, Lots(1)))?;
        }
        Ok(())
    });
    let outcome = go(&[script.done()], PLAIN, vec![witness]);
    let orders: Vec<_> =
        words(&diary).into_iter().filter(|(_, what)| what.starts_with("order")).collect();
    assert_eq!(orders[0], (33, "order 1 rejected".to_owned()));
    assert!(orders[1..].iter().any(|(_, what)| what == "order 2 filled"), "{orders:?}");
    assert_eq!(outcome.counts.venue_rejects, 1);
}

#[test]
fn a_failing_strategy_stops_alone_and_its_orders_are_cancelled() {
    let mut script = Script::new("fail", "A", Schema::Market);
    (1..=5).for_each(|n| {
        script.book(10 * n, 100, 0);
    });
    let (failing, first) = Witness::new(|view, call| {
        if call == 1 {
            view.place(OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(90), Lots(1)))?;
        }
        if call == 3 {
            return Err(HostFailure { message: "gave up".into(), interrupted: false });
        }
        Ok(())
    });
    let (other, second) = Witness::new(SILENT);
    let outcome = go(&[script.done()], PLAIN, vec![failing, other]);
    assert_eq!(outcome.failures, [Some("gave up".to_owned()), None]);
    assert_eq!(outcome.counts.cancels, 1);
    assert_eq!(outcome.orders.illegal, 0);
    assert_eq!(words(&first).iter().filter(|(_, what)| what.contains("bid")).count(), 3);
    assert_eq!(words(&second).iter().filter(|(_, what)| what.contains("bid")).count(), 5);
}

#[test]
fn funding_is_paid_on_what_is_held_at_the_mark() {
    let mut script = Script::new("funding", "A", Schema::Market);
    script.book(10, 1_000, 0).book(20, 1_000, 0);
    // A mark of 1,000 ticks (100.0), and then funding of 0.01 %.
    script.row(30, RowKind::Mark, flags::END_OF_MESSAGE, 1_000, 0);
    script.row(40, RowKind::Funding, flags::END_OF_MESSAGE, 0, 100_000);
    script.book(50, 1_000, 0);
    let (witness, _) = Witness::new(|view, call| {
        if call == 1 {
            view.place(OrderTerms::market(InstrumentId(0), Side::Buy, Lots(5)))?;
        }
        if call == 3 {
            let funding = view.ledger.position(0, InstrumentId(0)).unwrap().funding;
            // 5 lots of 0.001 at 100.0 are worth 0.5; a long position pays 0.01 % of that.
            assert_eq!(funding.0, -50_000_000_000_000, "0.00005 in quanta of 10^-18");
        }
        Ok(())
    });
    let outcome = go(&[script.done()], PLAIN, vec![witness]);
    assert_eq!(outcome.failures, [None]);
    assert_eq!(outcome.counts.fills, 1);
}

#[test]
fn too_many_requests_are_refused_by_the_venue() {
    let mut script = Script::new("overload", "A", Schema::Market);
    script.book(10, 100, 0).book(20, 100, 0).book(30, 100, 0);
    let (witness, diary) = Witness::new(|view, call| {
        if call == 1 {
            for price in 90..95 {
                let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(price), Lots(1));
                view.place(terms)?;
            }
        }
        Ok(())
    });
    let config = PLAIN.replacen(
        '{',
        r#"{"venue":{"overload":{"max_requests":3,"window_ns":1000000000}},"#,
        1,
    );
    go(&[script.done()], &config, vec![witness]);
    let states = |state: &str| words(&diary).iter().filter(|(_, w)| w.ends_with(state)).count();
    assert_eq!((states("open"), states("rejected")), (3, 2));
}

#[test]
fn trades_come_before_the_book_of_their_message_and_make_bars() {
    let mut script = Script::new("bars", "A", Schema::Market);
    for n in 1..=4_i64 {
        script.row(10 * n, RowKind::Depth, 0, 100, 10);
        script.row(10 * n, RowKind::Depth, flags::ASK, 101, 10);
        script.row(10 * n, RowKind::Trade, flags::END_OF_MESSAGE, 101, n);
    }
    let (witness, diary) = Witness::new(SILENT);
    let config = PLAIN.replacen('{', r#"{"bars":["tick:2"],"#, 1);
    go(&[script.done()], &config, vec![witness]);
    let expected = told(&[
        (11, "trade 1"),
        (11, "A bid 100"),
        (21, "trade 2"),
        (21, "A bid 100"),
        (21, "bar 101 of 3"),
        (31, "trade 3"),
        (31, "A bid 100"),
        (41, "trade 4"),
        (41, "A bid 100"),
        (41, "bar 101 of 7"),
    ]);
    assert_eq!(words(&diary), expected);
}

#[test]
fn messages_cross_the_edges_of_chunks_whole() {
    let mut script = Script::new("chunks", "A", Schema::Market);
    // Messages of three rows: a chunk of 65,536 rows ends inside one.
    let messages = 30_000_i64;
    for n in 0..messages {
        let bid = 100 + n % 2;
        script.row(n, RowKind::Depth, 0, 100 + (n + 1) % 2, 0);
        script.row(n, RowKind::Depth, 0, bid, 10);
        script.row(n, RowKind::Depth, flags::ASK | flags::END_OF_MESSAGE, 110, 1 + n % 3);
    }
    let file = script.done();
    assert!(file.chunks().len() > 1);
    let (witness, diary) = Witness::new(|view, call| {
        let n = call as i64 - 1;
        assert_eq!(view.market().book.best_bid(), Ticks(100 + n % 2), "message {n}");
        assert_eq!(view.market().book.best_qty(Side::Sell), Lots(1 + n % 3), "message {n}");
        Ok(())
    });
    go(&[file], PLAIN, vec![witness]);
    assert_eq!(words(&diary).len() as i64, messages);
}

/// The layout that the scripts rely on.
const _: () = assert!(size_of::<MarketRow>() == 32);
