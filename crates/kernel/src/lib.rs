//! The single-writer loop that wires data, books, features, strategies and venues.
