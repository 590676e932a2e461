//! Order books over a restart: a session on the matching engine has its own orders in them.

use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{Lots, Side, Ticks, TimeNs};
use serde::{Deserialize, Serialize};

use crate::market::{Changes, Market, Trade};

/// A book of orders as a restart keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookImage {
    /// Whether it could be trusted.
    pub trusted: bool,
    /// Id, +1 for a bid and -1 for an ask, price and lots of each order, the first to trade first.
    pub orders: Vec<(u64, i8, i64, i64)>,
    /// Exchange time, price, lots and the taker's side of the last trade.
    pub last_trade: Option<(TimeNs, i64, i64, i8)>,
    /// Mark price in units of 10^-9 tick.
    pub mark_nanoticks: Option<i128>,
}

const fn side_of(sign: i8) -> Side {
    if sign < 0 {
        Side::Sell
    } else {
        Side::Buy
    }
}

impl BookImage {
    pub(super) fn of(market: &Market) -> Self {
        let mut orders = Vec::new();
        for book in market.orders.iter() {
            orders.reserve(book.len());
            for side in [Side::Buy, Side::Sell] {
                for (price, _) in book.l2().levels(side) {
                    let entry = |order: mainspring_book::RestingOrder| {
                        (order.id, side.sign() as i8, order.price.0, order.qty.0)
                    };
                    orders.extend(book.queue(side, price).map(entry));
                }
            }
        }
        let last_trade = market.last_trade;
        let last_trade = last_trade
            .map(|trade| (trade.exch_ns, trade.price.0, trade.qty.0, trade.taker.sign() as i8));
        let (trusted, mark_nanoticks) = (market.is_usable(), market.mark_nanoticks);
        Self { trusted, orders, last_trade, mark_nanoticks }
    }

    /// Puts the book into a market that was just made.
    pub(super) fn restore(&self, market: &mut Market, now_ns: TimeNs) {
        market.mark_nanoticks = self.mark_nanoticks;
        market.last_trade = self.last_trade.map(|(exch_ns, price, qty, taker)| Trade {
            exch_ns,
            price: Ticks(price),
            qty: Lots(qty),
            taker: side_of(taker),
        });
        let (id, mut changes) = (market.id.0, Changes::default());
        let mut tell = |order_id, kind: RowKind, bits, price, qty_lots| {
            let (kind, price_offset) = (kind as u8, 0);
            let (recv_ns, exch_ns, flags, instrument) = (now_ns, now_ns, bits, id);
            let row =
                MarketRow { recv_ns, exch_ns, qty_lots, price_offset, kind, flags, instrument };
            market.apply_order(&OrderRow { market: row, order_id }, Ticks(price), &mut changes);
        };
        tell(0, RowKind::Clear, flags::SNAPSHOT, 0, 0);
        for (n, (order, sign, price, lots)) in (1..).zip(&self.orders) {
            let side = if *sign < 0 { flags::ASK } else { 0 };
            let ends = self.trusted && n == self.orders.len();
            let end = if ends { flags::END_OF_MESSAGE } else { 0 };
            tell(*order, RowKind::OrderAdd, flags::SNAPSHOT | side | end, *price, *lots);
        }
        if !self.trusted {
            tell(0, RowKind::Gap, flags::END_OF_MESSAGE, 0, 0);
        }
    }
}
