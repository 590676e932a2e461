//! WebSocket connections: market streams, user streams by listen key, and the WebSocket API.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{json, Value};

use super::params::Params;
use super::request::{handle, Answer, Request};
use super::routes::of_ws_method;
use crate::dialects::Talk;
use crate::faults::RequestFault;
use crate::hub::{Connection, UserFeed};
use crate::section::Product;
use crate::venue::Venue;

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Market streams, of these names at first; wrapped when combined.
    Streams {
        /// Which product.
        product: Product,
        /// Names.
        streams: Vec<String>,
        /// Whether messages carry their stream's name.
        is_combined: bool,
    },
    /// Requests and user events.
    Api(Product),
}

/// What a path asks for. USD-M streams live under `/public`, `/market` and `/private`, spot ones at
/// the top.
#[must_use]
pub fn purpose(path: &str, query: &str) -> Option<Purpose> {
    match path.trim_end_matches('/') {
        "/ws-api/v3" => return Some(Purpose::Api(Product::Spot)),
        "/ws-fapi/v1" => return Some(Purpose::Api(Product::Usdm)),
        _ => {}
    }
    let usdm = ["/public", "/market", "/private", "/usdm"];
    let under = usdm.iter().find_map(|prefix| path.strip_prefix(prefix));
    let (product, rest) = match under {
        Some(rest) => (Product::Usdm, rest),
        None => (Product::Spot, path),
    };
    // Some client libraries tell spot from futures by a `/stream` in the address.
    let rest = rest.strip_prefix("/stream").filter(|rest| rest.starts_with("/ws")).unwrap_or(rest);
    let params = Params::of_query(query);
    if rest == "/stream" {
        let named = params.get("streams").or_else(|| params.get("listenKey"));
        let streams = named.unwrap_or_default().split('/');
        let streams = streams.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        return Some(Purpose::Streams { product, streams, is_combined: true });
    }
    let names = rest.strip_prefix("/ws")?;
    let mut streams: Vec<String> =
        names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    streams.extend(params.get("listenKey").map(str::to_owned));
    Some(Purpose::Streams { product, streams, is_combined: false })
}

/// The talk of an address.
#[must_use]
pub fn open(path: &str, query: &str) -> Option<Box<dyn Talk>> {
    let purpose = purpose(path, query)?;
    Some(Box::new(Session { purpose, subscriptions: 0 }))
}

struct Session {
    purpose: Purpose,
    subscriptions: u32,
}

impl Talk for Session {
    fn begin(&mut self, venue: &mut Venue, connection: &mut Connection) {
        if let Purpose::Streams { product, streams, is_combined } = &self.purpose {
            connection.is_combined = *is_combined;
            streams.iter().for_each(|stream| subscribe(venue, connection, *product, stream));
        }
    }

    fn is_order(&self, text: &str) -> bool {
        ["\"order.", "\"openOrders.cancelAll", "\"algoOrder."].iter().any(|one| text.contains(one))
            && !text.contains("\"order.status\"")
    }

    fn hear(
        &mut self,
        venue: &mut Venue,
        connection: &mut Connection,
        text: &str,
        fault: Option<RequestFault>,
        replies: &mut Vec<String>,
    ) {
        let malformed = || {
            let error = json!({"code": 3, "msg": "Invalid JSON: malformed request"});
            json!({"error": error, "id": null}).to_string()
        };
        replies.push(match self.purpose {
            Purpose::Streams { product, .. } => match serde_json::from_str::<Value>(text) {
                Ok(message) => control(venue, connection, product, &message),
                Err(_) => malformed(),
            },
            Purpose::Api(product) => match serde_json::from_str::<Call<'_>>(text) {
                Ok(call) => {
                    let id = call.id.map_or("null", RawValue::get);
                    let answer = match fault {
                        Some(fault) if !fault.is_carried_out() => Answer::failed(fault),
                        _ => self.call(venue, connection, product, &call.method, call.params),
                    };
                    reply(id, &fault.map_or(answer, Answer::failed))
                }
                Err(_) => malformed(),
            },
        });
    }
}

/// A request of the WebSocket API.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(default)]
    params: Params,
}

/// A stream by its name, or a member's events by a listen key.
fn subscribe(venue: &mut Venue, connection: &Connection, product: Product, stream: &str) {
    if let Some((member, _)) = venue.listen_keys.get(stream).copied() {
        let account = venue.members[member].accounts[product as usize];
        venue.hub.subscribe_user(product, account, connection, UserFeed::Plain);
    } else {
        venue.hub.subscribe(product, stream, connection);
    }
}

/// `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS` and the property `combined`.
fn control(
    venue: &mut Venue,
    connection: &mut Connection,
    product: Product,
    message: &Value,
) -> String {
    let id = message["id"].clone();
    let names = message["params"].as_array().cloned().unwrap_or_default();
    let streams = names.iter().filter_map(Value::as_str);
    let result = match message["method"].as_str() {
        Some("SUBSCRIBE") => {
            streams.for_each(|stream| subscribe(venue, connection, product, stream));
            Value::Null
        }
        Some("UNSUBSCRIBE") => {
            streams.for_each(|stream| venue.hub.unsubscribe(product, stream, connection));
            Value::Null
        }
        Some("LIST_SUBSCRIPTIONS") => venue.hub.subscriptions(connection).into(),
        Some("SET_PROPERTY") => {
            connection.is_combined = names.get(1).and_then(Value::as_bool) == Some(true);
            Value::Null
        }
        Some("GET_PROPERTY") => connection.is_combined.into(),
        _ => {
            let error = json!({"code": 2, "msg": "Invalid request: unknown method"});
            return json!({"error": error, "id": id}).to_string();
        }
    };
    json!({"result": result, "id": id}).to_string()
}

impl Session {
    /// A request over the WebSocket API.
    fn call(
        &mut self,
        venue: &mut Venue,
        connection: &Connection,
        product: Product,
        method: &str,
        params: Params,
    ) -> Answer {
        let key = params.get("apiKey").map(str::to_owned);
        if method.starts_with("userDataStream.subscribe") {
            self.subscribe_user(venue, connection, product, &params)
        } else if method == "userDataStream.unsubscribe" {
            venue.hub.unsubscribe_user(connection);
            Answer::plain(200, "{}".to_owned())
        } else if method == "session.status" || method == "session.logout" {
            Answer::plain(200, json!({"apiKey": null, "authorizedSince": null}).to_string())
        } else if let Some((verb, path)) = of_ws_method(product, method) {
            let request = Request {
                method: verb,
                path,
                signed_text: params.sorted_payload(),
                params,
                key: key.as_deref(),
            };
            handle(venue, &request)
        } else {
            let error = json!({"code": -1100, "msg": "Illegal method: not simulated."});
            Answer::plain(400, error.to_string())
        }
    }

    /// `userDataStream.subscribe.signature`: proven by a signed request, then events follow.
    fn subscribe_user(
        &mut self,
        venue: &mut Venue,
        connection: &Connection,
        product: Product,
        params: &Params,
    ) -> Answer {
        let key = params.get("apiKey");
        // An account request has the same proof to give, and nothing else to ask.
        let request = Request {
            method: "GET",
            path: "/api/v3/rateLimit/order",
            signed_text: params.sorted_payload(),
            params: params.clone(),
            key,
        };
        let proof = handle(venue, &request);
        if proof.status != 200 {
            return proof;
        }
        let Some(member) = key.and_then(|key| venue.member_of(key)) else {
            return proof;
        };
        let account = venue.members[member].accounts[product as usize];
        let feed = UserFeed::Subscription(self.subscriptions);
        venue.hub.subscribe_user(product, account, connection, feed);
        let number = self.subscriptions;
        self.subscriptions += 1;
        Answer::plain(200, json!({"subscriptionId": number}).to_string())
    }
}

/// The answer as the WebSocket API wraps it. Id and body are JSON already: they are set in as they are.
fn reply(id: &str, answer: &Answer) -> String {
    let field = if answer.status == 200 { "result" } else { "error" };
    let mut text = String::with_capacity(answer.body.len() + 320);
    // Writing to text cannot fail.
    let _ = write!(
        text,
        "{{\"id\":{id},\"status\":{},\"{field}\":{},\"rateLimits\":[",
        answer.status, answer.body
    );
    if let Some(used) = answer.used_weight {
        let _ = write!(
            text,
            "{{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\
             \"limit\":6000,\"count\":{used}}}"
        );
    }
    if let Some(used) = answer.used_orders {
        let comma = if answer.used_weight.is_some() { "," } else { "" };
        let _ = write!(
            text,
            "{comma}{{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\
             \"limit\":100,\"count\":{used}}}"
        );
    }
    text.push_str("]}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_what_a_connection_is_for() {
        let streams = |product, names: &[&str], is_combined| {
            let streams = names.iter().map(|name| (*name).to_owned()).collect();
            Some(Purpose::Streams { product, streams, is_combined })
        };
        assert_eq!(purpose("/ws/a@trade", ""), streams(Product::Spot, &["a@trade"], false));
        assert_eq!(
            purpose("/stream", "streams=a@trade/b@depth"),
            streams(Product::Spot, &["a@trade", "b@depth"], true)
        );
        assert_eq!(purpose("/stream/ws/0", ""), streams(Product::Spot, &["0"], false));
        assert_eq!(purpose("/private/ws/key", ""), streams(Product::Usdm, &["key"], false));
        assert_eq!(
            purpose("/private/stream", "listenKey=key"),
            streams(Product::Usdm, &["key"], true)
        );
        assert_eq!(purpose("/ws-fapi/v1", ""), Some(Purpose::Api(Product::Usdm)));
        assert_eq!(purpose("/else", ""), None);
    }
}
