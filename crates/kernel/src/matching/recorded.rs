//! A recording on the engine of a run: [`mainspring_exchange::recorded`] plays it, and what it does is
//! published as a venue would.

use mainspring_core::event::{flags, OrderRow, RowKind};
use mainspring_core::order::VenueEvent;
use mainspring_core::{Error, ErrorKind, Lots, Result, Side, Ticks, TimeNs};
use mainspring_exchange::recorded::{Level, Met, Stage};
use mainspring_exchange::{Market, OrderId};
use mainspring_trading::ledger::MarkPrice;

use super::market::{MatchedMarket, Others};
use super::tape::{anonymous_id, is_ours, side_bits, OTHERS};

impl MatchedMarket {
    /// One row of the recording happens at the venue at `now` and would reach us at `recv_ns`.
    /// Returns whether the venue said something to us.
    ///
    /// # Errors
    /// When an order id is too large to be one of a feed.
    pub fn on_recorded_row(
        &mut self,
        row: &OrderRow,
        base: Ticks,
        (now, recv_ns): (TimeNs, TimeNs),
        out: &mut Vec<VenueEvent>,
    ) -> Result<bool> {
        let Some(Others::Recorded(mut recorded)) = self.others.take() else {
            return Err(Error::new(ErrorKind::Internal, "a recorded row in a generated market"));
        };
        let played = recorded.play(self, row, base, now);
        self.others = Some(Others::Recorded(recorded));
        played?;
        self.note_latency(recv_ns - now);
        if row.market.ends_message() {
            self.complete(now);
            self.send(now, recv_ns);
        }
        let answered = !self.tape.answers.is_empty();
        out.append(&mut self.tape.answers);
        Ok(answered)
    }

    /// The whole book as a snapshot, in place of the rows so far.
    pub(super) fn publish_book(&mut self) {
        self.tape.rows.clear();
        self.tape.publish(RowKind::Clear, flags::SNAPSHOT, Ticks(0), 0, 0);
        let Self { engine, tape, .. } = self;
        for side in [Side::Buy, Side::Sell] {
            let bits = side_bits(side) | flags::SNAPSHOT;
            for (price, _) in engine.levels().levels(side) {
                for order in engine.orders().queue(side, price) {
                    tape.publish(RowKind::OrderAdd, bits, price, order.qty.0, order.id);
                }
            }
        }
    }
}

impl Stage for MatchedMarket {
    fn market(&self) -> &Market {
        &self.engine
    }

    fn order_id(&self, id: u64) -> OrderId {
        OrderId(id)
    }

    fn nameless_id(&self, side: Side, price: Ticks) -> OrderId {
        anonymous_id(side, price)
    }

    fn is_member(&self, id: OrderId) -> bool {
        is_ours(id.0)
    }

    fn add(&mut self, id: OrderId, level: Level, now: TimeNs, met: Option<&mut Vec<Met>>) {
        let from = self.tape.rows.len();
        self.add_other(id, level, now);
        let Some(met) = met else { return };
        for row in self.tape.rows[from..].iter().map(|published| &published.row) {
            if row.market.kind == RowKind::OrderExecute as u8 && !is_ours(row.order_id) {
                met.push((OrderId(row.order_id), Lots(row.market.qty_lots)));
            }
        }
    }

    fn take(&mut self, level: Level, now: TimeNs) -> Lots {
        self.take_other(level, now)
    }

    fn set_left(&mut self, id: OrderId, left: i64, now: TimeNs) {
        MatchedMarket::set_left(self, id, left, now);
    }

    fn change(&mut self, id: OrderId, level: Level, now: TimeNs) {
        MatchedMarket::change(self, id, OTHERS, level, level.1, now);
    }

    fn execute_aside(&mut self, id: OrderId, left: i64, (_, price, qty): Level, now: TimeNs) {
        let from = self.tape.rows.len();
        MatchedMarket::set_left(self, id, left, now);
        self.tape.tell_as_executed(from, id, qty);
        self.engine.note_trade(price, now, &mut self.tape);
    }

    fn trade_outside(&mut self, (_, price, qty): Level, bits: u8, now: TimeNs) {
        self.tape.publish(RowKind::Trade, bits, price, qty.0, 0);
        self.engine.note_trade(price, now, &mut self.tape);
    }

    /// What has no order is the venue's to say.
    fn pass_on(&mut self, kind: RowKind, row: &OrderRow, price: Ticks, now: TimeNs) {
        let value = row.market.qty_lots;
        match kind {
            RowKind::Mark => {
                self.engine.set_mark(MarkPrice::of_row(price, value), now, &mut self.tape);
            }
            RowKind::Status => self.halted = value == 0,
            RowKind::Grid => self.rules.set_grid(value),
            _ => {}
        }
        let bits = row.market.flags & !flags::END_OF_MESSAGE;
        self.tape.publish(kind, bits, price, value, 0);
    }

    fn recorded_ids(&self, ids: &mut Vec<OrderId>) {
        self.engine.orders_of(OTHERS, ids);
    }

    fn begin_snapshot(&mut self) {
        self.tape.quiet = true;
    }

    fn end_snapshot(&mut self, now: TimeNs) {
        self.tape.quiet = false;
        self.complete(now);
        self.publish_book();
    }
}
