//! Rare events of a session, journaled as JSON.

use mainspring_core::{ClientOrderId, InstrumentId};
use mainspring_trading::risk::HaltCause;
use serde::{Deserialize, Serialize};

/// Something that happened in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A strategy was stopped; its orders are being cancelled.
    StrategyStopped {
        /// Which.
        strategy: u16,
        /// Why.
        cause: String,
    },
    /// Trading was halted by the engine itself.
    Halted {
        /// Why.
        cause: HaltCause,
        /// With figures.
        text: String,
    },
    /// The venue does not say what became of an order.
    OrderStuck {
        /// Which.
        order: ClientOrderId,
        /// How often it was asked.
        attempts: u32,
    },
    /// An order that was not placed here is open at a venue.
    ForeignOrder {
        /// The venue's id of it.
        venue_order: u64,
    },
    /// A position differs from the venue's.
    PositionMismatch {
        /// Where.
        instrument: InstrumentId,
        /// Lots by our fills.
        ours: i64,
        /// Lots by the venue.
        theirs: i64,
    },
}
