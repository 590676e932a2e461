//! What a strategy asks for in one callback: a bounded buffer.

use mainspring_core::limits::{MAX_INTENTS_PER_CALL, MAX_QUOTE_LEVELS};
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Result, Ticks, TimeNs};
use mainspring_trading::execution::parents::{ParentId, ParentTerms, MAX_PARENTS};
use mainspring_trading::execution::{Desired, Level};
use mainspring_trading::risk::StopRule;

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// These quotes and no others should rest in the instrument.
    Quote {
        /// Where.
        instrument: InstrumentId,
        /// First of its bids in the level buffer; asks follow.
        first: u16,
        /// Number of bids.
        bids: u16,
        /// Number of asks.
        asks: u16,
        /// Options of the orders.
        flags: OrderFlags,
    },
    /// The position should become this.
    Target {
        /// Where.
        instrument: InstrumentId,
        /// Signed target.
        position: Lots,
        /// Limit price; a market order without.
        price: Option<Ticks>,
    },
    /// Place an order.
    Place {
        /// Its id, given by [`Intents::place`].
        id: ClientOrderId,
        /// Its terms.
        terms: OrderTerms,
    },
    /// Cancel an order.
    Cancel(ClientOrderId),
    /// Cancel everything of this strategy in an instrument.
    CancelAll(InstrumentId),
    /// Change an order.
    Amend {
        /// Which.
        id: ClientOrderId,
        /// New limit price.
        price: Ticks,
        /// New total quantity.
        qty: Lots,
    },
    /// Hold a stop for this strategy's position in an instrument, in place of one of the same kind that
    /// it asked for; without a rule let go of all that it asked for there.
    Stop {
        /// Where.
        instrument: InstrumentId,
        /// When the position is closed.
        rule: Option<StopRule>,
    },
    /// Call `on_timer` at this time.
    Timer {
        /// When.
        at_ns: TimeNs,
        /// Given back to the callback.
        tag: i64,
    },
    /// Work a quantity over time.
    Execute {
        /// Its id, given by [`Intents::execute`].
        id: ParentId,
        /// Its terms in the buffer of terms.
        terms: u16,
    },
    /// Pause, resume or cancel a parent order.
    Control {
        /// Which.
        id: ParentId,
        /// What to do.
        control: Control,
    },
}

/// What can be done to a parent order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Control {
    /// Trade nothing until it is resumed; its clock runs.
    Pause = 0,
    /// Trade again.
    Resume = 1,
    /// End it.
    Cancel = 2,
}

impl Control {
    /// Its name as journals print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause_parent",
            Self::Resume => "resume_parent",
            Self::Cancel => "cancel_parent",
        }
    }
}

/// A quote of at most a level a side.
pub(crate) struct PlainQuote {
    pub(crate) instrument: InstrumentId,
    pub(crate) bid: Option<Level>,
    pub(crate) ask: Option<Level>,
    pub(crate) flags: OrderFlags,
}

impl PlainQuote {
    pub(crate) const fn desired(&self) -> Desired<'_> {
        Desired { bids: self.bid.as_slice(), asks: self.ask.as_slice(), flags: self.flags }
    }
}

/// The wishes of one callback, in order.
pub struct Intents {
    list: Vec<Intent>,
    levels: Vec<Level>,
    parents: Vec<ParentTerms>,
    next_order: u64,
    next_parent: u32,
    /// Parent orders that are on their way to the kernel that leads, by strategy.
    waiting: Vec<(u16, ParentId, ParentTerms)>,
}

const MAX_LEVELS: usize = 2 * MAX_QUOTE_LEVELS * 8;

impl Default for Intents {
    fn default() -> Self {
        Self {
            list: Vec::with_capacity(MAX_INTENTS_PER_CALL),
            levels: Vec::with_capacity(MAX_LEVELS),
            parents: Vec::new(),
            next_order: 1,
            next_parent: 1,
            waiting: Vec::new(),
        }
    }
}

/// Ids from here on are given by strategies that run outside the kernel's thread.
pub(crate) const FIRST_ELSEWHERE: u64 = 1 << ELSEWHERE_BITS;

const ELSEWHERE_BITS: u32 = 48;

/// A quantity at a share of itself; what is not nothing does not become nothing.
fn scaled(qty: Lots, bps: u32) -> Lots {
    let share = i128::from(qty.0) * i128::from(bps) / 10_000;
    match i64::try_from(share).unwrap_or(qty.0) {
        0 => Lots(qty.0.signum()),
        lots => Lots(lots),
    }
}

impl Intents {
    /// Forgets the wishes; order ids go on.
    pub fn clear(&mut self) {
        self.list.clear();
        self.levels.clear();
        self.parents.clear();
    }

    /// Forgets the wishes and takes back the ids that they were given: a kernel that follows a journal
    /// does not carry them out, and finds in its records what was.
    pub(crate) fn forget(&mut self, strategy: u16) {
        if self.next_order >= FIRST_ELSEWHERE {
            // They are on their way to the kernel that leads: their ids are taken.
            self.wait_for_parents(strategy);
            return self.clear();
        }
        for intent in self.list.iter().rev() {
            match *intent {
                Intent::Place { id, .. } => self.next_order = id.0,
                Intent::Execute { id, .. } => self.next_parent = id.0,
                _ => {}
            }
        }
        self.clear();
    }

    fn wait_for_parents(&mut self, strategy: u16) {
        for intent in &self.list {
            let Intent::Execute { id, terms } = *intent else { continue };
            if self.waiting.len() == MAX_PARENTS {
                self.waiting.remove(0);
            }
            self.waiting.push((strategy, id, self.parents[usize::from(terms)].clone()));
        }
    }

    /// A parent order that was on its way has arrived.
    pub(crate) fn arrived(&mut self, id: ParentId) {
        self.waiting.retain(|(_, waiting, _)| *waiting != id);
    }

    /// Terms of a parent order of a strategy that is asked for in this callback, or on its way.
    pub(crate) fn asked_parent(&self, strategy: u16, id: ParentId) -> Option<&ParentTerms> {
        let now = self.list.iter().find_map(|intent| match *intent {
            Intent::Execute { id: asked, terms } if asked == id => {
                self.parents.get(usize::from(terms))
            }
            _ => None,
        });
        let waiting = self.waiting.iter().find(|(of, one, _)| *of == strategy && *one == id);
        now.or(waiting.map(|(_, _, terms)| terms))
    }

    /// Takes the wishes out, so that they can be carried out while ids are still given; no allocation.
    pub(crate) fn take(&mut self) -> Self {
        let (list, levels) = (std::mem::take(&mut self.list), std::mem::take(&mut self.levels));
        let parents = std::mem::take(&mut self.parents);
        let (next_order, next_parent) = (self.next_order, self.next_parent);
        Self { list, levels, parents, next_order, next_parent, waiting: Vec::new() }
    }

    /// Gives the buffers of taken wishes back, empty.
    pub(crate) fn give_back(&mut self, mut taken: Self) {
        taken.clear();
        self.list = taken.list;
        self.levels = taken.levels;
        self.parents = taken.parents;
    }

    /// The wishes in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Intent] {
        &self.list
    }

    /// The wish, when it is the only one and a quote of at most a level a side, as most are.
    #[inline]
    pub(crate) fn only_quote(&self) -> Option<PlainQuote> {
        let [Intent::Quote { instrument, first, bids, asks, flags }] = *self.list.as_slice() else {
            return None;
        };
        if bids > 1 || asks > 1 {
            return None;
        }
        let (bids, asks) = self.levels(first, bids, asks);
        let (bid, ask) = (bids.first().copied(), asks.first().copied());
        Some(PlainQuote { instrument, bid, ask, flags })
    }

    /// Whether nothing was asked.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Every quantity at a share of itself, in basis points: whole lots, rounded down, one at least.
    pub(crate) fn scale(&mut self, bps: u32) {
        for level in &mut self.levels {
            level.qty = scaled(level.qty, bps);
        }
        for parent in &mut self.parents {
            parent.qty = scaled(parent.qty, bps);
            parent.min_child = scaled(parent.min_child, bps);
            parent.max_child = scaled(parent.max_child, bps);
        }
        for intent in &mut self.list {
            match intent {
                Intent::Target { position, .. } => *position = scaled(*position, bps),
                Intent::Place { terms, .. } => {
                    terms.qty = scaled(terms.qty, bps);
                    terms.display = scaled(terms.display, bps);
                }
                Intent::Amend { qty, .. } => *qty = scaled(*qty, bps),
                Intent::Quote { .. }
                | Intent::Cancel(_)
                | Intent::CancelAll(_)
                | Intent::Stop { .. }
                | Intent::Timer { .. }
                | Intent::Execute { .. }
                | Intent::Control { .. } => {}
            }
        }
    }

    /// All levels, of every quote.
    pub(crate) fn all_levels(&self) -> &[Level] {
        &self.levels
    }

    /// Adds a level that a quote to come refers to.
    pub(crate) fn push_level(&mut self, level: Level) -> Result<()> {
        if self.levels.len() == MAX_LEVELS {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("more than {MAX_LEVELS} levels in one record of wishes"),
            ));
        }
        self.levels.push(level);
        Ok(())
    }

    /// The next id given is this one.
    pub(crate) fn give_ids_from(&mut self, next: u64) {
        self.next_order = next;
    }

    /// Terms of the parent orders that are asked for.
    #[must_use]
    pub fn parents(&self) -> &[ParentTerms] {
        &self.parents
    }

    /// Adds the terms of a parent order that a wish to come refers to.
    pub(crate) fn push_parent(&mut self, terms: ParentTerms) -> Result<()> {
        if self.parents.len() == MAX_INTENTS_PER_CALL {
            return Err(Error::new(ErrorKind::Mismatch, "too many parent orders in one record"));
        }
        self.parents.push(terms);
        Ok(())
    }

    /// The id that the next parent order will get.
    #[must_use]
    pub const fn upcoming_parent(&self) -> ParentId {
        ParentId(self.next_parent)
    }

    /// The ids given to parent orders from now on are above this one, if it is one of ours.
    pub(crate) fn give_parents_after(&mut self, id: ParentId) {
        if id.is_elsewhere() == self.upcoming_parent().is_elsewhere() {
            self.next_parent = self.next_parent.max(id.0.saturating_add(1));
        }
    }

    /// The next id given to a parent order is this one.
    pub(crate) fn give_parents_from(&mut self, next: u32) {
        self.next_parent = next;
    }

    /// Asks for a parent order and returns its id.
    ///
    /// # Errors
    /// As [`Self::push`], or when the terms do not fit together.
    pub fn execute(&mut self, terms: ParentTerms) -> Result<ParentId> {
        terms.validate()?;
        let id = ParentId(self.next_parent);
        self.push(Intent::Execute { id, terms: self.parents.len() as u16 })?;
        self.parents.push(terms);
        self.next_parent += 1;
        Ok(id)
    }

    /// The ids given from now on are above this one, if it is one of ours: strategies that run
    /// elsewhere give ids of a range of their own.
    pub(crate) fn give_ids_after(&mut self, id: ClientOrderId) {
        if id.0 >> ELSEWHERE_BITS == self.next_order >> ELSEWHERE_BITS {
            self.next_order = self.next_order.max(id.0 + 1);
        }
    }

    /// Levels of a quote: bids and asks.
    #[must_use]
    pub fn levels(&self, first: u16, bids: u16, asks: u16) -> (&[Level], &[Level]) {
        let start = usize::from(first);
        let middle = start + usize::from(bids);
        (&self.levels[start..middle], &self.levels[middle..middle + usize::from(asks)])
    }

    /// One level of the buffer.
    pub(crate) fn level(&self, at: u16) -> Option<Level> {
        self.levels.get(usize::from(at)).copied()
    }

    /// Another level in its place; false when there is none.
    pub(crate) fn set_level(&mut self, at: u16, level: Level) -> bool {
        let place = self.levels.get_mut(usize::from(at));
        place.map(|place| *place = level).is_some()
    }

    /// Takes a wish out.
    pub(crate) fn remove(&mut self, at: usize) {
        if at < self.list.len() {
            self.list.remove(at);
        }
    }

    /// Cuts the quantity of a parent order that is asked for; false when nothing is left.
    pub(crate) fn share_parent(&mut self, terms: u16, part: impl Fn(i64) -> i64) -> bool {
        let Some(terms) = self.parents.get_mut(usize::from(terms)) else { return false };
        terms.qty = Lots(part(terms.qty.0));
        terms.qty.0 > 0
    }

    /// Another wish in place of one.
    pub(crate) fn replace(&mut self, at: usize, wish: Intent) {
        if let Some(place) = self.list.get_mut(at) {
            *place = wish;
        }
    }

    /// Adds a wish.
    ///
    /// # Errors
    /// When the callback asked for more than [`MAX_INTENTS_PER_CALL`] things.
    #[inline]
    pub fn push(&mut self, intent: Intent) -> Result<()> {
        if self.list.len() == MAX_INTENTS_PER_CALL {
            return Err(too_many());
        }
        self.list.push(intent);
        Ok(())
    }

    /// Adds a desired quote.
    ///
    /// # Errors
    /// When there are more than [`MAX_QUOTE_LEVELS`] levels a side, a quantity that is not positive, a
    /// price twice on one side, or bids at or above asks.
    #[inline]
    pub fn quote(
        &mut self,
        instrument: InstrumentId,
        bids: &[Level],
        asks: &[Level],
        flags: OrderFlags,
    ) -> Result<()> {
        if !is_simple(bids, asks) {
            check_quote(bids, asks)?;
        }
        if self.levels.len() + bids.len() + asks.len() > MAX_LEVELS {
            return Err(too_deep());
        }
        let first = self.levels.len() as u16;
        for level in bids.iter().chain(asks) {
            self.levels.push(*level);
        }
        let (bids, asks) = (bids.len() as u16, asks.len() as u16);
        self.push(Intent::Quote { instrument, first, bids, asks, flags })
    }

    /// Adds an explicit order and returns its id.
    ///
    /// # Errors
    /// As [`Self::push`], or when the quantity is not positive.
    pub fn place(&mut self, terms: OrderTerms) -> Result<ClientOrderId> {
        if terms.qty.0 <= 0 {
            return Err(Error::new(
                ErrorKind::Strategy,
                format!(
                    "an order of {} lots cannot be placed; the quantity must be positive",
                    terms.qty
                ),
            ));
        }
        let id = self.next_id();
        self.push(Intent::Place { id, terms })?;
        Ok(id)
    }

    /// The id that the next order will get.
    #[inline]
    #[must_use]
    pub const fn upcoming_id(&self) -> ClientOrderId {
        ClientOrderId(self.next_order)
    }

    /// A fresh order id.
    #[inline]
    pub fn next_id(&mut self) -> ClientOrderId {
        let id = ClientOrderId(self.next_order);
        self.next_order += 1;
        id
    }
}

#[cold]
fn too_many() -> Error {
    Error::new(
        ErrorKind::Strategy,
        format!("one callback may ask for at most {MAX_INTENTS_PER_CALL} actions; use quote() for whole books of orders"),
    )
}

#[cold]
fn too_deep() -> Error {
    Error::new(
        ErrorKind::Strategy,
        format!("one callback may quote at most {MAX_LEVELS} levels in all"),
    )
}

/// Whether it is at most one good level a side, as most quotes are: nothing further to check.
#[inline]
fn is_simple(bids: &[Level], asks: &[Level]) -> bool {
    let good = |level: &Level| level.qty.0 > 0;
    match (bids, asks) {
        ([], []) => true,
        ([one], []) | ([], [one]) => good(one),
        ([bid], [ask]) => good(bid) && good(ask) && bid.price < ask.price,
        _ => false,
    }
}

fn check_quote(bids: &[Level], asks: &[Level]) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Strategy, what));
    for (name, side) in [("bid", bids), ("ask", asks)] {
        if side.len() > MAX_QUOTE_LEVELS {
            return wrong(format!(
                "a quote has at most {MAX_QUOTE_LEVELS} {name} levels, this one {}",
                side.len()
            ));
        }
        for (i, level) in side.iter().enumerate() {
            if level.qty.0 <= 0 {
                return wrong(format!(
                    "{name} level {i} has a quantity of {} lots; it must be positive",
                    level.qty
                ));
            }
            if side[..i].iter().any(|other| other.price == level.price) {
                return wrong(format!("{name} level {i} repeats the price of another level"));
            }
        }
    }
    let best_bid = bids.iter().map(|l| l.price).max();
    let best_ask = asks.iter().map(|l| l.price).min();
    match (best_bid, best_ask) {
        (Some(bid), Some(ask)) if bid >= ask => {
            wrong(format!("the quote crosses itself: bid at {bid} ticks, ask at {ask} ticks"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_scaled_and_never_to_nothing() {
        let share = |lots, bps| scaled(Lots(lots), bps).0;
        assert_eq!((share(100, 2_500), share(-100, 2_500)), (25, -25));
        assert_eq!((share(3, 5_000), share(1, 1), share(-1, 1), share(0, 1)), (1, 1, -1, 0));
        assert_eq!(share(i64::MAX, 10_000), i64::MAX);
    }
}
