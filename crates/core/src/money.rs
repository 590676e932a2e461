//! Exact money: a wide integer count of a currency's quantum.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// An amount of one currency in its quanta, `10^-decimals` of a unit ([`MONEY_DECIMALS`]).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Money(pub i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        Self(values.map(|v| v.0).sum())
    }
}

/// Decimal places of every currency's quantum: one part in 10^18 of a unit.
///
/// One scale for all currencies keeps every tick value (tick x lot x multiplier) exact for any
/// instrument whose decimals add up to 17 or less, half ticks included, and leaves room for
/// 10^20 units in an `i128`.
pub const MONEY_DECIMALS: u8 = 18;

/// Quanta in one unit of a currency.
pub const QUANTA_PER_UNIT: i128 = 1_000_000_000_000_000_000;

/// `numerator / denominator` rounded half to even, and the remainder that rounding left:
/// `numerator == quotient * denominator + remainder`.
///
/// # Panics
/// Never for a positive `denominator`; callers pass constants or checked values.
#[must_use]
pub fn divide_half_even(numerator: i128, denominator: i128) -> (i128, i128) {
    debug_assert!(denominator > 0);
    let floor = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator);
    let twice = rest * 2;
    let up = twice > denominator || (twice == denominator && floor % 2 != 0);
    if up {
        (floor + 1, rest - denominator)
    } else {
        (floor, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_goes_to_even_and_the_remainder_balances() {
        for n in -50_i128..50 {
            for d in 1_i128..9 {
                let (q, r) = divide_half_even(n, d);
                assert_eq!(q * d + r, n);
                assert!(r.abs() * 2 <= d);
                if r.abs() * 2 == d {
                    assert_eq!(q % 2, 0, "{n}/{d}");
                }
            }
        }
    }
}
