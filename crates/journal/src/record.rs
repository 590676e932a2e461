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

    /// Writes the record's bytes.
    ///
    /// A record made for every step of an order is put field by field: one that is made in small
    /// pieces and copied at once in large ones stalls a processor, which has to wait until the
    /// pieces are in its cache.
    ///
    /// # Panics
    /// When `to` is not as long as the record.
    #[inline]
    fn put(&self, to: &mut [u8]) {
        to.copy_from_slice(bytemuck::bytes_of(self));
    }
}

/// Puts fields one behind the other.
macro_rules! put_fields {
    ($to:ident: $($bytes:expr),+ $(,)?) => {{
        let mut at = 0;
        $(
            let bytes = $bytes;
            $to[at..at + bytes.len()].copy_from_slice(&bytes);
            at += bytes.len();
        )+
        debug_assert_eq!(at, $to.len());
    }};
}

/// The small fields at the end of a record, put together in a register: one store instead of six.
#[inline]
const fn word(strategy: u16, instrument: u16, side: i8, rest: [u8; 3]) -> [u8; 8] {
    let [a, b, c] = rest;
    let high = (a as u64) << 40 | (b as u64) << 48 | (c as u64) << 56;
    let low = strategy as u64 | (instrument as u64) << 16 | (side as u8 as u64) << 32;
    (low | high).to_le_bytes()
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

    #[inline]
    fn put(&self, to: &mut [u8]) {
        let to = &mut to[..size_of::<Self>()];
        put_fields!(to:
            self.time_ns.to_le_bytes(),
            self.order_id.to_le_bytes(),
            self.price_ticks.to_le_bytes(),
            self.qty_lots.to_le_bytes(),
            self.filled_lots.to_le_bytes(),
            word(self.strategy, self.instrument, self.side, [self.order_type, self.state, self.reason]),
        );
    }
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

    #[inline]
    fn put(&self, to: &mut [u8]) {
        let to = &mut to[..size_of::<Self>()];
        let reserved = self.reserved.to_le_bytes();
        put_fields!(to:
            self.time_ns.to_le_bytes(),
            self.exch_ns.to_le_bytes(),
            self.order_id.to_le_bytes(),
            self.price_ticks.to_le_bytes(),
            self.qty_lots.to_le_bytes(),
            self.position_lots.to_le_bytes(),
            self.mid2_ticks.to_le_bytes(),
            self.fee.0,
            self.realised.0,
            word(self.strategy, self.instrument, self.side, [self.maker, reserved[0], reserved[1]]),
        );
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a record puts is what it is in memory.
    fn assert_puts_itself<R: Record>(bytes: &[u8]) {
        let record: R = bytemuck::pod_read_unaligned(&bytes[..size_of::<R>()]);
        let mut put = vec![0; size_of::<R>()];
        record.put(&mut put);
        assert_eq!(put, bytemuck::bytes_of(&record));
    }

    proptest! {
        #[test]
        fn records_put_what_they_are(bytes in prop::collection::vec(any::<u8>(), 256)) {
            assert_puts_itself::<OrderRecord>(&bytes);
            assert_puts_itself::<FillRecord>(&bytes);
            assert_puts_itself::<EquityRecord>(&bytes);
            assert_puts_itself::<PositionRecord>(&bytes);
        }
    }
}
