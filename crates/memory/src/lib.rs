//! Rings, seqlocks, pools and guarded maps: the lock-free and unsafe parts.

#![allow(unsafe_code)]

pub mod filemap;

pub use filemap::{GuardedMap, MapFault};
