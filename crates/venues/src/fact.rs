//! What a venue says about an account, in common words and in the venue's own units.
//!
//! User streams and answers of REST become facts; [`crate::reports`] turns those about our orders
//! into the statements that a session takes.

use mainspring_core::{CancelReason, Decimal, RejectReason, Side, TimeNs};

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// The request was received; whether the order stands is told later.
    Received,
    /// It is in the book and nothing traded yet.
    Open,
    /// It is armed: its trigger has not been reached.
    Armed,
    /// Its trigger was reached.
    Triggered,
    /// A part traded, the rest is in the book.
    PartiallyFilled,
    /// All of it traded.
    Filled,
    /// Its terms were changed.
    Amended,
    /// It left the book.
    Cancelled(CancelReason),
    /// The venue may still fill it for a while, though it has been taken out.
    Leaving,
    /// It was not accepted.
    Rejected(Option<RejectReason>),
    /// A cancel was refused.
    CancelRejected(RejectReason),
    /// An amend was refused.
    AmendRejected(Option<RejectReason>),
}

/// A statement about an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderFact<'a> {
    /// The symbol as the venue writes it; empty where the message does not say.
    pub symbol: &'a str,
    /// Our id of the order as text; empty where the message does not say.
    pub client: &'a str,
    /// The venue's id of it; empty where the message does not say.
    pub venue_id: &'a str,
    /// What became of it.
    pub status: OrderStatus,
    /// Buy or sell.
    pub side: Option<Side>,
    /// Limit price.
    pub price: Option<Decimal>,
    /// Quantity in all.
    pub qty: Option<Decimal>,
    /// What traded of it so far.
    pub filled: Option<Decimal>,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// A number that the client gave besides its id (dYdX), which tells sessions apart.
    pub metadata: Option<u32>,
    /// The venue's word for it, or its words of refusal.
    pub said: &'a str,
}

impl<'a> OrderFact<'a> {
    /// A statement without details.
    #[must_use]
    pub const fn new(status: OrderStatus) -> Self {
        Self {
            symbol: "",
            client: "",
            venue_id: "",
            status,
            side: None,
            price: None,
            qty: None,
            filled: None,
            time_ns: None,
            metadata: None,
            said: "",
        }
    }

    /// The same of the order with these ids.
    #[must_use]
    pub const fn of(mut self, symbol: &'a str, client: &'a str, venue_id: &'a str) -> Self {
        self.symbol = symbol;
        self.client = client;
        self.venue_id = venue_id;
        self
    }
}

/// How a fill came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FillOrigin {
    /// An order of ours traded on the book.
    #[default]
    Book,
    /// The venue liquidated the position.
    Liquidation,
    /// The venue closed the position against a bankrupt one (auto-deleveraging).
    Deleveraging,
    /// Settlement or delivery of a contract.
    Settlement,
}

/// A fill of an order of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillFact<'a> {
    /// The symbol as the venue writes it.
    pub symbol: &'a str,
    /// Our id of the order as text; empty where the message does not say.
    pub client: &'a str,
    /// The venue's id of the order; empty where the message does not say.
    pub venue_id: &'a str,
    /// The venue's id of the fill.
    pub trade_id: &'a str,
    /// Buy or sell.
    pub side: Option<Side>,
    /// Price.
    pub price: Decimal,
    /// Quantity.
    pub qty: Decimal,
    /// The fee; negative is a rebate.
    pub fee: Option<Decimal>,
    /// What the fee is paid in; empty where the message does not say.
    pub fee_currency: &'a str,
    /// Whether the order was the maker, where the message says.
    pub maker: Option<bool>,
    /// What traded of the order in all by then, where the message says.
    pub filled: Option<Decimal>,
    /// When it happened.
    pub time_ns: Option<TimeNs>,
    /// How it came about.
    pub origin: FillOrigin,
    /// As [`OrderFact::metadata`].
    pub metadata: Option<u32>,
}

/// A balance of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BalanceFact<'a> {
    /// Currency.
    pub currency: &'a str,
    /// All of it, without unrealised profit.
    pub total: Decimal,
    /// What can be used, where the message says.
    pub free: Option<Decimal>,
}

/// A position of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionFact<'a> {
    /// The symbol as the venue writes it.
    pub symbol: &'a str,
    /// Quantity in the venue's unit, negative when short.
    pub qty: Decimal,
    /// Average entry price.
    pub entry: Option<Decimal>,
    /// Whether it is one leg of a hedge-mode pair, which netting does not cover.
    pub hedged: bool,
}

/// Something about the connection or the account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Logged in; user events come from here on.
    LoggedIn,
    /// The log-in was refused.
    LogInFailed(&'a str),
    /// A subscription stands.
    Subscribed(&'a str),
    /// A subscription was refused.
    SubscriptionFailed(&'a str),
    /// The user stream ended or will end: open a new one, then reconcile.
    StreamExpired,
    /// The venue will close the connection: reconnect.
    ReconnectSoon,
    /// The key of a user stream (Binance).
    ListenKey(&'a str),
    /// The venue's clock, ns.
    ServerTime(TimeNs),
    /// An answer to a ping.
    Pong,
    /// The venue's countdown will cancel all orders at this time, ns; zero when it is off.
    Countdown(TimeNs),
    /// Open orders near liquidation: the venue warns of the margin.
    MarginCall,
    /// Settings of the account changed: leverage, margin mode.
    Settings,
}

/// What a key or account may do, as far as a message says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RightsFact {
    /// Place and cancel orders.
    pub trade: Option<bool>,
    /// Take money out.
    pub withdraw: Option<bool>,
    /// Only from addresses that were named.
    pub bound_to_address: Option<bool>,
    /// Long and short positions are kept apart, which netting does not cover.
    pub hedge_mode: Option<bool>,
}

/// Something that a venue says about an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact<'a> {
    /// An order.
    Order(OrderFact<'a>),
    /// A fill.
    Fill(FillFact<'a>),
    /// A balance.
    Balance(BalanceFact<'a>),
    /// A position.
    Position(PositionFact<'a>),
    /// Funding, interest or another payment: currency and amount, positive when received.
    Payment {
        /// Currency.
        currency: &'a str,
        /// Amount.
        amount: Decimal,
    },
    /// What key or account may do.
    Rights(RightsFact),
    /// What trading an instrument costs, as fractions; negative is a rebate.
    Fees {
        /// The symbol, or what the venue names in its place; empty where the answer does not say.
        symbol: &'a str,
        /// As maker.
        maker: Decimal,
        /// As taker.
        taker: Decimal,
    },
    /// The connection.
    Notice(Notice<'a>),
    /// A part of a batch failed: its place in the batch and the venue's code and words.
    Failed {
        /// Place in the batch, from 0.
        at: usize,
        /// Our id of the order, where the message says.
        client: &'a str,
        /// The failure.
        failure: &'a crate::failure::Failure,
    },
    /// The list goes on: the words that name the place.
    More(&'a str),
    /// A message of a kind that sessions do not use, by its name.
    Other(&'a str),
}

/// Takes facts as they are read.
pub type OnFact<'f> = &'f mut dyn FnMut(Fact<'_>);
