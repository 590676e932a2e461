//! Stochastic volatility: `y = exp(h/2) e`, `h` a mean-reverting process, with its uncertainty.

use std::f64::consts::PI;

use mainspring_core::error::Result;

use super::value_error;

/// `dh = theta (mu - h) dt + vol_of_vol dW`, observed as returns with variance `exp(h) dt`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticVolatility {
    /// Mean of the log variance rate.
    pub mu: f64,
    /// Speed of reversion per unit of time.
    pub theta: f64,
    /// Standard deviation of the noise of `h` per square root of time.
    pub vol_of_vol: f64,
}

impl StochasticVolatility {
    /// From the discrete form `h' = mu + phi (h - mu) + sigma_eta n` with steps of length one.
    ///
    /// # Errors
    /// When `phi` is not in (0, 1) or `sigma_eta` is not positive.
    pub fn from_autoregression(mu: f64, phi: f64, sigma_eta: f64) -> Result<Self> {
        if !(0.0 < phi && phi < 1.0 && sigma_eta > 0.0 && sigma_eta.is_finite() && mu.is_finite()) {
            return Err(value_error(format!(
                "stochastic volatility needs 0 < phi < 1 and sigma_eta > 0, not {phi} and {sigma_eta}"
            )));
        }
        let theta = -libm::log(phi);
        let vol_of_vol = sigma_eta * (2.0 * theta / (1.0 - phi * phi)).sqrt();
        Ok(Self { mu, theta, vol_of_vol })
    }

    /// Standard deviation of `h` in the long run.
    #[must_use]
    pub fn stationary_sd(&self) -> f64 {
        self.vol_of_vol / (2.0 * self.theta).sqrt()
    }

    /// Factor and noise of the exact step over `dt`.
    fn step(&self, dt: f64) -> (f64, f64) {
        let decay = libm::exp(-self.theta * dt);
        let noise =
            self.vol_of_vol * (-libm::expm1(-2.0 * self.theta * dt) / (2.0 * self.theta)).sqrt();
        (decay, noise)
    }
}

/// Log density of a return `y` over `dt` when the log variance rate is `h`.
#[must_use]
pub fn log_density(y: f64, h: f64, dt: f64) -> f64 {
    -0.5 * (libm::log(2.0 * PI * dt) + h + y * y * libm::exp(-h) / dt)
}

/// Weighted mean and standard deviation.
fn mean_and_sd(values: impl Iterator<Item = f64> + Clone, weights: &[f64]) -> (f64, f64) {
    let mean: f64 = values.clone().zip(weights).map(|(v, w)| v * w).sum();
    let variance: f64 = values.zip(weights).map(|(v, w)| w * (v - mean) * (v - mean)).sum();
    (mean, variance.sqrt())
}

/// What is believed after a return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// Mean of the volatility `exp(h/2)`, per square root of time.
    pub sigma_mean: f64,
    /// Its standard deviation: how sure the filter is.
    pub sigma_sd: f64,
    /// Log of the density that the filter gave this return.
    pub log_likelihood: f64,
    /// Effective number of particles.
    pub effective_particles: f64,
}

/// Updates normalised weights of log variances `h` by a return; returns the belief.
///
/// Weights are kept in logs until the largest is known, so none underflows alone.
pub fn reweigh(h: &[f64], weights: &mut [f64], y: f64, dt: f64) -> Belief {
    weights.iter_mut().zip(h).for_each(|(w, h)| *w = libm::log(*w) + log_density(y, *h, dt));
    let largest = weights.iter().fold(f64::NEG_INFINITY, |most, w| most.max(*w));
    weights.iter_mut().for_each(|w| *w = libm::exp(*w - largest));
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    let effective_particles = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
    let (sigma_mean, sigma_sd) = mean_and_sd(h.iter().map(|h| libm::exp(0.5 * h)), weights);
    Belief { sigma_mean, sigma_sd, log_likelihood: largest + libm::log(total), effective_particles }
}

/// Systematic resampling: for each threshold `(u + j) / n` the first index whose cumulative
/// weight reaches it.
pub fn systematic_indices(weights: &[f64], u: f64, out: &mut [usize]) {
    let n = out.len() as f64;
    let (mut at, mut reached) = (0, weights.first().copied().unwrap_or(0.0));
    for (j, slot) in out.iter_mut().enumerate() {
        let threshold = (u + j as f64) / n;
        while reached < threshold && at + 1 < weights.len() {
            at += 1;
            reached += weights[at];
        }
        *slot = at;
    }
}

/// Bootstrap particle filter in event time, with its own seeded generator.
///
/// One filter is a pure function of seed and returns. With 1,000 particles the volatility is
/// within some 4 %, its standard deviation within 9 %, of the exact filter; with 20,000 within
/// 1 % and 2 %. Nothing is allocated after construction.
#[derive(Clone, Debug)]
pub struct ParticleFilter {
    model: StochasticVolatility,
    h: Vec<f64>,
    weights: Vec<f64>,
    resampled: Vec<f64>,
    indices: Vec<usize>,
    draws: Draws,
    started: bool,
}

impl ParticleFilter {
    /// Particles drawn from the stationary law of `h`.
    ///
    /// # Errors
    /// When there are fewer than two or more than a million particles.
    pub fn new(model: StochasticVolatility, particles: usize, seed: u64) -> Result<Self> {
        if !(2..=1_000_000).contains(&particles) {
            return Err(value_error(format!(
                "a particle filter takes 2 to 1000000 particles, not {particles}"
            )));
        }
        let mut draws = Draws::new(seed);
        let sd = model.stationary_sd();
        let h = (0..particles).map(|_| model.mu + sd * draws.normal()).collect();
        Ok(Self {
            model,
            h,
            weights: vec![1.0 / particles as f64; particles],
            resampled: vec![0.0; particles],
            indices: vec![0; particles],
            draws,
            started: false,
        })
    }

    /// Takes in a return `y` over `dt` (positive) and says what is believed after it.
    pub fn update(&mut self, y: f64, dt: f64) -> Belief {
        if self.started {
            let (decay, noise) = self.model.step(dt);
            for h in &mut self.h {
                *h = self.model.mu + decay * (*h - self.model.mu) + noise * self.draws.normal();
            }
        }
        self.started = true;
        let belief = reweigh(&self.h, &mut self.weights, y, dt);
        if belief.effective_particles < 0.5 * self.h.len() as f64 {
            self.resample();
        }
        belief
    }

    fn resample(&mut self) {
        let u = self.draws.uniform();
        systematic_indices(&self.weights, u, &mut self.indices);
        for (slot, at) in self.resampled.iter_mut().zip(&self.indices) {
            *slot = self.h[*at];
        }
        std::mem::swap(&mut self.h, &mut self.resampled);
        self.weights.fill(1.0 / self.h.len() as f64);
    }
}

/// Normal numbers from a seed: SplitMix64 (Steele, Lea and Flood 2014) and the polar method of
/// Marsaglia. Equal on every machine.
#[derive(Clone, Debug)]
struct Draws {
    state: u64,
    spare: Option<f64>,
}

impl Draws {
    const fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let r2 = x * x + y * y;
            if r2 > 0.0 && r2 < 1.0 {
                let stretch = (-2.0 * libm::log(r2) / r2).sqrt();
                self.spare = Some(y * stretch);
                return x * stretch;
            }
        }
    }
}
