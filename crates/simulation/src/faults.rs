//! The faults that a simulation can fire.

use serde::Serialize;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fault {
    /// The process is killed and started again.
    Kill,
    /// The last records were not wholly written when the process was killed.
    TornWrite,
    /// The disk takes no more.
    DiskFull,
    /// A write takes long.
    SlowDisk,
    /// A request never reaches the venue.
    LostRequest,
    /// A statement of the venue never reaches us.
    LostReport,
    /// A statement comes late, behind others.
    LateReport,
    /// A statement comes twice.
    DoubledReport,
    /// The venue refuses an order.
    Refusal,
    /// The venue refuses for too many requests.
    RateLimit,
    /// The connection breaks.
    Disconnect,
    /// The feed misses messages.
    FeedGap,
    /// The computer's clock jumps.
    ClockStep,
    /// An order that nobody here placed is open at the venue.
    ForeignOrder,
    /// The venue refuses one of several requests that came together.
    PartlyRefusedBatch,
    /// The answer to several requests never reaches us.
    LostBatch,
    /// The answer to several requests comes twice.
    DoubledBatch,
    /// The venue answers no question for a while.
    SilentVenue,
    /// A person halts trading, and lifts that again.
    Halt,
    /// The session is ended in order, and started again.
    End,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Kill,
        Self::TornWrite,
        Self::DiskFull,
        Self::SlowDisk,
        Self::LostRequest,
        Self::LostReport,
        Self::LateReport,
        Self::DoubledReport,
        Self::Refusal,
        Self::RateLimit,
        Self::Disconnect,
        Self::FeedGap,
        Self::ClockStep,
        Self::ForeignOrder,
        Self::PartlyRefusedBatch,
        Self::LostBatch,
        Self::DoubledBatch,
        Self::SilentVenue,
        Self::Halt,
        Self::End,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::TornWrite => "torn_write",
            Self::DiskFull => "disk_full",
            Self::SlowDisk => "slow_disk",
            Self::LostRequest => "lost_request",
            Self::LostReport => "lost_report",
            Self::LateReport => "late_report",
            Self::DoubledReport => "doubled_report",
            Self::Refusal => "refusal",
            Self::RateLimit => "rate_limit",
            Self::Disconnect => "disconnect",
            Self::FeedGap => "feed_gap",
            Self::ClockStep => "clock_step",
            Self::ForeignOrder => "foreign_order",
            Self::PartlyRefusedBatch => "partly_refused_batch",
            Self::LostBatch => "lost_batch",
            Self::DoubledBatch => "doubled_batch",
            Self::SilentVenue => "silent_venue",
            Self::Halt => "halt",
            Self::End => "end",
        }
    }
}

/// How often each fault fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts([u64; Fault::ALL.len()]);

impl FaultCounts {
    pub(crate) const fn fire(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often this one fired.
    #[must_use]
    pub const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

impl Serialize for FaultCounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Fault::ALL.iter().map(|fault| (fault.name(), self.of(*fault))))
    }
}
