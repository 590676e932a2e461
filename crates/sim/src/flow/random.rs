//! The generator's own random numbers: the same bits on every machine, run and thread count.
//!
//! xoshiro256++ (Blackman and Vigna, 2021) seeded by SplitMix64, and a counter-based draw for the
//! factor that several instruments share. Transcendental functions come from `libm`.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// One SplitMix64 output: a bijective scramble of 64 bits.
#[must_use]
pub const fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The standard normal draw number `index` of the sequence named by `key`, in any order.
#[must_use]
pub fn normal_at(key: u64, index: u64) -> f64 {
    normal_quantile(unit_open(scramble(scramble(key) ^ index)))
}

/// A number strictly between 0 and 1 from 64 bits.
#[allow(clippy::cast_precision_loss)]
const fn unit_open(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

impl Random {
    /// The stream `stream` of a seed; streams of one seed are independent.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut key = scramble(scramble(seed) ^ stream.rotate_left(32));
        let state = std::array::from_fn(|_| {
            key = scramble(key);
            key
        });
        Self { state }
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// Uniform on (0, 1).
    #[inline]
    pub const fn uniform(&mut self) -> f64 {
        unit_open(self.bits())
    }

    /// True with this probability.
    #[inline]
    pub const fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// An index below `count`, which must be positive.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub const fn below(&mut self, count: usize) -> usize {
        ((self.bits() as u128 * count as u128) >> 64) as usize
    }

    /// Exponential with mean 1.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Standard normal.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// Log-normal with this median and standard deviation of the logarithm.
    #[inline]
    pub fn log_normal(&mut self, median: f64, log_sd: f64) -> f64 {
        median * libm::exp(log_sd * self.normal())
    }
}

/// Quantile of the standard normal to about 7 digits: Wichura (1988), algorithm AS 241, `PPND7`.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        let numerator =
            ((59.109_374_720 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let denominator = ((67.187_563_600 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return q * numerator / denominator;
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let z = if r <= 5.0 {
        let r = r - 1.6;
        (((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((0.120_211_329_75 * r + 0.737_001_642_50) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0)
    };
    if q < 0.0 {
        -z
    } else {
        z
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_meets_known_points() {
        for (p, z) in [
            (0.5, 0.0),
            (0.841_344_746_068_543, 1.0),
            (0.975, 1.959_963_984_540_054),
            (0.025, -1.959_963_984_540_054),
            (0.999_9, 3.719_016_485_455_68),
            (1e-12, -7.034_483_825_1),
        ] {
            assert!((normal_quantile(p) - z).abs() < 2e-6, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn draws_have_the_moments_of_their_law() {
        let mut random = Random::new(3, 1);
        let n = 200_000;
        let (mut mean, mut square, mut fourth, mut waiting) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = random.normal();
            mean += z;
            square += z * z;
            fourth += z * z * z * z;
            waiting += random.exponential();
        }
        let n = f64::from(n);
        assert!((mean / n).abs() < 0.01);
        assert!((square / n - 1.0).abs() < 0.015);
        assert!((fourth / n - 3.0).abs() < 0.1);
        assert!((waiting / n - 1.0).abs() < 0.01);
    }

    #[test]
    fn streams_and_counters_differ_and_repeat() {
        let take = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.bits(), random.bits()]
        };
        assert_eq!(take(1, 0), take(1, 0));
        assert_ne!(take(1, 0), take(1, 1));
        assert_ne!(take(1, 0), take(2, 0));
        assert_eq!(normal_at(7, 3).to_bits(), normal_at(7, 3).to_bits());
        assert_ne!(normal_at(7, 3).to_bits(), normal_at(7, 4).to_bits());
    }
}
