//! A disk that holds a journal, and can be torn and full; a witness reads along.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_kernel::session::{Outlet, Session};

use crate::witness::Witness;

/// One record on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Code of its kind.
    pub kind: u16,
    /// Logical time.
    pub time_ns: TimeNs,
    /// The input that it follows from; its own sequence for an input.
    pub cause: u64,
    /// What it says.
    pub payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Written>,
    /// Records that were there when effects last left: a kill cannot tear those.
    safe: usize,
    /// Records that still fit; `None` for no bound.
    room: Option<usize>,
    witness: Witness,
    /// The witness as it was when a process began again, and after how many records.
    recovered: Vec<(usize, Witness)>,
    /// Whether what the witness finds ends the run at the record that shows it.
    heeds: bool,
    /// What it found first.
    found: Option<Error>,
}

/// The disk; it outlives the process that writes to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// An empty disk. A witness that is not heeded finds what it finds for itself.
    pub(crate) fn new(heeds: bool) -> Self {
        let disk = Self::default();
        disk.state().heeds = heeds;
        disk
    }

    /// What the witness of all that is written says.
    pub(crate) fn ask<T>(&self, what: impl FnOnce(&mut Witness) -> T) -> T {
        what(&mut self.state().witness)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the witness found, if it did and is heeded.
    pub(crate) fn found(&self) -> Result<()> {
        self.state().found.clone().map_or(Ok(()), Err)
    }

    /// Nothing but `records` more fit, or all again.
    pub(crate) fn set_room(&self, records: Option<usize>) {
        self.state().room = records;
    }

    /// What can be read after a kill in which `keep` picks how many of the records that no effect
    /// depends on were wholly written. Returns how many were lost.
    pub(crate) fn tear(&self, keep: impl FnOnce(usize) -> usize) -> usize {
        let mut state = self.state();
        let loose = state.records.len() - state.safe;
        let kept = keep(loose).min(loose);
        let whole = state.safe + kept;
        state.records.truncate(whole);
        state.recovered.retain(|(records, _)| *records <= whole);
        let (from, mut witness) = state.recovered.last().cloned().unwrap_or_default();
        witness.follow(&state.records, from);
        state.witness = witness;
        loose - kept
    }

    /// A process has begun again from what can be read, and is this one now.
    ///
    /// # Errors
    /// When it knows more or less than that.
    pub(crate) fn recovered(&self, session: &Session) -> Result<()> {
        let mut state = self.state();
        state.witness.recovered(session)?;
        let now = (state.records.len(), state.witness.clone());
        state.recovered.push(now);
        Ok(())
    }

    pub(crate) fn records(&self) -> Vec<Written> {
        self.state().records.clone()
    }
}

impl Outlet for Disk {
    fn append(&mut self, kind: u16, time_ns: TimeNs, cause: u64, payload: &[&[u8]]) -> Result<u64> {
        let mut state = self.state();
        if let Some(room) = &mut state.room {
            if *room == 0 {
                return Err(Error::new(ErrorKind::Io, "the journal's disk is full"));
            }
            *room -= 1;
        }
        let sequence = state.records.len() as u64 + 1;
        let cause = if cause == 0 { sequence } else { cause };
        let written = Written { kind, time_ns, cause, payload: payload.concat() };
        let seen = state.witness.saw(sequence, &written);
        state.records.push(written);
        match seen {
            Err(found) if state.heeds => {
                state.found.get_or_insert(found.clone());
                Err(found)
            }
            _ => Ok(sequence),
        }
    }

    fn next_sequence(&self) -> u64 {
        self.state().records.len() as u64 + 1
    }

    fn commit(&mut self) -> Result<()> {
        let mut state = self.state();
        state.safe = state.records.len();
        Ok(())
    }
}
