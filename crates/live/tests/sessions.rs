//! Whole sessions on real time, against the built-in venue, with a journal on a real disk.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mainspring_core::{Instrument, InstrumentId, Lots};
use mainspring_journal::live::{verify, Folder, Options, Sources};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{disk, Command, Session, SessionConfig};
use mainspring_kernel::View;
use mainspring_live::exchange::{Exchange, ExchangeConfig};
use mainspring_live::{Handle, HostMaker, Plan, Status, Watch};
use mainspring_sim::flow::{FlowConfig, Level};
use mainspring_sim::SimConfig;

const MS: i64 = 1_000_000;

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainspring-live-{}-{n}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn exchange(seed: u64) -> Exchange {
    let flow = FlowConfig::of_presets(&["btcusdt"], 1.0, seed, Level::Depth).unwrap();
    let sim = SimConfig::default();
    let config =
        ExchangeConfig { flow, sim, entry_ns: MS, response_ns: MS, feed_ns: MS, speed: 10.0 };
    Exchange::new(config).unwrap()
}

fn instruments() -> Vec<Instrument> {
    exchange(0).instruments().to_vec()
}

fn maker() -> Box<dyn Host> {
    let json = r#"{"kind": "touch_maker", "size": "0.01", "max_position": "0.1"}"#;
    let config: NativeConfig = serde_json::from_str(json).unwrap();
    config.build(BookTrigger::Every(20 * MS)).unwrap()
}

fn config() -> SessionConfig {
    serde_json::from_str(r#"{"run": {"deposits": [["USDT", "1000000"]]}}"#).unwrap()
}

fn plan(folder: &Path, seed: u64, hosts: HostMaker) -> Plan {
    let exchange = exchange(seed);
    Plan {
        folder: folder.to_owned(),
        config: config(),
        instruments: exchange.instruments().to_vec(),
        hosts,
        elsewhere: Vec::new(),
        journal: Options { segment_bytes: 4 << 20, ..Options::default() },
        sources: disk::sources(
            &config(),
            exchange.instruments(),
            &["touch_maker"],
            &serde_json::json!([]),
            &serde_json::json!({}),
        )
        .unwrap(),
        links: vec![Box::new(exchange)],
        facts: b"{}".to_vec(),
        watch: Watch::default(),
        busy_poll: false,
        snapshot_ns: 500 * MS,
        stop_ns: 1_000 * MS,
    }
}

fn one_maker() -> HostMaker {
    Box::new(|| Ok(vec![maker()]))
}

fn wait_for(handle: &Handle, what: &str, until: impl Fn(&Status) -> bool) -> Status {
    let begun = Instant::now();
    loop {
        let status = handle.status();
        if until(&status) {
            return status;
        }
        let waited = begun.elapsed();
        let entries = handle.entries();
        assert!(waited < Duration::from_secs(60), "no {what}: {status:?}, {entries:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The state that the journal in a folder leads to.
fn followed(folder: &Path) -> Session {
    let mut make = |_: Option<&Sources>| Session::new(config(), instruments(), vec![maker()]);
    disk::recover(folder, &mut make).unwrap().session
}

#[test]
fn a_session_trades_ends_in_order_and_its_journal_tells_all_of_it() {
    let scratch = Scratch::new("trades");
    let handle = Handle::start(plan(&scratch.0, 1, one_maker())).unwrap();
    wait_for(&handle, "orders", |s| s.orders > 20 && s.rows > 200);
    let outcome = handle.stop(true).unwrap();
    assert_eq!(outcome.broken, None);
    assert_eq!(outcome.status.open_orders, 0, "{outcome:?}");
    // Some 20 ms where nothing else runs; the benchmark `shutdown` has the figure.
    assert!(outcome.stop_ns < 20_000 * MS, "took {} ms to stop", outcome.stop_ns / MS);
    let verification = verify(&Folder::open(&scratch.0).unwrap()).unwrap();
    assert!(verification.is_sound(), "{verification:?}");
    let session = followed(&scratch.0);
    assert_eq!(session.orders().live_count(), 0);
    assert_eq!(session.sequence(), outcome.status.sequence);
    let net = session.ledger().net(InstrumentId(0)).map_or(Lots(0), |p| p.lots);
    assert_eq!(net.0, outcome.status.shown[0].position_lots);
}

#[test]
fn a_restart_goes_on_with_orders_and_positions() {
    let scratch = Scratch::new("restart");
    let handle = Handle::start(plan(&scratch.0, 2, one_maker())).unwrap();
    assert!(!handle.recovery().0);
    wait_for(&handle, "open orders", |s| s.orders > 10 && s.open_orders > 0);
    let first = handle.stop(false).unwrap();
    assert_eq!(first.broken, None);
    let handle = Handle::start(plan(&scratch.0, 3, one_maker())).unwrap();
    assert!(handle.recovery().0);
    let image = handle.take_image().unwrap();
    assert_eq!(image.sequence, first.status.sequence);
    assert_eq!(image.orders.live.len() as u64, first.status.open_orders);
    wait_for(&handle, "new orders", |s| s.orders > 10);
    let second = handle.stop(true).unwrap();
    assert_eq!((second.broken, second.status.open_orders), (None, 0));
}

#[test]
fn two_sessions_in_one_folder_are_refused() {
    let scratch = Scratch::new("twice");
    let first = Handle::start(plan(&scratch.0, 4, one_maker())).unwrap();
    let error = Handle::start(plan(&scratch.0, 4, one_maker())).err().unwrap();
    assert!(error.message().contains("being written"), "{error}");
    assert_eq!(first.stop(true).unwrap().broken, None);
}

#[test]
fn a_kill_halts_cancels_and_stays() {
    let scratch = Scratch::new("kill");
    let handle = Handle::start(plan(&scratch.0, 5, one_maker())).unwrap();
    wait_for(&handle, "open orders", |s| s.orders > 10 && s.open_orders > 0);
    let asked = Instant::now();
    handle.kill("a test");
    wait_for(&handle, "halt", |s| s.halted == 1 && s.open_orders == 0);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(handle.egress().reason().unwrap().cause, "command");
    let held = handle.status().shown[0].position_lots;
    thread::sleep(Duration::from_millis(200));
    let after = handle.status();
    assert!(after.shown[0].position_lots.abs() <= held.abs(), "{held} became {after:?}");
    // What reduces is stopped too, unless it says itself that it does nothing else.
    assert_eq!(after.shown[0].position_lots, held);
    handle.stop(true).unwrap();
    // It stays halted over a restart, until a person decides.
    let handle = Handle::start(plan(&scratch.0, 6, one_maker())).unwrap();
    assert!(handle.egress().is_halted(), "from its first moment");
    wait_for(&handle, "market data", |s| s.rows > 100);
    assert_eq!((handle.status().halted, handle.status().orders), (1, 0));
    let rearm = Command::Rearm { reason: "looked at".into() };
    handle.command(rearm, Duration::from_secs(5)).unwrap();
    wait_for(&handle, "orders after the rearm", |s| s.orders > 0 && s.halted == 0);
    handle.stop(true).unwrap();
}

#[test]
fn the_kill_file_halts() {
    let scratch = Scratch::new("file");
    let mut plan = plan(&scratch.0, 7, one_maker());
    let kill = scratch.0.join("KILL");
    plan.watch.kill_file = Some(kill.clone());
    let handle = Handle::start(plan).unwrap();
    wait_for(&handle, "open orders", |s| s.open_orders > 0);
    std::fs::write(&kill, "because").unwrap();
    wait_for(&handle, "halt", |s| s.halted == 1 && s.open_orders == 0);
    let reason = handle.egress().reason().unwrap();
    assert_eq!(reason.cause, "file");
    handle.stop(true).unwrap();
}

/// Does something else than its maker in one call.
struct Odd {
    maker: Box<dyn Host>,
    calls: u32,
    what: fn(),
}

impl Odd {
    fn after_some_calls(what: fn()) -> HostMaker {
        Box::new(move || Ok(vec![Box::new(Self { maker: maker(), calls: 0, what })]))
    }
}

impl Host for Odd {
    fn name(&self) -> &str {
        self.maker.name()
    }

    fn interest(&self) -> Interest {
        self.maker.interest()
    }

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.maker.on_start(view)
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.calls += 1;
        if self.calls == 25 {
            (self.what)();
        }
        self.maker.on_book(view)
    }
}

#[test]
fn a_kernel_that_hangs_is_halted_and_its_orders_are_cancelled_without_it() {
    let scratch = Scratch::new("stuck");
    let hosts = Odd::after_some_calls(|| thread::sleep(Duration::from_millis(1_500)));
    let mut plan = plan(&scratch.0, 8, hosts);
    plan.watch.stuck_ns = 300 * MS;
    let handle = Handle::start(plan).unwrap();
    let begun = Instant::now();
    while !handle.egress().is_halted() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never halted");
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(handle.egress().reason().unwrap().cause, "kernel_stuck");
    // When it comes back it finds that everything was cancelled at the venue, and stays halted.
    wait_for(&handle, "end of the hang", |s| s.halted == 1 && s.open_orders == 0);
    assert!(handle.entries().iter().any(|entry| entry.cause == "kernel_stuck"));
    assert_eq!(handle.stop(true).unwrap().broken, None);
}

#[test]
fn an_engine_that_dies_leaves_no_order_behind() {
    let scratch = Scratch::new("panic");
    let hosts = Odd::after_some_calls(|| panic!("planted"));
    let handle = Handle::start(plan(&scratch.0, 9, hosts)).unwrap();
    let begun = Instant::now();
    while !handle.egress().is_halted() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never halted");
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = handle.stop(true).unwrap();
    assert!(outcome.broken.unwrap().contains("panicked"));
    assert_eq!(handle.egress().reason().unwrap().cause, "engine");
    // What it wrote before is whole, and a restart goes on from there.
    let handle = Handle::start(plan(&scratch.0, 9, one_maker())).unwrap();
    assert!(handle.recovery().0);
    wait_for(&handle, "market data", |s| s.rows > 100);
    handle.stop(true).unwrap();
}

#[test]
fn readers_never_see_a_torn_picture() {
    let scratch = Scratch::new("torn");
    let handle = Handle::start(plan(&scratch.0, 10, one_maker())).unwrap();
    let reader = handle.reader();
    let begun = Instant::now();
    let mut last = reader.read();
    while begun.elapsed() < Duration::from_secs(1) {
        let status = reader.read();
        assert!(status.sequence >= last.sequence && status.now_ns >= last.now_ns);
        assert!(status.rows == 0 || status.shown[0].bid_ticks < status.shown[0].ask_ticks);
        last = status;
    }
    assert!(last.rows > 0);
    handle.stop(true).unwrap();
}

#[test]
fn a_session_without_a_link_to_its_venue_does_not_start() {
    let scratch = Scratch::new("nolink");
    let mut plan = plan(&scratch.0, 11, one_maker());
    plan.links.clear();
    let error = Handle::start(plan).err().unwrap();
    assert!(error.message().contains("there is no link to"), "{error}");
}
