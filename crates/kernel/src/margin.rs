//! Margin of a run or session: what leverage it may use, and what happens when it runs out.

use mainspring_core::instrument::MarginTier;
use mainspring_core::limits::MAX_LEVERAGE;
use mainspring_core::{
    CancelReason, Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, Money, Result,
};
use mainspring_sim::MarginLimits;
use mainspring_trading::margin::MarginTable;
use mainspring_trading::risk::{HaltCause, LimitTree};
use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;

/// Leverage and the margins that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarginConfig {
    /// Highest leverage.
    pub leverage: u32,
    /// Part of the equity that is never used as margin, in basis points.
    pub buffer_bps: u32,
    /// When maintenance margin has reached this part of equity, the engine closes everything, in
    /// basis points; 10,000 leaves it to the venue.
    pub emergency_bps: u32,
    /// Maintenance margin as a fraction of the notional, where an instrument has no tiers of its own;
    /// half the initial margin where absent.
    pub maintenance_rate: Option<Decimal>,
}

impl Default for MarginConfig {
    fn default() -> Self {
        Self { leverage: 5, buffer_bps: 2_000, emergency_bps: 8_000, maintenance_rate: None }
    }
}

impl MarginConfig {
    /// Checks every figure.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if self.leverage == 0 || self.leverage > MAX_LEVERAGE {
            return wrong(format!(
                "margin.leverage is {}; give 1 to the build's ceiling of {MAX_LEVERAGE}",
                self.leverage
            ));
        }
        if self.buffer_bps >= 10_000 || self.emergency_bps == 0 || self.emergency_bps > 10_000 {
            return wrong(format!(
                "margin: a buffer of {} and an emergency at {} basis points; give 0 to below 10,000 and 1 to 10,000",
                self.buffer_bps, self.emergency_bps
            ));
        }
        Ok(())
    }

    /// The limits with leverage bounded by what margin allows: gross exposure over leverage may use the
    /// equity less its buffer.
    ///
    /// # Errors
    /// Never for validated figures.
    pub fn bound(&self, tree: &LimitTree) -> Result<LimitTree> {
        let usable = i64::from(self.leverage) * i64::from(10_000 - self.buffer_bps);
        let usable = Decimal::new(usable, 4)?;
        let mut tree = tree.clone();
        let tighter = tree.global.max_leverage.filter(|own| own.to_f64() < usable.to_f64());
        tree.global.max_leverage = Some(tighter.unwrap_or(usable));
        Ok(tree)
    }
}

/// Where an account stands with its margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarginState {
    /// What the account is worth.
    pub equity: Money,
    /// Initial margin of the positions.
    pub used: Money,
    /// Equity that is not used, buffer taken off; not below zero.
    pub available: Money,
    /// Maintenance margin of the positions: with less equity they are liquidated.
    pub maintenance: Money,
}

impl MarginState {
    /// Maintenance margin over equity in basis points; [`i128::MAX`] without equity to carry any.
    #[must_use]
    pub fn ratio_bps(&self) -> i128 {
        match (self.maintenance.0, self.equity.0) {
            (0, _) => 0,
            (_, equity) if equity <= 0 => i128::MAX,
            (maintenance, equity) => maintenance / (equity / 10_000).max(1),
        }
    }
}

/// Margin at work.
#[derive(Clone, Debug)]
pub struct Margins {
    config: MarginConfig,
    tables: Vec<MarginTable>,
    warned: bool,
    done: bool,
}

impl Margins {
    /// The margins of instruments: their own tiers, or one tier of the configured rate.
    ///
    /// # Errors
    /// When tiers or figures cannot be.
    pub fn new(config: MarginConfig, instruments: &[Instrument]) -> Result<Self> {
        config.validate()?;
        let half = Decimal::new(1_000_000 / i64::from(2 * config.leverage), 6)?;
        let plain = [MarginTier {
            notional_cap: None,
            maintenance_rate: config.maintenance_rate.unwrap_or(half),
            max_leverage: config.leverage,
        }];
        let table = |i: &Instrument| {
            let tiers = if i.margin_tiers.is_empty() { &plain[..] } else { &i.margin_tiers };
            MarginTable::new(tiers).map_err(|error| error.at(&i.symbol))
        };
        let tables = instruments.iter().map(table).collect::<Result<_>>()?;
        Ok(Self { config, tables, warned: false, done: false })
    }
}

impl Margins {
    /// See [`MarginConfig::bound`].
    ///
    /// # Errors
    /// As there.
    pub fn bound(&self, tree: &LimitTree) -> Result<LimitTree> {
        self.config.bound(tree)
    }
}

impl Kernel {
    /// Where the account stands with its margin, positions at the marks of the ledger.
    ///
    /// # Errors
    /// When a currency in use has no rate.
    pub(crate) fn margin_state(&mut self) -> Result<Option<MarginState>> {
        let Self { margins, markets, ledger, report_currency, .. } = self;
        let Some(margins) = margins else { return Ok(None) };
        let equity = ledger.statement(report_currency)?.equity();
        let mut state = MarginState { equity, ..MarginState::default() };
        for (market, table) in markets.iter().zip(&margins.tables) {
            let Some(held) = ledger.net(market.id).filter(|held| held.lots != Lots::ZERO) else {
                continue;
            };
            let (Some(mark), Some(contract)) = (market.mark(), ledger.contract(market.id)) else {
                continue;
            };
            let notional = contract.value_at(mark, held.lots).abs();
            let add = |sum: &mut Money, amount: Money| {
                *sum += ledger.settled_in(amount, market.id, report_currency).unwrap_or(amount);
            };
            add(&mut state.used, table.initial(notional, margins.config.leverage));
            add(&mut state.maintenance, table.maintenance(notional));
        }
        let buffer = equity.0.max(0) / 10_000 * i128::from(margins.config.buffer_bps);
        state.available = Money((equity.0 - buffer - state.used.0).max(0));
        Ok(Some(state))
    }

    /// After news of an instrument that is held, in a run: its mark counts at once.
    #[cold]
    pub(crate) fn watch_margin_of(&mut self, instrument: InstrumentId) -> Result<()> {
        if self.outside.is_some() || self.net_position(instrument) == Lots::ZERO {
            return Ok(());
        }
        if let Some(mark) = self.markets[instrument.index()].mark() {
            self.ledger.mark(instrument, mark);
        }
        self.watch_margin()
    }

    /// Warns, closes in an emergency, or is liquidated.
    pub(crate) fn watch_margin(&mut self) -> Result<()> {
        let Some(state) = self.margin_state()? else { return Ok(()) };
        let Some(margins) = &mut self.margins else { return Ok(()) };
        let thin = state.available.0 < state.used.0 / 5;
        let warn = thin && state.used.0 > 0 && !std::mem::replace(&mut margins.warned, thin);
        margins.warned = thin;
        let ratio = state.ratio_bps();
        if ratio < i128::from(margins.config.emergency_bps) {
            margins.done = false;
            return if warn { self.warn_of_margin(&state) } else { Ok(()) };
        }
        if std::mem::replace(&mut margins.done, true) {
            return self.liquidate_rest(ratio);
        }
        let text = format!(
            "maintenance margin of {:.2} against equity of {:.2}",
            units(state.maintenance),
            units(state.equity)
        );
        self.halt(HaltCause::Margin, &text)?;
        self.liquidate_rest(ratio)?;
        self.flatten()
    }

    /// Under the maintenance margin the venue takes every order off.
    fn liquidate_rest(&mut self, ratio: i128) -> Result<()> {
        if ratio < 10_000 || self.has_venues_outside() || self.is_following() {
            return Ok(());
        }
        for index in 0..self.venues.len() {
            if self.venues[index].open_orders() > 0 {
                self.recorder.notice(self.now_ns, "liquidated by the venue")?;
                self.cancel_at_venue(InstrumentId(index as u16), CancelReason::Liquidation)?;
            }
        }
        Ok(())
    }

    fn warn_of_margin(&mut self, state: &MarginState) -> Result<()> {
        let text = format!(
            "margin warning: {:.2} available, {:.2} used, equity {:.2}",
            units(state.available),
            units(state.used),
            units(state.equity)
        );
        self.note(&text)
    }

    /// Tells the simulated venues how large a position the account can carry, at a sample.
    pub(crate) fn bound_venues_by_margin(&mut self) -> Result<()> {
        let Some(state) = self.margin_state()? else { return Ok(()) };
        let Self { margins, markets, ledger, report_currency, venues, matching, .. } = self;
        let Some(margins) = margins else { return Ok(()) };
        for (market, venue) in markets.iter().zip(venues) {
            let one = market.mark().zip(ledger.contract(market.id)).and_then(|(mark, contract)| {
                let value = Money(contract.value_at(mark, Lots(1)).abs());
                ledger.settled_in(value, market.id, report_currency)
            });
            let held = ledger.net(market.id).map_or(0, |held| held.lots.0);
            let Some(one) = one.filter(|one| one.0 > 0) else { continue };
            let free = (state.equity.0 - state.used.0).max(0) * i128::from(margins.config.leverage);
            let more = i64::try_from(free / one.0).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
            // Closing frees margin, and opening the other way takes it again.
            let side = |towards: i64| Lots(towards.abs() + more);
            let limits = MarginLimits { long: side(held), short: side(held) };
            venue.set_margin_limits(Some(limits));
            if let Some(matching) = matching {
                matching.market(market.id).set_margin_limits(limits);
            }
        }
        Ok(())
    }
}

fn units(amount: Money) -> f64 {
    amount.0 as f64 / mainspring_core::money::QUANTA_PER_UNIT as f64
}
