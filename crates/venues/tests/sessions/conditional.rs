//! Orders that wait for a trigger, at venues that keep them apart from those on the book.

use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    Answer, CancelReason, ClientOrderId, InstrumentId, Lots, OpenOrder, OrderFlags, OrderType,
    RejectReason, Request, Side, Ticks, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_venues::session::{Sent, SocketId, Told};

use crate::others::{bybit_spot, okx};
use crate::play::{client, usdm, Play, SECOND};

/// A stop that closes: five lots sold when the price falls to 60,000.0.
fn stop(play: &mut Play, id: u64) {
    let mut terms = OrderTerms::limit(InstrumentId(0), Side::Sell, Ticks(0), Lots(5));
    terms.order_type = OrderType::Stop;
    terms.trigger = Ticks(600_000);
    terms.flags = OrderFlags::REDUCE_ONLY;
    let kind = VenueRequestKind::New(terms);
    play.request(Request::Order(VenueRequest { order: ClientOrderId(id), sent_ns: 0, kind }));
}

/// A conditional order as REST of USD-M tells it.
fn algo(id: u64, status: &str, became: &str) -> String {
    format!(
        r#"{{"algoId":{},"clientAlgoId":"{}","algoType":"CONDITIONAL","orderType":"STOP_MARKET","symbol":"BTCUSDT","side":"SELL","positionSide":"BOTH","timeInForce":"GTC","quantity":"0.005","algoStatus":"{status}","triggerPrice":"60000","price":"0","actualOrderId":"{became}","createTime":1795255200500,"updateTime":1795255200500}}"#,
        4_000 + id,
        client(id)
    )
}

const NO_SUCH: &str = r#"{"code":-2011,"msg":"Unknown order sent."}"#;

#[test]
fn a_stop_of_futures_is_cancelled_where_it_waits() {
    let (mut play, _) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    play.cancel(1);
    let asked = play.take("DELETE", "/fapi/v1/algoOrder");
    assert_eq!(asked.param("clientAlgoId"), Some(client(1)));
    let done = r#"{"algoId":4001,"clientAlgoId":"CLIENT","code":"200","msg":"success"}"#;
    play.answer(&asked, 200, &[], &done.replace("CLIENT", &client(1)));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
    assert!(play.find("DELETE", "/fapi/v1/order").is_none(), "{:?}", play.asked);
}

#[test]
fn stops_go_one_by_one_beside_a_batch_of_cancels() {
    let (mut play, _) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    let cancel = |id| {
        let kind = VenueRequestKind::Cancel { instrument: InstrumentId(0) };
        Request::Order(VenueRequest { order: ClientOrderId(id), sent_ns: 0, kind })
    };
    play.place(2, Side::Buy, 618_000, 5);
    play.place(3, Side::Buy, 618_000, 5);
    play.round(&[cancel(1), cancel(2), cancel(3)]);
    let alone = play.take("DELETE", "/fapi/v1/algoOrder");
    assert_eq!(alone.param("clientAlgoId"), Some(client(1)));
    let batch = play.take("DELETE", "/fapi/v1/batchOrders").param("origClientOrderIdList").unwrap();
    assert!(!batch.contains(&client(1)) && batch.contains(&client(3)), "{batch}");
}

#[test]
fn what_a_trigger_made_of_a_stop_is_cancelled_by_the_venues_id() {
    let (mut play, [.., user]) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    let update = format!(
        r#"{{"e":"ALGO_UPDATE","E":1795255201000,"T":1795255200999,"o":{{"caid":"{}","aid":4001,"at":"CONDITIONAL","o":"STOP_MARKET","s":"BTCUSDT","S":"SELL","ps":"BOTH","f":"GTC","q":"0.005","X":"TRIGGERED","ai":"9077","p":"0"}}}}"#,
        client(1)
    );
    play.frame(user, &update);
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted, VenueEventKind::Triggered]);
    play.cancel(1);
    assert_eq!(play.take("DELETE", "/fapi/v1/order").param("orderId").as_deref(), Some("9077"));
}

#[test]
fn a_stop_without_news_is_asked_about_where_it_waits_and_then_on_the_book() {
    let (mut play, _) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    play.told.clear();
    play.request(Request::OrderQuery { order: ClientOrderId(1), instrument: InstrumentId(0) });
    let asked = play.ok("GET", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    assert_eq!(asked.param("clientAlgoId"), Some(client(1)));
    let order = ClientOrderId(1);
    let working = Told::Answer { order, answer: Answer::Working { filled: Lots(0) } };
    assert!(play.others().contains(&working));
    // It was triggered while nobody listened.
    play.request(Request::OrderQuery { order, instrument: InstrumentId(0) });
    play.ok("GET", "/fapi/v1/algoOrder", &algo(1, "TRIGGERED", "9077"));
    let filled = r#"{"orderId":9077,"symbol":"BTCUSDT","status":"FILLED","clientOrderId":"web_x","price":"0","origQty":"0.005","executedQty":"0.005","timeInForce":"GTC","type":"MARKET","side":"SELL","updateTime":1795255200900}"#;
    let asked = play.ok("GET", "/fapi/v1/order", filled);
    assert_eq!(asked.param("orderId").as_deref(), Some("9077"));
    let answer = Answer::Filled { filled: Lots(5) };
    assert!(play.others().contains(&Told::Answer { order, answer }));
}

#[test]
fn a_refused_cancel_of_a_stop_at_a_loss_asks_what_its_trigger_made() {
    let (mut play, [books, _, user]) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    play.close(books);
    play.close(user);
    let asked = play.take("DELETE", "/fapi/v1/algoOrder");
    play.answer(&asked, 400, &[], NO_SUCH);
    play.wait(SECOND);
    play.ok("GET", "/fapi/v1/algoOrder", &algo(1, "TRIGGERED", "9077"));
    let rests = r#"{"orderId":9077,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"web_x","price":"60000","origQty":"0.005","executedQty":"0","timeInForce":"GTC","type":"LIMIT","side":"SELL","updateTime":1795255200900}"#;
    play.ok("GET", "/fapi/v1/order", rests);
    assert_eq!(play.take("DELETE", "/fapi/v1/order").param("orderId").as_deref(), Some("9077"));
}

#[test]
fn stops_are_in_the_account_and_those_of_others_are_cancelled_where_they_wait() {
    let (mut play, _) = usdm(|_| {});
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
    let theirs = algo(8, "NEW", "").replace(&client(8), "by-hand");
    let rows = format!("[{},{theirs}]", algo(9, "NEW", ""));
    play.ok("GET", "/fapi/v1/openAlgoOrders", &rows);
    play.ok("GET", "/fapi/v1/openOrders", "[]");
    play.ok("GET", "/fapi/v1/userTrades", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    let account = play.others().into_iter().find_map(|told| match told {
        Told::Account(account) => Some(account),
        _ => None,
    });
    let open = account.unwrap().open;
    assert_eq!(open.iter().map(|one| one.order.0).collect::<Vec<_>>(), [9, 0]);
    assert_eq!((open[0].qty, open[0].side), (Lots(5), Side::Sell));
    let instrument = InstrumentId(0);
    play.request(Request::ForeignCancel { venue_order: 4_008, instrument });
    assert_eq!(play.take("DELETE", "/fapi/v1/algoOrder").param("algoId").as_deref(), Some("4008"));
    // Ours of an earlier process, which only the list has told of.
    play.cancel(9);
    assert_eq!(play.take("DELETE", "/fapi/v1/algoOrder").param("clientAlgoId"), Some(client(9)));
}

#[test]
fn an_order_taken_over_is_looked_for_among_those_that_wait_as_well() {
    let open = OpenOrder {
        order: ClientOrderId(1),
        venue_order: 0,
        instrument: InstrumentId(0),
        side: Side::Sell,
        price: Ticks(0),
        qty: Lots(5),
        filled: Lots(0),
    };
    let account = Account { open: vec![open], ..Account::default() };
    let (mut play, _) = crate::play::usdm_with(&account, |_| {});
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
    let asked = play.take("GET", "/fapi/v1/order");
    play.answer(&asked, 400, &[], r#"{"code":-2013,"msg":"Order does not exist."}"#);
    play.ok("GET", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    let order = ClientOrderId(1);
    let answer = Answer::Working { filled: Lots(0) };
    assert!(play.others().contains(&Told::Answer { order, answer }), "it is not given up");
    play.cancel(1);
    assert_eq!(play.take("DELETE", "/fapi/v1/algoOrder").param("clientAlgoId"), Some(client(1)));
}

#[test]
fn a_stop_that_waits_is_not_amended() {
    let (mut play, _) = usdm(|_| {});
    stop(&mut play, 1);
    play.ok("POST", "/fapi/v1/algoOrder", &algo(1, "NEW", ""));
    play.kinds(1);
    play.amend(1, 600_000, 4);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::VenueRule)]);
    assert!(play.find("PUT", "/fapi/v1/order").is_none(), "{:?}", play.asked);
}

#[test]
fn a_stop_of_okx_lives_by_its_acknowledgements_until_its_trigger_makes_an_order() {
    let (mut play, [_, user]) = okx();
    stop(&mut play, 1);
    let asked = play.take("POST", "/api/v5/trade/order-algo");
    let answer = |client: &str| {
        format!(
            r#"{{"code":"0","msg":"","data":[{{"algoId":"4001","clOrdId":"","algoClOrdId":"{client}","sCode":"0","sMsg":"","tag":""}}]}}"#
        )
    };
    play.answer(&asked, 200, &[], &answer(&client(1)));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    stop(&mut play, 2);
    let asked = play.take("POST", "/api/v5/trade/order-algo");
    play.answer(&asked, 200, &[], &answer(&client(2)));
    play.kinds(2);
    play.cancel(2);
    let asked = play.take("POST", "/api/v5/trade/cancel-algos");
    let wanted = format!(r#"[{{"algoClOrdId":"{}","instId":"BTC-USDT-SWAP"}}]"#, client(2));
    assert_eq!(asked.body, wanted);
    play.answer(&asked, 200, &[], &answer(&client(2)));
    assert_eq!(play.kinds(2), [VenueEventKind::Cancelled(CancelReason::Requested)]);
    // The order that the trigger made has an id of its own, and names the one that waited.
    let made = format!(
        r#"{{"arg":{{"channel":"orders","instType":"ANY"}},"data":[{{"instId":"BTC-USDT-SWAP","clOrdId":"","algoClOrdId":"{}","algoId":"4001","ordId":"9077","state":"partially_filled","side":"sell","px":"","sz":"0.005","ordType":"market","accFillSz":"0.002","fillPx":"60000","fillSz":"0.002","tradeId":"71","fillTime":"1795255200500","execType":"T","fillFee":"-0.01","fillFeeCcy":"USDT","uTime":"1795255200500","cTime":"1795255200400","cancelSource":"","amendResult":"","category":"normal"}}]}}"#,
        client(1)
    );
    play.frame(user, &made);
    assert!(matches!(play.kinds(1)[..], [VenueEventKind::Filled { qty: Lots(2), .. }]));
    play.cancel(1);
    assert!(play.take_text(user, "cancel-order").contains(r#""ordId":"9077""#));
}

#[test]
fn a_stop_of_bybits_spot_is_cancelled_as_what_it_is() {
    let (mut play, trade) = bybit_spot();
    let mut terms = OrderTerms::limit(InstrumentId(0), Side::Sell, Ticks(0), Lots(5));
    (terms.order_type, terms.trigger) = (OrderType::Stop, Ticks(600_000));
    let kind = VenueRequestKind::New(terms);
    play.request(Request::Order(VenueRequest { order: ClientOrderId(1), sent_ns: 0, kind }));
    assert!(play.take_text(trade, "order.create").contains("StopOrder"));
    play.cancel(1);
    assert!(play.take_text(trade, "order.cancel").contains(r#""orderFilter":"StopOrder""#));
    play.place(2, Side::Buy, 618_000, 5);
    play.cancel(2);
    let cancels: Vec<_> = play.texts.iter().filter(|(_, t)| t.contains("order.cancel")).collect();
    assert!(cancels[0].1.contains(r#""orderFilter":"Order""#), "{cancels:?}");
}

/// The stream of stops of OKX, logged in and subscribed.
fn business(play: &mut Play) -> SocketId {
    let armed = play.connect("/v5/business");
    play.take_text(armed, "login");
    play.frame(armed, r#"{"event":"login","code":"0","msg":"","connId":"b4d3ae55"}"#);
    let wanted = r#"{"op":"subscribe","args":[{"channel":"orders-algo","instType":"ANY"}]}"#;
    assert_eq!(play.take_text(armed, "subscribe"), wanted);
    play.frame(
        armed,
        r#"{"event":"subscribe","arg":{"channel":"orders-algo","instType":"ANY"},"connId":"b"}"#,
    );
    armed
}

/// A stop as the stream tells it; `ids` are those of what its trigger made.
fn told_by_stream(id: u64, state: &str, ids: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"orders-algo","instType":"ANY","uid":"1"}},"data":[{{"instType":"SWAP","instId":"BTC-USDT-SWAP","algoId":"{}","algoClOrdId":"{}","clOrdId":"",{ids},"ordType":"conditional","side":"sell","posSide":"net","sz":"0.005","slTriggerPx":"60000","slOrdPx":"-1","state":"{state}","actualPx":"","actualSz":"0","failCode":"","cTime":"1795255200400","uTime":"1795255200500"}}]}}"#,
        4_000 + id,
        client(id)
    )
}

/// A stop of OKX that the venue has taken.
fn okx_stop(play: &mut Play, id: u64) {
    stop(play, id);
    let taken = format!(
        r#"{{"code":"0","msg":"","data":[{{"algoId":"{}","clOrdId":"","algoClOrdId":"{}","sCode":"0","sMsg":"","tag":""}}]}}"#,
        4_000 + id,
        client(id)
    );
    play.ok("POST", "/api/v5/trade/order-algo", &taken);
    assert_eq!(play.kinds(id), [VenueEventKind::Accepted]);
}

const NOTHING: &str = r#""ordId":"""#;

#[test]
fn what_becomes_of_a_stop_of_okx_is_told_by_its_own_stream() {
    let (mut play, [_, user]) = okx();
    let armed = business(&mut play);
    for id in 1..=4 {
        okx_stop(&mut play, id);
        play.frame(armed, &told_by_stream(id, "live", NOTHING));
        assert_eq!(play.kinds(id), [VenueEventKind::Accepted]);
    }
    // By hand, by the trigger, and by a trigger of which the order was refused.
    play.frame(armed, &told_by_stream(1, "canceled", NOTHING));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);
    play.frame(armed, &told_by_stream(2, "order_failed", NOTHING));
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::VenueRule)]);
    play.frame(armed, &told_by_stream(3, "effective", r#""ordId":"9077","ordIdList":["9077"]"#));
    assert_eq!(play.kinds(3), [VenueEventKind::Triggered]);
    play.frame(armed, &told_by_stream(4, "effective", r#""ordIdList":["9078"]"#));
    assert_eq!(play.kinds(4), [VenueEventKind::Triggered]);
    // What a trigger made is cancelled on the book, by the venue's id.
    for (id, made) in [(3, "9077"), (4, "9078")] {
        play.cancel(id);
        let sent = play.take_text(user, "cancel-order");
        assert!(sent.contains(&format!(r#""ordId":"{made}""#)), "{sent}");
    }
    assert!(play.find("POST", "/api/v5/trade/cancel-algos").is_none(), "{:?}", play.asked);
    assert!(!play.noted("message"), "{:?}", play.notes);
}

#[test]
fn late_news_that_a_stop_waits_does_not_undo_its_trigger() {
    let (mut play, [_, user]) = okx();
    let armed = business(&mut play);
    okx_stop(&mut play, 1);
    // Two connections keep no order between them.
    let made = format!(
        r#"{{"arg":{{"channel":"orders","instType":"ANY"}},"data":[{{"instId":"BTC-USDT-SWAP","clOrdId":"4001_0","algoClOrdId":"{}","algoId":"4001","ordId":"9077","state":"live","side":"sell","px":"60000","sz":"0.005","ordType":"limit","accFillSz":"0","uTime":"1795255200500","cTime":"1795255200400","cancelSource":"","amendResult":""}}]}}"#,
        client(1)
    );
    play.frame(user, &made);
    play.frame(armed, &told_by_stream(1, "live", NOTHING));
    play.frame(armed, &told_by_stream(1, "effective", r#""ordId":"9077""#));
    play.cancel(1);
    assert!(play.take_text(user, "cancel-order").contains(r#""ordId":"9077""#));
}

#[test]
fn a_trigger_without_the_name_of_what_it_made_is_told_and_the_name_comes_later() {
    let (mut play, [_, user]) = okx();
    let armed = business(&mut play);
    okx_stop(&mut play, 1);
    play.frame(armed, &told_by_stream(1, "effective", NOTHING));
    assert_eq!(play.kinds(1), [VenueEventKind::Triggered]);
    let made = format!(
        r#"{{"arg":{{"channel":"orders","instType":"ANY"}},"data":[{{"instId":"BTC-USDT-SWAP","clOrdId":"","algoClOrdId":"{}","algoId":"4001","ordId":"9077","state":"live","side":"sell","px":"60000","sz":"0.005","ordType":"limit","accFillSz":"0","uTime":"1795255200500","cTime":"1795255200400","cancelSource":"","amendResult":""}}]}}"#,
        client(1)
    );
    play.frame(user, &made);
    play.cancel(1);
    assert!(play.take_text(user, "cancel-order").contains(r#""ordId":"9077""#));
}

/// So many seconds go by in which every connection answers pings.
fn alive(play: &mut Play, seconds: usize) {
    for _ in 0..2 * seconds {
        play.wait(SECOND / 2);
        let pings: Vec<SocketId> =
            play.texts.extract_if(.., |(_, text)| text == "ping").map(|(at, _)| at).collect();
        pings.into_iter().for_each(|socket| play.frame(socket, "pong"));
    }
}

fn armed_notes(play: &Play) -> usize {
    play.notes.iter().filter(|note| note.topic == "armed_stream").count()
}

#[test]
fn a_session_trades_without_the_stream_of_stops_and_says_so() {
    let (mut play, _) = okx();
    alive(&mut play, 5);
    assert_eq!(armed_notes(&play), 0, "it may take a while to connect");
    alive(&mut play, 10);
    assert_eq!(armed_notes(&play), 1, "{:?}", play.notes);
    assert!(play.session.is_up());
    okx_stop(&mut play, 1);
    alive(&mut play, 30);
    assert_eq!(armed_notes(&play), 1, "once is enough");
    // What it would have told is asked for when it is there.
    assert!(play.find("GET", "/api/v5/trade/orders-algo-pending").is_none());
    let armed = business(&mut play);
    alive(&mut play, 1);
    assert_eq!(armed_notes(&play), 2, "{:?}", play.notes);
    assert!(play.find("GET", "/api/v5/trade/orders-algo-pending").is_some());
    // A loss of it is no loss of the link.
    play.told.clear();
    play.close(armed);
    assert!(play.session.is_up() && play.others().is_empty(), "{:?}", play.told);
    alive(&mut play, 2);
    business(&mut play);
}

#[test]
fn a_refused_stream_of_stops_leaves_the_session_up_and_is_tried_again() {
    let (mut play, _) = okx();
    let armed = play.connect("/v5/business");
    play.take_text(armed, "login");
    let refused = r#"{"event":"error","code":"60018","msg":"Wrong URL or channel","connId":"b"}"#;
    play.frame(armed, refused);
    assert!(play.session.is_up() && play.noted("user_stream"));
    assert!(play.closes.contains(&armed));
    alive(&mut play, 5);
    assert!(play.opens.is_empty(), "not at once: {:?}", play.opens);
    alive(&mut play, 6);
    business(&mut play);
    assert!(play.session.is_up());
}

const CHANGED: &str = r#"{"code":"0","msg":"","data":[{"algoId":"4001","algoClOrdId":"CLIENT","reqId":"","sCode":"0","sMsg":""}]}"#;

#[test]
fn a_stop_of_okx_is_amended_where_it_waits() {
    let (mut play, _) = okx();
    okx_stop(&mut play, 1);
    play.amend(1, 600_500, 4);
    let asked = play.take("POST", "/api/v5/trade/amend-algos");
    let wanted = format!(
        r#"{{"instId":"BTC-USDT-SWAP","algoClOrdId":"{}","newSz":"0.004","newSlTriggerPx":"60050","newSlOrdPx":"-1"}}"#,
        client(1)
    );
    assert_eq!(asked.body, wanted);
    play.answer(&asked, 200, &[], &CHANGED.replace("CLIENT", &client(1)));
    let changed = VenueEventKind::Amended { price: Ticks(600_500), qty: Lots(4) };
    assert_eq!(play.kinds(1), [changed]);
    assert!(play.find("POST", "/api/v5/trade/amend-order").is_none(), "{:?}", play.asked);
    // It has been triggered meanwhile: what the engine thinks of it is asked of the venue by the engine.
    play.amend(1, 600_600, 4);
    let asked = play.take("POST", "/api/v5/trade/amend-algos");
    let gone = r#"{"code":"1","msg":"","data":[{"algoId":"4001","algoClOrdId":"","reqId":"","sCode":"51503","sMsg":"Order modification failed as the order has been filled, canceled or does not exist."}]}"#;
    play.answer(&asked, 200, &[], gone);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::UnknownOrder)]);
}

#[test]
fn a_stop_limit_that_opens_is_amended_in_its_limit_and_keeps_its_trigger() {
    let (mut play, _) = okx();
    let mut terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(620_000), Lots(5));
    (terms.order_type, terms.trigger) = (OrderType::StopLimit, Ticks(619_000));
    let kind = VenueRequestKind::New(terms);
    play.request(Request::Order(VenueRequest { order: ClientOrderId(1), sent_ns: 0, kind }));
    play.ok("POST", "/api/v5/trade/order-algo", &CHANGED.replace("CLIENT", &client(1)));
    play.amend(1, 620_500, 5);
    let asked = play.take("POST", "/api/v5/trade/amend-algos");
    let wanted = r#""newSz":"0.005","newTriggerPx":"61900","newOrdPx":"62050"}"#;
    assert!(asked.body.ends_with(wanted), "{}", asked.body);
}

#[test]
fn a_change_of_a_stop_without_an_answer_is_sent_again_and_not_for_ever() {
    let (mut play, _) = okx();
    okx_stop(&mut play, 1);
    play.amend(1, 600_500, 4);
    let first = play.take("POST", "/api/v5/trade/amend-algos");
    play.fail(&first, Sent::Perhaps);
    assert_eq!(play.kinds(1), []);
    alive(&mut play, 1);
    let again = play.take("POST", "/api/v5/trade/amend-algos");
    assert_eq!(again.body, first.body);
    play.answer(&again, 200, &[], &CHANGED.replace("CLIENT", &client(1)));
    let changed = VenueEventKind::Amended { price: Ticks(600_500), qty: Lots(4) };
    assert_eq!(play.kinds(1), [changed]);
    play.amend(1, 600_700, 4);
    let mut sent = 0;
    for _ in 0..120 {
        while let Some(asked) = play.find("POST", "/api/v5/trade/amend-algos") {
            sent += 1;
            play.fail(&asked, Sent::Perhaps);
        }
        alive(&mut play, 1);
    }
    assert_eq!(sent, 6);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::VenueRule)]);
    assert!(play.noted("order"), "{:?}", play.notes);
}

#[test]
fn a_triggered_stop_of_others_is_told_by_what_became_of_it_alone() {
    let (mut play, [_, user]) = okx();
    let armed = business(&mut play);
    let by_hand = |text: String| text.replace(&client(7), "byhand");
    play.frame(armed, &by_hand(told_by_stream(7, "live", NOTHING)));
    let foreign = |play: &mut Play| -> Vec<u64> {
        let told = play.others().into_iter();
        told.filter_map(|one| match one {
            Told::Foreign(foreign) => Some(foreign.venue_order),
            _ => None,
        })
        .collect()
    };
    assert_eq!(foreign(&mut play), [4_007]);
    play.told.clear();
    // The connection of orders was faster: what the trigger made is over already.
    let made = r#"{"arg":{"channel":"orders","instType":"ANY"},"data":[{"instId":"BTC-USDT-SWAP","clOrdId":"","algoClOrdId":"byhand","algoId":"4007","ordId":"9077","state":"canceled","side":"sell","px":"60000","sz":"0.005","ordType":"limit","accFillSz":"0","uTime":"1795255200500","cTime":"1795255200400","cancelSource":"1","amendResult":""}]}"#;
    play.frame(user, made);
    assert_eq!(foreign(&mut play), [9_077]);
    play.told.clear();
    play.frame(armed, &by_hand(told_by_stream(7, "effective", r#""ordId":"9077""#)));
    assert!(foreign(&mut play).is_empty());
}
