//! Parent orders in runs and in sessions: children through the gate, and the same again from a
//! journal.

use std::sync::{Arc, Mutex};

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::{
    Decimal, Instrument, InstrumentId, Lots, PriceGrid, Side, Ticks, TimeNs, VenueEvent,
    VenueEventKind,
};
use mainspring_data::{ClockState, EventFile, EventWriter, Provenance, Schema};
use mainspring_journal::Sink;
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Control;
use mainspring_kernel::session::{
    Answer, Command, Image, Kind, Report, Request, Session, SessionConfig,
};
use mainspring_kernel::{run, Outcome, View};
use mainspring_sim::{SimConfig, SimMarket};
use mainspring_trading::execution::parents::{
    AtEnd, CatchUp, End, Kind as Algorithm, Parent, ParentId, ParentState, ParentTerms,
    Participation, Schedule, Style,
};
use mainspring_trading::orders::{Order, Purpose};
use serde_json::Value;

mod common;
use common::memory::{follow, Memory};

const MS: i64 = 1_000_000;
const BTC: InstrumentId = InstrumentId(0);

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: "test".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: "0.001".parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: "0.0001".parse().unwrap(),
        taker_fee: "0.0005".parse().unwrap(),
        margin_tiers: vec![],
    }
}

fn row(at: TimeNs, kind: RowKind, flag: u8, price: i64, qty: i64) -> MarketRow {
    MarketRow {
        recv_ns: at + MS,
        exch_ns: at,
        qty_lots: qty,
        price_offset: price as i32,
        kind: kind as u8,
        flags: flag,
        instrument: 0,
    }
}

/// One message every 10 ms: a book that walks, a trade at the touch, a halt from time to time.
fn message(n: i64) -> Vec<MarketRow> {
    let at = 1_000 * MS + n * 10 * MS;
    let bid = 1_000 + (n / 7) % 3;
    let depth = RowKind::Depth;
    let mut rows: Vec<_> = (0..3)
        .flat_map(|d| [row(at, depth, flags::ASK, bid - d, 0), row(at, depth, 0, bid + 1 + d, 0)])
        .collect();
    for level in 0..5 {
        rows.push(row(at, depth, 0, bid - level, 10 + (n + level) % 5));
        rows.push(row(at, depth, flags::ASK, bid + 1 + level, 12 + (n + level) % 3));
    }
    if n % 200 == 150 || n % 200 == 170 {
        rows.push(row(at, RowKind::Status, 0, 0, i64::from(n % 200 == 170)));
    }
    let (flag, price) = if n % 2 == 0 { (flags::ASK, bid) } else { (0, bid + 1) };
    rows.push(row(at, RowKind::Trade, flag | flags::END_OF_MESSAGE, price, 1 + n % 20));
    rows
}

/// What a strategy heard.
#[derive(Default)]
struct Heard {
    ended: Vec<(ParentId, ParentState, Lots)>,
    children: Vec<(ParentId, Order)>,
    shown: Vec<Parent>,
}

type Plan = fn(i64, &mut View<'_>) -> HostResult;

/// Does what its plan says with each message.
struct Worker {
    messages: i64,
    plan: Plan,
    heard: Arc<Mutex<Heard>>,
}

fn worker(plan: Plan) -> (Box<dyn Host>, Arc<Mutex<Heard>>) {
    let heard = Arc::new(Mutex::new(Heard::default()));
    (Box::new(Worker { messages: 0, plan, heard: Arc::clone(&heard) }), heard)
}

impl Host for Worker {
    fn name(&self) -> &str {
        "worker"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, orders: true, parents: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.messages += 1;
        (self.plan)(self.messages, view)?;
        if let Some(parent) = view.parent(ParentId(1)) {
            self.heard.lock().unwrap().shown.push(parent);
        }
        Ok(())
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        if let Some(parent) = view.parent_of(order.id) {
            assert_eq!(order.purpose, Purpose::Child);
            self.heard.lock().unwrap().children.push((parent, *order));
        }
        Ok(())
    }

    fn on_parent(&mut self, _view: &mut View<'_>, parent: &Parent) -> HostResult {
        let mut heard = self.heard.lock().unwrap();
        heard.ended.push((parent.id, parent.state, parent.filled));
        Ok(())
    }
}

fn terms(side: Side, qty: i64, slices: usize, duration_ms: i64) -> ParentTerms {
    let schedule = Schedule::even(Lots(qty), slices).unwrap();
    ParentTerms::new(Algorithm::Twap, BTC, side, Lots(qty), schedule, duration_ms * MS)
}

// Runs over files.

fn file(name: &str, messages: i64) -> EventFile {
    let name = format!("mainspring-parents-{name}-{}.mse", std::process::id());
    let path = std::env::temp_dir().join(name);
    let provenance = Provenance::new("test", ClockState::Trusted);
    let mut out =
        EventWriter::create(&path, Schema::Market, vec![instrument()], provenance).unwrap();
    for row in (0..messages).flat_map(message) {
        let kind = RowKind::from_byte(row.kind).unwrap();
        let price = Ticks(i64::from(row.price_offset));
        out.push_market(row.recv_ns, row.exch_ns, kind, row.flags, 0, price, row.qty_lots).unwrap();
    }
    out.finish().unwrap();
    let file = EventFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

fn go(name: &str, config: &str, host: Box<dyn Host>) -> Outcome {
    let file = file(name, 1_000);
    let sink = Sink::Memory { limit_bytes: 64 << 20 };
    let config = serde_json::from_str(config).unwrap();
    run(std::slice::from_ref(&file), &config, vec![host], sink, &mut |_| Ok(())).unwrap()
}

const CONFIG: &str = r#"{"latency":{"model":"constant","new":{"entry_ns":1000000,"response_ns":3000000}},
    "deposits":[["USDT","100000"]]}"#;

#[test]
fn a_twap_is_worked_through_a_run() {
    let (host, heard) = worker(|n, view| {
        if n == 5 {
            let mut terms = terms(Side::Buy, 100, 7, 700);
            terms.at_end = AtEnd::Cross;
            view.execute(terms)?;
        }
        Ok(())
    });
    let outcome = go("twap", CONFIG, host);
    assert_eq!(outcome.failures, [None]);
    let heard = heard.lock().unwrap();
    let made: Vec<_> = heard
        .children
        .iter()
        .filter(|(_, order)| order.is_terminal())
        .map(|(parent, order)| (parent.0, order.filled.0))
        .collect();
    // The book shows 12 to 14 lots at its best: what a slice does not get it tries again for.
    assert!(made.len() >= 7, "{made:?}");
    assert_eq!(made.iter().map(|(_, qty)| qty).sum::<i64>(), 100, "{made:?}");
    let ended = (ParentId(1), ParentState::Ended(End::Filled), Lots(100));
    assert_eq!(heard.ended, [ended]);
    let first = &heard.shown[0];
    assert_eq!((first.slice, first.filled), (1, Lots(0)), "shown in the callback that asked");
    assert_eq!(first.terms.arrival_mid2, Some(2_001), "between 100.0 and 100.1");
    let last = heard.shown.last().unwrap();
    assert!(last.slippage_bps().unwrap() > 0.0);
    let twice = go(
        "twap2",
        CONFIG,
        worker(|n, view| {
            if n == 5 {
                let mut terms = terms(Side::Buy, 100, 7, 700);
                terms.at_end = AtEnd::Cross;
                view.execute(terms)?;
            }
            Ok(())
        })
        .0,
    );
    assert_eq!(outcome.log.hash(), twice.log.hash());
}

#[test]
fn a_parent_waits_while_the_venue_halts_and_makes_up_afterwards() {
    let (host, heard) = worker(|n, view| {
        if n == 145 {
            let mut terms = terms(Side::Sell, 40, 40, 400);
            terms.retry_ns = 10 * MS;
            view.execute(terms)?;
        }
        Ok(())
    });
    go("halt", CONFIG, host);
    let heard = heard.lock().unwrap();
    let halted = |order: &Order| {
        let n = (order.created_ns - 1_001 * MS) / (10 * MS);
        (151..170).contains(&n)
    };
    assert!(heard.children.iter().all(|(_, order)| !halted(order)), "nothing while it halts");
    assert_eq!(heard.ended, [(ParentId(1), ParentState::Ended(End::Filled), Lots(40))]);
    assert!(heard.shown.last().unwrap().missed > 10);
}

#[test]
fn children_pass_the_gate_and_refusals_end_in_failure() {
    let (host, heard) = worker(|n, view| {
        if n == 5 {
            let mut terms = terms(Side::Buy, 1_000, 1, 900_000);
            terms.retry_ns = MS;
            view.execute(terms)?;
        }
        Ok(())
    });
    let config = CONFIG.replace(r#""deposits""#, r#""limits":{"max_order_qty":"0.1"},"deposits""#);
    let config = if serde_json::from_str::<mainspring_kernel::RunConfig>(&config).is_ok() {
        config
    } else {
        panic!("the limit of a run is named otherwise now");
    };
    let outcome = go("gate", &config, host);
    assert_eq!(outcome.counts.risk_rejects, 8);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.ended, [(ParentId(1), ParentState::Ended(End::Failed), Lots(0))]);
}

#[test]
fn pov_follows_the_volume_of_others() {
    let (host, heard) = worker(|n, view| {
        if n == 5 {
            let rate = Participation::new(0.25, false)?;
            let schedule = Schedule::Volume(rate);
            let (kind, qty) = (Algorithm::Pov, Lots(200));
            view.execute(ParentTerms::new(kind, BTC, Side::Buy, qty, schedule, 0))?;
        }
        Ok(())
    });
    go("pov", CONFIG, host);
    let heard = heard.lock().unwrap();
    for parent in &heard.shown {
        assert!(parent.filled.0 * 4 <= parent.volume.0, "{} of {}", parent.filled, parent.volume);
    }
    assert_eq!(heard.ended, [(ParentId(1), ParentState::Ended(End::Filled), Lots(200))]);
}

#[test]
fn cancelling_all_ends_parents_as_well() {
    let (host, heard) = worker(|n, view| {
        if n == 5 {
            let mut terms = terms(Side::Buy, 10, 1, 5_000);
            (terms.style, terms.limit) = (Style::Rest, Some(Ticks(900)));
            view.execute(terms)?;
        }
        if n == 20 {
            view.intents.push(mainspring_kernel::intent::Intent::CancelAll(BTC))?;
        }
        Ok(())
    });
    go("all", CONFIG, host);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.ended, [(ParentId(1), ParentState::Ended(End::Cancelled), Lots(0))]);
    assert_eq!(heard.shown.last().unwrap().made, 1);
}

// Sessions.

/// Parents of every kind, paused, resumed and cancelled now and then.
fn plan_of_all(n: i64, view: &mut View<'_>) -> HostResult {
    let side = if (n / 40) % 2 == 0 { Side::Buy } else { Side::Sell };
    if n % 40 == 3 {
        let mut terms = terms(side, 30 + n % 17, 1 + (n % 9) as usize, 300 + n % 200);
        match (n / 40) % 6 {
            0 => terms.style = Style::Join,
            1 => (terms.style, terms.at_end) = (Style::JoinThenTake, AtEnd::Cross),
            2 => terms.catch_up = CatchUp::Spread,
            3 => terms.schedule = Schedule::Volume(Participation::new(0.3, true)?),
            4 => {
                terms.schedule = Schedule::Whole;
                (terms.style, terms.max_child) = (Style::Rest, Lots(4));
                terms.limit = view.market().book.best(side);
            }
            _ => (terms.style, terms.catch_up) = (Style::Join, CatchUp::Leave),
        }
        terms.cap = (n % 3 == 0).then_some(Participation { rate_ppm: 500_000, own_counts: false });
        view.execute(terms)?;
    }
    let newest = ParentId(view.intents.upcoming_parent().0.saturating_sub(1).max(1));
    match n % 40 {
        11 if n % 3 == 0 => view.control_parent(newest, Control::Pause)?,
        19 => view.control_parent(newest, Control::Resume)?,
        31 if n % 7 == 0 => view.control_parent(newest, Control::Cancel)?,
        _ => {}
    }
    Ok(())
}

fn session() -> Session {
    let config: SessionConfig =
        serde_json::from_str(r#"{"run":{"deposits":[["USDT","100000"]]}}"#).unwrap();
    Session::new(config, vec![instrument()], vec![worker(plan_of_all).0]).unwrap()
}

fn leader(memory: &Memory) -> World {
    let mut session = session();
    session.lead(Box::new(memory.clone()));
    session.start(999 * MS, b"{}").unwrap();
    session.link(999 * MS, 0, true).unwrap();
    let venue = SimMarket::new(BTC, &instrument(), &SimConfig::default()).unwrap();
    World { session, venue, trade_id: 0, told: 0 }
}

/// A session with a venue outside that answers at once, and now and then not at all.
struct World {
    session: Session,
    venue: SimMarket,
    trade_id: u64,
    told: u64,
}

impl World {
    fn step(&mut self, n: i64) {
        let rows = message(n);
        let at = rows[0].recv_ns;
        let mut out = Vec::new();
        for row in &rows {
            self.venue.on_row(row, Ticks(0), row.exch_ns, &mut out);
        }
        self.session.market(BTC, Ticks(0), &rows).unwrap();
        self.tell(at, out);
        self.session.advance(at + 5 * MS).unwrap();
        self.tell(at + 5 * MS, Vec::new());
    }

    fn tell(&mut self, at: TimeNs, mut out: Vec<VenueEvent>) {
        loop {
            let mut requests = Vec::new();
            self.session.take_requests(&mut requests);
            for request in requests {
                match request {
                    Request::Order(request) => self.venue.on_request(&request, at, &mut out),
                    Request::OrderQuery { order, .. } => {
                        self.session.answer(at + MS, order, Answer::NotFound).unwrap();
                    }
                    _ => {}
                }
            }
            if out.is_empty() {
                return;
            }
            for event in std::mem::take(&mut out) {
                self.told += 1;
                let fill = matches!(event.kind, VenueEventKind::Filled { .. });
                if !fill && self.told.is_multiple_of(41) {
                    continue;
                }
                self.trade_id += 1;
                let event = VenueEvent { recv_ns: at + MS, ..event };
                let trade_id = self.trade_id;
                let report = Report { event, trade_id, fee: None, filled: None };
                self.session.report(&report).unwrap();
            }
        }
    }
}

/// Equal, or where not.
#[track_caller]
fn same(ours: &Image, theirs: &Image, what: &str) {
    fn differ(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
        match (a, b) {
            (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
                x.iter().for_each(|(k, v)| differ(&format!("{path}.{k}"), v, &y[k], found));
            }
            (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
                for (i, (x, y)) in x.iter().zip(y).enumerate() {
                    differ(&format!("{path}[{i}]"), x, y, found);
                }
            }
            _ if a != b => {
                let cut = |v: &Value| v.to_string().chars().take(200).collect::<String>();
                found.push(format!("{path}: {} / {}", cut(a), cut(b)));
            }
            _ => {}
        }
    }
    if ours != theirs {
        let value = |image: &Image| -> Value {
            serde_json::from_slice(&serde_json::to_vec(image).unwrap()).unwrap()
        };
        let mut found = Vec::new();
        differ("image", &value(ours), &value(theirs), &mut found);
        found.truncate(12);
        panic!("{what}: {found:#?}");
    }
}

#[test]
fn a_follower_has_the_same_parents_after_every_input_and_from_every_snapshot() {
    let memory = Memory::default();
    let mut world = leader(&memory);
    let mut images = Vec::new();
    for n in 0..2_000 {
        world.step(n);
        if n % 61 == 50 {
            images.push(world.session.image());
        }
    }
    let records = memory.records();
    let live = world.session.image();
    let parents = live.parents.as_ref().unwrap();
    let ended = |end| parents.ended.iter().filter(|p| p.state == ParentState::Ended(end)).count();
    assert!(ended(End::Filled) > 10 && ended(End::Expired) > 3 && ended(End::Cancelled) > 1);
    assert!(images.iter().any(|image| !image.parents.as_ref().unwrap().live.is_empty()));
    let mut follower = session();
    follow(&mut follower, &records, 0);
    same(&follower.image(), &live, "from the start");
    for image in &images {
        let mut recovered = session();
        let bytes = serde_json::to_vec(image).unwrap();
        recovered.restore(&serde_json::from_slice(&bytes).unwrap()).unwrap();
        follow(&mut recovered, &records, image.sequence as usize);
        same(&recovered.image(), &live, &format!("from {}", image.sequence));
    }
}

#[test]
fn strategies_that_run_again_ask_for_the_same_parents() {
    let memory = Memory::default();
    let mut world = leader(&memory);
    (0..600).for_each(|n| world.step(n));
    let records = memory.records();
    let asked: Vec<_> = records
        .iter()
        .filter(|kept| kept.kind == Kind::Intents as u16)
        .map(|kept| (kept.time_ns, kept.payload.clone()))
        .collect();
    let mut again = session();
    again.keep_wishes();
    follow(&mut again, &records, 0);
    let followed: Vec<_> =
        again.take_followed().into_iter().map(|f| (f.time_ns, f.bytes)).collect();
    assert!(asked.len() > 30);
    assert_eq!(followed, asked);
}

#[test]
fn a_restart_works_its_parents_on() {
    let memory = Memory::default();
    let mut world = leader(&memory);
    // The first parent has begun and rests in the book.
    (0..8).for_each(|n| world.step(n));
    let before = world.session.image();
    assert_eq!(before.parents.as_ref().unwrap().live.len(), 1);
    let mut recovered = session();
    follow(&mut recovered, &memory.records(), 0);
    recovered.lead(Box::new(memory.clone()));
    recovered.resume(before.now_ns + MS, b"{}").unwrap();
    recovered.link(before.now_ns + 2 * MS, 0, true).unwrap();
    world.session = recovered;
    // The strategy counts anew: until it asks for another, what ends is the first.
    (9..50).for_each(|n| world.step(n));
    let parents = world.session.image().parents.unwrap();
    assert!(parents.ended.iter().any(|p| p.id == ParentId(1)), "{parents:?}");
    let next = parents.live.iter().chain(&parents.ended).map(|p| p.id).max().unwrap();
    assert!(next > ParentId(1), "ids go on");
    let mut follower = session();
    follow(&mut follower, &memory.records(), 0);
    same(&follower.image(), &world.session.image(), "follower");
}

#[test]
fn a_kill_ends_every_parent() {
    let memory = Memory::default();
    let mut world = leader(&memory);
    (0..130).for_each(|n| world.step(n));
    assert!(!world.session.image().parents.unwrap().live.is_empty());
    let now_ns = world.session.now_ns();
    let kill = Command::Kill { cause: "test".into(), flatten: false };
    world.session.command(now_ns, &kill).unwrap();
    world.tell(now_ns, Vec::new());
    (130..135).for_each(|n| world.step(n));
    let parents = world.session.image().parents.unwrap();
    assert!(parents.live.is_empty(), "{:?}", parents.live);
    assert_eq!(world.session.orders().live_count(), 0);
    let mut follower = session();
    follow(&mut follower, &memory.records(), 0);
    same(&follower.image(), &world.session.image(), "follower");
}

/// A strategy that must find what it asked for, from the very next callback on.
fn plan_that_looks(n: i64, view: &mut View<'_>) -> HostResult {
    let next = view.intents.upcoming_parent();
    let known = ParentId(next.0 - 1);
    if known.0 >= ParentId::FIRST_ELSEWHERE.0 {
        assert!(view.parent(known).is_some(), "{known:?} is known while it is on its way");
    }
    plan_of_all(n, view)
}

#[test]
fn strategies_that_decide_elsewhere_have_parents_with_ids_of_their_own() {
    let config: SessionConfig =
        serde_json::from_str(r#"{"run":{"deposits":[["USDT","100000"]]}}"#).unwrap();
    let session_of = |plan: Plan| {
        Session::new(config.clone(), vec![instrument()], vec![worker(plan).0]).unwrap()
    };
    let memory = Memory::default();
    let mut world = leader(&memory);
    // In the kernel's thread the strategy is silent; it runs elsewhere and follows.
    let mut silent = session_of(|_, _| Ok(()));
    silent.lead(Box::new(memory.clone()));
    memory.clear();
    silent.start(999 * MS, b"{}").unwrap();
    silent.link(999 * MS, 0, true).unwrap();
    world.session = silent;
    let mut elsewhere = session_of(plan_that_looks);
    elsewhere.decide_elsewhere();
    let (mut seen, mut late) = (0, Vec::new());
    for n in 0..1_200 {
        world.step(n);
        let records = memory.records();
        follow(&mut elsewhere, &records, seen);
        seen = records.len();
        // Wishes arrive two messages later.
        late.push(elsewhere.take_followed());
        if late.len() > 2 {
            let now_ns = world.session.now_ns();
            for followed in late.remove(0) {
                world.session.encoded_wishes(now_ns, &followed.bytes).unwrap();
                world.tell(now_ns, Vec::new());
            }
        }
        if n == 700 {
            // The worker is started anew from a snapshot: its ids go on.
            let image = world.session.image();
            elsewhere = session_of(plan_that_looks);
            elsewhere.restore(&image).unwrap();
            elsewhere.decide_elsewhere();
            let records = memory.records();
            follow(&mut elsewhere, &records, image.sequence as usize);
            (seen, late) = (records.len(), Vec::new());
        }
    }
    let records = memory.records();
    follow(&mut elsewhere, &records, seen);
    let (ours, theirs) = (world.session.image(), elsewhere.image());
    let parents = ours.parents.as_ref().unwrap();
    assert!(parents.ended.len() > 15, "{}", parents.ended.len());
    assert!(parents.ended.iter().all(|parent| parent.id.is_elsewhere()));
    assert_eq!(ours.parents, theirs.parents);
    assert_eq!(ours.next_parent, 1, "the kernel's own are not touched");
}
