//! Trading on venues outside: the look before, and the session.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, MarketRow, Result, Ticks,
};
use mainspring_live::WallClock;
use mainspring_transport::ask::moved;
use mainspring_transport::connect::Route;
use mainspring_transport::driver::{group, Driver, Ear, Group, LinkConfig, Shown};
use mainspring_transport::io::{Io, IoConfig};
use mainspring_transport::proxy::Proxy;
use mainspring_transport::tls::Tls;
use mainspring_venues::amount::add;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::secret::Secret;
use mainspring_venues::session::check::{CheckReport, CheckUp};
use mainspring_venues::session::{
    Addresses, Input, OnDisconnect, Outbox, Session, SessionSettings, Told, VenueSession,
};
use mainspring_venues::table::{open, Opening};
use mainspring_venues::venue::{Network, Stream};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::errors::to_py;
use crate::live::{parse, plan, KeepText, Place, PyLiveSession};

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

    pub(crate) fn addresses(
        &self,
        venue: &dyn mainspring_venues::venue::Venue,
    ) -> Result<Addresses> {
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
    patience: Duration,
) -> Result<(CheckReport, Vec<Listing>)> {
    let opening = text.opening(secrets);
    let has_key = opening.secret.is_some();
    let venue = open(&text.name, &opening)?;
    let addresses = text.addresses(venue.as_ref())?;
    let check = CheckUp::new(venue, addresses, text.symbols.clone(), has_key);
    let check = std::sync::Arc::new(std::sync::Mutex::new(check));
    let ours = Shared(std::sync::Arc::clone(&check));
    let clock = WallClock::new();
    let mut io = Io::new(text.io(false)?, clock)?;
    let mut driver = Driver::new(Box::new(Shared(check)), 0, 1);
    let until = Instant::now() + patience;
    driver.start(&mut io, &mut Deaf, clock.now_ns());
    while !ours.with(|check| check.is_done()) {
        io.turn(Duration::from_millis(20))?;
        while let Some(event) = io.next_event() {
            driver.event(&mut io, &mut Deaf, event, clock.now_ns());
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
) -> PyResult<String> {
    at_venue(py, venue, timeout_s, |text, patience| {
        let (report, _) = look(text, &secrets, patience)?;
        report_json(&report).map(|value| value.to_string())
    })
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
        if open(&text.name, &Opening::default())?.marks().is_some() {
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
) -> PyResult<PyLiveSession> {
    let places = Place::read_all(&strategies)?;
    let texts: Vec<VenueText> = parse(venues, "the venues").map_err(to_py)?;
    let Prepared { sessions, instruments, cash } =
        py.detach(|| prepare(&texts, &secrets)).map_err(to_py)?;
    let made = || -> Result<_> {
        let first = texts
            .first()
            .ok_or_else(|| Error::new(ErrorKind::Config, "name a venue to trade on".to_owned()))?;
        let how: KeepText = parse(keep, "how the session is kept")?;
        check_copies(&texts, how.copies)?;
        let io = first.io(how.busy_poll)?;
        let link = LinkConfig { io, core: how.io_core, copies: how.copies, market_only: false };
        let Group { links, states } = group(link, sessions);
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
    first: usize,
) -> Result<(Box<dyn Session>, Vec<Instrument>)> {
    let secrets = (None, None, None);
    let (report, listings) = look(text, &secrets, Duration::from_secs(30))?;
    let listings = numbered(&report, listings, first)?;
    let instruments = listings.iter().map(|listing| listing.instrument.clone()).collect();
    Ok((session_of(text, &secrets, listings)?, instruments))
}

/// The sessions, each after a look at its venue, and all instruments.
fn prepare(texts: &[VenueText], secrets: &[Secrets]) -> Result<Prepared> {
    let mut sessions: Vec<Box<dyn Session>> = Vec::new();
    let (mut instruments, mut cash) = (Vec::new(), Vec::new());
    for (text, secrets) in texts.iter().zip(secrets) {
        let (report, listings) = look(text, secrets, Duration::from_secs(30))?;
        let numbered = numbered(&report, listings, instruments.len())?;
        instruments.extend(numbered.iter().map(|listing| listing.instrument.clone()));
        add_cash(&report, &numbered, &mut cash);
        sessions.push(session_of(text, secrets, numbered)?);
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
) -> Result<Box<dyn Session>> {
    let opening = text.opening(secrets);
    let trades = opening.secret.is_some();
    let venue = open(&text.name, &opening)?;
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
