//! Requests: paths, parameters and signatures.

use mainspring_core::order::OrderTerms;
use mainspring_core::{Error, ErrorKind, OrderFlags, OrderType, Result, Side, TimeInForce};

use super::{frame, Binance, Market, Respond};
use crate::listing::Listing;
use crate::numerals::push_decimal;
use crate::operation::{Amend, Cancel, Operation, OrderKey, Place, UserStream};
use crate::outgoing::{Cost, Host, Method, Outgoing, Via};
use crate::params::{push_json_text, Params};
use crate::rules::has_limit_price;
use crate::sign::push_percent;

/// Who must sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Public,
    /// Whoever has the key.
    Key,
    /// The key's owner, by signature.
    Signed,
}

/// A request of the venue: HTTP method and path, websocket method, access and cost.
pub(super) struct Route {
    pub(super) method: Method,
    path: &'static str,
    pub(super) socket: &'static str,
    access: Access,
    pub(super) cost: Cost,
}

pub(super) const SPOT_PLACE: Route = route(Method::Post, "/api/v3/order", "order.place", 1, 1);
pub(super) const SPOT_CANCEL: Route = route(Method::Delete, "/api/v3/order", "order.cancel", 1, 0);
pub(super) const FUTURES_PLACE: Route = route(Method::Post, "/fapi/v1/order", "order.place", 0, 1);
pub(super) const FUTURES_CANCEL: Route =
    route(Method::Delete, "/fapi/v1/order", "order.cancel", 1, 0);
pub(super) const FUTURES_AMEND: Route = route(Method::Put, "/fapi/v1/order", "order.modify", 1, 1);

const fn route(
    method: Method,
    path: &'static str,
    socket: &'static str,
    weight: u32,
    orders: u32,
) -> Route {
    Route { method, path, socket, access: Access::Signed, cost: Cost::of(weight, orders) }
}

const fn public(path: &'static str, socket: &'static str, weight: u32) -> Route {
    Route { method: Method::Get, path, socket, access: Access::Public, cost: Cost::of(weight, 0) }
}

pub(super) fn encode(
    venue: &mut Binance,
    operation: &Operation<'_>,
    via: Via,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.start(via, operation.asked());
    match via {
        Via::Socket { id } if frame::write(venue, operation, id, now_ms, out) => Ok(()),
        _ => general(venue, operation, now_ms, out),
    }
}

/// Any request, by the list of its parameters. `out` is started.
pub(super) fn general(
    venue: &mut Binance,
    operation: &Operation<'_>,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    let mut params = std::mem::take(&mut venue.params);
    params.clear();
    let encoded = match venue.market {
        Market::Spot => spot(operation, venue.settings.respond, &mut params),
        Market::Futures => futures(operation, &mut params),
    }
    .and_then(|route| finish(venue, &route, &mut params, now_ms, out));
    venue.params = params;
    encoded
}

fn spot(operation: &Operation<'_>, respond: Respond, params: &mut Params) -> Result<Route> {
    use Method::{Delete, Get, Post, Put};
    let symbol = |listing: &Listing, params: &mut Params| params.text("symbol", listing.symbol());
    Ok(match operation {
        Operation::Place(place) => {
            spot_place(place, respond, params)?;
            SPOT_PLACE
        }
        Operation::Cancel(cancel) => {
            cancel_params(cancel, params);
            SPOT_CANCEL
        }
        Operation::CancelAll(listing) => {
            symbol(listing, params);
            route(Delete, "/api/v3/openOrders", "openOrders.cancelAll", 1, 0)
        }
        Operation::Amend(amend) if keeps_priority(amend) => {
            symbol(amend.listing, params);
            order_key(amend.order, params);
            params.some_text("newClientOrderId", amend.client);
            params.count("newQty", amend.listing.instrument.lot, amend.qty.0);
            route(Put, "/api/v3/order/amend/keepPriority", "order.amend.keepPriority", 4, 0)
        }
        Operation::Amend(amend) => {
            replace_params(amend, respond, params)?;
            route(Post, "/api/v3/order/cancelReplace", "order.cancelReplace", 1, 1)
        }
        Operation::Query { listing, order } => {
            symbol(listing, params);
            order_key(*order, params);
            route(Get, "/api/v3/order", "order.status", 4, 0)
        }
        Operation::OpenOrders(listing) => {
            listing.iter().for_each(|listing| symbol(listing, params));
            let weight = if listing.is_some() { 6 } else { 80 };
            route(Get, "/api/v3/openOrders", "openOrders.status", weight, 0)
        }
        Operation::Fills { listing, since_ms, limit } => {
            fills_params(listing, *since_ms, *limit, params);
            route(Get, "/api/v3/myTrades", "myTrades", 20, 0)
        }
        Operation::Balances => route(Get, "/api/v3/account", "account.status", 20, 0),
        Operation::UserStream(UserStream::Open | UserStream::Subscribe) => {
            let method = "userDataStream.subscribe.signature";
            Route { path: "", ..route(Post, "", method, 2, 0) }
        }
        Operation::Book { listing, depth } => {
            symbol(listing, params);
            params.number("limit", u64::from(*depth));
            let weight = match depth {
                0..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            };
            public("/api/v3/depth", "depth", weight)
        }
        Operation::Trades { listing, limit } => {
            symbol(listing, params);
            params.number("limit", u64::from(*limit));
            public("/api/v3/aggTrades", "trades.aggregate", 4)
        }
        Operation::Candles { listing, since_ms, limit } => {
            candle_params(listing, *since_ms, *limit, params);
            public("/api/v3/klines", "klines", 2)
        }
        Operation::Instruments => public("/api/v3/exchangeInfo", "exchangeInfo", 20),
        Operation::Time => public("/api/v3/time", "time", 1),
        Operation::Rights { of_key: true } => {
            route(Get, "/sapi/v1/account/apiRestrictions", "", 1, 0)
        }
        Operation::Rights { .. } => route(Get, "/api/v3/account", "account.status", 20, 0),
        Operation::Fees(listing) => {
            symbol(listing, params);
            route(Get, "/api/v3/account/commission", "account.commission", 20, 0)
        }
        Operation::PositionMode => return absent("positions"),
        Operation::CancelArmed(_)
        | Operation::AmendArmed(_)
        | Operation::CancelAllArmed(_)
        | Operation::QueryArmed { .. }
        | Operation::ArmedOrders { .. } => return absent("a service apart for conditional orders"),
        Operation::Page(_) => return absent("parts of lists"),
        Operation::PlaceMany(_) | Operation::CancelMany(_) => return absent("batches of orders"),
        Operation::Positions(_) => return absent("positions"),
        Operation::MarginTiers(_) => return absent("margin brackets"),
        Operation::Leverage { .. } | Operation::MarginMode { .. } => return absent("leverage"),
        Operation::UserStream(_) => return absent("keys of user streams"),
        Operation::Countdown { .. } => return absent("a countdown that cancels"),
        Operation::Funding(_) => return absent("funding"),
    })
}

fn futures(operation: &Operation<'_>, params: &mut Params) -> Result<Route> {
    use Method::{Delete, Get, Post};
    let symbol = |listing: &Listing, params: &mut Params| params.text("symbol", listing.symbol());
    let some = |listing: &Option<&Listing>, params: &mut Params| {
        listing.iter().for_each(|listing| symbol(listing, params));
    };
    Ok(match operation {
        Operation::Place(place) if is_conditional(place.terms.order_type) => {
            algo_params(place, params)?;
            route(Post, "/fapi/v1/algoOrder", "algoOrder.place", 0, 1)
        }
        Operation::Place(place) => {
            futures_place(place, params)?;
            FUTURES_PLACE
        }
        Operation::PlaceMany(places) => {
            batch_params(places, params)?;
            route(Post, "/fapi/v1/batchOrders", "", 5, places.len() as u32)
        }
        Operation::Cancel(cancel) => {
            cancel_params(cancel, params);
            FUTURES_CANCEL
        }
        Operation::CancelMany(cancels) => {
            cancel_many_params(cancels, params)?;
            route(Delete, "/fapi/v1/batchOrders", "", 1, 0)
        }
        Operation::CancelAll(listing) => {
            symbol(listing, params);
            route(Delete, "/fapi/v1/allOpenOrders", "", 1, 0)
        }
        Operation::CancelArmed(cancel) => {
            algo_key(cancel.order, params);
            route(Delete, "/fapi/v1/algoOrder", "algoOrder.cancel", 1, 0)
        }
        Operation::CancelAllArmed(listing) => {
            symbol(listing, params);
            route(Delete, "/fapi/v1/algoOpenOrders", "", 1, 0)
        }
        // The service of conditional orders places, cancels and lists:
        // <https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order>.
        Operation::AmendArmed(_) => return refuse("conditional orders are not changed"),
        Operation::QueryArmed { order, .. } => {
            algo_key(*order, params);
            route(Get, "/fapi/v1/algoOrder", "", 1, 0)
        }
        Operation::ArmedOrders { listing, .. } => {
            some(listing, params);
            let weight = if listing.is_some() { 1 } else { 40 };
            route(Get, "/fapi/v1/openAlgoOrders", "", weight, 0)
        }
        Operation::Page(_) => return refuse("lists are whole: there are no parts of them"),
        Operation::Amend(amend) => {
            symbol(amend.listing, params);
            params.text("side", side_word(amend.side));
            order_key(amend.order, params);
            params.count("quantity", amend.listing.instrument.lot, amend.qty.0);
            params.count("price", amend.listing.instrument.tick(), amend.price.0);
            FUTURES_AMEND
        }
        Operation::Query { listing, order } => {
            symbol(listing, params);
            order_key(*order, params);
            route(Get, "/fapi/v1/order", "order.status", 1, 0)
        }
        Operation::OpenOrders(listing) => {
            some(listing, params);
            route(Get, "/fapi/v1/openOrders", "", if listing.is_some() { 1 } else { 40 }, 0)
        }
        Operation::Fills { listing, since_ms, limit } => {
            fills_params(listing, *since_ms, *limit, params);
            route(Get, "/fapi/v1/userTrades", "", 5, 0)
        }
        Operation::Balances => route(Get, "/fapi/v3/account", "v2/account.status", 5, 0),
        Operation::Positions(listing) => {
            some(listing, params);
            route(Get, "/fapi/v3/positionRisk", "v2/account.position", 5, 0)
        }
        Operation::MarginTiers(listing) => {
            some(listing, params);
            route(Get, "/fapi/v1/leverageBracket", "", 1, 0)
        }
        Operation::Leverage { listing, leverage, .. } => {
            symbol(listing, params);
            params.number("leverage", u64::from(*leverage));
            route(Post, "/fapi/v1/leverage", "", 1, 0)
        }
        Operation::MarginMode { listing, cross, .. } => {
            symbol(listing, params);
            params.text("marginType", if *cross { "CROSSED" } else { "ISOLATED" });
            route(Post, "/fapi/v1/marginType", "", 1, 0)
        }
        Operation::UserStream(what) => listen_key(*what)?,
        Operation::Countdown { listing: Some(listing), timeout_ms } => {
            symbol(listing, params);
            params.number("countdownTime", *timeout_ms);
            route(Post, "/fapi/v1/countdownCancelAll", "", 10, 0)
        }
        Operation::Countdown { .. } => {
            return refuse("the countdown counts per instrument: name one");
        }
        Operation::Book { listing, depth } => {
            symbol(listing, params);
            params.number("limit", u64::from(*depth));
            let weight = match depth {
                0..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            };
            public("/fapi/v1/depth", "depth", weight)
        }
        Operation::Trades { listing, limit } => {
            symbol(listing, params);
            params.number("limit", u64::from(*limit));
            public("/fapi/v1/aggTrades", "", 20)
        }
        Operation::Candles { listing, since_ms, limit } => {
            candle_params(listing, *since_ms, *limit, params);
            public("/fapi/v1/klines", "", 5)
        }
        Operation::Funding(listing) => {
            symbol(listing, params);
            public("/fapi/v1/premiumIndex", "", 1)
        }
        Operation::Instruments => public("/fapi/v1/exchangeInfo", "", 1),
        Operation::Time => public("/fapi/v1/time", "", 1),
        Operation::Rights { of_key: true } => {
            return refuse("futures tell what the account may do, not what the key may");
        }
        Operation::Rights { .. } => route(Get, "/fapi/v2/account", "", 5, 0),
        Operation::PositionMode => route(Get, "/fapi/v1/positionSide/dual", "", 30, 0),
        Operation::Fees(listing) => {
            symbol(listing, params);
            route(Get, "/fapi/v1/commissionRate", "", 20, 0)
        }
    })
}

fn listen_key(what: UserStream<'_>) -> Result<Route> {
    let (method, socket) = match what {
        UserStream::Open => (Method::Post, "userDataStream.start"),
        UserStream::KeepAlive(_) => (Method::Put, "userDataStream.ping"),
        UserStream::Close(_) => (Method::Delete, "userDataStream.stop"),
        UserStream::Subscribe | UserStream::SubscribeArmed => {
            return refuse("the key is in the address of the stream: connect to it");
        }
    };
    Ok(Route { access: Access::Key, ..route(method, "/fapi/v1/listenKey", socket, 1, 0) })
}

fn absent<T>(what: &str) -> Result<T> {
    refuse(&format!("spot has no {what}"))
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Value, format!("binance: {what}")))
}

pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

const fn is_conditional(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit)
}

fn order_key(order: OrderKey<'_>, params: &mut Params) {
    match order {
        OrderKey::Client(id) => params.text("origClientOrderId", id),
        OrderKey::Venue(id) => params.text("orderId", id),
    }
}

fn cancel_params(cancel: &Cancel<'_>, params: &mut Params) {
    params.text("symbol", cancel.listing.symbol());
    order_key(cancel.order, params);
}

fn fills_params(listing: &Listing, since_ms: i64, limit: u32, params: &mut Params) {
    params.text("symbol", listing.symbol());
    params.number("startTime", since_ms.unsigned_abs());
    params.number("limit", u64::from(limit));
}

fn candle_params(listing: &Listing, since_ms: i64, limit: u32, params: &mut Params) {
    params.text("interval", "1m");
    params.number("limit", u64::from(limit));
    params.text("symbol", listing.symbol());
    params.number("startTime", since_ms.unsigned_abs());
}

/// A smaller quantity at the same price keeps the place in the queue.
fn keeps_priority(amend: &Amend<'_>) -> bool {
    amend.price == amend.terms.price && amend.qty < amend.terms.qty
}

fn spot_place(place: &Place<'_>, respond: Respond, params: &mut Params) -> Result<()> {
    params.text("symbol", place.listing.symbol());
    params.text("side", side_word(place.terms.side));
    params.some_text("newClientOrderId", place.client);
    params.text("newOrderRespType", respond_word(respond));
    params.text("type", spot_type(&place.terms)?);
    spot_terms(place, params)
}

pub(super) const fn respond_word(respond: Respond) -> &'static str {
    match respond {
        Respond::Ack => "ACK",
        Respond::Result => "RESULT",
        Respond::Full => "FULL",
    }
}

fn spot_type(terms: &OrderTerms) -> Result<&'static str> {
    let post_only = terms.flags.has(OrderFlags::POST_ONLY);
    Ok(match terms.order_type {
        OrderType::Limit | OrderType::Iceberg if post_only => "LIMIT_MAKER",
        OrderType::Limit | OrderType::Iceberg => "LIMIT",
        OrderType::Market => "MARKET",
        OrderType::Stop => "STOP_LOSS",
        OrderType::StopLimit => "STOP_LOSS_LIMIT",
        OrderType::TakeProfit => "TAKE_PROFIT",
        OrderType::TrailingStop | OrderType::Pegged => {
            return refuse("trails by ticks and pegs by ticks are not offered");
        }
    })
}

fn spot_terms(place: &Place<'_>, params: &mut Params) -> Result<()> {
    let (terms, instrument) = (&place.terms, &place.listing.instrument);
    if terms.flags.has(OrderFlags::REDUCE_ONLY) {
        return absent("positions to reduce");
    }
    match place.quote_amount {
        Some(amount) if terms.order_type == OrderType::Market => {
            params.count("quoteOrderQty", amount, 1);
        }
        Some(_) => return refuse("only market orders are placed by their value"),
        None => params.count("quantity", instrument.lot, terms.qty.0),
    }
    let limit = has_limit_price(terms.order_type);
    if limit {
        params.count("price", instrument.tick(), terms.price.0);
    }
    if is_conditional(terms.order_type) {
        params.count("stopPrice", instrument.tick(), terms.trigger.0);
    }
    // A maker-only order lives until it is cancelled and says nothing about it.
    if limit && !terms.flags.has(OrderFlags::POST_ONLY) {
        params.text("timeInForce", spot_life(terms.time_in_force));
    }
    if terms.order_type == OrderType::Iceberg {
        params.count("icebergQty", instrument.lot, terms.display.0);
    }
    Ok(())
}

pub(super) const fn spot_life(life: TimeInForce) -> &'static str {
    match life {
        TimeInForce::Gtc | TimeInForce::Gtd => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
    }
}

fn replace_params(amend: &Amend<'_>, respond: Respond, params: &mut Params) -> Result<()> {
    let mut terms = amend.terms;
    terms.price = amend.price;
    // The new order is for what is still to trade.
    terms.qty = mainspring_core::Lots(amend.qty.0 - amend.filled.0);
    if terms.qty.0 <= 0 {
        return refuse("nothing would be left of the order: cancel it instead");
    }
    params.text("symbol", amend.listing.symbol());
    params.text("side", side_word(amend.side));
    params.text("type", spot_type(&terms)?);
    params.some_text("newClientOrderId", amend.client);
    params.text("newOrderRespType", respond_word(respond));
    spot_terms(&Place::new(amend.listing, terms, amend.client), params)?;
    params.text("cancelReplaceMode", "STOP_ON_FAILURE");
    match amend.order {
        OrderKey::Client(id) => params.text("cancelOrigClientOrderId", id),
        OrderKey::Venue(id) => params.text("cancelOrderId", id),
    }
    Ok(())
}

fn futures_place(place: &Place<'_>, params: &mut Params) -> Result<()> {
    let (terms, instrument) = (&place.terms, &place.listing.instrument);
    if place.quote_amount.is_some() {
        return refuse("futures are traded by quantity, not by value");
    }
    let word = match terms.order_type {
        OrderType::Limit => "LIMIT",
        OrderType::Market => "MARKET",
        _ => return refuse("futures take limit, market, stop and take-profit orders"),
    };
    params.text("symbol", place.listing.symbol());
    params.text("side", side_word(terms.side));
    params.some_text("newClientOrderId", place.client);
    params.text("newOrderRespType", "RESULT");
    params.text("type", word);
    params.count("quantity", instrument.lot, terms.qty.0);
    if terms.order_type == OrderType::Limit {
        params.count("price", instrument.tick(), terms.price.0);
        params.text("timeInForce", futures_life(terms));
        if terms.time_in_force == TimeInForce::Gtd {
            let ms = terms.expire_ns.max(0).unsigned_abs() / 1_000_000;
            // The venue counts whole seconds.
            params.number("goodTillDate", ms / 1_000 * 1_000);
        }
    }
    if terms.flags.has(OrderFlags::REDUCE_ONLY) {
        params.text("reduceOnly", "true");
    }
    Ok(())
}

pub(super) const fn futures_life(terms: &OrderTerms) -> &'static str {
    match terms.time_in_force {
        _ if terms.flags.has(OrderFlags::POST_ONLY) => "GTX",
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::Gtd => "GTD",
    }
}

/// Conditional orders have been a service of their own since December 2025.
fn algo_params(place: &Place<'_>, params: &mut Params) -> Result<()> {
    let (terms, instrument) = (&place.terms, &place.listing.instrument);
    let word = match terms.order_type {
        OrderType::Stop => "STOP_MARKET",
        OrderType::StopLimit => "STOP",
        _ => "TAKE_PROFIT_MARKET",
    };
    params.text("symbol", place.listing.symbol());
    params.text("side", side_word(terms.side));
    params.some_text("clientAlgoId", place.client);
    params.text("newOrderRespType", "RESULT");
    params.text("type", word);
    params.count("quantity", instrument.lot, terms.qty.0);
    if terms.order_type == OrderType::StopLimit {
        params.count("price", instrument.tick(), terms.price.0);
    }
    params.count("triggerPrice", instrument.tick(), terms.trigger.0);
    params.text("algoType", "CONDITIONAL");
    if terms.flags.has(OrderFlags::REDUCE_ONLY) {
        params.text("reduceOnly", "true");
    }
    Ok(())
}

fn algo_key(order: OrderKey<'_>, params: &mut Params) {
    match order {
        OrderKey::Client(id) => params.text("clientAlgoId", id),
        OrderKey::Venue(id) => params.text("algoId", id),
    }
}

fn batch_params(places: &[Place<'_>], params: &mut Params) -> Result<()> {
    let mut text = String::from("[");
    for (at, place) in places.iter().enumerate() {
        let mut one = Params::default();
        if is_conditional(place.terms.order_type) {
            return refuse("conditional orders are placed one by one");
        }
        futures_place(place, &mut one)?;
        if at > 0 {
            text.push(',');
        }
        one.push_json(&mut text);
    }
    text.push(']');
    params.text("batchOrders", &text);
    Ok(())
}

fn cancel_many_params(cancels: &[Cancel<'_>], params: &mut Params) -> Result<()> {
    let Some(first) = cancels.first() else { return refuse("a batch of no cancels") };
    if cancels.iter().any(|cancel| cancel.listing.id != first.listing.id) {
        return refuse("a batch of cancels is of one instrument");
    }
    let (mut ids, mut clients) = (String::from("["), String::from("["));
    for cancel in cancels {
        let (list, id) = match cancel.order {
            OrderKey::Venue(id) => (&mut ids, id),
            OrderKey::Client(id) => (&mut clients, id),
        };
        if list.len() > 1 {
            list.push(',');
        }
        match cancel.order {
            OrderKey::Venue(_) => list.push_str(id),
            OrderKey::Client(_) => push_json_text(list, id),
        }
    }
    params.text("symbol", first.listing.symbol());
    match (ids.len() > 1, clients.len() > 1) {
        (true, true) => return refuse("a batch of cancels is by our ids or by the venue's"),
        (true, false) => params.text("orderIdList", &(ids + "]")),
        _ => params.text("origClientOrderIdList", &(clients + "]")),
    }
    Ok(())
}

/// Puts parameters, time and signature where the request wants them.
fn finish(
    venue: &mut Binance,
    route: &Route,
    params: &mut Params,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.cost = route.cost;
    out.method = route.method;
    match out.via {
        Via::Http => http(venue, route, params, now_ms, out),
        Via::Socket { id } => socket(venue, route, params, now_ms, id, out),
    }
}

fn http(
    venue: &Binance,
    route: &Route,
    params: &Params,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    if route.path.is_empty() {
        return refuse("user events of spot come by the websocket API alone: ask by socket");
    }
    out.target.push_str(route.path);
    if route.access != Access::Public {
        let credentials = need_credentials(venue)?;
        out.header("X-MBX-APIKEY").push_str(credentials.key.expose_text());
    }
    // New and changed orders go in the body, everything else in the query.
    let in_body = matches!(route.method, Method::Post | Method::Put);
    let has_params = route.access == Access::Signed || !params.is_empty();
    match (in_body, has_params) {
        (true, true) => out.header("Content-Type").push_str("application/x-www-form-urlencoded"),
        (false, true) => out.target.push('?'),
        (_, false) => {}
    }
    let into = if in_body { &mut out.body } else { &mut out.target };
    let from = into.len();
    if route.access != Access::Signed {
        params.push_query(into);
        return Ok(());
    }
    into.push_str("timestamp=");
    push_decimal(into, now_ms.unsigned_abs());
    if !params.is_empty() {
        into.push('&');
        params.push_query(into);
    }
    into.push_str("&recvWindow=");
    push_decimal(into, u64::from(venue.settings.recv_window_ms));
    let credentials = need_credentials(venue)?;
    let mut signature = String::with_capacity(128);
    credentials.signer.append(&into.as_bytes()[from..], &mut signature);
    into.push_str("&signature=");
    push_percent(into, &signature);
    Ok(())
}

fn socket(
    venue: &mut Binance,
    route: &Route,
    params: &mut Params,
    now_ms: i64,
    id: u64,
    out: &mut Outgoing,
) -> Result<()> {
    if route.socket.is_empty() {
        return refuse("the websocket API has no such request: send it by HTTP");
    }
    out.host = Host::Trade;
    if route.access != Access::Public {
        params.text("apiKey", need_credentials(venue)?.key.expose_text());
    }
    if route.access == Access::Signed {
        params.number("timestamp", now_ms.unsigned_abs());
        params.number("recvWindow", u64::from(venue.settings.recv_window_ms));
        params.sort();
        venue.payload.clear();
        params.push_plain(&mut venue.payload);
        let mut signature = String::with_capacity(128);
        let payload = venue.payload.as_bytes();
        need_credentials(venue)?.signer.append(payload, &mut signature);
        params.text("signature", &signature);
    }
    out.body.push_str("{\"id\":\"");
    push_decimal(&mut out.body, id);
    out.body.push_str("\",\"method\":\"");
    out.body.push_str(route.socket);
    out.body.push_str("\",\"params\":");
    params.push_json(&mut out.body);
    out.body.push('}');
    Ok(())
}

fn need_credentials(venue: &Binance) -> Result<&crate::sign::Credentials> {
    venue.credentials.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::Config, "binance: this request needs an API key and its secret")
    })
}
