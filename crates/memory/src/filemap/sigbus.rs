//! The SIGBUS handler and the registry of address ranges that it guards.
//!
//! The handler runs inside whatever code touched the page, so it may only use atomics and raw
//! system calls: the registry is a fixed array of atomic slots, never locked and never grown.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Most maps guarded at once; further files are read into memory.
pub const MAX_GUARDED_MAPS: usize = 4_096;

/// One guarded range. Free when `state` is `FREE`; `start` and `end` are set before `LIVE`.
struct Slot {
    state: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    faulted: AtomicBool,
    writable: AtomicBool,
}

const FREE: usize = 0;
const CLAIMED: usize = 1;
const LIVE: usize = 2;

static SLOTS: [Slot; MAX_GUARDED_MAPS] = [const {
    Slot {
        state: AtomicUsize::new(FREE),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        faulted: AtomicBool::new(false),
        writable: AtomicBool::new(false),
    }
}; MAX_GUARDED_MAPS];

/// Slots from here on have never been used; keeps the handler's scan short.
static HIGH_WATER: AtomicUsize = AtomicUsize::new(0);

/// The handler that was there before ours: a leaked `sigaction`, replaced when somebody else has
/// installed theirs over ours since.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// Faults now being passed on. Two handlers that each pass on to the other would never end.
static PASSING_ON: AtomicUsize = AtomicUsize::new(0);
const PASS_ON_BOUND: usize = 16;

/// Set while one thread looks at or changes the process's handler.
static INSTALLING: AtomicBool = AtomicBool::new(false);

static PAGE: AtomicUsize = AtomicUsize::new(4_096);

/// Keeps an address range guarded for as long as it lives.
#[derive(Debug)]
pub struct Guard {
    slot: usize,
}

impl Guard {
    /// Guards `len` bytes from `start`, or gives `None` when the registry is full or the system
    /// takes no handler.
    pub fn register(start: usize, len: usize) -> Option<Self> {
        Self::register_as(start, len, false)
    }

    /// As [`Self::register`]; a `writable` range is filled up with pages that take writes, which
    /// go nowhere.
    pub fn register_as(start: usize, len: usize, writable: bool) -> Option<Self> {
        if !ensure_installed() {
            return None;
        }
        let slot = SLOTS.iter().position(|slot| {
            slot.state.compare_exchange(FREE, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        HIGH_WATER.fetch_max(slot + 1, Ordering::AcqRel);
        let page = PAGE.load(Ordering::Relaxed);
        SLOTS[slot].faulted.store(false, Ordering::Relaxed);
        SLOTS[slot].writable.store(writable, Ordering::Relaxed);
        SLOTS[slot].start.store(start, Ordering::Relaxed);
        SLOTS[slot].end.store(start + len.next_multiple_of(page), Ordering::Relaxed);
        SLOTS[slot].state.store(LIVE, Ordering::Release);
        Some(Self { slot })
    }

    /// Whether a page of the range was missing when it was touched.
    pub fn faulted(&self) -> bool {
        SLOTS[self.slot].faulted.load(Ordering::Acquire)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        SLOTS[self.slot].state.store(FREE, Ordering::Release);
    }
}

/// Makes ours the process's SIGBUS handler, also when another was put over it since the last map.
fn ensure_installed() -> bool {
    while INSTALLING.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::hint::spin_loop();
    }
    let done = install();
    INSTALLING.store(false, Ordering::Release);
    done
}

fn install() -> bool {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; the kernel fills `current`, which is valid for writes.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), current.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: zeroed bytes are a valid `sigaction` and the call above succeeded.
    let current = unsafe { current.assume_init() };
    if current.sa_sigaction == handler_address() {
        return true;
    }
    // SAFETY: `sysconf` has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    PAGE.store(usize::try_from(page).unwrap_or(4_096), Ordering::Relaxed);
    // Leaked on purpose: the handler may be reading the old value at any time.
    PREVIOUS.store(Box::into_raw(Box::new(current)), Ordering::Release);
    // SAFETY: zeroed bytes are a valid `sigaction`; the fields that matter are set below.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler_address();
    // On the alternate stack where one is set, so that a fault deep in a stack is handled too.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: `action` is valid, its handler has the SA_SIGINFO signature, and `sa_mask` is ours.
    unsafe {
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) == 0
    }
}

fn handler_address() -> libc::sighandler_t {
    on_sigbus as *const () as libc::sighandler_t
}

extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a SA_SIGINFO handler, and for a SIGBUS
    // that the kernel raised (positive code) the address field is set.
    let fault = unsafe { ((*info).si_code > 0).then(|| (*info).si_addr() as usize) };
    let ours = fault.is_some_and(put_zero_pages);
    if !ours {
        pass_on(signal, info, context);
    }
}

/// Replaces the rest of the guarded range that holds `address` by zero pages and flags it.
fn put_zero_pages(address: usize) -> bool {
    let used = HIGH_WATER.load(Ordering::Acquire);
    let Some(slot) = SLOTS[..used].iter().find(|slot| slot.holds(address)) else { return false };
    let page = PAGE.load(Ordering::Relaxed);
    let start = address & !(page - 1);
    let end = slot.end.load(Ordering::Relaxed);
    slot.faulted.store(true, Ordering::Release);
    let writable = slot.writable.load(Ordering::Relaxed);
    let access = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    // SAFETY: `start..end` lies inside a live guarded map, owned by a `GuardedMap` or `SharedMap`
    // that cannot be dropped while one of its users is stopped here. Everything
    // behind a missing page is missing too, and the flag voids whatever is read from now on.
    // `mmap` is a plain system call and safe in a handler on the platforms supported.
    let mapped = unsafe {
        libc::mmap(
            start as *mut libc::c_void,
            end - start,
            access,
            libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANON,
            -1,
            0,
        )
    };
    mapped != libc::MAP_FAILED
}

impl Slot {
    fn holds(&self, address: usize) -> bool {
        self.state.load(Ordering::Acquire) == LIVE
            && (self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed))
                .contains(&address)
    }
}

/// Hands a SIGBUS that is not ours to the handler before ours, or lets it end the process.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let depth = PASSING_ON.fetch_add(1, Ordering::AcqRel);
    let previous = PREVIOUS.load(Ordering::Acquire);
    // SAFETY: `previous` is null or a leaked, never changed `sigaction`.
    let previous = unsafe { previous.as_ref() };
    match previous {
        Some(action)
            if depth < PASS_ON_BOUND
                && action.sa_sigaction != libc::SIG_DFL
                && action.sa_sigaction != libc::SIG_IGN =>
        {
            // SAFETY: the address was installed as a SIGBUS handler with these flags, so it has
            // the signature that the flags say.
            unsafe { call(action, signal, info, context) }
        }
        // SAFETY: restoring the default and raising again are allowed in a handler; the fault
        // itself would repeat on return, a signal sent by a process would not.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        },
    }
    PASSING_ON.fetch_sub(1, Ordering::AcqRel);
}

/// Calls a handler the way its flags ask for.
///
/// # Safety
/// `action` must hold the address of a handler whose signature fits its flags.
unsafe fn call(
    action: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    type Plain = extern "C" fn(libc::c_int);
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: the flag says that the handler takes three arguments (the caller's promise).
        let handler = unsafe { std::mem::transmute::<usize, WithInfo>(action.sa_sigaction) };
        handler(signal, info, context);
    } else {
        // SAFETY: without the flag the handler takes the signal number alone.
        let handler = unsafe { std::mem::transmute::<usize, Plain>(action.sa_sigaction) };
        handler(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GuardedMap;

    /// The only test of this process, since it takes every slot.
    #[test]
    fn a_full_registry_means_reading_into_memory() {
        let path = std::env::temp_dir().join(format!("mainspring-full-{}", std::process::id()));
        let content: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
        std::fs::write(&path, &content).unwrap();

        let guards: Vec<_> = (0..MAX_GUARDED_MAPS).map_while(|_| Guard::register(0, 1)).collect();
        assert_eq!(guards.len(), MAX_GUARDED_MAPS);
        let owned = GuardedMap::open(&path).unwrap();
        assert!(!owned.is_mapped());
        assert_eq!(owned.bytes(), content);
        assert_eq!(owned.bytes().as_ptr() as usize % 64, 0);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1).unwrap();
        assert_eq!(owned.check(), Ok(()), "a copy does not depend on the file any more");

        drop(guards);
        std::fs::write(&path, &content).unwrap();
        assert!(GuardedMap::open(&path).unwrap().is_mapped(), "slots are used again");
        std::fs::remove_file(&path).unwrap();
    }
}
