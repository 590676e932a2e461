//! REST: paths, proofs and answers.

use serde_json::{json, Value};

use super::orders::{self, Act};
use super::{market, show, symbol_of, Outcome, Refusal};
use crate::dialects::{HttpAnswer, HttpRequest};
use crate::fields::Fields;
use crate::limits::Excess;
use crate::proof::is_base64_of;
use crate::section::Product;
use crate::venue::Venue;

/// Requests must come within so long of their timestamps.
const WINDOW_MS: i64 = 30_000;

/// Answers a request.
pub fn answer(venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
    let answered = carry_out(venue, request);
    let (code, message, data) = match answered {
        Ok(answered) => answered,
        Err(refusal) => return refusal.over_http(),
    };
    let body = json!({"code": code.to_string(), "msg": message, "data": data});
    HttpAnswer::new(200, body.to_string())
}

type Answered = (u32, String, Value);

fn carry_out(venue: &mut Venue, request: &HttpRequest<'_>) -> Outcome<Answered> {
    let path = request.path.strip_prefix("/api/v5/").unwrap_or_default();
    let now_ms = venue.now_ms();
    let weighed = venue.usage.take_weight(&venue.limits, Product::Spot, 1, now_ms);
    weighed.map_err(limited)?;
    let query = Fields::of_query(request.query);
    if let Some(data) = public(venue, path, &query) {
        return Ok((0, String::new(), data?));
    }
    let member = prove(venue, request)?;
    if request.method == "POST" {
        let body = if request.body.is_empty() { "{}" } else { request.body };
        let body: Value = serde_json::from_str(body)
            .map_err(|_| Refusal::with_status(400, 50_002, "JSON syntax error"))?;
        return post(venue, member, path, &body);
    }
    Ok((0, String::new(), get(venue, member, path, &query)?))
}

/// A limit that is used up, in the venue's words.
pub fn limited(excess: Excess) -> Refusal {
    match excess {
        Excess::Weight { .. } | Excess::Orders { .. } => {
            Refusal::with_status(429, 50_011, "Rate limit reached.")
        }
        Excess::Banned { .. } => Refusal::with_status(403, 50_011, "Too many requests."),
    }
}

fn public(venue: &Venue, path: &str, query: &Fields) -> Option<Outcome<Value>> {
    Some(match path {
        "public/time" => Ok(json!([{"ts": venue.now_ms().to_string()}])),
        "public/instruments" => market::instruments(venue, query),
        "public/mark-price" => market::of_perpetual(venue, query, market::mark),
        "public/funding-rate" | "public/funding-rate-history" => {
            market::of_perpetual(venue, query, market::funding)
        }
        "public/position-tiers" => market::tiers(venue, query),
        "market/books" | "market/books-full" => market::books(venue, query),
        "market/trades" | "market/history-trades" => market::trades(venue, query),
        "market/ticker" | "market/tickers" => market::tickers(venue, query),
        "market/candles" | "market/history-candles" => market::candles(venue, query),
        "system/status" => Ok(json!([])),
        _ => return None,
    })
}

/// Who asks.
fn prove(venue: &Venue, request: &HttpRequest<'_>) -> Outcome<usize> {
    let header = |name: &str, code: u32| {
        let message = format!("Request header {} cannot be empty.", name.to_uppercase());
        request.header(name).ok_or_else(|| Refusal::with_status(401, code, message))
    };
    let key = header("ok-access-key", 50_103)?;
    let sign = header("ok-access-sign", 50_104)?;
    let time = header("ok-access-timestamp", 50_107)?;
    let passphrase = header("ok-access-passphrase", 50_105)?;
    let member = venue
        .member_of(key)
        .ok_or_else(|| Refusal::with_status(401, 50_111, "Invalid OK-ACCESS-KEY"))?;
    let known = &venue.members[member];
    if known.passphrase != passphrase {
        return Err(Refusal::with_status(
            401,
            50_105,
            "Request header OK-ACCESS-PASSPHRASE incorrect.",
        ));
    }
    let mark = if request.query.is_empty() { "" } else { "?" };
    let signed =
        format!("{time}{}{}{mark}{}{}", request.method, request.path, request.query, request.body);
    if !is_base64_of(&known.secret, signed.as_bytes(), sign) {
        return Err(Refusal::with_status(401, 50_113, "Invalid Sign"));
    }
    let sent_ms = mainspring_venues::civil::iso_ns(time.as_bytes()).map(|ns| ns / 1_000_000);
    let sent_ms =
        sent_ms.ok_or_else(|| Refusal::with_status(401, 50_112, "Invalid OK-ACCESS-TIMESTAMP"))?;
    if (venue.now_ms() - sent_ms).abs() > WINDOW_MS {
        return Err(Refusal::with_status(401, 50_102, "Timestamp request expired"));
    }
    Ok(member)
}

fn post(venue: &mut Venue, member: usize, path: &str, body: &Value) -> Outcome<Answered> {
    let act: Option<Act> = match path {
        "trade/order" | "trade/batch-orders" => Some(orders::place),
        "trade/order-algo" => Some(orders::place_algo),
        "trade/cancel-order" | "trade/cancel-batch-orders" => Some(orders::cancel),
        "trade/cancel-algos" => Some(orders::cancel_algo),
        "trade/amend-algos" => Some(orders::amend_algo),
        "trade/amend-order" | "trade/amend-batch-orders" => Some(orders::amend),
        _ => None,
    };
    if let Some(act) = act {
        let list = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        take_orders(venue, member, list.len())?;
        return Ok(orders::each(venue, member, act, &list));
    }
    let fields = Fields::of(body);
    let data = match path {
        "trade/cancel-all-after" => cancel_all_after(venue, member, &fields)?,
        "account/set-leverage" => set_leverage(venue, member, &fields)?,
        "account/set-position-mode" => json!([{"posMode": "net_mode"}]),
        _ => return Err(not_found()),
    };
    Ok((0, String::new(), data))
}

/// Counts orders of a member.
pub fn take_orders(venue: &mut Venue, member: usize, count: usize) -> Outcome<()> {
    let (key, now_ms) = (venue.members[member].key.clone(), venue.now_ms());
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let taken = venue.usage.take_orders(&venue.limits, Product::Usdm, &key, count, now_ms);
    taken.map(drop).map_err(limited)
}

fn not_found() -> Refusal {
    Refusal::with_status(404, 50_019, "Path not found or not simulated.")
}

fn get(venue: &Venue, member: usize, path: &str, query: &Fields) -> Outcome<Value> {
    let keys = &venue.members[member];
    Ok(match path {
        "trade/order" => {
            let (product, _) = named(venue, query)?;
            let section = &venue.sections[product as usize];
            let account = keys.accounts[product as usize];
            let order = orders::named(section, account, query)?;
            json!([show::order(section, order, None)])
        }
        "trade/order-algo" => {
            let ours = [Product::Spot, Product::Usdm].into_iter().find_map(|product| {
                let section = &venue.sections[product as usize];
                let account = keys.accounts[product as usize];
                let found = orders::known(section, account, query).ok()?;
                Some(show::algo(section, found))
            });
            let none = || Refusal::new(51_603, "Order does not exist");
            json!([ours.ok_or_else(none)?])
        }
        "trade/orders-pending" => {
            listed(venue, member, query, |order| order.status.is_open() && !order.is_armed)
        }
        "trade/orders-history" | "trade/orders-history-archive" => {
            listed(venue, member, query, |order| !order.status.is_open())
        }
        "trade/orders-algo-pending" => {
            let of_kind = |order: &crate::records::OrderRecord, kind: &str| {
                order.status.is_open()
                    && order.is_armed
                    && kind.split(',').any(|k| k == order.type_name)
            };
            let kinds = query.text("ordType").ok_or_else(|| Refusal::missing("ordType"))?;
            listed(venue, member, query, |order| of_kind(order, &kinds))
        }
        "trade/fills" | "trade/fills-history" => fills(venue, member, query),
        "account/balance" => json!([show::account(venue, member)]),
        "account/positions" => {
            let also = query.text("instId").and_then(|name| symbol_of(venue, &name).ok());
            let also = also.filter(|(product, _)| *product == Product::Usdm).map(|(_, at)| at);
            show::positions(venue, member, also).into()
        }
        "account/config" => json!([{
            "uid": keys.accounts[0].0.to_string(), "mainUid": keys.accounts[0].0.to_string(),
            "acctLv": "2", "posMode": "net_mode", "autoLoan": false, "greeksType": "PA",
            "level": "Lv1", "perm": "read_only,trade", "label": "simulator", "ip": "",
        }]),
        "account/instruments" => market::instruments(venue, query)?,
        "account/leverage-info" => {
            let (product, at) = named(venue, query)?;
            let id = mainspring_core::InstrumentId(at as u16);
            let section = &venue.sections[product as usize];
            let account = keys.accounts[product as usize];
            let leverage = section.exchange.accounts().leverage(account, id).unwrap_or(1);
            json!([{
                "instId": section.desk.symbols[at].instrument.symbol, "mgnMode": "cross",
                "posSide": "net", "lever": leverage.to_string(),
            }])
        }
        "account/trade-fee" => {
            let product = query.text("instType").and_then(|kind| market::product_of(&kind));
            let product = product.ok_or_else(|| Refusal::missing("instType"))?;
            let first = venue.sections[product as usize].desk.symbols.first();
            let one = &first.ok_or_else(|| Refusal::missing("instType"))?.instrument;
            let paid = |fee: mainspring_core::Decimal| format!("-{fee}");
            json!([{
                "instType": show::kind_name(product), "level": "Lv1", "maker": paid(one.maker_fee),
                "taker": paid(one.taker_fee), "makerU": paid(one.maker_fee),
                "takerU": paid(one.taker_fee), "ts": venue.now_ms().to_string(),
            }])
        }
        _ => return Err(not_found()),
    })
}

fn named(venue: &Venue, query: &Fields) -> Outcome<(Product, usize)> {
    symbol_of(venue, &query.text("instId").ok_or_else(|| Refusal::missing("instId"))?)
}

/// Orders of a member, the newest first.
fn listed(
    venue: &Venue,
    member: usize,
    query: &Fields,
    wanted: impl Fn(&crate::records::OrderRecord) -> bool,
) -> Value {
    let (kind, name) = (query.text("instType"), query.text("instId"));
    let after: u64 = query.parsed("after").unwrap_or(u64::MAX);
    let limit = query.parsed("limit").unwrap_or(100_usize).clamp(1, 100);
    let mut shown = Vec::new();
    for product in [Product::Spot, Product::Usdm] {
        if kind.as_deref().is_some_and(|kind| kind != show::kind_name(product)) {
            continue;
        }
        let section = &venue.sections[product as usize];
        let account = venue.members[member].accounts[product as usize];
        let of_name = |at: usize| {
            name.as_ref().is_none_or(|name| *name == section.desk.symbols[at].instrument.symbol)
        };
        let orders = section.desk.records.all_of(account).into_iter().rev();
        let orders = orders.filter(|order| order.id.0 < after);
        let orders = orders.filter(|order| wanted(order) && of_name(order.symbol));
        shown.extend(orders.take(limit).map(|order| {
            if order.is_armed {
                show::algo(section, order)
            } else {
                show::order(section, order, None)
            }
        }));
    }
    shown.truncate(limit);
    shown.into()
}

fn fills(venue: &Venue, member: usize, query: &Fields) -> Value {
    let (kind, name) = (query.text("instType"), query.text("instId"));
    let begin = query.parsed("begin").unwrap_or(0);
    let after: u64 = query.parsed("after").unwrap_or(u64::MAX);
    let order: Option<u64> = query.parsed("ordId");
    let limit = query.parsed("limit").unwrap_or(100_usize).clamp(1, 100);
    let mut shown = Vec::new();
    for product in [Product::Spot, Product::Usdm] {
        if kind.as_deref().is_some_and(|kind| kind != show::kind_name(product)) {
            continue;
        }
        let section = &venue.sections[product as usize];
        let account = venue.members[member].accounts[product as usize];
        let fills = section.desk.records.fills_of(account).rev();
        let fills = fills.filter(|fill| {
            let symbol = &section.desk.symbols[fill.symbol].instrument.symbol;
            name.as_ref().is_none_or(|name| name == symbol)
                && fill.time_ms >= begin
                && fill.trade < after
                && order.is_none_or(|order| fill.order.0 == order)
        });
        shown.extend(fills.take(limit).map(|fill| show::fill(section, fill)));
    }
    shown.truncate(limit);
    shown.into()
}

fn cancel_all_after(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Value> {
    let seconds: i64 = fields.parsed("timeOut").ok_or_else(|| Refusal::missing("timeOut"))?;
    if seconds != 0 && !(10..=120).contains(&seconds) {
        return Err(Refusal::wrong("timeOut"));
    }
    let at_ms = Some(venue.now_ms() + seconds * 1_000).filter(|_| seconds > 0);
    for product in [Product::Spot, Product::Usdm] {
        for symbol in 0..venue.sections[product as usize].desk.symbols.len() {
            venue.set_countdown(member, product, symbol, at_ms);
        }
    }
    let at = at_ms.map_or("0".to_owned(), |ms| ms.to_string());
    Ok(json!([{"triggerTime": at, "ts": venue.now_ms().to_string(), "tag": ""}]))
}

fn set_leverage(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Value> {
    let (product, at) = named(venue, fields)?;
    let leverage: u32 = fields.parsed("lever").ok_or_else(|| Refusal::missing("lever"))?;
    let account = venue.members[member].accounts[product as usize];
    let id = mainspring_core::InstrumentId(at as u16);
    let accounts = venue.sections[product as usize].exchange.accounts_mut();
    accounts
        .set_leverage(account, id, leverage)
        .map_err(|_| Refusal::new(59_102, "Leverage exceeds the maximum of the position tier."))?;
    Ok(json!([{
        "instId": fields.text("instId"), "lever": leverage.to_string(), "mgnMode": "cross",
        "posSide": "",
    }]))
}
