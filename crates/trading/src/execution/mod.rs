//! Execution: from what a strategy wants to the fewest orders that get there.

pub mod parents;
mod reconciler;
pub mod router;

pub use reconciler::{
    reconcile_quotes, reconcile_target, Action, Actions, Desired, Level, LiveOrder,
};
