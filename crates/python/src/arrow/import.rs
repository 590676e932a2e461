//! Arrow streams of other libraries as tables of ours. Values are copied.

use std::ffi::{c_void, CStr};

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_data::{Column, Strings, Table};

use super::{ArrowArray, ArrowArrayStream, ArrowSchema};

/// Reads a whole stream into a table.
///
/// # Errors
/// When the producer fails, or a column is of a type without a counterpart or holds nulls that
/// cannot be told apart from values.
pub fn table(name: &str, mut stream: ArrowArrayStream) -> Result<Table> {
    let schema = pull_schema(&mut stream)?;
    if text(schema.format) != "+s" {
        return Err(unsupported("the stream", "does not hold rows of columns"));
    }
    let fields: Vec<&ArrowSchema> = children(schema.children, schema.n_children);
    let mut columns = fields.iter().map(|field| empty_column(field)).collect::<Result<Vec<_>>>()?;
    while let Some(batch) = pull_batch(&mut stream)? {
        let arrays: Vec<&ArrowArray> = children(batch.children, batch.n_children);
        if arrays.len() != columns.len() {
            return Err(unsupported("a batch", "has other columns than the schema"));
        }
        for ((column, field), array) in columns.iter_mut().zip(&fields).zip(arrays) {
            let cells = Cells { field, array, from: batch.offset, len: batch.length };
            cells.append_to(column)?;
        }
    }
    fields
        .iter()
        .zip(columns)
        .try_fold(Table::new(name), |table, (field, column)| table.with(text(field.name), column))
}

fn pull_schema(stream: &mut ArrowArrayStream) -> Result<ArrowSchema> {
    let mut schema = ArrowSchema::empty();
    let get = stream.get_schema.ok_or_else(|| unsupported("the stream", "was used before"))?;
    // SAFETY: the stream is live and ours; `schema` is empty and writable.
    let status = unsafe { get(stream, &mut schema) };
    check(stream, status)?;
    Ok(schema)
}

fn pull_batch(stream: &mut ArrowArrayStream) -> Result<Option<ArrowArray>> {
    let mut batch = ArrowArray::empty();
    let get = stream.get_next.ok_or_else(|| unsupported("the stream", "was used before"))?;
    // SAFETY: as in `pull_schema`.
    let status = unsafe { get(stream, &mut batch) };
    check(stream, status)?;
    Ok(batch.release.is_some().then_some(batch))
}

fn check(stream: &mut ArrowArrayStream, status: i32) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the stream is live; the text lasts until its next call.
    let message = stream.get_last_error.map(|get| text(unsafe { get(stream) })).unwrap_or_default();
    Err(Error::new(ErrorKind::Data, format!("reading Arrow data failed ({status}): {message}")))
}

/// The text behind a pointer of the interface, empty for null.
fn text(pointer: *const std::ffi::c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: non-null names and formats are C strings that live as long as their structure.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

fn children<'a, T>(pointers: *mut *mut T, count: i64) -> Vec<&'a T> {
    // SAFETY: a live structure has `count` valid children; callers keep it alive while they use
    // them (both are locals of `table`).
    (0..usize::try_from(count).unwrap_or(0)).map(|n| unsafe { &**pointers.add(n) }).collect()
}

fn unsupported(what: &str, why: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{what} {why}"))
}

fn empty_column(field: &ArrowSchema) -> Result<Column> {
    let format = text(field.format);
    if !field.dictionary.is_null() {
        // SAFETY: a non-null dictionary is a valid schema that lives as long as its field.
        let values = text(unsafe { &*field.dictionary }.format);
        if matches!(values.as_str(), "u" | "U" | "vu") {
            return Ok(Column::Utf8(Strings::default()));
        }
    }
    Ok(match format.as_str() {
        "c" => Column::I8(vec![]),
        "C" => Column::U8(vec![]),
        "s" | "i" => Column::I32(vec![]),
        "S" => Column::U16(vec![]),
        "I" => Column::U32(vec![]),
        "l" => Column::I64(vec![]),
        "L" => Column::U64(vec![]),
        "f" | "g" => Column::F64(vec![]),
        "b" => Column::Bool(vec![]),
        "u" | "U" | "vu" => Column::Utf8(Strings::default()),
        other if other.starts_with("ts") || other == "tdD" => Column::Timestamp(vec![]),
        other => {
            return Err(unsupported(
                &format!("column '{}'", text(field.name)),
                &format!(
                    "has Arrow type '{other}', which has no counterpart here; cast it to int64, \
                     float64, bool, string or timestamp"
                ),
            ))
        }
    })
}

/// The values of one column in one batch: rows `from..from + len` of the batch.
struct Cells<'a> {
    field: &'a ArrowSchema,
    array: &'a ArrowArray,
    from: i64,
    len: i64,
}

impl Cells<'_> {
    fn append_to(&self, column: &mut Column) -> Result<()> {
        let format = text(self.field.format);
        if !matches!(column, Column::F64(_)) {
            self.refuse_nulls()?;
        }
        match column {
            Column::I8(out) => out.extend(self.values::<i8>()),
            Column::U8(out) => out.extend(self.values::<u8>()),
            Column::U16(out) => out.extend(self.values::<u16>()),
            Column::U32(out) => out.extend(self.values::<u32>()),
            Column::I64(out) => out.extend(self.values::<i64>()),
            Column::U64(out) => out.extend(self.values::<u64>()),
            Column::I32(out) if format == "s" => {
                out.extend(self.values::<i16>().map(i32::from));
            }
            Column::I32(out) => out.extend(self.values::<i32>()),
            Column::F64(out) if format == "f" => {
                out.extend(self.with_nan(self.values::<f32>().map(f64::from)));
            }
            Column::F64(out) => out.extend(self.with_nan(self.values::<f64>())),
            Column::Bool(out) => out.extend(self.rows().map(|row| self.bit(1, row))),
            Column::Timestamp(out) => self.append_times(&format, out)?,
            Column::Utf8(out) => self.append_text(&format, out)?,
        }
        Ok(())
    }

    /// The rows of the array's buffers that belong to the batch.
    fn rows(&self) -> std::ops::Range<usize> {
        let start = (self.array.offset + self.from).max(0) as usize;
        start..start + self.len.max(0) as usize
    }

    fn buffer(&self, number: usize) -> *const c_void {
        if (number as i64) >= self.array.n_buffers {
            return std::ptr::null();
        }
        // SAFETY: the array is live and has `n_buffers` pointers.
        unsafe { *self.array.buffers.add(number) }
    }

    /// The values of a fixed-width column.
    fn values<T: Copy>(&self) -> impl Iterator<Item = T> {
        let data = self.buffer(1).cast::<T>();
        // SAFETY: the column's format says that buffer 1 holds values of type `T` for every row
        // of the array. Producers need not align them.
        self.rows().map(move |row| unsafe { data.add(row).read_unaligned() })
    }

    fn bit(&self, buffer: usize, row: usize) -> bool {
        // SAFETY: bit buffers hold a bit for every row of the array; callers pass those only.
        unsafe { *self.buffer(buffer).cast::<u8>().add(row / 8) >> (row % 8) & 1 == 1 }
    }

    fn is_null(&self, row: usize) -> bool {
        !self.buffer(0).is_null() && self.array.null_count != 0 && !self.bit(0, row)
    }

    fn refuse_nulls(&self) -> Result<()> {
        match self.rows().position(|row| self.is_null(row)) {
            None => Ok(()),
            Some(at) => Err(unsupported(
                &format!("column '{}'", text(self.field.name)),
                &format!("has no value in row {at} of a batch; fill or drop missing values"),
            )),
        }
    }

    fn with_nan<'a>(
        &'a self,
        values: impl Iterator<Item = f64> + 'a,
    ) -> impl Iterator<Item = f64> + 'a {
        self.rows().zip(values).map(|(row, v)| if self.is_null(row) { f64::NAN } else { v })
    }

    fn append_times(&self, format: &str, out: &mut Vec<i64>) -> Result<()> {
        let scale: i64 = match format.get(..3) {
            Some("tss") => 1_000_000_000,
            Some("tsm") => 1_000_000,
            Some("tsu") => 1_000,
            Some("tdD") => 86_400_000_000_000,
            _ => 1,
        };
        let too_far = || {
            unsupported(&format!("column '{}'", text(self.field.name)), "has a time out of range")
        };
        let mut push = |time: i64| -> Result<()> {
            out.push(time.checked_mul(scale).ok_or_else(too_far)?);
            Ok(())
        };
        if format == "tdD" {
            self.values::<i32>().map(i64::from).try_for_each(&mut push)
        } else {
            self.values::<i64>().try_for_each(&mut push)
        }
    }

    fn append_text(&self, format: &str, out: &mut Strings) -> Result<()> {
        if !self.field.dictionary.is_null() {
            return self.append_dictionary(format, out);
        }
        for row in self.rows() {
            let bytes = match format {
                "u" => self.sliced::<i32>(row),
                "U" => self.sliced::<i64>(row),
                _ => self.viewed(row),
            };
            out.push(std::str::from_utf8(bytes).map_err(|_| {
                unsupported(&format!("column '{}'", text(self.field.name)), "holds broken text")
            })?);
        }
        Ok(())
    }

    fn sliced<O: Copy + TryInto<usize>>(&self, row: usize) -> &[u8] {
        let offsets = self.buffer(1).cast::<O>();
        // SAFETY: there is one offset more than rows, ascending and within the text of buffer 2.
        unsafe {
            let start = offsets.add(row).read_unaligned().try_into().unwrap_or(0);
            let end = offsets.add(row + 1).read_unaligned().try_into().unwrap_or(0);
            bytes_at(self.buffer(2), start, end.saturating_sub(start))
        }
    }

    /// A string view: length, then the text itself (up to 12 bytes), or a prefix and the number
    /// of the buffer and the place in it.
    fn viewed(&self, row: usize) -> &[u8] {
        let view = self.buffer(1).cast::<u8>();
        // SAFETY: views are 16 bytes, one for every row; long ones point into data buffers, which
        // follow the views.
        unsafe {
            let view = view.add(row * 16);
            let word = |at: usize| view.add(at).cast::<i32>().read_unaligned().max(0) as usize;
            let len = word(0);
            if len <= 12 {
                bytes_at(view.cast(), 4, len)
            } else {
                bytes_at(self.buffer(2 + word(8)), word(12), len)
            }
        }
    }

    fn append_dictionary(&self, format: &str, out: &mut Strings) -> Result<()> {
        // SAFETY: an array of a field with a dictionary has one too, live as long as the array.
        let (field, array) = unsafe { (&*self.field.dictionary, &*self.array.dictionary) };
        let mut words = Strings::default();
        let values = Cells { field, array, from: 0, len: array.length };
        values.append_text(&text(field.format), &mut words)?;
        let keys: Vec<usize> = match format {
            "c" | "C" => self.values::<u8>().map(usize::from).collect(),
            "s" | "S" => self.values::<u16>().map(usize::from).collect(),
            "l" | "L" => self.values::<u64>().map(|k| k as usize).collect(),
            _ => self.values::<u32>().map(|k| k as usize).collect(),
        };
        keys.into_iter().for_each(|key| out.push(words.get(key).unwrap_or_default()));
        Ok(())
    }
}

/// # Safety
/// `len` bytes from `start` on must be readable behind `base` for as long as the result is used.
unsafe fn bytes_at<'a>(base: *const c_void, start: usize, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(base.cast::<u8>().add(start), len) }
}
