//! Variance realised by a path of prices, and what of it is noise.

use std::f64::consts::FRAC_PI_2;

use mainspring_core::error::Result;

use super::value_error;

/// Realised measures of one path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealizedMeasures {
    /// Sum of squared log returns.
    pub variance: f64,
    /// Bipower variation, which jumps do not enter (Barndorff-Nielsen and Shephard 2004).
    pub bipower: f64,
    /// The same with the factor n / (n - 1) of short samples.
    pub bipower_scaled: f64,
    /// Mean realised variance of the `k` subsampled grids.
    pub subsampled: f64,
    /// Mean number of returns in a subsampled grid.
    pub returns_per_grid: f64,
    /// Two-scale variance (Zhang, Mykland and Ait-Sahalia 2005), free of noise; may come out
    /// below zero in short samples.
    pub two_scale: f64,
    /// The same with the factor of short samples.
    pub two_scale_adjusted: f64,
    /// Variance of the noise on each log price.
    pub noise_variance: f64,
}

impl RealizedMeasures {
    /// The adjusted two-scale variance, and whether it had to be raised to zero.
    #[must_use]
    pub fn floored(&self) -> (f64, bool) {
        (self.two_scale_adjusted.max(0.0), self.two_scale_adjusted < 0.0)
    }
}

/// Realised measures of successive prices, with `k` subsampled grids (about `n^(2/3)`).
///
/// # Errors
/// When a price is not positive, `k` is under two, or there are not more than `k` returns.
pub fn realized_measures(prices: &[f64], k: usize) -> Result<RealizedMeasures> {
    if prices.iter().any(|p| !(*p > 0.0 && p.is_finite())) {
        return Err(value_error("realised variance needs positive prices"));
    }
    if k < 2 || prices.len() < k + 2 {
        return Err(value_error(format!(
            "two-scale variance with {k} grids needs at least two grids and more than {k} returns, \
             there are {}",
            prices.len().saturating_sub(1)
        )));
    }
    let logs: Vec<f64> = prices.iter().map(|p| libm::log(*p)).collect();
    let squared_steps =
        |lag: usize| logs.iter().zip(&logs[lag..]).map(|(a, b)| (b - a) * (b - a)).sum::<f64>();
    let steps = logs.windows(3).map(|w| (w[1] - w[0]).abs() * (w[2] - w[1]).abs());
    let bipower = FRAC_PI_2 * steps.sum::<f64>();
    let n = (logs.len() - 1) as f64;
    let variance = squared_steps(1);
    let subsampled = squared_steps(k) / k as f64;
    let returns_per_grid = (n - k as f64 + 1.0) / k as f64;
    let two_scale = subsampled - returns_per_grid / n * variance;
    Ok(RealizedMeasures {
        variance,
        bipower,
        bipower_scaled: bipower * n / (n - 1.0),
        subsampled,
        returns_per_grid,
        two_scale,
        two_scale_adjusted: two_scale / (1.0 - returns_per_grid / n),
        noise_variance: variance / (2.0 * n),
    })
}
