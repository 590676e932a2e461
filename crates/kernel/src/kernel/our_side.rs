//! Our side of the feed: rows and bars reach us, features follow, strategies are told.

use mainspring_core::event::{BarRow, MarketRow, OrderRow, RowKind};
use mainspring_core::{InstrumentId, Result, Ticks, TimeNs};

use crate::host::BookTrigger;
use crate::market::{Changes, Market};

use super::calls::Call;
use super::{Kernel, Timer};

impl Kernel {
    /// Rows of one message that reach us, up to its end or that of `rows`; returns how many.
    #[inline]
    pub(crate) fn local_rows(
        &mut self,
        instrument: InstrumentId,
        rows: &[MarketRow],
        base: Ticks,
        changes: &mut Changes,
    ) -> usize {
        let mut used = 0;
        while used < rows.len() {
            let market = &mut self.markets[instrument.index()];
            let (depth, ended) = apply_depth(market, &rows[used..], base);
            used += depth;
            changes.book |= depth > 0;
            if ended {
                break;
            }
            let Some(row) = rows.get(used) else { break };
            used += 1;
            market.apply(row, base, changes);
            if row.kind == RowKind::Trade as u8 {
                self.note_trade(instrument);
            } else if row.kind == RowKind::Funding as u8 {
                changes.funding = Some(row.qty_lots);
            }
            if row.ends_message() {
                break;
            }
        }
        self.recorder.counts.rows += used as u64;
        used
    }

    /// One row of an order-level message that reaches us.
    pub(crate) fn local_order_row(
        &mut self,
        instrument: InstrumentId,
        row: &OrderRow,
        base: Ticks,
        changes: &mut Changes,
    ) {
        let market = &mut self.markets[instrument.index()];
        market.apply_order(row, base, changes);
        match RowKind::from_byte(row.market.kind) {
            Some(RowKind::Trade | RowKind::OrderExecute) => self.note_trade(instrument),
            Some(RowKind::Funding) => changes.funding = Some(row.market.qty_lots),
            _ => {}
        }
    }

    /// A trade for strategies and bars.
    #[inline]
    pub(super) fn note_trade(&mut self, instrument: InstrumentId) {
        self.recorder.counts.trades += 1;
        if self.parents.is_some() {
            self.note_volume(instrument);
        }
        if !self.wants_trades {
            return;
        }
        let Some(trade) = self.markets[instrument.index()].last_trade else { return };
        self.message_trades.push(trade);
        for builder in &mut self.bar_builders[instrument.index()] {
            builder.on_trade(&trade, self.now_ns, &mut self.done_bars);
        }
    }

    /// The end of a message that reached us.
    #[inline]
    pub(crate) fn local_end(
        &mut self,
        instrument: InstrumentId,
        row: &MarketRow,
        changes: &Changes,
    ) -> Result<()> {
        let mut changes = *changes;
        self.markets[instrument.index()].end_message(row, self.now_ns, &mut changes);
        self.recorder.counts.messages += 1;
        if self.is_patient() && changes.funding.is_none() && self.outside.is_none() {
            return Ok(());
        }
        if self.margins.is_some() {
            self.watch_margin_of(instrument)?;
        }
        if !self.guards.is_empty() {
            self.watch_stops(instrument)?;
        }
        if self.judging.is_some() && !self.hushed {
            self.judge_after(instrument)?;
        }
        let usable = self.is_usable(instrument);
        if let Some(rate) = changes.funding {
            self.settle_funding(instrument, rate)?;
        }
        for strategy in 0..self.strategies.len() {
            let interest = self.strategies[strategy].interest;
            if interest.trades {
                for i in 0..self.message_trades.len() {
                    let trade = self.message_trades[i];
                    self.call(strategy as u16, instrument, &Call::Trade(&trade))?;
                }
            }
            // A book that cannot be trusted is not shown.
            let wanted = usable
                && match interest.book {
                    BookTrigger::Message => changes.book,
                    BookTrigger::Best => changes.best,
                    BookTrigger::Trade => changes.trade,
                    BookTrigger::Never | BookTrigger::Every(_) => false,
                };
            if wanted {
                self.call(strategy as u16, instrument, &Call::Book)?;
            }
        }
        self.message_trades.clear();
        if self.parents.is_some() && (changes.best || changes.trade || changes.status) {
            self.work_parents_in(instrument)?;
        }
        self.tell_bars(instrument)
    }

    /// Tells strategies of the bars that the last message completed.
    #[inline]
    pub(super) fn tell_bars(&mut self, instrument: InstrumentId) -> Result<()> {
        let mut told = 0;
        while let Some(bar) = self.done_bars.get(told).copied() {
            told += 1;
            self.tell_bar(instrument, &bar)?;
        }
        self.done_bars.clear();
        Ok(())
    }

    #[inline]
    pub(super) fn is_usable(&self, instrument: InstrumentId) -> bool {
        self.markets[instrument.index()].is_usable()
    }

    /// Funding is due on what we hold, at the mark price or else the mid.
    #[cold]
    pub(super) fn settle_funding(&mut self, instrument: InstrumentId, rate: i64) -> Result<()> {
        if self.is_following() {
            return Ok(());
        }
        match self.markets[instrument.index()].mark() {
            Some(mark) => {
                if let Some(ink) = self.recorder.ink() {
                    ink.funding(self.now_ns, instrument, rate, mark)?;
                }
                self.ledger.funding(instrument, rate, mark).map(|_| ())
            }
            None => self.recorder.notice(self.now_ns, "funding without a price was left out"),
        }
    }

    /// A bar of a bar file reaches us.
    pub(crate) fn local_bar(&mut self, instrument: InstrumentId, bar: &BarRow) -> Result<()> {
        let market = &mut self.markets[instrument.index()];
        market.apply_bar(bar, self.bar_spread_ticks, self.now_ns);
        if self.margins.is_some() {
            self.watch_margin_of(instrument)?;
        }
        if !self.guards.is_empty() {
            self.watch_stops(instrument)?;
        }
        if self.parents.is_some() {
            self.note_volume(instrument);
            self.work_parents_in(instrument)?;
        }
        self.tell_bar(instrument, bar)
    }

    /// A bar is complete.
    pub(super) fn tell_bar(&mut self, instrument: InstrumentId, bar: &BarRow) -> Result<()> {
        self.recorder.counts.bars += 1;
        for strategy in 0..self.strategies.len() {
            if self.strategies[strategy].interest.bars {
                self.call(strategy as u16, instrument, &Call::Bar(bar))?;
            }
        }
        Ok(())
    }

    /// The interval of a time bar has passed.
    pub(super) fn bar_interval(
        &mut self,
        instrument: InstrumentId,
        builder: u16,
        end_ns: TimeNs,
    ) -> Result<()> {
        let builder_of = &mut self.bar_builders[instrument.index()][usize::from(builder)];
        let Some(interval) = builder_of.interval_ns() else { return Ok(()) };
        let bar = builder_of.on_interval(end_ns, interval);
        self.timers.push(end_ns + interval, Timer::Bar { instrument, builder })?;
        match bar {
            Some(bar) => self.tell_bar(instrument, &bar),
            None => Ok(()),
        }
    }
}

/// Applies depth rows from the first on: how many, and whether the last of them ended the message.
#[inline]
pub(super) fn apply_depth(market: &mut Market, rows: &[MarketRow], base: Ticks) -> (usize, bool) {
    let book = &mut market.book;
    for (used, row) in rows.iter().enumerate() {
        if row.kind != RowKind::Depth as u8 {
            return (used, false);
        }
        book.apply_in_loop(row, base);
        if row.ends_message() {
            return (used + 1, true);
        }
    }
    (rows.len(), false)
}
