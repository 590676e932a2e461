//! Expiry times of good-till-date orders: a binary heap that orders can leave early.

use mainspring_core::order::ClientOrderId;
use mainspring_core::units::TimeNs;

use crate::orders::{OrderTable, Slot, NONE};

/// Open orders with an expiry, the earliest first; at equal times, the lower id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiries {
    heap: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    time_ns: TimeNs,
    id: ClientOrderId,
    slot: Slot,
}

impl Expiries {
    /// The earliest expiry and its order.
    #[inline]
    pub fn first(&self) -> Option<(TimeNs, Slot)> {
        self.heap.first().map(|entry| (entry.time_ns, entry.slot))
    }

    /// Adds an order.
    pub fn push(&mut self, orders: &mut OrderTable, slot: Slot) {
        let order = orders.get(slot);
        let entry = Entry { time_ns: order.terms.expire_ns, id: order.id, slot };
        self.heap.push(entry);
        self.rise(orders, self.heap.len() - 1);
    }

    /// Takes an order out, if it is in.
    #[inline]
    pub fn remove(&mut self, orders: &mut OrderTable, slot: Slot) {
        let at = std::mem::replace(&mut orders.get_mut(slot).heap_at, NONE);
        if at == NONE {
            return;
        }
        let at = at as usize;
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            let at = self.rise(orders, at);
            self.sink(orders, at);
        }
    }

    fn place(&self, orders: &mut OrderTable, at: usize) {
        orders.get_mut(self.heap[at].slot).heap_at = at as u32;
    }

    fn rise(&mut self, orders: &mut OrderTable, mut at: usize) -> usize {
        while at > 0 && self.heap[at] < self.heap[(at - 1) / 2] {
            let parent = (at - 1) / 2;
            self.heap.swap(at, parent);
            self.place(orders, at);
            at = parent;
        }
        self.place(orders, at);
        at
    }

    fn sink(&mut self, orders: &mut OrderTable, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            if least == at {
                break;
            }
            self.heap.swap(at, least);
            self.place(orders, at);
            at = least;
        }
        self.place(orders, at);
    }
}
