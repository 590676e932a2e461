//! A paper session run again as a backtest.
//!
//! The session's market data becomes event files, one for each life of the process, and the strategies
//! run over them in the loop of a backtest, with the session's configuration. Nothing else of the
//! journal is used but what came from outside: when the session began and ended, commands, and when
//! the wishes of strategies on the worker were taken. Decisions, orders and fills have to be the
//! session's, to the bit and the nanosecond.
//!
//! A restart begins from what recovery finds, as the session did.

#![allow(clippy::disallowed_types, reason = "a session that is over is run again and compared")]

mod compare;
mod lives;
mod models;
mod script;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, TimeNs};
use mainspring_data::EventFile;
use mainspring_journal::live::Folder;

use self::compare::{Compared, Comparison};
use self::lives::{Beginning, Life, Lives};
use self::script::Inputs;
use super::{Apart, Session, StrategyImage};
use crate::backtest::{Backtest, Progress, Span};
use crate::host::Host;
use crate::read_ahead::ReadAhead;
use crate::source::Source;

pub use self::compare::{ParityDifference, Side};
pub use self::models::{model_fills, Filled, OrderFills};

/// What a parity run found.
#[derive(Clone, Debug, Default)]
pub struct Parity {
    /// Lives of the session: one more than it was restarted.
    pub lives: u64,
    /// Market rows run over.
    pub rows: u64,
    /// Decisions of strategies that are the same.
    pub decisions: u64,
    /// Orders made, cancelled and amended that are the same.
    pub orders: u64,
    /// Fills that are the same.
    pub fills: u64,
    /// The first difference.
    pub difference: Option<ParityDifference>,
    /// The instruments, to read the difference by.
    pub instruments: Vec<Instrument>,
    /// The event files.
    pub feeds: Vec<PathBuf>,
}

/// Makes the strategies anew for each life, each with whether it runs on the worker. Given are the
/// code that the life was started with, as JSON, and what recovery found of each strategy; nothing at
/// the first start.
pub type MakeHosts<'a> =
    dyn FnMut(&str, &[StrategyImage]) -> Result<Vec<(Box<dyn Host>, bool)>> + 'a;

/// Runs the paper session in `path` again as a backtest over its market data, which is written to
/// event files in `feeds`.
///
/// # Errors
/// When the journal's beginning is gone, the session was not a paper session, or journal and build do
/// not agree.
pub fn parity(path: &Path, feeds: &Path, hosts: &mut MakeHosts<'_>) -> Result<Parity> {
    let folder = Folder::open(path)?;
    let mut lives = Lives::open(&folder, feeds)?;
    let mut found = Parity::default();
    while let Some(life) = lives.next()? {
        found.lives += 1;
        found.feeds.extend(life.feed.clone());
        found.instruments.clone_from(&life.instruments);
        let compared = live_again(&folder, &life, hosts)?;
        found.rows += compared.rows;
        found.decisions += compared.decisions;
        found.orders += compared.orders;
        found.fills += compared.fills;
        let life = found.lives;
        found.difference = compared.difference.map(|one| ParityDifference { life, ..one });
        if found.difference.is_some() {
            break;
        }
    }
    if found.lives == 0 {
        return Err(Error::new(ErrorKind::NotFound, "the journal is empty: nothing was recorded"));
    }
    Ok(found)
}

/// Runs one life again.
fn live_again(folder: &Folder, life: &Life, hosts: &mut MakeHosts<'_>) -> Result<Compared> {
    let kept = life.image.as_ref().map_or(&[][..], |image| &image.strategies);
    let made = hosts(&life.code, kept)?;
    let apart: Vec<bool> = made.iter().map(|(_, apart)| *apart).collect();
    let hosts = made.into_iter().map(|(host, _)| host).collect();
    let mut session = Session::new(life.config.clone(), life.instruments.clone(), hosts)?;
    if let Some(image) = &life.image {
        session.restore(image)?;
    }
    if apart.contains(&true) {
        session.keep_apart(apart);
    }
    let comparison = Arc::new(Mutex::new(Comparison::open(folder, life)?));
    session.lead(Box::new(compare::Outlet(Arc::clone(&comparison))));
    let ran = run(folder, life, &mut session, &comparison);
    drop(session.close());
    let mut comparison = comparison.lock().unwrap_or_else(PoisonError::into_inner);
    match ran {
        Err(_) if comparison.found.difference.is_some() => {}
        Err(error) => return Err(error),
        Ok(rows) => {
            comparison.found.rows = rows;
            comparison.end()?;
        }
    }
    Ok(comparison.found.clone())
}

fn run(
    folder: &Folder,
    life: &Life,
    session: &mut Session,
    comparison: &Arc<Mutex<Comparison>>,
) -> Result<u64> {
    match life.beginning {
        Beginning::Start(at_ns) => session.start(at_ns, b"{}")?,
        Beginning::Resume(at_ns) => session.resume(at_ns, b"{}")?,
    }
    let files = life.feed.iter().map(EventFile::open).collect::<Result<Vec<_>>>()?;
    let read_ahead = ReadAhead::default();
    let all: Vec<_> = (0..life.instruments.len() as u16).map(InstrumentId).collect();
    let source = |file| Source::new(file, &read_ahead, all.clone(), &life.run_config());
    let sources = files.iter().map(source).collect::<Result<Vec<_>>>()?;
    let mut script = Inputs::open(folder, life, Arc::clone(comparison))?;
    let span = Span { start_ns: TimeNs::MIN, end_ns: life.end_ns };
    let mut watch = |_: Progress| Ok(());
    let kernel = &mut session.kernel;
    Backtest::new(kernel, sources, span, &mut watch).scripted(&mut script).run()?;
    Ok(session.counts().rows)
}

impl Session {
    /// These strategies are called when a worker would call them, and their wishes wait to be taken.
    fn keep_apart(&mut self, which: Vec<bool>) {
        let parents = self.kernel.parents.as_ref();
        let first = mainspring_trading::execution::parents::ParentId::FIRST_ELSEWHERE;
        let next = parents.map_or(first, |parents| parents.next_elsewhere());
        self.kernel.apart = Some(Box::new(Apart::new(which, self.next_elsewhere, next.0)));
    }
}
