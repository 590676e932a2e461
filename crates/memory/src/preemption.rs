//! Who gives way to whom: for measurements, and for helpers that must not disturb.

/// Times that this thread was made to give way to another although it could have gone on; 0 where
/// the system does not say.
#[must_use]
pub fn preemptions() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the call fills a structure that is ours, for the calling thread.
        if unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0 {
            return 0;
        }
        // SAFETY: filled by the call, and zeroed bytes are a valid value anyway.
        let usage = unsafe { usage.assume_init() };
        u64::try_from(usage.ru_nivcsw).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// Lets the calling thread give way to others for good: it does not take the processor from a thread
/// that runs when it wakes, and gets a smaller share where there are too few processors. Does nothing
/// where the system has no such thing.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    {
        /// Steps towards the lowest priority, of 19.
        const NICE: libc::c_int = 5;
        // SAFETY: zeroed bytes are a valid value; the policy takes priority 0.
        let none: libc::sched_param = unsafe { std::mem::zeroed() };
        // SAFETY: both calls change the calling thread alone (0 stands for it) and touch no memory of
        // ours. A system that refuses leaves the thread as it is, which is what we then want.
        unsafe {
            libc::sched_setscheduler(0, libc::SCHED_BATCH, &none);
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
    }
}
