//! What the market knows of the orders in its book, beside their price and shown quantity.

use mainspring_book::{Place, RestingOrder};
use mainspring_core::order::{
    ClientOrderId, OrderFlags, OrderTerms, OrderType, SelfTradePrevention, TimeInForce,
};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};

use crate::order::{AccountId, NewOrder, OrderId, TriggerBy};

const NONE: u32 = u32::MAX;

/// Facts of every order. Small, so that the books of busy markets stay in fast memory; what only
/// some orders have is an [`Extra`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Resting {
    /// Whole quantity.
    pub qty: Lots,
    pub filled: Lots,
    pub account: AccountId,
    extra: u32,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub flags: OrderFlags,
    self_trade: Option<SelfTradePrevention>,
}

const _: () = assert!(size_of::<Resting>() == 32);

impl Resting {
    /// What is left, hidden quantity included.
    #[inline]
    pub fn left(&self) -> Lots {
        self.qty - self.filled
    }
}

/// Facts that plain limit orders do not have.
#[derive(Clone, Copy, Debug)]
struct Extra {
    trigger: Ticks,
    offset: Ticks,
    display: Lots,
    expire_ns: TimeNs,
    oco: ClientOrderId,
    trigger_by: TriggerBy,
}

const PLAIN: Extra = Extra {
    trigger: Ticks(0),
    offset: Ticks(0),
    display: Lots(0),
    expire_ns: 0,
    oco: ClientOrderId(0),
    trigger_by: TriggerBy::LastTrade,
};

/// Facts by place in the book.
#[derive(Clone, Debug, Default)]
pub(super) struct RestingOrders {
    slots: Vec<Resting>,
    extras: Vec<Extra>,
    free: Vec<u32>,
}

impl RestingOrders {
    pub fn with_capacity(count: usize) -> Self {
        Self { slots: Vec::with_capacity(count), extras: Vec::new(), free: Vec::new() }
    }

    #[inline]
    pub fn get(&self, place: Place) -> &Resting {
        &self.slots[place.0 as usize]
    }

    #[inline]
    pub fn get_mut(&mut self, place: Place) -> &mut Resting {
        &mut self.slots[place.0 as usize]
    }

    /// Keeps the facts of an order that begins to rest.
    #[inline]
    pub fn put(&mut self, place: Place, order: &NewOrder, filled: Lots) {
        let terms = &order.terms;
        let resting = Resting {
            qty: terms.qty,
            filled,
            account: order.account,
            extra: if is_plain(order) { NONE } else { self.add_extra(extra_of(order)) },
            order_type: terms.order_type,
            time_in_force: terms.time_in_force,
            flags: terms.flags,
            self_trade: order.self_trade,
        };
        match self.slots.get_mut(place.0 as usize) {
            Some(slot) => *slot = resting,
            None => self.slots.push(resting),
        }
    }

    /// Forgets an order that ends.
    #[inline]
    pub fn remove(&mut self, place: Place) {
        let extra = self.slots[place.0 as usize].extra;
        if extra != NONE {
            self.free.push(extra);
        }
    }

    /// The order as it was asked for, at its price now.
    pub fn order(&self, place: Place, at: &RestingOrder, instrument: InstrumentId) -> NewOrder {
        let resting = self.get(place);
        let extra = self.extra(resting);
        NewOrder {
            id: OrderId(at.id),
            account: resting.account,
            terms: OrderTerms {
                instrument,
                side: at.side,
                order_type: resting.order_type,
                time_in_force: resting.time_in_force,
                flags: resting.flags,
                price: at.price,
                qty: resting.qty,
                trigger: extra.trigger,
                offset: extra.offset,
                display: extra.display,
                expire_ns: extra.expire_ns,
                oco: extra.oco,
            },
            self_trade: resting.self_trade,
            trigger_by: extra.trigger_by,
        }
    }

    /// What an order of this quantity left shows.
    #[inline]
    pub fn shown(&self, resting: &Resting, left: Lots) -> Lots {
        if resting.order_type == OrderType::Iceberg {
            left.min(self.extra(resting).display)
        } else {
            left
        }
    }

    /// The other leg of a pair, zero for none.
    #[inline]
    pub fn oco(&self, resting: &Resting) -> OrderId {
        OrderId(self.extra(resting).oco.0)
    }

    pub fn set_oco(&mut self, place: Place, other: OrderId) {
        let at = self.slots[place.0 as usize].extra;
        let at = if at == NONE { self.add_extra(PLAIN) } else { at };
        self.slots[place.0 as usize].extra = at;
        self.extras[at as usize].oco = ClientOrderId(other.0);
    }

    #[inline]
    fn extra(&self, resting: &Resting) -> &Extra {
        if resting.extra == NONE {
            &PLAIN
        } else {
            &self.extras[resting.extra as usize]
        }
    }

    #[cold]
    fn add_extra(&mut self, extra: Extra) -> u32 {
        if let Some(at) = self.free.pop() {
            self.extras[at as usize] = extra;
            return at;
        }
        self.extras.push(extra);
        (self.extras.len() - 1) as u32
    }
}

#[inline]
fn is_plain(order: &NewOrder) -> bool {
    let terms = &order.terms;
    terms.order_type == OrderType::Limit
        && terms.time_in_force != TimeInForce::Gtd
        && terms.oco.0 == 0
}

fn extra_of(order: &NewOrder) -> Extra {
    let terms = &order.terms;
    Extra {
        trigger: terms.trigger,
        offset: terms.offset,
        display: terms.display,
        expire_ns: terms.expire_ns,
        oco: terms.oco,
        trigger_by: order.trigger_by,
    }
}
