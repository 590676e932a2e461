//! An index over a slab by hash: buckets of chains that run through the entries themselves.
//!
//! An entry costs a lookup one word of the bucket and the entry, which is wanted anyway. Hashes that
//! put what is used together into neighbouring buckets are welcome: sixteen share a cache line.

use crate::slab::{Slab, NIL};

/// An entry that can be in a chain.
pub(crate) trait Chained: Copy {
    /// Its bucket is in the low bits.
    fn hash(&self) -> u64;
    /// The next entry of its chain, [`NIL`] at the end. The index keeps it.
    fn chain(&mut self) -> &mut u32;
    /// As [`Self::chain`], to read.
    fn next(&self) -> u32;
}

/// The first entry of every chain.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    /// As many as a power of two, and never fewer than entries.
    heads: Vec<u32>,
    count: usize,
}

/// Fewest buckets.
const FEWEST: usize = 64;

impl Buckets {
    /// Room for `count` entries before anything is allocated.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { heads: vec![NIL; count.max(FEWEST).next_power_of_two()], count: 0 }
    }

    /// Number of entries.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    /// The entry with this hash that is meant.
    #[inline]
    pub(crate) fn find<T: Chained>(
        &self,
        entries: &Slab<T>,
        hash: u64,
        is_meant: impl Fn(&T) -> bool,
    ) -> Option<u32> {
        let mut at = self.heads[self.bucket(hash)];
        while at != NIL {
            let entry = &entries[at];
            if is_meant(entry) {
                return Some(at);
            }
            at = entry.next();
        }
        None
    }

    /// Takes an entry in that is not in.
    #[inline]
    pub(crate) fn insert<T: Chained>(&mut self, entries: &mut Slab<T>, at: u32) {
        if self.count == self.heads.len() {
            self.grow(entries);
        }
        self.count += 1;
        self.link(entries, at);
    }

    #[inline]
    fn link<T: Chained>(&mut self, entries: &mut Slab<T>, at: u32) {
        let bucket = self.bucket(entries[at].hash());
        let first = std::mem::replace(&mut self.heads[bucket], at);
        *entries[at].chain() = first;
    }

    /// Takes an entry out that is in.
    #[inline]
    pub(crate) fn remove<T: Chained>(&mut self, entries: &mut Slab<T>, at: u32) {
        let (bucket, after) = (self.bucket(entries[at].hash()), entries[at].next());
        self.count -= 1;
        if self.heads[bucket] == at {
            self.heads[bucket] = after;
            return;
        }
        let mut before = self.heads[bucket];
        while before != NIL {
            let next = entries[before].next();
            if next == at {
                *entries[before].chain() = after;
                return;
            }
            before = next;
        }
    }

    /// Twice as many buckets.
    #[cold]
    fn grow<T: Chained>(&mut self, entries: &mut Slab<T>) {
        let twice = vec![NIL; self.heads.len() * 2];
        for head in std::mem::replace(&mut self.heads, twice) {
            let mut at = head;
            while at != NIL {
                let next = entries[at].next();
                self.link(entries, at);
                at = next;
            }
        }
    }

    /// Forgets every entry.
    pub(crate) fn clear(&mut self) {
        self.heads.fill(NIL);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Copy, Debug)]
    struct Entry {
        key: u64,
        next: u32,
    }

    impl Chained for Entry {
        fn hash(&self) -> u64 {
            self.key % 97
        }
        fn chain(&mut self) -> &mut u32 {
            &mut self.next
        }
        fn next(&self) -> u32 {
            self.next
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_map_finds(steps in prop::collection::vec((any::<bool>(), 0_u64..600), 1..600)) {
            let (mut slab, mut index) = (Slab::with_capacity(4), Buckets::with_capacity(4));
            let mut map = BTreeMap::new();
            for (comes, key) in steps {
                match map.remove(&key) {
                    Some(at) => {
                        index.remove(&mut slab, at);
                        slab.remove(at);
                    }
                    None if comes => {
                        let at = slab.insert(Entry { key, next: NIL });
                        index.insert(&mut slab, at);
                        map.insert(key, at);
                    }
                    None => {}
                }
                let found = index.find(&slab, key % 97, |entry: &Entry| entry.key == key);
                prop_assert_eq!(found, map.get(&key).copied());
                prop_assert_eq!(index.len(), map.len());
            }
            for (key, at) in map {
                let found = index.find(&slab, key % 97, |entry: &Entry| entry.key == key);
                prop_assert_eq!(found, Some(at));
            }
        }
    }
}
