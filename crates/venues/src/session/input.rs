//! What a driver tells a session.

use mainspring_core::{InstrumentId, TimeNs};

/// A connection; the number is the session's and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// A request by HTTP; the number is the session's and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A timer; asking for it again moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(pub u64);

/// How far a request came that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing of it left: the venue cannot have done it.
    No,
    /// Some of it may have left: the venue may have done it.
    Perhaps,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A connection stands.
    Opened {
        /// Which.
        socket: SocketId,
    },
    /// A connection ended, or could not be made.
    Closed {
        /// Which.
        socket: SocketId,
        /// Why, for people.
        reason: &'a str,
    },
    /// A frame of data came.
    Frame {
        /// On which connection.
        socket: SocketId,
        /// All of it.
        bytes: &'a [u8],
        /// When it came.
        recv_ns: TimeNs,
    },
    /// The answer to a ping frame of ours.
    Pong {
        /// On which connection.
        socket: SocketId,
    },
    /// An answer by HTTP, whatever its status.
    Response {
        /// To which request.
        id: CallId,
        /// HTTP status.
        status: u16,
        /// Headers.
        headers: &'a [(&'a str, &'a str)],
        /// Body.
        body: &'a [u8],
    },
    /// A request by HTTP that has no answer and will not get one.
    Failed {
        /// Which.
        id: CallId,
        /// How far it came.
        sent: Sent,
        /// Why, for people.
        reason: &'a str,
    },
    /// The time of a timer came.
    Due {
        /// Which.
        timer: TimerId,
    },
    /// The kernel could not take rows of an instrument and marked a gap: its book is wanted again.
    RowsLost {
        /// Which.
        instrument: InstrumentId,
    },
}
