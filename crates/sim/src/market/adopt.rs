//! Orders that are at the venue already: a market that is built anew takes them up.

use mainspring_core::order::{ClientOrderId, OrderTerms, OrderType, TimeInForce};
use mainspring_core::units::Lots;

use super::SimMarket;
use crate::orders::{Stage, NONE};
use crate::queue::QueuePosition;

/// In front of an order whose level is not known yet: everything. The next quantity of the level
/// bounds it, as it bounds every queue.
const WHOLE_LEVEL: f64 = (1_u64 << 53) as f64;

impl SimMarket {
    /// Takes up an order that the venue has accepted before, without a statement. A resting order
    /// stands behind all that its level shows when the feed next sets it; a stop waits for its trigger
    /// unless `triggered`.
    pub fn adopt(&mut self, id: ClientOrderId, terms: &OrderTerms, filled: Lots, triggered: bool) {
        if filled >= terms.qty || self.orders.find(id).is_some() {
            return;
        }
        let partner = match self.orders.find(terms.oco) {
            Some(slot) if terms.oco.0 != 0 && self.orders.get(slot).partner == NONE => slot,
            _ => NONE,
        };
        let slot = self.open(id, terms, partner);
        let order = self.orders.get_mut(slot);
        order.filled = filled.0;
        if !order.reduce_only() {
            self.open_lots[terms.side as usize] -= filled.0;
        }
        if terms.time_in_force == TimeInForce::Gtd {
            self.expiries.push(&mut self.orders, slot);
        }
        let waits = matches!(
            terms.order_type,
            OrderType::Stop
                | OrderType::StopLimit
                | OrderType::TakeProfit
                | OrderType::TrailingStop
        );
        if waits && !triggered {
            self.arm(slot);
        } else {
            let order = self.orders.get_mut(slot);
            order.stage = Stage::Resting;
            order.queue = QueuePosition::at_back(WHOLE_LEVEL);
            order.slice = terms.display.0.min(order.remaining());
            self.orders.link(slot);
        }
        self.watch();
    }
}
