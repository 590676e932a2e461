//! The account of a session is judged at fills and when the market moves what is held.

mod common;

use common::{follow, maker, session, World};
use mainspring_kernel::session::{Kind, Session};

/// Sixteen times leverage at the most: a tick of the market is a tenth of a per cent of the equity.
fn small_account(limits: &str) -> Session {
    let run = format!(r#"{{"run":{{"deposits":[["USDT","5"]],"limits":{limits}}}}}"#);
    session(&run, vec![maker("0.003")])
}

#[test]
fn fills_and_moves_are_judged_between_two_samples() {
    let mut world = World::new(small_account("{}"));
    world.steps(300);
    let fills = world.memory.of_kind(Kind::Fill);
    let judged: Vec<_> =
        world.memory.of_kind(Kind::Equity).iter().map(|kept| kept.time_ns).collect();
    assert!(fills.len() > 10);
    for fill in &fills {
        let soon = judged.iter().find(|at| **at >= fill.time_ns).expect("a judgement");
        assert!(soon - fill.time_ns <= 20_000_000, "{} ns after a fill", soon - fill.time_ns);
    }
    assert!(judged.windows(2).all(|pair| pair[1] - pair[0] >= 5_000_000), "no more than these");
    // Three seconds: by the clock there would be three.
    let by_market = |kept: &common::Kept| {
        let cause = &world.memory.records()[kept.cause as usize - 1];
        cause.kind == Kind::Market as u16
    };
    assert!(world.memory.of_kind(Kind::Equity).iter().any(by_market));
}

#[test]
fn nothing_is_judged_while_nothing_is_held_and_nothing_trades() {
    let mut world = World::new(session(r#"{"run":{"limits":{"restricted":["BTCUSDT"]}}}"#, vec![]));
    world.steps(300);
    assert!(world.memory.of_kind(Kind::Equity).len() <= 5, "by the clock alone, and once at first");
}

#[test]
fn a_daily_loss_halts_between_two_samples_and_a_follower_halts_too() {
    let mut world = World::new(small_account(r#"{"max_daily_loss":"0.0001"}"#));
    let mut steps = 0;
    while !world.session().is_halted() {
        world.steps(1);
        steps += 1;
        assert!(steps < 5_000, "it never loses this much");
    }
    let told = world.memory.of_kind(Kind::Event);
    let halt = told.iter().find(|kept| String::from_utf8_lossy(&kept.payload).contains("halted"));
    let cause = halt.map(|kept| world.memory.records()[kept.cause as usize - 1].kind);
    assert!(cause.is_some_and(|kind| kind != Kind::Clock as u16), "not by the clock: {cause:?}");
    let mut follower = small_account(r#"{"max_daily_loss":"0.0001"}"#);
    follow(&mut follower, &world.memory.records(), 0);
    assert_eq!(follower.image(), world.session().image());
}
