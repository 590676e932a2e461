//! All orders of a kernel in one fixed slab.
//!
//! Nothing here allocates after [`OrderTable::new`]. Orders are found by id through chained
//! buckets (ids grow by one, so that the chains are one long), live orders hang in a list for
//! each strategy and instrument in the order of their arrival, and orders that ended are
//! remembered until newer ones push them out, so that late fills find them.

use mainspring_core::instrument::InstrumentId;
use mainspring_core::order::OrderTerms;
use mainspring_core::{
    CancelReason, ClientOrderId, Error, ErrorKind, Lots, RejectReason, Result, Ticks, TimeNs,
    VenueEvent, VenueEventKind,
};

use serde::{Deserialize, Serialize};

use super::order::{Order, Purpose};
use super::state::{transition, IllegalTransition, OrderEvent, OrderState};

/// No slot.
const NONE: u32 = u32::MAX;

/// A fill as it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillChange {
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub qty: Lots,
    /// Whether we were the maker.
    pub maker: bool,
}

impl FillChange {
    /// The fill that a statement of a venue is, if it is one.
    #[inline]
    #[must_use]
    pub const fn of(event: &VenueEvent) -> Option<Self> {
        match event.kind {
            VenueEventKind::Filled { price, qty, maker } => Some(Self { price, qty, maker }),
            _ => None,
        }
    }
}

/// What a request or an answer did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order after it.
    pub order: Order,
    /// Its state before.
    pub from: OrderState,
    /// Its state after.
    pub to: OrderState,
    /// The fill to be ledgered, if it is one.
    pub fill: Option<FillChange>,
    /// The event said what was already known; nothing moved.
    pub duplicate: bool,
    /// The order was over already. A late fill still has to be ledgered.
    pub late: bool,
}

/// Where an order is in the table, found once for several uses; until the next order is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// What a step did; the order itself is read where it is, with [`OrderTable::at`].
///
/// One word, because it is handed up through several results on the way of every order: a struct of
/// single bytes would be written in pieces and read whole, which stalls a processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moved(u64);

impl Moved {
    const DUPLICATE: u64 = 1 << 16;
    const LATE: u64 = 1 << 17;

    #[inline]
    const fn new(slot: u32, from: OrderState, to: OrderState, duplicate: bool, late: bool) -> Self {
        let flags = (duplicate as u64 * Self::DUPLICATE) | (late as u64 * Self::LATE);
        Self((slot as u64) << 32 | flags | (from as u64) << 8 | to as u64)
    }

    #[inline]
    const fn slot(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Its state before.
    #[must_use]
    pub const fn from(self) -> OrderState {
        OrderState::ALL[(self.0 >> 8 & 0xff) as usize]
    }

    /// Its state after.
    #[must_use]
    pub const fn to(self) -> OrderState {
        OrderState::ALL[(self.0 & 0xff) as usize]
    }

    /// The event said what was already known; nothing moved.
    #[inline]
    #[must_use]
    pub const fn is_duplicate(self) -> bool {
        self.0 & Self::DUPLICATE != 0
    }

    /// The order was over already. A late fill still has to be ledgered.
    #[inline]
    #[must_use]
    pub const fn is_late(self) -> bool {
        self.0 & Self::LATE != 0
    }
}

impl std::fmt::Debug for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moved")
            .field("from", &self.from())
            .field("to", &self.to())
            .field("duplicate", &self.is_duplicate())
            .field("late", &self.is_late())
            .finish_non_exhaustive()
    }
}

/// There was no step; [`OrderTable::refusal`] says why. The reason is rare and large, and apart so that
/// the result of a step is two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A step, or that there was none.
pub type Stepped = std::result::Result<Moved, Refused>;

/// Why an event could not be applied. Each is counted; none changes the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No such order, or it ended so long ago that it is forgotten.
    #[error("order {} is not known here: placed elsewhere, or ended too long ago", .0 .0)]
    UnknownOrder(ClientOrderId),
    /// The event cannot happen in the order's state.
    #[error("order {}: {source}", .id.0)]
    Illegal {
        /// Which order.
        id: ClientOrderId,
        /// State and event.
        source: IllegalTransition,
    },
    /// A fill that is not positive or larger than what may still trade.
    #[error("order {}: a fill of {qty} lots, when at most {fillable} can trade", .id.0)]
    BadFill {
        /// Which order.
        id: ClientOrderId,
        /// Quantity of the fill.
        qty: Lots,
        /// What could still trade.
        fillable: Lots,
    },
}

impl From<OrderError> for Error {
    fn from(error: OrderError) -> Self {
        let kind = match error {
            OrderError::UnknownOrder(_) => ErrorKind::NotFound,
            OrderError::Illegal { .. } | OrderError::BadFill { .. } => ErrorKind::Mismatch,
        };
        Self::new(kind, error.to_string())
    }
}

/// What went by that should be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCounters {
    /// Events that cannot happen in the state of their order.
    pub illegal: u64,
    /// Fills that are not positive or larger than what may still trade.
    pub bad_fills: u64,
    /// Events of orders that are not known.
    pub unknown: u64,
    /// Fills after the end of their order.
    pub late_fills: u64,
    /// Events that said what was known.
    pub duplicates: u64,
}

/// Orders as a snapshot keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersImage {
    /// Ended and remembered, oldest first.
    pub ended: Vec<Order>,
    /// Live, by strategy, instrument and arrival.
    pub live: Vec<Order>,
    /// What went by that should be looked at.
    pub counters: OrderCounters,
}

/// Neighbours in a live list, which goes round: behind the last and before the first is the list's
/// own place, so that joining and leaving have no ends to look for.
#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

/// An order that ended and is remembered.
#[derive(Clone, Copy, Debug)]
struct Ended {
    id: ClientOrderId,
    slot: u32,
}

/// The orders of a kernel.
#[derive(Debug)]
pub struct OrderTable {
    slots: Vec<Order>,
    /// By slot, and then one for each list of a strategy in an instrument.
    links: Vec<Link>,
    buckets: Vec<u32>,
    /// By slot, the next slot of the same bucket, or of the free list. Apart from the slots, so that an
    /// order is forgotten without touching it: it ended so long ago that it is in no near cache.
    chains: Vec<u32>,
    free: u32,
    lists: usize,
    instruments: usize,
    capacity: usize,
    live: usize,
    /// Ended orders, oldest first: a ring.
    ended: Vec<Ended>,
    ended_first: usize,
    ended_count: usize,
    counters: OrderCounters,
    refusal: OrderError,
}

impl OrderTable {
    /// Room for `capacity` live orders and memory of the last `remembered` ended ones.
    #[must_use]
    pub fn new(capacity: usize, remembered: usize, instruments: usize, strategies: usize) -> Self {
        // One more, because a slot is freed only after the newly ended order took its place.
        let ring = remembered.max(1);
        let total = capacity + ring;
        let blank = Order::new(
            ClientOrderId(u64::MAX),
            0,
            OrderTerms::limit(InstrumentId(0), mainspring_core::Side::Buy, Ticks(0), Lots(0)),
            0,
        );
        let lists = instruments * strategies;
        let following = (1..total).map(|next| next as u32);
        Self {
            slots: vec![blank; total],
            links: (0..(total + lists) as u32).map(|at| Link { previous: at, next: at }).collect(),
            chains: following.chain([NONE]).collect(),
            buckets: vec![NONE; (total * 2).next_power_of_two()],
            free: if total > 0 { 0 } else { NONE },
            lists,
            instruments,
            capacity,
            live: 0,
            ended: vec![Ended { id: blank.id, slot: NONE }; ring],
            ended_first: 0,
            ended_count: 0,
            counters: OrderCounters::default(),
            refusal: OrderError::UnknownOrder(ClientOrderId(u64::MAX)),
        }
    }

    /// Why the last step that was refused was.
    #[must_use]
    pub const fn refusal(&self) -> OrderError {
        self.refusal
    }

    /// Adds a new order.
    ///
    /// # Errors
    /// When the table is full, the id is in use or remembered, the order is not in state
    /// `Created`, or its strategy or instrument is not one of the table's.
    pub fn insert(&mut self, order: Order) -> Result<()> {
        if order.state != OrderState::Created {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("order {}: only an order in state 'created' can be added", order.id.0),
            ));
        }
        let place =
            self.add(order.id, order.strategy, order.purpose, &order.terms, order.created_ns)?;
        self.slots[place.0 as usize] = order;
        Ok(())
    }

    /// Adds an order that a venue has and that was not placed here, in the state that it is in.
    ///
    /// # Errors
    /// As [`Self::insert`], or when it is over.
    pub fn adopt(&mut self, order: Order) -> Result<()> {
        if !order.is_open() {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("order {}: only an open order can be adopted", order.id.0),
            ));
        }
        let place =
            self.add(order.id, order.strategy, order.purpose, &order.terms, order.created_ns)?;
        self.slots[place.0 as usize] = order;
        Ok(())
    }

    /// As [`Self::insert`], made where it stays: an order that is put together elsewhere and copied
    /// here at once would stall a processor, which has to wait for its pieces.
    ///
    /// # Errors
    /// As [`Self::insert`].
    #[inline]
    pub fn add(
        &mut self,
        id: ClientOrderId,
        strategy: u16,
        purpose: Purpose,
        terms: &OrderTerms,
        now_ns: TimeNs,
    ) -> Result<Place> {
        let list = self.list_of(strategy, terms.instrument);
        let (Some(list), NONE, true, true) =
            (list, self.find(id), terms.qty.0 > 0, self.live < self.capacity)
        else {
            return Err(self.cannot_add(id, strategy, terms));
        };
        let at = self.take_slot();
        let bucket = self.bucket(id);
        self.slots[at as usize].begin(id, strategy, purpose, terms, now_ns);
        self.chains[at as usize] = std::mem::replace(&mut self.buckets[bucket], at);
        let last = std::mem::replace(&mut self.links[list].previous, at);
        self.links[at as usize] = Link { previous: last, next: list as u32 };
        self.links[last as usize].next = at;
        self.live += 1;
        Ok(Place(at))
    }

    /// The order with this id, live or remembered.
    #[inline]
    #[must_use]
    pub fn get(&self, id: ClientOrderId) -> Option<&Order> {
        match self.find(id) {
            NONE => None,
            slot => Some(&self.slots[slot as usize]),
        }
    }

    /// Applies something that we did or found: submit, cancel, replace, timeout, or what a query
    /// of the venue showed.
    ///
    /// # Errors
    /// [`OrderError`] when the order is not known or the event cannot happen to it now.
    #[inline]
    pub fn request(
        &mut self,
        id: ClientOrderId,
        event: OrderEvent,
        now_ns: TimeNs,
    ) -> std::result::Result<Change, OrderError> {
        match self.request_in_place(id, event, now_ns) {
            Ok(moved) => Ok(self.change(moved, None)),
            Err(Refused) => Err(self.refusal()),
        }
    }

    /// As [`Self::request`], without a copy of the order.
    ///
    /// # Errors
    /// As [`Self::request`]; the reason is with [`Self::refusal`].
    #[inline]
    pub fn request_in_place(
        &mut self,
        id: ClientOrderId,
        event: OrderEvent,
        now_ns: TimeNs,
    ) -> Stepped {
        let place = self.place(id)?;
        self.request_at(place, event, now_ns)
    }

    /// As [`Self::request_in_place`], for the order at a place.
    ///
    /// # Errors
    /// As [`Self::request`]; the reason is with [`Self::refusal`].
    #[inline]
    pub fn request_at(&mut self, place: Place, event: OrderEvent, now_ns: TimeNs) -> Stepped {
        match event {
            OrderEvent::Submit => self.step(place.0, OrderEvent::Submit, None, now_ns),
            OrderEvent::CancelRequested => {
                self.step(place.0, OrderEvent::CancelRequested, None, now_ns)
            }
            other => self.step_rarely(place.0, other, now_ns),
        }
    }

    /// The order that a step moved; until the next step.
    #[inline]
    #[must_use]
    pub fn at(&self, moved: Moved) -> &Order {
        &self.slots[moved.slot()]
    }

    fn change(&self, moved: Moved, fill: Option<FillChange>) -> Change {
        Change {
            order: *self.at(moved),
            from: moved.from(),
            to: moved.to(),
            fill,
            duplicate: moved.is_duplicate(),
            late: moved.is_late(),
        }
    }

    /// Applies an answer of a venue.
    ///
    /// # Errors
    /// [`OrderError`] when the order is not known, the event cannot happen to it now, or a fill
    /// is larger than what may still trade.
    #[inline]
    pub fn apply(
        &mut self,
        event: &VenueEvent,
        now_ns: TimeNs,
    ) -> std::result::Result<Change, OrderError> {
        match self.apply_in_place(event, now_ns) {
            Ok(moved) => Ok(self.change(moved, FillChange::of(event))),
            Err(Refused) => Err(self.refusal()),
        }
    }

    /// As [`Self::apply`], without a copy of the order.
    ///
    /// # Errors
    /// As [`Self::apply`]; the reason is with [`Self::refusal`].
    #[inline]
    pub fn apply_in_place(&mut self, event: &VenueEvent, now_ns: TimeNs) -> Stepped {
        let slot = self.known(event.order)?;
        self.apply_to(slot, event, now_ns)
    }

    /// Where the order with this id is.
    ///
    /// # Errors
    /// When there is none, which is counted; [`Self::refusal`] says so.
    #[inline]
    pub fn place(&mut self, id: ClientOrderId) -> std::result::Result<Place, Refused> {
        self.known(id).map(Place)
    }

    /// As [`Self::place`], where it is no fault that there is none.
    #[inline]
    #[must_use]
    pub fn place_of(&self, id: ClientOrderId) -> Option<Place> {
        match self.find(id) {
            NONE => None,
            slot => Some(Place(slot)),
        }
    }

    /// The order at a place.
    #[inline]
    #[must_use]
    pub fn order(&self, place: Place) -> &Order {
        &self.slots[place.0 as usize]
    }

    /// As [`Self::apply_in_place`], for an event about the order at a place.
    ///
    /// # Errors
    /// As [`Self::apply`]; the reason is with [`Self::refusal`].
    #[inline]
    pub fn apply_at(&mut self, place: Place, event: &VenueEvent, now_ns: TimeNs) -> Stepped {
        self.apply_to(place.0, event, now_ns)
    }

    #[inline]
    fn apply_to(&mut self, slot: u32, event: &VenueEvent, now_ns: TimeNs) -> Stepped {
        match event.kind {
            VenueEventKind::Filled { price, qty, maker } => {
                self.fill(slot, FillChange { price, qty, maker }, now_ns)
            }
            VenueEventKind::Amended { price, qty } => {
                self.amended(slot, price, qty, said_ns(event), now_ns)
            }
            VenueEventKind::AmendRejected(_) => self.amend_rejected(slot, event, now_ns),
            VenueEventKind::Accepted => self.step(slot, OrderEvent::Accepted, None, now_ns),
            VenueEventKind::Cancelled(reason) if reason != CancelReason::Expired => {
                self.step(slot, OrderEvent::Cancelled, None, now_ns)
            }
            other => {
                let event = self.read(slot, other);
                self.step_rarely(slot, event, now_ns)
            }
        }
    }

    /// Live orders of a strategy in an instrument, in order of arrival.
    pub fn live(&self, strategy: u16, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        self.walk(self.list_of(strategy, instrument))
    }

    /// All live orders, by strategy, instrument and arrival.
    pub fn all_live(&self) -> impl Iterator<Item = &Order> {
        (self.slots.len()..self.links.len()).flat_map(|list| self.walk(Some(list)))
    }

    /// What a restart has to know: ended orders that are remembered, oldest first, then live ones.
    #[must_use]
    pub fn image(&self) -> OrdersImage {
        let ring = self.ended.len();
        let ended = (0..self.ended_count).map(|i| self.ended[(self.ended_first + i) % ring]);
        OrdersImage {
            ended: ended.map(|ended| self.slots[ended.slot as usize]).collect(),
            live: self.all_live().copied().collect(),
            counters: self.counters,
        }
    }

    /// Takes what [`Self::image`] gave into an empty table.
    ///
    /// # Errors
    /// When the table is not empty or too small, an id is twice in the image, or an order is of a
    /// strategy or instrument that the table does not have.
    pub fn restore(&mut self, image: &OrdersImage) -> Result<()> {
        if self.live != 0 || self.ended_count != 0 {
            return Err(Error::new(ErrorKind::Internal, "orders can only go into an empty table"));
        }
        for order in image.ended.iter().chain(&image.live) {
            self.insert(Order { state: OrderState::Created, ..*order })?;
            let slot = self.find(order.id);
            self.slots[slot as usize] = *order;
            if order.is_terminal() {
                self.retire(slot);
            }
        }
        self.counters = image.counters;
        Ok(())
    }

    /// How many orders are live.
    #[inline]
    #[must_use]
    pub const fn live_count(&self) -> usize {
        self.live
    }

    /// How many live orders there is room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// What went by that should be looked at.
    #[must_use]
    pub const fn counters(&self) -> OrderCounters {
        self.counters
    }

    #[inline]
    fn fill(&mut self, slot: u32, fill: FillChange, now_ns: TimeNs) -> Stepped {
        let order = &self.slots[slot as usize];
        let fillable = order.fillable();
        // After the end, the machine decides first whether a fill is possible at all.
        if fill.qty.0 <= 0 || (fill.qty > fillable && !order.is_terminal()) {
            return Err(self.bad_fill(slot, fill.qty));
        }
        let complete = fill.qty == fillable;
        self.step(slot, OrderEvent::Filled { complete }, Some(fill), now_ns)
    }

    fn amended(
        &mut self,
        slot: u32,
        price: Ticks,
        qty: Lots,
        exch_ns: TimeNs,
        now_ns: TimeNs,
    ) -> Stepped {
        let order = &self.slots[slot as usize];
        if order.knows_change(price, qty, exch_ns) {
            self.counters.duplicates += 1;
            let late = order.is_terminal();
            return Ok(Moved::new(slot, order.state, order.state, true, late));
        }
        let complete = order.filled >= qty;
        let moved = self.step_rarely(slot, OrderEvent::Amended { complete }, now_ns)?;
        let order = &mut self.slots[slot as usize];
        order.amended_ns = order.amended_ns.max(exch_ns);
        if !moved.is_late() {
            order.terms.price = price;
            order.terms.qty = qty;
        }
        Ok(moved)
    }

    /// A refusal that was told before, or one from before a newer answer, is not that of the amend which
    /// is on its way now.
    fn amend_rejected(&mut self, slot: u32, event: &VenueEvent, now_ns: TimeNs) -> Stepped {
        let (order, at_ns) = (&self.slots[slot as usize], said_ns(event));
        if at_ns != 0 && at_ns <= order.amended_ns.max(order.amend_refused_ns) {
            self.counters.duplicates += 1;
            return Ok(Moved::new(slot, order.state, order.state, true, order.is_terminal()));
        }
        let moved = self.step_rarely(slot, self.read(slot, event.kind), now_ns)?;
        let order = &mut self.slots[slot as usize];
        order.amend_refused_ns = order.amend_refused_ns.max(at_ns);
        Ok(moved)
    }

    /// The machine's event for a venue's statement other than a fill or an amend.
    fn read(&self, slot: u32, kind: VenueEventKind) -> OrderEvent {
        let order = &self.slots[slot as usize];
        match kind {
            VenueEventKind::Accepted => OrderEvent::Accepted,
            VenueEventKind::Rejected(_) => OrderEvent::Rejected,
            VenueEventKind::Cancelled(CancelReason::Expired) => OrderEvent::Expired,
            VenueEventKind::Cancelled(_) => OrderEvent::Cancelled,
            VenueEventKind::CancelRejected(reason) => {
                OrderEvent::CancelRejected { gone: reason == RejectReason::UnknownOrder }
            }
            VenueEventKind::AmendRejected(reason) => OrderEvent::AmendRejected {
                gone: reason == RejectReason::UnknownOrder,
                complete: order.filled >= order.terms.qty,
            },
            VenueEventKind::Triggered => OrderEvent::Triggered,
            VenueEventKind::Filled { .. } => OrderEvent::Filled { complete: false },
            VenueEventKind::Amended { .. } => OrderEvent::Amended { complete: false },
        }
    }

    /// As [`Self::step`], for events that few orders see.
    #[inline(never)]
    fn step_rarely(&mut self, slot: u32, event: OrderEvent, now_ns: TimeNs) -> Stepped {
        self.step(slot, event, None, now_ns)
    }

    /// One step of the state machine, and what follows from it for the lists.
    ///
    /// Always inlined where the event is known: then all that is asked of it is known as well, and what
    /// is left is little.
    #[inline(always)]
    fn step(
        &mut self,
        slot: u32,
        event: OrderEvent,
        fill: Option<FillChange>,
        now_ns: TimeNs,
    ) -> Stepped {
        let order = &mut self.slots[slot as usize];
        let from = order.state;
        let to = match transition(from, event, order.standing_after(event)) {
            Ok(to) => to,
            Err(source) => return Err(self.illegal(slot, source)),
        };
        let late = from.is_terminal();
        if let Some(fill) = fill {
            if late && fill.qty > order.fillable() {
                return Err(self.bad_fill(slot, fill.qty));
            }
            order.filled += fill.qty;
            order.fill_value += i128::from(fill.price.0) * i128::from(fill.qty.0);
            self.counters.late_fills += u64::from(late);
        }
        let duplicate = says_nothing_new(order, event, to);
        order.note(event);
        order.state = to;
        if duplicate {
            self.counters.duplicates += 1;
        } else {
            order.updated_ns = now_ns;
        }
        if to.is_terminal() && !late {
            self.retire(slot);
        }
        Ok(Moved::new(slot, from, to, duplicate, late))
    }

    #[cold]
    fn illegal(&mut self, slot: u32, source: IllegalTransition) -> Refused {
        self.counters.illegal += 1;
        self.refusal = OrderError::Illegal { id: self.slots[slot as usize].id, source };
        Refused
    }

    #[cold]
    fn bad_fill(&mut self, slot: u32, qty: Lots) -> Refused {
        let order = &self.slots[slot as usize];
        self.counters.bad_fills += 1;
        self.refusal = OrderError::BadFill { id: order.id, qty, fillable: order.fillable() };
        Refused
    }

    /// Moves an ended order from its live list to the memory of ended orders.
    #[inline(never)]
    fn retire(&mut self, slot: u32) {
        let id = self.slots[slot as usize].id;
        let Link { previous, next } = self.links[slot as usize];
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
        self.live -= 1;
        let ring = self.ended.len();
        if self.ended_count == ring {
            self.forget_oldest();
        }
        let end = self.ended_first + self.ended_count;
        self.ended[if end < ring { end } else { end - ring }] = Ended { id, slot };
        self.ended_count += 1;
    }

    fn forget_oldest(&mut self) {
        let Ended { id, slot } = self.ended[self.ended_first];
        self.ended_first += 1;
        if self.ended_first == self.ended.len() {
            self.ended_first = 0;
        }
        self.ended_count -= 1;
        self.unchain(id, slot);
        self.chains[slot as usize] = self.free;
        self.free = slot;
    }

    /// Takes a slot out of the chain of its bucket.
    fn unchain(&mut self, id: ClientOrderId, slot: u32) {
        let bucket = self.bucket(id);
        let after = self.chains[slot as usize];
        let mut at = self.buckets[bucket];
        if at == slot {
            self.buckets[bucket] = after;
            return;
        }
        while at != NONE {
            let next = self.chains[at as usize];
            if next == slot {
                self.chains[at as usize] = after;
                return;
            }
            at = next;
        }
    }

    /// A free slot; there is one whenever fewer than `capacity` orders are live.
    fn take_slot(&mut self) -> u32 {
        let slot = self.free;
        self.free = self.chains[slot as usize];
        slot
    }

    #[cold]
    fn cannot_add(&self, id: ClientOrderId, strategy: u16, terms: &OrderTerms) -> Error {
        if self.live >= self.capacity {
            return self.full();
        }
        let what = if terms.qty.0 <= 0 {
            "the quantity must be positive".to_owned()
        } else if self.find(id) != NONE {
            "the id is in use".to_owned()
        } else {
            let instrument = terms.instrument.0;
            format!("strategy {strategy} or instrument {instrument} is not in the table")
        };
        Error::new(ErrorKind::Internal, format!("order {}: {what}", id.0))
    }

    #[cold]
    fn full(&self) -> Error {
        Error::new(
            ErrorKind::Capacity,
            format!(
                "{} orders are live, which is all there is room for; cancel some or raise the \
                 limit of open orders",
                self.live
            ),
        )
    }

    #[inline]
    fn bucket(&self, id: ClientOrderId) -> usize {
        id.0 as usize & (self.buckets.len() - 1)
    }

    #[inline]
    fn find(&self, id: ClientOrderId) -> u32 {
        let mut at = self.buckets[self.bucket(id)];
        while at != NONE && self.slots[at as usize].id != id {
            at = self.chains[at as usize];
        }
        at
    }

    #[inline]
    fn known(&mut self, id: ClientOrderId) -> std::result::Result<u32, Refused> {
        match self.find(id) {
            NONE => {
                self.counters.unknown += 1;
                self.refusal = OrderError::UnknownOrder(id);
                Err(Refused)
            }
            slot => Ok(slot),
        }
    }

    /// The place of a list among the links.
    #[inline]
    fn list_of(&self, strategy: u16, instrument: InstrumentId) -> Option<usize> {
        let list = usize::from(strategy) * self.instruments + instrument.index();
        let is_known = instrument.index() < self.instruments && list < self.lists;
        is_known.then_some(self.slots.len() + list)
    }

    /// The orders of a list; none without one.
    #[inline]
    fn walk(&self, list: Option<usize>) -> impl Iterator<Item = &Order> {
        let mut at = list.map_or(NONE, |list| self.links[list].next);
        std::iter::from_fn(move || {
            // A list's own place is behind all slots.
            let order = self.slots.get(at as usize)?;
            at = self.links[at as usize].next;
            Some(order)
        })
    }
}

/// When the venue says that it happened; 0 where it does not say, and it is told as of when it was heard.
fn said_ns(event: &VenueEvent) -> TimeNs {
    if event.exch_ns == event.recv_ns {
        0
    } else {
        event.exch_ns
    }
}

/// Whether a venue's statement is one that was made before.
fn says_nothing_new(before: &Order, event: OrderEvent, to: OrderState) -> bool {
    let known = match event {
        OrderEvent::Accepted | OrderEvent::Confirmed => before.acknowledged,
        OrderEvent::Triggered => before.triggered,
        OrderEvent::Cancelled | OrderEvent::Expired | OrderEvent::Rejected => true,
        _ => false,
    };
    known && to == before.state
}
