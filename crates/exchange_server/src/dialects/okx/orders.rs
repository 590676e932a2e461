//! Placing, changing and cancelling, by REST and by WebSocket alike.

use mainspring_core::order::{OrderFlags, OrderType, SelfTradePrevention, Side};
use mainspring_core::{Decimal, Lots, Ticks, TimeInForce};
use mainspring_exchange::AccountId;
use serde_json::{json, Value};

use super::{code_of, step, symbol_of, Outcome, Refusal};
use crate::asking::{Asked, Size};
use crate::fields::Fields;
use crate::records::OrderRecord;
use crate::section::{Product, Section};
use crate::venue::Venue;

/// Most orders of a batch.
const MAX_BATCH: usize = 20;

/// What can be done with an order.
pub type Act = fn(&mut Venue, usize, &Fields) -> Outcome<Done>;

/// Ids of an order that something was done with.
pub struct Done {
    id: u64,
    client: String,
    /// It waits for its trigger: its ids are those of such orders.
    waits: bool,
}

/// The action of a WebSocket's `op`.
pub fn of_op(op: &str) -> Option<Act> {
    Some(match op {
        "order" | "batch-orders" => place,
        "cancel-order" | "batch-cancel-orders" => cancel,
        "amend-order" | "batch-amend-orders" => amend,
        _ => return None,
    })
}

/// Does it with each of a list, and says what became of each: code, message and data.
pub fn each(venue: &mut Venue, member: usize, act: Act, list: &[Value]) -> (u32, String, Value) {
    if list.len() > MAX_BATCH {
        return (50_014, "Too many orders in one request".to_owned(), json!([]));
    }
    let ts = venue.now_ms().to_string();
    let mut failed = 0;
    let data: Vec<Value> = list
        .iter()
        .map(|one| {
            let fields = Fields::of(one);
            let client = fields.text("clOrdId").or(fields.text("algoClOrdId")).unwrap_or_default();
            let waits = fields.text("clOrdId").is_none() && fields.text("algoClOrdId").is_some();
            let (done, code, message) = match act(venue, member, &fields) {
                Ok(done) => (done, 0, String::new()),
                Err(refusal) => {
                    failed += 1;
                    (Done { id: 0, client, waits }, refusal.code, refusal.message)
                }
            };
            let id = if code == 0 { done.id.to_string() } else { String::new() };
            let ids = match done.waits {
                true => json!({"algoId": id, "clOrdId": "", "algoClOrdId": done.client}),
                false => json!({"ordId": id, "clOrdId": done.client, "ts": ts, "reqId": ""}),
            };
            let mut shown = json!({"tag": "", "sCode": code.to_string(), "sMsg": message});
            if let (Some(shown), Value::Object(ids)) = (shown.as_object_mut(), ids) {
                shown.extend(ids);
            }
            shown
        })
        .collect();
    let (code, message) = match failed {
        0 => (0, ""),
        all if all == list.len() => (1, "All operations failed"),
        _ => (2, "Bulk operation partially succeeded"),
    };
    (code, message.to_owned(), data.into())
}

fn instrument(venue: &Venue, fields: &Fields) -> Outcome<(Product, usize)> {
    if let Some(name) = fields.text("instId") {
        return symbol_of(venue, &name);
    }
    let code: u64 = fields.parsed("instIdCode").ok_or_else(|| Refusal::missing("instId"))?;
    let products = [Product::Spot, Product::Usdm];
    let count = |product: Product| venue.sections[product as usize].desk.symbols.len();
    products
        .into_iter()
        .flat_map(|product| (0..count(product)).map(move |at| (product, at)))
        .find(|(product, at)| code_of(*product, *at) == code)
        .ok_or_else(|| Refusal::new(51_001, "Instrument ID does not exist."))
}

fn account(venue: &Venue, member: usize, product: Product) -> AccountId {
    venue.members[member].accounts[product as usize]
}

fn decimal(fields: &Fields, name: &str) -> Outcome<Option<Decimal>> {
    fields.text(name).map(|text| text.parse().map_err(|_| Refusal::wrong(name))).transpose()
}

fn side(fields: &Fields) -> Outcome<Side> {
    match fields.text("side").ok_or_else(|| Refusal::missing("side"))?.as_str() {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(Refusal::wrong("side")),
    }
}

fn client_id(fields: &Fields, name: &str) -> Outcome<String> {
    let id = fields.text(name).unwrap_or_default();
    let valid = id.len() <= 32 && id.chars().all(|c| c.is_ascii_alphanumeric());
    valid.then_some(id).ok_or_else(|| Refusal::wrong(name))
}

fn check_mode(fields: &Fields, product: Product) -> Outcome<()> {
    match (product, fields.text("tdMode").ok_or_else(|| Refusal::missing("tdMode"))?.as_str()) {
        (Product::Spot, "cash") | (Product::Usdm, "cross") => Ok(()),
        (Product::Usdm, "isolated") => {
            Err(Refusal::new(51_000, "Isolated margin is not simulated: margin is crossed."))
        }
        _ => Err(Refusal::wrong("tdMode")),
    }
}

type Sort = (&'static str, OrderType, TimeInForce, OrderFlags);

fn sort_of(name: &str) -> Option<Sort> {
    use OrderType::{Limit, Market};
    use TimeInForce::{Fok, Gtc, Ioc};
    let plain = OrderFlags::default();
    Some(match name {
        "limit" => ("limit", Limit, Gtc, plain),
        "market" => ("market", Market, Ioc, plain),
        "post_only" => ("post_only", Limit, Gtc, OrderFlags::POST_ONLY),
        "ioc" => ("ioc", Limit, Ioc, plain),
        "fok" => ("fok", Limit, Fok, plain),
        "optimal_limit_ioc" => ("optimal_limit_ioc", Market, Ioc, plain),
        _ => return None,
    })
}

fn prevention(fields: &Fields) -> Option<SelfTradePrevention> {
    Some(match fields.text("stpMode").as_deref() {
        Some("cancel_taker") => SelfTradePrevention::CancelNewest,
        Some("cancel_both") => SelfTradePrevention::CancelBoth,
        _ => SelfTradePrevention::CancelOldest,
    })
}

fn begin(venue: &Venue, member: usize, fields: &Fields, id: &str) -> Outcome<(Product, Asked)> {
    let (product, symbol) = instrument(venue, fields)?;
    check_mode(fields, product)?;
    let section = &venue.sections[product as usize];
    let size = decimal(fields, "sz")?.ok_or_else(|| Refusal::missing("sz"))?;
    let asked = Asked {
        account: account(venue, member, product),
        symbol,
        side: side(fields)?,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        flags: OrderFlags::default(),
        price: None,
        size: Size::Steps(size, step(section, symbol)),
        trigger: None,
        expire_ns: 0,
        self_trade: prevention(fields),
        client_id: client_id(fields, id)?,
        names: ("limit", ""),
    };
    Ok((product, asked))
}

/// `trade/order`.
pub fn place(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    let name = fields.text("ordType").ok_or_else(|| Refusal::missing("ordType"))?;
    let (name, order_type, tif, flags) = sort_of(&name).ok_or_else(|| Refusal::wrong("ordType"))?;
    let (product, mut asked) = begin(venue, member, fields, "clOrdId")?;
    (asked.order_type, asked.time_in_force, asked.flags) = (order_type, tif, flags);
    asked.names = (name, "");
    if fields.flag("reduceOnly") && product == Product::Usdm {
        asked.flags = asked.flags.with(OrderFlags::REDUCE_ONLY);
    }
    if order_type == OrderType::Limit {
        asked.price = Some(decimal(fields, "px")?.ok_or_else(|| Refusal::missing("px"))?);
    } else if product == Product::Spot {
        // Market orders that buy spot are sized in quote unless they say otherwise.
        let by_quote = match fields.text("tgtCcy").as_deref() {
            Some("base_ccy") => false,
            Some("quote_ccy") => true,
            _ => asked.side == Side::Buy,
        };
        if let (true, Size::Steps(size, _)) = (by_quote, asked.size) {
            asked.size = Size::Quote(size);
        }
    }
    send(venue, product, asked)
}

/// `trade/order-algo`: triggers, stop losses and take profits.
pub fn place_algo(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    let (product, mut asked) = begin(venue, member, fields, "algoClOrdId")?;
    let name = fields.text("ordType").ok_or_else(|| Refusal::missing("ordType"))?;
    let keys = [
        ("trigger", "triggerPx", "orderPx"),
        ("conditional", "slTriggerPx", "slOrdPx"),
        ("conditional", "tpTriggerPx", "tpOrdPx"),
    ];
    let found = keys.into_iter().find(|keys| keys.0 == name && fields.text(keys.1).is_some());
    let (name, at, limit) = found.ok_or_else(|| Refusal::missing("triggerPx"))?;
    let trigger = decimal(fields, at)?.ok_or_else(|| Refusal::missing(at))?;
    let section = &venue.sections[product as usize];
    let tick = section.desk.symbols[asked.symbol].instrument.tick().to_f64();
    let above = trigger.to_f64() > section.mark(asked.symbol) * tick;
    let is_stop = (asked.side == Side::Buy) == above;
    let limit = decimal(fields, limit)?.filter(|price| price.mantissa() > 0);
    asked.order_type = match (is_stop, limit.is_some()) {
        (true, false) => OrderType::Stop,
        (true, true) => OrderType::StopLimit,
        (false, false) => OrderType::TakeProfit,
        (false, true) => {
            return Err(Refusal::new(51_000, "Take profits with a limit are not simulated."));
        }
    };
    (asked.trigger, asked.price, asked.names) = (Some(trigger), limit, (name, ""));
    if fields.flag("reduceOnly") && product == Product::Usdm {
        asked.flags = OrderFlags::REDUCE_ONLY;
    }
    send(venue, product, asked)
}

fn send(venue: &mut Venue, product: Product, asked: Asked) -> Outcome<Done> {
    let client = asked.client_id.clone();
    let now = venue.now_ns();
    let section = &mut venue.sections[product as usize];
    let placement = asked.placed(section)?;
    let id = section.place(placement, now)?;
    let waits = section.desk.records.get(id).is_some_and(|order| order.is_armed);
    Ok(Done { id: id.0, client, waits })
}

/// The order on the book that fields name.
pub fn named<'a>(
    section: &'a Section,
    account: AccountId,
    fields: &Fields,
) -> Outcome<&'a OrderRecord> {
    let found = known(section, account, fields)?;
    // Those that wait for a trigger are a service of their own.
    match found.is_armed {
        true => Err(Refusal::new(51_603, "Order does not exist")),
        false => Ok(found),
    }
}

/// The order that fields name, on the book or waiting.
pub fn known<'a>(
    section: &'a Section,
    account: AccountId,
    fields: &Fields,
) -> Outcome<&'a OrderRecord> {
    let id = fields.parsed("ordId").or(fields.parsed("algoId"));
    let client = fields.text("clOrdId").or(fields.text("algoClOrdId"));
    if id.is_none() && client.is_none() {
        return Err(Refusal::missing("ordId"));
    }
    let found = section.desk.records.find(account, id, client.as_deref());
    found.ok_or_else(|| Refusal::new(51_603, "Order does not exist"))
}

/// `trade/cancel-order`.
pub fn cancel(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    cancel_of(venue, member, fields, false)
}

/// `trade/cancel-algos`.
pub fn cancel_algo(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    cancel_of(venue, member, fields, true)
}

fn cancel_of(venue: &mut Venue, member: usize, fields: &Fields, waits: bool) -> Outcome<Done> {
    let (product, _) = instrument(venue, fields)?;
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let gone = || {
        let text =
            "Order cancellation failed as the order has been filled, canceled or does not exist.";
        Refusal::new(51_400, text)
    };
    let order = known(section, account, fields).map_err(|_| gone())?;
    if order.is_armed != waits {
        return Err(gone());
    }
    let (id, client) = (order.id, order.client_id.clone());
    section.cancel(account, id, now).map_err(|_| gone())?;
    Ok(Done { id: id.0, client, waits })
}

/// `trade/amend-order`.
pub fn amend(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    let (product, symbol) = instrument(venue, fields)?;
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let order = named(section, account, fields)?;
    if !order.status.is_open() {
        let gone =
            "Order modification failed as the order has been filled, canceled or does not exist.";
        return Err(Refusal::new(51_503, gone));
    }
    let (id, client, mut terms) = (order.id, order.client_id.clone(), order.terms);
    let tick = section.desk.symbols[symbol].instrument.tick();
    let (price, size) = (decimal(fields, "newPx")?, decimal(fields, "newSz")?);
    if price.is_none() && size.is_none() {
        return Err(Refusal::missing("newSz"));
    }
    if let Some(price) = price {
        let ticks = price.count_of(tick).filter(|ticks| *ticks > 0);
        terms.price.0 = ticks.ok_or_else(|| Refusal::wrong("newPx"))?;
    }
    if let Some(size) = size {
        let lots = size.count_of(step(section, symbol));
        terms.qty = Lots(lots.ok_or_else(|| Refusal::wrong("newSz"))?);
    }
    section.amend(account, id, (terms.price, terms.qty), now)?;
    Ok(Done { id: id.0, client, waits: false })
}

/// `trade/amend-algos`: the trigger and the size of what waits.
pub fn amend_algo(venue: &mut Venue, member: usize, fields: &Fields) -> Outcome<Done> {
    let (product, symbol) = instrument(venue, fields)?;
    let (account, now) = (account(venue, member, product), venue.now_ns());
    let section = &mut venue.sections[product as usize];
    let gone = || Refusal::new(51_503, "Order modification failed as the order does not exist.");
    let order = known(section, account, fields).map_err(|_| gone())?;
    if !order.status.is_open() || !order.is_armed {
        return Err(gone());
    }
    let (at, limit) = match (order.type_name, order.terms.order_type) {
        ("trigger", _) => ("newTriggerPx", "newOrdPx"),
        (_, OrderType::TakeProfit) => ("newTpTriggerPx", "newTpOrdPx"),
        _ => ("newSlTriggerPx", "newSlOrdPx"),
    };
    let (id, client, terms) = (order.id, order.client_id.clone(), order.terms);
    let tick = section.desk.symbols[symbol].instrument.tick();
    let ticks = |name: &'static str| -> Outcome<Option<i64>> {
        let Some(price) = decimal(fields, name)?.filter(|price| price.mantissa() > 0) else {
            return Ok(None);
        };
        let ticks = price.count_of(tick).ok_or_else(|| Refusal::wrong(name))?;
        Ok(Some(ticks))
    };
    if ticks(limit)?.is_some_and(|price| price != terms.price.0) {
        let text = "Amends of the price of an order that waits are not simulated.";
        return Err(Refusal::new(51_000, text));
    }
    let trigger = Ticks(ticks(at)?.unwrap_or(terms.trigger.0));
    let lots = match decimal(fields, "newSz")? {
        Some(size) => {
            size.count_of(step(section, symbol)).ok_or_else(|| Refusal::wrong("newSz"))?
        }
        None => terms.qty.0,
    };
    section.amend(account, id, (trigger, Lots(lots)), now)?;
    Ok(Done { id: id.0, client, waits: true })
}
