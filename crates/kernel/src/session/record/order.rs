//! Orders as a journal keeps them: how they are made, and what we did to them.

use bytemuck::{Pod, Zeroable};
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    ClientOrderId, InstrumentId, Lots, OrderType, Result, Side, Ticks, TimeInForce,
};
use mainspring_trading::execution::parents::ParentId;
use mainspring_trading::orders::{Order, OrderEvent, OrderState, Purpose};

use super::unknown_code;

/// The terms of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Terms {
    /// Limit price.
    pub price: i64,
    /// Quantity.
    pub qty: i64,
    /// Trigger price.
    pub trigger: i64,
    /// Distance of a trailing stop, or the offset of a peg.
    pub offset: i64,
    /// Shown quantity.
    pub display: i64,
    /// Expiry.
    pub expire_ns: i64,
    /// The other leg of a pair.
    pub oco: u64,
    /// Index of the instrument.
    pub instrument: u16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Code of the order type.
    pub order_type: u8,
    /// Code of the time in force.
    pub time_in_force: u8,
    /// Bits of the flags.
    pub flags: u8,
    /// Zero.
    pub reserved: u16,
}

impl Terms {
    /// The layout of `terms`.
    #[must_use]
    pub const fn of(terms: &OrderTerms) -> Self {
        Self {
            price: terms.price.0,
            qty: terms.qty.0,
            trigger: terms.trigger.0,
            offset: terms.offset.0,
            display: terms.display.0,
            expire_ns: terms.expire_ns,
            oco: terms.oco.0,
            instrument: terms.instrument.0,
            side: terms.side as u8,
            order_type: terms.order_type as u8,
            time_in_force: terms.time_in_force as u8,
            flags: terms.flags.0,
            reserved: 0,
        }
    }

    /// The terms.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn terms(&self) -> Result<OrderTerms> {
        Ok(OrderTerms {
            instrument: InstrumentId(self.instrument),
            side: side_of(self.side)?,
            order_type: order_type_of(self.order_type)?,
            time_in_force: time_in_force_of(self.time_in_force)?,
            flags: OrderFlags(self.flags),
            price: Ticks(self.price),
            qty: Lots(self.qty),
            trigger: Ticks(self.trigger),
            offset: Ticks(self.offset),
            display: Lots(self.display),
            expire_ns: self.expire_ns,
            oco: ClientOrderId(self.oco),
        })
    }
}

pub(super) fn side_of(code: u8) -> Result<Side> {
    match code {
        0 => Ok(Side::Buy),
        1 => Ok(Side::Sell),
        _ => Err(unknown_code("a side", code)),
    }
}

fn order_type_of(code: u8) -> Result<OrderType> {
    use OrderType as T;
    [
        T::Limit,
        T::Market,
        T::Stop,
        T::StopLimit,
        T::TakeProfit,
        T::TrailingStop,
        T::Iceberg,
        T::Pegged,
    ]
    .get(usize::from(code))
    .copied()
    .ok_or_else(|| unknown_code("an order type", code))
}

fn time_in_force_of(code: u8) -> Result<TimeInForce> {
    use TimeInForce as T;
    [T::Gtc, T::Ioc, T::Fok, T::Gtd]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a time in force", code))
}

fn purpose_of(code: u8) -> Result<Purpose> {
    [Purpose::Explicit, Purpose::Quote, Purpose::Target, Purpose::Child, Purpose::Adopted]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown_code("a purpose", code))
}

/// An order as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct NewOrder {
    /// Our id.
    pub id: u64,
    /// What is asked.
    pub terms: Terms,
    /// Index of the strategy.
    pub strategy: u16,
    /// Code of the purpose.
    pub purpose: u8,
    /// Zero.
    pub reserved: u8,
    /// Id of the parent order of a child; zero for none.
    pub parent: u32,
}

impl NewOrder {
    /// The layout of `order`.
    #[must_use]
    pub const fn of(order: &Order, parent: ParentId) -> Self {
        Self {
            id: order.id.0,
            terms: Terms::of(&order.terms),
            strategy: order.strategy,
            purpose: order.purpose as u8,
            reserved: 0,
            parent: parent.0,
        }
    }

    /// The order in state `Created`.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn order(&self, now_ns: i64) -> Result<Order> {
        let terms = self.terms.terms()?;
        let mut order = Order::new(ClientOrderId(self.id), self.strategy, terms, now_ns);
        order.purpose = purpose_of(self.purpose)?;
        Ok(order)
    }
}

/// An order that was not placed here, as it is when it is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct AdoptedRecord {
    /// The id that it has here.
    pub id: u64,
    /// What stands at the venue.
    pub terms: Terms,
    /// The venue's id.
    pub venue_order: u64,
    /// What had traded of it; that is in no ledger.
    pub filled: i64,
    /// Index of the strategy that owns it from now on.
    pub strategy: u16,
    /// Index of the venue.
    pub venue: u16,
    /// Zero.
    pub reserved: u32,
}

impl AdoptedRecord {
    /// The order, open.
    ///
    /// # Errors
    /// When a code is not known.
    pub fn order(&self, now_ns: i64) -> Result<Order> {
        let terms = self.terms.terms()?;
        let traded = self.filled > 0;
        Ok(Order {
            purpose: Purpose::Adopted,
            state: if traded { OrderState::PartiallyFilled } else { OrderState::Open },
            acknowledged: true,
            filled: Lots(self.filled),
            fill_value: i128::from(self.filled) * i128::from(terms.price.0),
            ..Order::new(ClientOrderId(self.id), self.strategy, terms, now_ns)
        })
    }
}

/// Something that we did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Step {
    /// Which.
    pub order: u64,
    /// New price of a replace.
    pub price: i64,
    /// New total quantity of a replace.
    pub qty: i64,
    /// Code of the event.
    pub event: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Step {
    /// The layout of what we did; `None` for a statement of a venue.
    #[must_use]
    pub const fn of(order: ClientOrderId, event: OrderEvent) -> Option<Self> {
        let (code, price, qty) = match event {
            OrderEvent::RiskRefused => (1, 0, 0),
            OrderEvent::Submit => (2, 0, 0),
            OrderEvent::CancelRequested => (3, 0, 0),
            OrderEvent::ReplaceRequested { price, qty } => (4, price.0, qty.0),
            OrderEvent::Timeout => (5, 0, 0),
            OrderEvent::NotFound => (6, 0, 0),
            OrderEvent::Confirmed => (7, 0, 0),
            _ => return None,
        };
        Some(Self { order: order.0, price, qty, event: code, reserved: [0; 7] })
    }

    /// What we did.
    ///
    /// # Errors
    /// When the code is not known.
    pub fn event(&self) -> Result<OrderEvent> {
        Ok(match self.event {
            1 => OrderEvent::RiskRefused,
            2 => OrderEvent::Submit,
            3 => OrderEvent::CancelRequested,
            4 => OrderEvent::ReplaceRequested { price: Ticks(self.price), qty: Lots(self.qty) },
            5 => OrderEvent::Timeout,
            6 => OrderEvent::NotFound,
            7 => OrderEvent::Confirmed,
            code => return Err(unknown_code("a step of an order", code)),
        })
    }
}
