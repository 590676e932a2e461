//! From a market message to journaled orders, and from a venue's statement to the ledger, a session asks
//! nothing of the system: no lock that it could wait for, no file, no socket, no sleep.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_core::event::MarketRow;
use mainspring_core::{InstrumentId, Report, Request, Ticks, VenueEvent};
use mainspring_journal::live::{Control, Options};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::rehearsal::{message, parts, Rehearsal};
use mainspring_kernel::session::{disk, Session, SessionConfig};
use mainspring_kernel::View;
use mainspring_memory::{CountingAllocator, SystemCalls};
use mainspring_sim::{SimConfig, SimMarket};

mod common;
use common::EVERY_LIMIT;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Messages until caches, tables and buffers have their size.
const WARM_UP: usize = 5_000;
const MESSAGES: usize = 20_000;

/// Every limit, on features, a market maker and the rules of the reconciler.
fn config() -> SessionConfig {
    let text = format!(
        r#"{{"run":{{"deposits":[["USDT","100000000"]],
            "features":["mid","imbalance","weighted_mid","ofi:window=5s","ewma_volatility:halflife=60s"],
            "margin":{{"leverage":20}},"position_states":{{}},"limits":{EVERY_LIMIT}}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    /// Calls into the system, and the number of the last one.
    calls: u64,
    last: i64,
    allocations: u64,
    orders: u64,
    fills: u64,
}

/// A session with its journal on the disk, and a venue that answers at once.
struct Stand {
    session: Session,
    _control: Control,
    venue: SimMarket,
    requests: Vec<Request>,
    said: Vec<VenueEvent>,
}

impl Stand {
    fn new(name: &str, host: Box<dyn Host>) -> Self {
        let (_, instruments, _) = parts().unwrap();
        let config = config();
        let none = serde_json::Value::Null;
        let sources = disk::sources(&config, &instruments, &[host.name()], &none, &none).unwrap();
        let venue = SimMarket::new(InstrumentId(0), &instruments[0], &SimConfig::default());
        let mut host = Some(host);
        let mut make = |_: Option<&_>| {
            Session::new(config.clone(), instruments.clone(), host.take().into_iter().collect())
        };
        // One segment holds all that is written: a change of segments wakes the helper that makes them.
        let options = Options { segment_bytes: 64 << 20, ..Options::default() };
        let recovered = disk::recover(&folder(name), &mut make).unwrap();
        let (mut session, control) = recovered.lead(options, &sources).unwrap();
        session.start(Rehearsal::begin_ns(), b"{}").unwrap();
        session.link(Rehearsal::begin_ns() + 1, 0, true).unwrap();
        let (requests, said) = (Vec::with_capacity(4_096), Vec::with_capacity(1_024));
        Self { session, _control: control, venue: venue.unwrap(), requests, said }
    }

    /// One message, and everything that follows from it.
    fn step(&mut self, rows: &[MarketRow]) {
        for row in rows {
            self.venue.on_row(row, Ticks(0), row.exch_ns, &mut self.said);
        }
        self.session.advance(rows[0].recv_ns).unwrap();
        self.tell();
        self.session.market(InstrumentId(0), Ticks(0), rows).unwrap();
        self.session.take_requests(&mut self.requests);
        let now_ns = self.session.now_ns();
        for request in self.requests.drain(..) {
            if let Request::Order(request) = request {
                self.venue.on_request(&request, now_ns, &mut self.said);
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        let recv_ns = self.session.now_ns();
        for event in self.said.drain(..) {
            self.session.report(&Report::plain(VenueEvent { recv_ns, ..event })).unwrap();
        }
    }
}

fn folder(name: &str) -> PathBuf {
    let name = format!("mainspring-calls-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// What a session asks of the system while it takes messages; `None` where that cannot be watched.
fn asked(
    name: &'static str,
    host: impl FnOnce() -> Box<dyn Host> + Send + 'static,
    messages: usize,
) -> Option<Asked> {
    let rows: Vec<_> = (1..=(WARM_UP + messages) as i64).map(message).collect();
    let watched = std::thread::spawn(move || {
        let mut stand = Stand::new(name, host());
        let calls = SystemCalls::of_this_thread().ok()?;
        rows[..WARM_UP].iter().for_each(|rows| stand.step(rows));
        let begun = (stand.session.counts(), CountingAllocator::allocations(), calls.count());
        rows[WARM_UP..].iter().for_each(|rows| stand.step(rows));
        let asked = Asked {
            calls: calls.count() - begun.2,
            last: calls.last(),
            allocations: CountingAllocator::allocations() - begun.1,
            orders: stand.session.counts().orders - begun.0.orders,
            fills: stand.session.counts().fills - begun.0.fills,
        };
        if let Some(outlet) = stand.session.close() {
            outlet.end().unwrap();
        }
        Some(asked)
    });
    let asked = watched.join().unwrap();
    let _ = std::fs::remove_dir_all(folder(name));
    if asked.is_none() {
        eprintln!("skipped: this system does not let the calls of a thread be watched");
    }
    asked
}

#[test]
fn messages_orders_and_fills_ask_nothing_of_the_system() {
    let text = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.05"}"#;
    let native: NativeConfig = serde_json::from_str(text).unwrap();
    let maker = move || native.build(BookTrigger::Message).unwrap();
    let Some(asked) = asked("maker", maker, MESSAGES) else { return };
    assert!(asked.orders > 5_000 && asked.fills > 1_000, "{asked:?}");
    assert_eq!((asked.calls, asked.allocations), (0, 0), "{asked:?}");
}

/// Takes a lock once, when all is warm, while somebody else holds it.
struct Locked {
    lock: Arc<Mutex<()>>,
    asked: Arc<AtomicBool>,
    calls: usize,
}

impl Host for Locked {
    fn name(&self) -> &str {
        "locked"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, _: &mut View<'_>) -> HostResult {
        self.calls += 1;
        if self.calls == WARM_UP + 100 {
            self.asked.store(true, Ordering::Release);
            drop(self.lock.lock().unwrap());
        }
        Ok(())
    }
}

#[test]
fn a_lock_on_the_way_is_found() {
    let (lock, asked_for) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
    let held = lock.lock().unwrap();
    let (theirs, seen) = (Arc::clone(&lock), Arc::clone(&asked_for));
    let run = std::thread::spawn(move || {
        let host = Locked { lock: theirs, asked: seen, calls: 0 };
        asked("locked", || Box::new(host), 500)
    });
    while !asked_for.load(Ordering::Acquire) && !run.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // It waits by now, however slow the machine.
    std::thread::sleep(Duration::from_millis(500));
    drop(held);
    let Some(asked) = run.join().unwrap() else { return };
    assert!(asked.calls > 0, "{asked:?}");
}
