//! Running a session's strategies again over its journal, and comparing what they ask for.

use std::collections::VecDeque;
use std::path::Path;

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_journal::live::{Cursor, Folder, Item, Sources, Start};
use serde::Serialize;
use serde_json::Value;

use super::disk::{parse_instruments, raw, upgraded, Silent};
use super::{Command, Kind, Raw, Session, SessionConfig};
use crate::host::Host;

/// What strategies ask for that run inline is a record right behind its input; what those elsewhere
/// ask for is an input of its own, some time later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In the kernel's thread.
    Inline,
    /// Outside it.
    Elsewhere,
}

/// A place where a strategy that runs again asks for something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WishDifference {
    /// Which strategy.
    pub strategy: u16,
    /// The input that it saw.
    pub input: u64,
    /// Logical time.
    pub time_ns: i64,
    /// As recorded; empty when nothing was.
    pub recorded: Vec<u8>,
    /// As asked for now; empty when nothing is.
    pub again: Vec<u8>,
}

/// What a rerun found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// Records followed.
    pub records: u64,
    /// Wishes that were the same.
    pub same: u64,
    /// Wishes that were not, or that only one side has.
    pub different: u64,
    /// The first difference.
    pub difference: Option<WishDifference>,
}

/// Makes a strategy of what a journal says of it; `None` leaves the one before. The number is that of
/// the replacement, 0 for what a restart began with.
pub type Remake<'a> = dyn FnMut(u16, u32, &Value) -> Result<Option<Box<dyn Host>>> + 'a;

/// Follows the journal in `path` from its beginning with `hosts`, where `None` stands for a strategy
/// that is not run, and compares what they ask for with what is recorded, to the bit. With the
/// recorded strategies this verifies the session; with others it says where they would have decided
/// otherwise on the same feed, orders and fills. Where the session replaced a strategy, or was
/// started anew with another version, `remake` makes that. Ends at the first difference unless
/// `to_the_end`.
///
/// # Errors
/// When the journal's beginning is gone, a record is damaged, or journal and build do not agree.
pub fn rerun(
    path: &Path,
    hosts: Vec<Option<Box<dyn Host>>>,
    at: Where,
    to_the_end: bool,
    remake: &mut Remake<'_>,
) -> Result<Rerun> {
    let folder = Folder::open(path)?;
    let mut cursor = Cursor::open(folder.clone(), Start::After(0))?;
    let runs: Vec<bool> = hosts.iter().map(Option::is_some).collect();
    let mut hosts = Some(hosts);
    let mut session: Option<Session> = None;
    let mut code = Vec::new();
    let mut check = Check { at, runs, asked: Vec::new(), found: Rerun::default() };
    loop {
        let head = cursor.head().map(|head| head.sources);
        let (record, payload) = match cursor.read()? {
            Item::Idle => break,
            Item::Gap(gap) => return Err(beginning_gone(gap.next)),
            Item::Record(record) => {
                let (kind, payload) = upgraded(&record)?;
                (Raw { kind, payload: &[], ..raw(&record) }, payload.into_owned())
            }
        };
        if session.is_none() {
            let head = head.or_else(|| cursor.head().map(|head| head.sources));
            session = Some(begin(&folder, head.as_ref(), hosts.take().unwrap_or_default(), at)?);
            code = identities(&folder, head.as_ref())?;
        }
        let Some(session) = &mut session else { break };
        let raw = Raw { payload: &payload, ..record };
        if raw.kind == Kind::Resume as u16 {
            let now = identities(&folder, cursor.head().map(|head| head.sources).as_ref())?;
            for (strategy, identity) in now.iter().enumerate() {
                let changed = check.runs[strategy] && code.get(strategy) != Some(identity);
                let strategy = strategy as u16;
                let made = changed.then(|| remake(strategy, 0, identity)).transpose()?;
                if let Some(host) = made.flatten() {
                    // What it cannot take up it could not take up then either.
                    let _ = session.put_host(strategy, host)?;
                }
            }
            code = now;
        }
        session.follow(&raw)?;
        if let Some((strategy, version, identity)) = replacement(&raw) {
            let runs = check.runs.get(usize::from(strategy)).copied().unwrap_or(false);
            let made = runs.then(|| remake(strategy, version, &identity)).transpose()?;
            if let Some(host) = made.flatten() {
                let _ = session.replace_host(strategy, host)?;
            }
            if let Some(known) = code.get_mut(usize::from(strategy)) {
                *known = identity;
            }
        }
        check.found.records += 1;
        check.take_up(session);
        check.compare(&raw);
        if check.found.different > 0 && !to_the_end {
            return Ok(check.found);
        }
    }
    check.end();
    Ok(check.found)
}

/// What the sources of a journal say of each strategy.
fn identities(
    folder: &Folder,
    sources: Option<&mainspring_journal::live::SourceHashes>,
) -> Result<Vec<Value>> {
    let Some(sources) = sources else { return Ok(Vec::new()) };
    let sources = Sources::load(folder, sources)?;
    let code: Value = serde_json::from_str(&sources.code).unwrap_or_default();
    Ok(code["code"].as_array().cloned().unwrap_or_default())
}

/// The replacement of a strategy that a record is: which strategy, its number, and what it is.
#[must_use]
pub fn replacement(raw: &Raw<'_>) -> Option<(u16, u32, Value)> {
    if raw.kind != Kind::Command as u16 {
        return None;
    }
    match serde_json::from_slice(raw.payload) {
        Ok(Command::ReplaceStrategy { strategy, version, code }) => Some((strategy, version, code)),
        _ => None,
    }
}

fn beginning_gone(next: u64) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("the journal begins at record {next}: what came before was archived, and strategies can only be run again from the beginning"),
    )
}

fn begin(
    folder: &Folder,
    sources: Option<&mainspring_journal::live::SourceHashes>,
    hosts: Vec<Option<Box<dyn Host>>>,
    at: Where,
) -> Result<Session> {
    let sources = sources.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "a record without the header of its segment")
    })?;
    let sources = Sources::load(folder, sources)?;
    let config: SessionConfig = serde_json::from_str(&sources.config).map_err(|e| {
        Error::new(ErrorKind::Mismatch, format!("the journal's configuration: {e}"))
    })?;
    let code: serde_json::Value = serde_json::from_str(&sources.code)
        .map_err(|e| Error::new(ErrorKind::Mismatch, format!("the journal's strategies: {e}")))?;
    let names = code["strategies"].as_array().cloned().unwrap_or_default();
    if names.len() != hosts.len() {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!("the journal has {} strategies, {} are given", names.len(), hosts.len()),
        ));
    }
    let hosts = hosts.into_iter().zip(&names).map(|(host, name)| match host {
        Some(host) => host,
        None => Box::new(Silent::new(name.as_str().unwrap_or_default())),
    });
    let mut session = Session::new(config, parse_instruments(&sources)?, hosts.collect())?;
    match at {
        Where::Inline => session.keep_wishes(),
        Where::Elsewhere => session.decide_elsewhere(),
    }
    Ok(session)
}

/// What was asked for and not compared yet.
struct Check {
    at: Where,
    runs: Vec<bool>,
    asked: Vec<VecDeque<Asked>>,
    found: Rerun,
}

/// Wishes of a strategy that ran again.
struct Asked {
    /// The input that it saw.
    input: u64,
    time_ns: i64,
    bytes: Vec<u8>,
}

/// Bytes in front of wishes that say what they were decided on: not part of what is asked for.
const DECIDED: usize = 8;

impl Check {
    fn take_up(&mut self, session: &mut Session) {
        self.asked.resize_with(self.runs.len(), VecDeque::new);
        let input = session.sequence();
        for followed in session.take_followed() {
            let strategy = strategy_of(&followed.bytes).map(usize::from);
            if let Some(asked) = strategy.and_then(|strategy| self.asked.get_mut(strategy)) {
                let (time_ns, bytes) = (followed.time_ns, followed.bytes);
                asked.push_back(Asked { input, time_ns, bytes });
            }
        }
        // Those that failed say so in the journal as well.
        session.take_failures();
    }

    fn compare(&mut self, raw: &Raw<'_>) {
        let input = match (self.at, Kind::from_code(raw.kind)) {
            (Where::Inline, Some(Kind::Intents)) => raw.cause,
            (Where::Elsewhere, Some(Kind::Wishes)) => decided(raw.payload),
            (Where::Elsewhere, Some(Kind::Resume)) => {
                // What was asked for and not taken died with the process.
                self.asked.iter_mut().for_each(VecDeque::clear);
                return;
            }
            _ => return,
        };
        let Some(strategy) = strategy_of(raw.payload) else { return };
        if !self.runs.get(usize::from(strategy)).copied().unwrap_or(false) {
            return;
        }
        while let Some(extra) = self.front_before(strategy, input) {
            self.differs(strategy, extra.input, extra.time_ns, Vec::new(), extra.bytes);
        }
        let asked = &mut self.asked[usize::from(strategy)];
        let again = match asked.front() {
            Some(front) if front.input == input => asked.pop_front(),
            _ => None,
        };
        let again = again.map(|asked| asked.bytes).unwrap_or_default();
        if again.get(DECIDED..) == raw.payload.get(DECIDED..) {
            self.found.same += 1;
        } else {
            self.differs(strategy, input, raw.time_ns, raw.payload.to_vec(), again);
        }
    }

    /// Takes the oldest wishes of a strategy if it saw them before `input`.
    fn front_before(&mut self, strategy: u16, input: u64) -> Option<Asked> {
        let asked = &mut self.asked[usize::from(strategy)];
        asked.front().is_some_and(|front| front.input < input).then(|| asked.pop_front()).flatten()
    }

    fn differs(
        &mut self,
        strategy: u16,
        input: u64,
        time_ns: i64,
        recorded: Vec<u8>,
        again: Vec<u8>,
    ) {
        self.found.different += 1;
        if self.found.difference.is_none() {
            self.found.difference =
                Some(WishDifference { strategy, input, time_ns, recorded, again });
        }
    }

    /// Inline wishes are recorded at once: what is left over was not. Those from elsewhere may have
    /// been on their way when the session ended.
    fn end(&mut self) {
        if self.at == Where::Elsewhere {
            return;
        }
        for strategy in 0..self.runs.len() as u16 {
            while let Some(extra) = self.front_before(strategy, u64::MAX) {
                self.differs(strategy, extra.input, extra.time_ns, Vec::new(), extra.bytes);
            }
        }
    }
}

/// Which strategy wishes are of.
fn strategy_of(bytes: &[u8]) -> Option<u16> {
    bytes.get(DECIDED..DECIDED + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes)
}

/// The record that a strategy had seen when it asked.
fn decided(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<DECIDED>().map_or(0, |eight| u64::from_le_bytes(*eight))
}
