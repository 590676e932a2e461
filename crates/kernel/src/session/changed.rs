//! What commands changed while a session ran, over what it was started with.
//!
//! A restart is given a configuration of its own. What a command changed outlives it only where that
//! configuration still says what it said before the command: a value that a person changed in the
//! meantime is newer.

use std::collections::BTreeMap;

use mainspring_core::Result;
use mainspring_features::MicropriceTable;
use mainspring_trading::execution::reconcile::ReconcileConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kernel::{Kernel, Rounds};

use super::command::Command;
use super::outside::{ForeignOrders, Patience};

/// Parameters of a strategy by name.
pub type Parameters = Map<String, Value>;

/// A value that a command put in the place of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Over<T> {
    /// What the session was started with.
    pub started_with: T,
    /// What holds.
    pub now: T,
}

impl<T: Clone + PartialEq> Over<T> {
    /// Notes another value; `started_with` counts for the first change only.
    fn set(over: &mut Option<Self>, started_with: &T, now: T) {
        let started_with = match over.take() {
            Some(before) => before.started_with,
            None => started_with.clone(),
        };
        *over = Some(Self { started_with, now });
    }

    /// What goes on to hold in a session that was started with `started_with`.
    fn kept(over: Option<&Self>, started_with: &T) -> Option<T> {
        over.filter(|over| over.started_with == *started_with).map(|over| over.now.clone())
    }
}

/// Everything that commands changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changed {
    /// Rules of execution.
    pub reconcile: Option<Over<Option<ReconcileConfig>>>,
    /// Waits for answers.
    pub patience: Option<Over<Patience>>,
    /// What is done with orders of others.
    pub foreign: Option<Over<ForeignOrders>>,
    /// Models of features, by the name of the feature.
    pub models: BTreeMap<String, Over<MicropriceTable>>,
    /// Parameters of strategies that the engine makes.
    pub parameters: BTreeMap<u16, Over<Parameters>>,
}

impl Command {
    const fn started_with_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::SetParameters { started_with, .. }
            | Self::SetExecution { started_with, .. }
            | Self::SwapModel { started_with, .. }
            | Self::SetWaits { started_with, .. } => Some(started_with),
            _ => None,
        }
    }
}

/// What a session was started with, of what commands change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Started {
    pub(crate) reconcile: Option<ReconcileConfig>,
    pub(crate) patience: Patience,
    pub(crate) foreign: ForeignOrders,
}

impl Kernel {
    /// Other values of some parameters of a strategy. One that runs elsewhere finds them in the
    /// journal, where whoever states them has checked them.
    pub(super) fn set_parameters(&mut self, strategy: u16, values: &Parameters) -> Result<()> {
        let Some(slot) = self.strategies.get(usize::from(strategy)) else {
            return self.refuse_command(&format!("there is no strategy {strategy}"));
        };
        let (before, instrument) = (slot.host.parameters(), slot.instrument);
        let name = slot.host.name().to_owned();
        let taken = self.show(strategy, instrument, |host, view| host.set_parameters(view, values));
        self.intents.clear();
        if let Err(failure) = taken {
            if self.is_following() {
                // Elsewhere, and the journal says that it was taken.
                return self.fail(strategy, failure.message);
            }
            return self.refuse_command(&format!("parameters stay: {}", failure.message));
        }
        let after = self.strategies[usize::from(strategy)].host.parameters();
        if let (Some(outside), Some(before), Some(after)) = (&mut self.outside, before, after) {
            let all = &mut outside.changed.parameters;
            let mut over = all.remove(&strategy);
            Over::set(&mut over, &before, after);
            all.extend(over.map(|over| (strategy, over)));
        }
        self.note(&format!("{name}: parameters {}", Value::Object(values.clone())))
    }

    /// Another fitted model in the place of one that a feature has.
    pub(super) fn swap_model(
        &mut self,
        feature: &str,
        model: &MicropriceTable,
        hash: &str,
    ) -> Result<()> {
        let before = self.markets.first().and_then(|one| one.features.microprice(feature).cloned());
        for market in &mut self.markets {
            if let Err(why) = market.features.set_microprice(feature, model) {
                return self.refuse_command(&format!("the model stays: {why}"));
            }
        }
        if let (Some(outside), Some(before)) = (&mut self.outside, before) {
            let all = &mut outside.changed.models;
            let mut over = all.remove(feature);
            Over::set(&mut over, &before, model.clone());
            all.extend(over.map(|over| (feature.to_owned(), over)));
        }
        self.note(&format!("{feature}: another model from now on, {hash}"))
    }

    /// Features that were made anew, as after a restart, have the models that commands gave them.
    pub(super) fn keep_models(&mut self) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        for (feature, over) in &outside.changed.models {
            for market in &mut self.markets {
                market.features.set_microprice(feature, &over.now)?;
            }
        }
        Ok(())
    }

    /// Other rules between wishes and orders from now on; none with `None`.
    pub(super) fn set_execution(&mut self, rules: Option<&ReconcileConfig>) -> Result<()> {
        let made = rules.map(|rules| Rounds::new(rules, &self.markets, self.strategies.len()));
        let made = match made.transpose() {
            Ok(made) => made,
            Err(why) => return self.refuse_command(&format!("the rules of execution stay: {why}")),
        };
        let before = std::mem::replace(&mut self.rounds, made.map(Box::new));
        let mut held = Vec::new();
        match (&mut self.rounds, before) {
            (Some(now), Some(before)) => now.take_over(*before, self.now_ns),
            (Some(now), None) => now.begin_budgets(&[], self.now_ns),
            (None, before) => held = before.map_or_else(Vec::new, |mut rounds| rounds.take_held()),
        }
        if let Some(outside) = &mut self.outside {
            let started = &outside.started.reconcile;
            Over::set(&mut outside.changed.reconcile, started, rules.cloned());
        }
        if !self.is_following() {
            held.retain(|(_, id)| self.orders.get(*id).is_some());
            held.iter().try_for_each(|(strategy, id)| self.cancel(*strategy, *id))?;
        }
        self.note("other rules of execution from now on")
    }

    /// Other waits for answers, and another policy for orders of others. Requests that wait already
    /// do so as they began.
    pub(super) fn set_waits(&mut self, patience: &Patience, foreign: &ForeignOrders) -> Result<()> {
        if let Err(why) = patience.validate() {
            return self.refuse_command(&format!("waits stay as they are: {why}"));
        }
        if let Err(why) = self.check_owner(foreign) {
            return self.refuse_command(&format!("waits stay as they are: {why}"));
        }
        if let Some(outside) = &mut self.outside {
            outside.patience = *patience;
            outside.foreign = foreign.clone();
            let started = &outside.started;
            Over::set(&mut outside.changed.patience, &started.patience, *patience);
            Over::set(&mut outside.changed.foreign, &started.foreign, foreign.clone());
        }
        self.note("other waits for answers from now on")
    }

    /// What the session was started with, of what a command changes.
    fn started_with(&self, command: &Command) -> Value {
        let Some(outside) = &self.outside else { return Value::Null };
        let started = &outside.started;
        let told = match command {
            Command::SetParameters { strategy, .. } => {
                let over = outside.changed.parameters.get(strategy);
                let slot = self.strategies.get(usize::from(*strategy));
                let now = || slot.and_then(|slot| slot.host.parameters());
                over.map(|over| over.started_with.clone()).or_else(now).map(Value::Object)
            }
            Command::SwapModel { feature, .. } => {
                let over = outside.changed.models.get(feature);
                let first = self.markets.first();
                let now = || first.and_then(|one| one.features.microprice(feature).cloned());
                let told = over.map(|over| over.started_with.clone()).or_else(now);
                told.and_then(|told| serde_json::to_value(told).ok())
            }
            Command::SetExecution { .. } => serde_json::to_value(&started.reconcile).ok(),
            Command::SetWaits { .. } => {
                serde_json::to_value((&started.patience, &started.foreign)).ok()
            }
            _ => None,
        };
        told.map_or(Value::Null, |told| serde_json::json!([told]))
    }

    /// A command as the journal has it: with what it changes.
    pub(super) fn as_journaled(&self, command: &Command) -> Command {
        let mut command = command.clone();
        let now = self.started_with(&command);
        if let Some(started_with) = command.started_with_mut() {
            *started_with = now;
        }
        command
    }

    /// Whether a command of the journal still holds: not where what it changed was given anew since.
    pub(super) fn still_holds(&self, command: &Command) -> bool {
        let now = self.started_with(command);
        let kept = command.clone().started_with_mut().map(std::mem::take);
        kept.is_none_or(|kept| kept.is_null() || now.is_null() || kept == now)
    }

    /// A command that cannot be carried out: it changes nothing, and whoever gave it is told.
    pub(super) fn refuse_command(&mut self, why: &str) -> Result<()> {
        if let Some(outside) = &mut self.outside {
            outside.refused = Some(why.to_owned());
        }
        self.note(why)
    }

    /// Takes up what commands changed before a restart, as far as it still stands.
    pub(super) fn restore_changed(&mut self, changed: &Changed) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let Started { reconcile, patience, foreign } = outside.started.clone();
        if let Some(rules) = Over::kept(changed.reconcile.as_ref(), &reconcile) {
            self.set_execution(rules.as_ref())?;
        }
        let waits = Over::kept(changed.patience.as_ref(), &patience);
        let policy = Over::kept(changed.foreign.as_ref(), &foreign);
        if waits.is_some() || policy.is_some() {
            self.set_waits(&waits.unwrap_or(patience), &policy.unwrap_or(foreign))?;
        }
        for (feature, over) in &changed.models {
            let first = self.markets.first();
            let started_with = first.and_then(|one| one.features.microprice(feature).cloned());
            if let Some(now) = started_with.and_then(|with| Over::kept(Some(over), &with)) {
                self.swap_model(feature, &now, "as before the restart")?;
            }
        }
        for (strategy, over) in &changed.parameters {
            let slot = self.strategies.get(usize::from(*strategy));
            let started_with = slot.and_then(|slot| slot.host.parameters());
            if let Some(now) = started_with.and_then(|with| Over::kept(Some(over), &with)) {
                self.set_parameters(*strategy, &now)?;
            }
        }
        Ok(())
    }
}
