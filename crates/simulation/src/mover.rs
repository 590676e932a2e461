//! A strategy with one order that rests for long and is changed again and again.

use mainspring_core::order::OrderTerms;
use mainspring_core::{Lots, Side, Ticks};
use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::View;

/// Market messages from one change to the next.
const PERIOD: u64 = 9;

/// Moves its order about behind the touch, smaller and larger, and now and then to where it trades.
#[derive(Debug, Default)]
pub struct Mover {
    messages: u64,
}

impl Host for Mover {
    fn name(&self) -> &str {
        "mover"
    }

    fn interest(&self) -> Interest {
        Interest { book: BookTrigger::Message, ..Interest::default() }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        self.messages += 1;
        if !self.messages.is_multiple_of(PERIOD) {
            return Ok(());
        }
        let turn = self.messages / PERIOD;
        let standing = view.live_orders(view.instrument).next();
        let standing = standing.map(|order| (order.id, order.terms.side, order.filled));
        let opposite = if turn.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let side = standing.map_or(opposite, |(_, side, _)| side);
        let Some(best) = view.market().book.best(side) else { return Ok(()) };
        let price = Ticks(best.0 - side.sign() * (turn % 4) as i64);
        let open = Lots(1 + (turn % 3) as i64);
        match standing {
            Some((id, _, filled)) => {
                view.intents.push(Intent::Amend { id, price, qty: filled + open })?;
            }
            None => {
                let terms = OrderTerms::limit(view.instrument, side, price, open);
                view.place(terms)?;
            }
        }
        Ok(())
    }
}
