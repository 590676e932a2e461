//! Once the books have reached their working size, nothing is allocated any more.

use mainspring_book::{L2Book, L3Book, LadderConfig};
use mainspring_core::{Lots, Side, Ticks};
use mainspring_memory::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        ((self.0 >> 33) % bound) as i64
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }
}

/// A market that drifts, jumps far and back, is cleared and quoted.
fn drive_l2(book: &mut L2Book, rounds: i64) -> i64 {
    let mut draws = Draws(7);
    let mut sum = 0_i64;
    for n in 0..rounds {
        let mid = 1_000_000 + (n / 50) % 3_000 + if n % 7_000 < 900 { 50_000 } else { 0 };
        let side = draws.side();
        let reach = [10, 10, 300, 5_000][draws.below(4) as usize];
        let price = side.inward(Ticks(mid), -1 - draws.below(reach));
        book.set(side, price, Lots(draws.below(3)));
        if n % 10 == 0 {
            book.set_best(side.opposite(), side.inward(Ticks(mid), 1), Lots(3));
        }
        if n % 20_000 == 19_999 {
            book.clear();
        }
        let touched = book.levels(side).take(5).map(|(_, qty)| qty.0).sum::<i64>();
        sum = sum.wrapping_add(book.best_bid().0 ^ book.best_ask().0 ^ touched);
    }
    sum
}

#[test]
fn an_l2_book_stops_allocating() {
    let mut book = L2Book::new(LadderConfig { initial_window: 256, max_window: 4_096 });
    drive_l2(&mut book, 60_000);
    book.clear();
    let before = CountingAllocator::allocations();
    assert!(before > 0, "the counting allocator is not installed");
    assert_ne!(drive_l2(&mut book, 60_000), 0);
    assert_eq!(CountingAllocator::allocations() - before, 0);
}

fn drive_l3(book: &mut L3Book, rounds: u64, first_id: u64) -> usize {
    let mut draws = Draws(11);
    for n in 0..rounds {
        let id = first_id + n;
        let side = draws.side();
        let price = side.inward(Ticks(5_000 + n as i64 / 100), -1 - draws.below(40));
        book.add(id, side, price, Lots(1 + draws.below(9))).expect("a new id");
        let other = id.saturating_sub(draws.below(600) as u64);
        // Many of these are gone already, which is part of the mix.
        let _ = match draws.below(4) {
            0 => book.delete(other),
            1 => book.execute(other, Lots(1 + draws.below(9))),
            2 => book.modify(other, price, Lots(draws.below(9))),
            _ => book.set_anonymous(side, price, Lots(draws.below(9))),
        };
        if n >= 800 {
            let _ = book.delete(id - 800);
        }
    }
    book.len()
}

#[test]
fn an_l3_book_stops_allocating() {
    let mut book = L3Book::default();
    drive_l3(&mut book, 20_000, 0);
    book.clear();
    drive_l3(&mut book, 20_000, 1_000_000);
    book.clear();
    let before = CountingAllocator::allocations();
    assert!(drive_l3(&mut book, 20_000, 2_000_000) > 100);
    assert_eq!(CountingAllocator::allocations() - before, 0);
}
