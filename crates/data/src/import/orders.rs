//! Orders of a feed that names only the id once an order has entered.

use std::collections::HashMap;

use mainspring_core::{Decimal, RowKind, Side};

use super::stage::Staged;

/// An order that was seen entering.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Index of its symbol.
    pub symbol: usize,
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Decimal,
    /// What is left of it.
    pub left: i64,
}

/// The open orders of a feed.
#[derive(Debug, Default)]
pub struct Orders {
    open: HashMap<u64, Order>,
    /// Events about orders that were never seen entering.
    pub unseen: u64,
}

/// A whole quantity.
#[must_use]
pub fn shares(count: i64) -> Decimal {
    Decimal::new(count, 0).unwrap_or_default()
}

impl Orders {
    /// An open order.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Order> {
        self.open.get(&id).copied()
    }

    /// Forgets the orders of a symbol.
    pub fn clear(&mut self, symbol: usize) {
        self.open.retain(|_, order| order.symbol != symbol);
    }

    /// An order enters.
    ///
    /// # Errors
    /// When the id is open already or nothing enters.
    pub fn add(&mut self, id: u64, order: Order, out: &mut Staged) -> Result<(), String> {
        if order.left <= 0 {
            return Err(format!("order {id} enters with the size {}", order.left));
        }
        if self.open.insert(id, order).is_some() {
            return Err(format!("order {id} is added twice"));
        }
        out.push_order(RowKind::OrderAdd, order.side, order.price, shares(order.left), id);
        Ok(())
    }

    /// An order becomes smaller by `by`, or leaves (`None`); returns what it was, `None` when it
    /// was never seen.
    ///
    /// # Errors
    /// When there is less left of it than that.
    pub fn reduce(
        &mut self,
        id: u64,
        by: Option<i64>,
        executed: bool,
        out: &mut Staged,
    ) -> Result<Option<Order>, String> {
        let Some(order) = self.get(id) else {
            self.unseen += 1;
            return Ok(None);
        };
        let by = by.unwrap_or(order.left);
        let left = order.left - by;
        if by <= 0 || left < 0 {
            return Err(format!("order {id} has {} left, not {by}", order.left));
        }
        let (kind, qty) = match (executed, left) {
            (true, _) => (RowKind::OrderExecute, by),
            (false, 0) => (RowKind::OrderDelete, by),
            (false, _) => (RowKind::OrderModify, left),
        };
        out.push_order(kind, order.side, order.price, shares(qty), id);
        if left > 0 {
            self.open.insert(id, Order { left, ..order });
        } else {
            self.open.remove(&id);
        }
        Ok(Some(order))
    }

    /// An order gets this price and size.
    ///
    /// # Errors
    /// When nothing is left of it.
    pub fn set(&mut self, id: u64, order: Order, out: &mut Staged) -> Result<(), String> {
        if order.left <= 0 {
            return Err(format!("order {id} is changed to the size {}", order.left));
        }
        let known = self.open.insert(id, order).is_some();
        let kind = if known { RowKind::OrderModify } else { RowKind::OrderAdd };
        out.push_order(kind, order.side, order.price, shares(order.left), id);
        Ok(())
    }
}

/// The other side.
#[must_use]
pub const fn other(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}
