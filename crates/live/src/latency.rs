//! How long each stage of the way from a venue's bytes to an order takes.
//!
//! The threads stamp; nothing here is an input of the kernel or part of its records. A histogram has
//! fixed memory and takes a value with one addition, so that it can stay on.

use std::sync::atomic::{AtomicU64, Ordering};

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the system saying that bytes are there to a whole message, decrypted and unframed.
    Socket,
    /// From the message to rows in ticks and lots, in sequence.
    Decode,
    /// From the link's ring to the kernel's hands.
    KernelIn,
    /// In the kernel: book, features, strategy, reconciling, risk, journal; for messages and timers
    /// that led to a request.
    Decision,
    /// From the kernel to the last door and through it.
    Gate,
    /// From the request to signed bytes.
    Encode,
    /// From signed bytes to the system having them.
    Send,
    /// From the system having an order to the venue's first word about it.
    Acknowledge,
    /// From the rows of a message to the system having the order that they led to.
    TickToTrade,
}

impl Stage {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 9] = [
        Self::Socket,
        Self::Decode,
        Self::KernelIn,
        Self::Decision,
        Self::Gate,
        Self::Encode,
        Self::Send,
        Self::Acknowledge,
        Self::TickToTrade,
    ];

    /// Its name in status and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Decode => "decode",
            Self::KernelIn => "kernel_in",
            Self::Decision => "decision",
            Self::Gate => "gate",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Acknowledge => "acknowledge",
            Self::TickToTrade => "tick_to_trade",
        }
    }
}

/// Values under this are counted one by one; above, each doubling has half as many buckets, so that a
/// quantile is off by at most 1/32 of itself.
const LINEAR: u64 = 64;
const PER_OCTAVE: usize = LINEAR as usize / 2;
/// The last bucket also takes everything longer than 2^40 ns, about 18 minutes.
const OCTAVES: usize = 34;
const BUCKETS: usize = LINEAR as usize + OCTAVES * PER_OCTAVE;

/// Counts of durations in ns.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU64]>,
    most: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Self { counts, most: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a duration; one under zero (clocks of two cores) counts as zero.
    #[inline]
    pub fn record(&self, ns: i64) {
        let ns = ns.max(0) as u64;
        self.counts[bucket(ns)].fetch_add(1, Ordering::Relaxed);
        if ns > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(ns, Ordering::Relaxed);
        }
    }

    /// How many were counted, and the quantiles asked for, in ns: each is the upper end of its bucket,
    /// at most the longest duration. All are 0 when nothing was counted.
    #[must_use]
    pub fn quantiles<const N: usize>(&self, wanted: [f64; N]) -> (u64, [u64; N]) {
        let counts: Vec<u64> = self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let most = self.longest();
        let quantile = |share: f64| {
            let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
            let mut seen = 0;
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            found.map_or(0, |at| if at + 1 == BUCKETS { most } else { upper(at).min(most) })
        };
        (total, wanted.map(quantile))
    }

    /// The longest duration, in ns.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.most.store(0, Ordering::Relaxed);
    }
}

#[inline]
const fn bucket(ns: u64) -> usize {
    if ns < LINEAR {
        return ns as usize;
    }
    let octave = (ns.ilog2() - LINEAR.ilog2()) as usize;
    let within = (ns >> (octave + 1)) as usize - PER_OCTAVE;
    let at = LINEAR as usize + octave * PER_OCTAVE + within;
    if at < BUCKETS {
        at
    } else {
        BUCKETS - 1
    }
}

/// The greatest value of a bucket.
const fn upper(bucket: usize) -> u64 {
    if bucket < LINEAR as usize {
        return bucket as u64;
    }
    let octave = (bucket - LINEAR as usize) / PER_OCTAVE;
    let within = (bucket - LINEAR as usize) % PER_OCTAVE;
    (((PER_OCTAVE + within + 1) as u64) << (octave + 1)) - 1
}

/// The histograms of all stages.
#[derive(Debug, Default)]
pub struct Latency {
    stages: [Histogram; Stage::ALL.len()],
}

impl Latency {
    /// Counts a duration of a stage.
    #[inline]
    pub fn record(&self, stage: Stage, ns: i64) {
        self.stages[stage as usize].record(ns);
    }

    /// The histogram of a stage.
    #[must_use]
    pub const fn of(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }

    /// Forgets everything: a warm-up is over.
    pub fn clear(&self) {
        self.stages.iter().for_each(Histogram::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_once_and_within_a_thirty_second() {
        let mut last = 0;
        for ns in (0..5_000).chain((0..3_000).map(|i| 5_000 + i * 366_503_875)) {
            let at = bucket(ns);
            assert!(at >= last && at < BUCKETS, "{ns}: {at} after {last}");
            last = at;
            if at + 1 < BUCKETS {
                assert!(upper(at) >= ns && upper(at) - ns <= ns / 32 + 1, "{ns}: {}", upper(at));
            }
            if at > 0 {
                assert!(upper(at - 1) < ns, "{ns}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantiles([0.5]), (0, [0]));
        // 1, 4, 9, ...: every tenth of a microsecond to a millisecond.
        let mut values: Vec<u64> = (1..=1_000).map(|i| i * i).collect();
        values.iter().for_each(|value| histogram.record(*value as i64));
        values.sort_unstable();
        let shares = [0.01, 0.5, 0.9, 0.99, 1.0];
        let (total, found) = histogram.quantiles(shares);
        assert_eq!((total, histogram.longest()), (1_000, 1_000_000));
        for (share, found) in shares.iter().zip(found) {
            let exact = values[(share * 1_000.0_f64).ceil() as usize - 1];
            assert!(found >= exact && found <= exact + exact / 32 + 1, "{share}: {found} {exact}");
        }
        histogram.record(-5);
        assert_eq!(histogram.quantiles([0.0]).1, [0]);
        histogram.clear();
        assert_eq!(histogram.quantiles([0.5]).0, 0);
    }
}
