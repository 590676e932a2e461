//! What we know of one instrument: our side of the feed, as strategies see it.

use mainspring_book::{L2Book, L3Book, L3Config};
use mainspring_core::event::{flags, BarRow, MarketRow, OrderRow, RowKind};
use mainspring_core::{DurationNs, Instrument, InstrumentId, Lots, PriceGrid, Side, Ticks, TimeNs};
use mainspring_features::FeatureChain;
use mainspring_trading::ledger::MarkPrice;

use crate::scale::Scale;

/// A trade on the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// When the exchange says it happened.
    pub exch_ns: TimeNs,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub qty: Lots,
    /// Side of the taker.
    pub taker: Side,
}

/// What one message changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The book, anywhere.
    pub book: bool,
    /// The best bid or the best ask price.
    pub best: bool,
    /// A trade was in it.
    pub trade: bool,
    /// The mark price.
    pub mark: bool,
    /// The trading status.
    pub status: bool,
    /// Funding was due, at this rate in units of 10^-9.
    pub funding: Option<i64>,
}

/// One instrument as we see it.
pub struct Market {
    /// Its index in the kernel.
    pub id: InstrumentId,
    /// What it is.
    pub instrument: Instrument,
    /// Its units.
    pub scale: Scale,
    /// The book from the feed, by level.
    pub book: L2Book,
    /// The book by order, where the feed has orders.
    pub orders: Option<Box<L3Book>>,
    /// The features that the run asked for.
    pub features: FeatureChain,
    /// The last trade.
    pub last_trade: Option<Trade>,
    /// Mark price in units of 10^-9 tick, where the feed has one.
    pub mark_nanoticks: Option<i128>,
    /// Last funding rate in units of 10^-9.
    pub funding_rate: Option<i64>,
    /// Whether the venue trades it now.
    pub trading: bool,
    /// Receive time less exchange time of the last message.
    pub feed_latency_ns: DurationNs,
    /// Receive time of the last message.
    pub updated_ns: TimeNs,
    grid: usize,
    best: (Ticks, Ticks),
}

impl Market {
    /// An instrument nothing is known of yet.
    #[must_use]
    pub fn new(id: InstrumentId, instrument: Instrument, features: FeatureChain) -> Self {
        Self {
            id,
            scale: Scale::of(&instrument),
            book: L2Book::default(),
            orders: None,
            features,
            last_trade: None,
            mark_nanoticks: None,
            funding_rate: None,
            trading: true,
            feed_latency_ns: 0,
            updated_ns: TimeNs::MIN,
            grid: 0,
            best: (mainspring_book::NO_BID, mainspring_book::NO_ASK),
            instrument,
        }
    }

    /// The price grid in force.
    #[must_use]
    pub fn grid(&self) -> &PriceGrid {
        &self.instrument.grids[self.grid]
    }

    /// Best bid plus best ask in ticks when the book has both and can be believed.
    #[inline]
    #[must_use]
    pub fn mid2(&self) -> Option<i64> {
        self.book.mid2()
    }

    /// The mid price, NaN without a two-sided book.
    #[inline]
    #[must_use]
    pub fn mid(&self) -> f64 {
        self.mid2().map_or(f64::NAN, |mid2| self.scale.tick.to_f64(mid2) / 2.0)
    }

    /// The price that profit is measured at: the mid, or else the last trade.
    #[inline]
    #[must_use]
    pub fn valuation(&self) -> Option<MarkPrice> {
        if self.book.mid2().is_some() {
            return Some(MarkPrice::mid(self.book.best_bid(), self.book.best_ask()));
        }
        self.last_trade.map(|trade| MarkPrice::at(trade.price))
    }

    /// The price that funding and margin are reckoned at: the mark, or else [`Self::valuation`].
    #[must_use]
    pub fn mark(&self) -> Option<MarkPrice> {
        self.mark_nanoticks.map(MarkPrice).or_else(|| self.valuation())
    }

    /// Applies one row without the work at the end of its message.
    #[inline]
    pub fn apply(&mut self, row: &MarketRow, base: Ticks, changes: &mut Changes) {
        if row.kind == RowKind::Depth as u8 {
            self.book.apply(row, base);
            changes.book = true;
        } else {
            self.apply_other(row, base, changes);
        }
    }

    fn apply_other(&mut self, row: &MarketRow, base: Ticks, changes: &mut Changes) {
        match RowKind::from_byte(row.kind) {
            Some(RowKind::Trade) => {
                let trade = Trade {
                    exch_ns: row.exch_ns,
                    price: row.price(base),
                    qty: row.qty(),
                    taker: row.side(),
                };
                self.last_trade = Some(trade);
                changes.trade = true;
                self.features.on_trade(trade.price, trade.qty, trade.taker, row.recv_ns);
            }
            Some(RowKind::Best | RowKind::Clear | RowKind::Gap) => changes.book = true,
            Some(RowKind::Mark) => {
                self.mark_nanoticks =
                    Some(i128::from(row.price(base).0) * 1_000_000_000 + i128::from(row.qty_lots));
                changes.mark = true;
            }
            Some(RowKind::Funding) => self.funding_rate = Some(row.qty_lots),
            Some(RowKind::Status) => {
                self.trading = row.qty_lots != 0;
                changes.status = true;
            }
            Some(RowKind::Grid) => {
                if let Ok(version) = usize::try_from(row.qty_lots) {
                    self.grid = version.min(self.instrument.grids.len() - 1);
                }
            }
            _ => {}
        }
        // Any row may end a message, and with it a snapshot.
        self.book.apply(row, base);
    }

    /// Applies one row of an order-level feed; the level book follows.
    pub fn apply_order(&mut self, row: &OrderRow, base: Ticks, changes: &mut Changes) {
        let orders = self.orders.get_or_insert_with(|| Box::new(L3Book::new(L3Config::default())));
        let kind = RowKind::from_byte(row.market.kind);
        let touched = match kind {
            Some(RowKind::OrderModify | RowKind::OrderDelete | RowKind::OrderExecute) => {
                orders.order(row.order_id).map(|order| (order.side, order.price))
            }
            _ => None,
        };
        // A row that does not fit makes a gap in the order book, which the trust below shows.
        let _ = orders.apply(row, base);
        if matches!(kind, Some(RowKind::OrderExecute)) {
            if let Some((maker, price)) = touched {
                self.note_trade(&row.market, price, maker.opposite(), changes);
            }
        }
        let (side, price) = (row.market.side(), row.market.price(base));
        for (side, price) in touched.into_iter().chain([(side, price)]) {
            self.book.set(side, price, orders_level(self.orders.as_deref(), side, price));
        }
        match kind {
            Some(
                RowKind::OrderAdd
                | RowKind::OrderModify
                | RowKind::OrderDelete
                | RowKind::OrderExecute,
            ) => {
                changes.book = true;
            }
            _ => self.apply(&row.market, base, changes),
        }
    }

    fn note_trade(&mut self, row: &MarketRow, price: Ticks, taker: Side, changes: &mut Changes) {
        let trade = Trade { exch_ns: row.exch_ns, price, qty: row.qty(), taker };
        self.last_trade = Some(trade);
        changes.trade = true;
        self.features.on_trade(trade.price, trade.qty, trade.taker, row.recv_ns);
    }

    /// Shows a complete bar: its close as the last trade, and a book `spread_ticks` around it.
    pub fn apply_bar(&mut self, bar: &BarRow, spread_ticks: i64, now_ns: TimeNs) {
        let close = bar.close;
        self.book.set_best(Side::Buy, Ticks(close.0 - spread_ticks), Lots(bar.volume.0.max(1)));
        self.book.set_best(Side::Sell, Ticks(close.0 + spread_ticks), Lots(bar.volume.0.max(1)));
        self.last_trade =
            Some(Trade { exch_ns: bar.recv_ns, price: close, qty: bar.volume, taker: Side::Buy });
        self.feed_latency_ns = 0;
        self.updated_ns = now_ns;
        self.features.on_message(&self.book, now_ns);
    }

    /// Whether the book can be shown.
    #[inline]
    #[must_use]
    pub fn is_usable(&self) -> bool {
        match &self.orders {
            None => self.book.trust().is_usable(),
            Some(orders) => orders.trust().is_usable(),
        }
    }

    /// The work at the end of a message: features, and whether the best prices moved.
    #[inline]
    pub fn end_message(&mut self, last: &MarketRow, now_ns: TimeNs, changes: &mut Changes) {
        debug_assert!(last.flags & flags::END_OF_MESSAGE != 0);
        self.feed_latency_ns = last.recv_ns - last.exch_ns;
        self.updated_ns = now_ns;
        if changes.book {
            let best = (self.book.best_bid(), self.book.best_ask());
            changes.best = best != self.best;
            self.best = best;
            self.features.on_message(&self.book, now_ns);
        }
    }
}

fn orders_level(orders: Option<&L3Book>, side: Side, price: Ticks) -> Lots {
    orders.map_or(Lots::ZERO, |orders| orders.l2().qty(side, price))
}
