//! What a session asks of its driver.

use std::fmt;
use std::ops::Range;

use mainspring_core::{InstrumentId, MarketRow, Ticks, TimeNs};

use super::input::{CallId, SocketId, TimerId};
use super::told::Told;
use crate::outgoing::{Method, Urgency};
use crate::venue::Endpoints;

/// Where a venue is. A simulator on this machine is just another address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// REST, without a path.
    pub rest: String,
    /// Market data: for books and best prices, and for the rest.
    pub market: [String; 2],
    /// User events.
    pub user: String,
    /// Orders by websocket; empty where they go by REST alone.
    pub trade: String,
    /// A node of the chain (dYdX).
    pub chain: String,
}

impl From<Endpoints> for Addresses {
    fn from(ends: Endpoints) -> Self {
        Self {
            rest: ends.rest.to_owned(),
            market: ends.market.map(str::to_owned),
            user: ends.user.to_owned(),
            trade: ends.trade.to_owned(),
            chain: ends.chain.to_owned(),
        }
    }
}

/// What a websocket message is.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A frame of text.
    Text(String),
    /// A frame of bytes.
    Binary(Vec<u8>),
    /// A ping frame.
    Ping,
}

/// Something to do, in the order asked.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect a websocket.
    Open {
        /// By this number.
        socket: SocketId,
        /// Whether it is for market data alone: several connections may stand for it.
        market: bool,
        /// Where to. It may hold a secret (the key of a user stream).
        url: String,
        /// Headers of the handshake.
        headers: Vec<(&'static str, String)>,
    },
    /// Close a connection.
    Close {
        /// Which.
        socket: SocketId,
    },
    /// Send on a connection.
    Send {
        /// On which.
        socket: SocketId,
        /// What.
        message: Message,
    },
    /// Make a request by HTTP.
    Http {
        /// By this number.
        id: CallId,
        /// What it may overtake of those that wait for the same host.
        urgency: Urgency,
        /// Method.
        method: Method,
        /// Where to, with the query. It may hold a signature.
        url: String,
        /// Headers.
        headers: Vec<(&'static str, String)>,
        /// Body; empty for none.
        body: String,
    },
    /// Give [`super::Input::Due`] at this time.
    Timer {
        /// Which.
        timer: TimerId,
        /// When.
        at_ns: TimeNs,
    },
}

impl fmt::Debug for Message {
    /// Frames may hold keys and signatures: they are shown by their length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
            Self::Ping => f.write_str("Ping"),
        }
    }
}

/// An address without what may be secret in it: up to the query, and without the last part of a path
/// that is a key.
fn shown(url: &str) -> &str {
    let url = url.split('?').next().unwrap_or("");
    match url.rsplit_once('/') {
        Some((before, last)) if last.len() >= 32 => before,
        _ => url,
    }
}

impl fmt::Debug for Effect {
    /// Keys and signatures are in headers, query and body: none of them is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { socket, url, .. } => write!(f, "Open({}, {})", socket.0, shown(url)),
            Self::Close { socket } => write!(f, "Close({})", socket.0),
            Self::Send { socket, message } => write!(f, "Send({}, {message:?})", socket.0),
            Self::Http { id, method, url, .. } => {
                write!(f, "Http({}, {} {})", id.0, method.name(), shown(url))
            }
            Self::Timer { timer, at_ns } => write!(f, "Timer({}, {at_ns})", timer.0),
        }
    }
}

/// What a session asks for and tells; the driver empties it after each call. Its buffers are reused:
/// nothing is allocated for market data once it is warm.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// To do, in order.
    pub effects: Vec<Effect>,
    /// For the kernel, in order.
    pub told: Vec<Told>,
    rows: Vec<MarketRow>,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was carried out.
    pub fn clear(&mut self) {
        self.effects.clear();
        self.told.clear();
        self.rows.clear();
    }

    /// The rows that a [`Told::Market`] names.
    #[inline]
    #[must_use]
    pub fn rows(&self, range: &Range<u32>) -> &[MarketRow] {
        self.rows.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }

    /// Tells rows of one instrument, whole messages.
    #[inline]
    pub fn market(&mut self, instrument: InstrumentId, base: Ticks, rows: &[MarketRow]) {
        if rows.is_empty() {
            return;
        }
        let from = self.rows.len() as u32;
        self.rows.extend_from_slice(rows);
        let rows = from..self.rows.len() as u32;
        self.told.push(Told::Market { instrument, base, rows });
    }

    /// Tells the kernel something.
    pub fn tell(&mut self, told: Told) {
        self.told.push(told);
    }

    /// Asks the driver for something.
    pub fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Asks for a timer.
    pub fn timer(&mut self, timer: TimerId, at_ns: TimeNs) {
        self.ask(Effect::Timer { timer, at_ns });
    }

    /// Sends text on a connection.
    pub fn text(&mut self, socket: SocketId, text: impl Into<String>) {
        self.ask(Effect::Send { socket, message: Message::Text(text.into()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";
        let open = Effect::Open {
            socket: SocketId(1),
            market: false,
            url: format!("wss://fstream.binance.com/private/ws/{key}"),
            headers: Vec::new(),
        };
        let http = Effect::Http {
            id: CallId(2),
            urgency: Urgency::Order,
            method: Method::Post,
            url: "https://api.binance.com/api/v3/order?signature=abc".to_owned(),
            headers: vec![("X-MBX-APIKEY", "secret".to_owned())],
            body: "signature=abc".to_owned(),
        };
        let text = format!("{open:?} {http:?} {:?}", Message::Text("apiKey".to_owned()));
        assert!(!text.contains(key) && !text.contains("abc") && !text.contains("secret"));
        assert!(!text.contains("apiKey"), "{text}");
        assert!(text.contains("POST https://api.binance.com/api/v3/order"), "{text}");
    }
}
