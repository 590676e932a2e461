//! Journals to be tested.

#![allow(dead_code)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mainspring_core::Result;
use mainspring_journal::live::{
    Control, Cursor, Folder, Gap, Item, Options, Recovery, Sources, SyncPolicy, Writer,
};

/// A folder that goes away with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainspring-live-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub fn folder(&self) -> Folder {
        Folder::create(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn small() -> Options {
    Options {
        segment_bytes: 64 << 10,
        reserve_bytes: 4 << 10,
        sync: SyncPolicy::Process,
        ..Options::default()
    }
}

pub fn sources() -> Sources {
    Sources { config: "{}".into(), instruments: "[]".into(), ..Sources::default() }
}

pub fn open(folder: &Folder, options: &Options) -> Result<(Writer, Control)> {
    let lock = folder.lock()?;
    let recovered = Recovery::begin(folder.clone(), None)?.finish(lock)?;
    Writer::open(recovered, options.clone(), 1, &sources())
}

/// The payload of record `n`: lengths of every sort, contents that depend on `n`.
pub fn payload(n: u64) -> Vec<u8> {
    let len = (n * 37 % 300) as usize;
    (0..len).map(|i| (n as usize + i * 7) as u8).collect()
}

pub fn append(writer: &mut Writer, from: u64, to: u64) {
    for n in from..=to {
        let payload = payload(n);
        let (a, b) = payload.split_at(payload.len() / 3);
        let sequence = writer.append((n % 50) as u16, n as i64 * 10, 0, &[a, b]).unwrap();
        assert_eq!(sequence, n);
        if n % 3 == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
}

/// Reads what is there and checks it; gives the last sequence and the gaps.
pub fn read_all(cursor: &mut Cursor) -> (u64, Vec<Gap>) {
    let (mut last, mut gaps) = (0, vec![]);
    loop {
        match cursor.read().unwrap() {
            Item::Record(record) => {
                let n = record.sequence;
                assert_eq!(record.payload, payload(n));
                assert_eq!((record.kind, record.time_ns), ((n % 50) as u16, n as i64 * 10));
                assert_eq!(record.cause, n);
                assert!(last == 0 || n == last + 1 || !gaps.is_empty());
                last = n;
            }
            Item::Gap(gap) => gaps.push(gap),
            Item::Idle => return (last, gaps),
        }
    }
}

pub fn snapshot(control: &Control) {
    let sequence = control.position().sequence;
    let state = Box::new(move || Ok(format!("at {sequence}").into_bytes()));
    assert!(control.snapshot(sequence as i64 * 10, state));
    assert!(control.wait_for_snapshot(Duration::from_secs(20)));
}
