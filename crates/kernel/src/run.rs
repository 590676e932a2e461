//! One run from files and configuration to results.

use std::thread;

use mainspring_core::limits::MAX_STRATEGIES;
use mainspring_core::{DurationNs, Error, ErrorKind, Instrument, InstrumentId, Result, TimeNs};
use mainspring_data::table::show_time;
use mainspring_data::{merge_instruments, ClockState, EventFile};
use mainspring_features::FeatureChain;
use mainspring_journal::log::FinishedLog;
use mainspring_journal::Sink;
use mainspring_sim::flow::FlowConfig;
use mainspring_sim::{FillModel, SimMarket};
use mainspring_trading::orders::OrderCounters;
use mainspring_trading::risk::{Gate, SocketValidator};

use crate::backtest::{Backtest, Span, Watch};
use crate::bars::{BarBuilder, BarSpec};
use crate::config::RunConfig;
use crate::host::Host;
use crate::kernel::{Kernel, Parts, RoundCounts, Rounds, Slot, REMEMBERED_IN_RUNS};
use crate::margin::Margins;
use crate::market::Market;
use crate::matching::{FlowSpec, Matching};
use crate::read_ahead::ReadAhead;
use crate::recorder::{Counts, Recorder};
use crate::shaping::Shaping;
use crate::source::Source;
use crate::stops::guards;

/// What a run leaves behind.
pub struct Outcome {
    /// The log of everything that happened.
    pub log: FinishedLog,
    /// Counts.
    pub counts: Counts,
    /// The run's instruments in kernel order.
    pub instruments: Vec<Instrument>,
    /// Names of the strategies in kernel order.
    pub strategies: Vec<String>,
    /// Why each strategy was stopped, where it was.
    pub failures: Vec<Option<String>>,
    /// Whether trading was halted.
    pub halted: bool,
    /// What rounds of reconciling did, where there were rules.
    pub rounds: Option<RoundCounts>,
    /// What the order table counted.
    pub orders: OrderCounters,
    /// Logical time at the start and at the end.
    pub span_ns: (TimeNs, TimeNs),
    /// The interval of equity samples that was used.
    pub sample_ns: DurationNs,
    /// The currency of the equity samples.
    pub report_currency: String,
    /// Why the run ended before the end of the data, if it did; results until then are kept.
    pub ended: Result<()>,
}

/// Runs strategies over files. Several files are merged by time; equal instruments are one.
///
/// # Errors
/// When configuration or data cannot be used, or results cannot be written. A failing strategy is
/// no error here: it is stopped and named in [`Outcome::failures`].
pub fn run(
    files: &[EventFile],
    config: &RunConfig,
    strategies: Vec<Box<dyn Host>>,
    sink: Sink,
    watch: &mut Watch<'_>,
) -> Result<Outcome> {
    config.validate()?;
    match &config.flow {
        None => {
            check_clocks(files)?;
            check_window(files, config)?;
        }
        Some(_) if files.is_empty() => {}
        Some(_) => {
            return Err(Error::new(ErrorKind::Config, "a run is over files or over generated flow"))
        }
    }
    let read_ahead = ReadAhead::default();
    if !ReadAhead::is_worth_it(files) {
        return run_beside(&read_ahead, files, config, strategies, sink, watch);
    }
    #[allow(clippy::disallowed_methods, reason = "files are read ahead by a thread of its own")]
    thread::scope(|scope| {
        scope.spawn(|| read_ahead.run(files));
        // Ends the thread however the run ends.
        let _end = Defer(|| read_ahead.finish());
        run_beside(&read_ahead, files, config, strategies, sink, watch)
    })
}

/// Calls a function when it goes out of scope.
struct Defer<F: Fn()>(F);

impl<F: Fn()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn run_beside(
    read_ahead: &ReadAhead,
    files: &[EventFile],
    config: &RunConfig,
    strategies: Vec<Box<dyn Host>>,
    sink: Sink,
    watch: &mut Watch<'_>,
) -> Result<Outcome> {
    let generated = config.flow.as_ref().map(FlowSpec::config).transpose()?;
    let (instruments, sources, span) = match &generated {
        None => of_files(read_ahead, files, config)?,
        Some(flow) => of_flow(flow, config),
    };
    let sample_ns = config.sample_ns.unwrap_or_else(|| sample_interval(span));
    let report_currency =
        config.report_currency.clone().unwrap_or_else(|| instruments[0].settle().to_owned());
    let names = strategies.iter().map(|s| s.name().to_owned()).collect();
    let recorder = Recorder::new(sink, config.record_orders)?;
    let estimated = with_models(config);
    let parts =
        assemble(&estimated, &instruments, strategies, recorder, sample_ns, &report_currency)?;
    let mut kernel = Kernel::new(parts);
    kernel.size_bps = config.size_bps;
    kernel.matching = matching(&instruments, config)?;
    let span = Span {
        start_ns: config.start_ns.unwrap_or(TimeNs::MIN),
        end_ns: config.end_ns.unwrap_or(TimeNs::MAX),
    };
    let ended = Backtest::new(&mut kernel, sources, span, watch).run();
    if ended.as_ref().is_err_and(|e| e.kind() == ErrorKind::Interrupted) {
        kernel.sample()?;
    }
    finish(kernel, instruments, names, ended)
}

/// What a run is over: instruments, sources, and the time that they cover.
type Inputs<'a> = (Vec<Instrument>, Vec<Source<'a>>, (TimeNs, TimeNs));

fn of_files<'a>(
    read_ahead: &'a ReadAhead,
    files: &'a [EventFile],
    config: &RunConfig,
) -> Result<Inputs<'a>> {
    let (instruments, maps) = merge_instruments(files)?;
    let sources = files.iter().zip(maps);
    let sources = sources.map(|(file, map)| Source::new(file, read_ahead, map, config));
    let first = files.iter().map(|f| f.recv_span_ns().0).min().unwrap_or(0);
    let last = files.iter().map(|f| f.recv_span_ns().1).max().unwrap_or(0);
    Ok((instruments, sources.collect::<Result<_>>()?, (first, last)))
}

fn of_flow(flow: &FlowConfig, config: &RunConfig) -> Inputs<'static> {
    let instruments = flow.instruments();
    let sources = (0..instruments.len() as u16).map(|id| Source::agents(InstrumentId(id), config));
    let sources = sources.collect();
    (instruments, sources, (flow.start_ns, flow.start_ns + flow.duration_ns))
}

/// The matching engine is in place of the simulated venue, which is there all the same.
pub(crate) fn with_models(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    if config.venue.fill_model == FillModel::Matching {
        config.venue.fill_model = FillModel::Mainspring;
    }
    config
}

fn matching(instruments: &[Instrument], config: &RunConfig) -> Result<Option<Box<Matching>>> {
    if config.venue.fill_model != FillModel::Matching {
        return Ok(None);
    }
    let matching = match &config.flow {
        Some(flow) => Matching::of_flow(flow, config)?,
        None => Matching::of_recordings(instruments, config)?,
    };
    Ok(Some(Box::new(matching)))
}

fn finish(
    kernel: Kernel,
    instruments: Vec<Instrument>,
    strategies: Vec<String>,
    ended: Result<()>,
) -> Result<Outcome> {
    Ok(Outcome {
        counts: kernel.recorder.counts,
        instruments,
        strategies,
        failures: kernel.strategies.into_iter().map(|slot| slot.failure).collect(),
        halted: kernel.gate.is_halted(),
        rounds: kernel.rounds.as_ref().map(|rounds| rounds.counts),
        orders: kernel.orders.counters(),
        span_ns: (kernel.started_ns, kernel.now_ns),
        sample_ns: kernel.sample_ns,
        report_currency: kernel.report_currency,
        log: kernel.recorder.finish()?,
        ended,
    })
}

pub(crate) fn assemble(
    config: &RunConfig,
    instruments: &[Instrument],
    strategies: Vec<Box<dyn Host>>,
    recorder: Recorder,
    sample_ns: DurationNs,
    report_currency: &str,
) -> Result<Parts> {
    if strategies.len() > MAX_STRATEGIES {
        return Err(Error::new(
            ErrorKind::Config,
            format!("{} strategies; the build's ceiling is {MAX_STRATEGIES}", strategies.len()),
        ));
    }
    let mut markets = Vec::with_capacity(instruments.len());
    let mut venues = Vec::with_capacity(instruments.len());
    let mut latency = Vec::with_capacity(instruments.len());
    let mut fees = Vec::with_capacity(instruments.len());
    let mut bar_builders = Vec::with_capacity(instruments.len());
    let specs = config.bars.iter().map(|text| text.parse()).collect::<Result<Vec<BarSpec>>>()?;
    for (index, instrument) in instruments.iter().enumerate() {
        let id = InstrumentId(index as u16);
        let features = FeatureChain::new(&config.features, instrument)?;
        markets.push(Market::new(id, instrument.clone(), features));
        venues.push(SimMarket::new(id, instrument, &config.venue)?);
        latency.push(config.latency.clone());
        fees.push(config.fees_of(instrument)?);
        let builders = specs.iter().enumerate();
        bar_builders.push(
            builders
                .map(|(n, spec)| BarBuilder::new(*spec, n as u16, id, instrument))
                .collect::<Result<Vec<_>>>()?,
        );
    }
    let names: Vec<String> = strategies.iter().map(|host| host.name().to_owned()).collect();
    let limits = match &config.margin {
        Some(margin) => margin.bound(&config.limits)?,
        None => config.limits.clone(),
    };
    let gate = Gate::new(&limits, instruments, &names)?;
    let margins = config.margin.map(|margin| Margins::new(margin, instruments)).transpose()?;
    let guards = guards(&config.stops, instruments, &names)?;
    let pairs = names.len() * instruments.len();
    let shaping = config.position_states.map(|states| Shaping::new(states, pairs));
    let slots = strategies
        .into_iter()
        .map(|host| Slot {
            interest: host.interest(),
            host,
            instrument: InstrumentId(0),
            failure: None,
        })
        .collect::<Vec<_>>();
    let rounds = config.reconcile.as_ref();
    let rounds = rounds.map(|rules| Rounds::new(rules, &markets, slots.len())).transpose()?;
    Ok(Parts {
        rounds: rounds.map(Box::new),
        markets,
        venues,
        latency,
        fees,
        decision_ns: config.decision_ns,
        venue_clock: config.venue_clock,
        ledger: config.ledger(instruments, slots.len(), report_currency)?,
        // One more: a refused order takes a place for the moment of its refusal.
        max_open_orders: gate.max_live_orders() + 1,
        gate,
        margins,
        shaping,
        guards,
        validator: config.validator.clone().map(|at| Box::new(SocketValidator::new(at)) as _),
        remembered_orders: REMEMBERED_IN_RUNS,
        strategies: slots,
        recorder,
        sample_ns,
        report_currency: report_currency.to_owned(),
        bar_builders,
        bar_spread_ticks: config.bar_spread_ticks,
    })
}

/// Several files on clocks that do not agree would let a run look ahead.
fn check_clocks(files: &[EventFile]) -> Result<()> {
    if files.is_empty() {
        return Err(Error::new(ErrorKind::Data, "a run needs at least one event file"));
    }
    match files.iter().find(|f| matches!(f.clock_state(), ClockState::Uncorrected)) {
        Some(file) if files.len() > 1 => Err(Error::new(
            ErrorKind::Data,
            format!(
                "{}: its receive clock runs behind its exchange clock and was not corrected, so it cannot be merged with other sources; import it again with clock correction",
                file.path().display()
            ),
        )),
        _ => Ok(()),
    }
}

/// A window beside the data would be a run of nothing, with figures that look like some.
fn check_window(files: &[EventFile], config: &RunConfig) -> Result<()> {
    let spans = || files.iter().flat_map(|file| [file.recv_span_ns(), file.exch_span_ns()]);
    let first = spans().map(|(first, _)| first).min().unwrap_or(TimeNs::MIN);
    let last = spans().map(|(_, last)| last).max().unwrap_or(TimeNs::MAX);
    let last = last.saturating_add(config.feed_ns.unwrap_or(0));
    let late = config.start_ns.filter(|start| first <= last && *start > last);
    let early = config.end_ns.filter(|end| first <= last && *end < first);
    let (what, at) = match (late, early) {
        (Some(start), _) => ("start", start),
        (None, Some(end)) => ("end", end),
        (None, None) => return Ok(()),
    };
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "the run would {what} at {}, and the data is from {} to {}",
            show_time(at),
            show_time(first),
            show_time(last)
        ),
    ))
}

/// Steps that people read easily, from one second to a day.
const SAMPLE_STEPS_S: [i64; 9] = [1, 5, 10, 30, 60, 300, 900, 3_600, 86_400];

/// Most samples of a run whose interval is not given.
const MAX_SAMPLES: i64 = 20_000;

fn sample_interval((first, last): (TimeNs, TimeNs)) -> DurationNs {
    let span_s = (last - first) / 1_000_000_000;
    let step = SAMPLE_STEPS_S.iter().find(|step| span_s / **step <= MAX_SAMPLES);
    step.copied().unwrap_or(86_400) * 1_000_000_000
}
