//! How much of a parent order is due: by time, by the market's volume, or all at once.
//!
//! Schedules are cumulative. What is due after each slice is the exact share of the whole, rounded
//! down to the lot, and the last slice is the whole: the error never reaches one lot, and the
//! children add up exactly.

use mainspring_core::{Error, ErrorKind, Lots, Result};
use serde::{Deserialize, Serialize};

/// Most slices of one schedule: one a minute for a day.
pub const MAX_SLICES: usize = 1_440;

/// Participation rates are counted in units of 10^-6.
pub const RATE_UNITS: u32 = 1_000_000;

/// How far a share that is reckoned in floats may fall short of a whole lot and still count as it.
const NEARLY: f64 = 1e-9;

/// A share of the market's volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participation {
    /// The rate in units of 10^-6.
    pub rate_ppm: u32,
    /// Whether the rate is of the total that our own volume is part of; otherwise of that of others.
    pub own_counts: bool,
}

impl Participation {
    /// A rate between zero and one.
    ///
    /// # Errors
    /// When it is not, to six decimals.
    pub fn new(rate: f64, own_counts: bool) -> Result<Self> {
        let units = libm::rint(rate * f64::from(RATE_UNITS));
        let top = if own_counts { RATE_UNITS - 1 } else { RATE_UNITS };
        if !(units >= 1.0 && units <= f64::from(top)) {
            return Err(wrong(format!(
                "a participation rate of {rate}; it is a fraction above 0 and {} 1",
                if own_counts { "below" } else { "at most" }
            )));
        }
        Ok(Self { rate_ppm: units as u32, own_counts })
    }

    /// Whether the rate is in its range.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.rate_ppm > 0
            && (self.rate_ppm < RATE_UNITS || (self.rate_ppm == RATE_UNITS && !self.own_counts))
    }

    /// What we may have traded when others traded `volume`, rounded down.
    #[must_use]
    pub fn allowed(&self, volume: Lots) -> Lots {
        let rate = i128::from(self.rate_ppm);
        let whole = i128::from(RATE_UNITS);
        let of = if self.own_counts { whole - rate } else { whole };
        let lots = i128::from(volume.0.max(0)) * rate / of.max(1);
        Lots(i64::try_from(lots).unwrap_or(i64::MAX))
    }
}

/// How much is due, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// By time: what is due in all once each of equally long slices has begun.
    Slices(Vec<Lots>),
    /// By the market's volume.
    Volume(Participation),
    /// All at once, one child after the other.
    Whole,
}

impl Schedule {
    /// Equal parts.
    ///
    /// # Errors
    /// When there are none or more than [`MAX_SLICES`].
    pub fn even(qty: Lots, slices: usize) -> Result<Self> {
        check_count(slices)?;
        let due = |k: usize| i128::from(qty.0) * (k as i128 + 1) / slices as i128;
        Ok(Self::Slices((0..slices).map(|k| Lots(due(k) as i64)).collect()))
    }

    /// Parts in proportion to weights, such as a volume curve.
    ///
    /// # Errors
    /// When there are none or more than [`MAX_SLICES`], or all are zero.
    pub fn weighted(qty: Lots, weights: &[u64]) -> Result<Self> {
        check_count(weights.len())?;
        let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
        if total == 0 {
            return Err(wrong("every weight of the schedule is zero".into()));
        }
        let qty = qty.0.max(0) as u128;
        let mut sum = 0_u128;
        let due = weights.iter().map(|weight| {
            sum += u128::from(*weight);
            Lots((qty * sum / total) as i64)
        });
        Ok(Self::Slices(due.collect()))
    }

    /// Parts by the share that should be done after each slice, reckoned in floats. What falls short
    /// of a whole lot by rounding of the floats alone counts as whole.
    ///
    /// # Errors
    /// When there are none or more than [`MAX_SLICES`], or the shares do not rise from 0 to 1.
    pub fn by_share(qty: Lots, done: &[f64]) -> Result<Self> {
        check_count(done.len())?;
        let rises = done.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = done[0] >= 0.0 && (done[done.len() - 1] - 1.0).abs() < NEARLY;
        if !rises || !ends {
            return Err(wrong("the shares of a schedule must rise from 0 to 1".into()));
        }
        let lots = qty.0 as f64;
        let due = |share: &f64| {
            let exact = (lots * share).min(lots);
            let nearest = libm::rint(exact);
            let near = (exact - nearest).abs() <= NEARLY * lots.max(1.0);
            Lots(if near { nearest } else { exact.floor() } as i64)
        };
        let mut due: Vec<Lots> = done.iter().map(due).collect();
        due[done.len() - 1] = qty;
        Ok(Self::Slices(due))
    }

    /// The share that is done after each of `slices` when the rest decays with `urgency` (the product
    /// of decay rate and duration) and is nothing at the end: `(1 - e^(-u t)) / (1 - e^(-u))`.
    ///
    /// It is the optimum of Almgren and Chriss for a horizon without end, closed at the duration; the
    /// decay rate is `sqrt(lambda sigma^2 / eta)`.
    #[must_use]
    pub fn front_loaded(urgency: f64, slices: usize) -> Vec<f64> {
        let total = libm::expm1(-urgency);
        let share = |k: usize| {
            let t = (k + 1) as f64 / slices as f64;
            if k + 1 == slices {
                1.0
            } else if total == 0.0 {
                t
            } else {
                libm::expm1(-urgency * t) / total
            }
        };
        (0..slices).map(share).collect()
    }

    /// Number of slices in time; none for the other schedules.
    #[must_use]
    pub fn slices(&self) -> usize {
        match self {
            Self::Slices(due) => due.len(),
            Self::Volume(_) | Self::Whole => 0,
        }
    }

    /// Checks the schedule of a parent of `qty`.
    pub(super) fn check(&self, qty: Lots) -> Result<()> {
        match self {
            Self::Slices(due) => {
                check_count(due.len())?;
                let rises = due.windows(2).all(|pair| pair[0] <= pair[1]);
                if due[0].0 < 0 || !rises || due[due.len() - 1] != qty {
                    return Err(wrong(format!("its slices do not add up to {qty} lots")));
                }
                Ok(())
            }
            Self::Volume(participation) if !participation.is_valid() => {
                Err(wrong(format!("a participation of {} ppm", participation.rate_ppm)))
            }
            Self::Volume(_) | Self::Whole => Ok(()),
        }
    }
}

/// What each slice adds.
pub fn children(due: &[Lots]) -> impl Iterator<Item = Lots> + '_ {
    let before = std::iter::once(Lots::ZERO).chain(due.iter().copied());
    due.iter().zip(before).map(|(now, before)| *now - before)
}

fn check_count(slices: usize) -> Result<()> {
    if slices == 0 || slices > MAX_SLICES {
        return Err(wrong(format!("a schedule of {slices} slices; take 1 to {MAX_SLICES}")));
    }
    Ok(())
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Value, format!("parent order: {what}"))
}
