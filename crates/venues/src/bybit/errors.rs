//! Error codes of Bybit, by what they mean for the one who asked.

use mainspring_core::RejectReason;

use crate::failure::{Failure, FailureClass};

/// The meaning of a code that is not 0.
pub(super) fn classify(code: i64, message: &str, wait_ms: Option<u64>) -> Failure {
    use FailureClass as C;
    use RejectReason as R;
    let (class, reason) = match code {
        10_000 | 10_016 | 170_007 | 170_146 | 170_147 | -1_000 => (C::Unknown, None),
        10_019 | 3_100_326 | 30_133 => (C::VenueDown, None),
        10_006 | 10_018 | 10_429 | 20_003 | 429 | 30_033 | 30_035 | 170_222 => {
            (C::RateLimited { wait_ms, banned: false }, Some(R::Overloaded))
        }
        403 => (C::RateLimited { wait_ms: wait_ms.or(Some(600_000)), banned: true }, None),
        10_002..=10_005
        | 10_007
        | 10_008
        | 10_009
        | 10_010
        | 10_024
        | 10_027..=10_029
        | 33_004
        | -2_015 => (C::Authentication, None),
        110_001 | 110_008 | 110_010 | 170_213 | 170_142 | 170_145 | 20_001 | 30_034 => {
            (C::Refused, Some(R::UnknownOrder))
        }
        110_003 | 110_032 | 170_132 | 170_134 => (C::Refused, Some(R::PriceOffGrid)),
        110_004 | 110_006 | 110_007 | 110_012 | 110_014 | 110_044..=110_053 | 170_131 | 170_033 => {
            (C::Refused, Some(R::InsufficientMargin))
        }
        110_017 if message.contains("truncated") => (C::Refused, Some(R::BadQuantity)),
        110_017 => (C::Refused, Some(R::ReduceOnlyWouldIncrease)),
        110_020 | 110_079 | 110_021 => (C::Refused, Some(R::VenueRule)),
        110_072 | 170_141 => (C::Refused, Some(R::DuplicateOrder)),
        110_092 | 110_093 => (C::Refused, Some(R::WouldTriggerImmediately)),
        110_094 | 170_140 => (C::Refused, Some(R::BelowMinNotional)),
        170_133 | 170_135..=170_137 | 170_124 => (C::Refused, Some(R::BadQuantity)),
        170_192..=170_194 => (C::Refused, Some(R::VenueRule)),
        170_218 => (C::Refused, Some(R::PostOnlyWouldTake)),
        170_201 | 110_074 | 110_075 => (C::Refused, Some(R::Halted)),
        _ => (C::Refused, None),
    };
    Failure::new(class, code.to_string(), message).because(reason)
}

/// The reason behind an `EC_` word of an order; `None` for no error.
pub(super) fn reason_of(word: &str) -> Option<RejectReason> {
    Some(match word {
        "EC_NoError" | "" => return None,
        "EC_PostOnlyWillTakeLiquidity" => RejectReason::PostOnlyWouldTake,
        "EC_NoImmediateQtyToFill" | "EC_NoEnoughQtyToFill" => RejectReason::NoLiquidity,
        "EC_CancelForNoFullFill" => RejectReason::FokNotFilled,
        "EC_BySelfMatch" => RejectReason::SelfTrade,
        "EC_DuplicatedClOrdID" => RejectReason::DuplicateOrder,
        "EC_QtyCannotBeZero" | "EC_InvalidQty" => RejectReason::BadQuantity,
        "EC_UnknownOrder"
        | "EC_OrderNotExist"
        | "EC_OrigClOrdIDDoesNotExist"
        | "EC_TooLateToCancel" => RejectReason::UnknownOrder,
        "EC_InsufficientBalance" => RejectReason::InsufficientMargin,
        "EC_SecurityStatusBreak" => RejectReason::Halted,
        _ => RejectReason::VenueRule,
    })
}
