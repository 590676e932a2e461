//! Orders as they travel between the engine and a venue, simulated or real.

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use crate::instrument::InstrumentId;
use crate::units::{DurationNs, Lots, Ticks, TimeNs};

/// Buy or sell; bid or ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Side {
    /// Buyer, bid.
    Buy = 0,
    /// Seller, ask.
    Sell = 1,
}

impl Side {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for a buy, -1 for a sell.
    #[inline]
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// Whether `a` is at least as aggressive a price as `b` on this side (higher bid, lower ask).
    #[inline]
    #[must_use]
    pub const fn at_least(self, a: Ticks, b: Ticks) -> bool {
        match self {
            Self::Buy => a.0 >= b.0,
            Self::Sell => a.0 <= b.0,
        }
    }

    /// Whether `a` is a strictly more aggressive price than `b` on this side.
    #[inline]
    #[must_use]
    pub const fn better(self, a: Ticks, b: Ticks) -> bool {
        match self {
            Self::Buy => a.0 > b.0,
            Self::Sell => a.0 < b.0,
        }
    }

    /// `price` moved by `steps` ticks towards the other side of the book.
    #[inline]
    #[must_use]
    pub const fn inward(self, price: Ticks, steps: i64) -> Ticks {
        Ticks(price.0 + self.sign() * steps)
    }
}

/// The engine's own id of an order: unique in a run, growing, never reused.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Pod,
    Zeroable,
    Serialize,
    Deserialize,
)]
#[repr(transparent)]
#[serde(transparent)]
pub struct ClientOrderId(pub u64);

/// How an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OrderType {
    /// Rests at its limit price, takes at it or better.
    Limit = 0,
    /// Takes what is there.
    Market = 1,
    /// Becomes a market order when the trigger price is reached against us.
    Stop = 2,
    /// Becomes a limit order when the trigger price is reached against us.
    StopLimit = 3,
    /// Becomes a market order when the trigger price is reached in our favour.
    TakeProfit = 4,
    /// A stop whose trigger follows the best price seen by `trail_ticks`.
    TrailingStop = 5,
    /// A limit order that shows `display_lots` at a time.
    Iceberg = 6,
    /// A limit order whose price follows the own side's best by `peg_offset_ticks` (away is positive).
    Pegged = 7,
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TimeInForce {
    /// Good till cancelled.
    Gtc = 0,
    /// Immediate or cancel the rest.
    Ioc = 1,
    /// Fill or kill.
    Fok = 2,
    /// Good till `expire_ns`.
    Gtd = 3,
}

/// Options of an order, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderFlags(pub u8);

impl OrderFlags {
    /// Only rest: refused when it would take.
    pub const POST_ONLY: Self = Self(1);
    /// Only shrink a position, never open or flip one.
    pub const REDUCE_ONLY: Self = Self(2);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The terms of an order: what is asked of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market, ...
    pub order_type: OrderType,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// Post-only, reduce-only.
    pub flags: OrderFlags,
    /// Limit price; ignored where the type has none.
    pub price: Ticks,
    /// Quantity, positive.
    pub qty: Lots,
    /// Trigger price of stops and take-profits.
    pub trigger: Ticks,
    /// Distance of a trailing stop, or the offset of a peg.
    pub offset: Ticks,
    /// Shown quantity of an iceberg.
    pub display: Lots,
    /// Expiry of a GTD order.
    pub expire_ns: TimeNs,
    /// The other leg of a one-cancels-other pair, open at the venue already; zero for none.
    #[serde(default)]
    pub oco: ClientOrderId,
}

impl OrderTerms {
    /// A good-till-cancelled limit order.
    #[must_use]
    pub const fn limit(instrument: InstrumentId, side: Side, price: Ticks, qty: Lots) -> Self {
        Self {
            instrument,
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            flags: OrderFlags(0),
            price,
            qty,
            trigger: Ticks(0),
            offset: Ticks(0),
            display: Lots(0),
            expire_ns: 0,
            oco: ClientOrderId(0),
        }
    }

    /// A market order.
    #[must_use]
    pub const fn market(instrument: InstrumentId, side: Side, qty: Lots) -> Self {
        let mut terms = Self::limit(instrument, side, Ticks(0), qty);
        terms.order_type = OrderType::Market;
        terms.time_in_force = TimeInForce::Ioc;
        terms
    }
}

/// A request on its way to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueRequest {
    /// Whose order.
    pub order: ClientOrderId,
    /// When it left us, after the strategy's decision latency.
    pub sent_ns: TimeNs,
    /// What is asked.
    pub kind: VenueRequestKind,
}

/// What is asked of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueRequestKind {
    /// Place an order.
    New(OrderTerms),
    /// Cancel an order.
    Cancel {
        /// Which instrument the order is in.
        instrument: InstrumentId,
    },
    /// Change price and total quantity of a resting order.
    Amend {
        /// Which instrument the order is in.
        instrument: InstrumentId,
        /// New limit price.
        price: Ticks,
        /// New total quantity, filled part included.
        qty: Lots,
    },
}

impl VenueRequestKind {
    /// The instrument it is about.
    #[inline]
    #[must_use]
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::New(terms) => terms.instrument,
            Self::Cancel { instrument } | Self::Amend { instrument, .. } => *instrument,
        }
    }
}

/// What a venue says about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueEvent {
    /// Whose order.
    pub order: ClientOrderId,
    /// When it happened at the venue.
    pub exch_ns: TimeNs,
    /// When we know it.
    pub recv_ns: TimeNs,
    /// What happened.
    pub kind: VenueEventKind,
}

/// What happened to an order at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueEventKind {
    /// The order is in the book (or armed, for a stop).
    Accepted,
    /// The venue refused the order.
    Rejected(RejectReason),
    /// Part or all of the order traded.
    Filled {
        /// Price of this fill.
        price: Ticks,
        /// Quantity of this fill.
        qty: Lots,
        /// Whether we were the maker.
        maker: bool,
    },
    /// The rest of the order left the book at our wish or by rule.
    Cancelled(CancelReason),
    /// Our cancel was refused: the order is not there any more.
    CancelRejected(RejectReason),
    /// Price and quantity were changed.
    Amended {
        /// New limit price.
        price: Ticks,
        /// New total quantity.
        qty: Lots,
    },
    /// The change was refused; the order stands as it was.
    AmendRejected(RejectReason),
    /// A stop, take-profit or trailing stop was triggered.
    Triggered,
}

/// Why a venue refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RejectReason {
    /// A post-only order would take.
    PostOnlyWouldTake = 1,
    /// A reduce-only order would open or flip.
    ReduceOnlyWouldIncrease = 2,
    /// The price is off the grid.
    PriceOffGrid = 3,
    /// The quantity is not positive, too small or too large.
    BadQuantity = 4,
    /// The value is under the venue's minimum.
    BelowMinNotional = 5,
    /// The order is unknown, done or cancelled.
    UnknownOrder = 6,
    /// The venue takes no orders now.
    Halted = 7,
    /// Too many requests.
    Overloaded = 8,
    /// Not enough balance or margin.
    InsufficientMargin = 9,
    /// A stop that would trigger at once.
    WouldTriggerImmediately = 10,
    /// Fill-or-kill could not be filled whole.
    FokNotFilled = 11,
    /// The order would trade with one of ours.
    SelfTrade = 12,
    /// An order id that is in use.
    DuplicateOrder = 13,
    /// The book has no price to trade against or to peg to.
    NoLiquidity = 14,
    /// A rule of the venue that has no word here; its own words say which.
    VenueRule = 15,
}

/// Why an order left the book unfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum CancelReason {
    /// We asked.
    Requested = 1,
    /// Immediate-or-cancel: what could not be filled.
    IocRemainder = 2,
    /// A market order found no more depth.
    NoLiquidity = 3,
    /// Self-trade prevention.
    SelfTrade = 4,
    /// Good-till-date came.
    Expired = 5,
    /// A reduce-only order had nothing left to reduce.
    ReduceOnly = 6,
    /// The other leg of a bracket was filled.
    Oco = 7,
    /// The account was liquidated.
    Liquidation = 8,
}

/// Which order gives way when two of ours would trade with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTradePrevention {
    /// The incoming order's rest is cancelled.
    #[default]
    CancelNewest,
    /// The resting order is cancelled.
    CancelOldest,
    /// Both are cancelled.
    CancelBoth,
}

/// Latency in nanoseconds of each leg of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegLatency {
    /// From us to the venue's matching.
    pub entry_ns: DurationNs,
    /// From the venue's matching back to us.
    pub response_ns: DurationNs,
}
