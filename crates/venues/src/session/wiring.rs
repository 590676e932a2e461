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
    /// Whether fills are listed from the oldest on: what is missing of a long list begins at the time of its
    /// last one. Lists from the newest on say themselves where they go on.
    pub fills_ascend: bool,
    /// Most open orders in one answer; 0 where lists are whole.
    pub orders_page: u32,
    /// Whether lists of all positions and orders are those of one settlement currency.
    pub lists_by_settlement: bool,
    /// Whether orders that wait for their trigger are cancelled and asked about apart.
    pub armed_apart: bool,
    /// Whether such orders can be changed where they wait.
    pub armed_amends: bool,
    /// Lists of such orders beside that of open orders.
    pub armed_lists: u8,
    /// Where such orders are told of by a stream of their own: words in the address of user events that,
    /// replaced by those beside them, give its address. Both are empty where one stream tells of all.
    pub armed_stream: (&'static str, &'static str),
    /// Whether the countdown that cancels is set for each instrument, or for all at once.
    pub countdown_each: bool,
    /// Whether connecting for orders counts as a request: it waits while the venue takes none.
    pub orders_socket_counts: bool,
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
    fills_ascend: false,
    orders_page: 0,
    lists_by_settlement: false,
    armed_apart: false,
    armed_amends: false,
    armed_lists: 0,
    armed_stream: ("", ""),
    countdown_each: false,
    orders_socket_counts: false,
    orders_limited_apart: false,
};
