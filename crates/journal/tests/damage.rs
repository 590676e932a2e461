//! Flipped, torn and missing bytes at every kind of place: found, named, cut away, never read as
//! truth.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{append, open, payload, small, snapshot, Scratch};
use mainspring_journal::live::{
    verify, Cursor, Folder, Item, Options, Recovery, Snapshot, Start, Step, Walk,
};
use proptest::prelude::*;

const RECORDS: u64 = 1_500;

/// A journal of three closed lives, with snapshots, and the bytes of every segment.
fn sound() -> (Scratch, Folder, Vec<(PathBuf, Vec<u8>)>) {
    static MADE: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let scratch = Scratch::new();
        write_sound(&scratch.folder());
        files_below(&scratch.0, Path::new(""))
    });
    let scratch = Scratch::new();
    let folder = scratch.folder();
    for (path, bytes) in made {
        fs::write(scratch.0.join(path), bytes).unwrap();
    }
    let files = folder.segments().unwrap().into_iter().map(|number| {
        let path = folder.segment(number);
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    let files = files.collect();
    (scratch, folder, files)
}

fn write_sound(folder: &Folder) {
    for life in 0..3 {
        let (mut writer, control) = open(folder, &small()).unwrap();
        let first = life * RECORDS / 3;
        append(&mut writer, first + 1, first + RECORDS / 6);
        snapshot(&control);
        append(&mut writer, first + RECORDS / 6 + 1, first + RECORDS / 3);
        writer.close().unwrap();
    }
}

fn files_below(root: &Path, inside: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(inside)).unwrap() {
        let entry = entry.unwrap();
        let path = inside.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(root, &path));
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

/// What a reader is given before it ends or is told of damage; each record must be the true one.
fn read_truth(folder: &Folder) -> (u64, bool) {
    let mut cursor = match Cursor::open(folder.clone(), Start::Oldest) {
        Ok(cursor) => cursor,
        Err(_) => return (0, true),
    };
    let mut last = 0;
    loop {
        match cursor.read() {
            Ok(Item::Record(record)) => {
                assert_eq!(record.payload, payload(record.sequence), "never read as truth");
                last = record.sequence;
            }
            Ok(Item::Gap(_)) => return (last, true),
            Ok(Item::Idle) => return (last, false),
            Err(error) => {
                assert!(error.message().contains("segment"), "{error}");
                return (last, true);
            }
        }
    }
}

/// Recovers, goes on, and checks that the journal is whole again and holds the truth.
fn recover_and_go_on(folder: &Folder) -> u64 {
    let lock = folder.lock().unwrap();
    let mut recovery = Recovery::begin(folder.clone(), None).unwrap();
    while let Some(record) = recovery.next_record().unwrap() {
        assert_eq!(record.payload, payload(record.sequence), "never recovered as truth");
    }
    let recovered = recovery.finish(lock).unwrap();
    let last = recovered.position.sequence;
    drop(recovered);
    let (mut writer, _control) = open(folder, &Options { ..small() }).unwrap();
    assert_eq!(writer.next_sequence(), last + 1);
    append(&mut writer, last + 1, last + 20);
    writer.close().unwrap();
    last
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_anywhere_is_found_with_its_file(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        header in any::<bool>(),
        bit in 0_u8..8,
    ) {
        let (_scratch, folder, files) = sound();
        let (path, bytes) = &files[file.index(files.len())];
        // Half of the flips in the header, which is a small part of the bytes.
        let limit = if header { 512 } else { bytes.len() };
        let at = place.index(limit);
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        fs::write(path, &damaged).unwrap();

        let found = verify(&folder).unwrap();
        prop_assert!(!found.is_sound(), "offset {at} of {}", path.display());
        let named = found.findings.iter().filter(|finding| finding.damage);
        prop_assert!(named.clone().any(|finding| finding.file == *path), "{:?}", found.findings);
        if at >= 4_096 {
            // The place is named to the record.
            let near = |offset: u64| offset <= at as u64 && at as u64 - offset < 400;
            prop_assert!(named.clone().any(|finding| near(finding.offset)), "{at} {:?}", found.findings);
        }
        read_truth(&folder);
        recover_and_go_on(&folder);
    }

    #[test]
    fn a_cut_file_is_read_up_to_its_last_whole_record(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let (_scratch, folder, files) = sound();
        let (path, bytes) = &files[file.index(files.len())];
        let keep = 4_096 + place.index(bytes.len() - 4_096);
        fs::write(path, &bytes[..keep]).unwrap();
        prop_assert!(!verify(&folder).unwrap().is_sound());
        let (before, told) = read_truth(&folder);
        prop_assert!(told && before < RECORDS);
        let last = recover_and_go_on(&folder);
        prop_assert!(last <= RECORDS && (last == RECORDS || last >= before.min(last)));
    }

    #[test]
    fn a_torn_write_of_a_killed_process_is_cut_and_is_no_damage(
        records in 1_u64..400,
        torn in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let scratch = Scratch::new();
        let folder = scratch.folder();
        let (mut writer, _control) = open(&folder, &small()).unwrap();
        append(&mut writer, 1, records);
        let end = writer_end(&folder);
        // What a kill leaves: no seal, no final end, the beginning of a record behind the end.
        let copy = Scratch::new();
        let killed = copy.folder();
        copy_killed(&folder, &killed, end, &torn);
        drop(writer);
        let found = verify(&killed).unwrap();
        prop_assert!(found.is_sound(), "{:?}", found.findings);
        prop_assert_eq!(found.last_sequence, records);
        let lock = killed.lock().unwrap();
        let recovered = Recovery::begin(killed.clone(), None).unwrap().finish(lock).unwrap();
        prop_assert_eq!(recovered.position.sequence, records);
        prop_assert!(recovered.report.findings.iter().all(|finding| !finding.damage));
        drop(recovered);
        prop_assert!(verify(&killed).unwrap().is_sound());
    }
}

/// End of the records of the newest segment that has begun.
fn writer_end(folder: &Folder) -> (u64, u64) {
    let mut found = (0, 0);
    for number in folder.segments().unwrap() {
        let bytes = fs::read(folder.segment(number)).unwrap();
        if bytes.len() < 4_096 {
            // The helper thread is making it right now.
            continue;
        }
        let published = u64::from_le_bytes(bytes[256..264].try_into().unwrap());
        if published > 0 {
            found = (number, published);
        }
    }
    found
}

fn copy_killed(from: &Folder, to: &Folder, end: (u64, u64), torn: &[u8]) {
    for number in from.segments().unwrap() {
        let mut bytes = fs::read(from.segment(number)).unwrap();
        if number == end.0 {
            let at = end.1 as usize;
            let len = torn.len().min(bytes.len() - at);
            bytes[at..at + len].copy_from_slice(&torn[..len]);
        }
        fs::write(to.segment(number), bytes).unwrap();
    }
    for entry in fs::read_dir(from.path().join("sources")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.path().join("sources").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_segment_whose_process_died_while_it_was_made_is_nothing() {
    for len in [0, 100, 4_096, 10_000] {
        let (_scratch, folder, files) = sound();
        let number = files.len() as u64 + 10;
        fs::write(folder.segment(number), vec![0; len]).unwrap();
        assert_eq!(verify(&folder).unwrap().findings, vec![], "{len}");
        assert_eq!(read_truth(&folder), (RECORDS, false), "{len}");
        let lock = folder.lock().unwrap();
        let recovered = Recovery::begin(folder.clone(), None).unwrap().finish(lock).unwrap();
        assert_eq!((recovered.position.sequence, recovered.report.findings.len()), (RECORDS, 0));
        assert!(!folder.segment(number).exists());
    }
}

#[test]
fn damage_in_front_of_a_snapshot_costs_no_record_behind_it() {
    let (_scratch, folder, files) = sound();
    let (path, bytes) = &files[0];
    let mut damaged = bytes.clone();
    damaged[5_000] ^= 0x10;
    fs::write(path, damaged).unwrap();
    let recovery = Recovery::begin(folder.clone(), None).unwrap();
    assert_eq!(recovery.snapshot().unwrap().position.sequence, RECORDS / 3 * 2 + RECORDS / 6);
    assert_eq!(recover_and_go_on(&folder), RECORDS);
}

#[test]
fn damage_behind_every_snapshot_is_cut_and_kept_aside() {
    let (_scratch, folder, files) = sound();
    let (path, bytes) = files.last().unwrap();
    let at = bytes.len() - 100;
    let mut damaged = bytes.clone();
    damaged[at] ^= 0x10;
    fs::write(path, damaged).unwrap();
    let lock = folder.lock().unwrap();
    let recovered = Recovery::begin(folder.clone(), None).unwrap().finish(lock).unwrap();
    assert!(recovered.position.sequence < RECORDS && recovered.position.sequence > RECORDS - 10);
    assert!(recovered.report.cut_bytes > 0 && recovered.report.cut_bytes < 2_000);
    let finding = recovered.report.findings.iter().find(|finding| finding.damage).unwrap();
    assert!(finding.file == *path && finding.offset <= at as u64, "{finding:?}");
    drop(recovered);
    let kept: Vec<_> = fs::read_dir(folder.path().join("damaged")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    assert!(verify(&folder).unwrap().is_sound());
}

#[test]
fn a_segment_that_is_missing_is_told_and_nothing_behind_it_is_recovered_as_its_continuation() {
    let (_scratch, folder, files) = sound();
    // All snapshots are behind it or before it; take those away that would bridge the hole.
    for sequence in folder.snapshot_sequences().unwrap() {
        fs::remove_file(folder.snapshot(sequence)).unwrap();
    }
    fs::remove_file(&files[1].0).unwrap();
    assert!(!verify(&folder).unwrap().is_sound());
    let (_, told) = read_truth(&folder);
    assert!(told, "a reader gets a gap");
    let last = recover_and_go_on(&folder);
    assert!(last > 0 && last < RECORDS / 2, "{last}");
}

#[test]
fn a_journal_without_its_beginning_and_without_a_snapshot_is_refused() {
    let (_scratch, folder, files) = sound();
    for sequence in folder.snapshot_sequences().unwrap() {
        fs::remove_file(folder.snapshot(sequence)).unwrap();
    }
    fs::remove_file(&files[0].0).unwrap();
    let error = Recovery::begin(folder, None).unwrap_err();
    assert!(error.message().contains("put archived segments back"), "{error}");
}

proptest! {
    #[test]
    fn random_bytes_are_no_records_and_end_the_walk(
        mut bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        zeros in any::<bool>(),
    ) {
        if zeros {
            bytes.iter_mut().skip(40).for_each(|byte| *byte = 0);
        }
        let mut walk = Walk::begin(1, 0, 0, 1);
        match walk.step(&bytes) {
            Step::Record(record) => prop_assert!(false, "{record:?}"),
            Step::End => prop_assert!(bytes.iter().take(40).all(|byte| *byte == 0)),
            Step::Fault(_) => prop_assert!(!walk.skip_fault(&bytes)),
        }
        prop_assert!(Snapshot::parse(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What a power loss leaves: of the pages written since the last sync each may have reached the
    /// disk or not, in any order, the page with the published end among them.
    #[test]
    fn a_power_loss_loses_at_most_what_came_after_the_last_sync(
        synced in 1_u64..200,
        after in 1_u64..200,
        reached in prop::collection::vec(any::<bool>(), 17),
    ) {
        let scratch = Scratch::new();
        let folder = scratch.folder();
        let (mut writer, _control) = open(&folder, &small()).unwrap();
        append(&mut writer, 1, synced);
        let on_disk = fs::read(folder.segment(1)).unwrap();
        append(&mut writer, synced + 1, synced + after);
        let in_memory = fs::read(folder.segment(1)).unwrap();

        let copy = Scratch::new();
        let lost = copy.folder();
        copy_killed(&folder, &lost, (0, 0), &[]);
        drop(writer);
        let mut left = on_disk.clone();
        for (page, reached) in reached.iter().enumerate() {
            let range = page * 4_096..((page + 1) * 4_096).min(left.len());
            if *reached && range.start < left.len() {
                left[range.clone()].copy_from_slice(&in_memory[range]);
            }
        }
        fs::write(lost.segment(1), left).unwrap();
        let lock = lost.lock().unwrap();
        let mut recovery = Recovery::begin(lost.clone(), None).unwrap();
        let mut last = 0;
        while let Some(record) = recovery.next_record().unwrap() {
            prop_assert_eq!(record.payload, payload(record.sequence));
            last = record.sequence;
        }
        prop_assert!((synced..=synced + after).contains(&last), "{last} of {synced} and {after}");
        drop(recovery.finish(lock).unwrap());
        prop_assert!(verify(&lost).unwrap().is_sound());
    }
}

#[test]
fn zeros_where_records_were_published_are_damage_to_a_reader() {
    let (_scratch, folder, files) = sound();
    let (path, bytes) = &files[0];
    let mut zeroed = bytes.clone();
    zeroed[20_000..].fill(0);
    fs::write(path, zeroed).unwrap();
    let mut cursor = Cursor::open(folder, Start::Oldest).unwrap();
    let error = loop {
        match cursor.read() {
            Ok(Item::Record(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(error.message().contains("offset"), "{error}");
}
