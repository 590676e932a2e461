//! Orders on Binance: statements in every order, lost answers, limits, wrong clocks, changed orders.

use mainspring_core::report::Account;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, InstrumentId, Lots, RejectReason, Request, Side, Ticks,
    VenueEventKind,
};
use mainspring_venues::session::{Level, OnDisconnect, Sent, SocketId, Told};

use crate::play::{
    client, server_time, spot, usdm, version, ws_id, Asked, Play, BEGIN_NS, INFO, MS, SECOND,
};

/// A user event of USD-M about an order of 5 lots at 61,800.0.
fn update(id: u64, execution: &str, status: &str, last: &str, all: &str, trade: u64) -> String {
    let client = client(id);
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":1795255201000,"T":1795255200999,"o":{{"s":"BTCUSDT","c":"{client}","S":"BUY","o":"LIMIT","f":"GTX","q":"0.005","p":"61800","ap":"0","sp":"0","x":"{execution}","X":"{status}","i":{},"l":"{last}","z":"{all}","L":"61800","n":"0.01","N":"USDT","T":1795255200999,"t":{trade},"m":true,"R":false,"ot":"LIMIT","ps":"BOTH","rp":"0"}}}}"#,
        9_000 + id
    )
}

/// An order as REST of USD-M tells it.
fn order(id: u64, status: &str, all: &str) -> String {
    format!(
        r#"{{"orderId":{},"symbol":"BTCUSDT","status":"{status}","clientOrderId":"{}","price":"61800","avgPrice":"0","origQty":"0.005","executedQty":"{all}","cumQty":"{all}","cumQuote":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"side":"BUY","positionSide":"BOTH","updateTime":1795255200500}}"#,
        9_000 + id,
        client(id)
    )
}

const FILL: VenueEventKind =
    VenueEventKind::Filled { price: Ticks(618_000), qty: Lots(2), maker: true };

#[test]
fn an_order_is_placed_filled_and_over() {
    let (mut play, [.., user]) = usdm(|_| {});
    assert!(play.others().contains(&Told::Link { up: true }));
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    assert_eq!(asked.param("newClientOrderId"), Some(client(1)));
    assert_eq!(asked.param("timeInForce").as_deref(), Some("GTX"));
    assert_eq!(asked.param("price").as_deref(), Some("61800"));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    assert_eq!(play.others(), [Told::Named { order: ClientOrderId(1), venue_order: 9_001 }]);
    play.frame(user, &update(1, "TRADE", "PARTIALLY_FILLED", "0.002", "0.002", 71));
    let filled = play.reports(1);
    assert_eq!(filled[0].event.kind, FILL);
    assert_eq!((filled[0].trade_id, filled[0].filled), (71, Some(Lots(2))));
    assert_eq!(filled[0].fee.map(|fee| fee.0), Some(10_000_000_000_000_000));
    play.frame(user, &update(1, "TRADE", "FILLED", "0.003", "0.005", 72));
    assert_eq!(play.reports(1).len(), 1);
    assert!(play.others().contains(&Told::Ended(ClientOrderId(1))));
}

#[test]
fn late_and_doubled_statements_are_told_as_they_are_and_end_once() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    // The fill overtakes the acknowledgement.
    play.frame(user, &update(1, "TRADE", "FILLED", "0.005", "0.005", 71));
    play.frame(user, &update(1, "TRADE", "FILLED", "0.005", "0.005", 71));
    play.frame(user, &update(1, "NEW", "NEW", "0", "0", 0));
    play.answer(&asked, 200, &[], &order(1, "NEW", "0"));
    let reports = play.reports(1);
    assert_eq!(reports.iter().filter(|report| report.trade_id == 71).count(), 2);
    assert!(reports.iter().all(|report| report.event.order == ClientOrderId(1)));
}

#[test]
fn a_lost_answer_leads_to_a_question_and_never_to_an_assumption() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    play.fail(&asked, Sent::Perhaps);
    assert!(play.kinds(1).is_empty(), "nothing is known");
    play.wait(SECOND);
    let asked = play.ok("GET", "/fapi/v1/order", &order(1, "PARTIALLY_FILLED", "0.002"));
    assert_eq!(asked.param("origClientOrderId"), Some(client(1)));
    let answer = Answer::Working { filled: Lots(2) };
    assert!(play.others().contains(&Told::Answer { order: ClientOrderId(1), answer }));

    play.place(2, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    let body = r#"{"code":-1007,"msg":"Timeout waiting for response from backend server. Send status unknown; execution status unknown."}"#;
    play.answer(&asked, 503, &[], body);
    play.wait(SECOND);
    let asked = play.take("GET", "/fapi/v1/order");
    play.answer(&asked, 400, &[], r#"{"code":-2013,"msg":"Order does not exist."}"#);
    let answer = Answer::NotFound;
    assert!(play.others().contains(&Told::Answer { order: ClientOrderId(2), answer }));
    assert!(play.kinds(2).is_empty());
}

#[test]
fn what_was_not_sent_is_refused_at_once() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    play.fail(&asked, Sent::No);
    assert_eq!(play.kinds(1), [VenueEventKind::Rejected(RejectReason::Halted)]);
}

#[test]
fn refusals_have_their_reasons() {
    let cases = [
        (
            400,
            r#"{"code":-2019,"msg":"Margin is insufficient."}"#,
            RejectReason::InsufficientMargin,
        ),
        (
            400,
            r#"{"code":-5022,"msg":"Post only order rejected"}"#,
            RejectReason::PostOnlyWouldTake,
        ),
        (429, r#"{"code":-1015,"msg":"Too many new orders"}"#, RejectReason::Overloaded),
        (
            401,
            r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions"}"#,
            RejectReason::VenueRule,
        ),
    ];
    let (mut play, sockets) = usdm(|_| {});
    for (id, (status, body, reason)) in (1..).zip(cases) {
        play.wait_alive(2 * SECOND, &sockets);
        play.place(id, Side::Buy, 618_000, 5);
        let asked = play.take("POST", "/fapi/v1/order");
        play.answer(&asked, status, &[], body);
        assert_eq!(play.kinds(id), [VenueEventKind::Rejected(reason)], "{body}");
    }
    assert!(play.noted("authentication"), "a person has to see to the key");
}

#[test]
fn too_many_requests_stop_orders_for_the_time_to_wait_and_keep_cancels() {
    let (mut play, sockets) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.place(2, Side::Buy, 617_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    let body = r#"{"code":-1003,"msg":"Too many requests"}"#;
    play.answer(&asked, 429, &[("Retry-After", "3")], body);
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::Overloaded)]);
    play.place(3, Side::Buy, 616_000, 5);
    assert_eq!(play.kinds(3), [VenueEventKind::Rejected(RejectReason::Overloaded)]);
    play.cancel(1);
    play.wait_alive(2_900 * MS, &sockets);
    assert!(play.find("DELETE", "/fapi/v1/order").is_none() && play.kinds(1).len() == 1);
    play.wait_alive(300 * MS, &sockets);
    play.ok("DELETE", "/fapi/v1/order", &order(1, "CANCELED", "0"));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
    play.place(4, Side::Buy, 616_000, 5);
    play.take("POST", "/fapi/v1/order");
}

#[test]
fn the_budget_keeps_a_reserve_for_cancels() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    let used = [("x-mbx-used-weight-1m", "2399"), ("X-MBX-ORDER-COUNT-10S", "3")];
    play.answer(&asked, 200, &used, &order(1, "NEW", "0"));
    play.wait(SECOND);
    play.request(Request::OrderQuery { order: ClientOrderId(1), instrument: InstrumentId(0) });
    assert!(play.find("GET", "/fapi/v1/order").is_none(), "questions leave the reserve");
    play.cancel(1);
    assert!(play.find("DELETE", "/fapi/v1/order").is_some(), "a cancel may use the last of it");
}

#[test]
fn a_wrong_clock_is_measured_again_and_the_cancel_goes_once_more() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    // Our clock was set back: the venue is 7 s ahead now.
    play.cancel(1);
    let asked = play.take("DELETE", "/fapi/v1/order");
    let body = r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#;
    play.answer(&asked, 400, &[], body);
    assert!(play.kinds(1).is_empty() && play.noted("clock"));
    let venue_ms = play.now_ns / MS + 7_000;
    play.told.clear();
    play.ok("GET", "/fapi/v1/time", &server_time(venue_ms));
    let clock =
        |told: &Told| matches!(told, Told::Clock { offset_ns, .. } if *offset_ns == 7 * SECOND);
    assert!(play.told.iter().any(clock));
    play.wait(SECOND);
    let again = play.take("DELETE", "/fapi/v1/order");
    let stamp: i64 = again.param("timestamp").unwrap().parse().unwrap();
    assert!((stamp - (play.now_ns / MS + 7_000)).abs() < 1_000, "by the venue's clock");
    play.answer(&again, 200, &[], &order(1, "CANCELED", "0"));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
}

#[test]
fn the_venues_time_is_asked_again_soon_when_it_does_not_come() {
    let (mut play, sockets) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    let asked = play.take("POST", "/fapi/v1/order");
    let body = r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#;
    play.answer(&asked, 400, &[], body);
    let asked = play.take("GET", "/fapi/v1/time");
    play.fail(&asked, Sent::Perhaps);
    play.wait_alive(3 * SECOND, &sockets);
    let venue_ms = play.now_ns / MS + 7_000;
    play.ok("GET", "/fapi/v1/time", &server_time(venue_ms));
}

#[test]
fn a_user_stream_that_is_not_kept_alive_is_tried_again_soon_and_left_when_it_is_gone() {
    let (mut play, sockets) = usdm(|_| {});
    play.skip(1_800 * SECOND, &sockets);
    play.wait_alive(SECOND, &sockets);
    let asked = play.take("PUT", "/fapi/v1/listenKey");
    play.fail(&asked, Sent::Perhaps);
    play.wait_alive(3 * SECOND, &sockets);
    let asked = play.take("PUT", "/fapi/v1/listenKey");
    // Nothing comes on the connection any more, which stands all the same.
    play.answer(&asked, 400, &[], r#"{"code":-1125,"msg":"This listenKey does not exist."}"#);
    play.ok("POST", "/fapi/v1/listenKey", r#"{"listenKey":"efgh"}"#);
    play.told.clear();
    play.connect("/private/ws/efgh");
    assert_eq!(play.closes, [sockets[2]]);
    assert!(play.session.is_up(), "{:?}", play.notes);
    play.wait(100 * MS);
    play.take("GET", "/fapi/v1/openOrders");
}

const WRONG_KEY: &str = r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions"}"#;

/// How long after this refusal the key of the user stream is asked for again, in seconds.
fn asked_again_after_s(
    play: &mut Play,
    sockets: &[SocketId],
    refuse: impl Fn(&mut Play, &Asked),
) -> i64 {
    let asked = play.take("POST", "/fapi/v1/listenKey");
    refuse(play, &asked);
    let refused_ns = play.now_ns;
    while !play.asked.iter().any(|one| one.url.ends_with("/fapi/v1/listenKey")) {
        assert!(play.now_ns - refused_ns < 200 * SECOND, "never");
        play.wait_alive(50 * MS, sockets);
    }
    (play.now_ns - refused_ns + SECOND / 2) / SECOND
}

#[test]
fn a_wrong_key_asks_for_its_user_stream_with_growing_waits_and_says_so_once() {
    let mut play = Play::new("binance_usdm", |settings| settings.orders_by_socket = false);
    play.start(&Account::default());
    let now_ms = play.now_ns / MS;
    play.ok("GET", "/fapi/v1/time", &server_time(now_ms));
    play.ok("GET", "/fapi/v1/exchangeInfo", INFO);
    let sockets = [play.connect("/public/"), play.connect("/market/")];
    play.notes.clear();
    let wrong = |play: &mut Play, asked: &Asked| play.answer(asked, 401, &[], WRONG_KEY);
    let waits: Vec<i64> = (0..9).map(|_| asked_again_after_s(&mut play, &sockets, wrong)).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let told = |play: &Play| -> Vec<(Level, &'static str, String)> {
        let topics = ["user_stream", "authentication", "request"];
        let notes = play.notes.iter().filter(|note| topics.contains(&note.topic));
        notes.map(|note| (note.level, note.topic, note.text.clone())).collect()
    };
    let [(Level::Warning, "user_stream", why)] = &told(&play)[..] else {
        panic!("{:?}", play.notes)
    };
    assert!(why.contains("-2015") && why.contains("60 s"), "{why}");
    // Another reason is told too, and that it works again.
    let lost = |play: &mut Play, asked: &Asked| play.fail(asked, Sent::Perhaps);
    assert_eq!(asked_again_after_s(&mut play, &sockets, lost), 60);
    assert_eq!(told(&play).len(), 2, "{:?}", play.notes);
    play.told.clear();
    play.ok("POST", "/fapi/v1/listenKey", r#"{"listenKey":"abcd"}"#);
    let user = play.connect("/private/ws/abcd");
    assert_eq!(play.others(), [Told::Link { up: true }]);
    let [.., (Level::Info, "user_stream", again)] = &told(&play)[..] else {
        panic!("{:?}", play.notes)
    };
    assert!(again.contains("again"), "{again}");
    // The next trouble begins anew.
    play.notes.clear();
    play.frame(user, r#"{"e":"listenKeyExpired","E":1795255201000,"listenKey":"abcd"}"#);
    assert_eq!(asked_again_after_s(&mut play, &sockets, wrong), 1);
    assert_eq!(told(&play).iter().filter(|(_, topic, _)| *topic == "user_stream").count(), 1);
}

#[test]
fn a_connection_that_counts_as_a_request_is_not_made_while_the_address_is_banned() {
    let (mut play, [market, trade]) = spot(&Account::default());
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
    let asked = play.take("GET", "/api/v3/openOrders");
    let body = r#"{"code":-1003,"msg":"Way too much request weight used; IP banned until 1795255321000."}"#;
    play.answer(&asked, 418, &[("Retry-After", "120")], body);
    play.opens.clear();
    play.close(trade);
    play.close(market);
    // Streams are none of it: a ban tells its clients to listen there.
    let market = play.connect("stream.binance.com");
    play.wait_alive(119 * SECOND, &[market]);
    assert!(play.opens.is_empty(), "{:?}", play.opens);
    let held = play.notes.iter().filter(|note| note.text.contains("is made again in 120000 ms"));
    assert_eq!(held.count(), 1, "{:?}", play.notes);
    play.wait_alive(2 * SECOND, &[market]);
    play.connect("ws-api.binance.com");
    assert!(play.opens.is_empty(), "{:?}", play.opens);
}

#[test]
fn a_cancel_without_an_answer_is_sent_again_when_the_order_still_works() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    play.cancel(1);
    let asked = play.take("DELETE", "/fapi/v1/order");
    play.fail(&asked, Sent::Perhaps);
    play.wait(SECOND);
    play.ok("GET", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.ok("DELETE", "/fapi/v1/order", &order(1, "CANCELED", "0.002"));
    let reports = play.reports(1);
    assert_eq!(reports[0].event.kind, VenueEventKind::Cancelled(CancelReason::Requested));
    assert_eq!(reports[0].filled, Some(Lots(2)), "what traded before is said");
}

#[test]
fn a_cancel_of_what_is_gone_says_so() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    play.cancel(1);
    let asked = play.take("DELETE", "/fapi/v1/order");
    play.answer(&asked, 400, &[], r#"{"code":-2011,"msg":"Unknown order sent."}"#);
    assert_eq!(play.kinds(1), [VenueEventKind::CancelRejected(RejectReason::UnknownOrder)]);
}

#[test]
fn futures_change_in_place() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    play.amend(1, 617_000, 7);
    let asked = play.take("PUT", "/fapi/v1/order");
    assert_eq!(asked.param("price").as_deref(), Some("61700"));
    let changed = order(1, "NEW", "0").replace("61800", "61700").replace("0.005", "0.007");
    play.answer(&asked, 200, &[], &changed);
    let amended = VenueEventKind::Amended { price: Ticks(617_000), qty: Lots(7) };
    assert_eq!(play.kinds(1), [amended]);
    let event = update(1, "AMENDMENT", "NEW", "0", "0", 0);
    play.frame(user, &event.replace("61800", "61700").replace("\"0.005\"", "\"0.007\""));
    assert_eq!(play.kinds(1), [amended], "the stream says it too");
    play.amend(1, 616_000, 7);
    let asked = play.take("PUT", "/fapi/v1/order");
    play.answer(&asked, 400, &[], r#"{"code":-2013,"msg":"Order does not exist."}"#);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::UnknownOrder)]);
}

#[test]
fn an_expired_user_stream_is_opened_anew_and_the_account_asked_for() {
    let (mut play, [.., user]) = usdm(|settings| settings.on_disconnect = OnDisconnect::Keep);
    play.told.clear();
    play.frame(user, r#"{"e":"listenKeyExpired","E":1795255201000,"listenKey":"abcd"}"#);
    assert_eq!(play.others(), [Told::Link { up: false }]);
    assert_eq!(play.closes, [user]);
    play.place(1, Side::Buy, 618_000, 5);
    assert_eq!(
        play.kinds(1),
        [VenueEventKind::Rejected(RejectReason::Halted)],
        "nobody would hear"
    );
    play.ok("POST", "/fapi/v1/listenKey", r#"{"listenKey":"efgh"}"#);
    play.connect("/private/ws/efgh");
    assert_eq!(play.others(), [Told::Link { up: true }]);
}

#[test]
fn the_key_of_the_user_stream_is_kept_alive() {
    let (mut play, sockets) = usdm(|_| {});
    play.skip(1_799 * SECOND, &sockets);
    play.wait_alive(SECOND, &sockets);
    let asked = play.take("PUT", "/fapi/v1/listenKey");
    play.answer(&asked, 400, &[], r#"{"code":-1125,"msg":"This listenKey does not exist."}"#);
    play.ok("POST", "/fapi/v1/listenKey", r#"{"listenKey":"efgh"}"#);
    assert!(play.noted("user_stream"));
}

#[test]
fn when_the_venue_cannot_be_heard_orders_are_cancelled_and_the_countdown_stands_behind() {
    let (mut play, sockets) = usdm(|_| {});
    let user = sockets[2];
    let asked = play.take("POST", "/fapi/v1/countdownCancelAll");
    assert_eq!(asked.param("countdownTime").as_deref(), Some("30000"));
    play.wait_alive(11 * SECOND, &sockets);
    assert!(play.find("POST", "/fapi/v1/countdownCancelAll").is_some(), "we are still there");
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.close(user);
    let asked = play.take("DELETE", "/fapi/v1/order");
    assert_eq!(asked.param("origClientOrderId"), Some(client(1)), "ours alone: others stay");
    play.fail(&asked, Sent::Perhaps);
    play.wait(2 * SECOND);
    play.ok("GET", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.ok("DELETE", "/fapi/v1/order", &order(1, "CANCELED", "0"));
    assert!(play.kinds(1).contains(&VenueEventKind::Cancelled(CancelReason::Requested)));
    play.asked.clear();
    play.wait(60 * SECOND);
    assert!(play.find("POST", "/fapi/v1/countdownCancelAll").is_none(), "the venue may act now");
}

#[test]
fn on_stale_market_data_nothing_is_quoted_and_what_rests_is_cancelled() {
    let (mut play, [books, ..]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    play.close(books);
    play.ok("DELETE", "/fapi/v1/order", &order(1, "CANCELED", "0"));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
    play.place(2, Side::Buy, 618_000, 5);
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::Halted)]);
    play.connect("/public/");
    play.place(3, Side::Buy, 618_000, 5);
    play.take("POST", "/fapi/v1/order");
}

#[test]
fn orders_are_kept_where_that_is_wanted() {
    let (mut play, [books, _, user]) = usdm(|settings| settings.on_disconnect = OnDisconnect::Keep);
    assert!(play.find("POST", "/fapi/v1/countdownCancelAll").is_none());
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.close(books);
    play.close(user);
    play.wait(SECOND);
    assert!(play.find("DELETE", "/fapi/v1/order").is_none());
}

#[test]
fn the_end_switches_the_countdown_off_and_closes() {
    let (mut play, sockets) = usdm(|_| {});
    play.asked.clear();
    play.stop();
    let asked = play.take("POST", "/fapi/v1/countdownCancelAll");
    assert_eq!(asked.param("countdownTime").as_deref(), Some("0"));
    assert!(sockets.iter().all(|socket| play.closes.contains(socket)));
}

/// An order of the websocket API of spot, as its answer.
fn placed(id: &str, client: &str, venue_id: u64, fills: &str, status: &str, all: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":200,"result":{{"symbol":"BTCUSDT","orderId":{venue_id},"orderListId":-1,"clientOrderId":"{client}","transactTime":1795255200500,"price":"61800","origQty":"0.005","executedQty":"{all}","status":"{status}","timeInForce":"GTC","type":"LIMIT_MAKER","side":"BUY","fills":[{fills}]}},"rateLimits":[]}}"#
    )
}

fn spot_with_order() -> (Play, SocketId) {
    let (mut play, [_, trade]) = spot(&Account::default());
    play.place(1, Side::Buy, 618_000, 5);
    let text = play.take_text(trade, "order.place");
    assert!(text.contains(&client(1)) && text.contains("LIMIT_MAKER"), "{text}");
    play.frame(trade, &placed(&ws_id(&text), &client(1), 501, "", "NEW", "0"));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    (play, trade)
}

/// An execution report of spot.
fn report(execution: &str, status: &str, ids: (&str, &str, u64), last: &str, all: &str) -> String {
    let (client, original, venue_id) = ids;
    format!(
        r#"{{"subscriptionId":0,"event":{{"e":"executionReport","E":1795255201000,"s":"BTCUSDT","c":"{client}","S":"BUY","o":"LIMIT_MAKER","f":"GTC","q":"0.005","p":"61800","P":"0","F":"0","g":-1,"C":"{original}","x":"{execution}","X":"{status}","r":"NONE","i":{venue_id},"l":"{last}","z":"{all}","L":"61800","n":"0","N":null,"T":1795255200999,"t":55,"w":true,"m":true,"O":1795255200000,"Z":"0"}}}}"#
    )
}

#[test]
fn spot_orders_go_by_the_websocket_and_events_come_on_it() {
    let (mut play, trade) = spot_with_order();
    play.frame(
        trade,
        &report("TRADE", "PARTIALLY_FILLED", (&client(1), "", 501), "0.002", "0.002"),
    );
    assert_eq!(play.kinds(1), [FILL]);
    play.cancel(1);
    let text = play.take_text(trade, "order.cancel");
    let answer = format!(
        r#"{{"id":"{}","status":200,"result":{{"symbol":"BTCUSDT","origClientOrderId":"{}","orderId":501,"clientOrderId":"x","transactTime":1795255202000,"price":"61800","origQty":"0.005","executedQty":"0.002","status":"CANCELED","timeInForce":"GTC","type":"LIMIT_MAKER","side":"BUY"}}}}"#,
        ws_id(&text),
        client(1)
    );
    play.frame(trade, &answer);
    let reports = play.reports(1);
    assert_eq!(reports[0].event.kind, VenueEventKind::Cancelled(CancelReason::Requested));
    assert_eq!(reports[0].filled, Some(Lots(2)));
}

#[test]
fn a_lost_connection_for_orders_leaves_their_outcome_open() {
    let (mut play, [_, trade]) = spot(&Account::default());
    play.place(1, Side::Buy, 618_000, 5);
    play.take_text(trade, "order.place");
    play.close(trade);
    assert!(play.kinds(1).is_empty());
    assert!(play.others().contains(&Told::Link { up: false }));
    play.wait(SECOND);
    let asked = play.take("GET", "/api/v3/order");
    assert_eq!(asked.param("origClientOrderId"), Some(client(1)));
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_asked_about() {
    let (mut play, [market, trade]) = spot(&Account::default());
    play.place(1, Side::Buy, 618_000, 5);
    play.take_text(trade, "order.place");
    play.wait_alive(6 * SECOND, &[market, trade]);
    assert!(play.kinds(1).is_empty());
    play.take("GET", "/api/v3/order");
}

#[test]
fn spot_replaces_and_it_is_one_order_all_the_same() {
    let (mut play, trade) = spot_with_order();
    play.frame(
        trade,
        &report("TRADE", "PARTIALLY_FILLED", (&client(1), "", 501), "0.002", "0.002"),
    );
    play.kinds(1);
    play.amend(1, 617_000, 5);
    let text = play.take_text(trade, "order.cancelReplace");
    assert!(text.contains(&version(1, 1)) && text.contains("\"quantity\":\"0.003\""), "{text}");
    assert!(text.contains("LIMIT_MAKER"), "it stays post-only: {text}");
    // The stream says first that the old one is cancelled and the new one there.
    play.frame(trade, &report("CANCELED", "CANCELED", ("x", &client(1), 501), "0", "0.002"));
    assert!(play.kinds(1).is_empty(), "the order is not over");
    play.frame(trade, &report("NEW", "NEW", (&version(1, 1), "", 502), "0", "0"));
    let amended = VenueEventKind::Amended { price: Ticks(617_000), qty: Lots(5) };
    assert_eq!(play.kinds(1), [amended]);
    let answer = format!(
        r#"{{"id":"{}","status":200,"result":{{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS","cancelResponse":{{"symbol":"BTCUSDT","origClientOrderId":"{}","orderId":501,"clientOrderId":"x","transactTime":1795255202000,"price":"61800","origQty":"0.005","executedQty":"0.002","status":"CANCELED","timeInForce":"GTC","type":"LIMIT_MAKER","side":"BUY"}},"newOrderResponse":{{"symbol":"BTCUSDT","orderId":502,"orderListId":-1,"clientOrderId":"{}","transactTime":1795255202000,"price":"61700","origQty":"0.003","executedQty":"0","status":"NEW","timeInForce":"GTC","type":"LIMIT_MAKER","side":"BUY","fills":[]}}}}}}"#,
        ws_id(&text),
        client(1),
        version(1, 1)
    );
    play.frame(trade, &answer);
    assert!(play.kinds(1).iter().all(|kind| *kind == VenueEventKind::Accepted), "nothing new");
    // What trades of the new one counts to the same order.
    play.frame(
        trade,
        &report("TRADE", "PARTIALLY_FILLED", (&version(1, 1), "", 502), "0.002", "0.002"),
    );
    assert_eq!(play.reports(1)[0].filled, Some(Lots(4)));
    play.cancel(1);
    assert!(play.take_text(trade, "order.cancel").contains(&version(1, 1)));
}

/// The venue's word that it does not know the order that a cancel names.
fn unknown_to_cancel(play: &mut Play, trade: SocketId, text: &str) {
    let answer = format!(
        r#"{{"id":"{}","status":400,"error":{{"code":-2011,"msg":"Unknown order sent."}}}}"#,
        ws_id(text)
    );
    play.frame(trade, &answer);
}

fn named(id: &str) -> String {
    format!("\"origClientOrderId\":\"{id}\"")
}

#[test]
fn a_cancel_that_a_replacement_overtook_goes_to_what_took_its_place() {
    let (mut play, trade) = spot_with_order();
    play.amend(1, 617_000, 5);
    play.take_text(trade, "order.cancelReplace");
    play.cancel(1);
    let text = play.take_text(trade, "order.cancel");
    assert!(text.contains(&named(&client(1))), "what stands as far as we know: {text}");
    unknown_to_cancel(&mut play, trade, &text);
    assert!(play.kinds(1).is_empty(), "the cancel is not over");
    let text = play.take_text(trade, "order.cancel");
    assert!(text.contains(&named(&version(1, 1))), "{text}");
    play.frame(trade, &report("CANCELED", "CANCELED", ("x", &client(1), 501), "0", "0"));
    play.frame(trade, &report("NEW", "NEW", (&version(1, 1), "", 502), "0", "0"));
    play.frame(trade, &report("CANCELED", "CANCELED", ("y", &version(1, 1), 502), "0", "0"));
    let amended = VenueEventKind::Amended { price: Ticks(617_000), qty: Lots(5) };
    assert_eq!(play.kinds(1), [amended, VenueEventKind::Cancelled(CancelReason::Requested)]);
}

#[test]
fn a_cancel_of_a_version_that_was_replaced_before_its_answer_goes_again_too() {
    let (mut play, trade) = spot_with_order();
    play.amend(1, 617_000, 5);
    play.take_text(trade, "order.cancelReplace");
    play.cancel(1);
    let text = play.take_text(trade, "order.cancel");
    play.frame(trade, &report("CANCELED", "CANCELED", ("x", &client(1), 501), "0", "0"));
    play.frame(trade, &report("NEW", "NEW", (&version(1, 1), "", 502), "0", "0"));
    unknown_to_cancel(&mut play, trade, &text);
    assert!(play.take_text(trade, "order.cancel").contains(&named(&version(1, 1))));
}

#[test]
fn a_cancel_that_finds_no_version_is_told_after_some_attempts() {
    let (mut play, trade) = spot_with_order();
    play.amend(1, 617_000, 5);
    play.take_text(trade, "order.cancelReplace");
    play.cancel(1);
    let mut names = Vec::new();
    while play.kinds(1).is_empty() {
        assert!(names.len() < 10, "no end: {names:?}");
        let text = play.take_text(trade, "order.cancel");
        names.push(text.contains(&named(&version(1, 1))));
        unknown_to_cancel(&mut play, trade, &text);
    }
    assert_eq!(names, [false, true, false, true, false, true]);
}

#[test]
fn an_order_that_was_not_there_yet_when_its_cancel_came_is_cancelled_once_it_is() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(1, "NEW", "0"));
    play.kinds(1);
    let refused = [VenueEventKind::CancelRejected(RejectReason::UnknownOrder)];
    play.cancel(1);
    let mut cancels = 0;
    while let Some(cancel) = play.find("DELETE", "/fapi/v1/order") {
        cancels += 1;
        assert!(cancels < 10, "no end");
        play.answer(&cancel, 400, &[], r#"{"code":-2011,"msg":"Unknown order sent."}"#);
        assert_eq!(play.kinds(1), refused);
        play.request(Request::OrderQuery { order: ClientOrderId(1), instrument: InstrumentId(0) });
        play.ok("GET", "/fapi/v1/order", &order(1, "NEW", "0"));
    }
    assert_eq!(cancels, 5);
}

#[test]
fn half_a_replacement_ends_the_order() {
    let (mut play, trade) = spot_with_order();
    play.amend(1, 617_000, 5);
    let text = play.take_text(trade, "order.cancelReplace");
    let answer = format!(
        r#"{{"id":"{}","status":409,"error":{{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{{"cancelResult":"SUCCESS","newOrderResult":"FAILURE","cancelResponse":{{"symbol":"BTCUSDT","origClientOrderId":"{}","orderId":501,"executedQty":"0","status":"CANCELED"}},"newOrderResponse":{{"code":-2010,"msg":"Order would immediately match and take."}}}}}}}}"#,
        ws_id(&text),
        client(1)
    );
    play.frame(trade, &answer);
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
}

#[test]
fn a_replacement_nobody_knows_about_is_asked_for_newest_first() {
    let (mut play, trade) = spot_with_order();
    play.amend(1, 617_000, 5);
    play.take_text(trade, "order.cancelReplace");
    play.wait_alive(6 * SECOND, &[SocketId(1), trade]);
    let asked = play.take("GET", "/api/v3/order");
    assert_eq!(asked.param("origClientOrderId"), Some(version(1, 1)));
    play.answer(&asked, 400, &[], r#"{"code":-2013,"msg":"Order does not exist."}"#);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::VenueRule)]);
    let asked = play.take("GET", "/api/v3/order");
    assert_eq!(asked.param("origClientOrderId"), Some(client(1)), "then the one before it");
}

#[test]
fn nothing_is_placed_before_the_venue_is_known() {
    let mut play = Play::new("binance_usdm", |_| {});
    play.start(&Account::default());
    assert_eq!(play.now_ns, BEGIN_NS);
    play.place(1, Side::Buy, 618_000, 5);
    assert_eq!(play.kinds(1), [VenueEventKind::Rejected(RejectReason::Halted)]);
    assert!(play.find("POST", "/fapi/v1/order").is_none());
}

#[test]
fn a_venue_whose_rules_changed_takes_no_orders_from_us() {
    let (mut play, sockets) = usdm(|_| {});
    play.skip(3_600 * SECOND, &sockets);
    play.wait_alive(SECOND, &sockets);
    play.ok("GET", "/fapi/v1/exchangeInfo", &crate::play::INFO.replace("\"0.10\"", "\"0.05\""));
    play.place(1, Side::Buy, 618_000, 5);
    assert_eq!(play.kinds(1), [VenueEventKind::Rejected(RejectReason::Halted)]);
    assert!(play.noted("instruments"));
}
