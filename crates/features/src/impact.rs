//! What trading costs and moves: price impact, implied spread, trade signs, spread components.

use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::order::Side;

fn value_error(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

/// A straight line fitted by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineFit {
    /// Value at zero.
    pub intercept: f64,
    /// Change of price per unit of signed volume: Kyle's lambda.
    pub slope: f64,
    /// Standard error of the slope.
    pub slope_stderr: f64,
    /// Slope over its standard error.
    pub t_stat: f64,
    /// Share of variance explained.
    pub r2: f64,
}

/// Kyle's lambda: least squares of price change on signed volume, with intercept.
///
/// # Errors
/// When the lengths differ, there are fewer than three bars, or the volume does not vary.
pub fn kyle_lambda(signed_volume: &[f64], price_change: &[f64]) -> Result<LineFit> {
    let n = signed_volume.len() as f64;
    if signed_volume.len() != price_change.len() || signed_volume.len() < 3 {
        return Err(value_error("Kyle's lambda needs as many changes as volumes, at least three"));
    }
    let mean_x = signed_volume.iter().sum::<f64>() / n;
    let mean_y = price_change.iter().sum::<f64>() / n;
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (x, y) in signed_volume.iter().zip(price_change) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        sxx += dx * dx;
        sxy += dx * dy;
        syy += dy * dy;
    }
    let does_vary = sxx > 0.0;
    if !does_vary {
        return Err(value_error("Kyle's lambda is not defined: the signed volume does not vary"));
    }
    let slope = sxy / sxx;
    let residual = (syy - slope * sxy).max(0.0);
    let slope_stderr = (residual / (n - 2.0) / sxx).sqrt();
    Ok(LineFit {
        intercept: mean_y - slope * mean_x,
        slope,
        slope_stderr,
        t_stat: slope / slope_stderr,
        r2: 1.0 - residual / syy,
    })
}

/// Covariance of successive price changes, and the spread it implies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RollSpread {
    /// Sample covariance of each change with the one before.
    pub autocovariance: f64,
    /// `2 sqrt(-covariance)`; zero when the covariance is not negative.
    pub spread: f64,
}

/// Spread implied by the bounce of trade prices (Roll 1984).
///
/// # Errors
/// When there are fewer than four prices.
pub fn roll_spread(prices: &[f64]) -> Result<RollSpread> {
    if prices.len() < 4 {
        return Err(value_error("Roll's spread needs at least four prices"));
    }
    let changes: Vec<f64> = prices.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (before, after) = (&changes[..changes.len() - 1], &changes[1..]);
    let n = after.len() as f64;
    let (mean_before, mean_after) = (before.iter().sum::<f64>() / n, after.iter().sum::<f64>() / n);
    let products = before.iter().zip(after).map(|(b, a)| (b - mean_before) * (a - mean_after));
    let autocovariance = products.sum::<f64>() / (n - 1.0);
    Ok(RollSpread { autocovariance, spread: 2.0 * (-autocovariance).max(0.0).sqrt() })
}

/// Signs trades of a feed that does not say who took (Lee and Ready 1991): a price over the mid
/// was bought, under it sold; at the mid the last change of price decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct TradeSigner {
    last_price: Option<f64>,
    last_tick: Option<Side>,
}

impl TradeSigner {
    /// The taker's side, or `None` while nothing tells it. A mid that is NaN leaves it to the
    /// change of price.
    pub fn sign(&mut self, price: f64, mid: f64) -> Option<Side> {
        let direction = |value: f64, from: f64| {
            if value > from {
                Some(Side::Buy)
            } else if value < from {
                Some(Side::Sell)
            } else {
                None
            }
        };
        let tick = self.last_price.and_then(|last| direction(price, last));
        self.last_tick = tick.or(self.last_tick);
        self.last_price = Some(price);
        direction(price, mid).or(self.last_tick)
    }
}

/// A trade with the mid at its time and some time after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeWithMids {
    /// +1 when the taker bought, -1 when it sold.
    pub side: f64,
    /// Trade price.
    pub price: f64,
    /// Mid just before the trade.
    pub mid: f64,
    /// Last mid at or before the horizon.
    pub mid_after: f64,
    /// Quantity.
    pub qty: f64,
}

/// Components of the spread: effective = realized + impact.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SpreadComponents {
    /// `2 D (p - m)`: what the taker paid.
    pub effective: f64,
    /// `2 D (p - m')`: what the maker kept.
    pub realized: f64,
    /// `2 D (m' - m)`: how the market moved.
    pub impact: f64,
}

impl TradeWithMids {
    /// The components of this trade (Huang and Stoll 1996).
    #[must_use]
    pub fn components(&self) -> SpreadComponents {
        SpreadComponents {
            effective: 2.0 * self.side * (self.price - self.mid),
            realized: 2.0 * self.side * (self.price - self.mid_after),
            impact: 2.0 * self.side * (self.mid_after - self.mid),
        }
    }
}

/// Components in basis points of the mid at the trade, weighted by quantity.
///
/// # Errors
/// When there is no quantity.
pub fn weighted_spread_bps(trades: &[TradeWithMids]) -> Result<SpreadComponents> {
    let total: f64 = trades.iter().map(|t| t.qty).sum();
    let is_positive = total > 0.0;
    if !is_positive {
        return Err(value_error("spread components need trades with a quantity"));
    }
    let mut sum = SpreadComponents::default();
    for trade in trades {
        let weight = 1e4 * trade.qty / trade.mid / total;
        let parts = trade.components();
        sum.effective += weight * parts.effective;
        sum.realized += weight * parts.realized;
        sum.impact += weight * parts.impact;
    }
    Ok(sum)
}
