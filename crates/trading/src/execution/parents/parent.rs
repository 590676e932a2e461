//! One parent order: what it holds, and how it changes.

use mainspring_core::{ClientOrderId, DurationNs, Lots, Money, Side, Ticks, TimeNs};
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use super::terms::{AtEnd, CatchUp, ParentTerms, Style};
use crate::orders::{Order, OrderState};

/// Most children of one parent that may live at once.
pub const MAX_CHILDREN: usize = 8;

/// The longest time that taking the rest at the end may last: for a halted market, or a slow venue.
const CROSSING_NS: DurationNs = 60_000_000_000;

/// Refusals double the wait for the next child up to this power of two.
const MAX_DOUBLINGS: u32 = 6;

/// The engine's own id of a parent order: unique in a run, growing, never reused; zero for none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ParentId(pub u32);

impl ParentId {
    /// Ids from here on are given by strategies that run outside the kernel's thread.
    pub const FIRST_ELSEWHERE: Self = Self(1 << 31);

    /// Whether it was given outside the kernel's thread.
    #[must_use]
    pub const fn is_elsewhere(self) -> bool {
        self.0 >= Self::FIRST_ELSEWHERE.0
    }
}

/// How a parent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The whole quantity traded.
    Filled,
    /// It was cancelled.
    Cancelled,
    /// Its time was over before it was filled.
    Expired,
    /// Too many children in a row were refused.
    Failed,
}

/// Where a parent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentState {
    /// Its schedule is being followed.
    Working,
    /// Its clock runs and nothing is traded; resting children are cancelled.
    Paused,
    /// Its time is over and the rest is being taken.
    Crossing,
    /// It is over once its last children are.
    Closing(End),
    /// It is over.
    Ended(End),
}

impl ParentState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Crossing => "crossing",
            Self::Closing(_) => "closing",
            Self::Ended(End::Filled) => "filled",
            Self::Ended(End::Cancelled) => "cancelled",
            Self::Ended(End::Expired) => "expired",
            Self::Ended(End::Failed) => "failed",
        }
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// A live child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its order.
    pub order: ClientOrderId,
    /// What may still trade of it.
    pub open: Lots,
    /// Its limit price.
    pub price: Ticks,
    /// The slice it was made in, counted from 1.
    pub slice: u32,
    /// Whether it takes and never rests.
    pub takes: bool,
    /// Whether it is on its way out, or nobody knows what became of it.
    pub leaving: bool,
    /// When it was made.
    pub made_ns: TimeNs,
}

/// A parent order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its id.
    pub id: ParentId,
    /// Index of the strategy that owns it.
    pub strategy: u16,
    /// What was asked.
    pub terms: ParentTerms,
    /// Where it stands.
    pub state: ParentState,
    /// When it began.
    pub started_ns: TimeNs,
    /// When it was over; its planned end before that, `TimeNs::MAX` for none.
    pub end_ns: TimeNs,
    /// Slices that have begun.
    pub slice: u32,
    /// Slices that ended behind their schedule.
    pub missed: u32,
    /// What should have traded by the end of the slice, by schedule and catch-up policy.
    pub target: Lots,
    /// What should have traded before this slice.
    pub overdue: Lots,
    /// Volume of the market since the start.
    pub volume: Lots,
    /// What traded.
    pub filled: Lots,
    /// Sum of price x quantity of the fills, in ticks x lots.
    pub fill_value: i128,
    /// Fees of the fills.
    pub fees: Money,
    /// Children that may still trade, oldest first.
    pub children: Vec<Child>,
    /// Children made.
    pub made: u32,
    /// Refusals in a row.
    pub refusals: u32,
    /// No child is made before.
    pub wait_ns: TimeNs,
}

impl Parent {
    /// A parent that begins now, with its first slice.
    #[must_use]
    pub fn new(id: ParentId, strategy: u16, terms: ParentTerms, now_ns: TimeNs) -> Self {
        let end_ns = match terms.duration_ns {
            0 => TimeNs::MAX,
            duration => now_ns.saturating_add(duration),
        };
        let mut parent = Self {
            id,
            strategy,
            terms,
            state: ParentState::Working,
            started_ns: now_ns,
            end_ns,
            slice: 0,
            missed: 0,
            target: Lots::ZERO,
            overdue: Lots::ZERO,
            volume: Lots::ZERO,
            filled: Lots::ZERO,
            fill_value: 0,
            fees: Money::ZERO,
            children: Vec::with_capacity(MAX_CHILDREN),
            made: 0,
            refusals: 0,
            wait_ns: TimeNs::MIN,
        };
        match parent.terms.schedule {
            Schedule::Slices(_) => parent.begin_slice(),
            Schedule::Volume(_) => {}
            Schedule::Whole => parent.target = parent.terms.qty,
        }
        parent
    }

    /// What has not traded.
    #[must_use]
    pub fn remaining(&self) -> Lots {
        Lots((self.terms.qty - self.filled).0.max(0))
    }

    /// What its children may still trade.
    #[must_use]
    pub fn open(&self) -> Lots {
        self.children.iter().map(|child| child.open).sum()
    }

    /// Average price of the fills in ticks.
    #[must_use]
    pub fn average_price(&self) -> Option<f64> {
        (self.filled.0 > 0).then(|| self.fill_value as f64 / self.filled.0 as f64)
    }

    /// How much worse than the mid at the start the fills were, in basis points.
    #[must_use]
    pub fn slippage_bps(&self) -> Option<f64> {
        let arrival = self.terms.arrival_mid2.filter(|mid2| *mid2 != 0)? as f64 / 2.0;
        let sign = self.terms.side.sign() as f64;
        Some(1e4 * sign * (self.average_price()? - arrival) / arrival)
    }

    /// What should have traded by now according to the schedule alone.
    #[must_use]
    pub fn scheduled(&self) -> Lots {
        match &self.terms.schedule {
            Schedule::Slices(due) => match self.slice {
                0 => Lots::ZERO,
                slice => due[(slice as usize - 1).min(due.len() - 1)],
            },
            Schedule::Volume(_) | Schedule::Whole => self.due(),
        }
    }

    /// What should have traded by now, with what has to be caught up.
    #[must_use]
    pub fn due(&self) -> Lots {
        match self.terms.schedule {
            Schedule::Volume(rate) => self.terms.qty.min(rate.allowed(self.volume)),
            Schedule::Slices(_) | Schedule::Whole => self.target,
        }
    }

    /// When the slice with this number, counted from 0, begins.
    #[must_use]
    pub fn slice_start_ns(&self, slice: u32) -> TimeNs {
        let slices = self.terms.schedule.slices().max(1) as i128;
        let offset = i128::from(self.terms.duration_ns) * i128::from(slice) / slices;
        self.started_ns.saturating_add(offset as i64)
    }

    /// When the schedule next changes by itself: the next slice, the end, or the last moment for
    /// taking the rest.
    #[must_use]
    pub fn next_boundary_ns(&self) -> TimeNs {
        match self.state {
            ParentState::Ended(_) | ParentState::Closing(_) => TimeNs::MAX,
            ParentState::Crossing => self.end_ns.saturating_add(CROSSING_NS),
            _ if (self.slice as usize) < self.terms.schedule.slices() => {
                self.slice_start_ns(self.slice)
            }
            _ => self.end_ns,
        }
    }

    /// Time went on: slices that are due begin, and at its end the parent ends.
    pub fn advance(&mut self, now_ns: TimeNs) {
        while self.next_boundary_ns() <= now_ns {
            match self.state {
                ParentState::Crossing => self.state = ParentState::Closing(End::Expired),
                _ if self.next_boundary_ns() < self.end_ns => self.begin_slice(),
                _ => self.come_to_the_end(),
            }
        }
        self.end_if_done(now_ns);
    }

    /// The next slice: what it makes due follows from the schedule and from what was missed.
    fn begin_slice(&mut self) {
        let Schedule::Slices(due) = &self.terms.schedule else { return };
        let k = self.slice as usize;
        let before = if k == 0 { Lots::ZERO } else { due[k - 1] };
        let part = due[k] - before;
        self.missed += u32::from(k > 0 && self.filled < self.target);
        self.overdue = self.target;
        if self.refusals == 0 {
            // What was not there to take may be there now; a refusal waits its time.
            self.wait_ns = TimeNs::MIN;
        }
        let qty = self.terms.qty;
        self.target = match self.terms.catch_up {
            CatchUp::Next => due[k],
            CatchUp::Leave => qty.min(self.filled + part),
            CatchUp::Spread => {
                let rest = i128::from((qty - self.filled).0.max(0));
                let ahead = i128::from((qty - before).0.max(1));
                Lots(self.filled.0 + (rest * i128::from(part.0) / ahead) as i64)
            }
        };
        self.slice += 1;
    }

    fn come_to_the_end(&mut self) {
        self.missed += u32::from(self.terms.schedule.slices() > 0 && self.filled < self.target);
        let crosses = self.terms.at_end == AtEnd::Cross && self.state == ParentState::Working;
        self.state =
            if crosses { ParentState::Crossing } else { ParentState::Closing(End::Expired) };
        self.wait_ns = TimeNs::MIN;
    }

    fn end_if_done(&mut self, now_ns: TimeNs) {
        if self.state.is_over() || !self.children.is_empty() {
            return;
        }
        let end = match self.state {
            _ if self.filled >= self.terms.qty => End::Filled,
            ParentState::Closing(end) => end,
            _ => return,
        };
        self.state = ParentState::Ended(end);
        self.end_ns = now_ns;
    }

    /// Stops trading; the schedule goes on, and what it asks meanwhile is missed.
    pub fn pause(&mut self) {
        if self.state == ParentState::Working {
            self.state = ParentState::Paused;
        }
    }

    /// Trades again.
    pub fn resume(&mut self) {
        if self.state == ParentState::Paused {
            self.state = ParentState::Working;
        }
    }

    /// Ends the parent; what its children still trade counts.
    pub fn cancel(&mut self, now_ns: TimeNs) {
        if !matches!(self.state, ParentState::Closing(_) | ParentState::Ended(_)) {
            self.state = ParentState::Closing(End::Cancelled);
            self.end_if_done(now_ns);
        }
    }

    /// A child was made.
    pub fn child_made(&mut self, order: &Order) {
        self.made += 1;
        self.children.push(Child {
            order: order.id,
            open: order.fillable(),
            price: order.terms.price,
            slice: self.slice,
            takes: order.terms.time_in_force == mainspring_core::TimeInForce::Ioc,
            leaving: false,
            made_ns: order.created_ns,
        });
    }

    /// A child traded.
    pub fn child_filled(&mut self, price: Ticks, qty: Lots, fee: Money) {
        self.filled += qty;
        self.fill_value += i128::from(price.0) * i128::from(qty.0);
        self.fees += fee;
        self.refusals = 0;
    }

    /// A child is in another state. `missed_the_book` says that a refusal was that of a post-only
    /// order which would have taken: the price moved, nothing is wrong. Returns when to try again.
    pub fn child_moved(
        &mut self,
        order: &Order,
        missed_the_book: bool,
        now_ns: TimeNs,
    ) -> Option<TimeNs> {
        let at = self.children.iter().position(|child| child.order == order.id)?;
        if !order.is_terminal() {
            let child = &mut self.children[at];
            child.open = order.fillable();
            child.price = order.terms.price;
            child.leaving = matches!(order.state, OrderState::PendingCancel | OrderState::Unknown);
            return None;
        }
        let child = self.children.remove(at);
        let wake = self.wait_after(&child, order, missed_the_book, now_ns);
        self.end_if_done(now_ns);
        wake.filter(|_| !self.state.is_ending())
    }

    /// How long nothing is tried after a child ended without being filled.
    fn wait_after(
        &mut self,
        child: &Child,
        order: &Order,
        missed_the_book: bool,
        now_ns: TimeNs,
    ) -> Option<TimeNs> {
        let refused = matches!(order.state, OrderState::Rejected | OrderState::RiskRejected);
        if order.filled >= order.terms.qty || (child.leaving && !refused) {
            return None;
        }
        let mut doublings = 0;
        if refused && !missed_the_book {
            doublings = self.refusals.min(MAX_DOUBLINGS);
            self.refusals += 1;
        }
        if self.refusals >= self.terms.max_refusals && !self.state.is_ending() {
            self.state = ParentState::Closing(End::Failed);
        }
        self.wait_ns = now_ns.saturating_add(self.terms.retry_ns << doublings);
        Some(self.wait_ns)
    }

    /// Whether children of earlier slices give way to those of the present one.
    pub(super) const fn replaces_old_children(&self) -> bool {
        matches!(self.terms.style, Style::JoinThenTake)
            || !matches!(self.terms.catch_up, CatchUp::Next)
    }

    /// The worse of a price and the limit, for our side.
    pub(super) fn within_limit(&self, price: Ticks) -> Ticks {
        match (self.terms.limit, self.terms.side) {
            (None, _) => price,
            (Some(limit), Side::Buy) => price.min(limit),
            (Some(limit), Side::Sell) => price.max(limit),
        }
    }
}

impl ParentState {
    /// Whether nothing new is traded any more.
    const fn is_ending(self) -> bool {
        matches!(self, Self::Closing(_) | Self::Ended(_))
    }
}
