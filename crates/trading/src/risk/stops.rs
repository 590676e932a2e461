//! Stops that the engine holds: pure state machines over prices, positions and time.
//!
//! A stop guards one position. It is told of every change of the mid price and of the position, and
//! says once that the position has to be closed. It asks for no clock and keeps all its state in plain
//! values, so that it survives a restart.

use mainspring_core::{DurationNs, Error, ErrorKind, Lots, Money, Result, TimeNs};
use serde::{Deserialize, Serialize};

/// When a position is closed. Distances are in half ticks of the mid price, as `mid2` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopRule {
    /// At a fixed distance against the entry.
    Fixed {
        /// How far.
        distance2: i64,
    },
    /// At a distance from the best price since the entry.
    Trailing {
        /// How far.
        distance2: i64,
    },
    /// At a multiple of the average true range from the best price since the entry; the range is that
    /// of bars of the mid price of this length (Wilder 1978: an average with weight `1 / period`).
    Atr {
        /// Multiple in thousandths.
        multiple_milli: i64,
        /// Bars of the average.
        period: u32,
        /// Length of a bar.
        bar_ns: DurationNs,
    },
    /// At a distance against the entry that is raised by a step for each step gained.
    Step {
        /// How far.
        distance2: i64,
        /// By how much.
        step2: i64,
    },
    /// At a distance against the entry; at the entry itself, plus an offset, once so much is gained.
    BreakEven {
        /// How far.
        distance2: i64,
        /// What has to be gained.
        trigger2: i64,
        /// How far beyond the entry the stop then stands.
        offset2: i64,
    },
    /// So long after the entry, whatever the price.
    Time {
        /// How long.
        after_ns: DurationNs,
    },
    /// When the position has lost this much, in money quanta of its settlement currency.
    Equity {
        /// How much.
        loss: i128,
    },
}

impl StopRule {
    /// Checks that every figure can be.
    ///
    /// # Errors
    /// Names the rule with the figure that is not positive.
    pub fn validate(&self) -> Result<()> {
        let positive = match *self {
            Self::Fixed { distance2 } | Self::Trailing { distance2 } => distance2 > 0,
            Self::Atr { multiple_milli, period, bar_ns } => {
                multiple_milli > 0 && (1..=10_000).contains(&period) && bar_ns > 0
            }
            Self::Step { distance2, step2 } => distance2 > 0 && step2 > 0,
            Self::BreakEven { distance2, trigger2, offset2 } => {
                distance2 > 0 && trigger2 > 0 && (0..trigger2).contains(&offset2)
            }
            Self::Time { after_ns } => after_ns > 0,
            Self::Equity { loss } => loss > 0,
        };
        if positive {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("{self:?}: distances, times and losses must be positive, an offset below its trigger"),
        ))
    }
}

/// The running average true range of the mid price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TrueRange {
    /// Of the bar that runs: its end, high and low; the last close.
    end_ns: TimeNs,
    high: i64,
    low: i64,
    latest: i64,
    close: Option<i64>,
    /// Sum over the first bars, then the average, both times the scale.
    average: i128,
    bars: u32,
}

/// Fixed-point scale of the average.
const SCALE: i128 = 1 << 32;

impl TrueRange {
    fn update(&mut self, now_ns: TimeNs, mid2: i64, period: u32, bar_ns: DurationNs) {
        if self.end_ns == 0 {
            self.begin(now_ns, mid2, bar_ns);
        }
        if now_ns >= self.end_ns {
            let last = self.close.unwrap_or(self.low);
            let range = self.high.max(last) - self.low.min(last);
            self.add(range, period);
            self.close = Some(self.latest);
            self.begin(now_ns, mid2, bar_ns);
        }
        self.high = self.high.max(mid2);
        self.low = self.low.min(mid2);
        self.latest = mid2;
    }

    fn begin(&mut self, now_ns: TimeNs, mid2: i64, bar_ns: DurationNs) {
        self.end_ns = (now_ns.div_euclid(bar_ns) + 1).saturating_mul(bar_ns);
        (self.high, self.low) = (mid2, mid2);
    }

    fn add(&mut self, range: i64, period: u32) {
        let (range, period) = (i128::from(range) * SCALE, i128::from(period));
        self.bars = self.bars.saturating_add(1);
        if i128::from(self.bars) <= period {
            let bars = i128::from(self.bars);
            self.average += (range - self.average) / bars;
        } else {
            self.average += (range - self.average) / period;
        }
    }

    /// The average of at least `period` bars.
    fn value(&self, period: u32) -> Option<i128> {
        (self.bars >= period).then_some(self.average)
    }
}

/// What a stop looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The position.
    pub position: Lots,
    /// Bid plus ask in ticks; [`None`] leaves the price as it was.
    pub mid2: Option<i64>,
    /// What the position would lose if closed now; negative for a gain.
    pub loss: Money,
}

/// A stop at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    rule: StopRule,
    position: Lots,
    entry_ns: TimeNs,
    entry2: i64,
    best2: i64,
    range: TrueRange,
    fired: bool,
}

impl Stop {
    /// A stop that guards nothing yet.
    #[must_use]
    pub const fn new(rule: StopRule) -> Self {
        Self {
            rule,
            position: Lots::ZERO,
            entry_ns: 0,
            entry2: 0,
            best2: 0,
            range: TrueRange {
                end_ns: 0,
                high: 0,
                low: 0,
                latest: 0,
                close: None,
                average: 0,
                bars: 0,
            },
            fired: false,
        }
    }

    /// Its rule.
    #[must_use]
    pub const fn rule(&self) -> &StopRule {
        &self.rule
    }

    /// Whether it said that its position has to be closed, and it is not closed yet.
    #[must_use]
    pub const fn has_fired(&self) -> bool {
        self.fired
    }

    /// The price it stands at, bid plus ask; [`None`] without a position or a price of its own.
    #[must_use]
    pub fn level2(&self) -> Option<i64> {
        if self.position == Lots::ZERO {
            return None;
        }
        let side = self.position.0.signum();
        let gained = (self.best2 - self.entry2) * side;
        let behind = |from: i64, distance: i64| Some(from - side * distance);
        match self.rule {
            StopRule::Fixed { distance2 } => behind(self.entry2, distance2),
            StopRule::Trailing { distance2 } => behind(self.best2, distance2),
            StopRule::Atr { multiple_milli, period, .. } => {
                let range = self.range.value(period)?;
                let distance = range * i128::from(multiple_milli) / (SCALE * 1_000);
                behind(self.best2, i64::try_from(distance).ok()?.max(1))
            }
            StopRule::Step { distance2, step2 } => {
                behind(self.entry2 + side * (gained / step2 * step2), distance2)
            }
            StopRule::BreakEven { trigger2, offset2, .. } if gained >= trigger2 => {
                behind(self.entry2, -offset2)
            }
            StopRule::BreakEven { distance2, .. } => behind(self.entry2, distance2),
            StopRule::Time { .. } | StopRule::Equity { .. } => None,
        }
    }

    /// Something changed. True when the position has to be closed now: once for each position.
    pub fn update(&mut self, now_ns: TimeNs, seen: &Guarded) -> bool {
        if let (Some(mid2), StopRule::Atr { period, bar_ns, .. }) = (seen.mid2, self.rule) {
            self.range.update(now_ns, mid2, period, bar_ns);
        }
        self.follow_position(now_ns, seen);
        if self.position == Lots::ZERO || self.fired {
            return false;
        }
        let side = self.position.0.signum();
        if let Some(mid2) = seen.mid2 {
            if (mid2 - self.best2) * side > 0 {
                self.best2 = mid2;
            }
        }
        let reached = seen
            .mid2
            .is_some_and(|mid2| self.level2().is_some_and(|level2| (mid2 - level2) * side <= 0));
        self.fired = match self.rule {
            StopRule::Time { after_ns } => now_ns.saturating_sub(self.entry_ns) >= after_ns,
            StopRule::Equity { loss } => seen.loss.0 >= loss,
            _ => reached,
        };
        self.fired
    }

    /// A position that is new, or turned, begins anew; one that grows or shrinks does not.
    fn follow_position(&mut self, now_ns: TimeNs, seen: &Guarded) {
        let turned = self.position.0.signum() != seen.position.0.signum();
        if turned {
            let Some(mid2) = seen.mid2 else {
                // Without a price there is no entry yet.
                self.position = Lots::ZERO;
                return;
            };
            (self.entry_ns, self.entry2, self.best2) = (now_ns, mid2, mid2);
            self.fired = false;
        }
        self.position = seen.position;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;

    fn seen(position: i64, mid2: i64) -> Guarded {
        Guarded { position: Lots(position), mid2: Some(mid2), loss: Money::ZERO }
    }

    /// Where in a path of prices the stop of a position fires.
    fn fires(rule: StopRule, position: i64, path: &[i64]) -> Option<usize> {
        let mut stop = Stop::new(rule);
        let at = |n: usize| n as i64 * S;
        path.iter().enumerate().position(|(n, mid2)| stop.update(at(n), &seen(position, *mid2)))
    }

    #[test]
    fn each_rule_fires_where_it_stands_and_mirrored_for_shorts() {
        let path = [1_000, 1_010, 1_025, 1_012, 1_004, 996, 990, 985];
        for (rule, expected) in [
            (StopRule::Fixed { distance2: 10 }, Some(6)),
            (StopRule::Trailing { distance2: 20 }, Some(4)),
            (StopRule::Step { distance2: 10, step2: 10 }, Some(4)),
            (StopRule::BreakEven { distance2: 15, trigger2: 20, offset2: 2 }, Some(5)),
            (StopRule::BreakEven { distance2: 15, trigger2: 30, offset2: 0 }, Some(7)),
            (StopRule::Time { after_ns: 3 * S }, Some(3)),
            (StopRule::Fixed { distance2: 100 }, None),
        ] {
            assert_eq!(fires(rule, 5, &path), expected, "{rule:?}");
            let mirror: Vec<i64> = path.iter().map(|mid2| 2_000 - mid2).collect();
            assert_eq!(fires(rule, -5, &mirror), expected, "short {rule:?}");
        }
    }

    #[test]
    fn the_average_true_range_is_wilders() {
        let mut range = TrueRange::default();
        // Bars of ranges 10, 20 and 30, the next bar opening where the last one closed.
        for (n, mid2) in [1_000, 1_010, 1_000, 1_020, 1_000, 1_030, 1_000].into_iter().enumerate() {
            range.update(n as i64 * S, mid2, 2, 2 * S);
        }
        let value = range.value(2).unwrap();
        assert_eq!(value / SCALE, (15 + 30) / 2, "average of 10 and 20, then half of 30");
    }

    #[test]
    fn a_loss_closes_and_a_turned_position_begins_anew() {
        let mut stop = Stop::new(StopRule::Equity { loss: 100 });
        let losing =
            |position: i64, loss: i128| Guarded { loss: Money(loss), ..seen(position, 1_000) };
        assert!(!stop.update(0, &losing(5, 99)));
        assert!(stop.update(1, &losing(5, 100)));
        assert!(!stop.update(2, &losing(5, 200)), "it is said once");
        assert!(!stop.update(3, &losing(0, 0)));
        assert!(stop.update(4, &losing(-5, 100)), "and again for the next position");
    }

    proptest! {
        #[test]
        fn a_stop_never_moves_against_its_position(
            path in proptest::collection::vec(900_i64..1_100, 2..60), long in any::<bool>(), kind in 0_u8..4,
        ) {
            let rule = match kind {
                0 => StopRule::Fixed { distance2: 30 },
                1 => StopRule::Trailing { distance2: 30 },
                2 => StopRule::Step { distance2: 30, step2: 7 },
                _ => StopRule::BreakEven { distance2: 30, trigger2: 20, offset2: 5 },
            };
            let position = if long { 3 } else { -3 };
            let mut stop = Stop::new(rule);
            let mut last: Option<i64> = None;
            for (n, mid2) in path.iter().enumerate() {
                let fired = stop.update(n as i64, &seen(position, *mid2));
                let level2 = stop.level2().unwrap();
                if let Some(last) = last {
                    prop_assert!((level2 - last) * position >= 0);
                }
                prop_assert_eq!(fired, (mid2 - level2) * position <= 0);
                if fired {
                    break;
                }
                last = Some(level2);
            }
        }

        #[test]
        fn a_stop_goes_on_after_a_restart(
            path in proptest::collection::vec(900_i64..1_100, 2..60), at in 0_usize..60,
        ) {
            let rule = StopRule::Atr { multiple_milli: 1_500, period: 3, bar_ns: 4 };
            let (mut one, mut other) = (Stop::new(rule), Stop::new(rule));
            for (n, mid2) in path.iter().enumerate() {
                if n == at {
                    let text = serde_json::to_string(&other).unwrap();
                    other = serde_json::from_str(&text).unwrap();
                }
                let seen = seen(3, *mid2);
                prop_assert_eq!(one.update(n as i64, &seen), other.update(n as i64, &seen));
            }
            prop_assert_eq!(one, other);
        }
    }
}
