//! Execution: from what a strategy wants to the fewest orders that get there.

mod budget;
pub mod parents;
pub mod reconcile;
mod reconciler;
pub mod router;

pub use budget::{BudgetConfig, Charge, RateBudget, RateLimit};
pub use reconciler::{
    quote_terms, reconcile_quotes, reconcile_target, stale_quotes, Action, Actions, Desired, Level,
    LiveOrder, Standing,
};
