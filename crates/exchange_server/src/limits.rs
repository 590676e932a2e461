//! Request weight and order counts in their intervals.

use std::collections::HashMap;

use crate::config::Limits;
use crate::section::Product;

const MINUTE_MS: i64 = 60_000;
const TEN_SECONDS_MS: i64 = 10_000;

/// A limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The weight of a minute.
    Weight {
        /// What a minute has.
        most: u32,
        /// Milliseconds until the next.
        wait_ms: i64,
    },
    /// The orders of ten seconds.
    Orders {
        /// What ten seconds have.
        most: u32,
        /// Milliseconds until the next.
        wait_ms: i64,
    },
    /// Too many refusals: the address is banned.
    Banned {
        /// Until when, in milliseconds.
        until_ms: i64,
        /// How long that is.
        wait_ms: i64,
    },
}

/// A count in the current interval.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: i64,
    used: u32,
}

impl Window {
    fn add(&mut self, now_ms: i64, interval_ms: i64, more: u32) -> u32 {
        let number = now_ms.div_euclid(interval_ms);
        if self.number != number {
            *self = Self { number, used: 0 };
        }
        self.used = self.used.saturating_add(more);
        self.used
    }
}

/// What was used of the limits. All clients share one address: that of the loopback.
#[derive(Debug, Default)]
pub struct Usage {
    weight: [Window; 2],
    orders: [HashMap<String, Window>; 2],
    refusals: Window,
    banned_until_ms: i64,
}

impl Usage {
    /// Takes the weight of a request, and returns what the minute has used.
    ///
    /// # Errors
    /// When it is used up, and a ban for who goes on after many of those.
    pub fn take_weight(
        &mut self,
        limits: &Limits,
        product: Product,
        weight: u32,
        now_ms: i64,
    ) -> Result<u32, Excess> {
        if now_ms < self.banned_until_ms {
            return Err(self.banned(now_ms));
        }
        let most = match product {
            Product::Spot => limits.spot_weight,
            Product::Usdm => limits.usdm_weight,
        };
        let used = self.weight[product as usize].add(now_ms, MINUTE_MS, weight);
        if used <= most {
            return Ok(used);
        }
        if self.refusals.add(now_ms, MINUTE_MS, 1) > limits.refusals {
            self.banned_until_ms = now_ms + 2 * MINUTE_MS;
            return Err(self.banned(now_ms));
        }
        Err(Excess::Weight { most, wait_ms: left_ms(MINUTE_MS, now_ms) })
    }

    /// Counts orders of a key, and returns what its ten seconds have used.
    ///
    /// # Errors
    /// When they are used up.
    pub fn take_orders(
        &mut self,
        limits: &Limits,
        product: Product,
        key: &str,
        count: u32,
        now_ms: i64,
    ) -> Result<u32, Excess> {
        let most = match product {
            Product::Spot => limits.spot_orders,
            Product::Usdm => limits.usdm_orders,
        };
        let windows = &mut self.orders[product as usize];
        let window = match windows.get_mut(key) {
            Some(window) => window,
            None => windows.entry(key.to_owned()).or_default(),
        };
        let used = window.add(now_ms, TEN_SECONDS_MS, count);
        if used <= most {
            return Ok(used);
        }
        Err(Excess::Orders { most, wait_ms: left_ms(TEN_SECONDS_MS, now_ms) })
    }

    const fn banned(&self, now_ms: i64) -> Excess {
        let until_ms = self.banned_until_ms;
        Excess::Banned { until_ms, wait_ms: until_ms - now_ms }
    }
}

fn left_ms(interval_ms: i64, now_ms: i64) -> i64 {
    interval_ms - now_ms.rem_euclid(interval_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_refused_then_banned_and_starts_anew_each_minute() {
        let limits = Limits { spot_weight: 10, refusals: 1, ..Limits::default() };
        let mut usage = Usage::default();
        assert_eq!(usage.take_weight(&limits, Product::Spot, 10, 0), Ok(10));
        let refused = usage.take_weight(&limits, Product::Spot, 1, 30_000);
        assert_eq!(refused, Err(Excess::Weight { most: 10, wait_ms: 30_000 }));
        assert_eq!(usage.take_weight(&limits, Product::Usdm, 1, 30_000), Ok(1));
        let banned = usage.take_weight(&limits, Product::Spot, 1, 30_000);
        assert_eq!(banned, Err(Excess::Banned { until_ms: 150_000, wait_ms: 120_000 }));
        let banned = usage.take_weight(&limits, Product::Usdm, 1, 60_000);
        assert_eq!(banned, Err(Excess::Banned { until_ms: 150_000, wait_ms: 90_000 }));
        assert_eq!(usage.take_weight(&limits, Product::Spot, 1, 150_000), Ok(1));
    }

    #[test]
    fn orders_are_counted_by_key() {
        let limits = Limits { usdm_orders: 1, ..Limits::default() };
        let mut usage = Usage::default();
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "a", 1, 5), Ok(1));
        let refused = usage.take_orders(&limits, Product::Usdm, "a", 1, 6);
        assert_eq!(refused, Err(Excess::Orders { most: 1, wait_ms: 9_994 }));
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "b", 1, 7), Ok(1));
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "a", 1, 10_000), Ok(1));
    }
}
