//! Delimited lines, without quoting: none of the formats read here quotes.

use mainspring_core::{Decimal, TimeNs};
use mainspring_venues::json::integer;

/// The fields of a line when there are exactly `N`.
#[must_use]
pub fn split<const N: usize>(line: &[u8], delimiter: u8) -> Option<[&[u8]; N]> {
    let mut fields = [&line[..0]; N];
    let mut parts = line.split(|byte| *byte == delimiter);
    for field in &mut fields {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(fields)
}

/// Where each of the named columns is in a header line.
#[must_use]
pub fn columns<const N: usize>(header: &[u8], names: [&str; N]) -> Option<[usize; N]> {
    let header: Vec<&[u8]> = header.split(|byte| *byte == b',').map(trim).collect();
    let mut at = [0; N];
    for (slot, name) in at.iter_mut().zip(names) {
        *slot = header.iter().position(|own| own.eq_ignore_ascii_case(name.as_bytes()))?;
    }
    Some(at)
}

/// Without white space at either end.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// A decimal number, or what is wrong with it.
///
/// # Errors
/// When it is none.
pub fn decimal(field: &[u8], what: &str) -> Result<Decimal, String> {
    let field = trim(field);
    Decimal::from_ascii(field)
        .or_else(|| std::str::from_utf8(field).ok()?.parse().ok())
        .ok_or_else(|| format!("the {what} '{}' is not a number", String::from_utf8_lossy(field)))
}

/// A whole number, or what is wrong with it.
///
/// # Errors
/// When it is none.
pub fn whole(field: &[u8], what: &str) -> Result<i64, String> {
    integer(trim(field)).ok_or_else(|| {
        format!("the {what} '{}' is not a whole number", String::from_utf8_lossy(field))
    })
}

/// A count of some unit since 1970 as nanoseconds.
///
/// # Errors
/// When it is no number or out of range.
pub fn epoch(field: &[u8], unit_ns: i64, what: &str) -> Result<TimeNs, String> {
    let time = whole(field, what)?;
    time.checked_mul(unit_ns)
        .filter(|ns| *ns >= 0)
        .ok_or_else(|| format!("the {what} {time} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_when_their_number_fits() {
        assert_eq!(split::<3>(b"a,,c", b','), Some([&b"a"[..], b"", b"c"]));
        assert_eq!(split::<2>(b"a,b,c", b','), None);
        assert_eq!(split::<4>(b"a,b,c", b','), None);
        assert_eq!(columns(b"x, Price,size", ["size", "price"]), Some([2, 1]));
    }
}
