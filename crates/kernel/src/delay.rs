//! Items that are due later: requests on their way to a venue, answers on their way back, timers.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use mainspring_core::{Error, ErrorKind, Result, TimeNs};

struct Due<T> {
    at_ns: TimeNs,
    sequence: u64,
    item: T,
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T> Eq for Due<T> {}
impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Due<T> {
    /// Reversed: the heap's greatest is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ns, other.sequence).cmp(&(self.at_ns, self.sequence))
    }
}

/// A bounded queue of items by due time, first in first out among equals.
pub struct DelayQueue<T> {
    heap: BinaryHeap<Due<T>>,
    next_ns: TimeNs,
    sequence: u64,
    capacity: usize,
    what: &'static str,
}

impl<T> DelayQueue<T> {
    /// An empty queue for at most `capacity` items, called `what` in messages.
    #[must_use]
    pub fn new(capacity: usize, what: &'static str) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(capacity.min(1_024)),
            next_ns: TimeNs::MAX,
            sequence: 0,
            capacity,
            what,
        }
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
        self.heap.is_empty()
    }

    /// Adds an item.
    ///
    /// # Errors
    /// When the queue is full: the run stops rather than lose the item.
    #[inline]
    pub fn push(&mut self, at_ns: TimeNs, item: T) -> Result<()> {
        if self.heap.len() >= self.capacity {
            return Err(Error::new(
                ErrorKind::Capacity,
                format!("more than {} {} at once", self.capacity, self.what),
            ));
        }
        self.sequence += 1;
        self.heap.push(Due { at_ns, sequence: self.sequence, item });
        self.next_ns = self.next_ns.min(at_ns);
        Ok(())
    }

    /// Takes the first item with its due time.
    #[inline]
    pub fn pop(&mut self) -> Option<(TimeNs, T)> {
        let due = self.heap.pop()?;
        self.next_ns = self.heap.peek().map_or(TimeNs::MAX, |d| d.at_ns);
        Some((due.at_ns, due.item))
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
