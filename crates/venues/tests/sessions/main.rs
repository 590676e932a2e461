//! Dialogues with venues, played through sessions that have no socket and no clock.

mod binance_market;
mod binance_orders;
mod binance_restart;
mod by_hand;
mod check;
mod conditional;
mod dydx_orders;
mod lists;
mod made_up;
mod others;
mod play;
mod races;
mod races_in_place;
mod rounds;
mod unheard;
