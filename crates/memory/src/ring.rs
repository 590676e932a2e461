//! A bounded ring between one producer and one consumer.
//!
//! Neither side ever waits: a full ring gives the value back to the producer, an empty one gives the
//! consumer nothing. What happens then (drop, count, retry) is the caller's choice, and visible there.

use std::mem::MaybeUninit;

use crate::padded::Padded;
use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

struct Shared<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// Number of values ever pushed; written by the producer only.
    tail: Padded<AtomicUsize>,
    /// Number of values ever popped; written by the consumer only.
    head: Padded<AtomicUsize>,
}

// SAFETY: a slot is touched by the producer only while `tail - head` says it is empty and by the
// consumer only while it says it is full; the release store of the index that hands it over
// happens before the acquire load of the other side. Values change thread, hence `T: Send`.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the ring owns its values.
unsafe impl<T: Send> Send for Shared<T> {}

/// The side that pushes. There is exactly one.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    /// The consumer's place when last looked at: read again only when the ring seems full.
    head_seen: usize,
}

/// The side that pops. There is exactly one.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
    /// The producer's place when last looked at: read again only when the ring seems empty.
    tail_seen: usize,
}

/// A ring that holds `capacity` values, rounded up to a power of two.
#[must_use]
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let size = capacity.max(1).next_power_of_two();
    let slots = (0..size).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let shared = Arc::new(Shared {
        slots,
        tail: Padded(AtomicUsize::new(0)),
        head: Padded(AtomicUsize::new(0)),
    });
    let producer = Producer { shared: shared.clone(), tail: 0, head_seen: 0 };
    (producer, Consumer { shared, head: 0, tail_seen: 0 })
}

impl<T> Shared<T> {
    #[inline]
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }
}

impl<T: Send> Producer<T> {
    /// Pushes a value.
    ///
    /// # Errors
    /// The value itself when the ring is full.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), T> {
        if self.tail.wrapping_sub(self.head_seen) == self.capacity() {
            self.head_seen = self.shared.head.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == self.capacity() {
                return Err(value);
            }
        }
        self.shared.slot(self.tail).with_mut(|slot| {
            // SAFETY: the consumer's index, read with acquire, says that this slot is empty, and
            // the consumer will not look at it before the release store below.
            unsafe { (*slot).write(value) };
        });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// Most values that the ring holds.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }
}

impl<T: Send> Consumer<T> {
    /// Pops the oldest value, if there is one.
    #[inline]
    pub fn try_pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        let value = self.shared.slot(self.head).with(|slot| {
            // SAFETY: the producer's index, read with acquire, says that this slot was written,
            // and it is not written again before the release store below. It is read once.
            unsafe { (*slot).assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Ordering::Release);
        Some(value)
    }
}

impl<T> Consumer<T> {
    /// Whether nothing waits to be popped.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head == self.tail_seen && self.head == self.shared.tail.load(Ordering::Acquire)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            self.slot(head).with_mut(|slot| {
                // SAFETY: both sides are gone, and slots in `head..tail` hold values not popped.
                unsafe { (*slot).assume_init_drop() };
            });
            head = head.wrapping_add(1);
        }
    }
}
