//! The journal on disk: what is appended is read back, here and in place by others, across segments,
//! lives and retention.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{append, open, payload, read_all, small, snapshot, Scratch};
use mainspring_core::{Error, ErrorKind};
use mainspring_journal::live::{
    verify, Cursor, Folder, Gap, Item, Options, Recovery, Snapshot, Space, Start, SyncPolicy,
};

#[test]
fn records_are_read_back_across_segments_and_lives() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let mut tail = None;
    for life in 0..3_u64 {
        let (mut writer, control) = open(&folder, &small()).unwrap();
        append(&mut writer, life * 2_000 + 1, life * 2_000 + 2_000);
        assert_eq!(control.position().sequence, life * 2_000 + 2_000);
        assert!(control.stats().rolls >= 4, "{:?}", control.stats());
        // A reader that was there from the first life sees every record once.
        let tail = tail.get_or_insert_with(|| Cursor::open(folder.clone(), Start::Oldest).unwrap());
        assert_eq!(read_all(tail), (life * 2_000 + 2_000, vec![]));
        writer.close().unwrap();
    }
    let found = verify(&folder).unwrap();
    assert_eq!((found.findings.clone(), found.last_sequence), (vec![], 6_000));
    for after in [0, 1, 1_999, 2_000, 3_333, 5_999] {
        let mut cursor = Cursor::open(folder.clone(), Start::After(after)).unwrap();
        match cursor.read().unwrap() {
            Item::Record(record) => assert_eq!(record.sequence, after + 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(read_all(&mut cursor).0, if after == 5_999 { 0 } else { 6_000 });
    }
}

#[test]
fn a_reader_sees_only_what_is_committed_and_wakes_when_it_comes() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let mut early = Cursor::open(folder.clone(), Start::Newest).unwrap();
    assert!(!early.wait(Duration::from_millis(5)).unwrap());
    let (mut writer, _control) = open(&folder, &small()).unwrap();
    append(&mut writer, 1, 10);
    let mut newest = Cursor::open(folder.clone(), Start::Newest).unwrap();
    writer.append(11, 110, 0, &[&payload(11)]).unwrap();
    assert_eq!(newest.read().unwrap(), Item::Idle);
    assert_eq!(read_all(&mut early), (10, vec![]));
    let waiting = std::thread::spawn(move || {
        let came = newest.wait(Duration::from_secs(20)).unwrap();
        (came, matches!(newest.read().unwrap(), Item::Record(r) if r.sequence == 11))
    });
    std::thread::sleep(Duration::from_millis(20));
    writer.commit().unwrap();
    assert_eq!(waiting.join().unwrap(), (true, true));
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let (writer, _control) = open(&folder, &small()).unwrap();
    let refused = open(&folder, &small()).map(|_| ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Mismatch);
    let text = refused.message();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(folder.is_being_written());
    drop(writer);
    assert!(!folder.is_being_written());
    open(&folder, &small()).unwrap();
}

#[test]
fn retention_keeps_what_the_oldest_snapshot_needs_and_readers_behind_it_are_told() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let archive = folder.path().join("archive");
    let options = Options {
        retain_bytes: 200 << 10,
        keep_snapshots: 2,
        archive: Some(archive.clone()),
        ..small()
    };
    let (mut writer, control) = open(&folder, &options).unwrap();
    let mut behind = Cursor::open(folder.clone(), Start::Oldest).unwrap();
    append(&mut writer, 1, 10);
    assert_eq!(read_all(&mut behind), (10, vec![]));
    append(&mut writer, 11, 4_000);
    assert_eq!(control.stats().removed_segments, 0, "nothing is behind a snapshot");
    for n in [4_000, 5_000, 6_000, 7_000_u64] {
        snapshot(&control);
        append(&mut writer, n + 1, n + 1_000);
    }
    snapshot(&control);
    assert_eq!(folder.snapshot_sequences().unwrap(), [7_000, 8_000]);
    let stats = control.stats();
    assert!(stats.removed_segments > 3 && stats.sealed_bytes <= 400 << 10, "{stats:?}");
    // A reader that had the first segment open reads it to its end, and is told what it missed.
    let (last, gaps) = read_all(&mut behind);
    assert_eq!((last, gaps.len()), (8_000, 1));
    assert!(gaps[0].expected > 11 && gaps[0].next > gaps[0].expected, "{gaps:?}");
    let mut late = Cursor::open(folder.clone(), Start::After(10)).unwrap();
    assert_eq!(late.read().unwrap(), Item::Gap(Gap { expected: 11, next: gaps[0].next }));
    writer.close().unwrap();
    assert_eq!(verify(&folder).unwrap().findings, vec![]);
    // Put back, the archived segments make the journal whole again.
    for entry in std::fs::read_dir(&archive).unwrap() {
        let path = entry.unwrap().path();
        std::fs::rename(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let found = verify(&folder).unwrap();
    assert_eq!((found.findings, found.first_sequence, found.records), (vec![], 1, 8_000));
}

#[test]
fn recovery_begins_behind_the_newest_snapshot_that_is_whole() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let (mut writer, control) = open(&folder, &small()).unwrap();
    for n in 0..4_u64 {
        append(&mut writer, n * 1_000 + 1, n * 1_000 + 1_000);
        snapshot(&control);
    }
    append(&mut writer, 4_001, 4_500);
    drop(writer);
    let start = |folder: &Folder| {
        let mut recovery = Recovery::begin(folder.clone(), None).unwrap();
        let snapshot = recovery.snapshot().map(|s| String::from_utf8(s.state.clone()).unwrap());
        let mut records = 0;
        while let Some(record) = recovery.next_record().unwrap() {
            assert_eq!(record.payload, payload(record.sequence));
            records += 1;
        }
        (snapshot, records, recovery.report().findings.len())
    };
    assert_eq!(start(&folder), (Some("at 4000".into()), 500, 0));
    let newest = folder.snapshot(4_000);
    let mut bytes = std::fs::read(&newest).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&newest, &bytes).unwrap();
    assert_eq!(start(&folder), (Some("at 3000".into()), 1_500, 1));
    std::fs::write(folder.snapshot(3_000), b"").unwrap();
    assert_eq!(start(&folder), (Some("at 2000".into()), 2_500, 2));
    // The damaged ones are put away when the session goes on, and count no more.
    let (mut writer, control) = open(&folder, &small()).unwrap();
    append(&mut writer, 4_501, 4_600);
    snapshot(&control);
    writer.close().unwrap();
    assert_eq!(folder.snapshot_sequences().unwrap(), [2_000, 4_600]);
    assert_eq!(start(&folder), (Some("at 4600".into()), 0, 0));
    assert!(Snapshot::read(&folder, 4_600).unwrap().position.segment > 1);
}

#[test]
fn a_full_disk_stops_the_journal_before_the_reserve_and_closing_records_fit() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    // The bound of the journal stands for the disk: both take the same way.
    let options = Options { max_bytes: 4 * (64 << 10), reserve_bytes: 8 << 10, ..small() };
    let (mut writer, control) = open(&folder, &options).unwrap();
    let record = [7_u8; 200];
    let error = loop {
        if let Err(error) = writer.append(1, 1, 0, &[&record]) {
            break error;
        }
        writer.commit().unwrap();
    };
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("max_bytes"), "{error}");
    assert_eq!(control.space(), Space::LastSegment);
    assert!(writer.append(1, 1, 0, &[&record]).is_err(), "it stays full");
    control.begin_closing();
    let mut last = 0;
    for _ in 0..30 {
        last = writer.append(2, 2, 0, &[&record]).unwrap();
    }
    writer.commit().unwrap();
    let refused = (0..1_000).find_map(|_| writer.append(2, 2, 0, &[&record]).err());
    assert!(refused.is_some_and(|e: Error| e.kind() == ErrorKind::Io));
    writer.close().unwrap();
    let found = verify(&folder).unwrap();
    assert!(found.is_sound() && found.last_sequence >= last, "{found:?}");
    assert!(found.bytes <= options.max_bytes, "{found:?}");
    // With room again, it goes on.
    let (mut writer, _control) = open(&folder, &Options { max_bytes: 1 << 20, ..options }).unwrap();
    writer.append(1, 1, 0, &[&record]).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_full_journal_goes_on_when_a_snapshot_makes_room() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let options = Options { max_bytes: 4 * (64 << 10), keep_snapshots: 1, ..small() };
    let (mut writer, control) = open(&folder, &options).unwrap();
    let mut n = 0;
    while writer.append(1, n, 0, &[&[1; 100]]).is_ok() {
        n += 1;
        writer.commit().unwrap();
    }
    assert_eq!(control.space(), Space::LastSegment);
    snapshot(&control);
    let until = Instant::now() + Duration::from_secs(20);
    while control.space() != Space::Enough {
        assert!(Instant::now() < until, "{:?}", control.trouble());
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..200 {
        writer.append(1, n, 0, &[&[1; 100]]).unwrap();
    }
    writer.close().unwrap();
    assert!(verify(&folder).unwrap().is_sound());
}

#[test]
fn each_and_interval_wait_for_the_disk() {
    for (sync, at_least) in [(SyncPolicy::Each, 100), (SyncPolicy::IntervalMs(5), 2)] {
        let scratch = Scratch::new();
        let folder = scratch.folder();
        let (mut writer, control) = open(&folder, &Options { sync, ..small() }).unwrap();
        for n in 0..100 {
            writer.append(1, n, 0, &[b"x"]).unwrap();
            writer.commit().unwrap();
            if sync != SyncPolicy::Each {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(control.stats().syncs >= at_least, "{sync:?} {:?}", control.stats());
        writer.close().unwrap();
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    for options in [
        Options { segment_bytes: 1_000, ..small() },
        Options { reserve_bytes: 60 << 10, ..small() },
        Options { max_bytes: 1, ..small() },
        Options { keep_snapshots: 0, ..small() },
        Options { sync: SyncPolicy::IntervalMs(0), ..small() },
    ] {
        assert_eq!(options.validate().unwrap_err().kind(), ErrorKind::Config);
    }
    let (mut writer, _control) = open(&folder, &small()).unwrap();
    let error = writer.append(1, 1, 0, &[&vec![0; 2 << 20]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert_eq!(writer.next_sequence(), 1);
    let nothing = Folder::open(&folder.path().join("nothing")).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
}

/// A disk of its own, small; `None` where this process may not mount one.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let scratch = Scratch::new();
        std::fs::create_dir_all(&scratch.0).unwrap();
        let size = format!("size={bytes}");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&scratch.0)
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(Self(scratch))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0 .0).status();
    }
}

#[test]
fn a_disk_that_really_is_full_stops_the_journal_with_its_reason() {
    let Some(disk) = SmallDisk::mount(600 << 10) else {
        eprintln!("skipped: this process may not mount a disk");
        return;
    };
    let folder = disk.0.folder();
    let (mut writer, control) = open(&folder, &small()).unwrap();
    let mut last = 0;
    let error = loop {
        match writer.append(1, 1, 0, &[&[9; 500]]) {
            Ok(sequence) => last = sequence,
            Err(error) => break error,
        }
        writer.commit().unwrap();
    };
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("no room for another segment"), "{error}");
    assert!(last > 200, "{last}");
    control.begin_closing();
    let closing = writer.append(2, 2, 0, &[&[9; 500]]).unwrap();
    writer.close().unwrap();
    let found = verify(&folder).unwrap();
    assert_eq!((found.is_sound(), found.last_sequence), (true, closing), "{found:?}");
}

#[test]
fn a_file_that_is_cut_while_it_is_written_is_an_error_and_no_crash() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let (mut writer, _control) = open(&folder, &small()).unwrap();
    append(&mut writer, 1, 100);
    let mut reader = Cursor::open(folder.clone(), Start::Oldest).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.segment(1)).unwrap();
    file.set_len(0).unwrap();
    let error = (101..1_000_u64)
        .find_map(|n| {
            let done = writer.append(1, 1, 0, &[&payload(n)]).and_then(|_| writer.commit());
            done.err()
        })
        .expect("the journal stops");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("cut"), "{error}");
    // A reader of the cut file is told, or sees nothing; it never dies and reads no zeros as truth.
    while let Ok(Item::Record(record)) = reader.read() {
        assert_eq!(record.payload, payload(record.sequence));
    }
}

#[test]
fn a_reader_in_another_thread_sees_every_record_of_a_writer_in_a_hurry() {
    const RECORDS: u64 = 60_000;
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let (mut writer, control) = open(&folder, &small()).unwrap();
    let tail = Cursor::open(folder, Start::After(0)).unwrap();
    let reader = std::thread::spawn(move || {
        let mut tail = tail;
        let mut last = 0;
        while last < RECORDS && tail.wait(Duration::from_secs(20)).unwrap() {
            let (now, gaps) = read_all(&mut tail);
            assert_eq!(gaps, vec![]);
            last = now.max(last);
        }
        last
    });
    append(&mut writer, 1, RECORDS);
    assert_eq!(reader.join().unwrap(), RECORDS);
    assert!(control.stats().rolls > 50);
    writer.close().unwrap();
}
