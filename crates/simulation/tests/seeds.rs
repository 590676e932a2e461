//! Seeds of the simulation: no invariant breaks, every fault fires, and a seed is the same run again.

use mainspring_kernel::session::decode::{decode, Value};
use mainspring_kernel::session::foreign::FIRST_ADOPTED;
use mainspring_kernel::session::{Kind, Raw};
use mainspring_simulation::{simulate, simulate_journal, Fault, Plan};

fn seeds() -> u64 {
    std::env::var("MAINSPRING_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

#[test]
fn no_invariant_breaks_in_any_seed() {
    // The seed after the last in which each fault fired.
    let (mut fired, mut parents) = ([0; Fault::ALL.len()], 0);
    for seed in 0..seeds() {
        let outcome = simulate(Plan::new(seed)).unwrap();
        assert_eq!(outcome.violation, None, "reproduce with: mainspring simulate --seed {seed}");
        assert!(outcome.events >= 2_000, "seed {seed}: {} events", outcome.events);
        for (fault, fired) in Fault::ALL.into_iter().zip(&mut fired) {
            if outcome.faults.of(fault) > 0 {
                *fired = seed + 1;
            }
            let name = fault.name();
            assert!(seed + 1 - *fired < 100, "{name} did not fire in the 100 seeds up to {seed}");
        }
        parents += outcome.parents;
        if seed % 100 == 99 {
            assert!(parents > 500, "{parents} parent orders in the 100 seeds up to {seed}");
            parents = 0;
        }
    }
}

#[test]
fn a_seed_is_the_same_run_again() {
    let run = || serde_json::to_string(&simulate(Plan::new(7)).unwrap()).unwrap();
    assert_eq!(run(), run());
}

#[test]
fn orders_placed_by_hand_are_adopted_and_trade_in_half_of_the_seeds() {
    let mut adopted = [0; 4];
    let mut fills = 0;
    for seed in 0..40 {
        let (outcome, records) = simulate_journal(Plan::new(seed)).unwrap();
        assert_eq!(outcome.violation, None);
        let of = |kind: Kind| records.iter().filter(move |one| one.kind == kind as u16);
        adopted[(seed % 4) as usize] += of(Kind::Adopted).count();
        for fill in of(Kind::Fill) {
            let (kind, cause, payload) = (fill.kind, fill.cause, &fill.payload[..]);
            let raw = Raw { kind, sequence: 1, time_ns: fill.time_ns, cause, payload };
            let fields = decode(&raw, &[]).unwrap();
            let adopted = |(name, value): &(&str, Value)| {
                *name == "order_id" && matches!(value, Value::Id(id) if *id >= FIRST_ADOPTED)
            };
            fills += usize::from(fields.iter().any(adopted));
        }
    }
    assert_eq!((adopted[0], adopted[3]), (0, 0));
    assert!(adopted[1] > 10 && adopted[2] > 10 && fills > 10, "{adopted:?} with {fills} fills");
}
