//! What venues say and are asked, as a journal keeps it.

use bytemuck::{Pod, Zeroable};
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, ForeignReport, InstrumentId, Lots, Money, OpenOrder,
    RejectReason, Report, Result, Ticks, VenueEvent, VenueEventKind,
};
use mainspring_journal::Wide;
use mainspring_trading::ledger::MarkPrice;

use super::order::side_of;
use super::unknown_code;

/// Head of a market record; the rows follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MarketHead {
    /// What the rows' prices are relative to.
    pub base_ticks: i64,
    /// Index of the instrument; the rows' own index does not count.
    pub instrument: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// A mark price, with a funding rate where funding was settled at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Mark {
    /// Price in units of 10^-9 tick.
    pub nanoticks: Wide,
    /// Funding rate in units of 10^-9.
    pub rate: i64,
    /// Index of the instrument.
    pub instrument: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

impl Mark {
    pub(crate) fn of(instrument: InstrumentId, mark: MarkPrice, rate: i64) -> Self {
        let nanoticks = Wide::from(Money(mark.0));
        Self { nanoticks, rate, instrument: instrument.0, reserved: [0; 3] }
    }

    /// The price.
    #[must_use]
    pub fn price(&self) -> MarkPrice {
        MarkPrice(Money::from(self.nanoticks).0)
    }
}

/// A statement of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReportRecord {
    /// Our order.
    pub order: u64,
    /// When it happened.
    pub exch_ns: i64,
    /// When we knew.
    pub recv_ns: i64,
    /// Price of a fill, or the new price of an amend.
    pub price: i64,
    /// Quantity of a fill, or the new quantity of an amend.
    pub qty: i64,
    /// The venue's id of the fill; 0 where it has none.
    pub trade_id: u64,
    /// What traded of the order in all; -1 where the venue does not say.
    pub filled: i64,
    /// The fee that the venue reported, in money quanta.
    pub fee: Wide,
    /// Code of the statement.
    pub kind: u8,
    /// Code of the reason, or whether we were the maker.
    pub detail: u8,
    /// Whether a fee was reported.
    pub has_fee: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

impl ReportRecord {
    pub(crate) fn of(report: &Report) -> Self {
        let (kind, price, qty, detail) = match report.event.kind {
            VenueEventKind::Accepted => (1, 0, 0, 0),
            VenueEventKind::Rejected(reason) => (2, 0, 0, reason as u8),
            VenueEventKind::Filled { price, qty, maker } => (3, price.0, qty.0, u8::from(maker)),
            VenueEventKind::Cancelled(reason) => (4, 0, 0, reason as u8),
            VenueEventKind::CancelRejected(reason) => (5, 0, 0, reason as u8),
            VenueEventKind::Amended { price, qty } => (6, price.0, qty.0, 0),
            VenueEventKind::AmendRejected(reason) => (7, 0, 0, reason as u8),
            VenueEventKind::Triggered => (8, 0, 0, 0),
        };
        Self {
            order: report.event.order.0,
            exch_ns: report.event.exch_ns,
            recv_ns: report.event.recv_ns,
            price,
            qty,
            trade_id: report.trade_id,
            filled: report.filled.map_or(-1, |filled| filled.0),
            fee: report.fee.unwrap_or_default().into(),
            kind,
            detail,
            has_fee: u8::from(report.fee.is_some()),
            reserved: [0; 5],
        }
    }

    /// The statement.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn report(&self) -> Result<Report> {
        let (price, qty) = (Ticks(self.price), Lots(self.qty));
        let kind = match self.kind {
            1 => VenueEventKind::Accepted,
            2 => VenueEventKind::Rejected(reject_reason_of(self.detail)?),
            3 => VenueEventKind::Filled { price, qty, maker: self.detail != 0 },
            4 => VenueEventKind::Cancelled(cancel_reason_of(self.detail)?),
            5 => VenueEventKind::CancelRejected(reject_reason_of(self.detail)?),
            6 => VenueEventKind::Amended { price, qty },
            7 => VenueEventKind::AmendRejected(reject_reason_of(self.detail)?),
            8 => VenueEventKind::Triggered,
            code => return Err(unknown_code("a venue's statement", code)),
        };
        Ok(Report {
            event: VenueEvent {
                order: ClientOrderId(self.order),
                exch_ns: self.exch_ns,
                recv_ns: self.recv_ns,
                kind,
            },
            trade_id: self.trade_id,
            fee: (self.has_fee != 0).then(|| self.fee.into()),
            filled: (self.filled >= 0).then_some(Lots(self.filled)),
        })
    }
}

fn reject_reason_of(code: u8) -> Result<RejectReason> {
    use RejectReason as R;
    [
        R::PostOnlyWouldTake,
        R::ReduceOnlyWouldIncrease,
        R::PriceOffGrid,
        R::BadQuantity,
        R::BelowMinNotional,
        R::UnknownOrder,
        R::Halted,
        R::Overloaded,
        R::InsufficientMargin,
        R::WouldTriggerImmediately,
        R::FokNotFilled,
        R::SelfTrade,
        R::DuplicateOrder,
        R::NoLiquidity,
        R::VenueRule,
    ]
    .into_iter()
    .find(|reason| *reason as u8 == code)
    .ok_or_else(|| unknown_code("a reason of a refusal", code))
}

fn cancel_reason_of(code: u8) -> Result<CancelReason> {
    use CancelReason as R;
    [
        R::Requested,
        R::IocRemainder,
        R::NoLiquidity,
        R::SelfTrade,
        R::Expired,
        R::ReduceOnly,
        R::Oco,
        R::Liquidation,
    ]
    .into_iter()
    .find(|reason| *reason as u8 == code)
    .ok_or_else(|| unknown_code("a reason of a cancel", code))
}

/// A statement about an order that was not placed here and is not adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ForeignRecord {
    /// What happened; the order in it is 0.
    pub report: ReportRecord,
    /// The venue's id.
    pub venue_order: u64,
    /// Limit price; 0 where it is not known.
    pub price: i64,
    /// Quantity; 0 where it is not known.
    pub qty: i64,
    /// Index of the instrument.
    pub instrument: u16,
    /// Index of the venue.
    pub venue: u16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

impl ForeignRecord {
    pub(crate) fn of(venue: u16, foreign: &ForeignReport) -> Self {
        Self {
            report: ReportRecord::of(&foreign.report),
            venue_order: foreign.venue_order,
            price: foreign.price.0,
            qty: foreign.qty.0,
            instrument: foreign.instrument.0,
            venue,
            side: foreign.side as u8,
            reserved: [0; 3],
        }
    }
}

/// The answer to a question about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct AnswerRecord {
    /// Which order.
    pub order: u64,
    /// What traded of it in all.
    pub filled: i64,
    /// 0 not found, 1 working, 2 cancelled, 3 expired, 4 rejected, 5 filled.
    pub state: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl AnswerRecord {
    pub(crate) const fn of(order: ClientOrderId, answer: Answer) -> Self {
        let (state, filled) = match answer {
            Answer::NotFound => (0, 0),
            Answer::Working { filled } => (1, filled.0),
            Answer::Cancelled { filled } => (2, filled.0),
            Answer::Expired { filled } => (3, filled.0),
            Answer::Rejected => (4, 0),
            Answer::Filled { filled } => (5, filled.0),
        };
        Self { order: order.0, filled, state, reserved: [0; 7] }
    }

    /// The answer.
    ///
    /// # Errors
    /// When the code is not known.
    pub fn answer(&self) -> Result<Answer> {
        let filled = Lots(self.filled);
        Ok(match self.state {
            0 => Answer::NotFound,
            1 => Answer::Working { filled },
            2 => Answer::Cancelled { filled },
            3 => Answer::Expired { filled },
            4 => Answer::Rejected,
            5 => Answer::Filled { filled },
            code => return Err(unknown_code("an answer about an order", code)),
        })
    }
}

/// Head of a list of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ListHead {
    /// Up to which of our requests the list is complete: those sent by then are in it.
    pub as_of_ns: i64,
    /// Index of the venue.
    pub venue: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// One open order at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct OpenOrderRecord {
    /// Our id; 0 when the order is not ours.
    pub order: u64,
    /// The venue's id.
    pub venue_order: u64,
    /// Limit price.
    pub price: i64,
    /// Quantity.
    pub qty: i64,
    /// What traded of it.
    pub filled: i64,
    /// Index of the instrument.
    pub instrument: u16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

impl OpenOrderRecord {
    pub(crate) const fn of(open: &OpenOrder) -> Self {
        Self {
            order: open.order.0,
            venue_order: open.venue_order,
            price: open.price.0,
            qty: open.qty.0,
            filled: open.filled.0,
            instrument: open.instrument.0,
            side: open.side as u8,
            reserved: [0; 5],
        }
    }

    /// The order.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn open_order(&self) -> Result<OpenOrder> {
        Ok(OpenOrder {
            order: ClientOrderId(self.order),
            venue_order: self.venue_order,
            instrument: InstrumentId(self.instrument),
            side: side_of(self.side)?,
            price: Ticks(self.price),
            qty: Lots(self.qty),
            filled: Lots(self.filled),
        })
    }
}

/// One position at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PositionEntry {
    /// Signed quantity.
    pub lots: i64,
    /// Index of the instrument.
    pub instrument: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// A venue's own id of one of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct NamedRecord {
    /// Our id.
    pub order: u64,
    /// The venue's.
    pub venue_order: u64,
    /// Index of the venue.
    pub venue: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// A venue's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LinkRecord {
    /// Index of the venue.
    pub venue: u16,
    /// 1 up, 0 down.
    pub up: u16,
}

/// A question to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct QueryRecord {
    /// About this order; 0 for everything at the venue.
    pub order: u64,
    /// Index of the instrument of the order.
    pub instrument: u16,
    /// Index of the venue.
    pub venue: u16,
    /// How often it has been asked before.
    pub attempt: u32,
}
