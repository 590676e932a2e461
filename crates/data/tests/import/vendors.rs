//! Files of vendors and exchanges: DBN, ITCH, PITCH, Bitfinex, Lean; and telling formats apart.

use std::path::PathBuf;

use mainspring_book::L3Book;
use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{Decimal, RowKind, Side};
use mainspring_data::import::{
    bitfinex, dbn, detect, itch, lean, pitch, BadLines, InstrumentSpec, Options,
};
use mainspring_data::{EventFile, Schema};
use proptest::prelude::*;

use crate::support::{import, order_rows, recording, text_of, Folder, Import};

fn dated() -> Options {
    let spec = InstrumentSpec { multiplier: Some(Decimal::ONE), ..Default::default() };
    let date = Some("2024-07-01".to_owned());
    Options { instruments: vec![spec], date, ..Options::default() }
}

/// Replays every instrument of an order file; rows that do not fit their book.
fn faults(file: &EventFile) -> (u64, Vec<L3Book>) {
    let mut books = vec![L3Book::default(); file.instruments().len()];
    let mut faults = 0;
    for (row, price) in order_rows(file) {
        let market = MarketRow { price_offset: 0, ..row.market };
        let book = &mut books[usize::from(row.market.instrument)];
        faults += u64::from(book.apply(&OrderRow { market, ..row }, price).is_err());
    }
    (faults, books)
}

#[test]
fn dbn_orders_build_books() {
    for name in ["esh4-glbx-mdp3-20231224.mbo", "es_mbo_2024-05-08T00-00-00_2s"] {
        let Some(path) = recording(&format!("databento-dbn/{name}.dbn.zst")) else { return };
        let folder = Folder::new();
        let (report, file) = import(dbn::import, &[path], &folder, &dated()).unwrap();
        assert_eq!(file.schema(), Schema::Order);
        let (faults, books) = faults(&file);
        println!("{name}: {:?} {:?} {:?}", report.messages, report.rows_by_kind, report.notes);
        assert_eq!(faults, 0, "{name}");
        assert!(books.iter().any(|book| book.l2().best(Side::Buy).is_some()), "{name}");
    }
}

#[test]
fn dbn_quotes_trades_and_bars_are_read() {
    for (name, kind, schema) in [
        ("futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02", "Best", Schema::Market),
        ("futures_trades_2024-07-01T23-58_2024-07-02T00-02", "Trade", Schema::Market),
        ("futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10", "Bar", Schema::Bar),
    ] {
        let Some(path) = recording(&format!("databento-dbn/{name}.dbn.zst")) else { return };
        let folder = Folder::new();
        let (report, file) = import(dbn::import, &[path], &folder, &dated()).unwrap();
        println!("{name}: {:?} {:?}", report.messages, report.rows_by_kind);
        assert_eq!(file.schema(), schema);
        assert!(report.rows_by_kind[kind] > 0, "{name}: {:?}", report.rows_by_kind);
    }
}

#[test]
fn an_itch_file_that_is_cut_off_is_read_up_to_there() {
    let Some(path) = recording("itch50-sample/sample_4096.itch") else { return };
    let folder = Folder::new();
    let (report, _) = import(itch::import, &[path], &folder, &dated()).unwrap();
    let count = |kind: &str| report.messages.get(kind).copied().unwrap_or(0);
    assert_eq!([count("S"), count("R"), count("H"), count("Y")], [1, 98, 1, 1]);
    assert!(report.notes.iter().any(|note| note.contains("cut off")), "{:?}", report.notes);
    assert_eq!(report.rows_by_kind["Status"], 1);
}

fn itch_message(kind: u8, ns: u64, body: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![kind, 0, 1, 0, 0];
    message.extend_from_slice(&ns.to_be_bytes()[2..]);
    body.iter().for_each(|part| message.extend_from_slice(part));
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    framed
}

fn itch_session() -> Vec<u8> {
    let be4 = |n: u32| n.to_be_bytes();
    let id = |n: u64| n.to_be_bytes();
    [
        itch_message(b'A', 1_000, &[&id(1), b"B", &be4(100), b"AAPL    ", &be4(1_000_000)]),
        itch_message(b'A', 2_000, &[&id(2), b"S", &be4(50), b"AAPL    ", &be4(1_000_100)]),
        itch_message(b'X', 3_000, &[&id(1), &be4(30)]),
        itch_message(b'E', 4_000, &[&id(2), &be4(20), &id(9)]),
        itch_message(b'U', 5_000, &[&id(1), &id(3), &be4(60), &be4(1_000_000)]),
        itch_message(b'P', 6_000, &[&id(0), b"B", &be4(5), b"AAPL    ", &be4(1_000_050), &id(8)]),
        itch_message(b'D', 7_000, &[&id(2)]),
    ]
    .concat()
}

#[test]
fn itch_orders_are_followed() {
    let folder = Folder::new();
    let input = folder.write("a.itch", itch_session());
    let (_, file) = import(itch::import, &[input], &folder, &dated()).unwrap();
    let (faults, books) = faults(&file);
    assert_eq!(faults, 0);
    assert_eq!(books[0].l2().best_qty(Side::Buy).0, 60);
    assert_eq!(books[0].l2().best(Side::Sell), None);
    let kinds: Vec<u8> = order_rows(&file).iter().map(|(row, _)| row.market.kind).collect();
    assert_eq!(kinds, [16, 16, 17, 19, 18, 16, 2, 18]);
    // Midnight of 2024-07-01 in New York is 04:00 UTC.
    assert_eq!(order_rows(&file)[0].0.market.exch_ns, 1_719_806_400_000_001_000);
}

#[test]
fn pitch_orders_are_followed() {
    let Some(path) = recording("bats-pitch/pitch_example_20k.txt.gz") else { return };
    let folder = Folder::new();
    let (report, file) = import(pitch::import, &[path], &folder, &dated()).unwrap();
    let (faults, _) = faults(&file);
    assert_eq!(faults, 0);
    assert_eq!(report.messages.values().sum::<u64>(), 20_000);
    assert_eq!(report.rows_by_kind["OrderAdd"], 10_361);
    println!("pitch: {:?} {:?}", report.rows_by_kind, report.notes);
}

#[test]
fn bitfinex_raw_books_are_followed() {
    let Some(path) = recording("bitfinex-l3/L3_feed_first_half.json.gz") else { return };
    let folder = Folder::new();
    let (report, file) = import(bitfinex::import, &[path], &folder, &dated()).unwrap();
    let (faults, books) = faults(&file);
    println!("bitfinex: {:?} {:?}", report.messages, report.rows_by_kind);
    assert_eq!(faults, 0);
    assert_eq!(report.messages["snapshot"], 1);
    // The subscription shows 25 orders a side; best prices are never crossed at the end.
    let l2 = books[0].l2();
    assert!(l2.best_bid() < l2.best_ask());
}

#[test]
fn lean_bars_and_quotes_are_read() {
    for (name, rows, schema) in [
        ("crypto/coinbase/minute/btcusd/20180404_trade.zip", 1_000, Schema::Bar),
        ("crypto/coinbase/minute/btcusd/20180404_quote.zip", 2_000, Schema::Market),
        ("crypto/coinbase/daily/btcusd_trade.zip", 1, Schema::Bar),
        ("cryptofuture/binance/minute/btcusd/20221213_trade.zip", 1_000, Schema::Bar),
        ("equity/usa/minute/spy/20131007_trade.zip", 700, Schema::Bar),
        ("forex/fxcm/tick/eurusd/20140501_quote.zip", 10_000, Schema::Market),
        ("cfd/oanda/minute/xauusd/20140501_quote.zip", 1_000, Schema::Market),
    ] {
        let Some(path) = recording(&format!("lean-bars-ticks/{name}")) else { return };
        let folder = Folder::new();
        let (report, file) = import(lean::import, &[path], &folder, &dated())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.schema(), schema, "{name}");
        assert!(report.rows >= rows, "{name}: {}", report.rows);
    }
}

#[test]
fn formats_are_told_by_their_content() {
    for (name, format) in [
        ("binance-raw-2024/usdm_btcusdt_20240808.gz", "binance"),
        ("binance-raw-2024/spot_btcusdt_20240808.gz", "binance"),
        ("lobster-aapl-2012/AAPL_2012-06-21_message_50_first40000.csv.gz", "lobster"),
        ("cryptofeed-raw/OKX.ws.1.0.gz", "cryptofeed"),
        ("cryptofeed-raw/KRAKEN.ws.50.0.gz", "cryptofeed"),
        ("bitstamp-l3-2015/2015-05-01_first2h.log.xz", "bitstamp"),
        ("tardis-csv-slices/bitmex_trades_XBTUSD.csv", "tardis"),
        ("tardis-csv-slices/binance-futures_book_snapshot_25_BTCUSDT.csv", "tardis"),
        ("gemini-ethusd-2021/eth-usd_2021-07-01_trade.csv.gz", "gemini"),
        ("bybit-raw-2024/2024-12-01_XRPUSDT_ob500.jsonl.gz", "bybit"),
        ("hyperliquid-raw-2025/btcusd_20250126_first30.jsonl.gz", "hyperliquid"),
        ("databento-dbn/esh4-glbx-mdp3-20231224.mbo.dbn.zst", "dbn"),
        ("itch50-sample/sample_4096.itch", "itch50"),
        ("bats-pitch/pitch_example_20k.txt.gz", "pitch"),
        ("bitfinex-l3/L3_feed_first_half.json.gz", "bitfinex"),
        ("lean-bars-ticks/crypto/coinbase/minute/btcusd/20180404_trade.zip", "lean"),
    ] {
        let Some(path) = recording(name) else { return };
        assert_eq!(detect(&path).unwrap(), format, "{name}");
    }
    let folder = Folder::new();
    let error = detect(&folder.write("a.txt", "hello\n")).unwrap_err();
    assert!(error.message().contains("no importer knows this format"), "{error}");
    assert!(detect(&folder.write("empty", "")).unwrap_err().message().contains("empty"));
    assert!(detect(&folder.file("missing")).is_err());
}

const PITCH: &str = "\
28800011AAK27GA0000DTS000100SH    0000619200Y
28800012AAK27GA0000DUB000100SH    0000619000Y
28800013EAK27GA0000DT00004000001AQ00001
28800014XAK27GA0000DU000100
28803240P4K27GA00003PB000100DXD   0000499600000N4AQ00003
";
const BITFINEX: &str = r#"[{"event":"subscribed","channel":"book","chanId":7,"prec":"R0","pair":"BTCUSD"},[7,[[1,100.5,0.2],[2,101,-3]]],[7,[1,100.4,0.1]],[7,"hb"],[7,[2,0,-1]]]"#;

#[test]
fn bad_records_are_named() {
    let cases: [(Import, &str, Vec<u8>, &str); 6] = [
        (pitch::import, "a.txt", PITCH.replace("DTS0", "DTQ0").into(), "line 1: the side 'Q'"),
        (pitch::import, "a.txt", PITCH.replace("DU000100", "DU000900").into(), "line 4: order"),
        (bitfinex::import, "a.json", BITFINEX.replace("100.4", "\"x\"").into(), "message 3"),
        (
            bitfinex::import,
            "a.json",
            BITFINEX.replace("],[7,\"hb\"", "][7,\"hb\"").into(),
            "message 4",
        ),
        (
            itch::import,
            "a.itch",
            itch_session().into_iter().map(|b| if b == b'X' { b'z' } else { b }).collect(),
            "message 3: the message type",
        ),
        (dbn::import, "a.dbn", b"DBN\x09\0\0\0\0".to_vec(), "a version of DBN"),
    ];
    for (with, name, bytes, says) in cases {
        let folder = Folder::new();
        let input = folder.write(name, bytes);
        let error = import(with, &[input], &folder, &dated()).unwrap_err();
        assert!(error.message().contains(says), "{error} does not say {says}");
        assert_eq!(folder.names(), [name]);
    }
}

fn damage(mut bytes: Vec<u8>, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, how, byte) in edits {
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, *byte),
        }
    }
    bytes
}

/// The header of a DBN file of version 1 without symbols.
fn dbn_header(schema: u16) -> Vec<u8> {
    let mut body = b"GLBX.MDP3\0\0\0\0\0\0\0".to_vec();
    body.extend_from_slice(&schema.to_le_bytes());
    body.extend_from_slice(&[0; 32 + 3 + 47]);
    // No schema definition, no symbols in any list, no mappings.
    body.extend_from_slice(&[0; 4 * 5]);
    let mut file = b"DBN\x01".to_vec();
    file.extend_from_slice(&(body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

/// Definitions of version 1, made by hand: tick and contract size of instrument 5.
fn dbn_definitions(tick: i64, size: i64) -> Vec<u8> {
    let mut file = dbn_header(9);
    let mut record = vec![0; 360];
    record[..8].copy_from_slice(&[90, 0x13, 1, 0, 5, 0, 0, 0]);
    record[24..32].copy_from_slice(&tick.to_le_bytes());
    record[88..96].copy_from_slice(&size.to_le_bytes());
    record[186..189].copy_from_slice(b"EUR");
    file.extend(record);
    file
}

/// A DBN file of version 1 with orders, made by hand.
fn dbn_file() -> Vec<u8> {
    let mut file = dbn_header(0);
    let mut record = |id: u64, price: i64, size: u32, action: u8, side: u8, time: u64| {
        file.extend_from_slice(&[14, 0xa0, 1, 0, 5, 0, 0, 0]);
        file.extend_from_slice(&time.to_le_bytes());
        file.extend_from_slice(&id.to_le_bytes());
        file.extend_from_slice(&price.to_le_bytes());
        file.extend_from_slice(&size.to_le_bytes());
        file.extend_from_slice(&[128, 0, action, side]);
        file.extend_from_slice(&(time + 10).to_le_bytes());
        file.extend_from_slice(&[0; 8]);
    };
    record(1, 4_500_250_000_000, 3, b'A', b'B', 1_000);
    record(2, 4_500_500_000_000, 4, b'A', b'A', 2_000);
    record(2, 4_500_500_000_000, 1, b'C', b'A', 3_000);
    record(0, 4_500_500_000_000, 1, b'T', b'B', 4_000);
    file
}

#[test]
fn dbn_by_hand_is_read() {
    let folder = Folder::new();
    let input = folder.write("a.dbn", dbn_file());
    let (_, file) = import(dbn::import, &[input], &folder, &dated()).unwrap();
    let kinds: Vec<u8> = order_rows(&file).iter().map(|(row, _)| row.market.kind).collect();
    assert_eq!(kinds, [16, 16, 17, RowKind::Trade as u8]);
    assert_eq!(file.instruments()[0].symbol, "5");
    let (_, books) = faults(&file);
    assert_eq!(books[0].l2().best_qty(Side::Sell).0, 3);
}

#[test]
fn dbn_definitions_say_tick_and_size() {
    let folder = Folder::new();
    let data = folder.write("a.dbn", dbn_file());
    let bare = import(dbn::import, std::slice::from_ref(&data), &folder, &Options::default());
    assert!(bare.unwrap_err().message().contains("--multiplier"));

    let says = folder.write("d.dbn", dbn_definitions(250_000_000, 50_000_000_000));
    let both = [data, says.clone()];
    let (_, file) = import(dbn::import, &both, &folder, &Options::default()).unwrap();
    let one = &file.instruments()[0];
    assert_eq!((one.tick().to_string(), one.multiplier.to_string()), ("0.25".into(), "50".into()));
    assert_eq!(one.quote, "EUR");

    let alone = import(dbn::import, &[says], &folder, &Options::default()).unwrap_err();
    assert!(alone.message().contains("definitions only"), "{alone}");
    let none = folder.write("n.dbn", dbn_definitions(i64::MAX, -1));
    let both = [folder.write("b.dbn", dbn_file()), none];
    assert!(import(dbn::import, &both, &folder, &Options::default()).is_err());
}

#[test]
fn recorded_dbn_definitions_are_read() {
    let Some(path) = recording("databento-dbn/definition-glbx-es-fut.dbn.zst") else { return };
    let folder = Folder::new();
    // The recording defines ESM3, which no other recording trades: orders of the same id stand in.
    let mut orders = dbn_file();
    let records = dbn_header(0).len();
    for record in orders[records..].chunks_mut(56) {
        record[4..8].copy_from_slice(&95_414_u32.to_le_bytes());
    }
    let both = [path, folder.write("a.dbn", orders)];
    let (_, file) = import(dbn::import, &both, &folder, &Options::default()).unwrap();
    let one = &file.instruments()[0];
    assert_eq!((one.tick().to_string(), one.multiplier.to_string()), ("0.25".into(), "50".into()));
    assert_eq!(one.quote, "USD");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_dbn_definitions_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
    ) {
        let folder = Folder::new();
        let bytes = dbn_definitions(250_000_000, 50_000_000_000);
        let both = [folder.write("a", dbn_file()), folder.write("b", damage(bytes, &edits))];
        if import(dbn::import, &both, &folder, &dated()).is_err() {
            prop_assert_eq!(folder.names(), ["a", "b"]);
        }
    }

    #[test]
    fn damaged_vendor_files_never_panic(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
        skip in any::<bool>(),
    ) {
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..dated() };
        let (bytes, with): (Vec<u8>, Import) = match which {
            0 => (PITCH.into(), pitch::import),
            1 => (BITFINEX.into(), bitfinex::import),
            2 => (itch_session(), itch::import),
            _ => (dbn_file(), dbn::import),
        };
        let folder = Folder::new();
        let input = folder.write("a", damage(bytes, &edits));
        if import(with, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names(), ["a"]);
        }
    }
}

const LEAN: &str = "\
0,6823.98,6823.98,6817.22,6820,6.40391
60000,6820,6824.04,6819.91,6824.04,12.2195
120000,6824.03,6824.04,6820.6,6820.6,2.2
";

/// A zip with one stored file.
fn zipped(text: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("20180404_btcusd_minute_trade.csv", stored).unwrap();
    std::io::Write::write_all(&mut zip, text).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A file where Lean keeps minute bars of trades.
fn lean_file(folder: &Folder, bytes: Vec<u8>) -> PathBuf {
    let place = folder.file("crypto/coinbase/minute/btcusd");
    std::fs::create_dir_all(&place).unwrap();
    let path = place.join("20180404_trade.zip");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn lean_by_hand_is_read() {
    let folder = Folder::new();
    let input = lean_file(&folder, zipped(LEAN.as_bytes()));
    let (report, file) = import(lean::import, &[input], &folder, &dated()).unwrap();
    assert_eq!((report.rows, file.schema()), (3, Schema::Bar));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn damaged_lean_files_never_panic(
        inside in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
        skip in any::<bool>(),
    ) {
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..dated() };
        // Damage of the text in a sound archive, or of the archive itself.
        let bytes = if inside {
            zipped(&damage(LEAN.into(), &edits))
        } else {
            damage(zipped(LEAN.as_bytes()), &edits)
        };
        let folder = Folder::new();
        let input = lean_file(&folder, bytes);
        if import(lean::import, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names(), ["crypto"]);
        }
    }
}

#[test]
fn recordings_are_read_in_full() {
    let Some(path) = recording("bats-pitch/pitch_example_20k.txt.gz") else { return };
    assert_eq!(
        text_of(&path).split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).count(),
        20_000
    );
}
