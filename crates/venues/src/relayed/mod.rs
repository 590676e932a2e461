//! A venue that a library of the host process speaks to, such as ccxt: what is asked and what is answered
//! go to it in words of this engine, as JSON, and never over a socket.
//!
//! The session is the one of every venue; only the wire is another. What a library cannot do is in the
//! rules it is described by, so that it is refused before it is asked for.

mod answer;
mod ask;
mod market;

use mainspring_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::client_id::ClientIdForm;
use crate::fact::OnFact;
use crate::failure::Failure;
use crate::feed::{OnEvent, Sides};
use crate::json::Scan;
use crate::listing::Listing;
use crate::operation::Operation;
use crate::outgoing::{Outgoing, Reply, Via};
use crate::rules::{AmendRule, Rules, Support, NATIVE};
use crate::session::wiring::{Wiring, PLAIN};
use crate::session::Addresses;
use crate::venue::{Endpoints, Heartbeat, Network, Stream, Venue};

/// What becomes of a changed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amends {
    /// It keeps its ids.
    InPlace,
    /// Another one takes its place.
    Replaced,
}

/// How our order ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ids {
    /// Letters and digits.
    Text,
    /// 32 hexadecimal digits behind `0x`: the library makes a UUID of them.
    Uuid,
}

/// What the library can do at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abilities {
    /// It tells positions; holdings of the base currency stand for them otherwise.
    pub positions: bool,
    /// Market orders; limits that must not rest stand in for them otherwise.
    pub market_orders: bool,
    /// Immediate or cancel.
    pub ioc: bool,
    /// Fill or kill.
    pub fok: bool,
    /// Post-only.
    pub post_only: bool,
    /// Reduce-only.
    pub reduce_only: bool,
    /// Changing orders; none where that is not there or not known to be safe.
    pub amends: Option<Amends>,
    /// Cancelling everything in an instrument by one request.
    pub cancel_all: bool,
    /// How ids of orders are written.
    pub ids: Ids,
}

const NO_STOPS: Support =
    Support::Refused("conditional orders do not go through the library: hold them in the engine");

impl Abilities {
    fn rules(&self) -> Rules {
        let has =
            |there: bool, why: &'static str| if there { NATIVE } else { Support::Refused(why) };
        let market = match (self.market_orders, self.ioc) {
            (true, _) => NATIVE,
            (false, true) => Support::Emulated("a limit that must not rest, at most 5 % away"),
            (false, false) => Support::Refused("the library has no market orders for this venue"),
        };
        Rules {
            order_types: [
                NATIVE, market, NO_STOPS, NO_STOPS, NO_STOPS, NO_STOPS, NO_STOPS, NO_STOPS,
            ],
            lives: [
                NATIVE,
                has(self.ioc || self.market_orders, "the library has no immediate-or-cancel here"),
                has(self.fok, "the library has no fill-or-kill here"),
                Support::Refused("lives with an end do not go through the library"),
            ],
            post_only: has(self.post_only, "the library has no post-only orders here"),
            reduce_only: has(self.reduce_only, "the library has no reduce-only orders here"),
            amend: match self.amends {
                Some(Amends::Replaced) => AmendRule::Replace { shrinks_in_place: false },
                Some(Amends::InPlace) | None => AmendRule::InPlace,
            },
            max_place_batch: 1,
            max_cancel_batch: 1,
            cancel_all: match self.cancel_all {
                true => NATIVE,
                false => Support::Emulated("open orders are listed and cancelled"),
            },
            countdown: Support::Refused("countdowns do not go through the library"),
            min_countdown_ms: 0,
            client_ids: match self.ids {
                Ids::Text => ClientIdForm::Text,
                Ids::Uuid => ClientIdForm::Hex128,
            },
            // The library paces its requests itself.
            budgets: &[],
        }
    }
}

/// Where requests of a relayed venue go: to nobody's socket.
const REST: &str = "http://relayed.invalid";
const MARKET: &str = "ws://relayed.invalid/market";
const USER: &str = "ws://relayed.invalid/user";

/// The codec.
#[derive(Debug)]
pub struct Relayed {
    name: String,
    abilities: Abilities,
    rules: Rules,
}

impl Relayed {
    /// Of a venue of this name.
    #[must_use]
    pub fn new(name: &str, abilities: Abilities) -> Self {
        Self { name: name.to_owned(), abilities, rules: abilities.rules() }
    }

    /// Where it is, as far as a session wants to know.
    #[must_use]
    pub fn addresses() -> Addresses {
        Addresses {
            rest: REST.to_owned(),
            market: [MARKET.to_owned(), MARKET.to_owned()],
            user: USER.to_owned(),
            trade: String::new(),
            chain: String::new(),
        }
    }
}

impl Venue for Relayed {
    fn name(&self) -> &str {
        &self.name
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn endpoints(&self, _network: Network) -> Endpoints {
        Endpoints { rest: REST, market: [MARKET; 2], user: USER, trade: "", chain: "" }
    }

    fn heartbeat(&self) -> Heartbeat {
        // Asked when silent: the library looks whether the venue answers.
        Heartbeat { ping: "", every_ms: 0, silence_ms: 30_000, life_ms: 0 }
    }

    fn wiring(&self) -> Wiring {
        Wiring {
            positions: self.abilities.positions,
            unsubscribe: ("\"listen\"", "\"leave\""),
            // The library reads all pages.
            fills_page: u32::MAX,
            ..PLAIN
        }
    }

    fn answered(&self, _frame: &[u8]) -> Option<u64> {
        None
    }

    fn subscribe(
        &self,
        listings: &[&Listing],
        streams: &[Stream],
        _id: u64,
        frames: &mut Vec<(usize, String)>,
    ) -> Result<()> {
        market::subscribe(listings, streams, frames);
        Ok(())
    }

    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
        market::decode(text, sides, on)
    }

    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>> {
        answer::instruments(body)
    }

    fn encode(
        &mut self,
        operation: &Operation<'_>,
        via: Via,
        _now_ms: i64,
        out: &mut Outgoing,
    ) -> Result<()> {
        let asked = ask::of(operation, &self.abilities)
            .map_err(|why| Error::new(ErrorKind::Value, format!("{}: {why}", self.name)))?;
        out.start(via, operation.asked());
        out.method = asked.method;
        out.target.push('/');
        out.target.push_str(asked.word);
        out.body = asked.body.to_string();
        Ok(())
    }

    fn answer(
        &mut self,
        out: &Outgoing,
        reply: &Reply<'_>,
        on: OnFact<'_>,
    ) -> std::result::Result<(), Failure> {
        answer::read(out.asked, reply.body, on)
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        answer::facts(text, on).map_err(|what| what.to_string())
    }
}
