//! Strategies compiled with numba: called through a C pointer, without the interpreter.

mod abi;
mod host;
mod requests;
mod state;

pub use abi::compiled_layout;
pub use host::{CompiledHost, PyCompiledStrategy};
