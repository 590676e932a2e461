//! A thread on a core of its own.

use mainspring_core::{Error, ErrorKind, Result};

/// Ties the calling thread to a core.
///
/// # Errors
/// When the core is not there or not allowed to this process, or the system cannot do it.
#[cfg(target_os = "linux")]
pub fn to_core(core: usize) -> Result<()> {
    use rustix::thread::{sched_setaffinity, CpuSet};
    let bad = |why: String| {
        let fix = "choose one that `taskset -cp $$` lists, or leave the setting out";
        Error::new(
            ErrorKind::Config,
            format!("the I/O thread cannot run on core {core}: {why}; {fix}"),
        )
    };
    if core >= CpuSet::MAX_CPU {
        return Err(bad(format!("there are at most {}", CpuSet::MAX_CPU)));
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| bad(error.to_string()))
}

/// Ties the calling thread to a core.
///
/// # Errors
/// Always: this system offers no way.
#[cfg(not(target_os = "linux"))]
pub fn to_core(core: usize) -> Result<()> {
    let why = format!("pinning to core {core} is there on Linux only; leave the setting out");
    Err(Error::new(ErrorKind::Config, why))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_thread_is_tied_to_a_core_that_is_there() {
        let pinned = std::thread::spawn(|| (0..64).find(|core| super::to_core(*core).is_ok()));
        let core = pinned.join().unwrap().unwrap();
        let allowed = std::thread::spawn(move || {
            super::to_core(core).unwrap();
            rustix::thread::sched_getaffinity(None).unwrap().count()
        });
        assert_eq!(allowed.join().unwrap(), 1);
        assert!(super::to_core(1_000_000).is_err());
    }
}
