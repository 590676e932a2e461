//! Order state machine, ledger, risk gate, reconciler.
