//! Hyperliquid: perpetuals over `/info`, `/exchange` and the WebSocket, signed by a wallet's key.
//!
//! A member's key is the address of its wallet. What the markets settle in is shown as USDC.

use mainspring_core::{Decimal, GridRule, Instrument, PriceGrid, Result};

use crate::dialects::{Dialect, HttpAnswer, HttpRequest, Listing, Row, Talk};
use crate::faults::RequestFault;
use crate::section::{Product, Section};
use crate::venue::Venue;

mod action;
mod info;
mod proof;
mod show;
mod talk;

/// The row of the table.
pub const ROW: Row = Row {
    name: "hyperliquid",
    listing: Listing {
        products: &[Product::Usdm],
        name: own_name,
        rules: own_rules,
        keeps_unfilled_fok: [true, true],
        decimals: [0, 0],
    },
    make: || Box::new(Hyperliquid),
};

fn own_name(_: Product, instrument: &Instrument) -> String {
    instrument.base.clone()
}

/// What the markets settle in.
const SETTLED: &str = "USDT";

/// Decimals of prices and sizes together.
const DECIMALS: u8 = 6;
/// Significant digits of prices; whole numbers may have more.
const DIGITS: u8 = 5;

fn own_rules(instrument: &mut Instrument) -> Result<()> {
    let tick = Decimal::new(1, DECIMALS.saturating_sub(instrument.lot.scale()))?;
    let rule = GridRule::SignificantDigits { digits: DIGITS };
    instrument.grids = vec![PriceGrid { version: 0, tick, rule }];
    instrument.min_notional = Decimal::new(10, 0)?;
    // What is shown as USDC, whatever a recording settled in.
    instrument.quote = SETTLED.to_owned();
    Ok(())
}

/// The perpetuals.
fn perpetuals(venue: &Venue) -> &Section {
    &venue.sections[Product::Usdm as usize]
}

/// The member of an address.
fn member_of(venue: &Venue, address: &str) -> Option<usize> {
    venue.member_of(&address.to_lowercase())
}

/// Status and text of a fault.
const fn failed(fault: RequestFault) -> (u16, &'static str) {
    match fault {
        RequestFault::TooManyRequests | RequestFault::Banned => (429, "null"),
        RequestFault::ServerError => (502, "502 Bad Gateway"),
        RequestFault::UnknownOutcome => (504, "504 Gateway Timeout"),
    }
}

#[derive(Clone, Copy, Debug)]
struct Hyperliquid;

impl Dialect for Hyperliquid {
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
        let now_ms = venue.now_ms();
        if venue.usage.take_weight(&venue.limits, Product::Usdm, 1, now_ms).is_err() {
            return self.failed(RequestFault::TooManyRequests);
        }
        let answered = match (request.method, request.path) {
            ("POST", "/info") => info::answer(venue, request.body),
            ("POST", "/exchange") => action::answer(venue, request.body),
            _ => return HttpAnswer::new(404, "null"),
        };
        answered.map_or_else(
            || HttpAnswer::new(422, "Failed to deserialize the JSON body into the target type"),
            |body| HttpAnswer::new(200, body.to_string()),
        )
    }

    fn is_order(&self, request: &HttpRequest<'_>) -> bool {
        request.path == "/exchange" && action::is_order(request.body)
    }

    fn failed(&self, fault: RequestFault) -> HttpAnswer {
        let (status, text) = failed(fault);
        HttpAnswer::new(status, text)
    }

    fn talk(&self, path: &str, _: &str) -> Option<Box<dyn Talk>> {
        (path == "/ws").then(|| Box::new(talk::Session) as Box<dyn Talk>)
    }

    fn tell(&mut self, venue: &mut Venue) {
        talk::tell(venue);
    }

    fn tell_depth(&mut self, venue: &mut Venue) {
        talk::tell_depth(venue);
    }

    fn tell_tickers(&mut self, venue: &mut Venue) {
        talk::tell_tickers(venue);
    }
}
