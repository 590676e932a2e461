//! Recorded orders of others as a feed, for the matching engine in the kernel.

use std::path::Path;

use mainspring_book::L3Book;
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{Error, ErrorKind, Instrument, InstrumentId, Result, Side, Ticks, TimeNs};
use mainspring_data::{EventFile, Schema};

use crate::feed::{FeedSource, Message};

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
                self.row += 1;
                if message.add(*row, row.market.price(chunk.price_base)) {
                    return Ok(true);
                }
            }
            self.chunk += 1;
            self.row = 0;
        }
        message.end();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mainspring_core::order::OrderTerms;
    use mainspring_core::Lots;
    use mainspring_kernel::host::{BookTrigger, Host, HostResult, Interest};
    use mainspring_kernel::session::{Outlet, Session, SessionConfig};
    use mainspring_kernel::view::View;
    use mainspring_memory::{ring, Consumer};
    use mainspring_sim::flow::{FlowConfig, Level};

    use super::*;
    use crate::feed::{Generated, Markets, Played};
    use crate::link::Desk;
    use crate::message::{Inbound, Outbound};
    use crate::{Egress, Waker, WallClock};

    const ID: InstrumentId = InstrumentId(0);
    const OURS: u64 = 1 << 63;

    /// Rests one order, far from the market.
    struct Rests(bool);

    impl Host for Rests {
        fn name(&self) -> &str {
            "rests"
        }

        fn interest(&self) -> Interest {
            Interest { book: BookTrigger::Message, ..Interest::default() }
        }

        fn on_book(&mut self, view: &mut View<'_>) -> HostResult {
            if !std::mem::replace(&mut self.0, true) {
                let deep = view.market().book.levels(Side::Buy).take(800).last();
                let price = deep.map_or(Ticks(1), |(price, _)| price);
                view.place(OrderTerms::limit(ID, Side::Buy, price, Lots(7)))?;
            }
            Ok(())
        }
    }

    /// A journal that is not read.
    struct Nowhere(u64);

    impl Outlet for Nowhere {
        fn append(&mut self, _: u16, _: i64, _: u64, _: &[&[u8]]) -> Result<u64> {
            self.0 += 1;
            Ok(self.0)
        }

        fn next_sequence(&self) -> u64 {
            self.0 + 1
        }

        fn commit(&mut self) -> Result<()> {
            Ok(())
        }
    }

    /// The kernel's end of the ring.
    struct Kernel {
        session: Session,
        inbound: Consumer<Inbound>,
    }

    impl Kernel {
        fn take(&mut self) -> usize {
            let mut taken = 0;
            while let Some(item) = self.inbound.try_pop() {
                let Inbound::Orders { instrument, base, count, rows } = item else { panic!() };
                let rows = &rows[..usize::from(count)];
                self.session.order_rows(instrument, base, rows).unwrap();
                taken += 1;
            }
            let now_ns = self.session.now_ns();
            self.session.advance(now_ns + 1_000).unwrap();
            taken
        }

        fn is_usable(&self) -> bool {
            self.session.markets()[0].is_usable()
        }

        /// The book without ours, and what stands in front of ours.
        fn seen(&self) -> (Vec<(Side, Ticks, i64)>, Option<Lots>) {
            let book = self.session.markets()[0].orders.as_ref().unwrap();
            let all = [Side::Buy, Side::Sell].into_iter();
            let all = all.flat_map(|side| book.l2().levels(side).map(move |level| (side, level)));
            let own = |side, price| -> i64 {
                book.queue(side, price).filter(|o| o.id >= OURS).map(|o| o.qty.0).sum()
            };
            let others = all.map(|(side, (price, qty))| (side, price, qty.0 - own(side, price)));
            let ours = self.session.orders().all_live().next();
            let ours = ours.expect("it is too far away to be filled").id.0 | OURS;
            (others.filter(|one| one.2 > 0).collect(), book.qty_ahead(ours))
        }
    }

    fn of_feed(book: &L3Book) -> Vec<(Side, Ticks, i64)> {
        let side = |side| book.l2().levels(side).map(move |(price, qty)| (side, price, qty.0));
        side(Side::Buy).chain(side(Side::Sell)).collect()
    }

    fn session(instruments: Vec<Instrument>) -> Session {
        let text = r#"{"paper":true,"run":{"deposits":[["USDT","100000"]],
            "venue":{"fill_model":"matching"}}}"#;
        let config: SessionConfig = serde_json::from_str(text).unwrap();
        let mut session = Session::new(config, instruments, vec![Box::new(Rests(false))]).unwrap();
        session.lead(Box::new(Nowhere(0)));
        session
    }

    #[test]
    fn a_kernel_that_did_not_keep_up_is_told_the_whole_book_and_our_order_keeps_its_place() {
        let flow = FlowConfig::of_presets(&["btcusdt"], 0.2, 5, Level::Orders).unwrap();
        let mut source = Generated::new(&flow).unwrap();
        let clock = WallClock::new();
        let mut session = session(flow.instruments());
        session.start(clock.now_ns(), b"{}").unwrap();
        let (to_kernel, inbound) = ring::<Inbound>(2_048);
        let (_requests, taken) = ring::<Outbound>(16);
        let (egress, waker) = (Arc::new(Egress::default()), Waker::default());
        let rings = (taken, to_kernel);
        let mut desk = Desk::new(rings, waker, egress, clock, Arc::default(), Arc::default(), 1);
        let mut kernel = Kernel { session, inbound };
        let mut markets = Markets::<OrderRow>::new(vec![ID]);
        let mut message = Message::<OrderRow>::default();
        let (mut lost, mut in_front) = (0, None);
        for n in 0..9_000 {
            assert!(source.next(&mut message).unwrap());
            let now_ns = desk.now_ns();
            markets.send(&mut desk, &mut message, now_ns);
            if (2_000..6_000).contains(&n) {
                // The kernel is busy elsewhere.
                continue;
            }
            if n == 6_000 {
                let items = kernel.take();
                assert_eq!(items, 2_048, "the ring is full, and bounded");
                in_front = kernel.seen().1;
            }
            let usable = kernel.is_usable();
            kernel.take();
            lost += u32::from(usable && !kernel.is_usable());
        }
        assert_eq!(lost, 1, "the gap is seen once, until the book has come");
        assert!(kernel.is_usable());
        let (others, ahead) = kernel.seen();
        assert_eq!(others, of_feed(markets.book(0)));
        // Others in front of ours can only have left.
        assert!(ahead.is_some() && ahead <= in_front, "{ahead:?} of {in_front:?}");
    }

    #[test]
    fn a_snapshot_of_orders_is_the_book() {
        let flow = FlowConfig::of_presets(&["btcusdt"], 0.05, 6, Level::Orders).unwrap();
        let mut source = Generated::new(&flow).unwrap();
        let (mut book, mut message) = (OrderRow::empty(), Message::<OrderRow>::default());
        while source.next(&mut message).unwrap() {
            message.rows.iter().for_each(|row| row.apply(message.base, &mut book));
        }
        let (base, rows) = OrderRow::whole(&book, ID, 1);
        let mut again = OrderRow::empty();
        rows.iter().for_each(|row| row.apply(base, &mut again));
        assert!(again.trust().is_usable() && again.len() == book.len());
        for (side, price, _) in of_feed(&book) {
            assert!(book.queue(side, price).eq(again.queue(side, price)));
        }
    }
}
