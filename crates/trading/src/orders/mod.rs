//! Orders: one state machine and one table.
//!
//! [`state::transition`] is the pure machine: every pair of state and event is decided there.
//! [`OrderTable`] holds the orders themselves in a fixed slab and applies requests of ours and
//! answers of a venue to them. [`OrderIds`] leads from a venue's id to our order.

mod ids;
mod names;
mod order;
mod state;
mod table;

pub use ids::{OrderIds, VenueOrderId};
pub use names::{execution_status, lifecycle, EXECUTION_STATUSES, LIFECYCLES};
pub use order::{Order, PendingReplace, Purpose};
pub use state::{transition, IllegalTransition, OrderEvent, OrderState};
pub use table::{
    Change, FillChange, Moved, OrderCounters, OrderError, OrderTable, OrdersImage, Place, Refused,
    Stepped,
};
