//! A slow venue written from `docs/explanation/simulated-venue.md`: one list of orders, scanned
//! in full at every question. It shares the vocabulary types with the fast one and nothing else
//! but the probability formulas, which have vectors of their own.
#![allow(dead_code)]

use std::collections::BTreeMap;

use mainspring_core::order::{
    CancelReason, OrderFlags, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side,
    TimeInForce, VenueEventKind,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};
use mainspring_sim::QueueModel;

pub type Event = (u64, VenueEventKind);

#[derive(Clone, Debug)]
pub struct Order {
    pub id: u64,
    pub terms: OrderTerms,
    pub filled: i64,
    pub armed: bool,
    pub resting: bool,
    pub arrival: u64,
    pub front: f64,
    pub traded: f64,
    pub slice: i64,
    pub trail: Option<i64>,
    pub pair: Option<u64>,
}

impl Order {
    fn left(&self) -> i64 {
        self.terms.qty.0 - self.filled
    }

    fn reduce_only(&self) -> bool {
        self.terms.flags.has(OrderFlags::REDUCE_ONLY)
    }
}

pub struct Naive {
    pub model: QueueModel,
    pub stp: SelfTradePrevention,
    pub max_orders: usize,
    /// Feed levels of bids and asks.
    pub feed: [BTreeMap<i64, i64>; 2],
    pub taken: [BTreeMap<i64, i64>; 2],
    pub orders: Vec<Order>,
    pub position: i64,
    pub last: Option<i64>,
    pub halted: bool,
    arrivals: u64,
    filled_in_step: bool,
    pub events: Vec<Event>,
}

impl Naive {
    pub fn new(model: QueueModel, stp: SelfTradePrevention, max_orders: usize) -> Self {
        Self {
            model,
            stp,
            max_orders,
            feed: Default::default(),
            taken: Default::default(),
            orders: vec![],
            position: 0,
            last: None,
            halted: false,
            arrivals: 0,
            filled_in_step: false,
            events: vec![],
        }
    }

    // ---- the book ----

    fn shown(&self, side: Side, price: i64) -> i64 {
        self.feed[side as usize].get(&price).copied().unwrap_or(0)
    }

    fn available(&self, side: Side, price: i64) -> i64 {
        let taken = self.taken[side as usize].get(&price).copied().unwrap_or(0);
        (self.shown(side, price) - taken).max(0)
    }

    fn best(&self, side: Side) -> Option<i64> {
        let levels = &self.feed[side as usize];
        match side {
            Side::Buy => levels.keys().next_back().copied(),
            Side::Sell => levels.keys().next().copied(),
        }
    }

    /// Level prices of a side, best first.
    fn prices(&self, side: Side) -> Vec<i64> {
        let mut prices: Vec<i64> = self.feed[side as usize].keys().copied().collect();
        if side == Side::Buy {
            prices.reverse();
        }
        prices
    }

    /// Ids of our resting orders of a side in price-time order.
    fn queue(&self, side: Side) -> Vec<u64> {
        let mut ours: Vec<&Order> =
            self.orders.iter().filter(|o| o.resting && o.terms.side == side).collect();
        ours.sort_by_key(|o| (-side.sign() * o.terms.price.0, o.arrival));
        ours.iter().map(|o| o.id).collect()
    }

    fn order(&self, id: u64) -> Option<&Order> {
        self.orders.iter().find(|o| o.id == id)
    }

    fn order_mut(&mut self, id: u64) -> &mut Order {
        self.orders.iter_mut().find(|o| o.id == id).unwrap()
    }

    // ---- rows ----

    pub fn depth(&mut self, side: Side, price: i64, qty: i64) {
        self.set_level(side, price, qty);
        self.end_step();
    }

    pub fn best_quote(&mut self, side: Side, price: i64, qty: i64) {
        for better in self.prices(side) {
            if side.better(Ticks(better), Ticks(price)) {
                self.feed[side as usize].remove(&better);
            }
        }
        self.taken[side as usize].retain(|p, _| !side.better(Ticks(*p), Ticks(price)));
        for order in self.orders.iter_mut().filter(|o| o.resting && o.terms.side == side) {
            if side.better(order.terms.price, Ticks(price)) {
                (order.front, order.traded) = (0.0, 0.0);
            }
        }
        self.set_level(side, price, qty);
        self.end_step();
    }

    fn set_level(&mut self, side: Side, price: i64, qty: i64) {
        let prev = self.shown(side, price);
        self.feed[side as usize].remove(&price);
        if qty > 0 {
            self.feed[side as usize].insert(price, qty);
        }
        self.taken[side as usize].remove(&price);
        let model = self.model;
        for order in self
            .orders
            .iter_mut()
            .filter(|o| o.resting && o.terms.side == side && o.terms.price == Ticks(price))
        {
            move_front(order, &model, prev as f64, qty as f64);
        }
        if qty > 0 {
            self.cross(side, price, qty);
        }
    }

    fn cross(&mut self, side: Side, price: i64, shown: i64) {
        let mut left = shown;
        for id in self.queue(side.opposite()) {
            let Some(order) = self.order(id) else { continue };
            let ours = order.terms.price;
            if !order.terms.side.at_least(ours, Ticks(price)) {
                continue;
            }
            let qty = self.may_fill(id).min(left);
            if qty > 0 {
                left -= qty;
                *self.taken[side as usize].entry(price).or_default() += qty;
                self.make(id, ours.0, qty);
            }
            if self.order(id).is_some() {
                self.order_mut(id).front = 0.0;
            }
        }
    }

    pub fn trade(&mut self, taker: Side, price: i64, q: i64) {
        self.last = Some(price);
        let side = taker.opposite();
        let mut given = 0;
        for id in self.queue(side) {
            let Some(order) = self.order(id) else { continue };
            let (ours, before) = (order.terms.price, order.front);
            if side.better(ours, Ticks(price)) {
                let qty = self.may_fill(id).min(q - given);
                if qty > 0 {
                    given += qty;
                    self.make(id, ours.0, qty);
                }
                if self.order(id).is_some() {
                    self.order_mut(id).front = 0.0;
                }
            } else if ours == Ticks(price) {
                let room = ((q as f64 - before).max(0.0) + 1e-9).floor() as i64 - given;
                let order = self.order_mut(id);
                order.front = (before - q as f64).max(0.0);
                order.traded += q as f64;
                let iceberg = order.terms.order_type == OrderType::Iceberg;
                let visible = if iceberg { order.slice } else { order.left() };
                let qty = room.min(visible).min(self.may_fill(id));
                if qty > 0 {
                    given += qty;
                    self.make(id, ours.0, qty);
                }
            }
        }
        self.fire();
        self.end_step();
    }

    pub fn clear(&mut self) {
        self.feed = Default::default();
        self.taken = Default::default();
        self.end_step();
    }

    // ---- fills ----

    /// A reduce-only order fills no more than the position has left to reduce.
    fn may_fill(&self, id: u64) -> i64 {
        let order = self.order(id).unwrap();
        if order.reduce_only() {
            order.left().min((-order.terms.side.sign() * self.position).max(0))
        } else {
            order.left()
        }
    }

    fn fill(&mut self, id: u64, price: i64, qty: i64, maker: bool) {
        let order = self.order_mut(id);
        order.filled += qty;
        let (sign, pair, done) = (order.terms.side.sign(), order.pair, order.left() == 0);
        self.position += sign * qty;
        self.filled_in_step = true;
        self.say(id, VenueEventKind::Filled { price: Ticks(price), qty: Lots(qty), maker });
        if let Some(other) = pair {
            self.cancel_order(other, CancelReason::Oco);
        }
        if done {
            self.remove(id);
        }
    }

    fn make(&mut self, id: u64, price: i64, qty: i64) {
        self.fill(id, price, qty, true);
        let Some(order) = self.order(id) else { return };
        if order.terms.order_type != OrderType::Iceberg {
            return;
        }
        let (side, traded, slice) = (order.terms.side, order.traded, order.slice - qty);
        let feed = self.available(side, price) as f64;
        let arrival = self.next_arrival();
        let order = self.order_mut(id);
        order.slice = slice;
        if slice <= 0 {
            order.slice = order.terms.display.0.min(order.left());
            order.front = (feed - traded).max(0.0);
            order.arrival = arrival;
        }
    }

    fn remove(&mut self, id: u64) {
        self.orders.retain(|o| o.id != id);
        for order in &mut self.orders {
            if order.pair == Some(id) {
                order.pair = None;
            }
        }
    }

    fn cancel_order(&mut self, id: u64, reason: CancelReason) {
        self.say(id, VenueEventKind::Cancelled(reason));
        self.remove(id);
    }

    fn say(&mut self, id: u64, kind: VenueEventKind) {
        self.events.push((id, kind));
    }

    fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    // ---- requests ----

    pub fn place(&mut self, id: u64, terms: OrderTerms, now: TimeNs) {
        if let Err(reason) = self.try_place(id, terms, now) {
            self.say(id, VenueEventKind::Rejected(reason));
        }
        self.end_step();
    }

    fn check(&self, terms: &OrderTerms) -> Result<(), RejectReason> {
        if self.halted {
            return Err(RejectReason::Halted);
        }
        let no_slice = terms.order_type == OrderType::Iceberg && terms.display.0 <= 0;
        if terms.qty.0 <= 0 || no_slice {
            return Err(RejectReason::BadQuantity);
        }
        Ok(())
    }

    fn cut(&self, terms: &OrderTerms, qty: i64) -> Result<i64, RejectReason> {
        let room = -terms.side.sign() * self.position;
        if !terms.flags.has(OrderFlags::REDUCE_ONLY) {
            Ok(qty)
        } else if room <= 0 {
            Err(RejectReason::ReduceOnlyWouldIncrease)
        } else {
            Ok(qty.min(room))
        }
    }

    fn try_place(
        &mut self,
        id: u64,
        mut terms: OrderTerms,
        now: TimeNs,
    ) -> Result<(), RejectReason> {
        let asked = terms.qty;
        self.check(&terms)?;
        if self.order(id).is_some() {
            return Err(RejectReason::DuplicateOrder);
        }
        terms.qty = Lots(self.cut(&terms, terms.qty.0)?);
        if self.orders.len() >= self.max_orders {
            return Err(RejectReason::Overloaded);
        }
        let pair = (terms.oco.0 != 0).then_some(terms.oco.0);
        if pair.is_some_and(|other| self.order(other).is_none_or(|o| o.pair.is_some())) {
            return Err(RejectReason::UnknownOrder);
        }
        if terms.order_type == OrderType::Pegged {
            terms.price = Ticks(self.peg(&terms).ok_or(RejectReason::NoLiquidity)?);
        }
        let armed = self.must_wait(&terms)?;
        let late = terms.time_in_force == TimeInForce::Gtd && terms.expire_ns <= now;
        if !armed && !late {
            self.refuse(&terms, terms.qty.0)?;
        }
        let arrival = self.next_arrival();
        self.orders.push(Order {
            id,
            terms,
            filled: 0,
            armed,
            resting: false,
            arrival,
            front: 0.0,
            traded: 0.0,
            slice: 0,
            trail: self.last,
            pair,
        });
        if let Some(other) = pair {
            self.order_mut(other).pair = Some(id);
        }
        self.say(id, VenueEventKind::Accepted);
        if terms.qty != asked {
            self.say_amended(id);
        }
        if late {
            self.cancel_order(id, CancelReason::Expired);
        } else if !armed {
            self.enter(id);
        }
        Ok(())
    }

    /// Price and quantity as they stand now.
    fn say_amended(&mut self, id: u64) {
        let terms = self.order(id).unwrap().terms;
        let price = match terms.order_type {
            OrderType::Stop | OrderType::TakeProfit => terms.trigger,
            _ => terms.price,
        };
        self.say(id, VenueEventKind::Amended { price, qty: terms.qty });
    }

    fn must_wait(&self, terms: &OrderTerms) -> Result<bool, RejectReason> {
        let reached = match terms.order_type {
            OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit => {
                self.last.is_some_and(|last| reached(terms, terms.trigger.0, last))
            }
            OrderType::TrailingStop => terms.offset.0 <= 0,
            _ => return Ok(false),
        };
        if reached {
            Err(RejectReason::WouldTriggerImmediately)
        } else {
            Ok(true)
        }
    }

    fn refuse(&self, terms: &OrderTerms, qty: i64) -> Result<(), RejectReason> {
        let theirs = terms.side.opposite();
        let ours_there = self.queue(theirs).first().map(|id| self.order(*id).unwrap().terms.price);
        if terms.flags.has(OrderFlags::POST_ONLY) {
            let best = self.best(theirs).map(Ticks);
            let Some(limit) = limit_of(terms) else {
                return Err(RejectReason::PostOnlyWouldTake);
            };
            if best.is_some_and(|best| theirs.at_least(best, limit)) {
                return Err(RejectReason::PostOnlyWouldTake);
            }
            if ours_there.is_some_and(|ours| theirs.at_least(ours, limit)) {
                return Err(RejectReason::SelfTrade);
            }
        }
        if terms.time_in_force == TimeInForce::Fok {
            let sum: i64 = self
                .prices(theirs)
                .into_iter()
                .filter(|p| limit_of(terms).is_none_or(|l| theirs.at_least(Ticks(*p), l)))
                .filter(|p| ours_there.is_none_or(|ours| theirs.better(Ticks(*p), ours)))
                .map(|p| self.available(theirs, p))
                .sum();
            if sum < qty {
                return Err(RejectReason::FokNotFilled);
            }
        }
        Ok(())
    }

    fn enter(&mut self, id: u64) {
        let terms = self.order(id).unwrap().terms;
        self.order_mut(id).resting = false;
        self.take(id);
        let Some(order) = self.order(id) else { return };
        if limit_of(&terms).is_none() {
            self.cancel_order(id, CancelReason::NoLiquidity);
        } else if matches!(order.terms.time_in_force, TimeInForce::Ioc | TimeInForce::Fok) {
            self.cancel_order(id, CancelReason::IocRemainder);
        } else {
            self.rest(id);
        }
    }

    /// One level or one own order at a time, everything looked up afresh.
    fn take(&mut self, id: u64) {
        let terms = self.order(id).unwrap().terms;
        let theirs = terms.side.opposite();
        let within = |p: i64| limit_of(&terms).is_none_or(|l| theirs.at_least(Ticks(p), l));
        while self.order(id).is_some() && self.may_fill(id) > 0 {
            let level = self
                .prices(theirs)
                .into_iter()
                .find(|p| within(*p) && self.available(theirs, *p) > 0);
            let own = self
                .queue(theirs)
                .first()
                .map(|own| (*own, self.order(*own).unwrap().terms.price))
                .filter(|(_, price)| within(price.0));
            if let Some((resting, price)) = own {
                if level.is_none_or(|level| theirs.at_least(price, Ticks(level))) {
                    if self.stp != SelfTradePrevention::CancelNewest {
                        self.cancel_order(resting, CancelReason::SelfTrade);
                    }
                    if self.stp != SelfTradePrevention::CancelOldest {
                        self.cancel_order(id, CancelReason::SelfTrade);
                        return;
                    }
                    continue;
                }
            }
            let Some(price) = level else { return };
            let qty = self.may_fill(id).min(self.available(theirs, price));
            *self.taken[theirs as usize].entry(price).or_default() += qty;
            self.fill(id, price, qty, false);
        }
    }

    fn rest(&mut self, id: u64) {
        let arrival = self.next_arrival();
        let terms = self.order(id).unwrap().terms;
        let front = self.available(terms.side, terms.price.0) as f64;
        let order = self.order_mut(id);
        order.resting = true;
        order.arrival = arrival;
        (order.front, order.traded) = (front, 0.0);
        order.slice = terms.display.0.min(order.left());
    }

    pub fn cancel(&mut self, id: u64) {
        if self.order(id).is_some() {
            self.cancel_order(id, CancelReason::Requested);
        } else {
            self.say(id, VenueEventKind::CancelRejected(RejectReason::UnknownOrder));
        }
        self.end_step();
    }

    pub fn amend(&mut self, id: u64, price: i64, qty: i64) {
        if let Err(reason) = self.try_amend(id, price, qty) {
            self.say(id, VenueEventKind::AmendRejected(reason));
        }
        self.end_step();
    }

    fn try_amend(&mut self, id: u64, price: i64, qty: i64) -> Result<(), RejectReason> {
        let order = self.order(id).ok_or(RejectReason::UnknownOrder)?.clone();
        if qty <= order.filled {
            self.cancel_order(id, CancelReason::Requested);
            return Ok(());
        }
        let mut terms = order.terms;
        terms.qty = Lots(qty);
        let told = match terms.order_type {
            OrderType::Stop | OrderType::TakeProfit => {
                terms.trigger = Ticks(price);
                Ticks(price)
            }
            OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg => {
                terms.price = Ticks(price);
                Ticks(price)
            }
            _ => terms.price,
        };
        self.check(&terms)?;
        let left = self.cut(&terms, qty - order.filled)?;
        terms.qty = Lots(order.filled + left);
        let keeps = terms.price == order.terms.price && terms.qty <= order.terms.qty;
        if order.armed {
            self.must_wait(&terms)?;
        } else if !keeps {
            self.refuse(&terms, left)?;
        }
        let target = self.order_mut(id);
        target.terms = terms;
        target.slice = target.slice.min(target.left());
        self.say(id, VenueEventKind::Amended { price: told, qty: terms.qty });
        if !order.armed && !keeps {
            self.enter(id);
        }
        Ok(())
    }

    pub fn timer(&mut self, now: TimeNs) {
        let mut due: Vec<(TimeNs, u64)> = self
            .orders
            .iter()
            .filter(|o| o.terms.time_in_force == TimeInForce::Gtd && o.terms.expire_ns <= now)
            .map(|o| (o.terms.expire_ns, o.id))
            .collect();
        due.sort_unstable();
        for (_, id) in due {
            self.cancel_order(id, CancelReason::Expired);
        }
        self.end_step();
    }

    // ---- triggers, pegs, the end of a step ----

    fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.orders.iter().map(|o| o.id).collect();
        ids.sort_unstable();
        ids
    }

    fn fire(&mut self) {
        let Some(last) = self.last else { return };
        let mut due = vec![];
        for id in self.ids() {
            let order = self.order_mut(id);
            if !order.armed {
                continue;
            }
            let terms = order.terms;
            let trigger = if terms.order_type == OrderType::TrailingStop {
                let best = order.trail.unwrap_or(last);
                let best = if terms.side == Side::Sell { best.max(last) } else { best.min(last) };
                order.trail = Some(best);
                best + terms.side.sign() * terms.offset.0
            } else {
                terms.trigger.0
            };
            if reached(&terms, trigger, last) {
                due.push(id);
            }
        }
        for id in due {
            if self.order(id).is_some() {
                self.fire_one(id);
            }
        }
    }

    fn fire_one(&mut self, id: u64) {
        self.order_mut(id).armed = false;
        self.say(id, VenueEventKind::Triggered);
        let qty = self.may_fill(id);
        if qty == 0 {
            self.cancel_order(id, CancelReason::ReduceOnly);
            return;
        }
        if qty < self.order(id).unwrap().terms.qty.0 {
            self.order_mut(id).terms.qty = Lots(qty);
            self.say_amended(id);
        }
        let terms = self.order(id).unwrap().terms;
        if let Err(reason) = self.refuse(&terms, qty) {
            self.say(id, VenueEventKind::Rejected(reason));
            self.remove(id);
        } else {
            self.enter(id);
        }
    }

    fn peg(&self, terms: &OrderTerms) -> Option<i64> {
        let (side, theirs) = (terms.side, terms.side.opposite());
        let wanted = self.best(side)? - side.sign() * terms.offset.0;
        let own = self.queue(theirs).first().map(|id| self.order(*id).unwrap().terms.price.0);
        let mut price = wanted;
        for bound in [self.best(theirs), own].into_iter().flatten() {
            let last = bound - side.sign();
            price = if side == Side::Buy { price.min(last) } else { price.max(last) };
        }
        Some(price)
    }

    fn end_step(&mut self) {
        for id in self.ids() {
            let order = self.order(id).unwrap();
            let terms = order.terms;
            if terms.order_type != OrderType::Pegged || !order.resting {
                continue;
            }
            if let Some(price) = self.peg(&terms).filter(|price| *price != terms.price.0) {
                self.order_mut(id).terms.price = Ticks(price);
                self.rest(id);
                self.say(id, VenueEventKind::Amended { price: Ticks(price), qty: terms.qty });
            }
        }
        if std::mem::take(&mut self.filled_in_step) {
            for id in self.ids() {
                let order = self.order(id).unwrap();
                if order.reduce_only() && order.terms.side.sign() * self.position >= 0 {
                    self.cancel_order(id, CancelReason::ReduceOnly);
                }
            }
        }
    }
}

fn limit_of(terms: &OrderTerms) -> Option<Ticks> {
    use OrderType::{Iceberg, Limit, Pegged, StopLimit};
    matches!(terms.order_type, Limit | StopLimit | Iceberg | Pegged).then_some(terms.price)
}

fn reached(terms: &OrderTerms, trigger: i64, last: i64) -> bool {
    let buys = terms.side == Side::Buy;
    if buys == (terms.order_type != OrderType::TakeProfit) {
        last >= trigger
    } else {
        last <= trigger
    }
}

fn move_front(order: &mut Order, model: &QueueModel, prev: f64, new: f64) {
    if matches!(model, QueueModel::RiskAverse | QueueModel::L3Fifo) {
        order.front = order.front.min(new);
        return;
    }
    let change = prev - new - order.traded;
    order.traded = 0.0;
    let front = order.front;
    if change < 0.0 {
        order.front = front.min(new);
    } else {
        let back = prev - front;
        let p = model.probability(front, back, 1.0);
        order.front = (front - (1.0 - p) * change + (back - p * change).min(0.0)).min(new);
    }
    order.front = order.front.max(0.0);
}
