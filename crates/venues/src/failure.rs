//! Why a venue did not do what was asked: five classes that a session acts on.

use std::fmt;

use mainspring_core::RejectReason;

/// What a failure means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The venue said no and did nothing. Asking again the same way will not help.
    Refused,
    /// Too many requests: wait, then ask again.
    RateLimited {
        /// How long, where the venue says it.
        wait_ms: Option<u64>,
        /// Whether the address or account is banned for that time.
        banned: bool,
    },
    /// Key, signature, permission or clock: nothing will work until it is put right.
    Authentication,
    /// The venue may or may not have done it: query, never assume.
    Unknown,
    /// The venue is not there for anybody now.
    VenueDown,
}

/// A failure as a venue states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to make of it.
    pub class: FailureClass,
    /// Why an order was refused, where that is known.
    pub reason: Option<RejectReason>,
    /// The venue's code; empty where it has none.
    pub code: String,
    /// The venue's words.
    pub message: String,
    /// What was done before the failure, where the venue says it.
    pub partial: Partial,
}

/// How much of a request of two halves was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partial {
    /// Nothing, or all of it failed.
    #[default]
    None,
    /// The cancel was done, the new order was refused.
    Cancelled,
    /// The cancel failed, the new order was placed.
    Placed,
}

impl Failure {
    /// A refusal without a known reason.
    #[must_use]
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Refused, code, message)
    }

    /// A failure of this class.
    #[must_use]
    pub fn new(class: FailureClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class,
            reason: None,
            code: code.into(),
            message: message.into(),
            partial: Partial::None,
        }
    }

    /// The same with the reason of a refused order.
    #[must_use]
    pub const fn because(mut self, reason: Option<RejectReason>) -> Self {
        self.reason = reason;
        self
    }

    /// An answer that cannot be read: what was asked may have been done.
    #[must_use]
    pub fn unreadable(what: impl fmt::Display) -> Self {
        Self::new(FailureClass::Unknown, "", format!("the answer cannot be read: {what}"))
    }

    /// Whether the HTTP status alone says so, not the venue's own code.
    #[must_use]
    pub fn is_of_http(&self) -> bool {
        self.code.starts_with("HTTP ")
    }

    /// A failure by the HTTP status alone, for answers without the venue's own code.
    #[must_use]
    pub fn of_status(status: u16, wait_ms: Option<u64>, message: impl Into<String>) -> Self {
        let class = match status {
            401 => FailureClass::Authentication,
            418 => FailureClass::RateLimited { wait_ms, banned: true },
            403 | 429 => FailureClass::RateLimited { wait_ms, banned: false },
            502 | 503 | 504 | 500 | 408 => FailureClass::Unknown,
            520..=530 => FailureClass::Unknown,
            _ => FailureClass::Refused,
        };
        Self::new(class, format!("HTTP {status}"), message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            FailureClass::Refused => "refused",
            FailureClass::RateLimited { banned: true, .. } => "banned for too many requests",
            FailureClass::RateLimited { .. } => "too many requests",
            FailureClass::Authentication => "not authenticated",
            FailureClass::Unknown => "outcome unknown",
            FailureClass::VenueDown => "venue down",
        };
        write!(f, "{class}")?;
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
