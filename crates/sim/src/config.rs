//! Configuration of a simulated venue.

use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::limits::MAX_OPEN_ORDERS;
use mainspring_core::order::SelfTradePrevention;
use mainspring_core::units::DurationNs;
use serde::{Deserialize, Serialize};

use crate::queue::QueueModel;

/// How resting and taking orders are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillModel {
    /// Trades and shown depth are shared out: nothing is filled twice.
    #[default]
    Mainspring,
    /// The exchange model of hftbacktest 2.4.4 without partial fills, its faults included.
    HftNoPartial,
    /// The exchange model of hftbacktest 2.4.4 with partial fills, its faults included.
    HftPartial,
    /// A matching engine: our orders among those of an order-level recording, or of generated
    /// agents. Not a model of this crate: [`crate::SimMarket`] refuses it.
    Matching,
}

/// Which price sets off stops, take-profits and trailing stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerSource {
    /// The last trade.
    #[default]
    LastTrade,
    /// The mark price.
    Mark,
}

/// The venue refuses requests beyond this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverloadRule {
    /// Requests let through in any window.
    pub max_requests: u32,
    /// Length of the sliding window.
    pub window_ns: DurationNs,
}

/// Most requests an [`OverloadRule`] can count in one window.
pub const MAX_WINDOW_REQUESTS: u32 = 1 << 20;

/// Configuration of one simulated market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// How orders are filled.
    pub fill_model: FillModel,
    /// How the queue in front of a resting order is estimated.
    pub queue_model: QueueModel,
    /// Which order gives way when two of ours would trade with each other.
    pub self_trade: SelfTradePrevention,
    /// Which price sets off stops.
    pub trigger_source: TriggerSource,
    /// The request rate beyond which the venue refuses; none for no bound.
    pub overload: Option<OverloadRule>,
    /// Most orders open at once, armed stops included; more are refused as `Overloaded`.
    pub max_orders: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            fill_model: FillModel::default(),
            queue_model: QueueModel::default(),
            self_trade: SelfTradePrevention::default(),
            trigger_source: TriggerSource::default(),
            overload: None,
            max_orders: MAX_OPEN_ORDERS,
        }
    }
}

impl SimConfig {
    /// Checks that the parts can be used.
    ///
    /// # Errors
    /// Names the first part that is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if self.max_orders == 0 || self.max_orders > MAX_OPEN_ORDERS {
            return wrong(format!(
                "max_orders is {}; give 1 to {MAX_OPEN_ORDERS}",
                self.max_orders
            ));
        }
        if let Some(rule) = self.overload {
            let countable = 1..=MAX_WINDOW_REQUESTS;
            if !countable.contains(&rule.max_requests) || rule.window_ns <= 0 {
                return wrong(format!(
                    "overload: max_requests is {} and window_ns {}; give 1 to \
                     {MAX_WINDOW_REQUESTS} requests and a positive window",
                    rule.max_requests, rule.window_ns
                ));
            }
        }
        self.queue_model.validate()?;
        if self.queue_model == QueueModel::L3Fifo && self.fill_model != FillModel::Mainspring {
            return wrong(
                "queue_model l3_fifo works with fill_model mainspring; the hft fill models are \
                 for level data"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
