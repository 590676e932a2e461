//! A report as text.

use std::fmt;

use super::{CheckReport, InstrumentCheck, Severity};
use crate::table::show_time;

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        writeln!(
            f,
            "  {} rows ({}), {} chunks, {} bytes, all checksums right",
            self.rows,
            self.schema.name(),
            self.chunks,
            self.bytes
        )?;
        writeln!(
            f,
            "  received {} to {}",
            show_time(self.recv_span_ns.0),
            show_time(self.recv_span_ns.1)
        )?;
        writeln!(f, "  from {}, clock {}", self.provenance.source, self.clock)?;
        if let (Some(offset), Some(latency)) = (&self.offset, &self.latency) {
            writeln!(
                f,
                "  feed latency: least {}, median {}, 99th percentile {}",
                show_ms(offset.min_latency_ns),
                show_ms(latency.p50_ns),
                show_ms(latency.p99_ns)
            )?;
        }
        self.instruments.iter().try_for_each(|one| instrument(f, one))?;
        for one in &self.bars {
            writeln!(
                f,
                "  {} ({}): {} bars of {:.0} s, {} missing",
                one.symbol,
                one.venue,
                one.bars,
                one.interval_ns as f64 / 1e9,
                one.missing_bars
            )?;
        }
        self.findings.iter().try_for_each(|finding| {
            let about = finding.instrument.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
            writeln!(f, "  {}: {about}{}", finding.severity, finding.message)
        })?;
        let count = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        match (count(Severity::Error), count(Severity::Warning)) {
            (0, 0) => f.write_str("  nothing wrong found"),
            (errors, warnings) => {
                write!(f, "  {}, {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn instrument(f: &mut fmt::Formatter<'_>, one: &InstrumentCheck) -> fmt::Result {
    writeln!(
        f,
        "  {} ({}): {} rows in {} messages: {} depth, {} trades, {} best quotes, {} order events",
        one.symbol,
        one.venue,
        one.rows,
        one.messages,
        one.depth_rows,
        one.trades,
        one.best_rows,
        one.order_rows
    )
}

fn show_ms(duration_ns: i64) -> String {
    format!("{:.3} ms", duration_ns as f64 / 1e6)
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
