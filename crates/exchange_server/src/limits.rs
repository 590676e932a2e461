//! Request weight and order counts, as the venue limits them.

use std::collections::HashMap;

use crate::config::Limits;
use crate::error::{Outcome, Refusal};
use crate::section::Product;

const MINUTE_MS: i64 = 60_000;
const TEN_SECONDS_MS: i64 = 10_000;

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
    /// -1003 with 429, or 418 for who goes on after many of those.
    pub fn take_weight(
        &mut self,
        limits: &Limits,
        product: Product,
        weight: u32,
        now_ms: i64,
    ) -> Outcome<u32> {
        if now_ms < self.banned_until_ms {
            return Err(banned(self.banned_until_ms, now_ms));
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
            return Err(banned(self.banned_until_ms, now_ms));
        }
        let message = format!(
            "Too much request weight used; current limit is {most} request weight per 1 MINUTE. \
             Please use WebSocket Streams for live updates to avoid polling the API."
        );
        Err(too_many(-1003, message, MINUTE_MS, now_ms))
    }

    /// Counts orders of a key, and returns what its ten seconds have used.
    ///
    /// # Errors
    /// -1015 with 429.
    pub fn take_orders(
        &mut self,
        limits: &Limits,
        product: Product,
        key: &str,
        count: u32,
        now_ms: i64,
    ) -> Outcome<u32> {
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
        let message = format!("Too many new orders; current limit is {most} orders per 10 SECOND.");
        Err(too_many(-1015, message, TEN_SECONDS_MS, now_ms))
    }
}

fn too_many(code: i32, message: String, interval_ms: i64, now_ms: i64) -> Refusal {
    let left_ms = interval_ms - now_ms.rem_euclid(interval_ms);
    Refusal {
        retry_after_s: Some((left_ms as u64).div_ceil(1_000)),
        ..Refusal::with_status(429, code, message)
    }
}

fn banned(until_ms: i64, now_ms: i64) -> Refusal {
    let message = format!(
        "Way too much request weight used; IP banned until {until_ms}. Please use WebSocket \
         Streams for live updates to avoid bans."
    );
    let left_s = ((until_ms - now_ms) as u64).div_ceil(1_000);
    Refusal { retry_after_s: Some(left_s), ..Refusal::with_status(418, -1003, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_refused_then_banned_and_starts_anew_each_minute() {
        let limits = Limits { spot_weight: 10, refusals: 1, ..Limits::default() };
        let mut usage = Usage::default();
        assert_eq!(usage.take_weight(&limits, Product::Spot, 10, 0), Ok(10));
        let refused = usage.take_weight(&limits, Product::Spot, 1, 30_000).unwrap_err();
        assert_eq!((refused.status, refused.code, refused.retry_after_s), (429, -1003, Some(30)));
        assert_eq!(usage.take_weight(&limits, Product::Usdm, 1, 30_000), Ok(1));
        let banned = usage.take_weight(&limits, Product::Spot, 1, 30_000).unwrap_err();
        assert_eq!((banned.status, banned.retry_after_s), (418, Some(120)));
        assert_eq!(usage.take_weight(&limits, Product::Usdm, 1, 60_000).unwrap_err().status, 418);
        assert_eq!(usage.take_weight(&limits, Product::Spot, 1, 150_000), Ok(1));
    }

    #[test]
    fn orders_are_counted_by_key() {
        let limits = Limits { usdm_orders: 1, ..Limits::default() };
        let mut usage = Usage::default();
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "a", 1, 5), Ok(1));
        let refused = usage.take_orders(&limits, Product::Usdm, "a", 1, 6).unwrap_err();
        assert_eq!((refused.status, refused.code), (429, -1015));
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "b", 1, 7), Ok(1));
        assert_eq!(usage.take_orders(&limits, Product::Usdm, "a", 1, 10_000), Ok(1));
    }
}
