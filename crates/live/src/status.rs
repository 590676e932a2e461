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
    /// Rows of market data taken.
    pub rows: u64,
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Fills booked.
    pub fills: u64,
    /// Orders that the gate refused.
    pub risk_rejects: u64,
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
        let counts = session.counts();
        let mut status = Self {
            now_ns: session.now_ns(),
            sequence: session.sequence(),
            rows: counts.rows,
            orders: counts.orders,
            cancels: counts.cancels,
            fills: counts.fills,
            risk_rejects: counts.risk_rejects,
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
