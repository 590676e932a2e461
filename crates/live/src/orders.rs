//! Orders of others as a feed, for the matching engine in the kernel: generated or recorded.

use std::path::Path;

use mainspring_book::L3Book;
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Side, Ticks, TimeNs};
use mainspring_data::{EventFile, Schema};
use mainspring_sim::flow::{Flow, FlowConfig, FlowRow};

use crate::feed::{FeedSource, Message};

/// The orders of the generator.
pub struct GeneratedOrders {
    instruments: Vec<Instrument>,
    flow: Flow,
    next: Option<FlowRow>,
}

impl GeneratedOrders {
    /// Generated markets; the configuration's level has to be that of orders.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &FlowConfig) -> Result<Self> {
        let mut flow = Flow::new(config)?;
        let next = flow.next();
        Ok(Self { instruments: config.instruments(), flow, next })
    }
}

impl FeedSource<OrderRow> for GeneratedOrders {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next(&mut self, message: &mut Message<OrderRow>) -> Result<bool> {
        let Some(first) = self.next else { return Ok(false) };
        message.at_ns = first.exch_ns;
        message.instrument = InstrumentId(first.instrument);
        message.base = first.price;
        message.rows.clear();
        while let Some(row) = self.next {
            let market = MarketRow {
                recv_ns: row.recv_ns,
                exch_ns: row.exch_ns,
                qty_lots: row.qty,
                price_offset: (row.price.0 - first.price.0) as i32,
                kind: row.kind as u8,
                flags: row.flags,
                instrument: row.instrument,
            };
            message.rows.push(OrderRow { market, order_id: row.order_id });
            self.next = self.flow.next();
            if row.flags & flags::END_OF_MESSAGE != 0 {
                break;
            }
        }
        Ok(true)
    }
}

/// An event file of orders, played as it was received.
pub struct RecordedOrders {
    file: EventFile,
    chunk: usize,
    row: usize,
}

impl RecordedOrders {
    /// A recording of orders.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn open(path: &Path) -> Result<Self> {
        let file = EventFile::open(path)?;
        if file.schema() != Schema::Order {
            return Err(levels(&path.display().to_string()));
        }
        Ok(Self { file, chunk: 0, row: 0 })
    }
}

/// Why a feed of levels cannot have our orders in its book. `what` is the feed.
#[must_use]
pub fn levels(what: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "{what}: levels do not say who rests where, so that fill_model matching cannot have your orders in their book; give generated flow or a recording of orders, or use fill_model mainspring"
        ),
    )
}

impl FeedSource<OrderRow> for RecordedOrders {
    fn instruments(&self) -> &[Instrument] {
        self.file.instruments()
    }

    fn next(&mut self, message: &mut Message<OrderRow>) -> Result<bool> {
        message.rows.clear();
        while self.chunk < self.file.chunks().len() {
            let chunk = self.file.order_chunk(self.chunk)?;
            for row in &chunk.rows[self.row..] {
                let market = &row.market;
                let price = market.price(chunk.price_base);
                if message.rows.is_empty() {
                    message.at_ns = market.recv_ns;
                    message.instrument = InstrumentId(market.instrument);
                    message.base = price;
                }
                let price_offset = (price.0 - message.base.0) as i32;
                let market = MarketRow { price_offset, ..*market };
                message.rows.push(OrderRow { market, ..*row });
                self.row += 1;
                if market.ends_message() {
                    return Ok(true);
                }
            }
            self.chunk += 1;
            self.row = 0;
        }
        if let Some(last) = message.rows.last_mut() {
            last.market.flags |= flags::END_OF_MESSAGE;
        }
        Ok(!message.rows.is_empty())
    }
}

/// A whole book of orders as one message: the first to trade first. One that lies too far from the
/// market to be counted from it is left out.
pub(crate) fn snapshot_rows(
    book: &L3Book,
    instrument: InstrumentId,
    now_ns: TimeNs,
) -> (Ticks, Vec<OrderRow>) {
    let base = book.l2().best(Side::Buy).or(book.l2().best(Side::Sell)).unwrap_or(Ticks(0));
    let mut rows = Vec::with_capacity(book.len() + 1);
    let mut tell = |kind: RowKind, bits, price: Ticks, qty_lots, order_id| {
        let Ok(price_offset) = i32::try_from(price.0 - base.0) else { return };
        let market = MarketRow {
            recv_ns: now_ns,
            exch_ns: now_ns,
            qty_lots,
            price_offset,
            kind: kind as u8,
            flags: flags::SNAPSHOT | bits,
            instrument: instrument.0,
        };
        rows.push(OrderRow { market, order_id });
    };
    tell(RowKind::Clear, 0, base, 0, 0);
    for side in [Side::Buy, Side::Sell] {
        let bits = if side == Side::Sell { flags::ASK } else { 0 };
        for (price, _) in book.l2().levels(side) {
            let nameless = book.anonymous(side, price);
            if nameless.0 > 0 {
                tell(RowKind::Depth, bits, price, nameless.0, 0);
            }
            for order in book.queue(side, price) {
                tell(RowKind::OrderAdd, bits, price, order.qty.0, order.id);
            }
        }
    }
    if let Some(last) = rows.last_mut() {
        last.market.flags |= flags::END_OF_MESSAGE;
    }
    (base, rows)
}
