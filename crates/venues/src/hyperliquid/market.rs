//! Public channels: `l2Book` (always the whole visible book), `bbo`, `trades`, `activeAssetCtx`.

use crate::envelope::{trades, TradeKeys};
use crate::feed::{
    millis_ns, utf8, BestEvent, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides,
};
use crate::json::{Scan, Scanner};
use crate::level::{begin_side, scan_decimal, scan_integer, Level};

const TRADE: TradeKeys = TradeKeys {
    symbol: b"coin",
    price: b"px",
    qty: b"sz",
    side: b"side",
    time: b"time",
    sides: [b"B", b"A"],
    needed: "a trade without all of coin, px, sz, side",
};

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
        (Some("bbo"), Some(data)) => best(data, on),
        (Some("trades"), Some(data)) => trades(data, &TRADE, "", on),
        (Some("activeAssetCtx" | "activeSpotAssetCtx"), Some(data)) => mark(data, on),
        (channel, _) => {
            on(FeedEvent::Other(channel.unwrap_or("other")));
            Ok(())
        }
    }
}

fn book(data: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    sides.clear();
    let (mut symbol, mut ms, mut has_sides) = (None, None, false);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"coin" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"time" => ms = Some(scan_integer(&mut scanner)?),
            b"levels" => has_sides = both_sides(&mut scanner, sides).map(|()| true)?,
            _ => scanner.skip()?,
        }
    }
    // A book without levels would be taken for an empty one.
    let (Some(symbol), Some(time_ns), true) = (symbol, ms.and_then(millis_ns), has_sides) else {
        return scanner.refuse("a book without its coin, time or levels");
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
        begin_side(scanner, levels)?;
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

fn best(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    let (mut symbol, mut ms, mut sides) = (None, None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"coin" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"time" => ms = Some(scan_integer(&mut scanner)?),
            b"bbo" => sides = Some(two_levels(&mut scanner)?),
            _ => scanner.skip()?,
        }
    }
    let (Some(symbol), Some([bid, ask])) = (symbol, sides) else {
        return scanner.refuse("best prices without coin or bbo");
    };
    on(FeedEvent::Best(BestEvent { symbol, time_ns: ms.and_then(millis_ns), bid, ask }));
    Ok(())
}

/// A side may be null.
fn two_levels(scanner: &mut Scanner<'_>) -> Scan<[Option<Level>; 2]> {
    let mut sides = [None; 2];
    scanner.begin_array()?;
    for side in &mut sides {
        if !scanner.next_element()? {
            return scanner.refuse("best prices without both sides");
        }
        *side = match scanner.peek() {
            b'n' => scanner.skip().map(|()| None)?,
            _ => Some(level(scanner)?),
        };
    }
    match scanner.next_element()? {
        true => scanner.refuse("best prices with more than two sides"),
        false => Ok(sides),
    }
}

fn mark(data: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    let (mut symbol, mut mark, mut rate) = (None, None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"coin" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"ctx" => {
                scanner.begin_object()?;
                while let Some(key) = scanner.next_key()? {
                    match key {
                        b"markPx" => mark = Some(scan_decimal(&mut scanner)?),
                        b"funding" => rate = Some(scan_decimal(&mut scanner)?),
                        _ => scanner.skip()?,
                    }
                }
            }
            _ => scanner.skip()?,
        }
    }
    let Some(symbol) = symbol.filter(|_| mark.is_some()) else {
        return scanner.refuse("an asset's state without coin or mark price");
    };
    let event = MarkEvent { symbol, time_ns: None, mark, rate, next_funding_ns: None };
    on(FeedEvent::Mark(event));
    Ok(())
}
