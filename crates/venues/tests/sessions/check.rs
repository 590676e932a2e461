//! The look at a venue before money is at risk.

use mainspring_venues::secret::Secret;
use mainspring_venues::session::check::{CheckReport, CheckUp};
use mainspring_venues::session::{Effect, Input, Outbox, Session};
use mainspring_venues::table::{open, Opening};
use mainspring_venues::venue::Network;

use crate::play::{server_time, BEGIN_NS, INFO, MS};

/// Answers each question by its path; `None` is a question that is refused.
fn check(
    venue: &str,
    symbols: &[&str],
    answer: impl Fn(&str) -> Option<String>,
) -> (CheckReport, usize) {
    let opening = Opening {
        key: Some(Secret::new("k")),
        secret: Some(Secret::new("s")),
        passphrase: Some(Secret::new("p")),
        ..Opening::default()
    };
    let codec = open(venue, &opening).unwrap();
    let addresses = codec.endpoints(Network::Main).into();
    let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
    let mut check = CheckUp::new(codec, addresses, symbols, true);
    let (mut out, mut now_ns) = (Outbox::new(), BEGIN_NS);
    check.start(now_ns, &mut out);
    while let Some(effect) = out.effects.pop() {
        let Effect::Http { id, url, method, .. } = effect else { panic!("only questions") };
        assert_eq!(method.name(), "GET", "nothing is changed: {url}");
        out.clear();
        now_ns += 10 * MS;
        let path = url.split_once(".com").unwrap().1.split('?').next().unwrap();
        let said = answer(path);
        let status = if said.is_some() { 200 } else { 404 };
        let body = said.unwrap_or_default();
        check.handle(
            Input::Response { id, status, headers: &[], body: body.as_bytes() },
            now_ns,
            &mut out,
        );
    }
    assert!(check.is_done());
    (check.report().clone(), check.listings().len())
}

fn spot(path: &str) -> Option<String> {
    Some(match path {
        "/api/v3/time" => server_time(BEGIN_NS / MS + 405),
        "/api/v3/exchangeInfo" => INFO.to_owned(),
        "/sapi/v1/account/apiRestrictions" => r#"{"ipRestrict":false,"enableWithdrawals":true,"enableSpotAndMarginTrading":true,"enableFutures":false}"#.to_owned(),
        "/api/v3/account" => r#"{"canTrade":true,"canWithdraw":true,"balances":[{"asset":"BTC","free":"1","locked":"0.5"},{"asset":"ETH","free":"0","locked":"0"}]}"#.to_owned(),
        "/api/v3/account/commission" => r#"{"symbol":"BTCUSDT","standardCommission":{"maker":"0.0008","taker":"0.001","buyer":"0","seller":"0"}}"#.to_owned(),
        "/api/v3/openOrders" => "[]".to_owned(),
        _ => return None,
    })
}

#[test]
fn a_key_that_may_withdraw_is_warned_of() {
    let (report, listings) = check("binance", &["BTCUSDT"], spot);
    assert!(report.passed(), "{:?}", report.problems);
    assert_eq!((report.may_trade, report.may_withdraw), (Some(true), Some(true)));
    assert!(report.warnings.iter().any(|text| text.contains("withdrawals are allowed")));
    assert!(report.warnings.iter().any(|text| text.contains("any address")));
    assert!(report.warnings.iter().any(|text| text.contains("ms behind")), "{:?}", report.warnings);
    assert_eq!(report.instruments[0].taker_fee, Some("0.001".parse().unwrap()));
    assert_eq!(report.balances.len(), 1);
    assert_eq!((report.clock_error_ms, listings), (Some(5), 1));
}

#[test]
fn rights_of_the_account_stand_in_for_those_of_the_key() {
    let (report, _) = check("binance", &["BTCUSDT"], |path| match path {
        "/sapi/v1/account/apiRestrictions" => None,
        "/api/v3/account" => {
            Some(r#"{"canTrade":false,"canWithdraw":false,"balances":[]}"#.to_owned())
        }
        path => spot(path),
    });
    assert_eq!(report.problems, ["the key may not trade"]);
}

#[test]
fn what_is_not_listed_or_not_trading_stops_the_start() {
    let (report, _) = check("binance", &["BTCUSDT", "NOSUCH"], |path| match path {
        "/api/v3/exchangeInfo" => Some(INFO.replace("TRADING", "BREAK")),
        path => spot(path),
    });
    assert!(report.problems.iter().any(|text| text.contains("NOSUCH")));
    assert!(report.problems.iter().any(|text| text.contains("no orders in BTCUSDT")));
}

#[test]
fn hedge_mode_stops_the_start() {
    let (report, _) = check("binance_usdm", &["BTCUSDT"], |path| {
        Some(match path {
            "/fapi/v1/time" => server_time(BEGIN_NS / MS),
            "/fapi/v1/exchangeInfo" => INFO.to_owned(),
            "/fapi/v2/account" => r#"{"canTrade":true,"canWithdraw":false}"#.to_owned(),
            "/fapi/v3/account" => r#"{"assets":[{"asset":"USDT","walletBalance":"5"}],"positions":[]}"#.to_owned(),
            "/fapi/v1/positionSide/dual" => r#"{"dualSidePosition":true}"#.to_owned(),
            "/fapi/v1/commissionRate" => r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0004"}"#.to_owned(),
            "/fapi/v3/positionRisk" | "/fapi/v1/openOrders" => "[]".to_owned(),
            _ => return None,
        })
    });
    assert!(report.problems.iter().any(|text| text.contains("one-way mode")), "{report:?}");
    assert_eq!(report.instruments[0].maker_fee, Some("0.0002".parse().unwrap()));
}

#[test]
fn the_others_tell_rights_in_their_own_ways() {
    let (report, _) = check("okx", &[], |path| {
        Some(match path {
            "/api/v5/public/time" => r#"{"code":"0","data":[{"ts":"1795255200000"}]}"#.to_owned(),
            "/api/v5/account/config" => r#"{"code":"0","data":[{"perm":"read_only,withdraw,trade","ip":"10.0.0.1","posMode":"long_short_mode"}]}"#.to_owned(),
            _ => r#"{"code":"0","data":[]}"#.to_owned(),
        })
    });
    assert_eq!((report.may_trade, report.may_withdraw), (Some(true), Some(true)));
    assert_eq!((report.bound_to_address, report.hedge_mode), (Some(true), Some(true)));
    let (report, _) = check("bybit", &[], |path| {
        Some(match path {
            "/v5/market/time" => r#"{"retCode":0,"result":{"timeNano":"1795255200000000000"},"time":1795255200000}"#.to_owned(),
            "/v5/user/query-api" => r#"{"retCode":0,"result":{"readOnly":0,"ips":["*"],"permissions":{"ContractTrade":["Order","Position"],"Spot":["SpotTrade"],"Wallet":["AccountTransfer"]}}}"#.to_owned(),
            _ => r#"{"retCode":0,"result":{"list":[]}}"#.to_owned(),
        })
    });
    assert_eq!((report.may_trade, report.may_withdraw), (Some(true), Some(false)));
    assert_eq!(report.bound_to_address, Some(false));
}

/// Futures of Binance, of which the newest is delivered so many days after the look.
fn dated(days: i64) -> CheckReport {
    let delivered_ms = BEGIN_NS / MS + days * 86_400_000;
    let (report, _) = check("binance_usdm", &["BTCUSDT_261225"], |path| {
        Some(match path {
            "/fapi/v1/time" => server_time(BEGIN_NS / MS),
            "/fapi/v1/exchangeInfo" => INFO
                .replace("\"BTCUSDT\"", "\"BTCUSDT_261225\"")
                .replace(r#""contractType":"PERPETUAL""#, &format!(r#""contractType":"CURRENT_QUARTER","deliveryDate":{delivered_ms}"#)),
            "/fapi/v2/account" => r#"{"canTrade":true,"canWithdraw":false}"#.to_owned(),
            "/fapi/v3/account" => r#"{"assets":[],"positions":[]}"#.to_owned(),
            "/fapi/v1/positionSide/dual" => r#"{"dualSidePosition":false}"#.to_owned(),
            "/fapi/v1/commissionRate" => r#"{"symbol":"BTCUSDT_261225","makerCommissionRate":"0.0002","takerCommissionRate":"0.0004"}"#.to_owned(),
            "/fapi/v3/positionRisk" | "/fapi/v1/openOrders" => "[]".to_owned(),
            _ => return None,
        })
    });
    report
}

#[test]
fn a_dated_future_is_named_as_such_and_not_traded_on_its_last_day() {
    let far = dated(30);
    assert!(far.passed(), "{:?}", far.problems);
    let said = "BTCUSDT_261225 is a dated future, delivered at 2026-12-21T10:00:00.000Z";
    assert!(far.warnings.iter().any(|text| text.starts_with(said)), "{:?}", far.warnings);
    let near = dated(0);
    assert!(near.problems.iter().any(|text| text.contains("within a day")), "{near:?}");
}
