//! Where strategies run: one trait for native, compiled and Python ones.

use mainspring_core::event::BarRow;
use mainspring_core::{DurationNs, Lots, Side, Ticks, TimeNs};
use mainspring_trading::execution::parents::Parent;
use mainspring_trading::orders::Order;

use serde_json::{Map, Value};

use crate::market::Trade;
use crate::view::View;

/// When `on_book` is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BookTrigger {
    /// Never.
    #[default]
    Never,
    /// After each message that changed the book.
    Message,
    /// After each message that moved the best bid or ask price.
    Best,
    /// After each message with a trade.
    Trade,
    /// Every so many nanoseconds of logical time.
    Every(DurationNs),
}

/// Which callbacks a strategy has: those that it lacks cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// When `on_book` is called.
    pub book: BookTrigger,
    /// `on_trade`.
    pub trades: bool,
    /// `on_bar`.
    pub bars: bool,
    /// `on_fill`.
    pub fills: bool,
    /// `on_order`.
    pub orders: bool,
    /// `on_parent`.
    pub parents: bool,
    /// Whether it has state that a restart of a session gives back.
    pub state: bool,
}

impl Interest {
    /// Whether rows of the feed themselves call the strategy.
    #[must_use]
    pub const fn follows_rows(&self) -> bool {
        let at_rows =
            matches!(self.book, BookTrigger::Message | BookTrigger::Best | BookTrigger::Trade);
        at_rows || self.trades || self.bars
    }
}

/// A fill as a strategy is told of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// The order after the fill.
    pub order: Order,
    /// Price of this fill.
    pub price: Ticks,
    /// Quantity of this fill.
    pub qty: Lots,
    /// Our side.
    pub side: Side,
    /// Whether we were the maker.
    pub maker: bool,
    /// When the venue matched.
    pub exch_ns: TimeNs,
}

/// A strategy that failed: what to tell its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFailure {
    /// The message, with the author's file and line where there is one.
    pub message: String,
    /// Whether the person asked to stop (Ctrl-C inside a callback).
    pub interrupted: bool,
}

impl From<mainspring_core::Error> for HostFailure {
    fn from(error: mainspring_core::Error) -> Self {
        Self {
            message: error.message().to_owned(),
            interrupted: error.kind() == mainspring_core::ErrorKind::Interrupted,
        }
    }
}

/// The result of a callback.
pub type HostResult = Result<(), HostFailure>;

/// A strategy as the kernel sees it.
pub trait Host {
    /// The name that results carry.
    fn name(&self) -> &str;

    /// Which callbacks it wants; asked once, before the start.
    fn interest(&self) -> Interest;

    /// Before the first event.
    ///
    /// # Errors
    /// When the strategy failed; this and every other failure stops it.
    fn on_start(&mut self, _view: &mut View<'_>) -> HostResult {
        Ok(())
    }

    /// The book of `view.instrument` changed, or the interval passed.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_book(&mut self, _view: &mut View<'_>) -> HostResult {
        Ok(())
    }

    /// A trade on the feed.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_trade(&mut self, _view: &mut View<'_>, _trade: &Trade) -> HostResult {
        Ok(())
    }

    /// A bar is complete.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_bar(&mut self, _view: &mut View<'_>, _bar: &BarRow) -> HostResult {
        Ok(())
    }

    /// One of its orders traded.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_fill(&mut self, _view: &mut View<'_>, _fill: &Fill) -> HostResult {
        Ok(())
    }

    /// One of its orders changed its state.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_order(&mut self, _view: &mut View<'_>, _order: &Order) -> HostResult {
        Ok(())
    }

    /// A timer that it set is due.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_timer(&mut self, _view: &mut View<'_>, _tag: i64) -> HostResult {
        Ok(())
    }

    /// One of its parent orders is over.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_parent(&mut self, _view: &mut View<'_>, _parent: &Parent) -> HostResult {
        Ok(())
    }

    /// Writes the state that a restart should give back into `state` in place of what is there,
    /// which is what this wrote last. Returns whether it has changed.
    fn save(&mut self, _state: &mut Vec<u8>) -> bool {
        false
    }

    /// Takes the state that [`Self::save`] wrote, before the start.
    ///
    /// # Errors
    /// When the state is not one of this strategy.
    fn load(&mut self, _state: &[u8]) -> HostResult {
        Ok(())
    }

    /// Its parameters by name, where the engine knows them: those of native strategies.
    fn parameters(&self) -> Option<Map<String, Value>> {
        None
    }

    /// Takes other values of some of its parameters between two events: all of them, or none and an
    /// error.
    ///
    /// # Errors
    /// When a value cannot be, or the strategy takes none while it runs. It goes on as it was.
    fn set_parameters(&mut self, _view: &mut View<'_>, _values: &Map<String, Value>) -> HostResult {
        Err(HostFailure {
            message: format!("{} takes no parameters while it runs", self.name()),
            interrupted: false,
        })
    }

    /// After the last event.
    ///
    /// # Errors
    /// When the strategy failed.
    fn on_stop(&mut self, _view: &mut View<'_>) -> HostResult {
        Ok(())
    }
}
