//! How full a position is, and what that leaves of what a strategy wants.

use mainspring_core::{Error, ErrorKind, Lots, Result, Side};
use serde::{Deserialize, Serialize};

/// Where position states begin, as shares of the largest position, and what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PositionStates {
    /// Beyond this share only orders that reduce are wanted, and smaller ones.
    pub warning_bps: u32,
    /// Beyond this share the engine reduces by itself.
    pub critical_bps: u32,
    /// What is left of a size in the state of warning, in basis points.
    pub warning_size_bps: u32,
    /// The part of the position that is reduced at once in the critical state, in basis points.
    pub critical_reduce_bps: u32,
    /// How far through the mid it is offered, in basis points.
    pub critical_through_bps: u32,
    /// Orders that shaping leaves smaller than this are not placed.
    pub min_order_lots: i64,
}

impl Default for PositionStates {
    fn default() -> Self {
        Self {
            warning_bps: 7_000,
            critical_bps: 8_500,
            warning_size_bps: 5_000,
            critical_reduce_bps: 3_000,
            critical_through_bps: 2,
            min_order_lots: 1,
        }
    }
}

/// How full a position is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PositionState {
    /// Sizes are cut to what is left.
    #[default]
    Normal,
    /// Only the side that reduces, and smaller.
    Warning,
    /// The engine reduces a part at once.
    Critical,
    /// Beyond the largest position: the engine closes it.
    OverLimit,
}

impl PositionState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::OverLimit => "over_limit",
        }
    }
}

/// What may be wanted on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// What is left of each size, in basis points.
    pub size_bps: u32,
    /// What is left in all, in lots.
    pub lots: i64,
}

/// What the engine does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Offers a part of the position through the mid.
    Reduce {
        /// The side that reduces.
        side: Side,
        /// How much.
        qty: Lots,
    },
    /// Closes the position at the market.
    Close {
        /// The side that closes.
        side: Side,
        /// All of it.
        qty: Lots,
    },
}

/// What is left of what a strategy wants in one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How full the position is.
    pub state: PositionState,
    /// By side.
    pub allowed: [Allowance; 2],
    /// What the engine does by itself.
    pub forced: Option<Forced>,
}

impl PositionStates {
    /// Checks that the states follow each other.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn validate(&self) -> Result<()> {
        let shares = 0 < self.warning_bps
            && self.warning_bps <= self.critical_bps
            && self.critical_bps <= 10_000;
        let parts = [self.warning_size_bps, self.critical_reduce_bps];
        if shares
            && parts.into_iter().all(|part| (1..=10_000).contains(&part))
            && self.min_order_lots >= 1
        {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("position states: shares must grow up to 1 and parts lie above 0 and up to 1: {self:?}"),
        ))
    }

    /// The state of a position against its largest; each begins strictly beyond its share.
    #[must_use]
    pub fn state(&self, position: Lots, max: Lots) -> PositionState {
        let held = i128::from(position.0.unsigned_abs()) * 10_000;
        let beyond = |bps: u32| held > i128::from(bps) * i128::from(max.0);
        if beyond(10_000) {
            PositionState::OverLimit
        } else if beyond(self.critical_bps) {
            PositionState::Critical
        } else if beyond(self.warning_bps) {
            PositionState::Warning
        } else {
            PositionState::Normal
        }
    }

    /// What a position in a state leaves of wishes; `ladder_bps` of what adds to it.
    #[must_use]
    pub fn shape(&self, state: PositionState, position: Lots, max: Lots, ladder_bps: u32) -> Shape {
        let nothing = Allowance { size_bps: 0, lots: 0 };
        let held = position.0.abs();
        let closing = if position.0 > 0 { Side::Sell } else { Side::Buy };
        let mut allowed = [nothing; 2];
        let mut forced = None;
        match state {
            PositionState::Normal => allowed = normal(position, max, ladder_bps),
            PositionState::Warning => {
                allowed[closing as usize] =
                    Allowance { size_bps: self.warning_size_bps, lots: held };
            }
            PositionState::Critical if held > 0 => {
                let part = i128::from(held) * i128::from(self.critical_reduce_bps) / 10_000;
                let qty = Lots((part as i64).max(self.min_order_lots).min(held));
                forced = Some(Forced::Reduce { side: closing, qty });
            }
            PositionState::OverLimit if held > 0 => {
                forced = Some(Forced::Close { side: closing, qty: Lots(held) });
            }
            // Others hold it: this strategy only stands aside.
            PositionState::Critical | PositionState::OverLimit => {}
        }
        Shape { state, allowed, forced }
    }
}

/// What is left up to the largest position on either side; what adds is cut by the ladder.
pub(super) fn normal(position: Lots, max: Lots, ladder_bps: u32) -> [Allowance; 2] {
    [Side::Buy, Side::Sell].map(|side| {
        let towards = position.0 * side.sign();
        let size_bps = if towards < 0 { 10_000 } else { ladder_bps };
        Allowance { size_bps, lots: (max.0 - towards).max(0) }
    })
}

impl Allowance {
    /// What is left of a quantity after `used` was wanted already; nothing below `min`.
    #[must_use]
    pub fn cut(&self, qty: Lots, used: i64, min: i64) -> Lots {
        let sized = i128::from(qty.0) * i128::from(self.size_bps) / 10_000;
        let left = (sized as i64).min(self.lots - used);
        Lots(if left < min { 0 } else { left })
    }
}

/// The shape where only the drawdown ladder cuts sizes.
#[must_use]
pub fn by_ladder(position: Lots, max: Lots, ladder_bps: u32) -> Shape {
    Shape { state: PositionState::Normal, allowed: normal(position, max, ladder_bps), forced: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATES: PositionStates = PositionStates {
        warning_bps: 7_000,
        critical_bps: 8_500,
        warning_size_bps: 5_000,
        critical_reduce_bps: 3_000,
        critical_through_bps: 2,
        min_order_lots: 1,
    };

    #[test]
    fn each_state_begins_strictly_beyond_its_share() {
        let expected = [
            (70, PositionState::Normal),
            (71, PositionState::Warning),
            (85, PositionState::Warning),
            (86, PositionState::Critical),
            (100, PositionState::Critical),
            (101, PositionState::OverLimit),
        ];
        for (lots, state) in expected {
            assert_eq!(STATES.state(Lots(lots), Lots(100)), state, "{lots}");
            assert_eq!(STATES.state(Lots(-lots), Lots(100)), state, "short {lots}");
        }
    }

    #[test]
    fn states_do_what_they_say() {
        let shape = |position: i64| {
            let state = STATES.state(Lots(position), Lots(100));
            STATES.shape(state, Lots(position), Lots(100), 10_000)
        };
        let normal = shape(60);
        assert_eq!(normal.allowed[0].cut(Lots(50), 0, 1), Lots(40), "up to the largest position");
        assert_eq!(normal.allowed[1].cut(Lots(50), 0, 1), Lots(50));
        let warning = shape(80);
        assert_eq!(warning.allowed[0].cut(Lots(50), 0, 1), Lots(0));
        assert_eq!(warning.allowed[1].cut(Lots(50), 0, 1), Lots(25), "half the size");
        let critical = shape(-90);
        assert_eq!(critical.allowed.map(|a| a.cut(Lots(50), 0, 1)), [Lots(0); 2]);
        assert_eq!(critical.forced, Some(Forced::Reduce { side: Side::Buy, qty: Lots(27) }));
        let over = shape(120);
        assert_eq!(over.forced, Some(Forced::Close { side: Side::Sell, qty: Lots(120) }));
    }

    proptest! {
        #[test]
        fn no_wish_is_left_that_leads_beyond_the_largest_position(
            position in -150_i64..150, qty in 1_i64..300, buy in any::<bool>(), ladder in 1_u32..=10_000,
        ) {
            let (position, max) = (Lots(position), Lots(100));
            let state = STATES.state(position, max);
            let shape = STATES.shape(state, position, max, ladder);
            let side = if buy { Side::Buy } else { Side::Sell };
            let left = shape.allowed[side as usize].cut(Lots(qty), 0, 1).0;
            prop_assert!(left >= 0 && left <= qty);
            let after = position.0 * side.sign() + left;
            prop_assert!(left == 0 || after <= max.0);
            if state >= PositionState::Warning {
                prop_assert!(left == 0 || position.0 * side.sign() < 0, "only what reduces");
            }
            // The mirror image is treated alike.
            let mirror = STATES.shape(state, -position, max, ladder);
            prop_assert_eq!(mirror.allowed[side.opposite() as usize], shape.allowed[side as usize]);
        }
    }
}
