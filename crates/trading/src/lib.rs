//! Order state machine, ledger, risk gate, reconciler.

pub mod execution;
pub mod risk;
