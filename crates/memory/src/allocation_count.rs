//! An allocator that counts, with which tests prove that hot code does not allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The system allocator, counting what each thread asks of it.
///
/// A test binary installs it with `#[global_allocator]` and compares
/// [`CountingAllocator::allocations`] before and after the code in question.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

impl CountingAllocator {
    /// Allocations and reallocations of this thread so far. Zero for ever unless the allocator is
    /// installed.
    #[must_use]
    pub fn allocations() -> u64 {
        ALLOCATIONS.with(Cell::get)
    }

    /// Bytes that this thread asked for and did not give back. What another thread gives back counts
    /// there.
    #[must_use]
    pub fn held_bytes() -> i64 {
        HELD_BYTES.with(Cell::get)
    }

    fn count(bytes: i64) {
        // A thread that is being torn down has no counter any more and nobody to read it.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        Self::hold(bytes);
    }

    fn hold(bytes: i64) {
        let _ = HELD_BYTES.try_with(|held| held.set(held.get() + bytes));
    }
}

// SAFETY: every call is passed unchanged to the system allocator, which upholds the contract;
// counting touches a const-initialised thread-local without a destructor and never allocates.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as i64);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as i64);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size as i64 - layout.size() as i64);
        // SAFETY: `old` came from this allocator, and so from System, with this layout.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        Self::hold(-(layout.size() as i64));
        // SAFETY: `old` came from this allocator, and so from System, with this layout.
        unsafe { System.dealloc(old, layout) }
    }
}
