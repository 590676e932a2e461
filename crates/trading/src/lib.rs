//! Order state machine, ledger, risk gate, reconciler.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod execution;
pub mod exposure;
pub mod fee;
pub mod ledger;
pub mod margin;
pub mod orders;
pub mod risk;
