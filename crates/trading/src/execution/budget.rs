//! Rate budgets: how many requests, orders and cancels a venue may still be sent.
//!
//! A bucket keeps a promise that token buckets usually break: at most `limit` in *any* window. Its
//! burst and what flows in during one window together make the limit, so that a burst at the end
//! of a window and one at the start of the next are both inside it. Time is logical and given with
//! each call; the arithmetic is in whole numbers, so that a run repeats exactly.

use mainspring_core::{DurationNs, Error, ErrorKind, Result, TimeNs};
use serde::{Deserialize, Serialize};

/// Largest limit of a bucket, and longest window: a day.
const MAX_LIMIT: u32 = 10_000_000;
const MAX_WINDOW_NS: DurationNs = 86_400_000_000_000;

/// At most so many in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many.
    pub limit: u32,
    /// In how long.
    pub window_ns: DurationNs,
    /// How many of them at once; half of them where absent.
    #[serde(default)]
    pub burst: Option<u32>,
}

/// Limits of a venue; absent ones do not bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Everything that is sent: orders, cancels, amends, questions.
    pub requests: Option<RateLimit>,
    /// New orders and amends.
    pub orders: Option<RateLimit>,
    /// Cancels.
    pub cancels: Option<RateLimit>,
    /// Share of the burst that orders and amends leave to cancels and questions, in basis points.
    pub cancel_reserve_bps: u32,
    /// Most new orders, or cancels, of one request where the venue takes several at once: those of one
    /// moment in one instrument share requests. Orders and cancels themselves are counted each.
    pub batch: u32,
}

/// Largest batch.
const MAX_BATCH: u32 = 1_000;

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { requests: None, orders: None, cancels: None, cancel_reserve_bps: 2_000, batch: 1 }
    }
}

/// What a budget is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charge {
    /// A new order.
    Place,
    /// A change of an order.
    Amend,
    /// A cancel.
    Cancel,
    /// A question to the venue.
    Query,
}

impl Charge {
    /// Whether it goes before orders: it lowers risk, or tells where we stand.
    #[inline]
    #[must_use]
    pub const fn has_priority(self) -> bool {
        matches!(self, Self::Cancel | Self::Query)
    }
}

/// One bucket. A token is worth a window's length of credit, so that credit grows by the inflow
/// each nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    window_ns: DurationNs,
    burst: u32,
    inflow: u32,
    /// Never above the burst; below zero when something had to be sent without asking.
    credit: i128,
    at_ns: TimeNs,
}

impl Bucket {
    fn new(limit: &RateLimit) -> Result<Self> {
        let burst = limit.burst.unwrap_or_else(|| (limit.limit / 2).max(1));
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if !(1..=MAX_LIMIT).contains(&limit.limit) {
            return wrong(format!("a rate limit of {}; give 1 to {MAX_LIMIT}", limit.limit));
        }
        if !(1..=MAX_WINDOW_NS).contains(&limit.window_ns) {
            return wrong(format!(
                "a rate window of {} ns; give more than zero and at most a day",
                limit.window_ns
            ));
        }
        if !(1..=limit.limit).contains(&burst) || (burst == limit.limit && limit.limit > 1) {
            return wrong(format!(
                "a burst of {burst} of a limit of {}; give at least 1 and leave some for the rest \
                 of the window",
                limit.limit
            ));
        }
        // A limit of one has no room for both: one at once, and the next a window later.
        let inflow = (limit.limit - burst).max(1);
        let full = i128::from(burst) * i128::from(limit.window_ns);
        Ok(Self { window_ns: limit.window_ns, burst, inflow, credit: full, at_ns: TimeNs::MIN })
    }

    fn token(&self) -> i128 {
        i128::from(self.window_ns)
    }

    fn credit_at(&self, now_ns: TimeNs) -> i128 {
        let passed = i128::from(now_ns) - i128::from(self.at_ns);
        let grown = self.credit + passed.max(0) * i128::from(self.inflow);
        grown.min(i128::from(self.burst) * self.token())
    }

    fn take(&mut self, now_ns: TimeNs) {
        self.credit = self.credit_at(now_ns) - self.token();
        self.at_ns = self.at_ns.max(now_ns);
    }

    /// The credit that a charge needs to find: its own token, and the reserve when it is not one
    /// of those that the reserve is for.
    fn needed(&self, reserve_bps: u32) -> i128 {
        let reserved = i128::from(self.burst) * i128::from(reserve_bps) / 10_000;
        (reserved + 1).min(i128::from(self.burst)) * self.token()
    }

    fn ready_ns(&self, needed: i128, now_ns: TimeNs) -> TimeNs {
        let missing = needed - self.credit_at(now_ns);
        if missing <= 0 {
            return now_ns;
        }
        let inflow = i128::from(self.inflow);
        let wait = (missing + inflow - 1) / inflow;
        now_ns.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX))
    }
}

/// The budget of one venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateBudget {
    requests: Option<Bucket>,
    orders: Option<Bucket>,
    cancels: Option<Bucket>,
    reserve_bps: u32,
    #[serde(default = "alone")]
    batch: u32,
    /// The request that more of the same still fits into.
    #[serde(default)]
    open: Option<OpenBatch>,
}

const fn alone() -> u32 {
    1
}

/// Requests of one moment that are not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenBatch {
    /// Only what belongs together shares a request.
    group: u16,
    at_ns: TimeNs,
    /// Room for new orders and for cancels.
    left: [u32; 2],
}

/// Which request of a moment a charge can go with; `None` for those that go alone.
const fn kind(charge: Charge) -> Option<usize> {
    match charge {
        Charge::Place => Some(0),
        Charge::Cancel => Some(1),
        Charge::Amend | Charge::Query => None,
    }
}

impl RateBudget {
    /// A full budget.
    ///
    /// # Errors
    /// When a limit, window or burst is not positive or too large, or the reserve is not below the
    /// whole.
    pub fn new(config: &BudgetConfig) -> Result<Self> {
        if config.cancel_reserve_bps >= 10_000 {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "a reserve of {} basis points for cancels leaves nothing for orders",
                    config.cancel_reserve_bps
                ),
            ));
        }
        if !(1..=MAX_BATCH).contains(&config.batch) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a batch of {} requests; give 1 to {MAX_BATCH}", config.batch),
            ));
        }
        let bucket = |limit: &Option<RateLimit>| limit.as_ref().map(Bucket::new).transpose();
        Ok(Self {
            requests: bucket(&config.requests)?,
            orders: bucket(&config.orders)?,
            cancels: bucket(&config.cancels)?,
            reserve_bps: config.cancel_reserve_bps,
            batch: config.batch,
            open: None,
        })
    }

    /// The same for what belongs to a group, an instrument: a request that is open for another does not
    /// take it.
    #[must_use]
    pub fn of_group(mut self, group: u16) -> Self {
        match &mut self.open {
            Some(open) if open.group == group => {}
            Some(open) => (open.group, open.left) = (group, [0; 2]),
            None if self.batch > 1 => {
                self.open = Some(OpenBatch { group, at_ns: TimeNs::MIN, left: [0; 2] });
            }
            None => {}
        }
        self
    }

    /// How many of `charge` go with a request that was charged already.
    fn room(&self, charge: Charge, now_ns: TimeNs) -> u32 {
        match (kind(charge), &self.open) {
            (Some(kind), Some(open)) if open.at_ns == now_ns => open.left[kind],
            _ => 0,
        }
    }

    /// Notes what the requests of this moment still have room for.
    fn note_batch(&mut self, charge: Charge, joins: bool, now_ns: TimeNs) {
        let (Some(kind), Some(open)) = (kind(charge), &mut self.open) else { return };
        if open.at_ns != now_ns {
            (open.at_ns, open.left) = (now_ns, [0; 2]);
        }
        open.left[kind] = if joins { open.left[kind] - 1 } else { self.batch - 1 };
    }

    /// Whether `charge` fits now.
    #[must_use]
    pub fn affords(&self, charge: Charge, now_ns: TimeNs) -> bool {
        self.ready_ns(charge, now_ns) <= now_ns
    }

    /// When `charge` fits, if nothing else is charged before; `now_ns` when it does now.
    #[must_use]
    pub fn ready_ns(&self, charge: Charge, now_ns: TimeNs) -> TimeNs {
        // Own buckets have no reserve: cancels do not compete for them.
        let reserve_bps = if charge.has_priority() { 0 } else { self.reserve_bps };
        let shared = self.requests.as_ref().filter(|_| self.room(charge, now_ns) == 0);
        let shared = shared.map(|b| b.ready_ns(b.needed(reserve_bps), now_ns));
        let own = self.own(charge).map(|b| b.ready_ns(b.needed(0), now_ns));
        shared.unwrap_or(now_ns).max(own.unwrap_or(now_ns))
    }

    /// Notes that it was sent, whether it fitted or not: what has to go out goes, and what is
    /// owed has to flow in before anything else fits.
    pub fn charge(&mut self, charge: Charge, now_ns: TimeNs) {
        let joins = self.room(charge, now_ns) > 0;
        if let Some(bucket) = self.requests.as_mut().filter(|_| !joins) {
            bucket.take(now_ns);
        }
        self.note_batch(charge, joins, now_ns);
        let own = match charge {
            Charge::Place | Charge::Amend => &mut self.orders,
            Charge::Cancel => &mut self.cancels,
            Charge::Query => &mut None,
        };
        if let Some(bucket) = own {
            bucket.take(now_ns);
        }
    }

    /// Notes `charge` if it fits; whether it did.
    pub fn take(&mut self, charge: Charge, now_ns: TimeNs) -> bool {
        let fits = self.affords(charge, now_ns);
        if fits {
            self.charge(charge, now_ns);
        }
        fits
    }

    /// Whether it is bound by the limits of `other`, whatever was charged to either.
    #[must_use]
    pub fn has_limits_of(&self, other: &Self) -> bool {
        let same = |a: &Option<Bucket>, b: &Option<Bucket>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                (a.window_ns, a.burst, a.inflow) == (b.window_ns, b.burst, b.inflow)
            }
            _ => false,
        };
        same(&self.requests, &other.requests)
            && same(&self.orders, &other.orders)
            && same(&self.cancels, &other.cancels)
            && (self.reserve_bps, self.batch) == (other.reserve_bps, other.batch)
    }

    /// Takes everything that is left: after a restart nobody knows what was sent just before.
    pub fn empty(&mut self, now_ns: TimeNs) {
        let buckets = [&mut self.requests, &mut self.orders, &mut self.cancels];
        for bucket in buckets.into_iter().flatten() {
            bucket.credit = bucket.credit_at(now_ns).min(0);
            bucket.at_ns = bucket.at_ns.max(now_ns);
        }
    }

    /// How many of `charge` fit at once now; `None` when nothing binds.
    #[must_use]
    pub fn left(&self, charge: Charge, now_ns: TimeNs) -> Option<u32> {
        let reserve_bps = if charge.has_priority() { 0 } else { self.reserve_bps };
        let count = |bucket: &Bucket, reserve_bps: u32| {
            let spare = bucket.credit_at(now_ns) - bucket.needed(reserve_bps);
            if spare < 0 {
                0
            } else {
                u32::try_from(spare / bucket.token() + 1).unwrap_or(u32::MAX)
            }
        };
        let each = if kind(charge).is_some() && self.open.is_some() { self.batch } else { 1 };
        let room = self.room(charge, now_ns);
        let shared = self.requests.as_ref().map(|b| count(b, reserve_bps));
        let shared = shared.map(|requests| requests.saturating_mul(each).saturating_add(room));
        let own = self.own(charge).map(|b| count(b, 0));
        match (shared, own) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    const fn own(&self, charge: Charge) -> Option<&Bucket> {
        match charge {
            Charge::Place | Charge::Amend => self.orders.as_ref(),
            Charge::Cancel => self.cancels.as_ref(),
            Charge::Query => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(limit: u32, window_ns: i64, burst: Option<u32>) -> RateLimit {
        RateLimit { limit, window_ns, burst }
    }

    fn budget(requests: RateLimit, reserve_bps: u32) -> RateBudget {
        RateBudget::new(&BudgetConfig {
            requests: Some(requests),
            cancel_reserve_bps: reserve_bps,
            ..BudgetConfig::default()
        })
        .unwrap()
    }

    /// Twenty requests in a second in batches of five, against orders that come twelve at a time.
    #[test]
    fn orders_and_cancels_of_a_moment_share_requests_by_the_venues_batch() {
        let config = BudgetConfig {
            requests: Some(limit(8, 1_000, Some(4))),
            orders: Some(limit(40, 1_000, Some(20))),
            cancel_reserve_bps: 0,
            batch: 5,
            ..BudgetConfig::default()
        };
        let mut budget = RateBudget::new(&config).unwrap().of_group(3);
        let taken = |budget: &mut RateBudget, charge, now| {
            let left = budget.left(charge, now).unwrap();
            let taken = (0..50).filter(|_| budget.take(charge, now)).count();
            assert_eq!(taken, left as usize, "{charge:?}");
            taken
        };
        assert_eq!((0..12).filter(|_| budget.take(Charge::Place, 0)).count(), 12);
        // Three requests went, the third has room for three more orders, none for cancels.
        assert_eq!(budget.left(Charge::Place, 0), Some(8), "three and another request's five");
        assert_eq!(taken(&mut budget, Charge::Cancel, 0), 5);
        assert_eq!(taken(&mut budget, Charge::Place, 0), 3);
        // A request that was sent is not joined later, nor by another instrument.
        let mut later = budget;
        assert!(!later.affords(Charge::Place, 1));
        let mut other = RateBudget::new(&config).unwrap().of_group(3);
        assert!(other.take(Charge::Place, 0));
        let before = other.left(Charge::Query, 0);
        other = other.of_group(4);
        assert!(other.take(Charge::Place, 0));
        assert_eq!(other.left(Charge::Query, 0), before.map(|left| left - 1));
        assert!(later.take(Charge::Amend, 10_000), "changes go alone");
        // Orders themselves are counted one by one.
        let few = BudgetConfig { orders: Some(limit(6, 1_000, Some(3))), ..config };
        let mut few = RateBudget::new(&few).unwrap().of_group(0);
        assert_eq!(taken(&mut few, Charge::Place, 0), 3);
        assert!(RateBudget::new(&BudgetConfig { batch: 0, ..config }).is_err());
    }

    fn any_charge() -> impl Strategy<Value = Charge> {
        prop_oneof![
            Just(Charge::Place),
            Just(Charge::Amend),
            Just(Charge::Cancel),
            Just(Charge::Query)
        ]
    }

    proptest! {
        /// The promise, against a list of everything that was sent.
        #[test]
        fn no_window_holds_more_than_its_limit(
            sizes in (2_u32..12, 2_u32..9, 2_u32..9),
            bursts in (1_u32..12, 1_u32..9, 1_u32..9),
            asked in prop::collection::vec((any_charge(), 0_i64..40), 1..200),
            reserve_bps in 0_u32..9_000,
        ) {
            const WINDOW: i64 = 100;
            let of = |n: u32, burst: u32| Some(limit(n, WINDOW, Some(burst.min(n - 1))));
            let config = BudgetConfig {
                requests: of(sizes.0, bursts.0), orders: of(sizes.1, bursts.1),
                cancels: of(sizes.2, bursts.2), cancel_reserve_bps: reserve_bps, batch: 1,
            };
            let mut budget = RateBudget::new(&config).unwrap();
            let mut sent: Vec<(i64, Charge)> = Vec::new();
            let mut now = 1_000;
            for (charge, wait) in asked {
                now += wait;
                let left = budget.left(charge, now);
                let fits = budget.take(charge, now);
                prop_assert_eq!(fits, left.is_none_or(|n| n > 0));
                if fits {
                    sent.push((now, charge));
                } else {
                    let ready = budget.ready_ns(charge, now);
                    prop_assert!(!budget.affords(charge, ready - 1) && budget.affords(charge, ready));
                }
                let recent = || sent.iter().filter(|(at, _)| now - at < WINDOW);
                let orders = recent().filter(|(_, c)| matches!(c, Charge::Place | Charge::Amend));
                let cancels = recent().filter(|(_, c)| *c == Charge::Cancel);
                prop_assert!(recent().count() <= sizes.0 as usize);
                prop_assert!(orders.count() <= sizes.1 as usize);
                prop_assert!(cancels.count() <= sizes.2 as usize);
            }
        }

        /// A snapshot in the middle changes nothing.
        #[test]
        fn an_image_goes_on_as_the_budget_would(
            asked in prop::collection::vec((any_charge(), 0_i64..40), 1..60), cut in 0_usize..60,
        ) {
            let mut one = budget(limit(6, 100, None), 2_000);
            let mut other = one;
            let mut now = 0;
            for (i, (charge, wait)) in asked.into_iter().enumerate() {
                now += wait;
                if i == cut {
                    let text = serde_json::to_string(&other).unwrap();
                    other = serde_json::from_str(&text).unwrap();
                }
                prop_assert_eq!(one.take(charge, now), other.take(charge, now));
            }
        }
    }

    #[test]
    fn orders_leave_the_reserve_to_cancels() {
        let mut budget = budget(limit(20, 1_000, Some(10)), 3_000);
        let placed = (0..20).filter(|_| budget.take(Charge::Place, 0)).count();
        let cancelled = (0..20).filter(|_| budget.take(Charge::Cancel, 0)).count();
        assert_eq!((placed, cancelled), (7, 3));
    }

    #[test]
    fn what_had_to_be_sent_is_owed() {
        let mut budget = budget(limit(4, 1_000, Some(2)), 0);
        for _ in 0..6 {
            budget.charge(Charge::Cancel, 0);
        }
        assert_eq!(budget.left(Charge::Cancel, 0), Some(0));
        assert_eq!(budget.ready_ns(Charge::Place, 0), 2_500, "five tokens at two a window");
    }

    #[test]
    fn an_emptied_budget_fills_again() {
        let mut budget = budget(limit(4, 1_000, Some(2)), 0);
        budget.empty(5_000);
        assert_eq!(budget.left(Charge::Place, 5_000), Some(0));
        assert_eq!(budget.ready_ns(Charge::Place, 5_000), 5_500);
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let refused = |limit: RateLimit| {
            let config = BudgetConfig { orders: Some(limit), ..BudgetConfig::default() };
            RateBudget::new(&config).unwrap_err().kind() == ErrorKind::Config
        };
        assert!(refused(limit(0, 1, None)) && refused(limit(5, 0, None)));
        assert!(refused(limit(5, 1, Some(0))) && refused(limit(5, 1, Some(6))));
        assert!(refused(limit(5, 1, Some(5))), "a second burst would come in the same window");
        assert!(refused(limit(5, MAX_WINDOW_NS + 1, None)));
        let whole = BudgetConfig { cancel_reserve_bps: 10_000, ..BudgetConfig::default() };
        assert!(RateBudget::new(&whole).is_err());
        let mut one = budget(limit(1, 1_000, None), 0);
        assert!(one.take(Charge::Place, 0) && !one.take(Charge::Place, 999));
        assert!(one.take(Charge::Place, 1_000), "a window later");
        assert_eq!(RateBudget::new(&BudgetConfig::default()).unwrap().left(Charge::Place, 0), None);
    }
}
