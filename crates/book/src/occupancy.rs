//! A set of small integers as a bitmap of three levels: find the next lower member in a few steps.

/// Members are below the capacity given at construction.
#[derive(Clone, Debug)]
pub(crate) struct Occupancy {
    /// One bit a member.
    words: Box<[u64]>,
    /// One bit for each word that is not zero.
    groups: Box<[u64]>,
    /// One bit for each group that is not zero.
    tops: Box<[u64]>,
}

impl Occupancy {
    pub(crate) fn new(capacity: usize) -> Self {
        let zeros = |bits: usize| vec![0_u64; bits.div_ceil(64)].into_boxed_slice();
        Self {
            words: zeros(capacity),
            groups: zeros(capacity.div_ceil(64)),
            tops: zeros(capacity.div_ceil(64 * 64)),
        }
    }

    /// Adds a member that is not there, or removes one that is, when `changes`.
    #[inline]
    pub(crate) fn flip_if(&mut self, changes: bool, member: usize) {
        let word = &mut self.words[member >> 6];
        let before = *word;
        *word = before ^ (u64::from(changes) << (member & 63));
        if (before == 0) != (*word == 0) {
            self.flip_word(member >> 6);
        }
    }

    /// A word became zero, or is zero no more.
    fn flip_word(&mut self, word: usize) {
        let group = &mut self.groups[word >> 6];
        let before = *group;
        *group = before ^ (1 << (word & 63));
        if (before == 0) != (*group == 0) {
            self.tops[word >> 12] ^= 1 << ((word >> 6) & 63);
        }
    }

    /// All members from the highest down, given the highest.
    #[inline]
    pub(crate) fn descending(&self, highest: Option<usize>) -> Descending<'_> {
        let word = highest.map_or(0, |member| member >> 6);
        Descending { set: self, word, bits: self.words[word] }
    }

    /// The highest member below `limit`, which must itself be below the capacity.
    #[inline]
    pub(crate) fn below(&self, limit: usize) -> Option<usize> {
        let bits = lower_bits(self.words[limit >> 6], limit & 63);
        if bits == 0 {
            return self.below_word(limit >> 6);
        }
        Some((limit & !63) | highest_bit(bits))
    }

    /// The highest member.
    pub(crate) fn highest(&self) -> Option<usize> {
        self.highest_under_top(self.tops.len())
    }

    fn below_word(&self, word: usize) -> Option<usize> {
        let group = word >> 6;
        let bits = lower_bits(self.groups[group], word & 63);
        if bits != 0 {
            return Some(self.highest_in_word((group << 6) | highest_bit(bits)));
        }
        let top = group >> 6;
        let bits = lower_bits(self.tops[top], group & 63);
        if bits != 0 {
            return Some(self.highest_in_group((top << 6) | highest_bit(bits)));
        }
        self.highest_under_top(top)
    }

    fn highest_under_top(&self, end: usize) -> Option<usize> {
        let top = self.tops[..end].iter().rposition(|bits| *bits != 0)?;
        Some(self.highest_in_group((top << 6) | highest_bit(self.tops[top])))
    }

    #[inline]
    fn highest_in_group(&self, group: usize) -> usize {
        self.highest_in_word((group << 6) | highest_bit(self.groups[group]))
    }

    #[inline]
    fn highest_in_word(&self, word: usize) -> usize {
        (word << 6) | highest_bit(self.words[word])
    }
}

/// Members from the highest down, a word at a time.
#[derive(Clone)]
pub(crate) struct Descending<'a> {
    set: &'a Occupancy,
    word: usize,
    /// Members of the word that are still to come.
    bits: u64,
}

impl Iterator for Descending<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            self.word = self.set.below_word(self.word)? >> 6;
            self.bits = self.set.words[self.word];
        }
        let bit = highest_bit(self.bits);
        self.bits ^= 1 << bit;
        Some((self.word << 6) | bit)
    }
}

/// The bits under position `count` (below 64).
#[inline]
const fn lower_bits(bits: u64, count: usize) -> u64 {
    bits & ((1 << count) - 1)
}

/// Position of the highest bit of a word that is not zero.
#[inline]
const fn highest_bit(bits: u64) -> usize {
    63 - bits.leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn walks_like_a_sorted_set(
            capacity_log2 in 6_u32..19,
            steps in prop::collection::vec((any::<u32>(), any::<bool>()), 1..200),
        ) {
            let capacity = 1_usize << capacity_log2;
            let (mut bits, mut oracle) = (Occupancy::new(capacity), BTreeSet::new());
            for (raw, add) in steps {
                let member = raw as usize % capacity;
                let changes =
                    if add { oracle.insert(member) } else { oracle.remove(&member) };
                bits.flip_if(changes, member);
                prop_assert!(bits.descending(bits.highest()).eq(oracle.iter().rev().copied()));
                prop_assert_eq!(bits.highest(), oracle.iter().next_back().copied());
                prop_assert_eq!(bits.below(member), oracle.range(..member).next_back().copied());
            }
        }
    }
}
