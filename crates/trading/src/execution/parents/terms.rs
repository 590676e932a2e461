//! What is asked of a parent order.

use mainspring_core::order::OrderFlags;
use mainspring_core::{DurationNs, Error, ErrorKind, InstrumentId, Lots, Result, Side, Ticks};
use serde::{Deserialize, Serialize};

use super::schedule::{Participation, Schedule};

/// The algorithm by name, for people and results; behaviour follows from the terms alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Equal parts in equal times.
    Twap,
    /// Parts by a volume curve.
    Vwap,
    /// A share of the market's volume.
    Pov,
    /// The trajectory of Almgren and Chriss.
    AlmgrenChriss,
    /// A front-loaded schedule with a decay rate.
    ImplementationShortfall,
    /// One small clip shown after another.
    Iceberg,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twap => "twap",
            Self::Vwap => "vwap",
            Self::Pov => "pov",
            Self::AlmgrenChriss => "almgren_chriss",
            Self::ImplementationShortfall => "implementation_shortfall",
            Self::Iceberg => "iceberg",
        }
    }
}

/// How children trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Immediate-or-cancel at the other side's best price, and as much further as `sweep` says.
    Take,
    /// Post-only at the own side's best price, moved when that improves.
    Join,
    /// As `Join` within a slice; what a slice leaves is taken at the start of the next.
    JoinThenTake,
    /// A limit order that rests at the price limit.
    Rest,
}

/// What becomes of what a slice should have traded and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// It is due at once, with the next slice.
    Next,
    /// It is spread over the slices that remain, in proportion to them.
    Spread,
    /// It is left to the end.
    Leave,
}

/// What becomes of what is left when the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// It is not traded.
    Cancel,
    /// It is taken, at any price within the limit.
    Cross,
}

/// What is asked of a parent order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentTerms {
    /// The algorithm's name.
    pub kind: Kind,
    /// Where.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// The whole quantity, positive.
    pub qty: Lots,
    /// How much is due when.
    pub schedule: Schedule,
    /// From start to end; zero for no end, which a schedule in slices needs.
    pub duration_ns: DurationNs,
    /// How children trade.
    pub style: Style,
    /// The worst price of any child.
    pub limit: Option<Ticks>,
    /// How far beyond the other side's best a child that takes may reach.
    pub sweep: Ticks,
    /// The most of the market's volume since the start that may have been traded at any moment.
    pub cap: Option<Participation>,
    /// No child is smaller, unless it is the last; never zero.
    pub min_child: Lots,
    /// No child is larger; zero for no bound.
    pub max_child: Lots,
    /// What becomes of missed slices.
    pub catch_up: CatchUp,
    /// What becomes of the rest.
    pub at_end: AtEnd,
    /// The wait after a child that was refused or found nothing to take; doubled with each refusal
    /// in a row.
    pub retry_ns: DurationNs,
    /// How long a joining child stays before it may follow the price.
    pub reprice_ns: DurationNs,
    /// After so many refusals in a row the parent fails.
    pub max_refusals: u32,
    /// Options of every child: reduce-only.
    pub flags: OrderFlags,
    /// Best bid plus best ask at the start, by which slippage is measured; none without both.
    pub arrival_mid2: Option<i64>,
}

/// The wait after a refused child where none is given.
pub const RETRY_NS: DurationNs = 250_000_000;

/// The stay of a joining child where none is given.
pub const REPRICE_NS: DurationNs = 1_000_000_000;

/// Refusals in a row where no bound is given.
pub const MAX_REFUSALS: u32 = 8;

impl ParentTerms {
    /// Terms with the usual options: children take, missed slices are made up with the next, what is
    /// left at the end is cancelled.
    #[must_use]
    pub const fn new(
        kind: Kind,
        instrument: InstrumentId,
        side: Side,
        qty: Lots,
        schedule: Schedule,
        duration_ns: DurationNs,
    ) -> Self {
        Self {
            kind,
            instrument,
            side,
            qty,
            schedule,
            duration_ns,
            style: Style::Take,
            limit: None,
            sweep: Ticks(0),
            cap: None,
            min_child: Lots(1),
            max_child: Lots(0),
            catch_up: CatchUp::Next,
            at_end: AtEnd::Cancel,
            retry_ns: RETRY_NS,
            reprice_ns: REPRICE_NS,
            max_refusals: MAX_REFUSALS,
            flags: OrderFlags(0),
            arrival_mid2: None,
        }
    }

    /// Checks that the terms fit together.
    ///
    /// # Errors
    /// Names the first thing that does not.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| {
            Err(Error::new(ErrorKind::Strategy, format!("{} order: {what}", self.kind.name())))
        };
        if self.qty.0 <= 0 {
            return wrong(format!("{} lots; the quantity must be positive", self.qty));
        }
        self.schedule.check(self.qty)?;
        let slices = self.schedule.slices() as i64;
        if self.duration_ns < slices {
            return wrong(format!(
                "{slices} slices in {} ns; each needs a nanosecond or more",
                self.duration_ns
            ));
        }
        if self.min_child.0 <= 0 || self.max_child.0 < 0 {
            return wrong("the bounds of a child must be positive".into());
        }
        if self.max_child.0 != 0 && self.max_child < self.min_child {
            return wrong(format!(
                "children of at least {} and at most {} lots",
                self.min_child, self.max_child
            ));
        }
        if self.sweep.0 < 0 || self.retry_ns <= 0 || self.reprice_ns <= 0 || self.max_refusals == 0
        {
            return wrong("sweep, waits and the bound of refusals must not be negative".into());
        }
        if self.cap.is_some_and(|cap| !cap.is_valid()) {
            return wrong("the participation cap must lie between 0 and 1".into());
        }
        if self.style == Style::Rest && self.limit.is_none() {
            return wrong("an order that rests at its limit needs a price limit".into());
        }
        if self.style == Style::JoinThenTake && self.catch_up != CatchUp::Next {
            return wrong(
                "what a slice leaves is taken, so there is nothing else to catch up".into(),
            );
        }
        Ok(())
    }
}
