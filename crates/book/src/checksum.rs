//! Checksums that venues send with their books, recomputed from a book.
//!
//! Importers compare them with the ones in a recording after each message; a difference means
//! that the recording, or our reading of it, has lost something.

use mainspring_core::decimal::Decimal;
use mainspring_core::order::Side;

use crate::l2::L2Book;

const OKX_LEVELS: usize = 25;
const KRAKEN_LEVELS: usize = 10;

/// OKX: CRC-32 over `bid:size:ask:size:...` of the best 25 levels of both sides in turn, with
/// prices and sizes as the venue writes them (no trailing zeros), as a signed number.
///
/// `tick` and `lot` are what one tick of price and one lot of quantity of this book stand for in
/// the venue's messages (for contracts a lot counts contracts). When a side has fewer levels, the
/// other's remaining levels follow alone. The venue has sent 0 since June 2026; the checksum
/// proves older recordings.
#[must_use]
pub fn okx_checksum(book: &L2Book, tick: Decimal, lot: Decimal) -> i32 {
    let mut crc = Crc32::new();
    let mut is_first = true;
    let mut bids = book.levels(Side::Buy).take(OKX_LEVELS);
    let mut asks = book.levels(Side::Sell).take(OKX_LEVELS);
    loop {
        let pair = [bids.next(), asks.next()];
        if pair == [None, None] {
            return crc.finish() as i32;
        }
        for (price, qty) in pair.into_iter().flatten() {
            if !is_first {
                crc.update(b":");
            }
            is_first = false;
            crc.update_decimal(scaled(price.0, tick), tick.scale());
            crc.update(b":");
            crc.update_decimal(scaled(qty.0, lot), lot.scale());
        }
    }
}

/// Kraken (websocket v1): CRC-32 over the digits of price and volume of the best 10 asks, then
/// the best 10 bids.
///
/// `price_decimals` and `qty_decimals` are the places the venue writes, which may be more than
/// those of `tick` and `lot`; digits are without point and leading zeros. `None` when a price or
/// quantity has more places than that.
#[must_use]
pub fn kraken_checksum(
    book: &L2Book,
    (tick, price_decimals): (Decimal, u8),
    (lot, qty_decimals): (Decimal, u8),
) -> Option<u32> {
    let tick = tick.to_scale(price_decimals)?;
    let lot = lot.to_scale(qty_decimals)?;
    let mut crc = Crc32::new();
    for side in [Side::Sell, Side::Buy] {
        for (price, qty) in book.levels(side).take(KRAKEN_LEVELS) {
            crc.update_digits(i128::from(price.0) * tick);
            crc.update_digits(i128::from(qty.0) * lot);
        }
    }
    Some(crc.finish())
}

fn scaled(count: i64, unit: Decimal) -> i128 {
    i128::from(count) * i128::from(unit.mantissa())
}

/// CRC-32 as in zlib (reflected polynomial 0xEDB88320).
struct Crc32(u32);

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = (rest >> 1) ^ (0xEDB8_8320 * (rest & 1));
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

impl Crc32 {
    const fn new() -> Self {
        Self(u32::MAX)
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let index = (self.0 ^ u32::from(*byte)) & 0xFF;
            self.0 = (self.0 >> 8) ^ CRC_TABLE[index as usize];
        }
    }

    /// `value` in decimal, with its sign.
    fn update_digits(&mut self, value: i128) {
        let mut text = [0; DIGITS];
        if value < 0 {
            self.update(b"-");
        }
        self.update(decimal_digits(value.unsigned_abs(), &mut text));
    }

    /// `value * 10^-scale` in decimal without trailing zeros.
    fn update_decimal(&mut self, mut value: i128, mut scale: u8) {
        while scale > 0 && value % 10 == 0 {
            value /= 10;
            scale -= 1;
        }
        let unit = 10_i128.pow(u32::from(scale));
        if value < 0 && value / unit == 0 {
            self.update(b"-");
        }
        self.update_digits(value / unit);
        if scale > 0 {
            let mut text = [0; DIGITS];
            // A leading one keeps the zeros behind the point.
            let fraction = (value % unit).unsigned_abs() + unit.unsigned_abs();
            self.update(b".");
            self.update(&decimal_digits(fraction, &mut text)[1..]);
        }
    }

    const fn finish(self) -> u32 {
        !self.0
    }
}

/// Digits of the largest `u128`.
const DIGITS: usize = 39;

fn decimal_digits(mut value: u128, text: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = DIGITS;
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &text[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::{Lots, Ticks};

    fn crc(text: &str) -> u32 {
        let mut crc = Crc32::new();
        crc.update(text.as_bytes());
        crc.finish()
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_crc_is_the_standard_one() {
        assert_eq!(crc("123456789"), 0xCBF4_3926);
    }

    #[test]
    fn decimals_are_written_as_the_decimal_type_writes_them() {
        for unit in ["0.1", "0.25", "0.00000001", "5", "1"] {
            for count in [0, 1, -1, 7, 10, 40, -40, 99_999, 1_000_000_007, i64::MAX, i64::MIN] {
                let unit = decimal(unit);
                let mut written = Crc32::new();
                written.update_decimal(scaled(count, unit), unit.scale());
                assert_eq!(written.finish(), crc(&unit.times(count)), "{count} x {unit}");
            }
        }
    }

    #[test]
    fn okx_interleaves_and_lets_the_longer_side_run_on() {
        let mut book = L2Book::default();
        for (side, price, qty) in
            [(Side::Buy, 33_661, 7), (Side::Sell, 33_668, 9), (Side::Sell, 33_680, 80)]
        {
            book.set(side, Ticks(price), Lots(qty));
        }
        let sum = okx_checksum(&book, decimal("0.1"), decimal("0.1"));
        assert_eq!(sum as u32, crc("3366.1:0.7:3366.8:0.9:3368:8"));
    }

    #[test]
    fn kraken_writes_fixed_places_without_point_and_leading_zeros() {
        let mut book = L2Book::default();
        book.set(Side::Sell, Ticks(5_005), Lots(5));
        book.set(Side::Buy, Ticks(5_000), Lots(2_000));
        let sum = kraken_checksum(&book, (decimal("0.00001"), 5), (decimal("0.001"), 8));
        assert_eq!(sum, Some(crc("50055000005000200000000")));
        assert_eq!(kraken_checksum(&book, (decimal("0.001"), 2), (decimal("1"), 8)), None);
    }
}
