//! Bybit v5: spot and linear perpetuals over REST, and the public, private and trading WebSockets.

use mainspring_core::Instrument;

use crate::dialects::{as_generated, Dialect, HttpAnswer, HttpRequest, Listing, Row, Talk};
use crate::faults::RequestFault;
use crate::section::Product;
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
    name: "bybit",
    listing: Listing {
        products: &[Product::Spot, Product::Usdm],
        name: own_name,
        rules: as_generated,
        keeps_unfilled_fok: [true, true],
        decimals: [0, 0],
    },
    make: || Box::new(Bybit),
};

fn own_name(_: Product, instrument: &Instrument) -> String {
    instrument.symbol.clone()
}

/// What a request comes to.
type Outcome<T> = Result<T, Refusal>;

/// The product of a `category`.
fn product_of(category: &str) -> Outcome<Product> {
    match category {
        "spot" => Ok(Product::Spot),
        "linear" => Ok(Product::Usdm),
        _ => {
            Err(Refusal::new(10_001, format!("params error: category {category} is not simulated")))
        }
    }
}

const fn category_of(product: Product) -> &'static str {
    match product {
        Product::Spot => "spot",
        Product::Usdm => "linear",
    }
}

#[derive(Clone, Copy, Debug)]
struct Bybit;

impl Dialect for Bybit {
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
        rest::answer(venue, request)
    }

    fn is_order(&self, request: &HttpRequest<'_>) -> bool {
        request.method == "POST"
            && request.path.starts_with("/v5/order/")
            && request.path != "/v5/order/disconnected-cancel-all"
    }

    fn failed(&self, fault: RequestFault) -> HttpAnswer {
        let refusal = Refusal::of_fault(fault);
        HttpAnswer::new(refusal.status, rest::body(&refusal.outcome(), 0))
    }

    fn talk(&self, path: &str, _: &str) -> Option<Box<dyn Talk>> {
        let session = match path.strip_prefix("/v5/")? {
            "public/spot" => talk::Session::public(Product::Spot),
            "public/linear" => talk::Session::public(Product::Usdm),
            "private" | "trade" => talk::Session::private(),
            _ => return None,
        };
        Some(Box::new(session))
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
