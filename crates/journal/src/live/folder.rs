//! The folder of a journal: which files are in it, and who may write.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use mainspring_core::{Error, ErrorKind, Result};

use super::layout::Hash;

const LOCK: &str = "lock";
const SEGMENT: &str = "segment";
const SNAPSHOT: &str = "snapshot";

/// Paths and listings of a journal's folder.
///
/// ```text
/// DIR/lock                              held by the one process that writes
/// DIR/00000001.segment ...              records
/// DIR/snapshots/SEQUENCE.snapshot       states
/// DIR/sources/HASH                      configuration, instruments, code facts, model facts
/// DIR/damaged/...                       what a recovery cut away
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// The right to write to a journal, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Folder {
    /// The folder, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_owned() };
        fs::create_dir_all(folder.snapshots())
            .and_then(|()| fs::create_dir_all(folder.path.join("sources")))
            .map_err(|e| failed(&folder.path, "cannot make the journal's folder", &e))?;
        Ok(folder)
    }

    /// A folder that holds a journal.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_owned() };
        if !path.join("sources").is_dir() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "{} holds no journal: name the folder that a session writes to",
                    path.display()
                ),
            ));
        }
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the right to write.
    ///
    /// # Errors
    /// When another process, or this one, has it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.path.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| failed(&path, "cannot open the lock", &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another writer" } else { holder };
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    format!(
                        "{}: the journal is being written by {holder}; stop it, or give this session a folder of its own",
                        self.path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(e)) => return Err(failed(&path, "cannot lock", &e)),
        }
        // What it says is for people; the lock itself is the system's.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "process {}", std::process::id()));
        Ok(Lock { _file: file })
    }

    /// Whether a process writes to the journal now.
    #[must_use]
    pub fn is_being_written(&self) -> bool {
        let file = File::open(self.path.join(LOCK));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The file of a segment.
    #[must_use]
    pub fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}.{SEGMENT}"))
    }

    /// Numbers of the segments that are there, ascending.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn segments(&self) -> Result<Vec<u64>> {
        self.numbers(&self.path, SEGMENT)
    }

    /// The folder of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// The file of the snapshot that was taken after a record.
    #[must_use]
    pub fn snapshot(&self, sequence: u64) -> PathBuf {
        self.snapshots().join(format!("{sequence:020}.{SNAPSHOT}"))
    }

    /// Sequences of the snapshots that are there, ascending.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn snapshot_sequences(&self) -> Result<Vec<u64>> {
        self.numbers(&self.snapshots(), SNAPSHOT)
    }

    /// The file of a source by its hash.
    pub(crate) fn source(&self, hash: &Hash) -> PathBuf {
        self.path.join("sources").join(hex(hash))
    }

    /// Where a recovery puts what it cut away.
    pub(crate) fn damaged(&self) -> PathBuf {
        self.path.join("damaged")
    }

    fn numbers(&self, folder: &Path, extension: &str) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(failed(folder, "cannot list", &e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| failed(folder, "cannot list", &e))?.path();
            if path.extension().is_some_and(|e| e == extension) {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                found.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Puts bytes in a file so that it is there whole or not at all, also after a power loss.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes renames and removals in a folder last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// An error of the disk with its place.
#[cold]
pub(crate) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("{}: {what}: {error}", path.display()))
}

/// A hash as text.
#[must_use]
pub fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(2 * hash.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
