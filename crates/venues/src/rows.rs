//! Market messages as rows in ticks and lots, the form that a session takes.

use mainspring_core::event::flags;
use mainspring_core::{Decimal, InstrumentId, MarketRow, RowKind, Side, Ticks, TimeNs};

use crate::digits::Unit;
use crate::feed::{BestEvent, BookEvent, FeedEvent, MarkEvent, Sequence, TradeEvent};
use crate::form::{Form, Length, Word};
use crate::json::{Refusal, Scan};
use crate::level::Level;
use crate::listing::{Listings, TextMap};

/// Billionths: the fraction of a tick of a mark price, and the unit of a funding rate.
const NANO: i128 = 1_000_000_000;

/// What a message of rows is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowMessageKind {
    /// The book; by its sequence it is known whether it may be applied.
    Book {
        /// Whether it replaces the book.
        snapshot: bool,
        /// Its place in the sequence.
        sequence: Sequence,
    },
    /// A trade.
    Trade,
    /// Best prices.
    Best,
    /// Mark price, and funding where it was settled.
    Mark,
}

/// Rows of one instrument that belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowMessage {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The price that row offsets count from.
    pub base: Ticks,
    /// What it is about.
    pub kind: RowMessageKind,
    /// Its rows: from, to.
    rows: (usize, usize),
}

/// An instrument as the decoder knows it.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The venue's symbol.
    pub symbol: Box<[u8]>,
    /// The symbol in lower case, as names of streams have it.
    pub stream: Box<[u8]>,
    /// Index in the engine.
    pub instrument: InstrumentId,
    /// The price that row offsets count from.
    pub base: Ticks,
    /// One tick.
    pub price: Unit,
    /// One lot.
    pub qty: Unit,
    tick: Decimal,
    lot: Decimal,
    /// The next funding that was announced, and its rate.
    funding: Option<(TimeNs, Decimal)>,
    /// The symbol with the quote and the comma behind it.
    pub(crate) named: Word,
    /// The symbol in lower case with the mark behind it.
    pub(crate) streamed: Word,
    /// How its messages are written.
    pub(crate) forms: Forms,
}

/// How the numbers of an instrument's messages are written, by what they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    /// Bids, then asks.
    pub(crate) prices: [Form; 2],
    pub(crate) quantities: [Form; 2],
    pub(crate) traded: Form,
    pub(crate) traded_qty: Form,
    /// Ids, in the order that messages have them.
    pub(crate) ids: [Length; 3],
    pub(crate) trades: [Length; 3],
}

impl Forms {
    fn new(price: Unit, qty: Unit) -> Self {
        let (price, qty) = (Form::new(price), Form::new(qty));
        Self {
            prices: [price.clone(), price.clone()],
            quantities: [qty.clone(), qty.clone()],
            traded: price,
            traded_qty: qty,
            ids: Default::default(),
            trades: Default::default(),
        }
    }
}

/// Takes decoded messages as rows. Its buffers are reused.
#[derive(Clone, Debug)]
pub struct RowSink {
    grids: Vec<Grid>,
    by_symbol: TextMap<usize>,
    by_stream: TextMap<usize>,
    last: usize,
    /// Ids that stand in front of the symbol.
    pub(crate) update_ids: Length,
    rows: Vec<MarketRow>,
    messages: Vec<RowMessage>,
    unlisted: u64,
    others: u64,
    rounded: u64,
}

impl RowSink {
    /// For these instruments.
    #[must_use]
    pub fn new(listings: &Listings) -> Self {
        let unit = |value: Decimal| Unit { places: value.scale(), mantissa: value.mantissa() };
        let grids: Vec<Grid> = listings
            .all()
            .iter()
            .map(|listing| Grid {
                symbol: listing.symbol().as_bytes().into(),
                stream: listing.symbol().to_lowercase().into_bytes().into(),
                instrument: listing.id,
                base: Ticks(0),
                price: unit(listing.instrument.tick()),
                qty: unit(listing.instrument.lot),
                tick: listing.instrument.tick(),
                lot: listing.instrument.lot,
                funding: None,
                named: Word::new(format!("{}\",", listing.symbol()).as_bytes()),
                streamed: Word::new(format!("{}@", listing.symbol().to_lowercase()).as_bytes()),
                forms: Forms::new(unit(listing.instrument.tick()), unit(listing.instrument.lot)),
            })
            .collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        let by_symbol = grids.iter().enumerate().map(|(at, g)| (text(&g.symbol), at)).collect();
        let by_stream = grids.iter().enumerate().map(|(at, g)| (text(&g.stream), at)).collect();
        Self {
            grids,
            by_symbol,
            by_stream,
            last: 0,
            update_ids: Length::default(),
            rows: Vec::with_capacity(8_192),
            messages: Vec::with_capacity(16),
            unlisted: 0,
            others: 0,
            rounded: 0,
        }
    }

    /// Forgets the last message.
    #[inline]
    pub fn clear(&mut self) {
        self.rows.clear();
        self.messages.clear();
    }

    /// What was decoded since [`Self::clear`], with the rows of each.
    pub fn messages(&self) -> impl Iterator<Item = (&RowMessage, &[MarketRow])> {
        self.messages.iter().map(|one| (one, &self.rows[one.rows.0..one.rows.1]))
    }

    /// Events about instruments that are not listed here.
    #[must_use]
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Messages of kinds that have no rows.
    #[must_use]
    pub const fn others(&self) -> u64 {
        self.others
    }

    /// Quantities that were no whole number of lots. Orders from before a change of the lot stay in real
    /// books for years; they are rounded down, to one lot at least.
    #[must_use]
    pub const fn rounded(&self) -> u64 {
        self.rounded
    }

    /// The grid of a symbol; the last one is looked at first.
    #[inline]
    #[must_use]
    pub(crate) fn find(&mut self, symbol: &[u8]) -> Option<usize> {
        if self.grids.get(self.last).is_some_and(|grid| *grid.symbol == *symbol) {
            return Some(self.last);
        }
        let at = *self.by_symbol.get(std::str::from_utf8(symbol).ok()?)?;
        self.last = at;
        Some(at)
    }

    /// The grid of a symbol in lower case.
    #[inline]
    #[must_use]
    pub(crate) fn find_stream(&mut self, stream: &[u8]) -> Option<usize> {
        if self.grids.get(self.last).is_some_and(|grid| *grid.stream == *stream) {
            return Some(self.last);
        }
        let at = *self.by_stream.get(std::str::from_utf8(stream).ok()?)?;
        self.last = at;
        Some(at)
    }

    /// The grid of the last message.
    #[inline]
    #[must_use]
    pub(crate) fn last(&self) -> Option<usize> {
        (self.last < self.grids.len()).then_some(self.last)
    }

    /// A grid by its place.
    #[inline]
    #[must_use]
    pub(crate) fn grid(&self, at: usize) -> &Grid {
        &self.grids[at]
    }

    /// How many rows there are, to go back to.
    #[inline]
    #[must_use]
    pub(crate) fn mark(&self) -> usize {
        self.rows.len()
    }

    /// Drops rows behind a mark.
    #[inline]
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.rows.truncate(mark);
    }

    /// Appends a row. False when the price is too far from the base for a row.
    #[inline]
    pub(crate) fn push(
        &mut self,
        at: usize,
        kind: RowKind,
        row_flags: u8,
        ticks: i64,
        qty: i64,
    ) -> bool {
        let grid = &self.grids[at];
        let Ok(price_offset) = i32::try_from(ticks - grid.base.0) else { return false };
        self.rows.push(MarketRow {
            recv_ns: 0,
            exch_ns: 0,
            qty_lots: qty,
            price_offset,
            kind: kind as u8,
            flags: row_flags,
            instrument: grid.instrument.0,
        });
        true
    }

    /// A grid that learns, and the rows to append to.
    #[inline(always)]
    pub(crate) fn split(&mut self, at: usize) -> (&mut Grid, &mut Vec<MarketRow>) {
        (&mut self.grids[at], &mut self.rows)
    }

    /// Closes a message: stamps its rows and marks its end.
    #[inline]
    pub(crate) fn close(
        &mut self,
        at: usize,
        from: usize,
        kind: RowMessageKind,
        times: (TimeNs, TimeNs),
    ) {
        for row in &mut self.rows[from..] {
            row.exch_ns = times.0;
            row.recv_ns = times.1;
        }
        self.close_stamped(at, from, kind);
    }

    /// Closes a message whose rows have their times.
    #[inline]
    pub(crate) fn close_stamped(&mut self, at: usize, from: usize, kind: RowMessageKind) {
        if let Some(last) = self.rows[from..].last_mut() {
            last.flags |= flags::END_OF_MESSAGE;
        }
        let grid = &self.grids[at];
        let rows = (from, self.rows.len());
        let message = RowMessage { instrument: grid.instrument, base: grid.base, kind, rows };
        self.messages.push(message);
    }

    /// Takes an event of any venue.
    ///
    /// # Errors
    /// When a price is off the instrument's grid: its definition is out of date, or the message is not
    /// what it seems.
    pub fn take(&mut self, event: &FeedEvent<'_>, recv_ns: TimeNs) -> Scan<()> {
        let symbol = match event {
            FeedEvent::Book(book) => book.symbol,
            FeedEvent::Trade(trade) => trade.symbol,
            FeedEvent::Best(best) => best.symbol,
            FeedEvent::Mark(mark) => mark.symbol,
            FeedEvent::Other(_) => {
                self.others += 1;
                return Ok(());
            }
        };
        let Some(at) = self.find(symbol.as_bytes()) else {
            self.unlisted += 1;
            return Ok(());
        };
        let from = self.mark();
        let taken = match event {
            FeedEvent::Book(book) => self.book(at, book, recv_ns),
            FeedEvent::Trade(trade) => self.trade(at, trade, recv_ns),
            FeedEvent::Best(best) => self.best(at, best, recv_ns),
            FeedEvent::Mark(mark) => self.mark_price(at, mark, recv_ns),
            FeedEvent::Other(_) => Some(()),
        };
        if taken.is_none() {
            self.rewind(from);
            return Err(Refusal { what: "a price off the instrument's grid", at: 0 });
        }
        Ok(())
    }

    fn level(&mut self, at: usize, kind: RowKind, row_flags: u8, level: &Level) -> Option<()> {
        let (tick, lot) = (self.grids[at].tick, self.grids[at].lot);
        let ticks = level.price.count_of(tick)?;
        let lots = match level.qty.count_of(lot) {
            Some(lots) => lots,
            None => {
                self.rounded += 1;
                whole_lots(level.qty, lot)?
            }
        };
        self.push(at, kind, row_flags, ticks, lots).then_some(())
    }

    fn book(&mut self, at: usize, book: &BookEvent<'_>, recv_ns: TimeNs) -> Option<()> {
        let from = self.mark();
        let mark = if book.snapshot { flags::SNAPSHOT } else { 0 };
        if book.snapshot {
            let base = self.grids[at].base.0;
            self.push(at, RowKind::Clear, mark, base, 0);
        }
        for (side, levels) in [(0, book.bids), (flags::ASK, book.asks)] {
            for level in levels {
                self.level(at, RowKind::Depth, mark | side, level)?;
            }
        }
        let kind = RowMessageKind::Book { snapshot: book.snapshot, sequence: book.sequence };
        self.close(at, from, kind, (book.time_ns.unwrap_or(recv_ns), recv_ns));
        Some(())
    }

    fn trade(&mut self, at: usize, trade: &TradeEvent<'_>, recv_ns: TimeNs) -> Option<()> {
        let from = self.mark();
        let side = if trade.taker == Side::Sell { flags::ASK } else { 0 };
        self.level(at, RowKind::Trade, side, &trade.level)?;
        let times = (trade.time_ns.unwrap_or(recv_ns), recv_ns);
        self.close(at, from, RowMessageKind::Trade, times);
        Some(())
    }

    fn best(&mut self, at: usize, best: &BestEvent<'_>, recv_ns: TimeNs) -> Option<()> {
        let from = self.mark();
        for (side, level) in [(0, &best.bid), (flags::ASK, &best.ask)] {
            if let Some(level) = level {
                self.level(at, RowKind::Best, side, level)?;
            }
        }
        let times = (best.time_ns.unwrap_or(recv_ns), recv_ns);
        self.close(at, from, RowMessageKind::Best, times);
        Some(())
    }

    /// A mark price may lie between ticks. Funding is settled when its time has passed: the rate that was
    /// announced last is the one that counts.
    fn mark_price(&mut self, at: usize, mark: &MarkEvent<'_>, recv_ns: TimeNs) -> Option<()> {
        let from = self.mark();
        let exch_ns = mark.time_ns.unwrap_or(recv_ns);
        if let Some(price) = mark.mark {
            let (ticks, rest) = ticks_and_rest(price, self.grids[at].tick)?;
            self.push(at, RowKind::Mark, 0, ticks, rest).then_some(())?;
        }
        let due = self.grids[at].funding.filter(|(due, _)| {
            *due <= exch_ns && mark.next_funding_ns.is_none_or(|next| next != *due)
        });
        if let Some((_, rate)) = due {
            let billionths = i64::try_from(rate.to_scale(18)? / NANO).ok()?;
            let base = self.grids[at].base.0;
            self.push(at, RowKind::Funding, 0, base, billionths);
            self.grids[at].funding = None;
        }
        if let (Some(next), Some(rate)) = (mark.next_funding_ns, mark.rate) {
            self.grids[at].funding = Some((next, rate));
        }
        self.close(at, from, RowMessageKind::Mark, (exch_ns, recv_ns));
        Some(())
    }
}

/// Whole lots in a quantity that is between them: rounded down, to one at least.
fn whole_lots(qty: Decimal, lot: Decimal) -> Option<i64> {
    let (lots, _) = ticks_and_rest(qty, lot)?;
    Some(lots.max(i64::from(qty.mantissa() > 0)))
}

/// Whole ticks at or under a price, and what is left in billionths of a tick.
fn ticks_and_rest(price: Decimal, tick: Decimal) -> Option<(i64, i64)> {
    let scale = price.scale().max(tick.scale());
    let (price, tick) = (price.to_scale(scale)?, tick.to_scale(scale)?);
    if tick <= 0 {
        return None;
    }
    let (ticks, rest) = (price.div_euclid(tick), price.rem_euclid(tick));
    Some((i64::try_from(ticks).ok()?, i64::try_from(rest.checked_mul(NANO)? / tick).ok()?))
}
