//! The accounts of one currency, and conversion between currencies.

use mainspring_core::money::{divide_half_even, QUANTA_PER_UNIT};
use mainspring_core::Money;
use serde::{Deserialize, Serialize};

use crate::fee::FeeOutcome;

/// Balances of one currency in quanta. What enters one account leaves another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Ours.
    pub cash: i128,
    /// Everybody we traded with.
    pub market: i128,
    /// The venue's fees, what rounding left apart.
    pub fee_income: i128,
    /// The venue's funding pool.
    pub funding_pool: i128,
    /// Where deposits came from: their negative.
    pub outside: i128,
    /// What rounding of fees and funding left with us, in units of `10^-9` quantum.
    pub residual: i128,
    /// The same on the venue's side.
    pub venue_residual: i128,
}

impl Accounts {
    /// Moves money from the market to us.
    #[inline]
    pub(super) fn trade(&mut self, to_us: i128) {
        self.cash += to_us;
        self.market -= to_us;
    }

    /// Moves a fee from us to the venue. The exact fee is `fee x 10^9 + residual`: the venue's
    /// claim of the residual stands against ours.
    #[inline]
    pub(super) fn fee(&mut self, fee: FeeOutcome) {
        self.cash -= fee.fee.0;
        self.fee_income += fee.fee.0;
        self.round(fee.residual);
    }

    /// Moves funding from us to the pool.
    pub(super) fn funding(&mut self, payment: FeeOutcome) {
        self.cash -= payment.fee.0;
        self.funding_pool += payment.fee.0;
        self.round(payment.residual);
    }

    /// Brings money in from outside.
    pub(super) fn deposit(&mut self, amount: i128) {
        self.cash += amount;
        self.outside -= amount;
    }

    #[inline]
    fn round(&mut self, residual: i64) {
        self.residual -= i128::from(residual);
        self.venue_residual += i128::from(residual);
    }

    /// The sum over all accounts, in quanta and in units of `10^-9` quantum: both are zero.
    #[must_use]
    pub const fn sum(&self) -> (i128, i128) {
        let whole = self.cash + self.market + self.fee_income + self.funding_pool + self.outside;
        (whole, self.residual + self.venue_residual)
    }

    /// What came in from outside.
    #[must_use]
    pub const fn deposits(&self) -> Money {
        Money(-self.outside)
    }
}

/// `amount` of one currency in another, at `rate` quanta of that for one unit of this, rounded
/// half to even; `None` when it does not fit.
#[must_use]
pub fn convert(amount: Money, rate: i128) -> Option<Money> {
    const HALF: i128 = 1_000_000_000;
    let units = amount.0.div_euclid(QUANTA_PER_UNIT);
    let fraction = amount.0.rem_euclid(QUANTA_PER_UNIT);
    let whole = units.checked_mul(rate)?;
    // fraction x rate / 10^18, in two steps of nine digits that keep the remainder exact.
    let low = (fraction % HALF).checked_mul(rate)?;
    let high = (fraction / HALF).checked_mul(rate)?.checked_add(low.div_euclid(HALF))?;
    let (part, rest) = (high.div_euclid(HALF), high.rem_euclid(HALF));
    let tail = rest * HALF + low.rem_euclid(HALF);
    // Parity decides a tie on the whole result.
    let floor = whole.checked_add(part)?;
    let (up, _) = divide_half_even((floor & 1) * QUANTA_PER_UNIT + tail, QUANTA_PER_UNIT);
    Some(Money(floor - (floor & 1) + up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn conversion_is_half_even_of_the_exact_product(amount in any::<i64>(), rate in 0..i64::MAX) {
            let product = i128::from(amount) * i128::from(rate);
            let expected = divide_half_even(product, QUANTA_PER_UNIT).0;
            prop_assert_eq!(convert(Money(i128::from(amount)), i128::from(rate)), Some(Money(expected)));
        }
    }

    #[test]
    fn large_amounts_convert() {
        // 1,234,567.5 BTC at 61,800.25 USDT.
        let amount = Money(12_345_675 * QUANTA_PER_UNIT / 10);
        let rate = 6_180_025 * QUANTA_PER_UNIT / 100;
        let exact = 12_345_675_i128 * 6_180_025 * (QUANTA_PER_UNIT / 1_000);
        assert_eq!(convert(amount, rate), Some(Money(exact)));
        assert_eq!(convert(Money(-amount.0), rate), Some(Money(-exact)));
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(convert(Money(i128::MAX), i128::MAX), None);
    }
}
