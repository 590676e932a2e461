//! User events of both markets, wrapped or bare.

use mainspring_core::{CancelReason, Decimal, RejectReason};

use crate::amount::add;
use crate::document::{Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
};

/// Reads one user event.
pub(super) fn event(text: &[u8], fast_fills: bool, on: OnFact<'_>) -> Read<()> {
    let outer = Object::read(text)?;
    // {"subscriptionId":0,"event":{..}} by the websocket API, {"stream":..,"data":{..}} combined.
    let inner = outer.object("event")?;
    let inner = match inner {
        Some(inner) => Some(inner),
        None if outer.has("stream") => outer.object("data")?,
        None => None,
    };
    let event = inner.as_ref().unwrap_or(&outer);
    match event.word("e")? {
        Some("executionReport") => execution_report(event, on),
        Some("outboundAccountPosition") => event.each("B", &mut |one| {
            let (free, locked) = (one.need_decimal("f")?, one.need_decimal("l")?);
            let total = add(free, locked).ok_or(Unreadable::Wrong("l", "does not fit"))?;
            let currency = one.need_word("a")?;
            on(Fact::Balance(BalanceFact { currency, total, free: Some(free) }));
            Ok(())
        }),
        Some("balanceUpdate") => {
            let (currency, amount) = (event.need_word("a")?, event.need_decimal("d")?);
            on(Fact::Payment { currency, amount });
            Ok(())
        }
        Some("ORDER_TRADE_UPDATE") => order_trade_update(&event.need_object("o")?, on),
        Some("TRADE_LITE") if fast_fills => trade_lite(event, on),
        Some("ACCOUNT_UPDATE") => account_update(&event.need_object("a")?, on),
        Some("ALGO_UPDATE") => {
            let inner = event.object("o")?.or(event.object("ao")?);
            algo_update(&inner.ok_or(Unreadable::Missing("o"))?, on)
        }
        Some("ACCOUNT_CONFIG_UPDATE") => notice(Notice::Settings, on),
        Some("MARGIN_CALL") => notice(Notice::MarginCall, on),
        Some("listenKeyExpired" | "eventStreamTerminated") => notice(Notice::StreamExpired, on),
        Some("serverShutdown") => notice(Notice::ReconnectSoon, on),
        Some(other) => {
            on(Fact::Other(other));
            Ok(())
        }
        None => {
            on(Fact::Other(if outer.has("id") { "answer" } else { "other" }));
            Ok(())
        }
    }
}

fn notice(notice: Notice<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Notice(notice));
    Ok(())
}

/// The venue's words about an order, from which its status follows.
pub(super) struct Words<'a> {
    pub execution: Option<&'a str>,
    pub status: &'a str,
    pub order_type: Option<&'a str>,
    pub life: Option<&'a str>,
    /// Whether it is on the book, where the message says.
    pub working: Option<bool>,
    pub reject: Option<&'a str>,
    pub is_untraded: bool,
}

/// What became of an order by the venue's words.
pub(super) fn status_of(words: &Words<'_>) -> Read<OrderStatus> {
    let stop = words.order_type.is_some_and(|word| {
        word.contains("STOP") || word.contains("TAKE_PROFIT") || word.contains("TRAILING")
    });
    if matches!(words.execution, Some("REPLACED" | "AMENDMENT")) {
        return Ok(OrderStatus::Amended);
    }
    Ok(match words.status {
        "NEW" | "ACCEPTED" if stop && words.working == Some(true) => OrderStatus::Triggered,
        "NEW" | "ACCEPTED" if stop => OrderStatus::Armed,
        "NEW" | "ACCEPTED" | "NEW_INSURANCE" | "NEW_ADL" => OrderStatus::Open,
        "PENDING_NEW" => OrderStatus::Received,
        "PARTIALLY_FILLED" => OrderStatus::PartiallyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Cancelled(CancelReason::Requested),
        "PENDING_CANCEL" => OrderStatus::Leaving,
        "REJECTED" => OrderStatus::Rejected(words.reject.and_then(reject_reason)),
        "EXPIRED_IN_MATCH" => OrderStatus::Cancelled(CancelReason::SelfTrade),
        "EXPIRED" => expired(words),
        _ => return Err(Unreadable::Wrong("X", "is a status that is not known")),
    })
}

fn expired(words: &Words<'_>) -> OrderStatus {
    match (words.life, words.order_type) {
        (Some("GTX"), _) if words.is_untraded => {
            OrderStatus::Rejected(Some(RejectReason::PostOnlyWouldTake))
        }
        (Some("FOK"), _) if words.is_untraded => {
            OrderStatus::Rejected(Some(RejectReason::FokNotFilled))
        }
        (_, Some("MARKET")) => OrderStatus::Cancelled(CancelReason::NoLiquidity),
        (Some("IOC"), _) => OrderStatus::Cancelled(CancelReason::IocRemainder),
        _ => OrderStatus::Cancelled(CancelReason::Expired),
    }
}

/// The reason of a rejection that a user event names by a word instead of a code.
fn reject_reason(word: &str) -> Option<RejectReason> {
    Some(match word {
        "NONE" => return None,
        "INSUFFICIENT_BALANCE" | "INSUFFICIENT_BALANCES" => RejectReason::InsufficientMargin,
        "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY" => RejectReason::WouldTriggerImmediately,
        "WOULD_MATCH_IMMEDIATELY" => RejectReason::PostOnlyWouldTake,
        "MARKET_CLOSED" | "MARKET_CANCEL_ONLY" => RejectReason::Halted,
        "DUPLICATE_ORDER" => RejectReason::DuplicateOrder,
        _ => RejectReason::VenueRule,
    })
}

fn execution_report(event: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let execution = event.need_word("x")?;
    let traded = event.need_decimal("z")?;
    let status = status_of(&Words {
        execution: Some(execution),
        status: event.need_word("X")?,
        order_type: event.word("o")?,
        life: event.word("f")?,
        working: event.truth("w")?,
        reject: event.word("r")?,
        is_untraded: traded == Decimal::ZERO,
    })?;
    // The id of a cancelled or changed order is the original one; "c" is that of the request.
    let original = event.word("C")?.filter(|_| matches!(execution, "CANCELED" | "REPLACED"));
    let client = original.or(event.word("c")?).unwrap_or("");
    let (symbol, venue_id) = (event.need_word("s")?, event.need_word("i")?);
    let time_ns = event.time_ns("T")?;
    if execution == "TRADE" {
        on(Fact::Fill(FillFact {
            symbol,
            client,
            venue_id,
            trade_id: event.need_word("t")?,
            side: event.side("S")?,
            price: event.need_decimal("L")?,
            qty: event.need_decimal("l")?,
            fee: event.decimal("n")?,
            fee_currency: event.word("N")?.unwrap_or(""),
            maker: event.truth("m")?,
            filled: Some(traded),
            time_ns,
            origin: FillOrigin::Book,
            metadata: None,
        }));
    }
    let said = event.word("r")?.filter(|word| *word != "NONE").unwrap_or(execution);
    on(Fact::Order(OrderFact {
        side: event.side("S")?,
        price: event.decimal("p")?,
        qty: event.decimal("q")?,
        filled: Some(traded),
        time_ns,
        said,
        ..OrderFact::new(status).of(symbol, client, venue_id)
    }));
    Ok(())
}

/// How a fill came about: by the execution type, or by the ids of the exchange's own orders.
fn origin(execution: &str, client: &str) -> FillOrigin {
    match client {
        "adl_autoclose" => FillOrigin::Deleveraging,
        _ if client.starts_with("autoclose-") => FillOrigin::Liquidation,
        _ if client.starts_with("settlement_autoclose-") => FillOrigin::Settlement,
        _ if client.starts_with("delivery_autoclose-") => FillOrigin::Settlement,
        _ if execution == "CALCULATED" => FillOrigin::Liquidation,
        _ => FillOrigin::Book,
    }
}

fn order_trade_update(order: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let execution = order.need_word("x")?;
    let traded = order.need_decimal("z")?;
    let status = status_of(&Words {
        execution: Some(execution),
        status: order.need_word("X")?,
        order_type: order.word("o")?,
        life: order.word("f")?,
        working: None,
        reject: order.word("r")?,
        is_untraded: traded == Decimal::ZERO,
    })?;
    let (symbol, venue_id) = (order.need_word("s")?, order.need_word("i")?);
    let client = order.word("c")?.unwrap_or("");
    let time_ns = order.time_ns("T")?;
    let has_traded = matches!(execution, "TRADE" | "CALCULATED");
    let last = if has_traded { order.need_decimal("l")? } else { Decimal::ZERO };
    if last != Decimal::ZERO {
        on(Fact::Fill(FillFact {
            symbol,
            client,
            venue_id,
            trade_id: order.need_word("t")?,
            side: order.side("S")?,
            price: order.need_decimal("L")?,
            qty: last,
            fee: order.decimal("n")?,
            fee_currency: order.word("N")?.unwrap_or(""),
            maker: order.truth("m")?,
            filled: Some(traded),
            time_ns,
            origin: origin(execution, client),
            metadata: None,
        }));
    }
    on(Fact::Order(OrderFact {
        side: order.side("S")?,
        price: order.decimal("p")?,
        qty: order.decimal("q")?,
        filled: Some(traded),
        time_ns,
        said: execution,
        ..OrderFact::new(status).of(symbol, client, venue_id)
    }));
    Ok(())
}

fn trade_lite(event: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let client = event.word("c")?.unwrap_or("");
    on(Fact::Fill(FillFact {
        symbol: event.need_word("s")?,
        client,
        venue_id: event.need_word("i")?,
        trade_id: event.need_word("t")?,
        side: event.side("S")?,
        price: event.need_decimal("L")?,
        qty: event.need_decimal("l")?,
        fee: None,
        fee_currency: "",
        maker: event.truth("m")?,
        filled: None,
        time_ns: event.time_ns("T")?,
        origin: origin("TRADE", client),
        metadata: None,
    }));
    Ok(())
}

fn account_update(account: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let funding = account.word("m")? == Some("FUNDING_FEE");
    account.each("B", &mut |one| {
        let currency = one.need_word("a")?;
        let total = one.need_decimal("wb")?;
        on(Fact::Balance(BalanceFact { currency, total, free: None }));
        if let Some(amount) = one.decimal("bc")?.filter(|_| funding) {
            on(Fact::Payment { currency, amount });
        }
        Ok(())
    })?;
    account.each("P", &mut |one| {
        on(Fact::Position(PositionFact {
            symbol: one.need_word("s")?,
            qty: one.need_decimal("pa")?,
            entry: one.decimal("ep")?,
            hedged: is_leg(one.word("ps")?)?,
        }));
        Ok(())
    })
}

/// Whether a position is one leg of hedge mode.
pub(super) fn is_leg(word: Option<&str>) -> Read<bool> {
    match word {
        None | Some("BOTH") => Ok(false),
        Some("LONG" | "SHORT") => Ok(true),
        Some(_) => Err(Unreadable::Wrong("ps", "is neither BOTH, LONG nor SHORT")),
    }
}

/// Conditional orders, which live in a service of their own until they are triggered.
fn algo_update(order: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let word = order.need_word("X")?;
    let fact = algo_fact(order, word, ["s", "caid", "aid", "ai"])?;
    on(Fact::Order(OrderFact { time_ns: None, ..fact }));
    Ok(())
}

/// A conditional order; `keys` are those of symbol, client id, id, and id of the order it became.
pub(super) fn algo_fact<'a>(
    order: &Object<'a>,
    word: &'a str,
    keys: [&'static str; 4],
) -> Read<OrderFact<'a>> {
    let status = match word {
        "NEW" => OrderStatus::Armed,
        "CANCELED" => OrderStatus::Cancelled(CancelReason::Requested),
        "TRIGGERING" => OrderStatus::Received,
        "TRIGGERED" | "FINISHED" => OrderStatus::Triggered,
        "REJECTED" => OrderStatus::Rejected(Some(RejectReason::VenueRule)),
        "EXPIRED" => OrderStatus::Cancelled(CancelReason::Expired),
        _ => return Err(Unreadable::Wrong("X", "is a status that is not known")),
    };
    let [symbol, client, id, became] = keys;
    let became = order.word(became)?.filter(|_| status == OrderStatus::Triggered);
    let venue_id = match became {
        Some(id) => id,
        None => order.need_word(id)?,
    };
    let client = order.word(client)?.unwrap_or("");
    let symbol = order.need_word(symbol)?;
    Ok(OrderFact {
        side: order.side("side")?.or(order.side("S")?),
        price: order.decimal("price")?.or(order.decimal("p")?),
        qty: order.decimal("quantity")?.or(order.decimal("q")?),
        said: word,
        ..OrderFact::new(status).of(symbol, client, venue_id)
    })
}
