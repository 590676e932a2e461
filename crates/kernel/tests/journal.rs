//! Sessions and their journal on disk. A process that leads one is killed at random moments: what it
//! had acknowledged is there afterwards, and recovery finds the state that the journal tells of.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mainspring_journal::live::{Cursor, Folder, Item, Options, Start, SyncPolicy};
use mainspring_kernel::session::disk::{keep, raw, recover, sources, state_at};
use mainspring_kernel::session::record::ReportRecord;
use mainspring_kernel::session::rehearsal::{parts, session, Rehearsal, Told};
use mainspring_kernel::session::{record, Image, Kind};

const FOLDER: &str = "MAINSPRING_KILL_TEST_FOLDER";
const KILLS: u64 = 50;

fn options() -> Options {
    Options {
        segment_bytes: 256 << 10,
        reserve_bytes: 8 << 10,
        sync: SyncPolicy::Process,
        retain_bytes: 1 << 40,
        ..Options::default()
    }
}

/// The process that is killed: it leads, and says on its standard output what it acknowledges.
fn child(folder: &Path) {
    let (config, instruments, hosts) = parts().unwrap();
    let names: Vec<_> = hosts.iter().map(|host| host.name()).collect();
    let nothing = serde_json::Value::Null;
    let sources = sources(&config, &instruments, &names, &nothing, &nothing).unwrap();
    let recovered = recover(folder, &mut |_| session()).unwrap();
    let is_new = recovered.is_new;
    let (mut session, control) = recovered.lead(options(), &sources).unwrap();
    if is_new {
        session.start(Rehearsal::begin_ns(), b"{}").unwrap();
    } else {
        session.resume(session.now_ns(), b"{}").unwrap();
    }
    let mut rehearsal = Rehearsal::new(session).unwrap();
    let mut out = std::io::stdout().lock();
    let mut step = 0_u64;
    loop {
        step += 1;
        rehearsal
            .step(&mut |told| {
                let line = match told {
                    Told::Sent(order) => format!("acknowledged sent {}\n", order.0),
                    Told::Filled { order, trade_id } => {
                        format!("acknowledged filled {} {trade_id}\n", order.0)
                    }
                };
                // One write: a line is told whole or not at all.
                out.write_all(line.as_bytes()).unwrap();
            })
            .unwrap();
        if step.is_multiple_of(300) {
            keep(&rehearsal.session, &control);
        }
    }
}

#[derive(Default)]
struct Acknowledged {
    sent: BTreeSet<u64>,
    fills: BTreeSet<(u64, u64)>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        // The harness of the child's process may print before the first word of ours.
        let Some(at) = words.iter().position(|word| *word == "acknowledged") else { return };
        match words[at + 1..] {
            ["sent", order] => {
                self.sent.insert(order.parse().unwrap());
            }
            ["filled", order, trade] => {
                self.fills.insert((order.parse().unwrap(), trade.parse().unwrap()));
            }
            _ => panic!("{line}"),
        }
    }
}

/// Runs a child for a while and kills it.
fn one_life(folder: &Path, life: u64, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leads_until_killed", "--nocapture", "--ignored"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first word says that it is there; then it lives for a random while.
    let before = acknowledged.sent.len() + acknowledged.fills.len();
    while acknowledged.sent.len() + acknowledged.fills.len() == before {
        let line = lines.next().expect("the child ended by itself").unwrap();
        acknowledged.note(&line);
    }
    let micros = life.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let until = Instant::now() + Duration::from_micros(micros % 20_000);
    while Instant::now() < until {
        let line = lines.next().expect("the child ended by itself").unwrap();
        acknowledged.note(&line);
    }
    child.kill().unwrap();
    // What it told before it died, it had acknowledged too.
    lines.map_while(Result::ok).for_each(|line| acknowledged.note(&line));
    child.wait().unwrap();
}

/// Orders made and fills told, by the journal.
fn journaled(folder: &Path) -> Acknowledged {
    let mut cursor = Cursor::open(Folder::open(folder).unwrap(), Start::Oldest).unwrap();
    let mut found = Acknowledged::default();
    loop {
        match cursor.read().unwrap() {
            Item::Record(one) => match Kind::from_code(one.kind) {
                Some(Kind::NewOrder) => {
                    let order: record::NewOrder = record::read(raw(&one).payload).unwrap();
                    found.sent.insert(order.id);
                }
                Some(Kind::Report) => {
                    let report: ReportRecord = record::read(one.payload).unwrap();
                    if report.trade_id != 0 {
                        found.fills.insert((report.order, report.trade_id));
                    }
                }
                _ => {}
            },
            Item::Gap(gap) => panic!("{gap:?}"),
            Item::Idle => return found,
        }
    }
}

fn images(folder: &Path) -> (Image, Image) {
    let with_snapshot = state_at(folder, i64::MAX, &mut |_| session()).unwrap();
    assert!(
        with_snapshot.1.findings.iter().all(|finding| !finding.damage),
        "{with_snapshot:?}",
        with_snapshot = with_snapshot.1
    );
    // The same from the first record on.
    let hidden = folder.with_extension("hidden");
    std::fs::rename(folder.join("snapshots"), &hidden).unwrap();
    let from_beginning = state_at(folder, i64::MAX, &mut |_| session()).unwrap();
    std::fs::rename(&hidden, folder.join("snapshots")).unwrap();
    assert_eq!(from_beginning.1.snapshot_sequence, None);
    (with_snapshot.0.image(), from_beginning.0.image())
}

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let folder = std::env::temp_dir().join(format!("mainspring-kill-{}", std::process::id()));
    let mut acknowledged = Acknowledged::default();
    for life in 1..=KILLS {
        one_life(&folder, life, &mut acknowledged);
        if life % 10 == 0 {
            let (recovered, followed) = images(&folder);
            assert_eq!(recovered, followed, "life {life}");
            let journaled = journaled(&folder);
            assert!(journaled.sent.is_superset(&acknowledged.sent), "life {life}");
            assert!(journaled.fills.is_superset(&acknowledged.fills), "life {life}");
        }
    }
    assert!(acknowledged.sent.len() > 500, "{}", acknowledged.sent.len());
    assert!(acknowledged.fills.len() > 100, "{}", acknowledged.fills.len());
    let found = mainspring_journal::live::verify(&Folder::open(&folder).unwrap()).unwrap();
    assert!(found.is_sound(), "{:?}", found.findings);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A journal of one short life, without a snapshot.
fn short_session(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mainspring-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    mainspring_kernel::session::bench::write(&folder, 2_000).unwrap();
    folder
}

#[test]
fn a_snapshot_that_the_session_refuses_is_told_and_passed_over() {
    let folder = short_session("refused");
    let (before, _) = state_at(&folder, i64::MAX, &mut |_| session()).unwrap();
    let recovered = recover(&folder, &mut |_| session()).unwrap();
    let (config, instruments, _) = parts().unwrap();
    let nothing = serde_json::Value::Null;
    let sources = sources(&config, &instruments, &["touch_maker"], &nothing, &nothing).unwrap();
    let (mut led, control) = recovered.lead(options(), &sources).unwrap();
    led.resume(led.now_ns(), b"{}").unwrap();
    let state = Box::new(|| Ok(b"{\"version\":0}".to_vec()));
    assert!(control.snapshot(led.now_ns(), state));
    assert!(control.wait_for_snapshot(Duration::from_secs(20)));
    led.close().unwrap().end().unwrap();

    let (after, report) = state_at(&folder, i64::MAX, &mut |_| session()).unwrap();
    assert_eq!(report.snapshot_sequence, None);
    assert!(report.findings.iter().any(|f| f.what.contains("cannot be taken up")), "{report:?}");
    assert_eq!(after.image(), led.image());
    assert_eq!(after.ledger(), before.ledger());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_journal_of_a_newer_build_is_refused_with_words_that_help() {
    use mainspring_journal::live::{Recovery, Writer};
    let folder = short_session("newer");
    let opened = Folder::open(&folder).unwrap();
    let lock = opened.lock().unwrap();
    let recovered = Recovery::begin(opened, None).unwrap().finish(lock).unwrap();
    let (config, instruments, _) = parts().unwrap();
    let nothing = serde_json::Value::Null;
    let sources = sources(&config, &instruments, &["touch_maker"], &nothing, &nothing).unwrap();
    let schema = mainspring_kernel::session::disk::SCHEMA + 1;
    let (mut writer, _control) = Writer::open(recovered, options(), schema, &sources).unwrap();
    writer.append(Kind::Notice as u16, i64::MAX, 0, &[b"from the future"]).unwrap();
    writer.close().unwrap();
    let error = match recover(&folder, &mut |_| session()) {
        Ok(_) => panic!("a record of the future was read"),
        Err(error) => error,
    };
    assert!(error.message().contains("newer build"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Not a test: what [`one_life`] starts in a process of its own.
#[test]
#[ignore = "the process that the other test kills"]
fn leads_until_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        child(&PathBuf::from(folder));
    }
}
