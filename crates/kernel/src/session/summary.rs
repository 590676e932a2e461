//! A session's state as people read it: open orders, positions, money.

use mainspring_core::decimal::format_scaled;
use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::{Lots, Money};
use mainspring_trading::ledger::Position;
use mainspring_trading::orders::Order;
use serde_json::{json, Map, Value};

use super::Session;
use crate::stops::Guard;

/// Open orders, positions, stops and money as JSON; prices, quantities and money are exact decimal text.
#[must_use]
pub fn summary(session: &Session) -> Value {
    let image = session.image();
    let strategies: Vec<Value> = image
        .strategies
        .iter()
        .map(|strategy| json!({ "name": strategy.name, "stopped": strategy.failure }))
        .collect();
    let orders: Vec<Value> =
        session.orders().all_live().map(|order| order_json(session, order)).collect();
    let positions = positions(session, strategies.len());
    json!({
        "sequence": session.sequence(),
        "time_ns": session.now_ns(),
        "halted": session.is_halted(),
        "strategies": strategies,
        "orders": orders,
        "positions": positions,
        "stops": stops(session),
        "money": money(session),
        "links": session.links(),
    })
}

fn order_json(session: &Session, order: &Order) -> Value {
    let terms = &order.terms;
    let mut told = json!({
        "order_id": order.id.0,
        "strategy": order.strategy,
        "state": order.state.name(),
        "side": terms.side,
        "order_type": terms.order_type,
        "price_ticks": terms.price.0,
        "qty_lots": terms.qty.0,
        "filled_lots": order.filled.0,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    });
    if let Some(instrument) = session.instruments().get(terms.instrument.index()) {
        told["symbol"] = instrument.symbol.as_str().into();
        told["venue"] = instrument.venue.as_str().into();
        told["price"] = instrument.tick().times(terms.price.0).into();
        told["qty"] = instrument.lot.times(terms.qty.0).into();
        told["filled"] = instrument.lot.times(order.filled.0).into();
    }
    told
}

fn stops(session: &Session) -> Vec<Value> {
    let told = |guard: &Guard| {
        let instrument = session.instruments().get(guard.instrument.index());
        json!({
            "strategy": guard.strategy,
            "symbol": instrument.map(|instrument| &instrument.symbol),
            "rule": guard.stop.rule(),
            "asked": guard.asked,
            "fired": guard.stop.has_fired(),
        })
    };
    session.kernel.guards.iter().map(told).collect()
}

fn positions(session: &Session, strategies: usize) -> Vec<Value> {
    let ledger = session.ledger();
    let mut found = Vec::new();
    for market in session.markets() {
        for strategy in 0..strategies as u16 {
            let Some(position) = ledger.position(strategy, market.id) else { continue };
            if *position == Position::default() {
                continue;
            }
            let Some(instrument) = session.instruments().get(market.id.index()) else { continue };
            let Lots(lots) = position.lots;
            let entry_ticks = ledger.contract(market.id).and_then(|c| position.entry_price(c));
            found.push(json!({
                "strategy": strategy,
                "symbol": instrument.symbol,
                "venue": instrument.venue,
                "position": instrument.lot.times(lots),
                "position_lots": lots,
                "entry_price": entry_ticks.map(|ticks| ticks * instrument.tick().to_f64()),
                "realised": amount(position.realised),
                "unrealised": amount(ledger.unrealised(strategy, market.id)),
                "fees": amount(position.fees),
                "funding": amount(position.funding),
                "currency": instrument.settle(),
            }));
        }
    }
    found
}

fn money(session: &Session) -> Value {
    let ledger = session.ledger();
    let accounts: Map<String, Value> = ledger
        .currencies()
        .map(|currency| {
            let statement = ledger.native(currency);
            let told = json!({
                "equity": amount(statement.equity()),
                "cash": amount(ledger.cash(currency)),
                "deposits": amount(statement.deposits),
                "realised": amount(statement.realised),
                "unrealised": amount(statement.unrealised),
                "fees": amount(statement.fees),
                "funding": amount(statement.funding),
            });
            (currency.to_owned(), told)
        })
        .collect();
    Value::Object(accounts)
}

fn amount(money: Money) -> String {
    format_scaled(money.0, MONEY_DECIMALS)
}
