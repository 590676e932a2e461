//! Waking the kernel's thread when it sleeps.

use std::sync::atomic::{fence, AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// A thread that sleeps when there is nothing to do, and those that wake it.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sleeper: OnceLock<Thread>,
    sleeping: AtomicBool,
}

impl Waker {
    /// The thread that calls this is the one that sleeps.
    pub(crate) fn adopt(&self) {
        let _ = self.0.sleeper.set(thread::current());
    }

    /// Called after something was put where the sleeper looks.
    #[inline]
    pub fn wake(&self) {
        // Pairs with the fence in `sleep`: either the sleeper sees what was put, or this sees that
        // it sleeps.
        fence(Ordering::SeqCst);
        if self.0.sleeping.load(Ordering::Relaxed) && self.0.sleeping.swap(false, Ordering::Relaxed)
        {
            if let Some(thread) = self.0.sleeper.get() {
                thread.unpark();
            }
        }
    }

    /// Sleeps for at most `patience` unless `has_work` says that something came in between.
    pub(crate) fn sleep(&self, patience: Duration, has_work: impl FnOnce() -> bool) {
        self.0.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_work() {
            thread::park_timeout(patience);
        }
        self.0.sleeping.store(false, Ordering::Relaxed);
    }
}
