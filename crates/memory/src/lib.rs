//! Rings, seqlocks, guarded maps: the lock-free and unsafe parts.

#![allow(unsafe_code)]

mod allocation_count;
#[cfg(not(loom))]
pub mod filemap;
mod padded;
#[cfg(not(loom))]
mod preemption;
pub mod ring;
pub mod seqlock;
#[cfg(all(unix, not(loom)))]
pub mod sharedmap;
mod sync;

pub use allocation_count::CountingAllocator;
#[cfg(not(loom))]
pub use filemap::{GuardedMap, MapFault};
pub use padded::Padded;
#[cfg(not(loom))]
pub use preemption::{give_way, preemptions};
pub use ring::{ring, Consumer, Producer};
pub use seqlock::{seqlock, SnapshotReader, SnapshotWriter};
#[cfg(all(unix, not(loom)))]
pub use sharedmap::{Appender, Layout, SharedMap};
