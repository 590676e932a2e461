//! Counts in sliding windows, exact: a ring of the last times.

use mainspring_core::TimeNs;
use serde::{Deserialize, Serialize};

use super::limits::Rate;

/// So far in the past that no window reaches it.
const LONG_AGO: TimeNs = TimeNs::MIN / 4;

/// The last `count` times of something, and when the next is allowed: never more than `count` in any
/// window `(t - window, t]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    rate: Rate,
    times: Vec<TimeNs>,
    oldest: usize,
}

impl RateWindow {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, times: vec![LONG_AGO; rate.count.max(1) as usize], oldest: 0 }
    }

    /// From when on one more is within the rate.
    #[inline]
    #[must_use]
    pub fn free_ns(&self) -> TimeNs {
        self.times[self.oldest].saturating_add(self.rate.window_ns)
    }

    /// One more happened.
    #[inline]
    pub fn note(&mut self, now_ns: TimeNs) {
        self.times[self.oldest] = now_ns;
        self.oldest += 1;
        if self.oldest == self.times.len() {
            self.oldest = 0;
        }
    }

    /// How many happened in the window that ends now.
    #[must_use]
    pub fn used(&self, now_ns: TimeNs) -> u32 {
        let from = now_ns.saturating_sub(self.rate.window_ns);
        self.times.iter().filter(|at| **at > from).count() as u32
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The same times under another rate: what is remembered is kept as far as it goes.
    #[must_use]
    pub fn with_rate(&self, rate: Rate) -> Self {
        let mut other = Self::new(rate);
        let count = self.times.len();
        let ordered = (0..count).map(|n| self.times[(self.oldest + n) % count]);
        ordered.filter(|at| *at != LONG_AGO).for_each(|at| other.note(at));
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_ever_holds_more(
            gaps in proptest::collection::vec(0_i64..40, 1..200), count in 1_u32..6, window_ns in 1_i64..100,
        ) {
            let mut window = RateWindow::new(Rate { count, window_ns });
            let mut passed: Vec<i64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                let recent = passed.iter().filter(|at| now - **at < window_ns).count();
                let allowed = recent < count as usize;
                prop_assert_eq!(now >= window.free_ns(), allowed);
                prop_assert_eq!(window.used(now) as usize, recent);
                if allowed {
                    window.note(now);
                    passed.push(now);
                }
            }
        }
    }
}
