//! Where the instrument definition of an import comes from: the person, the recording, or the data.

use mainspring_core::instrument::MarginTier;
use mainspring_core::{
    Decimal, Error, ErrorKind, GridRule, Instrument, InstrumentKind, Lots, PriceGrid, Result,
};
use serde::{Deserialize, Serialize};

/// A definition with parts left open. Parts that a person gives win over those that the recording
/// states; tick and lot that nobody states are the finest decimals seen in the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstrumentSpec {
    /// The symbol it is for; `None` for any.
    pub symbol: Option<String>,
    /// The venue.
    pub venue: Option<String>,
    /// Spot, perpetual, future.
    pub kind: Option<InstrumentKind>,
    /// Base currency.
    pub base: Option<String>,
    /// Quote currency.
    pub quote: Option<String>,
    /// Price increment.
    pub tick: Option<Decimal>,
    /// Versions of the price grid, instead of a fixed `tick`.
    pub grids: Option<Vec<PriceGrid>>,
    /// Quantity increment.
    pub lot: Option<Decimal>,
    /// Contract multiplier.
    pub multiplier: Option<Decimal>,
    /// Smallest order, in lots.
    pub min_qty: Option<Lots>,
    /// Largest order, in lots.
    pub max_qty: Option<Lots>,
    /// Smallest order value.
    pub min_notional: Option<Decimal>,
    /// Maker fee.
    pub maker_fee: Option<Decimal>,
    /// Taker fee.
    pub taker_fee: Option<Decimal>,
    /// Maintenance margin brackets.
    pub margin_tiers: Option<Vec<MarginTier>>,
}

impl InstrumentSpec {
    /// Whether it is meant for this symbol.
    #[must_use]
    pub fn is_for(&self, symbol: &str) -> bool {
        self.symbol.as_deref().is_none_or(|own| own == symbol)
    }

    fn price_tick(&self) -> Option<Decimal> {
        self.grids.as_ref().and_then(|grids| grids.first()).map(|grid| grid.tick).or(self.tick)
    }

    /// Whether price and quantity grids are both known.
    #[must_use]
    pub fn has_grids(&self) -> bool {
        self.price_tick().is_some() && self.lot.is_some()
    }

    /// This definition, with what it leaves open taken from `other`.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let tick_given = self.price_tick().is_some();
        Self {
            symbol: self.symbol.or_else(|| other.symbol.clone()),
            venue: self.venue.or_else(|| other.venue.clone()),
            kind: self.kind.or(other.kind),
            base: self.base.or_else(|| other.base.clone()),
            quote: self.quote.or_else(|| other.quote.clone()),
            tick: if tick_given { self.tick } else { other.tick },
            grids: if tick_given { self.grids } else { other.grids.clone() },
            lot: self.lot.or(other.lot),
            multiplier: self.multiplier.or(other.multiplier),
            min_qty: self.min_qty.or(other.min_qty),
            max_qty: self.max_qty.or(other.max_qty),
            min_notional: self.min_notional.or(other.min_notional),
            maker_fee: self.maker_fee.or(other.maker_fee),
            taker_fee: self.taker_fee.or(other.taker_fee),
            margin_tiers: self.margin_tiers.or_else(|| other.margin_tiers.clone()),
        }
    }
}

/// Where a tick or lot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The person gave it.
    Given,
    /// The recording states it.
    Recording,
    /// The finest decimals seen in the data.
    Inferred,
    /// The recording states a coarser one, which old orders in it do not keep to; the finest
    /// decimals seen in the data are counted, new orders keep to what is stated.
    Widened,
}

/// The finest decimals seen of one symbol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finest {
    /// Decimal places of prices.
    pub price: u8,
    /// Decimal places of quantities.
    pub qty: u8,
}

/// An instrument with the origin of its grids.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The definition.
    pub instrument: Instrument,
    /// Where the tick comes from.
    pub tick_origin: Origin,
    /// Where the lot comes from.
    pub lot_origin: Origin,
}

/// The definition of one symbol from the person's, the recording's and the data's word.
///
/// # Errors
/// When the contract size of an inverse contract or a dated future is nowhere stated, or the parts do
/// not fit.
pub fn resolve(
    symbol: &str,
    given: Option<&InstrumentSpec>,
    stated: &InstrumentSpec,
    finest: Finest,
) -> Result<Resolved> {
    let given = given.cloned().unwrap_or_default();
    let origin = |by_person: bool, by_recording: bool| match (by_person, by_recording) {
        (true, _) => Origin::Given,
        (false, true) => Origin::Recording,
        (false, false) => Origin::Inferred,
    };
    let tick_origin = origin(given.price_tick().is_some(), stated.price_tick().is_some());
    let lot_origin = origin(given.lot.is_some(), stated.lot.is_some());
    let mut spec = given.or(stated);
    let tick_origin = widen_tick(&mut spec, tick_origin, finest.price)?;
    let lot_origin = widen_lot(&mut spec, lot_origin, finest.qty)?;
    let kind = spec.kind.unwrap_or(InstrumentKind::Spot);
    let multiplier = match spec.multiplier {
        Some(multiplier) => multiplier,
        None if kind.is_inverse() || kind == InstrumentKind::LinearFuture => {
            return Err(no_contract_size(symbol, kind));
        }
        None => Decimal::ONE,
    };
    let tick = spec.tick.map_or_else(|| Decimal::new(1, finest.price), Ok)?;
    let instrument = Instrument {
        symbol: symbol.to_owned(),
        venue: spec.venue.unwrap_or_else(|| "unknown".to_owned()),
        kind,
        base: spec.base.unwrap_or_else(|| symbol.to_owned()),
        quote: spec.quote.unwrap_or_else(|| "unknown".to_owned()),
        grids: spec.grids.unwrap_or_else(|| vec![PriceGrid::fixed(tick)]),
        lot: spec.lot.map_or_else(|| Decimal::new(1, finest.qty), Ok)?,
        multiplier,
        min_qty: spec.min_qty.unwrap_or(Lots(1)),
        max_qty: spec.max_qty.unwrap_or(Lots::ZERO),
        min_notional: spec.min_notional.unwrap_or(Decimal::ZERO),
        maker_fee: spec.maker_fee.unwrap_or(Decimal::ZERO),
        taker_fee: spec.taker_fee.unwrap_or(Decimal::ZERO),
        margin_tiers: spec.margin_tiers.unwrap_or_default(),
    };
    instrument.validate()?;
    Ok(Resolved { instrument, tick_origin, lot_origin })
}

/// Counts finer ticks than the recording states when its own prices are finer.
fn widen_tick(spec: &mut InstrumentSpec, origin: Origin, places: u8) -> Result<Origin> {
    let (Origin::Recording, None, Some(stated)) = (origin, &spec.grids, spec.tick) else {
        return Ok(origin);
    };
    if places <= stated.scale() {
        return Ok(origin);
    }
    let tick = Decimal::new(1, places)?;
    let step = stated.count_of(tick).unwrap_or(1);
    let rule = GridRule::Tiers { steps: vec![(0, step)] };
    spec.grids = Some(vec![PriceGrid { version: 0, tick, rule }]);
    Ok(Origin::Widened)
}

/// The same for lots; the smallest order stays what the recording states.
fn widen_lot(spec: &mut InstrumentSpec, origin: Origin, places: u8) -> Result<Origin> {
    let (Origin::Recording, Some(stated)) = (origin, spec.lot) else {
        return Ok(origin);
    };
    if places <= stated.scale() {
        return Ok(origin);
    }
    let lot = Decimal::new(1, places)?;
    spec.min_qty = spec.min_qty.or_else(|| stated.count_of(lot).map(Lots));
    spec.lot = Some(lot);
    Ok(Origin::Widened)
}

fn no_contract_size(symbol: &str, kind: InstrumentKind) -> Error {
    let (what, example, meaning) = if kind.is_inverse() {
        ("an inverse contract", "100", "the quote value of one contract")
    } else {
        ("a dated future", "50", "how much of the base one contract is")
    };
    Error::new(
        ErrorKind::Config,
        format!(
            "{symbol} is {what} and the recording does not state its size: give {meaning} with \
             --multiplier {example}, in Python with instrument={{\"multiplier\": \"{example}\"}}"
        ),
    )
}

/// Currencies that venues write at the end of a joined symbol, longest first.
const QUOTES: [&str; 24] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USD", "EUR", "GBP", "JPY", "CHF",
    "AUD", "BRL", "TRY", "BTC", "XBT", "ETH", "BNB", "KRW", "UST", "RUB", "ZAR", "CAD",
];

/// Base and quote of a joined symbol such as `BTCUSDT`; the quote is empty when it is not known.
#[must_use]
pub fn split_joined(symbol: &str) -> (String, String) {
    let upper = symbol.to_ascii_uppercase();
    for quote in QUOTES {
        if let Some(base) = upper.strip_suffix(quote).filter(|base| !base.is_empty()) {
            return (base.trim_end_matches([':', '/', '-']).to_owned(), quote.to_owned());
        }
    }
    (upper, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_wins_over_the_recording_over_the_data() {
        let given = InstrumentSpec { tick: Some("0.5".parse().unwrap()), ..Default::default() };
        let stated = InstrumentSpec {
            tick: Some("0.1".parse().unwrap()),
            maker_fee: Some("0.001".parse().unwrap()),
            ..Default::default()
        };
        let made = resolve("X", Some(&given), &stated, Finest { price: 2, qty: 3 }).unwrap();
        assert_eq!(made.instrument.tick().to_string(), "0.5");
        assert_eq!(made.instrument.lot.to_string(), "0.001");
        assert_eq!(made.instrument.maker_fee.to_string(), "0.001");
        assert_eq!((made.tick_origin, made.lot_origin), (Origin::Given, Origin::Inferred));
    }

    #[test]
    fn a_recording_with_finer_old_orders_is_counted_finer() {
        let stated = InstrumentSpec {
            tick: Some("0.5".parse().unwrap()),
            lot: Some(Decimal::ONE),
            ..Default::default()
        };
        let made = resolve("X", None, &stated, Finest { price: 2, qty: 1 }).unwrap();
        let instrument = made.instrument;
        assert_eq!((made.tick_origin, made.lot_origin), (Origin::Widened, Origin::Widened));
        assert_eq!(
            (instrument.tick().to_string(), instrument.lot.to_string()),
            ("0.01".into(), "0.1".into())
        );
        assert_eq!(instrument.min_qty, Lots(10));
        assert_eq!(instrument.grid().step_at(mainspring_core::Ticks(100)), 50);
    }

    #[test]
    fn inverse_contracts_and_dated_futures_need_their_size() {
        for kind in [InstrumentKind::InversePerpetual, InstrumentKind::LinearFuture] {
            let stated = InstrumentSpec { kind: Some(kind), ..Default::default() };
            let error = resolve("BTCUSD_PERP", None, &stated, Finest::default()).unwrap_err();
            assert!(error.message().contains("multiplier"), "{error}");
            let given = InstrumentSpec { multiplier: Decimal::new(50, 0).ok(), ..stated.clone() };
            let made = resolve("ESH4", Some(&given), &stated, Finest::default()).unwrap();
            assert_eq!(made.instrument.multiplier.to_string(), "50");
        }
    }

    #[test]
    fn joined_symbols_are_split_at_known_quotes() {
        assert_eq!(split_joined("btcusdt"), ("BTC".into(), "USDT".into()));
        assert_eq!(split_joined("ETHBTC"), ("ETH".into(), "BTC".into()));
        assert_eq!(split_joined("AAPL"), ("AAPL".into(), String::new()));
    }
}
