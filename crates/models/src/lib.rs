//! Quote optimisers: what to bid and ask given inventory, volatility and how orders arrive.
//!
//! Everything is in the caller's units: prices and distances in one price unit, inventory in lots,
//! time in one time unit. Distances count from the reference price, away from it; a negative
//! distance quotes through it and is for the caller to cap.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod avellaneda_stoikov;
pub mod glft;

/// Distances of both quotes from the reference price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distances {
    /// Reference price less bid.
    pub bid: f64,
    /// Ask less reference price.
    pub ask: f64,
}
