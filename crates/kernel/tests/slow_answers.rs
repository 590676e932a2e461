//! A venue that answers late, refuses, or answers in another order: what a session does about orders that
//! have to go and positions that have to be closed.

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::InstrumentKind;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Decimal, Instrument, InstrumentId, Lots, OrderFlags, OrderType,
    PriceGrid, RejectReason, Side, Ticks, TimeNs, VenueEvent, VenueEventKind, VenueRequest,
    VenueRequestKind,
};
use mainspring_kernel::host::{Host, HostResult, Interest};
use mainspring_kernel::intent::{Intent, Intents};
use mainspring_kernel::session::disk::Silent;
use mainspring_kernel::session::{Answer, Command, Report, Request, Session, SessionConfig};
use mainspring_kernel::view::View;
use mainspring_trading::execution::parents::{Kind, ParentTerms, Schedule};
use mainspring_trading::orders::OrderState;
use mainspring_trading::risk::StopRule;

mod common;
use common::memory::{follow, Memory};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
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

fn elsewhere() -> Box<dyn Host> {
    Box::new(Silent::new("elsewhere"))
}

/// A session whose venue says what a test says, when it says it.
struct Slow {
    session: Session,
    memory: Memory,
    make: fn() -> Box<dyn Host>,
    now_ns: TimeNs,
    trade_id: u64,
    placed: u64,
    wishes: Intents,
}

impl Slow {
    fn new(make: fn() -> Box<dyn Host>) -> Self {
        let memory = Memory::default();
        let mut session = built(make);
        session.lead(Box::new(memory.clone()));
        session.start(SECOND, b"{}").unwrap();
        session.link(SECOND, 0, true).unwrap();
        let mut slow = Self {
            session,
            memory,
            make,
            now_ns: SECOND,
            trade_id: 0,
            placed: 0,
            wishes: Intents::default(),
        };
        slow.book(1_000);
        slow.leaving();
        slow
    }

    fn pass(&mut self, time_ns: i64) {
        self.now_ns += time_ns;
        self.session.advance(self.now_ns).unwrap();
    }

    /// Bid and ask of ten lots.
    fn book(&mut self, bid: i64) {
        self.now_ns += MS;
        let at = self.now_ns;
        let row = |flag: u8, price: i64, qty: i64| MarketRow {
            recv_ns: at,
            exch_ns: at,
            qty_lots: qty,
            price_offset: price as i32,
            kind: RowKind::Depth as u8,
            flags: flag,
            instrument: 0,
        };
        let end = flags::END_OF_MESSAGE;
        let mut rows: Vec<MarketRow> = Vec::new();
        for price in 900..1_100 {
            let (buy, sell) = (price <= bid, price > bid);
            rows.push(row(0, price, i64::from(buy) * 10));
            rows.push(row(flags::ASK, price, i64::from(sell) * 10));
        }
        if let Some(last) = rows.last_mut() {
            last.flags |= end;
        }
        self.session.market(BTC, Ticks(0), &rows).unwrap();
    }

    /// What the strategy elsewhere asks for.
    fn wish(&mut self, ask: impl FnOnce(&mut Intents)) {
        let mut wishes = std::mem::take(&mut self.wishes);
        ask(&mut wishes);
        self.now_ns += MS;
        self.session.wishes(self.now_ns, 0, 0, &wishes).unwrap();
        wishes.clear();
        self.wishes = wishes;
    }

    fn buy(&mut self, price: i64, qty: i64) -> ClientOrderId {
        let terms = OrderTerms::limit(BTC, Side::Buy, Ticks(price), Lots(qty));
        self.placed += 1;
        // Ids of strategies elsewhere.
        let id = ClientOrderId((1 << 48) + self.placed);
        self.wish(|wishes| wishes.push(Intent::Place { id, terms }).unwrap());
        id
    }

    fn says(&mut self, order: ClientOrderId, kind: VenueEventKind) {
        self.now_ns += MS;
        let at = self.now_ns;
        let trade_id = match kind {
            VenueEventKind::Filled { .. } => {
                self.trade_id += 1;
                self.trade_id
            }
            _ => 0,
        };
        let event = VenueEvent { order, exch_ns: at, recv_ns: at, kind };
        self.session.report(&Report { event, trade_id, fee: None, filled: None }).unwrap();
    }

    fn fills(&mut self, order: ClientOrderId, price: i64, qty: i64) {
        let (price, qty) = (Ticks(price), Lots(qty));
        self.says(order, VenueEventKind::Filled { price, qty, maker: true });
    }

    fn rests(&mut self, price: i64, qty: i64) -> ClientOrderId {
        let id = self.buy(price, qty);
        self.says(id, VenueEventKind::Accepted);
        self.leaving();
        id
    }

    fn command(&mut self, command: &Command) {
        self.now_ns += MS;
        self.session.command(self.now_ns, command).unwrap();
    }

    fn kill(&mut self, flatten: bool) {
        self.command(&Command::Kill { cause: "test".into(), flatten });
    }

    /// What leaves for the venue.
    fn leaving(&mut self) -> Vec<VenueRequest> {
        let mut requests = Vec::new();
        self.session.take_requests(&mut requests);
        let order = |request: Request| match request {
            Request::Order(request) => Some(request),
            _ => None,
        };
        requests.into_iter().filter_map(order).collect()
    }

    /// Lots that leave to be sold at the market, reducing only, and their order.
    fn closing(&mut self) -> Vec<(ClientOrderId, i64)> {
        let closes = |request: VenueRequest| match request.kind {
            VenueRequestKind::New(terms)
                if terms.order_type == OrderType::Market
                    && terms.side == Side::Sell
                    && terms.flags.has(OrderFlags::REDUCE_ONLY) =>
            {
                Some((request.order, terms.qty.0))
            }
            _ => None,
        };
        self.leaving().into_iter().filter_map(closes).collect()
    }

    fn cancels(&mut self) -> Vec<ClientOrderId> {
        let of = |request: VenueRequest| match request.kind {
            VenueRequestKind::Cancel { .. } => Some(request.order),
            _ => None,
        };
        self.leaving().into_iter().filter_map(of).collect()
    }

    fn held(&self) -> i64 {
        self.session.ledger().net(BTC).map_or(0, |held| held.lots.0)
    }

    /// Whoever follows the journal is in the same state.
    fn is_followed(&self) {
        let mut follower = built(self.make);
        follow(&mut follower, &self.memory.records(), 0);
        assert_eq!(follower.image(), self.session.image());
    }
}

fn built(make: fn() -> Box<dyn Host>) -> Session {
    let config: SessionConfig =
        serde_json::from_str(r#"{"run":{"deposits":[["USDT","100000"]]}}"#).unwrap();
    Session::new(config, vec![instrument()], vec![make()]).unwrap()
}

const BUSY: VenueEventKind = VenueEventKind::CancelRejected(RejectReason::Overloaded);
const REFUSED: VenueEventKind = VenueEventKind::Rejected(RejectReason::Overloaded);
const CANCELLED: VenueEventKind = VenueEventKind::Cancelled(CancelReason::Requested);

/// Qty of each, in order.
fn lots(closing: &[(ClientOrderId, i64)]) -> Vec<i64> {
    closing.iter().map(|(_, qty)| *qty).collect()
}

fn guarded(distance2: i64) -> Slow {
    let mut slow = Slow::new(elsewhere);
    let rule = Some(StopRule::Fixed { distance2 });
    slow.wish(|wishes| wishes.push(Intent::Stop { instrument: BTC, rule }).unwrap());
    let held = slow.rests(1_000, 3);
    slow.fills(held, 1_000, 3);
    slow
}

#[test]
fn a_cancel_that_the_venue_refuses_is_sent_again_where_the_order_has_to_go() {
    type Leads = fn(&mut Slow);
    let leads: [(&str, Leads); 3] = [
        ("the end", |slow| slow.session.stop(slow.now_ns, true).unwrap()),
        ("a halt", |slow| slow.kill(false)),
        ("a strategy that stops", |slow| {
            slow.command(&Command::StopStrategy { strategy: 0, cause: "failed".into() });
        }),
    ];
    for (what, leads) in leads {
        let mut slow = Slow::new(elsewhere);
        let id = slow.rests(990, 3);
        leads(&mut slow);
        assert_eq!(slow.cancels(), [id], "{what}");
        for _ in 0..3 {
            slow.says(id, BUSY);
            assert_eq!(slow.cancels(), [], "{what}: the venue is left alone for a while");
            slow.pass(2 * SECOND);
            assert_eq!(slow.cancels(), [id], "{what}: it is cancelled again");
        }
        slow.says(id, CANCELLED);
        slow.pass(5 * SECOND);
        assert_eq!((slow.cancels(), slow.session.orders().live_count()), (vec![], 0), "{what}");
        slow.is_followed();
    }
}

#[test]
fn an_order_that_has_to_go_and_that_the_venue_still_works_on_is_cancelled_again() {
    let mut slow = Slow::new(elsewhere);
    let id = slow.rests(990, 3);
    slow.session.stop(slow.now_ns, true).unwrap();
    assert_eq!(slow.cancels(), [id]);
    // The cancel is lost: the venue is asked, and says that it works.
    slow.pass(6 * SECOND);
    assert_eq!(slow.cancels(), []);
    slow.session.answer(slow.now_ns, id, Answer::Working { filled: Lots(0) }).unwrap();
    assert_eq!(slow.cancels(), [id]);
    slow.is_followed();
}

#[test]
fn what_trades_after_a_kill_that_closes_is_closed_too() {
    let mut slow = Slow::new(elsewhere);
    let held = slow.rests(990, 3);
    slow.fills(held, 990, 3);
    let open = slow.rests(990, 4);
    slow.kill(true);
    let closing = slow.closing();
    assert_eq!(lots(&closing), [3]);
    // It traded before its cancel came.
    slow.fills(open, 990, 4);
    let late = slow.closing();
    assert_eq!(lots(&late), [4]);
    for (id, qty) in closing.into_iter().chain(late) {
        slow.fills(id, 999, qty);
    }
    assert_eq!((slow.held(), slow.closing()), (0, vec![]));
    // Once a person has lifted the halt, what trades is a position like any other.
    slow.command(&Command::Rearm { reason: "all is well".into() });
    let again = slow.rests(990, 2);
    slow.fills(again, 990, 2);
    assert_eq!((slow.held(), slow.closing()), (2, vec![]));
    slow.is_followed();
}

#[test]
fn what_is_being_closed_is_not_closed_again() {
    let mut slow = Slow::new(elsewhere);
    let held = slow.rests(990, 3);
    slow.fills(held, 990, 3);
    slow.kill(true);
    slow.kill(true);
    slow.command(&Command::Flatten);
    slow.session.stop(slow.now_ns, true).unwrap();
    let left = slow.leaving();
    assert_eq!(left.len(), 1, "one order that closes, and nobody cancels it: {left:?}");
    let VenueRequestKind::New(terms) = left[0].kind else { panic!("{left:?}") };
    assert_eq!((terms.qty, terms.side), (Lots(3), Side::Sell));
    slow.is_followed();
}

#[test]
fn what_trades_after_a_stop_has_fired_is_closed_too() {
    let mut slow = guarded(20);
    let open = slow.rests(990, 4);
    slow.book(1_000);
    slow.book(980);
    let closing = slow.closing();
    assert_eq!(lots(&closing), [3]);
    slow.fills(open, 990, 4);
    let late = slow.closing();
    assert_eq!(lots(&late), [4]);
    for (id, qty) in closing.into_iter().chain(late) {
        slow.fills(id, 980, qty);
    }
    assert_eq!(slow.held(), 0);
    // The stop of the next position begins anew.
    let next = slow.rests(979, 2);
    slow.fills(next, 979, 2);
    assert_eq!((slow.held(), slow.closing()), (2, vec![]));
    slow.is_followed();
}

#[test]
fn a_stop_closes_again_what_the_venue_does_not_close() {
    let mut slow = guarded(20);
    slow.book(1_000);
    slow.book(980);
    let mut closing = slow.closing();
    for seconds in [1, 2, 4] {
        assert_eq!(lots(&closing), [3]);
        slow.says(closing[0].0, REFUSED);
        slow.pass(seconds * SECOND - MS);
        assert_eq!(slow.closing(), [], "the venue is left alone for a while");
        slow.pass(2 * MS);
        closing = slow.closing();
    }
    // A thin book: the rest is closed later.
    slow.fills(closing[0].0, 980, 2);
    slow.says(closing[0].0, CANCELLED);
    slow.pass(10 * SECOND);
    let rest = slow.closing();
    assert_eq!(lots(&rest), [1]);
    slow.fills(rest[0].0, 980, 1);
    slow.pass(100 * SECOND);
    assert_eq!((slow.held(), slow.closing()), (0, vec![]));
    slow.is_followed();
}

#[test]
fn an_order_is_not_changed_while_the_session_ends() {
    let mut slow = Slow::new(elsewhere);
    let id = slow.rests(990, 3);
    slow.session.stop(slow.now_ns, true).unwrap();
    assert_eq!(slow.cancels(), [id]);
    slow.says(id, BUSY);
    slow.wish(|wishes| {
        wishes.push(Intent::Amend { id, price: Ticks(995), qty: Lots(9) }).unwrap();
    });
    // What it asks for at the end is cancelled at once.
    assert_eq!(slow.cancels(), [id]);
    slow.is_followed();
}

#[test]
fn a_parent_order_ends_with_its_session_and_does_not_begin_again() {
    let mut slow = Slow::new(elsewhere);
    let parent = |qty: i64| {
        let schedule = Schedule::even(Lots(qty), 5).unwrap();
        ParentTerms::new(Kind::Twap, BTC, Side::Buy, Lots(qty), schedule, 60 * SECOND)
    };
    slow.wish(|wishes| {
        wishes.execute(parent(10)).unwrap();
    });
    assert_eq!(slow.leaving().len(), 1, "its first child");
    slow.session.stop(slow.now_ns, true).unwrap();
    slow.is_followed();
    // One that was on its way is not begun.
    slow.wish(|wishes| {
        wishes.execute(parent(20)).unwrap();
    });
    slow.is_followed();
    slow.leaving();

    let mut again = built(elsewhere);
    follow(&mut again, &slow.memory.records(), 0);
    again.lead(Box::new(slow.memory.clone()));
    slow.session = again;
    slow.now_ns += SECOND;
    slow.session.resume(slow.now_ns, b"{}").unwrap();
    slow.session.link(slow.now_ns, 0, true).unwrap();
    for _ in 0..70 {
        slow.pass(SECOND);
        slow.book(1_000);
    }
    let left = slow.leaving();
    let new = left.iter().filter(|one| matches!(one.kind, VenueRequestKind::New(_)));
    assert_eq!(new.count(), 0, "{left:?}");
}

/// Closes what it may hold, and wants something new, as the session ends.
struct WantsAtEnd;

impl Host for WantsAtEnd {
    fn name(&self) -> &str {
        "wants_at_end"
    }

    fn interest(&self) -> Interest {
        Interest::default()
    }

    fn on_stop(&mut self, view: &mut View<'_>) -> HostResult {
        let mut closes = OrderTerms::market(BTC, Side::Sell, Lots(3));
        closes.flags = OrderFlags::REDUCE_ONLY;
        view.place(closes)?;
        view.place(OrderTerms::limit(BTC, Side::Buy, Ticks(990), Lots(5)))?;
        Ok(())
    }
}

#[test]
fn at_the_end_strategies_may_close_and_nothing_else() {
    let mut slow = Slow::new(|| Box::new(WantsAtEnd));
    slow.session.stop(slow.now_ns, true).unwrap();
    let left = slow.leaving();
    assert_eq!(left.len(), 1, "what closes is not cancelled, what adds does not leave: {left:?}");
    let VenueRequestKind::New(terms) = left[0].kind else { panic!("{left:?}") };
    assert!(terms.flags.has(OrderFlags::REDUCE_ONLY));
    let state = slow.session.orders().get(left[0].order).unwrap().state;
    assert_eq!(state, OrderState::Submitted);
    slow.is_followed();
}
