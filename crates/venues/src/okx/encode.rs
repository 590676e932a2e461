//! Requests: bodies, paths and signatures.

use mainspring_core::{
    Error, ErrorKind, InstrumentKind, OrderFlags, OrderType, Result, Side, TimeInForce,
};

use super::{Okx, Product, Settings};
use crate::civil::push_iso_ms;
use crate::listing::{Code, Listing};
use crate::numerals::push_decimal;
use crate::operation::{Amend, Cancel, Operation, OrderKey, Place, UserStream};
use crate::outgoing::{Cost, Host, Method, Outgoing, Via};
use crate::params::{push_json_text, Params};
use crate::sign::{push_base64, Credentials};
use crate::venue::Stream;

/// Fills of the last three days are in one list, older ones in another.
const RECENT_FILLS_MS: i64 = 3 * 86_400_000;

pub(super) fn subscribe(
    listings: &[&Listing],
    streams: &[Stream],
    id: u64,
    frames: &mut Vec<(usize, String)>,
) {
    let mut text = String::from("{\"id\":\"");
    push_decimal(&mut text, id);
    text.push_str("\",\"op\":\"subscribe\",\"args\":[");
    let mut first = true;
    for stream in streams {
        let channels: &[&str] = match stream {
            Stream::Book => &["books"],
            Stream::Best => &["bbo-tbt"],
            Stream::Trades => &["trades"],
            Stream::Mark => &["mark-price", "funding-rate"],
        };
        for (channel, listing) in channels.iter().flat_map(|c| listings.iter().map(move |l| (c, l)))
        {
            // Spot has a mark price of its margin, and no funding.
            if *stream == Stream::Mark && !listing.instrument.kind.is_derivative() {
                continue;
            }
            if !std::mem::take(&mut first) {
                text.push(',');
            }
            text.push_str("{\"channel\":");
            push_json_text(&mut text, channel);
            text.push_str(",\"instId\":");
            push_json_text(&mut text, listing.symbol());
            text.push('}');
        }
    }
    text.push_str("]}");
    if !first {
        frames.push((0, text));
    }
}

struct Route {
    method: Method,
    path: &'static str,
    /// The `op` of the websocket; empty where there is none.
    op: &'static str,
    signed: bool,
    /// Whether the body is an array of `bodies`.
    list: bool,
}

const fn post(path: &'static str, op: &'static str) -> Route {
    Route { method: Method::Post, path, op, signed: true, list: false }
}

const fn get(path: &'static str) -> Route {
    Route { method: Method::Get, path, op: "", signed: true, list: false }
}

const fn public(path: &'static str) -> Route {
    Route { method: Method::Get, path, op: "", signed: false, list: false }
}

pub(super) fn encode(
    venue: &mut Okx,
    operation: &Operation<'_>,
    via: Via,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.start(via, operation.asked());
    if let Operation::UserStream(what) = operation {
        return user_stream(venue, *what, now_ms, out);
    }
    let socket = matches!(via, Via::Socket { .. });
    let mut params = std::mem::take(&mut venue.params);
    params.clear();
    let mut bodies = String::new();
    let encoded = route(&venue.settings, operation, socket, now_ms, &mut params, &mut bodies)
        .and_then(|route| finish(venue, &route, &params, &bodies, now_ms, out));
    venue.params = params;
    encoded
}

fn route(
    settings: &Settings,
    operation: &Operation<'_>,
    socket: bool,
    now_ms: i64,
    params: &mut Params,
    bodies: &mut String,
) -> Result<Route> {
    let symbol = |listing: &Listing, params: &mut Params| params.text("instId", listing.symbol());
    Ok(match operation {
        Operation::Place(place) if is_conditional(place.terms.order_type) => {
            algo(settings, place, params)?;
            post("/api/v5/trade/order-algo", "")
        }
        Operation::Place(place) => {
            order(settings, place, socket, params)?;
            post("/api/v5/trade/order", "order")
        }
        Operation::PlaceMany(places) => {
            for place in *places {
                let mut one = Params::default();
                order(settings, place, socket, &mut one)?;
                push_body(&one, bodies);
            }
            Route { list: true, ..post("/api/v5/trade/batch-orders", "batch-orders") }
        }
        Operation::Cancel(cancel) => {
            name(cancel.listing, socket, params)?;
            key(cancel.order, params);
            post("/api/v5/trade/cancel-order", "cancel-order")
        }
        Operation::CancelMany(cancels) => {
            for cancel in *cancels {
                push_body(&cancel_params(cancel, socket)?, bodies);
            }
            Route { list: true, ..post("/api/v5/trade/cancel-batch-orders", "batch-cancel-orders") }
        }
        Operation::CancelArmed(cancel) => {
            let mut one = Params::default();
            algo_key(cancel.order, &mut one);
            symbol(cancel.listing, &mut one);
            push_body(&one, bodies);
            Route { list: true, ..post("/api/v5/trade/cancel-algos", "") }
        }
        Operation::QueryArmed { order, .. } => {
            algo_key(*order, params);
            get("/api/v5/trade/order-algo")
        }
        // Triggers, and what closes: each kind has a list of its own.
        Operation::ArmedOrders { listing, list } => {
            params.text("ordType", if *list == 0 { "trigger" } else { "conditional" });
            listing.iter().for_each(|listing| symbol(listing, params));
            get("/api/v5/trade/orders-algo-pending")
        }
        Operation::Page(page) => {
            let route = route(settings, page.of, socket, now_ms, params, bodies)?;
            params.some_text("after", page.after);
            route
        }
        Operation::Amend(amend) => {
            amend_params(amend, socket, params)?;
            post("/api/v5/trade/amend-order", "amend-order")
        }
        Operation::AmendArmed(amend) => {
            amend_algo_params(amend, params);
            post("/api/v5/trade/amend-algos", "")
        }
        Operation::Query { listing, order } => {
            symbol(listing, params);
            key(*order, params);
            get("/api/v5/trade/order")
        }
        Operation::OpenOrders(listing) => {
            listing.iter().for_each(|listing| symbol(listing, params));
            get("/api/v5/trade/orders-pending")
        }
        Operation::Fills { listing, since_ms, limit } => {
            symbol(listing, params);
            params.number("begin", since_ms.unsigned_abs());
            params.text("instType", inst_type(listing));
            params.number("limit", u64::from(*limit).min(100));
            match now_ms - since_ms < RECENT_FILLS_MS {
                true => get("/api/v5/trade/fills"),
                false => get("/api/v5/trade/fills-history"),
            }
        }
        Operation::Balances => get("/api/v5/account/balance"),
        Operation::Positions(listing) => {
            listing.iter().for_each(|listing| symbol(listing, params));
            get("/api/v5/account/positions")
        }
        Operation::MarginTiers(Some(listing)) => {
            params.text("instType", inst_type(listing));
            params.text("tdMode", margin(settings));
            params.text("instFamily", family(listing));
            public("/api/v5/public/position-tiers")
        }
        Operation::Leverage { listing, leverage, cross }
        | Operation::MarginMode { listing, leverage, cross } => {
            params.number("lever", u64::from(*leverage));
            params.text("mgnMode", if *cross { "cross" } else { "isolated" });
            symbol(listing, params);
            post("/api/v5/account/set-leverage", "")
        }
        Operation::Countdown { timeout_ms, .. } => {
            let mut seconds = String::new();
            push_decimal(&mut seconds, timeout_ms.div_ceil(1_000));
            params.text("timeOut", &seconds);
            post("/api/v5/trade/cancel-all-after", "")
        }
        Operation::Book { listing, depth } => {
            symbol(listing, params);
            params.number("sz", u64::from(*depth));
            public("/api/v5/market/books")
        }
        Operation::Trades { listing, limit } => {
            symbol(listing, params);
            params.number("limit", u64::from(*limit));
            public("/api/v5/market/trades")
        }
        Operation::Candles { listing, since_ms, limit } => {
            symbol(listing, params);
            params.text("bar", "1m");
            params.number("limit", u64::from(*limit));
            params.number("before", (since_ms - 1).unsigned_abs());
            params.number("after", (since_ms + i64::from(*limit) * 60_000).unsigned_abs());
            public("/api/v5/market/candles")
        }
        Operation::Funding(listing) => {
            symbol(listing, params);
            public("/api/v5/public/funding-rate")
        }
        Operation::Instruments => {
            params.text("instType", settings.product.word());
            public("/api/v5/public/instruments")
        }
        Operation::Time => public("/api/v5/public/time"),
        Operation::Rights { .. } | Operation::PositionMode => get("/api/v5/account/config"),
        Operation::Fees(listing) => {
            params.text("instType", settings.product.word());
            match settings.product {
                Product::Spot => symbol(listing, params),
                Product::Swap | Product::Futures => {
                    params.text("instFamily", family(listing));
                }
            }
            get("/api/v5/account/trade-fee")
        }
        Operation::CancelAll(_) | Operation::CancelAllArmed(_) => {
            return refuse("there is no cancel of all: list the open orders and cancel in batches");
        }
        Operation::MarginTiers(None) => {
            return refuse("margin brackets are per instrument: name one")
        }
        Operation::UserStream(_) => return refuse("user streams are opened apart"),
    })
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Value, format!("okx: {what}")))
}

const fn is_conditional(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit)
}

fn push_body(one: &Params, bodies: &mut String) {
    if !bodies.is_empty() {
        bodies.push(',');
    }
    one.push_json(bodies);
}

/// The websocket names instruments by number since 2026, HTTP by symbol.
fn name(listing: &Listing, socket: bool, params: &mut Params) -> Result<()> {
    match (socket, listing.code) {
        (false, _) => params.text("instId", listing.symbol()),
        (true, Code::Okx { inst_id_code }) => params.number("instIdCode", inst_id_code),
        (true, _) => {
            return refuse(
                "the instrument's number (instIdCode) is not known: read the instruments",
            );
        }
    }
    Ok(())
}

fn key(order: OrderKey<'_>, params: &mut Params) {
    match order {
        OrderKey::Client(id) => params.text("clOrdId", id),
        OrderKey::Venue(id) => params.text("ordId", id),
    }
}

fn inst_type(listing: &Listing) -> &'static str {
    match listing.instrument.kind {
        InstrumentKind::Spot => "SPOT",
        InstrumentKind::LinearPerpetual | InstrumentKind::InversePerpetual => "SWAP",
        InstrumentKind::LinearFuture | InstrumentKind::InverseFuture => "FUTURES",
    }
}

fn algo_key(order: OrderKey<'_>, params: &mut Params) {
    match order {
        OrderKey::Client(id) => params.text("algoClOrdId", id),
        OrderKey::Venue(id) => params.text("algoId", id),
    }
}

/// `BTC-USDT` of `BTC-USDT-SWAP`.
fn family(listing: &Listing) -> &str {
    let symbol = listing.symbol();
    let second = symbol.match_indices('-').nth(1).map_or(symbol.len(), |(at, _)| at);
    &symbol[..second]
}

const fn margin(settings: &Settings) -> &'static str {
    if settings.isolated {
        "isolated"
    } else {
        "cross"
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn order_word(place: &Place<'_>) -> Result<&'static str> {
    let terms = &place.terms;
    Ok(match (terms.order_type, terms.time_in_force) {
        (OrderType::Market, _) => "market",
        (OrderType::Limit, _) if terms.flags.has(OrderFlags::POST_ONLY) => "post_only",
        (OrderType::Limit, TimeInForce::Gtc | TimeInForce::Gtd) => "limit",
        (OrderType::Limit, TimeInForce::Ioc) => "ioc",
        (OrderType::Limit, TimeInForce::Fok) => "fok",
        _ => return refuse("orders are limit, market, stop or take-profit"),
    })
}

/// What every new order begins with; spot orders are sized in base whatever their type.
fn begin(settings: &Settings, place: &Place<'_>, word: &str, params: &mut Params) {
    let instrument = &place.listing.instrument;
    params.text("side", side_word(place.terms.side));
    params.text("ordType", word);
    match place.quote_amount {
        Some(amount) => params.count("sz", amount, 1),
        None => params.count("sz", instrument.lot, place.terms.qty.0),
    }
    if instrument.kind == InstrumentKind::Spot {
        params.text("tdMode", "cash");
        let currency = if place.quote_amount.is_some() { "quote_ccy" } else { "base_ccy" };
        params.text("tgtCcy", currency);
    } else {
        params.text("tdMode", margin(settings));
    }
}

fn order(settings: &Settings, place: &Place<'_>, socket: bool, params: &mut Params) -> Result<()> {
    let terms = &place.terms;
    let word = order_word(place)?;
    if place.quote_amount.is_some() && word != "market" {
        return refuse("only market orders are placed by their value");
    }
    name(place.listing, socket, params)?;
    begin(settings, place, word, params);
    if terms.order_type == OrderType::Limit {
        params.count("px", place.listing.instrument.tick(), terms.price.0);
    }
    params.some_text("clOrdId", place.client);
    params.some_text("tag", &settings.tag);
    if terms.flags.has(OrderFlags::REDUCE_ONLY) {
        params.truth("reduceOnly", true);
    }
    Ok(())
}

/// A trigger order opens or closes; with reduce-only it is a stop loss or take profit, which closes.
fn algo(settings: &Settings, place: &Place<'_>, params: &mut Params) -> Result<()> {
    let (terms, tick) = (&place.terms, place.listing.instrument.tick());
    params.text("instId", place.listing.symbol());
    let closes = terms.flags.has(OrderFlags::REDUCE_ONLY);
    let (word, keys) = match (closes, terms.order_type) {
        (false, _) => ("trigger", ["triggerPx", "orderPx", "triggerPxType"]),
        (true, OrderType::TakeProfit) => {
            ("conditional", ["tpTriggerPx", "tpOrdPx", "tpTriggerPxType"])
        }
        (true, _) => ("conditional", ["slTriggerPx", "slOrdPx", "slTriggerPxType"]),
    };
    begin(settings, place, word, params);
    params.count(keys[0], tick, terms.trigger.0);
    match terms.order_type {
        OrderType::StopLimit => params.count(keys[1], tick, terms.price.0),
        _ => params.text(keys[1], "-1"),
    }
    if closes {
        params.text(keys[2], "last");
        if place.listing.instrument.kind.is_derivative() {
            params.truth("reduceOnly", true);
        }
    }
    params.some_text("algoClOrdId", place.client);
    params.some_text("tag", &settings.tag);
    Ok(())
}

fn cancel_params(cancel: &Cancel<'_>, socket: bool) -> Result<Params> {
    let mut one = Params::default();
    key(cancel.order, &mut one);
    name(cancel.listing, socket, &mut one)?;
    Ok(one)
}

fn amend_params(amend: &Amend<'_>, socket: bool, params: &mut Params) -> Result<()> {
    let instrument = &amend.listing.instrument;
    name(amend.listing, socket, params)?;
    key(amend.order, params);
    params.count("newSz", instrument.lot, amend.qty.0);
    if amend.price != amend.terms.price {
        params.count("newPx", instrument.tick(), amend.price.0);
    }
    Ok(())
}

/// A trigger's price and that of its order are changed together:
/// <https://www.okx.com/docs-v5/en/#order-book-trading-algo-trading-post-amend-algo-order>.
fn amend_algo_params(amend: &Amend<'_>, params: &mut Params) {
    let (instrument, before) = (&amend.listing.instrument, &amend.terms);
    params.text("instId", amend.listing.symbol());
    algo_key(amend.order, params);
    params.count("newSz", instrument.lot, amend.qty.0);
    let closes = before.flags.has(OrderFlags::REDUCE_ONLY);
    let (at, limit) = match (closes, before.order_type) {
        (false, _) => ("newTriggerPx", "newOrdPx"),
        (true, OrderType::TakeProfit) => ("newTpTriggerPx", "newTpOrdPx"),
        (true, _) => ("newSlTriggerPx", "newSlOrdPx"),
    };
    if before.order_type == OrderType::StopLimit {
        params.count(at, instrument.tick(), before.trigger.0);
        params.count(limit, instrument.tick(), amend.price.0);
    } else {
        params.count(at, instrument.tick(), amend.price.0);
        params.text(limit, "-1");
    }
}

fn finish(
    venue: &Okx,
    route: &Route,
    params: &Params,
    bodies: &str,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.method = route.method;
    let orders = u32::from(matches!(route.op, "order" | "amend-order" | "batch-orders"));
    out.cost = Cost::of(1, orders);
    if let Via::Socket { id } = out.via {
        return socket(venue, route, params, bodies, id, now_ms, out);
    }
    out.target.push_str(route.path);
    match (route.method, route.list) {
        (Method::Get, _) if params.is_empty() => {}
        (Method::Get, _) => {
            out.target.push('?');
            params.push_query(&mut out.target);
        }
        (_, false) => params.push_json(&mut out.body),
        (_, true) => {
            out.body.push('[');
            out.body.push_str(bodies);
            out.body.push(']');
        }
    }
    if venue.settings.demo {
        out.header("x-simulated-trading").push('1');
    }
    if route.signed {
        sign(venue, now_ms, out)?;
    }
    Ok(())
}

fn need_credentials(venue: &Okx) -> Result<(&Credentials, &str)> {
    let credentials = venue.credentials.as_ref();
    credentials.and_then(|all| Some((all, all.passphrase.as_ref()?.expose_text()))).ok_or_else(
        || {
            let what = "okx: this request needs an API key, its secret and its passphrase";
            Error::new(ErrorKind::Config, what)
        },
    )
}

fn sign(venue: &Okx, now_ms: i64, out: &mut Outgoing) -> Result<()> {
    let (credentials, passphrase) = need_credentials(venue)?;
    let mut time = String::with_capacity(24);
    push_iso_ms(&mut time, now_ms);
    let parts = [&time, out.method.name(), &out.target, &out.body];
    let code = credentials.need_hmac()?.code_of(&parts.map(str::as_bytes));
    out.header("OK-ACCESS-KEY").push_str(credentials.key.expose_text());
    push_base64(out.header("OK-ACCESS-SIGN"), &code);
    out.header("OK-ACCESS-TIMESTAMP").push_str(&time);
    out.header("OK-ACCESS-PASSPHRASE").push_str(passphrase);
    out.header("Content-Type").push_str("application/json");
    if venue.settings.expire_ms > 0 && out.method == Method::Post {
        push_decimal(out.header("expTime"), now_ms.unsigned_abs() + venue.settings.expire_ms);
    }
    Ok(())
}

fn socket(
    venue: &Okx,
    route: &Route,
    params: &Params,
    bodies: &str,
    id: u64,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    if route.op.is_empty() {
        return refuse("the websocket has no such request: send it by HTTP");
    }
    out.host = Host::Trade;
    out.body.push_str("{\"id\":\"");
    push_decimal(&mut out.body, id);
    out.body.push_str("\",\"op\":\"");
    out.body.push_str(route.op);
    if venue.settings.expire_ms > 0 {
        out.body.push_str("\",\"expTime\":\"");
        push_decimal(&mut out.body, now_ms.unsigned_abs() + venue.settings.expire_ms);
    }
    out.body.push_str("\",\"args\":[");
    match route.list {
        true => out.body.push_str(bodies),
        false => params.push_json(&mut out.body),
    }
    out.body.push_str("]}");
    Ok(())
}

fn user_stream(venue: &Okx, what: UserStream<'_>, now_ms: i64, out: &mut Outgoing) -> Result<()> {
    if matches!(out.via, Via::Http) {
        return refuse("user events come by the websocket alone: ask by socket");
    }
    out.host = Host::User;
    match what {
        UserStream::Open => {
            let (credentials, passphrase) = need_credentials(venue)?;
            let mut seconds = String::new();
            push_decimal(&mut seconds, now_ms.unsigned_abs() / 1_000);
            let parts = [seconds.as_bytes(), b"GET", b"/users/self/verify"];
            let code = credentials.need_hmac()?.code_of(&parts);
            let mut signature = String::new();
            push_base64(&mut signature, &code);
            let mut params = Params::default();
            params.text("apiKey", credentials.key.expose_text());
            params.text("passphrase", passphrase);
            params.text("timestamp", &seconds);
            params.text("sign", &signature);
            out.body.push_str("{\"op\":\"login\",\"args\":[");
            params.push_json(&mut out.body);
            out.body.push_str("]}");
            Ok(())
        }
        UserStream::Subscribe => {
            out.body.push_str(
                "{\"op\":\"subscribe\",\"args\":[{\"channel\":\"orders\",\"instType\":\"ANY\"},\
                 {\"channel\":\"account\"},{\"channel\":\"positions\",\"instType\":\"ANY\"}]}",
            );
            Ok(())
        }
        UserStream::SubscribeArmed => {
            out.body.push_str(
                "{\"op\":\"subscribe\",\"args\":[{\"channel\":\"orders-algo\",\"instType\":\"ANY\"}]}",
            );
            Ok(())
        }
        UserStream::KeepAlive(_) | UserStream::Close(_) => {
            refuse("user streams have no keys to keep alive")
        }
    }
}
