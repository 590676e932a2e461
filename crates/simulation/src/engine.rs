//! The engine of a seed: configuration, instrument and strategies.

use mainspring_core::instrument::InstrumentKind;
use mainspring_core::{Decimal, Error, ErrorKind, Instrument, Lots, PriceGrid, Result};
use mainspring_kernel::host::BookTrigger;
use mainspring_kernel::native::NativeConfig;
use mainspring_kernel::session::{ForeignOrders, Session, SessionConfig, ACCOUNT};

use crate::hand::Hand;
use crate::mover::Mover;
use crate::worker::Worker;

pub(crate) fn instrument() -> Result<Instrument> {
    Ok(Instrument {
        symbol: "BTCUSDT".into(),
        venue: "simulated".into(),
        kind: InstrumentKind::LinearPerpetual,
        base: "BTC".into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(Decimal::new(1, 1)?)],
        lot: Decimal::new(1, 3)?,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::new(1, 4)?,
        taker_fee: Decimal::new(5, 4)?,
        margin_tiers: vec![],
    })
}

/// What the simulated session of a seed is made of: its configuration, its instruments, and the
/// names of its strategies.
///
/// # Errors
/// When the simulation cannot be set up.
pub fn session_parts(seed: u64) -> Result<(SessionConfig, Vec<Instrument>, Vec<String>)> {
    let session = new_session(seed)?;
    let names = session.image().strategies.into_iter().map(|strategy| strategy.name).collect();
    Ok((session.config().clone(), session.instruments().to_vec(), names))
}

/// Every rule of reconciling that holds something back, and a budget that is often empty.
const RULES: &str = r#"{"price_threshold_bps":0.2,"size_threshold_bps":500,"amend":"always",
    "wait_for_cancel":true,"min_life_ns":40000000,"max_life_ns":3000000000,"replenish":true,
    "max_actions":3,"budgets":{"*":{"requests":{"limit":12,"window_ns":1000000000}}}}"#;

/// The engine of a seed: every third reconciles under rules, every other works parent orders, and three
/// of five change an order that rests.
pub(crate) fn new_session(seed: u64) -> Result<Session> {
    let mut config: SessionConfig = read(
        r#"{"run":{"deposits":[["USDT","100000"]],"features":["imbalance"],
            "limits":{"max_position":"0.02","max_order_qty":"0.005","max_order_notional":"0.52",
                "max_open_orders":7,
                "max_order_rate":{"count":20,"window_ns":1000000000},
                "max_message_rate":{"count":40,"window_ns":1000000000},
                "strategies":{"touch_maker":{"max_position":"0.015"}}}},"foreign":"cancel"}"#,
    )?;
    let owner = adopts(seed);
    if let Some(owner) = owner {
        config.foreign = ForeignOrders::Adopt { owner: owner.to_owned() };
    }
    if seed % 3 == 2 {
        // Every other of these counts requests as a venue does that takes five at once.
        let batch =
            if seed.is_multiple_of(2) { r#""batch":5,"requests""# } else { r#""requests""# };
        config.run.reconcile = Some(read(&RULES.replace(r#""requests""#, batch))?);
    }
    let native: NativeConfig =
        read(r#"{"kind":"touch_maker","size":"0.003","max_position":"0.05"}"#)?;
    let mut hosts = vec![native.build(BookTrigger::Message)?];
    if seed % 2 == 1 {
        hosts.push(Box::new(Worker::default()));
    }
    if seed % 5 > 1 {
        hosts.push(Box::new(Mover::default()));
    }
    if owner == Some(ACCOUNT) {
        hosts.push(Box::new(Hand::default()));
    }
    Session::new(config, vec![instrument()?], hosts)
}

/// Most requests that leave together: every other seed trades on a venue that takes several at once.
pub(crate) const fn batch(seed: u64) -> usize {
    if seed.is_multiple_of(2) {
        5
    } else {
        1
    }
}

/// Who owns what is traded by hand, in the seeds that adopt it.
pub(crate) const fn adopts(seed: u64) -> Option<&'static str> {
    match seed % 4 {
        1 => Some(ACCOUNT),
        2 => Some("touch_maker"),
        _ => None,
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}
