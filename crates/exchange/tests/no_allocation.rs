//! The exchange asks for no memory once it is warm.

mod instruments;

use mainspring_core::{InstrumentId, InstrumentKind};
use mainspring_exchange::bench::Tally;
use mainspring_exchange::load::{generate, Message, Scenario};
use mainspring_exchange::{AccountId, Exchange, Market, MarketConfig, Silence};
use mainspring_memory::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const COUNT: usize = 100_000;

#[test]
fn a_warm_market_allocates_nothing() {
    let instrument = instruments::plain(InstrumentKind::LinearPerpetual, "BTC", "USDT");
    for scenario in Scenario::ALL {
        let (before, messages) = generate(&instrument, scenario, COUNT, 3).unwrap();
        let config = MarketConfig { reserved_orders: 1 << 16, ..MarketConfig::default() };
        let mut market = Market::new(InstrumentId(0), &instrument, config).unwrap();
        let mut tally = Tally::default();
        let (warm_up, measured) = messages.split_at(COUNT / 2);
        for message in before.iter().chain(warm_up) {
            message.apply(&mut market, 0, &mut tally);
        }
        let start = CountingAllocator::allocations();
        measured.iter().for_each(|message| message.apply(&mut market, 1, &mut tally));
        assert_eq!(CountingAllocator::allocations(), start, "{}", scenario.name());
        assert!(tally.trades > 1_000 && tally.amended > 1_000 && tally.cancelled > 1_000);
    }
}

#[test]
fn a_warm_exchange_with_accounts_allocates_nothing() {
    let instrument = instruments::perpetual();
    let (before, messages) = generate(&instrument, Scenario::Normal, COUNT, 3).unwrap();
    let config = MarketConfig { reserved_orders: 1 << 16, ..MarketConfig::default() };
    let mut exchange = Exchange::new(std::slice::from_ref(&instrument), config).unwrap();
    for _ in 0..64 {
        let deposit = ("USDT".to_owned(), "100000000000".parse().unwrap());
        exchange.open_account(&[deposit]).unwrap();
    }
    let mut apply = |message: &Message| match *message {
        Message::New(order) => exchange.submit(order, 1, &mut Silence).unwrap(),
        Message::Cancel(id, account) => {
            exchange.cancel(InstrumentId(0), id, account, 1, &mut Silence).unwrap();
        }
        Message::Amend(id, account, price, qty) => {
            exchange.amend(InstrumentId(0), id, account, (price, qty), 1, &mut Silence).unwrap();
        }
    };
    let (warm_up, measured) = messages.split_at(COUNT / 2);
    before.iter().chain(warm_up).for_each(&mut apply);
    let start = CountingAllocator::allocations();
    measured.iter().for_each(apply);
    assert_eq!(CountingAllocator::allocations(), start);
    let traded =
        (0..64).any(|id| exchange.accounts().position(AccountId(id), InstrumentId(0)).0 != 0);
    assert!(traded && exchange.accounts().faults() == 0);
}
