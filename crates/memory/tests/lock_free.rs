//! The ring and the seqlock under load, on real threads, and against a plain queue.
#![cfg(not(loom))]

use std::collections::VecDeque;
use std::thread;

use mainspring_memory::{ring, seqlock};
use proptest::prelude::*;

/// What goes through; fewer under Miri, which takes a thousand times as long a step.
const VALUES: u64 = if cfg!(miri) { 500 } else { 1_000_000 };
const SNAPSHOTS: u64 = if cfg!(miri) { 200 } else { 200_000 };

#[test]
fn many_values_go_through_a_small_ring_in_order() {
    let (mut producer, mut consumer) = ring::<u64>(64);
    let pushing = thread::spawn(move || {
        for value in 0..VALUES {
            while producer.try_push(value).is_err() {
                thread::yield_now();
            }
        }
    });
    let mut expected = 0;
    while expected < VALUES {
        match consumer.try_pop() {
            Some(value) => {
                assert_eq!(value, expected);
                expected += 1;
            }
            None => thread::yield_now(),
        }
    }
    pushing.join().unwrap();
    assert_eq!(consumer.try_pop(), None);
}

#[test]
fn readers_never_see_half_a_snapshot() {
    let (mut writer, reader) = seqlock(&[0_u64; 16]);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let reader = reader.clone();
            thread::spawn(move || {
                let mut last = 0;
                while last < SNAPSHOTS {
                    let seen = reader.read();
                    assert!(seen.iter().all(|word| *word == seen[0]), "{seen:?}");
                    assert!(seen[0] >= last, "time goes on");
                    last = seen[0];
                }
            })
        })
        .collect();
    for value in 1..=SNAPSHOTS {
        writer.write(&[value; 16]);
        if value % 1_000 == 0 {
            thread::yield_now();
        }
    }
    readers.into_iter().for_each(|reading| reading.join().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 256 }))]

    #[test]
    fn a_ring_is_a_bounded_queue(
        capacity in 1_usize..9,
        steps in prop::collection::vec(any::<bool>(), 0..200),
    ) {
        let (mut producer, mut consumer) = ring::<usize>(capacity);
        let size = capacity.next_power_of_two();
        prop_assert_eq!(producer.capacity(), size);
        let mut oracle = VecDeque::new();
        for (step, push) in steps.into_iter().enumerate() {
            if push {
                let fits = oracle.len() < size;
                prop_assert_eq!(producer.try_push(step), if fits { Ok(()) } else { Err(step) });
                if fits {
                    oracle.push_back(step);
                }
            } else {
                prop_assert_eq!(consumer.try_pop(), oracle.pop_front());
            }
        }
    }
}
