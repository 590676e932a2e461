//! Access to the numeric vectors under `tests/vectors` of the repository.

use std::path::Path;

use serde_json::Value;

/// The vectors of one function of the backtest realism suite.
pub fn of(function: &str) -> Vec<Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/backtest_realism.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    let found: Vec<Value> = suite["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|vector| vector["fn"] == function)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no vectors of {function}");
    found
}
