//! Plans of parent orders: from what a person writes to the engine's terms.

use mainspring_core::order::OrderFlags;
use mainspring_core::{DurationNs, Error, ErrorKind, InstrumentId, Lots, Result, Ticks};
use mainspring_kernel::View;
use mainspring_trading::execution::parents::{
    AtEnd, CatchUp, Kind, ParentTerms, Participation, Schedule, Style,
};
use serde::Deserialize;

use super::models::read_side;

/// How much is due when, as a plan writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum When {
    Even(usize),
    Weights(Vec<u64>),
    Shares(Vec<f64>),
    Volume(Rate),
    Whole,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    rate: f64,
    own_counts: bool,
}

/// A plan, as `mainspring.execution` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanText {
    kind: Kind,
    side: String,
    qty: f64,
    schedule: When,
    duration_ns: DurationNs,
    style: Style,
    limit: Option<f64>,
    sweep_ticks: i64,
    cap: Option<Rate>,
    min_child: f64,
    max_child: f64,
    catch_up: CatchUp,
    at_end: AtEnd,
    retry_ns: DurationNs,
    reprice_ns: DurationNs,
    max_refusals: u32,
    reduce_only: bool,
}

impl PlanText {
    /// Reads a plan.
    pub fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|e| Error::new(ErrorKind::Strategy, format!("execute(): {e}")))
    }

    /// The terms of the plan in an instrument.
    pub fn terms(&self, view: &View<'_>, instrument: InstrumentId) -> Result<ParentTerms> {
        let side = read_side(&self.side)?;
        let qty = view.lots(instrument, self.qty)?;
        if qty.0 <= 0 {
            return Err(Error::new(
                ErrorKind::Strategy,
                format!("execute(): a quantity of {} is not a lot", self.qty),
            ));
        }
        let schedule = self.schedule(qty)?;
        let mut terms =
            ParentTerms::new(self.kind, instrument, side, qty, schedule, self.duration_ns);
        terms.style = self.style;
        terms.limit = self.limit.map(|p| view.ticks(instrument, side, p, false)).transpose()?;
        terms.sweep = Ticks(self.sweep_ticks);
        let cap = self.cap.as_ref();
        terms.cap = cap.map(|cap| Participation::new(cap.rate, cap.own_counts)).transpose()?;
        terms.min_child = view.lots(instrument, self.min_child)?.max(Lots(1));
        terms.max_child = match self.max_child {
            0.0 => Lots(0),
            most => view.lots(instrument, most)?.max(Lots(1)),
        };
        terms.catch_up = self.catch_up;
        terms.at_end = self.at_end;
        terms.retry_ns = self.retry_ns;
        terms.reprice_ns = self.reprice_ns;
        terms.max_refusals = self.max_refusals;
        if self.reduce_only {
            terms.flags = OrderFlags::REDUCE_ONLY;
        }
        Ok(terms)
    }

    fn schedule(&self, qty: Lots) -> Result<Schedule> {
        match &self.schedule {
            When::Even(slices) => Schedule::even(qty, *slices),
            When::Weights(weights) => Schedule::weighted(qty, weights),
            When::Shares(done) => Schedule::by_share(qty, done),
            When::Volume(rate) => {
                Ok(Schedule::Volume(Participation::new(rate.rate, rate.own_counts)?))
            }
            When::Whole => Ok(Schedule::Whole),
        }
    }
}
