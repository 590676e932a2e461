//! Faults on demand: what can go wrong between a client and a venue.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How often things go wrong. Shares are of one; all zero by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Median time added to every answer, in milliseconds.
    pub latency_ms: f64,
    /// Standard deviation of its logarithm.
    pub latency_log_sd: f64,
    /// Requests that are refused with 429 before they do anything.
    pub too_many_requests: f64,
    /// Requests that are refused with 418.
    pub banned: f64,
    /// Requests that fail with 503 before they do anything.
    pub server_error: f64,
    /// Requests that are carried out, but answered with 503 and code -1007.
    pub unknown_outcome: f64,
    /// Market messages that are left out.
    pub gap: f64,
    /// Market messages that are sent twice.
    pub duplicate: f64,
    /// Market messages that come after the one behind them.
    pub reorder: f64,
    /// Limit orders of members that find half of what was there taken by somebody else.
    pub partial_fill: f64,
    /// Market messages after which the connection is cut.
    pub disconnect: f64,
    /// What the venue's clock is ahead of ours, in milliseconds.
    pub clock_skew_ms: i64,
    /// All requests are answered with 503: maintenance.
    pub maintenance: bool,
    /// Members are not told what becomes of their orders: they have to ask.
    pub user_gap: bool,
}

/// Longest delay that a draw may come to.
const MAX_DELAY_MS: f64 = 600_000.0;

/// Draws for faults (Steele's SplitMix64): the same seed, the same sequence of faults.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this share happens now.
    pub fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.uniform() < share
    }

    /// A log-normal delay in milliseconds.
    pub fn delay_ms(&mut self, median: f64, log_sd: f64) -> f64 {
        if median.is_nan() || median <= 0.0 {
            return 0.0;
        }
        // Box and Muller (1958), the cosine branch.
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        (median * (log_sd * normal).exp()).min(MAX_DELAY_MS)
    }
}

/// What happens to a request instead of, or after, being carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestFault {
    /// 429.
    TooManyRequests,
    /// 418.
    Banned,
    /// 503, nothing was done.
    ServerError,
    /// 503 with -1007, it was done.
    UnknownOutcome,
}

impl RequestFault {
    /// Whether the request is carried out all the same.
    #[must_use]
    pub const fn is_carried_out(self) -> bool {
        matches!(self, Self::UnknownOutcome)
    }
}

/// A fault of the next requests about orders: placing, changing and cancelling them, whichever way they
/// come. What is not about orders goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What happens.
    pub fault: RequestFault,
    /// To how many.
    pub count: u32,
}

/// Most requests that faults may be planned for.
const MAX_PLANNED: u32 = 1_000_000;

/// Faults that are planned, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan(VecDeque<Planned>);

impl Plan {
    /// Plans a fault, behind those that are planned.
    pub fn add(&mut self, planned: Planned) {
        let room = MAX_PLANNED.saturating_sub(self.left());
        let count = planned.count.min(room);
        if count > 0 {
            self.0.push_back(Planned { count, ..planned });
        }
    }

    /// Forgets what is planned.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many requests are still to suffer.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.0.iter().map(|planned| planned.count).sum()
    }

    /// The fault of the next request about orders.
    pub fn take(&mut self) -> Option<RequestFault> {
        let first = self.0.front_mut()?;
        let fault = first.fault;
        first.count -= 1;
        if first.count == 0 {
            self.0.pop_front();
        }
        Some(fault)
    }
}

impl Faults {
    /// Whether any request is to suffer.
    #[must_use]
    pub fn touch_requests(&self) -> bool {
        self.maintenance
            || [
                self.latency_ms,
                self.too_many_requests,
                self.banned,
                self.server_error,
                self.unknown_outcome,
            ]
            .iter()
            .any(|share| *share > 0.0)
    }

    /// The fault of the next request, if any.
    pub fn of_request(&self, dice: &mut Dice) -> Option<RequestFault> {
        if self.maintenance || dice.happens(self.server_error) {
            return Some(RequestFault::ServerError);
        }
        [
            (self.too_many_requests, RequestFault::TooManyRequests),
            (self.banned, RequestFault::Banned),
            (self.unknown_outcome, RequestFault::UnknownOutcome),
        ]
        .into_iter()
        .find_map(|(share, fault)| dice.happens(share).then_some(fault))
    }
}
