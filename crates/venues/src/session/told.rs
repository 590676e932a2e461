//! What a session tells the kernel and the people who watch it.

use std::ops::Range;

use mainspring_core::report::Account;
use mainspring_core::{
    Answer, ClientOrderId, Decimal, ForeignReport, InstrumentId, Report, Ticks, TimeNs,
};

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be; the session deals with it.
    Warning,
    /// Something that a person has to put right.
    Error,
}

/// A line for the log of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// What it is about, as a word that does not change: `clock`, `gap`, `rate_limit`, ...
    pub topic: &'static str,
    /// For people. It holds no secret.
    pub text: String,
}

/// A balance of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Currency.
    pub currency: String,
    /// All of it, without unrealised profit.
    pub total: Decimal,
    /// What can be used, where the venue says it.
    pub free: Option<Decimal>,
}

/// Something that a session tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Rows of one instrument, whole messages; see [`super::Outbox::rows`].
    Market {
        /// Which.
        instrument: InstrumentId,
        /// What the rows' prices are counted from.
        base: Ticks,
        /// Which rows.
        rows: Range<u32>,
    },
    /// A statement about one of our orders.
    Report(Report),
    /// A statement about an order that this session did not place.
    Foreign(ForeignReport),
    /// An order of ours is at the venue no more, without a statement of its own: it traded whole.
    Ended(ClientOrderId),
    /// The venue's own id of one of our orders.
    Named {
        /// Ours.
        order: ClientOrderId,
        /// The venue's.
        venue_order: u64,
    },
    /// The answer to a question about an order.
    Answer {
        /// Which.
        order: ClientOrderId,
        /// What the venue says.
        answer: Answer,
    },
    /// The answer to a question about the account.
    Account(Account),
    /// Orders can be sent and statements come in, from now on or no more. A session without keys says
    /// it of its market data.
    Link {
        /// Whether they can.
        up: bool,
    },
    /// The market data of the venue can be relied on, from now on or no more.
    Feed {
        /// Whether it can.
        fresh: bool,
    },
    /// The venue's clock: its time is ours and `offset_ns`, give or take `error_ns`.
    Clock {
        /// What to add to our time.
        offset_ns: i64,
        /// Half of the round trip that it was measured with.
        error_ns: i64,
    },
    /// A balance.
    Balance(Balance),
    /// Funding, interest or another payment, positive when received.
    Payment {
        /// Currency.
        currency: String,
        /// How much.
        amount: Decimal,
        /// When we heard of it.
        recv_ns: TimeNs,
    },
    /// A line for the log.
    Note(Note),
}
