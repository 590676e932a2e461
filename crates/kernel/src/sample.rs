//! Samples of the account, and the halt that a drawdown brings.

use mainspring_core::{InstrumentId, Money, Result};
use mainspring_journal::{EquityRecord, PositionRecord};
use mainspring_trading::ledger::Statement;

use crate::kernel::Kernel;
use crate::recorder::position_record;
use crate::session::Event;

impl Kernel {
    /// Notes account and positions as they are now, and halts trading on too deep a drawdown.
    pub(crate) fn sample(&mut self) -> Result<()> {
        for market in &self.markets {
            if let Some(mark) = market.valuation() {
                if let Some(ink) = self.recorder.ink() {
                    ink.mark(self.now_ns, market.id, mark)?;
                }
                self.ledger.mark(market.id, mark);
            }
        }
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                let record = self.position_of(strategy, InstrumentId(index as u16));
                self.recorder.position(&record)?;
            }
        }
        let statement = self.ledger.statement(&self.report_currency)?;
        self.recorder.equity(&equity_record(self.now_ns, &statement))?;
        self.watch_drawdown(statement.equity())
    }

    fn position_of(&self, strategy: u16, instrument: InstrumentId) -> PositionRecord {
        let mut record = position_record(self.now_ns, strategy, &self.markets[instrument.index()]);
        if let Some(position) = self.ledger.position(strategy, instrument) {
            record.position_lots = position.lots.0;
            record.realised = position.realised.into();
            record.fees = position.fees.into();
            record.funding = position.funding.into();
        }
        record.unrealised = self.ledger.unrealised(strategy, instrument).into();
        record
    }

    fn watch_drawdown(&mut self, equity: Money) -> Result<()> {
        let peak = self.peak_equity.map_or(equity, |peak| peak.max(equity));
        self.peak_equity = Some(peak);
        if self.gate.is_halted() || peak.0 <= 0 {
            return Ok(());
        }
        let fallen = (peak.0 - equity.0) / (peak.0 / 10_000).max(1);
        if fallen < i128::from(self.max_drawdown_bps) {
            return Ok(());
        }
        self.gate.halt();
        let cause = format!(
            "drawdown of {}.{:02} % reached the limit of {}.{:02} %",
            fallen / 100,
            fallen % 100,
            self.max_drawdown_bps / 100,
            self.max_drawdown_bps % 100
        );
        if let Some(ink) = self.recorder.ink() {
            ink.event(self.now_ns, &Event::Halted { cause: cause.clone() })?;
        }
        self.recorder.notice(
            self.now_ns,
            &format!("trading halted: {cause}; orders are cancelled, only reductions pass"),
        )?;
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                self.cancel_all(strategy, InstrumentId(index as u16))?;
            }
        }
        Ok(())
    }
}

fn equity_record(time_ns: i64, statement: &Statement) -> EquityRecord {
    EquityRecord {
        time_ns,
        equity: statement.equity().into(),
        realised: statement.realised.into(),
        unrealised: statement.unrealised.into(),
        fees: statement.fees.into(),
        funding: statement.funding.into(),
    }
}
