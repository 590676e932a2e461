//! Risk: the gate that every order passes, and the limits behind it.

mod account;
pub mod bench;
mod breaker;
mod explain;
mod gate;
mod halt;
mod held;
mod hours;
mod kind;
mod ladder;
mod limits;
mod position_state;
mod rate;
mod scope;
mod slot;
mod stops;
mod tree;
mod validator;

pub use account::{Requested, Verdict};
pub use breaker::{Breaker, BreakerLimits, BreakerState};
pub use gate::{ApprovedOrder, Gate, Situation};
pub use halt::HaltCause;
pub use hours::TradingHours;
pub use kind::{Failure, LimitKind, ScopeKind, Unit, Veto};
pub use ladder::{fallen_bps, Ladder, Rung};
pub use limits::{AccountLimits, LimitTree, Limits, Rate};
pub use position_state::{by_ladder, Allowance, Forced, PositionState, PositionStates, Shape};
pub use rate::RateWindow;
pub use stops::{Guarded, Stop, StopRule};
pub use tree::GateImage;
pub use validator::{Proposal, SocketValidator, Validator, ValidatorConfig};
