//! Sessions with venues, without input and output: what to connect to, what to send, what an answer
//! means, and what to do when one does not come.
//!
//! A [`Session`] is a pure machine. It has no socket, clock or file: a driver tells it what happened
//! ([`Input`]) and when, and carries out what it asks for ([`Effect`], in the order asked); what it
//! learnt about the market and about our orders ([`Told`]) goes to the kernel. The same machine
//! trades on a venue, on a simulator at another address, and on a dialogue written down in a test.
//!
//! What the driver owes:
//!
//! * [`Effect::Open`] may follow at once on [`Input::Closed`]: waiting longer and longer between
//!   attempts, with jitter, is the driver's. A connection that cannot be made is `Closed` too.
//! * Ping frames of the peer are answered by the driver. Frames of data are handed on whole, pongs as
//!   [`Input::Pong`].
//! * Every [`Effect::Http`] ends in exactly one [`Input::Response`] or [`Input::Failed`]; requests to
//!   one host leave by their urgency ([`crate::outgoing::Urgency`]), those of one urgency in the order
//!   asked.
//! * A timer fires once, at or after its time; asking for the same [`TimerId`] again moves it.
//! * Frames of a socket end with [`Effect::Close`]; `Closed` follows all the same.

mod account;
mod armed;
mod book;
pub mod budget;
mod calls;
pub mod check;
pub mod clock;
mod conclude;
mod connect;
mod depth;
mod effect;
mod input;
mod machine;
mod ours;
mod round;
mod send;
mod settings;
mod told;
mod traded;
mod trading;
mod wires;
pub mod wiring;

use mainspring_core::report::Account;
use mainspring_core::{Request, TimeNs};

use crate::mark::MarkOf;

pub use book::MarketCounts;
pub use effect::{Addresses, Effect, Message, Outbox};
pub use input::{CallId, Input, Sent, SocketId, TimerId};
pub use machine::VenueSession;
pub use settings::{OnDisconnect, SessionSettings};
pub use told::{Balance, Level, Note, Told};

/// A session with one venue.
pub trait Session: Send {
    /// The venue's name, as instruments have it.
    fn venue(&self) -> &str;

    /// How copies of messages of market data are told, where the venue's messages tell them.
    fn marks(&self) -> Option<MarkOf> {
        None
    }

    /// What we have at the venue by our own books; told once, before [`Self::start`].
    fn adopt(&mut self, account: &Account);

    /// Begins: connects, asks for the clock, the instruments, the account.
    fn start(&mut self, now_ns: TimeNs, out: &mut Outbox);

    /// Something happened.
    fn handle(&mut self, input: Input<'_>, now_ns: TimeNs, out: &mut Outbox);

    /// The kernel asks for something. Every order gets a statement sooner or later: the venue's, or a
    /// refusal from here when it was not sent.
    fn request(&mut self, request: &Request, now_ns: TimeNs, out: &mut Outbox);

    /// The kernel asks for several things at once: a venue's batches may carry them together.
    fn requests(&mut self, requests: &[Request], now_ns: TimeNs, out: &mut Outbox) {
        for request in requests {
            self.request(request, now_ns, out);
        }
    }

    /// Trading is halted. Cancels of our orders follow as requests; where settings allow it, everything
    /// in the instruments is cancelled here, orders of others too.
    fn halted(&mut self, now_ns: TimeNs, out: &mut Outbox) {
        let _ = (now_ns, out);
    }

    /// Ends: what keeps orders alive or kills them at the venue is switched off or on as configured,
    /// connections are closed. The driver carries the effects out and waits a little for answers.
    fn stop(&mut self, now_ns: TimeNs, out: &mut Outbox);
}
