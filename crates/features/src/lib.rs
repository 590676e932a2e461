//! Incremental market features: imbalance, microprice, order-flow imbalance, volatility.
//!
//! [`FeatureChain`] computes the features a configuration names, message by message, for the
//! kernel, and [`FeatureScan`] over stored rows. The functions beside them are the same mathematics over whole arrays. All is
//! deterministic: transcendental functions come from `libm`, so results are equal on every
//! machine.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

mod chain;
pub mod imbalance;
pub mod impact;
mod link;
pub mod microprice;
pub mod ofi;
mod quote;
mod scan;
mod spec;
pub mod toxicity;
pub mod volatility;
mod window;

pub use chain::FeatureChain;
pub use microprice::MicropriceTable;
pub use quote::Quote;
pub use scan::{DepthScan, FeatureScan, QuoteScan};
pub use spec::{FeatureSpec, MAX_FEATURE_LEVELS};
