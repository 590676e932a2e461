//! Fees in exact money: a rate of the notional, by traded volume if wanted, and fixed parts.

use mainspring_core::decimal::Decimal;
use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::instrument::Instrument;
use mainspring_core::money::{Money, MONEY_DECIMALS};
use mainspring_core::units::Lots;
use serde::{Deserialize, Serialize};

/// Decimal places of a rate: it counts 10^-9.
pub const RATE_DECIMALS: u8 = 9;

const RATE_UNITS: i128 = 1_000_000_000;

/// Rates from a traded volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeTier {
    /// Volume in the settlement currency from which the tier applies.
    pub volume: Decimal,
    /// Maker fee as a fraction of notional; negative is a rebate.
    pub maker: Decimal,
    /// Taker fee as a fraction of notional.
    pub taker: Decimal,
}

/// What a venue charges. Everything left out is the instrument's, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeeSchedule {
    /// Maker fee as a fraction of notional; the instrument's when left out.
    pub maker: Option<Decimal>,
    /// Taker fee as a fraction of notional; the instrument's when left out.
    pub taker: Option<Decimal>,
    /// Rates by traded volume, smallest first; below the first the plain rates apply.
    pub tiers: Vec<FeeTier>,
    /// Charged for each fill, in the settlement currency.
    pub per_fill: Decimal,
    /// Charged for each lot, in the settlement currency.
    pub per_lot: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    from_volume: i128,
    /// In 10^-9: taker, maker.
    rates: [i64; 2],
}

/// A fee and what rounding left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fee {
    /// What is charged; negative is a rebate.
    pub amount: Money,
    /// `notional * rate - rounded part * 10^9`, in 10^-9 quanta: for the residual account.
    pub remainder: i128,
}

/// A fee schedule as integers, ready for use at every fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeModel {
    tiers: Vec<Rates>,
    per_fill: i128,
    per_lot: i128,
}

impl FeeModel {
    /// The schedule for one instrument.
    ///
    /// # Errors
    /// When a rate is finer than 10^-9 or not under 1, an amount is finer than the quantum, or
    /// the tiers are not in order of volume.
    pub fn new(instrument: &Instrument, schedule: &FeeSchedule) -> Result<Self> {
        let plain = FeeTier {
            volume: Decimal::ZERO,
            maker: schedule.maker.unwrap_or(instrument.maker_fee),
            taker: schedule.taker.unwrap_or(instrument.taker_fee),
        };
        let mut tiers = Vec::with_capacity(schedule.tiers.len() + 1);
        for tier in std::iter::once(&plain).chain(&schedule.tiers) {
            let rates = [rate(tier.taker)?, rate(tier.maker)?];
            tiers.push(Rates { from_volume: quanta(tier.volume, "tier volume")?, rates });
        }
        let starts_low = tiers.get(1).is_some_and(|tier| tier.from_volume < 0);
        if starts_low || tiers[1..].windows(2).any(|t| t[1].from_volume <= t[0].from_volume) {
            return Err(wrong("the tiers must be in order of volume, smallest first".to_owned()));
        }
        Ok(Self {
            tiers,
            per_fill: quanta(schedule.per_fill, "per_fill")?,
            per_lot: quanta(schedule.per_lot, "per_lot")?,
        })
    }

    /// The rate in 10^-9 that applies after `volume` was traded.
    #[must_use]
    pub fn rate(&self, maker: bool, volume: Money) -> i64 {
        let above = self.tiers[1..].partition_point(|tier| tier.from_volume <= volume.0);
        self.tiers[above].rates[usize::from(maker)]
    }

    /// The fee of a fill: `notional * rate` rounded half to even to the quantum, and the fixed
    /// parts. `volume` is what was traded before it, in the settlement currency.
    #[must_use]
    pub fn fee(&self, notional: Money, qty: Lots, maker: bool, volume: Money) -> Fee {
        let (share, remainder) = rate_of(notional.0.abs(), self.rate(maker, volume));
        let fixed = self.per_fill + self.per_lot * i128::from(qty.0.abs());
        Fee { amount: Money(share + fixed), remainder }
    }
}

/// `notional * rate * 10^-9` rounded half to even, and the remainder in 10^-9 quanta, without
/// overflow for any amount of money there is.
#[must_use]
pub fn rate_of(notional: i128, rate: i64) -> (i128, i128) {
    let rate = i128::from(rate);
    let (whole, part) = (notional.div_euclid(RATE_UNITS), notional.rem_euclid(RATE_UNITS));
    let floor = whole * rate + (part * rate).div_euclid(RATE_UNITS);
    let rest = (part * rate).rem_euclid(RATE_UNITS);
    let up = 2 * rest > RATE_UNITS || (2 * rest == RATE_UNITS && floor % 2 != 0);
    (floor + i128::from(up), if up { rest - RATE_UNITS } else { rest })
}

fn rate(value: Decimal) -> Result<i64> {
    value
        .to_scale(RATE_DECIMALS)
        .filter(|rate| rate.abs() < RATE_UNITS)
        .and_then(|rate| i64::try_from(rate).ok())
        .ok_or_else(|| {
            wrong(format!(
                "the rate {value} must be a fraction of at most {RATE_DECIMALS} decimals"
            ))
        })
}

fn quanta(value: Decimal, what: &str) -> Result<i128> {
    value
        .to_scale(MONEY_DECIMALS)
        .ok_or_else(|| wrong(format!("{what} {value} has more than {MONEY_DECIMALS} decimals")))
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Config, format!("fees: {what}"))
}
