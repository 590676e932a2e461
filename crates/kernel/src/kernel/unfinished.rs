//! What is not done when it is asked for: orders that have to go and positions that have to be closed, until
//! they are.
//!
//! A venue may refuse a cancel because it is busy, may refuse to close, and an order that is being
//! cancelled may trade. It is asked for again until it is done, after the answer to what was asked before.

use mainspring_core::order::OrderFlags;
use mainspring_core::{
    ClientOrderId, DurationNs, InstrumentId, OrderType, Result, Side, VenueEvent, VenueEventKind,
};
use mainspring_trading::orders::{Order, OrderState};

use crate::session::Patience;

use super::{Kernel, Timer};

/// Attempts to close what a venue does not close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    strategy: u16,
    instrument: InstrumentId,
    attempts: u32,
    /// Whether the next attempt has its timer.
    waits: bool,
}

/// Whether an order closes at the market: it does not rest, and a cancel could only keep a position open.
pub(super) const fn closes_at_market(order: &Order) -> bool {
    matches!(order.terms.order_type, OrderType::Market)
        && order.terms.flags.has(OrderFlags::REDUCE_ONLY)
}

impl Kernel {
    /// The engine takes what a strategy has in an instrument off the venue, but what closes at the market.
    pub(crate) fn clear(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        self.cancel_where(strategy, instrument, |order| !closes_at_market(order))
    }

    /// Whether an order may not stay open: the session ends, its strategy has stopped, or trading is halted
    /// and it does not only reduce.
    pub(crate) fn has_to_go(&self, order: &Order) -> bool {
        let stopped = self.strategies[usize::from(order.strategy)].failure.is_some();
        let adds = !order.terms.flags.has(OrderFlags::REDUCE_ONLY);
        self.cancels_at_end || stopped || self.gate.is_halted() && adds
    }

    /// Cancels an order that has to go and that the venue works on, as far as we know now.
    #[cold]
    pub(crate) fn cancel_left_over(&mut self, id: ClientOrderId) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Some(order) = self.orders.get(id).copied() else { return Ok(()) };
        let rests = matches!(order.state, OrderState::Open | OrderState::PartiallyFilled);
        if !rests || !self.has_to_go(&order) {
            return Ok(());
        }
        self.cancel(order.strategy, id)
    }

    /// A venue's statement may leave something to do.
    #[inline]
    pub(super) fn see_to_rest(&mut self, event: &VenueEvent) -> Result<()> {
        match event.kind {
            VenueEventKind::CancelRejected(_) => self.cancel_refused(event.order),
            VenueEventKind::Filled { .. }
            | VenueEventKind::Cancelled(_)
            | VenueEventKind::Rejected(_)
                if self.closes_all || !self.guards.is_empty() =>
            {
                self.close_rest(event)
            }
            _ => Ok(()),
        }
    }

    /// A cancel that was refused is sent again after a while, where its order has to go.
    #[cold]
    fn cancel_refused(&mut self, order: ClientOrderId) -> Result<()> {
        let Some(standing) = self.orders.get(order) else { return Ok(()) };
        if self.is_following() || !standing.state.is_working() || !self.has_to_go(standing) {
            return Ok(());
        }
        let at_ns = self.now_ns + self.attempt_wait_ns(0);
        self.timers.push(at_ns, Timer::CancelAgain { order })
    }

    /// What traded late is closed at once where the position has to be closed; what a venue did not close is
    /// closed again after a while.
    #[cold]
    fn close_rest(&mut self, event: &VenueEvent) -> Result<()> {
        let Some(order) = self.orders.get(event.order).copied() else { return Ok(()) };
        let (strategy, instrument) = (order.strategy, order.terms.instrument);
        let traded = matches!(event.kind, VenueEventKind::Filled { .. });
        if traded {
            self.follow_fired_stops(strategy, instrument);
        }
        if self.is_following() || !self.has_to_be_closed(strategy, instrument) {
            return Ok(());
        }
        if traded {
            return self.close(strategy, instrument);
        }
        if closes_at_market(&order) && order.is_terminal() {
            return self.close_later(strategy, instrument);
        }
        Ok(())
    }

    fn has_to_be_closed(&self, strategy: u16, instrument: InstrumentId) -> bool {
        let held = self.ledger.position(strategy, instrument).map_or(0, |held| held.lots.0);
        held != 0 && (self.closes_all || self.has_fired_stop(strategy, instrument))
    }

    fn close_later(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        let of_it =
            |closing: &Closing| (closing.strategy, closing.instrument) == (strategy, instrument);
        let at = self.closings.iter().position(of_it).unwrap_or_else(|| {
            self.closings.push(Closing { strategy, instrument, attempts: 0, waits: false });
            self.closings.len() - 1
        });
        if self.closings[at].waits {
            return Ok(());
        }
        self.closings[at].waits = true;
        let at_ns = self.now_ns + self.attempt_wait_ns(self.closings[at].attempts);
        self.timers.push(at_ns, Timer::CloseAgain { strategy, instrument })
    }

    /// Another attempt to close a position that the venue did not close.
    pub(super) fn close_again(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        let has_to = self.has_to_be_closed(strategy, instrument);
        self.closings.retain_mut(|closing| {
            let of_it = (closing.strategy, closing.instrument) == (strategy, instrument);
            closing.attempts += u32::from(of_it);
            closing.waits &= !of_it;
            has_to || !of_it
        });
        if has_to && !self.is_following() {
            self.close(strategy, instrument)?;
        }
        Ok(())
    }

    /// Lots that orders on their way close already.
    pub(crate) fn being_closed(&self, strategy: u16, instrument: InstrumentId, side: Side) -> i64 {
        let closes = |order: &&Order| {
            let sent = matches!(
                order.state,
                OrderState::Submitted | OrderState::Open | OrderState::PartiallyFilled
            );
            sent && order.terms.side == side && closes_at_market(order)
        };
        let live = self.orders.live(strategy, instrument).filter(closes);
        live.map(|order| order.fillable().0).sum()
    }

    /// The first wait for another attempt, and twice as long for each further one, as with questions.
    fn attempt_wait_ns(&self, attempt: u32) -> DurationNs {
        let patience = self.outside.as_ref().map_or_else(Patience::default, |o| o.patience);
        patience.query_wait_ns(attempt)
    }
}
