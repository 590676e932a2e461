//! One error type for the engine: what went wrong, where, and how to fix it.

use std::fmt;

/// What sort of failure it is; Python maps each to a typed exception and an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A value that cannot be used: not a number, out of range, off the grid.
    Value,
    /// A file or an input stream that is not what it claims to be.
    Data,
    /// A file that is missing or cannot be read or written.
    Io,
    /// A configuration that does not fit together.
    Config,
    /// A strategy that failed or asked for something impossible.
    Strategy,
    /// An order or setting refused by risk.
    Risk,
    /// A stored run or journal that does not match what it should.
    Mismatch,
    /// A name that is not known: an instrument, a data set, a run.
    NotFound,
    /// A bounded structure is full.
    Capacity,
    /// The person asked to stop.
    Interrupted,
    /// A broken promise inside the engine; please report it.
    Internal,
}

/// A failure with one clear message.
///
/// One pointer wide, so that a result without a value is handed up in a register: every step of the
/// engine returns one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failure>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    kind: ErrorKind,
    message: String,
}

/// The result of anything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind. The message says what, where and how to fix it.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { kind, message: message.into() }))
    }

    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The same failure with the place it happened in front.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self::new(self.0.kind, format!("{place}: {}", self.0.message))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, error.to_string())
    }
}
