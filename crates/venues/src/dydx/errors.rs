//! Codes of the chain, by what they mean for the one who asked.

use mainspring_core::RejectReason;

use crate::failure::{Failure, FailureClass};

/// The meaning of a code that is not 0. Codes count per module of the chain.
pub(super) fn classify(code: i64, module: &str, message: &str) -> Failure {
    use FailureClass as C;
    use RejectReason as R;
    let (class, reason) = match (module, code) {
        ("sdk", 4 | 5 | 7 | 8 | 32) => (C::Authentication, None),
        ("sdk", 20) => (C::RateLimited { wait_ms: None, banned: false }, Some(R::Overloaded)),
        // It is in the node's memory already: whether it was taken is not said.
        ("sdk", 19) => (C::Unknown, None),
        ("sdk", _) => (C::Refused, None),
        (_, 39) => (C::Unknown, None),
        _ if message.contains("already exists") => (C::Refused, Some(R::DuplicateOrder)),
        _ if message.contains("ollateral") => (C::Refused, Some(R::InsufficientMargin)),
        _ if message.contains("Post-only") || message.contains("post-only") => {
            (C::Refused, Some(R::PostOnlyWouldTake))
        }
        _ if message.contains("FillOrKill") => (C::Refused, Some(R::FokNotFilled)),
        _ if message.contains("educe-only") => (C::Refused, Some(R::ReduceOnlyWouldIncrease)),
        _ if message.contains("does not exist") => (C::Refused, Some(R::UnknownOrder)),
        _ if message.contains("ubticks") => (C::Refused, Some(R::PriceOffGrid)),
        _ if message.contains("uantums") => (C::Refused, Some(R::BadQuantity)),
        _ if message.contains("rate limit") || message.contains("Rate limit") => {
            (C::RateLimited { wait_ms: None, banned: false }, Some(R::Overloaded))
        }
        (_, 1_000..) => (C::Refused, Some(R::VenueRule)),
        _ => (C::Refused, None),
    };
    Failure::new(class, code.to_string(), message).because(reason)
}
