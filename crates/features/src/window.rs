//! Sums over a trailing span of time in constant memory.

use mainspring_core::units::{DurationNs, TimeNs};

/// Buckets of a window; the window's edge moves in steps of one bucket.
const BUCKETS: usize = 256;

/// Sums of what was added during the trailing window, to a resolution of 1/256 of its length:
/// it holds the current bucket and the 255 whole ones before it.
///
/// Sums of whole numbers (lots) are exact, so nothing drifts however long it runs.
#[derive(Clone, Debug)]
pub(crate) struct TrailingSum {
    buckets: Box<[f64; BUCKETS]>,
    width_ns: DurationNs,
    /// Number of the current bucket since time zero.
    current: i64,
    /// Where the next bucket begins.
    next_ns: TimeNs,
    total: f64,
}

impl TrailingSum {
    pub(crate) fn new(window_ns: DurationNs) -> Self {
        let width_ns = (window_ns / BUCKETS as i64).max(1);
        Self {
            buckets: Box::new([0.0; BUCKETS]),
            width_ns,
            current: i64::MIN,
            next_ns: TimeNs::MIN,
            total: 0.0,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64, now_ns: TimeNs) {
        self.advance(now_ns);
        self.buckets[place(self.current)] += value;
        self.total += value;
    }

    /// Forgets what has left the window. Time that goes back counts as now.
    #[inline]
    fn advance(&mut self, now_ns: TimeNs) {
        if now_ns >= self.next_ns {
            self.expire(now_ns.div_euclid(self.width_ns));
        }
    }

    #[cold]
    fn expire(&mut self, bucket: i64) {
        let passed = bucket.saturating_sub(self.current).min(BUCKETS as i64);
        for n in 0..passed {
            let old = &mut self.buckets[place(bucket - n)];
            self.total -= *old;
            *old = 0.0;
        }
        self.current = bucket;
        self.next_ns = (bucket + 1).saturating_mul(self.width_ns);
    }

    /// Whether anything was ever added.
    #[inline]
    pub(crate) const fn has_begun(&self) -> bool {
        self.current != i64::MIN
    }

    /// The sum in the window that ends now, however long nothing was added.
    #[inline]
    pub(crate) fn total_at(&self, now_ns: TimeNs) -> f64 {
        if now_ns < self.next_ns {
            return self.total;
        }
        let passed = now_ns.div_euclid(self.width_ns).saturating_sub(self.current);
        let expired = |n: i64| self.buckets[place(self.current.wrapping_add(n))];
        self.total - (1..=passed.min(BUCKETS as i64)).map(expired).sum::<f64>()
    }
}

#[inline]
const fn place(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_the_current_bucket_and_the_255_before_it(
            steps in prop::collection::vec((0_i64..3_000, -50_i64..50), 1..300),
            later in 0_i64..4_000,
        ) {
            let window_ns = 2_560;
            let (mut sum, mut all, mut now) = (TrailingSum::new(window_ns), vec![], -5_000_i64);
            for (dt, value) in steps {
                now += dt / 7;
                sum.add(value as f64, now);
                all.push((now.div_euclid(10), value));
                let oldest = now.div_euclid(10) - 255;
                let wanted: i64 = all.iter().filter(|(b, _)| *b >= oldest).map(|(_, v)| v).sum();
                prop_assert!((sum.total_at(now) - wanted as f64).abs() < 1e-9);
                let later = now + later;
                let oldest = later.div_euclid(10) - 255;
                let wanted: i64 = all.iter().filter(|(b, _)| *b >= oldest).map(|(_, v)| v).sum();
                prop_assert!((sum.total_at(later) - wanted as f64).abs() < 1e-9);
            }
        }
    }
}
