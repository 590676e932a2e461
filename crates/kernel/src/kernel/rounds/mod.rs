//! Rounds: wishes carried out under rules and rate budgets, over time.
//!
//! Without rules a wish is carried out once, when a strategy states it. With rules a part of it may
//! have to wait: for an order to come of age, for the answer to a cancel, for room in a budget. The
//! wish is kept for that, and a timer carries out what is left of it. What is kept is used to finish
//! a replacement and for nothing else: what of it traded, was refused, or was cancelled by
//! anybody's will is taken out, so that the engine never quotes what a strategy did not just ask
//! for.

mod carry;
mod wish;

use mainspring_core::{
    ClientOrderId, DurationNs, Error, ErrorKind, InstrumentId, Result, Side, TimeNs,
};
use mainspring_trading::execution::reconcile::{
    adaptive_life_ns, AdaptiveLife, LifeInputs, ReconcileConfig, Reconciler, Rules, Touch,
};
use mainspring_trading::execution::{Charge, RateBudget};
use mainspring_trading::orders::OrderEvent;
use serde::Serialize;

use crate::market::Market;
use wish::Wish;

/// What rounds did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoundCounts {
    /// Rounds in which a wish was looked at.
    pub rounds: u64,
    /// Of these, rounds that a timer began.
    pub resumed: u64,
    /// Requests of rounds that had to wait for a budget.
    pub deferred: u64,
    /// Orders by name that were refused for want of budget.
    pub refused: u64,
    /// Cancels by name that had to wait for a budget.
    pub held_cancels: u64,
}

/// Rules, budgets and the wishes that are not carried out to the end.
pub(crate) struct Rounds {
    /// By instrument.
    rules: Vec<Rules>,
    /// By instrument.
    inputs: Vec<LifeFeatures>,
    /// By venue.
    budgets: Vec<Option<RateBudget>>,
    /// Venue of each instrument.
    venue_of: Vec<u16>,
    /// By strategy and instrument.
    wishes: Vec<Wish>,
    reconciler: Reconciler,
    /// Cancels that wait for a budget: whose, and of which order.
    held: Vec<(u16, ClientOrderId)>,
    pub(crate) counts: RoundCounts,
}

/// Indices of the features that lives follow.
#[derive(Clone, Copy, Debug, Default)]
struct LifeFeatures {
    volatility: Option<usize>,
    drift: Option<usize>,
}

impl Rounds {
    /// Rounds for these instruments.
    ///
    /// # Errors
    /// When a rule or budget cannot be, or a feature is not there.
    pub(crate) fn new(
        config: &ReconcileConfig,
        markets: &[Market],
        strategies: usize,
    ) -> Result<Self> {
        let mut venues: Vec<&str> = Vec::new();
        let mut venue_of = Vec::with_capacity(markets.len());
        for market in markets {
            let name = market.instrument.venue.as_str();
            let known = venues.iter().position(|venue| *venue == name);
            venue_of.push(known.unwrap_or(venues.len()) as u16);
            if known.is_none() {
                venues.push(name);
            }
        }
        let named = config.budgets.keys().chain(config.amend_at.keys());
        if let Some(unknown) = named.filter(|n| *n != "*").find(|n| !venues.contains(&n.as_str())) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("no instrument of this run is at {unknown:?}; there are {venues:?}"),
            ));
        }
        let budget = |venue: &&str| config.budget_of(venue).map(RateBudget::new).transpose();
        let rules = |market: &Market| config.rules(&market.instrument);
        let rules = markets.iter().map(rules).collect::<Result<Vec<_>>>()?;
        let adaptive = config.adaptive_life.as_ref();
        let inputs =
            |market| adaptive.map_or_else(|| Ok(LifeFeatures::default()), |a| find(a, market));
        let window_ns = adaptive.map(|a| a.fill_window_ns);
        Ok(Self {
            inputs: markets.iter().map(inputs).collect::<Result<_>>()?,
            budgets: venues.iter().map(budget).collect::<Result<_>>()?,
            venue_of,
            wishes: (0..strategies * markets.len()).map(|_| Wish::new(window_ns)).collect(),
            rules,
            reconciler: Reconciler::default(),
            held: Vec::new(),
            counts: RoundCounts::default(),
        })
    }

    /// Takes what goes on from the rounds before, whose rules these replace: what is wished, cancels
    /// that wait, and what was charged to a budget of the same limits. Other budgets begin empty.
    pub(crate) fn take_over(&mut self, before: Self, now_ns: TimeNs) {
        for (own, old) in self.wishes.iter_mut().zip(before.wishes) {
            own.take_over(old);
        }
        self.begin_budgets(&before.budgets, now_ns);
        self.held = before.held;
        self.counts = before.counts;
    }

    /// Budgets go on where they are of the same limits, and begin empty where they are not: nobody
    /// knows what counts at the venue.
    pub(crate) fn begin_budgets(&mut self, before: &[Option<RateBudget>], now_ns: TimeNs) {
        for (venue, own) in self.budgets.iter_mut().enumerate() {
            let old = before.get(venue).copied().flatten();
            match (own, old) {
                (Some(own), Some(old)) if own.has_limits_of(&old) => *own = old,
                (Some(own), _) => own.empty(now_ns),
                (None, _) => {}
            }
        }
    }

    /// Budgets by venue, as a snapshot keeps them.
    pub(crate) fn budgets(&self) -> &[Option<RateBudget>] {
        &self.budgets
    }

    /// Cancels that wait for a budget, when no budget binds any more.
    pub(crate) fn take_held(&mut self) -> Vec<(u16, ClientOrderId)> {
        std::mem::take(&mut self.held)
    }

    fn wish_at(&self, strategy: u16, instrument: InstrumentId) -> usize {
        usize::from(strategy) * self.rules.len() + instrument.index()
    }

    fn wish(&mut self, strategy: u16, instrument: InstrumentId) -> &mut Wish {
        let at = self.wish_at(strategy, instrument);
        &mut self.wishes[at]
    }

    /// The budget of an instrument's venue. What is sent at once in it may share requests.
    fn budget(&self, instrument: InstrumentId) -> Option<RateBudget> {
        let budget = self.budgets[usize::from(self.venue_of[instrument.index()])];
        budget.map(|budget| budget.of_group(instrument.0))
    }

    /// When the budget has room for `charge`; `now_ns` when it does now.
    pub(super) fn ready_ns(
        &self,
        instrument: InstrumentId,
        charge: Charge,
        now_ns: TimeNs,
    ) -> TimeNs {
        self.budget(instrument).map_or(now_ns, |budget| budget.ready_ns(charge, now_ns))
    }

    /// Something was done to an order that is a request to its venue.
    #[inline]
    pub(crate) fn requested(
        &mut self,
        instrument: InstrumentId,
        event: OrderEvent,
        now_ns: TimeNs,
    ) {
        let charge = match event {
            OrderEvent::Submit => Charge::Place,
            OrderEvent::CancelRequested => Charge::Cancel,
            OrderEvent::ReplaceRequested { .. } => Charge::Amend,
            _ => return,
        };
        let venue = usize::from(self.venue_of[instrument.index()]);
        if let Some(Some(budget)) = self.budgets.get_mut(venue) {
            *budget = budget.of_group(instrument.0);
            budget.charge(charge, now_ns);
        }
    }

    /// A request was sent to a venue.
    pub(crate) fn charge(&mut self, venue: u16, charge: Charge, now_ns: TimeNs) {
        if let Some(Some(budget)) = self.budgets.get_mut(usize::from(venue)) {
            budget.charge(charge, now_ns);
        }
    }

    /// Nothing is wished any more of a strategy in an instrument.
    pub(crate) fn forget(&mut self, strategy: u16, instrument: InstrumentId) {
        self.wish(strategy, instrument).forget();
    }

    /// The process was started anew: nothing is wished yet. Budgets go on: all that was sent is in
    /// the journal, and what of it was not may count at the venues all the same.
    pub(crate) fn begin_again(&mut self) {
        self.wishes.iter_mut().for_each(Wish::begin_again);
        self.held.clear();
    }

    /// The lives of bids and asks that follow the market now, where they do.
    fn lives_ns(
        &mut self,
        strategy: u16,
        market: &Market,
        now_ns: TimeNs,
    ) -> Option<[DurationNs; 2]> {
        let at = self.wish_at(strategy, market.id);
        let rules = &self.rules[market.id.index()];
        let adaptive = rules.adaptive_life.as_ref()?;
        let features = self.inputs[market.id.index()];
        let value = |index: Option<usize>, unit_bps: f64| {
            index.map_or(f64::NAN, |i| market.features.value(i, &market.book) * unit_bps)
        };
        let bid = market.book.best_qty(Side::Buy).0 as f64;
        let both = bid + market.book.best_qty(Side::Sell).0 as f64;
        let inputs = LifeInputs {
            fill_rate: self.wishes[at].fill_rate(now_ns),
            target_fill_rate: adaptive.target_fill_rate,
            volatility_bps: value(features.volatility, adaptive.volatility_unit_bps),
            drift_bps: value(features.drift, adaptive.drift_unit_bps),
            bid_share: bid / both,
        };
        let (min_ns, max_ns) = rules.lives_ns();
        Some([Side::Buy, Side::Sell].map(|side| adaptive_life_ns(min_ns, max_ns, side, &inputs)))
    }
}

/// The best prices of a book that can be believed.
fn touch(market: &Market) -> Touch {
    if !market.is_usable() {
        return Touch::default();
    }
    Touch { bid: market.book.best(Side::Buy), ask: market.book.best(Side::Sell) }
}

fn find(adaptive: &AdaptiveLife, market: &Market) -> Result<LifeFeatures> {
    let names = market.features.names();
    let index = |name: &Option<String>| match name {
        None => Ok(None),
        Some(name) => names.iter().position(|known| known == name).map(Some).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "adaptive_life follows the feature {name:?}, which this run does not compute; \
                     there are {names:?}"
                ),
            )
        }),
    };
    Ok(LifeFeatures { volatility: index(&adaptive.volatility)?, drift: index(&adaptive.drift)? })
}
