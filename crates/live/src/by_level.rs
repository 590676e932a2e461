//! Recorded orders as the levels and trades that follow from them: what a session takes.

use mainspring_book::{L3Book, L3Config};
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{InstrumentId, Lots, Side, Ticks};

use crate::feed::Message;

/// The books of a recording's instruments, and what the message in hand did to one of them.
#[derive(Debug)]
pub(crate) struct ByLevel {
    books: Vec<L3Book>,
    touched: Vec<(Side, Ticks)>,
    /// Whether the message in hand tells the whole book.
    is_whole: bool,
}

impl ByLevel {
    pub fn new(instruments: usize) -> Self {
        let books = (0..instruments).map(|_| L3Book::new(L3Config::default())).collect();
        Self { books, touched: Vec::new(), is_whole: false }
    }

    /// Takes a row of a message: trades and what has no order are told at once, as the rules of the
    /// simulated venue have it (an execution is a trade, then a change of its level).
    pub fn hear(&mut self, row: &OrderRow, base: Ticks, message: &mut Message) {
        let market = &row.market;
        let price = market.price(base);
        if message.rows.is_empty() && self.touched.is_empty() && !self.is_whole {
            message.instrument = InstrumentId(market.instrument);
            message.base = price;
        }
        message.at_ns = market.recv_ns;
        let Some(book) = self.books.get_mut(usize::from(market.instrument)) else { return };
        let known = book.order(row.order_id).map(|order| (order.side, order.price));
        let at = known.unwrap_or((market.side(), price));
        self.is_whole |= market.flags & flags::SNAPSHOT != 0;
        match RowKind::from_byte(market.kind) {
            Some(RowKind::OrderExecute) => {
                tell(message, market, RowKind::Trade, (at.0.opposite(), at.1, market.qty()));
                self.touched.push(at);
            }
            Some(RowKind::OrderAdd | RowKind::OrderDelete | RowKind::OrderModify) => {
                self.touched.extend([at, (at.0, price)]);
            }
            Some(RowKind::Depth) => self.touched.push((market.side(), price)),
            Some(RowKind::Clear) => self.is_whole = true,
            Some(kind) => tell(message, market, kind, (market.side(), price, market.qty())),
            None => {}
        }
        // A row that does not fit is a gap in the recording; its levels go on.
        let _ = book.apply(row, base);
    }

    /// The end of a message: its levels as they are now, all of them behind a snapshot. Returns
    /// whether there is anything to tell.
    pub fn end(&mut self, last: &MarketRow, message: &mut Message) -> bool {
        let Some(book) = self.books.get(usize::from(last.instrument)) else { return false };
        let levels = book.l2();
        if std::mem::take(&mut self.is_whole) {
            tell(message, last, RowKind::Clear, (Side::Buy, message.base, Lots(0)));
            for side in [Side::Buy, Side::Sell] {
                for (price, qty) in levels.levels(side) {
                    tell(message, last, RowKind::Depth, (side, price, qty));
                }
            }
            message.rows.iter_mut().for_each(|row| row.flags |= flags::SNAPSHOT);
        } else {
            self.touched.sort_unstable_by_key(|(side, price)| (*side as u8, price.0));
            self.touched.dedup();
            for (side, price) in &self.touched {
                let level = (*side, *price, levels.qty(*side, *price));
                tell(message, last, RowKind::Depth, level);
            }
        }
        self.touched.clear();
        match message.rows.last_mut() {
            Some(row) => row.flags |= flags::END_OF_MESSAGE,
            None => return false,
        }
        true
    }
}

/// Appends a row to a message.
fn tell(
    message: &mut Message,
    like: &MarketRow,
    kind: RowKind,
    (side, price, qty): (Side, Ticks, Lots),
) {
    let ask = if side == Side::Sell { flags::ASK } else { 0 };
    message.rows.push(MarketRow {
        qty_lots: qty.0,
        price_offset: (price.0 - message.base.0) as i32,
        kind: kind as u8,
        flags: ask,
        ..*like
    });
}

#[cfg(test)]
mod tests {
    use mainspring_book::L2Book;
    use mainspring_sim::flow::{Flow, FlowConfig, Level};

    use super::*;

    #[test]
    fn the_levels_of_orders_are_told_after_every_message() {
        let config = FlowConfig::of_presets(&["btcusdt"], 0.02, 3, Level::Orders).unwrap();
        let (mut by_level, mut message) = (ByLevel::new(1), Message::default());
        let mut orders = L3Book::new(L3Config::default());
        let mut levels = L2Book::default();
        let (mut executed, mut traded, mut messages) = (Vec::new(), Vec::new(), 0);
        for row in Flow::new(&config).unwrap() {
            let market = MarketRow {
                recv_ns: row.recv_ns,
                exch_ns: row.exch_ns,
                qty_lots: row.qty,
                price_offset: 0,
                kind: row.kind as u8,
                flags: row.flags,
                instrument: row.instrument,
            };
            let (order, base) = (OrderRow { market, order_id: row.order_id }, row.price);
            if row.kind == RowKind::OrderExecute {
                executed.push((base, market.qty(), market.side().opposite()));
            }
            orders.apply(&order, base).unwrap();
            by_level.hear(&order, base, &mut message);
            if !market.ends_message() || !by_level.end(&market, &mut message) {
                continue;
            }
            for told in message.rows.drain(..) {
                if told.kind == RowKind::Trade as u8 {
                    traded.push((told.price(message.base), told.qty(), told.side()));
                }
                levels.apply(&told, message.base);
            }
            messages += 1;
            for side in [Side::Buy, Side::Sell] {
                assert!(levels.levels(side).eq(orders.l2().levels(side)), "message {messages}");
            }
            assert_eq!(levels.trust(), orders.l2().trust());
        }
        assert!(messages > 1_000 && traded.len() > 50);
        assert_eq!(traded, executed);
    }
}
