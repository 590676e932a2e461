//! The WebSockets: channels, log in, and orders.

use serde_json::{json, Value};

use super::{market, orders, rest, show, symbol_of, Refusal};
use crate::dialects::Talk;
use crate::faults::RequestFault;
use crate::fields::Fields;
use crate::hub::Connection;
use crate::proof::is_base64_of;
use crate::section::{Product, UserEventKind};
use crate::venue::Venue;

const PRODUCTS: [Product; 2] = [Product::Spot, Product::Usdm];
const LOGIN_WINDOW_S: i64 = 30;
/// Levels that a subscription to a whole book begins with.
const DEPTH: usize = 400;

/// A connection.
#[derive(Debug)]
pub struct Session {
    member: Option<usize>,
    /// Whether it is at the address that tells members of orders which wait for their trigger, and of nothing
    /// else.
    is_business: bool,
}

impl Talk for Session {
    fn begin(&mut self, _: &mut Venue, _: &mut Connection) {}

    fn is_order(&self, text: &str) -> bool {
        let ops = ["order", "cancel-order", "amend-order"];
        let named = |op: &str| text.contains(&format!("\"{op}\""));
        ops.iter().any(|op| named(op)) || text.contains("\"batch-")
    }

    fn hear(
        &mut self,
        venue: &mut Venue,
        connection: &mut Connection,
        text: &str,
        fault: Option<RequestFault>,
        replies: &mut Vec<String>,
    ) {
        if text == "ping" {
            replies.push("pong".to_owned());
            return;
        }
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            replies.push(error(60_012, "Illegal request", &Value::Null));
            return;
        };
        let op = message["op"].as_str().unwrap_or_default();
        let args = message["args"].as_array().cloned().unwrap_or_default();
        let id = &message["id"];
        match op {
            "login" => replies.push(self.log_in(venue, &args)),
            "subscribe" | "unsubscribe" => {
                for arg in &args {
                    replies.push(self.follow(venue, connection, op, arg, id));
                }
            }
            _ => match orders::of_op(op) {
                Some(act) => replies.push(self.trade(venue, op, act, &args, id, fault)),
                None => replies.push(error(60_012, "Illegal request", id)),
            },
        }
    }
}

fn error(code: u32, message: &str, id: &Value) -> String {
    json!({
        "event": "error", "code": code.to_string(), "msg": message, "connId": "0", "id": id,
    })
    .to_string()
}

/// Where a channel's messages go in the hub; private ones by account.
fn topic(channel: &str, of: &str) -> String {
    format!("{channel}:{of}")
}

impl Session {
    /// A connection at one of the addresses for members or the market, or at that for business.
    pub const fn at(is_business: bool) -> Self {
        Self { member: None, is_business }
    }

    fn log_in(&mut self, venue: &Venue, args: &[Value]) -> String {
        let fields = args.first().map(Fields::of).unwrap_or_default();
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let Some(member) = venue.member_of(&text("apiKey")) else {
            return error(60_005, "Invalid apiKey", &Value::Null);
        };
        let keys = &venue.members[member];
        let time = text("timestamp");
        if keys.passphrase != text("passphrase") {
            return error(60_024, "Wrong passphrase", &Value::Null);
        }
        let seconds: f64 = time.parse().unwrap_or(0.0);
        if (venue.now_ms() as f64 / 1e3 - seconds).abs() > LOGIN_WINDOW_S as f64 {
            return error(60_006, "Timestamp request expired", &Value::Null);
        }
        let signed = format!("{time}GET/users/self/verify");
        if !is_base64_of(&keys.secret, signed.as_bytes(), &text("sign")) {
            return error(60_007, "Invalid sign", &Value::Null);
        }
        self.member = Some(member);
        json!({"event": "login", "code": "0", "msg": "", "connId": "0"}).to_string()
    }

    fn follow(
        &self,
        venue: &mut Venue,
        connection: &mut Connection,
        op: &str,
        arg: &Value,
        id: &Value,
    ) -> String {
        let channel = arg["channel"].as_str().unwrap_or_default();
        let is_private = PRIVATE.contains(&channel);
        let name = arg["instId"].as_str().unwrap_or_default();
        let nowhere = || {
            let text = format!("Wrong URL or channel:{channel} doesn't exist.");
            error(60_018, &text, id)
        };
        let (product, of) = if is_private {
            if self.is_business != (channel == "orders-algo") {
                return nowhere();
            }
            let Some(member) = self.member else {
                return error(60_011, "Please log in", id);
            };
            (Product::Usdm, member.to_string())
        } else if !PUBLIC.contains(&channel) {
            return nowhere();
        } else {
            match symbol_of(venue, name) {
                Ok((product, _)) => (product, name.to_owned()),
                Err(_) => {
                    let message =
                        format!("Wrong URL or channel:{channel},instId:{name} doesn't exist.");
                    return error(60_018, &message, id);
                }
            }
        };
        let topic = topic(channel, &of);
        if op == "unsubscribe" {
            venue.hub.unsubscribe(product, &topic, connection);
        } else {
            if !is_private {
                // What was not told yet goes to those who follow already, and the snapshot is of now.
                tell_depth(venue);
            }
            venue.hub.subscribe(product, &topic, connection);
            if let Some(first) = self.first(venue, product, channel, name) {
                // Beside the queue's order there is none: the reply goes out before it.
                connection.send(first.to_string().into());
            }
        }
        json!({"event": op, "arg": arg, "connId": "0", "id": id}).to_string()
    }

    /// What a subscription begins with.
    fn first(&self, venue: &Venue, product: Product, channel: &str, name: &str) -> Option<Value> {
        let section = &venue.sections[product as usize];
        let now_ms = venue.now_ms();
        let arg = json!({"channel": channel, "instId": name});
        if let (Some(member), true) = (self.member, PRIVATE.contains(&channel)) {
            let arg = json!({"channel": channel});
            return match channel {
                "account" => Some(json!({"arg": arg, "data": [show::account(venue, member)]})),
                "positions" => {
                    Some(json!({"arg": arg, "data": show::positions(venue, member, None)}))
                }
                _ => None,
            };
        }
        let at = section.symbol(name).ok()?;
        let data = match channel {
            "books" | "books-l2-tbt" | "books50-l2-tbt" => {
                let book = market::book(section, at, DEPTH, now_ms);
                return Some(json!({"arg": arg, "action": "snapshot", "data": [book]}));
            }
            "books5" => market::book(section, at, 5, now_ms),
            "bbo-tbt" => market::book(section, at, 1, now_ms),
            "tickers" => market::ticker(section, at, now_ms),
            "mark-price" => market::mark(section, at, now_ms),
            "funding-rate" => market::funding(section, at, now_ms),
            "instruments" => return None,
            _ => return None,
        };
        Some(json!({"arg": arg, "data": [data]}))
    }

    fn trade(
        &self,
        venue: &mut Venue,
        op: &str,
        act: orders::Act,
        args: &[Value],
        id: &Value,
        fault: Option<RequestFault>,
    ) -> String {
        let now_us = (venue.now_ns() / 1_000).to_string();
        let said = |(code, message, data): (u32, String, Value)| {
            json!({
                "id": id, "op": op, "code": code.to_string(), "msg": message, "data": data,
                "inTime": now_us, "outTime": now_us,
            })
            .to_string()
        };
        let refused = |refusal: Refusal| said((refusal.code, refusal.message, json!([])));
        let Some(member) = self.member else {
            return refused(Refusal::new(60_011, "Please log in"));
        };
        if let Some(fault) = fault.filter(|fault| !fault.is_carried_out()) {
            return refused(Refusal::of_fault(fault));
        }
        if let Err(refusal) = rest::take_orders(venue, member, args.len()) {
            return refused(refusal);
        }
        let done = orders::each(venue, member, act, args);
        match fault {
            Some(fault) => refused(Refusal::of_fault(fault)),
            None => said(done),
        }
    }
}

const PUBLIC: [&str; 12] = [
    "books",
    "books5",
    "books-l2-tbt",
    "books50-l2-tbt",
    "bbo-tbt",
    "trades",
    "trades-all",
    "tickers",
    "mark-price",
    "funding-rate",
    "open-interest",
    "candle1m",
];
const PRIVATE: [&str; 6] =
    ["orders", "orders-algo", "account", "positions", "fills", "balance_and_position"];

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
    let events = std::mem::take(&mut section.desk.events);
    let funded = std::mem::take(&mut section.desk.funded);
    let mut moved: Vec<usize> = Vec::new();
    for event in &events {
        let account = event.order.account;
        let Some(member) = venue.member_of_account(product, account) else { continue };
        let section = &venue.sections[product as usize];
        let fill = match &event.kind {
            UserEventKind::Trade(fill) => Some(fill),
            _ => None,
        };
        let is_trigger = matches!(event.kind, UserEventKind::Triggered);
        let waits = event.order.is_armed || show::has_failed(&event.order);
        let algo = (waits || is_trigger).then(|| show::algo(section, &event.order));
        let order = (!waits).then(|| show::order(section, &event.order, fill));
        if let Some(shown) = algo {
            send(venue, member, "orders-algo", shown);
        }
        if let Some(mut shown) = order {
            if matches!(event.kind, UserEventKind::Amended) {
                shown["amendResult"] = "0".into();
            }
            send(venue, member, "orders", shown);
        }
        if let Some(fill) = fill {
            let shown = show::fill(&venue.sections[product as usize], fill);
            send(venue, member, "fills", shown);
        }
        moved.push(member);
    }
    for (account, ..) in &funded {
        moved.extend(venue.member_of_account(product, *account));
    }
    moved.sort_unstable();
    moved.dedup();
    for member in moved {
        let account = show::account(venue, member);
        send(venue, member, "account", account);
        if product == Product::Usdm {
            let touched = events.iter().map(|event| event.order.symbol).next();
            for position in show::positions(venue, member, touched) {
                send(venue, member, "positions", position);
            }
        }
    }
}

fn send(venue: &mut Venue, member: usize, channel: &str, data: Value) {
    let arg = json!({"channel": channel, "instType": "ANY", "uid": member.to_string()});
    let message = json!({"arg": arg, "data": [data]}).to_string();
    venue.hub.send(Product::Usdm, &topic(channel, &member.to_string()), &message);
}

fn publish(venue: &mut Venue, product: Product, channel: &str, name: &str, data: &Value) {
    let message = json!({"arg": {"channel": channel, "instId": name}, "data": [data]});
    venue.publish(product, &topic(channel, name), &message.to_string());
}

fn tell_market(venue: &mut Venue, product: Product, at: usize) {
    let section = &mut venue.sections[product as usize];
    let name = section.desk.symbols[at].instrument.symbol.clone();
    let prints = std::mem::take(&mut section.desk.symbols[at].prints);
    let best = section.take_best(at);
    for channel in ["trades", "trades-all"] {
        if venue.hub.is_heard(product, &topic(channel, &name)) {
            for print in &prints {
                let trade = market::trade(&venue.sections[product as usize], at, print);
                publish(venue, product, channel, &name, &trade);
            }
        }
    }
    if best.is_some() && venue.hub.is_heard(product, &topic("bbo-tbt", &name)) {
        let book = market::book(&venue.sections[product as usize], at, 1, venue.now_ms());
        publish(venue, product, "bbo-tbt", &name, &book);
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
            let data = json!({
                "asks": market::levels(section, at, &news.asks),
                "bids": market::levels(section, at, &news.bids), "ts": now_ms.to_string(),
                "checksum": 0, "prevSeqId": news.before_id, "seqId": news.last_id,
            });
            for channel in ["books", "books-l2-tbt", "books50-l2-tbt"] {
                let arg = json!({"channel": channel, "instId": name});
                let message = json!({"arg": arg, "action": "update", "data": [data]}).to_string();
                venue.publish(product, &topic(channel, &name), &message);
            }
            if venue.hub.is_heard(product, &topic("books5", &name)) {
                let book = market::book(&venue.sections[product as usize], at, 5, now_ms);
                publish(venue, product, "books5", &name, &book);
            }
        }
    }
}

/// Tells tickers, marks and funding.
pub fn tell_tickers(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for product in PRODUCTS {
        for at in 0..venue.sections[product as usize].desk.symbols.len() {
            let section = &venue.sections[product as usize];
            let name = section.desk.symbols[at].instrument.symbol.clone();
            let mut told = vec![("tickers", market::ticker(section, at, now_ms))];
            if product == Product::Usdm {
                told.push(("mark-price", market::mark(section, at, now_ms)));
                told.push(("funding-rate", market::funding(section, at, now_ms)));
            }
            for (channel, data) in told {
                publish(venue, product, channel, &name, &data);
            }
        }
    }
}
