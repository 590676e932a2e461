//! Numbers of messages, sixteen bytes at a time: digits straight to ticks, lots and ids.
//!
//! A word of sixteen bytes holds every number that venues send in hot messages, with its end. Whatever
//! does not fit is left to the general reader.

pub(crate) const ZEROS: u128 = 0x3030_3030_3030_3030_3030_3030_3030_3030;
const SIXES: u128 = 0x0606_0606_0606_0606_0606_0606_0606_0606;
const HIGH: u128 = 0xf0f0_f0f0_f0f0_f0f0_f0f0_f0f0_f0f0_f0f0;

/// How many decimal places a unit has and how many of those it is (0.5 is 5 of 1 place).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Decimal places.
    pub places: u8,
    /// The unit in the last of these places.
    pub mantissa: i64,
}

/// The sixteen bytes at a place.
#[inline]
fn word(text: &[u8], at: usize) -> Option<u128> {
    let bytes = text.get(at..at.checked_add(16)?)?;
    Some(u128::from_le_bytes(bytes.try_into().ok()?))
}

/// The eight bytes at a place, `'0'` taken from each by exclusive or.
#[inline]
pub(crate) fn word8(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?) ^ ZEROS as u64)
}

/// As [`leading_digits`], of eight bytes.
#[inline]
pub(crate) const fn leading8(digits: u64) -> usize {
    let other = (digits.wrapping_add(SIXES as u64) | digits) & HIGH as u64;
    (other.trailing_zeros() / 8) as usize
}

/// As [`value_of`], of one to eight digits.
#[inline]
const fn value8(digits: u64, count: usize) -> u64 {
    eight(digits << ((8 - count) * 8))
}

/// How many of the bytes in front are digits. `digits` is the word with `'0'` taken from each byte by
/// exclusive or: a digit leaves a value under ten.
#[inline]
const fn leading_digits(digits: u128) -> usize {
    // Seven more would reach the upper half of the byte from ten on; carries only go upwards, behind
    // the first byte that is no digit.
    let other = ((digits.wrapping_add(SIXES)) | digits) & HIGH;
    (other.trailing_zeros() / 8) as usize
}

/// The number behind `count` digits, the first of them in the lowest byte.
#[inline]
const fn value_of(digits: u128, count: usize) -> u64 {
    // Digits move to the top: what stands below are leading zeros.
    let aligned = digits << ((16 - count) * 8);
    let high = eight(aligned as u64);
    let low = eight((aligned >> 64) as u64);
    high * 100_000_000 + low
}

/// Eight digits in as many bytes, the most significant in the lowest: pairs, fours, all.
#[inline]
pub(crate) const fn eight(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

/// A whole number of at most fifteen digits at a place, and the place behind it; as JSON has it, without
/// leading zeros.
#[inline]
#[must_use]
pub fn whole(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let Some((first, second)) = word8(text, at).zip(word8(text, at + 8)) else {
        return whole_of_word(text, at);
    };
    let length = leading8(first);
    let behind = if length == 8 { leading8(second) } else { 0 };
    if length == 0 || behind > 7 || (first as u8 == 0 && length > 1) {
        return whole_of_word(text, at);
    }
    let value = match behind {
        0 => value8(first, length),
        _ => eight(first) * POWERS[behind] as u64 + value8(second, behind),
    };
    Some((value as i64, at + length + behind))
}

/// The same for numbers that are longer, or nearer to the end of the text.
fn whole_of_word(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let digits = word(text, at)? ^ ZEROS;
    let count = leading_digits(digits);
    if count == 0 || count > 15 || (digits as u8 == 0 && count > 1) {
        return None;
    }
    Some((value_of(digits, count) as i64, at + count))
}

/// A decimal number at a place, as a count of units, and the place behind it. `None` also when it is no
/// whole number of units.
#[inline]
#[must_use]
pub fn count(text: &[u8], at: usize, unit: Unit) -> Option<(i64, usize)> {
    short_count(text, at, unit).or_else(|| long_count(text, at, unit))
}

/// Up to seven digits in front of the point and eight behind it, which is nearly all there is.
#[inline]
fn short_count(text: &[u8], at: usize, unit: Unit) -> Option<(i64, usize)> {
    let front = word8(text, at)?;
    let length = leading8(front);
    if length == 0 || length == 8 || unit.mantissa != 1 || unit.places > 8 {
        return None;
    }
    let power = POWERS[usize::from(unit.places)];
    let whole = value8(front, length) as i64 * power;
    let point = at + length;
    if text[point] != b'.' {
        return Some((whole, point));
    }
    let back = word8(text, point + 1)?;
    let places = leading8(back);
    let end = point + 1 + places;
    if places == 0 || text.get(end).is_none_or(u8::is_ascii_digit) {
        return None;
    }
    let fraction = value8(back, places) as i64;
    let own = usize::from(unit.places);
    let fraction = match places > own {
        true => shortened(fraction, places - own)?,
        false => fraction * POWERS[own - places],
    };
    Some((whole + fraction, end))
}

/// Every other number that fits a word of sixteen bytes.
#[cold]
fn long_count(text: &[u8], at: usize, unit: Unit) -> Option<(i64, usize)> {
    let digits = word(text, at)? ^ ZEROS;
    let whole = leading_digits(digits);
    if whole == 0 || whole > 15 {
        return None;
    }
    if text.get(at + whole) != Some(&b'.') {
        let value = value_of(digits, whole) as i64;
        return scaled(value, 0, unit).map(|count| (count, at + whole));
    }
    // The point leaves, what is behind it moves down.
    let below = (1_u128 << (whole * 8)) - 1;
    let joined = (digits & below) | (digits >> 8 & !below);
    // The byte that came in at the top is no digit.
    let total = leading_digits(joined | 0xff << 120);
    let places = total - whole;
    // The end must be in the word as well.
    if places == 0 || total > 14 {
        return None;
    }
    let value = value_of(joined & ((1_u128 << (total * 8)) - 1), total) as i64;
    scaled(value, places, unit).map(|count| (count, at + total + 1))
}

/// `value * 10^-places` as a count of units, exactly or not at all.
#[inline]
fn scaled(value: i64, places: usize, unit: Unit) -> Option<i64> {
    let own = usize::from(unit.places);
    let value = match places.cmp(&own) {
        std::cmp::Ordering::Equal => value,
        std::cmp::Ordering::Less => value.checked_mul(*POWERS.get(own - places)?)?,
        std::cmp::Ordering::Greater => shortened(value, places - own)?,
    };
    match unit.mantissa {
        1 => Some(value),
        0 => None,
        step => (value % step == 0).then(|| value / step),
    }
}

pub(crate) const POWERS: [i64; 16] = {
    let mut powers = [1_i64; 16];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A number without its last digits, which must be zeros. Divisors are constants, so that no division is
/// left.
#[inline]
fn shortened(value: i64, digits: usize) -> Option<i64> {
    macro_rules! by {
        ($power:expr) => {{
            let quotient = value / $power;
            (quotient * $power == value).then_some(quotient)
        }};
    }
    match digits {
        1 => by!(10),
        2 => by!(100),
        3 => by!(1_000),
        4 => by!(10_000),
        5 => by!(100_000),
        6 => by!(1_000_000),
        7 => by!(10_000_000),
        8 => by!(100_000_000),
        _ => by!(*POWERS.get(digits)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::Decimal;
    use proptest::prelude::*;

    fn padded(text: &str) -> Vec<u8> {
        format!("{text}\",\"T\":1723161256313").into_bytes()
    }

    fn unit(text: &str) -> (Unit, Decimal) {
        let decimal: Decimal = text.parse().unwrap();
        (Unit { places: decimal.scale(), mantissa: decimal.mantissa() }, decimal)
    }

    #[test]
    fn prices_and_ids_of_real_messages() {
        let (tick, _) = unit("0.1");
        assert_eq!(count(&padded("61800.20"), 0, tick), Some((618_002, 8)));
        let (tick, _) = unit("0.01");
        assert_eq!(count(&padded("61837.63000000"), 0, tick), Some((6_183_763, 14)));
        assert_eq!(count(&padded("61837.635"), 0, tick), None);
        assert_eq!(count(&padded("0"), 0, tick), Some((0, 1)));
        assert_eq!(whole(b"5123107839020,\"s\":\"BTCUSDT\"", 0), Some((5_123_107_839_020, 13)));
        for wrong in ["01,xxxxxxxxxxxxxxxx", "-1,xxxxxxxxxxxxxxxxxx", "x", "12"] {
            assert_eq!(whole(wrong.as_bytes(), 0), None, "{wrong}");
        }
        for wrong in [".5", "-5", "5.", "+5", "", "1234567890123456.7"] {
            assert_eq!(count(&padded(wrong), 0, tick), None, "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whatever is read is what the exact decimal has, and ends where it ends.
        #[test]
        fn reads_as_the_decimal_does(
            text in "[0-9]{1,9}(\\.[0-9]{1,9})?",
            tick in prop::sample::select(vec!["1", "0.1", "0.5", "0.01", "0.001", "0.00001", "25", "0.00000001"]),
        ) {
            let (unit, decimal) = unit(tick);
            let read = count(&padded(&text), 0, unit);
            let exact = Decimal::from_ascii(text.as_bytes()).and_then(|value| value.count_of(decimal));
            if let Some((value, end)) = read {
                prop_assert_eq!(Some(value), exact);
                prop_assert_eq!(end, text.len());
            } else {
                // Only what is off the unit, or longer than a word, is left.
                prop_assert!(exact.is_none() || text.len() > 15, "{} in {}", text, tick);
            }
        }

        #[test]
        fn any_bytes_are_read_as_the_decimal_does(bytes in prop::collection::vec(any::<u8>(), 16..40), start in prop::collection::vec(0x2d_u8..0x3a, 0..14)) {
            let text: Vec<u8> = start.into_iter().chain(bytes).collect();
            let (unit, decimal) = unit("0.01");
            if let Some((value, end)) = count(&text, 0, unit) {
                let exact = Decimal::from_ascii(&text[..end]).and_then(|read| read.count_of(decimal));
                prop_assert_eq!(Some(value), exact);
                prop_assert!(!text[end].is_ascii_digit());
            }
            if let Some((value, end)) = whole(&text, 0) {
                prop_assert_eq!(Some(value), crate::json::integer(&text[..end]));
            }
        }
    }
}
