//! Binance spot and USD-M futures: market data, trading, rules. (COIN-M market data is read as well.)

mod encode;
mod errors;
mod feed;
mod frame;
mod hot;
mod instruments;
mod mark;
pub mod market;
mod reply;
mod rules;
pub mod sync;
mod user;

pub use market::{scan, strict, Body, Decoder, Fields, Message, Slot};
pub use sync::{DepthSync, Market, Step};

use std::fmt;

use mainspring_core::{Result, TimeNs};

use crate::document::Object;
use crate::fact::OnFact;
use crate::failure::Failure;
use crate::feed::{OnEvent, Sides};
use crate::json::Scan;
use crate::listing::Listing;
use crate::mark::MarkOf;
use crate::operation::Operation;
use crate::outgoing::{Outgoing, Reply, Via};
use crate::params::Params;
use crate::rows::RowSink;
use crate::rules::Rules;
use crate::session::wiring::Wiring;
use crate::sign::Credentials;
use crate::venue::{general_rows, Endpoints, Heartbeat, Network, Stream, Venue};

/// How much the answer to a new order says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Respond {
    /// That it was taken; what became of it comes by the user stream.
    Ack,
    /// Its state. Futures have no more than that.
    Result,
    /// Its state and its fills.
    #[default]
    Full,
}

/// Settings of a connection to Binance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A signed request is refused when it comes later than this (`recvWindow`); at most 60,000.
    pub recv_window_ms: u32,
    /// How much the answer to a new order says.
    pub respond: Respond,
    /// Takes fills from `TRADE_LITE`, which comes first and has no fee.
    pub fast_fills: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { recv_window_ms: 5_000, respond: Respond::Full, fast_fills: false }
    }
}

/// The codec of one of the two markets.
pub struct Binance {
    market: Market,
    settings: Settings,
    credentials: Option<Credentials>,
    decoder: Decoder,
    params: Params,
    payload: String,
    signing: Option<frame::Signing>,
    pen: frame::Pen,
}

impl Binance {
    /// Spot, or USD-M futures. Without credentials it reads market data.
    #[must_use]
    pub fn new(market: Market, settings: Settings, credentials: Option<Credentials>) -> Self {
        let signing = credentials.as_ref().and_then(frame::Signing::new);
        Self {
            market,
            settings,
            credentials,
            decoder: Decoder::default(),
            params: Params::default(),
            payload: String::new(),
            signing,
            pen: frame::Pen::default(),
        }
    }
}

impl fmt::Debug for Binance {
    /// The key and signatures are in its buffers: they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binance")
            .field("market", &self.market)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Venue for Binance {
    fn name(&self) -> &'static str {
        match self.market {
            Market::Spot => "binance",
            Market::Futures => "binance_usdm",
        }
    }

    fn rules(&self) -> &'static Rules {
        rules::of(self.market)
    }

    fn endpoints(&self, network: Network) -> Endpoints {
        rules::endpoints(self.market, network)
    }

    fn heartbeat(&self) -> Heartbeat {
        rules::HEARTBEAT
    }

    fn wiring(&self) -> Wiring {
        rules::wiring(self.market)
    }

    fn answered(&self, frame: &[u8]) -> Option<u64> {
        let frame = Object::read(frame).ok()?;
        frame.has("status").then(|| frame.word("id").ok().flatten()?.parse().ok()).flatten()
    }

    fn marks(&self) -> Option<MarkOf> {
        Some(mark::mark)
    }

    fn subscribe(
        &self,
        listings: &[&Listing],
        streams: &[Stream],
        id: u64,
        frames: &mut Vec<(usize, String)>,
    ) -> Result<()> {
        feed::subscribe(self.market, listings, streams, id, frames)
    }

    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
        feed::events(&mut self.decoder, text, sides, on)
    }

    fn rows(
        &mut self,
        text: &[u8],
        recv_ns: TimeNs,
        sides: &mut Sides,
        sink: &mut RowSink,
    ) -> Scan<()> {
        sink.clear();
        match hot::rows(text, recv_ns, sink) {
            true => Ok(()),
            false => general_rows(self, text, recv_ns, sides, sink),
        }
    }

    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>> {
        instruments::read(self.market, self.name(), body)
    }

    fn encode(
        &mut self,
        operation: &Operation<'_>,
        via: Via,
        now_ms: i64,
        out: &mut Outgoing,
    ) -> Result<()> {
        encode::encode(self, operation, via, now_ms, out)
    }

    fn answer(
        &mut self,
        out: &Outgoing,
        reply: &Reply<'_>,
        on: OnFact<'_>,
    ) -> std::result::Result<(), Failure> {
        reply::answer(self.market, out, reply, on)
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        user::event(text, self.settings.fast_fills, on).map_err(|what| what.to_string())
    }
}
