//! Which limits there are, and what failing one looks like.

use std::fmt;

use mainspring_core::money::QUANTA_PER_UNIT;
use serde::{Deserialize, Serialize};

macro_rules! limit_kinds {
    ($($(#[$doc:meta])* $kind:ident = $bit:literal, $name:literal, $unit:ident;)*) => {
        /// Which limit an order failed. The numbers are kept in results: never reuse one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum LimitKind {
            $($(#[$doc])* $kind = $bit,)*
        }

        impl LimitKind {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What its value and bound count.
            #[must_use]
            pub const fn unit(self) -> Unit {
                match self { $(Self::$kind => Unit::$unit,)* }
            }
        }
    };
}

limit_kinds! {
    /// Trading is halted.
    Halted = 0, "halted", Flag;
    /// The quantity is not positive.
    Quantity = 1, "quantity", Lots;
    /// Lots in one order.
    OrderQuantity = 2, "order_quantity", Lots;
    /// Value of one order, in the quote currency.
    OrderNotional = 3, "order_notional", Money;
    /// Net position if everything open on the side filled.
    Position = 4, "position", Lots;
    /// Distance of a limit price through the mid price.
    PriceCollar = 5, "price_collar", Flag;
    /// Orders open at once.
    OpenOrders = 6, "open_orders", Count;
    /// The strategy's own position if everything open on the side filled.
    StrategyPosition = 7, "strategy_position", Lots;
    /// Sum of absolute values if every open order filled.
    GrossExposure = 8, "gross_exposure", Money;
    /// Absolute sum of signed values if every open order of the side filled.
    NetExposure = 9, "net_exposure", Money;
    /// Gross exposure over equity.
    Leverage = 10, "leverage", Money;
    /// Net value in one symbol as a share of equity.
    Concentration = 11, "concentration", Money;
    /// Net value in one symbol, over all venues.
    SymbolExposure = 12, "symbol_exposure", Money;
    /// Value of one order as a share of equity.
    Allocation = 13, "allocation", Money;
    /// Orders in a window.
    OrderRate = 14, "order_rate", Time;
    /// Cancels in a window: new orders wait, cancels never do.
    CancelRate = 15, "cancel_rate", Time;
    /// Orders, amends and cancels in a window.
    MessageRate = 16, "message_rate", Time;
    /// Orders that traded today.
    DailyTrades = 17, "daily_trades", Count;
    /// Lost since the day began.
    DailyLoss = 18, "daily_loss", Money;
    /// Fallen from the peak of equity.
    Drawdown = 19, "drawdown", BasisPoints;
    /// Closing fills in a row that lost.
    LosingStreak = 20, "losing_streak", Count;
    /// Age of what is known of the market.
    StaleData = 21, "stale_data", Time;
    /// Outside the hours.
    TradingHours = 22, "trading_hours", Flag;
    /// On the restricted list.
    Restricted = 23, "restricted", Flag;
    /// The circuit breaker of venue or strategy is open.
    Breaker = 24, "breaker", Flag;
    /// The external validator refused, or did not answer in time.
    Validator = 25, "validator", Flag;
    /// Nothing is known that could value the instrument in the currency of the limits.
    Unvalued = 26, "unvalued", Flag;
    /// Not enough margin.
    Margin = 27, "margin", Money;
    /// The position is so full that only reducing is left.
    PositionState = 28, "position_state", Flag;
}

/// What value and bound of a failure count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Yes or no.
    Flag,
    /// Lots of the instrument.
    Lots,
    /// Money quanta.
    Money,
    /// Things.
    Count,
    /// Nanoseconds.
    Time,
    /// Hundredths of a percent.
    BasisPoints,
}

impl LimitKind {
    /// Its bit in a mask.
    #[inline]
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The limits of a mask, by number.
    pub fn of_mask(mask: u32) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |kind| mask & kind.bit() != 0)
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// On which branch of the tree a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// The whole engine.
    Global,
    /// An account: a named group of venues.
    Account,
    /// A venue.
    Venue,
    /// A strategy.
    Strategy,
    /// An instrument.
    Instrument,
    /// A base asset, over all venues.
    Symbol,
}

/// One failed limit with the figures that failed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which limit.
    pub limit: LimitKind,
    /// On which branch of the tree.
    pub scope: ScopeKind,
    /// The value the order would lead to.
    pub value: i128,
    /// The bound.
    pub bound: i128,
    /// What was left before the order; negative when the bound was passed already.
    pub headroom: i128,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.limit)?;
        if self.scope != ScopeKind::Global {
            write!(f, " of the {}", format!("{:?}", self.scope).to_lowercase())?;
        }
        let show = |value: i128| match self.limit.unit() {
            Unit::Money => format!("{:.2}", value as f64 / QUANTA_PER_UNIT as f64),
            Unit::Time => format!("{:.3}s", value as f64 / 1e9),
            Unit::BasisPoints => format!("{:.2}%", value as f64 / 100.0),
            _ => value.to_string(),
        };
        match self.limit.unit() {
            Unit::Flag => Ok(()),
            _ => write!(
                f,
                ": {} against {} (headroom {})",
                show(self.value),
                show(self.bound),
                show(self.headroom)
            ),
        }
    }
}

/// Which limits an order failed, as bits: bit `n` for the [`LimitKind`] with that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Veto {
    mask: u32,
}

impl Veto {
    /// A veto of these limits; [`None`] when there are none.
    #[must_use]
    pub const fn of(mask: u32) -> Option<Self> {
        match mask {
            0 => None,
            mask => Some(Self { mask }),
        }
    }

    /// The failed limits, in the order of [`LimitKind`].
    pub fn limits(&self) -> impl Iterator<Item = LimitKind> {
        LimitKind::of_mask(self.mask)
    }

    /// The bits.
    #[must_use]
    pub const fn mask(&self) -> u32 {
        self.mask
    }
}
