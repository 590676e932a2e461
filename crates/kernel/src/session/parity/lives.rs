//! The lives of a session: from a start or restart of its process to the end of what it recorded.

use std::path::{Path, PathBuf};

use mainspring_core::event::{MarketRow, OrderRow, RowKind};
use mainspring_core::{Error, ErrorKind, Instrument, Result, Ticks, TimeNs};
use mainspring_data::{ClockState, EventWriter, Provenance, Schema};
use mainspring_journal::live::{Cursor, Folder, Item, Sources, Start};
use mainspring_sim::FillModel;

use crate::config::{RunConfig, VenueClock};
use crate::session::disk::{parse_instruments, raw, silent_session, upgraded};
use crate::session::record::{self, Kind, MarketHead};
use crate::session::{Image, Raw, Session, SessionConfig};

/// How a life began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    Start(TimeNs),
    Resume(TimeNs),
}

/// One life.
pub(super) struct Life {
    pub(super) beginning: Beginning,
    /// What recovery found; `None` at the first start.
    pub(super) image: Option<Image>,
    pub(super) config: SessionConfig,
    /// Its strategies' code, as JSON.
    pub(super) code: String,
    pub(super) instruments: Vec<Instrument>,
    /// Its market data; `None` without any.
    pub(super) feed: Option<PathBuf>,
    /// First and last record.
    pub(super) sequences: (u64, u64),
    /// Time of the last record.
    pub(super) end_ns: TimeNs,
    /// Whether it ended in order.
    pub(super) stopped: bool,
}

impl Life {
    /// The configuration of its run.
    pub(super) fn run_config(&self) -> RunConfig {
        RunConfig { venue_clock: VenueClock::Receive, ..self.config.run.clone() }
    }
}

/// Reads a journal life by life.
pub(super) struct Lives<'a> {
    folder: &'a Folder,
    feeds: &'a Path,
    cursor: Cursor,
    /// Follows the journal, for the state at each restart.
    session: Option<Session>,
    /// The first record of the life to come.
    ahead: Option<(Beginning, u64)>,
    /// The state that the life to come begins with.
    image: Option<Image>,
    told: u64,
}

/// A record as it is kept while the cursor goes on.
struct Kept {
    kind: u16,
    sequence: u64,
    time_ns: i64,
    cause: u64,
    payload: Vec<u8>,
}

impl<'a> Lives<'a> {
    pub(super) fn open(folder: &'a Folder, feeds: &'a Path) -> Result<Self> {
        std::fs::create_dir_all(feeds).map_err(|e| {
            Error::new(ErrorKind::Io, format!("{}: cannot be made: {e}", feeds.display()))
        })?;
        let cursor = Cursor::open(folder.clone(), Start::After(0))?;
        Ok(Self { folder, feeds, cursor, session: None, ahead: None, image: None, told: 0 })
    }

    fn read(&mut self) -> Result<Option<Kept>> {
        match self.cursor.read()? {
            Item::Idle => Ok(None),
            Item::Gap(gap) => Err(Error::new(
                ErrorKind::NotFound,
                format!("the journal begins at record {}: what came before was archived, and a session can only be run again from its beginning", gap.next),
            )),
            Item::Record(record) => {
                let (kind, payload) = upgraded(&record)?;
                let raw = raw(&record);
                let (sequence, time_ns, cause) = (raw.sequence, raw.time_ns, raw.cause);
                Ok(Some(Kept { kind, sequence, time_ns, cause, payload: payload.into_owned() }))
            }
        }
    }

    fn sources(&self) -> Result<Sources> {
        let head = self.cursor.head().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a record without the header of its segment")
        })?;
        Sources::load(self.folder, &head.sources)
    }

    fn follow(&mut self, kept: &Kept) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.follow(&Raw {
            kind: kept.kind,
            sequence: kept.sequence,
            time_ns: kept.time_ns,
            cause: kept.cause,
            payload: &kept.payload,
        })
    }

    /// The next life, its market data written to a file.
    pub(super) fn next(&mut self) -> Result<Option<Life>> {
        let (beginning, first) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let Some(kept) = self.read()? else { return Ok(None) };
                let sources = self.sources()?;
                self.session = Some(silent_session(Some(&sources))?);
                let Some(beginning) = beginning_of(&kept) else { return Err(no_start()) };
                self.follow(&kept)?;
                (beginning, kept.sequence)
            }
        };
        let sources = self.sources()?;
        self.life(beginning, first, &sources).map(Some)
    }

    fn life(&mut self, beginning: Beginning, first: u64, sources: &Sources) -> Result<Life> {
        let config: SessionConfig = serde_json::from_str(&sources.config).map_err(|e| {
            Error::new(ErrorKind::Mismatch, format!("the journal's configuration: {e}"))
        })?;
        if !config.paper {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "the venues of this session were outside: its fills are inputs, and a backtest has others",
            ));
        }
        self.told += 1;
        let mut life = Life {
            beginning,
            image: self.image.take(),
            config,
            code: sources.code.clone(),
            instruments: parse_instruments(sources)?,
            feed: Some(self.feeds.join(format!("feed-{}.mse", self.told))),
            sequences: (first, first),
            end_ns: match beginning {
                Beginning::Start(at_ns) | Beginning::Resume(at_ns) => at_ns,
            },
            stopped: false,
        };
        let matches = life.config.run.venue.fill_model == FillModel::Matching;
        let schema = if matches { Schema::Order } else { Schema::Market };
        let mut feed = FeedFile::create(life.feed.as_deref(), schema, &life.instruments)?;
        while let Some(kept) = self.read()? {
            if let Some(next) = beginning_of(&kept) {
                self.image = self.session.as_ref().map(Session::image);
                self.follow(&kept)?;
                self.ahead = Some((next, kept.sequence));
                break;
            }
            self.follow(&kept)?;
            life.sequences.1 = kept.sequence;
            life.end_ns = life.end_ns.max(kept.time_ns);
            match Kind::from_code(kept.kind) {
                Some(Kind::Market) => feed.add(&kept.payload)?,
                Some(Kind::Orders) => feed.add_orders(&kept.payload)?,
                Some(Kind::Stop) => life.stopped = true,
                _ => {}
            }
        }
        if !feed.finish()? {
            life.feed = None;
        }
        Ok(life)
    }
}

fn beginning_of(kept: &Kept) -> Option<Beginning> {
    match Kind::from_code(kept.kind) {
        Some(Kind::Start) => Some(Beginning::Start(kept.time_ns)),
        Some(Kind::Resume) => Some(Beginning::Resume(kept.time_ns)),
        _ => None,
    }
}

fn no_start() -> Error {
    Error::new(ErrorKind::Mismatch, "the journal does not begin with the start of a session")
}

/// Market data of a life as an event file.
struct FeedFile(EventWriter);

impl FeedFile {
    fn create(path: Option<&Path>, schema: Schema, instruments: &[Instrument]) -> Result<Self> {
        let path = path.unwrap_or_else(|| Path::new(""));
        let provenance = Provenance::new("journal", ClockState::Trusted);
        EventWriter::create(path, schema, instruments.to_vec(), provenance).map(Self)
    }

    fn add(&mut self, payload: &[u8]) -> Result<()> {
        let (head, rows): (MarketHead, Vec<MarketRow>) = record::read_list(payload)?;
        for row in &rows {
            let kind = kind_of(row)?;
            let price = row.price(Ticks(head.base_ticks));
            let (recv_ns, exch_ns) = (row.recv_ns, row.exch_ns);
            let (flags, qty) = (row.flags, row.qty_lots);
            self.0.push_market(recv_ns, exch_ns, kind, flags, head.instrument, price, qty)?;
        }
        Ok(())
    }

    fn add_orders(&mut self, payload: &[u8]) -> Result<()> {
        let (head, rows): (MarketHead, Vec<OrderRow>) = record::read_list(payload)?;
        for OrderRow { market: row, order_id } in &rows {
            let kind = kind_of(row)?;
            let price = row.price(Ticks(head.base_ticks));
            let (recv_ns, exch_ns, flags) = (row.recv_ns, row.exch_ns, row.flags);
            let (instrument, qty) = (head.instrument, row.qty_lots);
            self.0.push_order(recv_ns, exch_ns, kind, flags, instrument, price, qty, *order_id)?;
        }
        Ok(())
    }

    /// Completes the file; false when there was nothing to write.
    fn finish(self) -> Result<bool> {
        if self.0.rows() == 0 {
            return Ok(false);
        }
        self.0.finish().map(|_| true)
    }
}

fn kind_of(row: &MarketRow) -> Result<RowKind> {
    RowKind::from_byte(row.kind).ok_or_else(|| {
        Error::new(ErrorKind::Mismatch, format!("a row of unknown kind {}", row.kind))
    })
}
