//! Reading speed against its floor: the same loop over the same rows in plain memory.

use std::path::Path;
use std::time::Instant;

use mainspring_core::{Error, ErrorKind, MarketRow, Result};

pub use crate::import::bench::{import, ImportSpeed};
use crate::reader::EventFile;

/// How fast rows were touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Bytes of rows.
    pub bytes: u64,
    /// Nanoseconds to touch every row of the mapped file, chunk after chunk with their checks.
    pub file_ns: u64,
    /// The same from opening the file on, checksums included.
    pub first_ns: u64,
    /// Nanoseconds of the same loop over a copy of the rows in memory.
    pub floor_ns: u64,
    /// Sum over all rows, so that no loop can be left out; the same for all three.
    pub sum: i64,
}

/// Touches every row of a market file once from opening, once more through the map, and once in
/// a plain copy. Callers repeat and take medians.
///
/// # Errors
/// When the file cannot be read, or holds another schema.
pub fn scan(path: impl AsRef<Path>) -> Result<Scan> {
    let path = path.as_ref();
    let start = Instant::now();
    let file = EventFile::open(path)?;
    let sum = sum_file(&file)?;
    let first_ns = elapsed_ns(start);

    let start = Instant::now();
    let again = std::hint::black_box(sum_file(&file)?);
    let file_ns = elapsed_ns(start);

    let mut copy = Vec::with_capacity(usize::try_from(file.rows()).unwrap_or(0));
    for chunk in 0..file.chunks().len() {
        copy.extend_from_slice(file.chunk(chunk)?.rows);
    }
    let start = Instant::now();
    let floor = std::hint::black_box(sum_rows(std::hint::black_box(&copy)));
    let floor_ns = elapsed_ns(start);
    if sum != again || sum != floor {
        return Err(Error::new(ErrorKind::Internal, "the same rows gave different sums"));
    }
    let bytes = file.rows() * size_of::<MarketRow>() as u64;
    Ok(Scan { bytes, file_ns, first_ns, floor_ns, sum })
}

fn sum_file(file: &EventFile) -> Result<i64> {
    let mut sum = 0_i64;
    for chunk in 0..file.chunks().len() {
        sum = sum.wrapping_add(sum_rows(file.chunk(chunk)?.rows));
    }
    file.check()?;
    Ok(sum)
}

/// Reads every field's cache line: time, quantity and price of each row.
#[inline(never)]
fn sum_rows(rows: &[MarketRow]) -> i64 {
    rows.iter().fold(0_i64, |sum, row| {
        sum.wrapping_add(row.recv_ns)
            .wrapping_add(row.qty_lots)
            .wrapping_add(i64::from(row.price_offset))
    })
}

fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
