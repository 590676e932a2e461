//! The orders of a recording on the matching engine, members' among them.
//!
//! Everybody of the recording sends the messages that he sent, whatever members do: the same orders,
//! the same cancels of whatever is left of them, and takers of the same size at the same price. Who
//! trades with whom is the engine's doing. Without an order of a member its book is the recording's,
//! after each message; what members take or provide is the difference, until others have traded it
//! away.

use mainspring_book::{L3Book, L3Config};
use mainspring_core::event::{flags, OrderRow, RowKind};
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, Lots, PriceGrid, Result, Side, Ticks, TimeNs,
};

use crate::market::Market;
use crate::order::OrderId;

/// Ids of a recording's orders are below this; who plays it puts members' and takers' elsewhere.
pub const RECORDED_IDS: u64 = 1 << 60;

/// An instrument whose market takes whatever was recorded: what it asks of an order is asked of members
/// by others.
#[must_use]
pub fn without_rules(instrument: &Instrument) -> Instrument {
    Instrument {
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        grids: vec![PriceGrid::fixed(instrument.tick())],
        ..instrument.clone()
    }
}

/// Side, price and quantity.
pub type Level = (Side, Ticks, Lots);

/// The market that a recording is played on.
pub trait Stage {
    /// The engine's market.
    fn market(&self) -> &Market;

    /// The engine's id of an order of the recording.
    fn order_id(&self, id: u64) -> OrderId;

    /// The engine's id of what rests at a level without an order that the recording names.
    fn nameless_id(&self, side: Side, price: Ticks) -> OrderId;

    /// Whether an order of the engine is a member's.
    fn is_member(&self, id: OrderId) -> bool;

    /// Whether nothing is to happen on the engine now; when that ends, its book becomes the
    /// recording's at the end of the next message.
    fn is_frozen(&self) -> bool {
        false
    }

    /// An order of the recording comes. Those of the recording that it meets are appended to `met`.
    fn add(&mut self, id: OrderId, level: Level, now: TimeNs, met: Option<&mut Vec<Met>>);

    /// Somebody of the recording takes what is at a price or better. Returns what found nothing.
    fn take(&mut self, level: Level, now: TimeNs) -> Lots;

    /// Brings an order of the recording to what is left of it; none ends it.
    fn set_left(&mut self, id: OrderId, left: i64, now: TimeNs);

    /// Changes an order of the recording to a price and a whole quantity.
    fn change(&mut self, id: OrderId, level: Level, now: TimeNs);

    /// An order of the recording traded so many lots, leaving `left`, although others were in front.
    fn execute_aside(&mut self, id: OrderId, left: i64, traded: Level, now: TimeNs);

    /// A taker met an order that nobody sees. `bits` are the flags of the row that says so.
    fn trade_outside(&mut self, trade: Level, bits: u8, now: TimeNs);

    /// Something that has no order is said: marks, funding, status, gaps.
    fn pass_on(&mut self, kind: RowKind, row: &OrderRow, price: Ticks, now: TimeNs);

    /// Appends the ids of the recording's open orders, lowest first.
    fn recorded_ids(&self, ids: &mut Vec<OrderId>);

    /// What comes until [`Stage::release`] is one step for triggers and pegs.
    fn hold(&mut self) {}

    /// The end of what [`Stage::hold`] began.
    fn release(&mut self, _now: TimeNs) {}

    /// The book is about to become that of a snapshot, order by order.
    fn begin_snapshot(&mut self) {}

    /// It has become that.
    fn end_snapshot(&mut self, _now: TimeNs) {}
}

/// An order that an arriving one met, and the lots that they traded.
pub type Met = (OrderId, Lots);

/// What the recording says, and where the engine differs.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The book of the recording, as it was.
    book: L3Book,
    /// Whether the message so far is a snapshot.
    snapshot: bool,
    early: Early,
    /// Kept for their capacity.
    ids: Vec<OrderId>,
    met: Vec<Met>,
}

/// Lots that orders of the recording traded here before the recording tells it: a feed that shows a
/// taker as an order tells only later whom he met.
#[derive(Clone, Debug, Default)]
struct Early(Vec<(OrderId, i64)>);

/// Orders whose trades are told so much later that nobody waits for it any more: the oldest go.
const MOST_EARLY: usize = 1_024;

impl Early {
    fn add(&mut self, id: OrderId, lots: i64) {
        if let Some((_, early)) = self.0.iter_mut().find(|(known, _)| *known == id) {
            *early += lots;
            return;
        }
        if self.0.len() == MOST_EARLY {
            self.0.remove(0);
        }
        self.0.push((id, lots));
    }

    /// What is new in so many lots that the recording takes off an order now.
    fn rest(&mut self, id: OrderId, lots: i64) -> i64 {
        let Some(at) = self.0.iter().position(|(known, _)| *known == id) else { return lots };
        let told = self.0[at].1.min(lots.max(0));
        self.0[at].1 -= told;
        if self.0[at].1 == 0 {
            self.0.swap_remove(at);
        }
        lots - told
    }

    /// The recording has said the last of an order.
    fn forget(&mut self, id: OrderId) {
        self.0.retain(|(known, _)| *known != id);
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            book: L3Book::new(L3Config::default()),
            snapshot: false,
            early: Early(Vec::with_capacity(64)),
            ids: Vec::new(),
            met: Vec::with_capacity(64),
        }
    }
}

/// A row and where it is about.
#[derive(Clone, Copy)]
struct Said<'a> {
    row: &'a OrderRow,
    kind: Option<RowKind>,
    side: Side,
    price: Ticks,
    qty: Lots,
    now: TimeNs,
}

impl Recorded {
    /// The book of the recording, as it was without members.
    #[must_use]
    pub const fn book(&self) -> &L3Book {
        &self.book
    }

    /// One row of the recording happens at `now`.
    ///
    /// # Errors
    /// When an order id is too large to be one of a feed.
    pub fn play(
        &mut self,
        stage: &mut impl Stage,
        row: &OrderRow,
        base: Ticks,
        now: TimeNs,
    ) -> Result<()> {
        if row.order_id >= RECORDED_IDS {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "order id {} of the feed: the matching engine takes ids below 2^60; use fill_model mainspring",
                    row.order_id
                ),
            ));
        }
        let market = &row.market;
        let said = Said {
            row,
            kind: RowKind::from_byte(market.kind),
            side: market.side(),
            price: market.price(base),
            qty: market.qty(),
            now,
        };
        self.snapshot |= market.flags & flags::SNAPSHOT != 0
            || said.kind == Some(RowKind::Clear)
            || stage.is_frozen();
        if !self.snapshot {
            self.apply(stage, &said);
        }
        // A row that does not fit is a gap in the recording's own book; the engine goes on.
        let _ = self.book.apply(row, base);
        if market.ends_message() {
            self.catch_up(stage, now);
        }
        Ok(())
    }

    /// Between messages: where the engine was frozen, or a snapshot came, its book becomes the
    /// recording's.
    pub fn catch_up(&mut self, stage: &mut impl Stage, now: TimeNs) {
        if self.snapshot && !stage.is_frozen() {
            self.snapshot = false;
            self.apply_snapshot(stage, now);
        }
    }

    /// The recording begins again: its orders leave the engine, members' stay where they are.
    pub fn restart(&mut self, stage: &mut impl Stage, now: TimeNs) {
        self.book.clear();
        self.early.0.clear();
        self.snapshot = false;
        self.apply_snapshot(stage, now);
    }

    fn apply(&mut self, stage: &mut impl Stage, said: &Said<'_>) {
        let Said { row, side, price, qty, now, .. } = *said;
        let id = stage.order_id(row.order_id);
        match said.kind {
            Some(RowKind::OrderAdd) => self.add(stage, said),
            Some(RowKind::OrderModify) => self.change(stage, said),
            Some(RowKind::OrderDelete) => {
                self.early.forget(id);
                if self.book.order(row.order_id).is_some() {
                    stage.set_left(id, 0, now);
                } else {
                    shorten_nameless(stage, side, price, qty, now);
                }
            }
            Some(RowKind::OrderExecute) => self.execute(stage, said),
            Some(RowKind::Depth) => {
                let by = self.book.anonymous(side, price) - qty;
                let by = self.early.rest(stage.nameless_id(side, price), by.0);
                shorten_nameless(stage, side, price, Lots(by), now);
            }
            Some(RowKind::Trade) => trade_outside(stage, said),
            Some(kind) => stage.pass_on(kind, row, price, now),
            None => {}
        }
    }

    /// An order comes. Where it crosses in the recording itself, whom it meets the recording will say
    /// later; what it takes from members here is told of somebody else there.
    fn add(&mut self, stage: &mut impl Stage, said: &Said<'_>) {
        let Said { row, side, price, qty, now, .. } = *said;
        let id = stage.order_id(row.order_id);
        let best = self.book.l2().best(side.opposite());
        if !best.is_some_and(|best| side.at_least(price, best)) {
            stage.add(id, (side, price, qty), now, None);
            return;
        }
        self.met.clear();
        stage.add(id, (side, price, qty), now, Some(&mut self.met));
        for &(met, lots) in &self.met {
            self.early.add(id, lots.0);
            self.early.add(met, lots.0);
        }
    }

    /// An order is changed by as much as it was; what members took of it stays taken.
    fn change(&mut self, stage: &mut impl Stage, said: &Said<'_>) {
        let id = stage.order_id(said.row.order_id);
        let Some(before) = self.book.order(said.row.order_id) else { return };
        let by = self.early.rest(id, before.qty.0 - said.qty.0);
        let Some(open) = stage.market().order(id) else { return };
        let left = open.left().0 - by;
        if said.price == before.price || left <= 0 {
            stage.set_left(id, left, said.now);
        } else {
            let level = (open.order.terms.side, said.price, open.filled + Lots(left));
            stage.change(id, level, said.now);
        }
    }

    /// A taker met an order of the recording: here he meets whoever is first. Where the recording
    /// itself passed somebody over (it knows more about priority than it shows), and no member
    /// stood in front, the trade is the recording's.
    fn execute(&mut self, stage: &mut impl Stage, said: &Said<'_>) {
        let Said { row, now, .. } = *said;
        let known = self.book.order(row.order_id);
        let (side, price) =
            known.map_or((said.side, said.price), |order| (order.side, order.price));
        let id = match known {
            Some(order) => stage.order_id(order.id),
            None => stage.nameless_id(side, price),
        };
        let qty = Lots(self.early.rest(id, said.qty.0));
        if qty.0 == 0 {
            return;
        }
        let left = stage.market().order(id).map_or(0, |open| open.left().0);
        let passes_over = !self.is_next(side, price, known.map(|order| order.id));
        if passes_over && left >= qty.0 && !is_member_ahead(stage, side, price, id) {
            stage.execute_aside(id, left - qty.0, (side.opposite(), price, qty), now);
        } else {
            stage.take((side.opposite(), price, qty), now);
        }
    }

    /// The feed told its whole book: others' orders become those, members' stay where they are.
    fn apply_snapshot(&mut self, stage: &mut impl Stage, now: TimeNs) {
        stage.begin_snapshot();
        self.ids.clear();
        stage.recorded_ids(&mut self.ids);
        for at in 0..self.ids.len() {
            let id = self.ids[at];
            let Some(open) = stage.market().order(id) else { continue };
            let (side, price) = (open.order.terms.side, open.order.terms.price);
            let left = self.told_left(stage, id, side, price);
            stage.set_left(id, left, now);
        }
        for side in [Side::Buy, Side::Sell] {
            for (price, _) in self.book.l2().levels(side) {
                let nameless = self.book.anonymous(side, price);
                let unnamed = (stage.nameless_id(side, price), nameless);
                if nameless.0 > 0 {
                    add_missing(stage, side, price, unnamed, now);
                }
                for order in self.book.queue(side, price) {
                    let named = (stage.order_id(order.id), order.qty);
                    add_missing(stage, side, price, named, now);
                }
            }
        }
        stage.end_snapshot(now);
    }

    /// What the recording says is left of an order of the engine at its price.
    fn told_left(&self, stage: &impl Stage, id: OrderId, side: Side, price: Ticks) -> i64 {
        if id == stage.nameless_id(side, price) {
            return self.book.anonymous(side, price).0;
        }
        let is_it = |order: &mainspring_book::RestingOrder| {
            (order.side, order.price) == (side, price) && stage.order_id(order.id) == id
        };
        self.book.order(id.0 & (RECORDED_IDS - 1)).filter(is_it).map_or(0, |order| order.qty.0)
    }

    /// Whether an order, or what has no name at its price, is what the recording says trades next.
    fn is_next(&self, side: Side, price: Ticks, id: Option<u64>) -> bool {
        if self.book.l2().best(side) != Some(price) {
            return false;
        }
        let nameless = self.book.anonymous(side, price).0 > 0;
        match id {
            None => nameless,
            Some(id) => {
                let first = self.book.first(side, price).map(|place| self.book.at(place).id);
                !nameless && first == Some(id)
            }
        }
    }
}

fn add_missing(
    stage: &mut impl Stage,
    side: Side,
    price: Ticks,
    (id, qty): (OrderId, Lots),
    now: TimeNs,
) {
    if stage.market().order(id).is_none() {
        stage.add(id, (side, price, qty), now, None);
    }
}

/// Takes lots from what rests at a level without a name, or adds them for a negative number.
fn shorten_nameless(stage: &mut impl Stage, side: Side, price: Ticks, by: Lots, now: TimeNs) {
    let id = stage.nameless_id(side, price);
    match stage.market().order(id) {
        Some(open) => stage.set_left(id, open.left().0 - by.0, now),
        None if by.0 < 0 => stage.add(id, (side, price, Lots(-by.0)), now, None),
        None => {}
    }
}

/// Whether a taker at `price` would meet an order of a member before that one.
fn is_member_ahead(stage: &impl Stage, side: Side, price: Ticks, id: OrderId) -> bool {
    let orders = stage.market().orders();
    for (level, _) in orders.l2().levels(side) {
        if !side.at_least(level, price) {
            return false;
        }
        for order in orders.queue(side, level) {
            if order.id == id.0 {
                return false;
            }
            if stage.is_member(OrderId(order.id)) {
                return true;
            }
        }
    }
    false
}

/// A trade with an order that the feed does not show. Members' that are better placed, or shown at
/// that price before anybody else, come first.
fn trade_outside(stage: &mut impl Stage, said: &Said<'_>) {
    let Said { row, price, now, .. } = *said;
    let (taker, mut left) = (said.side, said.qty);
    let theirs = taker.opposite();
    while left.0 > 0 {
        let orders = stage.market().orders();
        let best = orders.l2().best(theirs);
        let Some(best) = best.filter(|best| theirs.at_least(*best, price)) else { break };
        let Some(place) = orders.first(theirs, best) else { break };
        let first = orders.at(place);
        if !stage.is_member(OrderId(first.id)) {
            break;
        }
        let qty = left.min(first.qty);
        left = left - qty + stage.take((taker, best, qty), now);
    }
    if left.0 > 0 {
        let bits = row.market.flags & !flags::END_OF_MESSAGE;
        stage.trade_outside((taker, price, left), bits, now);
    }
}
