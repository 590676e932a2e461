//! The strategy's window on the kernel: read the market, state wishes.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, InstrumentId, Lots, Result, Side, Ticks, TimeNs,
};
use mainspring_trading::execution::Level;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Order, OrderTable};

use crate::intent::{Intent, Intents};
use crate::market::Market;

/// What a strategy sees and says in one callback.
pub struct View<'k> {
    /// Logical time.
    pub now_ns: TimeNs,
    /// The instrument of the event.
    pub instrument: InstrumentId,
    /// Who is asking.
    pub strategy: u16,
    /// Every instrument of the run.
    pub markets: &'k [Market],
    /// Our orders.
    pub orders: &'k OrderTable,
    /// Our money and positions.
    pub ledger: &'k Ledger,
    /// The wishes of this callback.
    pub intents: &'k mut Intents,
}

impl View<'_> {
    /// The market of the event.
    #[inline]
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.markets[self.instrument.index()]
    }

    /// This strategy's position in the instrument of the event.
    #[inline]
    #[must_use]
    pub fn position(&self) -> Lots {
        self.position_in(self.instrument)
    }

    /// This strategy's position in an instrument.
    #[inline]
    #[must_use]
    pub fn position_in(&self, instrument: InstrumentId) -> Lots {
        self.ledger.position(self.strategy, instrument).map_or(Lots::ZERO, |p| p.lots)
    }

    /// This strategy's live orders in an instrument, in order of arrival.
    pub fn live_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        self.orders.live(self.strategy, instrument)
    }

    /// Wants exactly these quotes to rest in the instrument of the event, post-only.
    ///
    /// # Errors
    /// When the quote is malformed, see [`Intents::quote`].
    #[inline]
    pub fn quote(&mut self, bids: &[Level], asks: &[Level]) -> Result<()> {
        self.intents.quote(self.instrument, bids, asks, OrderFlags::POST_ONLY)
    }

    /// Wants this position in the instrument of the event.
    ///
    /// # Errors
    /// When the callback has asked for too much already.
    #[inline]
    pub fn target_position(&mut self, position: Lots, price: Option<Ticks>) -> Result<()> {
        self.intents.push(Intent::Target { instrument: self.instrument, position, price })
    }

    /// Places an order and returns its id.
    ///
    /// # Errors
    /// When the quantity is not positive or the callback has asked for too much already.
    #[inline]
    pub fn place(&mut self, terms: OrderTerms) -> Result<ClientOrderId> {
        self.intents.place(terms)
    }

    /// Ticks of a price for a side: rounded away from the touch and onto the grid, or exact.
    ///
    /// # Errors
    /// When the price is not a number, or is off the grid and `exact` is asked.
    pub fn ticks(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: f64,
        exact: bool,
    ) -> Result<Ticks> {
        let market = &self.markets[instrument.index()];
        let grid = market.grid();
        let nonsense = || {
            Error::new(
                ErrorKind::Strategy,
                format!("{}: {price} is not a usable price", market.instrument.symbol),
            )
        };
        if exact {
            let ticks = market.scale.exact_ticks(price).filter(|t| grid.is_valid(*t));
            return ticks.ok_or_else(|| {
                if !price.is_finite() {
                    return nonsense();
                }
                Error::new(
                    ErrorKind::Strategy,
                    format!(
                        "{}: price {price} is off the grid of {}; drop exact=True to have it rounded",
                        market.instrument.symbol,
                        market.instrument.tick()
                    ),
                )
            });
        }
        let ticks = market.scale.passive_ticks(side, price).ok_or_else(nonsense)?;
        Ok(match side {
            Side::Buy => grid.floor(ticks),
            Side::Sell => grid.ceil(ticks),
        })
    }

    /// Whole lots of a quantity, rounded towards zero.
    ///
    /// # Errors
    /// When the quantity is not a number.
    pub fn lots(&self, instrument: InstrumentId, qty: f64) -> Result<Lots> {
        let market = &self.markets[instrument.index()];
        market.scale.lots(qty).ok_or_else(|| {
            Error::new(
                ErrorKind::Strategy,
                format!("{}: {qty} is not a usable quantity", market.instrument.symbol),
            )
        })
    }
}
