//! Simulated venue: matching, queue position, latency, fees; order-flow generator.
