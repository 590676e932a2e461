//! The output log of a run: fixed records in blocks, chained by hash.
//!
//! A backtest names its inputs (by content hash) and appends every output here. Blocks are hashed
//! with BLAKE3 over the hash of the block before, so the last hash stands for the whole log and a
//! changed, missing or reordered byte is found with its place. Memory is bounded: the log keeps its
//! blocks in memory up to a limit and spills to a file beyond it, or writes to a file from the start.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod difference;
#[cfg(unix)]
pub mod live;
pub mod log;
pub mod reader;
pub mod record;

pub use difference::{first_difference, Difference};
pub use log::{LogWriter, Sink, BLOCK_BYTES};
pub use reader::{read_log, Entry, LogSource};
pub use record::{
    EquityRecord, FillRecord, MessageRecord, OrderRecord, PositionRecord, Record, Wide,
};
