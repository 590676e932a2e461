//! Event arrays of hftbacktest, both ways.

use mainspring_book::L2Book;
use mainspring_core::event::flags;
use mainspring_core::{Lots, RowKind, Side, Ticks};
use mainspring_data::import::hftbacktest::{
    self, code, BUY_EVENT, EXCH_EVENT, FIELDS, LOCAL_EVENT, SELL_EVENT,
};
use mainspring_data::import::hftbacktest_export::export;
use mainspring_data::import::{InstrumentSpec, Options, Streams};
use mainspring_data::{EventFile, Schema};
use proptest::prelude::*;

use crate::support::{apply, import, order_rows, rows, Folder};

type Event = (u64, i64, i64, f64, f64, u64);

const BOTH: u64 = EXCH_EVENT | LOCAL_EVENT;
const BID: u64 = BOTH | BUY_EVENT;
const ASK: u64 = BOTH | SELL_EVENT;

fn npy(events: &[Event]) -> Vec<u8> {
    let fields: Vec<String> = FIELDS.iter().map(|(n, t)| format!("('{n}', '{t}')")).collect();
    let text = format!(
        "{{'descr': [{}], 'fortran_order': False, 'shape': ({},), }}\n",
        fields.join(", "),
        events.len()
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    for (ev, exch, local, px, qty, order_id) in events {
        for word in [*ev, *exch as u64, *local as u64, px.to_bits(), qty.to_bits(), *order_id] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 16]);
    }
    bytes
}

fn options() -> Options {
    let spec = InstrumentSpec { symbol: Some("BTCUSDT".into()), ..Default::default() };
    let streams = Streams { best: true, ..Streams::default() };
    Options { instruments: vec![spec], streams, ..Options::default() }
}

fn events() -> Vec<Event> {
    vec![
        (code::DEPTH_CLEAR | BID, 100, 110, f64::NAN, 0.0, 0),
        (code::DEPTH_CLEAR | ASK, 100, 110, f64::NAN, 0.0, 0),
        (code::DEPTH_SNAPSHOT | BID, 100, 110, 99.9, 1.5, 0),
        (code::DEPTH_SNAPSHOT | BID, 100, 110, 99.8, 2.0, 0),
        (code::DEPTH_SNAPSHOT | ASK, 100, 110, 100.1, 0.7, 0),
        (code::TRADE | ASK, 120, 130, 99.9, 0.5, 0),
        (code::TRADE | BID, 120, 130, 100.1, 0.1, 0),
        (code::DEPTH | BID, 140, 150, 99.9, 1.0, 0),
        (code::DEPTH_CLEAR | BID, 160, 170, 99.9, 0.0, 0),
    ]
}

#[test]
fn rows_messages_and_clears_are_understood() {
    let folder = Folder::new();
    let input = folder.write("a.npy", npy(&events()));
    let (report, file) = import(hftbacktest::import, &[input], &folder, &options()).unwrap();
    assert_eq!(report.messages["depth_snapshot"], 3);
    let rows = rows(&file);
    let kinds: Vec<u8> = rows.iter().map(|(row, _)| row.kind).collect();
    let (depth, trade) = (RowKind::Depth as u8, RowKind::Trade as u8);
    assert_eq!(kinds, [RowKind::Clear as u8, depth, depth, depth, trade, trade, depth, depth]);
    let ends: Vec<bool> = rows.iter().map(|(row, _)| row.ends_message()).collect();
    assert_eq!(ends, [false, false, false, true, true, true, true, true]);
    assert!(rows[..4].iter().all(|(row, _)| row.flags & flags::SNAPSHOT != 0));
    let mut book = L2Book::default();
    rows.iter().for_each(|(row, price)| apply(&mut book, row, *price));
    // The last row clears bids down to 99.9.
    assert_eq!(book.best(Side::Buy), Some(Ticks(998)));
    assert_eq!(book.best_qty(Side::Buy), Lots(20));
}

#[test]
fn copies_for_the_exchange_side_are_left_out() {
    let folder = Folder::new();
    let mut all = events();
    all.insert(5, (code::TRADE | EXCH_EVENT | SELL_EVENT, 105, 130, 99.9, 0.5, 0));
    let input = folder.write("a.npy", npy(&all));
    let (report, file) = import(hftbacktest::import, &[input], &folder, &options()).unwrap();
    assert_eq!(file.rows(), 8);
    assert!(report.notes.iter().any(|note| note.contains("1 rows")));
}

#[test]
fn order_events_make_an_order_file() {
    let folder = Folder::new();
    let all = [
        (code::ADD_ORDER | BID, 1, 2, 10.0, 5.0, 77),
        (code::MODIFY_ORDER | BID, 3, 4, 10.0, 4.0, 77),
        (code::FILL | BID, 5, 6, 10.0, 1.0, 77),
        (code::CANCEL_ORDER | BID, 7, 8, 10.0, 3.0, 77),
    ];
    let input = folder.write("a.npy", npy(&all));
    let (_, file) = import(hftbacktest::import, &[input], &folder, &options()).unwrap();
    assert_eq!(file.schema(), Schema::Order);
    let rows = order_rows(&file);
    let kinds: Vec<u8> = rows.iter().map(|(row, _)| row.market.kind).collect();
    assert_eq!(kinds, [16, 17, 19, 18]);
    assert!(rows.iter().all(|(row, _)| row.order_id == 77));
}

#[test]
fn bad_arrays_are_refused_with_their_place() {
    let unknown = |ev, px, qty| vec![events()[2], (ev, 200, 210, px, qty, 0)];
    for (bytes, says) in [
        (npy(&unknown(code::TRADE | BID, f64::NAN, 1.0)), "record 2: the price NaN"),
        (npy(&unknown(code::TRADE | BID, 100.0, -1.0)), "the size -1 is negative"),
        (npy(&unknown(9 | BID, 100.0, 1.0)), "record 2: the event code 9 is unknown"),
        (npy(&unknown(1 << 20 | code::TRADE | BID, 100.0, 1.0)), "unknown flag"),
        (npy(&unknown(code::TRADE | BOTH, 100.0, 1.0)), "no side"),
        (npy(&events())[..500].to_vec(), "the file ends within a record"),
        (b"PK\x03\x04nonsense".to_vec(), "not readable as zip"),
        (b"\x93NUMPY\x01\x00\x02\x00{}".to_vec(), "not a one-dimensional"),
        (b"hello".to_vec(), "not a numpy array"),
    ] {
        let folder = Folder::new();
        let input = folder.write("a.npy", bytes);
        let error = import(hftbacktest::import, &[input], &folder, &options()).unwrap_err();
        assert!(error.message().contains(says), "{error} does not say {says}");
        assert_eq!(folder.names(), ["a.npy"]);
    }
}

fn event() -> impl Strategy<Value = Event> {
    let sides = prop_oneof![Just(BID), Just(ASK)];
    let codes =
        prop_oneof![4 => Just(code::DEPTH), 1 => Just(code::TRADE), 1 => Just(code::DEPTH_BBO)];
    (sides, codes, 0_i64..3, 1_u32..500, 0_u32..50).prop_map(|(side, code, step, px, qty)| {
        (side | code, step, step, f64::from(px) / 10.0, f64::from(qty) / 1_000.0, 0)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What was imported and exported again is imported as the same rows.
    #[test]
    fn export_and_import_are_inverse(mut all in prop::collection::vec(event(), 1..80)) {
        let mut time = 1_000;
        for event in &mut all {
            time += event.1;
            (event.1, event.2) = (time, time + 10);
        }
        let folder = Folder::new();
        let input = folder.write("a.npy", npy(&all));
        let (_, first) = import(hftbacktest::import, &[input], &folder, &options()).unwrap();
        let before = rows(&first);
        let again = folder.file("b.npz");
        prop_assert_eq!(export(&first, None, &again).unwrap(), first.rows());
        let output = folder.file("c.mse");
        hftbacktest::import(&[again], &output, &options(), &mut crate::support::quiet).unwrap();
        let second = EventFile::open(&output).unwrap();
        let after = rows(&second);
        let plain = |rows: &[(mainspring_core::event::MarketRow, Ticks)]| -> Vec<_> {
            rows.iter().map(|(r, p)| (r.recv_ns, r.exch_ns, r.kind, r.flags, *p, r.qty_lots)).collect()
        };
        prop_assert_eq!(plain(&before), plain(&after));
    }

    #[test]
    fn damaged_arrays_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = npy(&events());
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = Folder::new();
        let input = folder.write("a.npy", bytes);
        if import(hftbacktest::import, &[input], &folder, &options()).is_err() {
            prop_assert_eq!(folder.names(), ["a.npy"]);
        }
    }
}
