//! A key that is missing loses no fill in silence: the message is refused, or says the same.

mod shared;

use mainspring_venues::fact::Fact;
use mainspring_venues::table::{open, Opening};
use serde_json::Value;

/// The fills of a user event, as far as every message has to tell them; `None` when it is refused.
fn fills(venue: &str, document: &Value) -> Option<Vec<String>> {
    let opening = Opening { account: "account".to_owned(), ..Opening::default() };
    let mut codec = open(venue, &opening).unwrap();
    let mut fills = Vec::new();
    let read = codec.user(document.to_string().as_bytes(), &mut |fact| {
        if let Fact::Fill(one) = fact {
            fills.push(format!("{} {} x {}", one.symbol, one.price, one.qty));
        }
    });
    read.ok().map(|()| fills)
}

/// The document without each of its keys in turn, with the name of the key.
fn without_each(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    match document {
        Value::Object(map) => {
            for (key, value) in map {
                let mut less = map.clone();
                less.remove(key);
                all.push((key.clone(), Value::Object(less)));
                for (inner, part) in without_each(value) {
                    let mut changed = map.clone();
                    changed.insert(key.clone(), part);
                    all.push((format!("{key}.{inner}"), Value::Object(changed)));
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                for (inner, part) in without_each(value) {
                    let mut changed = list.clone();
                    changed[at] = part;
                    all.push((format!("{at}.{inner}"), Value::Array(changed)));
                }
            }
        }
        _ => {}
    }
    all
}

/// Every object of a file of fixtures, inner ones too.
fn documents_of(path: &std::path::Path) -> Vec<Value> {
    let mut found = Vec::new();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for line in text.lines().chain([text.as_str()]) {
        if let Ok(value) = serde_json::from_str::<Value>(line) {
            documents(&value, &mut found);
        }
    }
    found
}

fn documents(value: &Value, into: &mut Vec<Value>) {
    if let Value::Object(map) = value {
        into.push(value.clone());
        map.values().for_each(|one| documents(one, into));
    } else if let Value::Array(list) = value {
        list.iter().for_each(|one| documents(one, into));
    }
}

/// Keys that say what sort of message it is: without them it is another one. OKX names the trade of an
/// update only where there is one; Hyperliquid's `user` tells one of several things.
const KINDS: [&str; 7] = ["e", "arg", "data", "topic", "channel", "contents", "contents.fills"];

fn is_kind(key: &str, document: &Value) -> bool {
    let is_choice = document.get("channel").is_some_and(|channel| channel == "user");
    KINDS.contains(&key) || key == "data.0.tradeId" || (is_choice && key == "data.fills")
}

const CODECS: [(&str, &[&str]); 5] = [
    ("binance", &["binance", "binance_usdm"]),
    ("okx", &["okx"]),
    ("bybit", &["bybit", "bybit_spot"]),
    ("hyperliquid", &["hyperliquid"]),
    ("dydx", &["dydx"]),
];

#[test]
fn a_missing_key_loses_no_fill_in_silence() {
    for (venue, codecs) in CODECS {
        let Some(folder) = shared::shared(&format!("venues/{venue}")) else { return };
        let (mut messages, mut refused) = (0, 0);
        for document in shared::files_of(&folder).iter().flat_map(|path| documents_of(path)) {
            for codec in codecs {
                let Some(told) = fills(codec, &document).filter(|told| !told.is_empty()) else {
                    continue;
                };
                messages += 1;
                for (key, less) in without_each(&document) {
                    let left = fills(codec, &less);
                    refused += usize::from(left.is_none());
                    let same = left.is_none_or(|left| left == told);
                    assert!(
                        same || is_kind(&key, &document),
                        "{codec}: without {key} of {document}"
                    );
                }
            }
        }
        println!("{venue}: {messages} messages with fills, {refused} keys that are needed");
        assert!(messages > 0 && refused > 0, "{venue}");
    }
}
