//! The venue's clock, by what it says and how long that took to come.

use std::collections::VecDeque;

use mainspring_core::TimeNs;

/// Measurements kept: the best of them counts.
const KEPT: usize = 8;

/// A measurement is forgotten after so long: clocks drift apart.
const STALE_NS: i64 = 900_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Sample {
    at_ns: TimeNs,
    offset_ns: i64,
    error_ns: i64,
}

/// The offset of a venue's clock from ours. Of several measurements the one with the shortest round
/// trip counts (Mills, RFC 5905, section 10); one that contradicts it shows that a clock was set.
#[derive(Clone, Debug, Default)]
pub struct VenueClock {
    samples: VecDeque<Sample>,
}

impl VenueClock {
    /// Takes a measurement: asked at `sent_ns`, answered at `recv_ns`, both by our clock.
    pub fn measure(&mut self, sent_ns: TimeNs, recv_ns: TimeNs, venue_ns: TimeNs) {
        let error_ns = (recv_ns - sent_ns).max(0) / 2 + 1;
        let offset_ns = venue_ns - (sent_ns + (recv_ns - sent_ns) / 2);
        let sample = Sample { at_ns: recv_ns, offset_ns, error_ns };
        if let Some(best) = self.best() {
            // Venues tell whole milliseconds.
            let apart = (best.offset_ns - offset_ns).abs();
            if apart > best.error_ns + error_ns + 1_000_000 {
                self.samples.clear();
            }
        }
        self.samples.retain(|old| recv_ns - old.at_ns < STALE_NS);
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    fn best(&self) -> Option<Sample> {
        self.samples.iter().copied().min_by_key(|sample| sample.error_ns)
    }

    /// Forgets everything: the venue says that our time is wrong.
    pub fn forget(&mut self) {
        self.samples.clear();
    }

    /// Whether the venue's clock is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.samples.is_empty()
    }

    /// What to add to our time, and half of the round trip it was measured with.
    #[must_use]
    pub fn offset(&self) -> (i64, i64) {
        self.best().map_or((0, 0), |best| (best.offset_ns, best.error_ns))
    }

    /// The venue's time in ms.
    #[must_use]
    pub fn venue_ms(&self, now_ns: TimeNs) -> i64 {
        (now_ns + self.offset().0).div_euclid(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn the_shortest_round_trip_counts_until_a_clock_is_set() {
        let mut clock = VenueClock::default();
        assert!(!clock.is_known());
        clock.measure(0, 100 * MS, 5_050 * MS);
        assert_eq!(clock.offset(), (5_000 * MS, 50 * MS + 1));
        // A quicker answer; the next one took longer and is off within its error.
        clock.measure(1_000 * MS, 1_010 * MS, 6_008 * MS);
        clock.measure(2_000 * MS, 2_080 * MS, 7_070 * MS);
        assert_eq!(clock.offset().0, 5_003 * MS);
        assert_eq!(clock.venue_ms(10 * MS), 5_013);
        // Our clock was set back by ten seconds: old measurements contradict.
        clock.measure(3_000 * MS, 3_060 * MS, 18_030 * MS);
        assert_eq!(clock.offset().0, 15_000 * MS);
    }
}
