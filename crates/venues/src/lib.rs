//! Venue codecs: bytes to market events.
