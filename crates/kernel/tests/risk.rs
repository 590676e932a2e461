//! Risk in whole runs and sessions: ladder, shaping, margin, limits that change.

mod common;

use std::sync::{Arc, Mutex};

use common::memory::follow;
use common::scripted::{buy_once, market, session, Script, World};
use mainspring_core::order::{OrderFlags, OrderTerms, OrderType};
use mainspring_core::{InstrumentId, Lots, Side, Ticks};
use mainspring_kernel::session::Command;
use mainspring_kernel::view::View;
use mainspring_trading::execution::Level;
use mainspring_trading::orders::OrderState;
use mainspring_trading::risk::{HaltCause, LimitTree, Limits, Rung};

#[test]
fn the_ladder_closes_everything_halts_and_is_followed() {
    let run = r#""limits":{"drawdown":{"reduce_bps":500,"stop_bps":1000}}"#;
    let mut world = World::new(run, buy_once(10));
    world.step(1_000);
    assert_eq!(world.position(), 10);
    world.step(945);
    assert_eq!(world.session.gate().rung(), Rung::Reduce, "{:?}", world.memory.texts());
    let snapshot = world.session.image();
    world.step(895);
    assert_eq!(world.session.gate().rung(), Rung::Stop);
    assert_eq!(world.position(), 10);
    world.step(845);
    assert_eq!(world.session.gate().rung(), Rung::Close);
    assert_eq!(world.session.gate().halt_cause(), Some(HaltCause::Drawdown));
    assert_eq!(world.position(), 0, "everything is closed");
    world.check_followers(run, &snapshot);
    world.command(&Command::Rearm { reason: "looked at it".into() });
    assert!(!world.session.is_halted());
    world.check_followers(run, &snapshot);
}

#[test]
fn a_loss_of_the_day_halts_and_counters_survive_a_restart() {
    let run = r#""limits":{"max_daily_loss":"300","max_daily_trades":5}"#;
    let mut world = World::new(run, buy_once(10));
    world.step(1_000);
    let snapshot = world.session.image();
    world.step(980);
    assert!(!world.session.is_halted());
    world.step(960);
    assert_eq!(world.session.gate().halt_cause(), Some(HaltCause::DailyLoss));
    world.check_followers(run, &snapshot);
}

#[test]
fn a_loss_of_the_day_of_one_strategy_stops_what_it_adds_and_halts_nothing() {
    let run = r#""limits":{"strategies":{"scripted":{"max_daily_loss":"300"}}}"#;
    let mut first = true;
    let more = Box::new(move |view: &mut View<'_>| {
        let qty = if std::mem::replace(&mut first, false) { 10 } else { 1 };
        view.place(market(Side::Buy, qty)).map(|_| ())
    });
    let mut world = World::new(run, more);
    world.step(1_000);
    world.step(980);
    assert_eq!(world.position(), 11, "it has lost 200 and a little");
    world.step(960);
    let (held, snapshot) = (world.position(), world.session.image());
    assert_eq!(world.session.counts().risk_rejects, 0);
    world.step(960);
    world.step(960);
    assert_eq!((world.position(), world.session.counts().risk_rejects), (held, 2));
    assert_eq!(world.session.gate().halt_cause(), None);
    world.check_followers(run, &snapshot);
}

#[test]
fn a_gap_through_the_ladder_shuts_strategies_down() {
    let mut world = World::new(r#""limits":{}"#, buy_once(10));
    world.step(1_000);
    world.step(750);
    assert_eq!(world.session.gate().rung(), Rung::Shutdown);
    let stopped = |notes: Vec<String>| notes.iter().any(|note| note.contains("shut down"));
    assert!(stopped(world.memory.texts()), "{:?}", world.memory.texts());
    assert_eq!(world.position(), 0);
}

#[test]
fn limits_tighten_at_once_and_loosen_with_a_reason_that_is_kept() {
    let run = r#""limits":{"max_position":"20"}"#;
    let each = Box::new(|view: &mut View<'_>| view.place(market(Side::Buy, 10)).map(|_| ()));
    let mut world = World::new(run, each);
    world.step(1_000);
    assert_eq!(world.position(), 10);
    let set = |position: &str, reason: &str| Command::SetLimits {
        limits: Box::new(LimitTree::of(Limits {
            max_position: Some(position.parse().unwrap()),
            ..Limits::default()
        })),
        reason: reason.into(),
    };
    world.command(&set("15", ""));
    let snapshot = world.session.image();
    world.step(1_000);
    assert_eq!(world.position(), 10, "tightened");
    world.command(&set("25", ""));
    world.step(1_000);
    assert_eq!(world.position(), 10, "no reason, no loosening");
    assert!(world.memory.texts().iter().any(|note| note.contains("takes a reason")));
    world.command(&set("25", "agreed with the desk"));
    world.step(1_000);
    assert_eq!(world.position(), 20);
    assert!(world.memory.texts().iter().any(|note| note.contains("agreed with the desk")));
    world.check_followers(run, &snapshot);
}

#[test]
fn position_states_cut_quotes_then_reduce_then_close() {
    let run = r#""limits":{"max_position":"100"},"position_states":{}"#;
    let quotes: Arc<Mutex<i64>> = Arc::default();
    let wanted = Arc::clone(&quotes);
    let script: Script = Box::new(move |view| {
        let add = std::mem::take(&mut *wanted.lock().unwrap());
        if add != 0 {
            view.place(market(if add > 0 { Side::Buy } else { Side::Sell }, add.abs()))?;
        }
        let level = |price| Level { price: Ticks(price), qty: Lots(40) };
        view.quote(&[level(900)], &[level(1_100)])
    });
    let mut world = World::new(run, script);
    let open = |world: &World| -> Vec<(Side, i64)> {
        let live = world.session.orders().all_live();
        live.map(|order| (order.terms.side, order.terms.qty.0)).collect()
    };
    world.step(1_000);
    assert_eq!(open(&world), [(Side::Buy, 40), (Side::Sell, 40)]);
    *quotes.lock().unwrap() = 60;
    world.step(1_000);
    world.step(1_000);
    assert_eq!(world.position(), 60, "{:?}", world.memory.texts());
    assert_eq!(open(&world), [(Side::Buy, 40), (Side::Sell, 40)]);
    let max = |world: &mut World, position: &str| {
        let max_position = Some(position.parse().unwrap());
        let limits = Box::new(LimitTree::of(Limits { max_position, ..Limits::default() }));
        world.command(&Command::SetLimits { limits, reason: String::new() });
        world.step(1_000);
        world.step(1_000);
    };
    max(&mut world, "90");
    assert_eq!(open(&world), [(Side::Sell, 40), (Side::Buy, 30)], "cut to what is left");
    max(&mut world, "80");
    assert_eq!(open(&world), [(Side::Sell, 20)], "warning: one side, half the size");
    max(&mut world, "70");
    assert_eq!(world.position(), 42, "critical: 30 % at once");
    max(&mut world, "41");
    assert_eq!(world.position(), 0, "over the limit: closed");
}

#[test]
fn margin_that_runs_out_closes_everything() {
    let run = r#""margin":{"leverage":10,"buffer_bps":0,"maintenance_rate":"0.08"}"#;
    let mut world = World::new(run, buy_once(90));
    world.step(1_000);
    assert_eq!(world.position(), 90, "{:?}", world.memory.texts());
    world.step(990);
    assert!(!world.session.is_halted());
    world.step(987);
    assert_eq!(world.session.gate().halt_cause(), Some(HaltCause::Margin));
    assert_eq!(world.position(), 0);
}

#[test]
fn leverage_bounds_what_may_be_opened() {
    let run = r#""margin":{"leverage":5,"buffer_bps":2000}"#;
    let mut world = World::new(run, buy_once(41));
    world.step(1_000);
    assert_eq!(world.position(), 0, "5 x (1 - 0.2) x 10,000 carries 40 lots of 1,000");
    let notes = world.memory.texts();
    assert!(notes.iter().any(|note| note.contains("leverage")), "{notes:?}");
    let mut world = World::new(run, buy_once(40));
    world.step(1_000);
    assert_eq!(world.position(), 40);
}

#[test]
fn the_ladder_halves_what_adds_but_not_what_closes() {
    let run = r#""limits":{"drawdown":{"reduce_bps":100}}"#;
    let orders: Arc<Mutex<i64>> = Arc::new(Mutex::new(20));
    let wanted = Arc::clone(&orders);
    let script: Script = Box::new(move |view| {
        let qty = std::mem::take(&mut *wanted.lock().unwrap());
        if qty != 0 {
            view.place(market(if qty > 0 { Side::Buy } else { Side::Sell }, qty.abs()))?;
        }
        Ok(())
    });
    let mut world = World::new(run, script);
    world.step(1_000);
    assert_eq!(world.position(), 20);
    world.step(990);
    assert_eq!(world.session.gate().rung(), Rung::Reduce);
    *orders.lock().unwrap() = 10;
    world.step(990);
    assert_eq!(world.position(), 25, "half of what adds");
    *orders.lock().unwrap() = -25;
    world.step(990);
    assert_eq!(world.position(), 0, "all of what closes");
}

#[test]
fn the_engine_holds_stops_and_a_restart_keeps_them() {
    let run = r#""stops":[{"rule":{"kind":"trailing","distance":"20"}}]"#;
    let mut world = World::new(run, buy_once(10));
    world.step(1_000);
    world.step(1_030);
    let snapshot = world.session.image();
    world.step(1_011);
    assert_eq!(world.position(), 10);
    world.step(1_010);
    assert_eq!(world.position(), 0, "{:?}", world.memory.texts());
    world.check_followers(run, &snapshot);
}

/// The process of `world` dies, and another takes its place at the same venue.
fn die(world: &mut World, run: &str) {
    let mut session = session(run, Box::new(|_| Ok(())));
    follow(&mut session, &world.memory.records(), 0);
    session.lead(Box::new(world.memory.clone()));
    session.resume(session.now_ns() + 1, b"{}").unwrap();
    session.link(session.now_ns() + 1, 0, true).unwrap();
    world.session = session;
    world.exchange();
}

#[test]
fn a_stop_fires_in_the_process_that_comes_after_whether_the_engine_or_the_venue_holds_it() {
    let run = r#""stops":[{"rule":{"kind":"trailing","distance":"20"}}]"#;
    let mut world = World::new(run, buy_once(10));
    world.step(1_000);
    world.step(1_030);
    die(&mut world, run);
    world.step(1_011);
    assert_eq!(world.position(), 10);
    world.step(1_010);
    assert_eq!(world.position(), 0, "20 below the highest that the first process saw");

    let mut calls = 0;
    let protected: Script = Box::new(move |view| {
        calls += 1;
        let terms = match calls {
            1 => market(Side::Buy, 10),
            2 => {
                let mut stop = market(Side::Sell, 10);
                (stop.order_type, stop.trigger) = (OrderType::Stop, Ticks(980));
                stop.flags = stop.flags.with(OrderFlags::REDUCE_ONLY);
                stop
            }
            _ => return Ok(()),
        };
        view.place(terms).map(|_| ())
    });
    let run = r#""features":[]"#;
    let mut world = World::new(run, protected);
    world.step(1_000);
    world.step(1_000);
    let stop = *world.session.orders().all_live().next().unwrap();
    assert_eq!((stop.state, stop.terms.trigger), (OrderState::Open, Ticks(980)));
    die(&mut world, run);
    assert_eq!(world.session.orders().get(stop.id), Some(&stop), "nothing of it is forgotten");
    world.trade(990);
    assert_eq!(world.position(), 10);
    world.trade(980);
    assert_eq!(world.position(), 0);
    assert_eq!(world.session.orders().get(stop.id).unwrap().state, OrderState::Filled);
}

#[test]
fn with_as_many_orders_open_as_allowed_the_next_is_refused_and_the_run_goes_on() {
    let script: Script = Box::new(|view| {
        let far = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(500), Lots(1));
        view.place(far).map(|_| ())
    });
    let mut world = World::new(r#""limits":{"max_open_orders":2}"#, script);
    for _ in 0..5 {
        world.step(1_000);
    }
    assert_eq!(world.session.orders().live_count(), 2);
    assert_eq!(world.session.counts().risk_rejects, 3);
    let notes = world.memory.texts();
    assert!(notes.iter().all(|note| note.contains("open_orders: 3 against 2")), "{notes:?}");
}
