//! The venue's words of refusal, by what they mean for the one who asked.

use mainspring_core::{CancelReason, RejectReason};

use crate::fact::OrderStatus;
use crate::failure::{Failure, FailureClass};

/// The meaning of an error text. The venue has no codes.
pub(super) fn classify(message: &str) -> Failure {
    use FailureClass as C;
    use RejectReason as R;
    let has = |part: &str| message.contains(part);
    let (class, reason) = if has("does not exist") || has("Must deposit") || has("nonce") {
        // A wrong signature recovers some other address, which has no account.
        (C::Authentication, None)
    } else if has("Too many cumulative requests") {
        // When the address's budget is used up it has one request every ten seconds.
        (C::RateLimited { wait_ms: Some(10_000), banned: false }, Some(R::Overloaded))
    } else if has("Too many requests") || has("rate limit") {
        (C::RateLimited { wait_ms: None, banned: false }, Some(R::Overloaded))
    } else if has("tick size") || has("Price must be") || has("invalid price") {
        (C::Refused, Some(R::PriceOffGrid))
    } else if has("minimum value") {
        (C::Refused, Some(R::BelowMinNotional))
    } else if has("nsufficient margin") || has("nsufficient spot balance") {
        (C::Refused, Some(R::InsufficientMargin))
    } else if has("would have immediately matched") {
        (C::Refused, Some(R::PostOnlyWouldTake))
    } else if has("could not immediately match") || has("No liquidity") {
        (C::Refused, Some(R::NoLiquidity))
    } else if has("Reduce only") {
        (C::Refused, Some(R::ReduceOnlyWouldIncrease))
    } else if has("never placed, already canceled, or filled") || has("Cannot modify") {
        (C::Refused, Some(R::UnknownOrder))
    } else if has("Invalid TP/SL price") {
        (C::Refused, Some(R::WouldTriggerImmediately))
    } else if has("invalid size") || has("Order has zero size") || has("size") {
        (C::Refused, Some(R::BadQuantity))
    } else if has("halted") || has("Trading is") {
        (C::Refused, Some(R::Halted))
    } else {
        (C::Refused, Some(R::VenueRule))
    };
    Failure::new(class, "", message).because(reason)
}

/// What became of an order by the venue's word; `None` for a word that is not known.
pub(super) fn status_of(word: &str) -> Option<OrderStatus> {
    use CancelReason as C;
    use RejectReason as R;
    let rejected = |reason| OrderStatus::Rejected(Some(reason));
    Some(match word {
        "open" => OrderStatus::Open,
        "filled" => OrderStatus::Filled,
        "triggered" => OrderStatus::Triggered,
        "canceled" | "scheduledCancel" => OrderStatus::Cancelled(C::Requested),
        "selfTradeCanceled" => OrderStatus::Cancelled(C::SelfTrade),
        "reduceOnlyCanceled" => OrderStatus::Cancelled(C::ReduceOnly),
        "siblingFilledCanceled" => OrderStatus::Cancelled(C::Oco),
        "marginCanceled" | "liquidatedCanceled" => OrderStatus::Cancelled(C::Liquidation),
        "delistedCanceled" => OrderStatus::Cancelled(C::Expired),
        "vaultWithdrawalCanceled" | "openInterestCapCanceled" | "internalCancel" => {
            OrderStatus::Cancelled(C::Requested)
        }
        "rejected" => OrderStatus::Rejected(None),
        "tickRejected" => rejected(R::PriceOffGrid),
        "minTradeNtlRejected" | "minTradeSpotNtlRejected" => rejected(R::BelowMinNotional),
        "perpMarginRejected" | "insufficientSpotBalanceRejected" => rejected(R::InsufficientMargin),
        "reduceOnlyRejected" => rejected(R::ReduceOnlyWouldIncrease),
        "badAloPxRejected" => rejected(R::PostOnlyWouldTake),
        "iocCancelRejected" | "marketOrderNoLiquidityRejected" => rejected(R::NoLiquidity),
        "badTriggerPxRejected" => rejected(R::WouldTriggerImmediately),
        "positionIncreaseAtOpenInterestCapRejected"
        | "positionFlipAtOpenInterestCapRejected"
        | "tooAggressiveAtOpenInterestCapRejected"
        | "openInterestIncreaseRejected"
        | "oracleRejected"
        | "perpMaxPositionRejected" => rejected(R::VenueRule),
        _ => return None,
    })
}
