//! What members ask of the exchange, and what it tells them.

use mainspring_core::order::{
    CancelReason, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side,
};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};

use crate::market::Market;

/// A member's account: an index, in the order accounts were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u32);

impl AccountId {
    /// As an index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The exchange's id of an order, chosen by the caller: unique among open orders of an instrument,
/// never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub u64);

/// The price that a trigger is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TriggerBy {
    /// The last trade.
    #[default]
    LastTrade,
    /// The mark price.
    Mark,
}

/// An order as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// What is asked; `terms.oco` names another open order of the instrument by its id.
    pub terms: OrderTerms,
    /// What happens when it meets an order of its own account; `None` lets them trade.
    pub self_trade: Option<SelfTradePrevention>,
    /// What sets off a stop, take-profit or trailing stop.
    pub trigger_by: TriggerBy,
}

impl NewOrder {
    /// An order that must not trade with its own account: the incoming one gives way.
    #[must_use]
    pub const fn new(id: OrderId, account: AccountId, terms: OrderTerms) -> Self {
        Self {
            id,
            account,
            terms,
            self_trade: Some(SelfTradePrevention::CancelNewest),
            trigger_by: TriggerBy::LastTrade,
        }
    }
}

/// An order that is open: in the book, or armed behind a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The order; `terms.qty` is its whole quantity and `terms.price` its price now.
    pub order: NewOrder,
    /// What has traded of it.
    pub filled: Lots,
    /// Whether it waits for its trigger.
    pub is_armed: bool,
}

impl OpenOrder {
    /// What is left of it.
    #[must_use]
    pub fn left(&self) -> Lots {
        self.order.terms.qty - self.filled
    }
}

/// Two orders met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeReport {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Numbers the trades of an instrument from one.
    pub trade: u64,
    /// When.
    pub time_ns: TimeNs,
    /// At the maker's price.
    pub price: Ticks,
    /// How much.
    pub qty: Lots,
    /// The side of the taker.
    pub taker_side: Side,
    /// The taker.
    pub taker: Party,
    /// The maker.
    pub maker: Party,
}

/// One side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// What is left of the order after the trade.
    pub left: Lots,
    /// What the order is held at ([`reserve_price`]): its limit, its trigger, or nothing.
    pub held_at: Ticks,
}

/// Something other than a trade happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// The order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// When.
    pub time_ns: TimeNs,
    /// Its side.
    pub side: Side,
    /// What the order is held at now, see [`Party::held_at`].
    pub held_at: Ticks,
    /// What is open of it now; for a cancelled order what was open.
    pub left: Lots,
    /// What happened.
    pub kind: ReportKind,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// It is open: its trades, if any, follow.
    Accepted,
    /// It was refused.
    Rejected(RejectReason),
    /// What is left of it rests in the book at its price.
    Rested,
    /// What was left of it is gone.
    Cancelled(CancelReason),
    /// A cancel came too late.
    CancelRejected(RejectReason),
    /// Price or quantity changed.
    Amended {
        /// What it was held at before.
        held_at: Ticks,
        /// What was open before.
        left: Lots,
    },
    /// A change was refused; the order stands as it was.
    AmendRejected(RejectReason),
    /// Its trigger was reached; what it does now follows.
    Triggered,
    /// It was triggered, and then refused.
    TriggerRejected(RejectReason),
}

/// An order that its account must be able to pay for.
#[derive(Debug)]
pub struct Admission<'a> {
    /// The market as it is.
    pub market: &'a Market,
    /// What the order would be; for an amend, with its new price and quantity.
    pub order: &'a NewOrder,
    /// The open order that an amend would change.
    pub before: Option<&'a OpenOrder>,
}

/// Who hears of every event, at once and in order, and knows what members hold.
pub trait Desk {
    /// A trade.
    fn trade(&mut self, trade: &TradeReport);

    /// Anything else.
    fn order(&mut self, report: &OrderReport);

    /// Whether the account can pay for an order; nothing is set aside yet.
    ///
    /// # Errors
    /// The reason of the refusal.
    fn admit(&mut self, _asked: &Admission<'_>) -> Result<(), RejectReason> {
        Ok(())
    }

    /// How much of a taker without a limit price its account can pay for at this price. What
    /// [`Desk::admit`] saw of the book may have left it since.
    fn payable(&self, _taker: &Party, _instrument: InstrumentId, _side: Side, _at: Ticks) -> Lots {
        Lots::MAX
    }

    /// How much of a reduce-only order on this side an account may still fill.
    fn reducible(&self, _account: AccountId, _instrument: InstrumentId, _side: Side) -> Lots {
        Lots::MAX
    }
}

/// The price that money is set aside at for what is left of an order: the limit of one that has a
/// limit, the trigger of one that waits; zero for one that rests without a price of its own.
#[must_use]
pub const fn reserve_price(terms: &OrderTerms) -> Ticks {
    match terms.order_type {
        OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg | OrderType::Pegged => {
            terms.price
        }
        OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop => terms.trigger,
        OrderType::Market => Ticks(0),
    }
}
