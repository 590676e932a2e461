//! Event files: what is written is read again, and nothing faulty passes.

mod common;

use common::{instrument, provenance, write_depth, Folder};
use mainspring_core::event::{flags, BarRow};
use mainspring_core::{ErrorKind, Lots, RowKind, Ticks};
use mainspring_data::{ClockState, EventFile, EventWriter, Schema};
use proptest::prelude::*;

type Row = (i64, i64, RowKind, u8, u16, i64, i64);

fn row() -> impl Strategy<Value = Row> {
    let kinds = prop_oneof![
        Just(RowKind::Depth),
        Just(RowKind::Trade),
        Just(RowKind::Best),
        Just(RowKind::Mark)
    ];
    // Prices far enough apart that chunks have to end early now and then.
    let price = prop_oneof![8 => -1_000_000_i64..1_000_000, 1 => any::<i32>().prop_map(|p| i64::from(p) * 5)];
    (0_i64..1_000, -500_i64..0, kinds, 0_u8..8, 0_u16..3, price, 0_i64..i64::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_as_they_were(rows in prop::collection::vec(row(), 1..300), chunk in 1_usize..64) {
        let folder = Folder::new("round-trip");
        let path = folder.file("a.mse");
        let instruments: Vec<_> = ["A", "B", "C"].map(instrument).to_vec();
        let mut writer =
            EventWriter::create(&path, Schema::Market, instruments.clone(), provenance()).unwrap().with_chunk_rows(chunk);
        let mut recv = 0;
        let mut expected = Vec::new();
        for (step, latency, kind, flags, instrument, price, qty) in rows {
            recv += step;
            writer.push_market(recv, recv + latency, kind, flags, instrument, Ticks(price), qty).unwrap();
            expected.push((recv, recv + latency, kind as u8, flags, instrument, price, qty));
        }
        let summary = writer.finish().unwrap();
        let file = EventFile::open(&path).unwrap();
        prop_assert_eq!(summary.rows, expected.len() as u64);
        prop_assert_eq!(file.instruments(), &instruments[..]);
        prop_assert_eq!(file.provenance(), &provenance());
        let mut read = Vec::new();
        for n in 0..file.chunks().len() {
            let chunk = file.chunk(n).unwrap();
            prop_assert_eq!(chunk.first_row, read.len() as u64);
            let entry = file.chunks()[n];
            prop_assert_eq!(entry.recv_ns[0], chunk.rows.iter().map(|r| r.recv_ns).min().unwrap());
            prop_assert_eq!(entry.exch_ns[1], chunk.rows.iter().map(|r| r.exch_ns).max().unwrap());
            for r in chunk.rows {
                read.push((r.recv_ns, r.exch_ns, r.kind, r.flags, r.instrument, r.price(chunk.price_base).0, r.qty_lots));
            }
        }
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn order_rows_and_bars_round_trip() {
    let folder = Folder::new("orders-bars");
    let path = folder.file("orders.mse");
    let mut writer =
        EventWriter::create(&path, Schema::Order, vec![instrument("A")], provenance()).unwrap();
    for (n, kind) in
        [RowKind::OrderAdd, RowKind::OrderModify, RowKind::OrderExecute, RowKind::OrderDelete]
            .into_iter()
            .enumerate()
    {
        writer
            .push_order(n as i64, n as i64, kind, flags::ASK, 0, Ticks(5), 9, u64::MAX - 1)
            .unwrap();
    }
    writer.finish().unwrap();
    let file = EventFile::open(&path).unwrap();
    let chunk = file.order_chunk(0).unwrap();
    assert_eq!(chunk.rows.len(), 4);
    assert_eq!(chunk.rows[3].order_id, u64::MAX - 1);
    assert_eq!(chunk.rows[1].market.kind, RowKind::OrderModify as u8);
    assert_eq!(file.chunk(0).unwrap_err().kind(), ErrorKind::Data, "the schema is looked at");

    let path = folder.file("bars.mse");
    let bar = BarRow {
        recv_ns: 60,
        open_ns: 0,
        open: Ticks(10),
        high: Ticks(12),
        low: Ticks(9),
        close: Ticks(11),
        volume: Lots(100),
        trades: 7,
        instrument: 0,
        flags: 1,
    };
    let mut writer =
        EventWriter::create(&path, Schema::Bar, vec![instrument("A")], provenance()).unwrap();
    writer.push_bar(bar).unwrap();
    for (wrong, message) in [
        (BarRow { high: Ticks(10), ..bar }, "row 1: open 10 and close 11 are not within"),
        (BarRow { low: Ticks(11), ..bar }, "not within"),
        (BarRow { volume: Lots(-1), ..bar }, "negative volume -1"),
        (BarRow { open_ns: 61, ..bar }, "opens at 61"),
        (BarRow { recv_ns: 59, ..bar }, "receive time 59 is before 60"),
        (BarRow { flags: 256, ..bar }, "unknown flags 0x0100"),
    ] {
        let error = writer.push_bar(wrong).unwrap_err();
        assert!(error.message().contains(message), "{error}");
    }
    writer.finish().unwrap();
    assert_eq!(EventFile::open(&path).unwrap().bar_chunk(0).unwrap().rows, &[bar]);
}

#[test]
fn a_faulty_row_is_refused_by_number_and_the_writer_goes_on() {
    let folder = Folder::new("refused");
    let path = folder.file("a.mse");
    let mut writer =
        EventWriter::create(&path, Schema::Market, vec![instrument("A")], provenance()).unwrap();
    writer.push_market(10, 5, RowKind::Depth, 1, 0, Ticks(1), 1).unwrap();
    let mut refused = |kind, flags, instrument, recv, qty, message: &str| {
        let error =
            writer.push_market(recv, 0, kind, flags, instrument, Ticks(1), qty).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.message().contains("a.mse: row 1: "), "{error}");
        assert!(error.message().contains(message), "{error}");
    };
    refused(RowKind::Depth, 1, 0, 10, -1, "negative size -1");
    refused(RowKind::Depth, 8, 0, 10, 1, "unknown flags 0x08");
    refused(RowKind::Depth, 1, 1, 10, 1, "instrument 1 is not among the file's 1");
    refused(RowKind::Depth, 1, 0, 9, 1, "receive time 9 is before 10");
    refused(RowKind::OrderAdd, 1, 0, 10, 1, "needs a file of schema order");
    refused(RowKind::Status, 1, 0, 10, 2, "status is 0 or 1");
    refused(RowKind::Grid, 1, 0, 10, 1, "no price grid number 1");
    let error = writer.push_order(10, 0, RowKind::OrderAdd, 1, 0, Ticks(1), 1, 1).unwrap_err();
    assert!(
        error.message().contains("a row of schema order in a file of schema market"),
        "{error}"
    );
    writer.push_market(10, 5, RowKind::Funding, 1, 0, Ticks(1), -7).unwrap();
    assert_eq!(writer.finish().unwrap().rows, 2);
}

#[test]
fn nothing_half_written_is_left() {
    let folder = Folder::new("half");
    let path = folder.file("a.mse");
    let create =
        || EventWriter::create(&path, Schema::Market, vec![instrument("A")], provenance()).unwrap();
    let mut writer = create();
    writer.push_market(1, 1, RowKind::Depth, 1, 0, Ticks(1), 1).unwrap();
    assert_eq!(folder.names().len(), 1, "the temporary file");
    assert!(!path.exists());
    drop(writer);
    assert!(folder.names().is_empty(), "{:?}", folder.names());

    let error = create().finish().unwrap_err();
    assert!(error.message().contains("no rows were written"), "{error}");
    assert!(folder.names().is_empty());

    let nowhere = folder.file("missing/a.mse");
    let error = EventWriter::create(&nowhere, Schema::Market, vec![instrument("A")], provenance())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    for (instruments, message) in [
        (vec![], "1 to 1024 instruments, not 0"),
        (vec![instrument("A"), instrument("A")], "is there twice"),
        (vec![instrument("")], "symbol is empty"),
    ] {
        let error =
            EventWriter::create(&path, Schema::Market, instruments, provenance()).unwrap_err();
        assert!(error.message().contains(message), "{error}");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn negative_latency_makes_the_clock_uncorrected() {
    let folder = Folder::new("clock");
    let path = folder.file("a.mse");
    for (exch, stored) in [(10, ClockState::Trusted), (11, ClockState::Uncorrected)] {
        let mut writer =
            EventWriter::create(&path, Schema::Market, vec![instrument("A")], provenance())
                .unwrap();
        writer.push_market(10, exch, RowKind::Depth, 1, 0, Ticks(1), 1).unwrap();
        assert_eq!(writer.finish().unwrap().clock, stored);
        assert_eq!(EventFile::open(&path).unwrap().clock_state(), stored);
    }
}

#[test]
fn the_hash_names_the_rows_and_not_their_origin() {
    let folder = Folder::new("hash");
    let write = |name: &str, source: &str, qty: i64| {
        let path = folder.file(name);
        let mut origin = provenance();
        origin.source = source.into();
        let mut writer =
            EventWriter::create(&path, Schema::Market, vec![instrument("A")], origin).unwrap();
        writer.push_market(1, 1, RowKind::Depth, 1, 0, Ticks(1), qty).unwrap();
        writer.finish().unwrap();
        EventFile::open(&path).unwrap().content_hash().to_owned()
    };
    assert_eq!(write("a.mse", "x", 1), write("b.mse", "y", 1));
    assert_ne!(write("a.mse", "x", 1), write("b.mse", "x", 2));
}

fn open_fails(path: &std::path::Path, kind: ErrorKind, message: &str) {
    let error = EventFile::open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(message), "{error}");
    assert!(error.message().contains(&path.display().to_string()), "{error}");
}

#[test]
fn every_sort_of_wrong_file_has_its_message() {
    let folder = Folder::new("wrong");
    let good = folder.file("good.mse");
    write_depth(&good, 100, 32);
    let bytes = std::fs::read(&good).unwrap();
    let path = folder.file("bad.mse");

    open_fails(&path, ErrorKind::NotFound, "No such file");
    open_fails(&folder.0, ErrorKind::Io, "is a folder");
    std::fs::write(&path, b"").unwrap();
    open_fails(&path, ErrorKind::Data, "the file is empty");
    std::fs::write(&path, b"PAR1 something else").unwrap();
    open_fails(&path, ErrorKind::Data, "not an event file");
    std::fs::write(&path, &bytes[..40]).unwrap();
    open_fails(&path, ErrorKind::Data, "ends within its header");
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    open_fails(&path, ErrorKind::Data, "the end mark is missing");
    let mut newer = bytes.clone();
    newer[8] = 2;
    std::fs::write(&path, &newer).unwrap();
    open_fails(&path, ErrorKind::Data, "newer Mainspring (format 2)");
    let mut longer = bytes.clone();
    longer.splice(bytes.len() - 64..bytes.len() - 64, [0; 64]);
    std::fs::write(&path, &longer).unwrap();
    open_fails(&path, ErrorKind::Data, "incomplete");
}

#[test]
fn no_byte_can_change_unseen() {
    let folder = Folder::new("flip");
    let path = folder.file("a.mse");
    write_depth(&path, 20, 7);
    let bytes = std::fs::read(&path).unwrap();
    let bad = folder.file("bad.mse");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(&bad, &changed).unwrap();
        let seen = EventFile::open(&bad).and_then(|file| file.verify());
        assert!(seen.is_err(), "a flipped bit in byte {at} of {} passed", bytes.len());
    }
    for len in 0..bytes.len() {
        std::fs::write(&bad, &bytes[..len]).unwrap();
        assert!(EventFile::open(&bad).is_err(), "a file cut to {len} bytes was opened");
    }
}

#[test]
fn damage_names_the_chunk_and_spares_the_others() {
    let folder = Folder::new("damage");
    let path = folder.file("a.mse");
    write_depth(&path, 100, 32);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 64;
    let footer = u64::from_le_bytes(bytes[end + 8..end + 16].try_into().unwrap()) as usize;
    let second_chunk = footer - 68 * 32 + 3;
    bytes[second_chunk] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let file = EventFile::open(&path).unwrap();
    assert!(file.chunk(0).is_ok());
    let error = file.chunk(1).unwrap_err();
    assert!(error.message().contains("chunk 1 (rows 32 to 63) is damaged"), "{error}");
    assert!(file.chunk(2).is_ok());
    assert!(file.chunk(99).is_err());
}

#[cfg(unix)]
#[test]
fn a_file_that_shrinks_is_an_error_not_a_crash() {
    let folder = Folder::new("shrink");
    let path = folder.file("a.mse");
    write_depth(&path, 50_000, 10_000);
    let file = EventFile::open(&path).unwrap();
    let rows = file.chunk(0).unwrap().rows;
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4_096).unwrap();
    // A reader in the middle of a chunk goes on and reads zeros.
    assert_eq!(rows[9_000].recv_ns, 0);
    let error = file.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("shrank while it was being read"), "{error}");
    for n in 0..5 {
        assert!(file.chunk(n).unwrap_err().message().contains("shrank"));
    }
}
