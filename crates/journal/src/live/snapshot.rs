//! States on disk: whole or not there, bound to their place in the journal.

use std::fs;
use std::path::PathBuf;

use mainspring_core::{Error, ErrorKind, Result, TimeNs};

use super::folder::{failed, hex, sync_folder, write_whole, Folder};
use super::layout::{word, Position, SourceHashes};

const MAGIC: &[u8; 8] = b"MSPRSNP1";
const HEAD: usize = 8 + 8 + 8 + 4 * 8 + 4 * 32;

/// A state as it was behind a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Version of the journal's records at that time.
    pub schema: u32,
    /// Logical time.
    pub time_ns: TimeNs,
    /// Behind which record.
    pub position: Position,
    /// What the journal's segment at that place was made with.
    pub sources: SourceHashes,
    /// The state, opaque here.
    pub state: Vec<u8>,
}

impl Snapshot {
    /// Writes it: file and name are on the disk when this returns. The journal must be synced up to
    /// its position before.
    ///
    /// # Errors
    /// When it cannot be written; nothing half-written is left under its name.
    pub fn write(&self, folder: &Folder) -> Result<PathBuf> {
        let path = folder.snapshot(self.position.sequence);
        let head = self.head();
        let hash = content_hash(&head, &self.state);
        write_whole(&path, &[&head, &hash, &self.state])
            .map_err(|e| failed(&path, "cannot write a snapshot", &e))?;
        Ok(path)
    }

    fn head(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(MAGIC);
        put(&u64::from(self.schema).to_le_bytes());
        put(&self.time_ns.to_le_bytes());
        let Position { segment, offset, sequence, link } = self.position;
        [segment, offset, sequence, link].iter().for_each(|value| put(&value.to_le_bytes()));
        let SourceHashes { config, instruments, code, models } = self.sources;
        [config, instruments, code, models].iter().for_each(|hash| put(hash));
        bytes
    }

    /// Reads the snapshot behind record `sequence`.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read(folder: &Folder, sequence: u64) -> Result<Self> {
        let path = folder.snapshot(sequence);
        let bytes = fs::read(&path).map_err(|e| failed(&path, "cannot read a snapshot", &e))?;
        let snapshot = Self::parse(&bytes).map_err(|what| {
            Error::new(ErrorKind::Mismatch, format!("{}: {what}", path.display()))
        })?;
        if snapshot.position.sequence != sequence {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "{}: is the snapshot behind record {}",
                    path.display(),
                    snapshot.position.sequence
                ),
            ));
        }
        Ok(snapshot)
    }

    /// Reads the bytes of a snapshot's file.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (Some(head), Some(hash)) = (bytes.get(..HEAD), bytes.get(HEAD..HEAD + 32)) else {
            return Err(format!("the snapshot is cut short: {} bytes", bytes.len()));
        };
        let state = &bytes[HEAD + 32..];
        if !head.starts_with(MAGIC) {
            return Err("is not a snapshot that this build can read".into());
        }
        let found = content_hash(head, state);
        if found != hash {
            return Err(format!(
                "the snapshot is damaged: its content has the hash {}, not {}",
                &hex(&found)[..16],
                &hex(hash)[..16]
            ));
        }
        let hash_at = |at: usize| head[at..at + 32].try_into().unwrap_or_default();
        Ok(Self {
            schema: word(head, 8) as u32,
            time_ns: word(head, 16) as i64,
            position: Position {
                segment: word(head, 24),
                offset: word(head, 32),
                sequence: word(head, 40),
                link: word(head, 48),
            },
            sources: SourceHashes {
                config: hash_at(56),
                instruments: hash_at(88),
                code: hash_at(120),
                models: hash_at(152),
            },
            state: state.to_vec(),
        })
    }
}

fn content_hash(head: &[u8], state: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(state);
    *hasher.finalize().as_bytes()
}

/// Removes all but the newest `keep` snapshots and gives the sequence of the oldest one left.
///
/// # Errors
/// When the folder cannot be listed or a file not removed.
pub fn keep_newest(folder: &Folder, keep: usize) -> Result<u64> {
    let sequences = folder.snapshot_sequences()?;
    let surplus = sequences.len().saturating_sub(keep.max(1));
    for sequence in &sequences[..surplus] {
        let path = folder.snapshot(*sequence);
        fs::remove_file(&path).map_err(|e| failed(&path, "cannot remove a snapshot", &e))?;
    }
    if surplus > 0 {
        let path = folder.snapshots();
        sync_folder(&path).map_err(|e| failed(&path, "cannot sync", &e))?;
    }
    Ok(sequences.get(surplus).copied().unwrap_or(0))
}
