//! Whose protocol the exchange speaks: one folder and one row of [`TABLE`] for each venue.

use std::fmt::Debug;

use axum::http::HeaderMap;
use mainspring_core::{Error, ErrorKind, Instrument, Result};

use crate::faults::RequestFault;
use crate::hub::Connection;
use crate::section::Product;
use crate::venue::Venue;

pub mod binance;
pub mod bybit;
pub mod dydx;
pub mod hyperliquid;
pub mod okx;

/// What a venue lists and how it names it.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// Products that are traded.
    pub products: &'static [Product],
    /// The venue's name of an instrument.
    pub name: fn(Product, &Instrument) -> String,
    /// Brings a market of the generator under the venue's rules of prices and sizes.
    pub rules: fn(&mut Instrument) -> Result<()>,
    /// By product: whether a fill-or-kill order that cannot fill is an order that ended, or none.
    pub keeps_unfilled_fok: [bool; 2],
    /// By product: decimals that prices and quantities are filled up to.
    pub decimals: [usize; 2],
}

/// The rules of the generator's markets as they are.
///
/// # Errors
/// Never.
pub const fn as_generated(_: &mut Instrument) -> Result<()> {
    Ok(())
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name of the dialect.
    pub name: &'static str,
    /// What it lists.
    pub listing: Listing,
    /// Makes the dialect's own state.
    pub make: fn() -> Box<dyn Dialect>,
}

/// All dialects.
pub const TABLE: [Row; 5] = [binance::ROW, okx::ROW, bybit::ROW, hyperliquid::ROW, dydx::ROW];

/// The dialect of a name.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<&'static Row> {
    static ROWS: [Row; TABLE.len()] = TABLE;
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        let message = format!("dialect '{name}': there are {}", known.join(", "));
        Error::new(ErrorKind::Config, message)
    })
}

/// A request over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a str,
}

impl HttpRequest<'_> {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer over HTTP: JSON.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// Status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Headers beside the type of the content.
    pub headers: Vec<(&'static str, String)>,
}

impl HttpAnswer {
    /// An answer without headers of its own.
    #[must_use]
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }
}

/// A venue's protocol.
pub trait Dialect: Debug + Send {
    /// Carries a request out and answers it.
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer;

    /// Whether a request places, changes or cancels orders.
    fn is_order(&self, request: &HttpRequest<'_>) -> bool;

    /// How the venue words a fault.
    fn failed(&self, fault: RequestFault) -> HttpAnswer;

    /// What a WebSocket at this address talks about; nothing is served at others.
    fn talk(&self, path: &str, query: &str) -> Option<Box<dyn Talk>>;

    /// Tells members and the market what has happened since the last time.
    fn tell(&mut self, venue: &mut Venue);

    /// Tells what is told every 100 ms: changes of the book.
    fn tell_depth(&mut self, venue: &mut Venue);

    /// Tells what is told every second: bars, tickers, marks.
    fn tell_tickers(&mut self, venue: &mut Venue);
}

/// The venue's side of one WebSocket.
pub trait Talk: Send {
    /// The connection is open.
    fn begin(&mut self, venue: &mut Venue, connection: &mut Connection);

    /// Whether a message places, changes or cancels orders.
    fn is_order(&self, text: &str) -> bool;

    /// A message of the client's. Replies go behind `replies`. A request that trades suffers `fault`.
    fn hear(
        &mut self,
        venue: &mut Venue,
        connection: &mut Connection,
        text: &str,
        fault: Option<RequestFault>,
        replies: &mut Vec<String>,
    );
}

/// Everything behind the server's lock: the venue and the protocol it speaks.
#[derive(Debug)]
pub struct Floor {
    /// The venue.
    pub venue: Venue,
    /// Its protocol.
    pub dialect: Box<dyn Dialect>,
}

impl Floor {
    /// Tells listeners what has happened.
    pub fn tell(&mut self) {
        self.dialect.tell(&mut self.venue);
    }

    /// Answers a request, with the fault it is to suffer, and tells listeners what it did.
    pub fn http(&mut self, request: &HttpRequest<'_>, fault: Option<RequestFault>) -> HttpAnswer {
        if let Some(fault) = fault.filter(|fault| !fault.is_carried_out()) {
            return self.dialect.failed(fault);
        }
        let answer = self.dialect.http(&mut self.venue, request);
        self.tell();
        fault.map_or(answer, |fault| self.dialect.failed(fault))
    }
}
