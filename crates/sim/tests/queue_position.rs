//! Queue models against the numeric vectors (which equal hftbacktest 2.4.4's own fill events).

mod vectors;

use mainspring_sim::{QueueModel, QueuePosition};
use proptest::prelude::*;
use serde_json::{json, Value};

fn model(name: &str) -> QueueModel {
    // The vectors put the exponent in front of the family's last word.
    let name = if name == "prob_power2_total" { "prob_power_total2" } else { name };
    name.parse().unwrap()
}

fn close(a: f64, b: f64, tolerance: &Value) -> bool {
    let (rel, abs) = (tolerance["rel"].as_f64().unwrap(), tolerance["abs"].as_f64().unwrap());
    (a - b).abs() <= abs.max(rel * a.abs().max(b.abs()))
}

#[test]
fn queue_position_vectors() {
    for vector in vectors::of("queue_position") {
        let inputs = &vector["inputs"];
        let model = model(inputs["model"].as_str().unwrap());
        let lot = inputs["lot"].as_f64().unwrap();
        let mut queue = QueuePosition::at_back(inputs["front"].as_f64().unwrap() / lot);
        let mut fronts = Vec::new();
        let mut filled_at = None;
        for (index, event) in inputs["events"].as_array().unwrap().iter().enumerate() {
            let lots = |at: usize| event[at].as_f64().unwrap() / lot;
            if event[0] == "trade" {
                queue.on_trade(lots(1));
                fronts.push(queue.front * lot);
                if queue.take_executable() > 0 {
                    filled_at = Some(index);
                    break;
                }
            } else {
                queue.on_depth(&model, lots(1), lots(2), 1.0);
                fronts.push(queue.front * lot);
            }
        }
        let expected = vector["expected"]["front_after"].as_array().unwrap();
        assert_eq!(fronts.len(), expected.len(), "{}", vector["id"]);
        for (index, (ours, theirs)) in fronts.iter().zip(expected).enumerate() {
            assert!(
                close(*ours, theirs.as_f64().unwrap(), &vector["tolerance"]),
                "{} event {index}: {ours} is not {theirs}",
                vector["id"]
            );
        }
        assert_eq!(json!(filled_at), vector["expected"]["fill_event_index"], "{}", vector["id"]);
    }
}

#[test]
fn models_are_written_by_name_or_with_an_exponent() {
    for name in [
        "risk_averse",
        "prob_power2",
        "prob_power3",
        "prob_power_total2",
        "prob_power_total3",
        "prob_one_minus_power3",
        "prob_log",
        "prob_log2",
        "l3_fifo",
    ] {
        let model: QueueModel = serde_json::from_value(json!(name)).unwrap();
        assert_eq!(serde_json::to_value(model).unwrap(), json!(name));
        assert_eq!(name.parse::<QueueModel>().unwrap(), model);
    }
    let text = json!({"model": "prob_power", "exponent": 2.5});
    let model: QueueModel = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(model, QueueModel::ProbPower { exponent: 2.5 });
    assert_eq!(serde_json::to_value(model).unwrap(), text);
    for wrong in [
        json!("prob_power"),
        json!("prob_power0"),
        json!("prob"),
        json!({"model": "prob_log", "exponent": 2}),
        json!({"model": "prob_power", "exponent": -1}),
    ] {
        assert!(serde_json::from_value::<QueueModel>(wrong.clone()).is_err(), "{wrong}");
    }
}

proptest! {
    /// A probability is one, and the front never passes what the level holds.
    #[test]
    fn a_probability_is_one(
        name in prop::sample::select(vec![
            "prob_power2", "prob_power3", "prob_power_total2", "prob_power_total3",
            "prob_one_minus_power3", "prob_log", "prob_log2",
        ]),
        front in 0_u32..1_000, back in 0_u32..1_000, new in 0_u32..2_500,
    ) {
        let model: QueueModel = name.parse().unwrap();
        let (front, back, new) = (f64::from(front), f64::from(back), f64::from(new));
        let p = model.probability(front, back, 1.0);
        prop_assert!((0.0..=1.0).contains(&p), "{p}");
        let mut queue = QueuePosition::at_back(front);
        queue.on_depth(&model, front + back, new, 1.0);
        prop_assert!(queue.front <= front.min(new) + 1e-9, "{}", queue.front);
    }
}
