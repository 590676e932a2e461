//! A venue that there is not, made as `docs/how-to/add-a-venue.md` says, in its order: what is here is
//! all that a venue needs to trade.

use mainspring_core::report::Account;
use mainspring_core::{
    CancelReason, Error, ErrorKind, Instrument, InstrumentId, InstrumentKind, Lots, PriceGrid,
    RejectReason, Result, RowKind, Side, VenueEventKind,
};
use mainspring_venues::client_id::ClientIdForm;
use mainspring_venues::document::{each_object, Object, Read};
use mainspring_venues::fact::{Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus};
use mainspring_venues::failure::{Failure, FailureClass};
use mainspring_venues::feed::{
    millis_ns, utf8, BookEvent, FeedEvent, OnEvent, Sequence, Sides, TradeEvent,
};
use mainspring_venues::json::{Scan, Scanner};
use mainspring_venues::level::{scan_decimal, scan_integer, scan_levels};
use mainspring_venues::listing::{Listing, Listings};
use mainspring_venues::operation::{Asked, Operation, OrderKey, UserStream};
use mainspring_venues::outgoing::{Method, Outgoing, Reply, Via};
use mainspring_venues::rules::{AmendRule, Rules, Support, NATIVE};
use mainspring_venues::session::wiring::{Wiring, PLAIN};
use mainspring_venues::session::{Sent, SocketId, Told};
use mainspring_venues::venue::{Endpoints, Heartbeat, Network, Stream, Venue};
use mainspring_venues::Level;

use crate::play::{client, Play, MS};

struct Corner;

// 1. Market data.

fn market(text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
    let mut scanner = Scanner::new(text);
    let (mut book, mut trade, mut ms, mut count, mut whole) = (None, None, None, 0, false);
    let (mut level, mut taker) = (Level::default(), None);
    sides.clear();
    scanner.begin_object()?;
    while let Some(key) = scanner.next_key()? {
        match key {
            b"book" => book = utf8(scanner.string()?),
            b"trade" => trade = utf8(scanner.string()?),
            b"ms" => ms = millis_ns(scan_integer(&mut scanner)?),
            b"n" => count = scan_integer(&mut scanner)?,
            b"whole" => whole = scan_integer(&mut scanner)? == 1,
            b"bids" => scan_levels(&mut scanner, &mut sides.bids)?,
            b"asks" => scan_levels(&mut scanner, &mut sides.asks)?,
            b"price" => level.price = scan_decimal(&mut scanner)?,
            b"size" => level.qty = scan_decimal(&mut scanner)?,
            b"taker" => {
                taker = match scanner.string()? {
                    b"buy" => Some(Side::Buy),
                    b"sell" => Some(Side::Sell),
                    // An unknown value of a known key is not guessed.
                    _ => return scanner.refuse("a taker neither buys nor sells"),
                }
            }
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    match (book, trade, taker) {
        (Some(symbol), ..) => on(FeedEvent::Book(BookEvent {
            symbol,
            snapshot: whole,
            time_ns: ms,
            bids: &sides.bids,
            asks: &sides.asks,
            sequence: Sequence::Counter(count),
            checksum: None,
            depth: None,
            places: (2, 4),
        })),
        (None, Some(symbol), Some(taker)) => {
            on(FeedEvent::Trade(TradeEvent { symbol, time_ns: ms, level, taker }));
        }
        _ => on(FeedEvent::Other("no market data")),
    }
    Ok(())
}

// 2. Instruments.

fn listed(body: &[u8]) -> Read<Vec<Listing>> {
    let mut found = Vec::new();
    each_object(body, &mut |one| {
        let instrument = Instrument {
            symbol: one.need_word("pair")?.to_owned(),
            venue: "corner".to_owned(),
            kind: InstrumentKind::Spot,
            base: one.need_word("base")?.to_owned(),
            quote: one.need_word("quote")?.to_owned(),
            grids: vec![PriceGrid::fixed(one.need_decimal("tick")?)],
            lot: one.need_decimal("lot")?,
            multiplier: mainspring_core::Decimal::ONE,
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Default::default(),
            maker_fee: Default::default(),
            taker_fee: Default::default(),
            margin_tiers: Vec::new(),
        };
        let mut listing = Listing::new(InstrumentId(found.len() as u16), instrument);
        listing.trading = one.truth("open")? == Some(true);
        found.push(listing);
        Ok(())
    })?;
    Ok(found)
}

// 3. Rules, and 7. how the protocol hangs together.

const NO: Support = Support::Refused("the corner knows limit orders alone");

const RULES: Rules = Rules {
    order_types: [NATIVE, NO, NO, NO, NO, NO, NO, NO],
    lives: [NATIVE, NATIVE, NO, NO],
    post_only: NATIVE,
    reduce_only: NO,
    amend: AmendRule::InPlace,
    max_place_batch: 1,
    max_cancel_batch: 1,
    cancel_all: Support::Emulated("open orders are listed and cancelled"),
    countdown: NO,
    min_countdown_ms: 0,
    client_ids: ClientIdForm::Text,
    budgets: &[],
};

const WIRING: Wiring =
    Wiring { positions: false, unsubscribe: ("\"listen\"", "\"leave\""), ..PLAIN };

// 4. Requests.

fn encode(operation: &Operation<'_>, via: Via, out: &mut Outgoing) -> Result<()> {
    out.start(via, operation.asked());
    let (method, target, body) = match operation {
        Operation::Time => (Method::Get, "/time".to_owned(), String::new()),
        Operation::Instruments => (Method::Get, "/pairs".to_owned(), String::new()),
        Operation::Place(place) => {
            let (terms, listing) = (place.terms, place.listing);
            let side = if terms.side == Side::Buy { "buy" } else { "sell" };
            let (price, size) = (listing.price_text(terms.price), listing.qty_text(terms.qty));
            let (pair, id) = (listing.symbol(), place.client);
            let body = format!(
                r#"{{"pair":"{pair}","id":"{id}","side":"{side}","price":"{price}","size":"{size}"}}"#
            );
            (Method::Post, "/orders".to_owned(), body)
        }
        Operation::Cancel(cancel) => (Method::Delete, of_order(cancel.order), String::new()),
        Operation::Query { order, .. } => (Method::Get, of_order(*order), String::new()),
        Operation::OpenOrders(_) => (Method::Get, "/orders".to_owned(), String::new()),
        Operation::Fills { .. } => (Method::Get, "/fills".to_owned(), String::new()),
        Operation::Balances => (Method::Get, "/balances".to_owned(), String::new()),
        Operation::UserStream(UserStream::Subscribe) => {
            (Method::Get, String::new(), r#"{"listen":"orders"}"#.to_owned())
        }
        _ => return Err(Error::new(ErrorKind::Value, "corner: no such request")),
    };
    (out.method, out.target, out.body) = (method, target, body);
    Ok(())
}

fn of_order(order: OrderKey<'_>) -> String {
    let (OrderKey::Client(id) | OrderKey::Venue(id)) = order;
    format!("/orders/{id}")
}

// 5. What the account is told: the fill before the state it leads to.

fn order(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let (pair, client, id) = (one.need_word("pair")?, one.need_word("id")?, one.need_word("no")?);
    if let Some(trade) = one.object("fill")? {
        on(Fact::Fill(FillFact {
            symbol: pair,
            client,
            venue_id: id,
            trade_id: trade.need_word("id")?,
            side: one.side("side")?,
            price: trade.need_decimal("price")?,
            qty: trade.need_decimal("size")?,
            fee: None,
            fee_currency: "",
            maker: trade.truth("maker")?,
            filled: one.decimal("filled")?,
            time_ns: one.time_ns("ms")?,
            origin: FillOrigin::Book,
            metadata: None,
        }));
    }
    let status = match one.need_word("is")? {
        "open" => OrderStatus::Open,
        "part" => OrderStatus::PartiallyFilled,
        "filled" => OrderStatus::Filled,
        "gone" => OrderStatus::Cancelled(CancelReason::Requested),
        // Nothing is assumed of a word that is not known.
        _ => return Err(mainspring_venues::document::Unreadable::Wrong("is", "is unknown")),
    };
    let fact = OrderFact::new(status).of(pair, client, id);
    on(Fact::Order(OrderFact { filled: one.decimal("filled")?, ..fact }));
    Ok(())
}

fn answer(asked: Asked, reply: &Reply<'_>, on: OnFact<'_>) -> std::result::Result<(), Failure> {
    if reply.status != 200 {
        return Err(failure(reply));
    }
    let read = match asked {
        Asked::Time => Object::read(reply.body).and_then(|root| root.time_ns("ms")).map(|ms| {
            ms.into_iter().for_each(|ms| on(Fact::Notice(Notice::ServerTime(ms))));
        }),
        Asked::Place | Asked::Cancel | Asked::Query => {
            Object::read(reply.body).and_then(|root| order(&root, on))
        }
        Asked::OpenOrders => each_object(reply.body, &mut |one| order(one, on)),
        _ => Ok(()),
    };
    read.map_err(Failure::unreadable)
}

// 6. Errors: when in doubt whether something was done, it is unknown.

fn failure(reply: &Reply<'_>) -> Failure {
    let code = Object::read(reply.body).ok().and_then(|root| root.word("code").ok().flatten());
    match code {
        Some("would_take") => Failure {
            reason: Some(RejectReason::PostOnlyWouldTake),
            ..Failure::refused("would_take", "")
        },
        Some("wait") => {
            let class =
                FailureClass::RateLimited { wait_ms: reply.retry_after_ms(), banned: false };
            Failure::new(class, "wait", "")
        }
        _ => Failure::of_status(reply.status, reply.retry_after_ms(), ""),
    }
}

impl Venue for Corner {
    fn name(&self) -> &'static str {
        "corner"
    }

    fn rules(&self) -> &'static Rules {
        &RULES
    }

    fn endpoints(&self, _: Network) -> Endpoints {
        Endpoints {
            rest: "https://corner.test",
            market: ["wss://corner.test/market"; 2],
            user: "wss://corner.test/user",
            trade: "",
            chain: "",
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat { ping: "", every_ms: 0, silence_ms: 30_000, life_ms: 0 }
    }

    fn wiring(&self) -> Wiring {
        WIRING
    }

    fn answered(&self, _: &[u8]) -> Option<u64> {
        None
    }

    fn subscribe(
        &self,
        listings: &[&Listing],
        _: &[Stream],
        _: u64,
        frames: &mut Vec<(usize, String)>,
    ) -> Result<()> {
        let frame = |one: &&Listing| (0, format!(r#"{{"listen":"{}"}}"#, one.symbol()));
        frames.extend(listings.iter().map(frame));
        Ok(())
    }

    fn market(&mut self, text: &[u8], sides: &mut Sides, on: OnEvent<'_>) -> Scan<()> {
        market(text, sides, on)
    }

    fn instruments(&self, body: &[u8]) -> Result<Vec<Listing>> {
        listed(body).map_err(|what| Error::new(ErrorKind::Data, format!("corner: {what}")))
    }

    fn encode(
        &mut self,
        operation: &Operation<'_>,
        via: Via,
        _: i64,
        out: &mut Outgoing,
    ) -> Result<()> {
        encode(operation, via, out)
    }

    fn answer(
        &mut self,
        out: &Outgoing,
        reply: &Reply<'_>,
        on: OnFact<'_>,
    ) -> std::result::Result<(), Failure> {
        answer(out.asked, reply, on)
    }

    fn user(&mut self, text: &[u8], on: OnFact<'_>) -> std::result::Result<(), String> {
        let read = Object::read(text).and_then(|root| order(&root, on));
        read.map_err(|what| what.to_string())
    }
}

// What the session makes of it, without a line for this venue.

const PAIRS: &str =
    r#"[{"pair":"BTC-EUR","base":"BTC","quote":"EUR","tick":"0.5","lot":"0.001","open":true}]"#;

fn up() -> (Play, [SocketId; 2]) {
    let listings = Listings::new(Corner.instruments(PAIRS.as_bytes()).unwrap()).unwrap();
    let mut play = Play::with(Box::new(Corner), listings, |_| {});
    play.start(&Account::default());
    let now_ms = play.now_ns / MS;
    play.ok("GET", "/time", &format!(r#"{{"ms":{now_ms}}}"#));
    play.ok("GET", "/pairs", PAIRS);
    let market = play.connect("/market");
    play.take_text(market, r#"{"listen":"BTC-EUR"}"#);
    let user = play.connect("/user");
    play.take_text(user, "orders");
    assert!(play.session.is_up(), "{:?}", play.notes);
    (play, [market, user])
}

fn book(count: i64, whole: u8) -> String {
    format!(
        r#"{{"book":"BTC-EUR","n":{count},"whole":{whole},"ms":1795255200100,"bids":[["61800.0","1.5"]],"asks":[["61800.5","2"]],"new":{{}}}}"#
    )
}

fn told(id: u64, is: &str, more: &str) -> String {
    format!(
        r#"{{"pair":"BTC-EUR","id":"{}","no":"77","side":"buy","ms":1795255200200,"is":"{is}"{more}}}"#,
        client(id)
    )
}

#[test]
fn its_book_is_kept_and_a_gap_in_it_is_repaired() {
    let (mut play, [market, _]) = up();
    play.frame(market, &book(1, 1));
    play.frame(market, &book(2, 0));
    let trade =
        r#"{"trade":"BTC-EUR","price":"61800.5","size":"0.25","taker":"buy","ms":1795255200150}"#;
    play.frame(market, trade);
    let kinds = play.row_kinds();
    assert!(kinds.contains(&RowKind::Depth) && kinds.contains(&RowKind::Trade), "{kinds:?}");
    play.frame(market, &book(4, 0));
    assert!(play.row_kinds().contains(&RowKind::Gap), "{:?}", play.notes);
    // The session asks for the whole book as its protocol gives it: by subscribing anew.
    play.wait(100 * MS);
    play.take_text(market, r#"{"leave":"BTC-EUR"}"#);
    play.take_text(market, r#"{"listen":"BTC-EUR"}"#);
    play.frame(market, &book(9, 1));
    assert!(play.row_kinds().contains(&RowKind::Depth));
    let wrong = r#"{"trade":"BTC-EUR","price":"61800.5","size":"0.25","taker":"nobody"}"#;
    play.frame(market, wrong);
    assert_eq!(play.row_kinds(), [], "what cannot be read is no trade");
}

#[test]
fn an_order_lives_and_a_lost_answer_is_asked_about() {
    let (mut play, [_, user]) = up();
    play.place(1, Side::Buy, 123_600, 100);
    let asked = play.take("POST", "/orders");
    assert!(asked.body.contains(r#""price":"61800","size":"0.1""#), "{}", asked.body);
    play.answer(&asked, 200, &[], &told(1, "open", ""));
    assert_eq!(play.kinds(1), [VenueEventKind::Accepted]);
    let fill =
        r#","filled":"0.04","fill":{"id":"t1","price":"61800.0","size":"0.04","maker":true}"#;
    play.frame(user, &told(1, "part", fill));
    let filled = VenueEventKind::Filled {
        price: mainspring_core::Ticks(123_600),
        qty: Lots(40),
        maker: true,
    };
    assert_eq!(play.kinds(1), [filled]);
    play.cancel(1);
    let path = format!("/orders/{}", client(1));
    play.ok("DELETE", &path, &told(1, "gone", r#","filled":"0.04""#));
    assert_eq!(play.kinds(1), [VenueEventKind::Cancelled(CancelReason::Requested)]);

    play.place(2, Side::Buy, 123_600, 100);
    let asked = play.take("POST", "/orders");
    play.fail(&asked, Sent::Perhaps);
    assert!(play.kinds(2).is_empty(), "nothing is assumed");
    play.place(3, Side::Sell, 123_600, 100);
    let asked = play.take("POST", "/orders");
    play.answer(&asked, 400, &[], r#"{"code":"would_take"}"#);
    assert_eq!(play.kinds(3), [VenueEventKind::Rejected(RejectReason::PostOnlyWouldTake)]);
    assert!(!play.others().iter().any(|told| matches!(told, Told::Link { up: false })));
}
