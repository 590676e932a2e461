//! Venues whose messages come as JSON with books and trades in common words.

use mainspring_book::L2Book;
use mainspring_core::{InstrumentKind, RowKind, Side};
use mainspring_data::import::{
    cryptofeed, raw_feed, BadLines, ImportReport, InstrumentSpec, Options,
};
use mainspring_data::EventFile;
use proptest::prelude::*;

use crate::support::{apply, import, recording, rows, text_of, Folder};

/// Replays the books of a file; the symbols whose book is usable at the end.
fn usable(file: &EventFile) -> usize {
    let mut books = vec![L2Book::default(); file.instruments().len()];
    for (row, price) in rows(file) {
        if row.kind != RowKind::Trade as u8 {
            apply(&mut books[usize::from(row.instrument)], &row, price);
        }
    }
    books.iter().filter(|book| book.trust().is_usable()).count()
}

fn session(name: &str, options: &Options) -> Option<(ImportReport, EventFile, Folder)> {
    let path = recording(&format!("cryptofeed-raw/{name}"))?;
    let folder = Folder::new();
    let (report, file) = import(cryptofeed::import, &[path], &folder, options).unwrap();
    Some((report, file, folder))
}

#[test]
fn okx_checksums_are_recomputed_equal() {
    let Some((report, file, _folder)) = session("OKX.ws.1.0.gz", &Options::default()) else {
        return;
    };
    assert_eq!((report.checksums.compared, report.checksums.equal), (290, 290));
    assert_eq!(report.gap_count, 0);
    assert_eq!(usable(&file), 3);
    let instrument =
        |symbol: &str| file.instruments().iter().find(|own| own.symbol == symbol).unwrap();
    let future = instrument("BTC-USD-220527");
    assert_eq!(future.kind, InstrumentKind::InverseFuture);
    assert_eq!(
        (future.tick().to_string(), future.multiplier.to_string()),
        ("0.1".into(), "100".into())
    );
    assert_eq!(instrument("BTC-USDT").kind, InstrumentKind::Spot);
    assert_eq!(report.messages["trade"], 74);
}

#[test]
fn kraken_checksums_are_recomputed_equal() {
    let Some((report, file, _folder)) = session("KRAKEN.ws.50.0.gz", &Options::default()) else {
        return;
    };
    assert_eq!((report.checksums.compared, report.checksums.equal), (4_269, 4_269));
    assert_eq!(report.gap_count, 0);
    assert_eq!(usable(&file), 10);
    assert_eq!(report.messages["trade"], 10);
}

#[test]
fn binance_sessions_take_their_snapshots_from_rest() {
    for (name, books) in [("BINANCE.ws.1.0.gz", 3), ("BINANCE_FUTURES.ws.1.0.gz", 4)] {
        let Some((report, file, _folder)) = session(name, &Options::default()) else { return };
        assert_eq!(report.gap_count, 0, "{name}: {:?}", report.gaps);
        assert!(usable(&file) >= books, "{name}: {} books, {:?}", usable(&file), report.notes);
        assert!(report.rows_by_kind["Trade"] > 0);
    }
}

#[test]
fn a_changed_level_fails_its_checksum_and_shows_as_a_gap() {
    let Some(path) = recording("cryptofeed-raw/OKX.ws.1.0.gz") else { return };
    let text = String::from_utf8(text_of(&path)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let update =
        |line: &String| line.contains("\"action\":\"update\"") && line.contains("BTC-USDT");
    let at = lines.iter().position(update).unwrap();
    lines.remove(at);
    let folder = Folder::new();
    let input = folder.write("OKX.ws.1.0", lines.join("\n"));
    let lot = |multiplier: &str| InstrumentSpec {
        multiplier: Some(multiplier.parse().unwrap()),
        ..Default::default()
    };
    let options = Options { instruments: vec![lot("100")], ..Options::default() };
    let (report, _) = import(cryptofeed::import, &[input], &folder, &options).unwrap();
    assert_eq!(report.gap_count, 1);
    assert_eq!(report.gaps[0].symbol, "BTC-USDT");
    assert_eq!(report.checksums.compared, report.checksums.equal + 1);
}

const OKX_SESSION: &str = r#"wss://ws.okx.com:8443/ws/v5/public <-> 1700000000.5
wss://ws.okx.com:8443/ws/v5/public <- 1700000000.6: {"op":"subscribe"}
1700000000.7: {"event":"subscribe","arg":{"channel":"books","instId":"A-USDT"}}
1700000001.0: {"arg":{"channel":"books","instId":"A-USDT"},"action":"snapshot","data":[{"asks":[["10.2","5","0","1"]],"bids":[["10.1","4","0","1"]],"ts":"1700000000900","seqId":7,"prevSeqId":-1}]}
1700000001.1: {"arg":{"channel":"books","instId":"A-USDT"},"action":"update","data":[{"asks":[],"bids":[["10.1","3","0","1"]],"ts":"1700000001000","seqId":9,"prevSeqId":7}]}
1700000001.2: {"arg":{"channel":"books","instId":"A-USDT"},"action":"update","data":[{"asks":[],"bids":[],"ts":"1700000001050","seqId":9,"prevSeqId":9}]}
1700000001.3: {"arg":{"channel":"books","instId":"A-USDT"},"action":"update","data":[{"asks":[["10.3","1","0","1"]],"bids":[],"ts":"1700000001100","seqId":2,"prevSeqId":9}]}
1700000001.4: {"arg":{"channel":"trades","instId":"A-USDT"},"data":[{"instId":"A-USDT","tradeId":"1","px":"10.2","sz":"1","side":"buy","ts":"1700000001200"}]}
1700000001.5: {"arg":{"channel":"books","instId":"A-USDT"},"action":"update","data":[{"asks":[["10.3","2","0","1"]],"bids":[],"ts":"1700000001300","seqId":4,"prevSeqId":2}]}
"#;

#[test]
fn okx_sequence_ids_are_followed_through_a_reset() {
    let folder = Folder::new();
    let input = folder.write("OKX.ws.1.0", OKX_SESSION);
    let (report, file) =
        import(cryptofeed::import, &[input], &folder, &Options::default()).unwrap();
    assert_eq!((report.gap_count, usable(&file)), (0, 1));
    let trade = rows(&file).into_iter().find(|(row, _)| row.kind == RowKind::Trade as u8).unwrap();
    assert_eq!((trade.0.side(), trade.1 .0, trade.0.qty_lots), (Side::Buy, 102, 1));
    assert_eq!(trade.0.recv_ns, 1_700_000_001_400_000_000);

    // Each update that is missing shows, up to the one in front of the last.
    for dropped in [4, 6] {
        let folder = Folder::new();
        let kept: Vec<&str> = OKX_SESSION
            .lines()
            .enumerate()
            .filter(|(at, _)| *at != dropped)
            .map(|(_, l)| l)
            .collect();
        let input = folder.write("OKX.ws.1.0", kept.join("\n"));
        let (report, file) =
            import(cryptofeed::import, &[input], &folder, &Options::default()).unwrap();
        assert_eq!((report.gap_count, usable(&file)), (1, 0), "line {dropped}");
    }
}

#[test]
fn a_new_connection_loses_the_books() {
    let folder = Folder::new();
    let again = "wss://ws.okx.com:8443/ws/v5/public <-> 1700000002.0\n";
    let input = folder.write("OKX.ws.1.0", format!("{OKX_SESSION}{again}"));
    let (report, file) =
        import(cryptofeed::import, &[input], &folder, &Options::default()).unwrap();
    assert_eq!((report.gap_count, usable(&file)), (1, 0));
}

#[test]
fn bybit_files_are_imported_without_gaps_and_miss_what_is_dropped() {
    let Some(path) = recording("bybit-raw-2024/2024-12-01_XRPUSDT_ob500.jsonl.gz") else { return };
    let folder = Folder::new();
    let (report, file) =
        import(raw_feed::import_bybit, std::slice::from_ref(&path), &folder, &Options::default())
            .unwrap();
    assert_eq!((report.gap_count, usable(&file)), (0, 1));
    assert_eq!((report.messages["book_snapshot"], report.messages["book_update"]), (1, 49));
    assert_eq!(report.clock.method, "one clock");
    let text = String::from_utf8(text_of(&path)).unwrap();
    let kept: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| *at != 20).map(|(_, l)| l).collect();
    let folder = Folder::new();
    let input = folder.write("a.jsonl", kept.join("\n"));
    let (report, _) =
        import(raw_feed::import_bybit, &[input], &folder, &Options::default()).unwrap();
    assert_eq!(report.gap_count, 1);
}

#[test]
fn hyperliquid_snapshots_become_what_they_change() {
    let Some(path) = recording("hyperliquid-raw-2025/btcusd_20250126_first30.jsonl.gz") else {
        return;
    };
    let folder = Folder::new();
    let (report, file) = import(
        raw_feed::import_hyperliquid,
        std::slice::from_ref(&path),
        &folder,
        &Options::default(),
    )
    .unwrap();
    assert_eq!((report.gap_count, usable(&file)), (0, 1));
    assert_eq!(report.rows_by_kind["Clear"], 1);
    assert!(report.rows_by_kind["Trade"] > 0);
    // The book at the end is the last snapshot.
    let text = String::from_utf8(text_of(&path)).unwrap();
    let last = text.lines().rfind(|line| line.contains("l2Book")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.split_once(' ').unwrap().1).unwrap();
    let mut book = L2Book::default();
    rows(&file).iter().for_each(|(row, price)| apply(&mut book, row, *price));
    let instrument = &file.instruments()[0];
    for (n, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
        let levels = last["data"]["levels"][n].as_array().unwrap();
        let shown: Vec<_> = levels
            .iter()
            .map(|level| {
                let count = |key: &str, unit: mainspring_core::Decimal| {
                    level[key]
                        .as_str()
                        .unwrap()
                        .parse::<mainspring_core::Decimal>()
                        .unwrap()
                        .count_of(unit)
                        .unwrap()
                };
                (count("px", instrument.tick()), count("sz", instrument.lot))
            })
            .collect();
        let own: Vec<_> = book.levels(side).map(|(price, qty)| (price.0, qty.0)).collect();
        assert_eq!(own, shown);
    }
}

const BYBIT: &str = r#"{"topic":"orderbook.500.X","type":"snapshot","ts":1733011200691,"data":{"s":"XUSDT","b":[["1.95","6"]],"a":[["1.96","3"]],"u":10,"seq":1},"cts":1733011200688}
{"topic":"orderbook.500.X","type":"delta","ts":1733011200791,"data":{"s":"XUSDT","b":[["1.95","0"],["1.94","2"]],"a":[],"u":11,"seq":2},"cts":1733011200788}
{"topic":"publicTrade.X","type":"snapshot","ts":1733011200891,"data":[{"T":1733011200880,"s":"XUSDT","S":"Sell","v":"2","p":"1.94","i":"a","BT":false}]}
"#;

const HYPERLIQUID: &str = r#"1737918843893903000 {"channel":"l2Book","data":{"coin":"BTC","levels":[[{"n":5,"px":"105055.0","sz":"3.03"}],[{"n":1,"px":"105056.0","sz":"0.5"}]],"time":1737918843000}}
1737918844893903000 {"channel":"trades","data":[{"coin":"BTC","px":"105056.0","side":"B","sz":"0.002","time":1737918843500,"hash":"0x"}]}
1737918845893903000 {"channel":"l2Book","data":{"coin":"BTC","levels":[[{"n":5,"px":"105054.0","sz":"1.0"}],[{"n":1,"px":"105056.0","sz":"0.5"}]],"time":1737918844000}}
"#;

const KRAKEN: &str = r#"wss://ws.kraken.com <-> 1618678132.3858151
1618678133.626511: [1360,{"as":[["0.000022900","13355.87450757","1618678123.481570"]],"bs":[["0.000022800","1.00000000","1618678123.481570"]]},"book-1000","ADA/XBT"]
1618678134.213106: [1360,{"b":[["0.000022810","5.00000000","1618678133.365913"]]},"book-1000","ADA/XBT"]
1618678142.592855: [993,[["0.000022900","0.89594024","1618678142.557535","b","l",""]],"trade","ADA/XBT"]
"#;

#[test]
fn bad_feed_messages_are_named() {
    let folder = Folder::new();
    for (text, says) in [
        (BYBIT.replace("\"6\"", "\"-6\""), "line 1: the size -6 is negative"),
        (BYBIT.replace("\"1.96\"", "\"1.95\""), "line 1: the snapshot is crossed"),
        (BYBIT.replace("\"delta\"", "\"news\""), "line 2: an order book that is neither"),
        (BYBIT.replace("\"Sell\"", "\"Short\""), "line 3: an unknown side"),
        (BYBIT.replace("\"1.94\"", "\"NaN\""), "line 2: not a decimal number"),
    ] {
        let input = folder.write("a.jsonl", text);
        let error =
            import(raw_feed::import_bybit, &[input], &folder, &Options::default()).unwrap_err();
        assert!(error.message().contains(says), "{error} does not say {says}");
        assert_eq!(folder.names(), ["a.jsonl"]);
    }
}

fn damage(text: &str, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for (at, how, byte) in edits {
        let at = at.index(text.len());
        match how {
            0 => text[at] = *byte,
            1 => drop(text.remove(at)),
            _ => text.insert(at, b"0123456789.,\"[]{}:-\n"[usize::from(*byte) % 20]),
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn damaged_feeds_never_panic(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
        skip in any::<bool>(),
    ) {
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..Options::default() };
        let (text, name, with): (_, _, crate::support::Import) = match which {
            0 => (BYBIT, "a.jsonl", raw_feed::import_bybit),
            1 => (HYPERLIQUID, "a.txt", raw_feed::import_hyperliquid),
            2 => (OKX_SESSION, "OKX.ws.1.0", cryptofeed::import),
            _ => (KRAKEN, "KRAKEN.ws.1.0", cryptofeed::import),
        };
        let folder = Folder::new();
        let input = folder.write(name, damage(text, &edits));
        if import(with, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names(), [name]);
        }
    }
}
