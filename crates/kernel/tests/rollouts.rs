//! Two versions of a strategy that share its size; halts that both doors agree on.

mod common;

use std::collections::BTreeMap;

use common::{follow, maker, session, World};
use mainspring_core::{InstrumentId, Lots};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::session::Session;
use mainspring_kernel::View;
use mainspring_trading::execution::Level;

/// Quotes this many lots on both sides, far behind the touch.
struct Quoter {
    name: &'static str,
    lots: i64,
}

impl Host for Quoter {
    fn name(&self) -> &str {
        self.name
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        let book = &view.market().book;
        let level =
            |price: i64, lots| Level { price: mainspring_core::Ticks(price), qty: Lots(lots) };
        let (bid, ask) = (book.best_bid().0, book.best_ask().0);
        let bids = [level(bid - 20, self.lots), level(bid - 21, 1)];
        let asks = [level(ask + 20, self.lots)];
        Ok(view.quote(&bids, &asks)?)
    }
}

fn versions() -> Session {
    let hosts: Vec<Box<dyn Host>> = vec![
        Box::new(Quoter { name: "old", lots: 37 }),
        Box::new(Quoter { name: "new", lots: 37 }),
    ];
    session(r#"{"rollouts":[{"old":"old","new":"new"}]}"#, hosts)
}

fn to(percent: u8) -> String {
    format!(r#"{{"command":"set_rollout","strategy":1,"percent":{percent},"reason":"a test"}}"#)
}

/// Lots open of each version, by the venue's word.
fn open(world: &mut World) -> BTreeMap<u16, Vec<i64>> {
    let mut open: BTreeMap<u16, Vec<i64>> = BTreeMap::new();
    for order in world.session().orders().all_live() {
        open.entry(order.strategy).or_default().push(order.terms.qty.0);
    }
    open.values_mut().for_each(|sizes| sizes.sort_unstable());
    open
}

#[test]
fn sizes_are_whole_lots_and_the_rest_is_the_old_ones() {
    let mut world = World::new(versions());
    world.steps(10);
    assert_eq!(open(&mut world), BTreeMap::from([(0, vec![1, 37, 37])]), "nothing at first");
    for (percent, old, new) in [
        (10, vec![1, 34, 34], vec![3, 3]),
        (50, vec![1, 19, 19], vec![18, 18]),
        (100, vec![], vec![1, 37, 37]),
        (50, vec![1, 19, 19], vec![18, 18]),
        (0, vec![1, 37, 37], vec![]),
    ] {
        assert_eq!(world.command(&to(percent)), None);
        world.steps(20);
        let all = [(0, old), (1, new)].into_iter().filter(|(_, sizes)| !sizes.is_empty());
        assert_eq!(open(&mut world), all.collect(), "at {percent} %");
    }
}

#[test]
fn there_is_never_more_open_than_one_version_had() {
    let mut world = World::new(versions());
    world.steps(10);
    let mut side = [0; 2];
    for (n, percent) in [10, 50, 100, 0, 100, 50, 10, 0, 50].into_iter().enumerate() {
        world.command(&to(percent));
        // The cancels are on their way: whoever grows waits for their answers.
        let open: i64 = open(&mut world).values().flatten().sum();
        assert!(open <= 75, "{open} lots right after change {n}");
        for _ in 0..10 {
            world.steps(1);
            side = [0; 2];
            for order in world.session().orders().all_live() {
                side[order.terms.side as usize] += order.terms.qty.0;
            }
            assert!(side[0] <= 38 && side[1] <= 37, "{side:?} at {percent} %");
        }
    }
    assert!(side[0] > 0);
}

#[test]
fn a_rollout_is_where_it_was_after_a_restart_and_in_every_follower() {
    let mut world = World::new(versions());
    world.steps(10);
    world.command(&to(50));
    world.steps(10);
    let image = world.session().image();
    assert_eq!(image.rollouts[0].percent, 50);
    let mut follower = versions();
    follow(&mut follower, &world.memory.records(), 0);
    assert_eq!(follower.image(), image);
    let mut restored = versions();
    restored
        .restore(&serde_json::from_slice(&serde_json::to_vec(&image).unwrap()).unwrap())
        .unwrap();
    assert_eq!(restored.image().rollouts, image.rollouts);
    for (command, why) in [
        (to(101), "0 to 100 %"),
        (to(50).replace("\"strategy\":1", "\"strategy\":0"), "strategy 0"),
    ] {
        assert!(world.command(&command).is_some_and(|said| said.contains(why)), "{command}");
    }
    assert_eq!(world.session().image().rollouts, image.rollouts);
}

#[test]
fn a_version_without_a_share_may_reduce_what_it_holds() {
    let hosts: Vec<Box<dyn Host>> = vec![maker("0.003"), maker("0.003")];
    let mut world = World::new(session(r#"{"rollouts":[{"old":0,"new":1,"percent":100}]}"#, hosts));
    let held = |world: &mut World| {
        world.session().ledger().position(1, InstrumentId(0)).map_or(0, |held| held.lots.0)
    };
    while held(&mut world) == 0 {
        world.steps(1);
    }
    let most = held(&mut world).abs();
    world.command(&to(0));
    for _ in 0..400 {
        world.steps(1);
        assert!(held(&mut world).abs() <= most, "it only ever gets smaller");
    }
    assert_eq!(held(&mut world), 0);
}

#[test]
fn after_a_kill_nothing_leaves_but_what_closes() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    while world.net() == Lots(0) {
        world.steps(1);
    }
    let held = world.net();
    world.command(r#"{"command":"kill","cause":"a test","flatten":false}"#);
    let halted_ns = world.session().now_ns();
    world.steps(300);
    let image = world.session().image();
    let all = image.orders.ended.iter().chain(&image.orders.live);
    let after: Vec<_> = all.filter(|o| o.created_ns > halted_ns).collect();
    assert!(!after.is_empty(), "it goes on wishing");
    for order in after {
        assert_eq!(order.state.name(), "risk_rejected", "{order:?}");
    }
    let before = world.session().counts().orders;
    world.command(r#"{"command":"flatten"}"#);
    world.steps(20);
    assert_eq!(world.session().counts().orders, before + 1);
    assert_eq!(world.net(), Lots(0));
    assert!(held != Lots(0));
}

#[test]
fn counts_are_of_this_life_and_totals_of_the_journal() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(200);
    let (counts, totals) = (world.session().counts(), world.session().totals());
    assert_eq!((totals.orders, totals.fills), (counts.orders, counts.fills));
    assert!(totals.orders > 0 && totals.fills > 0);
    let mut world = world.restart(session("{}", vec![maker("0.003")]));
    assert_eq!(world.session().counts().orders, 0);
    assert_eq!(world.session().totals(), totals);
    world.steps(200);
    let (now, counts) = (world.session().totals(), world.session().counts());
    assert_eq!((now.orders, now.rows), (totals.orders + counts.orders, totals.rows + counts.rows));
    assert_eq!(now.fills, totals.fills + counts.fills);
}
