//! A session that repeats a journal as it grows, and what it looks like at a moment.

use std::path::PathBuf;
use std::time::Duration;

use mainspring_core::{Error, ErrorKind, Lots, Result, Side, Ticks, TimeNs};
use mainspring_journal::live::{Cursor, Folder, Gap, Item, SourceHashes, Sources, Start};
use mainspring_kernel::market::Market;
use mainspring_kernel::session::disk::{raw, silent_session, state_at, summary, upgraded};
use mainspring_kernel::session::{Raw, Session};
use pyo3::prelude::*;
use serde_json::{json, Map, Value};

use crate::errors::to_py;

/// Levels of each side of a book that a snapshot shows.
const LEVELS: usize = 10;

/// The state of a session at the records of its journal; used from one thread.
///
/// It stands between two inputs whenever it can be asked: the state is never torn.
#[pyclass(module = "mainspring._core", name = "JournalFollower", unsendable)]
pub struct PyJournalFollower {
    folder: Folder,
    cursor: Cursor,
    session: Option<Session>,
    /// What the records of the session were made with.
    sources: Option<SourceHashes>,
    /// An input that was read and is to be followed next.
    next: Option<Owned>,
}

/// A record that outlives the reader's place.
struct Owned {
    kind: u16,
    sequence: u64,
    time_ns: i64,
    cause: u64,
    payload: Vec<u8>,
    sources: SourceHashes,
}

#[pymethods]
impl PyJournalFollower {
    /// Begins at the first record of the journal; where that is gone, at the newest snapshot.
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        Folder::open(&path).and_then(Self::begin).map_err(to_py)
    }

    /// Follows about `limit` records, up to the end of what an input led to, waiting up to
    /// `timeout_s` for the first. Returns how many.
    #[pyo3(signature = (limit = 1024, timeout_s = 0.0))]
    fn advance(&mut self, py: Python<'_>, limit: usize, timeout_s: f64) -> PyResult<usize> {
        if timeout_s > 0.0 && self.next.is_none() {
            let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
            let cursor = &mut self.cursor;
            if !py.detach(|| cursor.wait(patience)).map_err(to_py)? {
                return Ok(0);
            }
        }
        self.follow(limit).map_err(to_py)
    }

    /// Sequence of the last record that is in the state.
    #[getter]
    fn sequence(&self) -> u64 {
        self.session.as_ref().map_or(0, Session::sequence)
    }

    /// The state as JSON: as the summary of a recovery, with the markets beside; None before the
    /// first record.
    fn snapshot(&self) -> Option<String> {
        let session = self.session.as_ref()?;
        let mut told = summary(session);
        let symbols = session.instruments().iter();
        told["markets"] = session
            .markets()
            .iter()
            .zip(symbols)
            .map(|(market, instrument)| {
                let mut one = market_json(market);
                one["symbol"] = instrument.symbol.as_str().into();
                one["venue"] = instrument.venue.as_str().into();
                one
            })
            .collect();
        told["counters"] = json!(session.orders().counters());
        Some(told.to_string())
    }
}

impl PyJournalFollower {
    fn begin(folder: Folder) -> Result<Self> {
        let mut follower = Self {
            cursor: Cursor::open(folder.clone(), Start::Oldest)?,
            folder,
            session: None,
            sources: None,
            next: None,
        };
        if follower.cursor.next_sequence() > 1 {
            follower.begin_at_snapshot()?;
        }
        Ok(follower)
    }

    /// The first records were archived: the newest snapshot has what they led to, but for books,
    /// which come again with the feed.
    fn begin_at_snapshot(&mut self) -> Result<()> {
        let mut made = None;
        let mut make = |sources: Option<&Sources>| {
            made = sources.map(Sources::hashes);
            silent_session(sources)
        };
        let (session, _) = state_at(self.folder.path(), TimeNs::MAX, &mut make)?;
        self.cursor = Cursor::open(self.folder.clone(), Start::After(session.sequence()))?;
        self.sources = made;
        self.session = Some(session);
        Ok(())
    }

    fn follow(&mut self, limit: usize) -> Result<usize> {
        let mut done = 0;
        if let Some(first) = self.next.take() {
            self.apply(&first)?;
            done = 1;
        }
        while let Some(record) = self.read()? {
            // Only between two inputs is everything done that the one before led to. What is
            // committed ends there as well.
            if done >= limit && record.cause == record.sequence {
                self.next = Some(record);
                break;
            }
            self.apply(&record)?;
            done += 1;
        }
        Ok(done)
    }

    fn read(&mut self) -> Result<Option<Owned>> {
        let record = match self.cursor.read()? {
            Item::Record(record) => record,
            Item::Idle => return Ok(None),
            Item::Gap(gap) => {
                self.leap(gap)?;
                return Ok(None);
            }
        };
        let (kind, payload) = upgraded(&record)?;
        let Raw { sequence, time_ns, cause, .. } = raw(&record);
        let payload = payload.into_owned();
        let sources = self.cursor.head().ok_or_else(no_head)?.sources;
        Ok(Some(Owned { kind, sequence, time_ns, cause, payload, sources }))
    }

    /// Records are gone that were to be followed, or that were followed already: begins anew.
    fn leap(&mut self, gap: Gap) -> Result<()> {
        *self = Self::begin(self.folder.clone())?;
        match &self.session {
            None if gap.next > gap.expected => Err(Error::new(
                ErrorKind::Mismatch,
                format!("records {} to {} of the journal are gone", gap.expected, gap.next - 1),
            )),
            _ => Ok(()),
        }
    }

    fn apply(&mut self, record: &Owned) -> Result<()> {
        if self.session.is_none() || self.sources != Some(record.sources) {
            let sources = Sources::load(&self.folder, &record.sources)?;
            let mut session = silent_session(Some(&sources))?;
            if let Some(before) = &self.session {
                // The session was started anew with another configuration.
                session.restore(&before.image())?;
            }
            (self.session, self.sources) = (Some(session), Some(record.sources));
        }
        let Owned { kind, sequence, time_ns, cause, .. } = *record;
        let raw = Raw { kind, sequence, time_ns, cause, payload: &record.payload };
        match &mut self.session {
            Some(session) => session.follow(&raw),
            None => Ok(()),
        }
    }
}

fn no_head() -> Error {
    Error::new(ErrorKind::Internal, "a record without the header of its segment")
}

fn market_json(market: &Market) -> Value {
    let features = &market.features;
    let values: Map<String, Value> = features
        .names()
        .iter()
        .enumerate()
        .map(|(index, name)| (name.clone(), json!(features.value(index, &market.book))))
        .collect();
    json!({
        "usable": market.is_usable(),
        "trading": market.trading,
        "updated_ns": market.updated_ns,
        "tick": market.scale.tick.to_f64(1),
        "lot": market.scale.lot.to_f64(1),
        "bids": levels(market, Side::Buy),
        "asks": levels(market, Side::Sell),
        "features": values,
    })
}

/// The best levels of a side that can be believed, as pairs of price and quantity.
fn levels(market: &Market, side: Side) -> Vec<(f64, f64)> {
    if !market.is_usable() {
        return Vec::new();
    }
    let mut top = [(Ticks(0), Lots::ZERO); LEVELS];
    let count = market.book.top(side, &mut top);
    let scale = &market.scale;
    let told = |(price, qty): &(Ticks, Lots)| (scale.tick.to_f64(price.0), scale.lot.to_f64(qty.0));
    top[..count].iter().map(told).collect()
}
