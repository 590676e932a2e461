//! Refusals in the venue's codes.

use mainspring_core::order::RejectReason;
use serde_json::json;

use crate::dialects::HttpAnswer;
use crate::faults::RequestFault;
use crate::section::UnknownSymbol;

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The venue's code.
    pub code: u32,
    /// Its text.
    pub message: String,
}

impl Refusal {
    /// A refusal that comes with status 200, as most do.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { status: 200, code, message: message.into() }
    }

    /// A refusal with another status.
    pub fn with_status(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, ..Self::new(code, message) }
    }

    /// A parameter that must be there.
    pub fn missing(name: &str) -> Self {
        Self::with_status(400, 50_014, format!("Parameter {name} cannot be empty."))
    }

    /// A parameter that is not what it should be.
    pub fn wrong(name: &str) -> Self {
        Self::new(51_000, format!("Parameter {name} error"))
    }

    /// How the venue words a fault.
    pub fn of_fault(fault: RequestFault) -> Self {
        match fault {
            RequestFault::TooManyRequests => {
                Self::with_status(429, 50_011, "Rate limit reached. Please refer to API documentation and throttle requests accordingly")
            }
            RequestFault::Banned => Self::with_status(403, 50_011, "Too many requests from this address"),
            RequestFault::ServerError => {
                Self::with_status(503, 50_001, "Service temporarily unavailable. Try again later")
            }
            RequestFault::UnknownOutcome => Self::with_status(
                400,
                50_004,
                "API endpoint request timeout (does not mean that the request was successful or failed, please check the request result)",
            ),
        }
    }

    /// The whole answer.
    pub fn over_http(&self) -> HttpAnswer {
        let body = json!({"code": self.code.to_string(), "data": [], "msg": self.message});
        HttpAnswer::new(self.status, body.to_string())
    }
}

impl From<UnknownSymbol> for Refusal {
    fn from(_: UnknownSymbol) -> Self {
        Self::new(51_001, "Instrument ID does not exist.")
    }
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Self {
        let (code, message) = match reason {
            RejectReason::PostOnlyWouldTake => (51_019, "Post-only order would be filled at once"),
            RejectReason::ReduceOnlyWouldIncrease => {
                (51_169, "Order failed. You have no position in this direction to reduce or close.")
            }
            RejectReason::PriceOffGrid => (51_000, "Parameter px error"),
            RejectReason::BadQuantity => {
                (51_121, "Order quantity must be a multiple of the lot size.")
            }
            RejectReason::BelowMinNotional => {
                (51_020, "Order amount should be greater than the min available amount.")
            }
            RejectReason::UnknownOrder => (51_603, "Order does not exist"),
            RejectReason::Halted => (51_021, "Contract not yet open for trading"),
            RejectReason::Overloaded => {
                (51_005, "Order amount exceeds the maximum number of open orders.")
            }
            RejectReason::InsufficientMargin => {
                (51_008, "Order failed. Insufficient balance or margin in account.")
            }
            RejectReason::WouldTriggerImmediately => {
                (51_279, "The trigger price is reached already.")
            }
            RejectReason::FokNotFilled => (51_000, "Order could not be filled whole"),
            RejectReason::SelfTrade => (51_023, "Order would trade with one of its own account"),
            RejectReason::DuplicateOrder => (51_016, "Client order ID already exists."),
            RejectReason::NoLiquidity => (51_006, "Order price is not within the price limit"),
            RejectReason::VenueRule => (51_000, "Parameter error"),
        };
        Self::new(code, message)
    }
}
