//! Hyperliquid: perpetuals and spot.

mod account;
pub mod action;
mod encode;
mod errors;
mod instruments;
mod mark;
mod market;
mod rules;
pub mod sign;

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
use crate::rules::Rules;
use crate::secp256k1::Secp256k1Key;
use crate::session::wiring::Wiring;
use crate::venue::{Endpoints, Heartbeat, Network, Stream, Venue};

/// Settings of a connection to Hyperliquid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address of the account; an agent's key signs for it but has another address. Empty for the
    /// key's own.
    pub account: String,
    /// A vault or sub-account that orders are for.
    pub vault: Option<[u8; 20]>,
    /// A builder's address and fee in tenths of a basis point, which orders name.
    pub builder: Option<(String, u64)>,
    /// Which network signatures are for.
    pub network: Network,
    /// Actions are void so long after they are written, ms; 0 for never.
    pub expire_ms: u64,
    /// Lists spot instead of perpetuals.
    pub spot: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: String::new(),
            vault: None,
            builder: None,
            network: Network::Main,
            expire_ms: 0,
            spot: false,
        }
    }
}

/// The codec. It counts nonces.
#[derive(Debug)]
pub struct Hyperliquid {
    settings: Settings,
    key: Option<Secp256k1Key>,
    last_nonce: u64,
}

impl Hyperliquid {
    /// Without a key it reads market data, and accounts by their address.
    #[must_use]
    pub fn new(mut settings: Settings, key: Option<Secp256k1Key>) -> Self {
        if let (true, Some(key)) = (settings.account.is_empty(), &key) {
            settings.account = crate::secp256k1::hex_text(&key.address());
        }
        Self { settings, key, last_nonce: 0 }
    }
}

impl Venue for Hyperliquid {
    fn name(&self) -> &'static str {
        if self.settings.spot {
            "hyperliquid_spot"
        } else {
            "hyperliquid"
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
        rules::wiring(self.settings.spot)
    }

    fn answered(&self, frame: &[u8]) -> Option<u64> {
        let frame = Object::read(frame).ok()?;
        if frame.word("channel").ok().flatten() != Some("post") {
            return None;
        }
        let id = frame.object("data").ok().flatten()?.integer("id").ok().flatten()?;
        u64::try_from(id).ok()
    }

    fn marks(&self) -> Option<MarkOf> {
        Some(mark::mark)
    }

    fn subscribe(
        &self,
        listings: &[&Listing],
        streams: &[Stream],
        _id: u64,
        frames: &mut Vec<(usize, String)>,
    ) -> Result<()> {
        encode::subscribe(listings, streams, frames);
        Ok(())
    }

    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
        market::decode(text, sides, on)
    }

    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>> {
        let mut listings = instruments::read(body)?;
        listings.iter_mut().for_each(|one| self.name().clone_into(&mut one.instrument.venue));
        Ok(listings)
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
        account::answer(out, reply, self.settings.spot, on)
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        account::event(text, on).map_err(|what| what.to_string())
    }
}
