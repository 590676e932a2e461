//! What a session did since its journal began, over all its lives.

use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::recorder::Counts;

use super::Session;

/// Counts of the whole journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows of market data taken.
    pub rows: u64,
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Amends sent.
    pub amends: u64,
    /// Fills booked.
    pub fills: u64,
}

impl Totals {
    const fn of(counts: &Counts) -> Self {
        let Counts { rows, orders, cancels, amends, fills, .. } = *counts;
        Self { rows, orders, cancels, amends, fills }
    }
}

impl Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            orders: self.orders + other.orders,
            cancels: self.cancels + other.cancels,
            amends: self.amends + other.amends,
            fills: self.fills + other.fills,
        }
    }
}

impl Session {
    /// What was done since the journal began; [`Session::counts`] are those of this life.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.before + Totals::of(&self.kernel.recorder.counts)
    }

    /// From here on another life counts.
    pub(super) fn begin_counts(&mut self) {
        self.before = self.totals();
        self.kernel.recorder.counts = Counts::default();
    }
}
