//! Exponentially weighted variance, at regular steps and in event time.

use std::f64::consts::LN_2;

use mainspring_core::error::Result;

use super::value_error;

/// Variance before each return, and after the last: `v' = lambda v + (1 - lambda) r^2`
/// (RiskMetrics 1996). The last value is the forecast for the next return.
///
/// # Errors
/// When `lambda` is not in [0, 1] or `initial` is negative or not finite.
pub fn ewma_variance(returns: &[f64], lambda: f64, initial: f64) -> Result<Vec<f64>> {
    if !((0.0..=1.0).contains(&lambda) && initial >= 0.0 && initial.is_finite()) {
        return Err(value_error(format!(
            "EWMA needs lambda in [0, 1] and a start that is not negative, not {lambda} and {initial}"
        )));
    }
    let mut variance = initial;
    let steps = returns.iter().map(|r| {
        variance = lambda * variance + (1.0 - lambda) * r * r;
        variance
    });
    Ok(std::iter::once(initial).chain(steps).collect())
}

/// Variance per unit of time from returns over spans of any length.
///
/// A return `r` over `dt` is a sample `r^2 / dt` of the rate, with weight
/// `1 - exp(-dt ln 2 / halflife)`: what is as old as the half-life counts half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EwmaRate {
    decay: f64,
    rate: f64,
}

impl EwmaRate {
    /// `halflife` in the unit of time that spans are given in.
    ///
    /// # Errors
    /// When the half-life is not positive and finite.
    pub fn new(halflife: f64, initial_rate: f64) -> Result<Self> {
        if !(halflife > 0.0 && halflife.is_finite()) {
            return Err(value_error(format!("a half-life must be positive, not {halflife}")));
        }
        Ok(Self { decay: LN_2 / halflife, rate: initial_rate })
    }

    /// Adds a return over `dt`, which must not be negative; a span of zero is taken as the limit.
    #[inline]
    pub fn add(&mut self, log_return: f64, dt: f64) {
        let forgotten = self.weight_of(dt);
        // forgotten / dt tends to the decay as dt goes to zero.
        let weight = if dt > 0.0 { forgotten / dt } else { self.decay };
        self.rate = (1.0 - forgotten) * self.rate + weight * log_return * log_return;
    }

    /// The rate now.
    #[inline]
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// The weight of all returns of the last `span` together, in [0, 1): a rate that was started at
    /// zero is divided by it to be free of the start.
    #[inline]
    #[must_use]
    pub fn weight_of(&self, span: f64) -> f64 {
        -libm::expm1(-self.decay * span)
    }

    /// The rate when nothing has moved for `quiet` since the last return.
    #[inline]
    #[must_use]
    pub fn rate_after(&self, quiet: f64) -> f64 {
        self.rate * libm::exp(-self.decay * quiet)
    }
}

/// Variance rate after each return; `dt` and `halflife` in one unit of time.
///
/// # Errors
/// When the lengths differ, a span is negative or the half-life is not positive.
pub fn ewma_variance_irregular(
    returns: &[f64],
    dt: &[f64],
    halflife: f64,
    initial: f64,
) -> Result<Vec<f64>> {
    let are_spans = dt.iter().all(|span| *span >= 0.0);
    if returns.len() != dt.len() || !are_spans {
        return Err(value_error(
            "EWMA in event time needs one span, not negative, for each return",
        ));
    }
    let mut state = EwmaRate::new(halflife, initial)?;
    let steps = returns.iter().zip(dt).map(|(r, span)| {
        state.add(*r, *span);
        state.rate()
    });
    Ok(steps.collect())
}
