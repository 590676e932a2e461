//! What a parent does next: a pure function of the parent, the time and the market.

use mainspring_core::order::OrderTerms;
use mainspring_core::{
    ClientOrderId, Lots, OrderFlags, OrderType, Side, Ticks, TimeInForce, TimeNs,
};

use super::parent::{Child, Parent, ParentState, MAX_CHILDREN};
use super::schedule::Schedule;
use super::terms::Style;

/// The market as a parent sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Best bid.
    pub bid: Option<Ticks>,
    /// Best ask.
    pub ask: Option<Ticks>,
    /// Whether orders may be sent: the venue trades, the book can be trusted, nothing is halted.
    pub trading: bool,
}

impl Quote {
    const fn best(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Buy => self.bid,
            Side::Sell => self.ask,
        }
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Place a child.
    Place(OrderTerms),
    /// Cancel a child.
    Cancel(ClientOrderId),
}

impl Parent {
    /// The next thing to do, if there is one. It is asked again after each that was done.
    #[must_use]
    pub fn next_step(&self, now_ns: TimeNs, quote: &Quote) -> Option<Next> {
        if let Some(child) = self.child_to_cancel(now_ns, quote) {
            return Some(Next::Cancel(child.order));
        }
        let trades = matches!(self.state, ParentState::Working | ParentState::Crossing);
        if !trades || !quote.trading || now_ns < self.wait_ns {
            return None;
        }
        if self.children.len() == MAX_CHILDREN || !self.is_free_for_another() {
            return None;
        }
        let (qty, style) = self.next_size()?;
        self.child_terms(qty, style, quote).map(Next::Place)
    }

    /// A child that has to go, the newest first where any would do.
    fn child_to_cancel(&self, now_ns: TimeNs, quote: &Quote) -> Option<&Child> {
        let mut staying = self.children.iter().filter(|child| !child.leaving).rev();
        if !matches!(self.state, ParentState::Working | ParentState::Crossing) {
            return staying.next();
        }
        let open: Lots = staying.clone().map(|child| child.open).sum();
        if self.filled + open > self.terms.qty {
            // A fill came after its order was over: what was placed in its stead is too much.
            return staying.next();
        }
        staying.find(|child| self.is_out_of_place(child, now_ns, quote))
    }

    fn is_out_of_place(&self, child: &Child, now_ns: TimeNs, quote: &Quote) -> bool {
        if child.takes {
            return false;
        }
        if self.state == ParentState::Crossing {
            return true;
        }
        if self.terms.style == Style::Rest {
            return false;
        }
        if child.slice < self.slice && self.replaces_old_children() {
            return true;
        }
        let may_move = now_ns >= child.made_ns.saturating_add(self.terms.reprice_ns);
        let best = quote.best(self.terms.side).map(|best| self.within_limit(best));
        may_move && best.is_some_and(|best| self.terms.side.better(best, child.price))
    }

    /// Clips and takes come one at a time: each waits for what became of the one before.
    fn is_free_for_another(&self) -> bool {
        match (&self.terms.schedule, self.state) {
            (Schedule::Whole, _) | (_, ParentState::Crossing) => self.children.is_empty(),
            _ => !self.children.iter().any(|child| child.takes),
        }
    }

    /// How large the next child is, and how it trades; `None` while nothing is due or allowed.
    fn next_size(&self) -> Option<(Lots, Style)> {
        let committed = self.filled + self.open();
        let rest = self.terms.qty - committed;
        if self.state == ParentState::Crossing {
            return self.bounded(rest, rest, committed).map(|qty| (qty, Style::Take));
        }
        let due = rest.min(self.due() - committed);
        if self.terms.style != Style::JoinThenTake {
            return self.bounded(due, rest, committed).map(|qty| (qty, self.terms.style));
        }
        // What earlier slices left is taken, whatever rests for the present one.
        let old = self.children.iter().filter(|child| child.slice < self.slice);
        let leaving: Lots = old.map(|child| child.open).sum();
        let late = rest.min(self.overdue - self.filled - leaving);
        match self.bounded(late, rest, committed) {
            Some(qty) => Some((qty, Style::Take)),
            None => self.bounded(due, rest, committed).map(|qty| (qty, Style::Join)),
        }
    }

    /// `due` cut to the bounds of a child. A rest smaller than a child is left behind only when there
    /// is no other way.
    fn bounded(&self, due: Lots, rest: Lots, committed: Lots) -> Option<Lots> {
        let mut qty = due;
        if let Some(cap) = self.terms.cap {
            qty = qty.min(cap.allowed(self.volume) - committed);
        }
        if self.terms.max_child.0 > 0 {
            qty = qty.min(self.terms.max_child);
        }
        let smallest = self.terms.min_child;
        let left = rest - qty;
        if left.0 > 0 && left < smallest {
            let shorter = rest - smallest;
            if shorter >= smallest {
                qty = shorter;
            } else if due < rest {
                return None;
            }
        }
        let last = qty == rest;
        (qty.0 > 0 && (qty >= smallest || last)).then_some(qty)
    }

    /// The order for a child; `None` while the market does not offer a price within the limit.
    fn child_terms(&self, qty: Lots, style: Style, quote: &Quote) -> Option<OrderTerms> {
        let terms = &self.terms;
        let mut child = match style {
            Style::Rest => OrderTerms::limit(terms.instrument, terms.side, terms.limit?, qty),
            Style::Join => {
                let own = quote.best(terms.side).or(terms.limit)?;
                let price = self.within_limit(own);
                let mut child = OrderTerms::limit(terms.instrument, terms.side, price, qty);
                child.flags = OrderFlags::POST_ONLY;
                child
            }
            Style::Take | Style::JoinThenTake => self.taking_terms(qty, quote)?,
        };
        child.flags = child.flags.with(terms.flags);
        Some(child)
    }

    fn taking_terms(&self, qty: Lots, quote: &Quote) -> Option<OrderTerms> {
        let terms = &self.terms;
        let other = quote.best(terms.side.opposite())?;
        if terms.limit.is_some_and(|limit| terms.side.better(other, limit)) {
            return None;
        }
        let mut child = OrderTerms::limit(terms.instrument, terms.side, other, qty);
        child.time_in_force = TimeInForce::Ioc;
        match (self.state, terms.limit) {
            (ParentState::Crossing, Some(limit)) => child.price = limit,
            (ParentState::Crossing, None) => child.order_type = OrderType::Market,
            _ => {
                let reach = Ticks(terms.side.inward(other, terms.sweep.0).0);
                child.price = self.within_limit(reach);
            }
        }
        Some(child)
    }
}
