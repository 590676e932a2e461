//! Sessions whose orders are in the book of the matching engine.

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
