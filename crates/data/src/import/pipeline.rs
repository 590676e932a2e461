//! From staged messages to an event file: survey, grids, clock, checks, rows.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mainspring_core::event::BarRow;
use mainspring_core::{Error, ErrorKind, Result, RowKind, Ticks, TimeNs};

use super::grid::Gridder;
use super::instrument::{resolve, Finest, Resolved};
use super::options::{BadLines, Clock, OnProgress, Options, Progress};
use super::report::{ClockReport, ImportReport, InstrumentReport, Tally};
use super::stage::{Source, Staged, StagedRow, Symbols};
use crate::format::Schema;
use crate::provenance::{ClockState, Provenance};
use crate::writer::EventWriter;

/// Messages between two calls of the progress function.
const BATCH: u64 = 4_096;
/// Latencies that the survey keeps; when there are more, every second is dropped.
const LATENCY_SAMPLES: usize = 1 << 16;

/// Where rows go; the event-file writer, or memory in tests.
pub trait RowSink {
    /// Takes a row of L2 data, a trade or an order event.
    ///
    /// # Errors
    /// When it does not fit or cannot be written.
    fn row(&mut self, row: &GridRow) -> Result<()>;

    /// Takes a bar.
    ///
    /// # Errors
    /// When it does not fit or cannot be written.
    fn bar(&mut self, bar: BarRow) -> Result<()>;
}

/// A row on its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridRow {
    /// Corrected receive time.
    pub recv_ns: TimeNs,
    /// Exchange time.
    pub exch_ns: TimeNs,
    /// What it says.
    pub kind: RowKind,
    /// All flags.
    pub flags: u8,
    /// Index in the file.
    pub instrument: u16,
    /// Price.
    pub price: Ticks,
    /// Quantity in lots, or what the kind says.
    pub qty: i64,
    /// Order id or zero.
    pub order_id: u64,
}

struct FileSink {
    writer: EventWriter,
    orders: bool,
}

impl RowSink for FileSink {
    #[inline]
    fn row(&mut self, r: &GridRow) -> Result<()> {
        let w = &mut self.writer;
        if self.orders {
            w.push_order(
                r.recv_ns,
                r.exch_ns,
                r.kind,
                r.flags,
                r.instrument,
                r.price,
                r.qty,
                r.order_id,
            )
        } else {
            w.push_market(r.recv_ns, r.exch_ns, r.kind, r.flags, r.instrument, r.price, r.qty)
        }
    }

    fn bar(&mut self, bar: BarRow) -> Result<()> {
        self.writer.push_bar(bar)
    }
}

/// Opens the source anew; called once for each pass.
pub type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Source>>;

/// Imports a source into an event file.
///
/// # Errors
/// Names the file and line of what is wrong; no file is left then.
pub fn run(
    format: &str,
    inputs: &[PathBuf],
    output: &Path,
    options: &Options,
    open: Open<'_>,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    let start = Instant::now();
    let bytes_total =
        inputs.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
    let survey = survey(&mut *open()?, bytes_total, options, progress)?;
    if survey.seen.is_empty() {
        return Err(nothing_found(format, inputs, &survey.tally_notes));
    }
    let plan = plan(&survey, options)?;
    let clock = correct(&survey, options);

    let provenance = provenance(format, inputs, options, &plan, &clock)?;
    let mut source = open()?;
    let instruments = plan.resolved.iter().map(|r| r.instrument.clone()).collect();
    let writer = EventWriter::create(output, source.schema(), instruments, provenance)?;
    let mut sink = FileSink { writer, orders: source.schema() == Schema::Order };
    let mut tally = Tally::new(options.bad_lines);
    let mut grid = Gridder::new(&plan, clock.offset_ns);
    copy(&mut *source, &mut grid, &mut sink, &mut tally, bytes_total, options, progress)?;
    grid.notes(&mut tally);
    let summary = sink.writer.finish()?;

    let mut report = ImportReport {
        format: format.to_owned(),
        inputs: inputs.iter().map(|path| path.display().to_string()).collect(),
        output: output.display().to_string(),
        rows: summary.rows,
        instruments: plan.report(&grid.rows_of),
        clock,
        span_ns: grid.span_ns,
        ..ImportReport::default()
    };
    report.rows_by_kind = grid.rows_by_kind();
    report.notes.extend(plan.notes());
    tally.into_report(&mut report);
    report.seconds = start.elapsed().as_secs_f64();
    Ok(report)
}

fn nothing_found(format: &str, inputs: &[PathBuf], notes: &[String]) -> Error {
    let names: Vec<String> = inputs.iter().map(|path| path.display().to_string()).collect();
    let mut text = format!("{}: no {format} rows to import were found", names.join(", "));
    for note in notes {
        text.push_str("; ");
        text.push_str(note);
    }
    Error::new(ErrorKind::Data, text)
}

/// What the first pass saw.
struct Survey {
    symbols: Symbols,
    /// Symbols with rows in order of appearance, with their finest decimals.
    seen: Vec<(usize, Finest)>,
    min_latency_ns: Option<i64>,
    median_latency_ns: Option<i64>,
    one_clock: bool,
    tally_notes: Vec<String>,
}

fn survey(
    source: &mut dyn Source,
    bytes_total: u64,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<Survey> {
    let mut tally = Tally::new(options.bad_lines);
    let mut staged = Staged::default();
    let mut finest: Vec<Option<Finest>> = Vec::new();
    let mut order = Vec::new();
    let mut latencies = Latencies::default();
    let mut messages = 0_u64;
    while source.next(&mut staged, &mut tally)? {
        messages += 1;
        if messages.is_multiple_of(BATCH) {
            let bytes = source.bytes_read();
            progress(&Progress { stage: "survey", bytes, bytes_total, rows: 0 })?;
        }
        if staged.is_empty() {
            continue;
        }
        if finest.len() <= staged.symbol {
            finest.resize(staged.symbol + 1, None);
        }
        let slot = &mut finest[staged.symbol];
        if slot.is_none() {
            order.push(staged.symbol);
        }
        note_decimals(slot.get_or_insert_default(), &staged);
        if staged.stamped {
            latencies.note(staged.recv_ns.saturating_sub(staged.exch_ns));
        }
    }
    let mut report = ImportReport::default();
    tally.into_report(&mut report);
    Ok(Survey {
        symbols: source.symbols().clone(),
        seen: order.iter().map(|at| (*at, finest[*at].unwrap_or_default())).collect(),
        min_latency_ns: latencies.min,
        one_clock: latencies.differs == 0,
        median_latency_ns: latencies.median(),
        tally_notes: report.notes,
    })
}

fn note_decimals(finest: &mut Finest, staged: &Staged) {
    for row in &staged.rows {
        if !matches!(row.kind, RowKind::Mark | RowKind::Funding) {
            finest.price = finest.price.max(row.price.scale());
            finest.qty = finest.qty.max(row.qty.scale());
        }
    }
    for bar in &staged.bars {
        let places = bar.prices.iter().map(|price| price.scale()).max();
        finest.price = finest.price.max(places.unwrap_or(0));
        finest.qty = finest.qty.max(bar.volume.scale());
    }
}

/// Smallest latency, and a thinned sample for the median.
#[derive(Default)]
struct Latencies {
    min: Option<i64>,
    differs: u64,
    sample: Vec<i64>,
    every: u64,
    count: u64,
}

impl Latencies {
    #[inline]
    fn note(&mut self, latency: i64) {
        self.min = Some(self.min.map_or(latency, |min| min.min(latency)));
        self.differs += u64::from(latency != 0);
        self.every = self.every.max(1);
        if self.count.is_multiple_of(self.every) {
            self.sample.push(latency);
            if self.sample.len() >= LATENCY_SAMPLES {
                let mut keep = false;
                self.sample.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.every *= 2;
            }
        }
        self.count += 1;
    }

    fn median(mut self) -> Option<i64> {
        self.sample.sort_unstable();
        self.sample.get(self.sample.len() / 2).copied()
    }
}

/// The offset to add to receive times, and why.
fn correct(survey: &Survey, options: &Options) -> ClockReport {
    let min = survey.min_latency_ns;
    let (offset_ns, method) = match (options.clock, min) {
        (Clock::Offset(offset_ns), _) => (offset_ns, "given"),
        (Clock::Keep, _) => (0, "not corrected"),
        (Clock::Auto, Some(min)) if min < 0 => (options.base_latency_ns - min, "measured"),
        (Clock::Auto, _) if survey.one_clock => (0, "one clock"),
        (Clock::Auto, _) => (0, "none needed"),
    };
    ClockReport {
        offset_ns,
        method: method.to_owned(),
        min_latency_ns: min,
        median_latency_ns: survey.median_latency_ns,
    }
}

/// The instruments of the file.
pub(super) struct Plan {
    pub(super) resolved: Vec<Resolved>,
    /// Index in the file by index of the source's symbol.
    pub(super) index: Vec<Option<u16>>,
}

fn plan(survey: &Survey, options: &Options) -> Result<Plan> {
    for spec in &options.instruments {
        let known = |name: &str| survey.symbols.find(name).is_some();
        if let Some(name) = spec.symbol.as_deref().filter(|name| !known(name)) {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("the instrument {name} that was given does not occur in the input"),
            ));
        }
    }
    let mut plan = Plan { resolved: Vec::new(), index: vec![None; survey.symbols.list().len()] };
    for (at, finest) in &survey.seen {
        let symbol = &survey.symbols.list()[*at];
        let made = resolve(&symbol.name, options.spec_for(&symbol.name), &symbol.stated, *finest)?;
        plan.index[*at] = u16::try_from(plan.resolved.len()).ok();
        plan.resolved.push(made);
    }
    Ok(plan)
}

impl Plan {
    fn report(&self, rows: &[u64]) -> Vec<InstrumentReport> {
        let report = |(made, rows): (&Resolved, &u64)| InstrumentReport {
            symbol: made.instrument.symbol.clone(),
            venue: made.instrument.venue.clone(),
            tick: made.instrument.tick().to_string(),
            tick_origin: made.tick_origin,
            lot: made.instrument.lot.to_string(),
            lot_origin: made.lot_origin,
            rows: *rows,
        };
        self.resolved.iter().zip(rows).map(report).collect()
    }

    fn notes(&self) -> Vec<String> {
        use super::instrument::Origin::{Inferred, Widened};
        let widened = |made: &&Resolved| [made.tick_origin, made.lot_origin].contains(&Widened);
        let finer = |made: &Resolved| {
            let symbol = &made.instrument.symbol;
            format!("{symbol}: old orders are finer than the stated grid and are counted exactly")
        };
        let note = |made: &Resolved| {
            let what = match (made.tick_origin == Inferred, made.lot_origin == Inferred) {
                (true, true) => "tick and lot are",
                (true, false) => "the tick is",
                (false, true) => "the lot is",
                (false, false) => return None,
            };
            let symbol = &made.instrument.symbol;
            Some(format!("{symbol}: {what} inferred from the finest decimals in the data"))
        };
        let finer = self.resolved.iter().filter(widened).map(finer);
        self.resolved.iter().filter_map(note).chain(finer).collect()
    }
}

fn provenance(
    format: &str,
    inputs: &[PathBuf],
    options: &Options,
    plan: &Plan,
    clock: &ClockReport,
) -> Result<Provenance> {
    let state = if clock.offset_ns != 0 {
        ClockState::Corrected { offset_ns: clock.offset_ns }
    } else {
        ClockState::Trusted
    };
    let mut provenance = Provenance::new(format, state).with_fact("clock", &clock.method);
    for path in inputs {
        provenance = provenance.with_file(path)?;
    }
    for made in &plan.resolved {
        let origin = format!("tick {:?}, lot {:?}", made.tick_origin, made.lot_origin);
        let name = format!("instrument.{}", made.instrument.symbol);
        provenance = provenance.with_fact(name, origin.to_lowercase());
    }
    let text = serde_json::to_string(options)
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(provenance.with_fact("options", text))
}

fn copy(
    source: &mut dyn Source,
    grid: &mut Gridder<'_>,
    sink: &mut dyn RowSink,
    tally: &mut Tally,
    bytes_total: u64,
    options: &Options,
    progress: OnProgress<'_>,
) -> Result<()> {
    let mut staged = Staged::default();
    let mut messages = 0_u64;
    while source.next(&mut staged, tally)? {
        messages += 1;
        if messages.is_multiple_of(BATCH) {
            let (bytes, rows) = (source.bytes_read(), grid.rows);
            progress(&Progress { stage: "write", bytes, bytes_total, rows })?;
        }
        if staged.is_empty() {
            continue;
        }
        // The grid is checked for the whole message before any row of it is written.
        match grid.place(&staged) {
            Ok(()) => grid.write(&staged, sink).map_err(|error| error.at(source.place()))?,
            Err(reason) => {
                tally.refuse(&source.place(), &reason)?;
                if options.bad_lines == BadLines::Skip && staged.rows.iter().any(is_book) {
                    tally.gap(&grid.symbol(&staged), &source.place(), reason);
                    grid.write_gap(&staged, sink)?;
                }
            }
        }
    }
    progress(&Progress { stage: "write", bytes: bytes_total, bytes_total, rows: grid.rows })
}

const fn is_book(row: &StagedRow) -> bool {
    !matches!(row.kind, RowKind::Trade | RowKind::Best | RowKind::Mark | RowKind::Funding)
}
