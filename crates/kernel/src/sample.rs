//! Samples of the account.

use mainspring_core::{InstrumentId, Result};
use mainspring_journal::{EquityRecord, PositionRecord};
use mainspring_trading::ledger::Statement;

use crate::kernel::Kernel;
use crate::recorder::position_record;

impl Kernel {
    /// Notes account and positions as they are now, and lets the gate judge the account.
    pub(crate) fn sample(&mut self) -> Result<()> {
        self.value_positions()?;
        for strategy in 0..self.strategies.len() as u16 {
            for index in 0..self.markets.len() {
                let record = self.position_of(strategy, InstrumentId(index as u16));
                self.recorder.position(&record)?;
            }
        }
        let statement = self.ledger.statement(&self.report_currency)?;
        self.recorder.equity(&equity_record(self.now_ns, &statement))?;
        if self.judging.is_some() {
            self.note_judged(statement.equity());
        }
        self.act_on_sample(statement.equity())?;
        self.sample_margin()
    }

    /// Values what is held at the prices of now.
    pub(crate) fn value_positions(&mut self) -> Result<()> {
        for market in &self.markets {
            if let Some(mark) = market.valuation() {
                if let Some(ink) = self.recorder.ink() {
                    ink.mark(self.now_ns, market.id, mark)?;
                }
                self.ledger.mark(market.id, mark);
            }
        }
        Ok(())
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
