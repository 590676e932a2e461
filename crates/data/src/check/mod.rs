//! What is wrong with an event file, and how much: `mainspring data check`.
//!
//! One pass over the rows, with one book per instrument. What is counted is defined at the fields
//! of [`InstrumentCheck`] and [`BarCheck`]; [`CheckReport::findings`] says what of it matters.

mod bars;
mod findings;
mod market;
mod text;

use std::path::{Path, PathBuf};

use mainspring_core::{DurationNs, Result, TimeNs};
use serde::Serialize;

pub use bars::BarCheck;
pub use findings::{Finding, Severity};
pub use market::InstrumentCheck;

use crate::clock::OffsetReport;
use crate::format::Schema;
use crate::provenance::{ClockState, Provenance};
use crate::reader::EventFile;

/// Quantiles of receive - exchange, from evenly spaced rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LatencyQuantiles {
    /// Rows sampled.
    pub sampled: usize,
    /// Half of the rows are faster.
    pub p50_ns: DurationNs,
    /// 99 of 100 rows are faster.
    pub p99_ns: DurationNs,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// The file.
    pub path: PathBuf,
    /// What its rows are.
    pub schema: Schema,
    /// Rows in it.
    pub rows: u64,
    /// Chunks in it; the checksum of each was right.
    pub chunks: usize,
    /// Its size.
    pub bytes: u64,
    /// Its content hash.
    pub content_hash: String,
    /// The receive clock, as stored.
    pub clock: ClockState,
    /// Where the rows come from.
    pub provenance: Provenance,
    /// First and last receive time.
    pub recv_span_ns: (TimeNs, TimeNs),
    /// First and last exchange time.
    pub exch_span_ns: (TimeNs, TimeNs),
    /// Receive against exchange clock, as the rows are now; none for bars.
    pub offset: Option<OffsetReport>,
    /// Feed latency; none for bars.
    pub latency: Option<LatencyQuantiles>,
    /// Each instrument of a file of L2 or order-level data.
    pub instruments: Vec<InstrumentCheck>,
    /// Each instrument of a file of bars.
    pub bars: Vec<BarCheck>,
    /// What of all this matters, the worst first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing worse than a note was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    /// The worst severity, when something was found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Checks the file at `path`.
///
/// # Errors
/// When it cannot be opened, a chunk is damaged, or it is cut meanwhile.
pub fn check_file(path: impl AsRef<Path>) -> Result<CheckReport> {
    check(&EventFile::open(path)?)
}

/// Checks an open file.
///
/// # Errors
/// When a chunk is damaged or the file is cut meanwhile.
pub fn check(file: &EventFile) -> Result<CheckReport> {
    let mut report = CheckReport {
        path: file.path().to_owned(),
        schema: file.schema(),
        rows: file.rows(),
        chunks: file.chunks().len(),
        bytes: file.bytes(),
        content_hash: file.content_hash().to_owned(),
        clock: file.clock_state(),
        provenance: file.provenance().clone(),
        recv_span_ns: file.recv_span_ns(),
        exch_span_ns: file.exch_span_ns(),
        offset: None,
        latency: None,
        instruments: Vec::new(),
        bars: Vec::new(),
        findings: Vec::new(),
    };
    match file.schema() {
        Schema::Market => {
            let mut checker = market::MarketChecker::<market::Levels>::new(file.instruments());
            for number in 0..file.chunks().len() {
                let chunk = file.chunk(number)?;
                checker.rows(chunk.first_row, chunk.price_base, chunk.rows);
            }
            checker.finish(&mut report)?;
        }
        Schema::Order => {
            let mut checker = market::MarketChecker::<market::Orders>::new(file.instruments());
            for number in 0..file.chunks().len() {
                let chunk = file.order_chunk(number)?;
                checker.rows(chunk.first_row, chunk.price_base, chunk.rows);
            }
            checker.finish(&mut report)?;
        }
        Schema::Bar => {
            let mut checker = bars::BarChecker::new(file.instruments());
            for number in 0..file.chunks().len() {
                checker.rows(file.bar_chunk(number)?.rows);
            }
            report.bars = checker.finish();
        }
    }
    file.check()?;
    report.findings = findings::findings(&report);
    Ok(report)
}
