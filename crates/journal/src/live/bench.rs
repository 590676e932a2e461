//! What an append costs, record by record.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::time::{Duration, Instant};

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_memory::preemptions;

use super::{Folder, Options, Recovery, Sources, Writer};

/// Bytes of the payload: those of a new order or a small market message.
const PAYLOAD: usize = 120;

/// Times of single calls, the reading of the clock included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimes {
    /// Half of the calls took at most so long.
    pub p50_ns: u64,
    /// 99 in 100 calls took at most so long.
    pub p99_ns: u64,
    /// The slowest of those in which the system did not give the processor to another thread; waits
    /// for the disk, for memory and for locks count.
    pub max_ns: u64,
    /// The slowest of all.
    pub raw_max_ns: u64,
}

/// Times `count` appends, each with its commit, one every `pace` (0: as fast as they go), to a new
/// journal in `path`.
///
/// # Errors
/// When the folder holds a journal already or the disk fails.
pub fn appends(path: &Path, options: Options, count: usize, pace: Duration) -> Result<CallTimes> {
    let folder = Folder::create(path)?;
    if !folder.segments()?.is_empty() {
        return Err(Error::new(
            ErrorKind::Value,
            format!("{} holds a journal already: name an empty folder", path.display()),
        ));
    }
    let lock = folder.lock()?;
    let recovered = Recovery::begin(folder, None)?.finish(lock)?;
    let (mut writer, _control) = Writer::open(recovered, options, 1, &Sources::default())?;
    let payload = [0x5a_u8; PAYLOAD];
    let mut failed = None;
    let times = timed(count, pace, |n| {
        let done = writer.append(2, n as i64, 0, &[&payload]).and_then(|_| writer.commit());
        if let Err(error) = done {
            failed.get_or_insert(error);
        }
    });
    failed.map_or(Ok(()), Err)?;
    writer.close()?;
    Ok(times)
}

/// The same with a copy of the payload into memory instead: what the machine and the clock alone do.
#[must_use]
pub fn copies(count: usize, pace: Duration) -> CallTimes {
    let payload = [0x5a_u8; PAYLOAD];
    let mut memory = vec![0_u8; 16 << 20];
    let places = memory.len() / PAYLOAD;
    timed(count, pace, |n| {
        let at = n % places * PAYLOAD;
        memory[at..at + PAYLOAD].copy_from_slice(black_box(&payload));
    })
}

fn timed(count: usize, pace: Duration, mut call: impl FnMut(usize)) -> CallTimes {
    let mut times = vec![0_u32; count.max(1)];
    let mut max_ns = 0;
    let begin = Instant::now();
    for (n, time) in times.iter_mut().enumerate() {
        if !pace.is_zero() {
            let due = begin + pace * n as u32;
            while Instant::now() < due {
                spin_loop();
            }
        }
        let taken = preemptions();
        let before = Instant::now();
        call(n);
        let elapsed = before.elapsed().as_nanos();
        *time = u32::try_from(elapsed).unwrap_or(u32::MAX);
        if u64::from(*time) > max_ns && preemptions() == taken {
            max_ns = u64::from(*time);
        }
    }
    times.sort_unstable();
    let at = |share: usize| u64::from(times[(times.len() - 1) * share / 100]);
    CallTimes { p50_ns: at(50), p99_ns: at(99), max_ns, raw_max_ns: at(100) }
}
