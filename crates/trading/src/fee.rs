//! Fees of a fill: rate x notional, tiers by traded volume, fixed parts; exact to the last digit.
//!
//! This is the one home of fee arithmetic: the simulated venue and the ledger both use it, the
//! dependency direction being `sim -> trading`.

use mainspring_core::{Decimal, Error, ErrorKind, Instrument, Lots, Money, Result};

/// Rates are counted in units of `10^-RATE_DECIMALS`.
pub const RATE_DECIMALS: u8 = 9;

/// Units of a rate in one (a rate of 100 %).
pub const RATE_UNITS: i128 = 1_000_000_000;

/// What a fill costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeOutcome {
    /// The fee in whole quanta of the settlement currency; positive is a cost.
    pub fee: Money,
    /// What rounding left, in units of `10^-9` quantum: `fee x 10^9 + residual` is the exact fee.
    pub residual: i64,
}

impl FeeOutcome {
    /// No fee.
    pub const NONE: Self = Self { fee: Money::ZERO, residual: 0 };

    /// A fee of whole quanta, as a venue reports it.
    #[must_use]
    pub const fn exact(fee: Money) -> Self {
        Self { fee, residual: 0 }
    }
}

/// `notional x rate`, rounded half to even to the quantum.
///
/// `notional` is in quanta and not negative, `rate` in units of `10^-9`; the caller bounds the
/// notional so that the product fits (see [`crate::ledger::Contract::check_size`]).
#[must_use]
#[inline]
pub fn proportional_fee(notional: i128, rate: i64) -> FeeOutcome {
    let (fee, residual) = divide_by_rate_units(notional * i128::from(rate));
    FeeOutcome { fee: Money(fee), residual }
}

/// `value / 10^9` half to even, and what is left: `quotient * 10^9 + rest == value`.
#[must_use]
#[inline]
pub fn divide_by_rate_units(value: i128) -> (i128, i64) {
    let (quotient, rest) = divide_magnitude(value.unsigned_abs());
    let up = rest * 2 > 1_000_000_000 || (rest * 2 == 1_000_000_000 && quotient & 1 == 1);
    let (quotient, rest) =
        if up { (quotient + 1, rest as i64 - 1_000_000_000) } else { (quotient, rest as i64) };
    // The magnitude of an i128 over 10^9 fits an i128 again.
    let quotient = quotient as i128;
    if value < 0 {
        (-quotient, -rest)
    } else {
        (quotient, rest)
    }
}

/// Long division by `10^9`, 32 bits at a time: four multiplications instead of a library call.
#[inline]
fn divide_magnitude(value: u128) -> (u128, u64) {
    const DIVISOR: u64 = 1_000_000_000;
    let mut quotient = 0_u128;
    let mut rest = 0_u64;
    for shift in [96, 64, 32, 0] {
        let part = (rest << 32) | u64::from((value >> shift) as u32);
        quotient = (quotient << 32) | u128::from(part / DIVISOR);
        rest = part % DIVISOR;
    }
    (quotient, rest)
}

/// A fee rate from decimal text, as a count of `10^-9`.
///
/// # Errors
/// When it is finer than that, or not a fraction of the notional below one.
pub fn rate_units(rate: Decimal) -> Result<i64> {
    let units = rate.to_scale(RATE_DECIMALS).filter(|units| units.abs() < RATE_UNITS);
    units.and_then(|units| i64::try_from(units).ok()).ok_or_else(|| {
        Error::new(
            ErrorKind::Value,
            format!("fee rate {rate}: needs a fraction between -1 and 1 with at most 9 decimals"),
        )
    })
}

/// Maker and taker rates that hold from a traded volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeTier {
    /// Traded notional, in quanta of the settlement currency, from which the tier holds.
    pub from_volume: i128,
    /// Maker rate in units of `10^-9`; negative is a rebate.
    pub maker: i64,
    /// Taker rate in units of `10^-9`.
    pub taker: i64,
}

/// How a venue charges for fills of one instrument.
///
/// A fill is charged by the tier of the volume traded before it; its own notional counts from the
/// next fill on. Build with [`FeeSchedule::flat`] or [`FeeSchedule::tiered`], and the `with_`
/// methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeSchedule {
    tiers: Vec<FeeTier>,
    current: usize,
    volume: i128,
    per_fill: Money,
    per_lot: Money,
}

impl FeeSchedule {
    /// One maker and one taker rate, in units of `10^-9`.
    #[must_use]
    pub fn flat(maker: i64, taker: i64) -> Self {
        let tiers = vec![FeeTier { from_volume: 0, maker, taker }];
        Self { tiers, current: 0, volume: 0, per_fill: Money::ZERO, per_lot: Money::ZERO }
    }

    /// The instrument's own maker and taker rates.
    ///
    /// # Errors
    /// When a rate has more than nine decimals.
    pub fn of(instrument: &Instrument) -> Result<Self> {
        let rate = |r| rate_units(r).map_err(|e| e.at(format!("instrument {}", instrument.symbol)));
        Ok(Self::flat(rate(instrument.maker_fee)?, rate(instrument.taker_fee)?))
    }

    /// A table of tiers, ascending in volume and starting at zero.
    ///
    /// # Errors
    /// When the table is empty, does not start at zero or does not ascend.
    pub fn tiered(tiers: Vec<FeeTier>) -> Result<Self> {
        let starts = tiers.first().is_some_and(|t| t.from_volume == 0);
        if !starts || tiers.windows(2).any(|t| t[0].from_volume >= t[1].from_volume) {
            return Err(Error::new(
                ErrorKind::Config,
                "fee tiers must start at volume 0 and ascend in volume",
            ));
        }
        Ok(Self { tiers, ..Self::flat(0, 0) })
    }

    /// With volume traded before the run began.
    #[must_use]
    pub fn with_volume(mut self, volume: i128) -> Self {
        self.add_volume(volume);
        self
    }

    /// With a fixed fee for each fill and for each lot, on top of the rates.
    #[must_use]
    pub const fn with_fixed(mut self, per_fill: Money, per_lot: Money) -> Self {
        self.per_fill = per_fill;
        self.per_lot = per_lot;
        self
    }

    /// The tier that the next fill is charged by.
    #[must_use]
    pub fn tier(&self) -> FeeTier {
        self.tiers[self.current]
    }

    /// Notional traded so far, in quanta.
    #[must_use]
    pub const fn volume(&self) -> i128 {
        self.volume
    }

    /// What this fill would cost, without counting it.
    #[must_use]
    #[inline]
    pub fn quote(&self, maker: bool, notional: i128, qty: Lots) -> FeeOutcome {
        let tier = self.tier();
        let mut outcome = proportional_fee(notional, if maker { tier.maker } else { tier.taker });
        outcome.fee += self.per_fill;
        outcome.fee += Money(self.per_lot.0 * i128::from(qty.0));
        outcome
    }

    /// Charges a fill of this notional (quanta, not negative) and counts its volume.
    #[must_use]
    #[inline]
    pub fn charge(&mut self, maker: bool, notional: i128, qty: Lots) -> FeeOutcome {
        let outcome = self.quote(maker, notional, qty);
        self.add_volume(notional);
        outcome
    }

    fn add_volume(&mut self, notional: i128) {
        self.volume = self.volume.saturating_add(notional);
        while self.tiers.get(self.current + 1).is_some_and(|t| t.from_volume <= self.volume) {
            self.current += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::money::{divide_half_even, QUANTA_PER_UNIT};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fast_division_equals_the_plain_one(value in any::<i128>(), shift in 0_u32..120) {
            let value = value >> shift;
            let (quotient, rest) = divide_by_rate_units(value);
            prop_assert_eq!((quotient, i128::from(rest)), divide_half_even(value, RATE_UNITS));
        }
    }

    #[test]
    fn a_taker_fee_by_hand() {
        // 0.003 BTC at 61,800.1 is 185.4003 USDT; 0.05 % of it is 0.09270015.
        let notional = 1_854_003 * QUANTA_PER_UNIT / 10_000;
        let outcome = proportional_fee(notional, 500_000);
        assert_eq!(outcome, FeeOutcome::exact(Money(92_700_150_000_000_000)));
    }

    #[test]
    fn what_rounding_leaves_is_kept() {
        // 5 quanta at 0.1 are half a quantum: to even is zero, half a quantum stays.
        assert_eq!(
            proportional_fee(5, 100_000_000),
            FeeOutcome { fee: Money(0), residual: 500_000_000 }
        );
        assert_eq!(
            proportional_fee(15, 100_000_000),
            FeeOutcome { fee: Money(2), residual: -500_000_000 }
        );
        // A rebate mirrors a fee.
        assert_eq!(
            proportional_fee(15, -100_000_000),
            FeeOutcome { fee: Money(-2), residual: 500_000_000 }
        );
    }

    #[test]
    fn the_tier_of_the_volume_before_the_fill_holds() {
        let tiers = vec![
            FeeTier { from_volume: 0, maker: 200_000, taker: 500_000 },
            FeeTier { from_volume: 1_000 * QUANTA_PER_UNIT, maker: -50_000, taker: 400_000 },
        ];
        let mut fees = FeeSchedule::tiered(tiers).unwrap();
        let notional = 1_000 * QUANTA_PER_UNIT;
        assert_eq!(fees.charge(true, notional, Lots(1)).fee, Money(QUANTA_PER_UNIT / 5));
        assert_eq!(fees.charge(true, notional, Lots(1)).fee, Money(-QUANTA_PER_UNIT / 20));
        assert_eq!(fees.volume(), 2_000 * QUANTA_PER_UNIT);
    }

    #[test]
    fn fixed_parts_are_added_per_fill_and_per_lot() {
        let fees = FeeSchedule::flat(0, 100_000).with_fixed(Money(7), Money(3));
        let outcome = fees.quote(false, QUANTA_PER_UNIT, Lots(4));
        assert_eq!(outcome.fee, Money(QUANTA_PER_UNIT / 10_000 + 7 + 12));
    }

    #[test]
    fn bad_tables_and_rates_are_refused() {
        assert!(FeeSchedule::tiered(vec![]).is_err());
        let tier = |from_volume| FeeTier { from_volume, maker: 0, taker: 0 };
        assert!(FeeSchedule::tiered(vec![tier(1)]).is_err());
        assert!(FeeSchedule::tiered(vec![tier(0), tier(5), tier(5)]).is_err());
        assert!(rate_units("0.0000000001".parse().unwrap()).is_err());
        assert!(rate_units("1.5".parse().unwrap()).is_err());
        assert_eq!(rate_units("-0.00005".parse().unwrap()).unwrap(), -50_000);
    }
}
