//! Event files as sources: the venue reads each by exchange time, we by receive time.

use mainspring_core::event::{BarRow, MarketRow, OrderRow};
use mainspring_core::{DurationNs, Error, ErrorKind, InstrumentId, Result, Ticks, TimeNs};
use mainspring_data::{EventFile, Row, Schema};
use mainspring_sim::FillModel;

use crate::bar_path::BarPath;
use crate::config::{RunConfig, VenueClock};
use crate::read_ahead::ReadAhead;

/// A position in a file's rows.
pub struct Cursor<'a, R: Row> {
    file: &'a EventFile,
    read_ahead: &'a ReadAhead,
    /// Chunk that `rows` is from, plus one.
    next_chunk: usize,
    rows: &'a [R],
    base: Ticks,
    at: usize,
}

impl<'a, R: Row> Cursor<'a, R> {
    /// At the first row.
    ///
    /// # Errors
    /// When the first chunk is damaged.
    pub fn new(file: &'a EventFile, read_ahead: &'a ReadAhead) -> Result<Self> {
        let mut cursor = Self { file, read_ahead, next_chunk: 0, rows: &[], base: Ticks(0), at: 0 };
        cursor.load()?;
        Ok(cursor)
    }

    /// The rows not yet read of the current chunk, with their price base; empty at the end.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> (&'a [R], Ticks) {
        (&self.rows[self.at..], self.base)
    }

    /// The next row.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<&'a R> {
        self.rows.get(self.at)
    }

    /// Goes on by `count` rows of the current chunk.
    ///
    /// # Errors
    /// When the next chunk is damaged or the file shrank.
    #[inline]
    pub fn advance(&mut self, count: usize) -> Result<()> {
        self.at += count;
        if self.at >= self.rows.len() {
            self.load()?;
        }
        Ok(())
    }

    /// Moves to the next chunk that has rows.
    #[cold]
    fn load(&mut self) -> Result<()> {
        if self.next_chunk > 0 {
            // What was read so far was read from a whole file.
            self.file.check()?;
        }
        self.rows = &[];
        self.at = 0;
        while self.rows.is_empty() && self.next_chunk < self.file.chunks().len() {
            self.read_ahead.reached(self.next_chunk);
            let chunk = self.file.chunk_of::<R>(self.next_chunk)?;
            self.rows = chunk.rows;
            self.base = chunk.price_base;
            self.next_chunk += 1;
        }
        Ok(())
    }
}

/// The two cursors of a file, by what its rows are.
pub enum Feed<'a> {
    /// Levels and trades.
    Market(Pair<'a, MarketRow>),
    /// Orders.
    Orders(Pair<'a, OrderRow>),
    /// Orders that are replayed on the matching engine; what it publishes is what we see.
    Replayed(Cursor<'a, OrderRow>),
    /// Agents of a generated market, on the matching engine.
    Agents,
    /// Bars; the venue sees a path of prices through each.
    Bars(Pair<'a, BarRow>, BarPath),
}

/// The venue's cursor and ours.
pub struct Pair<'a, R: Row> {
    /// The venue's.
    pub venue: Cursor<'a, R>,
    /// Ours.
    pub local: Cursor<'a, R>,
}

impl<'a, R: Row> Pair<'a, R> {
    fn new(file: &'a EventFile, read_ahead: &'a ReadAhead) -> Result<Self> {
        Ok(Self { venue: Cursor::new(file, read_ahead)?, local: Cursor::new(file, read_ahead)? })
    }
}

/// A file with its cursors and clocks.
pub struct Source<'a> {
    /// The cursors.
    pub feed: Feed<'a>,
    /// The clocks.
    pub clocks: Clocks,
    /// The kernel's instrument for each of the file's.
    pub instruments: Vec<InstrumentId>,
}

/// How far both sides of a source have read.
pub struct Clocks {
    /// Running maximum of the exchange times read.
    pub venue_ns: TimeNs,
    /// Running maximum of the receive times read.
    pub local_ns: TimeNs,
    /// Feed latency in place of the recorded one.
    feed_ns: Option<DurationNs>,
    /// Whether the venue sees a row when we do.
    receive: bool,
}

impl Clocks {
    /// When the venue sees a row.
    #[inline]
    #[must_use]
    pub fn at_venue<R: Row>(&self, row: &R) -> TimeNs {
        if self.receive {
            return row.recv_ns().max(self.venue_ns);
        }
        row.exch_ns().max(self.venue_ns)
    }

    /// When we receive a row.
    #[inline]
    #[must_use]
    pub fn at_us<R: Row>(&self, row: &R) -> TimeNs {
        match self.feed_ns {
            None => row.recv_ns().max(self.local_ns),
            Some(feed_ns) => (row.exch_ns() + feed_ns).max(self.local_ns),
        }
    }
}

impl<'a> Source<'a> {
    /// A file at its start.
    ///
    /// # Errors
    /// When the first chunk is damaged.
    pub fn new(
        file: &'a EventFile,
        read_ahead: &'a ReadAhead,
        instruments: Vec<InstrumentId>,
        config: &RunConfig,
    ) -> Result<Self> {
        let feed_ns = config.feed_ns;
        let bar_spread_ticks = config.bar_spread_ticks;
        let (feed, feed_ns) = match file.schema() {
            Schema::Order if config.venue.fill_model == FillModel::Matching => {
                (Feed::Replayed(Cursor::new(file, read_ahead)?), feed_ns)
            }
            Schema::Market | Schema::Bar if config.venue.fill_model == FillModel::Matching => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "{}: level data and bars do not say who rests where, so that fill_model matching cannot replay them; give order-level data or generated flow, or use fill_model mainspring",
                        file.path().display()
                    ),
                ));
            }
            Schema::Market => (Feed::Market(Pair::new(file, read_ahead)?), feed_ns),
            Schema::Order => (Feed::Orders(Pair::new(file, read_ahead)?), feed_ns),
            // A bar is known when it is complete: its opening time plus a latency would be early.
            Schema::Bar => {
                (Feed::Bars(Pair::new(file, read_ahead)?, BarPath::new(bar_spread_ticks)), None)
            }
        };
        let receive = config.venue_clock == VenueClock::Receive;
        let (venue_ns, local_ns) = (TimeNs::MIN, TimeNs::MIN);
        let clocks = Clocks { venue_ns, local_ns, feed_ns, receive };
        Ok(Self { feed, clocks, instruments })
    }

    /// The agents of a generated market.
    #[must_use]
    pub fn agents(instrument: InstrumentId, config: &RunConfig) -> Self {
        let (venue_ns, local_ns) = (TimeNs::MIN, TimeNs::MIN);
        let clocks = Clocks { venue_ns, local_ns, feed_ns: config.feed_ns, receive: false };
        Self { feed: Feed::Agents, clocks, instruments: vec![instrument] }
    }

    /// When the venue sees its next row; `TimeNs::MAX` at the end.
    #[inline]
    #[must_use]
    pub fn next_venue_ns(&self) -> TimeNs {
        match &self.feed {
            Feed::Market(pair) => {
                pair.venue.peek().map_or(TimeNs::MAX, |row| self.clocks.at_venue(row))
            }
            Feed::Orders(pair) => {
                pair.venue.peek().map_or(TimeNs::MAX, |row| self.clocks.at_venue(row))
            }
            Feed::Replayed(venue) => {
                venue.peek().map_or(TimeNs::MAX, |row| self.clocks.at_venue(row))
            }
            // The kernel knows when they do something.
            Feed::Agents => TimeNs::MAX,
            Feed::Bars(pair, path) => pair
                .venue
                .peek()
                .map_or(TimeNs::MAX, |bar| path.time_ns(bar).max(self.clocks.venue_ns)),
        }
    }

    /// When we receive the next message; `TimeNs::MAX` at the end.
    #[inline]
    #[must_use]
    pub fn next_local_ns(&self) -> TimeNs {
        match &self.feed {
            Feed::Market(pair) => {
                pair.local.peek().map_or(TimeNs::MAX, |row| self.clocks.at_us(row))
            }
            Feed::Orders(pair) => {
                pair.local.peek().map_or(TimeNs::MAX, |row| self.clocks.at_us(row))
            }
            // It reaches us from the engine.
            Feed::Replayed(_) | Feed::Agents => TimeNs::MAX,
            Feed::Bars(pair, _) => {
                pair.local.peek().map_or(TimeNs::MAX, |row| self.clocks.at_us(row))
            }
        }
    }
}
