//! Market data as the library brings it: levels that changed or whole books, trades, mark prices and
//! funding, and which instrument it ceased to hear of.

use mainspring_core::Side;

use crate::feed::{
    millis_ns, utf8, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides, TradeEvent,
};
use crate::json::{Scan, Scanner};
use crate::level::{scan_decimal, scan_decimal_element, scan_integer, scan_levels, Level};
use crate::listing::Listing;
use crate::venue::Stream;

/// One frame for each stream that the library has.
pub(super) fn subscribe(
    listings: &[&Listing],
    streams: &[Stream],
    marks: bool,
    frames: &mut Vec<(usize, String)>,
) {
    let symbols: Vec<&str> = listings.iter().map(|one| one.symbol()).collect();
    for stream in streams {
        let word = match stream {
            Stream::Book => "book",
            Stream::Trades => "trades",
            Stream::Mark if marks => "mark",
            Stream::Best | Stream::Mark => continue,
        };
        let frame = serde_json::json!({"do": "listen", "stream": word, "symbols": symbols});
        frames.push((0, frame.to_string()));
    }
}

/// A place in a sequence that follows nothing: what was heard before cannot be gone on from.
const NOWHERE: Sequence = Sequence::Chain { previous: -1, this: 0 };

/// Reads one message: `{"book": SYMBOL, "whole": 0 or 1, "ms", "bids", "asks"}`,
/// `{"trades": SYMBOL, "rows": [[price, quantity, "buy" or "sell", ms], ...]}`,
/// `{"mark": SYMBOL, "price", "rate", "next_ms", "ms"}` with what of it there is, or
/// `{"lost": SYMBOL}` when nothing more is heard of it until its next whole book.
pub(super) fn decode(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let (mut book, mut trades, mut rows) = (None, None, None);
    let (mut mark, mut lost) = (None, None);
    let (mut price, mut rate, mut next_ns) = (None, None, None);
    let (mut ms, mut whole) = (None, false);
    sides.clear();
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"book" => book = utf8(scanner.string()?),
            b"trades" => trades = utf8(scanner.string()?),
            b"mark" => mark = utf8(scanner.string()?),
            b"lost" => lost = utf8(scanner.string()?),
            b"price" => price = Some(scan_decimal(&mut scanner)?),
            b"rate" => rate = Some(scan_decimal(&mut scanner)?),
            b"next_ms" => next_ns = millis_ns(scan_integer(&mut scanner)?),
            b"rows" => rows = Some(scanner.raw()?),
            b"ms" => ms = millis_ns(scan_integer(&mut scanner)?),
            b"whole" => whole = scan_integer(&mut scanner)? == 1,
            b"bids" => scan_levels(&mut scanner, &mut sides.bids)?,
            b"asks" => scan_levels(&mut scanner, &mut sides.asks)?,
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    match (book.or(lost), trades, rows, mark) {
        (Some(symbol), ..) => on(FeedEvent::Book(BookEvent {
            symbol,
            snapshot: whole && lost.is_none(),
            time_ns: ms,
            bids: &sides.bids,
            asks: &sides.asks,
            sequence: if lost.is_some() { NOWHERE } else { Sequence::None },
            checksum: None,
            depth: None,
            places: (0, 0),
        })),
        (None, Some(symbol), Some(rows), _) => return each_trade(symbol, rows, on),
        (None, None, _, Some(symbol)) => on(FeedEvent::Mark(MarkEvent {
            symbol,
            time_ns: ms,
            mark: price,
            rate,
            next_funding_ns: next_ns,
        })),
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
