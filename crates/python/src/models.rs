//! Closed forms of the quoting models, so that Python reckons with the engine's own numbers.

use mainspring_models::{avellaneda_stoikov as model, glft};
use pyo3::prelude::*;

/// Distances (bid, ask) of Avellaneda and Stoikov's quotes from the mid.
#[pyfunction]
#[pyo3(signature = (*, gamma, sigma, k, inventory, time_left))]
pub fn avellaneda_stoikov(
    gamma: f64,
    sigma: f64,
    k: f64,
    inventory: f64,
    time_left: f64,
) -> (f64, f64) {
    let distances = model::Parameters { gamma, sigma, k }.distances(inventory, time_left);
    (distances.bid, distances.ask)
}

/// (half spread, skew) of the closed form of Gueant, Lehalle and Fernandez-Tapia.
#[pyfunction]
#[pyo3(signature = (*, gamma, sigma, a, k, order_size, xi))]
pub fn glft_coefficients(
    gamma: f64,
    sigma: f64,
    a: f64,
    k: f64,
    order_size: f64,
    xi: f64,
) -> (f64, f64) {
    let found = glft::Parameters { gamma, sigma, a, k, order_size, xi }.coefficients();
    (found.half_spread, found.skew)
}
