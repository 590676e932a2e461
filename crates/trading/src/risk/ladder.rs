//! What a fall from the peak of equity leads to, rung by rung.

use mainspring_core::limits::{MAX_DRAWDOWN_BPS, SHUTDOWN_DRAWDOWN_BPS};
use mainspring_core::{Error, ErrorKind, Money, Result};
use serde::{Deserialize, Serialize};

/// How far down the ladder an account is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Nothing happened.
    #[default]
    None,
    /// New orders that add to a position are smaller.
    Reduce,
    /// Nothing may add to a position.
    Stop,
    /// Trading is halted and everything is closed.
    Close,
    /// As `Close`, and every strategy is stopped.
    Shutdown,
}

/// Falls from the peak of sampled equity, in basis points. The first two rungs are left when equity
/// recovers; the last two halt, and only a person lifts that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ladder {
    /// From here on new orders are smaller; absent for never.
    pub reduce_bps: Option<u32>,
    /// What is left of a size then, in basis points.
    pub reduce_to_bps: u32,
    /// From here on nothing may add to a position; absent for never.
    pub stop_bps: Option<u32>,
    /// From here on trading is halted and everything is closed.
    pub close_bps: u32,
    /// From here on everything is shut down: a gap went through `close_bps`.
    pub shutdown_bps: u32,
}

impl Default for Ladder {
    /// The build's ceilings and no earlier rung.
    fn default() -> Self {
        Self {
            reduce_bps: None,
            reduce_to_bps: 5_000,
            stop_bps: None,
            close_bps: MAX_DRAWDOWN_BPS,
            shutdown_bps: SHUTDOWN_DRAWDOWN_BPS,
        }
    }
}

impl Ladder {
    /// Every rung: 5 % halves sizes, 10 % stops, 15 % closes, 20 % shuts down.
    #[must_use]
    pub fn full() -> Self {
        Self { reduce_bps: Some(500), stop_bps: Some(1_000), ..Self::default() }
    }

    /// Checks the rungs against each other and the build's ceilings.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if self.close_bps == 0 || self.close_bps > MAX_DRAWDOWN_BPS {
            return wrong(format!(
                "max_drawdown of {} basis points; give 1 to the build's ceiling of {MAX_DRAWDOWN_BPS}",
                self.close_bps
            ));
        }
        if self.shutdown_bps > SHUTDOWN_DRAWDOWN_BPS {
            return wrong(format!(
                "drawdown.shutdown_bps is {}, above the build's ceiling of {SHUTDOWN_DRAWDOWN_BPS}",
                self.shutdown_bps
            ));
        }
        if self.reduce_to_bps == 0 || self.reduce_to_bps > 10_000 {
            return wrong(format!(
                "drawdown.reduce_to_bps is {}; give 1 to 10,000",
                self.reduce_to_bps
            ));
        }
        let rungs = [self.reduce_bps, self.stop_bps, Some(self.close_bps), Some(self.shutdown_bps)];
        let rungs: Vec<u32> = rungs.into_iter().flatten().collect();
        if rungs.windows(2).any(|pair| pair[0] > pair[1]) || rungs.contains(&0) {
            return wrong(format!(
                "the rungs of the drawdown ladder are {rungs:?} basis points; they must grow"
            ));
        }
        Ok(())
    }

    /// The rung at a fall of so many basis points.
    #[must_use]
    pub fn rung(&self, fallen_bps: i128) -> Rung {
        let reached = |rung: Option<u32>| rung.is_some_and(|bps| fallen_bps >= i128::from(bps));
        if reached(Some(self.shutdown_bps)) {
            Rung::Shutdown
        } else if reached(Some(self.close_bps)) {
            Rung::Close
        } else if reached(self.stop_bps) {
            Rung::Stop
        } else if reached(self.reduce_bps) {
            Rung::Reduce
        } else {
            Rung::None
        }
    }

    /// What is left of a size at a rung, in basis points.
    #[must_use]
    pub const fn size_bps(&self, rung: Rung) -> u32 {
        match rung {
            Rung::None => 10_000,
            Rung::Reduce => self.reduce_to_bps,
            Rung::Stop | Rung::Close | Rung::Shutdown => 0,
        }
    }

    /// Whether any fall is borne longer, or sizes are larger, than before.
    #[must_use]
    pub fn is_looser_than(&self, before: &Self) -> bool {
        let looser = |new: Option<u32>, old: Option<u32>| match (new, old) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(new), Some(old)) => new > old,
        };
        looser(self.reduce_bps, before.reduce_bps)
            || looser(self.stop_bps, before.stop_bps)
            || self.close_bps > before.close_bps
            || self.shutdown_bps > before.shutdown_bps
            || (before.reduce_bps.is_some() && self.reduce_to_bps > before.reduce_to_bps)
    }
}

/// The fall of `equity` from `peak` in basis points, rounded down; zero without a positive peak.
#[must_use]
pub fn fallen_bps(peak: Money, equity: Money) -> i128 {
    if peak.0 <= 0 {
        return 0;
    }
    (peak.0 - equity.0) / (peak.0 / 10_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_is_reached_at_its_figure() {
        let ladder = Ladder::full();
        let expected = [
            (499, Rung::None),
            (500, Rung::Reduce),
            (999, Rung::Reduce),
            (1_000, Rung::Stop),
            (1_500, Rung::Close),
            (1_999, Rung::Close),
            (2_000, Rung::Shutdown),
        ];
        for (fallen, rung) in expected {
            assert_eq!(ladder.rung(fallen), rung, "{fallen}");
        }
        assert_eq!(ladder.size_bps(Rung::Reduce), 5_000);
        assert_eq!(ladder.size_bps(Rung::Stop), 0);
    }

    #[test]
    fn ceilings_hold_and_rungs_grow() {
        assert!(Ladder { close_bps: 1_501, ..Ladder::full() }.validate().is_err());
        assert!(Ladder { shutdown_bps: 2_001, ..Ladder::full() }.validate().is_err());
        assert!(Ladder { reduce_bps: Some(1_200), ..Ladder::full() }.validate().is_err());
        assert!(Ladder::full().validate().is_ok() && Ladder::default().validate().is_ok());
    }

    #[test]
    fn a_fall_is_counted_in_basis_points() {
        assert_eq!(fallen_bps(Money(10_000_000), Money(9_500_000)), 500);
        assert_eq!(fallen_bps(Money(0), Money(-5)), 0);
    }
}
