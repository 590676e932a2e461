//! How fast raw Binance recordings are imported.

use std::path::Path;
use std::time::Instant;

use mainspring_core::{Decimal, Result};

use super::input::{open, Meter};
use super::options::{Options, Streams};
use super::{binance, InstrumentSpec};

/// What a run of the import benchmark measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImportSpeed {
    /// Rows in the event file.
    pub rows: u64,
    /// Messages in the recording.
    pub messages: u64,
    /// Bytes of the recording, decompressed.
    pub bytes: u64,
    /// Seconds of the whole import: two passes over the input, grids, checks, the finished file.
    pub seconds: f64,
    /// Seconds of reading the same bytes once without looking at them.
    pub floor_seconds: f64,
}

/// Imports a raw Binance recording with all its streams into `output`, which is removed again.
///
/// # Errors
/// As the importer.
pub fn import(path: &Path, output: &Path) -> Result<ImportSpeed> {
    let start = Instant::now();
    let mut bytes = 0;
    let mut block = vec![0; 256 << 10];
    for mut input in open(path, &Meter::default())? {
        loop {
            match input.read(&mut block)? {
                0 => break,
                n => bytes += n as u64,
            }
        }
    }
    let floor_seconds = start.elapsed().as_secs_f64();

    // The contract size of an inverse contract changes nothing in the work.
    let spec = InstrumentSpec { multiplier: Some(Decimal::ONE), ..InstrumentSpec::default() };
    let streams = Streams { best: true, ..Streams::default() };
    let options = Options { instruments: vec![spec], streams, ..Options::default() };
    let start = Instant::now();
    let report = binance::import(&[path.to_owned()], output, &options, &mut |_| Ok(()))?;
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_file(output)?;
    let messages = report.messages.values().sum();
    Ok(ImportSpeed { rows: report.rows, messages, bytes, seconds, floor_seconds })
}
