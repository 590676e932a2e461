//! What a person or the supervisor tells a session to do.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{InstrumentId, Lots, Result, Side};
use mainspring_features::MicropriceTable;
use mainspring_trading::execution::reconcile::ReconcileConfig;
use mainspring_trading::risk::{HaltCause, LimitTree};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kernel::Kernel;

use super::changed::Parameters;
use super::outside::{ForeignOrders, Patience};

/// Most orders that closing one position takes at once.
const MAX_SLICES: usize = 64;

/// A command. Each is journaled before it is carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// No new orders from now on, and every open one is cancelled; positions stay. Never undone by
    /// itself.
    Kill {
        /// Why.
        cause: String,
        /// Whether positions are closed at the market as well.
        flatten: bool,
    },
    /// Lifts the halt that a kill or a drawdown brought. A person's decision, with the reason kept.
    Rearm {
        /// Why it is safe to trade again.
        reason: String,
    },
    /// Cancels every open order; strategies go on.
    CancelAll,
    /// Closes every position at the market.
    Flatten,
    /// Other limits from now on. Tightening needs no reason.
    SetLimits {
        /// All of them: what is not in the tree is not limited any more.
        limits: Box<LimitTree>,
        /// Why it is safe; needed when any limit is looser than before.
        reason: String,
    },
    /// Other values of some parameters of a strategy; the others stay as they are.
    SetParameters {
        /// Which.
        strategy: u16,
        /// Values by name.
        parameters: Parameters,
        /// What the session was started with; the journal has it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        started_with: Value,
    },
    /// Other rules between wishes and orders, with their rate budgets; wishes are carried out as
    /// they are without any.
    SetExecution {
        /// All of them.
        rules: Option<Box<ReconcileConfig>>,
        /// What the session was started with; the journal has it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        started_with: Value,
    },
    /// Other waits for answers, and another policy for orders that were not placed here.
    SetWaits {
        /// All of them.
        patience: Patience,
        /// The policy.
        foreign: ForeignOrders,
        /// What the session was started with; the journal has it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        started_with: Value,
    },
    /// Another fitted model in the place of one that a feature has, from the next event on.
    SwapModel {
        /// The feature, by its name in the chain.
        feature: String,
        /// The model.
        model: Box<MicropriceTable>,
        /// What the model is told by: a hash of what it was fitted to, or of its file.
        hash: String,
        /// What the session was started with; the journal has it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        started_with: Value,
    },
    /// Another share of size for the new version of a strategy.
    SetRollout {
        /// The new version.
        strategy: u16,
        /// Its share in percent.
        percent: u8,
        /// Why.
        reason: String,
    },
    /// Another version of a strategy takes its place, with its state, orders and positions.
    ReplaceStrategy {
        /// Which.
        strategy: u16,
        /// Which replacement of this session it is.
        version: u32,
        /// What it is and where to find it again, as in the sources of a journal.
        code: Value,
    },
    /// A replacement could not take over: the version before it goes on.
    ReplacementFailed {
        /// Of which strategy.
        strategy: u16,
        /// Which replacement.
        version: u32,
        /// Why.
        cause: String,
    },
    /// Stops one strategy and cancels its orders.
    StopStrategy {
        /// Which.
        strategy: u16,
        /// Why.
        cause: String,
    },
}

impl Kernel {
    /// Carries a command out. While following, only what it means for the state: the orders that
    /// came of it are in the journal.
    pub(crate) fn command(&mut self, command: &Command) -> Result<()> {
        if self.is_following() && !self.still_holds(command) {
            return Ok(());
        }
        match command {
            Command::Kill { cause, flatten } => self.kill(cause, *flatten),
            Command::Rearm { reason } => {
                self.gate.rearm();
                self.closes_all = false;
                self.note(&format!("trading allowed again: {reason}"))
            }
            Command::SetLimits { limits, reason } => self.set_limits(limits, reason),
            Command::CancelAll => self.cancel_everything(),
            Command::Flatten => self.flatten(),
            Command::SetParameters { strategy, parameters, .. } => {
                self.set_parameters(*strategy, parameters)
            }
            Command::SetExecution { rules, .. } => self.set_execution(rules.as_deref()),
            Command::SetWaits { patience, foreign, .. } => self.set_waits(patience, foreign),
            Command::SwapModel { feature, model, hash, .. } => {
                self.swap_model(feature, model, hash)
            }
            Command::SetRollout { strategy, percent, reason } => {
                self.set_rollout(*strategy, *percent, reason)
            }
            Command::ReplaceStrategy { strategy, version, code } => {
                let code = code["code"].as_str().unwrap_or("unknown code");
                let code = code.get(..12).unwrap_or(code);
                self.note(&format!("strategy {strategy}: replacement {version} ({code})"))
            }
            Command::ReplacementFailed { strategy, version, cause } => self.note(&format!(
                "strategy {strategy}: replacement {version} could not take over, the version \
                 before it goes on: {cause}"
            )),
            Command::StopStrategy { strategy, cause } => {
                if usize::from(*strategy) >= self.strategies.len() {
                    return self
                        .refuse_command(&format!("there is no strategy {strategy} to stop"));
                }
                self.fail(*strategy, cause.clone())
            }
        }
    }

    /// Limits that cannot be are refused; those before go on.
    fn set_limits(&mut self, limits: &LimitTree, reason: &str) -> Result<()> {
        // Margin bounds leverage whatever the limits are.
        let bounded = match &self.margins {
            Some(margins) => margins.bound(limits)?,
            None => limits.clone(),
        };
        match self.gate.reconfigure(&bounded, reason) {
            Ok(()) => self.note(&format!("limits changed: {reason}")),
            Err(error) => self.refuse_command(&format!("limits stay as they are: {error}")),
        }
    }

    fn kill(&mut self, cause: &str, flatten: bool) -> Result<()> {
        self.gate.halt(HaltCause::of(cause));
        self.closes_all |= flatten;
        self.note(&format!("trading halted: {cause}"))?;
        self.cancel_everything()?;
        if flatten {
            self.flatten()?;
        }
        Ok(())
    }

    pub(crate) fn cancel_everything(&mut self) -> Result<()> {
        self.cancel_parents(|_| true)?;
        if self.is_following() {
            return Ok(());
        }
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                self.clear(strategy, InstrumentId(index as u16))?;
            }
        }
        Ok(())
    }

    /// Tells strategies of the end and cancels what is open. What they ask for afterwards is refused, but
    /// what only reduces, which does not stay open either.
    pub(crate) fn stop_and_cancel(&mut self) -> Result<()> {
        self.cancels_at_end = true;
        self.stop()?;
        self.cancel_everything()
    }

    /// Carries out what a strategy elsewhere asked for: at the end it may have been on its way already.
    pub(crate) fn carry_out_elsewhere(&mut self, strategy: u16) -> Result<()> {
        self.carry_out(strategy)?;
        self.cancel_at_end()
    }

    /// Cancels what strategies asked for after the end.
    #[inline]
    pub(crate) fn cancel_at_end(&mut self) -> Result<()> {
        if self.cancels_at_end {
            self.cancel_everything()?;
        }
        Ok(())
    }

    /// Sends a reduce-only market order for what of each position is not being closed already.
    pub(crate) fn flatten(&mut self) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                self.close(strategy, InstrumentId(index as u16))?;
            }
        }
        Ok(())
    }

    pub(crate) fn close(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        let held = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        if held == Lots::ZERO {
            return Ok(());
        }
        let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
        let mut left = held.0.abs() - self.being_closed(strategy, instrument, side);
        let most = self.gate.max_order(strategy, instrument).0;
        // Slices of what one order may be; what this many do not close waits for the next call.
        for _ in 0..MAX_SLICES {
            if left <= 0 {
                break;
            }
            let mut terms = OrderTerms::market(instrument, side, Lots(left.min(most)));
            terms.flags = OrderFlags::REDUCE_ONLY;
            left -= terms.qty.0;
            self.place_urgent(strategy, terms)?;
        }
        Ok(())
    }

    /// Tells people something, unless the journal is being followed.
    pub(crate) fn note(&mut self, text: &str) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        self.recorder.notice(self.now_ns, text)
    }
}
