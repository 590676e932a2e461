//! Orders, cancels and changes by websocket, signed by HMAC: written in one pass.
//!
//! What is signed names the parameters in the order of the alphabet, and the frame may: both are
//! written side by side, each value once. [`super::encode`] makes the same bytes of any request; what
//! is unusual here is left to it, and a test compares the two.

use mainspring_core::order::OrderTerms;
use mainspring_core::{OrderFlags, OrderType, TimeInForce};
use zeroize::Zeroizing;

use super::encode::{
    futures_life, respond_word, side_word, spot_life, Route, FUTURES_AMEND, FUTURES_CANCEL,
    FUTURES_PLACE, SPOT_CANCEL, SPOT_PLACE,
};
use super::{Binance, Market};
use crate::hmac::HmacKey;
use crate::numerals::{hex_of_code, Numeral};
use crate::operation::{Amend, Cancel, Operation, OrderKey, Place};
use crate::outgoing::{Host, Outgoing};
use crate::params::is_plain;
use crate::sign::{ApiKeySigner, Credentials};

/// The start of everything that is signed here.
const OPENING: &[u8] = b"apiKey=";

/// What the frames of one key begin with.
#[derive(Clone)]
pub(super) struct Signing {
    /// `apiKey=` and the key.
    opening: Zeroizing<Vec<u8>>,
    key: HmacKey,
    /// Bytes of what is signed that `key` has absorbed: a block, where the opening fills one.
    absorbed: usize,
}

impl Signing {
    /// For keys that sign by HMAC.
    pub(super) fn new(credentials: &Credentials) -> Option<Self> {
        let ApiKeySigner::Hmac(key) = &credentials.signer else { return None };
        let name = credentials.key.expose();
        if !is_plain(name) || !name.is_ascii() {
            return None;
        }
        let opening = Zeroizing::new([OPENING, name].concat());
        let (key, absorbed) = match opening.first_chunk() {
            Some(block) => (key.after(block), block.len()),
            None => (key.clone(), 0),
        };
        Some(Self { opening, key, absorbed })
    }
}

/// Buffers of [`write`], reused.
#[derive(Clone, Default)]
pub(super) struct Pen {
    frame: Vec<u8>,
    signed: Vec<u8>,
}

/// A value between quotes.
macro_rules! text {
    ($pen:expr, $name:literal, $value:expr) => {{
        let value: &[u8] = $value;
        $pen.frame.extend_from_slice(concat!(",\"", $name, "\":\"").as_bytes());
        $pen.frame.extend_from_slice(value);
        $pen.frame.push(b'"');
        $pen.signed.extend_from_slice(concat!("&", $name, "=").as_bytes());
        $pen.signed.extend_from_slice(value);
    }};
}

/// A bare number.
macro_rules! number {
    ($pen:expr, $name:literal, $value:expr) => {{
        let numeral = Numeral::decimal($value);
        $pen.frame.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
        $pen.frame.extend_from_slice(numeral.as_bytes());
        $pen.signed.extend_from_slice(concat!("&", $name, "=").as_bytes());
        $pen.signed.extend_from_slice(numeral.as_bytes());
    }};
}

/// What the venue and the moment add to every request.
#[derive(Clone, Copy)]
struct Stamp {
    window_ms: u64,
    now_ms: u64,
}

/// Writes the frame of a request with this id into `out`. False when it is none of these, and `out` is as
/// it was.
pub(super) fn write(
    venue: &mut Binance,
    operation: &Operation<'_>,
    id: u64,
    now_ms: i64,
    out: &mut Outgoing,
) -> bool {
    let Some(signing) = &venue.signing else { return false };
    let window_ms = u64::from(venue.settings.recv_window_ms);
    let stamp = Stamp { window_ms, now_ms: now_ms.unsigned_abs() };
    let pen = &mut venue.pen;
    // The buffer of the frame goes out and that of the last one comes back.
    pen.frame = std::mem::take(&mut out.body).into_bytes();
    let route = match (operation, venue.market) {
        (Operation::Place(place), market) => {
            words(place, market, respond_word(venue.settings.respond))
                .and_then(|words| pen.place(place, words, id, stamp, signing))
        }
        (Operation::Cancel(cancel), Market::Spot) => {
            pen.cancel(cancel, &SPOT_CANCEL, id, stamp, signing)
        }
        (Operation::Cancel(cancel), Market::Futures) => {
            pen.cancel(cancel, &FUTURES_CANCEL, id, stamp, signing)
        }
        (Operation::Amend(amend), Market::Futures) => pen.amend(amend, id, stamp, signing),
        _ => None,
    };
    if route.is_none() {
        pen.frame.clear();
    }
    let Ok(body) = String::from_utf8(std::mem::take(&mut pen.frame)) else { return false };
    out.body = body;
    let Some(route) = route else { return false };
    out.host = Host::Trade;
    out.cost = route.cost;
    out.method = route.method;
    true
}

/// The words of an order, each as the market has them.
#[derive(Clone, Copy)]
struct Words {
    route: &'static Route,
    respond: &'static str,
    kind: &'static str,
    life: Option<&'static str>,
    reduce_only: bool,
}

/// Limit orders that live until they are cancelled or not at all.
fn words(place: &Place<'_>, market: Market, respond: &'static str) -> Option<Words> {
    let terms: &OrderTerms = &place.terms;
    let common = terms.order_type == OrderType::Limit
        && terms.time_in_force != TimeInForce::Gtd
        && place.quote_amount.is_none();
    if !common {
        return None;
    }
    let reduce_only = terms.flags.has(OrderFlags::REDUCE_ONLY);
    let post_only = terms.flags.has(OrderFlags::POST_ONLY);
    match market {
        Market::Futures => {
            let (kind, life) = ("LIMIT", Some(futures_life(terms)));
            Some(Words { route: &FUTURES_PLACE, respond: "RESULT", kind, life, reduce_only })
        }
        Market::Spot if reduce_only => None,
        Market::Spot => {
            let kind = if post_only { "LIMIT_MAKER" } else { "LIMIT" };
            let life = (!post_only).then(|| spot_life(terms.time_in_force));
            Some(Words { route: &SPOT_PLACE, respond, kind, life, reduce_only })
        }
    }
}

impl Pen {
    fn place(
        &mut self,
        place: &Place<'_>,
        words: Words,
        id: u64,
        stamp: Stamp,
        signing: &Signing,
    ) -> Option<&'static Route> {
        let instrument = &place.listing.instrument;
        let price = Numeral::count(instrument.tick(), place.terms.price.0)?;
        let qty = Numeral::count(instrument.lot, place.terms.qty.0)?;
        let symbol = plain(place.listing.symbol())?;
        let client = plain(place.client)?;
        self.begin(id, words.route, signing);
        if !client.is_empty() {
            text!(self, "newClientOrderId", client);
        }
        text!(self, "newOrderRespType", words.respond.as_bytes());
        text!(self, "price", price.as_bytes());
        text!(self, "quantity", qty.as_bytes());
        number!(self, "recvWindow", stamp.window_ms);
        if words.reduce_only {
            text!(self, "reduceOnly", b"true");
        }
        text!(self, "side", side_word(place.terms.side).as_bytes());
        text!(self, "symbol", symbol);
        if let Some(life) = words.life {
            text!(self, "timeInForce", life.as_bytes());
        }
        number!(self, "timestamp", stamp.now_ms);
        text!(self, "type", words.kind.as_bytes());
        self.end(signing);
        Some(words.route)
    }

    fn cancel(
        &mut self,
        cancel: &Cancel<'_>,
        route: &'static Route,
        id: u64,
        stamp: Stamp,
        signing: &Signing,
    ) -> Option<&'static Route> {
        let symbol = plain(cancel.listing.symbol())?;
        let order = plain_key(cancel.order)?;
        self.begin(id, route, signing);
        self.order(order);
        number!(self, "recvWindow", stamp.window_ms);
        text!(self, "symbol", symbol);
        number!(self, "timestamp", stamp.now_ms);
        self.end(signing);
        Some(route)
    }

    fn amend(
        &mut self,
        amend: &Amend<'_>,
        id: u64,
        stamp: Stamp,
        signing: &Signing,
    ) -> Option<&'static Route> {
        let instrument = &amend.listing.instrument;
        let price = Numeral::count(instrument.tick(), amend.price.0)?;
        let qty = Numeral::count(instrument.lot, amend.qty.0)?;
        let symbol = plain(amend.listing.symbol())?;
        let order = plain_key(amend.order)?;
        self.begin(id, &FUTURES_AMEND, signing);
        self.order(order);
        text!(self, "price", price.as_bytes());
        text!(self, "quantity", qty.as_bytes());
        number!(self, "recvWindow", stamp.window_ms);
        text!(self, "side", side_word(amend.side).as_bytes());
        text!(self, "symbol", symbol);
        number!(self, "timestamp", stamp.now_ms);
        self.end(signing);
        Some(&FUTURES_AMEND)
    }

    fn begin(&mut self, id: u64, route: &Route, signing: &Signing) {
        self.frame.clear();
        self.frame.extend_from_slice(b"{\"id\":\"");
        self.frame.extend_from_slice(Numeral::decimal(id).as_bytes());
        self.frame.extend_from_slice(b"\",\"method\":\"");
        self.frame.extend_from_slice(route.socket.as_bytes());
        self.frame.extend_from_slice(b"\",\"params\":{\"apiKey\":\"");
        self.frame.extend_from_slice(&signing.opening[OPENING.len()..]);
        self.frame.push(b'"');
        self.signed.clear();
        self.signed.extend_from_slice(&signing.opening[signing.absorbed..]);
    }

    fn order(&mut self, order: OrderKey<'_>) {
        match order {
            OrderKey::Client(id) => text!(self, "origClientOrderId", id.as_bytes()),
            OrderKey::Venue(id) => text!(self, "orderId", id.as_bytes()),
        }
    }

    /// Signs what was written.
    fn end(&mut self, signing: &Signing) {
        let code = signing.key.code(&self.signed);
        self.frame.extend_from_slice(b",\"signature\":\"");
        self.frame.extend_from_slice(&hex_of_code(&code));
        self.frame.extend_from_slice(b"\"}}");
    }
}

/// Text that stands in JSON and in what is signed as it is.
fn plain(text: &str) -> Option<&[u8]> {
    is_plain(text.as_bytes()).then_some(text.as_bytes())
}

fn plain_key(order: OrderKey<'_>) -> Option<OrderKey<'_>> {
    let (OrderKey::Client(id) | OrderKey::Venue(id)) = order;
    plain(id).map(|_| order)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
