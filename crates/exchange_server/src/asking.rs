//! An order as a member asks for it, brought to the grid: what JSON venues have in common.

use mainspring_core::order::{
    OrderFlags, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side,
};
use mainspring_core::{Decimal, InstrumentId, Lots, Ticks, TimeInForce};
use mainspring_exchange::{AccountId, TriggerBy};

use crate::section::{Admitted, Placement, Section};

/// Most orders of an account that may be open.
const MAX_ORDERS: usize = 2_000;

/// How much.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// In the unit of a size step: base for most, contracts for some.
    Steps(Decimal, Decimal),
    /// In the quote currency, for market orders.
    Quote(Decimal),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub symbol: usize,
    /// Which way.
    pub side: Side,
    /// Of what sort.
    pub order_type: OrderType,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Post-only, reduce-only.
    pub flags: OrderFlags,
    /// Limit, where the sort has one.
    pub price: Option<Decimal>,
    /// How much.
    pub size: Size,
    /// Trigger, where the sort has one.
    pub trigger: Option<Decimal>,
    /// When it ends, in nanoseconds; 0 for never.
    pub expire_ns: i64,
    /// What self-trade prevention does.
    pub self_trade: Option<SelfTradePrevention>,
    /// The member's id; empty for one of the venue's making.
    pub client_id: String,
    /// Type and time in force as the member named them.
    pub names: (&'static str, &'static str),
}

impl Asked {
    /// The order on the grid of its symbol.
    ///
    /// # Errors
    /// When price or quantity is not on the grid or out of its bounds.
    pub fn placed(self, section: &Section) -> Admitted<Placement> {
        let instrument = &section.desk.symbols[self.symbol].instrument;
        let on_grid = |price: Option<Decimal>| match price {
            None => Ok(Ticks(0)),
            Some(price) => {
                let ticks = price.count_of(instrument.tick()).filter(|ticks| *ticks > 0);
                ticks.map(Ticks).ok_or(RejectReason::PriceOffGrid)
            }
        };
        let qty = match self.size {
            Size::Steps(size, step) => size.count_of(step).map(Lots),
            Size::Quote(quote) => Some(section.lots_for(self.symbol, self.side, quote)),
        };
        let within = |lots: &Lots| *lots >= instrument.min_qty && *lots <= instrument.max_qty;
        let qty = qty.filter(within).ok_or(RejectReason::BadQuantity)?;
        let mut terms =
            OrderTerms::limit(InstrumentId(self.symbol as u16), self.side, Ticks(0), qty);
        terms.order_type = self.order_type;
        terms.time_in_force = self.time_in_force;
        terms.flags = self.flags;
        terms.price = on_grid(self.price)?;
        terms.trigger = on_grid(self.trigger)?;
        terms.expire_ns = self.expire_ns;
        if section.desk.records.open_count(self.account) >= MAX_ORDERS {
            return Err(RejectReason::Overloaded);
        }
        Ok(Placement {
            account: self.account,
            symbol: self.symbol,
            terms,
            client_id: self.client_id,
            type_name: self.names.0,
            time_in_force: self.names.1,
            self_trade: ("", self.self_trade),
            working_type: ("", TriggerBy::LastTrade),
            chain: Default::default(),
        })
    }
}
