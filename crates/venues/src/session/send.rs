//! Requests on their way: encoded, counted, noted, and sent by the connection or by HTTP.

use mainspring_core::TimeNs;

use super::budget::Purpose;
use super::calls::{About, Call, Later};
use super::effect::{Effect, Outbox};
use super::input::{CallId, SocketId};
use super::machine::{note, VenueSession, AGAIN_NS};
use super::told::Level;
use super::wires::Role;
use crate::operation::Operation;
use crate::outgoing::{Host, Urgency, Via};

/// What came of the wish to send something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// It is on its way.
    Gone,
    /// The budget has nothing left for it, or the venue takes nothing for a while.
    Limited,
    /// It cannot be sent as it is.
    Broken(String),
}

impl About {
    fn urgency(&self) -> Urgency {
        match self {
            Self::Cancel { .. }
            | Self::ForeignCancel(_)
            | Self::Sweep { .. }
            | Self::Countdown(_) => Urgency::Cancel,
            Self::Place(_) | Self::Amend { .. } | Self::AmendArmed { .. } => Urgency::Order,
            Self::Many(items) => items.first().map_or(Urgency::Question, Self::urgency),
            _ => Urgency::Question,
        }
    }

    fn purpose(&self) -> Purpose {
        match self.urgency() {
            Urgency::Cancel => Purpose::Cancel,
            Urgency::Order | Urgency::Question => Purpose::Other,
        }
    }
}

impl VenueSession {
    /// Sends by HTTP; false when it cannot go now.
    pub(super) fn ask(
        &mut self,
        operation: &Operation<'_>,
        about: About,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> bool {
        match self.send(operation, about, false, now_ns, out) {
            Sending::Gone => true,
            Sending::Limited => false,
            Sending::Broken(why) => {
                note(out, Level::Error, "request", why);
                false
            }
        }
    }

    /// Sends, by the connection for orders where that is wanted, open, and has such a request.
    pub(super) fn send(
        &mut self,
        operation: &Operation<'_>,
        about: About,
        by_socket: bool,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Sending {
        let now_ms = self.venue_ms(now_ns);
        let socket = self.wires.ready(self.order_role()).filter(|_| by_socket);
        let id = self.calls.next();
        let socket = socket.filter(|_| {
            let via = Via::Socket { id };
            self.venue.encode(operation, via, now_ms, &mut self.scratch).is_ok()
        });
        if socket.is_none() {
            if let Err(e) = self.venue.encode(operation, Via::Http, now_ms, &mut self.scratch) {
                return Sending::Broken(e.message().to_owned());
            }
        }
        self.dispatch(id, about, socket, now_ns, out)
    }

    /// The connection that orders can go by now, where that is wanted.
    pub(super) fn ready_for_orders(&self) -> Option<SocketId> {
        let wanted = self.settings.orders_by_socket;
        self.wires.ready(self.order_role()).filter(|_| wanted)
    }

    /// Sends what was encoded, as far as the budgets allow it.
    pub(super) fn dispatch(
        &mut self,
        id: u64,
        about: About,
        socket: Option<SocketId>,
        now_ns: TimeNs,
        out: &mut Outbox,
    ) -> Sending {
        let now_ms = self.venue_ms(now_ns);
        let (purpose, request) = (about.purpose(), (self.scratch.asked, self.scratch.cost));
        if !self.budgets.take(purpose, request, now_ns, now_ms) {
            return Sending::Limited;
        }
        match socket {
            Some(socket) => {
                out.text(socket, self.scratch.body.clone());
                self.note_call(id, about, Some(socket), now_ns);
            }
            None => {
                self.http(id, self.urgency(&about), out);
                self.note_call(id, about, None, now_ns);
            }
        }
        Sending::Gone
    }

    /// The connection that orders go by: the one for user events where both are at one address.
    fn order_role(&self) -> Role {
        match self.settings.addresses.trade == self.settings.addresses.user {
            true => self.user_role(),
            false => Role::Trade,
        }
    }

    /// A cancel passes what waits, but not the request that makes or changes what it is about.
    fn urgency(&self, about: &About) -> Urgency {
        match about.urgency() {
            Urgency::Cancel if self.calls.is_making(about) => Urgency::Order,
            urgency => urgency,
        }
    }

    fn http(&self, id: u64, urgency: Urgency, out: &mut Outbox) {
        let base = match self.scratch.host {
            Host::Chain => &self.settings.addresses.chain,
            Host::Rest | Host::Trade | Host::User => &self.settings.addresses.rest,
        };
        let mut url = String::with_capacity(base.len() + self.scratch.target.len());
        url.push_str(base);
        url.push_str(&self.scratch.target);
        out.ask(Effect::Http {
            id: CallId(id),
            urgency,
            method: self.scratch.method,
            url,
            headers: self.scratch.headers().map(|(name, value)| (name, value.to_owned())).collect(),
            body: self.scratch.body.clone(),
        });
    }

    /// Remembers a request until its answer comes.
    pub(super) fn note_call(
        &mut self,
        id: u64,
        about: About,
        socket: Option<SocketId>,
        now_ns: TimeNs,
    ) {
        let shape = self.scratch.like();
        self.calls.note(id, Call { about, shape, sent_ns: now_ns, socket });
    }

    pub(super) fn ask_time(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        if !self.calls.is_open(&About::Time)
            && !self.ask(&Operation::Time, About::Time, now_ns, out)
        {
            self.later(now_ns + AGAIN_NS, Later::Time);
        }
    }

    pub(super) fn ask_instruments(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let open = self.calls.is_open(&About::Instruments);
        if !open && !self.ask(&Operation::Instruments, About::Instruments, now_ns, out) {
            self.later(now_ns + AGAIN_NS, Later::Instruments);
        }
    }
}
