//! Counting over L2 and order-level rows.

use mainspring_book::{L2Book, L3Book, L3Config, LadderConfig, Trust};
use mainspring_core::{
    DurationNs, Instrument, MarketRow, OrderRow, Result, RowKind, Side, Ticks, TimeNs,
};
use serde::Serialize;

use super::{CheckReport, LatencyQuantiles};
use crate::clock::OffsetEstimator;
use crate::format::Row;

/// What was counted of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InstrumentCheck {
    /// The venue's symbol.
    pub symbol: String,
    /// The venue.
    pub venue: String,
    /// All rows.
    pub rows: u64,
    /// Exchange messages: rows with the end-of-message flag.
    pub messages: u64,
    /// Level changes.
    pub depth_rows: u64,
    /// Trades.
    pub trades: u64,
    /// Halves of best quotes.
    pub best_rows: u64,
    /// Order-level rows.
    pub order_rows: u64,
    /// Quantity of all trades, in lots.
    pub traded_lots: i64,
    /// Rows that say that data is missing.
    pub gap_rows: u64,
    /// Messages after which the best bid of the depth was not below its best ask.
    pub crossed_messages: u64,
    /// The first row of those.
    pub first_crossed_row: Option<u64>,
    /// Messages that left the best-quote stream's bid at or above its ask.
    pub crossed_best_messages: u64,
    /// Order-level rows that do not fit the book: unknown or doubled orders, wrong quantities.
    pub book_faults: u64,
    /// The first row of those.
    pub first_book_fault_row: Option<u64>,
    /// Book messages equal to the instrument's book message before, exchange time included.
    pub duplicate_messages: u64,
    /// The same for trades. Two fills of one order can look like this where the venue gives no
    /// trade id, so it is a note and no fault.
    pub repeated_trades: u64,
    /// Rows whose exchange time is before that of an earlier row of the same stream (book, trades,
    /// best quotes).
    pub out_of_order_rows: u64,
    /// By how much at most.
    pub largest_step_back_ns: DurationNs,
    /// Rows whose exchange time is before that of an earlier row of another stream only: streams
    /// travel apart. The venue takes them as happening together with the row in front.
    pub overtaken_rows: u64,
    /// Rows of the book with a price that the grid in force does not have.
    pub off_grid_rows: u64,
    /// The first row of those.
    pub first_off_grid_row: Option<u64>,
    /// Trades with such a price: hidden and midpoint orders trade between the grid's prices.
    pub off_grid_trades: u64,
    /// Rows received before the exchange says they happened.
    pub negative_latency_rows: u64,
    /// Longest time between two messages, by receive time.
    pub longest_silence_ns: DurationNs,
    /// When it began.
    pub longest_silence_at_ns: TimeNs,
    /// First and last receive time.
    pub recv_span_ns: Option<(TimeNs, TimeNs)>,
}

/// A book that a checker feeds: levels for L2 rows, orders for order-level rows.
pub trait Book {
    /// The rows it takes.
    type Row: Row;
    /// An empty book.
    fn new() -> Self;
    /// The part of a row that is not order-level.
    fn market(row: &Self::Row) -> &MarketRow;
    /// The venue's id of the order, zero for levels.
    fn order_id(row: &Self::Row) -> u64;
    /// Applies a row; false when it does not fit.
    fn apply(&mut self, row: &Self::Row, base: Ticks) -> bool;
    /// The aggregated book.
    fn levels(&self) -> &L2Book;
}

/// A small window: a check does not need to be the fastest.
const LADDER: LadderConfig = LadderConfig { initial_window: 1 << 10, max_window: 1 << 14 };

/// The book of L2 rows.
pub struct Levels(L2Book);

impl Book for Levels {
    type Row = MarketRow;
    fn new() -> Self {
        Self(L2Book::new(LADDER))
    }
    fn market(row: &MarketRow) -> &MarketRow {
        row
    }
    fn order_id(_: &MarketRow) -> u64 {
        0
    }
    fn apply(&mut self, row: &MarketRow, base: Ticks) -> bool {
        // The best-quote stream runs ahead of the depth stream; mixed, a sound book looks crossed.
        if row.kind != RowKind::Best as u8 {
            self.0.apply(row, base);
        }
        true
    }
    fn levels(&self) -> &L2Book {
        &self.0
    }
}

/// The book of order-level rows.
pub struct Orders(L3Book);

impl Book for Orders {
    type Row = OrderRow;
    fn new() -> Self {
        Self(L3Book::new(L3Config { ladder: LADDER, ..L3Config::default() }))
    }
    fn market(row: &OrderRow) -> &MarketRow {
        &row.market
    }
    fn order_id(row: &OrderRow) -> u64 {
        row.order_id
    }
    fn apply(&mut self, row: &OrderRow, base: Ticks) -> bool {
        row.market.kind == RowKind::Best as u8 || self.0.apply(row, base).is_ok()
    }
    fn levels(&self) -> &L2Book {
        self.0.l2()
    }
}

/// What is remembered of one instrument between rows.
struct State<'a, B> {
    instrument: &'a Instrument,
    grid: usize,
    book: B,
    best: [Option<Ticks>; 2],
    best_changed: bool,
    /// Latest exchange time of the book's, the trades' and the best quotes' rows.
    exch_ns: [TimeNs; 3],
    recv_ns: TimeNs,
    message: Message,
    /// Digest of the last book message and of the last trade message.
    last: [u64; 2],
    found: InstrumentCheck,
}

/// The message being read.
#[derive(Clone, Copy, Default)]
struct Message {
    digest: u64,
    has_trade: bool,
    touches_book: bool,
}

/// Counts over all rows of a file.
pub struct MarketChecker<'a, B> {
    states: Vec<State<'a, B>>,
    clock: OffsetEstimator,
    latencies: Sample,
}

impl<'a, B: Book> MarketChecker<'a, B> {
    /// A checker for rows of these instruments.
    pub fn new(instruments: &'a [Instrument]) -> Self {
        let states = instruments.iter().map(State::new).collect();
        Self { states, clock: OffsetEstimator::default(), latencies: Sample::default() }
    }

    /// Takes the rows of a chunk.
    pub fn rows(&mut self, first: u64, base: Ticks, rows: &[B::Row]) {
        for (number, row) in (first..).zip(rows) {
            let market = B::market(row);
            self.clock.push(market.recv_ns, market.exch_ns);
            self.latencies.push(market.recv_ns.saturating_sub(market.exch_ns));
            // The reader has checked that the index is within the list.
            self.states[usize::from(market.instrument)].take(number, row, base);
        }
    }

    /// Puts what was counted into the report.
    pub fn finish(self, report: &mut CheckReport) -> Result<()> {
        report.offset = Some(self.clock.report(0)?);
        report.latency = self.latencies.quantiles();
        report.instruments = self.states.into_iter().map(|state| state.found).collect();
        Ok(())
    }
}

impl<'a, B: Book> State<'a, B> {
    fn new(instrument: &'a Instrument) -> Self {
        Self {
            instrument,
            grid: instrument.grids.len() - 1,
            book: B::new(),
            best: [None; 2],
            best_changed: false,
            exch_ns: [TimeNs::MIN; 3],
            recv_ns: TimeNs::MIN,
            message: Message::default(),
            last: [0; 2],
            found: InstrumentCheck {
                symbol: instrument.symbol.clone(),
                venue: instrument.venue.clone(),
                ..InstrumentCheck::default()
            },
        }
    }

    fn take(&mut self, number: u64, row: &B::Row, base: Ticks) {
        let market = *B::market(row);
        self.count_kind(&market, base);
        self.check_times(&market);
        self.check_price(number, &market, base);
        self.message.add(&market, market.price(base), B::order_id(row));
        if !self.book.apply(row, base) {
            self.found.book_faults += 1;
            self.found.first_book_fault_row.get_or_insert(number);
        }
        if market.ends_message() {
            self.end_message(number, market.recv_ns);
        }
    }

    fn count_kind(&mut self, row: &MarketRow, base: Ticks) {
        self.found.rows += 1;
        match RowKind::from_byte(row.kind) {
            Some(RowKind::Depth) => self.found.depth_rows += 1,
            Some(RowKind::Trade) => {
                self.found.trades += 1;
                self.found.traded_lots = self.found.traded_lots.saturating_add(row.qty_lots);
            }
            Some(RowKind::Best) => {
                self.found.best_rows += 1;
                let side = row.side() as usize;
                self.best[side] = (row.qty_lots > 0).then(|| row.price(base));
                self.best_changed = true;
            }
            Some(RowKind::Gap) => self.found.gap_rows += 1,
            Some(RowKind::Grid) => {
                let version = usize::try_from(row.qty_lots).unwrap_or(usize::MAX);
                self.grid = version.min(self.instrument.grids.len() - 1);
            }
            Some(
                RowKind::OrderAdd
                | RowKind::OrderModify
                | RowKind::OrderDelete
                | RowKind::OrderExecute,
            ) => self.found.order_rows += 1,
            _ => {}
        }
    }

    fn check_times(&mut self, row: &MarketRow) {
        self.found.negative_latency_rows += u64::from(row.recv_ns < row.exch_ns);
        let stream = match RowKind::from_byte(row.kind) {
            Some(RowKind::Trade) => 1,
            Some(RowKind::Best) => 2,
            _ => 0,
        };
        if row.exch_ns < self.exch_ns[stream] {
            self.found.out_of_order_rows += 1;
            let back = self.exch_ns[stream].saturating_sub(row.exch_ns);
            self.found.largest_step_back_ns = self.found.largest_step_back_ns.max(back);
        } else if self.exch_ns.iter().any(|latest| row.exch_ns < *latest) {
            self.found.overtaken_rows += 1;
        }
        self.exch_ns[stream] = self.exch_ns[stream].max(row.exch_ns);
        let first = self.found.recv_span_ns.map_or(row.recv_ns, |(first, _)| first);
        self.found.recv_span_ns = Some((first, row.recv_ns));
    }

    fn check_price(&mut self, number: u64, row: &MarketRow, base: Ticks) {
        let priced = !matches!(
            RowKind::from_byte(row.kind),
            None | Some(
                RowKind::Clear
                    | RowKind::Gap
                    | RowKind::Mark
                    | RowKind::Funding
                    | RowKind::Status
                    | RowKind::Grid
            )
        );
        // A removed level may lie on the grid of before a change.
        let removes = row.kind == RowKind::Depth as u8 && row.qty_lots == 0;
        if !priced || removes || self.instrument.grids[self.grid].is_valid(row.price(base)) {
            return;
        }
        if row.kind == RowKind::Trade as u8 {
            self.found.off_grid_trades += 1;
        } else {
            self.found.off_grid_rows += 1;
            self.found.first_off_grid_row.get_or_insert(number);
        }
    }

    fn end_message(&mut self, number: u64, recv_ns: TimeNs) {
        self.found.messages += 1;
        let message = std::mem::take(&mut self.message);
        self.note_silence(recv_ns);
        self.note_repeat(message);
        let book = self.book.levels();
        let judged = matches!(book.trust(), Trust::Trusted | Trust::Crossed);
        if message.touches_book && judged && book.is_crossed() {
            self.found.crossed_messages += 1;
            self.found.first_crossed_row.get_or_insert(number);
        }
        if std::mem::take(&mut self.best_changed) {
            let [bid, ask] = [Side::Buy, Side::Sell].map(|side| self.best[side as usize]);
            let crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask);
            self.found.crossed_best_messages += u64::from(crossed);
        }
    }

    fn note_silence(&mut self, recv_ns: TimeNs) {
        if self.recv_ns != TimeNs::MIN && recv_ns - self.recv_ns > self.found.longest_silence_ns {
            self.found.longest_silence_ns = recv_ns - self.recv_ns;
            self.found.longest_silence_at_ns = self.recv_ns;
        }
        self.recv_ns = recv_ns;
    }

    fn note_repeat(&mut self, message: Message) {
        let class = usize::from(message.has_trade);
        let repeated = u64::from(self.last[class] == message.digest);
        self.last[class] = message.digest;
        if message.has_trade {
            self.found.repeated_trades += repeated;
        } else {
            self.found.duplicate_messages += repeated;
        }
    }
}

impl Message {
    /// Mixes in everything but the receive time, which differs when a message is sent twice.
    fn add(&mut self, row: &MarketRow, price: Ticks, order_id: u64) {
        let what = [row.kind, row.flags, 0, 0, 0, 0, 0, 0];
        let words = [
            self.digest,
            row.exch_ns as u64,
            row.qty_lots as u64,
            price.0 as u64,
            u64::from_le_bytes(what),
            order_id,
        ];
        self.digest = crate::format::checksum(bytemuck::cast_slice(&words));
        self.has_trade |= row.kind == RowKind::Trade as u8;
        self.touches_book |= row.kind != RowKind::Trade as u8 && row.kind != RowKind::Best as u8;
    }
}

/// Evenly spaced values of a stream of unknown length: every n-th, where n doubles when full.
struct Sample {
    every: u64,
    seen: u64,
    values: Vec<DurationNs>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { every: 1, seen: 0, values: Vec::new() }
    }
}

impl Sample {
    const MOST: usize = 1 << 17;

    fn push(&mut self, value: DurationNs) {
        if self.seen.is_multiple_of(self.every) {
            if self.values.len() == Self::MOST {
                self.values = self.values.iter().copied().step_by(2).collect();
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.values.push(value);
            }
        }
        self.seen += 1;
    }

    fn quantiles(mut self) -> Option<LatencyQuantiles> {
        self.values.sort_unstable();
        let last = self.values.len().checked_sub(1)?;
        let at = |percent: usize| self.values[last * percent / 100];
        Some(LatencyQuantiles { sampled: last + 1, p50_ns: at(50), p99_ns: at(99) })
    }
}
