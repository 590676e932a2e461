//! What members hold: balances, positions, what is set aside for open orders, margin.

use mainspring_core::order::{RejectReason, Side};
use mainspring_core::{
    Decimal, Error, ErrorKind, Instrument, InstrumentId, Lots, Money, Result, Ticks,
};
use mainspring_trading::fee::{proportional_fee, rate_units, FeeOutcome};
use mainspring_trading::ledger::{Contract, FillEffect, Ledger, MarkPrice};
use mainspring_trading::margin::MarginTable;

use crate::order::{AccountId, Admission, NewOrder, OrderReport, Party, ReportKind, TradeReport};

/// The money side of an instrument.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub contract: Contract,
    pub is_derivative: bool,
    pub settle: usize,
    /// Spot: the base currency, and its quanta in one lot.
    base: Option<(usize, i128)>,
    margin: MarginTable,
    maker_rate: i64,
    taker_rate: i64,
}

/// What an account has open in an instrument: the values of its orders in quanta of the settlement
/// currency, by side, and the base lots it offers.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    value: [i128; 2],
    lots: [i64; 2],
}

/// One member's account.
#[derive(Clone, Debug)]
pub struct Account {
    ledger: Ledger,
    open: Vec<Open>,
    leverage: Vec<u32>,
    /// Orders are admitted whatever the balance: the exchange's own flow.
    is_unlimited: bool,
}

/// Where an account stands in one currency, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What it has: cash.
    pub wallet: Money,
    /// What open spot orders hold of it.
    pub locked: Money,
    /// Profit of open derivative positions at their marks.
    pub unrealised: Money,
    /// Initial margin of positions and orders.
    pub margin: Money,
    /// Margin below which positions are liquidated.
    pub maintenance: Money,
}

impl Balance {
    /// What can be used for new orders.
    #[must_use]
    pub fn available(&self) -> Money {
        self.wallet + self.unrealised - self.locked - self.margin
    }

    /// Wallet and unrealised profit.
    #[must_use]
    pub fn equity(&self) -> Money {
        self.wallet + self.unrealised
    }
}

/// All accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    instruments: Vec<Instrument>,
    currencies: Vec<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) accounts: Vec<Account>,
    /// What the exchange paid for accounts that lost more than they had, by currency.
    insurance_paid: Vec<Money>,
    /// Fills that exact money could not hold; admission keeps this at zero.
    faults: u64,
}

impl Accounts {
    pub(crate) fn new(instruments: &[Instrument]) -> Result<Self> {
        let mut currencies: Vec<String> = Vec::new();
        let mut lines = Vec::with_capacity(instruments.len());
        for instrument in instruments {
            lines.push(line_of(instrument, &mut currencies)?);
        }
        let insurance_paid = vec![Money::ZERO; currencies.len()];
        let instruments = instruments.to_vec();
        Ok(Self { instruments, currencies, lines, accounts: vec![], insurance_paid, faults: 0 })
    }

    pub(crate) fn open(
        &mut self,
        deposits: &[(String, Decimal)],
        is_unlimited: bool,
    ) -> Result<AccountId> {
        for (currency, _) in deposits {
            self.currency(currency)?;
        }
        let id = u32::try_from(self.accounts.len()).map_err(|_| {
            Error::new(ErrorKind::Capacity, "an exchange holds at most 2^32 accounts".to_owned())
        })?;
        let count = self.instruments.len();
        self.accounts.push(Account {
            ledger: Ledger::new(&self.instruments, 1, deposits)?,
            open: vec![Open::default(); count],
            leverage: vec![20; count],
            is_unlimited,
        });
        Ok(AccountId(id))
    }

    /// Pays money in.
    ///
    /// # Errors
    /// When account or currency is unknown, or the amount is negative.
    pub fn deposit(&mut self, account: AccountId, currency: &str, amount: Decimal) -> Result<()> {
        self.currency(currency)?;
        self.account_mut(account)?.ledger.deposit(currency, amount)
    }

    /// The currencies in use.
    #[must_use]
    pub fn currencies(&self) -> &[String] {
        &self.currencies
    }

    /// Every account.
    pub fn ids(&self) -> impl Iterator<Item = AccountId> {
        (0..self.accounts.len() as u32).map(AccountId)
    }

    /// The ledger of an account.
    #[must_use]
    pub fn ledger(&self, account: AccountId) -> Option<&Ledger> {
        self.accounts.get(account.index()).map(|account| &account.ledger)
    }

    /// The leverage an account opens positions with; 20 until set.
    #[must_use]
    pub fn leverage(&self, account: AccountId, instrument: InstrumentId) -> Option<u32> {
        self.accounts.get(account.index())?.leverage.get(instrument.index()).copied()
    }

    /// Sets the leverage for new orders; the tier of a position bounds it further.
    ///
    /// # Errors
    /// When account or instrument is unknown, or the leverage is not between 1 and 125.
    pub fn set_leverage(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        leverage: u32,
    ) -> Result<()> {
        if !(1..=125).contains(&leverage) {
            let message = format!("leverage {leverage}: must be between 1 and 125");
            return Err(Error::new(ErrorKind::Value, message));
        }
        let slot = self.account_mut(account)?.leverage.get_mut(instrument.index());
        *slot.ok_or_else(|| unknown("instrument", instrument.0))? = leverage;
        Ok(())
    }

    /// What the exchange paid for losses beyond an account's money.
    #[must_use]
    pub fn insurance_paid(&self, currency: &str) -> Money {
        self.currency(currency).map_or(Money::ZERO, |at| self.insurance_paid[at])
    }

    /// Fills that could not be booked; zero unless admission is broken.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    /// Where an account stands in a currency.
    #[must_use]
    pub fn balance(&self, account: AccountId, currency: &str) -> Balance {
        match (self.accounts.get(account.index()), self.currency(currency)) {
            (Some(account), Ok(at)) => self.balance_at(account, at),
            _ => Balance::default(),
        }
    }

    fn balance_at(&self, account: &Account, currency: usize) -> Balance {
        let mut balance =
            Balance { wallet: account.ledger.cash(&self.currencies[currency]), ..<_>::default() };
        for (at, line) in self.lines.iter().enumerate() {
            let (open, id) = (&account.open[at], InstrumentId(at as u16));
            if line.base.is_some_and(|(base, _)| base == currency) {
                balance.locked += line.base_of(open.lots[Side::Sell as usize]);
            }
            if line.settle != currency {
                continue;
            }
            if line.is_derivative {
                let value = line.position_value(account, id);
                balance.unrealised += account.ledger.unrealised(0, id);
                balance.margin += line.required(value, open, account.leverage[at]);
                balance.maintenance += line.margin.maintenance(value.abs());
            } else {
                balance.locked += Money(open.value[Side::Buy as usize]);
            }
        }
        balance
    }

    /// Position of an account, in lots.
    #[inline]
    #[must_use]
    pub fn position(&self, account: AccountId, instrument: InstrumentId) -> Lots {
        let ledger = self.accounts.get(account.index()).map(|account| &account.ledger);
        let position = ledger.and_then(|ledger| ledger.position(0, instrument));
        position.map_or(Lots(0), |position| position.lots)
    }

    pub(crate) fn reducible(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        side: Side,
    ) -> Lots {
        Lots((-side.sign() * self.position(account, instrument).0).max(0))
    }

    /// Whether an account can pay for an order, or for the change of one.
    pub(crate) fn admit(&self, asked: &Admission<'_>) -> std::result::Result<(), RejectReason> {
        let order = asked.order;
        let Some(account) = self.accounts.get(order.account.index()) else {
            return Err(RejectReason::InsufficientMargin);
        };
        let at = asked.market.id().index();
        let line = &self.lines[at];
        let side = order.terms.side as usize;
        let mut open = account.open[at];
        if let Some(before) = asked.before {
            open.add(line, &before.order, -before.left().0);
        }
        let left = order.terms.qty - asked.before.map_or(Lots(0), |before| before.filled);
        let most = self.position(order.account, asked.market.id()).0.abs() + open.lots[side];
        let price = worst_price(asked, left).ok_or(RejectReason::NoLiquidity)?;
        let total = Lots(most.saturating_add(left.0));
        if line.contract.check_size(price, total).is_err() {
            return Err(RejectReason::BadQuantity);
        }
        let is_reducing = order.terms.flags.has(mainspring_core::OrderFlags::REDUCE_ONLY);
        if account.is_unlimited || (is_reducing && line.is_derivative) {
            return Ok(());
        }
        let value = line.value(price, left);
        let need = if line.is_derivative {
            let position = line.position_value(account, asked.market.id());
            let leverage = account.leverage[at];
            let before = line.required(position, &account.open[at], leverage);
            open.value[side] += value;
            let after = line.required(position, &open, leverage);
            if after <= before {
                return Ok(());
            }
            after - before + line.taker_fee(value)
        } else {
            let held = account.open[at];
            if order.terms.side == Side::Sell {
                line.base_of(open.lots[side] + left.0) - line.base_of(held.lots[side])
            } else {
                Money(open.value[side] + value - held.value[side]) + line.taker_fee(value)
            }
        };
        let currency = match (line.base, order.terms.side) {
            (Some((base, _)), Side::Sell) => base,
            _ => line.settle,
        };
        if self.balance_at(account, currency).available() >= need {
            Ok(())
        } else {
            Err(RejectReason::InsufficientMargin)
        }
    }

    /// How many lots a taker without a limit can pay for at a price: any number where money is not
    /// handed over.
    pub(crate) fn payable(
        &self,
        taker: &Party,
        instrument: InstrumentId,
        side: Side,
        at: Ticks,
    ) -> Lots {
        let line = &self.lines[instrument.index()];
        let account = self.accounts.get(taker.account.index());
        let Some(account) = account.filter(|account| !account.is_unlimited) else {
            return Lots::MAX;
        };
        if line.is_derivative || side == Side::Sell {
            return Lots::MAX;
        }
        let held = Open::of(line, side, taker.held_at, taker.left).value[side as usize];
        let budget = self.balance_at(account, line.settle).available().0 + held;
        let one = line.value(at, Lots(1));
        // Fees of single lots, each rounded up, are at least the fee of all.
        let price = (one + line.taker_fee(one).0 + 1).max(1);
        Lots(i64::try_from(budget.max(0) / price).unwrap_or(i64::MAX))
    }

    /// Books both sides of a trade; the effects on taker and maker.
    #[inline]
    pub(crate) fn trade(&mut self, trade: &TradeReport) -> [FillEffect; 2] {
        let line = &self.lines[trade.instrument.index()];
        let notional = line.contract.notional(trade.price, trade.qty).unwrap_or(0);
        let sides = [
            (trade.taker, trade.taker_side, line.taker_rate),
            (trade.maker, trade.taker_side.opposite(), line.maker_rate),
        ];
        sides.map(|(party, side, rate)| {
            let fee = proportional_fee(notional, rate);
            self.fill(trade, &party, side, fee)
        })
    }

    fn fill(
        &mut self,
        trade: &TradeReport,
        party: &Party,
        side: Side,
        fee: FeeOutcome,
    ) -> FillEffect {
        let at = trade.instrument.index();
        let Some(account) = self.accounts.get_mut(party.account.index()) else {
            self.faults += 1;
            return FillEffect::default();
        };
        // As a difference of wholes: what is held of two halves rounds otherwise than of both.
        let (line, open) = (&self.lines[at], &mut account.open[at]);
        open.release(line, side, party.held_at, party.left + trade.qty);
        open.take(line, side, party.held_at, party.left);
        let effect = account.ledger.fill(0, trade.instrument, side, trade.price, trade.qty, fee);
        effect.unwrap_or_else(|_| {
            self.faults += 1;
            FillEffect::default()
        })
    }

    /// Sets aside, or gives back, what an order holds.
    #[inline]
    pub(crate) fn hold(&mut self, report: &OrderReport) {
        let at = report.instrument.index();
        let (Some(account), Some(line)) =
            (self.accounts.get_mut(report.account.index()), self.lines.get(at))
        else {
            return;
        };
        let open = &mut account.open[at];
        match report.kind {
            ReportKind::Accepted => open.take(line, report.side, report.held_at, report.left),
            ReportKind::Cancelled(_) | ReportKind::TriggerRejected(_) => {
                open.release(line, report.side, report.held_at, report.left);
            }
            ReportKind::Amended { held_at, left } => {
                open.release(line, report.side, held_at, left);
                open.take(line, report.side, report.held_at, report.left);
            }
            _ => {}
        }
    }

    pub(crate) fn mark(&mut self, instrument: InstrumentId, mark: MarkPrice) {
        for account in &mut self.accounts {
            account.ledger.mark(instrument, mark);
        }
    }

    pub(crate) fn funding(
        &mut self,
        instrument: InstrumentId,
        rate: i64,
        mark: MarkPrice,
        mut report: impl FnMut(AccountId, Money),
    ) -> Result<()> {
        for (at, account) in self.accounts.iter_mut().enumerate() {
            let received = account.ledger.funding(instrument, rate, mark)?;
            if received != Money::ZERO {
                report(AccountId(at as u32), received);
            }
        }
        Ok(())
    }

    /// Accounts whose equity is at or under the maintenance margin of their positions in what an
    /// instrument settles in.
    pub(crate) fn to_liquidate(&self, instrument: InstrumentId, found: &mut Vec<AccountId>) {
        found.clear();
        let settle = self.lines[instrument.index()].settle;
        for (at, account) in self.accounts.iter().enumerate() {
            let id = AccountId(at as u32);
            if account.is_unlimited || self.position(id, instrument).0 == 0 {
                continue;
            }
            let balance = self.balance_at(account, settle);
            if balance.equity() <= balance.maintenance {
                found.push(id);
            }
        }
    }

    /// Pays what an account without positions owes.
    pub(crate) fn insure(&mut self, id: AccountId, instrument: InstrumentId) {
        const UNIT: i128 = 10_000_000_000;
        let settle = self.lines[instrument.index()].settle;
        let held = self.lines.iter().enumerate().any(|(at, line)| {
            line.settle == settle && self.position(id, InstrumentId(at as u16)).0 != 0
        });
        let Some(account) = self.accounts.get_mut(id.index()) else { return };
        let owed = -account.ledger.cash(&self.currencies[settle]).0;
        if held || owed <= 0 {
            return;
        }
        // Eight decimals are what a deposit of any size can have; the rest of the last one is a gift.
        let units = (owed + UNIT - 1) / UNIT;
        let paid = i64::try_from(units).ok().and_then(|units| Decimal::new(units, 8).ok());
        if let Some(paid) = paid {
            if account.ledger.deposit(&self.currencies[settle], paid).is_ok() {
                self.insurance_paid[settle] += Money(units * UNIT);
            }
        }
    }

    fn currency(&self, name: &str) -> Result<usize> {
        self.currencies.iter().position(|currency| currency == name).ok_or_else(|| {
            let known = self.currencies.join(", ");
            Error::new(ErrorKind::NotFound, format!("currency {name}: not used here; {known} are"))
        })
    }

    fn account_mut(&mut self, id: AccountId) -> Result<&mut Account> {
        self.accounts.get_mut(id.index()).ok_or_else(|| unknown("account", id.0))
    }
}

impl Line {
    /// Signed value of a position at its mark.
    fn position_value(&self, account: &Account, id: InstrumentId) -> i128 {
        let Some(position) = account.ledger.position(0, id) else { return 0 };
        if position.lots.0 == 0 {
            return 0;
        }
        // Value at the mark is what it cost and what it gained; an inverse cost has no sign of gain.
        let gain = account.ledger.unrealised(0, id).0;
        match self.contract {
            Contract::Linear { tick_value, .. } => position.cost * tick_value + gain,
            Contract::Inverse { .. } => position.cost - gain,
        }
    }

    /// Initial margin of a position of this value and open orders: of the larger of what it would
    /// be if all buys, or all sells, filled.
    fn required(&self, position: i128, open: &Open, leverage: u32) -> Money {
        let [buys, sells] = open.value;
        let largest = (position + buys).abs().max((position - sells).abs()).max(position.abs());
        self.margin.initial(largest, leverage)
    }

    /// Value of a checked price and quantity.
    #[inline]
    fn value(&self, price: Ticks, qty: Lots) -> i128 {
        self.contract.notional(price, qty).unwrap_or(0)
    }

    fn base_of(&self, lots: i64) -> Money {
        Money(self.base.map_or(0, |(_, lot)| lot * i128::from(lots)))
    }

    fn taker_fee(&self, value: i128) -> Money {
        Money(proportional_fee(value, self.taker_rate).fee.0.max(0))
    }
}

impl Open {
    fn of(line: &Line, side: Side, held_at: Ticks, qty: Lots) -> Self {
        let mut open = Self::default();
        open.take(line, side, held_at, qty);
        open
    }

    #[inline]
    fn change(&mut self, line: &Line, side: Side, held_at: Ticks, qty: Lots, sign: i64) {
        if qty.0 <= 0 {
            return;
        }
        self.lots[side as usize] += sign * qty.0;
        if held_at.0 > 0 {
            let value = line.value(held_at, qty);
            let value = if line.is_derivative || side == Side::Sell {
                value
            } else {
                value + line.taker_fee(value).0
            };
            self.value[side as usize] += i128::from(sign) * value;
        }
    }

    #[inline]
    fn take(&mut self, line: &Line, side: Side, held_at: Ticks, qty: Lots) {
        self.change(line, side, held_at, qty, 1);
    }

    #[inline]
    fn release(&mut self, line: &Line, side: Side, held_at: Ticks, qty: Lots) {
        self.change(line, side, held_at, qty, -1);
    }

    fn add(&mut self, line: &Line, order: &NewOrder, lots: i64) {
        let held_at = crate::order::reserve_price(&order.terms);
        let sign = lots.signum();
        self.change(line, order.terms.side, held_at, Lots(lots.abs()), sign);
    }
}

/// The worst average price an order can trade at, up to the next tick: its own, or for a market
/// order that of walking the book. `None` when there is no book to walk.
fn worst_price(asked: &Admission<'_>, left: Lots) -> Option<Ticks> {
    let held_at = crate::order::reserve_price(&asked.order.terms);
    if held_at.0 > 0 {
        return Some(held_at);
    }
    let (cost, missing) = asked.market.cost_of_taking(asked.order.terms.side, left);
    let taken = i128::from((left - missing).0);
    if taken == 0 {
        let reference = asked.market.last_trade();
        return reference.or_else(|| asked.market.levels().best(asked.order.terms.side));
    }
    i64::try_from((cost + taken - 1) / taken).ok().map(Ticks)
}

fn line_of(instrument: &Instrument, currencies: &mut Vec<String>) -> Result<Line> {
    let mut index = |name: &str| {
        currencies.iter().position(|currency| currency == name).unwrap_or_else(|| {
            currencies.push(name.to_owned());
            currencies.len() - 1
        })
    };
    let is_derivative = instrument.kind.is_derivative();
    let lot = instrument.lot.to_scale(mainspring_core::money::MONEY_DECIMALS);
    let base = (!is_derivative).then(|| (index(&instrument.base), lot.unwrap_or(0)));
    Ok(Line {
        contract: Contract::of(instrument)?,
        is_derivative,
        settle: index(instrument.settle()),
        base,
        margin: MarginTable::new(&instrument.margin_tiers)?,
        maker_rate: rate_units(instrument.maker_fee)?,
        taker_rate: rate_units(instrument.taker_fee)?,
    })
}

fn unknown(what: &str, number: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::NotFound, format!("{what} {number}: there is none on this exchange"))
}
