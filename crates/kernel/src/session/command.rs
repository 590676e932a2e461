//! What a person or the supervisor tells a session to do.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{InstrumentId, Lots, Result, Side};
use mainspring_trading::orders::Purpose;
use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;

/// A command. Each is journaled before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        match command {
            Command::Kill { cause, flatten } => self.kill(cause, *flatten),
            Command::Rearm { reason } => {
                self.gate.rearm();
                self.note(&format!("trading allowed again: {reason}"))
            }
            Command::CancelAll => self.cancel_everything(),
            Command::Flatten => self.flatten(),
            Command::StopStrategy { strategy, cause } => {
                if usize::from(*strategy) >= self.strategies.len() {
                    return self.note(&format!("there is no strategy {strategy} to stop"));
                }
                self.fail(*strategy, cause.clone())
            }
        }
    }

    fn kill(&mut self, cause: &str, flatten: bool) -> Result<()> {
        self.gate.halt();
        self.note(&format!("trading halted: {cause}"))?;
        self.cancel_everything()?;
        if flatten {
            self.flatten()?;
        }
        Ok(())
    }

    pub(crate) fn cancel_everything(&mut self) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                self.cancel_all(strategy, InstrumentId(index as u16))?;
            }
        }
        Ok(())
    }

    /// Sends a reduce-only market order for each position.
    fn flatten(&mut self) -> Result<()> {
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

    fn close(&mut self, strategy: u16, instrument: InstrumentId) -> Result<()> {
        let held = self.ledger.position(strategy, instrument).map_or(Lots::ZERO, |p| p.lots);
        if held == Lots::ZERO {
            return Ok(());
        }
        let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
        let mut terms = OrderTerms::market(instrument, side, Lots(held.0.abs()));
        terms.flags = OrderFlags::REDUCE_ONLY;
        let id = self.intents.next_id();
        self.place(strategy, id, terms, Purpose::Explicit)
    }

    /// Tells people something, unless the journal is being followed.
    pub(crate) fn note(&mut self, text: &str) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        self.recorder.notice(self.now_ns, text)
    }
}
