//! What goes between the threads.

use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::{
    Answer, ClientOrderId, ForeignReport, InstrumentId, Report, Request, Result, Ticks, TimeNs,
};
use mainspring_kernel::host::Host;
use mainspring_kernel::session::Command;
use std::sync::mpsc::SyncSender;

pub use mainspring_core::report::Account;

/// Most rows in one inbound item; a longer message is several items.
pub const ROWS: usize = 16;

/// As of [`ROWS`], for rows of orders, which are longer.
pub const ORDER_ROWS: usize = 12;

/// A row of market data on its way to the kernel: of levels and trades, or of orders.
pub trait FeedRow: Copy + Send {
    /// Most of them in one inbound item.
    const PER_ITEM: usize;

    /// What both sorts of rows say.
    fn market_mut(&mut self) -> &mut MarketRow;

    /// The row that says this, where rows name orders of this one.
    fn of(market: MarketRow, order_id: u64) -> Self;

    /// An item of at most [`Self::PER_ITEM`] rows, received at `recv_ns`.
    fn item(instrument: InstrumentId, base: Ticks, rows: &[Self], recv_ns: TimeNs) -> Inbound;
}

/// A message that rows are missing.
pub(crate) const fn gap_row(at: TimeNs) -> MarketRow {
    MarketRow {
        recv_ns: at,
        exch_ns: at,
        qty_lots: 0,
        price_offset: 0,
        kind: RowKind::Gap as u8,
        flags: flags::END_OF_MESSAGE,
        instrument: 0,
    }
}

impl FeedRow for MarketRow {
    const PER_ITEM: usize = ROWS;

    fn market_mut(&mut self) -> &mut MarketRow {
        self
    }

    fn of(market: MarketRow, _: u64) -> Self {
        market
    }

    fn item(instrument: InstrumentId, base: Ticks, rows: &[Self], recv_ns: TimeNs) -> Inbound {
        let mut item = [gap_row(recv_ns); ROWS];
        item[..rows.len()].copy_from_slice(rows);
        item.iter_mut().for_each(|row| row.recv_ns = recv_ns);
        Inbound::Market { instrument, base, count: rows.len() as u8, rows: item }
    }
}

impl FeedRow for OrderRow {
    const PER_ITEM: usize = ORDER_ROWS;

    fn market_mut(&mut self) -> &mut MarketRow {
        &mut self.market
    }

    fn of(market: MarketRow, order_id: u64) -> Self {
        Self { market, order_id }
    }

    fn item(instrument: InstrumentId, base: Ticks, rows: &[Self], recv_ns: TimeNs) -> Inbound {
        let mut item = [Self::of(gap_row(recv_ns), 0); ORDER_ROWS];
        item[..rows.len()].copy_from_slice(rows);
        item.iter_mut().for_each(|row| row.market.recv_ns = recv_ns);
        Inbound::Orders { instrument, base, count: rows.len() as u8, rows: item }
    }
}

/// From a link to the kernel. Market data lies in the item itself: nothing is allocated for it.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Inbound {
    /// Rows of one instrument.
    Market {
        /// Which.
        instrument: InstrumentId,
        /// What the rows' prices are counted from.
        base: Ticks,
        /// How many of `rows` are used.
        count: u8,
        /// The rows.
        rows: [MarketRow; ROWS],
    },
    /// Rows of orders of one instrument, for the matching engine in the kernel.
    Orders {
        /// Which.
        instrument: InstrumentId,
        /// What the rows' prices are counted from.
        base: Ticks,
        /// How many of `rows` are used.
        count: u8,
        /// The rows.
        rows: [OrderRow; ORDER_ROWS],
    },
    /// A statement about one of our orders.
    Report(Report),
    /// A statement about an order that was not placed by this session.
    Foreign(ForeignReport),
    /// The venue's own id of one of our orders.
    Named {
        /// When we heard of it.
        recv_ns: TimeNs,
        /// Ours.
        order: ClientOrderId,
        /// The venue's.
        venue_order: u64,
    },
    /// The answer to an order query.
    Answer {
        /// When it came.
        recv_ns: TimeNs,
        /// About which order.
        order: ClientOrderId,
        /// What the venue says.
        answer: Answer,
    },
    /// The answer to an account query.
    Account {
        /// When it came.
        recv_ns: TimeNs,
        /// What the venue says.
        account: Box<Account>,
    },
    /// The connection came or went.
    Link {
        /// When.
        recv_ns: TimeNs,
        /// Whether it is there now.
        up: bool,
    },
}

/// From the kernel to a link.
#[derive(Clone, Copy, Debug)]
pub struct Outbound {
    /// What is asked.
    pub request: Request,
    /// When the kernel was done with it.
    pub at_ns: TimeNs,
}

/// Makes a strategy in the kernel's thread.
pub struct NewHost(pub Box<dyn FnOnce() -> Result<Box<dyn Host>> + Send>);

impl std::fmt::Debug for NewHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewHost")
    }
}

/// From people, the supervisor and workers to the kernel.
#[derive(Debug)]
pub enum Order {
    /// A command; the answer says whether it was journaled and carried out.
    Command(Command, Option<SyncSender<Result<()>>>),
    /// Another version of a strategy that runs in the kernel's thread, with the command that says so.
    Replace {
        /// Which strategy.
        strategy: u16,
        /// Which replacement it is.
        version: u32,
        /// Says so in the journal.
        command: Command,
        /// Makes it, in the kernel's thread.
        make: NewHost,
        /// Whether it took over.
        reply: SyncSender<Result<()>>,
    },
    /// Wishes of strategies that run elsewhere, as the journal writes them.
    Wishes(Vec<u8>),
    /// The declared state of a strategy that runs elsewhere.
    State {
        /// Which.
        strategy: u16,
        /// Its state.
        state: Vec<u8>,
    },
    /// Take a snapshot.
    Snapshot,
    /// End in order, cancelling open orders when asked. Asked again it changes nothing.
    Stop {
        /// Whether open orders are cancelled.
        cancel: bool,
    },
    /// Do not wait for open orders any longer.
    StopNow,
}
