//! WebSocket connections: market streams, user streams by listen key, and the WebSocket API.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use serde_json::{json, Value};
use tokio::sync::mpsc;
use tokio::sync::Notify;

use crate::hub::{Connection, UserFeed};
use crate::params::Params;
use crate::routes::of_ws_method;
use crate::section::Product;
use crate::server::{handle, Shared};
use crate::venue::{Answer, Request};

/// The venue pings as often, and closes who has not answered twice.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that takes a message no faster than this is cut off.
const SEND_WITHIN: Duration = Duration::from_secs(5);

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

/// Serves a connection until it closes.
pub async fn run(mut socket: WebSocket, shared: Arc<Shared>, purpose: Purpose) {
    let is_combined = matches!(purpose, Purpose::Streams { is_combined: true, .. });
    let id = shared.venue().hub.next_id();
    let (connection, queue, cut) = Connection::new(id, shared.queue, is_combined);
    let mut session = Session { connection, purpose, member: None, subscriptions: 0 };
    session.begin(&shared);
    session.talk(&mut socket, &shared, queue, cut).await;
    shared.venue().hub.leave(&session.connection);
}

struct Session {
    connection: Connection,
    purpose: Purpose,
    /// The member of a listen key.
    member: Option<usize>,
    subscriptions: u32,
}

impl Session {
    fn begin(&mut self, shared: &Shared) {
        if let Purpose::Streams { product, streams, .. } = self.purpose.clone() {
            streams.iter().for_each(|stream| self.subscribe(shared, product, stream));
        }
    }

    /// A stream by its name, or a member's events by a listen key.
    fn subscribe(&mut self, shared: &Shared, product: Product, stream: &str) {
        let mut venue = shared.venue();
        if let Some((member, _)) = venue.listen_keys.get(stream).copied() {
            self.member = Some(member);
            let account = venue.members[member].accounts[product as usize];
            venue.hub.subscribe_user(product, account, &self.connection, UserFeed::Plain);
        } else {
            venue.hub.subscribe(product, stream, &self.connection);
        }
    }

    /// Passes messages both ways until either side ends.
    async fn talk(
        &mut self,
        socket: &mut WebSocket,
        shared: &Shared,
        mut queue: mpsc::Receiver<Utf8Bytes>,
        cut: Arc<Notify>,
    ) {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.tick().await;
        let mut unanswered = 0;
        loop {
            let message = tokio::select! {
                () = cut.notified() => return,
                queued = queue.recv() => match queued {
                    Some(text) => Message::Text(text),
                    None => return,
                },
                _ = ping.tick() => {
                    unanswered += 1;
                    if unanswered > 3 {
                        return;
                    }
                    Message::Ping(Vec::new().into())
                }
                received = socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => match self.respond(shared, &text).await {
                        Some(reply) => Message::Text(reply.into()),
                        None => continue,
                    },
                    Some(Ok(Message::Pong(_))) => {
                        unanswered = 0;
                        continue;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                },
            };
            match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }

    async fn respond(&mut self, shared: &Shared, text: &str) -> Option<String> {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            let error = json!({"code": 3, "msg": "Invalid JSON: malformed request"});
            return Some(json!({"error": error, "id": null}).to_string());
        };
        match self.purpose.clone() {
            Purpose::Streams { product, .. } => Some(self.control(shared, product, &message)),
            Purpose::Api(product) => self.call(shared, product, &message).await,
        }
    }

    /// `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS` and the property `combined`.
    fn control(&mut self, shared: &Shared, product: Product, message: &Value) -> String {
        let id = message["id"].clone();
        let names = message["params"].as_array().cloned().unwrap_or_default();
        let streams = names.iter().filter_map(Value::as_str);
        let result = match message["method"].as_str() {
            Some("SUBSCRIBE") => {
                streams.for_each(|stream| self.subscribe(shared, product, stream));
                Value::Null
            }
            Some("UNSUBSCRIBE") => {
                let mut venue = shared.venue();
                streams.for_each(|stream| venue.hub.unsubscribe(product, stream, &self.connection));
                Value::Null
            }
            Some("LIST_SUBSCRIPTIONS") => shared.venue().hub.subscriptions(&self.connection).into(),
            Some("SET_PROPERTY") => {
                self.connection.is_combined = names.get(1).and_then(Value::as_bool) == Some(true);
                Value::Null
            }
            Some("GET_PROPERTY") => self.connection.is_combined.into(),
            _ => {
                let error = json!({"code": 2, "msg": "Invalid request: unknown method"});
                return json!({"error": error, "id": id}).to_string();
            }
        };
        json!({"result": result, "id": id}).to_string()
    }

    /// A request over the WebSocket API.
    async fn call(&mut self, shared: &Shared, product: Product, message: &Value) -> Option<String> {
        let method = message["method"].as_str().unwrap_or_default();
        let params = params_of(&message["params"]);
        let key = params.get("apiKey").map(str::to_owned);
        let answer = if method.starts_with("userDataStream.subscribe") {
            self.subscribe_user(shared, product, &params, key.as_deref()).await
        } else if method == "userDataStream.unsubscribe" {
            shared.venue().hub.unsubscribe_user(&self.connection);
            plain_answer(200, json!({}))
        } else if method == "session.status" || method == "session.logout" {
            plain_answer(200, json!({"apiKey": null, "authorizedSince": null}))
        } else if let Some((verb, path)) = of_ws_method(product, method) {
            let request = Request {
                method: verb,
                path,
                signed_text: params.sorted_payload(),
                params,
                key: key.as_deref(),
            };
            handle(shared, &request).await
        } else {
            let error = json!({"code": -1100, "msg": "Illegal method: not simulated."});
            plain_answer(400, error)
        };
        Some(reply(&message["id"], &answer))
    }

    /// `userDataStream.subscribe.signature`: proven by a signed request, then events follow.
    async fn subscribe_user(
        &mut self,
        shared: &Shared,
        product: Product,
        params: &Params,
        key: Option<&str>,
    ) -> Answer {
        // An account request has the same proof to give, and nothing else to ask.
        let request = Request {
            method: "GET",
            path: "/api/v3/rateLimit/order",
            signed_text: params.sorted_payload(),
            params: params.clone(),
            key,
        };
        let proof = handle(shared, &request).await;
        if proof.status != 200 {
            return proof;
        }
        let mut venue = shared.venue();
        let Some(member) = key.and_then(|key| venue.member_of(key)) else {
            return proof;
        };
        let account = venue.members[member].accounts[product as usize];
        let feed = UserFeed::Subscription(self.subscriptions);
        venue.hub.subscribe_user(product, account, &self.connection, feed);
        let number = self.subscriptions;
        self.subscriptions += 1;
        plain_answer(200, json!({"subscriptionId": number}))
    }
}

fn plain_answer(status: u16, body: Value) -> Answer {
    let (used_weight, used_orders, retry_after_s) = (None, None, None);
    Answer { status, body: body.to_string(), used_weight, used_orders, retry_after_s }
}

/// The parameters of a request, numbers and lists as their text.
fn params_of(given: &Value) -> Params {
    let mut params = Params::default();
    for (name, value) in given.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        params.push(name.as_str(), text);
    }
    params
}

/// The answer as the WebSocket API wraps it.
fn reply(id: &Value, answer: &Answer) -> String {
    let field = if answer.status == 200 { "result" } else { "error" };
    let mut limits = Vec::new();
    if let Some(used) = answer.used_weight {
        limits.push(json!({
            "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
            "limit": 6_000, "count": used,
        }));
    }
    if let Some(used) = answer.used_orders {
        limits.push(json!({
            "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100,
            "count": used,
        }));
    }
    // The body is JSON already: it is set in without being read again.
    format!(
        "{{\"id\":{id},\"status\":{},\"{field}\":{},\"rateLimits\":{}}}",
        answer.status,
        answer.body,
        Value::from(limits)
    )
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
