//! What can be asked of a venue.

use mainspring_core::order::OrderTerms;
use mainspring_core::{Decimal, Lots, Side, Ticks};

use crate::listing::Listing;

/// An order by our id or by the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKey<'a> {
    /// Our id as text.
    Client(&'a str),
    /// The venue's id.
    Venue(&'a str),
}

/// A new order.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Where.
    pub listing: &'a Listing,
    /// What is asked.
    pub terms: OrderTerms,
    /// Our id as text, by the venue's rule; empty lets the venue choose.
    pub client: &'a str,
    /// Spend or receive this much quote instead of trading `terms.qty` (market orders, where offered).
    pub quote_amount: Option<Decimal>,
    /// The price that a market order must not pass, for venues that have no market orders.
    pub worst: Option<Ticks>,
}

impl<'a> Place<'a> {
    /// An order by its terms.
    #[must_use]
    pub const fn new(listing: &'a Listing, terms: OrderTerms, client: &'a str) -> Self {
        Self { listing, terms, client, quote_amount: None, worst: None }
    }
}

/// One order to cancel.
#[derive(Clone, Copy, Debug)]
pub struct Cancel<'a> {
    /// Where.
    pub listing: &'a Listing,
    /// Which.
    pub order: OrderKey<'a>,
    /// When a long-term order (dYdX) would end, seconds since 1970; 0 elsewhere.
    pub good_till_s: u32,
}

/// A change of a resting order.
#[derive(Clone, Copy, Debug)]
pub struct Amend<'a> {
    /// Where.
    pub listing: &'a Listing,
    /// Which.
    pub order: OrderKey<'a>,
    /// Buy or sell, as the order is.
    pub side: Side,
    /// The terms the order has now, apart from price and quantity.
    pub terms: OrderTerms,
    /// New limit price.
    pub price: Ticks,
    /// New quantity in all, filled part included.
    pub qty: Lots,
    /// What traded of it so far.
    pub filled: Lots,
    /// Id of the order that takes its place where the venue replaces; empty lets the venue choose.
    pub client: &'a str,
}

/// A part of a long list.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The list: open orders, fills or positions.
    pub of: &'a Operation<'a>,
    /// What is settled in this currency alone, where the venue lists by it; empty for its own choice.
    pub settled_in: &'a str,
    /// At most so many; 0 for the venue's own choice.
    pub limit: u32,
    /// From here on, in the words of the part before ([`crate::fact::Fact::More`]); empty for the beginning.
    pub after: &'a str,
}

/// Something to ask of a venue. Reading of market data by request is for snapshots and checks.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// One new order.
    Place(Place<'a>),
    /// Several new orders in one request, at most [`crate::rules::Rules::max_place_batch`].
    PlaceMany(&'a [Place<'a>]),
    /// Cancel one order.
    Cancel(Cancel<'a>),
    /// Cancel several orders in one request, at most [`crate::rules::Rules::max_cancel_batch`].
    CancelMany(&'a [Cancel<'a>]),
    /// Cancel every order in an instrument.
    CancelAll(&'a Listing),
    /// Cancel an order that waits for its trigger, where such orders are kept apart.
    CancelArmed(Cancel<'a>),
    /// Cancel every order in an instrument that waits for its trigger, where such orders are kept apart.
    CancelAllArmed(&'a Listing),
    /// Change a resting order.
    Amend(Amend<'a>),
    /// Change an order that waits for its trigger, where such orders are kept apart. The price is that of
    /// [`mainspring_core::order::OrderTerms`] which is changed: the trigger of an order without a limit, else
    /// the limit.
    AmendArmed(Amend<'a>),
    /// What became of an order?
    Query {
        /// Where.
        listing: &'a Listing,
        /// Which.
        order: OrderKey<'a>,
    },
    /// What became of an order that waited for its trigger, where such orders are kept apart?
    QueryArmed {
        /// Where.
        listing: &'a Listing,
        /// Which.
        order: OrderKey<'a>,
    },
    /// All open orders, of one instrument or of all.
    OpenOrders(Option<&'a Listing>),
    /// All orders that wait for their trigger, where such orders are kept apart.
    ArmedOrders {
        /// Of one instrument or of all.
        listing: Option<&'a Listing>,
        /// Which list, where there are several: below [`crate::session::wiring::Wiring::armed_lists`].
        list: u8,
    },
    /// A part of a list.
    Page(Page<'a>),
    /// Fills of an instrument since a time.
    Fills {
        /// Where.
        listing: &'a Listing,
        /// Exchange time from which fills are wanted, ms.
        since_ms: i64,
        /// At most so many.
        limit: u32,
    },
    /// Balances.
    Balances,
    /// Positions, of one instrument or of all.
    Positions(Option<&'a Listing>),
    /// Maintenance margin brackets.
    MarginTiers(Option<&'a Listing>),
    /// Sets the leverage of an instrument.
    Leverage {
        /// Where.
        listing: &'a Listing,
        /// How much.
        leverage: u32,
        /// Cross margin instead of isolated.
        cross: bool,
    },
    /// Sets the margin mode of an instrument.
    MarginMode {
        /// Where.
        listing: &'a Listing,
        /// Cross margin instead of isolated.
        cross: bool,
        /// The leverage to go with it, where the venue wants both.
        leverage: u32,
    },
    /// Opens, keeps alive or closes the user stream.
    UserStream(UserStream<'a>),
    /// Cancel everything unless told again within so many milliseconds; 0 switches it off.
    Countdown {
        /// Where, for venues that count per instrument.
        listing: Option<&'a Listing>,
        /// Milliseconds.
        timeout_ms: u64,
    },
    /// A snapshot of the book.
    Book {
        /// Where.
        listing: &'a Listing,
        /// Levels a side.
        depth: u32,
    },
    /// Recent trades.
    Trades {
        /// Where.
        listing: &'a Listing,
        /// How many.
        limit: u32,
    },
    /// Candles of a minute.
    Candles {
        /// Where.
        listing: &'a Listing,
        /// From this time on, ms.
        since_ms: i64,
        /// How many.
        limit: u32,
    },
    /// Mark price and funding of an instrument.
    Funding(&'a Listing),
    /// All instruments and their rules.
    Instruments,
    /// The venue's clock.
    Time,
    /// What the key may do, where the venue tells it, else what the account may.
    Rights {
        /// Of the key; the account otherwise.
        of_key: bool,
    },
    /// Whether the account keeps long and short positions apart.
    PositionMode,
    /// What trading an instrument costs this account.
    Fees(&'a Listing),
}

/// What to do with a user stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStream<'a> {
    /// Log in on the connection, or get a key for one.
    Open,
    /// Subscribe to orders, fills, balances and positions, after the log-in where there is one.
    Subscribe,
    /// Subscribe to orders that wait for their trigger, where they have a stream of their own.
    SubscribeArmed,
    /// Keep the key alive.
    KeepAlive(&'a str),
    /// Give the key back.
    Close(&'a str),
}

/// What was asked, which decides how the answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// One new order.
    #[default]
    Place,
    /// Several new orders.
    PlaceMany,
    /// Cancel of one order.
    Cancel,
    /// Cancel of several.
    CancelMany,
    /// Cancel of all.
    CancelAll,
    /// Change of an order.
    Amend,
    /// State of an order.
    Query,
    /// Open orders.
    OpenOrders,
    /// Fills.
    Fills,
    /// Balances.
    Balances,
    /// Positions.
    Positions,
    /// Maintenance margin.
    MarginTiers,
    /// Leverage or margin mode.
    Settings,
    /// User stream.
    UserStream,
    /// Countdown.
    Countdown,
    /// Market data.
    Market,
    /// Instruments.
    Instruments,
    /// The venue's clock.
    Time,
    /// What key and account may do, and how they are set.
    Rights,
    /// Fees.
    Fees,
}

impl Operation<'_> {
    /// What the answer will be about.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        match self {
            Self::Place(_) => Asked::Place,
            Self::PlaceMany(_) => Asked::PlaceMany,
            Self::Cancel(_) | Self::CancelArmed(_) => Asked::Cancel,
            Self::CancelMany(_) => Asked::CancelMany,
            Self::CancelAll(_) | Self::CancelAllArmed(_) => Asked::CancelAll,
            Self::Amend(_) | Self::AmendArmed(_) => Asked::Amend,
            Self::Query { .. } | Self::QueryArmed { .. } => Asked::Query,
            Self::OpenOrders(_) | Self::ArmedOrders { .. } => Asked::OpenOrders,
            Self::Page(page) => page.of.asked(),
            Self::Fills { .. } => Asked::Fills,
            Self::Balances => Asked::Balances,
            Self::Positions(_) => Asked::Positions,
            Self::MarginTiers(_) => Asked::MarginTiers,
            Self::Leverage { .. } | Self::MarginMode { .. } => Asked::Settings,
            Self::UserStream(_) => Asked::UserStream,
            Self::Countdown { .. } => Asked::Countdown,
            Self::Book { .. } | Self::Trades { .. } | Self::Candles { .. } | Self::Funding(_) => {
                Asked::Market
            }
            Self::Instruments => Asked::Instruments,
            Self::Time => Asked::Time,
            Self::Rights { .. } | Self::PositionMode => Asked::Rights,
            Self::Fees(_) => Asked::Fees,
        }
    }
}
