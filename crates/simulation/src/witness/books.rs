//! Money and positions by the fills and funding of a journal. Every amount of the simulated
//! instrument is a whole number of quanta, so that nothing is rounded here.

use mainspring_core::{InstrumentId, Money, Result};
use mainspring_journal::{EquityRecord, FillRecord, PositionRecord, Wide};
use mainspring_kernel::session::record::Mark;
use mainspring_trading::ledger::{Ledger, Position};

use crate::invariants::broken;

/// Quanta in one tick of one lot: 0.1 x 0.001 of the quote currency.
const TICK: i128 = 100_000_000_000_000;

/// Nanoticks in a tick, and units of a rate in one.
const BILLION: i128 = 1_000_000_000;

/// Fees in units of 10^-9.
const MAKER_RATE: i128 = 100_000;
const TAKER_RATE: i128 = 500_000;

/// What was paid in.
const DEPOSIT: i128 = 100_000 * 1_000_000_000_000_000_000;

/// Strategies that a simulated engine has at most.
const STRATEGIES: usize = 4;

/// What a strategy holds and has made.
#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    lots: i64,
    /// What the open lots were bought for, in ticks x lots, signed as they are.
    cost: i128,
    realised: i128,
    fees: i128,
    funding: i128,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    holdings: [Holding; STRATEGIES],
    /// The price that positions are valued at, in nanoticks.
    mark: Option<i128>,
}

impl Holding {
    /// Trades, and returns what it realised at most and at least: what the closed part had cost is
    /// a share of the whole, rounded to a tick of a lot.
    fn trade(&mut self, sign: i64, price: i64, qty: i64, realised: i128) -> Result<()> {
        let closing = if self.lots * sign < 0 { qty.min(self.lots.abs()) } else { 0 };
        let paid = i128::from(price) * i128::from(sign * closing);
        let taken = -(realised / TICK) - paid;
        let (part, whole) = (i128::from(closing), i128::from(self.lots.abs()));
        let off = taken * whole - self.cost * part;
        let opened = i128::from(price) * i128::from(sign * (qty - closing));
        let fair = if closing == 0 { realised == 0 } else { 2 * off.abs() <= whole };
        self.cost += opened - if closing == 0 { 0 } else { taken };
        self.lots += sign * qty;
        self.realised += realised;
        if !fair || realised % TICK != 0 {
            return broken(format!("a fill of {qty} at {price} realised {realised} quanta"));
        }
        if self.lots == 0 && self.cost != 0 {
            return broken(format!("a closed position still costs {} ticks", self.cost));
        }
        Ok(())
    }

    /// What it would gain at a mark, in quanta.
    fn unrealised(&self, mark: i128) -> i128 {
        (i128::from(self.lots) * mark - self.cost * BILLION) * TICK / BILLION
    }
}

impl Books {
    pub(super) fn fill(&mut self, fill: &FillRecord) -> Result<()> {
        let rate = if fill.maker == 0 { TAKER_RATE } else { MAKER_RATE };
        let (price, qty) = (fill.price_ticks, fill.qty_lots);
        let fee = i128::from(price) * i128::from(qty) * TICK / BILLION * rate;
        let holding = &mut self.holdings[usize::from(fill.strategy)];
        holding.fees += fee;
        let traded = holding.trade(i64::from(fill.side), price, qty, quanta(fill.realised));
        let lots = holding.lots;
        // Until a mark comes, the first fill stands in for it.
        self.mark.get_or_insert(i128::from(price) * BILLION);
        traded?;
        same("position after a fill, in lots", fill.position_lots.into(), lots.into())?;
        same("fee of a fill", quanta(fill.fee), fee)
    }

    pub(super) fn mark(&mut self, mark: &Mark) {
        self.mark = Some(mark.price().0);
    }

    /// Everybody pays position x mark x rate.
    pub(super) fn fund(&mut self, funding: &Mark) -> Result<()> {
        for holding in &mut self.holdings {
            let value = i128::from(holding.lots) * funding.price().0 * TICK / BILLION;
            let paid = value * i128::from(funding.rate);
            if paid % BILLION != 0 {
                return broken(format!("funding of {paid} billionths of a quantum"));
            }
            holding.funding -= paid / BILLION;
        }
        Ok(())
    }

    pub(super) fn position(&self, record: &PositionRecord) -> Result<()> {
        let holding = &self.holdings[usize::from(record.strategy)];
        let unrealised = self.mark.map_or(0, |mark| holding.unrealised(mark));
        same("position, in lots", record.position_lots.into(), holding.lots.into())?;
        same("realised of a position", quanta(record.realised), holding.realised)?;
        same("unrealised of a position", quanta(record.unrealised), unrealised)?;
        same("fees of a position", quanta(record.fees), holding.fees)?;
        same("funding of a position", quanta(record.funding), holding.funding)
    }

    pub(super) fn equity(&self, record: &EquityRecord) -> Result<()> {
        let [realised, fees, funding] = self.totals();
        let unrealised = self.mark.map_or(0, |mark| self.sum(|one| one.unrealised(mark)));
        let equity = DEPOSIT + realised + unrealised - fees + funding;
        same("realised", quanta(record.realised), realised)?;
        same("unrealised", quanta(record.unrealised), unrealised)?;
        same("fees", quanta(record.fees), fees)?;
        same("funding", quanta(record.funding), funding)?;
        same("equity", quanta(record.equity), equity)
    }

    pub(super) fn net_lots(&self) -> i64 {
        self.holdings.iter().map(|one| one.lots).sum()
    }

    pub(super) fn lots_of(&self, strategy: u16) -> i64 {
        self.holdings[usize::from(strategy)].lots
    }

    /// What a position of the ledger has realised and paid in fees since our own.
    pub(super) fn since(&self, strategy: u16, held: &Position) -> [Money; 2] {
        let holding = &self.holdings[usize::from(strategy)];
        [Money(held.realised.0 - holding.realised), Money(held.fees.0 - holding.fees)]
    }

    /// The ledger of the engine says the same.
    pub(super) fn agree(&self, ledger: &Ledger) -> Result<()> {
        ledger.check()?;
        let instrument = InstrumentId(0);
        for (strategy, holding) in (0..).zip(&self.holdings) {
            let lots = ledger.position(strategy, instrument).map_or(0, |held| held.lots.0);
            same("position in the ledger, in lots", lots.into(), holding.lots.into())?;
        }
        let net = ledger.net(instrument).map_or(0, |held| held.lots.0);
        same("net position in the ledger, in lots", net.into(), self.net_lots().into())?;
        let [realised, fees, funding] = self.totals();
        let cash = DEPOSIT + realised - fees + funding;
        same("cash in the ledger", ledger.cash("USDT").0, cash)
    }

    fn totals(&self) -> [i128; 3] {
        [self.sum(|one| one.realised), self.sum(|one| one.fees), self.sum(|one| one.funding)]
    }

    fn sum(&self, what: impl Fn(&Holding) -> i128) -> i128 {
        self.holdings.iter().map(what).sum()
    }
}

fn quanta(wide: Wide) -> i128 {
    Money::from(wide).0
}

fn same(what: &str, said: i128, is: i128) -> Result<()> {
    if said == is {
        return Ok(());
    }
    broken(format!("{what}: {said} by the engine, {is} by what was traded"))
}
