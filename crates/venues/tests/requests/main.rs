//! The requests that ccxt makes for some 55 calls per venue, against ours: method, address,
//! parameters, headers and signature. Client tags apart, they are the same bytes; where ours differ on
//! purpose, the test says why and still checks that we would have signed their bytes the same.

#[path = "../shared/mod.rs"]
mod shared;

mod binance;
mod bybit;
mod call;
mod dydx;
mod hyperliquid;
mod okx;

use mainspring_venues::operation::Operation;
use mainspring_venues::outgoing::{Outgoing, Via};
use mainspring_venues::venue::{Network, Venue};
use serde_json::Value;

/// The clock of the vectors.
const NOW_MS: i64 = 1_700_000_000_000;

/// One request of theirs.
struct Theirs {
    case: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn theirs(venue: &str) -> Option<Vec<Theirs>> {
    let list = shared::json(&format!("venues/{venue}/ccxt-request-vectors/requests.json"))?;
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let mut all = Vec::new();
    for case in list.as_array().unwrap() {
        for request in case["requests"].as_array().unwrap() {
            let headers = request["headers"].as_object().cloned().unwrap_or_default();
            all.push(Theirs {
                case: text(&case["case"]),
                method: text(&request["method"]),
                url: text(&request["url"]),
                headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
                body: text(&request["body"]),
            });
        }
    }
    assert!(!all.is_empty());
    Some(all)
}

/// Ours for an operation.
fn ours(venue: &mut dyn Venue, operation: &Operation<'_>) -> Result<Outgoing, String> {
    let mut out = Outgoing::new();
    let encoded = venue.encode(operation, Via::Http, NOW_MS, &mut out);
    encoded.map(|()| out).map_err(|error| error.to_string())
}

/// Whether two requests are the same bytes, headers of the client's name apart.
fn same(venue: &dyn Venue, out: &Outgoing, theirs: &Theirs) -> Result<(), String> {
    let url = format!("{}{}", venue.endpoints(Network::Main).rest, out.target);
    if (out.method.name(), url.as_str()) != (theirs.method.as_str(), theirs.url.as_str()) {
        return Err(format!(
            "{} {url}\nis not\n{} {}",
            out.method.name(),
            theirs.method,
            theirs.url
        ));
    }
    if out.body != theirs.body {
        return Err(format!("{}\nis not\n{}", out.body, theirs.body));
    }
    for (name, value) in &theirs.headers {
        if name == "Referer" {
            continue;
        }
        let own = out.headers().find(|(key, _)| key == name).map(|(_, value)| value);
        if own != Some(value.as_str()) {
            return Err(format!("header {name}: {own:?} is not {value}"));
        }
    }
    Ok(())
}

/// Prints and checks what a venue's vectors came to.
fn conclude(venue: &str, same: usize, apart: &[(String, &str)], wrong: &[String]) {
    println!("{venue}: {same} requests the same, {} different on purpose", apart.len());
    for (case, why) in apart {
        println!("  {case}: {why}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(same > 0);
}
