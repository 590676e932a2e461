//! A recording as the market of the served exchange: its book is the recording's, members' orders
//! stand in its queues, and what it cannot say halts the market.

#[allow(dead_code, reason = "each test uses a part")]
mod recorded;

use mainspring_core::event::{flags, RowKind};
use mainspring_core::order::{OrderTerms, OrderType, Side, TimeInForce};
use mainspring_core::{Error, ErrorKind, Lots, Ticks};
use mainspring_exchange::TradingStatus;
use mainspring_exchange_server::recording::{Pace, Recording};
use mainspring_exchange_server::{Server, ServerConfig};
use mainspring_sim::flow::Level;

use recorded::{order_row, row, File, Plain, Row, Served, AT_PACE, MARKET, OPENED};

fn limit(side: Side, price: i64, qty: i64) -> OrderTerms {
    OrderTerms::limit(MARKET, side, Ticks(price), Lots(qty))
}

/// The engine's book beside one of plain maps, after every message of generated flow.
fn compare(level: Level) {
    let rows = recorded::generated(level, 3, 0.03);
    let mut served = Served::of(&rows, level == Level::Orders, AT_PACE);
    let mut plain = Plain::default();
    let mut messages = 0;
    for message in rows.chunk_by(|one, _| one.bits & flags::END_OF_MESSAGE == 0) {
        message.iter().for_each(|row| plain.apply(row));
        assert!(served.step());
        for side in [Side::Buy, Side::Sell] {
            assert_eq!(served.levels(side), plain.levels(side), "message {messages}");
        }
        messages += 1;
    }
    assert!(messages > 1_000 && plain.trades.len() > 50, "{messages} {}", plain.trades.len());
    assert_eq!(served.heard.prints, plain.trades, "every trade once, as it was recorded");
    let numbers = &served.heard.numbers;
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "trades are numbered apart");
    served.assert_conserved();
}

#[test]
fn the_book_of_a_recording_of_orders_is_served_message_by_message() {
    compare(Level::Orders);
}

#[test]
fn the_book_of_a_recording_of_levels_is_served_message_by_message() {
    compare(Level::Depth);
}

/// Members' orders at every turn, beside either kind of recording: nothing is made or lost, and what
/// they leave behind is gone when the levels are set again.
#[test]
fn members_among_a_recording_lose_and_make_no_money_together() {
    for level in [Level::Orders, Level::Depth] {
        let rows = recorded::generated(level, 5, 0.03);
        let mut served = Served::of(&rows, level == Level::Orders, AT_PACE);
        let mut placed = Vec::new();
        let mut steps = 0_i64;
        while served.step() {
            steps += 1;
            let side = if steps % 2 == 0 { Side::Buy } else { Side::Sell };
            let best = served.exchange.markets()[0].levels().best(side);
            let Some(best) = best.filter(|_| steps % 3 == 0) else { continue };
            let into = if side == Side::Buy { 1 } else { -1 };
            let terms = match steps % 5 {
                0 => OrderTerms {
                    time_in_force: TimeInForce::Ioc,
                    ..limit(side, best.0 + 40 * into, 900)
                },
                1 => OrderTerms { order_type: OrderType::Pegged, ..limit(side, best.0, 300) },
                2 => OrderTerms {
                    order_type: OrderType::Stop,
                    trigger: Ticks(best.0 + 30 * into),
                    ..OrderTerms::market(MARKET, side, Lots(200))
                },
                _ => limit(side, best.0 - (steps % 4) * into, 500),
            };
            placed.push(served.send(terms));
            if placed.len() > 12 {
                let oldest = placed.remove(0);
                served.cancel(oldest);
            }
            if steps % 60 == 0 {
                served.assert_conserved();
            }
        }
        let maker_fills = served.heard.fills.iter().filter(|fill| fill.3 && fill.0 .0 < 1 << 60);
        assert!(maker_fills.count() > 10, "{level:?}");
        served.assert_conserved();
    }
}

/// Bids of 5,000 and 7,000 lots at 100,000 in two orders, asks at 100,010.
fn queue_of_orders(more: &[Row]) -> Served {
    use RowKind::OrderAdd;
    let mut rows = vec![
        order_row(0, OrderAdd, Side::Buy, 100_000, 5_000, 1),
        order_row(1, OrderAdd, Side::Buy, 100_000, 7_000, 2),
        order_row(2, OrderAdd, Side::Sell, 100_010, 9_000, 3),
    ];
    rows.extend_from_slice(more);
    let mut served = Served::of(&rows, true, AT_PACE);
    served.steps(3);
    served
}

#[test]
fn an_order_stands_in_the_very_queue_of_recorded_orders() {
    use RowKind::{OrderAdd, OrderDelete, OrderExecute};
    let mut served = queue_of_orders(&[
        order_row(3, OrderAdd, Side::Buy, 100_000, 8_000, 4),
        order_row(4, OrderDelete, Side::Buy, 100_000, 5_000, 1),
        order_row(5, OrderExecute, Side::Buy, 100_000, 7_000, 2),
        order_row(6, OrderExecute, Side::Buy, 100_000, 2_000, 4),
        order_row(7, OrderExecute, Side::Buy, 100_000, 6_000, 4),
    ]);
    let ours = served.send(limit(Side::Buy, 100_000, 3_000));
    assert_eq!(served.ahead(ours), 12_000);
    served.steps(1);
    assert_eq!(served.ahead(ours), 12_000, "who comes later stands behind");
    served.steps(1);
    assert_eq!(served.ahead(ours), 7_000, "who leaves in front makes room");
    served.steps(1);
    assert_eq!((served.ahead(ours), served.left(ours)), (0, 3_000));
    served.steps(1);
    assert_eq!(served.fills(ours), [(100_000, 2_000, true)]);
    served.steps(1);
    assert_eq!(served.fills(ours), [(100_000, 2_000, true), (100_000, 1_000, true)]);
    assert_eq!(served.levels(Side::Buy), [(100_000, 3_000)], "the recording's keep what we took");
    served.assert_conserved();
}

#[test]
fn what_a_member_takes_of_recorded_orders_is_gone() {
    let execute = order_row(3, RowKind::OrderExecute, Side::Sell, 100_010, 9_000, 3);
    let mut served = queue_of_orders(&[execute]);
    let ours = served.send(limit(Side::Buy, 100_010, 4_000));
    assert_eq!(served.fills(ours), [(100_010, 4_000, false)]);
    assert_eq!(served.levels(Side::Sell), [(100_010, 5_000)]);
    served.steps(1);
    assert!(served.levels(Side::Sell).is_empty(), "the recorded taker found 5,000");
    served.assert_conserved();
}

#[test]
fn a_taker_who_is_shown_as_an_order_trades_once() {
    use RowKind::{OrderAdd, OrderExecute, OrderModify};
    let mut served = queue_of_orders(&[
        order_row(3, OrderAdd, Side::Buy, 100_020, 4_000, 9),
        order_row(4, OrderExecute, Side::Sell, 100_010, 4_000, 3),
        order_row(4, OrderModify, Side::Buy, 100_020, 0, 9),
        order_row(5, OrderExecute, Side::Sell, 100_010, 1_000, 3),
    ]);
    served.steps(1);
    assert_eq!(served.levels(Side::Sell), [(100_010, 5_000)], "he trades when he comes");
    served.steps(2);
    assert_eq!(served.levels(Side::Sell), [(100_010, 5_000)], "and not again when it is told");
    served.steps(1);
    assert_eq!(served.levels(Side::Sell), [(100_010, 4_000)]);
    assert_eq!(served.heard.prints, [(Side::Buy, 100_010, 4_000), (Side::Buy, 100_010, 1_000)]);
    served.assert_conserved();
}

/// A level of 10,000 lots, bid at 100,000, and an ask above.
fn level_of_lots(more: &[Row]) -> Served {
    let mut rows = vec![
        row(0, RowKind::Depth, Side::Buy, 100_000, 10_000),
        row(1, RowKind::Depth, Side::Sell, 100_010, 8_000),
    ];
    rows.extend_from_slice(more);
    let mut served = Served::of(&rows, false, AT_PACE);
    served.steps(2);
    served
}

#[test]
fn a_recorded_level_gives_way_around_an_order_as_the_queue_model_says() {
    use RowKind::{Depth, Trade};
    let mut served = level_of_lots(&[
        row(2, Depth, Side::Buy, 100_000, 30_000),
        row(3, Depth, Side::Buy, 100_000, 24_000),
        row(4, Trade, Side::Sell, 100_000, 4_000),
        row(5, Depth, Side::Buy, 100_000, 20_000),
        row(6, Trade, Side::Sell, 100_000, 6_000),
        row(7, Depth, Side::Buy, 100_000, 14_000),
    ]);
    let ours = served.send(limit(Side::Buy, 100_000, 1_500));
    assert_eq!(served.ahead(ours), 10_000);
    served.steps(1);
    assert_eq!(served.ahead(ours), 10_000, "a level grows behind us");
    served.steps(1);
    // 6,000 of 30,000 leave: 10,000 in front, 20,000 behind; 1/9 of them from in front.
    let front = 10_000.0 - 6_000.0 / 9.0_f64;
    assert_eq!(served.ahead(ours), front.ceil() as i64);
    assert_eq!(served.levels(Side::Buy), [(100_000, 25_500)]);
    let before = served.ahead(ours);
    served.steps(1);
    assert_eq!(served.ahead(ours), before - 4_000, "a taker took those in front");
    assert_eq!(served.levels(Side::Buy), [(100_000, 25_500)], "the level says so later");
    served.steps(1);
    assert_eq!(served.ahead(ours), before - 4_000, "and is not counted twice");
    assert_eq!(served.levels(Side::Buy), [(100_000, 21_500)]);
    assert!(served.fills(ours).is_empty());
    served.steps(1);
    assert_eq!(served.fills(ours), [(100_000, 6_000 - (before - 4_000), true)]);
    assert_eq!(served.heard.prints.iter().map(|print| print.2).sum::<i64>(), 10_000);
    served.assert_conserved();
}

#[test]
fn what_a_member_takes_of_a_level_is_gone_until_it_is_set_again() {
    let mut served = level_of_lots(&[
        row(2, RowKind::Depth, Side::Sell, 100_020, 500),
        row(3, RowKind::Depth, Side::Sell, 100_010, 8_000),
    ]);
    let ours = served.send(limit(Side::Buy, 100_010, 3_000));
    assert_eq!(served.fills(ours), [(100_010, 3_000, false)]);
    served.steps(1);
    assert_eq!(served.levels(Side::Sell), [(100_010, 5_000), (100_020, 500)]);
    served.steps(1);
    assert_eq!(served.levels(Side::Sell), [(100_010, 8_000), (100_020, 500)]);
    served.assert_conserved();
}

#[test]
fn a_level_or_a_trade_that_reaches_an_order_fills_it_at_its_price() {
    let mut served = level_of_lots(&[
        row(2, RowKind::Trade, Side::Sell, 99_990, 600),
        row(3, RowKind::Depth, Side::Sell, 100_002, 700),
    ]);
    let ours = served.send(limit(Side::Buy, 100_005, 1_000));
    served.steps(1);
    assert_eq!(served.fills(ours), [(100_005, 600, true)], "the taker met the better price first");
    assert_eq!(served.levels(Side::Buy), [(100_005, 400), (100_000, 10_000)]);
    served.steps(1);
    assert_eq!(served.fills(ours), [(100_005, 600, true), (100_005, 400, true)]);
    assert_eq!(served.levels(Side::Sell), [(100_002, 300), (100_010, 8_000)]);
    served.assert_conserved();
}

#[test]
fn a_stop_sees_a_trade_in_the_book_as_it_is_after_it() {
    let mut served = level_of_lots(&[row(2, RowKind::Trade, Side::Sell, 99_990, 600)]);
    let resting = served.send(limit(Side::Buy, 99_990, 100));
    let stop = served.send(OrderTerms {
        order_type: OrderType::Stop,
        trigger: Ticks(99_995),
        ..OrderTerms::market(MARKET, Side::Sell, Lots(2_000))
    });
    assert!(served.fills(stop).is_empty());
    served.steps(1);
    // The recording's bid at 100,000 is there again when the stop takes.
    assert_eq!(served.fills(stop), [(100_000, 2_000, false)]);
    assert_eq!(served.fills(resting), [(99_990, 100, true)]);
    served.assert_conserved();
}

#[test]
fn levels_that_cross_each_other_are_never_served_and_heal() {
    let mut served = level_of_lots(&[
        row(2, RowKind::Depth, Side::Buy, 100_010, 100),
        row(3, RowKind::Depth, Side::Buy, 100_010, 0),
        row(4, RowKind::Best, Side::Sell, 100_015, 70),
        row(5, RowKind::Best, Side::Buy, 99_995, 60),
    ]);
    served.steps(1);
    assert_eq!(served.levels(Side::Buy), [(100_010, 100), (100_000, 10_000)]);
    assert!(served.levels(Side::Sell).is_empty(), "the newer level stands");
    served.steps(1);
    assert_eq!(served.levels(Side::Buy), [(100_000, 10_000)]);
    assert_eq!(served.levels(Side::Sell), [(100_010, 8_000)]);
    assert!(served.heard.prints.is_empty(), "nobody traded with himself");
    served.steps(2);
    assert_eq!(served.levels(Side::Sell), [(100_015, 70)], "a best price ends what was better");
    assert_eq!(served.levels(Side::Buy), [(99_995, 60)]);
}

#[test]
fn a_gap_halts_the_market_until_the_next_snapshot() {
    let snapshot = |ms, side, price, qty, bits| Row {
        bits: bits | flags::SNAPSHOT | row(0, RowKind::Depth, side, 1, 1).bits & flags::ASK,
        ..row(ms, RowKind::Depth, side, price, qty)
    };
    let mut served = level_of_lots(&[
        row(2, RowKind::Gap, Side::Buy, 0, 0),
        row(3, RowKind::Depth, Side::Buy, 100_000, 1),
        row(4, RowKind::Trade, Side::Sell, 100_000, 9),
        snapshot(5, Side::Buy, 99_000, 40, 0),
        snapshot(5, Side::Sell, 99_010, 50, flags::END_OF_MESSAGE),
        row(6, RowKind::Status, Side::Buy, 0, 0),
        row(7, RowKind::Depth, Side::Buy, 98_999, 7),
        row(8, RowKind::Status, Side::Buy, 0, 1),
        row(9, RowKind::Trade, Side::Buy, 99_010, 1),
    ]);
    let status = |served: &Served| served.exchange.markets()[0].status();
    let ours = served.send(limit(Side::Buy, 99_005, 10));
    served.steps(1);
    assert_eq!(status(&served), TradingStatus::Halted);
    let refused = served.send(limit(Side::Buy, 99_001, 10));
    assert_eq!(served.left(refused), 0);
    served.steps(2);
    assert_eq!(served.levels(Side::Buy), [(100_000, 10_000), (99_005, 10)], "nothing moves");
    assert!(served.heard.prints.is_empty());
    served.steps(1);
    assert_eq!(status(&served), TradingStatus::Open);
    assert_eq!(served.levels(Side::Buy), [(99_005, 10), (99_000, 40)]);
    assert_eq!(served.levels(Side::Sell), [(99_010, 50)]);
    served.steps(1);
    assert_eq!(status(&served), TradingStatus::Halted);
    served.cancel(ours);
    served.steps(1);
    assert_eq!(served.levels(Side::Buy), [(99_000, 40)]);
    served.steps(1);
    assert_eq!(status(&served), TradingStatus::Open);
    assert_eq!(served.levels(Side::Buy), [(99_000, 40), (98_999, 7)], "the book as it is by then");
}

#[test]
fn a_market_that_was_halted_by_hand_opens_with_the_book_of_that_time() {
    let mut served = level_of_lots(&[
        row(2, RowKind::Depth, Side::Buy, 99_990, 60),
        row(3, RowKind::Depth, Side::Buy, 100_000, 0),
        row(900_000, RowKind::Trade, Side::Buy, 100_010, 1),
    ]);
    let Served { exchange, heard, .. } = &mut served;
    exchange.set_status(MARKET, TradingStatus::Halted, OPENED, heard).unwrap();
    served.steps(2);
    assert_eq!(served.levels(Side::Buy), [(100_000, 10_000)], "it stands still");
    let Served { exchange, house, heard, .. } = &mut served;
    exchange.set_status(MARKET, TradingStatus::Open, OPENED, heard).unwrap();
    assert_eq!(house.advance(exchange, OPENED + 1_000_000_000, 100, heard), 0);
    assert_eq!(served.levels(Side::Buy), [(99_990, 60)]);
}

#[test]
fn without_recorded_marks_the_middle_of_the_book_is_the_mark() {
    let mut served = level_of_lots(&[
        row(1_500, RowKind::Depth, Side::Sell, 100_010, 0),
        row(2_000, RowKind::Depth, Side::Sell, 100_007, 90),
        row(2_100, RowKind::Mark, Side::Buy, 99_000, 0),
        row(9_000, RowKind::Depth, Side::Sell, 100_005, 90),
    ]);
    let mark = |served: &Served| served.exchange.markets()[0].mark().map(|mark| mark.0);
    let ticks = 1_000_000_000;
    assert_eq!(mark(&served), Some(100_005 * ticks));
    served.steps(1);
    assert_eq!(mark(&served), Some(100_005 * ticks), "half a book has no middle");
    served.steps(1);
    assert_eq!(mark(&served), Some((100_003 * ticks) + ticks / 2));
    served.steps(1);
    assert_eq!(mark(&served), Some(99_000 * ticks));
    served.steps(1);
    assert_eq!(mark(&served), Some(99_000 * ticks), "the recording tells its own");
}

#[test]
fn at_its_end_a_market_halts_or_begins_again() {
    let mut served = level_of_lots(&[row(2, RowKind::Trade, Side::Buy, 100_010, 5)]);
    let ours = served.send(limit(Side::Buy, 99_000, 10));
    served.steps(1);
    assert!(!served.step());
    assert!(served.house.progress().ended && served.house.progress().error.is_none());
    assert_eq!(served.exchange.markets()[0].status(), TradingStatus::Halted);
    assert_eq!(served.left(ours), 10);
    served.cancel(ours);
    assert_eq!(served.left(ours), 0, "cancels work");

    let rows = [
        row(0, RowKind::Depth, Side::Buy, 100_000, 10_000),
        row(9, RowKind::Depth, Side::Buy, 99_000, 5),
    ];
    let mut served = Served::of(&rows, false, Pace { looped: true, ..AT_PACE });
    let ours = served.send(limit(Side::Buy, 99_500, 10));
    served.steps(2);
    assert!(!served.step(), "it begins again");
    assert_eq!(served.levels(Side::Buy), [(99_500, 10)], "members' orders stay");
    served.steps(1);
    assert_eq!(served.levels(Side::Buy), [(100_000, 10_000), (99_500, 10)]);
    assert_eq!(served.left(ours), 10);
    assert_eq!(served.house.progress().laps, 1);
}

#[test]
fn it_runs_at_its_own_pace() {
    let rows = [
        row(0, RowKind::Depth, Side::Buy, 100_000, 1),
        row(1_000, RowKind::Depth, Side::Buy, 100_000, 2),
        row(3_000, RowKind::Depth, Side::Buy, 100_000, 3),
    ];
    let pace = Pace { warm_up_ns: 1_000_000_000, speed: 4.0, ..AT_PACE };
    let mut served = Served::of(&rows, false, pace);
    for (after_ms, lots) in [(0, 2), (499, 2), (500, 3)] {
        let until = OPENED + after_ms * 1_000_000;
        let Served { exchange, house, heard, .. } = &mut served;
        house.advance(exchange, until, 100, heard);
        assert_eq!(served.levels(Side::Buy), [(100_000, lots)], "{after_ms} ms");
    }
}

fn refusal(config: ServerConfig) -> Error {
    Server::start(&config).map(drop).unwrap_err()
}

#[test]
fn a_recording_that_cannot_be_served_is_refused_at_the_start() {
    let instrument = recorded::instrument();
    let rows = [row(0, RowKind::Depth, Side::Buy, 100_000, 1)];
    let file = File::of(&rows, false, &instrument);
    let of = |file: &File| ServerConfig {
        recording: vec![file.path()],
        warm_up_s: 0.0,
        ..Default::default()
    };
    let missing = ServerConfig { recording: vec!["nowhere.mse".into()], ..Default::default() };
    assert_eq!(refusal(missing).kind(), ErrorKind::NotFound);
    let still = refusal(ServerConfig { speed: 0.0, ..of(&file) });
    assert!(still.to_string().contains("speed"), "{still}");
    let late = refusal(ServerConfig { warm_up_s: 1e12, ..of(&file) });
    assert!(late.to_string().contains("warm_up_s"), "{late}");
    // Both kinds of the same instrument.
    let orders =
        File::of(&[order_row(0, RowKind::OrderAdd, Side::Buy, 9, 1, 1)], true, &instrument);
    let both = vec![file.path(), orders.path()];
    assert!(Recording::open(&both).unwrap_err().to_string().contains("give one of both"));
    // Prices that have no place at the venue.
    let mut fine = instrument.clone();
    fine.grids[0].tick = "0.0001".parse().unwrap();
    let fine = File::of(&rows, false, &fine);
    let error = refusal(ServerConfig { dialect: "hyperliquid".into(), ..of(&fine) });
    assert!(error.to_string().contains("not multiples"), "{error}");
    // A damaged row.
    let mut bytes = std::fs::read(&file.0).unwrap();
    let time = rows[0].time.to_le_bytes();
    let at = bytes.windows(8).position(|eight| eight == time).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file.0, &bytes).unwrap();
    assert_eq!(refusal(of(&file)).kind(), ErrorKind::Data);
}
