//! What a session is told at its start.

use super::effect::Addresses;
use crate::venue::Stream;

/// What happens to our orders when the venue cannot be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// They are cancelled: at once by what still works, at the latest by the venue's countdown where
    /// it has one, and again as soon as it can be heard.
    #[default]
    Cancel,
    /// They are kept.
    Keep,
}

/// Settings of a session.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Where the venue is.
    pub addresses: Addresses,
    /// Tells this session's orders from others on the account.
    pub tag: u32,
    /// Whether there are keys: without them the session hears the market and nothing else.
    pub trades: bool,
    /// Streams of market data.
    pub streams: Vec<Stream>,
    /// Market data is stale when a connection was silent, pings included, for so long.
    pub stale_ms: u64,
    /// A book of which nothing was heard for so long is asked for again, though the connection
    /// lives: it may be calm, or the venue may have ceased to tell.
    pub quiet_ms: u64,
    /// An answer on a connection is given up after so long.
    pub answer_ms: u64,
    /// What happens to our orders when the venue cannot be heard.
    pub on_disconnect: OnDisconnect,
    /// The venue's countdown cancels our orders after so much silence; 0 switches it off.
    pub countdown_ms: u64,
    /// Share of each rate budget, in percent, that only cancels may use.
    pub reserve_percent: u32,
    /// How often the venue's clock is asked.
    pub clock_ms: u64,
    /// How often the instruments' rules are asked.
    pub instruments_ms: u64,
    /// Whether orders go by the websocket where the venue takes them there.
    pub orders_by_socket: bool,
    /// Whether a halt, and a loss of the venue where that cancels, may cancel everything in the
    /// instruments at once: orders of others too.
    pub cancel_all: bool,
}

impl SessionSettings {
    /// The usual ones.
    #[must_use]
    pub fn new(addresses: Addresses, tag: u32, trades: bool) -> Self {
        Self {
            addresses,
            tag,
            trades,
            streams: vec![Stream::Book, Stream::Best, Stream::Trades, Stream::Mark],
            stale_ms: 5_000,
            quiet_ms: 15_000,
            answer_ms: 5_000,
            on_disconnect: OnDisconnect::Cancel,
            countdown_ms: 30_000,
            reserve_percent: 20,
            clock_ms: 60_000,
            instruments_ms: 3_600_000,
            orders_by_socket: true,
            cancel_all: false,
        }
    }
}
