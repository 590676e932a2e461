//! What the kernel asks for at once: batches, cancels first, everything at a halt.

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, InstrumentId, Lots, OrderFlags, RejectReason, Request, Side, Ticks,
    VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_venues::outgoing::Urgency;
use mainspring_venues::session::{OnDisconnect, Sent, SessionSettings, SocketId};

use crate::others::okx;
use crate::play::{client, spot, usdm, Play, SECOND};

fn asked(id: u64, kind: VenueRequestKind) -> Request {
    Request::Order(VenueRequest { order: ClientOrderId(id), sent_ns: 0, kind })
}

fn place(id: u64) -> Request {
    let mut terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(618_000), Lots(5));
    terms.flags = OrderFlags::POST_ONLY;
    asked(id, VenueRequestKind::New(terms))
}

fn cancel(id: u64) -> Request {
    asked(id, VenueRequestKind::Cancel { instrument: InstrumentId(0) })
}

/// An order as REST of USD-M tells it.
fn told(id: u64, status: &str) -> String {
    format!(
        r#"{{"orderId":{},"symbol":"BTCUSDT","status":"{status}","clientOrderId":"{}","price":"61800","avgPrice":"0","origQty":"0.005","executedQty":"0","cumQty":"0","cumQuote":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"side":"BUY","positionSide":"BOTH","updateTime":1795255200500}}"#,
        9_000 + id,
        client(id)
    )
}

/// A session that is up and has asked for nothing besides.
fn begun(change: impl FnOnce(&mut SessionSettings)) -> (Play, [SocketId; 3]) {
    let (mut play, sockets) = usdm(change);
    play.asked.clear();
    (play, sockets)
}

fn two_open(change: impl FnOnce(&mut SessionSettings)) -> (Play, SocketId) {
    let (mut play, [.., user]) = begun(change);
    play.round(&[place(1), place(2)]);
    play.ok("POST", "/fapi/v1/batchOrders", &format!("[{},{}]", told(1, "NEW"), told(2, "NEW")));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    assert_eq!(play.kinds(2), [VenueEventKind::Accepted]);
    play.told.clear();
    (play, user)
}

const POOR: &str = r#"{"code":-2019,"msg":"Margin is insufficient."}"#;

#[test]
fn orders_of_a_round_are_one_request_and_each_has_its_own_answer() {
    let (mut play, _) = begun(|_| {});
    play.round(&[place(1), place(2), place(3)]);
    let batch = play.take("POST", "/fapi/v1/batchOrders");
    let list = batch.param("batchOrders").unwrap();
    assert!([1, 2, 3].iter().all(|id| list.contains(&client(*id))), "{list}");
    assert!(play.find("POST", "/fapi/v1/order").is_none());
    play.answer(&batch, 200, &[], &format!("[{},{POOR},{}]", told(1, "NEW"), told(3, "NEW")));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::InsufficientMargin)]);
    assert_eq!(play.kinds(3), [VenueEventKind::Accepted]);
}

#[test]
fn cancels_of_a_round_leave_before_its_orders() {
    let (mut play, _) = two_open(|_| {});
    play.round(&[place(4), cancel(1), place(5), cancel(2)]);
    let order: Vec<&str> = play.asked.iter().map(|one| one.method).collect();
    assert_eq!(order, ["DELETE", "POST"], "{:#?}", play.asked);
    let cancels = play.take("DELETE", "/fapi/v1/batchOrders");
    let list = cancels.param("origClientOrderIdList").unwrap();
    assert!(list.contains(&client(1)) && list.contains(&client(2)), "{list}");
    play.answer(
        &cancels,
        200,
        &[],
        &format!("[{},{}]", told(1, "CANCELED"), r#"{"code":-2011,"msg":"Unknown order sent."}"#),
    );
    assert!(matches!(play.kinds(1)[..], [VenueEventKind::Cancelled(_)]));
    assert_eq!(play.kinds(2), [VenueEventKind::CancelRejected(RejectReason::UnknownOrder)]);
}

#[test]
fn a_cancel_never_overtakes_its_own_order() {
    let (mut play, _) = begun(|_| {});
    play.round(&[place(1), cancel(1)]);
    let order: Vec<&str> = play.asked.iter().map(|one| one.method).collect();
    assert_eq!(order, ["POST", "DELETE"]);
    // Neither here nor while both wait for a connection.
    let urgency: Vec<Urgency> = play.asked.iter().map(|one| one.urgency).collect();
    assert_eq!(urgency, [Urgency::Order, Urgency::Order]);
}

#[test]
fn a_cancel_passes_what_waits_once_its_order_is_known() {
    let (mut play, _) = two_open(|_| {});
    play.round(&[place(3), cancel(1)]);
    assert_eq!(play.take("POST", "/fapi/v1/order").urgency, Urgency::Order);
    assert_eq!(play.take("DELETE", "/fapi/v1/order").urgency, Urgency::Cancel);
    // A batch with one whose order is on its way stays behind it; so does a sweep.
    play.round(&[cancel(2), cancel(3)]);
    assert_eq!(play.take("DELETE", "/fapi/v1/batchOrders").urgency, Urgency::Order);
    for (on_its_way, urgency) in [(false, Urgency::Cancel), (true, Urgency::Order)] {
        let (mut play, _) = two_open(|settings| settings.cancel_all = true);
        if on_its_way {
            play.round(&[place(3)]);
        }
        play.halt();
        assert_eq!(play.take("DELETE", "/fapi/v1/allOpenOrders").urgency, urgency);
    }
}

#[test]
fn a_round_is_cut_into_batches_that_the_venue_takes() {
    let (mut play, _) = begun(|_| {});
    let round: Vec<Request> = (1..=11).map(place).collect();
    play.round(&round);
    let batches = (0..).map_while(|_| play.find("POST", "/fapi/v1/batchOrders")).count();
    assert_eq!(batches, 2, "five in each");
    assert!(play.find("POST", "/fapi/v1/order").is_some(), "and one alone");
}

#[test]
fn every_order_of_a_lost_batch_is_asked_about() {
    let (mut play, _) = begun(|_| {});
    play.round(&[place(1), place(2)]);
    let batch = play.take("POST", "/fapi/v1/batchOrders");
    play.fail(&batch, Sent::Perhaps);
    assert!(play.kinds(1).is_empty() && play.kinds(2).is_empty(), "nothing is known");
    play.wait(SECOND);
    let mut named: Vec<String> = (0..2)
        .filter_map(|_| play.find("GET", "/fapi/v1/order")?.param("origClientOrderId"))
        .collect();
    named.sort();
    assert_eq!(named, [client(1), client(2)]);
}

#[test]
fn a_batch_that_was_not_sent_is_refused_order_by_order() {
    let (mut play, _) = begun(|_| {});
    play.round(&[place(1), place(2)]);
    let batch = play.take("POST", "/fapi/v1/batchOrders");
    play.fail(&batch, Sent::No);
    for id in [1, 2] {
        assert_eq!(play.kinds(id), [VenueEventKind::Rejected(RejectReason::Halted)]);
    }
}

#[test]
fn an_order_that_the_answer_of_a_batch_leaves_out_is_asked_about() {
    let (mut play, _) = begun(|_| {});
    play.round(&[place(1), place(2)]);
    play.ok("POST", "/fapi/v1/batchOrders", &format!("[{}]", told(1, "NEW")));
    play.wait(SECOND);
    let question = play.take("GET", "/fapi/v1/order");
    assert_eq!(question.param("origClientOrderId"), Some(client(2)));
}

#[test]
fn one_by_one_where_the_quicker_way_takes_no_batches() {
    let (mut play, [_, trade]) = spot(&Default::default());
    play.round(&[place(1), place(2)]);
    for id in [1, 2] {
        assert!(play.take_text(trade, "order.place").contains(&client(id)));
    }
    assert!(play.asked.is_empty(), "{:?}", play.asked);
}

#[test]
fn okx_takes_batches_on_its_connection() {
    let (mut play, [_, user]) = okx();
    play.round(&[place(1), place(2)]);
    let frame = play.take_text(user, "\"batch-orders\"");
    assert!(frame.contains(&client(1)) && frame.contains(&client(2)), "{frame}");
    let id: serde_json::Value = serde_json::from_str(&frame).unwrap();
    let answer = format!(
        r#"{{"id":{},"op":"batch-orders","code":"2","msg":"","data":[{{"ordId":"11","clOrdId":"{}","sCode":"0","sMsg":""}},{{"ordId":"","clOrdId":"{}","sCode":"51008","sMsg":"Order failed. Insufficient balance."}}]}}"#,
        id["id"],
        client(1),
        client(2)
    );
    play.frame(user, &answer);
    assert!(play.kinds(1).iter().all(|kind| !matches!(kind, VenueEventKind::Rejected(_))));
    assert_eq!(play.kinds(2), [VenueEventKind::Rejected(RejectReason::InsufficientMargin)]);
}

#[test]
fn a_cancel_on_its_way_is_not_sent_again() {
    let (mut play, _) = two_open(|_| {});
    play.round(&[cancel(1), cancel(2)]);
    play.round(&[cancel(1), cancel(2)]);
    play.take("DELETE", "/fapi/v1/batchOrders");
    assert!(play.asked.is_empty(), "{:#?}", play.asked);
}

#[test]
fn a_halt_leaves_orders_of_others_unless_it_may_cancel_everything() {
    let (mut play, _) = two_open(|_| {});
    play.halt();
    assert!(play.asked.is_empty(), "cancels of our orders come as requests");

    let (mut play, user) = two_open(|settings| settings.cancel_all = true);
    play.halt();
    let all = play.take("DELETE", "/fapi/v1/allOpenOrders");
    assert_eq!(all.param("symbol").as_deref(), Some("BTCUSDT"));
    let armed = play.ok("DELETE", "/fapi/v1/algoOpenOrders", r#"{"code":200,"msg":"done"}"#);
    assert_eq!(armed.param("symbol").as_deref(), Some("BTCUSDT"));
    play.round(&[cancel(1), cancel(2)]);
    assert!(play.asked.is_empty(), "they are being cancelled: {:#?}", play.asked);
    play.answer(
        &all,
        200,
        &[],
        r#"{"code":200,"msg":"The operation of cancel all open order is done."}"#,
    );
    // The end of one is heard, that of the other is not.
    play.frame(user, &ended(1));
    assert!(matches!(play.kinds(1)[..], [VenueEventKind::Cancelled(_)]));
    play.wait(SECOND);
    let question = play.take("GET", "/fapi/v1/order");
    assert_eq!(question.param("origClientOrderId"), Some(client(2)));
    play.answer(&question, 200, &[], &told(2, "NEW"));
    assert_eq!(play.take("DELETE", "/fapi/v1/order").param("origClientOrderId"), Some(client(2)));
}

#[test]
fn what_cancelling_everything_did_not_do_is_cancelled_by_itself() {
    let (mut play, _) = two_open(|settings| settings.cancel_all = true);
    play.halt();
    let all = play.take("DELETE", "/fapi/v1/allOpenOrders");
    play.fail(&all, Sent::Perhaps);
    play.take("DELETE", "/fapi/v1/batchOrders");
    play.wait(2 * SECOND);
    play.take("DELETE", "/fapi/v1/allOpenOrders");
}

#[test]
fn where_no_request_cancels_everything_orders_of_others_are_listed_and_cancelled() {
    let (mut play, [_, user]) = okx_sweeping();
    play.halt();
    let list = play.take("GET", "/api/v5/trade/orders-pending");
    let foreign = r#"{"code":"0","msg":"","data":[{"instId":"BTC-USDT-SWAP","ordId":"777","clOrdId":"","px":"61000","sz":"1","accFillSz":"0","side":"buy","state":"live","ordType":"limit","uTime":"1795255200100","cTime":"1795255200100","avgPx":"","fillPx":"","fillSz":"0","fee":"0","feeCcy":"USDT","tradeId":""}]}"#;
    play.answer(&list, 200, &[], foreign);
    let _ = user;
    let cancel = play.take("POST", "/api/v5/trade/cancel-order");
    assert!(cancel.body.contains("777"), "{}", cancel.body);
}

#[test]
fn a_lost_venue_has_its_orders_cancelled_in_one_request() {
    let (mut play, user) = two_open(|settings| settings.on_disconnect = OnDisconnect::Cancel);
    play.close(user);
    let cancels = play.take("DELETE", "/fapi/v1/batchOrders");
    let list = cancels.param("origClientOrderIdList").unwrap();
    assert!(list.contains(&client(1)) && list.contains(&client(2)), "{list}");
}

fn okx_sweeping() -> (Play, [SocketId; 2]) {
    crate::others::okx_with(|settings| settings.cancel_all = true)
}

/// The end of an order, as the user stream tells it.
fn ended(id: u64) -> String {
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":1795255201000,"T":1795255200999,"o":{{"s":"BTCUSDT","c":"{}","S":"BUY","o":"LIMIT","f":"GTX","q":"0.005","p":"61800","ap":"0","sp":"0","x":"CANCELED","X":"CANCELED","i":{},"l":"0","z":"0","L":"0","T":1795255200999,"t":0,"m":false,"R":false,"ot":"LIMIT","ps":"BOTH","rp":"0"}}}}"#,
        client(id),
        9_000 + id
    )
}
