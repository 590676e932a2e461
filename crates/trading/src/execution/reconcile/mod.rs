//! The reconciler with rules: what may stay as it is, what is amended, what waits.
//!
//! [`super::reconcile_quotes`] keeps quotes exactly as wished and is what a run without rules
//! uses. Here the same wish is met with thresholds of price and size, amends in place, lives of
//! orders, minimums, and a budget of what may be sent. The principles:
//!
//! * an order that is on its way counts as if it stood; one whose cancel is on its way keeps its
//!   place until the venue answers, so that nothing is ever placed twice;
//! * what is no longer wished is cancelled at once, whatever its age: rules hold back replacements
//!   only;
//! * cancels go first, then amends, then new orders from the best price outwards; what the budget
//!   or the bound of a round leaves out comes in the next round, and a replacement never goes out
//!   while the cancel of what it replaces had to wait.

mod config;
mod life;
mod matching;
mod quotes;
mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wish;

pub use config::{
    AdaptiveLife, AmendRule, BelowMinimum, CrossRule, ReconcileConfig, Rules, Urgent,
};
pub use life::{adaptive_life_ns, FillRate, LifeInputs};
pub use quotes::{LiveQuote, Now, Reconciler, Round, Standing};
pub use target::{reduce_now, towards_target, Target};
pub use wish::{Minimums, Touch};
