//! Items that are due later: requests on their way to a venue, answers on their way back, timers.

use mainspring_core::{Error, ErrorKind, Result, TimeNs};

/// A bounded queue of items by due time, first in first out among equals.
///
/// Kept sorted: nearly everything is due after what was added before it, so that adding is an append
/// and an item that is due earlier moves past only the few that are due later, or sooner.
///
/// Items are made in the place where they wait ([`Self::push_with`]) and read there
/// ([`Self::front`]): an item that is put together in small pieces and copied at once would stall a
/// processor, which has to wait for the pieces. The ring is as short as it can be, and so stays in
/// the nearest cache.
pub struct DelayQueue<T> {
    /// A ring, as long as a power of two; places outside of `len` from `first` on mean nothing.
    items: Vec<(TimeNs, T)>,
    first: usize,
    len: usize,
    next_ns: TimeNs,
    /// When the last item is due; `TimeNs::MIN` when there is none.
    last_ns: TimeNs,
    capacity: usize,
    what: &'static str,
}

/// Items that wait at once without the ring growing.
const SHORTEST: usize = 16;

/// Items that wait at once without an allocation.
const RESERVED: usize = 1_024;

impl<T: Copy> DelayQueue<T> {
    /// An empty queue for at most `capacity` items, called `what` in messages. Free places hold
    /// `filler`.
    #[must_use]
    pub fn new(capacity: usize, what: &'static str, filler: T) -> Self {
        let mut items = Vec::with_capacity(capacity.clamp(SHORTEST, RESERVED));
        items.resize(SHORTEST, (0, filler));
        let (next_ns, last_ns) = (TimeNs::MAX, TimeNs::MIN);
        Self { items, first: 0, len: 0, next_ns, last_ns, capacity, what }
    }

    /// When the first item is due; `TimeNs::MAX` when there is none.
    #[inline]
    #[must_use]
    pub const fn next_ns(&self) -> TimeNs {
        self.next_ns
    }

    /// Whether nothing waits.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the item is that is this many behind the first.
    #[inline]
    fn place(&self, behind: usize) -> usize {
        self.first.wrapping_add(behind) & (self.items.len() - 1)
    }

    /// Adds an item.
    ///
    /// # Errors
    /// When the queue is full: the run stops rather than lose the item.
    #[inline]
    pub fn push(&mut self, at_ns: TimeNs, item: T) -> Result<()> {
        self.push_with(at_ns, |place| *place = item)
    }

    /// Adds an item that is made where it waits; what is there before means nothing.
    ///
    /// # Errors
    /// As [`Self::push`].
    #[inline(always)]
    pub fn push_with(&mut self, at_ns: TimeNs, make: impl FnOnce(&mut T)) -> Result<()> {
        if self.len == self.items.len() || self.len >= self.capacity {
            self.make_room()?;
        }
        let mut at = self.place(self.len);
        if self.last_ns <= at_ns {
            self.last_ns = at_ns;
        } else {
            at = self.open_gap(at_ns);
        }
        self.len += 1;
        let place = &mut self.items[at];
        place.0 = at_ns;
        make(&mut place.1);
        self.next_ns = self.next_ns.min(at_ns);
        Ok(())
    }

    /// Makes a free place before the items that are due later than `at_ns`, of which there is one at
    /// least: those behind it move back, or those in front of it forward, whichever are fewer.
    #[inline(never)]
    fn open_gap(&mut self, at_ns: TimeNs) -> usize {
        let mut behind = self.len - 1;
        // Before the last alone: a timer that comes often before one that comes rarely.
        if behind > 0 && self.items[self.place(behind - 1)].0 > at_ns {
            behind = self.partition_point(at_ns);
        }
        if behind * 2 < self.len {
            self.first = self.place(self.items.len() - 1);
            for i in 0..behind {
                let (from, to) = (self.place(i + 1), self.place(i));
                self.items[to] = self.items[from];
            }
        } else {
            for i in (behind..self.len).rev() {
                let (from, to) = (self.place(i), self.place(i + 1));
                self.items[to] = self.items[from];
            }
        }
        self.place(behind)
    }

    /// How many items are due at `at_ns` or before.
    fn partition_point(&self, at_ns: TimeNs) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.items[self.place(middle)].0 <= at_ns {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Lengthens the ring, up to the capacity.
    #[cold]
    fn make_room(&mut self) -> Result<()> {
        if self.len >= self.capacity {
            let what = format!("more than {} {} at once", self.capacity, self.what);
            return Err(Error::new(ErrorKind::Capacity, what));
        }
        let before = self.items.len();
        let filler = self.items[0];
        self.items.resize(before * 2, filler);
        // What had gone round the end goes on behind it now.
        self.items.copy_within(..self.first, before);
        Ok(())
    }

    /// Keeps only some items.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let mut kept = 0;
        for i in 0..self.len {
            let item = self.items[self.place(i)];
            if keep(&item.1) {
                let to = self.place(kept);
                self.items[to] = item;
                kept += 1;
            }
        }
        self.len = kept;
        self.look_at_ends();
    }

    /// Notes anew when the first and the last item are due.
    fn look_at_ends(&mut self) {
        (self.next_ns, self.last_ns) = match self.len {
            0 => (TimeNs::MAX, TimeNs::MIN),
            len => (self.items[self.first].0, self.items[self.place(len - 1)].0),
        };
    }

    /// The items in order of their times.
    pub fn iter(&self) -> impl Iterator<Item = &(TimeNs, T)> {
        (0..self.len).map(|i| &self.items[self.place(i)])
    }

    /// The first item with its due time.
    #[inline]
    #[must_use]
    pub fn front(&self) -> Option<&(TimeNs, T)> {
        (self.len > 0).then(|| &self.items[self.first])
    }

    /// Takes the first item away, if there is one.
    #[inline]
    pub fn drop_front(&mut self) {
        match self.len {
            0 => {}
            1 => {
                self.len = 0;
                (self.next_ns, self.last_ns) = (TimeNs::MAX, TimeNs::MIN);
            }
            _ => {
                self.first = self.place(1);
                self.len -= 1;
                self.next_ns = self.items[self.first].0;
            }
        }
    }

    /// Takes the first item with its due time.
    #[inline]
    pub fn pop(&mut self) -> Option<(TimeNs, T)> {
        let first = self.front().copied();
        self.drop_front();
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_leave_by_time_and_then_by_arrival(
            steps in prop::collection::vec((0_i64..40, 0_usize..3), 0..600),
        ) {
            let mut queue = DelayQueue::new(600, "items", 0);
            let mut sorted: Vec<(i64, usize)> = Vec::new();
            for (i, (time, leave)) in steps.into_iter().enumerate() {
                queue.push(time, i).unwrap();
                let at = sorted.partition_point(|other| other.0 <= time);
                sorted.insert(at, (time, i));
                for _ in 0..leave.saturating_sub(1) {
                    prop_assert_eq!(queue.pop(), (!sorted.is_empty()).then(|| sorted.remove(0)));
                }
                let next = sorted.first().map_or(TimeNs::MAX, |next| next.0);
                prop_assert_eq!(queue.next_ns(), next);
                prop_assert_eq!(queue.is_empty(), sorted.is_empty());
            }
            prop_assert!(queue.iter().copied().eq(sorted.iter().copied()));
            queue.retain(|i| i % 3 == 0);
            sorted.retain(|(_, i)| i % 3 == 0);
            for want in sorted {
                prop_assert_eq!(queue.next_ns(), want.0);
                prop_assert_eq!(queue.front(), Some(&want));
                prop_assert_eq!(queue.pop(), Some(want));
            }
            prop_assert_eq!((queue.next_ns(), queue.pop()), (TimeNs::MAX, None));
        }
    }

    #[test]
    fn a_full_queue_says_so() {
        let mut queue = DelayQueue::new(1, "requests in flight", ());
        queue.push(1, ()).unwrap();
        let error = queue.push(2, ()).unwrap_err();
        assert_eq!(error.message(), "more than 1 requests in flight at once");
    }
}
