//! The matching engine as the venue: others act there, and what it publishes reaches us.

use mainspring_core::event::OrderRow;
use mainspring_core::{InstrumentId, Result, Ticks, TimeNs};
use mainspring_trading::orders::Order;

use super::Kernel;
use crate::market::{Changes, Market};
use crate::matching::Matching;

impl Kernel {
    /// When the next row of the engine reaches us; `TimeNs::MAX` for none.
    pub(crate) fn next_matched_ns(&self) -> TimeNs {
        self.matching.as_ref().map_or(TimeNs::MAX, |matching| matching.next_feed().0)
    }

    /// When the agents of a generated market do something next.
    pub(crate) fn next_act_ns(&mut self, instrument: InstrumentId) -> TimeNs {
        match &mut self.matching {
            Some(matching) => matching.next_act_ns(instrument),
            None => TimeNs::MAX,
        }
    }

    /// The agents of a generated market do what is due.
    pub(crate) fn others_act(&mut self, instrument: InstrumentId, now_ns: TimeNs) -> Result<()> {
        if let Some(matching) = &mut self.matching {
            matching.market(instrument).act(now_ns, &mut self.venue_out);
        }
        self.after_others(instrument)
    }

    /// One row of an order-level recording happens at the engine. True when it answered us.
    pub(crate) fn recorded_row(
        &mut self,
        instrument: InstrumentId,
        row: &OrderRow,
        base: Ticks,
        times: (TimeNs, TimeNs),
    ) -> Result<bool> {
        let mut answered = false;
        if let Some(matching) = &mut self.matching {
            let market = matching.market(instrument);
            answered = market.on_recorded_row(row, base, times, &mut self.venue_out)?;
        }
        self.after_others(instrument)?;
        Ok(answered)
    }

    fn after_others(&mut self, instrument: InstrumentId) -> Result<()> {
        if self.venue_out.is_empty() {
            return Ok(());
        }
        self.look_up_venue_timers();
        self.send_answers(instrument)
    }

    /// The next message of the engine reaches us.
    pub(crate) fn matched_message(&mut self) -> Result<()> {
        let Some(matching) = &self.matching else { return Ok(()) };
        let (recv_ns, instrument) = matching.next_feed();
        self.now_ns = self.now_ns.max(recv_ns);
        let mut changes = Changes::default();
        loop {
            let next = self.matching.as_mut().and_then(|matching| matching.next_row(instrument));
            let Some((row, price)) = next else { return Ok(()) };
            self.local_order_row(instrument, &row, price, &mut changes);
            self.recorder.counts.rows += 1;
            if row.market.ends_message() {
                return self.local_end(instrument, &row.market, &changes);
            }
        }
    }

    /// Takes the next message of the engine into `rows`, each with its price; when and where it reaches
    /// us.
    pub(crate) fn take_matched(
        &mut self,
        rows: &mut Vec<(OrderRow, Ticks)>,
    ) -> Option<(TimeNs, InstrumentId)> {
        rows.clear();
        let matching = self.matching.as_mut()?;
        let (recv_ns, instrument) = matching.next_feed();
        while let Some(next) = matching.next_row(instrument) {
            rows.push(next);
            if next.0.market.ends_message() {
                break;
            }
        }
        (!rows.is_empty()).then_some((recv_ns, instrument))
    }

    /// An engine that was built anew takes up the markets as we saw them last, and those of our orders
    /// that the one before had accepted.
    pub(crate) fn rebuild_matching(
        &mut self,
        engine: Matching,
        before: &[Market],
        live: &[Order],
    ) -> Result<()> {
        let now_ns = self.now_ns;
        self.matching = Some(Box::new(engine));
        for market in before {
            let held = self.net_position(market.id);
            let is_there = |o: &&Order| o.acknowledged && o.terms.instrument == market.id;
            let ours: Vec<Order> = live.iter().filter(is_there).copied().collect();
            if let Some(matching) = &mut self.matching {
                let again = matching.market(market.id);
                again.take_up(market, &ours, held, now_ns, &mut self.venue_out);
            }
            self.send_answers(market.id)?;
        }
        Ok(())
    }

    /// Orders of ours at the engine whose time has come.
    pub(super) fn matching_timers(&mut self, now_ns: TimeNs) -> Result<()> {
        for index in 0..self.markets.len() {
            let instrument = InstrumentId(index as u16);
            let Some(matching) = &mut self.matching else { return Ok(()) };
            let market = matching.market(instrument);
            if market.next_timer_ns().is_some_and(|at| at <= now_ns) {
                market.on_timer(now_ns, &mut self.venue_out);
                self.send_answers(instrument)?;
            }
        }
        Ok(())
    }
}
