//! Segments, snapshots and records as fields from random bytes: damage is told or ends the records,
//! and nothing panics, loops or allocates without bound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_journal::live::{Snapshot, Step, Walk};
use mainspring_kernel::session::decode::{decode, fields_to_json};
use mainspring_kernel::session::{Kind, Raw};

fuzz_target!(|bytes: &[u8]| {
    let _ = Snapshot::parse(bytes);
    walk(bytes);
    // Behind a checksum that fits: any payload of any kind.
    if let Some((kind, payload)) = bytes.split_first() {
        let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()] as u16;
        let raw = Raw { kind, sequence: 1, time_ns: 0, cause: 1, payload };
        let _ = decode(&raw, &[]).map(|fields| fields_to_json(&fields));
    }
});

fn walk(bytes: &[u8]) {
    let mut walk = Walk::begin(1, 0, 0, 1);
    let mut records = 0;
    loop {
        match walk.step(bytes) {
            Step::Record(record) => {
                records += 1;
                assert_eq!(record.sequence, records);
            }
            Step::End => return,
            Step::Fault(_) if walk.skip_fault(bytes) => records += 1,
            Step::Fault(_) => return,
        }
        assert!(walk.position().offset as usize <= 4_096 + bytes.len());
    }
}
