//! Answers and user events.

use mainspring_core::{CancelReason, Decimal, RejectReason, Side};

use super::errors::{classify, reason_of};
use super::Category;
use crate::amount::negated;
use crate::document::{Object, Read, Unreadable};
use crate::fact::{
    BalanceFact, Fact, FillFact, FillOrigin, Notice, OnFact, OrderFact, OrderStatus, PositionFact,
    RightsFact,
};
use crate::failure::Failure;
use crate::operation::Asked;
use crate::outgoing::{Outgoing, Reply};

pub(super) fn answer(out: &Outgoing, reply: &Reply<'_>, on: OnFact<'_>) -> Result<(), Failure> {
    let Ok(root) = Object::read(reply.body) else {
        return Err(match reply.status {
            200 => Failure::unreadable("it is not JSON"),
            403 => classify(403, "access too frequent", None),
            status => Failure::of_status(status, None, "the answer is not JSON"),
        });
    };
    let wait_ms = wait_ms(reply, &root);
    let code = root.integer("retCode").map_err(Failure::unreadable)?;
    match code {
        Some(0) => {}
        Some(code) => return Err(classify(code, &root.message("retMsg"), wait_ms)),
        None if reply.status != 200 => {
            return Err(Failure::of_status(reply.status, wait_ms, root.message("retMsg")));
        }
        None => return Err(Failure::unreadable(Unreadable::Missing("retCode"))),
    }
    read(out.asked, &root, on).map_err(Failure::unreadable)
}

/// How long to wait: until the header's reset, by the clock of the answer.
fn wait_ms(reply: &Reply<'_>, root: &Object<'_>) -> Option<u64> {
    let reset: i64 = reply.header("X-Bapi-Limit-Reset-Timestamp")?.trim().parse().ok()?;
    let now = root.integer("time").ok()??;
    u64::try_from(reset - now).ok()
}

fn read(asked: Asked, root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    // The websocket says data where HTTP says result.
    let result = root.object("result")?.or(root.object("data")?).unwrap_or_default();
    match asked {
        Asked::Place | Asked::Cancel | Asked::Amend => received(&result, on),
        Asked::PlaceMany | Asked::CancelMany | Asked::CancelAll => many(root, &result, on),
        Asked::Query => result.each("list", &mut |one| order(one, on)),
        Asked::OpenOrders => paged(&result, 50, on, order),
        Asked::Fills => paged(&result, 100, on, execution),
        Asked::Balances => result.each("list", &mut |one| wallet(one, on)),
        Asked::Positions => paged(&result, 200, on, position),
        Asked::Time => {
            let time = result.integer("timeNano")?.or(root.time_ns("time")?);
            let time = time.ok_or(Unreadable::Missing("timeNano"))?;
            on(Fact::Notice(Notice::ServerTime(time)));
            Ok(())
        }
        Asked::Rights => {
            on(Fact::Rights(rights(&result)?));
            Ok(())
        }
        Asked::Fees => result.each("list", &mut |one| {
            on(Fact::Fees {
                symbol: one.word("symbol")?.unwrap_or(""),
                maker: one.need_decimal("makerFeeRate")?,
                taker: one.need_decimal("takerFeeRate")?,
            });
            Ok(())
        }),
        Asked::MarginTiers
        | Asked::Settings
        | Asked::UserStream
        | Asked::Countdown
        | Asked::Market
        | Asked::Instruments => Ok(()),
    }
}

/// A list of which an answer holds at most `page`; the place where it goes on is named even at its end.
fn paged(
    result: &Object<'_>,
    page: usize,
    on: OnFact<'_>,
    read: fn(&Object<'_>, OnFact<'_>) -> Read<()>,
) -> Read<()> {
    let mut count = 0;
    result.each("list", &mut |one| {
        count += 1;
        read(one, on)
    })?;
    if let Some(cursor) = result.word("nextPageCursor")?.filter(|_| count >= page) {
        on(Fact::More(cursor));
    }
    Ok(())
}

/// Permissions are lists of words by what they are for; a key may be made to read alone.
fn rights(result: &Object<'_>) -> Read<RightsFact> {
    let reads_only = result.integer("readOnly")?.map(|flag| flag == 1);
    let lists = result.object("permissions")?;
    let has = |key: &str, word: &[u8]| -> Option<bool> {
        let list = lists.as_ref()?.raw(key)?;
        Some(list.windows(word.len()).any(|part| part == word))
    };
    let orders = [has("ContractTrade", b"\"Order\""), has("Spot", b"\"SpotTrade\"")];
    let may_trade = orders.iter().flatten().any(|may| *may);
    let known = orders.iter().any(Option::is_some);
    let ips = result.raw("ips");
    Ok(RightsFact {
        trade: known.then_some(may_trade && reads_only != Some(true)),
        withdraw: has("Wallet", b"\"Withdraw\""),
        bound_to_address: ips.map(|list| list != b"[]" && list != b"[\"*\"]"),
        hedge_mode: None,
    })
}

/// A request was received; what becomes of it comes by the stream.
fn received(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let venue_id = one.need_word("orderId")?;
    let client = one.word("orderLinkId")?.unwrap_or("");
    let symbol = one.word("symbol")?.unwrap_or("");
    on(Fact::Order(OrderFact::new(OrderStatus::Received).of(symbol, client, venue_id)));
    Ok(())
}

/// The parts of a batch and, in the same order, what came of each.
fn many(root: &Object<'_>, result: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let mut failures = Vec::new();
    if let Some(extra) = root.object("retExtInfo")? {
        extra.each("list", &mut |one| {
            let code = one.integer("code")?.unwrap_or(0);
            failures.push((code != 0).then(|| classify(code, &one.message("msg"), None)));
            Ok(())
        })?;
    }
    let mut at = 0;
    result.each("list", &mut |one| {
        let place = at;
        at += 1;
        let client = one.word("orderLinkId")?.unwrap_or("");
        match failures.get(place) {
            Some(Some(failure)) => {
                on(Fact::Failed { at: place, client, failure });
                Ok(())
            }
            _ => received(one, on),
        }
    })
}

/// Reads one message of the private connection. Its topics are those of the whole account, and a symbol may
/// be one of several categories: what is of another is none of this session's.
pub(super) fn event(text: &[u8], category: Category, on: OnFact<'_>) -> Read<()> {
    let root = Object::read(text)?;
    let Some(topic) = root.word("topic")? else { return connection(&root, on) };
    let ours = |one: &Object<'_>| -> Read<bool> {
        Ok(one.word("category")?.is_none_or(|word| word == category.word()))
    };
    // Topics may name the category: order.linear, execution.fast.spot.
    let read = match topic.split('.').next().unwrap_or(topic) {
        "order" => order,
        "execution" => execution,
        "position" => position,
        "wallet" => wallet,
        _ => {
            on(Fact::Other(topic));
            return Ok(());
        }
    };
    root.each("data", &mut |one| if ours(one)? { read(one, on) } else { Ok(()) })
}

fn connection(root: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let success = match (root.truth("success")?, root.integer("retCode")?) {
        (Some(success), _) => success,
        (None, Some(code)) => code == 0,
        (None, None) => true,
    };
    let message = match root.has("ret_msg") {
        true => root.message("ret_msg"),
        false => root.message("retMsg"),
    };
    on(match root.word("op")? {
        Some("auth") if success => Fact::Notice(Notice::LoggedIn),
        Some("auth") => Fact::Notice(Notice::LogInFailed(&message)),
        Some("subscribe") if success => Fact::Notice(Notice::Subscribed(&message)),
        Some("subscribe") => Fact::Notice(Notice::SubscriptionFailed(&message)),
        Some("ping" | "pong") => Fact::Notice(Notice::Pong),
        Some(other) => Fact::Other(other),
        None => Fact::Other("other"),
    });
    Ok(())
}

fn order(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let word = one.need_word("orderStatus")?;
    let filled = one.decimal("cumExecQty")?;
    let untraded = filled.unwrap_or_default() == Decimal::ZERO;
    let reason = reason_of(one.word("rejectReason")?.unwrap_or(""));
    let status = match word {
        "New" | "Active" | "Created" => OrderStatus::Open,
        "PartiallyFilled" => OrderStatus::PartiallyFilled,
        "Untriggered" => OrderStatus::Armed,
        "Triggered" => OrderStatus::Triggered,
        "Filled" => OrderStatus::Filled,
        "Rejected" => OrderStatus::Rejected(reason.or(Some(RejectReason::VenueRule))),
        "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => {
            cancelled(reason, one.word("cancelType")?, one.word("timeInForce")?, untraded)
        }
        _ => return Err(Unreadable::Wrong("orderStatus", "is not known")),
    };
    on(Fact::Order(OrderFact {
        side: one.side("side")?,
        price: one.decimal("price")?,
        qty: one.decimal("qty")?,
        filled,
        time_ns: one.time_ns("updatedTime")?,
        said: one.word("rejectReason")?.filter(|r| *r != "EC_NoError").unwrap_or(word),
        ..OrderFact::new(status).of(
            one.need_word("symbol")?,
            one.word("orderLinkId")?.unwrap_or(""),
            one.need_word("orderId")?,
        )
    }));
    Ok(())
}

fn cancelled(
    reason: Option<RejectReason>,
    by: Option<&str>,
    life: Option<&str>,
    untraded: bool,
) -> OrderStatus {
    use RejectReason as R;
    OrderStatus::Cancelled(match (reason, by) {
        (Some(R::PostOnlyWouldTake | R::FokNotFilled), _) if untraded => {
            return OrderStatus::Rejected(reason);
        }
        (_, Some("CancelBySelfMatch")) | (Some(R::SelfTrade), _) => CancelReason::SelfTrade,
        (_, Some("CancelByReduceOnly")) => CancelReason::ReduceOnly,
        (_, Some("CancelAllBeforeLiq" | "CancelByPrepareLiq" | "CancelByAdmin")) => {
            CancelReason::Liquidation
        }
        (_, Some("CancelByTpSlTsClear" | "CancelByPzSideCh")) => CancelReason::Oco,
        (_, Some("CancelBySettle" | "CancelByDelivery")) => CancelReason::Expired,
        (Some(R::NoLiquidity), _) if life != Some("FOK") => CancelReason::IocRemainder,
        (Some(R::NoLiquidity), _) => CancelReason::NoLiquidity,
        _ => CancelReason::Requested,
    })
}

fn execution(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let symbol = one.need_word("symbol")?;
    let fee = one.decimal("execFee")?;
    // Fees of spot are taken in the base or in the quote: where that is not said it is not known.
    let of_spot = one.word("category")? == Some("spot");
    let settled = if of_spot { "" } else { settled_in(symbol) };
    let currency = one.word("feeCurrency")?.unwrap_or(settled);
    let origin = match one.word("execType")? {
        None | Some("Trade") => FillOrigin::Book,
        Some("AdlTrade") => FillOrigin::Deleveraging,
        Some("BustTrade") => FillOrigin::Liquidation,
        Some("Settle" | "Delivery") => FillOrigin::Settlement,
        // Funding is told as an execution whose fee is what is paid.
        Some("Funding" | "SessionSettlePnL") => {
            if let Some(amount) =
                fee.and_then(|fee| Decimal::new(-fee.mantissa(), fee.scale()).ok())
            {
                on(Fact::Payment { currency, amount });
            }
            return Ok(());
        }
        Some(_) => FillOrigin::Settlement,
    };
    on(Fact::Fill(FillFact {
        symbol,
        client: one.word("orderLinkId")?.unwrap_or(""),
        venue_id: one.need_word("orderId")?,
        trade_id: one.need_word("execId")?,
        side: one.side("side")?,
        price: one.need_decimal("execPrice")?,
        qty: one.need_decimal("execQty")?,
        fee,
        fee_currency: currency,
        maker: one.truth("isMaker")?,
        filled: None,
        time_ns: one.time_ns("execTime")?,
        origin,
        metadata: None,
    }));
    Ok(())
}

/// What a contract is settled in, from its symbol; empty where the name does not say. Dated ones have their day
/// behind it: `BTCUSDT-27NOV26` and `BTC-27NOV26` (USDC), `BTCUSDZ26` (inverse).
fn settled_in(symbol: &str) -> &str {
    let (name, dated) = match symbol.split_once('-') {
        Some((name, _)) => (name, true),
        None => (symbol, false),
    };
    let inverse = || {
        let day = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let month = day.len() < name.len() && day.ends_with(['H', 'M', 'U', 'Z']);
        let name = if month { &day[..day.len() - 1] } else { name };
        name.strip_suffix("USD").unwrap_or("")
    };
    match name {
        _ if name.ends_with("USDT") => "USDT",
        _ if name.ends_with("PERP") || dated => "USDC",
        _ => inverse(),
    }
}

fn position(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    let size = one.decimal("size")?.unwrap_or_default();
    let qty = match one.side("side").unwrap_or(None) {
        Some(Side::Sell) => negated(size),
        _ => size,
    };
    let entry =
        one.decimal("entryPrice").unwrap_or(None).or(one.decimal("avgPrice").unwrap_or(None));
    let hedged = one.integer("positionIdx")?.unwrap_or(0) != 0;
    on(Fact::Position(PositionFact { symbol: one.need_word("symbol")?, qty, entry, hedged }));
    Ok(())
}

fn wallet(one: &Object<'_>, on: OnFact<'_>) -> Read<()> {
    one.each("coin", &mut |coin| {
        let total = coin.need_decimal("walletBalance")?;
        let free = coin.decimal("availableToWithdraw")?;
        on(Fact::Balance(BalanceFact { currency: coin.need_word("coin")?, total, free }));
        Ok(())
    })
}
