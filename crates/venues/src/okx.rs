//! OKX v5 public channels: books (with the checksum of recordings before June 2026) and trades.

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
    let (mut arg, mut data, mut action, mut event) = (None, None, None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"arg" => arg = Some(scanner.raw()?),
            b"data" => data = Some(scanner.raw()?),
            b"action" => action = scanner.scalar()?.text(),
            b"event" => event = scanner.scalar()?.text().and_then(utf8),
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    let (Some(arg), Some(data)) = (arg, data) else {
        on(FeedEvent::Other(event.unwrap_or("other")));
        return Ok(());
    };
    let (channel, symbol) = argument(arg)?;
    match channel {
        "books" | "books5" | "books50-l2-tbt" | "books-l2-tbt" => {
            let snapshot = match action {
                Some(b"snapshot") => true,
                Some(b"update") => false,
                // books5 sends nothing but snapshots and does not say so.
                None if channel == "books5" => true,
                _ => return scanner.refuse("an unknown action"),
            };
            books(data, symbol, snapshot, sides, on)
        }
        "trades" | "trades-all" => trades(data, on),
        other => {
            on(FeedEvent::Other(other));
            Ok(())
        }
    }
}

fn argument(arg: &[u8]) -> Scan<(&str, &str)> {
    let mut scanner = Scanner::new(arg);
    let (mut channel, mut symbol) = (None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"channel" => channel = scanner.scalar()?.text().and_then(utf8),
            b"instId" => symbol = scanner.scalar()?.text().and_then(utf8),
            _ => scanner.skip()?,
        }
    }
    match channel {
        Some(channel) => Ok((channel, symbol.unwrap_or(""))),
        None => scanner.refuse("a message without its channel"),
    }
}

fn books(
    data: &[u8],
    symbol: &str,
    snapshot: bool,
    sides: &mut Sides,
    on: OnEvent<'_>,
) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        sides.clear();
        let (mut ms, mut checksum, mut previous, mut this) = (None, None, None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"bids" => scan_levels(&mut scanner, &mut sides.bids)?,
                b"asks" => scan_levels(&mut scanner, &mut sides.asks)?,
                b"ts" => ms = Some(scan_integer(&mut scanner)?),
                // Zero is what the venue sends since it dropped the checksum.
                b"checksum" => checksum = Some(scan_integer(&mut scanner)?).filter(|sum| *sum != 0),
                b"prevSeqId" => previous = Some(scan_integer(&mut scanner)?),
                b"seqId" => this = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        let Some(time_ns) = ms.and_then(millis_ns) else {
            return scanner.refuse("a book without its time (ts)");
        };
        let sequence = match (previous, this) {
            (Some(previous), Some(this)) => Sequence::Chain { previous, this },
            _ => Sequence::None,
        };
        on(FeedEvent::Book(BookEvent {
            symbol,
            snapshot,
            time_ns: Some(time_ns),
            bids: &sides.bids,
            asks: &sides.asks,
            sequence,
            checksum,
            depth: None,
            places: (0, 0),
        }));
    }
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
                b"instId" => symbol = scanner.scalar()?.text().and_then(utf8),
                b"px" => price = Some(scan_decimal(&mut scanner)?),
                b"sz" => qty = Some(scan_decimal(&mut scanner)?),
                b"side" => {
                    taker = match scanner.scalar()?.text() {
                        Some(b"buy") => Some(Side::Buy),
                        Some(b"sell") => Some(Side::Sell),
                        _ => return scanner.refuse("an unknown side"),
                    };
                }
                b"ts" => ms = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        let (Some(symbol), Some(price), Some(qty), Some(taker)) = (symbol, price, qty, taker)
        else {
            return scanner.refuse("a trade without all of instId, px, sz, side");
        };
        let level = Level { price, qty };
        let time_ns = ms.and_then(millis_ns);
        on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker }));
    }
    Ok(())
}
