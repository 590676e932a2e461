//! What came from outside in a session besides market data, given to the backtest at its times.

use std::sync::{Arc, Mutex, PoisonError};

use mainspring_core::{Error, ErrorKind, Result, TimeNs};
use mainspring_journal::live::{Cursor, Folder, Item, Start};

use super::compare::{Comparison, Side};
use super::lives::Life;
use crate::backtest::Script;
use crate::kernel::Kernel;
use crate::session::disk::upgraded;
use crate::session::record::{self, Kind};
use crate::session::Command;

/// Commands, wishes from the worker and the end, of one life.
pub(super) struct Inputs {
    cursor: Cursor,
    last: u64,
    ahead: Option<(u64, Side)>,
    comparison: Arc<Mutex<Comparison>>,
}

impl Inputs {
    pub(super) fn open(
        folder: &Folder,
        life: &Life,
        comparison: Arc<Mutex<Comparison>>,
    ) -> Result<Self> {
        let (first, last) = life.sequences;
        let cursor = Cursor::open(folder.clone(), Start::After(first))?;
        let mut inputs = Self { cursor, last, ahead: None, comparison };
        inputs.look_ahead()?;
        Ok(inputs)
    }

    fn look_ahead(&mut self) -> Result<()> {
        self.ahead = None;
        loop {
            let Item::Record(record) = self.cursor.read()? else { return Ok(()) };
            if record.sequence > self.last {
                return Ok(());
            }
            let (kind, payload) = upgraded(&record)?;
            if matches!(Kind::from_code(kind), Some(Kind::Command | Kind::Wishes | Kind::Stop)) {
                let side = Side { kind, time_ns: record.time_ns, payload: payload.into_owned() };
                self.ahead = Some((record.sequence, side));
                return Ok(());
            }
        }
    }

    fn wishes(&mut self, sequence: u64, taken: Side, kernel: &mut Kernel) -> Result<()> {
        let head = record::decode_intents(&taken.payload, &mut kernel.intents)?;
        kernel.intents.clear();
        let asked = kernel.apart.as_mut().and_then(|apart| apart.take(head.strategy));
        let (kind, time_ns) = (taken.kind, taken.time_ns);
        let again = asked.map(|payload| Side { kind, time_ns, payload });
        let payload = taken.payload.clone();
        let mut comparison = self.comparison.lock().unwrap_or_else(PoisonError::into_inner);
        comparison.wishes(sequence, taken, again)?;
        drop(comparison);
        record::decode_intents(&payload, &mut kernel.intents)?;
        let slot = kernel.strategies.get(usize::from(head.strategy));
        if slot.is_some_and(|slot| slot.failure.is_none()) {
            kernel.carry_out_elsewhere(head.strategy)?;
        }
        kernel.intents.clear();
        Ok(())
    }
}

impl Script for Inputs {
    fn next_ns(&self) -> TimeNs {
        self.ahead.as_ref().map_or(TimeNs::MAX, |(_, side)| side.time_ns)
    }

    fn act(&mut self, kernel: &mut Kernel) -> Result<()> {
        let Some((sequence, side)) = self.ahead.take() else { return Ok(()) };
        match Kind::from_code(side.kind) {
            Some(Kind::Command) => {
                let command: Command = serde_json::from_slice(&side.payload).map_err(|e| {
                    Error::new(ErrorKind::Mismatch, format!("record {sequence}: {e}"))
                })?;
                if let Command::ReplaceStrategy { strategy, .. } = &command {
                    return Err(Error::new(
                        ErrorKind::Mismatch,
                        format!("record {sequence}: strategy {strategy} was replaced while the session ran; such a session is not run again as a backtest"),
                    ));
                }
                kernel.command(&command)?;
            }
            Some(Kind::Wishes) => self.wishes(sequence, side, kernel)?,
            Some(Kind::Stop) => {
                if side.payload.first() == Some(&1) {
                    kernel.stop_and_cancel()?;
                } else {
                    kernel.stop()?;
                }
            }
            _ => {}
        }
        self.look_ahead()
    }
}
