//! One interface for every venue: bytes to what they say and back, and the rules in between.

use mainspring_core::{Result, TimeNs};

use crate::fact::OnFact;
use crate::failure::Failure;
use crate::feed::{OnEvent, Sides};
use crate::json::Scan;
use crate::listing::Listing;
use crate::mark::MarkOf;
use crate::operation::Operation;
use crate::outgoing::{Outgoing, Reply, Via};
use crate::rows::RowSink;
use crate::rules::Rules;
use crate::session::wiring::Wiring;

/// Which network of a venue: real money, or its test network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Real money.
    #[default]
    Main,
    /// The venue's test network.
    Test,
}

/// Where a venue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// REST, without a path.
    pub rest: &'static str,
    /// Websocket of public market data; the first is for books and best prices, the second for the
    /// rest. Both are the same where the venue does not tell them apart.
    pub market: [&'static str; 2],
    /// Websocket of user events.
    pub user: &'static str,
    /// Websocket for orders; empty where orders go by REST alone.
    pub trade: &'static str,
    /// A node of the chain (dYdX); empty elsewhere.
    pub chain: &'static str,
}

/// A stream of market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The book, by changes where the venue sends changes.
    Book,
    /// Best bid and ask.
    Best,
    /// Trades.
    Trades,
    /// Mark price and funding.
    Mark,
}

/// How a connection is kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// What we send; empty where the venue's ping frames are enough.
    pub ping: &'static str,
    /// How often, ms.
    pub every_ms: u64,
    /// The connection is dead after so much silence, ms.
    pub silence_ms: u64,
    /// The venue ends every connection after so long, ms; 0 for never.
    pub life_ms: u64,
}

/// A venue's codec. It does no I/O, holds no clock, and keeps nothing but the credentials, its buffers
/// and what a protocol asks the client to count (nonces, sequence numbers).
pub trait Venue: Send {
    /// The name in configuration and in instruments.
    fn name(&self) -> &str;

    /// What the venue takes.
    fn rules(&self) -> &Rules;

    /// Where it is.
    fn endpoints(&self, network: Network) -> Endpoints;

    /// How connections are kept alive.
    fn heartbeat(&self) -> Heartbeat;

    /// How its protocol hangs together.
    fn wiring(&self) -> Wiring;

    /// The number of the request that a frame answers, as [`Via::Socket`] gave it; `None` for frames
    /// that nobody asked for.
    fn answered(&self, frame: &[u8]) -> Option<u64>;

    /// The count of a frame among all of its connection, where the venue counts them: a jump means a
    /// lost one, whatever it was about.
    fn counted(&self, frame: &[u8]) -> Option<i64> {
        let _ = frame;
        None
    }

    /// How copies of messages of market data are told, where the venue numbers them for all connections
    /// alike. Venues that count per connection, or not at all, have none.
    fn marks(&self) -> Option<MarkOf> {
        None
    }

    /// Writes the text frames that subscribe to streams of market data, each with its connection
    /// (index into [`Endpoints::market`]).
    ///
    /// # Errors
    /// When a stream is not there.
    fn subscribe(
        &self,
        listings: &[&Listing],
        streams: &[Stream],
        id: u64,
        frames: &mut Vec<(usize, String)>,
    ) -> Result<()>;

    /// Reads one message of market data, stream or answer.
    ///
    /// # Errors
    /// When it is malformed, or a known field holds what it cannot hold.
    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()>;

    /// Reads one message of market data into rows; those of the message before are dropped.
    ///
    /// # Errors
    /// As [`Self::market`], and when a price is off the instrument's grid. There are no rows
    /// then.
    fn rows(
        &mut self,
        text: &[u8],
        recv_ns: TimeNs,
        sides: &mut Sides,
        sink: &mut RowSink,
    ) -> Scan<()> {
        general_rows(self, text, recv_ns, sides, sink)
    }

    /// Reads the answer to [`Operation::Instruments`]: what can be traded, by what rules. What this
    /// engine does not trade (options, for one) is left out; what cannot be read is refused.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>>;

    /// Writes a request. `now_ms` is the venue's clock as far as we know it.
    ///
    /// # Errors
    /// When the venue has no such request, the order breaks its rules, or credentials are missing.
    fn encode(
        &mut self,
        operation: &Operation<'_>,
        via: Via,
        now_ms: i64,
        out: &mut Outgoing,
    ) -> Result<()>;

    /// Reads the answer to a request that was encoded as `out`.
    ///
    /// # Errors
    /// What the venue says is wrong, in one of five classes. An answer that cannot be read is of the
    /// class [`crate::failure::FailureClass::Unknown`].
    fn answer(
        &mut self,
        out: &Outgoing,
        reply: &Reply<'_>,
        on: OnFact<'_>,
    ) -> std::result::Result<(), Failure>;

    /// Reads one message of the user stream.
    ///
    /// # Errors
    /// Says what is wrong with the message.
    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String>;
}

/// Reads one message into rows by way of the venue's events.
///
/// # Errors
/// As [`Venue::rows`].
pub fn general_rows<V: Venue + ?Sized>(
    venue: &mut V,
    text: &[u8],
    recv_ns: TimeNs,
    sides: &mut Sides,
    sink: &mut RowSink,
) -> Scan<()> {
    sink.clear();
    let mut refused = None;
    let read = venue.market(text, sides, &mut |event| {
        refused = refused.take().or(sink.take(&event, recv_ns).err());
    });
    let result = refused.map_or(read, Err);
    if result.is_err() {
        sink.clear();
    }
    result
}
