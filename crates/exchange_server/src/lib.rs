//! The built-in exchange as a server that speaks a venue's protocol, on one port of this machine.
//!
//! One lock holds the whole venue, and every request is carried out under it at once; what listeners
//! hear goes into a bounded queue for each connection, so that nobody waits for a slow one. Whose
//! protocol is spoken is a row of [`dialects::TABLE`].

pub mod asking;
pub mod config;
pub mod dialects;
pub mod faults;
pub mod fields;
pub mod flow;
pub mod hub;
pub mod limits;
pub mod load;
pub mod proof;
pub mod recording;
pub mod records;
pub mod section;
pub mod server;
pub mod socket;
pub mod tape;
pub mod text;
pub mod venue;

pub use config::ServerConfig;
pub use server::Server;
