//! Times of day as venues write them, without a time zone: everything is UTC.

use mainspring_core::TimeNs;

use crate::numerals::push_decimal;

const DAY_MS: i64 = 86_400_000;

/// Days since 1970-01-01 of a civil date (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", days_from_civil).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The civil date of a day since 1970-01-01 (the same source, civil_from_days).
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + (month <= 2) as i64, month, day)
}

/// Appends milliseconds since 1970 as `2023-11-14T22:13:20.000Z`.
pub fn push_iso_ms(text: &mut String, ms: i64) {
    let (year, month, day) = date(ms.div_euclid(DAY_MS));
    let of_day = ms.rem_euclid(DAY_MS);
    push_decimal(text, year.unsigned_abs());
    let parts = [
        ('-', month, 2),
        ('-', day, 2),
        ('T', of_day / 3_600_000, 2),
        (':', of_day / 60_000 % 60, 2),
        (':', of_day / 1_000 % 60, 2),
        ('.', of_day % 1_000, 3),
    ];
    for (mark, value, width) in parts {
        text.push(mark);
        let mut least = 10_i64.pow(width - 1);
        while least > value.max(1) {
            text.push('0');
            least /= 10;
        }
        push_decimal(text, value.unsigned_abs());
    }
    text.push('Z');
}

/// Nanoseconds since 1970 of `2023-11-14T22:13:20[.fraction]Z`.
#[must_use]
pub fn iso_ns(text: &[u8]) -> Option<TimeNs> {
    let number = |from: usize, to: usize| digits(text, from, to);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if text.last() != Some(&b'Z') || marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let day = [number(0, 4)?, number(5, 7)?, number(8, 10)?];
    let seconds = seconds(day, [number(11, 13)?, number(14, 16)?, number(17, 19)?])?;
    let nanos = match &text[19..text.len() - 1] {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(20, text.len() - 1)? * 10_i64.pow(9 - digits.len() as u32)
        }
        _ => return None,
    };
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Seconds since 1970 of `Tue, 14 Nov 2023 22:13:20 GMT`, the time of HTTP (RFC 9110, section 5.6.7).
#[must_use]
pub fn http_date_seconds(text: &[u8]) -> Option<i64> {
    let marks = [(3, b','), (4, b' '), (7, b' '), (11, b' '), (16, b' '), (19, b':'), (22, b':')];
    let framed = text.get(25..) == Some(b" GMT");
    if !framed || marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let month = MONTHS.iter().position(|name| text.get(8..11) == Some(name.as_bytes()))? as i64 + 1;
    let number = |from: usize, to: usize| digits(text, from, to);
    let day = [number(12, 16)?, month, number(5, 7)?];
    seconds(day, [number(17, 19)?, number(20, 22)?, number(23, 25)?])
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The number in these places, digits alone.
fn digits(text: &[u8], from: usize, to: usize) -> Option<i64> {
    let digits = text.get(from..to)?;
    let plain = digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0_i64, |sum, byte| sum * 10 + i64::from(byte - b'0')))
}

/// Seconds since 1970 of year, month and day, and of hour, minute and second.
fn seconds([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let valid = (1970..2262).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    valid.then(|| days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        let mut text = String::new();
        push_iso_ms(&mut text, 1_700_000_000_000);
        assert_eq!(text, "2023-11-14T22:13:20.000Z");
        assert_eq!(iso_ns(text.as_bytes()), Some(1_700_000_000_000_000_000));
        assert_eq!(iso_ns(b"2024-02-29T00:00:00Z"), Some(1_709_164_800_000_000_000));
        for wrong in ["2024-02-29", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "x", ""] {
            assert_eq!(iso_ns(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn times_of_http_are_read() {
        assert_eq!(http_date_seconds(b"Tue, 14 Nov 2023 22:13:20 GMT"), Some(1_700_000_000));
        assert_eq!(http_date_seconds(b"Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for wrong in ["Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT", "120", ""] {
            assert_eq!(http_date_seconds(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn times_come_back(ms in 0_i64..9_214_646_400_000) {
            let mut text = String::new();
            push_iso_ms(&mut text, ms);
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(iso_ns(text.as_bytes()), Some(ms * 1_000_000));
        }
    }
}
