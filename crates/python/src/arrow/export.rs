//! Tables as Arrow streams of one batch. Buffers point into the table, which each array keeps
//! alive; only truth values are packed into bits.

use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr;
use std::sync::Arc;

use mainspring_data::{Column, Table};

use super::{ArrowArray, ArrowArrayStream, ArrowSchema, FLAG_NULLABLE};

/// The table as a stream.
pub fn stream(table: Arc<Table>) -> ArrowArrayStream {
    let state = Box::new(StreamState { table, done: false });
    ArrowArrayStream {
        get_schema: Some(stream_schema),
        get_next: Some(stream_next),
        get_last_error: Some(stream_last_error),
        release: Some(stream_release),
        private_data: Box::into_raw(state).cast(),
    }
}

/// The columns of the table as a schema.
pub fn schema(table: &Table) -> ArrowSchema {
    let children = table
        .columns()
        .iter()
        .map(|(name, column)| {
            let nullable = matches!(column, Column::F64(_));
            new_schema(format(column), name, if nullable { FLAG_NULLABLE } else { 0 }, Vec::new())
        })
        .collect();
    new_schema("+s", "", 0, children)
}

const fn format(column: &Column) -> &'static str {
    match column {
        Column::I64(_) => "l",
        Column::I32(_) => "i",
        Column::I8(_) => "c",
        Column::U64(_) => "L",
        Column::U32(_) => "I",
        Column::U16(_) => "S",
        Column::U8(_) => "C",
        Column::F64(_) => "g",
        Column::Bool(_) => "b",
        Column::Timestamp(_) => "tsn:UTC",
        Column::Utf8(_) => "U",
    }
}

struct SchemaState {
    format: CString,
    name: CString,
    children: Vec<*mut ArrowSchema>,
}

fn new_schema(format: &str, name: &str, flags: i64, children: Vec<ArrowSchema>) -> ArrowSchema {
    // A zero byte cannot be part of a C string: the name ends in front of it.
    let text = |s: &str| CString::new(s.split('\0').next().unwrap_or_default()).unwrap_or_default();
    let children = children.into_iter().map(|child| Box::into_raw(Box::new(child))).collect();
    let mut state = Box::new(SchemaState { format: text(format), name: text(name), children });
    ArrowSchema {
        format: state.format.as_ptr(),
        name: state.name.as_ptr(),
        metadata: ptr::null(),
        flags,
        n_children: state.children.len() as i64,
        children: state.children.as_mut_ptr(),
        dictionary: ptr::null_mut(),
        release: Some(schema_release),
        private_data: Box::into_raw(state).cast(),
    }
}

unsafe extern "C" fn schema_release(schema: *mut ArrowSchema) {
    // SAFETY: called by the owner of a schema that `new_schema` made, once; `private_data` is the
    // state boxed there, and its children are boxes too (dropping one releases it unless the
    // owner has moved it out and cleared its `release`).
    unsafe {
        let state = Box::from_raw((*schema).private_data.cast::<SchemaState>());
        state.children.iter().for_each(|child| drop(Box::from_raw(*child)));
        (*schema).release = None;
    }
}

/// What an exported array keeps alive until it is released.
struct ArrayState {
    _table: Arc<Table>,
    _bits: Vec<u8>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
}

fn new_array(length: usize, mut state: Box<ArrayState>) -> ArrowArray {
    ArrowArray {
        length: length as i64,
        null_count: 0,
        offset: 0,
        n_buffers: state.buffers.len() as i64,
        n_children: state.children.len() as i64,
        buffers: state.buffers.as_mut_ptr(),
        children: state.children.as_mut_ptr(),
        dictionary: ptr::null_mut(),
        release: Some(array_release),
        private_data: Box::into_raw(state).cast(),
    }
}

fn batch(table: &Arc<Table>) -> ArrowArray {
    let children = table
        .columns()
        .iter()
        .map(|(_, column)| Box::into_raw(Box::new(column_array(table, column))))
        .collect();
    let table_state = ArrayState {
        _table: Arc::clone(table),
        _bits: Vec::new(),
        buffers: vec![ptr::null()],
        children,
    };
    new_array(table.rows(), Box::new(table_state))
}

fn column_array(table: &Arc<Table>, column: &Column) -> ArrowArray {
    let bits = match column {
        Column::Bool(values) => pack_bits(values),
        _ => Vec::new(),
    };
    let values: *const c_void = match column {
        Column::I64(v) | Column::Timestamp(v) => v.as_ptr().cast(),
        Column::I32(v) => v.as_ptr().cast(),
        Column::I8(v) => v.as_ptr().cast(),
        Column::U64(v) => v.as_ptr().cast(),
        Column::U32(v) => v.as_ptr().cast(),
        Column::U16(v) => v.as_ptr().cast(),
        Column::U8(v) => v.as_ptr().cast(),
        Column::F64(v) => v.as_ptr().cast(),
        Column::Bool(_) => bits.as_ptr().cast(),
        Column::Utf8(strings) => strings.offsets().as_ptr().cast(),
    };
    let mut buffers = vec![ptr::null(), values];
    if let Column::Utf8(strings) = column {
        buffers.push(strings.bytes().as_ptr().cast());
    }
    let state =
        ArrayState { _table: Arc::clone(table), _bits: bits, buffers, children: Vec::new() };
    new_array(column.len(), Box::new(state))
}

fn pack_bits(values: &[bool]) -> Vec<u8> {
    values
        .chunks(8)
        .map(|eight| eight.iter().enumerate().fold(0, |byte, (n, bit)| byte | u8::from(*bit) << n))
        .collect()
}

unsafe extern "C" fn array_release(array: *mut ArrowArray) {
    // SAFETY: called by the owner of an array that `new_array` made, once; `private_data` is the
    // state boxed there, and its children are boxes that release themselves unless moved out.
    unsafe {
        let state = Box::from_raw((*array).private_data.cast::<ArrayState>());
        state.children.iter().for_each(|child| drop(Box::from_raw(*child)));
        (*array).release = None;
    }
}

struct StreamState {
    table: Arc<Table>,
    done: bool,
}

unsafe extern "C" fn stream_schema(from: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the consumer passes a live stream of ours and writable, empty memory for the schema.
    unsafe {
        let state = &*(*from).private_data.cast::<StreamState>();
        out.write(schema(&state.table));
    }
    0
}

unsafe extern "C" fn stream_next(from: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: as in `stream_schema`; a consumer uses a stream from one thread at a time.
    unsafe {
        let state = &mut *(*from).private_data.cast::<StreamState>();
        let next = if state.done { ArrowArray::empty() } else { batch(&state.table) };
        state.done = true;
        out.write(next);
    }
    0
}

unsafe extern "C" fn stream_last_error(_from: *mut ArrowArrayStream) -> *const c_char {
    // Nothing above can fail.
    ptr::null()
}

unsafe extern "C" fn stream_release(stream: *mut ArrowArrayStream) {
    // SAFETY: called by the owner of a stream that `stream` made, once.
    unsafe {
        drop(Box::from_raw((*stream).private_data.cast::<StreamState>()));
        (*stream).release = None;
    }
}
