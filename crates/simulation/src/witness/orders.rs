//! Where every order stands by the records of a journal: one state each, moved only by what we did or
//! were told.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_core::order::OrderFlags;
use mainspring_core::{Answer, ClientOrderId, OrderType, Result, Side, TimeNs, VenueEventKind};
use mainspring_journal::{FillRecord, OrderRecord};
use mainspring_kernel::session::record::{AdoptedRecord, NewOrder, Terms};
use mainspring_trading::orders::{Order, OrderEvent, OrderState, OrderTable};

use crate::invariants::broken;

use super::Said;

/// An order may wait so long for news before an event must have named it: ten seconds until it is
/// asked about, half a minute of questions, and what the clock and a restart take.
const MAX_SILENCE_NS: i64 = 60_000_000_000;

/// So long an order may still be on its way to a venue that does not know it.
const MAX_WAY_NS: i64 = 10_000_000_000;

/// An order as the journal shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) strategy: u16,
    pub(super) side: Side,
    pub(super) price: i64,
    pub(super) qty: i64,
    /// Price and quantity of the change that is not answered.
    pub(super) asked: Option<(i64, i64)>,
    pub(super) filled: i64,
    pub(super) state: OrderState,
    pub(super) reduce_only: bool,
    /// Whether it has a limit price.
    pub(super) priced: bool,
    adopted: bool,
    made_ns: TimeNs,
    heard_ns: TimeNs,
    told_stuck: bool,
}

impl Standing {
    fn new(strategy: u16, terms: &Terms, state: OrderState, now_ns: TimeNs) -> Result<Self> {
        let terms = terms.terms()?;
        Ok(Self {
            strategy,
            side: terms.side,
            price: terms.price.0,
            qty: terms.qty.0,
            asked: None,
            filled: 0,
            state,
            reduce_only: terms.flags.has(OrderFlags::REDUCE_ONLY),
            priced: terms.order_type == OrderType::Limit,
            adopted: false,
            made_ns: now_ns,
            heard_ns: now_ns,
            told_stuck: false,
        })
    }

    /// Lots that may still trade.
    pub(super) fn open(&self) -> i64 {
        let qty = self.asked.map_or(self.qty, |asked| asked.1.max(self.qty));
        if self.state.is_working() {
            qty - self.filled
        } else {
            0
        }
    }

    /// Lots that may trade in all.
    fn most(&self) -> i64 {
        self.asked.map_or(self.qty, |asked| asked.1.max(self.qty))
    }
}

/// Whether an order may go from one state to another at all.
const fn may_become(from: OrderState, to: OrderState) -> bool {
    use OrderState as S;
    match from {
        S::Created => matches!(to, S::Submitted | S::RiskRejected),
        S::Submitted | S::PendingCancel | S::PendingReplace | S::Unknown => {
            !matches!(to, S::Created | S::RiskRejected)
        }
        S::Open => !matches!(to, S::Created | S::RiskRejected | S::Submitted),
        S::PartiallyFilled => {
            !matches!(to, S::Created | S::RiskRejected | S::Submitted | S::Open | S::Rejected)
        }
        S::RiskRejected | S::Filled | S::Cancelled | S::Rejected | S::Expired => false,
    }
}

/// The orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    live: BTreeMap<u64, Standing>,
    over: BTreeMap<u64, Standing>,
    /// Fills that were booked, by the venue's ids.
    booked: BTreeSet<u64>,
    /// Orders that the journal has sent and that have not left yet.
    leaving: BTreeSet<u64>,
}

impl Orders {
    /// An order is made.
    pub(super) fn made(&mut self, new: &NewOrder, now_ns: TimeNs) -> Result<()> {
        let order = Standing::new(new.strategy, &new.terms, OrderState::Created, now_ns)?;
        self.insert(new.id, order)
    }

    /// An order of somebody else is ours from now on.
    pub(super) fn adopt(&mut self, found: &AdoptedRecord, now_ns: TimeNs) -> Result<()> {
        let state = if found.filled > 0 { OrderState::PartiallyFilled } else { OrderState::Open };
        let order = Standing::new(found.strategy, &found.terms, state, now_ns)?;
        self.insert(found.id, Standing { filled: found.filled, adopted: true, ..order })
    }

    fn insert(&mut self, id: u64, order: Standing) -> Result<()> {
        if self.live.insert(id, order).is_some() || self.over.contains_key(&id) {
            return broken(format!("order {id} is made twice"));
        }
        Ok(())
    }

    /// What was made and not sent when the process ended is over, and what was sent does not leave again.
    pub(super) fn forget_unsent(&mut self) {
        let unsent = |order: &Standing| order.state == OrderState::Created;
        let ids: Vec<u64> =
            self.live.iter().filter(|(_, order)| unsent(order)).map(|(id, _)| *id).collect();
        for id in ids {
            self.put(id, OrderState::RiskRejected);
        }
        self.leaving.clear();
    }

    /// We did something to an order: how it was before.
    pub(super) fn stepped(
        &mut self,
        id: ClientOrderId,
        event: OrderEvent,
        now_ns: TimeNs,
    ) -> Result<Standing> {
        use OrderState as S;
        let Some(order) = self.live.get_mut(&id.0) else {
            return unknown(id);
        };
        let before = *order;
        let to = match event {
            OrderEvent::Submit => S::Submitted,
            OrderEvent::RiskRefused => S::RiskRejected,
            OrderEvent::CancelRequested => S::PendingCancel,
            OrderEvent::ReplaceRequested { price, qty } => {
                order.asked = Some((price.0, qty.0));
                S::PendingReplace
            }
            OrderEvent::Timeout => S::Unknown,
            other => return broken(format!("order {}: {other:?} is no step of ours", id.0)),
        };
        order.heard_ns = now_ns;
        order.told_stuck &= to == before.state;
        if to == S::Submitted {
            self.leaving.insert(id.0);
        }
        self.put(id.0, to);
        let may = match to {
            S::Submitted | S::RiskRejected => before.state == S::Created,
            S::PendingReplace => {
                matches!(before.state, S::Submitted | S::Open | S::PartiallyFilled)
            }
            S::Unknown => before.state.is_pending() || before.state == S::Unknown,
            _ => before.state.is_working() && before.state != S::PendingCancel,
        };
        if may {
            return Ok(before);
        }
        broken(format!("order {}: {event:?} of one that is {}", id.0, before.state))
    }

    /// An order is said to be in a state.
    pub(super) fn moved(
        &mut self,
        record: &OrderRecord,
        said: &Said,
        now_ns: TimeNs,
    ) -> Result<()> {
        let id = ClientOrderId(record.order_id);
        let Some(to) = OrderState::ALL.into_iter().find(|state| *state as u8 == record.state)
        else {
            return broken(format!("order {}: state {}", id.0, record.state));
        };
        let is_over = self.over.contains_key(&id.0);
        let order = self.live.get_mut(&id.0).or_else(|| self.over.get_mut(&id.0));
        let Some(order) = order else { return unknown(id) };
        let before = *order;
        order.heard_ns = now_ns;
        // A part that trades does not end that nobody knows about the rest.
        order.told_stuck &= to == before.state;
        let terms = (record.price_ticks, record.qty_lots);
        let changed = terms != (before.price, before.qty);
        (order.price, order.qty) = terms;
        let settled =
            matches!(to, OrderState::Submitted | OrderState::Open | OrderState::PartiallyFilled);
        if settled || changed || said.ends_change(id) {
            order.asked = None;
        }
        let after = *order;
        self.put(id.0, to);
        if is_over && to != before.state {
            return broken(format!("order {} was {} and is {to}", id.0, before.state));
        }
        if to != before.state
            && !(may_become(before.state, to) && said.shows(id, to, before.adopted))
        {
            let from = before.state;
            return broken(format!("order {} goes from {from} to {to} and nothing said so", id.0));
        }
        let not_found = matches!(said, Said::Answer(about, Answer::NotFound) if *about == id);
        if not_found && to.is_terminal() && now_ns - before.made_ns < MAX_WAY_NS {
            return broken(format!("order {} is given up and may still be on its way", id.0));
        }
        if record.filled_lots != before.filled {
            let (ours, theirs) = (before.filled, record.filled_lots);
            return broken(format!("order {}: {theirs} lots filled, {ours} by its fills", id.0));
        }
        if changed && !said.changes(id, terms.0, terms.1) {
            return broken(format!("order {}: other terms, and nothing said so", id.0));
        }
        let down_to = before.asked.map_or(after.qty, |asked| asked.1.min(after.qty));
        // A venue that has no more of an order than is filled may have made it smaller before.
        let no_more = matches!(said, Said::Answer(about, Answer::Filled { filled })
            if *about == id && filled.0 == before.filled);
        let whole = before.filled >= down_to || no_more;
        if to == OrderState::Filled && before.state != to && !whole {
            let (filled, most) = (before.filled, before.most());
            return broken(format!("order {} is filled with {filled} of {most} lots", id.0));
        }
        Ok(())
    }

    /// A fill is booked: what a venue said just now, for the first time, of an order that had it.
    pub(super) fn filled(&mut self, fill: &FillRecord, said: &Said, now_ns: TimeNs) -> Result<()> {
        let id = ClientOrderId(fill.order_id);
        let Said::Report(report) = said else {
            return broken(format!("order {}: a fill that nobody told", id.0));
        };
        let order = self.live.get_mut(&id.0).or_else(|| self.over.get_mut(&id.0));
        let Some(order) = order else { return unknown(id) };
        let before = *order;
        order.filled += fill.qty_lots;
        order.heard_ns = now_ns;
        let first = self.booked.insert(report.trade_id);
        let told = match report.event.kind {
            VenueEventKind::Filled { price, qty, maker } => {
                report.event.order == id
                    && (price.0, qty.0) == (fill.price_ticks, fill.qty_lots)
                    && maker == (fill.maker != 0)
            }
            _ => false,
        };
        let is_its = before.side.sign() == i64::from(fill.side) && before.strategy == fill.strategy;
        if !first || !told || !is_its {
            return broken(format!(
                "order {}: fill {} is not as it was told",
                id.0, report.trade_id
            ));
        }
        let had = !matches!(
            before.state,
            OrderState::Created | OrderState::RiskRejected | OrderState::Rejected
        );
        if !had || before.filled + fill.qty_lots > before.most() {
            let (state, filled, most) = (before.state, before.filled, before.most());
            return broken(format!(
                "order {} is {state} with {filled} of {most} lots, and {} more traded",
                id.0, fill.qty_lots
            ));
        }
        Ok(())
    }

    /// Puts an order into a state, and where orders of that state are.
    fn put(&mut self, id: u64, state: OrderState) {
        if let Some(order) = self.over.get_mut(&id) {
            order.state = state;
        }
        let Some(order) = self.live.get_mut(&id) else { return };
        order.state = state;
        if state.is_terminal() {
            self.over.insert(id, *order);
            self.live.remove(&id);
        }
    }

    /// A venue answered a question about an order.
    pub(super) fn heard_of(&mut self, id: ClientOrderId, now_ns: TimeNs) {
        if let Some(order) = self.live.get_mut(&id.0) {
            order.heard_ns = now_ns;
        }
    }

    /// People were told that an order is stuck.
    pub(super) fn told_stuck(&mut self, id: ClientOrderId) {
        if let Some(order) = self.live.get_mut(&id.0) {
            order.told_stuck = true;
        }
    }

    /// No order waits for long without an event that names it.
    pub(super) fn none_waits_in_silence(&self, now_ns: TimeNs) -> Result<()> {
        let waits = |order: &Standing| {
            (order.state.is_pending() || order.state == OrderState::Unknown) && !order.told_stuck
        };
        let late = |order: &Standing| now_ns - order.heard_ns > MAX_SILENCE_NS;
        match self.live.iter().find(|(_, order)| waits(order) && late(order)) {
            None => Ok(()),
            Some((id, order)) => broken(format!(
                "order {id} is {} for {} s and nobody was told",
                order.state,
                (now_ns - order.heard_ns) / 1_000_000_000
            )),
        }
    }

    pub(super) fn get(&self, id: ClientOrderId) -> Option<&Standing> {
        self.live.get(&id.0).or_else(|| self.over.get(&id.0))
    }

    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// Lots that are open on a side, of all strategies or of one.
    pub(super) fn open_on(&self, side: Side, strategy: Option<u16>) -> i64 {
        let of_it = |order: &&Standing| {
            order.side == side && strategy.is_none_or(|strategy| strategy == order.strategy)
        };
        self.live.values().filter(of_it).map(Standing::open).sum()
    }

    /// Whether a new order may leave: the journal has sent it, and it has not left before.
    pub(super) fn leaves(&mut self, id: ClientOrderId) -> bool {
        self.leaving.remove(&id.0)
    }

    pub(super) fn has_booked(&self, trade_id: u64) -> bool {
        self.booked.contains(&trade_id)
    }

    /// Records of the live orders that the engine's table has otherwise.
    pub(super) fn moved_since(&self, table: &OrderTable, now_ns: TimeNs) -> Vec<OrderRecord> {
        let told = self.live.keys().filter_map(|id| table.get(ClientOrderId(*id)));
        let moved = told.filter(|order| {
            let ours = &self.live[&order.id.0];
            (ours.state, ours.price, ours.qty)
                != (order.state, order.terms.price.0, order.terms.qty.0)
        });
        let record = |order: &Order| OrderRecord {
            time_ns: now_ns,
            order_id: order.id.0,
            price_ticks: order.terms.price.0,
            qty_lots: order.terms.qty.0,
            filled_lots: order.filled.0,
            strategy: order.strategy,
            instrument: order.terms.instrument.0,
            side: order.terms.side.sign() as i8,
            order_type: order.terms.order_type as u8,
            state: order.state as u8,
            reason: 0,
        };
        moved.map(record).collect()
    }

    /// The table of the engine says the same.
    pub(super) fn agree(&self, table: &OrderTable) -> Result<()> {
        if table.live_count() != self.live.len() {
            let (theirs, ours) = (table.live_count(), self.live.len());
            return broken(format!("{theirs} orders live in the engine, {ours} by its journal"));
        }
        for order in table.all_live() {
            let theirs = (order.state, order.terms.qty.0, order.filled.0, order.fillable().0);
            let ours = self.live.get(&order.id.0);
            let ours = ours.map(|one| (one.state, one.qty, one.filled, one.most() - one.filled));
            if ours != Some(theirs) {
                let id = order.id.0;
                return broken(format!(
                    "order {id}: {theirs:?} in the engine, {ours:?} by its journal"
                ));
            }
        }
        Ok(())
    }
}

fn unknown<T>(id: ClientOrderId) -> Result<T> {
    broken(format!("order {} is not known", id.0))
}
