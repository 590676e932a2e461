//! Exact sums of decimals.

use mainspring_core::Decimal;

/// The sum; `None` when it does not fit.
#[must_use]
pub fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    let sum = a.to_scale(scale)?.checked_add(b.to_scale(scale)?)?;
    Decimal::new(i64::try_from(sum).ok()?, scale).ok()
}

/// The same with the other sign.
#[must_use]
pub fn negated(value: Decimal) -> Decimal {
    // A decimal's mantissa is read as digits and a sign, so it is never the least integer.
    Decimal::new(value.mantissa().saturating_neg(), value.scale()).unwrap_or_default()
}
