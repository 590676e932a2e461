//! After a restart: what the venue knows of us, gathered and told apart.

use mainspring_core::report::Account;
use mainspring_core::{
    Answer, ClientOrderId, InstrumentId, Lots, OpenOrder, Request, Side, Ticks, VenueEventKind,
};
use mainspring_venues::session::{SocketId, Told};

use crate::play::{client, spot, usdm, version, Play, MS, SECOND};

fn query_account(play: &mut Play) {
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
}

fn account_of(play: &mut Play) -> Account {
    let told = play.others();
    let account = told.into_iter().find_map(|told| match told {
        Told::Account(account) => Some(account),
        _ => None,
    });
    account.expect("no account was told")
}

fn open_order(id: u64) -> OpenOrder {
    OpenOrder {
        order: ClientOrderId(id),
        venue_order: id,
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Ticks(618_000),
        qty: Lots(5),
        filled: Lots(0),
    }
}

fn order(client: &str, venue_id: u64, status: &str, all: &str) -> String {
    format!(
        r#"{{"orderId":{venue_id},"symbol":"BTCUSDT","status":"{status}","clientOrderId":"{client}","price":"61800","origQty":"0.005","executedQty":"{all}","timeInForce":"GTC","type":"LIMIT","side":"BUY","updateTime":1795255200500,"time":1795255200500}}"#
    )
}

fn trade(id: u64, order: u64, qty: &str, ms: i64) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","id":{id},"orderId":{order},"side":"BUY","price":"61800","qty":"{qty}","commission":"0.01","commissionAsset":"USDT","time":{ms},"buyer":true,"isBuyer":true,"maker":true,"isMaker":true,"positionSide":"BOTH"}}"#
    )
}

#[test]
fn the_account_of_futures_is_gathered_from_its_parts() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(&client(1), 9_001, "NEW", "0"));
    play.kinds(1);
    let asked_ns = play.now_ns;
    query_account(&mut play);
    query_account(&mut play);
    let ours = order(&client(1), 9_001, "NEW", "0");
    let open = format!("[{ours},{}]", order("by-hand", 77, "NEW", "0"));
    let fills = format!(
        "[{},{},{}]",
        trade(6, 9_001, "0.002", 1_795_255_200_900),
        trade(7, 77, "1", 1_795_255_200_800),
        trade(5, 9_001, "0.001", 1_795_255_200_700)
    );
    play.ok("GET", "/fapi/v1/userTrades", &fills);
    play.ok("GET", "/fapi/v1/openOrders", &open);
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    let risk = r#"[{"symbol":"BTCUSDT","positionAmt":"-0.004","entryPrice":"61800","positionSide":"BOTH"}]"#;
    play.ok("GET", "/fapi/v3/positionRisk", risk);
    assert!(!play.told.iter().any(|told| matches!(told, Told::Account(_))), "a part is missing");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[{"asset":"USDT","walletBalance":"1000","availableBalance":"900"}],"positions":[]}"#);
    let account = account_of(&mut play);
    assert_eq!(account.as_of_ns, asked_ns);
    let ids: Vec<u64> = account.fills.iter().map(|fill| fill.trade_id).collect();
    assert_eq!(ids, [5, 6], "oldest first, and only ours");
    assert_eq!(account.open.len(), 2);
    assert_eq!(account.open[0].order, ClientOrderId(1));
    assert_eq!((account.open[1].order, account.open[1].venue_order), (ClientOrderId(0), 77));
    assert_eq!(account.positions, [(InstrumentId(0), Lots(-4))]);
    assert!(play.asked.iter().all(|one| !one.url.contains("openOrders")), "asked for once");
    // An order of somebody else is cancelled by the venue's id.
    let instrument = InstrumentId(0);
    play.request(Request::ForeignCancel { venue_order: 77, instrument });
    assert_eq!(play.take("DELETE", "/fapi/v1/order").param("orderId").as_deref(), Some("77"));
}

/// A change of order 77, which somebody else placed and the kernel has adopted.
fn amend_adopted(play: &mut Play) {
    let instrument = InstrumentId(0);
    play.request(Request::ForeignAdopted { venue_order: 77, instrument });
    let standing = OpenOrder { order: ClientOrderId(1 << 56), ..open_order(77) };
    play.request(Request::ForeignAmend { standing, price: Ticks(617_000), qty: Lots(8) });
}

/// How often the kernel was told that its change was refused.
fn refusals(play: &mut Play) -> usize {
    let reports = play.reports(1 << 56);
    reports.iter().filter(|r| matches!(r.event.kind, VenueEventKind::AmendRejected(_))).count()
}

#[test]
fn an_adopted_order_is_changed_by_the_venues_id_where_that_is_in_place() {
    let (mut play, _) = usdm(|_| {});
    amend_adopted(&mut play);
    let asked = play.take("PUT", "/fapi/v1/order");
    assert_eq!(asked.param("orderId").as_deref(), Some("77"));
    assert_eq!(asked.param("price").as_deref(), Some("61700"));
    assert_eq!(asked.param("quantity").as_deref(), Some("0.008"));
    play.answer(&asked, 400, &[], r#"{"code":-4028,"msg":"Price or quantity not changed."}"#);
    assert_eq!(refusals(&mut play), 1, "the kernel is told at once");
}

#[test]
fn an_adopted_order_is_not_changed_where_another_would_take_its_place() {
    let (mut play, _) = spot(&Account::default());
    amend_adopted(&mut play);
    assert_eq!(refusals(&mut play), 1);
    assert!(play.asked.iter().all(|one| one.method == "GET"), "{:?}", play.asked);
    assert!(play.notes.iter().any(|note| note.text.contains("cancel it and place a new one")));
}

/// The open orders of a spot account, without fills.
fn listed(play: &mut Play, open: &str) {
    query_account(play);
    play.ok("GET", "/api/v3/openOrders", open);
    play.ok("GET", "/api/v3/myTrades", "[]");
    play.ok("GET", "/api/v3/account", BALANCES);
}

#[test]
fn an_order_of_ours_that_only_the_venue_knows_is_changed_from_the_version_that_is_there() {
    let (mut play, [_, trade]) = spot(&Account::default());
    let there = order(&version(9, 2), 601, "PARTIALLY_FILLED", "0.002");
    listed(&mut play, &format!("[{there}]"));
    let account = account_of(&mut play);
    assert_eq!((account.open[0].order, account.open[0].filled), (ClientOrderId(9), Lots(2)));
    play.amend(9, 617_000, 5);
    let text = play.take_text(trade, "order.cancelReplace");
    assert!(text.contains(&version(9, 2)), "what is there is replaced: {text}");
    assert!(text.contains(&version(9, 3)), "under an id that was not given yet: {text}");
    assert!(text.contains("\"quantity\":\"0.003\""), "what traded is not placed again: {text}");
    assert!(text.contains("LIMIT_MAKER"), "whether it may take is not known: {text}");
}

#[test]
fn where_changes_are_in_place_an_order_of_ours_is_changed_by_its_text() {
    let (mut play, _) = usdm(|_| {});
    query_account(&mut play);
    play.ok("GET", "/fapi/v1/userTrades", "[]");
    play.ok("GET", "/fapi/v1/openOrders", &format!("[{}]", order(&client(9), 601, "NEW", "0")));
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    play.amend(9, 617_000, 7);
    let asked = play.take("PUT", "/fapi/v1/order");
    assert_eq!(asked.param("origClientOrderId"), Some(client(9)));
    assert_eq!(asked.param("quantity").as_deref(), Some("0.007"));
}

#[test]
fn a_lost_venue_cancels_what_was_adopted_until_it_is_over() {
    let (mut play, [books, _, user]) = usdm(|_| {});
    play.request(Request::ForeignAdopted { venue_order: 77, instrument: InstrumentId(0) });
    play.request(Request::ForeignAdopted { venue_order: 78, instrument: InstrumentId(0) });
    play.wait(MS);
    query_account(&mut play);
    play.ok("GET", "/fapi/v1/userTrades", "[]");
    let open = format!("[{}]", order("by-hand", 77, "NEW", "0"));
    play.ok("GET", "/fapi/v1/openOrders", &open);
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    assert_eq!(account_of(&mut play).open.len(), 1);
    play.close(books);
    play.close(user);
    let cancels: Vec<_> = play.asked.iter().filter(|one| one.method == "DELETE").collect();
    let [cancel] = cancels[..] else { panic!("{cancels:?}") };
    assert_eq!(cancel.param("orderId").as_deref(), Some("77"), "78 was not in the list");
}

#[test]
fn a_part_that_fails_is_asked_for_again_with_all_the_others() {
    let (mut play, _) = usdm(|_| {});
    query_account(&mut play);
    let asked = play.take("GET", "/fapi/v1/openOrders");
    play.answer(&asked, 500, &[], "gateway");
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    play.ok("GET", "/fapi/v1/userTrades", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    assert!(!play.told.iter().any(|told| matches!(told, Told::Account(_))));
    play.wait(2 * SECOND);
    play.ok("GET", "/fapi/v1/openOrders", "[]");
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    play.ok("GET", "/fapi/v1/userTrades", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    assert!(account_of(&mut play).open.is_empty());
}

#[test]
fn a_full_page_of_fills_is_gone_on_from() {
    let (mut play, _) = usdm(|_| {});
    play.place(1, Side::Buy, 618_000, 5);
    play.ok("POST", "/fapi/v1/order", &order(&client(1), 9_001, "NEW", "0"));
    query_account(&mut play);
    let page: Vec<String> =
        (0..1_000).map(|n| trade(n + 1, 9_001, "0.001", 1_795_255_200_000 + n as i64)).collect();
    play.ok("GET", "/fapi/v1/userTrades", &format!("[{}]", page.join(",")));
    let asked = play.ok("GET", "/fapi/v1/userTrades", "[]");
    assert_eq!(asked.param("startTime").as_deref(), Some("1795255200999"));
    play.ok("GET", "/fapi/v1/openOrders", "[]");
    play.ok("GET", "/fapi/v1/openAlgoOrders", "[]");
    play.ok("GET", "/fapi/v3/positionRisk", "[]");
    play.ok("GET", "/fapi/v3/account", r#"{"assets":[],"positions":[]}"#);
    assert_eq!(account_of(&mut play).fills.len(), 1_000);
}

/// A spot session that took over order 1, placed by a process that is gone.
fn taken_over(position: i64) -> (Play, SocketId) {
    let account = Account {
        open: vec![open_order(1)],
        positions: vec![(InstrumentId(0), Lots(position))],
        ..Account::default()
    };
    let (mut play, [_, trade]) = spot(&account);
    play.told.clear();
    query_account(&mut play);
    (play, trade)
}

const BALANCES: &str = r#"{"balances":[{"asset":"BTC","free":"1.498","locked":"0.002"}]}"#;

#[test]
fn orders_taken_over_are_found_with_what_they_traded_meanwhile() {
    let (mut play, _) = taken_over(0);
    assert!(
        play.find("GET", "/api/v3/myTrades").is_none(),
        "whose fills they are is not known yet"
    );
    let asked =
        play.ok("GET", "/api/v3/order", &order(&client(1), 501, "PARTIALLY_FILLED", "0.002"));
    assert_eq!(asked.param("origClientOrderId"), Some(client(1)));
    let told = play.told.clone();
    assert!(told.contains(&Told::Named { order: ClientOrderId(1), venue_order: 501 }));
    play.ok("GET", "/api/v3/openOrders", &format!("[{}]", order(&client(1), 501, "NEW", "0.002")));
    play.ok("GET", "/api/v3/myTrades", &format!("[{}]", trade(5, 501, "0.002", 1_795_255_100_000)));
    play.ok("GET", "/api/v3/account", BALANCES);
    let account = account_of(&mut play);
    assert_eq!(account.fills[0].event.order, ClientOrderId(1));
    assert_eq!(account.open[0].order, ClientOrderId(1));
}

#[test]
fn the_newest_version_of_an_order_taken_over_is_looked_for() {
    let (mut play, _) = taken_over(0);
    play.ok("GET", "/api/v3/order", &order(&client(1), 501, "CANCELED", "0.001"));
    assert!(
        !play.told.iter().any(|told| matches!(told, Told::Answer { .. })),
        "it may be replaced"
    );
    let asked = play.ok("GET", "/api/v3/order", &order(&version(1, 1), 502, "NEW", "0"));
    assert_eq!(asked.param("origClientOrderId"), Some(version(1, 1)));
    let answers: Vec<Told> = play.others();
    let working = |told: &Told| {
        matches!(told, Told::Answer { order: ClientOrderId(1), answer: Answer::Working { .. } })
    };
    assert!(answers.iter().any(working), "{answers:?}");
    play.cancel(1);
    let text = play.texts.iter().find(|(_, text)| text.contains("order.cancel")).unwrap();
    assert!(text.1.contains(&version(1, 1)));
}

#[test]
fn an_order_taken_over_that_ended_is_over() {
    let (mut play, _) = taken_over(0);
    play.ok("GET", "/api/v3/order", &order(&client(1), 501, "CANCELED", "0"));
    let asked = play.take("GET", "/api/v3/order");
    play.answer(&asked, 400, &[], r#"{"code":-2013,"msg":"Order does not exist."}"#);
    let answer = Answer::Cancelled { filled: Lots(0) };
    assert!(play.others().contains(&Told::Answer { order: ClientOrderId(1), answer }));
}

#[test]
fn what_traded_while_no_session_ran_is_not_taken_for_held_before() {
    let account = Account {
        open: vec![open_order(1)],
        positions: vec![(InstrumentId(0), Lots(1))],
        booked: vec![(InstrumentId(0), 4)],
        ..Account::default()
    };
    let (mut play, _) = spot(&account);
    play.told.clear();
    query_account(&mut play);
    play.ok("GET", "/api/v3/order", &order(&client(1), 501, "PARTIALLY_FILLED", "0.003"));
    // What is held is told before what traded.
    play.ok("GET", "/api/v3/account", BALANCES);
    play.ok("GET", "/api/v3/openOrders", &format!("[{}]", order(&client(1), 501, "NEW", "0.003")));
    let of = [(4, "0.001"), (5, "0.002")];
    let trades = of.map(|(id, qty)| trade(id, 501, qty, 1_795_255_100_000));
    play.ok("GET", "/api/v3/myTrades", &format!("[{}]", trades.join(",")));
    assert_eq!(account_of(&mut play).positions, [(InstrumentId(0), Lots(3))], "one and two more");
    // The next answer is counted from there.
    query_account(&mut play);
    play.ok("GET", "/api/v3/openOrders", "[]");
    play.ok("GET", "/api/v3/myTrades", "[]");
    play.ok("GET", "/api/v3/account", BALANCES);
    assert_eq!(account_of(&mut play).positions, [(InstrumentId(0), Lots(3))]);
}

#[test]
fn what_is_held_of_the_base_stands_for_the_position() {
    let (mut play, trade) = taken_over(3);
    play.ok("GET", "/api/v3/order", &order(&client(1), 501, "NEW", "0"));
    let rest = |play: &mut Play, balances: &str| {
        play.ok("GET", "/api/v3/openOrders", "[]");
        play.ok("GET", "/api/v3/myTrades", "[]");
        play.ok("GET", "/api/v3/account", balances);
        account_of(play).positions
    };
    assert_eq!(rest(&mut play, BALANCES), [(InstrumentId(0), Lots(3))], "1.497 were there before");
    // We buy two lots; the fee is taken in what was bought.
    let fill = format!(
        r#"{{"subscriptionId":0,"event":{{"e":"executionReport","E":1795255201000,"s":"BTCUSDT","c":"{}","S":"BUY","o":"LIMIT","f":"GTC","q":"0.005","p":"61800","C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":501,"l":"0.002","z":"0.002","L":"61800","n":"0.000002","N":"BTC","T":1795255200999,"t":55,"w":true,"m":true}}}}"#,
        client(1)
    );
    play.frame(trade, &fill);
    play.frame(trade, &fill);
    assert!(matches!(play.kinds(1)[0], VenueEventKind::Filled { .. }));
    play.wait(MS);
    query_account(&mut play);
    let balances = BALANCES.replace("1.498", "1.499998");
    assert_eq!(rest(&mut play, &balances), [(InstrumentId(0), Lots(5))]);
    // Somebody withdraws: it shows.
    query_account(&mut play);
    let balances = BALANCES.replace("1.498", "1.099998");
    assert_eq!(rest(&mut play, &balances), [(InstrumentId(0), Lots(-395))]);
}
