//! Every planted fault of the engine breaks an invariant within a few seeds, and those that are healed
//! within a step are seen because every event is judged.

use mainspring_core::Result;
use mainspring_kernel::session::mutant::{plant, Mutant};
use mainspring_simulation::{simulate, simulate_judging_steps, Outcome, Plan};

const SEEDS: u64 = 40;

/// The first seed that catches a fault, and what it says.
fn caught(mutant: Mutant, run: fn(Plan) -> Result<Outcome>) -> Option<(u64, String)> {
    plant(Some(mutant));
    let found = (0..SEEDS).find_map(|seed| {
        let outcome = run(Plan::new(seed)).unwrap();
        outcome.violation.map(|violation| (seed, violation))
    });
    plant(None);
    found
}

#[test]
fn every_planted_fault_is_caught() {
    for mutant in Mutant::ALL {
        let found = caught(mutant, simulate);
        println!("{mutant:?}: {found:?}");
        assert!(found.is_some(), "{mutant:?} is not noticed in {SEEDS} seeds");
    }
}

#[test]
fn faults_that_are_healed_within_a_step_are_caught_at_their_event_and_not_by_a_look_at_its_end() {
    for mutant in Mutant::HEALED {
        let (seed, said) = caught(mutant, simulate).unwrap();
        println!("{mutant:?}: seed {seed}: {said}");
        assert!(said.contains(": event "), "{mutant:?} is told without its event: {said}");
        let at_steps = caught(mutant, simulate_judging_steps);
        assert_eq!(at_steps, None, "{mutant:?} is not healed at the end of its step");
    }
}
