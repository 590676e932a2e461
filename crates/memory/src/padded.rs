//! A value on cache lines of its own.

use std::ops::{Deref, DerefMut};

/// Keeps a value away from its neighbours, so that two threads that write to two values do not pull
/// one cache line to and fro. 128 bytes, because processors fetch lines in pairs.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

impl<T> Deref for Padded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Padded<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
