//! Error codes of OKX, by what they mean for the one who asked.

use mainspring_core::RejectReason;

use crate::failure::{Failure, FailureClass};

/// The meaning of a code that is not "0".
pub(super) fn classify(code: &str, message: &str, wait_ms: Option<u64>) -> Failure {
    use FailureClass as C;
    use RejectReason as R;
    let limited = C::RateLimited { wait_ms, banned: false };
    let number: u32 = code.parse().unwrap_or(0);
    let (class, reason) = match number {
        50_001 | 50_013 | 50_026 | 50_005 | 63_999 | 4_005 | 51_767 | 51_774 | 60_016 => {
            (C::VenueDown, None)
        }
        50_004 => (C::Unknown, None),
        50_011 | 50_040 | 50_061 | 60_014 | 4_003 | 4_008 | 51_113 | 58_102 | 60_023 => {
            (limited, Some(R::Overloaded))
        }
        50_007..=50_010
        | 50_100..=50_114
        | 50_119
        | 50_120
        | 60_004..=60_009
        | 60_011
        | 60_024
        | 60_032 => (C::Authentication, None),
        51_000 if message.contains("clOrdId") => (C::Refused, Some(R::DuplicateOrder)),
        51_016 => (C::Refused, Some(R::DuplicateOrder)),
        51_006 | 51_138 | 51_137 | 51_116 | 51_111 => (C::Refused, Some(R::VenueRule)),
        51_008 | 51_119 | 51_127 | 51_131 | 51_502 | 59_200 => {
            (C::Refused, Some(R::InsufficientMargin))
        }
        51_019 if message.to_lowercase().contains("post") => {
            (C::Refused, Some(R::PostOnlyWouldTake))
        }
        51_020 | 51_121 | 51_005 | 51_120 => (C::Refused, Some(R::BadQuantity)),
        51_021 | 51_028 | 51_022 | 51_027 => (C::Refused, Some(R::Halted)),
        51_112 | 51_169 | 51_205 => (C::Refused, Some(R::ReduceOnlyWouldIncrease)),
        51_277..=51_280 => (C::Refused, Some(R::WouldTriggerImmediately)),
        51_400..=51_402 | 51_405 | 51_410 | 51_503 | 51_505 | 51_509 | 51_510 | 51_603 => {
            (C::Refused, Some(R::UnknownOrder))
        }
        64_008 => (C::VenueDown, None),
        _ => (C::Refused, None),
    };
    Failure::new(class, code, message).because(reason)
}
