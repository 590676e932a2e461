//! Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative
//! Finance 8(3), 217-224: the journal version, whose spread has the term `gamma sigma^2 (T - t)`.

use crate::Distances;

/// Risk aversion below which the limit of zero is taken, relative to `k`.
const NEARLY_ZERO: f64 = 1e-12;

/// Parameters of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Risk aversion, per currency.
    pub gamma: f64,
    /// Volatility, price per square root of time.
    pub sigma: f64,
    /// Decay of the fill intensity with distance, per price.
    pub k: f64,
}

/// `(1/gamma) ln(1 + gamma/k)`, with its limit `1/k` as gamma goes to zero.
#[must_use]
pub fn fill_risk_distance(gamma: f64, k: f64) -> f64 {
    if gamma < NEARLY_ZERO * k {
        1.0 / k
    } else {
        libm::log1p(gamma / k) / gamma
    }
}

impl Parameters {
    /// Reservation price less mid for inventory `q` (eq. 3.3): `-q gamma sigma^2 (T - t)`.
    #[must_use]
    pub fn reservation_shift(&self, q: f64, time_left: f64) -> f64 {
        -q * self.gamma * self.sigma * self.sigma * time_left
    }

    /// Reservation ask and bid less mid (eqs. 2.6 and 2.7): `(+-1 - 2q) gamma sigma^2 (T - t) / 2`.
    #[must_use]
    pub fn reservation_quotes(&self, q: f64, time_left: f64) -> (f64, f64) {
        let unit = self.gamma * self.sigma * self.sigma * time_left / 2.0;
        ((1.0 - 2.0 * q) * unit, (-1.0 - 2.0 * q) * unit)
    }

    /// Optimal total spread (eq. 3.12): `gamma sigma^2 (T - t) + (2/gamma) ln(1 + gamma/k)`.
    #[must_use]
    pub fn spread(&self, time_left: f64) -> f64 {
        self.gamma * self.sigma * self.sigma * time_left
            + 2.0 * fill_risk_distance(self.gamma, self.k)
    }

    /// Distances of the optimal quotes from the mid price for inventory `q`.
    #[must_use]
    pub fn distances(&self, q: f64, time_left: f64) -> Distances {
        let shift = self.reservation_shift(q, time_left);
        let half = self.spread(time_left) / 2.0;
        Distances { bid: half - shift, ask: half + shift }
    }
}

/// Reservation ask and bid less mid with an infinite horizon and inventory bound `q_max`
/// (section 2.4, with `omega = gamma^2 sigma^2 (q_max + 1)^2 / 2`). At the bounds the side that
/// would pass them is infinite: quote the other one only.
#[must_use]
pub fn infinite_horizon(gamma: f64, sigma: f64, q_max: f64, q: f64) -> (f64, f64) {
    let variance = gamma * gamma * sigma * sigma;
    let omega = variance * (q_max + 1.0) * (q_max + 1.0) / 2.0;
    let g = variance / (2.0 * omega - variance * q * q);
    let reserve = |direction: f64| {
        let inside = (direction - 2.0 * q) * g;
        if inside <= -1.0 {
            f64::NEG_INFINITY
        } else {
            libm::log1p(inside) / gamma
        }
    };
    let ask = if q <= -q_max { f64::INFINITY } else { reserve(1.0) };
    let bid = if q >= q_max { f64::NEG_INFINITY } else { reserve(-1.0) };
    (ask, bid)
}
