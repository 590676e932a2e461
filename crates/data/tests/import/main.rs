//! Importers: on hand-made inputs, on damaged ones, and on real recordings where those are present.

mod binance;
mod feeds;
mod hftbacktest;
mod lobster;
mod support;
mod tables;
mod vendors;
