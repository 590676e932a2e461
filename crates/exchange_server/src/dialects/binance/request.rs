//! A request: found, weighed, proven and carried out.

use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::params::Params;
use super::routes::{self, Security};
use crate::dialects::HttpAnswer;
use crate::faults::RequestFault;
use crate::proof::is_signed_by;
use crate::venue::Venue;

/// A request as it comes off the wire.
#[derive(Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Parameters of query and body.
    pub params: Params,
    /// What its signature covers.
    pub signed_text: String,
    /// The API key.
    pub key: Option<&'a str>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// What the minute's weight and the ten seconds' orders have come to.
    pub used_weight: Option<u32>,
    /// See `used_weight`.
    pub used_orders: Option<u32>,
    /// Seconds to wait.
    pub retry_after_s: Option<u64>,
}

impl Answer {
    /// An answer of no more than its body.
    #[must_use]
    pub fn plain(status: u16, body: String) -> Self {
        Self { status, body, used_weight: None, used_orders: None, retry_after_s: None }
    }

    /// How the venue words a fault.
    #[must_use]
    pub fn failed(fault: RequestFault) -> Self {
        let (status, code, message, retry_after_s) = match fault {
            RequestFault::TooManyRequests => (429, -1003, "Too many requests.", Some(1)),
            RequestFault::Banned => (418, -1003, "Way too many requests.", Some(120)),
            RequestFault::ServerError => {
                (503, -1008, "Server is currently overloaded with other requests.", None)
            }
            RequestFault::UnknownOutcome => {
                let message = "Timeout waiting for response from backend server. Send status \
                               unknown; execution status unknown.";
                (503, -1007, message, None)
            }
        };
        let body = serde_json::json!({"code": code, "msg": message}).to_string();
        Self { retry_after_s, ..Self::plain(status, body) }
    }

    /// The same over HTTP.
    #[must_use]
    pub fn over_http(self, path: &str) -> HttpAnswer {
        let mut answer = HttpAnswer::new(self.status, self.body);
        if let Some(used) = self.used_weight {
            answer.headers.push(("x-mbx-used-weight-1m", used.to_string()));
            if path.starts_with("/api/") {
                answer.headers.push(("x-mbx-used-weight", used.to_string()));
            }
        }
        if let Some(used) = self.used_orders {
            answer.headers.push(("x-mbx-order-count-10s", used.to_string()));
        }
        if let Some(seconds) = self.retry_after_s {
            answer.headers.push(("retry-after", seconds.to_string()));
        }
        answer
    }
}

/// Answers a request.
pub fn handle(venue: &mut Venue, request: &Request<'_>) -> Answer {
    let (used_weight, outcome, used_orders) = carry_out(venue, request);
    match outcome {
        Ok(body) => Answer { used_weight, used_orders, ..Answer::plain(200, body.to_string()) },
        Err(refusal) => Answer {
            status: refusal.status,
            body: refusal.json(),
            used_weight,
            used_orders,
            retry_after_s: refusal.retry_after_s,
        },
    }
}

fn carry_out(
    venue: &mut Venue,
    request: &Request<'_>,
) -> (Option<u32>, Outcome<Value>, Option<u32>) {
    let Some(route) = routes::find(request) else {
        let refusal = Refusal::with_status(404, -5000, "Path not found or not simulated.");
        return (None, Err(refusal), None);
    };
    let now_ms = venue.now_ms();
    let weight = route.weight(&request.params);
    let used_weight = match venue.usage.take_weight(&venue.limits, route.product, weight, now_ms) {
        Ok(used) => used,
        Err(excess) => return (None, Err(excess.into()), None),
    };
    let member = match authorise(venue, route.security, request) {
        Ok(member) => member,
        Err(refusal) => return (Some(used_weight), Err(refusal), None),
    };
    let mut used_orders = None;
    if route.orders > 0 {
        let key = request.key.unwrap_or_default();
        let count = route.orders;
        match venue.usage.take_orders(&venue.limits, route.product, key, count, now_ms) {
            Ok(used) => used_orders = Some(used),
            Err(excess) => return (Some(used_weight), Err(excess.into()), None),
        }
    }
    let outcome = (route.run)(venue, route.product, member, &request.params);
    (Some(used_weight), outcome, used_orders)
}

/// Who asks, as far as the request must prove it.
fn authorise(venue: &Venue, security: Security, request: &Request<'_>) -> Outcome<Option<usize>> {
    if security == Security::None {
        return Ok(None);
    }
    let key =
        request.key.ok_or_else(|| Refusal::with_status(401, -2014, "API-key format invalid."))?;
    let member = venue.member_of(key).ok_or_else(|| {
        let message = "Invalid API-key, IP, or permissions for action.";
        Refusal::with_status(401, -2015, message)
    })?;
    if security == Security::Signed {
        check_signature(venue, member, request)?;
    }
    Ok(Some(member))
}

fn check_signature(venue: &Venue, member: usize, request: &Request<'_>) -> Outcome<()> {
    let sent = request.params.need("signature")?;
    let sent_ms = request.params.integer("timestamp")?;
    let sent_ms = sent_ms.ok_or_else(|| Refusal::missing("timestamp"))?;
    let window = match request.params.get("recvWindow") {
        Some(text) => text.parse().map_err(|_| Refusal::illegal("recvWindow"))?,
        None => 5_000.0_f64,
    };
    if !(0.0..=60_000.0).contains(&window) {
        return Err(Refusal::new(-1131, "recvWindow must be less than 60000."));
    }
    if !is_signed_by(&venue.members[member].secret, request.signed_text.as_bytes(), sent) {
        return Err(Refusal::new(-1022, "Signature for this request is not valid."));
    }
    check_time(sent_ms, window, venue.now_ms())
}

/// The venue takes a timestamp up to a second ahead of it, and one that is no older than the window.
fn check_time(sent_ms: i64, window_ms: f64, now_ms: i64) -> Outcome<()> {
    // Microseconds are told by their size.
    let sent_ms = if sent_ms > 100_000_000_000_000 { sent_ms / 1_000 } else { sent_ms };
    if sent_ms >= now_ms + 1_000 {
        let message =
            "Timestamp for this request was 1000ms ahead of the server's time.".to_owned();
        return Err(Refusal::new(-1021, message));
    }
    if (now_ms - sent_ms) as f64 > window_ms {
        return Err(Refusal::new(
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_taken_in_the_window_only() {
        assert!(check_time(10_999, 5_000.0, 10_000).is_ok());
        assert_eq!(check_time(11_000, 5_000.0, 10_000).unwrap_err().code, -1021);
        assert!(check_time(5_000, 5_000.0, 10_000).is_ok());
        assert_eq!(check_time(4_999, 5_000.0, 10_000).unwrap_err().code, -1021);
        assert!(check_time(1_700_000_000_000_000, 5_000.0, 1_700_000_000_500).is_ok());
    }
}
