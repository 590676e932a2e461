//! Counting over bars.

use std::collections::BTreeMap;

use mainspring_core::event::BarRow;
use mainspring_core::{DurationNs, Instrument, TimeNs};
use serde::Serialize;

/// What was counted of one instrument's bars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BarCheck {
    /// The venue's symbol.
    pub symbol: String,
    /// The venue.
    pub venue: String,
    /// All bars.
    pub bars: u64,
    /// The most frequent distance of two opens, which is taken for the interval.
    pub interval_ns: DurationNs,
    /// Intervals without a bar between the first and the last.
    pub missing_bars: u64,
    /// The longest distance of two opens.
    pub longest_gap_ns: DurationNs,
    /// When it began.
    pub longest_gap_at_ns: TimeNs,
    /// Bars that open when another one did.
    pub duplicate_bars: u64,
    /// Bars that open before an earlier one.
    pub out_of_order_bars: u64,
    /// Bars without volume.
    pub empty_bars: u64,
    /// Bars with a price that the grid does not have.
    pub off_grid_bars: u64,
    /// First and last open.
    pub open_span_ns: Option<(TimeNs, TimeNs)>,
}

/// Most different distances told apart; a clean series has a handful.
const MAX_DISTANCES: usize = 10_000;

struct State<'a> {
    instrument: &'a Instrument,
    distances: BTreeMap<DurationNs, u64>,
    found: BarCheck,
}

/// Counts over all bars of a file.
pub struct BarChecker<'a> {
    states: Vec<State<'a>>,
}

impl<'a> BarChecker<'a> {
    /// A checker for bars of these instruments.
    pub fn new(instruments: &'a [Instrument]) -> Self {
        let state = |instrument: &'a Instrument| State {
            instrument,
            distances: BTreeMap::new(),
            found: BarCheck {
                symbol: instrument.symbol.clone(),
                venue: instrument.venue.clone(),
                ..BarCheck::default()
            },
        };
        Self { states: instruments.iter().map(state).collect() }
    }

    /// Takes the bars of a chunk.
    pub fn rows(&mut self, bars: &[BarRow]) {
        bars.iter().for_each(|bar| self.states[usize::from(bar.instrument)].take(bar));
    }

    /// What was counted.
    pub fn finish(self) -> Vec<BarCheck> {
        self.states.into_iter().map(State::finish).collect()
    }
}

impl State<'_> {
    fn take(&mut self, bar: &BarRow) {
        let found = &mut self.found;
        found.bars += 1;
        found.empty_bars += u64::from(bar.volume.0 == 0);
        let grid = self.instrument.grid();
        let valid = [bar.open, bar.high, bar.low, bar.close].iter().all(|p| grid.is_valid(*p));
        found.off_grid_bars += u64::from(!valid);
        let Some((first, last)) = found.open_span_ns else {
            found.open_span_ns = Some((bar.open_ns, bar.open_ns));
            return;
        };
        let distance = bar.open_ns.saturating_sub(last);
        match distance {
            0 => found.duplicate_bars += 1,
            1.. => {
                if distance > found.longest_gap_ns {
                    found.longest_gap_ns = distance;
                    found.longest_gap_at_ns = last;
                }
                if self.distances.len() < MAX_DISTANCES || self.distances.contains_key(&distance) {
                    *self.distances.entry(distance).or_default() += 1;
                }
            }
            _ => found.out_of_order_bars += 1,
        }
        found.open_span_ns = Some((first, last.max(bar.open_ns)));
    }

    fn finish(mut self) -> BarCheck {
        let most = self.distances.iter().max_by_key(|(distance, n)| (**n, -**distance));
        if let Some((&interval_ns, _)) = most {
            self.found.interval_ns = interval_ns;
            let missing =
                |(distance, n): (&i64, &u64)| (distance / interval_ns - 1).max(0) as u64 * n;
            self.found.missing_bars = self.distances.iter().map(missing).sum();
        }
        self.found
    }
}
