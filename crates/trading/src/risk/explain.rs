//! What an order failed, limit by limit: the slow twin of the check.

use mainspring_core::order::OrderTerms;
use mainspring_core::Side;

use super::gate::{Gate, Measured, Situation};
use super::kind::{Failure, LimitKind, ScopeKind};
use super::scope::{Room, Scope};
use super::slot::{Slot, STRATEGY};

/// Tells of a limit when it is failed.
struct Teller<'a> {
    tell: &'a mut dyn FnMut(Failure),
}

impl Teller<'_> {
    /// `used` is what counted before the order, `value` what it leads to.
    fn above(&mut self, limit: LimitKind, scope: ScopeKind, value: i128, used: i128, bound: i128) {
        (self.tell)(Failure { limit, scope, value, bound, headroom: bound - used });
    }

    fn flag(&mut self, limit: LimitKind, scope: ScopeKind) {
        self.above(limit, scope, 1, 0, 0);
    }
}

impl Gate {
    pub(super) fn name_failures(
        &self,
        slot: &Slot,
        index: usize,
        m: &Measured,
        terms: &OrderTerms,
        at: &Situation,
        tell: &mut dyn FnMut(Failure),
    ) {
        if at.urgent && m.reduces && m.qty > 0 {
            return;
        }
        let mut teller = Teller { tell };
        self.name_order_failures(slot, m, at, &mut teller);
        let added = self.added(index, m, terms);
        for (branch, scope) in slot.branches.iter().enumerate() {
            let room = &self.rooms[usize::from(*scope)];
            let scope = &self.scopes[usize::from(*scope)];
            let own = branch == STRATEGY;
            let reduces = if own { m.own_reduces } else { m.reduces };
            let added = Added { reduces, ..added[usize::from(own)] };
            name_exposure(scope, room, m, &added, terms.side, &mut teller);
            name_counters(scope, room, m, at, reduces, &mut teller);
        }
    }

    /// What an order adds to exposures: of all strategies, and of its own.
    fn added(&self, index: usize, m: &Measured, terms: &OrderTerms) -> [Added; 2] {
        let instrument = terms.instrument.index();
        let unit = self.units[instrument];
        [&self.net[instrument], &self.own[index]].map(|held| {
            let growth = held.worst_with(terms.side, m.added_lots) - held.worst();
            Added {
                gross: i128::from(growth.max(0)) * unit,
                net: i128::from(m.added_lots.max(0)) * unit,
                reduces: false,
            }
        })
    }

    fn name_order_failures(&self, slot: &Slot, m: &Measured, at: &Situation, to: &mut Teller<'_>) {
        use LimitKind::{
            OpenOrders, OrderNotional, OrderQuantity, Position, PriceCollar, Quantity, StaleData,
            StrategyPosition,
        };
        let global = ScopeKind::Global;
        let adds = !m.reduces;
        let mut above = |limit, fails: bool, value: i128, used: i128, bound: i128| {
            if fails {
                to.above(limit, global, value, used, bound);
            }
        };
        let (qty, order_lots) = (i128::from(m.qty), i128::from(slot.order_lots));
        above(Quantity, m.qty <= 0, qty, 0, 1);
        above(OrderQuantity, m.qty > slot.order_lots, qty, 0, order_lots);
        let notional = m.notional > slot.order_notional || m.unpriceable;
        above(OrderNotional, notional, m.notional, 0, slot.order_notional);
        let (after, held) = (i128::from(m.after), i128::from(m.after - m.added_lots));
        let fails = adds && m.added_lots > 0 && m.after > slot.position_lots;
        above(Position, fails, after, held, i128::from(slot.position_lots));
        let (own, held) = (i128::from(m.own_after), i128::from(m.own_after - m.added_lots));
        let fails = !m.own_reduces && m.added_lots > 0 && m.own_after > slot.own_position_lots;
        above(StrategyPosition, fails, own, held, i128::from(slot.own_position_lots));
        above(PriceCollar, m.through > m.collar, m.through, 0, m.collar);
        let live = at.live_orders as i128;
        let most = self.max_live_orders as i128;
        above(OpenOrders, !m.replaces && live >= most, live + 1, live, most);
        let age = i128::from(m.age_ns);
        let stale = adds && m.age_ns > slot.max_age_ns;
        above(StaleData, stale, age, age, i128::from(slot.max_age_ns));
        if adds {
            for limit in LimitKind::of_mask(slot.blocked) {
                to.flag(limit, global);
            }
        }
    }
}

/// What an order adds, in the currency of the limits.
#[derive(Clone, Copy)]
struct Added {
    /// Growth of the worst absolute value.
    gross: i128,
    /// Towards its side.
    net: i128,
    /// Whether the position it belongs to can only shrink by it.
    reduces: bool,
}

fn name_exposure(
    scope: &Scope,
    room: &Room,
    m: &Measured,
    added: &Added,
    side: Side,
    to: &mut Teller<'_>,
) {
    let (gross_bound, net_bound) = scope.exposure_bounds();
    let used = gross_bound - room.gross;
    let gross = added.gross;
    for (limit, bound) in [
        (LimitKind::GrossExposure, scope.bounds.gross),
        (LimitKind::Leverage, scope.leverage_bound),
    ] {
        if gross > (bound - used).max(0) {
            to.above(limit, scope.kind, used + gross, used, bound);
        }
    }
    if added.reduces {
        return;
    }
    let net = net_bound - room.net[side as usize];
    let net_kind = match scope.kind {
        ScopeKind::Symbol => LimitKind::SymbolExposure,
        _ => LimitKind::NetExposure,
    };
    for (limit, bound) in
        [(net_kind, scope.bounds.net), (LimitKind::Concentration, scope.concentration_bound)]
    {
        if added.net > 0 && added.net > bound - net {
            to.above(limit, scope.kind, net + added.net, net, bound);
        }
    }
    if m.value > scope.allocation_bound {
        to.above(LimitKind::Allocation, scope.kind, m.value, 0, scope.allocation_bound);
    }
}

fn name_counters(
    scope: &Scope,
    room: &Room,
    m: &Measured,
    at: &Situation,
    reduces: bool,
    to: &mut Teller<'_>,
) {
    let most = i128::from(scope.bounds.open);
    let open = most - i128::from(room.open);
    if !m.replaces && room.open <= 0 {
        to.above(LimitKind::OpenOrders, scope.kind, open + 1, open, most);
    }
    let counters = &scope.counters;
    for (limit, window) in [
        (LimitKind::OrderRate, &counters.orders),
        (LimitKind::CancelRate, &counters.cancels),
        (LimitKind::MessageRate, &counters.messages),
    ] {
        let free_ns = window.as_ref().map_or(i64::MIN, super::rate::RateWindow::free_ns);
        if at.now_ns < free_ns {
            let wait = i128::from(free_ns) - i128::from(at.now_ns);
            to.above(limit, scope.kind, wait, wait, 0);
        }
    }
    if reduces {
        return;
    }
    let bounds = &scope.bounds;
    if scope.lost() >= bounds.loss {
        to.above(LimitKind::DailyLoss, scope.kind, scope.lost(), scope.lost(), bounds.loss);
    }
    for (limit, value, bound) in [
        (LimitKind::DailyTrades, counters.trades_today, bounds.trades),
        (LimitKind::LosingStreak, counters.losing_streak, bounds.streak),
    ] {
        if value >= bound {
            let value = i128::from(value);
            to.above(limit, scope.kind, value, value, i128::from(bound));
        }
    }
    for limit in LimitKind::of_mask(scope.imposed) {
        to.flag(limit, scope.kind);
    }
    if counters.breaker.as_ref().is_some_and(super::breaker::Breaker::refuses) {
        to.flag(LimitKind::Breaker, scope.kind);
    }
}
