//! Volume-synchronised probability of informed trading (VPIN), and signing of volume in bulk.

use mainspring_core::error::{Error, ErrorKind, Result};

/// Buy and sell volume of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct VolumeBucket {
    /// Volume bought by takers.
    pub buy: f64,
    /// Volume sold by takers.
    pub sell: f64,
}

/// Buckets of equal volume filled by trades, and VPIN over the last `window` of them (Easley,
/// Lopez de Prado and O'Hara 2012). A trade over a bucket's edge is split; the bucket being
/// filled does not count.
#[derive(Clone, Debug)]
pub struct Vpin {
    bucket_size: f64,
    filling: VolumeBucket,
    /// |buy - sell| of the last whole buckets, as a ring.
    imbalances: Box<[f64]>,
    completed: u64,
}

impl Vpin {
    /// # Errors
    /// When the bucket is not positive and finite or the window is empty or over 100,000.
    pub fn new(bucket_size: f64, window: usize) -> Result<Self> {
        if !(bucket_size > 0.0 && bucket_size.is_finite() && (1..=100_000).contains(&window)) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "VPIN needs a positive bucket and a window of 1 to 100000 buckets, not \
                     {bucket_size} and {window}"
                ),
            ));
        }
        Ok(Self {
            bucket_size,
            filling: VolumeBucket::default(),
            imbalances: vec![0.0; window].into_boxed_slice(),
            completed: 0,
        })
    }

    /// Adds a trade: positive for a buying taker, negative for a selling one. `on_bucket` is
    /// called with each bucket that it completes.
    pub fn add_each(&mut self, signed_volume: f64, mut on_bucket: impl FnMut(VolumeBucket, f64)) {
        let mut left = signed_volume.abs();
        while left > 0.0 {
            let room = self.bucket_size - (self.filling.buy + self.filling.sell);
            let part = left.min(room);
            if signed_volume > 0.0 {
                self.filling.buy += part;
            } else {
                self.filling.sell += part;
            }
            left -= part;
            if part >= room {
                let bucket = self.complete();
                on_bucket(bucket, self.value());
            }
        }
    }

    /// Adds a trade: positive for a buying taker, negative for a selling one.
    ///
    /// A trade of more buckets than the window fills them at once, so one trade costs at most
    /// as many steps as the window has buckets.
    pub fn add(&mut self, signed_volume: f64) {
        let most = self.bucket_size * (self.imbalances.len() + 2) as f64;
        let excess = libm::floor((signed_volume.abs() - most).max(0.0) / self.bucket_size);
        let kept = signed_volume.abs() - excess * self.bucket_size;
        self.add_each(libm::copysign(kept, signed_volume), |_, _| {});
    }

    fn complete(&mut self) -> VolumeBucket {
        let bucket = std::mem::take(&mut self.filling);
        let place = (self.completed % self.imbalances.len() as u64) as usize;
        self.imbalances[place] = (bucket.buy - bucket.sell).abs();
        self.completed += 1;
        bucket
    }

    /// Mean of |buy - sell| over bucket size in the window, in [0, 1]; NaN until it is full.
    #[must_use]
    pub fn value(&self) -> f64 {
        let window = self.imbalances.len();
        if self.completed < window as u64 {
            return f64::NAN;
        }
        self.imbalances.iter().sum::<f64>() / (window as f64 * self.bucket_size)
    }
}

/// Whole buckets and VPIN after each from the `window`-th on.
///
/// # Errors
/// As [`Vpin::new`], and when a volume is not finite.
pub fn vpin(
    signed_volumes: &[f64],
    bucket_size: f64,
    window: usize,
) -> Result<(Vec<VolumeBucket>, Vec<f64>)> {
    let mut state = Vpin::new(bucket_size, window)?;
    let (mut buckets, mut values) = (Vec::new(), Vec::new());
    for volume in signed_volumes {
        if !volume.is_finite() {
            return Err(Error::new(ErrorKind::Value, "a traded volume is not finite"));
        }
        state.add_each(*volume, |bucket, value| {
            buckets.push(bucket);
            if !value.is_nan() {
                values.push(value);
            }
        });
    }
    Ok((buckets, values))
}

/// Buy and sell volume of bars from their price changes alone: the buy share is
/// `Phi(change / sd(changes))` (Easley et al. 2012, eq. 9). The first bar has no change and
/// gives nothing.
///
/// # Errors
/// When the lengths differ, there are fewer than three bars, or the price never changes.
pub fn bulk_volume_classification(closes: &[f64], volumes: &[f64]) -> Result<Vec<VolumeBucket>> {
    let changes: Vec<f64> = closes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = changes.len() as f64;
    let mean = changes.iter().sum::<f64>() / n;
    let variance = changes.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / (n - 1.0);
    let does_vary = variance > 0.0;
    if closes.len() != volumes.len() || closes.len() < 3 || !does_vary {
        return Err(Error::new(
            ErrorKind::Value,
            "bulk classification needs as many closes as volumes, at least three, and prices that \
             are finite and change",
        ));
    }
    let sd = variance.sqrt();
    let split = |(change, volume): (&f64, &f64)| {
        let share = normal_cdf(change / sd);
        VolumeBucket { buy: volume * share, sell: volume * (1.0 - share) }
    };
    Ok(changes.iter().zip(&volumes[1..]).map(split).collect())
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}
