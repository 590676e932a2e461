//! Orders of ours that are changed at the venue, at our wish or by somebody's hand.

use mainspring_core::{
    CancelReason, ClientOrderId, Lots, RejectReason, Request, Side, Ticks, VenueEventKind,
};
use mainspring_venues::listing::Code;
use mainspring_venues::session::{SocketId, Told};

use crate::dydx_orders::short_term_session;
use crate::others::{bybit_with, okx, one};
use crate::play::{client, spot, usdm, version, Play, MS};

const fn amended(price: i64, qty: i64) -> VenueEventKind {
    VenueEventKind::Amended { price: Ticks(price), qty: Lots(qty) }
}

/// What of the kinds are changes, rejections of changes, and ends.
fn changes(play: &mut Play, id: u64) -> Vec<VenueEventKind> {
    let kinds = play.kinds(id).into_iter();
    kinds.filter(|kind| !matches!(kind, VenueEventKind::Accepted)).collect()
}

fn warned(play: &Play) -> bool {
    play.notes.iter().any(|note| note.text.contains("changed at the venue, not by us"))
}

/// An order of ours as Bybit tells it, ms after ten o'clock.
fn bybit_order(id: u64, (price, qty): (&str, &str), filled: &str, ms: i64) -> String {
    let status = if filled == "0" { "New" } else { "PartiallyFilled" };
    format!(
        r#"{{"category":"linear","symbol":"BTCUSDT","orderId":"a-{id}","orderLinkId":"{}","side":"Buy","orderType":"Limit","timeInForce":"PostOnly","orderStatus":"{status}","rejectReason":"EC_NoError","cancelType":"UNKNOWN","price":"{price}","qty":"{qty}","cumExecQty":"{filled}","updatedTime":"{}"}}"#,
        client(id),
        1_795_255_200_000_i64 + ms
    )
}

fn bybit() -> (Play, SocketId) {
    let (mut play, [_, user, trade]) = bybit_with(one("bybit", "BTCUSDT", Code::None));
    play.place(1, Side::Buy, 618_000, 5);
    play.take_text(trade, "order.create");
    bybit_says(&mut play, user, &bybit_order(1, ("61800", "0.005"), "0", 100));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    (play, user)
}

fn bybit_says(play: &mut Play, user: SocketId, order: &str) {
    play.frame(user, &format!(r#"{{"topic":"order","data":[{order}]}}"#));
}

#[test]
fn an_amend_at_bybit_is_done_when_the_stream_has_the_new_terms() {
    let (mut play, user) = bybit();
    play.amend(1, 617_000, 7);
    // Something else is told of it meanwhile: a part trades by the old terms.
    bybit_says(&mut play, user, &bybit_order(1, ("61800", "0.005"), "0.001", 200));
    assert_eq!(changes(&mut play, 1), []);
    bybit_says(&mut play, user, &bybit_order(1, ("61700", "0.007"), "0.001", 300));
    assert_eq!(changes(&mut play, 1), [amended(617_000, 7)]);
    bybit_says(&mut play, user, &bybit_order(1, ("61700", "0.007"), "0.002", 400));
    assert_eq!(changes(&mut play, 1), [], "once");
    assert!(!warned(&play));
}

#[test]
fn a_change_by_hand_is_told_by_the_stream_of_bybit() {
    let (mut play, user) = bybit();
    bybit_says(&mut play, user, &bybit_order(1, ("61750", "0.009"), "0", 200));
    let told = play.reports(1);
    assert_eq!(told[0].event.kind, amended(617_500, 9));
    assert_eq!(told[0].event.exch_ns, 1_795_255_200_200 * MS, "as the venue says when");
    assert!(warned(&play));
    // News from before it, told late, takes nothing back.
    bybit_says(&mut play, user, &bybit_order(1, ("61800", "0.005"), "0.001", 150));
    assert_eq!(changes(&mut play, 1), []);
    // A change of ours starts from what stands there: the price is the same, so it is not named.
    play.amend(1, 617_500, 4);
    let text = play.texts.pop().unwrap().1;
    assert!(text.contains(r#""qty":"0.004""#) && !text.contains("price"), "{text}");
}

fn bybit_lists(play: &mut Play, order: &str) {
    let list = |rows: &str| {
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"list":[{rows}],"nextPageCursor":""}},"time":1}}"#
        )
    };
    play.ok("GET", "/v5/order/realtime", &list(order));
    play.ok("GET", "/v5/execution/list", &list(""));
    play.ok("GET", "/v5/position/list", &list(""));
    play.ok("GET", "/v5/account/wallet-balance", &list(r#"{"coin":[]}"#));
}

#[test]
fn a_change_by_hand_is_found_in_the_list_of_open_orders() {
    let (mut play, _) = bybit();
    play.wait(MS);
    play.request(Request::AccountQuery { venue: 0, since_ns: play.now_ns });
    bybit_lists(&mut play, &bybit_order(1, ("61750", "0.009"), "0", 200));
    assert_eq!(changes(&mut play, 1), [amended(617_500, 9)]);
    assert!(warned(&play));
    // A list that was asked for before our own change was is no news of it.
    play.request(Request::AccountQuery { venue: 0, since_ns: play.now_ns });
    play.amend(1, 617_000, 7);
    bybit_lists(&mut play, &bybit_order(1, ("61750", "0.009"), "0", 200));
    assert_eq!(changes(&mut play, 1), []);
    // The stream's word of it was lost: the next list has it, and nobody's hand is suspected.
    play.notes.clear();
    play.wait(MS);
    play.request(Request::AccountQuery { venue: 0, since_ns: play.now_ns });
    bybit_lists(&mut play, &bybit_order(1, ("61700", "0.007"), "0", 300));
    assert_eq!(changes(&mut play, 1), [amended(617_000, 7)]);
    assert!(!warned(&play));
}

/// An order of ours as USD-M tells it.
fn usdm_update(execution: &str, terms: (&str, &str), last: &str, all: &str, ms: i64) -> String {
    let status = if all == "0" { "NEW" } else { "PARTIALLY_FILLED" };
    let time = 1_795_255_201_000_i64 + ms;
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":{time},"T":{time},"o":{{"s":"BTCUSDT","c":"{}","S":"BUY","o":"LIMIT","f":"GTX","q":"{}","p":"{}","ap":"0","sp":"0","x":"{execution}","X":"{status}","i":9001,"l":"{last}","z":"{all}","L":"61800","n":"0.01","N":"USDT","T":{time},"t":{ms},"m":true,"R":false,"ot":"LIMIT","ps":"BOTH","rp":"0"}}}}"#,
        client(1),
        terms.1,
        terms.0
    )
}

#[test]
fn an_order_that_was_made_larger_is_not_over_when_its_old_quantity_has_traded() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.frame(user, &usdm_update("NEW", ("61800", "0.005"), "0", "0", 0));
    play.amend(1, 618_000, 9);
    play.frame(user, &usdm_update("AMENDMENT", ("61800", "0.009"), "0", "0", 10));
    assert_eq!(changes(&mut play, 1), [amended(618_000, 9)]);
    play.others();
    play.frame(user, &usdm_update("TRADE", ("61800", "0.009"), "0.005", "0.005", 20));
    assert!(!play.others().contains(&Told::Ended(ClientOrderId(1))), "four lots rest");
    play.amend(1, 617_000, 9);
    play.take("PUT", "/fapi/v1/order");
    let asked = play.take("PUT", "/fapi/v1/order");
    assert_eq!(asked.param("quantity").as_deref(), Some("0.009"), "it can still be changed");
}

#[test]
fn what_futures_say_late_takes_no_change_back() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.frame(user, &usdm_update("NEW", ("61800", "0.005"), "0", "0", 0));
    // By hand, in the venue's own pages.
    play.frame(user, &usdm_update("AMENDMENT", ("61700", "0.008"), "0", "0", 20));
    assert_eq!(changes(&mut play, 1), [amended(617_000, 8)]);
    play.frame(user, &usdm_update("TRADE", ("61800", "0.005"), "0.001", "0.001", 10));
    let kinds = changes(&mut play, 1);
    assert!(matches!(kinds[..], [VenueEventKind::Filled { qty: Lots(1), .. }]), "{kinds:?}");
    assert!(!warned(&play), "the venue said itself that it was changed");
}

#[test]
fn an_amend_of_futures_is_confirmed_when_a_part_has_traded() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.frame(user, &usdm_update("TRADE", ("61800", "0.005"), "0.002", "0.002", 5));
    play.kinds(1);
    play.amend(1, 617_000, 7);
    let reply = format!(
        r#"{{"orderId":9001,"symbol":"BTCUSDT","status":"PARTIALLY_FILLED","clientOrderId":"{}","price":"61700","origQty":"0.007","executedQty":"0.002","timeInForce":"GTX","type":"LIMIT","side":"BUY","updateTime":1795255201500}}"#,
        client(1)
    );
    play.ok("PUT", "/fapi/v1/order", &reply);
    assert_eq!(changes(&mut play, 1), [amended(617_000, 7)]);
}

#[test]
fn a_change_by_hand_at_okx_is_told_with_its_mark_and_without() {
    let (mut play, [_, user]) = okx();
    play.place(1, Side::Buy, 618_000, 5);
    let says = |play: &mut Play, (price, size): (&str, &str), result: &str, ms: i64| {
        let text = format!(
            r#"{{"arg":{{"channel":"orders","instType":"ANY"}},"data":[{{"instId":"BTC-USDT-SWAP","clOrdId":"{}","ordId":"77","state":"live","side":"buy","px":"{price}","sz":"{size}","ordType":"post_only","accFillSz":"0","fillSz":"0","tradeId":"","uTime":"{}","cTime":"1795255200400","cancelSource":"","amendResult":"{result}","category":"normal"}}]}}"#,
            client(1),
            1_795_255_200_500_i64 + ms
        );
        play.frame(user, &text);
        changes(play, 1)
    };
    assert_eq!(says(&mut play, ("61800", "0.005"), "", 0), []);
    assert_eq!(says(&mut play, ("61700", "0.005"), "0", 10), [amended(617_000, 5)]);
    assert_eq!(says(&mut play, ("61700", "0.003"), "", 20), [amended(617_000, 3)]);
    assert_eq!(says(&mut play, ("61700", "0.003"), "", 30), []);
}

#[test]
fn an_amend_of_dydx_is_done_when_the_indexer_has_the_new_terms() {
    let (mut play, user) = short_term_session();
    play.place(1, Side::Buy, 618_000, 5);
    let says = |play: &mut Play, count: i64, price: &str, size: &str| {
        let metadata = crate::play::TAG;
        let text = format!(
            r#"{{"type":"channel_data","connection_id":"b","message_id":{count},"id":"dydx1abc/0","channel":"v4_subaccounts","version":"3.0.0","contents":{{"orders":[{{"id":"uuid-1","clientId":"1","clientMetadata":"{metadata}","clobPairId":"0","side":"BUY","size":"{size}","price":"{price}","status":"BEST_EFFORT_OPENED","type":"LIMIT","timeInForce":"GTT","postOnly":true,"orderFlags":"0","goodTilBlock":"1020","ticker":"BTC-USD","totalOptimisticFilled":"0","updatedAt":"2026-11-21T10:00:0{count}.000Z"}}]}}}}"#
        );
        play.frame(user, &text);
        changes(play, 1)
    };
    assert_eq!(says(&mut play, 1, "61800", "0.005"), []);
    play.amend(1, 617_000, 7);
    assert_eq!(says(&mut play, 2, "61700", "0.007"), [amended(617_000, 7)]);
    assert_eq!(says(&mut play, 3, "61600", "0.006"), [amended(616_000, 6)]);
    assert!(warned(&play));
}

#[test]
fn less_of_a_replaced_order_counts_what_its_earlier_version_traded() {
    let (mut play, [_, trade]) = spot(&Default::default());
    play.place(1, Side::Buy, 618_000, 10);
    play.take_text(trade, "order.place");
    let says = |play: &mut Play, text: &str, words: [&str; 2], numbers: [&str; 4], ms: i64| {
        let [price, qty, last, all] = numbers;
        let event = format!(
            r#"{{"subscriptionId":0,"event":{{"e":"executionReport","E":1795255201000,"s":"BTCUSDT","c":"{text}","S":"BUY","o":"LIMIT","f":"GTC","q":"{qty}","p":"{price}","C":"","x":"{}","X":"{}","r":"NONE","i":{},"l":"{last}","z":"{all}","L":"61800","n":"0","N":"USDT","T":{},"t":{ms},"w":true,"m":true}}}}"#,
            words[0],
            words[1],
            500 + text.len(),
            1_795_255_201_000_i64 + ms
        );
        play.frame(trade, &event);
    };
    let traded = ["TRADE", "PARTIALLY_FILLED"];
    says(&mut play, &client(1), traded, ["61800", "0.010", "0.004", "0.004"], 1);
    // Another price: replaced by a version with the six lots that are left.
    play.amend(1, 617_000, 10);
    play.take_text(trade, "order.cancelReplace");
    says(&mut play, &client(1), ["CANCELED", "CANCELED"], ["61800", "0.010", "0", "0.004"], 2);
    let second = version(1, 1);
    says(&mut play, &second, ["NEW", "NEW"], ["61700", "0.006", "0", "0"], 3);
    assert!(changes(&mut play, 1).contains(&amended(617_000, 10)));
    // Eight in all are wanted: four have traded, so that four of this version are to stand.
    play.amend(1, 617_000, 8);
    let text = play.take_text(trade, "order.amend.keepPriority");
    assert!(text.contains(r#""newQty":"0.004""#), "{text}");
    says(&mut play, &second, ["REPLACED", "NEW"], ["61700", "0.004", "0", "0"], 4);
    assert_eq!(changes(&mut play, 1), [amended(617_000, 8)]);
}

#[test]
fn what_is_cancelled_by_hand_is_over_and_what_stands_in_its_place_is_of_others() {
    let (mut play, [.., user]) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.frame(user, &usdm_update("NEW", ("61800", "0.005"), "0", "0", 0));
    let cancelled = usdm_update("CANCELED", ("61800", "0.005"), "0", "0", 10);
    play.frame(user, &cancelled.replace(r#""X":"NEW""#, r#""X":"CANCELED""#));
    let ends = [VenueEventKind::Cancelled(CancelReason::Requested)];
    assert_eq!(changes(&mut play, 1), ends);
    play.others();
    let theirs = usdm_update("NEW", ("61750", "0.005"), "0", "0", 20);
    let theirs = theirs.replace(&client(1), "web_hand").replace("9001", "9002");
    play.frame(user, &theirs);
    let others = play.others();
    assert!(
        others.iter().any(|told| matches!(told, Told::Foreign(one) if one.venue_order == 9_002)),
        "{others:?}"
    );
    play.amend(1, 617_000, 5);
    assert_eq!(play.kinds(1), [VenueEventKind::AmendRejected(RejectReason::UnknownOrder)]);
}
