//! A price level as a venue writes it.

use mainspring_core::Decimal;

use crate::json::{Scan, Scanner};

/// A price and the quantity there; zero removes the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level {
    /// Price in quote.
    pub price: Decimal,
    /// Quantity in the venue's unit.
    pub qty: Decimal,
}

/// Reads `[[price, qty, ...], ...]` into `levels`, which is empty; what follows the first two is skipped.
///
/// # Errors
/// When it is not that, a number cannot be read, or the side was there before.
pub fn scan_levels(scanner: &mut Scanner<'_>, levels: &mut Vec<Level>) -> Scan<()> {
    begin_side(scanner, levels)?;
    while scanner.next_element()? {
        levels.push(scan_level(scanner)?);
    }
    Ok(())
}

/// Enters the array of a side's levels.
///
/// # Errors
/// When there is none, or the side has levels already: which of both is meant is not guessed.
pub fn begin_side(scanner: &mut Scanner<'_>, levels: &[Level]) -> Scan<()> {
    if !levels.is_empty() {
        return scanner.refuse("a side of a book twice");
    }
    scanner.begin_array()
}

#[inline]
fn scan_level(scanner: &mut Scanner<'_>) -> Scan<Level> {
    scanner.begin_array()?;
    let price = scan_decimal_element(scanner, "a level needs a price")?;
    let qty = scan_decimal_element(scanner, "a level needs a quantity")?;
    while scanner.next_element()? {
        scanner.skip()?;
    }
    Ok(Level { price, qty })
}

/// The next element of an array as a number, quoted or bare.
///
/// # Errors
/// When the array ends or the element is no number.
#[inline]
pub fn scan_decimal_element(scanner: &mut Scanner<'_>, what: &'static str) -> Scan<Decimal> {
    if !scanner.next_element()? {
        return scanner.refuse(what);
    }
    scan_decimal(scanner)
}

/// A number, quoted or bare.
///
/// # Errors
/// When it is none.
#[inline]
pub fn scan_decimal(scanner: &mut Scanner<'_>) -> Scan<Decimal> {
    match scanner.scalar()?.decimal() {
        Some(value) => Ok(value),
        None => scanner.refuse("not a decimal number"),
    }
}

/// A whole number, quoted or bare.
///
/// # Errors
/// When it is none.
#[inline]
pub fn scan_integer(scanner: &mut Scanner<'_>) -> Scan<i64> {
    match scanner.scalar()?.integer() {
        Some(value) => Ok(value),
        None => scanner.refuse("not a whole number"),
    }
}
