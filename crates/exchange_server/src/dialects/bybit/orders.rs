//! Placing, changing and cancelling, by REST and by WebSocket alike.

use mainspring_core::order::{OrderFlags, OrderType, SelfTradePrevention, Side};
use mainspring_core::{Decimal, Lots, TimeInForce};
use mainspring_exchange::{AccountId, OrderId};
use serde_json::{json, Value};

use super::{product_of, Outcome, Refusal};
use crate::asking::{Asked, Size};
use crate::fields::Fields;
use crate::records::OrderRecord;
use crate::section::{Product, Section};
use crate::venue::Venue;

/// Most orders of a batch.
const MAX_BATCH: usize = 20;

/// What can be done with an order.
pub type Act = fn(&mut Venue, usize, Product, &Fields) -> Outcome<Value>;

/// Code, message, result and `retExtInfo`.
pub type Answered = (i64, String, Value, Value);

/// The action of a path or of a WebSocket's `op`, and whether it takes a list.
pub fn find(name: &str) -> Option<(Act, bool)> {
    Some(match name {
        "order/create" | "order.create" => (place, false),
        "order/amend" | "order.amend" => (amend, false),
        "order/cancel" | "order.cancel" => (cancel, false),
        "order/create-batch" | "order.create-batch" => (place, true),
        "order/amend-batch" | "order.amend-batch" => (amend, true),
        "order/cancel-batch" | "order.cancel-batch" => (cancel, true),
        _ => return None,
    })
}

/// Carries an action out.
pub fn run(
    venue: &mut Venue,
    member: usize,
    (act, is_list): (Act, bool),
    body: &Value,
) -> Outcome<Answered> {
    let product = product_of(body["category"].as_str().unwrap_or_default())?;
    let (key, now_ms) = (venue.members[member].key.clone(), venue.now_ms());
    let list = body["request"].as_array().filter(|_| is_list);
    let count = list.map_or(1, Vec::len);
    venue.usage.take_orders(&venue.limits, product, &key, count as u32, now_ms)?;
    let Some(list) = list else {
        let result = act(venue, member, product, &Fields::of(body))?;
        return Ok((0, "OK".to_owned(), result, json!({})));
    };
    if list.len() > MAX_BATCH {
        return Err(Refusal::wrong("request: too many orders"));
    }
    let (mut results, mut outcomes) = (Vec::new(), Vec::new());
    for one in list {
        match act(venue, member, product, &Fields::of(one)) {
            Ok(mut result) => {
                result["category"] = super::category_of(product).into();
                result["symbol"] = one["symbol"].clone();
                results.push(result);
                outcomes.push(json!({"code": 0, "msg": "OK"}));
            }
            Err(refusal) => {
                let link = one["orderLinkId"].as_str().unwrap_or_default();
                results.push(json!({
                    "category": super::category_of(product), "symbol": one["symbol"],
                    "orderId": "", "orderLinkId": link,
                }));
                outcomes.push(json!({"code": refusal.code, "msg": refusal.message}));
            }
        }
    }
    Ok((0, "OK".to_owned(), json!({"list": results}), json!({"list": outcomes})))
}

fn account(venue: &Venue, member: usize, product: Product) -> AccountId {
    venue.members[member].accounts[product as usize]
}

fn decimal(fields: &Fields, name: &str) -> Outcome<Option<Decimal>> {
    fields.text(name).map(|text| text.parse().map_err(|_| Refusal::wrong(name))).transpose()
}

fn symbol(venue: &Venue, product: Product, fields: &Fields) -> Outcome<usize> {
    let name = fields.text("symbol").ok_or_else(|| Refusal::wrong("symbol"))?;
    Ok(venue.sections[product as usize].symbol(&name)?)
}

/// Time in force and flags by the venue's name.
fn life(name: Option<&str>) -> Outcome<(&'static str, TimeInForce, OrderFlags)> {
    let plain = OrderFlags::default();
    Ok(match name {
        None | Some("GTC") => ("GTC", TimeInForce::Gtc, plain),
        Some("IOC") => ("IOC", TimeInForce::Ioc, plain),
        Some("FOK") => ("FOK", TimeInForce::Fok, plain),
        Some("PostOnly") => ("PostOnly", TimeInForce::Gtc, OrderFlags::POST_ONLY),
        Some(_) => return Err(Refusal::wrong("timeInForce invalid")),
    })
}

fn prevention(fields: &Fields) -> Option<SelfTradePrevention> {
    Some(match fields.text("smpType").as_deref() {
        Some("CancelTaker") => SelfTradePrevention::CancelNewest,
        Some("CancelBoth") => SelfTradePrevention::CancelBoth,
        _ => SelfTradePrevention::CancelOldest,
    })
}

fn place(venue: &mut Venue, member: usize, product: Product, fields: &Fields) -> Outcome<Value> {
    let at = symbol(venue, product, fields)?;
    let side = match fields.text("side").as_deref() {
        Some("Buy") => Side::Buy,
        Some("Sell") => Side::Sell,
        _ => return Err(Refusal::wrong("side invalid")),
    };
    let is_limit = match fields.text("orderType").as_deref() {
        Some("Limit") => true,
        Some("Market") => false,
        _ => return Err(Refusal::wrong("orderType invalid")),
    };
    if fields.text("positionIdx").is_some_and(|index| index != "0") {
        return Err(Refusal::new(10_001, "position idx not match position mode"));
    }
    let (life_name, time_in_force, mut flags) = life(fields.text("timeInForce").as_deref())?;
    if fields.flag("reduceOnly") && product == Product::Usdm {
        flags = flags.with(OrderFlags::REDUCE_ONLY);
    }
    let size = decimal(fields, "qty")?.ok_or_else(|| Refusal::wrong("qty"))?;
    let trigger = decimal(fields, "triggerPrice")?;
    let price = decimal(fields, "price")?.filter(|_| is_limit);
    if is_limit && price.is_none() {
        return Err(Refusal::wrong("price"));
    }
    let section = &venue.sections[product as usize];
    let rises = match (trigger, fields.parsed::<u8>("triggerDirection")) {
        (Some(_), Some(direction)) => direction == 1,
        (Some(trigger), None) => {
            let tick = section.desk.symbols[at].instrument.tick().to_f64();
            trigger.to_f64() > section.mark(at) * tick
        }
        (None, _) => false,
    };
    let order_type = match (trigger.is_some(), is_limit, (side == Side::Buy) == rises) {
        (false, true, _) => OrderType::Limit,
        (false, false, _) => OrderType::Market,
        (true, false, true) => OrderType::Stop,
        (true, true, true) => OrderType::StopLimit,
        (true, false, false) => OrderType::TakeProfit,
        (true, true, false) => {
            return Err(Refusal::wrong("take profits with a limit are not simulated"));
        }
    };
    // Market orders that buy spot are sized in quote unless they say otherwise.
    let by_quote = product == Product::Spot
        && !is_limit
        && match fields.text("marketUnit").as_deref() {
            Some("baseCoin") => false,
            Some("quoteCoin") => true,
            _ => side == Side::Buy,
        };
    let lot = section.desk.symbols[at].instrument.lot;
    let client_id = fields.text("orderLinkId").unwrap_or_default();
    if client_id.len() > 36 {
        return Err(Refusal::wrong("orderLinkId is too long"));
    }
    let asked = Asked {
        account: account(venue, member, product),
        symbol: at,
        side,
        order_type,
        time_in_force: if is_limit { time_in_force } else { TimeInForce::Ioc },
        flags,
        price,
        size: if by_quote { Size::Quote(size) } else { Size::Steps(size, lot) },
        trigger,
        expire_ns: 0,
        self_trade: prevention(fields),
        client_id: client_id.clone(),
        names: (if is_limit { "Limit" } else { "Market" }, life_name),
    };
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let refused = |reason| Refusal::of_reject(reason, product);
    let placement = asked.placed(section).map_err(refused)?;
    let id = section.place(placement, now).map_err(refused)?;
    Ok(json!({"orderId": id.0.to_string(), "orderLinkId": client_id}))
}

/// The order that fields name.
pub fn named<'a>(
    section: &'a Section,
    account: AccountId,
    fields: &Fields,
) -> Outcome<&'a OrderRecord> {
    let (id, link) = (fields.parsed("orderId"), fields.text("orderLinkId"));
    if id.is_none() && link.is_none() {
        return Err(Refusal::wrong("OrderId or orderLinkId is required"));
    }
    let gone = || {
        let reason = mainspring_core::order::RejectReason::UnknownOrder;
        Refusal::of_reject(reason, section.desk.product)
    };
    section.desk.records.find(account, id, link.as_deref()).ok_or_else(gone)
}

fn ids(section: &Section, id: OrderId) -> Value {
    let link = section.desk.records.get(id).map_or("", OrderRecord::own_id);
    json!({"orderId": id.0.to_string(), "orderLinkId": link})
}

fn cancel(venue: &mut Venue, member: usize, product: Product, fields: &Fields) -> Outcome<Value> {
    symbol(venue, product, fields)?;
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let id = named(section, account, fields)?.id;
    section.cancel(account, id, now).map_err(|reason| Refusal::of_reject(reason, product))?;
    Ok(ids(section, id))
}

fn amend(venue: &mut Venue, member: usize, product: Product, fields: &Fields) -> Outcome<Value> {
    let at = symbol(venue, product, fields)?;
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let order = named(section, account, fields)?;
    let (id, mut terms) = (order.id, order.terms);
    let one = &section.desk.symbols[at].instrument;
    let (price, qty) = (decimal(fields, "price")?, decimal(fields, "qty")?);
    if let Some(price) = price {
        let ticks = price.count_of(one.tick()).filter(|ticks| *ticks > 0);
        terms.price.0 = ticks.ok_or_else(|| Refusal::wrong("price"))?;
    }
    if let Some(qty) = qty {
        terms.qty = Lots(qty.count_of(one.lot).ok_or_else(|| Refusal::wrong("qty"))?);
    }
    if (terms.price, terms.qty) == (order.terms.price, order.terms.qty) {
        return Err(Refusal::new(10_001, "order not modified"));
    }
    section
        .amend(account, id, (terms.price, terms.qty), now)
        .map_err(|reason| Refusal::of_reject(reason, product))?;
    Ok(ids(section, id))
}

/// `order/cancel-all`.
pub fn cancel_all(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Value> {
    let product = product_of(&fields.text("category").unwrap_or_default())?;
    let only = match fields.text("symbol") {
        Some(_) => Some(symbol(venue, product, fields)?),
        None => None,
    };
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let count = section.desk.symbols.len();
    let wanted = (0..count).filter(|at| only.is_none_or(|only| only == *at));
    let cancelled: Vec<OrderId> =
        wanted.flat_map(|at| section.cancel_all(account, at, now)).collect();
    let list: Vec<Value> = cancelled.into_iter().map(|id| ids(section, id)).collect();
    Ok(json!({"list": list, "success": "1"}))
}
