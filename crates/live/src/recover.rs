//! From a journal's folder to a session that can go on.

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_journal::live::{Folder, Recovery, RecoveryReport};
use mainspring_kernel::session::{Image, Raw, Session};

/// What a recovery left.
#[derive(Debug)]
pub struct Recovered {
    /// Where the journal goes on.
    pub journal: mainspring_journal::live::Recovered,
    /// What was done.
    pub report: RecoveryReport,
    /// Whether there was a session before.
    pub resumes: bool,
}

/// Brings a session that was just made to the state of the journal's last good record. It decides
/// nothing on the way: no strategy runs, nothing is sent.
///
/// # Errors
/// When the folder is in use, the snapshot is of another session, or journal and build do not agree.
pub fn recover(folder: Folder, session: &mut Session) -> Result<Recovered> {
    let lock = folder.lock()?;
    let mut recovery = Recovery::begin(folder, None)?;
    let mut resumes = false;
    if let Some(snapshot) = recovery.snapshot() {
        let image: Image = serde_json::from_slice(&snapshot.state).map_err(|e| {
            Error::new(ErrorKind::Mismatch, format!("the snapshot cannot be read: {e}"))
        })?;
        session.restore(&image)?;
        resumes = true;
    }
    while let Some(record) = recovery.next_record()? {
        resumes = true;
        session.follow(&Raw {
            sequence: record.sequence,
            time_ns: record.time_ns,
            cause: record.cause,
            kind: record.kind,
            payload: record.payload,
        })?;
    }
    let report = recovery.report().clone();
    let journal = recovery.finish(lock)?;
    Ok(Recovered { journal, report, resumes })
}
