//! Bybit v5 public topics: `orderbook.N.SYMBOL` and `publicTrade.SYMBOL`.

use mainspring_core::Side;

use crate::feed::{millis_ns, utf8, BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, scan_integer, scan_levels, Level};

/// Reads one message.
///
/// # Errors
/// When it is malformed, or a known field holds what it cannot hold.
pub fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let (mut topic, mut kind, mut data) = (None, None, None);
    let (mut sent_ms, mut matched_ms) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"topic" => topic = scanner.scalar()?.text().and_then(utf8),
            b"type" => kind = scanner.scalar()?.text(),
            b"data" => data = Some(scanner.raw()?),
            b"ts" => sent_ms = scanner.scalar()?.integer(),
            b"cts" => matched_ms = scanner.scalar()?.integer(),
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    let (Some(topic), Some(data)) = (topic, data) else {
        on(FeedEvent::Other("other"));
        return Ok(());
    };
    if topic.starts_with("orderbook.") {
        let snapshot = match kind {
            Some(b"snapshot") => true,
            Some(b"delta") => false,
            _ => return scanner.refuse("an order book that is neither snapshot nor delta"),
        };
        let Some(time_ns) = matched_ms.or(sent_ms).and_then(millis_ns) else {
            return scanner.refuse("an order book without its time (cts, ts)");
        };
        book(data, snapshot, time_ns, sides, on)
    } else if topic.starts_with("publicTrade.") {
        trades(data, on)
    } else {
        on(FeedEvent::Other(topic));
        Ok(())
    }
}

fn book(data: &[u8], snapshot: bool, time_ns: i64, sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    sides.clear();
    let (mut symbol, mut update) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"s" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"b" => scan_levels(&mut scanner, &mut sides.bids)?,
            b"a" => scan_levels(&mut scanner, &mut sides.asks)?,
            b"u" => update = Some(scan_integer(&mut scanner)?),
            _ => scanner.skip()?,
        }
    }
    let (Some(symbol), Some(update)) = (symbol, update) else {
        return scanner.refuse("an order book without its symbol or update id (s, u)");
    };
    on(FeedEvent::Book(BookEvent {
        symbol,
        // Update id 1 is the service after a restart, whatever the type says.
        snapshot: snapshot || update == 1,
        time_ns: Some(time_ns),
        bids: &sides.bids,
        asks: &sides.asks,
        sequence: Sequence::Counter(update),
        checksum: None,
        depth: None,
        places: (0, 0),
    }));
    Ok(())
}

fn trades(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        let (mut symbol, mut price, mut qty, mut taker, mut ms) = (None, None, None, None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"s" => symbol = scanner.scalar()?.text().and_then(utf8),
                b"p" => price = Some(scan_decimal(&mut scanner)?),
                b"v" => qty = Some(scan_decimal(&mut scanner)?),
                b"S" => {
                    taker = match scanner.scalar()?.text() {
                        Some(b"Buy") => Some(Side::Buy),
                        Some(b"Sell") => Some(Side::Sell),
                        _ => return scanner.refuse("an unknown side"),
                    };
                }
                b"T" => ms = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        let (Some(symbol), Some(price), Some(qty), Some(taker)) = (symbol, price, qty, taker)
        else {
            return scanner.refuse("a trade without all of s, p, v, S");
        };
        let level = Level { price, qty };
        let time_ns = ms.and_then(millis_ns);
        on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker }));
    }
    Ok(())
}
