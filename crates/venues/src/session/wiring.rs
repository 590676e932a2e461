//! How a venue's protocol hangs together: what a session needs to know beside the codec.

/// How the books of a venue begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotBy {
    /// By a request for so many levels, while the changes that come meanwhile are kept.
    Request(u32),
    /// In the stream itself: it begins with the whole book, or every message is one.
    Stream,
}

/// How user events are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserBy {
    /// By a key in the address of the stream, kept alive so often.
    ListenKey {
        /// Between two requests that keep it alive, ms.
        keep_ms: u64,
    },
    /// By a signed request on the connection for orders.
    Trade,
    /// By a log-in on a connection of their own, then a subscription.
    LogIn,
    /// By subscriptions that name the account.
    Address,
}

/// How a venue's protocol hangs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// How books begin.
    pub snapshot: SnapshotBy,
    /// How user events are had.
    pub user: UserBy,
    /// Whether the connection for orders wants a log-in.
    pub trade_log_in: bool,
    /// Words in frames of subscription that, replaced by those beside them, take it back.
    pub unsubscribe: (&'static str, &'static str),
    /// Codes by which the venue says that our clock is wrong.
    pub clock_codes: &'static [&'static str],
    /// Whether the venue has positions; where it has none, holdings of the base currency stand for
    /// them.
    pub positions: bool,
    /// Most fills in one answer.
    pub fills_page: u32,
    /// Whether the countdown that cancels is set for each instrument, or for all at once.
    pub countdown_each: bool,
    /// Whether a refusal of too many orders without a time to wait is about new orders alone: cancels
    /// and questions go on.
    pub orders_limited_apart: bool,
}

/// Wiring by HTTP and a stream that needs nothing special.
pub const PLAIN: Wiring = Wiring {
    snapshot: SnapshotBy::Stream,
    user: UserBy::Address,
    trade_log_in: false,
    unsubscribe: ("", ""),
    clock_codes: &[],
    positions: true,
    fills_page: 100,
    countdown_each: false,
    orders_limited_apart: false,
};
