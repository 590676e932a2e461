//! A venue that cannot be reached: what is held there is hedged elsewhere until it is back.

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, Decimal, Instrument, InstrumentId, Lots, PriceGrid, Side, Ticks, TimeNs,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{Report, Request, Session, SessionConfig};
use mainspring_kernel::view::View;

mod common;
use common::memory::{follow, Memory};

const MS: i64 = 1_000_000;
const LOST: InstrumentId = InstrumentId(0);
const ON: InstrumentId = InstrumentId(1);

fn instrument(venue: &str, lot: &str) -> Instrument {
    Instrument {
        symbol: "BTCUSDT".into(),
        venue: venue.into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
        lot: lot.parse().unwrap(),
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

/// Wants a position at each venue, once their books are there.
struct Holder([i64; 2]);

impl Host for Holder {
    fn name(&self) -> &str {
        "holder"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        for (at, lots) in self.0.into_iter().enumerate() {
            view.instrument = InstrumentId(at as u16);
            if view.market().mid2().is_some() && view.link(view.instrument).is_some_and(|l| l.up) {
                view.target_position(Lots(lots), None)?;
            }
        }
        Ok(())
    }
}

fn hedger(more: &str) -> Box<dyn Host> {
    let text = format!(
        r#"{{"kind":"loss_hedge","pairs":[{{"lost":"a:BTCUSDT","on":"b:BTCUSDT"}}],"after_ms":1000,"slice":"0","size_bps":10000{more}}}"#
    );
    let native: NativeConfig = serde_json::from_str(&text).unwrap();
    native.build(BookTrigger::Every(100 * MS)).unwrap()
}

struct World {
    session: Session,
    memory: Memory,
    now_ns: TimeNs,
    trade: u64,
    /// What was asked of each venue: side and lots.
    asked: Vec<(InstrumentId, Side, i64)>,
    held: [i64; 2],
    size_bps: u32,
}

fn session(held: [i64; 2], size_bps: u32) -> Session {
    let text = format!(r#"{{"run":{{"deposits":[["USDT","100000"]],"size_bps":{size_bps}}}}}"#);
    let config: SessionConfig = serde_json::from_str(&text).unwrap();
    // A lot of the one is two of the other.
    let instruments = vec![instrument("a", "0.002"), instrument("b", "0.001")];
    let hedger = match size_bps {
        10_000 => hedger(""),
        _ => {
            let text = r#"{"kind":"loss_hedge","pairs":[{"lost":"a:BTCUSDT","on":"b:BTCUSDT"}],"after_ms":1000,"slice":"0","size_bps":1000}"#;
            let native: NativeConfig = serde_json::from_str(text).unwrap();
            native.build(BookTrigger::Every(100 * MS)).unwrap()
        }
    };
    Session::new(config, instruments, vec![Box::new(Holder(held)), hedger]).unwrap()
}

impl World {
    fn new(held: [i64; 2], size_bps: u32) -> Self {
        let memory = Memory::default();
        let mut session = session(held, size_bps);
        session.lead(Box::new(memory.clone()));
        session.start(1_000 * MS, b"{}").unwrap();
        let mut world =
            Self { session, memory, now_ns: 1_000 * MS, trade: 0, asked: vec![], held, size_bps };
        world.link(0, true);
        world.link(1, true);
        world.account(0, &[]);
        world.wait(1);
        world
    }

    fn link(&mut self, venue: u16, up: bool) {
        self.session.link(self.now_ns, venue, up).unwrap();
        self.answer();
    }

    /// The venue's answer to the question about the account.
    fn account(&mut self, venue: u16, fills: &[Report]) {
        self.now_ns += MS;
        let held = self.session.ledger().net(InstrumentId(venue)).map_or(0, |held| held.lots.0);
        let more: i64 = fills.iter().map(signed).sum();
        let account = Account {
            as_of_ns: self.now_ns,
            fills: fills.to_vec(),
            positions: vec![(InstrumentId(venue), Lots(held + more))],
            ..Account::default()
        };
        self.session.account(self.now_ns + MS, venue, &account).unwrap();
        self.answer();
    }

    /// Time goes on by tenths of a second, and both markets with it.
    fn wait(&mut self, tenths: usize) {
        for _ in 0..tenths {
            self.now_ns += 100 * MS;
            for at in [LOST, ON] {
                let rows =
                    [row(self.now_ns, at, 0, 1_000), row(self.now_ns, at, flags::ASK, 1_001)];
                self.session.market(at, Ticks(0), &rows[..1]).unwrap();
                self.session.market(at, Ticks(0), &rows[1..]).unwrap();
            }
            self.session.advance(self.now_ns).unwrap();
            self.answer();
        }
    }

    /// Every order trades whole at once.
    fn answer(&mut self) {
        loop {
            let mut requests = Vec::new();
            self.session.take_requests(&mut requests);
            if requests.is_empty() {
                return;
            }
            for request in requests {
                let Request::Order(VenueRequest {
                    order, kind: VenueRequestKind::New(terms), ..
                }) = request
                else {
                    continue;
                };
                self.asked.push((terms.instrument, terms.side, terms.qty.0));
                self.trade += 1;
                let report = fill(order, self.now_ns, terms.qty.0, self.trade);
                self.session.report(&report).unwrap();
            }
        }
    }

    fn net(&self, at: InstrumentId) -> i64 {
        self.session.ledger().net(at).map_or(0, |held| held.lots.0)
    }

    fn hedge(&self) -> i64 {
        self.session.ledger().position(1, ON).map_or(0, |held| held.lots.0)
    }

    /// What the journal says comes out the same.
    fn follows(&self) {
        let mut follower = session(self.held, self.size_bps);
        follow(&mut follower, &self.memory.records(), 0);
        assert_eq!(follower.image(), self.session.image());
    }
}

fn signed(fill: &Report) -> i64 {
    match fill.event.kind {
        VenueEventKind::Filled { qty, .. } => qty.0,
        _ => 0,
    }
}

fn fill(order: ClientOrderId, at: TimeNs, lots: i64, trade: u64) -> Report {
    let kind = VenueEventKind::Filled { price: Ticks(1_000), qty: Lots(lots), maker: false };
    let event = VenueEvent { order, exch_ns: at, recv_ns: at, kind };
    Report { trade_id: trade, ..Report::plain(event) }
}

fn row(at: TimeNs, instrument: InstrumentId, side: u8, price: i32) -> MarketRow {
    MarketRow {
        recv_ns: at,
        exch_ns: at,
        qty_lots: 100,
        price_offset: price,
        kind: RowKind::Depth as u8,
        flags: side | flags::END_OF_MESSAGE,
        instrument: instrument.0,
    }
}

#[test]
fn what_is_held_at_a_lost_venue_is_hedged_whole_and_undone_at_its_return() {
    let mut world = World::new([5, 0], 10_000);
    assert_eq!((world.net(LOST), world.net(ON)), (5, 0));
    world.asked.clear();
    world.link(0, false);
    world.wait(9);
    assert_eq!(world.asked, [], "a short loss is no loss");
    world.wait(4);
    assert_eq!(world.asked, [(ON, Side::Sell, 10)], "a lot here is two there");
    world.wait(10);
    assert_eq!((world.hedge(), world.asked.len()), (-10, 1), "once");

    world.link(0, true);
    world.wait(3);
    assert_eq!(world.hedge(), -10, "the venue has not told yet what happened");
    world.account(0, &[]);
    world.wait(2);
    assert_eq!((world.hedge(), world.net(ON), world.net(LOST)), (0, 0, 5));
    world.follows();
}

#[test]
fn what_others_hold_against_it_is_not_hedged_twice() {
    let mut world = World::new([5, -4], 10_000);
    world.asked.clear();
    world.link(0, false);
    world.wait(15);
    assert_eq!(world.asked, [(ON, Side::Sell, 6)]);
    assert_eq!(world.net(ON), -10);
    world.follows();

    let mut neutral = World::new([5, -10], 10_000);
    neutral.asked.clear();
    neutral.link(0, false);
    neutral.wait(15);
    assert_eq!(neutral.asked, []);
}

#[test]
fn a_hedge_is_whole_where_the_session_trades_a_share() {
    let mut world = World::new([50, 0], 1_000);
    assert_eq!(world.net(LOST), 5, "a tenth of 50");
    world.asked.clear();
    world.link(0, false);
    world.wait(15);
    assert_eq!(world.asked, [(ON, Side::Sell, 10)]);
}

#[test]
fn nothing_is_asked_of_a_venue_that_is_lost_too() {
    let mut world = World::new([5, 0], 10_000);
    world.asked.clear();
    world.link(0, false);
    world.link(1, false);
    world.wait(20);
    assert_eq!(world.asked, []);
    world.link(1, true);
    world.wait(2);
    assert_eq!(world.asked, [(ON, Side::Sell, 10)]);
}

#[test]
fn a_restart_keeps_the_hedge_until_the_venue_is_back() {
    let mut world = World::new([5, 0], 10_000);
    world.link(0, false);
    world.wait(15);
    assert_eq!(world.hedge(), -10);
    let mut recovered = session(world.held, world.size_bps);
    follow(&mut recovered, &world.memory.records(), 0);
    recovered.lead(Box::new(world.memory.clone()));
    world.now_ns += 1_000 * MS;
    recovered.resume(world.now_ns, b"{}").unwrap();
    world.session = recovered;
    world.asked.clear();
    world.link(1, true);
    world.wait(30);
    assert_eq!((world.hedge(), world.asked.len()), (-10, 0));
    world.link(0, true);
    world.account(0, &[]);
    world.wait(3);
    assert_eq!((world.hedge(), world.asked.len()), (0, 1));
}

#[test]
fn pairs_that_cannot_be_are_refused() {
    let build = |pairs: &str, trigger| {
        let text = format!(
            r#"{{"kind":"loss_hedge","pairs":{pairs},"after_ms":1,"slice":"0","size_bps":10000}}"#
        );
        serde_json::from_str::<NativeConfig>(&text).unwrap().build(trigger)
    };
    assert!(build("[]", BookTrigger::Every(MS)).is_err());
    assert!(build(r#"[{"lost":"a:X","on":"b:X"}]"#, BookTrigger::Message).is_err());
}
