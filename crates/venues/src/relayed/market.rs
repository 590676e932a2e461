//! Market data as the library brings it: levels that changed or whole books, and trades.

use mainspring_core::Side;

use crate::feed::{millis_ns, utf8, BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal_element, scan_integer, scan_levels, Level};
use crate::listing::Listing;
use crate::venue::Stream;

/// One frame for each stream that the library has.
pub(super) fn subscribe(
    listings: &[&Listing],
    streams: &[Stream],
    frames: &mut Vec<(usize, String)>,
) {
    let symbols: Vec<&str> = listings.iter().map(|one| one.symbol()).collect();
    for stream in streams {
        let word = match stream {
            Stream::Book => "book",
            Stream::Trades => "trades",
            Stream::Best | Stream::Mark => continue,
        };
        let frame = serde_json::json!({"do": "listen", "stream": word, "symbols": symbols});
        frames.push((0, frame.to_string()));
    }
}

/// Reads one message: `{"book": SYMBOL, "whole": 0 or 1, "ms", "bids", "asks"}`, or
/// `{"trades": SYMBOL, "rows": [[price, quantity, "buy" or "sell", ms], ...]}`.
pub(super) fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let (mut book, mut trades, mut rows) = (None, None, None);
    let (mut ms, mut whole) = (None, false);
    sides.clear();
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"book" => book = utf8(scanner.string()?),
            b"trades" => trades = utf8(scanner.string()?),
            b"rows" => rows = Some(scanner.raw()?),
            b"ms" => ms = millis_ns(scan_integer(&mut scanner)?),
            b"whole" => whole = scan_integer(&mut scanner)? == 1,
            b"bids" => scan_levels(&mut scanner, &mut sides.bids)?,
            b"asks" => scan_levels(&mut scanner, &mut sides.asks)?,
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    match (book, trades, rows) {
        (Some(symbol), ..) => on(FeedEvent::Book(BookEvent {
            symbol,
            snapshot: whole,
            time_ns: ms,
            bids: &sides.bids,
            asks: &sides.asks,
            sequence: Sequence::None,
            checksum: None,
            depth: None,
            places: (0, 0),
        })),
        (None, Some(symbol), Some(rows)) => return each_trade(symbol, rows, on),
        _ => on(FeedEvent::Other("no market data")),
    }
    Ok(())
}

fn each_trade(symbol: &str, rows: &[u8], on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(rows);
    scanner.begin_array()?;
    while scanner.next_element()? {
        scanner.begin_array()?;
        let price = scan_decimal_element(&mut scanner, "a trade needs a price")?;
        let qty = scan_decimal_element(&mut scanner, "a trade needs a quantity")?;
        if !scanner.next_element()? {
            return scanner.refuse("a trade needs a side");
        }
        let taker = match scanner.string()? {
            b"buy" => Side::Buy,
            b"sell" => Side::Sell,
            _ => return scanner.refuse("a taker neither buys nor sells"),
        };
        if !scanner.next_element()? {
            return scanner.refuse("a trade needs a time");
        }
        let time_ns = millis_ns(scan_integer(&mut scanner)?);
        while scanner.next_element()? {
            scanner.skip()?;
        }
        let level = Level { price, qty };
        on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker }));
    }
    scanner.end()
}
