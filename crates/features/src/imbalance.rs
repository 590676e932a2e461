//! Imbalance of the sizes of several levels.

/// How much a level counts by its distance from the touch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LevelWeights {
    /// Every level counts one.
    Flat,
    /// Level `l` (0 is the touch) counts `1 / (l + 1)`.
    Inverse,
    /// Level `l` counts `exp(-decay * l)`.
    Exponential {
        /// Decay per level.
        decay: f64,
    },
}

impl LevelWeights {
    /// The weight of a level, 0 being the touch.
    #[must_use]
    pub fn at(self, level: usize) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Inverse => 1.0 / (level as f64 + 1.0),
            Self::Exponential { decay } => libm::exp(-decay * level as f64),
        }
    }
}

/// Weighted sizes of both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthImbalance {
    /// Weighted size of the bids.
    pub bid: f64,
    /// Weighted size of the asks.
    pub ask: f64,
}

impl DepthImbalance {
    /// (bid - ask) / (bid + ask), in [-1, 1]; NaN when both are empty.
    #[inline]
    #[must_use]
    pub fn ratio(&self) -> f64 {
        (self.bid - self.ask) / (self.bid + self.ask)
    }
}

/// Imbalance over the best `depth` levels; sizes best first, a missing level counts zero.
#[must_use]
pub fn multi_level_imbalance(
    bid_sizes: &[f64],
    ask_sizes: &[f64],
    depth: usize,
    weights: LevelWeights,
) -> DepthImbalance {
    let weighted = |sizes: &[f64]| {
        sizes.iter().take(depth).enumerate().map(|(l, qty)| weights.at(l) * qty).sum()
    };
    DepthImbalance { bid: weighted(bid_sizes), ask: weighted(ask_sizes) }
}
