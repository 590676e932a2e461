//! Facts of an account as the statements that a session takes: ids to engine ids, prices to ticks.

use mainspring_core::{
    Answer, CancelReason, ClientOrderId, Decimal, ForeignReport, InstrumentId, Lots, Money,
    OpenOrder, Report, Ticks, TimeNs, VenueEvent, VenueEventKind,
};

use crate::client_id::ClientIds;
use crate::fact::{FillFact, FillOrigin, OrderFact, OrderStatus, PositionFact};
use crate::listing::{Listing, Listings, TextMap};

/// Venue ids remembered, so that messages which name an order by the venue's id alone find ours.
const MAX_REMEMBERED: usize = 65_536;

/// What a fact about an order or fill means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Something happened to an order of ours.
    Report(Report),
    /// Nothing that the session does not know, such as that a request was received.
    Nothing,
    /// An order or fill that this session did not place.
    Foreign,
    /// An instrument that the session does not trade.
    OtherInstrument,
    /// A price or quantity off the instrument's grid: the definition is out of date, or the message is
    /// not what it seems. It must not be dropped in silence.
    OffGrid,
}

/// Turns facts into statements; remembers which venue id is which order. The oldest is forgotten first:
/// see [`Reports::make_room`].
#[derive(Debug)]
pub struct Reports {
    listings: Listings,
    clients: ClientIds,
    by_venue_id: TextMap<ClientOrderId>,
    order: std::collections::VecDeque<Box<str>>,
    key: String,
}

impl Reports {
    /// For a session with these instruments and this tag in its order ids.
    #[must_use]
    pub fn new(listings: Listings, clients: ClientIds) -> Self {
        Self {
            listings,
            clients,
            by_venue_id: TextMap::default(),
            order: std::collections::VecDeque::new(),
            key: String::new(),
        }
    }

    /// The instruments.
    #[must_use]
    pub const fn listings(&self) -> &Listings {
        &self.listings
    }

    /// Our order behind the ids of a message.
    pub fn order(
        &mut self,
        symbol: &str,
        client: &str,
        venue_id: &str,
        metadata: Option<u32>,
    ) -> Option<ClientOrderId> {
        self.key.clear();
        self.key.push_str(symbol);
        self.key.push(' ');
        self.key.push_str(venue_id);
        match self.clients.read(client, metadata) {
            Some(id) if venue_id.is_empty() => Some(id),
            Some(id) => {
                self.remember(id);
                Some(id)
            }
            // Orders that a trigger made have ids of the venue's own.
            None => self.by_venue_id.get(self.key.as_str()).copied(),
        }
    }

    /// Forgets the oldest venue id of an order that is not open where all places are taken, so that an open
    /// order is found by its venue id however long ago it was placed. Only where every one is of an open
    /// order, the oldest of all goes; false then.
    pub fn make_room(&mut self, is_open: impl Fn(ClientOrderId) -> bool) -> bool {
        if self.order.len() < MAX_REMEMBERED {
            return true;
        }
        for _ in 0..self.order.len() {
            let Some(oldest) = self.order.pop_front() else { return true };
            if !self.by_venue_id.get(oldest.as_ref()).is_some_and(|id| is_open(*id)) {
                self.by_venue_id.remove(&oldest);
                return true;
            }
            self.order.push_back(oldest);
        }
        false
    }

    fn remember(&mut self, id: ClientOrderId) {
        let venue_id = self.key.as_str();
        if self.by_venue_id.contains_key(venue_id) {
            return;
        }
        if self.order.len() == MAX_REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_venue_id.remove(&oldest);
            }
        }
        self.by_venue_id.insert(venue_id.into(), id);
        self.order.push_back(venue_id.into());
    }

    /// What a statement about an order means.
    pub fn of_order(&mut self, fact: &OrderFact<'_>, recv_ns: TimeNs) -> Statement {
        let Some(order) = self.order(fact.symbol, fact.client, fact.venue_id, fact.metadata) else {
            return Statement::Foreign;
        };
        let listing = self.listings.of_symbol(fact.symbol);
        let filled = match (fact.filled, listing) {
            (Some(filled), Some(listing)) => match listing.lots(filled) {
                Some(lots) => Some(lots),
                None => return Statement::OffGrid,
            },
            _ => None,
        };
        let Some(kind) = event_kind(fact, listing) else { return Statement::Nothing };
        let Ok(kind) = kind else { return Statement::OffGrid };
        let exch_ns = fact.time_ns.unwrap_or(recv_ns);
        let event = VenueEvent { order, exch_ns, recv_ns, kind };
        Statement::Report(Report { event, trade_id: 0, fee: None, filled })
    }

    /// What a fill means.
    pub fn of_fill(&mut self, fact: &FillFact<'_>, recv_ns: TimeNs) -> Statement {
        let Some(listing) = self.listings.of_symbol(fact.symbol) else {
            return Statement::OtherInstrument;
        };
        let prices = (listing.ticks(fact.price), listing.lots(fact.qty));
        let fee = fact.fee.filter(|_| fact.fee_currency == listing.instrument.settle());
        let filled = fact.filled.map(|filled| listing.lots(filled));
        let (Some(price), Some(qty)) = prices else { return Statement::OffGrid };
        if filled == Some(None) {
            return Statement::OffGrid;
        }
        let Some(order) = self.order(fact.symbol, fact.client, fact.venue_id, fact.metadata) else {
            return Statement::Foreign;
        };
        if fact.origin != FillOrigin::Book {
            return Statement::Foreign;
        }
        let kind = VenueEventKind::Filled { price, qty, maker: fact.maker.unwrap_or(false) };
        let exch_ns = fact.time_ns.unwrap_or(recv_ns);
        Statement::Report(Report {
            event: VenueEvent { order, exch_ns, recv_ns, kind },
            trade_id: id_number(fact.trade_id),
            fee: fee.and_then(money),
            filled: filled.flatten(),
        })
    }

    /// What a statement about an order that is not ours says; `None` for other instruments, and where
    /// it leaves open which order it is, or is off the grid.
    #[must_use]
    pub fn foreign_order(&self, fact: &OrderFact<'_>, recv_ns: TimeNs) -> Option<ForeignReport> {
        let listing = self.listings.of_symbol(fact.symbol)?;
        let kind = match event_kind(fact, Some(listing))? {
            Ok(VenueEventKind::Amended { .. }) => VenueEventKind::Accepted,
            Ok(kind) => kind,
            Err(()) => return None,
        };
        let filled = fact.filled.and_then(|filled| listing.lots(filled));
        let exch_ns = fact.time_ns.unwrap_or(recv_ns);
        let event = VenueEvent { order: ClientOrderId(0), exch_ns, recv_ns, kind };
        Some(ForeignReport {
            venue_order: Some(id_number(fact.venue_id)).filter(|id| *id != 0)?,
            instrument: listing.id,
            side: fact.side?,
            price: fact.price.map_or(Some(Ticks(0)), |price| listing.ticks(price))?,
            qty: fact.qty.map_or(Some(Lots::ZERO), |qty| listing.lots(qty))?,
            report: Report { event, trade_id: 0, fee: None, filled },
        })
    }

    /// As [`Self::foreign_order`], of a fill.
    #[must_use]
    pub fn foreign_fill(&self, fact: &FillFact<'_>, recv_ns: TimeNs) -> Option<ForeignReport> {
        let listing = self.listings.of_symbol(fact.symbol)?;
        let (price, qty) = (listing.ticks(fact.price)?, listing.lots(fact.qty)?);
        let fee = fact.fee.filter(|_| fact.fee_currency == listing.instrument.settle());
        let kind = VenueEventKind::Filled { price, qty, maker: fact.maker.unwrap_or(false) };
        let exch_ns = fact.time_ns.unwrap_or(recv_ns);
        Some(ForeignReport {
            venue_order: Some(id_number(fact.venue_id)).filter(|id| *id != 0)?,
            instrument: listing.id,
            side: fact.side?,
            price: Ticks(0),
            qty: Lots::ZERO,
            report: Report {
                event: VenueEvent { order: ClientOrderId(0), exch_ns, recv_ns, kind },
                trade_id: id_number(fact.trade_id),
                fee: fee.and_then(money),
                filled: fact.filled.and_then(|filled| listing.lots(filled)),
            },
        })
    }

    /// An open order as the session takes it; `None` for other instruments and prices off the grid.
    pub fn open_order(&mut self, fact: &OrderFact<'_>) -> Option<OpenOrder> {
        let order =
            self.order(fact.symbol, fact.client, fact.venue_id, fact.metadata).unwrap_or_default();
        let listing = self.listings.of_symbol(fact.symbol)?;
        Some(OpenOrder {
            order,
            venue_order: id_number(fact.venue_id),
            instrument: listing.id,
            side: fact.side?,
            price: listing.ticks(fact.price.unwrap_or_default())?,
            qty: listing.lots(fact.qty?)?,
            filled: listing.lots(fact.filled.unwrap_or_default())?,
        })
    }

    /// The state of one order as the answer to a question about it.
    #[must_use]
    pub fn answer(&self, fact: &OrderFact<'_>) -> Option<Answer> {
        let listing = self.listings.of_symbol(fact.symbol);
        let filled = match (fact.filled, listing) {
            (Some(filled), Some(listing)) => listing.lots(filled)?,
            _ => Lots::ZERO,
        };
        Some(match fact.status {
            OrderStatus::Filled => Answer::Filled { filled },
            OrderStatus::Cancelled(CancelReason::Expired) => Answer::Expired { filled },
            OrderStatus::Cancelled(_) => Answer::Cancelled { filled },
            OrderStatus::Rejected(_) => Answer::Rejected,
            OrderStatus::CancelRejected(_) | OrderStatus::AmendRejected(_) => return None,
            OrderStatus::Received => return None,
            _ => Answer::Working { filled },
        })
    }

    /// A position in lots; `None` for other instruments and quantities off the grid.
    #[must_use]
    pub fn position(&self, fact: &PositionFact<'_>) -> Option<(InstrumentId, Lots)> {
        let listing = self.listings.of_symbol(fact.symbol)?;
        Some((listing.id, listing.lots(fact.qty)?))
    }
}

/// What happened to an order; the inner error is a price or quantity off the grid.
fn event_kind(
    fact: &OrderFact<'_>,
    listing: Option<&Listing>,
) -> Option<Result<VenueEventKind, ()>> {
    use mainspring_core::RejectReason::VenueRule;
    Some(Ok(match fact.status {
        OrderStatus::Open | OrderStatus::Armed => VenueEventKind::Accepted,
        OrderStatus::Triggered => VenueEventKind::Triggered,
        OrderStatus::Cancelled(reason) => VenueEventKind::Cancelled(reason),
        OrderStatus::Rejected(reason) => VenueEventKind::Rejected(reason.unwrap_or(VenueRule)),
        OrderStatus::CancelRejected(reason) => VenueEventKind::CancelRejected(reason),
        OrderStatus::AmendRejected(reason) => {
            VenueEventKind::AmendRejected(reason.unwrap_or(VenueRule))
        }
        OrderStatus::Amended => {
            let listing = listing?;
            let price = fact.price.and_then(|price| listing.ticks(price));
            let qty = fact.qty.and_then(|qty| listing.lots(qty));
            match (price, qty) {
                (Some(price), Some(qty)) => VenueEventKind::Amended { price, qty },
                _ => return Some(Err(())),
            }
        }
        // Quantities come with the fills, which have their own facts.
        OrderStatus::Received
        | OrderStatus::PartiallyFilled
        | OrderStatus::Filled
        | OrderStatus::Leaving => return None,
    }))
}

/// A venue's id as a number: itself where it is one, else a hash of its text (FNV-1a, 64 bits); never 0
/// for text that is not empty.
#[must_use]
pub fn id_number(text: &str) -> u64 {
    if let Ok(number) = text.parse::<u64>() {
        return number;
    }
    if text.is_empty() {
        return 0;
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.max(1)
}

fn money(value: Decimal) -> Option<Money> {
    value.to_scale(mainspring_core::money::MONEY_DECIMALS).map(Money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_id::ClientIdForm;
    use mainspring_core::{Instrument, InstrumentKind, PriceGrid, Side};

    fn listings() -> Listings {
        let instrument = Instrument {
            symbol: "BTCUSDT".to_owned(),
            venue: "binance_usdm".to_owned(),
            kind: InstrumentKind::LinearPerpetual,
            base: "BTC".to_owned(),
            quote: "USDT".to_owned(),
            grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
            lot: "0.001".parse().unwrap(),
            multiplier: Decimal::ONE,
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Decimal::ZERO,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            margin_tiers: Vec::new(),
        };
        Listings::new(vec![Listing::new(InstrumentId(0), instrument)]).unwrap()
    }

    fn fill<'a>(client: &'a str, venue_id: &'a str) -> FillFact<'a> {
        FillFact {
            symbol: "BTCUSDT",
            client,
            venue_id,
            trade_id: "88",
            side: Some(Side::Buy),
            price: "61800.3".parse().unwrap(),
            qty: "0.002".parse().unwrap(),
            fee: Some("0.05".parse().unwrap()),
            fee_currency: "USDT",
            maker: Some(true),
            filled: None,
            time_ns: Some(5),
            origin: FillOrigin::Book,
            metadata: None,
        }
    }

    #[test]
    fn a_fill_by_venue_id_alone_finds_the_order_told_before() {
        let clients = ClientIds::new(ClientIdForm::Text, 9);
        let mut reports = Reports::new(listings(), clients);
        let mut client = String::new();
        clients.write(ClientOrderId(77), &mut client);
        assert_eq!(reports.of_fill(&fill("", "abc"), 6), Statement::Foreign);
        let open = OrderFact::new(OrderStatus::Open).of("BTCUSDT", &client, "abc");
        let Statement::Report(report) = reports.of_order(&open, 6) else { panic!("no report") };
        assert_eq!(report.event.kind, VenueEventKind::Accepted);
        let Statement::Report(report) = reports.of_fill(&fill("", "abc"), 6) else {
            panic!("no report")
        };
        assert_eq!(report.event.order, ClientOrderId(77));
        assert_eq!(report.trade_id, 88);
        assert_eq!(report.fee, Some(Money(50_000_000_000_000_000)));
        let kind = VenueEventKind::Filled { price: Ticks(618_003), qty: Lots(2), maker: true };
        assert_eq!(report.event.kind, kind);
    }

    #[test]
    fn an_open_order_keeps_its_venue_id_while_ended_ones_are_forgotten() {
        let clients = ClientIds::new(ClientIdForm::Text, 9);
        let mut reports = Reports::new(listings(), clients);
        let mut client = String::new();
        let mut name = |reports: &mut Reports, order: u64| {
            let roomy = reports.make_room(|id| id.0 % 1_000 == 1);
            clients.write(ClientOrderId(order), &mut client);
            reports.order("BTCUSDT", &client, &format!("v{order}"), None);
            client.clear();
            roomy
        };
        let many = 2 * MAX_REMEMBERED as u64;
        assert!((1..=many).all(|order| name(&mut reports, order)));
        let mut found = |order: u64| reports.order("BTCUSDT", "", &format!("v{order}"), None);
        assert_eq!(found(2), None);
        assert_eq!(found(many), Some(ClientOrderId(many)));
        for open in (1..many).step_by(1_000) {
            assert_eq!(found(open), Some(ClientOrderId(open)));
        }
        assert_eq!(reports.order.len(), MAX_REMEMBERED);
    }

    #[test]
    fn where_all_are_open_the_oldest_goes_and_it_is_said() {
        let clients = ClientIds::new(ClientIdForm::Text, 9);
        let mut reports = Reports::new(listings(), clients);
        let mut client = String::new();
        for order in 1..=MAX_REMEMBERED as u64 + 1 {
            let roomy = reports.make_room(|_| true);
            assert_eq!(roomy, order <= MAX_REMEMBERED as u64);
            client.clear();
            clients.write(ClientOrderId(order), &mut client);
            reports.order("BTCUSDT", &client, &format!("v{order}"), None);
        }
        assert_eq!(reports.order("BTCUSDT", "", "v1", None), None);
        assert_eq!(reports.order("BTCUSDT", "", "v2", None), Some(ClientOrderId(2)));
        assert_eq!(reports.order.len(), MAX_REMEMBERED);
    }

    #[test]
    fn what_is_off_the_grid_or_foreign_is_said_to_be() {
        let clients = ClientIds::new(ClientIdForm::Text, 9);
        let mut reports = Reports::new(listings(), clients);
        let mut off = fill("by-hand", "1");
        assert_eq!(reports.of_fill(&off, 6), Statement::Foreign);
        off.price = "61800.35".parse().unwrap();
        assert_eq!(reports.of_fill(&off, 6), Statement::OffGrid);
        off.symbol = "DOGEUSDT";
        assert_eq!(reports.of_fill(&off, 6), Statement::OtherInstrument);
    }

    #[test]
    fn ids_of_text_become_numbers_that_do_not_change() {
        assert_eq!(id_number("123"), 123);
        assert_eq!(id_number(""), 0);
        assert_eq!(id_number("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
