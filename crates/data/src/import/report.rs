//! What an import did: counts, gaps, refusals, clock, checksums.

use std::collections::BTreeMap;

use mainspring_core::{Error, ErrorKind, Result};
use serde::Serialize;

use super::input::Place;
use super::instrument::Origin;
use super::options::BadLines;

/// Most gaps that are listed one by one; all are counted.
const LISTED_GAPS: usize = 100;
/// Most different reasons of refusal that are kept.
const LISTED_REASONS: usize = 100;

/// A place where the sequence of a book broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GapReport {
    /// The symbol.
    pub symbol: String,
    /// The file.
    pub file: String,
    /// The line or message.
    pub line: u64,
    /// What was missing.
    pub reason: String,
}

/// Lines that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedReport {
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The file of the first.
    pub first_file: String,
    /// The line of the first.
    pub first_line: u64,
}

/// Checksums of the venue that were recomputed from the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChecksumReport {
    /// How many were compared.
    pub compared: u64,
    /// How many were equal.
    pub equal: u64,
}

/// The receive clock against the exchange's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClockReport {
    /// Added to every receive time.
    pub offset_ns: i64,
    /// Why: `none needed`, `measured`, `given`, `not corrected`, `one clock`.
    pub method: String,
    /// Smallest receive less exchange time, before the correction.
    pub min_latency_ns: Option<i64>,
    /// Its median, before the correction.
    pub median_latency_ns: Option<i64>,
}

/// An instrument of the file, with the origin of its grids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstrumentReport {
    /// Symbol.
    pub symbol: String,
    /// Venue.
    pub venue: String,
    /// Price increment.
    pub tick: String,
    /// Where it comes from.
    pub tick_origin: Origin,
    /// Quantity increment.
    pub lot: String,
    /// Where it comes from.
    pub lot_origin: Origin,
    /// Rows of it.
    pub rows: u64,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// The format.
    pub format: String,
    /// The inputs, in the order they were read.
    pub inputs: Vec<String>,
    /// The event file.
    pub output: String,
    /// Its rows.
    pub rows: u64,
    /// Its rows by kind.
    pub rows_by_kind: BTreeMap<String, u64>,
    /// Messages of the input by kind, those that were not kept included.
    pub messages: BTreeMap<String, u64>,
    /// The instruments.
    pub instruments: Vec<InstrumentReport>,
    /// How often the book was lost.
    pub gap_count: u64,
    /// The first of them.
    pub gaps: Vec<GapReport>,
    /// Lines that were refused.
    pub refused: Vec<RefusedReport>,
    /// The clock.
    pub clock: ClockReport,
    /// Checksums, for venues that send them.
    pub checksums: ChecksumReport,
    /// Facts worth knowing.
    pub notes: Vec<String>,
    /// First and last receive time, corrected.
    pub span_ns: Option<(i64, i64)>,
    /// How long it took.
    pub seconds: f64,
}

/// Counts while an import runs.
#[derive(Debug)]
pub struct Tally {
    bad_lines: BadLines,
    messages: Vec<(String, u64)>,
    last: usize,
    gap_count: u64,
    gaps: Vec<GapReport>,
    refused: Vec<RefusedReport>,
    /// Checksums compared so far.
    pub checksums: ChecksumReport,
    notes: Vec<String>,
}

impl Tally {
    /// Nothing counted.
    #[must_use]
    pub fn new(bad_lines: BadLines) -> Self {
        Self {
            bad_lines,
            messages: Vec::new(),
            last: 0,
            gap_count: 0,
            gaps: Vec::new(),
            refused: Vec::new(),
            checksums: ChecksumReport::default(),
            notes: Vec::new(),
        }
    }

    /// Counts a message of this kind.
    pub fn message(&mut self, kind: &str) {
        if let Some((_, count)) = self.messages.get_mut(self.last).filter(|(own, _)| own == kind) {
            *count += 1;
            return;
        }
        self.last = self.messages.iter().position(|(own, _)| own == kind).unwrap_or_else(|| {
            self.messages.push((kind.to_owned(), 0));
            self.messages.len() - 1
        });
        self.messages[self.last].1 += 1;
    }

    /// Counts a gap.
    pub fn gap(&mut self, symbol: &str, place: &Place, reason: impl Into<String>) {
        self.gap_count += 1;
        if self.gaps.len() < LISTED_GAPS {
            self.gaps.push(GapReport {
                symbol: symbol.to_owned(),
                file: place.file.clone(),
                line: place.line,
                reason: reason.into(),
            });
        }
    }

    /// Refuses a line: an error, or counted when bad lines are to be skipped.
    ///
    /// # Errors
    /// Unless bad lines are to be skipped.
    pub fn refuse(&mut self, place: &Place, reason: &str) -> Result<()> {
        if self.bad_lines == BadLines::Refuse {
            return Err(Error::new(ErrorKind::Data, format!("{place}: {reason}")));
        }
        // Reasons name the byte; the same fault at another byte is the same reason.
        let reason = reason.split(" at byte ").next().unwrap_or(reason);
        if let Some(known) = self.refused.iter_mut().find(|known| known.reason == reason) {
            known.count += 1;
        } else if self.refused.len() < LISTED_REASONS {
            self.refused.push(RefusedReport {
                reason: reason.to_owned(),
                count: 1,
                first_file: place.file.clone(),
                first_line: place.line,
            });
        } else if let Some(last) = self.refused.last_mut() {
            last.count += 1;
        }
        Ok(())
    }

    /// Adds a fact worth knowing, once.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// How often the book was lost.
    #[must_use]
    pub const fn gap_count(&self) -> u64 {
        self.gap_count
    }

    /// Moves the counts into a report.
    pub fn into_report(self, report: &mut ImportReport) {
        report.messages = self.messages.into_iter().collect();
        report.gap_count = self.gap_count;
        report.gaps = self.gaps;
        report.refused = self.refused;
        report.checksums = self.checksums;
        report.notes.extend(self.notes);
    }
}
