//! Orders, fills, balances and positions as the venue shows them.

use mainspring_core::order::{CancelReason, OrderFlags, OrderType, Side};
use mainspring_core::InstrumentId;
use serde_json::{json, Value};

use super::step;
use crate::records::{FillRecord, OrderRecord, Status};
use crate::section::{Product, Section};
use crate::text::{average_price, fine_price, money};
use crate::venue::Venue;

/// The venue's word for a side.
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// The kind of instrument.
pub const fn kind_name(product: Product) -> &'static str {
    match product {
        Product::Spot => "SPOT",
        Product::Usdm => "SWAP",
    }
}

/// Lots as the size of an order.
pub fn size(section: &Section, symbol: usize, lots: i64) -> String {
    step(section, symbol).times(lots)
}

fn state(order: &OrderRecord) -> &'static str {
    match order.status {
        Status::New => "live",
        Status::PartiallyFilled => "partially_filled",
        Status::Filled => "filled",
        Status::Canceled | Status::Expired | Status::ExpiredInMatch => "canceled",
    }
}

fn cancel_source(order: &OrderRecord) -> &'static str {
    match (order.status.is_open() || order.status == Status::Filled, order.ended) {
        (true, _) => "",
        (_, Some(CancelReason::IocRemainder)) => "14",
        (_, Some(CancelReason::SelfTrade)) => "32",
        (_, Some(CancelReason::Liquidation)) => "3",
        (_, Some(CancelReason::ReduceOnly)) => "2",
        (_, Some(CancelReason::Expired)) => "7",
        (_, Some(CancelReason::Oco)) => "36",
        (_, Some(_)) => "1",
        (_, None) => "13",
    }
}

/// Whether a trigger made the order.
fn is_made(order: &OrderRecord) -> bool {
    matches!(order.type_name, "trigger" | "conditional") && !order.is_armed
}

/// Whether its trigger was reached and the order that it was to make was refused.
pub fn has_failed(order: &OrderRecord) -> bool {
    is_made(order) && order.status == Status::Expired && order.ended.is_none()
}

/// The type of an order on the book: what a trigger makes is as any other.
const fn type_of(order: &OrderRecord) -> &'static str {
    match order.terms.order_type {
        OrderType::Stop | OrderType::TakeProfit => "market",
        OrderType::StopLimit => "limit",
        _ => order.type_name,
    }
}

/// An order.
pub fn order(section: &Section, order: &OrderRecord, fill: Option<&FillRecord>) -> Value {
    let (product, at) = (section.desk.product, order.symbol);
    let symbol = &section.desk.symbols[at];
    let type_name = type_of(order);
    let (has_price, is_made) = (type_name != "market", is_made(order));
    // What a trigger made has no id of the member's own: it names the order that waited.
    let (own, waited) = if is_made { ("", order.own_id()) } else { (order.own_id(), "") };
    let filled = order.filled.0 > 0;
    let mut shown = json!({
        "instType": kind_name(product), "instId": symbol.instrument.symbol, "ccy": "",
        "ordId": order.id.0.to_string(), "clOrdId": own, "tag": "",
        "px": if has_price { symbol.price(order.terms.price.0) } else { String::new() },
        "sz": size(section, at, order.terms.qty.0), "ordType": type_name,
        "side": side_name(order.terms.side), "posSide": "net",
        "tdMode": if product == Product::Spot { "cash" } else { "cross" },
        "tgtCcy": if product == Product::Spot { "base_ccy" } else { "" },
        "accFillSz": size(section, at, order.filled.0),
        "avgPx": if filled { average_price(symbol, order) } else { String::new() },
        "state": state(order), "lever": "", "feeCcy": symbol.instrument.quote, "fee": "0",
        "rebateCcy": symbol.instrument.quote, "rebate": "0", "pnl": "0", "source": "",
        "category": "normal", "fillPx": "", "fillSz": "0", "tradeId": "", "fillTime": "",
        "fillFee": "0", "fillFeeCcy": "", "execType": "", "amendResult": "", "reqId": "",
        "code": "0", "msg": "", "cancelSource": cancel_source(order),
        "reduceOnly": order.terms.flags.has(OrderFlags::REDUCE_ONLY).to_string(),
        "stpMode": "cancel_maker", "uTime": order.update_ms.to_string(),
        "cTime": order.time_ms.to_string(),
    });
    shown["algoId"] = if is_made { order.id.0.to_string() } else { String::new() }.into();
    shown["algoClOrdId"] = waited.into();
    if let Some(fill) = fill {
        let liquidated = order.is_liquidation();
        shown["fillPx"] = symbol.price(fill.price).into();
        shown["fillSz"] = size(section, at, fill.qty.0).into();
        shown["tradeId"] = fill.trade.to_string().into();
        shown["fillTime"] = fill.time_ms.to_string().into();
        shown["fillFee"] = money(-fill.fee).into();
        shown["fillFeeCcy"] = symbol.instrument.quote.clone().into();
        shown["execType"] = if fill.maker { "M" } else { "T" }.into();
        shown["fillPnl"] = money(fill.realised).into();
        shown["category"] = if liquidated { "full_liquidation" } else { "normal" }.into();
    }
    shown
}

/// An order that waits for its trigger.
pub fn algo(section: &Section, order: &OrderRecord) -> Value {
    let symbol = &section.desk.symbols[order.symbol];
    let state = match (order.status.is_open(), order.is_armed) {
        (true, true) => "live",
        (false, true) => "canceled",
        _ if has_failed(order) => "order_failed",
        _ => "effective",
    };
    let made = if state == "effective" { order.id.0.to_string() } else { String::new() };
    let is_limit = order.terms.order_type == OrderType::StopLimit;
    let at = symbol.price(order.terms.trigger.0);
    let limit = if is_limit { symbol.price(order.terms.price.0) } else { "-1".to_owned() };
    let is_profit = order.terms.order_type == OrderType::TakeProfit;
    let prices = match (order.type_name, is_profit) {
        ("trigger", _) => json!({"triggerPx": at, "ordPx": limit, "triggerPxType": "last"}),
        (_, false) => json!({"slTriggerPx": at, "slOrdPx": limit, "slTriggerPxType": "last"}),
        (_, true) => json!({"tpTriggerPx": at, "tpOrdPx": limit, "tpTriggerPxType": "last"}),
    };
    let mut shown = json!({
        "algoId": order.id.0.to_string(), "algoClOrdId": order.own_id(),
        "instId": symbol.instrument.symbol, "instType": kind_name(section.desk.product),
        "ordType": order.type_name, "side": side_name(order.terms.side), "state": state,
        "sz": size(section, order.symbol, order.terms.qty.0), "posSide": "net",
        "tdMode": if section.desk.product == Product::Spot { "cash" } else { "cross" },
        "ordId": made, "clOrdId": "", "failCode": "", "amendResult": "",
        "reduceOnly": order.terms.flags.has(OrderFlags::REDUCE_ONLY).to_string(),
        "cTime": order.time_ms.to_string(), "uTime": order.update_ms.to_string(),
    });
    if let (Some(shown), Value::Object(prices)) = (shown.as_object_mut(), prices) {
        shown.extend(prices);
    }
    shown
}

/// A fill.
pub fn fill(section: &Section, fill: &FillRecord) -> Value {
    let symbol = &section.desk.symbols[fill.symbol];
    let known = section.desk.records.get(fill.order);
    json!({
        "instType": kind_name(section.desk.product), "instId": symbol.instrument.symbol,
        "tradeId": fill.trade.to_string(), "ordId": fill.order.0.to_string(),
        "clOrdId": known.filter(|order| !is_made(order)).map_or("", OrderRecord::own_id), "billId": fill.trade.to_string(), "tag": "",
        "fillPx": symbol.price(fill.price), "fillSz": size(section, fill.symbol, fill.qty.0),
        "side": if fill.buys { "buy" } else { "sell" }, "posSide": "net",
        "execType": if fill.maker { "M" } else { "T" }, "feeCcy": symbol.instrument.quote,
        "fee": money(-fill.fee), "fillPnl": money(fill.realised),
        "ts": fill.time_ms.to_string(), "fillTime": fill.time_ms.to_string(),
    })
}

/// All balances of a member.
pub fn account(venue: &Venue, member: usize) -> Value {
    let now = venue.now_ms().to_string();
    let accounts = venue.members[member].accounts;
    let mut names: Vec<&String> = Vec::new();
    for section in &venue.sections {
        names.extend(section.exchange.accounts().currencies());
    }
    names.sort();
    names.dedup();
    let details: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let (mut cash, mut frozen, mut unrealised) = (0, 0, 0);
            for (section, account) in venue.sections.iter().zip(accounts) {
                let balance = section.exchange.accounts().balance(account, name);
                cash += balance.wallet.0;
                frozen += balance.locked.0 + balance.margin.0;
                unrealised += balance.unrealised.0;
            }
            let (equity, free) = (money(cash + unrealised), money(cash + unrealised - frozen));
            json!({
                "ccy": name, "eq": equity, "cashBal": money(cash), "uTime": now,
                "availEq": free, "availBal": free, "frozenBal": money(frozen),
                "ordFrozen": money(frozen), "upl": money(unrealised), "eqUsd": equity,
                "liab": "0", "interest": "0", "disEq": equity,
            })
        })
        .collect();
    json!({
        "uTime": now, "totalEq": details.last().map_or("0", |d| d["eq"].as_str().unwrap_or("0")),
        "adjEq": "", "isoEq": "0", "ordFroz": "", "imr": "", "mmr": "", "mgnRatio": "",
        "notionalUsd": "", "details": details,
    })
}

/// Positions of a member that are not flat, and those of `also`.
pub fn positions(venue: &Venue, member: usize, also: Option<usize>) -> Vec<Value> {
    let section = &venue.sections[Product::Usdm as usize];
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let accounts = section.exchange.accounts();
    (0..section.desk.symbols.len())
        .filter(|at| {
            accounts.position(account, InstrumentId(*at as u16)).0 != 0 || also == Some(*at)
        })
        .map(|at| {
            let (symbol, id) = (&section.desk.symbols[at], InstrumentId(at as u16));
            let ledger = accounts.ledger(account);
            let position = ledger.and_then(|l| l.position(0, id)).copied().unwrap_or_default();
            let entry = position.entry_price(section.market(at).contract()).unwrap_or(0.0);
            let now = venue.now_ms().to_string();
            json!({
                "instType": "SWAP", "instId": symbol.instrument.symbol, "mgnMode": "cross",
                "posId": format!("{}{at}", account.0), "posSide": "net",
                "pos": size(section, at, position.lots.0), "ccy": symbol.instrument.quote,
                "avgPx": if position.lots.0 == 0 { String::new() } else { fine_price(symbol, entry) },
                "upl": money(ledger.map_or(0, |l| l.unrealised(0, id).0)),
                "lever": accounts.leverage(account, id).unwrap_or(1).to_string(),
                "markPx": fine_price(symbol, section.mark(at)), "liqPx": "", "imr": "",
                "mmr": "", "margin": "", "adl": "1", "cTime": now, "uTime": now,
            })
        })
        .collect()
}
