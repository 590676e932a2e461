//! How long to wait before the next try.

use std::time::Duration;

/// Bounds of the waits between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOffConfig {
    /// The first wait is at most this.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
    /// A connection that held this long was a good one: the waits begin anew.
    pub good_after: Duration,
}

impl Default for BackOffConfig {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(30),
            good_after: Duration::from_secs(60),
        }
    }
}

/// Waits that double with every failure, drawn evenly from the upper half of their range, so that many
/// clients that were cut off together do not come back together. The draws come from the seed given.
#[derive(Clone, Debug)]
pub struct BackOff {
    config: BackOffConfig,
    failures: u32,
    draws: Draws,
}

impl BackOff {
    /// No failure yet.
    #[must_use]
    pub const fn new(config: BackOffConfig, seed: u64) -> Self {
        Self { config, failures: 0, draws: Draws(seed) }
    }

    /// A try failed, or a connection ended that had held for `held`: how long to wait.
    pub fn wait(&mut self, held: Duration) -> Duration {
        if held >= self.config.good_after {
            self.failures = 0;
        }
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let most = self.config.first.saturating_mul(doubled).min(self.config.longest);
        self.failures = self.failures.saturating_add(1).min(31);
        let half = most / 2;
        half + half.mul_f64(self.draws.unit())
    }

    /// Tries that failed since the last good connection.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Even draws from a seed: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
struct Draws(u64);

impl Draws {
    /// A number from 0 to just under 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((bits ^ (bits >> 31)) >> 11) as f64) / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every wait lies in the upper half of its range, ranges double up to the longest, a good
        /// connection begins anew, and the same seed gives the same waits.
        #[test]
        fn waits_stay_in_their_range(
            seed: u64,
            first_ms in 1_u64..2_000,
            longest_ms in 1_u64..100_000,
            held_s in prop::collection::vec(0_u64..120, 1..60),
        ) {
            let config = BackOffConfig {
                first: Duration::from_millis(first_ms),
                longest: Duration::from_millis(longest_ms),
                good_after: Duration::from_secs(60),
            };
            let (mut waits, mut again) = (BackOff::new(config, seed), BackOff::new(config, seed));
            let mut most = config.first.min(config.longest);
            for held in held_s.iter().map(|s| Duration::from_secs(*s)) {
                if held >= config.good_after {
                    most = config.first.min(config.longest);
                }
                let wait = waits.wait(held);
                prop_assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
                prop_assert_eq!(wait, again.wait(held));
                most = (most * 2).min(config.longest);
            }
        }
    }

    #[test]
    fn clients_with_different_seeds_come_back_at_different_times() {
        let waits: Vec<Duration> = (0..100)
            .map(|seed| BackOff::new(BackOffConfig::default(), seed).wait(Duration::ZERO))
            .collect();
        let mut distinct = waits.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 95, "{} of 100", distinct.len());
    }
}
