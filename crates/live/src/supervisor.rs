//! The thread that watches the others and can stop trading without them.
//!
//! It takes no lock that another thread holds for long, needs no file and no Python. Whatever trips
//! it: the egress is halted first, so that the links refuse new orders and cancel what is open; then
//! the kernel is told, for the journal and for its own gate. It never lifts a halt.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mainspring_core::TimeNs;
use mainspring_journal::live::{Control, Space};
use mainspring_kernel::session::Command;

use crate::clock::WallClock;
use crate::egress::{Egress, HaltReason};
use crate::engine::Pulse;
use crate::message::Order;
use crate::wake::Waker;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(2);

/// What a step between two looks counts at most: a machine that stood still for longer, as when it was
/// paused or had too much to do, says nothing about one thread.
const LONGEST_STEP_NS: i64 = 50_000_000;

/// Looks between two looks at the kill file.
const FILE_EVERY: u32 = 10;

/// Entries kept; the oldest go first.
const MAX_ENTRIES: usize = 64;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Trading is halted when the kernel's thread did not go round for so long.
    pub stuck_ns: i64,
    /// Strategies on a worker are stopped when one call lasts so long.
    pub strategy_ns: i64,
    /// Trading is halted as soon as this file exists; its text is the reason.
    pub kill_file: Option<PathBuf>,
    /// Whether a halt closes positions too.
    pub flatten: bool,
    /// The file by which a lease is renewed, for a process that watches this one.
    pub lease_file: Option<PathBuf>,
    /// SIGUSR1 halts trading; SIGTERM ends the session, a second one at once.
    pub signals: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            stuck_ns: 1_000_000_000,
            strategy_ns: 5_000_000_000,
            kill_file: None,
            flatten: false,
            lease_file: None,
            signals: false,
        }
    }
}

/// Something that the supervisor did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub time_ns: TimeNs,
    /// The cause as a word.
    pub cause: String,
    /// For people.
    pub text: String,
}

/// A worker's pulse: when the call that runs now began.
#[derive(Debug, Default)]
pub struct WorkerPulse {
    busy_since_ns: AtomicI64,
    stopped: AtomicBool,
    ended: AtomicBool,
    thread: Mutex<Option<ThreadId>>,
}

impl WorkerPulse {
    /// A call begins.
    pub fn begin(&self, now_ns: TimeNs) {
        self.busy_since_ns.store(now_ns, Ordering::Release);
    }

    /// It ended.
    pub fn end(&self) {
        self.busy_since_ns.store(0, Ordering::Release);
    }

    /// The worker is the thread that says so.
    pub fn adopt(&self) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
    }

    /// Whether the worker is the thread that asks.
    pub(crate) fn is_here(&self) -> bool {
        let worker = *self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        worker == Some(thread::current().id())
    }

    /// Nothing more comes of the worker: what its strategies asked for at the end is told, or it is gone.
    pub fn note_end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether nothing more comes of the worker.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.is_stopped()
    }

    /// Whether the supervisor has given the worker up.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// What the supervisor shares with a handle.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    asked: AtomicBool,
    why: Mutex<String>,
    entries: Mutex<VecDeque<Entry>>,
    end: AtomicBool,
    /// Why the kernel's thread ended, when it did by an error.
    broken: Mutex<Option<String>>,
}

impl Shared {
    /// Asks for a halt.
    pub(crate) fn ask(&self, why: &str) {
        why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        self.asked.store(true, Ordering::Release);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }

    pub(crate) fn end(&self) {
        self.end.store(true, Ordering::Release);
    }

    pub(crate) fn note_broken(&self, why: &str) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        *broken = Some(why.to_owned());
    }
}

pub(crate) struct Supervisor {
    pub(crate) watch: Watch,
    pub(crate) shared: Arc<Shared>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) journal: Control,
    pub(crate) orders: SyncSender<Order>,
    pub(crate) waker: Waker,
    pub(crate) clock: WallClock,
    pub(crate) worker: Arc<WorkerPulse>,
    pub(crate) elsewhere: Vec<u16>,
    /// By SIGTERM.
    pub(crate) told_to_end: bool,
}

/// For how long a mark has not changed, in the time that the supervisor itself went round.
#[derive(Debug, Default)]
struct Silence {
    mark_ns: TimeNs,
    looked_ns: TimeNs,
    lasts_ns: i64,
}

impl Silence {
    fn look(&mut self, mark_ns: TimeNs, now_ns: TimeNs) -> i64 {
        let step_ns = (now_ns - self.looked_ns).clamp(0, LONGEST_STEP_NS);
        self.lasts_ns = if mark_ns == self.mark_ns { self.lasts_ns + step_ns } else { 0 };
        (self.mark_ns, self.looked_ns) = (mark_ns, now_ns);
        self.lasts_ns
    }
}

/// Flags that signals set.
struct Signals {
    kill: Arc<AtomicBool>,
    term: Arc<AtomicBool>,
    ids: Vec<signal_hook::SigId>,
}

impl Signals {
    fn register() -> Self {
        let (kill, term) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let wanted = [(signal_hook::consts::SIGUSR1, &kill), (signal_hook::consts::SIGTERM, &term)];
        let register = |(signal, flag): &(i32, &Arc<AtomicBool>)| {
            signal_hook::flag::register(*signal, Arc::clone(flag)).ok()
        };
        let ids = wanted.iter().filter_map(register).collect();
        Self { kill, term, ids }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

impl Supervisor {
    pub(crate) fn run(mut self) {
        let signals = self.watch.signals.then(Signals::register);
        let (mut kernel, mut worker) = (Silence::default(), Silence::default());
        let mut stuck = false;
        let mut full = false;
        let mut looks = 0_u32;
        while !self.shared.end.load(Ordering::Acquire) {
            self.look_for_requests();
            if let Some(signals) = &signals {
                self.look_at_signals(signals);
            }
            if looks.is_multiple_of(FILE_EVERY) {
                self.look_for_file();
            }
            looks = looks.wrapping_add(1);
            self.look_at_kernel(&mut kernel, &mut stuck);
            self.look_at_journal(&mut full);
            self.look_at_worker(&mut worker);
            self.look_for_break();
            thread::sleep(PERIOD);
        }
    }

    fn look_for_requests(&mut self) {
        if self.shared.asked.swap(false, Ordering::AcqRel) {
            let why = self.shared.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.trip("command", &why);
        }
    }

    fn look_at_signals(&mut self, signals: &Signals) {
        if signals.kill.swap(false, Ordering::AcqRel) {
            self.trip("signal", "SIGUSR1");
        }
        if signals.term.swap(false, Ordering::AcqRel) {
            let order =
                if self.told_to_end { Order::StopNow } else { Order::Stop { cancel: true } };
            self.told_to_end = true;
            self.note("signal", "SIGTERM: the session ends; a second one ends it at once");
            self.tell(order);
        }
    }

    fn look_for_file(&mut self) {
        let Some(path) = self.watch.kill_file.clone() else { return };
        if self.egress.is_halted() {
            return;
        }
        if let Ok(text) = std::fs::read_to_string(&path) {
            let text = text.trim();
            self.trip("file", if text.is_empty() { "the kill file is there" } else { text });
        }
    }

    fn look_at_kernel(&mut self, silence: &mut Silence, stuck: &mut bool) {
        let beat_ns = self.pulse.beat_ns.load(Ordering::Acquire);
        let silent_ns = silence.look(beat_ns, self.clock.now_ns());
        let now_stuck = beat_ns > 0 && silent_ns > self.watch.stuck_ns;
        if now_stuck && !*stuck {
            let text =
                format!("the kernel's thread did not go round for {} ms", silent_ns / 1_000_000);
            self.trip("kernel_stuck", &text);
        }
        *stuck = now_stuck;
    }

    /// A disk without room for another segment ends the session while the reserve lasts.
    fn look_at_journal(&mut self, full: &mut bool) {
        if *full || self.journal.space() == Space::Enough {
            return;
        }
        *full = true;
        let why = self.journal.trouble().map_or_else(String::new, |e| e.message().to_owned());
        self.journal.begin_closing();
        self.trip("disk_full", &why);
        self.tell(Order::Stop { cancel: true });
    }

    /// A strategy that does not come back is stopped; the others and the kernel go on.
    fn look_at_worker(&mut self, silence: &mut Silence) {
        let since_ns = self.worker.busy_since_ns.load(Ordering::Acquire);
        let busy_ns = silence.look(since_ns, self.clock.now_ns());
        if since_ns == 0 || busy_ns < self.watch.strategy_ns || self.worker.is_stopped() {
            return;
        }
        self.worker.stopped.store(true, Ordering::Release);
        let cause = format!("a call did not come back within {} ms", busy_ns / 1_000_000);
        self.note("strategy_hung", &cause);
        for strategy in self.elsewhere.clone() {
            let command = Command::StopStrategy { strategy, cause: cause.clone() };
            self.tell(Order::Command(command, None));
        }
    }

    fn look_for_break(&mut self) {
        let broken = self.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(why) = broken {
            self.trip("engine", &why);
        }
    }

    /// Halts trading.
    fn trip(&mut self, cause: &str, text: &str) {
        self.egress.halt(HaltReason { cause: cause.to_owned(), text: text.to_owned() });
        self.note(cause, text);
        let command =
            Command::Kill { cause: format!("{cause}: {text}"), flatten: self.watch.flatten };
        self.tell(Order::Command(command, None));
    }

    /// Tells the kernel, if it takes anything: the halt does not depend on it.
    fn tell(&mut self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.note(
                "kernel_deaf",
                "the kernel takes no commands; the egress is halted without it",
            );
        }
        self.waker.wake();
    }

    fn note(&mut self, cause: &str, text: &str) {
        let mut entries = self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(Entry {
            time_ns: self.clock.now_ns(),
            cause: cause.to_owned(),
            text: text.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_machine_that_stood_still_is_no_silence_of_one_thread() {
        let mut silence = Silence::default();
        silence.look(5, 1_000 * MS);
        let steps = (1..=100).map(|n| silence.look(5, (1_000 + 2 * n) * MS));
        assert_eq!(steps.last(), Some(200 * MS), "it went round, and the mark did not change");
        assert_eq!(silence.look(5, 61_200 * MS), 200 * MS + LONGEST_STEP_NS, "a minute of sleep");
        assert_eq!(silence.look(6, 61_202 * MS), 0, "a new mark");
        assert_eq!(silence.look(6, 61_204 * MS), 2 * MS);
    }
}
