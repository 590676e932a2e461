//! Order books: windowed L2 ladder, L3 queues, trust states.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod bench;
mod chained;
pub mod checksum;
mod consolidated;
mod l2;
mod l3;
mod ladder;
mod occupancy;
mod slab;
mod trust;

pub use consolidated::{CommonUnits, Consolidated, VenueLevel, VenueScale, MAX_VENUES};
pub use l2::{L2Book, NO_ASK, NO_BID};
pub use l3::{L3Book, L3Config, L3Fault, Place, RestingOrder};
pub use ladder::LadderConfig;
pub use trust::Trust;
