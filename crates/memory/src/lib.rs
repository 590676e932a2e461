//! Rings, seqlocks, pools and guarded maps: the lock-free and unsafe parts.

#![allow(unsafe_code)]

mod allocation_count;
pub mod filemap;

pub use allocation_count::CountingAllocator;
pub use filemap::{GuardedMap, MapFault};
