//! Numbers as text: decimal, hexadecimal, and counts of a unit.

use mainspring_core::Decimal;

/// Room for every number: twenty digits, a point, nineteen places, a sign.
const ROOM: usize = 44;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// `00` to `ff`.
const HEX_PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut at = 0;
    while at < 256 {
        pairs[at] = [digits[at >> 4], digits[at & 15]];
        at += 1;
    }
    pairs
};

/// The text of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numeral {
    bytes: [u8; ROOM],
    from: usize,
    to: usize,
}

impl Numeral {
    const EMPTY: Self = Self { bytes: [0; ROOM], from: ROOM, to: ROOM };

    /// A whole number.
    #[inline]
    pub(crate) fn decimal(value: u64) -> Self {
        let mut numeral = Self::EMPTY;
        numeral.put_whole(value);
        numeral
    }

    /// `count * unit` without trailing zeros; `None` where its digits are more than 64 bits.
    #[inline]
    pub(crate) fn count(unit: Decimal, count: i64) -> Option<Self> {
        let value = unit.mantissa().checked_mul(count)?;
        let mut numeral = Self::EMPTY;
        let mut rest = value.unsigned_abs();
        for _ in 0..unit.scale() {
            let digit = (rest % 10) as u8;
            rest /= 10;
            // Zeros at the end are not written.
            if digit == 0 && numeral.from == numeral.to {
                continue;
            }
            numeral.put(b'0' + digit);
        }
        if numeral.from < numeral.to {
            numeral.put(b'.');
        }
        numeral.put_whole(rest);
        if value < 0 {
            numeral.put(b'-');
        }
        Some(numeral)
    }

    #[inline]
    fn put(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    #[inline]
    fn put_whole(&mut self, mut value: u64) {
        while value >= 10 {
            let [tens, ones] = PAIRS[(value % 100) as usize];
            value /= 100;
            self.put(ones);
            self.put(tens);
        }
        // What is left is one digit, or nothing of a number that had an even count of them.
        if value > 0 || self.from == self.to || !self.bytes[self.from].is_ascii_digit() {
            self.put(b'0' + value as u8);
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    #[inline]
    fn as_text(&self) -> &str {
        ascii(self.as_bytes())
    }
}

/// Bytes that were written here, all of them ASCII, as text.
#[inline]
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// The hexadecimal digits of a number, all sixteen.
#[inline]
pub(crate) fn hex_of(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(value.to_be_bytes()) {
        *place = HEX_PAIRS[usize::from(byte)];
    }
    digits
}

/// The hexadecimal digits of a code.
#[inline]
pub(crate) fn hex_of_code(code: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    for (place, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(code) {
        *place = HEX_PAIRS[usize::from(*byte)];
    }
    digits
}

/// Appends the lowest `digits` hexadecimal digits, sixteen at most.
#[inline]
pub(crate) fn push_hex(text: &mut String, value: u64, digits: usize) {
    let all = hex_of(value);
    text.push_str(ascii(&all[all.len().saturating_sub(digits)..]));
}

/// Appends bytes as hexadecimal digits.
pub(crate) fn push_hex_bytes(text: &mut String, bytes: &[u8]) {
    let (codes, rest) = bytes.as_chunks::<32>();
    codes.iter().for_each(|code| text.push_str(ascii(&hex_of_code(code))));
    rest.iter().for_each(|byte| text.push_str(ascii(&HEX_PAIRS[usize::from(*byte)])));
}

/// Appends a whole number.
#[inline]
pub(crate) fn push_decimal(text: &mut String, value: u64) {
    text.push_str(Numeral::decimal(value).as_text());
}

/// Appends a count of units as decimal text without trailing zeros: `count * unit`.
#[inline]
pub(crate) fn push_count(text: &mut String, unit: Decimal, count: i64) {
    match Numeral::count(unit, count) {
        Some(numeral) => text.push_str(numeral.as_text()),
        None => text.push_str(&unit.times(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_whole_numbers() {
        for value in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1_000, 10_000, u64::MAX - 1, u64::MAX] {
            assert_eq!(Numeral::decimal(value).as_bytes(), value.to_string().as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn numbers_are_written_as_they_are_formatted(value: u64, shift in 0_u32..64, digits in 1_usize..17) {
            let value = value >> shift;
            let mut text = String::new();
            push_decimal(&mut text, value);
            prop_assert_eq!(&text, &value.to_string());
            text.clear();
            push_hex(&mut text, value, digits);
            let hex = format!("{value:016x}");
            prop_assert_eq!(&text, &hex[16 - digits..]);
        }

        #[test]
        fn bytes_are_written_as_they_are_formatted(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut text = String::new();
            push_hex_bytes(&mut text, &bytes);
            prop_assert_eq!(text, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }

        #[test]
        fn counts_are_written_as_the_decimal_is(
            mantissa in prop_oneof![1_i64..100_000, any::<i64>()],
            scale in 0_u8..=18,
            count in prop_oneof![-1_000_000_i64..1_000_000, any::<i64>()],
        ) {
            if let Ok(unit) = Decimal::new(mantissa, scale) {
                let mut text = String::new();
                push_count(&mut text, unit, count);
                prop_assert_eq!(text, unit.times(count));
            }
        }
    }
}
