//! The single-writer loop that wires data, books, features, strategies and the simulated venue.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

mod backtest;
mod bar_path;
pub mod bars;
pub mod config;
mod delay;
pub mod host;
pub mod intent;
mod judging;
mod kernel;
pub mod margin;
pub mod market;
mod matching;
mod merge;
mod mids;
pub mod native;
mod read_ahead;
pub mod reasons;
mod recorder;
pub mod routing;
mod run;
mod sample;
mod scale;
pub mod session;
pub mod shaping;
mod source;
pub mod stops;
mod tables;
pub mod view;

pub use backtest::{Progress, Watch};
pub use config::RunConfig;
pub use kernel::RoundCounts;
pub use matching::FlowSpec;
pub use mids::{mid_changes, MidTrack};
pub use recorder::Counts;
pub use run::{run, Outcome};
pub use scale::{Scale, Unit};
pub use tables::{run_tables, RunTables};
pub use view::View;
