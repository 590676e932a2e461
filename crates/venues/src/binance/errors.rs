//! Error codes of Binance, by what they mean for the one who asked.

use mainspring_core::RejectReason;

use crate::document::Object;
use crate::failure::{Failure, FailureClass, Partial};
use crate::outgoing::Reply;

/// The failure behind an answer that is not a success.
pub(super) fn failure(reply: &Reply<'_>) -> Failure {
    let wait_ms = reply.retry_after_ms();
    let Ok(body) = Object::read(reply.body) else {
        return by_status(reply.status, wait_ms, "the answer is not JSON");
    };
    of_object(reply.status, wait_ms, &body)
}

/// The failure behind an error object (`code`, `msg`).
pub(super) fn of_object(status: u16, wait_ms: Option<u64>, body: &Object<'_>) -> Failure {
    let message = body.message("msg").into_owned();
    let Ok(Some(code)) = body.integer("code") else {
        return by_status(status, wait_ms, &message);
    };
    let mut failure =
        classify(code, &message, wait_ms).unwrap_or_else(|| by_status(status, wait_ms, &message));
    if status == 418 {
        failure.class = FailureClass::RateLimited { wait_ms, banned: true };
    }
    failure.code = code.to_string();
    failure.partial = partial(code, body);
    if failure.partial != Partial::None || code == -2022 && body.has("data") {
        failure.reason = inner_reason(body).or(failure.reason);
    }
    failure
}

fn by_status(status: u16, wait_ms: Option<u64>, message: &str) -> Failure {
    // 503 with this text is a refusal before anything was done; without it the outcome is unknown.
    if status == 503 && message.contains("Service Unavailable") {
        return Failure::new(FailureClass::VenueDown, "HTTP 503", message);
    }
    Failure::of_status(status, wait_ms, message)
}

/// Of a cancel and replace, which half was done (-2021).
fn partial(code: i64, body: &Object<'_>) -> Partial {
    let Ok(Some(data)) = body.object("data") else { return Partial::None };
    let word = |key| data.word(key).ok().flatten();
    match (code, word("cancelResult"), word("newOrderResult")) {
        (-2021, Some("SUCCESS"), _) => Partial::Cancelled,
        (-2021, _, Some("SUCCESS")) => Partial::Placed,
        _ => Partial::None,
    }
}

fn inner_reason(body: &Object<'_>) -> Option<RejectReason> {
    let data = body.object("data").ok()??;
    let of = |key: &'static str| {
        let inner = data.object(key).ok()??;
        let code = inner.integer("code").ok()??;
        classify(code, &inner.message("msg"), None)?.reason
    };
    of("newOrderResponse").or_else(|| of("cancelResponse"))
}

/// The meaning of a code, or `None` for one that is not known here.
pub(super) fn classify(code: i64, message: &str, wait_ms: Option<u64>) -> Option<Failure> {
    use FailureClass as C;
    let limited = C::RateLimited { wait_ms, banned: false };
    let (class, reason) = match code {
        // -1000 to -1099: the venue itself and the connection.
        -1000 | -1006 | -1007 => (C::Unknown, None),
        -1001 | -1016 | -1004 => (C::VenueDown, None),
        -1008 | -1010 => (limited, Some(RejectReason::Overloaded)),
        -1003 | -1015 | -1034 | -12014 | -5041 | -6009 => (limited, Some(RejectReason::Overloaded)),
        -1002 | -1021 | -1022 | -1099 => (C::Authentication, None),
        -2008 | -2014 | -2015 | -2017 => (C::Authentication, None),
        -1013 => (C::Refused, filter_reason(message)),
        -2010 => (C::Refused, refusal_reason(message)),
        -2011 | -2013 | -2026 => (C::Refused, Some(RejectReason::UnknownOrder)),
        -2018 | -2019 | -2027 | -2028 => (C::Refused, Some(RejectReason::InsufficientMargin)),
        -2020 | -5021 => (C::Refused, Some(RejectReason::FokNotFilled)),
        -2021 if message.contains("immediately trigger") => {
            (C::Refused, Some(RejectReason::WouldTriggerImmediately))
        }
        -2022 if message.contains("educe") => {
            (C::Refused, Some(RejectReason::ReduceOnlyWouldIncrease))
        }
        -4006..=-4003 => (C::Refused, Some(RejectReason::BadQuantity)),
        -4014 | -4013 | -4002 | -4001 => (C::Refused, Some(RejectReason::PriceOffGrid)),
        -4016 | -4024 | -4131 => (C::Refused, Some(RejectReason::VenueRule)),
        -4023 => (C::Refused, Some(RejectReason::BadQuantity)),
        -4111 | -4116 => (C::Refused, Some(RejectReason::DuplicateOrder)),
        -4118 | -4137 => (C::Refused, Some(RejectReason::ReduceOnlyWouldIncrease)),
        -4164 => (C::Refused, Some(RejectReason::BelowMinNotional)),
        -4400 => (C::Refused, Some(RejectReason::Halted)),
        -5022 => (C::Refused, Some(RejectReason::PostOnlyWouldTake)),
        // Whatever else is a code of the venue refused the request as it stands.
        -9_999..=-1_000 | -21_999..=-10_000 | 200_000..=999_999 => (C::Refused, None),
        _ => return None,
    };
    Some(Failure::new(class, code.to_string(), message).because(reason))
}

fn filter_reason(message: &str) -> Option<RejectReason> {
    Some(if message.contains("LOT_SIZE") {
        RejectReason::BadQuantity
    } else if message.contains("NOTIONAL") {
        RejectReason::BelowMinNotional
    } else if message.contains("PRICE_FILTER") {
        RejectReason::PriceOffGrid
    } else {
        RejectReason::VenueRule
    })
}

fn refusal_reason(message: &str) -> Option<RejectReason> {
    Some(if message.contains("insufficient balance") {
        RejectReason::InsufficientMargin
    } else if message.contains("immediately match") {
        RejectReason::PostOnlyWouldTake
    } else if message.contains("trigger immediately") {
        RejectReason::WouldTriggerImmediately
    } else if message.contains("uplicate") {
        RejectReason::DuplicateOrder
    } else if message.contains("Market is closed") || message.contains("not permitted") {
        RejectReason::Halted
    } else if message.contains("Unknown order") {
        RejectReason::UnknownOrder
    } else {
        return filter_reason(message);
    })
}
