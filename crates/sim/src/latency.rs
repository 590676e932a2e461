//! Latency of requests: decision, entry and response, each a pure function of its inputs.
//!
//! No model keeps a random state: an empirical sample is chosen by hashing the seed with the
//! request's sequence number, so a run does not depend on how often anybody asked.

use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::order::VenueRequestKind;
use mainspring_core::units::{DurationNs, TimeNs};
use serde::{Deserialize, Serialize};

/// Which kind of request a latency belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A new order.
    New,
    /// A cancel.
    Cancel,
    /// An amend.
    Amend,
}

impl RequestKind {
    /// The kind of a request.
    #[must_use]
    pub const fn of(request: &VenueRequestKind) -> Self {
        match request {
            VenueRequestKind::New(_) => Self::New,
            VenueRequestKind::Cancel { .. } => Self::Cancel,
            VenueRequestKind::Amend { .. } => Self::Amend,
        }
    }
}

/// What becomes of a request on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// It reaches the venue after this long.
    Arrives(DurationNs),
    /// It is lost to overload; we learn of the refusal this long after sending it.
    Rejected(DurationNs),
}

impl Leg {
    /// A signed latency: a negative one is the time until the refusal arrives.
    #[must_use]
    pub const fn from_signed(latency_ns: DurationNs) -> Self {
        if latency_ns < 0 {
            Self::Rejected(-latency_ns)
        } else {
            Self::Arrives(latency_ns)
        }
    }
}

/// One observed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// When it was sent.
    #[serde(rename = "req")]
    pub req_ns: TimeNs,
    /// When the venue handled it; zero or less says that the venue refused it.
    #[serde(rename = "exch")]
    pub exch_ns: TimeNs,
    /// When the answer was here.
    #[serde(rename = "resp")]
    pub resp_ns: TimeNs,
}

/// Entry and response latency of one kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// From us to the venue's matching.
    pub entry_ns: DurationNs,
    /// From the venue's matching back to us.
    pub response_ns: DurationNs,
}

/// A feed latency turned into an order latency: `feed * factor + offset`, not under `min_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedScale {
    /// Multiplies the last feed latency.
    pub factor: f64,
    /// Is added to it.
    #[serde(default)]
    pub offset_ns: DurationNs,
    /// The least latency.
    #[serde(default)]
    pub min_ns: DurationNs,
}

impl FeedScale {
    fn of(&self, feed_ns: DurationNs) -> DurationNs {
        let scaled = (feed_ns as f64 * self.factor) as DurationNs;
        scaled.saturating_add(self.offset_ns).max(self.min_ns).max(0)
    }
}

/// Where the latency of a request comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyModel {
    /// The same every time, by kind of request. A negative entry refuses every such request.
    Constant {
        /// Of new orders.
        new: Constant,
        /// Of cancels; like new orders when left out.
        #[serde(default)]
        cancel: Option<Constant>,
        /// Of amends; like new orders when left out.
        #[serde(default)]
        amend: Option<Constant>,
    },
    /// Interpolated between observed requests, flat outside them.
    Table(LatencyTable),
    /// One of the observed round trips, chosen by seed and sequence number.
    Empirical {
        /// Observations, at least one.
        samples: Vec<Constant>,
        /// Chooses the stream of choices.
        seed: u64,
    },
    /// In proportion to the last feed latency, which rises when the venue is busy.
    FeedScaled {
        /// From us to the venue.
        entry: FeedScale,
        /// From the venue to us.
        response: FeedScale,
    },
}

impl Default for LatencyModel {
    fn default() -> Self {
        Self::Constant { new: Constant::default(), cancel: None, amend: None }
    }
}

impl LatencyModel {
    /// The same entry and response for every request.
    #[must_use]
    pub const fn constant(entry_ns: DurationNs, response_ns: DurationNs) -> Self {
        Self::Constant { new: Constant { entry_ns, response_ns }, cancel: None, amend: None }
    }

    /// Checks that the model can be used.
    ///
    /// # Errors
    /// Names the first part that is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, format!("latency: {what}")));
        match self {
            Self::Constant { new, cancel, amend } => {
                let all = [Some(new), cancel.as_ref(), amend.as_ref()];
                if all.iter().flatten().any(|leg| leg.response_ns < 0) {
                    return wrong("a response_ns is negative; an answer cannot be early".into());
                }
            }
            Self::Table(_) => {}
            Self::Empirical { samples, .. } => {
                if samples.is_empty() {
                    return wrong("empirical needs at least one sample".into());
                }
                if let Some(at) = samples.iter().position(|sample| sample.response_ns < 0) {
                    return wrong(format!("sample {at} has a negative response_ns"));
                }
            }
            Self::FeedScaled { entry, response } => {
                if !(entry.factor.is_finite() && response.factor.is_finite()) {
                    return wrong("feed_scaled needs finite factors".into());
                }
            }
        }
        Ok(())
    }

    /// Whether it depends on what the feed brought last.
    #[must_use]
    pub const fn follows_feed(&self) -> bool {
        matches!(self, Self::FeedScaled { .. })
    }

    /// The way of a request to the venue. `last_feed_latency_ns` is that of the newest row known
    /// when it was sent, `sequence` its number in the run.
    #[inline]
    #[must_use]
    pub fn entry_ns(
        &mut self,
        sent_ns: TimeNs,
        kind: RequestKind,
        last_feed_latency_ns: DurationNs,
        sequence: u64,
    ) -> Leg {
        if let Self::Constant { .. } = self {
            return Leg::from_signed(self.constant_of(kind).entry_ns);
        }
        self.entry_by_model(sent_ns, last_feed_latency_ns, sequence)
    }

    fn entry_by_model(
        &mut self,
        sent_ns: TimeNs,
        last_feed_latency_ns: DurationNs,
        sequence: u64,
    ) -> Leg {
        Leg::from_signed(match self {
            Self::Constant { new, .. } => new.entry_ns,
            Self::Table(table) => table.entry_ns(sent_ns),
            Self::Empirical { samples, seed } => choose(samples, *seed, sequence).entry_ns,
            Self::FeedScaled { entry, .. } => entry.of(last_feed_latency_ns),
        })
    }

    /// The way of an answer to us. `exch_ns` is when the venue gave it.
    #[inline]
    #[must_use]
    pub fn response_ns(
        &mut self,
        exch_ns: TimeNs,
        kind: RequestKind,
        last_feed_latency_ns: DurationNs,
        sequence: u64,
    ) -> DurationNs {
        if let Self::Constant { .. } = self {
            return self.constant_of(kind).response_ns;
        }
        self.response_by_model(exch_ns, last_feed_latency_ns, sequence)
    }

    fn response_by_model(
        &mut self,
        exch_ns: TimeNs,
        last_feed_latency_ns: DurationNs,
        sequence: u64,
    ) -> DurationNs {
        match self {
            Self::Constant { new, .. } => new.response_ns,
            Self::Table(table) => table.response_ns(exch_ns),
            Self::Empirical { samples, seed } => choose(samples, *seed, sequence).response_ns,
            Self::FeedScaled { response, .. } => response.of(last_feed_latency_ns),
        }
    }

    #[inline]
    fn constant_of(&self, kind: RequestKind) -> Constant {
        let Self::Constant { new, cancel, amend } = self else { return Constant::default() };
        match kind {
            RequestKind::New => *new,
            RequestKind::Cancel => cancel.unwrap_or(*new),
            RequestKind::Amend => amend.unwrap_or(*new),
        }
    }
}

/// Observed requests, in order of sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TableText", into = "TableText")]
pub struct LatencyTable {
    rows: Vec<LatencyRow>,
    /// Those that the venue handled.
    served: Vec<LatencyRow>,
}

#[derive(Serialize, Deserialize)]
struct TableText {
    rows: Vec<LatencyRow>,
}

impl TryFrom<TableText> for LatencyTable {
    type Error = Error;

    fn try_from(text: TableText) -> Result<Self> {
        Self::new(text.rows)
    }
}

impl From<LatencyTable> for TableText {
    fn from(table: LatencyTable) -> Self {
        Self { rows: table.rows }
    }
}

impl LatencyTable {
    /// A table of these observations.
    ///
    /// # Errors
    /// When there are none, their times do not grow, or a leg is negative.
    pub fn new(rows: Vec<LatencyRow>) -> Result<Self> {
        let served: Vec<LatencyRow> = rows.iter().filter(|row| row.exch_ns > 0).copied().collect();
        if served.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "latency: the table needs a row that the venue handled (exch above 0)",
            ));
        }
        let wrong = |row: &LatencyRow, what: &str| {
            let at = row.req_ns;
            Err(Error::new(ErrorKind::Config, format!("latency: the row sent at {at} {what}")))
        };
        if let Some(pair) = rows.windows(2).find(|pair| pair[1].req_ns <= pair[0].req_ns) {
            return wrong(&pair[1], "is not sent after the one in front of it");
        }
        if let Some(pair) = served.windows(2).find(|pair| pair[1].exch_ns < pair[0].exch_ns) {
            return wrong(&pair[1], "was handled before the one in front of it");
        }
        for row in &rows {
            let handled = row.exch_ns > 0;
            let early = handled && (row.exch_ns < row.req_ns || row.resp_ns < row.exch_ns);
            if early || row.resp_ns < row.req_ns {
                return wrong(row, "has a negative leg; correct its clock offset first");
            }
        }
        Ok(Self { rows, served })
    }

    /// Entry latency: linear in the sending time between two rows, flat outside. Beside a refused
    /// row it is minus the interpolated time until the refusal arrived.
    #[must_use]
    pub fn entry_ns(&self, sent_ns: TimeNs) -> DurationNs {
        let after = self.rows.partition_point(|row| row.req_ns <= sent_ns);
        let (Some(row), Some(next)) = (self.rows[..after].last(), self.rows.get(after)) else {
            let edge = if after == 0 { &self.rows[0] } else { &self.rows[after - 1] };
            let refused = edge.exch_ns <= 0;
            return if refused { edge.req_ns - edge.resp_ns } else { edge.exch_ns - edge.req_ns };
        };
        if row.exch_ns <= 0 || next.exch_ns <= 0 {
            let (from, to) = (row.resp_ns - row.req_ns, next.resp_ns - next.req_ns);
            return -interpolate(sent_ns, (row.req_ns, from), (next.req_ns, to));
        }
        let (from, to) = (row.exch_ns - row.req_ns, next.exch_ns - next.req_ns);
        interpolate(sent_ns, (row.req_ns, from), (next.req_ns, to))
    }

    /// Response latency: linear in the venue's time between two rows, flat outside. Refused rows
    /// do not count.
    #[must_use]
    pub fn response_ns(&self, exch_ns: TimeNs) -> DurationNs {
        let after = self.served.partition_point(|row| row.exch_ns <= exch_ns);
        let leg = |row: &LatencyRow| row.resp_ns - row.exch_ns;
        match (self.served[..after].last(), self.served.get(after)) {
            (Some(row), Some(next)) => {
                interpolate(exch_ns, (row.exch_ns, leg(row)), (next.exch_ns, leg(next)))
            }
            (Some(row), None) | (None, Some(row)) => leg(row),
            (None, None) => 0,
        }
    }
}

/// The line through two points, truncated to a whole number as its way from the first.
fn interpolate(x: i64, (x1, y1): (i64, i64), (x2, y2): (i64, i64)) -> i64 {
    let slope = (y2 - y1) as f64 / (x2 - x1) as f64;
    (slope * (x - x1) as f64) as i64 + y1
}

fn choose(samples: &[Constant], seed: u64, sequence: u64) -> Constant {
    if samples.is_empty() {
        return Constant::default();
    }
    let draw = u128::from(mix(seed, sequence));
    // The high half of a product spreads a 64-bit draw evenly over any count.
    samples[((draw * samples.len() as u128) >> 64) as usize]
}

/// A hash of seed and sequence number with good bits everywhere (SplitMix64's finaliser,
/// Steele, Lea and Flood 2014).
#[must_use]
pub const fn mix(seed: u64, sequence: u64) -> u64 {
    let mut z = seed ^ sequence.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
