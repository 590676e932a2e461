//! Hyperliquid: `l2Book` (always the whole visible book) and `trades`.

use mainspring_core::Side;

use crate::feed::{millis_ns, utf8, BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, scan_integer, Level};

/// Reads one message.
///
/// # Errors
/// When it is malformed, or a known field holds what it cannot hold.
pub fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let (mut channel, mut data) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"channel" => channel = scanner.scalar()?.text().and_then(utf8),
            b"data" => data = Some(scanner.raw()?),
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    match (channel, data) {
        (Some("l2Book"), Some(data)) => book(data, sides, on),
        (Some("trades"), Some(data)) => trades(data, on),
        (channel, _) => {
            on(FeedEvent::Other(channel.unwrap_or("other")));
            Ok(())
        }
    }
}

fn book(data: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    sides.clear();
    let (mut symbol, mut ms) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"coin" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"time" => ms = Some(scan_integer(&mut scanner)?),
            b"levels" => both_sides(&mut scanner, sides)?,
            _ => scanner.skip()?,
        }
    }
    let (Some(symbol), Some(time_ns)) = (symbol, ms.and_then(millis_ns)) else {
        return scanner.refuse("a book without its coin or time");
    };
    on(FeedEvent::Book(BookEvent {
        symbol,
        snapshot: true,
        time_ns: Some(time_ns),
        bids: &sides.bids,
        asks: &sides.asks,
        sequence: Sequence::None,
        checksum: None,
        depth: None,
        places: (0, 0),
    }));
    Ok(())
}

fn both_sides(scanner: &mut Scanner<'_>, sides: &mut Sides) -> Scan<()> {
    scanner.begin_array()?;
    for levels in [&mut sides.bids, &mut sides.asks] {
        if !scanner.next_element()? {
            return scanner.refuse("a book without both sides");
        }
        scanner.begin_array()?;
        while scanner.next_element()? {
            levels.push(level(scanner)?);
        }
    }
    if scanner.next_element()? {
        return scanner.refuse("a book with more than two sides");
    }
    Ok(())
}

fn level(scanner: &mut Scanner<'_>) -> Scan<Level> {
    let (mut price, mut qty) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"px" => price = Some(scan_decimal(scanner)?),
            b"sz" => qty = Some(scan_decimal(scanner)?),
            _ => scanner.skip()?,
        }
    }
    match (price, qty) {
        (Some(price), Some(qty)) => Ok(Level { price, qty }),
        _ => scanner.refuse("a level without px or sz"),
    }
}

fn trades(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        let (mut symbol, mut price, mut qty, mut taker, mut ms) = (None, None, None, None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"coin" => symbol = scanner.scalar()?.text().and_then(utf8),
                b"px" => price = Some(scan_decimal(&mut scanner)?),
                b"sz" => qty = Some(scan_decimal(&mut scanner)?),
                b"side" => {
                    taker = match scanner.scalar()?.text() {
                        Some(b"B") => Some(Side::Buy),
                        Some(b"A") => Some(Side::Sell),
                        _ => return scanner.refuse("an unknown side"),
                    };
                }
                b"time" => ms = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        let (Some(symbol), Some(price), Some(qty), Some(taker)) = (symbol, price, qty, taker)
        else {
            return scanner.refuse("a trade without all of coin, px, sz, side");
        };
        let level = Level { price, qty };
        let time_ns = ms.and_then(millis_ns);
        on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker }));
    }
    Ok(())
}
