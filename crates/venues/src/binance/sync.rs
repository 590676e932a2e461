//! Whether a diff continues the book: Binance's published rules for spot and for futures.

/// Which rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// Update ids are contiguous: the next first id is the last id plus one.
    Spot,
    /// Each message names the last id of the one before (`pu`).
    Futures,
}

/// What to do with a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It continues the book: apply it.
    Apply,
    /// It is older than the book: ignore it.
    Old,
    /// There is no book yet, or no longer: keep it until a snapshot comes.
    Hold,
    /// Something is missing between the book and it: the book is lost from here.
    Gap,
}

/// The ids of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffIds {
    /// First id (`U`).
    pub first: i64,
    /// Last id (`u`).
    pub last: i64,
    /// Last id of the diff before (`pu`), futures only.
    pub previous: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// A snapshot stands at this id and no diff has followed yet.
    Snapshot(i64),
    Running(i64),
}

/// The state of one symbol's book sequence.
#[derive(Clone, Copy, Debug)]
pub struct DepthSync {
    market: Market,
    state: State,
}

impl DepthSync {
    /// A sequence without a book.
    #[must_use]
    pub const fn new(market: Market) -> Self {
        Self { market, state: State::Waiting }
    }

    /// Whether there is a book that can be trusted.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    /// The book now stands at this snapshot.
    pub const fn snapshot(&mut self, last: i64) {
        self.state = State::Snapshot(last);
    }

    /// The book is lost until the next snapshot.
    pub const fn lose(&mut self) {
        self.state = State::Waiting;
    }

    /// Takes a diff into the sequence.
    pub fn diff(&mut self, ids: DiffIds) -> Step {
        let step = self.judge(ids);
        match step {
            Step::Apply => self.state = State::Running(ids.last),
            Step::Gap => self.state = State::Waiting,
            Step::Old | Step::Hold => {}
        }
        step
    }

    fn judge(&self, ids: DiffIds) -> Step {
        match (self.market, self.state) {
            (_, State::Waiting) => Step::Hold,
            (Market::Spot, State::Snapshot(at) | State::Running(at)) => {
                if ids.last <= at {
                    Step::Old
                } else if ids.first <= at + 1 {
                    Step::Apply
                } else {
                    Step::Gap
                }
            }
            (Market::Futures, State::Snapshot(at)) => {
                if ids.last < at {
                    Step::Old
                } else if ids.first <= at || ids.previous.is_some_and(|previous| previous <= at) {
                    Step::Apply
                } else {
                    Step::Gap
                }
            }
            (Market::Futures, State::Running(at)) => {
                if ids.last <= at {
                    Step::Old
                } else if ids.previous == Some(at) {
                    Step::Apply
                } else {
                    Step::Gap
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(first: i64, last: i64) -> DiffIds {
        DiffIds { first, last, previous: None }
    }

    fn futures(previous: i64, first: i64, last: i64) -> DiffIds {
        DiffIds { first, last, previous: Some(previous) }
    }

    #[test]
    fn spot_ids_are_contiguous() {
        let mut sync = DepthSync::new(Market::Spot);
        assert_eq!(sync.diff(spot(1, 5)), Step::Hold);
        sync.snapshot(7);
        assert_eq!(sync.diff(spot(6, 7)), Step::Old);
        assert_eq!(sync.diff(spot(6, 9)), Step::Apply);
        assert_eq!(sync.diff(spot(10, 10)), Step::Apply);
        assert_eq!(sync.diff(spot(12, 13)), Step::Gap);
        assert_eq!(sync.diff(spot(14, 15)), Step::Hold);
    }

    #[test]
    fn spot_snapshot_older_than_the_buffer_is_a_gap() {
        let mut sync = DepthSync::new(Market::Spot);
        sync.snapshot(7);
        assert_eq!(sync.diff(spot(9, 12)), Step::Gap);
        assert!(!sync.is_synced());
    }

    #[test]
    fn futures_follow_the_previous_id() {
        let mut sync = DepthSync::new(Market::Futures);
        sync.snapshot(100);
        assert_eq!(sync.diff(futures(80, 85, 99)), Step::Old);
        // A first diff that ends at the snapshot belongs to it.
        assert_eq!(sync.diff(futures(99, 99, 100)), Step::Apply);
        assert_eq!(sync.diff(futures(100, 140, 150)), Step::Apply);
        assert_eq!(sync.diff(futures(151, 160, 170)), Step::Gap);
    }

    #[test]
    fn futures_without_the_previous_id_are_a_gap() {
        let mut sync = DepthSync::new(Market::Futures);
        sync.snapshot(100);
        assert_eq!(sync.diff(spot(90, 110)), Step::Apply);
        assert_eq!(sync.diff(spot(111, 112)), Step::Gap);
    }
}
