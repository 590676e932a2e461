//! Order state machine, ledger, risk gate, reconciler.

pub mod execution;
pub mod exposure;
pub mod fee;
pub mod ledger;
pub mod margin;
pub mod orders;
pub mod risk;
