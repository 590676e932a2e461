//! From a venue's bytes to the bytes of signed orders, measured where it happens.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mainspring_core::event::MarketRow;
use mainspring_core::{
    Error, ErrorKind, InstrumentId, Request, Result, Ticks, VenueRequest, VenueRequestKind,
};
use mainspring_journal::live::Options;
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{disk, Session, SessionConfig};
use mainspring_live::bench::{serve, tell};
use mainspring_sim::{SimConfig, SimMarket};
use mainspring_venues::binance::{Binance, DepthSync, Market, Settings, Step};
use mainspring_venues::client_id::ClientIds;
use mainspring_venues::feed::{Sequence, Sides};
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::operation::{Amend, Cancel, Operation, OrderKey, Place};
use mainspring_venues::outgoing::{Outgoing, Via};
use mainspring_venues::rows::{RowMessageKind, RowSink};
use mainspring_venues::secp256k1::{keccak, Secp256k1Key};
use mainspring_venues::secret::Secret;
use mainspring_venues::sign::{Credentials, Ed25519Key, HmacKey};
use mainspring_venues::venue::Venue;
use pyo3::prelude::*;

use crate::codec_bench::listing;
use crate::errors::to_py;
use crate::live::parse;

/// Messages that warm caches and tables up and are not counted.
const WARM_UP: usize = 2_000;

/// What the venue answers is told with this delay of feed and clock, ns.
const FEED_NS: i64 = 2_000_000;

/// Characters of the venue's keys.
const KEY_LENGTH: usize = 64;

/// Median and 99th of a hundred.
type Quantiles = (u32, u32);

/// Nanoseconds from the bytes of a depth message to the bytes of a signed order.
#[derive(Default)]
struct Times {
    /// Until the first order of the message could leave.
    first: Vec<u32>,
    /// Until the last one could.
    all: Vec<u32>,
}

/// Nanoseconds from the bytes of a depth message to the bytes of the first order that it led to, signed,
/// and to those of the last: median and 99th of a hundred of each, and how many messages led to orders.
#[pyfunction]
pub fn time_bytes_to_order(
    py: Python<'_>,
    messages: Vec<Vec<u8>>,
    folder: PathBuf,
    config: &str,
    strategy: &str,
) -> PyResult<(Quantiles, Quantiles, usize)> {
    let config: SessionConfig = parse(config, "the configuration").map_err(to_py)?;
    let strategy: NativeConfig = parse(strategy, "the strategy").map_err(to_py)?;
    let run = || bytes_to_order(&folder, &config, &strategy, &messages);
    let times = py.detach(run).map_err(to_py)?;
    let of = |times: &[u32]| {
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0);
        (at(50), at(99))
    };
    Ok((of(&times.first), of(&times.all), times.first.len()))
}

fn bytes_to_order(
    folder: &Path,
    config: &SessionConfig,
    strategy: &NativeConfig,
    messages: &[Vec<u8>],
) -> Result<Times> {
    let listing = listing("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
    let (mut session, mut venue) = (lead(folder, config, strategy, &listing)?, model(&listing)?);
    let mut way = Way::new(listing)?;
    let (mut requests, mut answers) = (Vec::with_capacity(4_096), Vec::with_capacity(64));
    let mut times = Times::default();
    let mut at_ns = 0;
    for (number, text) in messages.iter().enumerate() {
        way.look(text, number)?;
        // What happened at the venue by then, outside of what is timed.
        for row in &way.seen {
            venue.on_row(row, way.base, row.exch_ns, &mut answers);
        }
        let recv_ns = way.seen.first().map_or(0, |row| row.exch_ns) + FEED_NS;
        at_ns = recv_ns.max(at_ns + 1);
        if number == 0 {
            session.start(at_ns, b"{}")?;
            session.link(at_ns, 0, true)?;
        }
        tell(&mut session, &mut answers)?;
        // What was due by the clock in the meantime is done: a session's loop does not wait with it for
        // a message.
        session.advance(at_ns)?;
        session.take_requests(&mut requests);
        serve(&mut session, &mut venue, &mut requests, &mut answers)?;
        let begun = Instant::now();
        way.message(text, at_ns, &mut session)?;
        session.take_requests(&mut requests);
        let (first, rest) = requests.split_at(requests.len().min(1));
        let any = way.send(first, at_ns)? > 0;
        let first_ns = since(begun);
        way.send(rest, at_ns)?;
        let all_ns = since(begun);
        if number >= WARM_UP.min(messages.len() / 10) && any {
            times.first.push(first_ns);
            times.all.push(all_ns);
        }
        serve(&mut session, &mut venue, &mut requests, &mut answers)?;
    }
    if let Some(outlet) = session.close() {
        outlet.end()?;
    }
    times.first.sort_unstable();
    times.all.sort_unstable();
    Ok(times)
}

fn since(begun: Instant) -> u32 {
    begun.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32
}

fn lead(
    folder: &Path,
    config: &SessionConfig,
    strategy: &NativeConfig,
    listing: &Listing,
) -> Result<Session> {
    let host = strategy.build(BookTrigger::Message)?;
    let name = host.name().to_owned();
    let mut host = Some(host);
    let instruments = vec![listing.instrument.clone()];
    let mut make = |_: Option<&_>| {
        Session::new(config.clone(), instruments.clone(), host.take().into_iter().collect())
    };
    let recovered = disk::recover(folder, &mut make)?;
    let none = serde_json::Value::Null;
    let sources = disk::sources(config, &instruments, &[&name], &none, &none)?;
    Ok(recovered.lead(Options::default(), &sources)?.0)
}

fn model(listing: &Listing) -> Result<SimMarket> {
    SimMarket::new(InstrumentId(0), &listing.instrument, &SimConfig::default())
}

/// The codec's part of the way.
struct Way {
    venue: Binance,
    listing: Listing,
    sink: RowSink,
    sides: Sides,
    sync: DepthSync,
    ids: ClientIds,
    client: String,
    out: Outgoing,
    /// The rows of the next message, read in advance for the model of the venue.
    seen: Vec<MarketRow>,
    base: Ticks,
}

impl Way {
    fn new(listing: Listing) -> Result<Self> {
        let credentials = Credentials::hmac(
            Secret::new("k".repeat(KEY_LENGTH)),
            &Secret::new("secret of the key"),
        )?;
        let venue = Binance::new(Market::Futures, Settings::default(), Some(credentials));
        let ids = ClientIds::new(venue.rules().client_ids, 7);
        let sink = RowSink::new(&Listings::new(vec![listing.clone()])?);
        Ok(Self {
            venue,
            listing,
            sink,
            sides: Sides::default(),
            sync: DepthSync::new(Market::Futures),
            ids,
            client: String::new(),
            out: Outgoing::new(),
            seen: Vec::new(),
            base: Ticks(0),
        })
    }

    fn look(&mut self, text: &[u8], number: usize) -> Result<()> {
        self.decode(text, 0)?;
        self.seen.clear();
        if let Some((message, rows)) = self.sink.messages().next() {
            self.base = message.base;
            self.seen.extend_from_slice(rows);
            if let (0, RowMessageKind::Book { sequence: Sequence::Range(ids), .. }) =
                (number, message.kind)
            {
                // The workload begins with its first change: the book before it is empty.
                self.sync.snapshot(ids.first - 1);
            }
        }
        Ok(())
    }

    fn decode(&mut self, text: &[u8], recv_ns: i64) -> Result<()> {
        let read = self.venue.rows(text, recv_ns, &mut self.sides, &mut self.sink);
        read.map_err(|refusal| Error::new(ErrorKind::Data, refusal.to_string()))
    }

    /// A message from its bytes to the decisions that it leads to.
    fn message(&mut self, text: &[u8], recv_ns: i64, session: &mut Session) -> Result<()> {
        self.decode(text, recv_ns)?;
        for (message, rows) in self.sink.messages() {
            if let RowMessageKind::Book { sequence: Sequence::Range(ids), .. } = message.kind {
                if self.sync.diff(ids) != Step::Apply {
                    continue;
                }
            }
            session.market(message.instrument, message.base, rows)?;
        }
        Ok(())
    }

    /// Requests to signed frames of the WebSocket API; how many they were.
    fn send(&mut self, requests: &[Request], now_ns: i64) -> Result<usize> {
        let mut sent = 0;
        for request in requests {
            let Request::Order(request) = request else { continue };
            self.encode(request, now_ns)?;
            black_box(&self.out.body);
            sent += 1;
        }
        Ok(sent)
    }

    fn encode(&mut self, request: &VenueRequest, now_ns: i64) -> Result<()> {
        let (listing, client) = (&self.listing, &mut self.client);
        self.ids.write(request.order, client);
        let order = OrderKey::Client(client.as_str());
        let operation = match request.kind {
            VenueRequestKind::New(terms) => Operation::Place(Place::new(listing, terms, client)),
            VenueRequestKind::Cancel { .. } => {
                Operation::Cancel(Cancel { listing, order, good_till_s: 0 })
            }
            VenueRequestKind::Amend { price, qty, .. } => Operation::Amend(Amend {
                listing,
                order,
                side: mainspring_core::Side::Buy,
                terms: mainspring_core::order::OrderTerms::limit(
                    listing.id,
                    mainspring_core::Side::Buy,
                    price,
                    qty,
                ),
                price,
                qty,
                filled: mainspring_core::Lots(0),
                client: "",
            }),
        };
        let via = Via::Socket { id: request.order.0 };
        self.venue.encode(&operation, via, now_ns / 1_000_000, &mut self.out)
    }
}

/// Nanoseconds of one signature of an order of usual length: HMAC-SHA256, Ed25519, secp256k1 with its
/// hash.
#[pyfunction]
pub fn time_signing(py: Python<'_>, count: u32) -> PyResult<(f64, f64, f64)> {
    py.detach(|| signing(count.max(1))).map_err(to_py)
}

fn signing(count: u32) -> Result<(f64, f64, f64)> {
    let text = [b'x'; 220];
    let hmac = HmacKey::new(&Secret::new("secret of the key"))?;
    let ed25519 = Ed25519Key::new(&Secret::new([7_u8; 32]))?;
    let secp256k1 = Secp256k1Key::new(&Secret::new("0x".to_owned() + &"11".repeat(32)))?;
    let time = |each: &dyn Fn()| {
        let rounds = (0..5).map(|_| {
            let begun = Instant::now();
            (0..count).for_each(|_| each());
            begun.elapsed().as_nanos() as f64 / f64::from(count)
        });
        rounds.fold(f64::INFINITY, f64::min)
    };
    Ok((
        time(&|| {
            black_box(hmac.code(black_box(&text)));
        }),
        time(&|| {
            black_box(ed25519.sign(black_box(&text)));
        }),
        time(&|| {
            black_box(secp256k1.sign(&keccak(&[black_box(&text)])));
        }),
    ))
}
