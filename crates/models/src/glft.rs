//! Gueant, Lehalle and Fernandez-Tapia (2013), Dealing with the inventory risk, Mathematics and
//! Financial Economics 7, 477-507: the closed-form approximation of the stationary quotes, with
//! the order size of Gueant (2017), Optimal market making, eqs. 4.6 and 4.7.

use crate::avellaneda_stoikov::fill_risk_distance;
use crate::Distances;

/// Parameters of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Risk aversion, per currency.
    pub gamma: f64,
    /// Volatility, price per square root of time.
    pub sigma: f64,
    /// Fill intensity at distance zero, per time.
    pub a: f64,
    /// Decay of the fill intensity with distance, per price.
    pub k: f64,
    /// Order size in lots.
    pub order_size: f64,
    /// Aversion to the risk of not being filled; `gamma` in the model of 2013, zero for none.
    pub xi: f64,
}

/// Half spread and skew: what the quotes are at any inventory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// `(1/z) ln(1 + z/k)` with `z = xi x order_size`.
    pub c1: f64,
    /// `sqrt(gamma / (2 A order_size k) (1 + z/k)^(k/z + 1))`.
    pub c2: f64,
    /// `c1 + order_size sigma c2 / 2`.
    pub half_spread: f64,
    /// `sigma c2`, the shift of both quotes per lot of inventory.
    pub skew: f64,
}

impl Parameters {
    /// The coefficients; computed once and used at every inventory.
    #[must_use]
    pub fn coefficients(&self) -> Coefficients {
        let z = self.xi * self.order_size;
        let c1 = fill_risk_distance(z, self.k);
        // (1 + z/k)^(k/z + 1) = exp(c1 k) (1 + z/k), which tends to e as z goes to zero.
        let growth = libm::exp(c1 * self.k) * (1.0 + z / self.k);
        let c2 = libm::sqrt(self.gamma / (2.0 * self.a * self.order_size * self.k) * growth);
        Coefficients {
            c1,
            c2,
            half_spread: c1 + self.order_size * self.sigma * c2 / 2.0,
            skew: self.sigma * c2,
        }
    }
}

impl Coefficients {
    /// Distances of the quotes from the reference price for inventory `q`: long shifts both down.
    #[must_use]
    pub fn distances(&self, q: f64) -> Distances {
        Distances { bid: self.half_spread + self.skew * q, ask: self.half_spread - self.skew * q }
    }
}
