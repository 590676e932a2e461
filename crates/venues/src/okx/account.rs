//! Answers and user events.

use mainspring_core::{CancelReason, Decimal, RejectReason};

use super::errors::classify;
use crate::amount::negated;
use crate::document::{each_raw, Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
    RightsFact,
};
use crate::failure::{Failure, FailureClass};
use crate::operation::Asked;
use crate::outgoing::{Outgoing, Reply};

/// Most orders or fills in one answer.
const PAGE: usize = 100;

pub(super) fn answer(out: &Outgoing, reply: &Reply<'_>, on: OnFact<'_>) -> Result<(), Failure> {
    let wait_ms = reply.retry_after_ms();
    let Ok(root) = Object::read(reply.body) else {
        return Err(match reply.status {
            200 => Failure::unreadable("it is not JSON"),
            status => Failure::of_status(status, wait_ms, "the answer is not JSON"),
        });
    };
    let code = root.word("code").map_err(Failure::unreadable)?;
    match code {
        Some("0") => {}
        // All or some of the orders failed: what became of each is in the data.
        Some("1" | "2") if has_items(&root) => {}
        Some(code) => return Err(classify(code, &root.message("msg"), wait_ms)),
        None if reply.status != 200 => {
            return Err(Failure::of_status(reply.status, wait_ms, root.message("msg")));
        }
        None => return Err(Failure::unreadable(Unreadable::Missing("code"))),
    }
    let single = matches!(out.asked, Asked::Place | Asked::Cancel | Asked::Amend);
    match first_failure(&root, single).map_err(Failure::unreadable)? {
        Some(failure) => Err(failure),
        None => read(out.asked, &root, on).map_err(Failure::unreadable),
    }
}

fn has_items(root: &Object<'_>) -> bool {
    root.raw("data").is_some_and(|data| data != b"[]")
}

/// The failure of the one order that was asked about.
fn first_failure(root: &Object<'_>, single: bool) -> Read<Option<Failure>> {
    let mut found = None;
    if single {
        root.each("data", &mut |one| {
            found = found.take().or(item_failure(one)?);
            Ok(())
        })?;
    }
    Ok(found)
}

fn item_failure(one: &Object<'_>) -> Read<Option<Failure>> {
    match one.word("sCode")? {
        None | Some("0") => Ok(None),
        Some(code) => Ok(Some(classify(code, &one.message("sMsg"), None))),
    }
}

fn read(asked: Asked, root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    match asked {
        Asked::Place | Asked::PlaceMany | Asked::Cancel | Asked::CancelMany | Asked::Amend => {
            acknowledged(asked, root, on)
        }
        Asked::Query => root.each("data", &mut |one| listed_order(one, on)),
        Asked::OpenOrders => {
            let id = |one: &Object<'_>| if is_armed(one) { "algoId" } else { "ordId" };
            paged(root, id, on, listed_order)
        }
        Asked::Fills => paged(root, |_| "billId", on, fill),
        Asked::Balances => root.each("data", &mut |one| account(one, on)),
        Asked::Positions => root.each("data", &mut |one| position(one, on)),
        Asked::Time => root.each("data", &mut |one| {
            let time = one.time_ns("ts")?.ok_or(Unreadable::Missing("ts"))?;
            on(Fact::Notice(Notice::ServerTime(time)));
            Ok(())
        }),
        Asked::Countdown => root.each("data", &mut |one| {
            on(Fact::Notice(Notice::Countdown(one.time_ns("triggerTime")?.unwrap_or(0))));
            Ok(())
        }),
        Asked::Rights => root.each("data", &mut |one| {
            let granted = one.word("perm")?;
            let may = |right: &str| granted.map(|all| all.split(',').any(|one| one == right));
            on(Fact::Rights(RightsFact {
                trade: may("trade"),
                withdraw: may("withdraw"),
                bound_to_address: one.word("ip")?.map(|ip| !ip.is_empty()),
                hedge_mode: one.word("posMode")?.map(|mode| mode == "long_short_mode"),
            }));
            Ok(())
        }),
        Asked::Fees => root.each("data", &mut |one| fees(one, on)),
        Asked::CancelAll
        | Asked::MarginTiers
        | Asked::Settings
        | Asked::UserStream
        | Asked::Market
        | Asked::Instruments => Ok(()),
    }
}

/// Fees are told as what the account receives: negative is a cost. Contracts in USDT have keys of
/// their own.
fn fees(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let rate = |linear, other| -> Read<Decimal> {
        let rate = one.decimal(linear)?.or(one.decimal(other)?);
        rate.map(negated).ok_or(Unreadable::Missing(other))
    };
    let (maker, taker) = (rate("makerU", "maker")?, rate("takerU", "taker")?);
    on(Fact::Fees { symbol: "", maker, taker });
    Ok(())
}

/// An order of a list, or one that waits for its trigger: those say nothing of what traded.
fn listed_order(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    if is_armed(one) {
        return algo_update(one, on);
    }
    on(Fact::Order(order_fact(one)?));
    Ok(())
}

fn is_armed(one: &Object<'_>) -> bool {
    !one.has("accFillSz")
}

/// A list from the newest on: where it is full, it goes on behind its last one.
fn paged(
    root: &Object<'_>,
    id: fn(&Object<'_>) -> &'static str,
    on: OnFact<'_>,
    read: fn(&Object<'_>, OnFact<'_>) -> Read<()>,
) -> Read<()> {
    let (mut count, mut last) = (0, String::new());
    root.each("data", &mut |one| {
        count += 1;
        last.clear();
        last.push_str(one.word(id(one))?.unwrap_or(""));
        read(one, on)
    })?;
    if count >= PAGE && !last.is_empty() {
        on(Fact::More(&last));
    }
    Ok(())
}

/// Requests are acknowledged one by one; what becomes of the orders comes by the stream. Orders that wait for
/// their trigger have a stream that may be missing: their acknowledgement counts as what it promises.
fn acknowledged(asked: Asked, root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let mut at = 0;
    root.each("data", &mut |one| {
        let place = at;
        at += 1;
        let client = one.word("clOrdId")?.or(one.word("algoClOrdId")?).unwrap_or("");
        if let Some(failure) = item_failure(one)? {
            on(Fact::Failed { at: place, client, failure: &failure });
            return Ok(());
        }
        let (order, algo) = (one.word("ordId")?, one.word("algoId")?);
        let venue_id = order.or(algo).ok_or(Unreadable::Missing("ordId"))?;
        let status = match asked {
            _ if order.is_some() => OrderStatus::Received,
            // What was asked for is what stands: the session knows it.
            Asked::Amend => OrderStatus::Received,
            Asked::Cancel => OrderStatus::Cancelled(CancelReason::Requested),
            _ => OrderStatus::Armed,
        };
        let time_ns = one.time_ns("ts")?;
        let fact = OrderFact::new(status).of("", client, venue_id);
        on(Fact::Order(OrderFact { time_ns, ..fact }));
        Ok(())
    })
}

/// Reads one message of the private connection.
pub(super) fn event(text: &[u8], on: OnFact<'_>) -> Read<()> {
    if text == b"pong" {
        on(Fact::Notice(Notice::Pong));
        return Ok(());
    }
    let root = Object::read(text)?;
    if let Some(word) = root.word("event")? {
        return connection(word, &root, on);
    }
    let Some(arg) = root.object("arg")? else {
        on(Fact::Other(root.word("op")?.unwrap_or("other")));
        return Ok(());
    };
    match arg.need_word("channel")? {
        "orders" => root.each("data", &mut |one| order_update(one, on)),
        "orders-algo" | "algo-advance" => root.each("data", &mut |one| algo_update(one, on)),
        "fills" => root.each("data", &mut |one| fill(one, on)),
        "account" => root.each("data", &mut |one| account(one, on)),
        "positions" => root.each("data", &mut |one| position(one, on)),
        "balance_and_position" => root.each("data", &mut |one| {
            one.each("balData", &mut |one| balance(one, on))?;
            one.each("posData", &mut |one| position(one, on))
        }),
        "liquidation-warning" => {
            on(Fact::Notice(Notice::MarginCall));
            Ok(())
        }
        other => {
            on(Fact::Other(other));
            Ok(())
        }
    }
}

fn connection(word: &str, root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let code = root.word("code")?.unwrap_or("0");
    let message = root.message("msg");
    let failure = classify(code, &message, None);
    on(match word {
        "login" if code == "0" => Fact::Notice(Notice::LoggedIn),
        "login" => Fact::Notice(Notice::LogInFailed(&message)),
        "subscribe" => Fact::Notice(Notice::Subscribed(&message)),
        "notice" if code == "64008" => Fact::Notice(Notice::ReconnectSoon),
        "error" if failure.class == FailureClass::Authentication => {
            Fact::Notice(Notice::LogInFailed(&message))
        }
        "error" => Fact::Notice(Notice::SubscriptionFailed(&message)),
        other => Fact::Other(other),
    });
    Ok(())
}

fn order_update(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let fact = order_fact(one)?;
    if one.word("tradeId")?.is_some_and(|id| id != "0") {
        let fee = one.decimal("fillFee")?;
        on(Fact::Fill(FillFact {
            symbol: fact.symbol,
            client: fact.client,
            venue_id: fact.venue_id,
            trade_id: one.need_word("tradeId")?,
            side: fact.side,
            price: one.need_decimal("fillPx")?,
            qty: one.need_decimal("fillSz")?,
            // Fees are negative when we pay at this venue; here a fee is what is paid.
            fee: fee.map(negated),
            fee_currency: one.word("fillFeeCcy")?.unwrap_or(""),
            maker: maker(one)?,
            filled: fact.filled,
            time_ns: one.time_ns("fillTime")?.or(fact.time_ns),
            origin: origin(one)?,
            metadata: None,
        }));
    }
    match one.word("amendResult")? {
        None => {}
        Some("0" | "1" | "2") => {
            on(Fact::Order(OrderFact { status: OrderStatus::Amended, said: "amended", ..fact }));
            // The state in the message is that of an order that stands as it did.
            if matches!(fact.status, OrderStatus::Open | OrderStatus::PartiallyFilled) {
                return Ok(());
            }
        }
        Some("-1") => {
            let code = one.word("code")?.unwrap_or("");
            let reason = classify(code, &one.message("msg"), None).reason;
            let status = OrderStatus::AmendRejected(reason);
            on(Fact::Order(OrderFact { status, said: "amend failed", ..fact }));
            if matches!(fact.status, OrderStatus::Open | OrderStatus::PartiallyFilled) {
                return Ok(());
            }
        }
        Some(_) => return Err(Unreadable::Wrong("amendResult", "is not known")),
    }
    on(Fact::Order(fact));
    Ok(())
}

fn maker(one: &Object<'_>) -> Read<Option<bool>> {
    match one.word("execType")? {
        None => Ok(None),
        Some("M") => Ok(Some(true)),
        Some("T") => Ok(Some(false)),
        Some(_) => Err(Unreadable::Wrong("execType", "is neither M nor T")),
    }
}

fn origin(one: &Object<'_>) -> Read<FillOrigin> {
    Ok(match one.word("category")? {
        Some("full_liquidation" | "partial_liquidation") => FillOrigin::Liquidation,
        Some("adl") => FillOrigin::Deleveraging,
        Some("delivery") => FillOrigin::Settlement,
        _ => FillOrigin::Book,
    })
}

fn order_fact<'a>(one: &Object<'a>) -> Read<OrderFact<'a>> {
    let state = one.need_word("state")?;
    let filled = one.decimal("accFillSz")?;
    let untraded = filled.unwrap_or_default() == Decimal::ZERO;
    let status = match state {
        "live" => OrderStatus::Open,
        "partially_filled" => OrderStatus::PartiallyFilled,
        "filled" => OrderStatus::Filled,
        "mmp_canceled" => OrderStatus::Cancelled(CancelReason::Requested),
        "canceled" => cancelled(one.word("cancelSource")?, one.word("ordType")?, untraded),
        _ => return Err(Unreadable::Wrong("state", "is not known")),
    };
    // Changes come with what was asked for.
    let price = one.decimal("px")?;
    Ok(OrderFact {
        side: one.side("side")?,
        price,
        qty: one.decimal("sz")?,
        filled,
        time_ns: one.time_ns("uTime")?.or(one.time_ns("cTime")?),
        said: state,
        ..OrderFact::new(status).of(
            one.need_word("instId")?,
            // An order that a trigger made bears the id of the one that waited, beside none or one of the
            // venue's own making.
            one.word("algoClOrdId")?.or(one.word("clOrdId")?).unwrap_or(""),
            one.need_word("ordId")?,
        )
    })
}

/// Why an order left the book, by the number of who took it out.
fn cancelled(source: Option<&str>, order_type: Option<&str>, untraded: bool) -> OrderStatus {
    let post_only = matches!(order_type, Some("post_only" | "mmp_and_post_only"));
    match source {
        Some("31") if untraded => OrderStatus::Rejected(Some(RejectReason::PostOnlyWouldTake)),
        Some("0") if untraded && post_only => {
            OrderStatus::Rejected(Some(RejectReason::PostOnlyWouldTake))
        }
        Some("13") if untraded => OrderStatus::Rejected(Some(RejectReason::FokNotFilled)),
        Some("14") => OrderStatus::Cancelled(CancelReason::IocRemainder),
        Some("32") => OrderStatus::Cancelled(CancelReason::SelfTrade),
        Some("2" | "21" | "22" | "23") => OrderStatus::Cancelled(CancelReason::ReduceOnly),
        Some("3" | "6") => OrderStatus::Cancelled(CancelReason::Liquidation),
        Some("7") => OrderStatus::Cancelled(CancelReason::Expired),
        Some("36") => OrderStatus::Cancelled(CancelReason::Oco),
        _ if order_type == Some("ioc") => OrderStatus::Cancelled(CancelReason::IocRemainder),
        _ => OrderStatus::Cancelled(CancelReason::Requested),
    }
}

fn algo_update(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let state = one.need_word("state")?;
    let status = match state {
        "live" | "pause" => OrderStatus::Armed,
        "effective" | "partially_effective" | "order_placed" | "filled" => OrderStatus::Triggered,
        "canceled" => OrderStatus::Cancelled(CancelReason::Requested),
        "order_failed" | "partially_failed" => OrderStatus::Rejected(Some(RejectReason::VenueRule)),
        _ => return Err(Unreadable::Wrong("state", "is not known")),
    };
    // Once triggered, the order on the book has an id of its own.
    let venue_id = match status {
        OrderStatus::Triggered => made(one)?.unwrap_or(""),
        _ => one.need_word("algoId")?,
    };
    let client = one.word("algoClOrdId")?.or(one.word("clOrdId")?).unwrap_or("");
    let symbol = one.need_word("instId")?;
    // Without a limit price it says -1.
    let price = one.decimal("ordPx")?.or(one.decimal("slOrdPx")?).or(one.decimal("tpOrdPx")?);
    let fact = OrderFact {
        side: one.side("side")?,
        price: price.filter(|price| price.mantissa() > 0),
        qty: one.decimal("sz")?,
        time_ns: one.time_ns("uTime")?.or(one.time_ns("cTime")?),
        said: state,
        ..OrderFact::new(status).of(symbol, client, venue_id)
    };
    on(Fact::Order(fact));
    Ok(())
}

/// The id of the newest order that a trigger made. `ordId` is to give way to `ordIdList`, which is not there
/// everywhere yet: <https://www.okx.com/docs-v5/en/#order-book-trading-algo-trading-ws-algo-orders-channel>.
fn made<'a>(one: &Object<'a>) -> Read<Option<&'a str>> {
    if let Some(id) = one.word("ordId")?.filter(|id| *id != "0") {
        return Ok(Some(id));
    }
    let mut newest = None;
    if let Some(list) = one.raw("ordIdList") {
        each_raw(list, &mut |id| {
            newest = std::str::from_utf8(id).ok().map(|id| id.trim_matches('"'));
            Ok(())
        })?;
    }
    Ok(newest.filter(|id| !id.is_empty()))
}

/// A fill of the list of fills or of the `fills` channel.
fn fill(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Fill(FillFact {
        symbol: one.need_word("instId")?,
        client: one.word("clOrdId")?.unwrap_or(""),
        venue_id: one.need_word("ordId")?,
        trade_id: one.need_word("tradeId")?,
        side: one.side("side")?,
        price: one.need_decimal("fillPx")?,
        qty: one.need_decimal("fillSz")?,
        fee: one.decimal("fee")?.map(negated),
        fee_currency: one.word("feeCcy")?.unwrap_or(""),
        maker: maker(one)?,
        filled: None,
        time_ns: one.time_ns("fillTime")?.or(one.time_ns("ts")?),
        origin: FillOrigin::Book,
        metadata: None,
    }));
    Ok(())
}

fn account(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    one.each("details", &mut |one| balance(one, on))
}

fn balance(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let total = one.decimal("cashBal")?.ok_or(Unreadable::Missing("cashBal"))?;
    let free = one.decimal("availBal")?;
    on(Fact::Balance(BalanceFact { currency: one.need_word("ccy")?, total, free }));
    Ok(())
}

fn position(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let leg = one.word("posSide")?;
    let qty = one.decimal("pos")?.unwrap_or_default();
    let (qty, hedged) = match leg {
        None | Some("net") => (qty, false),
        Some("long") => (qty, true),
        // A short leg is counted upwards at this venue.
        Some("short") => (if qty.mantissa() > 0 { negated(qty) } else { qty }, true),
        Some(_) => return Err(Unreadable::Wrong("posSide", "is neither net, long nor short")),
    };
    let symbol = one.need_word("instId")?;
    on(Fact::Position(PositionFact {
        symbol,
        qty,
        entry: one.decimal("avgPx").unwrap_or(None),
        hedged,
    }));
    Ok(())
}
