//! Every planted fault of the engine breaks an invariant within a few seeds.

use mainspring_kernel::session::mutant::{plant, Mutant};
use mainspring_simulation::{simulate, Plan};

/// The first seed that catches a fault, and what it says.
fn caught(mutant: Mutant) -> Option<(u64, String)> {
    plant(Some(mutant));
    let found = (0..40).find_map(|seed| {
        let outcome = simulate(Plan::new(seed)).unwrap();
        outcome.violation.map(|violation| (seed, violation))
    });
    plant(None);
    found
}

#[test]
fn every_planted_fault_is_caught() {
    for mutant in Mutant::ALL {
        let found = caught(mutant);
        println!("{mutant:?}: {found:?}");
        assert!(found.is_some(), "{mutant:?} is not noticed in 40 seeds");
    }
}
