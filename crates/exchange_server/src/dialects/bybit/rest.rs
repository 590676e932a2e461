//! REST: paths, proofs and answers.

use serde_json::{json, Value};

use super::orders::{self, Answered};
use super::{category_of, market, product_of, show, Outcome, Refusal};
use crate::dialects::{HttpAnswer, HttpRequest};
use crate::fields::Fields;
use crate::proof::is_hex_of;
use crate::section::Product;
use crate::venue::Venue;

/// The whole of an answer.
pub fn body((code, message, result, more): &Answered, now_ms: i64) -> String {
    json!({
        "retCode": code, "retMsg": message, "result": result, "retExtInfo": more, "time": now_ms,
    })
    .to_string()
}

/// Answers a request.
pub fn answer(venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
    let (status, answered) = match carry_out(venue, request) {
        Ok(answered) => (200, answered),
        Err(refusal) => (refusal.status, refusal.outcome()),
    };
    let limit = venue.limits.usdm_orders.to_string();
    let mut answer = HttpAnswer::new(status, body(&answered, venue.now_ms()));
    let reset = ((venue.now_ms() / 1_000 + 1) * 1_000).to_string();
    answer.headers = vec![
        ("x-bapi-limit", limit.clone()),
        ("x-bapi-limit-status", if answered.0 == 10_006 { "0".to_owned() } else { limit }),
        ("x-bapi-limit-reset-timestamp", reset),
    ];
    answer
}

fn carry_out(venue: &mut Venue, request: &HttpRequest<'_>) -> Outcome<Answered> {
    let path = request.path.strip_prefix("/v5/").unwrap_or_default();
    let now_ms = venue.now_ms();
    venue.usage.take_weight(&venue.limits, Product::Spot, 1, now_ms)?;
    let query = Fields::of_query(request.query);
    let done = |result: Value| (0, "OK".to_owned(), result, json!({}));
    if let Some(result) = public(venue, path, &query) {
        return result.map(done);
    }
    let member = prove(venue, request)?;
    if request.method != "POST" {
        return get(venue, member, path, &query).map(done);
    }
    let text = if request.body.is_empty() { "{}" } else { request.body };
    let given: Value = serde_json::from_str(text).map_err(|_| Refusal::wrong("invalid JSON"))?;
    if let Some(found) = orders::find(path) {
        return orders::run(venue, member, found, &given);
    }
    let fields = Fields::of(&given);
    match path {
        "order/cancel-all" => orders::cancel_all(venue, member, &fields).map(done),
        "order/disconnected-cancel-all" => Ok(done(json!({}))),
        "position/set-leverage" => set_leverage(venue, member, &fields).map(done),
        "position/switch-mode" | "account/set-margin-mode" => Ok(done(json!({"reasons": []}))),
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal { status: 404, ..Refusal::new(10_404, "Path not found or not simulated.") }
}

fn public(venue: &Venue, path: &str, query: &Fields) -> Option<Outcome<Value>> {
    Some(match path {
        "market/time" => {
            let now = venue.now_ms();
            Ok(json!({
                "timeSecond": (now / 1_000).to_string(), "timeNano": (now * 1_000_000).to_string(),
            }))
        }
        "market/instruments-info" => market::instruments(venue, query),
        "market/orderbook" => market::order_book(venue, query),
        "market/recent-trade" => market::trades(venue, query),
        "market/tickers" => market::tickers(venue, query),
        "market/kline" | "market/mark-price-kline" => market::klines(venue, query),
        "market/risk-limit" => market::risk_limits(venue, query),
        _ => return None,
    })
}

/// Who asks.
fn prove(venue: &Venue, request: &HttpRequest<'_>) -> Outcome<usize> {
    let header = |name: &str| {
        request.header(name).ok_or_else(|| Refusal {
            status: 401,
            ..Refusal::new(10_001, format!("{name} is missing"))
        })
    };
    let (key, time, sign) =
        (header("x-bapi-api-key")?, header("x-bapi-timestamp")?, header("x-bapi-sign")?);
    let window = request.header("x-bapi-recv-window").unwrap_or("5000");
    let member = venue.member_of(key).ok_or_else(|| Refusal::new(10_003, "API key is invalid."))?;
    let payload = if request.method == "GET" { request.query } else { request.body };
    let signed = format!("{time}{key}{window}{payload}");
    if !is_hex_of(&venue.members[member].secret, signed.as_bytes(), sign) {
        let message = "Error sign, please check your signature generation algorithm.";
        return Err(Refusal::new(10_004, message));
    }
    check_time(venue, time, window)?;
    Ok(member)
}

/// A request may be a second ahead of the venue, and no older than its window.
pub fn check_time(venue: &Venue, time: &str, window: &str) -> Outcome<()> {
    let sent_ms: i64 = time.parse().map_err(|_| Refusal::wrong("timestamp"))?;
    let window_ms: i64 = window.parse().map_err(|_| Refusal::wrong("recv_window"))?;
    let now_ms = venue.now_ms();
    if sent_ms >= now_ms + 1_000 || now_ms - sent_ms > window_ms {
        let message = format!(
            "invalid request, please check your server timestamp or recv_window param. \
             req_timestamp[{sent_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]"
        );
        return Err(Refusal::new(10_002, message));
    }
    Ok(())
}

fn get(venue: &Venue, member: usize, path: &str, query: &Fields) -> Outcome<Value> {
    let keys = &venue.members[member];
    if path == "account/wallet-balance" {
        return Ok(json!({"list": [show::wallet(venue, member)]}));
    }
    if path == "user/query-api" {
        return Ok(json!({
            "apiKey": keys.key, "readOnly": 0, "ips": ["*"], "note": "simulator", "type": 1,
            "permissions": {
                "ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"], "Wallet": [],
            },
            "uta": 1, "userID": keys.accounts[0].0,
        }));
    }
    if path == "account/info" {
        return Ok(json!({
            "unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "dcpStatus": "OFF",
            "timeWindow": 0, "smpGroup": 0, "isMasterTrader": false, "updatedTime": "0",
        }));
    }
    let product = product_of(&query.text("category").unwrap_or_default())?;
    let section = &venue.sections[product as usize];
    let account = keys.accounts[product as usize];
    let only = query.text("symbol").map(|name| section.symbol(&name)).transpose()?;
    let of_symbol = |at: usize| only.is_none_or(|only| only == at);
    let (usual, most) = match path {
        "order/realtime" | "order/history" => (20, 50),
        "execution/list" => (50, 100),
        _ => (20, 200),
    };
    let limit = query.parsed("limit").unwrap_or(usual).clamp(1, most);
    // A cursor says how many of the list were told.
    let told = query.parsed("cursor").unwrap_or(0_usize);
    let list: Vec<Value> = match path {
        "order/realtime" | "order/history" => {
            let is_named = query.text("orderId").or(query.text("orderLinkId")).is_some();
            if is_named {
                let found = orders::named(section, account, query);
                found.into_iter().map(|order| show::order(section, order)).collect()
            } else {
                let open = path == "order/realtime";
                let orders = section.desk.records.all_of(account).into_iter().rev();
                let wanted = orders.filter(|order| order.status.is_open() == open);
                let wanted = wanted.filter(|order| of_symbol(order.symbol));
                let wanted = wanted.skip(told).take(limit);
                wanted.map(|order| show::order(section, order)).collect()
            }
        }
        "execution/list" => {
            let since = query.parsed("startTime").unwrap_or(0);
            let order: Option<u64> = query.parsed("orderId");
            let fills = section.desk.records.fills_of(account).rev();
            let fills = fills.filter(|fill| of_symbol(fill.symbol) && fill.time_ms >= since);
            let fills = fills.filter(|fill| order.is_none_or(|order| fill.order.0 == order));
            fills.skip(told).take(limit).map(|fill| show::execution(section, fill)).collect()
        }
        "position/list" if product == Product::Usdm => {
            let held = show::held(venue, member, only).into_iter().filter(|at| of_symbol(*at));
            held.map(|at| show::position(venue, member, at)).collect()
        }
        "account/fee-rate" => {
            let every = (0..section.desk.symbols.len()).filter(|at| of_symbol(*at));
            let rates = every.map(|at| {
                let one = &section.desk.symbols[at].instrument;
                json!({
                    "symbol": one.symbol, "makerFeeRate": one.maker_fee.to_string(),
                    "takerFeeRate": one.taker_fee.to_string(),
                })
            });
            rates.collect()
        }
        _ => return Err(not_found()),
    };
    let next = if list.is_empty() { String::new() } else { (told + list.len()).to_string() };
    Ok(json!({"category": category_of(product), "list": list, "nextPageCursor": next}))
}

fn set_leverage(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Value> {
    let product = product_of(&fields.text("category").unwrap_or_default())?;
    let name = fields.text("symbol").ok_or_else(|| Refusal::wrong("symbol"))?;
    let wanted: f64 = fields.parsed("buyLeverage").ok_or_else(|| Refusal::wrong("buyLeverage"))?;
    let account = venue.members[member].accounts[product as usize];
    let section = &mut venue.sections[product as usize];
    let id = mainspring_core::InstrumentId(section.symbol(&name)? as u16);
    let accounts = section.exchange.accounts_mut();
    if accounts.leverage(account, id) == Some(wanted as u32) {
        return Err(Refusal::new(110_043, "leverage not modified"));
    }
    accounts
        .set_leverage(account, id, wanted as u32)
        .map_err(|_| Refusal::new(110_013, "cannot set leverage gt maxLeverage by risk limit"))?;
    Ok(json!({}))
}
