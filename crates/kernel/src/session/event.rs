//! Rare events of a session, journaled as JSON.

use mainspring_core::{ClientOrderId, InstrumentId, Side};
use mainspring_trading::orders::OrderError;
use mainspring_trading::risk::HaltCause;
use serde::{Deserialize, Serialize};

/// Why a statement about an order cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAnomaly {
    /// It cannot happen in the order's state.
    Illegal,
    /// A fill that is not positive or larger than what was left.
    BadFill,
    /// The order is not known.
    Unknown,
}

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
    /// A statement about an order that cannot be: illegal in its state, a fill of more than was
    /// left, or of an order that is not known.
    OrderAnomaly {
        /// Which.
        order: ClientOrderId,
        /// Of which sort.
        what: OrderAnomaly,
        /// In words.
        text: String,
    },
    /// An order that was not placed here is open at a venue.
    ForeignOrder {
        /// The venue's id of it.
        venue_order: u64,
    },
    /// An order that was not placed here was adopted.
    OrderAdopted {
        /// The id that it has here.
        order: ClientOrderId,
        /// The venue's id of it.
        venue_order: u64,
        /// The strategy that owns it from now on.
        strategy: u16,
    },
    /// An order that was not placed here, and was not adopted, traded.
    ForeignFill {
        /// The venue's id of the order.
        venue_order: u64,
        /// Where.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// Price in ticks.
        price: i64,
        /// Quantity in lots.
        qty: i64,
    },
    /// A position differs from the venue's, at two of its answers in a row.
    PositionMismatch {
        /// Where.
        instrument: InstrumentId,
        /// Lots by our fills.
        ours: i64,
        /// Lots by the venue.
        theirs: i64,
    },
}

impl Event {
    /// The event of a statement that the order table refused.
    pub(crate) fn of_order_error(error: &OrderError) -> Self {
        let (order, what) = match error {
            OrderError::UnknownOrder(order) => (*order, OrderAnomaly::Unknown),
            OrderError::Illegal { id, .. } => (*id, OrderAnomaly::Illegal),
            OrderError::BadFill { id, .. } => (*id, OrderAnomaly::BadFill),
        };
        Self::OrderAnomaly { order, what, text: error.to_string() }
    }
}
