//! Joins the side that order-book imbalance favours.

use mainspring_core::{Decimal, Error, ErrorKind, Lots, Result, Side};
use mainspring_trading::execution::Level;
use serde::{Deserialize, Serialize};

use super::positive_decimal;
use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::view::View;

/// Parameters of [`Imbalance`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImbalanceConfig {
    /// Size of each quote.
    pub size: Decimal,
    /// Quotes a side only while the position on it is below this.
    pub max_position: Decimal,
    /// Imbalance of the best quantities, in (0, 1), from which a side is joined.
    pub threshold: f64,
}

/// Bids at the best bid while `(bid qty - ask qty) / (bid qty + ask qty)` is above the threshold,
/// offers at the best ask while it is below minus the threshold.
pub struct Imbalance {
    config: ImbalanceConfig,
    trigger: BookTrigger,
    size: Lots,
    max_position: Lots,
}

impl Imbalance {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(config: ImbalanceConfig, trigger: BookTrigger) -> Result<Self> {
        positive_decimal("imbalance", "size", config.size)?;
        positive_decimal("imbalance", "max_position", config.max_position)?;
        if !(config.threshold > 0.0 && config.threshold < 1.0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "imbalance: threshold is {}; it must lie between 0 and 1",
                    config.threshold
                ),
            ));
        }
        Ok(Self { config, trigger, size: Lots::ZERO, max_position: Lots::ZERO })
    }
}

impl Host for Imbalance {
    fn name(&self) -> &str {
        "imbalance"
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
        let bid_qty = book.best_qty(Side::Buy).0 as f64;
        let ask_qty = book.best_qty(Side::Sell).0 as f64;
        let imbalance = (bid_qty - ask_qty) / (bid_qty + ask_qty);
        let position = view.position();
        let bid = [Level { price: book.best_bid(), qty: self.size }];
        let ask = [Level { price: book.best_ask(), qty: self.size }];
        let buy = imbalance > self.config.threshold && position < self.max_position;
        let sell = imbalance < -self.config.threshold && -position < self.max_position;
        Ok(view.quote(if buy { &bid } else { &[] }, if sell { &ask } else { &[] })?)
    }
}
