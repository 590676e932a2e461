//! OKX.

use mainspring_core::{InstrumentKind, OrderFlags, OrderType};
use mainspring_venues::okx::{Okx, Settings};
use mainspring_venues::operation::{Operation, Place};
use mainspring_venues::secret::Secret;
use mainspring_venues::sign::{push_base64, Credentials, HmacKey};
use serde_json::Value;

use super::call::{self, Sizes};
use super::shared::listing;
use super::{conclude, ours, same, theirs, Theirs, NOW_MS};

const SIZES: Sizes =
    Sizes { price: "25000", qty: "1", amended_qty: "2", odd_price: "25000.3", odd_qty: "1" };

fn venue(tag: &str) -> Okx {
    let secret = Secret::new("TESTSECRET9876543210");
    let credentials = Credentials::hmac(Secret::new("TESTAPIKEY0123456789"), &secret).unwrap();
    let credentials = credentials.with_passphrase(Secret::new("TESTPASSPHRASE"));
    let settings = Settings { tag: tag.to_owned(), ..Settings::default() };
    Okx::new(settings, Some(credentials))
}

fn why(case: &str) -> Option<&'static str> {
    match case.split_once('.').map_or(case, |(_, rest)| rest) {
        "mytrades" => Some("recent fills are asked of the list of recent fills, with a limit"),
        "limit.buy.trigger" | "limit.sell.stoploss" => Some(ALGO_ID),
        "market.sell.stoploss" | "market.sell.takeprofit" => Some(ALGO_ID),
        _ => None,
    }
}

const ALGO_ID: &str = "the client id of an algo order is algoClOrdId in the venue's documents";

#[test]
fn requests_are_those_of_ccxt() {
    let Some(all) = theirs("okx") else { return };
    let spot = listing("okx", "BTC-USDT", InstrumentKind::Spot, "0.1", "0.00000001");
    let perp = listing("okx", "BTC-USDT-SWAP", InstrumentKind::LinearPerpetual, "0.1", "0.01");
    let (mut equal, mut apart, mut wrong) = (0, Vec::new(), Vec::new());
    for request in &all {
        let (market, case) = request.case.split_once('.').unwrap_or(("spot", &request.case));
        let listing = if market == "spot" { &spot } else { &perp };
        let body: Value = serde_json::from_str(&request.body).unwrap_or(Value::Null);
        let first = if body.is_array() { &body[0] } else { &body };
        let client = first["clOrdId"].as_str().unwrap_or("");
        let sizes = Sizes { odd_qty: if market == "spot" { "1.23456789" } else { "1" }, ..SIZES };
        let mut venue = venue(first["tag"].as_str().unwrap_or(""));
        let cancels = call::two_cancels(listing);
        let mut places = Vec::new();
        let operation = match call::terms(listing, &sizes, case) {
            Some(mut terms) if body.is_object() => {
                // Their stop losses and take profits close at a limit of 25000, whatever is asked.
                if matches!(terms.order_type, OrderType::Stop | OrderType::TakeProfit) {
                    terms.price = call::ticks(listing, "25000");
                    if terms.order_type == OrderType::Stop {
                        terms.order_type = OrderType::StopLimit;
                    }
                }
                if case != "limit.buy.trigger" {
                    terms.flags = OrderFlags::REDUCE_ONLY;
                }
                Operation::Place(Place::new(listing, terms, client))
            }
            Some(terms) => {
                places.push(Place::new(listing, terms, client));
                Operation::PlaceMany(&places)
            }
            None => match case {
                "batch" => {
                    let ids =
                        ["6b9ad766b55dBCDE0000000000000026", "6b9ad766b55dBCDE0000000000000027"];
                    places.extend(call::batch(listing, &sizes, ids));
                    Operation::PlaceMany(&places)
                }
                "cancel.batch" => Operation::CancelMany(&cancels),
                _ => call::other(listing, &sizes, case, "", "myid123").unwrap(),
            },
        };
        let out = ours(&mut venue, &operation).unwrap();
        match (same(&venue, &out, request), why(&request.case)) {
            (Ok(()), _) => equal += 1,
            (Err(_), Some(why)) => {
                signed_alike(request);
                let own: Value = serde_json::from_str(&out.body).unwrap_or(Value::Null);
                if case != "mytrades" {
                    assert!(request.url.ends_with(&out.target), "{}", out.target);
                    algo_alike(&own, &body, &request.case);
                }
                apart.push((request.case.clone(), why));
            }
            (Err(difference), None) => wrong.push(format!("{}: {difference}", request.case)),
        }
    }
    conclude("okx", equal, &apart, &wrong);
    assert_eq!((equal, apart.len()), (45, 10));
}

/// Every parameter of theirs is ours, the client id apart; ours may also say that the order closes.
fn algo_alike(own: &Value, theirs: &Value, case: &str) {
    for (name, value) in theirs.as_object().unwrap() {
        let name = if name == "clOrdId" { "algoClOrdId" } else { name };
        // Spot is cash here; they say cross for orders that close. Their market orders have a price.
        let differs = (name == "tdMode" && case.starts_with("spot"))
            || (name == "tpOrdPx" && own[name] == "-1");
        assert!(differs || own[name] == *value, "{case}: {name} {} {value}", own[name]);
    }
}

fn signed_alike(request: &Theirs) {
    let key = HmacKey::new(&Secret::new("TESTSECRET9876543210")).unwrap();
    let path = request.url.strip_prefix("https://www.okx.com").unwrap();
    let time = "2023-11-14T22:13:20.000Z";
    assert_eq!(NOW_MS, 1_700_000_000_000);
    let parts = [time, &request.method, path, &request.body].map(str::as_bytes);
    let mut signature = String::new();
    push_base64(&mut signature, &key.code_of(&parts));
    let (_, theirs) = request.headers.iter().find(|(name, _)| name == "OK-ACCESS-SIGN").unwrap();
    assert_eq!(&signature, theirs);
}
