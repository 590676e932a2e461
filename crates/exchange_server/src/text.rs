//! Numbers as venues write them.

use mainspring_core::decimal::format_scaled;
use mainspring_core::money::divide_half_even;

use crate::records::OrderRecord;
use crate::section::Symbol;

/// Quanta of money as text with eight decimals.
#[must_use]
pub fn money(quanta: i128) -> String {
    format_scaled(divide_half_even(quanta, 10_000_000_000).0, 8)
}

/// The average price of what has traded.
#[must_use]
pub fn average_price(symbol: &Symbol, order: &OrderRecord) -> String {
    let one = symbol.instrument.tick_value().unwrap_or(1).max(1);
    if order.filled.0 <= 0 {
        return symbol.price(0);
    }
    let scaled = order.quote * 100 / (one * i128::from(order.filled.0));
    let tick = symbol.instrument.tick();
    format_scaled(scaled * i128::from(tick.mantissa()), tick.scale() + 2)
}

/// Prices in parts of a tick as text with four decimals more than the tick.
#[must_use]
pub fn fine_price(symbol: &Symbol, ticks: f64) -> String {
    let tick = symbol.instrument.tick();
    format!("{:.*}", usize::from(tick.scale()) + 4, ticks * tick.to_f64())
}
