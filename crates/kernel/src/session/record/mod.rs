//! What a session's journal holds: one fixed layout per kind, little-endian.
//!
//! Inputs are what came from outside; outputs are what the engine decided because of them. Codes
//! and layouts are stored: never renumber, add a new kind or a new schema version instead.

mod order;
mod venue;
mod wishes;

pub use order::{AdoptedRecord, NewOrder, Step, Terms};
pub use venue::{
    AnswerRecord, ForeignRecord, LinkRecord, ListHead, Mark, MarketHead, NamedRecord,
    OpenOrderRecord, PositionEntry, QueryRecord, ReportRecord,
};
pub(crate) use wishes::{decode_intents, encode_intents, MAX_INTENTS_BYTES};
pub use wishes::{IntentRecord, IntentsHead, LevelRecord};

use bytemuck::Pod;
use mainspring_core::{Error, ErrorKind, Result};
use mainspring_journal::{EquityRecord, FillRecord, OrderRecord, PositionRecord, Record};

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
    /// Input: an order that was not placed here is ours from now on.
    Adopted = 14,
    /// Input: a statement about an order that was not placed here and is not adopted.
    Foreign = 15,
    /// Input: rows of one message of an order-level feed, which happen at the matching engine inside.
    Orders = 16,
    /// Input: rows of one message that the matching engine inside published.
    Published = 17,
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
    pub const ALL: [Self; 30] = [
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
        Self::Adopted,
        Self::Foreign,
        Self::Orders,
        Self::Published,
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
            Self::Adopted => "adopted",
            Self::Foreign => "foreign",
            Self::Orders => "orders",
            Self::Published => "published",
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
