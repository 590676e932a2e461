//! Options of an import.

use mainspring_core::Result;
use serde::{Deserialize, Serialize};

use super::instrument::InstrumentSpec;

/// What to do with a line that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadLines {
    /// Stop with its place; nothing is written.
    #[default]
    Refuse,
    /// Leave it out and count it. A line of a book sequence that is left out shows as a gap.
    Skip,
}

/// What to do about the receive clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// When rows are received before they happened, add what makes the smallest latency zero.
    #[default]
    Auto,
    /// Change nothing.
    Keep,
    /// Add this many nanoseconds.
    Offset(i64),
}

/// Which streams go into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// Snapshots and updates of the book.
    pub depth: bool,
    /// Trades.
    pub trades: bool,
    /// Best bid and ask of a stream of their own. Such a stream runs ahead of depth updates, so a
    /// book fed by both jumps back and forth.
    pub best: bool,
    /// Mark price and funding.
    pub mark: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self { depth: true, trades: true, best: false, mark: true }
    }
}

/// Options of an import; formats ignore those that do not apply to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Definitions, whole or in part.
    pub instruments: Vec<InstrumentSpec>,
    /// Streams to keep.
    pub streams: Streams,
    /// Symbols to keep; all when empty.
    pub symbols: Vec<String>,
    /// The receive clock.
    pub clock: Clock,
    /// Lines that cannot be read.
    pub bad_lines: BadLines,
    /// Latency that the fastest message is taken to have had, added to a measured offset.
    pub base_latency_ns: i64,
    /// The venue's name, for formats that do not say.
    pub venue: Option<String>,
    /// The symbol, for formats that do not say.
    pub symbol: Option<String>,
    /// The date, `YYYY-MM-DD`, for formats that stamp the time of day and have none in their name.
    pub date: Option<String>,
    /// Hours that the exchange's day starts after UTC's, for such formats; New York otherwise.
    pub utc_offset_hours: Option<i32>,
}

impl Options {
    /// The definition meant for a symbol: one that names it, or one for any.
    #[must_use]
    pub fn spec_for(&self, symbol: &str) -> Option<&InstrumentSpec> {
        let named = self.instruments.iter().find(|spec| spec.symbol.as_deref() == Some(symbol));
        named.or_else(|| self.instruments.iter().find(|spec| spec.symbol.is_none()))
    }

    /// Whether a symbol is to be kept.
    #[must_use]
    pub fn keeps(&self, symbol: &str) -> bool {
        self.symbols.is_empty() || self.symbols.iter().any(|own| own.eq_ignore_ascii_case(symbol))
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `survey` (first pass, for grids and clock) or `write`.
    pub stage: &'static str,
    /// Bytes read from disk in this pass.
    pub bytes: u64,
    /// Bytes there are.
    pub bytes_total: u64,
    /// Rows written.
    pub rows: u64,
}

/// Told now and then how far an import is; an error stops it.
pub type OnProgress<'a> = &'a mut dyn FnMut(&Progress) -> Result<()>;
