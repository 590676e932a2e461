//! The built-in exchange as a feed: generated orders meet in the matching engine, and what is
//! published is what the engine matched.
//!
//! The generator says who adds and cancels which order and how much takers take; who trades with
//! whom, at what price and in which order is the engine's doing. Trades are published at once, levels
//! as a venue does: those that changed, some milliseconds apart, and right around a trade.

use std::collections::VecDeque;

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, Result, Side, Ticks, TimeInForce,
    TimeNs,
};
use mainspring_exchange::{
    AccountId, Desk, Market, MarketConfig, NewOrder, OrderId, OrderReport, ReportKind, TradeReport,
};
use mainspring_sim::flow::{Flow, FlowConfig, FlowRow};

use crate::feed::{FeedSource, Message};

/// Who adds orders, and who takes them.
const MAKERS: AccountId = AccountId(1);
const TAKERS: AccountId = AccountId(2);

/// Ids of takers' orders begin here; the generator's own are smaller.
const FIRST_TAKER: u64 = 1 << 62;

/// Levels follow a trade after so long at the latest.
const AFTER_TRADE_NS: i64 = 5_000_000;

/// Generated orders on the matching engine.
pub struct Matched {
    instruments: Vec<Instrument>,
    books: Vec<Book>,
    flow: Flow,
    next: Option<FlowRow>,
    ready: VecDeque<Message>,
    next_taker: u64,
    refused: u64,
}

/// One market of the engine, and what of it has been published.
struct Book {
    market: Market,
    seen: Seen,
    gap_ns: i64,
    due_ns: TimeNs,
}

/// What happened since levels were last published.
#[derive(Default)]
struct Seen {
    touched: Vec<(Side, Ticks)>,
    trades: Vec<TradeReport>,
    refused: u64,
}

impl Seen {
    fn touch(&mut self, side: Side, price: Ticks) {
        if !self.touched.contains(&(side, price)) {
            self.touched.push((side, price));
        }
    }
}

impl Desk for Seen {
    fn trade(&mut self, trade: &TradeReport) {
        self.touch(trade.taker_side.opposite(), trade.price);
        self.trades.push(*trade);
    }

    fn order(&mut self, report: &OrderReport) {
        match report.kind {
            ReportKind::Rested | ReportKind::Cancelled(_) => {
                self.touch(report.side, report.held_at);
            }
            ReportKind::Rejected(_) | ReportKind::CancelRejected(_) => self.refused += 1,
            _ => {}
        }
    }
}

impl Matched {
    /// An exchange over generated orders; the configuration's level has to be that of orders.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &FlowConfig) -> Result<Self> {
        let instruments = config.instruments();
        let mut flow = Flow::new(config)?;
        let next = flow.next();
        let books = (0_u16..).zip(&config.markets).map(|(id, shape)| {
            // The generator's orders are a venue's own: its limits for members do not hold for them.
            let open = Instrument {
                min_qty: Lots(1),
                max_qty: Lots(0),
                min_notional: Decimal::ZERO,
                ..shape.instrument.clone()
            };
            let market = Market::new(InstrumentId(id), &open, MarketConfig::default())?;
            let gap_ns = shape.message_gap_ns as i64;
            Ok(Book { market, seen: Seen::default(), gap_ns, due_ns: TimeNs::MIN })
        });
        Ok(Self {
            books: books.collect::<Result<_>>()?,
            instruments,
            flow,
            next,
            ready: VecDeque::new(),
            next_taker: FIRST_TAKER,
            refused: 0,
        })
    }

    /// Orders and cancels of the generator that the engine refused: none, unless the two disagree
    /// about who trades first.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The engine's levels of a market.
    #[must_use]
    pub fn levels(&self, instrument: InstrumentId) -> Option<&mainspring_book::L2Book> {
        self.books.get(instrument.index()).map(|book| book.market.levels())
    }

    /// Gives the engine the next message of the generator and publishes what came of it.
    fn step(&mut self) -> Result<bool> {
        let Some(first) = self.next else { return Ok(false) };
        let mut rows = Vec::new();
        while let Some(row) = self.next {
            rows.push(row);
            self.next = self.flow.next();
            if row.flags & flags::END_OF_MESSAGE != 0 {
                break;
            }
        }
        let Some(book) = self.books.get_mut(usize::from(first.instrument)) else {
            return Err(Error::new(ErrorKind::Internal, "a row of a market that is not there"));
        };
        let now_ns = first.exch_ns;
        if first.flags & flags::SNAPSHOT != 0 {
            rows.iter().for_each(|row| book.apply(row, &mut self.next_taker));
            self.ready.push_back(book.snapshot(now_ns, first.instrument));
        } else if matches!(first.kind, RowKind::Mark | RowKind::Funding) {
            self.ready.push_back(passed_on(&rows));
        } else {
            // What changed before a trade is published before it.
            let trades = rows.iter().any(|row| row.kind == RowKind::OrderExecute);
            if trades || now_ns >= book.due_ns {
                self.ready.extend(book.levels(now_ns, first.instrument));
            }
            for taken in executions(&rows) {
                taken.iter().for_each(|row| book.apply(row, &mut self.next_taker));
            }
            if !book.seen.trades.is_empty() {
                self.ready.push_back(book.trades(now_ns, first.instrument));
                self.ready.extend(book.levels(now_ns, first.instrument));
                book.due_ns = book.due_ns.min(now_ns + AFTER_TRADE_NS);
            }
        }
        self.refused += std::mem::take(&mut book.seen.refused);
        Ok(true)
    }
}

/// Rows of one message, those of one taker merged: its limit is the last price it reaches.
fn executions(rows: &[FlowRow]) -> Vec<Vec<FlowRow>> {
    let is_taken = |row: &FlowRow| row.kind == RowKind::OrderExecute;
    rows.chunk_by(|a, b| is_taken(a) && is_taken(b) && a.flags & flags::ASK == b.flags & flags::ASK)
        .map(|run| match run {
            [first, .., last] if is_taken(first) => {
                let qty = run.iter().map(|row| row.qty).sum();
                vec![FlowRow { qty, price: last.price, ..*first }]
            }
            _ => run.to_vec(),
        })
        .collect()
}

impl Book {
    fn apply(&mut self, row: &FlowRow, next_taker: &mut u64) {
        let side = if row.flags & flags::ASK != 0 { Side::Sell } else { Side::Buy };
        let id = InstrumentId(row.instrument);
        let (now_ns, market, seen) = (row.exch_ns, &mut self.market, &mut self.seen);
        match row.kind {
            RowKind::OrderAdd => {
                let terms = OrderTerms::limit(id, side, row.price, Lots(row.qty));
                let order = NewOrder::new(OrderId(row.order_id), MAKERS, terms);
                market.submit(order, now_ns, seen);
            }
            RowKind::OrderDelete => market.cancel(OrderId(row.order_id), MAKERS, now_ns, seen),
            RowKind::OrderExecute => {
                let taker = side.opposite();
                let mut terms = OrderTerms::limit(id, taker, row.price, Lots(row.qty));
                terms.time_in_force = TimeInForce::Ioc;
                *next_taker += 1;
                market.submit(NewOrder::new(OrderId(*next_taker), TAKERS, terms), now_ns, seen);
            }
            _ => {}
        }
    }

    /// A message of these rows, prices counted from the first.
    fn message(&self, now_ns: TimeNs, instrument: u16) -> Message {
        let base = self.market.levels().best(Side::Buy).unwrap_or(Ticks(0));
        Message { at_ns: now_ns, instrument: InstrumentId(instrument), base, rows: Vec::new() }
    }

    fn trades(&mut self, now_ns: TimeNs, instrument: u16) -> Message {
        let mut message = self.message(now_ns, instrument);
        for trades in self.seen.trades.chunk_by(|a, b| a.price == b.price) {
            let qty = trades.iter().map(|trade| trade.qty.0).sum();
            let trade = &trades[0];
            let bits = side_bits(trade.taker_side);
            message.push(now_ns, RowKind::Trade, bits, trade.price, qty);
        }
        self.seen.trades.clear();
        message.ended()
    }

    /// The levels that changed, those that vanished first: one by one they never cross the book.
    fn levels(&mut self, now_ns: TimeNs, instrument: u16) -> Option<Message> {
        self.due_ns = now_ns + self.gap_ns;
        if self.seen.touched.is_empty() {
            return None;
        }
        let mut message = self.message(now_ns, instrument);
        for vanished in [true, false] {
            for (side, price) in &self.seen.touched {
                let lots = self.market.levels().qty(*side, *price).0;
                if (lots == 0) == vanished {
                    message.push(now_ns, RowKind::Depth, side_bits(*side), *price, lots);
                }
            }
        }
        self.seen.touched.clear();
        Some(message.ended())
    }

    fn snapshot(&mut self, now_ns: TimeNs, instrument: u16) -> Message {
        self.seen = Seen { refused: self.seen.refused, ..Seen::default() };
        let mut message = self.message(now_ns, instrument);
        message.push(now_ns, RowKind::Clear, flags::SNAPSHOT, message.base, 0);
        for side in [Side::Buy, Side::Sell] {
            for (price, lots) in self.market.levels().levels(side) {
                let bits = side_bits(side) | flags::SNAPSHOT;
                message.push(now_ns, RowKind::Depth, bits, price, lots.0);
            }
        }
        message.ended()
    }
}

impl Message {
    fn push(&mut self, at_ns: TimeNs, kind: RowKind, bits: u8, price: Ticks, qty_lots: i64) {
        self.rows.push(MarketRow {
            recv_ns: at_ns,
            exch_ns: at_ns,
            qty_lots,
            price_offset: (price.0 - self.base.0) as i32,
            kind: kind as u8,
            flags: bits,
            instrument: self.instrument.0,
        });
    }

    fn ended(mut self) -> Self {
        self.end();
        self
    }
}

/// What has no orders goes on as it is.
fn passed_on(rows: &[FlowRow]) -> Message {
    let first = &rows[0];
    let instrument = InstrumentId(first.instrument);
    let mut message =
        Message { at_ns: first.exch_ns, instrument, base: first.price, rows: Vec::new() };
    for row in rows {
        message.push(row.exch_ns, row.kind, row.flags, row.price, row.qty);
    }
    message.ended()
}

const fn side_bits(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => flags::ASK,
    }
}

impl FeedSource for Matched {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self, message: &mut Message) -> Result<bool> {
        while self.ready.is_empty() {
            if !self.step()? {
                return Ok(false);
            }
        }
        if let Some(next) = self.ready.pop_front() {
            *message = next;
        }
        Ok(true)
    }
}
