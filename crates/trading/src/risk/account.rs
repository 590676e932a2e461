//! What time, requests, fills and samples of the account change in the gate.

use mainspring_core::{DurationNs, InstrumentId, Money, Side, TimeNs};
use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerState};
use super::gate::Gate;
use super::halt::HaltCause;
use super::held::Held;
use super::kind::LimitKind;
use super::ladder::{fallen_bps, Ladder, Rung};
use super::limits::DAY_NS;
use super::scope::{Bounds, Room, Scope, NO_BOUND};
use super::slot::{BRANCHES, STRATEGY};

/// How long values of positions are believed before they are looked up again.
const REVALUE_NS: DurationNs = 1_000_000_000;

/// Breakers open at once that halt everything.
const CASCADE: usize = 3;

/// What the gate knows of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) peak: Option<Money>,
    pub(super) equity: Option<Money>,
    pub(super) rung: Rung,
    /// When the day ends.
    pub(super) dusk_ns: TimeNs,
}

impl Default for Account {
    fn default() -> Self {
        Self { peak: None, equity: None, rung: Rung::None, dusk_ns: TimeNs::MIN }
    }
}

/// A request that counts towards rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// A new order.
    Order,
    /// A cancel.
    Cancel,
    /// An amend.
    Amend,
}

/// What a sample of the account led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The rung of the ladder before.
    pub from: Rung,
    /// The rung now.
    pub rung: Rung,
    /// Fallen from the peak, in basis points.
    pub fallen_bps: i128,
    /// Why trading has to halt now, if it has to.
    pub halt: Option<HaltCause>,
}

impl Gate {
    /// Whether time alone has changed something: call [`Self::wake`] before the next check then.
    #[inline]
    #[must_use]
    pub const fn is_due(&self, now_ns: TimeNs) -> bool {
        now_ns >= self.wake_ns
    }

    /// Does what is due: a new day, hours, breakers, values of positions. `value` gives what a lot of
    /// an instrument is worth in the currency of the limits, where that is known.
    pub fn wake(
        &mut self,
        now_ns: TimeNs,
        equity: Option<Money>,
        value: &dyn Fn(InstrumentId) -> Option<i128>,
    ) {
        self.pass_time(now_ns);
        let mut next = self.account.dusk_ns;
        for (index, calendar) in self.calendars.iter().enumerate() {
            self.slots[index].blocked = calendar.blocked(now_ns);
            next = next.min(calendar.next_ns(now_ns));
        }
        if self.tracks_value {
            self.revalue(equity, value);
            next = next.min(now_ns.saturating_add(REVALUE_NS));
        }
        self.refresh_status();
        self.wake_ns = next.min(self.next_breaker_ns());
    }

    /// Values positions and open orders anew.
    fn revalue(&mut self, equity: Option<Money>, value: &dyn Fn(InstrumentId) -> Option<i128>) {
        for index in 0..self.instruments {
            let lots = self.slots.get(index).map_or(1, |slot| i128::from(slot.lots_cap));
            let most = SUMMABLE / lots;
            let unit = value(InstrumentId(index as u16)).filter(|u| (0..most).contains(u));
            self.units[index] = unit.unwrap_or(0);
            for slot in self.slots.iter_mut().skip(index).step_by(self.instruments.max(1)) {
                slot.blocked |= if unit.is_none() { LimitKind::Unvalued.bit() } else { 0 };
            }
        }
        let equity = equity.or(self.account.equity).unwrap_or(Money::ZERO);
        for scope in &mut self.scopes {
            scope.revalue(equity);
        }
        for slot in &mut self.slots {
            let bound = |n: usize| self.scopes[usize::from(slot.branches[n])].allocation_bound;
            let shared = (0..BRANCHES).filter(|n| *n != STRATEGY).map(bound).min();
            slot.order_value = [shared.unwrap_or(NO_BOUND), bound(STRATEGY)];
        }
        self.fill_rooms();
    }

    /// What is left everywhere, from positions and open orders.
    pub(super) fn fill_rooms(&mut self) {
        for (scope, room) in self.scopes.iter().zip(&mut self.rooms) {
            *room = scope.room();
        }
        self.look_for_refusals();
        for index in 0..self.slots.len() {
            let instrument = index % self.instruments;
            let unit = self.units[instrument];
            let first = index < self.instruments;
            let slot = &self.slots[index];
            for scope in slot.branches {
                self.rooms[usize::from(scope)].open -= self.own[index].orders;
            }
            for (branch, scope) in slot.valued() {
                let room = &mut self.rooms[scope];
                if branch == STRATEGY {
                    take(room, &self.own[index], unit);
                } else if first {
                    // What all strategies hold together counts once.
                    take(room, &self.net[instrument], unit);
                }
            }
        }
    }

    /// Rates, and what refuses by itself, everywhere.
    pub(super) fn refresh_status(&mut self) {
        for (scope, room) in self.scopes.iter().zip(&mut self.rooms) {
            (room.free_ns, room.blocked) = (scope.free_ns(), scope.blocked());
        }
        self.look_for_refusals();
    }

    /// Whether any branch refuses by itself, looked up anew.
    fn look_for_refusals(&mut self) {
        self.refuses = self.rooms.iter().any(|room| room.blocked != 0);
    }

    /// A new day, and breakers that have waited long enough.
    pub(super) fn pass_time(&mut self, now_ns: TimeNs) {
        if now_ns >= self.account.dusk_ns {
            let start = self.tree.day_start_ns;
            let days = (now_ns - start).div_euclid(DAY_NS);
            self.account.dusk_ns = (days + 1).saturating_mul(DAY_NS).saturating_add(start);
            self.scopes.iter_mut().for_each(Scope::dawn);
        }
        for scope in &mut self.scopes {
            if let Some(breaker) = &mut scope.counters.breaker {
                breaker.advance(now_ns);
            }
        }
    }

    fn next_breaker_ns(&self) -> TimeNs {
        let breakers = self.scopes.iter().filter_map(|scope| scope.counters.breaker.as_ref());
        breakers.map(Breaker::next_ns).min().unwrap_or(TimeNs::MAX)
    }

    /// A request left.
    #[inline]
    pub fn requested(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        what: Requested,
        now_ns: TimeNs,
    ) {
        if self.counts_requests {
            self.count_request(strategy, instrument, what, now_ns);
        }
    }

    fn count_request(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        what: Requested,
        now_ns: TimeNs,
    ) {
        for branch in self.branches(strategy, instrument) {
            let scope = &mut self.scopes[usize::from(branch)];
            let counters = &mut scope.counters;
            let own = match what {
                Requested::Order => counters.orders.as_mut(),
                Requested::Cancel => counters.cancels.as_mut(),
                Requested::Amend => None,
            };
            if let Some(window) = own {
                window.note(now_ns);
            }
            if let Some(window) = &mut counters.messages {
                window.note(now_ns);
            }
            if let (Requested::Order, Some(breaker)) = (what, &mut counters.breaker) {
                let waits = matches!(breaker.state(), BreakerState::Closed);
                breaker.sent(now_ns);
                if !waits {
                    let blocked = scope.blocked();
                    self.rooms[usize::from(branch)].blocked = blocked;
                    self.refuses |= blocked != 0;
                }
            }
            self.rooms[usize::from(branch)].free_ns = scope.free_ns();
        }
    }

    /// A fill: whether it was the first of its order, and what it realised.
    pub fn traded(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        first: bool,
        realised: Money,
        now_ns: TimeNs,
    ) -> Option<HaltCause> {
        self.pass_day(now_ns);
        if !first && realised == Money::ZERO {
            return None;
        }
        let (lost, won) = (realised < Money::ZERO, realised > Money::ZERO);
        for branch in self.branches(strategy, instrument) {
            let scope = &mut self.scopes[usize::from(branch)];
            let counters = &mut scope.counters;
            counters.trades_today += u32::from(first);
            let streak = counters.losing_streak.saturating_add(u32::from(lost));
            counters.losing_streak = if won { 0 } else { streak };
            // Nothing else that a branch refuses for has changed.
            if scope.bounds.counts_trades() {
                self.block(usize::from(branch));
            }
        }
        let global = &self.scopes[0];
        let streak = global.counters.losing_streak >= global.bounds.streak;
        (streak && self.halt.is_none()).then_some(HaltCause::LosingStreak)
    }

    #[inline]
    fn pass_day(&mut self, now_ns: TimeNs) {
        if now_ns >= self.account.dusk_ns {
            self.pass_time(now_ns);
            self.refresh_status();
        }
    }

    /// An order was refused by the venue, or something about it went wrong. The cause when so many
    /// breakers are open now that trading has to halt.
    pub fn failed(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        now_ns: TimeNs,
    ) -> Option<HaltCause> {
        self.tell_breakers(strategy, instrument, now_ns, |breaker| breaker.failed(now_ns))
    }

    /// An order was acknowledged after so long.
    pub fn answered(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        latency_ns: DurationNs,
        now_ns: TimeNs,
    ) -> Option<HaltCause> {
        self.tell_breakers(strategy, instrument, now_ns, |b| b.answered(now_ns, latency_ns))
    }

    fn tell_breakers(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        now_ns: TimeNs,
        tell: impl Fn(&mut Breaker) -> bool,
    ) -> Option<HaltCause> {
        if !self.counts_requests {
            return None;
        }
        let mut tripped = false;
        for branch in self.branches(strategy, instrument) {
            let scope = &mut self.scopes[usize::from(branch)];
            let Some(breaker) = &mut scope.counters.breaker else { continue };
            tripped |= tell(breaker);
            self.block(usize::from(branch));
        }
        self.wake_ns = self.wake_ns.min(self.next_breaker_ns()).max(now_ns);
        let open = self.scopes.iter().filter_map(|s| s.counters.breaker.as_ref());
        let open = open.filter(|b| matches!(b.state(), BreakerState::Open { .. })).count();
        (tripped && open >= CASCADE && self.halt.is_none()).then_some(HaltCause::BreakerCascade)
    }

    /// A sample of the account: its equity, and what each strategy has made in each instrument since
    /// the start. Says what has to be done about it.
    pub fn sampled(
        &mut self,
        now_ns: TimeNs,
        equity: Money,
        made: &dyn Fn(u16, InstrumentId) -> Option<Money>,
    ) -> Verdict {
        self.pass_day(now_ns);
        let peak = self.account.peak.map_or(equity, |peak| peak.max(equity));
        self.account.peak = Some(peak);
        self.account.equity = Some(equity);
        self.note_worth(equity, made);
        let fallen = fallen_bps(peak, equity);
        let from = self.account.rung;
        let reached = self.tree.drawdown.rung(fallen);
        // The rungs that halt are left by a person only.
        self.account.rung = if from >= Rung::Close { from.max(reached) } else { reached };
        self.impose();
        self.refresh_status();
        let rung = self.account.rung;
        let global = &self.scopes[0];
        let halt = if rung >= Rung::Close && rung > from {
            Some(HaltCause::Drawdown)
        } else if self.halt.is_none() && global.lost() >= global.bounds.loss {
            Some(HaltCause::DailyLoss)
        } else {
            None
        };
        Verdict { from, rung, fallen_bps: fallen, halt }
    }

    /// Whether more than the build's own ceilings bounds what may be lost: the loss of a day, or falls
    /// from the peak.
    #[must_use]
    pub fn bounds_losses(&self) -> bool {
        self.tree.drawdown != Ladder::default()
            || self.scopes.iter().any(|scope| bounded_by(&scope.bounds))
    }

    fn note_worth(&mut self, equity: Money, made: &dyn Fn(u16, InstrumentId) -> Option<Money>) {
        let bounded = |scope: &Scope| bounded_by(&scope.bounds);
        self.scopes[0].counters.worth = Some(equity);
        if self.scopes.iter().skip(1).any(bounded) {
            for scope in self.scopes.iter_mut().skip(1).filter(|scope| bounded(scope)) {
                scope.counters.worth = Some(Money::ZERO);
            }
            for index in 0..self.slots.len() {
                let (strategy, instrument) = (index / self.instruments, index % self.instruments);
                let made = made(strategy as u16, InstrumentId(instrument as u16));
                // The first of the branches is the top: it has the equity.
                for branch in &self.slots[index].branches[1..] {
                    let scope = &mut self.scopes[usize::from(*branch)];
                    if let Some(worth) =
                        scope.counters.worth.as_mut().filter(|_| bounded_by(&scope.bounds))
                    {
                        *worth += made.unwrap_or(Money::ZERO);
                    }
                }
            }
        }
        for scope in &mut self.scopes {
            if let Some(worth) = scope.counters.worth {
                scope.counters.worth_at_dawn.get_or_insert(worth);
            }
        }
    }

    /// What a halt and the ladder refuse, at the top of the tree.
    pub(super) fn impose(&mut self) {
        let halted = if self.halt.is_some() { LimitKind::Halted.bit() } else { 0 };
        let fallen = if self.account.rung >= Rung::Stop { LimitKind::Drawdown.bit() } else { 0 };
        self.scopes[0].imposed = halted | fallen;
        self.block(0);
    }

    /// Brings what a branch refuses by itself up to date.
    #[inline]
    fn block(&mut self, branch: usize) {
        let blocked = self.scopes[branch].blocked();
        self.rooms[branch].blocked = blocked;
        self.refuses |= blocked != 0;
    }

    /// Refuses every order from now on that does not reduce a position. Never undone by itself.
    pub fn halt(&mut self, cause: HaltCause) {
        self.halt.get_or_insert(cause);
        self.impose();
    }

    /// Lifts the halt, the rung that brought it and every breaker, and begins losing streaks and the
    /// loss of the day anew: a person's decision. The peak is today's equity from here on.
    pub fn rearm(&mut self) {
        self.halt = None;
        self.account.rung = Rung::None;
        self.account.peak = self.account.equity;
        for scope in &mut self.scopes {
            scope.counters.losing_streak = 0;
            scope.counters.worth_at_dawn = scope.counters.worth;
            if let Some(breaker) = &mut scope.counters.breaker {
                breaker.close();
            }
        }
        self.impose();
        self.refresh_status();
    }

    /// Whether trading is halted.
    #[inline]
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halt.is_some()
    }

    /// Why trading is halted.
    #[must_use]
    pub const fn halt_cause(&self) -> Option<HaltCause> {
        self.halt
    }

    /// The rung of the drawdown ladder.
    #[must_use]
    pub const fn rung(&self) -> Rung {
        self.account.rung
    }

    /// What is left of the size of an order that adds, in basis points.
    #[inline]
    #[must_use]
    pub const fn size_bps(&self) -> u32 {
        match self.account.rung {
            Rung::Reduce => self.tree.drawdown.size_bps(Rung::Reduce),
            _ => 10_000,
        }
    }

    /// The highest equity of the samples.
    #[must_use]
    pub const fn peak_equity(&self) -> Option<Money> {
        self.account.peak
    }

    /// The equity of the last sample.
    #[must_use]
    pub const fn last_equity(&self) -> Option<Money> {
        self.account.equity
    }
}

/// Whether the loss of a day is bounded.
const fn bounded_by(bounds: &Bounds) -> bool {
    bounds.loss != NO_BOUND
}

/// The largest value of a position that can be summed: those of 1,024 instruments, a few times over.
const SUMMABLE: i128 = NO_BOUND >> 13;

fn take(room: &mut Room, held: &Held, unit: i128) {
    room.gross -= i128::from(held.worst()) * unit;
    room.net[0] -= i128::from(held.towards(Side::Buy)) * unit;
    room.net[1] -= i128::from(held.towards(Side::Sell)) * unit;
}
