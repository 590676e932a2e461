//! The strategy's window on the kernel: read the market, state wishes.

use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{
    ClientOrderId, Error, ErrorKind, Instrument, InstrumentId, Lots, Result, Side, Ticks, TimeNs,
};
use mainspring_trading::execution::parents::{
    Parent, ParentId, ParentTable, ParentTerms, MAX_PARENTS,
};
use mainspring_trading::execution::Level;
use mainspring_trading::fee::FeeSchedule;
use mainspring_trading::ledger::Ledger;
use mainspring_trading::orders::{Order, OrderTable};
use mainspring_trading::risk::StopRule;

use crate::intent::{Control, Intent, Intents};
use crate::market::Market;
use crate::routing::RouteGroup;
use crate::session::{Outside, VenueLink};

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
    /// Parent orders, once there was one.
    pub parents: Option<&'k ParentTable>,
    /// Fees by instrument.
    pub fees: &'k [FeeSchedule],
    /// Instruments of several venues that are the same thing.
    pub groups: &'k [RouteGroup],
    /// What is known of venues outside.
    pub(crate) outside: Option<&'k Outside>,
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

    /// The position of all strategies in an instrument.
    #[must_use]
    pub fn net(&self, instrument: InstrumentId) -> Lots {
        self.ledger.net(instrument).map_or(Lots::ZERO, |held| held.lots)
    }

    /// The connection to the venue of an instrument; none where the venue is simulated in the kernel.
    #[must_use]
    pub fn link(&self, instrument: InstrumentId) -> Option<&VenueLink> {
        let outside = self.outside.filter(|outside| !outside.inside)?;
        outside.links.get(usize::from(outside.venue(instrument)))
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

    /// Has the engine hold a stop for this strategy's position in an instrument, in place of one of
    /// the same kind that it asked for; without a rule lets go of all that it asked for there.
    ///
    /// # Errors
    /// When the rule cannot be, or the callback has asked for too much already.
    pub fn stop(&mut self, instrument: InstrumentId, rule: Option<StopRule>) -> Result<()> {
        if let Some(rule) = &rule {
            rule.validate()?;
        }
        self.intents.push(Intent::Stop { instrument, rule })
    }

    /// Places an order and returns its id.
    ///
    /// # Errors
    /// When the quantity is not positive or the callback has asked for too much already.
    #[inline]
    pub fn place(&mut self, terms: OrderTerms) -> Result<ClientOrderId> {
        self.intents.place(terms)
    }

    /// Works a quantity over time and returns the parent order's id. What the venue takes at the
    /// least bounds the children, and the mid of now is what slippage is measured by.
    ///
    /// # Errors
    /// When the terms do not fit together, or there are as many parent orders as there may be.
    pub fn execute(&mut self, mut terms: ParentTerms) -> Result<ParentId> {
        let market = &self.markets[terms.instrument.index()];
        terms.arrival_mid2 = market.mid2();
        terms.min_child = terms.min_child.max(smallest_order(market)).min(terms.qty);
        if terms.max_child.0 > 0 {
            terms.max_child = terms.max_child.max(terms.min_child);
        }
        let live = self.parents.map_or(0, |parents| parents.live().len());
        if live + self.intents.parents().len() >= MAX_PARENTS {
            return Err(Error::new(
                ErrorKind::Strategy,
                format!(
                    "there are {MAX_PARENTS} parent orders; wait for one to end, or cancel one"
                ),
            ));
        }
        self.intents.execute(terms)
    }

    /// Pauses, resumes or cancels a parent order.
    ///
    /// # Errors
    /// When the callback has asked for too much already.
    pub fn control_parent(&mut self, id: ParentId, control: Control) -> Result<()> {
        self.intents.push(Intent::Control { id, control })
    }

    /// A parent order of this strategy, live or over not long ago; one that was asked for and has
    /// not begun is shown as it begins.
    #[must_use]
    pub fn parent(&self, id: ParentId) -> Option<Parent> {
        let known = self.parents.and_then(|parents| parents.get(id));
        if let Some(parent) = known {
            return (parent.strategy == self.strategy).then(|| parent.clone());
        }
        let terms = self.intents.asked_parent(self.strategy, id)?.clone();
        Some(Parent::new(id, self.strategy, terms, self.now_ns))
    }

    /// The instruments that are the same thing as this one, itself among them.
    ///
    /// # Errors
    /// When the instrument is not one of the run.
    pub fn group_of(&self, instrument: InstrumentId) -> Result<&RouteGroup> {
        let has = |group: &&RouteGroup| group.instruments.contains(&instrument);
        self.groups.iter().find(has).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no instrument {}", instrument.0))
        })
    }

    /// This strategy's position over all venues that trade the same thing as an instrument, in common
    /// lots of its group, and its value at the mids in quote currency; the value is NaN while a venue
    /// where something is held has no mid.
    ///
    /// # Errors
    /// When the instrument is not one of the run.
    pub fn net_in_group(&self, instrument: InstrumentId) -> Result<(Lots, f64)> {
        let group = self.group_of(instrument)?;
        let (mut lots, mut value) = (Lots::ZERO, 0.0);
        for (id, scale) in group.instruments.iter().zip(&group.units.scales) {
            let held = self.position_in(*id);
            if held == Lots::ZERO {
                continue;
            }
            let market = &self.markets[id.index()];
            lots += Lots(held.0.saturating_mul(scale.lots));
            value += market.scale.lot.to_f64(held.0)
                * market.instrument.multiplier.to_f64()
                * market.mid();
        }
        Ok((lots, value))
    }

    /// The parent of an order, where it is a child.
    #[must_use]
    pub fn parent_of(&self, order: ClientOrderId) -> Option<ParentId> {
        self.parents?.parent_of(order)
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

    /// [`Self::lots`] of an order: what is less than one lot is no order.
    ///
    /// # Errors
    /// When the quantity is not a number, or is above zero and less than one lot.
    pub fn order_lots(&self, instrument: InstrumentId, qty: f64) -> Result<Lots> {
        let lots = self.lots(instrument, qty)?;
        if lots == Lots::ZERO && qty > 0.0 {
            return Err(self.less_than_a_lot(instrument, qty));
        }
        Ok(lots)
    }

    #[cold]
    fn less_than_a_lot(&self, instrument: InstrumentId, qty: f64) -> Error {
        let Instrument { symbol, lot, .. } = &self.markets[instrument.index()].instrument;
        Error::new(
            ErrorKind::Strategy,
            format!("{symbol}: a quantity of {qty} is less than one lot; give at least {lot}"),
        )
    }
}

/// The smallest order that the venue takes now.
fn smallest_order(market: &Market) -> Lots {
    let instrument = &market.instrument;
    let least = market.mid2().filter(|mid2| *mid2 > 0).map_or(0.0, |_| {
        let value = market.mid() * market.scale.lot.to_f64(1) * instrument.multiplier.to_f64();
        let lots = instrument.min_notional.to_f64() / value;
        if instrument.kind.is_inverse() || !lots.is_finite() {
            0.0
        } else {
            lots.ceil()
        }
    });
    instrument.min_qty.max(Lots(least as i64)).max(Lots(1))
}
