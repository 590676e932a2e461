//! The Arrow C data interface: tables out without a copy, columns in with one.
//!
//! The three structures and their release rules are those of the Arrow specification ("The Arrow
//! C data interface", "C stream interface" and "PyCapsule interface"). A structure is owned by
//! whoever holds it until its `release` is called; a null `release` means it is empty.

pub mod export;
pub mod import;

use std::ffi::{c_char, c_int, c_void, CStr};

/// Name of a capsule that holds an [`ArrowArrayStream`].
pub const STREAM_CAPSULE: &CStr = c"arrow_array_stream";
/// Name of a capsule that holds an [`ArrowSchema`].
pub const SCHEMA_CAPSULE: &CStr = c"arrow_schema";

/// Values may be missing.
pub const FLAG_NULLABLE: i64 = 2;

/// A type, or the columns of a table.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

/// Values of one type, or one batch of rows.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

/// Batches of rows of one schema, pulled one by one.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArrayStream {
    get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    private_data: *mut c_void,
}

// SAFETY: the structures own what they point to, and the specification lets them be used and
// released from any thread, one at a time.
unsafe impl Send for ArrowSchema {}
// SAFETY: as above.
unsafe impl Send for ArrowArray {}
// SAFETY: as above.
unsafe impl Send for ArrowArrayStream {}

macro_rules! empty_and_drop {
    ($type:ident, { $($field:ident: $value:expr),* $(,)? }) => {
        impl $type {
            /// An empty structure, for a producer to fill.
            pub const fn empty() -> Self {
                Self { $($field: $value,)* release: None, private_data: std::ptr::null_mut() }
            }
        }

        impl Drop for $type {
            fn drop(&mut self) {
                if let Some(release) = self.release {
                    // SAFETY: a set `release` belongs to a filled structure that we own, and it
                    // is called once: it clears itself, and nobody uses `self` afterwards.
                    unsafe { release(self) }
                }
            }
        }
    };
}

empty_and_drop!(ArrowSchema, {
    format: std::ptr::null(), name: std::ptr::null(), metadata: std::ptr::null(), flags: 0,
    n_children: 0, children: std::ptr::null_mut(), dictionary: std::ptr::null_mut(),
});
empty_and_drop!(ArrowArray, {
    length: 0, null_count: 0, offset: 0, n_buffers: 0, n_children: 0,
    buffers: std::ptr::null_mut(), children: std::ptr::null_mut(),
    dictionary: std::ptr::null_mut(),
});
empty_and_drop!(ArrowArrayStream, { get_schema: None, get_next: None, get_last_error: None });
