//! Every real message of the fixtures decodes, or is refused with a reason; both are counted.
//!
//! The fixtures do not say what they answer to, so each text is given to every reader of its venue: the
//! market data, the user stream, the list of instruments, and the answers to each kind of request. It
//! decodes when one of them finds something in it that sessions use.

mod shared;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use mainspring_core::order::OrderTerms;
use mainspring_core::{InstrumentKind, Lots, Side, Ticks};
use mainspring_venues::fact::Fact;
use mainspring_venues::feed::{FeedEvent, Sides};
use mainspring_venues::listing::{Code, Listing};
use mainspring_venues::operation::{Amend, Cancel, Operation, OrderKey};
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::secret::Secret;
use mainspring_venues::table::{open, Opening};
use mainspring_venues::venue::Venue;
use serde_json::Value;

/// The codecs that a venue's fixtures are given to.
const CODECS: [(&str, &[&str]); 5] = [
    ("binance", &["binance", "binance_usdm"]),
    ("okx", &["okx"]),
    ("bybit", &["bybit", "bybit_spot", "bybit_inverse"]),
    ("hyperliquid", &["hyperliquid", "hyperliquid_spot"]),
    ("dydx", &["dydx"]),
];

/// What must decode of each venue, so that a codec that refuses everything does not pass.
const LEAST: [(&str, usize); 5] =
    [("binance", 196), ("okx", 81), ("bybit", 209), ("hyperliquid", 24), ("dydx", 39)];

#[test]
fn every_message_decodes_or_is_refused_with_a_reason() {
    for ((venue, codecs), (_, least)) in CODECS.iter().zip(LEAST) {
        let Some(folder) = shared::shared(&format!("venues/{venue}")) else { return };
        let mut texts = Vec::new();
        collect(&folder, &mut texts);
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        let mut decoded = 0;
        for (file, text) in &texts {
            let outcome = outcome(codecs, text);
            decoded += usize::from(outcome.starts_with("decoded"));
            if std::env::var_os("SHOW_REFUSALS").is_some() && !outcome.starts_with("decoded") {
                println!(
                    "{file}: {outcome}: {}",
                    String::from_utf8_lossy(&text[..text.len().min(150)])
                );
            }
            *outcomes.entry(outcome).or_default() += 1;
        }
        println!(
            "{venue}: {} messages, {decoded} decoded, {} refused",
            texts.len(),
            texts.len() - decoded
        );
        for (outcome, count) in &outcomes {
            println!("  {count:5} {outcome}");
        }
        assert!(decoded >= least, "{venue}: {decoded} decoded");
    }
}

/// What came of a text: where it decoded, or the reason of the refusal.
fn outcome(codecs: &[&str], text: &[u8]) -> String {
    let mut reason = String::from("refused: of a kind that sessions do not use");
    for name in codecs {
        let mut venue = codec(name);
        match market(venue.as_mut(), text) {
            Ok(Some(kind)) => return format!("decoded: {kind}"),
            Ok(None) => {}
            Err(_) if !text.starts_with(b"{") => {}
            Err(what) => reason = format!("refused: {what}"),
        }
        match account(venue.as_mut(), text) {
            Ok(true) => return "decoded: account".to_owned(),
            Ok(false) => {}
            // Lists are answers: no user stream sends one.
            Err(_) if text.starts_with(b"[") => {}
            Err(what) => reason = format!("refused: {what}"),
        }
        if venue.instruments(text).is_ok_and(|list| !list.is_empty()) {
            return "decoded: instruments".to_owned();
        }
        if answers(venue.as_mut(), text) {
            return "decoded: answer".to_owned();
        }
    }
    reason
}

fn codec(name: &str) -> Box<dyn Venue> {
    let secret = match name {
        "hyperliquid" | "hyperliquid_spot" | "dydx" => "01".repeat(32),
        _ => "secret".to_owned(),
    };
    let opening = Opening {
        key: Some(Secret::new("key")),
        secret: Some(Secret::new(secret)),
        passphrase: Some(Secret::new("passphrase")),
        account: "account".to_owned(),
        ..Opening::default()
    };
    open(name, &opening).unwrap()
}

fn market(venue: &mut dyn Venue, text: &[u8]) -> Result<Option<&'static str>, String> {
    let mut kind = None;
    let read = venue.market(text, &mut Sides::default(), &mut |event| {
        kind = kind.or(match event {
            FeedEvent::Book(_) => Some("book"),
            FeedEvent::Trade(_) => Some("trade"),
            FeedEvent::Best(_) => Some("best prices"),
            FeedEvent::Mark(_) => Some("mark price and funding"),
            FeedEvent::Other(_) => None,
        });
    });
    read.map(|()| kind).map_err(|refusal| refusal.to_string())
}

fn account(venue: &mut dyn Venue, text: &[u8]) -> Result<bool, String> {
    let mut found = false;
    venue.user(text, &mut |fact| found |= !matches!(fact, Fact::Other(_)))?;
    Ok(found)
}

/// Whether the text is the answer to any request, success or failure with the venue's code.
fn answers(venue: &mut dyn Venue, text: &[u8]) -> bool {
    let listing = listing();
    let operations = operations(&listing);
    for operation in &operations {
        for via in [Via::Http, Via::Socket { id: 1 }] {
            let mut out = Outgoing::new();
            if venue.encode(operation, via, 1_700_000_000_000, &mut out).is_err() {
                continue;
            }
            let mut found = false;
            let read = venue.answer(&out, &Reply::new(200, text), &mut |fact| {
                found |= !matches!(fact, Fact::Other(_));
            });
            let failure = read.is_err_and(|failure| !failure.code.is_empty());
            if found || failure {
                return true;
            }
        }
    }
    false
}

fn listing() -> Listing {
    let code = Code::Hyperliquid { asset: 0, size_decimals: 5 };
    let one = shared::listing("x", "BTCUSDT", InstrumentKind::LinearPerpetual, "0.1", "0.001");
    shared::coded(one, code)
}

fn operations(listing: &Listing) -> [Operation<'_>; 8] {
    let cancel = Cancel { listing, order: OrderKey::Venue("1"), good_till_s: 0 };
    let terms = OrderTerms::limit(listing.id, Side::Buy, Ticks(1_000), Lots(5));
    let amend = Amend {
        listing,
        order: OrderKey::Venue("1"),
        side: Side::Buy,
        terms,
        price: Ticks(1_001),
        qty: Lots(5),
        filled: Lots(0),
        client: "",
    };
    [
        Operation::Amend(amend),
        Operation::Query { listing, order: OrderKey::Venue("1") },
        Operation::Cancel(cancel),
        Operation::OpenOrders(Some(listing)),
        Operation::Fills { listing, since_ms: 1_700_000_000_000, limit: 10 },
        Operation::Balances,
        Operation::Positions(None),
        Operation::Time,
    ]
}

/// Every JSON text under a folder, request vectors and error tables apart.
fn collect(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped =
            ["ccxt-", "signing-vectors", "README"].iter().any(|part| name.starts_with(part));
        if path.is_dir() && !skipped {
            collect(&path, into);
        } else if !skipped {
            texts(&path, &name, into);
        }
    }
}

fn texts(path: &Path, name: &str, into: &mut Vec<(String, Vec<u8>)>) {
    let mut bytes = std::fs::read(path).unwrap();
    let mut name = name.to_owned();
    if let Some(inner) = name.strip_suffix(".gz") {
        let mut plain = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        (bytes, name) = (plain, inner.to_owned());
    }
    let Ok(text) = String::from_utf8(bytes) else { return };
    let mut add = |value: Value| into.push((name.clone(), serde_json::to_vec(&value).unwrap()));
    match name.rsplit('.').next().unwrap() {
        "jsonl" => {
            for line in text.lines() {
                let value: Value = serde_json::from_str(line).unwrap();
                add(value.get("json").cloned().unwrap_or(value));
            }
        }
        "txt" => parts(&text).into_iter().for_each(&mut add),
        "json" => {
            // Some have comments, some hold several texts.
            let Ok(value) = serde_json::from_str::<Value>(&text) else {
                parts(&without_comments(&text)).into_iter().for_each(&mut add);
                return;
            };
            // Recorded pairs of request and answer.
            match value.as_array() {
                Some(list)
                    if list.iter().all(|one| one.get("response").is_some()) && !list.is_empty() =>
                {
                    list.iter().for_each(|one| add(one["response"].clone()));
                }
                _ => add(value),
            }
        }
        "json5" => parts(&without_comments(&text)).into_iter().for_each(&mut add),
        _ => {}
    }
}

/// The JSON texts of a file that has other lines among them; placeholders become a number.
fn parts(text: &str) -> Vec<Value> {
    let text = text.replace("\"|1|\"", "1").replace("\"|2|\"", "2").replace("|1|", "1");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '[']) {
        let mut stream = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let end = at + stream.byte_offset();
                // What the client sends is not for us to read.
                let sent = rest[..at].trim_end().ends_with('>');
                if !sent {
                    found.push(value);
                }
                rest = &rest[end..];
            }
            _ => rest = &rest[at + 1..],
        }
    }
    found
}

fn without_comments(text: &str) -> String {
    let line = |line: &str| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
