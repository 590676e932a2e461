//! Rings, seqlocks, guarded maps: the lock-free and unsafe parts.

#![allow(unsafe_code)]
// On the way from an event to an order: no lock, no clock, no waiting (clippy.toml).
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods))]

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
#[cfg(all(target_os = "linux", not(loom)))]
mod system_calls;

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
#[cfg(all(target_os = "linux", not(loom)))]
pub use system_calls::SystemCalls;
