//! The names that other systems have for where an order stands: views of the one state.

use super::order::Order;
use super::state::OrderState;

/// Every execution status. `APPROVED` and `FAILED` are of recommendations before and without an
/// order, so that no order has them.
pub const EXECUTION_STATUSES: [&str; 9] = [
    "PENDING",
    "APPROVED",
    "SUBMITTED",
    "PARTIAL",
    "EXECUTED",
    "REJECTED",
    "FAILED",
    "EXPIRED",
    "CANCELLED",
];

/// Every lifecycle name. `partially_filled` is an end here: a part traded, the rest was cancelled.
pub const LIFECYCLES: [&str; 7] =
    ["creating", "open", "pending_cancel", "canceled", "filled", "partially_filled", "failed"];

/// The status that services show; `traded` says whether anything has.
#[must_use]
pub const fn execution_status(state: OrderState, traded: bool) -> &'static str {
    match state {
        OrderState::Created => "PENDING",
        OrderState::RiskRejected | OrderState::Rejected => "REJECTED",
        OrderState::Filled => "EXECUTED",
        OrderState::Cancelled => "CANCELLED",
        OrderState::Expired => "EXPIRED",
        OrderState::Submitted
        | OrderState::Open
        | OrderState::PartiallyFilled
        | OrderState::PendingCancel
        | OrderState::PendingReplace
        | OrderState::Unknown => {
            if traded {
                "PARTIAL"
            } else {
                "SUBMITTED"
            }
        }
    }
}

/// The name in the seven-state lifecycle; `acknowledged` says whether the venue has shown that it
/// has the order.
#[must_use]
pub const fn lifecycle(state: OrderState, traded: bool, acknowledged: bool) -> &'static str {
    match state {
        OrderState::Created | OrderState::Submitted => "creating",
        OrderState::Open | OrderState::PartiallyFilled => "open",
        OrderState::PendingReplace | OrderState::Unknown => {
            if acknowledged {
                "open"
            } else {
                "creating"
            }
        }
        OrderState::PendingCancel => "pending_cancel",
        OrderState::Filled => "filled",
        OrderState::Cancelled | OrderState::Expired => {
            if traded {
                "partially_filled"
            } else {
                "canceled"
            }
        }
        OrderState::Rejected | OrderState::RiskRejected => "failed",
    }
}

impl Order {
    /// The status that services show.
    #[must_use]
    pub const fn execution_status(&self) -> &'static str {
        execution_status(self.state, self.filled.0 > 0)
    }

    /// The name in the seven-state lifecycle.
    #[must_use]
    pub const fn lifecycle(&self) -> &'static str {
        lifecycle(self.state, self.filled.0 > 0, self.acknowledged)
    }
}
