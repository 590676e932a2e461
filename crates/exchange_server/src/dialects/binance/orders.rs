//! Placing, changing, cancelling and asking for orders.

use mainspring_core::Lots;
use mainspring_exchange::{AccountId, OrderId};
use serde_json::{json, Value};

use super::error::{Outcome, Refusal};
use super::params::Params;
use super::render;
use super::terms::{placement, price_of};
use crate::records::OrderRecord;
use crate::section::{Product, Section};
use crate::venue::Venue;

fn account(venue: &Venue, product: Product, member: Option<usize>) -> Outcome<AccountId> {
    let member = member.and_then(|at| venue.members.get(at));
    let member = member.ok_or_else(|| Refusal::with_status(401, -2015, "Invalid API-key."))?;
    Ok(member.accounts[product as usize])
}

/// Whether the order is a conditional one of USD-M, which has endpoints of its own.
fn is_algo(section: &Section, order: &OrderRecord) -> bool {
    section.desk.product == Product::Usdm && order.is_armed
}

fn shown(section: &Section, id: OrderId) -> Outcome<Value> {
    let order = section.desk.records.get(id).ok_or_else(unknown)?;
    Ok(render::order(section.desk.product, &section.desk.symbols[order.symbol], order))
}

fn unknown() -> Refusal {
    Refusal::new(-2013, "Order does not exist.")
}

fn unsent() -> Refusal {
    Refusal::new(-2011, "Unknown order sent.")
}

/// The order a request names by `orderId` or `origClientOrderId`.
fn named<'a>(
    section: &'a Section,
    account: AccountId,
    params: &Params,
    otherwise: fn() -> Refusal,
) -> Outcome<&'a OrderRecord> {
    let symbol = section.symbol(params.need("symbol")?)?;
    let (id, client_id) = (params.integer("orderId")?, params.get("origClientOrderId"));
    if id.is_none() && client_id.is_none() {
        return Err(Refusal::new(
            -1102,
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
        ));
    }
    let found = section.desk.records.find(account, id, client_id);
    found.filter(|order| order.symbol == symbol).ok_or_else(otherwise)
}

/// `POST order`.
pub fn place(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let asked = placement(section, account, params, false)?;
    let default = match (product, asked.type_name) {
        (Product::Spot, "LIMIT" | "MARKET") => "FULL",
        (Product::Spot, _) | (Product::Usdm, _) => "ACK",
    };
    let kind = params.get("newOrderRespType").unwrap_or(default).to_owned();
    let id = section.place(asked, now).map_err(|e| Refusal::of_reject(e, product))?;
    let order = section.desk.records.get(id).ok_or_else(unknown)?;
    Ok(match product {
        Product::Spot => render::spot_placed(section, order, &kind),
        Product::Usdm => render::order(product, &section.desk.symbols[order.symbol], order),
    })
}

/// `POST order/test`: checked, not placed.
pub fn test(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    placement(&venue.sections[product as usize], account, params, false)?;
    Ok(json!({}))
}

/// `POST batchOrders`: each order for itself, in turn.
pub fn place_batch(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let list: Vec<serde_json::Map<String, Value>> =
        serde_json::from_str(params.need("batchOrders")?)
            .map_err(|_| Refusal::illegal("batchOrders"))?;
    if list.len() > 5 {
        return Err(Refusal::new(-4082, "Invalid number of batch place orders."));
    }
    let mut answers = Vec::with_capacity(list.len());
    for order in list {
        let mut one = Params::default();
        for (name, value) in order {
            one.push(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        answers.push(match place(venue, product, member, &one) {
            Ok(placed) => placed,
            Err(refusal) => json!({"code": refusal.code, "msg": refusal.message}),
        });
    }
    Ok(answers.into())
}

/// `GET order`.
pub fn query(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let section = &venue.sections[product as usize];
    let order = named(section, account, params, unknown)?;
    if is_algo(section, order) {
        return Err(unknown());
    }
    shown(section, order.id)
}

/// `DELETE order`.
pub fn cancel(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let order = named(section, account, params, unsent)?;
    let (id, is_open) = (order.id, order.status.is_open());
    if !is_open || is_algo(section, order) {
        return Err(unsent());
    }
    section.cancel(account, id, now).map_err(|_| unsent())?;
    let mut answer = shown(section, id)?;
    if product == Product::Spot {
        // The venue names the cancelled order in one field and the cancel itself in the other.
        answer["origClientOrderId"] = answer["clientOrderId"].clone();
        let own = params.get("newClientOrderId").map(str::to_owned);
        answer["clientOrderId"] = own.unwrap_or_else(|| format!("cancel-{}", id.0)).into();
        answer["transactTime"] = answer["updateTime"].clone();
    }
    Ok(answer)
}

/// `DELETE batchOrders`.
pub fn cancel_batch(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let symbol = params.need("symbol")?.to_owned();
    let by_id = params.get("orderIdList").map(|list| (list, "orderId"));
    let by_client = params.get("origClientOrderIdList").map(|list| (list, "origClientOrderId"));
    let (list, name) = by_id.or(by_client).ok_or_else(|| Refusal::missing("orderIdList"))?;
    let list: Vec<Value> = serde_json::from_str(list).map_err(|_| Refusal::illegal(name))?;
    let mut answers = Vec::with_capacity(list.len());
    for value in list {
        let mut one = Params::default();
        one.push("symbol", symbol.as_str());
        one.push(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        answers.push(match cancel(venue, product, member, &one) {
            Ok(cancelled) => cancelled,
            Err(refusal) => json!({"code": refusal.code, "msg": refusal.message}),
        });
    }
    Ok(answers.into())
}

/// `DELETE openOrders` and `DELETE allOpenOrders`.
pub fn cancel_all(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let symbol = section.symbol(params.need("symbol")?)?;
    if product == Product::Usdm {
        let ids: Vec<OrderId> = section
            .desk
            .records
            .open_of(account)
            .filter(|order| order.symbol == symbol && !order.is_armed)
            .map(|order| order.id)
            .collect();
        for id in ids {
            // One that has ended meanwhile needs no cancel.
            let _ = section.cancel(account, id, now);
        }
        return Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}));
    }
    let cancelled = section.cancel_all(account, symbol, now);
    if cancelled.is_empty() {
        return Err(unsent());
    }
    cancelled.into_iter().map(|id| shown(section, id)).collect()
}

/// `POST order/cancelReplace`.
pub fn cancel_replace(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let mode = params.need("cancelReplaceMode")?;
    let mut of_cancel = Params::default();
    of_cancel.push("symbol", params.need("symbol")?);
    let named = [
        ("cancelOrderId", "orderId"),
        ("cancelOrigClientOrderId", "origClientOrderId"),
        ("cancelNewClientOrderId", "newClientOrderId"),
    ];
    for (from, to) in named {
        if let Some(value) = params.get(from) {
            of_cancel.push(to, value);
        }
    }
    let cancelled = cancel(venue, product, member, &of_cancel);
    let attempted = cancelled.is_ok() || mode == "ALLOW_FAILURE";
    let placed = if attempted { Some(place(venue, product, member, params)) } else { None };
    let result = |is_ok: bool| if is_ok { "SUCCESS" } else { "FAILURE" };
    let shown = |outcome: &Outcome<Value>| match outcome {
        Ok(value) => value.clone(),
        Err(refusal) => json!({"code": refusal.code, "msg": refusal.message}),
    };
    let body = json!({
        "cancelResult": result(cancelled.is_ok()),
        "newOrderResult": placed.as_ref().map_or("NOT_ATTEMPTED", |p| result(p.is_ok())),
        "cancelResponse": shown(&cancelled),
        "newOrderResponse": placed.as_ref().map(shown),
    });
    let (is_cancelled, is_placed) = (cancelled.is_ok(), matches!(placed, Some(Ok(_))));
    if is_cancelled && is_placed {
        return Ok(body);
    }
    let (status, code, message) = if is_cancelled || is_placed {
        (409, -2021, "Order cancel-replace partially failed.")
    } else {
        (400, -2022, "Order cancel-replace failed.")
    };
    let whole = json!({"code": code, "msg": message, "data": body});
    Err(Refusal { body: Some(whole.to_string()), ..Refusal::with_status(status, code, message) })
}

/// `PUT order/amend/keepPriority`: less of an order, in its place.
pub fn amend_keep(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let order = named(section, account, params, unknown)?;
    let (id, price, before) = (order.id, order.terms.price, order.terms.qty);
    let lot = section.desk.symbols[order.symbol].instrument.lot;
    let qty = params.decimal("newQty")?.ok_or_else(|| Refusal::missing("newQty"))?;
    let qty = qty.count_of(lot).ok_or_else(|| Refusal::filter("LOT_SIZE"))?;
    if !order.status.is_open() || qty <= order.filled.0 || qty >= before.0 {
        let message = "The requested action would change no state; rejecting.";
        return Err(Refusal::new(-2038, message));
    }
    section
        .amend(account, id, (price, Lots(qty)), now)
        .map_err(|e| Refusal::of_reject(e, product))?;
    let order = section.desk.records.get(id).ok_or_else(unknown)?;
    let whole = shown(section, id)?;
    Ok(json!({
        "transactTime": order.update_ms, "executionId": order.update_ms,
        "amendedOrder": {
            "symbol": whole["symbol"], "orderId": id.0, "orderListId": -1,
            "origClientOrderId": whole["clientOrderId"], "clientOrderId": whole["clientOrderId"],
            "price": whole["price"], "qty": whole["origQty"], "executedQty": whole["executedQty"],
            "preventedQty": "0.00000000", "quoteOrderQty": "0.00000000",
            "cumulativeQuoteQty": whole["cummulativeQuoteQty"], "status": whole["status"],
            "timeInForce": whole["timeInForce"], "type": whole["type"], "side": whole["side"],
            "workingTime": whole["workingTime"],
            "selfTradePreventionMode": whole["selfTradePreventionMode"],
        },
    }))
}

/// `PUT /fapi/v1/order`: new price and quantity.
pub fn modify(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let order = named(section, account, params, unknown)?;
    let (id, is_open) = (order.id, order.status.is_open());
    let symbol = &section.desk.symbols[order.symbol];
    let price = price_of(product, symbol, "price", params)?;
    let qty = params.decimal("quantity")?.ok_or_else(|| Refusal::missing("quantity"))?;
    let qty = qty.count_of(symbol.instrument.lot).ok_or_else(|| {
        Refusal::new(-1111, "Precision is over the maximum defined for this asset.")
    })?;
    if !is_open || is_algo(section, order) {
        return Err(unknown());
    }
    if (order.terms.price, order.terms.qty) == (price, Lots(qty)) {
        return Err(Refusal::new(-5027, "No need to modify the order."));
    }
    section
        .amend(account, id, (price, Lots(qty)), now)
        .map_err(|e| Refusal::of_reject(e, product))?;
    shown(section, id)
}

/// `GET openOrders`.
pub fn open(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    open_where(venue, product, member, params, |section, order| !is_algo(section, order))
}

fn open_where(
    venue: &Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
    wanted: fn(&Section, &OrderRecord) -> bool,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let section = &venue.sections[product as usize];
    let symbol = params.get("symbol").map(|name| section.symbol(name)).transpose()?;
    let orders = section.desk.records.open_of(account);
    let orders = orders.filter(|order| symbol.is_none_or(|symbol| order.symbol == symbol));
    let orders = orders.filter(|order| wanted(section, order));
    Ok(orders
        .map(|order| {
            let symbol = &section.desk.symbols[order.symbol];
            if is_algo(section, order) {
                algo(section, order)
            } else {
                render::order(product, symbol, order)
            }
        })
        .collect())
}

/// `GET allOrders`.
pub fn all(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let section = &venue.sections[product as usize];
    let symbol = section.symbol(params.need("symbol")?)?;
    let from = params.integer("orderId")?.unwrap_or(0).max(0) as u64;
    let start = params.integer("startTime")?.unwrap_or(0);
    let end = params.integer("endTime")?.unwrap_or(i64::MAX);
    let limit = params.integer("limit")?.unwrap_or(500).clamp(1, 1_000) as usize;
    let wanted: Vec<&OrderRecord> = section
        .desk
        .records
        .all_of(account)
        .into_iter()
        .filter(|order| order.symbol == symbol && order.id.0 >= from)
        .filter(|order| (start..=end).contains(&order.time_ms) && !is_algo(section, order))
        .collect();
    let skipped = if from > 0 || start > 0 { 0 } else { wanted.len().saturating_sub(limit) };
    let symbol = &section.desk.symbols[symbol];
    let chosen = wanted.into_iter().skip(skipped).take(limit);
    Ok(chosen.map(|order| render::order(product, symbol, order)).collect())
}

/// `GET myTrades` and `GET userTrades`.
pub fn fills(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let section = &venue.sections[product as usize];
    let symbol = section.symbol(params.need("symbol")?)?;
    let order = params.integer("orderId")?;
    let from = params.integer("fromId")?.unwrap_or(0).max(0) as u64;
    let start = params.integer("startTime")?.unwrap_or(0);
    let end = params.integer("endTime")?.unwrap_or(i64::MAX);
    let limit = params.integer("limit")?.unwrap_or(500).clamp(1, 1_000) as usize;
    let wanted: Vec<_> = section
        .desk
        .records
        .fills_of(account)
        .filter(|fill| fill.symbol == symbol && fill.trade >= from)
        .filter(|fill| order.is_none_or(|order| fill.order.0 as i64 == order))
        .filter(|fill| (start..=end).contains(&fill.time_ms))
        .collect();
    let skipped = if from > 0 || start > 0 { 0 } else { wanted.len().saturating_sub(limit) };
    let known = &section.desk.symbols[symbol];
    let chosen = wanted.into_iter().skip(skipped).take(limit);
    Ok(chosen.map(|fill| render::fill(product, known, fill)).collect())
}

/// `POST /fapi/v1/countdownCancelAll`.
pub fn countdown(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let name = params.need("symbol")?;
    let symbol = venue.sections[product as usize].symbol(name)?;
    let wait = params.integer("countdownTime")?;
    let wait = wait.ok_or_else(|| Refusal::missing("countdownTime"))?;
    let at_ms = venue.now_ms().saturating_add(wait);
    let member = member.ok_or_else(unsent)?;
    venue.set_countdown(member, product, symbol, Some(at_ms).filter(|_| wait > 0));
    Ok(json!({"symbol": name, "countdownTime": wait.to_string()}))
}

/// A conditional order of USD-M.
fn algo(section: &Section, order: &OrderRecord) -> Value {
    let symbol = &section.desk.symbols[order.symbol];
    let whole = render::order(Product::Usdm, symbol, order);
    let status = match (order.status.is_open(), order.is_armed) {
        (true, true) => "NEW",
        (true, false) => "TRIGGERED",
        (false, _) if order.filled.0 > 0 => "FINISHED",
        (false, _) => order.status.name(),
    };
    json!({
        "algoId": order.id.0, "clientAlgoId": order.client_id, "algoType": "CONDITIONAL",
        "orderType": order.type_name, "type": order.type_name, "symbol": whole["symbol"],
        "side": whole["side"], "positionSide": "BOTH", "timeInForce": order.time_in_force,
        "quantity": whole["origQty"], "algoStatus": status, "triggerPrice": whole["stopPrice"],
        "price": whole["price"], "workingType": order.working_type, "priceMatch": "NONE",
        "actualOrderId": if order.is_armed { json!("") } else { json!(order.id.0.to_string()) },
        "closePosition": false, "priceProtect": false, "reduceOnly": whole["reduceOnly"],
        "selfTradePreventionMode": order.self_trade, "createTime": order.time_ms,
        "updateTime": order.update_ms, "triggerTime": 0, "goodTillDate": 0,
    })
}

/// `POST /fapi/v1/algoOrder`.
pub fn place_algo(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    if params.need("algoType")? != "CONDITIONAL" {
        return Err(Refusal::new(-1100, "Illegal characters found in parameter 'algoType'."));
    }
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let asked = placement(section, account, params, true)?;
    let id = section.place(asked, now).map_err(|e| Refusal::of_reject(e, product))?;
    Ok(algo(section, section.desk.records.get(id).ok_or_else(unknown)?))
}

fn named_algo<'a>(
    section: &'a Section,
    account: AccountId,
    params: &Params,
) -> Outcome<&'a OrderRecord> {
    let (id, client_id) = (params.integer("algoId")?, params.get("clientAlgoId"));
    section.desk.records.find(account, id, client_id).ok_or_else(unknown)
}

/// `GET /fapi/v1/algoOrder`.
pub fn query_algo(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let section = &venue.sections[product as usize];
    Ok(algo(section, named_algo(section, account, params)?))
}

/// `DELETE /fapi/v1/algoOrder`.
pub fn cancel_algo(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let order = named_algo(section, account, params)?;
    let (id, client_id) = (order.id, order.client_id.clone());
    section.cancel(account, id, now).map_err(|_| unsent())?;
    Ok(json!({"algoId": id.0, "clientAlgoId": client_id, "code": "200", "msg": "success"}))
}

/// `GET /fapi/v1/openAlgoOrders`.
pub fn open_algo(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    open_where(venue, product, member, params, is_algo)
}

/// `DELETE /fapi/v1/algoOpenOrders`.
pub fn cancel_all_algo(
    venue: &mut Venue,
    product: Product,
    member: Option<usize>,
    params: &Params,
) -> Outcome<Value> {
    let account = account(venue, product, member)?;
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let symbol = section.symbol(params.need("symbol")?)?;
    let ids: Vec<OrderId> = section
        .desk
        .records
        .open_of(account)
        .filter(|order| order.symbol == symbol && order.is_armed)
        .map(|order| order.id)
        .collect();
    for id in ids {
        // One that has ended meanwhile needs no cancel.
        let _ = section.cancel(account, id, now);
    }
    Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
}
