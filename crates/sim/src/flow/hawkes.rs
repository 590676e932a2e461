//! Mutually exciting arrivals of limit, cancel and market orders.
//!
//! A multivariate Hawkes process (Hawkes, 1971) whose kernels are sums of exponentials, one a time
//! scale, so that the state is one number a kind and scale and decays in closed form between
//! events (Ogata, 1981). An event of kind `j` has on average `branching[i][j]` direct children of
//! kind `i`; the process is stationary when the spectral radius of that matrix is below one
//! (Bacry, Mastromatteo and Muzy, 2015, section 2.3).

use mainspring_core::{Error, ErrorKind, Result};

/// Number of kinds of arrivals.
pub const KINDS: usize = 6;

/// Number of time scales of a kernel.
pub const SCALES: usize = 3;

/// What arrives. Even numbers act on bids or buy, odd ones on asks or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Arrival {
    /// A buy limit order.
    LimitBid = 0,
    /// A sell limit order.
    LimitAsk = 1,
    /// A resting buy order is cancelled.
    CancelBid = 2,
    /// A resting sell order is cancelled.
    CancelAsk = 3,
    /// A market buy.
    MarketBuy = 4,
    /// A market sell.
    MarketSell = 5,
}

impl Arrival {
    /// All kinds in order of their numbers.
    pub const ALL: [Self; KINDS] = [
        Self::LimitBid,
        Self::LimitAsk,
        Self::CancelBid,
        Self::CancelAsk,
        Self::MarketBuy,
        Self::MarketSell,
    ];
}

/// Mean numbers of direct children, by relation between parent and child; both sides are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excitation {
    /// Market order to market orders of the same direction: order splitting, herding.
    pub market_same: f64,
    /// Market order to market orders of the other direction.
    pub market_opposite: f64,
    /// Market order to limit orders behind it, on its own side.
    pub market_chase: f64,
    /// Market order to limit orders that refill the side it took from.
    pub market_refill: f64,
    /// Market order to cancels on the side it took from.
    pub market_scare: f64,
    /// Limit order to limit orders on the same side.
    pub limit_limit: f64,
    /// Limit order to cancels on the same side.
    pub limit_cancel: f64,
    /// Cancel to limit orders on the same side: replacement.
    pub cancel_limit: f64,
    /// Cancel to cancels on the same side.
    pub cancel_cancel: f64,
}

impl Excitation {
    /// The matrix of direct children, `[child][parent]`.
    #[must_use]
    pub fn branching(&self) -> [[f64; KINDS]; KINDS] {
        let mut matrix = [[0.0; KINDS]; KINDS];
        for side in 0..2 {
            let other = 1 - side;
            let (limit, cancel, market) = (side, 2 + side, 4 + side);
            matrix[market][market] = self.market_same;
            matrix[4 + other][market] = self.market_opposite;
            matrix[limit][market] = self.market_chase;
            matrix[other][market] = self.market_refill;
            matrix[2 + other][market] = self.market_scare;
            matrix[limit][limit] = self.limit_limit;
            matrix[cancel][limit] = self.limit_cancel;
            matrix[limit][cancel] = self.cancel_limit;
            matrix[cancel][cancel] = self.cancel_cancel;
        }
        matrix
    }
}

/// The state of the process.
#[derive(Clone, Debug)]
pub struct Hawkes {
    base: [f64; KINDS],
    decay_per_s: [f64; SCALES],
    /// What an event of a kind adds to the intensities, `[scale][parent][child]`.
    jump: [[[f64; KINDS]; KINDS]; SCALES],
    excited: [[f64; KINDS]; SCALES],
}

impl Hawkes {
    /// A process whose mean rates are `rates` events a second. `scales` gives each time scale's
    /// decay a second and its share of the children.
    ///
    /// # Errors
    /// When the process would not be stationary, or the rates are below what excitation alone gives.
    pub fn new(
        rates: [f64; KINDS],
        excitation: &Excitation,
        scales: [(f64, f64); SCALES],
    ) -> Result<Self> {
        let branching = excitation.branching();
        let radius = spectral_radius(&branching);
        if !radius.is_finite() || radius >= 1.0 {
            return Err(Error::new(
                ErrorKind::Config,
                format!("order flow: branching ratio {radius:.3} is not below 1, so it explodes; lower the excitation"),
            ));
        }
        let mut base = [0.0; KINDS];
        for (kind, row) in branching.iter().enumerate() {
            let children: f64 = row.iter().zip(rates).map(|(n, rate)| n * rate).sum();
            base[kind] = rates[kind] - children;
            if base[kind].is_nan() || base[kind] < 0.0 {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "order flow: {:?} at {} a second is less than the {children:.3} that excitation alone gives",
                        Arrival::ALL[kind], rates[kind]
                    ),
                ));
            }
        }
        let mut jump = [[[0.0; KINDS]; KINDS]; SCALES];
        for (scale, (decay, share)) in scales.iter().enumerate() {
            for parent in 0..KINDS {
                for child in 0..KINDS {
                    jump[scale][parent][child] = branching[child][parent] * share * decay;
                }
            }
        }
        Ok(Self {
            base,
            decay_per_s: scales.map(|(decay, _)| decay),
            jump,
            excited: [[0.0; KINDS]; SCALES],
        })
    }

    /// Lets `dt` seconds pass without an event.
    #[inline]
    pub fn advance(&mut self, dt: f64) {
        for (state, decay) in self.excited.iter_mut().zip(self.decay_per_s) {
            let left = libm::exp(-decay * dt);
            for value in state {
                *value *= left;
            }
        }
    }

    /// Records an event now.
    #[inline]
    pub fn excite(&mut self, kind: Arrival) {
        for (state, jump) in self.excited.iter_mut().zip(&self.jump) {
            for (value, add) in state.iter_mut().zip(&jump[kind as usize]) {
                *value += add;
            }
        }
    }

    /// Intensities a second now, the exogenous part scaled by `factor` of each kind. They only fall
    /// until the next event.
    #[inline]
    #[must_use]
    pub fn intensities(&self, factor: &[f64; KINDS]) -> [f64; KINDS] {
        std::array::from_fn(|kind| {
            let excited: f64 = self.excited.iter().map(|state| state[kind]).sum();
            self.base[kind] * factor[kind] + excited
        })
    }
}

/// The largest eigenvalue of a matrix without negative entries, by power iteration.
fn spectral_radius(matrix: &[[f64; KINDS]; KINDS]) -> f64 {
    let mut vector = [1.0; KINDS];
    let mut radius = 0.0;
    for _ in 0..200 {
        let image: [f64; KINDS] =
            std::array::from_fn(|i| matrix[i].iter().zip(&vector).map(|(a, v)| a * v).sum());
        radius = image.iter().copied().fold(0.0, f64::max);
        if radius <= 0.0 {
            return 0.0;
        }
        vector = image.map(|value| value / radius);
    }
    radius
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::random::Random;

    const QUIET: Excitation = Excitation {
        market_same: 0.5,
        market_opposite: 0.05,
        market_chase: 0.3,
        market_refill: 0.3,
        market_scare: 0.2,
        limit_limit: 0.2,
        limit_cancel: 0.2,
        cancel_limit: 0.2,
        cancel_cancel: 0.1,
    };
    const SCALES_USED: [(f64, f64); SCALES] = [(40.0, 0.4), (2.0, 0.4), (0.2, 0.2)];

    #[test]
    fn an_explosive_matrix_is_refused() {
        let wild = Excitation { market_same: 0.97, market_opposite: 0.05, ..QUIET };
        let error = Hawkes::new([10.0; KINDS], &wild, SCALES_USED).unwrap_err();
        assert!(error.message().contains("branching ratio 1.020"), "{error}");
    }

    #[test]
    fn rates_below_the_excitation_are_refused() {
        let rates = [0.1, 0.1, 5.0, 5.0, 2.0, 2.0];
        let error = Hawkes::new(rates, &QUIET, SCALES_USED).unwrap_err();
        assert!(error.message().contains("LimitBid"), "{error}");
    }

    #[test]
    fn long_run_rates_are_those_asked_for() {
        let rates = [20.0, 20.0, 18.0, 18.0, 2.0, 2.0];
        let mut hawkes = Hawkes::new(rates, &QUIET, SCALES_USED).unwrap();
        let mut random = Random::new(5, 0);
        let (mut now, mut counts) = (0.0, [0.0; KINDS]);
        let span = 3_000.0;
        while now < span {
            let bound: f64 = hawkes.intensities(&[1.0; KINDS]).iter().sum();
            let dt = random.exponential() / bound;
            now += dt;
            hawkes.advance(dt);
            let rates = hawkes.intensities(&[1.0; KINDS]);
            let mut pick = random.uniform() * bound;
            for (kind, rate) in Arrival::ALL.into_iter().zip(rates) {
                if pick < rate {
                    hawkes.excite(kind);
                    counts[kind as usize] += 1.0;
                    break;
                }
                pick -= rate;
            }
        }
        for (count, rate) in counts.iter().zip(rates) {
            assert!(
                (count / span / rate - 1.0).abs() < 0.12,
                "{count} in {span} s, asked {rate}/s"
            );
        }
    }
}
