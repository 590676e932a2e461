//! What other threads see of the kernel: one consistent picture.

use bytemuck::{Pod, Zeroable};
use mainspring_core::{Lots, Ticks, TimeNs};
use mainspring_kernel::session::Session;

/// Instruments shown; further ones are seen through the journal.
pub const MAX_SHOWN: usize = 16;

/// One instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct InstrumentStatus {
    /// Best bid in ticks; `i64::MIN` without one.
    pub bid_ticks: i64,
    /// Best ask in ticks; `i64::MAX` without one.
    pub ask_ticks: i64,
    /// Net position of all strategies in lots.
    pub position_lots: i64,
}

/// The kernel after its last input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Status {
    /// Logical time.
    pub now_ns: TimeNs,
    /// Sequence of the last journal record.
    pub sequence: u64,
    /// Rows of market data taken in this life: since the session was started last.
    pub rows: u64,
    /// Orders sent in this life.
    pub orders: u64,
    /// Cancels sent in this life.
    pub cancels: u64,
    /// Fills booked in this life.
    pub fills: u64,
    /// Orders that the gate refused in this life.
    pub risk_rejects: u64,
    /// Rows taken since the journal began.
    pub total_rows: u64,
    /// Orders sent since the journal began.
    pub total_orders: u64,
    /// Cancels sent since the journal began.
    pub total_cancels: u64,
    /// Amends sent since the journal began.
    pub total_amends: u64,
    /// Fills booked since the journal began.
    pub total_fills: u64,
    /// Live orders.
    pub open_orders: u64,
    /// 1 when the gate is halted.
    pub halted: u64,
    /// Instruments of the session.
    pub instruments: u64,
    /// The first of them.
    pub shown: [InstrumentStatus; MAX_SHOWN],
}

impl Status {
    /// What a session is now.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let (counts, totals) = (session.counts(), session.totals());
        let mut status = Self {
            now_ns: session.now_ns(),
            sequence: session.sequence(),
            rows: counts.rows,
            orders: counts.orders,
            cancels: counts.cancels,
            fills: counts.fills,
            risk_rejects: counts.risk_rejects,
            total_rows: totals.rows,
            total_orders: totals.orders,
            total_cancels: totals.cancels,
            total_amends: totals.amends,
            total_fills: totals.fills,
            open_orders: session.orders().live_count() as u64,
            halted: u64::from(session.is_halted()),
            instruments: session.instruments().len() as u64,
            shown: [InstrumentStatus::default(); MAX_SHOWN],
        };
        for (shown, market) in status.shown.iter_mut().zip(session.markets()) {
            let (Ticks(bid_ticks), Ticks(ask_ticks)) =
                (market.book.best_bid(), market.book.best_ask());
            let net = session.ledger().net(market.id).map_or(Lots::ZERO, |held| held.lots);
            *shown = InstrumentStatus { bid_ticks, ask_ticks, position_lots: net.0 };
        }
        status
    }
}
