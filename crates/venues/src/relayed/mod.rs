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
    /// Stops, stop-limits and take-profits, which the venue keeps among its other orders, by one id.
    pub stops: bool,
    /// Most new orders in one request; 1 where the library has no batches here.
    pub place_batch: usize,
    /// Most cancels in one request.
    pub cancel_batch: usize,
    /// Cancelling everything in an instrument by one request.
    pub cancel_all: bool,
    /// The venue's countdown that cancels when we fall silent.
    pub countdown: bool,
    /// Mark prices and funding.
    pub marks: bool,
    /// How ids of orders are written.
    pub ids: Ids,
}

/// The longest least countdown of venues that have one (OKX); the library does not tell theirs.
const MIN_COUNTDOWN_MS: u64 = 10_000;

const NO_STOPS: &str = "no such orders go through the library here: hold stops in the engine";

impl Abilities {
    fn rules(&self) -> Rules {
        let has =
            |there: bool, why: &'static str| if there { NATIVE } else { Support::Refused(why) };
        let market = match (self.market_orders, self.ioc) {
            (true, _) => NATIVE,
            (false, true) => Support::Emulated("a limit that must not rest, at most 5 % away"),
            (false, false) => Support::Refused("the library has no market orders for this venue"),
        };
        let (stop, never) = (has(self.stops, NO_STOPS), Support::Refused(NO_STOPS));
        Rules {
            // Limit, market, stop, stop-limit, take-profit, trailing stop, iceberg, pegged.
            order_types: [NATIVE, market, stop, stop, stop, never, never, never],
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
            max_place_batch: self.place_batch.max(1),
            max_cancel_batch: self.cancel_batch.max(1),
            cancel_all: match self.cancel_all {
                true => NATIVE,
                false => Support::Emulated("open orders are listed and cancelled"),
            },
            countdown: has(self.countdown, "the library has no countdown here"),
            min_countdown_ms: MIN_COUNTDOWN_MS,
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
        market::subscribe(listings, streams, self.abilities.marks, frames);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, OrderStatus};
    use crate::failure::FailureClass;
    use crate::operation::{Amend, Cancel, OrderKey, Place};
    use crate::outgoing::Method;
    use mainspring_core::order::OrderTerms;
    use mainspring_core::{
        InstrumentId, Lots, OrderFlags, OrderType, RejectReason, Side, Ticks, TimeInForce,
    };
    use serde_json::Value;

    const ALL: Abilities = Abilities {
        positions: true,
        market_orders: true,
        ioc: true,
        fok: true,
        post_only: true,
        reduce_only: true,
        amends: Some(Amends::InPlace),
        stops: true,
        place_batch: 5,
        cancel_batch: 10,
        cancel_all: true,
        countdown: true,
        marks: true,
        ids: Ids::Text,
    };

    const LISTED: &str = r#"{"instruments":[{"trading":true,"instrument":{"symbol":"BTC/EUR",
        "venue":"somewhere","kind":"spot","base":"BTC","quote":"EUR","grids":[{"version":0,
        "tick":"0.1","rule":"fixed"}],"lot":"0.01","multiplier":"1","min_qty":1,
        "max_qty":0,"min_notional":"0","maker_fee":"0","taker_fee":"0","margin_tiers":[]}}]}"#;

    fn listing() -> Listing {
        answer::instruments(LISTED.as_bytes()).unwrap().remove(0)
    }

    fn asked(can: Abilities, operation: &Operation<'_>) -> Result<(Method, Value)> {
        let mut out = Outgoing::new();
        Relayed::new("somewhere", can).encode(operation, Via::Http, 0, &mut out)?;
        Ok((out.method, serde_json::from_str(&out.body).unwrap()))
    }

    fn bid() -> OrderTerms {
        OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(500_001), Lots(25))
    }

    #[test]
    fn requests_are_words_and_cancels_go_first() {
        let listing = listing();
        let mut terms = bid();
        terms.flags = OrderFlags::POST_ONLY;
        let place = Operation::Place(Place::new(&listing, terms, "ms1"));
        let (method, said) = asked(ALL, &place).unwrap();
        assert_eq!((method, said["do"].as_str()), (Method::Post, Some("place")));
        assert_eq!((said["price"].as_str(), said["qty"].as_str()), (Some("50000.1"), Some("0.25")));
        assert_eq!((said["life"].as_str(), said["post_only"].as_bool()), (Some("GTC"), Some(true)));
        let cancel = Cancel { listing: &listing, order: OrderKey::Venue("7"), good_till_s: 0 };
        let (method, said) = asked(ALL, &Operation::Cancel(cancel)).unwrap();
        assert_eq!((method, said["id"].as_str()), (Method::Delete, Some("7")));
    }

    #[test]
    fn a_market_order_is_a_limit_that_must_not_rest_where_there_are_none() {
        let listing = listing();
        let terms = OrderTerms::market(InstrumentId(0), Side::Buy, Lots(1));
        let market = Place::new(&listing, terms, "ms1");
        let (_, said) = asked(ALL, &Operation::Place(market)).unwrap();
        assert_eq!((said["type"].as_str(), said["price"].as_str()), (Some("market"), None));
        let can = Abilities { market_orders: false, ..ALL };
        assert!(asked(can, &Operation::Place(market)).is_err(), "no price is known yet");
        let bounded = Place { worst: Some(Ticks(525_000)), ..market };
        let (_, said) = asked(can, &Operation::Place(bounded)).unwrap();
        let words = ["type", "price", "life"].map(|word| said[word].as_str().unwrap());
        assert_eq!(words, ["limit", "52500", "IOC"]);
    }

    #[test]
    fn a_stop_names_its_trigger_and_what_it_becomes() {
        let listing = listing();
        let terms = OrderTerms {
            order_type: OrderType::StopLimit,
            trigger: Ticks(499_000),
            ..OrderTerms::limit(InstrumentId(0), Side::Sell, Ticks(498_990), Lots(1))
        };
        let said = |terms| {
            let stop = Place::new(&listing, terms, "ms1");
            asked(ALL, &Operation::Place(stop)).unwrap().1
        };
        let words = |one: Value| {
            ["type", "price", "trigger", "waits_for"].map(|w| one[w].as_str().map(str::to_owned))
        };
        let some = |words: [&str; 4]| words.map(|word| Some(word.to_owned()));
        assert_eq!(words(said(terms)), some(["limit", "49899", "49900", "stop"]));
        let profit = OrderTerms { order_type: OrderType::TakeProfit, ..terms };
        let [kind, price, .., waits_for] = words(said(profit));
        assert_eq!((kind.as_deref(), price), (Some("market"), None));
        assert_eq!(waits_for.as_deref(), Some("profit"));
        let none = Relayed::new("somewhere", Abilities { stops: false, ..ALL });
        assert!(none.rules().check(&listing, &terms).is_err());
        let armed = facts(r#"{"orders":[{"symbol":"BTC/EUR","client":"a","status":"armed"}]}"#);
        assert_eq!(armed, [format!("a {:?}", OrderStatus::Armed)]);
    }

    #[test]
    fn a_change_names_what_the_venue_counts_or_is_refused() {
        let listing = listing();
        let amend = |can| {
            let change = Amend {
                listing: &listing,
                order: OrderKey::Client("ms1"),
                side: Side::Buy,
                terms: bid(),
                price: Ticks(500_000),
                qty: Lots(25),
                filled: Lots(5),
                client: "ms1r0001",
            };
            asked(can, &Operation::Amend(change)).map(|(_, said)| said["qty"].clone())
        };
        assert_eq!(amend(ALL).unwrap(), "0.25", "all of it where it stays the same order");
        let replaced = Abilities { amends: Some(Amends::Replaced), ..ALL };
        assert_eq!(amend(replaced).unwrap(), "0.2", "the rest where another takes its place");
        let why = amend(Abilities { amends: None, ..ALL }).unwrap_err();
        assert!(why.message().contains("cancel and place another"), "{why}");
    }

    #[test]
    fn what_is_not_there_is_in_the_rules() {
        let none =
            Abilities { ioc: false, fok: false, post_only: false, reduce_only: false, ..ALL };
        let venue = Relayed::new("somewhere", none);
        let (rules, listing) = (venue.rules(), listing());
        assert!(rules.check(&listing, &bid()).is_ok());
        let with = |flags| OrderTerms { flags, ..bid() };
        assert!(rules.check(&listing, &with(OrderFlags::POST_ONLY)).is_err());
        assert!(rules.check(&listing, &with(OrderFlags::REDUCE_ONLY)).is_err());
        let fok = OrderTerms { time_in_force: TimeInForce::Fok, ..bid() };
        assert!(rules.check(&listing, &fok).is_err());
    }

    #[test]
    fn what_goes_together_is_one_request_and_each_has_its_outcome() {
        let listing = listing();
        let places = ["ms1", "ms2"].map(|client| Place::new(&listing, bid(), client));
        let (_, said) = asked(ALL, &Operation::PlaceMany(&places)).unwrap();
        let names = said["orders"].as_array().unwrap().iter().map(|one| one["client"].clone());
        assert_eq!(names.collect::<Vec<_>>(), ["ms1", "ms2"]);
        let keys = ["7", "8"].map(OrderKey::Venue);
        let cancels = keys.map(|order| Cancel { listing: &listing, order, good_till_s: 0 });
        let (method, _) = asked(ALL, &Operation::CancelMany(&cancels)).unwrap();
        assert_eq!(method, Method::Delete, "cancels go first");
        let mut out = Outgoing::new();
        out.start(Via::Http, crate::operation::Asked::PlaceMany);
        let text = r#"{"orders":[{"symbol":"BTC/EUR","client":"ms1","id":"7","status":"open"}],
            "failures":[{"at":1,"class":"refused","message":"no room"}]}"#;
        let mut told = Vec::new();
        let mut venue = Relayed::new("somewhere", ALL);
        let read = venue.answer(&out, &Reply::new(200, text.as_bytes()), &mut |fact| {
            told.push(match fact {
                Fact::Order(one) => one.client.to_owned(),
                Fact::Failed { at, failure, .. } => format!("{at} {failure}"),
                other => format!("{other:?}"),
            });
        });
        assert_eq!((read, told), (Ok(()), vec!["ms1".to_owned(), "1 refused: no room".to_owned()]));
    }

    fn heard(texts: &[&str]) -> Vec<String> {
        let mut venue = Relayed::new("somewhere", ALL);
        let (mut sides, mut told) = (crate::feed::Sides::default(), Vec::new());
        for text in texts {
            let read = venue.market(text.as_bytes(), &mut sides, &mut |event| {
                told.push(match event {
                    crate::feed::FeedEvent::Mark(one) => format!("{:?} {:?}", one.mark, one.rate),
                    crate::feed::FeedEvent::Book(one) => format!("{:?}", one.sequence),
                    other => format!("{other:?}"),
                });
            });
            read.unwrap();
        }
        told
    }

    #[test]
    fn marks_have_what_the_library_knows_and_a_loss_follows_nothing() {
        let told = heard(&[
            r#"{"mark":"BTC/EUR","rate":"0.0001","next_ms":1700000000000,"ms":1690000000000}"#,
            r#"{"lost":"BTC/EUR"}"#,
        ]);
        let rate = mainspring_core::Decimal::new(1, 4).unwrap();
        assert_eq!(told[0], format!("None {:?}", Some(rate)));
        assert_eq!(
            told[1],
            format!("{:?}", crate::feed::Sequence::Chain { previous: -1, this: 0 })
        );
        let why = facts(r#"{"refused":"book BTC/EUR: \"x\""}"#);
        assert_eq!(why, [r#"Notice(SubscriptionFailed("book BTC/EUR: \"x\""))"#]);
    }

    fn facts(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut venue = Relayed::new("somewhere", ALL);
        let read = venue.user(text.as_bytes(), &mut |fact| {
            found.push(match fact {
                Fact::Order(one) => format!("{} {:?}", one.client, one.status),
                Fact::Fill(one) => format!("{} {} at {}", one.trade_id, one.qty, one.price),
                other => format!("{other:?}"),
            });
        });
        read.map(|()| found).unwrap_or_else(|what| vec![what])
    }

    #[test]
    fn fills_are_told_before_the_states_that_they_lead_to() {
        let told = facts(
            r#"{"orders":[{"symbol":"BTC/EUR","client":"ms1","id":"7","status":"filled"}],
            "fills":[{"symbol":"BTC/EUR","client":"ms1","id":"7","trade":"t1","side":"buy",
            "price":"50000.1","qty":"0.25","maker":true,"ms":1700000000000}]}"#,
        );
        assert_eq!(told, ["t1 0.25 at 50000.1", "ms1 Filled"]);
        let unknown = facts(r#"{"orders":[{"symbol":"BTC/EUR","status":"a new word"}]}"#);
        assert_eq!(unknown, ["'status' is not known"], "nothing is assumed of it");
        let part = facts(r#"{"orders":[{"symbol":"BTC/EUR","client":"a","status":"part"}]}"#);
        assert_eq!(part, [format!("a {:?}", OrderStatus::PartiallyFilled)]);
    }

    #[test]
    fn failures_have_a_class_and_what_is_not_known_is_unknown() {
        let failure = |text: &str| {
            let mut out = Outgoing::new();
            out.start(Via::Http, crate::operation::Asked::Place);
            let mut venue = Relayed::new("somewhere", ALL);
            venue.answer(&out, &Reply::new(200, text.as_bytes()), &mut |_| {}).unwrap_err()
        };
        let refused = failure(r#"{"failed":{"class":"refused","reason":"unknown_order"}}"#);
        assert_eq!(refused.class, FailureClass::Refused);
        assert_eq!(refused.reason, Some(RejectReason::UnknownOrder));
        let limited = failure(r#"{"failed":{"class":"rate_limited","wait_ms":1500}}"#);
        let class = FailureClass::RateLimited { wait_ms: Some(1_500), banned: false };
        assert_eq!(limited.class, class);
        for unknown in [r#"{"failed":{"class":"a new word"}}"#, "not JSON", r#"{"failed":{}}"#] {
            assert_eq!(failure(unknown).class, FailureClass::Unknown, "{unknown}");
        }
    }
}
