//! The journal of a session: records in mapped segments, appended by one process, read in place by
//! any number of others.

pub mod bench;
mod cursor;
mod folder;
mod keeper;
mod layout;
mod migrate;
mod options;
mod recovery;
mod segment;
mod shared;
mod snapshot;
mod sources;
mod verify;
mod walk;
mod writer;

pub use cursor::{Cursor, Gap, Item, Start};
pub use folder::{hex, Folder, Lock};
pub use layout::{Hash, Position, Seal, SegmentHead, SourceHashes, MAX_PAYLOAD};
pub use migrate::{migrate, Migrated, Migration};
pub use options::{Options, SyncPolicy};
pub use recovery::{Finding, Recovered, Recovery, RecoveryReport};
pub use shared::{Control, Space, StateBytes, Stats};
pub use snapshot::{keep_newest, Snapshot};
pub use sources::Sources;
pub use verify::{verify, Verification};
pub use walk::{Fault, Record, Step, Walk};
pub use writer::Writer;
