//! Append-only output log with a hash chain.
