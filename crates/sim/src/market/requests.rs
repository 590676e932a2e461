//! Requests at the venue: new, cancel, amend.

use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderFlags, OrderTerms, OrderType, RejectReason, TimeInForce,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};

use super::{say, SimMarket};
use crate::orders::{Slot, Stage, NONE};

impl SimMarket {
    pub(super) fn handle_request(
        &mut self,
        request: &VenueRequest,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let id = request.order;
        let admitted = self.overload.as_mut().is_none_or(|window| window.admits(now_ns));
        match &request.kind {
            VenueRequestKind::New(terms) => {
                let taken_in = if admitted {
                    self.take_in(id, terms, now_ns, out)
                } else {
                    Err(RejectReason::Overloaded)
                };
                if let Err(reason) = taken_in {
                    say(out, id, now_ns, VenueEventKind::Rejected(reason));
                }
            }
            VenueRequestKind::Cancel { .. } => match self.orders.find(id) {
                _ if !admitted => {
                    let kind = VenueEventKind::CancelRejected(RejectReason::Overloaded);
                    say(out, id, now_ns, kind);
                }
                Some(slot) => self.cancel_slot(slot, CancelReason::Requested, now_ns, out),
                None => {
                    let kind = VenueEventKind::CancelRejected(RejectReason::UnknownOrder);
                    say(out, id, now_ns, kind);
                }
            },
            VenueRequestKind::Amend { price, qty, .. } => {
                let amended = if admitted {
                    self.amend(id, *price, *qty, now_ns, out)
                } else {
                    Err(RejectReason::Overloaded)
                };
                if let Err(reason) = amended {
                    say(out, id, now_ns, VenueEventKind::AmendRejected(reason));
                }
            }
        }
    }

    fn take_in(
        &mut self,
        id: ClientOrderId,
        terms: &OrderTerms,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), RejectReason> {
        let asked = terms.qty;
        let mut terms = *terms;
        self.check_new(id, &mut terms)?;
        let partner = self.partner_of(&terms)?;
        if terms.order_type == OrderType::Pegged {
            terms.price = self.peg_price(&terms).ok_or(RejectReason::NoLiquidity)?;
        }
        let waits = self.waits_for_trigger(&terms)?;
        let expired = terms.time_in_force == TimeInForce::Gtd && terms.expire_ns <= now_ns;
        if !waits && !expired {
            self.refuse_entry(&terms, terms.qty.0)?;
        }
        let slot = self.open(id, &terms, partner);
        say(out, id, now_ns, VenueEventKind::Accepted);
        if terms.qty != asked {
            say_amended(out, id, now_ns, &terms);
        }
        if expired {
            self.cancel_slot(slot, CancelReason::Expired, now_ns, out);
            return Ok(());
        }
        if terms.time_in_force == TimeInForce::Gtd {
            self.expiries.push(&mut self.orders, slot);
        }
        if waits {
            self.arm(slot);
        } else {
            self.enter(slot, now_ns, out);
        }
        Ok(())
    }

    fn check_new(&self, id: ClientOrderId, terms: &mut OrderTerms) -> Result<(), RejectReason> {
        self.check_terms(terms)?;
        if self.orders.find(id).is_some() {
            return Err(RejectReason::DuplicateOrder);
        }
        let reduce_only = terms.flags.has(OrderFlags::REDUCE_ONLY);
        terms.qty = Lots(self.reduced(terms.side, reduce_only, terms.qty.0)?);
        if !reduce_only && !self.has_margin(terms.side, terms.qty.0) {
            return Err(RejectReason::InsufficientMargin);
        }
        if self.orders.len() >= self.config.max_orders {
            return Err(RejectReason::Overloaded);
        }
        Ok(())
    }

    fn partner_of(&self, terms: &OrderTerms) -> Result<Slot, RejectReason> {
        if terms.oco.0 == 0 {
            return Ok(NONE);
        }
        match self.orders.find(terms.oco) {
            Some(slot) if self.orders.get(slot).partner == NONE => Ok(slot),
            _ => Err(RejectReason::UnknownOrder),
        }
    }

    /// Takes an order in that passed every check.
    pub(super) fn open(&mut self, id: ClientOrderId, terms: &OrderTerms, partner: Slot) -> Slot {
        let slot = self.orders.insert(id, terms);
        if self.orders.get(slot).reduce_only() {
            self.reduce_only += 1;
        } else {
            self.open_lots[terms.side as usize] += terms.qty.0;
        }
        if partner != NONE {
            self.orders.get_mut(slot).partner = partner;
            self.orders.get_mut(partner).partner = slot;
        }
        if terms.order_type == OrderType::Pegged {
            let at = self.pegs.partition_point(|peg| self.orders.get(*peg).id < id);
            self.pegs.insert(at, slot);
        }
        slot
    }

    fn amend(
        &mut self,
        id: ClientOrderId,
        price: Ticks,
        qty: Lots,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), RejectReason> {
        let slot = self.orders.find(id).ok_or(RejectReason::UnknownOrder)?;
        let order = self.orders.get(slot);
        if qty.0 <= order.filled {
            self.cancel_slot(slot, CancelReason::Requested, now_ns, out);
            return Ok(());
        }
        let (old, stage, filled) = (order.terms, order.stage, order.filled);
        let mut terms = amended_terms(&old, price, qty);
        self.check_terms(&terms)?;
        let left = qty.0 - filled;
        let reduced = self.reduced(terms.side, order.reduce_only(), left)?;
        terms.qty = Lots(filled + reduced);
        let added = terms.qty.0 - old.qty.0;
        if added > 0 && !order.reduce_only() && !self.has_margin(terms.side, added) {
            return Err(RejectReason::InsufficientMargin);
        }
        let keeps_place = terms.price == old.price && added <= 0;
        if stage == Stage::Armed {
            self.waits_for_trigger(&terms)?;
            self.rearm(slot, &terms);
        } else if !keeps_place {
            self.refuse_entry(&terms, reduced)?;
            self.orders.unlink(slot);
        }
        self.change_terms(slot, terms, added);
        say_amended(out, id, now_ns, &terms);
        if stage != Stage::Armed && !keeps_place {
            self.enter(slot, now_ns, out);
        }
        Ok(())
    }

    fn change_terms(&mut self, slot: Slot, terms: OrderTerms, added: i64) {
        let order = self.orders.get_mut(slot);
        order.terms = terms;
        order.slice = order.slice.min(order.remaining());
        if !order.reduce_only() {
            self.open_lots[terms.side as usize] += added;
        }
    }
}

/// The terms after an amend: the price is the trigger of an order that has no limit of its own,
/// and nothing for one that follows the market.
fn amended_terms(old: &OrderTerms, price: Ticks, qty: Lots) -> OrderTerms {
    let mut terms = OrderTerms { qty, ..*old };
    match old.order_type {
        OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg => terms.price = price,
        OrderType::Stop | OrderType::TakeProfit => terms.trigger = price,
        OrderType::Market | OrderType::TrailingStop | OrderType::Pegged => {}
    }
    terms
}

/// Tells price and quantity as they now stand.
pub(super) fn say_amended(
    out: &mut Vec<VenueEvent>,
    id: ClientOrderId,
    now_ns: TimeNs,
    terms: &OrderTerms,
) {
    let kind = VenueEventKind::Amended { price: working_price(terms), qty: terms.qty };
    say(out, id, now_ns, kind);
}

/// The price an amend changes: the trigger of an order without a limit, else the limit.
fn working_price(terms: &OrderTerms) -> Ticks {
    match terms.order_type {
        OrderType::Stop | OrderType::TakeProfit => terms.trigger,
        _ => terms.price,
    }
}
