//! Answers of the indexer and of the chain, and the subaccount's events.

use mainspring_core::{CancelReason, Decimal, RejectReason, TimeNs};

use super::errors::classify;
use super::{Placed, PAGE};
use crate::amount::negated;
use crate::civil::iso_ns;
use crate::document::{each_object, is_array, Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
};
use crate::failure::Failure;
use crate::operation::Asked;
use crate::outgoing::{Host, Outgoing, Reply};

/// What the codec learns from messages for later requests.
#[derive(Default)]
pub(super) struct Seen {
    pub height: u32,
    pub orders: Vec<(u32, Placed)>,
}

pub(super) fn answer(
    out: &Outgoing,
    reply: &Reply<'_>,
    seen: &mut Seen,
    on: OnFact<'_>,
) -> Result<(), Failure> {
    if reply.status != 200 {
        let text = String::from_utf8_lossy(reply.body);
        return Err(Failure::of_status(reply.status, reply.retry_after_ms(), text));
    }
    if out.asked == Asked::Fees {
        return super::fees::answer(reply.body, on);
    }
    if out.host == Host::Chain {
        return broadcast(reply.body, on);
    }
    read(out.asked, reply.body, seen, on).map_err(Failure::unreadable)
}

/// {"jsonrpc":"2.0","id":-1,"result":{"code":0,"codespace":"","log":"","hash":".."}}
fn broadcast(body: &[u8], on: OnFact<'_>) -> Result<(), Failure> {
    let root = Object::read(body).map_err(Failure::unreadable)?;
    if let Some(error) = root.object("error").map_err(Failure::unreadable)? {
        let message = format!("{} {}", error.message("message"), error.message("data"));
        return Err(match message.contains("tx already exists in cache") {
            true => classify(19, "sdk", &message),
            false => Failure::refused("", message),
        });
    }
    let result = root.need_object("result").map_err(Failure::unreadable)?;
    match result.need_integer("code").map_err(Failure::unreadable)? {
        0 => {
            // The node took the transaction; what becomes of the order comes by the stream.
            on(Fact::Other("broadcast"));
            Ok(())
        }
        code => Err(classify(code, &result.message("codespace"), &result.message("log"))),
    }
}

fn read(asked: Asked, body: &[u8], seen: &mut Seen, on: OnFact<'_>) -> Read<()> {
    match asked {
        Asked::Query | Asked::OpenOrders if is_array(body) => {
            each_object(body, &mut |one| order(one, seen, on))
        }
        Asked::Query => order(&Object::read(body)?, seen, on),
        Asked::Fills => fills(&Object::read(body)?, on),
        Asked::Positions => Object::read(body)?.each("positions", &mut |one| position(one, on)),
        Asked::Balances => subaccount(&Object::read(body)?.need_object("subaccount")?, on),
        Asked::Time => {
            let root = Object::read(body)?;
            height(root.integer("height")?, seen);
            let time = time_ns(&root, "time")?.ok_or(Unreadable::Missing("time"))?;
            on(Fact::Notice(Notice::ServerTime(time)));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Fills from the newest on: where the list is full, older ones are asked for by the time of its last.
fn fills(root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let (mut count, mut last) = (0, String::new());
    root.each("fills", &mut |one| {
        count += 1;
        if let Some(time) = one.word("createdAt")? {
            last.clear();
            last.push_str(time);
        }
        fill(one, on)
    })?;
    if count >= PAGE && !last.is_empty() {
        on(Fact::More(&last));
    }
    Ok(())
}

fn height(height: Option<i64>, seen: &mut Seen) {
    if let Some(height) = height.and_then(|height| u32::try_from(height).ok()) {
        seen.height = seen.height.max(height);
    }
}

fn time_ns(object: &Object<'_>, key: &'static str) -> Read<Option<TimeNs>> {
    match object.word(key)? {
        None => Ok(None),
        Some(text) => match iso_ns(text.as_bytes()) {
            Some(ns) => Ok(Some(ns)),
            None => Err(Unreadable::Wrong(key, "is no time")),
        },
    }
}

/// Reads one message of the connection with the subaccount's channel.
pub(super) fn event(text: &[u8], seen: &mut Seen, on: OnFact<'_>) -> Read<()> {
    let root = Object::read(text)?;
    let kind = root.word("type")?.unwrap_or("");
    if kind == "error" {
        let message = root.message("message");
        on(Fact::Notice(Notice::SubscriptionFailed(&message)));
        return Ok(());
    }
    let Some(contents) = root.raw("contents").filter(|_| root.has("channel")) else {
        on(Fact::Other(if kind.is_empty() { "other" } else { kind }));
        return Ok(());
    };
    let mut each = |contents: &Object<'_>| match root.need_word("channel")? {
        "v4_subaccounts" | "v4_parent_subaccounts" => account(contents, seen, on),
        "v4_block_height" => {
            height(contents.integer("blockHeight")?.or(contents.integer("height")?), seen);
            on(Fact::Other("block height"));
            Ok(())
        }
        other => {
            on(Fact::Other(other));
            Ok(())
        }
    };
    if is_array(contents) {
        return each_object(contents, &mut each);
    }
    each(&Object::read(contents)?)
}

fn account(contents: &Object<'_>, seen: &mut Seen, on: OnFact<'_>) -> Read<()> {
    height(contents.integer("blockHeight")?, seen);
    if let Some(all) = contents.object("subaccount")? {
        on(Fact::Notice(Notice::Subscribed("v4_subaccounts")));
        subaccount(&all, on)?;
    }
    // Orders before fills, which name them by the venue's id alone.
    contents.each("orders", &mut |one| order(one, seen, on))?;
    contents.each("fills", &mut |one| fill(one, on))?;
    contents.each("perpetualPositions", &mut |one| position(one, on))?;
    contents.each("assetPositions", &mut |one| balance(one, on))?;
    if contents.has("transfers") || contents.has("tradingReward") {
        on(Fact::Other("transfers and rewards"));
    }
    Ok(())
}

/// The whole state: positions and balances by name.
fn subaccount(all: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    if let Some(positions) = all.object("openPerpetualPositions")? {
        for (_, raw) in positions.entries() {
            position(&Object::read(raw)?, on)?;
        }
    }
    if let Some(assets) = all.object("assetPositions")? {
        for (_, raw) in assets.entries() {
            balance(&Object::read(raw)?, on)?;
        }
    }
    Ok(())
}

fn signed(size: Decimal, side: Option<&str>) -> Read<Decimal> {
    match side {
        Some("LONG") | None => Ok(size),
        // Some messages write shorts with their sign, others without.
        Some("SHORT") if size.mantissa() > 0 => Ok(negated(size)),
        Some("SHORT") => Ok(size),
        Some(_) => Err(Unreadable::Wrong("side", "is neither LONG nor SHORT")),
    }
}

fn position(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let closed = one.word("status")?.is_some_and(|word| word != "OPEN");
    let size = signed(one.need_decimal("size")?, one.word("side")?)?;
    on(Fact::Position(PositionFact {
        symbol: one.need_word("market")?,
        qty: if closed { Decimal::ZERO } else { size },
        // Averages have more digits than are kept.
        entry: one.decimal("entryPrice").unwrap_or(None),
        hedged: false,
    }));
    Ok(())
}

fn balance(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let total = signed(one.need_decimal("size")?, one.word("side")?)?;
    on(Fact::Balance(BalanceFact { currency: one.need_word("symbol")?, total, free: None }));
    Ok(())
}

fn order(one: &Object<'_>, seen: &mut Seen, on: OnFact<'_>) -> Read<()> {
    let word = one.need_word("status")?;
    let filled = one.decimal("totalFilled")?.or(one.decimal("totalOptimisticFilled")?);
    let untraded = filled.unwrap_or_default() == Decimal::ZERO;
    let removal = one.word("removalReason")?;
    let status = match word {
        "OPEN" | "BEST_EFFORT_OPENED" => OrderStatus::Open,
        "UNTRIGGERED" => OrderStatus::Armed,
        "FILLED" => OrderStatus::Filled,
        // A fill may still come until the order's last block has passed.
        "BEST_EFFORT_CANCELED" => match removed(removal, untraded) {
            OrderStatus::Rejected(reason) => OrderStatus::Rejected(reason),
            _ => OrderStatus::Leaving,
        },
        "CANCELED" => removed(removal, untraded),
        "ERROR" => OrderStatus::Rejected(Some(RejectReason::VenueRule)),
        _ => return Err(Unreadable::Wrong("status", "is not known")),
    };
    remember(one, seen)?;
    let metadata = one.integer("clientMetadata")?.and_then(|number| u32::try_from(number).ok());
    on(Fact::Order(OrderFact {
        side: one.side("side")?,
        price: one.decimal("price")?,
        qty: one.decimal("size")?,
        filled,
        time_ns: time_ns(one, "updatedAt")?,
        metadata,
        said: removal.unwrap_or(word),
        ..OrderFact::new(status).of(
            one.word("ticker")?.unwrap_or(""),
            one.word("clientId")?.unwrap_or(""),
            one.need_word("id")?,
        )
    }));
    Ok(())
}

/// Notes the kind of an order for a later cancel.
fn remember(one: &Object<'_>, seen: &mut Seen) -> Read<()> {
    let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let client_id = number(one.integer("clientId")?);
    if let (Some(client_id), Some(flags)) = (client_id, number(one.integer("orderFlags")?)) {
        let second = time_ns(one, "goodTilBlockTime")?.map(|ns| ns / 1_000_000_000);
        let good_till = number(second.or(one.integer("goodTilBlock")?)).unwrap_or(0);
        seen.orders.push((client_id, Placed { flags, good_till }));
    }
    Ok(())
}

/// Why an order was taken out of the book.
fn removed(reason: Option<&str>, untraded: bool) -> OrderStatus {
    let word = reason.unwrap_or("").trim_start_matches("ORDER_REMOVAL_REASON_");
    match word {
        "POST_ONLY_WOULD_CROSS_MAKER_ORDER" if untraded => {
            OrderStatus::Rejected(Some(RejectReason::PostOnlyWouldTake))
        }
        "FOK_ORDER_COULD_NOT_BE_FULLY_FULLED" | "FOK_ORDER_COULD_NOT_BE_FULLY_FILLED"
            if untraded =>
        {
            OrderStatus::Rejected(Some(RejectReason::FokNotFilled))
        }
        "UNDERCOLLATERALIZED" if untraded => {
            OrderStatus::Rejected(Some(RejectReason::InsufficientMargin))
        }
        "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK" => {
            OrderStatus::Cancelled(CancelReason::IocRemainder)
        }
        "SELF_TRADE_ERROR" => OrderStatus::Cancelled(CancelReason::SelfTrade),
        "REDUCE_ONLY_RESIZE" => OrderStatus::Cancelled(CancelReason::ReduceOnly),
        "EXPIRED" | "FINAL_SETTLEMENT" => OrderStatus::Cancelled(CancelReason::Expired),
        "UNDERCOLLATERALIZED" => OrderStatus::Cancelled(CancelReason::Liquidation),
        _ => OrderStatus::Cancelled(CancelReason::Requested),
    }
}

fn fill(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let origin = match one.word("type")? {
        None | Some("LIMIT" | "MARKET" | "TWAP_SUBORDER") => FillOrigin::Book,
        Some("LIQUIDATED" | "LIQUIDATION") => FillOrigin::Liquidation,
        Some("DELEVERAGED" | "OFFSETTING") => FillOrigin::Deleveraging,
        Some(_) => return Err(Unreadable::Wrong("type", "is no kind of fill that is known")),
    };
    let maker = match one.word("liquidity")? {
        None => None,
        Some("MAKER") => Some(true),
        Some("TAKER") => Some(false),
        Some(_) => return Err(Unreadable::Wrong("liquidity", "is neither MAKER nor TAKER")),
    };
    let symbol = one.word("ticker")?.or(one.word("market")?);
    on(Fact::Fill(FillFact {
        symbol: symbol.ok_or(Unreadable::Missing("ticker"))?,
        client: "",
        venue_id: one.word("orderId")?.unwrap_or(""),
        trade_id: one.need_word("id")?,
        side: one.side("side")?,
        price: one.need_decimal("price")?,
        qty: one.need_decimal("size")?,
        fee: one.decimal("fee")?,
        fee_currency: "USDC",
        maker,
        filled: None,
        time_ns: time_ns(one, "createdAt")?,
        origin,
        metadata: None,
    }));
    Ok(())
}
