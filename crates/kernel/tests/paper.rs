//! Paper sessions: the venue is in the kernel, and the session run again as a backtest over its market
//! data comes to the same decisions, orders and fills, to the bit.

#![cfg(unix)]

#[path = "paper/matched.rs"]
mod matched;
#[path = "paper/restless.rs"]
mod restless;
#[path = "paper/world.rs"]
mod world;

use mainspring_core::{InstrumentId, Side};
use mainspring_kernel::session::parity::{model_fills, parity, Filled, Parity};
use mainspring_kernel::session::record::{self, NewOrder};
use mainspring_kernel::session::{Command, Kind};
use restless::Restless;
use world::{folder, Ending, Latency, World, MS};

/// The session in `folder` again.
fn again(world: &World, size: i64) -> Parity {
    let feeds = world.folder.join("feeds");
    let mut hosts = |_: &str, _: &[_]| Ok(world.hosts(size));
    parity(&world.folder, &feeds, &mut hosts).unwrap()
}

fn assert_same(found: &Parity, lives: u64) {
    assert_eq!(found.difference, None, "life {}", found.lives);
    assert_eq!(found.lives, lives);
    assert!(found.decisions > 50 && found.orders > 50 && found.fills > 5, "{found:?}");
}

#[test]
fn a_session_run_again_as_a_backtest_is_the_same_to_the_bit() {
    for (seed, latency) in [(1, Latency::None), (2, Latency::Short), (3, Latency::Drawn)] {
        let mut world = World::new(&folder("same"), seed, latency);
        world.live(3_000, Ending::Stop);
        assert_same(&again(&world, 3), 1);
    }
}

#[test]
fn restarts_in_the_middle_change_nothing() {
    for seed in 1..6 {
        let mut world = World::new(&folder("restarts"), seed, Latency::Short);
        world.live(1_000, Ending::Kill);
        world.live(700, Ending::Kill);
        world.live(900, Ending::Stop);
        world.live(400, Ending::Stop);
        assert_same(&again(&world, 3), 4);
    }
}

#[test]
fn strategies_on_a_worker_are_called_again_and_taken_when_they_were() {
    for seed in 1..4 {
        let mut world = World::new(&folder("worker"), seed, Latency::Short).with_worker();
        world.live(1_200, Ending::Kill);
        world.live(1_200, Ending::Stop);
        assert_same(&again(&world, 3), 2);
    }
}

#[test]
fn commands_of_people_are_repeated() {
    let mut world = World::new(&folder("commands"), 7, Latency::Short);
    world.begin();
    world.messages(600);
    world.command(&Command::CancelAll);
    world.messages(300);
    world.command(&Command::Kill { cause: "drill".into(), flatten: true });
    world.messages(300);
    world.command(&Command::Rearm { reason: "it was a drill".into() });
    world.messages(600);
    world.end(Ending::Stop);
    assert_same(&again(&world, 3), 1);
}

#[test]
fn another_strategy_is_found_at_its_first_order() {
    let mut world = World::new(&folder("planted"), 4, Latency::Short);
    world.live(800, Ending::Stop);
    let found = again(&world, 4);
    let difference = found.difference.expect("it asks for other quantities");
    let (session, backtest) = (difference.session.unwrap(), difference.backtest.unwrap());
    assert_eq!(session.time_ns, backtest.time_ns);
    assert_ne!(session.payload, backtest.payload);
    assert_eq!(Kind::from_code(session.kind), Some(Kind::Intents));
    assert_eq!(difference.life, 1);
}

#[test]
fn a_fill_that_the_models_would_not_give_is_found() {
    // The session's venue knows of a trade that its market data does not have.
    let mut world = World::new(&folder("fill"), 5, Latency::Short);
    world.begin();
    world.messages(500);
    world.plant_a_fill();
    world.messages(300);
    world.end(Ending::Kill);
    let found = again(&world, 3);
    let difference = found.difference.expect("a planted fill");
    let session = difference.session.expect("the session has it");
    assert_eq!(Kind::from_code(session.kind), Some(Kind::Fill));
    assert!(difference.backtest.is_none_or(|side| side != session));
}

#[test]
fn after_a_kill_open_orders_stand_behind_what_their_level_shows() {
    let mut world = World::new(&folder("queue"), 2, Latency::Short);
    world.begin();
    world.messages(300);
    let resting: Vec<_> = world
        .session()
        .orders()
        .all_live()
        .filter(|order| order.acknowledged)
        .map(|order| (order.id, order.terms, order.filled))
        .collect();
    assert!(!resting.is_empty());
    world.end(Ending::Kill);
    world.begin();
    for (id, terms, filled) in &resting {
        let order = world.session().orders().get(*id).expect("it is open still");
        assert_eq!((order.terms, order.filled), (*terms, *filled));
    }
    // The first market data after the restart holds the whole book.
    let mut known = 0;
    for _ in 0..20 {
        world.messages(1);
        for (id, terms, _) in &resting {
            let Some(front) = world.session().queue_front(terms.instrument, *id) else { continue };
            let shown = world.shown(terms.instrument, terms.side, terms.price);
            if shown > 0 {
                known += 1;
                assert!(front <= shown as f64, "{front} lots in front, {shown} shown");
            }
        }
    }
    assert!(known > 0);
    world.messages(200);
    world.end(Ending::Stop);
}

#[test]
fn messages_that_come_in_pieces_or_at_once_are_taken_whole_and_apart() {
    let mut world = World::new(&folder("pieces"), 9, Latency::None).in_pieces();
    world.live(1_500, Ending::Stop);
    let mut last_ns = i64::MIN;
    for record in world.records() {
        if Kind::from_code(record.kind) == Some(Kind::Market) {
            assert!(record.time_ns > last_ns, "two messages at {last_ns}");
            last_ns = record.time_ns;
        }
    }
    assert_same(&again(&world, 3), 1);
}

#[test]
fn nothing_leaves_a_paper_session() {
    let mut world = World::new(&folder("leaves"), 3, Latency::Short);
    world.begin();
    world.messages(500);
    let mut requests = Vec::new();
    world.session().take_requests(&mut requests);
    assert!(requests.is_empty());
    assert!(world.session().counts().fills > 0);
    world.end(Ending::Stop);
    let queries = world.records().iter().filter(|r| r.kind == Kind::Query as u16).count();
    assert_eq!(queries, 0, "there is nobody to ask");
}

#[test]
fn a_session_with_venues_outside_has_no_backtest_of_its_own() {
    let mut world = World::new(&folder("outside"), 3, Latency::Short).with_venues_outside();
    world.live(50, Ending::Stop);
    let feeds = world.folder.join("feeds");
    let error = parity(&world.folder, &feeds, &mut |_, _| Ok(world.hosts(3))).unwrap_err();
    assert!(error.message().contains("were outside"), "{error}");
}

#[test]
fn every_kind_of_order_of_the_restless_strategy_came_to_the_venue() {
    let mut world = World::new(&folder("kinds"), 11, Latency::Short);
    world.live(4_000, Ending::Stop);
    let mut kinds = [0_u32; 8];
    let mut sides = [0_u32; 2];
    for one in world.records().iter().filter(|r| r.kind == Kind::NewOrder as u16) {
        let order: NewOrder = record::read(&one.payload).unwrap();
        let order = order.order(one.time_ns).unwrap();
        kinds[order.terms.order_type as usize] += 1;
        sides[usize::from(order.terms.side == Side::Sell)] += 1;
        assert!(order.terms.instrument <= InstrumentId(1));
    }
    assert!(kinds.iter().all(|n| *n > 0) && sides.iter().all(|n| *n > 0), "{kinds:?} {sides:?}");
    assert!(world.records().last().unwrap().time_ns > 4_000 * MS);
    assert_same(&again(&world, 3), 1);
    let _ = Restless::new(1);
}

#[test]
fn the_models_fill_the_orders_of_a_session_as_its_own_venue_did() {
    // Where the venue is the model, order by order the two are the same: the feed comes at once.
    let mut world = World::new(&folder("models"), 6, Latency::Short).with_feed_at_once();
    world.live(1_500, Ending::Stop);
    let (instruments, orders) = model_fills(&world.folder, None).unwrap();
    assert_eq!(instruments.len(), 2);
    let filled = orders.iter().filter(|order| order.venue.lots > 0).count();
    assert!(filled > 10, "{filled}");
    // Times may be apart by the nanoseconds that keep a session's inputs apart.
    let traded = |filled: Filled| (filled.lots, filled.value, filled.maker_lots);
    for order in &orders {
        assert_eq!(traded(order.venue), traded(order.model), "{order:?}");
    }
    // Other models fill otherwise, and it shows.
    let slow = r#"{"model":"constant","new":{"entry_ns":400000000,"response_ns":0}}"#;
    let text = format!(r#"{{"latency":{slow}}}"#);
    let config = serde_json::from_str(&text).unwrap();
    let (_, orders) = model_fills(&world.folder, Some(&config)).unwrap();
    assert!(orders.iter().any(|order| order.venue != order.model));
}
