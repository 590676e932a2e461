//! What the kernel asks for at once: cancels and new orders in as few requests as the venue takes.
//!
//! Cancels of a round go before its new orders: they take risk off and make room. Nothing else is
//! changed about the order. A batch is used where it goes the way that a single order would go, so that
//! it is never slower; where only single orders go by the connection, they go one by one.

use std::sync::Arc;

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, InstrumentId, OrderType, Request, TimeNs, VenueEventKind, VenueRequest,
    VenueRequestKind,
};

use super::calls::{About, Call, Later};
use super::effect::Outbox;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::ours::{refuse, Tracked};
use super::send::Sending;
use super::told::Level;
use crate::fact::Fact;
use crate::failure::{Failure, FailureClass};
use crate::listing::Listings;
use crate::operation::{Asked, Cancel, Operation, OrderKey, Place};
use crate::outgoing::{Reply, Via};
use crate::rules::Support;

/// What of a round has not been sent yet; its buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Round {
    cancels: Vec<(ClientOrderId, InstrumentId)>,
    places: Vec<(ClientOrderId, OrderTerms)>,
}

/// How several things went.
enum Together {
    /// In one request.
    Sent,
    /// They have to go one by one.
    OneByOne,
}

impl VenueSession {
    /// Several requests that were made together.
    pub(super) fn serve_round(&mut self, requests: &[Request], now_ns: TimeNs, out: &mut Outbox) {
        let mut round = std::mem::take(&mut self.round);
        for request in requests {
            match request {
                Request::Order(VenueRequest {
                    order,
                    kind: VenueRequestKind::Cancel { instrument },
                    ..
                }) => {
                    if round.places.iter().any(|(placed, _)| placed == order) {
                        self.send_round(&mut round, now_ns, out);
                    }
                    round.cancels.push((*order, *instrument));
                }
                Request::Order(VenueRequest {
                    order, kind: VenueRequestKind::New(terms), ..
                }) => round.places.push((*order, *terms)),
                other => {
                    self.send_round(&mut round, now_ns, out);
                    self.serve(other, now_ns, out);
                }
            }
        }
        self.send_round(&mut round, now_ns, out);
        self.round = round;
    }

    fn send_round(&mut self, round: &mut Round, now_ns: TimeNs, out: &mut Outbox) {
        self.cancel_together(&round.cancels, 0, now_ns, out);
        round.cancels.clear();
        self.place_together(&round.places, now_ns, out);
        round.places.clear();
    }

    /// Cancels orders, those of one instrument together.
    pub(super) fn cancel_together(
        &mut self,
        orders: &[(ClientOrderId, InstrumentId)],
        attempt: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let most = self.venue.rules().max_cancel_batch;
        // Those that wait for a trigger, or were made by one, have names of their own: one by one.
        let ours = &self.ours;
        let plain = |(order, _): &(ClientOrderId, InstrumentId)| {
            let apart = |one: &Tracked| one.armed || one.made.is_some();
            !(self.wiring.armed_apart && ours.get(*order).is_some_and(apart))
        };
        let (orders, alone): (Vec<_>, Vec<_>) = orders.iter().copied().partition(plain);
        for (order, instrument) in alone {
            self.cancel(order, instrument, attempt, now_ns, out);
        }
        let orders = orders.as_slice();
        if most < 2 || orders.len() < 2 || !self.clock.is_known() {
            for (order, instrument) in orders {
                self.cancel(*order, *instrument, attempt, now_ns, out);
            }
            return;
        }
        let mut instruments: Vec<InstrumentId> = orders.iter().map(|(_, at)| *at).collect();
        instruments.sort_unstable();
        instruments.dedup();
        for instrument in instruments {
            let here: Vec<_> = orders.iter().filter(|(_, at)| *at == instrument).copied().collect();
            for batch in here.chunks(most) {
                self.cancel_batch(batch, instrument, attempt, now_ns, out);
            }
        }
    }

    fn cancel_batch(
        &mut self,
        batch: &[(ClientOrderId, InstrumentId)],
        instrument: InstrumentId,
        attempt: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings: Arc<Listings> = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        let fresh = |(order, _): &&(ClientOrderId, InstrumentId)| {
            let over = self.ours.get(*order).is_some_and(|one| one.ended);
            !(attempt == 0 && self.calls.is_cancelling(*order) || attempt > 0 && over)
        };
        let batch: Vec<_> = batch.iter().filter(fresh).copied().collect();
        let (versions, clients): (Vec<u32>, Vec<String>) =
            batch.iter().map(|(order, _)| self.named_in_cancel(*order, attempt)).unzip();
        let keys = clients.iter().map(|client| OrderKey::Client(client.as_str()));
        let cancels: Vec<Cancel<'_>> =
            keys.map(|order| Cancel { listing, order, good_till_s: 0 }).collect();
        let about = |(&(order, instrument), version): (&(ClientOrderId, InstrumentId), u32)| {
            About::Cancel { order, instrument, attempt, version }
        };
        let together = match cancels.as_slice() {
            [] => return,
            [_] => Together::OneByOne,
            [first, ..] => {
                let abouts = batch.iter().zip(versions).map(about).collect();
                let (all, one) = (Operation::CancelMany(&cancels), Operation::Cancel(*first));
                self.send_together(&all, &one, abouts, now_ns, out)
            }
        };
        if let Together::OneByOne = together {
            for (order, instrument) in batch {
                self.cancel(order, instrument, attempt, now_ns, out);
            }
        }
    }

    /// The version of an order that a cancel names, and our text of it: the one that stands as far as we
    /// know, and in every second attempt the one that may have taken its place meanwhile.
    pub(super) fn named_in_cancel(&self, order: ClientOrderId, attempt: u32) -> (u32, String) {
        let stands = self.ours.get(order).map_or(0, |one| one.version);
        let version = if attempt % 2 == 1 { self.version_to_ask(order) } else { stands };
        let mut client = String::with_capacity(36);
        self.ours.clients.write_version(order, version, &mut client);
        (version, client)
    }

    fn place_together(
        &mut self,
        orders: &[(ClientOrderId, OrderTerms)],
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let most = self.venue.rules().max_place_batch;
        let plain =
            |terms: &OrderTerms| matches!(terms.order_type, OrderType::Limit | OrderType::Market);
        let (many, alone): (Vec<_>, Vec<_>) =
            orders.iter().copied().partition(|(_, terms)| most > 1 && plain(terms));
        for batch in many.chunks(most.max(1)) {
            self.place_batch(batch, now_ns, out);
        }
        for (id, terms) in alone {
            self.place_or_refuse(id, &terms, now_ns, out);
        }
    }

    fn place_batch(
        &mut self,
        batch: &[(ClientOrderId, OrderTerms)],
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        if batch.len() < 2 {
            batch.iter().for_each(|(id, terms)| self.place_or_refuse(*id, terms, now_ns, out));
            return;
        }
        let listings = Arc::clone(&self.listings);
        let mut ready = Vec::with_capacity(batch.len());
        for (id, terms) in batch {
            let Some(listing) = listings.of_id(terms.instrument) else { continue };
            match self.may_place(listing, *id, terms) {
                Ok(client) => ready.push((*id, *terms, client, listing)),
                Err(refused) => self.refuse_place(listing, *id, refused, now_ns, out),
            }
        }
        let places: Vec<Place<'_>> = ready
            .iter()
            .map(|(_, terms, client, listing)| self.to_place(listing, terms, client))
            .collect();
        let together = match places.as_slice() {
            [] => return,
            [_] => Together::OneByOne,
            [first, ..] => {
                let abouts = ready.iter().map(|(id, ..)| About::Place(*id)).collect();
                let (all, one) = (Operation::PlaceMany(&places), Operation::Place(*first));
                ready.iter().for_each(|(id, terms, ..)| self.ours.placed(*id, terms));
                self.send_together(&all, &one, abouts, now_ns, out)
            }
        };
        if let Together::OneByOne = together {
            for (id, terms, ..) in &ready {
                self.place_or_refuse(*id, terms, now_ns, out);
            }
        }
    }

    /// Sends several things in one request, unless only single ones go by the quicker way or the batch
    /// does not fit what is left of the budgets.
    fn send_together(
        &mut self,
        all: &Operation<'_>,
        one: &Operation<'_>,
        abouts: Vec<About>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Together {
        let now_ms = self.venue_ms(now_ns);
        let id = self.calls.next();
        let mut socket = self.ready_for_orders();
        if socket.is_some() {
            let via = Via::Socket { id };
            if self.venue.encode(all, via, now_ms, &mut self.scratch).is_err() {
                if self.venue.encode(one, via, now_ms, &mut self.scratch).is_ok() {
                    return Together::OneByOne;
                }
                socket = None;
            }
        }
        if socket.is_none() && self.venue.encode(all, Via::Http, now_ms, &mut self.scratch).is_err()
        {
            return Together::OneByOne;
        }
        match self.dispatch(id, About::Many(abouts), socket, now_ns, out) {
            Sending::Gone => Together::Sent,
            Sending::Limited | Sending::Broken(_) => Together::OneByOne,
        }
    }

    /// The answer to several things.
    pub(super) fn conclude_many(
        &mut self,
        call: &Call,
        items: &[About],
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let (ours, mut failures) = (&mut self.ours, Vec::new());
        let result = self.venue.answer(&call.shape, reply, &mut |fact| match fact {
            Fact::Failed { at, failure, .. } => failures.push((at, failure.clone())),
            fact => ours.take(&fact, now_ns, out),
        });
        if let Err(failure) = result {
            self.learn_of(&failure, call.shape.asked, now_ns, out);
            for item in items {
                self.not_done(item.clone(), &failure, now_ns, out);
            }
            return;
        }
        for (at, item) in items.iter().enumerate() {
            match failures.iter().find(|(place, _)| *place == at) {
                Some((_, failure)) => {
                    self.learn_of(failure, call.shape.asked, now_ns, out);
                    self.not_done(item.clone(), failure, now_ns, out);
                }
                None => self.ask_if_unnamed(item, now_ns),
            }
        }
    }

    /// An order of a batch about which the answer says nothing is asked about.
    fn ask_if_unnamed(&mut self, item: &About, now_ns: TimeNs) {
        let About::Place(order) = item else { return };
        if self.ours.get(*order).is_some_and(|one| !one.named && !one.ended) {
            self.ask_later(*order, false, now_ns);
        }
    }

    /// Trading is halted: where settings say that the instruments are this session's alone, or that
    /// everything is to go, all of it is cancelled, orders of others too.
    pub(super) fn sweep(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if !self.settings.cancel_all || !self.settings.trades {
            return;
        }
        let listings = Arc::clone(&self.listings);
        for listing in listings.all() {
            self.sweep_instrument(listing.id, now_ns, out);
        }
    }

    /// Cancels everything in an instrument by the venue's own request, or lists what is open there.
    pub(super) fn sweep_instrument(
        &mut self,
        instrument: InstrumentId,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(instrument) else { return };
        if !self.clock.is_known() || self.calls.is_sweeping(instrument) {
            return;
        }
        let native = self.venue.rules().cancel_all == Support::Native;
        let (operation, orders) = match native {
            true => (Operation::CancelAll(listing), self.ours.live_in(instrument)),
            false => (Operation::OpenOrders(Some(listing)), Vec::new()),
        };
        let about = About::Sweep { instrument, orders, armed: false };
        let by_socket = native && self.settings.orders_by_socket;
        let mut sent = self.send(&operation, about, by_socket, now_ns, out);
        for list in 0..self.wiring.armed_lists {
            let operation = match native {
                true => Operation::CancelAllArmed(listing),
                false => Operation::ArmedOrders { listing: Some(listing), list },
            };
            let about = About::Sweep { instrument, orders: Vec::new(), armed: true };
            let this = self.send(&operation, about, false, now_ns, out);
            sent = if this == Sending::Limited { this } else { sent };
        }
        if sent == Sending::Limited {
            let at_ns = self.budgets.blocked_until_ns().max(now_ns + 100 * MS);
            self.later(at_ns, Later::Sweep(instrument));
        }
    }

    /// What came of cancelling everything in an instrument.
    pub(super) fn conclude_sweep(
        &mut self,
        call: &Call,
        instrument: InstrumentId,
        orders: &[ClientOrderId],
        reply: &Reply<'_>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listed = self.venue.rules().cancel_all != Support::Native;
        let (ours, mut foreign, mut goes_on) = (&mut self.ours, Vec::new(), false);
        let result = self.venue.answer(&call.shape, reply, &mut |fact| match fact {
            Fact::More(_) => goes_on = true,
            Fact::Order(order) if listed => {
                let open = ours
                    .open_order(&order, call.sent_ns, now_ns, out)
                    .filter(|open| open.order.0 == 0);
                foreign.extend(open.map(|open| (open.venue_order, open.instrument)));
            }
            fact => ours.take(&fact, now_ns, out),
        });
        for (venue_order, at) in foreign {
            self.cancel_foreign(venue_order, at, now_ns, out);
        }
        if goes_on {
            // The rest is at its head once these are gone.
            self.later(now_ns + AGAIN_NS, Later::Sweep(instrument));
        }
        match result {
            // The ends of orders are told apart; one that is not heard of is asked about.
            Ok(()) => orders.iter().for_each(|order| self.ask_later(*order, true, now_ns)),
            Err(failure) => self.sweep_failed(instrument, orders, &failure, now_ns, out),
        }
    }

    fn sweep_failed(
        &mut self,
        instrument: InstrumentId,
        orders: &[ClientOrderId],
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        self.learn_of(failure, Asked::CancelAll, now_ns, out);
        let nothing_there = failure.reason == Some(mainspring_core::RejectReason::UnknownOrder);
        if !nothing_there {
            let text = format!("cancelling everything failed: {failure}");
            note(out, Level::Warning, "order", text);
            if !matches!(failure.class, FailureClass::Refused) {
                let at_ns = self.budgets.blocked_until_ns().max(now_ns + AGAIN_NS);
                self.later(at_ns, Later::Sweep(instrument));
            }
        }
        self.cancel_each(instrument, orders, now_ns, out);
    }

    /// Orders that a request for all of them did not reach, as far as is known.
    pub(super) fn cancel_each(
        &mut self,
        instrument: InstrumentId,
        orders: &[ClientOrderId],
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let each: Vec<_> = orders.iter().map(|order| (*order, instrument)).collect();
        self.cancel_together(&each, 1, now_ns, out);
    }

    /// Places one order, or tells that it was refused.
    pub(super) fn place_or_refuse(
        &mut self,
        id: ClientOrderId,
        terms: &OrderTerms,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(terms.instrument) else { return };
        if let Err(refused) = self.place(listing, id, terms, now_ns, out) {
            self.refuse_place(listing, id, refused, now_ns, out);
        }
    }

    fn refuse_place(
        &mut self,
        listing: &crate::listing::Listing,
        id: ClientOrderId,
        (reason, why): (mainspring_core::RejectReason, String),
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        note(out, Level::Warning, "order", format!("{}: {why}", listing.symbol()));
        refuse(id, VenueEventKind::Rejected(reason), now_ns, out);
        self.ours.end(id);
    }
}
