//! Why trading is halted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What set the kill switch off. It never lifts itself, whatever the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltCause {
    /// A person, a signal, a file.
    Manual,
    /// The loss of the day reached its limit.
    DailyLoss,
    /// The fall from the peak of equity reached the rung that closes everything.
    Drawdown,
    /// Too many losing trades in a row.
    LosingStreak,
    /// Something in the engine is broken: a journal that cannot be written, a stuck thread.
    SystemError,
    /// A venue behaves as it must not: positions that differ, orders that are stuck.
    VenueIssue,
    /// Positions move together more than allowed.
    Correlation,
    /// Several circuit breakers are open at once.
    BreakerCascade,
    /// Not enough margin is left to carry the positions.
    Margin,
}

impl HaltCause {
    /// The cause that a text begins with, such as `venue_issue: positions differ`; else a person's.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let word = text.split(|c: char| !(c.is_ascii_alphabetic() || c == '_')).next();
        Self::ALL.into_iter().find(|cause| Some(cause.name()) == word).unwrap_or(Self::Manual)
    }

    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Manual,
        Self::DailyLoss,
        Self::Drawdown,
        Self::LosingStreak,
        Self::SystemError,
        Self::VenueIssue,
        Self::Correlation,
        Self::BreakerCascade,
        Self::Margin,
    ];

    /// Its name for people and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::DailyLoss => "daily_loss",
            Self::Drawdown => "drawdown",
            Self::LosingStreak => "losing_streak",
            Self::SystemError => "system_error",
            Self::VenueIssue => "venue_issue",
            Self::Correlation => "correlation",
            Self::BreakerCascade => "breaker_cascade",
            Self::Margin => "margin",
        }
    }
}

impl fmt::Display for HaltCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
