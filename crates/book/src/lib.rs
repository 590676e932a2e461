//! Order books: windowed L2 ladder, L3 queues, trust states.
