//! Variance of a bar from its open, high, low and close.

use std::f64::consts::LN_2;

use mainspring_core::error::Result;

use super::value_error;

/// Prices of one bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ohlc {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// Estimates of the variance of log price per bar; multiply by bars per year to annualise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeVariance {
    /// Parkinson (1980): from the range alone.
    pub parkinson: f64,
    /// Garman and Klass (1980).
    pub garman_klass: f64,
    /// Rogers and Satchell (1991): holds with drift.
    pub rogers_satchell: f64,
    /// Yang and Zhang (2000), from three bars on; NaN before.
    pub yang_zhang: YangZhang,
}

/// Yang and Zhang's estimate and its parts; the first bar gives only its close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct YangZhang {
    /// `overnight + k open_close + (1 - k) rogers_satchell`.
    pub variance: f64,
    /// Sample variance of open over the close before.
    pub overnight: f64,
    /// Sample variance of close over open.
    pub open_close: f64,
    /// Rogers-Satchell over the same bars.
    pub rogers_satchell: f64,
    /// Weight of the open-to-close part.
    pub k: f64,
}

/// All estimates over the bars.
///
/// # Errors
/// When there are none, or a bar's high and low do not enclose its open and close.
pub fn ohlc_variance(bars: &[Ohlc]) -> Result<RangeVariance> {
    if bars.is_empty() {
        return Err(value_error("range variance needs at least one bar"));
    }
    if let Some(at) = bars.iter().position(|bar| !is_sound(bar)) {
        return Err(value_error(format!(
            "bar {at} is not possible: low <= open, close <= high must hold, all positive: {:?}",
            bars[at]
        )));
    }
    let n = bars.len() as f64;
    let mean = |of: fn(&Ohlc) -> f64| bars.iter().map(of).sum::<f64>() / n;
    Ok(RangeVariance {
        parkinson: mean(|b| square(libm::log(b.high / b.low))) / (4.0 * LN_2),
        garman_klass: mean(|b| {
            0.5 * square(libm::log(b.high / b.low))
                - (2.0 * LN_2 - 1.0) * square(libm::log(b.close / b.open))
        }),
        rogers_satchell: mean(rogers_satchell),
        yang_zhang: yang_zhang(bars),
    })
}

fn is_sound(bar: &Ohlc) -> bool {
    let inside = |price: f64| bar.low <= price && price <= bar.high;
    bar.low > 0.0 && bar.high.is_finite() && inside(bar.open) && inside(bar.close)
}

fn square(x: f64) -> f64 {
    x * x
}

fn rogers_satchell(bar: &Ohlc) -> f64 {
    libm::log(bar.high / bar.close) * libm::log(bar.high / bar.open)
        + libm::log(bar.low / bar.close) * libm::log(bar.low / bar.open)
}

fn yang_zhang(bars: &[Ohlc]) -> YangZhang {
    let n = bars.len() as f64 - 1.0;
    let overnight = sample_variance(bars.windows(2).map(|w| libm::log(w[1].open / w[0].close)));
    let open_close = sample_variance(bars[1..].iter().map(|b| libm::log(b.close / b.open)));
    let rogers_satchell = bars[1..].iter().map(rogers_satchell).sum::<f64>() / n;
    let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
    let variance = overnight + k * open_close + (1.0 - k) * rogers_satchell;
    YangZhang { variance, overnight, open_close, rogers_satchell, k }
}

/// Variance with n - 1; NaN for fewer than two values.
fn sample_variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    if n < 2.0 {
        return f64::NAN;
    }
    values.map(|v| square(v - mean)).sum::<f64>() / (n - 1.0)
}
