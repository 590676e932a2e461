//! Orders and cancels of transactions, brought to the matching engine.

use mainspring_core::order::{
    OrderFlags, OrderTerms, OrderType, RejectReason, SelfTradePrevention, Side,
};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeInForce};
use mainspring_exchange::{AccountId, OrderId, TriggerBy};

use super::chain::{height, units};
use super::refusal::{Outcome, Refusal};
use super::tx::{ChainOrder, GoodTill, Message, OrderKey};
use super::{perpetuals, Dydx};
use crate::records::{ChainTerms, OrderRecord};
use crate::section::{Placement, Product};
use crate::venue::Venue;

/// Short-term orders end within as many blocks of the next one.
const SHORT_WINDOW: u32 = 20;
/// Others end within 95 days.
const LONGEST_S: i64 = 95 * 86_400;
/// Orders of the chain's state that a rich account may have open.
const MAX_STATEFUL: usize = 200;

const SHORT_TERM: u32 = 0;
const CONDITIONAL: u32 = 32;
const LONG_TERM: u32 = 64;

/// Carries a message out.
pub fn carry_out(
    chain: &mut Dydx,
    venue: &mut Venue,
    member: usize,
    message: &Message,
) -> Outcome<()> {
    match message {
        Message::Place(order) => place(chain, venue, member, order),
        Message::Cancel(key, good_till) => cancel(chain, venue, member, key, *good_till),
        Message::CancelMany(_, books, block) => {
            check_block(venue, GoodTill::Block(*block))?;
            for (book, numbers) in books {
                for client_id in numbers {
                    // Of a batch each stands for itself: those that fail are left out.
                    let _ = cancel_short(chain, venue, member, (*book, *client_id), *block);
                }
            }
            Ok(())
        }
    }
}

fn account(venue: &Venue, member: usize) -> AccountId {
    venue.members[member].accounts[Product::Usdm as usize]
}

/// The order that a key names, open or ended.
fn named<'a>(venue: &'a Venue, member: usize, key: &OrderKey) -> Option<&'a OrderRecord> {
    let account = account(venue, member);
    // Numbers count for each order book and kind apart; the newest of them all is found at once.
    let records = &perpetuals(venue).desk.records;
    let newest = records.find(account, None, Some(&key.client_id.to_string()));
    let is_it = |one: &&OrderRecord| one.symbol == key.book && one.chain.flags == key.flags;
    newest.filter(is_it).or_else(|| {
        let number = key.client_id.to_string();
        records.open_of(account).filter(|one| one.client_id == number).find(is_it)
    })
}

/// The last block of a short-term order or cancel, where it is near enough.
fn check_block(venue: &Venue, good_till: GoodTill) -> Outcome<u32> {
    let GoodTill::Block(block) = good_till else {
        return Err(Refusal::clob(5, "Invalid order goodTilBlock"));
    };
    let next = height(venue) + 1;
    if block < next {
        let log = "The next block height is greater than the GoodTilBlock of the message";
        return Err(Refusal::clob(10, log));
    }
    if block > next + SHORT_WINDOW {
        let log =
            "The GoodTilBlock of the message is further than ShortBlockWindow blocks into the \
                   future";
        return Err(Refusal::clob(11, log));
    }
    Ok(block)
}

fn check_time(venue: &Venue, good_till: GoodTill) -> Outcome<u32> {
    let GoodTill::Time(second) = good_till else {
        return Err(Refusal::clob(3_001, "Invalid order goodTilBlockTime"));
    };
    let now_s = venue.now_ns() / 1_000_000_000;
    if i64::from(second) <= now_s {
        let log = "The block time is greater than the GoodTilBlockTime of the message";
        return Err(Refusal::clob(3_003, log));
    }
    if i64::from(second) > now_s + LONGEST_S {
        let log =
            "The GoodTilBlockTime of the message is further than StatefulOrderTimeWindow into \
                   the future";
        return Err(Refusal::clob(3_004, log));
    }
    Ok(second)
}

/// Type of the order, and whether it ends at once.
fn kind(order: &ChainOrder) -> Outcome<(OrderType, &'static str, &'static str)> {
    let is_immediate = order.time_in_force == 1;
    let life = match order.time_in_force {
        0 => "GTT",
        1 => "IOC",
        2 => "GTT",
        _ => return Err(Refusal::clob(48, "FillOrKill has been deprecated")),
    };
    Ok(match (order.key.flags, order.condition, is_immediate) {
        (SHORT_TERM | LONG_TERM, 0, _) => {
            if order.key.flags == LONG_TERM && is_immediate {
                let log = "Stateful orders cannot require immediate execution";
                return Err(Refusal::clob(3_002, log));
            }
            (OrderType::Limit, "LIMIT", life)
        }
        (CONDITIONAL, 1, true) => (OrderType::Stop, "STOP_MARKET", life),
        (CONDITIONAL, 1, false) => (OrderType::StopLimit, "STOP_LIMIT", life),
        (CONDITIONAL, 2, true) => (OrderType::TakeProfit, "TAKE_PROFIT_MARKET", life),
        (CONDITIONAL, 2, false) => {
            return Err(Refusal::clob(9_002, "take profits with a limit are not simulated"));
        }
        (SHORT_TERM | LONG_TERM | CONDITIONAL, ..) => {
            return Err(Refusal::clob(6_000, "Conditional type is invalid"));
        }
        _ => return Err(Refusal::clob(3_000, "Invalid order flags")),
    })
}

fn terms(venue: &Venue, order: &ChainOrder) -> Outcome<OrderTerms> {
    let symbols = &perpetuals(venue).desk.symbols;
    let symbol = symbols
        .get(order.key.book)
        .ok_or_else(|| Refusal::clob(8, "ClobPair ID does not reference a valid CLOB"))?;
    let units = units(&symbol.instrument);
    let steps = |count: u64, step: u64, reason: RejectReason| {
        let whole = (count > 0 && count.is_multiple_of(step)).then_some(count / step);
        let steps = whole.and_then(|steps| i64::try_from(steps).ok());
        steps.ok_or_else(|| Refusal::of(reason))
    };
    let side = match order.side {
        1 => Side::Buy,
        2 => Side::Sell,
        _ => return Err(Refusal::clob(3, "Invalid order side")),
    };
    let qty = Lots(steps(order.quantums, units.step_quantums, RejectReason::BadQuantity)?);
    let price = Ticks(steps(order.subticks, units.subticks, RejectReason::PriceOffGrid)?);
    let (order_type, ..) = kind(order)?;
    let has_limit = matches!(order_type, OrderType::Limit | OrderType::StopLimit);
    let instrument = InstrumentId(order.key.book as u16);
    let mut terms =
        OrderTerms::limit(instrument, side, if has_limit { price } else { Ticks(0) }, qty);
    terms.order_type = order_type;
    if order_type != OrderType::Limit {
        let trigger = steps(order.trigger_subticks, units.subticks, RejectReason::PriceOffGrid)?;
        terms.trigger = Ticks(trigger);
    }
    if order.time_in_force == 2 {
        terms.flags = terms.flags.with(OrderFlags::POST_ONLY);
    }
    if order.reduce_only {
        terms.flags = terms.flags.with(OrderFlags::REDUCE_ONLY);
    }
    if order.time_in_force == 1 && has_limit {
        terms.time_in_force = TimeInForce::Ioc;
    }
    Ok(terms)
}

fn place(chain: &mut Dydx, venue: &mut Venue, member: usize, order: &ChainOrder) -> Outcome<()> {
    let is_short = order.key.flags == SHORT_TERM;
    let good_till = match is_short {
        true => check_block(venue, order.good_till)?,
        false => check_time(venue, order.good_till)?,
    };
    let terms = terms(venue, order)?;
    let cancelled = (member, order.key.book, order.key.client_id);
    if is_short && chain.cancels.get(&cancelled).is_some_and(|till| *till >= good_till) {
        let log = "Attempt to place an order that is already canceled";
        return Err(Refusal::clob(7, log));
    }
    let known = named(venue, member, &order.key).filter(|known| known.status.is_open());
    if let Some((id, till)) = known.map(|known| (known.id, known.chain.good_till)) {
        if !is_short {
            chain.pace_stateful(member, height(venue))?;
        }
        replace(venue, member, (id, till, is_short), (good_till, &terms))?;
        chain.end_at(venue, id);
        return Ok(());
    }
    if !is_short {
        let open = perpetuals(venue).desk.records.open_of(account(venue, member));
        if open.filter(|one| one.chain.flags != SHORT_TERM).count() >= MAX_STATEFUL {
            return Err(Refusal::of(RejectReason::Overloaded));
        }
        chain.pace_stateful(member, height(venue))?;
    }
    let (_, type_name, life) = kind(order)?;
    let placement = Placement {
        account: account(venue, member),
        symbol: order.key.book,
        terms,
        client_id: order.key.client_id.to_string(),
        type_name,
        time_in_force: life,
        self_trade: ("", Some(SelfTradePrevention::CancelOldest)),
        working_type: ("", TriggerBy::Mark),
        chain: ChainTerms {
            flags: order.key.flags,
            metadata: order.metadata,
            good_till,
            height: height(venue),
        },
    };
    let now = venue.now_ns();
    let section = &mut venue.sections[Product::Usdm as usize];
    let id = section.place(placement, now).map_err(Refusal::of)?;
    chain.end_at(venue, id);
    Ok(())
}

/// An order with the same id and a later end takes the other's place; what it has filled counts.
fn replace(
    venue: &mut Venue,
    member: usize,
    (id, till, is_short): (OrderId, u32, bool),
    (good_till, terms): (u32, &OrderTerms),
) -> Outcome<()> {
    if good_till <= till {
        return Err(match is_short {
            true => Refusal::of(RejectReason::DuplicateOrder),
            false => Refusal::clob(3_005, "Existing stateful order has higher-or-equal priority"),
        });
    }
    let (account, now) = (account(venue, member), venue.now_ns());
    let section = &mut venue.sections[Product::Usdm as usize];
    section.amend(account, id, (terms.price, terms.qty), now).map_err(Refusal::of)?;
    if let Some(order) = section.desk.records.get_mut(id) {
        order.chain.good_till = good_till;
    }
    Ok(())
}

fn cancel(
    chain: &mut Dydx,
    venue: &mut Venue,
    member: usize,
    key: &OrderKey,
    good_till: GoodTill,
) -> Outcome<()> {
    if key.flags == SHORT_TERM {
        let block = check_block(venue, good_till)?;
        return cancel_short(chain, venue, member, (key.book, key.client_id), block);
    }
    let second = check_time(venue, good_till)?;
    let known = named(venue, member, key).filter(|order| order.status.is_open());
    let Some((id, till)) = known.map(|order| (order.id, order.chain.good_till)) else {
        return Err(Refusal::of(RejectReason::UnknownOrder));
    };
    if second < till {
        return Err(Refusal::clob(29, "Invalid stateful order cancellation"));
    }
    let (account, now) = (account(venue, member), venue.now_ns());
    let section = &mut venue.sections[Product::Usdm as usize];
    section.cancel(account, id, now).map_err(Refusal::of)
}

/// A short-term cancel is kept until its last block, whether or not there is such an order.
fn cancel_short(
    chain: &mut Dydx,
    venue: &mut Venue,
    member: usize,
    (book, client_id): (usize, u32),
    block: u32,
) -> Outcome<()> {
    let place = (member, book, client_id);
    if chain.cancels.get(&place).is_some_and(|till| *till >= block) {
        let log =
            "A cancel already exists in the memclob for this order with a greater than or equal \
                   GoodTilBlock";
        return Err(Refusal::clob(9, log));
    }
    chain.cancels.insert(place, block);
    let key = OrderKey { client_id, book, flags: SHORT_TERM, ..OrderKey::default() };
    let known = named(venue, member, &key).filter(|order| order.status.is_open());
    if let Some(id) = known.map(|order| order.id) {
        let (account, now) = (account(venue, member), venue.now_ns());
        let section = &mut venue.sections[Product::Usdm as usize];
        section.cancel(account, id, now).map_err(Refusal::of)?;
    }
    Ok(())
}
