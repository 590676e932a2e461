//! Orders, fills, books and positions as the venue shows them.

use mainspring_core::order::{CancelReason, OrderType, Side};
use mainspring_core::InstrumentId;
use serde_json::{json, Value};

use super::perpetuals;
use crate::records::{FillRecord, OrderRecord, Status};
use crate::section::{Product, Section};
use crate::tape::Print;
use crate::text::{fine_price, money};
use crate::venue::Venue;

/// Levels of a book.
pub const LEVELS: usize = 20;

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "A",
    }
}

/// The member's own id, or nothing.
fn own_id(order: &OrderRecord) -> Value {
    match order.client_id.starts_with("0x") {
        true => order.client_id.clone().into(),
        false => Value::Null,
    }
}

/// An order.
pub fn order(section: &Section, order: &OrderRecord) -> Value {
    let symbol = &section.desk.symbols[order.symbol];
    let left = if order.status == Status::Filled { 0 } else { order.terms.qty.0 - order.filled.0 };
    let kind = match order.terms.order_type {
        OrderType::Stop => "Stop Market",
        OrderType::StopLimit => "Stop Limit",
        OrderType::TakeProfit => "Take Profit Market",
        _ => "Limit",
    };
    json!({
        "coin": symbol.instrument.symbol, "side": side_name(order.terms.side),
        "limitPx": symbol.price(order.terms.price.0), "sz": symbol.qty(left), "oid": order.id.0,
        "timestamp": order.time_ms, "origSz": symbol.qty(order.terms.qty.0), "cloid": own_id(order),
        "orderType": kind, "tif": order.time_in_force, "isTrigger": order.is_armed,
        "triggerPx": symbol.price(order.terms.trigger.0), "triggerCondition": "N/A",
        "isPositionTpsl": false, "children": [],
        "reduceOnly": order.terms.flags.has(mainspring_core::OrderFlags::REDUCE_ONLY),
    })
}

/// The venue's word for where an order stands.
pub fn status_name(order: &OrderRecord) -> &'static str {
    match (order.status, order.ended) {
        (Status::New | Status::PartiallyFilled, _) => "open",
        (Status::Filled, _) => "filled",
        (_, Some(CancelReason::SelfTrade)) => "selfTradeCanceled",
        (_, Some(CancelReason::ReduceOnly)) => "reduceOnlyCanceled",
        (_, Some(CancelReason::Liquidation)) => "liquidatedCanceled",
        (_, Some(_)) => "canceled",
        (_, None) => "rejected",
    }
}

/// An order with where it stands.
pub fn update(section: &Section, of: &OrderRecord) -> Value {
    json!({
        "order": order(section, of), "status": status_name(of), "statusTimestamp": of.update_ms,
    })
}

/// A fill.
pub fn fill(section: &Section, fill: &FillRecord) -> Value {
    let symbol = &section.desk.symbols[fill.symbol];
    let known = section.desk.records.get(fill.order);
    let direction = match (known.is_some_and(OrderRecord::is_liquidation), fill.buys) {
        (true, true) => "Liquidated Cross Short",
        (true, false) => "Liquidated Cross Long",
        (false, true) => "Open Long",
        (false, false) => "Open Short",
    };
    json!({
        "coin": symbol.instrument.symbol, "px": symbol.price(fill.price),
        "sz": symbol.qty(fill.qty.0), "side": if fill.buys { "B" } else { "A" },
        "time": fill.time_ms, "startPosition": "0.0", "closedPnl": money(fill.realised),
        "dir": direction, "oid": fill.order.0,
        "hash": format!("0x{:064x}", fill.trade), "crossed": !fill.maker, "fee": money(fill.fee),
        "tid": fill.trade, "feeToken": "USDC", "cloid": known.map_or(Value::Null, own_id),
    })
}

/// A level: price, size and number of orders.
fn level(section: &Section, at: usize, (price, lots): (i64, i64)) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({"px": symbol.price(price), "sz": symbol.qty(lots), "n": 1})
}

/// A book.
pub fn book(section: &Section, at: usize, now_ms: i64) -> Value {
    let sides = section.sides(at, LEVELS);
    let levels = sides
        .map(|side| -> Value { side.into_iter().map(|one| level(section, at, one)).collect() });
    let coin = &section.desk.symbols[at].instrument.symbol;
    json!({"coin": coin, "time": now_ms, "levels": levels})
}

/// Best prices.
pub fn best(section: &Section, at: usize, best: [i64; 4], now_ms: i64) -> Value {
    let [bid, bid_lots, ask, ask_lots] = best;
    let coin = &section.desk.symbols[at].instrument.symbol;
    let both = [level(section, at, (bid, bid_lots)), level(section, at, (ask, ask_lots))];
    json!({"coin": coin, "time": now_ms, "bbo": both})
}

/// A public trade.
pub fn trade(section: &Section, at: usize, print: &Print) -> Value {
    let symbol = &section.desk.symbols[at];
    json!({
        "coin": symbol.instrument.symbol, "side": if print.buyer_is_maker { "A" } else { "B" },
        "px": symbol.price(print.price), "sz": symbol.qty(print.qty), "time": print.time_ms,
        "hash": format!("0x{:064x}", print.id), "tid": print.id,
        "users": ["0x0000000000000000000000000000000000000000", "0x0000000000000000000000000000000000000000"],
    })
}

/// What moves of an asset.
pub fn context(section: &Section, at: usize, now_ms: i64) -> Value {
    let symbol = &section.desk.symbols[at];
    let mark = fine_price(symbol, section.mark(at));
    let day = symbol.tape.day(now_ms);
    let before = day.as_ref().map_or_else(|| mark.clone(), |day| symbol.price(day.open));
    let volume =
        day.as_ref().map_or(0, |day| day.quote) * symbol.instrument.tick_value().unwrap_or(0);
    json!({
        "funding": "0.0000125", "openInterest": "0.0", "prevDayPx": before,
        "dayNtlVlm": money(volume), "premium": "0.0", "oraclePx": mark, "markPx": mark,
        "midPx": middle(section, at), "impactPxs": null, "dayBaseVlm": "0.0",
    })
}

/// The middle of the best prices.
pub fn middle(section: &Section, at: usize) -> String {
    let [bid, _, ask, _] = section.best(at).unwrap_or_default();
    let symbol = &section.desk.symbols[at];
    fine_price(symbol, (bid + ask) as f64 / 2.0)
}

/// Margin and positions of a member.
pub fn state(venue: &Venue, member: usize) -> Value {
    let section = perpetuals(venue);
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let accounts = section.exchange.accounts();
    let (mut value, mut used, mut free, mut maintenance, mut cash) = (0, 0, 0, 0, 0);
    for name in accounts.currencies().iter().filter(|name| *name == super::SETTLED) {
        let balance = accounts.balance(account, name);
        value += balance.equity().0;
        used += balance.margin.0;
        free += balance.available().0.max(0);
        maintenance += balance.maintenance.0;
        cash += balance.wallet.0;
    }
    let ledger = accounts.ledger(account);
    let positions: Vec<Value> = (0..section.desk.symbols.len())
        .filter(|at| accounts.position(account, InstrumentId(*at as u16)).0 != 0)
        .map(|at| {
            let (symbol, id) = (&section.desk.symbols[at], InstrumentId(at as u16));
            let held = ledger.and_then(|l| l.position(0, id)).copied().unwrap_or_default();
            let entry = held.entry_price(section.market(at).contract()).unwrap_or(0.0);
            let leverage = accounts.leverage(account, id).unwrap_or(1);
            let value = section.mark(at)
                * symbol.instrument.tick().to_f64()
                * held.lots.0.abs() as f64
                * symbol.instrument.lot.to_f64();
            json!({"type": "oneWay", "position": {
                "coin": symbol.instrument.symbol, "szi": symbol.qty(held.lots.0),
                "entryPx": fine_price(symbol, entry), "positionValue": format!("{value:.6}"),
                "unrealizedPnl": money(ledger.map_or(0, |l| l.unrealised(0, id).0)),
                "leverage": {"type": "cross", "value": leverage}, "maxLeverage": 50,
                "liquidationPx": null, "returnOnEquity": "0.0",
                "marginUsed": format!("{:.6}", value / f64::from(leverage.max(1))),
                "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
            }})
        })
        .collect();
    let summary = json!({
        "accountValue": money(value), "totalMarginUsed": money(used), "totalNtlPos": "0.0",
        "totalRawUsd": money(cash),
    });
    json!({
        "marginSummary": summary, "crossMarginSummary": summary, "withdrawable": money(free),
        "crossMaintenanceMarginUsed": money(maintenance), "assetPositions": positions,
        "time": venue.now_ms(),
    })
}
