//! Books rebuilt from real recordings equal what the venues themselves published.
//!
//! The recordings are not part of the repository. They are looked for in `$MAINSPRING_SHARED`, or
//! in `../shared` beside the repository; without them the tests say so and pass, unless
//! `MAINSPRING_REQUIRE_SHARED=1`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use mainspring_book::checksum::{kraken_checksum, okx_checksum};
use mainspring_book::{L2Book, L3Book};
use mainspring_core::event::flags;
use mainspring_core::{Decimal, Lots, MarketRow, OrderRow, RowKind, Side, Ticks};
use serde_json::Value;

/// The text of a compressed recording, or `None` when it is not there.
fn recording(path: &str) -> Option<String> {
    let root = std::env::var_os("MAINSPRING_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let file = root.join("data").join(path);
    if !file.exists() {
        let required = std::env::var("MAINSPRING_REQUIRE_SHARED").is_ok_and(|v| v == "1");
        assert!(!required, "{} is missing", file.display());
        eprintln!("skipped: {} is missing", file.display());
        return None;
    }
    let program = if path.ends_with(".xz") { "xz" } else { "gzip" };
    let output = Command::new(program).arg("-dc").arg(&file).output().expect("decompressor runs");
    assert!(output.status.success(), "{program} failed on {}", file.display());
    Some(String::from_utf8(output.stdout).expect("text"))
}

fn integers(line: &str) -> Vec<i64> {
    line.split(',').map(|field| field.parse().expect("a whole number")).collect()
}

/// One whole message of one row.
fn order_row(kind: RowKind, id: u64, side: Side, price: i64, qty: i64) -> OrderRow {
    let ask = if side == Side::Sell { flags::ASK } else { 0 };
    OrderRow {
        market: MarketRow {
            recv_ns: 0,
            exch_ns: 0,
            qty_lots: qty,
            price_offset: i32::try_from(price).expect("price in range"),
            kind: kind as u8,
            flags: flags::END_OF_MESSAGE | ask,
            instrument: 0,
        },
        order_id: id,
    }
}

/// A LOBSTER message as a row; `None` for hidden executions and halts.
fn lobster_row(line: &str, book: &L3Book) -> Option<OrderRow> {
    let mut fields = line.split(',').skip(1);
    let mut next = || fields.next()?.parse::<i64>().ok();
    let (kind, id, size, price, direction) = (next()?, next()?, next()?, next()?, next()?);
    let (id, price) = (id as u64, price / 100);
    let side = if direction == 1 { Side::Buy } else { Side::Sell };
    let (kind, qty) = match kind {
        1 => (RowKind::OrderAdd, size),
        // Of an order from before the recording a partial cancel is known only as a reduction.
        2 => match book.order(id) {
            Some(order) => (RowKind::OrderModify, order.qty.0 - size),
            None => (RowKind::OrderDelete, size),
        },
        3 => (RowKind::OrderDelete, size),
        4 => (RowKind::OrderExecute, size),
        _ => return None,
    };
    Some(order_row(kind, id, side, price, qty))
}

#[test]
fn lobster_best_prices_are_equal_on_every_row() {
    let dir = "lobster-aapl-2012/AAPL_2012-06-21";
    let (Some(messages), Some(quotes), Some(levels)) = (
        recording(&format!("{dir}_message_50_first40000.csv.gz")),
        recording(&format!("{dir}_bbo_first40000.csv.gz")),
        recording(&format!("{dir}_orderbook_50_first672.csv.gz")),
    ) else {
        return;
    };
    let mut book = L3Book::default();
    for level in integers(levels.lines().next().expect("a first row")).chunks(4) {
        for (side, price, size) in
            [(Side::Sell, level[0], level[1]), (Side::Buy, level[2], level[3])]
        {
            book.apply(&order_row(RowKind::Depth, 0, side, price / 100, size), Ticks(0)).unwrap();
        }
    }
    // The first published book has the first message in it.
    let first = lobster_row(messages.lines().next().unwrap(), &book).unwrap().market;
    let (side, price) = (first.side(), first.price(Ticks(0)));
    let seeded = book.anonymous(side, price);
    book.set_anonymous(side, price, seeded - first.qty()).unwrap();

    let (mut equal, mut sizes, mut rows) = (0, 0, 0);
    for (message, quote) in messages.lines().zip(quotes.lines()) {
        if let Some(row) = lobster_row(message, &book) {
            // Orders from outside the 50 seeded levels are unknown: counted as faults.
            let _ = book.apply(&row, Ticks(0));
        }
        let wanted = integers(quote);
        let l2 = book.l2();
        equal += usize::from(
            (l2.best_ask(), l2.best_bid()) == (Ticks(wanted[0] / 100), Ticks(wanted[2] / 100)),
        );
        let best = (l2.best_qty(Side::Sell).0, l2.best_qty(Side::Buy).0);
        sizes += usize::from(best == (wanted[1], wanted[3]));
        rows += 1;
    }
    println!(
        "LOBSTER: {equal} best prices, {sizes} sizes equal of {rows}; {} faults",
        book.faults()
    );
    assert_eq!((equal, rows), (40_000, 40_000));
    assert_eq!(sizes, 40_000);
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a string field")
}

fn units(text: &str, decimals: u8) -> i64 {
    let unit = Decimal::new(1, decimals).unwrap();
    text.parse::<Decimal>().unwrap().count_of(unit).expect("on the grid")
}

fn bitstamp_row(event: &str, json: &Value) -> Option<OrderRow> {
    let kind = match event {
        "order_created" => RowKind::OrderAdd,
        "order_changed" => RowKind::OrderModify,
        "order_deleted" => RowKind::OrderDelete,
        _ => return None,
    };
    let side = if json["order_type"] == 0 { Side::Buy } else { Side::Sell };
    let (price, qty) = (units(text(json, "price"), 2), units(text(json, "amount"), 8));
    Some(order_row(kind, json["id"].as_u64()?, side, price, qty))
}

#[test]
fn bitstamp_levels_equal_the_snapshots() {
    let Some(log) = recording("bitstamp-l3-2015/2015-05-01_first2h.log.xz") else {
        return;
    };
    let mut book = L3Book::default();
    let (mut equal, mut compared) = (0, 0);
    for (number, line) in log.lines().enumerate() {
        let mut parts = line.splitn(3, ' ').skip(1);
        let (event, json) = (parts.next().unwrap(), parts.next().unwrap());
        let json: Value = serde_json::from_str(json).expect("json");
        if let Some(row) = bitstamp_row(event, &json) {
            let _ = book.apply(&row, Ticks(0));
        }
        // The log starts in the middle of the day; by here the top of the book has turned over.
        if event != "order_book" || number < 20_000 {
            continue;
        }
        for (side, name) in [(Side::Buy, "bids"), (Side::Sell, "asks")] {
            for level in json[name].as_array().unwrap().iter().take(5) {
                let price = Ticks(units(level[0].as_str().unwrap(), 2));
                let size = Lots(units(level[1].as_str().unwrap(), 8));
                equal += usize::from(book.l2().qty(side, price) == size);
                compared += 1;
            }
        }
    }
    println!("Bitstamp: {equal} of {compared} level sizes equal");
    assert_eq!((equal, compared), (4_180, 4_180));
}

/// The received messages of a raw websocket session, parsed.
fn session(name: &str) -> Option<Vec<Value>> {
    let log = recording(&format!("cryptofeed-raw/{name}"))?;
    let received = log.lines().filter(|line| !line.starts_with("wss"));
    let json = received.filter_map(|line| line.split_once(": ").map(|(_, json)| json));
    Some(json.filter_map(|json| serde_json::from_str(json).ok()).collect())
}

/// Sets the levels of a message whose prices and sizes are text.
fn set_levels(book: &mut L2Book, side: Side, levels: &Value, decimals: (u8, u8)) {
    for level in levels.as_array().into_iter().flatten() {
        let price = units(level[0].as_str().unwrap(), decimals.0);
        let qty = units(level[1].as_str().unwrap(), decimals.1);
        book.set(side, Ticks(price), Lots(qty));
    }
}

#[test]
fn okx_checksums_are_equal() {
    let Some(messages) = session("OKX.ws.1.0.gz") else { return };
    // Finer than any instrument of the session: trailing zeros do not count.
    let decimals = (10, 9);
    let unit = |places| Decimal::new(1, places).unwrap();
    let mut books: HashMap<String, L2Book> = HashMap::new();
    let (mut equal, mut compared) = (0, 0);
    for message in messages.iter().filter(|m| m["arg"]["channel"] == "books") {
        let Some(data) = message["data"].get(0) else { continue };
        let book = books.entry(text(&message["arg"], "instId").to_owned()).or_default();
        if message["action"] == "snapshot" {
            book.clear();
        }
        set_levels(book, Side::Buy, &data["bids"], decimals);
        set_levels(book, Side::Sell, &data["asks"], decimals);
        let sum = okx_checksum(book, unit(decimals.0), unit(decimals.1));
        equal += usize::from(data["checksum"].as_i64() == Some(i64::from(sum)));
        compared += 1;
    }
    println!("OKX: {equal} of {compared} checksums equal");
    assert_eq!((equal, compared), (290, 290));
}

/// Decimal places of a price and a volume as the venue writes them.
fn places(level: &Value) -> (u8, u8) {
    let after_point = |text: &str| text.split_once('.').map_or(0, |(_, places)| places.len() as u8);
    (after_point(level[0].as_str().unwrap()), after_point(level[1].as_str().unwrap()))
}

#[test]
fn kraken_checksums_are_equal() {
    let mut books: HashMap<String, (L2Book, (u8, u8))> = HashMap::new();
    let (mut equal, mut compared) = (0, 0);
    for name in ["KRAKEN.ws.48.0.gz", "KRAKEN.ws.49.0.gz", "KRAKEN.ws.50.0.gz"] {
        let Some(messages) = session(name) else { return };
        for message in messages.iter().filter_map(Value::as_array) {
            let [_, bodies @ .., channel, pair] = message.as_slice() else { continue };
            if channel != "book-1000" {
                continue;
            }
            if !bodies[0]["as"].is_null() {
                let decimals = places(&bodies[0]["as"][0]);
                let book = (L2Book::default(), decimals);
                books.insert(pair.to_string(), book);
            }
            let (book, decimals) = books.get_mut(&pair.to_string()).expect("a snapshot first");
            for body in bodies {
                for (name, side) in
                    [("as", Side::Sell), ("a", Side::Sell), ("bs", Side::Buy), ("b", Side::Buy)]
                {
                    set_levels(book, side, &body[name], *decimals);
                }
            }
            let Some(wanted) = bodies.iter().find_map(|body| body["c"].as_str()) else { continue };
            let unit = |places| (Decimal::new(1, places).unwrap(), places);
            let sum = kraken_checksum(book, unit(decimals.0), unit(decimals.1));
            equal += usize::from(sum.map(|s| s.to_string()).as_deref() == Some(wanted));
            compared += 1;
        }
    }
    println!("Kraken: {equal} of {compared} checksums equal");
    assert_eq!((equal, compared), (4_269, 4_269));
}

/// A lost line must not go unnoticed: the books differ from the venue's, and the L3 book says so.
#[test]
fn a_dropped_lobster_message_shows() {
    let dir = "lobster-aapl-2012/AAPL_2012-06-21";
    let Some(messages) = recording(&format!("{dir}_message_50_first40000.csv.gz")) else { return };
    let lines: Vec<&str> = messages.lines().take(3_000).collect();
    let replay = |dropped: Option<usize>| {
        let mut book = L3Book::default();
        for (n, line) in lines.iter().enumerate() {
            if Some(n) != dropped {
                if let Some(row) = lobster_row(line, &book) {
                    let _ = book.apply(&row, Ticks(0));
                }
            }
        }
        (book.faults(), book.len())
    };
    let whole = replay(None);
    let is_order_event = |n: &usize| matches!(lines[*n].split(',').nth(1), Some("1" | "3"));
    let known = (0..lines.len()).filter(is_order_event).step_by(50);
    let mut noticed = 0;
    for n in known {
        assert_ne!(replay(Some(n)), whole, "line {n} was dropped without a trace");
        noticed += 1;
    }
    assert!(noticed > 40);
}
