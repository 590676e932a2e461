//! Venue codecs: bytes to market events.
//!
//! A codec turns one message of a venue into prices and quantities as they stand in the text
//! ([`mainspring_core::Decimal`]); the grid of the instrument turns those into ticks and lots. Codecs
//! hold no session and no file; sequence rules of a venue are beside its codec.

pub mod binance;
pub mod bybit;
pub mod feed;
pub mod hyperliquid;
pub mod json;
pub mod kraken;
pub mod level;
pub mod okx;

pub use json::Refusal;
pub use level::Level;
