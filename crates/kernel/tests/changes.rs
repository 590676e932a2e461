//! Commands that change a session while it runs: what holds from the next event on, over a restart,
//! and in every follower.

mod common;

use common::{follow, maker, session, World};
use mainspring_core::event::BarRow;
use mainspring_kernel::host::{Host, HostResult, Interest};
use mainspring_kernel::session::{Image, Kind, Session};
use mainspring_kernel::View;

const SMALLER: &str = r#"{"command":"set_parameters","strategy":0,"parameters":{"size":"0.001"}}"#;
const PACED: &str = r#"{"command":"set_execution","rules":{"min_life_ns":1000000000,
    "budgets":{"*":{"requests":{"limit":40,"window_ns":1000000000}}}}}"#;

fn through_bytes(image: &Image) -> Image {
    serde_json::from_slice(&serde_json::to_vec(image).unwrap()).unwrap()
}

#[test]
fn parameters_hold_from_the_next_event_on_and_a_follower_has_them() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(50);
    assert!(world.sizes().contains(&3));
    assert_eq!(world.command(SMALLER), None);
    world.steps(30);
    assert!(world.sizes().iter().all(|size| *size == 1), "{:?}", world.sizes());
    let image = world.session().image();
    assert_eq!(image.changed.parameters[&0].now["size"], "0.001");
    assert_eq!(image.changed.parameters[&0].started_with["size"], "0.003");
    let mut follower = session("{}", vec![maker("0.003")]);
    follow(&mut follower, &world.memory.records(), 0);
    assert_eq!(follower.image(), image);
}

#[test]
fn strategies_that_run_again_take_the_change_at_the_same_record() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(50);
    world.command(SMALLER);
    world.steps(50);
    let mut again = session("{}", vec![maker("0.003")]);
    again.keep_wishes();
    follow(&mut again, &world.memory.records(), 0);
    let asked: Vec<_> =
        world.memory.of_kind(Kind::Intents).into_iter().map(|kept| kept.payload).collect();
    let followed: Vec<_> = again.take_followed().into_iter().map(|one| one.bytes).collect();
    assert!(asked.len() > 10);
    assert_eq!(followed, asked);
}

#[test]
fn a_change_outlives_a_restart_unless_the_start_says_something_newer() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(20);
    world.command(SMALLER);
    world.command(PACED);
    world.steps(5);
    let image = through_bytes(&world.session().image());

    let mut same = session("{}", vec![maker("0.003")]);
    same.restore(&image).unwrap();
    assert_eq!(same.image(), image);
    let mut newer = session("{}", vec![maker("0.002")]);
    newer.restore(&image).unwrap();
    assert!(newer.image().changed.parameters.is_empty());
    assert!(newer.image().changed.reconcile.is_some(), "the rules were not given anew");

    // Without a snapshot, from the records alone.
    for (start, size) in [("0.002", 2), ("0.003", 1)] {
        let mut follower = session("{}", vec![maker(start)]);
        follow(&mut follower, &world.memory.records(), 0);
        assert_eq!(follower.image().changed.parameters.len(), usize::from(size == 1));
        assert!(follower.image().changed.reconcile.is_some());
    }
    let mut world = world.restart(session("{}", vec![maker("0.003")]));
    let begun_ns = world.session().now_ns();
    world.steps(400);
    let live = world.session().orders().all_live().copied().collect::<Vec<_>>();
    let new = live.iter().filter(|order| order.created_ns >= begun_ns);
    let sizes: Vec<_> = new.map(|order| order.terms.qty.0).collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size == 1), "{sizes:?}");
}

const PRICED: &str = r#"{"run":{"features":[{"microprice":{"table":
    {"imbalances":1,"spreads":1,"adjustment_ticks":[0.25]}}}]}}"#;

fn swap(feature: &str, ticks: &str) -> String {
    format!(
        r#"{{"command":"swap_model","feature":"{feature}","hash":"f00d","model":
            {{"imbalances":1,"spreads":1,"adjustment_ticks":{ticks}}}}}"#
    )
}

/// What the micro-price adds to the mid, in ticks.
fn added(session: &Session) -> f64 {
    let market = &session.markets()[0];
    let mid = market.mid2().unwrap() as f64 / 2.0;
    market.features.value(0, &market.book) / market.instrument.tick().to_f64() - mid
}

#[test]
fn a_model_is_swapped_between_events_for_followers_and_over_a_restart() {
    let near = |session: &Session, ticks: f64| (added(session) - ticks).abs() < 1e-6;
    let mut world = World::new(session(PRICED, vec![maker("0.003")]));
    world.steps(20);
    assert!(near(world.session(), 0.25), "{}", added(world.session()));
    assert_eq!(world.command(&swap("microprice", "[0.75]")), None);
    assert!(near(world.session(), 0.75));
    assert!(world.memory.texts().iter().any(|text| text.contains("f00d")));
    let why = world.command(&swap("ofi", "[0.5]")).unwrap();
    assert!(why.contains("ofi") && why.contains("microprice"), "{why}");
    let why = world.command(&swap("microprice", "[0.5, 0.5]")).unwrap();
    assert!(why.contains("1 spreads x 1 imbalances"), "{why}");
    world.steps(5);
    let image = world.session().image();
    let mut follower = session(PRICED, vec![maker("0.003")]);
    follow(&mut follower, &world.memory.records(), 0);
    assert_eq!(follower.image(), image);
    assert!(near(&follower, 0.75));
    // From the journal, and from a snapshot.
    let mut world = world.restart(session(PRICED, vec![maker("0.003")]));
    world.steps(5);
    assert!(near(world.session(), 0.75));
    let mut restored = session(PRICED, vec![maker("0.003")]);
    restored.restore(&through_bytes(&image)).unwrap();
    assert_eq!(restored.image(), image);
    // A start with another model is newer than the command.
    let newer = PRICED.replace("0.25", "0.5");
    let mut world = world.restart(session(&newer, vec![maker("0.003")]));
    world.steps(5);
    assert!(near(world.session(), 0.5));
}

#[test]
fn what_cannot_be_is_refused_and_told_and_changes_nothing() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(20);
    let before = world.session().image().changed;
    for (command, why) in [
        (r#"{"command":"set_parameters","strategy":0,"parameters":{"size":"-1"}}"#, "size"),
        (r#"{"command":"set_parameters","strategy":0,"parameters":{"width":1}}"#, "it has"),
        (r#"{"command":"set_parameters","strategy":7,"parameters":{}}"#, "no strategy 7"),
        (
            r#"{"command":"set_execution","rules":{"budgets":{"nowhere":{}}}}"#,
            "no instrument of this run is at",
        ),
        (
            r#"{"command":"set_waits","foreign":"report","patience":{"creation_ns":-1}}"#,
            "creation_ns",
        ),
        (r#"{"command":"set_limits","limits":{"max_open_orders":20000},"reason":""}"#, "10000"),
    ] {
        let said = world.command(command).unwrap_or_else(|| panic!("took {command}"));
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(world.session().image().changed, before);
    world.steps(50);
    let ended = world.session().image().orders.ended;
    assert_eq!(ended.last().map(|order| order.terms.qty.0), Some(3));
}

#[test]
fn rules_of_execution_come_and_go_and_budgets_survive_a_restart() {
    let mut world = World::new(session("{}", vec![maker("0.003")]));
    world.steps(50);
    assert_eq!(world.command(PACED), None);
    world.steps(50);
    let image = world.session().image();
    let budget = image.budgets[0].expect("a budget");
    let followed = {
        let mut follower = session("{}", vec![maker("0.003")]);
        follow(&mut follower, &world.memory.records(), 0);
        follower.image()
    };
    assert_eq!(followed.budgets, image.budgets, "what was charged is in the journal");
    let mut world = world.restart(session("{}", vec![maker("0.003")]));
    let now_ns = world.session().now_ns();
    let again = world.session().image().budgets[0].expect("a budget");
    use mainspring_trading::execution::Charge;
    assert!(again.left(Charge::Place, now_ns) <= budget.left(Charge::Place, now_ns));
    let off = r#"{"command":"set_execution","rules":null}"#;
    assert_eq!(world.command(off), None);
    assert!(world.session().image().budgets.is_empty());
    world.steps(50);
    assert!(!world.sizes().is_empty());
}

/// Counts bars that it never gets, and books; its state is the count.
struct Counts {
    name: &'static str,
    seen: u64,
    step: u64,
}

impl Host for Counts {
    fn name(&self) -> &str {
        self.name
    }

    fn interest(&self) -> Interest {
        Interest {
            book: mainspring_kernel::host::BookTrigger::Message,
            state: true,
            ..Interest::default()
        }
    }

    fn on_book(&mut self, _: &mut View<'_>) -> HostResult {
        self.seen += self.step;
        Ok(())
    }

    fn on_bar(&mut self, _: &mut View<'_>, _: &BarRow) -> HostResult {
        Ok(())
    }

    fn save(&mut self, state: &mut Vec<u8>) -> bool {
        let now = self.seen.to_le_bytes();
        let changed = state.as_slice() != now;
        state.clear();
        state.extend_from_slice(&now);
        changed
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        match state.try_into() {
            Ok(bytes) if self.step < 100 => self.seen = u64::from_le_bytes(bytes),
            _ => {
                let message = "not my state".to_owned();
                return Err(mainspring_kernel::host::HostFailure { message, interrupted: false });
            }
        }
        Ok(())
    }
}

#[test]
fn another_version_takes_over_the_state_or_the_one_before_goes_on() {
    let version = |step| Box::new(Counts { name: "counts", seen: 0, step });
    let mut world = World::new(session("{}", vec![version(1)]));
    world.steps(30);
    let seen = |world: &mut World| {
        let image = world.session().image();
        u64::from_le_bytes(image.strategies[0].state.as_slice().try_into().unwrap())
    };
    assert_eq!(seen(&mut world), 30);
    let replace = r#"{"command":"replace_strategy","strategy":0,"version":1,"code":{"code":"ab"}}"#;
    assert_eq!(world.command(replace), None);
    world.session().replace_host(0, version(10)).unwrap().unwrap();
    world.steps(3);
    assert_eq!(seen(&mut world), 60, "30 of the version before, three times 10 of this one");
    let refused = world.session().replace_host(0, version(100)).unwrap();
    assert_eq!(refused.unwrap_err().message, "not my state");
    world.steps(1);
    assert_eq!(seen(&mut world), 70, "the version before goes on");
    assert!(world.session().replace_host(9, version(1)).is_err());
}
