//! The optimal trajectory of Almgren and Chriss under linear impact.
//!
//! Almgren and Chriss, "Optimal execution of portfolio transactions" (2000), equations 17 to 22.

use mainspring_core::{Error, ErrorKind, Result};

use super::schedule::MAX_SLICES;

/// What the model is asked. Prices are per unit of quantity; time is in the unit of `volatility`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlmgrenChriss {
    /// Quantity to trade, positive (X).
    pub quantity: f64,
    /// Time for it (T).
    pub horizon: f64,
    /// Number of equal trading intervals (N).
    pub slices: usize,
    /// Price volatility per square root of time, in price units (sigma).
    pub volatility: f64,
    /// Fixed cost per unit traded: half the spread and fees (epsilon).
    pub half_spread: f64,
    /// Permanent impact: price per unit traded (gamma).
    pub permanent: f64,
    /// Temporary impact: price per unit of trading rate (eta).
    pub temporary: f64,
    /// Aversion to variance, per unit of cost (lambda); zero trades evenly.
    pub risk_aversion: f64,
}

/// The trajectory and its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Temporary impact less half an interval's permanent impact (eta tilde).
    pub eta_tilde: f64,
    /// lambda sigma^2 / eta tilde.
    pub kappa_tilde_squared: f64,
    /// Urgency, per unit of time (kappa).
    pub kappa: f64,
    /// Time in which the rest falls by a factor e, 1 / kappa; infinite when risk does not count.
    pub half_life: f64,
    /// What is still to trade at each boundary: N + 1 values, from X to 0.
    pub holdings: Vec<f64>,
    /// What is traded in each interval: N values.
    pub trades: Vec<f64>,
    /// Expected cost (E).
    pub expected_cost: f64,
    /// Variance of the cost (V).
    pub variance: f64,
    /// Expected cost plus lambda times variance.
    pub utility: f64,
}

impl AlmgrenChriss {
    /// The trajectory with the least expected cost plus lambda times variance.
    ///
    /// # Errors
    /// When a parameter is not a number or out of its range, or permanent impact outweighs temporary
    /// impact within an interval (eta tilde is not positive), where no optimum exists.
    pub fn trajectory(&self) -> Result<Trajectory> {
        self.check()?;
        let tau = self.horizon / self.slices as f64;
        let eta_tilde = self.temporary - self.permanent * tau / 2.0;
        if eta_tilde <= 0.0 {
            return Err(wrong(&format!(
                "temporary impact {} must exceed half an interval's permanent impact {}; take more slices",
                self.temporary,
                self.permanent * tau / 2.0
            )));
        }
        let variance_rate = self.volatility * self.volatility;
        let kappa_tilde_squared = self.risk_aversion * variance_rate / eta_tilde;
        // arccosh(1 + y) = 2 arcsinh(sqrt(y / 2)), which keeps its digits for small y.
        let y = kappa_tilde_squared * tau * tau / 2.0;
        let kappa = 2.0 * libm::asinh(libm::sqrt(y / 2.0)) / tau;
        let holdings = self.holdings(kappa, tau);
        let trades: Vec<f64> = holdings.windows(2).map(|pair| pair[0] - pair[1]).collect();
        let squares: f64 = trades.iter().map(|n| n * n).sum();
        let held: f64 = holdings[1..].iter().map(|x| x * x).sum();
        let traded: f64 = trades.iter().map(|n| n.abs()).sum();
        let expected_cost = self.permanent * self.quantity * self.quantity / 2.0
            + self.half_spread * traded
            + eta_tilde / tau * squares;
        let variance = variance_rate * tau * held;
        Ok(Trajectory {
            eta_tilde,
            kappa_tilde_squared,
            kappa,
            half_life: 1.0 / kappa,
            holdings,
            trades,
            expected_cost,
            variance,
            utility: expected_cost + self.risk_aversion * variance,
        })
    }

    /// X sinh(kappa (T - t)) / sinh(kappa T) at each boundary, in a form that does not overflow.
    fn holdings(&self, kappa: f64, tau: f64) -> Vec<f64> {
        let total = libm::expm1(-2.0 * kappa * self.horizon);
        let at = |j: usize| {
            let left = (self.slices - j) as f64 / self.slices as f64;
            if j == self.slices {
                return 0.0;
            }
            // Without urgency the trajectory is a line.
            if total == 0.0 {
                return self.quantity * left;
            }
            let share = libm::expm1(-2.0 * kappa * self.horizon * left) / total;
            self.quantity * libm::exp(-kappa * tau * j as f64) * share
        };
        (0..=self.slices).map(at).collect()
    }

    fn check(&self) -> Result<()> {
        let positive = [
            ("quantity", self.quantity),
            ("horizon", self.horizon),
            ("temporary impact", self.temporary),
        ];
        if let Some((name, value)) = positive.iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
            return Err(wrong(&format!("{name} is {value}; it must be positive")));
        }
        let not_negative = [
            ("volatility", self.volatility),
            ("half spread", self.half_spread),
            ("permanent impact", self.permanent),
            ("risk aversion", self.risk_aversion),
        ];
        if let Some((name, value)) = not_negative.iter().find(|(_, v)| !v.is_finite() || *v < 0.0) {
            return Err(wrong(&format!("{name} is {value}; it must not be negative")));
        }
        if self.slices == 0 || self.slices > MAX_SLICES {
            return Err(wrong(&format!("{} slices; take 1 to {MAX_SLICES}", self.slices)));
        }
        Ok(())
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Value, format!("Almgren-Chriss: {what}"))
}
