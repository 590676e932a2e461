//! Model-driven market makers: Avellaneda-Stoikov and GLFT.

use mainspring_core::limits::MAX_QUOTE_LEVELS;
use mainspring_core::{Decimal, Error, ErrorKind, Lots, Result, Side};
use mainspring_models::{avellaneda_stoikov, glft, Distances};
use mainspring_trading::execution::Level;
use serde::{Deserialize, Serialize};

use super::{positive, positive_decimal};
use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::view::View;

/// Parameters of [`AvellanedaStoikov`]. Prices in quote currency, time in seconds, inventory in
/// multiples of `size`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvellanedaStoikovConfig {
    /// Size of each quote.
    pub size: Decimal,
    /// Quotes a side only while the position on it is below this.
    pub max_position: Decimal,
    /// Risk aversion, per quote currency.
    pub gamma: f64,
    /// Volatility, price per square root of a second.
    pub sigma: f64,
    /// Decay of the fill intensity, per price.
    pub k: f64,
    /// Rolling horizon `T - t` in seconds.
    pub horizon_s: f64,
}

/// Quotes the optimal distances of Avellaneda and Stoikov around the mid price, over a horizon
/// that always lies the same time ahead.
pub struct AvellanedaStoikov {
    config: AvellanedaStoikovConfig,
    model: avellaneda_stoikov::Parameters,
    trigger: BookTrigger,
    sizes: Sizes,
}

impl AvellanedaStoikov {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is not positive.
    pub fn new(config: AvellanedaStoikovConfig, trigger: BookTrigger) -> Result<Self> {
        let name = "avellaneda_stoikov";
        positive_decimal(name, "size", config.size)?;
        positive_decimal(name, "max_position", config.max_position)?;
        positive(name, "gamma", config.gamma)?;
        positive(name, "sigma", config.sigma)?;
        positive(name, "k", config.k)?;
        positive(name, "horizon_s", config.horizon_s)?;
        let model = avellaneda_stoikov::Parameters {
            gamma: config.gamma,
            sigma: config.sigma,
            k: config.k,
        };
        Ok(Self { config, model, trigger, sizes: Sizes::default() })
    }
}

impl Host for AvellanedaStoikov {
    fn name(&self) -> &str {
        "avellaneda_stoikov"
    }

    fn interest(&self) -> Interest {
        Interest { book: self.trigger, ..Interest::default() }
    }

    takes_parameters!();

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.sizes = Sizes::of(view, self.config.size, self.config.max_position)?;
        Ok(())
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        let distances = self.model.distances(self.sizes.inventory(view), self.config.horizon_s);
        quote_around_mid(view, &self.sizes, distances, 1, 0)
    }
}

/// Parameters of [`Glft`]. Prices in quote currency, time in seconds, inventory in multiples of
/// `size`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlftConfig {
    /// Size of each level.
    pub size: Decimal,
    /// Quotes a side only while the position on it is below this.
    pub max_position: Decimal,
    /// Risk aversion, per quote currency.
    pub gamma: f64,
    /// Volatility, price per square root of a second.
    pub sigma: f64,
    /// Fill intensity at distance zero, per second.
    pub a: f64,
    /// Decay of the fill intensity, per price.
    pub k: f64,
    /// Levels a side.
    #[serde(default = "one")]
    pub levels: u32,
    /// Ticks between levels.
    #[serde(default = "one")]
    pub spacing_ticks: u32,
}

const fn one() -> u32 {
    1
}

/// Quotes the closed-form distances of Gueant, Lehalle and Fernandez-Tapia around the mid price.
pub struct Glft {
    config: GlftConfig,
    coefficients: glft::Coefficients,
    trigger: BookTrigger,
    sizes: Sizes,
}

impl Glft {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(config: GlftConfig, trigger: BookTrigger) -> Result<Self> {
        positive_decimal("glft", "size", config.size)?;
        positive_decimal("glft", "max_position", config.max_position)?;
        positive("glft", "gamma", config.gamma)?;
        positive("glft", "sigma", config.sigma)?;
        positive("glft", "a", config.a)?;
        positive("glft", "k", config.k)?;
        if config.levels == 0 || config.levels as usize > MAX_QUOTE_LEVELS {
            return Err(Error::new(
                ErrorKind::Config,
                format!("glft: levels is {}; give 1 to {MAX_QUOTE_LEVELS}", config.levels),
            ));
        }
        let coefficients = glft::Parameters {
            gamma: config.gamma,
            sigma: config.sigma,
            a: config.a,
            k: config.k,
            order_size: 1.0,
            xi: config.gamma,
        }
        .coefficients();
        Ok(Self { config, coefficients, trigger, sizes: Sizes::default() })
    }
}

impl Host for Glft {
    fn name(&self) -> &str {
        "glft"
    }

    fn interest(&self) -> Interest {
        Interest { book: self.trigger, ..Interest::default() }
    }

    takes_parameters!();

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.sizes = Sizes::of(view, self.config.size, self.config.max_position)?;
        Ok(())
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        let distances = self.coefficients.distances(self.sizes.inventory(view));
        let spacing = i64::from(self.config.spacing_ticks);
        quote_around_mid(view, &self.sizes, distances, self.config.levels as usize, spacing)
    }
}

/// Sizes in lots.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    order: Lots,
    max_position: Lots,
}

impl Sizes {
    fn of(view: &View<'_>, size: Decimal, max_position: Decimal) -> Result<Self> {
        Ok(Self {
            order: view.order_lots(view.instrument, size.to_f64())?,
            max_position: view.lots(view.instrument, max_position.to_f64())?,
        })
    }

    /// Inventory in multiples of the order size.
    fn inventory(&self, view: &View<'_>) -> f64 {
        view.position().0 as f64 / self.order.0 as f64
    }
}

/// Quotes at `distances` from the mid, never through the opposite best, further levels behind.
fn quote_around_mid(
    view: &mut View<'_>,
    sizes: &Sizes,
    distances: Distances,
    levels: usize,
    spacing_ticks: i64,
) -> HostResult {
    let market = view.market();
    if market.mid2().is_none() {
        return Ok(view.quote(&[], &[])?);
    }
    let mid = market.mid();
    let (best_bid, best_ask) = (market.book.best_bid(), market.book.best_ask());
    let instrument = view.instrument;
    let bid = view.ticks(instrument, Side::Buy, mid - distances.bid, false)?;
    let ask = view.ticks(instrument, Side::Sell, mid + distances.ask, false)?;
    let bid = bid.min(Side::Sell.inward(best_ask, 1));
    let ask = ask.max(Side::Buy.inward(best_bid, 1));
    let mut bids = [Level { price: bid, qty: sizes.order }; MAX_QUOTE_LEVELS];
    let mut asks = [Level { price: ask, qty: sizes.order }; MAX_QUOTE_LEVELS];
    for i in 1..levels {
        bids[i].price = Side::Buy.inward(bid, -(i as i64) * spacing_ticks);
        asks[i].price = Side::Sell.inward(ask, -(i as i64) * spacing_ticks);
    }
    let position = view.position();
    let bids = if position < sizes.max_position { &bids[..levels] } else { &[] };
    let asks = if -position < sizes.max_position { &asks[..levels] } else { &[] };
    Ok(view.quote(bids, asks)?)
}
