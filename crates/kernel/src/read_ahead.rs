//! Checks chunks of the input files on a thread of its own, ahead of the cursors.
//!
//! A chunk is checked against its checksum when it is first touched, which also brings its pages
//! in. Done ahead, that costs the kernel's thread nothing. The distance is bounded, so that a file
//! larger than memory is not dragged through it; a chunk that the thread has not reached is checked
//! by the cursor that needs it, and a fault is told there, too.

#![allow(clippy::disallowed_methods, reason = "a thread of its own checks files ahead of a run")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mainspring_data::{EventFile, Schema};

/// Chunks that may be checked before a cursor needs them, in each file.
const AHEAD_CHUNKS: usize = 16;

/// How long the thread rests when it is far enough ahead.
const REST: Duration = Duration::from_micros(200);

/// How far the cursors are.
#[derive(Default)]
pub struct ReadAhead {
    reached: AtomicUsize,
    done: AtomicBool,
}

impl ReadAhead {
    /// A cursor has come to this chunk of its file.
    pub fn reached(&self, chunk: usize) {
        self.reached.fetch_max(chunk, Ordering::Relaxed);
    }

    /// The run is over.
    pub fn finish(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// Whether the files are long enough for a thread.
    #[must_use]
    pub fn is_worth_it(files: &[EventFile]) -> bool {
        files.iter().map(|file| file.chunks().len()).sum::<usize>() > 4
    }

    /// Checks chunk after chunk of all files, until the last one or the end of the run. The first
    /// chunk of each is left to its cursor, which needs it at once.
    pub fn run(&self, files: &[EventFile]) {
        let most = files.iter().map(|file| file.chunks().len()).max().unwrap_or(0);
        for number in 1..most {
            while number > self.reached.load(Ordering::Relaxed) + AHEAD_CHUNKS {
                if self.done.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(REST);
            }
            for file in files.iter().filter(|file| number < file.chunks().len()) {
                if self.done.load(Ordering::Relaxed) {
                    return;
                }
                check(file, number);
            }
        }
    }
}

/// A fault is for the cursor that comes to the chunk to tell.
fn check(file: &EventFile, number: usize) {
    let _ = match file.schema() {
        Schema::Market => file.chunk(number).map(|_| ()),
        Schema::Order => file.order_chunk(number).map(|_| ()),
        Schema::Bar => file.bar_chunk(number).map(|_| ()),
    };
}
