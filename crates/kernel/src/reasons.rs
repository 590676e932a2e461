//! Names of the codes that order records keep as their reason: refusals of a venue from 1 on,
//! cancels from 51 on, a version without a share, a rate budget without room, limits of the gate from
//! 101 on.

use std::borrow::Cow;

use mainspring_core::{CancelReason, RejectReason};
use mainspring_trading::risk::LimitKind;

/// An order that a rate budget had no room for.
pub const RATE_BUDGET: u8 = 100;

/// A version of a strategy that has no share of the size.
pub const NO_SHARE: u8 = 99;

const REJECTS: [(RejectReason, &str); 15] = [
    (RejectReason::PostOnlyWouldTake, "post_only_would_take"),
    (RejectReason::ReduceOnlyWouldIncrease, "reduce_only_would_increase"),
    (RejectReason::PriceOffGrid, "price_off_grid"),
    (RejectReason::BadQuantity, "bad_quantity"),
    (RejectReason::BelowMinNotional, "below_min_notional"),
    (RejectReason::UnknownOrder, "unknown_order"),
    (RejectReason::Halted, "halted"),
    (RejectReason::Overloaded, "overloaded"),
    (RejectReason::InsufficientMargin, "insufficient_margin"),
    (RejectReason::WouldTriggerImmediately, "would_trigger_immediately"),
    (RejectReason::FokNotFilled, "fok_not_filled"),
    (RejectReason::SelfTrade, "self_trade"),
    (RejectReason::DuplicateOrder, "duplicate_order"),
    (RejectReason::NoLiquidity, "no_liquidity"),
    (RejectReason::VenueRule, "venue_rule"),
];

const CANCELS: [(CancelReason, &str); 8] = [
    (CancelReason::Requested, "requested"),
    (CancelReason::IocRemainder, "ioc_remainder"),
    (CancelReason::NoLiquidity, "no_liquidity"),
    (CancelReason::SelfTrade, "self_trade"),
    (CancelReason::Expired, "expired"),
    (CancelReason::ReduceOnly, "reduce_only"),
    (CancelReason::Oco, "oco"),
    (CancelReason::Liquidation, "liquidation"),
];

/// Every code with its name.
pub fn reasons() -> impl Iterator<Item = (u8, Cow<'static, str>)> {
    let rejects = REJECTS.iter().map(|(reason, name)| (*reason as u8, Cow::Borrowed(*name)));
    let cancels = CANCELS.iter().map(|(reason, name)| (50 + *reason as u8, Cow::Borrowed(*name)));
    let limits = LimitKind::ALL
        .iter()
        .map(|limit| (101 + *limit as u8, Cow::Owned(format!("risk_{}", limit.name()))));
    let ours = [(NO_SHARE, "no_share"), (RATE_BUDGET, "rate_budget")];
    let ours = ours.into_iter().map(|(code, name)| (code, Cow::Borrowed(name)));
    rejects.chain(cancels).chain(ours).chain(limits)
}

/// The name of a code; `None` for 0 and for codes that there are not.
#[must_use]
pub fn reason_name(code: u8) -> Option<Cow<'static, str>> {
    reasons().find(|(known, _)| *known == code).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json_and_codes_are_of_one_reason_each() {
        for (reason, name) in REJECTS {
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
        }
        for (reason, name) in CANCELS {
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
        }
        let mut codes: Vec<u8> = reasons().map(|(code, _)| code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(reason_name(RATE_BUDGET).as_deref(), Some("rate_budget"));
        assert_eq!(reason_name(101).as_deref(), Some("risk_halted"));
        assert_eq!(reason_name(0), None);
    }
}
