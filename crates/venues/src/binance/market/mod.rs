//! Binance spot, USD-M and COIN-M market data: combined or raw stream messages and REST snapshots.
//!
//! [`Decoder::decode`] reads a message with the hand-written scanner ([`scan`]) and falls back to the
//! strict reader over `serde_json` ([`strict`]) for text the scanner does not take, such as escapes.
//! Both fill the same [`Fields`]; what the fields mean is decided once, by [`classify`].

pub mod scan;
pub mod strict;

use mainspring_core::Decimal;

use crate::level::Level;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body {
    /// Levels set to absolute quantities.
    Depth {
        /// First update id (`U`).
        first: i64,
        /// Last update id (`u`).
        last: i64,
        /// Last update id of the message before (`pu`); futures only.
        previous: Option<i64>,
    },
    /// A REST snapshot of the book.
    Snapshot {
        /// The update id it stands at.
        last: i64,
    },
    /// A trade (`trade`) or the trades of one taker order at one price (`aggTrade`).
    Trade {
        /// Price.
        price: Decimal,
        /// Quantity.
        qty: Decimal,
        /// Whether the buyer was the maker: the taker sold.
        buyer_is_maker: bool,
        /// `aggTrade` instead of `trade`.
        aggregate: bool,
        /// Whether it happened on the book; futures mark insurance fund and ADL fills otherwise.
        on_book: bool,
    },
    /// Best bid and ask.
    BookTicker {
        /// Update id.
        update: i64,
        /// Best bid.
        bid: Level,
        /// Best ask.
        ask: Level,
    },
    /// Mark price and the funding rate in force.
    MarkPrice {
        /// Mark price.
        mark: Decimal,
        /// Funding rate of the running period, where the contract has one.
        rate: Option<Decimal>,
        /// When it is settled, milliseconds.
        next_funding_ms: i64,
    },
    /// An event of a kind that market data files do not keep (candles, tickers, answers).
    Other,
}

/// One message: what it says, about what, and when. Levels are in [`Decoder::bids`] and
/// [`Decoder::asks`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// The symbol as the venue writes it; empty where the message does not say.
    pub symbol: &'a str,
    /// The kind of event as the venue names it.
    pub kind: &'a str,
    /// When it was sent (`E`), ns.
    pub event_ns: Option<i64>,
    /// When it happened at the matching engine (`T`), ns.
    pub transact_ns: Option<i64>,
    /// Whether its shape is that of a futures stream; `None` where both look alike.
    pub futures: Option<bool>,
    /// What it says.
    pub body: Body,
}

/// A value under a key that means different things in different events (`b`, `a`, `B`, `A`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Slot {
    /// The key is absent.
    #[default]
    Absent,
    /// An array of levels, read into the buffer of its side.
    Levels,
    /// A quoted number.
    Number(Decimal),
    /// Anything else that is well-formed.
    Other,
}

/// The fields of any message, before it is known what they mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fields<'a> {
    /// `e`.
    pub event: Option<&'a str>,
    /// `s` or `symbol`.
    pub symbol: Option<&'a str>,
    /// `E`.
    pub event_time: Option<i64>,
    /// `T`.
    pub transact_time: Option<i64>,
    /// `U`.
    pub first: Option<i64>,
    /// `u`.
    pub last: Option<i64>,
    /// `pu`.
    pub previous: Option<i64>,
    /// `lastUpdateId`.
    pub snapshot: Option<i64>,
    /// `b` or `bids`.
    pub bid: Slot,
    /// `a` or `asks`.
    pub ask: Slot,
    /// `B`.
    pub bid_qty: Slot,
    /// `A`.
    pub ask_qty: Slot,
    /// `p`.
    pub price: Slot,
    /// `q`.
    pub qty: Slot,
    /// `r`.
    pub rate: Slot,
    /// `m`.
    pub buyer_is_maker: Option<bool>,
    /// `X`.
    pub execution: Option<&'a str>,
}

/// Reads messages; its level buffers are reused.
#[derive(Debug, Default)]
pub struct Decoder {
    bids: Vec<Level>,
    asks: Vec<Level>,
    fallbacks: u64,
}

impl Decoder {
    /// Bids of the last depth or snapshot message.
    #[must_use]
    pub fn bids(&self) -> &[Level] {
        &self.bids
    }

    /// Asks of the last depth or snapshot message.
    #[must_use]
    pub fn asks(&self) -> &[Level] {
        &self.asks
    }

    /// How many messages needed the strict reader.
    #[must_use]
    pub const fn fallbacks(&self) -> u64 {
        self.fallbacks
    }

    /// Reads one message, wrapped in `{"stream","data"}` or bare.
    ///
    /// # Errors
    /// Says what is wrong with the message.
    pub fn decode<'a>(&mut self, text: &'a [u8]) -> Result<Message<'a>, String> {
        match self.decode_fast(text) {
            Ok(message) => Ok(message),
            Err(_) => {
                self.fallbacks += 1;
                self.decode_strict(text)
            }
        }
    }

    /// Reads with the hand-written scanner alone.
    ///
    /// # Errors
    /// Says what is wrong, or what the scanner does not take.
    pub fn decode_fast<'a>(&mut self, text: &'a [u8]) -> Result<Message<'a>, String> {
        self.clear();
        let fields = scan::fields(text, &mut self.bids, &mut self.asks)
            .map_err(|refusal| refusal.to_string())?;
        classify(&fields).map_err(str::to_owned)
    }

    /// Reads with `serde_json` alone.
    ///
    /// # Errors
    /// Says what is wrong with the message.
    pub fn decode_strict<'a>(&mut self, text: &'a [u8]) -> Result<Message<'a>, String> {
        self.clear();
        let fields = strict::fields(text, &mut self.bids, &mut self.asks)?;
        classify(&fields).map_err(str::to_owned)
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

/// Milliseconds or microseconds since the epoch, told apart by their magnitude, in nanoseconds.
fn time_ns(value: i64) -> Result<i64, &'static str> {
    match value {
        // 2001-09-09 to 2261-07-14 in either unit: what nanoseconds can count.
        1_000_000_000_000..9_200_000_000_000 => Ok(value * 1_000_000),
        1_000_000_000_000_000..9_200_000_000_000_000 => Ok(value * 1_000),
        _ => Err("a time that is neither milliseconds nor microseconds since 1970"),
    }
}

pub(super) fn classify<'a>(fields: &Fields<'a>) -> Result<Message<'a>, &'static str> {
    let (kind, body) = match fields.event {
        Some("depthUpdate") => ("depthUpdate", depth(fields)?),
        Some("trade") => ("trade", trade(fields, false)?),
        Some("aggTrade") => ("aggTrade", trade(fields, true)?),
        Some("bookTicker") => ("bookTicker", book_ticker(fields)?),
        Some("markPriceUpdate") => ("markPriceUpdate", mark_price(fields)?),
        Some(other) => (other, Body::Other),
        None if fields.snapshot.is_some() => ("snapshot", snapshot(fields)?),
        // Spot best-price messages carry no event name.
        None if fields.last.is_some() && fields.bid != Slot::Absent => {
            ("bookTicker", book_ticker(fields)?)
        }
        None => ("other", Body::Other),
    };
    if matches!(body, Body::Other) {
        return Ok(Message {
            symbol: "",
            kind,
            event_ns: None,
            transact_ns: None,
            futures: None,
            body,
        });
    }
    if fields.symbol.is_none_or(str::is_empty) && !matches!(body, Body::Snapshot { .. }) {
        return Err("the message names no symbol (s)");
    }
    // In a mark price message T is the next funding time, not a time of the past.
    let transact = fields.transact_time.filter(|_| !matches!(body, Body::MarkPrice { .. }));
    Ok(Message {
        symbol: fields.symbol.unwrap_or(""),
        kind,
        event_ns: fields.event_time.map(time_ns).transpose()?,
        transact_ns: transact.map(time_ns).transpose()?,
        futures: futures_shape(fields, &body),
        body,
    })
}

/// Futures stamp books with the time of the matching engine and trades with how they came about.
fn futures_shape(fields: &Fields<'_>, body: &Body) -> Option<bool> {
    match body {
        Body::Depth { previous, .. } => Some(previous.is_some()),
        Body::Snapshot { .. } | Body::BookTicker { .. } => Some(fields.transact_time.is_some()),
        Body::Trade { aggregate: false, .. } => Some(fields.execution.is_some()),
        Body::MarkPrice { .. } => Some(true),
        Body::Trade { .. } | Body::Other => None,
    }
}

fn depth(fields: &Fields<'_>) -> Result<Body, &'static str> {
    if fields.bid != Slot::Levels || fields.ask != Slot::Levels {
        return Err("a depth update without both level arrays (b, a)");
    }
    let (Some(first), Some(last)) = (fields.first, fields.last) else {
        return Err("a depth update without its update ids (U, u)");
    };
    if first < 0 || last < first {
        return Err("a depth update whose last id (u) is before its first (U)");
    }
    if fields.event_time.is_none() {
        return Err("a depth update without its time (E)");
    }
    Ok(Body::Depth { first, last, previous: fields.previous })
}

fn snapshot(fields: &Fields<'_>) -> Result<Body, &'static str> {
    if fields.bid != Slot::Levels || fields.ask != Slot::Levels {
        return Err("a snapshot without both level arrays (bids, asks)");
    }
    Ok(Body::Snapshot { last: fields.snapshot.unwrap_or(0) })
}

fn trade(fields: &Fields<'_>, aggregate: bool) -> Result<Body, &'static str> {
    let (Slot::Number(price), Slot::Number(qty)) = (fields.price, fields.qty) else {
        return Err("a trade without price and quantity (p, q)");
    };
    let Some(buyer_is_maker) = fields.buyer_is_maker else {
        return Err("a trade without the maker flag (m)");
    };
    if fields.transact_time.is_none() {
        return Err("a trade without its time (T)");
    }
    let on_book = match fields.execution {
        None | Some("MARKET") => true,
        Some("INSURANCE_FUND" | "ADL" | "NA") => false,
        Some(_) => return Err("a trade with an unknown execution type (X)"),
    };
    Ok(Body::Trade { price, qty, buyer_is_maker, aggregate, on_book })
}

fn book_ticker(fields: &Fields<'_>) -> Result<Body, &'static str> {
    let (Slot::Number(bid), Slot::Number(bid_qty), Slot::Number(ask), Slot::Number(ask_qty)) =
        (fields.bid, fields.bid_qty, fields.ask, fields.ask_qty)
    else {
        return Err("a book ticker without all of b, B, a, A");
    };
    let Some(update) = fields.last else {
        return Err("a book ticker without its update id (u)");
    };
    Ok(Body::BookTicker {
        update,
        bid: Level { price: bid, qty: bid_qty },
        ask: Level { price: ask, qty: ask_qty },
    })
}

fn mark_price(fields: &Fields<'_>) -> Result<Body, &'static str> {
    let Slot::Number(mark) = fields.price else {
        return Err("a mark price message without its price (p)");
    };
    let rate = match fields.rate {
        Slot::Number(rate) => Some(rate),
        _ => None,
    };
    Ok(Body::MarkPrice { mark, rate, next_funding_ms: fields.transact_time.unwrap_or(0) })
}

#[cfg(test)]
mod tests;
