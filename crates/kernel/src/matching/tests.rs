//! The engine as a venue: its book against the recording's, and what it publishes against its book.

use mainspring_book::{L3Book, L3Config};
use mainspring_core::event::{flags, MarketRow, OrderRow, RowKind};
use mainspring_core::order::{
    CancelReason, ClientOrderId, OrderFlags, OrderTerms, OrderType, RejectReason, Side,
    TimeInForce, VenueEvent, VenueEventKind, VenueRequest, VenueRequestKind,
};
use mainspring_core::{InstrumentId, Lots, Ticks, TimeNs};
use mainspring_sim::flow::{Flow, FlowConfig, Level};
use mainspring_sim::SimConfig;
use proptest::prelude::*;

use super::flow;
use super::market::{MatchedMarket, Others};
use super::tape::{anonymous_id, is_ours, our_id};

pub(super) const ID: InstrumentId = InstrumentId(0);

/// The engine, what we are told, and the book that follows from what is published.
pub(super) struct Rig {
    market: MatchedMarket,
    shown: L3Book,
    answers: Vec<VenueEvent>,
    /// Rows that reached us.
    rows: Vec<(OrderRow, Ticks)>,
    next_order: u64,
}

impl Rig {
    fn new(others: Others) -> Self {
        let config = SimConfig { max_orders: 64, ..SimConfig::default() };
        let instrument = generated(1, 0.01).instruments().remove(0);
        Self {
            market: MatchedMarket::new(ID, &instrument, &config, others).unwrap(),
            shown: L3Book::new(L3Config::default()),
            answers: Vec::new(),
            rows: Vec::new(),
            next_order: 1,
        }
    }

    pub(super) fn recorded() -> Self {
        Self::new(Others::Recorded(Box::default()))
    }

    fn crowd(seed: u64) -> Self {
        let (_, crowd) = flow::crowds(&generated(seed, 0.5), Some(1_000_000)).unwrap().remove(0);
        Self::new(Others::Crowd(Box::new(crowd)))
    }

    /// What is left of an order of the recording.
    fn left(&self, id: u64) -> Option<Lots> {
        self.market.engine.order(mainspring_exchange::OrderId(id)).map(|open| open.left())
    }

    fn row(&mut self, row: &OrderRow, price: Ticks) {
        let now = row.market.exch_ns;
        let times = (now, now + 2_000_000);
        self.market.on_recorded_row(row, price, times, &mut self.answers).unwrap();
        self.absorb();
    }

    /// One message of one row.
    pub(super) fn say(
        &mut self,
        now: TimeNs,
        kind: RowKind,
        side: Side,
        price: i64,
        qty: i64,
        id: u64,
    ) {
        let bits = flags::END_OF_MESSAGE | if side == Side::Sell { flags::ASK } else { 0 };
        self.row(&order_row(now, kind, bits, qty, id), Ticks(price));
    }

    pub(super) fn send(&mut self, now: TimeNs, kind: VenueRequestKind, order: ClientOrderId) {
        let request = VenueRequest { order, sent_ns: now, kind };
        self.market.on_request(&request, now, &mut self.answers);
        self.absorb();
    }

    pub(super) fn order(&mut self, now: TimeNs, terms: OrderTerms) -> ClientOrderId {
        let id = ClientOrderId(self.next_order);
        self.next_order += 1;
        self.send(now, VenueRequestKind::New(terms), id);
        id
    }

    /// What is published builds the engine's book, order by order.
    fn absorb(&mut self) {
        let mut ended = true;
        while let Some((row, price)) = self.market.next_row() {
            self.shown.apply(&row, price).unwrap_or_else(|fault| {
                panic!("{fault:?} at {:?} of order {}", row.market, row.order_id & !(15 << 60))
            });
            self.rows.push((row, price));
            ended = row.market.ends_message();
        }
        assert!(ended, "a message has an end");
        if self.market.tape.rows.is_empty() {
            let (shown, engine) = (queues(&self.shown), queues(self.market.engine.orders()));
            let differs = shown.iter().zip(&engine).find(|(shown, engine)| shown != engine);
            assert!(differs.is_none(), "shown and engine: {differs:?}");
            assert_eq!(shown.len(), engine.len());
        }
    }

    /// The engine's book, every order.
    pub(super) fn queues(&self) -> Vec<(Side, i64, u64, i64)> {
        queues(self.market.engine.orders())
    }

    /// Fills that we were told of: order, price, quantity, whether we were the maker.
    pub(super) fn all_fills(&self) -> Vec<(u64, i64, i64, bool)> {
        let told = self.answers.iter().filter_map(|event| match event.kind {
            VenueEventKind::Filled { price, qty, maker } => {
                Some((event.order.0, price.0, qty.0, maker))
            }
            _ => None,
        });
        told.collect()
    }

    fn fills(&self, order: ClientOrderId) -> Vec<(i64, i64, bool)> {
        let of = self.answers.iter().filter(|event| event.order == order);
        of.filter_map(|event| match event.kind {
            VenueEventKind::Filled { price, qty, maker } => Some((price.0, qty.0, maker)),
            _ => None,
        })
        .collect()
    }
}

pub(super) fn order_row(now: TimeNs, kind: RowKind, bits: u8, qty: i64, order_id: u64) -> OrderRow {
    let market = MarketRow {
        recv_ns: now,
        exch_ns: now,
        qty_lots: qty,
        price_offset: 0,
        kind: kind as u8,
        flags: bits,
        instrument: 0,
    };
    OrderRow { market, order_id }
}

pub(super) fn generated(seed: u64, hours: f64) -> FlowConfig {
    FlowConfig::of_presets(&["btcusdt"], hours, seed, Level::Orders).unwrap()
}

/// Every order, best price first and first come first.
fn queues(book: &L3Book) -> Vec<(Side, i64, u64, i64)> {
    let mut all = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        for (price, _) in book.l2().levels(side) {
            all.extend(book.queue(side, price).map(|o| (side, price.0, o.id, o.qty.0)));
        }
    }
    all
}

pub(super) fn limit(side: Side, price: i64, qty: i64) -> OrderTerms {
    OrderTerms::limit(ID, side, Ticks(price), Lots(qty))
}

/// A recorded book: bids 100 and 99, asks 102 and 103, ids 1 to 5.
fn small_book() -> Rig {
    let mut rig = Rig::recorded();
    for (id, side, price, qty) in [
        (1, Side::Buy, 100_000, 5_000),
        (2, Side::Buy, 100_000, 7_000),
        (3, Side::Buy, 99_000, 9_000),
        (4, Side::Sell, 102_000, 4_000),
        (5, Side::Sell, 103_000, 6_000),
    ] {
        rig.say(id as i64, RowKind::OrderAdd, side, price, qty, id);
    }
    rig
}

#[test]
fn our_order_is_filled_at_its_place_in_the_recorded_queue() {
    let mut rig = small_book();
    let ours = rig.order(10, limit(Side::Buy, 100_000, 3_000));
    rig.say(11, RowKind::OrderAdd, Side::Buy, 100_000, 8_000, 6);
    // A taker meets the two in front of us.
    rig.say(12, RowKind::OrderExecute, Side::Buy, 100_000, 5_000, 1);
    assert!(rig.fills(ours).is_empty());
    rig.say(13, RowKind::OrderExecute, Side::Buy, 100_000, 2_000, 2);
    rig.say(14, RowKind::OrderDelete, Side::Buy, 100_000, 5_000, 2);
    assert!(rig.fills(ours).is_empty());
    // The recording's next taker met number 6, behind us: here he meets us first.
    rig.say(15, RowKind::OrderExecute, Side::Buy, 100_000, 4_000, 6);
    assert_eq!(rig.fills(ours), [(100_000, 3_000, true)]);
    // Number 6 keeps what he did not trade: 8,000 less 1,000.
    assert_eq!(rig.left(6), Some(Lots(7_000)));
    assert_eq!(rig.market.tape.position, Lots(3_000));
}

#[test]
fn a_better_price_of_ours_is_met_first_at_our_price() {
    let mut rig = small_book();
    let ours = rig.order(10, limit(Side::Buy, 101_000, 2_000));
    rig.say(11, RowKind::OrderExecute, Side::Buy, 100_000, 5_000, 1);
    assert_eq!(rig.fills(ours), [(101_000, 2_000, true)]);
    assert_eq!(rig.left(1), Some(Lots(2_000)), "5,000 less the 3,000 that were left of the taker");
}

#[test]
fn what_we_take_is_gone_for_everybody_else() {
    let mut rig = small_book();
    let mut terms = limit(Side::Buy, 102_000, 3_000);
    terms.time_in_force = TimeInForce::Ioc;
    let ours = rig.order(10, terms);
    assert_eq!(rig.fills(ours), [(102_000, 3_000, false)]);
    assert_eq!(rig.shown.l2().qty(Side::Sell, Ticks(102_000)), Lots(1_000), "we see it");
    // The recorded taker of 4,000 finds 1,000, and nothing more at his price.
    rig.say(11, RowKind::OrderExecute, Side::Sell, 102_000, 4_000, 4);
    assert_eq!(rig.shown.l2().qty(Side::Sell, Ticks(102_000)), Lots(0));
    assert_eq!(rig.shown.l2().qty(Side::Sell, Ticks(103_000)), Lots(6_000));
    // A recorded seller who then rests under what should have been taken is met by nobody.
    rig.say(12, RowKind::OrderAdd, Side::Sell, 101_000, 500, 7);
    assert_eq!(rig.shown.l2().best(Side::Sell), Some(Ticks(101_000)));
}

#[test]
fn a_recorded_order_that_would_cross_ours_trades_with_it() {
    let mut rig = small_book();
    let ours = rig.order(10, limit(Side::Buy, 101_000, 2_000));
    rig.say(11, RowKind::OrderAdd, Side::Sell, 101_000, 5_000, 8);
    assert_eq!(rig.fills(ours), [(101_000, 2_000, true)]);
    assert_eq!(rig.shown.l2().qty(Side::Sell, Ticks(101_000)), Lots(3_000));
}

#[test]
fn what_is_told_of_a_taker_who_was_shown_as_an_order_is_not_done_again() {
    let mut rig = small_book();
    let ours = rig.order(10, limit(Side::Buy, 101_000, 1_000));
    // Crossing in the recording itself: he meets us and 3,000 of number 1 when he comes.
    rig.say(11, RowKind::OrderAdd, Side::Sell, 100_000, 4_000, 8);
    assert_eq!(rig.fills(ours), [(101_000, 1_000, true)]);
    assert_eq!((rig.left(1), rig.left(8)), (Some(Lots(2_000)), None));
    // The recording tells it later, in two parts; the thousand that we took is told of number 1.
    rig.say(12, RowKind::OrderModify, Side::Buy, 100_000, 2_500, 1);
    assert_eq!(rig.left(1), Some(Lots(2_000)));
    rig.say(13, RowKind::OrderModify, Side::Buy, 100_000, 1_000, 1);
    rig.say(14, RowKind::OrderDelete, Side::Sell, 100_000, 4_000, 8);
    assert_eq!(rig.left(1), Some(Lots(1_000)));
    // What happens to it afterwards is news.
    rig.say(15, RowKind::OrderModify, Side::Buy, 100_000, 400, 1);
    assert_eq!(rig.left(1), Some(Lots(400)));
}

#[test]
fn hidden_trades_pass_ours_only_where_ours_is_first() {
    let mut rig = small_book();
    let behind = rig.order(10, limit(Side::Buy, 100_000, 1_000));
    rig.say(11, RowKind::Trade, Side::Sell, 101_000, 400, 0);
    assert!(rig.fills(behind).is_empty());
    let first = rig.order(12, limit(Side::Buy, 101_000, 1_000));
    rig.say(13, RowKind::Trade, Side::Sell, 101_000, 1_500, 0);
    assert_eq!(rig.fills(first), [(101_000, 1_000, true)]);
    assert!(rig.fills(behind).is_empty());
    let trades = rig.rows.iter().filter(|(row, _)| row.market.kind == RowKind::Trade as u8);
    assert_eq!(trades.map(|(row, _)| row.market.qty_lots).collect::<Vec<_>>(), [400, 500]);
}

#[test]
fn an_execution_out_of_turn_is_the_recordings_unless_we_stand_in_front() {
    let mut rig = small_book();
    rig.say(11, RowKind::OrderExecute, Side::Buy, 100_000, 3_000, 2);
    assert_eq!((rig.left(1), rig.left(2)), (Some(Lots(5_000)), Some(Lots(4_000))));
    assert_eq!(rig.market.engine.last_trade(), Some(Ticks(100_000)));
    let ours = rig.order(12, limit(Side::Buy, 100_500, 100));
    rig.say(13, RowKind::OrderExecute, Side::Buy, 100_000, 1_000, 2);
    assert_eq!(rig.fills(ours), [(100_500, 100, true)]);
}

#[test]
fn levels_without_orders_stand_in_front_of_those_that_come() {
    let mut rig = Rig::recorded();
    rig.say(1, RowKind::Depth, Side::Buy, 100_000, 2_000, 0);
    rig.say(2, RowKind::Depth, Side::Sell, 101_000, 2_000, 0);
    let ours = rig.order(3, limit(Side::Buy, 100_000, 1_000));
    rig.say(4, RowKind::OrderExecute, Side::Buy, 100_000, 1_500, 77);
    assert!(rig.fills(ours).is_empty());
    rig.say(5, RowKind::OrderDelete, Side::Buy, 100_000, 500, 78);
    assert!(rig.market.engine.order(anonymous_id(Side::Buy, Ticks(100_000))).is_none());
    rig.say(6, RowKind::OrderAdd, Side::Buy, 100_000, 900, 9);
    rig.say(7, RowKind::OrderExecute, Side::Buy, 100_000, 300, 9);
    assert_eq!(rig.fills(ours), [(100_000, 300, true)]);
}

#[test]
fn a_snapshot_replaces_others_orders_and_leaves_ours_in_place() {
    let mut rig = small_book();
    let ours = rig.order(10, limit(Side::Buy, 100_000, 1_000));
    let rows = [
        (RowKind::Clear, Side::Buy, 0, 0, 0),
        (RowKind::OrderAdd, Side::Buy, 100_000, 5_000, 1),
        (RowKind::OrderAdd, Side::Buy, 100_000, 700, 20),
        (RowKind::OrderAdd, Side::Sell, 103_000, 6_000, 5),
    ];
    for (at, (kind, side, price, qty, id)) in rows.into_iter().enumerate() {
        let ask = if side == Side::Sell { flags::ASK } else { 0 };
        let end = if at == 3 { flags::END_OF_MESSAGE } else { 0 };
        rig.row(&order_row(11, kind, flags::SNAPSHOT | ask | end, qty, id), Ticks(price));
    }
    let queue: Vec<_> = rig.shown.queue(Side::Buy, Ticks(100_000)).map(|o| o.id).collect();
    assert_eq!(queue, [1, our_id(ours).0, 20]);
    assert_eq!(rig.shown.l2().best(Side::Sell), Some(Ticks(103_000)));
    assert_eq!(rig.shown.l2().best(Side::Buy), Some(Ticks(100_000)));
    assert_eq!(rig.shown.len(), 4);
}

#[test]
fn what_the_instrument_asks_is_asked_of_ours_only() {
    let mut rig = small_book();
    rig.say(10, RowKind::OrderAdd, Side::Buy, 98_000, 1, 30);
    assert!(rig.shown.order(30).is_some(), "the recording's may be smaller than the minimum");
    let refused = |rig: &Rig, id| {
        rig.answers.iter().find_map(|event| match event.kind {
            VenueEventKind::Rejected(reason) if event.order == id => Some(reason),
            _ => None,
        })
    };
    let id = rig.order(11, limit(Side::Buy, 98_000, 0));
    assert_eq!(refused(&rig, id), Some(RejectReason::BadQuantity));
    let id = rig.order(11, limit(Side::Buy, 1, 1));
    assert_eq!(refused(&rig, id), Some(RejectReason::BelowMinNotional));
    let mut post_only = limit(Side::Buy, 102_000, 1_000);
    post_only.flags = OrderFlags::POST_ONLY;
    let id = rig.order(11, post_only);
    assert_eq!(refused(&rig, id), Some(RejectReason::PostOnlyWouldTake));
    let mut reduce = limit(Side::Buy, 99_000, 1_000);
    reduce.flags = OrderFlags::REDUCE_ONLY;
    let id = rig.order(11, reduce);
    assert_eq!(refused(&rig, id), Some(RejectReason::ReduceOnlyWouldIncrease));
    rig.say(12, RowKind::Status, Side::Buy, 0, 0, 0);
    let id = rig.order(13, limit(Side::Buy, 99_000, 1_000));
    assert_eq!(refused(&rig, id), Some(RejectReason::Halted));
}

#[test]
fn a_reduce_only_order_leaves_with_the_position() {
    let mut rig = small_book();
    let mut take = limit(Side::Buy, 102_000, 1_000);
    take.time_in_force = TimeInForce::Ioc;
    rig.order(10, take);
    let mut out = limit(Side::Sell, 104_000, 1_000);
    out.flags = OrderFlags::REDUCE_ONLY;
    let waiting = rig.order(11, out);
    let mut close = limit(Side::Sell, 100_000, 1_000);
    close.time_in_force = TimeInForce::Ioc;
    rig.order(12, close);
    let last = rig.answers.iter().rev().find(|event| event.order == waiting).unwrap();
    assert_eq!(last.kind, VenueEventKind::Cancelled(CancelReason::ReduceOnly));
    assert!(rig.shown.order(our_id(waiting).0).is_none());
}

#[test]
fn good_till_date_leaves_at_its_time() {
    let mut rig = small_book();
    let mut terms = limit(Side::Buy, 99_000, 1_000);
    (terms.time_in_force, terms.expire_ns) = (TimeInForce::Gtd, 50);
    let id = rig.order(10, terms);
    assert_eq!(rig.market.next_timer_ns(), Some(50));
    rig.market.on_timer(50, &mut rig.answers);
    rig.absorb();
    let last = rig.answers.last().unwrap();
    assert_eq!((last.order, last.kind), (id, VenueEventKind::Cancelled(CancelReason::Expired)));
    assert_eq!(rig.market.next_timer_ns(), None);
}

#[test]
fn without_us_the_engine_has_the_book_of_the_recording_after_every_message() {
    let mut rig = Rig::recorded();
    let mut recording = L3Book::new(L3Config::default());
    let (mut messages, mut trades) = (0, 0);
    for row in Flow::new(&generated(3, 0.1)).unwrap() {
        let bits = row.flags;
        let order = order_row(row.exch_ns, row.kind, bits, row.qty, row.order_id);
        recording.apply(&order, row.price).unwrap();
        trades += usize::from(row.kind == RowKind::OrderExecute);
        rig.row(&order, row.price);
        if order.market.ends_message() {
            messages += 1;
            assert_eq!(rig.market.engine.orders().len(), recording.len());
            if messages % 500 == 0 {
                assert_eq!(queues(rig.market.engine.orders()), queues(&recording));
            }
        }
    }
    assert_eq!(queues(rig.market.engine.orders()), queues(&recording));
    assert!(messages > 3_000 && trades > 500, "{messages} {trades}");
    assert_eq!(rig.market.tape.refused, 0);
}

/// What we may ask at a step.
#[derive(Clone, Debug)]
struct Ask {
    action: u8,
    order_type: u8,
    side: bool,
    distance: i64,
    qty: i64,
    options: u8,
    which: u8,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = (0_u8..10, 0_u8..12, any::<bool>(), -30_i64..12, 1_i64..2_500, 0_u8..8, any::<u8>());
    let ask = ask.prop_map(|(action, order_type, side, distance, qty, options, which)| Ask {
        action,
        order_type,
        side,
        distance,
        qty,
        options,
        which,
    });
    prop::collection::vec(ask, 40..160)
}

impl Rig {
    fn ask(&mut self, now: TimeNs, ask: &Ask) {
        let side = if ask.side { Side::Buy } else { Side::Sell };
        let best = self.market.engine.levels().best(side).unwrap_or(Ticks(100_000));
        let price = side.inward(best, ask.distance);
        let id = ClientOrderId(1 + u64::from(ask.which) % self.next_order.max(2));
        match ask.action {
            0 => self.send(now, VenueRequestKind::Cancel { instrument: ID }, id),
            1 => {
                let kind = VenueRequestKind::Amend { instrument: ID, price, qty: Lots(ask.qty) };
                self.send(now, kind, id);
            }
            _ => {
                let terms = self.terms(now, ask, side, price);
                self.order(now, terms);
            }
        }
    }

    fn terms(&self, now: TimeNs, ask: &Ask, side: Side, price: Ticks) -> OrderTerms {
        let mut terms = limit(side, price.0, ask.qty);
        let types = [
            OrderType::Market,
            OrderType::Stop,
            OrderType::StopLimit,
            OrderType::TakeProfit,
            OrderType::TrailingStop,
            OrderType::Iceberg,
            OrderType::Pegged,
        ];
        terms.order_type =
            types.get(usize::from(ask.order_type)).copied().unwrap_or(OrderType::Limit);
        terms.trigger = side.inward(price, 20);
        if terms.order_type == OrderType::TakeProfit {
            terms.trigger = side.inward(price, -20);
        }
        terms.offset = Ticks(ask.distance.abs());
        terms.display = Lots(1 + ask.qty / 5);
        terms.time_in_force = match ask.options & 3 {
            0 => TimeInForce::Ioc,
            1 if ask.which.is_multiple_of(4) => TimeInForce::Fok,
            2 => TimeInForce::Gtd,
            _ => TimeInForce::Gtc,
        };
        terms.expire_ns = now + 1_000_000_000;
        if ask.options & 4 != 0 {
            terms.flags = if ask.which.is_multiple_of(2) {
                OrderFlags::POST_ONLY
            } else {
                OrderFlags::REDUCE_ONLY
            };
        }
        terms
    }

    /// Timers of ours that are due.
    fn timers(&mut self, now: TimeNs) {
        while let Some(at) = self.market.next_timer_ns().filter(|at| *at <= now) {
            self.market.on_timer(at, &mut self.answers);
            self.absorb();
        }
    }

    /// What we were told adds up: fills to the position, and every order that ended is gone.
    fn check_account(&self) {
        let mut position = 0;
        let mut sides = std::collections::HashMap::new();
        for (row, _) in &self.rows {
            if is_ours(row.order_id) {
                sides.insert(row.order_id, row.market.side());
            }
        }
        let traded: i64 = self
            .rows
            .iter()
            .filter(|(row, _)| row.market.kind == RowKind::OrderExecute as u8)
            .filter(|(row, _)| is_ours(row.order_id))
            .map(|(row, _)| row.market.side().sign() * row.market.qty_lots)
            .sum();
        let mut taken = 0;
        for event in &self.answers {
            if let VenueEventKind::Filled { qty, maker, .. } = event.kind {
                if maker {
                    position += sides[&our_id(event.order).0].sign() * qty.0;
                } else {
                    taken += qty.0;
                }
            }
        }
        assert_eq!(position, traded, "fills as maker are the executions that everybody sees");
        let net = self.market.tape.position.0 - position;
        assert!(net.abs() <= taken, "the rest of the position was taken");
        for own in self.market.tape.own.iter().filter(|own| own.resting) {
            assert_eq!(self.shown.order(our_id(own.id).0).unwrap().qty, own.shown);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(24) })]

    /// Whatever we do among a recording's orders, what is published is the engine's book.
    #[test]
    fn what_is_published_is_the_engines_book(asks in asks(), seed in 0_u64..50) {
        let mut rig = Rig::recorded();
        let mut asks = asks.iter();
        let mut until = 0;
        for row in Flow::new(&generated(seed, 0.02)).unwrap() {
            let order = order_row(row.exch_ns, row.kind, row.flags, row.qty, row.order_id);
            rig.timers(row.exch_ns);
            rig.row(&order, row.price);
            until += 1;
            if order.market.ends_message() && until > 40 {
                until = 0;
                let Some(ask) = asks.next() else { break };
                rig.ask(row.exch_ns + 1, ask);
            }
        }
        rig.check_account();
    }
}

proptest! {
    // Every case makes a market of its own, whose warm-up takes long.
    #![proptest_config(ProptestConfig { max_shrink_iters: 50, ..ProptestConfig::with_cases(12) })]

    /// The same among agents, whose book is the engine's at every step.
    #[test]
    fn agents_see_the_engines_book(asks in asks(), seed in 0_u64..1_000) {
        let mut rig = Rig::crowd(seed);
        let mut asks = asks.iter();
        let mut steps = 0;
        loop {
            let now = rig.market.next_act_ns(mainspring_sim::flow::DEFAULT_START_NS);
            rig.timers(now);
            rig.market.act(now, &mut rig.answers);
            rig.absorb();
            steps += 1;
            if steps % 30 == 0 {
                let Some(ask) = asks.next() else { break };
                rig.ask(now, ask);
            }
            if steps % 100 == 0 {
                same_as_agents(&rig);
            }
        }
        same_as_agents(&rig);
        rig.check_account();
        prop_assert_eq!(rig.market.tape.refused, 0);
    }
}

/// Every queue in sight: the agents' orders by id, ours as ours. Where ours came into sight late the
/// places in the queue may differ, who stands there with what may not.
fn same_as_agents(rig: &Rig) {
    let Some(Others::Crowd(crowd)) = &rig.market.others else { panic!("no agents") };
    let mut theirs = Vec::new();
    crowd.agents.resting(|order| {
        let id = if order.outside { 0 } else { order.id };
        theirs.push((order.side, order.tick, id, order.lots));
    });
    let mut agents = crowd.agents.clone();
    let engine = queues(rig.market.engine.orders());
    let mut engine: Vec<_> = engine
        .into_iter()
        .map(|(side, price, id, lots)| (side, price, if is_ours(id) { 0 } else { id }, lots))
        .filter(|(_, price, id, _)| *id != 0 || agents.market().is_in_sight(*price))
        .collect();
    for book in [&mut theirs, &mut engine] {
        for level in book.chunk_by_mut(|a, b| (a.0, a.1) == (b.0, b.1)) {
            if crowd.sees_late(level[0].0, level[0].1) {
                level.sort_unstable_by_key(|order| (order.2, order.3));
            }
        }
    }
    let differs = theirs.iter().zip(&engine).find(|(theirs, engine)| theirs != engine);
    assert!(differs.is_none(), "agents see {:?}", differs);
    assert_eq!(theirs.len(), engine.len());
}

#[test]
fn a_large_taker_moves_a_generated_market_and_the_agents_answer() {
    let run = |lots: i64| {
        let mut rig = Rig::crowd(4);
        let (mut mids, mut sent) = (Vec::new(), false);
        let start = mainspring_sim::flow::DEFAULT_START_NS;
        loop {
            let now = rig.market.next_act_ns(start);
            if now > start + 30_000_000_000 {
                break;
            }
            rig.market.act(now, &mut rig.answers);
            rig.absorb();
            if now > start + 5_000_000_000 && !sent {
                sent = true;
                if lots > 0 {
                    rig.order(now, OrderTerms::market(ID, Side::Buy, Lots(lots)));
                }
            }
            mids.push((now - start, rig.shown.l2().mid2().unwrap_or(0)));
        }
        mids
    };
    let at = |mids: &[(i64, i64)], s: i64| {
        mids.iter().rev().find(|(t, _)| *t <= s * 1_000_000_000).unwrap().1
    };
    let (alone, with_us) = (run(0), run(40_000));
    assert_eq!(at(&alone, 5), at(&with_us, 5), "the same market until we act");
    let impact = at(&with_us, 6) - at(&alone, 6);
    assert!(impact > 0, "bought 40,000 lots: {impact} half ticks a second later");
    assert_ne!(alone.len(), with_us.len(), "agents act at other times after it");
    assert_eq!(run(40_000), with_us, "the same again");
}
