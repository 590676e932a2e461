//! The offset between the receive clock and the exchange's clock.
//!
//! Nothing is received before it happened, so a receive time in front of its exchange time shows
//! that one clock is wrong. The size of the error cannot be told apart from the feed's latency;
//! what is certain is its lower bound, the most negative difference seen. The rule is therefore:
//!
//! 1. The stream is cut into windows and the smallest latency (receive - exchange) of each is
//!    kept. In each window some message came through with next to no queueing, so these minima
//!    show the clocks' difference without the latency's tail.
//! 2. When the smallest of them is negative, the offset is that much, plus the base latency that
//!    the fastest message is taken to have had. It is added to every receive time: no row shows
//!    negative latency afterwards, and differences between receive times stay as recorded.
//! 3. The spread between the windows' minima is reported as drift. One constant cannot correct
//!    clocks that move against each other; a large drift says that latencies still contain it.

use std::path::Path;

use mainspring_core::event::{BarRow, MarketRow, OrderRow};
use mainspring_core::{DurationNs, Error, ErrorKind, Result, RowKind, Ticks, TimeNs};
use serde::Serialize;

use crate::format::Schema;
use crate::provenance::ClockState;
use crate::reader::EventFile;
use crate::writer::{EventWriter, Summary};

/// Width of a window at the start; it doubles as often as [`MAX_WINDOWS`] asks for.
const WINDOW_NS: DurationNs = 1_000_000_000;
/// Most windows kept.
const MAX_WINDOWS: usize = 4_096;
/// Drift beyond which one constant is a poor correction.
pub const DRIFT_LIMIT_NS: DurationNs = 100_000_000;

/// What the receive times say about the receive clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OffsetReport {
    /// Rows looked at.
    pub rows: u64,
    /// Rows received before the exchange says they happened.
    pub negative_rows: u64,
    /// Smallest receive - exchange.
    pub min_latency_ns: DurationNs,
    /// Largest receive - exchange.
    pub max_latency_ns: DurationNs,
    /// Median over the windows of their smallest latency.
    pub typical_min_latency_ns: DurationNs,
    /// Largest less smallest of the windows' smallest latencies.
    pub drift_ns: DurationNs,
    /// Windows.
    pub windows: usize,
    /// What has to be added to every receive time; zero when nothing has.
    pub offset_ns: DurationNs,
}

impl OffsetReport {
    /// What a file is in whose receive times the offset was added.
    #[must_use]
    pub const fn corrected_state(&self) -> ClockState {
        if self.offset_ns == 0 {
            ClockState::Trusted
        } else {
            ClockState::Corrected { offset_ns: self.offset_ns }
        }
    }

    /// Whether the clocks move against each other by more than [`DRIFT_LIMIT_NS`].
    #[must_use]
    pub const fn drifts(&self) -> bool {
        self.drift_ns > DRIFT_LIMIT_NS
    }
}

/// Gathers receive and exchange times, in memory that does not grow.
#[derive(Clone, Debug)]
pub struct OffsetEstimator {
    first_recv_ns: TimeNs,
    window_ns: DurationNs,
    minima: Vec<DurationNs>,
    rows: u64,
    negative_rows: u64,
    max_latency_ns: DurationNs,
}

/// A window without rows.
const EMPTY: DurationNs = DurationNs::MAX;

impl Default for OffsetEstimator {
    fn default() -> Self {
        Self {
            first_recv_ns: 0,
            window_ns: WINDOW_NS,
            minima: Vec::new(),
            rows: 0,
            negative_rows: 0,
            max_latency_ns: DurationNs::MIN,
        }
    }
}

impl OffsetEstimator {
    /// Adds a row.
    pub fn push(&mut self, recv_ns: TimeNs, exch_ns: TimeNs) {
        if self.rows == 0 {
            self.first_recv_ns = recv_ns;
        }
        let latency = recv_ns.saturating_sub(exch_ns).min(EMPTY - 1);
        let window = self.window(recv_ns);
        self.minima[window] = self.minima[window].min(latency);
        self.max_latency_ns = self.max_latency_ns.max(latency);
        self.negative_rows += u64::from(latency < 0);
        self.rows += 1;
    }

    fn window(&mut self, recv_ns: TimeNs) -> usize {
        // A receive time before the first one counts with the first.
        let since = recv_ns.saturating_sub(self.first_recv_ns).max(0);
        while since / self.window_ns >= MAX_WINDOWS as i64 {
            let halves = self.minima.chunks(2);
            self.minima = halves.map(|pair| pair.iter().copied().fold(EMPTY, i64::min)).collect();
            self.window_ns = self.window_ns.saturating_mul(2);
        }
        let window = (since / self.window_ns) as usize;
        if window >= self.minima.len() {
            self.minima.resize(window + 1, EMPTY);
        }
        window
    }

    /// What the rows so far say. `base_latency_ns` is what the fastest message is taken to have
    /// needed; it counts only when there is something to correct.
    ///
    /// # Errors
    /// When there was no row.
    pub fn report(&self, base_latency_ns: DurationNs) -> Result<OffsetReport> {
        let mut minima: Vec<_> = self.minima.iter().copied().filter(|m| *m != EMPTY).collect();
        minima.sort_unstable();
        let (Some(&lowest), Some(&highest)) = (minima.first(), minima.last()) else {
            return Err(Error::new(ErrorKind::Data, "the clock offset of no rows is not known"));
        };
        let offset_ns = match lowest {
            0.. => 0,
            _ => lowest.saturating_neg().saturating_add(base_latency_ns.max(0)),
        };
        Ok(OffsetReport {
            rows: self.rows,
            negative_rows: self.negative_rows,
            min_latency_ns: lowest,
            max_latency_ns: self.max_latency_ns,
            typical_min_latency_ns: minima[minima.len() / 2],
            drift_ns: highest.saturating_sub(lowest),
            windows: minima.len(),
            offset_ns,
        })
    }
}

/// The offset of `(receive, exchange)` times, with no base latency. See the module for the rule.
///
/// # Errors
/// When there are no rows.
pub fn estimate_offset(times: impl IntoIterator<Item = (TimeNs, TimeNs)>) -> Result<OffsetReport> {
    let mut estimator = OffsetEstimator::default();
    times.into_iter().for_each(|(recv_ns, exch_ns)| estimator.push(recv_ns, exch_ns));
    estimator.report(0)
}

/// The offset of a file as it is.
///
/// # Errors
/// When the file holds bars, is damaged, or was cut while it was read.
pub fn file_offset(file: &EventFile, base_latency_ns: DurationNs) -> Result<OffsetReport> {
    let mut estimator = OffsetEstimator::default();
    for number in 0..file.chunks().len() {
        match file.schema() {
            Schema::Market => push_rows(&mut estimator, file.chunk(number)?.rows.iter()),
            Schema::Order => {
                push_rows(&mut estimator, file.order_chunk(number)?.rows.iter().map(|r| &r.market));
            }
            Schema::Bar => {
                return Err(Error::new(
                    ErrorKind::Data,
                    "bars have no clock offset: a bar's times are of one clock",
                )
                .at(file.path().display()))
            }
        }
    }
    file.check()?;
    estimator.report(base_latency_ns)
}

fn push_rows<'a>(estimator: &mut OffsetEstimator, rows: impl Iterator<Item = &'a MarketRow>) {
    rows.for_each(|row| estimator.push(row.recv_ns, row.exch_ns));
}

/// Writes a copy of a file whose receive clock is corrected by what [`file_offset`] measures.
///
/// # Errors
/// As [`file_offset`], and when the copy cannot be written.
pub fn correct_clock(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    base_latency_ns: DurationNs,
) -> Result<(OffsetReport, Summary)> {
    let file = EventFile::open(input)?;
    let report = file_offset(&file, base_latency_ns)?;
    let mut provenance = file.provenance().clone();
    // A second correction adds to the first.
    let before = match provenance.clock {
        ClockState::Corrected { offset_ns } => offset_ns,
        _ => 0,
    };
    provenance.clock = match before + report.offset_ns {
        0 => ClockState::Trusted,
        offset_ns => ClockState::Corrected { offset_ns },
    };
    // The writer counts the gap rows again.
    provenance.gaps = 0;
    let known_gaps = file.provenance().gaps;
    let instruments = file.instruments().to_vec();
    let mut writer = EventWriter::create(output, file.schema(), instruments, provenance)?;
    copy_rows(&file, &mut writer, report.offset_ns)?;
    writer.provenance_mut().gaps = known_gaps.saturating_sub(writer.gap_rows());
    Ok((report, writer.finish()?))
}

/// Appends every row of `file`, with `shift_ns` added to its receive time.
///
/// # Errors
/// When a row cannot be read or written.
pub fn copy_rows(file: &EventFile, writer: &mut EventWriter, shift_ns: DurationNs) -> Result<()> {
    for number in 0..file.chunks().len() {
        match file.schema() {
            Schema::Market => {
                let chunk = file.chunk(number)?;
                chunk
                    .rows
                    .iter()
                    .try_for_each(|r| copy_market(writer, r, chunk.price_base, shift_ns))?;
            }
            Schema::Order => {
                let chunk = file.order_chunk(number)?;
                chunk
                    .rows
                    .iter()
                    .try_for_each(|r| copy_order(writer, r, chunk.price_base, shift_ns))?;
            }
            Schema::Bar => {
                let shifted =
                    |r: &BarRow| BarRow { recv_ns: r.recv_ns.saturating_add(shift_ns), ..*r };
                file.bar_chunk(number)?
                    .rows
                    .iter()
                    .try_for_each(|r| writer.push_bar(shifted(r)))?;
            }
        }
    }
    file.check()
}

fn copy_market(
    w: &mut EventWriter,
    r: &MarketRow,
    base: Ticks,
    shift_ns: DurationNs,
) -> Result<()> {
    let recv_ns = r.recv_ns.saturating_add(shift_ns);
    w.push_market(recv_ns, r.exch_ns, kind(r)?, r.flags, r.instrument, r.price(base), r.qty_lots)
}

fn copy_order(
    w: &mut EventWriter,
    row: &OrderRow,
    base: Ticks,
    shift_ns: DurationNs,
) -> Result<()> {
    let r = &row.market;
    let (recv_ns, price) = (r.recv_ns.saturating_add(shift_ns), r.price(base));
    w.push_order(
        recv_ns,
        r.exch_ns,
        kind(r)?,
        r.flags,
        r.instrument,
        price,
        r.qty_lots,
        row.order_id,
    )
}

fn kind(row: &MarketRow) -> Result<RowKind> {
    RowKind::from_byte(row.kind)
        .ok_or_else(|| Error::new(ErrorKind::Data, format!("unknown row kind {}", row.kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clock_that_is_behind_is_corrected_by_its_lower_bound() {
        // The receive clock is 1.27 s behind, the feed needs 2 to 7 ms.
        let times = (0..100_000_i64).map(|n| {
            let exch = n * 1_000_000;
            (exch + 2_000_000 + n % 500 * 10_000 - 1_270_000_000, exch)
        });
        let report = estimate_offset(times).unwrap();
        assert_eq!(report.offset_ns, 1_268_000_000);
        assert_eq!(report.negative_rows, 100_000);
        assert_eq!(report.typical_min_latency_ns, -1_268_000_000);
        assert!(!report.drifts());
        assert_eq!(report.corrected_state(), ClockState::Corrected { offset_ns: 1_268_000_000 });
    }

    #[test]
    fn drift_is_reported() {
        let times = (0..1_000_i64).map(|n| (n * 1_000_000_000, n * 1_001_000_000));
        let report = estimate_offset(times).unwrap();
        assert!(report.drifts(), "{report:?}");
        assert_eq!(report.offset_ns, 999_000_000);
    }

    #[test]
    fn a_good_clock_is_left_alone_and_no_rows_say_nothing() {
        let report = estimate_offset((0..10).map(|n| (n * 10, n * 10))).unwrap();
        assert_eq!((report.offset_ns, report.corrected_state()), (0, ClockState::Trusted));
        assert!(estimate_offset([]).is_err());
    }

    proptest! {
        #[test]
        fn no_row_is_early_after_the_correction(
            rows in prop::collection::vec((0_i64..1 << 50, -1_i64 << 40..1 << 40), 1..200),
            base in 0_i64..1_000_000,
        ) {
            let mut estimator = OffsetEstimator::default();
            rows.iter().for_each(|(exch, latency)| estimator.push(exch + latency, *exch));
            let report = estimator.report(base).unwrap();
            let lowest = rows.iter().map(|(_, latency)| *latency).min().unwrap();
            prop_assert_eq!(report.min_latency_ns, lowest);
            prop_assert!(rows.iter().all(|(_, latency)| latency + report.offset_ns >= 0));
            prop_assert_eq!(report.offset_ns, if lowest < 0 { base - lowest } else { 0 });
            prop_assert!(report.windows <= MAX_WINDOWS);
        }
    }
}
