//! Market data that Python brings to a paper session.

use std::sync::{Arc, Mutex, PoisonError};

use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Ticks};
use mainspring_live::feed::Message;
use mainspring_live::pushed::{pushed, PushedLink, Pusher};
use mainspring_live::WallClock;
use mainspring_transport::driver::VenueState;
use mainspring_venues::session::{Level, Note};
use pyo3::prelude::*;

use crate::errors::to_py;
use crate::live::parse;

/// A level as Python gives it: price in ticks, quantity in lots.
type PushedLevel = (i64, i64);
/// A trade as Python gives it: price in ticks, quantity in lots, whether the taker sold, when.
type PushedTrade = (i64, i64, bool, i64);

/// Market data of one venue that Python brings to a paper session.
#[pyclass(frozen, module = "mainspring._core", name = "FeedPusher")]
pub struct PyFeedPusher {
    pusher: Pusher,
    link: Mutex<Option<PushedLink>>,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) state: Arc<VenueState>,
    clock: WallClock,
}

impl PyFeedPusher {
    /// The session's end, once.
    pub(crate) fn take_link(&self) -> Result<PushedLink> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).take();
        link.ok_or_else(|| {
            Error::new(ErrorKind::Config, "a feed serves one session; make another for the next")
        })
    }

    fn bring(
        &self,
        py: Python<'_>,
        instrument: u16,
        rows: Vec<MarketRow>,
        base: i64,
    ) -> PyResult<()> {
        let count = rows.len() as u64;
        let message = Message {
            at_ns: 0,
            instrument: self.known(instrument)?,
            base: Ticks(base),
            rows: ended(rows),
        };
        if message.rows.is_empty() {
            return Ok(());
        }
        py.detach(|| self.pusher.rows(message)).map_err(to_py)?;
        self.state.change(|shown| {
            shown.messages += 1;
            shown.rows += count;
        });
        Ok(())
    }

    fn known(&self, instrument: u16) -> PyResult<InstrumentId> {
        if usize::from(instrument) < self.instruments.len() {
            return Ok(InstrumentId(instrument));
        }
        let what = format!("no instrument {instrument} of {}", self.instruments.len());
        Err(to_py(Error::new(ErrorKind::NotFound, what)))
    }
}

#[pymethods]
impl PyFeedPusher {
    /// For instruments of one venue, as JSON.
    #[new]
    fn new(venue: &str, instruments: &str) -> PyResult<Self> {
        let instruments: Vec<Instrument> = parse(instruments, "the instruments").map_err(to_py)?;
        if let Some(other) = instruments.iter().find(|one| one.venue != venue) {
            let what = format!("{} trades on {}, not on {venue}", other.symbol, other.venue);
            return Err(to_py(Error::new(ErrorKind::Config, what)));
        }
        let (pusher, link) = pushed(venue, instruments.len() as u16);
        let state = Arc::new(VenueState::new(venue));
        let link = Mutex::new(Some(link));
        Ok(Self { pusher, link, instruments, state, clock: WallClock::new() })
    }

    /// Levels of a book that changed, or the whole book as a snapshot.
    fn book(
        &self,
        py: Python<'_>,
        instrument: u16,
        bids: Vec<PushedLevel>,
        asks: Vec<PushedLevel>,
        exch_ns: i64,
        snapshot: bool,
    ) -> PyResult<()> {
        let base = bids.first().or(asks.first()).map_or(0, |level| level.0);
        let whole = if snapshot { flags::SNAPSHOT } else { 0 };
        let side = |levels: &[PushedLevel], side: u8| -> Vec<MarketRow> {
            let row = |(price, qty): &PushedLevel| {
                row(RowKind::Depth, price - base, *qty, exch_ns, whole | side)
            };
            levels.iter().filter_map(row).collect()
        };
        let rows = [side(&bids, 0), side(&asks, flags::ASK)].concat();
        self.bring(py, instrument, rows, base)
    }

    /// Trades, the oldest first.
    fn trades(&self, py: Python<'_>, instrument: u16, trades: Vec<PushedTrade>) -> PyResult<()> {
        let base = trades.first().map_or(0, |trade| trade.0);
        let row = |(price, qty, sold, exch_ns): &PushedTrade| {
            let side = if *sold { flags::ASK } else { 0 };
            row(RowKind::Trade, price - base, *qty, *exch_ns, side)
        };
        self.bring(py, instrument, trades.iter().filter_map(row).collect(), base)
    }

    /// The book of an instrument cannot be relied on until its next snapshot.
    fn gap(&self, py: Python<'_>, instrument: u16) -> PyResult<()> {
        let instrument = self.known(instrument)?;
        py.detach(|| self.pusher.gap(instrument)).map_err(to_py)?;
        self.state.change(|shown| shown.lost += 1);
        Ok(())
    }

    /// The source came or went.
    fn link(&self, py: Python<'_>, up: bool, why: &str) -> PyResult<()> {
        py.detach(|| self.pusher.link(up)).map_err(to_py)?;
        self.state.change(|shown| {
            (shown.up, shown.fresh) = (up, up);
            if !up {
                shown.closed += 1;
                why.clone_into(&mut shown.last_closed);
            }
        });
        Ok(())
    }

    /// A line for the log of the feed.
    fn note(&self, level: &str, text: &str) {
        let level = match level {
            "error" => Level::Error,
            "warning" => Level::Warning,
            _ => Level::Info,
        };
        let note = Note { level, topic: "feed", text: text.to_owned() };
        self.state.note(note, self.clock.now_ns());
    }
}

/// A row, unless its price is too far from the message's first one to be held.
fn row(kind: RowKind, offset: i64, qty_lots: i64, exch_ns: i64, flags: u8) -> Option<MarketRow> {
    let price_offset = i32::try_from(offset).ok()?;
    let (kind, instrument) = (kind as u8, 0);
    Some(MarketRow { recv_ns: 0, exch_ns, qty_lots, price_offset, kind, flags, instrument })
}

/// The last row ends the message.
fn ended(mut rows: Vec<MarketRow>) -> Vec<MarketRow> {
    if let Some(last) = rows.last_mut() {
        last.flags |= flags::END_OF_MESSAGE;
    }
    rows
}
