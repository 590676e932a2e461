//! What a compiled strategy reads and writes: two structs of 8-byte words, by version.
//!
//! The code that numba makes sees them as arrays of int64 and float64; `compiled_layout` tells it
//! which word is what, so that this file is the only place that says so.

use std::mem::{offset_of, size_of};

use mainspring_core::limits::{MAX_INTENTS_PER_CALL, MAX_QUOTE_LEVELS};
use pyo3::prelude::*;

/// Changes with every change of the structs below.
pub const VERSION: i64 = 2;
/// Where there is no price.
pub const NONE: i64 = i64::MIN;
/// Words that describe the event.
pub const EVENT_WORDS: usize = 8;
/// Most features of one compiled strategy.
pub const MAX_FEATURES: usize = 32;
/// Most levels of depth a side that it can read.
pub const MAX_DEPTH: usize = 16;
/// Words of one request.
pub const REQUEST_WORDS: usize = 16;
/// Ladders of levels that one callback can hold: two for the quote at hand, others by name.
pub const MAX_LADDERS: usize = 10;
/// Levels of all quotes of one callback; as many as the engine's own buffer has.
pub const MAX_LEVELS: usize = 2 * MAX_QUOTE_LEVELS * 8;

/// The market and the account at one event.
#[repr(C)]
pub struct Context {
    /// [`VERSION`].
    pub version: i64,
    /// Logical time.
    pub time_ns: i64,
    /// Index of the instrument.
    pub instrument: i64,
    /// Best bid, or [`NONE`].
    pub bid_ticks: i64,
    /// Best ask, or [`NONE`].
    pub ask_ticks: i64,
    /// Quantity at the best bid.
    pub bid_lots: i64,
    /// Quantity at the best ask.
    pub ask_lots: i64,
    /// Best bid plus best ask, or [`NONE`].
    pub mid2: i64,
    /// The strategy's position.
    pub position_lots: i64,
    /// A price is ticks times this ...
    pub tick_mantissa: f64,
    /// ... divided by this.
    pub tick_power: f64,
    /// A quantity is lots times this ...
    pub lot_mantissa: f64,
    /// ... divided by this.
    pub lot_power: f64,
    /// Price of the last trade, or [`NONE`].
    pub last_ticks: i64,
    /// Mark price, or NaN.
    pub mark: f64,
    /// Receive less exchange time of the last message.
    pub feed_latency_ns: i64,
    /// Average entry price, or NaN.
    pub entry_price: f64,
    /// Live orders of the strategy in the instrument.
    pub live_orders: i64,
    /// Id that the next order will get.
    pub next_order_id: i64,
    /// Bids in `bids`.
    pub bid_depth: i64,
    /// Asks in `asks`.
    pub ask_depth: i64,
    /// The trade, bar, fill, order or tag.
    pub event: [i64; EVENT_WORDS],
    /// Features in the strategy's order.
    pub features: [f64; MAX_FEATURES],
    /// Ticks and lots, best first.
    pub bids: [[i64; 2]; MAX_DEPTH],
    /// Ticks and lots, best first.
    pub asks: [[i64; 2]; MAX_DEPTH],
}

/// A list of quote levels: price and quantity.
#[repr(C)]
pub struct Ladder {
    /// Levels in it.
    pub count: i64,
    /// Price and quantity.
    pub levels: [[f64; 2]; MAX_QUOTE_LEVELS],
}

/// What the strategy asks for, in order.
#[repr(C)]
pub struct Requests {
    /// Requests in `list`.
    pub count: i64,
    /// Levels in `levels`.
    pub level_count: i64,
    /// Requests: a kind, then its arguments.
    pub list: [[i64; REQUEST_WORDS]; MAX_INTENTS_PER_CALL],
    /// Levels of the quotes: price and quantity.
    pub levels: [[f64; 2]; MAX_LEVELS],
    /// Ladders being made.
    pub ladders: [Ladder; MAX_LADDERS],
}

/// Word 0 of a request.
pub mod request {
    /// first level, bids, asks, exact, post_only.
    pub const QUOTE: i64 = 1;
    /// quantity, price, whether there is a price.
    pub const TARGET: i64 = 2;
    /// As in `host::read_order`.
    pub const PLACE: i64 = 3;
    /// id.
    pub const CANCEL: i64 = 4;
    /// Nothing more.
    pub const CANCEL_ALL: i64 = 5;
    /// id, price, quantity.
    pub const AMEND: i64 = 6;
    /// time, tag.
    pub const TIMER: i64 = 7;
    /// As in `requests::stop`.
    pub const STOP: i64 = 8;
    /// Nothing more.
    pub const REMOVE_STOPS: i64 = 9;
}

/// Which callback the entry point runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Callback {
    /// `on_book`
    Book = 1,
    /// `on_trade`
    Trade = 2,
    /// `on_bar`
    Bar = 3,
    /// `on_fill`
    Fill = 4,
    /// `on_order`
    Order = 5,
    /// `on_timer`
    Timer = 6,
}

/// A compiled strategy: numba's own calling convention for a function of these arguments that
/// returns an int32. The status is zero, or the callback has to be run again in Python.
///
/// Arguments: result, exception, callback, context twice (as int64 and as float64), requests twice,
/// own fields twice.
pub type Entry = unsafe extern "C" fn(
    *mut i32,
    *mut *const u8,
    i64,
    *const Context,
    *const Context,
    *mut Requests,
    *mut Requests,
    *mut u64,
    *mut u64,
) -> i32;

impl Context {
    /// An empty context.
    pub fn boxed() -> Box<Self> {
        Box::new(Self {
            version: VERSION,
            time_ns: 0,
            instrument: 0,
            bid_ticks: NONE,
            ask_ticks: NONE,
            bid_lots: 0,
            ask_lots: 0,
            mid2: NONE,
            position_lots: 0,
            tick_mantissa: 1.0,
            tick_power: 1.0,
            lot_mantissa: 1.0,
            lot_power: 1.0,
            last_ticks: NONE,
            mark: f64::NAN,
            feed_latency_ns: 0,
            entry_price: f64::NAN,
            live_orders: 0,
            next_order_id: 0,
            bid_depth: 0,
            ask_depth: 0,
            event: [0; EVENT_WORDS],
            features: [f64::NAN; MAX_FEATURES],
            bids: [[0; 2]; MAX_DEPTH],
            asks: [[0; 2]; MAX_DEPTH],
        })
    }
}

impl Requests {
    /// An empty buffer.
    pub fn boxed() -> Box<Self> {
        Box::new(Self {
            count: 0,
            level_count: 0,
            list: [[0; REQUEST_WORDS]; MAX_INTENTS_PER_CALL],
            levels: [[0.0; 2]; MAX_LEVELS],
            ladders: std::array::from_fn(|_| Ladder {
                count: 0,
                levels: [[0.0; 2]; MAX_QUOTE_LEVELS],
            }),
        })
    }
}

/// Which word of the context and of the requests is what, and the sizes, as JSON.
#[pyfunction]
pub fn compiled_layout() -> String {
    macro_rules! words {
        ($of:ty: $($field:ident),+) => {
            [$((stringify!($field), offset_of!($of, $field) / 8)),+]
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
        };
    }
    serde_json::json!({
        "version": VERSION,
        "context": words!(Context: time_ns, instrument, bid_ticks, ask_ticks, bid_lots, ask_lots,
            mid2, position_lots, tick_mantissa, tick_power, lot_mantissa, lot_power, last_ticks,
            mark, feed_latency_ns, entry_price, live_orders, next_order_id, bid_depth, ask_depth,
            event, features, bids, asks),
        "requests": words!(Requests: count, level_count, list, levels, ladders),
        "sizes": {
            "features": MAX_FEATURES,
            "depth": MAX_DEPTH,
            "requests": MAX_INTENTS_PER_CALL,
            "request_words": REQUEST_WORDS,
            "levels": MAX_LEVELS,
            "ladders": MAX_LADDERS,
            "ladder_words": size_of::<Ladder>() / 8,
            "ladder_levels": MAX_QUOTE_LEVELS,
        },
    })
    .to_string()
}
