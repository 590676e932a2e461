//! Answers and user events.

use mainspring_core::{Decimal, RejectReason};

use super::errors::{classify, status_of};
use crate::amount::{add, negated};
use crate::document::{each_object, each_raw, Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
};
use crate::failure::{Failure, FailureClass};
use crate::operation::Asked;
use crate::outgoing::{Outgoing, Reply, Via};

/// What an answer says; fees are those of spot or of perpetuals.
pub(super) fn answer(
    out: &Outgoing,
    reply: &Reply<'_>,
    spot: bool,
    on: OnFact<'_>,
) -> Result<(), Failure> {
    if reply.status != 200 {
        let text = String::from_utf8_lossy(reply.body);
        return Err(match reply.status {
            422 => Failure::refused("HTTP 422", text),
            status => Failure::of_status(status, reply.retry_after_ms(), text),
        });
    }
    if matches!(out.via, Via::Http) {
        return payload(out.asked, reply.body, spot, on);
    }
    // {"channel":"post","data":{"id":1,"response":{"type":"action","payload":{..}}}}
    let frame = Object::read(reply.body).map_err(Failure::unreadable)?;
    let data = frame.need_object("data").map_err(Failure::unreadable)?;
    let response = data.need_object("response").map_err(Failure::unreadable)?;
    if response.word("type").unwrap_or(None) == Some("error") {
        return Err(by_text(&response.message("payload")));
    }
    let inner = response.raw("payload").unwrap_or(b"null");
    // Answers to questions are wrapped once more: {"type":"l2Book","data":{..}}.
    let wrapped = Object::read(inner).ok().filter(|inner| inner.has("type") && inner.has("data"));
    let inner = wrapped.as_ref().and_then(|inner| inner.raw("data")).unwrap_or(inner);
    payload(out.asked, inner, spot, on)
}

/// The websocket's errors are the text of an HTTP error.
fn by_text(text: &str) -> Failure {
    match text {
        _ if text.starts_with("429") => {
            Failure::new(FailureClass::RateLimited { wait_ms: None, banned: false }, "429", text)
        }
        _ if text.starts_with('5') => Failure::new(FailureClass::Unknown, "", text),
        _ => classify(text),
    }
}

fn payload(asked: Asked, body: &[u8], spot: bool, on: OnFact<'_>) -> Result<(), Failure> {
    match asked {
        Asked::Place
        | Asked::PlaceMany
        | Asked::Cancel
        | Asked::CancelMany
        | Asked::Amend
        | Asked::Settings
        | Asked::Countdown => action(asked, body, on),
        Asked::Query => query(body, on),
        Asked::Fees => fees(body, spot, on).map_err(Failure::unreadable),
        _ => info(asked, body, on).map_err(Failure::unreadable),
    }
}

/// {"status":"ok","response":{"type":"order","data":{"statuses":[..]}}} or {"status":"err",..}.
fn action(asked: Asked, body: &[u8], on: OnFact<'_>) -> Result<(), Failure> {
    let root = Object::read(body).map_err(Failure::unreadable)?;
    match root.word("status").map_err(Failure::unreadable)? {
        Some("ok") => {}
        Some("err") => return Err(classify(&root.message("response"))),
        _ => return Err(Failure::unreadable(Unreadable::Missing("status"))),
    }
    let response = root.object("response").map_err(Failure::unreadable)?;
    let data = response.and_then(|response| response.object("data").ok().flatten());
    let Some(list) = data.as_ref().and_then(|data| data.raw("statuses")) else { return Ok(()) };
    let single = matches!(asked, Asked::Place | Asked::Cancel | Asked::Amend);
    let mut failed = None;
    let mut at = 0;
    each_raw(list, &mut |raw| {
        let place = at;
        at += 1;
        if let Some(failure) = outcome(raw, on)? {
            if single {
                failed = Some(failure);
            } else {
                on(Fact::Failed { at: place, client: "", failure: &failure });
            }
        }
        Ok(())
    })
    .map_err(Failure::unreadable)?;
    failed.map_or(Ok(()), Err)
}

/// What came of one order or cancel.
fn outcome(raw: &[u8], on: OnFact<'_>) -> Read<Option<Failure>> {
    let received = |order: &Object<'_>, status, filled, on: OnFact<'_>| {
        let client = order.word("cloid")?.unwrap_or("");
        let fact = OrderFact::new(status).of("", client, order.need_word("oid")?);
        on(Fact::Order(OrderFact { filled, ..fact }));
        Ok(None)
    };
    match raw {
        b"\"success\"" => return Ok(None),
        b"\"waitingForFill\"" | b"\"waitingForTrigger\"" => return Ok(None),
        _ => {}
    }
    let one = Object::read(raw)?;
    if one.has("error") {
        return Ok(Some(classify(&one.message("error"))));
    }
    if let Some(resting) = one.object("resting")? {
        return received(&resting, OrderStatus::Open, None, on);
    }
    if let Some(filled) = one.object("filled")? {
        // How much was asked for is not said: whether all of it traded comes by the stream.
        let total = filled.decimal("totalSz")?;
        return received(&filled, OrderStatus::Received, total, on);
    }
    Err(Unreadable::Missing("resting, filled or error"))
}

fn query(body: &[u8], on: OnFact<'_>) -> Result<(), Failure> {
    let root = Object::read(body).map_err(Failure::unreadable)?;
    match root.word("status").map_err(Failure::unreadable)? {
        Some("order") => {
            let order = root.need_object("order").map_err(Failure::unreadable)?;
            order_update(&order, on).map_err(Failure::unreadable)
        }
        Some("unknownOid") => {
            Err(Failure::refused("", "unknownOid").because(Some(RejectReason::UnknownOrder)))
        }
        _ => Err(Failure::unreadable(Unreadable::Wrong("status", "is not known"))),
    }
}

fn info(asked: Asked, body: &[u8], on: OnFact<'_>) -> Read<()> {
    match asked {
        Asked::OpenOrders => each_object(body, &mut |one| {
            let status = match one.truth("isTrigger")? {
                Some(true) => OrderStatus::Armed,
                _ => OrderStatus::Open,
            };
            on(Fact::Order(order_fact(one, status)?));
            Ok(())
        }),
        Asked::Fills => each_object(body, &mut |one| fill(one, on)),
        Asked::Balances | Asked::Positions => state(&Object::read(body)?, asked, on),
        Asked::Time => {
            let time = Object::read(body)?.time_ns("time")?;
            on(Fact::Notice(Notice::ServerTime(time.ok_or(Unreadable::Missing("time"))?)));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What the account pays by its volume and stake, before what a referral takes off.
fn fees(body: &[u8], spot: bool, on: OnFact<'_>) -> Read<()> {
    let root = Object::read(body)?;
    let (maker, taker) = match spot {
        true => ("userSpotAddRate", "userSpotCrossRate"),
        false => ("userAddRate", "userCrossRate"),
    };
    let (maker, taker) = (root.need_decimal(maker)?, root.need_decimal(taker)?);
    on(Fact::Fees { symbol: "", maker, taker });
    Ok(())
}

/// Perpetuals: account value and positions. Spot: balances.
fn state(root: &Object<'_>, asked: Asked, on: OnFact<'_>) -> Read<()> {
    if root.has("balances") {
        return root.each("balances", &mut |one| {
            let total = one.need_decimal("total")?;
            let free = one.decimal("hold")?.and_then(|hold| add(total, negated(hold)));
            on(Fact::Balance(BalanceFact { currency: one.need_word("coin")?, total, free }));
            Ok(())
        });
    }
    let mut unrealised = Decimal::ZERO;
    root.each("assetPositions", &mut |one| {
        let position = one.need_object("position")?;
        let profit = position.decimal("unrealizedPnl")?.unwrap_or_default();
        unrealised =
            add(unrealised, profit).ok_or(Unreadable::Wrong("unrealizedPnl", "does not fit"))?;
        on(Fact::Position(PositionFact {
            symbol: position.need_word("coin")?,
            qty: position.need_decimal("szi")?,
            entry: position.decimal("entryPx")?,
            hedged: false,
        }));
        Ok(())
    })?;
    if asked == Asked::Positions {
        return Ok(());
    }
    let summary = root.object("marginSummary")?.or(root.object("crossMarginSummary")?);
    let value =
        summary.ok_or(Unreadable::Missing("marginSummary"))?.need_decimal("accountValue")?;
    let total = add(value, negated(unrealised));
    let total = total.ok_or(Unreadable::Wrong("accountValue", "does not fit"))?;
    let free = root.decimal("withdrawable")?;
    on(Fact::Balance(BalanceFact { currency: "USDC", total, free }));
    Ok(())
}

/// Reads one message of the connection with user subscriptions.
pub(super) fn event(text: &[u8], on: OnFact<'_>) -> Read<()> {
    let root = Object::read(text)?;
    let Some(channel) = root.word("channel")? else {
        on(Fact::Other("other"));
        return Ok(());
    };
    match channel {
        "orderUpdates" => root.each("data", &mut |one| order_update(one, on)),
        "userFills" => {
            let data = root.need_object("data")?;
            data.need_each("fills", &mut |one| fill(one, on))
        }
        "user" | "userEvents" => user_events(&root.need_object("data")?, on),
        "userFundings" => {
            let data = root.need_object("data")?;
            data.need_each("fundings", &mut |one| funding(one, on))
        }
        "subscriptionResponse" => {
            on(Fact::Notice(Notice::Subscribed("")));
            Ok(())
        }
        "error" => {
            let message = root.message("data");
            on(Fact::Notice(Notice::SubscriptionFailed(&message)));
            Ok(())
        }
        "pong" => {
            on(Fact::Notice(Notice::Pong));
            Ok(())
        }
        other => {
            on(Fact::Other(other));
            Ok(())
        }
    }
}

fn user_events(data: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    data.each("fills", &mut |one| fill(one, on))?;
    if let Some(one) = data.object("funding")? {
        funding(&one, on)?;
    }
    if data.has("liquidation") {
        on(Fact::Notice(Notice::MarginCall));
    }
    data.each("nonUserCancel", &mut |one| {
        let reason = mainspring_core::CancelReason::Liquidation;
        let fact = OrderFact::new(OrderStatus::Cancelled(reason));
        on(Fact::Order(fact.of(one.need_word("coin")?, "", one.need_word("oid")?)));
        Ok(())
    })
}

fn funding(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Payment { currency: "USDC", amount: one.need_decimal("usdc")? });
    Ok(())
}

/// {"order":{..},"status":"open","statusTimestamp":..}
fn order_update(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let word = one.need_word("status")?;
    let status = status_of(word).ok_or(Unreadable::Wrong("status", "is not known"))?;
    let order = one.need_object("order")?;
    let fact = order_fact(&order, status)?;
    let time_ns = one.time_ns("statusTimestamp")?.or(fact.time_ns);
    on(Fact::Order(OrderFact { time_ns, said: word, ..fact }));
    Ok(())
}

fn order_fact<'a>(order: &Object<'a>, status: OrderStatus) -> Read<OrderFact<'a>> {
    let left = order.need_decimal("sz")?;
    let qty = order.decimal("origSz")?.unwrap_or(left);
    let filled = add(qty, negated(left)).ok_or(Unreadable::Wrong("sz", "does not fit"))?;
    // A filled order is told with what was left of it before.
    let filled = if status == OrderStatus::Filled { qty } else { filled };
    Ok(OrderFact {
        side: order.side("side")?,
        price: order.decimal("limitPx")?,
        qty: Some(qty),
        filled: Some(filled),
        time_ns: order.time_ns("timestamp")?,
        ..OrderFact::new(status).of(
            order.need_word("coin")?,
            order.word("cloid")?.unwrap_or(""),
            order.need_word("oid")?,
        )
    })
}

fn fill(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let direction = one.word("dir")?.unwrap_or("");
    let origin = match direction {
        _ if direction.contains("Auto-Deleveraging") => FillOrigin::Deleveraging,
        _ if direction.contains("Liquidat") => FillOrigin::Liquidation,
        _ if direction.contains("Settlement") => FillOrigin::Settlement,
        _ => FillOrigin::Book,
    };
    on(Fact::Fill(FillFact {
        symbol: one.need_word("coin")?,
        client: one.word("cloid")?.unwrap_or(""),
        venue_id: one.need_word("oid")?,
        trade_id: one.need_word("tid")?,
        side: one.side("side")?,
        price: one.need_decimal("px")?,
        qty: one.need_decimal("sz")?,
        fee: one.decimal("fee")?,
        fee_currency: one.word("feeToken")?.unwrap_or("USDC"),
        maker: one.truth("crossed")?.map(|crossed| !crossed),
        filled: None,
        time_ns: one.time_ns("time")?,
        origin,
        metadata: None,
    }));
    Ok(())
}
