//! Files of lines: Tardis, Gemini, Bitstamp's order log.

use std::collections::HashMap;

use mainspring_book::{L2Book, L3Book};
use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{Decimal, RowKind, Side, Ticks};
use mainspring_data::import::report::Tally;
use mainspring_data::import::stage::{Source, Staged};
use mainspring_data::import::{bitstamp, gemini, tardis, BadLines, InstrumentSpec, Options};
use proptest::prelude::*;

use crate::support::{apply, import, recording, rows, text_of, Folder, Import};

const BOOK: &str = "\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
x-futures,BTCUSDT,1585699200000000,1585699200100000,false,bid,9.0,1
x-futures,BTCUSDT,1585699200245000,1585699200355684,true,ask,10.5,3
x-futures,BTCUSDT,1585699200245000,1585699200355684,true,bid,10.0,2
x-futures,BTCUSDT,1585699200300000,1585699200400000,false,bid,10.0,0
x-futures,BTCUSDT,1585699200300000,1585699200400000,false,bid,9.5,7
x-futures,BTCUSDT,1585699200500000,1585699200600000,false,ask,10.5,1
";
const TRADES: &str = "\
exchange,symbol,timestamp,local_timestamp,id,side,price,amount
x-futures,BTCUSDT,1585699200400000,1585699200500000,a,sell,10.0,2
";

#[test]
fn tardis_books_and_trades_are_merged() {
    let folder = Folder::new();
    let inputs = [folder.write("trades.csv", TRADES), folder.write_gz("book.csv.gz", BOOK)];
    let (report, file) = import(tardis::import, &inputs, &folder, &Options::default()).unwrap();
    let rows = rows(&file);
    let (d, t) = (RowKind::Depth as u8, RowKind::Trade as u8);
    let kinds: Vec<u8> = rows.iter().map(|(row, _)| row.kind).collect();
    assert_eq!(kinds, [RowKind::Clear as u8, d, d, d, d, t, d]);
    let ends: Vec<bool> = rows.iter().map(|(row, _)| row.ends_message()).collect();
    assert_eq!(ends, [false, false, true, false, true, true, true]);
    assert!(report.notes.iter().any(|note| note.contains("1 rows in front of the first snapshot")));
    let mut book = L2Book::default();
    rows.iter().for_each(|(row, price)| apply(&mut book, row, *price));
    assert!(book.trust().is_usable());
    assert_eq!((book.best(Side::Buy), book.best_qty(Side::Sell).0), (Some(Ticks(95)), 1));
}

#[test]
fn every_kind_of_tardis_file_is_read() {
    let spec = InstrumentSpec { multiplier: Some(Decimal::ONE), ..Default::default() };
    let options = Options { instruments: vec![spec], ..Options::default() };
    for (name, kind) in [
        ("binance-futures_book_snapshot_25_BTCUSDT.csv", "Depth"),
        ("binance-futures_book_snapshot_5_BTCUSDT.csv", "Depth"),
        ("bitmex_trades_XBTUSD.csv", "Trade"),
        ("deribit_incremental_book_L2_BTC-PERPETUAL.csv", "Depth"),
        ("huobi-dm-swap_quotes_BTC-USD.csv", "Best"),
        ("normalized/deltas_1.csv", "Depth"),
        ("normalized/trades_1.csv", "Trade"),
        ("normalized/derivative_ticker_1.csv", "Mark"),
    ] {
        let Some(path) = recording(&format!("tardis-csv-slices/{name}")) else { return };
        let folder = Folder::new();
        let (report, _) = import(tardis::import, &[path], &folder, &options).unwrap();
        assert!(report.rows_by_kind[kind] > 0, "{name}: {:?}", report.rows_by_kind);
    }
}

#[test]
fn the_last_tardis_snapshot_is_the_book_at_the_end() {
    let Some(path) = recording("tardis-csv-slices/binance-futures_book_snapshot_25_BTCUSDT.csv")
    else {
        return;
    };
    let folder = Folder::new();
    let (_, file) =
        import(tardis::import, std::slice::from_ref(&path), &folder, &Options::default()).unwrap();
    let mut book = L2Book::default();
    rows(&file).iter().for_each(|(row, price)| apply(&mut book, row, *price));
    let text = String::from_utf8(text_of(&path)).unwrap();
    let last: Vec<&str> = text.lines().last().unwrap().split(',').skip(4).collect();
    let instrument = &file.instruments()[0];
    let count =
        |text: &str, unit: Decimal| text.parse::<Decimal>().unwrap().count_of(unit).unwrap();
    for (skip, side) in [(0, Side::Sell), (2, Side::Buy)] {
        let shown: Vec<_> = last
            .chunks_exact(4)
            .map(|l| (count(l[skip], instrument.tick()), count(l[skip + 1], instrument.lot)))
            .collect();
        let own: Vec<_> = book.levels(side).map(|(price, qty)| (price.0, qty.0)).collect();
        assert_eq!(own, shown);
    }
}

const DEPTH: &str = "time_seconds,bid_price_bid_size,ask_price_ask_size\n1625097600,2271.58_1.6477,2279.63_28.5\n1625097602,2271.59_6.0,2279.86_11.7\n";
const GEMINI: &str = "time_seconds,price,size,is_buyer_maker\n1625097601.647,2278.15,0.0409,1\n";

#[test]
fn gemini_quotes_and_trades_are_merged() {
    let folder = Folder::new();
    let inputs = [
        folder.write("eth-usd_2021-07-01_trade.csv", GEMINI),
        folder.write("eth-usd_2021-07-01_depth.csv", DEPTH),
    ];
    let (_, file) = import(gemini::import, &inputs, &folder, &Options::default()).unwrap();
    assert_eq!(file.instruments()[0].symbol, "ETH-USD");
    let kinds: Vec<u8> = rows(&file).iter().map(|(row, _)| row.kind).collect();
    assert_eq!(kinds, [3, 3, 2, 3, 3]);
}

#[test]
fn a_day_of_gemini_is_imported_whole() {
    let Some(depth) = recording("gemini-ethusd-2021/eth-usd_2021-07-01_market-depth.csv.gz") else {
        return;
    };
    let trades = depth.with_file_name("eth-usd_2021-07-01_trade.csv.gz");
    let folder = Folder::new();
    let (report, _) =
        import(gemini::import, &[depth, trades], &folder, &Options::default()).unwrap();
    assert_eq!((report.messages["quote"], report.messages["trade"]), (72_180, 25_222));
    assert_eq!(report.rows, 2 * 72_180 + 25_222);
}

const LOG: &str = r#"1430438404518 order_created {"price": "236.47", "amount": "2.00000000", "datetime": "1430438404", "id": 65595247, "order_type": 0}
1430438404520 order_book {"bids": [["236.47", "2.00000000"], ["236.20", "0.5"]], "asks": [["236.60", "1.5"]]}
1430438404635 order_created {"price": "236.47", "amount": "1.00000000", "datetime": "1430438404", "id": 65595250, "order_type": 1}
1430438404636 order_changed {"price": "236.47", "amount": "1.00000000", "datetime": "1430438404", "id": 65595247, "order_type": 0}
1430438404637 order_deleted {"price": "236.47", "amount": "0.00000000", "datetime": "1430438340", "id": 65595250, "order_type": 1}
1430438404645 trade {"price": 236.47, "amount": 1.0000000000000002, "id": 8111041}
1430438405647 order_deleted {"price": "236.20", "amount": "0.20000000", "datetime": "1430438337", "id": 65595181, "order_type": 0}
"#;

#[test]
fn bitstamp_orders_trades_and_unseen_orders_are_followed() {
    let folder = Folder::new();
    let input = folder.write("2015-05-01.log", LOG);
    let (report, file) = import(bitstamp::import, &[input], &folder, &Options::default()).unwrap();
    let mut book = L3Book::default();
    let rows = crate::support::order_rows(&file);
    for (row, price) in &rows {
        let market = MarketRow { price_offset: 0, ..row.market };
        book.apply(&OrderRow { market, ..*row }, *price).unwrap();
    }
    let instrument = &file.instruments()[0];
    let lots = |text: &str| text.parse::<Decimal>().unwrap().count_of(instrument.lot).unwrap();
    assert_eq!(book.l2().best_qty(Side::Buy).0, lots("1"));
    assert_eq!(book.l2().qty(Side::Buy, Ticks(23_620)).0, lots("0.3"));
    let trade = rows.iter().find(|(row, _)| row.market.kind == RowKind::Trade as u8).unwrap();
    assert_eq!((trade.0.market.side(), trade.0.market.qty_lots), (Side::Sell, lots("1")));
    assert!(report.notes.iter().any(|note| note.starts_with("1 events were about orders")));
}

/// Sizes of the exchange's own best five levels at each snapshot behind line 20,000.
#[test]
fn bitstamp_level_sizes_equal_the_exchanges_own() {
    let Some(path) = recording("bitstamp-l3-2015/2015-05-01_first2h.log.xz") else { return };
    let text = String::from_utf8(text_of(&path)).unwrap();
    let mut source = bitstamp::Log::new(std::slice::from_ref(&path), &Options::default());
    let (mut staged, mut tally) = (Staged::default(), Tally::new(BadLines::Refuse));
    let mut book = L3Book::default();
    let (mut compared, mut equal) = (0, 0);
    for (at, line) in text.lines().enumerate() {
        assert!(source.next(&mut staged, &mut tally).unwrap());
        let snapshot =
            bitstamp::split_line(line.as_bytes()).filter(|(_, event, _)| *event == "order_book");
        // Compared before the snapshot itself can change anything.
        if let (Some((_, _, body)), true) = (snapshot, at >= 20_000) {
            let body: HashMap<String, serde_json::Value> =
                serde_json::from_slice(body).unwrap_or_default();
            for (key, side) in [("bids", Side::Buy), ("asks", Side::Sell)] {
                for level in body[key].as_array().unwrap().iter().take(5) {
                    let count = |n: usize, places| {
                        let text = level[n].as_str().unwrap();
                        text.parse::<Decimal>().unwrap().to_scale(places).unwrap() as i64
                    };
                    compared += 1;
                    equal += usize::from(book.l2().qty(side, Ticks(count(0, 2))).0 == count(1, 8));
                }
            }
        }
        let last = staged.rows.len();
        for (n, own) in staged.rows.iter().enumerate() {
            let market = MarketRow {
                recv_ns: staged.recv_ns,
                exch_ns: staged.exch_ns,
                qty_lots: own.qty.to_scale(8).unwrap() as i64,
                price_offset: own.price.to_scale(2).unwrap() as i32,
                kind: own.kind as u8,
                flags: own.flags | u8::from(n + 1 == last),
                instrument: 0,
            };
            book.apply(&OrderRow { market, order_id: own.order_id }, Ticks(0)).unwrap();
        }
    }
    println!("bitstamp: {equal} of {compared} level sizes equal");
    assert!(compared > 3_000, "{compared}");
    assert!(compared - equal <= 8, "{equal} of {compared}");
    let folder = Folder::new();
    let (report, _) = import(bitstamp::import, &[path], &folder, &Options::default()).unwrap();
    assert_eq!(report.messages["order_created"], 10_778);
    println!("{:?} {:?}", report.notes, report.rows_by_kind);
}

#[test]
fn bad_lines_are_named() {
    let cases: [(Import, &str, String, &str); 8] = [
        (tardis::import, "a.csv", BOOK.replace(",3\n", ",-3\n"), "line 4: the size -3 is negative"),
        (tardis::import, "a.csv", BOOK.replace("10.5,3", "nan,3"), "line 3: the price 'nan'"),
        (
            tardis::import,
            "a.csv",
            BOOK.replace("10.5,3", "9.9,3"),
            "line 4: the snapshot is crossed",
        ),
        (tardis::import, "a.csv", BOOK.replace("true,ask", "yes,ask"), "line 3: is_snapshot"),
        (tardis::import, "a.csv", "a,b\n1,2\n".into(), "line 1: not the header"),
        (gemini::import, "a.csv", GEMINI.replace(",1\n", ",7\n"), "line 2: is_buyer_maker"),
        (
            bitstamp::import,
            "a.log",
            LOG.replace("\"1.5\"", "\"-1.5\""),
            "line 2: -1.5 is not a size",
        ),
        (
            bitstamp::import,
            "a.log",
            LOG.replace("order_type\": 1", "order_type\": 3"),
            "line 3: the order type 3",
        ),
    ];
    for (with, name, text, says) in cases {
        let folder = Folder::new();
        let input = folder.write(name, text);
        let error = import(with, &[input], &folder, &Options::default()).unwrap_err();
        assert!(error.message().contains(says), "{error} does not say {says}");
        assert_eq!(folder.names(), [name]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn damaged_tables_never_panic(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
        skip in any::<bool>(),
    ) {
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..Options::default() };
        let (text, with): (_, Import) =
            [(BOOK, tardis::import as Import), (DEPTH, gemini::import), (GEMINI, gemini::import), (LOG, bitstamp::import)][which];
        let mut text = text.as_bytes().to_vec();
        for (at, how, byte) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, b"0123456789.,\"[]{}:-\n"[usize::from(byte) % 20]),
            }
        }
        let folder = Folder::new();
        let input = folder.write("a", text);
        if import(with, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names(), ["a"]);
        }
    }
}
