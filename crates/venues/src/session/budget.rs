//! What may still be asked of a venue.

use std::collections::VecDeque;

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

/// What was used at one millisecond.
#[derive(Clone, Copy, Debug)]
struct Use {
    at_ms: i64,
    count: u32,
}

#[derive(Clone, Debug)]
struct Window {
    rule: Budget,
    /// Number of the window by the venue's clock, where windows do not slide.
    number: i64,
    used: u32,
    /// What makes up `used` in a window that slides; at most as many as its limit.
    uses: VecDeque<Use>,
}

/// The budgets of one venue: what we sent is counted, and corrected by what the venue says.
#[derive(Clone, Debug)]
pub struct Budgets {
    windows: Vec<Window>,
    reserve_percent: u32,
    blocked_until_ns: TimeNs,
    orders_blocked_until_ns: TimeNs,
}

impl Budgets {
    /// By the venue's table.
    #[must_use]
    pub fn new(rules: &[Budget], reserve_percent: u32) -> Self {
        Self {
            windows: rules.iter().map(Window::new).collect(),
            reserve_percent: reserve_percent.min(90),
            blocked_until_ns: 0,
            orders_blocked_until_ns: 0,
        }
    }

    /// The venue takes nothing until then.
    pub fn block(&mut self, until_ns: TimeNs) {
        self.blocked_until_ns = self.blocked_until_ns.max(until_ns);
    }

    /// The venue takes no new or changed orders until then, and everything else.
    pub fn block_orders(&mut self, until_ns: TimeNs) {
        self.orders_blocked_until_ns = self.orders_blocked_until_ns.max(until_ns);
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
        let orders = matches!(kind, Asked::Place | Asked::PlaceMany | Asked::Amend);
        if now_ns < self.blocked_until_ns || orders && now_ns < self.orders_blocked_until_ns {
            return false;
        }
        let reserve = if purpose == Purpose::Cancel { 0 } else { self.reserve_percent };
        self.roll(venue_ms);
        let fits = self.windows.iter().all(|window| {
            let asked = window.asked(kind, cost);
            asked == 0 || u64::from(window.used) + u64::from(asked) <= window.most(reserve)
        });
        if fits {
            for window in &mut self.windows {
                window.add(window.asked(kind, cost), venue_ms);
            }
        }
        fits
    }

    fn roll(&mut self, venue_ms: i64) {
        self.windows.iter_mut().for_each(|window| window.roll(venue_ms));
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
            window.add(used.saturating_sub(window.used), venue_ms);
        }
    }

    /// What is used of each budget, by name: used and limit.
    pub fn usage(&self) -> impl Iterator<Item = (&'static str, u32, u32)> + '_ {
        self.windows.iter().map(|window| (window.rule.name, window.used, window.rule.limit))
    }
}

impl Window {
    fn new(rule: &Budget) -> Self {
        let most = if rule.slides { rule.limit as usize } else { 0 };
        Self { rule: *rule, number: 0, used: 0, uses: VecDeque::with_capacity(most) }
    }

    fn roll(&mut self, venue_ms: i64) {
        let per_ms = self.rule.per_ms.max(1) as i64;
        if !self.rule.slides {
            let number = venue_ms.div_euclid(per_ms);
            if number != self.number {
                (self.number, self.used) = (number, 0);
            }
            return;
        }
        // A clock that was set back leaves uses in the future: they count for no longer than a window.
        let over = |one: &Use| (venue_ms - one.at_ms).abs() >= per_ms;
        while let Some(first) = self.uses.front().copied().filter(over) {
            self.used = self.used.saturating_sub(first.count);
            self.uses.pop_front();
        }
    }

    fn add(&mut self, count: u32, venue_ms: i64) {
        if count == 0 {
            return;
        }
        self.used = self.used.saturating_add(count);
        if !self.rule.slides {
            return;
        }
        let full = self.uses.len() >= self.rule.limit as usize;
        match self.uses.back_mut() {
            Some(last) if last.at_ms == venue_ms || full => {
                last.count = last.count.saturating_add(count);
            }
            _ => self.uses.push_back(Use { at_ms: venue_ms, count }),
        }
    }

    /// What may be used with a share kept back for cancels; none is where cancels do not count.
    fn most(&self, reserve_percent: u32) -> u64 {
        let reserve = if self.rule.counts == Counted::Lasting { 0 } else { reserve_percent };
        (u64::from(self.rule.limit) * u64::from(100 - reserve) / 100).max(1)
    }

    fn asked(&self, kind: Asked, cost: Cost) -> u32 {
        match self.rule.counts {
            Counted::Weight => cost.weight,
            Counted::Orders => cost.orders,
            Counted::Lasting => cost.lasting,
            Counted::Of(kinds) if kinds.contains(&kind) => cost.orders.max(1),
            Counted::Of(_) => 0,
        }
    }

    /// Whether the answer to such a request tells of this budget.
    fn is_told_by(&self, kind: Asked) -> bool {
        let counted = match self.rule.counts {
            Counted::Of(kinds) => kinds.contains(&kind),
            Counted::Weight | Counted::Orders | Counted::Lasting => true,
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
            slides: false,
            header: "X-USED",
            header_is_left: false,
            counts: Counted::Weight,
        },
        Budget {
            name: "orders",
            limit: 10,
            per_ms: 10_000,
            slides: false,
            header: "",
            header_is_left: false,
            counts: Counted::Orders,
        },
        Budget {
            name: "cancels",
            limit: 6,
            per_ms: 10_000,
            slides: false,
            header: "",
            header_is_left: false,
            counts: Counted::Of(&[Asked::Cancel]),
        },
    ];

    const ORDER: (Asked, Cost) = (Asked::Place, Cost::of(1, 1));
    const CANCEL: (Asked, Cost) = (Asked::Cancel, Cost::of(1, 0));

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

    #[test]
    fn a_window_that_slides_is_free_when_what_was_used_is_old_enough() {
        let rule = Budget {
            name: "lasting orders",
            limit: 3,
            per_ms: 1_000,
            slides: true,
            header: "",
            header_is_left: false,
            counts: Counted::Lasting,
        };
        let mut budgets = Budgets::new(&[rule], 20);
        let order = (Asked::Place, Cost { weight: 0, orders: 0, lasting: 1 });
        let mut may = |at_ms: i64| budgets.take(Purpose::Other, order, 0, at_ms);
        assert!(
            may(900) && may(900) && may(1_500),
            "no share is kept back for what does not count"
        );
        assert!(!may(1_899), "a second has not gone by since the first two");
        assert!(may(1_900) && may(1_901));
        assert!(!may(2_499) && may(2_500));
    }

    /// Bybit counts the second that has gone by, and of the others it is not known how they count: their
    /// limits hold in any span as long as a window.
    #[test]
    fn limits_of_venues_hold_over_the_turn_of_a_window() {
        for name in ["okx", "okx_spot", "bybit", "bybit_spot", "hyperliquid", "dydx"] {
            let venue = crate::table::open(name, &crate::table::Opening::default()).unwrap();
            for rule in venue.rules().budgets {
                let kind = match rule.counts {
                    Counted::Of(kinds) => kinds[0],
                    _ => Asked::Place,
                };
                let one = (kind, Cost { weight: 1, orders: 1, lasting: 1 });
                let mut budgets = Budgets::new(&[*rule], 0);
                let turn_ms = 1_000_000 * rule.per_ms as i64;
                let mut sent_at = |at_ms| {
                    (0..=rule.limit)
                        .filter(|_| budgets.take(Purpose::Cancel, one, 0, at_ms))
                        .count()
                };
                let (before, after) = (sent_at(turn_ms - 1), sent_at(turn_ms));
                assert_eq!((before, after), (rule.limit as usize, 0), "{name}: {}", rule.name);
                assert_eq!(sent_at(turn_ms - 1 + rule.per_ms as i64), before, "{name}");
            }
        }
    }

    #[test]
    fn a_block_of_orders_lets_everything_else_go() {
        let mut budgets = Budgets::new(RULES, 20);
        budgets.block_orders(50);
        assert!(!budgets.take(Purpose::Other, ORDER, 49, 0));
        assert!(budgets.take(Purpose::Cancel, CANCEL, 49, 0));
        assert!(budgets.take(Purpose::Other, (Asked::Query, Cost::of(1, 0)), 49, 0));
        assert!(budgets.take(Purpose::Other, ORDER, 50, 0));
    }
}
