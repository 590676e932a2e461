//! The WebSocket: subscriptions, and questions and actions as posts.

use serde_json::{json, Value};

use super::{action, failed, info, member_of, perpetuals, show};
use crate::dialects::Talk;
use crate::faults::RequestFault;
use crate::hub::Connection;
use crate::section::{Product, UserEventKind};
use crate::venue::Venue;

const OF: Product = Product::Usdm;

/// A connection; it has nothing of its own.
#[derive(Debug)]
pub struct Session;

impl Talk for Session {
    fn begin(&mut self, _: &mut Venue, _: &mut Connection) {}

    fn is_order(&self, text: &str) -> bool {
        text.contains("\"post\"") && action::is_order(text)
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
        replies.push(match message["method"].as_str() {
            Some("ping") => json!({"channel": "pong"}).to_string(),
            Some(method @ ("subscribe" | "unsubscribe")) => {
                follow(venue, connection, method, &message["subscription"])
            }
            Some("post") => post(venue, text, &message, fault),
            _ => error(&format!("Error parsing JSON into valid websocket request: {text}")),
        });
    }
}

fn error(text: &str) -> String {
    json!({"channel": "error", "data": text}).to_string()
}

/// The topic of a subscription, where it is known.
fn topic(venue: &Venue, of: &Value) -> Option<String> {
    let kind = of["type"].as_str()?;
    Some(match kind {
        "l2Book" | "bbo" | "trades" | "activeAssetCtx" => {
            let coin = of["coin"].as_str()?;
            perpetuals(venue).symbol(coin).ok()?;
            format!("{kind}:{coin}")
        }
        "allMids" => kind.to_owned(),
        "orderUpdates" | "userFills" | "userEvents" | "userFundings" => {
            format!("{kind}#{}", member_of(venue, of["user"].as_str()?)?)
        }
        _ => return None,
    })
}

fn follow(venue: &mut Venue, connection: &mut Connection, method: &str, of: &Value) -> String {
    let Some(topic) = topic(venue, of) else {
        return error(&format!("Invalid subscription {of}"));
    };
    if method == "unsubscribe" {
        venue.hub.unsubscribe(OF, &topic, connection);
    } else {
        venue.hub.subscribe(OF, &topic, connection);
        if let Some(first) = first(venue, of) {
            connection.send(first.to_string().into());
        }
    }
    let data = json!({"method": method, "subscription": of});
    json!({"channel": "subscriptionResponse", "data": data}).to_string()
}

/// What a subscription begins with.
fn first(venue: &Venue, of: &Value) -> Option<Value> {
    let section = perpetuals(venue);
    let now_ms = venue.now_ms();
    let kind = of["type"].as_str()?;
    let coin = || section.symbol(of["coin"].as_str()?).ok();
    let data = match kind {
        "l2Book" => show::book(section, coin()?, now_ms),
        "bbo" => show::best(section, coin()?, section.best(coin()?)?, now_ms),
        "activeAssetCtx" => {
            json!({"coin": of["coin"], "ctx": show::context(section, coin()?, now_ms)})
        }
        "userFills" => {
            let question = json!({"type": "userFills", "user": of["user"]});
            let fills = info::of(venue, &question)?;
            json!({"isSnapshot": true, "user": of["user"], "fills": fills})
        }
        _ => return None,
    };
    Some(json!({"channel": kind, "data": data}))
}

/// A question or an action.
fn post(venue: &mut Venue, text: &str, message: &Value, fault: Option<RequestFault>) -> String {
    let request = &message["request"];
    let response = |kind: &str, payload: Value| {
        let response = json!({"type": kind, "payload": payload});
        json!({"channel": "post", "data": {"id": message["id"], "response": response}}).to_string()
    };
    if let Some(fault) = fault.filter(|fault| !fault.is_carried_out()) {
        return response("error", failed(fault).0.to_string().into());
    }
    let answered = match request["type"].as_str() {
        Some("info") => {
            let asked = &request["payload"];
            info::of(venue, asked).map(|data| json!({"type": asked["type"], "data": data}))
        }
        // The signature covers the payload as it stands in the text.
        Some("action") => raw_payload(text).and_then(|payload| action::answer(venue, payload)),
        _ => None,
    };
    let kind = request["type"].as_str().unwrap_or("error");
    match (answered, fault) {
        (_, Some(fault)) => response("error", failed(fault).0.to_string().into()),
        (Some(payload), None) => response(kind, payload),
        (None, None) => response("error", "422: cannot be read".into()),
    }
}

fn raw_payload(text: &str) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Post<'a> {
        #[serde(borrow)]
        request: Request<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        payload: &'a serde_json::value::RawValue,
    }
    serde_json::from_str::<Post<'_>>(text).ok().map(|post| post.request.payload.get())
}

fn send(venue: &mut Venue, member: usize, channel: &str, name: &str, data: &Value) {
    let message = json!({"channel": name, "data": data}).to_string();
    venue.hub.send(OF, &format!("{channel}#{member}"), &message);
}

/// Tells members and the market what has happened.
pub fn tell(venue: &mut Venue) {
    tell_members(venue);
    let now_ms = venue.now_ms();
    for at in 0..perpetuals(venue).desk.symbols.len() {
        let section = &mut venue.sections[OF as usize];
        let coin = section.desk.symbols[at].instrument.symbol.clone();
        let prints = std::mem::take(&mut section.desk.symbols[at].prints);
        let best = section.take_best(at);
        let section = &venue.sections[OF as usize];
        let topic = format!("trades:{coin}");
        if !prints.is_empty() && venue.hub.is_heard(OF, &topic) {
            let trades: Value = prints.iter().map(|one| show::trade(section, at, one)).collect();
            let message = json!({"channel": "trades", "data": trades}).to_string();
            venue.publish(OF, &topic, &message);
        }
        let topic = format!("bbo:{coin}");
        if let Some(best) = best.filter(|_| venue.hub.is_heard(OF, &topic)) {
            let data = show::best(&venue.sections[OF as usize], at, best, now_ms);
            let message = json!({"channel": "bbo", "data": data}).to_string();
            venue.publish(OF, &topic, &message);
        }
    }
    // Nothing trades on the other product here.
    venue.sections[Product::Spot as usize].desk.events.clear();
}

fn tell_members(venue: &mut Venue) {
    let desk = &mut venue.sections[OF as usize].desk;
    let (events, funded) = (desk.take_events(), std::mem::take(&mut desk.funded));
    for event in events {
        let Some(member) = venue.member_of_account(OF, event.order.account) else { continue };
        let section = perpetuals(venue);
        let update = json!([show::update(section, &event.order)]);
        if let UserEventKind::Trade(fill) = &event.kind {
            let fills = json!([show::fill(section, fill)]);
            let user = venue.members[member].key.clone();
            send(venue, member, "userFills", "userFills", &json!({"user": user, "fills": fills}));
            send(venue, member, "userEvents", "user", &json!({"fills": fills}));
        }
        send(venue, member, "orderUpdates", "orderUpdates", &update);
    }
    for (account, instrument, received) in funded {
        let Some(member) = venue.member_of_account(OF, account) else { continue };
        let section = perpetuals(venue);
        let one = json!({
            "time": venue.now_ms(), "usdc": crate::text::money(received.0), "fundingRate": "0.0001",
            "coin": section.desk.symbols[instrument.index()].instrument.symbol,
            "szi": section.desk.symbols[instrument.index()]
                .qty(section.exchange.accounts().position(account, instrument).0),
        });
        let user = venue.members[member].key.clone();
        let data = json!({"user": user, "fundings": [one]});
        send(venue, member, "userFundings", "userFundings", &data);
        send(venue, member, "userEvents", "user", &json!({"funding": one}));
    }
}

/// Tells the books that changed.
pub fn tell_depth(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for at in 0..perpetuals(venue).desk.symbols.len() {
        if venue.sections[OF as usize].take_depth(at).is_none() {
            continue;
        }
        let section = perpetuals(venue);
        let topic = format!("l2Book:{}", section.desk.symbols[at].instrument.symbol);
        if venue.hub.is_heard(OF, &topic) {
            let data = show::book(section, at, now_ms);
            let message = json!({"channel": "l2Book", "data": data}).to_string();
            venue.publish(OF, &topic, &message);
        }
    }
}

/// Tells what moves of the assets, and their middle prices.
pub fn tell_tickers(venue: &mut Venue) {
    let now_ms = venue.now_ms();
    for at in 0..perpetuals(venue).desk.symbols.len() {
        let section = perpetuals(venue);
        let coin = section.desk.symbols[at].instrument.symbol.clone();
        let data = json!({"coin": coin, "ctx": show::context(section, at, now_ms)});
        let message = json!({"channel": "activeAssetCtx", "data": data}).to_string();
        venue.publish(OF, &format!("activeAssetCtx:{coin}"), &message);
    }
    if venue.hub.is_heard(OF, "allMids") {
        let mids = info::of(venue, &json!({"type": "allMids"}));
        let message = json!({"channel": "allMids", "data": {"mids": mids}}).to_string();
        venue.publish(OF, "allMids", &message);
    }
}
