//! Parent orders in the kernel: told what happens, and their children sent on their way.
//!
//! What is told changes a parent the same way whether the kernel leads or follows; children are
//! placed and cancelled only while it leads, through the gate like any order.

use mainspring_core::order::OrderTerms;
use mainspring_core::{ClientOrderId, InstrumentId, RejectReason, Result, Side, VenueEventKind};
use mainspring_trading::execution::parents::{
    Next, Parent, ParentId, ParentTable, ParentTerms, ParentsImage, Quote, Wake,
};
use mainspring_trading::execution::Charge;
use mainspring_trading::orders::{Order, Purpose};

use crate::intent::Control;

use super::calls::Call;
use super::{Kernel, Timer, REFUSAL_NS};

/// Most steps of one parent at one moment: every child cancelled and as many placed.
const MAX_STEPS: usize = 32;

impl Kernel {
    /// A strategy wants a quantity worked over time.
    pub(super) fn execute(
        &mut self,
        strategy: u16,
        id: ParentId,
        terms: &ParentTerms,
    ) -> Result<()> {
        self.intents.give_parents_after(id);
        self.intents.arrived(id);
        if self.cancels_at_end {
            return self.note(&format!("parent order {}: the session ends", id.0));
        }
        let now_ns = self.now_ns;
        let feed_has_own = self.has_venues_outside();
        let table = || Box::new(ParentTable::new(feed_has_own));
        let parents = self.parents.get_or_insert_with(table);
        match parents.add(id, strategy, terms.clone(), now_ns) {
            Ok(wake) => self.wake_parent(Some(wake))?,
            Err(error) => return self.note(&format!("parent order {}: {error}", id.0)),
        }
        self.work_parent(id)
    }

    /// A strategy pauses, resumes or cancels one of its parents.
    pub(super) fn control_parent(
        &mut self,
        strategy: u16,
        id: ParentId,
        control: Control,
    ) -> Result<()> {
        let now_ns = self.now_ns;
        let found = self.parents.as_mut().is_some_and(|parents| match control {
            Control::Pause => parents.pause(strategy, id),
            Control::Resume => parents.resume(strategy, id),
            Control::Cancel => parents.cancel(strategy, id, now_ns),
        });
        if !found {
            return self
                .note(&format!("parent order {} is none of this strategy that lives", id.0));
        }
        self.work_parent(id)
    }

    /// Cancels parents without regard to their children, which the caller cancels.
    pub(crate) fn cancel_parents(&mut self, chosen: impl Fn(&Parent) -> bool) -> Result<()> {
        let now_ns = self.now_ns;
        let Some(parents) = &mut self.parents else { return Ok(()) };
        parents.cancel_where(now_ns, chosen);
        self.note_ended_parents()
    }

    /// Cancels the parents of a strategy in an instrument.
    pub(crate) fn cancel_parents_in(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
    ) -> Result<()> {
        self.cancel_parents(|p| p.strategy == strategy && p.terms.instrument == instrument)
    }

    /// The time of a parent has come: a slice, its end, another attempt.
    pub(super) fn parent_due(&mut self, id: ParentId) -> Result<()> {
        let now_ns = self.now_ns;
        let wake = self.parents.as_mut().and_then(|parents| parents.advance(id, now_ns));
        self.wake_parent(wake)?;
        self.work_parent(id)
    }

    fn wake_parent(&mut self, wake: Option<Wake>) -> Result<()> {
        match wake {
            Some(Wake { parent, at_ns }) if at_ns < i64::MAX => {
                self.timers.push(at_ns, Timer::Parent { parent })
            }
            _ => Ok(()),
        }
    }

    /// A child was made.
    pub(crate) fn child_made(&mut self, parent: ParentId, order: &Order) -> Result<()> {
        let wake = self.parents.as_mut().and_then(|parents| parents.child_made(parent, order));
        self.wake_parent(wake)
    }

    /// An order may be a child that is in another state now.
    pub(crate) fn child_moved(
        &mut self,
        id: ClientOrderId,
        answer: Option<&VenueEventKind>,
    ) -> Result<()> {
        let missed = VenueEventKind::Rejected(RejectReason::PostOnlyWouldTake);
        let missed_the_book = answer.is_some_and(|answer| *answer == missed);
        let now_ns = self.now_ns;
        let (Some(parents), Some(order)) = (&mut self.parents, self.orders.get(id)) else {
            return Ok(());
        };
        if order.purpose != Purpose::Child {
            return Ok(());
        }
        let wake = parents.child_moved(order, missed_the_book, now_ns);
        self.wake_parent(wake)?;
        self.note_ended_parents()
    }

    /// The last trade of an instrument counts as its volume.
    #[cold]
    pub(super) fn note_volume(&mut self, instrument: InstrumentId) {
        let trade = self.markets[instrument.index()].last_trade;
        if let (Some(parents), Some(trade)) = (&mut self.parents, trade) {
            parents.on_trade(instrument, trade.qty);
        }
    }

    /// Does what the parents in an instrument say after its market changed.
    pub(super) fn work_parents_in(&mut self, instrument: InstrumentId) -> Result<()> {
        let mut at = 0;
        while let Some(parent) = self.parents.as_ref().and_then(|parents| parents.live().get(at)) {
            let (id, here) = (parent.id, parent.terms.instrument == instrument);
            if here {
                self.work_parent(id)?;
            }
            // A parent that ended has left the list.
            let stays = self.parents.as_ref().and_then(|parents| parents.live().get(at));
            at += usize::from(stays.is_some_and(|parent| parent.id == id));
        }
        Ok(())
    }

    /// Does what the parent of an order says.
    pub(super) fn work_parent_of(&mut self, order: ClientOrderId) -> Result<()> {
        match self.parents.as_ref().and_then(|parents| parents.parent_of(order)) {
            Some(id) => self.work_parent(id),
            None => Ok(()),
        }
    }

    /// Does what a parent says until it says nothing more.
    fn work_parent(&mut self, id: ParentId) -> Result<()> {
        if !self.is_following() {
            for _ in 0..MAX_STEPS {
                let Some(parent) = self.parents.as_ref().and_then(|parents| parents.get(id)) else {
                    break;
                };
                let (strategy, instrument) = (parent.strategy, parent.terms.instrument);
                let quote = self.parent_quote(instrument);
                let Some(next) = parent.next_step(self.now_ns, &quote) else { break };
                if !self.is_within_budget(instrument, &next) {
                    // It is asked again when the market moves, or at its next time.
                    break;
                }
                match next {
                    Next::Place(terms) => self.place_child(id, strategy, terms)?,
                    Next::Cancel(order) => self.cancel(strategy, order)?,
                }
            }
        }
        self.note_ended_parents()
    }

    /// Whether the rate budget of the venue has room for a step.
    fn is_within_budget(&self, instrument: InstrumentId, next: &Next) -> bool {
        let charge = match next {
            Next::Place(_) => Charge::Place,
            Next::Cancel(_) => Charge::Cancel,
        };
        let now_ns = self.now_ns;
        let rounds = self.rounds.as_ref();
        rounds.is_none_or(|rounds| rounds.ready_ns(instrument, charge, now_ns) <= now_ns)
    }

    fn place_child(&mut self, parent: ParentId, strategy: u16, terms: OrderTerms) -> Result<()> {
        let grid = self.markets[terms.instrument.index()].grid();
        let price = match terms.side {
            Side::Buy => grid.floor(terms.price),
            Side::Sell => grid.ceil(terms.price),
        };
        let id = self.intents_id();
        self.making = parent;
        let done = self.place(strategy, id, OrderTerms { price, ..terms }, Purpose::Child);
        self.making = ParentId(0);
        done
    }

    /// The market as parents see it.
    fn parent_quote(&self, instrument: InstrumentId) -> Quote {
        let market = &self.markets[instrument.index()];
        let connected = self.outside.as_ref().is_none_or(|outside| {
            let venue = usize::from(outside.venue(instrument));
            outside.links.get(venue).is_some_and(|link| link.up)
        });
        Quote {
            bid: market.book.best(Side::Buy),
            ask: market.book.best(Side::Sell),
            trading: market.trading && market.is_usable() && connected && !self.gate.is_halted(),
        }
    }

    /// Tells people of parents that ended, and sees to it that their strategies are told.
    fn note_ended_parents(&mut self) -> Result<()> {
        while let Some(id) = self.parents.as_mut().and_then(|parents| parents.take_ended()) {
            let Some(parent) = self.parents.as_ref().and_then(|parents| parents.get(id)) else {
                continue;
            };
            let text = self.parent_in_words(parent);
            self.note(&text)?;
            // Like an answer of the venue: soon, but not from inside a callback. Whether the strategy
            // listens is known only where it runs.
            let timer = Timer::ParentEnded { parent: id };
            self.timers.push(self.now_ns + REFUSAL_NS, timer)?;
        }
        Ok(())
    }

    fn parent_in_words(&self, parent: &Parent) -> String {
        let market = &self.markets[parent.terms.instrument.index()];
        let lots = |lots: mainspring_core::Lots| market.scale.lot.to_f64(lots.0);
        let side = if parent.terms.side == Side::Buy { "buy" } else { "sell" };
        let mut text = format!(
            "parent order {} ({} {side} {} {}) {}: {} traded in {} children",
            parent.id.0,
            parent.terms.kind.name(),
            lots(parent.terms.qty),
            market.instrument.symbol,
            parent.state.name(),
            lots(parent.filled),
            parent.made,
        );
        if let Some(ticks) = parent.average_price() {
            let price = ticks * market.scale.tick.to_f64(1);
            text.push_str(&format!(" at {price:.8} on average"));
        }
        if let Some(bps) = parent.slippage_bps() {
            text.push_str(&format!(", {bps:.2} bps against arrival"));
        }
        text
    }

    /// A strategy is told that its parent is over.
    pub(super) fn tell_parent_ended(&mut self, id: ParentId) -> Result<()> {
        let parent = self.parents.as_ref().and_then(|parents| parents.get(id)).cloned();
        let hears = |p: &Parent| self.strategies[usize::from(p.strategy)].interest.parents;
        match parent.filter(hears) {
            Some(parent) => {
                self.call(parent.strategy, parent.terms.instrument, &Call::Parent(&parent))
            }
            None => Ok(()),
        }
    }

    /// Takes the parents of a snapshot.
    pub(crate) fn restore_parents(&mut self, image: &ParentsImage) -> Result<()> {
        let mut parents = Box::new(ParentTable::new(self.has_venues_outside()));
        parents.restore(image)?;
        self.parents = Some(parents);
        Ok(())
    }
}
