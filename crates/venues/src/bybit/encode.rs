//! Requests: bodies, paths and signatures.

use mainspring_core::{Error, ErrorKind, OrderFlags, OrderType, Result, Side, TimeInForce};

use super::{Bybit, Category};
use crate::listing::Listing;
use crate::numerals::{push_decimal, push_hex_bytes};
use crate::operation::{Amend, Cancel, Operation, OrderKey, Page, Place, UserStream};
use crate::outgoing::{Cost, Host, Method, Outgoing, Via};
use crate::params::{push_json_text, Params};
use crate::sign::{push_percent, Credentials};
use crate::venue::Stream;

/// Spot takes ten topics a frame; the other categories take more.
const TOPICS_PER_FRAME: usize = 10;
/// A log-in is good for so long.
const LOG_IN_MS: u64 = 10_000;

pub(super) fn subscribe(
    category: Category,
    listings: &[&Listing],
    streams: &[Stream],
    id: u64,
    frames: &mut Vec<(usize, String)>,
) {
    let mut topics = Vec::new();
    for stream in streams {
        let topic = match stream {
            Stream::Book => "orderbook.50.",
            Stream::Best => "orderbook.1.",
            Stream::Trades => "publicTrade.",
            Stream::Mark if category == Category::Spot => continue,
            Stream::Mark => "tickers.",
        };
        topics.extend(listings.iter().map(|listing| format!("{topic}{}", listing.symbol())));
    }
    for (at, part) in topics.chunks(TOPICS_PER_FRAME).enumerate() {
        let mut text = String::from("{\"req_id\":\"");
        push_decimal(&mut text, id + at as u64);
        text.push_str("\",\"op\":\"subscribe\",\"args\":[");
        for (at, topic) in part.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push_json_text(&mut text, topic);
        }
        text.push_str("]}");
        frames.push((0, text));
    }
}

struct Route {
    method: Method,
    path: &'static str,
    /// The `op` of the websocket; empty where there is none.
    op: &'static str,
    signed: bool,
    orders: u32,
}

const fn post(path: &'static str, op: &'static str, orders: u32) -> Route {
    Route { method: Method::Post, path, op, signed: true, orders }
}

const fn get(path: &'static str) -> Route {
    Route { method: Method::Get, path, op: "", signed: true, orders: 0 }
}

const fn public(path: &'static str) -> Route {
    Route { method: Method::Get, path, op: "", signed: false, orders: 0 }
}

pub(super) fn encode(
    venue: &mut Bybit,
    operation: &Operation<'_>,
    via: Via,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.start(via, operation.asked());
    if let Operation::UserStream(what) = operation {
        return user_stream(venue, *what, now_ms, out);
    }
    let mut params = std::mem::take(&mut venue.params);
    params.clear();
    let category = venue.settings.category;
    let (operation, part) = match operation {
        Operation::Page(page) => (page.of, *page),
        all => (all, Page { of: all, settled_in: "", limit: 0, after: "" }),
    };
    let encoded = route(category, operation, &part, &mut params).and_then(|route| {
        if part.limit > 0 && !matches!(operation, Operation::Fills { .. } | Operation::Positions(_))
        {
            params.number("limit", u64::from(part.limit));
        }
        finish(venue, &route, &params, part.after, now_ms, out)
    });
    venue.params = params;
    encoded
}

fn route(
    category: Category,
    operation: &Operation<'_>,
    part: &Page<'_>,
    params: &mut Params,
) -> Result<Route> {
    // All orders and positions of contracts are listed by what they are settled in.
    let settlement = if part.settled_in.is_empty() { "USDT" } else { part.settled_in };
    let named = |listing: &Listing, params: &mut Params| {
        params.text("symbol", listing.symbol());
    };
    let of_category = |params: &mut Params| params.text("category", category.word());
    Ok(match operation {
        Operation::Place(place) => {
            order(category, place, params, true)?;
            post("/v5/order/create", "order.create", 1)
        }
        Operation::PlaceMany(places) => {
            batch(category, places, params, |place, one| order(category, place, one, false))?;
            post("/v5/order/create-batch", "order.create-batch", places.len() as u32)
        }
        Operation::Cancel(cancel) => {
            named(cancel.listing, params);
            if category == Category::Spot {
                params.text("orderFilter", "Order");
            }
            key(cancel.order, params);
            of_category(params);
            post("/v5/order/cancel", "order.cancel", 0)
        }
        Operation::CancelArmed(cancel) if category == Category::Spot => {
            named(cancel.listing, params);
            params.text("orderFilter", "StopOrder");
            key(cancel.order, params);
            of_category(params);
            post("/v5/order/cancel", "order.cancel", 0)
        }
        Operation::CancelMany(cancels) => {
            batch(category, cancels, params, |cancel: &Cancel<'_>, one| {
                one.text("symbol", cancel.listing.symbol());
                key(cancel.order, one);
                Ok(())
            })?;
            post("/v5/order/cancel-batch", "order.cancel-batch", 0)
        }
        Operation::CancelAll(listing) => {
            named(listing, params);
            of_category(params);
            post("/v5/order/cancel-all", "", 0)
        }
        Operation::Amend(amend) => {
            amend_params(category, amend, params);
            post("/v5/order/amend", "order.amend", 1)
        }
        Operation::Query { listing, order } | Operation::QueryArmed { listing, order } => {
            named(listing, params);
            key(*order, params);
            of_category(params);
            get("/v5/order/realtime")
        }
        Operation::OpenOrders(listing) => {
            match listing {
                Some(listing) => named(listing, params),
                None if category == Category::Linear => params.text("settleCoin", settlement),
                None => {}
            }
            of_category(params);
            get("/v5/order/realtime")
        }
        Operation::Fills { listing, since_ms, limit } => {
            params.text("execType", "Trade");
            named(listing, params);
            of_category(params);
            params.number("limit", u64::from(*limit).min(100));
            params.number("startTime", since_ms.unsigned_abs());
            get("/v5/execution/list")
        }
        Operation::Balances => {
            params.text("accountType", "UNIFIED");
            get("/v5/account/wallet-balance")
        }
        Operation::Positions(listing) if category != Category::Spot => {
            match listing {
                Some(listing) => named(listing, params),
                None if category == Category::Linear => params.text("settleCoin", settlement),
                None => {}
            }
            params.number("limit", 200);
            of_category(params);
            get("/v5/position/list")
        }
        Operation::MarginTiers(listing) if category != Category::Spot => {
            listing.iter().for_each(|listing| named(listing, params));
            of_category(params);
            public("/v5/market/risk-limit")
        }
        Operation::Leverage { listing, leverage, .. } => {
            let mut text = String::new();
            push_decimal(&mut text, u64::from(*leverage));
            of_category(params);
            named(listing, params);
            params.text("buyLeverage", &text);
            params.text("sellLeverage", &text);
            post("/v5/position/set-leverage", "", 0)
        }
        Operation::MarginMode { cross, .. } => {
            let mode = if *cross { "REGULAR_MARGIN" } else { "ISOLATED_MARGIN" };
            params.text("setMarginMode", mode);
            post("/v5/account/set-margin-mode", "", 0)
        }
        Operation::Countdown { timeout_ms, .. } => {
            params.number("timeWindow", timeout_ms.div_ceil(1_000));
            post("/v5/order/disconnected-cancel-all", "", 0)
        }
        Operation::Book { listing, depth } => {
            named(listing, params);
            of_category(params);
            params.number("limit", u64::from(*depth));
            public("/v5/market/orderbook")
        }
        Operation::Trades { listing, limit } => {
            named(listing, params);
            params.number("limit", u64::from(*limit));
            of_category(params);
            public("/v5/market/recent-trade")
        }
        Operation::Candles { listing, since_ms, limit } => {
            named(listing, params);
            params.number("start", since_ms.unsigned_abs().div_ceil(60_000) * 60_000);
            params.number("limit", u64::from(*limit));
            params.text("interval", "1");
            of_category(params);
            public("/v5/market/kline")
        }
        Operation::Funding(listing) => {
            named(listing, params);
            of_category(params);
            public("/v5/market/tickers")
        }
        Operation::Instruments => {
            of_category(params);
            params.number("limit", 1_000);
            public("/v5/market/instruments-info")
        }
        Operation::Time => public("/v5/market/time"),
        Operation::Rights { .. } => get("/v5/user/query-api"),
        Operation::PositionMode => {
            return refuse("positions say themselves whether they are hedged")
        }
        Operation::Fees(listing) => {
            of_category(params);
            named(listing, params);
            get("/v5/account/fee-rate")
        }
        Operation::Positions(_) | Operation::MarginTiers(_) => {
            return refuse("spot has no positions and no margin brackets");
        }
        Operation::CancelArmed(_)
        | Operation::AmendArmed(_)
        | Operation::CancelAllArmed(_)
        | Operation::ArmedOrders { .. } => {
            return refuse("conditional orders are with the others");
        }
        Operation::Page(_) => return refuse("a part of a part of a list"),
        Operation::UserStream(_) => return refuse("user streams are opened apart"),
    })
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Value, format!("bybit: {what}")))
}

fn key(order: OrderKey<'_>, params: &mut Params) {
    match order {
        OrderKey::Client(id) => params.text("orderLinkId", id),
        OrderKey::Venue(id) => params.text("orderId", id),
    }
}

fn batch<T>(
    category: Category,
    list: &[T],
    params: &mut Params,
    write: impl Fn(&T, &mut Params) -> Result<()>,
) -> Result<()> {
    let mut text = String::from("[");
    for (at, item) in list.iter().enumerate() {
        let mut one = Params::default();
        write(item, &mut one)?;
        if at > 0 {
            text.push(',');
        }
        one.push_json(&mut text);
    }
    text.push(']');
    params.text("category", category.word());
    params.bare("request", &text);
    Ok(())
}

fn order(
    category: Category,
    place: &Place<'_>,
    params: &mut Params,
    with_category: bool,
) -> Result<()> {
    let (terms, instrument) = (&place.terms, &place.listing.instrument);
    let (is_limit, is_conditional) = match terms.order_type {
        OrderType::Limit => (true, false),
        OrderType::Market => (false, false),
        OrderType::StopLimit => (true, true),
        OrderType::Stop | OrderType::TakeProfit => (false, true),
        _ => return refuse("orders are limit, market, stop or take-profit"),
    };
    if place.quote_amount.is_some() && is_limit {
        return refuse("only market orders are placed by their value");
    }
    params.text("symbol", place.listing.symbol());
    params.text("side", if terms.side == Side::Buy { "Buy" } else { "Sell" });
    params.text("orderType", if is_limit { "Limit" } else { "Market" });
    // Good till cancelled is what the venue takes when nothing is said.
    match terms.time_in_force {
        _ if !is_limit => {}
        _ if terms.flags.has(OrderFlags::POST_ONLY) => params.text("timeInForce", "PostOnly"),
        TimeInForce::Ioc => params.text("timeInForce", "IOC"),
        TimeInForce::Fok => params.text("timeInForce", "FOK"),
        TimeInForce::Gtc | TimeInForce::Gtd => {}
    }
    params.some_text("orderLinkId", place.client);
    let closes = terms.flags.has(OrderFlags::REDUCE_ONLY);
    if category == Category::Spot && is_conditional {
        params.text("orderFilter", if closes { "tpslOrder" } else { "StopOrder" });
    }
    if is_limit {
        params.count("price", instrument.tick(), terms.price.0);
    }
    if with_category {
        params.text("category", category.word());
    }
    size(category, place, is_limit, params);
    if is_conditional {
        params.number("triggerDirection", trigger_direction(terms.order_type, terms.side));
        params.count("triggerPrice", instrument.tick(), terms.trigger.0);
    }
    if closes {
        params.truth("reduceOnly", true);
    }
    Ok(())
}

/// Market orders of spot are sized in base unless said otherwise; buys count quote if nothing is said.
fn size(category: Category, place: &Place<'_>, is_limit: bool, params: &mut Params) {
    let instrument = &place.listing.instrument;
    let is_spot_market = category == Category::Spot && !is_limit;
    match place.quote_amount {
        Some(amount) => {
            if is_spot_market && place.terms.side == Side::Sell {
                params.text("marketUnit", "quoteCoin");
            }
            params.count("qty", amount, 1);
        }
        None => {
            if is_spot_market && place.terms.side == Side::Buy {
                params.text("marketUnit", "baseCoin");
            }
            params.count("qty", instrument.lot, place.terms.qty.0);
        }
    }
}

/// 1 when the price must rise to the trigger, 2 when it must fall.
const fn trigger_direction(order_type: OrderType, side: Side) -> u64 {
    match (order_type, side) {
        (OrderType::TakeProfit, Side::Sell) => 1,
        (OrderType::TakeProfit, Side::Buy) | (_, Side::Sell) => 2,
        (_, Side::Buy) => 1,
    }
}

fn amend_params(category: Category, amend: &Amend<'_>, params: &mut Params) {
    let instrument = &amend.listing.instrument;
    params.text("symbol", amend.listing.symbol());
    key(amend.order, params);
    params.text("category", category.word());
    params.count("qty", instrument.lot, amend.qty.0);
    if amend.price != amend.terms.price {
        params.count("price", instrument.tick(), amend.price.0);
    }
}

fn finish(
    venue: &Bybit,
    route: &Route,
    params: &Params,
    after: &str,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.method = route.method;
    out.cost = Cost::of(1, route.orders);
    if let Via::Socket { id } = out.via {
        return socket(venue, route, params, id, now_ms, out);
    }
    out.target.push_str(route.path);
    let mut payload = String::with_capacity(256);
    match route.method {
        Method::Get => {
            params.push_query(&mut payload);
            push_cursor(after, &mut payload);
            if !payload.is_empty() {
                out.target.push('?');
                out.target.push_str(&payload);
            }
        }
        _ => {
            params.push_json(&mut out.body);
            payload.push_str(&out.body);
        }
    }
    match route.signed {
        true => sign(venue, &payload, now_ms, out),
        false => Ok(()),
    }
}

/// Cursors come percent-encoded, and go back as they came.
fn push_cursor(after: &str, payload: &mut String) {
    if after.is_empty() {
        return;
    }
    payload.push_str("&cursor=");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    match after.bytes().all(plain) {
        true => payload.push_str(after),
        false => push_percent(payload, after),
    }
}

fn need_credentials(venue: &Bybit) -> Result<&Credentials> {
    venue.credentials.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::Config, "bybit: this request needs an API key and its secret")
    })
}

fn sign(venue: &Bybit, payload: &str, now_ms: i64, out: &mut Outgoing) -> Result<()> {
    let credentials = need_credentials(venue)?;
    let (mut time, mut window) = (String::with_capacity(16), String::with_capacity(8));
    push_decimal(&mut time, now_ms.unsigned_abs());
    push_decimal(&mut window, u64::from(venue.settings.recv_window_ms));
    let parts = [time.as_bytes(), credentials.key.expose(), window.as_bytes(), payload.as_bytes()];
    let code = credentials.need_hmac()?.code_of(&parts);
    out.header("Content-Type").push_str("application/json");
    out.header("X-BAPI-API-KEY").push_str(credentials.key.expose_text());
    out.header("X-BAPI-TIMESTAMP").push_str(&time);
    out.header("X-BAPI-RECV-WINDOW").push_str(&window);
    push_hex_bytes(out.header("X-BAPI-SIGN"), &code);
    Ok(())
}

/// The connection is logged in: frames are not signed one by one.
fn socket(
    venue: &Bybit,
    route: &Route,
    params: &Params,
    id: u64,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    if route.op.is_empty() {
        return refuse("the websocket has no such request: send it by HTTP");
    }
    out.host = Host::Trade;
    out.body.push_str("{\"reqId\":\"");
    push_decimal(&mut out.body, id);
    out.body.push_str("\",\"header\":{\"X-BAPI-TIMESTAMP\":\"");
    push_decimal(&mut out.body, now_ms.unsigned_abs());
    out.body.push_str("\",\"X-BAPI-RECV-WINDOW\":\"");
    push_decimal(&mut out.body, u64::from(venue.settings.recv_window_ms));
    out.body.push_str("\"},\"op\":\"");
    out.body.push_str(route.op);
    out.body.push_str("\",\"args\":[");
    params.push_json(&mut out.body);
    out.body.push_str("]}");
    Ok(())
}

fn user_stream(venue: &Bybit, what: UserStream<'_>, now_ms: i64, out: &mut Outgoing) -> Result<()> {
    if matches!(out.via, Via::Http) {
        return refuse("user events come by the websocket alone: ask by socket");
    }
    out.host = Host::User;
    match what {
        UserStream::Open => {
            let credentials = need_credentials(venue)?;
            let mut expires = String::with_capacity(16);
            push_decimal(&mut expires, now_ms.unsigned_abs() + LOG_IN_MS);
            let code = credentials.need_hmac()?.code_of(&[b"GET/realtime", expires.as_bytes()]);
            out.body.push_str("{\"op\":\"auth\",\"args\":[");
            push_json_text(&mut out.body, credentials.key.expose_text());
            out.body.push(',');
            out.body.push_str(&expires);
            out.body.push_str(",\"");
            push_hex_bytes(&mut out.body, &code);
            out.body.push_str("\"]}");
            Ok(())
        }
        UserStream::Subscribe => {
            out.body.push_str(
                "{\"op\":\"subscribe\",\"args\":[\"order\",\"execution\",\"position\",\"wallet\"]}",
            );
            Ok(())
        }
        UserStream::SubscribeArmed => {
            refuse("orders that wait for their trigger are told with the others")
        }
        UserStream::KeepAlive(_) | UserStream::Close(_) => {
            refuse("user streams have no keys to keep alive")
        }
    }
}
