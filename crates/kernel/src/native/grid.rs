//! A grid of quotes around the mid price.

use mainspring_core::limits::MAX_QUOTE_LEVELS;
use mainspring_core::{Decimal, Error, ErrorKind, Lots, Result, Ticks};
use mainspring_trading::execution::Level;
use serde::{Deserialize, Serialize};

use super::positive_decimal;
use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::view::View;

/// Parameters of [`Grid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// Size of each level.
    pub size: Decimal,
    /// Quotes a side only while the position on it is below this.
    pub max_position: Decimal,
    /// Levels a side.
    pub levels: u32,
    /// Ticks between levels; levels lie on multiples of it.
    pub spacing_ticks: u32,
}

/// Quotes at multiples of the spacing below the best bid and above the best ask.
pub struct Grid {
    config: GridConfig,
    trigger: BookTrigger,
    size: Lots,
    max_position: Lots,
}

impl Grid {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(config: GridConfig, trigger: BookTrigger) -> Result<Self> {
        positive_decimal("grid", "size", config.size)?;
        positive_decimal("grid", "max_position", config.max_position)?;
        if config.levels == 0 || config.levels as usize > MAX_QUOTE_LEVELS {
            return Err(Error::new(
                ErrorKind::Config,
                format!("grid: levels is {}; give 1 to {MAX_QUOTE_LEVELS}", config.levels),
            ));
        }
        if config.spacing_ticks == 0 {
            return Err(Error::new(ErrorKind::Config, "grid: spacing_ticks must be at least 1"));
        }
        Ok(Self { config, trigger, size: Lots::ZERO, max_position: Lots::ZERO })
    }
}

impl Host for Grid {
    fn name(&self) -> &str {
        "grid"
    }

    fn interest(&self) -> Interest {
        Interest { book: self.trigger, ..Interest::default() }
    }

    takes_parameters!();

    fn on_start(&mut self, view: &mut View<'_>) -> HostResult {
        self.size = view.order_lots(view.instrument, self.config.size.to_f64())?;
        self.max_position = view.lots(view.instrument, self.config.max_position.to_f64())?;
        Ok(())
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if view.market().mid2().is_none() {
            return Ok(view.quote(&[], &[])?);
        }
        let book = &view.market().book;
        let spacing = i64::from(self.config.spacing_ticks);
        let count = self.config.levels as usize;
        let first_bid = book.best_bid().0.div_euclid(spacing) * spacing;
        let first_ask = -((-book.best_ask().0).div_euclid(spacing)) * spacing;
        let mut bids = [Level { price: Ticks(first_bid), qty: self.size }; MAX_QUOTE_LEVELS];
        let mut asks = [Level { price: Ticks(first_ask), qty: self.size }; MAX_QUOTE_LEVELS];
        for i in 1..count {
            bids[i].price = Ticks(first_bid - i as i64 * spacing);
            asks[i].price = Ticks(first_ask + i as i64 * spacing);
        }
        let position = view.position();
        let bids = if position < self.max_position { &bids[..count] } else { &[] };
        let asks = if -position < self.max_position { &asks[..count] } else { &[] };
        Ok(view.quote(bids, asks)?)
    }
}
