//! When good-till-date orders leave.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mainspring_core::TimeNs;

use crate::order::OrderId;

/// Expiry times, earliest first and then the lower id. Orders that left early are swept out when
/// the heap would otherwise grow.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    heap: BinaryHeap<Reverse<(TimeNs, OrderId)>>,
}

impl Expiries {
    pub fn push(&mut self, time_ns: TimeNs, id: OrderId, is_open: impl Fn(OrderId) -> bool) {
        if self.heap.len() == self.heap.capacity() {
            self.heap.retain(|Reverse((_, id))| is_open(*id));
            // Sweeping again soon would cost more than the memory.
            if self.heap.len() * 2 > self.heap.capacity() {
                self.heap.reserve(self.heap.len().max(64));
            }
        }
        self.heap.push(Reverse((time_ns, id)));
    }

    /// The next expiry that is due, and its order, which may be gone.
    #[inline]
    pub fn take_due(&mut self, now: TimeNs) -> Option<(TimeNs, OrderId)> {
        self.heap.peek().filter(|Reverse((time_ns, _))| *time_ns <= now)?;
        self.heap.pop().map(|Reverse(due)| due)
    }
}
