//! Refusals in the venue's own codes.

use mainspring_core::order::RejectReason;

use crate::limits::Excess;
use crate::section::{Product, UnknownSymbol};

/// A refusal: HTTP status, the venue's code and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The venue's code.
    pub code: i32,
    /// Its text.
    pub message: String,
    /// Seconds to wait, where the venue says so.
    pub retry_after_s: Option<u64>,
    /// Whole body, where it is more than code and text.
    pub body: Option<String>,
}

/// What a request comes to.
pub type Outcome<T> = std::result::Result<T, Refusal>;

impl Refusal {
    /// A refusal with status 400.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// A refusal with another status.
    #[must_use]
    pub fn with_status(status: u16, code: i32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None, body: None }
    }

    /// The body.
    #[must_use]
    pub fn json(&self) -> String {
        match &self.body {
            Some(body) => body.clone(),
            None => serde_json::json!({"code": self.code, "msg": self.message}).to_string(),
        }
    }

    /// A parameter that must be there.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self::new(
            -1102,
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
        )
    }

    /// A parameter that is not what it should be.
    #[must_use]
    pub fn illegal(name: &str) -> Self {
        Self::new(-1100, format!("Illegal characters found in parameter '{name}'."))
    }

    /// A filter of the symbol that an order does not pass.
    #[must_use]
    pub fn filter(name: &str) -> Self {
        Self::new(-1013, format!("Filter failure: {name}"))
    }

    /// What the matching engine said, as this product words it.
    #[must_use]
    pub fn of_reject(reason: RejectReason, product: Product) -> Self {
        let (code, message) = match product {
            Product::Spot => spot(reason),
            Product::Usdm => usdm(reason),
        };
        Self::new(code, message)
    }
}

impl From<UnknownSymbol> for Refusal {
    fn from(_: UnknownSymbol) -> Self {
        Self::new(-1121, "Invalid symbol.")
    }
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        let (status, code, wait_ms, message) = match excess {
            Excess::Weight { most, wait_ms } => (
                429,
                -1003,
                wait_ms,
                format!(
                    "Too much request weight used; current limit is {most} request weight per 1 \
                 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
                ),
            ),
            Excess::Orders { most, wait_ms } => (
                429,
                -1015,
                wait_ms,
                format!("Too many new orders; current limit is {most} orders per 10 SECOND."),
            ),
            Excess::Banned { until_ms, wait_ms } => (
                418,
                -1003,
                wait_ms,
                format!(
                    "Way too much request weight used; IP banned until {until_ms}. Please use \
                 WebSocket Streams for live updates to avoid bans."
                ),
            ),
        };
        let retry_after_s = Some((wait_ms as u64).div_ceil(1_000));
        Self { retry_after_s, ..Self::with_status(status, code, message) }
    }
}

fn spot(reason: RejectReason) -> (i32, &'static str) {
    match reason {
        RejectReason::PostOnlyWouldTake => (-2010, "Order would immediately match and take."),
        RejectReason::InsufficientMargin => {
            (-2010, "Account has insufficient balance for requested action.")
        }
        RejectReason::WouldTriggerImmediately => (-2010, "Stop price would trigger immediately."),
        RejectReason::DuplicateOrder => (-2010, "Duplicate order sent."),
        RejectReason::PriceOffGrid => (-1013, "Filter failure: PRICE_FILTER"),
        RejectReason::BadQuantity => (-1013, "Filter failure: LOT_SIZE"),
        RejectReason::BelowMinNotional => (-1013, "Filter failure: NOTIONAL"),
        RejectReason::Halted => (-1013, "Market is closed."),
        RejectReason::UnknownOrder => (-2013, "Order does not exist."),
        RejectReason::Overloaded => OVERLOADED,
        RejectReason::NoLiquidity => (-2010, "Market orders are not supported for this symbol."),
        RejectReason::ReduceOnlyWouldIncrease
        | RejectReason::FokNotFilled
        | RejectReason::SelfTrade
        | RejectReason::VenueRule => (-2010, "Order was rejected."),
    }
}

fn usdm(reason: RejectReason) -> (i32, &'static str) {
    match reason {
        RejectReason::PostOnlyWouldTake => (
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected.",
        ),
        RejectReason::InsufficientMargin => (-2019, "Margin is insufficient."),
        RejectReason::WouldTriggerImmediately => (-2021, "Order would immediately trigger."),
        RejectReason::DuplicateOrder => (-4116, "ClientOrderId is duplicated."),
        RejectReason::PriceOffGrid => (-4014, "Price not increased by tick size."),
        RejectReason::BadQuantity => (-4003, "Quantity less than or equal to zero."),
        RejectReason::BelowMinNotional => (
            -4164,
            "Order's notional must be no smaller than 5 (unless you choose reduce only).",
        ),
        RejectReason::Halted => (-4108, "This symbol is in settling and cannot trade now."),
        RejectReason::UnknownOrder => (-2013, "Order does not exist."),
        RejectReason::ReduceOnlyWouldIncrease => (-2022, "ReduceOnly Order is rejected."),
        RejectReason::FokNotFilled => (
            -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected.",
        ),
        RejectReason::Overloaded => OVERLOADED,
        RejectReason::NoLiquidity | RejectReason::SelfTrade | RejectReason::VenueRule => {
            (-2010, "Order was rejected.")
        }
    }
}

const OVERLOADED: (i32, &str) = (
    -1008,
    "Server is currently overloaded with other requests. Please try again in a few minutes.",
);
