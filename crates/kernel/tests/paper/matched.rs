//! Sessions whose orders are in the book of the matching engine.

use mainspring_core::{ClientOrderId, Ticks, TimeInForce};
use mainspring_kernel::session::{Image, Outlet};
use mainspring_trading::orders::Order;
use proptest::prelude::*;

use super::*;

fn world(name: &str, seed: u64, latency: Latency) -> World {
    World::new(&folder(name), seed, latency).matched()
}

#[test]
fn a_session_on_the_engine_run_again_as_a_backtest_is_the_same_to_the_bit() {
    for (seed, latency) in [(1, Latency::None), (2, Latency::Short), (3, Latency::Drawn)] {
        let mut world = world("matched", seed, latency);
        world.live(6_000, Ending::Stop);
        assert_same(&again(&world, 3), 1);
    }
}

#[test]
fn restarts_of_the_engine_change_nothing() {
    for seed in 1..6 {
        let mut world = world("matched-restarts", seed, Latency::Short);
        world.live(2_000, Ending::Kill);
        world.live(1_300, Ending::Kill);
        world.live(1_500, Ending::Stop);
        world.live(900, Ending::Stop);
        assert_same(&again(&world, 3), 4);
    }
}

#[test]
fn strategies_on_a_worker_see_the_engines_book() {
    for seed in 1..4 {
        let mut world = world("matched-worker", seed, Latency::Short).with_worker();
        world.live(2_500, Ending::Kill);
        world.live(2_500, Ending::Stop);
        assert_same(&again(&world, 3), 2);
    }
}

/// Every order that a session sees in an instrument: id, side, price and lots, the first to trade first.
fn queues(world: &mut World, instrument: usize) -> Vec<(u64, Side, i64, i64)> {
    let Some(book) = &world.session().markets()[instrument].orders else { return Vec::new() };
    let mut all = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        for (price, _) in book.l2().levels(side) {
            let entry = |one: mainspring_book::RestingOrder| (one.id, side, price.0, one.qty.0);
            all.extend(book.queue(side, price).map(entry));
        }
    }
    all
}

const OURS: u64 = 1 << 63;

/// A book has thousands of orders: the first that differs is shown.
fn assert_alike(one: &[(u64, Side, i64, i64)], two: &[(u64, Side, i64, i64)]) {
    assert_eq!(one.iter().zip(two).find(|(one, two)| one != two), None);
    assert_eq!(one.len(), two.len());
}

/// Lets a session go on until nothing of ours is on its way.
fn come_to_rest(world: &mut World) {
    for _ in 0..2_000 {
        world.messages(1);
        // Answers come a moment later, and may lead to more.
        let session = world.session();
        session.advance(session.now_ns() + 10).unwrap();
        let orders = session.orders();
        let is_quiet = |order: &Order| order.acknowledged && !order.state.is_pending();
        if orders.live_count() > 3 && orders.all_live().all(is_quiet) {
            return;
        }
    }
    panic!("it never comes to rest");
}

#[test]
fn after_a_kill_everybody_stands_where_he_stood() {
    let (mut ours, mut behind) = (0, 0);
    for seed in 1..7 {
        let mut world = world("matched-places", seed, Latency::None);
        world.begin();
        world.messages(2_000 + 137 * seed as usize);
        come_to_rest(&mut world);
        let mut before = [queues(&mut world, 0), queues(&mut world, 1)];
        let dated = |order: &&Order| order.terms.time_in_force == TimeInForce::Gtd;
        let dated = world.session().orders().all_live().filter(dated);
        let dated: Vec<u64> = dated.map(|order| OURS | order.id.0).collect();
        // The next life begins when these are over.
        before.iter_mut().for_each(|all| all.retain(|one| !dated.contains(&one.0)));
        world.end(Ending::Kill);
        world.begin();
        let now_ns = world.session().now_ns();
        world.session().advance(now_ns + 1).unwrap();
        for (instrument, before) in before.iter().enumerate() {
            assert_alike(&queues(&mut world, instrument), before);
            assert!(!world.session().markets()[instrument].is_usable(), "the feed has to come");
            ours += before.iter().filter(|one| one.0 >= OURS).count();
            let behind_others = |two: &[(u64, Side, i64, i64)]| {
                two[0].0 < OURS && two[1].0 >= OURS && two[0].2 == two[1].2
            };
            behind += before.windows(2).filter(|two| behind_others(two)).count();
        }
        // The feed begins anew: others are its own, ours are there still.
        let live: Vec<_> = world.session().orders().all_live().map(|order| order.id.0).collect();
        assert!(!live.is_empty());
        world.messages(50);
        assert!(world.session().markets().iter().all(|market| market.is_usable()));
        world.messages(500);
        world.end(Ending::Stop);
        assert_same(&again(&world, 3), 2);
    }
    assert!(ours > 10 && behind > 2, "{ours} orders of ours, {behind} behind others");
}

#[test]
fn a_gap_and_a_snapshot_leave_our_orders_in_their_place() {
    let mut world = world("matched-gap", 3, Latency::None);
    world.begin();
    world.messages(2_000);
    come_to_rest(&mut world);
    for instrument in 0..2 {
        let before = queues(&mut world, instrument);
        world.lose(instrument);
        assert!(!world.session().markets()[instrument].is_usable(), "rows are missing");
        world.tell_whole(instrument, &before);
        assert!(world.session().markets()[instrument].is_usable());
        assert_alike(&queues(&mut world, instrument), &before);
    }
    world.messages(500);
    world.end(Ending::Stop);
    assert_same(&again(&world, 3), 1);
}

#[test]
fn an_old_image_without_books_is_taken_up() {
    let mut world = world("matched-image", 5, Latency::Short);
    world.begin();
    world.messages(800);
    let image = world.session().image();
    assert_eq!(image.books.len(), 2);
    let text = serde_json::to_string(&image).unwrap();
    assert_eq!(serde_json::from_str::<Image>(&text).unwrap(), image);
    let (before, _) = text.split_once(",\"books\":").unwrap();
    let old: Image = serde_json::from_str(&format!("{before}}}")).unwrap();
    assert!(old.books.is_empty());
    world.end(Ending::Kill);
}

#[test]
fn levels_and_orders_are_not_mixed_up() {
    let mut matched = world("matched-levels", 1, Latency::None);
    matched.begin();
    let error = matched.session().market(InstrumentId(0), Ticks(1), &[]).unwrap_err();
    assert!(error.message().contains("feeds of orders"), "{error}");
    matched.end(Ending::Kill);
    let mut estimated = World::new(&folder("estimated"), 1, Latency::None);
    estimated.begin();
    assert!(estimated.session().order_rows(InstrumentId(0), Ticks(1), &[]).is_err());
    estimated.end(Ending::Kill);
}

#[test]
fn the_models_stand_beside_the_engine() {
    let mut world = world("matched-models", 6, Latency::Short);
    world.live(6_000, Ending::Stop);
    let (_, orders) = model_fills(&world.folder, None).unwrap();
    assert!(orders.iter().any(|order| order.venue.lots > 0));
    assert!(orders.iter().any(|order| order.model.lots > 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..Default::default() })]

    #[test]
    fn whatever_is_asked_the_backtest_over_the_written_orders_fills_the_same(
        seed in 1_u64..1_000,
        size in 1_i64..9,
        latency in 0_usize..3,
        with_worker in any::<bool>(),
        in_pieces in any::<bool>(),
        lives in prop::collection::vec((200_usize..1_200, any::<bool>()), 1..4),
    ) {
        let latency = [Latency::None, Latency::Short, Latency::Drawn][latency];
        let mut world = world("matched-any", seed, latency).with_size(size);
        if with_worker {
            world = world.with_worker();
        }
        if in_pieces {
            world = world.in_pieces();
        }
        for (messages, killed) in &lives {
            world.live(*messages, if *killed { Ending::Kill } else { Ending::Stop });
        }
        let found = again(&world, size);
        prop_assert_eq!(&found.difference, &None, "life {}", found.lives);
        prop_assert_eq!(found.lives, lives.len() as u64);
        prop_assert!(found.decisions > 0);
    }
}

/// A journal that is not read.
struct Nowhere(u64);

impl Outlet for Nowhere {
    fn append(&mut self, _: u16, _: i64, _: u64, _: &[&[u8]]) -> mainspring_core::Result<u64> {
        self.0 += 1;
        Ok(self.0)
    }

    fn next_sequence(&self) -> u64 {
        self.0 + 1
    }

    fn commit(&mut self) -> mainspring_core::Result<()> {
        Ok(())
    }
}

#[test]
fn a_journal_that_is_cut_at_any_record_is_gone_on_with() {
    let mut world = world("matched-cut", 8, Latency::Short);
    world.live(2_500, Ending::Kill);
    let records = world.records();
    let mut stood = 0;
    // Odd steps come to every place between an input and what follows from it.
    for cut in (1..records.len()).step_by(89) {
        let mut session = world.silent();
        for (at, one) in records[..cut].iter().enumerate() {
            session.follow(&one.raw(at as u64 + 1)).unwrap();
        }
        session.lead(Box::new(Nowhere(cut as u64)));
        let now_ns = session.now_ns() + MS;
        session.resume(now_ns, b"{}").unwrap();
        session.advance(now_ns + 1).unwrap();
        for market in session.markets() {
            let Some(book) = &market.orders else { continue };
            let (bid, ask) = (book.l2().best(Side::Buy), book.l2().best(Side::Sell));
            assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "{bid:?} {ask:?} at {cut}");
            for side in [Side::Buy, Side::Sell] {
                for (price, _) in book.l2().levels(side) {
                    for one in book.queue(side, price).filter(|one| one.id >= OURS) {
                        let order = session.orders().get(ClientOrderId(one.id - OURS)).unwrap();
                        assert!(order.acknowledged && one.qty <= order.terms.qty - order.filled);
                        stood += 1;
                    }
                }
            }
        }
        session.stop(now_ns + MS, true).unwrap();
        session.advance(now_ns + 100 * MS).unwrap();
        assert_eq!(session.orders().live_count(), 0, "the engine knows every order, at {cut}");
    }
    assert!(stood > 100, "{stood}");
}
