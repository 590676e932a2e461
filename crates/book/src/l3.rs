//! The L3 book: every order in its queue, in price-time priority.

use mainspring_core::event::{flags, OrderRow, RowKind};
use mainspring_core::order::Side;
use mainspring_core::units::{Lots, Ticks};

use crate::chained::{Buckets, Chained};
use crate::l2::L2Book;
use crate::ladder::LadderConfig;
use crate::slab::{Slab, NIL};
use crate::trust::Trust;

/// Sizes of an [`L3Book`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L3Config {
    /// Orders that fit before anything is allocated.
    pub reserved_orders: usize,
    /// Most orders at one time; one more is refused with [`L3Fault::Full`].
    pub max_orders: usize,
    /// Windows of the aggregated view.
    pub ladder: LadderConfig,
}

impl Default for L3Config {
    fn default() -> Self {
        Self { reserved_orders: 4_096, max_orders: 1 << 24, ladder: LadderConfig::default() }
    }
}

/// Why an order event did not fit the book. The book is then not trusted: rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum L3Fault {
    /// An order that is not in the book was changed, deleted or executed.
    UnknownOrder,
    /// An order was added whose id is in the book already.
    DuplicateOrder,
    /// A quantity that is not positive, an execution of more than was left, or a level whose
    /// total would no longer fit 64 bits.
    BadQuantity,
    /// A price that no order can have ([`crate::NO_BID`], [`crate::NO_ASK`]).
    BadPrice,
    /// The book holds [`L3Config::max_orders`] orders.
    Full,
}

/// An order of an [`L3Book`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// The venue's id.
    pub id: u64,
    /// Bid or ask.
    pub side: Side,
    /// Limit price.
    pub price: Ticks,
    /// What is left of it.
    pub qty: Lots,
}

/// Where an order is kept while it rests: an index that no other resting order has, small enough
/// to keep facts about orders in a plain array beside the book. Ends with the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(pub u32);

#[derive(Clone, Copy, Debug)]
struct Node {
    order: RestingOrder,
    queue: u32,
    ahead: u32,
    behind: u32,
    /// The index by id keeps it.
    chain: u32,
}

impl Chained for Node {
    #[inline]
    fn hash(&self) -> u64 {
        hash_id(self.order.id)
    }

    #[inline]
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }

    #[inline]
    fn next(&self) -> u32 {
        self.chain
    }
}

/// The orders of one level, oldest first, behind what was there before we saw orders.
#[derive(Clone, Copy, Debug)]
struct Queue {
    side: Side,
    price: Ticks,
    anonymous: Lots,
    first: u32,
    last: u32,
    /// The index by price keeps it.
    chain: u32,
}

impl Chained for Queue {
    #[inline]
    fn hash(&self) -> u64 {
        hash_price(self.side, self.price)
    }

    #[inline]
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }

    #[inline]
    fn next(&self) -> u32 {
        self.chain
    }
}

/// Every order of both sides in price-time priority, with the aggregated L2 view.
///
/// Orders are nodes of linked lists over a slab, found by id through chains by a fixed
/// hash. Nothing is allocated once the tables have reached their working size.
///
/// A feed that starts in the middle of the day knows levels but not their orders: such quantity
/// is *anonymous* ([`L3Book::set_anonymous`]), stands in front of its queue, and deletions and
/// executions of unknown orders at its price are taken from it.
#[derive(Clone, Debug)]
pub struct L3Book {
    nodes: Slab<Node>,
    queues: Slab<Queue>,
    by_id: Buckets,
    by_price: Buckets,
    l2: L2Book,
    faults: u64,
    max_orders: usize,
}

impl Default for L3Book {
    fn default() -> Self {
        Self::new(L3Config::default())
    }
}

/// A fixed hash: both halves of a 128-bit product with an odd constant (2^64 / golden ratio).
#[inline]
const fn hash(value: u64) -> u64 {
    let product = value as u128 * 0x9E37_79B9_7F4A_7C15;
    product as u64 ^ (product >> 64) as u64
}

/// Ids that follow each other share a cache line of the index, in which orders that are placed together
/// are found together; runs of sixteen are spread by [`hash`].
#[inline]
const fn hash_id(id: u64) -> u64 {
    hash(id >> 4) & !15 | id & 15
}

/// As of ids: both sides of eight prices in a row share a cache line.
#[inline]
const fn hash_price(side: Side, price: Ticks) -> u64 {
    let key = ((price.0 as u64) << 1) ^ side as u64;
    hash(key >> 4) & !15 | key & 15
}

impl L3Book {
    /// An empty book.
    #[must_use]
    pub fn new(config: L3Config) -> Self {
        let count = config.reserved_orders.min(config.max_orders);
        Self {
            nodes: Slab::with_capacity(count),
            queues: Slab::with_capacity(count),
            by_id: Buckets::with_capacity(count),
            by_price: Buckets::with_capacity(count),
            l2: L2Book::new(config.ladder),
            faults: 0,
            max_orders: config.max_orders.min(NIL as usize),
        }
    }

    /// The aggregated view; its trust is the book's.
    #[inline]
    #[must_use]
    pub const fn l2(&self) -> &L2Book {
        &self.l2
    }

    /// Whether the book can be believed. A fault counts as a gap.
    #[inline]
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.l2.trust()
    }

    /// How many rows given to [`L3Book::apply`] did not fit the book.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    /// The number of orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are no orders.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An order by its id.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<RestingOrder> {
        self.find(id).map(|at| self.nodes[at].order)
    }

    /// The place of an order.
    #[inline]
    #[must_use]
    pub fn place(&self, id: u64) -> Option<Place> {
        self.find(id).map(Place)
    }

    /// The order at a place.
    ///
    /// # Panics
    /// When the place was never given out by this book; the order of one that has ended is any.
    #[inline]
    #[must_use]
    pub fn at(&self, place: Place) -> RestingOrder {
        self.nodes[place.0].order
    }

    /// The first order to trade at a price.
    #[inline]
    #[must_use]
    pub fn first(&self, side: Side, price: Ticks) -> Option<Place> {
        let first = self.queues[self.find_queue(side, price)?].first;
        (first != NIL).then_some(Place(first))
    }

    /// The order behind another at the same price.
    #[inline]
    #[must_use]
    pub fn behind(&self, place: Place) -> Option<Place> {
        let behind = self.nodes[place.0].behind;
        (behind != NIL).then_some(Place(behind))
    }

    /// The quantity that trades before this order at its price.
    ///
    /// Walks the queue from the order to its front.
    #[must_use]
    pub fn qty_ahead(&self, id: u64) -> Option<Lots> {
        let node = &self.nodes[self.find(id)?];
        let mut total = self.queues[node.queue].anonymous;
        let mut at = node.ahead;
        while at != NIL {
            total += self.nodes[at].order.qty;
            at = self.nodes[at].ahead;
        }
        Some(total)
    }

    /// The orders at a price, first to trade first.
    pub fn queue(&self, side: Side, price: Ticks) -> impl Iterator<Item = RestingOrder> + '_ {
        let first = self.find_queue(side, price).map_or(NIL, |at| self.queues[at].first);
        let node = move |at: u32| (at != NIL).then(|| &self.nodes[at]);
        std::iter::successors(node(first), move |n| node(n.behind)).map(|n| n.order)
    }

    /// The quantity at a price that belongs to no known order.
    #[must_use]
    pub fn anonymous(&self, side: Side, price: Ticks) -> Lots {
        self.find_queue(side, price).map_or(Lots(0), |at| self.queues[at].anonymous)
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.clear_orders();
        self.l2.clear();
    }

    fn clear_orders(&mut self) {
        self.nodes.clear();
        self.queues.clear();
        self.by_id.clear();
        self.by_price.clear();
    }

    /// Adds an order behind all others at its price.
    ///
    /// # Errors
    /// When the id is in the book, the quantity is not positive, or the book is full.
    pub fn add(&mut self, id: u64, side: Side, price: Ticks, qty: Lots) -> Result<Place, L3Fault> {
        if qty.0 > 0 && self.find(id).is_some() {
            return Err(L3Fault::DuplicateOrder);
        }
        self.add_new(id, side, price, qty)
    }

    /// [`L3Book::add`] of an order whose id the caller knows not to be in the book.
    ///
    /// # Errors
    /// When the quantity is not positive, or the book is full.
    pub fn add_new(
        &mut self,
        id: u64,
        side: Side,
        price: Ticks,
        qty: Lots,
    ) -> Result<Place, L3Fault> {
        if qty.0 <= 0 {
            return Err(L3Fault::BadQuantity);
        }
        debug_assert!(self.find(id).is_none(), "order {id} is in the book");
        if self.len() >= self.max_orders {
            return Err(L3Fault::Full);
        }
        self.check_room(side, price, qty)?;
        let queue = self.find_or_add_queue(side, price)?;
        let order = RestingOrder { id, side, price, qty };
        let at = self.nodes.insert(Node { order, queue, ahead: NIL, behind: NIL, chain: NIL });
        self.by_id.insert(&mut self.nodes, at);
        self.append(at);
        self.shift_level(side, price, qty);
        Ok(Place(at))
    }

    /// Puts an order behind all others at its price, with a new quantity that must be positive.
    ///
    /// # Errors
    /// When the quantity is not positive, or the level would be too large.
    pub fn requeue(&mut self, place: Place, qty: Lots) -> Result<(), L3Fault> {
        let at = place.0;
        let order = self.nodes[at].order;
        if qty.0 <= 0 {
            return Err(L3Fault::BadQuantity);
        }
        self.check_room(order.side, order.price, qty - order.qty)?;
        if self.nodes[at].behind != NIL {
            self.detach(at);
            self.append(at);
        }
        self.nodes[at].order.qty = qty;
        self.shift_level(order.side, order.price, qty - order.qty);
        Ok(())
    }

    /// Sets what is left of an order, and its price.
    ///
    /// A smaller quantity at the same price keeps its place; a larger one or another price goes
    /// behind all others there. A quantity of zero deletes the order.
    ///
    /// # Errors
    /// When the order is unknown, or the quantity negative.
    pub fn modify(&mut self, id: u64, price: Ticks, qty: Lots) -> Result<(), L3Fault> {
        let place = self.place(id).ok_or(L3Fault::UnknownOrder)?;
        self.modify_at(place, price, qty)
    }

    /// [`L3Book::modify`] of the order at a place, which must rest.
    ///
    /// # Errors
    /// When the quantity is negative, or the level would be too large.
    pub fn modify_at(&mut self, place: Place, price: Ticks, qty: Lots) -> Result<(), L3Fault> {
        let at = place.0;
        if qty.0 < 0 {
            return Err(L3Fault::BadQuantity);
        }
        let order = self.nodes[at].order;
        if qty.0 == 0 {
            self.remove(at);
        } else if price != order.price {
            self.check_room(order.side, price, qty)?;
            let queue = self.find_or_add_queue(order.side, price)?;
            self.unlink(at);
            self.shift_level(order.side, order.price, -order.qty);
            self.nodes[at].order = RestingOrder { price, qty, ..order };
            self.nodes[at].queue = queue;
            self.append(at);
            self.shift_level(order.side, price, qty);
        } else {
            self.check_room(order.side, price, qty - order.qty)?;
            if qty > order.qty && self.nodes[at].behind != NIL {
                self.detach(at);
                self.append(at);
            }
            self.nodes[at].order.qty = qty;
            self.shift_level(order.side, price, qty - order.qty);
        }
        Ok(())
    }

    /// Removes an order.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn delete(&mut self, id: u64) -> Result<(), L3Fault> {
        let at = self.find(id).ok_or(L3Fault::UnknownOrder)?;
        self.remove(at);
        Ok(())
    }

    /// [`L3Book::delete`] of the order at a place, which must rest.
    #[inline]
    pub fn delete_at(&mut self, place: Place) {
        self.remove(place.0);
    }

    /// Executes part or all of an order.
    ///
    /// # Errors
    /// When it is unknown, or the quantity is not positive or more than what is left; in the
    /// last case the order is removed.
    pub fn execute(&mut self, id: u64, qty: Lots) -> Result<(), L3Fault> {
        let place = self.place(id).ok_or(L3Fault::UnknownOrder)?;
        self.execute_at(place, qty)
    }

    /// [`L3Book::execute`] of the order at a place.
    ///
    /// # Errors
    /// When the quantity is not positive or more than what is left.
    #[inline]
    pub fn execute_at(&mut self, place: Place, qty: Lots) -> Result<(), L3Fault> {
        let at = place.0;
        let order = self.nodes[at].order;
        if qty.0 <= 0 {
            return Err(L3Fault::BadQuantity);
        }
        if qty >= order.qty {
            self.remove(at);
            return if qty == order.qty { Ok(()) } else { Err(L3Fault::BadQuantity) };
        }
        self.nodes[at].order.qty = order.qty - qty;
        self.shift_level(order.side, order.price, -qty);
        Ok(())
    }

    /// Sets the quantity at a price that belongs to orders we know nothing of.
    ///
    /// # Errors
    /// When the quantity is negative or the price cannot be a level.
    pub fn set_anonymous(&mut self, side: Side, price: Ticks, qty: Lots) -> Result<(), L3Fault> {
        if qty.0 < 0 {
            return Err(L3Fault::BadQuantity);
        }
        self.check_room(side, price, qty - self.anonymous(side, price))?;
        let at = self.find_or_add_queue(side, price)?;
        let previous = std::mem::replace(&mut self.queues[at].anonymous, qty);
        self.shift_level(side, price, qty - previous);
        self.drop_queue_if_empty(at);
        Ok(())
    }

    /// Applies one row of the feed.
    ///
    /// The order kinds do what the methods of their names do; deletions and executions of unknown
    /// orders reduce the anonymous quantity at their price when there is enough of it.
    /// [`RowKind::Depth`] rows set anonymous quantity. Clear, gap, snapshots and the end of a
    /// message are as in [`L2Book::apply`].
    ///
    /// # Errors
    /// When the row does not fit the book, which then counts as gapped. Except for an execution
    /// of too much, the row changes nothing.
    pub fn apply(&mut self, row: &OrderRow, base: Ticks) -> Result<(), L3Fault> {
        let market = &row.market;
        if market.flags & flags::SNAPSHOT != 0 && self.l2.begin_snapshot_once() {
            self.clear_orders();
        }
        let outcome = self.apply_kind(row, base);
        if outcome.is_err() {
            self.faults += 1;
            self.l2.mark_gap();
        }
        if market.ends_message() {
            self.l2.end_message();
        }
        outcome
    }

    fn apply_kind(&mut self, row: &OrderRow, base: Ticks) -> Result<(), L3Fault> {
        let market = &row.market;
        let (id, side, price, qty) =
            (row.order_id, market.side(), market.price(base), market.qty());
        match RowKind::from_byte(market.kind) {
            Some(RowKind::OrderAdd) => self.add(id, side, price, qty).map(|_| ())?,
            Some(RowKind::OrderModify) => self.modify(id, price, qty)?,
            Some(RowKind::OrderDelete) => {
                self.delete(id).or_else(|fault| self.take_anonymous(fault, side, price, qty))?;
            }
            Some(RowKind::OrderExecute) => {
                self.execute(id, qty)
                    .or_else(|fault| self.take_anonymous(fault, side, price, qty))?;
            }
            Some(RowKind::Depth) => self.set_anonymous(side, price, qty)?,
            Some(RowKind::Clear) => {
                self.clear_orders();
                self.l2.begin_snapshot();
                return Ok(());
            }
            Some(RowKind::Gap) => {
                self.l2.mark_gap();
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.l2.mark_depth();
        Ok(())
    }

    fn take_anonymous(
        &mut self,
        fault: L3Fault,
        side: Side,
        price: Ticks,
        qty: Lots,
    ) -> Result<(), L3Fault> {
        let held = self.anonymous(side, price);
        if fault != L3Fault::UnknownOrder || qty.0 <= 0 || qty > held {
            return Err(fault);
        }
        self.set_anonymous(side, price, held - qty)
    }

    #[inline]
    fn find(&self, id: u64) -> Option<u32> {
        self.by_id.find(&self.nodes, hash_id(id), |node| node.order.id == id)
    }

    #[inline]
    fn find_queue(&self, side: Side, price: Ticks) -> Option<u32> {
        let is_meant = |queue: &Queue| queue.price == price && queue.side == side;
        self.by_price.find(&self.queues, hash_price(side, price), is_meant)
    }

    fn find_or_add_queue(&mut self, side: Side, price: Ticks) -> Result<u32, L3Fault> {
        if let Some(at) = self.find_queue(side, price) {
            return Ok(at);
        }
        if !L2Book::can_hold(side, price) {
            return Err(L3Fault::BadPrice);
        }
        let (anonymous, first, last, chain) = (Lots(0), NIL, NIL, NIL);
        let at = self.queues.insert(Queue { side, price, anonymous, first, last, chain });
        self.by_price.insert(&mut self.queues, at);
        Ok(at)
    }

    fn drop_queue_if_empty(&mut self, at: u32) {
        let Queue { anonymous, first, .. } = self.queues[at];
        if first == NIL && anonymous.0 == 0 {
            self.by_price.remove(&mut self.queues, at);
            self.queues.remove(at);
        }
    }

    fn remove(&mut self, at: u32) {
        let RestingOrder { side, price, qty, .. } = self.nodes[at].order;
        self.by_id.remove(&mut self.nodes, at);
        self.unlink(at);
        self.nodes.remove(at);
        self.shift_level(side, price, -qty);
    }

    /// Puts a node at the end of its queue.
    fn append(&mut self, at: u32) {
        let queue = self.nodes[at].queue;
        let last = std::mem::replace(&mut self.queues[queue].last, at);
        self.nodes[at].ahead = last;
        self.nodes[at].behind = NIL;
        if last == NIL {
            self.queues[queue].first = at;
        } else {
            self.nodes[last].behind = at;
        }
    }

    /// Takes a node out of its queue and drops the queue when that was its last order.
    fn unlink(&mut self, at: u32) {
        self.detach(at);
        self.drop_queue_if_empty(self.nodes[at].queue);
    }

    fn detach(&mut self, at: u32) {
        let Node { queue, ahead, behind, .. } = self.nodes[at];
        if ahead == NIL {
            self.queues[queue].first = behind;
        } else {
            self.nodes[ahead].behind = behind;
        }
        if behind == NIL {
            self.queues[queue].last = ahead;
        } else {
            self.nodes[behind].ahead = ahead;
        }
    }

    /// Whether a level can take this much more and still be counted.
    fn check_room(&self, side: Side, price: Ticks, more: Lots) -> Result<(), L3Fault> {
        let sum = self.l2.qty(side, price).0.checked_add(more.0);
        sum.map(|_| ()).ok_or(L3Fault::BadQuantity)
    }

    #[inline]
    fn shift_level(&mut self, side: Side, price: Ticks, by: Lots) {
        let qty = self.l2.qty(side, price) + by;
        self.l2.set(side, price, qty);
    }
}
