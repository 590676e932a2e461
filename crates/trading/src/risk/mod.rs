//! Risk: the gate that every order passes.

mod gate;

pub use gate::{
    ApprovedOrder, Exposure, Failure, Gate, GateLimits, InstrumentLimits, LimitKind, Veto,
};
