//! Seeds of the simulation: no invariant breaks, every fault fires, and a seed is the same run again.

use mainspring_simulation::{simulate, Fault, FaultCounts, Plan};

fn seeds() -> u64 {
    std::env::var("MAINSPRING_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

#[test]
fn no_invariant_breaks_in_any_seed() {
    let (mut faults, mut parents) = (FaultCounts::default(), 0);
    for seed in 0..seeds() {
        let outcome = simulate(Plan::new(seed)).unwrap();
        assert_eq!(outcome.violation, None, "reproduce with: mainspring simulate --seed {seed}");
        assert!(outcome.events >= 2_000, "seed {seed}: {} events", outcome.events);
        faults.add(&outcome.faults);
        parents += outcome.parents;
        if seed == 99 {
            assert!(parents > 500, "{parents} parent orders in 100 seeds");
            for fault in Fault::ALL {
                assert!(faults.of(fault) > 0, "{} did not fire in 100 seeds", fault.name());
            }
        }
    }
}

#[test]
fn a_seed_is_the_same_run_again() {
    let run = || serde_json::to_string(&simulate(Plan::new(7)).unwrap()).unwrap();
    assert_eq!(run(), run());
}
