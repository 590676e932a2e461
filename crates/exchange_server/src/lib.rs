//! The built-in exchange as a server: REST, market streams, user streams and the WebSocket API of
//! Binance spot and USD-M, on one port of this machine.
//!
//! One lock holds the whole venue, and every request is carried out under it at once; what listeners
//! hear goes into a bounded queue for each connection, so that nobody waits for a slow one.

pub mod account;
pub mod config;
pub mod error;
pub mod faults;
pub mod flow;
pub mod hub;
pub mod limits;
pub mod orders;
pub mod params;
pub mod public;
pub mod publish;
pub mod records;
pub mod render;
pub mod routes;
pub mod section;
pub mod server;
pub mod tape;
pub mod terms;
pub mod venue;
pub mod websocket;

pub use config::ServerConfig;
pub use server::Server;
