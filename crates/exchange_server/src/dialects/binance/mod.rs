//! Binance spot and USD-M futures: REST, market streams, user streams and the WebSocket API.

use mainspring_core::Instrument;

use crate::dialects::{as_generated, Dialect, HttpAnswer, HttpRequest, Listing, Row, Talk};
use crate::faults::RequestFault;
use crate::section::Product;
use crate::venue::Venue;

use self::params::{signed_text, Params};
use self::request::{handle, Answer, Request};

mod account;
mod error;
mod orders;
mod params;
mod public;
mod publish;
mod render;
mod request;
mod routes;
mod talk;
mod terms;

/// The row of the table.
pub const ROW: Row = Row {
    name: "binance",
    listing: Listing {
        products: &[Product::Spot, Product::Usdm],
        name: own_name,
        rules: as_generated,
        keeps_unfilled_fok: [true, false],
        decimals: [8, 0],
    },
    make: || Box::new(Binance),
};

/// The generator's names are the venue's.
fn own_name(_: Product, instrument: &Instrument) -> String {
    instrument.symbol.clone()
}

#[derive(Clone, Copy, Debug)]
struct Binance;

impl Dialect for Binance {
    fn http(&mut self, venue: &mut Venue, request: &HttpRequest<'_>) -> HttpAnswer {
        let mut params = Params::of_query(request.query);
        params.add_query(request.body);
        let asked = Request {
            method: request.method,
            path: request.path,
            params,
            signed_text: signed_text(request.query, request.body),
            key: request.header("x-mbx-apikey"),
        };
        handle(venue, &asked).over_http(request.path)
    }

    fn is_order(&self, request: &HttpRequest<'_>) -> bool {
        let mut parts = request.path.split('/').filter(|part| !part.is_empty());
        let is_it = |part: &str| part.starts_with("order") || part.ends_with("Order");
        request.method != "GET" && parts.any(|part| is_it(part) || part.ends_with("Orders"))
    }

    fn failed(&self, fault: RequestFault) -> HttpAnswer {
        Answer::failed(fault).over_http("")
    }

    fn talk(&self, path: &str, query: &str) -> Option<Box<dyn Talk>> {
        talk::open(path, query)
    }

    fn tell(&mut self, venue: &mut Venue) {
        publish::tell(venue);
    }

    fn tell_depth(&mut self, venue: &mut Venue) {
        publish::tell_depth(venue);
    }

    fn tell_tickers(&mut self, venue: &mut Venue) {
        publish::tell_tickers(venue);
    }
}
