//! Orders and fills that this session did not place: by hand at the venue, by another session of the
//! account, or before a journal was lost.
//!
//! By policy they are reported, cancelled, or adopted. An adopted order is one of ours from then on: it
//! has an id and an owner here, counts in limits, can be cancelled and amended, and its fills are booked; the
//! last door knows it, too, and cancels it when the kernel cannot. That it was
//! adopted is an input of its own in the journal, before the statement that showed it: who follows the
//! journal adopts what was adopted, whatever the policy is by then.
//!
//! What an order had traded before it was adopted is not booked, unless the venue lists those fills and
//! they are not older than the session.

use mainspring_core::order::{OrderTerms, OrderType};
use mainspring_core::report::Account;
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, ForeignReport, InstrumentId, Lots, OpenOrder, Report, Result,
    Side, Ticks, TimeNs, VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_trading::orders::{Order, OrderEvent, Purpose, VenueOrderId};

use super::outside::ForeignOrders;
use super::record::{AdoptedRecord, ForeignRecord, Kind, Terms};
use super::{Event, Request, Session};
use crate::intent::FIRST_ELSEWHERE;
use crate::kernel::{track_open, Call, Kernel};

/// Ids of adopted orders begin here, unless the venue knows an order by an id of ours.
pub const FIRST_ADOPTED: u64 = 1 << 56;

/// Places in the order table that adopted orders leave to orders of strategies.
const ROOM_FOR_OURS: usize = 64;

/// Whether a venue knows an order by its own id only.
#[inline]
#[must_use]
pub const fn is_known_by_venue_id(order: ClientOrderId) -> bool {
    order.0 >= FIRST_ADOPTED
}

/// An order as it was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    venue: u16,
    venue_order: u64,
    /// Our id by which the venue knows it; 0 for none.
    order: ClientOrderId,
    instrument: InstrumentId,
    side: Side,
    price: Ticks,
    qty: Lots,
    filled: Lots,
}

impl Found {
    fn listed(venue: u16, open: &OpenOrder, filled: Lots) -> Self {
        let OpenOrder { order, venue_order, instrument, side, price, qty, .. } = *open;
        Self { venue, venue_order, order, instrument, side, price, qty, filled }
    }

    /// By what a statement says. A fill says at least what it traded.
    fn told(venue: u16, foreign: &ForeignReport, least: Lots) -> Self {
        let (price, traded) = match foreign.report.event.kind {
            VenueEventKind::Filled { price, qty, .. } => (price, qty),
            _ => (foreign.price, Lots::ZERO),
        };
        let before = foreign.report.filled.map_or(0, |all| all.0 - traded.0);
        let qty = foreign.qty.0.max(least.0).max(before.max(0) + traded.0);
        Self {
            venue,
            venue_order: foreign.venue_order,
            order: ClientOrderId(0),
            instrument: foreign.instrument,
            side: foreign.side,
            price: if foreign.price == Ticks(0) { price } else { foreign.price },
            qty: Lots(qty),
            filled: Lots(before.max(0)),
        }
    }

    fn terms(&self) -> OrderTerms {
        let mut terms = OrderTerms::limit(self.instrument, self.side, self.price, self.qty);
        if self.price == Ticks(0) {
            terms.order_type = OrderType::Market;
        }
        terms
    }
}

impl Session {
    /// A statement about an order that is not known by an id of ours.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn foreign(&mut self, venue: u16, foreign: &ForeignReport) -> Result<()> {
        self.foreign_of(venue, foreign, Lots::ZERO)
    }

    /// All that a venue knows of our account: fills since a time, open orders, positions.
    ///
    /// # Errors
    /// When the journal cannot be written, or a broken promise inside shows.
    pub fn account(&mut self, recv_ns: TimeNs, venue: u16, account: &Account) -> Result<()> {
        self.adopt_listed(recv_ns, venue, &account.open, account)?;
        for fill in &account.fills {
            if !self.kernel.is_before_us(fill) {
                self.report(fill)?;
            }
        }
        for fill in &account.foreign {
            let least = self.kernel.unseen(&account.foreign, fill.venue_order);
            self.foreign_of(venue, fill, least)?;
        }
        self.open_orders(recv_ns, venue, account.as_of_ns, &account.open)?;
        self.positions(recv_ns, venue, account.as_of_ns, &account.positions)
    }

    /// A statement of an order of at least `least` lots.
    fn foreign_of(&mut self, venue: u16, foreign: &ForeignReport, least: Lots) -> Result<()> {
        let recv_ns = foreign.report.event.recv_ns;
        if self.kernel.is_stale(foreign) {
            return Ok(());
        }
        let id = VenueOrderId { venue, id: foreign.venue_order };
        let known = self.order_named(id).and_then(|id| self.orders().get(id).copied());
        if let Some(order) = known.filter(|order| takes(order, foreign)) {
            return self.report(&statement_of(&order, foreign));
        }
        let shows = matches!(
            foreign.report.event.kind,
            VenueEventKind::Accepted
                | VenueEventKind::Amended { .. }
                | VenueEventKind::Triggered
                | VenueEventKind::Filled { .. }
        );
        let surplus = known.is_some();
        let found = Found::told(venue, foreign, if surplus { Lots::ZERO } else { least });
        // What is more than the order that we know can take is an order of its own.
        let found = match foreign.report.event.kind {
            VenueEventKind::Filled { qty, .. } if surplus => {
                Found { qty, filled: Lots(0), ..found }
            }
            _ => found,
        };
        let wanted = shows && (!surplus || is_fill(foreign));
        let adopted = if wanted { self.adopt(recv_ns, &found)? } else { None };
        if let Some(order) = adopted {
            let report = statement_of(&order, foreign);
            return match report.event.kind {
                VenueEventKind::Filled { .. } | VenueEventKind::Triggered => self.report(&report),
                _ => self.settle(),
            };
        }
        if surplus {
            return Ok(());
        }
        let record = ForeignRecord::of(venue, foreign);
        self.input(Kind::Foreign, recv_ns, &[bytemuck::bytes_of(&record)])?;
        self.kernel.foreign_said(venue, foreign)?;
        self.settle()
    }

    /// Adopts the open orders of a list that nobody here knows, where that is the policy. What of them
    /// traded in the fills of the same answer is booked by those.
    pub(super) fn adopt_listed(
        &mut self,
        recv_ns: TimeNs,
        venue: u16,
        open: &[OpenOrder],
        account: &Account,
    ) -> Result<()> {
        if !self.kernel.adopts() {
            return Ok(());
        }
        for one in open {
            let id = VenueOrderId { venue, id: one.venue_order };
            let ours = self.orders().get(one.order).is_some();
            let named = self.order_named(id).and_then(|id| self.orders().get(id));
            if ours || named.is_some_and(|order| !order.is_terminal()) {
                continue;
            }
            if named.is_some_and(|order| one.filled <= order.filled) {
                // Over here by a statement that is newer than the list.
                continue;
            }
            let listed = if one.order.0 == 0 {
                self.kernel.unseen(&account.foreign, one.venue_order)
            } else {
                self.kernel.unseen_of_ours(&account.fills, one)
            };
            let filled = Lots((one.filled.0 - listed.0).max(0));
            self.adopt(recv_ns, &Found::listed(venue, one, filled))?;
        }
        Ok(())
    }

    /// Makes an order that was found one of ours, where that is the policy and there is room.
    fn adopt(&mut self, recv_ns: TimeNs, found: &Found) -> Result<Option<Order>> {
        let Some((id, strategy)) = self.kernel.place_for(found) else { return Ok(None) };
        let adopted = AdoptedRecord {
            id: id.0,
            terms: Terms::of(&found.terms()),
            venue_order: found.venue_order,
            filled: found.filled.0,
            strategy,
            venue: found.venue,
            reserved: 0,
        };
        self.input(Kind::Adopted, recv_ns, &[bytemuck::bytes_of(&adopted)])?;
        self.adopted(&adopted)?;
        self.settle()?;
        Ok(self.orders().get(id).copied())
    }

    /// An order is adopted, here or in the journal that is followed.
    pub(super) fn adopted(&mut self, adopted: &AdoptedRecord) -> Result<()> {
        if (FIRST_ELSEWHERE..FIRST_ADOPTED).contains(&adopted.id) {
            self.next_elsewhere = self.next_elsewhere.max(adopted.id + 1);
        }
        self.kernel.adopt(adopted)
    }
}

const fn is_fill(foreign: &ForeignReport) -> bool {
    matches!(foreign.report.event.kind, VenueEventKind::Filled { .. })
}

/// Whether a statement can be about this order: a fill must fit into it.
fn takes(order: &Order, foreign: &ForeignReport) -> bool {
    match foreign.report.event.kind {
        VenueEventKind::Filled { qty, .. } => qty <= order.fillable(),
        _ => true,
    }
}

/// A statement as one about an order of ours. A venue that says other terms than we know has changed it.
fn statement_of(order: &Order, foreign: &ForeignReport) -> Report {
    let mut report = foreign.report;
    report.event.order = order.id;
    let (price, qty) = (foreign.price, foreign.qty);
    let said = price != Ticks(0) && qty > Lots::ZERO;
    let differs = price != order.terms.price || qty != order.terms.qty;
    let stands = matches!(report.event.kind, VenueEventKind::Accepted);
    if stands && said && differs && order.purpose == Purpose::Adopted {
        report.event.kind = VenueEventKind::Amended { price, qty };
    }
    report
}

impl Kernel {
    /// A request about an order that the venue knows by its own id.
    #[cold]
    pub(crate) fn send_by_venue_id(&mut self, request: &VenueRequest) -> Result<()> {
        let Some(outside) = &mut self.outside else { return Ok(()) };
        let order = request.order;
        let Some(VenueOrderId { id: venue_order, .. }) = outside.ids.venue_of(order) else {
            return Ok(());
        };
        match request.kind {
            VenueRequestKind::Cancel { instrument } => {
                outside.push(Request::ForeignCancel { venue_order, instrument })
            }
            VenueRequestKind::Amend { price, qty, .. } => {
                let Some(Order { terms, filled, .. }) = self.orders.get(order).copied() else {
                    return Ok(());
                };
                let standing = OpenOrder {
                    order,
                    venue_order,
                    instrument: terms.instrument,
                    side: terms.side,
                    price: terms.price,
                    qty: terms.qty,
                    filled,
                };
                outside.push(Request::ForeignAmend { standing, price, qty })
            }
            VenueRequestKind::New(_) => Ok(()),
        }
    }

    /// Names an adopted order to whoever cancels everything when the kernel cannot.
    fn tell_adopted(&mut self, id: ClientOrderId, instrument: InstrumentId) -> Result<()> {
        let Some(outside) = self.outside.as_mut().filter(|_| is_known_by_venue_id(id)) else {
            return Ok(());
        };
        match outside.ids.venue_of(id) {
            Some(VenueOrderId { id: venue_order, .. }) => {
                outside.push(Request::ForeignAdopted { venue_order, instrument })
            }
            None => Ok(()),
        }
    }

    /// As [`Self::tell_adopted`], of all that a restart found.
    pub(super) fn tell_all_adopted(&mut self) -> Result<()> {
        let live = self.orders.all_live().map(|order| (order.id, order.terms.instrument));
        let known: Vec<_> = live.filter(|(id, _)| is_known_by_venue_id(*id)).collect();
        known.into_iter().try_for_each(|(id, instrument)| self.tell_adopted(id, instrument))
    }

    /// Whether an order has what a change changes: of one that was adopted a limit price may not be known,
    /// because it trades at the market. Which changes a venue takes is for its session to say.
    pub(crate) fn is_amendable(order: &Order) -> bool {
        order.purpose != Purpose::Adopted || order.terms.price != Ticks(0)
    }

    /// Whether the policy is to adopt.
    fn adopts(&self) -> bool {
        let outside = self.outside.as_ref();
        outside.is_some_and(|o| matches!(o.foreign, ForeignOrders::Adopt { .. }) && !o.following)
    }

    /// The strategy that a policy names as the owner of what is adopted.
    pub(super) fn owner_of(&self, policy: &ForeignOrders) -> Option<u16> {
        let ForeignOrders::Adopt { owner } = policy else { return None };
        let at = self.strategies.iter().position(|slot| slot.host.name() == owner)?;
        u16::try_from(at).ok()
    }

    /// Checks that the owner that a policy names is one of the strategies.
    ///
    /// # Errors
    /// Names those that there are.
    pub(super) fn check_owner(&self, policy: &ForeignOrders) -> Result<()> {
        let ForeignOrders::Adopt { owner } = policy else { return Ok(()) };
        if self.owner_of(policy).is_some() {
            return Ok(());
        }
        let names: Vec<_> = self.strategies.iter().map(|slot| slot.host.name()).collect();
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "orders that were not placed here are to be owned by `{owner}`, which is not a strategy                  of this session; there are {names:?}"
            ),
        ))
    }

    /// Id and owner of an order that is to be adopted; `None` where it is not to be, or cannot.
    fn place_for(&self, found: &Found) -> Option<(ClientOrderId, u16)> {
        let outside = self.outside.as_ref().filter(|outside| !outside.following)?;
        let owner = self.owner_of(&outside.foreign)?;
        let known = found.instrument.index() < self.markets.len();
        let named = found.venue_order != 0 || found.order.0 != 0;
        let room = self.orders.live_count() + ROOM_FOR_OURS < self.orders.capacity();
        if !known || !named || !room || found.qty <= found.filled {
            return None;
        }
        let id = match found.order {
            ClientOrderId(0) => ClientOrderId(outside.next_adopted),
            ours if is_known_by_venue_id(ours) => return None,
            ours => ours,
        };
        Some((id, owner))
    }

    /// Takes an order in as one of ours.
    fn adopt(&mut self, adopted: &AdoptedRecord) -> Result<()> {
        let order = adopted.order(self.now_ns)?;
        self.orders.adopt(order)?;
        if let Some(outside) = &mut self.outside {
            if is_known_by_venue_id(order.id) {
                outside.next_adopted = outside.next_adopted.max(order.id.0 + 1);
            } else {
                self.intents.give_ids_after(order.id);
            }
            let id = VenueOrderId { venue: adopted.venue, id: adopted.venue_order };
            if id.id != 0 {
                outside.ids.name(order.id, id);
            }
        }
        track_open(&mut self.gate, Lots::ZERO, &order);
        self.tell_adopted(order.id, order.terms.instrument)?;
        if !self.is_following() {
            if let Some(ink) = self.recorder.ink() {
                let (venue_order, strategy) = (adopted.venue_order, order.strategy);
                let event = Event::OrderAdopted { order: order.id, venue_order, strategy };
                ink.event(self.now_ns, &event)?;
            }
            self.recorder.order(&order, 0, self.now_ns)?;
        }
        if self.strategies[usize::from(order.strategy)].interest.orders {
            return self.call(order.strategy, order.terms.instrument, &Call::Order(&order));
        }
        Ok(())
    }

    /// A statement about an order that is not adopted.
    pub(super) fn foreign_said(&mut self, venue: u16, foreign: &ForeignReport) -> Result<()> {
        if let VenueEventKind::Filled { price, qty, .. } = foreign.report.event.kind {
            let Some(outside) = &mut self.outside else { return Ok(()) };
            if !outside.seen.note(foreign.instrument, foreign.report.trade_id) {
                return Ok(());
            }
            return self.foreign_fill(foreign, price, qty);
        }
        let open = OpenOrder {
            order: ClientOrderId(0),
            venue_order: foreign.venue_order,
            instrument: foreign.instrument,
            side: foreign.side,
            price: foreign.price,
            qty: foreign.qty,
            filled: foreign.report.filled.unwrap_or_default(),
        };
        match foreign.report.event.kind {
            VenueEventKind::Accepted | VenueEventKind::Triggered => self.found(venue, &open),
            _ => Ok(()),
        }
    }

    /// As the leader noted it.
    pub(super) fn note_foreign_fill(&mut self, record: &ForeignRecord) -> Result<()> {
        let is_fill = matches!(record.report.report()?.event.kind, VenueEventKind::Filled { .. });
        if let Some(outside) = self.outside.as_mut().filter(|_| is_fill) {
            outside.seen.note(InstrumentId(record.instrument), record.report.trade_id);
        }
        Ok(())
    }

    /// A fill that is nobody's here: the position at the venue is another from now on.
    fn foreign_fill(&mut self, foreign: &ForeignReport, price: Ticks, qty: Lots) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let (venue_order, instrument) = (foreign.venue_order, foreign.instrument);
        if let Some(ink) = self.recorder.ink() {
            let (side, price, qty) = (foreign.side, price.0, qty.0);
            let event = Event::ForeignFill { venue_order, instrument, side, price, qty };
            ink.event(self.now_ns, &event)?;
        }
        self.note(&format!(
            "a fill of an order that was not placed here: the venue's id {venue_order}, {qty} lots in \
             instrument {}",
            instrument.0
        ))
    }

    /// An open order that this engine did not place, and does not adopt: told once, cancelled by policy.
    pub(super) fn found(&mut self, venue: u16, open: &OpenOrder) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let now_ns = self.now_ns;
        let Some(outside) = &mut self.outside else { return Ok(()) };
        if outside.foreign == ForeignOrders::Cancel {
            outside.push(Request::ForeignCancel {
                venue_order: open.venue_order,
                instrument: open.instrument,
            })?;
        }
        if !outside.told_foreign.note(InstrumentId(venue), open.venue_order) {
            return Ok(());
        }
        if let Some(ink) = self.recorder.ink() {
            ink.event(now_ns, &Event::ForeignOrder { venue_order: open.venue_order })?;
        }
        self.note(&format!(
            "an order that was not placed here is open: the venue's id {}, {} lots in instrument {}",
            open.venue_order, open.qty, open.instrument.0
        ))
    }

    /// A list shows an adopted order with other terms than we know: somebody changed it at the venue.
    pub(super) fn revise_adopted(&mut self, order: &Order, open: &OpenOrder) -> Result<()> {
        let (price, qty) = (open.price, open.qty);
        let same = order.terms.price == price && order.terms.qty == qty;
        if order.purpose != Purpose::Adopted || same || qty <= order.filled {
            return Ok(());
        }
        self.changed_at_venue(order.id, open)
    }

    /// A list shows an order with terms that nothing has told yet.
    pub(super) fn changed_at_venue(
        &mut self,
        order: ClientOrderId,
        open: &OpenOrder,
    ) -> Result<()> {
        let (price, qty) = (open.price, open.qty);
        let kind = VenueEventKind::Amended { price, qty };
        // A list does not say when; and what our clock says may be ahead of the venue's.
        self.answer_with(&VenueEvent { order, exch_ns: 0, recv_ns: self.now_ns, kind }, None)
    }

    /// A complete list does not have an adopted order any more: it is over.
    pub(super) fn adopted_gone(&mut self, order: &Order) -> Result<()> {
        self.learn(order, OrderEvent::Cancelled)
    }

    /// Whether a fill is of a time before the session, of an order that it adopted.
    fn is_before_us(&self, fill: &Report) -> bool {
        let order = self.orders.get(fill.event.order);
        order.is_some_and(|order| order.purpose == Purpose::Adopted)
            && fill.event.exch_ns < self.begun_ns()
    }

    /// Whether a statement is a fill that is booked already, or older than the session.
    fn is_stale(&self, foreign: &ForeignReport) -> bool {
        is_fill(foreign) && !self.is_new_fill(foreign.instrument, &foreign.report)
    }

    fn is_new_fill(&self, instrument: InstrumentId, fill: &Report) -> bool {
        let seen = self.outside.as_ref().is_some_and(|o| o.seen.has(instrument, fill.trade_id));
        !seen && fill.event.exch_ns >= self.begun_ns()
    }

    fn begun_ns(&self) -> TimeNs {
        self.outside.as_ref().map_or(TimeNs::MIN, |outside| outside.begun_ns)
    }

    /// What a list's fills that are not booked yet traded of an order that the venue names.
    fn unseen(&self, fills: &[ForeignReport], venue_order: u64) -> Lots {
        let of_it = fills.iter().filter(|fill| fill.venue_order == venue_order);
        Lots(of_it.map(|f| self.lots_if_new(f.instrument, &f.report)).sum())
    }

    /// As [`Self::unseen`], of an order that the venue knows by an id of ours.
    fn unseen_of_ours(&self, fills: &[Report], open: &OpenOrder) -> Lots {
        let of_it = fills.iter().filter(|fill| fill.event.order == open.order);
        Lots(of_it.map(|fill| self.lots_if_new(open.instrument, fill)).sum())
    }

    fn lots_if_new(&self, instrument: InstrumentId, fill: &Report) -> i64 {
        match fill.event.kind {
            VenueEventKind::Filled { qty, .. } if self.is_new_fill(instrument, fill) => qty.0,
            _ => 0,
        }
    }
}
