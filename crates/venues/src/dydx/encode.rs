//! Requests: questions to the indexer, signed transactions to a node.

use mainspring_core::{
    Error, ErrorKind, Lots, OrderFlags, OrderType, Result, Side, Ticks, TimeInForce,
};

use super::tx::{batch_cancel, cancel, place, signed, ChainOrder, GoodTill, OrderId, Signer};
use super::{Dydx, Placed, PAGE};
use crate::civil::push_iso_ms;
use crate::listing::{Code, Listing};
use crate::numerals::push_hex_bytes;
use crate::operation::{Cancel, Operation, OrderKey, Place, UserStream};
use crate::outgoing::{Cost, Host, Outgoing, Via};
use crate::params::{push_json_text, Params};
use crate::venue::Stream;

const SHORT_TERM: u32 = 0;
const CONDITIONAL: u32 = 32;
const LONG_TERM: u32 = 64;

pub(super) fn subscribe(
    listings: &[&Listing],
    streams: &[Stream],
    frames: &mut Vec<(usize, String)>,
) {
    for stream in streams {
        let channel = match stream {
            Stream::Book => "v4_orderbook",
            Stream::Trades => "v4_trades",
            Stream::Mark => {
                frames.push((0, frame("v4_markets", "")));
                continue;
            }
            // There is no stream of best prices: they are the top of the book.
            Stream::Best => continue,
        };
        frames.extend(listings.iter().map(|listing| (0, frame(channel, listing.symbol()))));
    }
}

fn frame(channel: &str, id: &str) -> String {
    let mut text = String::from("{\"type\":\"subscribe\",\"channel\":");
    push_json_text(&mut text, channel);
    if !id.is_empty() {
        text.push_str(",\"id\":");
        push_json_text(&mut text, id);
    }
    text.push_str(",\"batched\":false}");
    text
}

pub(super) fn encode(
    venue: &mut Dydx,
    operation: &Operation<'_>,
    via: Via,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    out.start(via, operation.asked());
    if let Operation::UserStream(what) = operation {
        return user_stream(venue, *what, out);
    }
    if matches!(via, Via::Socket { .. }) {
        return refuse("only subscriptions go by the websocket: send it by HTTP");
    }
    match operation {
        Operation::Place(one) => transact_place(venue, one, false, now_ms, out),
        Operation::Amend(amend) => {
            // The same id with a later end takes the order's place.
            let mut terms = amend.terms;
            terms.price = amend.price;
            terms.qty = amend.qty;
            let OrderKey::Client(client) = amend.order else {
                return refuse("orders are changed by our own ids");
            };
            transact_place(venue, &Place::new(amend.listing, terms, client), true, now_ms, out)
        }
        Operation::Cancel(one) => transact_cancel(venue, one, now_ms, out),
        Operation::CancelMany(list) => transact_cancels(venue, list, now_ms, out),
        Operation::Fees(_) if venue.settings.address.is_empty() => {
            refuse("fees are those of an account: its address is needed")
        }
        Operation::Fees(_) => {
            out.host = Host::Chain;
            super::fees::push_question(&venue.settings.address, &mut out.target);
            Ok(())
        }
        _ => question(venue, operation, out),
    }
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Value, format!("dydx: {what}")))
}

fn question(venue: &Dydx, operation: &Operation<'_>, out: &mut Outgoing) -> Result<()> {
    let mut params = Params::default();
    // Fills are listed from the newest on: the rest of a long list is what was before its oldest.
    let (operation, after) = match operation {
        Operation::Page(page) => (page.of, page.after),
        all => (all, ""),
    };
    let account = |params: &mut Params| {
        params.text("address", &venue.settings.address);
        params.number("subaccountNumber", u64::from(venue.settings.subaccount));
    };
    let path = match operation {
        Operation::Query { order: OrderKey::Venue(id), .. } => format!("/v4/orders/{id}"),
        Operation::Query { listing, order: OrderKey::Client(_) } => {
            // The indexer finds orders by its own ids alone: all of the market are listed.
            account(&mut params);
            params.text("ticker", listing.symbol());
            "/v4/orders".to_owned()
        }
        Operation::OpenOrders(listing) => {
            account(&mut params);
            listing.iter().for_each(|listing| params.text("ticker", listing.symbol()));
            // Short-term orders are open by the best effort of a validator until a part of them trades, and
            // conditional ones wait.
            params.bare("status", "OPEN,BEST_EFFORT_OPENED,UNTRIGGERED");
            "/v4/orders".to_owned()
        }
        Operation::Fills { listing, limit, .. } => {
            account(&mut params);
            params.text("market", listing.symbol());
            params.text("marketType", "PERPETUAL");
            params.number("limit", u64::from((*limit).min(PAGE)));
            params.some_text("createdBeforeOrAt", after);
            "/v4/fills".to_owned()
        }
        Operation::Balances => {
            let settings = &venue.settings;
            format!("/v4/addresses/{}/subaccountNumber/{}", settings.address, settings.subaccount)
        }
        Operation::Positions(_) => {
            params.text("address", &venue.settings.address);
            params.text("status", "OPEN");
            params.number("subaccountNumber", u64::from(venue.settings.subaccount));
            "/v4/perpetualPositions".to_owned()
        }
        Operation::Book { listing, .. } => {
            format!("/v4/orderbooks/perpetualMarket/{}", listing.symbol())
        }
        Operation::Trades { listing, limit } => {
            params.number("limit", u64::from(*limit));
            format!("/v4/trades/perpetualMarket/{}", listing.symbol())
        }
        Operation::Candles { listing, since_ms, limit } => {
            let mut from = String::new();
            push_iso_ms(&mut from, *since_ms);
            params.text("resolution", "1MIN");
            params.text("fromISO", &from);
            params.number("limit", u64::from(*limit));
            format!("/v4/candles/perpetualMarkets/{}", listing.symbol())
        }
        Operation::Funding(listing) => {
            params.text("ticker", listing.symbol());
            "/v4/perpetualMarkets".to_owned()
        }
        Operation::Instruments | Operation::MarginTiers(_) => "/v4/perpetualMarkets".to_owned(),
        Operation::Time => "/v4/height".to_owned(),
        Operation::PlaceMany(_) => return refuse("a transaction holds one order"),
        Operation::Rights { .. } | Operation::PositionMode => {
            return refuse("rights of the account are not told");
        }
        Operation::CancelAll(_) => {
            return refuse("there is no cancel of all: list the open orders and cancel them");
        }
        Operation::Leverage { .. } | Operation::MarginMode { .. } => {
            return refuse("leverage is what the account holds: there is nothing to set");
        }
        Operation::Countdown { .. } => {
            return refuse("there is no countdown: use short-term orders, which end by themselves");
        }
        _ => return refuse("no such request"),
    };
    out.target.push_str(&path);
    if !params.is_empty() {
        out.target.push('?');
        params.push_query(&mut out.target);
    }
    Ok(())
}

/// The numbers of a market's chain.
struct Chain {
    clob_pair_id: u32,
    step_base_quantums: u64,
    subticks_per_tick: u64,
}

fn chain(listing: &Listing) -> Result<Chain> {
    match listing.code {
        Code::Dydx { clob_pair_id, step_base_quantums, subticks_per_tick, .. } => Ok(Chain {
            clob_pair_id,
            step_base_quantums,
            subticks_per_tick: u64::from(subticks_per_tick),
        }),
        _ => refuse("the market's numbers on the chain are not known: read the instruments"),
    }
}

impl Chain {
    fn quantums(&self, qty: Lots) -> Result<u64> {
        scaled(qty.0, self.step_base_quantums, "quantity")
    }

    fn subticks(&self, price: Ticks) -> Result<u64> {
        scaled(price.0, self.subticks_per_tick, "price")
    }
}

fn scaled(count: i64, unit: u64, what: &str) -> Result<u64> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0);
    match count.and_then(|count| count.checked_mul(unit)) {
        Some(value) => Ok(value),
        None => refuse(&format!("the {what} must be positive and fit 64 bits")),
    }
}

fn client_number(client: &str) -> Result<u32> {
    match client.parse() {
        Ok(number) => Ok(number),
        Err(_) => refuse("client ids are numbers of 32 bits"),
    }
}

fn id<'a>(venue: &'a Dydx, listing: &Listing, client_id: u32, flags: u32) -> Result<OrderId<'a>> {
    if venue.settings.address.is_empty() {
        return refuse("orders need the address of the account");
    }
    Ok(OrderId {
        owner: &venue.settings.address,
        subaccount: venue.settings.subaccount,
        client_id,
        flags,
        clob_pair_id: chain(listing)?.clob_pair_id,
    })
}

fn until_block(venue: &Dydx) -> Result<u32> {
    if venue.height == 0 {
        return refuse("short-term orders need the height of the chain: ask the time first");
    }
    Ok(venue.height + venue.settings.short_blocks)
}

/// Blocks that a short-term order may live, counted from the next one.
const SHORT_WINDOW: u32 = 20;

/// The end of an order: the one asked for, or later than that of the order whose place it takes.
fn end_of(venue: &Dydx, flags: u32, expires_s: u32, before: Option<Placed>) -> Result<u32> {
    let asked = if flags == SHORT_TERM { until_block(venue)? } else { expires_s };
    let Some(before) = before.filter(|before| before.flags == flags) else { return Ok(asked) };
    let end = asked.max(before.good_till + 1);
    if flags == SHORT_TERM && end > venue.height + 1 + SHORT_WINDOW {
        return refuse("a short-term order is changed once a block: wait for the next one");
    }
    Ok(end)
}

fn transact_place(
    venue: &mut Dydx,
    one: &Place<'_>,
    replaces: bool,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    let terms = &one.terms;
    if one.quote_amount.is_some() {
        return refuse("orders are sized by quantity, not by value");
    }
    let client_id = client_number(one.client)?;
    let conditional = match terms.order_type {
        OrderType::Limit | OrderType::Market => 0,
        OrderType::Stop | OrderType::StopLimit => 1,
        OrderType::TakeProfit => 2,
        _ => return refuse("orders are limit, market, stop or take-profit"),
    };
    let is_market = !matches!(terms.order_type, OrderType::Limit | OrderType::StopLimit);
    let price = match (is_market, one.worst) {
        (false, _) => terms.price,
        (true, Some(worst)) => worst,
        (true, None) => {
            return refuse("the chain has no market orders: say the worst price that is allowed");
        }
    };
    let immediate = is_market || terms.time_in_force == TimeInForce::Ioc;
    let flags = match (conditional, immediate || venue.settings.short_term) {
        (0, true) => SHORT_TERM,
        (0, false) => LONG_TERM,
        _ => CONDITIONAL,
    };
    let expires = match terms.time_in_force {
        TimeInForce::Gtd => terms.expire_ns / 1_000_000_000,
        TimeInForce::Fok => return refuse("the chain no longer takes fill-or-kill"),
        _ => now_ms / 1_000 + i64::from(venue.settings.long_seconds),
    };
    let Ok(expires) = u32::try_from(expires) else { return refuse("the expiry is out of range") };
    let before = if replaces { venue.placed.get(&client_id).copied() } else { None };
    let end = end_of(venue, flags, expires, before)?;
    let good_till = if flags == SHORT_TERM { GoodTill::Block(end) } else { GoodTill::Time(end) };
    let numbers = chain(one.listing)?;
    let order = ChainOrder {
        id: id(venue, one.listing, client_id, flags)?,
        sell: terms.side == Side::Sell,
        quantums: numbers.quantums(terms.qty)?,
        subticks: numbers.subticks(price)?,
        good_till,
        time_in_force: match () {
            () if terms.flags.has(OrderFlags::POST_ONLY) => 2,
            () if immediate => 1,
            () => 0,
        },
        reduce_only: terms.flags.has(OrderFlags::REDUCE_ONLY),
        metadata: venue.settings.metadata,
        condition: conditional,
        trigger_subticks: if conditional == 0 { 0 } else { numbers.subticks(terms.trigger)? },
        router: &venue.settings.router,
    };
    let message = place(&order);
    out.cost = cost_of(flags, 1);
    broadcast(venue, &message, now_ms, out)?;
    venue.remember(client_id, Placed { flags, good_till: end });
    Ok(())
}

/// What transactions with so many messages about orders of a kind take: nothing of the indexer's budget.
const fn cost_of(flags: u32, count: u32) -> Cost {
    match flags {
        SHORT_TERM => Cost { weight: 0, orders: count, lasting: 0 },
        _ => Cost { weight: 0, orders: 0, lasting: count },
    }
}

/// What a cancel names: the kind of the order, as it was placed or as the caller says.
fn cancelled<'a>(venue: &'a Dydx, one: &Cancel<'_>) -> Result<(OrderId<'a>, GoodTill)> {
    let OrderKey::Client(client) = one.order else {
        return refuse("orders are cancelled by our own ids");
    };
    let client_id = client_number(client)?;
    let unknown = Placed {
        flags: if one.good_till_s > 0 { LONG_TERM } else { SHORT_TERM },
        good_till: one.good_till_s,
    };
    let placed = venue.placed.get(&client_id).copied().unwrap_or(unknown);
    let order = id(venue, one.listing, client_id, placed.flags)?;
    let good_till = match placed.flags {
        // A cancel must not end before the order does.
        SHORT_TERM => GoodTill::Block(until_block(venue)?.max(placed.good_till)),
        _ => GoodTill::Time(placed.good_till.max(one.good_till_s)),
    };
    Ok((order, good_till))
}

fn transact_cancel(
    venue: &mut Dydx,
    one: &Cancel<'_>,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    let (order, good_till) = cancelled(venue, one)?;
    let message = cancel(&order, good_till);
    // Cancels of lasting orders are not counted.
    out.cost = cost_of(SHORT_TERM, u32::from(order.flags == SHORT_TERM));
    broadcast(venue, &message, now_ms, out)
}

fn transact_cancels(
    venue: &mut Dydx,
    list: &[Cancel<'_>],
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    let mut books: Vec<(u32, Vec<u32>)> = Vec::new();
    for one in list {
        let (order, good_till) = cancelled(venue, one)?;
        if !matches!(good_till, GoodTill::Block(_)) {
            return refuse("only short-term orders are cancelled in batches");
        }
        match books.iter_mut().find(|(book, _)| *book == order.clob_pair_id) {
            Some((_, clients)) => clients.push(order.client_id),
            None => books.push((order.clob_pair_id, vec![order.client_id])),
        }
    }
    let block = until_block(venue)?;
    let settings = &venue.settings;
    let message = batch_cancel(&settings.address, settings.subaccount, &books, block);
    out.cost = cost_of(SHORT_TERM, u32::try_from(list.len()).unwrap_or(u32::MAX));
    broadcast(venue, &message, now_ms, out)
}

/// Puts a signed transaction into the address of the request.
fn broadcast(
    venue: &mut Dydx,
    message: &super::protobuf::Message,
    now_ms: i64,
    out: &mut Outgoing,
) -> Result<()> {
    let key = venue.key.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::Config, "dydx: this request needs the key of the account")
    })?;
    // The chain takes a time in milliseconds for a sequence, each once.
    let sequence = now_ms.unsigned_abs().max(venue.last_sequence + 1);
    let signer = Signer {
        chain_id: &venue.settings.chain_id,
        account_number: venue.settings.account_number,
        sequence,
        authenticators: &venue.settings.authenticators,
    };
    let bytes = signed(key, message, &signer);
    venue.last_sequence = sequence;
    out.host = Host::Chain;
    out.target.push_str("/broadcast_tx_sync?tx=0x");
    push_hex_bytes(&mut out.target, &bytes);
    Ok(())
}

fn user_stream(venue: &Dydx, what: UserStream<'_>, out: &mut Outgoing) -> Result<()> {
    if matches!(out.via, Via::Http) {
        return refuse("user events come by the websocket alone: ask by socket");
    }
    let settings = &venue.settings;
    out.host = Host::User;
    match what {
        UserStream::Open if settings.address.is_empty() => {
            refuse("user events need the address of the account")
        }
        UserStream::Open => {
            let id = format!("{}/{}", settings.address, settings.subaccount);
            out.body.push_str(&frame("v4_subaccounts", &id));
            Ok(())
        }
        // The height of the chain, by which short-term orders end.
        UserStream::Subscribe => {
            out.body.push_str(&frame("v4_block_height", ""));
            Ok(())
        }
        UserStream::SubscribeArmed => {
            refuse("orders that wait for their trigger are told with the others")
        }
        UserStream::KeepAlive(_) | UserStream::Close(_) => {
            refuse("user streams have no keys to keep alive")
        }
    }
}
