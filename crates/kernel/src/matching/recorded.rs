//! The orders of a recording on the matching engine, ours among them.
//!
//! Everybody of the recording sends the messages that he sent, whatever we do: the same orders, the
//! same cancels of whatever is left of them, and takers of the same size at the same price. Who trades
//! with whom is the engine's doing. Without an order of ours its book is the recording's, after each
//! message; what we take or provide is the difference, until others have traded it away.

use mainspring_book::{L3Book, L3Config};
use mainspring_core::event::{flags, OrderRow, RowKind};
use mainspring_core::order::VenueEvent;
use mainspring_core::{Error, ErrorKind, Lots, Result, Side, Ticks, TimeNs};
use mainspring_exchange::OrderId;
use mainspring_trading::ledger::MarkPrice;

use super::market::{MatchedMarket, Others};
use super::tape::{anonymous_id, side_bits, FEED_IDS, OTHERS};

/// What the recording says, and where the engine differs.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    /// The book of the recording, as it was.
    book: L3Book,
    /// Whether the message so far is a snapshot.
    snapshot: bool,
    ids: Vec<OrderId>,
    early: Early,
}

/// Lots that orders of the recording traded here before the recording tells it: a feed that shows a
/// taker as an order tells only later whom he met.
#[derive(Clone, Debug, Default)]
struct Early(Vec<(u64, i64)>);

/// Orders whose trades are told so much later that nobody waits for it any more: the oldest go.
const MOST_EARLY: usize = 1_024;

impl Early {
    fn add(&mut self, id: u64, lots: i64) {
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
    fn rest(&mut self, id: u64, lots: i64) -> i64 {
        let Some(at) = self.0.iter().position(|(known, _)| *known == id) else { return lots };
        let told = self.0[at].1.min(lots.max(0));
        self.0[at].1 -= told;
        if self.0[at].1 == 0 {
            self.0.swap_remove(at);
        }
        lots - told
    }

    /// The recording has said the last of an order.
    fn forget(&mut self, id: u64) {
        self.0.retain(|(known, _)| *known != id);
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            book: L3Book::new(L3Config::default()),
            snapshot: false,
            ids: Vec::new(),
            early: Early(Vec::with_capacity(64)),
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
        if row.order_id >= FEED_IDS {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "order id {} of the feed: the matching engine takes ids below 2^60; use fill_model mainspring",
                    row.order_id
                ),
            ));
        }
        let Some(Others::Recorded(mut recorded)) = self.others.take() else {
            return Err(Error::new(ErrorKind::Internal, "a recorded row in a generated market"));
        };
        let market = &row.market;
        let said = Said {
            row,
            kind: RowKind::from_byte(market.kind),
            side: market.side(),
            price: market.price(base),
            qty: market.qty(),
            now,
        };
        recorded.snapshot |=
            market.flags & flags::SNAPSHOT != 0 || said.kind == Some(RowKind::Clear);
        if !recorded.snapshot {
            self.apply_recorded(&mut recorded, &said);
        }
        // A row that does not fit is a gap in the recording's own book; the engine goes on.
        let _ = recorded.book.apply(row, base);
        self.note_latency(recv_ns - now);
        if market.ends_message() {
            if std::mem::take(&mut recorded.snapshot) {
                self.apply_snapshot(&mut recorded, now);
            }
            self.complete(now);
            self.send(now, recv_ns);
        }
        self.others = Some(Others::Recorded(recorded));
        let answered = !self.tape.answers.is_empty();
        out.append(&mut self.tape.answers);
        Ok(answered)
    }

    fn apply_recorded(&mut self, recorded: &mut Recorded, said: &Said<'_>) {
        let Said { row, side, price, qty, now, .. } = *said;
        let id = OrderId(row.order_id);
        match said.kind {
            Some(RowKind::OrderAdd) => {
                let from = self.tape.rows.len();
                self.add_other(id, (side, price, qty), now);
                let best = recorded.book.l2().best(side.opposite());
                if best.is_some_and(|best| side.at_least(price, best)) {
                    self.note_early(&mut recorded.early, from, id);
                }
            }
            Some(RowKind::OrderModify) => self.change_recorded(recorded, said),
            Some(RowKind::OrderDelete) => {
                recorded.early.forget(id.0);
                if recorded.book.order(id.0).is_some() {
                    if self.engine.order(id).is_some() {
                        self.engine.cancel(id, OTHERS, now, &mut self.tape);
                    }
                } else {
                    self.shorten_anonymous(side, price, qty, now);
                }
            }
            Some(RowKind::OrderExecute) => self.execute_recorded(recorded, said),
            Some(RowKind::Depth) => {
                let by = recorded.book.anonymous(side, price) - qty;
                let by = recorded.early.rest(anonymous_id(side, price).0, by.0);
                self.shorten_anonymous(side, price, Lots(by), now);
            }
            Some(RowKind::Trade) => self.trade_outside(said),
            _ => self.pass_on(said),
        }
    }

    /// Whom an order that crosses in the recording itself met when it came: the recording will say so
    /// later. What it took from us there is told of somebody else.
    fn note_early(&self, early: &mut Early, from: usize, taker: OrderId) {
        for met in self.tape.rows[from..].iter().map(|published| &published.row) {
            let executed = met.market.kind == RowKind::OrderExecute as u8;
            if executed && !super::tape::is_ours(met.order_id) {
                early.add(taker.0, met.market.qty_lots);
                early.add(met.order_id, met.market.qty_lots);
            }
        }
    }

    /// What has no order: it is the venue's to say.
    fn pass_on(&mut self, said: &Said<'_>) {
        let Said { row, price, now, .. } = *said;
        let Some(kind) = said.kind else { return };
        match kind {
            RowKind::Mark => {
                let mark = MarkPrice::of_row(price, row.market.qty_lots);
                self.engine.set_mark(mark, now, &mut self.tape);
            }
            RowKind::Status => self.halted = row.market.qty_lots == 0,
            RowKind::Grid => self.rules.set_grid(row.market.qty_lots),
            _ => {}
        }
        let bits = row.market.flags & !flags::END_OF_MESSAGE;
        self.tape.publish(kind, bits, price, row.market.qty_lots, 0);
    }

    /// An order is changed by as much as it was; what we took of it stays taken.
    fn change_recorded(&mut self, recorded: &mut Recorded, said: &Said<'_>) {
        let id = OrderId(said.row.order_id);
        let Some(before) = recorded.book.order(id.0) else { return };
        let by = recorded.early.rest(id.0, before.qty.0 - said.qty.0);
        let Some(open) = self.engine.order(id) else { return };
        let left = open.left().0 - by;
        if said.price == before.price || left <= 0 {
            self.set_left(id, left, said.now);
        } else {
            let level = (open.order.terms.side, said.price, open.filled + Lots(left));
            self.change(id, OTHERS, level, said.price, said.now);
        }
    }

    /// Takes lots from what rests at a level without a name, or adds them for a negative number.
    fn shorten_anonymous(&mut self, side: Side, price: Ticks, by: Lots, now: TimeNs) {
        let id = anonymous_id(side, price);
        match self.engine.order(id) {
            Some(open) => self.set_left(id, open.left().0 - by.0, now),
            None if by.0 < 0 => self.add_other(id, (side, price, Lots(-by.0)), now),
            None => {}
        }
    }

    /// A taker met an order of the recording: here he meets whoever is first. Where the recording
    /// itself passed somebody over (it knows more about priority than it shows), and nobody of ours
    /// stood in front, the trade is the recording's.
    fn execute_recorded(&mut self, recorded: &mut Recorded, said: &Said<'_>) {
        let Said { row, now, .. } = *said;
        let known = recorded.book.order(row.order_id);
        let (side, price) =
            known.map_or((said.side, said.price), |order| (order.side, order.price));
        let id = match known {
            Some(order) => OrderId(order.id),
            None => anonymous_id(side, price),
        };
        let qty = Lots(recorded.early.rest(id.0, said.qty.0));
        if qty.0 == 0 {
            return;
        }
        let left = self.engine.order(id).map_or(0, |open| open.left().0);
        let passes_over = !recorded.is_next(side, price, known.map(|order| order.id));
        if passes_over && left >= qty.0 && !self.are_we_ahead(side, price, id) {
            let from = self.tape.rows.len();
            self.set_left(id, left - qty.0, now);
            self.tape.tell_as_executed(from, id, qty);
            self.engine.note_trade(price, now, &mut self.tape);
        } else {
            self.take_other((side.opposite(), price, qty), now);
        }
    }

    /// Whether a taker at `price` would meet an order of ours before that one.
    fn are_we_ahead(&self, side: Side, price: Ticks, id: OrderId) -> bool {
        let mut at_price = false;
        for order in self.tape.own.iter().filter(|o| o.resting && o.terms.side == side) {
            if side.better(order.terms.price, price) {
                return true;
            }
            at_price |= order.terms.price == price;
        }
        if !at_price {
            return false;
        }
        let mut queue = self.engine.orders().queue(side, price).map(|order| order.id);
        queue.find(|one| *one == id.0 || super::tape::is_ours(*one)) != Some(id.0)
    }

    /// A trade with an order that the feed does not show. Ours that are better placed, or shown at
    /// that price before anybody else, come first.
    fn trade_outside(&mut self, said: &Said<'_>) {
        let Said { row, price, now, .. } = *said;
        let (taker, mut left) = (said.side, said.qty);
        let theirs = taker.opposite();
        while left.0 > 0 {
            let best = self.engine.levels().best(theirs);
            let Some(best) = best.filter(|best| theirs.at_least(*best, price)) else { break };
            let Some(place) = self.engine.orders().first(theirs, best) else { break };
            let first = self.engine.orders().at(place);
            if !super::tape::is_ours(first.id) {
                break;
            }
            let qty = left.min(first.qty);
            left = left - qty + self.take_other((taker, best, qty), now);
        }
        if left.0 > 0 {
            let bits = row.market.flags & !flags::END_OF_MESSAGE;
            self.tape.publish(RowKind::Trade, bits, price, left.0, 0);
            self.engine.note_trade(price, now, &mut self.tape);
        }
    }

    /// The feed told its whole book: others' orders become those, ours stay where they are.
    fn apply_snapshot(&mut self, recorded: &mut Recorded, now: TimeNs) {
        self.tape.quiet = true;
        recorded.ids.clear();
        self.engine.orders_of(OTHERS, &mut recorded.ids);
        for id in &recorded.ids {
            let Some(open) = self.engine.order(*id) else { continue };
            let (side, price) = (open.order.terms.side, open.order.terms.price);
            let is_anonymous = *id == anonymous_id(side, price);
            let left = match recorded.book.order(id.0) {
                Some(order) if (order.side, order.price) == (side, price) => order.qty.0,
                None if is_anonymous => recorded.book.anonymous(side, price).0,
                _ => 0,
            };
            self.set_left(*id, left, now);
        }
        for side in [Side::Buy, Side::Sell] {
            for (price, _) in recorded.book.l2().levels(side) {
                let nameless = recorded.book.anonymous(side, price);
                let anonymous = (anonymous_id(side, price), nameless);
                let named = recorded.book.queue(side, price).map(|o| (OrderId(o.id), o.qty));
                let all = (nameless.0 > 0).then_some(anonymous).into_iter().chain(named);
                for (id, qty) in all {
                    if self.engine.order(id).is_none() {
                        self.add_other(id, (side, price, qty), now);
                    }
                }
            }
        }
        self.tape.quiet = false;
        self.complete(now);
        self.publish_book();
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

impl Recorded {
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
