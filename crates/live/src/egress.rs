//! The last door before a venue.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use mainspring_core::order::OrderFlags;
use mainspring_core::{Request, VenueRequest, VenueRequestKind};

/// Why nothing new may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltReason {
    /// The cause as a word: `command`, `file`, `signal`, `kernel_stuck`, `journal`, ...
    pub cause: String,
    /// What happened, for people.
    pub text: String,
}

/// The halt flag and what hangs on it. Links look here before anything leaves; only a person's
/// decision opens it again.
#[derive(Debug, Default)]
pub struct Egress {
    halted: AtomicBool,
    /// Grows with every order to cancel everything.
    cancel_rounds: AtomicU64,
    reason: Mutex<Option<HaltReason>>,
    refused: AtomicU64,
}

impl Egress {
    /// Whether new orders are stopped.
    #[inline]
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Whether a request may leave: when halted, only what cannot add to a position.
    #[inline]
    #[must_use]
    pub fn lets_out(&self, request: &Request) -> bool {
        if !self.is_halted() || !adds_risk(request) {
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Stops new orders and has every link cancel what is open. The first reason is kept. Returns
    /// whether it was open before.
    pub fn halt(&self, reason: HaltReason) -> bool {
        let first = !self.halted.swap(true, Ordering::AcqRel);
        if first {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
        self.cancel_rounds.fetch_add(1, Ordering::AcqRel);
        first
    }

    /// Lets new orders out again: a person's decision.
    pub fn rearm(&self) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.halted.store(false, Ordering::Release);
    }

    /// Why it is halted.
    #[must_use]
    pub fn reason(&self) -> Option<HaltReason> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often everything was to be cancelled.
    #[inline]
    #[must_use]
    pub fn cancel_rounds(&self) -> u64 {
        self.cancel_rounds.load(Ordering::Acquire)
    }

    /// Requests that were not let out.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Whether a request could make a position larger.
const fn adds_risk(request: &Request) -> bool {
    match request {
        Request::Order(VenueRequest { kind, .. }) => match kind {
            VenueRequestKind::New(terms) => !terms.flags.has(OrderFlags::REDUCE_ONLY),
            VenueRequestKind::Amend { .. } => true,
            VenueRequestKind::Cancel { .. } => false,
        },
        Request::ForeignAmend { .. } => true,
        Request::OrderQuery { .. }
        | Request::ForeignCancel { .. }
        | Request::ForeignAdopted { .. }
        | Request::AccountQuery { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::order::OrderTerms;
    use mainspring_core::{ClientOrderId, InstrumentId, Lots, Side, Ticks};

    fn order(kind: VenueRequestKind) -> Request {
        Request::Order(VenueRequest { order: ClientOrderId(1), sent_ns: 0, kind })
    }

    #[test]
    fn a_halt_stops_what_adds_risk_and_nothing_else() {
        let egress = Egress::default();
        let new = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(1), Lots(1));
        let mut reduce = new;
        reduce.flags = OrderFlags::REDUCE_ONLY;
        let cancel = order(VenueRequestKind::Cancel { instrument: InstrumentId(0) });
        assert!(egress.lets_out(&order(VenueRequestKind::New(new))));
        let reason = |cause: &str| HaltReason { cause: cause.into(), text: String::new() };
        assert!(egress.halt(reason("file")));
        assert!(!egress.halt(reason("signal")));
        assert_eq!(egress.reason().unwrap().cause, "file");
        assert!(!egress.lets_out(&order(VenueRequestKind::New(new))));
        assert!(egress.lets_out(&order(VenueRequestKind::New(reduce))));
        assert!(egress.lets_out(&cancel));
        assert_eq!((egress.refused(), egress.cancel_rounds()), (1, 2));
        egress.rearm();
        assert!(egress.lets_out(&order(VenueRequestKind::New(new))));
    }
}
