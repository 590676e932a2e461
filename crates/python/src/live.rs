//! Sessions on real time: starting, watching and ending them, and the worker that Python strategies
//! run on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_core::event::MarketRow;
use mainspring_core::{Error, ErrorKind, Instrument, Result, Ticks};
use mainspring_data::EventFile;
use mainspring_journal::live::{Cursor, Folder, Item, Options, Start};
use mainspring_kernel::host::{BookTrigger, Host};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::decode::{decode, fields_to_json};
use mainspring_kernel::session::disk::{raw, sources, upgraded, Silent};
use mainspring_kernel::session::rerun::{replacement, rerun, Rerun, Where};
use mainspring_kernel::session::{Command, Image, Kind, Raw, Session, SessionConfig};
use mainspring_live::bench::event_to_order;
use mainspring_live::feed::FeedState;
use mainspring_live::{Handle, HostMaker, Link, Plan, Status, Watch, WorkerPulse, MAX_SHOWN};
use mainspring_sim::FillModel;
use mainspring_transport::driver::VenueState;
use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::compiled::{CompiledHost, PyCompiledStrategy};
use crate::errors::to_py;
use crate::feeds::Feeds;
use crate::host::{Causes, PythonHost};
use crate::relay::PyVenueRelay;
use crate::run::read_trigger;
use crate::transport::latency_json;

/// How long the worker waits for records before it looks whether the session has ended.
const WORKER_WAIT: Duration = Duration::from_millis(20);

/// Records after which the worker lets other Python threads run.
const WORKER_BATCH: u32 = 64;

/// How a session is kept and watched, as Python gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepText {
    journal: Options,
    stuck_ns: i64,
    strategy_ns: i64,
    kill_file: Option<PathBuf>,
    #[serde(default)]
    lease_file: Option<PathBuf>,
    flatten_on_kill: bool,
    signals: bool,
    pub(crate) busy_poll: bool,
    snapshot_ns: i64,
    stop_ns: i64,
    /// The core that the thread of venues outside is tied to.
    #[serde(default)]
    pub(crate) io_core: Option<usize>,
    /// Connections to each stream of market data.
    #[serde(default)]
    pub(crate) copies: u8,
}

/// A strategy of a session: in the kernel's thread, native or compiled, or on the worker.
pub(crate) enum Place {
    Kernel(NativeConfig, BookTrigger),
    Compiled(Py<PyCompiledStrategy>, BookTrigger, String),
    Worker(Py<PyAny>, BookTrigger, String),
}

/// Another version of a strategy that waits for its command to reach the worker.
struct Pending {
    version: u32,
    strategy: Py<PyAny>,
    trigger: BookTrigger,
}

/// Replacements of strategies on the worker: those that wait, and what became of the others.
#[derive(Default)]
struct Replacements {
    waiting: Vec<Pending>,
    done: Vec<(u32, Option<String>)>,
}

/// A running session; `stop` ends it, and so does letting go of it.
#[pyclass(frozen, module = "mainspring._core", name = "LiveSession")]
pub struct PyLiveSession {
    handle: Handle,
    folder: PathBuf,
    config: SessionConfig,
    instruments: Vec<Instrument>,
    places: Vec<Place>,
    base: Py<PyAny>,
    causes: Causes,
    /// What is seen of venues outside.
    venues: Vec<Arc<VenueState>>,
    replacements: Mutex<Replacements>,
    feeds: Vec<Arc<FeedState>>,
}

/// Starts a session whose venues are simulated in its kernel, fed by `feeds`. The texts are JSON;
/// `strategies` holds `(strategy, trigger)` pairs as in `run_backtest`.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn start_paper(
    py: Python<'_>,
    folder: PathBuf,
    config: &str,
    feeds: &str,
    keep: &str,
    code: &str,
    strategies: Vec<(Bound<'_, PyAny>, String)>,
    base: &Bound<'_, PyAny>,
    relays: Vec<Py<PyVenueRelay>>,
) -> PyResult<PyLiveSession> {
    let places = Place::read_all(&strategies)?;
    let ends = crate::trade::ends_of(&relays);
    // Feeds from outside are asked for their instruments: other threads run meanwhile.
    let opened = py.detach(|| -> Result<Feeds> {
        let how: KeepText = parse(keep, "how the session is kept")?;
        let told: SessionConfig = parse(config, "the session's configuration")?;
        let by_order = told.run.venue.fill_model == FillModel::Matching;
        Feeds::open(parse(feeds, "the feeds")?, &ends, &how, by_order)
    });
    let Feeds { links, instruments, states, venues, .. } = opened.map_err(to_py)?;
    let plan = plan(folder, (config, keep, code), &places, instruments, links).map_err(to_py)?;
    let session = PyLiveSession::launch(py, plan, places, base, venues)?;
    Ok(PyLiveSession { feeds: states, ..session })
}

/// What to run, from the texts that Python gives: configuration, how it is kept, code. The strategies
/// are made at the launch.
pub(crate) fn plan(
    folder: PathBuf,
    (config, keep, code): (&str, &str, &str),
    places: &[Place],
    instruments: Vec<Instrument>,
    links: Vec<Box<dyn Link>>,
) -> Result<Plan> {
    let mut config: SessionConfig = parse(config, "the session's configuration")?;
    let keep: KeepText = parse(keep, "how the session is kept")?;
    let code: Value = parse(code, "the strategies' code")?;
    for (currency, _) in &mut config.run.deposits {
        if currency.is_empty() {
            // What Python cannot know before the markets are there.
            instruments[0].settle().clone_into(currency);
        }
    }
    let names: Vec<String> = places.iter().map(Place::name).collect::<Result<_>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sources = sources(&config, &instruments, &names, &code, &json!({}))?;
    let elsewhere = places.iter().enumerate().filter(|(_, place)| place.is_elsewhere());
    Ok(Plan {
        folder,
        config,
        instruments,
        hosts: Box::new(|| Ok(Vec::new())),
        elsewhere: elsewhere.map(|(index, _)| index as u16).collect(),
        links,
        journal: keep.journal,
        sources,
        facts: b"{}".to_vec(),
        watch: Watch {
            stuck_ns: keep.stuck_ns,
            strategy_ns: keep.strategy_ns,
            kill_file: keep.kill_file,
            flatten: keep.flatten_on_kill,
            lease_file: keep.lease_file,
            signals: keep.signals,
        },
        busy_poll: keep.busy_poll,
        snapshot_ns: keep.snapshot_ns,
        stop_ns: keep.stop_ns,
    })
}

pub(crate) fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::new(ErrorKind::Config, format!("{what} cannot be used: {e}")))
}

/// The strategies as the kernel's thread has them: those on the worker by name only.
fn kernel_hosts(
    py: Python<'_>,
    places: &[Place],
    base: &Py<PyAny>,
    causes: &Causes,
) -> PyResult<HostMaker> {
    let mut made = Vec::with_capacity(places.len());
    for place in places {
        made.push(match place {
            Place::Kernel(config, trigger) => Made::Native(config.clone(), *trigger),
            Place::Compiled(strategy, trigger, _) => {
                let (base, causes) = (base.bind(py), Arc::clone(causes));
                let host = CompiledHost::new(py, strategy.get(), base, *trigger, causes)?;
                Made::Compiled(Box::new(host.in_session()))
            }
            Place::Worker(_, _, name) => Made::Elsewhere(name.clone()),
        });
    }
    Ok(Box::new(move || made.into_iter().map(Made::build).collect()))
}

/// A strategy in a form that can change its thread.
enum Made {
    Native(NativeConfig, BookTrigger),
    Compiled(Box<CompiledHost>),
    Elsewhere(String),
}

impl Made {
    fn build(self) -> Result<Box<dyn Host>> {
        Ok(match self {
            Self::Native(config, trigger) => config.build(trigger)?,
            Self::Compiled(host) => host,
            Self::Elsewhere(name) => Box::new(Silent::new(name)),
        })
    }
}

impl PyLiveSession {
    /// Starts what was planned.
    pub(crate) fn launch(
        py: Python<'_>,
        mut plan: Plan,
        places: Vec<Place>,
        base: &Bound<'_, PyAny>,
        venues: Vec<Arc<VenueState>>,
    ) -> PyResult<Self> {
        let base = base.clone().unbind();
        let folder = plan.folder.clone();
        let (config, instruments) = (plan.config.clone(), plan.instruments.clone());
        let causes: Causes = Arc::new(Mutex::new(Vec::new()));
        plan.hosts = kernel_hosts(py, &places, &base, &causes)?;
        let handle = py.detach(|| Handle::start(plan)).map_err(to_py)?;
        let replacements = Mutex::default();
        let feeds = Vec::new();
        Ok(Self {
            handle,
            folder,
            config,
            instruments,
            places,
            base,
            causes,
            venues,
            replacements,
            feeds,
        })
    }
}

impl Place {
    pub(crate) fn read_all(strategies: &[(Bound<'_, PyAny>, String)]) -> PyResult<Vec<Self>> {
        strategies.iter().map(|(one, trigger)| Self::read(one, trigger)).collect()
    }

    pub(crate) fn read(strategy: &Bound<'_, PyAny>, trigger: &str) -> PyResult<Self> {
        let trigger = read_trigger(trigger).map_err(to_py)?;
        if let Ok(text) = strategy.extract::<String>() {
            let config = parse(&text, "a native strategy").map_err(to_py)?;
            return Ok(Self::Kernel(config, trigger));
        }
        if let Ok(compiled) = strategy.cast::<PyCompiledStrategy>() {
            let name = compiled.get().name(strategy.py())?;
            return Ok(Self::Compiled(compiled.clone().unbind(), trigger, name));
        }
        let name = strategy.getattr("name")?.extract()?;
        Ok(Self::Worker(strategy.clone().unbind(), trigger, name))
    }

    fn name(&self) -> Result<String> {
        Ok(match self {
            Self::Kernel(config, trigger) => config.build(*trigger)?.name().to_owned(),
            Self::Compiled(_, _, name) | Self::Worker(_, _, name) => name.clone(),
        })
    }

    const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Worker(..))
    }
}

#[pymethods]
impl PyLiveSession {
    /// How long the stages from a venue's bytes to an order took so far, as JSON.
    fn latency(&self) -> String {
        latency_json(self.handle.latency()).to_string()
    }

    /// The kernel's newest picture as JSON.
    fn status(&self) -> String {
        let status = self.handle.status();
        status_json(&status, &self.instruments).to_string()
    }

    /// What is seen of venues outside, as JSON.
    fn venues(&self) -> String {
        let shown = self.venues.iter().map(|state| crate::trade::shown_json(&state.read()));
        Value::from_iter(shown).to_string()
    }

    /// Whether every feed has sent its last message.
    fn feeds_ended(&self) -> bool {
        !self.feeds.is_empty() && self.feeds.iter().all(|feed| feed.has_ended())
    }

    /// Whether the kernel's thread has ended.
    fn has_ended(&self) -> bool {
        self.handle.has_ended()
    }

    /// What the recovery at the start did, as JSON; `resumed` says whether there was a session.
    fn recovery(&self) -> PyResult<String> {
        let (resumed, report) = self.handle.recovery();
        let report = serde_json::to_value(report).map_err(|e| to_py(internal(&e)))?;
        Ok(json!({ "resumed": resumed, "report": report }).to_string())
    }

    /// Why trading is halted at the last door as (cause, text), or None.
    fn halted(&self) -> Option<(String, String)> {
        let egress = self.handle.egress();
        let reason = egress.is_halted().then(|| egress.reason()).flatten();
        reason.map(|reason| (reason.cause, reason.text))
    }

    /// What the supervisor did, as (time_ns, cause, text).
    fn entries(&self) -> Vec<(i64, String, String)> {
        let entries = self.handle.entries();
        entries.into_iter().map(|e| (e.time_ns, e.cause, e.text)).collect()
    }

    /// Why strategies have stopped, in their order.
    fn failures(&self) -> Vec<String> {
        self.handle.failures()
    }

    /// Halts trading and cancels everything, also when the kernel hangs.
    fn kill(&self, why: &str) {
        self.handle.kill(why);
    }

    /// Has the kernel journal and carry out a command given as JSON.
    fn command(&self, py: Python<'_>, command: &str, timeout_s: f64) -> PyResult<()> {
        let command: Command = parse(command, "the command").map_err(to_py)?;
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
        py.detach(|| self.handle.command(command, patience)).map_err(to_py)
    }

    /// Lets another version of the strategy at `index` take its place, as replacement number
    /// `version`; `code` is what it is, as JSON. On the worker it takes over when the command has
    /// reached it: `replaced` says what became of it.
    #[allow(clippy::too_many_arguments)]
    fn replace(
        &self,
        py: Python<'_>,
        index: u16,
        strategy: &Bound<'_, PyAny>,
        trigger: &str,
        version: u32,
        code: &str,
        timeout_s: f64,
    ) -> PyResult<()> {
        let code: Value = parse(code, "the strategy's code").map_err(to_py)?;
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
        let place = Place::read(strategy, trigger)?;
        match (self.places.get(usize::from(index)), place) {
            (Some(Place::Worker(..)), Place::Worker(strategy, trigger, _)) => {
                let waiting = Pending { version, strategy, trigger };
                self.replacements.lock().map_err(poisoned)?.waiting.push(waiting);
                let command = Command::ReplaceStrategy { strategy: index, version, code };
                py.detach(|| self.handle.command(command, patience)).map_err(to_py)
            }
            (Some(Place::Compiled(..)), Place::Compiled(strategy, trigger, _)) => {
                let (base, causes) = (self.base.bind(py), Arc::clone(&self.causes));
                let host = CompiledHost::new(py, strategy.get(), base, trigger, causes)?;
                let made = Made::Compiled(Box::new(host.in_session()));
                let make = Box::new(move || made.build());
                let replaced = || self.handle.replace(index, version, code, make, patience);
                py.detach(replaced).map_err(to_py)
            }
            _ => Err(to_py(Error::new(
                ErrorKind::Config,
                "a Python strategy is replaced by a Python strategy, a compiled one by a compiled \
                 one; of a native one the parameters can be changed",
            ))),
        }
    }

    /// What became of a replacement on the worker: None while it waits, else why it failed, empty
    /// when it took over.
    fn replaced(&self, version: u32) -> PyResult<Option<String>> {
        let replacements = self.replacements.lock().map_err(poisoned)?;
        let done = replacements.done.iter().find(|(known, _)| *known == version);
        Ok(done.map(|(_, why)| why.clone().unwrap_or_default()))
    }

    /// Has the state kept now.
    fn snapshot(&self) -> PyResult<()> {
        self.handle.snapshot().map_err(to_py)
    }

    /// Ends the session; JSON of how it ended, or None when it was ended before.
    fn stop(&self, py: Python<'_>, cancel: bool) -> Option<String> {
        let outcome = py.detach(|| self.handle.stop(cancel))?;
        let told = json!({
            "broken": outcome.broken,
            "stop_ns": outcome.stop_ns,
            "status": status_json(&outcome.status, &self.instruments),
        });
        Some(told.to_string())
    }

    /// Exceptions of strategies, in order.
    fn exceptions(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let causes = self.causes.lock();
        causes.map_or_else(
            |_| Vec::new(),
            |list| list.iter().map(|e| e.clone_ref(py).into_value(py).into_any()).collect(),
        )
    }

    /// Whether a strategy runs on the worker.
    fn needs_worker(&self) -> bool {
        self.places.iter().any(Place::is_elsewhere)
    }

    /// Runs the Python strategies in the calling thread until the session has ended: they follow the
    /// journal, and what they ask for goes to the kernel.
    fn run_worker(&self, py: Python<'_>) -> PyResult<()> {
        let image = self.handle.take_image().ok_or_else(|| {
            to_py(Error::new(ErrorKind::Internal, "the worker of this session runs already"))
        })?;
        let pulse = self.handle.worker();
        pulse.adopt();
        let done = self.follow_to_end(py, &image);
        pulse.note_end();
        done
    }
}

impl PyLiveSession {
    fn follow_to_end(&self, py: Python<'_>, image: &Image) -> PyResult<()> {
        let mut worker = Worker::new(py, self, image)?;
        loop {
            match worker.some(py, self)? {
                Round::Busy => py.detach(std::thread::yield_now),
                Round::Idle => {
                    worker.keep_states(py, self)?;
                    if self.handle.has_ended() || worker.pulse.is_stopped() {
                        return Ok(());
                    }
                    let cursor = &mut worker.cursor;
                    py.detach(|| cursor.wait(WORKER_WAIT)).map_err(to_py)?;
                }
            }
        }
    }
}

fn poisoned<T>(_: std::sync::PoisonError<T>) -> PyErr {
    to_py(Error::new(ErrorKind::Internal, "a thread of the session panicked"))
}

enum Round {
    Busy,
    Idle,
}

/// The strategies on the worker, as followers of the journal.
struct Worker {
    session: Session,
    cursor: Cursor,
    pulse: Arc<WorkerPulse>,
    /// The strategies that run here.
    strategies: Vec<Option<Py<PyAny>>>,
    /// The last declared state of each strategy.
    states: Vec<Vec<u8>>,
}

impl Worker {
    fn new(py: Python<'_>, live: &PyLiveSession, image: &Image) -> PyResult<Self> {
        let hosts = live.places.iter().map(|place| live.worker_host(py, place));
        let hosts = hosts.collect::<PyResult<Vec<_>>>()?;
        let begin = || -> Result<(Session, Cursor)> {
            let mut session = Session::new(live.config.clone(), live.instruments.clone(), hosts)?;
            if image.sequence > 0 {
                session.restore(image)?;
            }
            session.decide_elsewhere();
            let folder = Folder::open(&live.folder)?;
            Ok((session, Cursor::open(folder, Start::After(image.sequence))?))
        };
        let (session, cursor) = begin().map_err(to_py)?;
        let mut states = vec![Vec::new(); live.places.len()];
        for ((place, kept), state) in live.places.iter().zip(&image.strategies).zip(&mut states) {
            if let Place::Worker(strategy, ..) = place {
                if !kept.state.is_empty() {
                    strategy.call_method1(py, "_load_state", (kept.state.as_slice(),))?;
                    state.clone_from(&kept.state);
                }
            }
        }
        let own = |place: &Place| match place {
            Place::Worker(strategy, ..) => Some(strategy.clone_ref(py)),
            _ => None,
        };
        let strategies = live.places.iter().map(own).collect();
        Ok(Self { session, cursor, pulse: live.handle.worker(), strategies, states })
    }

    /// Follows some records.
    fn some(&mut self, py: Python<'_>, live: &PyLiveSession) -> PyResult<Round> {
        for _ in 0..WORKER_BATCH {
            let (followed, replaced, ends) = {
                let item = self.cursor.read().map_err(to_py)?;
                let record = match item {
                    Item::Record(record) => record,
                    Item::Idle => return Ok(Round::Idle),
                    Item::Gap(_) => return Err(to_py(behind())),
                };
                let (kind, payload) = upgraded(&record).map_err(to_py)?;
                let raw = Raw { kind, payload: &payload, ..raw(&record) };
                self.pulse.begin(live.handle.clock().now_ns());
                let followed = self.session.follow(&raw);
                self.pulse.end();
                let ends = Kind::from_code(kind) == Some(Kind::Stop);
                (followed, replacement(&raw), ends)
            };
            followed.map_err(to_py)?;
            if let Some((strategy, version, _)) = replaced {
                self.replace(py, live, strategy, version)?;
            }
            self.tell(py, live)?;
            if ends {
                self.keep_states(py, live)?;
                self.pulse.note_end();
            }
        }
        Ok(Round::Busy)
    }

    /// Another version of a strategy takes over, if this process has it.
    fn replace(
        &mut self,
        py: Python<'_>,
        live: &PyLiveSession,
        index: u16,
        version: u32,
    ) -> PyResult<()> {
        let waiting = {
            let mut replacements = live.replacements.lock().map_err(poisoned)?;
            let place = replacements.waiting.iter().position(|one| one.version == version);
            place.map(|place| replacements.waiting.remove(place))
        };
        let Some(Pending { strategy, trigger, .. }) = waiting else { return Ok(()) };
        let (base, causes) = (live.base.bind(py), Arc::clone(&live.causes));
        let host = PythonHost::new(strategy.bind(py), base, trigger, causes)?;
        self.pulse.begin(live.handle.clock().now_ns());
        let taken = self.session.replace_host(index, Box::new(host));
        self.pulse.end();
        let refused = taken.map_err(to_py)?.err().map(|failure| failure.message);
        match &refused {
            None => self.strategies[usize::from(index)] = Some(strategy),
            Some(cause) => {
                let cause = cause.clone();
                let told = Command::ReplacementFailed { strategy: index, version, cause };
                let _ = py.detach(|| live.handle.command(told, Duration::from_secs(5)));
            }
        }
        live.replacements.lock().map_err(poisoned)?.done.push((version, refused));
        Ok(())
    }

    /// What the strategies asked for goes to the kernel; one that failed is stopped there.
    fn tell(&mut self, py: Python<'_>, live: &PyLiveSession) -> PyResult<()> {
        let sequence = self.session.sequence();
        if self.pulse.is_stopped() {
            return Ok(());
        }
        for followed in self.session.take_followed() {
            let mut bytes = followed.bytes;
            bytes[..8].copy_from_slice(&sequence.to_le_bytes());
            // A full queue: the kernel has to get on first.
            while live.handle.wishes(bytes.clone()).is_err() {
                if live.handle.has_ended() {
                    return Ok(());
                }
                py.detach(|| std::thread::sleep(Duration::from_millis(1)));
            }
        }
        for (strategy, cause) in self.session.take_failures() {
            let command = Command::StopStrategy { strategy, cause };
            let _ = py.detach(|| live.handle.command(command, Duration::from_secs(5)));
        }
        Ok(())
    }

    /// Declared state that changed goes to the kernel, which journals it.
    fn keep_states(&mut self, py: Python<'_>, live: &PyLiveSession) -> PyResult<()> {
        for (index, strategy) in self.strategies.iter().enumerate() {
            let Some(strategy) = strategy else { continue };
            let state: Vec<u8> = strategy.call_method0(py, "_save_state")?.extract(py)?;
            let told = state != self.states[index]
                && live.handle.strategy_state(index as u16, state.clone()).is_ok();
            if told {
                self.states[index] = state;
            }
        }
        Ok(())
    }
}

impl PyLiveSession {
    fn worker_host(&self, py: Python<'_>, place: &Place) -> PyResult<Box<dyn Host>> {
        Ok(match place {
            Place::Kernel(..) | Place::Compiled(..) => {
                Box::new(Silent::new(place.name().map_err(to_py)?))
            }
            Place::Worker(strategy, trigger, _) => {
                let causes = Arc::clone(&self.causes);
                let base = self.base.bind(py);
                Box::new(PythonHost::new(strategy.bind(py), base, *trigger, causes)?)
            }
        })
    }
}

/// Runs strategies again over a session's journal and compares what they ask for with what is
/// recorded; JSON of what was found, with the first difference decoded. `strategies` are as in
/// `start_paper`. `remake(index, version, code)` gives such a pair for what the session replaced a
/// strategy with, or began anew with (version 0); None leaves the one before.
#[pyfunction]
pub fn rerun_session(
    py: Python<'_>,
    folder: PathBuf,
    strategies: Vec<(Bound<'_, PyAny>, String)>,
    base: &Bound<'_, PyAny>,
    to_the_end: bool,
    remake: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let places = strategies
        .iter()
        .map(|(one, trigger)| Place::read(one, trigger))
        .collect::<PyResult<Vec<_>>>()?;
    let causes: Causes = Arc::new(Mutex::new(Vec::new()));
    let mut found = Rerun::default();
    for at in [Where::Inline, Where::Elsewhere] {
        let runs = |place: &Place| place.is_elsewhere() == (at == Where::Elsewhere);
        if !places.iter().any(runs) {
            continue;
        }
        let hosts = places.iter().map(|place| match runs(place) {
            true => rerun_host(py, place, base, &causes).map(Some),
            false => Ok(None),
        });
        let hosts = hosts.collect::<PyResult<Vec<_>>>()?;
        let mut raised = None;
        let mut again = |index: u16, version: u32, code: &Value| {
            let made = || -> PyResult<Option<Box<dyn Host>>> {
                let made = remake.call1((index, version, code.to_string()))?;
                if made.is_none() {
                    return Ok(None);
                }
                let (strategy, trigger): (Bound<'_, PyAny>, String) = made.extract()?;
                let place = Place::read(&strategy, &trigger)?;
                rerun_host(py, &place, base, &causes).map(Some)
            };
            made().map_err(|error| {
                let what = Error::new(ErrorKind::Strategy, error.to_string());
                raised = Some(error);
                what
            })
        };
        let part = rerun(&folder, hosts, at, to_the_end, &mut again);
        if let Some(error) = raised {
            return Err(error);
        }
        let part = part.map_err(to_py)?;
        found.records = found.records.max(part.records);
        found.same += part.same;
        found.different += part.different;
        found.difference = found.difference.or(part.difference);
    }
    rerun_json(&found).map_err(to_py)
}

pub(crate) fn rerun_host(
    py: Python<'_>,
    place: &Place,
    base: &Bound<'_, PyAny>,
    causes: &Causes,
) -> PyResult<Box<dyn Host>> {
    let causes = Arc::clone(causes);
    Ok(match place {
        Place::Kernel(config, trigger) => config.build(*trigger).map_err(to_py)?,
        Place::Compiled(strategy, trigger, _) => {
            Box::new(CompiledHost::new(py, strategy.get(), base, *trigger, causes)?)
        }
        Place::Worker(strategy, trigger, _) => {
            Box::new(PythonHost::new(strategy.bind(py), base, *trigger, causes)?)
        }
    })
}

fn wishes_to_json(bytes: &[u8]) -> Result<Value> {
    let raw = Raw { kind: Kind::Intents as u16, sequence: 0, time_ns: 0, cause: 0, payload: bytes };
    Ok(fields_to_json(&decode(&raw, &[])?))
}

fn rerun_json(found: &Rerun) -> Result<String> {
    let wishes = |bytes: &[u8]| -> Result<Value> {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        wishes_to_json(bytes)
    };
    let difference = match &found.difference {
        None => Value::Null,
        Some(one) => json!({
            "strategy": one.strategy,
            "input": one.input,
            "time_ns": one.time_ns,
            "recorded": wishes(&one.recorded)?,
            "again": wishes(&one.again)?,
        }),
    };
    Ok(json!({
        "records": found.records,
        "same": found.same,
        "different": found.different,
        "difference": difference,
    })
    .to_string())
}

/// p50, p99, the slowest, and how many.
type Quantiles = (u32, u32, u32, usize);

/// Nanoseconds from a market message to the orders that it leads to, over the messages of a market
/// file: `(p50, p99, max, count)` of those with orders and of all.
#[pyfunction]
pub fn time_event_to_order(
    py: Python<'_>,
    path: PathBuf,
    folder: PathBuf,
    config: &str,
    strategy: &str,
    limit: usize,
) -> PyResult<(Quantiles, Quantiles)> {
    let config: SessionConfig = parse(config, "the configuration").map_err(to_py)?;
    let strategy: NativeConfig = parse(strategy, "the strategy").map_err(to_py)?;
    let run = || -> Result<_> {
        let file = EventFile::open(&path)?;
        let messages = messages_of(&file, limit)?;
        let instrument = &file.instruments()[0];
        let times = event_to_order(&folder, &config, instrument, &strategy, &messages)?;
        Ok((quantiles(&times.to_order), quantiles(&times.all)))
    };
    py.detach(run).map_err(to_py)
}

/// The first messages of a file.
fn messages_of(file: &EventFile, limit: usize) -> Result<Vec<(Ticks, Vec<MarketRow>)>> {
    let mut messages = Vec::new();
    let mut rows = Vec::new();
    for number in 0..file.chunks().len() {
        let chunk = file.chunk(number)?;
        for row in chunk.rows {
            rows.push(*row);
            if row.ends_message() {
                messages.push((chunk.price_base, std::mem::take(&mut rows)));
                if messages.len() == limit {
                    return Ok(messages);
                }
            }
        }
    }
    Ok(messages)
}

fn quantiles(sorted: &[u32]) -> Quantiles {
    let at = |share: usize| sorted.get(sorted.len() * share / 100).copied().unwrap_or(0);
    (at(50), at(99), sorted.last().copied().unwrap_or(0), sorted.len())
}

fn behind() -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "the strategies are so far behind that the journal they follow was archived",
    )
}

fn internal(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}

fn status_json(status: &Status, instruments: &[Instrument]) -> Value {
    let shown = instruments.iter().zip(&status.shown).take(MAX_SHOWN);
    let markets: Vec<Value> = shown
        .map(|(instrument, shown)| {
            json!({
                "symbol": instrument.symbol,
                "venue": instrument.venue,
                "bid_ticks": (shown.bid_ticks != i64::MIN).then_some(shown.bid_ticks),
                "ask_ticks": (shown.ask_ticks != i64::MAX).then_some(shown.ask_ticks),
                "position_lots": shown.position_lots,
            })
        })
        .collect();
    json!({
        "time_ns": status.now_ns,
        "sequence": status.sequence,
        "rows": status.rows,
        "orders": status.orders,
        "cancels": status.cancels,
        "fills": status.fills,
        "risk_rejects": status.risk_rejects,
        "totals": {
            "rows": status.total_rows,
            "orders": status.total_orders,
            "cancels": status.total_cancels,
            "amends": status.total_amends,
            "fills": status.total_fills,
        },
        "open_orders": status.open_orders,
        "halted": status.halted != 0,
        "markets": markets,
    })
}
