//! Queue position of a resting order: how much of the feed's level stands in front of it.
//!
//! The probability models are those of hftbacktest 2.4.4, by their published formulas.

use mainspring_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// How cancels at our level are split between those in front of us and those behind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModelText", into = "ModelText")]
pub enum QueueModel {
    /// Cancels happen behind us; only trades, and a level smaller than our front, move us.
    RiskAverse,
    /// `b^n / (b^n + f^n)`.
    ProbPower {
        /// The power `n`.
        exponent: f64,
    },
    /// `b^n / (b + f)^n`.
    ProbPowerTotal {
        /// The power `n`.
        exponent: f64,
    },
    /// `1 - (f / (f + b))^n`.
    ProbOneMinusPower {
        /// The power `n`.
        exponent: f64,
    },
    /// `ln(1 + b) / (ln(1 + b) + ln(1 + f))`.
    ProbLog,
    /// `ln(1 + b) / ln(1 + b + f)`.
    ProbLog2,
    /// Order-level data: our order stands in the real queue.
    L3Fifo,
}

impl Default for QueueModel {
    fn default() -> Self {
        Self::ProbPower { exponent: 3.0 }
    }
}

impl QueueModel {
    /// Checks the exponent.
    ///
    /// # Errors
    /// When it is not a positive finite number.
    pub fn validate(&self) -> Result<()> {
        match self.exponent() {
            Some(n) if !(n.is_finite() && n > 0.0) => Err(Error::new(
                ErrorKind::Config,
                format!("queue model: the exponent is {n}; give a positive number such as 3"),
            )),
            _ => Ok(()),
        }
    }

    /// The power of the power models.
    #[must_use]
    pub const fn exponent(&self) -> Option<f64> {
        match self {
            Self::ProbPower { exponent }
            | Self::ProbPowerTotal { exponent }
            | Self::ProbOneMinusPower { exponent } => Some(*exponent),
            _ => None,
        }
    }

    /// The share of a decrease that happened behind us, with `front` ahead and `back` behind.
    ///
    /// A value that is not finite (an empty level) counts as 1. The log models are not free of
    /// scale: `unit` is what one of `front` and `back` is in units of the base.
    #[inline]
    #[must_use]
    pub fn probability(&self, front: f64, back: f64, unit: f64) -> f64 {
        let p = self.raw_probability(front, back, unit);
        if p.is_finite() {
            p
        } else {
            1.0
        }
    }

    #[inline]
    fn raw_probability(&self, front: f64, back: f64, unit: f64) -> f64 {
        match *self {
            Self::RiskAverse | Self::L3Fifo => 1.0,
            Self::ProbPower { exponent } => {
                let b = power(back, exponent);
                b / (b + power(front, exponent))
            }
            Self::ProbPowerTotal { exponent } => {
                power(back, exponent) / power(back + front, exponent)
            }
            Self::ProbOneMinusPower { exponent } => 1.0 - power(front / (front + back), exponent),
            Self::ProbLog => prob_log(front * unit, back * unit),
            Self::ProbLog2 => {
                libm::log(1.0 + back * unit) / libm::log(1.0 + back * unit + front * unit)
            }
        }
    }
}

/// `ln(1 + b) / (ln(1 + b) + ln(1 + f))`. With nothing behind us it is zero and with nothing in front
/// it is one, exactly: as often as not, and then without a logarithm.
#[inline]
fn prob_log(front: f64, back: f64) -> f64 {
    let (f, b) = (1.0 + front, 1.0 + back);
    if b.to_bits() == ONE && f > 1.0 {
        return 0.0;
    }
    if f.to_bits() == ONE && b > 1.0 {
        return 1.0;
    }
    let b = libm::log(b);
    b / (b + libm::log(f))
}

const ONE: u64 = 1.0_f64.to_bits();

/// Small whole powers are products: exact to the same bit in every language.
#[inline]
fn power(x: f64, n: f64) -> f64 {
    match n {
        2.0 => x * x,
        3.0 => x * x * x,
        _ => libm::pow(x, n),
    }
}

/// Where an order stands: lots of the feed in front, and lots traded since the level was set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueuePosition {
    /// Feed quantity in front, in lots. Negative when a trade reached through to us.
    pub front: f64,
    /// Traded at our price since the last depth change, which that change must not count again.
    pub traded: f64,
}

impl QueuePosition {
    /// At the back of a level of `shown` lots.
    #[inline]
    #[must_use]
    pub const fn at_back(shown: f64) -> Self {
        Self { front: shown, traded: 0.0 }
    }

    /// A trade of `qty` lots at our price by a taker of the other side.
    #[inline]
    pub fn on_trade(&mut self, qty: f64) {
        self.front -= qty;
        self.traded += qty;
    }

    /// Our level was set from `prev` to `new` lots of `unit` each.
    #[inline]
    pub fn on_depth(&mut self, model: &QueueModel, prev: f64, new: f64, unit: f64) {
        if let Some(change) = self.unexplained(model, prev, new) {
            let back = prev - self.front;
            let p = model.probability(self.front.max(0.0), back, unit);
            self.split(change, back, p, new);
        }
    }

    /// The same with hftbacktest's faults: a queue that went below zero is taken as it is, and
    /// where its logarithm has no value the whole level counts as in front.
    #[inline]
    pub fn on_depth_hft(&mut self, model: &QueueModel, prev: f64, new: f64, unit: f64) {
        if let Some(change) = self.unexplained(model, prev, new) {
            let back = prev - self.front;
            if change == 0.0 && self.front >= 0.0 && back > 0.0 {
                // Nothing to split, and every model has a value here.
                self.front = self.front.min(new);
                return;
            }
            let p = match model {
                QueueModel::ProbLog => prob_log(self.front * unit, back * unit),
                model => model.raw_probability(self.front, back, unit),
            };
            self.split(change, back, if p.is_infinite() { 1.0 } else { p }, new);
        }
    }

    /// What left the level without trading, for a model to split; otherwise the front is settled.
    #[inline]
    fn unexplained(&mut self, model: &QueueModel, prev: f64, new: f64) -> Option<f64> {
        if matches!(model, QueueModel::RiskAverse | QueueModel::L3Fifo) {
            self.front = self.front.min(new);
            return None;
        }
        let change = prev - new - self.traded;
        self.traded = 0.0;
        if change < 0.0 {
            self.front = self.front.min(new);
            return None;
        }
        Some(change)
    }

    /// Takes the share `1 - p` of `change` from in front; what cannot come from behind, too. A `p`
    /// without a value puts the whole level in front.
    #[inline]
    fn split(&mut self, change: f64, back: f64, p: f64, new: f64) {
        let moved = self.front - (1.0 - p) * change + (back - p * change).min(0.0);
        self.front = moved.min(new);
    }

    /// Whole lots that traded through the queue to us, by hftbacktest's rule: `-front` rounded
    /// half away from zero. Taking them puts us at the very front.
    #[inline]
    pub fn take_executable(&mut self) -> i64 {
        let lots = libm::round(-self.front);
        if lots > 0.0 {
            self.front = 0.0;
            lots as i64
        } else {
            0
        }
    }
}

/// The model as people write it: a name, or a name with an exponent.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ModelText {
    Name(String),
    WithExponent { model: String, exponent: f64 },
}

const NAMES: &str = "risk_averse, prob_power2, prob_power3, prob_power_total2, prob_power_total3, \
     prob_one_minus_power3, prob_log, prob_log2, l3_fifo, or {\"model\": \"prob_power\", \
     \"exponent\": 2.5}";

impl TryFrom<ModelText> for QueueModel {
    type Error = Error;

    fn try_from(text: ModelText) -> Result<Self> {
        let model = match &text {
            ModelText::Name(name) => by_name(name),
            ModelText::WithExponent { model, exponent } => by_family(model, *exponent),
        };
        let model = model.ok_or_else(|| {
            let (ModelText::Name(name) | ModelText::WithExponent { model: name, .. }) = &text;
            Error::new(ErrorKind::Config, format!("'{name}' is no queue model; give {NAMES}"))
        })?;
        model.validate()?;
        Ok(model)
    }
}

fn by_name(name: &str) -> Option<QueueModel> {
    let plain = match name {
        "risk_averse" => Some(QueueModel::RiskAverse),
        "prob_log" => Some(QueueModel::ProbLog),
        "prob_log2" => Some(QueueModel::ProbLog2),
        "l3_fifo" => Some(QueueModel::L3Fifo),
        _ => None,
    };
    plain.or_else(|| {
        let family = name.trim_end_matches(|c: char| c.is_ascii_digit());
        by_family(family, name[family.len()..].parse().ok()?)
    })
}

fn by_family(family: &str, exponent: f64) -> Option<QueueModel> {
    Some(match family {
        "prob_power" => QueueModel::ProbPower { exponent },
        "prob_power_total" => QueueModel::ProbPowerTotal { exponent },
        "prob_one_minus_power" => QueueModel::ProbOneMinusPower { exponent },
        _ => return None,
    })
}

impl From<QueueModel> for ModelText {
    fn from(model: QueueModel) -> Self {
        let name = match model {
            QueueModel::RiskAverse => "risk_averse",
            QueueModel::ProbPower { .. } => "prob_power",
            QueueModel::ProbPowerTotal { .. } => "prob_power_total",
            QueueModel::ProbOneMinusPower { .. } => "prob_one_minus_power",
            QueueModel::ProbLog => "prob_log",
            QueueModel::ProbLog2 => "prob_log2",
            QueueModel::L3Fifo => "l3_fifo",
        };
        match model.exponent() {
            None => Self::Name(name.to_owned()),
            Some(n) if libm::fmod(n, 1.0).abs() <= 0.0 && (1.0..10.0).contains(&n) => {
                Self::Name(format!("{name}{n}"))
            }
            Some(exponent) => Self::WithExponent { model: name.to_owned(), exponent },
        }
    }
}

impl std::str::FromStr for QueueModel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::try_from(ModelText::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_log_model_without_logarithms_is_the_formula(
            front in 0_u32..5, back in 0_u32..5, unit in prop::sample::select(vec![1.0, 0.001, 1e-18]),
            sliver in prop::sample::select(vec![0.0, 1e-12, 0.25]),
        ) {
            let (f, b) = ((f64::from(front) + sliver) * unit, (f64::from(back) + sliver) * unit);
            for (f, b) in [(f, b), (-0.0, b), (0.0, b), (f, 0.0), (f, -0.0)] {
                let log = libm::log(1.0 + b);
                let formula = log / (log + libm::log(1.0 + f));
                let ours = prob_log(f, b);
                prop_assert!(ours.to_bits() == formula.to_bits() || (ours.is_nan() && formula.is_nan()));
            }
        }
    }
}
