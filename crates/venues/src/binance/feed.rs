//! Streams of market data: subscribing, and messages in common words.

use mainspring_core::{Result, Side};

use super::market::{classify, scan, Body, Decoder};
use super::sync::DiffIds;
use super::Market;
use crate::feed::{
    BestEvent, BookEvent, FeedEvent, MarkEvent, OnEvent, Sequence, Sides, TradeEvent,
};
use crate::json::{Refusal, Scan};
use crate::level::Level;
use crate::listing::Listing;
use crate::numerals::push_decimal;
use crate::params::push_json_text;
use crate::venue::Stream;

/// Streams that one frame may name, so that a frame stays small.
const STREAMS_PER_FRAME: usize = 200;

pub(super) fn subscribe(
    market: Market,
    listings: &[&Listing],
    streams: &[Stream],
    id: u64,
    frames: &mut Vec<(usize, String)>,
) -> Result<()> {
    let mut names: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for stream in streams {
        let (name, connection) = match (stream, market) {
            (Stream::Book, Market::Spot) => ("depth@100ms", 0),
            (Stream::Book, Market::Futures) => ("depth@0ms", 0),
            (Stream::Best, _) => ("bookTicker", 0),
            (Stream::Trades, Market::Spot) => ("trade", 0),
            (Stream::Trades, Market::Futures) => ("trade", 1),
            (Stream::Mark, Market::Futures) => ("markPrice@1s", 1),
            // Spot has no mark price; the stream is nothing to subscribe to.
            (Stream::Mark, Market::Spot) => continue,
        };
        for listing in listings {
            names[connection].push(format!("{}@{name}", listing.symbol().to_lowercase()));
        }
    }
    for (connection, names) in names.iter().enumerate() {
        for (at, part) in names.chunks(STREAMS_PER_FRAME).enumerate() {
            frames.push((connection, frame(part, id + at as u64)));
        }
    }
    Ok(())
}

fn frame(names: &[String], id: u64) -> String {
    let mut text = String::from("{\"method\":\"SUBSCRIBE\",\"params\":[");
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_json_text(&mut text, name);
    }
    text.push_str("],\"id\":");
    push_decimal(&mut text, id);
    text.push('}');
    text
}

/// Reads one message with the codec of the importers and says it in common words.
pub(super) fn events(
    decoder: &mut Decoder,
    text: &[u8],
    sides: &mut Sides,
    on: OnEvent<'_>,
) -> Scan<()> {
    let message = match decoder.decode(text) {
        Ok(message) => message,
        Err(_) => return Err(refusal(text)),
    };
    let symbol = message.symbol;
    let time_ns = message.transact_ns.or(message.event_ns);
    let book = |snapshot, sequence, sides: &mut Sides, on: OnEvent<'_>| {
        sides.take(decoder.bids(), decoder.asks());
        on(FeedEvent::Book(BookEvent {
            symbol,
            snapshot,
            time_ns,
            bids: &sides.bids,
            asks: &sides.asks,
            sequence,
            checksum: None,
            depth: None,
            places: (0, 0),
        }));
    };
    match message.body {
        Body::Depth { first, last, previous } => {
            book(false, Sequence::Range(DiffIds { first, last, previous }), sides, on);
        }
        Body::Snapshot { last } => book(true, Sequence::Snapshot(last), sides, on),
        Body::Trade { price, qty, buyer_is_maker, on_book, .. } => {
            let taker = if buyer_is_maker { Side::Sell } else { Side::Buy };
            let level = Level { price, qty };
            match on_book {
                true => on(FeedEvent::Trade(TradeEvent { symbol, time_ns, level, taker })),
                false => on(FeedEvent::Other("trade off the book")),
            }
        }
        Body::BookTicker { bid, ask, .. } => {
            on(FeedEvent::Best(BestEvent { symbol, time_ns, bid: Some(bid), ask: Some(ask) }));
        }
        Body::MarkPrice { mark, rate, next_funding_ms } => {
            on(FeedEvent::Mark(MarkEvent {
                symbol,
                time_ns,
                mark: Some(mark),
                rate,
                next_funding_ns: crate::feed::millis_ns(next_funding_ms),
            }));
        }
        Body::Other => on(FeedEvent::Other(message.kind)),
    }
    Ok(())
}

/// Why the message is refused, without an allocation for the text.
fn refusal(text: &[u8]) -> Refusal {
    let mut sides = Sides::default();
    match scan::fields(text, &mut sides.bids, &mut sides.asks) {
        Err(refusal) => refusal,
        Ok(fields) => {
            let what = classify(&fields).err().unwrap_or("a message that is not well-formed");
            Refusal { what, at: 0 }
        }
    }
}
