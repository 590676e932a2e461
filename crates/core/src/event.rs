//! Market events as fixed-size rows, the unit of event files and of the feed.
//!
//! One row is one change: a level set, a trade, half of a best quote. Rows of one exchange
//! message are consecutive and the last carries [`flags::END_OF_MESSAGE`]; strategies and
//! features see the market only between messages.

use bytemuck::{Pod, Zeroable};

use crate::order::Side;
use crate::units::{Lots, Ticks, TimeNs};

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// Level of one side set to an absolute quantity; zero removes it.
    Depth = 1,
    /// A trade; the side flag is the taker's.
    Trade = 2,
    /// The best price and quantity of one side, from a best-bid-offer stream.
    Best = 3,
    /// The book of both sides is emptied; a snapshot follows.
    Clear = 4,
    /// From here to the next snapshot the book cannot be trusted.
    Gap = 5,
    /// Mark price: `qty_lots` holds the price in units of 10^-9 tick above `price`.
    Mark = 6,
    /// Funding settled now: `qty_lots` holds the rate in units of 10^-9.
    Funding = 7,
    /// Trading status: `qty_lots` is 1 trading, 0 halted.
    Status = 8,
    /// The price grid changes: `qty_lots` is the index of the version in the instrument.
    Grid = 9,
    /// L3: an order is added (needs an [`OrderRow`]).
    OrderAdd = 16,
    /// L3: an order's remaining quantity is set, priority kept when it shrinks.
    OrderModify = 17,
    /// L3: an order leaves the book unfilled.
    OrderDelete = 18,
    /// L3: an order is executed for this quantity.
    OrderExecute = 19,
}

impl RowKind {
    /// The kind behind a stored byte, or `None` for one that this build does not know.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Depth,
            2 => Self::Trade,
            3 => Self::Best,
            4 => Self::Clear,
            5 => Self::Gap,
            6 => Self::Mark,
            7 => Self::Funding,
            8 => Self::Status,
            9 => Self::Grid,
            16 => Self::OrderAdd,
            17 => Self::OrderModify,
            18 => Self::OrderDelete,
            19 => Self::OrderExecute,
            _ => return None,
        })
    }
}

/// Bits of [`MarketRow::flags`].
pub mod flags {
    /// The last row of its exchange message.
    pub const END_OF_MESSAGE: u8 = 1;
    /// Ask side of the book, or a seller as taker; clear means bid or buyer.
    pub const ASK: u8 = 2;
    /// The row belongs to a snapshot, not to an update.
    pub const SNAPSHOT: u8 = 4;
    /// All bits in use; others must be zero.
    pub const ALL: u8 = END_OF_MESSAGE | ASK | SNAPSHOT;
}

/// One market event of L2 data or trades: 32 bytes.
///
/// The price is relative to the base of the chunk that holds the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MarketRow {
    /// When we received it, corrected for clock offset.
    pub recv_ns: TimeNs,
    /// When the exchange says it happened.
    pub exch_ns: TimeNs,
    /// Quantity in lots, or what the kind says.
    pub qty_lots: i64,
    /// Price in ticks above the chunk's base.
    pub price_offset: i32,
    /// A [`RowKind`].
    pub kind: u8,
    /// Bits of [`flags`].
    pub flags: u8,
    /// Index of the instrument in its file.
    pub instrument: u16,
}

impl MarketRow {
    /// The side flag.
    #[inline]
    #[must_use]
    pub const fn side(&self) -> Side {
        if self.flags & flags::ASK == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// Whether the row ends its message.
    #[inline]
    #[must_use]
    pub const fn ends_message(&self) -> bool {
        self.flags & flags::END_OF_MESSAGE != 0
    }

    /// The row as it can be run again: nothing happened after we heard of it, whatever the venue's clock
    /// says.
    #[inline]
    #[must_use]
    pub fn heard_by(self, now_ns: TimeNs) -> Self {
        Self { exch_ns: self.exch_ns.min(now_ns), ..self }
    }

    /// The price in ticks.
    #[inline]
    #[must_use]
    pub const fn price(&self, base: Ticks) -> Ticks {
        Ticks(base.0 + self.price_offset as i64)
    }

    /// The quantity.
    #[inline]
    #[must_use]
    pub const fn qty(&self) -> Lots {
        Lots(self.qty_lots)
    }
}

/// One order-level (L3) event: a [`MarketRow`] with the venue's order id, 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct OrderRow {
    /// Time, price, quantity, kind, flags.
    pub market: MarketRow,
    /// The venue's id of the order.
    pub order_id: u64,
}

/// One bar of an imported bar file: 64 bytes. Bars built by the kernel have the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BarRow {
    /// When the bar was complete and known to us.
    pub recv_ns: TimeNs,
    /// When the bar opened.
    pub open_ns: TimeNs,
    /// First price.
    pub open: Ticks,
    /// Highest price.
    pub high: Ticks,
    /// Lowest price.
    pub low: Ticks,
    /// Last price.
    pub close: Ticks,
    /// Quantity traded.
    pub volume: Lots,
    /// Number of trades, where known.
    pub trades: u32,
    /// Index of the instrument in its file.
    pub instrument: u16,
    /// Bits of [`flags`].
    pub flags: u16,
}

const _: () = assert!(size_of::<MarketRow>() == 32);
const _: () = assert!(size_of::<OrderRow>() == 40);
const _: () = assert!(size_of::<BarRow>() == 64);
