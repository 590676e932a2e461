//! Feeds of paper sessions: what the built-in exchange publishes is what it matched.

use mainspring_book::L2Book;
use mainspring_core::event::{flags, RowKind};
use mainspring_core::{InstrumentId, Side};
use mainspring_live::feed::{FeedSource, Generated, Matched, Message};
use mainspring_sim::flow::{FlowConfig, Level};

fn flow(seed: u64, level: Level) -> FlowConfig {
    FlowConfig::of_presets(&["btcusdt", "ethusdt"], 0.05, seed, level).unwrap()
}

/// Every message of a source.
fn all(source: &mut dyn FeedSource) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut message = Message::default();
    while source.next(&mut message).unwrap() {
        messages.push(message.clone());
    }
    messages
}

#[test]
fn the_engine_matches_as_the_generator_meant_it() {
    for seed in 1..4 {
        let mut exchange = Matched::new(&flow(seed, Level::Orders)).unwrap();
        let messages = all(&mut exchange);
        assert_eq!(exchange.refused(), 0);
        assert!(messages.len() > 1_000);
    }
}

#[test]
fn published_levels_build_the_engine_s_book() {
    let mut exchange = Matched::new(&flow(5, Level::Orders)).unwrap();
    let mut books = [L2Book::default(), L2Book::default()];
    let mut message = Message::default();
    let (mut compared, mut last_ns) = (0, i64::MIN);
    while exchange.next(&mut message).unwrap() {
        assert!(message.at_ns >= last_ns);
        last_ns = message.at_ns;
        let ends = message.rows.iter().filter(|row| row.ends_message()).count();
        assert_eq!((ends, message.rows.last().unwrap().ends_message()), (1, true));
        let book = &mut books[message.instrument.index()];
        message.rows.iter().for_each(|row| book.apply(row, message.base));
        let crossed = book.best(Side::Buy).zip(book.best(Side::Sell)).is_some_and(|(b, a)| b >= a);
        assert!(!crossed, "at {last_ns}");
        if message.rows[0].flags & flags::SNAPSHOT != 0 {
            let engine = exchange.levels(message.instrument).unwrap();
            for side in [Side::Buy, Side::Sell] {
                assert!(book.levels(side).eq(engine.levels(side)));
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
    // Levels that changed after the last message are still to be published.
    for (index, book) in books.iter().enumerate() {
        let engine = exchange.levels(InstrumentId(index as u16)).unwrap();
        let mut differ = 0;
        for side in [Side::Buy, Side::Sell] {
            differ += engine.levels(side).filter(|(p, q)| book.qty(side, *p) != *q).count();
        }
        assert!(differ < 100, "{differ} levels differ");
    }
}

#[test]
fn trades_are_those_of_the_generator() {
    let volume = |source: &mut dyn FeedSource| {
        let messages = all(source);
        let rows = messages.iter().flat_map(|message| {
            message.rows.iter().map(|row| (message.instrument, row.price(message.base), *row))
        });
        rows.filter(|(_, _, row)| row.kind == RowKind::Trade as u8)
            .map(|(instrument, price, row)| {
                (instrument, price, row.flags & flags::ASK, row.qty_lots)
            })
            .collect::<Vec<_>>()
    };
    let matched = volume(&mut Matched::new(&flow(2, Level::Orders)).unwrap());
    let generated = volume(&mut Generated::new(&flow(2, Level::Depth)).unwrap());
    assert!(matched.len() > 100);
    assert_eq!(matched.len(), generated.len());
    for instrument in [InstrumentId(0), InstrumentId(1)] {
        let of = |all: &[(InstrumentId, _, u8, i64)]| {
            all.iter().filter(|one| one.0 == instrument).copied().collect::<Vec<_>>()
        };
        assert_eq!(of(&matched), of(&generated));
    }
}

#[test]
fn the_same_seed_gives_the_same_exchange() {
    let one = all(&mut Matched::new(&flow(3, Level::Orders)).unwrap());
    let two = all(&mut Matched::new(&flow(3, Level::Orders)).unwrap());
    assert!(one == two);
    let other = all(&mut Matched::new(&flow(4, Level::Orders)).unwrap());
    assert!(one != other);
}
