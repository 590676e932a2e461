//! Sessions: what is journaled is enough to be the same again, at any record.

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, Decimal, Instrument, InstrumentId, Lots, OrderFlags, PriceGrid, Side, Ticks,
    TimeNs, VenueEvent, VenueEventKind,
};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Intents;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::disk::Silent;
use mainspring_kernel::session::{
    Answer, Command, Image, Kind, OpenOrder, Report, Request, Session, SessionConfig,
};
use mainspring_kernel::view::View;
use mainspring_sim::{SimConfig, SimMarket};
use mainspring_trading::execution::Level;
use mainspring_trading::orders::{Order, OrderState};

mod common;
use common::memory::{follow, Memory};

const MS: i64 = 1_000_000;

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

fn touch() -> Box<dyn Host> {
    let text = r#"{"kind":"touch_maker","size":"0.003","max_position":"0.02"}"#;
    let native: NativeConfig = serde_json::from_str(text).unwrap();
    native.build(BookTrigger::Message).unwrap()
}

fn config() -> SessionConfig {
    serde_json::from_str(r#"{"run":{"deposits":[["USDT","100000"]],"features":["imbalance"]}}"#)
        .unwrap()
}

fn session() -> Session {
    Session::new(config(), vec![instrument()], vec![touch()]).unwrap()
}

fn depth(at: TimeNs, flag: u8, price: i64, qty: i64) -> MarketRow {
    MarketRow {
        recv_ns: at + MS,
        exch_ns: at,
        qty_lots: qty,
        price_offset: price as i32,
        kind: RowKind::Depth as u8,
        flags: flag,
        instrument: 0,
    }
}

/// One message: a book that walks, and a trade at the touch.
fn message(n: i64) -> Vec<MarketRow> {
    let at = 1_000 * MS + n * 10 * MS;
    let bid = 1_000 + (n / 7) % 2;
    let mut rows = vec![depth(at, flags::ASK, bid, 0), depth(at, 0, bid + 1, 0)];
    for level in 0..5 {
        rows.push(depth(at, 0, bid - level, 10 + (n + level) % 5));
        rows.push(depth(at, flags::ASK, bid + 1 + level, 12 + (n + level) % 3));
    }
    let (flag, price) = if n % 2 == 0 { (flags::ASK, bid) } else { (0, bid + 1) };
    let mut trade = depth(at, flag | flags::END_OF_MESSAGE, price, 1 + n % 20);
    trade.kind = RowKind::Trade as u8;
    rows.push(trade);
    rows
}

/// A session with a venue outside that answers at once.
struct World {
    session: Session,
    venue: SimMarket,
    out: Vec<VenueEvent>,
    requests: Vec<Request>,
    answers: Vec<(TimeNs, VenueEvent)>,
    trade_id: u64,
    /// What the venue knows of each order: how much traded, and whether it is over.
    known: std::collections::HashMap<u64, (i64, bool)>,
    /// Every n-th statement of the venue that is not a fill is lost.
    lose_every: u64,
    told: u64,
}

impl World {
    fn new(session: Session, lose_every: u64) -> Self {
        let venue = SimMarket::new(InstrumentId(0), &instrument(), &SimConfig::default()).unwrap();
        Self {
            session,
            venue,
            out: vec![],
            requests: vec![],
            answers: vec![],
            trade_id: 0,
            known: Default::default(),
            lose_every,
            told: 0,
        }
    }

    fn step(&mut self, n: i64) {
        let rows = message(n);
        for row in &rows {
            self.venue.on_row(row, Ticks(0), row.exch_ns, &mut self.out);
        }
        let at = rows[0].recv_ns;
        self.session.market(InstrumentId(0), Ticks(0), &rows).unwrap();
        self.exchange(at);
        self.session.advance(at + 5 * MS).unwrap();
        self.exchange(at + 5 * MS);
    }

    /// Requests reach the venue and its statements reach the session, until both are silent.
    fn exchange(&mut self, at: TimeNs) {
        loop {
            self.session.take_requests(&mut self.requests);
            for request in std::mem::take(&mut self.requests) {
                match request {
                    Request::Order(request) => {
                        self.venue.on_request(&request, at, &mut self.out);
                    }
                    Request::OrderQuery { order, .. } => {
                        let answer = match self.known.get(&order.0) {
                            None => Answer::NotFound,
                            Some((filled, true)) => Answer::Cancelled { filled: Lots(*filled) },
                            Some((filled, false)) => Answer::Working { filled: Lots(*filled) },
                        };
                        self.session.answer(at + MS, order, answer).unwrap();
                    }
                    _ => {}
                }
            }
            for event in std::mem::take(&mut self.out) {
                self.told += 1;
                let known = self.known.entry(event.order.0).or_default();
                match event.kind {
                    VenueEventKind::Filled { qty, .. } => known.0 += qty.0,
                    VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => known.1 = true,
                    _ => {}
                }
                let fill = matches!(event.kind, VenueEventKind::Filled { .. });
                if fill || self.lose_every == 0 || !self.told.is_multiple_of(self.lose_every) {
                    self.answers.push((at + MS, event));
                }
            }
            if self.answers.is_empty() {
                return;
            }
            for (recv_ns, event) in std::mem::take(&mut self.answers) {
                self.trade_id += 1;
                let event = VenueEvent { recv_ns, ..event };
                let report = Report { event, trade_id: self.trade_id, fee: None, filled: None };
                self.session.report(&report).unwrap();
            }
        }
    }
}

#[test]
fn a_follower_is_equal_after_every_input_and_from_every_snapshot() {
    let memory = Memory::default();
    let mut leader = session();
    leader.lead(Box::new(memory.clone()));
    leader.start(999 * MS, b"{}").unwrap();
    let mut world = World::new(leader, 17);
    let mut images: Vec<Image> = Vec::new();
    for n in 0..1_500 {
        world.step(n);
        if n % 100 == 50 {
            images.push(world.session.image());
        }
    }
    let records = memory.records();
    let live = world.session.image();
    assert!(live.orders.ended.len() > 500, "{}", live.orders.ended.len());
    assert!(
        records.iter().any(|kept| kept.kind == Kind::Query as u16),
        "lost answers are asked for"
    );

    let mut follower = session();
    follow(&mut follower, &records, 0);
    assert_eq!(follower.image(), live);
    for image in &images {
        let mut recovered = session();
        // Through the bytes of a snapshot file.
        let bytes = serde_json::to_vec(image).unwrap();
        recovered.restore(&serde_json::from_slice(&bytes).unwrap()).unwrap();
        follow(&mut recovered, &records, image.sequence as usize);
        assert_eq!(recovered.image(), live, "from {}", image.sequence);
    }
}

#[test]
fn strategies_that_run_again_ask_for_the_same() {
    let memory = Memory::default();
    let mut leader = session();
    leader.lead(Box::new(memory.clone()));
    leader.start(999 * MS, b"{}").unwrap();
    let mut world = World::new(leader, 0);
    (0..500).for_each(|n| world.step(n));
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
    assert!(asked.len() > 100);
    assert_eq!(followed, asked);
}

#[test]
fn a_kill_cancels_everything_and_lets_nothing_new_out() {
    let memory = Memory::default();
    let mut leader = session();
    leader.lead(Box::new(memory.clone()));
    leader.start(999 * MS, b"{}").unwrap();
    let mut world = World::new(leader, 0);
    (0..200).for_each(|n| world.step(n));
    let now_ns = world.session.now_ns();
    let kill = Command::Kill { cause: "test".into(), flatten: true };
    world.session.command(now_ns, &kill).unwrap();
    world.exchange(now_ns);
    (200..400).for_each(|n| world.step(n));
    assert_eq!(world.session.orders().live_count(), 0);
    assert_eq!(world.session.ledger().net(InstrumentId(0)).unwrap().lots, Lots(0));
    assert!(world.session.is_halted());
    let mut follower = session();
    follow(&mut follower, &memory.records(), 0);
    assert_eq!(follower.image(), world.session.image());
}

/// What a strategy elsewhere asked for before it heard of the end comes after it.
#[test]
fn what_is_asked_for_after_the_end_does_not_stay_open() {
    let elsewhere = || {
        let host = Box::new(Silent::new("elsewhere")) as Box<dyn Host>;
        Session::new(config(), vec![instrument()], vec![host]).unwrap()
    };
    for cancel in [true, false] {
        let memory = Memory::default();
        let mut leader = elsewhere();
        leader.lead(Box::new(memory.clone()));
        leader.start(999 * MS, b"{}").unwrap();
        let mut world = World::new(leader, 0);
        (0..20).for_each(|n| world.step(n));
        let quote = |world: &mut World, bid: i64| {
            let level = |price| [Level { price: Ticks(price), qty: Lots(3) }];
            let mut wishes = Intents::default();
            let flags = OrderFlags::POST_ONLY;
            wishes.quote(InstrumentId(0), &level(bid), &level(bid + 20), flags).unwrap();
            let now_ns = world.session.now_ns();
            world.session.wishes(now_ns, 0, 0, &wishes).unwrap();
            world.exchange(now_ns);
        };
        quote(&mut world, 990);
        assert_eq!(world.session.orders().live_count(), 2);
        world.session.stop(world.session.now_ns(), cancel).unwrap();
        world.exchange(world.session.now_ns());
        quote(&mut world, 985);
        let open = world.session.orders().live_count();
        assert_eq!(open, if cancel { 0 } else { 2 }, "cancel: {cancel}");
        let mut follower = elsewhere();
        follow(&mut follower, &memory.records(), 0);
        assert_eq!(follower.image(), world.session.image());
    }
}

/// Wants an order again as soon as one is over.
struct Stubborn {
    first: bool,
}

impl Host for Stubborn {
    fn name(&self) -> &str {
        "stubborn"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, orders: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if std::mem::take(&mut self.first) {
            place(view)?;
        }
        Ok(())
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        if order.state == OrderState::Cancelled {
            place(view)?;
        }
        Ok(())
    }
}

fn place(view: &mut View<'_>) -> HostResult {
    let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(990), Lots(3));
    view.place(terms).map(|_| ()).map_err(Into::into)
}

fn new_orders(memory: &Memory) -> usize {
    let records = memory.records();
    records.iter().filter(|kept| kept.kind == Kind::NewOrder as u16).count()
}

#[test]
fn strategies_do_not_trade_on_while_the_session_ends() {
    type Make = fn() -> Box<dyn Host>;
    let makes: [(Make, u64); 2] = [(touch, 0), (|| Box::new(Stubborn { first: true }), 1)];
    for (make, refused) in makes {
        let with = || Session::new(config(), vec![instrument()], vec![make()]).unwrap();
        let memory = Memory::default();
        let mut leader = with();
        leader.lead(Box::new(memory.clone()));
        leader.start(999 * MS, b"{}").unwrap();
        let mut world = World::new(leader, 0);
        (0..200).for_each(|n| world.step(n));
        let open = world.session.orders().live_count();
        assert!(open > 0);
        let before = new_orders(&memory);
        world.session.stop(world.session.now_ns(), true).unwrap();
        // The market goes on while the venue takes its time.
        (200..250).for_each(|n| {
            world.session.market(InstrumentId(0), Ticks(0), &message(n)).unwrap();
        });
        assert_eq!(new_orders(&memory), before, "it quotes no more");
        (250..400).for_each(|n| world.step(n));
        let rejects = world.session.counts().risk_rejects;
        assert_eq!((world.session.orders().live_count(), rejects), (0, refused));
        let mut follower = with();
        follow(&mut follower, &memory.records(), 0);
        assert_eq!(follower.image(), world.session.image());
    }
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let memory = Memory::default();
    let mut leader = session();
    leader.lead(Box::new(memory.clone()));
    leader.start(999 * MS, b"{}").unwrap();
    let mut world = World::new(leader, 0);
    (0..300).for_each(|n| world.step(n));
    let before = world.session.image();

    let mut recovered = session();
    follow(&mut recovered, &memory.records(), 0);
    recovered.lead(Box::new(memory.clone()));
    recovered.resume(before.now_ns + MS, b"{}").unwrap();
    assert_eq!(recovered.image().orders, before.orders);
    world.session = recovered;
    world.session.link(before.now_ns + 2 * MS, 0, true).unwrap();
    let open: Vec<_> = before
        .orders
        .live
        .iter()
        .map(|order| OpenOrder {
            order: order.id,
            venue_order: order.id.0,
            instrument: order.terms.instrument,
            side: order.terms.side,
            price: order.terms.price,
            qty: order.terms.qty,
            filled: order.filled,
        })
        .collect();
    world.session.open_orders(before.now_ns + 3 * MS, 0, before.now_ns + 2 * MS, &open).unwrap();
    (301..600).for_each(|n| world.step(n));
    assert!(world.session.image().orders.ended.len() > before.orders.ended.len());
    let mut follower = session();
    follow(&mut follower, &memory.records(), 0);
    assert_eq!(follower.image(), world.session.image());
}

#[test]
fn a_list_without_our_ids_is_understood_by_the_venues() {
    let memory = Memory::default();
    let mut session = session();
    session.lead(Box::new(memory.clone()));
    session.start(1_000 * MS, b"{}").unwrap();
    let mut world = World::new(session, 0);
    for n in 0..20 {
        world.step(n);
    }
    let mut session = world.session;
    let ours: Vec<_> = session.orders().all_live().copied().collect();
    assert!(!ours.is_empty());
    let at = session.now_ns();
    for (n, order) in ours.iter().enumerate() {
        session.name_order(at, order.id, 0, 500 + n as u64).unwrap();
    }
    let list = |venue_order: u64| OpenOrder {
        order: ClientOrderId(0),
        venue_order,
        instrument: InstrumentId(0),
        side: ours[0].terms.side,
        price: ours[0].terms.price,
        qty: ours[0].terms.qty,
        filled: ours[0].filled,
    };
    let named: Vec<_> = (0..ours.len() as u64).map(|n| list(500 + n)).collect();
    let strange = |memory: &Memory| {
        let records = memory.records();
        let events = records.iter().filter(|r| r.kind == Kind::Event as u16);
        events.filter(|r| String::from_utf8_lossy(&r.payload).contains("foreign_order")).count()
    };
    session.open_orders(at + MS, 0, at + MS, &named).unwrap();
    assert_eq!(strange(&memory), 0, "the venue's ids lead to our orders");
    session.open_orders(at + 2 * MS, 0, at + 2 * MS, &[list(900)]).unwrap();
    assert_eq!(strange(&memory), 1);
    let id = session.venue_order(ours[0].id).unwrap();
    assert_eq!((id.id, session.order_named(id)), (500, Some(ours[0].id)));
    // A restart knows the ids: from the records, and from a snapshot.
    let records = memory.records();
    let mut again = self::session();
    follow(&mut again, &records, 0);
    assert_eq!(again.image(), session.image());
    let mut restored = self::session();
    let text = serde_json::to_string(&session.image()).unwrap();
    restored.restore(&serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(restored.venue_order(ours[0].id), Some(id));
}

#[test]
fn what_cannot_be_is_counted_told_and_an_event() {
    let memory = Memory::default();
    let mut session = session();
    session.lead(Box::new(memory.clone()));
    session.start(1_000 * MS, b"{}").unwrap();
    let mut world = World::new(session, 0);
    for n in 0..20 {
        world.step(n);
    }
    let mut session = world.session;
    let order = *session.orders().all_live().next().unwrap();
    let at = session.now_ns();
    let fill = |order, qty, trade_id| Report {
        event: VenueEvent {
            order,
            exch_ns: at,
            recv_ns: at,
            kind: VenueEventKind::Filled { price: Ticks(1_000), qty: Lots(qty), maker: true },
        },
        trade_id,
        fee: None,
        filled: None,
    };
    session.report(&fill(order.id, 1_000, 90_001)).unwrap();
    session.report(&fill(ClientOrderId(77_777), 1, 90_002)).unwrap();
    session.report(&fill(order.id, order.remaining().0, 90_003)).unwrap();
    let refused = VenueEventKind::Rejected(mainspring_core::RejectReason::Halted);
    let event = VenueEvent { order: order.id, exch_ns: at, recv_ns: at, kind: refused };
    session.report(&Report::plain(event)).unwrap();
    let counted = session.orders().counters();
    assert_eq!((counted.bad_fills, counted.illegal), (1, 1));
    let records = memory.records();
    let text = |kind: Kind| -> Vec<String> {
        let of_kind = records.iter().filter(|r| r.kind == kind as u16);
        of_kind.map(|r| String::from_utf8_lossy(&r.payload).into_owned()).collect()
    };
    let events = text(Kind::Event);
    for what in ["bad_fill", "unknown", "illegal"] {
        let said = format!("\"what\":\"{what}\"");
        assert_eq!(events.iter().filter(|e| e.contains(&said)).count(), 1, "{what}: {events:?}");
    }
    let told = text(Kind::Notice);
    assert!(
        told.iter().any(|t| t.contains("cannot happen to an order that is filled")),
        "{told:?}"
    );
}
