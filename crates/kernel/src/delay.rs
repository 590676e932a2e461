//! Items that are due later: requests on their way to a venue, answers on their way back, timers.

use std::collections::VecDeque;

use mainspring_core::{Error, ErrorKind, Result, TimeNs};

/// A bounded queue of items by due time, first in first out among equals.
///
/// Kept sorted: nearly everything is due after what was added before it, so that adding is an append
/// and an item that is due earlier moves past only the few that are due later.
pub struct DelayQueue<T> {
    items: VecDeque<(TimeNs, T)>,
    next_ns: TimeNs,
    /// When the last item is due; `TimeNs::MIN` when there is none.
    last_ns: TimeNs,
    capacity: usize,
    what: &'static str,
}

impl<T> DelayQueue<T> {
    /// An empty queue for at most `capacity` items, called `what` in messages.
    #[must_use]
    pub fn new(capacity: usize, what: &'static str) -> Self {
        let items = VecDeque::with_capacity(capacity.min(1_024));
        Self { items, next_ns: TimeNs::MAX, last_ns: TimeNs::MIN, capacity, what }
    }

    /// When the first item is due; `TimeNs::MAX` when there is none.
    #[inline]
    #[must_use]
    pub const fn next_ns(&self) -> TimeNs {
        self.next_ns
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an item.
    ///
    /// # Errors
    /// When the queue is full: the run stops rather than lose the item.
    #[inline(always)]
    pub fn push(&mut self, at_ns: TimeNs, item: T) -> Result<()> {
        if self.items.len() >= self.capacity {
            return Err(self.full());
        }
        if self.last_ns <= at_ns {
            self.items.push_back((at_ns, item));
            self.last_ns = at_ns;
        } else {
            self.insert(at_ns, item);
        }
        self.next_ns = self.next_ns.min(at_ns);
        Ok(())
    }

    /// Puts an item before those that are due later.
    #[inline(never)]
    fn insert(&mut self, at_ns: TimeNs, item: T) {
        let last = self.items.len().saturating_sub(1);
        if last == 0 || self.items[last - 1].0 <= at_ns {
            // Before the last alone: a timer that comes often before one that comes rarely.
            self.items.push_back((at_ns, item));
            self.items.swap(last, last + 1);
            return;
        }
        let place = self.items.partition_point(|other| other.0 <= at_ns);
        self.items.insert(place, (at_ns, item));
    }

    #[cold]
    fn full(&self) -> Error {
        Error::new(
            ErrorKind::Capacity,
            format!("more than {} {} at once", self.capacity, self.what),
        )
    }

    /// Keeps only some items.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.items.retain(|(_, item)| keep(item));
        self.next_ns = self.items.front().map_or(TimeNs::MAX, |next| next.0);
        self.last_ns = self.items.back().map_or(TimeNs::MIN, |last| last.0);
    }

    /// The items in order of their times.
    pub fn iter(&self) -> impl Iterator<Item = &(TimeNs, T)> {
        self.items.iter()
    }

    /// The first item with its due time.
    #[must_use]
    pub fn first(&self) -> Option<(TimeNs, T)>
    where
        T: Copy,
    {
        self.items.front().copied()
    }

    /// Takes the first item with its due time.
    #[inline]
    pub fn pop(&mut self) -> Option<(TimeNs, T)> {
        let first = self.items.pop_front()?;
        match self.items.front() {
            Some(next) => self.next_ns = next.0,
            None => (self.next_ns, self.last_ns) = (TimeNs::MAX, TimeNs::MIN),
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_leave_by_time_and_then_by_arrival(times in prop::collection::vec(0_i64..20, 0..200)) {
            let mut queue = DelayQueue::new(200, "items");
            for (i, t) in times.iter().enumerate() {
                queue.push(*t, i).unwrap();
            }
            let mut expected: Vec<_> = times.iter().copied().zip(0..).collect();
            expected.sort();
            for want in expected {
                prop_assert_eq!(queue.next_ns(), want.0);
                prop_assert_eq!(queue.pop(), Some(want));
            }
            prop_assert_eq!(queue.next_ns(), TimeNs::MAX);
        }
    }

    #[test]
    fn a_full_queue_says_so() {
        let mut queue = DelayQueue::new(1, "requests in flight");
        queue.push(1, ()).unwrap();
        let error = queue.push(2, ()).unwrap_err();
        assert_eq!(error.message(), "more than 1 requests in flight at once");
    }
}
