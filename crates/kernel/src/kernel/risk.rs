//! The gate in the kernel: what it is told, and what is done about what it says.

use mainspring_core::order::OrderTerms;
use mainspring_core::{InstrumentId, Lots, Money, Result, TimeNs};
use mainspring_trading::orders::{Moved, Order, OrderEvent, Purpose};
use mainspring_trading::risk::{HaltCause, Proposal, Requested, Rung, Situation, Verdict};

use crate::session::mutant::{is_planted, Mutant};
use crate::session::Event;

use super::Kernel;

/// Refusals that are told in full; the rest are counted, and each keeps its reason in the log.
const TOLD_REFUSALS: u64 = 100;

impl Kernel {
    /// The market of an instrument and the engine as the gate sees them.
    #[inline]
    pub(super) fn situation(&self, instrument: InstrumentId) -> Situation {
        let market = &self.markets[instrument.index()];
        Situation {
            now_ns: self.now_ns,
            market_ns: market.updated_ns,
            mid2: market.mid2().unwrap_or(0),
            live_orders: self.orders.live_count(),
            replaces: Lots::ZERO,
            urgent: false,
        }
    }

    /// Does what is due in the gate: a new day, hours, breakers, values of positions.
    #[cold]
    pub(super) fn wake_gate(&mut self) {
        let Self { gate, markets, ledger, report_currency, now_ns, .. } = self;
        gate.wake(*now_ns, None, &|instrument| {
            let mark = markets[instrument.index()].mark()?;
            let value = ledger.contract(instrument)?.value_at(mark, Lots(1)).abs();
            ledger.settled_in(Money(value), instrument, report_currency).map(|m| m.0)
        });
    }

    /// Tells people why an order was refused, limit by limit.
    #[cold]
    pub(super) fn tell_refusal(&mut self, order: &Order, at: &Situation) -> Result<()> {
        if self.recorder.counts.risk_rejects >= TOLD_REFUSALS {
            return Ok(());
        }
        let mut text = format!("order {} refused by risk", order.id.0);
        let mut first = true;
        self.gate.explain(order.strategy, &order.terms, at, &mut |failure| {
            text.push_str(if first { ": " } else { "; " });
            text.push_str(&failure.to_string());
            first = false;
        });
        self.recorder.notice(self.now_ns, &text)
    }

    /// Asks the validator, unless the engine closes in an emergency.
    #[cold]
    pub(super) fn is_validated(&mut self, order: &Order, at: &Situation) -> bool {
        let (strategy, terms, now_ns) = (order.strategy, order.terms, self.now_ns);
        let proposal = Proposal { order: order.id, strategy, terms, now_ns };
        match &mut self.validator {
            Some(validator) if !at.urgent => validator.validate(&proposal),
            _ => true,
        }
    }

    /// A step of an order, as rates and breakers count it.
    #[inline]
    pub(crate) fn count_step(&mut self, moved: &Moved, event: OrderEvent, now_ns: TimeNs) {
        let order = self.orders.at(*moved);
        let (strategy, instrument) = (order.strategy, order.terms.instrument);
        self.count_request(strategy, instrument, event, now_ns);
    }

    /// As [`Self::count_step`] while a journal is followed.
    pub(crate) fn count_step_of(&mut self, order: &Order, event: OrderEvent, now_ns: TimeNs) {
        self.count_request(order.strategy, order.terms.instrument, event, now_ns);
    }

    #[inline]
    fn count_request(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        event: OrderEvent,
        now_ns: TimeNs,
    ) {
        let what = match event {
            OrderEvent::Submit => Requested::Order,
            OrderEvent::CancelRequested => Requested::Cancel,
            OrderEvent::ReplaceRequested { .. } => Requested::Amend,
            // Silence counts against a venue as a refusal does.
            OrderEvent::Timeout => {
                self.gate.failed(strategy, instrument, now_ns);
                return;
            }
            _ => return,
        };
        if !is_planted(Mutant::ForgetsRates) {
            self.gate.requested(strategy, instrument, what, now_ns);
        }
    }

    /// Places an order that closes in an emergency, past every limit but its own sense.
    pub(crate) fn place_urgent(&mut self, strategy: u16, terms: OrderTerms) -> Result<()> {
        let id = self.intents_id();
        let mut at = self.situation(terms.instrument);
        at.urgent = true;
        self.place_at(strategy, id, &terms, Purpose::Explicit, &at)
    }

    /// What the account is worth before anything happened: where falls and losses count from.
    pub(super) fn open_account(&mut self) {
        // A copy: asking for a currency notes its first rate, which is for samples to do.
        if let Ok(statement) = self.ledger.clone().statement(&self.report_currency) {
            self.judge(statement.equity());
        }
    }

    /// Lets the gate judge a sample of the account.
    pub(crate) fn judge(&mut self, equity: Money) -> Verdict {
        let Self { gate, ledger, report_currency, now_ns, .. } = self;
        gate.sampled(*now_ns, equity, &|strategy, instrument| {
            ledger.settled_in(ledger.made(strategy, instrument), instrument, report_currency)
        })
    }

    /// Judges a sample, and does what has to be done about it.
    pub(crate) fn act_on_sample(&mut self, equity: Money) -> Result<()> {
        let verdict = self.judge(equity);
        if self.is_following() || (verdict.rung == verdict.from && verdict.halt.is_none()) {
            return Ok(());
        }
        self.carry_out_verdict(&verdict)
    }

    /// What samples mean for margin: sessions look at it then, and simulated venues are told.
    pub(crate) fn sample_margin(&mut self) -> Result<()> {
        if self.margins.is_none() || self.is_following() {
            return Ok(());
        }
        self.bound_venues_by_margin()?;
        self.watch_margin()
    }

    #[cold]
    fn carry_out_verdict(&mut self, verdict: &Verdict) -> Result<()> {
        let fallen = format!("{}.{:02} %", verdict.fallen_bps / 100, verdict.fallen_bps % 100);
        if verdict.rung < Rung::Close && verdict.rung != verdict.from {
            let text = match verdict.rung {
                Rung::Reduce => "new orders are smaller",
                Rung::Stop => "nothing may add to a position",
                _ => "trading as before",
            };
            self.recorder.notice(self.now_ns, &format!("drawdown of {fallen}: {text}"))?;
        }
        match verdict.halt {
            None => Ok(()),
            Some(HaltCause::Drawdown) => {
                let text = format!("drawdown of {fallen} reached the limit");
                self.halt(HaltCause::Drawdown, &text)?;
                if verdict.rung == Rung::Shutdown {
                    self.shut_down(&format!("shut down: drawdown of {fallen}"))?;
                }
                self.closes_all = true;
                self.flatten()
            }
            Some(cause) => self.halt_if(Some(cause)),
        }
    }

    /// Halts when there is a cause.
    #[inline]
    pub(super) fn halt_if(&mut self, cause: Option<HaltCause>) -> Result<()> {
        match cause {
            None => Ok(()),
            Some(_) if self.is_following() => Ok(()),
            Some(cause) => self.halt(cause, &format!("{cause} reached its limit")),
        }
    }

    /// The engine halts trading by itself: nothing that adds passes, and every order is cancelled.
    #[cold]
    pub(crate) fn halt(&mut self, cause: HaltCause, text: &str) -> Result<()> {
        self.gate.halt(cause);
        if let Some(ink) = self.recorder.ink() {
            ink.event(self.now_ns, &Event::Halted { cause, text: text.to_owned() })?;
        }
        self.recorder.notice(
            self.now_ns,
            &format!("trading halted: {text}; orders are cancelled, only reductions pass"),
        )?;
        self.cancel_everything()
    }

    fn shut_down(&mut self, text: &str) -> Result<()> {
        for strategy in 0..self.strategies.len() as u16 {
            if self.strategies[usize::from(strategy)].failure.is_none() {
                self.fail(strategy, text.to_owned())?;
            }
        }
        Ok(())
    }
}
