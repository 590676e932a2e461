//! Positions that are others than the venue's: told when two of its answers in a row say so.

mod common;

use common::scripted::{Script, World, S};
use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, InstrumentId, Lots, OpenOrder, Report, Request, Side, Ticks, TimeNs, VenueEvent,
    VenueEventKind, VenueRequestKind,
};
use mainspring_kernel::session::Kind;
use mainspring_trading::risk::HaltCause;

const BTC: InstrumentId = InstrumentId(0);
const RUN: &str = r#""features":[]"#;
const PRICE: Ticks = Ticks(990);
const US: i64 = 1_000;

/// Rests a buy of six lots.
fn rest_once() -> Script {
    let mut done = false;
    Box::new(move |view| {
        if !std::mem::replace(&mut done, true) {
            view.place(OrderTerms::limit(BTC, Side::Buy, PRICE, Lots(6)))?;
        }
        Ok(())
    })
}

struct Desk {
    world: World,
    order: ClientOrderId,
}

impl Desk {
    fn new() -> Self {
        let mut world = World::new(RUN, rest_once());
        world.session.link(S, 0, true).unwrap();
        world.step(1_000);
        let [order] = world.session.orders().all_live().map(|o| o.id).collect::<Vec<_>>()[..]
        else {
            panic!("one order rests")
        };
        Self { world, order }
    }

    fn now_ns(&self) -> TimeNs {
        self.world.session.now_ns()
    }

    /// The venue's account, asked for at `as_of_ns` and told at `recv_ns`: its list of orders has none
    /// of the fill that its position has.
    fn answer(&mut self, as_of_ns: TimeNs, recv_ns: TimeNs, held: i64) {
        let filled = self.world.session.orders().get(self.order).unwrap().filled;
        let open = OpenOrder {
            order: self.order,
            venue_order: 5,
            instrument: BTC,
            side: Side::Buy,
            price: PRICE,
            qty: Lots(6),
            filled,
        };
        let positions = vec![(BTC, Lots(held))];
        let account = Account { as_of_ns, open: vec![open], positions, ..Account::default() };
        self.world.session.account(recv_ns, 0, &account).unwrap();
    }

    /// An answer at once.
    fn answer_now(&mut self, held: i64) {
        let now = self.now_ns();
        self.answer(now + US, now + 2 * US, held);
    }

    fn fill(&mut self, exch_ns: TimeNs, recv_ns: TimeNs, qty: i64) {
        let kind = VenueEventKind::Filled { price: PRICE, qty: Lots(qty), maker: true };
        let event = VenueEvent { order: self.order, exch_ns, recv_ns, kind };
        let report = Report { trade_id: exch_ns as u64, ..Report::plain(event) };
        self.world.session.report(&report).unwrap();
    }

    /// Lets a second pass; whether the account was asked for meanwhile.
    fn asks_within_a_second(&mut self) -> bool {
        let mut requests = Vec::new();
        self.world.session.take_requests(&mut requests);
        requests.clear();
        self.world.session.advance(self.now_ns() + S + US).unwrap();
        self.world.session.take_requests(&mut requests);
        requests.iter().any(|one| matches!(one, Request::AccountQuery { venue: 0, .. }))
    }

    fn told(&self) -> Vec<String> {
        let events = self.world.memory.of_kind(Kind::Event);
        let texts = events.iter().map(|e| String::from_utf8_lossy(&e.payload).into_owned());
        texts.filter(|text| text.contains("position_mismatch")).collect()
    }
}

#[test]
fn a_fill_told_just_after_an_answer_that_counted_it_is_no_mismatch() {
    let mut desk = Desk::new();
    let asked = desk.now_ns() + US;
    // Asked; the venue fills; it answers with the fill counted; the fill is told three microseconds
    // after the answer.
    desk.answer(asked, asked + 100 * US, 2);
    desk.fill(asked + 50 * US, asked + 103 * US, 2);
    assert_eq!(desk.told(), [""; 0]);
    assert!(desk.asks_within_a_second(), "the venue is asked again soon");
    desk.answer_now(2);
    assert_eq!(desk.told(), [""; 0]);
    // The same again later: the first difference was answered for and does not count.
    let asked = desk.now_ns() + S;
    desk.answer(asked, asked + 100 * US, 4);
    desk.fill(asked + 50 * US, asked + 103 * US, 2);
    desk.asks_within_a_second();
    desk.answer_now(4);
    assert_eq!(desk.told(), [""; 0]);
    assert_eq!(desk.world.position(), 4);
}

#[test]
fn a_fill_that_never_comes_is_told_at_the_second_answer_with_both_figures() {
    let mut desk = Desk::new();
    desk.answer_now(3);
    assert_eq!(desk.told(), [""; 0]);
    let snapshot = desk.world.session.image();
    assert!(desk.asks_within_a_second());
    desk.answer_now(3);
    let [told] = &desk.told()[..] else { panic!("{:?}", desk.told()) };
    assert!(told.contains(r#""ours":0"#) && told.contains(r#""theirs":3"#), "{told}");
    // It is told for as long as it lasts, and asked about no more often than any account.
    assert!(!desk.asks_within_a_second());
    desk.answer_now(3);
    assert_eq!(desk.told().len(), 2);
    desk.world.check_followers(RUN, &snapshot);
}

#[test]
fn where_that_is_the_policy_a_position_that_differs_halts_and_nothing_is_closed() {
    let mut desk = Desk::new();
    desk.world.halt_on_venue_issues();
    let snapshot = desk.world.session.image();
    desk.answer_now(3);
    assert_eq!(desk.world.session.gate().halt_cause(), None, "once may be a fill on its way");
    desk.asks_within_a_second();
    desk.answer_now(3);
    assert_eq!(desk.world.session.gate().halt_cause(), Some(HaltCause::VenueIssue));
    let mut requests = Vec::new();
    desk.world.session.take_requests(&mut requests);
    let cancels = |one: &Request| match one {
        Request::Order(one) => matches!(one.kind, VenueRequestKind::Cancel { .. }),
        _ => false,
    };
    assert_eq!(requests.iter().filter(|one| cancels(one)).count(), 1, "{requests:?}");
    assert!(requests.iter().all(|one| cancels(one) || !matches!(one, Request::Order(_))));
    desk.world.check_followers(RUN, &snapshot);
}

#[test]
fn an_answer_older_than_the_last_fill_says_nothing_and_a_new_connection_begins_anew() {
    let mut desk = Desk::new();
    desk.answer_now(3);
    // Asked before a fill: it neither clears the first difference nor counts as the second.
    let asked = desk.now_ns() + US;
    desk.fill(asked + US, asked + 2 * US, 1);
    desk.answer(asked, asked + 3 * US, 9);
    assert_eq!(desk.told(), [""; 0]);
    desk.answer_now(3);
    assert_eq!(desk.told().len(), 1);
    for up in [false, true] {
        let now = desk.now_ns() + US;
        desk.world.session.link(now, 0, up).unwrap();
    }
    desk.answer_now(3);
    assert_eq!(desk.told().len(), 1, "the first answer of a connection");
    desk.answer_now(3);
    assert_eq!(desk.told().len(), 2);
}
