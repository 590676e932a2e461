//! Files that change under a map, and SIGBUS signals that are not ours.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use mainspring_memory::{GuardedMap, MapFault};
use proptest::prelude::*;

struct Temporary(PathBuf);

impl Temporary {
    fn new(content: &[u8]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainspring-map-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn cut(&self, len: u64) {
        std::fs::OpenOptions::new().write(true).open(&self.0).unwrap().set_len(len).unwrap();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|b| u64::from(*b)).sum()
}

#[test]
fn a_cut_file_reads_as_zeros_and_fails_its_check_for_ever() {
    let file = Temporary::new(&[1; 100_000]);
    let map = GuardedMap::open(&file.0).unwrap();
    assert!(map.is_mapped());
    assert_eq!(map.check(), Ok(()));
    file.cut(10);
    // The page that holds the cut stays, with zeros behind the cut; what follows is ours.
    assert_eq!(sum(map.bytes()), 10);
    assert_eq!(map.check(), Err(MapFault::Shrank { opened: 100_000, now: 10 }));
    std::fs::write(&file.0, [1; 100_000]).unwrap();
    assert_eq!(map.check(), Err(MapFault::Unreadable), "zero pages stay where they are");
}

#[test]
fn a_file_that_is_written_to_fails_its_check() {
    let file = Temporary::new(&[1; 10_000]);
    let map = GuardedMap::open(&file.0).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut handle = std::fs::OpenOptions::new().write(true).open(&file.0).unwrap();
    std::io::Write::write_all(&mut handle, &[2; 10]).unwrap();
    assert_eq!(map.check(), Err(MapFault::Changed));
}

#[test]
fn replacing_a_file_by_rename_leaves_the_map_as_it_was() {
    let file = Temporary::new(&[1; 10_000]);
    let map = GuardedMap::open(&file.0).unwrap();
    let other = Temporary::new(&[2; 10]);
    std::fs::rename(&other.0, &file.0).unwrap();
    assert_eq!(sum(map.bytes()), 10_000);
    assert_eq!(map.check(), Ok(()));
}

#[test]
fn many_threads_read_while_the_file_is_cut() {
    for _ in 0..20 {
        let file = Temporary::new(&vec![1; 2_000_000]);
        let map = Arc::new(GuardedMap::open(&file.0).unwrap());
        let read_until_cut = |map: Arc<GuardedMap>| loop {
            let total = sum(map.bytes());
            // Whatever the moment of the cut, a wrong sum never passes the check.
            match map.check() {
                Ok(()) => assert_eq!(total, 2_000_000),
                Err(_) => break,
            }
        };
        let readers: Vec<_> = (0..4)
            .map(|_| Arc::clone(&map))
            .map(|map| std::thread::spawn(move || read_until_cut(map)))
            .collect();
        file.cut(123_456);
        readers.into_iter().for_each(|r| r.join().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn maps_live_and_die_in_any_order(
        cuts in prop::collection::vec((1_usize..60_000, 0_u64..60_000), 1..12),
    ) {
        let mut alive = Vec::new();
        for (n, (len, cut)) in cuts.into_iter().enumerate() {
            let file = Temporary::new(&vec![7; len]);
            let map = GuardedMap::open(&file.0).unwrap();
            if n % 3 == 2 && !alive.is_empty() {
                alive.remove(n % alive.len());
            }
            alive.push((file, map, len as u64, cut));
        }
        for (file, map, len, cut) in &alive {
            if cut < len {
                file.cut(*cut);
                sum(map.bytes());
                prop_assert!(map.check().is_err());
            }
        }
        for (_, map, len, cut) in &alive {
            if cut >= len {
                prop_assert_eq!(sum(map.bytes()), len * 7, "a fault in one map touched another");
                prop_assert_eq!(map.check(), Ok(()));
            }
        }
    }
}

#[test]
fn missing_and_empty_files() {
    let missing = std::env::temp_dir().join("mainspring-no-such-file");
    assert_eq!(GuardedMap::open(missing).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let empty = Temporary::new(b"");
    assert!(GuardedMap::open(&empty.0).unwrap().bytes().is_empty());
}

// Signals that are not ours end a process, so each case runs in one of its own: this test program
// started again with the case in its environment.

const CASE: &str = "MAINSPRING_SIGBUS_CASE";

fn run_case(case: &str) -> std::process::ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sigbus_case", "--nocapture"])
        .env(CASE, case)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn a_sigbus_that_is_not_ours_ends_the_process_as_before() {
    assert_eq!(run_case("raise").signal(), Some(libc::SIGBUS));
    assert_eq!(run_case("fault").signal(), Some(libc::SIGBUS));
}

#[test]
fn a_sigbus_that_is_not_ours_goes_to_the_handler_before_ours() {
    assert_eq!(run_case("chain_info").code(), Some(41));
    assert_eq!(run_case("chain_plain").code(), Some(42));
}

#[test]
fn a_handler_put_over_ours_does_not_end_in_a_circle() {
    // The newcomer passes on to us and we would pass on to it: the bound ends that.
    assert_eq!(run_case("circle").signal(), Some(libc::SIGBUS));
}

extern "C" fn exit_with_info(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: `_exit` is async-signal-safe.
    unsafe { libc::_exit(41) }
}

extern "C" fn exit_plain(_: libc::c_int) {
    // SAFETY: `_exit` is async-signal-safe.
    unsafe { libc::_exit(42) }
}

static BENEATH: AtomicUsize = AtomicUsize::new(0);

extern "C" fn pass_beneath(signal: libc::c_int, i: *mut libc::siginfo_t, c: *mut libc::c_void) {
    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: the test stored the address of a handler installed with SA_SIGINFO.
    let beneath = unsafe { std::mem::transmute::<usize, Handler>(BENEATH.load(Ordering::Relaxed)) };
    beneath(signal, i, c);
}

fn install(handler: usize, flags: libc::c_int) -> libc::sigaction {
    // SAFETY: zeroed `sigaction`s are valid, and the handlers above fit their flags.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut before: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGBUS, &action, &mut before);
        before
    }
}

/// Not a test by itself: the body of the cases above.
#[test]
fn sigbus_case() {
    let Ok(case) = std::env::var(CASE) else { return };
    let file = Temporary::new(&[1; 20_000]);
    match case.as_str() {
        "chain_info" => {
            install(exit_with_info as *const () as usize, libc::SA_SIGINFO);
        }
        "chain_plain" => {
            install(exit_plain as *const () as usize, 0);
        }
        // Rust's runtime has a handler of its own, which lets a raised signal pass.
        "raise" => {
            install(libc::SIG_DFL, 0);
        }
        _ => {}
    }
    let map = GuardedMap::open(&file.0).unwrap();
    file.cut(0);
    assert_eq!(sum(map.bytes()), 0, "ours is handled first");
    drop(file);
    match case.as_str() {
        "fault" => touch_unguarded(),
        "circle" => {
            let ours = install(pass_beneath as *const () as usize, libc::SA_SIGINFO);
            BENEATH.store(ours.sa_sigaction, Ordering::Relaxed);
            let other = Temporary::new(&[1; 20_000]);
            let second = GuardedMap::open(&other.0).unwrap();
            other.cut(0);
            assert_eq!(sum(second.bytes()), 0, "ours again, put back over the newcomer");
            drop(other);
            raise();
        }
        _ => raise(),
    }
}

fn raise() {
    // SAFETY: raising a signal has no preconditions.
    unsafe { libc::raise(libc::SIGBUS) };
}

fn touch_unguarded() {
    let file = Temporary::new(&[1; 20_000]);
    let handle = std::fs::File::open(&file.0).unwrap();
    // SAFETY: a private map of a file of this test.
    let map = unsafe { memmap2::Mmap::map(&handle).unwrap() };
    file.cut(0);
    drop(file);
    std::hint::black_box(sum(&map));
}
