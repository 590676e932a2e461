//! Refusals in the venue's codes.

use mainspring_core::order::RejectReason;
use serde_json::{json, Value};

use crate::faults::RequestFault;
use crate::limits::Excess;
use crate::section::{Product, UnknownSymbol};

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The venue's code.
    pub code: i64,
    /// Its text.
    pub message: String,
}

impl Refusal {
    /// A refusal that comes with status 200, as most do.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { status: 200, code, message: message.into() }
    }

    fn with_status(status: u16, code: i64, message: &str) -> Self {
        Self { status, ..Self::new(code, message) }
    }

    /// A parameter that must be there, or is not what it should be.
    pub fn wrong(name: &str) -> Self {
        Self::new(10_001, format!("params error: {name}"))
    }

    /// How the venue words a fault.
    pub fn of_fault(fault: RequestFault) -> Self {
        match fault {
            RequestFault::TooManyRequests => {
                Self::with_status(429, 10_006, "Too many visits. Exceeded the API Rate Limit.")
            }
            RequestFault::Banned => Self::with_status(403, 403, "access too frequent"),
            RequestFault::ServerError => Self::with_status(
                503,
                10_019,
                "ws trade service is restarting, do not accept new request.",
            ),
            RequestFault::UnknownOutcome => Self::with_status(504, 10_000, "Server Timeout"),
        }
    }

    /// What the matching engine said.
    pub fn of_reject(reason: RejectReason, product: Product) -> Self {
        let spot = product == Product::Spot;
        let (code, message) = match reason {
            RejectReason::PostOnlyWouldTake => {
                (170_218, "The LIMIT-MAKER order is rejected due to invalid price.")
            }
            RejectReason::ReduceOnlyWouldIncrease => (110_017, "Reduce-only rule not satisfied"),
            RejectReason::PriceOffGrid if spot => (170_134, "Order price has too many decimals."),
            RejectReason::PriceOffGrid => (110_003, "Order price exceeds the allowable range."),
            RejectReason::BadQuantity if spot => {
                (170_136, "Order quantity is not within its limits.")
            }
            RejectReason::BadQuantity => (110_017, "orderQty will be truncated to zero."),
            RejectReason::BelowMinNotional if spot => {
                (170_140, "Order value exceeded lower limit.")
            }
            RejectReason::BelowMinNotional => (110_094, "Order does not meet minimum order value"),
            RejectReason::UnknownOrder if spot => (170_213, "Order does not exist."),
            RejectReason::UnknownOrder => (110_001, "order not exists or too late to cancel"),
            RejectReason::Halted if spot => (170_201, "Trading is not open now."),
            RejectReason::Halted => (110_074, "This contract is not live"),
            RejectReason::Overloaded => (110_020, "Not allowed to have more active orders"),
            RejectReason::InsufficientMargin if spot => (170_131, "Insufficient balance."),
            RejectReason::InsufficientMargin => (110_007, "ab not enough for new order"),
            RejectReason::WouldTriggerImmediately => {
                (110_093, "The trigger price is reached already.")
            }
            RejectReason::DuplicateOrder if spot => (170_141, "Duplicate clientOrderId"),
            RejectReason::DuplicateOrder => (110_072, "OrderLinkedID is duplicate"),
            _ => (10_001, "Request parameter error."),
        };
        Self::new(code, message)
    }

    /// The answer to all of a request.
    pub fn outcome(&self) -> (i64, String, Value, Value) {
        (self.code, self.message.clone(), json!({}), json!({}))
    }
}

impl From<UnknownSymbol> for Refusal {
    fn from(_: UnknownSymbol) -> Self {
        Self::new(10_001, "params error: symbol invalid")
    }
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        Self::of_fault(match excess {
            Excess::Banned { .. } => RequestFault::Banned,
            Excess::Weight { .. } | Excess::Orders { .. } => RequestFault::TooManyRequests,
        })
    }
}
