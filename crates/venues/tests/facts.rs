//! What user events and answers mean, in every venue's dialect.

use mainspring_core::{CancelReason, RejectReason};
use mainspring_venues::fact::{Fact, FillOrigin, Notice, OrderStatus};
use mainspring_venues::failure::{Failure, FailureClass, Partial};
use mainspring_venues::operation::Operation;
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::table::{open, Opening};

/// The facts of a user event, in short words.
fn facts(venue: &str, text: &str) -> Vec<String> {
    let opening = Opening { account: "a".to_owned(), ..Opening::default() };
    let mut codec = open(venue, &opening).unwrap();
    let mut words = Vec::new();
    codec
        .user(text.as_bytes(), &mut |fact| {
            words.push(match fact {
                Fact::Order(one) => format!("{} {:?}", one.client, one.status),
                Fact::Fill(one) => {
                    let maker =
                        one.maker.map_or("?", |maker| if maker { "maker" } else { "taker" });
                    let fee = one.fee.map(|fee| format!(" fee {fee} {}", one.fee_currency));
                    format!(
                        "{} x {} {maker} {:?}{}",
                        one.price,
                        one.qty,
                        one.origin,
                        fee.unwrap_or_default()
                    )
                }
                Fact::Balance(one) => format!("{} {}", one.currency, one.total),
                Fact::Position(one) => format!("{} {}", one.symbol, one.qty),
                Fact::Payment { currency, amount } => format!("paid {amount} {currency}"),
                Fact::Notice(notice) => format!("{notice:?}"),
                Fact::Failed { at, failure, .. } => format!("{at} failed: {failure}"),
                Fact::More(after) => format!("more {after}"),
                Fact::Other(name) => format!("other {name}"),
                Fact::Rights(rights) => format!("{rights:?}"),
                Fact::Fees { maker, taker, .. } => format!("fees {maker} {taker}"),
            });
        })
        .unwrap();
    words
}

fn status(status: OrderStatus) -> String {
    format!("c1 {status:?}")
}

/// A post-only order that would take, in the five dialects that tell it by an event.
#[test]
fn a_post_only_order_that_would_take_is_rejected() {
    let reason = Some(RejectReason::PostOnlyWouldTake);
    let wanted = format!("1 {:?}", OrderStatus::Rejected(reason));
    let events = [
        (
            "binance_usdm",
            r#"{"e":"ORDER_TRADE_UPDATE","o":{"s":"BTCUSDT","c":"c1","S":"BUY","o":"LIMIT","f":"GTX","q":"1","p":"2","x":"EXPIRED","X":"EXPIRED","i":1,"l":"0","z":"0","L":"0","T":1700000000000,"t":0,"m":false}}"#,
        ),
        (
            "okx",
            r#"{"arg":{"channel":"orders"},"data":[{"instId":"BTC-USDT-SWAP","clOrdId":"c1","ordId":"1","state":"canceled","cancelSource":"31","ordType":"post_only","accFillSz":"0","px":"2","sz":"1","side":"buy","uTime":"1700000000000"}]}"#,
        ),
        (
            "bybit",
            r#"{"topic":"order","data":[{"symbol":"BTCUSDT","orderId":"1","orderLinkId":"c1","side":"Buy","orderStatus":"Cancelled","rejectReason":"EC_PostOnlyWillTakeLiquidity","cumExecQty":"0","price":"2","qty":"1","updatedTime":"1700000000000"}]}"#,
        ),
        (
            "hyperliquid",
            r#"{"channel":"orderUpdates","data":[{"order":{"coin":"BTC","side":"B","limitPx":"2","sz":"1","oid":1,"timestamp":1700000000000,"origSz":"1","cloid":"c1"},"status":"badAloPxRejected","statusTimestamp":1700000000000}]}"#,
        ),
        (
            "dydx",
            r#"{"type":"channel_data","channel":"v4_subaccounts","contents":{"orders":[{"id":"x","clientId":"1","ticker":"BTC-USD","side":"BUY","size":"1","price":"2","status":"BEST_EFFORT_CANCELED","removalReason":"ORDER_REMOVAL_REASON_POST_ONLY_WOULD_CROSS_MAKER_ORDER","totalFilled":"0"}]}}"#,
        ),
    ];
    for (venue, text) in events {
        let got = facts(venue, text);
        assert!(got.len() == 1 && got[0].ends_with(&wanted), "{venue}: {got:?}");
    }
}

#[test]
fn fills_of_the_exchange_itself_are_told_apart() {
    let event = |client: &str, execution: &str| {
        format!(
            r#"{{"e":"ORDER_TRADE_UPDATE","o":{{"s":"BTCUSDT","c":"{client}","S":"SELL","o":"LIMIT","f":"IOC","q":"1","p":"2","x":"{execution}","X":"FILLED","i":1,"l":"1","z":"1","L":"2","N":"USDT","n":"0.5","T":1700000000000,"t":9,"m":false}}}}"#
        )
    };
    for (client, execution, origin) in [
        ("c1", "TRADE", FillOrigin::Book),
        ("autoclose-1", "CALCULATED", FillOrigin::Liquidation),
        ("adl_autoclose", "TRADE", FillOrigin::Deleveraging),
        ("settlement_autoclose-1", "TRADE", FillOrigin::Settlement),
        ("delivery_autoclose-1", "TRADE", FillOrigin::Settlement),
    ] {
        let words = facts("binance_usdm", &event(client, execution));
        assert_eq!(words[0], format!("2 x 1 taker {origin:?} fee 0.5 USDT"));
    }
    let okx = r#"{"arg":{"channel":"orders"},"data":[{"instId":"A-B-SWAP","clOrdId":"","ordId":"1","state":"filled","category":"adl","accFillSz":"1","fillSz":"1","fillPx":"2","tradeId":"9","fillFee":"-0.5","fillFeeCcy":"USDT","execType":"T","sz":"1","side":"buy"}]}"#;
    assert_eq!(facts("okx", okx)[0], "2 x 1 taker Deleveraging fee 0.5 USDT");
    let hyperliquid = r#"{"channel":"userFills","data":{"isSnapshot":true,"user":"0x0","fills":[{"coin":"BTC","px":"2","sz":"1","side":"A","time":1700000000000,"dir":"Liquidated Cross Long","oid":1,"crossed":false,"fee":"-0.5","tid":3,"feeToken":"USDC"}]}}"#;
    assert_eq!(facts("hyperliquid", hyperliquid), ["2 x 1 maker Liquidation fee -0.5 USDC"]);
    let bybit = r#"{"topic":"execution","data":[{"symbol":"BTCUSDT","execType":"Funding","execFee":"0.5","orderId":"1","execId":"e","execPrice":"2","execQty":"1"},{"symbol":"BTCUSDT","execType":"BustTrade","execFee":"0.5","orderId":"1","orderLinkId":"","execId":"f","execPrice":"2","execQty":"1","side":"Sell","isMaker":false}]}"#;
    assert_eq!(facts("bybit", bybit), ["paid -0.5 USDT", "2 x 1 taker Liquidation fee 0.5 USDT"]);
}

#[test]
fn an_order_that_a_venue_may_still_fill_is_leaving_not_gone() {
    let text = r#"{"type":"channel_data","channel":"v4_subaccounts","contents":{"orders":[{"id":"x","clientId":"1","ticker":"BTC-USD","status":"BEST_EFFORT_CANCELED","removalReason":"ORDER_REMOVAL_REASON_USER_CANCELED","totalOptimisticFilled":"0"}],"perpetualPositions":[{"market":"BTC-USD","status":"OPEN","side":"SHORT","size":"-0.5","entryPrice":"2656.54285714285714285714"}]}}"#;
    assert_eq!(facts("dydx", text), ["1 Leaving", "BTC-USD -0.5"]);
}

#[test]
fn a_cancel_names_the_order_not_the_request() {
    let text = r#"{"subscriptionId":0,"event":{"e":"executionReport","s":"BTCUSDT","c":"request","C":"c1","S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"2","x":"CANCELED","X":"CANCELED","r":"NONE","i":1,"l":"0","z":"0.4","L":"0","n":"0","N":null,"T":1700000000000,"t":-1,"w":false,"m":false}}"#;
    let cancelled = status(OrderStatus::Cancelled(CancelReason::Requested));
    assert_eq!(facts("binance", text), [cancelled]);
}

#[test]
fn connections_say_what_becomes_of_them() {
    let expired = format!("{:?}", Notice::StreamExpired);
    assert_eq!(facts("binance_usdm", r#"{"e":"listenKeyExpired","E":1700000000000}"#), [expired]);
    let soon = format!("{:?}", Notice::ReconnectSoon);
    assert_eq!(
        facts("okx", r#"{"event":"notice","code":"64008","msg":"bye","connId":"a"}"#),
        [soon]
    );
    let failed = format!("{:?}", Notice::LogInFailed("Invalid sign"));
    assert_eq!(facts("okx", r#"{"event":"error","code":"60007","msg":"Invalid sign"}"#), [failed]);
    let logged_in = format!("{:?}", Notice::LoggedIn);
    assert_eq!(
        facts("bybit", r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"a"}"#),
        [logged_in]
    );
}

#[test]
fn unknown_words_are_refused_and_unknown_keys_are_not() {
    let text = r#"{"channel":"orderUpdates","news":1,"data":[{"order":{"coin":"BTC","side":"B","limitPx":"2","sz":"1","oid":1,"origSz":"1","later":[{}]},"status":"STATUS","statusTimestamp":1700000000000}]}"#;
    let mut codec = open("hyperliquid", &Opening::default()).unwrap();
    assert!(codec.user(text.replace("STATUS", "open").as_bytes(), &mut |_| {}).is_ok());
    let error = codec.user(text.replace("STATUS", "melted").as_bytes(), &mut |_| {}).unwrap_err();
    assert_eq!(error, "'status' is not known");
}

fn failure(venue: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let mut codec = open(venue, &Opening::default()).unwrap();
    let mut out = Outgoing::new();
    codec.encode(&Operation::Time, Via::Http, 1_700_000_000_000, &mut out).unwrap();
    let reply = Reply { status, headers, body: body.as_bytes() };
    codec.answer(&out, &reply, &mut |_| {}).unwrap_err()
}

#[test]
fn failures_say_how_long_to_wait_and_what_was_done() {
    let limited = |wait_ms, banned| FailureClass::RateLimited { wait_ms: Some(wait_ms), banned };
    let body = r#"{"code":-1003,"msg":"Too many requests"}"#;
    let headers = [("retry-after", "12")];
    assert_eq!(failure("binance", 429, &headers, body).class, limited(12_000, false));
    assert_eq!(failure("binance", 418, &headers, body).class, limited(12_000, true));
    let half = r#"{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{"cancelResult":"SUCCESS","newOrderResult":"FAILURE","cancelResponse":{},"newOrderResponse":{"code":-2010,"msg":"Order would immediately match and take."}}}"#;
    let failed = failure("binance", 409, &[], half);
    assert_eq!((failed.class, failed.partial), (FailureClass::Refused, Partial::Cancelled));
    assert_eq!(failed.reason, Some(RejectReason::PostOnlyWouldTake));
    let reset = [("X-Bapi-Limit-Reset-Timestamp", "1700000000500")];
    let body = r#"{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1700000000000}"#;
    assert_eq!(failure("bybit", 200, &reset, body).class, limited(500, false));
}

#[test]
fn what_is_not_said_to_have_failed_is_unknown() {
    for (venue, status, body) in [
        (
            "binance",
            503,
            r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#,
        ),
        ("binance", 504, "<html>"),
        ("binance_usdm", 200, "not JSON"),
        ("okx", 200, r#"{"code":"50004","msg":"Endpoint request timeout","data":[]}"#),
        ("okx", 502, "<html>"),
        ("bybit", 200, r#"{"retCode":10000,"retMsg":"Server Timeout","result":{}}"#),
        ("hyperliquid", 502, "bad gateway"),
        ("dydx", 504, ""),
    ] {
        assert_eq!(
            failure(venue, status, &[], body).class,
            FailureClass::Unknown,
            "{venue} {body}"
        );
    }
}
