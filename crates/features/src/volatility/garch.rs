//! GARCH(1,1) of Bollerslev (1986).

use std::f64::consts::PI;

use mainspring_core::error::Result;

use super::value_error;

/// `v' = omega + alpha e^2 + beta v` with `e = r - mu`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Garch {
    /// Mean return.
    pub mu: f64,
    /// Constant.
    pub omega: f64,
    /// Weight of the last squared surprise.
    pub alpha: f64,
    /// Weight of the last variance.
    pub beta: f64,
}

/// What a filter over returns gives.
#[derive(Clone, Debug, PartialEq)]
pub struct GarchPath {
    /// Variance of each return, known before it.
    pub variance: Vec<f64>,
    /// Gaussian log-likelihood, constant included.
    pub log_likelihood: f64,
    /// Variance of the next return.
    pub next_variance: f64,
}

impl Garch {
    /// Checks that the variance stays positive and finite.
    ///
    /// # Errors
    /// Unless `omega > 0`, `alpha, beta >= 0` and `alpha + beta < 1`.
    pub fn validate(&self) -> Result<()> {
        let is_stationary = self.alpha >= 0.0 && self.beta >= 0.0 && self.alpha + self.beta < 1.0;
        if self.omega > 0.0 && self.omega.is_finite() && self.mu.is_finite() && is_stationary {
            return Ok(());
        }
        Err(value_error(format!(
            "GARCH needs omega > 0, alpha >= 0, beta >= 0 and alpha + beta < 1, not {self:?}"
        )))
    }

    /// The variance that forecasts tend to.
    #[must_use]
    pub fn unconditional(&self) -> f64 {
        self.omega / (1.0 - self.alpha - self.beta)
    }

    /// Variance through the returns, from `initial` for the first.
    ///
    /// # Errors
    /// As [`Garch::validate`], and when `initial` is not positive.
    pub fn filter(&self, returns: &[f64], initial: f64) -> Result<GarchPath> {
        self.validate()?;
        if !(initial > 0.0 && initial.is_finite()) {
            return Err(value_error(format!(
                "GARCH needs a positive first variance, not {initial}"
            )));
        }
        let mut variance = Vec::with_capacity(returns.len());
        let (log_likelihood, next_variance) = self.walk(returns, initial, |now| variance.push(now));
        Ok(GarchPath { variance, log_likelihood, next_variance })
    }

    /// Gaussian log-likelihood of the returns, constant included.
    pub(crate) fn likelihood(&self, returns: &[f64], initial: f64) -> f64 {
        self.walk(returns, initial, |_| {}).0
    }

    /// Log-likelihood and the variance after the last return; `each` sees every variance.
    fn walk(&self, returns: &[f64], initial: f64, mut each: impl FnMut(f64)) -> (f64, f64) {
        let (mut v, mut log_likelihood) = (initial, 0.0);
        for r in returns {
            let surprise = r - self.mu;
            each(v);
            log_likelihood -= 0.5 * (libm::log(2.0 * PI * v) + surprise * surprise / v);
            v = self.omega + self.alpha * surprise * surprise + self.beta * v;
        }
        (log_likelihood, v)
    }

    /// Forecast of the variance `steps` returns ahead, 1 being the next.
    #[must_use]
    pub fn forecast(&self, next_variance: f64, steps: u32) -> f64 {
        let level = self.unconditional();
        let persistence = libm::pow(self.alpha + self.beta, f64::from(steps.max(1) - 1));
        level + persistence * (next_variance - level)
    }
}
