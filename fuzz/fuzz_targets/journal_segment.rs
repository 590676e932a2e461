//! Segments and snapshots from random bytes: damage is told or ends the records, and nothing panics,
//! loops or allocates without bound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_journal::live::{Snapshot, Step, Walk};
use mainspring_kernel::session::decode::decode;
use mainspring_kernel::session::disk::raw;

fuzz_target!(|bytes: &[u8]| {
    let _ = Snapshot::parse(bytes);
    let mut walk = Walk::begin(1, 0, 0, 1);
    let mut records = 0;
    loop {
        match walk.step(bytes) {
            Step::Record(record) => {
                records += 1;
                assert_eq!(record.sequence, records);
                let _ = decode(&raw(&record), &[]);
            }
            Step::End => break,
            Step::Fault(_) if walk.skip_fault(bytes) => records += 1,
            Step::Fault(_) => break,
        }
        assert!(walk.position().offset as usize <= 4_096 + bytes.len());
    }
});
