//! Raw Binance recordings.

use std::collections::HashMap;
use std::path::PathBuf;

use mainspring_book::L2Book;
use mainspring_core::event::flags;
use mainspring_core::{Decimal, InstrumentKind, Lots, RowKind, Side, Ticks};
use mainspring_data::import::{binance, BadLines, InstrumentSpec, Options, Streams};
use mainspring_data::ClockState;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{apply, import, recording, rows, text_of, Folder};

fn depth(recv: i64, first: i64, last: i64, bids: &str, asks: &str) -> String {
    format!(
        r#"{recv} {{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1700000000{recv:03},"s":"BTCUSDT","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}}}"#
    )
}

fn snapshot(recv: i64, last: i64) -> String {
    format!(
        r#"{recv} {{"lastUpdateId":{last},"bids":[["100.10","1.5"],["100.00","2"]],"asks":[["100.20","1"]]}}"#
    )
}

fn trade(recv: i64, price: &str, qty: &str) -> String {
    format!(
        r#"{recv} {{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000{recv:03},"s":"BTCUSDT","t":1,"p":"{price}","q":"{qty}","T":1700000000{recv:03},"m":true,"M":true}}}}"#
    )
}

/// A small session: two updates wait for the snapshot, one of them older than it.
fn session() -> Vec<String> {
    vec![
        depth(100, 1, 4, r#"["100.10","9"]"#, ""),
        depth(110, 5, 8, r#"["100.10","3"]"#, r#"["100.20","0"],["100.30","4"]"#),
        snapshot(120, 6),
        trade(130, "100.10", "0.25"),
        depth(140, 9, 9, r#"["100.00","0"]"#, ""),
        depth(150, 10, 12, r#"["99.90","7"]"#, ""),
    ]
}

#[test]
fn a_session_is_synced_to_its_snapshot() {
    let folder = Folder::new();
    let input = folder.write("btcusdt.txt", session().join("\n"));
    let (report, file) = import(binance::import, &[input], &folder, &Options::default()).unwrap();
    assert_eq!(report.gap_count, 0);
    assert_eq!(report.messages["depthUpdate"], 4);
    let instrument = &file.instruments()[0];
    assert_eq!((instrument.symbol.as_str(), instrument.venue.as_str()), ("BTCUSDT", "binance"));
    assert_eq!(
        (instrument.tick().to_string(), instrument.lot.to_string()),
        ("0.1".into(), "0.01".into())
    );
    assert_eq!((instrument.base.as_str(), instrument.quote.as_str()), ("BTC", "USDT"));

    let rows = rows(&file);
    let kinds: Vec<u8> = rows.iter().map(|(row, _)| row.kind).collect();
    let d = RowKind::Depth as u8;
    assert_eq!(kinds, [RowKind::Clear as u8, d, d, d, d, d, d, RowKind::Trade as u8, d, d]);
    assert_eq!(rows[7].0.flags, flags::ASK | flags::END_OF_MESSAGE, "the buyer was the maker");
    // The update that had waited is known when the snapshot is.
    assert_eq!(rows[6].0.recv_ns, rows[0].0.recv_ns);
    let mut book = L2Book::default();
    rows.iter().for_each(|(row, price)| apply(&mut book, row, *price));
    assert_eq!((book.best_bid(), book.best_ask()), (Ticks(1_001), Ticks(1_003)));
    assert_eq!(book.qty(Side::Buy, Ticks(1_001)), Lots(300));
    assert_eq!(book.depth(Side::Buy), 2);
}

#[test]
fn receive_times_before_the_exchange_are_corrected_and_said_so() {
    let folder = Folder::new();
    // Received at 130 ns by a clock that started at zero.
    let input = folder.write("a.txt", session().join("\n"));
    let (report, file) = import(binance::import, &[input], &folder, &Options::default()).unwrap();
    assert_eq!(report.clock.method, "measured");
    let offset_ns = report.clock.offset_ns;
    assert_eq!(file.clock_state(), ClockState::Corrected { offset_ns });
    assert_eq!(offset_ns, 1_700_000_000_150_000_000 - 150);
    assert!(rows(&file).iter().all(|(row, _)| row.recv_ns >= row.exch_ns));
}

#[test]
fn a_dropped_update_shows_as_a_gap() {
    let folder = Folder::new();
    for dropped in [1, 4] {
        let mut lines = session();
        lines.remove(dropped);
        let input = folder.write("a.txt", lines.join("\n"));
        let (report, file) =
            import(binance::import, &[input], &folder, &Options::default()).unwrap();
        assert_eq!(report.gap_count, 1, "line {dropped}");
        let mut book = L2Book::default();
        rows(&file).iter().for_each(|(row, price)| apply(&mut book, row, *price));
        assert!(!book.trust().is_usable());
        assert!(report.notes.iter().any(|note| note.contains("no snapshot followed")));
    }
}

#[test]
fn the_next_snapshot_heals_a_gap() {
    let folder = Folder::new();
    let mut lines = session();
    lines.remove(4);
    lines.push(snapshot(160, 12));
    lines.push(depth(170, 13, 13, r#"["100.10","8"]"#, ""));
    let input = folder.write("a.txt", lines.join("\n"));
    let (report, file) = import(binance::import, &[input], &folder, &Options::default()).unwrap();
    assert_eq!((report.gap_count, report.gaps[0].line), (1, 5));
    let mut book = L2Book::default();
    rows(&file).iter().for_each(|(row, price)| apply(&mut book, row, *price));
    assert!(book.trust().is_usable());
    assert_eq!(book.qty(Side::Buy, Ticks(1_001)), Lots(800));
}

#[test]
fn a_continuation_goes_on_where_the_first_file_ends() {
    let folder = Folder::new();
    let lines = session();
    let first = folder.write_gz("a.gz", lines[..4].join("\n"));
    let second = folder.write_gz("b.gz", lines[4..].join("\n"));
    let (report, _) =
        import(binance::import, &[first, second.clone()], &folder, &Options::default()).unwrap();
    assert_eq!((report.gap_count, report.rows), (0, 10));
    let error = import(binance::import, &[second], &folder, &Options::default()).unwrap_err();
    assert!(error.message().contains("there is no snapshot"), "{error}");
}

#[test]
fn bad_input_is_named_by_file_and_line_and_leaves_nothing() {
    let bad = [
        (3, trade(130, "100.10", "-1"), "the size -1 is negative"),
        (3, trade(130, "NaN", "1"), "a trade without price"),
        (3, trade(130, "0", "1"), "is not positive"),
        (3, trade(130, "100.10", "1").replace("\"m\":true", "\"m\":7"), "maker flag"),
        (3, "130 {\"e\":\"trade\"".to_owned(), "expected"),
        (3, "nonsense".to_owned(), "not a line"),
        (2, snapshot(120, 6).replace("100.20", "100.05"), "the snapshot is crossed"),
        (4, depth(140, 9, 9, r#"["100.00"]"#, ""), "quantity"),
    ];
    for (at, line, says) in bad {
        let folder = Folder::new();
        let mut lines = session();
        lines[at] = line;
        let input = folder.write("a.txt", lines.join("\n"));
        let options = Options::default();
        let error = import(binance::import, &[input], &folder, &options).unwrap_err();
        let place = format!("a.txt: line {}", at + 1);
        assert!(error.message().contains(&place), "{error} does not name {place}");
        assert!(error.message().contains(says) || says == "expected", "{error}: not {says}");
        assert_eq!(folder.names(), ["a.txt"]);
    }
}

#[test]
fn a_price_off_a_given_grid_is_refused() {
    let folder = Folder::new();
    let input = folder.write("a.txt", session().join("\n"));
    let spec = InstrumentSpec { tick: Some("0.25".parse().unwrap()), ..Default::default() };
    let options = Options { instruments: vec![spec], ..Options::default() };
    let error = import(binance::import, &[input], &folder, &options).unwrap_err();
    assert!(
        error.message().contains("a.txt: line 3: the price 100.1 is not on the grid"),
        "{error}"
    );
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn skipped_lines_are_counted_and_show_as_gaps() {
    let folder = Folder::new();
    let mut lines = session();
    lines[4] = lines[4].replace("\"100.00\"", "\"x\"");
    let input = folder.write("a.txt", lines.join("\n"));
    let options = Options { bad_lines: BadLines::Skip, ..Options::default() };
    let (report, _) = import(binance::import, &[input], &folder, &options).unwrap();
    assert_eq!((report.refused.len(), report.refused[0].first_line), (1, 5));
    assert_eq!(report.gap_count, 1);
}

#[test]
fn a_cut_off_gzip_is_refused() {
    let folder = Folder::new();
    let input = folder.write_gz("a.gz", session().join("\n"));
    let bytes = std::fs::read(&input).unwrap();
    folder.write("a.gz", &bytes[..bytes.len() / 2]);
    let error = import(binance::import, &[input], &folder, &Options::default()).unwrap_err();
    assert!(error.message().contains("ends early"), "{error}");
    assert_eq!(folder.names(), ["a.gz"]);
}

#[test]
fn stopping_leaves_nothing() {
    let folder = Folder::new();
    let input = folder.write("a.txt", session().join("\n"));
    let output = folder.file("out.mse");
    let mut stop = |_: &mainspring_data::import::Progress| {
        Err(mainspring_core::Error::new(mainspring_core::ErrorKind::Interrupted, "stopped"))
    };
    let error = binance::import(&[input], &output, &Options::default(), &mut stop).unwrap_err();
    assert_eq!(error.kind(), mainspring_core::ErrorKind::Interrupted);
    assert_eq!(folder.names(), ["a.txt"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Damaged input is imported or refused, never worse, and a refusal leaves nothing behind.
    #[test]
    fn damaged_input_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..8),
        skip in any::<bool>(),
    ) {
        let mut text = session().join("\n").into_bytes();
        for (at, how, byte) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
        }
        let folder = Folder::new();
        let input = folder.write("a.txt", text);
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..Options::default() };
        if import(binance::import, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names(), ["a.txt"]);
        }
    }
}

struct Expected {
    file: &'static str,
    kind: InstrumentKind,
    compared: usize,
    tick: &'static str,
    lot: &'static str,
}

const RECORDINGS: [Expected; 3] = [
    Expected {
        file: "usdm_btcusdt_20240808.gz",
        kind: InstrumentKind::LinearPerpetual,
        compared: 629,
        tick: "0.1",
        lot: "0.001",
    },
    Expected {
        file: "spot_btcusdt_20240808.gz",
        kind: InstrumentKind::Spot,
        compared: 564,
        tick: "0.01",
        lot: "0.000001", // some old orders are finer than the lot of that day
    },
    Expected {
        file: "cm_btcusd_perp_20240808.gz",
        kind: InstrumentKind::InversePerpetual,
        compared: 1_124,
        tick: "0.1",
        lot: "1",
    },
];

fn options_for(expected: &Expected) -> Options {
    let multiplier = expected.kind.is_inverse().then(|| "100".parse().unwrap());
    let spec = InstrumentSpec { multiplier, ..Default::default() };
    Options { instruments: vec![spec], ..Options::default() }
}

/// Best prices of the book that the rows build, at each update id that a book ticker has as well,
/// read from the raw lines by an independent reader.
#[test]
fn best_prices_equal_the_recorded_book_tickers() {
    for expected in &RECORDINGS {
        let Some(path) = recording(&format!("binance-raw-2024/{}", expected.file)) else { return };
        let folder = Folder::new();
        let (report, file) =
            import(binance::import, std::slice::from_ref(&path), &folder, &options_for(expected))
                .unwrap();
        assert_eq!(report.gap_count, 0);
        assert!(report.refused.is_empty() && report.notes.len() == 1, "{:?}", report.notes);
        let instrument = &file.instruments()[0];
        assert_eq!(instrument.kind, expected.kind);
        assert_eq!(instrument.tick().to_string(), expected.tick);
        assert_eq!(instrument.lot.to_string(), expected.lot);
        let offset_s = report.clock.offset_ns as f64 / 1e9;
        assert!((1.2..1.35).contains(&offset_s), "clock offset {offset_s}");
        assert!(matches!(file.clock_state(), ClockState::Corrected { .. }));

        let text = text_of(&path);
        let (updates, tickers) = raw_updates(&text, expected.kind != InstrumentKind::Spot);
        let (compared, equal) = compare(&file, &updates, &tickers);
        assert_eq!((compared, equal), (expected.compared, expected.compared), "{}", expected.file);
    }
}

type Best = [String; 4];

/// Update ids of the depth messages from the snapshot on (with whether they hold levels), and the
/// book tickers by update id.
fn raw_updates(text: &[u8], futures: bool) -> (Vec<(i64, bool)>, HashMap<i64, Best>) {
    let mut updates = Vec::new();
    let mut tickers = HashMap::new();
    let mut snapshot = 0;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let at = line.iter().position(|byte| *byte == b' ').unwrap();
        let message: Value = serde_json::from_slice(&line[at + 1..]).unwrap();
        let id = |value: &Value| value.as_i64().unwrap();
        if let Some(last) = message.get("lastUpdateId") {
            snapshot = id(last);
            continue;
        }
        let (stream, data) = (message["stream"].as_str().unwrap(), &message["data"]);
        if stream.contains("@depth") {
            let levels = |side: &str| data[side].as_array().unwrap().len();
            updates.push((id(&data["u"]), levels("b") + levels("a") > 0));
        } else if stream.contains("@bookTicker") {
            let best = ["b", "B", "a", "A"].map(|key| data[key].as_str().unwrap().to_owned());
            tickers.insert(id(&data["u"]), best);
        }
    }
    updates.retain(|(last, _)| if futures { *last >= snapshot } else { *last > snapshot });
    (updates, tickers)
}

fn compare(
    file: &mainspring_data::EventFile,
    updates: &[(i64, bool)],
    tickers: &HashMap<i64, Best>,
) -> (usize, usize) {
    let instrument = &file.instruments()[0];
    let (tick, lot) = (instrument.tick(), instrument.lot);
    let rows = rows(file);
    let mut rows = rows.iter().filter(|(row, _)| row.kind != RowKind::Trade as u8);
    let mut book = L2Book::default();
    let mut next_message = |book: &mut L2Book| loop {
        let (row, price) = rows.next().expect("a message for each update");
        apply(book, row, *price);
        if row.ends_message() {
            return;
        }
    };
    next_message(&mut book);
    let (mut compared, mut equal) = (0, 0);
    for (last, holds_levels) in updates {
        if *holds_levels {
            next_message(&mut book);
        }
        if let Some(best) = tickers.get(last) {
            let count = |text: &str, unit: Decimal| text.parse::<Decimal>().unwrap().count_of(unit);
            let wanted = (
                count(&best[0], tick).map(Ticks),
                count(&best[1], lot).map(Lots),
                count(&best[2], tick).map(Ticks),
                count(&best[3], lot).map(Lots),
            );
            let own = (
                book.best(Side::Buy),
                Some(book.best_qty(Side::Buy)),
                book.best(Side::Sell),
                Some(book.best_qty(Side::Sell)),
            );
            compared += 1;
            equal += usize::from(wanted == own && book.trust().is_usable());
        }
    }
    assert!(rows.next().is_none(), "rows behind the last update");
    (compared, equal)
}

#[test]
fn dropping_any_depth_line_of_a_recording_makes_the_gap_show() {
    for expected in &RECORDINGS {
        let Some(path) = recording(&format!("binance-raw-2024/{}", expected.file)) else { return };
        let text = text_of(&path);
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').take(2_500).collect();
        let is = |line: &[u8], what: &str| memchr::memmem::find(line, what.as_bytes()).is_some();
        let snapshot = lines.iter().position(|line| is(line, "lastUpdateId")).unwrap();
        let options = Options {
            streams: Streams { trades: false, ..Streams::default() },
            ..options_for(expected)
        };
        let depth: Vec<usize> =
            (snapshot + 1..lines.len()).filter(|at| is(lines[*at], "depthUpdate")).collect();
        // The last update of all has nobody behind it to miss it.
        for dropped in depth[..depth.len() - 1].iter().step_by(1 + depth.len() / 60) {
            let folder = Folder::new();
            let kept: Vec<&[u8]> =
                (0..lines.len()).filter(|at| at != dropped).map(|at| lines[at]).collect();
            let input: PathBuf = folder.write("a.txt", kept.join(&b'\n'));
            let (report, _) = import(binance::import, &[input], &folder, &options).unwrap();
            assert!(
                report.gap_count >= 1,
                "{}: line {} was not missed",
                expected.file,
                dropped + 1
            );
        }
    }
}
