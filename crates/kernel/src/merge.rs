//! Which of many sources comes next: a tournament, so that one step costs log2(n) comparisons.

use mainspring_core::TimeNs;

/// The earliest of `n` times, ties to the lower index; one time changes at once.
pub struct Tournament {
    /// Leaf times, padded with `TimeNs::MAX` to a power of two.
    times: Vec<TimeNs>,
    /// `winners[k]` is the winning leaf below inner node `k`; node 1 is the root.
    winners: Vec<u32>,
    leaves: usize,
    winner: usize,
    next_ns: TimeNs,
}

impl Tournament {
    /// A tournament over `n` sources that have nothing yet.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let leaves = n.max(1).next_power_of_two();
        let mut tournament = Self {
            times: vec![TimeNs::MAX; leaves],
            winners: vec![0; leaves.max(2)],
            leaves,
            winner: 0,
            next_ns: TimeNs::MAX,
        };
        for node in (1..leaves).rev() {
            tournament.replay(node);
        }
        tournament
    }

    /// Sets the next time of source `index`; `TimeNs::MAX` when it has ended.
    #[inline]
    pub fn set(&mut self, index: usize, time: TimeNs) {
        if self.leaves == 1 {
            self.next_ns = time;
        } else {
            self.play(index, time);
        }
    }

    fn play(&mut self, index: usize, time: TimeNs) {
        self.times[index] = time;
        let mut node = (index + self.leaves) / 2;
        while node >= 1 {
            self.replay(node);
            node /= 2;
        }
        self.winner = self.winners[1] as usize;
        self.next_ns = self.times[self.winner];
    }

    #[inline]
    fn replay(&mut self, node: usize) {
        let left = self.contender(node * 2);
        let right = self.contender(node * 2 + 1);
        let right_wins = self.times[right as usize] < self.times[left as usize];
        self.winners[node] = if right_wins { right } else { left };
    }

    #[inline]
    fn contender(&self, node: usize) -> u32 {
        if node >= self.leaves {
            (node - self.leaves) as u32
        } else {
            self.winners[node]
        }
    }

    /// The source that is next.
    #[inline]
    #[must_use]
    pub const fn winner(&self) -> usize {
        self.winner
    }

    /// Its time; `TimeNs::MAX` when all have ended.
    #[inline]
    #[must_use]
    pub const fn next_ns(&self) -> TimeNs {
        self.next_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_earliest_with_the_lowest_index(
            n in 1_usize..20, moves in prop::collection::vec((0_usize..20, 0_i64..10), 0..100),
        ) {
            let mut tournament = Tournament::new(n);
            let mut times = vec![TimeNs::MAX; n];
            for (index, time) in moves {
                let index = index % n;
                times[index] = time;
                tournament.set(index, time);
                let expected = (0..n).min_by_key(|i| (times[*i], *i)).unwrap();
                prop_assert_eq!((tournament.winner(), tournament.next_ns()), (expected, times[expected]));
            }
        }
    }
}
