//! Parent orders: a quantity worked over time by child orders.
//!
//! A [`Parent`] is a state machine in whole lots that is told the time, the market's volume and what
//! became of its children, and says with [`Parent::next_step`] what to do next. It holds no clock, no
//! book and no random source, so that a journal which is followed leads to the same parent. The
//! schedules and measures are in their own files: [`schedule`], [`almgren_chriss`], [`shortfall`],
//! [`impact`].

pub mod almgren_chriss;
pub mod impact;
mod parent;
pub mod schedule;
pub mod shortfall;
mod step;
mod table;
mod terms;

pub use parent::{Child, End, Parent, ParentId, ParentState, MAX_CHILDREN};
pub use schedule::{Participation, Schedule, MAX_SLICES};
pub use step::{Next, Quote};
pub use table::{ParentTable, ParentsImage, Wake, MAX_PARENTS};
pub use terms::{AtEnd, CatchUp, Kind, ParentTerms, Style};

#[cfg(test)]
mod tests;
