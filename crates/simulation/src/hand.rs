//! The owner of orders that were placed by hand: it changes some of them.

use mainspring_core::{ClientOrderId, Lots, Ticks};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::session::ACCOUNT;
use mainspring_kernel::View;

/// Market messages from one change to the next.
const PERIOD: u64 = 7;

/// Moves one of its orders to the touch now and then, and asks for a lot more.
#[derive(Debug, Default)]
pub struct Hand {
    messages: u64,
}

impl Host for Hand {
    fn name(&self) -> &str {
        ACCOUNT
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.messages += 1;
        if !self.messages.is_multiple_of(PERIOD) {
            return Ok(());
        }
        let wanted: Option<(ClientOrderId, Ticks, Lots)> =
            view.live_orders(view.instrument).next().map(|order| {
                let best = view.market().book.best(order.terms.side).unwrap_or(order.terms.price);
                (order.id, best, order.terms.qty + Lots(1))
            });
        if let Some((id, price, qty)) = wanted {
            view.intents.push(Intent::Amend { id, price, qty })?;
        }
        Ok(())
    }
}
