//! What the stream of an account did not tell, on dYdX, whose lists name orders by the venue's id.

use mainspring_core::report::{Answer, Request};
use mainspring_core::{ClientOrderId, InstrumentId, Side};
use mainspring_venues::client_id::{ClientIdForm, ClientIds};
use mainspring_venues::session::{SocketId, Told};

use crate::dydx_orders::{begun, DONE, HEIGHT, MARKETS};
use crate::play::{Play, TAG};

const OF_MARKET: &str = "/v4/orders";

/// A session whose connections are open before the clock is known; that of the account.
fn opened() -> (Play, SocketId) {
    let mut play = begun(false);
    play.ok("GET", "/v4/perpetualMarkets", MARKETS);
    play.connect("/v4/ws");
    let user = play.connect("/v4/ws");
    (play, user)
}

fn up() -> Play {
    let (mut play, _) = opened();
    play.ok("GET", "/v4/height", HEIGHT);
    assert!(play.session.is_up(), "{:?}", play.notes);
    play
}

/// An order that the node took, and of which nothing was heard since.
fn place(play: &mut Play, id: u64) {
    play.place(id, Side::Buy, 618_000, 5);
    play.ok("GET", "/broadcast_tx_sync", DONE);
}

/// An order as the indexer lists it.
fn listed(id: u64, status: &str, filled: &str) -> String {
    let mut client = String::new();
    ClientIds::new(ClientIdForm::Number, TAG).write(ClientOrderId(id), &mut client);
    format!(
        r#"{{"id":"{}","clientId":"{client}","clientMetadata":"{TAG}","clobPairId":"0","side":"BUY",
"size":"0.005","price":"61800","totalFilled":"{filled}","status":"{status}","type":"LIMIT",
"timeInForce":"GTT","orderFlags":"64","goodTilBlockTime":"2026-12-21T10:00:00.000Z",
"postOnly":false,"reduceOnly":false,"ticker":"BTC-USD"}}"#,
        venue_id(id)
    )
}

fn venue_id(id: u64) -> String {
    format!("00000000-0000-5000-8000-{id:012x}")
}

fn fills_of(order: &str) -> String {
    format!(
        r#"{{"fills":[{{"id":"00000000-0001-5000-9000-000000000065","side":"BUY","liquidity":"TAKER",
"type":"LIMIT","market":"BTC-USD","price":"61790","size":"0.005","fee":"0.1",
"createdAt":"2026-11-21T10:00:00.251Z","createdAtHeight":"1001","orderId":"{order}",
"clientMetadata":"{TAG}","subaccountNumber":0}}]}}"#
    )
}

/// The next answer about the account, where the venue lists this fill; its own and foreign fills.
fn account(play: &mut Play, fills: &str) -> (usize, usize) {
    play.request(Request::AccountQuery { venue: 0, since_ns: 0 });
    play.ok("GET", OF_MARKET, "[]");
    play.ok("GET", "/v4/fills", fills);
    play.ok("GET", "/v4/perpetualPositions", r#"{"positions":[]}"#);
    let subaccount = r#"{"subaccount":{"openPerpetualPositions":{},"assetPositions":{}}}"#;
    play.ok("GET", "/subaccountNumber/0", subaccount);
    let account = play.others().into_iter().find_map(|told| match told {
        Told::Account(account) => Some(account),
        _ => None,
    });
    let account = account.unwrap_or_else(|| panic!("no account: {:?}", play.notes));
    (account.fills.len(), account.foreign.len())
}

#[test]
fn a_connection_that_is_open_before_the_clock_is_known_subscribes_then() {
    let (mut play, user) = opened();
    assert!(!play.session.is_up(), "nobody listens to the account yet");
    play.ok("GET", "/v4/height", HEIGHT);
    play.take_text(user, "v4_subaccounts");
    assert!(play.session.is_up(), "{:?}", play.notes);
}

#[test]
fn an_answer_that_lists_the_market_is_read_for_the_order_that_was_asked_about() {
    let mut play = up();
    place(&mut play, 1);
    place(&mut play, 2);
    let (order, instrument) = (ClientOrderId(2), InstrumentId(0));
    play.request(Request::OrderQuery { order, instrument });
    let list = format!("[{},{}]", listed(2, "FILLED", "0.005"), listed(1, "CANCELED", "0"));
    play.ok("GET", OF_MARKET, &list);
    let answers: Vec<_> = play
        .others()
        .into_iter()
        .filter_map(|told| match told {
            Told::Answer { order, answer } => Some((order, answer)),
            _ => None,
        })
        .collect();
    assert!(
        matches!(answers[..], [(ClientOrderId(2), Answer::Filled { filled })] if filled.0 == 5),
        "{answers:?}"
    );
}

#[test]
fn a_fill_of_an_order_that_has_no_name_yet_is_not_taken_for_that_of_another() {
    let mut play = up();
    place(&mut play, 1);
    let fills = fills_of(&venue_id(1));
    assert_eq!(account(&mut play, &fills), (0, 0), "it may be that of the order");
    play.request(Request::OrderQuery { order: ClientOrderId(1), instrument: InstrumentId(0) });
    play.ok("GET", OF_MARKET, &format!("[{}]", listed(1, "FILLED", "0.005")));
    assert_eq!(account(&mut play, &fills), (1, 0), "and was");
    assert_eq!(account(&mut play, &fills_of(&venue_id(77))).1, 1, "that of another is told");
}
