//! Numbers that look like the last one of their kind: read without looking for their end.
//!
//! A venue writes the prices of an instrument with the same number of places, and mostly with the same
//! number of digits in front; ids keep their length for months. A number is read as if it had the length
//! of the last one, and the same bytes say whether it has: where it begins and ends does not wait for
//! where the number before it ended. What looks different is read by [`crate::digits`] and remembered.

use crate::digits::{count, eight, leading8, whole, word8, Unit, POWERS, ZEROS};

const ZERO_DIGITS: u64 = ZEROS as u64;
const SIXES: u64 = 0x0606_0606_0606_0606;
const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;

/// Lengths of the part in front of the point that are remembered at a time.
const LENGTHS: usize = 8;

/// Zeros behind the digits that count, at most, and the quote behind them.
const TAIL: usize = 8;

/// The eight bytes in front of a place.
#[inline(always)]
fn before(text: &[u8], end: usize) -> Option<u64> {
    let bytes = text.get(end.checked_sub(8)?..end)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The highest `count` bytes of a word: the last ones of a text.
const fn last_bytes(count: usize) -> u64 {
    match count {
        0 => 0,
        1..8 => !(u64::MAX >> (8 * count)),
        _ => u64::MAX,
    }
}

/// Whether a byte under the mask is no digit, when `'0'` was taken from each by exclusive or.
#[inline(always)]
const fn others(digits: u64) -> u64 {
    (digits.wrapping_add(SIXES) | digits) & HIGH
}

/// One way to write a quoted decimal number: so many digits in front of the point, so many behind it.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Bytes of the digits in front, in the word that ends a byte before the last digit that counts.
    front: u64,
    /// Bytes of the digits that count behind the point, in the word that ends with the last of them.
    back: u64,
    /// The point in that word.
    point: u64,
    point_mask: u64,
    /// What follows the last digit that counts: zeros and a quote, at the end of a word.
    tail: u64,
    tail_mask: u64,
    scale: i64,
    /// From the first byte to behind the last digit that counts.
    digits: usize,
    /// Without the quote.
    length: usize,
}

impl Shape {
    /// No number has it.
    const NONE: Self = Self {
        front: 0,
        back: 0,
        point: 0,
        point_mask: 0,
        tail: 1,
        tail_mask: 0,
        scale: 1,
        digits: 0,
        length: 0,
    };

    /// `front` digits, and `places` behind a point where there are some.
    fn new(front: usize, places: usize, unit: Unit) -> Option<Self> {
        let own = usize::from(unit.places);
        let kept = places.min(own);
        let pointed = usize::from(kept > 0);
        let length = front + places + usize::from(places > 0);
        let digits = front + kept + pointed;
        let rest = length - digits;
        if unit.mantissa != 1 || front == 0 || front + kept > 8 || rest >= TAIL {
            return None;
        }
        let mut tail = [b'0'; TAIL];
        tail[TAIL - 1] = b'"';
        if kept == 0 && places > 0 {
            tail[TAIL - 1 - rest] = b'.';
        }
        let at_point = if pointed == 1 { 8 * (7 - kept) } else { 0 };
        let point_mask = if pointed == 1 { 0xff << at_point } else { 0 };
        let both = last_bytes(front + kept);
        let back = if pointed == 1 { last_bytes(kept) } else { both };
        Some(Self {
            front: both & !back,
            back,
            point: u64::from(b'.') << at_point & point_mask,
            point_mask,
            tail: u64::from_le_bytes(tail) & last_bytes(rest + 1),
            tail_mask: last_bytes(rest + 1),
            scale: *POWERS.get(own - kept)?,
            digits,
            length,
        })
    }

    /// The count of units at a place, when the text there has this shape.
    #[inline(always)]
    fn read(&self, text: &[u8], at: usize) -> Option<i64> {
        let end = at + self.digits;
        let last = before(text, end)?;
        let shifted = before(text, end - 1)?;
        let tail = before(text, at + self.length + 1)?;
        let digits = ((last & self.back) | (shifted & self.front))
            ^ (ZERO_DIGITS & (self.back | self.front));
        let wrong = others(digits)
            | ((last & self.point_mask) ^ self.point)
            | ((tail & self.tail_mask) ^ self.tail);
        (wrong == 0).then(|| eight(digits) as i64 * self.scale)
    }
}

/// How the numbers of one kind are written: prices of a side, quantities.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    unit: Unit,
    /// The last one.
    shape: Shape,
    /// By digits in front, all with the same number of places.
    shapes: [Shape; LENGTHS],
    places: usize,
}

impl Form {
    /// For counts of this unit.
    pub(crate) fn new(unit: Unit) -> Self {
        let mut form = Self {
            unit,
            shape: Shape::NONE,
            shapes: [Shape::NONE; LENGTHS],
            places: usize::from(unit.places),
        };
        form.learn(form.places);
        form
    }

    /// A quoted number at a place, and the place of the quote behind it. `None` also when it is no whole
    /// number of units.
    #[inline(always)]
    pub(crate) fn read(&mut self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        match self.shape.read(text, at) {
            Some(value) => Some((value, at + self.shape.length)),
            None => self.other(text, at),
        }
    }

    /// A number of another shape, which the next one is likely to have.
    #[inline(never)]
    fn other(&mut self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        let front = word8(text, at).map_or(0, leading8);
        if let Some(shape) = front.checked_sub(1).and_then(|place| self.shapes.get(place)) {
            if let Some(value) = shape.read(text, at) {
                self.shape = *shape;
                return Some((value, at + shape.length));
            }
        }
        let read = padded_count(text, at, self.unit)?;
        let number = text.get(at..read.1)?;
        let places = number.iter().rev().position(|byte| *byte == b'.').unwrap_or(0);
        if places != self.places {
            self.learn(places);
        }
        Some(read)
    }

    #[cold]
    fn learn(&mut self, places: usize) {
        self.places = places;
        for (at, shape) in self.shapes.iter_mut().enumerate() {
            *shape = Shape::new(at + 1, places, self.unit).unwrap_or(Shape::NONE);
        }
        self.shape = Shape::NONE;
    }
}

/// A count that may stand too near the end of the text for whole words.
fn padded_count(text: &[u8], at: usize, unit: Unit) -> Option<(i64, usize)> {
    if at + 16 <= text.len() {
        return count(text, at, unit);
    }
    let rest = text.get(at..)?;
    let mut padded = [0_u8; 16];
    padded[..rest.len()].copy_from_slice(rest);
    count(&padded, 0, unit).map(|(value, end)| (value, at + end))
}

/// A short text that is looked for again and again.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    text: Box<[u8]>,
    bytes: u128,
    mask: u128,
}

impl Word {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let mut mask = [0; 16];
        if let (Some(place), Some(under)) =
            (bytes.get_mut(..text.len()), mask.get_mut(..text.len()))
        {
            place.copy_from_slice(text);
            under.fill(0xff);
        }
        let (bytes, mask) = (u128::from_le_bytes(bytes), u128::from_le_bytes(mask));
        Self { text: text.into(), bytes, mask }
    }

    /// The place behind the word, when it stands at this one.
    #[inline(always)]
    pub(crate) fn read(&self, text: &[u8], at: usize) -> Option<usize> {
        let end = at + self.text.len();
        match text.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) if self.mask != 0 => {
                (u128::from_le_bytes(bytes) & self.mask == self.bytes).then_some(end)
            }
            _ => (text.get(at..end)? == &*self.text).then_some(end),
        }
    }
}

/// How many digits the ids of one kind have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Length(usize);

impl Length {
    /// A whole number at a place, and the place behind it; as [`whole`].
    #[inline(always)]
    pub(crate) fn read(&mut self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        if let Some(value) = whole_of(text, at, self.0) {
            return Some((value, at + self.0));
        }
        self.other(text, at)
    }

    #[inline(never)]
    fn other(&mut self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        let read = whole(text, at)?;
        self.0 = read.1 - at;
        Some(read)
    }
}

/// A whole number of exactly so many digits, fifteen at most, that does not begin with zero and that no
/// digit follows.
#[inline(always)]
pub(crate) fn whole_of(text: &[u8], at: usize, length: usize) -> Option<i64> {
    let end = at + length;
    let fits = length > 0 && length < 16 && !text.get(end)?.is_ascii_digit();
    if !fits || *text.get(at)? == b'0' {
        return None;
    }
    let last = before(text, end)? ^ ZERO_DIGITS;
    if length <= 8 {
        let digits = last & last_bytes(length);
        return (others(digits) == 0).then(|| eight(digits) as i64);
    }
    let first = before(text, at + 8)? ^ ZERO_DIGITS;
    let low = last & last_bytes(length - 8);
    let wrong = others(first) | others(low);
    (wrong == 0).then(|| eight(first) as i64 * POWERS[length - 8] + eight(low) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::Decimal;
    use proptest::prelude::*;

    fn unit(text: &str) -> Unit {
        let decimal: Decimal = text.parse().unwrap();
        Unit { places: decimal.scale(), mantissa: decimal.mantissa() }
    }

    /// In the middle of a text or at its end.
    fn quoted(number: &str, behind: &str) -> (Vec<u8>, usize) {
        (format!("{{\"e\":\"depth\",\"{number}\"{behind}").into_bytes(), 14)
    }

    #[test]
    fn a_shape_is_learnt_and_followed() {
        let mut form = Form::new(unit("0.1"));
        for (number, ticks) in [
            ("61800.20", 618_002),
            ("61800.30", 618_003),
            ("99999.90", 999_999),
            ("100000.00", 1_000_000),
            ("7.50", 75),
        ] {
            for _ in 0..2 {
                let (text, at) = quoted(number, "]");
                assert_eq!(form.read(&text, at), Some((ticks, at + number.len())), "{number}");
            }
            assert!(form.shape.digits > 0, "{number} has a shape of its own");
        }
        for wrong in ["61800.25", "6180x.20", "61800,20", "61800.2x", ".20", "", "-1.00", "1e5.00"]
        {
            let (text, at) = quoted(wrong, ",\"0.001\"],[\"1.00\"");
            let read = form.read(&text, at).filter(|(_, end)| text[*end] == b'"');
            assert_eq!(read, None, "{wrong}");
        }
    }

    #[test]
    fn spot_writes_eight_places() {
        let mut form = Form::new(unit("0.01"));
        let (text, at) = quoted("61837.63000000", ",");
        assert_eq!(form.read(&text, at), Some((6_183_763, at + 14)));
        assert_eq!(form.shape.digits, 0);
        assert_eq!(form.read(&text, at), Some((6_183_763, at + 14)));
        assert_eq!((form.shape.digits, form.shape.length), (8, 14));
        let (text, at) = quoted("61837.63000001", ",\"12345678901234567890\"");
        assert_eq!(form.read(&text, at), None);
    }

    #[test]
    fn words_of_any_length_are_found() {
        let text = b"{\"s\":\"BTCUSDT\",\"t\":1}";
        for (from, to) in [(6, 15), (6, 14), (1, 19), (17, 21), (2, 18), (2, 19)] {
            let word = Word::new(&text[from..to]);
            assert_eq!(word.read(text, from), Some(to));
            assert_eq!(word.read(text, from + 1), None);
            assert_eq!(word.read(&text[..to - 1], from), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whatever was read before, a number is what the exact decimal has, and ends at its quote.
        #[test]
        fn reads_as_the_decimal_does(
            numbers in prop::collection::vec("[0-9]{1,9}(\\.[0-9]{1,9})?|[0-9]{1,3}\\.[0-9]{3}|[1-9][0-9]{0,4}\\.[0-9]0|[-0-9.ex\"]{0,9}", 1..6),
            tick in prop::sample::select(vec!["1", "0.1", "0.5", "0.01", "0.001", "0.00001", "25", "0.00000001"]),
            behind in prop::sample::select(vec!["", "]", "]]}", "\",\"0.001\"],[\"1.00\""]),
        ) {
            let decimal: Decimal = tick.parse().unwrap();
            let mut form = Form::new(unit(tick));
            for number in &numbers {
                let (text, at) = quoted(number, behind);
                let exact = |number: &[u8]| Decimal::from_ascii(number)?.count_of(decimal);
                match form.read(&text, at) {
                    // Whether it ends where it should, the caller asks.
                    Some((value, end)) => prop_assert_eq!(Some(value), exact(&text[at..end])),
                    None => prop_assert!(
                        exact(number.as_bytes()).is_none() || number.len() > 15 || number.starts_with('-'),
                        "{} in {}", number, tick
                    ),
                }
            }
        }

        #[test]
        fn ids_are_read_as_numbers_are(
            numbers in prop::collection::vec("[0-9]{1,18}|[0-9x]{5}|[1-9][0-9]{12}", 1..6),
            behind in prop::sample::select(vec!["}", ",\"u\":51231078", "x"]),
        ) {
            let mut length = Length::default();
            for number in &numbers {
                let text = format!("{{\"event\":{number}{behind}");
                let (at, text) = (9, text.as_bytes());
                let read = length.read(text, at);
                let mut long = text.to_vec();
                long.extend([b' '; 16]);
                // Near the end of a text a number is left to the general reader.
                let wanted = whole(&long, at);
                prop_assert!(read == wanted || (read.is_none() && at + 16 > text.len()), "{} {:?}", number, read);
            }
        }
    }
}
