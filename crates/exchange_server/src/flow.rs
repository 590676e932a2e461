//! The exchange's own flow: what the generator's agents do, as orders among the members'.
//!
//! The generator trades on a book of its own. Its orders are placed here under the house account,
//! its executions arrive as takers; where members' orders were in the way the two books differ, and
//! each of the generator's orders is brought back to what the generator thinks is left of it.

use hashbrown::HashMap;
use mainspring_core::order::{OrderTerms, Side, TimeInForce};
use mainspring_core::{
    Error, ErrorKind, Instrument, InstrumentId, Lots, PriceGrid, Result, RowKind, Ticks, TimeNs,
};
use mainspring_exchange::{AccountId, Exchange, Listener, NewOrder, OrderId};
use mainspring_sim::flow::{presets, FeedLatency, Flow, FlowConfig, FlowRow, Level};
use mainspring_trading::ledger::MarkPrice;

type FixedState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// The agents of all markets of an exchange.
#[derive(Debug)]
pub struct HouseFlow {
    rows: Flow,
    next: Option<FlowRow>,
    maker: AccountId,
    taker: AccountId,
    /// When the market opened by the clock, and how fast it runs against it from then on.
    opened_ns: TimeNs,
    speed: f64,
    /// How prices of the generator stand on the grids of the exchange.
    snaps: Vec<Snap>,
    /// Generator's order to ours.
    orders: HashMap<(u16, u64), OrderId, FixedState>,
}

/// A market's prices on the exchange's grid, which has finer ticks or fewer of them.
#[derive(Debug)]
struct Snap {
    /// Ticks of the exchange in one of the generator.
    ratio: i64,
    grid: PriceGrid,
}

impl Snap {
    fn new(shape: &Instrument, listed: &Instrument) -> Result<Self> {
        Ok(Self { ratio: tick_ratio(shape, listed)?, grid: listed.grid().clone() })
    }

    /// A price of a side's order: away from the other side, so that nothing crosses that did not.
    fn price(&self, side: Side, price: Ticks) -> Ticks {
        let price = Ticks(price.0 * self.ratio);
        match side {
            Side::Buy => self.grid.floor(price),
            Side::Sell => self.grid.ceil(price),
        }
    }
}

/// Ticks of an instrument as it is listed in one of its own.
///
/// # Errors
/// When its prices have no place on the grid it is listed with.
pub fn tick_ratio(own: &Instrument, listed: &Instrument) -> Result<i64> {
    let ratio = own.tick().count_of(listed.tick()).filter(|ratio| *ratio > 0);
    ratio.ok_or_else(|| {
        let (own, tick) = (own.tick(), listed.tick());
        let what = format!("{}: ticks of {own} are not multiples of {tick}", listed.symbol);
        Error::new(ErrorKind::Config, what)
    })
}

/// The generator's markets as instruments of a kind.
///
/// # Errors
/// When a name is unknown.
pub fn shapes(names: &[String]) -> Result<Vec<mainspring_sim::flow::MarketShape>> {
    names.iter().map(|name| presets::market(name)).collect()
}

impl HouseFlow {
    /// The flow of these markets for an exchange of the same instruments in the same order. It starts
    /// `warm_up_ns` before the market opens.
    ///
    /// # Errors
    /// When the markets are not valid, or an instrument's ticks are no parts of the market's.
    pub fn new(
        exchange: &mut Exchange,
        (names, instruments): (&[String], &[Instrument]),
        seed: u64,
        (opened_ns, warm_up_ns, speed): (TimeNs, i64, f64),
    ) -> Result<Self> {
        let markets = shapes(names)?;
        let snaps = markets.iter().zip(instruments);
        let snaps = snaps.map(|(shape, listed)| Snap::new(&shape.instrument, listed));
        let snaps = snaps.collect::<Result<_>>()?;
        let mut rows = Flow::new(&FlowConfig {
            seed,
            start_ns: opened_ns - warm_up_ns,
            duration_ns: 366 * 86_400 * 1_000_000_000,
            markets,
            level: Level::Orders,
            latency: FeedLatency { median_ns: 0.0, log_sd: 0.0 },
        })?;
        Ok(Self {
            next: rows.next(),
            rows,
            maker: exchange.open_house_account()?,
            taker: exchange.open_house_account()?,
            opened_ns,
            speed,
            snaps,
            orders: HashMap::default(),
        })
    }

    /// When a row happens by the clock.
    fn clock(&self, row: &FlowRow) -> TimeNs {
        let since = row.exch_ns - self.opened_ns;
        if since <= 0 {
            return row.exch_ns;
        }
        self.opened_ns + (since as f64 / self.speed) as i64
    }

    /// Lets the agents act up to a time, at most `most` rows of it. Returns how many were taken.
    pub fn advance(
        &mut self,
        exchange: &mut Exchange,
        until: TimeNs,
        most: usize,
        listener: &mut impl Listener,
    ) -> usize {
        let mut taken = 0;
        while let Some(mut row) = self.next.filter(|_| taken < most) {
            row.exch_ns = self.clock(&row);
            if row.exch_ns > until {
                break;
            }
            self.act(exchange, &row, listener);
            self.next = self.rows.next();
            taken += 1;
        }
        taken
    }

    fn act(&mut self, exchange: &mut Exchange, row: &FlowRow, listener: &mut impl Listener) {
        let instrument = InstrumentId(row.instrument);
        let side = if row.flags & mainspring_core::event::flags::ASK == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let key = (row.instrument, row.order_id);
        let snap = &self.snaps[instrument.index()];
        let price = snap.price(side, row.price);
        // The generator's markets are those of the exchange: no call below can miss one.
        let _ = match row.kind {
            RowKind::OrderAdd => {
                let id = exchange.next_order_id();
                self.orders.insert(key, id);
                let terms = OrderTerms::limit(instrument, side, price, Lots(row.qty));
                exchange.submit(self.order(id, self.maker, terms), row.exch_ns, listener)
            }
            RowKind::OrderDelete => match self.orders.remove(&key) {
                Some(id) => exchange.cancel(instrument, id, self.maker, row.exch_ns, listener),
                None => Ok(()),
            },
            RowKind::OrderExecute => self.execute(exchange, row, (side, price), listener),
            RowKind::Mark => {
                let mark = MarkPrice::of_row(row.price, row.qty);
                let mark = MarkPrice(mark.0 * i128::from(snap.ratio));
                exchange.set_mark(instrument, mark, row.exch_ns, listener)
            }
            RowKind::Funding => exchange.settle_funding(instrument, row.qty, row.exch_ns, listener),
            _ => Ok(()),
        };
    }

    /// A taker of the generator met one of its orders.
    fn execute(
        &mut self,
        exchange: &mut Exchange,
        row: &FlowRow,
        (side, price): (Side, Ticks),
        listener: &mut impl Listener,
    ) -> Result<()> {
        let (instrument, key) = (InstrumentId(row.instrument), (row.instrument, row.order_id));
        let maker = self.orders.get(&key).copied();
        let open =
            |exchange: &Exchange| maker.and_then(|id| Some((id, exchange.order(instrument, id)?)));
        let wanted = open(exchange).map(|(_, order)| order.left().0 - row.qty);
        let mut terms = OrderTerms::limit(instrument, side.opposite(), price, Lots(row.qty));
        terms.time_in_force = TimeInForce::Ioc;
        let id = exchange.next_order_id();
        exchange.submit(self.order(id, self.taker, terms), row.exch_ns, listener)?;
        // A member's order may have been first: what the generator lost, its order here loses too.
        let (Some((id, order)), Some(left)) = (open(exchange), wanted) else {
            self.orders.remove(&key);
            return Ok(());
        };
        if left <= 0 {
            self.orders.remove(&key);
            return exchange.cancel(instrument, id, self.maker, row.exch_ns, listener);
        }
        if order.left().0 > left {
            let terms = (order.order.terms.price, Lots(order.filled.0 + left));
            return exchange.amend(instrument, id, self.maker, terms, row.exch_ns, listener);
        }
        Ok(())
    }

    fn order(&self, id: OrderId, account: AccountId, terms: OrderTerms) -> NewOrder {
        let mut order = NewOrder::new(id, account, terms);
        order.self_trade = None;
        order
    }
}

/// The instrument of a market as spot, or as the perpetual it is in the generator.
#[must_use]
pub fn listed(perpetual: &Instrument, is_spot: bool) -> Instrument {
    let mut listed = perpetual.clone();
    if is_spot {
        listed.kind = mainspring_core::InstrumentKind::Spot;
        listed.margin_tiers = Vec::new();
        // The venue's plain spot fee, on both sides.
        if let Ok(fee) = "0.001".parse() {
            (listed.maker_fee, listed.taker_fee) = (fee, fee);
        }
    }
    listed.max_qty = Lots(10_000_000);
    listed
}
