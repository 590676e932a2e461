//! Public topics: `orderbook.N.SYMBOL`, `publicTrade.SYMBOL`, `tickers.SYMBOL`.

use mainspring_core::TimeNs;

use crate::envelope::{trades, TradeKeys};
use crate::feed::{
    millis_ns, utf8, BestEvent, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides,
};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, scan_integer, scan_levels};

const TRADE: TradeKeys = TradeKeys {
    symbol: b"s",
    price: b"p",
    qty: b"v",
    side: b"S",
    time: b"T",
    sides: [b"Buy", b"Sell"],
    needed: "a trade without all of s, p, v, S",
};

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
    let time_ns = matched_ms.or(sent_ms).and_then(millis_ns);
    if let Some(rest) = topic.strip_prefix("orderbook.") {
        let snapshot = match kind {
            Some(b"snapshot") => true,
            Some(b"delta") => false,
            _ => return scanner.refuse("an order book that is neither snapshot nor delta"),
        };
        let Some(time_ns) = time_ns else {
            return scanner.refuse("an order book without its time (cts, ts)");
        };
        let shape = Shape { snapshot, best: rest.starts_with("1.") };
        book(data, shape, time_ns, sides, on)
    } else if topic.starts_with("publicTrade.") {
        trades(data, &TRADE, "", on)
    } else if topic.starts_with("tickers.") {
        ticker(data, topic, time_ns, on)
    } else {
        on(FeedEvent::Other(topic));
        Ok(())
    }
}

struct Shape {
    snapshot: bool,
    /// Depth 1 is the best prices, whole every time.
    best: bool,
}

fn book(
    data: &[u8],
    shape: Shape,
    time_ns: TimeNs,
    sides: &mut Sides,
    on: OnEvent<'_>,
) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    sides.clear();
    let (mut symbol, mut update, mut has) = (None, None, [false; 2]);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"s" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"b" => has[0] = scan_levels(&mut scanner, &mut sides.bids).map(|()| true)?,
            b"a" => has[1] = scan_levels(&mut scanner, &mut sides.asks).map(|()| true)?,
            b"u" => update = Some(scan_integer(&mut scanner)?),
            _ => scanner.skip()?,
        }
    }
    let (Some(symbol), Some(update), [true, true]) = (symbol, update, has) else {
        return scanner
            .refuse("an order book without its symbol, update id or a side (s, u, b, a)");
    };
    if shape.best && shape.snapshot {
        on(FeedEvent::Best(BestEvent {
            symbol,
            time_ns: Some(time_ns),
            bid: sides.bids.first().copied(),
            ask: sides.asks.first().copied(),
        }));
        return Ok(());
    }
    on(FeedEvent::Book(BookEvent {
        symbol,
        // Update id 1 is the service after a restart, whatever the type says.
        snapshot: shape.snapshot || update == 1,
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

/// Tickers say what changed; those without mark price and funding say nothing here.
fn ticker(data: &[u8], topic: &str, time_ns: Option<TimeNs>, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(data);
    let (mut symbol, mut mark, mut rate, mut next) = (None, None, None, None);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"symbol" => symbol = scanner.scalar()?.text().and_then(utf8),
            b"markPrice" => mark = Some(scan_decimal(&mut scanner)?),
            // Empty for contracts without funding.
            b"fundingRate" => rate = scanner.scalar()?.decimal(),
            b"nextFundingTime" => next = scanner.scalar()?.integer(),
            _ => scanner.skip()?,
        }
    }
    match symbol.filter(|_| mark.is_some() || rate.is_some()) {
        Some(symbol) => on(FeedEvent::Mark(MarkEvent {
            symbol,
            time_ns,
            mark,
            rate,
            next_funding_ns: next.and_then(millis_ns),
        })),
        None => on(FeedEvent::Other(topic)),
    }
    Ok(())
}
