//! Features of the best bid and ask.

/// Best prices and sizes. A side that is not there has an infinite price and no size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// Best bid; minus infinity when there is none.
    pub bid: f64,
    /// Size at the best bid.
    pub bid_qty: f64,
    /// Best ask; infinity when there is none.
    pub ask: f64,
    /// Size at the best ask.
    pub ask_qty: f64,
}

impl Default for Quote {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Quote {
    /// Neither side is there.
    pub const EMPTY: Self =
        Self { bid: f64::NEG_INFINITY, bid_qty: 0.0, ask: f64::INFINITY, ask_qty: 0.0 };

    /// Whether both sides are there.
    #[inline]
    #[must_use]
    pub fn is_two_sided(&self) -> bool {
        self.bid.is_finite() && self.ask.is_finite()
    }

    /// Mean of the best prices; NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn mid(&self) -> f64 {
        0.5 * (self.bid + self.ask) + self.undefined()
    }

    /// Ask minus bid; NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn spread(&self) -> f64 {
        self.ask - self.bid + self.undefined()
    }

    /// Spread over mid in basis points; NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn spread_bps(&self) -> f64 {
        1e4 * self.spread() / self.mid()
    }

    /// Bid size over total size, in [0, 1]; NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn bid_share(&self) -> f64 {
        self.bid_qty / (self.bid_qty + self.ask_qty) + self.undefined()
    }

    /// (bid size - ask size) / (bid size + ask size), in [-1, 1]; NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn queue_imbalance(&self) -> f64 {
        (self.bid_qty - self.ask_qty) / (self.bid_qty + self.ask_qty) + self.undefined()
    }

    /// Mid weighted by the opposite sizes: `I * ask + (1 - I) * bid` with `I` the bid share
    /// (Stoikov 2018, section 1); NaN when a side is missing.
    #[inline]
    #[must_use]
    pub fn weighted_mid(&self) -> f64 {
        let share = self.bid_share();
        share * self.ask + (1.0 - share) * self.bid
    }

    /// Probability that the next move of the mid is up, from the race of the two queues to zero.
    ///
    /// `rho` is the correlation of their increments, in (-1, 1); zero gives
    /// `(2/pi) atan(bid / ask)` (Cont and de Larrard 2012, heavy-traffic limit). NaN when a side
    /// is missing or `rho` is out of range.
    #[must_use]
    pub fn up_probability(&self, rho: f64) -> f64 {
        if !(-1.0 < rho && rho < 1.0) {
            return f64::NAN;
        }
        let stretch = ((1.0 + rho) / (1.0 - rho)).sqrt();
        let tilt = -self.queue_imbalance();
        0.5 - libm::atan(stretch * tilt) / (2.0 * libm::atan(stretch))
    }

    /// Zero, or NaN when a side is missing.
    #[inline]
    fn undefined(&self) -> f64 {
        if self.is_two_sided() {
            0.0
        } else {
            f64::NAN
        }
    }
}
