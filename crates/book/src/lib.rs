//! Order books: windowed L2 ladder, L3 queues, trust states.

mod l2;
mod ladder;
mod occupancy;
mod trust;

pub use l2::{L2Book, NO_ASK, NO_BID};
pub use ladder::LadderConfig;
pub use trust::Trust;
