//! Connections to venues.
//!
//! Sessions of `mainspring-venues` say what they want open, sent and asked, and hold no socket; this
//! crate does it. One [`io`] thread serves a group of venues: it never blocks on a socket, because
//! everything that takes long (names, TCP, proxies, TLS, upgrades) happens on threads that live as long
//! as one attempt. Every buffer is bounded, and no path, query, header or body is ever part of an error
//! or a log, because keys and signatures are there.

pub mod address;
pub mod ask;
pub mod backoff;
pub mod clear;
pub mod connect;
pub mod copies;
pub mod driver;
pub mod head;
pub mod http;
pub mod io;
pub mod lines;
pub mod pin;
pub mod proxy;
pub mod pulse;
pub mod record;
pub mod relay;
pub mod stream;
pub mod tls;
pub mod websocket;
