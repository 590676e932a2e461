//! Once warm, a recording on the exchange asks for no memory, members among it or not.

#[allow(dead_code, reason = "each test uses a part")]
mod recorded;

use mainspring_core::order::{OrderTerms, Side};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};
use mainspring_exchange::{AccountId, Listener, NewOrder, OrderId, OrderReport, TradeReport};
use mainspring_memory::CountingAllocator;
use mainspring_sim::flow::Level;
use mainspring_trading::ledger::FillEffect;

use recorded::{Served, AT_PACE, MARKET};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Counts, and keeps nothing.
#[derive(Default)]
struct Count {
    trades: u64,
    outside: u64,
    of_member: u64,
    member: AccountId,
}

impl Listener for Count {
    fn trade(&mut self, trade: &TradeReport, _: &FillEffect, _: &FillEffect) {
        self.trades += 1;
        self.of_member += u64::from(trade.maker.account == self.member);
    }
    fn order(&mut self, _: &OrderReport) {}
    fn outside(&mut self, _: InstrumentId, _: u64, _: (Side, Ticks, Lots), _: TimeNs) {
        self.outside += 1;
    }
}

/// A member that quotes on both sides and lets the oldest orders go.
fn quote(served: &mut Served, count: &mut Count, turn: u64, sent: &mut [OrderId; 16]) {
    let side = if turn.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let Some(best) = served.exchange.markets()[0].levels().best(side) else { return };
    let slot = &mut sent[turn as usize % 16];
    let now = recorded::OPENED;
    let member = served.member;
    if served.exchange.order(MARKET, *slot).is_some() {
        served.exchange.cancel(MARKET, *slot, member, now, count).unwrap();
    }
    *slot = served.exchange.next_order_id();
    let terms = OrderTerms::limit(MARKET, side, best, Lots(500));
    served.exchange.submit(NewOrder::new(*slot, member, terms), now, count).unwrap();
}

#[test]
fn a_warm_recording_allocates_nothing() {
    for level in [Level::Orders, Level::Depth] {
        let rows = recorded::generated(level, 7, 0.3);
        let mut served = Served::of(&rows, level == Level::Orders, AT_PACE);
        let mut count = Count { member: served.member, ..Count::default() };
        let mut sent = [OrderId(0); 16];
        let messages = rows.iter().filter(|row| row.bits & 1 != 0).count() as u64;
        let mut start = 0;
        for turn in 0..messages - 1 {
            if turn == messages * 2 / 3 {
                start = CountingAllocator::allocations();
            }
            let Served { exchange, house, .. } = &mut served;
            assert!(house.advance(exchange, TimeNs::MAX, 1, &mut count) > 0);
            if turn.is_multiple_of(5) {
                quote(&mut served, &mut count, turn / 5, &mut sent);
            }
        }
        assert_eq!(CountingAllocator::allocations(), start, "{level:?}");
        assert!(count.of_member > 20 && count.trades + count.outside > 200, "{level:?}");
    }
}
