//! What callbacks ask for beside orders, and what they are told of: stops, refusals; and runs over files
//! that judge the account where sessions do.

mod common;

use std::sync::{Arc, Mutex};

use common::scripted::{book, buy_once, instrument, market, session, Script, Scripted, World, S};
use common::{follow, Memory};
use mainspring_core::event::RowKind;
use mainspring_core::order::OrderTerms;
use mainspring_core::{InstrumentId, Lots, Side, Ticks};
use mainspring_data::{ClockState, EventFile, EventWriter, Provenance, Schema};
use mainspring_journal::Sink;
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::session::{Kind, Session, SessionConfig};
use mainspring_kernel::view::View;
use mainspring_kernel::{run, Outcome, RunConfig};
use mainspring_trading::orders::{Order, OrderState};
use mainspring_trading::risk::{HaltCause, StopRule};

const BTC: InstrumentId = InstrumentId(0);
const RUN: &str = r#""limits":{}"#;

/// Buys ten lots at the first book and asks for a stop at the second; lets go of it at message `until`.
fn guarded(rule: StopRule, until: usize) -> Script {
    let mut messages = 0;
    Box::new(move |view| {
        messages += 1;
        match messages {
            1 => view.place(market(Side::Buy, 10)).map(|_| ()),
            2 => view.stop(BTC, Some(rule)),
            n if n == until => view.stop(BTC, None),
            _ => Ok(()),
        }
    })
}

const NEVER: usize = usize::MAX;

#[test]
fn a_stop_that_a_callback_asked_for_closes_the_position_and_is_followed() {
    // Distances are in half ticks: 20 is ten ticks.
    let mut world = World::new(RUN, guarded(StopRule::Trailing { distance2: 20 }, NEVER));
    world.step(1_000);
    world.step(1_000);
    world.step(1_020);
    let snapshot = world.session.image();
    assert_eq!((world.position(), snapshot.guards.len()), (10, 1));
    world.step(1_011);
    assert_eq!(world.position(), 10, "{:?}", world.memory.texts());
    world.step(1_010);
    assert_eq!(world.position(), 0, "ten ticks below the best price");
    world.check_followers(RUN, &snapshot);
}

#[test]
fn every_rule_is_journaled_as_it_was_asked() {
    let rules = [
        StopRule::Fixed { distance2: 9 },
        StopRule::Trailing { distance2: 8 },
        StopRule::Atr { multiple_milli: 2_500, period: 14, bar_ns: 60 * S },
        StopRule::Step { distance2: 7, step2: 3 },
        StopRule::BreakEven { distance2: 9, trigger2: 8, offset2: 2 },
        StopRule::Time { after_ns: 3_600 * S },
        StopRule::Equity { loss: (1 << 90) + 5 },
    ];
    let mut messages = 0;
    let script: Script = Box::new(move |view| {
        let rule = rules.get(messages).copied();
        messages += 1;
        // A second one of a kind takes the place of the first; one that is asked again goes on.
        rule.map_or(Ok(()), |rule| {
            view.stop(BTC, Some(StopRule::Fixed { distance2: 500 }))?;
            view.stop(BTC, Some(rule))
        })
    });
    let mut world = World::new(RUN, script);
    (0..8).for_each(|_| world.step(1_000));
    let held: Vec<_> =
        world.session.image().guards.iter().map(|guard| *guard.stop.rule()).collect();
    let expected: Vec<_> = rules
        .into_iter()
        .map(|rule| match rule {
            StopRule::Fixed { .. } => StopRule::Fixed { distance2: 500 },
            rule => rule,
        })
        .collect();
    assert_eq!(held, expected);
    let snapshot = world.session.image();
    world.check_followers(RUN, &snapshot);
}

#[test]
fn a_restart_keeps_the_stop_and_it_can_be_let_go() {
    let mut world = World::new(RUN, guarded(StopRule::Fixed { distance2: 20 }, NEVER));
    world.step(1_000);
    world.step(1_000);
    // Through a snapshot, as a process that was killed comes back.
    let text = serde_json::to_string(&world.session.image()).unwrap();
    let mut again = session(RUN, Box::new(|_| Ok(())));
    again.restore(&serde_json::from_str(&text).unwrap()).unwrap();
    again.lead(Box::new(world.memory.clone()));
    again.resume(world.now + 2 * S, b"{}").unwrap();
    world.session = again;
    world.step(1_000);
    world.step(989);
    assert_eq!(world.position(), 0, "{:?}", world.memory.texts());

    let mut world = World::new(RUN, guarded(StopRule::Fixed { distance2: 20 }, 3));
    (0..3).for_each(|_| world.step(1_000));
    assert!(world.session.image().guards.is_empty());
    world.step(900);
    assert_eq!(world.position(), 10);
}

/// Tells what it hears of orders; places one that limits refuse, and after its refusal a smaller one.
struct Careful {
    heard: Arc<Mutex<Vec<OrderState>>>,
    asked: bool,
}

impl Host for Careful {
    fn name(&self) -> &str {
        "careful"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, orders: true, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if !std::mem::replace(&mut self.asked, true) {
            view.place(OrderTerms::limit(BTC, Side::Buy, Ticks(900), Lots(50)))?;
        }
        Ok(())
    }

    fn on_order(&mut self, view: &mut View<'_>, order: &Order) -> HostResult {
        self.heard.lock().unwrap().push(order.state);
        if order.state == OrderState::RiskRejected {
            view.place(OrderTerms::limit(BTC, Side::Buy, Ticks(900), Lots(5)))?;
        }
        Ok(())
    }
}

fn careful() -> (Box<dyn Host>, Arc<Mutex<Vec<OrderState>>>) {
    let heard = Arc::<Mutex<Vec<OrderState>>>::default();
    (Box::new(Careful { heard: Arc::clone(&heard), asked: false }), heard)
}

fn session_of(host: Box<dyn Host>) -> Session {
    let config: SessionConfig = serde_json::from_str(
        r#"{"run":{"deposits":[["USDT","100000"]],"limits":{"max_position":"10"}}}"#,
    )
    .unwrap();
    Session::new(config, vec![instrument()], vec![host]).unwrap()
}

#[test]
fn a_strategy_that_decides_elsewhere_is_told_of_refusals() {
    use mainspring_kernel::session::disk::Silent;
    let memory = Memory::default();
    let mut leader = session_of(Box::new(Silent::new("careful")));
    leader.lead(Box::new(memory.clone()));
    leader.start(S, b"{}").unwrap();
    let (host, heard) = careful();
    let mut worker = session_of(host);
    worker.decide_elsewhere();
    let mut read = 0;
    for n in 1..6 {
        leader.market(BTC, Ticks(0), &book((n + 1) * S, 1_000)).unwrap();
        // The worker reads, decides, and its wishes go to the leader, until both are silent.
        loop {
            let records = memory.records();
            follow(&mut worker, &records, read);
            read = records.len();
            let wishes = worker.take_followed();
            if wishes.is_empty() {
                break;
            }
            for wish in wishes {
                leader.encoded_wishes(leader.now_ns() + 1, &wish.bytes).unwrap();
            }
        }
    }
    assert_eq!(heard.lock().unwrap()[..], [OrderState::RiskRejected]);
    assert_eq!(leader.orders().all_live().map(|order| order.terms.qty.0).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_strategy_that_runs_again_is_told_of_refusals_where_it_was() {
    let memory = Memory::default();
    let (host, heard) = careful();
    let mut leader = session_of(host);
    leader.lead(Box::new(memory.clone()));
    leader.start(S, b"{}").unwrap();
    for n in 1..6 {
        leader.market(BTC, Ticks(0), &book((n + 1) * S, 1_000)).unwrap();
        leader.advance((n + 1) * S + S / 2).unwrap();
    }
    assert_eq!(heard.lock().unwrap()[..], [OrderState::RiskRejected]);
    let asked: Vec<_> =
        memory.of_kind(Kind::Intents).iter().map(|kept| kept.payload.clone()).collect();
    assert_eq!(asked.len(), 2);
    let (host, heard) = careful();
    let mut again = session_of(host);
    again.keep_wishes();
    follow(&mut again, &memory.records(), 0);
    let followed: Vec<_> = again.take_followed().into_iter().map(|one| one.bytes).collect();
    assert_eq!(followed, asked);
    assert_eq!(heard.lock().unwrap()[..], [OrderState::RiskRejected]);
}

/// A run over a market that is at these prices, a second apart; the positions that the strategy saw.
fn run_over(name: &str, prices: &[i64], config: &str, mut script: Script) -> (Outcome, Vec<i64>) {
    let name = format!("mainspring-callbacks-{name}-{}.mse", std::process::id());
    let path = std::env::temp_dir().join(name);
    let provenance = Provenance::new("test", ClockState::Trusted);
    let mut out =
        EventWriter::create(&path, Schema::Market, vec![instrument()], provenance).unwrap();
    for (n, price) in prices.iter().enumerate() {
        for row in book((n as i64 + 1) * S, *price) {
            let kind = RowKind::from_byte(row.kind).unwrap();
            let at = Ticks(i64::from(row.price_offset));
            out.push_market(row.recv_ns, row.exch_ns, kind, row.flags, 0, at, row.qty_lots)
                .unwrap();
        }
    }
    out.finish().unwrap();
    let file = EventFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let seen = Arc::<Mutex<Vec<i64>>>::default();
    let see = Arc::clone(&seen);
    let host = Scripted(Box::new(move |view| {
        see.lock().unwrap().push(view.position().0);
        script(view)
    }));
    let config: RunConfig = serde_json::from_str(config).unwrap();
    let sink = Sink::Memory { limit_bytes: 1 << 20 };
    let outcome = run(&[file], &config, vec![Box::new(host)], sink, &mut |_| Ok(())).unwrap();
    let seen = seen.lock().unwrap().clone();
    (outcome, seen)
}

#[test]
fn stops_of_callbacks_close_positions_of_runs_over_files() {
    let prices = [1_000, 1_000, 1_000, 1_000, 980, 980, 980, 970];
    let rule = StopRule::Fixed { distance2: 20 };
    let config = r#"{"deposits":[["USDT","100000"]]}"#;
    let (_, seen) = run_over("stop", &prices, config, guarded(rule, NEVER));
    assert_eq!(seen[..5], [0, 10, 10, 10, 10]);
    assert_eq!(seen[6..], [0, 0]);
}

#[test]
fn a_loss_between_two_samples_halts_a_run_as_it_halts_a_session() {
    // Ten lots lose 500 of 10,000; samples are an hour apart, so that none sees the fall.
    let prices = [1_000, 1_000, 1_000, 950, 1_000, 1_000];
    let limits = r#""sample_ns":3600000000000,"limits":{"max_daily_loss":"300"}"#;
    let config = format!(r#"{{"deposits":[["USDT","10000"]],{limits}}}"#);
    let (outcome, _) = run_over("loss", &prices, &config, buy_once(10));
    let mut world = World::new(limits, buy_once(10));
    prices.iter().for_each(|price| world.step(*price));
    assert_eq!((outcome.halted, world.session.is_halted()), (true, true));
    assert_eq!(world.session.gate().halt_cause(), Some(HaltCause::DailyLoss));
    // Without a limit of its own a run is judged at its samples, and reads ahead as ever.
    let config = r#"{"deposits":[["USDT","10000"]],"sample_ns":3600000000000}"#;
    assert!(!run_over("free", &prices, config, buy_once(10)).0.halted);
}
