//! Latency models against the numeric vectors, and what they promise.

mod vectors;

use mainspring_sim::latency::{Constant, FeedScale};
use mainspring_sim::{LatencyModel, LatencyRow, LatencyTable, Leg, RequestKind};
use proptest::prelude::*;
use serde_json::Value;

fn table(vector: &Value) -> LatencyTable {
    let rows: Vec<LatencyRow> = serde_json::from_value(vector["inputs"]["rows"].clone()).unwrap();
    LatencyTable::new(rows).unwrap()
}

#[test]
fn entry_vectors() {
    for vector in vectors::of("latency_entry") {
        let sent = vector["inputs"]["ts"].as_i64().unwrap();
        let expected = vector["expected"]["latency"].as_i64().unwrap();
        assert_eq!(table(&vector).entry_ns(sent), expected, "{}", vector["id"]);
        let leg = LatencyModel::Table(table(&vector)).entry_ns(sent, RequestKind::New, 0, 0);
        assert_eq!(leg, Leg::from_signed(expected));
    }
}

#[test]
fn response_vectors() {
    for vector in vectors::of("latency_response") {
        let exch = vector["inputs"]["ts"].as_i64().unwrap();
        let expected = vector["expected"]["latency"].as_i64().unwrap();
        assert_eq!(table(&vector).response_ns(exch), expected, "{}", vector["id"]);
    }
}

#[test]
fn a_table_is_refused_with_its_fault() {
    let row = |req_ns, exch_ns, resp_ns| LatencyRow { req_ns, exch_ns, resp_ns };
    for (rows, fault) in [
        (vec![], "needs a row"),
        (vec![row(0, 0, 9)], "needs a row"),
        (vec![row(5, 6, 7), row(5, 8, 9)], "not sent after"),
        (vec![row(5, 9, 12), row(6, 8, 12)], "handled before"),
        (vec![row(5, 4, 7)], "negative leg"),
        (vec![row(5, 8, 7)], "negative leg"),
    ] {
        let error = LatencyTable::new(rows).unwrap_err();
        assert!(error.message().contains(fault), "{error}");
    }
}

#[test]
fn kinds_have_their_own_constants() {
    let text = r#"{"model": "constant", "new": {"entry_ns": 10, "response_ns": 20},
        "cancel": {"entry_ns": 5, "response_ns": 6}}"#;
    let mut model: LatencyModel = serde_json::from_str(text).unwrap();
    model.validate().unwrap();
    let mut entry = |kind| model.entry_ns(0, kind, 0, 0);
    assert_eq!(entry(RequestKind::New), Leg::Arrives(10));
    assert_eq!(entry(RequestKind::Cancel), Leg::Arrives(5));
    assert_eq!(entry(RequestKind::Amend), Leg::Arrives(10), "left out: like new orders");
    assert_eq!(model.response_ns(0, RequestKind::Cancel, 0, 0), 6);
}

#[test]
fn a_table_reads_back_from_its_text() {
    let text =
        r#"{"model":"table","rows":[{"req":1,"exch":2,"resp":3},{"req":4,"exch":0,"resp":9}]}"#;
    let model: LatencyModel = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&model).unwrap(), text);
    let bad = r#"{"model":"table","rows":[{"req":5,"exch":4,"resp":7}]}"#;
    assert!(serde_json::from_str::<LatencyModel>(bad).is_err());
}

#[test]
fn a_scaled_feed_latency_has_a_floor() {
    let entry = FeedScale { factor: 1.5, offset_ns: -100, min_ns: 50 };
    let response = FeedScale { factor: 1.0, offset_ns: 0, min_ns: 0 };
    let mut model = LatencyModel::FeedScaled { entry, response };
    assert_eq!(model.entry_ns(0, RequestKind::New, 1_001, 0), Leg::Arrives(1_401));
    assert_eq!(model.entry_ns(0, RequestKind::New, 0, 0), Leg::Arrives(50));
    assert_eq!(model.response_ns(0, RequestKind::New, -7, 0), 0);
}

#[test]
fn empirical_samples_come_evenly_and_without_memory() {
    let samples: Vec<Constant> =
        (0..10).map(|n| Constant { entry_ns: n, response_ns: 100 + n }).collect();
    let mut model = LatencyModel::Empirical { samples, seed: 7 };
    let mut counts = [0_u32; 10];
    for sequence in 0..100_000 {
        let Leg::Arrives(entry) = model.entry_ns(0, RequestKind::New, 0, sequence) else {
            panic!("a positive sample arrives")
        };
        // Both legs of one request come from the same observation.
        assert_eq!(model.response_ns(0, RequestKind::New, 0, sequence), 100 + entry);
        counts[entry as usize] += 1;
    }
    // Ten cells of 10,000: chi-square with 9 degrees of freedom, 99.9 % point 27.9.
    let chi: f64 = counts.iter().map(|c| (f64::from(*c) - 10_000.0).powi(2) / 10_000.0).sum();
    assert!(chi < 27.9, "{counts:?}");
}

proptest! {
    #[test]
    fn interpolation_stays_between_its_neighbours(
        legs in prop::collection::vec((1_i64..1_000, 0_i64..1_000), 1..20), at in -500_i64..12_000,
    ) {
        let mut rows = Vec::new();
        let mut last = 1;
        for (index, (entry, response)) in legs.iter().enumerate() {
            let req_ns = index as i64 * 500;
            let exch_ns = (req_ns + entry).max(last);
            last = exch_ns;
            rows.push(LatencyRow { req_ns, exch_ns, resp_ns: exch_ns + response });
        }
        let table = LatencyTable::new(rows.clone()).unwrap();
        let entries: Vec<i64> = rows.iter().map(|r| r.exch_ns - r.req_ns).collect();
        let responses: Vec<i64> = rows.iter().map(|r| r.resp_ns - r.exch_ns).collect();
        let inside = |value: i64, all: &[i64]| {
            all.iter().min().unwrap() <= &value && &value <= all.iter().max().unwrap()
        };
        prop_assert!(inside(table.entry_ns(at), &entries));
        prop_assert!(inside(table.response_ns(at), &responses));
        for (row, (entry, response)) in rows.iter().zip(entries.iter().zip(&responses)) {
            prop_assert_eq!(table.entry_ns(row.req_ns), *entry);
            let last_there = rows.iter().rposition(|r| r.exch_ns == row.exch_ns).unwrap();
            if rows[last_there].req_ns == row.req_ns {
                prop_assert_eq!(table.response_ns(row.exch_ns), *response);
            }
        }
    }
}
