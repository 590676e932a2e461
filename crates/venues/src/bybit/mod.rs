//! Bybit v5: spot, linear and inverse contracts.

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

/// Which of the venue's categories a connection trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Category {
    /// Spot.
    Spot,
    /// Contracts settled in USDT or USDC.
    #[default]
    Linear,
    /// Contracts settled in the base.
    Inverse,
}

impl Category {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
        }
    }
}

/// Settings of a connection to Bybit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What it trades.
    pub category: Category,
    /// A signed request is refused when it comes later than this.
    pub recv_window_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { category: Category::Linear, recv_window_ms: 5_000 }
    }
}

/// The codec.
#[derive(Debug)]
pub struct Bybit {
    settings: Settings,
    credentials: Option<Credentials>,
    params: Params,
}

impl Bybit {
    /// Without credentials it reads market data.
    #[must_use]
    pub fn new(settings: Settings, credentials: Option<Credentials>) -> Self {
        Self { settings, credentials, params: Params::default() }
    }
}

impl Venue for Bybit {
    fn name(&self) -> &'static str {
        match self.settings.category {
            Category::Spot => "bybit_spot",
            Category::Linear => "bybit",
            Category::Inverse => "bybit_inverse",
        }
    }

    fn rules(&self) -> &'static Rules {
        rules::of(self.settings.category)
    }

    fn endpoints(&self, network: Network) -> Endpoints {
        rules::endpoints(self.settings.category, network)
    }

    fn heartbeat(&self) -> Heartbeat {
        rules::HEARTBEAT
    }

    fn wiring(&self) -> Wiring {
        rules::wiring(self.settings.category)
    }

    fn answered(&self, frame: &[u8]) -> Option<u64> {
        Object::read(frame).ok()?.word("reqId").ok().flatten()?.parse().ok()
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
        encode::subscribe(self.settings.category, listings, streams, id, frames);
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
        account::event(text, self.settings.category, on).map_err(|what| what.to_string())
    }
}
