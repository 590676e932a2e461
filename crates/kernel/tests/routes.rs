//! A route allocates nothing.

use mainspring_kernel::routing::bench::route_ns;
use mainspring_memory::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn a_route_over_ten_venues_allocates_nothing() {
    let count = |routes| {
        let before = CountingAllocator::allocations();
        let (best_ns, mixed_ns) = route_ns(10, routes);
        assert!(best_ns > 0.0 && mixed_ns > 0.0);
        CountingAllocator::allocations() - before
    };
    count(10);
    assert_eq!(count(10), count(500), "only the books are made");
}
