//! Plays the rows of a recording's files, by its own time, to the markets of an exchange.

use std::sync::Arc;

use mainspring_book::Trust;
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::order::SelfTradePrevention;
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Ticks, TimeNs};
use mainspring_data::{EventFile, Schema};
use mainspring_exchange::recorded::{Recorded, Stage};
use mainspring_exchange::{Exchange, Listener, TradingStatus};
use mainspring_sim::{OrderRules, QueueModel};
use mainspring_trading::ledger::MarkPrice;
use serde::Serialize;

use super::stage::{Floor, House};
use super::{Levels, Recording};
use crate::flow::tick_ratio;

/// Rows that are read at once.
const READ: usize = 1_024;
/// Between the end of a recording and its next beginning.
const PAUSE_NS: i64 = 1_000_000_000;
/// Between marks that are made of the book.
const MARK_EVERY_NS: i64 = 1_000_000_000;

/// How fast a recording runs against the clock.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// When the market opens by the clock.
    pub opened_ns: TimeNs,
    /// How much of the recording is over then.
    pub warm_up_ns: i64,
    /// How fast it runs from then on.
    pub speed: f64,
    /// Whether it begins again at its end.
    pub looped: bool,
}

/// How far a recording is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// The recording's time of the last message.
    pub time_ns: TimeNs,
    /// Messages so far.
    pub messages: u64,
    /// How often it has begun again.
    pub laps: u32,
    /// Whether it is over: its markets are halted.
    pub ended: bool,
    /// Why it ended, where a file could not be read to its end.
    pub error: Option<String>,
}

/// One market and what the recording says of it.
#[derive(Debug)]
struct Book {
    says: Says,
    rules: OrderRules,
    /// Ticks of the market in one of the recording.
    ratio: i64,
    /// Why the recording has it halted.
    is_gapped: bool,
    is_halted: bool,
    is_over: bool,
    is_derivative: bool,
    /// Whether the recording tells mark prices; otherwise the middle of its book is the mark.
    has_marks: bool,
    marked_ns: TimeNs,
    /// Whether it was halted when that was last looked at.
    was_halted: bool,
}

#[derive(Debug)]
enum Says {
    Orders(Box<Recorded>),
    Levels(Box<Levels>),
}

/// A file and how far it is read.
#[derive(Debug)]
struct Source {
    file: Arc<EventFile>,
    /// The market of each of the file's instruments, where this exchange has it.
    map: Vec<Option<InstrumentId>>,
    chunk: usize,
    /// Rows of the chunk that are read.
    read: usize,
    rows: Vec<OrderRow>,
    base: Ticks,
    at: usize,
    /// The latest time of a row so far: what is told late happens together with it.
    time_ns: TimeNs,
}

/// A recording on an exchange's markets.
#[derive(Debug)]
pub struct HouseRecording {
    sources: Vec<Source>,
    books: Vec<Book>,
    house: House,
    pace: Pace,
    /// The recording's time at `pace.opened_ns`.
    start_ns: TimeNs,
    first_ns: TimeNs,
    progress: Progress,
}

impl Source {
    fn new(file: Arc<EventFile>, map: Vec<Option<InstrumentId>>) -> Result<Self> {
        let mut source = Self {
            file,
            map,
            chunk: 0,
            read: 0,
            rows: Vec::with_capacity(READ),
            base: Ticks(0),
            at: 0,
            time_ns: TimeNs::MIN,
        };
        source.read_on()?;
        Ok(source)
    }

    fn rewind(&mut self) -> Result<()> {
        (self.chunk, self.read, self.time_ns) = (0, 0, TimeNs::MIN);
        self.read_on()
    }

    /// When its next row happens.
    fn next_ns(&self) -> Option<TimeNs> {
        self.rows.get(self.at).map(|row| row.market.exch_ns.max(self.time_ns))
    }

    fn take(&mut self) -> Result<Option<(OrderRow, Ticks)>> {
        let Some(row) = self.rows.get(self.at).copied() else { return Ok(None) };
        let base = self.base;
        self.time_ns = self.time_ns.max(row.market.exch_ns);
        self.at += 1;
        if self.at == self.rows.len() {
            self.read_on()?;
        }
        Ok(Some((row, base)))
    }

    /// Reads the next rows; none at the end.
    fn read_on(&mut self) -> Result<()> {
        self.rows.clear();
        self.at = 0;
        while self.rows.is_empty() && self.chunk < self.file.chunks().len() {
            let unnamed = |market: &MarketRow| OrderRow { market: *market, order_id: 0 };
            let (from, to) = (self.read, self.read + READ);
            let total = if self.file.schema() == Schema::Order {
                let chunk = self.file.order_chunk(self.chunk)?;
                self.base = chunk.price_base;
                self.rows.extend_from_slice(&chunk.rows[from..to.min(chunk.rows.len())]);
                chunk.rows.len()
            } else {
                let chunk = self.file.chunk(self.chunk)?;
                self.base = chunk.price_base;
                self.rows.extend(chunk.rows[from..to.min(chunk.rows.len())].iter().map(unnamed));
                chunk.rows.len()
            };
            self.read = to;
            if to >= total {
                (self.chunk, self.read) = (self.chunk + 1, 0);
            }
        }
        self.file.check()
    }
}

impl HouseRecording {
    /// A recording on an exchange whose markets are these instruments of it, in this order.
    ///
    /// # Errors
    /// When a file cannot be read, or prices have no place on a market's grid.
    pub fn new(
        exchange: &mut Exchange,
        recording: &Recording,
        listed: &[(InstrumentId, Instrument)],
        model: QueueModel,
        pace: Pace,
    ) -> Result<Self> {
        let market_of = |id: &InstrumentId| {
            let at = listed.iter().position(|(of, _)| of == id)?;
            Some(InstrumentId(at as u16))
        };
        let sources = recording.files.iter().zip(&recording.maps);
        let sources = sources
            .map(|(file, map)| Source::new(file.clone(), map.iter().map(market_of).collect()))
            .collect::<Result<Vec<_>>>()?;
        let book = |(id, instrument): &(InstrumentId, Instrument)| {
            let recorded = &recording.instruments[id.index()];
            let says = if recording.by_order[id.index()] {
                Says::Orders(Box::default())
            } else {
                Says::Levels(Box::new(Levels::new(model, instrument.lot.to_f64())))
            };
            Ok(Book {
                says,
                rules: OrderRules::of(instrument)?,
                ratio: tick_ratio(recorded, instrument)?,
                is_gapped: false,
                is_halted: false,
                is_over: false,
                is_derivative: instrument.kind.is_derivative(),
                has_marks: false,
                marked_ns: TimeNs::MIN,
                was_halted: false,
            })
        };
        let books = listed.iter().map(book).collect::<Result<_>>()?;
        let first_ns = sources.iter().filter_map(Source::next_ns).min().unwrap_or(0);
        let last_ns = recording.files.iter().map(|file| file.exch_span_ns().1).max();
        if pace.warm_up_ns > 0 && pace.warm_up_ns >= last_ns.unwrap_or(0) - first_ns {
            let what = "warm_up_s: the recording is not longer than that";
            return Err(Error::new(ErrorKind::Value, what));
        }
        let maker = exchange.open_house_account()?;
        let taker = exchange.open_house_account()?;
        Ok(Self {
            sources,
            books,
            house: House { maker, taker },
            pace,
            start_ns: first_ns + pace.warm_up_ns,
            first_ns,
            progress: Progress::default(),
        })
    }

    /// How far it is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What a market asks of members' orders.
    #[must_use]
    pub fn rules(&self, market: InstrumentId) -> &OrderRules {
        &self.books[market.index()].rules
    }

    /// When a time of the recording is by the clock.
    fn clock(&self, time_ns: TimeNs) -> TimeNs {
        let since = time_ns - self.start_ns;
        if since <= 0 {
            return self.pace.opened_ns + since;
        }
        self.pace.opened_ns.saturating_add((since as f64 / self.pace.speed) as i64)
    }

    /// Plays up to a time, at most about `most` rows of it. Returns how many were played.
    pub fn advance(
        &mut self,
        exchange: &mut Exchange,
        until: TimeNs,
        most: usize,
        listener: &mut impl Listener,
    ) -> usize {
        self.catch_up(exchange, until, listener);
        let mut played = 0;
        while played < most && !self.progress.ended {
            let Some((at, time_ns)) = self.next() else {
                self.end(exchange, until, listener);
                break;
            };
            let now = self.clock(time_ns);
            if now > until {
                break;
            }
            played += match self.play_message(at, exchange, now, listener) {
                Ok(rows) => rows,
                Err(error) => {
                    self.stop(exchange, error.to_string(), now, listener);
                    break;
                }
            };
        }
        played
    }

    /// A market that was opened by hand has the recording's book before its next message.
    fn catch_up(&mut self, exchange: &mut Exchange, now: TimeNs, listener: &mut impl Listener) {
        for (id, book) in (0_u16..).zip(&mut self.books) {
            let mut floor = floor_of(exchange, InstrumentId(id), self.house, book, listener);
            book.catch_up(&mut floor, now);
        }
    }

    /// The source whose message is next.
    fn next(&self) -> Option<(usize, TimeNs)> {
        let times = self.sources.iter().enumerate();
        times.filter_map(|(at, source)| Some((at, source.next_ns()?))).min_by_key(|(_, time)| *time)
    }

    fn play_message(
        &mut self,
        at: usize,
        exchange: &mut Exchange,
        now: TimeNs,
        listener: &mut impl Listener,
    ) -> Result<usize> {
        let mut rows = 0;
        while let Some((row, base)) = self.sources[at].take()? {
            rows += 1;
            let number = usize::from(row.market.instrument);
            if let Some(market) = self.sources[at].map.get(number).copied().flatten() {
                let book = &mut self.books[market.index()];
                let mut floor = floor_of(exchange, market, self.house, book, listener);
                book.play(&mut floor, &row, base, now)?;
            }
            if row.market.flags & flags::END_OF_MESSAGE != 0 {
                break;
            }
        }
        self.progress.time_ns = self.progress.time_ns.max(self.sources[at].time_ns);
        self.progress.messages += 1;
        if self.sources[at].next_ns().is_none() && !self.pace.looped {
            self.close_markets(exchange, now, listener);
        }
        Ok(rows)
    }

    /// Markets of which no file says anything more are halted.
    fn close_markets(
        &mut self,
        exchange: &mut Exchange,
        now: TimeNs,
        listener: &mut impl Listener,
    ) {
        for (id, book) in (0_u16..).zip(&mut self.books) {
            let market = InstrumentId(id);
            let goes_on =
                |source: &Source| source.next_ns().is_some() && source.map.contains(&Some(market));
            if !self.sources.iter().any(goes_on) {
                book.is_over = true;
                book.set_status(&mut floor_of(exchange, market, self.house, book, listener), now);
            }
        }
    }

    /// The recording is over, or begins again.
    fn end(&mut self, exchange: &mut Exchange, until: TimeNs, listener: &mut impl Listener) {
        if !self.pace.looped {
            self.progress.ended = true;
            return;
        }
        let last_ns = self.clock(self.progress.time_ns);
        if last_ns + PAUSE_NS > until {
            return;
        }
        self.pace.opened_ns = last_ns + PAUSE_NS;
        self.start_ns = self.first_ns;
        self.progress.laps += 1;
        self.progress.time_ns = self.first_ns;
        for (id, book) in (0_u16..).zip(&mut self.books) {
            (book.is_gapped, book.is_halted) = (false, false);
            let mut floor = floor_of(exchange, InstrumentId(id), self.house, book, listener);
            match &mut book.says {
                Says::Orders(orders) => orders.restart(&mut floor, self.pace.opened_ns),
                Says::Levels(levels) => levels.restart(&mut floor, self.pace.opened_ns),
            }
            book.set_status(&mut floor, self.pace.opened_ns);
        }
        for at in 0..self.sources.len() {
            if let Err(error) = self.sources[at].rewind() {
                self.stop(exchange, error.to_string(), until, listener);
                return;
            }
        }
    }

    /// A file cannot be read any more: everything halts.
    fn stop(
        &mut self,
        exchange: &mut Exchange,
        error: String,
        now: TimeNs,
        listener: &mut impl Listener,
    ) {
        self.progress.ended = true;
        self.progress.error = Some(error);
        for (id, book) in (0_u16..).zip(&mut self.books) {
            book.is_over = true;
            let mut floor = floor_of(exchange, InstrumentId(id), self.house, book, listener);
            book.set_status(&mut floor, now);
        }
    }
}

fn floor_of<'a, L: Listener>(
    exchange: &'a mut Exchange,
    instrument: InstrumentId,
    house: House,
    book: &Book,
    listener: &'a mut L,
) -> Floor<'a, L> {
    // Levels of a recording that cross each other are of different times: the newer one stands.
    let self_trade = match book.says {
        Says::Orders(_) => None,
        Says::Levels(_) => Some(SelfTradePrevention::CancelOldest),
    };
    Floor { exchange, instrument, house, self_trade, listener }
}

impl Book {
    fn play<L: Listener>(
        &mut self,
        floor: &mut Floor<'_, L>,
        row: &OrderRow,
        base: Ticks,
        now: TimeNs,
    ) -> Result<()> {
        let price = Ticks(row.market.price(base).0 * self.ratio);
        let row = OrderRow { market: MarketRow { price_offset: 0, ..row.market }, ..*row };
        if self.hear(floor, &row, price, now) {
            self.set_status(floor, now);
        }
        match &mut self.says {
            Says::Orders(orders) => orders.play(floor, &row, price, now)?,
            Says::Levels(levels) => levels.play(floor, &row.market, price, now),
        }
        if row.market.ends_message() {
            self.end_message(floor, now);
        }
        Ok(())
    }

    fn end_message<L: Listener>(&mut self, floor: &mut Floor<'_, L>, now: TimeNs) {
        if self.is_gapped && self.is_whole_again() {
            self.is_gapped = false;
            self.set_status(floor, now);
        }
        let is_due = self.marked_ns.saturating_add(MARK_EVERY_NS) <= now;
        if self.is_derivative && !self.has_marks && is_due && !floor.is_frozen() {
            self.mark_by_book(floor, now);
        }
    }

    /// The middle of the recording's book is the mark.
    fn mark_by_book<L: Listener>(&mut self, floor: &mut Floor<'_, L>, now: TimeNs) {
        let book = match &self.says {
            Says::Orders(orders) => orders.book().l2(),
            Says::Levels(levels) => levels.book(),
        };
        if let Some(mid2) = book.mid2().filter(|_| !book.is_crossed()) {
            self.marked_ns = now;
            self.set_mark(floor, MarkPrice(i128::from(mid2) * 500_000_000), now);
        }
    }

    fn set_mark<L: Listener>(&self, floor: &mut Floor<'_, L>, mark: MarkPrice, now: TimeNs) {
        let set = floor.exchange.set_mark(floor.instrument, mark, now, floor.listener);
        debug_assert!(set.is_ok(), "the market is there: {set:?}");
    }

    fn catch_up<L: Listener>(&mut self, floor: &mut Floor<'_, L>, now: TimeNs) {
        match &mut self.says {
            Says::Orders(orders) => orders.catch_up(floor, now),
            Says::Levels(levels) => levels.catch_up(floor, now),
        }
    }

    /// Whether the recording's book can be believed again after a gap.
    fn is_whole_again(&self) -> bool {
        let trust = match &self.says {
            Says::Orders(orders) => orders.book().trust(),
            Says::Levels(levels) => levels.book().trust(),
        };
        matches!(trust, Trust::Trusted | Trust::Crossed)
    }

    /// What is not about orders and levels. Returns whether the market may be halted or open now.
    fn hear<L: Listener>(
        &mut self,
        floor: &mut Floor<'_, L>,
        row: &OrderRow,
        price: Ticks,
        now: TimeNs,
    ) -> bool {
        let value = row.market.qty_lots;
        let instrument = floor.instrument;
        match RowKind::from_byte(row.market.kind) {
            Some(RowKind::Mark) => {
                let part = MarkPrice(MarkPrice::of_row(Ticks(0), value).0 * i128::from(self.ratio));
                let mark = MarkPrice(MarkPrice::of_row(price, 0).0 + part.0);
                self.has_marks = true;
                self.set_mark(floor, mark, now);
            }
            Some(RowKind::Funding) => {
                let has_mark = floor.market().mark().is_some();
                if self.is_derivative && has_mark {
                    // A rate that is no fraction is the recording's fault and moves nothing.
                    let _ = floor.exchange.settle_funding(instrument, value, now, floor.listener);
                }
            }
            Some(RowKind::Grid) => self.rules.set_grid(value),
            Some(RowKind::Status) => {
                self.is_halted = value == 0;
                return true;
            }
            Some(RowKind::Gap) => {
                self.is_gapped = true;
                return true;
            }
            _ => {}
        }
        false
    }

    /// Halts the market or opens it, where what the recording says of it has changed. A market that
    /// opens has the recording's book at once.
    fn set_status<L: Listener>(&mut self, floor: &mut Floor<'_, L>, now: TimeNs) {
        let halts = self.is_gapped || self.is_halted || self.is_over;
        if std::mem::replace(&mut self.was_halted, halts) == halts {
            return;
        }
        let status = if halts { TradingStatus::Halted } else { TradingStatus::Open };
        let set = floor.exchange.set_status(floor.instrument, status, now, floor.listener);
        debug_assert!(set.is_ok(), "the market is there: {set:?}");
        self.catch_up(floor, now);
    }
}
