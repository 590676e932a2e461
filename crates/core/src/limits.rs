//! Hard ceilings: constants of the build. Configuration can only tighten them.

/// Largest drawdown from peak equity, in basis points (15 %).
pub const MAX_DRAWDOWN_BPS: u32 = 1_500;
/// Largest absolute position, in whole units of the instrument's base.
pub const MAX_POSITION_UNITS: i64 = 100_000;
/// Most strategies in one kernel.
pub const MAX_STRATEGIES: usize = 32;
/// Most open orders in one kernel.
pub const MAX_OPEN_ORDERS: usize = 10_000;
/// Most instruments in one kernel.
pub const MAX_INSTRUMENTS: usize = 1_024;
/// Most price levels a side in one desired quote.
pub const MAX_QUOTE_LEVELS: usize = 16;
/// Most actions one strategy callback may ask for.
pub const MAX_INTENTS_PER_CALL: usize = 64;
