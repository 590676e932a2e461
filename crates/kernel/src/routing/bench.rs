//! What a route costs.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use mainspring_book::{Consolidated, L2Book, VenueScale};
use mainspring_core::{Lots, Side, Ticks};
use mainspring_trading::execution::router::{
    best_route, RouteRequest, VenueTerms, MAX_ROUTE_VENUES,
};

use super::Taken;

/// Timed passes; the reported figure is their median.
const PASSES: usize = 31;

/// Levels of each book.
const LEVELS: i64 = 50;

/// Nanoseconds of a route over `venues` books with fees of their own: for a quantity that the best
/// level has, and the mean over quantities up to one that takes some twenty levels.
#[must_use]
pub fn route_ns(venues: usize, routes: usize) -> (f64, f64) {
    let venues = venues.clamp(1, MAX_ROUTE_VENUES);
    let books: Vec<L2Book> = (0..venues as i64).map(book).collect();
    let terms: Vec<VenueTerms> = (0..venues as i64).map(terms_of).collect();
    let small = [Lots(3); 16];
    let mixed: [Lots; 16] = std::array::from_fn(|i| Lots(5 + 25 * i as i64));
    (timed(&books, &terms, &small, routes), timed(&books, &terms, &mixed, routes))
}

/// A book whose best ask lies a few ticks beside the others', with uneven levels.
fn book(venue: i64) -> L2Book {
    let mut book = L2Book::default();
    for level in 0..LEVELS {
        let price = 1_000_000 + venue * 7 % 5 + level * (1 + venue % 3);
        book.set(Side::Sell, Ticks(price), Lots(4 + (level * 13 + venue * 29) % 37));
    }
    book
}

fn terms_of(venue: i64) -> VenueTerms {
    VenueTerms { fee: 200_000 + venue * 731 % 90, min_qty: Lots(1), ..VenueTerms::default() }
}

fn timed(books: &[L2Book], terms: &[VenueTerms], sizes: &[Lots; 16], routes: usize) -> f64 {
    let mut passes = [0.0; PASSES];
    for pass in &mut passes {
        let start = Instant::now();
        for n in 0..routes.max(1) {
            let request = RouteRequest::new(Side::Buy, sizes[n % sizes.len()]);
            let books = Consolidated::of_trusted(|venue| {
                books.get(venue).map(|book| (book, VenueScale::ONE))
            });
            let taken = Taken { books, side: Side::Sell };
            black_box(best_route(&request, terms, &taken));
        }
        *pass = start.elapsed().as_nanos() as f64 / routes.max(1) as f64;
    }
    passes.sort_by(f64::total_cmp);
    passes[PASSES / 2]
}
