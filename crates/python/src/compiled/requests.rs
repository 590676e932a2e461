//! From the request buffer to the kernel's intents, by the rules of the Python view.

use mainspring_core::limits::MAX_QUOTE_LEVELS;
use mainspring_core::order::OrderFlags;
use mainspring_core::{
    ClientOrderId, Decimal, Error, ErrorKind, Lots, OrderType, Result, Side, Ticks, TimeInForce,
};
use mainspring_kernel::intent::Intent;
use mainspring_kernel::stops::RuleConfig;
use mainspring_kernel::View;
use mainspring_trading::execution::Level;

use super::abi::{request, Requests, REQUEST_WORDS};
use crate::wishes::OrderOptions;

type Words = [i64; REQUEST_WORDS];

/// Turns every request into an intent.
///
/// # Errors
/// When one is malformed; then the same callback in Python says so with its line.
pub fn carry_over(requests: &Requests, view: &mut View<'_>) -> Result<()> {
    let count = usize::try_from(requests.count).unwrap_or(0).min(requests.list.len());
    for words in &requests.list[..count] {
        match words[0] {
            request::QUOTE => quote(requests, words, view)?,
            request::TARGET => target(words, view)?,
            request::PLACE => place(words, view)?,
            request::CANCEL => view.intents.push(Intent::Cancel(id(words[1])))?,
            request::CANCEL_ALL => view.intents.push(Intent::CancelAll(view.instrument))?,
            request::AMEND => amend(words, view)?,
            request::TIMER => {
                view.intents.push(Intent::Timer { at_ns: words[1], tag: words[2] })?;
            }
            request::STOP => stop(words, view)?,
            request::REMOVE_STOPS => view.stop(view.instrument, None)?,
            other => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("a compiled strategy wrote an unknown request {other}"),
                ))
            }
        }
    }
    Ok(())
}

const fn id(word: i64) -> ClientOrderId {
    ClientOrderId(word as u64)
}

const fn float(word: i64) -> f64 {
    f64::from_bits(word as u64)
}

fn quote(requests: &Requests, words: &Words, view: &mut View<'_>) -> Result<()> {
    let index = |word: i64| usize::try_from(word).unwrap_or(usize::MAX);
    let (first, bids, asks) = (index(words[1]), index(words[2]), index(words[3]));
    let middle = first.saturating_add(bids);
    let levels = &requests.levels;
    let (Some(bids), Some(asks)) =
        (levels.get(first..middle), levels.get(middle..middle.saturating_add(asks)))
    else {
        return Err(Error::new(ErrorKind::Internal, "a quote outside the buffer of levels"));
    };
    let exact = words[4] != 0;
    let (bids, bid_count) = side_levels(view, Side::Buy, bids, exact)?;
    let (asks, ask_count) = side_levels(view, Side::Sell, asks, exact)?;
    let flags = if words[5] != 0 { OrderFlags::POST_ONLY } else { OrderFlags::default() };
    view.intents.quote(view.instrument, &bids[..bid_count], &asks[..ask_count], flags)
}

type SideLevels = ([Level; MAX_QUOTE_LEVELS], usize);

fn side_levels(
    view: &View<'_>,
    side: Side,
    levels: &[[f64; 2]],
    exact: bool,
) -> Result<SideLevels> {
    let mut all = [Level { price: Ticks(0), qty: Lots(0) }; MAX_QUOTE_LEVELS];
    if levels.len() > all.len() {
        return Err(Error::new(ErrorKind::Strategy, "too many levels in a quote"));
    }
    for (level, [price, qty]) in all.iter_mut().zip(levels) {
        level.price = view.ticks(view.instrument, side, *price, exact)?;
        level.qty = view.order_lots(view.instrument, *qty)?;
    }
    Ok((all, levels.len()))
}

fn target(words: &Words, view: &mut View<'_>) -> Result<()> {
    let instrument = view.instrument;
    let position = view.lots(instrument, float(words[1]))?;
    let side = if position >= view.position() { Side::Buy } else { Side::Sell };
    let price = match words[3] {
        0 => None,
        _ => Some(view.ticks(instrument, side, float(words[2]), false)?),
    };
    view.intents.push(Intent::Target { instrument, position, price })
}

fn amend(words: &Words, view: &mut View<'_>) -> Result<()> {
    let id = id(words[1]);
    let side = view.orders.get(id).map_or(Side::Buy, |order| order.terms.side);
    let price = view.ticks(view.instrument, side, float(words[2]), false)?;
    let qty = view.order_lots(view.instrument, float(words[3]))?;
    view.intents.push(Intent::Amend { id, price, qty })
}

/// Words: 1 side, 2 quantity, 3 price, 4 which options are given (bit 0 the price), 5 flags,
/// 6 time in force, 7 kind, 8 trigger, 9 trail, 10 offset, 11 display, 12 expiry, 13 oco.
fn place(words: &Words, view: &mut View<'_>) -> Result<()> {
    let given = |bit: i64| words[4] & (1 << bit) != 0;
    let number = |bit: i64, word: usize| given(bit).then(|| float(words[word]));
    let options = OrderOptions {
        post_only: words[5] & 1 != 0,
        reduce_only: words[5] & 2 != 0,
        exact: words[5] & 4 != 0,
        time_in_force: if given(1) { Some(time_in_force(words[6])?) } else { None },
        kind: if given(2) { Some(order_type(words[7])?) } else { None },
        trigger: number(3, 8),
        trail: number(4, 9),
        offset: number(5, 10),
        display: number(6, 11),
        expire_ns: given(7).then_some(words[12]),
        oco: given(8).then_some(words[13] as u64),
    };
    let side = if words[1] == 0 { Side::Buy } else { Side::Sell };
    let terms = options.terms(view, view.instrument, side, float(words[2]), number(0, 3))?;
    view.place(terms).map(|_| ())
}

fn time_in_force(code: i64) -> Result<TimeInForce> {
    [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::Gtd]
        .into_iter()
        .find(|one| *one as i64 == code)
        .ok_or_else(|| Error::new(ErrorKind::Internal, format!("time in force {code}")))
}

fn order_type(code: i64) -> Result<OrderType> {
    [
        OrderType::Limit,
        OrderType::Market,
        OrderType::Stop,
        OrderType::StopLimit,
        OrderType::TakeProfit,
        OrderType::TrailingStop,
        OrderType::Iceberg,
        OrderType::Pegged,
    ]
    .into_iter()
    .find(|one| *one as i64 == code)
    .ok_or_else(|| Error::new(ErrorKind::Internal, format!("order kind {code}")))
}

/// Words: 1 kind, 2 to 4 numbers, 5 bars, 6 time.
fn stop(words: &Words, view: &mut View<'_>) -> Result<()> {
    let number = |word: usize| decimal(float(words[word]));
    let rule = match words[1] {
        0 => RuleConfig::Fixed { distance: number(2)? },
        1 => RuleConfig::Trailing { distance: number(2)? },
        2 => RuleConfig::Atr {
            multiple: number(2)?,
            period: u32::try_from(words[5]).unwrap_or(0),
            bar_ns: words[6],
        },
        3 => RuleConfig::Step { distance: number(2)?, step: number(3)? },
        4 => {
            RuleConfig::BreakEven { distance: number(2)?, trigger: number(3)?, offset: number(4)? }
        }
        5 => RuleConfig::Time { after_ns: words[6] },
        6 => RuleConfig::Equity { loss: number(2)? },
        kind => return Err(Error::new(ErrorKind::Internal, format!("a stop of kind {kind}"))),
    };
    let instrument = view.instrument;
    let rule = rule.rule(&view.markets[instrument.index()].instrument)?;
    view.stop(instrument, Some(rule))
}

/// A number by the digits that Python writes it with.
fn decimal(value: f64) -> Result<Decimal> {
    Decimal::of_f64(value).ok_or_else(|| {
        Error::new(ErrorKind::Value, format!("a stop at {value}: it is not a usable number"))
    })
}
