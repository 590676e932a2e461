//! Strategies that ship with the engine: compiled in, configured from Python or JSON.
//!
//! Each has a twin in plain Python under `mainspring.strategies` that sends the same orders.

/// What every native strategy does about its parameters while it runs: it is made anew of them.
macro_rules! takes_parameters {
    () => {
        fn parameters(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
            Some(super::parameters_of(&self.config))
        }

        fn set_parameters(
            &mut self,
            view: &mut crate::view::View<'_>,
            values: &serde_json::Map<String, serde_json::Value>,
        ) -> crate::host::HostResult {
            let config = super::with_values(self.name(), &self.config, values)?;
            let mut anew = Self::new(config, self.trigger)?;
            anew.on_start(view)?;
            *self = anew;
            Ok(())
        }
    };
}

mod grid;
mod imbalance;
mod loss_hedge;
mod market_maker;
mod moving_average;
mod touch;

use mainspring_core::{Decimal, Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::host::{BookTrigger, Host};

pub use grid::Grid;
pub use imbalance::Imbalance;
pub use loss_hedge::{LossHedge, LossHedgeConfig, Pair as HedgePair};
pub use market_maker::{AvellanedaStoikov, Glft};
pub use moving_average::MovingAverageCross;
pub use touch::TouchMaker;

/// A native strategy by name with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NativeConfig {
    /// Does nothing: what the engine itself costs.
    Noop(NoopConfig),
    /// Owns orders that were not placed by a session, and does nothing by itself.
    Account(NoopConfig),
    /// Joins both touches.
    TouchMaker(touch::TouchMakerConfig),
    /// Avellaneda and Stoikov's quotes.
    AvellanedaStoikov(market_maker::AvellanedaStoikovConfig),
    /// The closed-form quotes of Gueant, Lehalle and Fernandez-Tapia.
    Glft(market_maker::GlftConfig),
    /// Joins the side that order-book imbalance favours.
    Imbalance(imbalance::ImbalanceConfig),
    /// A grid of quotes around the mid price.
    Grid(grid::GridConfig),
    /// Long above, short below: two moving averages of bar closes.
    MovingAverageCross(moving_average::MovingAverageConfig),
    /// Hedges what is held at a venue that cannot be reached.
    LossHedge(loss_hedge::LossHedgeConfig),
}

/// Parameters of the strategy that does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoopConfig {
    /// Whether it reads the best prices at each call, as a strategy would.
    pub read: bool,
}

impl NativeConfig {
    /// The strategy, called at `trigger`.
    ///
    /// # Errors
    /// When a parameter is out of its range.
    pub fn build(&self, trigger: BookTrigger) -> Result<Box<dyn Host>> {
        Ok(match self {
            Self::Noop(config) => Box::new(touch::Noop::new(*config, trigger)),
            Self::Account(_) => Box::new(touch::Account),
            Self::TouchMaker(config) => Box::new(TouchMaker::new(*config, trigger)?),
            Self::AvellanedaStoikov(config) => Box::new(AvellanedaStoikov::new(*config, trigger)?),
            Self::Glft(config) => Box::new(Glft::new(*config, trigger)?),
            Self::Imbalance(config) => Box::new(Imbalance::new(*config, trigger)?),
            Self::Grid(config) => Box::new(Grid::new(*config, trigger)?),
            Self::MovingAverageCross(config) => Box::new(MovingAverageCross::new(*config)?),
            Self::LossHedge(config) => Box::new(LossHedge::new(config.clone(), trigger)?),
        })
    }
}

/// A configuration as its parameters by name.
fn parameters_of<C: Serialize>(config: &C) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}

/// A configuration with other values of some of its parameters.
fn with_values<C: Serialize + DeserializeOwned>(
    strategy: &str,
    config: &C,
    values: &Map<String, Value>,
) -> Result<C> {
    let wrong = |what: String| Error::new(ErrorKind::Config, format!("{strategy}: {what}"));
    let mut all = parameters_of(config);
    for (name, value) in values {
        if !all.contains_key(name) {
            let known: Vec<_> = all.keys().map(String::as_str).collect();
            return Err(wrong(format!("no parameter {name:?}; it has {}", known.join(", "))));
        }
        all.insert(name.clone(), value.clone());
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| wrong(error.to_string()))
}

/// Refuses a parameter that is not positive.
fn positive(strategy: &str, name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!("{strategy}: {name} is {value}; it must be a positive number"),
    ))
}

fn positive_decimal(strategy: &str, name: &str, value: Decimal) -> Result<()> {
    positive(strategy, name, value.to_f64())
}
