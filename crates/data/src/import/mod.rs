//! Importers: recordings of venues and files of vendors become event files.
//!
//! Each format is a [`stage::Source`] that hands over messages with prices as they are written. The
//! [`pipeline`] does what all have in common: it finds the grids and the clock offset in a first
//! pass, puts every price on its grid, refuses what does not fit with file and line, and writes.

pub mod binance;
pub mod input;
pub mod instrument;
pub mod options;
pub mod pipeline;
pub mod report;
pub mod stage;
pub mod time;

pub use instrument::InstrumentSpec;
pub use options::{BadLines, Clock, OnProgress, Options, Progress, Streams};
pub use report::ImportReport;
