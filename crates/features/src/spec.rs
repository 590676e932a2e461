//! What features a run computes: values for configuration, and their short text form.

use std::fmt;
use std::str::FromStr;

use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::units::DurationNs;
use serde::{Deserialize, Serialize};

use crate::microprice::MicropriceTable;

/// Most levels a feature may look at.
pub const MAX_FEATURE_LEVELS: usize = 64;

/// One feature. The text form is `name` or `name:key=value,key=value`, durations as `250ms`,
/// `60s`, `5m`; parameters that are left out have the default named here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureSpec {
    /// Mean of the best prices.
    Mid,
    /// Ask minus bid, in units of price.
    Spread,
    /// Spread over mid in basis points.
    SpreadBps,
    /// Sizes of the best levels, (bid - ask) / (bid + ask), in [-1, 1].
    Imbalance {
        /// How many levels (1).
        levels: usize,
    },
    /// The same, level `l` weighted by `exp(-decay l)`.
    WeightedImbalance {
        /// How many levels (5).
        levels: usize,
        /// Decay a level (0.5).
        decay: f64,
    },
    /// Mid weighted by the opposite sizes.
    WeightedMid,
    /// Mid plus its expected move by spread and imbalance (Stoikov 2018).
    Microprice {
        /// Expected moves; from a fit, so there is no text form.
        table: MicropriceTable,
    },
    /// Probability that the next move of the mid is up (Cont and de Larrard 2012).
    QueueUpProbability {
        /// Correlation of the increments of both queues (0).
        rho: f64,
    },
    /// Order-flow imbalance of the best quotes over a trailing window, in units of base.
    Ofi {
        /// Window (10 s); its edge moves in steps of 1/256 of it.
        window_ns: DurationNs,
    },
    /// Order-flow imbalance of several levels over a trailing window: the mean over levels,
    /// divided by the mean size of a level.
    MultiLevelOfi {
        /// How many levels (5).
        levels: usize,
        /// Window (10 s); its edge moves in steps of 1/256 of it.
        window_ns: DurationNs,
    },
    /// Volatility of the log mid per square root of a second; NaN until the mid has moved and a
    /// tenth of the half-life has passed.
    EwmaVolatility {
        /// Age at which a move counts half (60 s).
        halflife_ns: DurationNs,
        /// Shortest span between samples of the mid (0: every change). Bouncing quotes inflate
        /// the volatility of short spans.
        sample_ns: DurationNs,
    },
    /// Volume bought less volume sold by takers, decaying, in units of base.
    TradeFlow {
        /// Age at which a trade counts half (10 s).
        halflife_ns: DurationNs,
    },
    /// (bought - sold) / (bought + sold) by takers, decaying, in [-1, 1].
    TradeImbalance {
        /// Age at which a trade counts half (10 s).
        halflife_ns: DurationNs,
    },
    /// Volume-synchronised probability of informed trading, in [0, 1] (Easley et al. 2012).
    Vpin {
        /// Volume of a bucket, in units of base.
        bucket: f64,
        /// Buckets in the window (50).
        window: usize,
    },
}

const SECOND: DurationNs = 1_000_000_000;

impl FeatureSpec {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub fn validate(&self) -> Result<()> {
        let levels_ok = |levels: &usize| (1..=MAX_FEATURE_LEVELS).contains(levels);
        let fault = match self {
            Self::Imbalance { levels } | Self::MultiLevelOfi { levels, .. }
                if !levels_ok(levels) =>
            {
                "levels must be 1 to 64"
            }
            Self::WeightedImbalance { levels, .. } if !levels_ok(levels) => {
                "levels must be 1 to 64"
            }
            Self::WeightedImbalance { decay, .. } if !(*decay >= 0.0 && decay.is_finite()) => {
                "decay must not be negative"
            }
            Self::QueueUpProbability { rho } if !(-1.0 < *rho && *rho < 1.0) => {
                "rho must be between -1 and 1"
            }
            Self::Ofi { window_ns } | Self::MultiLevelOfi { window_ns, .. } if *window_ns <= 0 => {
                "window must be positive"
            }
            Self::EwmaVolatility { halflife_ns, .. }
            | Self::TradeFlow { halflife_ns }
            | Self::TradeImbalance { halflife_ns }
                if *halflife_ns <= 0 =>
            {
                "halflife must be positive"
            }
            Self::EwmaVolatility { sample_ns, .. } if *sample_ns < 0 => {
                "sample must not be negative"
            }
            Self::Vpin { bucket, .. } if !(*bucket > 0.0 && bucket.is_finite()) => {
                "bucket must be a positive volume"
            }
            Self::Vpin { window, .. } if !(1..=100_000).contains(window) => {
                "window must be 1 to 100000 buckets"
            }
            Self::Microprice { table } => return table.validate(),
            _ => return Ok(()),
        };
        Err(config_error(format!("feature '{self}': {fault}")))
    }
}

/// Names of features that can be attributes: `ofi`, and where several are of one sort their
/// parameters too, as in `imbalance_1` and `imbalance_5`, `ewma_volatility_10s`.
///
/// # Errors
/// When the same feature stands there twice.
pub(crate) fn attribute_names(specs: &[FeatureSpec]) -> Result<Vec<String>> {
    let texts: Vec<String> = specs.iter().map(ToString::to_string).collect();
    let sort = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    let sorts: Vec<String> = texts.iter().map(|text| sort(text)).collect();
    let name = |n: usize| {
        let is_only = sorts.iter().filter(|sort| **sort == sorts[n]).count() == 1;
        let parameters = texts[n].split_once(':').filter(|_| !is_only).map_or("", |(_, rest)| rest);
        let values = parameters.split(',').filter_map(|pair| Some(pair.split_once('=')?.1));
        let parts: Vec<&str> = std::iter::once(sorts[n].as_str()).chain(values).collect();
        parts.join("_").replace('.', "p").replace('-', "m")
    };
    let names: Vec<String> = (0..specs.len()).map(name).collect();
    match names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
        Some((n, _)) => Err(config_error(format!("feature '{}' is asked for twice", texts[n]))),
        None => Ok(names),
    }
}

fn config_error(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl fmt::Display for FeatureSpec {
    /// The text form; a micro-price's table is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = format_duration;
        match self {
            Self::Mid => f.write_str("mid"),
            Self::Spread => f.write_str("spread"),
            Self::SpreadBps => f.write_str("spread_bps"),
            Self::Imbalance { levels } => write!(f, "imbalance:levels={levels}"),
            Self::WeightedImbalance { levels, decay } => {
                write!(f, "weighted_imbalance:levels={levels},decay={decay}")
            }
            Self::WeightedMid => f.write_str("weighted_mid"),
            Self::Microprice { .. } => f.write_str("microprice"),
            Self::QueueUpProbability { rho } => write!(f, "queue_up_probability:rho={rho}"),
            Self::Ofi { window_ns } => write!(f, "ofi:window={}", time(*window_ns)),
            Self::MultiLevelOfi { levels, window_ns } => {
                write!(f, "multi_level_ofi:levels={levels},window={}", time(*window_ns))
            }
            Self::EwmaVolatility { halflife_ns, sample_ns: 0 } => {
                write!(f, "ewma_volatility:halflife={}", time(*halflife_ns))
            }
            Self::EwmaVolatility { halflife_ns, sample_ns } => {
                let (halflife, sample) = (time(*halflife_ns), time(*sample_ns));
                write!(f, "ewma_volatility:halflife={halflife},sample={sample}")
            }
            Self::TradeFlow { halflife_ns } => {
                write!(f, "trade_flow:halflife={}", time(*halflife_ns))
            }
            Self::TradeImbalance { halflife_ns } => {
                write!(f, "trade_imbalance:halflife={}", time(*halflife_ns))
            }
            Self::Vpin { bucket, window } => write!(f, "vpin:bucket={bucket},window={window}"),
        }
    }
}

impl FromStr for FeatureSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut p = Parameters::split(text)?;
        let spec = match p.name {
            "mid" => Self::Mid,
            "spread" => Self::Spread,
            "spread_bps" => Self::SpreadBps,
            "imbalance" => Self::Imbalance { levels: p.number("levels", 1)? },
            "weighted_imbalance" => Self::WeightedImbalance {
                levels: p.number("levels", 5)?,
                decay: p.number("decay", 0.5)?,
            },
            "weighted_mid" => Self::WeightedMid,
            "queue_up_probability" => Self::QueueUpProbability { rho: p.number("rho", 0.0)? },
            "ofi" => Self::Ofi { window_ns: p.duration("window", 10 * SECOND)? },
            "multi_level_ofi" => Self::MultiLevelOfi {
                levels: p.number("levels", 5)?,
                window_ns: p.duration("window", 10 * SECOND)?,
            },
            "ewma_volatility" => Self::EwmaVolatility {
                halflife_ns: p.duration("halflife", 60 * SECOND)?,
                sample_ns: p.duration("sample", 0)?,
            },
            "trade_flow" => Self::TradeFlow { halflife_ns: p.duration("halflife", 10 * SECOND)? },
            "trade_imbalance" => {
                Self::TradeImbalance { halflife_ns: p.duration("halflife", 10 * SECOND)? }
            }
            "vpin" => Self::Vpin { bucket: p.required("bucket")?, window: p.number("window", 50)? },
            "microprice" => {
                return Err(config_error(
                    "the feature 'microprice' has a table that is fitted to data: fit it in Python with \
                     ms.features.fit_microprice and give that; 'weighted_mid' needs no fit"
                        .into(),
                ))
            }
            name => {
                return Err(config_error(format!(
                    "there is no feature '{name}'; there are mid, spread, spread_bps, imbalance, \
                     weighted_imbalance, weighted_mid, microprice, queue_up_probability, ofi, \
                     multi_level_ofi, ewma_volatility, trade_flow, trade_imbalance, vpin"
                )))
            }
        };
        p.finish()?;
        spec.validate()?;
        Ok(spec)
    }
}

/// The parameters of a feature's text; those not asked for are an error.
struct Parameters<'a> {
    text: &'a str,
    name: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Parameters<'a> {
    fn split(text: &'a str) -> Result<Self> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut pairs = Vec::new();
        for pair in rest.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                config_error(format!("feature '{text}': '{pair}' is not of the form key=value"))
            })?;
            pairs.push((key.trim(), value.trim()));
        }
        Ok(Self { text, name: name.trim(), pairs, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let at = self.pairs.iter().position(|(k, _)| *k == key)?;
        Some(self.pairs.remove(at).1)
    }

    fn number<T: FromStr>(&mut self, key: &'static str, default: T) -> Result<T> {
        self.take(key).map_or(Ok(default), |value| self.parse(key, value))
    }

    fn required<T: FromStr>(&mut self, key: &'static str) -> Result<T> {
        match self.take(key) {
            Some(value) => self.parse(key, value),
            None => Err(config_error(format!("feature '{}' needs {key}=...", self.text))),
        }
    }

    fn parse<T: FromStr>(&self, key: &str, value: &str) -> Result<T> {
        value.parse().map_err(|_| {
            config_error(format!("feature '{}': {key}='{value}' is not a number", self.text))
        })
    }

    fn duration(&mut self, key: &'static str, default: DurationNs) -> Result<DurationNs> {
        let Some(value) = self.take(key) else { return Ok(default) };
        parse_duration(value).ok_or_else(|| {
            config_error(format!(
                "feature '{}': {key}='{value}' is not a duration like 250ms, 60s, 5m",
                self.text
            ))
        })
    }

    fn finish(self) -> Result<()> {
        let Some((key, _)) = self.pairs.first() else { return Ok(()) };
        let known =
            if self.known.is_empty() { "no parameters".to_owned() } else { self.known.join(", ") };
        Err(config_error(format!(
            "feature '{}' has no parameter '{key}' (or it stands there twice); it takes {known}",
            self.text
        )))
    }
}

const UNITS: [(&str, DurationNs); 7] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A whole number of nanoseconds from `1.5s`, `250ms`, ...
fn parse_duration(text: &str) -> Option<DurationNs> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: mainspring_core::Decimal = number.parse().ok()?;
    let scale = 10_i128.pow(u32::from(number.scale()));
    let scaled = i128::from(number.mantissa()) * i128::from(*unit_ns);
    if scaled % scale != 0 {
        return None;
    }
    DurationNs::try_from(scaled / scale).ok()
}

/// In the largest unit that gives a whole number.
fn format_duration(ns: DurationNs) -> String {
    let whole = |unit: &DurationNs| {
        ns != 0 && ns % unit == 0 && (ns / unit < 1_000 || *unit == 86_400 * SECOND)
    };
    let (name, unit) = UNITS.iter().find(|(_, unit)| whole(unit)).unwrap_or(&("ns", 1));
    format!("{}{name}", ns / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for (text, shown) in [
            ("mid", "mid"),
            ("imbalance", "imbalance:levels=1"),
            ("weighted_imbalance:levels=3", "weighted_imbalance:levels=3,decay=0.5"),
            ("ewma_volatility:halflife=60s", "ewma_volatility:halflife=1m"),
            (
                "ewma_volatility: halflife=90s, sample=0.25s",
                "ewma_volatility:halflife=90s,sample=250ms",
            ),
            ("vpin:bucket=12.5", "vpin:bucket=12.5,window=50"),
            ("multi_level_ofi:levels=2,window=1500us", "multi_level_ofi:levels=2,window=1500us"),
            ("queue_up_probability:rho=-0.3", "queue_up_probability:rho=-0.3"),
        ] {
            let spec: FeatureSpec = text.parse().unwrap();
            let again: FeatureSpec = spec.to_string().parse().unwrap();
            assert_eq!(again, spec);
            if text != "multi_level_ofi:levels=2,window=1500us" {
                assert_eq!(spec.to_string(), shown);
            }
        }
    }

    #[test]
    fn names_are_short_where_they_can_be_and_never_double() {
        let names = |texts: &[&str]| {
            let specs: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
            attribute_names(&specs)
        };
        let short = names(&["imbalance:levels=5", "ofi:window=1s", "weighted_mid"]).unwrap();
        assert_eq!(short, ["imbalance", "ofi", "weighted_mid"]);
        let long = names(&[
            "imbalance",
            "imbalance:levels=5",
            "ewma_volatility:halflife=90s",
            "ewma_volatility:halflife=10s,sample=1s",
            "queue_up_probability:rho=-0.5",
            "queue_up_probability",
        ]);
        let wanted = [
            "imbalance_1",
            "imbalance_5",
            "ewma_volatility_90s",
            "ewma_volatility_10s_1s",
            "queue_up_probability_m0p5",
            "queue_up_probability_0",
        ];
        assert_eq!(long.unwrap(), wanted);
        assert!(names(&["ofi", "mid", "ofi:window=10s"]).unwrap_err().message().contains("twice"));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("imbalanse", "there is no feature"),
            ("imbalance:level=3", "no parameter 'level'"),
            ("imbalance:levels", "key=value"),
            ("imbalance:levels=0", "1 to 64"),
            ("imbalance:levels=1,levels=2", "twice"),
            ("ofi:window=10", "not a duration"),
            ("ofi:window=0s", "must be positive"),
            ("ofi:window=-1s", "must be positive"),
            ("ofi:window=0.1ns", "not a duration"),
            ("vpin", "needs bucket"),
            ("vpin:bucket=NaN", "positive volume"),
            ("microprice", "ms.features.fit_microprice"),
            ("mid:x=1", "no parameters"),
        ] {
            let error = text.parse::<FeatureSpec>().unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
