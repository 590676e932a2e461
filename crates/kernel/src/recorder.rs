//! Writes what happened to the output log of a run, or to the journal of a session.

use bytemuck::Zeroable;
use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_journal::log::FinishedLog;
use mainspring_journal::{
    EquityRecord, FillRecord, LogWriter, OrderRecord, PositionRecord, Record, Sink,
};
use mainspring_trading::orders::Order;

use crate::market::Market;
use crate::session::Ink;

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

/// Where records go.
enum Destination {
    /// The output log of a run over files.
    Log(LogWriter),
    /// The journal of a session.
    Journal(Ink),
}

/// The log of a run, or the journal of a session, and the counts.
pub struct Recorder {
    to: Destination,
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
        let to = Destination::Log(LogWriter::new(sink)?);
        Ok(Self { to, counts: Counts::default(), record_orders })
    }

    /// A recorder writing to the journal of a session.
    pub(crate) fn to_journal(ink: Ink) -> Self {
        Self { to: Destination::Journal(ink), counts: Counts::default(), record_orders: true }
    }

    /// The journal of a session; `None` in a run over files.
    #[inline]
    pub(crate) fn ink(&mut self) -> Option<&mut Ink> {
        match &mut self.to {
            Destination::Log(_) => None,
            Destination::Journal(ink) => Some(ink),
        }
    }

    #[inline]
    fn append<R: Record>(&mut self, time_ns: TimeNs, record: &R) -> Result<()> {
        match &mut self.to {
            Destination::Log(log) => log.append(record),
            Destination::Journal(ink) => ink.output_record(time_ns, record),
        }
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
        let record = OrderRecord {
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
        };
        self.append(now_ns, &record)
    }

    /// Notes a fill.
    ///
    /// # Errors
    /// When the log cannot be written.
    #[inline]
    pub fn fill(&mut self, record: &FillRecord) -> Result<()> {
        self.counts.fills += 1;
        self.append(record.time_ns, record)
    }

    /// Notes the account.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn equity(&mut self, record: &EquityRecord) -> Result<()> {
        self.append(record.time_ns, record)
    }

    /// Notes a position.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn position(&mut self, record: &PositionRecord) -> Result<()> {
        self.append(record.time_ns, record)
    }

    /// Notes something that a person should know; bounded, the rest is counted.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn notice(&mut self, now_ns: TimeNs, text: &str) -> Result<()> {
        self.counts.notices += 1;
        if self.counts.notices <= MAX_MESSAGES {
            match &mut self.to {
                Destination::Log(log) => log.append_message(now_ns, text)?,
                Destination::Journal(ink) => ink.notice(now_ns, text)?,
            }
        }
        Ok(())
    }

    /// Seals the log.
    ///
    /// # Errors
    /// When the log cannot be written, or this is the journal of a session.
    pub fn finish(self) -> Result<FinishedLog> {
        match self.to {
            Destination::Log(log) => log.finish(),
            Destination::Journal(_) => {
                Err(Error::new(ErrorKind::Internal, "a session's journal is closed by the session"))
            }
        }
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
