//! What the kernel asks for on its way to the venue.

use std::sync::Arc;

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, InstrumentId, Lots, OpenOrder, RejectReason, Request, Side, Ticks, TimeNs,
    VenueEventKind, VenueRequest, VenueRequestKind,
};

use super::calls::{About, Later, Query, Replacing};
use super::effect::Outbox;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::ours::{refuse, waits, Tracked};
use super::send::Sending;
use super::settings::OnDisconnect;
use super::told::Level;
use crate::listing::{Listing, Listings};
use crate::operation::{Amend, Cancel, Operation, OrderKey, Place};
use crate::rules::Support;

/// How far a price may move against a market order where the venue has none, in percent.
const WORST_PERCENT: i64 = 5;

impl VenueSession {
    pub(super) fn serve(&mut self, request: &Request, now_ns: TimeNs, out: &mut Outbox) {
        match *request {
            Request::Order(request) => self.order(&request, now_ns, out),
            Request::OrderQuery { order, instrument } => {
                let version = self.version_to_ask(order);
                let query = Query {
                    order,
                    instrument,
                    version,
                    before: None,
                    attempt: 0,
                    cancels: false,
                    account: None,
                    armed: false,
                };
                self.query(query, now_ns, out);
            }
            Request::ForeignCancel { venue_order, instrument } => {
                self.cancel_foreign(venue_order, instrument, now_ns, out);
            }
            Request::ForeignAmend { standing, price, qty } => {
                self.amend_foreign(&standing, price, qty, now_ns, out);
            }
            Request::ForeignAdopted { venue_order, instrument } => {
                self.ours.note_adopted(venue_order, instrument, now_ns);
            }
            Request::AccountQuery { since_ns, .. } => self.ask_account(since_ns, now_ns, out),
        }
    }

    fn order(&mut self, request: &VenueRequest, now_ns: TimeNs, out: &mut Outbox) {
        let listings = Arc::clone(&self.listings);
        let (id, instrument) = (request.order, request.kind.instrument());
        let Some(listing) = listings.of_id(instrument) else { return };
        match &request.kind {
            VenueRequestKind::New(terms) => {
                self.place_or_refuse(id, terms, now_ns, out);
            }
            VenueRequestKind::Cancel { .. } => self.cancel(id, instrument, 0, now_ns, out),
            VenueRequestKind::Amend { price, qty, .. } => {
                if let Err((reason, why)) = self.amend(listing, id, *price, *qty, now_ns, out) {
                    note(out, Level::Warning, "order", format!("{}: {why}", listing.symbol()));
                    refuse(id, VenueEventKind::AmendRejected(reason), now_ns, out);
                }
            }
        }
    }

    /// Why nothing that adds risk may leave for an instrument now.
    fn closed_for(&self, listing: &Listing, reduces: bool) -> Option<(RejectReason, String)> {
        let place = self.listings.all().iter().position(|one| one.id == listing.id);
        if !self.up {
            return Some((RejectReason::Halted, "the venue cannot be heard".to_owned()));
        }
        if !self.fresh && !reduces {
            return Some((RejectReason::Halted, "its market data is stale".to_owned()));
        }
        if !place.is_some_and(|at| self.tradable[at]) {
            let why = "the venue takes no orders in it, or its rules have changed".to_owned();
            return Some((RejectReason::Halted, why));
        }
        None
    }

    pub(super) fn place(
        &mut self,
        listing: &Listing,
        id: ClientOrderId,
        terms: &mainspring_core::order::OrderTerms,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Result<(), (RejectReason, String)> {
        let client = self.may_place(listing, id, terms)?;
        self.ours.placed(id, terms);
        let place = self.to_place(listing, terms, &client);
        let by_socket = self.settings.orders_by_socket;
        let sent = self.send(&Operation::Place(place), About::Place(id), by_socket, now_ns, out);
        not_sent(sent)
    }

    /// An order as the venue takes it.
    pub(super) fn to_place<'a>(
        &self,
        listing: &'a Listing,
        terms: &mainspring_core::order::OrderTerms,
        client: &'a str,
    ) -> Place<'a> {
        Place { worst: self.worst(listing, terms), ..Place::new(listing, *terms, client) }
    }

    /// The worst price that an order without a limit may trade at, where the venue has no market orders: so
    /// far from the last price, or from the trigger that it waits for, and on the venue's grid.
    fn worst(&self, listing: &Listing, terms: &OrderTerms) -> Option<Ticks> {
        let from = match waits(terms.order_type) {
            true => terms.trigger,
            false => self.books.price(listing.id)?,
        };
        let worst = terms.side.inward(from, from.0.saturating_mul(WORST_PERCENT) / 100);
        let grid = listing.instrument.grid();
        Some(match terms.side {
            Side::Buy => grid.floor(worst),
            Side::Sell => grid.ceil(worst),
        })
    }

    /// Our text of an order that may be placed now, or why it may not.
    pub(super) fn may_place(
        &self,
        listing: &Listing,
        id: ClientOrderId,
        terms: &mainspring_core::order::OrderTerms,
    ) -> Result<String, (RejectReason, String)> {
        let reduces = terms.flags.has(mainspring_core::OrderFlags::REDUCE_ONLY);
        if let Some(closed) = self.closed_for(listing, reduces) {
            return Err(closed);
        }
        // The venue's word of whether it trades is in `closed_for`; the listing may be old.
        let now_trading = Listing { trading: true, ..listing.clone() };
        if let Err(broken) = self.venue.rules().check(&now_trading, terms) {
            return Err((broken.reason.unwrap_or(RejectReason::VenueRule), broken.why.to_owned()));
        }
        let mut client = String::with_capacity(36);
        if !self.ours.clients.write(id, &mut client) {
            let why = "the order's id does not fit the venue's form".to_owned();
            return Err((RejectReason::VenueRule, why));
        }
        Ok(client)
    }

    /// Cancels never wait for the link and are never dropped: one that cannot go now goes later.
    pub(super) fn cancel(
        &mut self,
        order: ClientOrderId,
        instrument: InstrumentId,
        attempt: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings: Arc<Listings> = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        if attempt > 0 && self.ours.get(order).is_some_and(|one| one.ended) {
            return;
        }
        if attempt == 0 && self.calls.is_cancelling(order) {
            return;
        }
        let (version, client) = self.named_in_cancel(order, attempt);
        let kept = self.ours.get(order).cloned();
        let cancel = Cancel { listing, order: self.key_of(kept.as_ref(), &client), good_till_s: 0 };
        let operation = match self.waits_apart(kept.as_ref()) {
            true => Operation::CancelArmed(cancel),
            false => Operation::Cancel(cancel),
        };
        let about = About::Cancel { order, instrument, attempt, version };
        let by_socket = self.settings.orders_by_socket;
        let sending = if self.clock.is_known() {
            self.send(&operation, about, by_socket, now_ns, out)
        } else {
            Sending::Limited
        };
        match sending {
            Sending::Gone => {}
            Sending::Limited => {
                let at_ns = self.budgets.blocked_until_ns().max(now_ns + 100 * MS);
                self.later(at_ns, Later::Cancel { order, instrument, attempt });
            }
            Sending::Broken(why) => {
                note(out, Level::Error, "order", format!("a cancel cannot be sent: {why}"));
                let kind = VenueEventKind::CancelRejected(RejectReason::VenueRule);
                refuse(order, kind, now_ns, out);
            }
        }
    }

    pub(super) fn cancel_foreign(
        &mut self,
        venue_order: u64,
        instrument: InstrumentId,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        let known = self.ours.foreign(venue_order);
        let cancel = Cancel { listing, order: OrderKey::Venue(&known.text), good_till_s: 0 };
        let operation = match known.armed && self.wiring.armed_apart {
            true => Operation::CancelArmed(cancel),
            false => Operation::Cancel(cancel),
        };
        let about = About::ForeignCancel(venue_order);
        if self.send(&operation, about, false, now_ns, out) == Sending::Limited {
            self.later(now_ns + AGAIN_NS, Later::ForeignCancel(venue_order, instrument));
        }
    }

    fn amend(
        &mut self,
        listing: &Listing,
        id: ClientOrderId,
        price: Ticks,
        qty: Lots,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Result<(), (RejectReason, String)> {
        if let Some(closed) = self.closed_for(listing, false) {
            return Err(closed);
        }
        let Some(tracked) = self.ours.get(id).filter(|one| !one.ended).cloned() else {
            let why = format!("order {} is not open here", id.0);
            return Err((RejectReason::UnknownOrder, why));
        };
        if self.waits_apart(Some(&tracked)) {
            return self.amend_armed(listing, (id, &tracked), ((price, qty), 0), now_ns, out);
        }
        if tracked.replacing.is_some() {
            let why = format!("a change of order {} is on its way already", id.0);
            return Err((RejectReason::VenueRule, why));
        }
        let mut terms = tracked.terms;
        if tracked.adopted {
            // What else was asked when it was placed is not known here: the safe assumption is that it
            // must not take.
            terms.flags = terms.flags.with(mainspring_core::OrderFlags::POST_ONLY);
        }
        let shrinks = price == terms.price && qty < terms.qty;
        let replaces = self.venue.rules().amend.replaces(shrinks);
        let version = replaces.then_some(tracked.version + 1);
        let (mut now, mut next) = (String::with_capacity(36), String::with_capacity(36));
        self.ours.clients.write_version(id, tracked.version, &mut now);
        if let Some(version) = version {
            if !self.ours.clients.write_version(id, version, &mut next) {
                let why = format!("order {} was changed too often", id.0);
                return Err((RejectReason::VenueRule, why));
            }
        }
        let amend = Amend {
            listing,
            order: self.key_of(Some(&tracked), &now),
            side: terms.side,
            terms,
            price,
            // What changes in place is the version that stands: earlier ones traded apart from it.
            qty: if replaces { qty } else { Lots(qty.0 - tracked.before().0) },
            filled: tracked.total(),
            client: &next,
        };
        let about = About::Amend { order: id, version };
        let by_socket = self.settings.orders_by_socket;
        let sent = self.send(&Operation::Amend(amend), about, by_socket, now_ns, out);
        match (version, &sent) {
            (Some(version), Sending::Gone) => {
                let placed = Lots(qty.0 - tracked.total().0);
                self.ours.replaces(id, Replacing { version, price, placed });
            }
            (None, Sending::Gone) => self.ours.amends(id, (price, qty), now_ns),
            _ => {}
        }
        not_sent(sent)
    }

    /// Changes an order that was adopted, by the venue's id of it, where the venue changes in place.
    fn amend_foreign(
        &mut self,
        standing: &OpenOrder,
        price: Ticks,
        qty: Lots,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(standing.instrument) else { return };
        let tried = self.try_amend_foreign(listing, standing, price, qty, now_ns, out);
        if let Err((reason, why)) = tried {
            note(out, Level::Warning, "order", format!("{}: {why}", listing.symbol()));
            refuse(standing.order, VenueEventKind::AmendRejected(reason), now_ns, out);
        }
    }

    fn try_amend_foreign(
        &mut self,
        listing: &Listing,
        standing: &OpenOrder,
        price: Ticks,
        qty: Lots,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Result<(), (RejectReason, String)> {
        let OpenOrder { order, venue_order, side, filled, .. } = *standing;
        let mut terms = OrderTerms::limit(standing.instrument, side, standing.price, standing.qty);
        if let Some(closed) = self.closed_for(listing, false) {
            return Err(closed);
        }
        let shrinks = price == terms.price && qty < terms.qty;
        if self.venue.rules().amend.replaces(shrinks) {
            let why = format!(
                "order {} was not placed here, and the venue puts another in the place of one that is \
                 changed: cancel it and place a new one",
                order.0
            );
            return Err((RejectReason::VenueRule, why));
        }
        // As with orders of an earlier life: what else was asked is not known, and it must not take.
        terms.flags = terms.flags.with(mainspring_core::OrderFlags::POST_ONLY);
        let known = self.ours.foreign(venue_order);
        let key = OrderKey::Venue(&known.text);
        let amend = Amend { listing, order: key, side, terms, price, qty, filled, client: "" };
        let about = About::Amend { order, version: None };
        not_sent(self.send(&Operation::Amend(amend), about, false, now_ns, out))
    }

    /// Whether an order waits for its trigger at a venue that keeps such orders apart.
    pub(super) fn waits_apart(&self, order: Option<&Tracked>) -> bool {
        self.wiring.armed_apart && order.is_some_and(|one| one.armed)
    }

    /// How an order is named to the venue: by our id, or by the venue's where a trigger has made another
    /// order of it.
    pub(super) fn key_of<'a>(&self, order: Option<&'a Tracked>, client: &'a str) -> OrderKey<'a> {
        match order.and_then(|one| one.made.as_deref()).filter(|_| self.wiring.armed_apart) {
            Some(made) => OrderKey::Venue(made),
            None => OrderKey::Client(client),
        }
    }

    /// The version of an order that a question has to be about: the newest that may be there.
    pub(super) fn version_to_ask(&self, order: ClientOrderId) -> u32 {
        self.ours.get(order).map_or(0, |one| {
            one.replacing.map_or(one.version, |change| change.version.max(one.version))
        })
    }

    /// As [`Self::query`], unless it was asked whether a cancel came through and the order is over.
    pub(super) fn query_if_wanted(&mut self, query: Query, now_ns: TimeNs, out: &mut Outbox) {
        let over = self.ours.get(query.order).is_some_and(|one| one.ended);
        if !(query.cancels && over) {
            self.query(query, now_ns, out);
        }
    }

    /// Asks what became of an order.
    pub(super) fn query(&mut self, query: Query, now_ns: TimeNs, out: &mut Outbox) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(query.instrument) else { return };
        let mut client = String::with_capacity(36);
        self.ours.clients.write_version(query.order, query.version, &mut client);
        let kept = self.ours.get(query.order).cloned();
        let query = Query { armed: query.armed || self.waits_apart(kept.as_ref()), ..query };
        let operation = match query.armed {
            true => Operation::QueryArmed { listing, order: OrderKey::Client(&client) },
            false => Operation::Query { listing, order: self.key_of(kept.as_ref(), &client) },
        };
        let sent = self.clock.is_known()
            && self.send(&operation, About::Query(query), false, now_ns, out) == Sending::Gone;
        if !sent {
            self.later(now_ns + AGAIN_NS, Later::Query(query));
        }
    }

    /// The venue or its market cannot be heard: what that means for our orders. Each is cancelled by
    /// itself, so that orders of others in the same instruments stay.
    pub(super) fn on_loss(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if self.settings.on_disconnect == OnDisconnect::Cancel && self.settings.trades {
            let live = self.ours.live();
            if self.settings.cancel_all {
                let mut instruments: Vec<_> = live.iter().map(|(_, at)| *at).collect();
                instruments.dedup();
                instruments.into_iter().for_each(|at| self.sweep_instrument(at, now_ns, out));
            }
            let left: Vec<_> = live
                .iter()
                .filter(|(order, _)| !self.calls.is_cancelling(*order))
                .copied()
                .collect();
            self.cancel_together(&left, 1, now_ns, out);
            for (venue_order, instrument) in self.ours.adopted() {
                if !self.calls.is_open(&About::ForeignCancel(venue_order)) {
                    self.cancel_foreign(venue_order, instrument, now_ns, out);
                }
            }
            for (order, instrument) in live {
                if self.ours.get(order).is_some_and(|one| one.replacing.is_some()) {
                    // Which version is there is not known yet: the newest is cancelled then.
                    let again = Later::Cancel { order, instrument, attempt: 2 };
                    self.later(now_ns + 2 * AGAIN_NS, again);
                }
            }
        }
    }

    /// Tells the venue to go on waiting, while we are there to be waited for.
    pub(super) fn keep_countdown(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let wanted = self.settings.on_disconnect == OnDisconnect::Cancel
            && self.settings.countdown_ms > 0
            && self.venue.rules().countdown == Support::Native;
        if !wanted || !self.up {
            return;
        }
        let timeout_ms = self.settings.countdown_ms.max(self.venue.rules().min_countdown_ms);
        self.set_countdown(timeout_ms, now_ns, out);
        self.later(now_ns + timeout_ms as i64 * MS / 3, Later::Countdown);
    }

    pub(super) fn set_countdown(&mut self, timeout_ms: u64, now_ns: TimeNs, out: &mut Outbox) {
        if self.venue.rules().countdown != Support::Native || self.settings.countdown_ms == 0 {
            return;
        }
        let listings = Arc::clone(&self.listings);
        let each = if self.wiring.countdown_each { listings.all() } else { &listings.all()[..1] };
        for listing in each {
            let named = self.wiring.countdown_each.then_some(listing);
            let operation = Operation::Countdown { listing: named, timeout_ms };
            self.send(&operation, About::Countdown(listing.id), false, now_ns, out);
        }
    }
}

pub(super) fn not_sent(sent: Sending) -> Result<(), (RejectReason, String)> {
    match sent {
        Sending::Gone => Ok(()),
        Sending::Limited => {
            let why = "the venue's budget has nothing left for it now".to_owned();
            Err((RejectReason::Overloaded, why))
        }
        Sending::Broken(why) => Err((RejectReason::VenueRule, why)),
    }
}
