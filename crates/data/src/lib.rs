//! Event files, their checks, columnar tables and importers.
//!
//! An event file (`.mse`) holds market rows as the kernel reads them: fixed size, packed,
//! checksummed, mapped and never copied. Everything else here is a way to make one, to judge
//! one, or to show its content as columns.

pub mod bench;
pub mod check;
pub mod clock;
pub mod columns;
pub mod format;
pub mod import;
pub mod provenance;
pub mod reader;
pub mod table;
pub mod writer;

pub use check::{check_file, CheckReport};
pub use clock::{estimate_offset, OffsetReport};
pub use format::{ChunkEntry, Row, Schema};
pub use provenance::{hash_file, ClockState, Provenance, SourceFile};
pub use reader::{merge_instruments, Chunk, EventFile};
pub use table::{Column, Strings, Table};
pub use writer::{EventWriter, Summary};
