//! A strategy that does everything that there is to do, by the numbers of its own seed.

use mainspring_core::order::{OrderFlags, OrderTerms, OrderType};
use mainspring_core::{InstrumentId, Lots, Side, Ticks, TimeInForce};
use mainspring_kernel::host::{BookTrigger, Fill, Host, HostResult, Interest};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::view::View;
use mainspring_trading::execution::Level;
use mainspring_trading::orders::Order;

pub struct Restless {
    size: i64,
    draws: u64,
    fills: u64,
}

impl Restless {
    pub fn new(size: i64) -> Self {
        Self { size, draws: 1, fills: 0 }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.draws += 1;
        let z = self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z >> 33) % below
    }

    fn act(&mut self, view: &mut View<'_>) -> HostResult {
        let instrument = view.instrument;
        let book = &view.market().book;
        let (bid, ask) = (book.best_bid(), book.best_ask());
        let side = if self.draw(2) == 0 { Side::Buy } else { Side::Sell };
        let away = self.draw(3) as i64;
        let near = if side == Side::Buy { bid } else { ask };
        let passive = side.inward(near, -away);
        let mut terms = OrderTerms::limit(instrument, side, passive, Lots(self.size));
        let orders: Vec<Order> = view.live_orders(instrument).copied().collect();
        match self.draw(16) {
            0..=3 => {
                let level = |price| [Level { price, qty: Lots(self.size) }];
                view.quote(&level(Ticks(bid.0 - away)), &level(Ticks(ask.0 + away)))?;
                return Ok(());
            }
            4 => terms.flags = OrderFlags::POST_ONLY,
            5 => terms = OrderTerms::market(instrument, side, Lots(1)),
            6 => {
                terms.price = side.inward(near, 2);
                terms.time_in_force = TimeInForce::Ioc;
            }
            7 => {
                terms.order_type = OrderType::Stop;
                terms.trigger = side.inward(near, 3);
            }
            8 => {
                terms.order_type = OrderType::StopLimit;
                terms.trigger = side.inward(near, 3);
                terms.price = side.inward(near, 5);
            }
            9 => {
                terms.order_type = OrderType::TakeProfit;
                terms.trigger = side.inward(near, -8);
            }
            10 => {
                terms.order_type = OrderType::TrailingStop;
                terms.offset = Ticks(8);
            }
            11 => {
                terms.order_type = OrderType::Iceberg;
                terms.display = Lots(1);
            }
            12 => {
                terms.order_type = OrderType::Pegged;
                terms.offset = Ticks(1);
            }
            13 => {
                terms.time_in_force = TimeInForce::Gtd;
                terms.expire_ns = view.now_ns + 300_000_000;
            }
            14 => {
                let at_ns = view.now_ns + 7_000_000;
                view.intents.push(Intent::Timer { at_ns, tag: away })?;
                return Ok(());
            }
            _ => {
                view.target_position(Lots(away - 1), None)?;
                return Ok(());
            }
        }
        if let Some(old) = orders.iter().find(|_| orders.len() > 6) {
            let (id, qty) = (old.id, Lots(old.terms.qty.0 + 1));
            view.intents.push(match self.draw(3) {
                0 => Intent::Amend { id, price: side.inward(old.terms.price, -1), qty },
                1 => Intent::CancelAll(instrument),
                _ => Intent::Cancel(id),
            })?;
            return Ok(());
        }
        view.place(terms)?;
        Ok(())
    }
}

impl Host for Restless {
    fn name(&self) -> &str {
        "restless"
    }

    fn interest(&self) -> Interest {
        Interest {
            book: BookTrigger::Message,
            fills: true,
            orders: true,
            state: true,
            ..Interest::default()
        }
    }

    fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
        if self.draw(4) == 0 {
            self.act(view)?;
        }
        Ok(())
    }

    fn on_timer(&mut self, view: &mut View<'_>, _tag: i64) -> HostResult {
        view.intents.push(Intent::CancelAll(InstrumentId(0)))?;
        Ok(())
    }

    fn on_fill(&mut self, view: &mut View<'_>, fill: &Fill) -> HostResult {
        self.fills += 1;
        if fill.maker && self.fills.is_multiple_of(5) {
            let side = fill.side.opposite();
            view.place(OrderTerms::market(fill.order.terms.instrument, side, fill.qty))?;
        }
        Ok(())
    }

    fn save(&mut self, into: &mut Vec<u8>) -> bool {
        let state = [self.draws.to_le_bytes(), self.fills.to_le_bytes()].concat();
        let changed = *into != state;
        *into = state;
        changed
    }

    fn load(&mut self, state: &[u8]) -> HostResult {
        let number =
            |at: usize| state[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        (self.draws, self.fills) = (number(0), number(8));
        Ok(())
    }
}
