//! One order of ours.

use mainspring_core::order::OrderTerms;
use mainspring_core::{ClientOrderId, Lots, Ticks, TimeNs};
use serde::{Deserialize, Serialize};

use super::state::{OrderEvent, OrderState};

/// A change that is on its way to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReplace {
    /// Asked limit price.
    pub price: Ticks,
    /// Asked total quantity, what is filled included.
    pub qty: Lots,
}

/// Why an order exists: what may change or cancel it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Purpose {
    /// The strategy placed it by name; only the strategy cancels it.
    #[default]
    Explicit = 0,
    /// It stands for a desired quote.
    Quote = 1,
    /// It works towards a target position.
    Target = 2,
    /// It is a child of a parent order.
    Child = 3,
    /// It was not placed here; it was found at its venue and adopted.
    Adopted = 4,
}

/// An order: what was asked, and how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Our id.
    pub id: ClientOrderId,
    /// Index of the strategy that owns it.
    pub strategy: u16,
    /// Why it exists.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: OrderState,
    /// Whether the venue has shown that it has the order.
    pub acknowledged: bool,
    /// Whether the venue has triggered it (stops).
    pub triggered: bool,
    /// What stands at the venue as far as we know; an amend changes price and quantity here
    /// when the venue confirms it.
    pub terms: OrderTerms,
    /// The change that is not yet answered.
    pub pending: Option<PendingReplace>,
    /// Quantity traded.
    pub filled: Lots,
    /// Sum of price x quantity of the fills, in ticks x lots.
    pub fill_value: i128,
    /// When it was made.
    pub created_ns: TimeNs,
    /// When it last changed for us.
    pub updated_ns: TimeNs,
    /// When the venue made the newest change of price and quantity that it has told; 0 before that.
    #[serde(default)]
    pub amended_ns: TimeNs,
    /// When the venue refused the newest change that it refused, by its own time; 0 before that.
    #[serde(default)]
    pub amend_refused_ns: TimeNs,
}

impl Order {
    /// A new order in state `Created`.
    #[must_use]
    pub const fn new(
        id: ClientOrderId,
        strategy: u16,
        terms: OrderTerms,
        created_ns: TimeNs,
    ) -> Self {
        Self {
            id,
            strategy,
            purpose: Purpose::Explicit,
            state: OrderState::Created,
            acknowledged: false,
            triggered: false,
            terms,
            pending: None,
            filled: Lots::ZERO,
            fill_value: 0,
            created_ns,
            updated_ns: created_ns,
            amended_ns: 0,
            amend_refused_ns: 0,
        }
    }

    /// Becomes a new order in state `Created`: [`Self::new`], field by field in place.
    #[inline]
    pub(super) fn begin(
        &mut self,
        id: ClientOrderId,
        strategy: u16,
        purpose: Purpose,
        terms: &OrderTerms,
        now_ns: TimeNs,
    ) {
        // Every field is named, so that none is forgotten here when one is added.
        let Self {
            id: ours,
            strategy: owner,
            purpose: why,
            state,
            acknowledged,
            triggered,
            terms: asked,
            pending,
            filled,
            fill_value,
            created_ns,
            updated_ns,
            amended_ns,
            amend_refused_ns,
        } = self;
        (*ours, *owner, *why, *asked) = (id, strategy, purpose, *terms);
        (*state, *acknowledged, *triggered) = (OrderState::Created, false, false);
        (*pending, *filled, *fill_value) = (None, Lots::ZERO, 0);
        (*created_ns, *updated_ns) = (now_ns, now_ns);
        (*amended_ns, *amend_refused_ns) = (0, 0);
    }

    /// Quantity not yet traded, of what stands.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> Lots {
        Lots(self.terms.qty.0.saturating_sub(self.filled.0))
    }

    /// The most that may still trade, were a pending change already done.
    #[inline]
    #[must_use]
    pub const fn fillable(&self) -> Lots {
        let qty = match self.pending {
            Some(pending) if pending.qty.0 > self.terms.qty.0 => pending.qty.0,
            _ => self.terms.qty.0,
        };
        Lots(qty.saturating_sub(self.filled.0))
    }

    /// Whether it may be in the venue's book as far as we know.
    #[inline]
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.state.is_working()
    }

    /// Whether it is over.
    #[inline]
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// Average price of the fills in ticks, or `None` before the first.
    #[must_use]
    pub fn average_price(&self) -> Option<f64> {
        (self.filled.0 > 0).then(|| self.fill_value as f64 / self.filled.0 as f64)
    }

    /// Whether that it was changed so is no news: a newer change was told before it, or this one was.
    /// Where the time of a change is not known (0), it is news.
    pub(super) fn knows_change(&self, price: Ticks, qty: Lots, exch_ns: TimeNs) -> bool {
        let same = (price, qty) == (self.terms.price, self.terms.qty);
        exch_ns != 0 && (exch_ns < self.amended_ns || (exch_ns == self.amended_ns && same))
    }

    /// What the order is once `event` happened and no request is being answered: see
    /// [`super::transition`].
    #[inline]
    pub(super) const fn standing_after(&self, event: OrderEvent) -> OrderState {
        let pending = self.pending.is_some() && !event.ends_replace(self.state);
        let traded = self.filled.0 > 0 || matches!(event, OrderEvent::Filled { .. });
        match (pending, traded, self.acknowledged || event.acknowledges()) {
            (true, ..) => OrderState::PendingReplace,
            (false, true, _) => OrderState::PartiallyFilled,
            (false, false, true) => OrderState::Open,
            (false, false, false) => OrderState::Submitted,
        }
    }

    /// Notes what `event` says, apart from the state it leads to.
    #[inline]
    pub(super) const fn note(&mut self, event: OrderEvent) {
        self.acknowledged |= event.acknowledges();
        self.triggered |= matches!(event, OrderEvent::Triggered);
        if event.ends_replace(self.state) {
            self.pending = None;
        }
        if let OrderEvent::ReplaceRequested { price, qty } = event {
            self.pending = Some(PendingReplace { price, qty });
        }
    }
}
