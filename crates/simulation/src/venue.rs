//! The venue outside: it remembers everything, and answers questions about it.

use std::collections::BTreeMap;

use mainspring_core::event::MarketRow;
use mainspring_core::{
    CancelReason, ClientOrderId, Instrument, InstrumentId, Lots, Result, Side, Ticks, TimeNs,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_kernel::session::{Answer, OpenOrder, Report};
use mainspring_sim::{SimConfig, SimMarket};

/// Requests older than this are refused, as venues do by their receive window: a question after
/// that gets a final answer.
pub(crate) const WINDOW_NS: i64 = 5_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Known {
    side: Side,
    price: Ticks,
    qty: Lots,
    filled: Lots,
    end: Option<VenueEventKind>,
}

/// A venue with one market and our account on it.
pub(crate) struct Venue {
    market: SimMarket,
    orders: BTreeMap<ClientOrderId, Known>,
    fills: Vec<Report>,
    position: Lots,
    foreign: Vec<OpenOrder>,
    out: Vec<VenueEvent>,
}

impl Venue {
    pub(crate) fn new(instrument: &Instrument) -> Result<Self> {
        Ok(Self {
            market: SimMarket::new(InstrumentId(0), instrument, &SimConfig::default())?,
            orders: BTreeMap::new(),
            fills: Vec::new(),
            position: Lots::ZERO,
            foreign: Vec::new(),
            out: Vec::new(),
        })
    }

    /// What the account holds.
    pub(crate) const fn position(&self) -> Lots {
        self.position
    }

    /// Somebody places an order by hand on our account.
    pub(crate) fn place_by_hand(&mut self, price: Ticks) {
        let venue_order = 1_000_000 + self.foreign.len() as u64;
        self.foreign.push(OpenOrder {
            order: ClientOrderId(0),
            venue_order,
            instrument: InstrumentId(0),
            side: Side::Buy,
            price,
            qty: Lots(1),
            filled: Lots(0),
        });
    }

    /// Cancels an order that was placed by hand.
    pub(crate) fn cancel_by_hand(&mut self, venue_order: u64) {
        self.foreign.retain(|order| order.venue_order != venue_order);
    }

    /// The market moves.
    pub(crate) fn on_row(&mut self, row: &MarketRow) -> Vec<Report> {
        self.market.on_row(row, Ticks(0), row.exch_ns, &mut self.out);
        self.reports()
    }

    /// A request arrives.
    pub(crate) fn on_request(&mut self, request: &VenueRequest, now_ns: TimeNs) -> Vec<Report> {
        if now_ns - request.sent_ns > WINDOW_NS {
            return Vec::new();
        }
        if let VenueRequestKind::New(terms) = request.kind {
            self.orders.entry(request.order).or_insert(Known {
                side: terms.side,
                price: terms.price,
                qty: terms.qty,
                filled: Lots::ZERO,
                end: None,
            });
        }
        self.market.on_request(request, now_ns, &mut self.out);
        self.reports()
    }

    /// Refuses a request without looking at it.
    pub(crate) fn refuse(
        &mut self,
        request: &VenueRequest,
        reason: mainspring_core::RejectReason,
        now_ns: TimeNs,
    ) -> Vec<Report> {
        let kind = match request.kind {
            VenueRequestKind::New(_) => VenueEventKind::Rejected(reason),
            VenueRequestKind::Cancel { .. } => VenueEventKind::CancelRejected(reason),
            VenueRequestKind::Amend { .. } => VenueEventKind::AmendRejected(reason),
        };
        let event = VenueEvent { order: request.order, exch_ns: now_ns, recv_ns: now_ns, kind };
        vec![Report::plain(event)]
    }

    fn reports(&mut self) -> Vec<Report> {
        let events = std::mem::take(&mut self.out);
        events.into_iter().map(|event| self.note(event)).collect()
    }

    fn note(&mut self, event: VenueEvent) -> Report {
        let mut report = Report::plain(event);
        let Some(known) = self.orders.get_mut(&event.order) else { return report };
        match event.kind {
            VenueEventKind::Filled { qty, .. } => {
                known.filled += qty;
                self.position = Lots(self.position.0 + known.side.sign() * qty.0);
                if known.filled >= known.qty {
                    known.end = Some(event.kind);
                }
                report.trade_id = self.fills.len() as u64 + 1;
                self.fills.push(report);
            }
            VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => {
                known.end = Some(event.kind);
                report.filled = Some(known.filled);
            }
            VenueEventKind::Amended { price, qty } => (known.price, known.qty) = (price, qty),
            _ => {}
        }
        report
    }

    /// What became of an order.
    pub(crate) fn answer(&self, order: ClientOrderId) -> Answer {
        let Some(known) = self.orders.get(&order) else { return Answer::NotFound };
        let filled = known.filled;
        match known.end {
            None => Answer::Working { filled },
            Some(VenueEventKind::Filled { .. }) => Answer::Filled { filled },
            Some(VenueEventKind::Rejected(_)) => Answer::Rejected,
            Some(VenueEventKind::Cancelled(CancelReason::Expired)) => Answer::Expired { filled },
            Some(_) => Answer::Cancelled { filled },
        }
    }

    /// Fills from a time on, in order.
    pub(crate) fn fills_since(&self, since_ns: TimeNs) -> Vec<Report> {
        self.fills.iter().filter(|fill| fill.event.exch_ns >= since_ns).copied().collect()
    }

    /// Every open order on the account.
    pub(crate) fn open_orders(&self) -> Vec<OpenOrder> {
        let ours = self.orders.iter().filter(|(_, known)| known.end.is_none());
        ours.map(|(order, known)| OpenOrder {
            order: *order,
            venue_order: order.0,
            instrument: InstrumentId(0),
            side: known.side,
            price: known.price,
            qty: known.qty,
            filled: known.filled,
        })
        .chain(self.foreign.iter().copied())
        .collect()
    }
}
