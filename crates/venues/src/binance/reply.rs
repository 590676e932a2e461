//! Answers to requests, of HTTP and of the websocket API.

use mainspring_core::Decimal;

use super::user::{algo_fact, is_leg, status_of, Words};
use super::{errors, Market};
use crate::amount::add;
use crate::document::{each_object, is_array, Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, PositionFact, RightsFact,
};
use crate::failure::Failure;
use crate::operation::Asked;
use crate::outgoing::{Outgoing, Reply, Via};

pub(super) fn answer(
    market: Market,
    out: &Outgoing,
    reply: &Reply<'_>,
    on: OnFact<'_>,
) -> Result<(), Failure> {
    match out.via {
        Via::Http if (200..300).contains(&reply.status) => {
            read(market, out.asked, reply.body, on).map_err(Failure::unreadable)
        }
        Via::Http => Err(errors::failure(reply)),
        Via::Socket { .. } => frame(market, out.asked, reply, on),
    }
}

/// An answer of the websocket API: status, and result or error.
fn frame(market: Market, asked: Asked, reply: &Reply<'_>, on: OnFact<'_>) -> Result<(), Failure> {
    let frame = Object::read(reply.body).map_err(Failure::unreadable)?;
    let status = frame.need_integer("status").map_err(Failure::unreadable)?;
    let status = u16::try_from(status).unwrap_or(0);
    if status == 200 {
        let result = frame.raw("result").unwrap_or(b"{}");
        return read(market, asked, result, on).map_err(Failure::unreadable);
    }
    let error = frame.need_object("error").map_err(Failure::unreadable)?;
    let data = error.object("data").ok().flatten();
    let until = data.as_ref().and_then(|data| data.integer("retryAfter").ok().flatten());
    let now = data.as_ref().and_then(|data| data.integer("serverTime").ok().flatten());
    let wait_ms = match (until, now) {
        (Some(until), Some(now)) => u64::try_from(until - now).ok(),
        _ => reply.retry_after_ms(),
    };
    Err(errors::of_object(status, wait_ms, &error))
}

fn read(market: Market, asked: Asked, body: &[u8], on: OnFact<'_>) -> Read<()> {
    match asked {
        Asked::Place | Asked::Query | Asked::Cancel => {
            let answer = Object::read(body)?;
            order_and_fills(&answer, asked, on)
        }
        Asked::Amend => amended(&Object::read(body)?, on),
        Asked::PlaceMany | Asked::CancelMany => many(body, asked, on),
        // Futures say {"code":200,...} for all, spot lists the orders.
        Asked::CancelAll if is_array(body) => {
            each_object(body, &mut |one| order_and_fills(one, Asked::Cancel, on))
        }
        Asked::OpenOrders => each_object(body, &mut |one| order_and_fills(one, asked, on)),
        Asked::Fills => each_object(body, &mut |one| trade(one, on)),
        Asked::Balances => balances(market, body, on),
        Asked::Positions => each_object(body, &mut |one| position(one, on)),
        Asked::UserStream => user_stream(&Object::read(body)?, on),
        Asked::Time => {
            let time = Object::read(body)?.time_ns("serverTime")?;
            let time = time.ok_or(Unreadable::Missing("serverTime"))?;
            on(Fact::Notice(Notice::ServerTime(time)));
            Ok(())
        }
        Asked::Rights => {
            on(Fact::Rights(rights(&Object::read(body)?)?));
            Ok(())
        }
        Asked::Fees => fees(&Object::read(body)?, on),
        Asked::CancelAll
        | Asked::Settings
        | Asked::Countdown
        | Asked::Market
        | Asked::MarginTiers
        | Asked::Instruments => well_formed(body),
    }
}

/// Of the key (`enable...`), of the account (`can...`), or of the position mode.
fn rights(answer: &Object<'_>) -> Read<RightsFact> {
    let trade = match answer.truth("enableSpotAndMarginTrading")? {
        Some(trade) => Some(trade),
        None => answer.truth("canTrade")?,
    };
    Ok(RightsFact {
        trade,
        withdraw: answer.truth("enableWithdrawals")?.or(answer.truth("canWithdraw")?),
        bound_to_address: answer.truth("ipRestrict")?,
        hedge_mode: answer.truth("dualSidePosition")?,
    })
}

fn fees(answer: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let symbol = answer.word("symbol")?.unwrap_or("");
    let (maker, taker) = match answer.object("standardCommission")? {
        Some(spot) => (spot.need_decimal("maker")?, spot.need_decimal("taker")?),
        None => (
            answer.need_decimal("makerCommissionRate")?,
            answer.need_decimal("takerCommissionRate")?,
        ),
    };
    on(Fact::Fees { symbol, maker, taker });
    Ok(())
}

fn well_formed(body: &[u8]) -> Read<()> {
    let mut scanner = crate::json::Scanner::new(body);
    crate::document::scanned(scanner.skip().and_then(|()| scanner.end()))
}

fn user_stream(answer: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    match answer.word("listenKey")? {
        Some(key) => on(Fact::Notice(Notice::ListenKey(key))),
        None => on(Fact::Notice(Notice::LoggedIn)),
    }
    Ok(())
}

/// An order as REST tells it, with the fills of a new one.
fn order_and_fills(order: &Object<'_>, asked: Asked, on: OnFact<'_>) -> Read<()> {
    if order.has("orderListId") && order.has("orderReports") {
        return order.each("orderReports", &mut |one| order_and_fills(one, asked, on));
    }
    if order.has("algoId") {
        let word = order.word("algoStatus")?.unwrap_or("NEW");
        let keys = ["symbol", "clientAlgoId", "algoId", "actualOrderId"];
        let fact = match order.word("code")? {
            // The answer to a cancel names the order and says 200.
            Some("200") => OrderFact { symbol: "", ..cancelled_algo(order)? },
            _ => algo_fact(order, word, keys)?,
        };
        on(Fact::Order(fact));
        return Ok(());
    }
    let fact = order_fact(order, asked)?;
    order.each("fills", &mut |fill| {
        on(Fact::Fill(FillFact {
            symbol: fact.symbol,
            client: fact.client,
            venue_id: fact.venue_id,
            trade_id: fill.word("tradeId")?.unwrap_or(""),
            side: fact.side,
            price: fill.need_decimal("price")?,
            qty: fill.need_decimal("qty")?,
            fee: fill.decimal("commission")?,
            fee_currency: fill.word("commissionAsset")?.unwrap_or(""),
            maker: Some(false),
            filled: None,
            time_ns: fact.time_ns,
            origin: FillOrigin::Book,
            metadata: None,
        }));
        Ok(())
    })?;
    on(Fact::Order(fact));
    Ok(())
}

fn cancelled_algo<'a>(order: &Object<'a>) -> Read<OrderFact<'a>> {
    let status = crate::fact::OrderStatus::Cancelled(mainspring_core::CancelReason::Requested);
    let client = order.word("clientAlgoId")?.unwrap_or("");
    Ok(OrderFact::new(status).of("", client, order.need_word("algoId")?))
}

fn order_fact<'a>(order: &Object<'a>, asked: Asked) -> Read<OrderFact<'a>> {
    let filled = order.decimal("executedQty")?;
    let word = order.word("status")?;
    let status = match word {
        // An acknowledgement says no more than that the order was taken.
        None => crate::fact::OrderStatus::Received,
        Some(word) => status_of(&Words {
            execution: None,
            status: word,
            order_type: order.word("type")?,
            life: order.word("timeInForce")?,
            working: order.truth("isWorking")?,
            reject: None,
            is_untraded: filled.unwrap_or_default() == Decimal::ZERO,
        })?,
    };
    let original = order.word("origClientOrderId")?.filter(|_| asked == Asked::Cancel);
    let client = original.or(order.word("clientOrderId")?).unwrap_or("");
    let qty = order.decimal("origQty")?.or(order.decimal("qty")?);
    let time = order.time_ns("transactTime")?.or(order.time_ns("updateTime")?);
    Ok(OrderFact {
        side: order.side("side")?,
        price: order.decimal("price")?,
        qty,
        filled,
        time_ns: time.or(order.time_ns("time")?),
        said: word.unwrap_or("ACK"),
        ..OrderFact::new(status).of(order.need_word("symbol")?, client, order.need_word("orderId")?)
    })
}

/// The three answers to a change: in place, of the quantity alone, or cancelled and replaced.
fn amended(answer: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    if let Some(order) = answer.object("amendedOrder")? {
        let fact = order_fact(&order, Asked::Cancel)?;
        let status = crate::fact::OrderStatus::Amended;
        on(Fact::Order(OrderFact { status, ..fact }));
        return Ok(());
    }
    if answer.has("cancelResult") {
        if let Some(cancelled) = answer.object("cancelResponse")? {
            order_and_fills(&cancelled, Asked::Cancel, on)?;
        }
        return match answer.object("newOrderResponse")? {
            Some(placed) => order_and_fills(&placed, Asked::Place, on),
            None => Ok(()),
        };
    }
    let fact = order_fact(answer, Asked::Amend)?;
    let status = match fact.status {
        crate::fact::OrderStatus::Open | crate::fact::OrderStatus::PartiallyFilled => {
            crate::fact::OrderStatus::Amended
        }
        other => other,
    };
    on(Fact::Order(OrderFact { status, ..fact }));
    Ok(())
}

/// An array with an order or an error in each place.
fn many(body: &[u8], asked: Asked, on: OnFact<'_>) -> Read<()> {
    let asked = if asked == Asked::CancelMany { Asked::Cancel } else { Asked::Place };
    let mut at = 0;
    each_object(body, &mut |one| {
        let place = at;
        at += 1;
        if !one.has("code") || one.has("orderId") {
            return order_and_fills(one, asked, on);
        }
        let failure = errors::of_object(400, None, one);
        on(Fact::Failed { at: place, client: "", failure: &failure });
        Ok(())
    })
}

fn trade(trade: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let buyer = trade.truth("isBuyer")?.or(trade.truth("buyer")?);
    let side = buyer.map(|buyer| match buyer {
        true => mainspring_core::Side::Buy,
        false => mainspring_core::Side::Sell,
    });
    on(Fact::Fill(FillFact {
        symbol: trade.need_word("symbol")?,
        client: "",
        venue_id: trade.need_word("orderId")?,
        trade_id: trade.need_word("id")?,
        side: side.or(trade.side("side")?),
        price: trade.need_decimal("price")?,
        qty: trade.need_decimal("qty")?,
        fee: trade.decimal("commission")?,
        fee_currency: trade.word("commissionAsset")?.unwrap_or(""),
        maker: trade.truth("isMaker")?.or(trade.truth("maker")?),
        filled: None,
        time_ns: trade.time_ns("time")?,
        origin: FillOrigin::Book,
        metadata: None,
    }));
    Ok(())
}

fn balances(market: Market, body: &[u8], on: OnFact<'_>) -> Read<()> {
    if is_array(body) {
        return each_object(body, &mut |one| asset(one, on));
    }
    let account = Object::read(body)?;
    match market {
        Market::Spot => account.each("balances", &mut |one| {
            let (free, locked) = (one.need_decimal("free")?, one.need_decimal("locked")?);
            let total = add(free, locked).ok_or(Unreadable::Wrong("locked", "does not fit"))?;
            let currency = one.need_word("asset")?;
            on(Fact::Balance(BalanceFact { currency, total, free: Some(free) }));
            Ok(())
        }),
        Market::Futures => {
            account.each("assets", &mut |one| asset(one, on))?;
            account.each("positions", &mut |one| position(one, on))
        }
    }
}

fn asset(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let total = one.decimal("walletBalance")?.or(one.decimal("balance")?);
    let total = total.ok_or(Unreadable::Missing("walletBalance"))?;
    let currency = one.need_word("asset")?;
    on(Fact::Balance(BalanceFact { currency, total, free: one.decimal("availableBalance")? }));
    Ok(())
}

fn position(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Position(PositionFact {
        symbol: one.need_word("symbol")?,
        qty: one.need_decimal("positionAmt")?,
        entry: one.decimal("entryPrice")?,
        hedged: is_leg(one.word("positionSide")?)?,
    }));
    Ok(())
}
