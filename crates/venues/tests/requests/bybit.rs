//! Bybit.

use mainspring_core::{InstrumentKind, OrderFlags};
use mainspring_venues::bybit::{Bybit, Category, Settings};
use mainspring_venues::operation::{Operation, Place};
use mainspring_venues::outgoing::Outgoing;
use mainspring_venues::secret::Secret;
use mainspring_venues::sign::{Credentials, HmacKey};

use super::call::{self, Sizes};
use super::shared::listing;
use super::{conclude, ours, same, theirs, Theirs};

const SIZES: Sizes = Sizes {
    price: "25000",
    qty: "0.01",
    amended_qty: "0.02",
    odd_price: "25000.3",
    odd_qty: "0.0123",
};

fn venue(category: Category) -> Bybit {
    let secret = Secret::new("TESTSECRET9876543210");
    let credentials = Credentials::hmac(Secret::new("TESTAPIKEY0123456789"), &secret).unwrap();
    Bybit::new(Settings { category, ..Settings::default() }, Some(credentials))
}

fn why(case: &str) -> Option<&'static str> {
    Some(match case {
        "spot.cancel.clientid" | "perp.cancel.clientid" => {
            "the parameter is orderLinkId in the venue's documents"
        }
        "perp.orderbook" => "the category is required by the venue's documents",
        "perp.marginmode" => "they pass a leverage that this request does not have",
        _ => return None,
    })
}

#[test]
fn requests_are_those_of_ccxt() {
    let Some(all) = theirs("bybit") else { return };
    let spot = listing("bybit_spot", "BTCUSDT", InstrumentKind::Spot, "0.1", "0.0001");
    let perp = listing("bybit", "BTCUSDT", InstrumentKind::LinearPerpetual, "0.1", "0.001");
    let (mut spot_venue, mut perp_venue) = (venue(Category::Spot), venue(Category::Linear));
    let (mut equal, mut apart, mut wrong) = (0, Vec::new(), Vec::new());
    for request in &all {
        let (market, case) = request.case.split_once('.').unwrap_or(("spot", &request.case));
        let is_spot = market == "spot";
        let (venue, listing) =
            if is_spot { (&mut spot_venue, &spot) } else { (&mut perp_venue, &perp) };
        let sizes = match is_spot {
            true => SIZES,
            false => Sizes { odd_price: "25000.5", odd_qty: "0.012", ..SIZES },
        };
        let client = if request.body.contains("myid123") { "myid123" } else { "" };
        let cancels = call::two_cancels(listing);
        let mut places = Vec::new();
        let operation = match call::terms(listing, &sizes, case) {
            Some(mut terms) => {
                // Their stop losses and take profits close.
                if case.contains("stoploss") || case.contains("takeprofit") {
                    terms.flags = OrderFlags::REDUCE_ONLY;
                }
                let mut place = Place::new(listing, terms, client);
                if request.body.contains("\"qty\":\"250\"") {
                    place.quote_amount = Some("250".parse().unwrap());
                }
                Operation::Place(place)
            }
            None => match case {
                "batch" => {
                    places.extend(call::batch(listing, &sizes, ["", ""]));
                    Operation::PlaceMany(&places)
                }
                "cancel.batch" => Operation::CancelMany(&cancels),
                _ => call::other(listing, &sizes, case, "", "myid123").unwrap(),
            },
        };
        let out = ours(venue, &operation).unwrap();
        match (same(venue, &out, request), why(&request.case)) {
            (Ok(()), _) => equal += 1,
            (Err(_), Some(why)) => {
                check_apart(request, &out);
                apart.push((request.case.clone(), why));
            }
            (Err(difference), None) => wrong.push(format!("{}: {difference}", request.case)),
        }
    }
    conclude("bybit", equal, &apart, &wrong);
    assert_eq!((equal, apart.len()), (50, 4));
}

/// The same address, and their signature is ours over their bytes.
fn check_apart(request: &Theirs, out: &Outgoing) {
    let path = request.url.strip_prefix("https://api.bybit.com").unwrap();
    assert_eq!(path.split('?').next().unwrap(), out.path());
    let Some((_, theirs)) = request.headers.iter().find(|(name, _)| name == "X-BAPI-SIGN") else {
        return;
    };
    let key = HmacKey::new(&Secret::new("TESTSECRET9876543210")).unwrap();
    let payload = path.split_once('?').map_or(request.body.as_str(), |(_, query)| query);
    let parts = ["1700000000000", "TESTAPIKEY0123456789", "5000", payload].map(str::as_bytes);
    let code: String = key.code_of(&parts).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(&code, theirs);
}
