//! Market data as a link: generated, matched or recorded, on the session's time. Requests do not come
//! here: a paper session has its venues in the kernel.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainspring_book::{L2Book, L3Book, L3Config};
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Side, Ticks, TimeNs};
use mainspring_data::{EventFile, Schema};
use mainspring_sim::flow::{Flow, FlowConfig, FlowRow};

use crate::by_level::ByLevel;
use crate::link::{Desk, Link};
pub use crate::matched::Matched;
use crate::message::FeedRow;
pub use crate::orders::RecordedOrders;

/// Between two looks when nothing is due.
const NAP: Duration = Duration::from_micros(100);

/// The fastest that a feed is played.
pub const MAX_SPEED: f64 = 1_000.0;

/// Levels of each side in a snapshot.
const SNAPSHOT_LEVELS: usize = 200;

/// A message of a feed, with the times of its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<R = MarketRow> {
    /// When it is received, by the source's clock.
    pub at_ns: TimeNs,
    /// Which instrument, by the source's numbers.
    pub instrument: InstrumentId,
    /// What the rows' prices are counted from.
    pub base: Ticks,
    /// The rows; the last ends the message.
    pub rows: Vec<R>,
}

impl<R> Default for Message<R> {
    fn default() -> Self {
        Self { at_ns: 0, instrument: InstrumentId(0), base: Ticks(0), rows: Vec::new() }
    }
}

impl<R: FeedRow> Message<R> {
    /// Adds a row, its price counted from that of the first. Returns whether it ends the message.
    pub(crate) fn add(&mut self, mut row: R, price: Ticks) -> bool {
        let begins = self.rows.is_empty();
        let market = row.market_mut();
        if begins {
            self.at_ns = market.recv_ns;
            self.instrument = InstrumentId(market.instrument);
            self.base = price;
        }
        market.price_offset = (price.0 - self.base.0) as i32;
        let ends = market.ends_message();
        self.rows.push(row);
        ends
    }

    /// What was added last ends the message.
    pub(crate) fn end(&mut self) {
        if let Some(last) = self.rows.last_mut() {
            last.market_mut().flags |= flags::END_OF_MESSAGE;
        }
    }
}

/// Where messages come from, in the order of their times.
pub trait FeedSource<R = MarketRow>: Send {
    /// What is traded.
    fn instruments(&self) -> &[Instrument];

    /// The next message into `message`, in place of what is there; false at the end.
    ///
    /// # Errors
    /// When the source is damaged.
    fn next(&mut self, message: &mut Message<R>) -> Result<bool>;
}

/// A row of a feed, and the book that it makes: a snapshot is told from it after the kernel did not
/// keep up.
pub trait Played: FeedRow + 'static {
    /// The book.
    type Book: Send + std::fmt::Debug;

    /// An empty one.
    fn empty() -> Self::Book;

    /// What the row does to it.
    fn apply(&self, base: Ticks, book: &mut Self::Book);

    /// All of it as one message.
    fn whole(book: &Self::Book, instrument: InstrumentId, now_ns: TimeNs) -> (Ticks, Vec<Self>);

    /// Gives the first message of a feed what it needs to stand for itself.
    fn begin(message: &mut Message<Self>);
}

impl Played for MarketRow {
    type Book = L2Book;

    fn empty() -> L2Book {
        L2Book::default()
    }

    fn apply(&self, base: Ticks, book: &mut L2Book) {
        book.apply(self, base);
    }

    fn whole(book: &L2Book, instrument: InstrumentId, now_ns: TimeNs) -> (Ticks, Vec<Self>) {
        snapshot_rows(book, instrument, now_ns)
    }

    fn begin(_: &mut Message<Self>) {}
}

impl Played for OrderRow {
    type Book = L3Book;

    fn empty() -> L3Book {
        L3Book::new(L3Config::default())
    }

    fn apply(&self, base: Ticks, book: &mut L3Book) {
        // A row that does not fit is a gap in the recording; its orders go on.
        let _ = book.apply(self, base);
    }

    fn whole(book: &L3Book, instrument: InstrumentId, now_ns: TimeNs) -> (Ticks, Vec<Self>) {
        crate::orders::snapshot_rows(book, instrument, now_ns)
    }

    /// After a restart the engine has the orders of the feed before.
    fn begin(message: &mut Message<Self>) {
        let Some(first) = message.rows.first() else { return };
        if first.market.flags & flags::SNAPSHOT == 0 {
            let clear = MarketRow { flags: flags::SNAPSHOT, ..first.market };
            let clear = MarketRow { kind: RowKind::Clear as u8, qty_lots: 0, ..clear };
            message.rows.insert(0, Self { market: clear, order_id: 0 });
        }
    }
}

/// How a feed is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedConfig {
    /// How much faster than its own time it goes.
    pub speed: f64,
    /// From the exchange's time of a row to its arrival, as rows are told; `None` keeps the source's.
    pub feed_ns: Option<i64>,
    /// How long after the session's begin the first message comes.
    pub delay_ns: i64,
}

/// What others see of a feed.
#[derive(Debug, Default)]
pub struct FeedState {
    ended: AtomicBool,
}

impl FeedState {
    /// Whether its last message was sent.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// A feed as a link of a session.
pub struct FeedLink<R: Played = MarketRow> {
    name: String,
    source: Box<dyn FeedSource<R>>,
    config: FeedConfig,
    markets: Markets<R>,
    state: Arc<FeedState>,
}

impl<R: Played> FeedLink<R> {
    /// A feed whose instruments trade on one venue; `places` are their numbers in the session.
    ///
    /// # Errors
    /// When the speed cannot be, or the instruments are of several venues.
    pub fn new(
        source: Box<dyn FeedSource<R>>,
        config: FeedConfig,
        places: Vec<InstrumentId>,
    ) -> Result<Self> {
        if !(config.speed > 0.0 && config.speed <= MAX_SPEED) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a speed of {}: give more than 0 and at most {MAX_SPEED}", config.speed),
            ));
        }
        let instruments = source.instruments();
        let first = instruments.first().ok_or_else(|| {
            Error::new(ErrorKind::Config, "a feed needs at least one instrument".to_owned())
        })?;
        if let Some(other) = instruments.iter().find(|one| one.venue != first.venue) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "a feed is of one venue, this one is of {} and {}; give each its own",
                    first.venue, other.venue
                ),
            ));
        }
        Ok(Self {
            name: first.venue.clone(),
            source,
            config,
            markets: Markets::new(places),
            state: Arc::default(),
        })
    }

    /// How far it is, for others to look at.
    #[must_use]
    pub fn state(&self) -> Arc<FeedState> {
        Arc::clone(&self.state)
    }

    fn send(&mut self, desk: &mut Desk, message: &mut Message<R>, at_ns: TimeNs) {
        let late_ns = |row: &MarketRow| self.config.feed_ns.unwrap_or(row.recv_ns - row.exch_ns);
        for row in &mut message.rows {
            let row = row.market_mut();
            row.exch_ns = at_ns - late_ns(row);
            row.recv_ns = at_ns;
        }
        self.markets.send(desk, message, at_ns);
    }
}

/// Books of a feed's instruments, from which a snapshot is told after the kernel did not keep up.
#[derive(Debug)]
pub(crate) struct Markets<R: Played = MarketRow> {
    /// The session's instrument for each of the source's.
    places: Vec<InstrumentId>,
    books: Vec<R::Book>,
    begun: Vec<bool>,
    snapshot_wanted: Vec<bool>,
}

impl<R: Played> Markets<R> {
    pub(crate) fn new(places: Vec<InstrumentId>) -> Self {
        let books = places.iter().map(|_| R::empty()).collect();
        let no = vec![false; places.len()];
        Self { books, begun: no.clone(), snapshot_wanted: no, places }
    }

    #[cfg(test)]
    pub(crate) fn book(&self, index: usize) -> &R::Book {
        &self.books[index]
    }

    /// Tells a message, or the whole book when one before it was lost.
    pub(crate) fn send(&mut self, desk: &mut Desk, message: &mut Message<R>, at_ns: TimeNs) {
        let index = message.instrument.index();
        let Some(place) = self.places.get(index).copied() else { return };
        if !std::mem::replace(&mut self.begun[index], true) {
            R::begin(message);
        }
        for row in &mut message.rows {
            row.market_mut().instrument = place.0;
            row.apply(message.base, &mut self.books[index]);
        }
        if !self.snapshot_wanted[index] {
            self.snapshot_wanted[index] = !desk.market(place, message.base, &message.rows);
            return;
        }
        // The snapshot already holds what these rows say.
        let (base, rows) = R::whole(&self.books[index], place, at_ns);
        self.snapshot_wanted[index] = !desk.whole_book(place, base, &rows);
    }
}

impl<R: Played> Link for FeedLink<R> {
    fn venue(&self) -> &str {
        &self.name
    }

    fn run(mut self: Box<Self>, mut desk: Desk) {
        desk.link(true);
        let begin_ns = desk.now_ns() + self.config.delay_ns;
        let mut message = Message::default();
        let mut first_ns = None;
        while !desk.must_end() {
            match self.source.next(&mut message) {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
            let first_ns = *first_ns.get_or_insert(message.at_ns);
            let after_ns = (message.at_ns - first_ns) as f64 / self.config.speed;
            let at_ns = begin_ns + after_ns as TimeNs;
            wait_until(&mut desk, at_ns);
            self.send(&mut desk, &mut message, at_ns);
        }
        self.state.ended.store(true, Ordering::Release);
        while !desk.must_end() {
            while desk.next_request().is_some() {}
            thread::sleep(NAP);
        }
        desk.link(false);
    }
}

/// Waits for a time, or for the end.
fn wait_until(desk: &mut Desk, at_ns: TimeNs) {
    while !desk.must_end() {
        let left_ns = at_ns - desk.now_ns();
        if left_ns <= 0 {
            return;
        }
        // Nothing is asked of a feed; what a halt wants cancelled is not here.
        while desk.next_request().is_some() {}
        thread::sleep(Duration::from_nanos(left_ns as u64).min(NAP));
    }
}

/// A whole book as one message.
pub(crate) fn snapshot_rows(
    book: &L2Book,
    instrument: InstrumentId,
    now_ns: TimeNs,
) -> (Ticks, Vec<MarketRow>) {
    let base = book.best(Side::Buy).unwrap_or(Ticks(0));
    let mut rows = Vec::with_capacity(2 * SNAPSHOT_LEVELS);
    for side in [Side::Buy, Side::Sell] {
        let side_flag = if side == Side::Sell { flags::ASK } else { 0 };
        rows.extend(book.levels(side).take(SNAPSHOT_LEVELS).map(|(price, qty)| MarketRow {
            recv_ns: now_ns,
            exch_ns: now_ns,
            qty_lots: qty.0,
            price_offset: (price.0 - base.0) as i32,
            kind: RowKind::Depth as u8,
            flags: flags::SNAPSHOT | side_flag,
            instrument: instrument.0,
        }));
    }
    if let Some(last) = rows.last_mut() {
        last.flags |= flags::END_OF_MESSAGE;
    }
    (base, rows)
}

/// The generator's view of levels or of orders, by the level of its configuration.
pub struct Generated {
    instruments: Vec<Instrument>,
    flow: Flow,
    next: Option<FlowRow>,
}

impl Generated {
    /// Generated markets.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &FlowConfig) -> Result<Self> {
        let mut flow = Flow::new(config)?;
        let next = flow.next();
        Ok(Self { instruments: config.instruments(), flow, next })
    }
}

impl<R: FeedRow> FeedSource<R> for Generated {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self, message: &mut Message<R>) -> Result<bool> {
        let Some(first) = self.next else { return Ok(false) };
        message.rows.clear();
        while let Some(row) = self.next {
            let market = MarketRow {
                recv_ns: row.recv_ns,
                exch_ns: row.exch_ns,
                qty_lots: row.qty,
                price_offset: 0,
                kind: row.kind as u8,
                flags: row.flags,
                instrument: row.instrument,
            };
            self.next = self.flow.next();
            if message.add(R::of(market, row.order_id), row.price) {
                break;
            }
        }
        message.at_ns = first.exch_ns;
        Ok(true)
    }
}

/// An event file, played as it was received.
pub struct Recorded {
    file: EventFile,
    chunk: usize,
    row: usize,
    /// What is made of orders, where the file holds orders.
    by_level: Option<ByLevel>,
}

impl Recorded {
    /// A recording of levels and trades, or of orders, of which the levels and trades are told.
    ///
    /// # Errors
    /// When the file cannot be read or holds bars.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let file = EventFile::open(path)?;
        if file.schema() == Schema::Bar {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "{}: holds bars; a session takes orders, or levels and trades",
                    path.display()
                ),
            ));
        }
        let by_level =
            (file.schema() == Schema::Order).then(|| ByLevel::new(file.instruments().len()));
        Ok(Self { file, chunk: 0, row: 0, by_level })
    }

    /// The next message of orders that says something about levels or trades.
    fn next_by_level(&mut self, by_level: &mut ByLevel, message: &mut Message) -> Result<bool> {
        while self.chunk < self.file.chunks().len() {
            let chunk = self.file.order_chunk(self.chunk)?;
            for row in &chunk.rows[self.row..] {
                self.row += 1;
                by_level.hear(row, chunk.price_base, message);
                if row.market.ends_message() && by_level.end(&row.market, message) {
                    return Ok(true);
                }
            }
            self.chunk += 1;
            self.row = 0;
        }
        Ok(false)
    }
}

impl FeedSource for Recorded {
    fn instruments(&self) -> &[Instrument] {
        self.file.instruments()
    }

    fn next(&mut self, message: &mut Message) -> Result<bool> {
        message.rows.clear();
        if let Some(mut by_level) = self.by_level.take() {
            let found = self.next_by_level(&mut by_level, message);
            self.by_level = Some(by_level);
            return found;
        }
        while self.chunk < self.file.chunks().len() {
            let chunk = self.file.chunk(self.chunk)?;
            for row in &chunk.rows[self.row..] {
                self.row += 1;
                if message.add(*row, row.price(chunk.price_base)) {
                    return Ok(true);
                }
            }
            self.chunk += 1;
            self.row = 0;
        }
        message.end();
        Ok(!message.rows.is_empty())
    }
}
