//! The WebSockets: topics, log in, and orders.

use serde_json::{json, Value};

use super::{market, orders, rest, show, Refusal};
use crate::dialects::Talk;
use crate::faults::RequestFault;
use crate::hub::Connection;
use crate::proof::is_hex_of;
use crate::section::{Product, UserEventKind};
use crate::venue::Venue;

const PRODUCTS: [Product; 2] = [Product::Spot, Product::Usdm];
/// Depths whose changes are told; depth 1 is told whole.
const DEPTHS: [usize; 4] = [50, 200, 500, 1_000];
const PRIVATE: [&str; 4] = ["order", "execution", "position", "wallet"];

/// A connection.
#[derive(Debug)]
pub struct Session {
    /// What its topics are of; private ones have none.
    product: Option<Product>,
    member: Option<usize>,
}

impl Session {
    /// Public topics of a product.
    pub const fn public(product: Product) -> Self {
        Self { product: Some(product), member: None }
    }

    /// A member's topics and orders.
    pub const fn private() -> Self {
        Self { product: None, member: None }
    }
}

impl Talk for Session {
    fn begin(&mut self, _: &mut Venue, _: &mut Connection) {}

    fn is_order(&self, text: &str) -> bool {
        text.contains("\"order.")
    }

    fn hear(
        &mut self,
        venue: &mut Venue,
        connection: &mut Connection,
        text: &str,
        fault: Option<RequestFault>,
        replies: &mut Vec<String>,
    ) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let op = message["op"].as_str().unwrap_or_default();
        let id = &message["req_id"];
        let said = |success: bool, words: &str| {
            json!({
                "success": success, "ret_msg": words, "conn_id": "0", "req_id": id, "op": op,
            })
            .to_string()
        };
        match op {
            "ping" if self.product.is_some() => replies.push(said(true, "pong")),
            "ping" => replies.push(
                json!({
                    "req_id": id, "op": "pong", "args": [venue.now_ms().to_string()],
                    "conn_id": "0", "retCode": 0, "retMsg": "OK",
                })
                .to_string(),
            ),
            "auth" => replies.push(self.log_in(venue, &message)),
            "subscribe" | "unsubscribe" => {
                let topics = message["args"].as_array().cloned().unwrap_or_default();
                let mut unknown = None;
                for topic in topics.iter().filter_map(Value::as_str) {
                    if !self.follow(venue, connection, op, topic) {
                        unknown = Some(topic);
                    }
                }
                replies.push(match unknown {
                    None => said(true, ""),
                    Some(topic) => said(false, &format!("error:handler not found,topic:{topic}")),
                });
            }
            _ => match orders::find(op) {
                Some(found) if self.product.is_none() => {
                    replies.push(self.trade(venue, found, &message, fault));
                }
                _ => replies.push(said(false, "error:unknown op")),
            },
        }
    }
}

/// Where a topic's messages go in the hub; private ones by member.
fn private(topic: &str, member: usize) -> String {
    format!("{topic}#{member}")
}

impl Session {
    fn log_in(&mut self, venue: &Venue, message: &Value) -> String {
        let args = &message["args"];
        // Clients send it as a number or as text.
        let expires = args[1].as_i64().or_else(|| args[1].as_str()?.parse().ok());
        let expires = expires.unwrap_or_default();
        let signed = format!("GET/realtime{expires}");
        let member = args[0].as_str().and_then(|key| venue.member_of(key)).filter(|member| {
            let sign = args[2].as_str().unwrap_or_default();
            is_hex_of(&venue.members[*member].secret, signed.as_bytes(), sign)
        });
        self.member = member.filter(|_| expires > venue.now_ms());
        let success = self.member.is_some();
        // The trading connection answers by code, the private one by success: both are there.
        json!({
            "success": success, "op": "auth", "conn_id": "0", "req_id": message["req_id"],
            "ret_msg": if success { "" } else { "Your api key or signature is invalid" },
            "retCode": if success { 0 } else { 10_004 },
            "retMsg": if success { "OK" } else { "Your api key or signature is invalid" },
        })
        .to_string()
    }

    fn follow(
        &self,
        venue: &mut Venue,
        connection: &mut Connection,
        op: &str,
        topic: &str,
    ) -> bool {
        let subscribes = op == "subscribe";
        let Some(product) = self.product else {
            let name = topic.split('.').next().unwrap_or(topic);
            let Some(member) = self.member.filter(|_| PRIVATE.contains(&name)) else {
                return false;
            };
            let topic = private(name, member);
            if subscribes {
                venue.hub.subscribe(Product::Usdm, &topic, connection);
            } else {
                venue.hub.unsubscribe(Product::Usdm, &topic, connection);
            }
            return true;
        };
        let symbol = topic.rsplit('.').next().unwrap_or_default();
        let Ok(at) = venue.sections[product as usize].symbol(symbol) else { return false };
        if !["orderbook.", "publicTrade.", "tickers.", "kline."]
            .iter()
            .any(|k| topic.starts_with(k))
        {
            return false;
        }
        if !subscribes {
            venue.hub.unsubscribe(product, topic, connection);
            return true;
        }
        // What was not told yet goes to those who follow already, and the snapshot is of now.
        tell_depth(venue);
        venue.hub.subscribe(product, topic, connection);
        let section = &venue.sections[product as usize];
        let now_ms = venue.now_ms();
        if let Some(rest) = topic.strip_prefix("orderbook.") {
            let depth = rest.split('.').next().and_then(|d| d.parse().ok()).unwrap_or(1);
            let book = market::book(section, at, depth);
            // From here on changes are told against what this subscriber has been told.
            venue.sections[product as usize].take_window(at, depth);
            connection.send(wrapped(topic, "snapshot", &book, now_ms).into());
        } else if topic.starts_with("tickers.") {
            let ticker = market::ticker(section, at, now_ms);
            connection.send(wrapped(topic, "snapshot", &ticker, now_ms).into());
        }
        true
    }

    fn trade(
        &self,
        venue: &mut Venue,
        found: (orders::Act, bool),
        message: &Value,
        fault: Option<RequestFault>,
    ) -> String {
        let said = |(code, words, data, more): orders::Answered| {
            json!({
                "reqId": message["reqId"], "retCode": code, "retMsg": words, "op": message["op"],
                "data": data, "retExtInfo": more, "header": {}, "connId": "0",
            })
            .to_string()
        };
        let refused = |refusal: Refusal| said(refusal.outcome());
        let Some(member) = self.member else {
            return refused(Refusal::new(10_003, "Not authenticated"));
        };
        let header = &message["header"];
        let time = header["X-BAPI-TIMESTAMP"].as_str().map(str::to_owned);
        let time = time.unwrap_or_else(|| header["X-BAPI-TIMESTAMP"].to_string());
        let window = header["X-BAPI-RECV-WINDOW"].as_str().unwrap_or("5000");
        if let Err(refusal) = rest::check_time(venue, &time, window) {
            return refused(refusal);
        }
        if let Some(fault) = fault.filter(|fault| !fault.is_carried_out()) {
            return refused(Refusal::of_fault(fault));
        }
        let done = orders::run(venue, member, found, &message["args"][0]);
        match (done, fault) {
            (_, Some(fault)) => refused(Refusal::of_fault(fault)),
            (Ok(answered), None) => said(answered),
            (Err(refusal), None) => refused(refusal),
        }
    }
}

fn wrapped(topic: &str, kind: &str, data: &Value, now_ms: i64) -> String {
    json!({"topic": topic, "type": kind, "ts": now_ms, "data": data, "cts": now_ms}).to_string()
}

/// Tells members and the market what has happened.
pub fn tell(venue: &mut Venue) {
    for product in PRODUCTS {
        tell_members(venue, product);
        for at in 0..venue.sections[product as usize].desk.symbols.len() {
            tell_market(venue, product, at);
        }
    }
}

fn tell_members(venue: &mut Venue, product: Product) {
    let section = &mut venue.sections[product as usize];
    let events = section.desk.take_events();
    let funded = std::mem::take(&mut section.desk.funded);
    let mut moved: Vec<(usize, Option<usize>)> = Vec::new();
    for event in &events {
        let order = &event.order;
        let Some(member) = venue.member_of_account(product, order.account) else { continue };
        let section = &venue.sections[product as usize];
        let shown = show::order(section, order);
        if let UserEventKind::Trade(fill) = &event.kind {
            let execution = show::execution(section, fill);
            send(venue, member, "execution", execution);
            moved.push((member, Some(order.symbol).filter(|_| product == Product::Usdm)));
        } else {
            moved.push((member, None));
        }
        send(venue, member, "order", shown);
    }
    for (account, instrument, received) in funded {
        let Some(member) = venue.member_of_account(product, account) else { continue };
        let symbol = &venue.sections[product as usize].desk.symbols[instrument.index()];
        let paid = json!({
            "category": "linear", "symbol": symbol.instrument.symbol, "orderId": "",
            "execId": format!("funding-{}", venue.now_ms()), "execType": "Funding", "side": "",
            "execFee": crate::text::money(-received.0), "feeCurrency": symbol.instrument.quote,
            "execPrice": "0", "execQty": "0", "execTime": venue.now_ms().to_string(),
        });
        send(venue, member, "execution", paid);
        moved.push((member, Some(instrument.index())));
    }
    moved.sort_unstable();
    moved.dedup();
    for (member, symbol) in moved {
        if let Some(at) = symbol {
            let position = show::position(venue, member, at);
            send(venue, member, "position", position);
        }
        let wallet = show::wallet(venue, member);
        send(venue, member, "wallet", wallet);
    }
}

fn send(venue: &mut Venue, member: usize, topic: &str, data: Value) {
    let now = venue.now_ms();
    let message = json!({
        "id": format!("{member}-{now}"), "topic": topic, "creationTime": now, "data": [data],
    });
    venue.hub.send(Product::Usdm, &private(topic, member), &message.to_string());
}

fn tell_market(venue: &mut Venue, product: Product, at: usize) {
    let now_ms = venue.now_ms();
    let section = &mut venue.sections[product as usize];
    let name = section.desk.symbols[at].instrument.symbol.clone();
    let prints = std::mem::take(&mut section.desk.symbols[at].prints);
    let best = section.take_best(at);
    let topic = format!("publicTrade.{name}");
    if !prints.is_empty() && venue.hub.is_heard(product, &topic) {
        let section = &venue.sections[product as usize];
        let trades: Value = prints.iter().map(|print| market::trade(section, at, print)).collect();
        let message = wrapped(&topic, "snapshot", &trades, now_ms);
        venue.publish(product, &topic, &message);
    }
    let topic = format!("orderbook.1.{name}");
    if best.is_some() && venue.hub.is_heard(product, &topic) {
        let book = market::book(&venue.sections[product as usize], at, 1);
        venue.publish(product, &topic, &wrapped(&topic, "snapshot", &book, now_ms));
    }
}

/// Tells the changes of the books.
pub fn tell_depth(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for product in PRODUCTS {
        for at in 0..venue.sections[product as usize].desk.symbols.len() {
            let Some(news) = venue.sections[product as usize].take_depth(at) else { continue };
            let section = &venue.sections[product as usize];
            let name = section.desk.symbols[at].instrument.symbol.clone();
            for depth in DEPTHS {
                let topic = format!("orderbook.{depth}.{name}");
                if !venue.hub.is_heard(product, &topic) {
                    continue;
                }
                let [bids, asks] = venue.sections[product as usize].take_window(at, depth);
                let section = &venue.sections[product as usize];
                let data = json!({
                    "s": name, "b": market::levels(section, at, &bids),
                    "a": market::levels(section, at, &asks), "u": news.number, "seq": news.last_id,
                });
                venue.publish(product, &topic, &wrapped(&topic, "delta", &data, now_ms));
            }
        }
    }
}

/// Tells tickers.
pub fn tell_tickers(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for product in PRODUCTS {
        for at in 0..venue.sections[product as usize].desk.symbols.len() {
            let section = &venue.sections[product as usize];
            let topic = format!("tickers.{}", section.desk.symbols[at].instrument.symbol);
            if venue.hub.is_heard(product, &topic) {
                let ticker = market::ticker(section, at, now_ms);
                venue.publish(product, &topic, &wrapped(&topic, "snapshot", &ticker, now_ms));
            }
        }
    }
}
