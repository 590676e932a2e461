//! The WebSocket of the indexer: channels of markets, of a subaccount and of the chain's height.

use std::collections::BTreeSet;

use serde_json::{json, Value};

use super::chain::height;
use super::{failed, indexer, perpetuals, show, Dydx};
use crate::dialects::Talk;
use crate::faults::RequestFault;
use crate::hub::Connection;
use crate::section::{Product, UserEventKind};
use crate::venue::Venue;

const OF: Product = Product::Usdm;
/// Newest trades and orders that a subscription begins with.
const RECENT: usize = 100;

/// A connection; it has nothing of its own.
#[derive(Debug)]
pub struct Session;

impl Talk for Session {
    fn begin(&mut self, _: &mut Venue, connection: &mut Connection) {
        connection.count_messages();
        connection.tell(&json!({"type": "connected"}).to_string());
    }

    fn is_order(&self, _: &str) -> bool {
        // Transactions go to a node.
        false
    }

    fn hear(
        &mut self,
        venue: &mut Venue,
        connection: &mut Connection,
        text: &str,
        fault: Option<RequestFault>,
        _: &mut Vec<String>,
    ) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let (channel, id) = (message["channel"].as_str(), message["id"].as_str());
        // Answers are counted with everything else, so they go the same way.
        let answer = match (message["type"].as_str(), channel) {
            _ if fault.is_some_and(|fault| !fault.is_carried_out()) => {
                error(fault.map_or("", |fault| failed(fault).1))
            }
            (Some("ping"), _) => json!({"type": "pong", "id": message["id"]}),
            (Some("subscribe"), Some(channel)) => subscribe(venue, channel, id),
            (Some("unsubscribe"), Some(channel)) => {
                venue.hub.unsubscribe(OF, &topic(channel, id.unwrap_or_default()), connection);
                json!({"type": "unsubscribed", "channel": channel, "id": id})
            }
            (Some("subscribe" | "unsubscribe"), None) => {
                error("Invalid subscribe message: channel")
            }
            _ => error("Invalid message type"),
        };
        connection.tell(&answer.to_string());
        if answer["type"] == "subscribed" {
            let (channel, id) = (channel.unwrap_or_default(), id.unwrap_or_default());
            venue.hub.subscribe(OF, &topic(channel, id), connection);
        }
    }
}

fn error(words: &str) -> Value {
    json!({"type": "error", "message": words})
}

/// Where a channel's messages go in the hub.
fn topic(channel: &str, id: &str) -> String {
    match channel {
        // These two are one for all, whatever is named.
        "v4_markets" | "v4_block_height" => channel.to_owned(),
        _ => format!("{channel}:{id}"),
    }
}

fn subscribe(venue: &mut Venue, channel: &str, id: Option<&str>) -> Value {
    // What was not told yet goes to those who follow already, and the snapshot is of now.
    tell_depth(venue);
    let Some(contents) = first(venue, channel, id.unwrap_or_default()) else {
        let what = format!("Invalid subscription id for channel: ({channel}-{})", id.unwrap_or(""));
        return error(&what);
    };
    let mut answer = json!({"type": "subscribed", "channel": channel, "contents": contents});
    if let Some(id) = id {
        answer["id"] = id.into();
    }
    answer
}

/// What a subscription begins with.
fn first(venue: &Venue, channel: &str, id: &str) -> Option<Value> {
    let section = perpetuals(venue);
    Some(match channel {
        "v4_orderbook" => show::book(section, section.symbol(id).ok()?, indexer::DEPTH),
        "v4_trades" => {
            json!({"trades": show::trades(section, section.symbol(id).ok()?, RECENT)})
        }
        "v4_markets" => json!({"markets": show::markets(section, venue.now_ms())}),
        "v4_block_height" => json!({
            "height": height(venue).to_string(), "time": show::iso(venue.now_ms()),
        }),
        "v4_subaccounts" => {
            let (address, number) = id.split_once('/')?;
            let member = venue.member_of(address).filter(|_| number == "0")?;
            let account = venue.members[member].accounts[OF as usize];
            let open = section.desk.records.open_of(account);
            let orders: Value =
                open.map(|order| show::order(section, order, venue.now_ns())).collect();
            json!({
                "subaccount": show::subaccount(venue, member), "orders": orders,
                "blockHeight": height(venue).to_string(),
            })
        }
        _ => return None,
    })
}

fn data(channel: &str, id: &str, contents: &Value) -> String {
    let mut message = json!({
        "type": "channel_data", "channel": channel, "version": "3.0.0", "contents": contents,
    });
    if !id.is_empty() {
        message["id"] = id.into();
    }
    message.to_string()
}

/// Tells members and the market what has happened.
pub fn tell(chain: &mut Dydx, venue: &mut Venue) {
    let gone = chain.end_orders(venue);
    for id in gone {
        let section = perpetuals(venue);
        let Some(order) = section.desk.records.get(id) else { continue };
        let Some(member) = venue.member_of_account(OF, order.account) else { continue };
        let shown = show::order(section, order, venue.now_ns());
        tell_member(venue, member, &json!({"orders": [shown]}));
    }
    tell_members(venue);
    for at in 0..perpetuals(venue).desk.symbols.len() {
        let symbol = &mut venue.sections[OF as usize].desk.symbols[at];
        let (name, prints) = (symbol.instrument.symbol.clone(), std::mem::take(&mut symbol.prints));
        let topic = topic("v4_trades", &name);
        if !prints.is_empty() && venue.hub.is_heard(OF, &topic) {
            let section = perpetuals(venue);
            let trades: Value = prints.iter().map(|one| show::trade(section, at, one)).collect();
            let message = data("v4_trades", &name, &json!({"trades": trades}));
            venue.publish(OF, &topic, &message);
        }
    }
    let now = height(venue);
    if now > chain.told_height {
        chain.told_height = now;
        chain.forget_cancels(now);
        let contents = json!({"blockHeight": now.to_string(), "time": show::iso(venue.now_ms())});
        let message = data("v4_block_height", "v4_block_height", &contents);
        venue.hub.announce(OF, "v4_block_height", &message);
    }
    // Nothing trades on the other product here.
    venue.sections[Product::Spot as usize].desk.events.clear();
}

fn tell_member(venue: &mut Venue, member: usize, contents: &Value) {
    let id = format!("{}/0", venue.members[member].key);
    let mut contents = contents.clone();
    contents["blockHeight"] = height(venue).to_string().into();
    let message = data("v4_subaccounts", &id, &contents);
    venue.hub.send(OF, &topic("v4_subaccounts", &id), &message);
}

fn tell_members(venue: &mut Venue) {
    let desk = &mut venue.sections[OF as usize].desk;
    let (events, funded) = (desk.take_events(), std::mem::take(&mut desk.funded));
    let mut moved: BTreeSet<(usize, usize)> = BTreeSet::new();
    for event in events {
        let Some(member) = venue.member_of_account(OF, event.order.account) else { continue };
        let section = perpetuals(venue);
        let mut contents = json!({"orders": [show::order(section, &event.order, venue.now_ns())]});
        if let UserEventKind::Trade(fill) = &event.kind {
            contents["fills"] = json!([show::fill(section, fill)]);
            moved.insert((member, event.order.symbol));
        }
        tell_member(venue, member, &contents);
    }
    for (account, instrument, _) in funded {
        let member = venue.member_of_account(OF, account);
        moved.extend(member.map(|member| (member, instrument.index())));
    }
    for (member, at) in moved {
        let contents = json!({
            "perpetualPositions": [show::position(venue, member, at)],
            "assetPositions": [show::dollars(venue, member)],
        });
        tell_member(venue, member, &contents);
    }
}

/// Tells the changes of the books.
pub fn tell_depth(venue: &mut Venue) {
    for at in 0..perpetuals(venue).desk.symbols.len() {
        let Some(news) = venue.sections[OF as usize].take_depth(at) else { continue };
        let section = perpetuals(venue);
        let name = section.desk.symbols[at].instrument.symbol.clone();
        let topic = topic("v4_orderbook", &name);
        if !venue.hub.is_heard(OF, &topic) {
            continue;
        }
        let mut contents = json!({});
        for (side, levels) in [("bids", &news.bids), ("asks", &news.asks)] {
            if !levels.is_empty() {
                contents[side] = show::levels(section, at, levels);
            }
        }
        venue.publish(OF, &topic, &data("v4_orderbook", &name, &contents));
    }
}

/// Tells the oracle's prices.
pub fn tell_tickers(venue: &mut Venue) {
    if !venue.hub.is_heard(OF, "v4_markets") {
        return;
    }
    let (section, now_ms) = (perpetuals(venue), venue.now_ms());
    let mut prices = json!({});
    for (at, symbol) in section.desk.symbols.iter().enumerate() {
        prices[&symbol.instrument.symbol] = json!({
            "oraclePrice": crate::text::fine_price(symbol, section.mark(at)), "marketId": at,
            "effectiveAt": show::iso(now_ms), "effectiveAtHeight": height(venue).to_string(),
        });
    }
    let message = data("v4_markets", "", &json!({"oraclePrices": prices}));
    venue.publish(OF, "v4_markets", &message);
}
