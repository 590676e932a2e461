//! What a run is configured with, as JSON from Python.

use mainspring_core::money::{divide_half_even, MONEY_DECIMALS, QUANTA_PER_UNIT};
use mainspring_core::{Decimal, DurationNs, Error, ErrorKind, Instrument, Money, Result, TimeNs};
use mainspring_data::table::show_time;
use mainspring_features::FeatureSpec;
use mainspring_sim::{FillModel, LatencyModel, SimConfig};
use mainspring_trading::execution::reconcile::ReconcileConfig;
use mainspring_trading::fee::{rate_units, FeeSchedule, FeeTier};
use mainspring_trading::ledger::Ledger;
use mainspring_trading::risk::{LimitTree, PositionStates, ValidatorConfig};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bars::MAX_BAR_SPECS;
use crate::margin::MarginConfig;
use crate::matching::FlowSpec;
use crate::stops::StopConfig;

/// When the simulated venue sees a row of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueClock {
    /// At the time that the exchange gives.
    #[default]
    Exchange,
    /// When we receive it, as in a paper session: the way of the feed is then part of the entry
    /// latency, and an answer takes at least a nanosecond.
    Receive,
}

/// Configuration of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The simulated venue.
    pub venue: SimConfig,
    /// Latency of requests and answers.
    pub latency: LatencyModel,
    /// Time a strategy takes to decide, added in front of the entry latency.
    pub decision_ns: DurationNs,
    /// Fees; the instrument's where absent.
    pub fees: Option<Fees>,
    /// Money at the start, by currency.
    pub deposits: Vec<(String, Decimal)>,
    /// Currency of the equity samples; the first instrument's settlement currency where absent.
    pub report_currency: Option<String>,
    /// Rates between currencies that no instrument of the run gives: `(from, to, to for one from)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<(String, String, Decimal)>,
    /// Interval of equity samples; chosen from the span where absent.
    pub sample_ns: Option<DurationNs>,
    /// Features of every instrument.
    #[serde(deserialize_with = "read_features")]
    pub features: Vec<FeatureSpec>,
    /// Risk limits: a tree from the whole engine down to the instrument.
    pub limits: LimitTree,
    /// Leverage and margin; positions are not margined where absent.
    pub margin: Option<MarginConfig>,
    /// Who is asked about every order that the gate lets through; nobody where absent.
    pub validator: Option<ValidatorConfig>,
    /// Stops that the engine holds for its strategies.
    pub stops: Vec<StopConfig>,
    /// What a fuller position leaves of wishes; nothing is shaped by it where absent.
    pub position_states: Option<PositionStates>,
    /// Every quantity that a strategy asks for is carried out at this share, in basis points.
    #[serde(skip_serializing_if = "is_whole")]
    pub size_bps: u32,
    /// Feed latency in place of what was recorded: we receive each row this long after its
    /// exchange time.
    pub feed_ns: Option<DurationNs>,
    /// When the simulated venue sees a row.
    #[serde(skip_serializing_if = "is_exchange_clock")]
    pub venue_clock: VenueClock,
    /// Strategies start here; the books are built from what comes before.
    pub start_ns: Option<TimeNs>,
    /// The run ends here.
    pub end_ns: Option<TimeNs>,
    /// Bars that the kernel builds.
    pub bars: Vec<String>,
    /// How many ticks bid and ask lie from the prices of imported bars.
    pub bar_spread_ticks: i64,
    /// Whether every order transition is kept, or fills and samples only.
    pub record_orders: bool,
    /// Rules of reconciling and rate budgets; wishes are carried out as they are without them.
    pub reconcile: Option<ReconcileConfig>,
    /// Generated flow in place of files, for the matching engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowSpec>,
}

/// Features in their text form, such as `ofi:window=5s`, or as objects.
fn read_features<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<FeatureSpec>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Object(FeatureSpec),
    }
    let written = Vec::<Written>::deserialize(deserializer)?;
    let read = |one| match one {
        Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Written::Object(spec) => Ok(spec),
    };
    written.into_iter().map(read).collect()
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            venue: SimConfig::default(),
            latency: LatencyModel::default(),
            decision_ns: 0,
            fees: None,
            deposits: Vec::new(),
            report_currency: None,
            rates: Vec::new(),
            sample_ns: None,
            features: Vec::new(),
            limits: LimitTree::default(),
            margin: None,
            validator: None,
            stops: Vec::new(),
            position_states: None,
            size_bps: 10_000,
            feed_ns: None,
            venue_clock: VenueClock::Exchange,
            start_ns: None,
            end_ns: None,
            bars: Vec::new(),
            bar_spread_ticks: 1,
            record_orders: true,
            reconcile: None,
            flow: None,
        }
    }
}

const fn is_whole(bps: &u32) -> bool {
    *bps == 10_000
}

fn is_exchange_clock(clock: &VenueClock) -> bool {
    *clock == VenueClock::Exchange
}

/// What the venue charges for fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// Maker rate as a fraction of the notional; negative is a rebate.
    pub maker: Decimal,
    /// Taker rate as a fraction of the notional.
    pub taker: Decimal,
    /// Rates that hold from a traded volume on, smallest volume first.
    #[serde(default)]
    pub tiers: Vec<FeeTierConfig>,
    /// Volume traded before the run, in the settlement currency.
    #[serde(default)]
    pub volume: Decimal,
    /// Charged for each fill, in the settlement currency.
    #[serde(default)]
    pub per_fill: Decimal,
    /// Charged for each lot, in the settlement currency.
    #[serde(default)]
    pub per_lot: Decimal,
}

/// Rates from a traded volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeTierConfig {
    /// Traded notional in the settlement currency from which the rates hold.
    pub from_volume: Decimal,
    /// Maker rate as a fraction of the notional; negative is a rebate.
    pub maker: Decimal,
    /// Taker rate as a fraction of the notional.
    pub taker: Decimal,
}

impl Fees {
    /// The schedule in the ledger's units.
    ///
    /// # Errors
    /// When a rate is not a fraction with at most nine decimals, an amount does not fit money or is
    /// negative, or the tiers do not ascend in volume.
    pub fn schedule(&self) -> Result<FeeSchedule> {
        let first = FeeTier {
            from_volume: 0,
            maker: rate_units(self.maker)?,
            taker: rate_units(self.taker)?,
        };
        let mut tiers = vec![first];
        for tier in &self.tiers {
            tiers.push(FeeTier {
                from_volume: amount("the volume of a fee tier", tier.from_volume)?,
                maker: rate_units(tier.maker)?,
                taker: rate_units(tier.taker)?,
            });
        }
        let per_fill = Money(amount("the fee for each fill", self.per_fill)?);
        let per_lot = Money(amount("the fee for each lot", self.per_lot)?);
        let volume = amount("the volume traded before", self.volume)?;
        Ok(FeeSchedule::tiered(tiers)?.with_volume(volume).with_fixed(per_fill, per_lot))
    }
}

/// An amount of the settlement currency in quanta.
fn amount(what: &str, value: Decimal) -> Result<i128> {
    value.to_scale(MONEY_DECIMALS).filter(|quanta| *quanta >= 0).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!("{what} is {value}; give zero or a positive amount of at most 18 decimals"),
        )
    })
}

impl RunConfig {
    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// Names the first value that cannot be used.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        self.venue.validate()?;
        self.latency.validate()?;
        if self.flow.is_some() && self.venue.fill_model != FillModel::Matching {
            return wrong("generated flow is matched: give fill_model matching".into());
        }
        if self.decision_ns < 0 {
            return wrong(format!(
                "decision latency of {} ns; it cannot be negative",
                self.decision_ns
            ));
        }
        if !(0..=1_000_000).contains(&self.bar_spread_ticks) {
            return wrong(format!("bar_spread_ticks is {}; give 0 or more", self.bar_spread_ticks));
        }
        if self.bars.len() > MAX_BAR_SPECS {
            return wrong(format!(
                "{} sorts of bars; a run builds at most {MAX_BAR_SPECS}",
                self.bars.len()
            ));
        }
        if self.feed_ns.is_some_and(|ns| ns < 0) {
            return wrong("the feed latency cannot be negative".into());
        }
        if let (Some(start), Some(end)) = (self.start_ns, self.end_ns) {
            if start >= end {
                let (start, end) = (show_time(start), show_time(end));
                return wrong(format!("the run would start at {start} and end at {end}"));
            }
        }
        if self.sample_ns.is_some_and(|ns| ns <= 0) {
            return wrong("the sampling interval must be positive".into());
        }
        if self.size_bps == 0 || self.size_bps > 10_000 {
            return wrong(format!("sizes at {} basis points: give 1 to 10,000", self.size_bps));
        }
        self.margin.as_ref().map_or(Ok(()), MarginConfig::validate)?;
        self.validator.as_ref().map_or(Ok(()), ValidatorConfig::validate)?;
        self.position_states.as_ref().map_or(Ok(()), PositionStates::validate)?;
        self.limits.validate()
    }

    /// The ledger of a run: what is paid in can be valued in the currency of the report.
    ///
    /// # Errors
    /// When a rate is not positive, or a deposit cannot be valued.
    pub fn ledger(
        &self,
        instruments: &[Instrument],
        strategies: usize,
        report_currency: &str,
    ) -> Result<Ledger> {
        let mut ledger = Ledger::new(instruments, strategies, &self.deposits)?;
        for (from, to, rate) in &self.rates {
            let wrong = || {
                let what = format!("rate of {rate} {to} for one {from}: give a positive one of at most 18 decimals");
                Error::new(ErrorKind::Config, what)
            };
            let there = rate.to_scale(MONEY_DECIMALS).filter(|rate| *rate > 0).ok_or_else(wrong)?;
            let square = QUANTA_PER_UNIT * QUANTA_PER_UNIT;
            ledger.set_rate(from, to, there);
            ledger.set_rate(to, from, divide_half_even(square, there).0);
        }
        ledger.check_rates(report_currency)?;
        Ok(ledger)
    }

    /// The fees of an instrument.
    ///
    /// # Errors
    /// As [`Fees::schedule`].
    pub fn fees_of(&self, instrument: &Instrument) -> Result<FeeSchedule> {
        match &self.fees {
            Some(fees) => fees.schedule(),
            None => FeeSchedule::of(instrument),
        }
    }
}
