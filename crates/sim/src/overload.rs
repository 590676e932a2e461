//! The request rate beyond which the venue refuses.

use mainspring_core::units::TimeNs;

use crate::config::OverloadRule;

/// A sliding window over the requests that were let through.
#[derive(Clone, Debug)]
pub struct RateWindow {
    window_ns: i64,
    /// Times of the last requests let through, a ring.
    times: Box<[TimeNs]>,
    /// The oldest of them, overwritten next.
    oldest: usize,
    filled: usize,
}

impl RateWindow {
    /// A window without requests.
    #[must_use]
    pub fn new(rule: OverloadRule) -> Self {
        Self {
            window_ns: rule.window_ns,
            times: vec![0; rule.max_requests as usize].into_boxed_slice(),
            oldest: 0,
            filled: 0,
        }
    }

    /// Whether a request now is let through; it counts only then.
    pub fn admits(&mut self, now_ns: TimeNs) -> bool {
        if self.filled == self.times.len() {
            if now_ns.saturating_sub(self.times[self.oldest]) < self.window_ns {
                return false;
            }
        } else {
            self.filled += 1;
        }
        self.times[self.oldest] = now_ns;
        self.oldest = (self.oldest + 1) % self.times.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut window = RateWindow::new(OverloadRule { max_requests: 2, window_ns: 10 });
        let admitted: Vec<bool> =
            [0, 5, 9, 10, 14, 15, 16].map(|now| window.admits(now)).into_iter().collect();
        assert_eq!(admitted, [true, true, false, true, false, true, false]);
    }
}
