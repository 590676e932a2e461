//! dYdX: transactions, byte for byte with their signature.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use mainspring_core::order::OrderTerms;
use mainspring_core::{InstrumentKind, OrderFlags, OrderType, Side, TimeInForce};
use mainspring_venues::dydx::tx::sign_digest;
use mainspring_venues::dydx::{Dydx, Settings};
use mainspring_venues::listing::{Code, Listing};
use mainspring_venues::operation::{Cancel, Operation, OrderKey, Place};
use mainspring_venues::outgoing::{Outgoing, Via};
use mainspring_venues::secp256k1::{hex, Secp256k1Key};
use mainspring_venues::secret::Secret;
use mainspring_venues::venue::{Network, Venue};

use super::call::{lots, ticks};
use super::hyperliquid::KEY;
use super::shared::{coded, listing};
use super::{conclude, theirs, Theirs, NOW_MS};

const HEIGHT: u32 = 55_000_000;
/// The account number of the vectors.
const ACCOUNT_NUMBER: u64 = 12_345;

fn btc() -> Listing {
    let code = Code::Dydx {
        clob_pair_id: 0,
        atomic_resolution: -10,
        quantum_conversion_exponent: -9,
        step_base_quantums: 1_000_000,
        subticks_per_tick: 100_000,
    };
    coded(listing("dydx", "BTC-USD", InstrumentKind::LinearPerpetual, "1", "0.0001"), code)
}

fn venue(metadata: u32, account_number: u64) -> Dydx {
    let settings = Settings {
        address: "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art".to_owned(),
        account_number,
        router: "dydx165sfn2k3vucvq7gklauy2r3agyjw4c3m60ascn".to_owned(),
        metadata,
        ..Settings::default()
    };
    let mut venue = Dydx::new(settings, Some(Secp256k1Key::new(&Secret::new(KEY)).unwrap()));
    venue.set_height(HEIGHT);
    venue
}

/// The order and the number it has in a case.
fn terms(listing: &Listing, case: &str) -> Option<OrderTerms> {
    let price = ticks(listing, "80000");
    let mut terms = OrderTerms::limit(listing.id, Side::Buy, price, lots(listing, "0.01"));
    match case {
        "limit.gtt" => {}
        "limit.sell.postonly" => {
            terms.side = Side::Sell;
            terms.flags = OrderFlags::POST_ONLY;
        }
        "limit.ioc" => terms.time_in_force = TimeInForce::Ioc,
        "market.buy" => terms = OrderTerms::market(listing.id, Side::Buy, terms.qty),
        "reduceonly" => {
            terms.side = Side::Sell;
            terms.flags = OrderFlags::REDUCE_ONLY;
        }
        "stoploss" => {
            terms.side = Side::Sell;
            terms.order_type = OrderType::StopLimit;
            terms.trigger = ticks(listing, "76000");
        }
        _ => return None,
    }
    Some(terms)
}

fn encoded(venue: &mut Dydx, operation: &Operation<'_>) -> String {
    let mut out = Outgoing::new();
    venue.encode(operation, Via::Http, NOW_MS, &mut out).unwrap();
    let ends = venue.endpoints(Network::Main);
    let host = if out.target.starts_with("/broadcast") { ends.chain } else { ends.rest };
    format!("{host}{}", out.target)
}

fn ours(request: &Theirs, listing: &Listing, number: u32, account_number: u64) -> Option<String> {
    let metadata = u32::from(request.case == "market.buy");
    let mut venue = venue(metadata, account_number);
    if request.url.contains("account_info") || request.url.contains("abci_info") {
        return None;
    }
    let client = number.to_string();
    if let Some(terms) = terms(listing, &request.case) {
        let mut place = Place::new(listing, terms, &client);
        place.worst = Some(ticks(listing, "80000"));
        return Some(encoded(&mut venue, &Operation::Place(place)));
    }
    let cancel = |good_till_s| Cancel { listing, order: OrderKey::Client("12345"), good_till_s };
    Some(match request.case.as_str() {
        "cancel" => encoded(&mut venue, &Operation::Cancel(cancel(0))),
        "cancel.longterm" => encoded(&mut venue, &Operation::Cancel(cancel(LONG_TERM_S))),
        "orderbook" => encoded(&mut venue, &Operation::Book { listing, depth: 20 }),
        "positions" => encoded(&mut venue, &Operation::Positions(None)),
        other => panic!("no call for {other}"),
    })
}

/// When the long-term order of the vectors ends.
const LONG_TERM_S: u32 = 3_400_003_600;

/// The parts of a transaction: body, who signs, signature.
fn parts(url: &str) -> Option<[Vec<u8>; 3]> {
    let bytes = hex(url.split_once("tx=")?.1)?;
    let mut at = 0;
    let mut parts: [Vec<u8>; 3] = Default::default();
    for part in &mut parts {
        let mut length = 0;
        let mut shift = 0;
        at += 1;
        loop {
            let byte = usize::from(*bytes.get(at)?);
            at += 1;
            length |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        *part = bytes.get(at..at + length)?.to_vec();
        at += length;
    }
    Some(parts)
}

/// A transaction of theirs: body, who signs, signature.
type Signed = (Vec<u8>, Vec<u8>, Signature);

/// Theirs when its body is the same bytes as ours, and so is who signs, apart from the public key.
fn same_transaction(ours: &str, theirs: &str) -> Option<Signed> {
    let ([body, auth, _], [their_body, their_auth, signature]) = (parts(ours)?, parts(theirs)?);
    let key_at = |bytes: &[u8]| bytes.windows(2).position(|pair| pair == [0x0a, 0x21]);
    let (own_key, key) = (key_at(&auth)? + 2, key_at(&their_auth)? + 2);
    let mut swapped = auth;
    swapped[own_key..own_key + 33].copy_from_slice(&their_auth[key..key + 33]);
    let same = body == their_body && swapped == their_auth;
    same.then(|| (body, their_auth, Signature::from_slice(&signature).unwrap()))
}

/// The keys that a signature of our digest may be of.
fn signers((body, auth, signature): &Signed, account_number: u64) -> Vec<VerifyingKey> {
    let digest = sign_digest(body, auth, "dydx-mainnet-1", account_number);
    [false, true]
        .into_iter()
        .filter_map(|odd| {
            let id = RecoveryId::new(odd, false);
            VerifyingKey::recover_from_prehash(&digest, signature, id).ok()
        })
        .collect()
}

#[test]
fn requests_are_those_of_ccxt() {
    let Some(all) = theirs("dydx") else { return };
    let btc = btc();
    let (mut equal, mut apart, mut wrong) = (0, Vec::new(), Vec::new());
    let mut signed = Vec::new();
    for request in &all {
        let client = request_client(request).unwrap_or(12_345);
        match ours(request, &btc, client, ACCOUNT_NUMBER) {
            None => apart.push((request.case.clone(), "account and height are read by the caller")),
            Some(url) if url == request.url => equal += 1,
            Some(url) => match same_transaction(&url, &request.url) {
                Some(transaction) => {
                    signed.push(transaction);
                    equal += 1;
                }
                None => wrong.push(format!("{}:\n{url}\nis not\n{}", request.case, request.url)),
            },
        }
    }
    conclude("dydx", equal, &apart, &wrong);
    assert_eq!((equal, signed.len()), (10, 8));
    // Their key is drawn from a mnemonic that is not written down, and the public key in the
    // transactions is no point of the curve. But one key has signed our digests of all eight, for this
    // account number and not for another.
    let one_key = |number| {
        let mut keys = signers(&signed[0], number);
        for transaction in &signed[1..] {
            let these = signers(transaction, number);
            keys.retain(|key| these.contains(key));
        }
        keys.len() == 1
    };
    assert!(one_key(ACCOUNT_NUMBER) && !one_key(ACCOUNT_NUMBER + 1));
}

/// The number of the order in a transaction of theirs: four bytes behind the address.
fn request_client(request: &Theirs) -> Option<u32> {
    let at = request.url.find("6172741")? + 6;
    let hex = request.url.get(at + 2..at + 10)?;
    Some(u32::from_str_radix(hex, 16).ok()?.swap_bytes())
}
