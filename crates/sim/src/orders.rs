//! Our open orders at one market: by id, and by price and arrival.

use mainspring_core::order::{ClientOrderId, OrderFlags, OrderTerms, OrderType, Side};
use mainspring_core::units::Ticks;

use crate::queue::QueuePosition;

/// Index of an order's slot.
pub(crate) type Slot = u32;
/// No slot.
pub(crate) const NONE: Slot = u32::MAX;

/// Where an order is in its life at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Taking, not in the book yet.
    Entering,
    /// In the book.
    Resting,
    /// Waiting for its trigger.
    Armed,
    /// Done; the slot is freed at the end of the step.
    Done,
}

/// One open order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub id: ClientOrderId,
    /// Arrival: grows with each place in a queue.
    pub seq: u64,
    pub next: Slot,
    pub prev: Slot,
    pub stage: Stage,
    pub terms: OrderTerms,
    pub filled: i64,
    /// Lots of an iceberg's slice that are left; unused by other types.
    pub slice: i64,
    pub queue: QueuePosition,
    /// Best reference price of a trailing stop, in 10^-9 ticks.
    pub trail_best: Option<i128>,
    /// Slot of the other leg of an OCO.
    pub partner: Slot,
    /// Place in the expiry heap.
    pub heap_at: u32,
    /// Next order of the same bucket of ids.
    chain: Slot,
    /// Whether it stands in the queue at its price.
    linked: bool,
}

impl Order {
    fn new(id: ClientOrderId, terms: &OrderTerms) -> Self {
        Self {
            id,
            seq: 0,
            next: NONE,
            prev: NONE,
            stage: Stage::Entering,
            terms: *terms,
            filled: 0,
            slice: 0,
            queue: QueuePosition::default(),
            trail_best: None,
            partner: NONE,
            heap_at: NONE,
            chain: NONE,
            linked: false,
        }
    }

    /// Becomes [`Self::new`] in place of an order that is done: written field by field, because one that
    /// is put together elsewhere and copied here at once would stall a processor.
    #[inline]
    fn begin(&mut self, id: ClientOrderId, terms: &OrderTerms) {
        // Every field is named, so that none is forgotten here when one is added.
        let Self {
            id: ours,
            seq,
            next,
            prev,
            stage,
            terms: asked,
            filled,
            slice,
            queue,
            trail_best,
            partner,
            heap_at,
            chain,
            linked,
        } = self;
        (*ours, *asked, *stage) = (id, *terms, Stage::Entering);
        (*seq, *filled, *slice) = (0, 0, 0);
        (*next, *prev, *partner, *heap_at, *chain) = (NONE, NONE, NONE, NONE, NONE);
        (*queue, *trail_best, *linked) = (QueuePosition::default(), None, false);
    }

    #[inline]
    pub fn remaining(&self) -> i64 {
        self.terms.qty.0 - self.filled
    }

    #[inline]
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Done
    }

    /// What a trade at our price can reach: an iceberg's slice, or all that is left.
    #[inline]
    pub fn visible(&self) -> i64 {
        if self.terms.order_type == OrderType::Iceberg {
            self.slice
        } else {
            self.remaining()
        }
    }

    #[inline]
    pub fn reduce_only(&self) -> bool {
        self.terms.flags.has(OrderFlags::REDUCE_ONLY)
    }
}

/// Our orders at one price of one side, oldest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    key: i64,
    pub head: Slot,
    tail: Slot,
}

/// Prices as numbers that grow towards the market on either side.
#[inline]
pub(crate) const fn key_of(side: Side, price: Ticks) -> i64 {
    price.0 ^ -(side as i64)
}

impl Level {
    #[inline]
    pub fn price(&self, side: Side) -> Ticks {
        Ticks(key_of(side, Ticks(self.key)))
    }
}

/// All open orders of one market.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderTable {
    slots: Vec<Order>,
    free: Vec<Slot>,
    /// First order by the low bits of its id; twice as many as orders, a power of two. Ids grow by
    /// one, so that the chains are one long.
    buckets: Vec<Slot>,
    count: usize,
    /// Levels by side, best last.
    levels: [Vec<Level>; 2],
    next_seq: u64,
    done: Vec<Slot>,
}

impl OrderTable {
    /// Open orders.
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub fn get(&self, slot: Slot) -> &Order {
        &self.slots[slot as usize]
    }

    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.slots[slot as usize]
    }

    #[inline]
    pub fn find(&self, id: ClientOrderId) -> Option<Slot> {
        let mut at = self.buckets.get(self.bucket(id)).copied()?;
        while at != NONE {
            let order = &self.slots[at as usize];
            if order.id == id {
                return Some(at);
            }
            at = order.chain;
        }
        None
    }

    /// The bucket of an id; beyond the last one while there is none.
    #[inline]
    fn bucket(&self, id: ClientOrderId) -> usize {
        id.0 as usize & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    fn chain(&mut self, slot: Slot) {
        let bucket = self.bucket(self.slots[slot as usize].id);
        let first = std::mem::replace(&mut self.buckets[bucket], slot);
        self.slots[slot as usize].chain = first;
    }

    /// Takes an order out of the chain of its bucket.
    #[inline]
    fn unchain(&mut self, slot: Slot) {
        let Order { id, chain: after, .. } = self.slots[slot as usize];
        let bucket = self.bucket(id);
        let mut at = self.buckets[bucket];
        if at == slot {
            self.buckets[bucket] = after;
            return;
        }
        while at != NONE {
            let next = self.slots[at as usize].chain;
            if next == slot {
                self.slots[at as usize].chain = after;
                return;
            }
            at = next;
        }
    }

    /// Twice as many buckets, and every open order in its new one.
    #[cold]
    fn grow(&mut self) {
        const FEWEST: usize = 64;
        self.buckets = vec![NONE; (self.buckets.len() * 2).max(FEWEST)];
        for slot in 0..self.slots.len() as Slot {
            if self.slots[slot as usize].is_open() {
                self.chain(slot);
            }
        }
    }

    /// Every open order, in no particular order.
    pub fn open(&self) -> impl Iterator<Item = (Slot, &Order)> {
        (0..).zip(&self.slots).filter(|(_, order)| order.is_open())
    }

    /// The next arrival number; orders that join a queue from now on have this or more.
    #[inline]
    pub fn horizon(&self) -> u64 {
        self.next_seq
    }

    #[inline]
    pub fn stamp(&mut self, slot: Slot) {
        self.slots[slot as usize].seq = self.next_seq;
        self.next_seq += 1;
    }

    /// Takes an order in, not in any queue yet. Its id must not be in use.
    pub fn insert(&mut self, id: ClientOrderId, terms: &OrderTerms) -> Slot {
        if self.count * 2 >= self.buckets.len() {
            self.grow();
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize].begin(id, terms);
                slot
            }
            None => {
                self.slots.push(Order::new(id, terms));
                (self.slots.len() - 1) as Slot
            }
        };
        self.count += 1;
        self.chain(slot);
        self.stamp(slot);
        slot
    }

    /// Marks an order as done: unknown by id at once, out of its queue at the next [`Self::sweep`].
    pub fn retire(&mut self, slot: Slot) {
        self.unchain(slot);
        self.count -= 1;
        let order = &mut self.slots[slot as usize];
        order.stage = Stage::Done;
        if order.partner != NONE {
            let partner = std::mem::replace(&mut order.partner, NONE);
            self.slots[partner as usize].partner = NONE;
        }
        // It keeps its links: a loop may stand on it.
        self.done.push(slot);
    }

    /// Whether some orders wait for [`Self::sweep`].
    #[inline]
    pub fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// Takes the orders that are done out of their queues and frees their slots.
    pub fn sweep(&mut self) {
        while let Some(slot) = self.done.pop() {
            if self.slots[slot as usize].linked {
                self.unlink(slot);
            }
            self.free.push(slot);
        }
    }

    /// Puts an order at the back of the queue at its price.
    pub fn link(&mut self, slot: Slot) {
        self.stamp(slot);
        let order = &mut self.slots[slot as usize];
        order.stage = Stage::Resting;
        order.linked = true;
        let side = order.terms.side;
        let key = key_of(side, order.terms.price);
        let levels = &mut self.levels[side as usize];
        let index = search(levels, key);
        match levels.get_mut(index) {
            Some(level) if level.key == key => {
                order.prev = level.tail;
                order.next = NONE;
                let tail = std::mem::replace(&mut level.tail, slot);
                self.slots[tail as usize].next = slot;
            }
            _ => {
                (order.prev, order.next) = (NONE, NONE);
                levels.insert(index, Level { key, head: slot, tail: slot });
            }
        }
    }

    /// Takes an order out of its queue.
    pub fn unlink(&mut self, slot: Slot) {
        let order = &mut self.slots[slot as usize];
        order.linked = false;
        let (prev, next, side) = (order.prev, order.next, order.terms.side);
        let key = key_of(side, order.terms.price);
        if prev != NONE {
            self.slots[prev as usize].next = next;
        }
        if next != NONE {
            self.slots[next as usize].prev = prev;
        }
        if prev != NONE && next != NONE {
            return;
        }
        let levels = &mut self.levels[side as usize];
        let index = search(levels, key);
        if prev == NONE && next == NONE {
            levels.remove(index);
            return;
        }
        let level = &mut levels[index];
        if prev == NONE {
            level.head = next;
        } else {
            level.tail = prev;
        }
    }

    /// The best price of ours on a side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Ticks> {
        self.levels[side as usize].last().map(|level| level.price(side))
    }

    /// The oldest order at our best price on a side.
    #[inline]
    pub fn front(&self, side: Side) -> Option<Slot> {
        self.levels[side as usize].last().map(|level| level.head)
    }

    /// Levels of a side; the best is the last.
    #[inline]
    pub fn levels(&self, side: Side) -> &[Level] {
        &self.levels[side as usize]
    }

    /// The oldest order of ours at a price, [`NONE`] without one.
    #[inline]
    pub fn head_at(&self, side: Side, price: Ticks) -> Slot {
        let levels = &self.levels[side as usize];
        let key = key_of(side, price);
        match levels.last() {
            Some(best) if best.key == key => best.head,
            Some(best) if best.key > key => head_behind(levels, key),
            _ => NONE,
        }
    }

    /// The keys of our worst and of our best level on a side: no key is between them without a level.
    #[inline]
    pub fn keys(&self, side: Side) -> (i64, i64) {
        match &self.levels[side as usize][..] {
            [] => (i64::MAX, i64::MIN),
            [worst, .., best] => (worst.key, best.key),
            [only] => (only.key, only.key),
        }
    }
}

/// The oldest order at a price that is not our best.
fn head_behind(levels: &[Level], key: i64) -> Slot {
    match levels.get(search(levels, key)) {
        Some(level) if level.key == key => level.head,
        _ => NONE,
    }
}

/// The place of `key`, looked for from the best because most orders are near it.
#[inline]
fn search(levels: &[Level], key: i64) -> usize {
    const NEAR: usize = 8;
    let mut index = levels.len();
    for _ in 0..NEAR {
        if index == 0 || levels[index - 1].key < key {
            return index;
        }
        index -= 1;
    }
    levels[..index].partition_point(|level| level.key < key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use mainspring_core::instrument::InstrumentId;
    use mainspring_core::units::Lots;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn orders_are_found_by_id_as_in_a_map(
            steps in prop::collection::vec((any::<bool>(), 0_u64..400, 0_u32..3), 1..400),
        ) {
            let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(1), Lots(1));
            let (mut table, mut map) = (OrderTable::default(), BTreeMap::new());
            for (comes, id, range) in steps {
                // Ids of several ranges meet in the same buckets.
                let id = ClientOrderId(id + (u64::from(range) << 20));
                match map.remove(&id) {
                    Some(slot) => table.retire(slot),
                    None if comes => {
                        map.insert(id, table.insert(id, &terms));
                    }
                    None => {}
                }
                if table.done.len() > 3 {
                    table.sweep();
                }
                prop_assert_eq!(table.len(), map.len());
                prop_assert_eq!(table.find(id), map.get(&id).copied());
            }
            for (id, slot) in map {
                prop_assert_eq!(table.find(id), Some(slot));
                prop_assert_eq!(table.get(slot).id, id);
            }
        }
    }
}
