//! The header of a numpy array of records.

use mainspring_core::{Error, ErrorKind, Result};

use super::binary::Bytes;

/// A field of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type as numpy writes it, such as `<f8`.
    pub dtype: String,
}

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Fields in order; they follow each other without padding.
    pub fields: Vec<Field>,
    /// Number of records.
    pub rows: u64,
}

/// Reads the header at the start of an input.
///
/// # Errors
/// When it is no numpy array of one dimension of plain records.
pub fn read_header(bytes: &mut Bytes) -> Result<Header> {
    let wrong = |bytes: &Bytes, what: &str| {
        Error::new(ErrorKind::Data, format!("{}: {what}", bytes.place().file))
    };
    let start = bytes.peek(12)?.to_vec();
    let (length_at, text_at) = match start.get(..8) {
        Some([0x93, b'N', b'U', b'M', b'P', b'Y', 1, _]) => (8..10, 10),
        Some([0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _]) => (8..12, 12),
        _ => return Err(wrong(bytes, "not a numpy array (.npy)")),
    };
    let Some(digits) = start.get(length_at) else {
        return Err(wrong(bytes, "the header of the numpy array is cut off"));
    };
    let length = digits.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > 65_536 {
        return Err(wrong(bytes, "the header of the numpy array is too long"));
    }
    bytes.skip(text_at);
    let text = bytes.peek(length)?.to_vec();
    if text.len() < length {
        return Err(wrong(bytes, "the header of the numpy array is cut off"));
    }
    bytes.skip(length);
    let text = String::from_utf8_lossy(&text).into_owned();
    parse(&text)
        .ok_or_else(|| wrong(bytes, "not a one-dimensional numpy array of records in C order"))
}

fn parse(text: &str) -> Option<Header> {
    let value = |key: &str| {
        let at = text.find(&format!("'{key}':"))? + key.len() + 3;
        Some(text[at..].trim_start())
    };
    if !value("fortran_order")?.starts_with("False") {
        return None;
    }
    let shape = value("shape")?.strip_prefix('(')?;
    let (rows, rest) = shape.split_once(',')?;
    if !rest.trim_start().starts_with(')') {
        return None;
    }
    let descr = value("descr")?.strip_prefix('[')?;
    let descr = &descr[..descr.find(']')?];
    let mut fields = Vec::new();
    for part in descr.split('(').skip(1) {
        let mut quoted = part.split('\'').skip(1).step_by(2);
        let (name, dtype) = (quoted.next()?, quoted.next()?);
        // A third quoted part or a number would be a shape or a title.
        if quoted.next().is_some() {
            return None;
        }
        fields.push(Field { name: name.to_owned(), dtype: dtype.to_owned() });
    }
    Some(Header { fields, rows: rows.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_records_are_read() {
        let text =
            "{'descr': [('ev', '<u8'), ('px', '<f8')], 'fortran_order': False, 'shape': (12,), }";
        let header = parse(text).unwrap();
        assert_eq!(header.rows, 12);
        assert_eq!(header.fields[1], Field { name: "px".into(), dtype: "<f8".into() });
        assert_eq!(parse(&text.replace("(12,)", "(3, 4)")), None);
        assert_eq!(parse(&text.replace("False", "True")), None);
    }
}
