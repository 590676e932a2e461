//! Whether a connection is alive.

use std::time::{Duration, Instant};

/// When a connection is asked for a sign of life, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseConfig {
    /// A ping frame leaves after so much silence.
    pub ask_after: Duration,
    /// The connection is dead after so much silence.
    pub dead_after: Duration,
    /// The connection is dead when the system takes none of what waits to be sent for so long.
    pub stuck_after: Duration,
}

impl Default for PulseConfig {
    fn default() -> Self {
        Self {
            ask_after: Duration::from_secs(15),
            dead_after: Duration::from_secs(30),
            stuck_after: Duration::from_secs(5),
        }
    }
}

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing before this moment.
    Fine(Instant),
    /// Send a ping.
    Ask,
    /// Close it: nothing came for too long.
    Dead,
    /// Close it: the other side takes nothing.
    Stuck,
}

/// The signs of life of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    config: PulseConfig,
    heard: Instant,
    asked: bool,
    stuck_since: Option<Instant>,
}

impl Pulse {
    /// A connection that was just made.
    #[must_use]
    pub const fn new(config: PulseConfig, now: Instant) -> Self {
        Self { config, heard: now, asked: false, stuck_since: None }
    }

    /// Something came, whatever it is.
    #[inline]
    pub const fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = false;
    }

    /// Whether something waits to be sent now.
    pub fn unsent(&mut self, waits: bool, now: Instant) {
        match (waits, self.stuck_since) {
            (true, None) => self.stuck_since = Some(now),
            (false, _) => self.stuck_since = None,
            _ => {}
        }
    }

    /// What to do now. A ping is asked for once per silence.
    pub fn judge(&mut self, now: Instant) -> Verdict {
        let silence = now.saturating_duration_since(self.heard);
        let stuck = self.stuck_since.map(|since| since + self.config.stuck_after);
        if stuck.is_some_and(|until| now >= until) {
            return Verdict::Stuck;
        }
        if silence >= self.config.dead_after {
            return Verdict::Dead;
        }
        if silence >= self.config.ask_after && !self.asked {
            self.asked = true;
            return Verdict::Ask;
        }
        let after = if self.asked { self.config.dead_after } else { self.config.ask_after };
        let due = self.heard + after;
        Verdict::Fine(stuck.map_or(due, |until| until.min(due)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_once_and_then_ends_the_connection() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut pulse = Pulse::new(PulseConfig::default(), begin);
        assert_eq!(pulse.judge(begin + 14 * second), Verdict::Fine(begin + 15 * second));
        assert_eq!(pulse.judge(begin + 15 * second), Verdict::Ask);
        assert_eq!(pulse.judge(begin + 16 * second), Verdict::Fine(begin + 30 * second));
        pulse.heard(begin + 20 * second);
        assert_eq!(pulse.judge(begin + 30 * second), Verdict::Fine(begin + 35 * second));
        assert_eq!(pulse.judge(begin + 50 * second), Verdict::Dead);
    }

    #[test]
    fn a_connection_that_takes_nothing_is_given_up() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut pulse = Pulse::new(PulseConfig::default(), begin);
        pulse.unsent(true, begin);
        pulse.unsent(true, begin + 3 * second);
        assert_eq!(pulse.judge(begin + 4 * second), Verdict::Fine(begin + 5 * second));
        assert_eq!(pulse.judge(begin + 5 * second), Verdict::Stuck);
        pulse.unsent(false, begin + 5 * second);
        assert!(matches!(pulse.judge(begin + 6 * second), Verdict::Fine(_)));
    }
}
