//! The gate against a naive one that looks at one limit after the other, from the bare list of what
//! happened.

use std::collections::BTreeSet;

use mainspring_core::instrument::{InstrumentId, InstrumentKind, PriceGrid};
use mainspring_core::order::{OrderFlags, OrderTerms};
use mainspring_core::{Decimal, Instrument, Lots, Money, Side, Ticks};
use mainspring_trading::risk::{
    Failure, Gate, HaltCause, LimitKind, LimitTree, Limits, Rate, Requested, Rung, Situation,
};
use proptest::prelude::*;

const S: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * S;
const UNIT: i128 = 1_000_000_000_000_000_000;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn instrument(symbol: &str, base: &str, venue: &str) -> Instrument {
    Instrument {
        symbol: symbol.into(),
        venue: venue.into(),
        kind: InstrumentKind::LinearPerpetual,
        base: base.into(),
        quote: "USDT".into(),
        grids: vec![PriceGrid::fixed(dec("0.5"))],
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        min_qty: Lots(1),
        max_qty: Lots(0),
        min_notional: Decimal::ZERO,
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::ZERO,
        margin_tiers: vec![],
    }
}

fn instruments() -> Vec<Instrument> {
    vec![
        instrument("BTC-A", "BTC", "alpha"),
        instrument("BTC-B", "BTC", "beta"),
        instrument("ETH-A", "ETH", "alpha"),
    ]
}

fn strategies() -> Vec<String> {
    vec!["maker".into(), "taker".into()]
}

fn gate(tree: &LimitTree) -> Gate {
    Gate::new(tree, &instruments(), &strategies()).unwrap()
}

/// What an order belongs to, for the naive gate.
fn node<'t>(tree: &'t LimitTree, kind: &str, name: &str) -> Option<&'t Limits> {
    match kind {
        "global" => Some(&tree.global),
        "account" => {
            tree.accounts.values().find(|a| a.venues.iter().any(|v| v == name)).map(|a| &a.limits)
        }
        "venue" => tree.venues.get(name),
        "strategy" => tree.strategies.get(name),
        "instrument" => tree.instruments.get(name),
        _ => tree.symbols.get(name),
    }
}

#[derive(Clone, Debug)]
struct OpenOrder {
    strategy: usize,
    instrument: usize,
    side: Side,
    lots: i64,
}

#[derive(Clone, Debug)]
struct Happened {
    at: i64,
    strategy: usize,
    instrument: usize,
    what: &'static str,
}

/// Everything that happened, and the limits one by one.
#[derive(Default)]
struct Naive {
    open: Vec<OpenOrder>,
    fills: Vec<(usize, usize, i64)>,
    happened: Vec<Happened>,
    /// (time, lost) of closing fills.
    closes: Vec<(Happened, i128)>,
    samples: Vec<(i64, i128, Vec<i128>)>,
    marks: Vec<i128>,
}

impl Naive {
    fn position(&self, of: impl Fn(usize, usize) -> bool) -> i64 {
        self.fills.iter().filter(|(s, i, _)| of(*s, *i)).map(|(.., q)| q).sum()
    }

    fn open(&self, side: Side, of: impl Fn(usize, usize) -> bool) -> i64 {
        let of_side = self.open.iter().filter(|o| o.side == side && of(o.strategy, o.instrument));
        of_side.map(|o| o.lots).sum()
    }

    /// Worst absolute position in an instrument by any order of fills.
    fn worst(&self, instrument: usize, own: Option<usize>, extra: [i64; 2]) -> i128 {
        let of = |s: usize, i: usize| i == instrument && own.is_none_or(|own| own == s);
        let p = self.position(of);
        let long = p + self.open(Side::Buy, of) + extra[0];
        let short = p - self.open(Side::Sell, of) - extra[1];
        i128::from(long.abs().max(short.abs()))
    }

    #[allow(clippy::too_many_lines)]
    fn failures(
        &self,
        tree: &LimitTree,
        strategy: usize,
        terms: &OrderTerms,
        at: &Situation,
        equity: i128,
    ) -> BTreeSet<&'static str> {
        let all = instruments();
        let names = strategies();
        let mut failed = BTreeSet::new();
        let index = terms.instrument.index();
        let this = &all[index];
        let qty = terms.qty.0;
        let sign = terms.side.sign();
        let reduce_only = terms.flags.has(OrderFlags::REDUCE_ONLY);
        let after = |own: Option<usize>| {
            let of = |s: usize, i: usize| i == index && own.is_none_or(|own| own == s);
            self.position(of) * sign + self.open(terms.side, of) + qty
        };
        let reduces = reduce_only || after(None) <= 0;
        let own_reduces = reduce_only || after(Some(strategy)) <= 0;
        let branches = [
            ("global", ""),
            ("account", this.venue.as_str()),
            ("venue", this.venue.as_str()),
            ("strategy", names[strategy].as_str()),
            ("instrument", this.symbol.as_str()),
        ];
        for (kind, name) in branches {
            let Some(limits) = node(tree, kind, name) else { continue };
            let own = (kind == "strategy").then_some(strategy);
            let adds = if own.is_some() { !own_reduces } else { !reduces };
            let belongs = |s: usize, i: usize| match kind {
                "global" => true,
                "account" => tree
                    .accounts
                    .values()
                    .any(|a| a.venues.contains(&this.venue) && a.venues.contains(&all[i].venue)),
                "venue" => all[i].venue == this.venue,
                "strategy" => s == strategy,
                _ => i == index,
            };
            if limits.max_order_qty.is_some_and(|max| qty as f64 > max.to_f64()) {
                failed.insert("order_quantity");
            }
            let notional = terms.price.0 as f64 * 0.5 * qty as f64;
            if limits.max_order_notional.is_some_and(|max| notional > max.to_f64()) {
                failed.insert("order_notional");
            }
            if let Some(max) = limits.max_position {
                if adds && after(own) as f64 > max.to_f64() {
                    failed.insert(if own.is_some() { "strategy_position" } else { "position" });
                }
            }
            if let Some(bps) = limits.price_collar_bps {
                let through = (terms.price.0 * 2 - at.mid2) * sign;
                if through * 10_000 > i64::from(bps) * at.mid2 {
                    failed.insert("price_collar");
                }
            }
            if limits.max_data_age_ns.is_some_and(|age| !reduces && at.now_ns - at.market_ns > age)
            {
                failed.insert("stale_data");
            }
            let listed = |s: &String| *s == this.symbol || *s == this.base;
            if !reduces && limits.restricted.iter().any(listed) {
                failed.insert("restricted");
            }
            if let Some(hours) = &limits.trading_hours {
                if !reduces && !hours.is_open(at.now_ns) {
                    failed.insert("trading_hours");
                }
            }
            let count = self.open.iter().filter(|o| belongs(o.strategy, o.instrument)).count();
            if limits.max_open_orders.is_some_and(|max| count >= max) {
                failed.insert("open_orders");
            }
            self.check_exposure(limits, terms, own, &belongs, adds, equity, &mut failed);
            self.check_counts(limits, at.now_ns, &belongs, adds, kind, &mut failed);
        }
        self.check_symbol(tree, terms, reduces, equity, &mut failed);
        failed
    }

    #[allow(clippy::too_many_arguments)]
    fn check_exposure(
        &self,
        limits: &Limits,
        terms: &OrderTerms,
        own: Option<usize>,
        belongs: &dyn Fn(usize, usize) -> bool,
        adds: bool,
        equity: i128,
        failed: &mut BTreeSet<&'static str>,
    ) {
        let extra = |i: usize| {
            let mut extra = [0; 2];
            if i == terms.instrument.index() {
                extra[terms.side as usize] = terms.qty.0;
            }
            extra
        };
        let members = (0..3).filter(|i| (0..2).any(|s| belongs(s, *i)));
        let members: Vec<usize> = members.collect();
        let gross = |with: bool| -> i128 {
            let one = |i: &usize| {
                let extra = if with { extra(*i) } else { [0; 2] };
                self.worst(*i, own, extra) * self.marks[*i]
            };
            members.iter().map(one).sum()
        };
        let grows = gross(true) > gross(false);
        let share = |part: Decimal| {
            equity.max(0) * i128::from(part.mantissa()) / 10_i128.pow(u32::from(part.scale()))
        };
        let money = |limit: Decimal| limit.to_scale(18).unwrap();
        if limits.max_gross_exposure.is_some_and(|max| grows && gross(true) > money(max)) {
            failed.insert("gross_exposure");
        }
        if limits.max_leverage.is_some_and(|max| grows && gross(true) > share(max)) {
            failed.insert("leverage");
        }
        let mark = self.marks[terms.instrument.index()];
        let towards: i128 = members.iter().map(|i| self.towards(*i, own, terms.side)).sum();
        let net = towards + i128::from(terms.qty.0) * mark;
        if limits.max_net_exposure.is_some_and(|max| adds && net > money(max)) {
            failed.insert("net_exposure");
        }
        let value = i128::from(terms.qty.0) * mark;
        if limits.max_allocation.is_some_and(|max| adds && value > share(max)) {
            failed.insert("allocation");
        }
    }

    fn towards(&self, instrument: usize, own: Option<usize>, side: Side) -> i128 {
        let of = |s: usize, i: usize| i == instrument && own.is_none_or(|own| own == s);
        i128::from(self.position(of) * side.sign() + self.open(side, of)) * self.marks[instrument]
    }

    fn check_symbol(
        &self,
        tree: &LimitTree,
        terms: &OrderTerms,
        reduces: bool,
        equity: i128,
        failed: &mut BTreeSet<&'static str>,
    ) {
        let all = instruments();
        let base = &all[terms.instrument.index()].base;
        let same = (0..3).filter(|i| all[*i].base == *base);
        let mark = self.marks[terms.instrument.index()];
        let net: i128 = same.map(|i| self.towards(i, None, terms.side)).sum::<i128>()
            + i128::from(terms.qty.0) * mark;
        let symbol = node(tree, "symbol", base);
        let exposure = symbol.and_then(|s| s.max_symbol_exposure);
        if let Some(max) = exposure.or(tree.global.max_symbol_exposure) {
            if !reduces && net > max.to_scale(18).unwrap() {
                failed.insert("symbol_exposure");
            }
        }
        let share = symbol.and_then(|s| s.max_concentration).or(tree.global.max_concentration);
        if let Some(max) = share {
            let bound =
                equity.max(0) * i128::from(max.mantissa()) / 10_i128.pow(u32::from(max.scale()));
            if !reduces && net > bound {
                failed.insert("concentration");
            }
        }
    }

    fn check_counts(
        &self,
        limits: &Limits,
        now: i64,
        belongs: &dyn Fn(usize, usize) -> bool,
        adds: bool,
        kind: &str,
        failed: &mut BTreeSet<&'static str>,
    ) {
        let recent = |what: &[&str], rate: Rate| {
            let counts = |h: &&Happened| {
                belongs(h.strategy, h.instrument)
                    && what.contains(&h.what)
                    && h.at > now - rate.window_ns
            };
            self.happened.iter().filter(counts).count() >= rate.count as usize
        };
        if limits.max_order_rate.is_some_and(|rate| recent(&["order"], rate)) {
            failed.insert("order_rate");
        }
        if limits.max_cancel_rate.is_some_and(|rate| recent(&["cancel"], rate)) {
            failed.insert("cancel_rate");
        }
        let messages = ["order", "cancel", "amend"];
        if limits.max_message_rate.is_some_and(|rate| recent(&messages, rate)) {
            failed.insert("message_rate");
        }
        if !adds {
            return;
        }
        let today = |at: i64| at.div_euclid(DAY) == now.div_euclid(DAY);
        let trades = self
            .happened
            .iter()
            .filter(|h| h.what == "trade" && belongs(h.strategy, h.instrument) && today(h.at));
        if limits.max_daily_trades.is_some_and(|max| trades.count() >= max as usize) {
            failed.insert("daily_trades");
        }
        let closes = self
            .closes
            .iter()
            .rev()
            .filter(|(h, _)| belongs(h.strategy, h.instrument) && today(h.at));
        let streak = closes.take_while(|(_, gain)| *gain < 0).count();
        if limits.max_losing_streak.is_some_and(|max| streak >= max as usize) {
            failed.insert("losing_streak");
        }
        if let Some(max) = limits.max_daily_loss {
            let worth = |sample: &(i64, i128, Vec<i128>)| match kind {
                "global" => sample.1,
                _ => (0..6).filter(|n| belongs(n / 3, n % 3)).map(|n| sample.2[n]).sum(),
            };
            let before = self.samples.iter().rev().find(|s| !today(s.0));
            let dawn = before.or(self.samples.first());
            let (dawn, last) = (dawn.map(worth), self.samples.last().map(worth));
            if let (Some(dawn), Some(last)) = (dawn, last) {
                if dawn - last >= max.to_scale(18).unwrap() {
                    failed.insert("daily_loss");
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Marks([i64; 3]),
    Place { strategy: usize, instrument: usize, buy: bool, price: i64, qty: i64, reduce_only: bool },
    Cancel(usize),
    Fill { nth: usize, part: i64, realised: i64 },
    Sample { equity: i64, made: [i64; 6] },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop_oneof![0..3 * S, 0..2 * DAY].prop_map(Step::Pass),
        1 => [90_i64..110, 90_i64..110, 5_i64..15].prop_map(Step::Marks),
        8 => (0_usize..2, 0_usize..3, any::<bool>(), 150_i64..250, 1_i64..12, 0_u8..8).prop_map(
            |(strategy, instrument, buy, price, qty, flag)| Step::Place {
                strategy, instrument, buy, price, qty, reduce_only: flag == 0,
            }
        ),
        2 => (0_usize..8).prop_map(Step::Cancel),
        4 => (0_usize..8, 1_i64..12, -3_i64..3)
            .prop_map(|(nth, part, realised)| Step::Fill { nth, part, realised }),
        1 => (500_i64..2_000, prop::array::uniform6(-100_i64..100))
            .prop_map(|(equity, made)| Step::Sample { equity, made }),
    ]
}

fn amount(most: u32) -> impl Strategy<Value = Option<Decimal>> {
    prop::option::weighted(0.3, (1..most).prop_map(|n| Decimal::new(i64::from(n), 0).unwrap()))
}

fn part() -> impl Strategy<Value = Option<Decimal>> {
    prop::option::weighted(0.3, (1_i64..30).prop_map(|n| Decimal::new(n, 1).unwrap()))
}

fn rate() -> impl Strategy<Value = Option<Rate>> {
    let rate = (1_u32..5, 1_i64..5).prop_map(|(count, s)| Rate { count, window_ns: s * S });
    prop::option::weighted(0.2, rate)
}

fn limits(symbols: bool) -> BoxedStrategy<Box<Limits>> {
    let single = (amount(20), amount(2_000), amount(30), prop::option::weighted(0.2, 0_u32..2_000));
    let sums = (amount(6_000), amount(4_000), part(), part());
    let of_symbol = (amount(3_000), part());
    let rates = (rate(), rate(), rate());
    let counts = (
        prop::option::weighted(0.2, 1_usize..6),
        prop::option::weighted(0.2, 1_u32..5),
        amount(100),
        prop::option::weighted(0.2, 1_u32..4),
        prop::option::weighted(0.2, 1_i64..S),
    );
    let lists = (
        prop::option::weighted(0.1, Just("daily 06:00-18:00".parse().unwrap())),
        prop::option::weighted(0.1, prop_oneof![Just("ETH".to_owned()), Just("BTC-B".to_owned())]),
    );
    (single, sums, of_symbol, rates, counts, lists)
        .prop_map(move |(a, b, c, d, e, f)| {
            Box::new(Limits {
                max_order_qty: a.0,
                max_order_notional: a.1,
                max_position: a.2,
                price_collar_bps: a.3,
                max_gross_exposure: b.0,
                max_net_exposure: b.1,
                max_leverage: b.2,
                max_allocation: b.3,
                max_symbol_exposure: c.0.filter(|_| symbols),
                max_concentration: c.1.filter(|_| symbols),
                max_order_rate: d.0,
                max_cancel_rate: d.1,
                max_message_rate: d.2,
                max_open_orders: e.0,
                max_daily_trades: e.1,
                max_daily_loss: e.2,
                max_losing_streak: e.3,
                max_data_age_ns: e.4,
                trading_hours: f.0,
                restricted: f.1.into_iter().collect(),
                breaker: None,
            })
        })
        .boxed()
}

fn tree() -> BoxedStrategy<Box<LimitTree>> {
    let maybe = || prop::option::of(limits(false));
    (limits(true), maybe(), maybe(), maybe(), maybe(), prop::option::of((amount(3_000), part())))
        .prop_map(|(global, account, venue, strategy, instrument, symbol)| {
            let mut tree = Box::new(LimitTree::of(*global));
            let at = |name: &str, limits: Option<Box<Limits>>| {
                limits.map(|limits| (name.to_owned(), *limits)).into_iter().collect()
            };
            tree.accounts.extend(account.map(|limits| {
                let venues = vec!["alpha".to_owned(), "beta".to_owned()];
                (
                    "main".to_owned(),
                    mainspring_trading::risk::AccountLimits { venues, limits: *limits },
                )
            }));
            tree.venues = at("alpha", venue);
            tree.strategies = at("taker", strategy);
            tree.instruments = at("BTC-A", instrument);
            tree.symbols = at(
                "BTC",
                symbol.map(|(exposure, part)| {
                    Box::new(Limits {
                        max_symbol_exposure: exposure,
                        max_concentration: part,
                        ..Limits::default()
                    })
                }),
            );
            tree
        })
        .boxed()
}

/// The gate and the naive one, told the same.
struct Both {
    gate: Gate,
    naive: Naive,
    tree: Box<LimitTree>,
    now: i64,
    equity: i128,
}

impl Both {
    fn new(tree: Box<LimitTree>) -> Self {
        let naive = Naive { marks: vec![100 * UNIT, 100 * UNIT, 10 * UNIT], ..Naive::default() };
        let mut gate = gate(&tree);
        let now = 20_000 * DAY + 12 * 3_600 * S;
        let equity = 1_000 * UNIT;
        gate.sampled(now, Money(equity), &|_, _| Some(Money::ZERO));
        let mut both = Self { gate, naive, tree, now, equity };
        both.naive.samples.push((now, equity, vec![0; 6]));
        both
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(ns) => self.now += ns,
            Step::Marks(marks) => {
                self.naive.marks = marks.iter().map(|m| i128::from(*m) * UNIT).collect();
            }
            Step::Place { .. } => self.place(step),
            Step::Cancel(nth) => self.cancel(*nth),
            Step::Fill { nth, part, realised } => self.fill(*nth, *part, *realised),
            Step::Sample { equity, made } => self.sample(*equity, made),
        }
    }

    fn place(&mut self, step: &Step) {
        let Step::Place { strategy, instrument, buy, price, qty, reduce_only } = *step else {
            return;
        };
        let side = if buy { Side::Buy } else { Side::Sell };
        let id = InstrumentId(instrument as u16);
        let mut terms = OrderTerms::limit(id, side, Ticks(price), Lots(qty));
        if reduce_only {
            terms.flags = OrderFlags::REDUCE_ONLY;
        }
        let at = Situation {
            now_ns: self.now,
            market_ns: self.now - S / 2,
            mid2: 400,
            live_orders: self.naive.open.len(),
            ..Situation::default()
        };
        let marks = self.naive.marks.clone();
        self.gate.wake(self.now, None, &|i| Some(marks[i.index()]));
        let expected = self.naive.failures(&self.tree, strategy, &terms, &at, self.equity);
        let mut told: Vec<Failure> = Vec::new();
        self.gate.explain(strategy as u16, &terms, &at, &mut |failure| told.push(failure));
        let named: BTreeSet<_> = told.iter().map(|f| f.limit.name()).collect();
        assert_eq!(named, expected, "{terms:?} {:#?}", self.tree);
        for failure in &told {
            let used = failure.bound - failure.headroom;
            assert!(used <= failure.value, "{failure:?}");
            assert!(failure.value >= failure.bound, "{failure:?}");
        }
        match self.gate.check(strategy as u16, &terms, &at) {
            Ok(approved) => {
                assert_eq!(expected.len(), 0);
                assert_eq!(*approved.terms(), terms);
                self.gate.requested(strategy as u16, id, Requested::Order, self.now);
                self.gate.track(strategy as u16, id, side, Lots(0), Lots(qty));
                self.naive.open.push(OpenOrder { strategy, instrument, side, lots: qty });
                self.happened(strategy, instrument, "order");
            }
            Err(veto) => {
                let names: BTreeSet<_> = veto.limits().map(LimitKind::name).collect();
                assert_eq!(names, expected);
            }
        }
    }

    fn happened(&mut self, strategy: usize, instrument: usize, what: &'static str) {
        self.naive.happened.push(Happened { at: self.now, strategy, instrument, what });
    }

    fn cancel(&mut self, nth: usize) {
        if nth >= self.naive.open.len() {
            return;
        }
        let order = self.naive.open.remove(nth);
        let id = InstrumentId(order.instrument as u16);
        self.gate.requested(order.strategy as u16, id, Requested::Cancel, self.now);
        self.gate.track(order.strategy as u16, id, order.side, Lots(order.lots), Lots(0));
        self.happened(order.strategy, order.instrument, "cancel");
    }

    fn fill(&mut self, nth: usize, part: i64, realised: i64) {
        let Some(order) = self.naive.open.get_mut(nth) else { return };
        let (before, qty) = (order.lots, part.min(order.lots));
        order.lots -= qty;
        let order = order.clone();
        let id = InstrumentId(order.instrument as u16);
        let strategy = order.strategy as u16;
        self.gate.track(strategy, id, order.side, Lots(before), Lots(order.lots));
        self.gate.fill(strategy, id, order.side, Lots(qty));
        let realised = i128::from(realised) * UNIT;
        self.gate.traded(strategy, id, true, Money(realised), self.now);
        let signed = qty * order.side.sign();
        self.naive.fills.push((order.strategy, order.instrument, signed));
        self.happened(order.strategy, order.instrument, "trade");
        if realised != 0 {
            let happened = self.naive.happened.last().unwrap().clone();
            self.naive.closes.push((happened, realised));
        }
        if order.lots == 0 {
            self.naive.open.remove(nth);
        }
    }

    fn sample(&mut self, equity: i64, made: &[i64; 6]) {
        self.equity = i128::from(equity) * UNIT;
        let made: Vec<i128> = made.iter().map(|m| i128::from(*m) * UNIT).collect();
        let of = |s: u16, i: InstrumentId| Some(Money(made[usize::from(s) * 3 + i.index()]));
        // The ladder is another test.
        self.gate.sampled(self.now, Money(self.equity), &of);
        if self.gate.rung() != Rung::None {
            self.gate.rearm();
            self.naive.closes.clear();
            self.naive.samples.clear();
        }
        self.naive.samples.push((self.now, self.equity, made));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_refuses_what_a_naive_one_refuses_and_nothing_else(
        tree in tree(), steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut both = Both::new(tree);
        for step in &steps {
            both.step(step);
        }
    }

    #[test]
    fn a_restart_goes_on_as_if_nothing_had_happened(
        tree in tree(), steps in proptest::collection::vec(step(), 1..60), at in 0_usize..60,
    ) {
        let mut both = Both::new(tree);
        for (n, step) in steps.iter().enumerate() {
            if n == at {
                let text = serde_json::to_string(&both.gate.image(both.now)).unwrap();
                let mut restored = gate(&LimitTree::default());
                restored.restore(&serde_json::from_str(&text).unwrap()).unwrap();
                let position = |s: u16, i: InstrumentId| {
                    let of = |a: usize, b: usize| a == usize::from(s) && b == i.index();
                    Lots(both.naive.position(of))
                };
                let open = both.naive.open.iter().map(|o| {
                    (o.strategy as u16, InstrumentId(o.instrument as u16), o.side, Lots(o.lots))
                });
                restored.recount(&position, &mut open.collect::<Vec<_>>().into_iter());
                prop_assert_eq!(restored.image(both.now), both.gate.image(both.now));
                both.gate = restored;
            }
            both.step(step);
        }
    }

    #[test]
    fn other_limits_keep_what_was_counted(
        trees in (tree(), tree()), steps in proptest::collection::vec(step(), 1..40), at in 0_usize..40,
    ) {
        // Counting begins with a limit: here rates are those of the first tree throughout.
        let (first, mut second) = trees;
        let keep = |new: &mut Limits, old: &Limits| {
            new.max_order_rate = old.max_order_rate;
            new.max_cancel_rate = old.max_cancel_rate;
            new.max_message_rate = old.max_message_rate;
        };
        keep(&mut second.global, &first.global);
        (second.accounts, second.venues) = (first.accounts.clone(), first.venues.clone());
        (second.strategies, second.instruments) =
            (first.strategies.clone(), first.instruments.clone());
        // Worth is sampled for whom a loss is bounded.
        second.global.max_daily_loss = first.global.max_daily_loss;
        let mut both = Both::new(first);
        for (n, step) in steps.iter().enumerate() {
            if n == at {
                both.gate.reconfigure(&second, "a test").unwrap();
                both.tree = second.clone();
            }
            both.step(step);
        }
    }
}

fn situation() -> Situation {
    Situation { now_ns: 5 * S, market_ns: 5 * S, mid2: 400, ..Situation::default() }
}

fn buy(qty: i64) -> OrderTerms {
    OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(200), Lots(qty))
}

#[test]
fn every_failure_comes_with_value_bound_and_headroom() {
    let tree = LimitTree::of(Limits {
        max_order_qty: Some(dec("10")),
        max_position: Some(dec("20")),
        max_gross_exposure: Some(dec("1500")),
        ..Limits::default()
    });
    let mut gate = gate(&tree);
    gate.fill(0, InstrumentId(0), Side::Buy, Lots(12));
    gate.wake(5 * S, None, &|_| Some(100 * UNIT));
    let mut told = Vec::new();
    gate.explain(0, &buy(11), &situation(), &mut |failure| told.push(failure));
    let figures: Vec<_> = told.iter().map(|f| (f.limit, f.value, f.bound, f.headroom)).collect();
    assert_eq!(
        figures,
        [
            (LimitKind::OrderQuantity, 11, 10, 10),
            (LimitKind::Position, 23, 20, 8),
            (LimitKind::GrossExposure, 2_300 * UNIT, 1_500 * UNIT, 300 * UNIT),
        ]
    );
    assert_eq!(told[2].to_string(), "gross_exposure: 2300.00 against 1500.00 (headroom 300.00)");
}

#[test]
fn a_halted_gate_lets_only_reductions_through_until_a_person_rearms_it() {
    let mut gate = gate(&LimitTree::default());
    gate.fill(0, InstrumentId(0), Side::Sell, Lots(10));
    gate.halt(HaltCause::VenueIssue);
    gate.halt(HaltCause::Manual);
    assert_eq!(gate.halt_cause(), Some(HaltCause::VenueIssue), "the first cause stands");
    gate.wake(DAY * 9, None, &|_| Some(UNIT));
    assert!(gate.check(0, &buy(10), &situation()).is_ok());
    let veto = gate.check(0, &buy(11), &situation()).unwrap_err();
    assert_eq!(veto.limits().collect::<Vec<_>>(), [LimitKind::Halted]);
    gate.rearm();
    assert!(gate.check(0, &buy(11), &situation()).is_ok());
}

#[test]
fn an_emergency_closing_passes_every_limit_but_cannot_add() {
    let tree = LimitTree::of(Limits {
        max_order_qty: Some(dec("1")),
        max_order_rate: Some(Rate { count: 1, window_ns: DAY }),
        ..Limits::default()
    });
    let mut gate = gate(&tree);
    gate.requested(0, InstrumentId(0), Requested::Order, 5 * S);
    let urgent = Situation { urgent: true, ..situation() };
    let mut close = buy(7);
    assert!(gate.check(0, &close, &urgent).is_err(), "it would open");
    close.flags = OrderFlags::REDUCE_ONLY;
    assert!(gate.check(0, &close, &urgent).is_ok());
    assert!(gate.check(0, &close, &situation()).is_err(), "without the emergency");
}

#[test]
fn an_amend_counts_what_it_replaces_once() {
    let tree = LimitTree::of(Limits { max_position: Some(dec("10")), ..Limits::default() });
    let mut gate = gate(&tree);
    gate.track(0, InstrumentId(0), Side::Buy, Lots(0), Lots(8));
    let amend = Situation { replaces: Lots(8), ..situation() };
    assert!(gate.check(0, &buy(10), &amend).is_ok());
    assert!(gate.check(0, &buy(11), &amend).is_err());
    assert!(gate.check(0, &buy(3), &situation()).is_err(), "a new order comes on top");
}

#[test]
fn quantities_and_prices_beyond_all_reason_are_refused_and_do_not_wrap() {
    let gate = gate(&LimitTree::default());
    for (price, qty) in
        [(200, i64::MAX), (i64::MAX, 1), (i64::MIN, 1), (i64::MAX, i64::MAX), (200, i64::MIN)]
    {
        let terms = OrderTerms::limit(InstrumentId(0), Side::Buy, Ticks(price), Lots(qty));
        assert!(gate.check(0, &terms, &situation()).is_err(), "{price} {qty}");
    }
}

#[test]
fn configuration_cannot_pass_the_ceilings_and_says_where() {
    let refused = |json: &str| {
        let tree: LimitTree = serde_json::from_str(json).unwrap();
        Gate::new(&tree, &instruments(), &strategies()).unwrap_err().to_string()
    };
    for (json, words) in [
        (r#"{"max_position":"100001"}"#, "ceiling of 100000"),
        (r#"{"strategies":{"maker":{"max_leverage":"126"}}}"#, "limits.strategies.maker"),
        (r#"{"max_open_orders":10001}"#, "ceiling of 10000"),
        (r#"{"drawdown":{"close_bps":1501}}"#, "ceiling of 1500"),
        (r#"{"max_positon":"1"}"#, "there is no limit \"max_positon\""),
        (r#"{"strategies":{"makr":{}}}"#, "this run has maker, taker"),
        (r#"{"venues":{"alpha":{"max_concentration":"0.1"}}}"#, "under symbols"),
        (r#"{"max_daily_loss":"-5"}"#, "must be positive"),
        (r#"{"max_order_rate":{"count":0,"window_ns":1}}"#, "max_order_rate"),
        (r#"{"max_position":"0.5"}"#, "one lot"),
        (r#"{"max_open_orders":0}"#, "give 1 or more"),
        (r#"{"day_start_ns":-1}"#, "day_start_ns"),
        (r#"{"breaker":{"max_faults":0}}"#, "breaker.max_faults"),
        (r#"{"breaker":{"max_faults":1025}}"#, "at most 1024"),
        (r#"{"instruments":{"AUSD":{"breaker":{}}}}"#, "under venues or strategies"),
        (r#"{"symbols":{"A":{"max_position":"1"}}}"#, "other than max_symbol_exposure"),
        (
            r#"{"accounts":{"one":{"venues":["alpha"]},"two":{"venues":["alpha"]}}}"#,
            "in another account as well",
        ),
    ] {
        let error = refused(json);
        assert!(error.contains(words), "{json}: {error}");
    }
}

#[test]
fn what_was_counted_stays_when_accounts_come_and_go() {
    let of = |accounts: &str| -> LimitTree {
        let rate = r#"{"max_order_rate":{"count":2,"window_ns":1000000000}}"#;
        let json = format!(r#"{{"strategies":{{"maker":{rate}}},"accounts":{{{accounts}}}}}"#);
        serde_json::from_str(&json).unwrap()
    };
    let mut gate = gate(&of(""));
    (0..2).for_each(|_| gate.requested(0, InstrumentId(0), Requested::Order, 5 * S));
    let passes = |gate: &Gate| [0, 1].map(|who| gate.check(who, &buy(1), &situation()).is_ok());
    assert_eq!(passes(&gate), [false, true], "the maker's second is used up");
    let desk = r#""desk":{"venues":["alpha"],"limits":{"max_open_orders":50}}"#;
    gate.reconfigure(&of(desk), "").unwrap();
    assert_eq!(passes(&gate), [false, true], "an account came");
    gate.reconfigure(&of(""), "the desk is closed").unwrap();
    assert_eq!(passes(&gate), [false, true], "it went");
}

#[test]
fn loosening_takes_a_reason_and_tightening_does_not() {
    let of = |position: &str| {
        LimitTree::of(Limits { max_position: Some(dec(position)), ..Limits::default() })
    };
    let mut gate = gate(&of("20"));
    gate.reconfigure(&of("10"), "").unwrap();
    let error = gate.reconfigure(&of("11"), " ").unwrap_err();
    assert!(error.message().contains("limits.max_position"), "{error}");
    gate.reconfigure(&of("11"), "desk head, after the auction").unwrap();
    let error = gate.reconfigure(&LimitTree::default(), "").unwrap_err();
    assert!(error.message().contains("reason"), "{error}");
    assert_eq!(gate.tree(), &of("11"));
}

#[test]
fn the_ladder_is_climbed_by_samples_and_left_by_recovery_up_to_the_halt() {
    let tree: LimitTree =
        serde_json::from_str(r#"{"drawdown":{"reduce_bps":500,"stop_bps":1000}}"#).unwrap();
    let mut gate = gate(&tree);
    let mut at = |equity: i128, now: i64| {
        let verdict = gate.sampled(now, Money(equity * UNIT), &|_, _| None);
        (verdict.rung, verdict.halt, gate.size_bps(), gate.check(0, &buy(1), &situation()).is_ok())
    };
    assert_eq!(at(1_000, 1), (Rung::None, None, 10_000, true));
    assert_eq!(at(950, 2), (Rung::Reduce, None, 5_000, true));
    assert_eq!(at(900, 3), (Rung::Stop, None, 10_000, false));
    assert_eq!(at(960, 4), (Rung::None, None, 10_000, true));
    assert_eq!(at(850, 5), (Rung::Close, Some(HaltCause::Drawdown), 10_000, false));
    assert_eq!(at(990, 6), (Rung::Close, None, 10_000, false), "a person decides");
    assert_eq!(at(800, 7), (Rung::Shutdown, Some(HaltCause::Drawdown), 10_000, false));
}

#[test]
fn breakers_in_cascade_halt_and_one_alone_stops_its_branch() {
    let tree: LimitTree =
        serde_json::from_str(r#"{"breaker":{"max_faults":2,"cooldown_ns":1000000000}}"#).unwrap();
    let mut gate = gate(&tree);
    assert_eq!(gate.failed(0, InstrumentId(0), S), None);
    assert_eq!(gate.failed(0, InstrumentId(0), S), None, "venue alpha and strategy maker: two");
    let other = OrderTerms::limit(InstrumentId(1), Side::Buy, Ticks(200), Lots(1));
    assert!(gate.check(1, &other, &situation()).is_ok(), "taker at beta is free");
    let veto = gate.check(0, &other, &situation()).unwrap_err();
    assert_eq!(veto.limits().collect::<Vec<_>>(), [LimitKind::Breaker]);
    gate.failed(1, InstrumentId(1), S);
    assert_eq!(gate.failed(1, InstrumentId(1), S), Some(HaltCause::BreakerCascade));
    let later = Situation { now_ns: 3 * S, ..situation() };
    assert!(gate.is_due(3 * S));
    gate.wake(3 * S, None, &|_| Some(UNIT));
    assert!(gate.check(0, &buy(1), &later).is_ok(), "half open: one probe");
    gate.requested(0, InstrumentId(0), Requested::Order, 3 * S);
    assert!(gate.check(0, &buy(1), &later).is_err(), "until it is answered");
    gate.answered(0, InstrumentId(0), 5, 3 * S);
    assert!(gate.check(0, &buy(1), &later).is_ok());
}

#[test]
fn inverse_contracts_are_valued_by_their_face() {
    let mut inverse = instrument("BTCUSD", "BTC", "alpha");
    inverse.kind = InstrumentKind::InversePerpetual;
    inverse.quote = "USD".into();
    inverse.multiplier = dec("100");
    let tree = LimitTree::of(Limits { max_order_notional: Some(dec("500")), ..Limits::default() });
    let gate = Gate::new(&tree, &[inverse], &strategies()).unwrap();
    assert!(gate.check(0, &buy(5), &situation()).is_ok());
    assert!(gate.check(0, &buy(6), &situation()).is_err());
}
