//! dYdX v4: perpetuals on a chain of their own. Market data and accounts come from the indexer, orders
//! go to a node of the chain.

mod account;
mod encode;
mod errors;
mod fees;
mod instruments;
mod market;
pub mod protobuf;
mod rules;
pub mod tx;

pub use market::decode;

use std::collections::VecDeque;

use hashbrown::HashMap;
use mainspring_core::Result;

use crate::document::Object;
use crate::fact::{Fact, OnFact};
use crate::failure::Failure;
use crate::feed::{OnEvent, Sides};
use crate::json::Scan;
use crate::listing::Listing;
use crate::operation::Operation;
use crate::outgoing::{Outgoing, Reply, Via};
use crate::rules::Rules;
use crate::secp256k1::Secp256k1Key;
use crate::session::wiring::Wiring;
use crate::venue::{Endpoints, Heartbeat, Network, Stream, Venue};

/// Most fills in one answer.
const PAGE: u32 = 1_000;

/// Settings of a connection to dYdX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the account, `dydx1...`.
    pub address: String,
    /// Number of the subaccount.
    pub subaccount: u32,
    /// Number of the account on the chain (`/cosmos/auth/v1beta1/account_info/ADDRESS`).
    pub account_number: u64,
    /// `dydx-mainnet-1` or `dydx-testnet-4`.
    pub chain_id: String,
    /// Numbers of the authenticators of a permissioned key; empty for the owner's own key.
    pub authenticators: Vec<u64>,
    /// Resting orders are short-term too: no gas, no limits per block, and they end by themselves after
    /// [`Self::short_blocks`].
    pub short_term: bool,
    /// Blocks that a short-term order lives; the chain allows some twenty.
    pub short_blocks: u32,
    /// Seconds that a long-term order lives; the chain allows 95 days.
    pub long_seconds: u32,
    /// Address that routed our orders; empty for none.
    pub router: String,
    /// Metadata on orders, which tells sessions on an account apart.
    pub metadata: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: String::new(),
            subaccount: 0,
            account_number: 0,
            chain_id: "dydx-mainnet-1".to_owned(),
            authenticators: Vec::new(),
            short_term: false,
            short_blocks: 20,
            long_seconds: 30 * 86_400,
            router: String::new(),
            metadata: 0,
        }
    }
}

/// Orders whose kind is remembered, for cancels must name it.
const MAX_REMEMBERED: usize = 65_536;

/// What a cancel must know of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    flags: u32,
    /// Its last block, or the second since 1970 at which it ends.
    good_till: u32,
}

/// The codec. It follows the height of the chain and remembers the kind of our orders.
#[derive(Debug)]
pub struct Dydx {
    settings: Settings,
    key: Option<Secp256k1Key>,
    height: u32,
    last_sequence: u64,
    placed: HashMap<u32, Placed, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>,
    order: VecDeque<u32>,
}

impl Dydx {
    /// Without a key it reads market data, and accounts by their address.
    #[must_use]
    pub fn new(settings: Settings, key: Option<Secp256k1Key>) -> Self {
        Self {
            settings,
            key,
            height: 0,
            last_sequence: 0,
            placed: HashMap::default(),
            order: VecDeque::new(),
        }
    }

    /// The chain stands at this height.
    pub fn set_height(&mut self, height: u32) {
        self.height = self.height.max(height);
    }

    /// The height that is known.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    fn remember(&mut self, client_id: u32, placed: Placed) {
        if let Some(known) = self.placed.get_mut(&client_id) {
            // What is heard of an order may be older than what was said last.
            if known.flags != placed.flags || placed.good_till > known.good_till {
                *known = placed;
            }
            return;
        }
        self.placed.insert(client_id, placed);
        if self.order.len() == MAX_REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.placed.remove(&oldest);
            }
        }
        self.order.push_back(client_id);
    }
}

impl Venue for Dydx {
    fn name(&self) -> &'static str {
        "dydx"
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
        rules::WIRING
    }

    fn answered(&self, _frame: &[u8]) -> Option<u64> {
        None
    }

    fn counted(&self, frame: &[u8]) -> Option<i64> {
        Object::read(frame).ok()?.integer("message_id").ok().flatten()
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
        instruments::read(body)
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
        let mut seen = account::Seen::default();
        let read = account::answer(out, reply, &mut seen, on);
        self.learn(seen);
        read
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        let mut seen = account::Seen::default();
        let read = account::event(text, &mut seen, &mut |fact: Fact<'_>| on(fact));
        self.learn(seen);
        read.map_err(|what| what.to_string())
    }
}

impl Dydx {
    fn learn(&mut self, seen: account::Seen) {
        self.set_height(seen.height);
        for (client_id, placed) in seen.orders {
            self.remember(client_id, placed);
        }
    }
}
