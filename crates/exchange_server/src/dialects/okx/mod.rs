//! OKX v5: spot and linear perpetuals over REST, and the public and private WebSockets.
//!
//! Perpetuals are sized in contracts of ten lots, in steps of a tenth. The account shows spot and
//! futures balances as one; margin is checked for each apart.

use mainspring_core::{Decimal, Instrument};

use crate::dialects::{as_generated, Dialect, HttpAnswer, HttpRequest, Listing, Row, Talk};
use crate::faults::RequestFault;
use crate::section::{Product, Section};
use crate::venue::Venue;

mod market;
mod orders;
mod refusal;
mod rest;
mod show;
mod talk;

use self::refusal::Refusal;

/// The row of the table.
pub const ROW: Row = Row {
    name: "okx",
    listing: Listing {
        products: &[Product::Spot, Product::Usdm],
        name: own_name,
        rules: as_generated,
        keeps_unfilled_fok: [true, true],
        decimals: [0, 0],
    },
    make: || Box::new(Okx),
};

fn own_name(product: Product, instrument: &Instrument) -> String {
    let swap = if product == Product::Usdm { "-SWAP" } else { "" };
    format!("{}-{}{swap}", instrument.base, instrument.quote)
}

/// What a request comes to.
type Outcome<T> = Result<T, Refusal>;

/// The symbol of an `instId`.
fn symbol_of(venue: &Venue, name: &str) -> Outcome<(Product, usize)> {
    [Product::Spot, Product::Usdm]
        .into_iter()
        .find_map(|product| Some((product, venue.sections[product as usize].symbol(name).ok()?)))
        .ok_or_else(|| Refusal::new(51_001, format!("Instrument ID {name} does not exist.")))
}

/// The number that names an instrument over the WebSocket.
fn code_of(product: Product, symbol: usize) -> u64 {
    1_000 * (product as u64 + 1) + symbol as u64
}

/// The step of sizes: a lot of spot, a tenth of a contract.
fn step(section: &Section, symbol: usize) -> Decimal {
    let lot = section.desk.symbols[symbol].instrument.lot;
    match section.desk.product {
        Product::Spot => lot,
        Product::Usdm => Decimal::new(1, 1).unwrap_or(lot),
    }
}

#[derive(Clone, Copy, Debug)]
struct Okx;

impl Dialect for Okx {
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
        rest::answer(venue, request)
    }

    fn is_order(&self, request: &HttpRequest<'_>) -> bool {
        request.method == "POST"
            && request.path.starts_with("/api/v5/trade/")
            && request.path != "/api/v5/trade/cancel-all-after"
    }

    fn failed(&self, fault: RequestFault) -> HttpAnswer {
        Refusal::of_fault(fault).over_http()
    }

    fn talk(&self, path: &str, _: &str) -> Option<Box<dyn Talk>> {
        let path = path.strip_prefix("/ws/v5/")?;
        ["public", "private", "business"]
            .contains(&path)
            .then(|| Box::new(talk::Session::at(path == "business")) as Box<dyn Talk>)
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
