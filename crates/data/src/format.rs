//! The layout of an event file, version 1. All numbers are little-endian.
//!
//! ```text
//! 0          header prefix, 64 bytes            HeaderPrefix
//!            instruments as JSON, zero padding to 64 bytes
//! rows_at    rows, packed, chunk after chunk    MarketRow, OrderRow or BarRow
//!            zero padding to 64 bytes
//! footer_at  chunk index, 64 bytes a chunk      ChunkEntry
//!            provenance as JSON, zero padding to 64 bytes
//! end - 64   trailer                            Trailer
//! ```
//!
//! Header, footer and trailer carry their own checksum, every chunk has one in the index, and
//! all padding is covered: no byte of a file can change unseen. The trailer is the end mark; it
//! is written last, so that a file without one is incomplete.

use std::hash::Hasher;

use bytemuck::{Pod, Zeroable};
use mainspring_core::event::{BarRow, MarketRow, OrderRow};
use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use serde::{Deserialize, Serialize};

#[cfg(target_endian = "big")]
compile_error!("event files are mapped as they are, so the machine has to be little-endian");

/// First bytes of every event file. The line ends show a file that went through a text mode.
pub const MAGIC: [u8; 8] = *b"\x89MSE\r\n\x1a\n";
/// First bytes of the end mark.
pub const END_MAGIC: [u8; 8] = *b"MSE-END\n";
/// The version that this build writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// Rows in a full chunk.
pub const CHUNK_ROWS: usize = 65_536;
/// Alignment of the rows, the index and the trailer.
pub const ALIGN: usize = 64;
/// The extension of event files, without the dot.
pub const EXTENSION: &str = "mse";

/// Which rows a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Schema {
    /// L2 book changes, trades and best quotes, as [`MarketRow`].
    Market = 1,
    /// Order-level (L3) events, as [`OrderRow`].
    Order = 2,
    /// Bars, as [`BarRow`].
    Bar = 3,
}

impl Schema {
    /// The schema behind a stored number, or `None` for one that this build does not know.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Market,
            2 => Self::Order,
            3 => Self::Bar,
            _ => return None,
        })
    }

    /// Bytes of one row.
    #[must_use]
    pub const fn row_bytes(self) -> usize {
        match self {
            Self::Market => size_of::<MarketRow>(),
            Self::Order => size_of::<OrderRow>(),
            Self::Bar => size_of::<BarRow>(),
        }
    }

    /// The name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Order => "order",
            Self::Bar => "bar",
        }
    }
}

/// A type of row that an event file can hold.
pub trait Row: Pod + sealed::Sealed {
    /// The schema whose files hold these rows.
    const SCHEMA: Schema;
    /// When we received it.
    fn recv_ns(&self) -> TimeNs;
    /// When the exchange says it happened; for a bar, when it opened.
    fn exch_ns(&self) -> TimeNs;
    /// Whether kind, flags and instrument index are within what this build knows.
    fn is_well_formed(&self, instruments: u16) -> bool;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for mainspring_core::event::MarketRow {}
    impl Sealed for mainspring_core::event::OrderRow {}
    impl Sealed for mainspring_core::event::BarRow {}
}

/// Bit `kind` is set for each kind of row that a [`Schema::Market`] file may hold.
const MARKET_KINDS: u32 = 0b11_1111_1110;
/// The same for [`Schema::Order`], which may hold the others too.
const ORDER_KINDS: u32 = MARKET_KINDS | (0b1111 << 16);

#[inline]
fn market_row_is_well_formed(row: &MarketRow, kinds: u32, instruments: u16) -> bool {
    // Without branches: this runs over every row of a file once.
    (row.kind < 32)
        & (kinds >> (row.kind & 31) & 1 != 0)
        & (row.flags & !mainspring_core::event::flags::ALL == 0)
        & (row.instrument < instruments)
}

impl Row for MarketRow {
    const SCHEMA: Schema = Schema::Market;
    #[inline]
    fn recv_ns(&self) -> TimeNs {
        self.recv_ns
    }
    #[inline]
    fn exch_ns(&self) -> TimeNs {
        self.exch_ns
    }
    #[inline]
    fn is_well_formed(&self, instruments: u16) -> bool {
        market_row_is_well_formed(self, MARKET_KINDS, instruments)
    }
}

impl Row for OrderRow {
    const SCHEMA: Schema = Schema::Order;
    #[inline]
    fn recv_ns(&self) -> TimeNs {
        self.market.recv_ns
    }
    #[inline]
    fn exch_ns(&self) -> TimeNs {
        self.market.exch_ns
    }
    #[inline]
    fn is_well_formed(&self, instruments: u16) -> bool {
        market_row_is_well_formed(&self.market, ORDER_KINDS, instruments)
    }
}

impl Row for BarRow {
    const SCHEMA: Schema = Schema::Bar;
    #[inline]
    fn recv_ns(&self) -> TimeNs {
        self.recv_ns
    }
    #[inline]
    fn exch_ns(&self) -> TimeNs {
        self.open_ns
    }
    #[inline]
    fn is_well_formed(&self, instruments: u16) -> bool {
        self.flags & !u16::from(mainspring_core::event::flags::ALL) == 0
            && self.instrument < instruments
    }
}

/// The first 64 bytes.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct HeaderPrefix {
    pub magic: [u8; 8],
    pub version: u32,
    pub schema: u32,
    pub row_bytes: u32,
    pub instruments: u32,
    pub json_len: u64,
    /// xxh3 of the prefix with this field zero, the JSON and the padding.
    pub checksum: u64,
    pub reserved: [u64; 3],
}

/// One chunk of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ChunkEntry {
    /// Number of its first row in the file.
    pub first_row: u64,
    /// How many rows it has.
    pub rows: u64,
    /// What the rows' price offsets count from, in ticks; zero in bar files.
    pub price_base: i64,
    /// Earliest and latest receive time.
    pub recv_ns: [TimeNs; 2],
    /// Earliest and latest exchange time (opening time of bars).
    pub exch_ns: [TimeNs; 2],
    /// xxh3 of its rows.
    pub checksum: u64,
}

/// The last 64 bytes.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Trailer {
    pub magic: [u8; 8],
    pub footer_at: u64,
    pub chunks: u64,
    pub json_len: u64,
    pub rows: u64,
    pub file_len: u64,
    /// xxh3 of everything from the end of the rows to the trailer.
    pub footer_checksum: u64,
    /// xxh3 of the fields above.
    pub checksum: u64,
}

const _: () = assert!(size_of::<HeaderPrefix>() == ALIGN);
const _: () = assert!(size_of::<ChunkEntry>() == ALIGN);
const _: () = assert!(size_of::<Trailer>() == ALIGN);

/// The checksum of chunks, header and footer.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}

impl HeaderPrefix {
    pub fn with_checksum(mut self, rest: &[u8]) -> Self {
        self.checksum = self.expected_checksum(rest);
        self
    }

    pub fn expected_checksum(&self, rest: &[u8]) -> u64 {
        let mut hasher = twox_hash::XxHash3_64::new();
        hasher.write(bytemuck::bytes_of(&Self { checksum: 0, ..*self }));
        hasher.write(rest);
        hasher.finish()
    }
}

impl Trailer {
    pub fn with_checksum(mut self) -> Self {
        self.checksum = self.expected_checksum();
        self
    }

    pub fn expected_checksum(&self) -> u64 {
        checksum(&bytemuck::bytes_of(self)[..ALIGN - 8])
    }
}

/// `bytes` with zeros behind up to the next multiple of [`ALIGN`].
pub(crate) fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    bytes
}

/// A failure of the data in a file.
pub(crate) fn data_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message)
}

/// Turns a failed conversion of a definition to or from JSON into one of ours.
pub(crate) fn json_error(what: &str) -> impl Fn(serde_json::Error) -> Error + '_ {
    move |error| data_error(format!("{what}: {error}"))
}

/// Names the file in an operating-system error; a missing file is [`ErrorKind::NotFound`].
pub(crate) fn io_error(path: &std::path::Path, doing: &str, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("{}: cannot {doing}: {error}", path.display()))
}

/// Shorthand of a result whose failure is about a file's content.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(data_error(message()))
    }
}
