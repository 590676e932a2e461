//! Trading on venues outside: the look before, and the session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, MarketRow, Result, Ticks,
};
use mainspring_live::{Link, WallClock};
use mainspring_transport::ask::moved;
use mainspring_transport::connect::Route;
use mainspring_transport::driver::{
    group, relayed, Carrier, Driver, Ear, Group, LinkConfig, Shown, VenueState,
};
use mainspring_transport::io::{Io, IoConfig};
use mainspring_transport::proxy::Proxy;
use mainspring_transport::relay::Relay;
use mainspring_transport::tls::Tls;
use mainspring_venues::amount::add;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::relayed::{Abilities, Relayed};
use mainspring_venues::secret::Secret;
use mainspring_venues::session::check::{CheckReport, CheckUp};
use mainspring_venues::session::{
    Addresses, Input, Level, Note, OnDisconnect, Outbox, Session, SessionSettings, Told,
    VenueSession,
};
use mainspring_venues::table::{open, Opening};
use mainspring_venues::venue::{Network, Stream, Venue};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::errors::to_py;
use crate::live::{parse, plan, KeepText, Place, PyLiveSession};
use crate::relay::PyVenueRelay;

/// From the beginning of an attempt to a connection that can be used.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A venue as Python names it. Secrets come apart.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VenueText {
    pub(crate) name: String,
    pub(crate) symbols: Vec<String>,
    /// Another place than the venue's own: scheme, host and port.
    url: Option<String>,
    test: bool,
    account: String,
    account_number: u64,
    ed25519: bool,
    recv_window_ms: u32,
    pub(crate) tag: u32,
    on_disconnect: Disconnect,
    countdown_ms: u64,
    stale_ms: u64,
    reserve_percent: u32,
    orders_by_socket: bool,
    cancel_all: bool,
    short_term: bool,
    proxy: Option<String>,
    /// A library in Python speaks to it.
    #[serde(default)]
    pub(crate) relayed: Option<RelayedText>,
}

/// A venue that a library in Python speaks to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelayedText {
    /// Its place among the relays that come with it.
    at: usize,
    can: Abilities,
    /// What people are told about it at the start.
    note: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Disconnect {
    Cancel,
    Keep,
}

/// Key, secret and passphrase, where there are any.
pub(crate) type Secrets = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

impl VenueText {
    pub(crate) fn opening(&self, (key, secret, passphrase): &Secrets) -> Opening {
        let hidden =
            |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| Secret::new(bytes.clone()));
        Opening {
            key: hidden(key),
            secret: hidden(secret),
            passphrase: hidden(passphrase),
            account: self.account.clone(),
            account_number: self.account_number,
            ed25519: self.ed25519,
            recv_window_ms: self.recv_window_ms,
            network: if self.test { Network::Test } else { Network::Main },
            tag: self.tag,
            short_term: self.short_term,
        }
    }

    /// The venue's codec.
    pub(crate) fn codec(&self, secrets: &Secrets) -> Result<Box<dyn Venue>> {
        match &self.relayed {
            Some(relayed) => Ok(Box::new(Relayed::new(&self.name, relayed.can))),
            None => open(&self.name, &self.opening(secrets)),
        }
    }

    /// Whether orders can be sent: a library has its key itself.
    fn trades(&self, (_, secret, _): &Secrets) -> bool {
        secret.is_some() || self.relayed.is_some()
    }

    /// What carries requests to the library, for a venue that has one.
    pub(crate) fn relay<'a>(&self, relays: &'a [Relay]) -> Result<Option<&'a Relay>> {
        let Some(relayed) = &self.relayed else { return Ok(None) };
        let missing = || Error::new(ErrorKind::Config, format!("nobody speaks to {}", self.name));
        relays.get(relayed.at).map(Some).ok_or_else(missing)
    }

    pub(crate) fn addresses(&self, venue: &dyn Venue) -> Result<Addresses> {
        if self.relayed.is_some() {
            return Ok(Relayed::addresses());
        }
        let network = if self.test { Network::Test } else { Network::Main };
        match &self.url {
            Some(url) => moved(venue.endpoints(network), url),
            None => Ok(venue.endpoints(network).into()),
        }
    }

    fn settings(&self, addresses: Addresses, trades: bool) -> SessionSettings {
        SessionSettings {
            on_disconnect: match self.on_disconnect {
                Disconnect::Cancel => OnDisconnect::Cancel,
                Disconnect::Keep => OnDisconnect::Keep,
            },
            countdown_ms: self.countdown_ms,
            stale_ms: self.stale_ms,
            reserve_percent: self.reserve_percent,
            orders_by_socket: self.orders_by_socket,
            cancel_all: self.cancel_all,
            streams: vec![Stream::Book, Stream::Best, Stream::Trades, Stream::Mark],
            ..SessionSettings::new(addresses, self.tag, trades)
        }
    }

    pub(crate) fn io(&self, busy_poll: bool) -> Result<IoConfig> {
        Ok(IoConfig {
            route: Route {
                tls: Tls::new(None)?,
                proxy: self.proxy.as_deref().map(Proxy::parse).transpose()?,
                patience: CONNECT_PATIENCE,
            },
            limits: Default::default(),
            pulse: Default::default(),
            back_off: Default::default(),
            calls: Default::default(),
            seed: u64::from(self.tag),
            busy_poll,
        })
    }
}

/// Takes nothing: a check tells by its report.
struct Deaf;

impl Ear for Deaf {
    fn market(&mut self, _: InstrumentId, _: Ticks, _: &[MarketRow]) -> bool {
        true
    }

    fn told(&mut self, _: Told) {}
}

/// The check in the driver's hands, its findings in ours.
struct Shared(std::sync::Arc<std::sync::Mutex<CheckUp>>);

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut CheckUp) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Session for Shared {
    fn venue(&self) -> &str {
        "check"
    }

    fn adopt(&mut self, account: &mainspring_core::report::Account) {
        self.with(|check| check.adopt(account));
    }

    fn start(&mut self, now_ns: i64, out: &mut Outbox) {
        self.with(|check| check.start(now_ns, out));
    }

    fn handle(&mut self, input: Input<'_>, now_ns: i64, out: &mut Outbox) {
        self.with(|check| check.handle(input, now_ns, out));
    }

    fn request(&mut self, request: &mainspring_core::Request, now_ns: i64, out: &mut Outbox) {
        self.with(|check| check.request(request, now_ns, out));
    }

    fn stop(&mut self, now_ns: i64, out: &mut Outbox) {
        self.with(|check| check.stop(now_ns, out));
    }
}

/// Looks at a venue, for at most so long.
fn look(
    text: &VenueText,
    secrets: &Secrets,
    relays: &[Relay],
    trades: bool,
    patience: Duration,
) -> Result<(CheckReport, Vec<Listing>)> {
    let venue = text.codec(secrets)?;
    let addresses = text.addresses(venue.as_ref())?;
    let check = CheckUp::new(venue, addresses, text.symbols.clone(), trades);
    match text.relay(relays)? {
        Some(relay) => {
            let mut io = relay.carrier();
            let session = io.session();
            look_by(&mut io, session, check, patience)
        }
        None => look_by(&mut Io::new(text.io(false)?, WallClock::new())?, 0, check, patience),
    }
}

fn look_by(
    io: &mut impl Carrier,
    session: u8,
    check: CheckUp,
    patience: Duration,
) -> Result<(CheckReport, Vec<Listing>)> {
    let check = std::sync::Arc::new(std::sync::Mutex::new(check));
    let ours = Shared(std::sync::Arc::clone(&check));
    let clock = WallClock::new();
    let mut driver = Driver::new(Box::new(Shared(check)), session, 1);
    let until = Instant::now() + patience;
    driver.start(io, &mut Deaf, clock.now_ns());
    while !ours.with(|check| check.is_done()) {
        io.turn_unless(Duration::from_millis(20), || false)?;
        while let Some(event) = io.next_event() {
            driver.event(io, &mut Deaf, event, clock.now_ns());
        }
        if Instant::now() >= until {
            let why = format!("the venue did not answer within {} s", patience.as_secs());
            ours.with(|check| check.give_up(&why));
        }
    }
    Ok(ours.with(|check| (check.report().clone(), check.listings().to_vec())))
}

/// Looks at a venue without changing anything: JSON of what was found.
#[pyfunction]
pub fn check_venue(
    py: Python<'_>,
    venue: &str,
    secrets: Secrets,
    timeout_s: f64,
    relays: Vec<Py<PyVenueRelay>>,
) -> PyResult<String> {
    let relays = ends_of(&relays);
    at_venue(py, venue, timeout_s, |text, patience| {
        let (report, _) = look(text, &secrets, &relays, text.trades(&secrets), patience)?;
        report_json(&report).map(|value| value.to_string())
    })
}

pub(crate) fn ends_of(relays: &[Py<PyVenueRelay>]) -> Vec<Relay> {
    relays.iter().map(|one| one.get().relay.clone()).collect()
}

/// Does something at a venue that is told as JSON, outside of the interpreter's lock and for so long.
pub(crate) fn at_venue(
    py: Python<'_>,
    venue: &str,
    timeout_s: f64,
    what: impl FnOnce(&VenueText, Duration) -> Result<String> + Send,
) -> PyResult<String> {
    let run = || -> Result<String> {
        let text: VenueText = parse(venue, "the venue")?;
        let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::from_secs(30));
        what(&text, patience)
    };
    py.detach(run).map_err(to_py)
}

fn report_json(report: &CheckReport) -> Result<Value> {
    let mut value = serde_json::to_value(report)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("a check as JSON: {e}")))?;
    value["passed"] = json!(report.passed());
    Ok(value)
}

/// Refuses several connections to each stream where no venue's messages tell copies.
pub(crate) fn check_copies(texts: &[VenueText], copies: u8) -> Result<()> {
    if copies <= 1 {
        return Ok(());
    }
    for text in texts {
        if text.codec(&(None, None, None))?.marks().is_some() {
            return Ok(());
        }
    }
    let what = "the venue numbers its messages by connection: nothing tells copies of a stream";
    Err(Error::new(ErrorKind::Config, what.to_owned()))
}

/// Starts a session on venues outside. Each is looked at first, and the session does not start when a
/// look finds a problem.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn start_live(
    py: Python<'_>,
    folder: PathBuf,
    config: &str,
    venues: &str,
    secrets: Vec<Secrets>,
    cash_of_venues: bool,
    keep: &str,
    code: &str,
    strategies: Vec<(Bound<'_, PyAny>, String)>,
    base: &Bound<'_, PyAny>,
    relays: Vec<Py<PyVenueRelay>>,
) -> PyResult<PyLiveSession> {
    let places = Place::read_all(&strategies)?;
    let texts: Vec<VenueText> = parse(venues, "the venues").map_err(to_py)?;
    let relays = ends_of(&relays);
    let Prepared { sessions, instruments, cash } =
        py.detach(|| prepare(&texts, &secrets, &relays)).map_err(to_py)?;
    let made = || -> Result<_> {
        let how: KeepText = parse(keep, "how the session is kept")?;
        check_copies(&texts, how.copies)?;
        let Group { links, states } = links_of(&texts, sessions, &relays, &how)?;
        let mut config: Value = parse(config, "the session's configuration")?;
        if cash_of_venues {
            config["run"]["deposits"] = json!(cash);
        }
        let config = config.to_string();
        let plan = plan(folder, (&config, keep, code), &places, instruments, links)?;
        Ok((plan, states))
    };
    let (plan, states) = made().map_err(to_py)?;
    PyLiveSession::launch(py, plan, places, base, states)
}

/// A link for each session, in their order: those with sockets share a thread, every library has one of
/// its own.
fn links_of(
    texts: &[VenueText],
    sessions: Vec<Box<dyn Session>>,
    relays: &[Relay],
    how: &KeepText,
) -> Result<Group> {
    let (mut links, mut states): (Vec<Box<dyn Link>>, Vec<_>) = (Vec::new(), Vec::new());
    let (mut shared, mut first) = (Vec::new(), None);
    for (text, session) in texts.iter().zip(sessions) {
        match text.relay(relays)? {
            Some(relay) => {
                let (link, state) = relayed_link(text, relay, session, false);
                links.push(link);
                states.push(state);
            }
            None => {
                first = first.or(Some(text));
                shared.push(session);
            }
        }
    }
    if let Some(first) = first {
        let io = first.io(how.busy_poll)?;
        let config = LinkConfig { io, core: how.io_core, copies: how.copies, market_only: false };
        let group = group(config, shared);
        links.extend(group.links);
        states.extend(group.states);
    }
    states.sort_by_key(|state| {
        let name = state.read().venue;
        texts.iter().position(|text| text.name == name)
    });
    Ok(Group { links, states })
}

/// The link of a venue that a library speaks to, which says so; without orders where its market alone is
/// heard.
pub(crate) fn relayed_link(
    text: &VenueText,
    relay: &Relay,
    session: Box<dyn Session>,
    market_only: bool,
) -> (Box<dyn Link>, Arc<VenueState>) {
    let (link, state) = relayed(relay, session, market_only);
    if let Some(RelayedText { note, .. }) = &text.relayed {
        let note = Note { level: Level::Warning, topic: "slower", text: note.clone() };
        state.note(note, WallClock::new().now_ns());
    }
    (link, state)
}

/// What venues told when they were looked at.
struct Prepared {
    sessions: Vec<Box<dyn Session>>,
    instruments: Vec<Instrument>,
    /// What the accounts have of the currencies that instruments are settled in.
    cash: Vec<(String, Decimal)>,
}

/// A venue's market data without its orders: a session without a key, and its instruments, numbered
/// from `first` on.
pub(crate) fn market_session(
    text: &VenueText,
    relays: &[Relay],
    first: usize,
) -> Result<(Box<dyn Session>, Vec<Instrument>)> {
    let secrets = (None, None, None);
    let (report, listings) = look(text, &secrets, relays, false, Duration::from_secs(30))?;
    let listings = numbered(&report, listings, first)?;
    let instruments = listings.iter().map(|listing| listing.instrument.clone()).collect();
    Ok((session_of(text, &secrets, listings, false)?, instruments))
}

/// The sessions, each after a look at its venue, and all instruments.
fn prepare(texts: &[VenueText], secrets: &[Secrets], relays: &[Relay]) -> Result<Prepared> {
    let mut sessions: Vec<Box<dyn Session>> = Vec::new();
    let (mut instruments, mut cash) = (Vec::new(), Vec::new());
    for (text, secrets) in texts.iter().zip(secrets) {
        let trades = text.trades(secrets);
        let (report, listings) = look(text, secrets, relays, trades, Duration::from_secs(30))?;
        let numbered = numbered(&report, listings, instruments.len())?;
        instruments.extend(numbered.iter().map(|listing| listing.instrument.clone()));
        add_cash(&report, &numbered, &mut cash);
        sessions.push(session_of(text, secrets, numbered, trades)?);
    }
    Ok(Prepared { sessions, instruments, cash })
}

/// The listings of a look that found no problem, numbered from `first` on.
fn numbered(report: &CheckReport, listings: Vec<Listing>, first: usize) -> Result<Vec<Listing>> {
    if !report.passed() {
        let problems = report.problems.join("; ");
        let what = format!("{} cannot be traded on: {problems}", report.venue);
        return Err(Error::new(ErrorKind::Config, what));
    }
    let numbered = listings.into_iter().enumerate().map(|(at, listing)| {
        let id = InstrumentId((first + at) as u16);
        Listing { id, ..listing }
    });
    Ok(numbered.collect())
}

/// The session of a venue that was looked at.
fn session_of(
    text: &VenueText,
    secrets: &Secrets,
    listings: Vec<Listing>,
    trades: bool,
) -> Result<Box<dyn Session>> {
    let venue = text.codec(secrets)?;
    let addresses = text.addresses(venue.as_ref())?;
    let settings = text.settings(addresses, trades);
    Ok(Box::new(VenueSession::new(venue, Listings::new(listings)?, settings)?))
}

/// Adds what an account has of the currencies that its instruments are settled in.
fn add_cash(report: &CheckReport, listings: &[Listing], cash: &mut Vec<(String, Decimal)>) {
    let mut own: Vec<(String, Decimal)> = Vec::new();
    for listing in listings {
        let settle = listing.instrument.settle();
        if own.iter().any(|(currency, _)| currency == settle) {
            continue;
        }
        let found = report.balances.iter().find(|one| one.currency == settle);
        own.push((settle.to_owned(), found.map_or(Decimal::ZERO, |one| one.total)));
    }
    for (currency, total) in own {
        match cash.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, sum)) => *sum = add(*sum, total).unwrap_or(*sum),
            None => cash.push((currency, total)),
        }
    }
}

/// What is seen of a venue, as JSON.
pub(crate) fn shown_json(shown: &Shown) -> Value {
    let balances = shown
        .balances
        .values()
        .map(|one| json!({"currency": one.currency, "total": one.total, "free": one.free}));
    let notes = shown.notes.iter().map(|(time_ns, note)| {
        let level = format!("{:?}", note.level).to_lowercase();
        json!({"time_ns": time_ns, "level": level, "topic": note.topic, "text": note.text})
    });
    json!({
        "venue": shown.venue,
        "up": shown.up,
        "fresh": shown.fresh,
        "clock_offset_ns": shown.clock.map(|(offset_ns, _)| offset_ns),
        "clock_error_ns": shown.clock.map(|(_, error_ns)| error_ns),
        "balances": balances.collect::<Vec<_>>(),
        "messages": shown.messages,
        "rows": shown.rows,
        "lost": shown.lost,
        "copies_dropped": shown.copies_dropped,
        "closed": shown.closed,
        "last_closed": shown.last_closed,
        "notes": notes.collect::<Vec<_>>(),
    })
}
