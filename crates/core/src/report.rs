//! What a session asks of a venue outside and what that venue says, beyond the statements that a
//! simulated one makes.

use crate::instrument::InstrumentId;
use crate::money::Money;
use crate::order::{ClientOrderId, Side, VenueEvent, VenueRequest};
use crate::units::{Lots, Ticks, TimeNs};

/// A statement about one of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub event: VenueEvent,
    /// The venue's id of a fill, by which a fill that is told twice is known; 0 where it has none.
    pub trade_id: u64,
    /// The fee of a fill in the settlement currency where the venue reports it: it is the truth.
    pub fee: Option<Money>,
    /// What traded of the order in all by then, where the venue says it: an end that does not agree
    /// with the fills we have is not believed until they have come.
    pub filled: Option<Lots>,
}

impl Report {
    /// A statement without a fill's id or fee.
    #[must_use]
    pub const fn plain(event: VenueEvent) -> Self {
        Self { event, trade_id: 0, fee: None, filled: None }
    }
}

/// A statement about an order that this session did not place, as far as it knows: placed by hand, by
/// another session, or before a journal was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignReport {
    /// The venue's id of the order.
    pub venue_order: u64,
    /// Where.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price; zero where the venue does not say it.
    pub price: Ticks,
    /// Quantity in all; zero where the venue does not say it.
    pub qty: Lots,
    /// What happened. Our id in it is 0.
    pub report: Report,
}

/// The answer to a question about one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The venue does not know it, and will not accept it later.
    NotFound,
    /// It is in the book, or armed.
    Working {
        /// What traded so far.
        filled: Lots,
    },
    /// It was cancelled.
    Cancelled {
        /// What traded before.
        filled: Lots,
    },
    /// It reached its time.
    Expired {
        /// What traded before.
        filled: Lots,
    },
    /// It was refused.
    Rejected,
    /// It traded whole.
    Filled {
        /// The quantity.
        filled: Lots,
    },
}

impl Answer {
    /// What traded in all.
    #[must_use]
    pub const fn filled(&self) -> Lots {
        match *self {
            Self::NotFound | Self::Rejected => Lots(0),
            Self::Working { filled }
            | Self::Cancelled { filled }
            | Self::Expired { filled }
            | Self::Filled { filled } => filled,
        }
    }
}

/// One open order at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Our id; 0 when the order is not ours.
    pub order: ClientOrderId,
    /// The venue's id.
    pub venue_order: u64,
    /// Where.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Ticks,
    /// Quantity.
    pub qty: Lots,
    /// What traded of it.
    pub filled: Lots,
}

/// What a venue knows of our account: the answer to [`Request::AccountQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// When the question was sent.
    pub as_of_ns: TimeNs,
    /// Fills since the time that was asked for, oldest first.
    pub fills: Vec<Report>,
    /// Fills since that time of orders that were not placed by this session, oldest first.
    pub foreign: Vec<ForeignReport>,
    /// Every open order.
    pub open: Vec<OpenOrder>,
    /// Every position.
    pub positions: Vec<(InstrumentId, Lots)>,
    /// Fills that are in those positions, by the venue's id: in what a session takes over from an earlier
    /// life, not in what a venue says.
    pub booked: Vec<(InstrumentId, u64)>,
}

/// A request of ours to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// About an order: place, cancel, amend.
    Order(VenueRequest),
    /// What became of an order?
    OrderQuery {
        /// Which.
        order: ClientOrderId,
        /// Where it was sent.
        instrument: InstrumentId,
    },
    /// Cancel an order that was not placed here.
    ForeignCancel {
        /// The venue's id.
        venue_order: u64,
        /// Where.
        instrument: InstrumentId,
    },
    /// Change an order that was adopted, by the venue's id.
    ForeignAmend {
        /// What stands as far as we know, under our id of it.
        standing: OpenOrder,
        /// New limit price.
        price: Ticks,
        /// New quantity in all, what is filled included.
        qty: Lots,
    },
    /// Nothing is asked: an order that was not placed here is one of ours now, and has to be known to
    /// whoever cancels everything.
    ForeignAdopted {
        /// The venue's id.
        venue_order: u64,
        /// Where.
        instrument: InstrumentId,
    },
    /// Which fills, open orders and positions are there?
    AccountQuery {
        /// Index of the venue.
        venue: u16,
        /// Fills from this exchange time on are wanted.
        since_ns: TimeNs,
    },
}
