//! Exposure of a set of positions: gross, net, leverage, concentration.

/// A position at its mark price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holding {
    /// Signed quantity in base.
    pub qty: f64,
    /// Mark price.
    pub mark: f64,
    /// Sensitivity to the benchmark; 1 where it is not known.
    pub beta: f64,
}

/// Exposure of an account, in the currency of the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exposure {
    /// Sum of absolute values.
    pub gross: f64,
    /// Sum of signed values.
    pub net: f64,
    /// Sum of the long positions.
    pub long: f64,
    /// Sum of the short positions, negative.
    pub short: f64,
    /// Gross over equity; `None` without positive equity.
    pub gross_leverage: Option<f64>,
    /// Net over equity; `None` without positive equity.
    pub net_leverage: Option<f64>,
    /// Sum of signed values times their beta.
    pub beta_adjusted_net: f64,
    /// The largest position's share of gross; zero without positions.
    pub largest_share: f64,
    /// Sum of squared shares of gross (Herfindahl): 1 for a single position.
    pub herfindahl: f64,
}

/// The exposure of these holdings.
#[must_use]
pub fn exposure(equity: f64, holdings: &[Holding]) -> Exposure {
    let mut total = Exposure::default();
    for holding in holdings {
        let value = holding.qty * holding.mark;
        total.gross += value.abs();
        total.net += value;
        total.long += value.max(0.0);
        total.short += value.min(0.0);
        total.beta_adjusted_net += value * holding.beta;
    }
    if total.gross > 0.0 {
        for holding in holdings {
            let share = (holding.qty * holding.mark).abs() / total.gross;
            total.largest_share = total.largest_share.max(share);
            total.herfindahl += share * share;
        }
    }
    if equity > 0.0 {
        total.gross_leverage = Some(total.gross / equity);
        total.net_leverage = Some(total.net / equity);
    }
    total
}
