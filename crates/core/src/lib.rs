//! Vocabulary of Mainspring: ticks, lots, money, time, instruments, orders, events, errors.
//!
//! Everything above this crate speaks in these types. They carry no policy: what is valid on a
//! venue's grid is here, what is allowed by risk is not.

// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod decimal;
pub mod error;
pub mod event;
pub mod instrument;
pub mod limits;
pub mod money;
pub mod order;
pub mod report;
pub mod units;

pub use decimal::Decimal;
pub use error::{Error, ErrorKind, Result};
pub use event::{MarketRow, OrderRow, RowKind};
pub use instrument::{GridRule, Instrument, InstrumentId, InstrumentKind, PriceGrid};
pub use money::Money;
pub use order::{
    CancelReason, ClientOrderId, OrderFlags, OrderType, RejectReason, Side, TimeInForce,
    VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
pub use report::{Answer, ForeignReport, OpenOrder, Report, Request};
pub use units::{DurationNs, Lots, Ticks, TimeNs};
