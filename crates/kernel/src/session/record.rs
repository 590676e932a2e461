//! What a session's journal holds: one fixed layout per kind, little-endian.
//!
//! Inputs are what came from outside; outputs are what the engine decided because of them. Codes
//! and layouts are stored: never renumber, add a new kind or a new schema version instead.

use bytemuck::{Pod, Zeroable};
use mainspring_core::limits::{MAX_INTENTS_PER_CALL, MAX_QUOTE_LEVELS};
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::Money;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, Error, ErrorKind, InstrumentId, Lots, OpenOrder,
    OrderType, RejectReason, Report, Result, Side, Ticks, TimeInForce, VenueEvent, VenueEventKind,
};
use mainspring_journal::{EquityRecord, FillRecord, OrderRecord, PositionRecord, Record, Wide};
use mainspring_trading::execution::parents::{ParentId, ParentTerms};
use mainspring_trading::execution::Level;
use mainspring_trading::ledger::MarkPrice;
use mainspring_trading::orders::{Order, OrderEvent, Purpose};

use crate::intent::{Control, Intent, Intents};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// Input: the strategies start. JSON facts of the session.
    Start = 1,
    /// Input: rows of one market message.
    Market = 2,
    /// Input: a statement of a venue about one of our orders.
    Report = 3,
    /// Input: time went on to when the next thing was due.
    Clock = 4,
    /// Input: wishes of a strategy that runs outside the kernel thread.
    Wishes = 5,
    /// Input: a command of a person or of the supervisor. JSON.
    Command = 6,
    /// Input: a venue's connection came or went.
    Link = 7,
    /// Input: the answer to a question about an order.
    Answer = 8,
    /// Input: the open orders at a venue, complete.
    OpenOrders = 9,
    /// Input: the positions at a venue, complete.
    Positions = 10,
    /// Input: the session goes on after a restart. JSON facts.
    Resume = 11,
    /// Input: the session ends in order.
    Stop = 12,
    /// Input: a venue's own id of one of our orders.
    Named = 13,
    /// Output: wishes of a strategy in the kernel.
    Intents = 32,
    /// Output: an order is made.
    NewOrder = 33,
    /// Output: we did something to an order: sent it, asked for a cancel, found it overdue.
    Step = 34,
    /// Output: an order's state as it is now.
    Order = 35,
    /// Output: a fill as it was booked.
    Fill = 36,
    /// Output: the account.
    Equity = 37,
    /// Output: a position.
    Position = 38,
    /// Output: text for people.
    Notice = 39,
    /// Output: funding as it was settled.
    Funding = 40,
    /// Output: the price that an instrument is valued at.
    Mark = 41,
    /// Output: a question to a venue.
    Query = 42,
    /// Output: what a strategy wants to find again after a restart.
    StrategyState = 44,
    /// Output: an event that is not one of the above. JSON.
    Event = 45,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 26] = [
        Self::Start,
        Self::Market,
        Self::Report,
        Self::Clock,
        Self::Wishes,
        Self::Command,
        Self::Link,
        Self::Answer,
        Self::OpenOrders,
        Self::Positions,
        Self::Resume,
        Self::Stop,
        Self::Named,
        Self::Intents,
        Self::NewOrder,
        Self::Step,
        Self::Order,
        Self::Fill,
        Self::Equity,
        Self::Position,
        Self::Notice,
        Self::Funding,
        Self::Mark,
        Self::Query,
        Self::StrategyState,
        Self::Event,
    ];

    /// The kind with this code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == code)
    }

    /// Whether it came from outside.
    #[must_use]
    pub const fn is_input(self) -> bool {
        (self as u16) < 32
    }

    /// Its name for people and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Market => "market",
            Self::Report => "report",
            Self::Clock => "clock",
            Self::Wishes => "wishes",
            Self::Command => "command",
            Self::Link => "link",
            Self::Answer => "answer",
            Self::OpenOrders => "open_orders",
            Self::Positions => "positions",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Named => "named",
            Self::Intents => "intents",
            Self::NewOrder => "new_order",
            Self::Step => "step",
            Self::Order => "order",
            Self::Fill => "fill",
            Self::Equity => "equity",
            Self::Position => "position",
            Self::Notice => "notice",
            Self::Funding => "funding",
            Self::Mark => "mark",
            Self::Query => "query",
            Self::StrategyState => "strategy_state",
            Self::Event => "event",
        }
    }

    /// The kind of a record of the output log of runs.
    pub(crate) const fn of_output(kind: u8) -> Self {
        match kind {
            OrderRecord::KIND => Self::Order,
            FillRecord::KIND => Self::Fill,
            EquityRecord::KIND => Self::Equity,
            PositionRecord::KIND => Self::Position,
            _ => Self::Notice,
        }
    }
}

/// A record as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    /// Code of the kind.
    pub kind: u16,
    /// Its place in the journal.
    pub sequence: u64,
    /// Logical time.
    pub time_ns: i64,
    /// The input that it follows from; its own sequence, or 0, for an input.
    pub cause: u64,
    /// The payload.
    pub payload: &'a [u8],
}

/// Longest text of a notice; the rest is cut.
const MAX_TEXT: usize = 4_096;

/// Text cut to what a record takes, at a character's edge.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Reads a fixed layout from a payload.
///
/// # Errors
/// When the payload has another length.
pub fn read<T: Pod>(payload: &[u8]) -> Result<T> {
    bytemuck::try_pod_read_unaligned(payload).map_err(|_| damaged::<T>(payload.len()))
}

/// Reads a head and the equal entries behind it.
///
/// # Errors
/// When the payload does not hold whole entries.
pub fn read_list<H: Pod, T: Pod>(payload: &[u8]) -> Result<(H, Vec<T>)> {
    let head = payload.get(..size_of::<H>()).ok_or_else(|| damaged::<H>(payload.len()))?;
    let rest = &payload[size_of::<H>()..];
    if !rest.len().is_multiple_of(size_of::<T>()) {
        return Err(damaged::<T>(rest.len()));
    }
    let entries = rest.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect();
    Ok((bytemuck::pod_read_unaligned(head), entries))
}

#[cold]
fn damaged<T>(len: usize) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        format!(
            "a record of {len} bytes cannot be a {}, which has {}",
            std::any::type_name::<T>(),
            size_of::<T>()
        ),
    )
}

#[cold]
fn unknown_code(what: &str, code: u8) -> Error {
    Error::new(ErrorKind::Mismatch, format!("{code} is not the code of {what}"))
}

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

/// The terms of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Terms {
    /// Limit price.
    pub price: i64,
    /// Quantity.
    pub qty: i64,
    /// Trigger price.
    pub trigger: i64,
    /// Distance of a trailing stop, or the offset of a peg.
    pub offset: i64,
    /// Shown quantity.
    pub display: i64,
    /// Expiry.
    pub expire_ns: i64,
    /// The other leg of a pair.
    pub oco: u64,
    /// Index of the instrument.
    pub instrument: u16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Code of the order type.
    pub order_type: u8,
    /// Code of the time in force.
    pub time_in_force: u8,
    /// Bits of the flags.
    pub flags: u8,
    /// Zero.
    pub reserved: u16,
}

impl Terms {
    /// The layout of `terms`.
    #[must_use]
    pub const fn of(terms: &OrderTerms) -> Self {
        Self {
            price: terms.price.0,
            qty: terms.qty.0,
            trigger: terms.trigger.0,
            offset: terms.offset.0,
            display: terms.display.0,
            expire_ns: terms.expire_ns,
            oco: terms.oco.0,
            instrument: terms.instrument.0,
            side: terms.side as u8,
            order_type: terms.order_type as u8,
            time_in_force: terms.time_in_force as u8,
            flags: terms.flags.0,
            reserved: 0,
        }
    }

    /// The terms.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn terms(&self) -> Result<OrderTerms> {
        Ok(OrderTerms {
            instrument: InstrumentId(self.instrument),
            side: side_of(self.side)?,
            order_type: order_type_of(self.order_type)?,
            time_in_force: time_in_force_of(self.time_in_force)?,
            flags: OrderFlags(self.flags),
            price: Ticks(self.price),
            qty: Lots(self.qty),
            trigger: Ticks(self.trigger),
            offset: Ticks(self.offset),
            display: Lots(self.display),
            expire_ns: self.expire_ns,
            oco: ClientOrderId(self.oco),
        })
    }
}

fn side_of(code: u8) -> Result<Side> {
    match code {
        0 => Ok(Side::Buy),
        1 => Ok(Side::Sell),
        _ => Err(unknown_code("a side", code)),
    }
}

fn order_type_of(code: u8) -> Result<OrderType> {
    use OrderType as T;
    [
        T::Limit,
        T::Market,
        T::Stop,
        T::StopLimit,
        T::TakeProfit,
        T::TrailingStop,
        T::Iceberg,
        T::Pegged,
    ]
    .get(usize::from(code))
    .copied()
    .ok_or_else(|| unknown_code("an order type", code))
}

fn time_in_force_of(code: u8) -> Result<TimeInForce> {
    use TimeInForce as T;
    [T::Gtc, T::Ioc, T::Fok, T::Gtd]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a time in force", code))
}

fn purpose_of(code: u8) -> Result<Purpose> {
    [Purpose::Explicit, Purpose::Quote, Purpose::Target, Purpose::Child]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a purpose", code))
}

/// An order as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct NewOrder {
    /// Our id.
    pub id: u64,
    /// What is asked.
    pub terms: Terms,
    /// Index of the strategy.
    pub strategy: u16,
    /// Code of the purpose.
    pub purpose: u8,
    /// Zero.
    pub reserved: u8,
    /// Id of the parent order of a child; zero for none.
    pub parent: u32,
}

impl NewOrder {
    /// The layout of `order`.
    #[must_use]
    pub const fn of(order: &Order, parent: ParentId) -> Self {
        Self {
            id: order.id.0,
            terms: Terms::of(&order.terms),
            strategy: order.strategy,
            purpose: order.purpose as u8,
            reserved: 0,
            parent: parent.0,
        }
    }

    /// The order in state `Created`.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn order(&self, now_ns: i64) -> Result<Order> {
        let terms = self.terms.terms()?;
        let mut order = Order::new(ClientOrderId(self.id), self.strategy, terms, now_ns);
        order.purpose = purpose_of(self.purpose)?;
        Ok(order)
    }
}

/// Something that we did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Step {
    /// Which.
    pub order: u64,
    /// New price of a replace.
    pub price: i64,
    /// New total quantity of a replace.
    pub qty: i64,
    /// Code of the event.
    pub event: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Step {
    /// The layout of what we did; `None` for a statement of a venue.
    #[must_use]
    pub const fn of(order: ClientOrderId, event: OrderEvent) -> Option<Self> {
        let (code, price, qty) = match event {
            OrderEvent::RiskRefused => (1, 0, 0),
            OrderEvent::Submit => (2, 0, 0),
            OrderEvent::CancelRequested => (3, 0, 0),
            OrderEvent::ReplaceRequested { price, qty } => (4, price.0, qty.0),
            OrderEvent::Timeout => (5, 0, 0),
            OrderEvent::NotFound => (6, 0, 0),
            OrderEvent::Confirmed => (7, 0, 0),
            _ => return None,
        };
        Some(Self { order: order.0, price, qty, event: code, reserved: [0; 7] })
    }

    /// What we did.
    ///
    /// # Errors
    /// When the code is not known.
    pub fn event(&self) -> Result<OrderEvent> {
        Ok(match self.event {
            1 => OrderEvent::RiskRefused,
            2 => OrderEvent::Submit,
            3 => OrderEvent::CancelRequested,
            4 => OrderEvent::ReplaceRequested { price: Ticks(self.price), qty: Lots(self.qty) },
            5 => OrderEvent::Timeout,
            6 => OrderEvent::NotFound,
            7 => OrderEvent::Confirmed,
            code => return Err(unknown_code("a step of an order", code)),
        })
    }
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

/// Head of wishes; intents and then levels follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct IntentsHead {
    /// The sequence of the last record that the strategy had seen; 0 for the one that caused this.
    pub decided: u64,
    /// Index of the strategy.
    pub strategy: u16,
    /// Number of intents.
    pub intents: u16,
    /// Number of levels.
    pub levels: u16,
    /// Number of parent orders, whose terms follow the levels.
    pub parents: u16,
}

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct IntentRecord {
    /// Terms of an order to place; price and quantity of an amend or target; time of a timer.
    pub terms: Terms,
    /// The order, or the tag of a timer.
    pub id: u64,
    /// First level of a quote.
    pub first: u16,
    /// Number of its bids.
    pub bids: u16,
    /// Number of its asks.
    pub asks: u16,
    /// Code of the wish.
    pub kind: u8,
    /// Whether a target has a price.
    pub priced: u8,
}

/// One level of a desired quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LevelRecord {
    /// Price.
    pub price: i64,
    /// Quantity.
    pub qty: i64,
}

/// Room for the wishes of one call.
pub(crate) const MAX_INTENTS_BYTES: usize = size_of::<IntentsHead>()
    + MAX_INTENTS_PER_CALL * size_of::<IntentRecord>()
    + 16 * MAX_QUOTE_LEVELS * size_of::<LevelRecord>();

/// Writes wishes behind `buffer`; no allocation when it has [`MAX_INTENTS_BYTES`] of room.
pub(crate) fn encode_intents(strategy: u16, decided: u64, intents: &Intents, buffer: &mut Vec<u8>) {
    let levels = intents.all_levels();
    let head = IntentsHead {
        decided,
        strategy,
        intents: intents.as_slice().len() as u16,
        levels: levels.len() as u16,
        parents: intents.parents().len() as u16,
    };
    buffer.extend_from_slice(bytemuck::bytes_of(&head));
    for intent in intents.as_slice() {
        buffer.extend_from_slice(bytemuck::bytes_of(&encode_intent(intent)));
    }
    for level in levels {
        let record = LevelRecord { price: level.price.0, qty: level.qty.0 };
        buffer.extend_from_slice(bytemuck::bytes_of(&record));
    }
    for terms in intents.parents() {
        encode_parent(terms, buffer);
    }
}

/// Terms of a parent order, which have no fixed layout: the length of their JSON, and the JSON.
#[cold]
fn encode_parent(terms: &ParentTerms, buffer: &mut Vec<u8>) {
    // Terms hold nothing that JSON cannot; were it so, the reader would find the record damaged.
    let json = serde_json::to_vec(terms).unwrap_or_default();
    buffer.extend_from_slice(&(json.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&json);
}

fn decode_parents(count: u16, mut bytes: &[u8], intents: &mut Intents) -> Result<()> {
    for _ in 0..count {
        let head = bytes.split_first_chunk::<4>();
        let (json, rest) = head
            .and_then(|(len, rest)| rest.split_at_checked(u32::from_le_bytes(*len) as usize))
            .ok_or_else(|| damaged::<IntentsHead>(bytes.len()))?;
        let terms = serde_json::from_slice(json).map_err(|e| {
            Error::new(ErrorKind::Mismatch, format!("terms of a parent order: {e}"))
        })?;
        intents.push_parent(terms)?;
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(damaged::<IntentsHead>(bytes.len()))
    }
}

fn parent_of(id: u64) -> Result<ParentId> {
    u32::try_from(id).map(ParentId).map_err(|_| unknown_code("a parent order", 0))
}

fn control_of(code: u16) -> Result<Control> {
    [Control::Pause, Control::Resume, Control::Cancel]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a control of a parent order", code as u8))
}

fn encode_intent(intent: &Intent) -> IntentRecord {
    let mut record = IntentRecord::zeroed();
    match *intent {
        Intent::Quote { instrument, first, bids, asks, flags } => {
            record.kind = 1;
            record.terms.instrument = instrument.0;
            record.terms.flags = flags.0;
            (record.first, record.bids, record.asks) = (first, bids, asks);
        }
        Intent::Target { instrument, position, price } => {
            record.kind = 2;
            record.terms.instrument = instrument.0;
            record.terms.qty = position.0;
            record.terms.price = price.map_or(0, |p| p.0);
            record.priced = u8::from(price.is_some());
        }
        Intent::Place { id, terms } => {
            record.kind = 3;
            record.id = id.0;
            record.terms = Terms::of(&terms);
        }
        Intent::Cancel(id) => {
            record.kind = 4;
            record.id = id.0;
        }
        Intent::CancelAll(instrument) => {
            record.kind = 5;
            record.terms.instrument = instrument.0;
        }
        Intent::Amend { id, price, qty } => {
            record.kind = 6;
            record.id = id.0;
            (record.terms.price, record.terms.qty) = (price.0, qty.0);
        }
        Intent::Timer { at_ns, tag } => {
            record.kind = 7;
            record.id = tag as u64;
            record.terms.expire_ns = at_ns;
        }
        Intent::Execute { id, terms } => {
            record.kind = 8;
            record.id = u64::from(id.0);
            record.first = terms;
        }
        Intent::Control { id, control } => {
            record.kind = 9;
            record.id = u64::from(id.0);
            record.first = control as u16;
        }
    }
    record
}

/// Reads wishes back into `intents`, which is emptied first.
///
/// # Errors
/// When the payload is damaged, or a wish is one that a strategy could not have stated.
pub(crate) fn decode_intents(payload: &[u8], intents: &mut Intents) -> Result<IntentsHead> {
    intents.clear();
    let head_bytes = payload
        .get(..size_of::<IntentsHead>())
        .ok_or_else(|| damaged::<IntentsHead>(payload.len()))?;
    let head: IntentsHead = bytemuck::pod_read_unaligned(head_bytes);
    let rest = &payload[size_of::<IntentsHead>()..];
    let split = usize::from(head.intents) * size_of::<IntentRecord>();
    let end = split + usize::from(head.levels) * size_of::<LevelRecord>();
    if rest.len() < end {
        return Err(damaged::<IntentsHead>(payload.len()));
    }
    decode_parents(head.parents, &rest[end..], intents)?;
    for bytes in rest[split..end].chunks_exact(size_of::<LevelRecord>()) {
        let level: LevelRecord = bytemuck::pod_read_unaligned(bytes);
        intents.push_level(Level { price: Ticks(level.price), qty: Lots(level.qty) })?;
    }
    for bytes in rest[..split].chunks_exact(size_of::<IntentRecord>()) {
        let record = bytemuck::pod_read_unaligned(bytes);
        intents.push(decode_intent(&record, head.levels, head.parents)?)?;
    }
    Ok(head)
}

fn decode_intent(record: &IntentRecord, levels: u16, parents: u16) -> Result<Intent> {
    let instrument = InstrumentId(record.terms.instrument);
    let id = ClientOrderId(record.id);
    let (price, qty) = (Ticks(record.terms.price), Lots(record.terms.qty));
    Ok(match record.kind {
        1 => {
            let end = u32::from(record.first) + u32::from(record.bids) + u32::from(record.asks);
            if end > u32::from(levels) {
                return Err(damaged::<IntentRecord>(size_of::<IntentRecord>()));
            }
            Intent::Quote {
                instrument,
                first: record.first,
                bids: record.bids,
                asks: record.asks,
                flags: OrderFlags(record.terms.flags),
            }
        }
        2 => Intent::Target {
            instrument,
            position: qty,
            price: (record.priced != 0).then_some(price),
        },
        3 => Intent::Place { id, terms: record.terms.terms()? },
        4 => Intent::Cancel(id),
        5 => Intent::CancelAll(instrument),
        6 => Intent::Amend { id, price, qty },
        7 => Intent::Timer { at_ns: record.terms.expire_ns, tag: record.id as i64 },
        8 if record.first < parents => {
            Intent::Execute { id: parent_of(record.id)?, terms: record.first }
        }
        9 => Intent::Control { id: parent_of(record.id)?, control: control_of(record.first)? },
        code => return Err(unknown_code("a wish", code)),
    })
}
