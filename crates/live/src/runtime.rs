//! Starting, holding and ending a session.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Lots, OpenOrder, Result};
use mainspring_journal::live::{Control, Options, RecoveryReport, Sources};
use mainspring_kernel::host::Host;
use mainspring_kernel::session::foreign::is_known_by_venue_id;
use mainspring_kernel::session::{disk, Command, Image, Session, SessionConfig};
use mainspring_memory::{ring, seqlock, SnapshotReader};

use crate::clock::WallClock;
use crate::egress::Egress;
use crate::engine::{Engine, Habits, LinkEnd, Pulse};
use crate::heartbeat::{End, Heartbeat};
use crate::latency::Latency;
use crate::link::{Desk, Link};
use crate::message::{Account, Inbound, NewHost, Order};
use crate::status::Status;
use crate::supervisor::{Entry, Shared, Supervisor, Watch, WorkerPulse};
use crate::wake::Waker;

/// Items from a link that may wait for the kernel; market data beyond that is dropped with a gap.
const INBOUND: usize = 8_192;
/// Requests that may wait for a link; more wait with the kernel, which has its own bound.
const REQUESTS: usize = 4_096;
/// Commands and wishes that may wait for the kernel; who states more is told that it takes none.
const ORDERS: usize = 1_024;

/// Makes the strategies, in the kernel's thread.
pub type HostMaker = Box<dyn FnOnce() -> Result<Vec<Box<dyn Host>>> + Send>;

/// What to run.
pub struct Plan {
    /// Where journal and snapshots are kept.
    pub folder: PathBuf,
    /// Limits, fees, patience.
    pub config: SessionConfig,
    /// What is traded.
    pub instruments: Vec<Instrument>,
    /// The strategies.
    pub hosts: HostMaker,
    /// Indices of those that run on a worker: the kernel only has their names.
    pub elsewhere: Vec<u16>,
    /// The venues, each with a thread of its own.
    pub links: Vec<Box<dyn Link>>,
    /// How the journal is kept.
    pub journal: Options,
    /// What the journal's header names.
    pub sources: Sources,
    /// JSON about this start, for people.
    pub facts: Vec<u8>,
    /// What the supervisor watches.
    pub watch: Watch,
    /// Never sleep: a core of its own for the kernel.
    pub busy_poll: bool,
    /// Between snapshots.
    pub snapshot_ns: i64,
    /// How long the answers to the last cancels are waited for.
    pub stop_ns: i64,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its last picture.
    pub status: Status,
    /// Why it broke off; `None` when it ended in order.
    pub broken: Option<String>,
    /// Nanoseconds from the order to end to the journal being whole on the disk.
    pub stop_ns: i64,
}

/// What the kernel's thread says when it is ready.
struct Ready {
    resumed: bool,
    report: RecoveryReport,
    image: Image,
    journal: Control,
}

/// A running session. Dropping it ends the session.
pub struct Handle {
    orders: SyncSender<Order>,
    waker: Waker,
    status: SnapshotReader<Status>,
    egress: Arc<Egress>,
    supervisor: Arc<Shared>,
    failures: Arc<Mutex<Vec<String>>>,
    worker: Arc<WorkerPulse>,
    latency: Arc<Latency>,
    clock: WallClock,
    journal: Control,
    resumed: bool,
    report: RecoveryReport,
    image: Mutex<Option<Image>>,
    ended: Arc<AtomicBool>,
    lease: Arc<End>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    kernel: JoinHandle<Option<String>>,
    supervisor: JoinHandle<()>,
    heartbeat: Option<JoinHandle<()>>,
    links: Vec<JoinHandle<()>>,
    end_links: Arc<AtomicBool>,
}

impl Handle {
    /// Recovers what the folder has, and starts.
    ///
    /// # Errors
    /// When the folder is in use or damaged beyond recovery, configuration and journal do not fit, or
    /// a thread cannot be started.
    pub fn start(plan: Plan) -> Result<Self> {
        let clock = WallClock::new();
        let waker = Waker::default();
        let egress = Arc::new(Egress::default());
        let pulse = Arc::new(Pulse::default());
        let worker = Arc::new(WorkerPulse::default());
        let latency = Arc::new(Latency::default());
        let supervisor = Arc::new(Shared::default());
        let failures = Arc::default();
        let ended = Arc::new(AtomicBool::new(false));
        let end_links = Arc::new(AtomicBool::new(false));
        let (orders, received) = sync_channel(ORDERS);
        let (status_writer, status) = seqlock(&Status::default());
        let venues = venues_of(&plan.instruments);
        let mut links = by_venue(plan.links, &venues)?;
        let (mut ends, mut desks) = (Vec::new(), Vec::new());
        for link in &links {
            let (to_kernel, inbound) = ring::<Inbound>(INBOUND);
            let (requests, taken) = ring(REQUESTS);
            let bell = link.as_ref().and_then(|link| link.bell());
            ends.push(LinkEnd { inbound, requests, backlog: Default::default(), bell });
            desks.push((taken, to_kernel));
        }
        let (ready, is_ready) = sync_channel(1);
        let setup = Setup {
            folder: plan.folder,
            config: plan.config,
            instruments: plan.instruments.clone(),
            hosts: plan.hosts,
            journal: plan.journal,
            sources: plan.sources,
            facts: plan.facts,
            habits: Habits {
                busy_poll: plan.busy_poll,
                snapshot_ns: plan.snapshot_ns,
                stop_ns: plan.stop_ns,
            },
            ends,
            received,
            clock,
            status: status_writer,
            egress: Arc::clone(&egress),
            pulse: Arc::clone(&pulse),
            latency: Arc::clone(&latency),
            failures: Arc::clone(&failures),
            waker: waker.clone(),
            venues: venues.clone(),
            worker: (!plan.elsewhere.is_empty()).then(|| Arc::clone(&worker)),
        };
        let kernel = start_kernel(setup, ready, Arc::clone(&supervisor), Arc::clone(&ended))?;
        let Ok(begun) = is_ready.recv() else {
            return Err(broken_start(kernel));
        };
        let begun: Ready = begun?;
        let account = account_of(&begun.image);
        let instruments = plan.instruments.len();
        let lease = Arc::new(End::default());
        let heartbeat = plan.watch.lease_file.clone().map(|path| Heartbeat {
            path,
            pulse: Arc::clone(&pulse),
            clock,
            stuck_ns: plan.watch.stuck_ns,
            end: Arc::clone(&lease),
        });
        heartbeat.as_ref().map(Heartbeat::begin).transpose()?;
        let mut threads = Vec::new();
        for (link, rings) in links.iter_mut().zip(desks) {
            let Some(mut link) = link.take() else { continue };
            let mut desk = Desk::new(
                rings,
                waker.clone(),
                Arc::clone(&egress),
                clock,
                Arc::clone(&latency),
                Arc::clone(&end_links),
                instruments,
            );
            let here = |open: &&OpenOrder| {
                let instrument = plan.instruments.get(open.instrument.index());
                instrument.is_some_and(|instrument| instrument.venue == link.venue())
            };
            let open = account.open.iter().filter(here);
            desk.note_open(open.map(|open| (open.order, open.instrument)));
            link.adopt(&account);
            threads.push(spawn(&format!("venue-{}", link.venue()), move || link.run(desk))?);
        }
        let heartbeat = heartbeat.map(|one| spawn("lease", move || one.run())).transpose()?;
        let watcher = Supervisor {
            watch: plan.watch,
            shared: Arc::clone(&supervisor),
            egress: Arc::clone(&egress),
            pulse,
            journal: begun.journal.clone(),
            orders: orders.clone(),
            waker: waker.clone(),
            clock,
            worker: Arc::clone(&worker),
            elsewhere: plan.elsewhere,
            told_to_end: false,
        };
        let watcher = spawn("supervisor", move || watcher.run())?;
        Ok(Self {
            orders,
            waker,
            status,
            egress,
            supervisor,
            failures,
            worker,
            latency,
            clock,
            journal: begun.journal,
            resumed: begun.resumed,
            report: begun.report,
            image: Mutex::new(Some(begun.image)),
            ended,
            lease,
            threads: Mutex::new(Some(Threads {
                kernel,
                supervisor: watcher,
                heartbeat,
                links: threads,
                end_links,
            })),
        })
    }

    /// The newest picture of the kernel, whole.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.read()
    }

    /// A reader of that picture for another thread.
    #[must_use]
    pub fn reader(&self) -> SnapshotReader<Status> {
        self.status.clone()
    }

    /// The last door.
    #[must_use]
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// What the supervisor did.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.supervisor.entries()
    }

    /// Why strategies have stopped, in their order; the session goes on without them.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.failures.lock().map_or_else(|_| Vec::new(), |told| told.clone())
    }

    /// The journal that is being written.
    #[must_use]
    pub const fn journal(&self) -> &Control {
        &self.journal
    }

    /// Whether a session was there before, and what its recovery did.
    #[must_use]
    pub const fn recovery(&self) -> (bool, &RecoveryReport) {
        (self.resumed, &self.report)
    }

    /// The state that the session began with, for a worker to follow on from. Given once.
    #[must_use]
    pub fn take_image(&self) -> Option<Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The worker's pulse, for whoever runs it.
    #[must_use]
    pub fn worker(&self) -> Arc<WorkerPulse> {
        Arc::clone(&self.worker)
    }

    /// How long the stages from bytes to orders take.
    #[must_use]
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The session's clock.
    #[must_use]
    pub const fn clock(&self) -> WallClock {
        self.clock
    }

    /// Whether the kernel's thread has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Halts trading: the egress at once, the kernel as soon as it looks. Never undone by itself.
    pub fn kill(&self, why: &str) {
        self.supervisor.ask(why);
    }

    /// Has the kernel journal and carry out a command, and waits for that.
    ///
    /// # Errors
    /// When the kernel takes no commands, does not answer in time, or the command fails.
    pub fn command(&self, command: Command, patience: Duration) -> Result<()> {
        let (reply, answer) = sync_channel(1);
        self.tell(Order::Command(command, Some(reply)))?;
        waited(&answer, patience)
    }

    /// Lets another version of a strategy in the kernel's thread take over, and waits for that.
    ///
    /// # Errors
    /// When the kernel takes no commands or does not answer in time, or the version cannot be made or
    /// take over: the one before goes on.
    pub fn replace(
        &self,
        strategy: u16,
        version: u32,
        code: serde_json::Value,
        make: Box<dyn FnOnce() -> Result<Box<dyn Host>> + Send>,
        patience: Duration,
    ) -> Result<()> {
        let (reply, answer) = sync_channel(1);
        let command = Command::ReplaceStrategy { strategy, version, code };
        self.tell(Order::Replace { strategy, version, command, make: NewHost(make), reply })?;
        waited(&answer, patience)
    }

    /// Hands wishes of strategies that run elsewhere to the kernel.
    ///
    /// # Errors
    /// When too many wait: whoever states them is ahead of the kernel and has to wait.
    pub fn wishes(&self, bytes: Vec<u8>) -> Result<()> {
        self.tell(Order::Wishes(bytes))
    }

    /// Hands the declared state of a strategy that runs elsewhere to the kernel, which journals it.
    ///
    /// # Errors
    /// When the kernel takes no commands.
    pub fn strategy_state(&self, strategy: u16, state: Vec<u8>) -> Result<()> {
        self.tell(Order::State { strategy, state })
    }

    /// Has a snapshot taken now.
    ///
    /// # Errors
    /// When the kernel takes no commands.
    pub fn snapshot(&self) -> Result<()> {
        self.tell(Order::Snapshot)
    }

    fn tell(&self, order: Order) -> Result<()> {
        let told = self.orders.try_send(order).map_err(|_| {
            Error::new(ErrorKind::Capacity, "the kernel takes no further commands now".to_owned())
        });
        self.waker.wake();
        told
    }

    /// Ends the session: strategies are told, open orders are cancelled when asked, what strategies
    /// want and the answers are waited for, the journal is closed. A further call gives nothing.
    pub fn stop(&self, cancel: bool) -> Option<Outcome> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let begun = Instant::now();
        if self.worker.is_here() {
            // A strategy that stops its session: it cannot be waited for.
            self.worker.note_end();
        }
        // Waits for room: a stop that is lost would leave the session to trade on. A kernel that has ended
        // takes nothing, and is waited for all the same.
        let _ = self.orders.send(Order::Stop { cancel });
        self.waker.wake();
        let broken = threads
            .kernel
            .join()
            .unwrap_or_else(|_| Some("the kernel's thread ended without saying why".to_owned()));
        let stop_ns = begun.elapsed().as_nanos() as i64;
        if broken.is_some() {
            // The links have the last word: what is open is being cancelled.
            thread::sleep(LAST_CANCELS);
        }
        threads.end_links.store(true, Ordering::Release);
        for link in threads.links {
            let _ = link.join();
        }
        self.supervisor.end();
        let _ = threads.supervisor.join();
        let status = self.status();
        // What a session could not cancel is for who watches its lease.
        self.lease.set(broken.is_none() && (!cancel || status.open_orders == 0));
        if let Some(heartbeat) = threads.heartbeat {
            let _ = heartbeat.join();
        }
        Some(Outcome { status, broken, stop_ns })
    }
}

fn waited(answer: &Receiver<Result<()>>, patience: Duration) -> Result<()> {
    answer.recv_timeout(patience).map_err(|_| {
        Error::new(
            ErrorKind::Io,
            format!("the kernel did not answer within {} ms", patience.as_millis()),
        )
    })?
}

/// How long links may still send cancels after the kernel broke off.
const LAST_CANCELS: Duration = Duration::from_millis(100);

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop(true);
    }
}

/// What the kernel's thread needs to begin.
struct Setup {
    folder: PathBuf,
    config: SessionConfig,
    instruments: Vec<Instrument>,
    hosts: HostMaker,
    journal: Options,
    sources: Sources,
    facts: Vec<u8>,
    habits: Habits,
    ends: Vec<LinkEnd>,
    received: Receiver<Order>,
    clock: WallClock,
    status: mainspring_memory::SnapshotWriter<Status>,
    egress: Arc<Egress>,
    pulse: Arc<Pulse>,
    latency: Arc<Latency>,
    failures: Arc<Mutex<Vec<String>>>,
    waker: Waker,
    venues: Vec<String>,
    worker: Option<Arc<WorkerPulse>>,
}

/// Starts the kernel's thread. It gives back why it broke off, if it did.
fn start_kernel(
    setup: Setup,
    ready: SyncSender<Result<Ready>>,
    supervisor: Arc<Shared>,
    ended: Arc<AtomicBool>,
) -> Result<JoinHandle<Option<String>>> {
    spawn("kernel", move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| run_kernel(setup, &ready)));
        let broken = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.message().to_owned()),
            Err(_) => Some("the engine panicked; please report it with the journal".to_owned()),
        };
        if let Some(why) = &broken {
            supervisor.note_broken(why);
        }
        ended.store(true, Ordering::Release);
        broken
    })
}

fn run_kernel(setup: Setup, ready: &SyncSender<Result<Ready>>) -> Result<()> {
    let mut engine = match begin(setup) {
        Ok((engine, begun)) => {
            let _ = ready.send(Ok(begun));
            engine
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            return Ok(());
        }
    };
    let ran = engine.run();
    engine.status.write(&Status::of(&engine.session));
    let closed = match engine.session.close() {
        Some(outlet) => outlet.end(),
        None => Ok(()),
    };
    ran.and(closed)
}

fn begin(setup: Setup) -> Result<(Engine, Ready)> {
    let (config, instruments) = (setup.config, setup.instruments.clone());
    let mut hosts = Some((setup.hosts)()?);
    let sources_now = setup.sources.clone();
    let mut make = |kept: Option<&Sources>| {
        if let Some(kept) = kept {
            same_session(kept, &sources_now)?;
        }
        let hosts = hosts.take().ok_or_else(|| {
            Error::new(
                ErrorKind::Mismatch,
                "the newest snapshot cannot be taken up by this build or these strategies; move it out of `snapshots` to recover from the one before",
            )
        })?;
        Session::new(config.clone(), instruments.clone(), hosts)
    };
    let recovered = disk::recover(&setup.folder, &mut make)?;
    let (report, resumed) = (recovered.report().clone(), !recovered.is_new);
    let image = recovered.session.image();
    let (mut session, journal) = recovered.lead(setup.journal, &setup.sources)?;
    let now_ns = setup.clock.now_ns();
    if resumed {
        session.resume(now_ns, &setup.facts)?;
    } else {
        session.start(now_ns, &setup.facts)?;
    }
    let venue_of = setup
        .instruments
        .iter()
        .map(|i| setup.venues.iter().position(|v| *v == i.venue).unwrap_or(0) as u16)
        .collect();
    let ready = Ready { resumed, report, image, journal: journal.clone() };
    let mut engine = Engine {
        session,
        links: setup.ends,
        orders: setup.received,
        clock: setup.clock,
        status: setup.status,
        egress: setup.egress,
        journal,
        pulse: setup.pulse,
        latency: setup.latency,
        took_ns: None,
        waker: setup.waker,
        habits: setup.habits,
        requests: Vec::with_capacity(REQUESTS),
        venue_of,
        snapshot_due_ns: now_ns.saturating_add(setup.habits.snapshot_ns),
        ending: None,
        worker: setup.worker,
        gate_was_halted: false,
        stopped: 0,
        failures: setup.failures,
        door_halted_ns: None,
    };
    // What was halted before is shut before anything can move.
    engine.follow_gate(now_ns)?;
    // Who asks right after the start sees the session as it begins.
    engine.status.write(&Status::of(&engine.session));
    Ok((engine, ready))
}

/// A journal is gone on with by the same strategies on the same instruments, in the same order; their
/// code and parameters may have changed.
fn same_session(kept: &Sources, now: &Sources) -> Result<()> {
    let strategies = |sources: &Sources| {
        let code: serde_json::Value = serde_json::from_str(&sources.code).unwrap_or_default();
        code["strategies"].to_string()
    };
    let (theirs, ours) = (strategies(kept), strategies(now));
    if theirs != ours {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "the journal is of a session with the strategies {theirs}, this one has {ours}; \
                 give this session a folder of its own"
            ),
        ));
    }
    let symbols = |sources: &Sources| {
        disk::parse_instruments(sources)
            .map(|all| all.into_iter().map(|i| (i.venue, i.symbol)).collect::<Vec<_>>())
    };
    if symbols(kept)? != symbols(now)? {
        return Err(Error::new(
            ErrorKind::Mismatch,
            "the journal is of a session on other instruments; give this session a folder of its \
             own",
        ));
    }
    Ok(())
}

/// The venues of instruments, each once, in the session's order.
fn venues_of(instruments: &[Instrument]) -> Vec<String> {
    let mut venues: Vec<String> = Vec::new();
    for instrument in instruments {
        if !venues.contains(&instrument.venue) {
            venues.push(instrument.venue.clone());
        }
    }
    venues
}

/// The link of each venue.
fn by_venue(links: Vec<Box<dyn Link>>, venues: &[String]) -> Result<Vec<Option<Box<dyn Link>>>> {
    let mut ordered: Vec<Option<Box<dyn Link>>> = venues.iter().map(|_| None).collect();
    for link in links {
        let place = venues.iter().position(|venue| venue == link.venue());
        match place.and_then(|at| ordered.get_mut(at)) {
            Some(slot) if slot.is_none() => *slot = Some(link),
            _ => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("a link to {}, which no instrument trades on, or twice", link.venue()),
                ))
            }
        }
    }
    match ordered.iter().position(Option::is_none) {
        Some(at) => {
            Err(Error::new(ErrorKind::Config, format!("there is no link to {}", venues[at])))
        }
        None => Ok(ordered),
    }
}

/// What we have at the venues by our own books.
fn account_of(image: &Image) -> Account {
    let ours = image.orders.live.iter().filter(|order| !is_known_by_venue_id(order.id));
    let open = ours.map(|order| OpenOrder {
        order: order.id,
        venue_order: order.id.0,
        instrument: order.terms.instrument,
        side: order.terms.side,
        price: order.terms.price,
        qty: order.terms.qty,
        filled: order.filled,
    });
    let held = (0..image.symbols.len() as u16).map(InstrumentId);
    Account {
        as_of_ns: image.now_ns,
        fills: Vec::new(),
        foreign: Vec::new(),
        open: open.collect(),
        positions: held
            .map(|id| (id, image.ledger.net(id).map_or(Lots::ZERO, |held| held.lots)))
            .collect(),
        booked: image.trades.iter().map(|(id, trade)| (InstrumentId(*id), *trade)).collect(),
    }
}

fn broken_start(kernel: JoinHandle<Option<String>>) -> Error {
    let why = kernel.join().ok().flatten();
    Error::new(
        ErrorKind::Internal,
        why.unwrap_or_else(|| "the kernel's thread ended before it began".to_owned()),
    )
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let mut name = format!("ms-{name}");
    // What the system keeps of a thread's name.
    name.truncate(15);
    thread::Builder::new().name(name).spawn(run).map_err(Error::from)
}
