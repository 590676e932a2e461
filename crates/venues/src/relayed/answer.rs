//! What the library answers and tells: orders, fills, balances, positions, and why something failed.

use mainspring_core::{
    CancelReason, Error, ErrorKind, Instrument, InstrumentId, RejectReason, Result,
};

use crate::document::{Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
    RightsFact,
};
use crate::failure::{Failure, FailureClass};
use crate::listing::Listing;
use crate::operation::Asked;

/// Reads the answer to a request.
pub(super) fn read(asked: Asked, body: &[u8], on: OnFact<'_>) -> std::result::Result<(), Failure> {
    let root = Object::read(body).map_err(Failure::unreadable)?;
    if let Some(failed) = root.object("failed").map_err(Failure::unreadable)? {
        return Err(failure(&failed).unwrap_or_else(Failure::unreadable));
    }
    let read = match asked {
        Asked::Time => root.time_ns("time_ms").map(|time| {
            time.into_iter().for_each(|ns| on(Fact::Notice(Notice::ServerTime(ns))));
        }),
        Asked::Rights => root.truth("hedged").map(|hedge_mode| {
            on(Fact::Rights(RightsFact { hedge_mode, ..RightsFact::default() }));
        }),
        Asked::Fees => fees(&root, on),
        Asked::PlaceMany | Asked::CancelMany => {
            each_fact(&root, on).and_then(|()| failures(&root, on))
        }
        _ => each_fact(&root, on),
    };
    read.map_err(Failure::unreadable)
}

/// Reads what is told without being asked for.
pub(super) fn facts(text: &[u8], on: OnFact<'_>) -> Read<()> {
    let root = Object::read(text)?;
    let why = root.message("refused");
    if !why.is_empty() {
        on(Fact::Notice(Notice::SubscriptionFailed(&why)));
    }
    each_fact(&root, on)
}

/// Fills come before the states that they lead to.
fn each_fact(root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    root.each("fills", &mut |one| fill(one, on))?;
    root.each("orders", &mut |one| order(one, on))?;
    root.each("positions", &mut |one| position(one, on))?;
    root.each("balances", &mut |one| balance(one, on))
}

fn order(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let status = match one.need_word("status")? {
        "received" => OrderStatus::Received,
        "open" => OrderStatus::Open,
        "armed" => OrderStatus::Armed,
        "part" => OrderStatus::PartiallyFilled,
        "filled" => OrderStatus::Filled,
        "amended" => OrderStatus::Amended,
        "cancelled" => OrderStatus::Cancelled(CancelReason::Requested),
        "expired" => OrderStatus::Cancelled(CancelReason::Expired),
        "rejected" => OrderStatus::Rejected(None),
        _ => return Err(Unreadable::Wrong("status", "is not known")),
    };
    let fact = OrderFact::new(status).of(
        one.need_word("symbol")?,
        one.word("client")?.unwrap_or(""),
        one.word("id")?.unwrap_or(""),
    );
    on(Fact::Order(OrderFact {
        side: one.side("side")?,
        price: one.decimal("price")?,
        qty: one.decimal("qty")?,
        filled: one.decimal("filled")?,
        time_ns: one.time_ns("ms")?,
        ..fact
    }));
    Ok(())
}

fn fill(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Fill(FillFact {
        symbol: one.need_word("symbol")?,
        client: one.word("client")?.unwrap_or(""),
        venue_id: one.word("id")?.unwrap_or(""),
        trade_id: one.need_word("trade")?,
        side: one.side("side")?,
        price: one.need_decimal("price")?,
        qty: one.need_decimal("qty")?,
        fee: one.decimal("fee")?,
        fee_currency: one.word("fee_currency")?.unwrap_or(""),
        maker: one.truth("maker")?,
        filled: None,
        time_ns: one.time_ns("ms")?,
        origin: FillOrigin::Book,
        metadata: None,
    }));
    Ok(())
}

fn position(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Position(PositionFact {
        symbol: one.need_word("symbol")?,
        qty: one.need_decimal("qty")?,
        entry: None,
        hedged: one.truth("hedged")?.unwrap_or(false),
    }));
    Ok(())
}

fn balance(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    on(Fact::Balance(BalanceFact {
        currency: one.need_word("currency")?,
        total: one.need_decimal("total")?,
        free: one.decimal("free")?,
    }));
    Ok(())
}

fn fees(root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let (maker, taker) = (root.decimal("maker")?, root.decimal("taker")?);
    if let (Some(maker), Some(taker)) = (maker, taker) {
        on(Fact::Fees { symbol: "", maker, taker });
    }
    Ok(())
}

/// What of a batch failed, each by its place in it.
fn failures(root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    root.each("failures", &mut |one| {
        let at = one.integer("at")?.and_then(|at| usize::try_from(at).ok());
        let at = at.ok_or(Unreadable::Missing("at"))?;
        let failure = failure(one)?;
        on(Fact::Failed { at, client: "", failure: &failure });
        Ok(())
    })
}

fn failure(one: &Object<'_>) -> Read<Failure> {
    let wait_ms = one.integer("wait_ms")?.and_then(|ms| u64::try_from(ms).ok());
    let class = match one.need_word("class")? {
        "refused" => FailureClass::Refused,
        "rate_limited" => FailureClass::RateLimited { wait_ms, banned: false },
        "authentication" => FailureClass::Authentication,
        "venue_down" => FailureClass::VenueDown,
        // What is not known is not assumed.
        _ => FailureClass::Unknown,
    };
    let reason = one.word("reason")?.and_then(reason_of);
    let code = one.word("code")?.unwrap_or("");
    Ok(Failure::new(class, code, one.message("message")).because(reason))
}

fn reason_of(word: &str) -> Option<RejectReason> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// Reads instruments as the engine writes them, each with whether the venue takes orders in it.
pub(super) fn instruments(body: &[u8]) -> Result<Vec<Listing>> {
    let wrong = |what: String| Error::new(ErrorKind::Data, format!("instruments: {what}"));
    let root = Object::read(body).map_err(|what| wrong(what.to_string()))?;
    if let Ok(Some(failed)) = root.object("failed") {
        let why = failure(&failed).unwrap_or_else(Failure::unreadable);
        return Err(wrong(why.to_string()));
    }
    let mut found: Vec<Listing> = Vec::new();
    let mut bad = None;
    let read = root.each("instruments", &mut |one| {
        let raw = one.raw("instrument").ok_or(Unreadable::Missing("instrument"))?;
        match serde_json::from_slice::<Instrument>(raw) {
            Ok(instrument) => {
                let id = InstrumentId(found.len() as u16);
                let trading = one.truth("trading")? != Some(false);
                found.push(Listing { trading, ..Listing::new(id, instrument) });
            }
            Err(error) => bad = Some(error.to_string()),
        }
        Ok(())
    });
    read.map_err(|what| wrong(what.to_string()))?;
    bad.map_or(Ok(found), |what| Err(wrong(what)))
}
