//! A paper session on disk, fed by the generator, that ends in order or is cut off.

use std::path::{Path, PathBuf};

use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{Instrument, InstrumentId, Report, Side, Ticks, VenueEvent, VenueEventKind};
use mainspring_journal::live::{Control, Cursor, Folder, Item, Options, Start, SyncPolicy};
use mainspring_kernel::host::{BookTrigger, Host};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::disk::{keep, raw, recover, sources, Silent};
use mainspring_kernel::session::{Command, Image, Raw, Session, SessionConfig};
use mainspring_sim::flow::{Flow, FlowConfig, FlowRow, Level};
use mainspring_sim::{FillModel, SimMarket};

use crate::restless::Restless;

pub const MS: i64 = 1_000_000;

pub fn folder(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mainspring-paper-{name}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[derive(Clone, Copy)]
pub enum Latency {
    None,
    Short,
    Drawn,
}

impl Latency {
    fn json(self) -> &'static str {
        match self {
            Self::None => r#"{"model":"constant","new":{"entry_ns":0,"response_ns":0}}"#,
            Self::Short => {
                r#"{"model":"constant","new":{"entry_ns":3000000,"response_ns":1500000},
                    "cancel":{"entry_ns":2000000,"response_ns":1000000}}"#
            }
            Self::Drawn => {
                r#"{"model":"empirical","seed":5,"samples":[
                    {"entry_ns":1000000,"response_ns":0},
                    {"entry_ns":-4000000,"response_ns":0},
                    {"entry_ns":9000000,"response_ns":2500000}]}"#
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order: what is open is cancelled.
    Stop,
    /// The process is gone between two inputs.
    Kill,
}

/// A record that was read back.
pub struct Kept {
    pub kind: u16,
    pub time_ns: i64,
    pub payload: Vec<u8>,
}

impl Kept {
    /// As it is followed.
    pub fn raw(&self, sequence: u64) -> Raw<'_> {
        let (kind, time_ns, cause) = (self.kind, self.time_ns, 0);
        Raw { kind, sequence, time_ns, cause, payload: &self.payload }
    }
}

pub struct World {
    pub folder: PathBuf,
    config: SessionConfig,
    instruments: Vec<Instrument>,
    flow: Flow,
    next: Option<FlowRow>,
    /// Added to the generator's times: each life begins later than the one before.
    shift_ns: i64,
    running: Option<(Session, Control)>,
    worker: Option<Worker>,
    with_worker: bool,
    pieces: bool,
    loses_requests: bool,
    at_once: bool,
    lives: u64,
    sent: u64,
    seed: u64,
    size: i64,
    level: Level,
    /// The feed's book as it is shown.
    markets: Vec<SimMarket>,
}

fn flow(seed: u64, level: Level) -> FlowConfig {
    FlowConfig::of_presets(&["btcusdt", "ethusdt"], 1.0, seed, level).unwrap()
}

impl World {
    pub fn new(folder: &Path, seed: u64, latency: Latency) -> Self {
        let text = format!(
            r#"{{"paper":true,"run":{{"deposits":[["USDT","100000"]],"features":["imbalance"],
                "decision_ns":50000,"latency":{}}}}}"#,
            latency.json()
        );
        let config: SessionConfig = serde_json::from_str(&text).unwrap();
        let generator = flow(seed, Level::Depth);
        let instruments = generator.instruments();
        let mut flow = Flow::new(&generator).unwrap();
        let next = flow.next();
        Self {
            folder: folder.to_owned(),
            config,
            instruments,
            flow,
            next,
            shift_ns: 0,
            running: None,
            worker: None,
            with_worker: false,
            pieces: false,
            at_once: false,
            loses_requests: matches!(latency, Latency::Drawn),
            lives: 0,
            sent: 0,
            seed,
            size: 3,
            level: Level::Depth,
            markets: Vec::new(),
        }
    }

    pub fn with_worker(mut self) -> Self {
        self.with_worker = true;
        self
    }

    pub fn in_pieces(mut self) -> Self {
        self.pieces = true;
        self
    }

    pub fn with_feed_at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// What the restless strategy asks for.
    pub fn with_size(mut self, size: i64) -> Self {
        self.size = size;
        self
    }

    /// Our orders are in the book of the matching engine, over a feed of orders.
    pub fn matched(mut self) -> Self {
        self.config.run.venue.fill_model = FillModel::Matching;
        self.level = Level::Orders;
        self
    }

    fn is_matched(&self) -> bool {
        self.config.run.venue.fill_model == FillModel::Matching
    }

    pub fn with_venues_outside(mut self) -> Self {
        self.config.paper = false;
        self
    }

    /// The strategies, and which of them are on the worker.
    pub fn hosts(&self, size: i64) -> Vec<(Box<dyn Host>, bool)> {
        vec![(touch(), false), (Box::new(Restless::new(size)), self.with_worker)]
    }

    /// A session of this one's configuration whose strategies do nothing.
    pub fn silent(&self) -> Session {
        let hosts: Vec<Box<dyn Host>> =
            vec![Box::new(Silent::new(touch().name())), Box::new(Silent::new("restless"))];
        Session::new(self.config.clone(), self.instruments.clone(), hosts).unwrap()
    }

    pub fn session(&mut self) -> &mut Session {
        &mut self.running.as_mut().unwrap().0
    }

    pub fn live(&mut self, messages: usize, ending: Ending) {
        self.begin();
        self.messages(messages);
        self.end(ending);
    }

    pub fn begin(&mut self) {
        self.lives += 1;
        let (config, instruments) = (self.config.clone(), self.instruments.clone());
        let (with_worker, size) = (self.with_worker, self.size);
        let mut make = |_: Option<&_>| {
            let second: Box<dyn Host> = match with_worker {
                true => Box::new(Silent::new("restless")),
                false => Box::new(Restless::new(size)),
            };
            Session::new(config.clone(), instruments.clone(), vec![touch(), second])
        };
        let nothing = serde_json::Value::Null;
        let names = [touch().name().to_owned(), "restless".to_owned()];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let told = sources(&self.config, &self.instruments, &names, &nothing, &nothing).unwrap();
        let recovered = recover(&self.folder, &mut make).unwrap();
        let is_new = recovered.is_new;
        let image = recovered.session.image();
        let options = Options {
            segment_bytes: 1 << 20,
            reserve_bytes: 8 << 10,
            sync: SyncPolicy::Process,
            retain_bytes: 1 << 40,
            ..Options::default()
        };
        let (mut session, control) = recovered.lead(options, &told).unwrap();
        // The feed begins anew, with the whole book.
        let generator = flow(self.seed + self.lives, self.level);
        self.flow = Flow::new(&generator).unwrap();
        self.next = self.flow.next();
        let first_ns = self.next.unwrap().recv_ns;
        let begin_ns = if is_new { 1_000 * MS } else { session.now_ns() + 777 * MS };
        self.shift_ns = begin_ns + MS - first_ns;
        let market = |(id, instrument)| {
            SimMarket::new(InstrumentId(id), instrument, &self.config.run.venue).unwrap()
        };
        self.markets = match self.is_matched() {
            true => Vec::new(),
            false => (0..).zip(&self.instruments).map(market).collect(),
        };
        if is_new {
            session.start(begin_ns, b"{}").unwrap();
        } else {
            session.resume(begin_ns, b"{}").unwrap();
        }
        if self.with_worker {
            self.worker = Some(Worker::new(self, &image));
        }
        self.running = Some((session, control));
    }

    /// Lets whole messages of the feed come.
    pub fn messages(&mut self, count: usize) {
        for _ in 0..count {
            let Some((instrument, base, rows)) = self.message() else { return };
            let (mut at_ns, pieces) = (rows[0].market.recv_ns, self.pieces);
            let levels: Vec<MarketRow> = rows.iter().map(|row| row.market).collect();
            if let Some(market) = self.markets.get_mut(instrument.index()) {
                let out = &mut Vec::new();
                levels.iter().for_each(|row| market.on_row(row, base, row.recv_ns, out));
            }
            let matched = self.is_matched();
            self.sent += 1;
            let (sent, worker) = (self.sent, self.worker.take());
            let (session, control) = self.running.as_mut().unwrap();
            let step = if pieces { 1 + sent as usize % 3 } else { rows.len() };
            for (piece, level) in rows.chunks(step).zip(levels.chunks(step)) {
                match matched {
                    true => session.order_rows(instrument, base, piece).unwrap(),
                    false => session.market(instrument, base, level).unwrap(),
                }
            }
            if sent % 3 == 0 {
                at_ns += 20_000;
                session.advance(at_ns).unwrap();
            }
            if sent.is_multiple_of(400) {
                keep(session, control);
            }
            self.worker = worker;
            if let Some(worker) = &mut self.worker {
                worker.step(session, sent, at_ns);
            }
        }
    }

    fn message(&mut self) -> Option<(InstrumentId, Ticks, Vec<OrderRow>)> {
        let first = self.next?;
        let mut rows = Vec::new();
        // Some messages come at the very same time.
        let round = if self.pieces { 40 * MS } else { 1 };
        let recv_ns = (first.recv_ns + self.shift_ns) / round * round;
        while let Some(row) = self.next {
            let market = MarketRow {
                recv_ns,
                exch_ns: if self.at_once { recv_ns } else { row.exch_ns + self.shift_ns },
                qty_lots: row.qty,
                price_offset: (row.price.0 - first.price.0) as i32,
                kind: row.kind as u8,
                flags: row.flags,
                instrument: row.instrument,
            };
            rows.push(OrderRow { market, order_id: row.order_id });
            self.next = self.flow.next();
            if row.flags & flags::END_OF_MESSAGE != 0 {
                break;
            }
        }
        Some((InstrumentId(first.instrument), first.price, rows))
    }

    /// Rows of the feed are lost, and that is told.
    pub fn lose(&mut self, instrument: usize) {
        self.say(instrument, &[(RowKind::Gap, 0, 0, 0, 0)]);
    }

    /// The feed tells its whole book: others' orders of what is seen.
    pub fn tell_whole(&mut self, instrument: usize, seen: &[(u64, Side, i64, i64)]) {
        let mut rows = vec![(RowKind::Clear, flags::SNAPSHOT, 0, 0, 0)];
        for (id, side, price, lots) in seen.iter().filter(|one| one.0 < 1 << 63) {
            let bits = if *side == Side::Sell { flags::ASK } else { 0 };
            rows.push((RowKind::OrderAdd, flags::SNAPSHOT | bits, *price, *lots, *id));
        }
        self.say(instrument, &rows);
    }

    fn say(&mut self, instrument: usize, said: &[(RowKind, u8, i64, i64, u64)]) {
        let recv_ns = self.session().now_ns() + 1;
        let row = |(kind, flags, price, qty_lots, order_id): &(RowKind, u8, i64, i64, u64)| {
            let market = MarketRow {
                recv_ns,
                exch_ns: recv_ns,
                qty_lots: *qty_lots,
                price_offset: *price as i32,
                kind: *kind as u8,
                flags: *flags,
                instrument: instrument as u16,
            };
            OrderRow { market, order_id: *order_id }
        };
        let mut rows: Vec<OrderRow> = said.iter().map(row).collect();
        rows.last_mut().unwrap().market.flags |= flags::END_OF_MESSAGE;
        let instrument = InstrumentId(instrument as u16);
        self.session().order_rows(instrument, Ticks(0), &rows).unwrap();
    }

    pub fn command(&mut self, command: &Command) {
        let now_ns = self.session().now_ns() + MS;
        self.session().command(now_ns, command).unwrap();
    }

    /// Books a fill that no model gave: a trade that only the venue of this session knows.
    pub fn plant_a_fill(&mut self) {
        let session = self.session();
        let now_ns = session.now_ns();
        let order = *session.orders().all_live().find(|o| o.acknowledged).unwrap();
        let kind = VenueEventKind::Filled {
            price: order.terms.price,
            qty: mainspring_core::Lots(1),
            maker: true,
        };
        let event = VenueEvent { order: order.id, exch_ns: now_ns, recv_ns: now_ns, kind };
        session.report(&Report::plain(event)).unwrap();
    }

    pub fn end(&mut self, ending: Ending) {
        let (mut session, _control) = self.running.take().unwrap();
        self.worker = None;
        if ending == Ending::Stop {
            let now_ns = session.now_ns() + MS;
            session.stop(now_ns, true).unwrap();
            for n in 1..20 {
                session.advance(now_ns + n * MS).unwrap();
            }
            // Where requests are lost to overload, so are cancels.
            if self.config.paper && !self.loses_requests {
                assert_eq!(session.orders().live_count(), 0);
            }
        }
        if let Some(outlet) = session.close() {
            outlet.end().unwrap();
        }
    }

    /// What the feed shows at a level.
    pub fn shown(&self, instrument: InstrumentId, side: Side, price: Ticks) -> i64 {
        self.markets[instrument.index()].book().qty(side, price).0
    }

    pub fn records(&self) -> Vec<Kept> {
        let folder = Folder::open(&self.folder).unwrap();
        let mut cursor = Cursor::open(folder, Start::After(0)).unwrap();
        let mut records = Vec::new();
        while let Item::Record(one) = cursor.read().unwrap() {
            let (kind, time_ns) = (one.kind, one.time_ns);
            records.push(Kept { kind, time_ns, payload: one.payload.to_vec() });
        }
        records
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.running = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn touch() -> Box<dyn Host> {
    let text = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#;
    let native: NativeConfig = serde_json::from_str(text).unwrap();
    native.build(BookTrigger::Message).unwrap()
}

/// A strategy that follows the journal, as in the worker of a real session: what it asks for arrives
/// some messages later.
struct Worker {
    session: Session,
    cursor: Cursor,
    waiting: Vec<(u64, Vec<u8>)>,
}

impl Worker {
    fn new(world: &World, image: &Image) -> Self {
        let hosts: Vec<Box<dyn Host>> =
            vec![Box::new(Silent::new(touch().name())), Box::new(Restless::new(world.size))];
        let mut session =
            Session::new(world.config.clone(), world.instruments.clone(), hosts).unwrap();
        if image.sequence > 0 {
            session.restore(image).unwrap();
        }
        session.decide_elsewhere();
        let folder = Folder::open(&world.folder).unwrap();
        let cursor = Cursor::open(folder, Start::After(image.sequence)).unwrap();
        Self { session, cursor, waiting: Vec::new() }
    }

    /// By a clock that is not behind what the session was told of the time.
    fn step(&mut self, leader: &mut Session, n: u64, clock_ns: i64) {
        while let Item::Record(one) = self.cursor.read().unwrap() {
            self.session.follow(&raw(&one)).unwrap();
            for followed in self.session.take_followed() {
                self.waiting.push((n + n % 4, followed.bytes));
            }
        }
        while self.waiting.first().is_some_and(|(due, _)| *due <= n) {
            let (_, bytes) = self.waiting.remove(0);
            leader.encoded_wishes(clock_ns.max(leader.now_ns()), &bytes).unwrap();
        }
    }
}
