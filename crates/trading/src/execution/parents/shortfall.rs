//! Implementation shortfall: what an execution cost against the price of the decision.
//!
//! Perold, "The implementation shortfall: paper versus reality" (1988), with the cost of delay set
//! apart from that of trading.

use mainspring_core::Side;

/// What was decided and what came of it. Prices and quantities in any unit; costs follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Execution {
    /// Buy or sell.
    pub side: Side,
    /// Quantity decided on.
    pub quantity: f64,
    /// Quantity traded.
    pub executed: f64,
    /// Sum of price x quantity of the fills.
    pub value: f64,
    /// Price at the decision.
    pub decision: f64,
    /// Price when the order reached the market.
    pub arrival: f64,
    /// Price by which what did not trade is measured.
    pub last: f64,
    /// Fees paid.
    pub fees: f64,
}

/// The shortfall, positive where it cost money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortfall {
    /// Average price of the fills; NaN without one.
    pub average_price: f64,
    /// From decision to arrival, on what traded.
    pub delay: f64,
    /// From arrival to the prices paid.
    pub trading: f64,
    /// On what did not trade, from the decision to the last price.
    pub opportunity: f64,
    /// Fees paid.
    pub fees: f64,
    /// Sum of the four.
    pub total: f64,
    /// The total in basis points of the decided quantity at the decision price.
    pub total_bps: f64,
}

impl Execution {
    /// The shortfall of the execution.
    #[must_use]
    pub fn shortfall(&self) -> Shortfall {
        let sign = self.side.sign() as f64;
        let delay = sign * (self.arrival - self.decision) * self.executed;
        let trading = sign * (self.value - self.arrival * self.executed);
        let opportunity = sign * (self.last - self.decision) * (self.quantity - self.executed);
        let total = delay + trading + opportunity + self.fees;
        Shortfall {
            average_price: self.value / self.executed,
            delay,
            trading,
            opportunity,
            fees: self.fees,
            total,
            total_bps: 1e4 * total / (self.decision * self.quantity),
        }
    }
}
