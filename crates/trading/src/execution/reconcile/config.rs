//! The rules of a reconciler: as a person writes them, and resolved for one instrument.

use std::collections::BTreeMap;

use mainspring_core::{DurationNs, Error, ErrorKind, Instrument, Result, Ticks};
use serde::{Deserialize, Serialize};

use super::life::check_adaptive;
use super::wish::Minimums;
use crate::execution::budget::BudgetConfig;

/// What an amend may do at a venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmendRule {
    /// Nothing: cancel and place anew.
    #[default]
    Never,
    /// Make an order smaller at its price, which keeps its place in the queue.
    KeepsPriority,
    /// Whatever is wanted: one request in place of two, the place in the queue is the venue's
    /// to decide.
    Always,
}

/// What becomes of a quote that would cross the other side of the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrossRule {
    /// It is sent as it is: taken, or refused where it is post-only.
    #[default]
    Send,
    /// It is moved to the nearest price that rests.
    Rest,
    /// It is left out.
    Drop,
}

/// What becomes of an order below the venue's smallest quantity or value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BelowMinimum {
    /// It is sent as it is; the venue will refuse it.
    #[default]
    Send,
    /// It is left out.
    Drop,
    /// A quote is raised to the minimum; a step towards a target is left out.
    Raise,
}

/// Lives between the shortest and the longest that follow the market; see
/// [`super::adaptive_life_ns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveLife {
    /// Share of orders that should fill.
    pub target_fill_rate: f64,
    /// Over how long the share is measured.
    pub fill_window_ns: DurationNs,
    /// The feature that gives the volatility; none where absent.
    pub volatility: Option<String>,
    /// Basis points of one unit of that feature; features of volatility are fractions.
    pub volatility_unit_bps: f64,
    /// The feature that gives the expected move of the price, up is positive; none where absent.
    pub drift: Option<String>,
    /// Basis points of one unit of that feature.
    pub drift_unit_bps: f64,
}

impl Default for AdaptiveLife {
    fn default() -> Self {
        Self {
            target_fill_rate: 0.15,
            fill_window_ns: 300_000_000_000,
            volatility: None,
            volatility_unit_bps: 10_000.0,
            drift: None,
            drift_unit_bps: 1.0,
        }
    }
}

/// When a position that should shrink is taken out of the book instead of waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Urgent {
    /// After a target with a limit price was wished for so long.
    pub after_ns: DurationNs,
    /// How far through the best opposite price the taker order may go, in basis points.
    pub collar_bps: u32,
}

/// Rules as a person writes them. The default is to keep every quote exactly as wished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileConfig {
    /// An order this close to the wished price stays, in basis points of the price.
    pub price_threshold_bps: f64,
    /// An order this close to the wished quantity stays, in basis points of the quantity.
    pub size_threshold_bps: f64,
    /// Whether what traded of a quote is added again; without, an order stands for its level
    /// until it is filled.
    pub replenish: bool,
    /// What an amend may do.
    pub amend: AmendRule,
    /// The same by venue, where it differs.
    pub amend_at: BTreeMap<String, AmendRule>,
    /// Whether a replacement waits for the answer to the cancel of what it replaces.
    pub wait_for_cancel: bool,
    /// A younger order is not replaced.
    pub min_life_ns: DurationNs,
    /// An older order is replaced, even where it should be.
    pub max_life_ns: Option<DurationNs>,
    /// Lives in between that follow the market.
    pub adaptive_life: Option<AdaptiveLife>,
    /// An order is replaced when the quantity in front of it has grown by this factor.
    pub queue_growth: Option<f64>,
    /// What becomes of quotes that would cross the book.
    pub cross: CrossRule,
    /// What becomes of orders below the venue's minimum.
    pub below_minimum: BelowMinimum,
    /// Most requests of one round; the rest follows in the next.
    pub max_actions: Option<u32>,
    /// Time between a round that was cut off and the next.
    pub pause_ns: DurationNs,
    /// Reductions that cannot wait.
    pub urgent: Option<Urgent>,
    /// What may be sent, by venue; `*` is for venues that are not named.
    pub budgets: BTreeMap<String, BudgetConfig>,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self {
            price_threshold_bps: 0.0,
            size_threshold_bps: 0.0,
            replenish: false,
            amend: AmendRule::default(),
            amend_at: BTreeMap::new(),
            wait_for_cancel: false,
            min_life_ns: 0,
            max_life_ns: None,
            adaptive_life: None,
            queue_growth: None,
            cross: CrossRule::default(),
            below_minimum: BelowMinimum::default(),
            max_actions: None,
            pause_ns: 10_000_000,
            urgent: None,
            budgets: BTreeMap::new(),
        }
    }
}

/// Parts of a basis point that thresholds are kept in.
const BPS_PARTS: f64 = 1_000.0;
/// A whole in those parts.
pub(super) const WHOLE: i128 = 10_000_000;

/// The rules of one instrument at its venue.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub(super) price_parts: i128,
    pub(super) size_parts: i128,
    pub(super) replenish: bool,
    pub(super) amend: AmendRule,
    pub(super) wait_for_cancel: bool,
    pub(super) min_life_ns: DurationNs,
    pub(super) max_life_ns: Option<DurationNs>,
    /// Lives that follow the market, where asked for.
    pub adaptive_life: Option<AdaptiveLife>,
    pub(super) queue_growth: Option<f64>,
    pub(super) cross: CrossRule,
    pub(super) below_minimum: BelowMinimum,
    pub(super) max_actions: usize,
    /// Time between a round that was cut off and the next.
    pub pause_ns: DurationNs,
    pub(super) urgent: Option<Urgent>,
    pub(super) minimums: Minimums,
}

impl ReconcileConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the first that cannot be used.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        for (name, bps) in [
            ("price_threshold_bps", self.price_threshold_bps),
            ("size_threshold_bps", self.size_threshold_bps),
        ] {
            if !(0.0..10_000.0).contains(&bps) {
                return wrong(format!("{name} is {bps}; give 0 to less than 10000 basis points"));
            }
        }
        if self.min_life_ns < 0 || self.max_life_ns.is_some_and(|max| max <= self.min_life_ns) {
            return wrong(format!(
                "orders would live from {} ns to {:?} ns; the longest life must be above the shortest",
                self.min_life_ns, self.max_life_ns
            ));
        }
        if self.queue_growth.is_some_and(|factor| !(factor.is_finite() && factor > 1.0)) {
            return wrong("queue_growth must be a factor above 1".into());
        }
        if self.max_actions == Some(0) || self.pause_ns <= 0 {
            return wrong("max_actions and pause must be positive".into());
        }
        if let Some(urgent) = &self.urgent {
            if urgent.after_ns < 0 || urgent.collar_bps >= 10_000 {
                return wrong("urgent needs a time and a collar below 10000 basis points".into());
            }
        }
        match (&self.adaptive_life, self.max_life_ns) {
            (Some(_), None) => wrong("adaptive_life needs max_life".into()),
            (Some(adaptive), Some(_)) => check_adaptive(adaptive),
            (None, _) => Ok(()),
        }
    }

    /// The rules of `instrument`.
    ///
    /// # Errors
    /// As [`Self::validate`], or when the instrument's minimum does not fit.
    pub fn rules(&self, instrument: &Instrument) -> Result<Rules> {
        self.validate()?;
        let parts = |bps: f64| (bps * BPS_PARTS) as i128;
        Ok(Rules {
            price_parts: parts(self.price_threshold_bps),
            size_parts: parts(self.size_threshold_bps),
            replenish: self.replenish,
            amend: self.amend_at.get(&instrument.venue).copied().unwrap_or(self.amend),
            wait_for_cancel: self.wait_for_cancel,
            min_life_ns: self.min_life_ns,
            max_life_ns: self.max_life_ns,
            adaptive_life: self.adaptive_life.clone(),
            queue_growth: self.queue_growth,
            cross: self.cross,
            below_minimum: self.below_minimum,
            max_actions: self.max_actions.map_or(usize::MAX, |max| max as usize),
            pause_ns: self.pause_ns,
            urgent: self.urgent,
            minimums: Minimums::of(instrument)?,
        })
    }

    /// The budget of a venue, where there is one.
    #[must_use]
    pub fn budget_of(&self, venue: &str) -> Option<&BudgetConfig> {
        self.budgets.get(venue).or_else(|| self.budgets.get("*"))
    }
}

impl Rules {
    /// How far from `price` an order stands for it, in ticks.
    #[inline]
    pub(super) fn price_tolerance(&self, price: Ticks) -> i64 {
        // Prices of all sensible instruments fit the fast way.
        match price.0.abs().checked_mul(self.price_parts as i64) {
            Some(parts) => parts / WHOLE as i64,
            None => (i128::from(price.0.abs()) * self.price_parts / WHOLE) as i64,
        }
    }

    /// Whether `have` is near enough to `want`.
    #[inline]
    pub(super) fn right_size(&self, have: i64, want: i64) -> bool {
        i128::from((have - want).abs()) * WHOLE <= i128::from(want) * self.size_parts
    }

    /// Whether an order at `price` stands for a level at `level`.
    #[must_use]
    pub fn stands_for(&self, level: Ticks, price: Ticks) -> bool {
        (level.0 - price.0).abs() <= self.price_tolerance(level)
    }

    /// Whether what traded of a quote is added again.
    #[must_use]
    pub const fn replenishes(&self) -> bool {
        self.replenish
    }

    /// The shortest and the longest life of an order.
    #[must_use]
    pub fn lives_ns(&self) -> (DurationNs, DurationNs) {
        (self.min_life_ns, self.max_life_ns.unwrap_or(DurationNs::MAX))
    }

    /// Whether quantities in front of orders have to be known.
    #[must_use]
    pub const fn watches_queues(&self) -> bool {
        self.queue_growth.is_some()
    }
}
