//! Maintenance margin by tiers, and the price at which a position is liquidated.
//!
//! What a venue decides by is exact ([`MarginTable`]); liquidation prices are for people, limits
//! and models, and are floats. One solver serves all venues with tiered linear contracts: a
//! position is liquidated at the first mark price at which
//!
//! `collateral + other unrealised + qty (P - entry)`
//! `<= other maintenance + |qty| P (rate + closing fee) - deduction`,
//!
//! rate and deduction being those of the tier of `|qty| P`.

use mainspring_core::instrument::MarginTier;
use mainspring_core::money::{MONEY_DECIMALS, QUANTA_PER_UNIT};
use mainspring_core::{Error, ErrorKind, Money, Result};

use crate::fee::{proportional_fee, rate_units, RATE_UNITS};

/// One bracket of exact maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bracket {
    /// Notional up to which it holds, in quanta.
    cap: i128,
    /// Maintenance rate in units of `10^-9`.
    rate: i64,
    /// What is taken off, so that the margin is continuous over the caps, in quanta.
    deduction: i128,
    /// Highest leverage.
    max_leverage: u32,
}

/// Maintenance margin of an instrument, exact to the quantum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginTable {
    brackets: Vec<Bracket>,
}

impl MarginTable {
    /// The table of an instrument's tiers, smallest first.
    ///
    /// # Errors
    /// When the caps do not ascend, a cap other than the last is missing, or a rate is not a
    /// fraction that grows.
    pub fn new(tiers: &[MarginTier]) -> Result<Self> {
        let mut brackets: Vec<Bracket> = Vec::with_capacity(tiers.len());
        for (at, tier) in tiers.iter().enumerate() {
            let wrong =
                |what: &str| Error::new(ErrorKind::Config, format!("margin tier {at}: {what}"));
            let rate = rate_units(tier.maintenance_rate).map_err(|e| e.at(format!("tier {at}")))?;
            let cap = match tier.notional_cap {
                Some(cap) => cap
                    .to_scale(MONEY_DECIMALS)
                    .filter(|cap| *cap > 0)
                    .ok_or_else(|| wrong("the cap must be positive"))?,
                None if at + 1 == tiers.len() => i128::MAX,
                None => return Err(wrong("only the last tier may have no cap")),
            };
            let (floor, rate_before, deduction_before) =
                brackets.last().map_or((0, 0, 0), |b| (b.cap, b.rate, b.deduction));
            if cap <= floor || rate < rate_before || rate <= 0 {
                return Err(wrong("caps and rates must be positive and grow from tier to tier"));
            }
            let step = i128::from(if at == 0 { 0 } else { rate - rate_before });
            let deduction = (floor / RATE_UNITS * step) + floor % RATE_UNITS * step / RATE_UNITS;
            brackets.push(Bracket {
                cap,
                rate,
                deduction: deduction_before + deduction,
                max_leverage: tier.max_leverage.max(1),
            });
        }
        Ok(Self { brackets })
    }

    /// The margin under which a position of this notional (quanta) is liquidated; zero without tiers.
    #[must_use]
    pub fn maintenance(&self, notional: i128) -> Money {
        match self.bracket(notional) {
            Some(b) => proportional_fee(notional, b.rate).fee - Money(b.deduction),
            None => Money::ZERO,
        }
    }

    /// The margin needed to open a position of this notional (quanta) at `leverage`, at most the
    /// tier's, rounded up to the quantum; the whole notional without tiers.
    #[must_use]
    pub fn initial(&self, notional: i128, leverage: u32) -> Money {
        let most = self.bracket(notional).map_or(1, |b| b.max_leverage);
        let leverage = i128::from(leverage.clamp(1, most));
        Money((notional + leverage - 1) / leverage)
    }

    /// The tiers as the solver of liquidation prices takes them.
    #[must_use]
    pub fn tiers(&self) -> Vec<Tier> {
        let float = |quanta: i128| quanta as f64 / QUANTA_PER_UNIT as f64;
        let tier = |b: &Bracket| Tier {
            cap: if b.cap == i128::MAX { f64::INFINITY } else { float(b.cap) },
            rate: b.rate as f64 / RATE_UNITS as f64,
            deduction: float(b.deduction),
        };
        self.brackets.iter().map(tier).collect()
    }

    /// The bracket of a notional; above the last cap the last one goes on.
    fn bracket(&self, notional: i128) -> Option<&Bracket> {
        self.brackets.iter().find(|b| notional <= b.cap).or(self.brackets.last())
    }
}

/// The deductions that make maintenance margin continuous over tiers with these caps and rates:
/// `d_n = cap_(n-1) (rate_n - rate_(n-1)) + d_(n-1)` (Binance USD-M).
#[must_use]
pub fn maintenance_deductions(caps: &[f64], rates: &[f64]) -> Vec<f64> {
    let mut deduction = 0.0;
    rates
        .iter()
        .enumerate()
        .map(|(n, rate)| {
            if n > 0 {
                deduction += caps[n - 1] * (rate - rates[n - 1]);
            }
            deduction
        })
        .collect()
}

/// A tier of maintenance margin for the solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// Notional up to which it holds; infinite for no bound.
    pub cap: f64,
    /// Maintenance rate.
    pub rate: f64,
    /// What is taken off.
    pub deduction: f64,
}

/// A position and what stands behind it, in the settlement currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginedPosition {
    /// Wallet balance (cross) or the position's own margin (isolated).
    pub collateral: f64,
    /// Signed quantity in base (linear), or signed value in quote (inverse).
    pub qty: f64,
    /// Entry price.
    pub entry: f64,
    /// Maintenance margin of other positions that share the collateral.
    pub other_maintenance: f64,
    /// Unrealised profit of other positions that share the collateral.
    pub other_unrealised: f64,
    /// Fee of closing, as a fraction of notional, where the venue counts it as margin.
    pub close_fee_rate: f64,
}

impl MarginedPosition {
    fn available(&self) -> f64 {
        self.collateral + self.other_unrealised - self.other_maintenance
    }
}

/// Where a position is liquidated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Liquidation {
    /// The mark price.
    pub price: f64,
    /// Maintenance margin of the position there, closing fee included.
    pub maintenance: f64,
    /// Equity there.
    pub equity: f64,
    /// Index of the tier that holds there.
    pub tier: usize,
}

/// The liquidation price of a linear contract, or `None` when no positive price liquidates.
#[must_use]
pub fn liquidation_price(position: &MarginedPosition, tiers: &[Tier]) -> Option<Liquidation> {
    let size = position.qty.abs();
    nearest(position.qty, tiers, |tier| {
        let rate = tier.rate + position.close_fee_rate;
        let room = position.available() + tier.deduction - position.qty * position.entry;
        let price = room / (size * rate - position.qty);
        let notional = size * price;
        let gain = position.qty * (price - position.entry);
        (price, notional, notional * rate - tier.deduction, gain)
    })
    .map(|found| found.with_collateral(position))
}

/// The liquidation price of an inverse contract, or `None` when no positive price liquidates.
///
/// `qty` is the signed value in quote `U`, everything else in base: the position gains
/// `U / entry - U / P` and needs `|U| / P (rate + fee) - deduction`, so that
/// `1 / P = (available + deduction + U / entry) / (U + |U| (rate + fee))`.
#[must_use]
pub fn liquidation_price_inverse(
    position: &MarginedPosition,
    tiers: &[Tier],
) -> Option<Liquidation> {
    let size = position.qty.abs();
    nearest(position.qty, tiers, |tier| {
        let rate = tier.rate + position.close_fee_rate;
        let room = position.available() + tier.deduction + position.qty / position.entry;
        let price = (position.qty + size * rate) / room;
        let notional = size / price;
        let gain = position.qty / position.entry - position.qty / price;
        (price, notional, notional * rate - tier.deduction, gain)
    })
    .map(|found| found.with_collateral(position))
}

impl Liquidation {
    fn with_collateral(mut self, position: &MarginedPosition) -> Self {
        self.equity += position.collateral + position.other_unrealised;
        self
    }
}

/// Of the prices that the tiers give, `(price, notional, maintenance, gain)` each, the first one that
/// the market reaches: the highest for a long position, the lowest for a short one.
fn nearest(
    qty: f64,
    tiers: &[Tier],
    solve: impl Fn(&Tier) -> (f64, f64, f64, f64),
) -> Option<Liquidation> {
    let mut floor = 0.0;
    let mut best: Option<Liquidation> = None;
    for (at, tier) in tiers.iter().enumerate() {
        let solution = Some(solve(tier)).filter(|(price, notional, ..)| {
            price.is_finite() && *price > 0.0 && *notional > floor && *notional <= tier.cap
        });
        floor = tier.cap;
        let Some((price, _, maintenance, gain)) = solution else { continue };
        let first = best.is_none_or(|b| if qty > 0.0 { price > b.price } else { price < b.price });
        if first {
            best = Some(Liquidation { price, maintenance, equity: gain, tier: at });
        }
    }
    best
}

/// The liquidation price where the venue takes initial and maintenance margin on the entry value
/// (Bybit's older rule): `entry -+ (initial + extra - maintenance) / size`.
#[must_use]
pub fn liquidation_price_entry_mm(
    entry: f64,
    qty: f64,
    leverage: f64,
    rate: f64,
    deduction: f64,
    extra_margin: f64,
) -> f64 {
    let value = qty.abs() * entry;
    let initial = value / leverage;
    let maintenance = value * rate - deduction;
    entry - (initial + extra_margin - maintenance) / qty
}

/// Hyperliquid's rule: `price - side x available / size / (1 - l x side)`, `l` being one over
/// the maintenance leverage and `available` the account value less the maintenance margin at `price`.
#[must_use]
pub fn liquidation_price_hyperliquid(
    side: f64,
    price: f64,
    margin_available: f64,
    position_size: f64,
    maintenance_leverage: f64,
) -> f64 {
    price - side * margin_available / position_size / (1.0 - side / maintenance_leverage)
}
