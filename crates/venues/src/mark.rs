//! What copies of a message of market data have in common, by the venue's own numbers.
//!
//! Several connections to one stream bring the same messages at different moments. Which of them are
//! the same is told by the number that the venue gave them, never by when they came.

use crate::json::{Scan, Scanner};
use crate::level::scan_integer;

/// How the number of a message continues its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one: the number is greater than all before it.
    Next,
    /// The whole state: it may repeat the newest number, and after a restart of the venue's service
    /// numbers begin anew with it.
    Whole,
    /// The venue says that numbers begin anew here.
    Reset,
}

/// A message as its copies have it in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which stream: a hash of kind and symbol.
    pub stream: u64,
    /// The venue's number, which grows along the stream.
    pub id: i64,
    /// How it continues the stream.
    pub step: Step,
}

/// Reads the mark of a message; `None` for one that has none.
pub type MarkOf = fn(&[u8]) -> Option<Mark>;

impl Mark {
    /// The next message of a stream.
    #[must_use]
    pub fn next(kind: &[u8], symbol: &[u8], id: i64) -> Self {
        Self::new(kind, symbol, id, Step::Next)
    }

    /// A message of a stream.
    #[must_use]
    pub fn new(kind: &[u8], symbol: &[u8], id: i64, step: Step) -> Self {
        Self { stream: hash(kind, symbol), id, step }
    }
}

/// FNV-1a of both (Fowler, Noll and Vo).
fn hash(kind: &[u8], symbol: &[u8]) -> u64 {
    let bytes = kind.iter().chain(b"@").chain(symbol);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The values of some keys of an object, as they stand; the last one counts where a key is there twice.
pub(crate) fn values<'a, const N: usize>(
    text: &'a [u8],
    keys: [&[u8]; N],
) -> Scan<[Option<&'a [u8]>; N]> {
    let (mut scanner, mut found) = (Scanner::new(text), [None; N]);
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match keys.iter().position(|wanted| *wanted == key) {
            Some(at) => found[at] = Some(scanner.raw()?),
            None => scanner.skip()?,
        }
    }
    Ok(found)
}

/// The first and the last element of an array.
pub(crate) fn ends(text: &[u8]) -> Scan<Option<(&[u8], &[u8])>> {
    let (mut scanner, mut both) = (Scanner::new(text), None);
    scanner.begin_array()?;
    while scanner.next_element()? {
        let one = scanner.raw()?;
        both = Some((both.map_or(one, |(first, _)| first), one));
    }
    Ok(both)
}

/// A number, also one that is written as text.
pub(crate) fn number(raw: &[u8]) -> Option<i64> {
    scan_integer(&mut Scanner::new(raw)).ok()
}

/// What stands between quotation marks.
pub(crate) fn text(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
