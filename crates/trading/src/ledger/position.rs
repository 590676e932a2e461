//! One position at average cost.

use mainspring_core::money::divide_half_even;
use mainspring_core::{Lots, Money, Side, Ticks};
use serde::{Deserialize, Serialize};

use super::contract::Contract;

/// A position and what it has earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Signed quantity.
    pub lots: Lots,
    /// What the open quantity was bought for, signed like `lots`: ticks x lots for spot and linear
    /// contracts, quanta for inverse ones.
    pub cost: i128,
    /// Profit realised, before fees.
    pub realised: Money,
    /// Fees paid; negative when rebates were more.
    pub fees: Money,
    /// Funding received; negative when paid.
    pub funding: Money,
}

impl Position {
    /// Average entry price in ticks, or `None` when flat. For people and models: the ledger
    /// itself only uses `cost`.
    #[must_use]
    pub fn entry_price(&self, contract: &Contract) -> Option<f64> {
        if self.lots.0 == 0 {
            return None;
        }
        let (lots, cost) = (self.lots.0 as f64, self.cost as f64);
        Some(match *contract {
            Contract::Linear { .. } => cost / lots,
            Contract::Inverse { numerator, denominator, .. } => {
                lots * numerator as f64 / (cost * denominator as f64)
            }
        })
    }

    /// Applies a fill of a checked size: closes first, opens with the rest. Returns what closing
    /// realised.
    #[inline]
    pub(super) fn fill(
        &mut self,
        contract: &Contract,
        side: Side,
        price: Ticks,
        qty: Lots,
    ) -> Money {
        let opposite = self.lots.0 * side.sign() < 0;
        let closing = if opposite { Lots(qty.0.min(self.lots.0.abs())) } else { Lots::ZERO };
        let realised =
            if closing.0 > 0 { self.close(contract, side, price, closing) } else { Money::ZERO };
        let opening = qty - closing;
        if opening.0 > 0 {
            let signed = Lots(opening.0 * side.sign());
            self.lots += signed;
            self.cost += opening_cost(contract, price, signed);
        }
        realised
    }

    #[inline]
    fn close(&mut self, contract: &Contract, side: Side, price: Ticks, qty: Lots) -> Money {
        let taken = share(self.cost, qty.0, self.lots.0.abs());
        let paid = opening_cost(contract, price, Lots(qty.0 * side.sign()));
        self.cost -= taken;
        self.lots += Lots(qty.0 * side.sign());
        let realised = Money(match *contract {
            Contract::Linear { tick_value, .. } => -(taken + paid) * tick_value,
            Contract::Inverse { .. } => taken + paid,
        });
        self.realised += realised;
        realised
    }
}

/// What a signed quantity adds to the cost of a position.
#[inline]
fn opening_cost(contract: &Contract, price: Ticks, signed: Lots) -> i128 {
    match contract {
        Contract::Linear { .. } => i128::from(price.0) * i128::from(signed.0),
        Contract::Inverse { .. } => contract.value(price, signed),
    }
}

/// The cost of `part` of `whole` lots, rounded half to even. The product fits for every position
/// that [`Contract::holds`].
#[inline]
fn share(cost: i128, part: i64, whole: i64) -> i128 {
    if part == whole {
        return cost;
    }
    let narrow = i64::try_from(cost).ok().and_then(|cost| cost.checked_mul(part));
    match narrow {
        Some(product) => i128::from(divide_narrow(product, whole)),
        None => divide_half_even(cost * i128::from(part), i128::from(whole)).0,
    }
}

/// [`divide_half_even`] in 64 bits.
#[inline]
fn divide_narrow(numerator: i64, denominator: i64) -> i64 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let other = denominator - rest;
    floor + i64::from(rest > other || (rest == other && floor & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_paths_of_share_are_half_even(
            cost in any::<i128>(), shift in 55_u32..126, whole in 1_i64..1 << 53, part in 1_i64..,
        ) {
            let cost = cost >> shift;
            let part = 1 + (part - 1) % whole;
            let exact = divide_half_even(cost * i128::from(part), i128::from(whole)).0;
            prop_assert_eq!(share(cost, part, whole), exact);
        }
    }
}
