//! The ledger: cash, positions, profit, fees and funding, exact to the quantum.
//!
//! Every movement of money has two sides, so that the accounts of a currency always sum to zero
//! ([`Ledger::check`] shows it). The rounding is the one that
//! `docs/explanation/simulated-venue.md` states.

mod accounts;
mod book;
mod contract;
mod position;

pub use accounts::{convert, Accounts};
pub use book::{FillEffect, Ledger, Statement};
pub use contract::{Contract, MarkPrice};
pub use position::Position;
