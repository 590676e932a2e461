//! Hedges what is held at a venue that cannot be reached, on another one, until it can be again.
//!
//! The hedge is a position of its own beside those of other strategies: it passes gate and reconciler as
//! theirs do, is journaled, and is seen by itself. How much is hedged: the net position of all strategies
//! at the lost instrument, as far as what they hold where it is hedged does not offset it already. It is
//! closed once the venue is back and has told what happened meanwhile.

use mainspring_core::{Decimal, Error, ErrorKind, InstrumentId, Lots, Result, TimeNs};
use serde::{Deserialize, Serialize};

use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::view::View;

/// An instrument and what stands in for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The instrument whose venue may be lost, as `venue:SYMBOL`.
    pub lost: String,
    /// Where it is hedged then, as `venue:SYMBOL`.
    pub on: String,
}

/// Parameters of [`LossHedge`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossHedgeConfig {
    /// What is hedged where.
    pub pairs: Vec<Pair>,
    /// A venue is lost after so many milliseconds.
    pub after_ms: u32,
    /// Most of one order, in base currency; 0 for any.
    pub slice: Decimal,
    /// The share of quantities that the session carries out, in basis points: the hedge is whole all
    /// the same.
    pub size_bps: u32,
}

/// One pair as the session numbers it.
#[derive(Clone, Copy, Debug)]
struct Watch {
    lost: InstrumentId,
    on: InstrumentId,
    /// Lots of `on` for a lot of `lost`.
    ratio: f64,
}

/// What was seen of the lost venue of a pair; a restart gives it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Since when it has been lost.
    down_ns: Option<TimeNs>,
    /// When it was seen lost last.
    last_down_ns: TimeNs,
    /// Whether the pair is hedged now.
    hedged: bool,
}

/// Hedges lost venues.
pub struct LossHedge {
    config: LossHedgeConfig,
    trigger: BookTrigger,
    watches: Vec<Watch>,
    seen: Vec<Seen>,
    /// What of it was told to be kept.
    kept: Vec<Seen>,
}

impl LossHedge {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is out of range, or it would not be called at an interval: a lost venue sends no
    /// events.
    pub fn new(config: LossHedgeConfig, trigger: BookTrigger) -> Result<Self> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, format!("loss_hedge: {what}")));
        if !matches!(trigger, BookTrigger::Every(_)) {
            return wrong("it is called at an interval: give every=\"100ms\"");
        }
        if config.pairs.is_empty() {
            return wrong("name what is hedged where");
        }
        if !(1..=10_000).contains(&config.size_bps) || config.slice.mantissa() < 0 {
            return wrong("size_bps is 1 to 10,000, and slice is not negative");
        }
        let seen = vec![Seen::default(); config.pairs.len()];
        Ok(Self { config, trigger, watches: Vec::new(), kept: seen.clone(), seen })
    }

    fn watch(view: &View<'_>, pair: &Pair) -> Result<Watch> {
        let (lost, on) = (find(view, &pair.lost)?, find(view, &pair.on)?);
        let of = |id: InstrumentId| &view.markets[id.index()].instrument;
        if of(lost).venue == of(on).venue {
            let what = format!("{} and {} are at one venue", pair.lost, pair.on);
            return Err(Error::new(ErrorKind::Config, format!("loss_hedge: {what}")));
        }
        if of(lost).kind.is_inverse() || of(on).kind.is_inverse() {
            let what = "inverse contracts are not hedged lot for lot".to_owned();
            return Err(Error::new(ErrorKind::Config, format!("loss_hedge: {what}")));
        }
        let base = |id: InstrumentId| of(id).lot.to_f64() * of(id).multiplier.to_f64();
        Ok(Watch { lost, on, ratio: base(lost) / base(on) })
    }

    /// Takes notice of venues that went and came.
    fn look(&mut self, view: &View<'_>) {
        let after_ns = i64::from(self.config.after_ms) * 1_000_000;
        for (watch, seen) in self.watches.iter().zip(&mut self.seen) {
            match view.link(watch.lost) {
                Some(link) if !link.up => {
                    let since_ns = *seen.down_ns.get_or_insert(view.now_ns);
                    seen.last_down_ns = view.now_ns;
                    seen.hedged |= view.now_ns - since_ns >= after_ns;
                }
                // It may have traded meanwhile: what the hedge is for is known once it has told.
                Some(link) if seen.hedged && link.reconciled_ns < seen.last_down_ns => {}
                Some(_) | None => (seen.down_ns, seen.hedged) = (None, false),
            }
        }
    }

    /// The hedge that is wanted at an instrument, in its lots.
    fn wanted(&self, view: &View<'_>, on: InstrumentId) -> Lots {
        let mine = view.position_in(on);
        let mut others = Lots(view.net(on).0 - mine.0);
        let mut wanted = 0.0;
        let pairs = self.watches.iter().zip(&self.seen);
        for (watch, _) in pairs.filter(|(one, seen)| seen.hedged && one.on == on) {
            let left = view.net(watch.lost).0 as f64 * watch.ratio;
            let offset = (-(others.0 as f64) * left.signum()).clamp(0.0, left.abs());
            wanted -= left - offset * left.signum();
            others = Lots(others.0 + (offset * left.signum()) as i64);
        }
        Lots(libm::round(wanted) as i64)
    }

    /// The next step towards it, of a slice at most.
    fn step(&self, view: &View<'_>, on: InstrumentId, wanted: Lots) -> Lots {
        let held = view.position_in(on);
        let slice = view.lots(on, self.config.slice.to_f64()).map_or(0, |lots| lots.0);
        let most = if slice > 0 { slice } else { i64::MAX };
        Lots(held.0 + (wanted.0 - held.0).clamp(-most, most))
    }

    /// What is to be asked for so that the session's share of it is what is wanted.
    fn unscaled(&self, lots: Lots) -> Lots {
        let (bps, whole) = (i128::from(self.config.size_bps), i128::from(lots.0.abs()) * 10_000);
        let asked = (whole + bps - 1) / bps;
        Lots(i64::try_from(asked).unwrap_or(i64::MAX) * lots.0.signum())
    }
}

fn find(view: &View<'_>, name: &str) -> Result<InstrumentId> {
    let (venue, symbol) = name.split_once(':').unwrap_or(("", name));
    let is = |at: &crate::market::Market| {
        at.instrument.symbol == symbol && (venue.is_empty() || at.instrument.venue == venue)
    };
    let mut found = view.markets.iter().filter(|at| is(at));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("loss_hedge: {name:?} names no instrument of the session; write venue:SYMBOL"),
        )),
    }
}

impl Host for LossHedge {
    fn name(&self) -> &str {
        "loss_hedge"
    }

    fn interest(&self) -> Interest {
        Interest { book: self.trigger, state: true, ..Interest::default() }
    }

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        let watches: Result<Vec<Watch>> =
            self.config.pairs.iter().map(|pair| Self::watch(view, pair)).collect();
        self.watches = watches?;
        Ok(())
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if self.watches.is_empty() {
            // After a restart there is no start.
            self.on_start(view)?;
        }
        self.look(view);
        for at in 0..self.watches.len() {
            let on = self.watches[at].on;
            let first = self.watches.iter().position(|one| one.on == on) == Some(at);
            if !first || view.link(on).is_some_and(|link| !link.up) {
                continue;
            }
            let wanted = self.wanted(view, on);
            if wanted != view.position_in(on) {
                view.instrument = on;
                let next = self.unscaled(self.step(view, on, wanted));
                view.target_position(next, None)?;
            }
        }
        Ok(())
    }

    fn save(&mut self, state: &mut Vec<u8>) -> bool {
        // When a lost venue was seen last changes with each look and is kept with the rest.
        let alike = |(seen, kept): (&Seen, &Seen)| {
            (seen.down_ns, seen.hedged) == (kept.down_ns, kept.hedged)
        };
        if self.seen.iter().zip(&self.kept).all(alike) {
            return false;
        }
        self.kept.clone_from(&self.seen);
        state.clear();
        // A list of numbers and truths always becomes JSON.
        state.extend(serde_json::to_vec(&self.seen).unwrap_or_default());
        true
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        let seen: Vec<Seen> = serde_json::from_slice(state).unwrap_or_default();
        if seen.len() == self.seen.len() {
            (self.kept, self.seen) = (seen.clone(), seen);
        }
        Ok(())
    }

    fn parameters(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        Some(super::parameters_of(&self.config))
    }
}
