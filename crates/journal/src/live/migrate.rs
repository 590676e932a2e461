//! Records of older schemas, read as those of today.

use std::borrow::Cow;

use mainspring_core::{Error, ErrorKind, Result};

/// A kind and its payload.
pub type Migrated = (u16, Vec<u8>);

/// One step from a schema to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The schema that it reads; it gives `from + 1`.
    pub from: u32,
    /// Gives the kind and payload of a record in the next schema. `None` where nothing changed.
    pub step: fn(kind: u16, payload: &[u8]) -> Result<Option<Migrated>>,
}

/// Takes the payload of a record from `schema` to `current`, step by step.
///
/// # Errors
/// When the schema is newer than this build, or a step is missing or fails.
pub fn migrate<'a>(
    table: &[Migration],
    schema: u32,
    current: u32,
    kind: u16,
    payload: &'a [u8],
) -> Result<(u16, Cow<'a, [u8]>)> {
    if schema > current {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "the journal was written by a newer build (schema {schema}, this one reads up to {current}): update mainspring"
            ),
        ));
    }
    let (mut kind, mut payload) = (kind, Cow::Borrowed(payload));
    for from in schema..current {
        let migration = table.iter().find(|migration| migration.from == from).ok_or_else(|| {
            Error::new(
                ErrorKind::Mismatch,
                format!("this build cannot read journals of schema {schema} any more: use the one that wrote it"),
            )
        })?;
        if let Some((new_kind, new_payload)) = (migration.step)(kind, &payload)? {
            (kind, payload) = (new_kind, Cow::Owned(new_payload));
        }
    }
    Ok((kind, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(kind: u16, payload: &[u8]) -> Result<Option<Migrated>> {
        Ok((kind == 7).then(|| (8, [payload, &[0; 4]].concat())))
    }

    fn doubled(_: u16, payload: &[u8]) -> Result<Option<Migrated>> {
        Ok(Some((9, payload.repeat(2))))
    }

    const TABLE: [Migration; 2] =
        [Migration { from: 1, step: widened }, Migration { from: 2, step: doubled }];

    #[test]
    fn records_go_through_every_step_up_to_today() {
        let (kind, payload) = migrate(&TABLE, 1, 3, 7, b"ab").unwrap();
        assert_eq!((kind, &*payload), (9, &b"ab\0\0\0\0ab\0\0\0\0"[..]));
        let (kind, payload) = migrate(&TABLE, 1, 2, 5, b"ab").unwrap();
        assert_eq!((kind, payload), (5, Cow::Borrowed(&b"ab"[..])));
    }

    #[test]
    fn what_is_newer_or_has_no_step_is_refused() {
        assert!(migrate(&TABLE, 4, 3, 1, b"").unwrap_err().message().contains("newer build"));
        assert!(migrate(&TABLE, 0, 3, 1, b"").unwrap_err().message().contains("schema 0"));
    }
}
