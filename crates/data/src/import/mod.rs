//! Importers: recordings of venues and files of vendors become event files.
//!
//! Each format is a [`stage::Source`] that hands over messages with prices as they are written. The
//! [`pipeline`] does what all have in common: it finds the grids and the clock offset in a first
//! pass, puts every price on its grid, refuses what does not fit with file and line, and writes.

pub mod bench;
pub mod binance;
pub mod binary;
pub mod bitfinex;
pub mod bitstamp;
pub mod cryptofeed;
pub mod csv;
pub mod dbn;
pub mod dbn_definitions;
pub mod detect;
pub mod equities;
pub mod feed;
pub mod gemini;
mod grid;
pub mod hftbacktest;
pub mod hftbacktest_export;
pub mod input;
pub mod instrument;
pub mod itch;
pub mod lean;
pub mod lobster;
pub mod merge;
pub mod npy;
pub mod options;
pub mod orders;
pub mod pipeline;
pub mod pitch;
pub mod raw_feed;
pub mod report;
pub mod stage;
pub mod tardis;
pub mod time;

use std::path::{Path, PathBuf};

use mainspring_core::{Error, ErrorKind, Result};

pub use detect::detect;
pub use instrument::InstrumentSpec;
pub use options::{BadLines, Clock, OnProgress, Options, Progress, Streams};
pub use report::ImportReport;

/// An importer: inputs, output, options, progress.
pub type Importer = fn(&[PathBuf], &Path, &Options, OnProgress<'_>) -> Result<ImportReport>;

/// The formats that can be imported, by name.
pub const FORMATS: &[(&str, Importer)] = &[
    (binance::NAME, binance::import),
    (hftbacktest::NAME, hftbacktest::import),
    (lobster::NAME, lobster::import),
    (tardis::NAME, tardis::import),
    (bitstamp::NAME, bitstamp::import),
    (gemini::NAME, gemini::import),
    (dbn::NAME, dbn::import),
    (bitfinex::NAME, bitfinex::import),
    (lean::NAME, lean::import),
    (itch::NAME, itch::import),
    (pitch::NAME, pitch::import),
    (cryptofeed::NAME, cryptofeed::import),
    (raw_feed::BYBIT_NAME, raw_feed::import_bybit),
    (raw_feed::HYPERLIQUID_NAME, raw_feed::import_hyperliquid),
];

/// The importer of a format.
///
/// # Errors
/// When there is none of that name; the message lists those there are.
pub fn importer(format: &str) -> Result<Importer> {
    let found = FORMATS.iter().find(|(name, _)| *name == format);
    found.map(|(_, importer)| *importer).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        Error::new(
            ErrorKind::NotFound,
            format!("there is no importer '{format}'; there are {}", names.join(", ")),
        )
    })
}

/// Imports files of a format, `auto` to tell it from the content of the first.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import(
    format: &str,
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let Some(first) = inputs.first() else {
        return Err(Error::new(ErrorKind::Value, "there is no input to import"));
    };
    if let Some(path) = inputs.iter().find(|path| path.as_path() == output) {
        let text = format!("{}: is input and output of the same import", path.display());
        return Err(Error::new(ErrorKind::Value, text));
    }
    let format = if format == "auto" { detect(first)? } else { format };
    importer(format)?(inputs, output, options, progress)
}
