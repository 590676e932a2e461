//! How long an order should live.

use mainspring_core::{DurationNs, Error, ErrorKind, Result, Side, TimeNs};

use super::config::AdaptiveLife;

/// What the life of an order follows. NaN stands for "not known" and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LifeInputs {
    /// Share of orders that filled.
    pub fill_rate: f64,
    /// The share that should.
    pub target_fill_rate: f64,
    /// Volatility in basis points.
    pub volatility_bps: f64,
    /// Expected move of the price in basis points, up is positive.
    pub drift_bps: f64,
    /// Best bid quantity over both best quantities, 0 to 1.
    pub bid_share: f64,
}

/// A drift below this many basis points against an order does not shorten its life.
const DRIFT_MATTERS_BPS: f64 = 5.0;
/// Where the book leans against a side.
const LEAN: f64 = 0.3;

/// The life of an order between the shortest and the longest.
///
/// Half the sum of both, times factors: 0.5 to 1 while fewer orders fill than should, 1 to 1.5 when
/// more do; 1 / (1 + volatility / 100 bp); 1 - |drift| / 100 bp, at least 0.5, when a drift of more
/// than 5 bp goes against the side; 0.8 when the book leans against it.
#[must_use]
pub fn adaptive_life_ns(
    min_ns: DurationNs,
    max_ns: DurationNs,
    side: Side,
    inputs: &LifeInputs,
) -> DurationNs {
    let middle = (min_ns as f64 + max_ns as f64) / 2.0;
    let life = middle
        * fill_factor(inputs.fill_rate, inputs.target_fill_rate)
        * volatility_factor(inputs.volatility_bps)
        * drift_factor(side, inputs.drift_bps)
        * lean_factor(side, inputs.bid_share);
    (life as DurationNs).clamp(min_ns, max_ns)
}

fn fill_factor(rate: f64, target: f64) -> f64 {
    if rate.is_nan() {
        return 1.0;
    }
    if rate < target {
        0.5 + 0.5 * rate / target
    } else {
        1.0 + 0.5 * ((rate - target) / target).min(1.0)
    }
}

fn volatility_factor(bps: f64) -> f64 {
    if bps > 0.0 {
        1.0 / (1.0 + bps / 100.0)
    } else {
        1.0
    }
}

fn drift_factor(side: Side, bps: f64) -> f64 {
    // A falling price is against a bid, a rising one against an ask.
    let against = -bps * side.sign() as f64;
    if against > DRIFT_MATTERS_BPS {
        (1.0 - against / 50.0 * 0.5).max(0.5)
    } else {
        1.0
    }
}

fn lean_factor(side: Side, bid_share: f64) -> f64 {
    let own_share = match side {
        Side::Buy => bid_share,
        Side::Sell => 1.0 - bid_share,
    };
    if own_share < LEAN {
        0.8
    } else {
        1.0
    }
}

pub(super) fn check_adaptive(adaptive: &AdaptiveLife) -> Result<()> {
    let rate = adaptive.target_fill_rate;
    if !(rate > 0.0 && rate <= 1.0) || adaptive.fill_window_ns < SLICES as i64 {
        return Err(Error::new(
            ErrorKind::Config,
            "adaptive_life needs a target_fill_rate above 0 and up to 1, and a fill_window",
        ));
    }
    Ok(())
}

const SLICES: usize = 10;

/// Share of orders that filled, over a window in ten slices.
#[derive(Clone, Debug)]
pub struct FillRate {
    slice_ns: DurationNs,
    /// Number of the newest slice since the epoch.
    newest: i64,
    /// Orders placed, and orders that got their first fill.
    slices: [(u32, u32); SLICES],
}

impl FillRate {
    /// Over a window of at least ten nanoseconds.
    #[must_use]
    pub fn new(window_ns: DurationNs) -> Self {
        let slice_ns = (window_ns / SLICES as i64).max(1);
        Self { slice_ns, newest: i64::MIN, slices: [(0, 0); SLICES] }
    }

    /// An order was placed.
    pub fn placed(&mut self, now_ns: TimeNs) {
        self.slice(now_ns).0 += 1;
    }

    /// An order traded for the first time.
    pub fn filled(&mut self, now_ns: TimeNs) {
        self.slice(now_ns).1 += 1;
    }

    /// The share; NaN when nothing was placed.
    pub fn rate(&mut self, now_ns: TimeNs) -> f64 {
        self.slice(now_ns);
        let (placed, filled) =
            self.slices.iter().fold((0, 0), |(p, f), slice| (p + slice.0, f + slice.1));
        f64::from(filled) / f64::from(placed)
    }

    /// The slice of now; older ones are forgotten.
    fn slice(&mut self, now_ns: TimeNs) -> &mut (u32, u32) {
        let number = now_ns.div_euclid(self.slice_ns);
        let passed = number.saturating_sub(self.newest);
        if passed > 0 {
            let clear = usize::try_from(passed).unwrap_or(SLICES).min(SLICES);
            for back in 0..clear as i64 {
                self.slices[(number - back).rem_euclid(SLICES as i64) as usize] = (0, 0);
            }
            self.newest = number;
        }
        &mut self.slices[self.newest.rem_euclid(SLICES as i64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: LifeInputs = LifeInputs {
        fill_rate: 0.15,
        target_fill_rate: 0.15,
        volatility_bps: 0.0,
        drift_bps: 0.0,
        bid_share: 0.5,
    };

    fn life(side: Side, inputs: LifeInputs) -> i64 {
        adaptive_life_ns(1_000, 9_000, side, &inputs)
    }

    #[test]
    fn lives_follow_the_market_as_worked_by_hand() {
        let unknown = LifeInputs {
            fill_rate: f64::NAN,
            volatility_bps: f64::NAN,
            drift_bps: f64::NAN,
            bid_share: f64::NAN,
            ..CALM
        };
        assert_eq!((life(Side::Buy, CALM), life(Side::Sell, unknown)), (5_000, 5_000));
        assert_eq!(life(Side::Buy, LifeInputs { fill_rate: 0.0, ..CALM }), 2_500);
        assert_eq!(life(Side::Buy, LifeInputs { fill_rate: 0.075, ..CALM }), 3_750);
        assert_eq!(life(Side::Buy, LifeInputs { fill_rate: 0.9, ..CALM }), 7_500);
        assert_eq!(life(Side::Buy, LifeInputs { volatility_bps: 25.0, ..CALM }), 4_000);
        let falling = LifeInputs { drift_bps: -20.0, ..CALM };
        assert_eq!((life(Side::Buy, falling), life(Side::Sell, falling)), (4_000, 5_000));
        assert_eq!(life(Side::Buy, LifeInputs { drift_bps: -80.0, ..CALM }), 2_500);
        assert_eq!(life(Side::Buy, LifeInputs { drift_bps: -5.0, ..CALM }), 5_000);
        let heavy_asks = LifeInputs { bid_share: 0.2, ..CALM };
        assert_eq!((life(Side::Buy, heavy_asks), life(Side::Sell, heavy_asks)), (4_000, 5_000));
        let wild = LifeInputs { fill_rate: 0.0, volatility_bps: 900.0, ..CALM };
        assert_eq!(life(Side::Buy, wild), 1_000, "never below the shortest");
    }

    #[test]
    fn the_fill_rate_forgets_what_left_its_window() {
        let mut rate = FillRate::new(100);
        assert!(rate.rate(0).is_nan());
        for at in 0..10 {
            rate.placed(at * 10);
            if at == 0 {
                rate.filled(5);
            }
        }
        rate.filled(95);
        assert!((rate.rate(99) - 0.2).abs() < 1e-12);
        assert!((rate.rate(100) - 1.0 / 9.0).abs() < 1e-12, "the slice of 0 to 9 is gone");
        assert!(rate.rate(1_000_000).is_nan());
    }
}
