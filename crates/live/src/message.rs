//! What goes between the threads.

use mainspring_core::event::MarketRow;
use mainspring_core::{
    Answer, ClientOrderId, ForeignReport, InstrumentId, Report, Request, Result, Ticks, TimeNs,
};
use mainspring_kernel::host::Host;
use mainspring_kernel::session::Command;
use std::sync::mpsc::SyncSender;

pub use mainspring_core::report::Account;

/// Most rows in one inbound item; a longer message is several items.
pub const ROWS: usize = 16;

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
    /// End in order, cancelling open orders when asked.
    Stop {
        /// Whether open orders are cancelled.
        cancel: bool,
    },
}
