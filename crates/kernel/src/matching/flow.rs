//! Generated flow as the data of a run.

use mainspring_core::{DurationNs, Error, ErrorKind, Instrument, Result};
use mainspring_sim::flow::agents::Agents;
use mainspring_sim::flow::{FlowConfig, Level};
use serde::{Deserialize, Serialize};

use super::crowd::Crowd;

/// Which markets are generated, for how long, and from which seed: the same gives the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSpec {
    /// Names of sample markets, such as `btcusdt`.
    pub markets: Vec<String>,
    /// How long.
    pub hours: f64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Changes whenever the same seed would give other rows; what a run was made with is in its
    /// configuration.
    pub version: u32,
}

impl FlowSpec {
    /// The generator's configuration.
    ///
    /// # Errors
    /// When a market is unknown, the length is none, or the version is another.
    pub fn config(&self) -> Result<FlowConfig> {
        if self.version != mainspring_sim::flow::VERSION {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "flow of generator version {}; this build has {}, which gives other orders",
                    self.version,
                    mainspring_sim::flow::VERSION
                ),
            ));
        }
        let names: Vec<&str> = self.markets.iter().map(String::as_str).collect();
        FlowConfig::of_presets(&names, self.hours, self.seed, Level::Orders)
    }
}

/// The agents of each market, with what they trade.
pub(super) fn crowds(
    config: &FlowConfig,
    feed_ns: Option<DurationNs>,
) -> Result<Vec<(Instrument, Crowd)>> {
    let span = (config.start_ns, config.start_ns + config.duration_ns);
    let crowd = |shape: &mainspring_sim::flow::MarketShape| {
        let agents = Agents::new(shape.clone(), config.seed, span, config.latency)?;
        Ok((shape.instrument.clone(), Crowd::new(agents, feed_ns)))
    };
    config.markets.iter().map(crowd).collect()
}
