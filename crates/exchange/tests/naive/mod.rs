//! A market as plain lists, searched from end to end: slow, and written apart from the engine.

use mainspring_core::order::{
    CancelReason, OrderFlags, OrderType, RejectReason, SelfTradePrevention, Side, TimeInForce,
};
use mainspring_core::{Lots, Ticks};
use mainspring_exchange::{NewOrder, OrderReport, ReportKind, TradeReport};

/// One line of what a market says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Maker, taker, price, quantity, what is left of both.
    Trade(u64, u64, i64, i64, i64, i64),
    Order(u64, i64, Said),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Accepted,
    Rejected(RejectReason),
    Rested,
    Cancelled(CancelReason),
    CancelRejected(RejectReason),
    Amended,
    AmendRejected(RejectReason),
    Triggered,
}

impl Line {
    pub fn of_trade(t: &TradeReport) -> Self {
        let (maker, taker) = (t.maker, t.taker);
        Self::Trade(maker.order.0, taker.order.0, t.price.0, t.qty.0, maker.left.0, taker.left.0)
    }

    pub fn of_report(r: &OrderReport) -> Self {
        let said = match r.kind {
            ReportKind::Accepted => Said::Accepted,
            ReportKind::Rejected(why) | ReportKind::TriggerRejected(why) => Said::Rejected(why),
            ReportKind::Rested => Said::Rested,
            ReportKind::Cancelled(why) => Said::Cancelled(why),
            ReportKind::CancelRejected(why) => Said::CancelRejected(why),
            ReportKind::Amended { .. } => Said::Amended,
            ReportKind::AmendRejected(why) => Said::AmendRejected(why),
            ReportKind::Triggered => Said::Triggered,
        };
        Self::Order(r.order.0, r.left.0, said)
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    order: NewOrder,
    left: i64,
    /// What it shows, when it rests.
    shown: i64,
    /// Place in the queue of its price.
    seq: u64,
    /// When it came to rest: the order in which pegs are moved.
    entered: u64,
}

#[derive(Default)]
pub struct NaiveMarket {
    book: Vec<Open>,
    armed: Vec<Open>,
    last: Option<i64>,
    /// Prices since trailing stops were last moved.
    traded: Vec<i64>,
    seq: u64,
    pub halted: bool,
    pub lines: Vec<Line>,
}

type Refusal = Result<(), RejectReason>;

fn is_market(t: OrderType) -> bool {
    matches!(
        t,
        OrderType::Market | OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop
    )
}

fn waits(t: OrderType) -> bool {
    matches!(
        t,
        OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit | OrderType::TrailingStop
    )
}

fn crosses(side: Side, limit: i64, price: i64) -> bool {
    match side {
        Side::Buy => limit >= price,
        Side::Sell => limit <= price,
    }
}

fn rises(order: &NewOrder) -> bool {
    (order.terms.order_type == OrderType::TakeProfit) == (order.terms.side == Side::Sell)
}

impl NaiveMarket {
    fn say(&mut self, id: u64, left: i64, said: Said) {
        self.lines.push(Line::Order(id, left, said));
    }

    /// Shown levels of a side, best first.
    pub fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels: Vec<(i64, i64)> = Vec::new();
        for open in self.book.iter().filter(|o| o.order.terms.side == side) {
            let price = open.order.terms.price.0;
            match levels.iter_mut().find(|l| l.0 == price) {
                Some(level) => level.1 += open.shown,
                None => levels.push((price, open.shown)),
            }
        }
        levels.sort_unstable_by_key(|l| -side.sign() * l.0);
        levels
    }

    fn best(&self, side: Side) -> Option<i64> {
        self.levels(side).first().map(|l| l.0)
    }

    /// The next maker against a taker of `side`.
    fn maker(&self, side: Side) -> Option<usize> {
        let against = |o: &&(usize, &Open)| o.1.order.terms.side != side;
        let all: Vec<(usize, &Open)> = self.book.iter().enumerate().collect();
        let best = all
            .iter()
            .filter(against)
            .min_by_key(|(_, o)| (o.order.terms.price.0 * side.sign(), o.seq));
        best.map(|(at, _)| *at)
    }

    pub fn submit(&mut self, mut order: NewOrder, now: i64) {
        self.expire(now);
        let qty = order.terms.qty.0;
        if let Err(why) = self.check(&mut order, now) {
            return self.say(order.id.0, qty, Said::Rejected(why));
        }
        self.say(order.id.0, qty, Said::Accepted);
        let other = order.terms.oco.0;
        for open in self.book.iter_mut().chain(&mut self.armed) {
            if other != 0 && open.order.id.0 == other {
                open.order.terms.oco.0 = order.id.0;
            }
        }
        if order.terms.time_in_force == TimeInForce::Gtd && order.terms.expire_ns <= now {
            self.say(order.id.0, qty, Said::Cancelled(CancelReason::Expired));
        } else if waits(order.terms.order_type) {
            self.seq += 1;
            self.armed.push(Open { order, left: qty, shown: 0, seq: self.seq, entered: 0 });
        } else {
            self.run(order, qty);
        }
        self.settle();
    }

    fn check(&self, order: &mut NewOrder, now: i64) -> Refusal {
        let terms = order.terms;
        if self.halted {
            return Err(RejectReason::Halted);
        }
        if terms.qty.0 < 1 || (terms.order_type == OrderType::Iceberg && terms.display.0 < 1) {
            return Err(RejectReason::BadQuantity);
        }
        if self.find(order.id.0).is_some() {
            return Err(RejectReason::DuplicateOrder);
        }
        if terms.oco.0 != 0 {
            let leg = self.find(terms.oco.0).ok_or(RejectReason::UnknownOrder)?;
            if leg.order.account != order.account || leg.order.terms.oco.0 != 0 {
                return Err(RejectReason::UnknownOrder);
            }
        }
        if terms.order_type == OrderType::Pegged {
            let price = self.peg_price(order).ok_or(RejectReason::NoLiquidity)?;
            order.terms.price = Ticks(price);
        }
        if terms.order_type == OrderType::TrailingStop {
            if terms.offset.0 < 1 {
                return Err(RejectReason::WouldTriggerImmediately);
            }
            let last = self.last.ok_or(RejectReason::NoLiquidity)?;
            order.terms.trigger = Ticks(last + terms.side.sign() * terms.offset.0);
        }
        if waits(terms.order_type) {
            let due = self.is_due(order);
            return if due { Err(RejectReason::WouldTriggerImmediately) } else { Ok(()) };
        }
        if terms.time_in_force == TimeInForce::Gtd && terms.expire_ns <= now {
            return Ok(());
        }
        self.check_crossing(order, terms.qty.0)
    }

    fn check_crossing(&self, order: &NewOrder, left: i64) -> Refusal {
        let terms = &order.terms;
        let limit = limit_of(order);
        if terms.flags.has(OrderFlags::POST_ONLY) {
            let best = self.best(terms.side.opposite());
            let takes = best.is_some_and(|best| crosses(terms.side, limit, best));
            if takes || is_market(terms.order_type) {
                return Err(RejectReason::PostOnlyWouldTake);
            }
        }
        if terms.time_in_force == TimeInForce::Fok && self.fillable(order) < left {
            return Err(RejectReason::FokNotFilled);
        }
        Ok(())
    }

    /// What a taker would get, going through the book in price-time order.
    fn fillable(&self, order: &NewOrder) -> i64 {
        let side = order.terms.side;
        let mut others: Vec<&Open> =
            self.book.iter().filter(|o| o.order.terms.side != side).collect();
        others.sort_by_key(|o| (o.order.terms.price.0 * side.sign(), o.seq));
        let mut sum = 0;
        for maker in others {
            if !crosses(side, limit_of(order), maker.order.terms.price.0) {
                break;
            }
            let is_own = maker.order.account == order.account;
            match order.self_trade.filter(|_| is_own) {
                None => sum += maker.left,
                Some(SelfTradePrevention::CancelOldest) => {}
                Some(_) => break,
            }
        }
        sum
    }

    fn run(&mut self, order: NewOrder, mut left: i64) {
        let (side, own_type) = (order.terms.side, order.terms.order_type);
        let mut stopped = None;
        while left > 0 && stopped.is_none() {
            let Some(at) = self.maker(side) else { break };
            let maker = self.book[at];
            let price = maker.order.terms.price.0;
            if !crosses(side, limit_of(&order), price) {
                break;
            }
            if maker.order.account == order.account && order.self_trade.is_some() {
                if order.self_trade != Some(SelfTradePrevention::CancelNewest) {
                    self.book.remove(at);
                    let why = Said::Cancelled(CancelReason::SelfTrade);
                    self.say(maker.order.id.0, maker.left, why);
                }
                if order.self_trade != Some(SelfTradePrevention::CancelOldest) {
                    stopped = Some(CancelReason::SelfTrade);
                }
                continue;
            }
            let qty = left.min(maker.shown);
            left -= qty;
            self.fill_maker(at, qty);
            self.last = Some(price);
            self.traded.push(price);
            let (m, t) = (maker.order.id.0, order.id.0);
            self.lines.push(Line::Trade(m, t, price, qty, maker.left - qty, left));
            for (leg, filled) in [(maker.order.terms.oco.0, m), (order.terms.oco.0, t)] {
                let is_leg = |open: Open| open.order.terms.oco.0 == filled;
                if leg != 0 && self.find(leg).is_some_and(is_leg) {
                    self.drop_order(leg, CancelReason::Oco);
                }
            }
        }
        if left == 0 {
            return;
        }
        let reason = match order.terms.time_in_force {
            _ if stopped.is_some() => stopped,
            _ if is_market(own_type) => Some(CancelReason::NoLiquidity),
            TimeInForce::Ioc | TimeInForce::Fok => Some(CancelReason::IocRemainder),
            _ => None,
        };
        if let Some(reason) = reason {
            return self.say(order.id.0, left, Said::Cancelled(reason));
        }
        self.seq += 1;
        let shown = shown(&order, left);
        self.book.push(Open { order, left, shown, seq: self.seq, entered: self.seq });
        self.say(order.id.0, left, Said::Rested);
    }

    fn fill_maker(&mut self, at: usize, qty: i64) {
        let maker = &mut self.book[at];
        maker.left -= qty;
        maker.shown -= qty;
        if maker.left == 0 {
            self.book.remove(at);
        } else if maker.shown == 0 {
            self.seq += 1;
            maker.seq = self.seq;
            maker.shown = shown(&maker.order, maker.left);
        }
    }

    pub fn cancel(&mut self, id: u64, account: u32, now: i64) {
        self.expire(now);
        if self.find(id).is_some_and(|open| open.order.account.0 == account) {
            self.drop_order(id, CancelReason::Requested);
            self.repeg();
        } else {
            self.say(id, 0, Said::CancelRejected(RejectReason::UnknownOrder));
        }
    }

    fn drop_order(&mut self, id: u64, why: CancelReason) {
        for list in [&mut self.book, &mut self.armed] {
            if let Some(at) = list.iter().position(|o| o.order.id.0 == id) {
                let gone = list.remove(at);
                self.lines.push(Line::Order(id, gone.left, Said::Cancelled(why)));
                return;
            }
        }
    }

    pub fn amend(&mut self, id: u64, account: u32, price: i64, qty: i64, now: i64) {
        self.expire(now);
        let Some(open) = self.find(id).filter(|open| open.order.account.0 == account) else {
            return self.say(id, 0, Said::AmendRejected(RejectReason::UnknownOrder));
        };
        let filled = open.order.terms.qty.0 - open.left;
        if qty > 0 && qty <= filled {
            self.drop_order(id, CancelReason::Requested);
            return self.settle();
        }
        let is_armed = self.armed.iter().any(|o| o.order.id.0 == id);
        let mut after = open.order;
        after.terms.qty = Lots(qty);
        match after.terms.order_type {
            OrderType::TrailingStop | OrderType::Pegged => {}
            _ if is_armed => after.terms.trigger = Ticks(price),
            _ => after.terms.price = Ticks(price),
        }
        let checked = if self.halted {
            Err(RejectReason::Halted)
        } else if qty < 1 {
            Err(RejectReason::BadQuantity)
        } else if is_armed {
            let due = self.is_due(&after);
            if due {
                Err(RejectReason::WouldTriggerImmediately)
            } else {
                Ok(())
            }
        } else {
            self.check_crossing(&after, qty - filled)
        };
        if let Err(why) = checked {
            return self.say(id, open.left, Said::AmendRejected(why));
        }
        let left = qty - filled;
        self.say(id, left, Said::Amended);
        let (before, now_at) = (open.order.terms, after.terms);
        if is_armed {
            let keeps = before.trigger == now_at.trigger && now_at.qty <= before.qty;
            self.seq += 1;
            let seq = self.seq;
            if let Some(armed) = self.armed.iter_mut().find(|o| o.order.id.0 == id) {
                let seq = if keeps { armed.seq } else { seq };
                *armed = Open { order: after, left, shown: 0, seq, entered: 0 };
            }
        } else if before.price == now_at.price && now_at.qty <= before.qty {
            if let Some(resting) = self.book.iter_mut().find(|o| o.order.id.0 == id) {
                resting.order = after;
                resting.left = left;
                resting.shown = resting.shown.min(left);
            }
        } else {
            self.reenter(id, after, left);
        }
        self.settle();
    }

    fn reenter(&mut self, id: u64, after: NewOrder, left: i64) {
        let Some(at) = self.book.iter().position(|o| o.order.id.0 == id) else { return };
        let entered = self.book.remove(at).entered;
        let best = self.best(after.terms.side.opposite());
        if best.is_some_and(|best| crosses(after.terms.side, after.terms.price.0, best)) {
            return self.run(after, left);
        }
        self.seq += 1;
        let shown = shown(&after, left);
        self.book.push(Open { order: after, left, shown, seq: self.seq, entered });
    }

    pub fn set_halted(&mut self, halted: bool) {
        self.halted = halted;
        self.settle();
    }

    pub fn expire(&mut self, now: i64) {
        let mut due: Vec<(i64, u64)> = self
            .book
            .iter()
            .chain(&self.armed)
            .filter(|o| o.order.terms.time_in_force == TimeInForce::Gtd)
            .filter(|o| o.order.terms.expire_ns <= now)
            .map(|o| (o.order.terms.expire_ns, o.order.id.0))
            .collect();
        due.sort_unstable();
        for (_, id) in due {
            self.drop_order(id, CancelReason::Expired);
        }
    }

    fn find(&self, id: u64) -> Option<Open> {
        self.book.iter().chain(&self.armed).find(|o| o.order.id.0 == id).copied()
    }

    fn is_due(&self, order: &NewOrder) -> bool {
        self.last.is_some_and(|last| {
            if rises(order) {
                last >= order.terms.trigger.0
            } else {
                last <= order.terms.trigger.0
            }
        })
    }

    fn settle(&mut self) {
        if self.armed.is_empty() {
            self.traded.clear();
        }
        while !self.halted {
            self.trail();
            let due = |o: &&Open| self.is_due(&o.order);
            // The nearest trigger first; what a rise sets off before what a fall does.
            let next = self.armed.iter().filter(due).min_by_key(|o| {
                let (up, trigger) = (rises(&o.order), o.order.terms.trigger.0);
                (!up, if up { trigger } else { -trigger }, o.seq)
            });
            let Some(order) = next.map(|o| o.order) else { break };
            self.armed.retain(|o| o.order.id != order.id);
            let left = order.terms.qty.0;
            self.say(order.id.0, left, Said::Triggered);
            match self.check_crossing(&order, left) {
                Err(why) => self.say(order.id.0, left, Said::Rejected(why)),
                Ok(()) => self.run(order, left),
            }
        }
        self.repeg();
    }

    fn trail(&mut self) {
        let (Some(low), Some(high)) = (self.traded.iter().min(), self.traded.iter().max()) else {
            return;
        };
        let (low, high) = (*low, *high);
        self.traded.clear();
        let trailing = |o: &&mut Open| o.order.terms.order_type == OrderType::TrailingStop;
        for open in self.armed.iter_mut().filter(trailing) {
            let terms = &mut open.order.terms;
            let (old, offset) = (terms.trigger.0, terms.offset.0);
            let new = match terms.side {
                Side::Sell => old.max(high - offset),
                Side::Buy => old.min(low + offset),
            };
            if new != old {
                terms.trigger = Ticks(new);
                self.seq += 1;
                open.seq = self.seq;
            }
        }
    }

    fn peg_price(&self, order: &NewOrder) -> Option<i64> {
        let side = order.terms.side;
        let own = self.book.iter().filter(|o| {
            o.order.terms.side == side && o.order.terms.order_type != OrderType::Pegged
        });
        let best = own.map(|o| o.order.terms.price.0 * side.sign()).max()? * side.sign();
        let wanted = best - side.sign() * order.terms.offset.0;
        let price = match (side, self.best(side.opposite())) {
            (Side::Buy, Some(ask)) => wanted.min(ask - 1),
            (Side::Sell, Some(bid)) => wanted.max(bid + 1),
            (_, None) => wanted,
        };
        (price > 0).then_some(price)
    }

    fn repeg(&mut self) {
        let is_peg = |o: &&Open| o.order.terms.order_type == OrderType::Pegged;
        let mut pegs: Vec<(u64, u64)> =
            self.book.iter().filter(is_peg).map(|o| (o.entered, o.order.id.0)).collect();
        pegs.sort_unstable();
        for (_, id) in pegs {
            let Some(at) = self.book.iter().position(|o| o.order.id.0 == id) else { continue };
            let order = self.book[at].order;
            let Some(price) = self.peg_price(&order) else { continue };
            if price != order.terms.price.0 {
                self.seq += 1;
                self.book[at].order.terms.price = Ticks(price);
                self.book[at].seq = self.seq;
                self.say(id, self.book[at].left, Said::Amended);
            }
        }
    }
}

fn limit_of(order: &NewOrder) -> i64 {
    match order.terms.side {
        _ if !is_market(order.terms.order_type) => order.terms.price.0,
        Side::Buy => i64::MAX,
        Side::Sell => i64::MIN,
    }
}

fn shown(order: &NewOrder, left: i64) -> i64 {
    if order.terms.order_type == OrderType::Iceberg {
        left.min(order.terms.display.0)
    } else {
        left
    }
}
