//! Writes what happened to the output log.

use bytemuck::Zeroable;
use mainspring_core::{Result, TimeNs};
use mainspring_journal::log::FinishedLog;
use mainspring_journal::{EquityRecord, FillRecord, LogWriter, OrderRecord, PositionRecord, Sink};
use mainspring_trading::orders::Order;

use crate::market::Market;

/// How many messages a run keeps; the rest are counted.
const MAX_MESSAGES: u64 = 1_000;

/// Counts of what a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Market rows delivered to us.
    pub rows: u64,
    /// Market messages delivered to us.
    pub messages: u64,
    /// Trades on the feed.
    pub trades: u64,
    /// Calls of strategies.
    pub callbacks: u64,
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Amends sent.
    pub amends: u64,
    /// Fills.
    pub fills: u64,
    /// Orders refused by the gate.
    pub risk_rejects: u64,
    /// Orders refused by the venue.
    pub venue_rejects: u64,
    /// Messages to people, those beyond the bound included.
    pub notices: u64,
    /// Bars completed.
    pub bars: u64,
}

/// The log of a run and its counts.
pub struct Recorder {
    log: LogWriter,
    /// Counts so far.
    pub counts: Counts,
    record_orders: bool,
}

impl Recorder {
    /// A recorder writing to `sink`.
    ///
    /// # Errors
    /// When the log cannot be created.
    pub fn new(sink: Sink, record_orders: bool) -> Result<Self> {
        Ok(Self { log: LogWriter::new(sink)?, counts: Counts::default(), record_orders })
    }

    /// Notes the state an order is in now.
    ///
    /// # Errors
    /// When the log cannot be written.
    #[inline]
    pub fn order(&mut self, order: &Order, reason: u8, now_ns: TimeNs) -> Result<()> {
        if !self.record_orders {
            return Ok(());
        }
        self.log.append(&OrderRecord {
            time_ns: now_ns,
            order_id: order.id.0,
            price_ticks: order.terms.price.0,
            qty_lots: order.terms.qty.0,
            filled_lots: order.filled.0,
            strategy: order.strategy,
            instrument: order.terms.instrument.0,
            side: order.terms.side.sign() as i8,
            order_type: order.terms.order_type as u8,
            state: order.state as u8,
            reason,
        })
    }

    /// Notes a fill.
    ///
    /// # Errors
    /// When the log cannot be written.
    #[inline]
    pub fn fill(&mut self, record: &FillRecord) -> Result<()> {
        self.counts.fills += 1;
        self.log.append(record)
    }

    /// Notes the account.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn equity(&mut self, record: &EquityRecord) -> Result<()> {
        self.log.append(record)
    }

    /// Notes a position.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn position(&mut self, record: &PositionRecord) -> Result<()> {
        self.log.append(record)
    }

    /// Notes something that a person should know; bounded, the rest is counted.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn notice(&mut self, now_ns: TimeNs, text: &str) -> Result<()> {
        self.counts.notices += 1;
        if self.counts.notices <= MAX_MESSAGES {
            self.log.append_message(now_ns, text)?;
        }
        Ok(())
    }

    /// Seals the log.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn finish(self) -> Result<FinishedLog> {
        self.log.finish()
    }
}

/// A position record with the market's best prices, money still zero.
#[must_use]
pub fn position_record(now_ns: TimeNs, strategy: u16, market: &Market) -> PositionRecord {
    PositionRecord {
        time_ns: now_ns,
        bid_ticks: market.book.best_bid().0,
        ask_ticks: market.book.best_ask().0,
        strategy,
        instrument: market.id.0,
        ..PositionRecord::zeroed()
    }
}
