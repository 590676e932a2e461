//! Hyperliquid: `l2Book` (always the whole visible book) and `trades`.

mod market;

pub use market::decode;
