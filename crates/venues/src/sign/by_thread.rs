//! Which threads of this process make the signatures that take long.
//!
//! Tens of microseconds on an elliptic curve have no place on the kernel's thread: the thread of the
//! venues encodes, signs and sends. The count shows it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by the name of the thread; threads of one name share one.
#[allow(clippy::disallowed_types)] // Locked once by a thread, at its first signature.
static COUNTS: Mutex<Vec<(String, Arc<AtomicU64>)>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Arc<AtomicU64> = of_this_thread();
}

fn of_this_thread() -> Arc<AtomicU64> {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, count)) = counts.iter().find(|(known, _)| known == name) {
        return Arc::clone(count);
    }
    let count = Arc::new(AtomicU64::new(0));
    counts.push((name.to_owned(), Arc::clone(&count)));
    count
}

/// This thread has made one.
pub(crate) fn note() {
    // A thread that is being torn down signs nothing.
    let _ = MINE.try_with(|count| count.fetch_add(1, Ordering::Relaxed));
}

/// Signatures by Ed25519 and secp256k1 in this process, by the name of the thread that made them.
#[must_use]
pub fn signatures_by_thread() -> Vec<(String, u64)> {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    counts.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
}
