//! One event file as two cursors: the venue reads it by exchange time, we by receive time.

use mainspring_core::event::MarketRow;
use mainspring_core::{DurationNs, InstrumentId, Result, Ticks, TimeNs};
use mainspring_data::EventFile;

/// A position in a file's rows.
pub struct Cursor<'a> {
    file: &'a EventFile,
    /// Chunk that `rows` is from, plus one.
    next_chunk: usize,
    rows: &'a [MarketRow],
    base: Ticks,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first row.
    ///
    /// # Errors
    /// When the first chunk is damaged.
    pub fn new(file: &'a EventFile) -> Result<Self> {
        let mut cursor = Self { file, next_chunk: 0, rows: &[], base: Ticks(0), at: 0 };
        cursor.load()?;
        Ok(cursor)
    }

    /// The rows not yet read of the current chunk, with their price base; empty at the end.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> (&'a [MarketRow], Ticks) {
        (&self.rows[self.at..], self.base)
    }

    /// The next row.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<&'a MarketRow> {
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
            let chunk = self.file.chunk(self.next_chunk)?;
            self.rows = chunk.rows;
            self.base = chunk.price_base;
            self.next_chunk += 1;
        }
        Ok(())
    }
}

/// A file with its two cursors.
pub struct Source<'a> {
    /// The venue's cursor.
    pub venue: Cursor<'a>,
    /// Running maximum of the exchange times read.
    pub venue_clock_ns: TimeNs,
    /// Our cursor.
    pub local: Cursor<'a>,
    /// Running maximum of the receive times read.
    pub local_clock_ns: TimeNs,
    /// Feed latency in place of the recorded one.
    feed_ns: Option<DurationNs>,
    /// The kernel's instrument for each of the file's.
    pub instruments: Vec<InstrumentId>,
}

impl<'a> Source<'a> {
    /// A file at its start.
    ///
    /// # Errors
    /// When the first chunk is damaged.
    pub fn new(
        file: &'a EventFile,
        instruments: Vec<InstrumentId>,
        feed_ns: Option<DurationNs>,
    ) -> Result<Self> {
        Ok(Self {
            venue: Cursor::new(file)?,
            venue_clock_ns: TimeNs::MIN,
            local: Cursor::new(file)?,
            local_clock_ns: TimeNs::MIN,
            feed_ns,
            instruments,
        })
    }

    /// When the venue sees its next row; `TimeNs::MAX` at the end.
    #[inline]
    #[must_use]
    pub fn next_venue_ns(&self) -> TimeNs {
        self.venue.peek().map_or(TimeNs::MAX, |row| row.exch_ns.max(self.venue_clock_ns))
    }

    /// When we receive the next message; `TimeNs::MAX` at the end.
    #[inline]
    #[must_use]
    pub fn next_local_ns(&self) -> TimeNs {
        self.local.peek().map_or(TimeNs::MAX, |row| self.receive_ns(row))
    }

    /// When we receive a row.
    #[inline]
    #[must_use]
    pub fn receive_ns(&self, row: &MarketRow) -> TimeNs {
        match self.feed_ns {
            None => row.recv_ns.max(self.local_clock_ns),
            Some(feed_ns) => (row.exch_ns + feed_ns).max(self.local_clock_ns),
        }
    }
}
