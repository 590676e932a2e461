//! The timers of a session.

use mainspring_core::TimeNs;
use mainspring_venues::session::TimerId;

/// Few timers, each set at most once at a time.
#[derive(Debug, Default)]
pub(super) struct Timers(Vec<(TimeNs, TimerId)>);

impl Timers {
    /// Sets or moves a timer.
    pub(super) fn set(&mut self, timer: TimerId, at_ns: TimeNs) {
        match self.0.iter_mut().find(|(_, other)| *other == timer) {
            Some(entry) => entry.0 = at_ns,
            None => self.0.push((at_ns, timer)),
        }
    }

    /// Takes the earliest timer whose time came.
    pub(super) fn take_due(&mut self, now_ns: TimeNs) -> Option<TimerId> {
        let earliest = self.0.iter().enumerate().min_by_key(|(_, entry)| **entry);
        let (at, (at_ns, timer)) = earliest.map(|(at, entry)| (at, *entry))?;
        if at_ns > now_ns {
            return None;
        }
        self.0.swap_remove(at);
        Some(timer)
    }

    /// When the next is due.
    pub(super) fn next_ns(&self) -> TimeNs {
        self.0.iter().map(|(at_ns, _)| *at_ns).min().unwrap_or(TimeNs::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_once_in_order_and_can_be_moved() {
        let mut timers = Timers::default();
        timers.set(TimerId(1), 30);
        timers.set(TimerId(2), 20);
        timers.set(TimerId(3), 10);
        timers.set(TimerId(2), 40);
        assert_eq!((timers.next_ns(), timers.take_due(9)), (10, None));
        let due: Vec<_> = std::iter::from_fn(|| timers.take_due(40)).collect();
        assert_eq!(due, [TimerId(3), TimerId(1), TimerId(2)]);
        assert_eq!(timers.next_ns(), TimeNs::MAX);
    }
}
