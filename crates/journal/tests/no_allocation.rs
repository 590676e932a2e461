//! Appending allocates nothing once the journal is open, the change of segments excepted.

mod common;

use common::{open, small, Scratch};
use mainspring_journal::live::Options;
use mainspring_memory::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn append_and_commit_allocate_nothing() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let options = Options { segment_bytes: 8 << 20, ..small() };
    let (mut writer, control) = open(&folder, &options).unwrap();
    let payload = [7_u8; 120];
    writer.append(1, 1, 0, &[&payload]).unwrap();
    writer.commit().unwrap();
    let before = CountingAllocator::allocations();
    for n in 0..40_000 {
        writer.append(2, n, 1, &[&payload[..16], &payload[16..]]).unwrap();
        writer.commit().unwrap();
    }
    assert_eq!(CountingAllocator::allocations(), before);
    assert_eq!(control.stats().rolls, 0);
    // A change of segments costs a handful, however long the journal gets.
    for n in 0..200_000 {
        writer.append(2, n, 1, &[&payload]).unwrap();
        writer.commit().unwrap();
    }
    let rolls = control.stats().rolls;
    let allocations = CountingAllocator::allocations() - before;
    assert!(rolls >= 3 && allocations <= 20 * rolls, "{allocations} in {rolls} changes");
}
