//! Exact decimal text, for definitions and boundaries; the hot path counts ticks and lots.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The most decimal places a [`Decimal`] may have.
pub const MAX_SCALE: u8 = 18;

/// `mantissa * 10^-scale`, kept normalised (no trailing zeros in the mantissa).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    /// One.
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// `mantissa * 10^-scale`, normalised.
    ///
    /// # Errors
    /// When `scale` is above [`MAX_SCALE`] after normalising.
    pub fn new(mut mantissa: i64, mut scale: u8) -> Result<Self> {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        if scale > MAX_SCALE {
            return Err(Error::new(
                ErrorKind::Value,
                format!("a decimal has at most {MAX_SCALE} places, this one has {scale}"),
            ));
        }
        Ok(Self { mantissa, scale })
    }

    /// The integer mantissa.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The number of decimal places.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The value as a count of `10^-scale` units, or `None` when it is finer than that or overflows.
    #[must_use]
    pub fn to_scale(self, scale: u8) -> Option<i128> {
        let shift = scale.checked_sub(self.scale)?;
        i128::from(self.mantissa).checked_mul(10_i128.checked_pow(u32::from(shift))?)
    }

    /// Reads plain notation, `[-]digits[.digits]`, from bytes without allocating.
    ///
    /// The inner loop of every importer: `None` for anything else, exponents and signs `+` included.
    #[must_use]
    pub fn from_ascii(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let mut mantissa: i64 = 0;
        let mut at = 0;
        while let Some(digit) = digits.get(at).map(|byte| byte.wrapping_sub(b'0')) {
            if digit > 9 {
                break;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i64::from(digit))?;
            at += 1;
        }
        if at == 0 {
            return None;
        }
        let mut scale = 0;
        if at < digits.len() {
            let fraction = digits.get(at + 1..).filter(|f| digits[at] == b'.' && !f.is_empty())?;
            (mantissa, scale) = push_fraction(mantissa, fraction)?;
        }
        Some(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// How many whole `unit`s the value is, or `None` when it is not a whole number of them.
    #[inline]
    #[must_use]
    pub fn count_of(self, unit: Self) -> Option<i64> {
        // Both are normalised: a value with more places than the unit is no multiple of it.
        let shift = unit.scale.checked_sub(self.scale)?;
        if let Some(value) =
            POWERS.get(usize::from(shift)).and_then(|power| self.mantissa.checked_mul(*power))
        {
            return match unit.mantissa {
                0 => None,
                1 => Some(value),
                step => (value % step == 0).then(|| value / step),
            };
        }
        self.count_of_wide(unit)
    }

    fn count_of_wide(self, unit: Self) -> Option<i64> {
        let scale = self.scale.max(unit.scale);
        let value = self.to_scale(scale)?;
        let unit = unit.to_scale(scale)?;
        if unit == 0 || value % unit != 0 {
            return None;
        }
        i64::try_from(value / unit).ok()
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Both operands are exact up to 2^53 and 10^22, so the quotient is correctly rounded there.
        self.mantissa as f64 / 10_f64.powi(i32::from(self.scale))
    }

    /// A float by the fewest digits that tell it from every other, as people see it, cut after
    /// [`MAX_SCALE`] places; `None` when it is not finite or too large. Allocates nothing.
    #[must_use]
    pub fn of_f64(value: f64) -> Option<Self> {
        let mut digits = Digits { bytes: [0; 64], len: 0 };
        fmt::Write::write_fmt(&mut digits, format_args!("{value}")).ok()?;
        Self::from_ascii(digits.text())
    }

    /// `count * self` as decimal text, the exact value of `count` units.
    #[must_use]
    pub fn times(self, count: i64) -> String {
        format_scaled(i128::from(self.mantissa) * i128::from(count), self.scale)
    }
}

/// A float as text, in fixed room.
struct Digits {
    bytes: [u8; 64],
    len: usize,
}

impl Digits {
    /// As many places as a decimal has.
    fn text(&self) -> &[u8] {
        let text = &self.bytes[..self.len];
        let point = text.iter().position(|byte| *byte == b'.').unwrap_or(self.len);
        &text[..self.len.min(point.saturating_add(1 + usize::from(MAX_SCALE)))]
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let fits = room.len().min(text.len());
        room[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        // What does not fit must be behind all places that count.
        let is_read = fits == text.len() || self.bytes[..32].contains(&b'.');
        is_read.then_some(()).ok_or(fmt::Error)
    }
}

/// `value * 10^-scale` as decimal text without trailing zeros.
#[must_use]
pub fn format_scaled(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let places = usize::from(scale);
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_scaled(i128::from(self.mantissa), self.scale))
    }
}

impl FromStr for Decimal {
    type Err = Error;

    /// Reads `[-+]digits[.digits][e[-+]digits]`.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::new(ErrorKind::Value, format!("'{text}' is not a decimal number (like 0.001)"))
        })
    }
}

const POWERS: [i64; 19] = {
    let mut powers = [1_i64; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Appends the digits of a fraction to a mantissa, trailing zeros left out: the mantissa and its places.
fn push_fraction(mut mantissa: i64, fraction: &[u8]) -> Option<(i64, u8)> {
    let mut scale = 0_usize;
    for (at, byte) in fraction.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if digit != 0 {
            let places = at + 1;
            mantissa = mantissa
                .checked_mul(*POWERS.get(places - scale)?)?
                .checked_add(i64::from(digit))?;
            scale = places;
        }
    }
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
    Some((mantissa, scale))
}

fn parse(text: &str) -> Option<Decimal> {
    let (body, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, body) = match body.as_bytes().first()? {
        b'-' => (true, &body[1..]),
        b'+' => (false, &body[1..]),
        _ => (false, body),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut mantissa: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        mantissa = mantissa.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
    }
    let mut scale = i32::try_from(fraction.len()).ok()? - exponent;
    while scale < 0 {
        mantissa = mantissa.checked_mul(10)?;
        scale += 1;
    }
    Decimal::new(if negative { -mantissa } else { mantissa }, u8::try_from(scale).ok()?).ok()
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_string())
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_without_trailing_zeros() {
        for (text, shown) in
            [("0.00100", "0.001"), ("-12.5", "-12.5"), ("1e-8", "0.00000001"), ("2.5E2", "250")]
        {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", ".", "1.2.3", "abc", "1e", "99999999999999999999", "--1", "0x10", "NaN"] {
            assert!(text.parse::<Decimal>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn bytes_and_text_are_read_alike() {
        for text in ["0", "-0.50", "61837.63000000", "0.00000637", "123456789012.00000000", "7."] {
            let from_text = text.parse::<Decimal>().ok().filter(|_| !text.ends_with('.'));
            assert_eq!(Decimal::from_ascii(text.as_bytes()), from_text, "{text}");
        }
        for text in ["", "-", ".5", "1e3", "+1", "1.2.3", "NaN", "0x1", "9223372036854775808"] {
            assert_eq!(Decimal::from_ascii(text.as_bytes()), None, "{text} was accepted");
        }
    }

    #[test]
    fn floats_are_read_by_their_shortest_digits() {
        for (value, text) in [
            (0.5, "0.5"),
            (5.0, "5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.001_234_567_890_123_456_7, "0.001234567890123456"),
            (1e-20, "0"),
            (1e-200, "0"),
            (-2.25, "-2.25"),
            (1e15, "1000000000000000"),
            (123_456_789_012.345_67, "123456789012.34567"),
        ] {
            assert_eq!(Decimal::of_f64(value).unwrap().to_string(), text, "{value:e}");
        }
        for value in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e19, 1e300, f64::MIN] {
            assert_eq!(Decimal::of_f64(value), None, "{value:e}");
        }
    }

    #[test]
    fn count_of_is_exact_or_nothing() {
        let tick: Decimal = "0.1".parse().unwrap();
        assert_eq!("61800.2".parse::<Decimal>().unwrap().count_of(tick), Some(618_002));
        assert_eq!("61800.25".parse::<Decimal>().unwrap().count_of(tick), None);
        assert_eq!(Decimal::ONE.count_of(Decimal::ZERO), None);
    }
}
