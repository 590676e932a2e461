//! Hyperliquid.

use mainspring_core::{GridRule, InstrumentKind, OrderType};
use mainspring_venues::hyperliquid::{Hyperliquid, Settings};
use mainspring_venues::listing::Code;
use mainspring_venues::operation::{Operation, Place};
use mainspring_venues::outgoing::{Outgoing, Via};
use mainspring_venues::secp256k1::Secp256k1Key;
use mainspring_venues::secret::Secret;
use mainspring_venues::venue::Venue;
use serde_json::Value;

use super::call::{self, Sizes};
use super::shared::{coded, listing};
use super::{conclude, theirs, Theirs, NOW_MS};

const SIZES: Sizes = Sizes {
    price: "25000",
    qty: "0.01",
    amended_qty: "0.02",
    odd_price: "25000",
    odd_qty: "0.01235",
};

pub const KEY: &str = "0x0123456789012345678901234567890123456789012345678901234567890123";

fn venue(body: &Value) -> Hyperliquid {
    let builder = &body["action"]["builder"];
    let builder = builder["b"].as_str().map(|b| (b.to_owned(), builder["f"].as_u64().unwrap()));
    let account = "0x14791697260E4c9A71f18484C9f997B308e59325".to_owned();
    let settings = Settings { account, builder, ..Settings::default() };
    Hyperliquid::new(settings, Some(Secp256k1Key::new(&Secret::new(KEY)).unwrap()))
}

fn why(case: &str) -> Option<&'static str> {
    match case {
        "perp.limit.buy.fok" => Some("the venue has no fill-or-kill: ours is refused, not sent"),
        "perp.trades" => Some("they ask for the account's own fills; ours are the market's trades"),
        _ => None,
    }
}

#[test]
fn requests_are_those_of_ccxt() {
    let Some(all) = theirs("hyperliquid") else { return };
    let mut btc = listing("hyperliquid", "BTC", InstrumentKind::LinearPerpetual, "0.1", "0.00001");
    btc.instrument.grids[0].rule = GridRule::SignificantDigits { digits: 5 };
    let btc = coded(btc, Code::Hyperliquid { asset: 0, size_decimals: 5 });
    let (mut equal, mut apart, mut wrong) = (0, Vec::new(), Vec::new());
    for request in &all {
        let case = request.case.strip_prefix("perp.").unwrap_or(&request.case);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let client = body["action"]["orders"][0]["c"].as_str().unwrap_or("");
        let cancels = call::two_cancels(&btc);
        let mut places = Vec::new();
        let operation = match call::terms(&btc, &SIZES, case) {
            Some(terms) => {
                let mut place = Place::new(&btc, terms, client);
                // They allow five percent.
                place.worst = (terms.order_type != OrderType::Limit).then(|| match case {
                    "market.buy" => call::ticks(&btc, "26250"),
                    _ => call::ticks(&btc, "23750"),
                });
                Operation::Place(place)
            }
            None => match case {
                "batch" => {
                    places.extend(call::batch(&btc, &SIZES, ["", ""]));
                    Operation::PlaceMany(&places)
                }
                "cancel.batch" => Operation::CancelMany(&cancels),
                _ => {
                    let own = "0x00000000000000000000000000000abc";
                    call::other(&btc, &SIZES, case, "", own).unwrap()
                }
            },
        };
        let nonce = body["nonce"].as_i64().unwrap_or(NOW_MS);
        let mut out = Outgoing::new();
        let encoded = venue(&body).encode(&operation, Via::Http, nonce, &mut out);
        match (encoded.is_ok() && alike(request, &out, &body), why(&request.case)) {
            (true, _) => equal += 1,
            (false, Some(why)) => {
                assert_eq!(encoded.is_err(), case == "limit.buy.fok");
                apart.push((request.case.clone(), why));
            }
            (false, None) => {
                wrong.push(format!("{}: {encoded:?}\n{}\n{body}", request.case, out.body))
            }
        }
    }
    conclude("hyperliquid", equal, &apart, &wrong);
    assert_eq!((equal, apart.len()), (29, 2));
}

/// Signatures cover the order of keys in the action; the order around it is free.
fn alike(request: &Theirs, out: &Outgoing, body: &Value) -> bool {
    let ours: Value = serde_json::from_str(&out.body).unwrap();
    request.url == format!("https://api.hyperliquid.xyz{}", out.target)
        && request.method == out.method.name()
        && ours == *body
}
