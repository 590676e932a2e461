//! What bounds a single order of one strategy in one instrument: the tightest of its branches.

use mainspring_core::limits::MAX_POSITION_UNITS;
use mainspring_core::money::MONEY_DECIMALS;
use mainspring_core::{Decimal, DurationNs, Error, ErrorKind, Instrument, Result, TimeNs};

use super::hours::TradingHours;
use super::kind::LimitKind;
use super::limits::Limits;
use super::scope::{quanta, Scope, NO_BOUND};

/// Branches that an order belongs to.
pub(super) const BRANCHES: usize = 6;

/// Limits of one strategy in one instrument, in the kernel's units.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Slot {
    pub(super) order_notional: i128,
    /// Value of one lot in the quote currency: `2 x price x half_tick + face`.
    pub(super) half_tick: i128,
    pub(super) face: i128,
    pub(super) order_lots: i64,
    /// The largest quantity that is reckoned with: the build's ceiling.
    pub(super) lots_cap: i64,
    /// The largest price that can be valued.
    pub(super) price_cap: i64,
    pub(super) position_lots: i64,
    pub(super) own_position_lots: i64,
    pub(super) collar_bps: i64,
    pub(super) max_age_ns: DurationNs,
    /// Largest value of one order in the currency of the limits, by the shared branches and by the
    /// strategy's own.
    pub(super) order_value: [i128; 2],
    /// Bits of [`LimitKind`] that refuse whatever adds to a position.
    pub(super) blocked: u32,
    /// Indices of its branches: global, account, venue, strategy, instrument, symbol.
    pub(super) branches: [u16; BRANCHES],
    /// A bit for each branch that bounds values of positions: in most trees one or two of the six.
    pub(super) values: u8,
}

/// Which of a slot's branches is its strategy: the one that looks at the strategy's own position.
pub(super) const STRATEGY: usize = 3;

/// What a slot looks at when time goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Calendar {
    pub(super) hours: Vec<TradingHours>,
    pub(super) restricted: bool,
    /// Bits that shaping refuses.
    pub(super) imposed: u32,
}

impl Calendar {
    /// The bits at a time.
    pub(super) fn blocked(&self, now_ns: TimeNs) -> u32 {
        let open = self.hours.iter().all(|hours| hours.is_open(now_ns));
        let closed = if open { 0 } else { LimitKind::TradingHours.bit() };
        self.imposed | closed | if self.restricted { LimitKind::Restricted.bit() } else { 0 }
    }

    /// When they may change.
    pub(super) fn next_ns(&self, now_ns: TimeNs) -> TimeNs {
        self.hours.iter().map(|h| h.next_edge_ns(now_ns)).min().unwrap_or(TimeNs::MAX)
    }
}

impl Slot {
    /// The slot of an instrument under `shared` nodes and the node of the strategy itself.
    pub(super) fn new(
        instrument: &Instrument,
        shared: &[&Limits],
        strategy: Option<&Limits>,
        branches: [u16; BRANCHES],
    ) -> Result<Self> {
        let all = || shared.iter().copied().chain(strategy);
        let lots = |name: &str, limit: &dyn Fn(&Limits) -> Option<Decimal>, own: bool| {
            let nodes: Vec<&Limits> = match (name, own) {
                ("max_position", true) => strategy.into_iter().collect(),
                ("max_position", false) => shared.to_vec(),
                _ => all().collect(),
            };
            tightest_lots(instrument, name, nodes.into_iter().filter_map(limit))
        };
        let (half_tick, face) = value_of_lot(instrument)?;
        let order_lots = lots("max_order_qty", &|l| l.max_order_qty, false)?;
        let lots_cap = ceiling_lots(instrument)?;
        let largest = i128::from(lots_cap).saturating_mul(half_tick.max(1)).saturating_mul(2);
        let notionals = all().filter_map(|l| l.max_order_notional).map(quanta);
        let least = |values: &mut dyn Iterator<Item = i64>, none: i64| values.min().unwrap_or(none);
        Ok(Self {
            order_notional: notionals.min().unwrap_or(NO_BOUND),
            half_tick,
            face,
            order_lots,
            lots_cap,
            price_cap: i64::try_from(NO_BOUND / largest).unwrap_or(i64::MAX).min(i64::MAX / 4),
            position_lots: lots("max_position", &|l| l.max_position, false)?,
            own_position_lots: lots("max_position", &|l| l.max_position, true)?,
            collar_bps: least(
                &mut all().filter_map(|l| l.price_collar_bps).map(i64::from),
                i64::from(u32::MAX),
            ),
            max_age_ns: least(&mut all().filter_map(|l| l.max_data_age_ns), i64::MAX),
            order_value: [NO_BOUND; 2],
            blocked: 0,
            branches,
            values: 0,
        })
    }

    /// Notes which of its branches bound values of positions, and have to be kept in step with every order.
    pub(super) fn note_scopes(&mut self, scopes: &[Scope]) {
        for (branch, scope) in self.branches.iter().enumerate() {
            self.values |= u8::from(scopes[usize::from(*scope)].values_positions()) << branch;
        }
    }

    /// The branches that bound values: which of the six, and its scope.
    pub(super) fn valued(&self) -> impl Iterator<Item = (usize, usize)> {
        let (all, values) = (self.branches.into_iter().enumerate(), self.values);
        let valued = all.filter(move |(branch, _)| values >> branch & 1 != 0);
        valued.map(|(branch, scope)| (branch, usize::from(scope)))
    }

    /// The hours and the restricted list of its nodes.
    pub(super) fn calendar(
        instrument: &Instrument,
        shared: &[&Limits],
        strategy: Option<&Limits>,
    ) -> Calendar {
        let all = || shared.iter().copied().chain(strategy);
        let named = |name: &String| *name == instrument.symbol || *name == instrument.base;
        Calendar {
            hours: all().filter_map(|l| l.trading_hours.clone()).collect(),
            imposed: 0,
            restricted: all().any(|l| l.restricted.iter().any(named)),
        }
    }
}

/// The smallest of these quantities in lots, or else the build's ceiling.
fn tightest_lots(
    instrument: &Instrument,
    name: &str,
    limits: impl Iterator<Item = Decimal>,
) -> Result<i64> {
    let ceiling = ceiling_lots(instrument)?;
    let mut tightest = ceiling;
    for limit in limits {
        let lots = (limit.to_f64() / instrument.lot.to_f64() + 1e-9).floor();
        if lots < 1.0 || lots > ceiling as f64 {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "risk limit {name} of {}: {limit} is outside one lot ({}) to the build's ceiling of {MAX_POSITION_UNITS} units",
                    instrument.symbol, instrument.lot
                ),
            ));
        }
        tightest = tightest.min(lots as i64);
    }
    Ok(tightest)
}

/// The build's ceiling in lots, at most what position arithmetic can bear.
fn ceiling_lots(instrument: &Instrument) -> Result<i64> {
    let lots = MAX_POSITION_UNITS as f64 / instrument.lot.to_f64();
    if lots < 1.0 {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{}: one lot is larger than the ceiling of {MAX_POSITION_UNITS} units",
                instrument.symbol
            ),
        ));
    }
    Ok(lots.min((1_i64 << 53) as f64) as i64)
}

/// Quanta of the quote currency in half a tick of one lot, and in one lot whatever its price.
fn value_of_lot(instrument: &Instrument) -> Result<(i128, i128)> {
    if !instrument.kind.is_inverse() {
        return Ok((instrument.tick_value()? / 2, 0));
    }
    let (lot, multiplier) = (instrument.lot, instrument.multiplier);
    let product = i128::from(lot.mantissa()) * i128::from(multiplier.mantissa());
    let scale = lot.scale() + multiplier.scale();
    let shift = MONEY_DECIMALS.checked_sub(scale);
    let face = shift.and_then(|s| product.checked_mul(10_i128.checked_pow(u32::from(s))?));
    face.map(|face| (0, face)).ok_or_else(|| {
        Error::new(
            ErrorKind::Value,
            format!("{}: lot {lot} x multiplier {multiplier} is too fine", instrument.symbol),
        )
    })
}
