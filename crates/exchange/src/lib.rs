//! The built-in exchange: markets in price-time priority, and the accounts that trade on them.
//!
//! [`Market`] matches the orders of one instrument. [`Exchange`] holds several, with members'
//! balances, margin, fees, funding and liquidation.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod accounts;
pub mod bench;
pub mod exchange;
pub mod load;
pub mod market;
pub mod order;
pub mod recorded;

pub use accounts::{Accounts, Balance};
pub use exchange::{Exchange, Listener, Silence};
pub use market::{Market, MarketConfig, TradingStatus};
pub use order::{
    AccountId, Admission, Desk, NewOrder, OpenOrder, OrderId, OrderReport, Party, ReportKind,
    TradeReport, TriggerBy,
};
