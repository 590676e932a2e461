//! Simulated venue: matching, queue position, latency, fees; order-flow generator.
//!
//! The rules are in `docs/explanation/simulated-venue.md`.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

mod config;
mod expiry;
pub mod flow;
pub mod latency;
mod market;
mod orders;
mod overload;
mod queue;
mod taken;

pub use config::{FillModel, OverloadRule, SimConfig, TriggerSource, MAX_WINDOW_REQUESTS};
pub use latency::{LatencyModel, LatencyRow, LatencyTable, Leg, RequestKind};
pub use market::{MarginLimits, OrderRules, SimMarket};
pub use overload::RateWindow;
pub use queue::{QueueModel, QueuePosition};
