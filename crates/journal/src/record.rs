//! What a log holds: one fixed layout per kind, little-endian.

use bytemuck::{Pod, Zeroable};
use mainspring_core::Money;

/// An `i128` as bytes, so that records have no alignment needs of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Wide([u8; 16]);

impl From<Money> for Wide {
    fn from(value: Money) -> Self {
        Self(value.0.to_le_bytes())
    }
}

impl From<Wide> for Money {
    fn from(value: Wide) -> Self {
        Self(i128::from_le_bytes(value.0))
    }
}

/// A fixed-size record.
pub trait Record: Pod {
    /// The byte that names the kind in the log.
    const KIND: u8;
}

/// An order changed its state for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct OrderRecord {
    /// When we knew.
    pub time_ns: i64,
    /// Our order.
    pub order_id: u64,
    /// Limit price in ticks.
    pub price_ticks: i64,
    /// Total quantity in lots.
    pub qty_lots: i64,
    /// Filled quantity in lots.
    pub filled_lots: i64,
    /// Index of the strategy.
    pub strategy: u16,
    /// Index of the instrument.
    pub instrument: u16,
    /// +1 buy, -1 sell.
    pub side: i8,
    /// Code of the order type.
    pub order_type: u8,
    /// Code of the new state.
    pub state: u8,
    /// Code of the reason of a reject or cancel, 0 for none.
    pub reason: u8,
}

impl Record for OrderRecord {
    const KIND: u8 = 1;
}

/// Part of an order traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct FillRecord {
    /// When we knew.
    pub time_ns: i64,
    /// When the venue matched.
    pub exch_ns: i64,
    /// Our order.
    pub order_id: u64,
    /// Price in ticks.
    pub price_ticks: i64,
    /// Quantity in lots.
    pub qty_lots: i64,
    /// Position of the strategy in the instrument afterwards.
    pub position_lots: i64,
    /// Our best bid plus best ask in ticks at `time_ns`; `i64::MIN` without a two-sided book.
    pub mid2_ticks: i64,
    /// Fee in money quanta; positive is a cost.
    pub fee: Wide,
    /// Profit realised by this fill, before the fee.
    pub realised: Wide,
    /// Index of the strategy.
    pub strategy: u16,
    /// Index of the instrument.
    pub instrument: u16,
    /// +1 bought, -1 sold.
    pub side: i8,
    /// 1 when we were the maker.
    pub maker: u8,
    /// Zero.
    pub reserved: u16,
}

impl Record for FillRecord {
    const KIND: u8 = 2;
}

/// The account at one moment, in the report currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct EquityRecord {
    /// When.
    pub time_ns: i64,
    /// Deposits plus everything below.
    pub equity: Wide,
    /// Realised profit before fees.
    pub realised: Wide,
    /// Unrealised profit at mid.
    pub unrealised: Wide,
    /// Fees paid, positive is a cost.
    pub fees: Wide,
    /// Funding received.
    pub funding: Wide,
}

impl Record for EquityRecord {
    const KIND: u8 = 3;
}

/// One position at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PositionRecord {
    /// When.
    pub time_ns: i64,
    /// Signed quantity.
    pub position_lots: i64,
    /// Our best bid, `i64::MIN` where empty.
    pub bid_ticks: i64,
    /// Our best ask, `i64::MAX` where empty.
    pub ask_ticks: i64,
    /// Realised profit before fees.
    pub realised: Wide,
    /// Unrealised profit at mid.
    pub unrealised: Wide,
    /// Fees paid.
    pub fees: Wide,
    /// Funding received.
    pub funding: Wide,
    /// Index of the strategy.
    pub strategy: u16,
    /// Index of the instrument.
    pub instrument: u16,
    /// Zero.
    pub reserved: u32,
}

impl Record for PositionRecord {
    const KIND: u8 = 4;
}

/// Kind byte of text messages, whose length varies.
pub const MESSAGE_KIND: u8 = 5;

/// Something worth telling a person: a strategy error, a halt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// When.
    pub time_ns: i64,
    /// What, in UTF-8, at most [`MessageRecord::MAX_BYTES`].
    pub text: String,
}

impl MessageRecord {
    /// Longest text; the rest is cut.
    pub const MAX_BYTES: usize = 4_096;
}
