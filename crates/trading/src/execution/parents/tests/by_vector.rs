//! Schedules, trajectories and measures against vectors and by hand.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::execution::parents::almgren_chriss::AlmgrenChriss;
use crate::execution::parents::impact::{power_law, ImpactCase, PERMANENT, TEMPORARY};
use crate::execution::parents::schedule::children;
use crate::execution::parents::shortfall::Execution;

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/execution.json");
    let text = std::fs::read_to_string(path).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    suite["vectors"].as_array().unwrap().clone()
}

fn of(function: &str) -> Vec<Value> {
    let found: Vec<_> = vectors().into_iter().filter(|v| v["fn"] == function).collect();
    assert!(!found.is_empty(), "no vector of {function}");
    found
}

fn float(value: &Value) -> f64 {
    match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        _ => value.as_f64().unwrap(),
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(float).collect()
}

#[track_caller]
fn near(ours: f64, theirs: f64, vector: &Value) {
    let rel = float(&vector["tolerance"]["rel"]);
    let abs = float(&vector["tolerance"]["abs"]);
    let near =
        ours.to_bits() == theirs.to_bits() || (ours - theirs).abs() <= abs + rel * theirs.abs();
    assert!(near, "{}: {ours} is not {theirs}", vector["id"]);
}

fn model(inputs: &Value, risk_aversion: f64) -> AlmgrenChriss {
    AlmgrenChriss {
        quantity: float(&inputs["X"]),
        horizon: float(&inputs["T"]),
        slices: inputs["N"].as_u64().unwrap() as usize,
        volatility: float(&inputs["sigma"]),
        half_spread: float(&inputs["eps"]),
        permanent: float(&inputs["gamma"]),
        temporary: float(&inputs["eta"]),
        risk_aversion,
    }
}

#[test]
fn almgren_chriss_to_its_vectors() {
    for vector in of("almgren_chriss") {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let ours = model(inputs, float(&inputs["lam"])).trajectory().unwrap();
        near(ours.eta_tilde, float(&expected["eta_tilde"]), &vector);
        near(ours.kappa_tilde_squared, float(&expected["kappa_tilde_sq"]), &vector);
        near(ours.kappa, float(&expected["kappa"]), &vector);
        near(ours.half_life, float(&expected["half_life"]), &vector);
        near(ours.expected_cost, float(&expected["expected_cost"]), &vector);
        near(ours.variance, float(&expected["variance"]), &vector);
        near(ours.variance.sqrt(), float(&expected["std"]), &vector);
        near(ours.utility, float(&expected["utility"]), &vector);
        for (name, ours) in [("holdings", &ours.holdings), ("trades", &ours.trades)] {
            let theirs = floats(&expected[name]);
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| near(*ours, theirs, &vector));
        }
    }
}

#[test]
fn almgren_chriss_to_the_published_summary() {
    for vector in of("almgren_chriss_summary") {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        for (i, risk_aversion) in floats(&inputs["lam"]).into_iter().enumerate() {
            let ours = model(inputs, risk_aversion).trajectory().unwrap();
            near(ours.expected_cost / 1e6, float(&expected["mean_musd"][i]), &vector);
            near(ours.variance / 1e12, float(&expected["variance_1e12"][i]), &vector);
            near(ours.utility / 1e6, float(&expected["penalised_musd"][i]), &vector);
            // Published to two decimals: 22.9434 is printed as 22.94.
            let days = (ours.half_life * 100.0).round() / 100.0;
            near(days, float(&expected["time_constant_days"][i]), &vector);
        }
    }
}

#[test]
fn almgren_chriss_stays_finite_under_great_urgency_and_refuses_what_has_no_optimum() {
    let mut model = AlmgrenChriss {
        quantity: 1e6,
        horizon: 5.0,
        slices: 50,
        volatility: 0.95,
        half_spread: 0.0,
        permanent: 0.0,
        temporary: 2.5e-6,
        risk_aversion: 10.0,
    };
    let trajectory = model.trajectory().unwrap();
    assert!(trajectory.holdings.iter().all(|x| x.is_finite() && *x >= 0.0));
    assert!(trajectory.trades[0] > 0.99e6);
    model.permanent = 1.0;
    assert!(model.trajectory().unwrap_err().message().contains("must exceed"));
    model.slices = 0;
    assert!(model.trajectory().is_err());
}

#[test]
fn impact_to_its_vector() {
    for vector in of("impact_power_law") {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        for (i, case) in inputs["cases"].as_array().unwrap().iter().enumerate() {
            let case = ImpactCase {
                quantity: float(&case["X"]),
                daily_volume: float(&case["V"]),
                outstanding: float(&case["Theta"]),
                volatility: float(&case["sigma"]),
                days: float(&case["T_days"]),
            };
            let ours = power_law(&case, float(&inputs["gamma"]), float(&inputs["eta"]));
            assert_eq!(
                power_law(&case, PERMANENT, TEMPORARY),
                ours,
                "the paper's coefficients are the defaults"
            );
            near(ours.permanent_bps, float(&expected["permanent_bps"][i]), &vector);
            near(ours.temporary_bps, float(&expected["temporary_bps"][i]), &vector);
            near(ours.cost_bps, float(&expected["cost_bps"][i]), &vector);
            let rounded = &expected["published_rounded"]["cost"][i];
            assert!((ours.cost_bps.round() - float(rounded)).abs() < 0.5);
        }
    }
}

fn lots_of(value: &Value, lot: &Value) -> Lots {
    Lots((float(value) / float(lot)).round() as i64)
}

fn expected_lots(vector: &Value) -> Vec<Lots> {
    let expected = vector["expected"]["children"].as_array().unwrap();
    expected.iter().map(|child| lots_of(child, &vector["inputs"]["lot"])).collect()
}

fn child_lots(schedule: &Schedule) -> Vec<Lots> {
    match schedule {
        Schedule::Slices(due) => children(due).collect(),
        other => panic!("{other:?} has no slices"),
    }
}

#[test]
fn slices_to_their_vectors() {
    for vector in of("twap_slices") {
        let inputs = &vector["inputs"];
        let qty = lots_of(&inputs["qty"], &inputs["lot"]);
        let slices = inputs["n"].as_u64().unwrap() as usize;
        let schedule = Schedule::even(qty, slices).unwrap();
        assert_eq!(child_lots(&schedule), expected_lots(&vector));
    }
    for vector in of("vwap_slices") {
        let inputs = &vector["inputs"];
        let qty = lots_of(&inputs["qty"], &inputs["lot"]);
        let weights: Vec<u64> = floats(&inputs["curve"]).iter().map(|w| *w as u64).collect();
        let schedule = Schedule::weighted(qty, &weights).unwrap();
        assert_eq!(child_lots(&schedule), expected_lots(&vector));
    }
}

#[test]
fn participation_to_its_vectors() {
    for vector in of("pov_children") {
        let inputs = &vector["inputs"];
        let own = inputs["own_volume_counts"].as_bool().unwrap();
        let rate = Participation::new(float(&inputs["rate"]), own).unwrap();
        let qty = lots_of(&inputs["qty"], &inputs["lot"]);
        let mut parent = parent_of(terms(qty.0, Schedule::Volume(rate), 0));
        let mut sent = Vec::new();
        for volume in floats(&inputs["market_volumes"]) {
            parent.volume += lots_of(&volume.into(), &inputs["lot"]);
            let part = parent.due() - parent.filled;
            parent.child_filled(Ticks(100), part, Money::ZERO);
            sent.push(part);
        }
        assert_eq!(sent, expected_lots(&vector));
    }
    for (rate, own) in [(0.0, false), (1.0, true), (1.1, false), (-0.1, false), (f64::NAN, true)] {
        assert!(Participation::new(rate, own).is_err(), "{rate}");
    }
}

#[test]
fn shortfall_to_its_vector() {
    for vector in of("implementation_shortfall") {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let fills = inputs["fills"].as_array().unwrap();
        let qty = |fill: &Value| float(&fill["qty"]);
        let ours = Execution {
            side: Side::Buy,
            quantity: float(&inputs["Q"]),
            executed: fills.iter().map(qty).sum(),
            value: fills.iter().map(|fill| qty(fill) * float(&fill["price"])).sum(),
            decision: float(&inputs["decision"]),
            arrival: float(&inputs["arrival"]),
            last: float(&inputs["final"]),
            fees: float(&inputs["fees"]),
        }
        .shortfall();
        near(ours.average_price, float(&expected["avg_price"]), &vector);
        near(ours.delay, float(&expected["delay_cost"]), &vector);
        near(ours.trading, float(&expected["trading_cost"]), &vector);
        near(ours.opportunity, float(&expected["opportunity_cost"]), &vector);
        near(ours.fees, float(&expected["fees"]), &vector);
        near(ours.total, float(&expected["total"]), &vector);
        near(ours.total_bps, float(&expected["total_bps"]), &vector);
    }
}

#[test]
fn a_front_loaded_schedule_by_hand() {
    // The rest halves with each of three slices, up to what closes it: 4/7, 2/7, 1/7.
    let shares = Schedule::front_loaded(3.0 * std::f64::consts::LN_2, 3);
    let schedule = Schedule::by_share(Lots(70), &shares).unwrap();
    assert_eq!(child_lots(&schedule), [Lots(40), Lots(20), Lots(10)]);
    // Without urgency it is even, to the very lot.
    let shares = Schedule::front_loaded(0.0, 7);
    assert_eq!(Schedule::by_share(Lots(100), &shares), Schedule::even(Lots(100), 7));
    assert!(Schedule::by_share(Lots(1), &[0.5, 0.4, 1.0]).is_err());
    assert!(Schedule::by_share(Lots(1), &[0.5]).is_err());
}

proptest! {
    #[test]
    fn slices_add_up_and_never_err_by_a_lot(qty in 1_i64..1_000_000_000, weights in prop::collection::vec(0_u64..1_000_000_007, 1..60)) {
        prop_assume!(weights.iter().any(|w| *w > 0));
        let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
        let schedule = Schedule::weighted(Lots(qty), &weights).unwrap();
        let Schedule::Slices(due) = &schedule else { unreachable!() };
        let mut before = 0_u128;
        for (due, weight) in due.iter().zip(&weights) {
            before += u128::from(*weight);
            let exact = qty as u128 * before;
            // due <= exact < due + 1, in fractions.
            prop_assert!(due.0 as u128 * total <= exact && exact < (due.0 as u128 + 1) * total);
        }
        prop_assert_eq!(child_lots(&schedule).into_iter().sum::<Lots>(), Lots(qty));
    }
}
