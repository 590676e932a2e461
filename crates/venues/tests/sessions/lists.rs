//! Lists that take several answers, or several questions.

use mainspring_core::report::Account;
use mainspring_core::{Lots, Request};
use mainspring_venues::listing::{Code, Listing, Listings};
use mainspring_venues::session::Told;

use crate::others::{bybit_with, okx, one};
use crate::play::{client, Play, MS};

/// What was told of the account.
fn account_of(play: &mut Play) -> Account {
    let found = play.others().into_iter().find_map(|told| match told {
        Told::Account(account) => Some(account),
        _ => None,
    });
    found.expect("no account was told")
}

fn query(play: &mut Play) -> i64 {
    let since_ns = play.now_ns - 60_000 * MS;
    play.request(Request::AccountQuery { venue: 0, since_ns });
    since_ns / MS
}

/// Trade ids of the fills, in the order told.
fn trades(account: &Account) -> Vec<u64> {
    account.fills.iter().map(|fill| fill.trade_id).collect()
}

fn bybit_page(list: &[String], cursor: &str) -> String {
    format!(
        r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"linear","list":[{}],"nextPageCursor":"{cursor}"}},"time":1}}"#,
        list.join(",")
    )
}

fn bybit_fill(n: u64, ms: i64) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":"a-1","orderLinkId":"{}","side":"Buy","execId":"{n}","execPrice":"61800","execQty":"0.001","execFee":"0.01","feeCurrency":"","execType":"Trade","isMaker":true,"execTime":"{ms}"}}"#,
        client(1)
    )
}

fn bybit_order(n: u64) -> String {
    format!(
        r#"{{"category":"linear","symbol":"BTCUSDT","orderId":"a-{n}","orderLinkId":"{}","side":"Buy","orderType":"Limit","timeInForce":"GTC","orderStatus":"New","price":"61800","qty":"0.005","cumExecQty":"0","updatedTime":"1795255200500"}}"#,
        client(n)
    )
}

const BYBIT_WALLET: &str =
    r#"{"retCode":0,"retMsg":"OK","result":{"list":[{"coin":[]}]},"time":1}"#;

#[test]
fn bybits_lists_are_read_to_their_end() {
    let (mut play, _) = bybit_with(one("bybit", "BTCUSDT", Code::None));
    let since_ms = query(&mut play);
    let now_ms = play.now_ns / MS;
    // From the newest on, a hundred in an answer: the older ones are the rest.
    let newest: Vec<_> = (0..100).map(|n| bybit_fill(200 - n, now_ms - n as i64)).collect();
    let asked = play.take("GET", "/v5/execution/list");
    assert_eq!(asked.param("startTime"), Some(since_ms.to_string()));
    play.answer(&asked, 200, &[], &bybit_page(&newest, "7%3A1%2C7%3A1"));
    let asked = play.take("GET", "/v5/execution/list");
    assert_eq!(asked.param("cursor").as_deref(), Some("7%3A1%2C7%3A1"), "as it came");
    assert_eq!(asked.param("startTime"), Some(since_ms.to_string()));
    let older = [bybit_fill(100, now_ms - 100)];
    play.answer(&asked, 200, &[], &bybit_page(&older, "6%3A1"));
    // Fifty open orders in an answer.
    let asked = play.take("GET", "/v5/order/realtime");
    assert_eq!(asked.param("limit").as_deref(), Some("50"), "left to itself it gives twenty");
    let first: Vec<_> = (1..=50).map(bybit_order).collect();
    play.answer(&asked, 200, &[], &bybit_page(&first, "page_args%3D50%26"));
    let asked = play.take("GET", "/v5/order/realtime");
    assert_eq!(asked.param("cursor").as_deref(), Some("page_args%3D50%26"));
    play.answer(&asked, 200, &[], &bybit_page(&[bybit_order(51)], "page_args%3D51%26"));
    play.ok("GET", "/v5/position/list", &bybit_page(&[], ""));
    play.ok("GET", "/v5/account/wallet-balance", BYBIT_WALLET);
    let account = account_of(&mut play);
    assert_eq!(trades(&account), (100..=200).collect::<Vec<_>>(), "oldest first, none is lost");
    assert_eq!(account.open.len(), 51);
    let fee = account.fills[0].fee.map(|fee| fee.0);
    assert_eq!(fee, Some(10_000_000_000_000_000), "in what the contract is settled in");
}

#[test]
fn bybits_contracts_in_usdc_are_asked_for_beside_those_in_usdt() {
    let mut perp: Listing = one("bybit", "BTCPERP", Code::None).all()[0].clone();
    perp.instrument.quote = "USDC".to_owned();
    perp.id = mainspring_core::InstrumentId(1);
    let both = vec![one("bybit", "BTCUSDT", Code::None).all()[0].clone(), perp];
    let (mut play, _) = bybit_with(Listings::new(both).unwrap());
    query(&mut play);
    let mut positions = Vec::new();
    while let Some(asked) = play.find("GET", "/v5/position/list") {
        let coin = asked.param("settleCoin").unwrap();
        let symbol = if coin == "USDC" { "BTCPERP" } else { "BTCUSDT" };
        let row =
            format!(r#"{{"symbol":"{symbol}","side":"Sell","size":"0.004","positionIdx":0}}"#);
        play.answer(&asked, 200, &[], &bybit_page(&[row], ""));
        positions.push(coin);
    }
    assert_eq!(positions, ["USDT", "USDC"]);
    for path in ["/v5/execution/list", "/v5/order/realtime"] {
        (0..2).for_each(|_| drop(play.ok("GET", path, &bybit_page(&[], ""))));
    }
    play.ok("GET", "/v5/account/wallet-balance", BYBIT_WALLET);
    let held = account_of(&mut play).positions;
    assert_eq!(held.iter().map(|(_, lots)| *lots).collect::<Vec<_>>(), [Lots(-4), Lots(-4)]);
}

fn okx_fill(n: u64, ms: i64) -> String {
    format!(
        r#"{{"instId":"BTC-USDT-SWAP","ordId":"9","clOrdId":"{}","tradeId":"{n}","billId":"{}","fillPx":"61800","fillSz":"0.001","side":"buy","execType":"M","fee":"-0.01","feeCcy":"USDT","ts":"{ms}","fillTime":"{ms}"}}"#,
        client(1),
        7_000 + n
    )
}

fn okx_page(list: &[String]) -> String {
    format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, list.join(","))
}

#[test]
fn okxs_lists_are_read_to_their_end_and_positions_of_both_margins_are_one() {
    let (mut play, _) = okx();
    query(&mut play);
    let now_ms = play.now_ns / MS;
    let newest: Vec<_> = (0..100).map(|n| okx_fill(200 - n, now_ms - n as i64)).collect();
    play.ok("GET", "/api/v5/trade/fills", &okx_page(&newest));
    let asked = play.ok("GET", "/api/v5/trade/fills", &okx_page(&[okx_fill(100, now_ms - 100)]));
    assert_eq!(asked.param("after").as_deref(), Some("7101"), "behind the last one, by its bill");
    let order = |n: u64| {
        format!(
            r#"{{"instId":"BTC-USDT-SWAP","ordId":"{n}","clOrdId":"{}","px":"61800","sz":"0.005","accFillSz":"0","side":"buy","state":"live","ordType":"limit","algoId":"","uTime":"1795255200500"}}"#,
            client(n)
        )
    };
    let first: Vec<_> = (1..=100).map(|n| order(300 - n)).collect();
    play.ok("GET", "/api/v5/trade/orders-pending", &okx_page(&first));
    let asked = play.ok("GET", "/api/v5/trade/orders-pending", &okx_page(&[order(100)]));
    assert_eq!(asked.param("after").as_deref(), Some("200"));
    let trigger = format!(
        r#"{{"algoId":"41","algoClOrdId":"{}","instId":"BTC-USDT-SWAP","ordType":"trigger","side":"sell","sz":"0.005","state":"live","triggerPx":"60000","ordPx":"-1","ordId":"","cTime":"1795255200500","uTime":"1795255200500"}}"#,
        client(400)
    );
    let asked = play.ok("GET", "/api/v5/trade/orders-algo-pending", &okx_page(&[trigger]));
    assert_eq!(asked.param("ordType").as_deref(), Some("trigger"));
    let asked = play.ok("GET", "/api/v5/trade/orders-algo-pending", &okx_page(&[]));
    assert_eq!(asked.param("ordType").as_deref(), Some("conditional"));
    let position = |margin: &str, size: &str| {
        format!(
            r#"{{"instId":"BTC-USDT-SWAP","mgnMode":"{margin}","posSide":"net","pos":"{size}","avgPx":"61800"}}"#
        )
    };
    let both = [position("cross", "0.007"), position("isolated", "-0.002")];
    play.ok("GET", "/api/v5/account/positions", &okx_page(&both));
    play.ok("GET", "/api/v5/account/balance", &okx_page(&[]));
    let account = account_of(&mut play);
    assert_eq!(trades(&account), (100..=200).collect::<Vec<_>>());
    assert_eq!(account.open.len(), 102);
    assert_eq!(account.positions.iter().map(|(_, lots)| *lots).collect::<Vec<_>>(), [Lots(5)]);
}
