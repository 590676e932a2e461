//! What is asked of the library.

use mainspring_core::{Lots, OrderFlags, OrderType, Side, TimeInForce};
use serde_json::{json, Value};

use super::{Abilities, Amends};
use crate::listing::Listing;
use crate::operation::{Amend, Operation, OrderKey, Place, UserStream};
use crate::outgoing::Method;
use crate::rules::has_limit_price;

/// A request: its word, its contents, and whether it may wait behind others.
pub(super) struct Ask {
    pub(super) word: &'static str,
    /// Cancels are deletions: they go before what else waits.
    pub(super) method: Method,
    pub(super) body: Value,
}

pub(super) fn of(operation: &Operation<'_>, can: &Abilities) -> Result<Ask, &'static str> {
    let ask = |word, body| Ok(Ask { word, method: Method::Post, body: with_word(word, body) });
    let delete = |word, body| Ok(Ask { word, method: Method::Delete, body: with_word(word, body) });
    match operation {
        Operation::Place(one) => ask("place", place(one, can)?),
        Operation::PlaceMany(many) => {
            let orders: Result<Vec<Value>, _> = many.iter().map(|one| place(one, can)).collect();
            ask("place_many", json!({"orders": orders?}))
        }
        Operation::Cancel(one) => delete("cancel", keyed(one.listing, one.order)),
        Operation::CancelMany(many) => {
            let orders: Vec<Value> = many.iter().map(|one| keyed(one.listing, one.order)).collect();
            delete("cancel_many", json!({"orders": orders}))
        }
        Operation::CancelAll(listing) if can.cancel_all => {
            delete("cancel_all", json!({"symbol": listing.symbol()}))
        }
        Operation::Countdown { timeout_ms, .. } if can.countdown => {
            ask("countdown", json!({"timeout_ms": timeout_ms}))
        }
        Operation::Amend(one) => ask("amend", amend(one, can)?),
        Operation::Query { listing, order } => ask("query", keyed(listing, *order)),
        Operation::OpenOrders(listing) => {
            ask("open_orders", json!({"symbol": listing.map(Listing::symbol)}))
        }
        Operation::Fills { listing, since_ms, .. } => {
            ask("fills", json!({"symbol": listing.symbol(), "since_ms": since_ms}))
        }
        Operation::Balances => ask("balances", json!({})),
        Operation::Positions(_) if can.positions => ask("positions", json!({})),
        Operation::PositionMode => ask("position_mode", json!({})),
        Operation::Fees(listing) => ask("fees", json!({"symbol": listing.symbol()})),
        Operation::Instruments => ask("instruments", json!({})),
        Operation::Time => ask("time", json!({})),
        Operation::UserStream(UserStream::Subscribe) => ask("listen", json!({"user": true})),
        Operation::UserStream(UserStream::Open) => ask("begin", json!({"user": true})),
        _ => Err("nothing of this kind goes through the library"),
    }
}

fn with_word(word: &str, mut body: Value) -> Value {
    body["do"] = json!(word);
    body
}

fn keyed(listing: &Listing, order: OrderKey<'_>) -> Value {
    match order {
        OrderKey::Client(client) => json!({"symbol": listing.symbol(), "client": client}),
        OrderKey::Venue(id) => json!({"symbol": listing.symbol(), "id": id}),
    }
}

fn place(one: &Place<'_>, can: &Abilities) -> Result<Value, &'static str> {
    let (terms, listing) = (&one.terms, one.listing);
    let at_market = !has_limit_price(terms.order_type);
    let as_limit = terms.order_type == OrderType::Market && !can.market_orders;
    let waits_for = match terms.order_type {
        OrderType::Stop | OrderType::StopLimit => Some("stop"),
        OrderType::TakeProfit => Some("profit"),
        _ => None,
    };
    let price = match (at_market, as_limit) {
        (false, _) => Some(terms.price),
        (true, true) => Some(one.worst.ok_or("no price is known yet for a market order")?),
        (true, false) => None,
    };
    let life = match terms.time_in_force {
        _ if as_limit => "IOC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::Gtc | TimeInForce::Gtd => "GTC",
    };
    Ok(json!({
        "symbol": listing.symbol(),
        "client": one.client,
        "type": if at_market && !as_limit { "market" } else { "limit" },
        "side": side(terms.side),
        "price": price.map(|price| listing.price_text(price)),
        "qty": listing.qty_text(terms.qty),
        "trigger": waits_for.map(|_| listing.price_text(terms.trigger)),
        "waits_for": waits_for,
        "life": life,
        "post_only": terms.flags.has(OrderFlags::POST_ONLY),
        "reduce_only": terms.flags.has(OrderFlags::REDUCE_ONLY),
    }))
}

fn amend(one: &Amend<'_>, can: &Abilities) -> Result<Value, &'static str> {
    let qty = match can.amends {
        Some(Amends::InPlace) => one.qty,
        // The order that takes its place has not traded.
        Some(Amends::Replaced) => Lots(one.qty.0 - one.filled.0),
        None => return Err("orders are not changed here: cancel and place another"),
    };
    let mut body = keyed(one.listing, one.order);
    body["new_client"] = json!(one.client);
    body["side"] = json!(side(one.side));
    body["price"] = json!(one.listing.price_text(one.price));
    body["qty"] = json!(one.listing.qty_text(qty));
    body["post_only"] = json!(one.terms.flags.has(OrderFlags::POST_ONLY));
    Ok(body)
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}
