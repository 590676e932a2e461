//! Recording a live feed to an event file, and its bytes beside if asked.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flate2::write::GzEncoder;
use flate2::Compression;
use mainspring_core::event::MarketRow;
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, RowKind, Ticks, TimeNs};
use mainspring_data::{ClockState, EventWriter, Provenance, Schema, Summary};
use mainspring_live::WallClock;
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::relayed::{Abilities, Relayed};
use mainspring_venues::session::{
    Addresses, Session, SessionSettings, SocketId, Told, VenueSession,
};
use mainspring_venues::table::{self, Opening};
use mainspring_venues::venue::{Network, Stream, Venue};

use crate::ask;
use crate::driver::{Carrier, Driver, Ear, Shown, VenueState};
use crate::io::{Io, IoConfig, IoEvent};
use crate::relay::{Relay, RelayIo};

/// Longest sleep of the recording thread.
const NAP: Duration = Duration::from_millis(20);

/// Between two updates of the counts that people see.
const COUNTS_NS: i64 = 100_000_000;

/// Answers longer than this are no market data (lists of instruments) and not kept in the raw file.
const MAX_RAW_ANSWER: usize = 1 << 20;

/// What to record.
pub struct RecordConfig {
    /// What is recorded, and to where.
    pub tape: TapeConfig,
    /// How the venue is heard.
    pub wire: Wire,
}

/// What is recorded, and to where.
#[derive(Clone, Debug)]
pub struct TapeConfig {
    /// The venue's name.
    pub venue: String,
    /// Symbols as the venue writes them, in any case.
    pub symbols: Vec<String>,
    /// Streams; the venue's own ones that it does not have are left out.
    pub streams: Vec<Stream>,
    /// The event file.
    pub target: PathBuf,
    /// Gzipped lines `<receive ns> <message>`, if asked.
    pub raw: Option<PathBuf>,
}

/// How a venue is heard.
pub enum Wire {
    /// By sockets of this engine's.
    Sockets(SocketsConfig),
    /// By a library of the host process.
    Library(LibraryConfig),
}

/// A venue heard by sockets.
pub struct SocketsConfig {
    /// Which network, where `url` does not say.
    pub network: Network,
    /// Another host that stands for the venue's, such as a simulator.
    pub url: Option<String>,
    /// Connections to each stream, of which the first copy of a message counts; 1 for no copies.
    pub copies: u8,
    /// Sockets and requests.
    pub io: IoConfig,
}

/// A venue heard by a library.
pub struct LibraryConfig {
    /// The way to it.
    pub relay: Relay,
    /// What it can do there.
    pub abilities: Abilities,
    /// What it says of the instruments, in the order of the symbols.
    pub instruments: Vec<Instrument>,
    /// Whether it tells the venue's clock; the host's stands in otherwise.
    pub tells_time: bool,
    /// What is known of where the data comes from.
    pub facts: Vec<(String, String)>,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The event file; `None` when nothing came that could be kept.
    pub summary: Option<Summary>,
    /// Why it ended by itself, if it did. What came before is kept.
    pub broken: Option<String>,
    /// Lines of the raw file.
    pub raw_lines: u64,
}

/// A recording that runs on a thread of its own.
pub struct Recorder {
    thread: Mutex<Option<JoinHandle<Result<Recorded>>>>,
    state: Arc<VenueState>,
    end: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    wake: Box<dyn Fn() + Send + Sync>,
    instruments: Vec<Instrument>,
}

/// A venue that can be heard.
struct Reached<C> {
    io: C,
    /// The number of the session among those of the wire.
    index: u8,
    copies: u8,
    venue: Box<dyn Venue>,
    listings: Listings,
    addresses: Addresses,
    origin: Origin,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// What the files say of where the data comes from.
struct Origin {
    source: String,
    facts: Vec<(String, String)>,
    /// Whether the raw file has what the wire brings, or what a library says that it heard.
    raw_of_wire: bool,
    tells_time: bool,
}

impl Recorder {
    /// Asks the venue for its instruments and begins.
    ///
    /// # Errors
    /// When venue or symbol are unknown, the venue does not answer, or the files cannot be made.
    pub fn start(config: RecordConfig) -> Result<Self> {
        let (tape, clock) = (config.tape, WallClock::new());
        match config.wire {
            Wire::Sockets(wire) => {
                Self::begin(&tape, reach_by_sockets(&tape, wire, clock)?, clock, || {})
            }
            Wire::Library(wire) => {
                let relay = wire.relay.clone();
                let reached = reach_by_library(&tape, wire)?;
                Self::begin(&tape, reached, clock, move || relay.end())
            }
        }
    }

    fn begin<C: Carrier + Send + 'static>(
        config: &TapeConfig,
        reached: Reached<C>,
        clock: WallClock,
        at_end: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let Reached { io, index, copies, venue, listings, addresses, origin, wake } = reached;
        let state = Arc::new(VenueState::new(&config.venue));
        let tape = Tape::create(config, &listings, Arc::clone(&state), origin, clock)?;
        let mut settings = SessionSettings::new(addresses, 0, false);
        settings.streams.clone_from(&config.streams);
        let instruments = listings.all().iter().map(|one| one.instrument.clone()).collect();
        let session: Box<dyn Session> = Box::new(VenueSession::new(venue, listings, settings)?);
        let (end, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ends, is_over) = (Arc::clone(&end), Arc::clone(&over));
        let thread = thread::Builder::new().name("record".to_owned()).spawn(move || {
            let recorded = run(io, Driver::new(session, index, copies), tape, clock, &ends);
            at_end();
            is_over.store(true, Ordering::Release);
            recorded
        })?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { thread, state, end, over, wake, instruments })
    }

    /// What is recorded.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// How it goes.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.state.read()
    }

    /// Whether it ended by itself.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends it and gives what was recorded; `None` when that was given before.
    ///
    /// # Errors
    /// When the file could not be finished.
    pub fn stop(&self) -> Result<Option<Recorded>> {
        self.end.store(true, Ordering::Release);
        (self.wake)();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(None) };
        let broken = || Error::new(ErrorKind::Internal, "the recording thread panicked".to_owned());
        thread.join().map_err(|_| broken())?.map(Some)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; what was recorded is kept.
        let _ = self.stop();
    }
}

fn reach_by_sockets(
    tape: &TapeConfig,
    wire: SocketsConfig,
    clock: WallClock,
) -> Result<Reached<Io>> {
    let opening = Opening { network: wire.network, ..Opening::default() };
    let mut venue = table::open(&tape.venue, &opening)?;
    check_copies(&tape.venue, wire.copies, venue.as_ref())?;
    let ends = venue.endpoints(wire.network);
    let addresses = match &wire.url {
        Some(url) => ask::moved(ends, url)?,
        None => ends.into(),
    };
    let mut io = Io::new(wire.io, clock)?;
    let listed = ask::instruments(&mut io, venue.as_mut(), &addresses.rest)?;
    let listings = ask::choose(&listed, &tape.venue, &tape.symbols)?;
    let host = wire.url.as_deref().map_or("the venue's", |_| "another's");
    let origin = Origin {
        source: format!("{}_live", tape.venue),
        facts: vec![("host".to_owned(), host.to_owned())],
        raw_of_wire: true,
        tells_time: true,
    };
    let (copies, bell) = (wire.copies, io.bell());
    let wake = Box::new(move || bell.ring());
    Ok(Reached { io, index: 0, copies, venue, listings, addresses, origin, wake })
}

fn reach_by_library(tape: &TapeConfig, wire: LibraryConfig) -> Result<Reached<RelayIo>> {
    let venue = Box::new(Relayed::new(&tape.venue, wire.abilities));
    let number = |(at, one)| Listing::new(InstrumentId(at as u16), one);
    let listed: Vec<Listing> = wire.instruments.into_iter().enumerate().map(number).collect();
    let listings = ask::choose(&listed, &tape.venue, &tape.symbols)?;
    let (io, wake) = (wire.relay.carrier(), wire.relay.bell());
    let origin = Origin {
        source: format!("{}_by_library", tape.venue),
        facts: wire.facts,
        raw_of_wire: false,
        tells_time: wire.tells_time,
    };
    let (index, addresses, wake) = (io.session(), Relayed::addresses(), Box::new(move || wake()));
    Ok(Reached { io, index, copies: 1, venue, listings, addresses, origin, wake })
}

/// Refuses copies where nothing tells them.
fn check_copies(name: &str, copies: u8, venue: &dyn Venue) -> Result<()> {
    if copies <= 1 || venue.marks().is_some() {
        return Ok(());
    }
    let what = format!(
        "{name} numbers its messages by connection: nothing tells copies of a stream, so take one"
    );
    Err(Error::new(ErrorKind::Config, what))
}

fn run(
    mut io: impl Carrier,
    mut driver: Driver,
    mut tape: Tape,
    clock: WallClock,
    end: &AtomicBool,
) -> Result<Recorded> {
    driver.start(&mut io, &mut tape, clock.now_ns());
    let mut counts_due_ns = 0;
    while !end.load(Ordering::Acquire) && tape.broken.is_none() {
        let left = driver.next_due_ns().saturating_sub(clock.now_ns()).max(0) as u64;
        io.turn_unless(NAP.min(Duration::from_nanos(left)), || false)?;
        while let Some(event) = io.next_event() {
            let now_ns = clock.now_ns();
            tape.hear(&event, now_ns);
            driver.event(&mut io, &mut tape, event, now_ns);
        }
        let now_ns = clock.now_ns();
        tape.now_ns = now_ns;
        driver.due(&mut io, &mut tape, now_ns);
        if now_ns >= counts_due_ns {
            counts_due_ns = now_ns + COUNTS_NS;
            tape.show_counts(driver.copies_dropped());
        }
    }
    tape.show_counts(driver.copies_dropped());
    tape.now_ns = clock.now_ns();
    driver.stop(&mut io, &mut tape, clock.now_ns());
    // Goodbyes leave.
    io.turn_unless(Duration::ZERO, || false)?;
    tape.finish()
}

/// Writes what a session tells.
struct Tape {
    writer: EventWriter,
    raw: Option<BufWriter<GzEncoder<File>>>,
    raw_lines: u64,
    /// As of [`Origin`].
    raw_of_wire: bool,
    tells_time: bool,
    state: Arc<VenueState>,
    /// When what is being told came.
    now_ns: TimeNs,
    last_ns: TimeNs,
    messages: u64,
    broken: Option<String>,
}

impl Tape {
    fn create(
        config: &TapeConfig,
        listings: &Listings,
        state: Arc<VenueState>,
        origin: Origin,
        clock: WallClock,
    ) -> Result<Self> {
        let names: Vec<&str> = config.streams.iter().map(|stream| stream_name(*stream)).collect();
        let mut provenance = Provenance::new(origin.source, ClockState::Trusted)
            .with_fact("streams", names.join(","))
            .with_fact("recorded_from_ns", clock.now_ns().to_string());
        provenance.facts.extend(origin.facts);
        let instruments = listings.all().iter().map(|one| one.instrument.clone()).collect();
        let writer = EventWriter::create(&config.target, Schema::Market, instruments, provenance)?;
        let raw = config.raw.as_deref().map(create_raw).transpose()?;
        let now_ns = clock.now_ns();
        Ok(Self {
            writer,
            raw,
            raw_lines: 0,
            raw_of_wire: origin.raw_of_wire,
            tells_time: origin.tells_time,
            state,
            now_ns,
            last_ns: now_ns,
            messages: 0,
            broken: None,
        })
    }

    /// Notes what is about to be read.
    fn hear(&mut self, event: &IoEvent, now_ns: TimeNs) {
        self.now_ns = now_ns;
        match event {
            IoEvent::Message { recv_ns, .. } => {
                self.now_ns = *recv_ns;
                self.messages += 1;
            }
            IoEvent::Response { response, .. }
                if self.raw_of_wire && response.body.len() <= MAX_RAW_ANSWER =>
            {
                self.write_raw(&response.body, now_ns);
            }
            IoEvent::Heard { bytes, recv_ns, .. } => self.write_raw(bytes, *recv_ns),
            IoEvent::Closed { reason, .. } => self.state.change(|shown| {
                shown.closed += 1;
                shown.last_closed.clone_from(reason);
            }),
            _ => {}
        }
    }

    fn write_raw(&mut self, bytes: &[u8], recv_ns: TimeNs) {
        let Some(raw) = &mut self.raw else { return };
        match write_line(raw, bytes, recv_ns) {
            Ok(()) => self.raw_lines += 1,
            Err(error) => self.broken = Some(format!("the raw file: {error}")),
        }
    }

    fn push(&mut self, base: Ticks, row: &MarketRow) -> Result<()> {
        let kind = RowKind::from_byte(row.kind).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("a row of an unknown kind {}", row.kind))
        })?;
        let price = Ticks(base.0 + i64::from(row.price_offset));
        self.writer.push_market(
            self.last_ns,
            row.exch_ns,
            kind,
            row.flags,
            row.instrument,
            price,
            row.qty_lots,
        )
    }

    fn show_counts(&self, copies_dropped: u64) {
        let (messages, rows) = (self.messages, self.writer.rows());
        let gaps = self.writer.gap_rows();
        self.state.change(|shown| {
            (shown.messages, shown.rows, shown.lost) = (messages, rows, gaps);
            shown.copies_dropped = copies_dropped;
        });
    }

    fn finish(mut self) -> Result<Recorded> {
        if let Some(raw) = self.raw.take() {
            let ended = raw.into_inner().map_err(|error| error.into_error());
            ended.and_then(GzEncoder::finish).and_then(|file| file.sync_all())?;
        }
        if let Some((offset_ns, error_ns)) = self.state.read().clock.filter(|_| self.tells_time) {
            let facts = &mut self.writer.provenance_mut().facts;
            facts.insert("venue_clock_offset_ns".to_owned(), offset_ns.to_string());
            facts.insert("venue_clock_error_ns".to_owned(), error_ns.to_string());
        }
        let empty = self.writer.rows() == 0;
        let summary = if empty { None } else { Some(self.writer.finish()?) };
        Ok(Recorded { summary, broken: self.broken, raw_lines: self.raw_lines })
    }
}

impl Ear for Tape {
    fn raw(&mut self, _: SocketId, bytes: &[u8], recv_ns: TimeNs) {
        if self.raw_of_wire {
            self.write_raw(bytes, recv_ns);
        }
    }

    fn market(&mut self, _: InstrumentId, base: Ticks, rows: &[MarketRow]) -> bool {
        // Messages that waited for their snapshot are known from when they are told.
        self.last_ns = self.last_ns.max(self.now_ns);
        for row in rows {
            if let Err(error) = self.push(base, row) {
                self.broken = Some(error.message().to_owned());
                break;
            }
        }
        true
    }

    fn told(&mut self, told: Told) {
        self.state.take(&told, self.now_ns);
    }
}

/// Writes a message as a line: line ends inside JSON are white space.
fn write_line(raw: &mut impl Write, bytes: &[u8], recv_ns: TimeNs) -> std::io::Result<()> {
    write!(raw, "{recv_ns} ")?;
    for part in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        raw.write_all(part)?;
    }
    raw.write_all(b"\n")
}

fn create_raw(path: &Path) -> Result<BufWriter<GzEncoder<File>>> {
    let file = File::create(path).map_err(|error| Error::from(error).at(path.display()))?;
    Ok(BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::fast())))
}

/// The name of a stream in configuration.
#[must_use]
pub const fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Book => "book",
        Stream::Best => "best",
        Stream::Trades => "trades",
        Stream::Mark => "mark",
    }
}

/// The stream of a name.
///
/// # Errors
/// When there is none.
pub fn stream_of(name: &str) -> Result<Stream> {
    const ALL: [Stream; 4] = [Stream::Book, Stream::Best, Stream::Trades, Stream::Mark];
    ALL.into_iter().find(|stream| stream_name(*stream) == name).ok_or_else(|| {
        let what = format!("no stream {name:?}; there are book, best, trades, mark");
        Error::new(ErrorKind::Config, what)
    })
}
