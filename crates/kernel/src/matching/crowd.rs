//! Generated agents on the matching engine, ours among their orders.
//!
//! The agents keep the book that they look at, and our orders are in it: they see our quotes, take
//! them in turn, and follow the price that our taking moves. The engine matches; what it says about
//! our orders is mirrored into the agents' book.

use mainspring_core::event::{OrderRow, RowKind};
use mainspring_core::order::VenueEvent;
use mainspring_core::{Lots, Side, Ticks, TimeNs};
use mainspring_exchange::OrderId;
use mainspring_sim::flow::agents::{Agents, Mark};
use mainspring_sim::flow::market::BookEvent;
use mainspring_trading::ledger::MarkPrice;

use super::market::{MatchedMarket, Others};
use super::tape::{is_ours, Published};

/// One of our orders in the agents' book.
#[derive(Clone, Copy, Debug)]
struct Outsider {
    id: u64,
    side: Side,
    price: Ticks,
    lots: i64,
    /// Where it is in the agents' book, while it is in sight: handle and the agents' id.
    seen: Option<(u32, u64)>,
    /// It came into sight after agents may have queued there: they see it behind them, the engine
    /// has it before.
    late: bool,
}

/// Agents, and what they see of us.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    pub agents: Agents,
    started: bool,
    outsiders: Vec<Outsider>,
    events: Vec<BookEvent>,
    latency_ns: Option<i64>,
}

impl Crowd {
    pub fn new(agents: Agents, latency_ns: Option<i64>) -> Self {
        let (outsiders, events) = (Vec::with_capacity(64), Vec::with_capacity(64));
        Self { agents, started: false, outsiders, events, latency_ns }
    }

    /// When the agents do something next.
    pub fn next_ns(&mut self, start_ns: TimeNs) -> TimeNs {
        if self.started {
            self.agents.next_ns()
        } else {
            start_ns
        }
    }

    /// How long these rows take to us; without any nothing is drawn.
    pub fn latency_ns(&mut self, rows: &[Published]) -> i64 {
        if rows.is_empty() {
            return 0;
        }
        self.latency_ns.unwrap_or_else(|| self.agents.delay_ns())
    }

    /// Tells the agents what the engine did to our orders, and what we took. `acted` says that the
    /// agents did it themselves: then their book has what they took from us already.
    pub fn mirror(&mut self, rows: &[Published], acted: bool) {
        let mut taken = [0_i64; 2];
        for published in rows {
            let OrderRow { market, order_id } = published.row;
            let (side, qty, price) = (market.side(), market.qty_lots, published.price);
            match RowKind::from_byte(market.kind) {
                Some(RowKind::OrderExecute) if published.by_us => {
                    taken[side.opposite() as usize] += qty;
                    self.take_from_agents(order_id, side, price, qty);
                }
                _ if !is_ours(order_id) => {}
                Some(RowKind::OrderAdd) => self.enter(order_id, side, price, qty),
                Some(RowKind::OrderDelete) => self.leave(order_id),
                Some(RowKind::OrderModify) => self.change(order_id, side, price, qty),
                Some(RowKind::OrderExecute) => self.executed(order_id, qty, acted),
                _ => {}
            }
        }
        for side in [Side::Buy, Side::Sell] {
            if taken[side as usize] > 0 {
                self.agents.market().was_taken(side, taken[side as usize]);
            }
        }
    }

    fn take_from_agents(&mut self, id: u64, side: Side, price: Ticks, qty: i64) {
        if let Some((handle, _)) = self.find(id, side, price) {
            self.agents.market().shorten(handle, qty);
        }
    }

    /// Where an order of the agents is in their book, and what is left of it.
    fn find(&mut self, id: u64, side: Side, price: Ticks) -> Option<(u32, i64)> {
        let orders = self.agents.market().orders();
        let mut next = orders.front(side, price.0);
        while let Some((handle, order)) = next {
            if order.id == id {
                return Some((handle, order.lots));
            }
            next = orders.behind(handle);
        }
        None
    }

    fn enter(&mut self, id: u64, side: Side, price: Ticks, lots: i64) {
        self.leave(id);
        let seen = self.show(side, price, lots);
        self.outsiders.push(Outsider { id, side, price, lots, seen, late: false });
    }

    fn show(&mut self, side: Side, price: Ticks, lots: i64) -> Option<(u32, u64)> {
        let market = self.agents.market();
        if !market.is_in_sight(price.0) {
            return None;
        }
        let handle = market.enter(side, price.0, lots);
        Some((handle, market.orders().at(handle).id))
    }

    fn hide(&mut self, order: &Outsider) {
        if let Some((handle, lots)) = self.in_sight(order) {
            self.agents.market().shorten(handle, lots);
        }
    }

    /// Where an order of ours is in the agents' book, and what they see of it.
    fn in_sight(&mut self, order: &Outsider) -> Option<(u32, i64)> {
        let (handle, id) = order.seen?;
        let there = self.agents.market().orders().at(handle);
        (there.id == id && there.lots > 0).then_some((handle, there.lots))
    }

    fn leave(&mut self, id: u64) {
        if let Some(at) = self.outsiders.iter().position(|order| order.id == id) {
            let order = self.outsiders.remove(at);
            self.hide(&order);
        }
    }

    fn change(&mut self, id: u64, side: Side, price: Ticks, lots: i64) {
        let Some(at) = self.outsiders.iter().position(|order| order.id == id) else { return };
        let before = self.outsiders[at];
        if before.price != price || lots > before.lots {
            self.enter(id, side, price, lots);
            return;
        }
        self.outsiders[at].lots = lots;
        if let Some((handle, _)) = self.in_sight(&before) {
            self.agents.market().shorten(handle, before.lots - lots);
        }
    }

    fn executed(&mut self, id: u64, qty: i64, acted: bool) {
        let Some(at) = self.outsiders.iter().position(|order| order.id == id) else { return };
        self.outsiders[at].lots -= qty;
        let order = self.outsiders[at];
        if !acted {
            if let Some((handle, _)) = self.in_sight(&order) {
                self.agents.market().shorten(handle, qty);
            }
        }
        if order.lots <= 0 {
            self.leave(id);
        }
    }

    /// Lets the agents see of our orders what the engine shows: the two can differ where an order of
    /// ours was far from the market when it came.
    fn look_again(&mut self) {
        for at in 0..self.outsiders.len() {
            let order = self.outsiders[at];
            let near = self.agents.market().is_in_sight(order.price.0);
            let seen = self.in_sight(&order);
            if seen.map(|(_, lots)| lots) == near.then_some(order.lots) {
                continue;
            }
            self.hide(&order);
            self.outsiders[at].seen = self.show(order.side, order.price, order.lots);
            self.outsiders[at].late = true;
        }
    }
}

#[cfg(test)]
impl Crowd {
    /// Whether the agents may see our place in the queue at a price too far back.
    pub fn sees_late(&self, side: Side, price: i64) -> bool {
        let at = |order: &&Outsider| order.side == side && order.price.0 == price;
        self.outsiders.iter().filter(at).any(|order| order.late)
    }
}

impl MatchedMarket {
    /// When the agents do something next; `TimeNs::MAX` where there are none.
    pub fn next_act_ns(&mut self, start_ns: TimeNs) -> TimeNs {
        match &mut self.others {
            Some(Others::Crowd(crowd)) => crowd.next_ns(start_ns),
            _ => TimeNs::MAX,
        }
    }

    /// The agents do what is due now. Returns whether the venue said something to us.
    pub fn act(&mut self, now: TimeNs, out: &mut Vec<VenueEvent>) -> bool {
        let Some(Others::Crowd(mut crowd)) = self.others.take() else { return false };
        if std::mem::replace(&mut crowd.started, true) {
            let mark = crowd.agents.step(&mut crowd.events);
            self.carry_out(&mut crowd, now);
            if let Some(mark) = mark {
                self.mark(&mark, now);
            }
            self.complete(now);
            crowd.mirror(&self.tape.rows, true);
            let told = self.tape.rows.len();
            self.agree(&mut crowd, now);
            // Pegs of ours follow what that changed.
            crowd.mirror(&self.tape.rows[told..], false);
            crowd.look_again();
        } else {
            self.open(&mut crowd, now);
        }
        let recv_ns = now + crowd.latency_ns(&self.tape.rows);
        self.send(now, recv_ns);
        self.others = Some(Others::Crowd(crowd));
        let answered = !self.tape.answers.is_empty();
        out.append(&mut self.tape.answers);
        answered
    }

    fn open(&mut self, crowd: &mut Crowd, now: TimeNs) {
        crowd.agents.resting(|order| {
            let level = (order.side, Ticks(order.tick), Lots(order.lots));
            self.add_other(OrderId(order.id), level, now);
        });
        self.publish_book();
    }

    fn mark(&mut self, mark: &Mark, now: TimeNs) {
        let price = MarkPrice::of_row(Ticks(mark.ticks), mark.part);
        self.engine.set_mark(price, now, &mut self.tape);
        self.tape.publish(RowKind::Mark, 0, Ticks(mark.ticks), mark.part, 0);
        if let Some(rate) = mark.funding {
            self.tape.publish(RowKind::Funding, 0, Ticks(0), rate, 0);
        }
    }

    /// What the agents did, as orders: what one taker took is one order of his.
    fn carry_out(&mut self, crowd: &mut Crowd, now: TimeNs) {
        let mut at = 0;
        while let Some(event) = crowd.events.get(at).copied() {
            at += 1;
            match event {
                BookEvent::Added(order) => {
                    let level = (order.side, Ticks(order.tick), Lots(order.lots));
                    self.add_other(OrderId(order.id), level, now);
                }
                BookEvent::Deleted(order) => self.set_left(OrderId(order.id), 0, now),
                BookEvent::Executed(first, mut lots) => {
                    let mut last = first.tick;
                    while let Some(BookEvent::Executed(order, more)) = crowd.events.get(at) {
                        if order.side != first.side {
                            break;
                        }
                        (last, lots, at) = (order.tick, lots + more, at + 1);
                    }
                    self.take_other((first.side.opposite(), Ticks(last), Lots(lots)), now);
                }
            }
        }
    }

    /// Both books agree about what is left of the orders that were executed in either: where an order
    /// of ours left the engine in the middle of a taker's way, he went on to orders that the agents'
    /// book has still.
    fn agree(&mut self, crowd: &mut Crowd, now: TimeNs) {
        let mut differed = false;
        for at in 0..crowd.events.len() {
            if let BookEvent::Executed(order, _) = crowd.events[at] {
                if !order.outside {
                    differed |= self.level(crowd, order.id, order.side, Ticks(order.tick), now);
                }
            }
        }
        for at in 0..self.tape.rows.len() {
            let Published { row, price, .. } = self.tape.rows[at];
            let executed = row.market.kind == RowKind::OrderExecute as u8;
            if executed && !is_ours(row.order_id) {
                differed |= self.level(crowd, row.order_id, row.market.side(), price, now);
            }
        }
        if differed {
            self.complete(now);
        }
    }

    /// The smaller of what both books have of an agent's order is what is left. Returns whether the
    /// engine had more.
    fn level(&mut self, crowd: &mut Crowd, id: u64, side: Side, price: Ticks, now: TimeNs) -> bool {
        let left = self.engine.order(OrderId(id)).map_or(0, |open| open.left().0);
        let theirs = crowd.find(id, side, price);
        let lots = theirs.map_or(0, |(_, lots)| lots);
        if let Some((handle, _)) = theirs.filter(|_| left < lots) {
            crowd.agents.market().shorten(handle, lots - left);
        }
        if left > lots {
            self.set_left(OrderId(id), lots, now);
        }
        left > lots
    }
}
