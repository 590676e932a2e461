//! Raw lines of one venue: with a receive time in front (Hyperliquid) or without (Bybit's files).

use std::path::{Path, PathBuf};

use mainspring_core::Result;

use super::binance::split_line;
use super::feed::{Books, Venue, BYBIT, HYPERLIQUID};
use super::input::{Lines, Place};
use super::options::{OnProgress, Options};
use super::pipeline;
use super::report::{ImportReport, Tally};
use super::stage::{Source, Staged, Symbols};
use crate::format::Schema;

/// The name of the Bybit format.
pub const BYBIT_NAME: &str = "bybit";
/// The name of the Hyperliquid format.
pub const HYPERLIQUID_NAME: &str = "hyperliquid";

/// Imports Bybit order book files (`ob500`): a message a line, without receive times.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import_bybit(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    run(BYBIT_NAME, BYBIT, inputs, output, options, progress)
}

/// Imports raw Hyperliquid recordings: lines `<receive ns> <message>`.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn import_hyperliquid(
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    run(HYPERLIQUID_NAME, HYPERLIQUID, inputs, output, options, progress)
}

fn run(
    format: &str,
    venue: Venue,
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let open = || {
        let books = Books::new(venue, options);
        Ok(Box::new(RawFeed { lines: Lines::new(inputs), books }) as Box<dyn Source>)
    };
    pipeline::run(format, inputs, output, options, &open, progress)
}

struct RawFeed {
    lines: Lines,
    books: Books,
}

impl Source for RawFeed {
    fn schema(&self) -> Schema {
        Schema::Market
    }

    fn next(&mut self, out: &mut Staged, tally: &mut Tally) -> Result<bool> {
        if let Some(staged) = self.books.queue.pop_front() {
            *out = staged;
            return Ok(true);
        }
        out.start(0, 0, 0);
        let Some(line) = self.lines.next_line()?.map(<[u8]>::to_vec) else {
            self.books.finish(tally);
            return Ok(false);
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(true);
        }
        let (recv_ns, text) = match split_line(&line) {
            Some((recv_ns, text)) => (Some(recv_ns), text),
            None => (None, line.as_slice()),
        };
        let place = self.lines.place().clone();
        if let Err(reason) = self.books.message(recv_ns, text, &place, tally) {
            let cut = if self.lines.is_whole() { "" } else { " (the last line is cut off)" };
            tally.refuse(&place, &format!("{reason}{cut}"))?;
        }
        Ok(true)
    }

    fn symbols(&self) -> &Symbols {
        self.books.symbols()
    }

    fn place(&self) -> Place {
        self.lines.place().clone()
    }

    fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }
}
