//! Whether a book can be believed.

/// What is known about how well a book mirrors the venue's.
///
/// It changes only at the end of a message (and at once on a gap or a clear), because while a
/// message is being applied a sound book may be crossed for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Trust {
    /// Nothing has been received yet.
    #[default]
    Empty = 0,
    /// The book was emptied and its snapshot is not complete.
    Snapshotting = 1,
    /// The book can be used.
    Trusted = 2,
    /// Messages are missing; only a new snapshot heals it.
    Gapped = 3,
    /// The best bid was not below the best ask at the end of a message; heals when it is again.
    Crossed = 4,
}

impl Trust {
    /// Whether the book may be shown to strategies, features and fills.
    #[inline]
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Trusted)
    }
}
