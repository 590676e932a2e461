//! A session on real time.
//!
//! Three kinds of threads. The kernel's owns the [`Session`](mainspring_kernel::session::Session) and
//! its journal; nothing else touches trading state. Each venue has a [`link`]: it moves bytes, checks
//! the halt flag before anything leaves, and knows which of our orders are open there. The
//! [`supervisor`] watches the others, sets the halt flag, and can have everything cancelled through
//! the links even when the kernel hangs. None of them ever takes Python's lock.
//!
//! Between them are bounded rings. What happens when one is full is said where it is made.

pub mod bench;
mod by_level;
mod clock;
mod egress;
mod engine;
pub mod exchange;
pub mod feed;
mod heartbeat;
pub mod latency;
pub mod link;
mod matched;
mod message;
mod open;
pub mod orders;
mod runtime;
mod status;
mod supervisor;
mod wake;

pub use clock::WallClock;
pub use egress::{Egress, HaltReason};
pub use latency::{Latency, Stage};
pub use link::{Bell, Desk, Link};
pub use message::{Account, Inbound, Order, ROWS};
pub use runtime::{Handle, HostMaker, Outcome, Plan};
pub use status::{InstrumentStatus, Status, MAX_SHOWN};
pub use supervisor::{Entry, Watch, WorkerPulse};
pub use wake::Waker;
