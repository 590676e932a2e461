//! Orders and fills that were not placed here: reported, cancelled or adopted, and the same for whoever
//! follows the journal.

mod common;

use common::{follow, maker, session, Memory};
use mainspring_core::report::Account;
use mainspring_core::{
    CancelReason, ClientOrderId, ForeignReport, InstrumentId, Lots, OpenOrder, RejectReason,
    Report, Request, Side, Ticks, TimeNs, VenueEvent, VenueEventKind, VenueRequestKind,
};
use mainspring_kernel::host::Host;
use mainspring_kernel::intent::{Intent, Intents};
use mainspring_kernel::session::disk::Silent;
use mainspring_kernel::session::foreign::is_known_by_venue_id;
use mainspring_kernel::session::{Kind, Session};
use mainspring_trading::orders::{Order, OrderState, PendingReplace, Purpose};

const BEGAN: TimeNs = 1_000_000_000_000;
const S: TimeNs = 1_000_000_000;
const BTC: InstrumentId = InstrumentId(0);
const ADOPT: &str = r#"{"foreign":{"adopt":{}}}"#;
const REPORT: &str = r#"{"foreign":"report"}"#;
const HAND: u64 = 77;
const ADOPTED: Request = Request::ForeignAdopted { venue_order: HAND, instrument: BTC };

fn hosts() -> Vec<Box<dyn Host>> {
    vec![maker("0.003"), Box::new(Silent::new("account"))]
}

struct World {
    session: Session,
    memory: Memory,
    now_ns: TimeNs,
}

impl World {
    fn new(config: &str) -> Self {
        let memory = Memory::default();
        let mut session = session(config, hosts());
        session.lead(Box::new(memory.clone()));
        session.start(BEGAN, b"{}").unwrap();
        session.link(BEGAN + 1, 0, true).unwrap();
        session.take_requests(&mut Vec::new());
        Self { session, memory, now_ns: BEGAN + S }
    }

    fn tick(&mut self) -> TimeNs {
        self.now_ns += S / 10;
        self.now_ns
    }

    /// A statement of the user stream about the order that was placed by hand.
    fn told(&mut self, kind: VenueEventKind, trade_id: u64, filled: i64) {
        let at = self.tick();
        let foreign = foreign(kind, trade_id, Some(Lots(filled)), at);
        self.session.foreign(0, &foreign).unwrap();
    }

    fn account(&mut self, foreign: Vec<ForeignReport>, open: Vec<OpenOrder>, position: i64) {
        let at = self.tick();
        let positions = vec![(BTC, Lots(position))];
        let account = Account { as_of_ns: at - 1, foreign, open, positions, ..Account::default() };
        self.session.account(at, 0, &account).unwrap();
    }

    /// The owner of what is adopted asks for a change.
    fn amend(&mut self, id: ClientOrderId, price: i64, qty: i64) {
        let at = self.tick();
        let mut wishes = Intents::default();
        wishes.push(Intent::Amend { id, price: Ticks(price), qty: Lots(qty) }).unwrap();
        self.session.wishes(at, 1, 0, &wishes).unwrap();
    }

    fn command(&mut self, text: &str) -> Option<String> {
        let at = self.tick();
        self.session.command(at, &serde_json::from_str(text).unwrap()).unwrap();
        self.session.take_refusal()
    }

    fn adopted(&self) -> Vec<Order> {
        let live = self.session.orders().all_live();
        live.filter(|order| order.purpose == Purpose::Adopted).copied().collect()
    }

    fn requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        self.session.take_requests(&mut requests);
        requests
    }

    fn events(&self, name: &str) -> usize {
        let named = format!("\"event\":\"{name}\"");
        let events = self.memory.of_kind(Kind::Event);
        events.iter().filter(|e| String::from_utf8_lossy(&e.payload).contains(&named)).count()
    }

    fn net(&self) -> i64 {
        self.session.ledger().net(BTC).map_or(0, |held| held.lots.0)
    }

    fn open_on_bid(&self) -> Lots {
        self.session.gate().open_on(BTC, Side::Buy)
    }

    /// Whoever follows the journal, from its beginning or from a snapshot, has the same state, under
    /// any policy of its own.
    #[track_caller]
    fn assert_followed(&self) {
        for config in [ADOPT, REPORT] {
            let mut follower = session(config, hosts());
            follow(&mut follower, &self.memory.records(), 0);
            assert_eq!(follower.image(), self.session.image());
        }
        let text = serde_json::to_string(&self.session.image()).unwrap();
        let mut restored = session(ADOPT, hosts());
        restored.restore(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(restored.image(), self.session.image());
    }
}

fn foreign(kind: VenueEventKind, trade_id: u64, filled: Option<Lots>, at: TimeNs) -> ForeignReport {
    ForeignReport {
        venue_order: HAND,
        instrument: BTC,
        side: Side::Buy,
        price: Ticks(1_000),
        qty: Lots(10),
        report: Report {
            event: VenueEvent { order: ClientOrderId(0), exch_ns: at, recv_ns: at, kind },
            trade_id,
            fee: None,
            filled,
        },
    }
}

const fn fill(qty: i64) -> VenueEventKind {
    VenueEventKind::Filled { price: Ticks(1_000), qty: Lots(qty), maker: true }
}

const fn listed(filled: i64) -> OpenOrder {
    OpenOrder {
        order: ClientOrderId(0),
        venue_order: HAND,
        instrument: BTC,
        side: Side::Buy,
        price: Ticks(1_000),
        qty: Lots(10),
        filled: Lots(filled),
    }
}

#[test]
fn an_order_of_a_list_is_adopted_counts_and_can_be_cancelled() {
    let mut world = World::new(ADOPT);
    world.account(vec![], vec![listed(0)], 0);
    let [order] = world.adopted()[..] else { panic!("{:?}", world.adopted()) };
    assert!(is_known_by_venue_id(order.id));
    assert_eq!((order.state, order.strategy, order.remaining()), (OrderState::Open, 1, Lots(10)));
    assert_eq!((world.open_on_bid(), world.events("order_adopted")), (Lots(10), 1));
    // Told again, it is the same order.
    world.account(vec![], vec![listed(0)], 0);
    assert_eq!((world.adopted().len(), world.events("foreign_order")), (1, 0));
    world.assert_followed();

    // A kill cancels it by the venue's own id.
    world.command(r#"{"command":"kill","cause":"test","flatten":false}"#);
    let cancel = Request::ForeignCancel { venue_order: HAND, instrument: BTC };
    assert_eq!(world.requests(), [ADOPTED, cancel], "the last door is told, too");
    world.told(VenueEventKind::Cancelled(CancelReason::Requested), 0, 0);
    assert!(world.adopted().is_empty());
    assert_eq!(world.open_on_bid(), Lots(0));
    world.assert_followed();
}

#[test]
fn fills_of_an_adopted_order_are_booked_once() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    world.told(fill(4), 501, 4);
    world.told(fill(4), 501, 4);
    assert_eq!((world.net(), world.adopted()[0].filled), (4, Lots(4)));
    world.assert_followed();
    let at = world.tick();
    // The list has both fills; the second one was not told.
    let fills = vec![foreign(fill(4), 501, None, at), foreign(fill(6), 502, None, at)];
    world.account(fills, vec![], 10);
    assert_eq!((world.net(), world.adopted().len()), (10, 0));
    assert_eq!((world.events("position_mismatch"), world.events("order_anomaly")), (0, 0));
    let held = world.session.ledger().position(1, BTC).unwrap();
    assert_eq!(held.lots, Lots(10), "the account's own, not the market maker's");
    world.assert_followed();
}

#[test]
fn what_traded_while_nobody_listened_is_booked_and_what_is_older_is_not() {
    let mut world = World::new(ADOPT);
    let at = world.tick();
    // Five lots of ten traded before the session, three since, two are open.
    let fills = vec![foreign(fill(5), 601, None, BEGAN - S), foreign(fill(3), 602, None, at)];
    world.account(fills, vec![listed(8)], 3);
    let [order] = world.adopted()[..] else { panic!("{:?}", world.adopted()) };
    assert_eq!((order.filled, order.remaining(), world.net()), (Lots(8), Lots(2), 3));
    // An order that came and went in between is in the fills alone.
    let mut gone = foreign(fill(2), 603, None, at);
    let mut rest = foreign(fill(5), 604, None, at);
    (gone.venue_order, rest.venue_order) = (78, 78);
    (gone.qty, rest.qty) = (Lots(0), Lots(0));
    world.account(vec![gone, rest], vec![listed(8)], 10);
    assert_eq!((world.net(), world.adopted().len()), (10, 1));
    assert_eq!(world.events("order_anomaly"), 0);
    world.assert_followed();
}

#[test]
fn a_fill_of_more_than_is_known_is_booked_all_the_same() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    let at = world.tick();
    let mut large = foreign(fill(12), 701, Some(Lots(12)), at);
    large.qty = Lots(0);
    world.session.foreign(0, &large).unwrap();
    assert_eq!((world.net(), world.events("order_anomaly")), (12, 0));
    world.account(vec![], vec![], 12);
    assert!(world.adopted().is_empty(), "not in the list: over");
    world.assert_followed();
}

#[test]
fn a_change_by_hand_is_taken_up() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    let changed = OpenOrder { price: Ticks(990), qty: Lots(25), ..listed(0) };
    world.account(vec![], vec![changed], 0);
    let order = world.adopted()[0];
    assert_eq!((order.terms.price, order.terms.qty), (Ticks(990), Lots(25)));
    assert_eq!(world.open_on_bid(), Lots(25));
    world.assert_followed();
}

#[test]
fn an_adopted_order_is_amended_by_the_venues_id() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    world.told(fill(3), 1_001, 3);
    let order = world.adopted()[0];
    world.requests();
    world.amend(order.id, 995, 12);
    let standing = OpenOrder { order: order.id, ..listed(3) };
    let (price, qty) = (Ticks(995), Lots(12));
    assert_eq!(world.requests(), [Request::ForeignAmend { standing, price, qty }]);
    assert_eq!(world.adopted()[0].state, OrderState::PendingReplace);
    assert_eq!(world.open_on_bid(), Lots(9), "the larger of the two");
    world.assert_followed();
    // The venue shows the order with what was asked for.
    let at = world.tick();
    let shown = foreign(VenueEventKind::Accepted, 0, Some(Lots(3)), at);
    world.session.foreign(0, &ForeignReport { price, qty, ..shown }).unwrap();
    let amended = world.adopted()[0];
    assert_eq!((amended.state, amended.terms.price), (OrderState::PartiallyFilled, price));
    assert_eq!((amended.terms.qty, amended.pending), (qty, None));
    world.assert_followed();
    // Refused, it stands as it was.
    world.amend(order.id, 990, 20);
    world.told(VenueEventKind::AmendRejected(RejectReason::VenueRule), 0, 3);
    let stands = world.adopted()[0];
    assert_eq!((stands.terms.price, stands.terms.qty, stands.pending), (price, qty, None));
    world.assert_followed();
}

#[test]
fn a_change_of_an_adopted_order_that_nobody_answers_is_found_in_the_list() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    let order = world.adopted()[0];
    world.amend(order.id, 995, 12);
    world.now_ns += 6 * S;
    world.session.advance(world.now_ns).unwrap();
    assert_eq!(world.adopted()[0].state, OrderState::Unknown);
    assert!(world.requests().iter().any(|one| matches!(one, Request::AccountQuery { .. })));
    let changed = OpenOrder { price: Ticks(995), qty: Lots(12), ..listed(0) };
    world.account(vec![], vec![changed], 0);
    let found = world.adopted()[0];
    assert_eq!(
        (found.state, found.terms.price, found.pending),
        (OrderState::Open, Ticks(995), None)
    );
    world.assert_followed();
}

#[test]
fn what_cannot_be_amended_is_said_and_stays() {
    // A stop that becomes a market order has no price, in statements and in lists.
    let mut world = World::new(ADOPT);
    world.account(vec![], vec![OpenOrder { price: Ticks(0), ..listed(0) }], 0);
    let order = world.adopted()[0];
    world.requests();
    world.amend(order.id, 995, 12);
    assert_eq!((world.requests(), world.adopted()[0].pending), (vec![], None));
    assert!(world.memory.texts().iter().any(|text| text.contains("has no limit price")));
    world.assert_followed();
    // A halt lets no change out, and by the gate nothing larger than the limits.
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    let order = world.adopted()[0];
    world.amend(order.id, 995, i64::MAX / 2);
    assert_eq!(world.requests(), [ADOPTED]);
    world.assert_followed();
}

#[test]
fn a_restart_keeps_what_was_adopted_and_goes_on_with_it() {
    let mut world = World::new(ADOPT);
    world.told(VenueEventKind::Accepted, 0, 0);
    world.told(fill(4), 801, 4);
    let mut again = session(ADOPT, hosts());
    follow(&mut again, &world.memory.records(), 0);
    again.lead(Box::new(world.memory.clone()));
    again.resume(world.tick(), b"{}").unwrap();
    world.session = again;
    assert!(world.requests().contains(&ADOPTED), "the last door of this life does not know it yet");
    let at = world.tick();
    let fills = vec![foreign(fill(4), 801, None, at), foreign(fill(1), 802, None, at)];
    world.account(fills, vec![listed(5)], 5);
    assert_eq!((world.net(), world.adopted().len(), world.adopted()[0].filled), (5, 1, Lots(5)));
    assert_eq!(world.events("position_mismatch"), 0);
    world.assert_followed();
}

#[test]
fn an_order_of_an_id_of_ours_that_is_not_known_is_adopted_with_it() {
    let mut world = World::new(ADOPT);
    world.account(vec![], vec![OpenOrder { order: ClientOrderId(40), ..listed(1) }], 0);
    let order = world.adopted()[0];
    assert_eq!((order.id, order.filled), (ClientOrderId(40), Lots(1)));
    world.command(r#"{"command":"cancel_all"}"#);
    assert!(matches!(world.requests()[..], [Request::Order(one)] if one.order == order.id));
    assert_eq!(world.session.image().next_order, 41, "the id is not given again");
    world.assert_followed();
}

#[test]
fn an_order_adopted_under_an_id_of_ours_is_amended_by_it() {
    let mut world = World::new(ADOPT);
    world.account(vec![], vec![OpenOrder { order: ClientOrderId(40), ..listed(1) }], 0);
    world.requests();
    world.amend(ClientOrderId(40), 995, 12);
    let (price, qty) = (Ticks(995), Lots(12));
    let kind = VenueRequestKind::Amend { instrument: BTC, price, qty };
    let [Request::Order(asked)] = world.requests()[..] else { panic!("by our id") };
    assert_eq!((asked.order, asked.kind), (ClientOrderId(40), kind));
    let order = world.adopted()[0];
    let pending = PendingReplace { price, qty };
    assert_eq!((order.state, order.pending), (OrderState::PendingReplace, Some(pending)));
    world.assert_followed();
    let at = world.tick();
    let kind = VenueEventKind::Amended { price, qty };
    let event = VenueEvent { order: ClientOrderId(40), exch_ns: at, recv_ns: at, kind };
    world.session.report(&Report::plain(event)).unwrap();
    let order = world.adopted()[0];
    assert_eq!((order.terms.price, order.terms.qty, order.pending), (price, qty, None));
    assert_eq!(world.open_on_bid(), Lots(11));
    world.assert_followed();
}

#[test]
fn by_policy_orders_are_reported_once_or_cancelled_and_fills_are_told() {
    for (config, cancels) in [(REPORT, 0), (r#"{"foreign":"cancel"}"#, 2)] {
        let mut world = World::new(config);
        world.told(VenueEventKind::Accepted, 0, 0);
        world.account(vec![], vec![listed(0)], 0);
        assert_eq!((world.adopted().len(), world.events("foreign_order")), (0, 1));
        assert_eq!(world.requests().len(), cancels);
        world.told(fill(4), 901, 4);
        world.told(fill(4), 901, 4);
        assert_eq!((world.net(), world.events("foreign_fill")), (0, 1));
        world.account(vec![], vec![], 4);
        world.assert_followed();
        world.account(vec![], vec![], 4);
        assert_eq!(world.events("position_mismatch"), 1);
        world.assert_followed();
    }
}

#[test]
fn the_policy_can_be_changed_while_running_and_its_owner_must_be_there() {
    let mut world = World::new(REPORT);
    let patience = serde_json::to_string(&world.session.config().patience).unwrap();
    let set = |owner: &str| {
        let policy = format!(r#"{{"adopt":{{"owner":"{owner}"}}}}"#);
        format!(r#"{{"command":"set_waits","patience":{patience},"foreign":{policy}}}"#)
    };
    let why = world.command(&set("nobody")).unwrap();
    assert!(why.contains("nobody") && why.contains("touch_maker"), "{why}");
    assert_eq!(world.command(&set("touch_maker")), None);
    world.told(VenueEventKind::Accepted, 0, 0);
    assert_eq!(world.adopted()[0].strategy, 0);
    let mut follower = session(REPORT, hosts());
    follow(&mut follower, &world.memory.records(), 0);
    assert_eq!(follower.image(), world.session.image());
    let (mut config, instruments, _) = mainspring_kernel::session::rehearsal::parts().unwrap();
    config.foreign = serde_json::from_str(r#"{"adopt":{"owner":"nobody"}}"#).unwrap();
    assert!(Session::new(config, instruments, hosts()).is_err());
}
