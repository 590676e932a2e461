//! One instrument at the simulated venue.
//!
//! The rules are in `docs/explanation/simulated-venue.md`; this file holds the state and the way
//! of a row through it, its children one part of the rules each.

mod adopt;
mod arrival;
mod hft;
mod making;
mod order_rows;
mod requests;
mod terms;
mod triggers;

use mainspring_book::{L2Book, L3Book, Trust};
use mainspring_core::error::{Error, ErrorKind, Result};
use mainspring_core::event::{flags, MarketRow, RowKind};
use mainspring_core::instrument::{Instrument, InstrumentId};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderType, Side, VenueEvent, VenueEventKind, VenueRequest,
};
use mainspring_core::units::{Lots, Ticks, TimeNs};

use crate::config::{FillModel, SimConfig};
use crate::expiry::Expiries;
use crate::orders::{key_of, OrderTable, Slot, Stage, NONE};
use crate::overload::RateWindow;
use crate::taken::Taken;
pub use terms::OrderRules;
use triggers::Triggers;

/// One instrument at the simulated venue: the feed's book there, and our orders in it.
///
/// Everything happens at the time that is passed in. Events carry that time as both of their
/// times; whoever calls adds the way back to us.
#[derive(Clone, Debug)]
pub struct SimMarket {
    id: InstrumentId,
    config: SimConfig,
    rules: OrderRules,
    book: L2Book,
    /// The feed's orders, once an order row came; the level rows' book is then unused.
    order_book: Option<Box<L3Book>>,
    taken: Taken,
    orders: OrderTable,
    triggers: Triggers,
    expiries: Expiries,
    overload: Option<RateWindow>,
    /// Pegged orders by id.
    pegs: Vec<Slot>,
    /// Open reduce-only orders.
    reduce_only: usize,
    /// Whether a fill changed the position since reduce-only orders were last looked at.
    position_moved: bool,
    /// One lot in units of the base, which the log queue models count in.
    lot_units: f64,
    halted: bool,
    position: Lots,
    /// Open quantity by side, reduce-only orders apart.
    open_lots: [i64; 2],
    margin: Option<MarginLimits>,
    /// Depth rows of each side that touch anything of ours.
    watches: [Watch; 2],
    /// Reused lists, so that no step allocates once they have grown.
    plan: Vec<(Ticks, i64)>,
    due: Vec<Slot>,
}

/// How far the account can carry the position: what the margin rules of the ledger come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarginLimits {
    /// Largest long position in lots, not negative.
    pub long: Lots,
    /// Largest short position in lots, not negative.
    pub short: Lots,
}

/// Which depth rows of one side touch anything of ours: those at our own prices there, and those
/// that reach our best on the other side. Bounds are inclusive keys that grow towards the market,
/// so that one comparison serves both sides without a branch.
#[derive(Clone, Copy, Debug)]
struct Watch {
    worst: i64,
    best: i64,
    crosses: i64,
}

impl Watch {
    const NOTHING: Self = Self { worst: i64::MAX, best: i64::MIN, crosses: i64::MAX };
    const EVERYTHING: Self = Self { worst: i64::MIN, best: i64::MAX, crosses: i64::MIN };

    #[inline]
    const fn sees(&self, key: i64) -> bool {
        (self.worst <= key) & (key <= self.best) | (key >= self.crosses)
    }
}

impl SimMarket {
    /// An empty market.
    ///
    /// # Errors
    /// When the configuration or the instrument cannot be used.
    pub fn new(id: InstrumentId, instrument: &Instrument, config: &SimConfig) -> Result<Self> {
        config.validate()?;
        if config.fill_model == FillModel::Matching {
            return Err(Error::new(
                ErrorKind::Config,
                "fill_model matching needs to know who rests where: it works over order-level data and \
                 generated flow, in backtests and paper sessions, and there are no models of it; \
                 otherwise use mainspring",
            ));
        }
        Ok(Self {
            id,
            config: config.clone(),
            rules: OrderRules::of(instrument)?,
            book: L2Book::default(),
            order_book: None,
            taken: Taken::default(),
            orders: OrderTable::default(),
            triggers: Triggers::default(),
            expiries: Expiries::default(),
            overload: config.overload.map(RateWindow::new),
            pegs: Vec::new(),
            reduce_only: 0,
            position_moved: false,
            lot_units: instrument.lot.to_f64(),
            halted: false,
            position: Lots(0),
            open_lots: [0; 2],
            margin: None,
            watches: [Watch::NOTHING; 2],
            plan: Vec::new(),
            due: Vec::new(),
        })
    }

    /// The feed's book at the venue, untouched by us.
    #[inline]
    #[must_use]
    pub fn book(&self) -> &L2Book {
        self.feed()
    }

    #[inline]
    fn feed(&self) -> &L2Book {
        match &self.order_book {
            None => &self.book,
            Some(orders) => orders.l2(),
        }
    }

    /// Open orders: resting and armed.
    #[inline]
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// Our position at the venue.
    #[inline]
    #[must_use]
    pub const fn position(&self) -> Lots {
        self.position
    }

    /// Starts from a position that was there before.
    pub fn set_position(&mut self, position: Lots) {
        self.position = position;
    }

    /// Whether the venue takes no new orders now.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Price of the last trade, once there was one.
    #[must_use]
    pub const fn last_trade(&self) -> Option<Ticks> {
        self.triggers.last_trade()
    }

    /// The mark price in 10^-9 ticks, once there was one.
    #[must_use]
    pub const fn mark(&self) -> Option<i128> {
        self.triggers.mark()
    }

    /// What we have taken from a level since the feed last set it.
    #[must_use]
    pub fn taken(&self, side: Side, price: Ticks) -> Lots {
        Lots(self.taken.at(side, price))
    }

    /// The feed quantity estimated in front of a resting order, in lots.
    #[must_use]
    pub fn queue_front(&self, order: ClientOrderId) -> Option<f64> {
        let order = self.orders.get(self.orders.find(order)?);
        (order.stage == Stage::Resting).then(|| order.queue.front.max(0.0))
    }

    /// Bounds new orders by what the account can carry; [`None`] takes the bound away.
    pub fn set_margin_limits(&mut self, limits: Option<MarginLimits>) {
        self.margin = limits;
    }

    /// Applies rows of the feed that happened at the venue at `now_ns`, one by one.
    pub fn on_rows(
        &mut self,
        rows: &[MarketRow],
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        for row in rows {
            self.on_row(row, base, now_ns, out);
        }
    }

    /// Applies one row of the feed.
    // The loop over a file's rows is where replays spend their time: most rows end in here.
    #[inline(always)]
    pub fn on_row(
        &mut self,
        row: &MarketRow,
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        if row.kind == RowKind::Depth as u8 {
            if self.concerns(row, base) {
                self.on_depth(row, base, now_ns, out);
            } else {
                self.book.apply_in_loop(row, base);
            }
        } else if row.kind == RowKind::Trade as u8 {
            self.triggers.set_last_trade(row.price(base));
            self.book.apply_in_loop(row, base);
            if self.orders.len() > 0 {
                self.on_trade(row, base, now_ns, out);
            }
        } else {
            self.on_rare(row, base, now_ns, out);
        }
    }

    /// Whether a depth row touches anything of ours.
    #[inline]
    fn concerns(&self, row: &MarketRow, base: Ticks) -> bool {
        let side = row.side();
        self.watches[side as usize].sees(key_of(side, row.price(base)))
    }

    /// Works out again which depth rows touch anything of ours.
    #[inline]
    fn watch(&mut self) {
        let [buys, sells] = [Side::Buy, Side::Sell].map(|side| self.orders.keys(side));
        // The other side's keys grow the other way: see [`key_of`].
        self.watches = [
            Watch { worst: buys.0, best: buys.1, crosses: !sells.1 },
            Watch { worst: sells.0, best: sells.1, crosses: !buys.1 },
        ];
        if !self.pegs.is_empty() || !self.taken.is_empty() {
            self.watch_everything();
        }
    }

    /// Pegs follow every row, and every row may give back what we took from a level of its side.
    #[inline(never)]
    fn watch_everything(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            if !self.pegs.is_empty() || !self.taken.is_clear(side) {
                self.watches[side as usize] = Watch::EVERYTHING;
            }
        }
    }

    fn on_depth(
        &mut self,
        row: &MarketRow,
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let (side, price) = (row.side(), row.price(base));
        let best = self.book.best(side);
        let prev = if row.flags & flags::SNAPSHOT == 0 {
            self.book.apply_update(row, base)
        } else {
            self.apply_level(row, base)
        };
        let new = row.qty().0.max(0);
        let had_taken = !self.taken.is_clear(side);
        let said = out.len();
        if had_taken {
            self.taken.reset(side, price);
        }
        self.move_queues(side, price, prev.0, new);
        if new > 0 && self.may_cross(side, price, best) {
            self.cross(side, price, new, now_ns, out);
        }
        // Queues alone move most of the time: then no order, level or peg is left to see to.
        if out.len() != said || had_taken || !self.pegs.is_empty() {
            self.settle(now_ns, out);
        }
    }

    /// Applies a row that sets a level and returns what was there before. The first row of a
    /// snapshot empties the book.
    fn apply_level(&mut self, row: &MarketRow, base: Ticks) -> Lots {
        let prev = self.book.qty(row.side(), row.price(base));
        if row.flags & flags::SNAPSHOT == 0 {
            self.book.apply(row, base);
            return prev;
        }
        let fresh = self.book.trust() != Trust::Snapshotting;
        self.book.apply(row, base);
        if !fresh {
            return prev;
        }
        self.taken.clear();
        Lots(0)
    }

    /// Whether a level set at `price`, where `best` was the best of its side, may fill orders of ours:
    /// where one of them stands at or beyond it, and in hftbacktest's models only by a new best.
    #[inline]
    fn may_cross(&self, side: Side, price: Ticks, best: Option<Ticks>) -> bool {
        let ours = self.orders.best(side.opposite());
        let reached = ours.is_some_and(|ours| !side.better(ours, price));
        reached
            && (self.config.fill_model == FillModel::Mainspring
                || best.is_none_or(|best| side.better(price, best)))
    }

    fn cross(
        &mut self,
        side: Side,
        price: Ticks,
        shown: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        match self.config.fill_model {
            FillModel::Mainspring | FillModel::Matching => {
                self.cross_resting(side, price, shown, now_ns, out);
            }
            FillModel::HftNoPartial | FillModel::HftPartial => {
                self.hft_cross(side, price, now_ns, out);
            }
        }
    }

    fn on_rare(&mut self, row: &MarketRow, base: Ticks, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        match RowKind::from_byte(row.kind) {
            Some(RowKind::Best) => self.on_best(row, base, now_ns, out),
            Some(RowKind::Clear) => {
                self.book.apply(row, base);
                self.taken.clear();
                self.settle(now_ns, out);
            }
            Some(RowKind::Mark) => {
                self.book.apply(row, base);
                self.triggers.set_mark(row.price(base), row.qty_lots);
                self.fire_triggers(now_ns, out);
                self.settle(now_ns, out);
            }
            Some(RowKind::Status) => {
                self.book.apply(row, base);
                self.halted = row.qty_lots == 0;
            }
            Some(RowKind::Grid) => {
                self.book.apply(row, base);
                self.rules.set_grid(row.qty_lots);
            }
            _ => self.book.apply(row, base),
        }
    }

    /// A trade while orders of ours are open.
    #[inline(never)]
    fn on_trade(
        &mut self,
        row: &MarketRow,
        base: Ticks,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let (taker, price, qty) = (row.side(), row.price(base), row.qty().0);
        let said = out.len();
        self.trade(taker, price, qty, now_ns, out);
        if self.triggers.has_armed() {
            self.fire_triggers(now_ns, out);
        }
        // A trade that gave us nothing has at most moved queues.
        if out.len() != said || !self.pegs.is_empty() {
            self.settle(now_ns, out);
        }
    }

    /// Lets a trade pass our resting orders.
    #[inline]
    fn trade(
        &mut self,
        taker: Side,
        price: Ticks,
        qty: i64,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        let ours = taker.opposite();
        if qty <= 0 || !self.orders.best(ours).is_some_and(|best| ours.at_least(best, price)) {
            return;
        }
        match self.config.fill_model {
            FillModel::Mainspring | FillModel::Matching => {
                self.trade_resting(taker, price, qty, now_ns, out);
            }
            FillModel::HftNoPartial | FillModel::HftPartial => {
                self.hft_trade(taker, price, qty, now_ns, out);
            }
        }
    }

    /// A best quote sets its level and removes the better ones.
    fn on_best(&mut self, row: &MarketRow, base: Ticks, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        let (side, price) = (row.side(), row.price(base));
        let best = self.book.best(side);
        let prev = self.apply_level(row, base);
        let new = row.qty().0.max(0);
        self.taken.reset_better(side, price);
        self.taken.reset(side, price);
        self.empty_queues_better(side, price);
        self.move_queues(side, price, prev.0, new);
        if new > 0 && self.may_cross(side, price, best) {
            self.cross(side, price, new, now_ns, out);
        }
        self.settle(now_ns, out);
    }

    /// Takes a request that reaches the venue now.
    pub fn on_request(
        &mut self,
        request: &VenueRequest,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        self.handle_request(request, now_ns, out);
        self.settle(now_ns, out);
    }

    /// When [`Self::on_timer`] next has something to do.
    #[inline]
    #[must_use]
    pub fn next_timer_ns(&self) -> Option<TimeNs> {
        self.expiries.first().map(|(time_ns, _)| time_ns)
    }

    /// Expires good-till-date orders that are due.
    pub fn on_timer(&mut self, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        while let Some((time_ns, slot)) = self.expiries.first() {
            if time_ns > now_ns {
                break;
            }
            self.cancel_slot(slot, CancelReason::Expired, now_ns, out);
        }
        self.settle(now_ns, out);
    }

    /// Cancels every open order, the lowest id first.
    pub fn cancel_all(&mut self, reason: CancelReason, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        self.cancel_where(reason, now_ns, out, |_| true);
        self.settle(now_ns, out);
    }

    fn cancel_where(
        &mut self,
        reason: CancelReason,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
        chosen: impl Fn(&crate::orders::Order) -> bool,
    ) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.extend(self.orders.open().filter(|(_, o)| chosen(o)).map(|(slot, _)| slot));
        due.sort_unstable_by_key(|slot| self.orders.get(*slot).id);
        for &slot in &due {
            self.cancel_slot(slot, reason, now_ns, out);
        }
        self.due = due;
    }

    /// What is left to do at the end of a step: done orders leave their queues, pegs follow the
    /// market, reduce-only orders without a position to reduce are cancelled.
    #[inline]
    fn settle(&mut self, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        if self.orders.has_done() {
            self.orders.sweep();
        }
        if !self.pegs.is_empty() {
            self.move_pegs(now_ns, out);
        }
        if std::mem::take(&mut self.position_moved) && self.reduce_only > 0 {
            self.cancel_pointless_reducers(now_ns, out);
        }
        self.watch();
    }

    fn cancel_pointless_reducers(&mut self, now_ns: TimeNs, out: &mut Vec<VenueEvent>) {
        let position = self.position.0;
        self.cancel_where(CancelReason::ReduceOnly, now_ns, out, |order| {
            order.reduce_only() && order.terms.side.sign() * position >= 0
        });
        self.orders.sweep();
    }

    /// Lots that an order may still fill: a reduce-only one never more than the position.
    #[inline]
    fn fillable(&self, slot: Slot) -> i64 {
        let order = self.orders.get(slot);
        let remaining = order.remaining();
        if order.reduce_only() {
            remaining.min((-order.terms.side.sign() * self.position.0).max(0))
        } else {
            remaining
        }
    }

    /// Fills part of an order and says so; the last part ends it. A fill cancels the other leg.
    fn fill(
        &mut self,
        slot: Slot,
        price: Ticks,
        qty: i64,
        maker: bool,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        debug_assert!(qty > 0 && qty <= self.orders.get(slot).remaining());
        let order = self.orders.get_mut(slot);
        order.filled += qty;
        let (id, side, partner) = (order.id, order.terms.side, order.partner);
        let (done, reduce_only) = (order.remaining() == 0, order.reduce_only());
        self.position.0 += side.sign() * qty;
        self.position_moved = true;
        if !reduce_only {
            self.open_lots[side as usize] -= qty;
        }
        say(out, id, now_ns, VenueEventKind::Filled { price, qty: Lots(qty), maker });
        if partner != NONE {
            self.cancel_slot(partner, CancelReason::Oco, now_ns, out);
        }
        if done {
            self.retire(slot);
        }
    }

    fn cancel_slot(
        &mut self,
        slot: Slot,
        reason: CancelReason,
        now_ns: TimeNs,
        out: &mut Vec<VenueEvent>,
    ) {
        say(out, self.orders.get(slot).id, now_ns, VenueEventKind::Cancelled(reason));
        self.retire(slot);
    }

    /// Takes an order out of every list but its queue, which it leaves in [`Self::settle`].
    fn retire(&mut self, slot: Slot) {
        self.expiries.remove(&mut self.orders, slot);
        let order = self.orders.get(slot);
        if order.reduce_only() {
            self.reduce_only -= 1;
        } else {
            self.open_lots[order.terms.side as usize] -= order.remaining();
        }
        if order.stage == Stage::Armed {
            self.triggers.disarm(slot, order);
        }
        if order.terms.order_type == OrderType::Pegged {
            let id = order.id;
            self.pegs.retain(|peg| self.orders.get(*peg).id != id);
        }
        self.orders.retire(slot);
    }
}

/// Says what happened at the venue now.
#[inline]
fn say(out: &mut Vec<VenueEvent>, order: ClientOrderId, now_ns: TimeNs, kind: VenueEventKind) {
    out.push(VenueEvent { order, exch_ns: now_ns, recv_ns: now_ns, kind });
}

/// An error about this market.
fn unusable(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what)
}
