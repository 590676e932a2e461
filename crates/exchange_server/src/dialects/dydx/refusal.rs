//! Why the chain does not take a transaction: a code of one of its modules, and words.

use mainspring_core::RejectReason;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The module.
    pub space: &'static str,
    /// Its code.
    pub code: u32,
    /// What it says.
    pub log: String,
}

pub type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal of the module of order books.
    pub fn clob(code: u32, log: impl Into<String>) -> Self {
        Self { space: "clob", code, log: log.into() }
    }

    /// A refusal of what is common to all chains of the kind.
    pub fn sdk(code: u32, log: impl Into<String>) -> Self {
        Self { space: "sdk", code, log: log.into() }
    }

    /// The chain's words for what the matching engine says.
    pub fn of(reason: RejectReason) -> Self {
        let (code, log) = match reason {
            RejectReason::PriceOffGrid => {
                (12, "Order subticks must be a multiple of the ClobPair's SubticksPerTick")
            }
            RejectReason::BadQuantity => {
                (12, "Order Quantums must be a multiple of the ClobPair's StepBaseQuantums")
            }
            RejectReason::PostOnlyWouldTake => {
                (2_003, "Post-only order would cross one or more maker orders")
            }
            RejectReason::ReduceOnlyWouldIncrease => {
                (2_001, "Reduce-only orders cannot increase the position size")
            }
            RejectReason::InsufficientMargin => {
                (3_007, "Stateful order collateralization check failed")
            }
            RejectReason::WouldTriggerImmediately => {
                (6_001, "Conditional order trigger subticks is invalid")
            }
            RejectReason::Halted => (34, "Order conflicts with ClobPair status"),
            RejectReason::UnknownOrder => (3_006, "Stateful order does not exist"),
            RejectReason::DuplicateOrder => {
                let log = "An order with the same OrderId already exists for this CLOB with a \
                           greater-than-or-equal GoodTilBlock";
                (20, log)
            }
            RejectReason::Overloaded => {
                (10_001, "Subaccount cannot open more orders due to equity tier limit.")
            }
            _ => (12, "MsgPlaceOrder is invalid"),
        };
        Self::clob(code, log)
    }
}
