//! Public channels: books (with the checksum of recordings before June 2026), best prices, trades,
//! mark price and funding; and the same by REST.

use crate::envelope::{trades, TradeKeys};
use crate::feed::{
    millis_ns, utf8, BestEvent, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides,
};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, scan_integer, scan_levels};

const TRADE: TradeKeys = TradeKeys {
    symbol: b"instId",
    price: b"px",
    qty: b"sz",
    side: b"side",
    time: b"ts",
    sides: [b"buy", b"sell"],
    needed: "a trade without all of instId, px, sz, side",
};

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
            books(data, Shape::Book { snapshot }, symbol, sides, on)
        }
        "bbo-tbt" => books(data, Shape::Best, symbol, sides, on),
        "trades" | "trades-all" => trades(data, &TRADE, "", on),
        "mark-price" | "funding-rate" => marks(data, on),
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

#[derive(Clone, Copy)]
enum Shape {
    Book { snapshot: bool },
    Best,
}

fn books(data: &[u8], shape: Shape, symbol: &str, sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        sides.clear();
        let (mut ms, mut checksum, mut previous, mut this) = (None, None, None, None);
        let mut has = [false; 2];
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"bids" => has[0] = scan_levels(&mut scanner, &mut sides.bids).map(|()| true)?,
                b"asks" => has[1] = scan_levels(&mut scanner, &mut sides.asks).map(|()| true)?,
                b"ts" => ms = Some(scan_integer(&mut scanner)?),
                // Zero is what the venue sends since it dropped the checksum.
                b"checksum" => checksum = Some(scan_integer(&mut scanner)?).filter(|sum| *sum != 0),
                b"prevSeqId" => previous = Some(scan_integer(&mut scanner)?),
                b"seqId" => this = Some(scan_integer(&mut scanner)?),
                _ => scanner.skip()?,
            }
        }
        let Some(time_ns) = ms.and_then(millis_ns).filter(|_| has == [true; 2]) else {
            return scanner.refuse("a book without its time or a side (ts, bids, asks)");
        };
        let sequence = match (previous, this) {
            (Some(previous), Some(this)) => Sequence::Chain { previous, this },
            _ => Sequence::None,
        };
        on(match shape {
            Shape::Best => FeedEvent::Best(BestEvent {
                symbol,
                time_ns: Some(time_ns),
                bid: sides.bids.first().copied(),
                ask: sides.asks.first().copied(),
            }),
            Shape::Book { snapshot } => FeedEvent::Book(BookEvent {
                symbol,
                snapshot,
                time_ns: Some(time_ns),
                bids: &sides.bids,
                asks: &sides.asks,
                sequence,
                checksum,
                depth: None,
                places: (0, 0),
            }),
        });
    }
    Ok(())
}

fn marks(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    scanner.begin_array()?;
    while scanner.next_element()? {
        let (mut symbol, mut ms, mut next) = (None, None, None);
        let (mut mark, mut rate) = (None, None);
        scanner.begin_object()?;
        while let Some(key) = scanner.next_key()? {
            match key {
                b"instId" => symbol = scanner.scalar()?.text().and_then(utf8),
                b"markPx" => mark = Some(scan_decimal(&mut scanner)?),
                b"fundingRate" => rate = Some(scan_decimal(&mut scanner)?),
                b"fundingTime" => next = scanner.scalar()?.integer(),
                b"ts" => ms = scanner.scalar()?.integer(),
                _ => scanner.skip()?,
            }
        }
        let Some(symbol) = symbol.filter(|_| mark.is_some() || rate.is_some()) else {
            return scanner.refuse("a mark price or funding rate without instId and value");
        };
        on(FeedEvent::Mark(MarkEvent {
            symbol,
            time_ns: ms.and_then(millis_ns),
            mark,
            rate,
            next_funding_ns: next.and_then(millis_ns),
        }));
    }
    Ok(())
}
