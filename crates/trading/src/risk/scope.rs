//! One branch of the tree at work: what is left of each of its limits.

use mainspring_core::{Decimal, Money, TimeNs};
use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::kind::{LimitKind, ScopeKind};
use super::limits::Limits;
use super::rate::RateWindow;

/// A bound that nothing reaches, with room for sums on either side.
pub(super) const NO_BOUND: i128 = i128::MAX / 4;

/// Open orders that nothing reaches.
const UNBOUNDED: i32 = i32::MAX / 2;

/// What the check reads of a branch: how much may still be added.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Room {
    /// Gross exposure, leverage included.
    pub(super) gross: i128,
    /// Net exposure towards each side; of a symbol its exposure and concentration.
    pub(super) net: [i128; 2],
    /// From when on the rates let one more pass.
    pub(super) free_ns: TimeNs,
    /// Orders.
    pub(super) open: i32,
    /// Bits of [`LimitKind`] that refuse whatever adds to a position.
    pub(super) blocked: u32,
}

/// What a branch remembers, restarts included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) orders: Option<RateWindow>,
    pub(super) cancels: Option<RateWindow>,
    pub(super) messages: Option<RateWindow>,
    pub(super) trades_today: u32,
    pub(super) losing_streak: u32,
    /// Worth at the last sample, and when the day began.
    pub(super) worth: Option<Money>,
    pub(super) worth_at_dawn: Option<Money>,
    pub(super) breaker: Option<Breaker>,
}

/// The bounds of a branch in the kernel's units.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) gross: i128,
    pub(super) net: i128,
    pub(super) open: i32,
    pub(super) trades: u32,
    pub(super) streak: u32,
    pub(super) loss: i128,
    /// Fractions of equity.
    pub(super) leverage: Option<Decimal>,
    pub(super) allocation: Option<Decimal>,
    pub(super) concentration: Option<Decimal>,
}

impl Bounds {
    /// Whether what was traded is bounded: trades of a day, losing trades in a row.
    #[inline]
    pub(super) const fn counts_trades(&self) -> bool {
        self.trades != u32::MAX || self.streak != u32::MAX
    }
}

/// A branch of the tree.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    pub(super) bounds: Bounds,
    pub(super) counters: Counters,
    /// Bounds from equity as of the last valuation.
    pub(super) leverage_bound: i128,
    pub(super) allocation_bound: i128,
    pub(super) concentration_bound: i128,
    /// Bits that are refused from outside: a halt, a rung of the ladder.
    pub(super) imposed: u32,
}

impl Scope {
    pub(super) fn new(kind: ScopeKind, limits: &Limits) -> Self {
        let money = |limit: Option<Decimal>| limit.map_or(NO_BOUND, quanta);
        let net = match kind {
            ScopeKind::Symbol => limits.max_symbol_exposure,
            _ => limits.max_net_exposure,
        };
        let count = |limit: Option<u32>| limit.unwrap_or(u32::MAX);
        Self {
            kind,
            bounds: Bounds {
                gross: money(limits.max_gross_exposure),
                net: money(net),
                open: limits.max_open_orders.map_or(UNBOUNDED, |n| n as i32),
                trades: count(limits.max_daily_trades),
                streak: count(limits.max_losing_streak),
                loss: money(limits.max_daily_loss),
                leverage: limits.max_leverage,
                allocation: limits.max_allocation,
                concentration: limits.max_concentration.filter(|_| kind == ScopeKind::Symbol),
            },
            counters: Counters {
                orders: limits.max_order_rate.map(RateWindow::new),
                cancels: limits.max_cancel_rate.map(RateWindow::new),
                messages: limits.max_message_rate.map(RateWindow::new),
                breaker: limits.breaker.map(Breaker::new),
                ..Counters::default()
            },
            leverage_bound: NO_BOUND,
            allocation_bound: NO_BOUND,
            concentration_bound: NO_BOUND,
            imposed: 0,
        }
    }

    /// Whether any of its limits needs values of positions.
    pub(super) fn values_positions(&self) -> bool {
        let bounds = &self.bounds;
        bounds.gross != NO_BOUND
            || bounds.net != NO_BOUND
            || bounds.leverage.is_some()
            || bounds.allocation.is_some()
            || bounds.concentration.is_some()
    }

    /// Whether open orders have to be counted.
    pub(super) fn bounds_open(&self) -> bool {
        self.bounds.open < UNBOUNDED
    }

    /// Whether requests and fills have to be counted.
    pub(super) fn counts(&self) -> bool {
        let c = &self.counters;
        c.orders.is_some() || c.cancels.is_some() || c.messages.is_some() || c.breaker.is_some()
    }

    /// What is remembered of `before`, as far as this branch still has a use for it.
    pub(super) fn take_over(&mut self, before: &Counters) {
        let kept = |new: &Option<RateWindow>, old: &Option<RateWindow>| match (new, old) {
            (Some(new), Some(old)) => Some(old.with_rate(new.rate())),
            (new, _) => new.clone(),
        };
        let ours = &mut self.counters;
        ours.orders = kept(&ours.orders, &before.orders);
        ours.cancels = kept(&ours.cancels, &before.cancels);
        ours.messages = kept(&ours.messages, &before.messages);
        ours.trades_today = before.trades_today;
        ours.losing_streak = before.losing_streak;
        ours.worth = before.worth;
        ours.worth_at_dawn = before.worth_at_dawn;
        if let (Some(new), Some(old)) = (&ours.breaker, &before.breaker) {
            if new.limits() == old.limits() {
                ours.breaker = Some(old.clone());
            }
        }
    }

    /// Lost since the day began.
    pub(super) fn lost(&self) -> i128 {
        match (self.counters.worth_at_dawn, self.counters.worth) {
            (Some(dawn), Some(worth)) => (dawn - worth).0,
            _ => 0,
        }
    }

    /// The bits of what refuses here by itself.
    pub(super) fn blocked(&self) -> u32 {
        let c = &self.counters;
        let bit = |on: bool, kind: LimitKind| if on { kind.bit() } else { 0 };
        self.imposed
            | bit(c.trades_today >= self.bounds.trades, LimitKind::DailyTrades)
            | bit(c.losing_streak >= self.bounds.streak, LimitKind::LosingStreak)
            | bit(self.lost() >= self.bounds.loss, LimitKind::DailyLoss)
            | bit(c.breaker.as_ref().is_some_and(Breaker::refuses), LimitKind::Breaker)
    }

    /// When its rates let one more pass.
    pub(super) fn free_ns(&self) -> TimeNs {
        let c = &self.counters;
        let windows = [&c.orders, &c.cancels, &c.messages];
        windows.into_iter().flatten().map(RateWindow::free_ns).max().unwrap_or(TimeNs::MIN)
    }

    /// The bound on gross exposure, and on net exposure towards either side.
    pub(super) fn exposure_bounds(&self) -> (i128, i128) {
        let gross = self.bounds.gross.min(self.leverage_bound);
        (gross, self.bounds.net.min(self.concentration_bound))
    }

    /// What is left while nothing is held or open.
    pub(super) fn room(&self) -> Room {
        let (gross, net) = self.exposure_bounds();
        Room {
            gross,
            net: [net; 2],
            free_ns: self.free_ns(),
            open: self.bounds.open,
            blocked: self.blocked(),
        }
    }

    /// Bounds that are fractions of equity, anew.
    pub(super) fn revalue(&mut self, equity: Money) {
        let share = |part: Option<Decimal>| part.map_or(NO_BOUND, |part| fraction(equity, part));
        self.leverage_bound = share(self.bounds.leverage);
        self.allocation_bound = share(self.bounds.allocation);
        self.concentration_bound = share(self.bounds.concentration);
    }

    /// A new day.
    pub(super) fn dawn(&mut self) {
        self.counters.trades_today = 0;
        self.counters.losing_streak = 0;
        self.counters.worth_at_dawn = self.counters.worth;
    }
}

/// A limit in money quanta, bounded so that sums of it fit.
pub(super) fn quanta(limit: Decimal) -> i128 {
    limit.to_scale(mainspring_core::money::MONEY_DECIMALS).unwrap_or(NO_BOUND).min(NO_BOUND)
}

/// A part of equity, nothing of what is not there.
fn fraction(equity: Money, part: Decimal) -> i128 {
    let whole = equity.0.max(0).checked_mul(i128::from(part.mantissa()));
    whole.map_or(NO_BOUND, |whole| whole / 10_i128.pow(u32::from(part.scale()))).min(NO_BOUND)
}
