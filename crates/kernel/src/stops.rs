//! Stops that the engine holds for strategies.

use mainspring_core::{
    Decimal, DurationNs, Error, ErrorKind, Instrument, InstrumentId, Lots, Money, Result,
};
use mainspring_trading::risk::{Guarded, Stop, StopRule};
use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;

/// A stop as a person writes it: prices and money in units of the quote and settlement currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopConfig {
    /// Whose positions it guards; those of every strategy where absent.
    #[serde(default)]
    pub strategy: Option<String>,
    /// In which instrument; in every one where absent.
    #[serde(default)]
    pub symbol: Option<String>,
    /// When it closes.
    pub rule: RuleConfig,
}

/// When a position is closed; see [`StopRule`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleConfig {
    /// At a distance against the entry.
    Fixed {
        /// In units of the price.
        distance: Decimal,
    },
    /// At a distance from the best price since the entry.
    Trailing {
        /// In units of the price.
        distance: Decimal,
    },
    /// At a multiple of the average true range from the best price since the entry.
    Atr {
        /// Multiple.
        multiple: Decimal,
        /// Bars of the average.
        period: u32,
        /// Length of a bar.
        bar_ns: DurationNs,
    },
    /// At a distance that is raised by a step for each step gained.
    Step {
        /// In units of the price.
        distance: Decimal,
        /// In units of the price.
        step: Decimal,
    },
    /// At the entry, plus an offset, once so much is gained.
    BreakEven {
        /// In units of the price.
        distance: Decimal,
        /// In units of the price.
        trigger: Decimal,
        /// In units of the price.
        offset: Decimal,
    },
    /// So long after the entry.
    Time {
        /// How long.
        after_ns: DurationNs,
    },
    /// When the position has lost this much.
    Equity {
        /// In the settlement currency.
        loss: Decimal,
    },
}

impl RuleConfig {
    /// The rule in the units of an instrument.
    ///
    /// # Errors
    /// When a figure is not positive or does not fit.
    pub fn rule(&self, instrument: &Instrument) -> Result<StopRule> {
        let half_ticks = |price: Decimal| {
            let count = libm::rint(price.to_f64() / instrument.tick().to_f64() * 2.0);
            count.clamp(-1e15, 1e15) as i64
        };
        let rule = match *self {
            Self::Fixed { distance } => StopRule::Fixed { distance2: half_ticks(distance) },
            Self::Trailing { distance } => StopRule::Trailing { distance2: half_ticks(distance) },
            Self::Atr { multiple, period, bar_ns } => {
                let multiple_milli = libm::rint(multiple.to_f64() * 1_000.0) as i64;
                StopRule::Atr { multiple_milli, period, bar_ns }
            }
            Self::Step { distance, step } => {
                StopRule::Step { distance2: half_ticks(distance), step2: half_ticks(step) }
            }
            Self::BreakEven { distance, trigger, offset } => StopRule::BreakEven {
                distance2: half_ticks(distance),
                trigger2: half_ticks(trigger),
                offset2: half_ticks(offset),
            },
            Self::Time { after_ns } => StopRule::Time { after_ns },
            Self::Equity { loss } => {
                let quanta = loss.to_scale(mainspring_core::money::MONEY_DECIMALS);
                StopRule::Equity { loss: quanta.unwrap_or(0) }
            }
        };
        rule.validate().map_err(|error| error.at(format!("stop of {}", instrument.symbol)))?;
        Ok(rule)
    }
}

/// A stop and what it guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Whose position.
    pub strategy: u16,
    /// Where.
    pub instrument: InstrumentId,
    /// The stop.
    pub stop: Stop,
    /// Whether the strategy asked for it in a callback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

/// Most stops of a run or session.
const MAX_GUARDS: usize = 4_096;

/// The stops of a run or session.
///
/// # Errors
/// When a stop names a strategy or symbol that is not there, or its figures cannot be.
pub fn guards(
    configs: &[StopConfig],
    instruments: &[Instrument],
    strategies: &[String],
) -> Result<Vec<Guard>> {
    let mut all = Vec::new();
    for config in configs {
        let before = all.len();
        for (strategy, name) in strategies.iter().enumerate() {
            for (index, instrument) in instruments.iter().enumerate() {
                let ours = config.strategy.as_ref().is_none_or(|wanted| wanted == name);
                let here = config.symbol.as_ref().is_none_or(|s| *s == instrument.symbol);
                if ours && here {
                    all.push(Guard {
                        strategy: strategy as u16,
                        instrument: InstrumentId(index as u16),
                        stop: Stop::new(config.rule.rule(instrument)?),
                        asked: false,
                    });
                }
            }
        }
        if all.len() == before {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "a stop guards nothing here: strategy {:?}, symbol {:?}",
                    config.strategy, config.symbol
                ),
            ));
        }
    }
    Ok(all)
}

fn same_kind(one: &StopRule, other: &StopRule) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

impl Kernel {
    /// Holds a stop that a strategy asked for, in place of one of the same kind; none of those with
    /// `None`. One that it asks for again as it is goes on as it was.
    #[cold]
    pub(crate) fn hold_stop(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        rule: Option<StopRule>,
    ) -> Result<()> {
        let own = |guard: &Guard| {
            guard.asked && (guard.strategy, guard.instrument) == (strategy, instrument)
        };
        let Some(rule) = rule else {
            self.guards.retain(|guard| !own(guard));
            return Ok(());
        };
        let same = |guard: &&mut Guard| own(guard) && same_kind(guard.stop.rule(), &rule);
        if let Some(guard) = self.guards.iter_mut().find(same) {
            if *guard.stop.rule() != rule {
                guard.stop = Stop::new(rule);
            }
        } else if self.guards.len() == MAX_GUARDS {
            return self.note(&format!("a stop was not set: {MAX_GUARDS} are held already"));
        } else {
            self.guards.push(Guard { strategy, instrument, stop: Stop::new(rule), asked: true });
        }
        self.watch_stops(instrument)
    }

    /// Takes up the stops of a snapshot: those that strategies asked for, and how far configured ones
    /// were where they are the same.
    pub(crate) fn restore_guards(&mut self, kept: &[Guard]) {
        let (asked, before): (Vec<Guard>, Vec<Guard>) = kept.iter().partition(|guard| guard.asked);
        if self.guards.len() == before.len() {
            self.guards = before;
        }
        self.guards.extend(asked);
    }

    /// Shows every stop of an instrument what became of its market and position.
    #[cold]
    pub(crate) fn watch_stops(&mut self, instrument: InstrumentId) -> Result<()> {
        for n in 0..self.guards.len() {
            let Guard { strategy, instrument: at, .. } = self.guards[n];
            if at != instrument {
                continue;
            }
            let seen = self.guarded(strategy, instrument);
            if self.guards[n].stop.update(self.now_ns, &seen) {
                self.stop_out(n, seen.position)?;
            }
        }
        Ok(())
    }

    /// Whether a stop of a position has said that it has to be closed.
    pub(crate) fn has_fired_stop(&self, strategy: u16, instrument: InstrumentId) -> bool {
        let of_it = |guard: &&Guard| (guard.strategy, guard.instrument) == (strategy, instrument);
        self.guards.iter().filter(of_it).any(|guard| guard.stop.has_fired())
    }

    /// Shows the stops that closed a position what became of it: one that is closed begins anew.
    pub(crate) fn follow_fired_stops(&mut self, strategy: u16, instrument: InstrumentId) {
        if !self.has_fired_stop(strategy, instrument) {
            return;
        }
        let (now_ns, seen) = (self.now_ns, self.guarded(strategy, instrument));
        for guard in &mut self.guards {
            let of_it = (guard.strategy, guard.instrument) == (strategy, instrument);
            if of_it && guard.stop.has_fired() {
                guard.stop.update(now_ns, &seen);
            }
        }
    }

    fn guarded(&self, strategy: u16, instrument: InstrumentId) -> Guarded {
        let market = &self.markets[instrument.index()];
        let held = self.ledger.position(strategy, instrument);
        let loss = match (held, market.valuation(), self.ledger.contract(instrument)) {
            (Some(held), Some(mark), Some(contract)) => {
                Money(-contract.unrealised(mark, held.lots, held.cost))
            }
            _ => Money::ZERO,
        };
        Guarded { position: held.map_or(Lots::ZERO, |held| held.lots), mid2: market.mid2(), loss }
    }

    /// The strategy's orders there are cancelled and its position is closed at the market. Followers
    /// find both in their records.
    fn stop_out(&mut self, guard: usize, position: Lots) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        let Guard { strategy, instrument, stop, .. } = self.guards[guard];
        let symbol = self.markets[instrument.index()].instrument.symbol.clone();
        self.note(&format!("{symbol}: stopped out of {position} lots by {:?}", stop.rule()))?;
        self.clear(strategy, instrument)?;
        self.close(strategy, instrument)
    }
}
