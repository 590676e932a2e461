//! What of the counts matters, in words.

use serde::Serialize;

use super::{BarCheck, CheckReport, InstrumentCheck};
use crate::provenance::ClockState;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Results may be off where it happens.
    Warning,
    /// Results over this file cannot be trusted as they are.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name, such as `crossed_book`.
    pub code: &'static str,
    /// Which instrument; none when it is about the file.
    pub instrument: Option<String>,
    /// How often.
    pub count: u64,
    /// The sentence for people.
    pub message: String,
}

/// Silence from which on it is mentioned.
const SILENCE_NS: i64 = 60_000_000_000;

/// The findings of a report, the worst first.
pub fn findings(report: &CheckReport) -> Vec<Finding> {
    let mut found = Vec::new();
    clock(report, &mut found);
    report.instruments.iter().for_each(|one| instrument(one, report.rows, &mut found));
    report.bars.iter().for_each(|one| bars(one, &mut found));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

fn clock(report: &CheckReport, found: &mut Vec<Finding>) {
    let Some(offset) = &report.offset else { return };
    if offset.negative_rows > 0 {
        let message = format!(
            "{} of {} rows are received before the exchange says they happened, by up to {:.6} s; \
             correct the clock before using this file with others (`mainspring data import` does)",
            offset.negative_rows,
            offset.rows,
            -offset.min_latency_ns as f64 / 1e9
        );
        found.push(finding(
            Severity::Error,
            "negative_latency",
            None,
            offset.negative_rows,
            message,
        ));
    } else if report.clock == ClockState::Uncorrected {
        let message = "the receive clock is marked as uncorrected".to_owned();
        found.push(finding(Severity::Warning, "uncorrected_clock", None, 1, message));
    }
    if offset.drifts() {
        let message = format!(
            "the smallest latency moves by {:.3} s over the file: the clocks drift, or the feed \
             stood still",
            offset.drift_ns as f64 / 1e9
        );
        found.push(finding(Severity::Note, "clock_drift", None, 1, message));
    }
}

fn instrument(one: &InstrumentCheck, rows: u64, found: &mut Vec<Finding>) {
    use Severity::{Error, Note, Warning};
    let mut add = |severity, code, count: u64, message: &dyn Fn() -> String| {
        if count > 0 {
            found.push(finding(severity, code, Some(&one.symbol), count, message()));
        }
    };
    let first = |row: Option<u64>| row.map_or(String::new(), |row| format!(", first at row {row}"));
    add(Error, "crossed_book", one.crossed_messages, &|| {
        format!(
            "the book is crossed after {} of {} messages{}",
            one.crossed_messages,
            one.messages,
            first(one.first_crossed_row)
        )
    });
    add(Error, "off_grid", one.off_grid_rows, &|| {
        format!(
            "{} rows have a price off the grid{}",
            one.off_grid_rows,
            first(one.first_off_grid_row)
        )
    });
    // Without a book nothing shows that the grid is right and the trades are special.
    let has_book = one.depth_rows + one.best_rows + one.order_rows > 0;
    let severity = if has_book { Note } else { Error };
    add(severity, "off_grid_trade", one.off_grid_trades, &|| {
        format!(
            "{} of {} trades have a price off the grid{}",
            one.off_grid_trades,
            one.trades,
            if has_book { ", as those with hidden orders may" } else { "" }
        )
    });
    add(Error, "book_fault", one.book_faults, &|| {
        format!(
            "{} order rows do not fit the book{}",
            one.book_faults,
            first(one.first_book_fault_row)
        )
    });
    add(Warning, "gap", one.gap_rows, &|| format!("{} gaps: data is missing", one.gap_rows));
    add(Warning, "crossed_best", one.crossed_best_messages, &|| {
        format!("{} best quotes are crossed", one.crossed_best_messages)
    });
    add(Warning, "duplicate_message", one.duplicate_messages, &|| {
        format!("{} book messages repeat the one before", one.duplicate_messages)
    });
    add(Warning, "out_of_order", one.out_of_order_rows, &|| {
        format!(
            "{} rows happened before an earlier row, by up to {:.6} s",
            one.out_of_order_rows,
            one.largest_step_back_ns as f64 / 1e9
        )
    });
    add(Note, "overtaken", one.overtaken_rows, &|| {
        format!("{} rows arrive behind a later row of another stream", one.overtaken_rows)
    });
    add(Note, "repeated_trade", one.repeated_trades, &|| {
        format!("{} of {} trades repeat the one before", one.repeated_trades, one.trades)
    });
    add(Note, "silence", u64::from(one.longest_silence_ns > SILENCE_NS), &|| {
        format!(
            "nothing for {:.0} s from {}",
            one.longest_silence_ns as f64 / 1e9,
            crate::table::show_time(one.longest_silence_at_ns)
        )
    });
    add(Note, "no_rows", u64::from(one.rows == 0 && rows > 0), &|| "has no rows".to_owned());
}

fn bars(one: &BarCheck, found: &mut Vec<Finding>) {
    use Severity::{Error, Note, Warning};
    let mut add = |severity, code, count: u64, message: String| {
        if count > 0 {
            found.push(finding(severity, code, Some(&one.symbol), count, message));
        }
    };
    let (missing, twice) = (one.missing_bars, one.duplicate_bars);
    add(
        Error,
        "off_grid",
        one.off_grid_bars,
        format!("{} bars have a price off the grid", one.off_grid_bars),
    );
    add(
        Warning,
        "missing_bar",
        missing,
        format!(
            "{missing} bars are missing between the first and the last (closed hours count too)"
        ),
    );
    add(Warning, "duplicate_bar", twice, format!("{twice} bars open when another one did"));
    add(
        Warning,
        "out_of_order",
        one.out_of_order_bars,
        format!("{} bars open before an earlier one", one.out_of_order_bars),
    );
    add(Note, "empty_bar", one.empty_bars, format!("{} bars have no volume", one.empty_bars));
}

fn finding(
    severity: Severity,
    code: &'static str,
    instrument: Option<&str>,
    count: u64,
    message: String,
) -> Finding {
    Finding { severity, code, instrument: instrument.map(ToOwned::to_owned), count, message }
}
