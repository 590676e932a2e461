//! Our open orders at the engine.

use mainspring_core::order::{ClientOrderId, OrderFlags, OrderTerms, OrderType, Side, TimeInForce};
use mainspring_core::{Lots, Ticks, TimeNs};

use super::tape::our_id;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnOrder {
    pub id: ClientOrderId,
    /// What is asked; price and quantity as they now stand.
    pub terms: OrderTerms,
    pub filled: Lots,
    /// What the book shows of it while it rests.
    pub shown: Lots,
    pub resting: bool,
}

impl OwnOrder {
    /// What an iceberg, or any order, shows of what is left.
    pub fn slice(&self, left: Lots) -> Lots {
        match self.terms.order_type {
            OrderType::Iceberg => left.min(self.terms.display),
            _ => left,
        }
    }

    /// It came to rest. Returns what it shows.
    pub fn rest(&mut self, price: Ticks, left: Lots) -> Lots {
        (self.resting, self.shown, self.terms.price) = (true, self.slice(left), price);
        self.shown
    }

    /// Price, or trigger, and what is open are others now: a smaller quantity in its place comes off
    /// what an iceberg hides first.
    pub fn amend(&mut self, (before, held_at): (Ticks, Ticks), left: Lots) {
        let shrinks = before == held_at && left <= self.left();
        self.shown = if shrinks { self.shown.min(left) } else { self.slice(left) };
        self.terms.qty = self.filled + left;
        match self.terms.order_type {
            OrderType::Stop | OrderType::TakeProfit | OrderType::TrailingStop => {
                self.terms.trigger = held_at;
            }
            _ => self.terms.price = held_at,
        }
    }

    pub fn left(&self) -> Lots {
        self.terms.qty - self.filled
    }

    pub fn is_reduce_only(&self) -> bool {
        self.terms.flags.has(OrderFlags::REDUCE_ONLY)
    }
}

/// All of them, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnOrders {
    orders: Vec<OwnOrder>,
}

impl OwnOrders {
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &OwnOrder> {
        self.orders.iter()
    }

    pub fn get(&self, id: ClientOrderId) -> Option<&OwnOrder> {
        self.find(id).ok().map(|at| &self.orders[at])
    }

    /// An order by its engine id.
    pub fn of_engine(&mut self, id: u64) -> Option<&mut OwnOrder> {
        let at = self.orders.binary_search_by_key(&id, |order| our_id(order.id).0).ok()?;
        Some(&mut self.orders[at])
    }

    /// Takes an order in. Returns whether its id was free.
    pub fn insert(&mut self, order: OwnOrder) -> bool {
        match self.find(order.id) {
            Ok(_) => false,
            Err(at) => {
                self.orders.insert(at, order);
                true
            }
        }
    }

    pub fn remove(&mut self, id: ClientOrderId) -> Option<OwnOrder> {
        self.find(id).ok().map(|at| self.orders.remove(at))
    }

    fn find(&self, id: ClientOrderId) -> Result<usize, usize> {
        self.orders.binary_search_by_key(&id, |order| order.id)
    }

    /// Open lots on a side, reduce-only orders and one that is arriving apart.
    pub fn open_lots(&self, side: Side, arriving: Option<u64>) -> i64 {
        let counts = |order: &&OwnOrder| {
            order.terms.side == side
                && !order.is_reduce_only()
                && Some(our_id(order.id).0) != arriving
        };
        self.orders.iter().filter(counts).map(|order| order.left().0).sum()
    }

    /// When the first good-till-date order leaves.
    pub fn next_expiry(&self) -> Option<TimeNs> {
        let dated = |order: &&OwnOrder| order.terms.time_in_force == TimeInForce::Gtd;
        self.orders.iter().filter(dated).map(|order| order.terms.expire_ns).min()
    }
}
