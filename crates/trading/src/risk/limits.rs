//! Limits as a person writes them: a tree of global, account, venue, strategy, instrument, symbol.
//!
//! A node bounds what belongs to it: the limits of a strategy hold for what that strategy does,
//! those of a venue for all strategies there together. What bounds a single order (quantity, value,
//! collar, hours, ...) holds by the tightest of its nodes.

use std::collections::BTreeMap;

use mainspring_core::limits::{MAX_LEVERAGE, MAX_OPEN_ORDERS, MAX_POSITION_UNITS, MAX_RATE_COUNT};
use mainspring_core::{Decimal, DurationNs, Error, ErrorKind, Result};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::breaker::BreakerLimits;
use super::hours::TradingHours;
use super::kind::ScopeKind;
use super::ladder::Ladder;

/// At most so many in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// Length of the sliding window.
    pub window_ns: DurationNs,
}

/// Limits of one node; what is absent is not bounded here. Money is in the currency that the run
/// reports in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Largest order, in units of the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_order_qty: Option<Decimal>,
    /// Largest order value, in the quote currency of the instrument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_order_notional: Option<Decimal>,
    /// Largest absolute position in one instrument, in units of the base: the net one of all
    /// strategies, or a strategy's own in its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_position: Option<Decimal>,
    /// How far a limit price may go through the mid, in basis points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_collar_bps: Option<u32>,
    /// Most orders open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_open_orders: Option<usize>,
    /// Largest sum of absolute values, open orders included at their worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gross_exposure: Option<Decimal>,
    /// Largest absolute sum of signed values, open orders included at their worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_net_exposure: Option<Decimal>,
    /// Largest gross exposure over equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_leverage: Option<Decimal>,
    /// Largest value of one order as a fraction of equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_allocation: Option<Decimal>,
    /// Largest net value in one symbol (base asset) over all venues; at the top or of a symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_symbol_exposure: Option<Decimal>,
    /// The same as a fraction of equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concentration: Option<Decimal>,
    /// Most new orders in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_order_rate: Option<Rate>,
    /// Most cancels in a window. A cancel is never refused: new orders are, until it is free again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cancel_rate: Option<Rate>,
    /// Most orders, amends and cancels in a window; refuses orders and amends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_rate: Option<Rate>,
    /// Most orders that trade in one day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_daily_trades: Option<u32>,
    /// Largest loss since the day began, open positions at their marks, in money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_daily_loss: Option<Decimal>,
    /// Closing fills in a row that may lose; a person or the next day starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_losing_streak: Option<u32>,
    /// Oldest market data that an order may be placed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_data_age_ns: Option<DurationNs>,
    /// When orders that add to a position may be placed, UTC: `mon-fri 08:00-16:30`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trading_hours: Option<TradingHours>,
    /// Symbols or base assets that may only be reduced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restricted: Vec<String>,
    /// The circuit breaker; of a venue or a strategy, or at the top for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerLimits>,
}

/// The limits of an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLimits {
    /// The venues it trades at.
    pub venues: Vec<String>,
    /// What bounds them together.
    #[serde(default)]
    pub limits: Limits,
}

/// All limits. The fields of the global node stand beside the branches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitTree {
    /// The whole engine.
    #[serde(flatten)]
    pub global: Limits,
    /// Accounts by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, AccountLimits>,
    /// Venues by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub venues: BTreeMap<String, Limits>,
    /// Strategies by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub strategies: BTreeMap<String, Limits>,
    /// Instruments by symbol, or `SYMBOL@venue`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instruments: BTreeMap<String, Limits>,
    /// Base assets by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, Limits>,
    /// What a fall of equity leads to.
    pub drawdown: Ladder,
    /// Where the day begins, after midnight UTC.
    pub day_start_ns: DurationNs,
    /// What was written and means nothing here.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, IgnoredAny>,
}

/// A day.
pub(super) const DAY_NS: DurationNs = 86_400_000_000_000;

impl LimitTree {
    /// The tree with these limits at the top and nothing else.
    #[must_use]
    pub fn of(global: Limits) -> Self {
        Self { global, ..Self::default() }
    }

    /// Checks every limit against the build's ceilings and its place in the tree.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub fn validate(&self) -> Result<()> {
        if let Some(name) = self.unknown.keys().next() {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "limits: there is no limit {name:?}; there are {} and the branches accounts, \
                     venues, strategies, instruments, symbols",
                    FIELDS.join(", ")
                ),
            ));
        }
        if !(0..DAY_NS).contains(&self.day_start_ns) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("limits: day_start_ns is {}; give 0 to a day", self.day_start_ns),
            ));
        }
        self.drawdown.validate()?;
        for (place, kind, node) in self.nodes() {
            node.validate(kind).map_err(|error| error.at(place))?;
        }
        Ok(())
    }

    /// Every node with its name for people.
    fn nodes(&self) -> Vec<(String, ScopeKind, &Limits)> {
        let mut nodes = vec![("limits".to_owned(), ScopeKind::Global, &self.global)];
        let mut add = |branch: &str, kind, name: &String, node| {
            nodes.push((format!("limits.{branch}.{name}"), kind, node));
        };
        for (name, account) in &self.accounts {
            add("accounts", ScopeKind::Account, name, &account.limits);
        }
        for (branch, kind, all) in [
            ("venues", ScopeKind::Venue, &self.venues),
            ("strategies", ScopeKind::Strategy, &self.strategies),
            ("instruments", ScopeKind::Instrument, &self.instruments),
            ("symbols", ScopeKind::Symbol, &self.symbols),
        ] {
            all.iter().for_each(|(name, node)| add(branch, kind, name, node));
        }
        nodes
    }

    /// The limits that are looser than in `before`, by name: what needs a reason.
    #[must_use]
    pub fn loosened_from(&self, before: &Self) -> Vec<String> {
        let mut loosened = Vec::new();
        let ours = self.nodes();
        for (place, _, old) in before.nodes() {
            let new = ours.iter().find(|(name, ..)| *name == place).map(|(.., node)| *node);
            let names = old.loosened_by(new.unwrap_or(&Limits::default()));
            loosened.extend(names.into_iter().map(|name| format!("{place}.{name}")));
        }
        for (name, account) in &before.accounts {
            let now = self.accounts.get(name).map(|a| a.venues.as_slice()).unwrap_or_default();
            if account.venues.iter().any(|venue| !now.contains(venue)) {
                loosened.push(format!("limits.accounts.{name}.venues"));
            }
        }
        if self.drawdown.is_looser_than(&before.drawdown) {
            loosened.push("limits.drawdown".to_owned());
        }
        if self.day_start_ns != before.day_start_ns {
            loosened.push("limits.day_start_ns".to_owned());
        }
        loosened
    }
}

/// Names of the fields of a node.
const FIELDS: [&str; 22] = [
    "max_order_qty",
    "max_order_notional",
    "max_position",
    "price_collar_bps",
    "max_open_orders",
    "max_gross_exposure",
    "max_net_exposure",
    "max_leverage",
    "max_allocation",
    "max_symbol_exposure",
    "max_concentration",
    "max_order_rate",
    "max_cancel_rate",
    "max_message_rate",
    "max_daily_trades",
    "max_daily_loss",
    "max_losing_streak",
    "max_data_age_ns",
    "trading_hours",
    "restricted",
    "breaker",
    "drawdown",
];

impl Limits {
    /// The bounds that are a decimal, by name.
    fn decimals(&self) -> [(&'static str, Option<Decimal>); 10] {
        [
            ("max_order_qty", self.max_order_qty),
            ("max_order_notional", self.max_order_notional),
            ("max_position", self.max_position),
            ("max_gross_exposure", self.max_gross_exposure),
            ("max_net_exposure", self.max_net_exposure),
            ("max_leverage", self.max_leverage),
            ("max_allocation", self.max_allocation),
            ("max_symbol_exposure", self.max_symbol_exposure),
            ("max_concentration", self.max_concentration),
            ("max_daily_loss", self.max_daily_loss),
        ]
    }

    /// The bounds that are a count, by name; zero means none at all.
    fn counts(&self) -> [(&'static str, Option<i64>); 5] {
        [
            ("price_collar_bps", self.price_collar_bps.map(i64::from)),
            ("max_open_orders", self.max_open_orders.map(|n| n as i64)),
            ("max_daily_trades", self.max_daily_trades.map(i64::from)),
            ("max_losing_streak", self.max_losing_streak.map(i64::from)),
            ("max_data_age_ns", self.max_data_age_ns),
        ]
    }

    fn rates(&self) -> [(&'static str, Option<Rate>); 3] {
        [
            ("max_order_rate", self.max_order_rate),
            ("max_cancel_rate", self.max_cancel_rate),
            ("max_message_rate", self.max_message_rate),
        ]
    }

    fn validate(&self, kind: ScopeKind) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        for (name, value) in self.decimals() {
            if let Some(value) = value.filter(|v| v.mantissa() <= 0) {
                return wrong(format!("{name} is {value}; a limit must be positive"));
            }
        }
        self.check_ceilings()?;
        for (name, value) in self.counts() {
            if value.is_some_and(|v| v < 0 || (v == 0 && name != "price_collar_bps")) {
                return wrong(format!("{name} is {value:?}; give 1 or more"));
            }
        }
        for (name, rate) in self.rates() {
            let Some(rate) = rate else { continue };
            if rate.count == 0 || rate.count > MAX_RATE_COUNT || rate.window_ns <= 0 {
                return wrong(format!(
                    "{name} is {} in {} ns; give 1 to the build's ceiling of {MAX_RATE_COUNT} and a positive window",
                    rate.count, rate.window_ns
                ));
            }
        }
        self.breaker.as_ref().map_or(Ok(()), BreakerLimits::validate)?;
        self.check_place(kind)
    }

    fn check_ceilings(&self) -> Result<()> {
        let above = |name: &str, value: Decimal, ceiling: i64| {
            if value.to_f64() <= ceiling as f64 {
                return Ok(());
            }
            Err(Error::new(
                ErrorKind::Config,
                format!("{name} is {value}, above the build's ceiling of {ceiling}"),
            ))
        };
        for (name, value, ceiling) in [
            ("max_order_qty", self.max_order_qty, MAX_POSITION_UNITS),
            ("max_position", self.max_position, MAX_POSITION_UNITS),
            ("max_leverage", self.max_leverage, i64::from(MAX_LEVERAGE)),
        ] {
            if let Some(value) = value {
                above(name, value, ceiling)?;
            }
        }
        match self.max_open_orders {
            Some(count) if count > MAX_OPEN_ORDERS => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "max_open_orders {count} is above the build's ceiling of {MAX_OPEN_ORDERS}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Limits that say nothing at a node are mistakes, not decoration.
    fn check_place(&self, kind: ScopeKind) -> Result<()> {
        let misplaced = |name: &str, place: &str| {
            Err(Error::new(
                ErrorKind::Config,
                format!("{name} says nothing here; write it {place}"),
            ))
        };
        let of_symbols = self.max_symbol_exposure.is_some() || self.max_concentration.is_some();
        let everywhere = matches!(kind, ScopeKind::Global);
        if of_symbols && !everywhere && kind != ScopeKind::Symbol {
            return misplaced(
                "max_symbol_exposure or max_concentration",
                "at the top, where it holds for each symbol, or under symbols",
            );
        }
        if self.breaker.is_some()
            && !everywhere
            && !matches!(kind, ScopeKind::Venue | ScopeKind::Strategy)
        {
            return misplaced("breaker", "at the top, or under venues or strategies");
        }
        if kind == ScopeKind::Symbol {
            let only = Self {
                max_symbol_exposure: self.max_symbol_exposure,
                max_concentration: self.max_concentration,
                ..Self::default()
            };
            if *self != only {
                return misplaced(
                    "a limit other than max_symbol_exposure and max_concentration",
                    "at the top or under accounts, venues, strategies or instruments",
                );
            }
        }
        Ok(())
    }

    /// Names of the limits that `new` has looser.
    fn loosened_by(&self, new: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let pairs = self.decimals().into_iter().zip(new.decimals());
        for ((name, old), (_, new)) in pairs {
            let Some(old) = old else { continue };
            if new.is_none_or(|new| new.to_f64() > old.to_f64()) {
                names.push(name);
            }
        }
        for ((name, old), (_, new)) in self.counts().into_iter().zip(new.counts()) {
            let Some(old) = old else { continue };
            if new.is_none_or(|new| new > old) {
                names.push(name);
            }
        }
        for ((name, old), (_, new)) in self.rates().into_iter().zip(new.rates()) {
            let Some(old) = old else { continue };
            let tighter = new.is_some_and(|n| n.count <= old.count && n.window_ns >= old.window_ns);
            if !tighter {
                names.push(name);
            }
        }
        if self.trading_hours.is_some() && self.trading_hours != new.trading_hours {
            names.push("trading_hours");
        }
        if self.restricted.iter().any(|symbol| !new.restricted.contains(symbol)) {
            names.push("restricted");
        }
        if self.breaker.is_some() && self.breaker != new.breaker {
            names.push("breaker");
        }
        names
    }
}
