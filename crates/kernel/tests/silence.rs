//! A venue that does not answer: silence is no answer, and does not stay untold.

mod common;

use common::scripted::{book, Script, World, S};
use mainspring_core::order::OrderTerms;
use mainspring_core::{Answer, InstrumentId, Lots, Request, Side, Ticks, TimeNs};
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
