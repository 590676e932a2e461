//! `/exchange`: signed actions.

use mainspring_core::order::{OrderFlags, OrderType, RejectReason, SelfTradePrevention, Side};
use mainspring_core::{Decimal, InstrumentId, TimeInForce};
use mainspring_exchange::AccountId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{json, Value};

use super::info::named;
use super::proof::{signers, Signed};
use super::{member_of, perpetuals};
use crate::asking::{Asked, Size};
use crate::records::Status;
use crate::section::Product;
use crate::text::average_price;
use crate::venue::Venue;

/// Nonces must be within two days before the venue's time and one after it.
const OLDEST_NONCE_MS: i64 = 2 * 86_400_000;
const NEWEST_NONCE_MS: i64 = 86_400_000;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    action: &'a RawValue,
    nonce: u64,
    signature: Value,
    #[serde(rename = "vaultAddress", default)]
    vault: Option<String>,
    #[serde(rename = "expiresAfter", default)]
    expires: Option<u64>,
}

/// Whether an action, in a body or a message, places, changes or cancels orders.
pub fn is_order(text: &str) -> bool {
    let kinds = ["order", "cancel", "cancelByCloid", "modify", "batchModify"];
    let text = text.replace(' ', "");
    kinds.iter().any(|kind| text.contains(&format!("\"type\":\"{kind}\"")))
}

/// Answers an action; what is none has no answer.
pub fn answer(venue: &mut Venue, body: &str) -> Option<Value> {
    let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
    let refused = |text: String| Some(json!({"status": "err", "response": text}));
    let member = match prove(venue, &envelope) {
        Ok(member) => member,
        Err(text) => return refused(text),
    };
    let action: Value = serde_json::from_str(envelope.action.get()).ok()?;
    match carry_out(venue, member, &action)? {
        Ok(response) => Some(json!({"status": "ok", "response": response})),
        Err(text) => refused(text),
    }
}

fn prove(venue: &mut Venue, envelope: &Envelope<'_>) -> Result<usize, String> {
    let signed = Signed {
        nonce: envelope.nonce,
        vault: envelope.vault.as_deref(),
        expires: envelope.expires,
    };
    let found = signers(envelope.action.get(), &signed, &envelope.signature);
    let member = found.iter().find_map(|address| member_of(venue, address));
    let Some(member) = member else {
        let who = found.first().map_or("0x0", String::as_str);
        return Err(format!("User or API Wallet {who} does not exist."));
    };
    let now_ms = venue.now_ms();
    if envelope.expires.is_some_and(|expires| (expires as i64) < now_ms) {
        return Err("Action expired".to_owned());
    }
    let nonce = envelope.nonce as i64;
    if !(now_ms - OLDEST_NONCE_MS..=now_ms + NEWEST_NONCE_MS).contains(&nonce) {
        return Err(format!("Invalid nonce: {nonce} is too far from {now_ms}"));
    }
    if !venue.members[member].take_nonce(envelope.nonce) {
        return Err(format!("Invalid nonce: duplicate nonce {nonce}"));
    }
    Ok(member)
}

/// Either what is answered, or the text of a refusal; nothing for what is no action.
fn carry_out(venue: &mut Venue, member: usize, action: &Value) -> Option<Result<Value, String>> {
    let account = venue.members[member].accounts[Product::Usdm as usize];
    let each = |name: &str| action[name].as_array().cloned();
    let statuses =
        |kind: &str, list: Vec<Value>| Some(Ok(json!({"type": kind, "data": {"statuses": list}})));
    match action["type"].as_str()? {
        "order" => {
            let orders = each("orders")?;
            if let Err(text) = take_orders(venue, member, orders.len()) {
                return Some(Err(text));
            }
            let placed = orders.iter().map(|one| place(venue, account, one)).collect();
            statuses("order", placed)
        }
        "cancel" | "cancelByCloid" => {
            let cancelled = each("cancels")?
                .iter()
                .map(|one| {
                    let asset = if one["a"].is_null() { &one["asset"] } else { &one["a"] };
                    let id = if one["o"].is_null() { &one["cloid"] } else { &one["o"] };
                    cancel(venue, account, asset, id)
                })
                .collect();
            statuses("cancel", cancelled)
        }
        "modify" => {
            let status = modify(venue, account, action);
            match status["error"].as_str() {
                Some(text) => Some(Err(text.to_owned())),
                None => Some(Ok(json!({"type": "default"}))),
            }
        }
        "batchModify" => {
            let modified =
                each("modifies")?.iter().map(|one| modify(venue, account, one)).collect();
            statuses("order", modified)
        }
        "updateLeverage" => Some(set_leverage(venue, account, action)),
        "scheduleCancel" => Some(schedule(venue, member, action["time"].as_i64())),
        "noop" => Some(Ok(json!({"type": "default"}))),
        other => Some(Err(format!("{other} is not simulated"))),
    }
}

fn take_orders(venue: &mut Venue, member: usize, count: usize) -> Result<(), String> {
    let (key, now_ms) = (venue.members[member].key.clone(), venue.now_ms());
    let taken = venue.usage.take_orders(&venue.limits, Product::Usdm, &key, count as u32, now_ms);
    taken.map(drop).map_err(|_| "Too many cumulative requests sent".to_owned())
}

fn error(text: impl Into<String>) -> Value {
    json!({"error": text.into()})
}

fn words(reason: RejectReason, asset: usize) -> String {
    let text = match reason {
        RejectReason::PostOnlyWouldTake => "Post only order would have immediately matched",
        RejectReason::ReduceOnlyWouldIncrease => "Reduce only order would increase position.",
        RejectReason::PriceOffGrid => "Price must be divisible by tick size.",
        RejectReason::BadQuantity => "Order has invalid size.",
        RejectReason::BelowMinNotional => "Order must have minimum value of $10.",
        RejectReason::InsufficientMargin => "Insufficient margin to place order.",
        RejectReason::WouldTriggerImmediately => "Invalid TP/SL price.",
        RejectReason::Halted => "Trading is halted.",
        RejectReason::NoLiquidity => {
            "Order could not immediately match against any resting orders."
        }
        RejectReason::UnknownOrder => "Order was never placed, already canceled, or filled.",
        RejectReason::DuplicateOrder => "Duplicate client order id.",
        _ => "Order was rejected.",
    };
    format!("{text} asset={asset}")
}

fn asked(venue: &Venue, account: AccountId, one: &Value) -> Result<Asked, String> {
    let section = perpetuals(venue);
    let asset = one["a"].as_u64().unwrap_or(u64::MAX) as usize;
    let symbol = section.desk.symbols.get(asset).ok_or("Invalid asset")?;
    let decimal = |value: &Value, what: &str| -> Result<Decimal, String> {
        let text = value.as_str().ok_or(format!("Order has invalid {what}."))?;
        text.parse().map_err(|_| format!("Order has invalid {what}."))
    };
    let (price, size) = (decimal(&one["p"], "price")?, decimal(&one["s"], "size")?);
    let mut flags = OrderFlags::default();
    if one["r"].as_bool() == Some(true) {
        flags = flags.with(OrderFlags::REDUCE_ONLY);
    }
    let side = if one["b"].as_bool() == Some(true) { Side::Buy } else { Side::Sell };
    let life = match one["t"]["limit"]["tif"].as_str() {
        Some("Ioc" | "FrontendMarket") => ("Ioc", TimeInForce::Ioc),
        Some("Alo") => {
            flags = flags.with(OrderFlags::POST_ONLY);
            ("Alo", TimeInForce::Gtc)
        }
        _ => ("Gtc", TimeInForce::Gtc),
    };
    let trigger = &one["t"]["trigger"];
    let (order_type, at) = if trigger.is_object() {
        let kind = match (trigger["tpsl"].as_str(), trigger["isMarket"].as_bool()) {
            (Some("sl"), Some(true)) => OrderType::Stop,
            (Some("sl"), _) => OrderType::StopLimit,
            (Some("tp"), Some(true)) => OrderType::TakeProfit,
            _ => return Err("Take profits with a limit are not simulated.".to_owned()),
        };
        (kind, Some(decimal(&trigger["triggerPx"], "trigger")?))
    } else {
        (OrderType::Limit, None)
    };
    Ok(Asked {
        account,
        symbol: asset,
        side,
        order_type,
        time_in_force: life.1,
        flags,
        price: Some(price)
            .filter(|_| matches!(order_type, OrderType::Limit | OrderType::StopLimit)),
        size: Size::Steps(size, symbol.instrument.lot),
        trigger: at,
        expire_ns: 0,
        self_trade: Some(SelfTradePrevention::CancelOldest),
        client_id: one["c"].as_str().unwrap_or_default().to_owned(),
        names: ("Limit", life.0),
    })
}

fn place(venue: &mut Venue, account: AccountId, one: &Value) -> Value {
    let asked = match asked(venue, account, one) {
        Ok(asked) => asked,
        Err(text) => return error(text),
    };
    let (asset, now) = (asked.symbol, venue.now_ns());
    let section = &mut venue.sections[Product::Usdm as usize];
    let placed = asked.placed(section).and_then(|placement| section.place(placement, now));
    let id = match placed {
        Ok(id) => id,
        Err(reason) => return error(words(reason, asset)),
    };
    let Some(order) = section.desk.records.get(id) else { return error("Order was rejected.") };
    let symbol = &section.desk.symbols[asset];
    let cloid = order.client_id.starts_with("0x").then_some(&order.client_id);
    match order.status {
        Status::New if order.is_armed => json!("waitingForTrigger"),
        Status::New | Status::PartiallyFilled => {
            let mut resting = json!({"oid": id.0});
            if let Some(cloid) = cloid {
                resting["cloid"] = cloid.clone().into();
            }
            json!({"resting": resting})
        }
        _ if order.filled.0 > 0 => {
            let mut filled = json!({
                "totalSz": symbol.qty(order.filled.0), "avgPx": average_price(symbol, order),
                "oid": id.0,
            });
            if let Some(cloid) = cloid {
                filled["cloid"] = cloid.clone().into();
            }
            json!({"filled": filled})
        }
        _ => error(words(RejectReason::NoLiquidity, asset)),
    }
}

fn cancel(venue: &mut Venue, account: AccountId, asset: &Value, id: &Value) -> Value {
    let asset = asset.as_u64().unwrap_or(u64::MAX) as usize;
    let now = venue.now_ns();
    let found = named(venue, account, id).filter(|order| order.symbol == asset).map(|o| o.id);
    let section = &mut venue.sections[Product::Usdm as usize];
    let done = found.ok_or(RejectReason::UnknownOrder);
    match done.and_then(|id| section.cancel(account, id, now)) {
        Ok(()) => json!("success"),
        Err(reason) => error(words(reason, asset)),
    }
}

/// The order that takes another's place: it is cancelled, and one with an id of its own comes.
fn modify(venue: &mut Venue, account: AccountId, one: &Value) -> Value {
    let now = venue.now_ns();
    let gone = "Cannot modify canceled or filled order";
    let Some(id) = named(venue, account, &one["oid"]).map(|order| order.id) else {
        return error(gone);
    };
    let asked = match asked(venue, account, &one["order"]) {
        Ok(asked) => asked,
        Err(text) => return error(text),
    };
    let section = &venue.sections[Product::Usdm as usize];
    if let Err(reason) = asked.clone().placed(section) {
        return error(words(reason, asked.symbol));
    }
    let section = &mut venue.sections[Product::Usdm as usize];
    if section.cancel(account, id, now).is_err() {
        return error(gone);
    }
    place(venue, account, &one["order"])
}

fn set_leverage(venue: &mut Venue, account: AccountId, action: &Value) -> Result<Value, String> {
    let asset = action["asset"].as_u64().unwrap_or(u64::MAX);
    let leverage = action["leverage"].as_u64().and_then(|l| u32::try_from(l).ok()).unwrap_or(0);
    if action["isCross"].as_bool() != Some(true) {
        return Err("Isolated margin is not simulated: margin is crossed.".to_owned());
    }
    let id = InstrumentId(u16::try_from(asset).map_err(|_| "Invalid asset".to_owned())?);
    let accounts = venue.sections[Product::Usdm as usize].exchange.accounts_mut();
    let set = accounts.set_leverage(account, id, leverage);
    set.map(|()| json!({"type": "default"})).map_err(|_| "Invalid leverage value".to_owned())
}

fn schedule(venue: &mut Venue, member: usize, at_ms: Option<i64>) -> Result<Value, String> {
    if at_ms.is_some_and(|at| at < venue.now_ms() + 5_000) {
        return Err(
            "Scheduled cancel time too early, must be at least 5 seconds from now.".to_owned()
        );
    }
    for symbol in 0..perpetuals(venue).desk.symbols.len() {
        venue.set_countdown(member, Product::Usdm, symbol, at_ms);
    }
    Ok(json!({"type": "default"}))
}
