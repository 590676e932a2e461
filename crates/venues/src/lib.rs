//! Venue codecs: bytes to market events and account facts, and requests to signed bytes.
//!
//! A codec is pure: no file, no socket, no clock. Market messages become prices and quantities as they
//! stand in the text ([`mainspring_core::Decimal`]), or rows in ticks and lots; the rules of a venue's
//! book sequence are beside its codec. Every venue is one folder and one row of [`table`].

pub mod amount;
pub mod binance;
pub mod bybit;
pub mod civil;
pub mod client_id;
pub mod digits;
pub mod document;
pub mod dydx;
pub mod envelope;
pub mod fact;
pub mod failure;
pub mod feed;
pub mod follow;
mod form;
mod hmac;
pub mod hyperliquid;
pub mod json;
pub mod kraken;
pub mod level;
pub mod listing;
pub mod mark;
mod numerals;
pub mod okx;
pub mod operation;
pub mod outgoing;
pub mod params;
pub mod relayed;
pub mod reports;
pub mod rows;
pub mod rules;
pub mod secp256k1;
pub mod secret;
pub mod session;
pub mod sign;
pub mod table;
pub mod venue;

pub use json::Refusal;
pub use level::Level;
