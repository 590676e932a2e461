//! What may still be asked of a venue.

use mainspring_core::TimeNs;

use crate::operation::Asked;
use crate::outgoing::{Cost, Reply};
use crate::rules::{Budget, Counted};

/// What a request is for: cancels have the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Takes risk off: may use all there is.
    Cancel,
    /// Asks or adds risk: leaves the reserve.
    Other,
}

#[derive(Clone, Debug)]
struct Window {
    rule: Budget,
    /// Number of the window by the venue's clock.
    number: i64,
    used: u32,
}

/// The budgets of one venue: what we sent is counted, and corrected by what the venue says.
#[derive(Clone, Debug)]
pub struct Budgets {
    windows: Vec<Window>,
    reserve_percent: u32,
    blocked_until_ns: TimeNs,
}

impl Budgets {
    /// By the venue's table.
    #[must_use]
    pub fn new(rules: &[Budget], reserve_percent: u32) -> Self {
        let window = |rule: &Budget| Window { rule: *rule, number: 0, used: 0 };
        Self {
            windows: rules.iter().map(window).collect(),
            reserve_percent: reserve_percent.min(90),
            blocked_until_ns: 0,
        }
    }

    /// The venue takes nothing until then.
    pub fn block(&mut self, until_ns: TimeNs) {
        self.blocked_until_ns = self.blocked_until_ns.max(until_ns);
    }

    /// Until when the venue takes nothing.
    #[must_use]
    pub const fn blocked_until_ns(&self) -> TimeNs {
        self.blocked_until_ns
    }

    /// Whether a request may go; it is counted when it may.
    pub fn take(
        &mut self,
        purpose: Purpose,
        (kind, cost): (Asked, Cost),
        now_ns: TimeNs,
        venue_ms: i64,
    ) -> bool {
        if now_ns < self.blocked_until_ns {
            return false;
        }
        let reserve = if purpose == Purpose::Cancel { 0 } else { self.reserve_percent };
        self.roll(venue_ms);
        let fits = self.windows.iter().all(|window| {
            let most = u64::from(window.rule.limit) * u64::from(100 - reserve) / 100;
            let asked = window.asked(kind, cost);
            asked == 0 || u64::from(window.used) + u64::from(asked) <= most.max(1)
        });
        if fits {
            for window in &mut self.windows {
                window.used = window.used.saturating_add(window.asked(kind, cost));
            }
        }
        fits
    }

    fn roll(&mut self, venue_ms: i64) {
        for window in &mut self.windows {
            let number = venue_ms.div_euclid(window.rule.per_ms.max(1) as i64);
            if number != window.number {
                (window.number, window.used) = (number, 0);
            }
        }
    }

    /// Takes what an answer says of the budgets: the venue's count is the truth when it is higher.
    pub fn learn(&mut self, kind: Asked, reply: &Reply<'_>, venue_ms: i64) {
        self.roll(venue_ms);
        for window in self.windows.iter_mut().filter(|window| window.is_told_by(kind)) {
            let said = reply.header(window.rule.header).and_then(|text| text.trim().parse().ok());
            let Some(said): Option<u32> = said else { continue };
            let used = match window.rule.header_is_left {
                true => window.rule.limit.saturating_sub(said),
                false => said,
            };
            window.used = window.used.max(used);
        }
    }

    /// What is used of each budget, by name: used and limit.
    pub fn usage(&self) -> impl Iterator<Item = (&'static str, u32, u32)> + '_ {
        self.windows.iter().map(|window| (window.rule.name, window.used, window.rule.limit))
    }
}

impl Window {
    fn asked(&self, kind: Asked, cost: Cost) -> u32 {
        match self.rule.counts {
            Counted::Weight => cost.weight,
            Counted::Orders => cost.orders,
            Counted::Of(kinds) if kinds.contains(&kind) => cost.orders.max(1),
            Counted::Of(_) => 0,
        }
    }

    /// Whether the answer to such a request tells of this budget.
    fn is_told_by(&self, kind: Asked) -> bool {
        let counted = match self.rule.counts {
            Counted::Of(kinds) => kinds.contains(&kind),
            Counted::Weight | Counted::Orders => true,
        };
        counted && !self.rule.header.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Budget] = &[
        Budget {
            name: "request weight",
            limit: 100,
            per_ms: 60_000,
            header: "X-USED",
            header_is_left: false,
            counts: Counted::Weight,
        },
        Budget {
            name: "orders",
            limit: 10,
            per_ms: 10_000,
            header: "",
            header_is_left: false,
            counts: Counted::Orders,
        },
        Budget {
            name: "cancels",
            limit: 6,
            per_ms: 10_000,
            header: "",
            header_is_left: false,
            counts: Counted::Of(&[Asked::Cancel]),
        },
    ];

    const ORDER: (Asked, Cost) = (Asked::Place, Cost { weight: 1, orders: 1 });
    const CANCEL: (Asked, Cost) = (Asked::Cancel, Cost { weight: 1, orders: 0 });

    #[test]
    fn orders_leave_a_reserve_that_cancels_may_use() {
        let mut budgets = Budgets::new(RULES, 20);
        let sent = (0..20).filter(|_| budgets.take(Purpose::Other, ORDER, 0, 5)).count();
        assert_eq!(sent, 8, "a fifth of ten orders is kept back");
        assert!(budgets.take(Purpose::Other, ORDER, 0, 10_005), "the next ten seconds");
        let said = [("x-used", "95")];
        let reply = Reply { status: 200, headers: &said, body: b"" };
        budgets.learn(Asked::Place, &reply, 10_006);
        assert!(!budgets.take(Purpose::Other, ORDER, 0, 10_007));
        let cancels = (0..20).filter(|_| budgets.take(Purpose::Cancel, CANCEL, 0, 10_008)).count();
        assert_eq!(cancels, 5);
        assert!(budgets.take(Purpose::Other, ORDER, 0, 60_000), "the next minute");
    }

    #[test]
    fn a_block_stops_everything_until_it_ends() {
        let mut budgets = Budgets::new(RULES, 20);
        budgets.block(50);
        assert!(!budgets.take(Purpose::Cancel, CANCEL, 49, 0));
        assert!(budgets.take(Purpose::Cancel, CANCEL, 50, 0));
    }
}
