//! Rings, seqlocks, pools and guarded maps: the lock-free and unsafe parts.
