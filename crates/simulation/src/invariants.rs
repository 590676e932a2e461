//! What must hold at the end, apart from the venue, and how it is said that something does not.

use mainspring_core::{Error, ErrorKind, Result};
use mainspring_kernel::session::Image;
use mainspring_trading::execution::parents::Parent;

const SECOND: i64 = 1_000_000_000;

/// A parent order may live so long after its end: a minute for taking the rest, and the time that
/// the last answers need.
const MAX_CLOSING_NS: i64 = 90 * SECOND;

/// No parent lives long after its end, and none has traded more than it was asked to.
pub(crate) fn agree_on_parents(image: &Image) -> Result<()> {
    let Some(parents) = &image.parents else { return Ok(()) };
    let late = |parent: &&Parent| parent.end_ns.saturating_add(MAX_CLOSING_NS) < image.now_ns;
    if let Some(parent) = parents.live.iter().find(late) {
        return broken(format!(
            "parents: {} is still {} {} s after its end",
            parent.id.0,
            parent.state.name(),
            (image.now_ns - parent.end_ns) / SECOND
        ));
    }
    let over = |parent: &&Parent| parent.filled > parent.terms.qty;
    match parents.ended.iter().find(over) {
        None => Ok(()),
        Some(parent) => broken(format!(
            "parents: {} was to trade {} and traded {}",
            parent.id.0, parent.terms.qty, parent.filled
        )),
    }
}

pub(crate) fn broken<T>(what: String) -> Result<T> {
    Err(Error::new(ErrorKind::Mismatch, format!("an invariant does not hold: {what}")))
}
