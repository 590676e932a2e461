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
/// Drawdown from peak equity at which nothing can go on, in basis points (20 %): a gap went through
/// [`MAX_DRAWDOWN_BPS`].
pub const SHUTDOWN_DRAWDOWN_BPS: u32 = 2_000;
/// Largest leverage: gross exposure over equity.
pub const MAX_LEVERAGE: u32 = 125;
/// Most orders, cancels or messages that one rate limit counts.
pub const MAX_RATE_COUNT: u32 = 65_536;
