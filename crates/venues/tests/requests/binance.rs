//! Binance spot and USD-M.

use mainspring_core::InstrumentKind;
use mainspring_venues::binance::{Binance, Market, Settings};
use mainspring_venues::client_id::ClientIds;
use mainspring_venues::operation::{Operation, Place};
use mainspring_venues::secret::Secret;
use mainspring_venues::sign::{Credentials, HmacKey};

use super::call::{self, Sizes};
use super::shared::listing;
use super::{conclude, ours, same, theirs, Theirs};

const SIZES: Sizes = Sizes {
    price: "25000",
    qty: "0.01",
    amended_qty: "0.02",
    odd_price: "25000.31",
    odd_qty: "0.012",
};

fn venue(market: Market) -> Binance {
    let secret = Secret::new("TESTSECRET9876543210");
    let credentials = Credentials::hmac(Secret::new("TESTAPIKEY0123456789"), &secret).unwrap();
    let settings = Settings { recv_window_ms: 10_000, ..Settings::default() };
    Binance::new(market, settings, Some(credentials))
}

/// The value of a parameter in a query or form.
fn parameter<'a>(request: &'a Theirs, names: &[&str]) -> &'a str {
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    [request.body.as_str(), query]
        .into_iter()
        .flat_map(|part| part.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| names.contains(name))
        .map_or("", |(_, value)| value)
}

const APART: [(&str, &str); 3] = [
    (
        "perp.batch",
        "ours is percent-encoded before signing, as the venue has asked since January 2026",
    ),
    ("perp.cancel.batch", "the parameter is orderIdList in the venue's documents"),
    ("perp.marginmode", "they pass a leverage that this request does not have"),
];

#[test]
fn requests_are_those_of_ccxt() {
    let Some(all) = theirs("binance") else { return };
    let spot_listing = listing("binance", "BTCUSDT", InstrumentKind::Spot, "0.01", "0.00001");
    let perp_listing =
        listing("binance_usdm", "BTCUSDT", InstrumentKind::LinearPerpetual, "0.01", "0.001");
    let (mut spot, mut futures) = (venue(Market::Spot), venue(Market::Futures));
    let (mut equal, mut apart, mut wrong) = (0, Vec::new(), Vec::new());
    for request in &all {
        let (market, case) = request.case.split_once('.').unwrap_or(("spot", &request.case));
        let is_spot = market == "spot";
        let (venue, listing) =
            if is_spot { (&mut spot, &spot_listing) } else { (&mut futures, &perp_listing) };
        let sizes = Sizes { odd_qty: if is_spot { "0.01234" } else { "0.012" }, ..SIZES };
        let client = parameter(request, &["newClientOrderId", "clientAlgoId"]);
        let mut places = Vec::new();
        let cancels = call::two_cancels(listing);
        let operation = match call::terms(listing, &sizes, case) {
            Some(terms) => {
                let mut place = Place::new(listing, terms, client);
                if parameter(request, &["quoteOrderQty"]) == "250" {
                    place.quote_amount = Some("250".parse().unwrap());
                }
                Operation::Place(place)
            }
            None => match case {
                "batch" => {
                    let clients =
                        ["x-cvBPrNm90000000000000000000025", "x-cvBPrNm90000000000000000000026"];
                    places.extend(call::batch(listing, &sizes, clients));
                    Operation::PlaceMany(&places)
                }
                "cancel.batch" => Operation::CancelMany(&cancels),
                "positions" => Operation::MarginTiers(None),
                _ => call::other(listing, &sizes, case, client, "myid123")
                    .unwrap_or_else(|| panic!("no call for {}", request.case)),
            },
        };
        let out = ours(venue, &operation).unwrap();
        match same(venue, &out, request) {
            Ok(()) => equal += 1,
            Err(difference) => match APART.iter().find(|(case, _)| *case == request.case) {
                Some((_, why)) => {
                    check_apart(request, &out);
                    apart.push((request.case.clone(), *why));
                }
                None => wrong.push(format!("{}: {difference}", request.case)),
            },
        }
    }
    conclude("binance", equal, &apart, &wrong);
    assert_eq!((equal, apart.len()), (51, 3));
}

/// The same path and the same parameters once decoded and without what the reason names, and their
/// signature is ours over their bytes.
fn check_apart(request: &Theirs, out: &mainspring_venues::outgoing::Outgoing) {
    let path = request.url.split('?').next().unwrap();
    assert!(path.ends_with(out.path()), "{path} {}", out.path());
    let (payload, signature) = payload(request);
    let key = HmacKey::new(&Secret::new("TESTSECRET9876543210")).unwrap();
    let code: String = key.code(payload.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(code, signature);
    let decoded = |text: &str| {
        let text = text.replace("%5B", "[").replace("%5D", "]").replace("%2C", ",");
        let text = text.replace("%7B", "{").replace("%7D", "}").replace("%22", "\"");
        let mut pairs: Vec<String> = text
            .replace("%3A", ":")
            .split('&')
            .filter(|pair| !pair.starts_with("signature="))
            .map(|pair| pair.replace("orderIdList", "orderidlist"))
            .collect();
        pairs.retain(|pair| request.case != "perp.marginmode" || pair != "leverage=5");
        pairs.sort();
        pairs
    };
    let own = if out.body.is_empty() { out.target.split_once('?').unwrap().1 } else { &out.body };
    let body = request.url.split_once('?').map_or(request.body.as_str(), |(_, query)| query);
    assert_eq!(decoded(own), decoded(body), "{}", request.case);
}

fn payload(request: &Theirs) -> (&str, &str) {
    let text = request.url.split_once('?').map_or(request.body.as_str(), |(_, query)| query);
    text.rsplit_once("&signature=").unwrap()
}

#[test]
fn our_client_ids_are_of_a_form_that_the_venue_takes() {
    let ids = ClientIds::new(mainspring_venues::client_id::ClientIdForm::Text, u32::MAX);
    let mut text = String::new();
    assert!(ids.write(mainspring_core::ClientOrderId(u64::MAX), &mut text));
    // ^[\.A-Z\:/a-z0-9_-]{1,36}$
    assert!(text.len() <= 36 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
}
