//! Venue codecs for Python: messages and requests as JSON, secrets as bytes that do not come back.

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    Decimal, Error, ErrorKind, InstrumentId, Lots, OrderFlags, OrderType, Side, Ticks, TimeInForce,
};
use mainspring_venues::fact::{Fact, FillFact, OrderFact};
use mainspring_venues::failure::{Failure, FailureClass};
use mainspring_venues::feed::{FeedEvent, Sides};
use mainspring_venues::level::Level;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::operation::{Amend, Cancel, Operation, OrderKey, Place, UserStream};
use mainspring_venues::outgoing::{Outgoing, Reply, Via};
use mainspring_venues::rows::RowSink;
use mainspring_venues::rules::Support;
use mainspring_venues::secret::Secret;
use mainspring_venues::table::{open, Opening, VENUES};
use mainspring_venues::venue::{Network, Stream, Venue};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::errors::to_py;

/// Signatures by Ed25519 and secp256k1 in this process, by the name of the thread that made them.
#[pyfunction]
pub fn signatures_by_thread() -> Vec<(String, u64)> {
    mainspring_venues::sign::signatures_by_thread()
}

/// The names of the venues there are, each with what it trades.
#[pyfunction]
pub fn venue_names() -> Vec<(&'static str, &'static str)> {
    VENUES.iter().map(|entry| (entry.name, entry.title)).collect()
}

/// A venue's codec, and the instruments it was given.
#[pyclass(name = "VenueCodec", module = "mainspring._core", unsendable)]
pub struct PyVenueCodec {
    venue: Box<dyn Venue>,
    listings: Vec<Listing>,
    sides: Sides,
    sink: Option<RowSink>,
    out: Outgoing,
    test: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    account: String,
    account_number: u64,
    ed25519: bool,
    recv_window_ms: u32,
    test: bool,
    tag: u32,
}

/// A request as Python words it; numbers of money are text.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    kind: String,
    symbol: String,
    side: Option<Side>,
    order_type: Option<OrderType>,
    time_in_force: Option<TimeInForce>,
    post_only: bool,
    reduce_only: bool,
    price: Option<Decimal>,
    qty: Option<Decimal>,
    filled: Option<Decimal>,
    trigger: Option<Decimal>,
    display: Option<Decimal>,
    worst: Option<Decimal>,
    quote_amount: Option<Decimal>,
    expire_ns: i64,
    client: String,
    order_id: String,
    good_till_s: u32,
    before: Option<Decimal>,
    since_ms: i64,
    limit: u32,
    leverage: u32,
    cross: bool,
    timeout_ms: u64,
    stream: String,
    key: String,
    orders: Vec<Self>,
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what)
}

#[pymethods]
impl PyVenueCodec {
    #[new]
    #[pyo3(signature = (name, settings = "{}", key = None, secret = None, passphrase = None, /))]
    fn new(
        name: &str,
        settings: &str,
        key: Option<Vec<u8>>,
        secret: Option<Vec<u8>>,
        passphrase: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let settings: Settings =
            serde_json::from_str(settings).map_err(|error| to_py(wrong(error.to_string())))?;
        let opening = Opening {
            key: key.map(Secret::new),
            secret: secret.map(Secret::new),
            passphrase: passphrase.map(Secret::new),
            account: settings.account,
            account_number: settings.account_number,
            ed25519: settings.ed25519,
            recv_window_ms: settings.recv_window_ms,
            network: if settings.test { Network::Test } else { Network::Main },
            tag: settings.tag,
            short_term: false,
        };
        Ok(Self {
            venue: open(name, &opening).map_err(to_py)?,
            listings: Vec::new(),
            sides: Sides::default(),
            sink: None,
            out: Outgoing::new(),
            test: settings.test,
        })
    }

    /// The name of the venue.
    #[getter]
    fn name(&self) -> &str {
        self.venue.name()
    }

    /// What the venue takes and where it is, as JSON.
    fn facts(&self) -> String {
        let network = if self.test { Network::Test } else { Network::Main };
        let (rules, ends) = (self.venue.rules(), self.venue.endpoints(network));
        let heart = self.venue.heartbeat();
        let types = [
            "limit",
            "market",
            "stop",
            "stop_limit",
            "take_profit",
            "trailing_stop",
            "iceberg",
            "pegged",
        ];
        let lives = ["gtc", "ioc", "fok", "gtd"];
        let table = |names: &[&str], served: &[Support]| -> Value {
            names
                .iter()
                .zip(served)
                .map(|(name, one)| ((*name).to_owned(), support(*one)))
                .collect()
        };
        let budgets: Vec<Value> = rules
            .budgets
            .iter()
            .map(|one| {
                json!({"name": one.name, "limit": one.limit, "per_ms": one.per_ms,
                       "slides": one.slides,
                       "header": one.header, "header_is_left": one.header_is_left})
            })
            .collect();
        json!({
            "order_types": table(&types, &rules.order_types),
            "time_in_force": table(&lives, &rules.lives),
            "post_only": support(rules.post_only),
            "reduce_only": support(rules.reduce_only),
            "cancel_all": support(rules.cancel_all),
            "countdown": support(rules.countdown),
            "min_countdown_ms": rules.min_countdown_ms,
            "amend": format!("{:?}", rules.amend).to_lowercase(),
            "max_place_batch": rules.max_place_batch,
            "max_cancel_batch": rules.max_cancel_batch,
            "budgets": budgets,
            "endpoints": {"rest": ends.rest, "market": ends.market, "user": ends.user,
                          "trade": ends.trade, "chain": ends.chain},
            "heartbeat": {"ping": heart.ping, "every_ms": heart.every_ms,
                          "silence_ms": heart.silence_ms, "life_ms": heart.life_ms},
        })
        .to_string()
    }

    /// Reads the venue's list of instruments, keeps those named (all when none is), and returns them
    /// as JSON.
    fn instruments(&mut self, body: &[u8], symbols: Vec<String>) -> PyResult<String> {
        let mut all = self.venue.instruments(body).map_err(to_py)?;
        if !symbols.is_empty() {
            all.retain(|one| symbols.iter().any(|symbol| symbol == one.symbol()));
        }
        for (at, listing) in all.iter_mut().enumerate() {
            let at = u16::try_from(at).map_err(|_| to_py(wrong("more than 65,536 instruments")))?;
            listing.id = InstrumentId(at);
        }
        let listings = Listings::new(all.clone()).map_err(to_py)?;
        self.sink = Some(RowSink::new(&listings));
        self.listings = all;
        let list: Vec<Value> = self
            .listings
            .iter()
            .map(|one| json!({"instrument": one.instrument, "trading": one.trading}))
            .collect();
        Ok(Value::from(list).to_string())
    }

    /// Frames that subscribe to streams of the instruments: `(connection, text)`.
    fn subscribe(
        &self,
        symbols: Vec<String>,
        streams: Vec<String>,
    ) -> PyResult<Vec<(usize, String)>> {
        let streams: Result<Vec<Stream>, Error> = streams.iter().map(|name| stream(name)).collect();
        let listings: Result<Vec<&Listing>, Error> =
            symbols.iter().map(|symbol| self.listing(symbol)).collect();
        let mut frames = Vec::new();
        let listings = listings.map_err(to_py)?;
        self.venue.subscribe(&listings, &streams.map_err(to_py)?, 1, &mut frames).map_err(to_py)?;
        Ok(frames)
    }

    /// Reads one message of market data: events as JSON.
    fn market(&mut self, text: &[u8]) -> PyResult<String> {
        let mut events = Vec::new();
        self.venue
            .market(text, &mut self.sides, &mut |event| events.push(feed_json(&event)))
            .map_err(|refusal| to_py(Error::new(ErrorKind::Data, refusal.to_string())))?;
        Ok(Value::from(events).to_string())
    }

    /// Reads one message of market data into rows: `(kind, instrument, side, ticks, lots, exch_ns)`.
    #[allow(clippy::type_complexity)]
    fn rows(&mut self, text: &[u8], recv_ns: i64) -> PyResult<Vec<(u8, u16, u8, i64, i64, i64)>> {
        let Some(sink) = &mut self.sink else {
            return Err(to_py(wrong("rows need the instruments: read them first")));
        };
        self.venue
            .rows(text, recv_ns, &mut self.sides, sink)
            .map_err(|refusal| to_py(Error::new(ErrorKind::Data, refusal.to_string())))?;
        let mut rows = Vec::new();
        for (message, list) in sink.messages() {
            rows.extend(list.iter().map(|row| {
                let ticks = row.price(message.base).0;
                (row.kind, row.instrument, row.flags, ticks, row.qty_lots, row.exch_ns)
            }));
        }
        Ok(rows)
    }

    /// Writes a request that JSON describes: JSON of what to send, whose answer `answer` reads next.
    #[pyo3(signature = (request, now_ms, socket_id = None, /))]
    fn encode(&mut self, request: &str, now_ms: i64, socket_id: Option<u64>) -> PyResult<String> {
        let asked: Asked =
            serde_json::from_str(request).map_err(|error| to_py(wrong(error.to_string())))?;
        let via = socket_id.map_or(Via::Http, |id| Via::Socket { id });
        self.write(&asked, via, now_ms).map_err(to_py)?;
        let headers: Vec<(&str, &str)> = self.out.headers().collect();
        Ok(json!({
            "method": self.out.method.name(),
            "host": format!("{:?}", self.out.host).to_lowercase(),
            "target": self.out.target,
            "headers": headers,
            "body": self.out.body,
            "weight": self.out.cost.weight,
            "orders": self.out.cost.orders,
        })
        .to_string())
    }

    /// Reads the answer to the request that was written last: JSON of facts, or of the failure.
    fn answer(&mut self, status: u16, headers: Vec<(String, String)>, body: &[u8]) -> String {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut facts = Vec::new();
        let reply = Reply { status, headers: &headers, body };
        let read = self.venue.answer(&self.out, &reply, &mut |fact| facts.push(fact_json(&fact)));
        match read {
            Ok(()) => json!({"facts": facts, "failure": null}),
            Err(failure) => json!({"facts": facts, "failure": failure_json(&failure)}),
        }
        .to_string()
    }

    /// Reads one message of the user stream: facts as JSON.
    fn user(&mut self, text: &[u8]) -> PyResult<String> {
        let mut facts = Vec::new();
        self.venue
            .user(text, &mut |fact| facts.push(fact_json(&fact)))
            .map_err(|what| to_py(Error::new(ErrorKind::Data, what)))?;
        Ok(Value::from(facts).to_string())
    }
}

impl PyVenueCodec {
    fn listing(&self, symbol: &str) -> Result<&Listing, Error> {
        self.listings.iter().find(|one| one.symbol() == symbol).ok_or_else(|| {
            let what = format!("{symbol} is not among the instruments that were read");
            Error::new(ErrorKind::NotFound, what)
        })
    }

    fn write(&mut self, asked: &Asked, via: Via, now_ms: i64) -> Result<(), Error> {
        let listings = std::mem::take(&mut self.listings);
        let written = with_operation(&listings, asked, &mut |operation| {
            if let Operation::Place(place) = operation {
                let checked = self.venue.rules().check(place.listing, &place.terms);
                checked.map_err(|broken| Error::new(ErrorKind::Risk, broken.why))?;
            }
            self.venue.encode(operation, via, now_ms, &mut self.out)
        });
        self.listings = listings;
        written
    }
}

fn support(one: Support) -> Value {
    match one {
        Support::Native => json!({"served": "native", "how": ""}),
        Support::Emulated(how) => json!({"served": "emulated", "how": how}),
        Support::Refused(why) => json!({"served": "refused", "how": why}),
    }
}

fn stream(name: &str) -> Result<Stream, Error> {
    match name {
        "book" => Ok(Stream::Book),
        "best" => Ok(Stream::Best),
        "trades" => Ok(Stream::Trades),
        "mark" => Ok(Stream::Mark),
        _ => Err(wrong(format!("no stream {name:?}; there are book, best, trades, mark"))),
    }
}

fn named<'a>(listings: &'a [Listing], symbol: &str) -> Result<&'a Listing, Error> {
    listings.iter().find(|one| one.symbol() == symbol).ok_or_else(|| {
        let what = format!("{symbol} is not among the instruments that were read");
        Error::new(ErrorKind::NotFound, what)
    })
}

fn ticks(listing: &Listing, price: Option<Decimal>) -> Result<Ticks, Error> {
    let price = price.unwrap_or_default();
    listing.ticks(price).ok_or_else(|| wrong(format!("{price} is off the tick")))
}

fn lots(listing: &Listing, qty: Option<Decimal>) -> Result<Lots, Error> {
    let qty = qty.unwrap_or_default();
    listing.lots(qty).ok_or_else(|| wrong(format!("{qty} is no whole number of lots")))
}

fn terms(listing: &Listing, asked: &Asked) -> Result<OrderTerms, Error> {
    let side = asked.side.ok_or_else(|| wrong("an order needs its side"))?;
    let mut terms = OrderTerms::limit(
        listing.id,
        side,
        ticks(listing, asked.price)?,
        lots(listing, asked.qty)?,
    );
    terms.order_type = asked.order_type.unwrap_or(OrderType::Limit);
    terms.time_in_force = asked.time_in_force.unwrap_or(TimeInForce::Gtc);
    if asked.post_only {
        terms.flags = terms.flags.with(OrderFlags::POST_ONLY);
    }
    if asked.reduce_only {
        terms.flags = terms.flags.with(OrderFlags::REDUCE_ONLY);
    }
    terms.trigger = ticks(listing, asked.trigger)?;
    terms.display = lots(listing, asked.display)?;
    terms.expire_ns = asked.expire_ns;
    Ok(terms)
}

fn key(asked: &Asked) -> OrderKey<'_> {
    if asked.order_id.is_empty() {
        OrderKey::Client(&asked.client)
    } else {
        OrderKey::Venue(&asked.order_id)
    }
}

fn place<'a>(listings: &'a [Listing], asked: &'a Asked) -> Result<Place<'a>, Error> {
    let listing = named(listings, &asked.symbol)?;
    let worst = asked.worst.map(|worst| ticks(listing, Some(worst))).transpose()?;
    let quote_amount = asked.quote_amount;
    Ok(Place { worst, quote_amount, ..Place::new(listing, terms(listing, asked)?, &asked.client) })
}

fn cancel<'a>(listings: &'a [Listing], asked: &'a Asked) -> Result<Cancel<'a>, Error> {
    let listing = named(listings, &asked.symbol)?;
    Ok(Cancel { listing, order: key(asked), good_till_s: asked.good_till_s })
}

type Then<'t> = &'t mut dyn FnMut(&Operation<'_>) -> Result<(), Error>;

/// Calls `then` with the operation that a request describes.
fn with_operation(listings: &[Listing], asked: &Asked, then: Then<'_>) -> Result<(), Error> {
    let listing = || named(listings, &asked.symbol);
    let some = || if asked.symbol.is_empty() { Ok(None) } else { listing().map(Some) };
    match asked.kind.as_str() {
        "place" => then(&Operation::Place(place(listings, asked)?)),
        "place_many" => {
            let all: Result<Vec<_>, _> =
                asked.orders.iter().map(|one| place(listings, one)).collect();
            then(&Operation::PlaceMany(&all?))
        }
        "cancel" => then(&Operation::Cancel(cancel(listings, asked)?)),
        "cancel_many" => {
            let all: Result<Vec<_>, _> =
                asked.orders.iter().map(|one| cancel(listings, one)).collect();
            then(&Operation::CancelMany(&all?))
        }
        "cancel_all" => then(&Operation::CancelAll(listing()?)),
        "amend" => then(&Operation::Amend(amend(listing()?, asked)?)),
        "query" => then(&Operation::Query { listing: listing()?, order: key(asked) }),
        "open_orders" => then(&Operation::OpenOrders(some()?)),
        "fills" => {
            let (since_ms, limit) = (asked.since_ms, asked.limit);
            then(&Operation::Fills { listing: listing()?, since_ms, limit })
        }
        "balances" => then(&Operation::Balances),
        "positions" => then(&Operation::Positions(some()?)),
        "margin_tiers" => then(&Operation::MarginTiers(some()?)),
        "leverage" => {
            let (leverage, cross) = (asked.leverage, asked.cross);
            then(&Operation::Leverage { listing: listing()?, leverage, cross })
        }
        "margin_mode" => {
            let (leverage, cross) = (asked.leverage, asked.cross);
            then(&Operation::MarginMode { listing: listing()?, cross, leverage })
        }
        "user_stream" => then(&Operation::UserStream(user_stream(asked)?)),
        "countdown" => {
            then(&Operation::Countdown { listing: some()?, timeout_ms: asked.timeout_ms })
        }
        "book" => then(&Operation::Book { listing: listing()?, depth: asked.limit }),
        "trades" => then(&Operation::Trades { listing: listing()?, limit: asked.limit }),
        "candles" => {
            let (since_ms, limit) = (asked.since_ms, asked.limit);
            then(&Operation::Candles { listing: listing()?, since_ms, limit })
        }
        "funding" => then(&Operation::Funding(listing()?)),
        "instruments" => then(&Operation::Instruments),
        "time" => then(&Operation::Time),
        "key_rights" => then(&Operation::Rights { of_key: true }),
        "account_rights" => then(&Operation::Rights { of_key: false }),
        "position_mode" => then(&Operation::PositionMode),
        "fees" => then(&Operation::Fees(listing()?)),
        other => Err(wrong(format!("no request {other:?}"))),
    }
}

fn amend<'a>(listing: &'a Listing, asked: &'a Asked) -> Result<Amend<'a>, Error> {
    let mut before = terms(listing, asked)?;
    before.price = match asked.before {
        Some(price) => ticks(listing, Some(price))?,
        None => Ticks(0),
    };
    Ok(Amend {
        listing,
        order: key(asked),
        side: before.side,
        terms: before,
        price: ticks(listing, asked.price)?,
        qty: lots(listing, asked.qty)?,
        filled: lots(listing, asked.filled)?,
        client: if asked.order_id.is_empty() { "" } else { &asked.client },
    })
}

fn user_stream(asked: &Asked) -> Result<UserStream<'_>, Error> {
    match asked.stream.as_str() {
        "open" => Ok(UserStream::Open),
        "subscribe" => Ok(UserStream::Subscribe),
        "keep_alive" => Ok(UserStream::KeepAlive(&asked.key)),
        "close" => Ok(UserStream::Close(&asked.key)),
        other => Err(wrong(format!("no user stream {other:?}"))),
    }
}

fn levels(levels: &[Level]) -> Value {
    levels.iter().map(|one| json!([one.price, one.qty])).collect()
}

fn feed_json(event: &FeedEvent<'_>) -> Value {
    match event {
        FeedEvent::Book(one) => json!({
            "kind": "book", "symbol": one.symbol, "snapshot": one.snapshot, "time_ns": one.time_ns,
            "bids": levels(one.bids), "asks": levels(one.asks),
            "sequence": format!("{:?}", one.sequence), "checksum": one.checksum,
        }),
        FeedEvent::Trade(one) => json!({
            "kind": "trade", "symbol": one.symbol, "time_ns": one.time_ns,
            "price": one.level.price, "qty": one.level.qty, "taker": one.taker,
        }),
        FeedEvent::Best(one) => json!({
            "kind": "best", "symbol": one.symbol, "time_ns": one.time_ns,
            "bid": one.bid.map(|l| json!([l.price, l.qty])),
            "ask": one.ask.map(|l| json!([l.price, l.qty])),
        }),
        FeedEvent::Mark(one) => json!({
            "kind": "mark", "symbol": one.symbol, "time_ns": one.time_ns, "mark": one.mark,
            "rate": one.rate, "next_funding_ns": one.next_funding_ns,
        }),
        FeedEvent::Other(name) => json!({"kind": "other", "name": name}),
    }
}

fn order_json(one: &OrderFact<'_>) -> Value {
    json!({
        "kind": "order", "symbol": one.symbol, "client": one.client, "order_id": one.venue_id,
        "status": format!("{:?}", one.status), "side": one.side, "price": one.price, "qty": one.qty,
        "filled": one.filled, "time_ns": one.time_ns, "said": one.said,
    })
}

fn fill_json(one: &FillFact<'_>) -> Value {
    json!({
        "kind": "fill", "symbol": one.symbol, "client": one.client, "order_id": one.venue_id,
        "trade_id": one.trade_id, "side": one.side, "price": one.price, "qty": one.qty,
        "fee": one.fee, "fee_currency": one.fee_currency, "maker": one.maker,
        "filled": one.filled, "time_ns": one.time_ns,
        "origin": format!("{:?}", one.origin).to_lowercase(),
    })
}

fn fact_json(fact: &Fact<'_>) -> Value {
    match fact {
        Fact::Order(one) => order_json(one),
        Fact::Fill(one) => fill_json(one),
        Fact::Balance(one) => json!({
            "kind": "balance", "currency": one.currency, "total": one.total, "free": one.free,
        }),
        Fact::Position(one) => json!({
            "kind": "position", "symbol": one.symbol, "qty": one.qty, "entry": one.entry,
            "hedged": one.hedged,
        }),
        Fact::Payment { currency, amount } => {
            json!({"kind": "payment", "currency": currency, "amount": amount})
        }
        Fact::Rights(rights) => json!({
            "kind": "rights", "trade": rights.trade, "withdraw": rights.withdraw,
            "bound_to_address": rights.bound_to_address, "hedge_mode": rights.hedge_mode,
        }),
        Fact::Fees { symbol, maker, taker } => {
            json!({"kind": "fees", "symbol": symbol, "maker": maker, "taker": taker})
        }
        Fact::Notice(notice) => json!({"kind": "notice", "notice": format!("{notice:?}")}),
        Fact::Failed { at, client, failure } => json!({
            "kind": "failed", "at": at, "client": client, "failure": failure_json(failure),
        }),
        Fact::More(after) => json!({"kind": "more", "after": after}),
        Fact::Other(name) => json!({"kind": "other", "name": name}),
    }
}

fn failure_json(failure: &Failure) -> Value {
    let (class, wait_ms) = match failure.class {
        FailureClass::Refused => ("refused", None),
        FailureClass::RateLimited { wait_ms, .. } => ("rate_limited", wait_ms),
        FailureClass::Authentication => ("authentication", None),
        FailureClass::Unknown => ("unknown", None),
        FailureClass::VenueDown => ("venue_down", None),
    };
    json!({
        "class": class, "wait_ms": wait_ms, "reason": failure.reason, "code": failure.code,
        "message": failure.message,
    })
}
