//! The order state machine.

use std::fmt;

use mainspring_core::{Lots, Ticks};
use serde::{Deserialize, Serialize};

/// Where an order stands. Codes are stored in results and journals: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OrderState {
    /// Made here, not yet past the risk gate.
    Created = 0,
    /// Refused by the risk gate. Terminal.
    RiskRejected = 1,
    /// Sent; no answer yet.
    Submitted = 2,
    /// In the venue's book, or armed there; nothing traded.
    Open = 3,
    /// In the venue's book with a part traded.
    PartiallyFilled = 4,
    /// A cancel is on its way.
    PendingCancel = 5,
    /// A change of price or quantity is on its way.
    PendingReplace = 6,
    /// Traded whole. Terminal.
    Filled = 7,
    /// Left the book with what was traded until then. Terminal.
    Cancelled = 8,
    /// Definitely refused by the venue. Terminal.
    Rejected = 9,
    /// Reached its time. Terminal.
    Expired = 10,
    /// Nobody here knows: an answer is overdue, or contradicts. The venue has to be asked.
    Unknown = 11,
}

impl OrderState {
    /// Every state, in order of code.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::RiskRejected,
        Self::Submitted,
        Self::Open,
        Self::PartiallyFilled,
        Self::PendingCancel,
        Self::PendingReplace,
        Self::Filled,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
        Self::Unknown,
    ];

    /// Whether the order is over.
    #[inline]
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::RiskRejected | Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired
        )
    }

    /// Whether the order may be in the venue's book as far as we know.
    #[inline]
    #[must_use]
    pub const fn is_working(self) -> bool {
        !self.is_terminal() && !matches!(self, Self::Created)
    }

    /// Whether an answer of the venue is awaited.
    #[inline]
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Submitted | Self::PendingCancel | Self::PendingReplace)
    }

    /// The name as results and journals print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::RiskRejected => "risk_rejected",
            Self::Submitted => "submitted",
            Self::Open => "open",
            Self::PartiallyFilled => "partially_filled",
            Self::PendingCancel => "pending_cancel",
            Self::PendingReplace => "pending_replace",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can happen to an order, as the machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// Ours: refused by the risk gate.
    RiskRefused,
    /// Ours: sent to the venue.
    Submit,
    /// Ours: a cancel was sent.
    CancelRequested,
    /// Ours: a change was sent.
    ReplaceRequested {
        /// New limit price.
        price: Ticks,
        /// New total quantity, what is filled included.
        qty: Lots,
    },
    /// Ours: the answer to the pending request is overdue.
    Timeout,
    /// Venue, asked: the order is working.
    Confirmed,
    /// Venue, asked: no such order.
    NotFound,
    /// Venue: in the book, or armed.
    Accepted,
    /// Venue: refused.
    Rejected,
    /// Venue: traded.
    Filled {
        /// Whether nothing more can trade, pending changes considered.
        complete: bool,
    },
    /// Venue: left the book.
    Cancelled,
    /// Venue: reached its time.
    Expired,
    /// Venue: the cancel was refused.
    CancelRejected {
        /// Because there is no such order any more.
        gone: bool,
    },
    /// Venue: price and quantity are changed.
    Amended {
        /// Whether what was filled before reaches the new quantity.
        complete: bool,
    },
    /// Venue: the change was refused.
    AmendRejected {
        /// Because there is no such order any more.
        gone: bool,
        /// Whether what is filled reaches the quantity that now stands.
        complete: bool,
    },
    /// Venue: a stop was triggered.
    Triggered,
}

impl OrderEvent {
    /// Every event as the machine tells them apart, in order of [`Self::number`]; what is asked for in
    /// a change decides nothing.
    const ALL: [Self; 22] = [
        Self::RiskRefused,
        Self::Submit,
        Self::CancelRequested,
        Self::ReplaceRequested { price: Ticks(0), qty: Lots(0) },
        Self::Timeout,
        Self::Confirmed,
        Self::NotFound,
        Self::Accepted,
        Self::Rejected,
        Self::Filled { complete: false },
        Self::Filled { complete: true },
        Self::Cancelled,
        Self::Expired,
        Self::CancelRejected { gone: false },
        Self::CancelRejected { gone: true },
        Self::Amended { complete: false },
        Self::Amended { complete: true },
        Self::AmendRejected { gone: false, complete: false },
        Self::AmendRejected { gone: false, complete: true },
        Self::AmendRejected { gone: true, complete: false },
        Self::AmendRejected { gone: true, complete: true },
        Self::Triggered,
    ];

    /// Its place in [`Self::ALL`].
    #[inline]
    const fn number(self) -> usize {
        match self {
            Self::RiskRefused => 0,
            Self::Submit => 1,
            Self::CancelRequested => 2,
            Self::ReplaceRequested { .. } => 3,
            Self::Timeout => 4,
            Self::Confirmed => 5,
            Self::NotFound => 6,
            Self::Accepted => 7,
            Self::Rejected => 8,
            Self::Filled { complete } => 9 + complete as usize,
            Self::Cancelled => 11,
            Self::Expired => 12,
            Self::CancelRejected { gone } => 13 + gone as usize,
            Self::Amended { complete } => 15 + complete as usize,
            Self::AmendRejected { gone, complete } => 17 + 2 * gone as usize + complete as usize,
            Self::Triggered => 21,
        }
    }

    /// Whether it shows that the venue has the order.
    #[inline]
    pub(super) const fn acknowledges(self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::Confirmed
                | Self::Triggered
                | Self::Filled { .. }
                | Self::Amended { .. }
        )
    }

    /// Whether a pending change is no longer awaited after it: it was answered, there is no order to
    /// change, or an order that nobody knew about works as it is. That an order works while its
    /// change is still on its way says nothing about the change.
    #[inline]
    pub(super) const fn ends_replace(self, state: OrderState) -> bool {
        match self {
            Self::Amended { .. } | Self::AmendRejected { .. } | Self::Rejected => true,
            Self::Confirmed => matches!(state, OrderState::Unknown),
            _ => false,
        }
    }
}

/// An event that cannot happen in this state: a fault of ours, of the venue, or of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an order that is {state}")]
pub struct IllegalTransition {
    /// The state it was in.
    pub state: OrderState,
    /// What happened.
    pub event: OrderEvent,
}

/// The state after `event` in `state`.
///
/// `standing` is what the order is when no request of ours is pending: `Submitted` before the
/// venue showed that it has the order, `Open` after it, `PartiallyFilled` after a fill. For
/// an event of a venue that proves it has the order, it is taken after that event.
///
/// The principles: only a definite refusal rejects; a fill counts whenever it is not impossible,
/// also after the end; an answer to a race that is already decided changes nothing; silence and
/// contradiction lead to `Unknown`, which ends by a definite statement of the venue.
///
/// # Errors
/// [`IllegalTransition`] when the event cannot happen in this state.
#[inline]
pub fn transition(
    state: OrderState,
    event: OrderEvent,
    standing: OrderState,
) -> Result<OrderState, IllegalTransition> {
    match NEXT[state as usize][event.number()][standing as usize] {
        IMPOSSIBLE => Err(IllegalTransition { state, event }),
        code => Ok(OrderState::ALL[code as usize]),
    }
}

const STATES: usize = OrderState::ALL.len();

/// No state: the event cannot happen.
const IMPOSSIBLE: u8 = u8::MAX;

/// The rules below as a table, by state, event and standing: worked out when this is compiled. The
/// fates of orders are as good as random to a processor, and every step of one would guess its way
/// through the rules anew.
static NEXT: [[[u8; STATES]; OrderEvent::ALL.len()]; STATES] = {
    let mut table = [[[IMPOSSIBLE; STATES]; OrderEvent::ALL.len()]; STATES];
    let mut state = 0;
    while state < STATES {
        let mut event = 0;
        while event < OrderEvent::ALL.len() {
            let mut standing = 0;
            while standing < STATES {
                let (from, stands) = (OrderState::ALL[state], OrderState::ALL[standing]);
                if let Some(to) = rule(from, OrderEvent::ALL[event], stands) {
                    table[state][event][standing] = to as u8;
                }
                standing += 1;
            }
            event += 1;
        }
        state += 1;
    }
    table
};

/// The rule for an event, if it can happen.
const fn rule(state: OrderState, event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    match event {
        OrderEvent::RiskRefused
        | OrderEvent::Submit
        | OrderEvent::CancelRequested
        | OrderEvent::ReplaceRequested { .. }
        | OrderEvent::Timeout => ours(state, event),
        _ => venues(state, event, standing),
    }
}

/// Requests of ours, and their overdue answers.
const fn ours(state: OrderState, event: OrderEvent) -> Option<OrderState> {
    use OrderState as S;
    match (event, state) {
        (OrderEvent::RiskRefused, S::Created) => Some(S::RiskRejected),
        (OrderEvent::Submit, S::Created) => Some(S::Submitted),
        (
            OrderEvent::CancelRequested,
            S::Submitted | S::Open | S::PartiallyFilled | S::PendingReplace | S::Unknown,
        ) => Some(S::PendingCancel),
        (OrderEvent::ReplaceRequested { .. }, S::Submitted | S::Open | S::PartiallyFilled) => {
            Some(S::PendingReplace)
        }
        (OrderEvent::Timeout, S::Submitted | S::PendingCancel | S::PendingReplace | S::Unknown) => {
            Some(S::Unknown)
        }
        _ => None,
    }
}

/// Statements of a venue.
const fn venues(state: OrderState, event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    use OrderState as S;
    match state {
        // The venue has never heard of these.
        S::Created | S::RiskRejected => None,
        S::Submitted | S::Open | S::PartiallyFilled => working(state, event, standing),
        S::PendingCancel => pending_cancel(event, standing),
        S::PendingReplace => pending_replace(event, standing),
        S::Unknown => unknown(event, standing),
        S::Filled | S::Cancelled | S::Rejected | S::Expired => ended(state, event),
    }
}

const fn working(state: OrderState, event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    use OrderState as S;
    let submitted = matches!(state, S::Submitted);
    match event {
        OrderEvent::Accepted | OrderEvent::Confirmed | OrderEvent::Triggered => Some(standing),
        OrderEvent::Rejected if untraded(standing) => Some(S::Rejected),
        OrderEvent::Filled { complete: true } | OrderEvent::Amended { complete: true } => {
            Some(S::Filled)
        }
        OrderEvent::Filled { complete: false } => Some(S::PartiallyFilled),
        OrderEvent::Amended { complete: false } => Some(standing),
        OrderEvent::Cancelled => Some(S::Cancelled),
        OrderEvent::Expired => Some(S::Expired),
        // The question may have overtaken the order itself.
        OrderEvent::NotFound if submitted => Some(state),
        OrderEvent::NotFound => Some(S::Unknown),
        // Answers to requests that were given up as overdue.
        OrderEvent::CancelRejected { gone: true }
        | OrderEvent::AmendRejected { gone: true, .. } => Some(S::Unknown),
        OrderEvent::CancelRejected { gone: false }
        | OrderEvent::AmendRejected { gone: false, .. }
            if !submitted =>
        {
            Some(state)
        }
        _ => None,
    }
}

const fn pending_cancel(event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    use OrderState as S;
    match event {
        OrderEvent::Filled { complete: true }
        | OrderEvent::Amended { complete: true }
        | OrderEvent::AmendRejected { complete: true, .. } => Some(S::Filled),
        OrderEvent::Accepted
        | OrderEvent::Confirmed
        | OrderEvent::NotFound
        | OrderEvent::Triggered
        | OrderEvent::Filled { .. }
        | OrderEvent::Amended { .. }
        | OrderEvent::AmendRejected { .. } => Some(S::PendingCancel),
        OrderEvent::Rejected if untraded(standing) => Some(S::Rejected),
        OrderEvent::Cancelled => Some(S::Cancelled),
        OrderEvent::Expired => Some(S::Expired),
        // It is gone and we have not heard how: a fill or an expiry is on its way.
        OrderEvent::CancelRejected { gone: true } => Some(S::Unknown),
        OrderEvent::CancelRejected { gone: false } => Some(standing),
        _ => None,
    }
}

const fn pending_replace(event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    use OrderState as S;
    match event {
        OrderEvent::Filled { complete: true }
        | OrderEvent::Amended { complete: true }
        | OrderEvent::AmendRejected { complete: true, .. } => Some(S::Filled),
        OrderEvent::Accepted
        | OrderEvent::Confirmed
        | OrderEvent::NotFound
        | OrderEvent::Triggered
        | OrderEvent::Filled { .. }
        | OrderEvent::CancelRejected { gone: false } => Some(S::PendingReplace),
        OrderEvent::Amended { .. } | OrderEvent::AmendRejected { gone: false, .. } => {
            Some(standing)
        }
        OrderEvent::Rejected if untraded(standing) => Some(S::Rejected),
        OrderEvent::Cancelled => Some(S::Cancelled),
        OrderEvent::Expired => Some(S::Expired),
        OrderEvent::AmendRejected { gone: true, .. }
        | OrderEvent::CancelRejected { gone: true } => Some(S::Unknown),
        _ => None,
    }
}

const fn unknown(event: OrderEvent, standing: OrderState) -> Option<OrderState> {
    use OrderState as S;
    match event {
        OrderEvent::Accepted | OrderEvent::Confirmed => Some(standing),
        OrderEvent::Filled { complete: true }
        | OrderEvent::Amended { complete: true }
        | OrderEvent::AmendRejected { complete: true, .. } => Some(S::Filled),
        OrderEvent::Amended { .. } => Some(standing),
        // A part that traded does not say that the rest still stands.
        OrderEvent::Filled { .. }
        | OrderEvent::Triggered
        | OrderEvent::CancelRejected { .. }
        | OrderEvent::AmendRejected { .. } => Some(S::Unknown),
        OrderEvent::Rejected if untraded(standing) => Some(S::Rejected),
        OrderEvent::Cancelled | OrderEvent::NotFound => Some(S::Cancelled),
        OrderEvent::Expired => Some(S::Expired),
        _ => None,
    }
}

/// Some venues acknowledge first and refuse then, and a stop may be refused when it is triggered; but
/// what has traded cannot be refused any more.
const fn untraded(standing: OrderState) -> bool {
    matches!(standing, OrderState::Submitted | OrderState::Open)
}

const fn ended(state: OrderState, event: OrderEvent) -> Option<OrderState> {
    use OrderState as S;
    match (state, event) {
        // The order left the book and the news of an earlier trade comes after it.
        (S::Cancelled | S::Expired, OrderEvent::Filled { .. }) => Some(state),
        // Late or doubled news that agrees with the end.
        (S::Filled | S::Cancelled | S::Expired, OrderEvent::Accepted | OrderEvent::Triggered)
        | (S::Cancelled | S::Expired, OrderEvent::Cancelled | OrderEvent::Expired)
        | (S::Filled | S::Cancelled | S::Expired, OrderEvent::Amended { .. })
        | (S::Rejected, OrderEvent::Rejected)
        | (
            _,
            OrderEvent::CancelRejected { .. }
            | OrderEvent::AmendRejected { .. }
            | OrderEvent::NotFound,
        )
        | (S::Filled | S::Cancelled | S::Expired, OrderEvent::Confirmed) => Some(state),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_rules() {
        for (number, event) in OrderEvent::ALL.into_iter().enumerate() {
            assert_eq!(event.number(), number);
            for state in OrderState::ALL {
                for standing in OrderState::ALL {
                    let expected = rule(state, event, standing);
                    assert_eq!(transition(state, event, standing).ok(), expected);
                }
            }
        }
    }
}
