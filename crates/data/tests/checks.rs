//! `check`: every fault planted in a file is found and counted, and a clean file is clean.

mod common;

use common::{instrument, provenance, Folder};
use mainspring_core::event::{flags, BarRow};
use mainspring_core::{Lots, RowKind, Ticks};
use mainspring_data::check::{check_file, CheckReport, Severity};
use mainspring_data::clock::{correct_clock, DRIFT_LIMIT_NS};
use mainspring_data::{ClockState, EventFile, EventWriter, Schema};

const BID: u8 = 0;
const ASK: u8 = flags::ASK;
const END: u8 = flags::END_OF_MESSAGE;

struct Feed {
    writer: EventWriter,
    folder: Folder,
    now: i64,
}

impl Feed {
    fn new(name: &str, schema: Schema) -> Self {
        let folder = Folder::new(name);
        let instruments = vec![instrument("AAA"), instrument("BBB")];
        let writer =
            EventWriter::create(folder.file("a.mse"), schema, instruments, provenance()).unwrap();
        let mut feed = Self { writer, folder, now: 1_000_000_000 };
        if schema == Schema::Market {
            for n in 0..50 {
                feed.row(RowKind::Depth, BID | END, 100 - n % 5, 10 + n);
                feed.row(RowKind::Depth, ASK | END, 101 + n % 5, 10 + n);
                feed.row(RowKind::Trade, END, 101, 1 + n);
            }
        }
        feed
    }

    fn row(&mut self, kind: RowKind, flags: u8, price: i64, qty: i64) {
        self.now += 1_000_000;
        self.row_at(0, kind, flags, price, qty);
    }

    fn row_at(&mut self, back_ns: i64, kind: RowKind, flags: u8, price: i64, qty: i64) {
        let exch = self.now - 500_000 - back_ns;
        self.writer.push_market(self.now, exch, kind, flags, 0, Ticks(price), qty).unwrap();
    }

    fn check(self) -> (CheckReport, Folder) {
        self.writer.finish().unwrap();
        let report = check_file(self.folder.file("a.mse")).unwrap();
        (report, self.folder)
    }

    /// The findings about the first instrument or the file, as (severity, code, count).
    fn findings(self) -> Vec<(Severity, &'static str, u64)> {
        let (report, _folder) = self.check();
        let about_b = Some("BBB".to_owned());
        let mine = report.findings.iter().filter(|f| f.instrument != about_b);
        mine.map(|f| (f.severity, f.code, f.count)).collect()
    }
}

#[test]
fn a_clean_file_is_clean() {
    let (report, _folder) = Feed::new("check-clean", Schema::Market).check();
    assert!(report.is_clean(), "{report}");
    let one = &report.instruments[0];
    assert_eq!((one.rows, one.messages, one.depth_rows, one.trades), (150, 150, 100, 50));
    assert_eq!(one.traded_lots, (1..=50).sum::<i64>());
    let offset = report.offset.unwrap();
    assert_eq!((offset.min_latency_ns, offset.max_latency_ns), (500_000, 500_000));
    assert_eq!(report.latency.unwrap().p99_ns, 500_000);
    assert!(report.to_string().contains("nothing wrong found"), "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["instruments"][0]["trades"], 50);
    assert_eq!(json["clock"]["state"], "trusted");
}

#[test]
fn a_crossed_book_is_found_once_a_message_and_never_within_one() {
    let mut feed = Feed::new("check-crossed", Schema::Market);
    feed.row(RowKind::Depth, BID, 103, 5);
    feed.row(RowKind::Depth, BID | END, 103, 0);
    let first = feed.writer.rows();
    feed.row(RowKind::Depth, BID | END, 103, 5);
    feed.row(RowKind::Trade, END, 101, 77);
    feed.row(RowKind::Depth, BID | END, 103, 0);
    let (report, _folder) = feed.check();
    assert_eq!(report.instruments[0].crossed_messages, 1);
    assert_eq!(report.instruments[0].first_crossed_row, Some(first));
    assert_eq!(report.worst(), Some(Severity::Error));
}

#[test]
fn each_fault_has_its_finding() {
    use Severity::{Error, Note, Warning};
    let mut feed = Feed::new("check-gap", Schema::Market);
    feed.row(RowKind::Gap, END, 0, 0);
    assert_eq!(feed.findings(), [(Warning, "gap", 1)]);

    let mut feed = Feed::new("check-best", Schema::Market);
    feed.row(RowKind::Best, BID, 105, 1);
    feed.row(RowKind::Best, ASK | END, 105, 1);
    assert_eq!(feed.findings(), [(Warning, "crossed_best", 1)]);

    let mut feed = Feed::new("check-order", Schema::Market);
    feed.row_at(7_000_000, RowKind::Depth, BID | END, 90, 1);
    assert_eq!(feed.findings(), [(Warning, "out_of_order", 1)]);

    let mut feed = Feed::new("check-overtaken", Schema::Market);
    feed.row_at(0, RowKind::Best, BID | END, 90, 1);
    assert_eq!(feed.findings(), []);
    let mut feed = Feed::new("check-overtaken", Schema::Market);
    feed.row_at(2_000_000, RowKind::Best, BID | END, 90, 1);
    assert_eq!(feed.findings(), [(Note, "overtaken", 1)]);

    let mut feed = Feed::new("check-twice", Schema::Market);
    for _ in 0..3 {
        feed.row_at(0, RowKind::Depth, BID, 90, 1);
        feed.row_at(0, RowKind::Depth, ASK | END, 110, 1);
    }
    for _ in 0..2 {
        feed.row_at(0, RowKind::Trade, END, 101, 9);
    }
    assert_eq!(feed.findings(), [(Warning, "duplicate_message", 2), (Note, "repeated_trade", 1)]);

    let mut feed = Feed::new("check-early", Schema::Market);
    feed.row_at(-600_000, RowKind::Depth, BID | END, 90, 1);
    assert_eq!(feed.findings(), [(Error, "negative_latency", 1)]);

    let mut feed = Feed::new("check-silence", Schema::Market);
    feed.now += 61_000_000_000;
    feed.row(RowKind::Depth, BID | END, 90, 1);
    assert_eq!(feed.findings(), [(Note, "silence", 1)]);
}

#[test]
fn prices_are_checked_against_the_grid_in_force() {
    let folder = Folder::new("check-grid");
    let mut one = instrument("AAA");
    let tick = one.tick();
    one.grids.push(mainspring_core::PriceGrid {
        version: 1,
        tick,
        rule: mainspring_core::GridRule::Tiers { steps: vec![(0, 5)] },
    });
    let path = folder.file("a.mse");
    let mut w = EventWriter::create(&path, Schema::Market, vec![one], provenance()).unwrap();
    let mut row = |kind, price, qty| {
        w.push_market(1, 0, kind, END, 0, Ticks(price), qty).unwrap();
    };
    row(RowKind::Grid, 0, 0);
    row(RowKind::Depth, 101, 1);
    row(RowKind::Grid, 0, 1);
    row(RowKind::Depth, 101, 0);
    row(RowKind::Depth, 105, 1);
    row(RowKind::Trade, 101, 1);
    row(RowKind::Depth, 104, 1);
    w.finish().unwrap();
    let report = check_file(&path).unwrap();
    let found = &report.instruments[0];
    assert_eq!((found.off_grid_rows, found.first_off_grid_row), (1, Some(6)));
    assert_eq!(found.off_grid_trades, 1);
    let severity = |code| report.findings.iter().find(|f| f.code == code).map(|f| f.severity);
    assert_eq!(severity("off_grid"), Some(Severity::Error));
    assert_eq!(severity("off_grid_trade"), Some(Severity::Note));
}

#[test]
fn order_rows_are_checked_against_an_order_book() {
    let feed = Feed::new("check-l3", Schema::Order);
    let Feed { mut writer, folder, .. } = feed;
    let mut push = |kind, flags, price, qty, id| {
        writer.push_order(10, 5, kind, flags, 0, Ticks(price), qty, id).unwrap();
    };
    push(RowKind::OrderAdd, BID | END, 100, 5, 1);
    push(RowKind::OrderAdd, ASK | END, 101, 5, 2);
    push(RowKind::OrderExecute, BID | END, 100, 2, 1);
    push(RowKind::OrderDelete, BID | END, 100, 3, 1);
    push(RowKind::OrderDelete, BID | END, 100, 3, 1);
    writer.finish().unwrap();
    let report = check_file(folder.file("a.mse")).unwrap();
    let one = &report.instruments[0];
    assert_eq!((one.order_rows, one.book_faults), (5, 1));
    assert_eq!(one.first_book_fault_row, Some(4));
}

#[test]
fn bars_are_checked_for_holes_and_doubles() {
    let folder = Folder::new("check-bars");
    let path = folder.file("a.mse");
    let mut w =
        EventWriter::create(&path, Schema::Bar, vec![instrument("A")], provenance()).unwrap();
    for minute in [0_i64, 1, 2, 2, 3, 7, 8, 6] {
        let open_ns = minute * 60_000_000_000;
        let price = Ticks(10);
        w.push_bar(BarRow {
            recv_ns: 60_000_000_000 * 9,
            open_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Lots(minute.min(1)),
            trades: 1,
            instrument: 0,
            flags: u16::from(END),
        })
        .unwrap();
    }
    w.finish().unwrap();
    let report = check_file(&path).unwrap();
    let bars = &report.bars[0];
    assert_eq!(bars.interval_ns, 60_000_000_000);
    assert_eq!(
        (
            bars.bars,
            bars.missing_bars,
            bars.duplicate_bars,
            bars.out_of_order_bars,
            bars.empty_bars
        ),
        (8, 3, 1, 1, 1)
    );
    assert_eq!(bars.longest_gap_at_ns, 3 * 60_000_000_000);
}

#[test]
fn a_clock_is_corrected_into_a_new_file() {
    let folder = Folder::new("check-correct");
    let (from, to) = (folder.file("a.mse"), folder.file("b.mse"));
    let mut w =
        EventWriter::create(&from, Schema::Market, vec![instrument("A")], provenance()).unwrap();
    for n in 0..1_000_i64 {
        let exch = n * 1_000_000;
        let recv = exch - 1_270_000_000 + 3_000_000;
        w.push_market(recv, exch, RowKind::Depth, END, 0, Ticks(n), 1).unwrap();
    }
    w.push_market(0, 0, RowKind::Gap, END, 0, Ticks(0), 0).unwrap();
    assert_eq!(w.finish().unwrap().clock, ClockState::Uncorrected);
    let (report, summary) = correct_clock(&from, &to, 1_000_000).unwrap();
    assert_eq!(report.offset_ns, 1_267_000_000 + 1_000_000);
    assert_eq!(summary.clock, ClockState::Corrected { offset_ns: 1_268_000_000 });
    let file = EventFile::open(&to).unwrap();
    assert_eq!(file.provenance().gaps, 1);
    let after = check_file(&to).unwrap().offset.unwrap();
    assert_eq!((after.min_latency_ns, after.negative_rows), (1_000_000, 0));
    assert!(after.drift_ns <= DRIFT_LIMIT_NS * 20);
    let before = EventFile::open(&from).unwrap();
    let (a, b) = (before.chunk(0).unwrap(), file.chunk(0).unwrap());
    for (a, b) in a.rows.iter().zip(b.rows) {
        assert_eq!((a.exch_ns, a.qty_lots), (b.exch_ns, b.qty_lots));
        assert_eq!(a.recv_ns + 1_268_000_000, b.recv_ns);
    }
}
