//! Counting what a thread asks of the system, with which tests prove that hot code waits for nobody.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests alone watch a thread, from another one"
)]

use std::io;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// The calls of one thread into the system, counted from when the counter was made until the thread ends.
///
/// A lock that is held by another thread, a condition variable, a channel whose reader sleeps, a file and a
/// socket are all calls; reading the clock is none on most machines. Each call is stopped by a seccomp filter,
/// counted by a helper thread and let through: what is counted runs as without, only slower.
#[derive(Debug)]
pub struct SystemCalls(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    /// The descriptor of the filter; before that, [`NOT_YET`] or [`REFUSED`].
    filter: AtomicI32,
    calls: AtomicU64,
    last: AtomicI64,
}

const NOT_YET: i32 = -1;
const REFUSED: i32 = -2;

impl SystemCalls {
    /// Counts the calls of the calling thread from now on.
    ///
    /// # Errors
    /// When the system does not let a thread watch another one's calls (before Linux 5.5, in some sandboxes).
    pub fn of_this_thread() -> io::Result<Self> {
        let counted = Arc::new(Counted {
            filter: AtomicI32::new(NOT_YET),
            calls: AtomicU64::new(0),
            last: AtomicI64::new(-1),
        });
        let helper = Arc::clone(&counted);
        std::thread::Builder::new().name("system-calls".into()).spawn(move || helper.serve())?;
        match install() {
            Ok(filter) => {
                counted.filter.store(filter, Ordering::Release);
                Ok(Self(counted))
            }
            Err(error) => {
                counted.filter.store(REFUSED, Ordering::Release);
                Err(error)
            }
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.calls.load(Ordering::Acquire)
    }

    /// The number of the last one, by the system's table of calls; -1 before the first.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.0.last.load(Ordering::Acquire)
    }
}

impl Counted {
    /// Lets every call through, one after the other, until the thread is gone.
    fn serve(&self) {
        let filter = loop {
            match self.filter.load(Ordering::Acquire) {
                NOT_YET => std::thread::sleep(Duration::from_micros(100)),
                REFUSED => return,
                filter => break filter,
            }
        };
        while let Some(call) = next_call(filter) {
            self.last.store(i64::from(call.data.nr), Ordering::Release);
            self.calls.fetch_add(1, Ordering::AcqRel);
            let_through(filter, call.id);
        }
        // SAFETY: the descriptor is ours, and nobody uses it after this.
        unsafe { libc::close(filter) };
    }
}

/// Has every call of the calling thread told; the descriptor on which it is.
fn install() -> io::Result<i32> {
    let mut told = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_USER_NOTIF,
    };
    let program = libc::sock_fprog { len: 1, filter: &mut told };
    // SAFETY: the first call changes a flag of the calling thread. The second reads `program` and the one
    // instruction that it points to, both of which outlive it, and opens a descriptor.
    let filter = unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    i32::try_from(filter).ok().filter(|filter| *filter >= 0).ok_or_else(io::Error::last_os_error)
}

/// Waits for the next call; `None` when the thread is gone.
fn next_call(filter: i32) -> Option<libc::seccomp_notif> {
    loop {
        let mut poll = libc::pollfd { fd: filter, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, ours, that the call fills.
        let ready = unsafe { libc::poll(&raw mut poll, 1, -1) };
        if ready > 0 && poll.revents & libc::POLLIN == 0 {
            return None;
        }
        // SAFETY: zeroed bytes are a valid value of it, and what the request wants to be given.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes a `seccomp_notif`, which `call` is.
        let got = unsafe { libc::ioctl(filter, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) };
        if got == 0 {
            return Some(call);
        }
        // A signal came between: the call is told again.
    }
}

fn let_through(filter: i32, id: u64) {
    let answer = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: 0,
        flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    };
    // SAFETY: the request reads a `seccomp_notif_resp`, which `answer` is. One that fails is of a call that a
    // signal cut off, for which nobody waits.
    unsafe { libc::ioctl(filter, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex};

    use super::*;

    /// Runs `work` on a thread that is watched; its calls, and the number of the last one.
    fn calls_of(work: impl FnOnce() + Send) -> Option<(u64, i64)> {
        std::thread::scope(|scope| {
            let watched = scope.spawn(|| {
                let calls = SystemCalls::of_this_thread().ok()?;
                let before = calls.count();
                work();
                Some((calls.count() - before, calls.last()))
            });
            watched.join().expect("it does not panic")
        })
    }

    #[test]
    fn arithmetic_makes_none_and_a_call_is_counted() {
        let Some((none, _)) = calls_of(|| {
            std::hint::black_box((0..1_000_u64).sum::<u64>());
        }) else {
            eprintln!("skipped: the system does not let calls be watched");
            return;
        };
        assert_eq!(none, 0);
        // SAFETY: asks for a number and touches nothing.
        let one = calls_of(|| unsafe {
            libc::syscall(libc::SYS_getppid);
        });
        assert_eq!(one, Some((1, libc::SYS_getppid)));
    }

    #[test]
    fn a_lock_that_another_thread_holds_is_counted() {
        let (lock, both) = (Mutex::new(()), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let held = lock.lock();
                both.wait();
                std::thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            both.wait();
            let Some((calls, last)) = calls_of(|| drop(lock.lock())) else { return };
            assert!(calls > 0);
            assert_eq!(last, libc::SYS_futex);
        });
    }
}
