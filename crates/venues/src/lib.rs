//! Venue codecs: bytes to market events.
//!
//! A codec turns one message of a venue into prices and quantities as they stand in the text
//! ([`mainspring_core::Decimal`]); the grid of the instrument turns those into ticks and lots. Codecs
//! hold no session and no file; sequence rules of a venue are beside its codec.

pub mod binance;
pub mod json;
pub mod level;

pub use json::Refusal;
pub use level::Level;
