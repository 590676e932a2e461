//! Joins both touches: the market maker of the common workload.

use mainspring_core::{Decimal, Lots, Result};
use mainspring_trading::execution::Level;
use serde::{Deserialize, Serialize};

use super::{positive_decimal, NoopConfig};
use crate::host::{BookTrigger, Host, HostResult, Interest};
use crate::view::View;

/// Parameters of [`TouchMaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TouchMakerConfig {
    /// Size of each quote.
    pub size: Decimal,
    /// Quotes a side only while the position on it is below this.
    pub max_position: Decimal,
}

/// Quotes `size` at the best bid and at the best ask while the position allows.
pub struct TouchMaker {
    config: TouchMakerConfig,
    trigger: BookTrigger,
    size: Lots,
    max_position: Lots,
}

impl TouchMaker {
    /// The strategy.
    ///
    /// # Errors
    /// When a parameter is not positive.
    pub fn new(config: TouchMakerConfig, trigger: BookTrigger) -> Result<Self> {
        positive_decimal("touch_maker", "size", config.size)?;
        positive_decimal("touch_maker", "max_position", config.max_position)?;
        Ok(Self { config, trigger, size: Lots::ZERO, max_position: Lots::ZERO })
    }
}

impl Host for TouchMaker {
    fn name(&self) -> &str {
        "touch_maker"
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
        let position = view.position();
        let bid = [Level { price: book.best_bid(), qty: self.size }];
        let ask = [Level { price: book.best_ask(), qty: self.size }];
        let bids = if position < self.max_position { &bid[..] } else { &[] };
        let asks = if -position < self.max_position { &ask[..] } else { &[] };
        Ok(view.quote(bids, asks)?)
    }
}

/// Owns what is adopted.
pub struct Account;

impl Host for Account {
    fn name(&self) -> &str {
        crate::session::ACCOUNT
    }

    fn interest(&self) -> Interest {
        Interest::default()
    }
}

/// Does nothing.
pub struct Noop {
    config: NoopConfig,
    trigger: BookTrigger,
    seen: i64,
}

impl Noop {
    /// The strategy.
    #[must_use]
    pub const fn new(config: NoopConfig, trigger: BookTrigger) -> Self {
        Self { config, trigger, seen: 0 }
    }
}

impl Host for Noop {
    fn name(&self) -> &str {
        "noop"
    }

    fn interest(&self) -> Interest {
        Interest { book: self.trigger, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if self.config.read {
            let book = &view.market().book;
            let sum = book.best_bid().0.wrapping_add(book.best_ask().0);
            self.seen = std::hint::black_box(self.seen.wrapping_add(sum));
        }
        Ok(())
    }
}
