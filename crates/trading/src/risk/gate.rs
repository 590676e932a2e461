//! The pre-trade gate: the only maker of [`ApprovedOrder`].
//!
//! A check evaluates every limit and folds the answers into one bit mask, so that an approved order
//! costs the same whatever the limits are, and a refused one names all that it failed.

use mainspring_core::instrument::Instrument;
use mainspring_core::limits::{MAX_OPEN_ORDERS, MAX_POSITION_UNITS};
use mainspring_core::order::{OrderFlags, OrderTerms, Side};
use mainspring_core::{Decimal, Error, ErrorKind, Lots, OrderType, Result, Ticks};

/// Which limit an order failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LimitKind {
    /// Trading is halted.
    Halted = 0,
    /// The quantity is not positive.
    Quantity = 1,
    /// Lots in one order.
    OrderQuantity = 2,
    /// Value of one order.
    OrderNotional = 3,
    /// Position if everything open on the side filled.
    Position = 4,
    /// Distance of a limit price through the mid price.
    PriceCollar = 5,
    /// Orders open in the whole engine.
    OpenOrders = 6,
}

impl LimitKind {
    const ALL: [Self; 7] = [
        Self::Halted,
        Self::Quantity,
        Self::OrderQuantity,
        Self::OrderNotional,
        Self::Position,
        Self::PriceCollar,
        Self::OpenOrders,
    ];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Quantity => "quantity",
            Self::OrderQuantity => "order_quantity",
            Self::OrderNotional => "order_notional",
            Self::Position => "position",
            Self::PriceCollar => "price_collar",
            Self::OpenOrders => "open_orders",
        }
    }
}

/// One failed limit with the value that failed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which limit.
    pub limit: LimitKind,
    /// The value the order would lead to.
    pub value: i128,
    /// The bound.
    pub bound: i128,
}

/// Which limits an order failed, as bits: bit `n` for the [`LimitKind`] with that number.
/// [`Gate::explain`] gives their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Veto {
    mask: u32,
}

impl Veto {
    /// The failed limits, in the order of [`LimitKind`].
    pub fn limits(&self) -> impl Iterator<Item = LimitKind> {
        let mask = self.mask;
        LimitKind::ALL.into_iter().filter(move |limit| mask >> (*limit as u32) & 1 == 1)
    }

    /// The bits.
    #[must_use]
    pub const fn mask(&self) -> u32 {
        self.mask
    }
}

/// Terms that the gate has let through. Nothing else can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovedOrder {
    terms: OrderTerms,
}

impl ApprovedOrder {
    /// What was approved.
    #[must_use]
    pub const fn terms(&self) -> &OrderTerms {
        &self.terms
    }
}

/// Limits of one instrument, as a person writes them; `None` is the hard ceiling or no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GateLimits {
    /// Largest order, in units of the base.
    pub max_order_qty: Option<Decimal>,
    /// Largest order value, in the settlement currency.
    pub max_order_notional: Option<Decimal>,
    /// Largest absolute position, in units of the base.
    pub max_position: Option<Decimal>,
    /// How far a limit price may go through the mid, in basis points.
    pub price_collar_bps: Option<u32>,
}

/// Limits of one instrument in the kernel's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentLimits {
    order_lots: i64,
    order_notional: i128,
    position_lots: i64,
    collar_bps: i64,
    tick_value: i128,
}

impl InstrumentLimits {
    /// Limits of `instrument`, tightened from the hard ceilings.
    ///
    /// # Errors
    /// When a limit is above its ceiling or not positive.
    pub fn new(instrument: &Instrument, limits: &GateLimits) -> Result<Self> {
        let ceiling = lots_of(instrument, MAX_POSITION_UNITS)?;
        let lots = |name: &str, value: Option<Decimal>| -> Result<i64> {
            let Some(value) = value else { return Ok(ceiling) };
            let lots = (value.to_f64() / instrument.lot.to_f64() + 1e-9).floor();
            if lots < 1.0 || lots > ceiling as f64 {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "risk limit {name} of {}: {value} is outside one lot ({}) to the build's ceiling of {MAX_POSITION_UNITS} units",
                        instrument.symbol, instrument.lot
                    ),
                ));
            }
            Ok(lots as i64)
        };
        let tick_value = if instrument.kind.is_inverse() { 0 } else { instrument.tick_value()? };
        let order_notional = match limits.max_order_notional {
            Some(value) => value
                .to_scale(mainspring_core::money::MONEY_DECIMALS)
                .filter(|v| *v > 0)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Config,
                        format!("max_order_notional {value} is not a positive amount"),
                    )
                })?,
            None => i128::MAX,
        };
        Ok(Self {
            order_lots: lots("max_order_qty", limits.max_order_qty)?,
            order_notional,
            position_lots: lots("max_position", limits.max_position)?,
            collar_bps: limits.price_collar_bps.map_or(i64::from(u32::MAX), i64::from),
            tick_value,
        })
    }

    /// The position limit in lots.
    #[must_use]
    pub const fn position(&self) -> Lots {
        Lots(self.position_lots)
    }
}

/// Whole units of the base as lots, at most what an `i64` of position arithmetic can bear.
fn lots_of(instrument: &Instrument, units: i64) -> Result<i64> {
    let lots = units as f64 / instrument.lot.to_f64();
    if lots < 1.0 {
        return Err(Error::new(
            ErrorKind::Config,
            format!("{}: one lot is larger than the ceiling of {units} units", instrument.symbol),
        ));
    }
    Ok(lots.min((i64::MAX / 4) as f64) as i64)
}

/// What an order would add to: the state that the limits are checked against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Net position in the instrument.
    pub position: Lots,
    /// Remaining quantity of open orders on the order's side.
    pub open_same_side: Lots,
    /// Best bid plus best ask in ticks; zero when the book is one-sided.
    pub mid2: i64,
    /// Orders open in the whole engine.
    pub open_orders: usize,
}

/// The gate: limits per instrument, and the halt flag.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Vec<InstrumentLimits>,
    max_open_orders: usize,
    halted: bool,
}

impl Gate {
    /// A gate over instruments in kernel order.
    ///
    /// # Errors
    /// When `max_open_orders` is above the build's ceiling.
    pub fn new(limits: Vec<InstrumentLimits>, max_open_orders: usize) -> Result<Self> {
        if max_open_orders > MAX_OPEN_ORDERS {
            return Err(Error::new(
                ErrorKind::Config,
                format!("max_open_orders {max_open_orders} is above the build's ceiling of {MAX_OPEN_ORDERS}"),
            ));
        }
        Ok(Self { limits, max_open_orders, halted: false })
    }

    /// Refuses every order from now on that does not reduce a position. Never undone by itself.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// Lifts the halt: a person's decision.
    pub fn rearm(&mut self) {
        self.halted = false;
    }

    /// Whether trading is halted.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Limits of an instrument.
    #[must_use]
    pub fn limits(&self, instrument: usize) -> &InstrumentLimits {
        &self.limits[instrument]
    }

    /// Approves an order or names every limit it fails.
    ///
    /// # Errors
    /// The [`Veto`] with all failures.
    #[inline]
    pub fn check(
        &self,
        terms: &OrderTerms,
        exposure: &Exposure,
    ) -> std::result::Result<ApprovedOrder, Veto> {
        let mask = self.measure(terms, exposure).mask();
        if mask == 0 {
            Ok(ApprovedOrder { terms: *terms })
        } else {
            Err(Veto { mask })
        }
    }

    /// Every limit that an order would fail, with value and bound.
    pub fn explain(
        &self,
        terms: &OrderTerms,
        exposure: &Exposure,
    ) -> impl Iterator<Item = Failure> + '_ {
        let measured = self.measure(terms, exposure);
        let veto = Veto { mask: measured.mask() };
        veto.limits().map(move |limit| {
            let (value, bound) = measured.of(limit);
            Failure { limit, value, bound }
        })
    }

    #[inline]
    fn measure(&self, terms: &OrderTerms, exposure: &Exposure) -> Measured<'_> {
        let limits = &self.limits[terms.instrument.index()];
        let qty = terms.qty.0;
        let after = exposure.position.0 * terms.side.sign() + exposure.open_same_side.0 + qty;
        let priced = has_limit_price(terms.order_type);
        let price2 = if priced { terms.price.0 * 2 } else { exposure.mid2 };
        let through = if priced && exposure.mid2 != 0 {
            through_mid(terms.side, terms.price, exposure.mid2)
        } else {
            0
        };
        Measured {
            limits,
            halted: self.halted,
            reduces: terms.flags.has(OrderFlags::REDUCE_ONLY) || after <= 0,
            qty,
            notional: i128::from(price2) * i128::from(qty) * limits.tick_value / 2,
            after,
            through: i128::from(through) * 10_000,
            collar: i128::from(exposure.mid2) * i128::from(limits.collar_bps),
            open_orders: exposure.open_orders,
            max_open_orders: self.max_open_orders,
        }
    }
}

/// What an order comes to beside its limits.
struct Measured<'a> {
    limits: &'a InstrumentLimits,
    halted: bool,
    reduces: bool,
    qty: i64,
    notional: i128,
    after: i64,
    through: i128,
    collar: i128,
    open_orders: usize,
    max_open_orders: usize,
}

impl Measured<'_> {
    /// The failed limits as bits, every limit looked at.
    #[inline]
    fn mask(&self) -> u32 {
        u32::from(self.halted && !self.reduces)
            | u32::from(self.qty <= 0) << 1
            | u32::from(self.qty > self.limits.order_lots) << 2
            | u32::from(self.notional > self.limits.order_notional) << 3
            | u32::from(!self.reduces && self.after > self.limits.position_lots) << 4
            | u32::from(self.through > self.collar) << 5
            | u32::from(self.open_orders >= self.max_open_orders) << 6
    }

    /// Value and bound of a limit.
    fn of(&self, limit: LimitKind) -> (i128, i128) {
        match limit {
            LimitKind::Halted => (i128::from(self.halted), 0),
            LimitKind::Quantity => (i128::from(self.qty), 1),
            LimitKind::OrderQuantity => (i128::from(self.qty), i128::from(self.limits.order_lots)),
            LimitKind::OrderNotional => (self.notional, self.limits.order_notional),
            LimitKind::Position => (i128::from(self.after), i128::from(self.limits.position_lots)),
            LimitKind::PriceCollar => (self.through, self.collar),
            LimitKind::OpenOrders => (self.open_orders as i128, self.max_open_orders as i128),
        }
    }
}

const fn has_limit_price(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::StopLimit | OrderType::Iceberg)
}

/// Twice the distance in ticks that a price lies through the mid, zero when it does not.
const fn through_mid(side: Side, price: Ticks, mid2: i64) -> i64 {
    let distance = (price.0 * 2 - mid2) * side.sign();
    if distance > 0 {
        distance
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_core::instrument::{InstrumentId, InstrumentKind, PriceGrid};

    fn instrument() -> Instrument {
        Instrument {
            symbol: "BTCUSDT".into(),
            venue: "sim".into(),
            kind: InstrumentKind::LinearPerpetual,
            base: "BTC".into(),
            quote: "USDT".into(),
            grids: vec![PriceGrid::fixed("0.1".parse().unwrap())],
            lot: "0.001".parse().unwrap(),
            multiplier: Decimal::ONE,
            min_qty: Lots(1),
            max_qty: Lots(0),
            min_notional: Decimal::ZERO,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            margin_tiers: vec![],
        }
    }

    fn gate(limits: GateLimits) -> Gate {
        Gate::new(vec![InstrumentLimits::new(&instrument(), &limits).unwrap()], 100).unwrap()
    }

    fn buy(price: i64, qty: i64) -> OrderTerms {
        OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(price), Lots(qty))
    }

    fn dec(text: &str) -> Option<Decimal> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn all_failures_are_named_with_value_and_bound() {
        let gate = gate(GateLimits {
            max_order_qty: dec("0.01"),
            max_position: dec("0.02"),
            max_order_notional: dec("1000"),
            price_collar_bps: Some(100),
        });
        let exposure = Exposure { position: Lots(15), mid2: 2_000_000, ..Exposure::default() };
        let order = buy(1_020_000, 11);
        let veto = gate.check(&order, &exposure).unwrap_err();
        let failed: Vec<_> = veto.limits().collect();
        assert_eq!(
            failed,
            [
                LimitKind::OrderQuantity,
                LimitKind::OrderNotional,
                LimitKind::Position,
                LimitKind::PriceCollar
            ]
        );
        let mut failures = gate.explain(&order, &exposure);
        let position = failures.find(|f| f.limit == LimitKind::Position).unwrap();
        assert_eq!((position.value, position.bound), (26, 20));
    }

    #[test]
    fn open_orders_on_the_side_count_towards_the_position() {
        let gate = gate(GateLimits { max_position: dec("0.1"), ..GateLimits::default() });
        let at = |position, open| Exposure {
            position: Lots(position),
            open_same_side: Lots(open),
            mid2: 2_000_000,
            open_orders: 0,
        };
        assert!(gate.check(&buy(1_000_000, 50), &at(20, 30)).is_ok());
        assert!(gate.check(&buy(1_000_000, 50), &at(20, 31)).is_err());
        assert!(gate.check(&buy(1_000_000, 50), &at(-150, 0)).is_ok(), "reducing is never refused");
    }

    #[test]
    fn a_halted_gate_only_lets_reductions_through() {
        let mut gate = gate(GateLimits::default());
        gate.halt();
        let long = Exposure { position: Lots(-10), mid2: 2_000_000, ..Exposure::default() };
        assert!(gate.check(&buy(1_000_000, 10), &long).is_ok());
        assert!(gate.check(&buy(1_000_000, 11), &long).is_err());
    }

    #[test]
    fn configuration_cannot_pass_the_ceilings() {
        let loose = GateLimits { max_position: dec("100001"), ..GateLimits::default() };
        let error = InstrumentLimits::new(&instrument(), &loose).unwrap_err();
        assert!(error.message().contains("ceiling"), "{error}");
        assert!(Gate::new(vec![], MAX_OPEN_ORDERS + 1).is_err());
    }
}
