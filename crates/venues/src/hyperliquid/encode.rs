//! Requests: questions to `/info` and signed actions to `/exchange`.

use mainspring_core::{Error, ErrorKind, OrderFlags, OrderType, Result, Side, Ticks, TimeInForce};

use super::action::Node;
use super::sign::{action_hash, sign_action};
use super::Hyperliquid;
use crate::listing::{Code, Listing};
use crate::numerals::push_decimal;
use crate::operation::{Amend, Cancel, Operation, OrderKey, Place, UserStream};
use crate::outgoing::{Cost, Host, Method, Outgoing, Via};
use crate::secp256k1::hex_text;
use crate::venue::{Network, Stream};

pub(super) fn subscribe(
    listings: &[&Listing],
    streams: &[Stream],
    frames: &mut Vec<(usize, String)>,
) {
    for stream in streams {
        let kind = match stream {
            Stream::Book => "l2Book",
            Stream::Best => "bbo",
            Stream::Trades => "trades",
            Stream::Mark => "activeAssetCtx",
        };
        for listing in listings {
            let what = vec![("type", Node::text(kind)), ("coin", Node::text(listing.symbol()))];
            frames.push((0, subscription(what)));
        }
    }
}

fn subscription(what: Vec<(&'static str, Node)>) -> String {
    let mut text = String::new();
    let frame = vec![("method", Node::text("subscribe")), ("subscription", Node::Map(what))];
    Node::Map(frame).push_json(&mut text);
    text
}

/// What an operation becomes.
enum Request {
    /// A question, with its weight.
    Info(Node, u32),
    /// An action, with the number of its orders.
    Action(Node, u32),
}

pub(super) fn encode(
    venue: &mut Hyperliquid,
    operation: &Operation<'_>,
    via: Via,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.start(via, operation.asked());
    if let Operation::UserStream(what) = operation {
        return user_stream(venue, *what, out);
    }
    match request(venue, operation, now_ms)? {
        Request::Info(node, weight) => {
            out.cost = Cost::of(weight, 0);
            let mut payload = String::new();
            node.push_json(&mut payload);
            send("info", "/info", &payload, out);
        }
        Request::Action(action, orders) => {
            // An action of n parts weighs 1 and one more for every forty.
            out.cost = Cost::of(1 + orders / 40, orders);
            let payload = signed(venue, &action, now_ms)?;
            send("action", "/exchange", &payload, out);
        }
    }
    Ok(())
}

fn send(kind: &str, path: &str, payload: &str, out: &mut Outgoing) {
    match out.via {
        Via::Http => {
            out.method = Method::Post;
            out.target.push_str(path);
            out.header("Content-Type").push_str("application/json");
            out.body.push_str(payload);
        }
        Via::Socket { id } => {
            out.host = Host::Trade;
            out.body.push_str("{\"method\":\"post\",\"id\":");
            push_decimal(&mut out.body, id);
            out.body.push_str(",\"request\":{\"type\":\"");
            out.body.push_str(kind);
            out.body.push_str("\",\"payload\":");
            out.body.push_str(payload);
            out.body.push_str("}}");
        }
    }
}

fn signed(venue: &mut Hyperliquid, action: &Node, now_ms: i64) -> Result<String> {
    // Nonces are milliseconds that never repeat.
    let nonce = now_ms.unsigned_abs().max(venue.last_nonce + 1);
    let settings = &venue.settings;
    let key = venue.key.as_ref().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "hyperliquid: this request needs the key of a wallet or agent",
        )
    })?;
    let expires = (settings.expire_ms > 0).then(|| now_ms.unsigned_abs() + settings.expire_ms);
    let hash = action_hash(action, nonce, settings.vault.as_ref(), expires);
    let signature = sign_action(key, &hash, settings.network == Network::Main);
    venue.last_nonce = nonce;
    let parts = vec![
        ("r", Node::Text(hex_text(&signature.r))),
        ("s", Node::Text(hex_text(&signature.s))),
        ("v", Node::Number(27 + u64::from(signature.parity))),
    ];
    let mut text = String::with_capacity(512);
    text.push_str("{\"action\":");
    action.push_json(&mut text);
    text.push_str(",\"nonce\":");
    push_decimal(&mut text, nonce);
    text.push_str(",\"signature\":");
    Node::Map(parts).push_json(&mut text);
    if let Some(vault) = &settings.vault {
        text.push_str(",\"vaultAddress\":\"");
        text.push_str(&hex_text(vault));
        text.push('"');
    }
    if let Some(expires) = expires {
        text.push_str(",\"expiresAfter\":");
        push_decimal(&mut text, expires);
    }
    text.push('}');
    Ok(text)
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Value, format!("hyperliquid: {what}")))
}

fn request(venue: &Hyperliquid, operation: &Operation<'_>, now_ms: i64) -> Result<Request> {
    let user = || ("user", Node::text(venue.settings.account.as_str()));
    let info = |kind: &str, rest: Vec<(&'static str, Node)>, weight| {
        let mut entries = vec![("type", Node::text(kind))];
        entries.extend(rest);
        Ok(Request::Info(Node::Map(entries), weight))
    };
    match operation {
        Operation::Place(place) => place_many(venue, std::slice::from_ref(place)),
        Operation::PlaceMany(places) => place_many(venue, places),
        Operation::Cancel(cancel) => cancel_many(std::slice::from_ref(cancel)),
        Operation::CancelMany(cancels) => cancel_many(cancels),
        Operation::Amend(amend) => modify(amend),
        Operation::Query { order, .. } => {
            let oid = ("oid", order_id(*order)?);
            info("orderStatus", vec![user(), oid], 2)
        }
        Operation::OpenOrders(_) => info("frontendOpenOrders", vec![user()], 20),
        Operation::Fills { since_ms, .. } => {
            let start = ("startTime", Node::Number(since_ms.unsigned_abs()));
            info("userFillsByTime", vec![user(), start], 20)
        }
        Operation::Balances if venue.settings.spot => {
            info("spotClearinghouseState", vec![user()], 2)
        }
        Operation::Balances | Operation::Positions(_) => {
            info("clearinghouseState", vec![user()], 2)
        }
        Operation::Leverage { listing, leverage, cross }
        | Operation::MarginMode { listing, leverage, cross } => {
            let entries = vec![
                ("type", Node::text("updateLeverage")),
                ("asset", asset(listing)?),
                ("isCross", Node::Truth(*cross)),
                ("leverage", Node::Number(u64::from(*leverage))),
            ];
            Ok(Request::Action(Node::Map(entries), 0))
        }
        Operation::Countdown { timeout_ms, .. } => {
            let mut entries = vec![("type", Node::text("scheduleCancel"))];
            // Without a time the schedule is taken back.
            if *timeout_ms > 0 {
                entries.push(("time", Node::Number(now_ms.unsigned_abs() + timeout_ms)));
            }
            Ok(Request::Action(Node::Map(entries), 0))
        }
        Operation::Book { listing, .. } => info("l2Book", vec![coin(listing)], 2),
        Operation::Trades { listing, .. } => info("recentTrades", vec![coin(listing)], 20),
        Operation::Candles { listing, since_ms, limit } => {
            let end = since_ms + i64::from(*limit) * 60_000;
            let what = vec![
                coin(listing),
                ("interval", Node::text("1m")),
                ("startTime", Node::Number(since_ms.unsigned_abs())),
                ("endTime", Node::Number(end.unsigned_abs())),
            ];
            info("candleSnapshot", vec![("req", Node::Map(what))], 20 + limit / 60)
        }
        Operation::Funding(_) => info("metaAndAssetCtxs", vec![], 20),
        Operation::MarginTiers(_) => info("meta", vec![], 20),
        Operation::Instruments => {
            info(if venue.settings.spot { "spotMeta" } else { "meta" }, vec![], 20)
        }
        Operation::Time => info("exchangeStatus", vec![], 2),
        Operation::Fees(_) => info("userFees", vec![user()], 20),
        Operation::Rights { .. } | Operation::PositionMode => {
            refuse("rights of the account are not told")
        }
        Operation::CancelArmed(_)
        | Operation::AmendArmed(_)
        | Operation::CancelAllArmed(_)
        | Operation::QueryArmed { .. }
        | Operation::ArmedOrders { .. }
        | Operation::Page(_) => refuse("lists are whole, and hold orders that wait as well"),
        Operation::CancelAll(_) => {
            refuse("there is no cancel of all: list the open orders and cancel in batches")
        }
        Operation::UserStream(_) => refuse("user streams are opened apart"),
    }
}

fn coin(listing: &Listing) -> (&'static str, Node) {
    ("coin", Node::text(listing.symbol()))
}

fn asset(listing: &Listing) -> Result<Node> {
    match listing.code {
        Code::Hyperliquid { asset, .. } => Ok(Node::Number(u64::from(asset))),
        _ => refuse("the asset's index is not known: read the instruments"),
    }
}

fn order_id(order: OrderKey<'_>) -> Result<Node> {
    match order {
        OrderKey::Client(id) => Ok(Node::text(id)),
        OrderKey::Venue(id) => match id.parse() {
            Ok(id) => Ok(Node::Number(id)),
            Err(_) => refuse("order ids of the venue are numbers"),
        },
    }
}

fn place_many(venue: &Hyperliquid, places: &[Place<'_>]) -> Result<Request> {
    let orders: Result<Vec<_>> = places.iter().map(order).collect();
    let mut entries = vec![
        ("type", Node::text("order")),
        ("orders", Node::List(orders?)),
        ("grouping", Node::text("na")),
    ];
    if let Some((address, fee)) = &venue.settings.builder {
        let builder = vec![("b", Node::text(address.as_str())), ("f", Node::Number(*fee))];
        entries.push(("builder", Node::Map(builder)));
    }
    Ok(Request::Action(Node::Map(entries), places.len() as u32))
}

fn order(place: &Place<'_>) -> Result<Node> {
    let (terms, instrument) = (&place.terms, &place.listing.instrument);
    if place.quote_amount.is_some() {
        return refuse("orders are sized by quantity, not by value");
    }
    let (price, kind) = match terms.order_type {
        OrderType::Limit => (terms.price, limit(life(terms.time_in_force, terms.flags)?)),
        OrderType::Market => (worst(place)?, limit("Ioc")),
        OrderType::Stop => (worst(place)?, trigger(place, true, "sl")),
        OrderType::StopLimit => (terms.price, trigger(place, false, "sl")),
        OrderType::TakeProfit => (worst(place)?, trigger(place, true, "tp")),
        _ => return refuse("orders are limit, market, stop or take-profit"),
    };
    if !instrument.grid().is_valid(price) {
        return refuse("a price has at most five significant digits");
    }
    let mut entries = vec![
        ("a", asset(place.listing)?),
        ("b", Node::Truth(terms.side == Side::Buy)),
        ("p", Node::Text(place.listing.price_text(price))),
        ("s", Node::Text(place.listing.qty_text(terms.qty))),
        ("r", Node::Truth(terms.flags.has(OrderFlags::REDUCE_ONLY))),
        ("t", kind),
    ];
    if !place.client.is_empty() {
        entries.push(("c", Node::text(place.client)));
    }
    Ok(Node::Map(entries))
}

fn life(life: TimeInForce, flags: OrderFlags) -> Result<&'static str> {
    Ok(match life {
        _ if flags.has(OrderFlags::POST_ONLY) => "Alo",
        TimeInForce::Gtc | TimeInForce::Gtd => "Gtc",
        TimeInForce::Ioc => "Ioc",
        TimeInForce::Fok => return refuse("the venue has no fill-or-kill"),
    })
}

fn limit(life: &str) -> Node {
    Node::Map(vec![("limit", Node::Map(vec![("tif", Node::text(life))]))])
}

fn trigger(place: &Place<'_>, is_market: bool, kind: &str) -> Node {
    let entries = vec![
        ("isMarket", Node::Truth(is_market)),
        ("triggerPx", Node::Text(place.listing.price_text(place.terms.trigger))),
        ("tpsl", Node::text(kind)),
    ];
    Node::Map(vec![("trigger", Node::Map(entries))])
}

fn worst(place: &Place<'_>) -> Result<Ticks> {
    match place.worst {
        Some(price) => Ok(price),
        None => refuse("the venue has no market orders: say the worst price that is allowed"),
    }
}

fn cancel_many(cancels: &[Cancel<'_>]) -> Result<Request> {
    let by_client = cancels.iter().all(|cancel| matches!(cancel.order, OrderKey::Client(_)));
    let by_venue = cancels.iter().all(|cancel| matches!(cancel.order, OrderKey::Venue(_)));
    if cancels.is_empty() || by_client == by_venue {
        return refuse("a batch of cancels is by our ids or by the venue's");
    }
    let (kind, keys) =
        if by_client { ("cancelByCloid", ["asset", "cloid"]) } else { ("cancel", ["a", "o"]) };
    let one = |cancel: &Cancel<'_>| {
        let entries = vec![(keys[0], asset(cancel.listing)?), (keys[1], order_id(cancel.order)?)];
        Ok(Node::Map(entries))
    };
    let list: Result<Vec<_>> = cancels.iter().map(one).collect();
    let entries = vec![("type", Node::text(kind)), ("cancels", Node::List(list?))];
    Ok(Request::Action(Node::Map(entries), cancels.len() as u32))
}

fn modify(amend: &Amend<'_>) -> Result<Request> {
    let mut terms = amend.terms;
    terms.price = amend.price;
    // The order that takes its place is for what is still to trade.
    terms.qty = mainspring_core::Lots(amend.qty.0 - amend.filled.0);
    if terms.qty.0 <= 0 {
        return refuse("nothing would be left of the order: cancel it instead");
    }
    let place = Place::new(amend.listing, terms, amend.client);
    let one = vec![("oid", order_id(amend.order)?), ("order", order(&place)?)];
    let entries =
        vec![("type", Node::text("batchModify")), ("modifies", Node::List(vec![Node::Map(one)]))];
    Ok(Request::Action(Node::Map(entries), 1))
}

/// One subscription a frame: orders by `Open`, fills by `Subscribe`.
fn user_stream(venue: &Hyperliquid, what: UserStream<'_>, out: &mut Outgoing) -> Result<()> {
    if matches!(out.via, Via::Http) {
        return refuse("user events come by the websocket alone: ask by socket");
    }
    if venue.settings.account.is_empty() {
        return refuse("user events need the address of the account");
    }
    let kind = match what {
        UserStream::Open => "orderUpdates",
        UserStream::Subscribe => "userFills",
        UserStream::SubscribeArmed => {
            return refuse("orders that wait for their trigger are told with the others");
        }
        UserStream::KeepAlive(_) | UserStream::Close(_) => {
            return refuse("user streams have no keys to keep alive");
        }
    };
    out.host = Host::User;
    let user = Node::text(venue.settings.account.as_str());
    out.body.push_str(&subscription(vec![("type", Node::text(kind)), ("user", user)]));
    Ok(())
}
