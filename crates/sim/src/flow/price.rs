//! The latent efficient price that the agents react to.
//!
//! A log price driven by a factor common to all instruments and one of its own, with log-normal
//! mean-reverting volatility on two time scales, rare jumps, a daily pattern, and the impact of
//! trades, part of which fades. It moves on a grid of [`GRID_NS`], between whose points it stands.

use mainspring_core::TimeNs;

use super::random::{normal_at, Random};

/// Spacing of the grid on which the price moves.
pub const GRID_NS: i64 = 10_000_000;

const GRID_S: f64 = 0.01;
const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;
const DAY_NS: i64 = 86_400_000_000_000;

/// How the efficient price moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceDynamics {
    /// Volatility of log returns a year, jumps included.
    pub annual_volatility: f64,
    /// Correlation of its diffusion with the common factor.
    pub factor_loading: f64,
    /// Standard deviation of log volatility on the fast and the slow time scale.
    pub log_volatility_sd: [f64; 2],
    /// The two time scales, seconds.
    pub volatility_memory_s: [f64; 2],
    /// Share of the variance that comes in jumps.
    pub jump_share: f64,
    /// Jumps a second.
    pub jump_rate: f64,
    /// Memory of the fading part of the impact, seconds.
    pub impact_memory_s: f64,
    /// Share of a trade's impact that stays.
    pub permanent_share: f64,
}

/// The state of the efficient price, in ticks.
#[derive(Clone, Debug)]
pub struct EfficientPrice {
    dynamics: PriceDynamics,
    first_ticks: f64,
    /// Log of permanent price over first price.
    log_level: f64,
    transient_ticks: f64,
    log_volatility: [f64; 2],
    grid_index: u64,
    factor_key: u64,
    random: Random,
    ticks: f64,
    agitation: f64,
}

impl EfficientPrice {
    /// A price that starts at `first_ticks`. Prices with one `factor_key` share the common factor.
    #[must_use]
    pub fn new(
        dynamics: PriceDynamics,
        first_ticks: f64,
        factor_key: u64,
        mut random: Random,
    ) -> Self {
        let log_volatility = dynamics.log_volatility_sd.map(|sd| sd * random.normal());
        Self {
            dynamics,
            first_ticks,
            log_level: 0.0,
            transient_ticks: 0.0,
            log_volatility,
            grid_index: 0,
            factor_key,
            random,
            ticks: first_ticks,
            agitation: 1.0,
        }
    }

    /// The price in ticks.
    #[inline]
    #[must_use]
    pub const fn ticks(&self) -> f64 {
        self.ticks
    }

    /// Volatility now relative to its mean, the daily pattern included.
    #[inline]
    #[must_use]
    pub const fn agitation(&self) -> f64 {
        self.agitation
    }

    /// Moves to the next grid point, which is at `now`.
    pub fn step(&mut self, now: TimeNs) {
        let d = self.dynamics;
        self.grid_index += 1;
        for ((x, sd), memory) in
            self.log_volatility.iter_mut().zip(d.log_volatility_sd).zip(d.volatility_memory_s)
        {
            let pull = GRID_S / memory;
            *x += -*x * pull + sd * libm::sqrt(2.0 * pull) * self.random.normal();
        }
        let spread_of_log: f64 = d.log_volatility_sd.iter().map(|sd| sd * sd).sum();
        // Centred so that the mean of the variance, not of the log, is what was asked for.
        let wobble = libm::exp(self.log_volatility.iter().sum::<f64>() - spread_of_log);
        self.agitation = wobble * daily_pattern(now);
        let per_root_s = d.annual_volatility / libm::sqrt(SECONDS_PER_YEAR) * self.agitation;
        let common = normal_at(self.factor_key, self.grid_index);
        let own = self.random.normal();
        let shock =
            d.factor_loading * common + libm::sqrt(1.0 - d.factor_loading * d.factor_loading) * own;
        let mut change = per_root_s * libm::sqrt((1.0 - d.jump_share) * GRID_S) * shock;
        if self.random.chance(d.jump_rate * GRID_S) {
            change += per_root_s * libm::sqrt(d.jump_share / d.jump_rate) * self.random.normal();
        }
        // A pull home over days: an hour does not feel it, a year does not run away.
        self.log_level += change - self.log_level * GRID_S / (3.0 * 86_400.0);
        self.transient_ticks -= self.transient_ticks * GRID_S / d.impact_memory_s;
        self.refresh();
    }

    /// A trade pushes the price by this many ticks.
    #[inline]
    pub fn push(&mut self, ticks: f64) {
        let stays = self.dynamics.permanent_share;
        self.log_level += stays * ticks / self.ticks;
        self.transient_ticks += (1.0 - stays) * ticks;
        self.refresh();
    }

    fn refresh(&mut self) {
        self.ticks = self.first_ticks * libm::exp(self.log_level) + self.transient_ticks;
    }
}

/// Activity and volatility by time of day, UTC: highest in the European afternoon, a second crest
/// at midnight; its mean over the day is 1.
#[must_use]
pub fn daily_pattern(now: TimeNs) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let hour = now.rem_euclid(DAY_NS) as f64 / 3.6e12;
    let turn = std::f64::consts::TAU / 24.0;
    1.0 + 0.25 * libm::cos(turn * (hour - 15.0)) + 0.15 * libm::cos(2.0 * turn * (hour - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: PriceDynamics = PriceDynamics {
        annual_volatility: 0.6,
        factor_loading: 0.8,
        log_volatility_sd: [0.0, 0.0],
        volatility_memory_s: [30.0, 1_200.0],
        jump_share: 0.25,
        jump_rate: 0.02,
        impact_memory_s: 10.0,
        permanent_share: 0.5,
    };

    fn log_returns(loading: f64, stream: u64, per: usize, n: usize) -> Vec<f64> {
        let dynamics = PriceDynamics { factor_loading: loading, ..PLAIN };
        let mut price = EfficientPrice::new(dynamics, 6e5, 11, Random::new(1, stream));
        let mut last = price.ticks();
        (0..n)
            .map(|_| {
                // The same time of day at every step: the daily pattern is constant.
                (0..per).for_each(|_| price.step(0));
                let change = (price.ticks() / last).ln();
                last = price.ticks();
                change
            })
            .collect()
    }

    #[test]
    fn volatility_is_the_one_asked_for() {
        let returns = log_returns(0.8, 1, 100, 20_000);
        let variance = returns.iter().map(|r| r * r).sum::<f64>() / 20_000.0;
        let annual = (variance * SECONDS_PER_YEAR).sqrt() / daily_pattern(0);
        assert!((annual / 0.6 - 1.0).abs() < 0.05, "{annual}");
    }

    #[test]
    fn instruments_share_the_factor() {
        let (a, b) = (log_returns(0.9, 1, 100, 10_000), log_returns(0.9, 2, 100, 10_000));
        let product: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        let scale = |r: &[f64]| r.iter().map(|x| x * x).sum::<f64>().sqrt();
        let correlation = product / scale(&a) / scale(&b);
        // 0.81 of the diffusive three quarters of the variance.
        assert!((correlation - 0.61).abs() < 0.06, "{correlation}");
    }

    #[test]
    fn the_daily_pattern_averages_to_one() {
        let mean = (0..1_440).map(|m| daily_pattern(m * 60_000_000_000)).sum::<f64>() / 1_440.0;
        assert!((mean - 1.0).abs() < 1e-9);
    }
}
