//! Deterministic simulation: the whole engine of a session with a venue, a network, a clock and a
//! disk that fail on purpose, all drawn from one seed.
//!
//! [`simulate`] runs one seed and says what happened: how many events, which faults fired, and the
//! first invariant that did not hold. The same seed is the same run, on every machine.

mod chance;
mod disk;
mod engine;
mod faults;
mod feed;
mod hand;
mod invariants;
mod mover;
mod network;
mod venue;
mod witness;
mod worker;
mod world;

pub use disk::Written;
pub use engine::session_parts;
pub use faults::{Fault, FaultCounts};
#[cfg(feature = "mutants")]
pub use world::simulate_judging_steps;
pub use world::{simulate, simulate_journal, Outcome, Plan};
