//! The micro-price of Stoikov (2018): the mid plus its expected move given spread and imbalance.

use mainspring_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::quote::Quote;

/// Moves of the mid that the model knows, in ticks.
pub const MID_MOVES_TICKS: [f64; 4] = [-1.0, -0.5, 0.5, 1.0];

/// Most states a model may have.
const MAX_STATES: usize = 1_024;

/// A term this small beside the first is the last. Rounding keeps terms from falling much lower.
const CONVERGED: f64 = 1e-14;

/// Terms after which the series is said not to converge.
const MAX_TERMS: usize = 1_000_000;

/// Expected move of the mid by state.
///
/// State: spread of 1 to `spreads` ticks, and the bid share of the best sizes in `imbalances`
/// buckets of equal width; spread-major. Other states have no adjustment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MicropriceTable {
    /// Number of imbalance buckets.
    pub imbalances: usize,
    /// Number of spreads.
    pub spreads: usize,
    /// Expected move in ticks, `imbalances` numbers for each spread.
    pub adjustment_ticks: Vec<f64>,
}

impl MicropriceTable {
    /// Checks that the table is whole.
    ///
    /// # Errors
    /// When the sizes do not fit together or a number is not finite.
    pub fn validate(&self) -> Result<()> {
        let states =
            self.imbalances.checked_mul(self.spreads).filter(|n| (1..=MAX_STATES).contains(n));
        if states != Some(self.adjustment_ticks.len()) {
            return Err(value_error(format!(
                "a micro-price table of {} spreads x {} imbalances has {} numbers; it needs one a \
                 state, at most {MAX_STATES}",
                self.spreads,
                self.imbalances,
                self.adjustment_ticks.len()
            )));
        }
        if self.adjustment_ticks.iter().any(|a| !a.is_finite()) {
            return Err(value_error(
                "a micro-price table holds a number that is not finite".into(),
            ));
        }
        Ok(())
    }

    /// The expected move of the mid in ticks, for a quote in ticks.
    #[inline]
    #[must_use]
    pub fn adjustment(&self, quote: &Quote) -> f64 {
        let state = state_of(quote, 1.0, self.imbalances, self.spreads);
        state.and_then(|s| self.adjustment_ticks.get(s)).copied().unwrap_or(0.0)
    }
}

fn value_error(message: String) -> Error {
    Error::new(ErrorKind::Value, message)
}

/// Spread-major index of the state, or `None` outside the model.
#[inline]
fn state_of(quote: &Quote, tick: f64, imbalances: usize, spreads: usize) -> Option<usize> {
    let spread = libm::round(quote.spread() / tick);
    let share = quote.bid_share();
    if !(spread >= 1.0 && spread <= spreads as f64 && (0.0..=1.0).contains(&share)) {
        return None;
    }
    let bucket = ((share * imbalances as f64) as usize).min(imbalances - 1);
    Some((spread as usize - 1) * imbalances + bucket)
}

/// The chain of states: rows are probabilities from a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transitions {
    /// The mid stays, next state.
    pub stay: Vec<Vec<f64>>,
    /// The mid moves, by how much.
    pub moves: Vec<Vec<f64>>,
    /// The mid moves, next state.
    pub moved: Vec<Vec<f64>>,
}

/// Expected moves of the mid.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// Expected first move: `(I - Q)^-1 R1 K`.
    pub first: Vec<f64>,
    /// State after the first move: `(I - Q)^-1 R2`.
    pub next_state: Vec<Vec<f64>>,
    /// Expected move over the first six moves, where the author's notebook stops.
    pub after_six: Vec<f64>,
    /// Expected move over all moves.
    pub limit: Vec<f64>,
}

/// Expected moves from the transition probabilities and the sizes of the moves (`K`).
///
/// The matrix `B` of states after a move is stochastic, so `I - B` is singular and the series
/// `sum B^i G1` is summed term by term; it converges when the chain is symmetric in up and down.
///
/// # Errors
/// When the matrices do not fit together, a state is never left, or the series does not converge.
pub fn microprice_adjustment(transitions: &Transitions, move_sizes: &[f64]) -> Result<Adjustment> {
    let Transitions { stay, moves, moved } = transitions;
    let states = stay.len();
    let is_square = |m: &[Vec<f64>]| m.len() == states && m.iter().all(|r| r.len() == states);
    let fits = moves.len() == states && moves.iter().all(|r| r.len() == move_sizes.len());
    if !(is_square(stay) && is_square(moved) && fits) {
        return Err(value_error("the matrices of the micro-price do not fit together".into()));
    }
    let mut right: Vec<Vec<f64>> = moved.clone();
    for (row, chances) in right.iter_mut().zip(moves) {
        row.push(dot(chances, move_sizes));
    }
    let mut solved = solve_identity_minus(stay, right).ok_or_else(|| {
        value_error("the mid never moves from some state, so it has no expected move".into())
    })?;
    let first: Vec<f64> = solved.iter_mut().filter_map(Vec::pop).collect();
    let (after_six, limit) = sum_series(&solved, &first)?;
    Ok(Adjustment { first, next_state: solved, after_six, limit })
}

/// `first + B first + B^2 first + ...`: the first six terms, and all.
fn sum_series(b: &[Vec<f64>], first: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut term, mut sum) = (first.to_vec(), first.to_vec());
    let mut after_six = sum.clone();
    let scale = largest(first);
    for count in 1..MAX_TERMS {
        term = b.iter().map(|row| dot(row, &term)).collect();
        sum.iter_mut().zip(&term).for_each(|(s, t)| *s += t);
        if count == 5 {
            after_six.clone_from(&sum);
        }
        if count >= 5 && largest(&term) <= scale * CONVERGED {
            return Ok((after_six, sum));
        }
    }
    Err(value_error(
        "the micro-price series does not converge; fit it on data made symmetric in up and down"
            .into(),
    ))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, v| most.max(v.abs()))
}

/// `(I - q)^-1 right` by elimination with row pivots; `None` when singular.
fn solve_identity_minus(q: &[Vec<f64>], mut right: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = q.len();
    let mut left: Vec<Vec<f64>> = q.iter().map(|row| row.iter().map(|v| -v).collect()).collect();
    for (i, row) in left.iter_mut().enumerate() {
        row[i] += 1.0;
    }
    for column in 0..n {
        let pivot =
            (column..n).max_by(|a, b| left[*a][column].abs().total_cmp(&left[*b][column].abs()))?;
        if left[pivot][column].abs() < 1e-12 {
            return None;
        }
        left.swap(column, pivot);
        right.swap(column, pivot);
        let (pivot_left, pivot_right) = (left[column].clone(), right[column].clone());
        for row in (0..n).filter(|row| *row != column) {
            let factor = left[row][column] / pivot_left[column];
            subtract_scaled(&mut left[row], &pivot_left, factor);
            subtract_scaled(&mut right[row], &pivot_right, factor);
        }
    }
    for (i, row) in right.iter_mut().enumerate() {
        row.iter_mut().for_each(|v| *v /= left[i][i]);
    }
    Some(right)
}

fn subtract_scaled(row: &mut [f64], other: &[f64], factor: f64) {
    row.iter_mut().zip(other).for_each(|(v, o)| *v -= factor * o);
}

/// A fitted micro-price.
#[derive(Clone, Debug, PartialEq)]
pub struct MicropriceFit {
    /// Pairs of successive quotes that were used.
    pub transitions_used: usize,
    /// The estimated chain.
    pub transitions: Transitions,
    /// Expected moves in units of price.
    pub adjustment: Adjustment,
    /// The table to price with.
    pub table: MicropriceTable,
}

/// Fits the micro-price on successive quotes (Stoikov 2018, section 3).
///
/// Pairs whose spread is over `spreads` ticks or whose mid moves by more than a tick are left
/// out; each pair is counted again in the mirror, which makes the series converge. States that
/// were never seen have no adjustment.
///
/// # Errors
/// When the sizes or the tick are not positive, no pair can be used, or the series does not
/// converge.
pub fn microprice_fit(
    quotes: &[Quote],
    tick: f64,
    imbalances: usize,
    spreads: usize,
) -> Result<MicropriceFit> {
    let states = imbalances.checked_mul(spreads).filter(|n| (1..=MAX_STATES).contains(n));
    let Some(states) = states.filter(|_| tick > 0.0 && tick.is_finite()) else {
        return Err(value_error(format!(
            "a micro-price needs a positive tick and 1 to {MAX_STATES} states"
        )));
    };
    let mut counts = Counts::new(states);
    for pair in quotes.windows(2) {
        let state = |q: &Quote| state_of(q, tick, imbalances, spreads);
        if let (Some(from), Some(to)) = (state(&pair[0]), state(&pair[1])) {
            let half_ticks = libm::round(2.0 * (pair[1].mid() - pair[0].mid()) / tick);
            counts.add_with_mirror(from, to, half_ticks, imbalances);
        }
    }
    if counts.used == 0 {
        return Err(value_error("no two successive quotes fit the micro-price's states".into()));
    }
    let transitions = counts.probabilities();
    let sizes = MID_MOVES_TICKS.map(|ticks| ticks * tick);
    let adjustment = microprice_adjustment(&transitions, &sizes)?;
    let adjustment_ticks = adjustment.limit.iter().map(|price| price / tick).collect();
    Ok(MicropriceFit {
        transitions_used: counts.used,
        transitions,
        adjustment,
        table: MicropriceTable { imbalances, spreads, adjustment_ticks },
    })
}

struct Counts {
    used: usize,
    stay: Vec<Vec<f64>>,
    moves: Vec<Vec<f64>>,
    moved: Vec<Vec<f64>>,
}

impl Counts {
    fn new(states: usize) -> Self {
        let square = vec![vec![0.0; states]; states];
        let moves = vec![vec![0.0; MID_MOVES_TICKS.len()]; states];
        Self { used: 0, stay: square.clone(), moves, moved: square }
    }

    fn add_with_mirror(&mut self, from: usize, to: usize, half_ticks: f64, imbalances: usize) {
        if half_ticks.abs() > 2.0 {
            return;
        }
        let mirror = |state: usize| {
            let bucket = state % imbalances;
            state - bucket + (imbalances - 1 - bucket)
        };
        self.used += 1;
        self.add(from, to, half_ticks);
        self.add(mirror(from), mirror(to), -half_ticks);
    }

    fn add(&mut self, from: usize, to: usize, half_ticks: f64) {
        let size = MID_MOVES_TICKS.iter().position(|m| (m * 2.0 - half_ticks).abs() < 0.5);
        match size {
            None => self.stay[from][to] += 1.0,
            Some(size) => {
                self.moves[from][size] += 1.0;
                self.moved[from][to] += 1.0;
            }
        }
    }

    fn probabilities(&self) -> Transitions {
        let row_total = |s: usize| {
            let total = self.stay[s].iter().sum::<f64>() + self.moves[s].iter().sum::<f64>();
            if total > 0.0 {
                total
            } else {
                1.0
            }
        };
        let divided = |counts: &[Vec<f64>]| {
            let rows = counts.iter().enumerate();
            rows.map(|(s, row)| row.iter().map(|c| c / row_total(s)).collect()).collect()
        };
        Transitions {
            stay: divided(&self.stay),
            moves: divided(&self.moves),
            moved: divided(&self.moved),
        }
    }
}
