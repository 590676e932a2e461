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

/// What a supervisor says of an engine that is broken.
const BROKEN: [&str; 4] = ["kernel_stuck", "disk_full", "engine", "journal"];

impl HaltCause {
    /// The cause that a text names: by its own word at the beginning, as in `venue_issue: positions
    /// differ`, or behind who asked, as in `command: correlation: BTC and ETH`; the words of the supervisor
    /// are of what is broken in the engine. Everything else is a person's.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let words = text.split(':').take(2).map(|part| {
            let part = part.trim_start();
            part.split(|c: char| !(c.is_ascii_alphabetic() || c == '_')).next().unwrap_or(part)
        });
        words.filter_map(Self::of_word).next().unwrap_or(Self::Manual)
    }

    fn of_word(word: &str) -> Option<Self> {
        if BROKEN.contains(&word) {
            return Some(Self::SystemError);
        }
        Self::ALL.into_iter().find(|cause| cause.name() == word && *cause != Self::Manual)
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

#[cfg(test)]
mod tests {
    use super::HaltCause;

    #[test]
    fn a_text_names_its_cause_by_its_first_or_second_word() {
        for cause in HaltCause::ALL {
            assert_eq!(HaltCause::of(&format!("{cause}: why")), cause);
            assert_eq!(HaltCause::of(&format!("command: {cause}: why")), cause);
            assert_eq!(HaltCause::of(&format!("file: {cause}")), cause);
        }
        for text in ["kernel_stuck: for 900 ms", "disk_full: no space", "engine: a check failed"] {
            assert_eq!(HaltCause::of(text), HaltCause::SystemError, "{text}");
        }
        for text in ["", "drill", "signal: SIGUSR1", "command: I saw a drawdown", "marginal: no"] {
            assert_eq!(HaltCause::of(text), HaltCause::Manual, "{text}");
        }
    }
}
