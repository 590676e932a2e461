//! How long a recovery takes.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::Path;
use std::time::Instant;

use mainspring_core::Result;
use mainspring_journal::live::{Folder, Options, Recovery, SyncPolicy};

use super::disk::{recover, sources};
use super::rehearsal::{parts, session, Rehearsal};

/// Writes the journal of a session of at least `records` records: market messages of five levels a
/// side, orders, fills. No snapshot is taken, so that recovery has to read them all.
///
/// # Errors
/// When the journal cannot be written.
pub fn write(path: &Path, records: u64) -> Result<u64> {
    let (config, instruments, hosts) = parts()?;
    let names: Vec<_> = hosts.iter().map(|host| host.name()).collect();
    let nothing = serde_json::Value::Null;
    let sources = sources(&config, &instruments, &names, &nothing, &nothing)?;
    let options = Options { sync: SyncPolicy::Process, ..Options::default() };
    let recovered = recover(path, &mut |_| session())?;
    let (mut session, _control) = recovered.lead(options, &sources)?;
    session.start(Rehearsal::begin_ns(), b"{}")?;
    let mut rehearsal = Rehearsal::new(session)?;
    while rehearsal.session.sequence() < records {
        rehearsal.step(&mut |_| ())?;
    }
    Ok(rehearsal.session.sequence())
}

/// Seconds that it takes to recover the session, and to read and check the records alone.
///
/// # Errors
/// When the journal cannot be recovered.
pub fn time(path: &Path) -> Result<(f64, f64)> {
    let begin = Instant::now();
    let recovered = recover(path, &mut |_| session())?;
    let seconds = begin.elapsed().as_secs_f64();
    drop(recovered);
    let begin = Instant::now();
    let mut recovery = Recovery::begin(Folder::open(path)?, None)?;
    while recovery.next_record()?.is_some() {}
    Ok((seconds, begin.elapsed().as_secs_f64()))
}
