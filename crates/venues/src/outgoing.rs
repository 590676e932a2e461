//! A request as bytes, reused from one to the next, and the answer to it.

use std::fmt;

use crate::civil::http_date_seconds;
use crate::operation::Asked;

/// How a request travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// As an HTTP request of its own.
    #[default]
    Http,
    /// As a text frame on a connection that is open, with this id.
    Socket {
        /// Id by which the answer is known.
        id: u64,
    },
}

/// HTTP methods that venues use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What leaves first of requests that wait for a connection to one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// Takes risk off, and nothing that waits has to be done before it.
    Cancel,
    /// Makes, changes or cancels an order, in the order asked.
    Order,
    /// Anything else.
    #[default]
    Question,
}

impl Urgency {
    /// From the most urgent one on.
    pub const ALL: [Self; 3] = [Self::Cancel, Self::Order, Self::Question];
}

/// Which of a venue's hosts a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// REST.
    #[default]
    Rest,
    /// A node of the chain (dYdX).
    Chain,
    /// The websocket for trading.
    Trade,
    /// The websocket for user events.
    User,
}

/// What a request takes of the venue's rate limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Weight of the request by the venue's table.
    pub weight: u32,
    /// Orders counted by the venue.
    pub orders: u32,
    /// Of them those that a chain keeps in its state, and counts apart.
    pub lasting: u32,
}

impl Cost {
    /// Of a request with orders, none of which is counted apart.
    #[must_use]
    pub const fn of(weight: u32, orders: u32) -> Self {
        Self { weight, orders, lasting: 0 }
    }
}

/// A request ready to be sent. Encoding reuses its buffers.
#[derive(Clone, Default)]
pub struct Outgoing {
    /// How it travels.
    pub via: Via,
    /// HTTP method.
    pub method: Method,
    /// Where to.
    pub host: Host,
    /// Path and query.
    pub target: String,
    /// Body of the request, or the frame.
    pub body: String,
    /// What it takes of the limits.
    pub cost: Cost,
    /// How the answer is read.
    pub asked: Asked,
    headers: Vec<(&'static str, String)>,
    used: usize,
}

impl Outgoing {
    /// An empty request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last request and keeps its buffers.
    pub fn start(&mut self, via: Via, asked: Asked) {
        self.via = via;
        self.asked = asked;
        self.method = Method::Get;
        self.host = Host::Rest;
        self.cost = Cost::of(1, 0);
        self.target.clear();
        self.body.clear();
        self.used = 0;
    }

    /// The same request without its contents, by which its answer is read.
    #[must_use]
    pub fn like(&self) -> Self {
        Self {
            via: self.via,
            method: self.method,
            host: self.host,
            asked: self.asked,
            ..Self::new()
        }
    }

    /// An empty header of this name to write to.
    pub fn header(&mut self, name: &'static str) -> &mut String {
        if self.used == self.headers.len() {
            self.headers.push((name, String::new()));
        }
        let slot = &mut self.headers[self.used];
        self.used += 1;
        slot.0 = name;
        slot.1.clear();
        &mut slot.1
    }

    /// The headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers[..self.used].iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The path without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }
}

impl fmt::Debug for Outgoing {
    /// Keys and signatures are in headers, query and body: none of them is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("via", &self.via)
            .field("method", &self.method)
            .field("path", &self.path())
            .field("asked", &self.asked)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status; 200 for frames.
    pub status: u16,
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body of the answer, or the frame.
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// An answer without headers.
    #[must_use]
    pub const fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status, headers: &[], body }
    }

    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// How long to wait by `Retry-After`, in milliseconds: it holds seconds, or a time that is taken by
    /// the clock of the answer's `Date` (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        let text = self.header("Retry-After")?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(seconds.saturating_mul(1_000));
        }
        let now = http_date_seconds(self.header("Date")?.trim().as_bytes())?;
        let seconds = http_date_seconds(text.as_bytes())? - now;
        Some(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_read_as_seconds_and_as_a_time() {
        let wait = |fields: &[(&str, &str)]| {
            Reply { status: 429, headers: fields, body: b"" }.retry_after_ms()
        };
        assert_eq!(wait(&[("retry-after", " 7 ")]), Some(7_000));
        let date = ("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
        let until = ("Retry-After", "Tue, 14 Nov 2023 22:15:20 GMT");
        assert_eq!(wait(&[date, until]), Some(120_000));
        assert_eq!(wait(&[until, ("Date", "Wed, 15 Nov 2023 22:13:20 GMT")]), Some(0));
        assert_eq!(wait(&[until]), None, "by no clock");
        assert_eq!(wait(&[date, ("Retry-After", "soon")]), None);
    }
}
