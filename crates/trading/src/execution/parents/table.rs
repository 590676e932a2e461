//! The parents of a kernel: those that live, and those that ended not long ago.

use std::collections::VecDeque;

use mainspring_core::{
    ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Money, Result, Ticks, TimeNs,
};
use serde::{Deserialize, Serialize};

use super::parent::{Parent, ParentId};
use super::terms::{ParentTerms, Style};
use crate::orders::Order;

/// Most parents of one kernel that live at once.
pub const MAX_PARENTS: usize = 256;

/// Parents that ended and are remembered, so that they can be asked about.
const REMEMBERED: usize = 256;

/// Children that are remembered after their end, so that late fills find their parent.
const REMEMBERED_CHILDREN: usize = 4_096;

/// A parent wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Which.
    pub parent: ParentId,
    /// When.
    pub at_ns: TimeNs,
}

/// Parents as a snapshot keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentsImage {
    /// Those that live, oldest first.
    pub live: Vec<Parent>,
    /// Those that ended, oldest first.
    pub ended: Vec<Parent>,
    /// Children and their parents, oldest first.
    pub children: Vec<(ClientOrderId, ParentId)>,
    /// The next id for strategies that run outside the kernel's thread.
    #[serde(default)]
    pub next_elsewhere: u32,
}

/// The parents of a kernel. What it holds is bounded; a parent allocates when it is made, nothing
/// does afterwards.
#[derive(Debug)]
pub struct ParentTable {
    live: Vec<Parent>,
    ended: VecDeque<Parent>,
    children: VecDeque<(ClientOrderId, ParentId)>,
    /// Parents that ended and were not asked for yet.
    news: VecDeque<ParentId>,
    next_elsewhere: ParentId,
    /// Whether the feed's trades hold our own, as those of a venue outside do.
    feed_has_own: bool,
}

impl ParentTable {
    /// No parents.
    #[must_use]
    pub fn new(feed_has_own: bool) -> Self {
        Self {
            live: Vec::with_capacity(MAX_PARENTS),
            ended: VecDeque::with_capacity(REMEMBERED),
            children: VecDeque::with_capacity(REMEMBERED_CHILDREN),
            news: VecDeque::with_capacity(MAX_PARENTS),
            next_elsewhere: ParentId::FIRST_ELSEWHERE,
            feed_has_own,
        }
    }

    /// Adds a parent, which begins now. Returns its first boundary.
    ///
    /// # Errors
    /// When its terms do not fit together, the id is in use, or [`MAX_PARENTS`] live.
    pub fn add(
        &mut self,
        id: ParentId,
        strategy: u16,
        terms: ParentTerms,
        now_ns: TimeNs,
    ) -> Result<Wake> {
        terms.validate()?;
        if self.live.len() == MAX_PARENTS {
            return Err(Error::new(
                ErrorKind::Capacity,
                format!("more than {MAX_PARENTS} parent orders at once"),
            ));
        }
        if id.0 == 0 || self.get(id).is_some() {
            return Err(Error::new(ErrorKind::Internal, format!("parent id {} is taken", id.0)));
        }
        self.next_elsewhere = self.next_elsewhere.max(ParentId(id.0.saturating_add(1)));
        let parent = Parent::new(id, strategy, terms, now_ns);
        let at_ns = parent.next_boundary_ns();
        self.live.push(parent);
        Ok(Wake { parent: id, at_ns })
    }

    /// The next id for strategies that run outside the kernel's thread.
    #[must_use]
    pub const fn next_elsewhere(&self) -> ParentId {
        self.next_elsewhere
    }

    /// A parent that lives or is remembered.
    #[must_use]
    pub fn get(&self, id: ParentId) -> Option<&Parent> {
        let live = self.live.iter().find(|parent| parent.id == id);
        live.or_else(|| self.ended.iter().find(|parent| parent.id == id))
    }

    /// Parents that live, oldest first.
    #[must_use]
    pub fn live(&self) -> &[Parent] {
        &self.live
    }

    /// The parent of an order, live or over not long ago.
    #[must_use]
    pub fn parent_of(&self, order: ClientOrderId) -> Option<ParentId> {
        let at = self.children.partition_point(|(child, _)| *child < order);
        self.children.get(at).filter(|(child, _)| *child == order).map(|(_, parent)| *parent)
    }

    fn live_mut(&mut self, id: ParentId) -> Option<&mut Parent> {
        self.live.iter_mut().find(|parent| parent.id == id)
    }

    /// Time went on for a parent. Returns its next boundary, when it has reached one.
    pub fn advance(&mut self, id: ParentId, now_ns: TimeNs) -> Option<Wake> {
        let parent = self.live_mut(id)?;
        let due = parent.next_boundary_ns() <= now_ns;
        parent.advance(now_ns);
        let at_ns = parent.next_boundary_ns();
        self.retire();
        (due && at_ns < TimeNs::MAX).then_some(Wake { parent: id, at_ns })
    }

    /// Volume traded in the market.
    #[inline]
    pub fn on_trade(&mut self, instrument: InstrumentId, qty: Lots) {
        for parent in &mut self.live {
            if parent.terms.instrument == instrument {
                parent.volume += qty;
            }
        }
    }

    /// A child of a parent was made. Returns when it may next be moved, for one that follows the price.
    pub fn child_made(&mut self, id: ParentId, order: &Order) -> Option<Wake> {
        if self.children.len() == REMEMBERED_CHILDREN {
            self.children.pop_front();
        }
        self.children.push_back((order.id, id));
        let parent = self.live_mut(id)?;
        parent.child_made(order);
        if parent.terms.style == Style::Rest {
            return None;
        }
        let child = parent.children.last().filter(|child| !child.takes)?;
        let at_ns = child.made_ns.saturating_add(parent.terms.reprice_ns);
        Some(Wake { parent: id, at_ns })
    }

    /// A child traded, perhaps after its end.
    pub fn child_filled(&mut self, order: ClientOrderId, price: Ticks, qty: Lots, fee: Money) {
        let Some(id) = self.parent_of(order) else { return };
        let feed_has_own = self.feed_has_own;
        let all = self.live.iter_mut().chain(self.ended.iter_mut());
        let Some(parent) = all.into_iter().find(|parent| parent.id == id) else { return };
        parent.child_filled(price, qty, fee);
        if feed_has_own {
            parent.volume -= qty;
        }
    }

    /// A child is in another state. Returns when its parent tries again, if it waits.
    pub fn child_moved(
        &mut self,
        order: &Order,
        missed_the_book: bool,
        now_ns: TimeNs,
    ) -> Option<Wake> {
        let id = self.parent_of(order.id)?;
        let wake = self.live_mut(id)?.child_moved(order, missed_the_book, now_ns);
        self.retire();
        wake.map(|at_ns| Wake { parent: id, at_ns })
    }

    /// Pauses a parent of a strategy; false when it has none of this id that lives.
    pub fn pause(&mut self, strategy: u16, id: ParentId) -> bool {
        self.own(strategy, id).map(Parent::pause).is_some()
    }

    /// Lets a paused parent of a strategy go on.
    pub fn resume(&mut self, strategy: u16, id: ParentId) -> bool {
        self.own(strategy, id).map(Parent::resume).is_some()
    }

    /// Cancels a parent of a strategy.
    pub fn cancel(&mut self, strategy: u16, id: ParentId, now_ns: TimeNs) -> bool {
        let found = self.own(strategy, id).map(|parent| parent.cancel(now_ns)).is_some();
        self.retire();
        found
    }

    fn own(&mut self, strategy: u16, id: ParentId) -> Option<&mut Parent> {
        self.live_mut(id).filter(|parent| parent.strategy == strategy)
    }

    /// Cancels all parents that `chosen` says.
    pub fn cancel_where(&mut self, now_ns: TimeNs, chosen: impl Fn(&Parent) -> bool) {
        self.live.iter_mut().filter(|parent| chosen(parent)).for_each(|p| p.cancel(now_ns));
        self.retire();
    }

    /// Moves parents that ended to those that are remembered.
    fn retire(&mut self) {
        while let Some(at) = self.live.iter().position(|parent| parent.state.is_over()) {
            if self.ended.len() == REMEMBERED {
                self.ended.pop_front();
            }
            let parent = self.live.remove(at);
            self.news.push_back(parent.id);
            self.ended.push_back(parent);
        }
    }

    /// A parent that ended since this was last asked.
    pub fn take_ended(&mut self) -> Option<ParentId> {
        self.news.pop_front()
    }

    /// What a snapshot keeps.
    #[must_use]
    pub fn image(&self) -> ParentsImage {
        ParentsImage {
            live: self.live.clone(),
            ended: self.ended.iter().cloned().collect(),
            children: self.children.iter().copied().collect(),
            next_elsewhere: self.next_elsewhere.0,
        }
    }

    /// Takes a snapshot in place of what is here.
    ///
    /// # Errors
    /// When it holds more than fits, or children out of order.
    pub fn restore(&mut self, image: &ParentsImage) -> Result<()> {
        let sorted = image.children.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if image.live.len() > MAX_PARENTS
            || image.ended.len() > REMEMBERED
            || image.children.len() > REMEMBERED_CHILDREN
            || !sorted
        {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "the snapshot's parent orders are not as this build keeps them",
            ));
        }
        self.next_elsewhere = ParentId::FIRST_ELSEWHERE.max(ParentId(image.next_elsewhere));
        self.live.clone_from(&image.live);
        self.ended = image.ended.iter().cloned().collect();
        self.children = image.children.iter().copied().collect();
        Ok(())
    }
}
