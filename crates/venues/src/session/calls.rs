//! Requests that are on their way.

use std::collections::BTreeMap;

use mainspring_core::{Answer, ClientOrderId, InstrumentId, Lots, Ticks, TimeNs};

use super::input::SocketId;
use crate::outgoing::Outgoing;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Time,
    Instruments,
    Snapshot(InstrumentId),
    ListenKey,
    KeepAlive,
    /// A log-in or a subscription on a connection.
    Stream,
    Place(ClientOrderId),
    Cancel {
        order: ClientOrderId,
        instrument: InstrumentId,
        attempt: u32,
        /// Version that was named, where the venue replaces.
        version: u32,
    },
    Amend {
        order: ClientOrderId,
        /// Version that takes the order's place, where the venue replaces.
        version: Option<u32>,
    },
    /// A change of an order where it waits for its trigger.
    AmendArmed {
        order: ClientOrderId,
        attempt: u32,
    },
    ForeignCancel(u64),
    /// Several orders or cancels in one request, in its order.
    Many(Vec<About>),
    /// Everything in an instrument is cancelled, or what is open there is listed to be.
    Sweep {
        instrument: InstrumentId,
        /// Ours that were open.
        orders: Vec<ClientOrderId>,
        /// It is about those that wait for a trigger, where they are kept apart.
        armed: bool,
    },
    Query(Query),
    Countdown(InstrumentId),
    /// A part of the answer to a question about the account, by the number of that question; and how many
    /// answers of its list came before.
    Account(u64, Part, u32),
}

impl About {
    fn cancels(&self, order: ClientOrderId) -> bool {
        match self {
            Self::Cancel { order: one, .. } => *one == order,
            Self::Many(items) => items.iter().any(|item| item.cancels(order)),
            Self::Sweep { orders, .. } => orders.contains(&order),
            _ => false,
        }
    }

    /// Whether it makes or changes an order.
    const fn makes(&self) -> Option<ClientOrderId> {
        match self {
            Self::Place(order) | Self::Amend { order, .. } | Self::AmendArmed { order, .. } => {
                Some(*order)
            }
            _ => None,
        }
    }

    /// Whether a request that makes or changes an order has to be done before this one.
    fn is_behind(&self, order: ClientOrderId) -> bool {
        match self {
            // All that is in an instrument, whatever it is.
            Self::Sweep { .. } => true,
            other => other.cancels(order),
        }
    }
}

/// A question about one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) order: ClientOrderId,
    pub(super) instrument: InstrumentId,
    pub(super) version: u32,
    /// What the version before it is, while later ones are looked for.
    pub(super) before: Option<Answer>,
    pub(super) attempt: u32,
    /// A cancel that has no answer is sent again when the order still works.
    pub(super) cancels: bool,
    /// The question about the account that waits for it.
    pub(super) account: Option<u64>,
    /// It is asked of the orders that wait for their trigger, where those are kept apart.
    pub(super) armed: bool,
}

/// A part of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Open(Span),
    /// One of the lists of orders that wait for their trigger.
    Armed(Span, u8),
    Fills {
        instrument: InstrumentId,
        since_ms: i64,
    },
    Positions(Span),
    Balances,
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    All,
    Of(InstrumentId),
    /// All that is settled as this one.
    SettledAs(InstrumentId),
}

/// A request without its answer.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) about: About,
    /// How the answer is read: the request without its contents.
    pub(super) shape: Outgoing,
    pub(super) sent_ns: TimeNs,
    /// The connection it went by; `None` for HTTP.
    pub(super) socket: Option<SocketId>,
}

/// The requests that are on their way, by number: HTTP and websocket share the numbers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u64,
    open: BTreeMap<u64, Call>,
}

impl Calls {
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn note(&mut self, id: u64, call: Call) {
        self.open.insert(id, call);
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Call> {
        self.open.remove(&id)
    }

    /// Requests by a connection that ended.
    pub(super) fn of_socket(&mut self, socket: SocketId) -> Vec<Call> {
        let ids: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, call)| call.socket == Some(socket))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter().filter_map(|id| self.open.remove(&id)).collect()
    }

    /// Requests by connections that are not answered since before `sent_ns`.
    pub(super) fn overdue(&mut self, sent_ns: TimeNs) -> Vec<Call> {
        let late = |call: &Call| call.socket.is_some() && call.sent_ns < sent_ns;
        let ids: Vec<u64> =
            self.open.iter().filter(|(_, call)| late(call)).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.open.remove(&id)).collect()
    }

    pub(super) fn is_open(&self, about: &About) -> bool {
        self.open.values().any(|call| call.about == *about)
    }

    /// Whether a cancel of an order is on its way.
    pub(super) fn is_cancelling(&self, order: ClientOrderId) -> bool {
        self.open.values().any(|call| call.about.cancels(order))
    }

    /// Whether a request by HTTP that makes or changes what this one cancels is on its way.
    pub(super) fn is_making(&self, cancel: &About) -> bool {
        let makes = |about: &About| about.makes().is_some_and(|order| cancel.is_behind(order));
        self.open.values().filter(|call| call.socket.is_none()).any(|call| match &call.about {
            About::Many(items) => items.iter().any(makes),
            about => makes(about),
        })
    }

    /// Whether everything in an instrument is being cancelled.
    pub(super) fn is_sweeping(&self, instrument: InstrumentId) -> bool {
        let sweeps = |about: &About| matches!(about, About::Sweep { instrument: at, armed: false, .. } if *at == instrument);
        self.open.values().any(|call| sweeps(&call.about))
    }
}

/// Something to do at a later time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Later {
    Time,
    Instruments,
    ListenKey,
    KeepAlive,
    /// The connection for orders is opened again.
    OrdersSocket,
    Countdown,
    Query(Query),
    Cancel {
        order: ClientOrderId,
        instrument: InstrumentId,
        attempt: u32,
    },
    ForeignCancel(u64, InstrumentId),
    Sweep(InstrumentId),
    Account(TimeNs),
    /// A change that may not have arrived is sent again.
    AmendArmed {
        order: ClientOrderId,
        attempt: u32,
    },
    /// The stream of orders that wait for their trigger is opened again.
    ArmedStream,
}

/// A change that is on its way at a venue that replaces orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replacing {
    pub(super) version: u32,
    pub(super) price: Ticks,
    /// Quantity of the order that takes the place.
    pub(super) placed: Lots,
}
