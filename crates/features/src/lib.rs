//! Incremental market features: imbalance, microprice, order-flow imbalance, volatility.
