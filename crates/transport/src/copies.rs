//! Several copies of one stream: the first copy of each message wins.
//!
//! A second connection to the same stream hides the late and lost messages of the first. Which copies
//! are the same message is told by the venue's own number, never by time or content. Where a venue
//! begins its numbers anew, each connection hears of it by itself, in its own order: messages are
//! compared by how often that happened on their connection, and then by number.

use hashbrown::HashMap;
use mainspring_venues::mark::{Mark, Step};

/// Streams that are told apart; beyond that the one heard longest ago is forgotten, and a copy of an
/// old message of it would pass once.
const MAX_STREAMS: usize = 4_096;

/// Most connections to one stream.
pub const MAX_COPIES: usize = 8;

/// A place in a stream: how often its numbers began anew, and the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    begun: u32,
    id: i64,
}

impl At {
    /// Before the first number.
    const fn before(begun: u32) -> Self {
        Self { begun, id: i64::MIN }
    }

    const fn is_before(self) -> bool {
        self.id == i64::MIN
    }
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: At,
    /// Where each connection is.
    own: [At; MAX_COPIES],
    heard: u64,
}

/// The newest number of each stream.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    last: HashMap<u64, Last, std::hash::BuildHasherDefault<AsIs>>,
    heard: u64,
    dropped: u64,
}

impl Copies {
    /// Nothing was heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a message of a connection (below [`MAX_COPIES`]) is the first of its copies. One that is
    /// older than what was passed on is none: it would be out of order. The whole state passes again
    /// when it is as new as what was passed on: it was asked for.
    pub fn is_first(&mut self, copy: usize, mark: Mark) -> bool {
        self.heard += 1;
        if self.last.len() >= MAX_STREAMS && !self.last.contains_key(&mark.stream) {
            self.forget_oldest();
        }
        let nothing =
            Last { at: At::before(0), own: [At::before(0); MAX_COPIES], heard: self.heard };
        let last = self.last.entry(mark.stream).or_insert(nothing);
        last.heard = self.heard;
        let own = &mut last.own[copy.min(MAX_COPIES - 1)];
        let anew = mark.step != Step::Next && mark.id < own.id;
        *own = At { begun: own.begun + u32::from(anew), id: mark.id };
        let first = *own > last.at || mark.step == Step::Whole && *own == last.at;
        if first {
            last.at = *own;
        } else {
            self.dropped += 1;
        }
        first
    }

    /// A connection ended: what it was ahead of the others by is no measure for them.
    pub fn left(&mut self, copy: usize) {
        for last in self.last.values_mut() {
            last.own[copy.min(MAX_COPIES - 1)] = At::before(0);
            let rest = last.own.iter().filter(|own| !own.is_before()).max();
            if let Some(rest) = rest.filter(|rest| rest.begun < last.at.begun) {
                last.at = *rest;
            }
        }
    }

    /// A connection stands: it hears numbers as they are now.
    pub fn joined(&mut self, copy: usize) {
        for last in self.last.values_mut() {
            last.own[copy.min(MAX_COPIES - 1)] = At::before(last.at.begun);
        }
    }

    /// Messages that were not the first of their copies.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn forget_oldest(&mut self) {
        let oldest = self.last.iter().min_by_key(|(_, last)| last.heard).map(|(stream, _)| *stream);
        if let Some(stream) = oldest {
            self.last.remove(&stream);
        }
    }
}

/// Streams are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(stream: u64, id: i64) -> Mark {
        Mark { stream, id, step: Step::Next }
    }

    fn whole(id: i64) -> Mark {
        Mark { stream: 1, id, step: Step::Whole }
    }

    #[test]
    fn memory_is_bounded_by_forgetting_the_oldest() {
        let mut copies = Copies::new();
        for stream in 0..10_000 {
            assert!(copies.is_first(0, next(stream, 1)));
        }
        assert_eq!(copies.last.len(), MAX_STREAMS);
        assert!(!copies.is_first(1, next(9_999, 1)));
        assert!(copies.is_first(1, next(0, 1)));
    }

    #[test]
    fn a_state_that_was_asked_for_passes_though_nothing_new_happened() {
        let mut copies = Copies::new();
        assert!(copies.is_first(0, whole(5)) && copies.is_first(0, next(1, 6)));
        assert!(!copies.is_first(1, whole(5)), "the other connection began a little earlier");
        assert!(copies.is_first(0, whole(6)), "asked for again in a quiet market");
        assert!(!copies.is_first(1, next(1, 6)) && copies.is_first(1, next(1, 7)));
    }

    #[test]
    fn numbers_that_begin_anew_do_not_shut_anybody_out() {
        let mut copies = Copies::new();
        let reset = Mark { stream: 1, id: 1, step: Step::Reset };
        assert!(copies.is_first(0, next(1, 900)) && !copies.is_first(1, next(1, 900)));
        assert!(copies.is_first(0, reset) && copies.is_first(0, next(1, 2)));
        assert!(!copies.is_first(1, next(1, 901)), "from before the restart");
        assert!(!copies.is_first(1, reset) && !copies.is_first(1, next(1, 2)));
        assert!(copies.is_first(1, next(1, 3)) && !copies.is_first(0, next(1, 3)));
        // One that joins now, and one that was left behind alone.
        copies.left(0);
        copies.joined(0);
        assert!(copies.is_first(0, next(1, 4)) && !copies.is_first(1, next(1, 4)));
        assert!(copies.is_first(0, whole(1)), "a state with an old number is a restart, too");
        assert!(!copies.is_first(1, next(1, 5)));
        copies.left(0);
        assert!(copies.is_first(1, next(1, 6)), "nobody else is there to say otherwise");
    }

    proptest! {
        /// Of any interleaving of copies, each of which may have lost messages, everything that passes
        /// is in order and passes once; and what either copy has in order is not missing from both.
        #[test]
        fn first_copies_pass_once_and_in_order(
            sent in prop::collection::vec((0_u64..3, 1_i64..4), 1..80),
            lost in prop::collection::vec(any::<(bool, bool)>(), 80),
            lag in prop::collection::vec(0_usize..6, 80),
        ) {
            let mut ids = [0_i64; 3];
            let messages: Vec<Mark> = sent.iter().map(|(stream, step)| {
                ids[*stream as usize] += step;
                next(*stream, ids[*stream as usize])
            }).collect();
            let arrivals = arrivals(&messages, &lost, &lag);
            let mut copies = Copies::new();
            let passed: Vec<Mark> = arrivals
                .iter()
                .filter(|(_, copy, at)| copies.is_first(*copy, messages[*at]))
                .map(|(.., at)| messages[*at])
                .collect();
            // Oracle: an arrival passes exactly when it is the greatest of its stream so far.
            let mut expected = Vec::new();
            for (at, (.., message)) in arrivals.iter().enumerate() {
                let mark = messages[*message];
                let before = arrivals[..at].iter().map(|(.., other)| messages[*other]);
                let before = before.filter(|other| other.stream == mark.stream);
                if before.map(|other| other.id).max().is_none_or(|most| mark.id > most) {
                    expected.push(mark);
                }
            }
            prop_assert_eq!(copies.dropped() as usize, arrivals.len() - passed.len());
            prop_assert_eq!(passed, expected);
        }

        /// The same where the venue begins its numbers anew now and then, which every connection hears:
        /// the oracle knows the true order, the copies see numbers alone.
        #[test]
        fn first_copies_pass_in_order_over_restarts(
            sent in prop::collection::vec((1_i64..4, prop::bool::weighted(0.1)), 1..80),
            lost in prop::collection::vec(any::<(bool, bool)>(), 80),
            lag in prop::collection::vec(0_usize..6, 80),
        ) {
            let (mut id, mut messages) = (1_000_000, Vec::new());
            for (step, anew) in &sent {
                id += if *anew { -1_000 } else { *step };
                let step = if *anew { Step::Reset } else { Step::Next };
                messages.push(Mark { stream: 1, id, step });
            }
            let lost: Vec<(bool, bool)> = lost
                .iter()
                .enumerate()
                .map(|(at, lost)| match messages.get(at).map(|mark| mark.step) {
                    // Each connection begins with something, and hears of restarts.
                    Some(Step::Next) if at > 0 => *lost,
                    _ => (false, false),
                })
                .collect();
            let mut copies = Copies::new();
            let mut newest = None;
            for (_, copy, at) in arrivals(&messages, &lost, &lag) {
                let expected = newest.is_none_or(|newest| at > newest);
                prop_assert_eq!(copies.is_first(copy, messages[at]), expected);
                newest = newest.max(Some(at));
            }
        }
    }

    /// When which connection brings which message: each keeps its order; the second lags by a varying
    /// number of messages.
    fn arrivals(
        messages: &[Mark],
        lost: &[(bool, bool)],
        lag: &[usize],
    ) -> Vec<(usize, usize, usize)> {
        let (mut arrivals, mut late) = (Vec::new(), 0);
        for at in 0..messages.len() {
            if !lost[at].0 {
                arrivals.push((at * 2, 0, at));
            }
            late = late.max(at * 2 + lag[at] * 2 + 1);
            if !lost[at].1 {
                arrivals.push((late, 1, at));
            }
        }
        arrivals.sort_unstable();
        arrivals
    }
}
