//! OKX, Bybit, Hyperliquid and dYdX: the same session over their protocols.

use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, InstrumentId, Lots, OrderType, RejectReason, Request,
    RowKind, Side, Ticks, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_venues::listing::{Code, Listing, Listings};
use mainspring_venues::secret::Secret;
use mainspring_venues::session::{SessionSettings, SocketId, Told};
use mainspring_venues::table::Opening;

use crate::play::{client, listings, Play, KEY, MS, SECOND, SECRET, TAG};

/// An instrument of a venue with its own symbol and number.
pub fn one(venue: &str, symbol: &str, code: Code) -> Listings {
    let mut listing: Listing = listings("binance_usdm").all()[0].clone();
    listing.instrument.venue = venue.to_owned();
    listing.instrument.symbol = symbol.to_owned();
    listing.code = code;
    Listings::new(vec![listing]).unwrap()
}

fn keyed() -> Opening {
    Opening {
        key: Some(Secret::new(KEY)),
        secret: Some(Secret::new(SECRET)),
        passphrase: Some(Secret::new("passphrase")),
        ..Opening::default()
    }
}

/// A wallet of a test: 32 bytes that nobody owns anything by.
fn wallet() -> Opening {
    Opening {
        secret: Some(Secret::new(
            "0x0123456789012345678901234567890123456789012345678901234567890123",
        )),
        account: "0x5e9ee1089755c3435139848e47e6635505d5a13a".to_owned(),
        tag: TAG,
        ..Opening::default()
    }
}

#[test]
fn every_venue_of_the_table_comes_up() {
    for entry in mainspring_venues::table::VENUES {
        let code = match entry.name {
            name if name.starts_with("okx") => Code::Okx { inst_id_code: 1 },
            name if name.starts_with("hyperliquid") => {
                Code::Hyperliquid { asset: 0, size_decimals: 3 }
            }
            _ => Code::None,
        };
        let list = one(entry.name, "BTCUSDT", code);
        let mut play =
            Play::of(entry.name, &Opening::default(), list, |settings| settings.trades = false);
        play.start(&Account::default());
        assert_eq!(play.asked.len(), 2, "{}: the clock and the instruments", entry.name);
        while !play.opens.is_empty() {
            let market = play.connect("wss://");
            play.take_text(market, "");
        }
        assert!(play.session.is_up(), "{}: {:?}", entry.name, play.notes);
        assert!(play.others().contains(&Told::Feed { fresh: true }), "{}", entry.name);
    }
}

// --- OKX ---

const OKX_INFO: &str = r#"{"code":"0","data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","instIdCode":10459,"uly":"BTC-USDT","instFamily":"BTC-USDT","settleCcy":"USDT","ctVal":"0.01","ctMult":"1","ctValCcy":"BTC","ctType":"linear","tickSz":"0.1","lotSz":"0.001","minSz":"0.001","state":"live","baseCcy":"","quoteCcy":""}]}"#;

/// A session with OKX that is up: market and user connections.
pub fn okx() -> (Play, [SocketId; 2]) {
    okx_with(|_| {})
}

pub fn okx_with(change: impl FnOnce(&mut SessionSettings)) -> (Play, [SocketId; 2]) {
    let code = Code::Okx { inst_id_code: 10_459 };
    let mut play = Play::of("okx", &keyed(), one("okx", "BTC-USDT-SWAP", code), change);
    play.start(&Account::default());
    let time = format!(r#"{{"code":"0","data":[{{"ts":"{}"}}]}}"#, play.now_ns / MS);
    play.ok("GET", "/api/v5/public/time", &time);
    play.ok("GET", "/api/v5/public/instruments", OKX_INFO);
    let market = play.connect("/public");
    let user = play.connect("/private");
    let login = play.take_text(user, "login");
    assert!(!login.contains(SECRET));
    play.frame(user, r#"{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}"#);
    play.take_text(user, "subscribe");
    assert!(!play.session.is_up());
    play.frame(
        user,
        r#"{"event":"subscribe","arg":{"channel":"orders","instType":"ANY"},"connId":"a"}"#,
    );
    assert!(play.session.is_up(), "{:?}", play.notes);
    (play, [market, user])
}

fn okx_book(action: &str, previous: i64, this: i64) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT-SWAP"}},"action":"{action}","data":[{{"asks":[["61800.2","3","0","1"]],"bids":[["61800.1","1","0","1"]],"ts":"1795255200100","checksum":0,"prevSeqId":{previous},"seqId":{this}}}]}}"#
    )
}

#[test]
fn okx_books_follow_their_chain_and_a_break_subscribes_anew() {
    let (mut play, [market, _]) = okx();
    assert!(play.take_text(market, "\"books\"").contains("BTC-USDT-SWAP"));
    play.frame(
        market,
        r#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"a"}"#,
    );
    play.frame(market, &okx_book("snapshot", -1, 10));
    play.frame(market, &okx_book("update", 10, 15));
    play.frame(market, "pong");
    use RowKind::{Clear, Depth, Gap};
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth, Depth, Depth]);
    assert!(!play.noted("message"), "{:?}", play.notes);
    play.frame(market, &okx_book("update", 17, 18));
    assert_eq!(play.row_kinds(), [Gap]);
    play.wait(100 * MS);
    play.take_text(market, "\"unsubscribe\"");
    play.take_text(market, "\"op\":\"subscribe\"");
    play.frame(market, &okx_book("update", 18, 19));
    assert!(play.rows.is_empty(), "nothing before the snapshot");
    play.frame(market, &okx_book("snapshot", -1, 20));
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth]);
}

/// So many seconds go by, pings are answered; frames that subscribe or take it back, of which `says` is
/// told those that subscribe.
fn okx_alive(
    play: &mut Play,
    seconds: usize,
    market: SocketId,
    mut says: impl FnMut(&mut Play),
) -> usize {
    let mut frames = 0;
    for _ in 0..2 * seconds {
        play.wait(SECOND / 2);
        for (socket, text) in std::mem::take(&mut play.texts) {
            if text == "ping" {
                play.frame(socket, "pong");
            } else if socket == market && text.contains("subscribe\"") {
                frames += 1;
                if text.contains("\"subscribe\"") {
                    says(play);
                }
            }
        }
    }
    frames
}

#[test]
fn a_calm_book_of_okx_leaves_the_subscriptions_of_the_hour_to_others() {
    let (mut play, [market, _]) = okx();
    play.texts.clear();
    play.frame(market, &okx_book("snapshot", -1, 10));
    let whole = |play: &mut Play| play.frame(market, &okx_book("snapshot", -1, 10));
    // The venue takes 480 of them in an hour.
    let frames = okx_alive(&mut play, 3_600, market, whole);
    assert!((2..=48).contains(&frames), "{frames} in an hour");
    assert!(play.closes.is_empty());
    // A book that moves now and then is no other.
    let mut frames = 0;
    for at in 0..180 {
        play.frame(market, &okx_book("update", 10 + at, 11 + at));
        let whole = |play: &mut Play| play.frame(market, &okx_book("snapshot", -1, 11 + at));
        frames += okx_alive(&mut play, 20, market, whole);
    }
    assert!((2..=48).contains(&frames), "{frames} in an hour");
}

#[test]
fn a_book_whose_subscription_brings_nothing_is_subscribed_again_now_and_then() {
    let (mut play, [market, _]) = okx();
    play.texts.clear();
    let frames = okx_alive(&mut play, 12, market, |_| {});
    assert_eq!(frames, 2, "it is taken back and asked for anew");
    let frames = okx_alive(&mut play, 3_600, market, |_| {});
    assert!((2..=48).contains(&frames), "{frames} in an hour");
    play.frame(market, &okx_book("snapshot", -1, 10));
    assert!(play.row_kinds().contains(&RowKind::Clear));
}

#[test]
fn okx_says_that_it_will_close_and_another_connection_takes_over() {
    let (mut play, [market, _]) = okx();
    play.frame(market, &okx_book("snapshot", -1, 10));
    let notice = r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a"}"#;
    play.frame(market, notice);
    let next = play.connect("/public");
    assert!(play.closes.is_empty());
    play.frame(next, &okx_book("snapshot", -1, 12));
    assert_eq!(play.closes, [market]);
    play.told.clear();
    play.close(market);
    assert!(play.others().is_empty(), "nothing was lost");
}

#[test]
fn okx_is_pinged_by_text() {
    let (mut play, [market, user]) = okx();
    play.wait(3 * SECOND);
    play.take_text(market, "ping");
    play.take_text(user, "ping");
    play.frame(market, "pong");
    play.frame(user, "pong");
    play.wait(3 * SECOND);
    assert!(play.closes.is_empty());
}

#[test]
fn okx_orders_go_by_the_logged_in_connection() {
    let (mut play, [_, user]) = okx();
    play.place(1, Side::Buy, 618_000, 5);
    let text = play.take_text(user, "\"op\":\"order\"");
    assert!(text.contains("10459") && text.contains(&client(1)), "{text}");
    let id = crate::play::ws_id(&text);
    let answer = format!(
        r#"{{"id":"{id}","op":"order","data":[{{"clOrdId":"{}","ordId":"77","tag":"","sCode":"0","sMsg":""}}],"code":"0","msg":""}}"#,
        client(1)
    );
    play.frame(user, &answer);
    assert!(play.kinds(1).is_empty(), "received is not accepted");
    let event = |state: &str, filled: &str, fill: &str, trade: &str| {
        format!(
            r#"{{"arg":{{"channel":"orders","instType":"ANY"}},"data":[{{"instId":"BTC-USDT-SWAP","clOrdId":"{}","ordId":"77","state":"{state}","side":"buy","px":"61800","sz":"0.005","ordType":"post_only","accFillSz":"{filled}","fillPx":"61800","fillSz":"{fill}","tradeId":"{trade}","fillTime":"1795255200500","execType":"M","fillFee":"-0.01","fillFeeCcy":"USDT","fee":"-0.01","feeCcy":"USDT","uTime":"1795255200500","cTime":"1795255200400","cancelSource":"","amendResult":"","category":"normal"}}]}}"#,
            client(1)
        )
    };
    play.frame(user, &event("live", "0", "0", ""));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    play.frame(user, &event("partially_filled", "0.002", "0.002", "9001"));
    let filled = play.reports(1);
    let fill = VenueEventKind::Filled { price: Ticks(618_000), qty: Lots(2), maker: true };
    assert_eq!((filled[0].event.kind, filled[0].trade_id), (fill, 9_001));
    assert_eq!(
        filled[0].fee.map(|fee| fee.0),
        Some(10_000_000_000_000_000),
        "a cost is positive here"
    );
    play.cancel(1);
    let text = play.take_text(user, "cancel-order");
    let id = crate::play::ws_id(&text);
    let answer = format!(
        r#"{{"id":"{id}","op":"cancel-order","data":[{{"clOrdId":"{}","ordId":"77","sCode":"51400","sMsg":"Order cancellation failed as the order has been filled, canceled or does not exist."}}],"code":"1","msg":""}}"#,
        client(1)
    );
    play.frame(user, &answer);
    assert_eq!(play.kinds(1), [VenueEventKind::CancelRejected(RejectReason::UnknownOrder)]);
    play.frame(user, &event("canceled", "0.002", "0", ""));
    assert!(matches!(play.kinds(1)[..], [VenueEventKind::Cancelled(CancelReason::Requested)]));
}

#[test]
fn okx_timeouts_leave_the_outcome_open() {
    let (mut play, [_, user]) = okx();
    play.place(1, Side::Buy, 618_000, 5);
    let id = crate::play::ws_id(&play.take_text(user, "\"op\":\"order\""));
    let answer = format!(
        r#"{{"id":"{id}","op":"order","data":[{{"clOrdId":"{}","ordId":"","tag":"","sCode":"50004","sMsg":"Endpoint request timeout"}}],"code":"1","msg":""}}"#,
        client(1)
    );
    play.frame(user, &answer);
    assert!(play.kinds(1).is_empty());
    play.wait(SECOND);
    let asked = play.take("GET", "/api/v5/trade/order");
    play.answer(&asked, 200, &[], r#"{"code":"51603","msg":"Order does not exist","data":[]}"#);
    let answer = Answer::NotFound;
    assert!(play.others().contains(&Told::Answer { order: ClientOrderId(1), answer }));
}

// --- Bybit ---

const BYBIT_INFO: &str = r#"{"retCode":0,"result":{"category":"linear","list":[{"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","priceFilter":{"tickSize":"0.10"},"lotSizeFilter":{"qtyStep":"0.001","minOrderQty":"0.001","maxOrderQty":"100","minNotionalValue":"0"}}]},"time":1795255200000}"#;

/// A session with Bybit that is up: market, user and order connections.
fn bybit() -> (Play, [SocketId; 3]) {
    bybit_with(one("bybit", "BTCUSDT", Code::None))
}

/// As [`bybit`], with these instruments.
pub fn bybit_with(list: Listings) -> (Play, [SocketId; 3]) {
    bybit_of("bybit", "linear", list)
}

/// A session with Bybit's spot that is up, and its connection for orders.
pub fn bybit_spot() -> (Play, SocketId) {
    let mut listing = one("bybit_spot", "BTCUSDT", Code::None).all()[0].clone();
    listing.instrument.kind = mainspring_core::InstrumentKind::Spot;
    let (play, [.., trade]) = bybit_of("bybit_spot", "spot", Listings::new(vec![listing]).unwrap());
    (play, trade)
}

fn bybit_of(venue: &str, category: &str, list: Listings) -> (Play, [SocketId; 3]) {
    let mut play = Play::of(venue, &keyed(), list, |_| {});
    play.start(&Account::default());
    let now_ms = play.now_ns / MS;
    let time =
        format!(r#"{{"retCode":0,"result":{{"timeNano":"{}"}},"time":{now_ms}}}"#, play.now_ns);
    play.ok("GET", "/v5/market/time", &time);
    play.ok("GET", "/v5/market/instruments-info", BYBIT_INFO);
    let market = play.connect(&format!("/public/{category}"));
    let user = play.connect("/v5/private");
    let trade = play.connect("/v5/trade");
    play.take_text(user, "auth");
    play.take_text(trade, "auth");
    play.frame(user, r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"a"}"#);
    play.frame(trade, r#"{"retCode":0,"retMsg":"OK","op":"auth","connId":"b"}"#);
    play.take_text(user, "subscribe");
    play.frame(user, r#"{"success":true,"ret_msg":"","op":"subscribe","conn_id":"a"}"#);
    assert!(play.session.is_up(), "{:?}", play.notes);
    (play, [market, user, trade])
}

fn bybit_book(kind: &str, update: i64) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1795255200100,"data":{{"s":"BTCUSDT","b":[["61800.1","1"]],"a":[["61800.2","2"]],"u":{update},"seq":5}},"cts":1795255200099}}"#
    )
}

#[test]
fn bybit_books_count_their_updates() {
    let (mut play, [market, ..]) = bybit();
    play.frame(market, &bybit_book("snapshot", 100));
    play.frame(market, &bybit_book("delta", 101));
    play.frame(market, &bybit_book("delta", 101));
    use RowKind::{Clear, Depth, Gap};
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth, Depth, Depth]);
    play.frame(market, &bybit_book("delta", 103));
    assert_eq!(play.row_kinds(), [Gap]);
    play.wait(100 * MS);
    play.take_text(market, "unsubscribe");
    play.frame(market, &bybit_book("snapshot", 200));
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth]);
    // The service began anew: update 1 is a snapshot whatever it says.
    play.frame(market, &bybit_book("delta", 1));
    assert_eq!(play.row_kinds()[0], Clear);
}

#[test]
fn bybit_orders_are_received_first_and_accepted_by_the_stream() {
    let (mut play, [_, user, trade]) = bybit();
    play.place(1, Side::Buy, 618_000, 5);
    let text = play.take_text(trade, "order.create");
    let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = frame["reqId"].as_str().unwrap();
    assert!(text.contains("PostOnly") && text.contains(&client(1)));
    let answer = format!(
        r#"{{"reqId":"{id}","retCode":0,"retMsg":"OK","op":"order.create","data":{{"orderId":"aaaa-77","orderLinkId":"{}"}},"header":{{}},"connId":"b"}}"#,
        client(1)
    );
    play.frame(trade, &answer);
    assert!(play.kinds(1).is_empty());
    let order = |status: &str, filled: &str| {
        format!(
            r#"{{"topic":"order","data":[{{"category":"linear","symbol":"BTCUSDT","orderId":"aaaa-77","orderLinkId":"{}","side":"Buy","orderType":"Limit","timeInForce":"PostOnly","orderStatus":"{status}","rejectReason":"EC_NoError","cancelType":"UNKNOWN","price":"61800","qty":"0.005","cumExecQty":"{filled}","updatedTime":"1795255200500"}}]}}"#,
            client(1)
        )
    };
    play.frame(user, &order("New", "0"));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    let execution = format!(
        r#"{{"topic":"execution","data":[{{"category":"linear","symbol":"BTCUSDT","orderId":"aaaa-77","orderLinkId":"{}","side":"Buy","execId":"e-1","execPrice":"61800","execQty":"0.005","execFee":"0.02","feeCurrency":"USDT","execType":"Trade","isMaker":true,"execTime":"1795255200600","leavesQty":"0","orderQty":"0.005"}}]}}"#,
        client(1)
    );
    play.frame(user, &execution);
    play.frame(user, &order("Filled", "0.005"));
    assert!(matches!(
        play.kinds(1)[..],
        [VenueEventKind::Filled { qty: Lots(5), maker: true, .. }]
    ));
    assert!(play.others().contains(&Told::Ended(ClientOrderId(1))));
}

#[test]
fn bybit_of_contracts_takes_nothing_that_is_said_about_spot() {
    let (mut play, [_, user, _]) = bybit();
    play.place(1, Side::Buy, 618_000, 5);
    play.told.clear();
    // The same symbol, and the same id: a session with spot of the same account has orders of its own.
    let order = format!(
        r#"{{"topic":"order","data":[{{"category":"spot","symbol":"BTCUSDT","orderId":"99","orderLinkId":"{}","side":"Buy","orderType":"Limit","timeInForce":"GTC","orderStatus":"New","rejectReason":"EC_NoError","cancelType":"UNKNOWN","price":"61800","qty":"0.005","cumExecQty":"0","updatedTime":"1795255200500"}}]}}"#,
        client(1)
    );
    play.frame(user, &order);
    for (trade, link) in [("e-1", client(1)), ("e-2", String::new())] {
        let execution = format!(
            r#"{{"topic":"execution","data":[{{"category":"spot","symbol":"BTCUSDT","orderId":"99","orderLinkId":"{link}","side":"Buy","execId":"{trade}","execPrice":"61800","execQty":"0.005","execFee":"0.000005","feeCurrency":"BTC","execType":"Trade","isMaker":true,"execTime":"1795255200600","leavesQty":"0","orderQty":"0.005"}}]}}"#
        );
        play.frame(user, &execution);
    }
    let inverse = r#"{"topic":"execution","data":[{"category":"inverse","symbol":"BTCUSD","orderId":"","execId":"f-1","execPrice":"61800","execQty":"1","execFee":"0.0001","execType":"Funding","execTime":"1795255200600","side":"Buy"}]}"#;
    play.frame(user, inverse);
    assert_eq!(play.kinds(1), []);
    assert_eq!(play.others(), [], "neither orders of others nor payments");
}

#[test]
fn bybit_orders_go_by_http_while_their_connection_is_gone() {
    let (mut play, [_, _, trade]) = bybit();
    play.close(trade);
    assert!(play.session.is_up(), "user events still come");
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/v5/order/create");
    play.answer(&asked, 200, &[], r#"{"retCode":110007,"retMsg":"ab not enough for new order","result":{},"retExtInfo":{},"time":1}"#);
    assert_eq!(play.kinds(1), [VenueEventKind::Rejected(RejectReason::InsufficientMargin)]);
}

// --- Hyperliquid ---

const HL_META: &str = r#"{"universe":[{"name":"BTC","szDecimals":5,"maxLeverage":40}]}"#;

fn hyperliquid() -> (Play, [SocketId; 2]) {
    let code = Code::Hyperliquid { asset: 0, size_decimals: 5 };
    let mut list = one("hyperliquid", "BTC", code).all()[0].clone();
    list.instrument.lot = "0.00001".parse().unwrap();
    let meta = mainspring_venues::table::open("hyperliquid", &Opening::default())
        .unwrap()
        .instruments(HL_META.as_bytes())
        .unwrap();
    list.instrument.grids = meta[0].instrument.grids.clone();
    list.instrument.lot = meta[0].instrument.lot;
    let list = Listings::new(vec![list]).unwrap();
    let mut play = Play::of("hyperliquid", &wallet(), list, |_| {});
    play.start(&Account::default());
    let status = format!(r#"{{"time":{},"specialStatuses":null}}"#, play.now_ns / MS);
    let time = play.asked.iter().position(|one| one.body.contains("exchangeStatus")).unwrap();
    let time = play.asked.remove(time);
    play.answer(&time, 200, &[], &status);
    play.ok("POST", "/info", HL_META);
    let market = play.connect("/ws");
    let user = play.connect("/ws");
    play.take_text(user, "orderUpdates");
    play.take_text(user, "userFills");
    assert!(play.session.is_up(), "{:?}", play.notes);
    let countdown = play.take("POST", "/exchange");
    assert!(countdown.body.contains("scheduleCancel"));
    let body = r#"{"status":"err","response":"Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."}"#;
    play.answer(&countdown, 200, &[], body);
    assert!(play.noted("countdown"), "{:?}", play.notes);
    (play, [market, user])
}

fn hl_book(ms: i64) -> String {
    format!(
        r#"{{"channel":"l2Book","data":{{"coin":"BTC","time":{ms},"levels":[[{{"px":"61800","sz":"1","n":1}}],[{{"px":"61801","sz":"2","n":1}}]]}}}}"#
    )
}

#[test]
fn hyperliquid_books_replace_each_other_and_late_ones_are_dropped() {
    let (mut play, [market, _]) = hyperliquid();
    play.frame(market, &hl_book(1_795_255_200_500));
    play.frame(market, &hl_book(1_795_255_200_000));
    use RowKind::{Clear, Depth};
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth]);
    assert_eq!(play.session.market_counts().old, 1);
    play.frame(market, &hl_book(1_795_255_201_000));
    assert_eq!(play.row_kinds().len(), 3);
}

/// The answer to an action that went by the websocket.
fn hl_answer(play: &mut Play, user: SocketId, text: &str, response: &str) {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap();
    let id = frame["id"].as_u64().unwrap();
    let answer = format!(
        r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{response}}}}}}}"#
    );
    play.frame(user, &answer);
}

#[test]
fn hyperliquid_orders_are_answered_by_their_status_whatever_else_is_ok() {
    let (mut play, [_, user]) = hyperliquid();
    let price = 61_800 * 10_i64.pow(play_scale());
    play.place(1, Side::Buy, price, 100);
    let text = play.take_text(user, "\"post\"");
    let cloid = format!("0x00006d73{TAG:08x}{:016x}", 1);
    assert!(text.contains("\"tif\":\"Alo\"") && text.contains(&cloid), "{text}");
    let resting = r#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{"oid":77}}]}}}"#;
    hl_answer(&mut play, user, &text, resting);
    let update = |status: &str| {
        format!(
            r#"{{"channel":"orderUpdates","data":[{{"order":{{"coin":"BTC","side":"B","limitPx":"61800","sz":"0.001","oid":77,"timestamp":1795255200400,"origSz":"0.001","cloid":"{cloid}"}},"status":"{status}","statusTimestamp":1795255200500}}]}}"#
        )
    };
    play.frame(user, &update("open"));
    assert!(play.kinds(1).contains(&VenueEventKind::Accepted));
    play.cancel(1);
    let text = play.take_text(user, "cancelByCloid");
    let done = r#"{"status":"ok","response":{"type":"cancel","data":{"statuses":["success"]}}}"#;
    hl_answer(&mut play, user, &text, done);
    play.frame(user, &update("canceled"));
    assert!(play.kinds(1).contains(&VenueEventKind::Cancelled(CancelReason::Requested)));
    play.place(2, Side::Buy, price, 100);
    let text = play.take_text(user, "\"post\"");
    let refused = r#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"Post only order would have immediately matched, bbo was 61799@61800. asset=0"}]}}}"#;
    hl_answer(&mut play, user, &text, refused);
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::PostOnlyWouldTake)]);
}

#[test]
fn an_amend_at_hyperliquid_asks_for_what_its_fills_leave() {
    let (mut play, [_, user]) = hyperliquid();
    let price = 61_800 * 10_i64.pow(play_scale());
    play.place(1, Side::Buy, price, 100);
    let text = play.take_text(user, "\"post\"");
    let cloid = format!("0x00006d73{TAG:08x}{:016x}", 1);
    let resting = r#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{"oid":77}}]}}}"#;
    hl_answer(&mut play, user, &text, resting);
    // Forty of the hundred trade, told twice; nothing else says how much traded in all.
    let fill = format!(
        r#"{{"channel":"userFills","data":{{"user":"0x0","fills":[{{"coin":"BTC","px":"61800","sz":"0.0004","side":"B","time":1795255200600,"dir":"Open Long","oid":77,"cloid":"{cloid}","crossed":false,"fee":"0.01","tid":3,"feeToken":"USDC"}}]}}}}"#
    );
    play.frame(user, &fill);
    play.frame(user, &fill);
    play.amend(1, price - 10_i64.pow(play_scale()), 100);
    let text = play.take_text(user, "\"post\"");
    let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
    let action = &frame["request"]["payload"]["action"];
    assert_eq!(action["modifies"][0]["order"]["s"], "0.0006", "{action}");
}

#[test]
fn orders_without_a_limit_go_to_hyperliquid_at_a_price_of_its_grid() {
    let (mut play, [market, user]) = hyperliquid();
    // Five percent from here has six digits.
    play.frame(market, r#"{"channel":"bbo","data":{"coin":"BTC","time":1795255200600,"bbo":[{"px":"61234","sz":"1","n":1},{"px":"61235","sz":"1","n":1}]}}"#);
    let mut send = |id: u64, order_type, side, trigger: i64| {
        let scale = 10_i64.pow(play_scale());
        let mut terms = OrderTerms::limit(InstrumentId(0), side, Ticks(0), Lots(100));
        (terms.order_type, terms.trigger) = (order_type, Ticks(trigger * scale));
        let kind = VenueRequestKind::New(terms);
        play.request(Request::Order(VenueRequest { order: ClientOrderId(id), sent_ns: 0, kind }));
        let text = play.take_text(user, "\"post\"");
        let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
        frame["request"]["payload"]["action"]["orders"][0]["p"].as_str().unwrap().to_owned()
    };
    let sold: f64 = send(1, OrderType::Market, Side::Sell, 0).parse().unwrap();
    assert!((58_172.0..58_175.0).contains(&sold), "{sold}");
    let bought: f64 = send(2, OrderType::Market, Side::Buy, 0).parse().unwrap();
    assert!((64_293.0..64_297.0).contains(&bought), "{bought}");
    // A stop far from here trades near its trigger, not near here.
    assert_eq!(send(3, OrderType::Stop, Side::Sell, 40_000), "38000");
}

/// Decimal places of a tick of BTC there.
fn play_scale() -> u32 {
    let meta = mainspring_venues::table::open("hyperliquid", &Opening::default())
        .unwrap()
        .instruments(HL_META.as_bytes())
        .unwrap();
    u32::from(meta[0].instrument.tick().scale())
}

// --- dYdX ---

fn dydx_book(kind: &str, id: i64) -> String {
    let levels = match kind {
        "subscribed" => {
            r#""bids":[{"price":"61800.1","size":"1"}],"asks":[{"price":"61800.2","size":"2"}]"#
        }
        _ => r#""bids":[["61800.1","0.5"]]"#,
    };
    format!(
        r#"{{"type":"{kind}","connection_id":"a","message_id":{id},"id":"BTC-USD","channel":"v4_orderbook","version":"1.0.0","contents":{{{levels}}}}}"#
    )
}

#[test]
fn dydx_counts_every_message_of_a_connection() {
    let code = Code::Dydx {
        clob_pair_id: 0,
        atomic_resolution: -10,
        quantum_conversion_exponent: -9,
        step_base_quantums: 10_000_000,
        subticks_per_tick: 100_000,
    };
    let opening = Opening { account: "dydx1abc".to_owned(), tag: TAG, ..Opening::default() };
    let mut play = Play::of("dydx", &opening, one("dydx", "BTC-USD", code), |settings| {
        settings.trades = false
    });
    play.start(&Account::default());
    let market = play.connect("/v4/ws");
    play.take_text(market, "v4_orderbook");
    play.frame(market, r#"{"type":"connected","connection_id":"a","message_id":0}"#);
    play.frame(market, &dydx_book("subscribed", 1));
    play.frame(market, &dydx_book("channel_data", 2));
    use RowKind::{Clear, Depth, Gap};
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth, Depth]);
    // Message 3 was about something else and is missing: nobody knows what it was.
    play.frame(market, &dydx_book("channel_data", 4));
    assert_eq!(play.row_kinds(), [Gap]);
    play.wait(100 * MS);
    play.take_text(market, "unsubscribe");
    play.frame(market, &dydx_book("subscribed", 5));
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth]);
    assert!(play.noted("gap"));
    // A message that cannot be read is lost as well; more of them ask for nothing twice.
    let unreadable = |id: i64| dydx_book("channel_data", id).replace("61800.1", "cheap");
    play.frame(market, &unreadable(6));
    assert_eq!(play.row_kinds(), [Gap]);
    play.frame(market, &unreadable(7));
    assert_eq!(play.row_kinds(), []);
    play.wait(100 * MS);
    play.take_text(market, "unsubscribe");
    play.frame(market, &dydx_book("subscribed", 8));
    assert_eq!(play.row_kinds(), [Clear, Depth, Depth]);
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
    play.order_is_refused();
}

impl Play {
    /// Without keys nothing is traded and nothing is asked.
    fn order_is_refused(&mut self) {
        self.place(1, Side::Buy, 618_000, 5);
        assert!(matches!(self.kinds(1)[..], [VenueEventKind::Rejected(_)]));
        assert!(self.asked.iter().all(|one| one.method == "GET"));
        assert_eq!(InstrumentId(0).index(), 0);
    }
}
