//! dYdX: lasting orders are few, short-term ones many, and cancels wait for neither.

use mainspring_core::report::Account;
use mainspring_core::{RejectReason, Request, Side, VenueEventKind};
use mainspring_venues::listing::Code;
use mainspring_venues::secret::Secret;
use mainspring_venues::session::{SocketId, Told};
use mainspring_venues::table::Opening;

use crate::others::one;
use crate::play::{Play, MS, SECOND, TAG};

pub const MARKETS: &str = r#"{"markets":{"BTC-USD":{"ticker":"BTC-USD","status":"ACTIVE",
"clobPairId":"0","atomicResolution":-10,"quantumConversionExponent":-9,"tickSize":"0.1",
"stepSize":"0.001","stepBaseQuantums":10000000,"subticksPerTick":100000}}}"#;

pub const HEIGHT: &str = r#"{"height":"1000","time":"2026-11-21T10:00:00.000Z"}"#;
pub const DONE: &str = r#"{"jsonrpc":"2.0","id":-1,"result":{"code":0,"codespace":"","log":""}}"#;
const TOO_MANY: &str = r#"{"jsonrpc":"2.0","id":-1,"result":{"code":5001,"codespace":"clob",
"log":"Rate limit exceeded: Block rate limit exceeded"}}"#;

/// A session that has begun, and to which nothing was answered yet.
pub fn begun(short_term: bool) -> Play {
    let code = Code::Dydx {
        clob_pair_id: 0,
        atomic_resolution: -10,
        quantum_conversion_exponent: -9,
        step_base_quantums: 10_000_000,
        subticks_per_tick: 100_000,
    };
    let opening = Opening {
        secret: Some(Secret::new(
            "0x0123456789012345678901234567890123456789012345678901234567890123",
        )),
        account: "dydx1abc".to_owned(),
        tag: TAG,
        short_term,
        ..Opening::default()
    };
    let mut play = Play::of("dydx", &opening, one("dydx", "BTC-USD", code), |_| {});
    play.start(&Account::default());
    play
}

fn dydx(short_term: bool) -> (Play, [SocketId; 2]) {
    let mut play = begun(short_term);
    play.ok("GET", "/v4/height", HEIGHT);
    play.ok("GET", "/v4/perpetualMarkets", MARKETS);
    let market = play.connect("/v4/ws");
    let user = play.connect("/v4/ws");
    play.frame(market, r#"{"type":"connected","connection_id":"a","message_id":0}"#);
    play.frame(user, r#"{"type":"connected","connection_id":"b","message_id":0}"#);
    assert!(play.session.is_up(), "{:?}", play.notes);
    (play, [market, user])
}

/// A session that quotes short-term and is up, and its connection for user events.
pub fn short_term_session() -> (Play, SocketId) {
    let (play, [_, user]) = dydx(true);
    (play, user)
}

/// Places an order; whether it left.
fn quote(play: &mut Play, id: u64) -> bool {
    play.place(id, Side::Buy, 618_000, 5);
    match play.find("GET", "/broadcast_tx_sync") {
        Some(asked) => {
            play.answer(&asked, 200, &[], DONE);
            true
        }
        None => {
            assert_eq!(play.kinds(id), [VenueEventKind::Rejected(RejectReason::Overloaded)]);
            false
        }
    }
}

#[test]
fn a_session_that_quotes_too_fast_knows_it_before_the_chain_refuses() {
    let (mut play, sockets) = dydx(false);
    let mut left = Vec::new();
    for id in 1..=1_200 {
        if quote(&mut play, id) {
            left.push(play.now_ns);
        }
        play.wait_alive(100 * MS, &sockets);
    }
    let since = left[0];
    let within = |span: i64| left.iter().filter(|at| **at - since < span).count();
    assert_eq!(within(SECOND), 2, "two lasting orders a block");
    assert_eq!((within(12 * SECOND), within(100 * SECOND)), (20, 20), "twenty in a hundred blocks");
    assert!(left.len() > 20, "the oldest are forgotten one by one: {}", left.len());
    assert!(!play.noted("rate_limit"), "{:?}", play.notes);
    // What is used up is for new orders alone.
    play.cancel(1);
    play.take("GET", "/broadcast_tx_sync");
}

#[test]
fn short_term_orders_are_not_limited_by_those_that_last() {
    let (mut play, sockets) = dydx(true);
    let mut left = 0;
    for id in 1..=200 {
        left += i32::from(quote(&mut play, id));
        play.wait_alive(50 * MS, &sockets);
    }
    assert_eq!(left, 200, "twenty a second, and nothing of the indexer's budget");
    assert!(play.session.budget_usage().all(|(name, used, _)| !name.contains("long") || used == 0));
}

#[test]
fn a_refusal_for_too_many_orders_does_not_hold_back_cancels() {
    let (mut play, sockets) = dydx(false);
    assert!(quote(&mut play, 1));
    play.place(2, Side::Buy, 618_000, 5);
    let asked = play.take("GET", "/broadcast_tx_sync");
    play.answer(&asked, 200, &[], TOO_MANY);
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::Overloaded)]);
    assert!(play.noted("rate_limit"));
    // At once, not after the second for which nothing new is sent.
    play.cancel(1);
    let cancel = play.take("GET", "/broadcast_tx_sync");
    play.answer(&cancel, 200, &[], DONE);
    assert!(!quote(&mut play, 3));
    play.wait_alive(1_200 * MS, &sockets);
    assert!(quote(&mut play, 4));
}

#[test]
fn a_node_that_takes_nothing_is_left_alone_by_cancels_too() {
    let (mut play, sockets) = dydx(false);
    assert!(quote(&mut play, 1));
    play.place(2, Side::Buy, 618_000, 5);
    let asked = play.take("GET", "/broadcast_tx_sync");
    play.answer(&asked, 429, &[("Retry-After", "2")], "");
    play.cancel(1);
    assert!(play.find("GET", "/broadcast_tx_sync").is_none());
    play.wait_alive(2_200 * MS, &sockets);
    play.take("GET", "/broadcast_tx_sync");
}

/// Fills of others, from the newest on; a block has two of them.
fn fills(newest: u64, oldest: u64) -> String {
    let fill = |n: u64| {
        let (second, millis) = (n / 2 / 1_000, n / 2 % 1_000);
        format!(
            r#"{{"id":"{n}","side":"BUY","liquidity":"MAKER","type":"LIMIT","market":"BTC-USD","price":"61800","size":"0.001","fee":"0.01","orderId":"abc","createdAt":"2026-11-21T09:59:{second:02}.{millis:03}Z"}}"#
        )
    };
    let rows: Vec<String> = (oldest..=newest).rev().map(fill).collect();
    format!(r#"{{"fills":[{}]}}"#, rows.join(","))
}

#[test]
fn orders_open_by_best_effort_are_listed_and_fills_are_read_back_to_the_time_asked_for() {
    let (mut play, _) = dydx(true);
    // From 09:59:00.500 on: fills 1,000 and later.
    let since_ns = play.now_ns - 59_500 * MS;
    play.request(Request::AccountQuery { venue: 0, since_ns });
    let asked = play.ok("GET", "/v4/orders", "[]");
    assert_eq!(
        asked.param("status").as_deref(),
        Some("OPEN%2CBEST_EFFORT_OPENED%2CUNTRIGGERED"),
        "short-term orders are open by the best effort of a validator"
    );
    let asked = play.ok("GET", "/v4/fills", &fills(2_500, 1_501));
    assert_eq!(asked.param("createdBeforeOrAt"), None);
    // The block that the answer ends in is told twice.
    let asked = play.ok("GET", "/v4/fills", &fills(1_501, 502));
    let before = "2026-11-21T09%3A59%3A00.750Z";
    assert_eq!(asked.param("createdBeforeOrAt").as_deref(), Some(before));
    assert!(play.find("GET", "/v4/fills").is_none(), "what is older was not asked for");
    play.ok("GET", "/v4/perpetualPositions", r#"{"positions":[]}"#);
    let path = "/v4/addresses/dydx1abc/subaccountNumber/0";
    play.ok("GET", path, r#"{"subaccount":{"openPerpetualPositions":{},"assetPositions":{}}}"#);
    let account = play.others().into_iter().find_map(|told| match told {
        Told::Account(account) => Some(account),
        _ => None,
    });
    assert_eq!(account.unwrap().foreign.len(), 1_999, "each once");
}
