//! The ledger itself: who holds what, and what it earned.

use mainspring_core::instrument::InstrumentId;
use mainspring_core::money::{divide_half_even, MONEY_DECIMALS, QUANTA_PER_UNIT};
use mainspring_core::{Decimal, Error, ErrorKind, Instrument, Lots, Money, Result, Side, Ticks};
use serde::{Deserialize, Serialize};

use super::accounts::{convert, Accounts};
use super::contract::{Contract, MarkPrice};
use super::position::Position;
use crate::fee::{proportional_fee, FeeOutcome, RATE_UNITS};

/// Most steps from one currency to another.
const MAX_STEPS: u32 = 4;

/// Currencies that a way may lead over: the first so many of a ledger.
const MAX_VIA: usize = 128;

/// A currency in a set of those that a way may lead over.
const fn bit(currency: usize) -> u128 {
    if currency < MAX_VIA {
        1 << currency
    } else {
        0
    }
}

/// What a fill did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FillEffect {
    /// Profit realised by it, before fees.
    pub realised: Money,
    /// The fee charged; negative is a rebate.
    pub fee: Money,
    /// The strategy's position after it.
    pub position: Lots,
}

/// Where an account stands, in one currency:
/// `equity = deposits + conversion + realised + unrealised - fees + funding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// What was paid in, other currencies at their first known rate.
    pub deposits: Money,
    /// What deposits in other currencies have gained since then.
    pub conversion: Money,
    /// Profit realised, before fees.
    pub realised: Money,
    /// Profit of open positions at their marks.
    pub unrealised: Money,
    /// Fees paid.
    pub fees: Money,
    /// Funding received.
    pub funding: Money,
}

impl Statement {
    /// What the account is worth.
    #[must_use]
    pub fn equity(&self) -> Money {
        self.deposits + self.conversion + self.realised + self.unrealised - self.fees + self.funding
    }
}

/// Totals of one currency, over all strategies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Totals {
    realised: Money,
    fees: Money,
    funding: Money,
}

/// One currency: its name, its accounts, what was earned in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Currency {
    name: String,
    accounts: Accounts,
    totals: Totals,
    /// Rates to other currencies that were set by hand: `(currency, quanta per unit)`.
    rates: Vec<(usize, i128)>,
    /// The first known rate of this currency's deposits: `(currency, quanta per unit)`.
    first_rates: Vec<(usize, i128)>,
}

/// One instrument: its arithmetic, its net position, its mark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    contract: Contract,
    base: usize,
    quote: usize,
    settle: usize,
    /// Quanta of quote in one tick.
    tick: i128,
    /// Spot delivers: the base currency, and its quanta in one lot.
    delivers: Option<(usize, i128)>,
    net: Position,
    /// Sum of the strategies' costs; the net position's own cost is that of one trader.
    cost: i128,
    mark: Option<MarkPrice>,
}

/// Cash, positions and profit of one account; see the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    lines: Vec<Line>,
    currencies: Vec<Currency>,
    /// Strategy by instrument.
    positions: Vec<Position>,
    strategies: usize,
}

impl Ledger {
    /// A ledger of these instruments, for this many strategies, with what is paid in at the start.
    ///
    /// # Errors
    /// When an instrument does not fit into exact money, or a deposit is negative.
    pub fn new(
        instruments: &[Instrument],
        strategies: usize,
        deposits: &[(String, Decimal)],
    ) -> Result<Self> {
        let mut ledger = Self {
            lines: Vec::with_capacity(instruments.len()),
            currencies: Vec::new(),
            positions: vec![Position::default(); instruments.len() * strategies],
            strategies,
        };
        for instrument in instruments {
            let line = ledger.line_of(instrument)?;
            ledger.lines.push(line);
        }
        for (name, amount) in deposits {
            ledger.deposit(name, *amount)?;
        }
        Ok(ledger)
    }

    /// Pays money in.
    ///
    /// # Errors
    /// When the amount is negative.
    pub fn deposit(&mut self, currency: &str, amount: Decimal) -> Result<()> {
        let quanta = amount.to_scale(MONEY_DECIMALS).filter(|quanta| *quanta >= 0);
        let quanta = quanta.ok_or_else(|| {
            Error::new(
                ErrorKind::Value,
                format!("deposit of {amount} {currency}: must be zero or more"),
            )
        })?;
        let at = self.currency_index(currency);
        self.currencies[at].accounts.deposit(quanta);
        Ok(())
    }

    /// Books a fill of one of our orders.
    ///
    /// # Errors
    /// When strategy or instrument is not known, or the fill or the position after it is too large
    /// for exact money; nothing is booked then.
    #[inline]
    pub fn fill(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Side,
        price: Ticks,
        qty: Lots,
        fee: FeeOutcome,
    ) -> Result<FillEffect> {
        let at = self.position_index(strategy, instrument)?;
        let line = &mut self.lines[instrument.index()];
        line.contract.check_size(price, qty)?;
        let (mut position, mut net) = (self.positions[at], line.net);
        let cost_before = position.cost;
        let is_all = (net.lots, net.cost) == (position.lots, position.cost);
        let realised = position.fill(&line.contract, side, price, qty);
        if is_all {
            // Nobody else holds anything here: what happens to the one happens to the other.
            (net.lots, net.cost) = (position.lots, position.cost);
            net.realised += realised;
        } else {
            net.fill(&line.contract, side, price, qty);
        }
        let cost = line.cost + position.cost - cost_before;
        let holds = line.contract.holds(position.lots, position.cost)
            && line.contract.holds(net.lots, net.cost)
            && line.contract.holds(net.lots, cost);
        if !holds {
            return Err(too_large(instrument));
        }
        position.fees += fee.fee;
        net.fees += fee.fee;
        self.positions[at] = position;
        line.net = net;
        line.cost = cost;
        // Until the first mark comes, the last fill stands in for it.
        line.mark.get_or_insert_with(|| MarkPrice::at(price));
        let signed = Lots(qty.0 * side.sign());
        let to_us = match line.delivers {
            Some(_) => -line.contract.value(price, signed),
            None => realised.0,
        };
        let currency = &mut self.currencies[line.settle];
        currency.accounts.trade(to_us);
        currency.accounts.fee(fee);
        currency.totals.realised += realised;
        currency.totals.fees += fee.fee;
        if let Some((base, lot)) = line.delivers {
            self.currencies[base].accounts.trade(i128::from(signed.0) * lot);
        }
        Ok(FillEffect { realised, fee: fee.fee, position: position.lots })
    }

    /// Settles funding of all positions in an instrument: each pays `position x mark x rate`
    /// (a short position receives it), the value at the mark rounded to the quantum first. `rate`
    /// is in units of `10^-9`. Returns what was received in sum.
    ///
    /// For an inverse contract the value is in base and positive for a long position.
    ///
    /// # Errors
    /// When the instrument is not known, or the rate is not a fraction between -1 and 1.
    pub fn funding(
        &mut self,
        instrument: InstrumentId,
        rate: i64,
        mark: MarkPrice,
    ) -> Result<Money> {
        self.known(instrument)?;
        if i128::from(rate).abs() >= RATE_UNITS {
            return Err(Error::new(
                ErrorKind::Value,
                format!("funding rate {rate}e-9: must be a fraction between -1 and 1"),
            ));
        }
        let count = self.lines.len();
        let line = &mut self.lines[instrument.index()];
        let currency = &mut self.currencies[line.settle];
        let mut received = Money::ZERO;
        for strategy in 0..self.strategies {
            let position = &mut self.positions[strategy * count + instrument.index()];
            if position.lots.0 == 0 {
                continue;
            }
            let payment = proportional_fee(line.contract.value_at(mark, position.lots), rate);
            position.funding -= payment.fee;
            currency.accounts.funding(payment);
            received -= payment.fee;
        }
        line.net.funding += received;
        currency.totals.funding += received;
        Ok(received)
    }

    /// A planted fault: money from nowhere.
    #[cfg(feature = "mutants")]
    pub fn mint(&mut self) {
        if let Some(currency) = self.currencies.first_mut() {
            currency.accounts.cash += 1;
        }
    }

    /// Sets the price that positions in an instrument are valued at.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, mark: MarkPrice) {
        if let Some(line) = self.lines.get_mut(instrument.index()) {
            line.mark = Some(mark);
        }
    }

    /// Sets what one unit of a currency is worth in another, in quanta of that. Where none is set,
    /// the mark of an instrument between the two is used, a spot one first; and where there is none,
    /// the shortest way over other currencies, each step rounded half to even to the quantum.
    pub fn set_rate(&mut self, from: &str, to: &str, rate: i128) {
        let (from, to) = (self.currency_index(from), self.currency_index(to));
        let rates = &mut self.currencies[from].rates;
        rates.retain(|(currency, _)| *currency != to);
        rates.push((to, rate));
    }

    /// A strategy's position.
    #[inline]
    #[must_use]
    pub fn position(&self, strategy: u16, instrument: InstrumentId) -> Option<&Position> {
        let at = self.position_index(strategy, instrument).ok()?;
        self.positions.get(at)
    }

    /// The position at the venue, all strategies together, with the average cost of one trader: its
    /// realised profit differs from the strategies' sum where they offset each other, its realised
    /// and unrealised together do not.
    #[inline]
    #[must_use]
    pub fn net(&self, instrument: InstrumentId) -> Option<&Position> {
        self.lines.get(instrument.index()).map(|line| &line.net)
    }

    /// The arithmetic of an instrument.
    #[inline]
    #[must_use]
    pub fn contract(&self, instrument: InstrumentId) -> Option<&Contract> {
        self.lines.get(instrument.index()).map(|line| &line.contract)
    }

    /// What a position would gain if closed at its mark.
    #[must_use]
    pub fn unrealised(&self, strategy: u16, instrument: InstrumentId) -> Money {
        let line = self.lines.get(instrument.index());
        match (line, self.position(strategy, instrument)) {
            (Some(line), Some(position)) => line.gain(position.lots, position.cost),
            _ => Money::ZERO,
        }
    }

    /// What a position has made since the start, fees and funding included, at its mark.
    #[must_use]
    pub fn made(&self, strategy: u16, instrument: InstrumentId) -> Money {
        let booked = |p: &Position| p.realised - p.fees + p.funding;
        let booked = self.position(strategy, instrument).map_or(Money::ZERO, booked);
        booked + self.unrealised(strategy, instrument)
    }

    /// An amount that an instrument settled, in another currency; [`None`] without a rate.
    #[must_use]
    pub fn settled_in(
        &self,
        amount: Money,
        instrument: InstrumentId,
        currency: &str,
    ) -> Option<Money> {
        let settle = self.lines.get(instrument.index())?.settle;
        if self.currencies[settle].name == currency {
            return Some(amount);
        }
        let to = self.currencies.iter().position(|c| c.name == currency)?;
        convert(amount, self.rate(settle, to)?)
    }

    /// Cash of a currency; zero where the ledger does not know it.
    #[must_use]
    pub fn cash(&self, currency: &str) -> Money {
        self.accounts(currency).map_or(Money::ZERO, |accounts| Money(accounts.cash))
    }

    /// The accounts of a currency.
    #[must_use]
    pub fn accounts(&self, currency: &str) -> Option<&Accounts> {
        self.currencies.iter().find(|c| c.name == currency).map(|c| &c.accounts)
    }

    /// The currencies the ledger knows.
    pub fn currencies(&self) -> impl Iterator<Item = &str> {
        self.currencies.iter().map(|currency| currency.name.as_str())
    }

    /// The account in its own terms, for what is settled in `currency` alone.
    #[must_use]
    pub fn native(&self, currency: &str) -> Statement {
        let at = self.currencies.iter().position(|c| c.name == currency);
        at.map_or_else(Statement::default, |at| self.native_at(at))
    }

    /// The whole account in one currency, others converted. While the instrument between two
    /// currencies has no price yet, the other currency is left out.
    ///
    /// # Errors
    /// When a currency in use has no rate to it and no instrument that could give one.
    pub fn statement(&mut self, currency: &str) -> Result<Statement> {
        let to = self.currency_index(currency);
        let mut total = self.native_at(to);
        for from in 0..self.currencies.len() {
            let native = self.native_at(from);
            if from == to || native == Statement::default() {
                continue;
            }
            let Some(rate) = self.rate(from, to) else {
                if self.is_connected(from, to) {
                    continue;
                }
                return Err(self.no_rate(from, to));
            };
            let converted =
                self.converted(from, to, &native, rate).ok_or_else(|| self.no_rate(from, to))?;
            total.deposits += converted.deposits;
            total.conversion += converted.conversion;
            total.realised += converted.realised;
            total.unrealised += converted.unrealised;
            total.fees += converted.fees;
            total.funding += converted.funding;
        }
        Ok(total)
    }

    /// Whether the books balance: every currency's accounts sum to zero, cash equals what was paid
    /// in and earned less what spot holdings cost, and the strategies' positions add up to the
    /// net ones.
    ///
    /// # Errors
    /// Names the first account that does not balance.
    pub fn check(&self) -> Result<()> {
        for (at, currency) in self.currencies.iter().enumerate() {
            let explained = self.explained_cash(at);
            if currency.accounts.sum() != (0, 0) || explained != currency.accounts.cash {
                return Err(unbalanced(&format!(
                    "{}: cash {} against {explained}, sum {:?}",
                    currency.name,
                    currency.accounts.cash,
                    currency.accounts.sum()
                )));
            }
        }
        for (at, line) in self.lines.iter().enumerate() {
            let held = || self.positions.iter().skip(at).step_by(self.lines.len());
            let lots: Lots = held().map(|p| p.lots).sum();
            let cost: i128 = held().map(|p| p.cost).sum();
            if lots != line.net.lots || cost != line.cost {
                return Err(unbalanced(&format!("positions of instrument {at}")));
            }
        }
        Ok(())
    }

    /// What cash of a currency must be, from deposits and positions alone.
    fn explained_cash(&self, currency: usize) -> i128 {
        let mut cash = self.currencies[currency].accounts.deposits().0;
        for (at, line) in self.lines.iter().enumerate() {
            if let Some((_, lot)) = line.delivers.filter(|(base, _)| *base == currency) {
                cash += i128::from(line.net.lots.0) * lot;
            }
            if line.settle != currency {
                continue;
            }
            for position in self.positions.iter().skip(at).step_by(self.lines.len()) {
                cash += (position.realised - position.fees + position.funding).0;
            }
            if let (Some(_), Contract::Linear { tick_value, .. }) = (line.delivers, line.contract) {
                cash -= line.cost * tick_value;
            }
        }
        cash
    }

    fn native_at(&self, at: usize) -> Statement {
        let currency = &self.currencies[at];
        let unrealised = self
            .lines
            .iter()
            .filter(|line| line.settle == at)
            .map(|line| line.gain(line.net.lots, line.cost))
            .sum();
        Statement {
            deposits: currency.accounts.deposits(),
            conversion: Money::ZERO,
            realised: currency.totals.realised,
            unrealised,
            fees: currency.totals.fees,
            funding: currency.totals.funding,
        }
    }

    fn converted(
        &mut self,
        from: usize,
        to: usize,
        native: &Statement,
        rate: i128,
    ) -> Option<Statement> {
        let firsts = &mut self.currencies[from].first_rates;
        let first = firsts.iter().find(|(currency, _)| *currency == to).map(|(_, rate)| *rate);
        let first = first.unwrap_or_else(|| {
            firsts.push((to, rate));
            rate
        });
        let deposits = convert(native.deposits, first)?;
        Some(Statement {
            deposits,
            conversion: convert(native.deposits, rate)? - deposits,
            realised: convert(native.realised, rate)?,
            unrealised: convert(native.unrealised, rate)?,
            fees: convert(native.fees, rate)?,
            funding: convert(native.funding, rate)?,
        })
    }

    /// That every currency in which something was paid in can be valued in `currency`: at a rate that
    /// was set, or over instruments, which may have no price yet.
    ///
    /// # Errors
    /// Names the first currency that cannot.
    pub fn check_rates(&mut self, currency: &str) -> Result<()> {
        let to = self.currency_index(currency);
        let paid_in = |at: usize| self.currencies[at].accounts.deposits() != Money::ZERO;
        let stranded = (0..self.currencies.len())
            .find(|from| *from != to && paid_in(*from) && !self.is_connected(*from, to));
        stranded.map_or(Ok(()), |from| Err(self.no_rate(from, to)))
    }

    /// Quanta of `to` for one unit of `from`: directly, or the shortest way that has prices.
    fn rate(&self, from: usize, to: usize) -> Option<i128> {
        let over = |steps| self.rate_over(from, to, steps, bit(from));
        self.direct_rate(from, to).or_else(|| (2..=MAX_STEPS).find_map(over))
    }

    /// The rate in exactly this many steps, over currencies that are not in `seen`.
    fn rate_over(&self, from: usize, to: usize, steps: u32, seen: u128) -> Option<i128> {
        if steps == 1 {
            return self.direct_rate(from, to);
        }
        let free = |via: &usize| *via != to && seen & bit(*via) == 0;
        (0..self.currencies.len().min(MAX_VIA)).filter(free).find_map(|via| {
            let first = self.direct_rate(from, via)?;
            let rest = self.rate_over(via, to, steps - 1, seen | bit(via))?;
            Some(convert(Money(first), rest)?.0)
        })
    }

    /// Whether there is a way from one currency to another, with or without prices.
    fn is_connected(&self, from: usize, to: usize) -> bool {
        let pairs = || self.lines.iter().map(|line| (line.base, line.quote));
        if pairs().any(|pair| pair == (from, to) || pair == (to, from)) {
            return true;
        }
        let mut reached = bit(from);
        for _ in 0..MAX_STEPS {
            let mut further = reached;
            for (at, currency) in self.currencies.iter().enumerate().take(MAX_VIA) {
                if reached & bit(at) != 0 {
                    currency.rates.iter().for_each(|(other, _)| further |= bit(*other));
                }
            }
            for (base, quote) in pairs() {
                let pair = bit(base) | bit(quote);
                if reached & pair != 0 {
                    further |= pair;
                }
            }
            reached = further;
        }
        reached & bit(to) != 0
    }

    /// Quanta of `to` for one unit of `from`, by a rate that was set or one instrument.
    fn direct_rate(&self, from: usize, to: usize) -> Option<i128> {
        let set = self.currencies[from].rates.iter().find(|(currency, _)| *currency == to);
        if let Some((_, rate)) = set {
            return Some(*rate);
        }
        // Spot is the market of the two currencies itself; a derivative only follows it.
        let spot = self.lines.iter().filter(|line| line.delivers.is_some());
        let others = self.lines.iter().filter(|line| line.delivers.is_none());
        spot.chain(others).find_map(|line| line.rate(from, to))
    }

    fn no_rate(&self, from: usize, to: usize) -> Error {
        let (from, to) = (&self.currencies[from].name, &self.currencies[to].name);
        Error::new(
            ErrorKind::Config,
            format!(
                "no rate from {from} to {to}: give one (rates={{\"{from}/{to}\": ...}} in Python, \
                 --rate {from}/{to}=NUMBER), or add an instrument between the two"
            ),
        )
    }

    fn line_of(&mut self, instrument: &Instrument) -> Result<Line> {
        let contract = Contract::of(instrument)?;
        let quanta = |part: Decimal| {
            part.to_scale(MONEY_DECIMALS).ok_or_else(|| {
                Error::new(ErrorKind::Value, format!("{}: {part} is too fine", instrument.symbol))
            })
        };
        let (base, quote) =
            (self.currency_index(&instrument.base), self.currency_index(&instrument.quote));
        let settle = if instrument.kind.is_inverse() { base } else { quote };
        let spot = !instrument.kind.is_derivative();
        let lot = quanta(instrument.lot)?;
        Ok(Line {
            contract,
            base,
            quote,
            settle,
            tick: quanta(instrument.tick())?,
            delivers: spot.then_some((base, lot)),
            net: Position::default(),
            cost: 0,
            mark: None,
        })
    }

    fn currency_index(&mut self, name: &str) -> usize {
        if let Some(at) = self.currencies.iter().position(|c| c.name == name) {
            return at;
        }
        self.currencies.push(Currency {
            name: name.to_owned(),
            accounts: Accounts::default(),
            totals: Totals::default(),
            rates: Vec::new(),
            first_rates: Vec::new(),
        });
        self.currencies.len() - 1
    }

    fn known(&self, instrument: InstrumentId) -> Result<()> {
        if instrument.index() < self.lines.len() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Internal,
            format!("instrument {} is not in the ledger", instrument.0),
        ))
    }

    #[inline]
    fn position_index(&self, strategy: u16, instrument: InstrumentId) -> Result<usize> {
        self.known(instrument)?;
        if usize::from(strategy) < self.strategies {
            return Ok(usize::from(strategy) * self.lines.len() + instrument.index());
        }
        Err(Error::new(ErrorKind::Internal, format!("strategy {strategy} is not in the ledger")))
    }
}

impl Line {
    /// Quanta of `to` for one unit of `from` by this instrument's mark.
    fn rate(&self, from: usize, to: usize) -> Option<i128> {
        let price = self.mark?.0.checked_mul(self.tick)?;
        let rate = divide_half_even(price, RATE_UNITS).0;
        if (self.base, self.quote) == (from, to) {
            Some(rate)
        } else if (self.base, self.quote) == (to, from) && rate > 0 {
            Some(divide_half_even(QUANTA_PER_UNIT * QUANTA_PER_UNIT, rate).0)
        } else {
            None
        }
    }

    fn gain(&self, lots: Lots, cost: i128) -> Money {
        // Without any price there was no fill, and so no position.
        Money(self.mark.map_or(0, |mark| self.contract.unrealised(mark, lots, cost)))
    }
}

#[cold]
fn too_large(instrument: InstrumentId) -> Error {
    Error::new(
        ErrorKind::Value,
        format!("instrument {}: the position would be too large for exact money", instrument.0),
    )
}

#[cold]
fn unbalanced(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the ledger does not balance: {what}"))
}
