//! Two versions of a strategy that share its size, by a share that a command decides.
//!
//! The new version gets whole lots of each quantity that it asks for, rounded down; the old one gets
//! the rest of what it asks for. A change cancels what the version whose share shrinks has open, and
//! the other grows once that is gone: the two never have more open than one had.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{Error, ErrorKind, InstrumentId, Lots, Result, Side, TimeNs};
use mainspring_trading::execution::Level;
use mainspring_trading::orders::Order;
use serde::{Deserialize, Serialize};

use crate::intent::{Intent, Intents};
use crate::kernel::Kernel;
use crate::reasons::NO_SHARE;

/// A strategy of a session by its name, or by its place where names are not enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Which {
    /// Its place, from 0.
    Place(u16),
    /// Its name.
    Name(String),
}

impl Which {
    fn place(&self, names: &[String]) -> Option<u16> {
        match self {
            Self::Place(at) => Some(*at).filter(|at| usize::from(*at) < names.len()),
            Self::Name(name) => {
                let mut found = (0..).zip(names).filter(|(_, known)| *known == name);
                let first = found.next().map(|(at, _)| at);
                first.filter(|_| found.next().is_none())
            }
        }
    }
}

/// Two strategies of a session as one's versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// The version that is trusted.
    pub old: Which,
    /// The version that is tried.
    pub new: Which,
    /// Share of size that the new version has at first, in percent.
    #[serde(default)]
    pub percent: u8,
}

/// How far the new version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The version that is trusted.
    pub old: u16,
    /// The version that is tried.
    pub new: u16,
    /// Share of size that the new version has, in percent.
    pub percent: u8,
    /// The share before the last change.
    pub before: u8,
    /// The share that the session was started with.
    pub started_with: u8,
    /// When the share was changed last.
    pub changed_ns: TimeNs,
}

impl Rollout {
    /// The rollouts of a session, by the names of its strategies.
    ///
    /// # Errors
    /// When a name is not that of one strategy, a strategy is in two, or a share is above 100 %.
    pub(super) fn all(configs: &[RolloutConfig], names: &[String]) -> Result<Vec<Self>> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("rollout: {what}"));
        let place = |which: &Which| {
            which
                .place(names)
                .ok_or_else(|| wrong(format!("{which:?} is not one strategy; there are {names:?}")))
        };
        let mut all: Vec<Self> = Vec::with_capacity(configs.len());
        for config in configs {
            let (old, new, percent) = (place(&config.old)?, place(&config.new)?, config.percent);
            if percent > 100 || old == new {
                return Err(wrong(format!("{percent} % of {:?} to {:?}", config.old, config.new)));
            }
            let taken = |one: &Self| [one.old, one.new].iter().any(|s| *s == old || *s == new);
            if all.iter().any(taken) {
                return Err(wrong(format!("{:?} or {:?} is in another", config.old, config.new)));
            }
            let (before, started_with) = (percent, percent);
            all.push(Self { old, new, percent, before, started_with, changed_ns: TimeNs::MIN });
        }
        Ok(all)
    }

    /// The version whose share shrank last.
    const fn shrinking(&self) -> Option<u16> {
        if self.percent > self.before {
            Some(self.old)
        } else if self.percent < self.before {
            Some(self.new)
        } else {
            None
        }
    }
}

/// A version's part of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// The new version's share in percent.
    percent: u8,
    is_new: bool,
}

impl Part {
    /// Whole lots: of the new version rounded towards zero, of the old one the rest.
    const fn of(self, lots: i64) -> i64 {
        let share = lots as i128 * self.percent as i128 / 100;
        if self.is_new {
            share as i64
        } else {
            lots - share as i64
        }
    }

    /// Whether nothing is left of any quantity.
    const fn is_nothing(self) -> bool {
        matches!((self.is_new, self.percent), (true, 0) | (false, 100))
    }
}

impl Kernel {
    /// Another share of size for a new version, from now on.
    pub(super) fn set_rollout(&mut self, new: u16, percent: u8, reason: &str) -> Result<()> {
        let now_ns = self.now_ns;
        let rollouts = self.outside.as_mut().map(|outside| &mut outside.rollouts);
        let found = rollouts.and_then(|all| all.iter_mut().find(|one| one.new == new));
        let Some(rollout) = found.filter(|_| percent <= 100) else {
            return self.refuse_command(&format!(
                "the rollout stays: {percent} % to strategy {new}; give 0 to 100 % to the new \
                 version of one that the session was started with"
            ));
        };
        rollout.before = rollout.percent;
        rollout.percent = percent;
        rollout.changed_ns = now_ns;
        let shrinking = rollout.shrinking();
        if let Some(strategy) = shrinking {
            self.cancel_parents(|parent| parent.strategy == strategy)?;
            if !self.is_following() {
                for index in 0..self.markets.len() as u16 {
                    self.cancel_all(strategy, InstrumentId(index))?;
                }
            }
        }
        self.note(&format!("strategy {new} has {percent} % of the size from now on: {reason}"))
    }

    /// What a version has of the quantities that it asks for; `None` for a strategy that shares none.
    fn part_of(&self, strategy: u16) -> Option<Part> {
        let outside = self.outside.as_ref()?;
        let rollout =
            outside.rollouts.iter().find(|one| one.old == strategy || one.new == strategy)?;
        let is_new = rollout.new == strategy;
        let waits = rollout.shrinking().is_some_and(|shrinking| {
            shrinking != strategy && self.has_open_since(shrinking, rollout.changed_ns)
        });
        let percent = if waits { rollout.before } else { rollout.percent };
        Some(Part { percent, is_new })
    }

    fn has_open_since(&self, strategy: u16, until_ns: TimeNs) -> bool {
        (0..self.markets.len() as u16).any(|index| {
            let mut live = self.orders.live(strategy, InstrumentId(index));
            live.any(|order| order.created_ns <= until_ns)
        })
    }

    /// Cuts the wishes of a version to its share. One without any may still reduce what it holds.
    #[cold]
    pub(crate) fn share_wishes(&mut self, strategy: u16, wishes: &mut Intents) -> Result<()> {
        let Some(part) = self.part_of(strategy) else { return Ok(()) };
        for n in (0..wishes.as_slice().len()).rev() {
            match wishes.as_slice()[n] {
                Intent::Quote { instrument, first, bids, asks, flags } => {
                    let quote = (first, bids, asks, flags);
                    let left = self.share_quote(strategy, instrument, part, quote, wishes);
                    wishes.replace(n, left);
                }
                Intent::Target { instrument, position, price } => {
                    let position = Lots(part.of(position.0));
                    wishes.replace(n, Intent::Target { instrument, position, price });
                }
                Intent::Place { id, terms } => match self.share_order(strategy, part, &terms) {
                    Some(terms) => wishes.replace(n, Intent::Place { id, terms }),
                    None => {
                        wishes.remove(n);
                        if !self.is_following() {
                            self.refuse_for(
                                &Order::new(id, strategy, terms, self.now_ns),
                                NO_SHARE,
                            )?;
                        }
                    }
                },
                Intent::Amend { id, price, qty } => {
                    let wish = match part.of(qty.0) {
                        0 => Intent::Cancel(id),
                        lots => Intent::Amend { id, price, qty: Lots(lots) },
                    };
                    wishes.replace(n, wish);
                }
                Intent::Execute { terms, .. } => {
                    let left = wishes.share_parent(terms, |lots| part.of(lots));
                    if !left {
                        wishes.remove(n);
                        self.note("a parent order has nothing left of its size in this version")?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lots of a strategy's position that an order of a side takes away.
    fn reducible(&self, strategy: u16, instrument: InstrumentId, side: Side) -> i64 {
        let held = self.ledger.position(strategy, instrument).map_or(0, |held| held.lots.0);
        (-held * side.sign()).max(0)
    }

    fn share_order(&self, strategy: u16, part: Part, terms: &OrderTerms) -> Option<OrderTerms> {
        let mut terms = *terms;
        terms.display = Lots(part.of(terms.display.0));
        if part.is_nothing() {
            let most = self.reducible(strategy, terms.instrument, terms.side);
            terms.qty = Lots(terms.qty.0.min(most));
            terms.flags = terms.flags.with(OrderFlags::REDUCE_ONLY);
        } else {
            terms.qty = Lots(part.of(terms.qty.0));
        }
        (terms.qty.0 > 0).then_some(terms)
    }

    fn share_quote(
        &self,
        strategy: u16,
        instrument: InstrumentId,
        part: Part,
        (first, bids, asks, flags): (u16, u16, u16, OrderFlags),
        wishes: &mut Intents,
    ) -> Intent {
        let nothing = part.is_nothing();
        let mut kept = [0_u16; 2];
        let mut write = first;
        for (side, from, count) in [(Side::Buy, first, bids), (Side::Sell, first + bids, asks)] {
            let mut most = self.reducible(strategy, instrument, side);
            for at in from..from + count {
                let Some(level) = wishes.level(at) else { continue };
                let lots = if nothing { level.qty.0.min(most) } else { part.of(level.qty.0) };
                if lots > 0 {
                    most -= lots;
                    wishes.set_level(write, Level { qty: Lots(lots), ..level });
                    write += 1;
                    kept[side as usize] += 1;
                }
            }
        }
        let flags = if nothing { flags.with(OrderFlags::REDUCE_ONLY) } else { flags };
        Intent::Quote { instrument, first, bids: kept[0], asks: kept[1], flags }
    }

    /// Takes up how far rollouts were, where the session is not started with other shares.
    pub(super) fn restore_rollouts(&mut self, kept: &[Rollout]) {
        let Some(outside) = &mut self.outside else { return };
        for rollout in &mut outside.rollouts {
            let same = |one: &&Rollout| {
                (one.old, one.new, one.started_with)
                    == (rollout.old, rollout.new, rollout.started_with)
            };
            if let Some(before) = kept.iter().find(same) {
                *rollout = *before;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_whole_lots_and_make_the_whole(lots in -1_000_000_000_i64..1_000_000_000,
            percent in 0_u8..=100)
        {
            let (new, old) = (Part { percent, is_new: true }, Part { percent, is_new: false });
            prop_assert_eq!(new.of(lots) + old.of(lots), lots);
            prop_assert!(new.of(lots).abs() * 100 <= lots.abs() * i64::from(percent));
            prop_assert!(new.of(lots).abs() * 100 > lots.abs() * i64::from(percent) - 100);
        }
    }

    #[test]
    fn a_strategy_is_in_one_rollout_only() {
        let names = ["a", "b", "c", "c"].map(str::to_owned);
        let of = |old: &str, new: &str, percent| RolloutConfig {
            old: Which::Name(old.into()),
            new: Which::Name(new.into()),
            percent,
        };
        let all = Rollout::all(&[of("a", "b", 10)], &names).unwrap();
        assert_eq!((all[0].old, all[0].new, all[0].percent), (0, 1, 10));
        for wrong in [
            vec![of("a", "x", 0)],
            vec![of("a", "c", 0)],
            vec![of("a", "a", 0)],
            vec![of("a", "b", 101)],
            vec![of("a", "b", 0), of("b", "a", 0)],
        ] {
            assert!(Rollout::all(&wrong, &names).is_err(), "{wrong:?}");
        }
    }
}
