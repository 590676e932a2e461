//! LOBSTER message files.

use mainspring_book::L3Book;
use mainspring_core::event::{MarketRow, OrderRow};
use mainspring_core::{RowKind, Side, Ticks};
use mainspring_data::import::lobster::{self, Messages};
use mainspring_data::import::report::Tally;
use mainspring_data::import::stage::{Source, Staged};
use mainspring_data::import::{BadLines, Options};
use proptest::prelude::*;

use crate::support::{import, order_rows, recording, text_of, Folder};

const MESSAGES: &str = "\
34200.000000001,1,11,100,5853300,1
34200.000000002,1,12,50,5853400,-1
34200.5,4,7,10,5853200,1
34200.5,2,11,40,5853300,1
34200.6,4,12,50,5853400,-1
34200.7,5,0,3,5853350,-1
34200.8,3,11,60,5853300,1
34200.9,3,99,5,5853100,1
";

/// The book behind the first message.
const BOOK: &str =
    "5854000,200,5853300,100,9999999999,0,5853200,30,9999999999,0,-9999999999,0\n1,1,1,1\n";

fn inputs(folder: &Folder, messages: &str) -> Vec<std::path::PathBuf> {
    vec![
        folder.write("AAPL_2012-06-21_message_3.csv", messages),
        folder.write("AAPL_2012-06-21_orderbook_3.csv", BOOK),
    ]
}

#[test]
fn orders_known_and_anonymous_are_followed() {
    let folder = Folder::new();
    let inputs = inputs(&folder, MESSAGES);
    let (report, file) = import(lobster::import, &inputs, &folder, &Options::default()).unwrap();
    assert_eq!(report.messages["add"], 2);
    assert!(report.notes.iter().any(|note| note.starts_with("1 events were about orders outside")));
    let instrument = &file.instruments()[0];
    assert_eq!(
        (instrument.symbol.as_str(), instrument.tick().to_string()),
        ("AAPL", "0.0001".into())
    );
    let rows = order_rows(&file);
    // 2012-06-21 09:30 in New York is 13:30 UTC.
    assert_eq!(rows[0].0.market.exch_ns, 1_340_285_400_000_000_001);
    let mut book = L3Book::default();
    for (row, price) in &rows {
        let market = MarketRow { price_offset: 0, ..row.market };
        book.apply(&OrderRow { market, ..*row }, *price).unwrap();
    }
    assert_eq!(book.l2().best(Side::Buy), Some(Ticks(5_853_200)));
    assert_eq!(book.l2().best_qty(Side::Buy).0, 20);
    assert_eq!(book.l2().best(Side::Sell), Some(Ticks(5_854_000)));
    let of_kind = |kind: RowKind| -> Vec<_> {
        rows.iter()
            .filter(|(row, _)| row.market.kind == kind as u8)
            .map(|(row, price)| (row.market.side(), price.0, row.market.qty_lots))
            .collect()
    };
    // Executions of orders carry the side of the order, other trades that of the taker.
    let executed = [(Side::Buy, 5_853_200, 10), (Side::Sell, 5_853_400, 50)];
    assert_eq!(of_kind(RowKind::OrderExecute), executed);
    assert_eq!(of_kind(RowKind::Trade), [(Side::Buy, 5_853_350, 3)]);
}

#[test]
fn bad_messages_are_named() {
    for (line, says) in [
        ("34200.1,1,13,-5,5853300,1", "line 9: size -5"),
        ("34200.1,1,13,5,5853300,0", "line 9: the direction 0"),
        ("34200.1,9,13,5,5853300,1", "line 9: the message type 9"),
        ("34200.1,1,13,5,nan,1", "line 9: the price 'nan'"),
        ("34200.1,1,13,5,5853333,1", "line 9: the price 585.3333 is not on the price grid"),
        ("99999,1,13,5,5853300,1", "line 9: the time"),
        ("1,2,3", "line 9: not a LOBSTER message"),
    ] {
        let folder = Folder::new();
        let inputs = inputs(&folder, &format!("{MESSAGES}{line}\n"));
        let error = import(lobster::import, &inputs, &folder, &Options::default()).unwrap_err();
        assert!(error.message().contains(says), "{error} does not say {says}");
        assert_eq!(folder.names().len(), 2);
    }
}

#[test]
fn the_date_must_come_from_somewhere() {
    let folder = Folder::new();
    let input = folder.write("AAPL_message.csv", MESSAGES);
    let error = import(lobster::import, std::slice::from_ref(&input), &folder, &Options::default())
        .unwrap_err();
    assert!(error.message().contains("--date"), "{error}");
    let options = Options { date: Some("2012-06-21".into()), ..Options::default() };
    import(lobster::import, &[input], &folder, &options).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_messages_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
        skip in any::<bool>(),
    ) {
        let mut text = MESSAGES.as_bytes().to_vec();
        for (at, how, byte) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, b"0123456789,.-\n"[usize::from(byte) % 14]),
            }
        }
        let folder = Folder::new();
        let input = folder.write("AAPL_2012-06-21_message_3.csv", text);
        let bad_lines = if skip { BadLines::Skip } else { BadLines::Refuse };
        let options = Options { bad_lines, ..Options::default() };
        if import(lobster::import, &[input], &folder, &options).is_err() {
            prop_assert_eq!(folder.names().len(), 1);
        }
    }
}

#[test]
fn best_prices_equal_the_published_book_after_every_message() {
    let Some(messages) =
        recording("lobster-aapl-2012/AAPL_2012-06-21_message_50_first40000.csv.gz")
    else {
        return;
    };
    let folder_of = messages.parent().unwrap().to_owned();
    let inputs = [messages, folder_of.join("AAPL_2012-06-21_orderbook_50_first672.csv.gz")];
    let published = text_of(&folder_of.join("AAPL_2012-06-21_bbo_first40000.csv.gz"));
    let published: Vec<Vec<i64>> = std::str::from_utf8(&published)
        .unwrap()
        .lines()
        .map(|line| line.split(',').map(|field| field.parse().unwrap()).collect())
        .collect();
    assert_eq!(published.len(), 40_000);

    // The source is asked message by message, because a message may leave the book as it is.
    let options = Options::default();
    let mut source = Messages::open(&inputs, &options).unwrap();
    let (mut staged, mut tally) = (Staged::default(), Tally::new(BadLines::Refuse));
    let mut book = L3Book::default();
    let (mut prices, mut sizes) = (0, 0);
    for row in &published {
        assert!(source.next(&mut staged, &mut tally).unwrap());
        let last = staged.rows.len();
        for (at, own) in staged.rows.iter().enumerate() {
            let end = u8::from(at + 1 == last);
            let count =
                |value: mainspring_core::Decimal, places| value.to_scale(places).unwrap() as i64;
            let market = MarketRow {
                recv_ns: staged.recv_ns,
                exch_ns: staged.exch_ns,
                qty_lots: count(own.qty, 0),
                price_offset: count(own.price, 4) as i32,
                kind: own.kind as u8,
                flags: own.flags | end,
                instrument: 0,
            };
            book.apply(&OrderRow { market, order_id: own.order_id }, Ticks(0)).unwrap();
        }
        let l2 = book.l2();
        let best = [l2.best(Side::Sell).unwrap().0, l2.best(Side::Buy).unwrap().0];
        prices += usize::from(best == [row[0], row[2]]);
        sizes +=
            usize::from([l2.best_qty(Side::Sell).0, l2.best_qty(Side::Buy).0] == [row[1], row[3]]);
    }
    assert!(!source.next(&mut staged, &mut tally).unwrap());
    assert_eq!(prices, 40_000);
    assert_eq!(sizes, 40_000);

    let folder = Folder::new();
    let (report, file) = import(lobster::import, &inputs, &folder, &options).unwrap();
    assert_eq!(report.messages.values().sum::<u64>(), 40_000);
    assert!(file.rows() > 40_000);
}
