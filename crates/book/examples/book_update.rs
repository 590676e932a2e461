//! Prints the cost of a book update as JSON: `cargo run --release --example book_update [N]`.

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let (ours, floor) = mainspring_book::bench::book_update(count);
    println!(
        "{{\"name\":\"book_update\",\"metric\":\"ns_per_update\",\"unit\":\"ns\",\"value\":{ours:.2},\
         \"peer\":\"floor\",\"peer_value\":{floor:.2},\"ratio\":{:.3}}}",
        floor / ours
    );
}
