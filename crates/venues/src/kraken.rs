//! Kraken websocket v1: book and trade.

use mainspring_core::{Decimal, Side, TimeNs};

use crate::feed::{utf8, BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent};
use crate::json::{Scalar, Scan, Scanner};
use crate::level::{scan_decimal_element, scan_integer, Level};

/// Reads one message.
///
/// # Errors
/// When it is malformed, or a known field holds what it cannot hold.
pub fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    if scanner.peek() == b'{' {
        return status(scanner, on);
    }
    // [channel id, payload, (payload,) channel name, pair]; the names come last.
    let mut payloads: [&[u8]; 2] = [&[]; 2];
    let mut names: [&str; 2] = [""; 2];
    let (mut payload_count, mut name_count) = (0, 0);
    scanner.begin_array()?;
    let mut first = true;
    while scanner.next_element()? {
        match scanner.peek() {
            b'{' | b'[' if payload_count < 2 => {
                payloads[payload_count] = scanner.raw()?;
                payload_count += 1;
            }
            b'"' if name_count < 2 => {
                names[name_count] = utf8(scanner.string()?).unwrap_or("");
                name_count += 1;
            }
            _ if first => scanner.skip()?,
            _ => return scanner.refuse("an element that does not belong there"),
        }
        first = false;
    }
    scanner.end()?;
    if name_count < 2 || payload_count == 0 {
        return scanner.refuse("not [id, data, channel, pair]");
    }
    let [channel, pair] = names;
    let depth = channel.strip_prefix("book-").and_then(|depth| depth.parse().ok());
    match (channel, depth) {
        ("trade", _) => trades(payloads[0], pair, on),
        ("book", _) => book(&payloads[..payload_count], pair, 10, sides, on),
        (_, Some(depth)) => book(&payloads[..payload_count], pair, depth, sides, on),
        _ => {
            on(FeedEvent::Other(channel));
            Ok(())
        }
    }
}

fn status(mut scanner: Scanner<'_>, on: OnEvent<'_>) -> Scan<()> {
    let mut event = None;
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"event" => event = scanner.scalar()?.text().and_then(utf8),
            _ => scanner.skip()?,
        }
    }
    on(FeedEvent::Other(event.unwrap_or("other")));
    scanner.end()
}

struct Read {
    snapshot: bool,
    update: bool,
    time_ns: TimeNs,
    places: (u8, u8),
    checksum: Option<i64>,
}

fn book(
    payloads: &[&[u8]],
    symbol: &str,
    depth: usize,
    sides: &mut Sides,
    on: OnEvent<'_>,
) -> Scan<()> {
    sides.clear();
    let mut read =
        Read { snapshot: false, update: false, time_ns: 0, places: (0, 0), checksum: None };
    for payload in payloads {
        let mut scanner = Scanner::new(payload);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"as" | b"bs" => read.snapshot = true,
                b"a" | b"b" => read.update = true,
                _ => {}
            }
            match key {
                b"as" | b"a" => levels(&mut scanner, &mut sides.asks, &mut read)?,
                b"bs" | b"b" => levels(&mut scanner, &mut sides.bids, &mut read)?,
                b"c" => read.checksum = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        if read.snapshot == read.update {
            return scanner.refuse("neither a snapshot (as, bs) nor an update (a, b)");
        }
    }
    on(FeedEvent::Book(BookEvent {
        symbol,
        snapshot: read.snapshot,
        time_ns: (read.time_ns > 0).then_some(read.time_ns),
        bids: &sides.bids,
        asks: &sides.asks,
        sequence: Sequence::None,
        checksum: read.checksum,
        depth: Some(depth),
        places: read.places,
    }));
    Ok(())
}

/// Reads levels `[price, volume, time(, "r")]`.
fn levels(scanner: &mut Scanner<'_>, into: &mut Vec<Level>, read: &mut Read) -> Scan<()> {
    scanner.begin_array()?;
    while scanner.next_element()? {
        scanner.begin_array()?;
        let (price, price_places) = written(scanner)?;
        let (qty, qty_places) = written(scanner)?;
        read.places = (price_places, qty_places);
        let time = scan_decimal_element(scanner, "a level without its time")?;
        read.time_ns = read.time_ns.max(nanos(time, scanner)?);
        while scanner.next_element()? {
            scanner.skip()?;
        }
        into.push(Level { price, qty });
    }
    Ok(())
}

/// A number and the decimal places it is written with.
fn written(scanner: &mut Scanner<'_>) -> Scan<(Decimal, u8)> {
    if !scanner.next_element()? {
        return scanner.refuse("a level needs price, volume and time");
    }
    let text = match scanner.scalar()? {
        Scalar::Text(text) => text,
        _ => return scanner.refuse("a number that is not quoted"),
    };
    let places = text.iter().position(|byte| *byte == b'.').map_or(0, |at| text.len() - at - 1);
    match (Decimal::from_ascii(text), u8::try_from(places)) {
        (Some(value), Ok(places)) => Ok((value, places)),
        _ => scanner.refuse("not a decimal number"),
    }
}

fn nanos(seconds: Decimal, scanner: &Scanner<'_>) -> Scan<TimeNs> {
    let value = seconds.to_scale(9).and_then(|ns| i64::try_from(ns).ok());
    match value.filter(|ns| *ns > 0) {
        Some(ns) => Ok(ns),
        None => scanner.refuse("a time that is no seconds since 1970"),
    }
}

/// Reads trades `[price, volume, time, side, type, misc]`.
fn trades(payload: &[u8], symbol: &str, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(payload);
    scanner.begin_array()?;
    while scanner.next_element()? {
        scanner.begin_array()?;
        let price = scan_decimal_element(&mut scanner, "a trade needs a price")?;
        let qty = scan_decimal_element(&mut scanner, "a trade needs a volume")?;
        let time = scan_decimal_element(&mut scanner, "a trade needs a time")?;
        let time_ns = Some(nanos(time, &scanner)?);
        if !scanner.next_element()? {
            return scanner.refuse("a trade needs a side");
        }
        let taker = match scanner.scalar()?.text() {
            Some(b"b") => Side::Buy,
            Some(b"s") => Side::Sell,
            _ => return scanner.refuse("an unknown side"),
        };
        while scanner.next_element()? {
            scanner.skip()?;
        }
        let level = Level { price, qty };
        on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker }));
    }
    Ok(())
}
