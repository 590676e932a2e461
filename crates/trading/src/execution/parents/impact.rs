//! The power law of market impact.
//!
//! Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market impact" (2005).

/// An order for which the impact is estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImpactCase {
    /// Quantity of the order (X).
    pub quantity: f64,
    /// Average daily volume (V).
    pub daily_volume: f64,
    /// Quantity in existence: shares outstanding (Theta).
    pub outstanding: f64,
    /// Daily volatility as a fraction of the price (sigma).
    pub volatility: f64,
    /// Time of the execution in days of trading (T).
    pub days: f64,
}

/// The estimate, in basis points of the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impact {
    /// Move that stays.
    pub permanent_bps: f64,
    /// Concession that passes.
    pub temporary_bps: f64,
    /// Expected cost: half the permanent and all of the temporary impact.
    pub cost_bps: f64,
}

/// Coefficient of permanent impact of the paper (gamma).
pub const PERMANENT: f64 = 0.314;

/// Coefficient of temporary impact of the paper (eta).
pub const TEMPORARY: f64 = 0.142;

/// `permanent sigma (X/V) (Theta/V)^(1/4)` and `temporary sigma (X/(V T))^(3/5)`.
#[must_use]
pub fn power_law(case: &ImpactCase, permanent: f64, temporary: f64) -> Impact {
    let share = case.quantity / case.daily_volume;
    let turnover = libm::pow(case.outstanding / case.daily_volume, 0.25);
    let permanent_bps = 1e4 * permanent * case.volatility * share * turnover;
    let temporary_bps = 1e4 * temporary * case.volatility * libm::pow(share / case.days, 0.6);
    Impact { permanent_bps, temporary_bps, cost_bps: permanent_bps / 2.0 + temporary_bps }
}
