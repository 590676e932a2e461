//! OKX v5: spot, perpetuals and futures.

mod account;
mod encode;
mod errors;
mod instruments;
mod mark;
mod market;
mod rules;

pub use market::decode;

use mainspring_core::Result;

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
use crate::rules::Rules;
use crate::session::wiring::Wiring;
use crate::sign::Credentials;
use crate::venue::{Endpoints, Heartbeat, Network, Stream, Venue};

/// Which products a connection lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// Spot.
    Spot,
    /// Perpetuals.
    #[default]
    Swap,
    /// Dated futures.
    Futures,
}

impl Product {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Spot => "SPOT",
            Self::Swap => "SWAP",
            Self::Futures => "FUTURES",
        }
    }
}

/// Settings of a connection to OKX.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which products are listed.
    pub product: Product,
    /// Isolated margin for derivatives; otherwise cross.
    pub isolated: bool,
    /// Demo trading: the header that sends orders to the simulated market.
    pub demo: bool,
    /// A request that reaches the venue later than this is refused, ms; 0 for never.
    pub expire_ms: u64,
    /// The broker's tag on orders; empty for none.
    pub tag: String,
}

/// The codec.
#[derive(Debug)]
pub struct Okx {
    settings: Settings,
    credentials: Option<Credentials>,
    params: Params,
}

impl Okx {
    /// Without credentials it reads market data.
    #[must_use]
    pub fn new(settings: Settings, credentials: Option<Credentials>) -> Self {
        Self { settings, credentials, params: Params::default() }
    }
}

impl Venue for Okx {
    fn name(&self) -> &'static str {
        match self.settings.product {
            Product::Swap => "okx",
            Product::Spot => "okx_spot",
            Product::Futures => "okx_futures",
        }
    }

    fn rules(&self) -> &'static Rules {
        &rules::RULES
    }

    fn endpoints(&self, network: Network) -> Endpoints {
        rules::endpoints(network)
    }

    fn heartbeat(&self) -> Heartbeat {
        rules::HEARTBEAT
    }

    fn wiring(&self) -> Wiring {
        rules::wiring(self.settings.product)
    }

    fn answered(&self, frame: &[u8]) -> Option<u64> {
        let frame = Object::read(frame).ok()?;
        frame.has("op").then(|| frame.word("id").ok().flatten()?.parse().ok()).flatten()
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
        encode::subscribe(listings, streams, id, frames);
        Ok(())
    }

    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
        market::decode(text, sides, on)
    }

    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>> {
        instruments::read(self.name(), body)
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
        account::answer(out, reply, on)
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        account::event(text, on).map_err(|what| what.to_string())
    }
}
