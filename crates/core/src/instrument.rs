//! Instruments: what is traded, on which price grid, in which lot.

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::error::{Error, ErrorKind, Result};
use crate::money::MONEY_DECIMALS;
use crate::units::{Lots, Ticks};

/// Index of an instrument in its kernel or file.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// As an index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What sort of contract it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentKind {
    /// Base against quote, delivered at once.
    Spot,
    /// Perpetual, margined and settled in quote.
    LinearPerpetual,
    /// Perpetual with a contract value in quote, margined and settled in base.
    InversePerpetual,
    /// Dated future, settled in quote.
    LinearFuture,
    /// Dated future, settled in base.
    InverseFuture,
}

impl InstrumentKind {
    /// Whether profit is settled in base and the price enters as a reciprocal.
    #[must_use]
    pub const fn is_inverse(self) -> bool {
        matches!(self, Self::InversePerpetual | Self::InverseFuture)
    }

    /// Whether a position is margined rather than held.
    #[must_use]
    pub const fn is_derivative(self) -> bool {
        !matches!(self, Self::Spot)
    }
}

/// Which multiples of the finest tick are valid prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum GridRule {
    /// Every tick.
    Fixed,
    /// From each price on, only multiples of its step: `(from_ticks, step_ticks)`, ascending, first at 0.
    Tiers {
        /// The tiers.
        steps: Vec<(i64, i64)>,
    },
    /// At most this many significant digits; whole numbers of the quote unit are always valid.
    SignificantDigits {
        /// How many digits.
        digits: u8,
    },
}

/// A rule for valid prices, with its version. Prices count `tick`, the finest step of all versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceGrid {
    /// Grows by one at each change.
    pub version: u32,
    /// The finest increment; one tick.
    pub tick: Decimal,
    /// Which ticks are valid.
    #[serde(flatten)]
    pub rule: GridRule,
}

impl PriceGrid {
    /// Every multiple of `tick` is valid.
    #[must_use]
    pub const fn fixed(tick: Decimal) -> Self {
        Self { version: 0, tick, rule: GridRule::Fixed }
    }

    /// The step in ticks that applies at `price`.
    #[must_use]
    pub fn step_at(&self, price: Ticks) -> i64 {
        match &self.rule {
            GridRule::Fixed => 1,
            GridRule::Tiers { steps } => {
                steps.iter().rev().find(|(from, _)| price.0 >= *from).map_or(1, |(_, step)| *step)
            }
            GridRule::SignificantDigits { digits } => self.digits_step(price, *digits),
        }
    }

    fn digits_step(&self, price: Ticks, digits: u8) -> i64 {
        let mut step = 1_i64;
        let mut scaled = price.0.unsigned_abs();
        while scaled >= 10_u64.pow(u32::from(digits)) {
            scaled /= 10;
            step = step.saturating_mul(10);
        }
        // A whole number of the quote unit is valid however many digits it has.
        match Decimal::ONE.count_of(self.tick) {
            Some(unit) if unit < step => unit,
            _ => step,
        }
    }

    /// Whether a price is valid.
    #[must_use]
    pub fn is_valid(&self, price: Ticks) -> bool {
        price.0 % self.step_at(price) == 0
    }

    /// The highest valid price that is not above `price`.
    #[must_use]
    pub fn floor(&self, price: Ticks) -> Ticks {
        Ticks(price.0 - price.0.rem_euclid(self.step_at(price)))
    }

    /// The lowest valid price that is not below `price`.
    #[must_use]
    pub fn ceil(&self, price: Ticks) -> Ticks {
        let floor = self.floor(price);
        if floor == price {
            return price;
        }
        // The next step may lie in the next tier, whose grid is coarser.
        let up = Ticks(floor.0 + self.step_at(floor).max(1));
        let step = self.step_at(up);
        Ticks(up.0 + (-up.0).rem_euclid(step))
    }
}

/// One bracket of the maintenance margin of a derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarginTier {
    /// Notional up to which the tier applies; `None` for no bound.
    pub notional_cap: Option<Decimal>,
    /// Maintenance margin rate.
    pub maintenance_rate: Decimal,
    /// Highest leverage in the tier.
    pub max_leverage: u32,
}

/// Something that trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The venue's symbol, such as `BTCUSDT`.
    pub symbol: String,
    /// The venue, such as `binance_usdm`.
    pub venue: String,
    /// Spot, perpetual, future.
    pub kind: InstrumentKind,
    /// Base currency.
    pub base: String,
    /// Quote currency.
    pub quote: String,
    /// Versions of the price grid, oldest first; all share one tick.
    pub grids: Vec<PriceGrid>,
    /// Quantity of one lot.
    pub lot: Decimal,
    /// Contract multiplier: base per contract (linear), quote per contract (inverse), 1 for spot.
    pub multiplier: Decimal,
    /// Smallest order, in lots.
    #[serde(default = "one_lot")]
    pub min_qty: Lots,
    /// Largest order, in lots; zero for no bound.
    #[serde(default)]
    pub max_qty: Lots,
    /// Smallest order value in quote; zero for none.
    #[serde(default)]
    pub min_notional: Decimal,
    /// Maker fee as a fraction of notional; negative is a rebate.
    #[serde(default)]
    pub maker_fee: Decimal,
    /// Taker fee as a fraction of notional.
    #[serde(default)]
    pub taker_fee: Decimal,
    /// Maintenance margin, smallest bracket first; empty when not margined or unknown.
    #[serde(default)]
    pub margin_tiers: Vec<MarginTier>,
}

const fn one_lot() -> Lots {
    Lots(1)
}

impl Instrument {
    /// The finest price increment.
    #[must_use]
    pub fn tick(&self) -> Decimal {
        self.grids[0].tick
    }

    /// The newest price grid.
    #[must_use]
    pub fn grid(&self) -> &PriceGrid {
        &self.grids[self.grids.len() - 1]
    }

    /// The currency that profit and fees are settled in.
    #[must_use]
    pub fn settle(&self) -> &str {
        if self.kind.is_inverse() {
            &self.base
        } else {
            &self.quote
        }
    }

    /// Money quanta in one tick of one lot (linear and spot): tick x lot x multiplier, exactly.
    ///
    /// # Errors
    /// When the product has more than 17 decimal places, so that half a tick would not be exact.
    pub fn tick_value(&self) -> Result<i128> {
        let (tick, lot, multiplier) = (self.tick(), self.lot, self.multiplier);
        let scale = tick.scale() + lot.scale() + multiplier.scale();
        let mantissa = i128::from(tick.mantissa())
            .checked_mul(i128::from(lot.mantissa()))
            .and_then(|m| m.checked_mul(i128::from(multiplier.mantissa())));
        let value = mantissa
            .filter(|_| scale < MONEY_DECIMALS)
            .and_then(|m| m.checked_mul(10_i128.pow(u32::from(MONEY_DECIMALS - scale))));
        value.ok_or_else(|| {
            Error::new(
                ErrorKind::Value,
                format!(
                    "{}: tick {tick} x lot {lot} x multiplier {multiplier} needs more than {} decimals",
                    self.symbol,
                    MONEY_DECIMALS - 1
                ),
            )
        })
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// Names the first part that is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: &str| {
            Err(Error::new(ErrorKind::Value, format!("instrument {}: {what}", self.symbol)))
        };
        if self.symbol.is_empty() {
            return wrong("the symbol is empty");
        }
        if self.grids.is_empty() {
            return wrong("there is no price grid");
        }
        if self.grids.iter().any(|g| g.tick.mantissa() <= 0 || g.tick != self.tick()) {
            return wrong("every version of the price grid needs the same positive tick");
        }
        if self.lot.mantissa() <= 0 {
            return wrong("the lot must be positive");
        }
        if self.multiplier.mantissa() <= 0 {
            return wrong("the multiplier must be positive");
        }
        if !self.kind.is_inverse() {
            self.tick_value()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(rule: GridRule) -> PriceGrid {
        PriceGrid { version: 0, tick: "0.001".parse().unwrap(), rule }
    }

    #[test]
    fn tiers_round_within_and_across_their_edges() {
        let g = grid(GridRule::Tiers { steps: vec![(0, 1), (1_000, 5), (10_000, 50)] });
        assert_eq!(g.floor(Ticks(1_007)), Ticks(1_005));
        assert_eq!(g.ceil(Ticks(1_007)), Ticks(1_010));
        assert_eq!(g.ceil(Ticks(9_998)), Ticks(10_000));
        assert_eq!(g.ceil(Ticks(10_001)), Ticks(10_050));
        assert!(g.is_valid(Ticks(999)) && !g.is_valid(Ticks(1_001)));
    }

    #[test]
    fn significant_digits_leave_whole_units_valid() {
        let g = grid(GridRule::SignificantDigits { digits: 5 });
        assert!(g.is_valid(Ticks(12_345)));
        assert!(!g.is_valid(Ticks(123_456)));
        assert!(g.is_valid(Ticks(123_450)));
        assert!(g.is_valid(Ticks(1_234_567_000)), "1234567 is a whole number");
        assert!(!g.is_valid(Ticks(1_234_567_500)));
    }
}
