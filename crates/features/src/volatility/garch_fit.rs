//! Maximum-likelihood estimation of GARCH(1,1).

use mainspring_core::error::Result;

use super::garch::Garch;
use super::value_error;

/// Fewest returns a fit takes: with less, four parameters are noise.
pub const LEAST_RETURNS: usize = 100;

/// Returns over which the variance before the first one is smoothed.
const BACKCAST_RETURNS: usize = 75;

const MAX_STEPS: usize = 4_000;

/// A fitted model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GarchFit {
    /// The parameters.
    pub model: Garch,
    /// Variance of the first return that the fit assumed.
    pub initial_variance: f64,
    /// Gaussian log-likelihood, constant included.
    pub log_likelihood: f64,
}

/// Most likely GARCH(1,1) with constant mean, for returns of any scale.
///
/// The first variance is the backcast of the residuals (weights `0.94^i` over the first 75). The
/// search is the simplex method of Nelder and Mead (1965) from the best point of a grid, in
/// parameters without bounds: no random numbers, so the same returns give the same fit.
///
/// # Errors
/// When there are fewer than [`LEAST_RETURNS`] returns, one is not finite, or they do not vary.
pub fn fit(returns: &[f64]) -> Result<GarchFit> {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / n;
    // Equal returns leave a variance of rounding errors.
    let does_vary = variance > 1e-20 * mean * mean && variance.is_finite();
    if returns.len() < LEAST_RETURNS || !does_vary {
        return Err(value_error(format!(
            "a GARCH fit needs at least {LEAST_RETURNS} finite returns that vary, there are {}",
            returns.len()
        )));
    }
    let scale = Scale { mean, variance };
    let cost =
        |point: &Point| -scale.model(point).map_or(f64::NEG_INFINITY, |m| likelihood(&m, returns));
    let mut best = best_of_grid(&cost);
    // A simplex may collapse early; a fresh one around its best point shows whether it did.
    for _ in 0..4 {
        best = nelder_mead(&cost, best);
    }
    let model = scale.model(&best).ok_or_else(|| value_error("the GARCH fit left its bounds"))?;
    let initial_variance = first_variance(&model, returns);
    Ok(GarchFit { model, initial_variance, log_likelihood: likelihood(&model, returns) })
}

fn likelihood(model: &Garch, returns: &[f64]) -> f64 {
    let path = model.likelihood(returns, first_variance(model, returns));
    if path.is_finite() {
        path
    } else {
        f64::NEG_INFINITY
    }
}

/// The variance of the first return: one step from the backcast of residuals.
fn first_variance(model: &Garch, returns: &[f64]) -> f64 {
    let (mut weight, mut total, mut sum) = (1.0, 0.0, 0.0);
    for r in returns.iter().take(BACKCAST_RETURNS) {
        total += weight;
        sum += weight * (r - model.mu) * (r - model.mu);
        weight *= 0.94;
    }
    model.omega + (model.alpha + model.beta) * sum / total
}

/// Mean in standard deviations from the sample's, log of the unconditional variance over the
/// sample's, logit of alpha + beta, logit of alpha's share of it.
type Point = [f64; 4];

struct Scale {
    mean: f64,
    variance: f64,
}

impl Scale {
    /// The model at a point, `None` where rounding has reached a bound.
    fn model(&self, [mean, level, persistence, share]: &Point) -> Option<Garch> {
        let logistic = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        let persistence = logistic(*persistence);
        let alpha = persistence * logistic(*share);
        let model = Garch {
            mu: self.mean + mean * self.variance.sqrt(),
            omega: self.variance * libm::exp(*level) * (1.0 - persistence),
            alpha,
            beta: persistence - alpha,
        };
        model.validate().ok().map(|()| model)
    }
}

fn best_of_grid(cost: &impl Fn(&Point) -> f64) -> Point {
    let logit = |p: f64| libm::log(p / (1.0 - p));
    let mut best = ([0.0; 4], f64::INFINITY);
    for persistence in [0.5, 0.8, 0.95, 0.99] {
        for share in [0.03, 0.1, 0.3, 0.6] {
            let point = [0.0, 0.0, logit(persistence), logit(share)];
            let value = cost(&point);
            if value < best.1 {
                best = (point, value);
            }
        }
    }
    best.0
}

/// The lowest point that a simplex of five corners around `start` finds.
fn nelder_mead(cost: &impl Fn(&Point) -> f64, start: Point) -> Point {
    let mut simplex: Vec<(f64, Point)> = (0..5)
        .map(|corner| {
            let mut point = start;
            if corner > 0 {
                point[corner - 1] += 0.25;
            }
            (cost(&point), point)
        })
        .collect();
    for _ in 0..MAX_STEPS {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, worst) = (simplex[0].0, simplex[4].0);
        if worst - best <= 1e-12 * best.abs() {
            break;
        }
        step(cost, &mut simplex);
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    simplex[0].1
}

/// Replaces the worst corner, or shrinks towards the best.
fn step(cost: &impl Fn(&Point) -> f64, simplex: &mut [(f64, Point)]) {
    let worst = simplex[4];
    let centre: Point =
        std::array::from_fn(|d| simplex[..4].iter().map(|(_, point)| point[d]).sum::<f64>() / 4.0);
    let towards = |factor: f64| {
        let point: Point = std::array::from_fn(|d| centre[d] + factor * (worst.1[d] - centre[d]));
        (cost(&point), point)
    };
    let reflected = towards(-1.0);
    simplex[4] = if reflected.0 < simplex[0].0 {
        let expanded = towards(-2.0);
        if expanded.0 < reflected.0 {
            expanded
        } else {
            reflected
        }
    } else if reflected.0 < simplex[3].0 {
        reflected
    } else {
        let contracted = towards(if reflected.0 < worst.0 { -0.5 } else { 0.5 });
        if contracted.0 < worst.0.min(reflected.0) {
            contracted
        } else {
            let best = simplex[0].1;
            for (value, point) in &mut simplex[1..] {
                *point = std::array::from_fn(|d| 0.5 * (point[d] + best[d]));
                *value = cost(point);
            }
            return;
        }
    };
}
