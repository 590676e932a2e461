//! The sign of life that a lease is renewed by: a file whose time another process watches.
//!
//! A thread of its own renews it, so that a disk that hangs holds up nothing else, and only while the
//! kernel's thread goes round. It is removed where a session ends in order; whatever else becomes of the
//! process, the file stays and grows old, and who watches it cancels what the session left.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use mainspring_core::{Error, Result};

use crate::clock::WallClock;
use crate::engine::Pulse;

/// Between two renewals: leases are of seconds.
const EVERY: Duration = Duration::from_millis(200);

/// Between two looks at the end.
const NAP: Duration = Duration::from_millis(20);

/// How the session ended, as far as it did.
#[derive(Debug, Default)]
pub(crate) struct End {
    over: AtomicBool,
    in_order: AtomicBool,
}

impl End {
    /// It is over; in order when nothing of it is left at a venue, or what is left is to stay.
    pub(crate) fn set(&self, in_order: bool) {
        self.in_order.store(in_order, Ordering::Release);
        self.over.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

pub(crate) struct Heartbeat {
    pub(crate) path: PathBuf,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) clock: WallClock,
    /// The kernel's thread has to have gone round within so long.
    pub(crate) stuck_ns: i64,
    pub(crate) end: Arc<End>,
}

impl Heartbeat {
    /// Gives the first sign of life: before anything can leave, so that nothing is left unwatched.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn begin(&self) -> Result<()> {
        let written = File::create(&self.path)
            .and_then(|mut file| writeln!(file, "process {}", std::process::id()));
        written.map_err(|e| Error::from(e).at(self.path.display().to_string()))
    }

    pub(crate) fn run(self) {
        let mut file = None;
        while !self.end.is_over() {
            if self.kernel_lives() {
                file = self.renew(file);
            }
            let mut left = EVERY;
            while !left.is_zero() && !self.end.is_over() {
                thread::sleep(NAP);
                left = left.saturating_sub(NAP);
            }
        }
        if self.end.in_order.load(Ordering::Acquire) {
            // What cannot be removed grows old: then there is nothing left to cancel.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn kernel_lives(&self) -> bool {
        let beat_ns = self.pulse.beat_ns.load(Ordering::Acquire);
        beat_ns > 0 && self.clock.now_ns() - beat_ns < self.stuck_ns
    }

    /// Gives the file the time of now. One that cannot be renewed grows old, which is what it is for.
    fn renew(&self, file: Option<File>) -> Option<File> {
        let file = file.or_else(|| File::options().append(true).open(&self.path).ok())?;
        file.set_modified(SystemTime::now()).ok()?;
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(path: &std::path::Path, pulse: &Arc<Pulse>, end: &Arc<End>) -> Heartbeat {
        Heartbeat {
            path: path.to_owned(),
            pulse: Arc::clone(pulse),
            clock: WallClock::new(),
            stuck_ns: 50_000_000,
            end: Arc::clone(end),
        }
    }

    /// Waits for something for as long as it takes.
    fn until(what: impl Fn() -> bool) {
        let begun = std::time::Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it never came");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn it_is_renewed_while_the_kernel_lives_and_removed_at_an_end_in_order() {
        let path = std::env::temp_dir().join(format!("heartbeat-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (pulse, end) = (Arc::new(Pulse::default()), Arc::new(End::default()));
        let one = heartbeat(&path, &pulse, &end);
        assert!(!one.kernel_lives(), "it has not gone round yet");
        let clock = WallClock::new();
        pulse.beat_ns.store(clock.now_ns() + 60_000_000_000, Ordering::Release);
        one.begin().unwrap();
        let thread = thread::spawn(move || one.run());
        let first = std::fs::metadata(&path).unwrap().modified().unwrap();
        until(|| std::fs::metadata(&path).unwrap().modified().unwrap() > first);
        end.set(true);
        thread.join().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn it_stays_where_a_session_ended_otherwise() {
        let path = std::env::temp_dir().join(format!("heartbeat-left-{}", std::process::id()));
        let (pulse, end) = (Arc::new(Pulse::default()), Arc::new(End::default()));
        pulse.beat_ns.store(WallClock::new().now_ns() + 60_000_000_000, Ordering::Release);
        let one = heartbeat(&path, &pulse, &end);
        one.begin().unwrap();
        let thread = thread::spawn(move || one.run());
        end.set(false);
        thread.join().unwrap();
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
    }
}
