//! What the JSON feeds of most venues say, in common words.

use mainspring_core::{Decimal, Side, TimeNs};

use crate::binance::sync::DiffIds;
use crate::level::Level;

/// How a book message is tied to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sequence {
    /// Not at all.
    #[default]
    None,
    /// It names the id of the message before it.
    Chain {
        /// Id of the message before; negative on a snapshot.
        previous: i64,
        /// Its own id.
        this: i64,
    },
    /// Ids grow by one.
    Counter(i64),
    /// It covers a range of ids (Binance).
    Range(DiffIds),
    /// It counts every message of the connection, whatever it is about: a jump means a lost one
    /// (dYdX).
    Connection(i64),
    /// It is a snapshot that stands at this id, for diffs with ranges (Binance).
    Snapshot(i64),
}

/// A book message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookEvent<'a> {
    /// Symbol as the venue writes it.
    pub symbol: &'a str,
    /// Whether it replaces the book.
    pub snapshot: bool,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// Levels of the bid side.
    pub bids: &'a [Level],
    /// Levels of the ask side.
    pub asks: &'a [Level],
    /// Its place in the sequence.
    pub sequence: Sequence,
    /// The checksum of the book behind it.
    pub checksum: Option<i64>,
    /// Levels a side that the subscription keeps, where the client must cut.
    pub depth: Option<usize>,
    /// Decimal places that the venue writes of prices and quantities.
    pub places: (u8, u8),
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeEvent<'a> {
    /// Symbol as the venue writes it.
    pub symbol: &'a str,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// Price and quantity.
    pub level: Level,
    /// The taker's side.
    pub taker: Side,
}

/// The best prices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestEvent<'a> {
    /// Symbol as the venue writes it.
    pub symbol: &'a str,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// Best bid; `None` where that side did not change or is empty.
    pub bid: Option<Level>,
    /// Best ask; `None` where that side did not change or is empty.
    pub ask: Option<Level>,
}

/// Mark price and funding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkEvent<'a> {
    /// Symbol as the venue writes it.
    pub symbol: &'a str,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// Mark price, where the message has it.
    pub mark: Option<Decimal>,
    /// Funding rate of the running period, where the message has it.
    pub rate: Option<Decimal>,
    /// When it is settled, where the message says.
    pub next_funding_ns: Option<TimeNs>,
}

/// Something a feed says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeedEvent<'a> {
    /// Levels.
    Book(BookEvent<'a>),
    /// A trade.
    Trade(TradeEvent<'a>),
    /// Best prices.
    Best(BestEvent<'a>),
    /// Mark price and funding.
    Mark(MarkEvent<'a>),
    /// A message of a kind that market data files do not keep.
    Other(&'a str),
}

/// Takes events as they are read.
pub type OnEvent<'f> = &'f mut dyn FnMut(FeedEvent<'_>);

/// Levels of both sides, reused from message to message.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
}

impl Sides {
    /// Takes over copies of both.
    pub fn take(&mut self, bids: &[Level], asks: &[Level]) {
        self.clear();
        self.bids.extend_from_slice(bids);
        self.asks.extend_from_slice(asks);
    }

    /// Empties both.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

/// Text of a message as UTF-8, which symbols and kinds must be.
#[must_use]
pub fn utf8(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()
}

/// Milliseconds since 1970 as nanoseconds, when they lie between 2001 and 2261.
#[must_use]
pub fn millis_ns(ms: i64) -> Option<TimeNs> {
    (1_000_000_000_000..9_200_000_000_000).contains(&ms).then(|| ms * 1_000_000)
}
