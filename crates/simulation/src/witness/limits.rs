//! The limits of the simulated engine, in lots, ticks and counts, written down a second time.

use std::collections::VecDeque;

use mainspring_core::{ClientOrderId, Result, TimeNs};

use crate::invariants::broken;

use super::books::Books;
use super::orders::{Orders, Standing};

/// Largest position in any direction, in lots.
pub(crate) const MAX_POSITION: i64 = 20;

/// The same of the first strategy by itself.
const MAX_OWN_POSITION: i64 = 15;

/// Largest order, in lots.
const MAX_ORDER: i64 = 5;

/// Largest value of an order, in ticks x lots: 0.52 of the quote currency.
const MAX_NOTIONAL: i64 = 5_200;

/// Most orders that live at once.
const MAX_LIVE: usize = 7;

/// Most new orders in any second.
const MAX_ORDERS: usize = 20;

/// Most orders, changes and cancels in any second after which something new may leave.
const MAX_MESSAGES: usize = 40;

const SECOND: i64 = 1_000_000_000;

/// When requests left, as far back as limits look.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    orders: VecDeque<TimeNs>,
    messages: VecDeque<TimeNs>,
}

impl Pace {
    /// A new order leaves.
    pub(super) fn order(&mut self, now_ns: TimeNs) {
        note(&mut self.orders, now_ns);
        self.message(now_ns);
    }

    /// Anything about an order leaves.
    pub(super) fn message(&mut self, now_ns: TimeNs) {
        note(&mut self.messages, now_ns);
    }
}

fn note(times: &mut VecDeque<TimeNs>, now_ns: TimeNs) {
    times.push_back(now_ns);
    while times.front().is_some_and(|at_ns| *at_ns <= now_ns - SECOND) {
        times.pop_front();
    }
}

/// Judges a request that leaves now: an order as it was before it, and as it is.
pub(super) fn judge(
    id: ClientOrderId,
    before: &Standing,
    after: &Standing,
    orders: &Orders,
    books: &Books,
    pace: &Pace,
) -> Result<()> {
    let asked = after.asked.unwrap_or((after.price, after.qty));
    let (price, qty) = (asked.0, asked.1 - after.filled);
    if qty <= 0 {
        // It ends what is open, as a cancel does.
        return Ok(());
    }
    let is_new = after.asked.is_none();
    let over = |what: &str, is: i64, limit: i64| {
        broken(format!("the limit of {limit} {what}: {is} with order {}", id.0))
    };
    if qty > MAX_ORDER {
        return over("lots an order", qty, MAX_ORDER);
    }
    if after.priced && price * qty > MAX_NOTIONAL {
        return over("ticks x lots an order", price * qty, MAX_NOTIONAL);
    }
    if after.open() > before.open() {
        let (sign, side) = (after.side.sign(), after.side);
        let worst = books.net_lots() * sign + orders.open_on(side, None);
        if worst > MAX_POSITION {
            return over("lots of position, open orders filled", worst, MAX_POSITION);
        }
        let strategy = after.strategy;
        let own = books.lots_of(strategy) * sign + orders.open_on(side, Some(strategy));
        if strategy == 0 && own > MAX_OWN_POSITION {
            return over("lots of a strategy, open orders filled", own, MAX_OWN_POSITION);
        }
    }
    if is_new && orders.live() > MAX_LIVE {
        return over("open orders", orders.live() as i64, MAX_LIVE as i64);
    }
    if is_new && pace.orders.len() > MAX_ORDERS {
        return over("orders a second", pace.orders.len() as i64, MAX_ORDERS as i64);
    }
    if pace.messages.len() > MAX_MESSAGES {
        return over("messages a second", pace.messages.len() as i64, MAX_MESSAGES as i64);
    }
    Ok(())
}
