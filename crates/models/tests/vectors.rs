//! The published and computed numbers of `tests/vectors`.

use mainspring_models::{avellaneda_stoikov as avs, glft};
use serde_json::Value;

fn vectors(suite: &str, function: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/");
    let text = std::fs::read_to_string(format!("{path}{suite}.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let found: Vec<_> = all["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["fn"] == function)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "{suite} has no {function}");
    found
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap(),
    }
}

fn check(vector: &Value, name: &str, found: f64) {
    let expected = &vector["expected"][name];
    if expected.is_null() {
        return;
    }
    let expected = number(expected);
    let (rel, abs) = (number(&vector["tolerance"]["rel"]), number(&vector["tolerance"]["abs"]));
    let near = found.is_infinite() && found.total_cmp(&expected).is_eq()
        || (found - expected).abs() <= (rel * expected.abs().max(found.abs())).max(abs);
    assert!(near, "{} {name}: {found} against {expected}", vector["id"]);
}

fn input(vector: &Value, name: &str) -> f64 {
    number(&vector["inputs"][name])
}

#[test]
fn avellaneda_stoikov_quotes() {
    for v in vectors("mm_avellaneda_stoikov", "as_quotes") {
        let p = avs::Parameters {
            gamma: input(&v, "gamma"),
            sigma: input(&v, "sigma"),
            k: input(&v, "k"),
        };
        let (s, q, left) = (input(&v, "s"), input(&v, "q"), input(&v, "T") - input(&v, "t"));
        let (ask, bid) = p.reservation_quotes(q, left);
        let d = p.distances(q, left);
        check(&v, "reservation_price", s + p.reservation_shift(q, left));
        check(&v, "reservation_ask", s + ask);
        check(&v, "reservation_bid", s + bid);
        check(&v, "spread", p.spread(left));
        check(&v, "bid", s - d.bid);
        check(&v, "ask", s + d.ask);
        check(&v, "delta_bid", d.bid);
        check(&v, "delta_ask", d.ask);
    }
}

#[test]
fn avellaneda_stoikov_infinite_horizon() {
    for v in vectors("mm_avellaneda_stoikov", "as_infinite_horizon") {
        let (ask, bid) = avs::infinite_horizon(
            input(&v, "gamma"),
            input(&v, "sigma"),
            input(&v, "q_max"),
            input(&v, "q"),
        );
        check(&v, "reservation_ask", input(&v, "s") + ask);
        check(&v, "reservation_bid", input(&v, "s") + bid);
    }
}

#[test]
fn glft_closed_form() {
    for v in vectors("mm_glft", "glft_asymptotic") {
        let c = glft::Parameters {
            gamma: input(&v, "gamma"),
            sigma: input(&v, "sigma"),
            a: input(&v, "A"),
            k: input(&v, "k"),
            order_size: input(&v, "order_size"),
            xi: input(&v, "xi"),
        }
        .coefficients();
        let d = c.distances(input(&v, "q"));
        check(&v, "c1", c.c1);
        check(&v, "c2", c.c2);
        check(&v, "half_spread", c.half_spread);
        check(&v, "skew", c.skew);
        check(&v, "delta_bid", d.bid);
        check(&v, "delta_ask", d.ask);
        check(&v, "spread", d.bid + d.ask);
    }
}
