//! A venue that does not answer: silence is no answer, and does not stay untold.

mod common;

use common::memory::{follow, Memory};
use common::scripted::{book, session, Script, World, S};
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Answer, InstrumentId, Lots, OpenOrder, Report, Request, Side, Ticks, TimeNs, VenueEvent,
    VenueEventKind,
};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::session::Kind;
use mainspring_trading::orders::OrderState;
use mainspring_trading::risk::HaltCause;

const BTC: InstrumentId = InstrumentId(0);
const RUN: &str = r#""features":[]"#;

fn rest_once() -> Script {
    let mut done = false;
    Box::new(move |view| {
        if !std::mem::replace(&mut done, true) {
            view.place(OrderTerms::limit(BTC, Side::Buy, Ticks(990), Lots(6)))?;
        }
        Ok(())
    })
}

/// Seconds after `from_ns` at which the venue is asked about an order, up to `seconds`.
fn questions(world: &mut World, from_ns: TimeNs, seconds: i64) -> Vec<i64> {
    let mut asked = Vec::new();
    for second in 1..=seconds {
        let mut requests = Vec::new();
        world.session.advance(from_ns + second * S).unwrap();
        world.session.take_requests(&mut requests);
        let ours = requests.iter().filter(|one| matches!(one, Request::OrderQuery { .. }));
        asked.extend(ours.map(|_| second));
    }
    asked
}

fn stuck(world: &World) -> Vec<String> {
    let events = world.memory.of_kind(Kind::Event);
    let texts = events.iter().map(|event| String::from_utf8_lossy(&event.payload).into_owned());
    texts.filter(|text| text.contains("order_stuck")).collect()
}

#[test]
fn an_order_without_an_answer_is_asked_about_told_as_stuck_once_and_asked_about_still() {
    let mut world = World::new(RUN, rest_once());
    world.session.link(S, 0, true).unwrap();
    world.session.market(BTC, Ticks(0), &book(2 * S, 1_000)).unwrap();
    let sent_ns = world.session.now_ns();
    let order = world.session.orders().all_live().next().unwrap().id;
    // Ten seconds for the acknowledgement, then a second, and twice as long after each question.
    assert_eq!(questions(&mut world, sent_ns, 40), [10, 11, 13, 17, 25]);
    assert_eq!(stuck(&world), [""; 0]);
    let snapshot = world.session.image();
    let from_ns = sent_ns + 40 * S;
    assert_eq!(questions(&mut world, from_ns, 100), [1, 33, 65, 97], "the longest wait from there");
    let [told] = &stuck(&world)[..] else { panic!("{:?}", stuck(&world)) };
    assert!(told.contains(r#""attempts":5"#), "{told}");
    assert_eq!(world.session.orders().get(order).unwrap().state, OrderState::Unknown);
    // A definite word ends it.
    let now_ns = world.session.now_ns() + 1;
    world.session.answer(now_ns, order, Answer::NotFound).unwrap();
    assert_eq!(world.session.orders().live_count(), 0);
    assert_eq!(questions(&mut world, now_ns, 100), [0; 0]);
    world.check_followers(RUN, &snapshot);
}

#[test]
fn a_process_that_dies_at_any_record_leaves_an_order_that_is_asked_about_and_told_as_stuck() {
    let mut world = World::new(RUN, rest_once());
    world.session.link(S, 0, true).unwrap();
    world.session.market(BTC, Ticks(0), &book(2 * S, 1_000)).unwrap();
    let sent_ns = world.session.now_ns();
    let sent = world.memory.records().len();
    questions(&mut world, sent_ns, 40);
    let records = world.memory.records();
    for cut in sent..=records.len() {
        let mut other = session(RUN, Box::new(|_| Ok(())));
        follow(&mut other, &records[..cut], 0);
        let memory = Memory::of(&records[..cut]);
        other.lead(Box::new(memory.clone()));
        other.resume(other.now_ns() + 1, b"{}").unwrap();
        let snapshot = other.image();
        let mut again = World::new(RUN, rest_once());
        (again.session, again.memory) = (other, memory);
        let from_ns = again.session.now_ns();
        let asked = questions(&mut again, from_ns, 60);
        assert!(asked.len() >= 2, "{cut} of {} records: asked at {asked:?}", records.len());
        assert_eq!(stuck(&again).len(), 1, "{cut} of {} records", records.len());
        again.check_followers(RUN, &snapshot);
    }
}

#[test]
fn lists_that_lack_an_order_ask_in_the_one_row_of_questions() {
    let mut world = World::new(RUN, rest_once());
    world.session.link(S, 0, true).unwrap();
    world.session.market(BTC, Ticks(0), &book(2 * S, 1_000)).unwrap();
    let sent_ns = world.session.now_ns();
    questions(&mut world, sent_ns, 12);
    let snapshot = world.session.image();
    for second in 13..=16 {
        let now_ns = sent_ns + second * S;
        world.session.open_orders(now_ns, 0, now_ns, &[]).unwrap();
    }
    world.session.take_requests(&mut Vec::new());
    let asked = questions(&mut world, sent_ns + 16 * S, 100);
    assert!(asked.len() <= 4, "a row for each list: {asked:?}");
    assert_eq!(stuck(&world).len(), 1);
    world.check_followers(RUN, &snapshot);
}

/// An order of 6 lots is to be one of 9 at another price, and nothing comes of that.
fn amend_into_silence() -> (World, TimeNs, OpenOrder) {
    let mut messages = 0;
    let mut world = World::new(
        RUN,
        Box::new(move |view| {
            messages += 1;
            let id = view.live_orders(BTC).next().map(|order| order.id);
            match id {
                None if messages == 1 => {
                    view.place(OrderTerms::limit(BTC, Side::Buy, Ticks(990), Lots(6)))?;
                }
                Some(id) if messages == 2 => {
                    view.intents.push(Intent::Amend { id, price: Ticks(991), qty: Lots(9) })?;
                }
                _ => {}
            }
            Ok(())
        }),
    );
    world.session.link(S, 0, true).unwrap();
    world.step(1_000);
    world.session.market(BTC, Ticks(0), &book(world.now + 2 * S, 1_000)).unwrap();
    let order = *world.session.orders().all_live().next().unwrap();
    assert_eq!(order.state, OrderState::PendingReplace);
    let listed = OpenOrder {
        order: order.id,
        venue_order: 0,
        instrument: BTC,
        side: Side::Buy,
        price: Ticks(990),
        qty: Lots(6),
        filled: Lots(0),
    };
    let from_ns = world.session.now_ns();
    questions(&mut world, from_ns, 6);
    (world, from_ns, listed)
}

#[test]
fn a_change_whose_answer_is_lost_stands_as_the_venue_lists_it() {
    for done in [false, true] {
        let (mut world, from_ns, old) = amend_into_silence();
        let snapshot = world.session.image();
        let (order, now_ns) = (old.order, from_ns + 7 * S);
        // That it works does not say how: the venue is asked for its list.
        world.session.take_requests(&mut Vec::new());
        world.session.answer(now_ns, order, Answer::Working { filled: Lots(0) }).unwrap();
        let mut requests = Vec::new();
        world.session.take_requests(&mut requests);
        assert!(requests.iter().any(|one| matches!(one, Request::AccountQuery { .. })));
        let listed = if done { OpenOrder { price: Ticks(991), qty: Lots(9), ..old } } else { old };
        world.session.open_orders(now_ns + S, 0, now_ns, &[listed]).unwrap();
        let ours = *world.session.orders().get(order).unwrap();
        assert_eq!(ours.state, OrderState::Open);
        assert_eq!((ours.terms.price, ours.terms.qty), (listed.price, listed.qty));
        assert_eq!((ours.pending, ours.fillable()), (None, listed.qty));
        // All of it trades, and is booked.
        let at_ns = now_ns + 2 * S;
        let kind = VenueEventKind::Filled { price: listed.price, qty: listed.qty, maker: true };
        let event = VenueEvent { order, exch_ns: at_ns, recv_ns: at_ns, kind };
        world.session.report(&Report { trade_id: 7, ..Report::plain(event) }).unwrap();
        assert_eq!(world.position(), listed.qty.0);
        world.check_followers(RUN, &snapshot);
    }
}

#[test]
fn where_that_is_the_policy_a_stuck_order_halts() {
    let mut world = World::new(RUN, rest_once());
    world.session.link(S, 0, true).unwrap();
    world.halt_on_venue_issues();
    let snapshot = world.session.image();
    world.session.market(BTC, Ticks(0), &book(2 * S, 1_000)).unwrap();
    let sent_ns = world.session.now_ns();
    questions(&mut world, sent_ns, 40);
    assert_eq!(world.session.gate().halt_cause(), None);
    questions(&mut world, sent_ns + 40 * S, 2);
    assert_eq!(world.session.gate().halt_cause(), Some(HaltCause::VenueIssue));
    world.check_followers(RUN, &snapshot);
}
