//! One side of an L2 book: a dense window of levels around the best, sorted lists for the rest.
//!
//! Levels are addressed by a key that grows towards the best: the price for bids, its bitwise
//! complement for asks. Greater is better on both sides, so one code serves both.
//!
//! Cost: a level inside the window is one array store and, when it appears or vanishes, one to
//! three bitmap words. A level outside is a binary search in a sorted list. Every such far
//! operation adds to `pressure`; when that reaches a quarter of the number of levels the window
//! is moved to the best or grown, which copies each level once. So moving windows costs a bounded
//! number of copies per far operation, whatever the prices do.

use crate::occupancy::{Descending, Occupancy};

/// How wide the dense window of a side may be, in ticks.
///
/// Values are rounded up to powers of two and clamped to `[64, 2^24]`. Memory is 8 bytes a tick
/// and side; ticks that never held a level are not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LadderConfig {
    /// Width at the start.
    pub initial_window: usize,
    /// Width up to which the window grows when many updates fall outside.
    pub max_window: usize,
}

impl Default for LadderConfig {
    fn default() -> Self {
        Self { initial_window: 1 << 10, max_window: 1 << 16 }
    }
}

impl LadderConfig {
    const SMALLEST: usize = 64;
    const LARGEST: usize = 1 << 24;

    fn normalised(self) -> Self {
        let power = |ticks: usize| ticks.clamp(Self::SMALLEST, Self::LARGEST).next_power_of_two();
        let initial_window = power(self.initial_window);
        Self { initial_window, max_window: power(self.max_window).max(initial_window) }
    }
}

/// The key of "no level"; no level can have it.
pub(crate) const NO_KEY: i64 = i64::MIN;

/// Far operations before the window may move, however few levels there are.
const LEAST_PRESSURE: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) key: i64,
    pub(crate) qty: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    /// Quantity at key `low + index`; zero where there is no level.
    window: Box<[i64]>,
    /// Key of the first slot.
    low: i64,
    best: i64,
    occupancy: Occupancy,
    /// Levels over the window, rising, so the best is last.
    above: Vec<Level>,
    /// Levels under the window, falling, so the worst is last.
    below: Vec<Level>,
    levels: usize,
    pressure: usize,
    max_window: usize,
    /// All levels while the window moves; kept for its capacity.
    moving: Vec<Level>,
}

impl Ladder {
    pub(crate) fn new(config: LadderConfig) -> Self {
        let config = config.normalised();
        Self {
            window: vec![0; config.initial_window].into_boxed_slice(),
            low: 0,
            best: NO_KEY,
            occupancy: Occupancy::new(config.initial_window),
            above: Vec::new(),
            below: Vec::new(),
            levels: 0,
            pressure: 0,
            max_window: config.max_window,
            moving: Vec::new(),
        }
    }

    /// Key of the best level, or [`NO_KEY`].
    #[inline]
    pub(crate) const fn best(&self) -> i64 {
        self.best
    }

    /// Number of levels.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.levels
    }

    #[inline]
    pub(crate) fn qty(&self, key: i64) -> i64 {
        match self.window.get(self.slot(key)) {
            Some(qty) => *qty,
            None => self.far_qty(key),
        }
    }

    /// Sets a level; zero removes it. Returns what was there.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: i64, qty: i64) -> i64 {
        let at = self.slot(key);
        let Some(slot) = self.window.get_mut(at) else {
            return self.set_outside(key, qty);
        };
        let previous = std::mem::replace(slot, qty);
        let (was_there, is_there) = (previous != 0, qty != 0);
        // Whether a level appears or vanishes is a coin toss to the branch predictor, so the
        // common way has no branch on it.
        self.occupancy.flip_if(was_there != is_there, at);
        self.levels = self.levels + usize::from(is_there) - usize::from(was_there);
        self.best = self.best.max(if is_there { key } else { NO_KEY });
        if !is_there & (key == self.best) {
            self.best = self.next_below(at);
        }
        previous
    }

    pub(crate) fn clear(&mut self) {
        while let Some(at) = self.occupancy.highest() {
            self.occupancy.flip_if(true, at);
            self.window[at] = 0;
        }
        self.above.clear();
        self.below.clear();
        self.best = NO_KEY;
        self.levels = 0;
        self.pressure = 0;
    }

    /// All levels from the best outwards.
    #[inline]
    pub(crate) fn iter(&self) -> Levels<'_> {
        let best_at = self.slot(self.best);
        let is_inside = best_at < self.window.len();
        let highest = if is_inside { Some(best_at) } else { self.occupancy.highest() };
        Levels {
            ladder: self,
            above: self.above.len(),
            inside: self.occupancy.descending(highest),
            below: self.below.iter(),
        }
    }

    /// Index of a key in the window; at or above the window's width when it is outside.
    ///
    /// `low` is at most `i64::MAX - width + 1`, so a wrapped difference is never inside.
    #[inline]
    const fn slot(&self, key: i64) -> usize {
        key.wrapping_sub(self.low) as usize
    }

    /// The best level under slot `at`, none of the window being over it.
    #[inline]
    fn next_below(&self, at: usize) -> i64 {
        match self.occupancy.below(at) {
            Some(next) => self.low + next as i64,
            None => self.below.first().map_or(NO_KEY, |level| level.key),
        }
    }

    fn find_best(&self) -> i64 {
        if let Some(level) = self.above.last() {
            return level.key;
        }
        match self.occupancy.highest() {
            Some(at) => self.low + at as i64,
            None => self.below.first().map_or(NO_KEY, |level| level.key),
        }
    }

    /// The far list that a key outside the window belongs to, and its place there.
    fn far_place(&self, key: i64) -> (bool, Result<usize, usize>) {
        if key > self.low {
            (true, self.above.binary_search_by(|level| level.key.cmp(&key)))
        } else {
            (false, self.below.binary_search_by(|level| key.cmp(&level.key)))
        }
    }

    #[cold]
    #[inline(never)]
    fn far_qty(&self, key: i64) -> i64 {
        match self.far_place(key) {
            (true, Ok(at)) => self.above[at].qty,
            (false, Ok(at)) => self.below[at].qty,
            _ => 0,
        }
    }

    #[cold]
    #[inline(never)]
    fn set_outside(&mut self, key: i64, qty: i64) -> i64 {
        if self.levels == 0 {
            if qty == 0 || key == NO_KEY {
                return 0;
            }
            self.low = self.low_for(key, self.window.len());
            return self.set(key, qty);
        }
        let previous = self.set_far(key, qty);
        self.pressure += usize::from(previous != 0 || qty != 0);
        if self.pressure > LEAST_PRESSURE + self.levels / 4 {
            self.pressure = 0;
            self.fit_window();
        }
        previous
    }

    fn set_far(&mut self, key: i64, qty: i64) -> i64 {
        if key == NO_KEY {
            return 0;
        }
        let (is_above, place) = self.far_place(key);
        let list = if is_above { &mut self.above } else { &mut self.below };
        match place {
            Ok(at) if qty != 0 => std::mem::replace(&mut list[at].qty, qty),
            Ok(at) => {
                let previous = list.remove(at).qty;
                self.levels -= 1;
                if key == self.best {
                    self.best = self.find_best();
                }
                previous
            }
            Err(at) => {
                if qty != 0 {
                    list.insert(at, Level { key, qty });
                    self.levels += 1;
                    self.best = self.best.max(key);
                }
                0
            }
        }
    }

    /// Moves the window back to the best, or widens it when it is there already.
    fn fit_window(&mut self) {
        let width = self.window.len();
        let at = self.slot(self.best);
        let is_placed = at >= width / 2 && at < width - width / 16;
        if !is_placed {
            self.move_window(width);
        } else if width < self.max_window {
            self.move_window((width * 4).min(self.max_window));
        }
    }

    /// Lowest key of a window that has `best` at three quarters of its width. [`NO_KEY`] is never
    /// inside.
    fn low_for(&self, best: i64, width: usize) -> i64 {
        let width = width as i64;
        best.saturating_sub(width / 4 * 3).clamp(NO_KEY + 1, i64::MAX - width + 1)
    }

    fn move_window(&mut self, width: usize) {
        let mut moving = std::mem::take(&mut self.moving);
        moving.clear();
        moving.extend(self.iter());
        let (best, levels) = (self.best, self.levels);
        self.clear();
        if width != self.window.len() {
            self.window = vec![0; width].into_boxed_slice();
            self.occupancy = Occupancy::new(width);
        }
        self.low = self.low_for(best, width);
        for level in &moving {
            let at = self.slot(level.key);
            if let Some(slot) = self.window.get_mut(at) {
                *slot = level.qty;
                self.occupancy.flip_if(true, at);
            } else if level.key > self.low {
                self.above.push(*level);
            } else {
                self.below.push(*level);
            }
        }
        self.above.reverse();
        self.best = best;
        self.levels = levels;
        self.moving = moving;
    }
}

/// Levels from the best outwards.
pub(crate) struct Levels<'a> {
    ladder: &'a Ladder,
    /// How many levels over the window are still to come.
    above: usize,
    inside: Descending<'a>,
    below: std::slice::Iter<'a, Level>,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        if self.above > 0 {
            self.above -= 1;
            return Some(self.ladder.above[self.above]);
        }
        if let Some(at) = self.inside.next() {
            return Some(Level { key: self.ladder.low + at as i64, qty: self.ladder.window[at] });
        }
        self.below.next().copied()
    }
}
