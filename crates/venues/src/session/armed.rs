//! Orders that wait for their trigger, where a venue keeps them apart: how they are changed, and the stream that
//! tells of them.
//!
//! A session trades without that stream: what it would tell is told by the next list of the account. It says when
//! that is so, and asks for the account once the stream is there again.

use std::sync::Arc;

use mainspring_core::{ClientOrderId, Lots, RejectReason, Ticks, TimeNs};

use super::calls::{About, Later};
use super::effect::{Effect, Outbox};
use super::input::SocketId;
use super::machine::{note, VenueSession, AGAIN_NS, MS};
use super::ours::Tracked;
use super::send::Sending;
use super::told::Level;
use super::trading::not_sent;
use super::wires::Role;
use crate::failure::{Failure, FailureClass};
use crate::listing::Listing;
use crate::operation::{Amend, Operation, OrderKey};

/// After the venue refused the stream it is tried again so much later.
const REFUSED_NS: i64 = 10 * AGAIN_NS;

/// So long it may be missing before it is said.
const MISSING_NS: i64 = 10 * AGAIN_NS;

/// Most times that a change is sent of which nobody knows whether it arrived.
const MAX_ATTEMPTS: u32 = 5;

/// Since when the stream is missing while everything else is there.
#[derive(Debug)]
pub(super) struct Missing {
    since_ns: TimeNs,
    told: bool,
}

impl VenueSession {
    /// Whether orders that wait for their trigger are told of by a connection of their own.
    pub(super) fn has_armed_stream(&self) -> bool {
        self.settings.trades && !self.wiring.armed_stream.0.is_empty()
    }

    /// The venue refused the stream. Nothing else is wrong with the session: the clock and the other
    /// connections stay as they are.
    pub(super) fn refused_armed(&mut self, socket: SocketId, now_ns: TimeNs, out: &mut Outbox) {
        out.ask(Effect::Close { socket });
        self.wires.remove(socket);
        self.later(now_ns + REFUSED_NS, Later::ArmedStream);
    }

    /// Says when the stream is missing; once it is there, what it would have told is asked for.
    pub(super) fn watch_armed(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if !self.has_armed_stream() {
            return;
        }
        // Without the link there is more to say than that, and with it comes a question about the account.
        if !self.up {
            self.armed_missing = None;
            return;
        }
        if self.wires.ready(Role::Armed).is_none() {
            let fresh = Missing { since_ns: now_ns, told: false };
            let missing = self.armed_missing.get_or_insert(fresh);
            if now_ns - missing.since_ns >= MISSING_NS
                && !std::mem::replace(&mut missing.told, true)
            {
                let text =
                    "the venue's stream of orders that wait for their trigger is missing: what \
                            becomes of stops is known by the next list of the account alone"
                        .to_owned();
                note(out, Level::Warning, "armed_stream", text);
            }
        } else if self.gather.is_none() {
            let Some(missing) = self.armed_missing.take() else { return };
            if missing.told {
                let text =
                    "the venue's stream of orders that wait for their trigger is there again";
                note(out, Level::Info, "armed_stream", text.to_owned());
            }
            self.later(now_ns, Later::Account(missing.since_ns - 60 * 1_000 * MS));
        }
    }

    /// Changes an order where it waits, where the venue can.
    pub(super) fn amend_armed(
        &mut self,
        listing: &Listing,
        (id, tracked): (ClientOrderId, &Tracked),
        ((price, qty), attempt): ((Ticks, Lots), u32),
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Result<(), (RejectReason, String)> {
        let refuse = |what: &str| {
            let why = format!("order {} waits for its trigger, and {what}", id.0);
            Err((RejectReason::VenueRule, format!("{why}: cancel it and place another")))
        };
        if !self.wiring.armed_amends {
            return refuse("the venue keeps such orders apart and does not change them");
        }
        if tracked.adopted {
            return refuse("it was placed before this session, which does not know its kind");
        }
        let mut client = String::with_capacity(36);
        self.ours.clients.write_version(id, tracked.version, &mut client);
        let amend = Amend {
            listing,
            order: OrderKey::Client(&client),
            side: tracked.terms.side,
            terms: tracked.terms,
            price,
            qty,
            filled: Lots::ZERO,
            client: "",
        };
        let about = About::AmendArmed { order: id, attempt };
        let sent = self.send(&Operation::AmendArmed(amend), about, false, now_ns, out);
        if sent == Sending::Gone {
            self.ours.amends(id, (price, qty), now_ns);
        }
        not_sent(sent)
    }

    /// A change of an order where it waits was refused, or nobody knows.
    pub(super) fn amend_armed_failed(
        &mut self,
        (order, attempt): (ClientOrderId, u32),
        failure: &Failure,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        if matches!(failure.class, FailureClass::Unknown | FailureClass::VenueDown) {
            return self.later_amend_armed(order, attempt, now_ns, out);
        }
        note(out, Level::Info, "order", format!("order {}: {failure}", order.0));
        self.ours.not_replaced(order, failure.reason, now_ns, out);
    }

    /// Lists of orders that wait do not tell their prices here. But a change names what is to stand: sent
    /// twice, it does what it does once.
    pub(super) fn later_amend_armed(
        &mut self,
        order: ClientOrderId,
        attempt: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        if attempt < MAX_ATTEMPTS {
            let wait_ns = (AGAIN_NS / 2) << attempt;
            return self.later(now_ns + wait_ns, Later::AmendArmed { order, attempt: attempt + 1 });
        }
        let text = format!(
            "order {}: the venue does not answer whether the order that waits was changed: look at its own \
             pages, or cancel it",
            order.0
        );
        note(out, Level::Error, "order", text);
        self.ours.not_replaced(order, None, now_ns, out);
    }

    pub(super) fn amend_armed_again(
        &mut self,
        order: ClientOrderId,
        attempt: u32,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) {
        let Some(tracked) = self.ours.get(order).filter(|one| !one.ended).cloned() else { return };
        let Some(asked) = tracked.asked else { return };
        let listings = Arc::clone(&self.listings);
        let Some(listing) = listings.of_id(tracked.terms.instrument) else { return };
        let sent = self.amend_armed(listing, (order, &tracked), (asked, attempt), now_ns, out);
        if sent.is_err() {
            self.later_amend_armed(order, attempt, now_ns, out);
        }
    }
}
