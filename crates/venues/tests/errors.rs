//! Error codes of venues against the classes that ccxt has for them.
//!
//! The classes are not the same everywhere, and need not be. What must not happen is that an outcome which
//! may be unknown, or a request that only has to wait, is taken for a plain refusal.

mod shared;

use std::collections::BTreeMap;

use mainspring_venues::failure::FailureClass;
use mainspring_venues::operation::Operation;
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::table::{open, Opening};
use serde_json::Value;

/// The class of an answer with this code.
fn class(venue: &str, code: &str) -> Option<FailureClass> {
    let (status, body) = match venue {
        "okx" => (200, format!(r#"{{"code":"{code}","msg":"","data":[]}}"#)),
        "bybit" => (200, format!(r#"{{"retCode":{code},"retMsg":"","result":{{}}}}"#)),
        _ => (400, format!(r#"{{"code":{code},"msg":""}}"#)),
    };
    let mut codec = open(venue, &Opening::default()).unwrap();
    let mut out = Outgoing::new();
    codec.encode(&Operation::Time, Via::Http, 1_700_000_000_000, &mut out).unwrap();
    codec.answer(&out, &Reply::new(status, body.as_bytes()), &mut |_| {}).err().map(|f| f.class)
}

/// Codes by class, wherever in the file they are.
fn codes(value: &Value, into: &mut BTreeMap<String, String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::String(class) if key.parse::<i64>().is_ok() => {
                into.insert(key.clone(), class.clone());
            }
            Value::Object(_) => codes(value, into),
            _ => {}
        }
    }
}

/// Codes whose class in ccxt is about calls that sessions do not make, or which ccxt has otherwise for
/// reasons of its own.
const OTHERWISE: [(&str, &str); 2] = [("binance", "-4005"), ("binance_usdm", "-4005")];

#[test]
fn codes_that_leave_the_outcome_open_are_not_refusals() {
    let files = [
        ("binance", "binance/ccxt-error-codes.json"),
        ("binance_usdm", "binance/ccxt-error-codes-usdm.json"),
        ("okx", "okx/ccxt-error-codes.json"),
        ("bybit", "bybit/ccxt-error-codes.json"),
    ];
    for (venue, file) in files {
        let Some(all) = shared::json(&format!("venues/{file}")) else { return };
        let mut known = BTreeMap::new();
        codes(&all["exceptions"], &mut known);
        let (mut alike, mut wrong) = (0, Vec::new());
        for (code, theirs) in &known {
            if code.parse::<i64>() == Ok(0) || OTHERWISE.contains(&(venue, code.as_str())) {
                continue;
            }
            let Some(ours) = class(venue, code) else { continue };
            let open = matches!(
                theirs.as_str(),
                "RequestTimeout" | "ExchangeNotAvailable" | "OnMaintenance"
            );
            let waits = matches!(theirs.as_str(), "RateLimitExceeded" | "DDoSProtection");
            let refused = ours == FailureClass::Refused;
            match refused && (open || waits) {
                true => wrong.push(format!("{code} {theirs}")),
                false => alike += 1,
            }
        }
        println!("{venue}: {alike} codes of {}", known.len());
        assert!(wrong.is_empty(), "{venue}: {}", wrong.join(", "));
    }
}
