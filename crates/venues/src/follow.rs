//! Whether a book message continues the book, by every venue's published rule.
//!
//! The rule is in the message: ranges of ids (Binance), ids that name the one before (OKX), a counter
//! (Bybit), or nothing because every message is the whole book (Hyperliquid). Messages of dYdX are counted
//! per connection, whatever they are about: a jump of that count is for the session to see.

use mainspring_core::InstrumentId;

use crate::binance::{DepthSync, Market, Step};
use crate::feed::Sequence;
use crate::rows::{RowMessage, RowMessageKind};

/// The book sequences of one connection.
#[derive(Clone, Debug, Default)]
pub struct BookFollower {
    states: Vec<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    synced: bool,
    last: i64,
    /// Ranges of ids have a rule of their own, which is known from the first of them.
    ranges: Option<DepthSync>,
    /// A snapshot that came before the first range.
    waiting: Option<i64>,
}

impl BookFollower {
    /// No books yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do with a message: apply it, ignore it as older than the book, hold it until a snapshot
    /// comes, or take the book for lost. Messages that are not about the book are applied.
    pub fn judge(&mut self, message: &RowMessage) -> Step {
        match message.kind {
            RowMessageKind::Book { snapshot, sequence } => {
                self.state(message.instrument).judge(snapshot, sequence)
            }
            _ => Step::Apply,
        }
    }

    /// Whether the book of an instrument can be trusted.
    #[must_use]
    pub fn is_synced(&self, instrument: InstrumentId) -> bool {
        self.states.get(instrument.index()).is_some_and(|state| state.synced)
    }

    /// The connection is a new one, or a message was lost: every book waits for its snapshot.
    pub fn lose_all(&mut self) {
        self.states.iter_mut().for_each(|state| *state = State::default());
    }

    /// The book of one instrument waits for its snapshot.
    pub fn lose(&mut self, instrument: InstrumentId) {
        *self.state(instrument) = State::default();
    }

    fn state(&mut self, instrument: InstrumentId) -> &mut State {
        if self.states.len() <= instrument.index() {
            self.states.resize(instrument.index() + 1, State::default());
        }
        &mut self.states[instrument.index()]
    }
}

impl State {
    fn judge(&mut self, snapshot: bool, sequence: Sequence) -> Step {
        let step = match sequence {
            Sequence::Range(ids) => {
                let market = if ids.previous.is_some() { Market::Futures } else { Market::Spot };
                let ranges = self.ranges.get_or_insert_with(|| DepthSync::new(market));
                if let Some(last) = self.waiting.take() {
                    ranges.snapshot(last);
                }
                ranges.diff(ids)
            }
            Sequence::Snapshot(last) => {
                match &mut self.ranges {
                    Some(ranges) => ranges.snapshot(last),
                    None => self.waiting = Some(last),
                }
                Step::Apply
            }
            _ if snapshot => Step::Apply,
            _ if !self.synced => Step::Hold,
            // After maintenance ids start again below: the message itself says so.
            Sequence::Chain { previous, this } if this < previous => Step::Apply,
            Sequence::Chain { previous, .. } if previous != self.last => Step::Gap,
            Sequence::Counter(this) if this <= self.last => Step::Old,
            Sequence::Counter(this) if this != self.last + 1 => Step::Gap,
            _ => Step::Apply,
        };
        match step {
            Step::Apply => {
                self.synced = true;
                if let Sequence::Chain { this, .. } | Sequence::Counter(this) = sequence {
                    self.last = this;
                }
            }
            Step::Gap => self.synced = false,
            Step::Old | Step::Hold => {}
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance::sync::DiffIds;

    fn steps(messages: &[(bool, Sequence)]) -> Vec<Step> {
        let mut state = State::default();
        messages.iter().map(|(snapshot, sequence)| state.judge(*snapshot, *sequence)).collect()
    }

    #[test]
    fn chains_name_the_one_before_and_may_start_again_below() {
        let chain = |previous, this| Sequence::Chain { previous, this };
        let got = steps(&[
            (false, chain(4, 5)),
            (true, chain(-1, 10)),
            (false, chain(10, 15)),
            (false, chain(15, 15)), // nothing happened
            (false, chain(15, 3)),  // maintenance
            (false, chain(3, 4)),
            (false, chain(6, 7)),
            (false, chain(7, 8)),
            (true, chain(-1, 9)),
        ]);
        use Step::{Apply, Gap, Hold};
        assert_eq!(got, [Hold, Apply, Apply, Apply, Apply, Apply, Gap, Hold, Apply]);
    }

    #[test]
    fn counters_grow_by_one() {
        let count = Sequence::Counter;
        let got = steps(&[
            (false, count(7)),
            (true, count(8)),
            (false, count(9)),
            (false, count(9)),
            (false, count(11)),
            (true, count(1)),
            (false, count(2)),
        ]);
        use Step::{Apply, Gap, Hold, Old};
        assert_eq!(got, [Hold, Apply, Apply, Old, Gap, Apply, Apply]);
    }

    #[test]
    fn ranges_follow_the_snapshot_whichever_comes_first() {
        let range = |first, last, previous| {
            Sequence::Range(DiffIds { first, last, previous: Some(previous) })
        };
        let snapshot = (true, Sequence::Snapshot(100));
        use Step::{Apply, Gap, Hold, Old};
        let early = steps(&[snapshot, (false, range(90, 99, 89)), (false, range(100, 105, 99))]);
        assert_eq!(early, [Apply, Old, Apply]);
        let late = steps(&[
            (false, range(90, 99, 89)),
            snapshot,
            (false, range(98, 105, 97)),
            (false, range(120, 130, 105)),
            (false, range(140, 150, 131)),
        ]);
        assert_eq!(late, [Hold, Apply, Apply, Apply, Gap]);
    }
}
