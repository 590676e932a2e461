//! Circuit breakers: what keeps failing is left alone for a while, then tried with one order.

use mainspring_core::{DurationNs, Error, ErrorKind, Result, TimeNs};
use serde::{Deserialize, Serialize};

use super::limits::Rate;
use super::rate::RateWindow;

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerLimits {
    /// Rejects and errors in the window that open it.
    pub max_faults: u32,
    /// The window.
    pub window_ns: DurationNs,
    /// An answer that takes longer is slow; zero when latency does not count.
    pub max_latency_ns: DurationNs,
    /// Slow answers in a row that open it.
    pub max_slow: u32,
    /// How long it stays open; doubled after each probe that fails, up to sixteen times.
    pub cooldown_ns: DurationNs,
    /// Probes in a row that must succeed to close it.
    pub probes: u32,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            max_faults: 5,
            window_ns: 10_000_000_000,
            max_latency_ns: 0,
            max_slow: 10,
            cooldown_ns: 30_000_000_000,
            probes: 1,
        }
    }
}

impl BreakerLimits {
    /// Checks that it can open and close.
    ///
    /// # Errors
    /// Names the first figure that cannot be.
    pub fn validate(&self) -> Result<()> {
        let figures = [
            ("max_faults", i64::from(self.max_faults)),
            ("window_ns", self.window_ns),
            ("max_slow", i64::from(self.max_slow)),
            ("cooldown_ns", self.cooldown_ns),
            ("probes", i64::from(self.probes)),
        ];
        if let Some((name, value)) = figures.into_iter().find(|(_, value)| *value <= 0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("breaker.{name} is {value}; give 1 or more"),
            ));
        }
        if self.max_faults > 1_024 || self.max_latency_ns < 0 {
            return Err(Error::new(
                ErrorKind::Config,
                "breaker: give at most 1024 max_faults and a max_latency_ns of zero or more",
            ));
        }
        Ok(())
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BreakerState {
    /// Orders pass.
    Closed,
    /// Nothing that adds passes before this time.
    Open {
        /// When the first probe may leave.
        until_ns: TimeNs,
    },
    /// One order at a time passes, to see.
    HalfOpen {
        /// Whether it is on its way.
        probing: bool,
        /// How many succeeded so far.
        succeeded: u32,
    },
}

/// A circuit breaker of a venue or a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    limits: BreakerLimits,
    state: BreakerState,
    faults: RateWindow,
    slow: u32,
    failed_probes: u32,
    trips: u64,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(limits: BreakerLimits) -> Self {
        let faults = Rate { count: limits.max_faults, window_ns: limits.window_ns };
        Self {
            limits,
            state: BreakerState::Closed,
            faults: RateWindow::new(faults),
            slow: 0,
            failed_probes: 0,
            trips: 0,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// How often it opened.
    #[must_use]
    pub const fn trips(&self) -> u64 {
        self.trips
    }

    /// Its figures.
    #[must_use]
    pub const fn limits(&self) -> &BreakerLimits {
        &self.limits
    }

    /// Whether an order that adds must wait.
    #[must_use]
    pub const fn refuses(&self) -> bool {
        !matches!(self.state, BreakerState::Closed | BreakerState::HalfOpen { probing: false, .. })
    }

    /// When time alone changes its state; `TimeNs::MAX` for never.
    #[must_use]
    pub const fn next_ns(&self) -> TimeNs {
        match self.state {
            BreakerState::Open { until_ns } => until_ns,
            _ => TimeNs::MAX,
        }
    }

    /// Time went on.
    pub fn advance(&mut self, now_ns: TimeNs) {
        if self.next_ns() <= now_ns {
            self.state = BreakerState::HalfOpen { probing: false, succeeded: 0 };
        }
    }

    /// An order was sent.
    pub fn sent(&mut self, now_ns: TimeNs) {
        self.advance(now_ns);
        if let BreakerState::HalfOpen { probing, .. } = &mut self.state {
            *probing = true;
        }
    }

    /// An order was refused, or an error happened. True when this opened the breaker.
    pub fn failed(&mut self, now_ns: TimeNs) -> bool {
        self.advance(now_ns);
        match self.state {
            BreakerState::Closed => {
                self.faults.note(now_ns);
                if self.faults.used(now_ns) < self.limits.max_faults {
                    return false;
                }
                self.failed_probes = 0;
            }
            BreakerState::HalfOpen { .. } => {
                self.failed_probes = (self.failed_probes + 1).min(4);
            }
            BreakerState::Open { .. } => return false,
        }
        self.open(now_ns);
        true
    }

    /// An order was acknowledged after so long. True when this opened the breaker.
    pub fn answered(&mut self, now_ns: TimeNs, latency_ns: DurationNs) -> bool {
        self.advance(now_ns);
        let late = self.limits.max_latency_ns > 0 && latency_ns > self.limits.max_latency_ns;
        self.slow = if late { self.slow + 1 } else { 0 };
        match &mut self.state {
            BreakerState::Closed if self.slow >= self.limits.max_slow => {
                self.open(now_ns);
                true
            }
            BreakerState::HalfOpen { .. } if late => self.failed(now_ns),
            BreakerState::HalfOpen { probing, succeeded } => {
                *probing = false;
                *succeeded += 1;
                if *succeeded >= self.limits.probes {
                    self.close();
                }
                false
            }
            _ => false,
        }
    }

    fn open(&mut self, now_ns: TimeNs) {
        let wait = self.limits.cooldown_ns.saturating_mul(1 << self.failed_probes);
        self.state = BreakerState::Open { until_ns: now_ns.saturating_add(wait) };
        self.slow = 0;
        self.trips += 1;
    }

    /// A person, or enough probes, found that all is well.
    pub fn close(&mut self) {
        self.state = BreakerState::Closed;
        self.faults = RateWindow::new(self.faults.rate());
        self.slow = 0;
        self.failed_probes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn breaker() -> Breaker {
        Breaker::new(BreakerLimits {
            max_faults: 3,
            window_ns: 10 * S,
            max_latency_ns: S,
            max_slow: 2,
            cooldown_ns: 30 * S,
            probes: 2,
        })
    }

    #[test]
    fn faults_in_the_window_open_it_and_old_ones_do_not_count() {
        let mut b = breaker();
        assert!(!b.failed(0) && !b.failed(S));
        assert!(!b.failed(11 * S), "the first has left the window");
        assert!(!b.failed(12 * S) && b.failed(13 * S));
        assert!(b.refuses());
        assert_eq!(b.state(), BreakerState::Open { until_ns: 43 * S });
    }

    #[test]
    fn one_probe_at_a_time_and_enough_of_them_close_it() {
        let mut b = breaker();
        (0..3).for_each(|n| assert_eq!(b.failed(n), n == 2));
        b.advance(30 * S + 1);
        assert!(b.refuses(), "not yet");
        b.advance(31 * S);
        assert!(!b.refuses());
        b.sent(31 * S);
        assert!(b.refuses(), "the probe is on its way");
        b.answered(31 * S, 10);
        b.sent(32 * S);
        assert!(!b.answered(32 * S, 10));
        assert_eq!(b.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_doubles_the_wait() {
        let mut b = breaker();
        (0..3).for_each(|n| assert_eq!(b.failed(n), n == 2));
        let mut now = 2;
        for factor in [1, 2, 4, 8, 16, 16] {
            let BreakerState::Open { until_ns } = b.state() else { panic!("{b:?}") };
            assert_eq!(until_ns, now + factor * 30 * S);
            now = until_ns;
            b.sent(now);
            assert!(b.failed(now));
        }
        assert_eq!(b.trips(), 7);
    }

    #[test]
    fn a_probe_that_is_answered_late_failed_and_what_fails_while_it_is_open_changes_nothing() {
        let mut b = breaker();
        (0..3).for_each(|n| assert_eq!(b.failed(n), n == 2));
        let before = b.state();
        assert!(!b.failed(S));
        assert_eq!(b.state(), before);
        let now = 31 * S;
        b.sent(now);
        assert!(b.answered(now, 2 * S));
        assert_eq!(b.state(), BreakerState::Open { until_ns: now + 60 * S });
    }

    #[test]
    fn slow_answers_in_a_row_open_it() {
        let mut b = breaker();
        assert!(!b.answered(0, 2 * S) && !b.answered(1, S) && !b.answered(2, 2 * S));
        assert!(b.answered(3, 2 * S));
    }
}
