//! What a kernel has besides when its venues are outside.

use std::collections::VecDeque;

use hashbrown::HashTable;
use mainspring_core::limits::MAX_OPEN_ORDERS;
use mainspring_core::{
    DurationNs, Error, ErrorKind, InstrumentId, Request, Result, TimeNs, VenueRequest,
};
use mainspring_trading::orders::OrderIds;
use serde::{Deserialize, Serialize};

use crate::kernel::{Timer, REMEMBERED_IN_SESSIONS};

use super::changed::{Changed, Started};
use super::foreign::FIRST_ADOPTED;
use super::rollout::Rollout;

/// Requests that may wait to be taken by the egress.
const MAX_REQUESTS: usize = 4_096;

/// Fills are asked for from so long before the last complete answer: clocks differ, and statements
/// overtake each other. What was booked is known by its id.
const FILLS_AGAIN_NS: i64 = 60_000_000_000;

/// Trade ids remembered, so that a fill which is told twice is booked once.
const REMEMBERED_TRADES: usize = 16_384;

/// Orders of others that are remembered as told.
const TOLD_FOREIGN: usize = 1_024;

/// Orders whose id at the venue is remembered: live ones, and ended ones that are remembered.
pub(crate) const REMEMBERED_NAMES: usize = MAX_OPEN_ORDERS + REMEMBERED_IN_SESSIONS;

/// How long answers are waited for, and how often a venue is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patience {
    /// An order that is not acknowledged for so long is asked about.
    pub creation_ns: DurationNs,
    /// A cancel or amend that is not answered for so long is asked about.
    pub cancel_ns: DurationNs,
    /// The first wait for the answer to a question; each further one is twice as long.
    pub query_ns: DurationNs,
    /// After so many questions without an answer the order is reported as stuck. It is asked about
    /// for as long as it lives, at the longest wait.
    pub max_queries: u32,
    /// How often a connected venue is asked for fills, open orders and positions.
    pub reconcile_ns: DurationNs,
    /// Whether trading is halted when an order is stuck, or a position differs from the venue's.
    pub halt_on_venue_issue: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            creation_ns: 10_000_000_000,
            cancel_ns: 5_000_000_000,
            query_ns: 1_000_000_000,
            max_queries: 5,
            reconcile_ns: 15_000_000_000,
            halt_on_venue_issue: false,
        }
    }
}

impl Patience {
    /// The wait after question number `attempt`, from 0.
    #[must_use]
    pub fn query_wait_ns(&self, attempt: u32) -> DurationNs {
        self.query_ns << attempt.min(self.max_queries).min(16)
    }

    /// Checks that every wait is positive.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn validate(&self) -> Result<()> {
        let waits = [
            ("creation_ns", self.creation_ns),
            ("cancel_ns", self.cancel_ns),
            ("query_ns", self.query_ns),
            ("reconcile_ns", self.reconcile_ns),
        ];
        match waits.into_iter().find(|(_, wait)| *wait <= 0) {
            Some((name, wait)) => Err(Error::new(
                ErrorKind::Config,
                format!("{name} is {wait}; a wait for an answer must be positive"),
            )),
            None => Ok(()),
        }
    }
}

/// What to do with an open order at a venue that this engine did not place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ForeignOrders {
    /// Report it and leave it.
    #[default]
    Report,
    /// Report it and cancel it.
    Cancel,
    /// Make it one of ours: it counts in limits, can be cancelled, and its fills are booked.
    Adopt {
        /// The strategy that owns what is adopted.
        #[serde(default = "account")]
        owner: String,
    },
}

/// The usual owner of adopted orders: a strategy of this name that does nothing by itself.
pub const ACCOUNT: &str = "account";

fn account() -> String {
    ACCOUNT.to_owned()
}

/// A venue as a session knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueLink {
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub up: bool,
    /// Exchange time of the last fill that it told.
    pub last_fill_ns: TimeNs,
    /// When we asked the question whose answer was the last complete one.
    pub reconciled_ns: TimeNs,
    /// How often it was connected.
    pub connections: u32,
}

/// Ids of fills that were booked: bounded, the oldest forgotten first.
#[derive(Clone, Debug)]
pub(crate) struct SeenTrades {
    capacity: usize,
    order: VecDeque<(u16, u64)>,
    known: HashTable<(u16, u64)>,
}

impl SeenTrades {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            order: VecDeque::with_capacity(capacity),
            known: HashTable::with_capacity(capacity + 1),
        }
    }

    /// Whether a fill is known. Id 0 is never known.
    pub(crate) fn has(&self, instrument: InstrumentId, trade_id: u64) -> bool {
        let key = (instrument.0, trade_id);
        trade_id != 0 && self.known.find(mix(key), |known| *known == key).is_some()
    }

    /// Notes a fill; false when it was known. Id 0 is never known.
    pub(crate) fn note(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        let key = (instrument.0, trade_id);
        if trade_id == 0 {
            return true;
        }
        if self.known.find(mix(key), |known| *known == key).is_some() {
            return false;
        }
        if self.order.len() == self.capacity {
            self.forget_oldest();
        }
        self.known.insert_unique(mix(key), key, |key| mix(*key));
        self.order.push_back(key);
        true
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.remove(oldest);
        }
    }

    /// Takes a fill back that was noted just now, and was not booked after all.
    pub(crate) fn forget_newest(&mut self, instrument: InstrumentId, trade_id: u64) {
        let key = (instrument.0, trade_id);
        if self.order.back() == Some(&key) {
            self.order.pop_back();
            self.remove(key);
        }
    }

    fn remove(&mut self, key: (u16, u64)) {
        if let Ok(entry) = self.known.find_entry(mix(key), |known| *known == key) {
            entry.remove();
        }
    }

    pub(crate) fn list(&self) -> Vec<(u16, u64)> {
        self.order.iter().copied().collect()
    }

    pub(crate) fn of(list: &[(u16, u64)]) -> Self {
        let mut seen = Self::new(REMEMBERED_TRADES);
        for (instrument, trade_id) in list {
            seen.note(InstrumentId(*instrument), *trade_id);
        }
        seen
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014): the same on every run.
const fn mix((instrument, trade_id): (u16, u64)) -> u64 {
    let mut z = (trade_id ^ (instrument as u64) << 48).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What strategies asked for while a journal was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Logical time.
    pub time_ns: TimeNs,
    /// The wishes as the journal writes them.
    pub bytes: Vec<u8>,
}

/// What a kernel has besides when its venues are outside.
pub(crate) struct Outside {
    pub(crate) patience: Patience,
    pub(crate) foreign: ForeignOrders,
    pub(crate) links: Vec<VenueLink>,
    /// Venue of each instrument.
    pub(crate) venue_of: Vec<u16>,
    pub(crate) seen: SeenTrades,
    /// The venues' own ids of our orders.
    pub(crate) ids: OrderIds,
    /// The id that the next adopted order gets.
    pub(crate) next_adopted: u64,
    /// When the session began, over all its lives.
    pub(crate) begun_ns: TimeNs,
    /// Whether the last answer about an instrument's position was another than ours.
    pub(crate) differs: Vec<bool>,
    /// Orders of others that were told of in this life.
    pub(crate) told_foreign: SeenTrades,
    /// Whether the kernel repeats a journal: it decides nothing, it applies what was decided.
    pub(crate) following: bool,
    /// Whether the strategies here decide for a session that knows them by name only.
    pub(crate) elsewhere: bool,
    /// Whether the venues are simulated in this kernel: nothing is asked of anybody outside.
    pub(crate) inside: bool,
    /// What it was started with, and what commands changed since.
    pub(crate) started: Started,
    pub(crate) changed: Changed,
    /// Versions of strategies that share a size.
    pub(crate) rollouts: Vec<Rollout>,
    /// Why the last command was not carried out.
    pub(crate) refused: Option<String>,
    /// Whether what strategies ask for while following is kept, to be compared.
    pub(crate) keep_followed: bool,
    pub(crate) followed: Vec<Followed>,
    /// Strategies that failed while following.
    pub(crate) failures: Vec<(u16, String)>,
    /// Waits that were over at the last input of a journal that is followed, and of which it has not
    /// said yet what came.
    pub(crate) expected: Vec<(TimeNs, Timer)>,
    requests: Vec<Request>,
}

impl Outside {
    pub(crate) fn new(started: Started, venues: &[String], venue_of: Vec<u16>) -> Self {
        let link = |name: &String| VenueLink {
            name: name.clone(),
            up: false,
            last_fill_ns: 0,
            reconciled_ns: 0,
            connections: 0,
        };
        Self {
            patience: started.patience,
            foreign: started.foreign.clone(),
            started,
            changed: Changed::default(),
            rollouts: Vec::new(),
            refused: None,
            links: venues.iter().map(link).collect(),
            differs: vec![false; venue_of.len()],
            venue_of,
            seen: SeenTrades::new(REMEMBERED_TRADES),
            ids: OrderIds::new(REMEMBERED_NAMES),
            next_adopted: FIRST_ADOPTED,
            begun_ns: TimeNs::MIN,
            told_foreign: SeenTrades::new(TOLD_FOREIGN),
            following: false,
            elsewhere: false,
            inside: false,
            keep_followed: false,
            followed: Vec::new(),
            failures: Vec::new(),
            expected: Vec::new(),
            requests: Vec::with_capacity(MAX_REQUESTS),
        }
    }

    /// Puts a request where the egress takes it.
    #[inline]
    pub(crate) fn send(&mut self, request: VenueRequest) -> Result<()> {
        self.push(Request::Order(request))
    }

    /// Puts anything for a venue where the egress takes it.
    pub(crate) fn push(&mut self, request: Request) -> Result<()> {
        if self.following {
            return Ok(());
        }
        if self.requests.len() == MAX_REQUESTS {
            return Err(Error::new(
                ErrorKind::Capacity,
                format!("more than {MAX_REQUESTS} requests wait to be sent"),
            ));
        }
        self.requests.push(request);
        Ok(())
    }

    /// Moves what waits to `into`.
    pub(crate) fn take_requests(&mut self, into: &mut Vec<Request>) {
        into.append(&mut self.requests);
    }

    /// From when on a venue is asked for fills.
    pub(crate) fn since_ns(&self, venue: u16) -> TimeNs {
        let link = self.links.get(usize::from(venue));
        link.map_or(0, |link| link.reconciled_ns.saturating_sub(FILLS_AGAIN_NS).max(0))
    }

    /// Notes whether a position differs; whether it did at the answer before, too.
    pub(crate) fn differed(&mut self, instrument: InstrumentId, differs: bool) -> bool {
        let Some(before) = self.differs.get_mut(instrument.index()) else { return false };
        std::mem::replace(before, differs)
    }

    /// What a venue answers from now on is on another connection: nothing differs yet.
    pub(crate) fn forget_differences(&mut self, venue: u16) {
        for (differs, at) in self.differs.iter_mut().zip(&self.venue_of) {
            *differs &= *at != venue;
        }
    }

    /// Whether a position at this venue was another at its last answer.
    pub(crate) fn any_differs(&self, venue: u16) -> bool {
        self.differs.iter().zip(&self.venue_of).any(|(differs, at)| *differs && *at == venue)
    }

    /// Venue of an instrument.
    pub(crate) fn venue(&self, instrument: InstrumentId) -> u16 {
        self.venue_of.get(instrument.index()).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fill_is_known_until_newer_ones_push_it_out() {
        let mut seen = SeenTrades::new(REMEMBERED_TRADES);
        assert!(seen.note(InstrumentId(0), 7));
        assert!(!seen.note(InstrumentId(0), 7));
        assert!(seen.note(InstrumentId(1), 7), "ids are a venue's own per instrument");
        assert!(seen.note(InstrumentId(0), 0) && seen.note(InstrumentId(0), 0), "0 is no id");
        for id in 100..100 + REMEMBERED_TRADES as u64 {
            assert!(seen.note(InstrumentId(0), id));
        }
        assert!(seen.note(InstrumentId(0), 7), "forgotten by then");
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let patience = Patience::default();
        let waits: Vec<_> = (0..8).map(|n| patience.query_wait_ns(n) / 1_000_000_000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32]);
    }
}
