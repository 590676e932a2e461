//! The venue outside: it remembers everything, and answers questions about it.

use std::collections::BTreeMap;

use mainspring_core::event::MarketRow;
use mainspring_core::order::OrderTerms;
use mainspring_core::report::Account;
use mainspring_core::{
    CancelReason, ClientOrderId, ForeignReport, Instrument, InstrumentId, Lots, RejectReason,
    Result, Side, Ticks, TimeNs, VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_kernel::session::{Answer, OpenOrder, Report};
use mainspring_sim::{SimConfig, SimMarket};

/// Requests older than this are refused, as venues do by their receive window: a question after
/// that gets a final answer.
pub(crate) const WINDOW_NS: i64 = 5_000_000_000;

/// Orders that are placed by hand have ids of the venue from here on.
const BY_HAND: u64 = 1 << 60;

/// A statement of the venue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    /// About an order of ours.
    Ours(Report),
    /// About an order that somebody placed by hand.
    Foreign(ForeignReport),
}

impl Said {
    /// Whether it says that something traded.
    pub(crate) const fn is_fill(&self) -> bool {
        let report = match self {
            Self::Ours(report) => report,
            Self::Foreign(foreign) => &foreign.report,
        };
        matches!(report.event.kind, VenueEventKind::Filled { .. })
    }
}

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
    fills: Vec<Said>,
    position: Lots,
    by_hand: u64,
    traded_by_hand: i64,
    out: Vec<VenueEvent>,
}

impl Venue {
    pub(crate) fn new(instrument: &Instrument) -> Result<Self> {
        Ok(Self {
            market: SimMarket::new(InstrumentId(0), instrument, &SimConfig::default())?,
            orders: BTreeMap::new(),
            fills: Vec::new(),
            position: Lots::ZERO,
            by_hand: 0,
            traded_by_hand: 0,
            out: Vec::new(),
        })
    }

    /// What the account holds.
    pub(crate) const fn position(&self) -> Lots {
        self.position
    }

    /// Lots that traded of orders placed by hand.
    pub(crate) const fn traded_by_hand(&self) -> i64 {
        self.traded_by_hand
    }

    /// Somebody places an order by hand on our account.
    pub(crate) fn place_by_hand(
        &mut self,
        side: Side,
        price: Ticks,
        qty: Lots,
        now_ns: TimeNs,
    ) -> Vec<Said> {
        self.by_hand += 1;
        let terms = OrderTerms::limit(InstrumentId(0), side, price, qty);
        let order = ClientOrderId(BY_HAND + self.by_hand);
        let kind = VenueRequestKind::New(terms);
        self.on_request(&VenueRequest { order, sent_ns: now_ns, kind }, now_ns)
    }

    /// Cancels an order by the venue's id of it.
    pub(crate) fn cancel_by_id(&mut self, venue_order: u64, now_ns: TimeNs) -> Vec<Said> {
        let kind = VenueRequestKind::Cancel { instrument: InstrumentId(0) };
        let order = ClientOrderId(venue_order);
        self.on_request(&VenueRequest { order, sent_ns: now_ns, kind }, now_ns)
    }

    /// The market moves.
    pub(crate) fn on_row(&mut self, row: &MarketRow) -> Vec<Said> {
        self.market.on_row(row, Ticks(0), row.exch_ns, &mut self.out);
        self.reports()
    }

    /// A request arrives.
    pub(crate) fn on_request(&mut self, request: &VenueRequest, now_ns: TimeNs) -> Vec<Said> {
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
        reason: RejectReason,
        now_ns: TimeNs,
    ) -> Vec<Said> {
        let kind = match request.kind {
            VenueRequestKind::New(_) => VenueEventKind::Rejected(reason),
            VenueRequestKind::Cancel { .. } => VenueEventKind::CancelRejected(reason),
            VenueRequestKind::Amend { .. } => VenueEventKind::AmendRejected(reason),
        };
        let event = VenueEvent { order: request.order, exch_ns: now_ns, recv_ns: now_ns, kind };
        vec![Said::Ours(Report::plain(event))]
    }

    fn reports(&mut self) -> Vec<Said> {
        let events = std::mem::take(&mut self.out);
        events.into_iter().map(|event| self.note(event)).collect()
    }

    fn note(&mut self, event: VenueEvent) -> Said {
        let mut report = Report::plain(event);
        let Some(known) = self.orders.get_mut(&event.order) else { return Said::Ours(report) };
        let by_hand = event.order.0 > BY_HAND;
        match event.kind {
            VenueEventKind::Filled { qty, .. } => {
                known.filled += qty;
                self.position = Lots(self.position.0 + known.side.sign() * qty.0);
                if known.filled >= known.qty {
                    known.end = Some(event.kind);
                }
                if by_hand {
                    self.traded_by_hand += qty.0;
                    report.filled = Some(known.filled);
                }
                report.trade_id = self.fills.len() as u64 + 1;
            }
            VenueEventKind::Cancelled(_) | VenueEventKind::Rejected(_) => {
                known.end = Some(event.kind);
                report.filled = Some(known.filled);
            }
            VenueEventKind::Amended { price, qty } => (known.price, known.qty) = (price, qty),
            _ => {}
        }
        let said = if by_hand {
            report.event.order = ClientOrderId(0);
            Said::Foreign(ForeignReport {
                venue_order: event.order.0,
                instrument: InstrumentId(0),
                side: known.side,
                price: known.price,
                qty: known.qty,
                report,
            })
        } else {
            Said::Ours(report)
        };
        if report.trade_id != 0 {
            self.fills.push(said);
        }
        said
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

    /// What the account is from a time on: fills in order, open orders, the position.
    pub(crate) fn account(&self, since_ns: TimeNs, as_of_ns: TimeNs) -> Account {
        let mut account = Account { as_of_ns, open: self.open_orders(), ..Account::default() };
        for said in &self.fills {
            match *said {
                Said::Ours(fill) if fill.event.exch_ns >= since_ns => account.fills.push(fill),
                Said::Foreign(fill) if fill.report.event.exch_ns >= since_ns => {
                    account.foreign.push(fill);
                }
                _ => {}
            }
        }
        account.positions.push((InstrumentId(0), self.position));
        account
    }

    /// Price and quantity of an order that is open.
    pub(crate) fn terms_of(&self, order: ClientOrderId) -> Option<(Ticks, Lots)> {
        let known = self.orders.get(&order).filter(|known| known.end.is_none());
        known.map(|known| (known.price, known.qty))
    }

    /// Signed lots of the fill with this id.
    pub(crate) fn lots_of(&self, trade_id: usize) -> i64 {
        let side_of = |order| self.orders.get(&order).map_or(0, |known: &Known| known.side.sign());
        let (sign, report) = match &self.fills[trade_id - 1] {
            Said::Ours(report) => (side_of(report.event.order), report),
            Said::Foreign(foreign) => (foreign.side.sign(), &foreign.report),
        };
        match report.event.kind {
            VenueEventKind::Filled { qty, .. } => sign * qty.0,
            _ => 0,
        }
    }

    /// How many fills there were; their ids count from 1.
    pub(crate) const fn fills(&self) -> usize {
        self.fills.len()
    }

    /// Every open order on the account.
    pub(crate) fn open_orders(&self) -> Vec<OpenOrder> {
        let open = self.orders.iter().filter(|(_, known)| known.end.is_none());
        open.map(|(order, known)| OpenOrder {
            order: if order.0 > BY_HAND { ClientOrderId(0) } else { *order },
            venue_order: order.0,
            instrument: InstrumentId(0),
            side: known.side,
            price: known.price,
            qty: known.qty,
            filled: known.filled,
        })
        .collect()
    }
}
