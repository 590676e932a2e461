//! Every interleaving of small programs over the ring and the seqlock: `make loom`.
#![cfg(loom)]

use loom::thread;
use mainspring_memory::{ring, seqlock};

#[test]
fn values_leave_a_ring_once_and_in_order() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring::<u32>(2);
        let pushing = thread::spawn(move || {
            let mut refused = 0;
            for value in 1..=3_u32 {
                if producer.try_push(value).is_err() {
                    refused += 1;
                }
            }
            refused
        });
        let mut got = Vec::new();
        for _ in 0..3 {
            got.extend(consumer.try_pop());
        }
        let refused = pushing.join().unwrap();
        got.extend(std::iter::from_fn(|| consumer.try_pop()));
        assert_eq!(got.len() + refused, 3);
        assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "{got:?}");
    });
}

#[test]
fn a_ring_frees_what_nobody_took() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring::<loom::sync::Arc<()>>(2);
        let value = loom::sync::Arc::new(());
        let given = value.clone();
        let pushing = thread::spawn(move || {
            let _ = producer.try_push(given);
        });
        drop(consumer.try_pop());
        pushing.join().unwrap();
        drop(consumer);
        assert_eq!(loom::sync::Arc::strong_count(&value), 1);
    });
}

#[test]
fn a_snapshot_is_never_torn() {
    loom::model(|| {
        let (mut writer, reader) = seqlock(&[0_u64, 0]);
        let writing = thread::spawn(move || {
            writer.write(&[1, 1]);
            writer.write(&[2, 2]);
        });
        if let Some(seen) = reader.try_read() {
            assert_eq!(seen[0], seen[1]);
        }
        writing.join().unwrap();
        assert_eq!(reader.try_read(), Some([2, 2]));
        assert_eq!(reader.writes(), 3);
    });
}
