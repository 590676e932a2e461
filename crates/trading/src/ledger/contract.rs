//! What a quantity of a contract is worth at a price, in quanta of the settlement currency.

use mainspring_core::money::{divide_half_even, MONEY_DECIMALS};
use mainspring_core::{Error, ErrorKind, Instrument, Lots, Result, Ticks};
use serde::{Deserialize, Serialize};

use crate::fee::RATE_UNITS;

/// A price to value positions at, in units of `10^-9` tick: mid prices and mark prices lie
/// between ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkPrice(pub i128);

impl MarkPrice {
    /// A price on the grid.
    #[inline]
    #[must_use]
    pub const fn at(price: Ticks) -> Self {
        Self(price.0 as i128 * RATE_UNITS)
    }

    /// The middle of bid and ask, half ticks included.
    #[inline]
    #[must_use]
    pub const fn mid(bid: Ticks, ask: Ticks) -> Self {
        Self((bid.0 as i128 + ask.0 as i128) * (RATE_UNITS / 2))
    }

    /// The price of a `Mark` row: ticks, and a fraction in units of `10^-9` tick.
    #[inline]
    #[must_use]
    pub const fn of_row(price: Ticks, fraction: i64) -> Self {
        Self(Self::at(price).0 + fraction as i128)
    }
}

/// How price and quantity of an instrument become money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contract {
    /// Spot and linear: `ticks x lots x tick_value`, exact.
    Linear {
        /// Quanta in one tick of one lot.
        tick_value: i128,
        /// The largest cost, in ticks x lots, of a position or a fill.
        max_cost: i128,
    },
    /// Inverse: `lots x numerator / (ticks x denominator)`, half to even.
    Inverse {
        /// Lot x multiplier / tick in quanta, as a reduced fraction.
        numerator: i128,
        /// See `numerator`.
        denominator: i128,
        /// The largest quantity of a position or a fill.
        max_lots: i64,
        /// The largest cost, in quanta, of a position.
        max_cost: i128,
    },
}

/// The largest quantity of a linear position or fill, in lots.
const MAX_LINEAR_LOTS: i64 = 1 << 53;

impl Contract {
    /// The arithmetic of an instrument.
    ///
    /// # Errors
    /// When its tick, lot and multiplier do not fit into exact money.
    pub fn of(instrument: &Instrument) -> Result<Self> {
        instrument.validate()?;
        if instrument.kind.is_inverse() {
            return inverse(instrument).ok_or_else(|| {
                Error::new(
                    ErrorKind::Value,
                    format!(
                        "instrument {}: lot x multiplier / tick is too large for exact money",
                        instrument.symbol
                    ),
                )
            });
        }
        let tick_value = instrument.tick_value()?;
        // So that value x rate fits, and cost x lots too.
        let max_cost = (i128::MAX / tick_value.saturating_mul(4 * RATE_UNITS)).min(1 << 72);
        Ok(Self::Linear { tick_value, max_cost })
    }

    /// Whether profit is settled in base.
    #[inline]
    #[must_use]
    pub const fn is_inverse(&self) -> bool {
        matches!(self, Self::Inverse { .. })
    }

    /// The value of a fill in quanta of the settlement currency, never negative.
    ///
    /// # Errors
    /// When the quantity is negative, the price of an inverse contract is not positive, or the value
    /// is beyond what exact money can hold.
    #[inline]
    pub fn notional(&self, price: Ticks, qty: Lots) -> Result<i128> {
        self.check_size(price, qty)?;
        Ok(self.value(price, qty).abs())
    }

    /// Whether a fill of this price and quantity can be valued, at any fee or funding rate below one.
    ///
    /// # Errors
    /// As [`Contract::notional`].
    #[inline]
    pub fn check_size(&self, price: Ticks, qty: Lots) -> Result<()> {
        let cost = match self {
            Self::Linear { .. } => i128::from(price.0) * i128::from(qty.0),
            Self::Inverse { .. } => 0,
        };
        if qty.0 >= 0 && self.holds(qty, cost) && (price.0 > 0 || !self.is_inverse()) {
            Ok(())
        } else {
            Err(cannot_value(price, qty))
        }
    }

    /// Whether a position of this size can be kept without overflow anywhere.
    #[inline]
    pub(super) fn holds(&self, lots: Lots, cost: i128) -> bool {
        let (max_lots, max_cost) = match *self {
            Self::Linear { max_cost, .. } => (MAX_LINEAR_LOTS, max_cost),
            Self::Inverse { max_lots, max_cost, .. } => (max_lots, max_cost),
        };
        (-max_lots..=max_lots).contains(&lots.0) && (-max_cost..=max_cost).contains(&cost)
    }

    /// Signed value of a checked price and quantity.
    #[inline]
    pub(super) fn value(&self, price: Ticks, qty: Lots) -> i128 {
        match *self {
            Self::Linear { tick_value, .. } => i128::from(price.0) * i128::from(qty.0) * tick_value,
            Self::Inverse { numerator, denominator, .. } => {
                divide_half_even(i128::from(qty.0) * numerator, i128::from(price.0) * denominator).0
            }
        }
    }

    /// Signed value of `lots` at a mark, rounded half to even to the quantum.
    #[must_use]
    pub fn value_at(&self, mark: MarkPrice, lots: Lots) -> i128 {
        let lots = i128::from(lots.0);
        match *self {
            Self::Linear { tick_value, .. } => {
                divide_half_even(mark.0 * lots * tick_value, RATE_UNITS).0
            }
            Self::Inverse { .. } if mark.0 <= 0 => 0,
            Self::Inverse { numerator, denominator, .. } => {
                divide_half_even(lots * numerator * RATE_UNITS, mark.0 * denominator).0
            }
        }
    }

    /// What a position of `lots` with this open `cost` would gain if closed at the mark.
    #[must_use]
    pub fn unrealised(&self, mark: MarkPrice, lots: Lots, cost: i128) -> i128 {
        match *self {
            Self::Linear { tick_value, .. } => {
                let gain = mark.0 * i128::from(lots.0) - cost * RATE_UNITS;
                divide_half_even(gain * tick_value, RATE_UNITS).0
            }
            Self::Inverse { .. } => cost - self.value_at(mark, lots),
        }
    }
}

#[cold]
fn cannot_value(price: Ticks, qty: Lots) -> Error {
    Error::new(
        ErrorKind::Value,
        format!("{qty} lots at {price} ticks: cannot be valued in exact money"),
    )
}

fn inverse(instrument: &Instrument) -> Option<Contract> {
    let (tick, lot, multiplier) = (instrument.tick(), instrument.lot, instrument.multiplier);
    let power = |n: u8| 10_i128.checked_pow(u32::from(n));
    let numerator = i128::from(lot.mantissa())
        .checked_mul(i128::from(multiplier.mantissa()))?
        .checked_mul(power(MONEY_DECIMALS + tick.scale())?)?;
    let denominator =
        i128::from(tick.mantissa()).checked_mul(power(lot.scale() + multiplier.scale())?)?;
    let common = gcd(numerator, denominator);
    let (numerator, denominator) = (numerator / common, denominator / common);
    // Marks of up to 10^12 ticks, in units of 10^-9 tick.
    denominator.checked_mul(10_i128.pow(21))?;
    // So that lots x numerator x 10^9 fits, and cost x lots too.
    let max_lots = (i128::MAX / numerator.checked_mul(RATE_UNITS * 2)?)
        .min((i128::MAX / numerator).isqrt())
        .min(i128::from(i64::MAX));
    let max_lots = i64::try_from(max_lots).ok()?;
    if max_lots == 0 {
        return None;
    }
    let max_cost = i128::MAX / i128::from(max_lots);
    Some(Contract::Inverse { numerator, denominator, max_lots, max_cost })
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
