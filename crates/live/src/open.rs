//! What is open at a venue as far as its last door knows: what a halt cancels without the kernel.

use mainspring_core::limits::MAX_OPEN_ORDERS;
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, ForeignReport, InstrumentId, Request, TimeNs, VenueEventKind, VenueRequest,
    VenueRequestKind,
};

/// An order that the kernel has adopted.
#[derive(Clone, Copy, Debug)]
struct Adopted {
    venue_order: u64,
    instrument: InstrumentId,
    noted_ns: TimeNs,
}

/// Orders that may be open at a venue.
#[derive(Debug)]
pub(crate) struct OpenAtVenue {
    ours: Vec<(ClientOrderId, InstrumentId)>,
    adopted: Vec<Adopted>,
}

impl OpenAtVenue {
    pub(crate) fn new() -> Self {
        Self { ours: Vec::with_capacity(MAX_OPEN_ORDERS), adopted: Vec::with_capacity(64) }
    }

    /// An order of ours left, or was open before.
    pub(crate) fn note(&mut self, order: ClientOrderId, instrument: InstrumentId) {
        if self.ours.len() < MAX_OPEN_ORDERS {
            self.ours.push((order, instrument));
        }
    }

    /// The kernel has adopted an order.
    pub(crate) fn note_adopted(
        &mut self,
        venue_order: u64,
        instrument: InstrumentId,
        noted_ns: TimeNs,
    ) {
        let known = self.adopted.iter().any(|one| one.venue_order == venue_order);
        if !known && self.adopted.len() < MAX_OPEN_ORDERS {
            self.adopted.push(Adopted { venue_order, instrument, noted_ns });
        }
    }

    /// An order of ours is over.
    pub(crate) fn end(&mut self, order: ClientOrderId) {
        if let Some(at) = self.ours.iter().position(|(id, _)| *id == order) {
            self.ours.swap_remove(at);
        }
    }

    /// The venue says something about an order that was not placed here.
    pub(crate) fn hear(&mut self, foreign: &ForeignReport) {
        let over = match foreign.report.event.kind {
            VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => true,
            VenueEventKind::Filled { .. } => {
                let filled = foreign.report.filled.map_or(0, |filled| filled.0);
                foreign.qty.0 > 0 && filled >= foreign.qty.0
            }
            _ => false,
        };
        if over {
            self.adopted.retain(|one| one.venue_order != foreign.venue_order);
        }
    }

    /// The venue lists every open order: what was adopted before it was asked, and is not in the list,
    /// is over.
    pub(crate) fn listed(&mut self, account: &Account) {
        self.adopted.retain(|one| {
            one.noted_ns >= account.as_of_ns
                || account.open.iter().any(|open| open.venue_order == one.venue_order)
        });
    }

    pub(crate) fn count(&self) -> usize {
        self.ours.len() + self.adopted.len()
    }

    /// A cancel for each.
    pub(crate) fn cancels(&self, sent_ns: TimeNs) -> impl Iterator<Item = Request> + '_ {
        let ours = self.ours.iter().map(move |(order, instrument)| {
            let kind = VenueRequestKind::Cancel { instrument: *instrument };
            Request::Order(VenueRequest { order: *order, sent_ns, kind })
        });
        let adopted = self.adopted.iter().map(|one| Request::ForeignCancel {
            venue_order: one.venue_order,
            instrument: one.instrument,
        });
        ours.chain(adopted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::{CancelReason, Lots, OpenOrder, Report, Side, Ticks, VenueEvent};

    const BTC: InstrumentId = InstrumentId(0);

    fn said(venue_order: u64, kind: VenueEventKind, filled: i64) -> ForeignReport {
        let event = VenueEvent { order: ClientOrderId(0), exch_ns: 0, recv_ns: 0, kind };
        ForeignReport {
            venue_order,
            instrument: BTC,
            side: Side::Buy,
            price: Ticks(1),
            qty: Lots(5),
            report: Report { filled: Some(Lots(filled)), ..Report::plain(event) },
        }
    }

    fn adopted(open: &OpenAtVenue) -> Vec<u64> {
        let id = |request| match request {
            Request::ForeignCancel { venue_order, .. } => Some(venue_order),
            _ => None,
        };
        open.cancels(0).filter_map(id).collect()
    }

    #[test]
    fn adopted_orders_are_cancelled_by_the_venues_id_until_they_are_over() {
        let mut open = OpenAtVenue::new();
        open.note(ClientOrderId(7), BTC);
        (1..=4).for_each(|id| open.note_adopted(id, BTC, 10));
        open.note_adopted(4, BTC, 10);
        assert_eq!((open.count(), open.cancels(0).count()), (5, 5));
        let fill = VenueEventKind::Filled { price: Ticks(1), qty: Lots(2), maker: true };
        open.hear(&said(1, VenueEventKind::Cancelled(CancelReason::Requested), 0));
        open.hear(&said(2, fill, 2));
        assert_eq!(adopted(&open), [2, 3, 4], "a part is not the end");
        open.hear(&said(2, fill, 5));
        assert_eq!(adopted(&open), [3, 4]);
        let listed = OpenOrder {
            order: ClientOrderId(0),
            venue_order: 3,
            instrument: BTC,
            side: Side::Buy,
            price: Ticks(1),
            qty: Lots(5),
            filled: Lots(0),
        };
        open.note_adopted(5, BTC, 30);
        open.listed(&Account { as_of_ns: 20, open: vec![listed], ..Account::default() });
        assert_eq!(adopted(&open), [3, 5], "4 is not listed, 5 is newer than the list");
        open.end(ClientOrderId(7));
        assert_eq!(open.count(), 2);
    }
}
