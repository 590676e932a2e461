//! Levels and trades of a recording on the matching engine, members' orders among them.
//!
//! The rules are those of the simulated venue (`docs/explanation/simulated-venue.md`), carried out
//! with orders: each level is what the recording last set it to, in one order of the recording's own
//! account, or in several with members' orders between them. A level that shrinks gives way before
//! and behind a member as the queue model says, one that grows does so at the back. A trade takes
//! what stands before members and then from them, and leaves levels as they are: the recording says
//! in a level what trades did to it. What members take is gone until the level is set again.

use mainspring_book::{L2Book, LadderConfig, Trust};
use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::{Lots, Side, Ticks, TimeNs};
use mainspring_exchange::recorded::Stage;
use mainspring_exchange::OrderId;
use mainspring_sim::{QueueModel, QueuePosition};

/// A level that the message in hand has set.
#[derive(Clone, Copy, Debug)]
struct Change {
    side: Side,
    price: Ticks,
    /// What the recording had there before.
    before: i64,
    /// Its place in the message: the first of a level knows what was there.
    number: usize,
}

/// An order in a queue of the engine.
#[derive(Clone, Copy, Debug)]
struct Queued {
    id: OrderId,
    lots: i64,
    is_member: bool,
}

/// What a recording of levels says, and what of it is still to be done.
#[derive(Clone, Debug)]
pub struct Levels {
    /// The book of the recording, as it was.
    book: L2Book,
    model: QueueModel,
    /// One lot in units of the base, which the log queue models count in.
    lot_units: f64,
    changes: Vec<Change>,
    /// Lots that traded at levels where members stand, since each was last set.
    traded: Vec<(Side, Ticks, i64)>,
    /// Whether the whole book is to become the recording's.
    is_whole: bool,
    next_id: u64,
    /// Kept for their capacity.
    queue: Vec<Queued>,
    aside: Vec<(Ticks, i64)>,
    prices: Vec<Ticks>,
}

impl Levels {
    /// An empty book of a market whose lot is so many units of the base.
    #[must_use]
    pub fn new(model: QueueModel, lot_units: f64) -> Self {
        Self {
            book: L2Book::new(LadderConfig::default()),
            model,
            lot_units,
            changes: Vec::with_capacity(1 << 10),
            traded: Vec::with_capacity(64),
            is_whole: false,
            next_id: 1,
            queue: Vec::with_capacity(64),
            aside: Vec::with_capacity(64),
            prices: Vec::with_capacity(1 << 10),
        }
    }

    /// The book of the recording, as it was without members.
    #[must_use]
    pub const fn book(&self) -> &L2Book {
        &self.book
    }

    /// One row of the recording happens at `now`. Levels change at the end of their message: what
    /// shrinks first, so that no two levels of the recording cross that did not.
    pub fn play(&mut self, stage: &mut impl Stage, row: &MarketRow, base: Ticks, now: TimeNs) {
        let (side, price) = (row.side(), row.price(base));
        let kind = RowKind::from_byte(row.kind);
        let is_level = matches!(kind, Some(RowKind::Depth | RowKind::Best));
        self.is_whole |= stage.is_frozen()
            || matches!(kind, Some(RowKind::Clear | RowKind::Gap))
            || (is_level && row.flags & flags::SNAPSHOT != 0);
        match kind {
            Some(RowKind::Trade) if !stage.is_frozen() => {
                self.trade(stage, side, price, row.qty().0, now);
            }
            Some(RowKind::Best) if !self.is_whole => self.note_better(side, price),
            _ => {}
        }
        if is_level && !self.is_whole {
            self.note(side, price);
        }
        self.book.apply(row, base);
        if row.ends_message() {
            self.catch_up(stage, now);
        }
    }

    /// Between messages: what the last one changed is done, or where the engine was frozen its book
    /// becomes the recording's.
    pub fn catch_up(&mut self, stage: &mut impl Stage, now: TimeNs) {
        if stage.is_frozen() || self.book.trust() == Trust::Gapped {
            return;
        }
        if self.is_whole || !self.changes.is_empty() {
            stage.hold();
            self.change_engine(stage, now);
            stage.release(now);
        }
    }

    /// The recording begins again: its levels leave the engine, members' orders stay.
    pub fn restart(&mut self, stage: &mut impl Stage, now: TimeNs) {
        self.book.clear();
        stage.hold();
        self.set_all(stage, now);
        stage.release(now);
    }

    fn note(&mut self, side: Side, price: Ticks) {
        let (before, number) = (self.book.qty(side, price).0, self.changes.len());
        self.changes.push(Change { side, price, before, number });
    }

    /// A best price says that what was better is gone.
    fn note_better(&mut self, side: Side, price: Ticks) {
        let mut prices = std::mem::take(&mut self.prices);
        prices.clear();
        let levels = self.book.levels(side).map(|(level, _)| level);
        prices.extend(levels.take_while(|level| side.better(*level, price)));
        prices.iter().for_each(|level| self.note(side, *level));
        self.prices = prices;
    }

    fn change_engine(&mut self, stage: &mut impl Stage, now: TimeNs) {
        // A book that crosses itself cannot stand on an engine: the newer level does, and the whole
        // book is set again when the recording's is sound.
        let is_crossed = self.book.trust() == Trust::Crossed;
        if self.is_whole && !is_crossed {
            self.set_all(stage, now);
            return;
        }
        self.is_whole |= is_crossed;
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_unstable_by_key(|one| (one.side as u8, one.price, one.number));
        changes.dedup_by_key(|one| (one.side as u8, one.price));
        for grows in [false, true] {
            for one in &changes {
                let after = self.book.qty(one.side, one.price).0;
                let there = self.lots_of(stage, one.side, one.price);
                if (after > there) == grows {
                    self.set_level(stage, one, after, now);
                }
            }
        }
        changes.clear();
        self.changes = changes;
    }

    /// The engine's book becomes the recording's: nothing else of the recording stays.
    fn set_all(&mut self, stage: &mut impl Stage, now: TimeNs) {
        self.is_whole = false;
        self.changes.clear();
        self.traded.clear();
        for side in [Side::Buy, Side::Sell] {
            let mut prices = std::mem::take(&mut self.prices);
            prices.clear();
            prices.extend(stage.market().levels().levels(side).map(|(price, _)| price));
            prices.retain(|price| self.book.qty(side, *price).0 == 0);
            for price in &prices {
                let gone = Change { side, price: *price, before: 0, number: 0 };
                self.set_level(stage, &gone, 0, now);
            }
            self.prices = prices;
        }
        for side in [Side::Buy, Side::Sell] {
            let mut prices = std::mem::take(&mut self.prices);
            prices.clear();
            prices.extend(self.book.levels(side).map(|(price, _)| price));
            for price in &prices {
                let set = Change { side, price: *price, before: 0, number: 0 };
                self.set_level(stage, &set, self.book.qty(side, *price).0, now);
            }
            self.prices = prices;
        }
    }

    /// Reads a queue of the engine. Returns whether a member stands in it.
    fn look(&mut self, stage: &impl Stage, side: Side, price: Ticks) -> bool {
        self.queue.clear();
        let orders = stage.market().orders().queue(side, price);
        self.queue.extend(orders.map(|order| {
            let id = OrderId(order.id);
            Queued { id, lots: order.qty.0, is_member: stage.is_member(id) }
        }));
        self.queue.iter().any(|order| order.is_member)
    }

    /// Lots of the recording at a level of the engine.
    fn lots_of(&mut self, stage: &impl Stage, side: Side, price: Ticks) -> i64 {
        self.look(stage, side, price);
        self.queue.iter().filter(|order| !order.is_member).map(|order| order.lots).sum()
    }

    /// A level of the engine has the recording's lots, with each member's order behind as many of
    /// them as the queue model says.
    fn set_level(&mut self, stage: &mut impl Stage, set: &Change, after: i64, now: TimeNs) {
        let traded = self.take_traded(set.side, set.price);
        self.look(stage, set.side, set.price);
        let queue = std::mem::take(&mut self.queue);
        let (mut ahead, mut kept, mut start) = (0_i64, 0_i64, 0);
        for (at, order) in queue.iter().enumerate().filter(|(_, order)| order.is_member) {
            let between: i64 = queue[start..at].iter().map(|one| one.lots).sum();
            ahead += between;
            let mut position = QueuePosition { front: ahead as f64, traded: traded as f64 };
            position.on_depth(&self.model, set.before as f64, after as f64, self.lot_units);
            // Never sooner than the model says, and nobody moves in front of anybody.
            let front = position.front.max(0.0).ceil() as i64;
            let front = front.min(after).clamp(kept, kept + between);
            shrink(stage, &queue[start..at], front - kept, now);
            (kept, start) = (front, at + 1);
            debug_assert!(order.lots > 0);
        }
        self.set_back(stage, &queue[start..], set, after - kept, now);
        self.queue = queue;
    }

    /// What stands behind the last member is one order, which may grow.
    fn set_back(
        &mut self,
        stage: &mut impl Stage,
        back: &[Queued],
        set: &Change,
        lots: i64,
        now: TimeNs,
    ) {
        match back.split_first() {
            Some((first, more)) => {
                more.iter().for_each(|order| stage.set_left(order.id, 0, now));
                stage.set_left(first.id, lots, now);
            }
            None if lots > 0 => self.join(stage, set.side, set.price, lots, now),
            None => {}
        }
    }

    fn join(&mut self, stage: &mut impl Stage, side: Side, price: Ticks, lots: i64, now: TimeNs) {
        let id = stage.order_id(self.next_id);
        self.next_id += 1;
        stage.add(id, (side, price, Lots(lots)), now, None);
    }

    /// A taker of the recording passes: members that he would have met have the first claim, each
    /// after what stands in front of it at the trade's price. Levels stay as they were.
    fn trade(&mut self, stage: &mut impl Stage, taker: Side, price: Ticks, qty: i64, now: TimeNs) {
        let theirs = taker.opposite();
        if qty <= 0 {
            return;
        }
        if !is_member_within(stage, theirs, price) {
            stage.trade_outside((taker, price, Lots(qty)), 0, now);
            return;
        }
        stage.hold();
        self.trade_with_members(stage, taker, price, qty, now);
        stage.release(now);
    }

    fn trade_with_members(
        &mut self,
        stage: &mut impl Stage,
        taker: Side,
        price: Ticks,
        qty: i64,
        now: TimeNs,
    ) {
        let theirs = taker.opposite();
        let at_price = self.lots_of(stage, theirs, price);
        self.lift_better(stage, theirs, price, now);
        let left = stage.take((taker, price, Lots(qty)), now);
        if left.0 > 0 {
            stage.trade_outside((taker, price, left), 0, now);
        }
        for at in 0..self.aside.len() {
            let (level, lots) = self.aside[at];
            self.join(stage, theirs, level, lots, now);
        }
        let missing = at_price - self.lots_of(stage, theirs, price);
        if missing > 0 {
            self.join(stage, theirs, price, missing, now);
        }
        if self.look(stage, theirs, price) {
            self.add_traded(theirs, price, qty);
        }
    }

    /// A trade at a price says that nothing better of the recording was in its way.
    fn lift_better(&mut self, stage: &mut impl Stage, side: Side, price: Ticks, now: TimeNs) {
        self.aside.clear();
        let mut prices = std::mem::take(&mut self.prices);
        prices.clear();
        let levels = stage.market().levels().levels(side).map(|(level, _)| level);
        prices.extend(levels.take_while(|level| side.better(*level, price)));
        for level in &prices {
            let lots = self.lots_of(stage, side, *level);
            let theirs = self.queue.iter().filter(|order| !order.is_member);
            theirs.for_each(|order| stage.set_left(order.id, 0, now));
            if lots > 0 {
                self.aside.push((*level, lots));
            }
        }
        self.prices = prices;
    }

    fn add_traded(&mut self, side: Side, price: Ticks, qty: i64) {
        match self.traded.iter_mut().find(|one| (one.0, one.1) == (side, price)) {
            Some(one) => one.2 += qty,
            None => self.traded.push((side, price, qty)),
        }
    }

    fn take_traded(&mut self, side: Side, price: Ticks) -> i64 {
        let at = self.traded.iter().position(|one| (one.0, one.1) == (side, price));
        at.map_or(0, |at| self.traded.swap_remove(at).2)
    }
}

/// Brings orders that stand in a row to so many lots in all, from the back.
fn shrink(stage: &mut impl Stage, row: &[Queued], mut lots: i64, now: TimeNs) {
    for order in row {
        let kept = order.lots.min(lots);
        lots -= kept;
        if kept < order.lots {
            stage.set_left(order.id, kept, now);
        }
    }
}

/// Whether a taker at a price would meet a member sooner or later.
fn is_member_within(stage: &impl Stage, side: Side, price: Ticks) -> bool {
    let orders = stage.market().orders();
    let levels = orders.l2().levels(side).map(|(level, _)| level);
    levels
        .take_while(|level| side.at_least(*level, price))
        .any(|level| orders.queue(side, level).any(|order| stage.is_member(OrderId(order.id))))
}
