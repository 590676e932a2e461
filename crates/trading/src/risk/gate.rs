//! The pre-trade gate: the only maker of [`ApprovedOrder`].
//!
//! The tree of limits is flattened when it is configured: one slot for each strategy and instrument
//! with the tightest of what bounds a single order, and for each branch of the tree what is left of
//! its limits, kept up to date by what happens to orders and positions. A check loads the slot and
//! six branches, makes every comparison without a branch, and decides once. Where no branch bounds or
//! refuses anything, which is known beforehand, there is nothing to compare with and only the slot is
//! looked at. What failed, with its figures, is worked out again on the way that is not in a hurry:
//! [`Gate::explain`].

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{InstrumentId, Lots, OrderType, Side, TimeNs};

use super::account::Account;
use super::halt::HaltCause;
use super::held::Held;
use super::kind::Veto;
use super::limits::LimitTree;
use super::scope::{Room, Scope, NO_BOUND};
use super::slot::{Calendar, Slot, BRANCHES, STRATEGY};
use super::tree::Names;

/// Terms that the gate has let through. Nothing else can be sent.
///
/// There is no other way to one than [`Gate::check`]:
///
/// ```compile_fail,E0451
/// use mainspring_core::order::OrderTerms;
/// use mainspring_trading::risk::ApprovedOrder;
///
/// fn sneak(terms: &OrderTerms) -> ApprovedOrder<'_> {
///     ApprovedOrder { terms } // the field is private
/// }
/// ```
///
/// ```compile_fail,E0599
/// use mainspring_trading::risk::ApprovedOrder;
///
/// let order = ApprovedOrder::default(); // and there is no constructor
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovedOrder<'t> {
    terms: &'t OrderTerms,
}

impl<'t> ApprovedOrder<'t> {
    /// What was approved, and cannot change while it counts as that.
    #[inline]
    #[must_use]
    pub const fn terms(&self) -> &'t OrderTerms {
        self.terms
    }
}

/// What the gate is told with an order: the market and the engine as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// Logical time.
    pub now_ns: TimeNs,
    /// When the market of the order was last heard of.
    pub market_ns: TimeNs,
    /// Best bid plus best ask in ticks; zero when the book is one-sided.
    pub mid2: i64,
    /// Orders that live in the whole engine.
    pub live_orders: usize,
    /// Open quantity that this order stands in for: an amend replaces what the order had open.
    pub replaces: Lots,
    /// The engine itself closes in an emergency: of a reduce-only order only the quantity is checked.
    pub urgent: bool,
}

/// The gate; see the module.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(super) slots: Vec<Slot>,
    pub(super) rooms: Vec<Room>,
    /// Own quantities, strategy by instrument, and all strategies' together.
    pub(super) own: Vec<Held>,
    pub(super) net: Vec<Held>,
    /// Value of a lot of each instrument in the currency of the limits.
    pub(super) units: Vec<i128>,
    pub(super) instruments: usize,
    pub(super) max_live_orders: usize,
    pub(super) tracks_value: bool,
    pub(super) counts_requests: bool,
    pub(super) counts_open: bool,
    /// Whether any branch refuses by itself now: halted, fallen, at the end of a daily count. May
    /// stay set for a while after it no longer is so.
    pub(super) refuses: bool,
    pub(super) halt: Option<HaltCause>,
    pub(super) wake_ns: TimeNs,
    // What the check does not look at.
    pub(super) scopes: Vec<Scope>,
    pub(super) calendars: Vec<Calendar>,
    pub(super) tree: LimitTree,
    pub(super) names: Names,
    pub(super) account: Account,
}

/// What an order comes to, beside what it is checked against.
pub(super) struct Measured {
    pub(super) qty: i64,
    pub(super) added_lots: i64,
    pub(super) notional: i128,
    pub(super) unpriceable: bool,
    pub(super) through: i128,
    pub(super) collar: i128,
    pub(super) after: i64,
    pub(super) own_after: i64,
    pub(super) reduces: bool,
    pub(super) own_reduces: bool,
    /// Its whole value in the currency of the limits.
    pub(super) value: i128,
    pub(super) age_ns: i64,
    pub(super) replaces: bool,
}

impl Gate {
    /// Approves an order of a strategy, or names every limit it fails.
    ///
    /// # Errors
    /// The [`Veto`] with all failures; [`Self::explain`] gives their figures.
    #[inline]
    pub fn check<'t>(
        &self,
        strategy: u16,
        terms: &'t OrderTerms,
        at: &Situation,
    ) -> Result<ApprovedOrder<'t>, Veto> {
        let index = self.slot_of(strategy, terms.instrument);
        let slot = &self.slots[index];
        let measured = self.measure(slot, index, terms, at);
        let mut may_fail = Self::fails_alone(slot, &measured, self.max_live_orders, at);
        if self.has_bounds() {
            may_fail |= self.fails_in_branches(slot, &measured, terms.side, at);
        }
        // The engine's own emergency closing is let through whatever the limits are.
        let urgent = at.urgent & measured.reduces & (measured.qty > 0);
        if may_fail & !urgent {
            self.refusal(strategy, terms, at)?;
        }
        Ok(ApprovedOrder { terms })
    }

    /// Every limit that an order would fail, told one by one.
    #[cold]
    #[inline(never)]
    pub fn explain(
        &self,
        strategy: u16,
        terms: &OrderTerms,
        at: &Situation,
        tell: &mut dyn FnMut(super::kind::Failure),
    ) {
        let index = self.slot_of(strategy, terms.instrument);
        let slot = &self.slots[index];
        let measured = self.measure(slot, index, terms, at);
        self.name_failures(slot, index, &measured, terms, at, tell);
    }

    #[cold]
    #[inline(never)]
    fn refusal(&self, strategy: u16, terms: &OrderTerms, at: &Situation) -> Result<(), Veto> {
        let mut mask = 0;
        self.explain(strategy, terms, at, &mut |failure| mask |= failure.limit.bit());
        Veto::of(mask).map_or(Ok(()), Err)
    }

    #[inline]
    pub(super) fn slot_of(&self, strategy: u16, instrument: InstrumentId) -> usize {
        usize::from(strategy) * self.instruments + instrument.index()
    }

    #[inline(always)]
    fn measure(&self, slot: &Slot, index: usize, terms: &OrderTerms, at: &Situation) -> Measured {
        let side = terms.side;
        let (net, own) = (&self.net[terms.instrument.index()], &self.own[index]);
        // Beyond the build's ceiling an order fails anyway: sums and products stay small.
        let sized = terms.qty.0.min(slot.lots_cap).max(0);
        let added = sized - at.replaces.0.min(slot.lots_cap).max(0);
        let after = net.towards(side) + added;
        let own_after = own.towards(side) + added;
        let flagged = terms.flags.has(OrderFlags::REDUCE_ONLY);
        let priced = has_limit_price(terms.order_type);
        let price = terms.price.0.min(slot.price_cap).max(-slot.price_cap);
        let price2 = if priced { price * 2 } else { at.mid2 };
        let through = (price2 - at.mid2) * side.sign();
        let checked = priced & (at.mid2 != 0);
        let through = if checked { through.max(0) } else { 0 };
        let unpriceable = priced & (price != terms.price.0);
        // Wide products only where something is bounded by them, or told.
        let notional = match slot.order_notional {
            NO_BOUND if !unpriceable => 0,
            _ => (i128::from(price2).abs() * slot.half_tick + slot.face) * i128::from(sized),
        };
        let value = match self.tracks_value {
            false => 0,
            true => i128::from(sized) * self.units[terms.instrument.index()],
        };
        Measured {
            qty: terms.qty.0,
            added_lots: added,
            notional,
            unpriceable,
            through: i128::from(through) * 10_000,
            collar: i128::from(at.mid2.saturating_abs()) * i128::from(slot.collar_bps),
            after,
            own_after,
            reduces: flagged | (after <= 0),
            own_reduces: flagged | (own_after <= 0),
            value,
            age_ns: at.now_ns.saturating_sub(at.market_ns),
            replaces: at.replaces.0 > 0,
        }
    }

    /// Whether there is anything in the branches that an order could fail: exposures, counts of open
    /// orders, rates, breakers, or something that refuses by itself.
    #[inline]
    const fn has_bounds(&self) -> bool {
        self.tracks_value | self.counts_open | self.counts_requests | self.refuses
    }

    /// All comparisons of what bounds a single order as one answer: no branch on any of them.
    #[inline(always)]
    fn fails_alone(slot: &Slot, m: &Measured, max_live_orders: usize, at: &Situation) -> bool {
        let adds = !m.reduces;
        (m.qty <= 0)
            | (m.qty > slot.order_lots)
            | (m.notional > slot.order_notional)
            | m.unpriceable
            | (m.through > m.collar)
            | (adds & (m.added_lots > 0) & (m.after > slot.position_lots))
            | (!m.own_reduces & (m.added_lots > 0) & (m.own_after > slot.own_position_lots))
            | (!m.replaces & (at.live_orders >= max_live_orders))
            | (adds & (m.age_ns > slot.max_age_ns))
            | (adds & (slot.blocked != 0))
    }

    /// The same for what is left of the limits of each branch. What an order adds to an exposure is at
    /// most its value: where that is too much, the slow way looks closer.
    #[inline(always)]
    fn fails_in_branches(&self, slot: &Slot, m: &Measured, side: Side, at: &Situation) -> bool {
        // A value is reckoned only where some branch bounds values, and an allocation is one of those.
        let mut fails = (!m.reduces & (m.value > slot.order_value[0]))
            | (!m.own_reduces & (m.value > slot.order_value[1]));
        for (branch, scope) in slot.branches.iter().enumerate() {
            let room = &self.rooms[usize::from(*scope)];
            let reduces = if branch == STRATEGY { m.own_reduces } else { m.reduces };
            fails |= (m.value > room.gross)
                | (!reduces & (m.value > room.net[side as usize]))
                | (!m.replaces & (room.open <= 0))
                | (at.now_ns < room.free_ns)
                | (!reduces & (room.blocked != 0));
        }
        fails
    }

    /// Keeps the open quantity of a side in step with an order: it had `before` lots open, and has
    /// `after` now.
    #[inline]
    pub fn track(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Side,
        before: Lots,
        after: Lots,
    ) {
        // As of most answers: nothing is open that was not.
        if before != after {
            self.track_change(strategy, instrument, side, before, after);
        }
    }

    fn track_change(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Side,
        before: Lots,
        after: Lots,
    ) {
        let change = after.0 - before.0;
        let orders = i32::from(after.0 > 0) - i32::from(before.0 > 0);
        self.hold(strategy, instrument, |held| held.open[side as usize] += change);
        if orders != 0 {
            let index = self.slot_of(strategy, instrument);
            self.own[index].orders += orders;
            if !self.counts_open {
                return;
            }
            for branch in self.slots[index].branches {
                self.rooms[usize::from(branch)].open -= orders;
            }
        }
    }

    /// A fill changed a strategy's position.
    #[inline]
    pub fn fill(&mut self, strategy: u16, instrument: InstrumentId, side: Side, qty: Lots) {
        let signed = qty.0 * side.sign();
        self.hold(strategy, instrument, |held| held.position += signed);
    }

    /// Changes what is held, and with it what is left of exposures.
    #[inline]
    fn hold(&mut self, strategy: u16, instrument: InstrumentId, change: impl Fn(&mut Held)) {
        let index = self.slot_of(strategy, instrument);
        let (net, own) = (&mut self.net[instrument.index()], &mut self.own[index]);
        if !self.tracks_value {
            change(net);
            change(own);
            return;
        }
        let before = [*net, *own];
        change(net);
        change(own);
        let after = [*net, *own];
        self.move_exposure(index, instrument, &before, &after);
    }

    fn move_exposure(
        &mut self,
        index: usize,
        instrument: InstrumentId,
        before: &[Held; 2],
        after: &[Held; 2],
    ) {
        let unit = self.units[instrument.index()];
        let change = |n: usize| {
            let value = |from: i64, to: i64| i128::from(to - from) * unit;
            let towards = |side| value(before[n].towards(side), after[n].towards(side));
            (value(before[n].worst(), after[n].worst()), [towards(Side::Buy), towards(Side::Sell)])
        };
        let all = change(0);
        // Where no other strategy holds anything here, both change alike.
        let [net, own] = before;
        let alone = (net.position, net.open) == (own.position, own.open);
        let own = if alone { all } else { change(1) };
        for (branch, scope) in self.slots[index].valued() {
            let (gross, net) = if branch == STRATEGY { own } else { all };
            let room = &mut self.rooms[scope];
            room.gross -= gross;
            room.net[0] -= net[0];
            room.net[1] -= net[1];
        }
    }

    /// The slot's branches, for those that go over them.
    pub(super) fn branches(&self, strategy: u16, instrument: InstrumentId) -> [u16; BRANCHES] {
        self.slots[self.slot_of(strategy, instrument)].branches
    }
}

const fn has_limit_price(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg)
}
