//! A session and its journal on disk: leading with it, recovering from it, looking at its past.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Instrument, Result, TimeNs};
use mainspring_journal::live::{
    migrate, Control, Folder, Lock, Migration, Options, Record, Recovery, RecoveryReport,
    SourceHashes, Sources, Writer,
};

use serde_json::{Map, Value};

use crate::host::{Host, HostResult, Interest};
use crate::view::View;

pub use super::summary::summary;
use super::{Image, Outlet, Raw, Session, SessionConfig};

/// Version of the layouts in [`super::record`].
pub const SCHEMA: u32 = 1;

/// How records of older schemas are read.
pub const MIGRATIONS: &[Migration] = &[];

/// The journal on disk as a session writes to it.
pub struct JournalOutlet {
    writer: Writer,
}

impl Outlet for JournalOutlet {
    #[inline]
    fn append(&mut self, kind: u16, time_ns: TimeNs, cause: u64, payload: &[&[u8]]) -> Result<u64> {
        self.writer.append(kind, time_ns, cause, payload)
    }

    #[inline]
    fn next_sequence(&self) -> u64 {
        self.writer.next_sequence()
    }

    #[inline]
    fn commit(&mut self) -> Result<()> {
        self.writer.commit()
    }

    fn end(self: Box<Self>) -> Result<()> {
        self.writer.close()
    }
}

/// Makes the session that a journal is followed with, from what its records were made with. `None`
/// for an empty journal: the session of today's configuration. Called again, for another new session,
/// when the newest snapshot cannot be taken up.
pub type MakeSession<'a> = dyn FnMut(Option<&Sources>) -> Result<Session> + 'a;

/// A session that follows its journal up to the end, and the way to lead with it.
pub struct Recovered {
    /// The session: [`Session::start`] it when `is_new`, otherwise [`Session::resume`].
    pub session: Session,
    /// Whether the journal was empty.
    pub is_new: bool,
    journal: mainspring_journal::live::Recovered,
}

impl Recovered {
    /// What was read, found and cut.
    #[must_use]
    pub const fn report(&self) -> &RecoveryReport {
        &self.journal.report
    }

    /// Lets the session lead and write behind what was recovered.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn lead(self, options: Options, sources: &Sources) -> Result<(Session, Control)> {
        let (writer, control) = Writer::open(self.journal, options, SCHEMA, sources)?;
        let mut session = self.session;
        session.lead(Box::new(JournalOutlet { writer }));
        Ok((session, control))
    }
}

/// Recovers a session from the journal in `path`, which is made when it is not there: the newest
/// snapshot that can be used, and the records behind it. What cannot be read is cut away and told.
///
/// # Errors
/// When another process writes to it, when no snapshot can be used and the beginning is gone, or when
/// the records contradict this build.
pub fn recover(path: &Path, make: &mut MakeSession<'_>) -> Result<Recovered> {
    let folder = Folder::create(path)?;
    let lock: Lock = folder.lock()?;
    let (mut session, mut recovery) = begin(&folder, None, make)?;
    follow(&mut session, &mut recovery, TimeNs::MAX)?;
    let journal = recovery.finish(lock)?;
    let is_new = session.sequence() == 0;
    Ok(Recovered { session, is_new, journal })
}

/// The state that the journal in `path` tells of as of `until`, without changing anything; also while
/// it is being written.
///
/// # Errors
/// As [`recover`].
pub fn state_at(
    path: &Path,
    until: TimeNs,
    make: &mut MakeSession<'_>,
) -> Result<(Session, RecoveryReport)> {
    let folder = Folder::open(path)?;
    let mut limit = None;
    for sequence in folder.snapshot_sequences()?.into_iter().rev() {
        let snapshot = mainspring_journal::live::Snapshot::read(&folder, sequence);
        if snapshot.is_ok_and(|snapshot| snapshot.time_ns <= until) {
            break;
        }
        limit = Some(sequence);
    }
    let (mut session, mut recovery) = begin(&folder, limit, make)?;
    follow(&mut session, &mut recovery, until)?;
    let mut report = recovery.report().clone();
    if folder.is_being_written() {
        // The end moves while it is looked at: what seems to be damage there may be a record in the
        // making.
        report.findings.clear();
    }
    Ok((session, report))
}

/// Takes up the newest snapshot that both its file and the session can give. A snapshot of another
/// build is passed over: what it was made of says the same.
fn begin(
    folder: &Folder,
    mut limit: Option<u64>,
    make: &mut MakeSession<'_>,
) -> Result<(Session, Recovery)> {
    let mut refused: Vec<(u64, Error)> = Vec::new();
    loop {
        let mut recovery = match (Recovery::begin(folder.clone(), limit), refused.pop()) {
            // Nothing else to begin with: why the snapshot was refused is what matters.
            (Err(error), Some((_, why))) => return Err(why.at(error)),
            (begun, last) => {
                refused.extend(last);
                begun?
            }
        };
        let sources = recovery.sources().copied().or(first_sources(folder)?);
        let sources = sources.map(|hashes| Sources::load(folder, &hashes)).transpose()?;
        let mut session = make(sources.as_ref())?;
        let snapshot = recovery.snapshot();
        let restored = snapshot.map_or(Ok(()), |snapshot| {
            read_image(&snapshot.state).and_then(|image| session.restore(&image))
        });
        let sequence = snapshot.map_or(0, |snapshot| snapshot.position.sequence);
        match restored {
            Ok(()) => {
                for (sequence, why) in &refused {
                    recovery.note_refused_snapshot(*sequence, why);
                }
                return Ok((session, recovery));
            }
            Err(why) => {
                limit = Some(sequence);
                refused.push((sequence, why));
            }
        }
    }
}

/// What the first record was made with.
fn first_sources(folder: &Folder) -> Result<Option<SourceHashes>> {
    use mainspring_journal::live::{Cursor, Start};
    let cursor = Cursor::open(folder.clone(), Start::Oldest);
    Ok(cursor.ok().and_then(|cursor| cursor.head().map(|head| head.sources)))
}

fn read_image(state: &[u8]) -> Result<Image> {
    serde_json::from_slice(state)
        .map_err(|e| Error::new(ErrorKind::Mismatch, format!("a snapshot cannot be read: {e}")))
}

/// Follows the good records up to logical time `until`.
fn follow(session: &mut Session, recovery: &mut Recovery, until: TimeNs) -> Result<()> {
    while let Some(record) = recovery.next_record()? {
        if record.time_ns > until {
            break;
        }
        let (kind, payload) = upgraded(&record)?;
        session.follow(&Raw { kind, payload: &payload, ..raw(&record) })?;
    }
    Ok(())
}

/// Kind and payload of a record of an older schema as they are today.
///
/// # Errors
/// When a newer build wrote it, or none can read it any more.
pub fn upgraded<'a>(record: &Record<'a>) -> Result<(u16, Cow<'a, [u8]>)> {
    migrate(MIGRATIONS, record.schema, SCHEMA, record.kind, record.payload)
        .map_err(|e| e.at(format_args!("journal record {}", record.sequence)))
}

/// A record of the journal as a session follows it.
#[inline]
#[must_use]
pub const fn raw<'a>(record: &Record<'a>) -> Raw<'a> {
    Raw {
        kind: record.kind,
        sequence: record.sequence,
        time_ns: record.time_ns,
        cause: record.cause,
        payload: record.payload,
    }
}

/// Has the session's state kept as of now, between two inputs, by the journal's helper thread. False
/// when the snapshot before is still being written.
pub fn keep(session: &Session, control: &Control) -> bool {
    let image = Arc::new(session.image());
    let state = move || {
        serde_json::to_vec(&*image)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a snapshot as JSON: {e}")))
    };
    control.snapshot(session.now_ns(), Box::new(state))
}

/// Sources of a session: what a journal keeps so that its records can be followed later.
///
/// # Errors
/// When the configuration cannot be written as JSON.
pub fn sources(
    config: &SessionConfig,
    instruments: &[Instrument],
    strategies: &[&str],
    code: &serde_json::Value,
    models: &serde_json::Value,
) -> Result<Sources> {
    let text = |what: std::result::Result<String, serde_json::Error>| {
        what.map_err(|e| Error::new(ErrorKind::Internal, format!("sources as JSON: {e}")))
    };
    let code = serde_json::json!({ "strategies": strategies, "code": code });
    Ok(Sources {
        config: text(serde_json::to_string(config))?,
        instruments: text(serde_json::to_string(instruments))?,
        code: code.to_string(),
        models: models.to_string(),
    })
}

/// A session that follows a journal from its sources alone: its strategies have names and do nothing,
/// for everything that they did is in the records.
///
/// # Errors
/// When the sources are not those of a session.
pub fn silent_session(sources: Option<&Sources>) -> Result<Session> {
    let Some(sources) = sources else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the journal is empty: nothing was recorded yet",
        ));
    };
    let config: SessionConfig = parse(&sources.config, "configuration")?;
    let instruments = parse_instruments(sources)?;
    let code: serde_json::Value = parse(&sources.code, "strategies")?;
    let names = code["strategies"].as_array().cloned().unwrap_or_default();
    let hosts = names
        .iter()
        .map(|name| Box::new(Silent::new(name.as_str().unwrap_or_default())) as Box<dyn Host>);
    Session::new(config, instruments, hosts.collect())
}

/// The instruments of a journal; none where it was written without any.
///
/// # Errors
/// When they cannot be read.
pub fn parse_instruments(sources: &Sources) -> Result<Vec<Instrument>> {
    if sources.instruments.is_empty() {
        return Ok(Vec::new());
    }
    parse(&sources.instruments, "instruments")
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| {
        Error::new(ErrorKind::Mismatch, format!("the journal's {what} cannot be read: {e}"))
    })
}

/// A strategy that is known by name only: what it does is in records, or decided elsewhere.
pub struct Silent {
    name: String,
}

impl Silent {
    /// A strategy of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Host for Silent {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self) -> Interest {
        Interest::default()
    }

    /// Whoever decides elsewhere takes them from the journal.
    fn set_parameters(&mut self, _: &mut View<'_>, _: &Map<String, Value>) -> HostResult {
        Ok(())
    }
}
