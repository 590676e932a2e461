//! A disk that holds a journal, and can be torn and full.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_kernel::session::Outlet;

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
}

/// The disk; it outlives the process that writes to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        loose - kept
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
        state.records.push(Written { kind, time_ns, cause, payload: payload.concat() });
        Ok(sequence)
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
