//! What the feeds of American stock exchanges have in common.

use std::path::Path;

use mainspring_core::{Decimal, Error, ErrorKind, GridRule, InstrumentKind, PriceGrid, Result};

use super::options::Options;
use super::stage::stated;
use super::time::{Date, HOUR_NS};
use super::InstrumentSpec;

/// Prices on the wire count this many decimals of a dollar.
pub const PRICE_PLACES: u8 = 4;

/// A price on the wire as dollars.
#[must_use]
pub fn price(wire: i64) -> Decimal {
    Decimal::new(wire, PRICE_PLACES).unwrap_or_default()
}

/// A stock: prices step by a cent from one dollar on and by a hundredth of a cent below (Rule 612
/// of Regulation NMS); trades at the midpoint lie between.
#[must_use]
pub fn stock(symbol: &str, venue: &str) -> InstrumentSpec {
    let grid = Decimal::new(1, PRICE_PLACES).map(|tick| PriceGrid {
        version: 0,
        tick,
        rule: GridRule::Tiers { steps: vec![(0, 1), (10_000, 100)] },
    });
    InstrumentSpec {
        grids: grid.ok().map(|grid| vec![grid]),
        lot: Some(Decimal::ONE),
        ..stated(venue, InstrumentKind::Spot, symbol, "USD")
    }
}

/// Midnight of the day in the file's name or of the option `date`, by the exchange's clock.
///
/// # Errors
/// When there is no date anywhere.
pub fn midnight_ns(path: &Path, options: &Options) -> Result<i64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let date = match &options.date {
        Some(text) => {
            Date::read(text).filter(|_| matches!(text.len(), 8 | 10)).ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("the date '{text}' is not YYYY-MM-DD"))
            })?
        }
        None => Date::find(&name).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "{}: times are of the day and no date is in the name: give it with --date \
                     2024-01-31, in Python with date=",
                    path.display()
                ),
            )
        })?,
    };
    Ok(match options.utc_offset_hours {
        Some(hours) => date.midnight_ns() - i64::from(hours) * HOUR_NS,
        None => date.midnight_new_york_ns(),
    })
}
