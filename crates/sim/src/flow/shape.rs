//! What one generated market looks like.

use mainspring_core::{Error, ErrorKind, Instrument, Result, Ticks};

use super::hawkes::{Excitation, SCALES};
use super::orders::RING;
use super::price::PriceDynamics;

/// A log-normal law of order sizes, in lots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeLaw {
    /// Median.
    pub median_lots: f64,
    /// Standard deviation of the logarithm.
    pub log_sd: f64,
}

/// Where limit orders that are not the makers' are placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Share that joins the best price.
    pub touch_share: f64,
    /// Share that improves it, when the spread leaves room.
    pub improve_share: f64,
    /// Distance behind the best price at which the power law bends, ticks.
    pub scale_ticks: f64,
    /// Exponent: the share beyond a distance falls as (1 + distance / scale)^-exponent.
    pub exponent: f64,
    /// Nothing is placed farther than this from the best price, ticks.
    pub farthest_ticks: i64,
    /// Orders grow with their distance: by the factor (1 + distance / `growth_ticks`)^`growth_exponent`.
    pub growth_ticks: f64,
    /// See `growth_ticks`.
    pub growth_exponent: f64,
    /// Number of orders a side around which the population settles.
    pub population: f64,
}

/// The market makers, who watch the efficient price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Makers {
    /// Spread that they keep, ticks.
    pub spread_ticks: f64,
    /// How often a second they narrow a spread twice as wide as theirs.
    pub narrow_rate: f64,
    /// How often a second they add to an empty touch; a full one gets nothing.
    pub join_rate: f64,
    /// Size of a full touch, lots.
    pub touch_lots: f64,
    /// How often a second they move their quotes when these are `reprice_ticks` off.
    pub reprice_rate: f64,
    /// See `reprice_rate`; the rate grows as the power 1.5 of the distance.
    pub reprice_ticks: f64,
    /// Share of repricings in which a faster taker first hits the stale quotes.
    pub sniped_share: f64,
}

/// All parameters of one generated market.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketShape {
    /// The instrument.
    pub instrument: Instrument,
    /// Number of its random streams; markets with the same number are the same market.
    pub stream: u64,
    /// Efficient price at the start.
    pub first_price: Ticks,
    /// How that price moves.
    pub dynamics: PriceDynamics,
    /// Limit orders a second, both sides; cancels come at the same rate.
    pub limit_rate: f64,
    /// Market orders a second, both directions.
    pub market_rate: f64,
    /// How arrivals excite each other.
    pub excitation: Excitation,
    /// Time scales of that, decay a second and share of the children.
    pub scales: [(f64, f64); SCALES],
    /// Sizes of limit orders.
    pub limit_size: SizeLaw,
    /// Sizes of the makers' orders.
    pub maker_size: SizeLaw,
    /// Sizes of market orders.
    pub market_size: SizeLaw,
    /// Where limit orders go.
    pub placement: Placement,
    /// The market makers.
    pub makers: Makers,
    /// A market order of median size pushes the efficient price by this many ticks.
    pub impact_ticks: f64,
    /// Distance of the efficient price from the mid price at which buyers outnumber sellers e to 1.
    pub informed_ticks: f64,
    /// A market order stops at this distance from the best price, ticks.
    pub protection_ticks: i64,
    /// Mean time between depth messages, ns.
    pub message_gap_ns: f64,
}

impl MarketShape {
    /// Checks what the generator relies on.
    ///
    /// # Errors
    /// Names the first parameter that is wrong.
    pub fn validate(&self) -> Result<()> {
        self.instrument.validate()?;
        let p = &self.placement;
        let checks = [
            (
                self.first_price.0 > 2 * RING as i64,
                "the first price must be above 32768 ticks or far above 0",
            ),
            (self.limit_rate > 0.0 && self.market_rate > 0.0, "rates must be positive"),
            (
                p.exponent > 0.0 && p.scale_ticks > 0.0,
                "the placement law needs a positive scale and exponent",
            ),
            (
                p.farthest_ticks > 0 && p.farthest_ticks <= FARTHEST_TICKS,
                "limit orders can be placed 1 to 4096 ticks from the best price",
            ),
            (
                p.growth_ticks > 0.0 && p.growth_exponent >= 0.0,
                "the growth of sizes needs a positive scale",
            ),
            (p.population >= 10.0, "a side needs a population of at least 10 orders"),
            (self.makers.spread_ticks >= 1.0, "the makers' spread is at least one tick"),
            (self.makers.touch_lots > 0.0, "the touch needs a positive size"),
            (self.message_gap_ns >= 1_000.0, "depth messages need at least 1000 ns between them"),
            (
                self.dynamics.annual_volatility > 0.0 && self.dynamics.annual_volatility < 20.0,
                "the annual volatility must be between 0 and 20",
            ),
            (
                self.dynamics.factor_loading.abs() <= 1.0,
                "the factor loading must be between -1 and 1",
            ),
        ];
        match checks.iter().find(|(fine, _)| !fine) {
            None => Ok(()),
            Some((_, what)) => Err(Error::new(
                ErrorKind::Config,
                format!("generated market {}: {what}", self.instrument.symbol),
            )),
        }
    }
}

/// The farthest that a shape may place orders from the best price.
pub const FARTHEST_TICKS: i64 = RING as i64 / 4;
