//! What a session recorded beside what the backtest of it comes to.

use std::sync::{Arc, Mutex, PoisonError};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_journal::live::{Cursor, Folder, Item, Start};

use super::lives::Life;
use crate::session::disk::upgraded;
use crate::session::record::Kind;

/// One side of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Code of the record's kind.
    pub kind: u16,
    /// Logical time.
    pub time_ns: TimeNs,
    /// The record.
    pub payload: Vec<u8>,
}

/// The first place where session and backtest do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParityDifference {
    /// Which life, from 1.
    pub life: u64,
    /// The journal record, where there is one.
    pub sequence: Option<u64>,
    /// As the session recorded it; `None` when it has nothing there.
    pub session: Option<Side>,
    /// As the backtest has it; `None` when it has nothing there.
    pub backtest: Option<Side>,
}

/// What was the same in one life, and the first difference.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    pub(super) rows: u64,
    pub(super) decisions: u64,
    pub(super) orders: u64,
    pub(super) fills: u64,
    pub(super) difference: Option<ParityDifference>,
}

/// Outputs that have to be the same.
const fn is_compared(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Intents | Kind::NewOrder | Kind::Step | Kind::Fill | Kind::Funding))
}

/// Reads what the session recorded while the backtest goes on.
pub(super) struct Comparison {
    cursor: Cursor,
    last: u64,
    end_ns: TimeNs,
    /// Whether the process ended in the middle of its work.
    cut: bool,
    pub(super) found: Compared,
}

impl Comparison {
    pub(super) fn open(folder: &Folder, life: &Life) -> Result<Self> {
        let (first, last) = life.sequences;
        Ok(Self {
            cursor: Cursor::open(folder.clone(), Start::After(first - 1))?,
            last,
            end_ns: life.end_ns,
            cut: !life.stopped,
            found: Compared::default(),
        })
    }

    /// The next record that has to be the same.
    fn next(&mut self) -> Result<Option<(u64, Side)>> {
        loop {
            let Item::Record(record) = self.cursor.read()? else { return Ok(None) };
            if record.sequence > self.last {
                return Ok(None);
            }
            let (kind, payload) = upgraded(&record)?;
            if is_compared(Kind::from_code(kind)) {
                let side = Side { kind, time_ns: record.time_ns, payload: payload.into_owned() };
                return Ok(Some((record.sequence, side)));
            }
        }
    }

    fn output(&mut self, again: Side) -> Result<()> {
        match self.next()? {
            Some((_, session)) if session == again => {
                match Kind::from_code(again.kind) {
                    Some(Kind::Intents) => self.found.decisions += 1,
                    Some(Kind::NewOrder | Kind::Step) => self.found.orders += 1,
                    Some(Kind::Fill) => self.found.fills += 1,
                    _ => {}
                }
                Ok(())
            }
            // What the process was about to record when it ended.
            None if self.cut && again.time_ns >= self.end_ns => Ok(()),
            Some((sequence, session)) => self.differs(Some(sequence), Some(session), Some(again)),
            None => self.differs(None, None, Some(again)),
        }
    }

    /// Wishes of a strategy on the worker, as they were taken and as it asks for them now. Both begin
    /// with what they were decided on, which is not part of what is asked for.
    pub(super) fn wishes(&mut self, sequence: u64, taken: Side, again: Option<Side>) -> Result<()> {
        const DECIDED: usize = 8;
        let asked = again.as_ref().map(|again| &again.payload[DECIDED..]);
        if asked == taken.payload.get(DECIDED..) {
            self.found.decisions += 1;
            return Ok(());
        }
        self.differs(Some(sequence), Some(taken), again)
    }

    fn differs(
        &mut self,
        sequence: Option<u64>,
        session: Option<Side>,
        backtest: Option<Side>,
    ) -> Result<()> {
        let difference = ParityDifference { life: 0, sequence, session, backtest };
        self.found.difference.get_or_insert(difference);
        Err(Error::new(ErrorKind::Interrupted, "session and backtest differ"))
    }

    /// The backtest is over: nothing may be left that only the session has.
    pub(super) fn end(&mut self) -> Result<()> {
        if let Some((sequence, session)) = self.next()? {
            let _ = self.differs(Some(sequence), Some(session), None);
        }
        Ok(())
    }
}

/// Takes what the backtest comes to in place of a journal.
pub(super) struct Outlet(pub(super) Arc<Mutex<Comparison>>);

impl crate::session::Outlet for Outlet {
    fn append(
        &mut self,
        kind: u16,
        time_ns: TimeNs,
        _cause: u64,
        payload: &[&[u8]],
    ) -> Result<u64> {
        if is_compared(Kind::from_code(kind)) {
            let mut comparison = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            comparison.output(Side { kind, time_ns, payload: payload.concat() })?;
        }
        Ok(1)
    }

    fn next_sequence(&self) -> u64 {
        1
    }

    fn commit(&mut self) -> Result<()> {
        Ok(())
    }
}
