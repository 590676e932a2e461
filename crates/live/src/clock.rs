//! The clock of a session: nanoseconds of the Unix epoch that never go back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mainspring_core::TimeNs;

/// Wall time as it was when the session began, carried on by the monotonic clock: a step of the
/// system's clock moves nothing here.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    begin_ns: TimeNs,
    since: Instant,
}

impl WallClock {
    /// A clock that agrees with the system's now.
    #[must_use]
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begin_ns: wall.as_nanos() as TimeNs, since: Instant::now() }
    }

    /// Now.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> TimeNs {
        self.begin_ns + self.since.elapsed().as_nanos() as TimeNs
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}
