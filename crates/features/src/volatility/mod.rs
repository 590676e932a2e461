//! Volatility from returns, bars, ticks and models.

pub mod ewma;
pub mod garch;
pub mod garch_fit;
pub mod range;
pub mod realized;
pub mod stochastic;

use mainspring_core::error::{Error, ErrorKind};

pub(crate) fn value_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, message)
}
